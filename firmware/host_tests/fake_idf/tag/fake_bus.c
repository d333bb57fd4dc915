/* I2C and SPI with one chip on them, and an analogue input. */
#include <stdio.h>
#include <string.h>

#include "esp_idf_version.h"
#if FAKE_IDF_FROM(5, 2, 0)
#include "driver/i2c_master.h"
#else
#include "driver/i2c.h"
#endif
#include "driver/spi_master.h"
#include "esp_adc/adc_cali_scheme.h"
#include "esp_mac.h"
#include "esp_rom_sys.h"
#include "fake.h"
#include "fake_tag.h"

FakeSensor fake_sensor;
int fake_battery_mv;

static FakeSensor *sensor_now(void)
{
    if (fake_sensor.chip != NULL) {
        fake_sensor_advance(&fake_sensor, (double)fake_now_us - fake_sensor.now_us);
    }
    return &fake_sensor;
}

#if FAKE_IDF_FROM(5, 2, 0)

#define MOST_DEVICES 8

static uint16_t addresses[MOST_DEVICES];
static size_t n_devices;

esp_err_t i2c_new_master_bus(const i2c_master_bus_config_t *config, i2c_master_bus_handle_t *bus)
{
    fake_trace("i2c sda %d scl %d", config->sda_io_num, config->scl_io_num);
    *bus = NULL;
    return fake_fails("i2c_new_master_bus") ? ESP_FAIL : ESP_OK;
}

esp_err_t i2c_master_bus_add_device(i2c_master_bus_handle_t bus, const i2c_device_config_t *config,
                                    i2c_master_dev_handle_t *device)
{
    (void)bus;
    if (n_devices == MOST_DEVICES) {
        return ESP_ERR_NO_MEM;
    }
    addresses[n_devices] = config->device_address;
    *device = (i2c_master_dev_handle_t)(void *)&addresses[n_devices++];
    return ESP_OK;
}

static uint8_t address_of(i2c_master_dev_handle_t device)
{
    return (uint8_t)*(const uint16_t *)(const void *)device;
}

esp_err_t i2c_master_transmit(i2c_master_dev_handle_t device, const uint8_t *bytes, size_t n, int timeout_ms)
{
    (void)timeout_ms;
    return fake_sensor_write(sensor_now(), address_of(device), bytes[0], bytes + 1, n - 1) ? ESP_OK : ESP_FAIL;
}

esp_err_t i2c_master_transmit_receive(i2c_master_dev_handle_t device, const uint8_t *bytes, size_t n, uint8_t *to,
                                      size_t room, int timeout_ms)
{
    (void)n;
    (void)timeout_ms;
    return fake_sensor_read(sensor_now(), address_of(device), bytes[0], to, room) ? ESP_OK : ESP_FAIL;
}

#else

esp_err_t i2c_param_config(i2c_port_t port, const i2c_config_t *config)
{
    (void)port;
    fake_trace("i2c sda %d scl %d", config->sda_io_num, config->scl_io_num);
    return config->mode == I2C_MODE_MASTER && config->master.clk_speed > 0 ? ESP_OK : ESP_FAIL;
}

esp_err_t i2c_driver_install(i2c_port_t port, i2c_mode_t mode, size_t rx_bytes, size_t tx_bytes, int flags)
{
    (void)port;
    (void)mode;
    (void)rx_bytes;
    (void)tx_bytes;
    (void)flags;
    return fake_fails("i2c_new_master_bus") ? ESP_FAIL : ESP_OK;
}

esp_err_t i2c_master_write_to_device(i2c_port_t port, uint8_t address, const uint8_t *bytes, size_t n, TickType_t ticks)
{
    (void)port;
    (void)ticks;
    return fake_sensor_write(sensor_now(), address, bytes[0], bytes + 1, n - 1) ? ESP_OK : ESP_FAIL;
}

esp_err_t i2c_master_write_read_device(i2c_port_t port, uint8_t address, const uint8_t *bytes, size_t n, uint8_t *to,
                                       size_t room, TickType_t ticks)
{
    (void)port;
    (void)n;
    (void)ticks;
    return fake_sensor_read(sensor_now(), address, bytes[0], to, room) ? ESP_OK : ESP_FAIL;
}

#endif

esp_err_t spi_bus_initialize(spi_host_device_t host, const spi_bus_config_t *config, spi_dma_chan_t dma)
{
    (void)host;
    (void)dma;
    fake_trace("spi sclk %d miso %d mosi %d", config->sclk_io_num, config->miso_io_num, config->mosi_io_num);
    return ESP_OK;
}

esp_err_t spi_bus_add_device(spi_host_device_t host, const spi_device_interface_config_t *config,
                             spi_device_handle_t *device)
{
    (void)host;
    fake_trace("cs %d", config->spics_io_num);
    *device = NULL;
    return ESP_OK;
}

esp_err_t spi_device_polling_transmit(spi_device_handle_t device, spi_transaction_t *transaction)
{
    const uint8_t *sent = transaction->tx_buffer;
    uint8_t *heard = transaction->rx_buffer;
    const size_t n = transaction->length / 8;
    FakeSensor *sensor = sensor_now();
    (void)device;
    sensor->on_spi = 1;
    memset(heard, 0xff, n);
    if (sensor->chip == NULL) {
        return ESP_OK; /* SPI has nobody who acknowledges */
    }
    if (sent[0] & 0x80) {
        const size_t before = 1u + (strcmp(sensor->chip->name, "bmi270") == 0);
        (void)fake_sensor_read(sensor, 0, sent[0] & 0x7f, heard + before, n > before ? n - before : 0);
    } else {
        (void)fake_sensor_write(sensor, 0, sent[0], sent + 1, n - 1);
    }
    return ESP_OK;
}

esp_err_t adc_oneshot_io_to_channel(int gpio, adc_unit_t *unit, adc_channel_t *channel)
{
    *unit = ADC_UNIT_1;
    *channel = ADC_CHANNEL_0;
    return gpio > 0 ? ESP_OK : ESP_ERR_NOT_FOUND;
}

esp_err_t adc_oneshot_new_unit(const adc_oneshot_unit_init_cfg_t *config, adc_oneshot_unit_handle_t *unit)
{
    (void)config;
    *unit = (adc_oneshot_unit_handle_t)(void *)&fake_battery_mv;
    return ESP_OK;
}

esp_err_t adc_oneshot_config_channel(adc_oneshot_unit_handle_t unit, adc_channel_t channel,
                                     const adc_oneshot_chan_cfg_t *config)
{
    (void)unit;
    (void)channel;
    (void)config;
    return ESP_OK;
}

esp_err_t adc_oneshot_read(adc_oneshot_unit_handle_t unit, adc_channel_t channel, int *raw)
{
    (void)unit;
    (void)channel;
    *raw = fake_battery_mv;
    return fake_battery_mv > 0 ? ESP_OK : ESP_FAIL;
}

esp_err_t adc_cali_raw_to_voltage(adc_cali_handle_t scale, int raw, int *mv)
{
    (void)scale;
    *mv = raw;
    return ESP_OK;
}

#if ADC_CALI_SCHEME_CURVE_FITTING_SUPPORTED
esp_err_t adc_cali_create_scheme_curve_fitting(const adc_cali_curve_fitting_config_t *config, adc_cali_handle_t *scale)
{
    (void)config;
    *scale = NULL;
    return ESP_OK;
}
#else
esp_err_t adc_cali_create_scheme_line_fitting(const adc_cali_line_fitting_config_t *config, adc_cali_handle_t *scale)
{
    (void)config;
    *scale = NULL;
    return ESP_OK;
}
#endif

esp_err_t esp_read_mac(uint8_t *mac, esp_mac_type_t type)
{
    static const uint8_t address[6] = {0x24, 0x0a, 0xc4, 0x80, 0x33, 0x5f};
    memcpy(mac, address, sizeof address);
    return type == ESP_MAC_BT ? ESP_OK : ESP_FAIL;
}

void esp_rom_delay_us(uint32_t us)
{
    fake_now_us += us; /* the processor does nothing else meanwhile */
}
