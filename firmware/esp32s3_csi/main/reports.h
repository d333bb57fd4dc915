/* The radio's CSI reports, each with the number that our sender put into the frame that it is of. */
#ifndef EH_REPORTS_H
#define EH_REPORTS_H

#include "esp_wifi.h"

/* A report; `number` is that of its frame, NULL where the frame is of no edgehar sender or cannot be looked into. */
typedef void (*EhTakeReport)(const wifi_csi_info_t *info, const uint32_t *number);

/* From now on `take` gets every report, in the driver's task. `wants_numbers`: whether it looks at them. */
void eh_reports_begin(EhTakeReport take, int wants_numbers);

#endif
