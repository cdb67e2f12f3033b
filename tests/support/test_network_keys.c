/*
 * The keys of a line to an issuer, made by the throw-away PKI: a network's certificates need no
 * more than a host name and a use, which those of a merchant have. Nothing of it is of the
 * sandbox's own roots.
 */
#include "tests/support/test_network_keys.h"

#include "tests/support/test_pki.h"
#include "tests/support/test_settings.h"

#include <stdio.h>
#include <sys/stat.h>

#define NETWORK "network"
#define HOST "issuer.test"

static const char *const networks[] = {NETWORK, NULL};

static void party_make(struct test_pki *pki, const char *dir, const char *name,
                       enum setpay_profile profile, const char *host)
{
    char path[224];
    struct test_party *party = test_party_new(pki, NETWORK, profile, name, host);
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    test_party_write(party, path);
    test_party_free(party);
}

void test_network_keys_make(const struct test_sandbox *sandbox)
{
    char dir[192];
    struct test_pki *pki = test_pki_new(setpay_clock_now_ms(), networks);
    struct test_pki *another = test_pki_new(setpay_clock_now_ms(), networks);
    (void)snprintf(dir, sizeof dir, "%s/network", sandbox->dir);
    if (mkdir(dir, 0700) != 0)
        test_bail_out("%s can't be made", dir);
    test_pki_write(pki, dir);
    party_make(pki, dir, "issuer", SETPAY_PROFILE_MERCHANT_TLS_SERVER, HOST);
    party_make(pki, dir, "gateway", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, NULL);
    party_make(pki, dir, "other-host", SETPAY_PROFILE_MERCHANT_TLS_SERVER, "other.test");
    party_make(another, dir, "stranger", SETPAY_PROFILE_MERCHANT_TLS_SERVER, HOST);
    test_pki_free(pki);
    test_pki_free(another);
}

void test_network_keys_configure(const struct test_sandbox *sandbox, uint16_t port)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "[issuer sim] address = 127.0.0.1:%u\n[issuer sim] tls = yes\n"
                   "[issuer sim] tls_ca = %s/network/root.pem\n[issuer sim] tls_name = " HOST "\n"
                   "[issuer sim] tls_cert = %s/network/gateway.pem\n"
                   "[issuer sim] tls_key = %s/network/gateway.key\n",
                   (unsigned)port, sandbox->dir, sandbox->dir, sandbox->dir);
    test_sandbox_configure(sandbox, TEST_GATEWAY, text);
    (void)snprintf(text, sizeof text,
                   "tls_cert = %s/network/issuer.pem\ntls_key = %s/network/issuer.key\n",
                   sandbox->dir, sandbox->dir);
    test_sandbox_configure(sandbox, TEST_ISSUER, text);
}
