#ifndef FAKE_BLE_SVC_GATT_H
#define FAKE_BLE_SVC_GATT_H

void ble_svc_gatt_init(void);

#endif
