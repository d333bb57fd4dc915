/* The core, driven by a script: one program for every compiler and processor, whose answers must be the same bytes.
 *
 * Script and answers are little-endian. An operation is u8 number and its operands; its answer is records of u32 length
 * and bytes (tests/firmware/core_cases.py writes and reads both).
 */
#ifndef EH_CASES_H
#define EH_CASES_H

#include <stddef.h>
#include <stdint.h>

/* Brought by each main: the next n bytes of the script, 0 at its end; and n bytes of answer. */
int eh_take(uint8_t *to, size_t n);
void eh_give(const uint8_t *from, size_t n);

/* A tag's life, up to its end; case_tag.c. */
void eh_tag_case(void);

/* Run the whole script; 0, or the number of an operation that does not exist. */
int eh_run_cases(void);

#endif
