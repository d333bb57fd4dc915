/* Columns of time between convolutions: every layer keeps its newest input columns in a ring. */
#ifndef EH_COLUMNS_H
#define EH_COLUMNS_H

#include <stdint.h>

/* Where `ago` columns before the newest lies; `next` is the slot that the next column will take. */
static inline int eh_slot(int next, int ago, int kept)
{
    const int slot = next - 1 - ago;
    return slot < 0 ? slot + kept : slot;
}

/* True when a layer's next output column is due: after the first `kernel` columns, then every `stride`. */
static inline int eh_due(uint16_t *wait, uint16_t stride)
{
    if (--*wait != 0u) {
        return 0;
    }
    *wait = stride;
    return 1;
}

#define EH_DEFINE_GATHER(name, in, out)                                                              \
    /* taps[k, c] = the newest `kernel` columns, oldest first */                                      \
    static inline void name(const in *ring, int next, int kept, int channels, int kernel, out *taps) \
    {                                                                                                 \
        for (int k = kernel; k-- > 0;) {                                                             \
            const in *column = ring + eh_slot(next, k, kept) * channels;                             \
            for (int c = 0; c < channels; c++) {                                                     \
                *taps++ = column[c];                                                                 \
            }                                                                                        \
        }                                                                                            \
    }
EH_DEFINE_GATHER(eh_gather_s8, int8_t, int16_t)
EH_DEFINE_GATHER(eh_gather_s16, int16_t, int16_t)
EH_DEFINE_GATHER(eh_gather_f32, float, float)

#define EH_DEFINE_GROUP(name, type)                                                                       \
    /* part[k, c] = taps[k, first + c]: the channels of one group */                                      \
    static inline void name(const type *taps, int channels, int kernel, int first, int width, type *part) \
    {                                                                                                     \
        for (int k = 0; k < kernel; k++) {                                                                \
            for (int c = 0; c < width; c++) {                                                             \
                *part++ = taps[k * channels + first + c];                                                 \
            }                                                                                             \
        }                                                                                                 \
    }
EH_DEFINE_GROUP(eh_group_s16, int16_t)
EH_DEFINE_GROUP(eh_group_f32, float)

/* acc[c] = sum_k w[k, c] taps[k, c]: every channel has a kernel of its own */
static inline void eh_depthwise(const int8_t *w, const int16_t *taps, int32_t *acc, int channels, int kernel)
{
    for (int c = 0; c < channels; c++) {
        int32_t sum = 0;
        for (int k = 0; k < kernel; k++) {
            sum += w[k * channels + c] * taps[k * channels + c];
        }
        acc[c] = sum;
    }
}

static inline void eh_depthwise_f32(const float *w, const float *taps, float *acc, int channels, int kernel)
{
    for (int c = 0; c < channels; c++) {
        float sum = 0.0f;
        for (int k = 0; k < kernel; k++) {
            sum += w[k * channels + c] * taps[k * channels + c];
        }
        acc[c] = sum;
    }
}

#endif
