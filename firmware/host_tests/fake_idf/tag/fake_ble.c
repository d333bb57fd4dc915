/* NimBLE and a host on the other side. What the host gets goes to stdout: u8 characteristic (the byte that tells its
 * UUID from the others', 25 the battery's, +128 where the host read it), u16 length, i64 time in us, bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "fake_tag.h"
#include "freertos/task.h"
#include "host/ble_hs.h"
#include "host/util/util.h"
#include "nimble/nimble_port.h"
#include "nimble/nimble_port_freertos.h"
#include "services/gap/ble_svc_gap.h"
#include "services/gatt/ble_svc_gatt.h"

#define BUFFERS 36
#define MOST_VALUES 8
#define CONNECTION 1
#define FIRST_HANDLE 16

struct ble_hs_cfg ble_hs_cfg;

static struct {
    const struct ble_gatt_chr_def *definition;
    uint8_t id;
    int subscribed;
} values[MOST_VALUES];
static size_t n_values;
static ble_gap_event_fn *on_event;
static int advertising, connected, mtu, air = 1000;
static double held; /* buffers with notifications that have not left yet */
static int64_t since_us;
static TaskHandle_t host;

static void leave(void)
{
    const double left = (double)(fake_now_us - since_us) * 1e-6 * air;
    since_us = fake_now_us;
    held = held > left ? held - left : 0;
}

int os_msys_num_free(void)
{
    leave();
    return BUFFERS - (int)held;
}

int os_mbuf_append(struct os_mbuf *om, const void *data, uint16_t n)
{
    if (om->om_len + n > FAKE_MBUF_BYTES) {
        return BLE_HS_ENOMEM;
    }
    memcpy(om->om_data + om->om_len, data, n);
    om->om_len = (uint16_t)(om->om_len + n);
    return 0;
}

struct os_mbuf *ble_hs_mbuf_from_flat(const void *bytes, uint16_t n)
{
    struct os_mbuf *om = os_msys_num_free() > 0 && !fake_fails("mbuf") ? calloc(1, sizeof *om) : NULL;
    if (om != NULL) {
        (void)os_mbuf_append(om, bytes, n);
    }
    return om;
}

int ble_hs_mbuf_to_flat(const struct os_mbuf *om, void *flat, uint16_t room, uint16_t *n)
{
    *n = om->om_len < room ? om->om_len : room;
    memcpy(flat, om->om_data, *n);
    return om->om_len > room ? BLE_HS_EMSGSIZE : 0;
}

static void give(uint8_t id, const uint8_t *bytes, uint16_t n)
{
    fwrite(&id, 1, 1, stdout);
    fwrite(&n, 2, 1, stdout);
    fwrite(&fake_now_us, 8, 1, stdout);
    fwrite(bytes, 1, n, stdout);
}

static size_t index_of(uint16_t handle)
{
    size_t i = 0;
    while (i < n_values && *values[i].definition->val_handle != handle) {
        i++;
    }
    return i;
}

int ble_gatts_notify_custom(uint16_t connection, uint16_t handle, struct os_mbuf *om)
{
    const size_t i = index_of(handle);
    int status = 0;
    if (!connected || connection != CONNECTION) {
        status = BLE_HS_ENOTCONN;
    } else if (i == n_values || !values[i].subscribed || om->om_len > mtu - 3) {
        fake_check(ESP_FAIL, "a notification that nobody has asked for, or too long a one");
    } else if (fake_fails("ble_gatts_notify_custom")) {
        status = BLE_HS_ENOMEM;
    } else {
        held += 1;
        give(values[i].id, om->om_data, om->om_len);
    }
    free(om);
    return status;
}

int ble_gatts_count_cfg(const struct ble_gatt_svc_def *services)
{
    (void)services;
    return 0;
}

int ble_gatts_add_svcs(const struct ble_gatt_svc_def *services)
{
    for (; services->type != 0; services++) {
        for (const struct ble_gatt_chr_def *at = services->characteristics; at->uuid != NULL; at++) {
            const int is_short = at->uuid->type == 16;
            values[n_values].definition = at;
            values[n_values].id = is_short ? (uint8_t)((const ble_uuid16_t *)(const void *)at->uuid)->value
                                           : ((const ble_uuid128_t *)(const void *)at->uuid)->value[12];
            *at->val_handle = (uint16_t)(FIRST_HANDLE + 3 * n_values);
            fake_trace("characteristic %02x flags %02x", values[n_values].id, at->flags);
            n_values++;
        }
    }
    return 0;
}

int ble_att_set_preferred_mtu(uint16_t wanted)
{
    fake_trace("mtu %d", wanted);
    return 0;
}

int ble_gap_adv_active(void)
{
    return advertising;
}

int ble_gap_adv_set_fields(const struct ble_hs_adv_fields *fields)
{
    if (fields->num_uuids128 == 1) {
        const uint8_t *uuid = fields->uuids128->value;
        fake_trace("advertise flags %02x uuid %02x%02x%02x%02x", fields->flags, uuid[15], uuid[14], uuid[13], uuid[12]);
    }
    return 0;
}

int ble_gap_adv_rsp_set_fields(const struct ble_hs_adv_fields *fields)
{
    fake_trace("name %.*s complete %d", fields->name_len, fields->name, fields->name_is_complete);
    return 2 + fields->name_len > 31 ? BLE_HS_EMSGSIZE : 0;
}

int ble_gap_adv_start(uint8_t own_address_type, const ble_addr_t *direct, int32_t duration_ms,
                      const struct ble_gap_adv_params *params, ble_gap_event_fn *callback, void *arg)
{
    (void)own_address_type;
    (void)direct;
    (void)duration_ms;
    (void)params;
    (void)arg;
    on_event = callback;
    advertising = 1;
    fake_trace("advertising");
    return 0;
}

int ble_gap_update_params(uint16_t connection, const struct ble_gap_upd_params *params)
{
    (void)connection;
    fake_trace("interval %d %d latency %d timeout %d", params->itvl_min, params->itvl_max, params->latency,
               params->supervision_timeout);
    return 0;
}

int ble_gap_set_data_len(uint16_t connection, uint16_t octets, uint16_t time_us)
{
    (void)connection;
    fake_trace("packets of %d octets, %d us", octets, time_us);
    return 0;
}

int ble_hs_id_infer_auto(int privacy, uint8_t *own_address_type)
{
    *own_address_type = (uint8_t)privacy;
    return 0;
}

int ble_hs_util_ensure_addr(int prefer_random)
{
    (void)prefer_random;
    return 0;
}

void ble_svc_gap_init(void)
{
}

void ble_svc_gatt_init(void)
{
}

int ble_svc_gap_device_name_set(const char *name)
{
    fake_trace("device name %s", name);
    return 0;
}

esp_err_t nimble_port_init(void)
{
    return fake_fails("nimble_port_init") ? ESP_FAIL : ESP_OK;
}

void nimble_port_run(void)
{
    ble_hs_cfg.sync_cb();
    for (;;) {
        vTaskDelay(1000000);
    }
}

void nimble_port_freertos_init(void (*host_task)(void *))
{
    (void)xTaskCreate(host_task, "nimble_host", 4096, NULL, 21, &host);
}

void nimble_port_freertos_deinit(void)
{
}

static void tell(struct ble_gap_event event)
{
    if (on_event == NULL) {
        fake_check(ESP_FAIL, "a host where nothing is advertised");
        return;
    }
    (void)on_event(&event, NULL);
}

void fake_connect(int agreed_mtu)
{
    if (!advertising) {
        fake_check(ESP_FAIL, "a connection to what does not advertise");
    }
    advertising = 0;
    connected = 1;
    mtu = 23;
    tell((struct ble_gap_event){.type = BLE_GAP_EVENT_CONNECT, .connect = {.status = 0, .conn_handle = CONNECTION}});
    if (agreed_mtu > 23) {
        mtu = agreed_mtu;
        tell((struct ble_gap_event){.type = BLE_GAP_EVENT_MTU,
                                    .mtu = {.conn_handle = CONNECTION, .value = (uint16_t)agreed_mtu}});
    }
}

void fake_disconnect(void)
{
    connected = 0;
    held = 0;
    for (size_t i = 0; i < n_values; i++) {
        values[i].subscribed = 0;
    }
    tell((struct ble_gap_event){.type = BLE_GAP_EVENT_DISCONNECT, .disconnect = {.reason = 0x208}});
}

static size_t named(const char *name)
{
    static const char *const names[] = {"data", "config", "status", "control"};
    uint8_t id = 25;
    for (uint8_t i = 0; i < 4; i++) {
        id = strcmp(name, names[i]) == 0 ? (uint8_t)(2 + i) : id;
    }
    size_t found = 0;
    while (found < n_values && values[found].id != id) {
        found++;
    }
    return found;
}

void fake_subscribe(const char *name, int on)
{
    const size_t i = named(name);
    if (i == n_values || !connected) {
        fake_trace("no value %s", name);
        return;
    }
    values[i].subscribed = on;
    tell((struct ble_gap_event){
        .type = BLE_GAP_EVENT_SUBSCRIBE,
        .subscribe = {
            .conn_handle = CONNECTION, .attr_handle = *values[i].definition->val_handle, .cur_notify = on != 0}});
}

static int ask(size_t i, uint8_t op, struct os_mbuf *om)
{
    struct ble_gatt_access_ctxt context = {.op = op, .om = om};
    const struct ble_gatt_chr_def *definition = values[i].definition;
    return definition->access_cb(CONNECTION, *definition->val_handle, &context, definition->arg);
}

void fake_read(const char *name)
{
    struct os_mbuf om = {.om_len = 0};
    const size_t i = named(name);
    if (i == n_values || !(values[i].definition->flags & BLE_GATT_CHR_F_READ)) {
        fake_trace("no read of %s", name);
        return;
    }
    fake_trace("read %d", ask(i, BLE_GATT_ACCESS_OP_READ_CHR, &om));
    give((uint8_t)(values[i].id | 128), om.om_data, om.om_len);
}

void fake_write(const char *bytes, size_t n)
{
    struct os_mbuf om = {.om_len = 0};
    (void)os_mbuf_append(&om, bytes, (uint16_t)n);
    fake_trace("write %d", ask(named("control"), BLE_GATT_ACCESS_OP_WRITE_CHR, &om));
}

void fake_air(int packets_a_second)
{
    leave();
    air = packets_a_second;
}
