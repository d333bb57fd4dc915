/* Elementary functions from IEEE 754 basic operations alone, so that every CPU and C library gives the same bits. */
#ifndef EH_MATH_H
#define EH_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "eh_ieee.h"

static inline float eh_float_of_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline uint32_t eh_bits_of_float(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* The square root is one of IEEE 754's basic operations: correctly rounded everywhere. */
static inline float eh_sqrt(float v)
{
    return sqrtf(v);
}

/* e^v to 2 units in the last place. v = n ln 2 + r, |r| <= ln 2 / 2, e^r by its series, 2^n by the exponent's bits.
 * Below -87 it is 0, above 88 it stays at e^88.
 */
static inline float eh_exp(float v)
{
    if (!(v > -87.0f)) {
        return 0.0f;
    }
    if (v > 88.0f) {
        v = 88.0f;
    }
    const float shifted = v * 1.44269504f + 12582912.0f; /* n, rounded: beyond 2^23 floats have no fraction */
    const float n = shifted - 12582912.0f;
    const float r = (v - n * 0.693359375f) - n * -2.12194440e-4f; /* ln 2 in two parts, the first of few bits */
    float p = 1.98412698e-4f;                                     /* 1/7!, 1/6!, ... */
    p = p * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * eh_float_of_bits((uint32_t)((int32_t)n + 127) << 23);
}

/* ln(v) for a finite v > 0. v = 2^n m with m within [sqrt(1/2), sqrt(2)); ln m = 2 atanh(s), s = (m - 1) / (m + 1). */
static inline float eh_log(float v)
{
    int32_t n = 0;
    if (v < 1.17549435e-38f) { /* subnormal */
        v *= 8388608.0f;
        n = -23;
    }
    const uint32_t bits = eh_bits_of_float(v), above = (bits - 0x3F3504F3u) >> 23; /* 0x3F3504F3: sqrt(1/2) */
    const int32_t exponent = above < 256u ? (int32_t)above : (int32_t)above - 512;
    n += exponent;
    const float m = eh_float_of_bits(bits - ((uint32_t)exponent << 23));
    const float s = (m - 1.0f) / (m + 1.0f), s2 = s * s;
    float p = 0.222222222f;
    p = p * s2 + 0.285714286f;
    p = p * s2 + 0.4f;
    p = p * s2 + 0.666666667f;
    const float fraction = 2.0f * s + s * s2 * p;
    return (float)n * 0.693359375f + ((float)n * -2.12194440e-4f + fraction);
}

/* asinh(v) = ln(1 + t), t = |v| + v^2 / (1 + sqrt(v^2 + 1)); ln(1 + t) = ln(u) t / (u - 1) for u = 1 + t rounded. */
static inline float eh_asinh(float v)
{
    const float a = v < 0.0f ? -v : v;
    float y;
    if (a > 1.0e9f) {
        y = eh_log(a) + 0.693147181f;
    } else {
        const float t = a + a * a / (1.0f + eh_sqrt(a * a + 1.0f));
        const float u = 1.0f + t;
        y = u == 1.0f ? t : eh_log(u) * (t / (u - 1.0f));
    }
    return v < 0.0f ? -y : y;
}

/* 1 / (1 + e^-v) */
static inline float eh_sigmoid(float v)
{
    return 1.0f / (1.0f + eh_exp(-v));
}

/* 1 - 2 / (e^2v + 1): within 2e-7 of tanh, absolutely */
static inline float eh_tanh(float v)
{
    return 1.0f - 2.0f / (eh_exp(2.0f * v) + 1.0f);
}

#endif
