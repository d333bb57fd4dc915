#include "bus.h"

#include "idf_version.h"
#include "sdkconfig.h"

#if CONFIG_EDGEHAR_SENSOR_I2C && !EH_IDF_FROM(5, 2, 0) /* bus_i2c.c with the driver that came before i2c_master.h */

#include <string.h>

#include "driver/i2c.h"
#include "freertos/FreeRTOS.h"

#define PORT I2C_NUM_0
#define TIMEOUT_MS 20
#define LONGEST_WRITE 64u

static int read_registers(void *context, uint8_t address, uint8_t reg, uint8_t spare, uint8_t *to, size_t n)
{
    (void)context;
    (void)spare;
    return i2c_master_write_read_device(PORT, address, &reg, 1, to, n, pdMS_TO_TICKS(TIMEOUT_MS)) == ESP_OK;
}

static int write_registers(void *context, uint8_t address, uint8_t reg, const uint8_t *from, size_t n)
{
    (void)context;
    uint8_t bytes[1 + LONGEST_WRITE] = {reg};
    if (n > LONGEST_WRITE) {
        return 0;
    }
    memcpy(bytes + 1, from, n);
    return i2c_master_write_to_device(PORT, address, bytes, n + 1, pdMS_TO_TICKS(TIMEOUT_MS)) == ESP_OK;
}

int eh_bus_begin(EhBus *bus)
{
    const i2c_config_t config = {
        .mode = I2C_MODE_MASTER,
        .sda_io_num = CONFIG_EDGEHAR_SDA_GPIO,
        .scl_io_num = CONFIG_EDGEHAR_SCL_GPIO,
        .sda_pullup_en = true, /* boards of sensors have better ones */
        .scl_pullup_en = true,
        .master.clk_speed = CONFIG_EDGEHAR_I2C_HZ,
    };
    *bus = (EhBus){.read = read_registers, .write = write_registers, .delay_us = eh_bus_delay};
    return i2c_param_config(PORT, &config) == ESP_OK && i2c_driver_install(PORT, config.mode, 0, 0, 0) == ESP_OK;
}

#endif
