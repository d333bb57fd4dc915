/* InvenSense MPU-6050. Registers: RM-MPU-6000A-00 Rev 4.2, whose sections are named below; figures: PS-MPU-6000A-00
 * Rev 3.4.
 */
#include "eh_imu_parts.h"

#define SMPLRT_DIV 0x19u   /* section 4.4 */
#define CONFIG 0x1au       /* 4.5; behind it GYRO_CONFIG (4.6) and ACCEL_CONFIG (4.7) */
#define GYRO_CONFIG 0x1bu
#define ACCEL_CONFIG 0x1cu
#define FIFO_EN 0x23u      /* 4.9 */
#define INT_ENABLE 0x38u   /* 4.15 */
#define INT_STATUS 0x3au   /* 4.16 */
#define USER_CTRL 0x6au    /* 4.27 */
#define PWR_MGMT_1 0x6bu   /* 4.28 */
#define PWR_MGMT_2 0x6cu   /* 4.29 */
#define FIFO_COUNT_H 0x72u /* 4.30 */
#define FIFO_R_W 0x74u     /* 4.31 */
#define WHO_AM_I 0x75u     /* 4.32 */

#define DEVICE_RESET 0x80u
#define CLOCK_OF_GYRO_X 0x01u /* steadier than the chip's own oscillator, which it takes without a gyroscope: 0 */
#define GYRO_STANDBY 0x07u
#define FIFO_OVERFLOW 0x10u
#define FIFO_ACCEL 0x08u
#define FIFO_ACCEL_AND_GYRO 0x78u
#define FIFO_RESET 0x04u
#define FIFO_ON 0x40u

#define INTERNAL_HZ 1000u /* with the low-pass filter on (4.4) */
#define SLOWEST_HZ 4u
#define SETTLE_US 50000u /* 30 ms for the gyroscope to start (PS, section 6.1), 10 ms for its clock */
/* Of 1024: with more in it, it could run over between being counted and being read. */
#define NEARLY_FULL 1000u

static const EhImuChoice accel_ranges[] = {{2, 0}, {4, 1}, {8, 2}, {16, 3}};
static const EhImuChoice gyro_ranges[] = {{250, 0}, {500, 1}, {1000, 2}, {2000, 3}};

/* Sample rates up to which a filter of CONFIG passes no more than half of them: 5, 10, 20, 42, 94, 184 Hz. */
static const EhImuChoice filters[] = {{19, 6}, {39, 5}, {83, 4}, {187, 3}, {367, 2}, {INTERNAL_HZ, 1}};

static EhImuFault empty_fifo(EhImu *imu)
{
    /* 4.27: a reset takes only while the FIFO is off. */
    return eh_imu_put(imu, USER_CTRL, FIFO_RESET) && eh_imu_put(imu, USER_CTRL, FIFO_ON) ? EH_IMU_OK
                                                                                         : EH_IMU_NO_ANSWER;
}

static EhImuFault reset(EhImu *imu)
{
    if (!eh_imu_put(imu, PWR_MGMT_1, DEVICE_RESET)) {
        return EH_IMU_NO_ANSWER;
    }
    return eh_imu_await(imu, PWR_MGMT_1, DEVICE_RESET, 0, 20, 10000);
}

static EhImuFault set(EhImu *imu, const EhImuWanted *wanted)
{
    const int turns = wanted->gyro_dps > 0;
    const EhImuChoice *accel = eh_imu_choose(accel_ranges, 4, wanted->accel_g);
    const EhImuChoice *gyro = eh_imu_choose(gyro_ranges, 4, wanted->gyro_dps);
    const uint32_t slow = wanted->rate_hz < SLOWEST_HZ ? SLOWEST_HZ : wanted->rate_hz;
    const uint32_t every = slow > INTERNAL_HZ ? 1 : INTERNAL_HZ / slow;
    const EhImuChoice *filter = eh_imu_choose(filters, sizeof filters / sizeof filters[0], INTERNAL_HZ / every);
    const EhImuFault fault = reset(imu);
    if (fault != EH_IMU_OK) {
        return fault;
    }
    if (!eh_imu_put(imu, PWR_MGMT_1, turns ? CLOCK_OF_GYRO_X : 0)
        || !eh_imu_put(imu, PWR_MGMT_2, turns ? 0 : GYRO_STANDBY)
        || !eh_imu_put(imu, SMPLRT_DIV, (uint8_t)(every - 1)) || !eh_imu_put(imu, CONFIG, filter->code)
        || !eh_imu_put(imu, GYRO_CONFIG, (uint8_t)(gyro->code << 3))
        || !eh_imu_put(imu, ACCEL_CONFIG, (uint8_t)(accel->code << 3))
        || !eh_imu_put(imu, FIFO_EN, turns ? FIFO_ACCEL_AND_GYRO : FIFO_ACCEL)
        || !eh_imu_put(imu, INT_ENABLE, FIFO_OVERFLOW)) {
        return EH_IMU_NO_ANSWER;
    }
    eh_imu_wait(imu, SETTLE_US);
    imu->set.period_ns = every * (1000000000u / INTERNAL_HZ);
    imu->set.accel_g = (uint8_t)accel->value;
    imu->set.gyro_dps = turns ? (uint16_t)gyro->value : 0;
    return empty_fifo(imu);
}

static EhImuFault drain(EhImu *imu, int16_t (*samples)[EH_IMU_CHANNELS], size_t room, EhImuBatch *batch)
{
    uint8_t status, count[2];
    if (!eh_imu_read(imu, INT_STATUS, &status, 1) || !eh_imu_read(imu, FIFO_COUNT_H, count, 2)) {
        return EH_IMU_NO_ANSWER;
    }
    const size_t waiting = (size_t)count[0] << 8 | count[1];
    if ((status & FIFO_OVERFLOW) || waiting > NEARLY_FULL) {
        /* 1024 bytes are no whole number of samples: the oldest is cut somewhere, and nothing marks where. */
        batch->overran = 1;
        return empty_fifo(imu);
    }
    return eh_imu_take_big(imu, FIFO_R_W, waiting, samples, room, batch);
}

const EhImuDriver eh_mpu6050 = {
    .name = "mpu6050",
    .addresses = {0x68, 0x69},
    .identity_reg = WHO_AM_I,
    .identity = 0x68,
    .spi_spare = EH_IMU_NO_SPI,
    .set = set,
    .drain = drain,
    .self_test = NULL,
};
