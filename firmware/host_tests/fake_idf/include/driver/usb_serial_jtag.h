#ifndef FAKE_DRIVER_USB_SERIAL_JTAG_H
#define FAKE_DRIVER_USB_SERIAL_JTAG_H

#include <stdbool.h>

#include "esp_err.h"
#include "esp_idf_version.h"
#include "freertos/FreeRTOS.h"

typedef struct {
    uint32_t tx_buffer_size, rx_buffer_size;
} usb_serial_jtag_driver_config_t;

esp_err_t usb_serial_jtag_driver_install(usb_serial_jtag_driver_config_t *config);
int usb_serial_jtag_write_bytes(const void *bytes, size_t n, TickType_t ticks);
int usb_serial_jtag_read_bytes(void *bytes, uint32_t room, TickType_t ticks);
#if FAKE_IDF_FROM(5, 1, 0)
bool usb_serial_jtag_is_connected(void);
#endif

#endif
