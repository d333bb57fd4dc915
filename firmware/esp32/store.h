/* NVS: what `edgehar flash` wrote there, and the number of this start. */
#ifndef EH_STORE_H
#define EH_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "nvs.h"

#define EH_STORE_NAMESPACE "edgehar"

typedef struct {
    nvs_handle_t nvs;
    uint8_t open;          /* nvs may be used */
    uint8_t told;          /* settings are there, of a format that this firmware reads */
    uint16_t boot;         /* number of this start: another one than of the start before */
    const char *complaint; /* the first thing that is wrong with the settings, for the log; NULL: nothing */
} EhStore;

/* Open it and count this start. Where the flash cannot be used, `open` is 0 and `boot` a random number. */
void eh_store_open(EhStore *store);
void eh_store_close(EhStore *store);

/* The text of a key; "" where there is none. */
void eh_store_text(const EhStore *store, const char *key, char *text, size_t room);

/* Keep `text` as the complaint, unless there is one already. */
void eh_store_complain(EhStore *store, const char *text);

#endif
