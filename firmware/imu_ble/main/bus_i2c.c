#include "bus.h"

#include "idf_version.h"
#include "sdkconfig.h"

#if CONFIG_EDGEHAR_SENSOR_I2C && EH_IDF_FROM(5, 2, 0) /* before it, bus_i2c_legacy.c */

#include <string.h>

#include "driver/i2c_master.h"

#define TIMEOUT_MS 20
#define MOST_DEVICES 5 /* addresses at which a chip may answer: 68, 69, 6a and 6b, and one to spare */
#define LONGEST_WRITE 64u

static i2c_master_bus_handle_t master;
static struct {
    uint8_t address;
    i2c_master_dev_handle_t handle;
} devices[MOST_DEVICES];

/* The driver wants every address made known to it. NULL where there is no room. */
static i2c_master_dev_handle_t device_at(uint8_t address)
{
    for (size_t i = 0; i < MOST_DEVICES; i++) {
        if (devices[i].handle == NULL) {
            const i2c_device_config_t config = {
                .dev_addr_length = I2C_ADDR_BIT_LEN_7,
                .device_address = address,
                .scl_speed_hz = CONFIG_EDGEHAR_I2C_HZ,
            };
            devices[i].address = address;
            return i2c_master_bus_add_device(master, &config, &devices[i].handle) == ESP_OK ? devices[i].handle : NULL;
        }
        if (devices[i].address == address) {
            return devices[i].handle;
        }
    }
    return NULL;
}

static int read_registers(void *context, uint8_t address, uint8_t reg, uint8_t spare, uint8_t *to, size_t n)
{
    (void)context;
    (void)spare;
    i2c_master_dev_handle_t device = device_at(address);
    return device != NULL && i2c_master_transmit_receive(device, &reg, 1, to, n, TIMEOUT_MS) == ESP_OK;
}

static int write_registers(void *context, uint8_t address, uint8_t reg, const uint8_t *from, size_t n)
{
    (void)context;
    uint8_t bytes[1 + LONGEST_WRITE] = {reg};
    i2c_master_dev_handle_t device = device_at(address);
    if (device == NULL || n > LONGEST_WRITE) {
        return 0;
    }
    memcpy(bytes + 1, from, n);
    return i2c_master_transmit(device, bytes, n + 1, TIMEOUT_MS) == ESP_OK;
}

int eh_bus_begin(EhBus *bus)
{
    const i2c_master_bus_config_t config = {
        .i2c_port = -1,
        .sda_io_num = CONFIG_EDGEHAR_SDA_GPIO,
        .scl_io_num = CONFIG_EDGEHAR_SCL_GPIO,
        .clk_source = I2C_CLK_SRC_DEFAULT,
        .glitch_ignore_cnt = 7,
        .flags = {.enable_internal_pullup = 1}, /* boards of sensors have better ones */
    };
    *bus = (EhBus){.read = read_registers, .write = write_registers, .delay_us = eh_bus_delay};
    return i2c_new_master_bus(&config, &master) == ESP_OK;
}

#endif
