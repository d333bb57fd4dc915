#ifndef FAKE_ESP_NOW_H
#define FAKE_ESP_NOW_H

#include "esp_wifi.h"

typedef enum { ESP_NOW_SEND_SUCCESS, ESP_NOW_SEND_FAIL } esp_now_send_status_t;

typedef struct {
    uint8_t peer_addr[6];
    uint8_t lmk[16];
    uint8_t channel;
    wifi_interface_t ifidx;
    bool encrypt;
    void *priv;
} esp_now_peer_info_t;

#if FAKE_IDF_FROM(5, 1, 0)
typedef struct {
    wifi_phy_mode_t phymode;
    wifi_phy_rate_t rate;
    bool ersu, dcm;
} esp_now_rate_config_t;
#endif

#if FAKE_IDF_FROM(5, 5, 0)
typedef struct {
    uint8_t *des_addr, *src_addr;
} esp_now_send_info_t;
typedef void (*esp_now_send_cb_t)(const esp_now_send_info_t *sent, esp_now_send_status_t status);
#else
typedef void (*esp_now_send_cb_t)(const uint8_t *address, esp_now_send_status_t status);
#endif

esp_err_t esp_now_init(void);
esp_err_t esp_now_register_send_cb(esp_now_send_cb_t callback);
esp_err_t esp_now_add_peer(const esp_now_peer_info_t *peer);
#if FAKE_IDF_FROM(5, 1, 0)
esp_err_t esp_now_set_peer_rate_config(const uint8_t *address, esp_now_rate_config_t *config);
#else
esp_err_t esp_wifi_config_espnow_rate(wifi_interface_t interface, wifi_phy_rate_t rate);
#endif
esp_err_t esp_now_send(const uint8_t *address, const uint8_t *data, size_t n);

#endif
