/*
 * Seeds of what proves who somebody is: certificates, chains, revocation lists, requests for
 * certificates, and files of keys.
 */
#include "common/base/limits.h"
#include "common/crypto/keyfile.h"
#include "common/pki/csr.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

static void append_pem(struct setpay_buffer *out, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1)
        abort();
    long size = BIO_get_mem_data(bio, &text);
    SEEDS_MUST(setpay_buffer_append(out, setpay_view_of(text, (size_t)size)));
    BIO_free(bio);
}

static void seed_certificate(const struct seeds_world *world)
{
    static const enum test_pki_defect defects[] = {
        TEST_PKI_TWO_TYPES, TEST_PKI_EXTRA_EKU, TEST_PKI_LEAF_IS_CA,  TEST_PKI_EXTRA_RDN,
        TEST_PKI_IP_NAME,   TEST_PKI_WILDCARD,  TEST_PKI_OTHER_CURVE, TEST_PKI_UNKNOWN_CRITICAL,
    };
    const struct {
        const char *name;
        struct setpay_view der;
    } good[] = {
        {"root", setpay_buffer_view(&world->pki->root.der)},
        {"brand", setpay_buffer_view(&test_pki_ca(world->pki, SEEDS_BRAND, SETPAY_CA_BRAND)->der)},
        {"mca", setpay_buffer_view(&test_pki_ca(world->pki, SEEDS_BRAND, SETPAY_CA_MERCHANT)->der)},
        {"cardholder", setpay_buffer_view(&world->cardholder->der)},
        {"merchant-tls", setpay_buffer_view(&world->merchant_tls->der)},
        {"encrypt", setpay_buffer_view(&world->encrypt->der)},
    };
    struct setpay_buffer pem;
    seeds_begin("certificate");
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        seeds_add("certificate", good[i].name, 0, good[i].der);
    for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++) {
        char name[40];
        struct test_party *party = test_party_new_defective(
            world->pki, SEEDS_BRAND, SETPAY_PROFILE_MERCHANT_TLS_SERVER, "shop-2", defects[i]);
        snprintf(name, sizeof(name), "defect-%zu", i);
        seeds_add("certificate", name, 0, setpay_buffer_view(&party->der));
        test_party_free(party);
    }
    setpay_buffer_init(&pem, SEEDS_BYTES_MAX);
    append_pem(&pem, world->cardholder->x509);
    append_pem(&pem, test_pki_ca(world->pki, SEEDS_BRAND, SETPAY_CA_CARDHOLDER)->x509);
    seeds_add("certificate", "pem", 1, setpay_buffer_view(&pem));
    setpay_buffer_clear(&pem);
}

static void add_step(struct setpay_buffer *steps, unsigned what, struct setpay_view part)
{
    const uint8_t head[] = {(uint8_t)what, (uint8_t)(part.size >> 8), (uint8_t)part.size};
    SEEDS_MUST(setpay_buffer_append(steps, SETPAY_VIEW_ARRAY(head)));
    SEEDS_MUST(setpay_buffer_append(steps, part));
}

/* The step that verifies for a profile, in one of the ways of fuzz_chain.c. */
static unsigned verify_step(unsigned way, enum setpay_profile profile)
{
    return 3 | way << 2 | ((unsigned)profile - SETPAY_PROFILE_NONE - 1) << 4;
}

static void seed_chain(const struct seeds_world *world)
{
    struct setpay_buffer steps;
    struct setpay_view leaf = setpay_buffer_view(&world->merchant->der);
    struct setpay_view lost = setpay_buffer_view(&world->revoked->der);
    seeds_begin("chain");
    setpay_buffer_init(&steps, SEEDS_BYTES_MAX);
    add_step(&steps, 0, world->merchant->chain[1]);
    add_step(&steps, 0, world->merchant->chain[0]);
    add_step(&steps, verify_step(0, SETPAY_PROFILE_MERCHANT_SIGN), leaf);
    for (size_t i = 0; i < 3; i++)
        add_step(&steps, 1, setpay_buffer_view(&world->crls[i]));
    add_step(&steps, verify_step(0, SETPAY_PROFILE_MERCHANT_SIGN), leaf);
    add_step(&steps, verify_step(0, SETPAY_PROFILE_MERCHANT_SIGN), lost);
    seeds_add("chain", "trusted", -1, setpay_buffer_view(&steps));
    add_step(&steps, 1, setpay_buffer_view(&world->crls[3]));
    add_step(&steps, verify_step(0, SETPAY_PROFILE_MERCHANT_SIGN), lost);
    add_step(&steps, verify_step(1, SETPAY_PROFILE_MERCHANT_SIGN), lost);
    add_step(&steps, verify_step(2, SETPAY_PROFILE_MERCHANT_SIGN), lost);
    add_step(&steps, verify_step(3, SETPAY_PROFILE_MERCHANT_SIGN), setpay_view_of("\x01", 1));
    add_step(&steps, 1, setpay_buffer_view(&world->crls[2]));
    seeds_add("chain", "revoked", -1, setpay_buffer_view(&steps));
    setpay_buffer_reset(&steps);
    for (size_t i = 0; i < 2; i++)
        add_step(&steps, 2, world->gateway->chain[1 - i]);
    for (size_t i = 0; i < 4; i++)
        add_step(&steps, 2, setpay_buffer_view(&world->crls[i]));
    add_step(&steps, verify_step(0, SETPAY_PROFILE_GATEWAY_SIGN),
             setpay_buffer_view(&world->gateway->der));
    add_step(&steps, verify_step(2, SETPAY_PROFILE_GATEWAY_ENCRYPT),
             setpay_buffer_view(&world->encrypt->der));
    add_step(&steps, verify_step(0, SETPAY_PROFILE_CARDHOLDER_SIGN),
             setpay_buffer_view(&world->cardholder->der));
    seeds_add("chain", "learnt", -1, setpay_buffer_view(&steps));
    setpay_buffer_clear(&steps);
}

static void seed_crl(const struct seeds_world *world)
{
    static const enum test_crl_defect defects[] = {TEST_CRL_STALE,     TEST_CRL_FUTURE,
                                                   TEST_CRL_LONG_LIFE, TEST_CRL_FORGED,
                                                   TEST_CRL_DELTA,     TEST_CRL_PARTIAL};
    struct setpay_buffer list;
    seeds_begin("crl");
    setpay_buffer_init(&list, SETPAY_LIMIT_CRL_BYTES);
    seeds_add("crl", "first", -1, setpay_buffer_view(&world->crls[2]));
    seeds_add("crl", "second", -1, setpay_buffer_view(&world->crls[3]));
    seeds_add("crl", "root", -1, setpay_buffer_view(&world->crls[0]));
    for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++) {
        char name[40];
        snprintf(name, sizeof(name), "defect-%zu", i);
        test_pki_crl(world->pki, SEEDS_BRAND, SETPAY_CA_MERCHANT, FUZZ_NOW_MS, defects[i], &list);
        seeds_add("crl", name, -1, setpay_buffer_view(&list));
    }
    setpay_buffer_clear(&list);
}

static void seed_csr(const struct seeds_world *world)
{
    static const char *const hosts[] = {"shop.example", "pay.shop.example"};
    struct setpay_secret pan = {0}, expiry = {0}, pan_secret = {0}, der = {0};
    struct setpay_digest secret = test_digest(0xe0);
    seeds_begin("csr");
    SEEDS_MUST(setpay_secret_copy(&pan, setpay_view_string("4000000000000002")));
    SEEDS_MUST(setpay_secret_copy(&expiry, setpay_view_string("3012")));
    SEEDS_MUST(setpay_secret_copy(&pan_secret, setpay_digest_view(&secret)));
    const struct setpay_csr_wish card = {.brand = SEEDS_BRAND,
                                         .role = "cardholder",
                                         .challenge = "bm9uY2U",
                                         .pan = &pan,
                                         .expiry = &expiry,
                                         .pan_secret = &pan_secret};
    const struct setpay_csr_wish host = {
        .brand = SEEDS_BRAND, .role = "merchant", .id = "shop-1", .hosts = hosts, .host_count = 2};
    const struct setpay_csr_wish bare = {0};
    const struct setpay_csr_wish *const wishes[] = {&card, &host, &bare};
    static const char *const names[] = {"card", "host", "bare"};
    for (size_t i = 0; i < 3; i++) {
        SEEDS_MUST(setpay_csr_build(world->cardholder->key, wishes[i], &der));
        seeds_add("csr", names[i], -1, setpay_secret_view(&der));
        setpay_secret_clear(&der);
    }
    setpay_secret_clear(&pan);
    setpay_secret_clear(&expiry);
    setpay_secret_clear(&pan_secret);
}

static void seed_keyfile(const struct seeds_world *world)
{
    struct setpay_secret pem = {0}, passphrase = {0};
    seeds_begin("keyfile");
    SEEDS_MUST(setpay_key_build_pem(world->gateway->key, NULL, &pem));
    seeds_add("keyfile", "pem", 0, setpay_secret_view(&pem));
    setpay_secret_clear(&pem);
    SEEDS_MUST(setpay_secret_copy(&passphrase, setpay_view_string("a passphrase")));
    SEEDS_MUST(setpay_key_build_pem(world->gateway->key, &passphrase, &pem));
    seeds_add("keyfile", "encrypted", 0, setpay_secret_view(&pem));
    setpay_secret_clear(&pem);
    setpay_secret_clear(&passphrase);
    seeds_add_text("keyfile", "vault", 1,
                   "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n");
    seeds_add_text("keyfile", "vault-long", 1,
                   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00");
    seeds_add_text("keyfile", "box", 2, "what rests in a database, under a key that does not");
}

void seeds_add_certificates(const struct seeds_world *world)
{
    seed_certificate(world);
    seed_chain(world);
    seed_crl(world);
    seed_csr(world);
    seed_keyfile(world);
}
