#include "radio.h"

#include <string.h>

#include "esp_event.h"
#include "esp_netif.h"
#include "esp_timer.h"
#include "esp_wifi.h"
#include "freertos/FreeRTOS.h"

#include "csi_frame.h"
#include "node.h"
#include "onboard.h"
#include "reports.h"
#include "rx_clock.h"
#include "traffic.h"
#include "width.h"

#if !CONFIG_ESP_WIFI_CSI_ENABLED && !CONFIG_ESP32_WIFI_CSI_ENABLED /* its name before ESP-IDF 5.1 */
#error "CSI is off: start from sdkconfig.defaults, or set CONFIG_ESP_WIFI_CSI_ENABLED=y (menuconfig, Wi-Fi)"
#endif

#if CONFIG_EDGEHAR_EVERY_SENDER
#define EVERY_SENDER 1
#else
#define EVERY_SENDER 0
#endif
#define REJOIN_US 2000000u
#define SILENCE_US 10000000u

static portMUX_TYPE mutex = portMUX_INITIALIZER_UNLOCKED; /* of what the driver's tasks and the link task share: */
static uint8_t access_point[EH_MAC_BYTES];
static int joined;
static uint64_t rejoin_at_us;
static uint32_t heard; /* CSI reports of all senders */

static int in_network, listening;
static EhRxClock rx_clock; /* the driver's task alone */
static uint32_t heard_before;
static uint64_t heard_at_us;

int eh_radio_in_network(void)
{
    return in_network;
}

static int is_access_point(const uint8_t mac[EH_MAC_BYTES])
{
    portENTER_CRITICAL(&mutex);
    const int same = joined && memcmp(mac, access_point, EH_MAC_BYTES) == 0;
    heard++;
    portEXIT_CRITICAL(&mutex);
    return same;
}

/* From the driver's task: copies and returns. */
static void on_report(const wifi_csi_info_t *info, const uint32_t *number)
{
    EhWireCsi frame;
    const int from_access_point = is_access_point(info->mac);
    if (!EVERY_SENDER && !(in_network ? from_access_point : number != NULL)) {
        eh_board_filtered(eh_node());
        return;
    }
    eh_csi_frame(info, &frame);
    frame.t_us = eh_rx_clock_us(&rx_clock, eh_csi_stamp_us(info), (uint32_t)esp_timer_get_time());
    if (number != NULL) {
        frame.tx_seq = *number;
        frame.flags |= EH_CSI_NUMBERED;
    }
    (void)eh_board_csi(eh_node(), &frame, info->mac, (const uint8_t *)info->buf, info->len);
    eh_onboard_take(&frame, (const uint8_t *)info->buf, info->len);
}

/* Say where the radio is. */
static void tell_channel(void)
{
    uint8_t primary = 0;
    wifi_second_chan_t second = WIFI_SECOND_CHAN_NONE;
    if (listening && esp_wifi_get_channel(&primary, &second) == ESP_OK) {
        eh_board_tuned(eh_node(), primary, (uint8_t)second);
    }
}

static void on_wifi(void *context, esp_event_base_t base, int32_t id, void *data)
{
    (void)context;
    (void)base;
    if (id == WIFI_EVENT_STA_CONNECTED) {
        const wifi_event_sta_connected_t *event = data;
        portENTER_CRITICAL(&mutex);
        memcpy(access_point, event->bssid, EH_MAC_BYTES);
        joined = 1;
        rejoin_at_us = 0;
        portEXIT_CRITICAL(&mutex);
        tell_channel();
    } else if (id == WIFI_EVENT_STA_DISCONNECTED) {
        portENTER_CRITICAL(&mutex);
        joined = 0;
        rejoin_at_us = (uint64_t)esp_timer_get_time() + REJOIN_US;
        portEXIT_CRITICAL(&mutex);
        eh_traffic_gateway(0);
    }
}

static void on_address(void *context, esp_event_base_t base, int32_t id, void *data)
{
    const ip_event_got_ip_t *event = data;
    (void)context;
    (void)base;
    (void)id;
    eh_traffic_gateway(event->ip_info.gw.addr);
}

static void set_network(const EhSettings *settings)
{
    wifi_config_t config;
    memset(&config, 0, sizeof config);
    /* Both fields are of fixed width, filled to the brim without a zero. */
    memcpy(config.sta.ssid, settings->ssid, sizeof config.sta.ssid);
    memcpy(config.sta.password, settings->psk, sizeof config.sta.password);
    config.sta.threshold.authmode = settings->psk[0] != '\0' ? WIFI_AUTH_WPA2_PSK : WIFI_AUTH_OPEN;
    config.sta.pmf_cfg.capable = true;
    ESP_ERROR_CHECK(esp_wifi_set_config(WIFI_IF_STA, &config));
}

void eh_radio_begin(const EhSettings *settings)
{
    const wifi_init_config_t init = WIFI_INIT_CONFIG_DEFAULT();
    in_network = settings->ssid[0] != '\0';
    ESP_ERROR_CHECK(esp_netif_init());
    ESP_ERROR_CHECK(esp_event_loop_create_default());
    if (in_network) {
        (void)esp_netif_create_default_wifi_sta();
    }
    ESP_ERROR_CHECK(esp_wifi_init(&init));
    ESP_ERROR_CHECK(esp_wifi_set_storage(WIFI_STORAGE_RAM)); /* the password stays where it is, once */
    ESP_ERROR_CHECK(esp_wifi_set_mode(WIFI_MODE_STA));
    ESP_ERROR_CHECK(esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_wifi, NULL));
    ESP_ERROR_CHECK(esp_event_handler_register(IP_EVENT, IP_EVENT_STA_GOT_IP, on_address, NULL));
    if (in_network) {
        set_network(settings);
    }
    ESP_ERROR_CHECK(esp_wifi_start());
    ESP_ERROR_CHECK(esp_wifi_set_ps(WIFI_PS_NONE));
    eh_width_begin(in_network, settings->channel);
    if (!in_network) {
        ESP_ERROR_CHECK(esp_wifi_set_channel(settings->channel, eh_width_secondary(settings->channel)));
    }
}

void eh_radio_listen(void)
{
    const wifi_csi_config_t config = eh_csi_config();
    listening = 1;
    tell_channel();
    ESP_ERROR_CHECK(esp_wifi_set_promiscuous(true));
    ESP_ERROR_CHECK(esp_wifi_set_csi_config(&config));
    eh_reports_begin(on_report, !in_network && !EVERY_SENDER); /* their frames are taken with numbers or without */
    ESP_ERROR_CHECK(esp_wifi_set_csi(true));
    if (in_network) {
        ESP_ERROR_CHECK(esp_wifi_connect());
    }
}

int eh_radio_tune(uint8_t channel, uint8_t secondary)
{
    if (in_network || !eh_width_change(channel)) {
        return 0;
    }
    if (esp_wifi_set_channel(channel, (wifi_second_chan_t)secondary) != ESP_OK) {
        return 0;
    }
    eh_traffic_wide(secondary != WIFI_SECOND_CHAN_NONE);
    return 1;
}

void eh_radio_poll(uint64_t now_us)
{
    portENTER_CRITICAL(&mutex);
    const uint32_t heard_now = heard;
    const int rejoin = rejoin_at_us != 0 && now_us >= rejoin_at_us;
    if (rejoin) {
        rejoin_at_us = now_us + REJOIN_US;
    }
    portEXIT_CRITICAL(&mutex);
    if (rejoin) {
        (void)esp_wifi_connect(); /* where it fails, another event or the next turn comes */
    }
    if (heard_now != heard_before) {
        heard_before = heard_now;
        heard_at_us = now_us;
    } else if (now_us - heard_at_us >= SILENCE_US) {
        heard_at_us = now_us;
        (void)esp_wifi_set_csi(false);
        (void)esp_wifi_set_promiscuous(true);
        (void)esp_wifi_set_csi(true);
    }
}
