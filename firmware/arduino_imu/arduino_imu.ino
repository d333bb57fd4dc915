// An Arduino Nano 33 BLE as a motion sensor over Bluetooth LE: edgehar record --source ble:edgehar-nano
//
// Boards: Nano 33 BLE, Nano 33 BLE Sense (LSM9DS1), and their Rev2 (BMI270): set EDGEHAR_REV2 to 1 for these.
// Libraries (Library Manager): ArduinoBLE; Arduino_LSM9DS1, for Rev2 Arduino_BMI270_BMM150.
//
// Notified packet, little-endian: u16 number of the first sample; u32 its time, microseconds; u8 range of the
// acceleration, g; u8 range of the angular rate, 10 deg/s; then int16 acceleration x, y, z and angular rate x, y, z of
// each sample, of which 32768 would be the range. A sample that was not fetched in time is numbered all the same, so
// that the host knows what is missing. docs/ble-devices.md.

#ifndef EDGEHAR_REV2
#define EDGEHAR_REV2 0
#endif

#include <ArduinoBLE.h>
#if EDGEHAR_REV2
#include <Arduino_BMI270_BMM150.h>
#else
#include <Arduino_LSM9DS1.h>
#endif

// One sample fits into the shortest notification there is (20 bytes). Four are sent with less effort, where the host
// takes notifications of 56 bytes; most do.
#ifndef EDGEHAR_SAMPLES
#define EDGEHAR_SAMPLES 1
#endif

static const char SERVICE_UUID[] = "7d0a0101-5c1e-4b6f-9a3d-2f6e8b1c4d70";
static const char DATA_UUID[] = "7d0a0102-5c1e-4b6f-9a3d-2f6e8b1c4d70";
static const char NAME[] = "edgehar-nano";

static const uint8_t RANGE_G = 4;        // as both libraries set it
static const uint8_t RANGE_10DPS = 200;  // 2000 deg/s, as both libraries set it
static const float FULL_SCALE = 32768.0f;
static const int HEAD_BYTES = 8;
static const int SAMPLE_BYTES = 12;
static const int PACKET_BYTES = HEAD_BYTES + EDGEHAR_SAMPLES * SAMPLE_BYTES;
static const uint16_t INTERVAL_MIN = 6;   // of the connection, units of 1.25 ms: 7.5 ms
static const uint16_t INTERVAL_MAX = 16;  // 20 ms

static BLEService service(SERVICE_UUID);
static BLECharacteristic data(DATA_UUID, BLENotify, PACKET_BYTES);

static uint8_t packet[PACKET_BYTES];
static int waiting = 0;       // samples in `packet`
static uint16_t number = 0;   // of the next sample
static uint32_t last_us = 0;  // time of the sample before
static uint32_t period_us = 0;
static bool begun = false;

static void put16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)(value & 0xff);
  at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value) {
  put16(at, (uint16_t)(value & 0xffff));
  put16(at + 2, (uint16_t)(value >> 16));
}

static void put_scaled(uint8_t *at, float value, float range) {
  float raw = value * FULL_SCALE / range;
  if (raw > 32767.0f) raw = 32767.0f;
  if (raw < -32767.0f) raw = -32767.0f;
  put16(at, (uint16_t)(int16_t)lroundf(raw));
}

// A light that blinks for ever says that there is no sensor, or no radio.
static void stop_blinking() {
  for (;;) {
    digitalWrite(LED_BUILTIN, HIGH);
    delay(100);
    digitalWrite(LED_BUILTIN, LOW);
    delay(400);
  }
}

// Number the samples that were due since the last one and were not fetched.
static void skip_missed(uint32_t now_us) {
  if (begun) {
    uint32_t passed_us = now_us - last_us;
    uint32_t due = (passed_us + period_us / 2) / period_us;
    if (due > 1) number = (uint16_t)(number + due - 1);
    if (due > 1 && waiting > 0) waiting = 0;  // a packet's samples follow each other: those are missing, too
  }
  begun = true;
  last_us = now_us;
}

static void take(uint32_t now_us) {
  float accel[3], gyro[3];
  IMU.readAcceleration(accel[0], accel[1], accel[2]);
  IMU.readGyroscope(gyro[0], gyro[1], gyro[2]);
  skip_missed(now_us);
  if (waiting == 0) {
    put16(packet, number);
    put32(packet + 2, now_us);
    packet[6] = RANGE_G;
    packet[7] = RANGE_10DPS;
  }
  uint8_t *at = packet + HEAD_BYTES + waiting * SAMPLE_BYTES;
  for (int axis = 0; axis < 3; axis++) {
    put_scaled(at + 2 * axis, accel[axis], (float)RANGE_G);
    put_scaled(at + 6 + 2 * axis, gyro[axis], 10.0f * (float)RANGE_10DPS);
  }
  number++;
  waiting++;
}

void setup() {
  pinMode(LED_BUILTIN, OUTPUT);
  if (!IMU.begin() || !BLE.begin()) stop_blinking();
  period_us = (uint32_t)lroundf(1e6f / IMU.accelerationSampleRate());
  BLE.setLocalName(NAME);
  BLE.setDeviceName(NAME);
  BLE.setConnectionInterval(INTERVAL_MIN, INTERVAL_MAX);
  service.addCharacteristic(data);
  BLE.addService(service);
  BLE.setAdvertisedService(service);
  BLE.advertise();
}

void loop() {
  BLE.poll();
  if (!IMU.accelerationAvailable() || !IMU.gyroscopeAvailable()) return;
  take(micros());
  if (waiting < EDGEHAR_SAMPLES) return;
  waiting = 0;
  if (data.subscribed()) data.writeValue(packet, PACKET_BYTES);
}
