/*
 * Makes what fuzzing starts from: seeds TESTS_FUZZ_FOLDER (make fuzz-seeds).
 *
 * fixtures/ holds keys, certificates and what they signed, as targets expect it; corpus/NAME/seed-*
 * the first inputs of each target: messages that are right, made by the code that sends them, and
 * texts as people and programs write them. Signatures differ each time, so all of it is made at
 * once, and only when a target or the protocol changes. Other files of a corpus (inputs that once
 * broke something) stay as they are.
 */
#include "tests/fuzz/seeds.h"
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

static const char *folder;
static const char brand[] = SEEDS_BRAND;
static struct seeds_world world;

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
void seeds_begin(const char *target)
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
void seeds_add(const char *target, const char *name, int first, struct setpay_view bytes)
{
    char path[256];
    struct setpay_buffer whole;
    uint8_t number = (uint8_t)first;
    setpay_buffer_init(&whole, SEEDS_BYTES_MAX);
    if (first >= 0)
        SEEDS_MUST(setpay_buffer_append(&whole, setpay_view_of(&number, 1)));
    SEEDS_MUST(setpay_buffer_append(&whole, bytes));
    snprintf(path, sizeof(path), "corpus/%s/seed-%s", target, name);
    save(path, setpay_buffer_view(&whole));
    setpay_buffer_clear(&whole);
}

void seeds_add_text(const char *target, const char *name, int first, const char *text)
{
    seeds_add(target, name, first, setpay_view_string(text));
}

/* ------------------------------------------------------------------ fixtures */

static void save_key(const char *path, EVP_PKEY *key)
{
    struct setpay_secret pem = {0};
    SEEDS_MUST(setpay_key_build_pem(key, NULL, &pem));
    save(path, setpay_secret_view(&pem));
    setpay_secret_clear(&pem);
}

static void make_envelope(struct setpay_buffer *envelope)
{
    setpay_buffer_init(envelope, SETPAY_LIMIT_ENVELOPE_BYTES);
    SEEDS_MUST(setpay_envelope_seal(world.encrypt->x509, setpay_view_string(TEST_ENVELOPE_TEXT),
                                    envelope));
}

static void make_receipt(struct setpay_buffer *bytes)
{
    static const struct setpay_id xid = {{9, 8, 7}};
    struct setpay_receipt receipt = {.kind = 0};
    setpay_buffer_init(bytes, SETPAY_WIRE_RECEIPT_MAX);
    test_fill_receipt(&receipt);
    receipt.xid = xid;
    receipt.gateway_sign = world.gateway->thumbprint;
    SEEDS_MUST(setpay_receipt_sign(&receipt, world.gateway->signing_key, bytes));
}

static struct setpay_buffer envelope, receipt_bytes;

static void make_fixtures(void)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/fixtures", folder);
    (void)mkdir(path, 0777);
    save("fixtures/root.der", setpay_buffer_view(&world.pki->root.der));
    save("fixtures/brand.der",
         setpay_buffer_view(&test_pki_ca(world.pki, brand, SETPAY_CA_BRAND)->der));
    save("fixtures/cca.der",
         setpay_buffer_view(&test_pki_ca(world.pki, brand, SETPAY_CA_CARDHOLDER)->der));
    save("fixtures/mca.der",
         setpay_buffer_view(&test_pki_ca(world.pki, brand, SETPAY_CA_MERCHANT)->der));
    save("fixtures/pca.der",
         setpay_buffer_view(&test_pki_ca(world.pki, brand, SETPAY_CA_GATEWAY)->der));
    save("fixtures/cardholder.der", setpay_buffer_view(&world.cardholder->der));
    save("fixtures/merchant-sign.der", setpay_buffer_view(&world.merchant->der));
    save("fixtures/merchant-tls-server.der", setpay_buffer_view(&world.merchant_tls->der));
    save("fixtures/merchant-revoked.der", setpay_buffer_view(&world.revoked->der));
    save("fixtures/gateway-sign.der", setpay_buffer_view(&world.gateway->der));
    save("fixtures/gateway-encrypt.der", setpay_buffer_view(&world.encrypt->der));
    save_key("fixtures/gateway-sign.key", world.gateway->key);
    save_key("fixtures/gateway-encrypt.key", world.encrypt->key);
    for (size_t i = 0; i < sizeof(world.crls) / sizeof(world.crls[0]); i++)
        setpay_buffer_init(&world.crls[i], SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(world.pki, brand, SETPAY_CA_ROOT, FUZZ_NOW_MS, TEST_CRL_GOOD, &world.crls[0]);
    test_pki_crl(world.pki, brand, SETPAY_CA_BRAND, FUZZ_NOW_MS, TEST_CRL_GOOD, &world.crls[1]);
    test_pki_crl(world.pki, brand, SETPAY_CA_MERCHANT, FUZZ_NOW_MS, TEST_CRL_GOOD, &world.crls[2]);
    test_pki_revoke(world.pki, world.revoked);
    test_pki_crl(world.pki, brand, SETPAY_CA_MERCHANT, FUZZ_NOW_MS, TEST_CRL_GOOD, &world.crls[3]);
    save("fixtures/mca-1.crl", setpay_buffer_view(&world.crls[2]));
    save("fixtures/mca-2.crl", setpay_buffer_view(&world.crls[3]));
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
    seeds_begin("frame");
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        char name[40];
        setpay_frame_header_build(&headers[i], bytes);
        bytes[sizeof(bytes) - 1] = (uint8_t)i;
        snprintf(name, sizeof(name), "%zu", i);
        seeds_add("frame", name, -1, SETPAY_VIEW_ARRAY(bytes));
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
    struct setpay_view certificates[] = {setpay_buffer_view(&world.merchant->der),
                                         world.merchant->chain[0], world.merchant->chain[1]};
    struct setpay_view lists[] = {setpay_buffer_view(&world.crls[0]),
                                  setpay_buffer_view(&world.crls[2])};
    bool open = type == SETPAY_MESSAGE_PINIT_REQ || type == SETPAY_MESSAGE_P_REQ;
    bool sealed = type == SETPAY_MESSAGE_P_REQ || type == SETPAY_MESSAGE_AUTH_REQ;
    bool many = type == SETPAY_MESSAGE_PINIT_RES;
    const struct setpay_message_parts parts = {.type = type,
                                               .content = content,
                                               .key = open ? NULL : world.merchant->signing_key,
                                               .signer = open ? NULL : &world.merchant->thumbprint,
                                               .certificates = certificates,
                                               .certificate_count = open   ? 0
                                                                    : many ? 3
                                                                           : 1,
                                               .crls = lists,
                                               .crl_count = many ? 2 : 0,
                                               .envelope = sealed ? setpay_buffer_view(&envelope)
                                                                  : SETPAY_VIEW_EMPTY};
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    SEEDS_MUST(setpay_message_build(&parts, &bytes));
    seeds_add("message", name, -1, setpay_buffer_view(&bytes));
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
    seeds_begin("contents");
    seeds_begin("message");
    for (size_t i = 0; i < test_sample_count; i++) {
        const struct test_sample *sample = &test_samples[i];
        void *message = calloc(1, sample->layout->size);
        struct setpay_buffer bytes;
        if (message == NULL)
            abort();
        setpay_buffer_init(&bytes, SETPAY_LIMIT_CONTENT_BYTES);
        sample->fill(message);
        test_build(sample->layout, message, &bytes);
        seeds_add("contents", sample_name(i, name), layout_number(sample->layout),
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
    seeds_begin("receipt");
    setpay_buffer_init(&bytes, sizeof(sealed));
    test_fill_receipt(&receipt);
    SEEDS_MUST(setpay_receipt_build(&receipt, &bytes));
    seeds_add("receipt", "content", 0, setpay_buffer_view(&bytes));
    seeds_add("receipt", "signed", 1, setpay_buffer_view(&receipt_bytes));
    SEEDS_MUST(setpay_secret_copy(&back_key, setpay_digest_view(&secret)));
    SEEDS_MUST(setpay_sealed_receipt_make(&back_key, &id, &xid, SETPAY_RECEIPT_AUTHORISATION,
                                          setpay_buffer_view(&receipt_bytes), &sealed));
    SEEDS_MUST(setpay_sealed_receipt_build(&sealed, &bytes));
    seeds_add("receipt", "sealed", 2, setpay_buffer_view(&bytes));
    seeds_add("contents", "SealedReceipt", layout_number(&setpay_layout_sealed_receipt),
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
    SEEDS_MUST(setpay_buffer_set(&made, setpay_buffer_view(&envelope)));
    made.data[made.size - 17] = (uint8_t)(16 - cut);
    for (size_t i = 0; i < sizeof(lengths_at) / sizeof(lengths_at[0]); i++) {
        uint8_t *length = made.data + lengths_at[i];
        size_t size = ((size_t)length[0] << 8 | length[1]) - cut;
        length[0] = (uint8_t)(size >> 8);
        length[1] = (uint8_t)size;
    }
    seeds_add("envelope", "cut-tag", 0, setpay_view_of(made.data, made.size - cut));
    setpay_buffer_clear(&made);
}

static void seed_envelope(void)
{
    struct test_party *other =
        test_party_new(world.pki, brand, SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-2", NULL);
    struct setpay_buffer made;
    seeds_begin("envelope");
    setpay_buffer_init(&made, SETPAY_LIMIT_ENVELOPE_BYTES);
    seeds_add("envelope", "genuine", 0, setpay_buffer_view(&envelope));
    for (size_t i = 0; i < test_envelope_form_count; i++) {
        char name[40];
        if (test_envelope_forms[i].good)
            continue;
        snprintf(name, sizeof(name), "form-%zu", i);
        test_envelope_make(&test_envelope_forms[i], world.encrypt->x509, other->x509, &made);
        seeds_add("envelope", name, 0, setpay_buffer_view(&made));
    }
    seeds_add("envelope", "plaintext", 1, setpay_view_of("\x00\x10\x01" TEST_ENVELOPE_TEXT, 20));
    seed_cut_tag();
    setpay_buffer_clear(&made);
    test_party_free(other);
}

/* ------------------------------------------------------------------ ISO 8583 */

static void iso_seed(const char *name, int first, struct setpay_secret *frame)
{
    struct setpay_view message = {frame->data + SETPAY_ISO_HEADER_SIZE,
                                  frame->size - SETPAY_ISO_HEADER_SIZE};
    seeds_add("issuer", name, first, message);
    seeds_add("iso8583", name, -1, message);
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
    SEEDS_MUST(setpay_issuer_build_authorisation(request, &answer, &frame));
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
    seeds_begin("iso8583");
    seeds_begin("issuer");
    SEEDS_MUST(setpay_network_acceptor_set(&ask.acceptor, "shop-1", "Shop, Town, DE", 5999));
    reversal.acceptor = ask.acceptor;
    SEEDS_MUST(setpay_secret_copy(&ask.pan, setpay_view_string(card->pan)));
    SEEDS_MUST(setpay_secret_copy(&ask.expiry, setpay_view_string(card->expiry)));
    SEEDS_MUST(setpay_secret_copy(&ask.security_code, setpay_view_string(card->security_code)));
    SEEDS_MUST(setpay_secret_copy(&ask.postcode, setpay_view_string(card->postcode)));
    SEEDS_MUST(setpay_secret_copy(&ask.house_digits, setpay_view_string(card->house_digits)));
    SEEDS_MUST(setpay_secret_copy(&reversal.pan, setpay_view_string(card->pan)));
    SEEDS_MUST(setpay_secret_copy(&reversal.expiry, setpay_view_string(card->expiry)));
    SEEDS_MUST(setpay_request_build_authorisation(&sender, &ask, &frame));
    SEEDS_MUST(setpay_iso_parse(
        setpay_view_of(frame.data + SETPAY_ISO_HEADER_SIZE, frame.size - SETPAY_ISO_HEADER_SIZE),
        &request, NULL));
    iso_seed("0100", 0, &frame);
    iso_answer("0110-approved", &request, "00", 12500);
    iso_answer("0110-partial", &request, "10", 6250);
    iso_answer("0110-declined", &request, "51", 0);
    SEEDS_MUST(setpay_request_build_reversal(&sender, &trace, &reversal, &frame));
    iso_seed("0400", 0, &frame);
    reversal.partial = true;
    reversal.remaining_minor = 500;
    SEEDS_MUST(setpay_request_build_reversal(&sender, &trace, &reversal, &frame));
    iso_seed("0400-partial", 0, &frame);
    SEEDS_MUST(setpay_request_build_management(&trace, SETPAY_MANAGEMENT_ECHO, &frame));
    iso_seed("0800", 0, &frame);
    setpay_iso_clear(&request);
    setpay_network_authorisation_clear(&ask);
    setpay_network_reversal_clear(&reversal);
}

/* ------------------------------------------------------------------ exported receipts */

static void seed_export(void)
{
    seeds_begin("export");
    (void)test_export_set_up(NULL);
    json_t *file = test_export_good();
    char *text = json_dumps(file, JSON_COMPACT);
    if (text == NULL)
        exit(1);
    seeds_add_text("export", "captured", -1, text);
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
        seeds_begin(texts[i].target);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        seeds_add_text(texts[i].target, texts[i].name, texts[i].first, texts[i].text);
}

int main(int argc, char **argv)
{
    static const char *const brands[] = {brand, NULL};
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER (tests/fuzz)\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    SEEDS_MUST(setpay_secret_system_init());
    world.pki = test_pki_new(FUZZ_NOW_MS, brands);
    world.cardholder = test_party_new(world.pki, brand, SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    world.merchant = test_party_new(world.pki, brand, SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    world.merchant_tls = test_party_new(world.pki, brand, SETPAY_PROFILE_MERCHANT_TLS_SERVER,
                                        "shop-1", "shop.example");
    world.revoked =
        test_party_new(world.pki, brand, SETPAY_PROFILE_MERCHANT_SIGN, "shop-lost", NULL);
    world.gateway =
        test_party_new(world.pki, brand, SETPAY_PROFILE_GATEWAY_SIGN, "gateway-1", NULL);
    world.encrypt =
        test_party_new(world.pki, brand, SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-1", NULL);
    make_fixtures();
    seed_frame();
    seed_contents();
    seed_receipt();
    seed_envelope();
    seeds_add_certificates(&world);
    seed_iso();
    seed_export();
    seed_texts();
    for (size_t i = 0; i < sizeof(world.crls) / sizeof(world.crls[0]); i++)
        setpay_buffer_clear(&world.crls[i]);
    setpay_buffer_clear(&envelope);
    setpay_buffer_clear(&receipt_bytes);
    test_party_free(world.cardholder);
    test_party_free(world.merchant);
    test_party_free(world.merchant_tls);
    test_party_free(world.revoked);
    test_party_free(world.gateway);
    test_party_free(world.encrypt);
    test_pki_free(world.pki);
    return 0;
}
