#include "node.h"

#include "esp_app_desc.h"
#include "esp_task_wdt.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "sdkconfig.h"

#include "chip.h"
#include "gain.h"
#include "light.h"
#include "onboard.h"
#include "radio.h"
#include "traffic.h"

#define READ_BYTES 64u

static EhBoard board;
static uint8_t ring[CONFIG_EDGEHAR_RING_BYTES];
static const EhLink *link;

EhBoard *eh_node(void)
{
    return &board;
}

static size_t write_link(void *context, const uint8_t *bytes, size_t n)
{
    (void)context;
    return link->write(bytes, n);
}

static EhReplyStatus apply(void *context, const EhCommand *command)
{
    (void)context;
    switch (command->name) {
    case EH_COMMAND_RATE:
        return eh_chip_reply(eh_traffic_rate(command->number));
    case EH_COMMAND_CHANNEL:
        return eh_chip_reply(eh_radio_tune((uint8_t)command->number, command->word));
    case EH_COMMAND_GAIN:
        return eh_chip_reply(eh_gain_hold(command->word == 0));
    case EH_COMMAND_IDENTIFY:
        return eh_chip_reply(eh_light_blink());
    case EH_COMMAND_REBOOT:
        eh_chip_restart_soon();
        return EH_REPLY_DONE;
    default:
        return EH_REPLY_UNKNOWN_COMMAND;
    }
}

int eh_node_begin(const EhSettings *settings, const uint8_t key[EH_KEY_BYTES], const EhLink *host)
{
    EhWireHello identity = {
        .boot = settings->boot,
        .role = (uint8_t)settings->role,
        .csi = 1, /* radio.c does not compile without */
        .flags = EH_ONBOARD_ALONE ? EH_BOARD_SALTED : EH_BOARD_RUNNING | EH_BOARD_SALTED,
        .link = (uint8_t)host->kind,
        .baud = host->baud,
        .rate_hz = settings->rate_hz,
    };
    const EhPort port = {.write = write_link, .apply = apply, .lock = eh_chip_lock, .unlock = eh_chip_unlock};
    link = host;
    eh_chip_text(identity.chip, sizeof identity.chip, CONFIG_IDF_TARGET);
    eh_chip_text(identity.firmware, sizeof identity.firmware, esp_app_get_description()->version);
    eh_chip_text(identity.name, sizeof identity.name, settings->name);
    if (!eh_board_init(&board, &identity, key, &port, ring, sizeof ring)) {
        return 0;
    }
    if (settings->complaint != NULL) {
        eh_board_log(&board, 2, settings->complaint);
    }
    return 1;
}

void eh_node_log(uint8_t level, const char *text)
{
    eh_board_log(&board, level, text);
}

static void hold_gain_at_start(void)
{
    if (eh_gain_due()) {
        const int held = eh_gain_hold(1);
        eh_board_gain_locked(&board, held);
        eh_board_log(&board, held ? 3 : 2, held ? "gain held" : "gain not held: the sender is too near");
    }
}

void eh_node_serve(void)
{
    ESP_ERROR_CHECK(esp_task_wdt_add(NULL));
    for (;;) {
        uint8_t bytes[READ_BYTES];
        size_t n;
        while ((n = link->read(bytes, sizeof bytes)) > 0) {
            eh_board_receive(&board, bytes, n);
        }
        hold_gain_at_start();
        eh_radio_poll(eh_chip_now_us());
        eh_chip_restart_due(eh_board_poll(&board, eh_chip_now_us()));
        ESP_ERROR_CHECK(esp_task_wdt_reset());
        vTaskDelay(1);
    }
}
