/* Products with an int8 matrix whose zeros are not stored, in three ways; zeros take neither bytes nor instructions.
 *
 *   entries  for each row a count, then for each weight its column
 *   bitmap   for each row a bit per column, first column in the lowest bit; only weights whose bit is set follow
 *   blocks   as entries, but of four rows by one column: one word (order of `eh_words.h`) for each
 *
 * Columns are bytes, or two little-endian bytes where `wide`; the compiler drops what a constant `wide` rules out.
 */
#ifndef EH_SPARSE_H
#define EH_SPARSE_H

#include "eh_words.h"

static inline int eh_column(const uint8_t *at, int wide)
{
    return wide ? at[0] | at[1] << 8 : at[0];
}

static inline void eh_entries(const int8_t *w, const uint8_t *columns, const uint8_t *counts, int wide, const int16_t *x,
                              int32_t *acc, int rows)
{
    for (int r = 0; r < rows; r++) {
        int32_t sum = 0;
        for (int n = *counts++; n != 0; n--, w++, columns += wide ? 2 : 1) {
            sum += *w * x[eh_column(columns, wide)];
        }
        acc[r] = sum;
    }
}

static inline int eh_lowest_bit(uint32_t bits)
{
#if defined(__GNUC__)
    return __builtin_ctz(bits);
#else
    int n = 0;
    while ((bits >> n & 1u) == 0u) {
        n++;
    }
    return n;
#endif
}

static inline void eh_bitmap(const int8_t *w, const uint8_t *mask, const int16_t *x, int32_t *acc, int rows, int columns)
{
    for (int r = 0; r < rows; r++) {
        int32_t sum = 0;
        for (int c = 0; c < columns; c += 8) {
            for (uint32_t bits = *mask++; bits != 0u; bits &= bits - 1u) {
                sum += *w++ * x[c + eh_lowest_bit(bits)];
            }
        }
        acc[r] = sum;
    }
}

/* `rows` is a multiple of 4; counts holds one entry for each four rows. */
static inline void eh_blocks(const int8_t *w, const uint8_t *columns, const uint8_t *counts, int wide, const int16_t *x,
                             int32_t *acc, int rows)
{
    for (int r = 0; r < rows; r += 4) {
        int32_t sum[4] = {0, 0, 0, 0};
        for (int n = *counts++; n != 0; n--, w += 4, columns += wide ? 2 : 1) {
            eh_column4(w, x[eh_column(columns, wide)], sum);
        }
        acc[r] = sum[0];
        acc[r + 1] = sum[1];
        acc[r + 2] = sum[2];
        acc[r + 3] = sum[3];
    }
}

#endif
