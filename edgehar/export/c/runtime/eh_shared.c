/* The model as a shared library, for programs that load it at run time: preprocessed samples in, logits out.
 *
 *   cc -std=c99 -O3 -ffp-contract=off -fPIC -shared eh_shared.c eh_model.c -o model.so -lm
 *
 * The caller gives each stream eh_shared_bytes() bytes, aligned to 16; streams share nothing, so that each may have a
 * thread of its own. Preprocessing and decisions are the caller's part (eh_stream.c has both). No part of a build for a chip.
 */
#include "eh_model.h"

#include "eh_windows.h"

#if defined(_WIN32)
#define EH_SHARED __declspec(dllexport)
#elif defined(__GNUC__)
#define EH_SHARED __attribute__((visibility("default")))
#else
#define EH_SHARED
#endif

typedef struct {
    EhWindows windows;
    int64_t seen; /* samples since the start */
} EhShared;

/* SHA-256 of what the numbers follow from, in hexadecimal: does this library belong to that bundle? */
EH_SHARED const char *eh_shared_digest(void);
EH_SHARED uint32_t eh_shared_bytes(void);
/* inputs, logits, window, hop */
EH_SHARED void eh_shared_sizes(uint32_t *sizes);
EH_SHARED void eh_shared_start(EhShared *stream);
/* The next n samples x [n, EH_INPUTS]. Returns how many windows ended; `ends` counts the samples up to each of them,
 * `logits` holds EH_LOGITS a window. Both have room for n / EH_HOP + 1 windows. */
EH_SHARED uint32_t eh_shared_push(EhShared *stream, const float *x, uint32_t n, int64_t *ends, float *logits);
/* Logits [EH_LOGITS] of one whole window x [EH_WINDOW, EH_INPUTS]; `stream` is memory to work in, no stream afterwards. */
EH_SHARED void eh_shared_window(EhShared *stream, const float *x, float *logits);

static void write_logits(const EhState *state, EhScratch *scratch, float *logits)
{
    const EhLogit *raw = eh_core_head(state, scratch);
    for (int i = 0; i < EH_LOGITS; i++) {
        logits[i] = (float)raw[i] * EH_LOGIT_SCALE;
    }
}

const char *eh_shared_digest(void)
{
    return EH_DIGEST;
}

uint32_t eh_shared_bytes(void)
{
    return (uint32_t)sizeof(EhShared);
}

void eh_shared_sizes(uint32_t *sizes)
{
    sizes[0] = EH_INPUTS;
    sizes[1] = EH_LOGITS;
    sizes[2] = EH_WINDOW;
    sizes[3] = EH_HOP;
}

void eh_shared_start(EhShared *stream)
{
    eh_windows_start(&stream->windows);
    stream->seen = 0;
}

uint32_t eh_shared_push(EhShared *stream, const float *x, uint32_t n, int64_t *ends, float *logits)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < n; i++) {
        const EhState *ended = eh_windows_step(&stream->windows, x + (size_t)i * EH_INPUTS);
        stream->seen++;
        if (ended != NULL) {
            ends[found] = stream->seen;
            write_logits(ended, &stream->windows.scratch, logits + (size_t)found * EH_LOGITS);
            found++;
        }
    }
    return found;
}

void eh_shared_window(EhShared *stream, const float *x, float *logits)
{
    EhState *state = &stream->windows.lanes[0];
    eh_core_start(state);
    for (int i = 0; i < EH_WINDOW; i++) {
        eh_core_input(&stream->windows.scratch, x + (size_t)i * EH_INPUTS);
        eh_core_step(state, &stream->windows.scratch);
    }
    write_logits(state, &stream->windows.scratch, logits);
}
