/* The receiver's gain: told with every frame, and held on the chips that can, so that amplitudes stay comparable. */
#ifndef EH_GAIN_H
#define EH_GAIN_H

#include "esp_wifi.h"

#include "eh_wire_layout.h"

/* Fill agc_gain and fft_gain of `frame`, and remember them for the lock. */
void eh_gain_read(const wifi_csi_info_t *info, EhWireCsi *frame);

/* Hold the mean gain of the last frames, or let go. 0 where the chip cannot, or no frame came yet. */
int eh_gain_hold(int hold);

/* 1 where a hold at start is wanted and enough frames have come; asked until eh_gain_hold was called. */
int eh_gain_due(void);

#endif
