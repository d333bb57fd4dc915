/* What the drivers share: single registers, polling, choosing among what a chip has, unpacking numbers. */
#ifndef EH_IMU_PARTS_H
#define EH_IMU_PARTS_H

#include "eh_imu.h"

/* A value that a chip can be set to, and the code that stands for it in a register. */
typedef struct {
    uint32_t value;
    uint8_t code;
} EhImuChoice;

/* The smallest value of choices [n], sorted upwards, that is not below `wanted`; the largest where none is. */
const EhImuChoice *eh_imu_choose(const EhImuChoice *choices, size_t n, uint32_t wanted);

int eh_imu_read(EhImu *imu, uint8_t reg, uint8_t *to, size_t n);
int eh_imu_put(EhImu *imu, uint8_t reg, uint8_t value);

/* Read `reg` until (value & mask) == wanted, at most `tries` times, `every_us` apart. */
EhImuFault eh_imu_await(EhImu *imu, uint8_t reg, uint8_t mask, uint8_t wanted, int tries, uint32_t every_us);

static inline void eh_imu_wait(EhImu *imu, uint32_t us)
{
    imu->bus.delay_us(imu->bus.context, us);
}

static inline int16_t eh_imu_little(const uint8_t *at)
{
    return (int16_t)(uint16_t)(at[0] | (unsigned)at[1] << 8);
}

static inline int16_t eh_imu_saturated(int32_t value)
{
    return (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
}

/* The whole samples among `waiting` bytes of the FIFO behind `reg`, big-endian, three values each or six as is set. */
EhImuFault eh_imu_take_big(EhImu *imu, uint8_t reg, size_t waiting, int16_t (*samples)[EH_IMU_CHANNELS], size_t room,
                           EhImuBatch *batch);

/* A sample of zeros. */
static inline void eh_imu_clear(int16_t sample[EH_IMU_CHANNELS])
{
    for (size_t i = 0; i < EH_IMU_CHANNELS; i++) {
        sample[i] = 0;
    }
}

#endif
