/* ST LSM6DSO and LSM6DSOX. Registers and timings: DS12140 Rev 2 (LSM6DSO; the LSM6DSOX, DS12814, has the same ones),
 * tables and sections below are its; application note AN5192 on FIFO and self-test.
 */
#include "eh_imu_parts.h"

#define FIFO_CTRL3 0x09u /* section 9.5: batching rates, gyroscope << 4 | accelerometer */
#define FIFO_CTRL4 0x0au /* 9.6 */
#define WHO_AM_I 0x0fu   /* 9.11 */
#define CTRL1_XL 0x10u   /* 9.12 */
#define CTRL2_G 0x11u    /* 9.13 */
#define CTRL3_C 0x12u    /* 9.14 */
#define CTRL5_C 0x14u    /* 9.16: self-test */
#define CTRL9_XL 0x18u   /* 9.20 */
#define STATUS_REG 0x1eu /* 9.26: bit 0 acceleration, bit 1 turn rate is new */
#define OUTX_L_G 0x22u   /* 9.28 */
#define OUTX_L_A 0x28u   /* 9.31 */
#define FIFO_STATUS1 0x3au       /* 9.38, and FIFO_STATUS2 */
#define INTERNAL_FREQ_FINE 0x63u
#define FIFO_DATA_OUT_TAG 0x78u  /* 6.5.7 */

#define SW_RESET 0x01u
#define BDU_AND_IF_INC 0x44u
#define I3C_OFF 0xe2u /* CTRL9_XL's value after a reset, and bit 1: an I2C master's pauses cannot wake I3C */
#define BYPASS 0x00u
#define CONTINUOUS 0x06u
#define OVERRUN 0x48u /* FIFO_STATUS2: overrun, now or latched since the last look */

#define TAG_GYRO 0x01u
#define TAG_ACCEL 0x02u
#define WORD_BYTES 7u /* tag and three numbers */
#define WORDS_AT_ONCE 16u

#define SETTLE_US 100000u /* 70 ms for a gyroscope to start (table 2), and its first samples */

static const EhImuChoice rates[] = {
    {13, 1}, {26, 2}, {52, 3}, {104, 4}, {208, 5}, {417, 6}, {833, 7}, {1667, 8},
}; /* ODR_XL of CTRL1_XL, rounded; FIFO_CTRL3 has the same codes */
static const EhImuChoice accel_ranges[] = {{2, 0}, {4, 2}, {8, 3}, {16, 1}};
static const EhImuChoice gyro_ranges[] = {{125, 1}, {250, 0}, {500, 2}, {1000, 4}, {2000, 6}}; /* FS_G << 1 | FS_125 */

/* One rate divides all others: 6667 Hz, off by 0.15 % a step of INTERNAL_FREQ_FINE, over 2 to a power. */
static uint32_t period_ns(uint8_t rate_code, int8_t freq_fine)
{
    const uint32_t shift = 10u - rate_code; /* 12.5 Hz: over 512 */
    const uint32_t base_mhz = (uint32_t)(6667000 + 10000 * (int32_t)freq_fine); /* 0.0015 x 6667 Hz = 10.0005 Hz */
    return (uint32_t)(((uint64_t)1000000000000u << shift) / base_mhz);
}

static EhImuFault reset(EhImu *imu)
{
    if (!eh_imu_put(imu, CTRL3_C, SW_RESET)) {
        return EH_IMU_NO_ANSWER;
    }
    const EhImuFault fault = eh_imu_await(imu, CTRL3_C, SW_RESET, 0, 20, 500);
    if (fault != EH_IMU_OK) {
        return fault;
    }
    return eh_imu_put(imu, CTRL9_XL, I3C_OFF) && eh_imu_put(imu, CTRL3_C, BDU_AND_IF_INC) ? EH_IMU_OK
                                                                                          : EH_IMU_NO_ANSWER;
}

static EhImuFault set(EhImu *imu, const EhImuWanted *wanted)
{
    const int turns = wanted->gyro_dps > 0;
    const EhImuChoice *rate = eh_imu_choose(rates, sizeof rates / sizeof rates[0], wanted->rate_hz);
    const EhImuChoice *accel = eh_imu_choose(accel_ranges, 4, wanted->accel_g);
    const EhImuChoice *gyro = eh_imu_choose(gyro_ranges, 5, wanted->gyro_dps);
    const unsigned code = rate->code, gyro_code = turns ? code : 0;
    uint8_t fine = 0;
    const EhImuFault fault = reset(imu);
    if (fault != EH_IMU_OK) {
        return fault;
    }
    if (!eh_imu_put(imu, FIFO_CTRL4, BYPASS) || !eh_imu_put(imu, FIFO_CTRL3, (uint8_t)(gyro_code << 4 | code))
        || !eh_imu_put(imu, CTRL1_XL, (uint8_t)(code << 4 | (unsigned)accel->code << 2))
        || !eh_imu_put(imu, CTRL2_G, (uint8_t)(gyro_code << 4 | (turns ? (unsigned)gyro->code << 1 : 0u)))
        || !eh_imu_read(imu, INTERNAL_FREQ_FINE, &fine, 1)) {
        return EH_IMU_NO_ANSWER;
    }
    eh_imu_wait(imu, SETTLE_US);
    if (!eh_imu_put(imu, FIFO_CTRL4, CONTINUOUS)) {
        return EH_IMU_NO_ANSWER;
    }
    imu->set.period_ns = period_ns(rate->code, (int8_t)fine);
    imu->set.accel_g = (uint8_t)accel->value;
    imu->set.gyro_dps = turns ? (uint16_t)gyro->value : 0;
    return EH_IMU_OK;
}

/* ST's gyroscopes have 4.375 mdps a digit where the range is 125 dps (table 2), so that 32768 would be 143.36 dps, and
 * so on. Their digits are stretched by 1.14688 here, for 32768 to be the range as everywhere else.
 */
static int16_t stretched(int16_t digits)
{
    return eh_imu_saturated((int32_t)(((int64_t)digits * 75162 + 32768) >> 16));
}

/* A word of the FIFO into the sample that it belongs to: gyroscope and accelerometer of one moment have the same
 * two-bit number. 1 where the sample is whole. One whose other half was overwritten is thrown away.
 */
static int take(EhImu *imu, const uint8_t *word)
{
    const uint8_t tag = word[0] >> 3, number = word[0] >> 1 & 3u;
    const uint8_t all = imu->set.gyro_dps > 0 ? TAG_GYRO | TAG_ACCEL : TAG_ACCEL;
    if (tag != TAG_GYRO && tag != TAG_ACCEL) {
        return 0;
    }
    if (imu->part == 0 || imu->part_number != number || (imu->part & tag)) {
        imu->part = 0;
        imu->part_number = number;
        eh_imu_clear(imu->half);
    }
    for (size_t i = 0; i < 3; i++) {
        const int16_t digits = eh_imu_little(word + 1 + 2 * i);
        if (tag == TAG_GYRO) {
            imu->half[3 + i] = stretched(digits);
        } else {
            imu->half[i] = digits;
        }
    }
    imu->part |= tag;
    if (imu->part != all) {
        return 0;
    }
    imu->part = 0;
    return 1;
}

static EhImuFault drain(EhImu *imu, int16_t (*samples)[EH_IMU_CHANNELS], size_t room, EhImuBatch *batch)
{
    uint8_t status[2], words[WORDS_AT_ONCE * WORD_BYTES];
    const size_t each = imu->set.gyro_dps > 0 ? 2 : 1;
    if (!eh_imu_read(imu, FIFO_STATUS1, status, sizeof status)) {
        return EH_IMU_NO_ANSWER;
    }
    const size_t there = (status[0] | (status[1] & 3u) << 8) / each;
    batch->overran = (status[1] & OVERRUN) != 0;
    batch->left = there > room ? there - room : 0;
    for (size_t words_left = (there - batch->left) * each; words_left > 0;) {
        const size_t n = words_left < WORDS_AT_ONCE ? words_left : WORDS_AT_ONCE;
        /* Behind 7Eh the address goes back to 78h (AN5192, section 9). */
        if (!eh_imu_read(imu, FIFO_DATA_OUT_TAG, words, n * WORD_BYTES)) {
            return EH_IMU_NO_ANSWER;
        }
        for (size_t i = 0; i < n; i++) {
            if (take(imu, words + i * WORD_BYTES)) {
                for (size_t c = 0; c < EH_IMU_CHANNELS; c++) {
                    samples[batch->n][c] = imu->half[c];
                }
                batch->n++;
            }
        }
        words_left -= n;
    }
    return EH_IMU_OK;
}

/* The mean of five samples of three axes from `reg` on, once `fresh` of STATUS_REG says that they are new. */
static EhImuFault mean(EhImu *imu, uint8_t fresh, uint8_t reg, int32_t means[3])
{
    enum { SAMPLES = 5 };
    means[0] = means[1] = means[2] = 0;
    for (int i = 0; i <= SAMPLES; i++) { /* the first is thrown away */
        uint8_t bytes[6];
        const EhImuFault fault = eh_imu_await(imu, STATUS_REG, fresh, fresh, 100, 1000);
        if (fault != EH_IMU_OK) {
            return fault;
        }
        if (!eh_imu_read(imu, reg, bytes, sizeof bytes)) {
            return EH_IMU_NO_ANSWER;
        }
        for (size_t c = 0; c < 3 && i > 0; c++) {
            means[c] += eh_imu_little(bytes + 2 * c);
        }
    }
    for (size_t c = 0; c < 3; c++) {
        means[c] /= SAMPLES;
    }
    return EH_IMU_OK;
}

/* What `test` in CTRL5_C moves each axis by must lie within low and high. */
static EhImuFault moved(EhImu *imu, uint8_t test, uint8_t fresh, uint8_t reg, int32_t low, int32_t high)
{
    int32_t before[3], after[3];
    eh_imu_wait(imu, SETTLE_US);
    EhImuFault fault = mean(imu, fresh, reg, before);
    if (fault != EH_IMU_OK) {
        return fault;
    }
    if (!eh_imu_put(imu, CTRL5_C, test)) {
        return EH_IMU_NO_ANSWER;
    }
    eh_imu_wait(imu, SETTLE_US);
    fault = mean(imu, fresh, reg, after);
    if (!eh_imu_put(imu, CTRL5_C, 0) || fault != EH_IMU_OK) {
        return fault != EH_IMU_OK ? fault : EH_IMU_NO_ANSWER;
    }
    for (size_t c = 0; c < 3; c++) {
        const int32_t by = after[c] > before[c] ? after[c] - before[c] : before[c] - after[c];
        if (by < low || by > high) {
            return EH_IMU_WORN;
        }
    }
    return EH_IMU_OK;
}

/* Table 2: 50 to 1700 mg, 150 to 700 dps at 2000 dps; in digits of 0.122 mg (4 g) and 70 mdps. */
static EhImuFault self_test(EhImu *imu)
{
    const EhImuFault fault = reset(imu);
    if (fault != EH_IMU_OK) {
        return fault;
    }
    if (!eh_imu_put(imu, CTRL1_XL, 0x38u) || !eh_imu_put(imu, CTRL2_G, 0x5cu)) { /* 52 Hz, 4 g; 208 Hz, 2000 dps */
        return EH_IMU_NO_ANSWER;
    }
    const EhImuFault accel = moved(imu, 0x01u, 0x01u, OUTX_L_A, 410, 13934);
    return accel != EH_IMU_OK ? accel : moved(imu, 0x04u, 0x02u, OUTX_L_G, 2143, 10000);
}

const EhImuDriver eh_lsm6dso = {
    .name = "lsm6dso",
    .addresses = {0x6a, 0x6b},
    .identity_reg = WHO_AM_I,
    .identity = 0x6c,
    .spi_spare = 0,
    .set = set,
    .drain = drain,
    .self_test = self_test,
};
