/* What `edgehar flash` wrote into NVS, and what the board keeps there itself: starts counted, key of address hashes. */
#ifndef EH_SETTINGS_H
#define EH_SETTINGS_H

#include "eh_siphash.h"
#include "eh_wire_layout.h"

typedef enum {
    EH_ROLE_RECEIVER = 0,
    EH_ROLE_SENDER = 1
} EhRole;

typedef struct {
    EhRole role;
    uint8_t channel;
    uint16_t rate_hz; /* a sender sends so many frames a second, a receiver expects so many; 0: whatever arrives */
    char name[sizeof((EhWireHello *)0)->name];
    char ssid[33];        /* "": join no network, meet by ESP-NOW on `channel` */
    char psk[65];         /* "": an open network */
    uint16_t boot;        /* number of this start */
    const char *complaint; /* what was wrong with the settings, for the log; NULL: nothing */
} EhSettings;

/* Read them; what is missing or out of range takes its default, and `complaint` says so. Counts this start. */
void eh_settings_load(EhSettings *settings);

/* The key of the address hashes; drawn and kept at the first start. Call it while the radio is on: only then are the
 * chip's random numbers random.
 */
void eh_settings_key(uint8_t key[EH_KEY_BYTES]);

#endif
