#include "gatt.h"

#include "sdkconfig.h"

#if CONFIG_EDGEHAR_HOST_BLE

#include "eh_gatt.h"
#include "eh_ring.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "services/gap/ble_svc_gap.h"
#include "services/gatt/ble_svc_gatt.h"

#define LONGEST_LINE (EH_MAX_COMMAND + 2u) /* one too many, so that the core sees that it is */
#define LINES_BYTES 280u
#define MOST_LINES 4u

const ble_uuid128_t eh_gatt_service = BLE_UUID128_INIT(EH_GATT_SERVICE_UUID);
static const ble_uuid128_t data_uuid = BLE_UUID128_INIT(EH_GATT_DATA_UUID);
static const ble_uuid128_t config_uuid = BLE_UUID128_INIT(EH_GATT_CONFIG_UUID);
static const ble_uuid128_t status_uuid = BLE_UUID128_INIT(EH_GATT_STATUS_UUID);
static const ble_uuid128_t control_uuid = BLE_UUID128_INIT(EH_GATT_CONTROL_UUID);
static const ble_uuid16_t battery_service = BLE_UUID16_INIT(EH_GATT_BATTERY_SERVICE);
static const ble_uuid16_t battery_uuid = BLE_UUID16_INIT(EH_GATT_BATTERY_LEVEL);

static EhTag *served;
static uint16_t handles[EH_GATT_VALUES];
static uint8_t battery; /* a byte: whole whoever reads it */
static EhRing lines;    /* from the Bluetooth task to the tag's */
static uint8_t lines_bytes[LINES_BYTES];
static portMUX_TYPE mutex = portMUX_INITIALIZER_UNLOCKED;

static int append(struct os_mbuf *answer, const void *bytes, uint16_t n)
{
    return os_mbuf_append(answer, bytes, n) == 0 ? 0 : BLE_ATT_ERR_INSUFFICIENT_RES;
}

static int append_packet(struct os_mbuf *answer, uint8_t kind, const uint8_t *payload, size_t n)
{
    uint8_t packet[EH_PACKET_HEAD + EH_IMU_HELLO_BYTES];
    const size_t length = eh_packet_encode(kind, payload, n, packet, sizeof packet);
    return append(answer, packet, (uint16_t)length);
}

static int take_line(const struct os_mbuf *written)
{
    uint8_t line[LONGEST_LINE];
    uint16_t n = 0;
    /* A longer one is cut, and the core then answers that it is too long. */
    if (OS_MBUF_PKTLEN(written) == 0 || ble_hs_mbuf_to_flat(written, line, sizeof line, &n) == BLE_HS_EBADDATA) {
        return BLE_ATT_ERR_INVALID_ATTR_VALUE_LEN;
    }
    portENTER_CRITICAL(&mutex);
    const int room = lines.count < MOST_LINES;
    if (room) {
        (void)eh_ring_push(&lines, line, n, NULL, 0);
    }
    portEXIT_CRITICAL(&mutex);
    return room ? 0 : BLE_ATT_ERR_INSUFFICIENT_RES;
}

/* NimBLE's callback for whatever a host reads or writes; from its task. */
static int access(uint16_t connection, uint16_t handle, struct ble_gatt_access_ctxt *context, void *argument)
{
    const uint64_t now_us = (uint64_t)esp_timer_get_time();
    uint8_t payload[EH_IMU_HELLO_BYTES];
    (void)connection;
    (void)argument;
    switch (eh_gatt_value(handle)) {
    case EH_GATT_CONFIG:
        eh_tag_read_hello(served, now_us, payload);
        return append_packet(context->om, EH_KIND_IMU_HELLO, payload, EH_IMU_HELLO_BYTES);
    case EH_GATT_STATUS:
        eh_tag_read_heartbeat(served, now_us, payload);
        return append_packet(context->om, EH_KIND_IMU_HEARTBEAT, payload, EH_IMU_HEARTBEAT_BYTES);
    case EH_GATT_CONTROL:
        return context->op == BLE_GATT_ACCESS_OP_WRITE_CHR ? take_line(context->om) : BLE_ATT_ERR_READ_NOT_PERMITTED;
    case EH_GATT_BATTERY:
        return append(context->om, &battery, sizeof battery);
    default:
        return BLE_ATT_ERR_READ_NOT_PERMITTED; /* data is notified only */
    }
}

static const struct ble_gatt_chr_def values[] = {
    {.uuid = &data_uuid.u,
     .access_cb = access,
     .flags = BLE_GATT_CHR_F_NOTIFY,
     .val_handle = &handles[EH_GATT_DATA]},
    {.uuid = &config_uuid.u,
     .access_cb = access,
     .flags = BLE_GATT_CHR_F_READ | BLE_GATT_CHR_F_NOTIFY,
     .val_handle = &handles[EH_GATT_CONFIG]},
    {.uuid = &status_uuid.u,
     .access_cb = access,
     .flags = BLE_GATT_CHR_F_READ | BLE_GATT_CHR_F_NOTIFY,
     .val_handle = &handles[EH_GATT_STATUS]},
    {.uuid = &control_uuid.u,
     .access_cb = access,
     .flags = BLE_GATT_CHR_F_WRITE | BLE_GATT_CHR_F_NOTIFY,
     .val_handle = &handles[EH_GATT_CONTROL]},
    {.uuid = NULL},
};

static const struct ble_gatt_chr_def battery_values[] = {
    {.uuid = &battery_uuid.u,
     .access_cb = access,
     .flags = BLE_GATT_CHR_F_READ | BLE_GATT_CHR_F_NOTIFY,
     .val_handle = &handles[EH_GATT_BATTERY]},
    {.uuid = NULL},
};

static const struct ble_gatt_svc_def services[] = {
    {.type = BLE_GATT_SVC_TYPE_PRIMARY, .uuid = &eh_gatt_service.u, .characteristics = values},
#if CONFIG_EDGEHAR_BATTERY_GPIO >= 0 /* a charge that nobody measures is no charge of zero */
    {.type = BLE_GATT_SVC_TYPE_PRIMARY, .uuid = &battery_service.u, .characteristics = battery_values},
#endif
    {.type = 0},
};

int eh_gatt_begin(EhTag *tag)
{
    served = tag;
    eh_ring_init(&lines, lines_bytes, sizeof lines_bytes);
    ble_svc_gap_init();
    ble_svc_gatt_init();
    (void)battery_service;
    (void)battery_values;
    return ble_gatts_count_cfg(services) == 0 && ble_gatts_add_svcs(services) == 0;
}

uint16_t eh_gatt_handle(EhGattValue value)
{
    return handles[value];
}

EhGattValue eh_gatt_value(uint16_t handle)
{
    EhGattValue value = EH_GATT_DATA;
    while (value < EH_GATT_VALUES && (handles[value] == 0 || handles[value] != handle)) {
        value++;
    }
    return value;
}

EhGattValue eh_gatt_value_of(uint8_t kind)
{
    switch (kind) {
    case EH_KIND_IMU:
        return EH_GATT_DATA;
    case EH_KIND_IMU_HELLO:
        return EH_GATT_CONFIG;
    case EH_KIND_IMU_HEARTBEAT:
        return EH_GATT_STATUS;
    default:
        return EH_GATT_CONTROL;
    }
}

size_t eh_gatt_take_line(uint8_t *line, size_t room)
{
    portENTER_CRITICAL(&mutex);
    const size_t n = eh_ring_pop(&lines, line, room);
    portEXIT_CRITICAL(&mutex);
    return n;
}

void eh_gatt_set_battery(uint8_t percent)
{
    battery = percent;
}

#endif
