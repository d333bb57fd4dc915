/* Filters the int16 values of input.bin into the int32 values of output.bin. */
#include <stdio.h>

#include "eh_stack.h"
#include "filter.h"

static __attribute__((noinline)) int32_t takes_stack(int32_t x)
{
    volatile uint8_t room[3000];
    for (int i = 0; i < 3000; i++) {
        room[i] = (uint8_t)x;
    }
    return room[2999];
}

int main(void)
{
    int16_t sample;
    FILE *in = fopen("input.bin", "rb"), *out = fopen("output.bin", "wb");
    if (in == NULL || out == NULL) {
        return 3;
    }
    while (fread(&sample, sizeof sample, 1, in) == 1) {
        int32_t sum = filter_push(sample);
        fwrite(&sum, sizeof sum, 1, out);
        hundred_nops();
    }
    fclose(in);
    if (fclose(out) != 0) {
        return 4;
    }
    eh_stack_paint();
    takes_stack(7);
    printf("stack %lu\n", (unsigned long)eh_stack_used());
    return 0;
}
