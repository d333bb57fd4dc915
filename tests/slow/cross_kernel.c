/* Runs one kernel of the package, cross-compiled, on the calls of a file, and writes what it left after each.
 *
 * In, 64-bit words: words w, regions m, arrays a, calls c, then the places of the rows of x and of the first sample's
 * number; w words; of each region its bytes and its content; of each array the place of its address, its region, its
 * offset and its bytes; of each call both numbers and x in full. The first array is x, the last two are the ends and
 * the logits, which are written after each call.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64, MOST_ARRAYS = 64, MOST_WORDS = 1024 };

int32_t eh_entry(int64_t *block);

static int64_t number(FILE *file)
{
    int64_t value = 0;
    if (fread(&value, sizeof value, 1, file) != 1) {
        fprintf(stderr, "the file ends too early\n");
        exit(2);
    }
    return value;
}

static void take(FILE *file, void *to, int64_t bytes)
{
    if (fread(to, 1, (size_t)bytes, file) != (size_t)bytes) {
        fprintf(stderr, "the file ends too early\n");
        exit(2);
    }
}

int main(int count, char **names)
{
    static int64_t words[MOST_WORDS], bytes[MOST_ARRAYS];
    char *regions[MOST_ARRAYS], *arrays[MOST_ARRAYS];
    if (count != 3) {
        return 2;
    }
    FILE *in = fopen(names[1], "rb"), *out = fopen(names[2], "wb");
    if (in == NULL || out == NULL) {
        return 2;
    }
    const int64_t word_count = number(in), region_count = number(in), array_count = number(in), calls = number(in);
    const int64_t rows = number(in), first = number(in);
    if (word_count > MOST_WORDS || region_count > MOST_ARRAYS || array_count > MOST_ARRAYS) {
        return 2;
    }
    take(in, words, word_count * (int64_t)sizeof *words);
    for (int64_t i = 0; i < region_count; i++) {
        const int64_t size = number(in);
        const size_t room = ((size_t)size + CACHE_LINE) / CACHE_LINE * CACHE_LINE;
        regions[i] = aligned_alloc(CACHE_LINE, room);
        if (regions[i] == NULL) {
            return 2;
        }
        memset(regions[i], 0, room);
        take(in, regions[i], size);
    }
    for (int64_t i = 0; i < array_count; i++) {
        const int64_t place = number(in), region = number(in), offset = number(in);
        bytes[i] = number(in);
        arrays[i] = regions[region] + offset;
        words[place] = (int64_t)(intptr_t)arrays[i];
    }
    for (int64_t i = 0; i < calls; i++) {
        words[rows] = number(in);
        words[first] = number(in);
        take(in, arrays[0], bytes[0]);
        if (eh_entry(words) != 0) {
            fprintf(stderr, "the kernel failed in call %ld\n", (long)i);
            return 1;
        }
        for (int64_t k = array_count - 2; k < array_count; k++) {
            if (fwrite(arrays[k], 1, (size_t)bytes[k], out) != (size_t)bytes[k]) {
                return 2;
            }
        }
    }
    return fclose(out) == 0 && fclose(in) == 0 ? 0 : 2;
}
