/* Products with float matrices: the layouts of `eh_dense.h` and `eh_sparse.h`, their words in plain order. */
#ifndef EH_DENSE_F32_H
#define EH_DENSE_F32_H

#include "eh_ieee.h"
#include "eh_sparse.h"

static inline void eh_dense_f32(const float *w, const float *x, float *acc, int rows, int columns)
{
    const int quads = columns / 4 * 4;
    const int full = rows / 4 * 4;
    for (int r = 0; r < full; r += 4) {
        float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
        int c = 0;
        for (; c < quads; c += 4, w += 16) {
            for (int k = 0; k < 4; k++) {
                s0 += w[k] * x[c + k];
                s1 += w[4 + k] * x[c + k];
                s2 += w[8 + k] * x[c + k];
                s3 += w[12 + k] * x[c + k];
            }
        }
        for (; c < columns; c++, w += 4) {
            s0 += w[0] * x[c];
            s1 += w[1] * x[c];
            s2 += w[2] * x[c];
            s3 += w[3] * x[c];
        }
        acc[r] = s0;
        acc[r + 1] = s1;
        acc[r + 2] = s2;
        acc[r + 3] = s3;
    }
    for (int r = full; r < rows; r++, w += columns) {
        float sum = 0.0f;
        for (int c = 0; c < columns; c++) {
            sum += w[c] * x[c];
        }
        acc[r] = sum;
    }
}

static inline void eh_entries_f32(const float *w, const uint8_t *columns, const uint8_t *counts, int wide, const float *x,
                                  float *acc, int rows)
{
    for (int r = 0; r < rows; r++) {
        float sum = 0.0f;
        for (int n = *counts++; n != 0; n--, w++, columns += wide ? 2 : 1) {
            sum += *w * x[eh_column(columns, wide)];
        }
        acc[r] = sum;
    }
}

static inline void eh_bitmap_f32(const float *w, const uint8_t *mask, const float *x, float *acc, int rows, int columns)
{
    for (int r = 0; r < rows; r++) {
        float sum = 0.0f;
        for (int c = 0; c < columns; c += 8) {
            for (uint32_t bits = *mask++; bits != 0u; bits &= bits - 1u) {
                sum += *w++ * x[c + eh_lowest_bit(bits)];
            }
        }
        acc[r] = sum;
    }
}

static inline void eh_blocks_f32(const float *w, const uint8_t *columns, const uint8_t *counts, int wide, const float *x,
                                 float *acc, int rows)
{
    for (int r = 0; r < rows; r += 4) {
        float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
        for (int n = *counts++; n != 0; n--, w += 4, columns += wide ? 2 : 1) {
            const float v = x[eh_column(columns, wide)];
            s0 += w[0] * v;
            s1 += w[1] * v;
            s2 += w[2] * v;
            s3 += w[3] * v;
        }
        acc[r] = s0;
        acc[r + 1] = s1;
        acc[r + 2] = s2;
        acc[r + 3] = s3;
    }
}

static inline float eh_relu(float v)
{
    return v < 0.0f ? 0.0f : v; /* what is not a number stays so */
}

#endif
