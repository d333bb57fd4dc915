/* The way to the host: USB-Serial-JTAG or UART. Neither call waits. */
#ifndef EH_LINK_H
#define EH_LINK_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    EH_LINK_UART = 0,
    EH_LINK_USB = 1
} EhLinkKind; /* as hello tells it */

typedef struct {
    EhLinkKind kind;
    uint32_t baud; /* 0: none */
    size_t (*write)(const uint8_t *bytes, size_t n); /* as much as fits now */
    size_t (*read)(uint8_t *bytes, size_t room);     /* what has come */
} EhLink;

extern const EhLink eh_link_usb, eh_link_uart;

/* Install the driver; 1 where it went well. */
int eh_link_usb_begin(void);
int eh_link_uart_begin(void);

/* 1 where a USB host sends start-of-frame packets. A charger does not. */
int eh_link_usb_has_host(void);

/* The link that the configuration names, or the one that has a host; takes up to a second. NULL where none works. */
const EhLink *eh_link_begin(void);

#endif
