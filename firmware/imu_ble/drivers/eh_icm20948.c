/* TDK InvenSense ICM-20948 (its magnetometer stays asleep). Registers: DS-000189 Rev 1.3, whose sections are named
 * below; they lie in four banks.
 */
#include "eh_imu_parts.h"

#define REG_BANK_SEL 0x7fu /* section 7, the same in every bank; the bank's number << 4 */

/* Bank 0, section 8. */
#define WHO_AM_I 0x00u
#define USER_CTRL 0x03u
#define LP_CONFIG 0x05u
#define PWR_MGMT_1 0x06u
#define PWR_MGMT_2 0x07u
#define INT_ENABLE_2 0x12u
#define INT_STATUS_2 0x1bu
#define FIFO_EN_2 0x67u
#define FIFO_RST 0x68u
#define FIFO_MODE 0x69u
#define FIFO_COUNT_H 0x70u
#define FIFO_R_W 0x72u

/* Bank 2, section 10. */
#define GYRO_SMPLRT_DIV 0x00u
#define GYRO_CONFIG_1 0x01u
#define ODR_ALIGN_EN 0x09u
#define ACCEL_SMPLRT_DIV_1 0x10u
#define ACCEL_SMPLRT_DIV_2 0x11u
#define ACCEL_CONFIG 0x14u

#define DEVICE_RESET 0x80u
#define BEST_CLOCK 0x01u /* PWR_MGMT_1: awake, on the gyroscope's PLL where it is ready */
#define GYRO_OFF 0x07u
#define FIFO_ON 0x40u
#define NO_I2C 0x10u /* USER_CTRL: on SPI, so that nothing on the wires can be taken for I2C */
#define FIFO_ACCEL 0x10u
#define FIFO_ACCEL_AND_GYRO 0x1eu
#define EVERY_FIFO 0x1fu
#define FILTERED 0x01u /* xxx_FCHOICE */

/* 10.11: the accelerometer's rate is 1.125 kHz / (1 + divider). 10.1 says 1.1 kHz for the gyroscope, table 1 of that
 * data sheet 562.5 Hz, half of 1125, for its fastest but one; both run from one clock. eh_stamp.h measures the rate.
 */
#define INTERNAL_HZ 1125u
#define MOST_DIVIDED 256u
#define SETTLE_US 50000u /* 35 ms for the gyroscope to start (table 1) */
/* Of 512: with more in it, it could run over between being counted and being read. */
#define NEARLY_FULL 488u

static const EhImuChoice accel_ranges[] = {{2, 0}, {4, 1}, {8, 2}, {16, 3}};
static const EhImuChoice gyro_ranges[] = {{250, 0}, {500, 1}, {1000, 2}, {2000, 3}};

/* Sample rates up to which a filter passes no more than half of them. Accelerometer (table 18): 5.7, 11.5, 23.9, 50.4,
 * 111.4, 246 Hz; gyroscope (table 16): 5.7, 11.6, 23.9, 51.2, 119.5, 151.8, 196.6 Hz.
 */
static const EhImuChoice filters[] = {{22, 6}, {47, 5}, {101, 4}, {222, 3}, {491, 2}, {INTERNAL_HZ, 1}};

static int bank(EhImu *imu, unsigned number)
{
    return eh_imu_put(imu, REG_BANK_SEL, (uint8_t)(number << 4));
}

static EhImuFault empty_fifo(EhImu *imu)
{
    return eh_imu_put(imu, FIFO_RST, EVERY_FIFO) && eh_imu_put(imu, FIFO_RST, 0) ? EH_IMU_OK : EH_IMU_NO_ANSWER;
}

static EhImuFault reset(EhImu *imu)
{
    if (!bank(imu, 0) || !eh_imu_put(imu, PWR_MGMT_1, DEVICE_RESET)) {
        return EH_IMU_NO_ANSWER;
    }
    return eh_imu_await(imu, PWR_MGMT_1, DEVICE_RESET, 0, 20, 10000);
}

static int set_rates_and_ranges(EhImu *imu, uint32_t every, unsigned filter, unsigned accel, unsigned gyro)
{
    return bank(imu, 2) && eh_imu_put(imu, ODR_ALIGN_EN, 1) && eh_imu_put(imu, GYRO_SMPLRT_DIV, (uint8_t)(every - 1))
           && eh_imu_put(imu, GYRO_CONFIG_1, (uint8_t)(filter << 3 | gyro << 1 | FILTERED))
           && eh_imu_put(imu, ACCEL_SMPLRT_DIV_1, 0)
           && eh_imu_put(imu, ACCEL_SMPLRT_DIV_2, (uint8_t)(every - 1))
           && eh_imu_put(imu, ACCEL_CONFIG, (uint8_t)(filter << 3 | accel << 1 | FILTERED)) && bank(imu, 0);
}

static EhImuFault set(EhImu *imu, const EhImuWanted *wanted)
{
    const int turns = wanted->gyro_dps > 0;
    const EhImuChoice *accel = eh_imu_choose(accel_ranges, 4, wanted->accel_g);
    const EhImuChoice *gyro = eh_imu_choose(gyro_ranges, 4, wanted->gyro_dps);
    const uint32_t fits = wanted->rate_hz > 0 ? INTERNAL_HZ / wanted->rate_hz : MOST_DIVIDED;
    const uint32_t every = fits < 1 ? 1 : fits > MOST_DIVIDED ? MOST_DIVIDED : fits;
    const EhImuChoice *filter = eh_imu_choose(filters, sizeof filters / sizeof filters[0], INTERNAL_HZ / every);
    const unsigned user = FIFO_ON | (imu->bus.on_spi ? NO_I2C : 0u);
    const EhImuFault fault = reset(imu);
    if (fault != EH_IMU_OK) {
        return fault;
    }
    if (!eh_imu_put(imu, PWR_MGMT_1, BEST_CLOCK) || !eh_imu_put(imu, PWR_MGMT_2, turns ? 0 : GYRO_OFF)
        || !eh_imu_put(imu, LP_CONFIG, 0) || !set_rates_and_ranges(imu, every, filter->code, accel->code, gyro->code)
        || !eh_imu_put(imu, INT_ENABLE_2, EVERY_FIFO)) {
        return EH_IMU_NO_ANSWER;
    }
    eh_imu_wait(imu, SETTLE_US);
    if (!eh_imu_put(imu, FIFO_MODE, 0) || !eh_imu_put(imu, FIFO_EN_2, turns ? FIFO_ACCEL_AND_GYRO : FIFO_ACCEL)
        || !eh_imu_put(imu, USER_CTRL, (uint8_t)user)) {
        return EH_IMU_NO_ANSWER;
    }
    imu->set.period_ns = (uint32_t)((uint64_t)every * 1000000000u / INTERNAL_HZ);
    imu->set.accel_g = (uint8_t)accel->value;
    imu->set.gyro_dps = turns ? (uint16_t)gyro->value : 0;
    return empty_fifo(imu);
}

static EhImuFault drain(EhImu *imu, int16_t (*samples)[EH_IMU_CHANNELS], size_t room, EhImuBatch *batch)
{
    uint8_t status, count[2];
    if (!eh_imu_read(imu, INT_STATUS_2, &status, 1) || !eh_imu_read(imu, FIFO_COUNT_H, count, 2)) {
        return EH_IMU_NO_ANSWER;
    }
    const size_t waiting = (count[0] & 0x1fu) << 8 | count[1];
    if ((status & EVERY_FIFO) || waiting > NEARLY_FULL) {
        /* 512 bytes are no whole number of samples: the oldest is cut somewhere, and nothing marks where. */
        batch->overran = 1;
        return empty_fifo(imu);
    }
    return eh_imu_take_big(imu, FIFO_R_W, waiting, samples, room, batch);
}

const EhImuDriver eh_icm20948 = {
    .name = "icm20948",
    .addresses = {0x68, 0x69},
    .identity_reg = WHO_AM_I,
    .identity = 0xea,
    .spi_spare = 0,
    .set = set,
    .drain = drain,
    .self_test = NULL,
};
