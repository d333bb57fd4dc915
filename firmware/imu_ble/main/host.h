/* The way to whoever listens: Bluetooth LE or a cable, as the build is configured. */
#ifndef EH_HOST_H
#define EH_HOST_H

#include "eh_tag.h"

/* Set it up; `name` is what the tag advertises. 1 where it went well. Call it once the tag is. */
int eh_host_begin(EhTag *tag, const char *name);

/* EhTagPort.send. */
EhTagSent eh_host_send(void *context, uint8_t kind, const uint8_t *payload, size_t n);

/* Tell the tag who is there and what he has written; before each poll of it, from the same task. */
void eh_host_serve(EhTag *tag);

/* The battery's charge changed. */
void eh_host_battery(uint8_t percent);

/* 1 while a message is on its way that a restart would cut off. */
int eh_host_sending(void);

#endif
