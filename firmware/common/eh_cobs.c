#include "eh_cobs.h"

#define FULL_CODE 255u /* 254 bytes and no zero behind them */

static void put_raw(EhCobs *cobs, uint8_t byte)
{
    if (cobs->used < cobs->room) {
        cobs->out[cobs->used++] = byte;
    } else {
        cobs->full = 1;
    }
}

/* A block begins: its code byte is not known before its end. */
static void open_block(EhCobs *cobs)
{
    cobs->code_at = cobs->used;
    cobs->code = 1;
    put_raw(cobs, 0);
}

static void close_block(EhCobs *cobs)
{
    if (cobs->code_at < cobs->room) {
        cobs->out[cobs->code_at] = cobs->code;
    }
}

void eh_cobs_begin(EhCobs *cobs, uint8_t *out, size_t room)
{
    cobs->out = out;
    cobs->room = room;
    cobs->used = 0;
    cobs->full = 0;
    open_block(cobs);
}

void eh_cobs_put(EhCobs *cobs, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (cobs->code == FULL_CODE) { /* only now: a full block that ends the frame opens no further one */
            close_block(cobs);
            open_block(cobs);
        }
        if (bytes[i] == 0) {
            close_block(cobs);
            open_block(cobs);
        } else {
            put_raw(cobs, bytes[i]);
            cobs->code++;
        }
    }
}

size_t eh_cobs_end(EhCobs *cobs)
{
    close_block(cobs);
    return cobs->full ? 0 : cobs->used;
}

long eh_cobs_decode(uint8_t *coded, size_t n)
{
    size_t from = 0, to = 0;
    while (from < n) {
        const size_t code = coded[from++];
        if (code == 0 || code - 1 > n - from) {
            return -1;
        }
        for (size_t i = 1; i < code; i++) {
            if (coded[from] == 0) {
                return -1;
            }
            coded[to++] = coded[from++];
        }
        if (code < FULL_CODE && from < n) {
            coded[to++] = 0;
        }
    }
    return n == 0 ? -1 : (long)to;
}
