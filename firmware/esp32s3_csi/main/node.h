/* This chip as a board of the core: commands, and the task that serves the link. */
#ifndef EH_NODE_H
#define EH_NODE_H

#include "eh_board.h"
#include "link.h"
#include "settings.h"

/* The board; before eh_node_begin, nothing may be done with it. */
EhBoard *eh_node(void);

/* Set the board up. 0 where the core refuses: the chip is not one that it knows. */
int eh_node_begin(const EhSettings *settings, const uint8_t key[EH_KEY_BYTES], const EhLink *host);

/* Queue a line of log for the host. */
void eh_node_log(uint8_t level, const char *text);

/* Serve the link for ever, under the watchdog. The caller's task becomes the link task. */
void eh_node_serve(void);

#endif
