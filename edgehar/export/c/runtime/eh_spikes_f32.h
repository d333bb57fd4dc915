/* Float twins of the products with events in `eh_spikes.h` and `eh_legendre.h`. */
#ifndef EH_SPIKES_F32_H
#define EH_SPIKES_F32_H

#include "eh_ieee.h"
#include "eh_sparse.h"

/* acc[r] = sum over the active inputs c of w[r, c]; `w` holds a column of `rows` weights for each input. */
static inline void eh_events_f32(const float *w, const uint16_t *active, int n, float *acc, int rows)
{
    for (int r = 0; r < rows; r++) {
        acc[r] = 0.0f;
    }
    for (int i = 0; i < n; i++) {
        const float *column = w + active[i] * rows;
        for (int r = 0; r < rows; r++) {
            acc[r] += column[r];
        }
    }
}

static inline void eh_event_entries_f32(const float *w, const uint8_t *rows, const uint16_t *begin, int wide,
                                        const uint16_t *active, int n, float *acc, int n_rows)
{
    for (int r = 0; r < n_rows; r++) {
        acc[r] = 0.0f;
    }
    for (int i = 0; i < n; i++) {
        for (int e = begin[active[i]]; e < begin[active[i] + 1]; e++) {
            acc[eh_column(rows + (wide ? 2 * e : e), wide)] += w[e];
        }
    }
}

static inline void eh_legendre_f32(const float *a, const float *b, const float *x, const float *u, float *out, int memory,
                                   int d)
{
    for (int i = 0; i < memory; i++, x += d) {
        for (int j = 0; j < d; j++) {
            float sum = 0.0f;
            for (int k = 0; k < d; k++) {
                sum += a[j * d + k] * x[k];
            }
            *out++ = sum + b[j] * u[i];
        }
    }
}

static inline void eh_legendre_events_f32(const float *a, const float *b, const uint16_t *x, int n_x, const uint16_t *u,
                                          int n_u, float *out, int memory, int d)
{
    for (int n = 0; n < memory * d; n++) {
        out[n] = 0.0f;
    }
    for (int e = 0; e < n_x; e++) {
        const float *column = a + x[e] % d * d;
        float *row = out + x[e] / d * d;
        for (int j = 0; j < d; j++) {
            row[j] += column[j];
        }
    }
    for (int e = 0; e < n_u; e++) {
        float *row = out + u[e] * d;
        for (int j = 0; j < d; j++) {
            row[j] += b[j];
        }
    }
}

#endif
