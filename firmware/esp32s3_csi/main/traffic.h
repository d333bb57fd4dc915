/* Makes the frames that are measured: a sender's own by ESP-NOW, or an access point's, which answers pings. */
#ifndef EH_TRAFFIC_H
#define EH_TRAFFIC_H

#include "settings.h"

/* Begin at the rate of the settings; call it after eh_radio_listen. In a network, pings begin with its gateway. */
void eh_traffic_begin(const EhSettings *settings);

/* Frames a second from now on; 0: none. 0 where the timer refuses. */
int eh_traffic_rate(uint16_t rate_hz);

/* The gateway's address in network order; 0: none. */
void eh_traffic_gateway(uint32_t address);

/* Send over 40 MHz, or over 20. */
void eh_traffic_wide(int wide);

#endif
