/* The program to run while a lab meter records: pin D0 is low for ten idle seconds, then high for 200 decisions, five
 * times over. Three functions are the board's.
 *
 *   edgehar export wrist.edgehar --target c --out build/wrist
 *   cc -std=c99 -O2 -ffp-contract=off -I build/wrist/c examples/c/energy.c board.c build/wrist/c/eh_*.c -lm
 *   edgehar bench energy wrist.edgehar --meter 'csv:recorded.csv?decisions=200&voltage_v=3.3'
 */
#include "eh_labels.h"

#define ROUNDS 5
#define DECISIONS 200
#define IDLE_MS 10000u

void board_pin(int high);
void board_sleep_ms(unsigned milliseconds);         /* asleep as in the product, sensor on */
void board_sample(float sample[EH_CHANNELS]);       /* the next row of a table in flash: a sensor would make it wait */

static EhModel model;

static void decide(int decisions)
{
    while (decisions > 0) {
        float sample[EH_CHANNELS];
        EhDecision decision;
        board_sample(sample);
        if (eh_push_sample(&model, sample) == EH_READY) {
            eh_decide(&model, &decision);
            decisions--;
        }
    }
}

int main(void)
{
    eh_init(&model);
    decide(1); /* the first window is longer than a hop */
    for (int round = 0; round < ROUNDS; round++) {
        board_pin(0);
        board_sleep_ms(IDLE_MS);
        board_pin(1);
        decide(DECISIONS);
    }
    board_pin(0);
    board_sleep_ms(IDLE_MS);
    return 0;
}
