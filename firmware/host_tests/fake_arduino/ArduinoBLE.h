/* The part of ArduinoBLE's interface that arduino_imu calls. */
#ifndef FAKE_ARDUINO_BLE_H
#define FAKE_ARDUINO_BLE_H

#include <stdint.h>

enum { BLENotify = 0x10 };

class BLECharacteristic {
 public:
  BLECharacteristic(const char *uuid, uint16_t properties, int value_size);
  bool subscribed();
  int writeValue(const uint8_t *value, int length);
  const char *uuid;
};

class BLEService {
 public:
  explicit BLEService(const char *uuid);
  void addCharacteristic(BLECharacteristic &characteristic);
  const char *uuid;
};

class BLELocalDevice {
 public:
  int begin();
  void poll();
  void setLocalName(const char *name);
  void setDeviceName(const char *name);
  void setConnectionInterval(uint16_t minimum, uint16_t maximum);
  void addService(BLEService &service);
  bool setAdvertisedService(const BLEService &service);
  int advertise();
};

extern BLELocalDevice BLE;

#endif
