/*
 * Which addresses a webhook may be sent to. A webhook's URL comes from whoever holds a token; the
 * request leaves from inside the shop's own network. So only addresses of the public internet are
 * called, unless the operator names more (webhook_networks).
 *
 * Judged is the address that a socket is about to be connected to, not the name in the URL: what a
 * name stands for may have changed since somebody looked.
 */
#ifndef SETPAY_MERCHANT_WEBHOOK_NETWORK_H
#define SETPAY_MERCHANT_WEBHOOK_NETWORK_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define SETPAY_NETWORKS_MAX 16

struct setpay_network {
    uint8_t address[16]; /* IPv4 as ::ffff:0:0/96 */
    unsigned bits;       /* of the 128 */
};
struct setpay_networks {
    struct setpay_network list[SETPAY_NETWORKS_MAX];
    size_t count;
};

/* "10.1.2.0/24, fd00::/8"; NULL or "": none. SETPAY_E_CONFIG with words in problem. */
enum setpay_error setpay_networks_parse(const char *text, struct setpay_networks *networks,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Whether the address is in one of them. */
bool setpay_networks_have(const struct setpay_networks *networks, const struct sockaddr *address);
/* Whether it is one of the public internet: neither private, loopback, link-local, multicast,
 * reserved, for documentation, nor one that carries an IPv4 address inside. */
bool setpay_address_is_public(const struct sockaddr *address);
/* Whether who listens there may be reached from outside: neither loopback nor of a private network,
 * or all addresses of the machine (0.0.0.0, ::). */
bool setpay_address_is_exposed(const struct sockaddr *address);
/* Whether a webhook may be sent there: to the operator's own networks, and with TLS to the public
 * internet. Without TLS nobody knows who reads along. */
bool setpay_address_is_permitted(const struct setpay_networks *own, bool is_tls,
                                 const struct sockaddr *address);

#endif
