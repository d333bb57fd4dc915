/* The same for every model: missing samples, windows in staggered lanes, softmax, smoothing, abstaining. */
#include "eh_model.h"

#include <string.h>

#include "eh_math.h"
#include "eh_windows.h"

#define EH_RING ((uint32_t)(EH_WINDOW + EH_DELAY))

void eh_init(EhModel *model)
{
    memset(model, 0, sizeof *model);
    eh_filters_start(&model->filters);
    eh_windows_start(&model->windows);
}

/* Whether the sample `ago` samples before the newest was real. */
static uint32_t was_real(const EhModel *model, uint32_t ago)
{
    const uint32_t at = (model->ring_next + EH_RING - 1u - ago) % EH_RING;
    return (uint32_t)model->real[at / 8u] >> at % 8u & 1u;
}

/* Keeps `n_real` up to date: the samples of the window whose last one is EH_DELAY before the newest. */
static void count_real(EhModel *model, uint32_t real)
{
    const uint32_t at = model->ring_next;
    const uint32_t bit = 1u << at % 8u;
    model->n_real -= was_real(model, EH_RING - 1u); /* about to be overwritten; it has just left the window */
    model->real[at / 8u] = (uint8_t)((model->real[at / 8u] & ~bit) | (real ? bit : 0u));
    model->ring_next = (at + 1u) % EH_RING;
    model->n_real += was_real(model, EH_DELAY);
}

static int are_finite(const float *values, int n)
{
    for (int i = 0; i < n; i++) {
        if (!(values[i] - values[i] == 0.0f)) {
            return 0;
        }
    }
    return 1;
}

/* Logits p become probabilities. */
static void softmax(float *p)
{
    float largest = p[0], sum = 0.0f;
    for (int i = 1; i < EH_CLASSES; i++) {
        largest = p[i] > largest ? p[i] : largest;
    }
    for (int i = 0; i < EH_CLASSES; i++) {
        p[i] = eh_exp((p[i] - largest) / EH_TEMPERATURE);
        sum += p[i];
    }
    for (int i = 0; i < EH_CLASSES; i++) {
        p[i] /= sum;
    }
}

/* A window has ended; if it can be judged, its probabilities join the recent ones. */
static EhStatus finish(EhModel *model, const EhState *state)
{
    float *p = model->recent[model->recent_next];
    memcpy(model->logits, eh_core_head(state, &model->windows.scratch), sizeof model->logits);
    model->any_window = 1u;
    model->judged_real = (int32_t)model->n_real;
    model->judged = 0u;
    if (model->judged_real < EH_MIN_REAL) {
        return EH_READY;
    }
    for (int i = 0; i < EH_CLASSES; i++) {
        p[i] = (float)model->logits[i] * EH_LOGIT_SCALE;
    }
    if (are_finite(p, EH_CLASSES)) {
        softmax(p);
        model->judged = 1u;
        model->recent_next = (model->recent_next + 1u) % EH_SMOOTH;
        if (model->n_recent < EH_SMOOTH) {
            model->n_recent++;
        }
    }
    return EH_READY;
}

EhStatus eh_push_sample(EhModel *model, const float *sample)
{
    float x[EH_INPUTS];
    const EhState *ended;
    if (model == NULL || sample == NULL) {
        return EH_ERROR;
    }
    const int real = are_finite(sample, EH_CHANNELS);
    if (real) {
        memcpy(model->last, sample, sizeof model->last);
    }
    count_real(model, real ? 1u : 0u);
    if (!eh_filters_push(&model->filters, model->last, x)) {
        return EH_OK;
    }
    ended = eh_windows_step(&model->windows, x);
    return ended == NULL ? EH_OK : finish(model, ended);
}

EhStatus eh_scores(const EhModel *model, float *logits)
{
    if (model == NULL || logits == NULL || model->any_window == 0u) {
        return EH_ERROR;
    }
    for (int i = 0; i < EH_LOGITS; i++) {
        logits[i] = (float)model->logits[i] * EH_LOGIT_SCALE;
    }
    return EH_OK;
}

EhStatus eh_decide(const EhModel *model, EhDecision *decision)
{
    if (model == NULL || decision == NULL) {
        return EH_ERROR;
    }
    decision->label = -1;
    decision->p = 0.0f;
    decision->coverage = (float)model->judged_real / (float)EH_WINDOW;
    decision->certainty = EH_NO_DATA;
    if (model->judged == 0u) {
        return EH_OK;
    }
    for (int i = 0; i < EH_CLASSES; i++) {
        float sum = 0.0f;
        for (uint32_t k = 0; k < model->n_recent; k++) {
            sum += model->recent[k][i];
        }
        if (decision->label < 0 || sum > decision->p) {
            decision->label = i;
            decision->p = sum;
        }
    }
    decision->p /= (float)model->n_recent;
    decision->certainty = decision->p < EH_ABSTAIN_BELOW ? EH_UNSURE : EH_SURE;
    return EH_OK;
}
