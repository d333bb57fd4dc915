#include "eh_imu.h"

#include "eh_imu_parts.h"

#define BYTES_AT_ONCE 120u /* of a FIFO: bus drivers keep small buffers */

static const EhImuDriver *const drivers[] = {&eh_lsm6dso, &eh_bmi270, &eh_icm20948, &eh_mpu6050};

/* Take `driver` at its address number `i` where its identity stands there. What stood there instead goes to `seen`. */
static EhImuFault probe(EhImu *imu, const EhImuDriver *driver, size_t i)
{
    uint8_t identity = 0;
    imu->driver = driver;
    imu->address = driver->addresses[i];
    /* Twice: a BMI270 speaks I2C until its chip-select has gone up once, so its first answer on SPI is noise. */
    const int first = eh_imu_read(imu, driver->identity_reg, &identity, 1);
    if (!first || (imu->bus.on_spi && !eh_imu_read(imu, driver->identity_reg, &identity, 1))) {
        return EH_IMU_NO_ANSWER;
    }
    if (identity == driver->identity) {
        return EH_IMU_OK;
    }
    if (imu->seen_address == 0 || (identity != 0x00 && identity != 0xff)) { /* those two say little */
        imu->seen_address = imu->address;
        imu->seen_reg = driver->identity_reg;
        imu->seen = identity;
    }
    return EH_IMU_OTHER_CHIP;
}

EhImuFault eh_imu_find(EhImu *imu, const EhBus *bus)
{
    EhImuFault fault = EH_IMU_NO_ANSWER;
    imu->bus = *bus;
    imu->config = NULL;
    imu->config_bytes = 0;
    imu->seen_address = 0;
    imu->seen_reg = 0;
    imu->seen = 0;
    for (size_t d = 0; d < sizeof drivers / sizeof drivers[0]; d++) {
        for (size_t i = 0; i < EH_IMU_ADDRESSES; i++) {
            if (bus->on_spi && (i > 0 || drivers[d]->spi_spare == EH_IMU_NO_SPI)) {
                continue;
            }
            const EhImuFault here = probe(imu, drivers[d], i);
            if (here == EH_IMU_OK) {
                return EH_IMU_OK;
            }
            fault = here == EH_IMU_OTHER_CHIP ? here : fault;
        }
    }
    imu->driver = NULL;
    return fault;
}

EhImuFault eh_imu_set(EhImu *imu, const EhImuWanted *wanted)
{
    imu->part = 0;
    imu->cross = 0;
    return imu->driver->set(imu, wanted);
}

EhImuFault eh_imu_drain(EhImu *imu, int16_t (*samples)[EH_IMU_CHANNELS], size_t room, EhImuBatch *batch)
{
    batch->n = 0;
    batch->left = 0;
    batch->overran = 0;
    batch->lost = 0;
    return imu->driver->drain(imu, samples, room, batch);
}

EhImuFault eh_imu_self_test(EhImu *imu)
{
    return imu->driver->self_test ? imu->driver->self_test(imu) : EH_IMU_OK;
}

const char *eh_imu_fault_text(EhImuFault fault)
{
    switch (fault) {
    case EH_IMU_OK:
        return "well";
    case EH_IMU_NO_ANSWER:
        return "no sensor answers: check its wires, its power and the pins of this build";
    case EH_IMU_OTHER_CHIP:
        return "a chip answers that no driver knows";
    case EH_IMU_NOT_READY:
        return "the sensor does not come out of its reset";
    case EH_IMU_NO_CONFIG:
        return "a BMI270 needs Bosch's configuration file in the build: edgehar firmware build imu_ble --bmi270 FILE";
    case EH_IMU_WORN:
        return "the sensor's self-test is outside its limits: it was moved meanwhile, or is damaged";
    }
    return "";
}

const EhImuChoice *eh_imu_choose(const EhImuChoice *choices, size_t n, uint32_t wanted)
{
    size_t i = 0;
    while (i + 1 < n && choices[i].value < wanted) {
        i++;
    }
    return &choices[i];
}

int eh_imu_read(EhImu *imu, uint8_t reg, uint8_t *to, size_t n)
{
    return imu->bus.read(imu->bus.context, imu->address, reg, imu->driver->spi_spare, to, n);
}

int eh_imu_put(EhImu *imu, uint8_t reg, uint8_t value)
{
    return imu->bus.write(imu->bus.context, imu->address, reg, &value, 1);
}

EhImuFault eh_imu_await(EhImu *imu, uint8_t reg, uint8_t mask, uint8_t wanted, int tries, uint32_t every_us)
{
    for (int i = 0; i < tries; i++) {
        uint8_t value = 0;
        eh_imu_wait(imu, every_us);
        /* Chips do not acknowledge while they start again, so silence is no fault yet. */
        if (eh_imu_read(imu, reg, &value, 1) && (value & mask) == wanted) {
            return EH_IMU_OK;
        }
    }
    return EH_IMU_NOT_READY;
}

/* n samples of `values` big-endian numbers each; zeros where a sample has less than six. */
static void unpack_big(const uint8_t *bytes, size_t n, size_t values, int16_t (*samples)[EH_IMU_CHANNELS])
{
    for (size_t i = 0; i < n; i++) {
        eh_imu_clear(samples[i]);
        for (size_t c = 0; c < values; c++, bytes += 2) {
            samples[i][c] = (int16_t)(uint16_t)((unsigned)bytes[0] << 8 | bytes[1]);
        }
    }
}

EhImuFault eh_imu_take_big(EhImu *imu, uint8_t reg, size_t waiting, int16_t (*samples)[EH_IMU_CHANNELS], size_t room,
                           EhImuBatch *batch)
{
    uint8_t bytes[BYTES_AT_ONCE];
    const size_t values = imu->set.gyro_dps > 0 ? 6 : 3, each = 2 * values;
    const size_t there = waiting / each;
    batch->left = there > room ? there - room : 0;
    while (batch->n < there - batch->left) {
        const size_t rest = there - batch->left - batch->n;
        const size_t n = rest < BYTES_AT_ONCE / each ? rest : BYTES_AT_ONCE / each;
        if (!eh_imu_read(imu, reg, bytes, n * each)) {
            return EH_IMU_NO_ANSWER;
        }
        unpack_big(bytes, n, values, samples + batch->n);
        batch->n += n;
    }
    return EH_IMU_OK;
}
