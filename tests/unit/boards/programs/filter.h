/* A small "model": a running sum, with functions of known cost to count. */
#ifndef FILTER_H
#define FILTER_H
#include <stdint.h>
int32_t filter_push(int16_t sample);
void hundred_nops(void);
#endif
