#include "eh_siphash.h"

#include "eh_bytes.h"

static uint64_t turned(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64u - bits);
}

static void rounds(uint64_t v[4], int n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[1] = turned(v[1], 13) ^ v[0];
        v[0] = turned(v[0], 32);
        v[2] += v[3];
        v[3] = turned(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = turned(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = turned(v[1], 17) ^ v[2];
        v[2] = turned(v[2], 32);
    }
}

static void absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
}

uint64_t eh_siphash24(const uint8_t key[EH_KEY_BYTES], const uint8_t *message, size_t n)
{
    const uint64_t k0 = eh_get_u64(key), k1 = eh_get_u64(key + 8);
    uint64_t v[4] = {
        k0 ^ 0x736F6D6570736575u,
        k1 ^ 0x646F72616E646F6Du,
        k0 ^ 0x6C7967656E657261u,
        k1 ^ 0x7465646279746573u,
    };
    uint64_t last = (uint64_t)(n & 255u) << 56;
    size_t at = 0;
    for (; n - at >= 8; at += 8) {
        absorb(v, eh_get_u64(message + at));
    }
    for (unsigned i = 0; at + i < n; i++) {
        last |= (uint64_t)message[at + i] << (8u * i);
    }
    absorb(v, last);
    v[2] ^= 255u;
    rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t eh_mac_hash(const uint8_t key[EH_KEY_BYTES], const uint8_t mac[EH_MAC_BYTES])
{
    return (uint32_t)eh_siphash24(key, mac, EH_MAC_BYTES);
}
