/* The Wi-Fi driver: on a channel of its own or in a network, and CSI of the frames that are meant. */
#ifndef EH_RADIO_H
#define EH_RADIO_H

#include "settings.h"

/* Switch the radio on; joins the network if there is one. Frames are not listened to yet. */
void eh_radio_begin(const EhSettings *settings);

/* Hand CSI to the board from now on; call it after eh_node_begin. */
void eh_radio_listen(void);

/* Go to another channel; `secondary`: 0 none, 1 above, 2 below. 0 where the network or the chip forbids it. */
int eh_radio_tune(uint8_t channel, uint8_t secondary);

/* Whether a network was asked for. */
int eh_radio_in_network(void);

/* From the link task: join again after a loss, and switch CSI on again after a long silence. */
void eh_radio_poll(uint64_t now_us);

#endif
