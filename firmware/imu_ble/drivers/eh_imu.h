/* An inertial sensor behind one small interface: found by its identity, set to a rate and ranges, read from its FIFO.
 *
 *   EhImu imu;
 *   if (eh_imu_find(&imu, &bus) == EH_IMU_OK && eh_imu_set(&imu, &wanted) == EH_IMU_OK) {
 *       for (;;) { eh_imu_drain(&imu, samples, room, &batch); ... }
 *   }
 *
 * Samples are as the chip gives them, in its own axes: accelerometer x y z, gyroscope x y z. Their value 32768 is the
 * range. Nothing is allocated, and nothing but the bus is touched.
 */
#ifndef EH_IMU_H
#define EH_IMU_H

#include <stddef.h>
#include <stdint.h>

#define EH_IMU_CHANNELS 6u
#define EH_IMU_ADDRESSES 2u

typedef enum {
    EH_IMU_OK = 0,
    EH_IMU_NO_ANSWER,  /* nobody acknowledged, or the bus failed */
    EH_IMU_OTHER_CHIP, /* somebody answered, and is no chip that a driver knows: see EhImu.seen */
    EH_IMU_NOT_READY,  /* the chip did not come out of its reset or its initialisation */
    EH_IMU_NO_CONFIG,  /* a BMI270, and this build has not its configuration file */
    EH_IMU_WORN        /* its self-test is outside the limits of its data sheet */
} EhImuFault;

/* The way to the chips. Registers of one chip stand at one address on I2C, or behind one chip-select on SPI. */
typedef struct {
    void *context;
    /* Read or write n bytes from the register `reg` on; 1 where the chip acknowledged. `spare`: bytes that a chip sends
     * before its data on SPI (0 on every chip but the BMI270); on I2C it means nothing.
     */
    int (*read)(void *context, uint8_t address, uint8_t reg, uint8_t spare, uint8_t *to, size_t n);
    int (*write)(void *context, uint8_t address, uint8_t reg, const uint8_t *from, size_t n);
    void (*delay_us)(void *context, uint32_t us);
    uint8_t on_spi; /* 1: one chip, its address means nothing */
} EhBus;

/* What is asked for, and what the chip then does. */
typedef struct {
    uint16_t rate_hz;
    uint8_t accel_g;
    uint16_t gyro_dps; /* 0: the gyroscope stays off, and samples have zeros in its place */
} EhImuWanted;

typedef struct {
    uint32_t period_ns; /* as the data sheet, or the chip's own trim, has it; eh_stamp.h measures it */
    uint8_t accel_g;
    uint16_t gyro_dps; /* 0: off */
} EhImuSet;

/* What came of one look into the FIFO. */
typedef struct {
    size_t n;        /* samples read */
    size_t left;     /* samples that were there and did not fit; the next look gets them */
    uint8_t overran; /* samples were lost since the look before, in front of the first of these */
    uint32_t lost;   /* how many, where the chip tells; 0: the clock has to say (eh_stamp.h) */
} EhImuBatch;

typedef struct EhImuDriver EhImuDriver;

typedef struct {
    const EhImuDriver *driver;
    EhBus bus;
    uint8_t address;
    EhImuSet set;
    uint8_t seen_address, seen_reg, seen; /* of OTHER_CHIP: who answered, and what stood where identities stand */
    /* The BMI270's configuration file; given before eh_imu_set. NULL: none. */
    const uint8_t *config;
    size_t config_bytes;
    /* A driver's own. */
    int16_t cross; /* BMI270: the part of z that its x turn rate has to lose, in 1/512 */
    uint8_t part;  /* LSM6DSO: which halves of `half` are there, and their number */
    uint8_t part_number;
    int16_t half[EH_IMU_CHANNELS];
} EhImu;

struct EhImuDriver {
    const char *name; /* as hello tells it */
    uint8_t addresses[EH_IMU_ADDRESSES];
    uint8_t identity_reg, identity;
    uint8_t spi_spare; /* bytes that it sends before its data; 255: it has no SPI */
    EhImuFault (*set)(EhImu *imu, const EhImuWanted *wanted);
    EhImuFault (*drain)(EhImu *imu, int16_t (*samples)[EH_IMU_CHANNELS], size_t room, EhImuBatch *batch);
    EhImuFault (*self_test)(EhImu *imu); /* NULL: none without the maker's own library */
};

#define EH_IMU_NO_SPI 255u

extern const EhImuDriver eh_lsm6dso, eh_mpu6050, eh_icm20948, eh_bmi270;

/* Look for a chip at every address that a driver knows. On OTHER_CHIP, `seen` says what answered there. */
EhImuFault eh_imu_find(EhImu *imu, const EhBus *bus);

/* Reset the chip and set it going; imu->set is what it does then: the slowest rate that is not slower than wanted, or
 * its fastest; the narrowest range that holds the one asked for, or its widest.
 */
EhImuFault eh_imu_set(EhImu *imu, const EhImuWanted *wanted);

/* Empty the FIFO into samples [room][6], oldest first. */
EhImuFault eh_imu_drain(EhImu *imu, int16_t (*samples)[EH_IMU_CHANNELS], size_t room, EhImuBatch *batch);

/* Move the sensing masses by their own electrodes and look whether they move as they should. The chip must lie still;
 * eh_imu_set has to follow. OK too for a chip without a test.
 */
EhImuFault eh_imu_self_test(EhImu *imu);

/* A few words for a log. */
const char *eh_imu_fault_text(EhImuFault fault);

#endif
