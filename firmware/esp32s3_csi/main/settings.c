#include "settings.h"

#include <string.h>

#include "esp_random.h"
#include "store.h"

#define KEY "hash_key" /* the board's own */

#define DEFAULT_CHANNEL 6u
#define MAX_CHANNEL 196u
#define MAX_RATE_HZ 2000u

/* edgehar/boards/flash/nvs.py writes these. */
static void read_told(EhStore *store, EhSettings *settings)
{
    uint8_t role = EH_ROLE_RECEIVER, channel = DEFAULT_CHANNEL;
    uint16_t rate_hz = 0;
    (void)nvs_get_u8(store->nvs, "role", &role);
    (void)nvs_get_u8(store->nvs, "channel", &channel);
    (void)nvs_get_u16(store->nvs, "rate_hz", &rate_hz);
    if (role > EH_ROLE_SENDER || channel < 1 || channel > MAX_CHANNEL || rate_hz > MAX_RATE_HZ) {
        eh_store_complain(store, "role, channel or rate out of range, ignored: edgehar flash");
    } else {
        settings->role = (EhRole)role;
        settings->channel = channel;
        settings->rate_hz = rate_hz;
    }
    eh_store_text(store, "name", settings->name, sizeof settings->name);
    eh_store_text(store, "ssid", settings->ssid, sizeof settings->ssid);
    eh_store_text(store, "psk", settings->psk, sizeof settings->psk);
}

void eh_settings_load(EhSettings *settings)
{
    EhStore store;
    memset(settings, 0, sizeof *settings);
    settings->role = EH_ROLE_RECEIVER;
    settings->channel = DEFAULT_CHANNEL;
    eh_store_open(&store);
    if (store.told) {
        read_told(&store, settings);
    }
    settings->boot = store.boot;
    settings->complaint = store.complaint;
    eh_store_close(&store);
}

void eh_settings_key(uint8_t key[EH_KEY_BYTES])
{
    nvs_handle_t nvs;
    size_t size = EH_KEY_BYTES;
    if (nvs_open(EH_STORE_NAMESPACE, NVS_READWRITE, &nvs) != ESP_OK) {
        esp_fill_random(key, EH_KEY_BYTES); /* good until the next start */
        return;
    }
    if (nvs_get_blob(nvs, KEY, key, &size) != ESP_OK || size != EH_KEY_BYTES) {
        esp_fill_random(key, EH_KEY_BYTES);
        if (nvs_set_blob(nvs, KEY, key, EH_KEY_BYTES) == ESP_OK) {
            (void)nvs_commit(nvs);
        }
    }
    nvs_close(nvs);
}
