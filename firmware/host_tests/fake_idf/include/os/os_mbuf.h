#ifndef FAKE_OS_MBUF_H
#define FAKE_OS_MBUF_H

#include <stdint.h>

#define FAKE_MBUF_BYTES 600

struct os_mbuf {
    uint8_t om_data[FAKE_MBUF_BYTES];
    uint16_t om_len;
};

#define OS_MBUF_PKTLEN(om) ((om)->om_len)

int os_mbuf_append(struct os_mbuf *om, const void *data, uint16_t n);
int os_msys_num_free(void);

#endif
