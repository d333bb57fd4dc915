#include "bus.h"

#include "sdkconfig.h"

#if CONFIG_EDGEHAR_SENSOR_SPI

#include <string.h>

#include "driver/spi_master.h"
#include "esp_attr.h"

#define READ 0x80u
#define CLOCK_HZ 5000000 /* the ICM-20948 takes 7 MHz, the others 10 */
#define LONGEST 128u     /* bytes of a transfer: the longest piece that a driver reads, and what comes before it */

static spi_device_handle_t device;

/* Register first, then n bytes, of which the chip's answer is copied to `to` where that is not NULL. */
static int transfer(uint8_t first, uint8_t spare, const uint8_t *from, uint8_t *to, size_t n)
{
    static WORD_ALIGNED_ATTR uint8_t sent[LONGEST], heard[LONGEST]; /* one task talks to the sensor */
    const size_t before = 1u + spare;
    if (before + n > LONGEST) {
        return 0;
    }
    memset(sent, 0, before + n);
    sent[0] = first;
    if (from != NULL) {
        memcpy(sent + before, from, n);
    }
    spi_transaction_t exchange = {.length = 8 * (before + n), .tx_buffer = sent, .rx_buffer = heard};
    if (spi_device_polling_transmit(device, &exchange) != ESP_OK) {
        return 0;
    }
    if (to != NULL) {
        memcpy(to, heard + before, n);
    }
    return 1;
}

static int read_registers(void *context, uint8_t address, uint8_t reg, uint8_t spare, uint8_t *to, size_t n)
{
    (void)context;
    (void)address;
    return transfer((uint8_t)(READ | reg), spare, NULL, to, n);
}

static int write_registers(void *context, uint8_t address, uint8_t reg, const uint8_t *from, size_t n)
{
    (void)context;
    (void)address;
    return transfer((uint8_t)(reg & ~READ), 0, from, NULL, n);
}

int eh_bus_begin(EhBus *bus)
{
    const spi_bus_config_t wires = {
        .mosi_io_num = CONFIG_EDGEHAR_MOSI_GPIO,
        .miso_io_num = CONFIG_EDGEHAR_MISO_GPIO,
        .sclk_io_num = CONFIG_EDGEHAR_SCLK_GPIO,
        .quadwp_io_num = -1,
        .quadhd_io_num = -1,
        .max_transfer_sz = LONGEST,
    };
    const spi_device_interface_config_t chip = {
        .mode = 0,
        .clock_speed_hz = CLOCK_HZ,
        .spics_io_num = CONFIG_EDGEHAR_CS_GPIO,
        .queue_size = 1,
    };
    *bus = (EhBus){.read = read_registers, .write = write_registers, .delay_us = eh_bus_delay, .on_spi = 1};
    return spi_bus_initialize(SPI2_HOST, &wires, SPI_DMA_CH_AUTO) == ESP_OK
           && spi_bus_add_device(SPI2_HOST, &chip, &device) == ESP_OK;
}

#endif
