#include "rx_clock.h"

#define RESTARTED_US 1000000 /* no callback is that late: the radio's clock began again */
#define FORGET 1024          /* the least distance grows by such a part of each frame's delay, should the clocks drift */

uint32_t eh_rx_clock_us(EhRxClock *clock, uint32_t stamp_us, uint32_t now_us)
{
    const uint32_t ahead_us = now_us - stamp_us;
    const int32_t delay_us = (int32_t)(ahead_us - clock->ahead_us);
    if (!clock->known || delay_us < 0 || delay_us > RESTARTED_US) {
        clock->ahead_us = ahead_us;
        clock->known = 1;
    } else {
        clock->ahead_us += (uint32_t)(delay_us / FORGET);
    }
    return stamp_us + clock->ahead_us;
}
