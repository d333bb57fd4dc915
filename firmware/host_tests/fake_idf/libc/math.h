/* For the type check, where no C library for the target is at hand. */
#ifndef FAKE_MATH_H
#define FAKE_MATH_H

#define NAN __builtin_nanf("")

float sqrtf(float v);

#endif
