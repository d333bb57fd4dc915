#ifndef FAKE_FREERTOS_H
#define FAKE_FREERTOS_H

#include <stddef.h>
#include <stdint.h>

#include "sdkconfig.h"

typedef uint32_t TickType_t; /* milliseconds: CONFIG_FREERTOS_HZ is 1000 */
typedef int BaseType_t;
typedef unsigned UBaseType_t;

#define pdTRUE 1
#define pdPASS 1
#define portMAX_DELAY 0xffffffffu
#define pdMS_TO_TICKS(ms) ((TickType_t)(ms))

typedef struct {
    int held;
} portMUX_TYPE;

#define portMUX_INITIALIZER_UNLOCKED {0}
void fake_enter(portMUX_TYPE *mutex);
void fake_exit(portMUX_TYPE *mutex);
#define portENTER_CRITICAL(mutex) fake_enter(mutex)
#define portEXIT_CRITICAL(mutex) fake_exit(mutex)

#endif
