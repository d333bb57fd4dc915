#ifndef FAKE_DRIVER_UART_H
#define FAKE_DRIVER_UART_H

#include "esp_err.h"
#include "freertos/FreeRTOS.h"

typedef int uart_port_t;
enum {
    UART_NUM_0
};
enum {
    UART_DATA_8_BITS = 3,
    UART_PARITY_DISABLE = 0,
    UART_STOP_BITS_1 = 1,
    UART_HW_FLOWCTRL_DISABLE = 0,
    UART_SCLK_DEFAULT = 4
};

typedef struct {
    int baud_rate, data_bits, parity, stop_bits, flow_ctrl;
    uint8_t rx_flow_ctrl_thresh;
    int source_clk;
} uart_config_t;

esp_err_t uart_driver_install(uart_port_t port, int rx_bytes, int tx_bytes, int queue, void *queue_handle, int flags);
esp_err_t uart_param_config(uart_port_t port, const uart_config_t *config);
esp_err_t uart_get_tx_buffer_free_size(uart_port_t port, size_t *size);
int uart_write_bytes(uart_port_t port, const void *bytes, size_t n);
int uart_read_bytes(uart_port_t port, void *bytes, uint32_t room, TickType_t ticks);

#endif
