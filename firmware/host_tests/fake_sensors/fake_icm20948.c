/* ICM-20948 after DS-000189 Rev 1.3: four banks, FIFO of 512 bytes, big-endian. */
#include <string.h>

#include "fake_sensor.h"

static void reset(FakeSensor *sensor)
{
    memset(sensor->registers, 0, sizeof sensor->registers);
    sensor->bank = 0;
    *fake_at(sensor, 0x00) = 0xea;
    *fake_at(sensor, 0x05) = 0x40;
    *fake_at(sensor, 0x06) = 0x41; /* asleep */
    sensor->registers[2][0x01] = 0x01;
    sensor->registers[2][0x14] = 0x01;
    sensor->fifo_bytes = 512;
    fake_fifo_clear(sensor);
}

static uint8_t next_reg(const FakeSensor *sensor, uint8_t reg)
{
    return sensor->bank == 0 && reg == 0x72 ? reg : (uint8_t)((reg + 1) & 0x7f);
}

static uint8_t read_register(FakeSensor *sensor, uint8_t reg)
{
    if (sensor->bank == 0) {
        switch (reg) {
        case 0x06:
            if ((fake_get(sensor, 0x06) & 0x80) && fake_reset_is_over(sensor)) {
                reset(sensor);
            }
            break;
        case 0x1b: {
            const int tells = sensor->overrun && (fake_get(sensor, 0x12) & 0x1f);
            sensor->overrun = 0;
            return tells ? 0x01 : 0;
        }
        case 0x70:
            sensor->latched = (uint8_t)sensor->fifo_used;
            return (uint8_t)(sensor->fifo_used >> 8);
        case 0x71:
            return sensor->latched;
        case 0x72:
            return fake_fifo_pop(sensor);
        default:
            break;
        }
    }
    return sensor->registers[sensor->bank][reg];
}

static void wrote(FakeSensor *sensor, uint8_t reg, uint8_t value)
{
    if (reg == 0x7f) {
        sensor->bank = value >> 4 & 3;
    } else if (sensor->bank == 0 && reg == 0x06 && (value & 0x80)) {
        sensor->reset_done_us = sensor->now_us + 10000;
    } else if (sensor->bank == 0 && reg == 0x68 && (value & 0x1f)) {
        fake_fifo_clear(sensor);
    }
}

static double period_us(const FakeSensor *sensor)
{
    const uint8_t *two = sensor->registers[2];
    const unsigned accel = (two[0x10] & 15u) << 8 | two[0x11], gyro = two[0x00];
    const int gyro_on = !(fake_get(sensor, 0x07) & 7);
    if (fake_get(sensor, 0x06) & 0xc0) {
        return 0;
    }
    /* With different dividers the FIFO would hold samples of different times, which no driver here wants. */
    return gyro_on && accel != gyro ? 0 : 1e6 / 1125 * (1 + accel);
}

static void sample(FakeSensor *sensor)
{
    const uint8_t *zero = sensor->registers[0], *two = sensor->registers[2];
    const double full_g = 2 << (two[0x14] >> 1 & 3), full_dps = 250 << (two[0x01] >> 1 & 3);
    const unsigned kept = zero[0x03] & 0x40 && !(zero[0x68] & 0x1f) ? zero[0x67] : 0;
    for (int i = 0; i < 3 && (kept & 0x10); i++) {
        fake_fifo_push_big_endian(sensor, fake_accel(sensor, i, full_g));
    }
    for (int i = 0; i < 3; i++) {
        if (kept & 2u << i) {
            fake_fifo_push_big_endian(sensor, fake_gyro(sensor, i, full_dps));
        }
    }
}

const FakeChip fake_icm20948 = {
    .name = "icm20948",
    .identity_reg = 0x00,
    .reset = reset,
    .next_reg = next_reg,
    .read = read_register,
    .wrote = wrote,
    .period_us = period_us,
    .sample = sample,
};
