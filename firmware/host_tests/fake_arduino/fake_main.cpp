/* Runs the sketch: standard input has a line for each sample (us ax ay az gx gy gz), in g and deg/s; what it
 * advertises and notifies goes to standard output. Every other turn of its loop finds nothing new. */
#include <stdio.h>
#include <stdlib.h>

#include "Arduino.h"
#include "ArduinoBLE.h"
#include "fake_imu.h"

void setup();
void loop();

static unsigned long now_us;
static float values[6];
static bool fresh;

BLELocalDevice BLE;
FakeImu IMU;

uint32_t micros() { return (uint32_t)now_us; }
void delay(unsigned long) { exit(3); /* the sketch gave up */ }
void pinMode(int, int) {}
void digitalWrite(int, int) {}

BLECharacteristic::BLECharacteristic(const char *uuid_, uint16_t, int) : uuid(uuid_) {}
bool BLECharacteristic::subscribed() { return true; }
int BLECharacteristic::writeValue(const uint8_t *value, int length) {
  printf("notify %s ", uuid);
  for (int i = 0; i < length; i++) printf("%02x", value[i]);
  printf("\n");
  return 1;
}

BLEService::BLEService(const char *uuid_) : uuid(uuid_) {}
void BLEService::addCharacteristic(BLECharacteristic &) {}

int BLELocalDevice::begin() { return 1; }
void BLELocalDevice::poll() {}
void BLELocalDevice::setLocalName(const char *name) { printf("name %s\n", name); }
void BLELocalDevice::setDeviceName(const char *) {}
void BLELocalDevice::setConnectionInterval(uint16_t, uint16_t) {}
void BLELocalDevice::addService(BLEService &) {}
bool BLELocalDevice::setAdvertisedService(const BLEService &service) {
  printf("service %s\n", service.uuid);
  return true;
}
int BLELocalDevice::advertise() { return 1; }

int FakeImu::begin() { return getenv("FAKE_NO_IMU") == nullptr; }
float FakeImu::accelerationSampleRate() { return 104.0f; }
int FakeImu::accelerationAvailable() { return fresh; }
int FakeImu::gyroscopeAvailable() { return fresh; }
int FakeImu::readAcceleration(float &x, float &y, float &z) {
  x = values[0], y = values[1], z = values[2];
  return 1;
}
int FakeImu::readGyroscope(float &x, float &y, float &z) {
  x = values[3], y = values[4], z = values[5];
  fresh = false;
  return 1;
}

int main() {
  setup();
  while (scanf("%lu %f %f %f %f %f %f", &now_us, &values[0], &values[1], &values[2], &values[3], &values[4],
               &values[5]) == 7) {
    fresh = true;
    loop();
    loop();
  }
  return 0;
}
