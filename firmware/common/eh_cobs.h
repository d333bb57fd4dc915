/* Consistent Overhead Byte Stuffing: bytes without a zero, so that a zero can only mean the end of a frame.
 * Cheshire and Baker, IEEE/ACM Transactions on Networking 7(2), 1999.
 */
#ifndef EH_COBS_H
#define EH_COBS_H

#include <stddef.h>
#include <stdint.h>

/* A frame being written, piece by piece; its members are no part of the interface. */
typedef struct {
    uint8_t *out;
    size_t room;
    size_t used;
    size_t code_at; /* where the code byte of the open block belongs */
    uint8_t code;   /* what it will be: bytes in the block, and one */
    uint8_t full;   /* out ran out of room */
} EhCobs;

/* Begin a frame in `out` [room]. */
void eh_cobs_begin(EhCobs *cobs, uint8_t *out, size_t room);

/* The next bytes of the frame. */
void eh_cobs_put(EhCobs *cobs, const uint8_t *bytes, size_t n);

/* Bytes that the frame takes, delimiters not counted; 0 where there was no room. */
size_t eh_cobs_end(EhCobs *cobs);

/* Decode `coded` [n] in place; the bytes left, or -1 where it is empty, holds a zero or ends within a block. */
long eh_cobs_decode(uint8_t *coded, size_t n);

#endif
