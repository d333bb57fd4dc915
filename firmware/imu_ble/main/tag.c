#include "tag.h"

#include <string.h>

#include "esp_app_desc.h"
#include "esp_system.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "sdkconfig.h"

#include "battery.h"
#include "eh_tag.h"
#include "host.h"
#include "light.h"
#include "sensor.h"

#define LAST_WORDS_US 500000u /* for the reply to reboot */
#define BATTERY_EVERY_US 10000000u
#define TURN_MS 2u

static EhTag tag;
static EhSample queue[CONFIG_EDGEHAR_QUEUE_SAMPLES];
static portMUX_TYPE mutex = portMUX_INITIALIZER_UNLOCKED;
static uint64_t restart_at_us; /* 0: not asked to */
static uint64_t battery_at_us;

static uint64_t now_us(void)
{
    return (uint64_t)esp_timer_get_time();
}

static void lock(void *context)
{
    (void)context;
    portENTER_CRITICAL(&mutex);
}

static void unlock(void *context)
{
    (void)context;
    portEXIT_CRITICAL(&mutex);
}

static EhReplyStatus done_or_failed(int done)
{
    return done ? EH_REPLY_DONE : EH_REPLY_FAILED;
}

static EhReplyStatus apply(void *context, const EhCommand *command, EhTagSettings *settings)
{
    (void)context;
    switch (command->name) {
    case EH_COMMAND_RATE:
    case EH_COMMAND_ACCEL:
    case EH_COMMAND_GYRO:
        return done_or_failed(eh_sensor_change(command, settings));
    case EH_COMMAND_AXES:
        return done_or_failed(eh_settings_keep_axes((uint8_t)command->number));
    case EH_COMMAND_IDENTIFY:
        return done_or_failed(eh_light_blink());
    case EH_COMMAND_REBOOT:
        restart_at_us = now_us() + LAST_WORDS_US;
        return EH_REPLY_DONE;
    default:
        return EH_REPLY_UNKNOWN_COMMAND;
    }
}

static void copy_text(char *to, size_t room, const char *text)
{
    const size_t n = strlen(text);
    memset(to, 0, room);
    memcpy(to, text, n < room ? n : room);
}

int eh_tag_begin(const EhSettings *settings, EhImuFault sensor)
{
    const EhTagSettings set = eh_sensor_settings();
    const EhTagPort port = {.send = eh_host_send, .apply = apply, .lock = lock, .unlock = unlock};
    EhWireImuHello identity = {
        .boot = settings->boot,
        .rate_hz = set.rate_hz,
        .accel_range_g = set.accel_range_g,
        .gyro_range_dps = set.gyro_range_dps,
        .axes = settings->axes,
        .flags = EH_BOARD_RUNNING,
        .battery_percent = eh_battery_percent(),
    };
    copy_text(identity.chip, sizeof identity.chip, CONFIG_IDF_TARGET);
    copy_text(identity.firmware, sizeof identity.firmware, esp_app_get_description()->version);
    copy_text(identity.name, sizeof identity.name, settings->name);
    copy_text(identity.sensor, sizeof identity.sensor, eh_sensor_name());
    if (!eh_tag_init(&tag, &identity, &port, queue, sizeof queue / sizeof queue[0])) {
        return 0;
    }
    if (settings->complaint != NULL) {
        eh_tag_log(&tag, 2, settings->complaint);
    }
    if (sensor == EH_IMU_WORN) {
        eh_tag_log(&tag, 2, eh_imu_fault_text(sensor));
    }
    return eh_host_begin(&tag, settings->name);
}

static void watch_battery(void)
{
    if (now_us() >= battery_at_us) {
        const uint8_t percent = eh_battery_percent();
        battery_at_us = now_us() + BATTERY_EVERY_US;
        eh_tag_battery(&tag, percent);
        eh_host_battery(percent);
    }
}

void eh_tag_serve(void)
{
    ESP_ERROR_CHECK(esp_task_wdt_add(NULL));
    for (;;) {
        eh_host_serve(&tag);
        if (!eh_sensor_poll(&tag, now_us()) && restart_at_us == 0) {
            restart_at_us = now_us();
        }
        watch_battery();
        const int all_sent = eh_tag_poll(&tag, now_us()) && !eh_host_sending();
        if (restart_at_us != 0 && (all_sent || now_us() >= restart_at_us)) {
            vTaskDelay(pdMS_TO_TICKS(100)); /* what the driver, or the air, still holds */
            esp_restart();
        }
        ESP_ERROR_CHECK(esp_task_wdt_reset());
        vTaskDelay(pdMS_TO_TICKS(TURN_MS));
    }
}
