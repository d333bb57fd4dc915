/* To be preloaded: a pseudo-terminal has no modem lines, and with this it has. Whoever changes them is written down on
 * the descriptor MODEM_LINES_FD: nanoseconds of the monotonic clock, RTS, DTR, a line each time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

static int lines;

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    struct timespec now;
    va_start(arguments, request);
    int *const argument = va_arg(arguments, int *);
    va_end(arguments);
    switch (request) {
    case TIOCMGET:
        *argument = lines;
        return 0;
    case TIOCMSET:
        lines = *argument;
        break;
    case TIOCMBIS:
        lines |= *argument;
        break;
    case TIOCMBIC:
        lines &= ~*argument;
        break;
    default: {
        int (*const next)(int, unsigned long, void *) = (int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl");
        return next(fd, request, argument);
    }
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)dprintf(atoi(getenv("MODEM_LINES_FD")), "%lld %d %d\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec,
                  (lines & TIOCM_RTS) != 0, (lines & TIOCM_DTR) != 0);
    return 0;
}
