/* The fake's inside: virtual time, the script that drives it, and what the firmware did (trace, on stderr). */
#ifndef FAKE_H
#define FAKE_H

#include <stddef.h>
#include <stdint.h>

extern int64_t fake_now_us;

/* One line of what the firmware asked of the chip. */
void fake_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tasks and timers until `end_us`; nothing runs at any other time. */
void fake_start(void (*function)(void));
void fake_run_until(int64_t end_us);

/* Script to hardware. */
void fake_nvs_put(const char *type, const char *key, const char *value);
void fake_nvs_dump(void);
void fake_host_connect(int connected);
void fake_host_reads(int reads);
void fake_host_sends(const char *bytes, size_t n);
void fake_join(const uint8_t bssid[6], int channel);
void fake_gateway(uint32_t address);
void fake_leave(void);
void fake_fail(const char *call);  /* from now on; "": nothing fails any more */
int fake_fails(const char *call);
typedef struct {
    uint8_t mac[6];
    int channel, secondary, sig_mode, cwb, stbc, rssi, first_word_invalid, agc, fft;
    uint32_t stamp_us;
} FakeHeard;
void fake_sniff(const char *when); /* before ESP-IDF 5.1.3: a frame comes first, last or never of frame and report */
void fake_csi(const FakeHeard *heard, uint8_t *body, size_t n_body, int8_t *values, size_t n);

#endif
