/* Runs the firmware against the fake: a script of lines on stdin, the link's bytes on stdout, the trace on stderr.
 *
 *   nvs TYPE KEY VALUE        before the start             usb 0|1      a host on the USB socket
 *   run MS                    the first one starts it      reads 0|1    whether the host reads
 *   host TEXT                 a line to the board          join BSSID CHANNEL, gateway ADDRESS, leave
 *   fail CALL                 it fails from now on         log TEXT     a line of the driver's log
 *   sniff first|last|never    before ESP-IDF 5.1.3: when a report's frame comes
 *   csi MAC CHANNEL SECONDARY SIG_MODE CWB STBC RSSI FIRST_WORD_INVALID AGC FFT STAMP_US BODY VALUES
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

#define LINE 8192

void app_main(void);
void fake_log(char level, const char *tag, const char *text);

static size_t unhex(const char *text, uint8_t *bytes, size_t room)
{
    size_t n = 0;
    unsigned value;
    while (n < room && sscanf(text + 2 * n, "%2x", &value) == 1) {
        bytes[n++] = (uint8_t)value;
    }
    return n;
}

static void hear(const char *rest)
{
    static char mac[16], body[256], values[LINE];
    FakeHeard heard;
    if (sscanf(rest, "%15s %d %d %d %d %d %d %d %d %d %u %255s %8191s", mac, &heard.channel, &heard.secondary,
               &heard.sig_mode, &heard.cwb, &heard.stbc, &heard.rssi, &heard.first_word_invalid, &heard.agc,
               &heard.fft, &heard.stamp_us, body, values)
        != 13) {
        fake_trace("bad csi line");
        exit(2);
    }
    uint8_t *raw_body = malloc(128), *raw = malloc(LINE / 2); /* on the heap, so that a read behind the end is seen */
    (void)unhex(mac, heard.mac, sizeof heard.mac);
    const size_t n_body = unhex(body, raw_body, 128), n = unhex(values, raw, LINE / 2);
    raw_body = realloc(raw_body, n_body + 1);
    raw = realloc(raw, n + 1);
    fake_csi(&heard, n_body > 0 ? raw_body : NULL, n_body, (int8_t *)raw, n);
    free(raw_body);
    free(raw);
}

int main(void)
{
    static char line[LINE];
    int running = 0;
    while (fgets(line, sizeof line, stdin) != NULL) {
        char word[16] = "", a[32] = "", b[32] = "", c[80] = "";
        uint8_t mac[6];
        line[strcspn(line, "\n")] = '\0';
        (void)sscanf(line, "%15s %31s %31s %79s", word, a, b, c);
        const char *rest = line + strcspn(line, " ") + (strchr(line, ' ') != NULL);
        if (strcmp(word, "nvs") == 0) {
            fake_nvs_put(a, b, c);
        } else if (strcmp(word, "usb") == 0) {
            fake_host_connect(atoi(a));
        } else if (strcmp(word, "reads") == 0) {
            fake_host_reads(atoi(a));
        } else if (strcmp(word, "run") == 0) {
            if (!running++) {
                fake_start(app_main);
            }
            fake_run_until(fake_now_us + 1000 * atoll(a));
        } else if (strcmp(word, "host") == 0) {
            line[strlen(line) + 1] = '\0';
            line[strlen(line)] = '\n';
            fake_host_sends(rest, strlen(rest));
        } else if (strcmp(word, "join") == 0) {
            (void)unhex(a, mac, sizeof mac);
            fake_join(mac, atoi(b));
        } else if (strcmp(word, "gateway") == 0) {
            fake_gateway((uint32_t)strtoul(a, NULL, 16));
        } else if (strcmp(word, "leave") == 0) {
            fake_leave();
        } else if (strcmp(word, "fail") == 0) {
            fake_fail(rest);
        } else if (strcmp(word, "log") == 0) {
            fake_log('W', "wifi", rest);
        } else if (strcmp(word, "sniff") == 0) {
            fake_sniff(a);
        } else if (strcmp(word, "csi") == 0) {
            hear(rest);
        } else {
            fake_trace("unknown line %s", line);
            return 2;
        }
    }
    fake_nvs_dump();
    fflush(stdout);
    _Exit(0);
}
