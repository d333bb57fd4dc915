/* Runs the tag's firmware against the fake: a script on stdin, what the host gets on stdout, the trace on stderr.
 *
 *   nvs TYPE KEY VALUE, usb 0|1, reads 0|1, fail CALL     as for boards
 *   run MS                      the first one starts it      sensor NAME ADDRESS, or none: what is wired
 *   silent 0|1                  whether it answers           battery MV         the voltage on the GPIO
 *   connect MTU, disconnect     the host comes and goes      subscribe VALUE 0|1, read VALUE
 *   host TEXT                   a line, by its way           air N              notifications that leave a second
 *   test                        the sensor's self-test fails from now on
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "fake_tag.h"
#include "sdkconfig.h"

#define LINE 512

void app_main(void);

static const uint8_t config[8192] = {1, 2, 3}; /* what the tests build has in place of Bosch's */

static void plug(const char *name, const char *address)
{
    const FakeChip *chip = fake_chip_named(name);
    if (chip == NULL) {
        fake_sensor.chip = NULL;
        return;
    }
    fake_sensor_plug(&fake_sensor, chip, (uint8_t)strtol(address, NULL, 16));
    fake_sensor.now_us = (double)fake_now_us;
    fake_sensor.config = config;
    fake_sensor.config_bytes = sizeof config;
}

static void say(const char *text)
{
#if CONFIG_EDGEHAR_HOST_BLE
    fake_write(text, strlen(text));
#else
    char line[LINE];
    const int n = snprintf(line, sizeof line, "%s\n", text);
    fake_host_sends(line, (size_t)n);
#endif
}

static int obey(const char *word, const char *a, const char *b, const char *c, const char *rest)
{
    static int running;
    if (strcmp(word, "nvs") == 0) {
        fake_nvs_put(a, b, c);
    } else if (strcmp(word, "usb") == 0) {
        fake_host_connect(atoi(a));
    } else if (strcmp(word, "reads") == 0) {
        fake_host_reads(atoi(a));
    } else if (strcmp(word, "run") == 0) {
        if (!running++) {
            fake_start(app_main);
        }
        fake_run_until(fake_now_us + 1000 * atoll(a));
    } else if (strcmp(word, "sensor") == 0) {
        plug(a, b);
    } else if (strcmp(word, "silent") == 0) {
        fake_sensor.silent = atoi(a);
    } else if (strcmp(word, "test") == 0) {
        fake_sensor.worn = 1;
    } else if (strcmp(word, "battery") == 0) {
        fake_battery_mv = atoi(a);
    } else if (strcmp(word, "host") == 0) {
        say(rest);
    } else if (strcmp(word, "fail") == 0) {
        fake_fail(rest);
#if CONFIG_EDGEHAR_HOST_BLE
    } else if (strcmp(word, "connect") == 0) {
        fake_connect(atoi(a));
    } else if (strcmp(word, "disconnect") == 0) {
        fake_disconnect();
    } else if (strcmp(word, "subscribe") == 0) {
        fake_subscribe(a, atoi(b));
    } else if (strcmp(word, "read") == 0) {
        fake_read(a);
    } else if (strcmp(word, "air") == 0) {
        fake_air(atoi(a));
#endif
    } else {
        return 0;
    }
    return 1;
}

int main(void)
{
    static char line[LINE];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char word[16] = "", a[32] = "", b[32] = "", c[80] = "";
        line[strcspn(line, "\n")] = '\0';
        (void)sscanf(line, "%15s %31s %31s %79s", word, a, b, c);
        if (!obey(word, a, b, c, line + strcspn(line, " ") + (strchr(line, ' ') != NULL))) {
            fake_trace("unknown line %s", line);
            return 2;
        }
    }
    fake_nvs_dump();
    fflush(stdout);
    _Exit(0);
}
