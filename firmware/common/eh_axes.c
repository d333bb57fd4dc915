#include "eh_axes.h"

typedef struct {
    uint8_t axis, negated;
} Part;

#define ROW(x, x_negated, y, y_negated, z, z_negated) {{x, x_negated}, {y, y_negated}, {z, z_negated}},
static const Part rows[EH_ROTATIONS][3] = {EH_AXES(ROW)};

static int16_t negative(int16_t value)
{
    return value == INT16_MIN ? INT16_MAX : (int16_t)-value;
}

void eh_axes_turn(uint8_t row, int16_t v[3])
{
    const int16_t sensor[3] = {v[0], v[1], v[2]};
    for (size_t i = 0; i < 3; i++) {
        const Part part = rows[row][i];
        v[i] = part.negated ? negative(sensor[part.axis]) : sensor[part.axis];
    }
}
