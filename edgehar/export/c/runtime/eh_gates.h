/* Gates of recurrent cells in integers. Arguments are Q12, results Q15; equations: edgehar/graph/intops.py.
 *
 * `table` holds tanh(k / 32) in Q15 for k = 0 .. 128. Arguments saturate where the table ends; because its last two
 * entries differ by less than 64, saturating to the last fraction below the end gives the last entry itself.
 */
#ifndef EH_GATES_H
#define EH_GATES_H

#include "eh_int.h"

/* t[0] + (((t[1] - t[0]) f + 2^(bits - 1)) >> bits), where 2^bits is one step of the table */
static inline int32_t eh_between(const int16_t *t, int32_t f, int bits)
{
    return t[0] + eh_round32((t[1] - t[0]) * f, bits);
}

static inline int32_t eh_tanh_q15(int32_t v, const int16_t *table)
{
    const int32_t m = eh_unsigned14(eh_abs(v));
    const int32_t y = eh_between(table + (m >> 7), m & 127, 7);
    return v < 0 ? -y : y;
}

/* 0 .. 32767 */
static inline int32_t eh_sigmoid_q15(int32_t v, const int16_t *table)
{
    const int32_t m = eh_unsigned15(eh_abs(v));
    const int32_t y = eh_between(table + (m >> 8), m & 255, 8);
    return eh_asr32(32768 + (v < 0 ? -y : y), 1);
}

/* round(z h + round(a g, 15) unit, 15): the new state before saturation */
static inline int32_t eh_mix(int32_t z, int32_t h, int32_t a, int32_t g, int32_t unit)
{
    return eh_round32(z * h + eh_round32(a * g, 15) * unit, 15);
}

static inline int32_t eh_fastgrnn(int32_t pre, int32_t b_z, int32_t b_h, int32_t zeta, int32_t nu, int32_t h, int32_t unit,
                                  const int16_t *table)
{
    const int32_t z = eh_sigmoid_q15(pre + b_z, table);
    const int32_t g = eh_tanh_q15(pre + b_h, table);
    return eh_mix(z, h, eh_asr32(zeta * (32768 - z), 15) + nu, g, unit);
}

static inline int32_t eh_gru(const int32_t *from_x, const int32_t *from_h, int i, int n, int32_t h, int32_t unit,
                             const int16_t *table)
{
    const int32_t r = eh_sigmoid_q15(from_x[i] + from_h[i], table);
    const int32_t z = eh_sigmoid_q15(from_x[n + i] + from_h[n + i], table);
    const int32_t held = eh_asr32(r * eh_sat16(from_h[2 * n + i]), 15);
    return eh_mix(z, h, 32768 - z, eh_tanh_q15(from_x[2 * n + i] + held, table), unit);
}

#endif
