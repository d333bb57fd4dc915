#include "width.h"

#include "idf_version.h"

#define LAST_2_4_GHZ 14u
#define FIRST_WITH_ROOM_BELOW 5u
#define JAPAN_11B_ONLY 14u

/* Renamed in ESP-IDF 5.3; the old names are gone in 6.0. */
#if !EH_IDF_FROM(5, 3, 0)
#define WIFI_BW20 WIFI_BW_HT20
#define WIFI_BW40 WIFI_BW_HT40
#endif

#if CONFIG_SOC_WIFI_SUPPORT_5G /* ESP32-C5 */

static wifi_band_mode_t band(uint8_t channel)
{
    return channel <= LAST_2_4_GHZ ? WIFI_BAND_MODE_2G_ONLY : WIFI_BAND_MODE_5G_ONLY;
}

void eh_width_begin(int in_network, uint8_t channel)
{
    wifi_protocols_t protocols = {
        .ghz_2g = WIFI_PROTOCOL_11B | WIFI_PROTOCOL_11G | WIFI_PROTOCOL_11N,
        .ghz_5g = WIFI_PROTOCOL_11A | WIFI_PROTOCOL_11N,
    };
    wifi_bandwidths_t widths = {.ghz_2g = WIFI_BW20, .ghz_5g = WIFI_BW20};
    ESP_ERROR_CHECK(esp_wifi_set_band_mode(in_network ? WIFI_BAND_MODE_AUTO : band(channel)));
    ESP_ERROR_CHECK(esp_wifi_set_protocols(WIFI_IF_STA, &protocols));
    ESP_ERROR_CHECK(esp_wifi_set_bandwidths(WIFI_IF_STA, &widths));
}

int eh_width_change(uint8_t channel)
{
    return esp_wifi_set_band_mode(band(channel)) == ESP_OK;
}

#else

void eh_width_begin(int in_network, uint8_t channel)
{
    (void)in_network;
    (void)channel;
    ESP_ERROR_CHECK(
        esp_wifi_set_protocol(WIFI_IF_STA, WIFI_PROTOCOL_11B | WIFI_PROTOCOL_11G | WIFI_PROTOCOL_11N));
#if CONFIG_SOC_WIFI_HE_SUPPORT
    ESP_ERROR_CHECK(esp_wifi_set_bandwidth(WIFI_IF_STA, WIFI_BW20));
#else
    ESP_ERROR_CHECK(esp_wifi_set_bandwidth(WIFI_IF_STA, WIFI_BW40));
#endif
}

int eh_width_change(uint8_t channel)
{
    return channel <= LAST_2_4_GHZ;
}

#endif

wifi_second_chan_t eh_width_secondary(uint8_t channel)
{
#if CONFIG_SOC_WIFI_HE_SUPPORT
    (void)channel;
    return WIFI_SECOND_CHAN_NONE;
#else
    if (channel >= JAPAN_11B_ONLY) {
        return WIFI_SECOND_CHAN_NONE;
    }
    return channel >= FIRST_WITH_ROOM_BELOW ? WIFI_SECOND_CHAN_BELOW : WIFI_SECOND_CHAN_ABOVE;
#endif
}
