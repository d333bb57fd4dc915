/* Products with a dense int8 matrix.
 *
 * Storage: four rows at a time, for each four columns one word per row (order of `eh_words.h`), then for each column
 * that is left one word with its four rows. Rows beyond the last four follow one by one: their words, then the columns
 * that are left as they are. No byte is padding, and the words of full groups are aligned.
 */
#ifndef EH_DENSE_H
#define EH_DENSE_H

#include "eh_words.h"

/* acc + the products of the four weights in a word with x[0..3] */
static inline int32_t eh_dot4(const int8_t *w, const int16_t *x, int32_t acc)
{
#if EH_DSP
    const uint32_t word = eh_word(w);
    acc = eh_mac2(eh_even(word), eh_aligned_word(x), acc);
    return eh_mac2(eh_odd(word), eh_aligned_word(x + 2), acc);
#else
    return acc + w[0] * x[0] + w[2] * x[1] + w[1] * x[2] + w[3] * x[3];
#endif
}

/* acc[r] = sum_c w[r, c] x[c]; x begins at a multiple of 4 bytes. */
static inline void eh_dense(const int8_t *w, const int16_t *x, int32_t *acc, int rows, int columns)
{
    const int16_t *const end = x + columns / 4 * 4;
    const int left = columns % 4;
    const int full = rows / 4 * 4;
    for (int r = 0; r < full; r += 4) {
        int32_t sum[4] = {0, 0, 0, 0};
        for (const int16_t *p = x; p != end; p += 4, w += 16) {
#if EH_DSP
            const uint32_t x01 = eh_aligned_word(p), x23 = eh_aligned_word(p + 2);
            const uint32_t w0 = eh_aligned_word(w), w1 = eh_aligned_word(w + 4);
            const uint32_t w2 = eh_aligned_word(w + 8), w3 = eh_aligned_word(w + 12);
            sum[0] = eh_mac2(eh_odd(w0), x23, eh_mac2(eh_even(w0), x01, sum[0]));
            sum[1] = eh_mac2(eh_odd(w1), x23, eh_mac2(eh_even(w1), x01, sum[1]));
            sum[2] = eh_mac2(eh_odd(w2), x23, eh_mac2(eh_even(w2), x01, sum[2]));
            sum[3] = eh_mac2(eh_odd(w3), x23, eh_mac2(eh_even(w3), x01, sum[3]));
#else
            for (int k = 0; k < 4; k++) {
                sum[k] = eh_dot4(w + 4 * k, p, sum[k]);
            }
#endif
        }
        for (int c = 0; c < left; c++, w += 4) {
            eh_column4(w, end[c], sum);
        }
        acc[r] = sum[0];
        acc[r + 1] = sum[1];
        acc[r + 2] = sum[2];
        acc[r + 3] = sum[3];
    }
    for (int r = full; r < rows; r++) {
        int32_t sum = 0;
        for (const int16_t *p = x; p != end; p += 4, w += 4) {
            sum = eh_dot4(w, p, sum);
        }
        for (int c = 0; c < left; c++, w++) {
            sum += *w * end[c];
        }
        acc[r] = sum;
    }
}

/* wide[i] = x[i]; both begin at a multiple of 4 bytes. */
static inline void eh_widen(const int8_t *x, int16_t *wide, int n)
{
    int i = 0;
#if EH_DSP
    for (; i < n / 4 * 4; i += 4) {
        const uint32_t word = eh_aligned_word(x + i), even = eh_even(word), odd = eh_odd(word);
        const uint32_t pairs[2] = {(even & 0xFFFFu) | odd << 16, (odd & 0xFFFF0000u) | even >> 16};
        memcpy(EH_AT_WORD(wide + i), pairs, sizeof pairs);
    }
#endif
    for (; i < n; i++) {
        wide[i] = x[i];
    }
}

#endif
