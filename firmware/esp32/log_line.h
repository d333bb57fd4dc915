/* ESP-IDF's log line by line, to be sent as messages of kind `log`, so that its text does not fall between frames. */
#ifndef EH_LOG_LINE_H
#define EH_LOG_LINE_H

#include <stdint.h>

/* From now on `take` gets the lines of ESP_LOGx, from whatever task writes them; level as in messages.toml. */
void eh_log_redirect(void (*take)(uint8_t level, const char *text));

#endif
