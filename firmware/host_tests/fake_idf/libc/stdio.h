/* For the type check, where no C library for the target is at hand. */
#ifndef FAKE_STDIO_H
#define FAKE_STDIO_H

#include <stdarg.h>
#include <stddef.h>

int snprintf(char *to, size_t room, const char *format, ...);
int vsnprintf(char *to, size_t room, const char *format, va_list arguments);

#endif
