/* For the type check, where no C library for the target is at hand. */
#ifndef FAKE_STRING_H
#define FAKE_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *text);

#endif
