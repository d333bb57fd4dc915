#include "link.h"

#include "driver/uart.h"
#include "sdkconfig.h"

#define PORT UART_NUM_0 /* the one that boards wire to their bridge */
#define TX_BYTES 4096
#define RX_BYTES 512
/* The driver keeps a head before every piece, which its count of free bytes leaves out. */
#define MARGIN 256u

int eh_link_uart_begin(void)
{
    const uart_config_t config = {
        .baud_rate = CONFIG_EDGEHAR_UART_BAUD,
        .data_bits = UART_DATA_8_BITS,
        .parity = UART_PARITY_DISABLE,
        .stop_bits = UART_STOP_BITS_1,
        .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
        .source_clk = UART_SCLK_DEFAULT,
    };
    return uart_driver_install(PORT, RX_BYTES, TX_BYTES, 0, NULL, 0) == ESP_OK
           && uart_param_config(PORT, &config) == ESP_OK;
}

static size_t write_bytes(const uint8_t *bytes, size_t n)
{
    size_t free_bytes = 0;
    if (uart_get_tx_buffer_free_size(PORT, &free_bytes) != ESP_OK || free_bytes <= MARGIN) {
        return 0;
    }
    free_bytes -= MARGIN;
    const int taken = uart_write_bytes(PORT, bytes, n < free_bytes ? n : free_bytes);
    return taken > 0 ? (size_t)taken : 0;
}

static size_t read_bytes(uint8_t *bytes, size_t room)
{
    const int got = uart_read_bytes(PORT, bytes, (uint32_t)room, 0);
    return got > 0 ? (size_t)got : 0;
}

const EhLink eh_link_uart = {
    .kind = EH_LINK_UART, .baud = CONFIG_EDGEHAR_UART_BAUD, .write = write_bytes, .read = read_bytes};
