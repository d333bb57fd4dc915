/* A model on the board: frames of its layout and of one sender go through it, decisions go to the host.
 *
 * The build that is given EDGEHAR_MODEL_DIR has one (CMakeLists.txt); in any other these calls do nothing.
 */
#ifndef EH_ONBOARD_H
#define EH_ONBOARD_H

#include <stddef.h>
#include <stdint.h>

#include "eh_wire_layout.h"

#ifndef EH_ONBOARD
#define EH_ONBOARD 0 /* 1: there is a model */
#endif
#ifndef EH_ONBOARD_ALONE
#define EH_ONBOARD_ALONE 0 /* 1: no frames are sent before the host says start, only decisions */
#endif

/* Start the model's task; call it after eh_node_begin. */
void eh_onboard_begin(void);

/* A frame as eh_board_csi left it, with its `values` [n_bytes]. From the driver's task: copies and returns. */
void eh_onboard_take(const EhWireCsi *frame, const uint8_t *values, size_t n_bytes);

#endif
