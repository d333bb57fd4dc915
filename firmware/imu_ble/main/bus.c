#include "bus.h"

#include "esp_rom_sys.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#define BUSY_WAIT_US 1000u /* shorter than this, another task is not worth it */

void eh_bus_delay(void *context, uint32_t us)
{
    (void)context;
    if (us < BUSY_WAIT_US) {
        esp_rom_delay_us(us);
    } else {
        vTaskDelay(pdMS_TO_TICKS(us / 1000) + 1);
    }
}
