#include "traffic.h"

#include <string.h>

#include "esp_log.h"
#include "esp_now.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#include "idf_version.h"
#include "mark.h"
#include "node.h"
#include "ping.h"
#include "radio.h"
#include "width.h"

#define SECOND_US 1000000u
#define STACK_BYTES 3072
#define PRIORITY 6

static const uint8_t everyone[EH_MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static EhRole role;
static TaskHandle_t task;
static esp_timer_handle_t timer;
static volatile uint32_t gateway; /* one word: written and read whole */

/* From 5.5 on the first argument tells more; we need neither. */
#if EH_IDF_FROM(5, 5, 0)
static void on_sent(const esp_now_send_info_t *sent, esp_now_send_status_t status)
#else
static void on_sent(const uint8_t *sent, esp_now_send_status_t status)
#endif
{
    (void)sent;
    if (status == ESP_NOW_SEND_SUCCESS) {
        eh_board_transmitted(eh_node());
    }
}

/* One frame; its number moves on only when the driver took it, so that a hole is a loss on the air. */
static void send_one(uint32_t *seq)
{
    if (eh_radio_in_network()) {
        const uint32_t address = gateway;
        if (address != 0 && eh_ping(address, (uint16_t)*seq)) {
            (*seq)++;
            eh_board_transmitted(eh_node());
        }
        return;
    }
    uint8_t mark[EH_MARK_BYTES];
    eh_mark_put(mark, *seq);
    if (esp_now_send(everyone, mark, sizeof mark) == ESP_OK) {
        (*seq)++;
    }
}

static void run(void *context)
{
    uint32_t seq = 0;
    (void)context;
    for (;;) {
        (void)ulTaskNotifyTake(pdTRUE, portMAX_DELAY); /* turns that were missed are not made up for */
        send_one(&seq);
    }
}

static void tick(void *context)
{
    (void)context;
    (void)xTaskNotifyGive(task);
}

static void begin_espnow(uint8_t channel)
{
    esp_now_peer_info_t peer;
    memset(&peer, 0, sizeof peer);
    memcpy(peer.peer_addr, everyone, sizeof peer.peer_addr);
    peer.ifidx = WIFI_IF_STA;
    ESP_ERROR_CHECK(esp_now_init());
    ESP_ERROR_CHECK(esp_now_register_send_cb(on_sent));
    ESP_ERROR_CHECK(esp_now_add_peer(&peer));
    eh_traffic_wide(eh_width_secondary(channel) != WIFI_SECOND_CHAN_NONE);
}

void eh_traffic_begin(const EhSettings *settings)
{
    const esp_timer_create_args_t args = {.callback = tick, .name = "traffic"};
    role = settings->role;
    if (!eh_radio_in_network()) {
        begin_espnow(settings->channel);
    }
    if (xTaskCreate(run, "traffic", STACK_BYTES, NULL, PRIORITY, &task) != pdPASS) {
        ESP_ERROR_CHECK(ESP_ERR_NO_MEM);
    }
    ESP_ERROR_CHECK(esp_timer_create(&args, &timer));
    (void)eh_traffic_rate(settings->rate_hz);
}

int eh_traffic_rate(uint16_t rate_hz)
{
    (void)esp_timer_stop(timer); /* an error where it did not run */
    const int sends = role == EH_ROLE_SENDER || eh_radio_in_network();
    return rate_hz == 0 || !sends || esp_timer_start_periodic(timer, SECOND_US / rate_hz) == ESP_OK;
}

void eh_traffic_gateway(uint32_t address)
{
    gateway = address;
}

/* HT, so that receivers measure HT-LTF, and the most robust of it. */
static esp_err_t set_rate(int wide)
{
#if EH_IDF_FROM(5, 1, 0)
    esp_now_rate_config_t rate;
    memset(&rate, 0, sizeof rate);
    rate.phymode = wide ? WIFI_PHY_MODE_HT40 : WIFI_PHY_MODE_HT20;
    rate.rate = WIFI_PHY_RATE_MCS0_LGI;
    return esp_now_set_peer_rate_config(everyone, &rate);
#else
    (void)wide; /* cannot be asked for: as esp-csi has it, frames are as wide as the channel */
    return esp_wifi_config_espnow_rate(WIFI_IF_STA, WIFI_PHY_RATE_MCS0_LGI);
#endif
}

void eh_traffic_wide(int wide)
{
    if (set_rate(wide) != ESP_OK) {
        ESP_LOGW("traffic", "ESP-NOW keeps its own rate: receivers may get no HT frames");
    }
}
