/* For the type check, where no C library for the target is at hand. */
#ifndef FAKE_STDLIB_H
#define FAKE_STDLIB_H

void abort(void) __attribute__((noreturn));

#endif
