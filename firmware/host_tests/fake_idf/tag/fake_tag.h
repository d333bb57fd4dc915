/* The fake's inside for tags: sensor, battery and the air; fake.h has the rest. */
#ifndef FAKE_TAG_H
#define FAKE_TAG_H

#include <stddef.h>
#include <stdint.h>

#include "fake_sensor.h"

extern FakeSensor fake_sensor; /* chip NULL: none is wired */
extern int fake_battery_mv;    /* on the GPIO */

void fake_connect(int mtu);
void fake_disconnect(void);
void fake_subscribe(const char *value, int on);
void fake_read(const char *value);
void fake_write(const char *bytes, size_t n);
void fake_air(int packets_a_second); /* how many notifications leave; 0: none, and buffers fill */

#endif
