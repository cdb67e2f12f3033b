/*
 * Makes what fuzzing starts from: seeds TESTS_FUZZ_FOLDER (make fuzz-seeds).
 *
 * fixtures/ holds keys, certificates and what they signed, as targets expect it; corpus/NAME/seed-*
 * the first inputs of each target: messages that are right, made by the code that sends them, and
 * texts as people and programs write them. Signatures differ each time, so all of it is made at
 * once, and only when a target or the protocol changes. Other files of a corpus (inputs that once
 * broke something) stay as they are.
 */
#include "common/base/limits.h"
#include "common/crypto/envelope.h"
#include "common/crypto/keyfile.h"
#include "common/net/frame.h"
#include "common/pki/csr.h"
#include "common/wire/receipt.h"
#include "common/wire/signed.h"
#include "gateway/issuer/messages.h"
#include "gateway/network/requests.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/layouts.h"
#include "tests/support/test_export.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"
#include "tests/vectors/envelopes.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEED_MAX (80 * 1024)

static const char *folder;
static struct test_pki *pki;
static struct test_party *cardholder, *merchant, *merchant_tls, *revoked, *gateway, *encrypt;
static const char brand[] = "example-card";

#define MUST(expression)                                                                           \
    do {                                                                                           \
        enum setpay_error must_ = (expression);                                                    \
        if (must_ != SETPAY_OK) {                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, setpay_error_name(must_));          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* ------------------------------------------------------------------ files */

static void save(const char *path, struct setpay_view bytes)
{
    char whole[512];
    snprintf(whole, sizeof(whole), "%s/%s", folder, path);
    FILE *file = fopen(whole, "wb");
    if (file == NULL || fwrite(bytes.data, 1, bytes.size, file) != bytes.size ||
        fclose(file) != 0) {
        perror(whole);
        exit(1);
    }
}

/* An empty corpus, but for what is no seed. */
static void begin(const char *target)
{
    char path[512], name[1024];
    snprintf(path, sizeof(path), "%s/corpus", folder);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/corpus/%s", folder, target);
    (void)mkdir(path, 0777);
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (strncmp(entry->d_name, "seed-", 5) == 0)
            (void)unlink(name);
    }
    if (dir != NULL)
        closedir(dir);
}

/* One input: the number in front (below 0: none), then the bytes. */
static void seed(const char *target, const char *name, int first, struct setpay_view bytes)
{
    char path[256];
    struct setpay_buffer whole;
    uint8_t number = (uint8_t)first;
    setpay_buffer_init(&whole, SEED_MAX);
    if (first >= 0)
        MUST(setpay_buffer_append(&whole, setpay_view_of(&number, 1)));
    MUST(setpay_buffer_append(&whole, bytes));
    snprintf(path, sizeof(path), "corpus/%s/seed-%s", target, name);
    save(path, setpay_buffer_view(&whole));
    setpay_buffer_clear(&whole);
}

static void seed_text(const char *target, const char *name, int first, const char *text)
{
    seed(target, name, first, setpay_view_string(text));
}

/* ------------------------------------------------------------------ fixtures */

static void save_key(const char *path, EVP_PKEY *key)
{
    struct setpay_secret pem = {0};
    MUST(setpay_key_build_pem(key, NULL, &pem));
    save(path, setpay_secret_view(&pem));
    setpay_secret_clear(&pem);
}

static void make_envelope(struct setpay_buffer *envelope)
{
    setpay_buffer_init(envelope, SETPAY_LIMIT_ENVELOPE_BYTES);
    MUST(setpay_envelope_seal(encrypt->x509, setpay_view_string(TEST_ENVELOPE_TEXT), envelope));
}

static void make_receipt(struct setpay_buffer *bytes)
{
    static const struct setpay_id xid = {{9, 8, 7}};
    struct setpay_receipt receipt = {.kind = 0};
    setpay_buffer_init(bytes, SETPAY_WIRE_RECEIPT_MAX);
    test_fill_receipt(&receipt);
    receipt.xid = xid;
    receipt.gateway_sign = gateway->thumbprint;
    MUST(setpay_receipt_sign(&receipt, gateway->signing_key, bytes));
}

static struct setpay_buffer crls[4]; /* root, brand CA, MCA twice */
static struct setpay_buffer envelope, receipt_bytes;

static void make_fixtures(void)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/fixtures", folder);
    (void)mkdir(path, 0777);
    save("fixtures/root.der", setpay_buffer_view(&pki->root.der));
    save("fixtures/brand.der", setpay_buffer_view(&test_pki_ca(pki, brand, SETPAY_CA_BRAND)->der));
    save("fixtures/cca.der",
         setpay_buffer_view(&test_pki_ca(pki, brand, SETPAY_CA_CARDHOLDER)->der));
    save("fixtures/mca.der", setpay_buffer_view(&test_pki_ca(pki, brand, SETPAY_CA_MERCHANT)->der));
    save("fixtures/pca.der", setpay_buffer_view(&test_pki_ca(pki, brand, SETPAY_CA_GATEWAY)->der));
    save("fixtures/cardholder.der", setpay_buffer_view(&cardholder->der));
    save("fixtures/merchant-sign.der", setpay_buffer_view(&merchant->der));
    save("fixtures/merchant-tls-server.der", setpay_buffer_view(&merchant_tls->der));
    save("fixtures/merchant-revoked.der", setpay_buffer_view(&revoked->der));
    save("fixtures/gateway-sign.der", setpay_buffer_view(&gateway->der));
    save("fixtures/gateway-encrypt.der", setpay_buffer_view(&encrypt->der));
    save_key("fixtures/gateway-sign.key", gateway->key);
    save_key("fixtures/gateway-encrypt.key", encrypt->key);
    for (size_t i = 0; i < sizeof(crls) / sizeof(crls[0]); i++)
        setpay_buffer_init(&crls[i], SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(pki, brand, SETPAY_CA_ROOT, FUZZ_NOW_MS, TEST_CRL_GOOD, &crls[0]);
    test_pki_crl(pki, brand, SETPAY_CA_BRAND, FUZZ_NOW_MS, TEST_CRL_GOOD, &crls[1]);
    test_pki_crl(pki, brand, SETPAY_CA_MERCHANT, FUZZ_NOW_MS, TEST_CRL_GOOD, &crls[2]);
    test_pki_revoke(pki, revoked);
    test_pki_crl(pki, brand, SETPAY_CA_MERCHANT, FUZZ_NOW_MS, TEST_CRL_GOOD, &crls[3]);
    save("fixtures/mca-1.crl", setpay_buffer_view(&crls[2]));
    save("fixtures/mca-2.crl", setpay_buffer_view(&crls[3]));
    make_envelope(&envelope);
    save("fixtures/envelope", setpay_buffer_view(&envelope));
    make_receipt(&receipt_bytes);
    save("fixtures/receipt.signed", setpay_buffer_view(&receipt_bytes));
}

/* ------------------------------------------------------------------ the wire */

static void seed_frame(void)
{
    static const struct setpay_frame_header headers[] = {
        {1, 1}, {SETPAY_LIMIT_MESSAGE_BYTES, UINT64_MAX}, {SETPAY_LIMIT_MESSAGE_BYTES + 1, 7}};
    uint8_t bytes[SETPAY_FRAME_HEADER_BYTES + 3] = {0};
    begin("frame");
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        char name[40];
        setpay_frame_header_build(&headers[i], bytes);
        bytes[sizeof(bytes) - 1] = (uint8_t)i;
        snprintf(name, sizeof(name), "%zu", i);
        seed("frame", name, -1, SETPAY_VIEW_ARRAY(bytes));
    }
}

static int layout_number(const struct setpay_wire_layout *layout)
{
    for (size_t i = 0; i < FUZZ_LAYOUT_COUNT; i++)
        if (fuzz_layouts[i] == layout)
            return (int)i;
    abort();
}

static enum setpay_message_type type_of(const char *name)
{
    for (int type = 1; type < SETPAY_MESSAGE_ERROR; type++) {
        const char *is = setpay_message_type_name((enum setpay_message_type)type);
        if (is != NULL && strcmp(is, name) == 0 && type != SETPAY_MESSAGE_RECEIPT)
            return (enum setpay_message_type)type;
    }
    return strcmp(name, "Error") == 0 ? SETPAY_MESSAGE_ERROR : (enum setpay_message_type)0;
}

static void seed_message(const char *name, enum setpay_message_type type,
                         struct setpay_view content)
{
    struct setpay_buffer bytes;
    struct setpay_view certificates[] = {setpay_buffer_view(&merchant->der), merchant->chain[0],
                                         merchant->chain[1]};
    struct setpay_view lists[] = {setpay_buffer_view(&crls[0]), setpay_buffer_view(&crls[2])};
    bool open = type == SETPAY_MESSAGE_PINIT_REQ || type == SETPAY_MESSAGE_P_REQ;
    bool sealed = type == SETPAY_MESSAGE_P_REQ || type == SETPAY_MESSAGE_AUTH_REQ;
    bool many = type == SETPAY_MESSAGE_PINIT_RES;
    const struct setpay_message_parts parts = {.type = type,
                                               .content = content,
                                               .key = open ? NULL : merchant->signing_key,
                                               .signer = open ? NULL : &merchant->thumbprint,
                                               .certificates = certificates,
                                               .certificate_count = open   ? 0
                                                                    : many ? 3
                                                                           : 1,
                                               .crls = lists,
                                               .crl_count = many ? 2 : 0,
                                               .envelope = sealed ? setpay_buffer_view(&envelope)
                                                                  : SETPAY_VIEW_EMPTY};
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    MUST(setpay_message_build(&parts, &bytes));
    seed("message", name, -1, setpay_buffer_view(&bytes));
    setpay_buffer_clear(&bytes);
}

/* A step's content stands in four messages, in each of them alike (StepReq, StepRes). */
static void seed_steps(const char *name, struct setpay_view content)
{
    static const enum setpay_message_type requests[] = {
        SETPAY_MESSAGE_CAP_REQ, SETPAY_MESSAGE_CAP_REV_REQ, SETPAY_MESSAGE_CRED_REQ,
        SETPAY_MESSAGE_CRED_REV_REQ};
    int answer = strcmp(name, "StepRes") == 0;
    if (!answer && strcmp(name, "StepReq") != 0)
        return;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        enum setpay_message_type type = (enum setpay_message_type)((int)requests[i] + answer);
        seed_message(setpay_message_type_name(type), type, content);
    }
}

/* Samples of one content each have a seed: the second one is NAME-2. */
static const char *sample_name(size_t at, char out[64])
{
    unsigned number = 1;
    for (size_t i = 0; i < at; i++)
        number += strcmp(test_samples[i].name, test_samples[at].name) == 0;
    if (number == 1)
        (void)snprintf(out, 64, "%s", test_samples[at].name);
    else
        (void)snprintf(out, 64, "%s-%u", test_samples[at].name, number);
    return out;
}

static void seed_contents(void)
{
    char name[64];
    begin("contents");
    begin("message");
    for (size_t i = 0; i < test_sample_count; i++) {
        const struct test_sample *sample = &test_samples[i];
        void *message = calloc(1, sample->layout->size);
        struct setpay_buffer bytes;
        if (message == NULL)
            abort();
        setpay_buffer_init(&bytes, SETPAY_LIMIT_CONTENT_BYTES);
        sample->fill(message);
        test_build(sample->layout, message, &bytes);
        seed("contents", sample_name(i, name), layout_number(sample->layout),
             setpay_buffer_view(&bytes));
        if (type_of(sample->name) != 0)
            seed_message(name, type_of(sample->name), setpay_buffer_view(&bytes));
        seed_steps(sample->name, setpay_buffer_view(&bytes));
        setpay_wire_clear(sample->layout, message);
        setpay_buffer_clear(&bytes);
        free(message);
    }
}

static void seed_receipt(void)
{
    static const struct setpay_id id = {{1, 2, 3}}, xid = {{9, 8, 7}};
    struct setpay_digest secret = {{42}};
    struct setpay_secret back_key = {0};
    struct setpay_receipt receipt = {.kind = 0};
    struct setpay_sealed_receipt sealed;
    struct setpay_buffer bytes;
    begin("receipt");
    setpay_buffer_init(&bytes, sizeof(sealed));
    test_fill_receipt(&receipt);
    MUST(setpay_receipt_build(&receipt, &bytes));
    seed("receipt", "content", 0, setpay_buffer_view(&bytes));
    seed("receipt", "signed", 1, setpay_buffer_view(&receipt_bytes));
    MUST(setpay_secret_copy(&back_key, setpay_digest_view(&secret)));
    MUST(setpay_sealed_receipt_make(&back_key, &id, &xid, SETPAY_RECEIPT_AUTHORISATION,
                                    setpay_buffer_view(&receipt_bytes), &sealed));
    MUST(setpay_sealed_receipt_build(&sealed, &bytes));
    seed("receipt", "sealed", 2, setpay_buffer_view(&bytes));
    seed("contents", "SealedReceipt", layout_number(&setpay_layout_sealed_receipt),
         setpay_buffer_view(&bytes));
    setpay_buffer_clear(&bytes);
    setpay_secret_clear(&back_key);
}

/* The genuine one with 4 bytes of its tag, while its parameters go on saying that there are 16. */
static void seed_cut_tag(void)
{
    static const size_t lengths_at[] = {2, 19, 23}; /* of the three elements around all others */
    const size_t cut = 12;
    struct setpay_buffer made;
    setpay_buffer_init(&made, SETPAY_LIMIT_ENVELOPE_BYTES);
    MUST(setpay_buffer_set(&made, setpay_buffer_view(&envelope)));
    made.data[made.size - 17] = (uint8_t)(16 - cut);
    for (size_t i = 0; i < sizeof(lengths_at) / sizeof(lengths_at[0]); i++) {
        uint8_t *length = made.data + lengths_at[i];
        size_t size = ((size_t)length[0] << 8 | length[1]) - cut;
        length[0] = (uint8_t)(size >> 8);
        length[1] = (uint8_t)size;
    }
    seed("envelope", "cut-tag", 0, setpay_view_of(made.data, made.size - cut));
    setpay_buffer_clear(&made);
}

static void seed_envelope(void)
{
    struct test_party *other =
        test_party_new(pki, brand, SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-2", NULL);
    struct setpay_buffer made;
    begin("envelope");
    setpay_buffer_init(&made, SETPAY_LIMIT_ENVELOPE_BYTES);
    seed("envelope", "genuine", 0, setpay_buffer_view(&envelope));
    for (size_t i = 0; i < test_envelope_form_count; i++) {
        char name[40];
        if (test_envelope_forms[i].good)
            continue;
        snprintf(name, sizeof(name), "form-%zu", i);
        test_envelope_make(&test_envelope_forms[i], encrypt->x509, other->x509, &made);
        seed("envelope", name, 0, setpay_buffer_view(&made));
    }
    seed("envelope", "plaintext", 1, setpay_view_of("\x00\x10\x01" TEST_ENVELOPE_TEXT, 20));
    seed_cut_tag();
    setpay_buffer_clear(&made);
    test_party_free(other);
}

/* ------------------------------------------------------------------ certificates */

static void append_pem(struct setpay_buffer *out, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1)
        abort();
    long size = BIO_get_mem_data(bio, &text);
    MUST(setpay_buffer_append(out, setpay_view_of(text, (size_t)size)));
    BIO_free(bio);
}

static void seed_certificate(void)
{
    static const enum test_pki_defect defects[] = {
        TEST_PKI_TWO_TYPES, TEST_PKI_EXTRA_EKU, TEST_PKI_LEAF_IS_CA,  TEST_PKI_EXTRA_RDN,
        TEST_PKI_IP_NAME,   TEST_PKI_WILDCARD,  TEST_PKI_OTHER_CURVE, TEST_PKI_UNKNOWN_CRITICAL,
    };
    const struct {
        const char *name;
        struct setpay_view der;
    } good[] = {
        {"root", setpay_buffer_view(&pki->root.der)},
        {"brand", setpay_buffer_view(&test_pki_ca(pki, brand, SETPAY_CA_BRAND)->der)},
        {"mca", setpay_buffer_view(&test_pki_ca(pki, brand, SETPAY_CA_MERCHANT)->der)},
        {"cardholder", setpay_buffer_view(&cardholder->der)},
        {"merchant-tls", setpay_buffer_view(&merchant_tls->der)},
        {"encrypt", setpay_buffer_view(&encrypt->der)},
    };
    struct setpay_buffer pem;
    begin("certificate");
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        seed("certificate", good[i].name, 0, good[i].der);
    for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++) {
        char name[40];
        struct test_party *party = test_party_new_defective(
            pki, brand, SETPAY_PROFILE_MERCHANT_TLS_SERVER, "shop-2", defects[i]);
        snprintf(name, sizeof(name), "defect-%zu", i);
        seed("certificate", name, 0, setpay_buffer_view(&party->der));
        test_party_free(party);
    }
    setpay_buffer_init(&pem, SEED_MAX);
    append_pem(&pem, cardholder->x509);
    append_pem(&pem, test_pki_ca(pki, brand, SETPAY_CA_CARDHOLDER)->x509);
    seed("certificate", "pem", 1, setpay_buffer_view(&pem));
    setpay_buffer_clear(&pem);
}

static void add_step(struct setpay_buffer *steps, unsigned what, struct setpay_view part)
{
    const uint8_t head[] = {(uint8_t)what, (uint8_t)(part.size >> 8), (uint8_t)part.size};
    MUST(setpay_buffer_append(steps, SETPAY_VIEW_ARRAY(head)));
    MUST(setpay_buffer_append(steps, part));
}

/* The step that verifies for a profile, in one of the ways of fuzz_chain.c. */
static unsigned verify_step(unsigned way, enum setpay_profile profile)
{
    return 3 | way << 2 | ((unsigned)profile - SETPAY_PROFILE_NONE - 1) << 4;
}

static void seed_chain(void)
{
    struct setpay_buffer steps;
    struct setpay_view leaf = setpay_buffer_view(&merchant->der);
    struct setpay_view lost = setpay_buffer_view(&revoked->der);
    begin("chain");
    setpay_buffer_init(&steps, SEED_MAX);
    add_step(&steps, 0, merchant->chain[1]);
    add_step(&steps, 0, merchant->chain[0]);
    add_step(&steps, verify_step(0, SETPAY_PROFILE_MERCHANT_SIGN), leaf);
    for (size_t i = 0; i < 3; i++)
        add_step(&steps, 1, setpay_buffer_view(&crls[i]));
    add_step(&steps, verify_step(0, SETPAY_PROFILE_MERCHANT_SIGN), leaf);
    add_step(&steps, verify_step(0, SETPAY_PROFILE_MERCHANT_SIGN), lost);
    seed("chain", "trusted", -1, setpay_buffer_view(&steps));
    add_step(&steps, 1, setpay_buffer_view(&crls[3]));
    add_step(&steps, verify_step(0, SETPAY_PROFILE_MERCHANT_SIGN), lost);
    add_step(&steps, verify_step(1, SETPAY_PROFILE_MERCHANT_SIGN), lost);
    add_step(&steps, verify_step(2, SETPAY_PROFILE_MERCHANT_SIGN), lost);
    add_step(&steps, verify_step(3, SETPAY_PROFILE_MERCHANT_SIGN), setpay_view_of("\x01", 1));
    add_step(&steps, 1, setpay_buffer_view(&crls[2]));
    seed("chain", "revoked", -1, setpay_buffer_view(&steps));
    setpay_buffer_reset(&steps);
    for (size_t i = 0; i < 2; i++)
        add_step(&steps, 2, gateway->chain[1 - i]);
    for (size_t i = 0; i < 4; i++)
        add_step(&steps, 2, setpay_buffer_view(&crls[i]));
    add_step(&steps, verify_step(0, SETPAY_PROFILE_GATEWAY_SIGN),
             setpay_buffer_view(&gateway->der));
    add_step(&steps, verify_step(2, SETPAY_PROFILE_GATEWAY_ENCRYPT),
             setpay_buffer_view(&encrypt->der));
    add_step(&steps, verify_step(0, SETPAY_PROFILE_CARDHOLDER_SIGN),
             setpay_buffer_view(&cardholder->der));
    seed("chain", "learnt", -1, setpay_buffer_view(&steps));
    setpay_buffer_clear(&steps);
}

static void seed_crl(void)
{
    static const enum test_crl_defect defects[] = {TEST_CRL_STALE,     TEST_CRL_FUTURE,
                                                   TEST_CRL_LONG_LIFE, TEST_CRL_FORGED,
                                                   TEST_CRL_DELTA,     TEST_CRL_PARTIAL};
    struct setpay_buffer list;
    begin("crl");
    setpay_buffer_init(&list, SETPAY_LIMIT_CRL_BYTES);
    seed("crl", "first", -1, setpay_buffer_view(&crls[2]));
    seed("crl", "second", -1, setpay_buffer_view(&crls[3]));
    seed("crl", "root", -1, setpay_buffer_view(&crls[0]));
    for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++) {
        char name[40];
        snprintf(name, sizeof(name), "defect-%zu", i);
        test_pki_crl(pki, brand, SETPAY_CA_MERCHANT, FUZZ_NOW_MS, defects[i], &list);
        seed("crl", name, -1, setpay_buffer_view(&list));
    }
    setpay_buffer_clear(&list);
}

static void seed_csr(void)
{
    static const char *const hosts[] = {"shop.example", "pay.shop.example"};
    struct setpay_secret pan = {0}, expiry = {0}, pan_secret = {0}, der = {0};
    struct setpay_digest secret = test_digest(0xe0);
    begin("csr");
    MUST(setpay_secret_copy(&pan, setpay_view_string("4000000000000002")));
    MUST(setpay_secret_copy(&expiry, setpay_view_string("3012")));
    MUST(setpay_secret_copy(&pan_secret, setpay_digest_view(&secret)));
    const struct setpay_csr_wish card = {.brand = brand,
                                         .role = "cardholder",
                                         .challenge = "bm9uY2U",
                                         .pan = &pan,
                                         .expiry = &expiry,
                                         .pan_secret = &pan_secret};
    const struct setpay_csr_wish host = {
        .brand = brand, .role = "merchant", .id = "shop-1", .hosts = hosts, .host_count = 2};
    const struct setpay_csr_wish bare = {0};
    const struct setpay_csr_wish *const wishes[] = {&card, &host, &bare};
    static const char *const names[] = {"card", "host", "bare"};
    for (size_t i = 0; i < 3; i++) {
        MUST(setpay_csr_build(cardholder->key, wishes[i], &der));
        seed("csr", names[i], -1, setpay_secret_view(&der));
        setpay_secret_clear(&der);
    }
    setpay_secret_clear(&pan);
    setpay_secret_clear(&expiry);
    setpay_secret_clear(&pan_secret);
}

static void seed_keyfile(void)
{
    struct setpay_secret pem = {0}, passphrase = {0};
    begin("keyfile");
    MUST(setpay_key_build_pem(gateway->key, NULL, &pem));
    seed("keyfile", "pem", 0, setpay_secret_view(&pem));
    setpay_secret_clear(&pem);
    MUST(setpay_secret_copy(&passphrase, setpay_view_string("a passphrase")));
    MUST(setpay_key_build_pem(gateway->key, &passphrase, &pem));
    seed("keyfile", "encrypted", 0, setpay_secret_view(&pem));
    setpay_secret_clear(&pem);
    setpay_secret_clear(&passphrase);
    seed_text("keyfile", "vault", 1,
              "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n");
    seed_text("keyfile", "vault-long", 1,
              "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00");
    seed_text("keyfile", "box", 2, "what rests in a database, under a key that does not");
}

/* ------------------------------------------------------------------ ISO 8583 */

static void iso_seed(const char *name, int first, struct setpay_secret *frame)
{
    struct setpay_view message = {frame->data + SETPAY_ISO_HEADER_SIZE,
                                  frame->size - SETPAY_ISO_HEADER_SIZE};
    seed("issuer", name, first, message);
    seed("iso8583", name, -1, message);
    setpay_secret_clear(frame);
}

/* An 0110 to the request of fuzz_issuer.c. */
static void iso_answer(const char *name, const struct setpay_iso_message *request,
                       const char *response_code, int64_t approved)
{
    struct setpay_account_answer answer = {
        .approved_minor = approved, .avs_result = 'Y', .cvv_result = 'M'};
    struct setpay_secret frame = {0};
    snprintf(answer.response_code, sizeof(answer.response_code), "%s", response_code);
    if (approved > 0)
        snprintf(answer.approval_code, sizeof(answer.approval_code), "A1B2C3");
    MUST(setpay_issuer_build_authorisation(request, &answer, &frame));
    iso_seed(name, 1, &frame);
}

static void seed_iso(void)
{
    const struct setpay_request_sender sender = {"100001", "SETPAY01"};
    const struct setpay_network_trace trace = {.stan = 123456, .time = FUZZ_NOW_MS};
    struct setpay_network_authorisation ask = {.trace = trace, .amount = {12500, "EUR"}};
    struct setpay_network_reversal reversal = {.original = trace, .amount = {12500, "EUR"}};
    struct setpay_iso_message request = {0};
    struct setpay_secret frame = {0};
    size_t count = 0;
    const struct setpay_card *card = setpay_card_table(&count);
    begin("iso8583");
    begin("issuer");
    MUST(setpay_network_acceptor_set(&ask.acceptor, "shop-1", "Shop, Town, DE", 5999));
    reversal.acceptor = ask.acceptor;
    MUST(setpay_secret_copy(&ask.pan, setpay_view_string(card->pan)));
    MUST(setpay_secret_copy(&ask.expiry, setpay_view_string(card->expiry)));
    MUST(setpay_secret_copy(&ask.security_code, setpay_view_string(card->security_code)));
    MUST(setpay_secret_copy(&ask.postcode, setpay_view_string(card->postcode)));
    MUST(setpay_secret_copy(&ask.house_digits, setpay_view_string(card->house_digits)));
    MUST(setpay_secret_copy(&reversal.pan, setpay_view_string(card->pan)));
    MUST(setpay_secret_copy(&reversal.expiry, setpay_view_string(card->expiry)));
    MUST(setpay_request_build_authorisation(&sender, &ask, &frame));
    MUST(setpay_iso_parse(
        setpay_view_of(frame.data + SETPAY_ISO_HEADER_SIZE, frame.size - SETPAY_ISO_HEADER_SIZE),
        &request, NULL));
    iso_seed("0100", 0, &frame);
    iso_answer("0110-approved", &request, "00", 12500);
    iso_answer("0110-partial", &request, "10", 6250);
    iso_answer("0110-declined", &request, "51", 0);
    MUST(setpay_request_build_reversal(&sender, &trace, &reversal, &frame));
    iso_seed("0400", 0, &frame);
    reversal.partial = true;
    reversal.remaining_minor = 500;
    MUST(setpay_request_build_reversal(&sender, &trace, &reversal, &frame));
    iso_seed("0400-partial", 0, &frame);
    MUST(setpay_request_build_management(&trace, SETPAY_MANAGEMENT_ECHO, &frame));
    iso_seed("0800", 0, &frame);
    setpay_iso_clear(&request);
    setpay_network_authorisation_clear(&ask);
    setpay_network_reversal_clear(&reversal);
}

/* ------------------------------------------------------------------ exported receipts */

static void seed_export(void)
{
    begin("export");
    (void)test_export_set_up(NULL);
    json_t *file = test_export_good();
    char *text = json_dumps(file, JSON_COMPACT);
    if (text == NULL)
        exit(1);
    seed_text("export", "captured", -1, text);
    free(text);
    json_decref(file);
    (void)test_export_tear_down(NULL);
}

/* ------------------------------------------------------------------ texts */

static const struct {
    const char *target;
    const char *name;
    int first; /* below 0: none */
    const char *text;
} texts[] = {
#include "tests/fuzz/seeds.inc"
};

static void seed_texts(void)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        begin(texts[i].target);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        seed_text(texts[i].target, texts[i].name, texts[i].first, texts[i].text);
}

int main(int argc, char **argv)
{
    static const char *const brands[] = {brand, NULL};
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER (tests/fuzz)\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    MUST(setpay_secret_system_init());
    pki = test_pki_new(FUZZ_NOW_MS, brands);
    cardholder = test_party_new(pki, brand, SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    merchant = test_party_new(pki, brand, SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    merchant_tls =
        test_party_new(pki, brand, SETPAY_PROFILE_MERCHANT_TLS_SERVER, "shop-1", "shop.example");
    revoked = test_party_new(pki, brand, SETPAY_PROFILE_MERCHANT_SIGN, "shop-lost", NULL);
    gateway = test_party_new(pki, brand, SETPAY_PROFILE_GATEWAY_SIGN, "gateway-1", NULL);
    encrypt = test_party_new(pki, brand, SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-1", NULL);
    make_fixtures();
    seed_frame();
    seed_contents();
    seed_receipt();
    seed_envelope();
    seed_certificate();
    seed_chain();
    seed_crl();
    seed_csr();
    seed_keyfile();
    seed_iso();
    seed_export();
    seed_texts();
    for (size_t i = 0; i < sizeof(crls) / sizeof(crls[0]); i++)
        setpay_buffer_clear(&crls[i]);
    setpay_buffer_clear(&envelope);
    setpay_buffer_clear(&receipt_bytes);
    test_party_free(cardholder);
    test_party_free(merchant);
    test_party_free(merchant_tls);
    test_party_free(revoked);
    test_party_free(gateway);
    test_party_free(encrypt);
    test_pki_free(pki);
    return 0;
}
