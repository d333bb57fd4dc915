/* SipHash-2-4 (Aumasson and Bernstein, INDOCRYPT 2012): a sender's address leaves the board only as its keyed hash. */
#ifndef EH_SIPHASH_H
#define EH_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define EH_KEY_BYTES 16
#define EH_MAC_BYTES 6

uint64_t eh_siphash24(const uint8_t key[EH_KEY_BYTES], const uint8_t *message, size_t n);

/* The low 32 bits of the hash of a MAC address. */
uint32_t eh_mac_hash(const uint8_t key[EH_KEY_BYTES], const uint8_t mac[EH_MAC_BYTES]);

#endif
