/* Inertial sensors as their data sheets describe them, register by register, for drivers to be tested against: banks,
 * FIFOs that run over, resets that take their time. Written from the data sheets that the drivers name, not from the
 * drivers.
 */
#ifndef FAKE_SENSOR_H
#define FAKE_SENSOR_H

#include <stddef.h>
#include <stdint.h>

#define FAKE_REGISTERS 128u
#define FAKE_BANKS 4u
#define FAKE_FIFO_BYTES 8192u

typedef struct FakeSensor FakeSensor;

/* What tells one chip from another. */
typedef struct {
    const char *name;
    uint8_t identity_reg;
    void (*reset)(FakeSensor *sensor);
    /* Before a register is read, after one was written; `reg` counts up as the chip does it, from what this returns. */
    uint8_t (*next_reg)(const FakeSensor *sensor, uint8_t reg);
    uint8_t (*read)(FakeSensor *sensor, uint8_t reg);
    void (*wrote)(FakeSensor *sensor, uint8_t reg, uint8_t value);
    double (*period_us)(const FakeSensor *sensor); /* 0: it samples nothing */
    void (*sample)(FakeSensor *sensor);
    void (*burst_ended)(FakeSensor *sensor); /* NULL: nothing happens then */
} FakeChip;

struct FakeSensor {
    const FakeChip *chip;
    uint8_t address;
    uint8_t registers[FAKE_BANKS][FAKE_REGISTERS];
    uint8_t bank;
    uint8_t identity; /* another than the chip's own: for a part that pretends */
    int silent;       /* acknowledges nothing */
    long fails_after; /* transfers until it falls silent; negative: never */
    int stuck;        /* does not come out of a reset */
    int worn;         /* does not move in its self-test */
    double off;       /* its clock's error: 0.01 is one percent fast */
    double now_us, next_us, reset_done_us;
    uint32_t taken; /* samples since it was switched on; x of the accelerometer has the low 14 bits */
    int on_spi, spare_seen;
    uint8_t fifo[FAKE_FIFO_BYTES];
    size_t fifo_bytes, fifo_used, fifo_first;
    uint32_t skipped; /* BMI270: frames thrown away since the last read */
    int overrun;
    uint8_t latched; /* MPU-6050, ICM-20948: low half of the FIFO's count */
    uint8_t uploaded[FAKE_FIFO_BYTES];
    size_t upload_at, upload_bytes;
    const uint8_t *config;
    size_t config_bytes;
    int config_frames;
};

extern const FakeChip fake_lsm6dso, fake_mpu6050, fake_icm20948, fake_bmi270;

/* A chip on the bus, just powered. NULL for a name that there is none of. */
const FakeChip *fake_chip_named(const char *name);
void fake_sensor_plug(FakeSensor *sensor, const FakeChip *chip, uint8_t address);

/* Time passes, and samples are taken. */
void fake_sensor_advance(FakeSensor *sensor, double us);

/* The bus: 1 where the chip acknowledged. */
int fake_sensor_read(FakeSensor *sensor, uint8_t address, uint8_t reg, uint8_t *to, size_t n);
int fake_sensor_write(FakeSensor *sensor, uint8_t address, uint8_t reg, const uint8_t *from, size_t n);

/* What the world does at the next sample: 1 g on z and -0.5 g on y; 90, 0 and -45 degrees a second. Accelerometer x is
 * the sample's number. In digits of which `full` is the value 32768.
 */
int16_t fake_accel(const FakeSensor *sensor, int axis, double full_g);
int16_t fake_gyro(const FakeSensor *sensor, int axis, double full_dps);

/* A register of bank 0. */
uint8_t *fake_at(FakeSensor *sensor, uint8_t reg);
uint8_t fake_get(const FakeSensor *sensor, uint8_t reg);

/* Whether a reset that was begun has ended. */
int fake_reset_is_over(const FakeSensor *sensor);

/* The FIFO as bytes, of which the oldest fall out of the front. */
void fake_fifo_push(FakeSensor *sensor, const uint8_t *bytes, size_t n);
void fake_fifo_push_big_endian(FakeSensor *sensor, int16_t number);
uint8_t fake_fifo_pop(FakeSensor *sensor);
void fake_fifo_clear(FakeSensor *sensor);
uint8_t fake_fifo_at(const FakeSensor *sensor, size_t i);

#endif
