#include "sensor.h"

#include <stdio.h>

#include "bmi270_config.h"
#include "bus.h"
#include "eh_stamp.h"
#include "sdkconfig.h"

#define LOOK_EVERY_US 10000u
#define RETRY_EVERY_US 1000000u
#define SAMPLES_AT_ONCE 64u
#define LINE_BYTES 120u

static EhImu imu;
static EhBus bus;
static EhImuWanted wanted;
static EhImuFault fault = EH_IMU_NO_ANSWER; /* of the last thing that was tried */
static EhImuFault told = EH_IMU_OK;         /* what the log has said last */
static EhStamp stamp;
static uint64_t look_at_us;
static uint64_t next_us; /* when the sample after the last one was due; 0: there is none yet */

/* The sensor as it is wanted, from its reset on. */
static EhImuFault set(void)
{
    const EhImuFault now = eh_imu_set(&imu, &wanted);
    if (now == EH_IMU_OK) {
        eh_stamp_begin(&stamp, imu.set.period_ns);
    }
    return now;
}

static EhImuFault find(void)
{
    const EhImuFault now = eh_imu_find(&imu, &bus);
    imu.config = eh_bmi270_config(&imu.config_bytes);
    return now;
}

EhImuFault eh_sensor_begin(const EhImuWanted *as_wanted)
{
    wanted = *as_wanted;
    if (!eh_bus_begin(&bus)) {
        return fault;
    }
    EhImuFault test = EH_IMU_OK;
    fault = find();
    if (fault == EH_IMU_OK) {
#if CONFIG_EDGEHAR_SELF_TEST
        test = eh_imu_self_test(&imu);
#endif
        fault = set();
    }
    return fault != EH_IMU_OK ? fault : test;
}

const char *eh_sensor_name(void)
{
    return imu.driver != NULL ? imu.driver->name : "none";
}

EhTagSettings eh_sensor_settings(void)
{
    if (fault != EH_IMU_OK) {
        return (EhTagSettings){wanted.rate_hz, wanted.accel_g, wanted.gyro_dps};
    }
    const uint32_t hz = (1000000000u + imu.set.period_ns / 2) / imu.set.period_ns;
    return (EhTagSettings){(uint16_t)(hz > 0 ? hz : 1), imu.set.accel_g, imu.set.gyro_dps};
}

int eh_sensor_change(const EhCommand *command, EhTagSettings *settings)
{
    const EhImuWanted before = wanted;
    if (command->name == EH_COMMAND_RATE) {
        wanted.rate_hz = command->number;
    } else if (command->name == EH_COMMAND_ACCEL) {
        wanted.accel_g = (uint8_t)command->number;
    } else {
        wanted.gyro_dps = command->number;
    }
    if (imu.driver == NULL) {
        wanted = before;
        return 0;
    }
    fault = set();
    if (fault != EH_IMU_OK) {
        wanted = before;
        return 0;
    }
    *settings = eh_sensor_settings();
    return 1;
}

/* Say once what is wrong, and once that it is well again. */
static void tell(EhTag *tag)
{
    char line[LINE_BYTES];
    if (fault == told) {
        return;
    }
    if (fault == EH_IMU_OTHER_CHIP) {
        (void)snprintf(line, sizeof line, "sensor: at 0x%02x, register 0x%02x has 0x%02x: a chip that no driver knows",
                       imu.seen_address, imu.seen_reg, imu.seen);
    } else {
        (void)snprintf(line, sizeof line, "sensor: %s", eh_imu_fault_text(fault));
    }
    eh_tag_log(tag, fault == EH_IMU_OK ? 3 : 1, line);
    told = fault;
}

/* Samples that there would have been between the last one and `t_us`, had the sensor not been silent, or being set. */
static uint32_t missing_before(uint64_t t_us, uint32_t period_ns)
{
    const uint64_t gap_ns = next_us > 0 && t_us > next_us ? (t_us - next_us) * 1000u : 0;
    return (uint32_t)((gap_ns + period_ns / 2) / period_ns);
}

static void look(EhTag *tag, uint64_t now_us)
{
    static int16_t samples[SAMPLES_AT_ONCE][EH_IMU_CHANNELS];
    EhImuBatch batch;
    fault = eh_imu_drain(&imu, samples, SAMPLES_AT_ONCE, &batch);
    if (fault != EH_IMU_OK) {
        return; /* what was read of it is lost, and found missing afterwards */
    }
    const int fresh = !stamp.begun; /* the first look since it was set */
    const EhStamped when = eh_stamp_batch(&stamp, now_us, &batch);
    EhSampleBatch stamped = {
        .t_us = when.t_us,
        .period_ns = when.period_ns,
        .lost = when.lost,
        .accel_range_g = imu.set.accel_g,
        .gyro_range_dps = imu.set.gyro_dps,
    };
    if (fresh && batch.n > 0) {
        stamped.lost += missing_before(when.t_us, when.period_ns);
    }
    if (batch.n > 0 || stamped.lost > 0) {
        eh_tag_samples(tag, &stamped, samples, batch.n);
    }
    if (batch.n > 0) {
        next_us = when.t_us + (uint64_t)batch.n * when.period_ns / 1000u;
    }
}

int eh_sensor_poll(EhTag *tag, uint64_t now_us)
{
    tell(tag);
    if (now_us < look_at_us) {
        return 1;
    }
    look_at_us = now_us + LOOK_EVERY_US;
    if (imu.driver == NULL) {
        look_at_us = now_us + RETRY_EVERY_US;
        fault = bus.read != NULL ? find() : fault;
        return imu.driver == NULL; /* hello has told that there is no sensor, so everything begins again */
    }
    if (fault != EH_IMU_OK) {
        fault = set();
        look_at_us = now_us + (fault == EH_IMU_OK ? LOOK_EVERY_US : RETRY_EVERY_US);
        return 1;
    }
    look(tag, now_us);
    return 1;
}
