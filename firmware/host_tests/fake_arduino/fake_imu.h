/* What Arduino_LSM9DS1 and Arduino_BMI270_BMM150 have in common. */
#ifndef FAKE_IMU_H
#define FAKE_IMU_H

class FakeImu {
 public:
  int begin();
  float accelerationSampleRate();
  int accelerationAvailable();
  int gyroscopeAvailable();
  int readAcceleration(float &x, float &y, float &z);
  int readGyroscope(float &x, float &y, float &z);
};

extern FakeImu IMU;

#endif
