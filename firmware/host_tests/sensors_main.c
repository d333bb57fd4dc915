/* The sensor drivers against chips in software: a script of lines on stdin, answers on stdout, one a line.
 *
 *   plug NAME ADDRESS         a chip on the bus, fresh        id VALUE, silent, stuck, worn   what is wrong with it
 *   off RATIO, trim VALUE     its clock; LSM6DSO's trim       fails N    the bus fails after N transfers
 *   spi                       the bus is SPI                  cross VALUE  BMI270's GYR_CAS
 *   config N                  the drivers get a configuration file of N bytes
 *   find                      -> find FAULT NAME ADDRESS REGISTER SEEN
 *   set RATE G DPS            -> set FAULT PERIOD_NS G DPS
 *   run US                    time passes                     test      -> test FAULT
 *   drain ROOM                -> drain FAULT N LEFT OVERRAN LOST T_US PERIOD_NS LOST_BY_TIME NOW_US, a line a sample
 *   trace                     -> from now on, every transfer: r|w ADDRESS REGISTER BYTES
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eh_imu.h"
#include "eh_stamp.h"
#include "fake_sensor.h"

#define BYTE_US 22.5 /* nine bits at 400 kHz */

static FakeSensor sensor;
static EhBus bus;
static EhImu imu;
static EhStamp stamp;
static uint8_t config[FAKE_FIFO_BYTES];
static size_t config_bytes;
static int traced;

static void trace(char way, uint8_t address, uint8_t reg, const uint8_t *bytes, size_t n)
{
    if (traced) {
        printf("%c %02x %02x ", way, address, reg);
        for (size_t i = 0; i < n; i++) {
            printf("%02x", bytes[i]);
        }
        printf("\n");
    }
}

static int read_bus(void *context, uint8_t address, uint8_t reg, uint8_t spare, uint8_t *to, size_t n)
{
    (void)context;
    sensor.spare_seen = spare;
    fake_sensor_advance(&sensor, 3 * BYTE_US);
    const int done = fake_sensor_read(&sensor, address, reg, to, n);
    fake_sensor_advance(&sensor, (double)n * BYTE_US);
    trace(done ? 'r' : '!', address, reg, to, done ? n : 0);
    return done;
}

static int write_bus(void *context, uint8_t address, uint8_t reg, const uint8_t *from, size_t n)
{
    (void)context;
    fake_sensor_advance(&sensor, (double)(n + 2) * BYTE_US);
    trace('w', address, reg, from, n);
    return fake_sensor_write(&sensor, address, reg, from, n);
}

static void delay(void *context, uint32_t us)
{
    (void)context;
    fake_sensor_advance(&sensor, us);
}

static void set(const char *rest)
{
    unsigned rate, accel, gyro;
    if (sscanf(rest, "%u %u %u", &rate, &accel, &gyro) != 3) {
        exit(2);
    }
    const EhImuWanted wanted = {(uint16_t)rate, (uint8_t)accel, (uint16_t)gyro};
    imu.config = config_bytes > 0 ? config : NULL;
    imu.config_bytes = config_bytes;
    const EhImuFault fault = eh_imu_set(&imu, &wanted);
    printf("set %d %u %u %u\n", (int)fault, imu.set.period_ns, imu.set.accel_g, imu.set.gyro_dps);
    if (fault == EH_IMU_OK) {
        eh_stamp_begin(&stamp, imu.set.period_ns);
    }
}

static void drain(size_t room)
{
    /* As long as it is told to be, so that a sample too many is seen. */
    int16_t (*samples)[EH_IMU_CHANNELS] = malloc((room + (room == 0)) * sizeof *samples);
    EhImuBatch batch;
    const uint64_t now_us = (uint64_t)sensor.now_us;
    const EhImuFault fault = eh_imu_drain(&imu, samples, room, &batch);
    const EhStamped when = eh_stamp_batch(&stamp, now_us, &batch);
    printf("drain %d %zu %zu %d %u %llu %u %u %llu\n", (int)fault, batch.n, batch.left, batch.overran, batch.lost,
           (unsigned long long)when.t_us, when.period_ns, when.lost, (unsigned long long)now_us);
    for (size_t i = 0; i < batch.n; i++) {
        const int16_t *x = samples[i];
        printf("%d %d %d %d %d %d\n", x[0], x[1], x[2], x[3], x[4], x[5]);
    }
    free(samples);
}

static int obey(const char *word, const char *rest)
{
    char name[16] = "";
    unsigned number = 0;
    if (strcmp(word, "plug") == 0 && sscanf(rest, "%15s %x", name, &number) == 2 && fake_chip_named(name)) {
        fake_sensor_plug(&sensor, fake_chip_named(name), (uint8_t)number);
        sensor.config = config;
        sensor.config_bytes = sizeof config;
    } else if (strcmp(word, "id") == 0) {
        sensor.identity = (uint8_t)strtol(rest, NULL, 16);
    } else if (strcmp(word, "silent") == 0) {
        sensor.silent = 1;
    } else if (strcmp(word, "stuck") == 0) {
        sensor.stuck = 1;
    } else if (strcmp(word, "worn") == 0) {
        sensor.worn = 1;
    } else if (strcmp(word, "off") == 0) {
        sensor.off = strtod(rest, NULL);
    } else if (strcmp(word, "trim") == 0) {
        sensor.registers[0][0x63] = (uint8_t)strtol(rest, NULL, 10);
    } else if (strcmp(word, "cross") == 0) {
        sensor.registers[0][0x3c] = (uint8_t)strtol(rest, NULL, 10);
    } else if (strcmp(word, "fails") == 0) {
        sensor.fails_after = strtol(rest, NULL, 10);
    } else if (strcmp(word, "spi") == 0) {
        bus.on_spi = 1;
        sensor.on_spi = 1;
    } else if (strcmp(word, "config") == 0) {
        config_bytes = (size_t)strtol(rest, NULL, 10);
    } else if (strcmp(word, "find") == 0) {
        const EhImuFault fault = eh_imu_find(&imu, &bus);
        printf("find %d %s %02x %02x %02x\n", (int)fault, imu.driver ? imu.driver->name : "-",
               imu.driver ? imu.address : imu.seen_address, imu.seen_reg, imu.seen);
    } else if (strcmp(word, "set") == 0) {
        set(rest);
    } else if (strcmp(word, "run") == 0) {
        fake_sensor_advance(&sensor, strtod(rest, NULL));
    } else if (strcmp(word, "drain") == 0) {
        drain((size_t)strtol(rest, NULL, 10));
    } else if (strcmp(word, "test") == 0) {
        printf("test %d\n", (int)eh_imu_self_test(&imu));
    } else if (strcmp(word, "trace") == 0) {
        traced = 1;
    } else {
        return 0;
    }
    return 1;
}

int main(void)
{
    char line[128];
    bus = (EhBus){.read = read_bus, .write = write_bus, .delay_us = delay};
    for (size_t i = 0; i < sizeof config; i++) {
        config[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        char word[16] = "";
        line[strcspn(line, "\n")] = '\0';
        (void)sscanf(line, "%15s", word);
        if (!obey(word, line + strcspn(line, " "))) {
            fprintf(stderr, "bad line: %s\n", line);
            return 2;
        }
    }
    return 0;
}
