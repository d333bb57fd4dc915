#include "store.h"

#include "esp_random.h"
#include "nvs_flash.h"

#define FORMAT 1u     /* edgehar/boards/flash/nvs.py writes it */
#define BOOTS "boots" /* the board's own */

void eh_store_complain(EhStore *store, const char *text)
{
    if (store->complaint == NULL) {
        store->complaint = text;
    }
}

static void open_flash(EhStore *store)
{
    const esp_err_t status = nvs_flash_init();
    if (status == ESP_OK) {
        return;
    }
    eh_store_complain(store, "NVS could not be read; it was erased, provision the board again: edgehar flash");
    if (nvs_flash_erase() != ESP_OK || nvs_flash_init() != ESP_OK) {
        store->complaint = "NVS cannot be used: the flash may be worn out";
    }
}

static void check_format(EhStore *store)
{
    uint8_t format = 0;
    if (nvs_get_u8(store->nvs, "format", &format) != ESP_OK) {
        eh_store_complain(store, "not provisioned: edgehar flash");
    } else if (format != FORMAT) {
        eh_store_complain(store, "settings of another version of edgehar, ignored: edgehar flash");
    } else {
        store->told = 1;
    }
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

void eh_store_open(EhStore *store)
{
    *store = (EhStore){.open = 0};
    open_flash(store);
    if (nvs_open(EH_STORE_NAMESPACE, NVS_READWRITE, &store->nvs) != ESP_OK) {
        eh_store_complain(store, "NVS cannot be opened");
        store->boot = (uint16_t)esp_random();
        return;
    }
    store->open = 1;
    check_format(store);
    store->boot = count_start(store->nvs);
}

void eh_store_close(EhStore *store)
{
    if (store->open) {
        nvs_close(store->nvs);
        store->open = 0;
    }
}

void eh_store_text(const EhStore *store, const char *key, char *text, size_t room)
{
    size_t size = room;
    if (nvs_get_str(store->nvs, key, text, &size) != ESP_OK) {
        text[0] = '\0';
    }
}
