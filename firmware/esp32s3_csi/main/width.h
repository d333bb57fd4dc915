/* Bands, protocols and channel widths, which the chips set in different ways. */
#ifndef EH_WIDTH_H
#define EH_WIDTH_H

#include <stdint.h>

#include "esp_wifi.h"

/* After esp_wifi_start: 40 MHz on the chips whose 40 MHz layouts are known, else 20 MHz; 802.11n at most, whose training
 * fields the chips measure.
 */
void eh_width_begin(int in_network, uint8_t channel);

/* Before the channel changes: 0 where the chip has not its band. */
int eh_width_change(uint8_t channel);

/* Where the secondary channel lies when nobody says: below from channel 5 on, as esp-csi has it, above before. */
wifi_second_chan_t eh_width_secondary(uint8_t channel);

#endif
