#ifndef FAKE_ADC_CALI_H
#define FAKE_ADC_CALI_H

#include "esp_adc/adc_oneshot.h"

typedef struct adc_cali_scheme *adc_cali_handle_t;

esp_err_t adc_cali_raw_to_voltage(adc_cali_handle_t scale, int raw, int *mv);

#endif
