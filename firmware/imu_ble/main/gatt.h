/* The attributes of docs/ble-imu.md as NimBLE wants them: services, characteristics, what reading and writing do. */
#ifndef EH_GATT_TABLE_H
#define EH_GATT_TABLE_H

#include "eh_tag.h"
#include "host/ble_hs.h"

/* Whose notifications a host may have asked for. */
typedef enum {
    EH_GATT_DATA,
    EH_GATT_CONFIG,
    EH_GATT_STATUS,
    EH_GATT_CONTROL,
    EH_GATT_BATTERY,
    EH_GATT_VALUES
} EhGattValue;

extern const ble_uuid128_t eh_gatt_service;

/* Register the services; before the host task begins. 1 where NimBLE took them. */
int eh_gatt_begin(EhTag *tag);

/* The handle of a value, and the value that a handle stands for; EH_GATT_VALUES for none. */
uint16_t eh_gatt_handle(EhGattValue value);
EhGattValue eh_gatt_value(uint16_t handle);

/* The value that carries messages of this kind. */
EhGattValue eh_gatt_value_of(uint8_t kind);

/* The oldest line that was written to control and not yet taken: its length, 0 where there is none. */
size_t eh_gatt_take_line(uint8_t *line, size_t room);

/* What a host reads as the battery's charge. */
void eh_gatt_set_battery(uint8_t percent);

#endif
