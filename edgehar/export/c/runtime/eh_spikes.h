/* Spiking neurons in integers; equations: edgehar/graph/intops.py. Spikes are either flags, 0 or 1 for every neuron, or events:
 * the indices of those that fired, ascending. Products with events add the columns of active inputs and nothing else.
 */
#ifndef EH_SPIKES_H
#define EH_SPIKES_H

#include "eh_int.h"
#include "eh_sparse.h"

/* Most int8 addends for which a sum is sure to fit 16 bits. */
#define EH_ADDENDS 256

/* acc[r] = sum over the active inputs c of w[r, c]. `w` holds a column of `rows` bytes for each input: four rows are a
 * word in the order of `eh_words.h`, rows beyond the last four follow as they are.
 */
static inline void eh_events(const int8_t *w, const uint16_t *active, int n, int32_t *acc, int rows)
{
#if EH_DSP
    const int packed = rows / 8 * 8;
    for (int r = 0; r < packed; r += 8) {
        int32_t total[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        int done = 0;
        do {
            const uint16_t *const end = active + (n - done > EH_ADDENDS ? done + EH_ADDENDS : n);
            uint32_t s02 = 0, s13 = 0, s46 = 0, s57 = 0;
            for (const uint16_t *at = active + done; at != end; at++) {
                const int8_t *column = w + *at * rows + r;
                const uint32_t low = eh_word(column), high = eh_word(column + 4);
                s02 = eh_add_even(s02, low);
                s13 = eh_add_odd(s13, low);
                s46 = eh_add_even(s46, high);
                s57 = eh_add_odd(s57, high);
            }
            done = (int)(end - active);
            total[0] += (int16_t)s02;
            total[1] += eh_asr32((int32_t)s02, 16);
            total[2] += (int16_t)s13;
            total[3] += eh_asr32((int32_t)s13, 16);
            total[4] += (int16_t)s46;
            total[5] += eh_asr32((int32_t)s46, 16);
            total[6] += (int16_t)s57;
            total[7] += eh_asr32((int32_t)s57, 16);
        } while (done < n);
        for (int k = 0; k < 8; k++) {
            acc[r + k] = total[k];
        }
    }
#else
    const int packed = 0;
#endif
    for (int k = packed; k < rows; k++) {
        acc[k] = 0;
    }
    const int words = rows / 4 * 4;
    for (int i = 0; i < n; i++) {
        const int8_t *column = w + active[i] * rows;
        for (int k = packed; k < words; k += 4) {
            acc[k] += column[k];
            acc[k + 1] += column[k + 2];
            acc[k + 2] += column[k + 1];
            acc[k + 3] += column[k + 3];
        }
        for (int k = words; k < rows; k++) {
            acc[k] += column[k];
        }
    }
}

/* The same for a matrix without its zeros: `begin` says where each column's weights begin, `rows` where they belong. */
static inline void eh_event_entries(const int8_t *w, const uint8_t *rows, const uint16_t *begin, int wide,
                                    const uint16_t *active, int n, int32_t *acc, int n_rows)
{
    for (int r = 0; r < n_rows; r++) {
        acc[r] = 0;
    }
    for (int i = 0; i < n; i++) {
        for (int e = begin[active[i]]; e < begin[active[i] + 1]; e++) {
            acc[eh_column(rows + (wide ? 2 * e : e), wide)] += w[e];
        }
    }
}

/* round(((beta u) >> 7) + drive, 8) less the threshold where u is above it: a potential before saturation */
static inline int32_t eh_leak(int32_t beta, int32_t u, int32_t drive, int32_t threshold)
{
    return eh_round32(eh_asr32(beta * u, 7) + drive, 8) - (u > threshold ? threshold : 0);
}

/* round(((alpha current) >> 7) + drive, 8): a synaptic current before saturation */
static inline int32_t eh_filter(int32_t alpha, int32_t current, int32_t drive)
{
    return eh_round32(eh_asr32(alpha * current, 7) + drive, 8);
}

#endif
