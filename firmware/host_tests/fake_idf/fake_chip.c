/* NVS, log, random numbers, light and sockets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/gpio.h"
#include "esp_app_desc.h"
#include "esp_log.h"
#include "esp_random.h"
#include "fake.h"
#include "lwip/sockets.h"
#include "nvs.h"
#include "nvs_flash.h"

#define MOST 16

static char failing[32];

void fake_fail(const char *call)
{
    snprintf(failing, sizeof failing, "%s", call);
}

int fake_fails(const char *call)
{
    return strcmp(failing, call) == 0;
}

/* NVS: values as text, blobs in hexadecimal. */
static struct {
    char type[5], key[16], value[80];
} entries[MOST];
static int n_entries;

static char *find(const char *type, const char *key)
{
    for (int i = 0; i < n_entries; i++) {
        if (strcmp(entries[i].type, type) == 0 && strcmp(entries[i].key, key) == 0) {
            return entries[i].value;
        }
    }
    return NULL;
}

void fake_nvs_put(const char *type, const char *key, const char *value)
{
    char *there = find(type, key);
    if (there == NULL && n_entries < MOST) {
        snprintf(entries[n_entries].type, sizeof entries[0].type, "%s", type);
        snprintf(entries[n_entries].key, sizeof entries[0].key, "%s", key);
        there = entries[n_entries++].value;
    }
    snprintf(there, sizeof entries[0].value, "%s", value);
}

void fake_nvs_dump(void)
{
    for (int i = 0; i < n_entries; i++) {
        fake_trace("nvs %s %s %s", entries[i].type, entries[i].key, entries[i].value);
    }
}

esp_err_t nvs_flash_init(void)
{
    return fake_fails("nvs_flash_init") ? ESP_FAIL : ESP_OK;
}

esp_err_t nvs_flash_erase(void)
{
    n_entries = 0;
    fake_fail("");
    return ESP_OK;
}

esp_err_t nvs_open(const char *name, nvs_open_mode_t mode, nvs_handle_t *nvs)
{
    (void)mode;
    *nvs = 1;
    return strcmp(name, "edgehar") == 0 && !fake_fails("nvs_open") ? ESP_OK : ESP_ERR_NOT_FOUND;
}

static esp_err_t get_number(const char *type, const char *key, long *value)
{
    const char *text = find(type, key);
    if (text == NULL) {
        return ESP_ERR_NOT_FOUND;
    }
    *value = strtol(text, NULL, 10);
    return ESP_OK;
}

esp_err_t nvs_get_u8(nvs_handle_t nvs, const char *key, uint8_t *value)
{
    long number = *value;
    const esp_err_t status = get_number("u8", key, &number);
    (void)nvs;
    *value = (uint8_t)number;
    return status;
}

esp_err_t nvs_get_u16(nvs_handle_t nvs, const char *key, uint16_t *value)
{
    long number = *value;
    const esp_err_t status = get_number("u16", key, &number);
    (void)nvs;
    *value = (uint16_t)number;
    return status;
}

esp_err_t nvs_get_str(nvs_handle_t nvs, const char *key, char *text, size_t *size)
{
    const char *there = find("str", key);
    (void)nvs;
    if (there == NULL || strlen(there) >= *size) {
        return ESP_ERR_NOT_FOUND;
    }
    *size = strlen(there) + 1;
    memcpy(text, there, *size);
    return ESP_OK;
}

esp_err_t nvs_get_blob(nvs_handle_t nvs, const char *key, void *bytes, size_t *size)
{
    const char *there = find("blob", key);
    (void)nvs;
    if (there == NULL || strlen(there) / 2 > *size) {
        return ESP_ERR_NOT_FOUND;
    }
    *size = strlen(there) / 2;
    for (size_t i = 0; i < *size; i++) {
        const char pair[3] = {there[2 * i], there[2 * i + 1], '\0'};
        ((uint8_t *)bytes)[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return ESP_OK;
}

esp_err_t nvs_set_u8(nvs_handle_t nvs, const char *key, uint8_t value)
{
    char text[8];
    (void)nvs;
    if (fake_fails("nvs_set_u8")) {
        return ESP_FAIL;
    }
    snprintf(text, sizeof text, "%u", value);
    fake_nvs_put("u8", key, text);
    return ESP_OK;
}

esp_err_t nvs_set_u16(nvs_handle_t nvs, const char *key, uint16_t value)
{
    char text[8];
    (void)nvs;
    if (fake_fails("nvs_set_u16")) {
        return ESP_FAIL;
    }
    snprintf(text, sizeof text, "%u", value);
    fake_nvs_put("u16", key, text);
    return ESP_OK;
}

esp_err_t nvs_set_blob(nvs_handle_t nvs, const char *key, const void *bytes, size_t size)
{
    char text[65];
    (void)nvs;
    for (size_t i = 0; i < size; i++) {
        snprintf(text + 2 * i, 3, "%02x", ((const uint8_t *)bytes)[i]);
    }
    fake_nvs_put("blob", key, text);
    return ESP_OK;
}

esp_err_t nvs_commit(nvs_handle_t nvs)
{
    (void)nvs;
    return ESP_OK;
}

void nvs_close(nvs_handle_t nvs)
{
    (void)nvs;
}

static vprintf_like_t log_function = vprintf;

vprintf_like_t esp_log_set_vprintf(vprintf_like_t function)
{
    vprintf_like_t before = log_function;
    log_function = function;
    return before;
}

static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_function(format, arguments);
    va_end(arguments);
}

/* A line as ESP-IDF 6 prints it, in pieces and with colours. */
void fake_log(char level, const char *tag, const char *text)
{
    say("\x1b[0;33m");
    say("%c (%lld) %s: ", level, (long long)(fake_now_us / 1000), tag);
    say("%s\x1b[0m\n", text);
}

const esp_app_desc_t *esp_app_get_description(void)
{
    static const esp_app_desc_t description = {.version = FAKE_VERSION, .project_name = "esp32s3_csi"};
    return &description;
}

uint32_t esp_random(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

void esp_fill_random(void *to, size_t n)
{
    fake_trace("random %zu", n);
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)to)[i] = (uint8_t)esp_random();
    }
}

esp_err_t gpio_set_direction(gpio_num_t gpio, gpio_mode_t mode)
{
    (void)gpio;
    (void)mode;
    return ESP_OK;
}

esp_err_t gpio_set_level(gpio_num_t gpio, uint32_t level)
{
    fake_trace("light %d %u", gpio, level);
    return ESP_OK;
}

int lwip_socket(int domain, int type, int protocol)
{
    return domain == AF_INET && type == SOCK_RAW && protocol == IPPROTO_ICMP ? 3 : -1;
}

ssize_t lwip_recv(int socket, void *to, size_t n, int flags)
{
    (void)socket;
    (void)to;
    (void)n;
    if (flags != MSG_DONTWAIT) {
        fake_check(ESP_FAIL, "a read that waits");
    }
    return -1;
}

ssize_t lwip_sendto(int socket, const void *from, size_t n, int flags, const struct sockaddr *to, socklen_t size)
{
    const uint8_t *bytes = from;
    (void)socket;
    (void)flags;
    (void)size;
    char text[65];
    for (size_t i = 0; i < n; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    fake_trace("ping %08x %s", ((const struct sockaddr_in *)(const void *)to)->sin_addr.s_addr, text);
    return (ssize_t)n;
}
