/* ESP-IDF's log as frames of kind `log`, so that its text does not fall between those of others. */
#ifndef EH_LOG_LINE_H
#define EH_LOG_LINE_H

/* From now on, lines of ESP_LOGx go to the board; call it after eh_node_begin. */
void eh_log_redirect(void);

#endif
