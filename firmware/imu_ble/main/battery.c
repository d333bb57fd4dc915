#include "battery.h"

#include "eh_tag.h"
#include "sdkconfig.h"

#if CONFIG_EDGEHAR_BATTERY_GPIO >= 0

#include "esp_adc/adc_cali.h"
#include "esp_adc/adc_cali_scheme.h"
#include "esp_adc/adc_oneshot.h"

#define READINGS 8
#define FULL_RANGE ((adc_atten_t)3) /* ADC_ATTEN_DB_12, or DB_11 before some releases of ESP-IDF 5.0 and 5.1 */

static adc_oneshot_unit_handle_t unit;
static adc_channel_t channel;
static adc_cali_handle_t scale;

static int begin_scale(adc_unit_t id)
{
#if ADC_CALI_SCHEME_CURVE_FITTING_SUPPORTED
    const adc_cali_curve_fitting_config_t config = {
        .unit_id = id, .chan = channel, .atten = FULL_RANGE, .bitwidth = ADC_BITWIDTH_DEFAULT};
    return adc_cali_create_scheme_curve_fitting(&config, &scale) == ESP_OK;
#else
    const adc_cali_line_fitting_config_t config = {
        .unit_id = id, .atten = FULL_RANGE, .bitwidth = ADC_BITWIDTH_DEFAULT};
    return adc_cali_create_scheme_line_fitting(&config, &scale) == ESP_OK;
#endif
}

void eh_battery_begin(void)
{
    adc_unit_t id;
    if (adc_oneshot_io_to_channel(CONFIG_EDGEHAR_BATTERY_GPIO, &id, &channel) != ESP_OK) {
        return; /* no analogue input: the charge stays unknown */
    }
    const adc_oneshot_unit_init_cfg_t of_unit = {.unit_id = id};
    const adc_oneshot_chan_cfg_t of_channel = {.atten = FULL_RANGE, .bitwidth = ADC_BITWIDTH_DEFAULT};
    if (adc_oneshot_new_unit(&of_unit, &unit) != ESP_OK
        || adc_oneshot_config_channel(unit, channel, &of_channel) != ESP_OK
        || !begin_scale(id)) {
        unit = NULL;
    }
}

uint8_t eh_battery_percent(void)
{
    const int empty = CONFIG_EDGEHAR_BATTERY_EMPTY_MV, full = CONFIG_EDGEHAR_BATTERY_FULL_MV;
    int sum_mv = 0;
    for (int i = 0; i < READINGS; i++) {
        int raw = 0, mv = 0;
        if (unit == NULL || adc_oneshot_read(unit, channel, &raw) != ESP_OK
            || adc_cali_raw_to_voltage(scale, raw, &mv) != ESP_OK) {
            return EH_BATTERY_UNKNOWN;
        }
        sum_mv += mv;
    }
    const int mv = sum_mv / READINGS * CONFIG_EDGEHAR_BATTERY_DIVIDER_PERCENT / 100;
    const int percent = (mv - empty) * 100 / (full - empty);
    return (uint8_t)(percent < 0 ? 0 : percent > 100 ? 100 : percent);
}

#else

void eh_battery_begin(void)
{
}

uint8_t eh_battery_percent(void)
{
    return EH_BATTERY_UNKNOWN;
}

#endif
