/* Reads samples as CSV, one a line, from a file or standard input; prints a line for every decision.
 *
 *   eh_example [samples.csv]
 *
 * Values stand in the order that eh_model.h names; an empty or unreadable one counts as missing. Headings and empty lines
 * are skipped.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "eh_labels.h"

static EhModel model;

/* The values of a line; 0 where it is empty or a heading. */
static int read_sample(const char *line, float sample[EH_CHANNELS])
{
    char *end;
    (void)strtof(line, &end);
    if (end == line && *line != ',') {
        return 0;
    }
    for (int i = 0; i < EH_CHANNELS; i++) {
        sample[i] = strtof(line, &end);
        if (end == line) {
            sample[i] = NAN;
        }
        while (*line != '\0' && *line != ',') {
            line++;
        }
        line += *line == ',';
    }
    return 1;
}

int main(int argc, char **argv)
{
    static const char *const certainties[] = {"sure", "unsure", "no data"};
    char line[64 * EH_CHANNELS + 64];
    float sample[EH_CHANNELS];
    unsigned long n = 0;
    FILE *file = argc > 1 ? fopen(argv[1], "r") : stdin;
    if (file == NULL) {
        fprintf(stderr, "%s: cannot be read\n", argv[1]);
        return 1;
    }
    eh_init(&model);
    while (fgets(line, sizeof line, file) != NULL) {
        if (!read_sample(line, sample)) {
            continue;
        }
        n++;
        if (eh_push_sample(&model, sample) == EH_READY) {
            EhDecision decision;
            eh_decide(&model, &decision);
            printf("%lu,%s,%.4f,%s\n", n, decision.label < 0 ? "" : eh_labels[decision.label], (double)decision.p,
                   certainties[decision.certainty]);
        }
    }
    return 0;
}
