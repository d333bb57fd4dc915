#include "eh_sample_queue.h"

#include "eh_axes.h"

#define AXES 3u
#define VALUE_BYTES 2u
#define MOST_SAMPLES 255u /* imu's `samples` is a byte */

static EhSample *sample_at(const EhSampleQueue *queue, size_t place)
{
    const size_t at = queue->first + place;
    return &queue->samples[at < queue->size ? at : at - queue->size];
}

/* Remove the samples at the head. */
static void remove_first(EhSampleQueue *queue, size_t n)
{
    queue->first += n;
    if (queue->first >= queue->size) {
        queue->first -= queue->size;
    }
    queue->count -= n;
}

void eh_sample_queue_init(EhSampleQueue *queue, EhSample *samples, size_t size)
{
    queue->samples = samples;
    queue->size = size;
    queue->first = 0;
    queue->count = 0;
    queue->packed = 0;
    queue->seq = 0;
    queue->sensor_lost = 0;
    queue->mark.next_seq = 0;
    queue->mark.dropped_queue = 0;
    queue->mark.dropped_sensor = 0;
}

/* Make room by giving up the oldest sample that is not packed. What the sensor lost in front of it is now missing in front
 * of the one behind it, which knows by its own number that one more is. 0 where all are packed.
 */
static int drop_oldest(EhSampleQueue *queue)
{
    const size_t place = queue->packed;
    if (place == queue->count) {
        return 0;
    }
    const uint32_t lost = sample_at(queue, place)->sensor_lost;
    if (place + 1 < queue->count) {
        sample_at(queue, place + 1)->sensor_lost += lost;
    } else {
        queue->sensor_lost += lost;
    }
    for (size_t i = place; i > 0; i--) {
        *sample_at(queue, i) = *sample_at(queue, i - 1);
    }
    remove_first(queue, 1);
    return 1;
}

static void push_one(EhSampleQueue *queue, const EhSample *sample)
{
    if (queue->count == queue->size && !drop_oldest(queue)) {
        queue->seq++; /* this one gives way: the next knows by its number */
        return;
    }
    EhSample *slot = sample_at(queue, queue->count++);
    *slot = *sample;
    slot->seq = queue->seq++;
    slot->sensor_lost = queue->sensor_lost;
    queue->sensor_lost = 0;
}

void eh_sample_queue_push(EhSampleQueue *queue, const EhSampleBatch *batch, const int16_t (*x)[EH_SAMPLE_CHANNELS],
                          size_t n)
{
    EhSample sample = {
        .t_us = (uint32_t)batch->t_us,
        .period_us = (batch->period_ns + 500u) / 1000u,
        .gyro_range_dps = batch->gyro_range_dps,
        .accel_range_g = batch->accel_range_g,
    };
    uint32_t rest_ns = 0; /* of a microsecond, so that the stamps of a long batch do not drift */
    if (sample.period_us == 0) {
        sample.period_us = 1;
    }
    queue->seq += batch->lost;
    queue->sensor_lost += batch->lost;
    for (size_t i = 0; i < n; i++) {
        eh_copy(sample.x, x[i], sizeof sample.x);
        push_one(queue, &sample);
        rest_ns += batch->period_ns;
        sample.t_us += rest_ns / 1000u;
        rest_ns %= 1000u;
    }
}

static size_t channels_of(const EhSample *sample)
{
    return sample->gyro_range_dps > 0 ? EH_SAMPLE_CHANNELS : AXES;
}

/* How many samples fit into a payload of `room` bytes. */
static size_t most(const EhSample *first, size_t room)
{
    const size_t n = room < EH_IMU_BYTES ? 0 : (room - EH_IMU_BYTES) / (VALUE_BYTES * channels_of(first));
    return n < MOST_SAMPLES ? n : MOST_SAMPLES;
}

/* Whether the sample `i` places behind `first` can stand in one message with it. */
static int fits(const EhSample *first, const EhSample *sample, size_t i)
{
    const uint32_t expected = first->t_us + (uint32_t)i * first->period_us;
    const uint32_t off = sample->t_us - expected;
    return sample->seq == first->seq + (uint32_t)i && sample->accel_range_g == first->accel_range_g &&
           sample->gyro_range_dps == first->gyro_range_dps &&
           (off <= first->period_us / 4 || (uint32_t)-off <= first->period_us / 4);
}

/* How many samples the next message holds if none waited any longer, `limit` at most. */
static size_t run(const EhSampleQueue *queue, size_t limit)
{
    const EhSample *first = sample_at(queue, 0);
    size_t n = 0;
    while (n < limit && n < queue->count && fits(first, sample_at(queue, n), n)) {
        n++;
    }
    return n;
}

int eh_sample_queue_ripe(const EhSampleQueue *queue, size_t room, uint64_t now_us, uint32_t max_wait_us)
{
    if (queue->count == 0) {
        return 0;
    }
    const EhSample *first = sample_at(queue, 0);
    const size_t limit = most(first, room), n = run(queue, limit);
    const uint32_t age_us = (uint32_t)now_us - first->t_us;
    if (limit == 0) {
        return 0;
    }
    /* A stamp may lie a little ahead of the clock; that is no great age. */
    return n == limit || n < queue->count || (age_us >= max_wait_us && age_us < UINT32_MAX / 2);
}

size_t eh_sample_queue_pack(EhSampleQueue *queue, uint16_t boot, uint8_t axes, uint8_t *payload, size_t room)
{
    if (queue->count == 0) {
        return 0;
    }
    const EhSample *first = sample_at(queue, 0);
    const size_t n = run(queue, most(first, room)), channels = channels_of(first);
    const EhWireImu head = {
        .boot = boot,
        .seq = first->seq,
        .t_us = first->t_us,
        .period_us = first->period_us,
        .accel_range_g = first->accel_range_g,
        .gyro_range_dps = first->gyro_range_dps,
        .channels = (uint8_t)channels,
        .samples = (uint8_t)n,
    };
    if (n == 0) {
        return 0;
    }
    eh_put_imu(payload, &head);
    uint8_t *at = payload + EH_IMU_BYTES;
    for (size_t i = 0; i < n; i++) {
        int16_t x[EH_SAMPLE_CHANNELS];
        eh_copy(x, sample_at(queue, i)->x, sizeof x);
        for (size_t j = 0; j < channels; j += AXES) {
            eh_axes_turn(axes, x + j);
        }
        for (size_t j = 0; j < channels; j++, at += VALUE_BYTES) {
            eh_put_u16(at, (uint16_t)x[j]);
        }
    }
    queue->packed = n;
    return (size_t)(at - payload);
}

/* The numbers missing in front of the oldest sample are past. */
static void pass_gap(EhSampleQueue *queue)
{
    EhSample *first = sample_at(queue, 0);
    EhSampleMark *mark = &queue->mark;
    mark->dropped_queue += first->seq - mark->next_seq - first->sensor_lost;
    mark->dropped_sensor += first->sensor_lost;
    mark->next_seq = first->seq;
    first->sensor_lost = 0;
}

void eh_sample_queue_done(EhSampleQueue *queue, int sent)
{
    const size_t n = queue->packed;
    queue->packed = 0;
    if (sent && n > 0) {
        pass_gap(queue);
        queue->mark.next_seq += (uint32_t)n;
        remove_first(queue, n);
    }
}

EhSampleMark eh_sample_queue_mark(EhSampleQueue *queue)
{
    if (queue->count > 0) {
        pass_gap(queue);
    }
    return queue->mark;
}
