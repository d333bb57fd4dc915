/* Windows of one stream in progress: staggered lanes, or the columns that all windows share.
 *
 * Window j begins with sample j EH_HOP, in lane j mod EH_LANES; lanes are enough for its last window to have ended.
 */
#ifndef EH_WINDOWS_H
#define EH_WINDOWS_H

#ifndef EH_MODEL_H
#error "include eh_model.h"
#endif

#include <string.h>

/* A stream begins. */
static inline void eh_windows_start(EhWindows *w)
{
    memset(w, 0, sizeof *w);
    for (int i = 0; i < EH_LANES; i++) {
        eh_core_start(&w->lanes[i]);
    }
    w->until = EH_COLUMNS ? EH_WINDOW : 0u;
}

/* The next sample, x [EH_INPUTS] behind the preprocessing. The window that ended with it, or NULL. */
static inline const EhState *eh_windows_step(EhWindows *w, const float *x)
{
    const EhState *ended = NULL;
    eh_core_input(&w->scratch, x);
#if EH_COLUMNS
    eh_core_step(&w->lanes[0], &w->scratch);
    if (--w->until == 0u) {
        w->until = EH_HOP;
        ended = &w->lanes[0];
    }
#else
    if (w->until == 0u) {
        eh_core_start(&w->lanes[w->next_lane]);
        w->left[w->next_lane] = EH_WINDOW;
        w->next_lane = (w->next_lane + 1u) % EH_LANES;
        w->until = EH_HOP;
    }
    w->until--;
    /* From the newest to the oldest, which alone may end: the head may read what its step left in the scratch. */
    for (uint32_t k = 0, i = w->next_lane; k < EH_LANES; k++) {
        i = (i == 0u ? (uint32_t)EH_LANES : i) - 1u;
        if (w->left[i] != 0u) {
            eh_core_step(&w->lanes[i], &w->scratch);
            if (--w->left[i] == 0u) {
                ended = &w->lanes[i];
            }
        }
    }
#endif
    return ended;
}

#endif
