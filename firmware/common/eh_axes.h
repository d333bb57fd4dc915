/* The rotation by quarter turns from a sensor's axes to those of what it sits on; rows of [axes] in messages.toml. */
#ifndef EH_AXES_H
#define EH_AXES_H

#include "eh_wire_layout.h"

/* Turn a vector in place by row `row` < EH_ROTATIONS; a negated -32768 becomes 32767. */
void eh_axes_turn(uint8_t row, int16_t v[3]);

#endif
