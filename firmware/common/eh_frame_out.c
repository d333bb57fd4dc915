#include "eh_frame_out.h"

void eh_frame_out_init(EhFrameOut *out, size_t (*write)(void *context, const uint8_t *bytes, size_t n), void *context)
{
    out->write = write;
    out->context = context;
    out->n = 0;
    out->sent = 0;
}

int eh_frame_out_flush(EhFrameOut *out)
{
    const size_t left = out->n - out->sent;
    if (left > 0) {
        const size_t taken = out->write(out->context, out->bytes + out->sent, left);
        out->sent += taken < left ? taken : left;
    }
    return out->sent == out->n;
}

int eh_frame_out_send(EhFrameOut *out, uint8_t kind, const uint8_t *payload, size_t n)
{
    if (!eh_frame_out_flush(out)) {
        return 0;
    }
    out->sent = 0;
    out->n = eh_wire_encode(kind, payload, n, out->bytes, sizeof out->bytes);
    eh_frame_out_flush(out);
    return 1;
}
