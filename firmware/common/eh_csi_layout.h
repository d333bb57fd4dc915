/* Which layout of layouts.toml a CSI buffer has, by what the chip says of the frame. */
#ifndef EH_CSI_LAYOUT_H
#define EH_CSI_LAYOUT_H

#include "eh_wire_layout.h"

/* The family of a chip called as ESP-IDF calls its targets ("esp32s3"); -1 where it is not known. */
int eh_chips(const char *chip);

/* The id of the layout of a buffer of `n_bytes`, or 0 where none fits: such a frame cannot be read and is not sent.
 * Of `frame`, secondary, sig_mode, bandwidth and stbc count, as the chip numbers them.
 */
uint8_t eh_csi_layout(int chips, const EhWireCsi *frame, size_t n_bytes);

#endif
