#include "reports.h"

#include <string.h>

#include "idf_version.h"
#include "mark.h"

static EhTakeReport take_report;

#if EH_IDF_FROM(5, 1, 3)

static void on_csi(void *context, wifi_csi_info_t *info)
{
    uint32_t number;
    (void)context;
    if (info != NULL && info->buf != NULL) {
        const int ours = eh_mark_get(info->payload, info->payload_len, &number);
        take_report(info, ours ? &number : NULL);
    }
}

void eh_reports_begin(EhTakeReport take, int wants_numbers)
{
    (void)wants_numbers; /* they cost nothing */
    take_report = take;
    ESP_ERROR_CHECK(esp_wifi_set_csi_rx_cb(on_csi, NULL));
}

#else /* A report comes without its frame, but frames are sniffed as well, and both say when they were received. */

#define WAITING 4u /* of either kind, since which of the two comes first is not documented */
#define VALUES_BYTES 640u
#define HEADER_BYTES 24u /* of a management frame (IEEE 802.11-2020, 9.3.3.1), as ESP-NOW's are */
#define SENDER_AT 10u
#define CHECK_BYTES 4u

static struct {
    int waits; /* for its frame */
    wifi_csi_info_t info;
    int8_t values[VALUES_BYTES];
} reports[WAITING];
static struct {
    int waits; /* for its report */
    uint32_t number, stamp_us;
    uint8_t mac[6];
} frames[WAITING];
static unsigned next_report, next_frame;
static int pairs;

static int is_of(const wifi_csi_info_t *info, uint32_t stamp_us, const uint8_t mac[6])
{
    return info->rx_ctrl.timestamp == stamp_us && memcmp(info->mac, mac, sizeof info->mac) == 0;
}

/* Keep a report until its frame comes. The one that has waited longest was of no frame of ours. */
static void keep(const wifi_csi_info_t *info)
{
    const unsigned i = next_report++ % WAITING;
    if (reports[i].waits) {
        take_report(&reports[i].info, NULL);
    }
    reports[i].waits = info->len <= VALUES_BYTES;
    if (!reports[i].waits) { /* longer than any layout */
        take_report(info, NULL);
        return;
    }
    memcpy(reports[i].values, info->buf, info->len);
    reports[i].info = *info;
    reports[i].info.buf = reports[i].values;
}

static void on_csi(void *context, wifi_csi_info_t *info)
{
    (void)context;
    if (info == NULL || info->buf == NULL) {
        return;
    }
    if (!pairs) {
        take_report(info, NULL);
        return;
    }
    for (unsigned i = 0; i < WAITING; i++) {
        if (frames[i].waits && is_of(info, frames[i].stamp_us, frames[i].mac)) {
            frames[i].waits = 0;
            take_report(info, &frames[i].number);
            return;
        }
    }
    keep(info);
}

/* A sniffed frame; from the driver's task, too, so that nothing is to be locked. */
static void on_frame(void *buffer, wifi_promiscuous_pkt_type_t type)
{
    const wifi_promiscuous_pkt_t *packet = buffer;
    const uint8_t *mac = packet->payload + SENDER_AT;
    const uint32_t stamp_us = packet->rx_ctrl.timestamp;
    uint32_t number;
    if (type != WIFI_PKT_MGMT || packet->rx_ctrl.sig_len < HEADER_BYTES + CHECK_BYTES
        || !eh_mark_get(packet->payload + HEADER_BYTES, packet->rx_ctrl.sig_len - (HEADER_BYTES + CHECK_BYTES),
                        &number)) {
        return;
    }
    for (unsigned i = 0; i < WAITING; i++) {
        if (reports[i].waits && is_of(&reports[i].info, stamp_us, mac)) {
            reports[i].waits = 0;
            take_report(&reports[i].info, &number);
            return;
        }
    }
    const unsigned i = next_frame++ % WAITING;
    frames[i].waits = 1;
    frames[i].number = number;
    frames[i].stamp_us = stamp_us;
    memcpy(frames[i].mac, mac, sizeof frames[i].mac);
}

void eh_reports_begin(EhTakeReport take, int wants_numbers)
{
    take_report = take;
    pairs = wants_numbers;
    if (pairs) {
        ESP_ERROR_CHECK(esp_wifi_set_promiscuous_rx_cb(on_frame));
    }
    ESP_ERROR_CHECK(esp_wifi_set_csi_rx_cb(on_csi, NULL));
}

#endif
