/* Recognition on the board: CSI frames into a bundle's exported C module, decisions out over the wire.
 *
 * Compile with the directory that `edgehar export --target c --csi-layout LAYOUT` wrote, and with -ffp-contract=off:
 * eh_csi_input.h there says which values of a frame the model's channels are. A window takes milliseconds: call this from a task of its own, never from the radio's callback.
 *
 *   static EhInfer infer;
 *   eh_infer_init(&infer);
 *   for each frame that eh_board_csi took:  eh_infer_csi(&infer, &board, &frame, values, n_bytes);
 */
#ifndef EH_INFER_H
#define EH_INFER_H

#include "eh_board.h"
#include "eh_model.h"
#include "eh_stream.h"

/* Its members are no part of the interface. */
typedef struct {
    EhModel model;
    float last[EH_CHANNELS];
    int64_t now_ns, last_ns, anchor_ns; /* of this frame, the one before, and the first since the last gap */
    int64_t next;                       /* grid point that waits to be made */
    uint32_t last_us;
    uint8_t open;  /* a stretch without a gap runs */
    uint8_t timed; /* last_us is a frame's */
} EhInfer;

void eh_infer_init(EhInfer *infer);

/* The next frame, in order of time: `frame` as eh_board_csi left it, `values` [n_bytes]. How many decisions it brought;
 * they are queued on `board`. Frames of another layout than the model's, or empty ones, count as missing.
 */
int eh_infer_csi(EhInfer *infer, EhBoard *board, const EhWireCsi *frame, const uint8_t *values, size_t n_bytes);

#endif
