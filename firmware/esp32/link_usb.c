#include "link.h"

#include "sdkconfig.h"

#if CONFIG_SOC_USB_SERIAL_JTAG_SUPPORTED

#include "driver/usb_serial_jtag.h"
#include "idf_version.h"
#if !EH_IDF_FROM(5, 1, 0)
#include "soc/usb_serial_jtag_struct.h"
#endif

/* The driver takes a piece wholly or not at all, so its queue has to be larger than any frame. */
#define TX_BYTES 8192
#define RX_BYTES 512
#define NEVER 0xffffffffu

int eh_link_usb_begin(void)
{
    usb_serial_jtag_driver_config_t config = {.tx_buffer_size = TX_BYTES, .rx_buffer_size = RX_BYTES};
    return usb_serial_jtag_driver_install(&config) == ESP_OK;
}

int eh_link_usb_has_host(void)
{
#if EH_IDF_FROM(5, 1, 0)
    return usb_serial_jtag_is_connected();
#else /* a host numbers its milliseconds; whether they go on, two looks tell */
    static uint32_t before = NEVER;
    const uint32_t now = USB_SERIAL_JTAG.fram_num.sof_frame_index;
    const int goes_on = before != NEVER && now != before;
    before = now;
    return goes_on;
#endif
}

/* Nobody reads: the driver's queue is full, and the answer 0. It must never wait, or the radio's queue would not move. */
static size_t write_bytes(const uint8_t *bytes, size_t n)
{
    const int taken = usb_serial_jtag_write_bytes(bytes, n, 0);
    return taken > 0 ? (size_t)taken : 0;
}

static size_t read_bytes(uint8_t *bytes, size_t room)
{
    const int got = usb_serial_jtag_read_bytes(bytes, (uint32_t)room, 0);
    return got > 0 ? (size_t)got : 0;
}

const EhLink eh_link_usb = {.kind = EH_LINK_USB, .baud = 0, .write = write_bytes, .read = read_bytes};

#else

const EhLink eh_link_usb = {.kind = EH_LINK_USB};

int eh_link_usb_begin(void)
{
    return 0;
}

int eh_link_usb_has_host(void)
{
    return 0;
}

#endif
