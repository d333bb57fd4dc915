/* Decisions on SAMPLES.csv, rows of t_ns and the model's channels below a header line:
 *
 *   edgehar export wrist.edgehar --target c --out build/wrist
 *   cc -std=c99 -O2 -ffp-contract=off -I build/wrist/c examples/c/decide.c build/wrist/c/eh_*.c -lm -o decide
 *   ./decide SAMPLES.csv
 */
#include <stdio.h>
#include <stdlib.h>

#include "eh_labels.h"

static EhModel model;

int main(int argc, char **argv)
{
    char line[4096];
    FILE *csv = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (csv == NULL || fgets(line, sizeof line, csv) == NULL) { /* the header line */
        fprintf(stderr, "usage: decide SAMPLES.csv\n");
        return 2;
    }
    eh_init(&model);
    while (fgets(line, sizeof line, csv) != NULL) {
        float sample[EH_CHANNELS];
        char *at = line;
        const double t_ns = strtod(at, &at);
        for (int i = 0; i < EH_CHANNELS; i++) {
            sample[i] = strtof(*at == ',' ? at + 1 : at, &at);
        }
        if (eh_push_sample(&model, sample) == EH_READY) {
            EhDecision decision;
            eh_decide(&model, &decision);
            printf("%.3f s  %s  %.2f\n", t_ns / 1e9, decision.label < 0 ? "no data" : eh_labels[decision.label],
                   (double)decision.p);
        }
    }
    return 0;
}
