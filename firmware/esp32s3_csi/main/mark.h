/* What edgehar's senders put into an ESP-NOW frame: a mark, by which receivers know them, and a running number. */
#ifndef EH_MARK_H
#define EH_MARK_H

#include <stddef.h>
#include <stdint.h>

#define EH_MARK_BYTES 8u

void eh_mark_put(uint8_t mark[EH_MARK_BYTES], uint32_t seq);

/* The number in the body of an 802.11 frame [n], all after the MAC header. 0 where it is no frame of our senders. */
int eh_mark_get(const uint8_t *body, size_t n, uint32_t *seq);

#endif
