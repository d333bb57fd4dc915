/* LSM6DSO after DS12140 Rev 2: FIFO of 512 tagged words, self-test, trimmed clock. */
#include <string.h>

#include "fake_sensor.h"

#define WORD_BYTES 7u
#define WORDS 512u
#define FREQ_FINE 0x63

static void reset(FakeSensor *sensor)
{
    const uint8_t fine = fake_get(sensor, FREQ_FINE); /* the maker's trim stays */
    memset(sensor->registers[0], 0, FAKE_REGISTERS);
    *fake_at(sensor, 0x0f) = 0x6c;
    *fake_at(sensor, 0x12) = 0x04;
    *fake_at(sensor, 0x18) = 0xe0;
    *fake_at(sensor, FREQ_FINE) = fine;
    sensor->fifo_bytes = WORDS * WORD_BYTES;
    fake_fifo_clear(sensor);
}

static uint8_t next_reg(const FakeSensor *sensor, uint8_t reg)
{
    if (!(fake_get(sensor, 0x12) & 0x04)) { /* IF_INC */
        return reg;
    }
    return reg == 0x7e ? 0x78 : (uint8_t)((reg + 1) & 0x7f);
}

static uint8_t read_register(FakeSensor *sensor, uint8_t reg)
{
    const size_t words = sensor->fifo_used / WORD_BYTES;
    if (reg == 0x3a) {
        return (uint8_t)words;
    }
    if (reg == 0x3b) {
        const unsigned full = words == WORDS ? 0x20u : 0u, over = sensor->overrun ? 0x48u : 0u;
        sensor->overrun = 0;
        return (uint8_t)(words >> 8 | full | over);
    }
    if (reg >= 0x78 && reg <= 0x7e) {
        const uint8_t byte = words > 0 ? fake_fifo_at(sensor, reg - 0x78u) : 0;
        for (unsigned i = 0; reg == 0x7e && words > 0 && i < WORD_BYTES; i++) {
            (void)fake_fifo_pop(sensor);
        }
        return byte;
    }
    if (reg == 0x23 || reg == 0x29) { /* OUTX_H: taken */
        *fake_at(sensor, 0x1e) &= (uint8_t)(reg == 0x23 ? ~2u : ~1u);
    }
    if (reg == 0x12 && (fake_get(sensor, 0x12) & 1) && fake_reset_is_over(sensor)) {
        reset(sensor);
    }
    return fake_get(sensor, reg);
}

static void wrote(FakeSensor *sensor, uint8_t reg, uint8_t value)
{
    if (reg == 0x12 && (value & 1)) {
        sensor->reset_done_us = sensor->now_us + 50;
    }
    if (reg == 0x0a && (value & 7) == 0) {
        fake_fifo_clear(sensor);
    }
}

static double period_us(const FakeSensor *sensor)
{
    const int code = fake_get(sensor, 0x10) >> 4;
    if (code == 0 || code > 10) {
        return 0;
    }
    const double hz = 6667.0 * (1 + 0.0015 * (int8_t)fake_get(sensor, FREQ_FINE)) / (1 << (10 - code));
    return 1e6 / hz;
}

static void push(FakeSensor *sensor, unsigned tag, const int16_t numbers[3])
{
    uint8_t word[WORD_BYTES] = {(uint8_t)(tag << 3 | (sensor->taken & 3) << 1)};
    word[0] |= (uint8_t)__builtin_parity(word[0]);
    for (unsigned i = 0; i < 3; i++) {
        word[1 + 2 * i] = (uint8_t)numbers[i];
        word[2 + 2 * i] = (uint8_t)((uint16_t)numbers[i] >> 8);
    }
    fake_fifo_push(sensor, word, sizeof word);
    /* A word is overwritten whole. */
    for (; sensor->fifo_used % WORD_BYTES != 0;) {
        (void)fake_fifo_pop(sensor);
    }
}

static void sample(FakeSensor *sensor)
{
    static const double accel_full[] = {2, 16, 4, 8}, gyro_full[] = {250, 500, 1000, 2000};
    const unsigned xl = fake_get(sensor, 0x10), g = fake_get(sensor, 0x11);
    const unsigned test = sensor->worn ? 0 : fake_get(sensor, 0x14);
    const double full_g = accel_full[xl >> 2 & 3];
    const double full_dps = 1.14688 * (g & 2 ? 125 : gyro_full[g >> 2 & 3]); /* 4.375 mdps a digit at 125 dps */
    int16_t accel[3], gyro[3];
    for (int i = 0; i < 3; i++) {
        accel[i] = (int16_t)(fake_accel(sensor, i, full_g) + ((test & 3) == 1 ? (int)(0.5 / full_g * 32768) : 0));
        gyro[i] = (int16_t)(fake_gyro(sensor, i, full_dps) + ((test & 12) == 4 ? (int)(400 / full_dps * 32768) : 0));
    }
    for (unsigned i = 0; i < 6; i++) {
        *fake_at(sensor, (uint8_t)(0x22 + i)) = (uint8_t)((uint16_t)gyro[i / 2] >> (8 * (i % 2)));
        *fake_at(sensor, (uint8_t)(0x28 + i)) = (uint8_t)((uint16_t)accel[i / 2] >> (8 * (i % 2)));
    }
    *fake_at(sensor, 0x1e) |= (uint8_t)(1 | (g >> 4 ? 2 : 0));
    if ((fake_get(sensor, 0x0a) & 7) != 6) {
        return;
    }
    if (fake_get(sensor, 0x09) >> 4 && g >> 4) {
        push(sensor, 1, gyro);
    }
    if (fake_get(sensor, 0x09) & 15) {
        push(sensor, 2, accel);
    }
}

const FakeChip fake_lsm6dso = {
    .name = "lsm6dso",
    .identity_reg = 0x0f,
    .reset = reset,
    .next_reg = next_reg,
    .read = read_register,
    .wrote = wrote,
    .period_us = period_us,
    .sample = sample,
};
