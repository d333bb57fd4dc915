#ifndef FAKE_LWIP_SOCKETS_H
#define FAKE_LWIP_SOCKETS_H

#include <stddef.h>
#include <stdint.h>

#if __STDC_HOSTED__
#include <sys/types.h>
#else /* the type check has no C library */
typedef int ssize_t;
#endif

typedef uint32_t socklen_t;

#define AF_INET 2
#define SOCK_RAW 3
#define IPPROTO_ICMP 1
#define MSG_DONTWAIT 8

struct sockaddr {
    uint8_t sa_len, sa_family;
    char sa_data[14];
};

struct in_addr {
    uint32_t s_addr;
};

struct sockaddr_in {
    uint8_t sin_len, sin_family;
    uint16_t sin_port;
    struct in_addr sin_addr;
    char sin_zero[8];
};

int lwip_socket(int domain, int type, int protocol);
ssize_t lwip_recv(int socket, void *to, size_t n, int flags);
ssize_t lwip_sendto(int socket, const void *from, size_t n, int flags, const struct sockaddr *to, socklen_t size);

#endif
