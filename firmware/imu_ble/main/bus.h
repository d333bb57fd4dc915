/* The wires to the sensor: I2C or SPI, as the build is configured. */
#ifndef EH_BUS_H
#define EH_BUS_H

#include "eh_imu.h"

/* Install the driver; 1 where it went well. Its calls wait for the transfer: a tenth of a millisecond a register. */
int eh_bus_begin(EhBus *bus);

/* EhBus.delay_us: lets other tasks run where it takes a millisecond or more. */
void eh_bus_delay(void *context, uint32_t us);

#endif
