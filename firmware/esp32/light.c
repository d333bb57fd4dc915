#include "light.h"

#include "sdkconfig.h"

#if CONFIG_EDGEHAR_LIGHT_GPIO >= 0

#include "driver/gpio.h"
#include "esp_timer.h"

#define PERIOD_US 100000u
#define CHANGES 30

static esp_timer_handle_t timer;
static int left; /* changes still to come; even ones are dark */

static void change(void *context)
{
    (void)context;
    left--;
    (void)gpio_set_level((gpio_num_t)CONFIG_EDGEHAR_LIGHT_GPIO, (uint32_t)(left & 1));
    if (left <= 0) {
        (void)esp_timer_stop(timer);
    }
}

int eh_light_blink(void)
{
    const esp_timer_create_args_t args = {.callback = change, .name = "light"};
    if (timer == NULL
        && (gpio_set_direction((gpio_num_t)CONFIG_EDGEHAR_LIGHT_GPIO, GPIO_MODE_OUTPUT) != ESP_OK
            || esp_timer_create(&args, &timer) != ESP_OK)) {
        return 0;
    }
    (void)esp_timer_stop(timer);
    left = CHANGES;
    return esp_timer_start_periodic(timer, PERIOD_US) == ESP_OK;
}

#else

int eh_light_blink(void)
{
    return 0;
}

#endif
