/* Floating point that gives the same bits on every CPU: IEEE 754 single precision, one rounding per operation.
 * Compile with -ffp-contract=off, so that products and sums are not fused where the CPU could.
 */
#ifndef EH_IEEE_H
#define EH_IEEE_H

#include <float.h>

#if defined(__FAST_MATH__)
#error "fast-math changes results: compile without -ffast-math and -Ofast"
#endif
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "intermediate results are wider than float here: compile with -msse2 -mfpmath=sse"
#endif

#endif
