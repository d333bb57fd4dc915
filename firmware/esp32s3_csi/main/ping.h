/* ICMP echo requests: whatever access point and gateway are, they answer, and the answer is measured. */
#ifndef EH_PING_H
#define EH_PING_H

#include <stdint.h>

/* Send one to `address` (network order) and drop what answers have come; never waits. 1 where it was sent. */
int eh_ping(uint32_t address, uint16_t seq);

#endif
