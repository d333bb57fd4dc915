#include "link.h"

#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

const EhLink *eh_link_begin(void)
{
#if CONFIG_EDGEHAR_LINK_AUTO
    /* After a reset the host needs some hundred milliseconds to see the board again; for the first few, ESP-IDF takes
     * every USB port for connected.
     */
    enum { STEP_MS = 20, STEPS = 50 };
    for (int i = 0; i < STEPS; i++) {
        vTaskDelay(pdMS_TO_TICKS(STEP_MS));
        if (eh_link_usb_has_host()) {
            return eh_link_usb_begin() ? &eh_link_usb : NULL;
        }
    }
#elif CONFIG_EDGEHAR_LINK_USB
    return eh_link_usb_begin() ? &eh_link_usb : NULL;
#endif
#if !CONFIG_EDGEHAR_LINK_USB
    return eh_link_uart_begin() ? &eh_link_uart : NULL;
#endif
}
