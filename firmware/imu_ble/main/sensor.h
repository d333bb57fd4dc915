/* The inertial sensor of this tag: found, set, read a hundred times a second; begun anew when it falls silent. */
#ifndef EH_SENSOR_H
#define EH_SENSOR_H

#include "eh_imu.h"
#include "eh_tag.h"

/* Look for a sensor, test it where it has a test, and set it going. What is wrong is logged once there is a tag. */
EhImuFault eh_sensor_begin(const EhImuWanted *wanted);

/* Its part name, as hello has it; "none" while none is found. */
const char *eh_sensor_name(void);

/* How it is set. Without a sensor, as it was wanted: a hello needs some rate. */
EhTagSettings eh_sensor_settings(void);

/* Set one thing otherwise, as the command says; 1 where the sensor took it. `settings`: how it is set then. */
int eh_sensor_change(const EhCommand *command, EhTagSettings *settings);

/* Read what has come, if it is time to. Call it at every turn of the tag's task. 0: no sensor was there at the start,
 * and now there is one: the board may start again.
 */
int eh_sensor_poll(EhTag *tag, uint64_t now_us);

#endif
