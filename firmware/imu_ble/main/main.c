/* edgehar's firmware for a tag: samples from an inertial sensor to the host. docs/firmware.md says what it does. */
#include <stdlib.h>

#include "battery.h"
#include "sensor.h"
#include "settings.h"
#include "tag.h"

void app_main(void)
{
    static EhSettings settings;
    eh_settings_load(&settings);
    eh_battery_begin();
    const EhImuFault sensor = eh_sensor_begin(&settings.wanted);
    if (!eh_tag_begin(&settings, sensor)) {
        abort(); /* the panic text on the console says where */
    }
    eh_tag_serve();
}
