#include "gain.h"

#include <stdbool.h>

#include "freertos/FreeRTOS.h"

#include "eh_board.h"

#if CONFIG_EDGEHAR_GAIN_LOCK

/* Functions of ESP-IDF's PHY library that no header declares. Signatures as Espressif's esp-csi uses them. */
extern void phy_fft_scale_force(bool force, uint8_t value);
extern void phy_force_rx_gain(int force, int value);

/* Where the gains lie in the radio's report on a frame; the headers call these bytes reserved (source: esp-csi). */
#define FFT_GAIN_AT 22
#define AGC_GAIN_AT 23

#define WINDOW 100      /* frames whose mean is held */
#define LEAST_AGC_GAIN 30 /* users of esp-csi saw reception stop when less was forced: the sender is too near */

static portMUX_TYPE mutex = portMUX_INITIALIZER_UNLOCKED;
static int32_t agc_sum, fft_sum, frames;
static bool decided;

void eh_gain_read(const wifi_csi_info_t *info, EhWireCsi *frame)
{
    const uint8_t *report = (const uint8_t *)&info->rx_ctrl;
    const int agc = report[AGC_GAIN_AT], fft = (int8_t)report[FFT_GAIN_AT];
    frame->agc_gain = (int16_t)agc;
    frame->fft_gain = (int16_t)fft;
    portENTER_CRITICAL(&mutex);
    if (frames >= WINDOW) { /* forget the older half */
        agc_sum /= 2;
        fft_sum /= 2;
        frames /= 2;
    }
    agc_sum += agc;
    fft_sum += fft;
    frames++;
    portEXIT_CRITICAL(&mutex);
}

int eh_gain_hold(int hold)
{
    portENTER_CRITICAL(&mutex);
    const int32_t n = frames;
    const int32_t agc = n > 0 ? agc_sum / n : 0;
    const int32_t fft = n > 0 ? fft_sum / n : 0;
    decided = true;
    portEXIT_CRITICAL(&mutex);
    if (hold && (n == 0 || agc < LEAST_AGC_GAIN)) {
        return 0;
    }
    phy_fft_scale_force(hold, (uint8_t)fft);
    phy_force_rx_gain(hold, (int)agc);
    return 1;
}

int eh_gain_due(void)
{
#if CONFIG_EDGEHAR_GAIN_LOCK_AT_START
    portENTER_CRITICAL(&mutex);
    const int due = !decided && frames >= WINDOW;
    portEXIT_CRITICAL(&mutex);
    return due;
#else
    return 0;
#endif
}

#else /* the chip does not tell its gain, or its lock is switched off */

void eh_gain_read(const wifi_csi_info_t *info, EhWireCsi *frame)
{
    (void)info;
    frame->agc_gain = EH_GAIN_UNKNOWN;
    frame->fft_gain = EH_GAIN_UNKNOWN;
}

int eh_gain_hold(int hold)
{
    (void)hold;
    return 0;
}

int eh_gain_due(void)
{
    return 0;
}

#endif
