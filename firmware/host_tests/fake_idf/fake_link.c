/* UART and USB: what they take is at the host at once, but they take no more than queue and speed allow. */
#include <stdio.h>
#include <string.h>

#include "driver/uart.h"
#include "driver/usb_serial_jtag.h"
#include "fake.h"
#include "soc/usb_serial_jtag_struct.h"

#define USB_BYTES_A_SECOND 800000
#define UART_HEAD_BYTES 36

static struct {
    int installed, connected, reads;
    size_t room;
    double queued, heads, bytes_a_second; /* heads: what the driver puts before each piece, not counted as used */
    int64_t since_us;
    char waiting[256];
    size_t n_waiting;
} usb = {.reads = 1}, uart = {.reads = 1};

void fake_host_connect(int connected)
{
    usb.connected = connected;
}

void fake_host_reads(int reads)
{
    usb.reads = reads;
}

void fake_host_sends(const char *bytes, size_t n)
{
    char *to = usb.installed ? usb.waiting : uart.waiting;
    memcpy(to, bytes, n);
    *(usb.installed ? &usb.n_waiting : &uart.n_waiting) = n;
}

#define DRAIN(port)                                                                                                    \
    do {                                                                                                               \
        const double sent = (double)(fake_now_us - (port).since_us) * 1e-6 * (port).bytes_a_second;                    \
        (port).since_us = fake_now_us;                                                                                 \
        if ((port).reads) {                                                                                            \
            (port).heads *= (port).queued > sent ? 1 - sent / (port).queued : 0;                                       \
            (port).queued = (port).queued > sent ? (port).queued - sent : 0;                                           \
        }                                                                                                              \
    } while (0)

#define TAKE(port, to, room_there, got)                                                                                \
    do {                                                                                                               \
        (got) = (port).n_waiting < (room_there) ? (port).n_waiting : (room_there);                                     \
        memcpy((to), (port).waiting, (got));                                                                           \
        (port).n_waiting -= (got);                                                                                     \
        memmove((port).waiting, (port).waiting + (got), (port).n_waiting);                                             \
    } while (0)

esp_err_t usb_serial_jtag_driver_install(usb_serial_jtag_driver_config_t *config)
{
    usb.installed = 1;
    usb.room = config->tx_buffer_size;
    usb.bytes_a_second = USB_BYTES_A_SECOND;
    fake_trace("usb");
    return ESP_OK;
}

#if FAKE_IDF_FROM(5, 1, 0)
bool usb_serial_jtag_is_connected(void)
{
    return usb.connected;
}
#endif

usb_serial_jtag_dev_t *fake_usb_registers(void)
{
    static usb_serial_jtag_dev_t registers;
    if (usb.connected) {
        registers.fram_num.sof_frame_index = (uint32_t)(fake_now_us / 1000) & 0x7ffu;
    }
    return &registers;
}

int usb_serial_jtag_write_bytes(const void *bytes, size_t n, TickType_t ticks)
{
    DRAIN(usb);
    if (ticks != 0) {
        fake_check(ESP_FAIL, "a write that waits");
    }
    if (n == 0 || (double)n > (double)usb.room - usb.queued) {
        return 0;
    }
    usb.queued += (double)n;
    return (int)fwrite(bytes, 1, n, stdout);
}

int usb_serial_jtag_read_bytes(void *bytes, uint32_t room, TickType_t ticks)
{
    size_t got;
    (void)ticks;
    TAKE(usb, bytes, room, got);
    return (int)got;
}

esp_err_t uart_driver_install(uart_port_t port, int rx_bytes, int tx_bytes, int queue, void *queue_handle, int flags)
{
    (void)port;
    (void)rx_bytes;
    (void)queue;
    (void)queue_handle;
    (void)flags;
    uart.room = (size_t)tx_bytes;
    return ESP_OK;
}

esp_err_t uart_param_config(uart_port_t port, const uart_config_t *config)
{
    (void)port;
    uart.bytes_a_second = config->baud_rate / 10.0;
    fake_trace("uart %d", config->baud_rate);
    return ESP_OK;
}

esp_err_t uart_get_tx_buffer_free_size(uart_port_t port, size_t *size)
{
    (void)port;
    DRAIN(uart);
    *size = (size_t)((double)uart.room - uart.queued);
    return ESP_OK;
}

int uart_write_bytes(uart_port_t port, const void *bytes, size_t n)
{
    (void)port;
    uart.heads += UART_HEAD_BYTES;
    if ((double)n + uart.heads + uart.queued > (double)uart.room) {
        fake_check(ESP_FAIL, "a write that waits");
    }
    uart.queued += (double)n;
    return (int)fwrite(bytes, 1, n, stdout);
}

int uart_read_bytes(uart_port_t port, void *bytes, uint32_t room, TickType_t ticks)
{
    size_t got;
    (void)port;
    (void)ticks;
    TAKE(uart, bytes, room, got);
    return (int)got;
}
