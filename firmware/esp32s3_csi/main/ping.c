#include "ping.h"

#include <string.h>

#include "lwip/sockets.h"

/* RFC 792: type, code, checksum, identifier, number, all big-endian. */
#define ECHO_BYTES 8u
#define ECHO_REQUEST 8u
#define IDENTIFIER 0x6568u
#define ANSWER_BYTES 64u

static int opened = -1;

static void put_u16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* RFC 1071 over the words that are not zero. */
static uint32_t checksum(uint16_t seq)
{
    uint32_t sum = (ECHO_REQUEST << 8) + IDENTIFIER + seq;
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return ~sum & 0xffffu;
}

int eh_ping(uint32_t address, uint16_t seq)
{
    struct sockaddr_in to;
    uint8_t echo[ECHO_BYTES] = {ECHO_REQUEST}, answer[ANSWER_BYTES];
    if (opened < 0) {
        opened = lwip_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    }
    if (opened < 0) {
        return 0;
    }
    while (lwip_recv(opened, answer, sizeof answer, MSG_DONTWAIT) > 0) {
    }
    put_u16(echo + 2, checksum(seq));
    put_u16(echo + 4, IDENTIFIER);
    put_u16(echo + 6, seq);
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = address;
    return lwip_sendto(opened, echo, sizeof echo, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof to)
           == (ssize_t)sizeof echo;
}
