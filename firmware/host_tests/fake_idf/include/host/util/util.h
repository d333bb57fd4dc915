#ifndef FAKE_BLE_UTIL_H
#define FAKE_BLE_UTIL_H

#include "host/ble_hs.h"

int ble_hs_util_ensure_addr(int prefer_random);

#endif
