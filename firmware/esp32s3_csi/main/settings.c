#include "settings.h"

#include <string.h>

#include "esp_random.h"
#include "nvs.h"
#include "nvs_flash.h"

/* edgehar/boards/flash/nvs.py writes these. */
#define NAMESPACE "edgehar"
#define FORMAT 1u

/* And these are the board's own. */
#define BOOTS "boots"
#define KEY "hash_key"

#define DEFAULT_CHANNEL 6u
#define MAX_CHANNEL 196u
#define MAX_RATE_HZ 2000u

static void complain(EhSettings *settings, const char *text)
{
    if (settings->complaint == NULL) {
        settings->complaint = text;
    }
}

static void open_flash(EhSettings *settings)
{
    const esp_err_t status = nvs_flash_init();
    if (status == ESP_OK) {
        return;
    }
    complain(settings, "NVS could not be read; it was erased, provision the board again: edgehar flash");
    if (nvs_flash_erase() != ESP_OK || nvs_flash_init() != ESP_OK) {
        settings->complaint = "NVS cannot be used: the flash may be worn out";
    }
}

static void read_text(nvs_handle_t nvs, const char *key, char *text, size_t room)
{
    size_t size = room;
    if (nvs_get_str(nvs, key, text, &size) != ESP_OK) {
        text[0] = '\0';
    }
}

static void read_told(nvs_handle_t nvs, EhSettings *settings)
{
    uint8_t format = 0, role = EH_ROLE_RECEIVER, channel = DEFAULT_CHANNEL;
    uint16_t rate_hz = 0;
    if (nvs_get_u8(nvs, "format", &format) != ESP_OK) {
        complain(settings, "not provisioned: edgehar flash");
        return;
    }
    if (format != FORMAT) {
        complain(settings, "settings of another version of edgehar, ignored: edgehar flash");
        return;
    }
    (void)nvs_get_u8(nvs, "role", &role);
    (void)nvs_get_u8(nvs, "channel", &channel);
    (void)nvs_get_u16(nvs, "rate_hz", &rate_hz);
    if (role > EH_ROLE_SENDER || channel < 1 || channel > MAX_CHANNEL || rate_hz > MAX_RATE_HZ) {
        complain(settings, "role, channel or rate out of range, ignored: edgehar flash");
    } else {
        settings->role = (EhRole)role;
        settings->channel = channel;
        settings->rate_hz = rate_hz;
    }
    read_text(nvs, "name", settings->name, sizeof settings->name);
    read_text(nvs, "ssid", settings->ssid, sizeof settings->ssid);
    read_text(nvs, "psk", settings->psk, sizeof settings->psk);
}

/* Another number than the start before; a random one where flash cannot be written. */
static uint16_t count_start(nvs_handle_t nvs)
{
    uint16_t boots = 0;
    (void)nvs_get_u16(nvs, BOOTS, &boots);
    boots++;
    if (nvs_set_u16(nvs, BOOTS, boots) != ESP_OK || nvs_commit(nvs) != ESP_OK) {
        return (uint16_t)esp_random();
    }
    return boots;
}

void eh_settings_load(EhSettings *settings)
{
    nvs_handle_t nvs;
    memset(settings, 0, sizeof *settings);
    settings->role = EH_ROLE_RECEIVER;
    settings->channel = DEFAULT_CHANNEL;
    open_flash(settings);
    if (nvs_open(NAMESPACE, NVS_READWRITE, &nvs) != ESP_OK) {
        complain(settings, "NVS cannot be opened");
        settings->boot = (uint16_t)esp_random();
        return;
    }
    read_told(nvs, settings);
    settings->boot = count_start(nvs);
    nvs_close(nvs);
}

void eh_settings_key(uint8_t key[EH_KEY_BYTES])
{
    nvs_handle_t nvs;
    size_t size = EH_KEY_BYTES;
    if (nvs_open(NAMESPACE, NVS_READWRITE, &nvs) != ESP_OK) {
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
