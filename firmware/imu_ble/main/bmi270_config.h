/* The configuration file without which a BMI270 does not run. It is Bosch's (BMI270_SensorAPI, BSD-3-Clause), no part
 * of edgehar; a build that is given it (edgehar firmware build imu_ble --bmi270 FILE) carries it.
 */
#ifndef EH_BMI270_CONFIG_H
#define EH_BMI270_CONFIG_H

#include <stddef.h>
#include <stdint.h>

/* Its bytes and how many they are; NULL and 0 where this build has none. */
const uint8_t *eh_bmi270_config(size_t *n);

#endif
