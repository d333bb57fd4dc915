/* When each sample was taken, and how many are missing: told from the number of samples in the FIFO at known times.
 *
 * A chip's own clock is off by some percent, and a FIFO is read late and in bunches. But at each look the newest sample
 * is younger than one period, so that the looks together hold the chip's time line between ever narrower bounds.
 */
#ifndef EH_STAMP_H
#define EH_STAMP_H

#include "eh_imu.h"

typedef struct {
    int64_t period_ns;
    int64_t newest_ns; /* when the newest sample seen was taken, by the clock of now_us */
    uint64_t count;    /* samples taken since the beginning, lost ones included */
    size_t left;       /* of them, still in the FIFO */
    int64_t anchor_ns[2]; /* times of samples long ago, from which the period is measured; the older one first */
    uint64_t anchor[2];   /* and their numbers */
    uint8_t begun;
} EhStamp;

typedef struct {
    uint64_t t_us;      /* when the first sample of the batch was taken */
    uint32_t period_ns; /* from it to the next */
    uint32_t lost;      /* samples missing in front of it */
} EhStamped;

/* After eh_imu_set: imu->set.period_ns. */
void eh_stamp_begin(EhStamp *stamp, uint32_t period_ns);

/* Of a batch that eh_imu_drain gave; `now_us` was read just before. Times never go back. */
EhStamped eh_stamp_batch(EhStamp *stamp, uint64_t now_us, const EhImuBatch *batch);

#endif
