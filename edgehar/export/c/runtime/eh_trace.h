/* Compiled with EH_TRACE, a model reports every named tensor, and lists its constants; otherwise nothing is left of it.
 *
 * kind: b int8, h int16, i int32, f float: `values` holds n = size of them; e: `values` holds the n indices (uint16) of
 * a vector of `size` that are 1.
 */
#ifndef EH_TRACE_H
#define EH_TRACE_H

#ifdef EH_TRACE
#include <stddef.h>
#include <stdint.h>

typedef void (*EhTrace)(const char *name, char kind, const void *values, int n, int size);

typedef struct {
    const char *name;
    const void *values;
    size_t bytes;
} EhConstant;

extern EhTrace eh_trace; /* called where it is not NULL */
extern const EhConstant eh_constants[];
extern const int eh_constants_n;

#define EH_TRACE_TENSOR(name, kind, values, n, size)                 \
    do {                                                             \
        if (eh_trace != NULL) {                                      \
            eh_trace((name), (kind), (values), (int)(n), (int)(size)); \
        }                                                            \
    } while (0)
#else
#define EH_TRACE_TENSOR(name, kind, values, n, size) ((void)0)
#endif

#endif
