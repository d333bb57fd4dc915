#include "tag.h"

#include "esp_app_desc.h"
#include "esp_task_wdt.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "sdkconfig.h"

#include "battery.h"
#include "chip.h"
#include "eh_tag.h"
#include "host.h"
#include "light.h"
#include "sensor.h"

#define BATTERY_EVERY_US 10000000u
#define TURN_MS 2u

static EhTag tag;
static EhSample queue[CONFIG_EDGEHAR_QUEUE_SAMPLES];
static uint64_t battery_at_us;

static EhReplyStatus apply(void *context, const EhCommand *command, EhTagSettings *settings)
{
    (void)context;
    switch (command->name) {
    case EH_COMMAND_RATE:
    case EH_COMMAND_ACCEL:
    case EH_COMMAND_GYRO:
        return eh_chip_reply(eh_sensor_change(command, settings));
    case EH_COMMAND_AXES:
        return eh_chip_reply(eh_settings_keep_axes((uint8_t)command->number));
    case EH_COMMAND_IDENTIFY:
        return eh_chip_reply(eh_light_blink());
    case EH_COMMAND_REBOOT:
        eh_chip_restart_soon();
        return EH_REPLY_DONE;
    default:
        return EH_REPLY_UNKNOWN_COMMAND;
    }
}

int eh_tag_begin(const EhSettings *settings, EhImuFault sensor)
{
    const EhTagSettings set = eh_sensor_settings();
    const EhTagPort port = {.send = eh_host_send, .apply = apply, .lock = eh_chip_lock, .unlock = eh_chip_unlock};
    EhWireImuHello identity = {
        .boot = settings->boot,
        .rate_hz = set.rate_hz,
        .accel_range_g = set.accel_range_g,
        .gyro_range_dps = set.gyro_range_dps,
        .axes = settings->axes,
        .flags = EH_BOARD_RUNNING,
        .battery_percent = eh_battery_percent(),
    };
    eh_chip_text(identity.chip, sizeof identity.chip, CONFIG_IDF_TARGET);
    eh_chip_text(identity.firmware, sizeof identity.firmware, esp_app_get_description()->version);
    eh_chip_text(identity.name, sizeof identity.name, settings->name);
    eh_chip_text(identity.sensor, sizeof identity.sensor, eh_sensor_name());
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
    if (eh_chip_now_us() >= battery_at_us) {
        const uint8_t percent = eh_battery_percent();
        battery_at_us = eh_chip_now_us() + BATTERY_EVERY_US;
        eh_tag_battery(&tag, percent);
        eh_host_battery(percent);
    }
}

void eh_tag_serve(void)
{
    ESP_ERROR_CHECK(esp_task_wdt_add(NULL));
    for (;;) {
        eh_host_serve(&tag);
        if (!eh_sensor_poll(&tag, eh_chip_now_us())) {
            eh_chip_restart_next();
        }
        watch_battery();
        eh_chip_restart_due(eh_tag_poll(&tag, eh_chip_now_us()) && !eh_host_sending());
        ESP_ERROR_CHECK(esp_task_wdt_reset());
        vTaskDelay(pdMS_TO_TICKS(TURN_MS));
    }
}
