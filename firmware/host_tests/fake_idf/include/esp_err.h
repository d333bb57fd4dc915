#ifndef FAKE_ESP_ERR_H
#define FAKE_ESP_ERR_H

#include <stddef.h>
#include <stdint.h>

typedef int esp_err_t;

#define ESP_OK 0
#define ESP_FAIL (-1)
#define ESP_ERR_NO_MEM 0x101
#define ESP_ERR_INVALID_STATE 0x103
#define ESP_ERR_NOT_FOUND 0x105

void fake_check(esp_err_t status, const char *what);
#define ESP_ERROR_CHECK(call) fake_check((call), #call)

#endif
