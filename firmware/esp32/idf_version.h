/* Which ESP-IDF compiles the firmware. A mend goes back to older series, so what a version has, its patch level says too. */
#ifndef EH_IDF_VERSION_H
#define EH_IDF_VERSION_H

#include "esp_idf_version.h"

#define EH_IDF_FROM(major, minor, patch) (ESP_IDF_VERSION >= ESP_IDF_VERSION_VAL(major, minor, patch))

#if !EH_IDF_FROM(5, 0, 5) || (EH_IDF_FROM(5, 1, 0) && !EH_IDF_FROM(5, 1, 2))
#error "ESP-IDF 5.0.5, 5.1.2 or newer is needed: before them, its USB driver says that it took what it dropped"
#endif

#endif
