#include "link.h"

#include "driver/uart.h"
#include "sdkconfig.h"

#define PORT UART_NUM_0 /* the one that boards wire to their bridge */
#define TX_BYTES 8192
#define RX_BYTES 512
/* The driver keeps heads before every piece, which its count of free bytes leaves out; where they did not fit, it would
 * wait. Frames go to it whole, so that half of its queue is plenty for them.
 */
#define FOR_HEADS 4096u

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
    if (uart_get_tx_buffer_free_size(PORT, &free_bytes) != ESP_OK || free_bytes < FOR_HEADS + n) {
        return 0;
    }
    const int taken = uart_write_bytes(PORT, bytes, n);
    return taken > 0 ? (size_t)taken : 0;
}

static size_t read_bytes(uint8_t *bytes, size_t room)
{
    const int got = uart_read_bytes(PORT, bytes, (uint32_t)room, 0);
    return got > 0 ? (size_t)got : 0;
}

const EhLink eh_link_uart = {
    .kind = EH_LINK_UART, .baud = CONFIG_EDGEHAR_UART_BAUD, .write = write_bytes, .read = read_bytes};
