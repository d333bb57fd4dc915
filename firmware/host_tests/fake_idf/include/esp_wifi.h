/* What the firmware uses of the Wi-Fi driver, declared after the programming guide's API reference; the order and the
 * padding of structs are this fake's own, but for the two gains at bytes 22 and 23 of the report.
 */
#ifndef FAKE_ESP_WIFI_H
#define FAKE_ESP_WIFI_H

#include <stdbool.h>

#include "esp_err.h"
#include "esp_event.h"
#include "esp_idf_version.h"
#include "sdkconfig.h"

typedef enum { WIFI_MODE_NULL, WIFI_MODE_STA } wifi_mode_t;
typedef enum { WIFI_IF_STA, WIFI_IF_AP } wifi_interface_t;
typedef enum { WIFI_STORAGE_FLASH, WIFI_STORAGE_RAM } wifi_storage_t;
typedef enum { WIFI_PS_NONE, WIFI_PS_MIN_MODEM } wifi_ps_type_t;
typedef enum { WIFI_SECOND_CHAN_NONE, WIFI_SECOND_CHAN_ABOVE, WIFI_SECOND_CHAN_BELOW } wifi_second_chan_t;
typedef enum { WIFI_AUTH_OPEN = 0, WIFI_AUTH_WPA2_PSK = 3 } wifi_auth_mode_t;
typedef enum { WIFI_PHY_MODE_HT20 = 4, WIFI_PHY_MODE_HT40 } wifi_phy_mode_t;
typedef enum { WIFI_PHY_RATE_MCS0_LGI = 16 } wifi_phy_rate_t;
#if FAKE_IDF_FROM(6, 0, 0)
typedef enum { WIFI_BW20 = 1, WIFI_BW40 } wifi_bandwidth_t;
#else
typedef enum { WIFI_BW_HT20 = 1, WIFI_BW_HT40 } wifi_bandwidth_t;
#if FAKE_IDF_FROM(5, 3, 0)
#define WIFI_BW20 WIFI_BW_HT20
#define WIFI_BW40 WIFI_BW_HT40
#endif
#endif

#define WIFI_PROTOCOL_11B 1
#define WIFI_PROTOCOL_11G 2
#define WIFI_PROTOCOL_11N 4
#define WIFI_PROTOCOL_11A 32

typedef struct {
    int magic;
} wifi_init_config_t;
#define WIFI_INIT_CONFIG_DEFAULT() {.magic = 1}

typedef union {
    struct {
        uint8_t ssid[32];
        uint8_t password[64];
        struct {
            int8_t rssi;
            wifi_auth_mode_t authmode;
        } threshold;
        struct {
            bool capable, required;
        } pmf_cfg;
    } sta;
} wifi_config_t;

#if CONFIG_SOC_WIFI_HE_SUPPORT

enum {
    RX_BB_FORMAT_11B,
    RX_BB_FORMAT_11G,
    RX_BB_FORMAT_HT,
    RX_BB_FORMAT_VHT,
    RX_BB_FORMAT_HE_SU
};

typedef struct {
    int rssi : 8;
    int noise_floor : 8;
    unsigned channel : 8;
    unsigned second : 8;
    unsigned cur_bb_format : 4;
    unsigned sig_len : 14;
    unsigned : 14;
    uint32_t he_siga1;
    uint32_t timestamp;
    uint8_t reserved[24];
} wifi_pkt_rx_ctrl_t;

typedef struct {
    uint32_t enable : 1;
    uint32_t acquire_csi_legacy : 1;
    uint32_t acquire_csi_ht20 : 1;
    uint32_t acquire_csi_ht40 : 1;
    uint32_t val_scale_cfg : 2;
} wifi_csi_config_t;

#else

typedef struct {
    int rssi : 8;
    int noise_floor : 8;
    unsigned channel : 4;
    unsigned secondary_channel : 4;
    unsigned sig_mode : 2;
    unsigned cwb : 1;
    unsigned stbc : 2;
    unsigned : 3;
    uint32_t timestamp;
    uint8_t reserved[24];
    unsigned sig_len : 12;
    unsigned : 20;
} wifi_pkt_rx_ctrl_t;

typedef struct {
    bool lltf_en, htltf_en, stbc_htltf2_en, ltf_merge_en, channel_filter_en, manu_scale;
    uint8_t shift;
    bool dump_ack_en;
} wifi_csi_config_t;

#endif

typedef struct {
    wifi_pkt_rx_ctrl_t rx_ctrl;
    uint8_t mac[6], dmac[6];
    bool first_word_invalid;
    int8_t *buf;
    uint16_t len;
#if FAKE_IDF_FROM(5, 1, 3)
    uint8_t *hdr, *payload;
    uint16_t payload_len;
#endif
} wifi_csi_info_t;

typedef enum { WIFI_PKT_MGMT, WIFI_PKT_CTRL, WIFI_PKT_DATA } wifi_promiscuous_pkt_type_t;

typedef struct {
    wifi_pkt_rx_ctrl_t rx_ctrl;
    uint8_t payload[]; /* from the MAC header to the check sequence: rx_ctrl.sig_len bytes */
} wifi_promiscuous_pkt_t;

typedef void (*wifi_promiscuous_cb_t)(void *packet, wifi_promiscuous_pkt_type_t type);

typedef void (*wifi_csi_cb_t)(void *context, wifi_csi_info_t *info);

typedef struct {
    uint8_t ssid[32];
    uint8_t ssid_len;
    uint8_t bssid[6];
    uint8_t channel;
} wifi_event_sta_connected_t;

enum {
    WIFI_EVENT_STA_CONNECTED = 4,
    WIFI_EVENT_STA_DISCONNECTED = 5
};
extern esp_event_base_t const WIFI_EVENT;

esp_err_t esp_wifi_init(const wifi_init_config_t *config);
esp_err_t esp_wifi_set_storage(wifi_storage_t storage);
esp_err_t esp_wifi_set_mode(wifi_mode_t mode);
esp_err_t esp_wifi_set_config(wifi_interface_t interface, wifi_config_t *config);
esp_err_t esp_wifi_start(void);
esp_err_t esp_wifi_connect(void);
esp_err_t esp_wifi_set_ps(wifi_ps_type_t type);
esp_err_t esp_wifi_set_protocol(wifi_interface_t interface, uint8_t bitmap);
esp_err_t esp_wifi_set_bandwidth(wifi_interface_t interface, wifi_bandwidth_t width);
esp_err_t esp_wifi_set_channel(uint8_t primary, wifi_second_chan_t second);
esp_err_t esp_wifi_get_channel(uint8_t *primary, wifi_second_chan_t *second);
esp_err_t esp_wifi_set_promiscuous(bool on);
esp_err_t esp_wifi_set_promiscuous_rx_cb(wifi_promiscuous_cb_t callback);
esp_err_t esp_wifi_set_csi_config(const wifi_csi_config_t *config);
esp_err_t esp_wifi_set_csi_rx_cb(wifi_csi_cb_t callback, void *context);
esp_err_t esp_wifi_set_csi(bool on);

#if CONFIG_SOC_WIFI_SUPPORT_5G
typedef enum { WIFI_BAND_MODE_2G_ONLY = 1, WIFI_BAND_MODE_5G_ONLY, WIFI_BAND_MODE_AUTO } wifi_band_mode_t;

typedef struct {
    uint16_t ghz_2g, ghz_5g;
} wifi_protocols_t;

typedef struct {
    wifi_bandwidth_t ghz_2g, ghz_5g;
} wifi_bandwidths_t;

esp_err_t esp_wifi_set_band_mode(wifi_band_mode_t mode);
esp_err_t esp_wifi_set_protocols(wifi_interface_t interface, wifi_protocols_t *protocols);
esp_err_t esp_wifi_set_bandwidths(wifi_interface_t interface, wifi_bandwidths_t *widths);
#endif

#endif
