/* Runs windows through a model's core: input.bin to output.bin, in the format of edgehar/export/c/harness.py. */
#include <stdio.h>
#include <string.h>

#include "eh_model.h"
#include "eh_trace.h"

static EhState state;
static EhScratch scratch;
static FILE *in, *out;
static int failed;

static uint32_t get_u32(void)
{
    uint32_t v = 0;
    failed |= fread(&v, sizeof v, 1, in) != 1;
    return v;
}

static void put(const void *p, size_t bytes)
{
    failed |= bytes != 0 && fwrite(p, 1, bytes, out) != bytes;
}

static void put_u32(uint32_t v)
{
    put(&v, sizeof v);
}

/* tag, kind ('i' or 'f'), name, number of values; the values follow */
static void begin_record(char tag, char kind, const char *name, uint32_t n)
{
    const size_t length = strlen(name);
    put(&tag, 1);
    put(&kind, 1);
    put_u32((uint32_t)length);
    put(name, length);
    put_u32(n);
}

#ifdef EH_TRACE
static int32_t value_at(char kind, const void *values, int i)
{
    return kind == 'b' ? ((const int8_t *)values)[i] : kind == 'h' ? ((const int16_t *)values)[i] : ((const int32_t *)values)[i];
}

static void put_tensor(const char *name, char kind, const void *values, int n, int size)
{
    begin_record('T', kind == 'f' ? 'f' : 'i', name, (uint32_t)size);
    if (kind == 'f') {
        put(values, (size_t)size * sizeof(float));
        return;
    }
    for (int i = 0, fired = 0; i < size; i++) {
        int32_t v;
        if (kind == 'e') {
            v = fired < n && ((const uint16_t *)values)[fired] == i;
            fired += v;
        } else {
            v = value_at(kind, values, i);
        }
        put(&v, sizeof v);
    }
}

static uint32_t fnv1a(const void *values, size_t bytes)
{
    const uint8_t *p = values;
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ p[i]) * 16777619u;
    }
    return hash;
}

static void put_constants(void)
{
    for (int i = 0; i < eh_constants_n; i++) {
        begin_record('C', 'i', eh_constants[i].name, 2);
        put_u32((uint32_t)eh_constants[i].bytes);
        put_u32(fnv1a(eh_constants[i].values, eh_constants[i].bytes));
    }
}
#endif

static void run_window(void)
{
    const EhLogit *logits;
    eh_core_start(&state);
    for (int t = 0; t < EH_WINDOW; t++) {
        float x[EH_INPUTS];
        failed |= fread(x, sizeof x, 1, in) != 1;
        eh_core_input(&scratch, x);
        eh_core_step(&state, &scratch);
    }
    logits = eh_core_head(&state, &scratch);
    begin_record('L', EH_INTEGER ? 'i' : 'f', "", EH_LOGITS);
    put(logits, EH_LOGITS * sizeof *logits);
}

int main(void)
{
    char magic[4] = {0};
    uint32_t windows, traced;
    in = fopen("input.bin", "rb");
    out = fopen("output.bin", "wb");
    if (in == NULL || out == NULL || fread(magic, sizeof magic, 1, in) != 1 || memcmp(magic, "EHW1", 4) != 0) {
        return 2;
    }
    windows = get_u32();
    if (get_u32() != EH_WINDOW || get_u32() != EH_INPUTS) {
        return 3;
    }
    traced = get_u32();
    put("EHV1", 4);
#ifdef EH_TRACE
    put_constants();
#endif
    for (uint32_t i = 0; i < windows && !failed; i++) {
#ifdef EH_TRACE
        eh_trace = i < traced ? put_tensor : NULL;
#else
        (void)traced;
#endif
        run_window();
    }
    failed |= fclose(out) != 0;
    return failed ? 4 : 0;
}
