/* Streaming filters on one channel in float32. */
#ifndef EH_FILTERS_H
#define EH_FILTERS_H

#include "eh_ieee.h"

/* Median of the last two samples and this one; `two` keeps the last two, zeros before a stream begins. */
static inline float eh_median3(float two[2], float x)
{
    const float a = two[0], b = two[1];
    const float low = a < b ? a : b, high = a < b ? b : a;
    two[0] = b;
    two[1] = x;
    return x < low ? low : x > high ? high : x;
}

/* Cascade of second-order sections, direct form II transposed; `sos` holds b0 b1 b2 a1 a2 of each, z two states.
 *
 *   y = b0 u + z0;  z0 = b1 u - a1 y + z1;  z1 = b2 u - a2 y
 */
static inline float eh_sections(const float *sos, int n, float *z, float u)
{
    for (; n > 0; n--, sos += 5, z += 2) {
        const float y = sos[0] * u + z[0];
        z[0] = sos[1] * u - sos[3] * y + z[1];
        z[1] = sos[2] * u - sos[4] * y;
        u = y;
    }
    return u;
}

#endif
