/* CRC-32 of IEEE 802.3, the one of zlib: reflected 0x04C11DB7, start and final inversion. */
#ifndef EH_CRC32_H
#define EH_CRC32_H

#include <stddef.h>
#include <stdint.h>

#define EH_CRC32_START 0u

/* The CRC of everything so far and `bytes` [n], given that of everything so far. */
uint32_t eh_crc32(uint32_t crc, const uint8_t *bytes, size_t n);

#endif
