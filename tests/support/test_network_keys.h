/*
 * What an issuer's network gives for the line to it: its CA, the issuer's certificate and the
 * gateway's; and two that are not for this line. A fault proxy stands on the line with them, and
 * demands the gateway's certificate as a network does.
 */
#ifndef SETPAY_TEST_NETWORK_KEYS_H
#define SETPAY_TEST_NETWORK_KEYS_H

#include "tests/support/test_sandbox.h"

#include <stdint.h>

/* Makes them in the sandbox's folder: network/root.pem, and network/NAME.pem with its CAs and
 * NAME.key: issuer, gateway, other-host (a server of the same network), stranger (the issuer's
 * name, by another root). */
void test_network_keys_make(const struct test_sandbox *sandbox);
/* TLS on the line, at both ends; the gateway connects to this port. No daemon may run. */
void test_network_keys_configure(const struct test_sandbox *sandbox, uint16_t port);

#endif
