#ifndef FAKE_DRIVER_I2C_MASTER_H
#define FAKE_DRIVER_I2C_MASTER_H

#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"
#include "esp_idf_version.h"

#if !FAKE_IDF_FROM(5, 2, 0)
#error "driver/i2c_master.h: no such file before ESP-IDF 5.2"
#endif

typedef struct i2c_master_bus *i2c_master_bus_handle_t;
typedef struct i2c_master_dev *i2c_master_dev_handle_t;
typedef enum { I2C_CLK_SRC_DEFAULT = 4 } i2c_clock_source_t;
typedef enum { I2C_ADDR_BIT_LEN_7 } i2c_addr_bit_len_t;

typedef struct {
    int i2c_port, sda_io_num, scl_io_num;
    i2c_clock_source_t clk_source;
    uint8_t glitch_ignore_cnt;
    int intr_priority;
    size_t trans_queue_depth;
    struct {
        uint32_t enable_internal_pullup : 1;
    } flags;
} i2c_master_bus_config_t;

typedef struct {
    i2c_addr_bit_len_t dev_addr_length;
    uint16_t device_address;
    uint32_t scl_speed_hz;
} i2c_device_config_t;

esp_err_t i2c_new_master_bus(const i2c_master_bus_config_t *config, i2c_master_bus_handle_t *bus);
esp_err_t i2c_master_bus_add_device(i2c_master_bus_handle_t bus, const i2c_device_config_t *config,
                                    i2c_master_dev_handle_t *device);
esp_err_t i2c_master_transmit(i2c_master_dev_handle_t device, const uint8_t *bytes, size_t n, int timeout_ms);
esp_err_t i2c_master_transmit_receive(i2c_master_dev_handle_t device, const uint8_t *bytes, size_t n, uint8_t *to,
                                      size_t room, int timeout_ms);

#endif
