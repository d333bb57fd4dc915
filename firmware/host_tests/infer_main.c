/* A board that recognises: frames from input.bin (u32 t_us and the values), what it sends to output.bin. */
#include <stdio.h>

#include "eh_infer.h"

#ifndef VALUE_BYTES
#define VALUE_BYTES 384
#endif

static FILE *out;
static EhBoard board;
static EhInfer infer;
static uint8_t ring[EH_MIN_CSI_RING];

static size_t link_write(void *context, const uint8_t *bytes, size_t n)
{
    (void)context;
    return fwrite(bytes, 1, n, out);
}

static EhReplyStatus apply(void *context, const EhCommand *command)
{
    (void)context;
    (void)command;
    return EH_REPLY_FAILED;
}

int main(void)
{
    static const EhPort port = {.write = link_write, .apply = apply};
    static const uint8_t key[EH_KEY_BYTES], mac[EH_MAC_BYTES];
    const EhWireHello identity = {.boot = 3, .chip = "esp32s3", .csi = 1, .flags = EH_BOARD_RUNNING};
    uint8_t record[4 + VALUE_BYTES];
    FILE *frames = fopen("input.bin", "rb");
    out = fopen("output.bin", "wb");
    if (frames == NULL || out == NULL || !eh_board_init(&board, &identity, key, &port, ring, sizeof ring)) {
        return 99;
    }
    eh_infer_init(&infer);
    while (fread(record, 1, sizeof record, frames) == sizeof record) {
        EhWireCsi frame = {.t_us = eh_get_u32(record), .secondary = 2, .sig_mode = 1, .bandwidth = 1};
        eh_board_csi(&board, &frame, mac, record + 4, VALUE_BYTES);
        eh_infer_csi(&infer, &board, &frame, record + 4, VALUE_BYTES);
        eh_board_poll(&board, frame.t_us);
    }
    return fclose(out) == 0 ? 0 : 98;
}
