/* Operands of a script and answers to it, little-endian, for every part of the cases. */
#ifndef EH_SCRIPT_H
#define EH_SCRIPT_H

#include "cases.h"
#include "eh_bytes.h"

#define EH_LONGEST 2048u

static inline uint8_t eh_take_u8(void)
{
    uint8_t raw[1] = {0};
    eh_take(raw, 1);
    return raw[0];
}

static inline uint16_t eh_take_u16(void)
{
    uint8_t raw[2] = {0};
    eh_take(raw, 2);
    return eh_get_u16(raw);
}

static inline uint32_t eh_take_u32(void)
{
    uint8_t raw[4] = {0};
    eh_take(raw, 4);
    return eh_get_u32(raw);
}

static inline uint64_t eh_take_u64(void)
{
    uint8_t raw[8] = {0};
    eh_take(raw, 8);
    return eh_get_u64(raw);
}

/* Bytes with their length before them, into `to` [EH_LONGEST]; how many. */
static inline size_t eh_take_bytes(uint8_t *to)
{
    const size_t n = eh_take_u16();
    if (n > EH_LONGEST) {
        return 0;
    }
    eh_take(to, n);
    return n;
}

/* One record of the answers. */
static inline void eh_answer(const uint8_t *raw, size_t n)
{
    uint8_t length[4];
    eh_put_u32(length, (uint32_t)n);
    eh_give(length, sizeof length);
    eh_give(raw, n);
}

#endif
