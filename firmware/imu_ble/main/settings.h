/* What `edgehar flash` wrote into NVS, and the row of axes that a host chose last. */
#ifndef EH_SETTINGS_H
#define EH_SETTINGS_H

#include "eh_imu.h"
#include "eh_wire_layout.h"

typedef struct {
    EhImuWanted wanted;
    uint8_t axes;
    char name[sizeof((EhWireImuHello *)0)->name]; /* ends in a zero */
    uint16_t boot;         /* number of this start */
    const char *complaint; /* what was wrong with the settings, for the log; NULL: nothing */
} EhSettings;

/* Read them; what is missing or out of range takes its default, and `complaint` says so. Counts this start. A tag
 * without a name is called after its address.
 */
void eh_settings_load(EhSettings *settings);

/* Remember the row; 0 where the flash cannot be written. */
int eh_settings_keep_axes(uint8_t axes);

#endif
