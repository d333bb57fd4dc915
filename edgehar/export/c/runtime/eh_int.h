/* Integer arithmetic that is the same on every CPU: arithmetic shifts, rounding, saturation. */
#ifndef EH_INT_H
#define EH_INT_H

#include <stdint.h>

#include "eh_words.h"

/* C leaves the right shift of a negative number to the compiler; this file does not compile where it is another one. */
typedef char eh_check_arithmetic_shift[((-5) >> 1 == -3 && (INT64_C(-5) >> 1) == -3) ? 1 : -1];

static inline int32_t eh_asr32(int32_t v, int n)
{
    return v >> n;
}

static inline int64_t eh_asr64(int64_t v, int n)
{
    return v >> n;
}

/* (v + 2^(shift - 1)) >> shift; v itself for shift 0. */
static inline int32_t eh_round32(int32_t v, int shift)
{
    return shift == 0 ? v : eh_asr32(v + (int32_t)(UINT32_C(1) << (shift - 1)), shift);
}

static inline int64_t eh_round64(int64_t v, int shift)
{
    return shift == 0 ? v : eh_asr64(v + (int64_t)(UINT64_C(1) << (shift - 1)), shift);
}

static inline int32_t eh_clamp(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* Clamps to a range within int32. */
static inline int32_t eh_clamp64(int64_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : (int32_t)v;
}

#if EH_DSP
#define EH_DEFINE_SATURATE(name, instruction, bits, low, high)           \
    static inline int32_t name(int32_t v)                                \
    {                                                                    \
        int32_t y;                                                       \
        __asm__(instruction " %0, #" #bits ", %1" : "=r"(y) : "r"(v)); \
        return y;                                                        \
    }
#else
#define EH_DEFINE_SATURATE(name, instruction, bits, low, high) \
    static inline int32_t name(int32_t v)                      \
    {                                                          \
        return eh_clamp(v, low, high);                         \
    }
#endif
EH_DEFINE_SATURATE(eh_signed8, "ssat", 8, INT8_MIN, INT8_MAX)
EH_DEFINE_SATURATE(eh_signed16, "ssat", 16, INT16_MIN, INT16_MAX)
EH_DEFINE_SATURATE(eh_unsigned14, "usat", 14, 0, 16383)
EH_DEFINE_SATURATE(eh_unsigned15, "usat", 15, 0, 32767)

static inline int8_t eh_sat8(int32_t v)
{
    return (int8_t)eh_signed8(v);
}

static inline int16_t eh_sat16(int32_t v)
{
    return (int16_t)eh_signed16(v);
}

static inline int32_t eh_abs(int32_t v)
{
    return v < 0 ? -v : v;
}

#endif
