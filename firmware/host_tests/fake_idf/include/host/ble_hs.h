/* What the firmware uses of NimBLE, declared after ESP-IDF's headers of it; the order of members is this fake's own. */
#ifndef FAKE_BLE_HS_H
#define FAKE_BLE_HS_H

#include <stddef.h>
#include <stdint.h>

#include "os/os_mbuf.h"

#define BLE_HS_EAGAIN 1
#define BLE_HS_ENOMEM 6
#define BLE_HS_ENOTCONN 7
#define BLE_HS_EBADDATA 10
#define BLE_HS_EMSGSIZE 4
#define BLE_HS_EBUSY 15
#define BLE_HS_CONN_HANDLE_NONE 0xffff
#define BLE_HS_FOREVER INT32_MAX

#define BLE_ATT_ERR_READ_NOT_PERMITTED 0x02
#define BLE_ATT_ERR_INVALID_ATTR_VALUE_LEN 0x0d
#define BLE_ATT_ERR_INSUFFICIENT_RES 0x11

typedef struct {
    uint8_t type;
} ble_uuid_t;

typedef struct {
    ble_uuid_t u;
    uint16_t value;
} ble_uuid16_t;

typedef struct {
    ble_uuid_t u;
    uint8_t value[16];
} ble_uuid128_t;

#define BLE_UUID16_INIT(number) {.u = {.type = 16}, .value = (number)}
#define BLE_UUID128_INIT(...) {.u = {.type = 128}, .value = {__VA_ARGS__}}

#define BLE_GATT_SVC_TYPE_PRIMARY 1
#define BLE_GATT_CHR_F_READ 0x0002
#define BLE_GATT_CHR_F_WRITE 0x0008
#define BLE_GATT_CHR_F_NOTIFY 0x0010
#define BLE_GATT_ACCESS_OP_READ_CHR 0
#define BLE_GATT_ACCESS_OP_WRITE_CHR 1

struct ble_gatt_access_ctxt {
    uint8_t op;
    struct os_mbuf *om;
};

typedef int ble_gatt_access_fn(uint16_t connection, uint16_t handle, struct ble_gatt_access_ctxt *context, void *arg);

struct ble_gatt_chr_def {
    const ble_uuid_t *uuid;
    ble_gatt_access_fn *access_cb;
    void *arg;
    uint16_t flags;
    uint16_t *val_handle;
};

struct ble_gatt_svc_def {
    uint8_t type;
    const ble_uuid_t *uuid;
    const struct ble_gatt_svc_def **includes;
    const struct ble_gatt_chr_def *characteristics;
};

int ble_gatts_count_cfg(const struct ble_gatt_svc_def *services);
int ble_gatts_add_svcs(const struct ble_gatt_svc_def *services);
int ble_gatts_notify_custom(uint16_t connection, uint16_t handle, struct os_mbuf *om);
struct os_mbuf *ble_hs_mbuf_from_flat(const void *bytes, uint16_t n);
int ble_hs_mbuf_to_flat(const struct os_mbuf *om, void *flat, uint16_t room, uint16_t *n);
int ble_att_set_preferred_mtu(uint16_t mtu);

#define BLE_GAP_EVENT_CONNECT 0
#define BLE_GAP_EVENT_DISCONNECT 1
#define BLE_GAP_EVENT_ADV_COMPLETE 9
#define BLE_GAP_EVENT_SUBSCRIBE 14
#define BLE_GAP_EVENT_MTU 15
#define BLE_GAP_CONN_MODE_UND 2
#define BLE_GAP_DISC_MODE_GEN 2
#define BLE_GAP_ADV_ITVL_MS(ms) ((ms) * 1000 / 625)
#define BLE_HS_ADV_F_DISC_GEN 0x02
#define BLE_HS_ADV_F_BREDR_UNSUP 0x04

struct ble_gap_event {
    uint8_t type;
    union {
        struct {
            int status;
            uint16_t conn_handle;
        } connect;
        struct {
            int reason;
        } disconnect;
        struct {
            uint16_t conn_handle, attr_handle;
            uint8_t reason, prev_notify : 1, cur_notify : 1;
        } subscribe;
        struct {
            uint16_t conn_handle, channel_id, value;
        } mtu;
    };
};

typedef int ble_gap_event_fn(struct ble_gap_event *event, void *arg);

struct ble_hs_adv_fields {
    uint8_t flags;
    const ble_uuid128_t *uuids128;
    uint8_t num_uuids128;
    unsigned uuids128_is_complete : 1;
    const uint8_t *name;
    uint8_t name_len;
    unsigned name_is_complete : 1;
};

struct ble_gap_adv_params {
    uint8_t conn_mode, disc_mode;
    uint16_t itvl_min, itvl_max;
};

struct ble_gap_upd_params {
    uint16_t itvl_min, itvl_max, latency, supervision_timeout, min_ce_len, max_ce_len;
};

typedef struct {
    uint8_t type, val[6];
} ble_addr_t;

int ble_gap_adv_active(void);
int ble_gap_adv_set_fields(const struct ble_hs_adv_fields *fields);
int ble_gap_adv_rsp_set_fields(const struct ble_hs_adv_fields *fields);
int ble_gap_adv_start(uint8_t own_address_type, const ble_addr_t *direct, int32_t duration_ms,
                      const struct ble_gap_adv_params *params, ble_gap_event_fn *callback, void *arg);
int ble_gap_update_params(uint16_t connection, const struct ble_gap_upd_params *params);
int ble_gap_set_data_len(uint16_t connection, uint16_t octets, uint16_t time_us);
int ble_hs_id_infer_auto(int privacy, uint8_t *own_address_type);

struct ble_hs_cfg {
    void (*reset_cb)(int reason);
    void (*sync_cb)(void);
};
extern struct ble_hs_cfg ble_hs_cfg;

#endif
