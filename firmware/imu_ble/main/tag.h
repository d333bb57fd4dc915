/* This chip as a tag of the core: commands, and the task that serves sensor and host. */
#ifndef EH_TAG_TASK_H
#define EH_TAG_TASK_H

#include "settings.h"

/* Set the tag up; the sensor has begun. 0 where core or host refuse. */
int eh_tag_begin(const EhSettings *settings, EhImuFault sensor);

/* Serve for ever, under the watchdog. The caller's task becomes the tag's. */
void eh_tag_serve(void);

#endif
