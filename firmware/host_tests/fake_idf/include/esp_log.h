#ifndef FAKE_ESP_LOG_H
#define FAKE_ESP_LOG_H

#include <stdarg.h>

typedef int (*vprintf_like_t)(const char *, va_list);

vprintf_like_t esp_log_set_vprintf(vprintf_like_t function);
void fake_log(char level, const char *tag, const char *text);
#define ESP_LOGW(tag, text) fake_log('W', (tag), (text))

#endif
