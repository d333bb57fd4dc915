/* The Legendre memory's recurrence for spikes, before it is scaled:
 *
 *   acc[i d + j] = sum_k a[j, k] x[i d + k] + b[j] u[i]      for `memory` rows of order d
 */
#ifndef EH_LEGENDRE_H
#define EH_LEGENDRE_H

#include <stdint.h>

static inline void eh_legendre(const int16_t *a, const int16_t *b, const int16_t *x, const int16_t *u, int32_t *acc,
                               int memory, int d)
{
    for (int i = 0; i < memory; i++, x += d) {
        for (int j = 0; j < d; j++) {
            int32_t sum = b[j] * u[i];
            for (int k = 0; k < d; k++) {
                sum += a[j * d + k] * x[k];
            }
            *acc++ = sum;
        }
    }
}

/* The same for events; `a` is stored column by column. */
static inline void eh_legendre_events(const int16_t *a, const int16_t *b, const uint16_t *x, int n_x, const uint16_t *u,
                                      int n_u, int32_t *acc, int memory, int d)
{
    for (int n = 0; n < memory * d; n++) {
        acc[n] = 0;
    }
    for (int e = 0; e < n_x; e++) {
        const int16_t *column = a + x[e] % d * d;
        int32_t *row = acc + x[e] / d * d;
        for (int j = 0; j < d; j++) {
            row[j] += column[j];
        }
    }
    for (int e = 0; e < n_u; e++) {
        int32_t *row = acc + u[e] * d;
        for (int j = 0; j < d; j++) {
            row[j] += b[j];
        }
    }
}

#endif
