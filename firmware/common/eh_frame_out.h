/* Frames onto a link that takes a few bytes at a time: the frame under way is held until all of it is out. */
#ifndef EH_FRAME_OUT_H
#define EH_FRAME_OUT_H

#include "eh_wire.h"

/* Its members are no part of the interface. */
typedef struct {
    /* Send as much of bytes [n] as the link takes at once, without waiting; how much that was. */
    size_t (*write)(void *context, const uint8_t *bytes, size_t n);
    void *context;
    size_t n, sent; /* the frame on the link: all of it, and what is sent */
    uint8_t bytes[EH_WIRE_ROOM(EH_MAX_PAYLOAD)];
} EhFrameOut;

void eh_frame_out_init(EhFrameOut *out, size_t (*write)(void *context, const uint8_t *bytes, size_t n), void *context);

/* Go on with the frame under way; 1 where nothing of it is left. */
int eh_frame_out_flush(EhFrameOut *out);

/* Begin the frame for a message, if the one before is out; 1 where it was taken. What the link does not take of it at
 * once waits for eh_frame_out_flush.
 */
int eh_frame_out_send(EhFrameOut *out, uint8_t kind, const uint8_t *payload, size_t n);

#endif
