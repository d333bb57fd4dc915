/* BMI270 after BST-BMI270-DS000-05: configuration upload, FIFO of 2048 bytes in frames, which leave it whole. */
#include <string.h>

#include "fake_sensor.h"

#define FRAME_BYTES_MAX 13u
#define CROSS 0x3c
#define LONGEST_UPLOAD 64u

static void reset(FakeSensor *sensor)
{
    const uint8_t cross = fake_get(sensor, CROSS);
    memset(sensor->registers[0], 0, FAKE_REGISTERS);
    *fake_at(sensor, 0x00) = 0x24;
    *fake_at(sensor, 0x40) = 0xa8;
    *fake_at(sensor, 0x41) = 0x02;
    *fake_at(sensor, 0x42) = 0xa9;
    *fake_at(sensor, 0x48) = 0x02;
    *fake_at(sensor, 0x49) = 0x10;
    *fake_at(sensor, 0x7c) = 0x03; /* dozing */
    *fake_at(sensor, CROSS) = cross;
    sensor->fifo_bytes = 2048;
    sensor->upload_bytes = 0;
    sensor->upload_at = 0;
    sensor->reset_done_us = 0;
    fake_fifo_clear(sensor);
}

static uint8_t next_reg(const FakeSensor *sensor, uint8_t reg)
{
    (void)sensor;
    return reg == 0x26 || reg == 0x5e ? reg : (uint8_t)((reg + 1) & 0x7f);
}

static size_t frame_bytes(uint8_t header)
{
    return header == 0x8c ? 13 : header == 0x48 ? 5 : 7;
}

/* A burst goes through the skip frame and the frames; only those that it reads whole leave the FIFO at its end. */
static uint8_t burst_byte(FakeSensor *sensor)
{
    const size_t i = sensor->upload_at++; /* bytes of this burst */
    const size_t skip = sensor->skipped > 0 ? 2 : 0;
    if (i < skip) {
        return i == 0 ? 0x40 : (uint8_t)(sensor->skipped < 255 ? sensor->skipped : 255);
    }
    return i - skip < sensor->fifo_used ? fake_fifo_at(sensor, i - skip) : (uint8_t)((i - skip) % 2 ? 0x00 : 0x80);
}

static void burst_ended(FakeSensor *sensor)
{
    size_t n = sensor->upload_at;
    sensor->upload_at = 0;
    if (n >= 2 && sensor->skipped > 0) {
        sensor->skipped = 0;
        n -= 2;
    }
    while (sensor->fifo_used > 0 && n >= frame_bytes(fake_fifo_at(sensor, 0))) {
        const size_t whole = frame_bytes(fake_fifo_at(sensor, 0));
        for (size_t i = 0; i < whole; i++) {
            (void)fake_fifo_pop(sensor);
        }
        n -= whole;
    }
}

static uint8_t read_register(FakeSensor *sensor, uint8_t reg)
{
    const size_t used = sensor->fifo_used + (sensor->skipped > 0 ? 2 : 0);
    switch (reg) {
    case 0x21: {
        const int whole = sensor->upload_bytes == sensor->config_bytes && sensor->config_bytes > 0
                          && memcmp(sensor->uploaded, sensor->config, sensor->config_bytes) == 0;
        const int ended = fake_get(sensor, 0x59) == 1 && sensor->now_us >= sensor->reset_done_us;
        return !ended || sensor->stuck ? 0 : whole ? 1 : 2;
    }
    case 0x24:
        return (uint8_t)used;
    case 0x25:
        return (uint8_t)(used >> 8);
    case 0x26:
        return burst_byte(sensor);
    case CROSS:
        return fake_get(sensor, 0x2f) == 0 ? fake_get(sensor, CROSS) : 0;
    default:
        return fake_get(sensor, reg);
    }
}

static void wrote(FakeSensor *sensor, uint8_t reg, uint8_t value)
{
    if (reg == 0x7e && value == 0xb6) {
        reset(sensor);
    } else if (reg == 0x7e && value == 0xb0) {
        fake_fifo_clear(sensor);
    } else if (reg == 0x59) {
        sensor->reset_done_us = sensor->now_us + 20000;
        sensor->upload_bytes = value == 0 ? 0 : sensor->upload_bytes;
    } else if (reg == 0x5e && fake_get(sensor, 0x59) == 0 && !(fake_get(sensor, 0x7c) & 1)) {
        /* INIT_ADDR counts words of two bytes and stands still; a burst goes on from there. */
        const size_t begin = 2 * ((size_t)fake_get(sensor, 0x5c) << 4 | (fake_get(sensor, 0x5b) & 15u));
        if (begin <= sensor->upload_bytes && sensor->upload_bytes < begin + LONGEST_UPLOAD
            && sensor->upload_bytes < FAKE_FIFO_BYTES) {
            sensor->uploaded[sensor->upload_bytes++] = value;
        }
    } else if (reg == 0x49) {
        sensor->config_frames = 1;
    }
}

static double period_us(const FakeSensor *sensor)
{
    const unsigned accel = fake_get(sensor, 0x40) & 15, gyro = fake_get(sensor, 0x42) & 15, on = fake_get(sensor, 0x7d);
    const int ready = fake_get(sensor, 0x59) == 1 && sensor->now_us >= sensor->reset_done_us;
    if (!ready || !(on & 4) || ((on & 2) && accel != gyro)) {
        return 0;
    }
    return 1e6 / (25 << (accel - 6));
}

static void put(uint8_t *to, int16_t number)
{
    to[0] = (uint8_t)number;
    to[1] = (uint8_t)((uint16_t)number >> 8);
}

static void push(FakeSensor *sensor, const uint8_t *frame, size_t n)
{
    while (sensor->fifo_used + n > sensor->fifo_bytes) {
        const size_t oldest = frame_bytes(fake_fifo_at(sensor, 0));
        sensor->skipped += oldest != 5;
        for (size_t i = 0; i < oldest; i++) {
            (void)fake_fifo_pop(sensor);
        }
    }
    fake_fifo_push(sensor, frame, n);
}

static void sample(FakeSensor *sensor)
{
    static const double gyro_full[] = {2000, 1000, 500, 250, 125};
    const double full_g = 2 << (fake_get(sensor, 0x41) & 3), full_dps = gyro_full[fake_get(sensor, 0x43) & 7];
    const unsigned kept = fake_get(sensor, 0x49);
    uint8_t frame[FRAME_BYTES_MAX], changed[5] = {0x48, 0x03, 0, 0, 0};
    size_t n = 1;
    const int16_t z = fake_gyro(sensor, 2, full_dps);
    const int16_t cross = (int16_t)(int8_t)(uint8_t)(fake_get(sensor, CROSS) << 1) / 2; /* seven bits, signed */
    if (!(kept & 0x50)) {
        return;
    }
    for (int i = 0; i < 3 && (kept & 0x80); i++, n += 2) {
        const int16_t feels = i == 0 ? (int16_t)(cross * z / 512) : 0;
        put(frame + n, (int16_t)(fake_gyro(sensor, i, full_dps) + feels));
    }
    for (int i = 0; i < 3; i++, n += 2) {
        put(frame + n, fake_accel(sensor, i, full_g));
    }
    frame[0] = kept & 0x80 ? 0x8c : 0x84;
    if (sensor->config_frames) {
        sensor->config_frames = 0;
        push(sensor, changed, sizeof changed);
    }
    push(sensor, frame, n);
}

const FakeChip fake_bmi270 = {
    .name = "bmi270",
    .identity_reg = 0x00,
    .reset = reset,
    .next_reg = next_reg,
    .read = read_register,
    .wrote = wrote,
    .period_us = period_us,
    .sample = sample,
    .burst_ended = burst_ended,
};
