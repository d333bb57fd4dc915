#include "eh_stamp.h"

#define LEAST_BASE 256u /* samples from which on their mean distance is better than the data sheet's */
#define BASE 4096u      /* the period is measured over this many to twice as many, to follow the chip's temperature */
#define ASTRAY 4        /* periods off, from which on the line begins anew: a stall nobody told of */

void eh_stamp_begin(EhStamp *stamp, uint32_t period_ns)
{
    stamp->period_ns = period_ns;
    stamp->count = 0;
    stamp->left = 0;
    stamp->begun = 0;
}

static void anchor_here(EhStamp *stamp, size_t i)
{
    stamp->anchor_ns[i] = stamp->newest_ns;
    stamp->anchor[i] = stamp->count;
}

/* The newest sample was taken after now - period, and not after now: move the line there, by less than a period, so
 * that no time goes back.
 */
static void correct(EhStamp *stamp, int64_t now_ns)
{
    const int64_t late = stamp->newest_ns - now_ns, early = now_ns - stamp->period_ns - stamp->newest_ns;
    const int64_t off = late > 0 ? -late : early > 0 ? early : 0, most = stamp->period_ns * 3 / 4;
    if (off > ASTRAY * stamp->period_ns) {
        stamp->newest_ns += off;
        anchor_here(stamp, 0);
        anchor_here(stamp, 1);
        return;
    }
    stamp->newest_ns += off > most ? most : off < -most ? -most : off;
}

static void measure_period(EhStamp *stamp)
{
    const uint64_t base = stamp->count - stamp->anchor[0];
    if (base >= LEAST_BASE) {
        stamp->period_ns = (stamp->newest_ns - stamp->anchor_ns[0]) / (int64_t)base;
    }
    if (stamp->count - stamp->anchor[1] >= BASE) {
        stamp->anchor_ns[0] = stamp->anchor_ns[1];
        stamp->anchor[0] = stamp->anchor[1];
        anchor_here(stamp, 1);
    }
}

/* Samples taken since the look before. After an overrun they are more than what is there: as many as the chip says that
 * it threw away or, where it does not, as time had room for.
 */
static int64_t taken(const EhStamp *stamp, int64_t now_ns, const EhImuBatch *batch)
{
    const int64_t fresh = (int64_t)(batch->n + batch->left + batch->lost) - (int64_t)stamp->left;
    const int64_t fits = (now_ns - stamp->newest_ns) / stamp->period_ns;
    return batch->overran && batch->lost == 0 && fits > fresh ? fits : fresh;
}

EhStamped eh_stamp_batch(EhStamp *stamp, uint64_t now_us, const EhImuBatch *batch)
{
    const int64_t now_ns = (int64_t)now_us * 1000;
    const size_t there = batch->n + batch->left;
    EhStamped stamped = {.lost = 0};
    if (stamp->begun) {
        const int64_t more = taken(stamp, now_ns, batch);
        const int64_t lost = (int64_t)stamp->left + more - (int64_t)there;
        stamped.lost = lost > 0 ? (uint32_t)lost : 0;
        stamp->count += (uint64_t)(more > 0 ? more : 0);
        stamp->newest_ns += more * stamp->period_ns;
        correct(stamp, now_ns);
        measure_period(stamp);
    } else if (there > 0) {
        stamp->begun = 1;
        stamp->count = there;
        stamp->newest_ns = now_ns - stamp->period_ns / 2;
        anchor_here(stamp, 0);
        anchor_here(stamp, 1);
    }
    stamp->left = batch->left;
    const int64_t first_ns = stamp->newest_ns - ((int64_t)there - 1) * stamp->period_ns;
    stamped.t_us = first_ns > 0 ? (uint64_t)(first_ns + 500) / 1000 : 0;
    stamped.period_ns = (uint32_t)stamp->period_ns;
    return stamped;
}
