/* A queue of records in memory of the caller's: a record that finds no room pushes the oldest out, and they are counted.
 *
 * For one producer and one consumer on different threads, the caller locks around each call; none of them waits.
 */
#ifndef EH_RING_H
#define EH_RING_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *bytes;
    size_t size;
    size_t first;     /* where the oldest record begins */
    size_t used;      /* bytes of all records, their lengths included */
    uint32_t count;   /* records */
    uint32_t dropped; /* records pushed out since the start */
} EhRing;

/* An empty queue in `bytes` [size]. */
void eh_ring_init(EhRing *ring, uint8_t *bytes, size_t size);

/* Append the record head [n_head] body [n_body]; 0 where it would not fit into the empty queue, and nothing happened. */
int eh_ring_push(EhRing *ring, const uint8_t *head, size_t n_head, const uint8_t *body, size_t n_body);

/* Take the oldest record into `out` [room]; its length, or 0 where there is none. One longer than `room` is dropped. */
size_t eh_ring_pop(EhRing *ring, uint8_t *out, size_t room);

#endif
