#include "settings.h"

#include <stdio.h>
#include <string.h>

#include "eh_axes.h"
#include "esp_mac.h"
#include "store.h"

#define DEFAULT_RATE_HZ 100u
#define DEFAULT_ACCEL_G 8u
#define DEFAULT_GYRO_DPS 1000u
#define MAX_RATE_HZ 2000u
#define MAX_ACCEL_G 16u
#define MAX_GYRO_DPS 2000u

/* edgehar/boards/flash/nvs.py writes these. */
static void read_told(EhStore *store, EhSettings *settings)
{
    EhImuWanted wanted = settings->wanted;
    uint8_t axes = 0;
    (void)nvs_get_u16(store->nvs, "rate_hz", &wanted.rate_hz);
    (void)nvs_get_u8(store->nvs, "accel_g", &wanted.accel_g);
    (void)nvs_get_u16(store->nvs, "gyro_dps", &wanted.gyro_dps);
    (void)nvs_get_u8(store->nvs, "axes", &axes);
    if (wanted.rate_hz < 1 || wanted.rate_hz > MAX_RATE_HZ || wanted.accel_g < 2 || wanted.accel_g > MAX_ACCEL_G
        || wanted.gyro_dps > MAX_GYRO_DPS || axes >= EH_ROTATIONS) {
        eh_store_complain(store, "rate, ranges or axes out of range, ignored: edgehar flash");
    } else {
        settings->wanted = wanted;
        settings->axes = axes;
    }
    eh_store_text(store, "name", settings->name, sizeof settings->name);
}

static void name_after_address(char *name, size_t room)
{
    uint8_t address[6] = {0};
    (void)esp_read_mac(address, ESP_MAC_BT);
    (void)snprintf(name, room, "edgehar-%02x%02x", address[4], address[5]);
}

void eh_settings_load(EhSettings *settings)
{
    EhStore store;
    memset(settings, 0, sizeof *settings);
    settings->wanted = (EhImuWanted){DEFAULT_RATE_HZ, DEFAULT_ACCEL_G, DEFAULT_GYRO_DPS};
    eh_store_open(&store);
    if (store.told) {
        read_told(&store, settings);
    }
    if (settings->name[0] == '\0') {
        name_after_address(settings->name, sizeof settings->name);
    }
    settings->boot = store.boot;
    settings->complaint = store.complaint;
    eh_store_close(&store);
}

int eh_settings_keep_axes(uint8_t axes)
{
    nvs_handle_t nvs;
    if (nvs_open(EH_STORE_NAMESPACE, NVS_READWRITE, &nvs) != ESP_OK) {
        return 0;
    }
    const int kept = nvs_set_u8(nvs, "axes", axes) == ESP_OK && nvs_commit(nvs) == ESP_OK;
    nvs_close(nvs);
    return kept;
}
