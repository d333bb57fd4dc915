/* Numbers to little-endian bytes and back, whatever the processor's own order and alignment. */
#ifndef EH_BYTES_H
#define EH_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline void eh_put_u8(uint8_t *at, uint8_t value)
{
    at[0] = value;
}

static inline void eh_put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void eh_put_u32(uint8_t *at, uint32_t value)
{
    eh_put_u16(at, (uint16_t)value);
    eh_put_u16(at + 2, (uint16_t)(value >> 16));
}

static inline void eh_put_u64(uint8_t *at, uint64_t value)
{
    eh_put_u32(at, (uint32_t)value);
    eh_put_u32(at + 4, (uint32_t)(value >> 32));
}

static inline uint8_t eh_get_u8(const uint8_t *at)
{
    return at[0];
}

static inline uint16_t eh_get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | (unsigned)at[1] << 8);
}

static inline uint32_t eh_get_u32(const uint8_t *at)
{
    return eh_get_u16(at) | (uint32_t)eh_get_u16(at + 2) << 16;
}

static inline uint64_t eh_get_u64(const uint8_t *at)
{
    return eh_get_u32(at) | (uint64_t)eh_get_u32(at + 4) << 32;
}

/* As memcpy, for those who have none; the regions must not overlap. */
static inline void eh_copy(void *to, const void *from, size_t n)
{
    uint8_t *out = (uint8_t *)to;
    const uint8_t *in = (const uint8_t *)from;
    for (size_t i = 0; i < n; i++) {
        out[i] = in[i];
    }
}

#endif
