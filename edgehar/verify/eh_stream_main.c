/* Streams the samples of input.bin through a model's public interface; the format is that of edgehar/verify/c.py.
 *
 * input    u32 n, float32 sample[n][EH_CHANNELS]
 * output   for every window that ended: float32 scores[EH_LOGITS]
 * prints   ram_bytes sizeof(EhModel), and stack_bytes, measured on one window and a hop beforehand
 */
#include <stdio.h>

#include "eh_model.h"
#include "eh_stack.h"

static EhModel model;
static float sample[EH_CHANNELS];

/* Everything that may happen in use, on a sample that is there already. */
static __attribute__((noinline)) void run_once_through(void)
{
    EhDecision decision;
    float scores[EH_LOGITS];
    eh_init(&model);
    for (int i = 0; i < EH_WINDOW + EH_DELAY + EH_HOP; i++) {
        if (eh_push_sample(&model, sample) == EH_READY) {
            eh_scores(&model, scores);
            eh_decide(&model, &decision);
        }
    }
}

int main(void)
{
    uint32_t n = 0;
    FILE *in = fopen("input.bin", "rb"), *out = fopen("output.bin", "wb");
    if (in == NULL || out == NULL || fread(&n, sizeof n, 1, in) != 1) {
        return 2;
    }
    eh_stack_paint();
    run_once_through();
    printf("ram_bytes %lu\nstack_bytes %lu\n", (unsigned long)sizeof model, (unsigned long)eh_stack_used());
    eh_init(&model);
    for (uint32_t i = 0; i < n; i++) {
        if (fread(sample, sizeof sample, 1, in) != 1) {
            return 3;
        }
        if (eh_push_sample(&model, sample) == EH_READY) {
            EhDecision decision;
            float scores[EH_LOGITS];
            eh_scores(&model, scores);
            eh_decide(&model, &decision);
            if (fwrite(scores, sizeof scores, 1, out) != 1) {
                return 4;
            }
        }
    }
    return fclose(out) == 0 ? 0 : 4;
}
