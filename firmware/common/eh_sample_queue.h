/* Numbered samples of an inertial sensor on their way to the link: packed from the oldest on, and where they find no room
 * the oldest gives way. Each sample has a number, also those that the sensor or this queue lost, and the mark says how
 * many of which.
 *
 * For one producer and one consumer on different threads, the caller locks around each call; none of them waits.
 */
#ifndef EH_SAMPLE_QUEUE_H
#define EH_SAMPLE_QUEUE_H

#include "eh_wire_layout.h"

#define EH_SAMPLE_CHANNELS 6u /* accelerometer x y z, gyroscope x y z */

/* What one look into the sensor's FIFO brought. */
typedef struct {
    uint64_t t_us;           /* device time of its first sample: when it was taken, not when it was read */
    uint32_t period_ns;      /* from one sample to the next, measured */
    uint32_t lost;           /* samples that the sensor lost in front of the first */
    uint8_t accel_range_g;   /* of the value 32768 */
    uint16_t gyro_range_dps; /* the same; 0: no gyroscope, its three values mean nothing */
} EhSampleBatch;

/* A sample as it was measured; its members are no part of the interface. */
typedef struct {
    uint32_t seq, t_us, period_us;
    uint32_t sensor_lost; /* of the numbers missing in front of it, those that the sensor lost; the others this queue */
    uint16_t gyro_range_dps;
    uint8_t accel_range_g;
    int16_t x[EH_SAMPLE_CHANNELS];
} EhSample;

/* Where the stream stands: every sample before `next_seq` was sent, or is counted here. Modulo 2^32. */
typedef struct {
    uint32_t next_seq, dropped_queue, dropped_sensor;
} EhSampleMark;

/* Its members are no part of the interface. */
typedef struct {
    EhSample *samples;
    size_t size, first, count;
    size_t packed;        /* the oldest, which eh_sample_queue_pack has packed: they cannot give way now */
    uint32_t seq;         /* of the next sample to be measured */
    uint32_t sensor_lost; /* in front of it, by the sensor */
    EhSampleMark mark;
} EhSampleQueue;

/* An empty queue in `samples` [size]. */
void eh_sample_queue_init(EhSampleQueue *queue, EhSample *samples, size_t size);

/* Number and queue the samples x [n][6], in the sensor's own axes. */
void eh_sample_queue_push(EhSampleQueue *queue, const EhSampleBatch *batch, const int16_t (*x)[EH_SAMPLE_CHANNELS],
                          size_t n);

/* Whether sending is worth it: samples fill a payload of `room` bytes, or cannot be packed with those behind them, or the
 * oldest is `max_wait_us` old.
 */
int eh_sample_queue_ripe(const EhSampleQueue *queue, size_t room, uint64_t now_us, uint32_t max_wait_us);

/* The payload of an imu message of the oldest samples, turned by the row `axes`, into `payload` [room]; its length, or 0:
 * there is none or not one fits. eh_sample_queue_done has to follow. A message holds no gap, one setting of the sensor,
 * and stamps that lie a quarter of a period off its own at most.
 */
size_t eh_sample_queue_pack(EhSampleQueue *queue, uint16_t boot, uint8_t axes, uint8_t *payload, size_t room);

/* What was packed was sent and leaves the queue, or it was not and stays. */
void eh_sample_queue_done(EhSampleQueue *queue, int sent);

/* Where the stream stands now. */
EhSampleMark eh_sample_queue_mark(EhSampleQueue *queue);

#endif
