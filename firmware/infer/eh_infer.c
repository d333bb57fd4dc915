#include "eh_infer.h"

#include <math.h>

#include "eh_csi_input.h"

#if EH_INPUT_FORMAT != 1
#error "eh_csi_input.h is of another version of edgehar: export the model again"
#endif
#if EH_LOGITS > 250
#error "a decision with so many logits does not fit the board's queue of notes"
#endif

#define TICK_NS 1000 /* device clocks count microseconds */

static const uint16_t pairs[EH_CHANNELS] = EH_INPUT_PAIRS;

static float value_at(const uint8_t *values, size_t index)
{
#if EH_INPUT_WIDE
    return (float)(int16_t)eh_get_u16(values + 2 * index);
#else
    return (float)(int8_t)values[index];
#endif
}

/* Amplitudes of the model's subcarriers, as edgehar/dsp/csi.py computes them; 0 for a frame without any signal. */
static int amplitudes(const uint8_t *values, float *sample)
{
    double total = 0.0;
    for (int c = 0; c < EH_CHANNELS; c++) {
        const float im = value_at(values, 2u * pairs[c]), re = value_at(values, 2u * pairs[c] + 1u);
        sample[c] = sqrtf(re * re + im * im); /* the sum is a whole number below 2^24: exact */
        total += (double)sample[c];
    }
#if EH_INPUT_FRAME_MEAN
    const double mean = total / EH_CHANNELS;
    for (int c = 0; c < EH_CHANNELS && mean > 0.0; c++) {
        sample[c] = (float)((double)sample[c] / mean);
    }
    return mean > 0.0;
#else
    return total >= 0.0;
#endif
}

static int64_t grid_ns(const EhInfer *infer, int64_t k)
{
    const int64_t rest = (k * EH_INPUT_REST + EH_INPUT_NUMERATOR / 2) / EH_INPUT_NUMERATOR;
    return infer->anchor_ns + k * EH_INPUT_WHOLE_NS + rest;
}

static void send_decision(const EhInfer *infer, EhBoard *board, const EhWireCsi *frame)
{
    EhDecision decided = {.label = -1, .p = 0.0f, .coverage = 0.0f, .certainty = EH_NO_DATA};
    EhWireDecision decision = {.rx_seq = frame->rx_seq, .t_us = frame->t_us, .model = EH_INPUT_MODEL};
    float logits[EH_LOGITS];
    eh_decide(&infer->model, &decided);
    eh_scores(&infer->model, logits);
    decision.label = decided.label < 0 ? 255u : (uint8_t)decided.label;
    decision.certainty = (uint8_t)decided.certainty;
    eh_board_decision(board, &decision, logits, EH_LOGITS);
}

/* The grid points that this sample makes ready: interpolated as edgehar/dsp/resample.py does; those that stand for lost
 * frames count as missing.
 */
static int resample(EhInfer *infer, EhBoard *board, const EhWireCsi *frame, const float *sample)
{
    const int64_t now_ns = infer->now_ns, first = infer->next;
    const int64_t lost = (now_ns - infer->last_ns + EH_INPUT_PERIOD_NS / 2) / EH_INPUT_PERIOD_NS - 1;
    int decisions = 0;
    for (; grid_ns(infer, infer->next) <= now_ns + TICK_NS; infer->next++) {
        const int64_t point_ns = grid_ns(infer, infer->next);
        float made[EH_CHANNELS];
        for (int c = 0; c < EH_CHANNELS; c++) {
            if (infer->next - first < lost) {
                made[c] = NAN;
            } else if (point_ns >= now_ns - TICK_NS) {
                made[c] = sample[c];
            } else {
                const double weight = (double)(point_ns - infer->last_ns) / (double)(now_ns - infer->last_ns);
                const double a = (double)infer->last[c];
                made[c] = (float)(a + ((double)sample[c] - a) * weight);
            }
        }
        if (eh_push_sample(&infer->model, made) == EH_READY) {
            send_decision(infer, board, frame);
            decisions++;
        }
    }
    return decisions;
}

void eh_infer_init(EhInfer *infer)
{
    eh_init(&infer->model);
    infer->now_ns = 0;
    infer->open = 0;
    infer->timed = 0;
}

int eh_infer_csi(EhInfer *infer, EhBoard *board, const EhWireCsi *frame, const uint8_t *values, size_t n_bytes)
{
    float sample[EH_CHANNELS];
    if (infer->timed) {
        infer->now_ns += (int64_t)(int32_t)(frame->t_us - infer->last_us) * 1000; /* past the counter's end, too */
    }
    infer->last_us = frame->t_us;
    infer->timed = 1;
    if (frame->layout != EH_INPUT_LAYOUT || n_bytes == 0 || !amplitudes(values, sample)) {
        return 0;
    }
    const int64_t on_ns = infer->now_ns - infer->last_ns;
    if (infer->open && on_ns <= 0 && on_ns >= -EH_INPUT_MAX_GAP_NS) {
        return 0; /* overtaken by a later one */
    }
    if (!infer->open || on_ns > EH_INPUT_MAX_GAP_NS || on_ns < 0) { /* backwards: half of the counter's range passed */
        if (infer->open) {
            eh_init(&infer->model);
        }
        infer->open = 1;
        infer->anchor_ns = infer->now_ns;
        infer->last_ns = infer->now_ns - 1;
        infer->next = 0;
    }
    const int decisions = resample(infer, board, frame, sample);
    infer->last_ns = infer->now_ns;
    for (int c = 0; c < EH_CHANNELS; c++) {
        infer->last[c] = sample[c];
    }
    return decisions;
}
