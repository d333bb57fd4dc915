/* From a stream of samples to decisions. Include eh_model.h, which knows the model's sizes.
 *
 *   static EhModel model;                        all memory; nothing is allocated
 *   eh_init(&model);
 *   for each sample:                             at the rate that eh_model.h names
 *       if (eh_push_sample(&model, sample) == EH_READY) {
 *           EhDecision decision;
 *           eh_decide(&model, &decision);        decision.label indexes eh_labels (eh_labels.h)
 *       }
 *
 * A sample with a value that is not finite counts as missing: the last real one stands in for it, and a window with
 * too few real ones is EH_NO_DATA.
 */
#ifndef EH_STREAM_H
#define EH_STREAM_H

#ifndef EH_MODEL_H
#error "include eh_model.h"
#endif

typedef enum {
    EH_OK = 0,    /* sample taken */
    EH_READY = 1, /* sample taken, and a window ended with it: see eh_scores and eh_decide */
    EH_ERROR = -1 /* an argument is NULL */
} EhStatus;

typedef enum {
    EH_SURE = 0,
    EH_UNSURE = 1, /* the best label's probability is below the model's threshold */
    EH_NO_DATA = 2 /* too few real samples, values that no sensor gives, or no window has ended yet: label is -1 */
} EhCertainty;

typedef struct {
    int label;
    float p;        /* probability of the label */
    float coverage; /* real samples of the window, 0 .. 1 */
    EhCertainty certainty;
} EhDecision;

/* A stream's windows in progress (eh_windows.h). */
typedef struct {
    EhState lanes[EH_LANES];
    EhScratch scratch;
    uint32_t until;          /* samples before the next window begins (EH_COLUMNS: ends) */
    uint32_t left[EH_LANES]; /* samples that a lane's window still waits for; 0: the lane is free */
    uint32_t next_lane;
} EhWindows;

/* Everything that a stream needs. Its members are no part of the interface. */
typedef struct {
    EhWindows windows;
    EhFilters filters;
    float last[EH_CHANNELS];                     /* newest real sample */
    float recent[EH_SMOOTH][EH_CLASSES];         /* probabilities of the newest windows, in a ring */
    EhLogit logits[EH_LOGITS];                   /* of the newest window */
    uint8_t real[(EH_WINDOW + EH_DELAY + 7) / 8]; /* a ring of bits: which samples were real */
    uint32_t ring_next;
    uint32_t n_real;                 /* among the last EH_WINDOW samples */
    uint32_t recent_next, n_recent;
    int32_t judged_real;             /* real samples of the newest window */
    uint8_t any_window;              /* has ended */
    uint8_t judged;                  /* the newest window has probabilities */
} EhModel;

#ifdef __cplusplus
extern "C" {
#endif

/* A stream begins; also after a gap that is too long to bridge. */
void eh_init(EhModel *model);

/* The next sample [EH_CHANNELS], in the units that eh_model.h names. */
EhStatus eh_push_sample(EhModel *model, const float *sample);

/* Logits [EH_LOGITS] of the newest window, head by head; EH_ERROR before the first. */
EhStatus eh_scores(const EhModel *model, float *logits);

/* The newest window's decision by the first head: softmax, mean over the last EH_SMOOTH windows, threshold. A model of
 * several sensors hears all of them with that head, and a sample without one of them counts as missing. */
EhStatus eh_decide(const EhModel *model, EhDecision *decision);

/* The parts, for those who cut windows themselves: samples behind the preprocessing into one window's state. */
void eh_core_start(EhState *state);
void eh_core_input(EhScratch *scratch, const float *x); /* [EH_INPUTS], quantised if the model is */
void eh_core_step(EhState *state, EhScratch *scratch);
const EhLogit *eh_core_head(const EhState *state, EhScratch *scratch); /* raw logits [EH_LOGITS] of what was stepped */

/* Preprocessing: 1 where x [EH_INPUTS] was made, 0 while it waits for its next sample. */
void eh_filters_start(EhFilters *filters);
int eh_filters_push(EhFilters *filters, const float *sample, float *x);

#ifdef __cplusplus
}
#endif

#endif
