#include "fake_sensor.h"

#include <math.h>
#include <string.h>

static const FakeChip *const chips[] = {&fake_lsm6dso, &fake_mpu6050, &fake_icm20948, &fake_bmi270};

const FakeChip *fake_chip_named(const char *name)
{
    for (size_t i = 0; i < sizeof chips / sizeof chips[0]; i++) {
        if (strcmp(chips[i]->name, name) == 0) {
            return chips[i];
        }
    }
    return NULL;
}

void fake_sensor_plug(FakeSensor *sensor, const FakeChip *chip, uint8_t address)
{
    memset(sensor, 0, sizeof *sensor);
    sensor->chip = chip;
    sensor->address = address;
    sensor->fails_after = -1;
    chip->reset(sensor);
}

void fake_sensor_advance(FakeSensor *sensor, double us)
{
    const double end_us = sensor->now_us + us;
    for (;;) {
        const double period_us = sensor->chip->period_us(sensor) / (1 + sensor->off);
        if (period_us <= 0) {
            sensor->next_us = 0;
            break;
        }
        if (sensor->next_us <= 0) {
            sensor->next_us = sensor->now_us + period_us;
        }
        if (sensor->next_us > end_us) {
            break;
        }
        sensor->now_us = sensor->next_us;
        sensor->chip->sample(sensor);
        sensor->taken++;
        sensor->next_us += period_us;
    }
    sensor->now_us = end_us;
}

static int answers(FakeSensor *sensor, uint8_t address)
{
    if (sensor->chip == NULL || sensor->silent || (!sensor->on_spi && address != sensor->address)) {
        return 0;
    }
    if (sensor->fails_after == 0) {
        return 0;
    }
    sensor->fails_after -= sensor->fails_after > 0;
    return 1;
}

int fake_sensor_read(FakeSensor *sensor, uint8_t address, uint8_t reg, uint8_t *to, size_t n)
{
    if (!answers(sensor, address)) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        const int asked_who = reg == sensor->chip->identity_reg && sensor->bank == 0;
        to[i] = asked_who && sensor->identity ? sensor->identity : sensor->chip->read(sensor, reg);
        reg = sensor->chip->next_reg(sensor, reg);
    }
    if (sensor->chip->burst_ended) {
        sensor->chip->burst_ended(sensor);
    }
    return 1;
}

int fake_sensor_write(FakeSensor *sensor, uint8_t address, uint8_t reg, const uint8_t *from, size_t n)
{
    if (!answers(sensor, address)) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        sensor->registers[sensor->bank][reg] = from[i];
        sensor->chip->wrote(sensor, reg, from[i]);
        reg = sensor->chip->next_reg(sensor, reg);
    }
    return 1;
}

static int16_t digits(double value, double full)
{
    const double rounded = floor(value / full * 32768 + 0.5);
    return (int16_t)(rounded > 32767 ? 32767 : rounded < -32768 ? -32768 : rounded);
}

int16_t fake_accel(const FakeSensor *sensor, int axis, double full_g)
{
    return axis == 0 ? (int16_t)(sensor->taken & 0x3fff) : digits(axis == 1 ? -0.5 : 1.0, full_g);
}

int16_t fake_gyro(const FakeSensor *sensor, int axis, double full_dps)
{
    (void)sensor;
    return digits(axis == 0 ? 90.0 : axis == 1 ? 0.0 : -45.0, full_dps);
}

uint8_t *fake_at(FakeSensor *sensor, uint8_t reg)
{
    return &sensor->registers[0][reg];
}

uint8_t fake_get(const FakeSensor *sensor, uint8_t reg)
{
    return sensor->registers[0][reg];
}

int fake_reset_is_over(const FakeSensor *sensor)
{
    return !sensor->stuck && sensor->now_us >= sensor->reset_done_us;
}

void fake_fifo_clear(FakeSensor *sensor)
{
    sensor->fifo_used = 0;
    sensor->fifo_first = 0;
    sensor->overrun = 0;
    sensor->skipped = 0;
}

uint8_t fake_fifo_at(const FakeSensor *sensor, size_t i)
{
    return sensor->fifo[(sensor->fifo_first + i) % sensor->fifo_bytes];
}

uint8_t fake_fifo_pop(FakeSensor *sensor)
{
    if (sensor->fifo_used == 0) {
        return 0;
    }
    const uint8_t byte = fake_fifo_at(sensor, 0);
    sensor->fifo_first = (sensor->fifo_first + 1) % sensor->fifo_bytes;
    sensor->fifo_used--;
    return byte;
}

void fake_fifo_push(FakeSensor *sensor, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (sensor->fifo_used == sensor->fifo_bytes) {
            (void)fake_fifo_pop(sensor);
            sensor->overrun = 1;
        }
        sensor->fifo[(sensor->fifo_first + sensor->fifo_used++) % sensor->fifo_bytes] = bytes[i];
    }
}

void fake_fifo_push_big_endian(FakeSensor *sensor, int16_t number)
{
    const uint8_t bytes[2] = {(uint8_t)((uint16_t)number >> 8), (uint8_t)number};
    fake_fifo_push(sensor, bytes, sizeof bytes);
}
