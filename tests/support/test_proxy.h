/*
 * A proxy on each hop of a sandbox (test_fault.h), which reads the messages that pass and does to
 * them what a plan says. But for the store's, which is plain, it ends TLS on both sides of each hop
 * with the sandbox's own keys (the issuer's line: test_network_keys.h), so that it can spoil single
 * messages, single TLS records and handshakes; without a fault it changes nothing.
 *
 * It runs on a thread of its own; all functions but those of plan and ports belong to its owner.
 */
#ifndef SETPAY_TEST_PROXY_H
#define SETPAY_TEST_PROXY_H

#include "tests/support/test_fault.h"

#include <stdint.h>

struct test_proxy;

/* Listens on a loopback port for each hop. plan is borrowed. Aborts where it can't. */
struct test_proxy *test_proxy_new(struct test_plan *plan);
uint16_t test_proxy_port(const struct test_proxy *proxy, enum test_hop hop);
/* Begins: where each hop leads, and the sandbox's folder, whose keys it takes, those of the network
 * too. */
void test_proxy_start(struct test_proxy *proxy, const char *sandbox_dir,
                      const uint16_t to[TEST_HOPS]);
/* Any thread: closes the hop's connections, so that new ones are made; between wallet and merchant
 * only those on which nothing is under way. */
void test_proxy_kick(struct test_proxy *proxy, enum test_hop hop);
/* Ends the thread and every connection. */
void test_proxy_free(struct test_proxy *proxy);

#endif
