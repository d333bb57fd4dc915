#include "host.h"

#include "sdkconfig.h"

#if CONFIG_EDGEHAR_HOST_BLE

#if !CONFIG_BT_NIMBLE_ENABLED
#error "NimBLE is off: start from sdkconfig.defaults"
#endif

#include "freertos/FreeRTOS.h"
#include "host/util/util.h"
#include "nimble/nimble_port.h"
#include "nimble/nimble_port_freertos.h"
#include "services/gap/ble_svc_gap.h"

#include "eh_gatt.h"
#include "gatt.h"

#define LEAST_MTU 23u
/* Buffers that notifications leave for answers to the host; one is held until the controller has sent it. */
#define KEPT_BUFFERS 8
#define LINK_OCTETS 251 /* Data Length Extension: one notification a packet */
#define LINK_TIME_US 2120
#define MOST_NAME_BYTES 29u /* of 31, in a scan response */
#define ADVERTISED_EVERY_MS 100

/* What NimBLE's task finds out and the tag's acts upon. */
static struct {
    uint16_t connection; /* BLE_HS_CONN_HANDLE_NONE: nobody is there */
    uint16_t mtu;
    uint8_t heard; /* a bit for each EhGattValue that the host has asked for */
} state = {.connection = BLE_HS_CONN_HANDLE_NONE, .mtu = LEAST_MTU};
static portMUX_TYPE mutex = portMUX_INITIALIZER_UNLOCKED;
static uint8_t address_type;
static const char *advertised;

static void advertise(void);

/* What keeps packets coming often enough, from when they are wanted. A host that refuses keeps its own. */
static void ask_for_interval(uint16_t connection)
{
    const struct ble_gap_upd_params wanted = {
        .itvl_min = EH_GATT_INTERVAL_MIN_MS * 1000u / 1250u,
        .itvl_max = EH_GATT_INTERVAL_MAX_MS * 1000u / 1250u,
        .latency = EH_GATT_PERIPHERAL_LATENCY,
        .supervision_timeout = EH_GATT_SUPERVISION_TIMEOUT_MS / 10u,
    };
    (void)ble_gap_update_params(connection, &wanted);
}

static void connected(uint16_t connection)
{
    portENTER_CRITICAL(&mutex);
    state.connection = connection;
    state.mtu = LEAST_MTU;
    state.heard = 0;
    portEXIT_CRITICAL(&mutex);
    if (connection != BLE_HS_CONN_HANDLE_NONE) {
        (void)ble_gap_set_data_len(connection, LINK_OCTETS, LINK_TIME_US);
    }
}

static void subscribed(uint16_t connection, EhGattValue value, int on)
{
    if (value == EH_GATT_VALUES) {
        return; /* of GAP's and GATT's own services */
    }
    portENTER_CRITICAL(&mutex);
    state.heard = (uint8_t)(on ? state.heard | 1u << value : state.heard & ~(1u << value));
    portEXIT_CRITICAL(&mutex);
    if (value == EH_GATT_DATA && on) {
        ask_for_interval(connection);
    }
}

/* NimBLE's callback for connections; from its task. */
static int on_event(struct ble_gap_event *event, void *argument)
{
    (void)argument;
    switch (event->type) {
    case BLE_GAP_EVENT_CONNECT:
        if (event->connect.status == 0) {
            connected(event->connect.conn_handle);
        } else {
            advertise();
        }
        break;
    case BLE_GAP_EVENT_DISCONNECT:
        connected(BLE_HS_CONN_HANDLE_NONE);
        advertise();
        break;
    case BLE_GAP_EVENT_ADV_COMPLETE:
        advertise();
        break;
    case BLE_GAP_EVENT_MTU:
        portENTER_CRITICAL(&mutex);
        state.mtu = event->mtu.value;
        portEXIT_CRITICAL(&mutex);
        break;
    case BLE_GAP_EVENT_SUBSCRIBE:
        subscribed(event->subscribe.conn_handle, eh_gatt_value(event->subscribe.attr_handle),
                   event->subscribe.cur_notify);
        break;
    default:
        break;
    }
    return 0;
}

static size_t length(const char *text)
{
    size_t n = 0;
    while (text[n] != '\0') {
        n++;
    }
    return n;
}

static void advertise(void)
{
    const size_t n = length(advertised);
    const struct ble_hs_adv_fields first = {
        .flags = BLE_HS_ADV_F_DISC_GEN | BLE_HS_ADV_F_BREDR_UNSUP,
        .uuids128 = &eh_gatt_service,
        .num_uuids128 = 1,
        .uuids128_is_complete = 1,
    };
    const struct ble_hs_adv_fields second = {
        .name = (const uint8_t *)advertised,
        .name_len = (uint8_t)(n < MOST_NAME_BYTES ? n : MOST_NAME_BYTES),
        .name_is_complete = n <= MOST_NAME_BYTES,
    };
    const struct ble_gap_adv_params how = {
        .conn_mode = BLE_GAP_CONN_MODE_UND,
        .disc_mode = BLE_GAP_DISC_MODE_GEN,
        .itvl_min = BLE_GAP_ADV_ITVL_MS(ADVERTISED_EVERY_MS),
        .itvl_max = BLE_GAP_ADV_ITVL_MS(ADVERTISED_EVERY_MS + ADVERTISED_EVERY_MS / 2),
    };
    if (ble_gap_adv_active()) {
        return;
    }
    (void)(ble_gap_adv_set_fields(&first) == 0 && ble_gap_adv_rsp_set_fields(&second) == 0
           && ble_gap_adv_start(address_type, NULL, BLE_HS_FOREVER, &how, on_event, NULL) == 0);
}

static void on_sync(void)
{
    if (ble_hs_util_ensure_addr(0) == 0 && ble_hs_id_infer_auto(0, &address_type) == 0) {
        advertise();
    }
}

/* The controller was reset: whoever was there is not any more, and on_sync follows. */
static void on_reset(int reason)
{
    (void)reason;
    connected(BLE_HS_CONN_HANDLE_NONE);
}

static void host_task(void *context)
{
    (void)context;
    nimble_port_run();
    nimble_port_freertos_deinit();
}

int eh_host_begin(EhTag *tag, const char *name)
{
    advertised = name;
    if (nimble_port_init() != ESP_OK) {
        return 0;
    }
    ble_hs_cfg.sync_cb = on_sync;
    ble_hs_cfg.reset_cb = on_reset;
    if (!eh_gatt_begin(tag) || ble_svc_gap_device_name_set(name) != 0
        || ble_att_set_preferred_mtu(EH_GATT_RECOMMENDED_MTU) != 0) {
        return 0;
    }
    nimble_port_freertos_init(host_task);
    return 1;
}

/* Notify; nothing of it waits. */
static EhTagSent notify(uint16_t connection, EhGattValue value, const uint8_t *bytes, size_t n)
{
    if (os_msys_num_free() < KEPT_BUFFERS) {
        return EH_TAG_BUSY;
    }
    struct os_mbuf *buffer = ble_hs_mbuf_from_flat(bytes, (uint16_t)n);
    if (buffer == NULL) {
        return EH_TAG_BUSY;
    }
    switch (ble_gatts_notify_custom(connection, eh_gatt_handle(value), buffer)) { /* takes the buffer in any case */
    case 0:
        return EH_TAG_SENT;
    case BLE_HS_ENOMEM:
    case BLE_HS_EBUSY:
    case BLE_HS_EAGAIN:
        return EH_TAG_BUSY;
    default:
        return EH_TAG_UNHEARD; /* the host has just gone */
    }
}

static int hears(EhGattValue value, uint16_t *connection)
{
    portENTER_CRITICAL(&mutex);
    const int heard = state.connection != BLE_HS_CONN_HANDLE_NONE && (state.heard & 1u << value) != 0;
    *connection = state.connection;
    portEXIT_CRITICAL(&mutex);
    return heard;
}

EhTagSent eh_host_send(void *context, uint8_t kind, const uint8_t *payload, size_t n)
{
    static uint8_t packet[EH_GATT_MAX_VALUE_BYTES]; /* the tag's task only */
    const EhGattValue value = eh_gatt_value_of(kind);
    uint16_t connection;
    (void)context;
    if (!hears(value, &connection)) {
        return EH_TAG_UNHEARD;
    }
    return notify(connection, value, packet, eh_packet_encode(kind, payload, n, packet, sizeof packet));
}

void eh_host_serve(EhTag *tag)
{
    static size_t told;
    uint8_t line[EH_MAX_COMMAND + 2u];
    size_t n;
    portENTER_CRITICAL(&mutex);
    const size_t room = state.connection != BLE_HS_CONN_HANDLE_NONE ? eh_tag_room_ble(state.mtu) : 0;
    portEXIT_CRITICAL(&mutex);
    if (room != told) {
        eh_tag_link(tag, room);
        told = room;
    }
    while ((n = eh_gatt_take_line(line, sizeof line)) > 0) {
        eh_tag_write(tag, line, n);
    }
}

void eh_host_battery(uint8_t percent)
{
    uint16_t connection;
    eh_gatt_set_battery(percent);
    if (hears(EH_GATT_BATTERY, &connection)) {
        (void)notify(connection, EH_GATT_BATTERY, &percent, 1);
    }
}

int eh_host_sending(void)
{
    return 0; /* what NimBLE has taken goes out within an interval or two */
}

#endif
