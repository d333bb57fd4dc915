#include "fake_imu.h"
