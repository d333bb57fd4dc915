#ifndef FAKE_NVS_H
#define FAKE_NVS_H

#include "esp_err.h"

typedef uint32_t nvs_handle_t;
typedef enum { NVS_READONLY, NVS_READWRITE } nvs_open_mode_t;

esp_err_t nvs_open(const char *name, nvs_open_mode_t mode, nvs_handle_t *nvs);
esp_err_t nvs_get_u8(nvs_handle_t nvs, const char *key, uint8_t *value);
esp_err_t nvs_get_u16(nvs_handle_t nvs, const char *key, uint16_t *value);
esp_err_t nvs_get_str(nvs_handle_t nvs, const char *key, char *text, size_t *size);
esp_err_t nvs_get_blob(nvs_handle_t nvs, const char *key, void *bytes, size_t *size);
esp_err_t nvs_set_u8(nvs_handle_t nvs, const char *key, uint8_t value);
esp_err_t nvs_set_u16(nvs_handle_t nvs, const char *key, uint16_t value);
esp_err_t nvs_set_blob(nvs_handle_t nvs, const char *key, const void *bytes, size_t size);
esp_err_t nvs_commit(nvs_handle_t nvs);
void nvs_close(nvs_handle_t nvs);

#endif
