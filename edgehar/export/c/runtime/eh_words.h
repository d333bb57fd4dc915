/* Four int8 weights in a word, stored in the order w0 w2 w1 w3, so that two instructions widen them to the pairs
 * (w0, w1) and (w2, w3) that a dual 16-bit multiply takes. The scalar twin gives the same bits.
 *
 * Define EH_SCALAR to build the scalar twin where the instructions exist.
 */
#ifndef EH_WORDS_H
#define EH_WORDS_H

#include <stdint.h>
#include <string.h>

#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__) && !defined(__ARM_BIG_ENDIAN) && !defined(EH_SCALAR)
#define EH_DSP 1
#else
#define EH_DSP 0
#endif

#if defined(__GNUC__)
#define EH_ALIGNED __attribute__((aligned(4)))
#define EH_AT_WORD(p) __builtin_assume_aligned((p), 4)
#else
#define EH_ALIGNED
#define EH_AT_WORD(p) (p)
#endif

#if EH_DSP
static inline uint32_t eh_word(const void *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* The same at an address that is a multiple of 4. */
static inline uint32_t eh_aligned_word(const void *p)
{
    uint32_t word;
    memcpy(&word, EH_AT_WORD(p), sizeof word);
    return word;
}

/* Bytes 0 and 2, sign-extended to the halves of a word; `_odd`: bytes 1 and 3. */
static inline uint32_t eh_even(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
}

static inline uint32_t eh_odd(uint32_t word)
{
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

/* Both halves of `sum` plus bytes 0 and 2 (`_odd`: 1 and 3) of `word`; halves do not carry into each other. */
static inline uint32_t eh_add_even(uint32_t sum, uint32_t word)
{
    uint32_t total;
    __asm__("sxtab16 %0, %1, %2" : "=r"(total) : "r"(sum), "r"(word));
    return total;
}

static inline uint32_t eh_add_odd(uint32_t sum, uint32_t word)
{
    uint32_t total;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(total) : "r"(sum), "r"(word));
    return total;
}

/* acc + low a low b + high a high b. */
static inline int32_t eh_mac2(uint32_t a, uint32_t b, int32_t acc)
{
    int32_t sum;
    __asm__("smlad %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(acc));
    return sum;
}

/* acc + low (or high) a low b. */
static inline int32_t eh_mac_low(uint32_t a, int32_t b, int32_t acc)
{
    int32_t sum;
    __asm__("smlabb %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(acc));
    return sum;
}

static inline int32_t eh_mac_high(uint32_t a, int32_t b, int32_t acc)
{
    int32_t sum;
    __asm__("smlatb %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(acc));
    return sum;
}
#endif

/* acc[k] += w_k x for four rows k, whose weights are the word at w. */
static inline void eh_column4(const int8_t *w, int16_t x, int32_t acc[4])
{
#if EH_DSP
    const uint32_t word = eh_aligned_word(w);
    const uint32_t even = eh_even(word), odd = eh_odd(word); /* rows 0 and 1; 2 and 3 */
    acc[0] = eh_mac_low(even, x, acc[0]);
    acc[1] = eh_mac_high(even, x, acc[1]);
    acc[2] = eh_mac_low(odd, x, acc[2]);
    acc[3] = eh_mac_high(odd, x, acc[3]);
#else
    acc[0] += w[0] * x;
    acc[1] += w[2] * x;
    acc[2] += w[1] * x;
    acc[3] += w[3] * x;
#endif
}

#endif
