/* This chip as the core of either project wants it: time, lock, answers, and the restart that was asked for. */
#ifndef EH_CHIP_H
#define EH_CHIP_H

#include <stddef.h>
#include <stdint.h>

#include "eh_command.h"

/* Microseconds since the start. */
uint64_t eh_chip_now_us(void);

/* The core's lock, for tasks on either processor; `context` is not looked at. */
void eh_chip_lock(void *context);
void eh_chip_unlock(void *context);

/* What a command is answered. */
EhReplyStatus eh_chip_reply(int done);

/* `text` in a field of `room` bytes, zeros behind it; what is too long is cut, without a zero. */
void eh_chip_text(char *to, size_t room, const char *text);

/* Restart half a second from now, or as soon as all is sent. */
void eh_chip_restart_soon(void);

/* Restart at the next eh_chip_restart_due. */
void eh_chip_restart_next(void);

/* Once a turn of the link's task: restarts where it is time to. `all_sent`: nothing waits for the link any more. */
void eh_chip_restart_due(int all_sent);

#endif
