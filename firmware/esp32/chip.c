#include "chip.h"

#include <string.h>

#include "esp_system.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#define LAST_WORDS_US 500000u /* for the reply to reboot */
#define STILL_HELD_MS 100u    /* by the driver, or on the air */

static portMUX_TYPE mutex = portMUX_INITIALIZER_UNLOCKED;
static uint64_t restart_at_us; /* 0: not asked to */

uint64_t eh_chip_now_us(void)
{
    return (uint64_t)esp_timer_get_time();
}

void eh_chip_lock(void *context)
{
    (void)context;
    portENTER_CRITICAL(&mutex);
}

void eh_chip_unlock(void *context)
{
    (void)context;
    portEXIT_CRITICAL(&mutex);
}

EhReplyStatus eh_chip_reply(int done)
{
    return done ? EH_REPLY_DONE : EH_REPLY_FAILED;
}

void eh_chip_text(char *to, size_t room, const char *text)
{
    const size_t n = strlen(text);
    memset(to, 0, room);
    memcpy(to, text, n < room ? n : room);
}

void eh_chip_restart_soon(void)
{
    restart_at_us = eh_chip_now_us() + LAST_WORDS_US;
}

void eh_chip_restart_next(void)
{
    if (restart_at_us == 0) {
        restart_at_us = eh_chip_now_us();
    }
}

void eh_chip_restart_due(int all_sent)
{
    if (restart_at_us != 0 && (all_sent || eh_chip_now_us() >= restart_at_us)) {
        vTaskDelay(pdMS_TO_TICKS(STILL_HELD_MS));
        esp_restart();
    }
}
