/* When a frame was received, on the clock that hello and heartbeat tell: esp_timer's.
 *
 * The radio stamps frames with a microsecond clock of its own, precisely; a callback comes some time later. The least
 * distance between the two clocks that was ever seen is taken for theirs, and what a frame shows above it for its delay.
 */
#ifndef EH_RX_CLOCK_H
#define EH_RX_CLOCK_H

#include <stdint.h>

typedef struct {
    uint32_t ahead_us; /* of esp_timer to the radio's clock, modulo 2^32 */
    int known;
} EhRxClock;

/* esp_timer's low 32 bits at reception. `stamp_us`: the radio's; `now_us`: esp_timer's in the callback. */
uint32_t eh_rx_clock_us(EhRxClock *clock, uint32_t stamp_us, uint32_t now_us);

#endif
