#ifndef FAKE_ESP_NETIF_H
#define FAKE_ESP_NETIF_H

#include "esp_event.h"

typedef struct esp_netif esp_netif_t;

typedef struct {
    uint32_t addr;
} esp_ip4_addr_t;

typedef struct {
    esp_ip4_addr_t ip, netmask, gw;
} esp_netif_ip_info_t;

typedef struct {
    esp_netif_t *esp_netif;
    esp_netif_ip_info_t ip_info;
} ip_event_got_ip_t;

enum {
    IP_EVENT_STA_GOT_IP
};
extern esp_event_base_t const IP_EVENT;

esp_err_t esp_netif_init(void);
esp_netif_t *esp_netif_create_default_wifi_sta(void);

#endif
