/* MPU-6050 after RM-MPU-6000A-00 Rev 4.2: FIFO of 1024 bytes, big-endian. */
#include <string.h>

#include "fake_sensor.h"

static void reset(FakeSensor *sensor)
{
    memset(sensor->registers[0], 0, FAKE_REGISTERS);
    *fake_at(sensor, 0x6b) = 0x40; /* asleep */
    *fake_at(sensor, 0x75) = 0x68;
    sensor->fifo_bytes = 1024;
    fake_fifo_clear(sensor);
}

static uint8_t next_reg(const FakeSensor *sensor, uint8_t reg)
{
    (void)sensor;
    return reg == 0x74 ? reg : (uint8_t)((reg + 1) & 0x7f);
}

static uint8_t read_register(FakeSensor *sensor, uint8_t reg)
{
    switch (reg) {
    case 0x3a: {
        const int tells = sensor->overrun && (fake_get(sensor, 0x38) & 0x10);
        sensor->overrun = 0;
        return tells ? 0x10 : 0;
    }
    case 0x6b:
        if ((fake_get(sensor, 0x6b) & 0x80) && fake_reset_is_over(sensor)) {
            reset(sensor);
        }
        return fake_get(sensor, 0x6b);
    case 0x72:
        sensor->latched = (uint8_t)sensor->fifo_used;
        return (uint8_t)(sensor->fifo_used >> 8);
    case 0x73:
        return sensor->latched;
    case 0x74:
        return fake_fifo_pop(sensor);
    default:
        return fake_get(sensor, reg);
    }
}

static void wrote(FakeSensor *sensor, uint8_t reg, uint8_t value)
{
    if (reg == 0x6b && (value & 0x80)) {
        sensor->reset_done_us = sensor->now_us + 30000;
    }
    if (reg == 0x6a && (value & 0x04)) { /* 4.27: while FIFO_EN is 0 */
        if (!(value & 0x40)) {
            fake_fifo_clear(sensor);
        }
        *fake_at(sensor, 0x6a) &= 0xfb;
    }
}

static double period_us(const FakeSensor *sensor)
{
    const unsigned filter = fake_get(sensor, 0x1a) & 7;
    const double hz = filter == 0 || filter == 7 ? 8000 : 1000;
    return fake_get(sensor, 0x6b) & 0xc0 ? 0 : 1e6 / hz * (1 + fake_get(sensor, 0x19));
}

static void sample(FakeSensor *sensor)
{
    const double full_g = 2 << (fake_get(sensor, 0x1c) >> 3 & 3), full_dps = 250 << (fake_get(sensor, 0x1b) >> 3 & 3);
    const unsigned kept = fake_get(sensor, 0x6a) & 0x40 ? fake_get(sensor, 0x23) : 0;
    const int standby = fake_get(sensor, 0x6c) & 7;
    for (int i = 0; i < 3 && (kept & 0x08); i++) {
        fake_fifo_push_big_endian(sensor, fake_accel(sensor, i, full_g));
    }
    for (int i = 0; i < 3; i++) {
        if (kept & 0x40u >> i) {
            fake_fifo_push_big_endian(sensor, standby ? 0 : fake_gyro(sensor, i, full_dps));
        }
    }
}

const FakeChip fake_mpu6050 = {
    .name = "mpu6050",
    .identity_reg = 0x75,
    .reset = reset,
    .next_reg = next_reg,
    .read = read_register,
    .wrote = wrote,
    .period_us = period_us,
    .sample = sample,
};
