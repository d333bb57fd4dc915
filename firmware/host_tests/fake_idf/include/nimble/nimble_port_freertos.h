#ifndef FAKE_NIMBLE_PORT_FREERTOS_H
#define FAKE_NIMBLE_PORT_FREERTOS_H

void nimble_port_freertos_init(void (*host_task)(void *));
void nimble_port_freertos_deinit(void);

#endif
