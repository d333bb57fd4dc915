/* Wi-Fi driver, ESP-NOW and events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esp_netif.h"
#include "esp_now.h"
#include "esp_wifi.h"
#include "fake.h"

esp_event_base_t const WIFI_EVENT = "WIFI_EVENT";
esp_event_base_t const IP_EVENT = "IP_EVENT";

static esp_event_handler_t on_wifi, on_ip;
static wifi_csi_cb_t on_csi;
static wifi_promiscuous_cb_t on_frame;
static esp_now_send_cb_t on_sent;
static int csi_on, promiscuous, started, wide_band;
static uint8_t channel;
static wifi_second_chan_t second_channel;

esp_err_t esp_netif_init(void)
{
    return ESP_OK;
}

esp_netif_t *esp_netif_create_default_wifi_sta(void)
{
    return NULL;
}

esp_err_t esp_event_loop_create_default(void)
{
    return ESP_OK;
}

esp_err_t esp_event_handler_register(esp_event_base_t base, int32_t id, esp_event_handler_t handler, void *context)
{
    (void)id;
    (void)context;
    *(base == WIFI_EVENT ? &on_wifi : &on_ip) = handler;
    return ESP_OK;
}

esp_err_t esp_wifi_init(const wifi_init_config_t *config)
{
    (void)config;
    return ESP_OK;
}

esp_err_t esp_wifi_set_storage(wifi_storage_t storage)
{
    return storage == WIFI_STORAGE_RAM ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_wifi_set_mode(wifi_mode_t mode)
{
    return mode == WIFI_MODE_STA ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_wifi_set_config(wifi_interface_t interface, wifi_config_t *config)
{
    (void)interface;
    fake_trace("network %.32s %.64s auth %d", (const char *)config->sta.ssid, (const char *)config->sta.password,
               (int)config->sta.threshold.authmode);
    return ESP_OK;
}

esp_err_t esp_wifi_start(void)
{
    started = 1;
    fake_trace("radio on");
    return ESP_OK;
}

esp_err_t esp_wifi_connect(void)
{
    fake_trace("connect");
    return ESP_OK;
}

esp_err_t esp_wifi_set_ps(wifi_ps_type_t type)
{
    return type == WIFI_PS_NONE ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_wifi_set_protocol(wifi_interface_t interface, uint8_t bitmap)
{
    (void)interface;
    fake_trace("protocol %d", bitmap);
    return ESP_OK;
}

esp_err_t esp_wifi_set_bandwidth(wifi_interface_t interface, wifi_bandwidth_t width)
{
    (void)interface;
    wide_band = width == 2;
    fake_trace("width %d", wide_band ? 40 : 20);
    return ESP_OK;
}

#if CONFIG_SOC_WIFI_SUPPORT_5G
esp_err_t esp_wifi_set_band_mode(wifi_band_mode_t mode)
{
    fake_trace("band %d", (int)mode);
    return ESP_OK;
}

esp_err_t esp_wifi_set_protocols(wifi_interface_t interface, wifi_protocols_t *protocols)
{
    (void)interface;
    fake_trace("protocols %d %d", protocols->ghz_2g, protocols->ghz_5g);
    return ESP_OK;
}

esp_err_t esp_wifi_set_bandwidths(wifi_interface_t interface, wifi_bandwidths_t *widths)
{
    (void)interface;
    (void)widths;
    return ESP_OK;
}
#endif

esp_err_t esp_wifi_set_channel(uint8_t primary, wifi_second_chan_t second)
{
    if (!started || fake_fails("esp_wifi_set_channel")) {
        return ESP_FAIL;
    }
    channel = primary;
    second_channel = second;
    fake_trace("channel %d %d", primary, (int)second);
    return ESP_OK;
}

esp_err_t esp_wifi_get_channel(uint8_t *primary, wifi_second_chan_t *second)
{
    *primary = channel;
    *second = second_channel;
    return ESP_OK;
}

esp_err_t esp_wifi_set_promiscuous(bool on)
{
    promiscuous = on;
    return ESP_OK;
}

esp_err_t esp_wifi_set_promiscuous_rx_cb(wifi_promiscuous_cb_t callback)
{
    on_frame = callback;
    return ESP_OK;
}

esp_err_t esp_wifi_set_csi_config(const wifi_csi_config_t *config)
{
    (void)config;
    return promiscuous ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_wifi_set_csi_rx_cb(wifi_csi_cb_t callback, void *context)
{
    (void)context;
    on_csi = callback;
    return ESP_OK;
}

esp_err_t esp_wifi_set_csi(bool on)
{
    csi_on = on;
    fake_trace("csi %d", on);
    return ESP_OK;
}

#if FAKE_IDF_FROM(5, 1, 3)

void fake_sniff(const char *when)
{
    (void)when;
}

static void report(wifi_csi_info_t *info, uint8_t *body, size_t n_body)
{
    info->payload = body;
    info->payload_len = (uint16_t)n_body;
    on_csi(NULL, info);
}

#else

static char sniffed = 'f';

void fake_sniff(const char *when)
{
    sniffed = when[0];
}

/* A management frame to everyone where there is a body, else a data frame without one. */
static void sniff(const wifi_csi_info_t *info, const uint8_t *body, size_t n_body)
{
    static const uint8_t to_everyone[] = {0xd0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const size_t n = 24 + n_body;
    if (on_frame == NULL) {
        return;
    }
    wifi_promiscuous_pkt_t *packet = calloc(1, sizeof *packet + n + 4);
    packet->rx_ctrl = info->rx_ctrl;
    packet->rx_ctrl.sig_len = (unsigned)(n + 4) & 0xfffu;
    memcpy(packet->payload, to_everyone, sizeof to_everyone);
    memcpy(packet->payload + 10, info->mac, 6);
    if (n_body > 0) {
        memcpy(packet->payload + 24, body, n_body);
    }
    on_frame(packet, n_body > 0 ? WIFI_PKT_MGMT : WIFI_PKT_DATA);
    free(packet);
}

static void report(wifi_csi_info_t *info, uint8_t *body, size_t n_body)
{
    if (sniffed == 'f') {
        sniff(info, body, n_body);
    }
    on_csi(NULL, info);
    if (sniffed == 'l') {
        sniff(info, body, n_body);
    }
}

#endif

void fake_csi(const FakeHeard *heard, uint8_t *body, size_t n_body, int8_t *values, size_t n)
{
    wifi_csi_info_t info;
    if (!csi_on || on_csi == NULL) {
        fake_trace("unheard");
        return;
    }
    memset(&info, 0, sizeof info);
    memcpy(info.mac, heard->mac, sizeof info.mac);
    info.rx_ctrl.rssi = (int8_t)heard->rssi;
    info.rx_ctrl.noise_floor = -95;
    info.rx_ctrl.channel = (unsigned)heard->channel & 0xfu;
    info.rx_ctrl.timestamp = heard->stamp_us;
#if CONFIG_SOC_WIFI_HE_SUPPORT
    info.rx_ctrl.second = (unsigned)heard->secondary & 0xfu;
    info.rx_ctrl.cur_bb_format = heard->sig_mode == 1 ? RX_BB_FORMAT_HT : heard->sig_mode == 0 ? RX_BB_FORMAT_11G : 4;
    info.rx_ctrl.he_siga1 = (uint32_t)heard->cwb << 7 | (uint32_t)heard->stbc << 28;
#else
    info.rx_ctrl.secondary_channel = (unsigned)heard->secondary & 0xfu;
    info.rx_ctrl.sig_mode = (unsigned)heard->sig_mode & 3u;
    info.rx_ctrl.cwb = (unsigned)heard->cwb & 1u;
    info.rx_ctrl.stbc = (unsigned)heard->stbc & 3u;
#endif
    ((uint8_t *)&info.rx_ctrl)[22] = (uint8_t)heard->fft;
    ((uint8_t *)&info.rx_ctrl)[23] = (uint8_t)heard->agc;
    info.first_word_invalid = heard->first_word_invalid;
    info.buf = values;
    info.len = (uint16_t)n;
    report(&info, body, n_body);
}

void phy_fft_scale_force(bool force, uint8_t value);
void phy_force_rx_gain(int force, int value);

void phy_fft_scale_force(bool force, uint8_t value)
{
    fake_trace("fft %d %d", force, (int8_t)value);
}

void phy_force_rx_gain(int force, int value)
{
    fake_trace("agc %d %d", force, value);
}

void fake_join(const uint8_t bssid[6], int new_channel)
{
    wifi_event_sta_connected_t event;
    memset(&event, 0, sizeof event);
    memcpy(event.bssid, bssid, sizeof event.bssid);
    event.channel = (uint8_t)new_channel;
    channel = (uint8_t)new_channel;
    second_channel = WIFI_SECOND_CHAN_ABOVE;
    on_wifi(NULL, WIFI_EVENT, WIFI_EVENT_STA_CONNECTED, &event);
}

void fake_gateway(uint32_t address)
{
    ip_event_got_ip_t event;
    memset(&event, 0, sizeof event);
    event.ip_info.gw.addr = address;
    on_ip(NULL, IP_EVENT, IP_EVENT_STA_GOT_IP, &event);
}

void fake_leave(void)
{
    on_wifi(NULL, WIFI_EVENT, WIFI_EVENT_STA_DISCONNECTED, NULL);
}

esp_err_t esp_now_init(void)
{
    return started ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_now_register_send_cb(esp_now_send_cb_t callback)
{
    on_sent = callback;
    return ESP_OK;
}

esp_err_t esp_now_add_peer(const esp_now_peer_info_t *peer)
{
    return peer->channel == 0 ? ESP_OK : ESP_FAIL;
}

#if FAKE_IDF_FROM(5, 1, 0)
esp_err_t esp_now_set_peer_rate_config(const uint8_t *address, esp_now_rate_config_t *config)
{
    (void)address;
    fake_trace("espnow rate %s", config->phymode == WIFI_PHY_MODE_HT40 ? "HT40" : "HT20");
    return fake_fails("espnow rate") ? ESP_FAIL : ESP_OK;
}
#else
esp_err_t esp_wifi_config_espnow_rate(wifi_interface_t interface, wifi_phy_rate_t rate)
{
    (void)interface;
    fake_trace("espnow rate %d", (int)rate);
    return fake_fails("espnow rate") ? ESP_FAIL : ESP_OK;
}
#endif

esp_err_t esp_now_send(const uint8_t *address, const uint8_t *data, size_t n)
{
    char text[65];
    (void)address;
    if (fake_fails("esp_now_send")) {
        return ESP_ERR_NO_MEM;
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(text + 2 * i, 3, "%02x", data[i]);
    }
    fake_trace("sent %s", text);
    on_sent(NULL, ESP_NOW_SEND_SUCCESS);
    return ESP_OK;
}
