/* From a real sample to an integer: one product, rounded half to even, saturated before it is converted. */
#ifndef EH_QUANTISE_H
#define EH_QUANTISE_H

#include <stdint.h>

#include "eh_ieee.h"

static inline int16_t eh_quantise(float v, float inverse_scale, int16_t low, int16_t high)
{
    const float scaled = v * inverse_scale;
    if (scaled >= (float)high) {
        return high;
    }
    if (scaled <= (float)low) {
        return low;
    }
    if (!(scaled == scaled)) { /* NaN */
        return 0;
    }
    /* Beyond 2^23 floats have no fraction: the sum is rounded as IEEE 754 rounds, half to even. */
    const float shifted = scaled + 12582912.0f;
    return (int16_t)(shifted - 12582912.0f);
}

#endif
