/* What the chip reports of a frame, as the wire tells it. Only here do the chips' structs differ. */
#ifndef EH_CSI_FRAME_H
#define EH_CSI_FRAME_H

#include "esp_wifi.h"

#include "eh_wire_layout.h"

/* Fill all of `frame` but its time, its numbers and what eh_board_csi fills in. */
void eh_csi_frame(const wifi_csi_info_t *info, EhWireCsi *frame);

/* The radio's own time of reception, in microseconds. */
uint32_t eh_csi_stamp_us(const wifi_csi_info_t *info);

/* What the chip is to measure: every training field whose layout is known. */
wifi_csi_config_t eh_csi_config(void);

#endif
