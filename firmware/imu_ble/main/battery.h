/* The charge of the battery, by its voltage on an analogue input. */
#ifndef EH_BATTERY_H
#define EH_BATTERY_H

#include <stdint.h>

/* Set the input up, where the build has one (EDGEHAR_BATTERY_GPIO). */
void eh_battery_begin(void);

/* Per cent between EDGEHAR_BATTERY_EMPTY_MV and EDGEHAR_BATTERY_FULL_MV; 255: not known. */
uint8_t eh_battery_percent(void);

#endif
