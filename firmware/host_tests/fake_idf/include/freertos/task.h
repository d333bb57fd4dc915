#ifndef FAKE_FREERTOS_TASK_H
#define FAKE_FREERTOS_TASK_H

#include "freertos/FreeRTOS.h"

typedef struct fake_task *TaskHandle_t;

BaseType_t xTaskCreate(void (*function)(void *), const char *name, uint32_t stack_bytes, void *context,
                       UBaseType_t priority, TaskHandle_t *task);
void vTaskDelay(TickType_t ticks);
uint32_t ulTaskNotifyTake(BaseType_t clear, TickType_t ticks);
BaseType_t xTaskNotifyGive(TaskHandle_t task);

#endif
