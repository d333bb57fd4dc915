/* Of its registers, the one that ESP-IDF 5.0 has no function for. */
#ifndef FAKE_SOC_USB_SERIAL_JTAG_STRUCT_H
#define FAKE_SOC_USB_SERIAL_JTAG_STRUCT_H

#include <stdint.h>

typedef volatile struct {
    union {
        struct {
            uint32_t sof_frame_index : 11; /* of the host's last start-of-frame packet */
            uint32_t reserved11 : 21;
        };
        uint32_t val;
    } fram_num;
} usb_serial_jtag_dev_t;

extern usb_serial_jtag_dev_t *fake_usb_registers(void); /* as they are now */
#define USB_SERIAL_JTAG (*fake_usb_registers())

#endif
