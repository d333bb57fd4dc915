/* Bosch BMI270. Source: BST-BMI270-DS000-05 (revision 1.3), chapters "Device Initialization", "FIFO", "Register Map".
 * The chip runs only with a configuration file of Bosch's, which is no part of edgehar: EhImu.config.
 */
#include "eh_imu_parts.h"

#define CHIP_ID 0x00u
#define INTERNAL_STATUS 0x21u
#define FIFO_LENGTH_0 0x24u
#define FIFO_DATA 0x26u
#define FEAT_PAGE 0x2fu
#define GYR_CAS 0x3cu /* on page 0 */
#define ACC_CONF 0x40u
#define ACC_RANGE 0x41u
#define GYR_CONF 0x42u
#define GYR_RANGE 0x43u
#define FIFO_CONFIG_0 0x48u
#define FIFO_CONFIG_1 0x49u
#define INIT_CTRL 0x59u
#define INIT_ADDR_0 0x5bu
#define INIT_DATA 0x5eu
#define PWR_CONF 0x7cu
#define PWR_CTRL 0x7du
#define CMD 0x7eu

#define SOFT_RESET 0xb6u
#define FIFO_FLUSH 0xb0u
#define INIT_OK 0x01u
#define ACC_ON 0x04u
#define GYR_AND_ACC_ON 0x06u
#define ACC_BEST 0xa0u /* ACC_CONF: performance before power, normal bandwidth */
#define GYR_BEST 0xe0u /* GYR_CONF: noise and filter performance before power, normal bandwidth */
#define OVERWRITE_OLDEST 0x00u
#define HEADER_ACC 0x50u /* FIFO_CONFIG_1: frames with headers */
#define HEADER_GYR_AND_ACC 0xd0u

/* "FIFO": frames with headers, the two bits of interrupt tags in their headers left out. */
#define FRAME_TAGS 0x03u
#define FRAME_ACC 0x84u
#define FRAME_GYR_AND_ACC 0x8cu
#define FRAME_SKIPPED 0x40u
#define FRAME_CONFIG 0x48u
#define CONFIG_FRAME_BYTES 5u /* header and content */
#define NUMBERS_BYTES 6u

#define UPLOAD_BYTES 32u
#define RESET_US 2000u
#define AWAKE_US 450u
#define SETTLE_US 50000u /* 45 ms for the gyroscope to start ("Specification") */
#define FRAMES_AT_ONCE 9u
#define LONGEST_FRAME 13u

static const EhImuChoice rates[] = {
    {25, 6}, {50, 7}, {100, 8}, {200, 9}, {400, 10}, {800, 11}, {1600, 12},
}; /* ACC_CONF and GYR_CONF have the same codes; the gyroscope starts at 25 Hz */
static const EhImuChoice accel_ranges[] = {{2, 0}, {4, 1}, {8, 2}, {16, 3}};
static const EhImuChoice gyro_ranges[] = {{125, 4}, {250, 3}, {500, 2}, {1000, 1}, {2000, 0}};

/* "Device Initialization": the configuration file into the chip in pieces; addresses count words of two bytes. */
static EhImuFault upload(EhImu *imu)
{
    if (!eh_imu_put(imu, PWR_CONF, 0)) { /* awake */
        return EH_IMU_NO_ANSWER;
    }
    eh_imu_wait(imu, AWAKE_US);
    if (!eh_imu_put(imu, INIT_CTRL, 0)) {
        return EH_IMU_NO_ANSWER;
    }
    for (size_t i = 0; i < imu->config_bytes; i += UPLOAD_BYTES) {
        const size_t left = imu->config_bytes - i, n = left < UPLOAD_BYTES ? left : UPLOAD_BYTES;
        const uint8_t word[2] = {(uint8_t)(i / 2 & 0x0fu), (uint8_t)(i / 2 >> 4)};
        if (!imu->bus.write(imu->bus.context, imu->address, INIT_ADDR_0, word, 2)
            || !imu->bus.write(imu->bus.context, imu->address, INIT_DATA, imu->config + i, n)) {
            return EH_IMU_NO_ANSWER;
        }
    }
    if (!eh_imu_put(imu, INIT_CTRL, 1)) {
        return EH_IMU_NO_ANSWER;
    }
    return eh_imu_await(imu, INTERNAL_STATUS, 0x0fu, INIT_OK, 15, 10000);
}

static EhImuFault reset(EhImu *imu)
{
    uint8_t identity;
    if (imu->config == NULL || imu->config_bytes == 0) {
        return EH_IMU_NO_CONFIG;
    }
    if (!eh_imu_put(imu, CMD, SOFT_RESET)) {
        return EH_IMU_NO_ANSWER;
    }
    eh_imu_wait(imu, RESET_US);
    (void)eh_imu_read(imu, CHIP_ID, &identity, 1); /* back to SPI where it was on it */
    return upload(imu);
}

static EhImuFault set(EhImu *imu, const EhImuWanted *wanted)
{
    const int turns = wanted->gyro_dps > 0;
    const EhImuChoice *rate = eh_imu_choose(rates, sizeof rates / sizeof rates[0], wanted->rate_hz);
    const EhImuChoice *accel = eh_imu_choose(accel_ranges, 4, wanted->accel_g);
    const EhImuChoice *gyro = eh_imu_choose(gyro_ranges, 5, wanted->gyro_dps);
    uint8_t cross = 0;
    const EhImuFault fault = reset(imu);
    if (fault != EH_IMU_OK) {
        return fault;
    }
    if (!eh_imu_put(imu, FEAT_PAGE, 0) || !eh_imu_read(imu, GYR_CAS, &cross, 1)
        || !eh_imu_put(imu, ACC_CONF, (uint8_t)(ACC_BEST | rate->code)) || !eh_imu_put(imu, ACC_RANGE, accel->code)
        || !eh_imu_put(imu, GYR_CONF, (uint8_t)(GYR_BEST | rate->code)) || !eh_imu_put(imu, GYR_RANGE, gyro->code)
        || !eh_imu_put(imu, PWR_CTRL, turns ? GYR_AND_ACC_ON : ACC_ON)
        || !eh_imu_put(imu, FIFO_CONFIG_0, OVERWRITE_OLDEST)
        || !eh_imu_put(imu, FIFO_CONFIG_1, turns ? HEADER_GYR_AND_ACC : HEADER_ACC)) {
        return EH_IMU_NO_ANSWER;
    }
    eh_imu_wait(imu, SETTLE_US);
    imu->cross = (int16_t)((cross & 0x3f) - (cross & 0x40)); /* seven bits, signed */
    imu->set.period_ns = 1000000000u / rate->value;
    imu->set.accel_g = (uint8_t)accel->value;
    imu->set.gyro_dps = turns ? (uint16_t)gyro->value : 0;
    return eh_imu_put(imu, CMD, FIFO_FLUSH) ? EH_IMU_OK : EH_IMU_NO_ANSWER;
}

/* The numbers of a frame: gyroscope before accelerometer. */
static void unpack(const EhImu *imu, const uint8_t *numbers, int16_t sample[EH_IMU_CHANNELS])
{
    eh_imu_clear(sample);
    if (imu->set.gyro_dps > 0) {
        for (size_t c = 0; c < 3; c++) {
            sample[3 + c] = eh_imu_little(numbers + 2 * c);
        }
        /* GYR_CAS: the x axis feels some of z. */
        sample[3] = eh_imu_saturated(sample[3] - (int32_t)imu->cross * sample[5] / 512);
        numbers += NUMBERS_BYTES;
    }
    for (size_t c = 0; c < 3; c++) {
        sample[c] = eh_imu_little(numbers + 2 * c);
    }
}

/* The frames in bytes [n]. Returns the bytes of those that were whole. */
static size_t parse(const EhImu *imu, const uint8_t *bytes, size_t n, int16_t (*samples)[EH_IMU_CHANNELS], size_t room,
                    EhImuBatch *batch)
{
    const uint8_t regular = imu->set.gyro_dps > 0 ? FRAME_GYR_AND_ACC : FRAME_ACC;
    const size_t regular_bytes = 1u + (imu->set.gyro_dps > 0 ? 2u : 1u) * NUMBERS_BYTES;
    size_t at = 0;
    while (at < n) {
        const uint8_t header = (uint8_t)(bytes[at] & ~FRAME_TAGS);
        const size_t length = header == regular         ? regular_bytes
                              : header == FRAME_SKIPPED ? 2u
                              : header == FRAME_CONFIG  ? CONFIG_FRAME_BYTES
                                                        : n - at; /* 80h: nothing left */
        if (length > n - at) {
            break;
        }
        if (header == regular) {
            if (batch->n == room) {
                break;
            }
            unpack(imu, bytes + at + 1, samples[batch->n++]);
        } else if (header == FRAME_SKIPPED) {
            batch->overran = 1;
            batch->lost = bytes[at + 1] < 255 ? bytes[at + 1] : 0; /* 255: that many or more */
        }
        at += length;
    }
    return at;
}

static EhImuFault drain(EhImu *imu, int16_t (*samples)[EH_IMU_CHANNELS], size_t room, EhImuBatch *batch)
{
    uint8_t length[2], bytes[FRAMES_AT_ONCE * LONGEST_FRAME];
    const size_t each = 1u + (imu->set.gyro_dps > 0 ? 2u : 1u) * NUMBERS_BYTES;
    if (!eh_imu_read(imu, FIFO_LENGTH_0, length, 2)) {
        return EH_IMU_NO_ANSWER;
    }
    size_t left = length[0] | (length[1] & 0x3fu) << 8;
    while (left > 0 && batch->n < room) {
        /* A frame that is read in part comes again whole the next time, so pieces end with frames. Room
         * for n samples takes n frames and what else stands between them.
         */
        const size_t frames = room - batch->n < FRAMES_AT_ONCE ? room - batch->n : FRAMES_AT_ONCE;
        const size_t n = left < frames * each ? left : frames * each;
        if (!eh_imu_read(imu, FIFO_DATA, bytes, n)) {
            return EH_IMU_NO_ANSWER;
        }
        const size_t used = parse(imu, bytes, n, samples, room, batch);
        if (used == 0) {
            break;
        }
        left -= used < left ? used : left;
    }
    batch->left = left / each;
    return EH_IMU_OK;
}

const EhImuDriver eh_bmi270 = {
    .name = "bmi270",
    .addresses = {0x68, 0x69},
    .identity_reg = CHIP_ID,
    .identity = 0x24,
    .spi_spare = 1,
    .set = set,
    .drain = drain,
    .self_test = NULL,
};
