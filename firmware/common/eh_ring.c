#include "eh_ring.h"

#include "eh_bytes.h"

#define LENGTH_BYTES 2u
#define MAX_RECORD 65535u

static size_t wrapped(const EhRing *ring, size_t at)
{
    return at < ring->size ? at : at - ring->size;
}

/* At most two pieces: up to the end of the memory, and from its beginning. */
static void write_at(EhRing *ring, size_t at, const uint8_t *bytes, size_t n)
{
    const size_t before_end = n < ring->size - at ? n : ring->size - at;
    eh_copy(ring->bytes + at, bytes, before_end);
    eh_copy(ring->bytes, bytes + before_end, n - before_end);
}

static void read_at(const EhRing *ring, size_t at, uint8_t *out, size_t n)
{
    const size_t before_end = n < ring->size - at ? n : ring->size - at;
    eh_copy(out, ring->bytes + at, before_end);
    eh_copy(out + before_end, ring->bytes, n - before_end);
}

static size_t first_length(const EhRing *ring)
{
    uint8_t length[LENGTH_BYTES];
    read_at(ring, ring->first, length, LENGTH_BYTES);
    return eh_get_u16(length);
}

static void remove_first(EhRing *ring)
{
    const size_t taken = LENGTH_BYTES + first_length(ring);
    ring->first = wrapped(ring, ring->first + taken);
    ring->used -= taken;
    ring->count--;
}

void eh_ring_init(EhRing *ring, uint8_t *bytes, size_t size)
{
    ring->bytes = bytes;
    ring->size = size;
    ring->first = 0;
    ring->used = 0;
    ring->count = 0;
    ring->dropped = 0;
}

int eh_ring_push(EhRing *ring, const uint8_t *head, size_t n_head, const uint8_t *body, size_t n_body)
{
    const size_t n = n_head + n_body;
    uint8_t length[LENGTH_BYTES];
    if (n > MAX_RECORD || LENGTH_BYTES + n > ring->size) {
        return 0;
    }
    while (ring->size - ring->used < LENGTH_BYTES + n) {
        remove_first(ring);
        ring->dropped++;
    }
    size_t at = wrapped(ring, ring->first + ring->used);
    eh_put_u16(length, (uint16_t)n);
    write_at(ring, at, length, LENGTH_BYTES);
    at = wrapped(ring, at + LENGTH_BYTES);
    write_at(ring, at, head, n_head);
    at = wrapped(ring, at + n_head);
    write_at(ring, at, body, n_body);
    ring->used += LENGTH_BYTES + n;
    ring->count++;
    return 1;
}

size_t eh_ring_pop(EhRing *ring, uint8_t *out, size_t room)
{
    while (ring->count > 0) {
        const size_t n = first_length(ring);
        const int fits = n <= room;
        if (fits) {
            read_at(ring, wrapped(ring, ring->first + LENGTH_BYTES), out, n);
        }
        remove_first(ring);
        if (fits) {
            return n;
        }
        ring->dropped++;
    }
    return 0;
}
