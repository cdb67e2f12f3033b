/*
 * Addresses and listening sockets: HOST:PORT read with getaddrinfo, and for one address as many
 * SO_REUSEPORT listeners as there are workers. TCP_NODELAY is set on the listener and so inherited.
 */
#ifndef SETPAY_NET_LISTEN_H
#define SETPAY_NET_LISTEN_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* An address that a socket takes, and its text. */
struct setpay_address {
    struct sockaddr_storage storage;
    socklen_t size;
};

/* "[ffff:…]:65535" and a scope. */
#define SETPAY_ADDRESS_TEXT_SIZE 80
#define SETPAY_LISTENERS_MAX 64

/* Reads HOST:PORT or [v6]:PORT; port 0 .. 65535, a number. Asks the resolver and may block: at
 * start only. The first answer is taken. SETPAY_E_CONFIG with words in problem (may be NULL). */
enum setpay_error setpay_address_parse(const char *text, struct setpay_address *address,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Numeric form into out (SETPAY_ADDRESS_TEXT_SIZE); returns out. */
const char *setpay_address_format(const struct setpay_address *address, char *out);
uint16_t setpay_address_port(const struct setpay_address *address);
/* 127.0.0.0/8, ::1, and ::ffff:127.0.0.0/104. */
bool setpay_address_is_loopback(const struct setpay_address *address);
/* The address of the other end of a connected socket. SETPAY_E_CLOSED. */
enum setpay_error setpay_address_of_peer(int fd, struct setpay_address *address) SETPAY_MUST_CHECK;

/* Non-blocking, close-on-exec listeners that share one address. */
struct setpay_listeners {
    struct setpay_address address; /* as bound: a port 0 has become the kernel's choice */
    size_t count;
    int fds[SETPAY_LISTENERS_MAX]; /* -1 where taken or closed */
};

/* Opens count listeners (1 .. SETPAY_LISTENERS_MAX) on one address. The first binds; the others
 * take its port. An address in use, even by another SO_REUSEPORT socket of this user, is refused.
 * SETPAY_E_CONFIG or SETPAY_E_IO with words in problem (may be NULL). */
enum setpay_error setpay_listeners_open(const struct setpay_address *address, size_t count,
                                        struct setpay_listeners *listeners,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Hands the index-th socket over: the caller closes it. -1 where it is gone. */
int setpay_listeners_take(struct setpay_listeners *listeners, size_t index);
/* Closes what was not taken. Safe on zeroed memory (count 0). */
void setpay_listeners_close(struct setpay_listeners *listeners);

#endif
