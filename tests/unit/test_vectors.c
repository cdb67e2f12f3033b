/*
 * The published vectors (tests/vectors, docs/vectors.md): every one read from its file, as another
 * implementation would, and held to its exact result. They were made once; this test is what keeps
 * the bytes of the protocol from changing unseen.
 */
#include "common/base/limits.h"
#include "common/crypto/dual.h"
#include "common/crypto/envelope.h"
#include "common/crypto/hash.h"
#include "common/crypto/seal.h"
#include "common/pki/certificate.h"
#include "common/wire/receipt.h"
#include "common/wire/signed.h"
#include "tests/support/test_messages.h"

#include <jansson.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *text(const json_t *vector, const char *name)
{
    const char *value = json_string_value(json_object_get(vector, name));
    if (value == NULL)
        fail_msg("a vector has no text \"%s\"", name);
    return value;
}

/* The bytes of a hex text; freed by the next but seven calls. */
static struct setpay_view bytes_of(const char *hex)
{
    static uint8_t *kept[8];
    static unsigned next;
    size_t size = strlen(hex) / 2;
    next = (next + 1) % 8;
    free(kept[next]);
    kept[next] = malloc(size + 1);
    assert_non_null(kept[next]);
    assert_int_equal(setpay_hex_decode(hex, kept[next], size), SETPAY_OK);
    return setpay_view_of(kept[next], size);
}

static struct setpay_view bytes(const json_t *vector, const char *name)
{
    return bytes_of(text(vector, name));
}

static struct setpay_digest digest(const json_t *vector, const char *name)
{
    struct setpay_digest made;
    assert_int_equal(setpay_digest_parse(text(vector, name), &made), SETPAY_OK);
    return made;
}

static void expect_digest(const json_t *vector, const char *name, const struct setpay_digest *is)
{
    char shown[SETPAY_DIGEST_TEXT_SIZE];
    assert_string_equal(setpay_digest_format(is, shown), text(vector, name));
}

static void expect_error(const json_t *vector, enum setpay_error is)
{
    const char *expected = text(vector, "error");
    if (strcmp(is == SETPAY_OK ? "OK" : setpay_error_name(is), expected) != 0)
        fail_msg("%s: %s, expected %s", text(vector, "why"), setpay_error_name(is), expected);
}

static struct setpay_certificate *certificate(const json_t *vector, const char *name)
{
    struct setpay_certificate *made = NULL;
    assert_int_equal(setpay_certificate_parse(bytes(vector, name), &made), SETPAY_OK);
    return made;
}

static void each(const char *file, void (*check)(const json_t *vector))
{
    char path[256];
    json_error_t problem;
    snprintf(path, sizeof(path), "tests/vectors/%s.json", file);
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL)
        fail_msg("%s: %s", path, problem.text);
    json_t *vectors = json_object_get(root, "vectors");
    size_t count = json_array_size(vectors);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++)
        check(json_array_get(vectors, i));
    json_decref(root);
}

/* ------------------------------------------------------------------ hashes */

static void check_hash(const json_t *vector)
{
    const char *kind = text(vector, "kind");
    struct setpay_digest made;
    if (strcmp(kind, "H") == 0) {
        const json_t *list = json_object_get(vector, "parts");
        struct setpay_view parts[4];
        size_t count = json_array_size(list);
        assert_true(count <= 4);
        for (size_t i = 0; i < count; i++)
            parts[i] = bytes_of(json_string_value(json_array_get(list, i)));
        assert_int_equal(setpay_hash_parts(text(vector, "tag"), parts, count, &made), SETPAY_OK);
    } else if (strcmp(kind, "request") == 0) {
        bool is_signed = text(vector, "sender")[0] != '\0';
        struct setpay_digest sender = {{0}};
        if (is_signed)
            sender = digest(vector, "sender");
        assert_int_equal(setpay_hash_request(text(vector, "type"), 1, is_signed ? &sender : NULL,
                                             bytes(vector, "content"), &made),
                         SETPAY_OK);
    } else if (strcmp(kind, "thumbprint") == 0) {
        struct setpay_certificate *parsed = certificate(vector, "certificate");
        made = *setpay_certificate_thumbprint(parsed);
        setpay_certificate_unref(parsed);
    } else {
        struct setpay_secret pan = {0}, expiry = {0}, pan_secret = {0};
        assert_string_equal(kind, "account");
        assert_int_equal(setpay_secret_copy(&pan, setpay_view_string(text(vector, "pan"))),
                         SETPAY_OK);
        assert_int_equal(setpay_secret_copy(&expiry, setpay_view_string(text(vector, "expiry"))),
                         SETPAY_OK);
        assert_int_equal(setpay_secret_copy(&pan_secret, bytes(vector, "pan_secret")), SETPAY_OK);
        assert_int_equal(setpay_account_id(&pan_secret, &pan, &expiry, &made), SETPAY_OK);
        setpay_secret_clear(&pan);
        setpay_secret_clear(&expiry);
        setpay_secret_clear(&pan_secret);
    }
    expect_digest(vector, "digest", &made);
}

static void test_hashes(void **state)
{
    (void)state;
    each("hashes", check_hash);
}

/* ------------------------------------------------------------------ contents */

static bool is_packed_as(const struct test_sample *sample, struct setpay_view packed)
{
    struct setpay_buffer own;
    void *message = calloc(1, sample->layout->size);
    assert_non_null(message);
    setpay_buffer_init(&own, SETPAY_LIMIT_CONTENT_BYTES);
    sample->fill(message);
    test_build(sample->layout, message, &own);
    bool is = setpay_view_equal(setpay_buffer_view(&own), packed);
    setpay_wire_clear(sample->layout, message);
    setpay_buffer_clear(&own);
    free(message);
    return is;
}

/* Any example of the message: all have one layout. */
static const struct test_sample *sample_named(const json_t *vector)
{
    const char *name = text(vector, "message");
    for (size_t i = 0; i < test_sample_count; i++)
        if (strcmp(test_samples[i].name, name) == 0)
            return &test_samples[i];
    fail_msg("no message %s", name);
    return NULL;
}

/* The example whose bytes they are: from the values themselves, not from what is parsed. */
static const struct test_sample *sample_of(const json_t *vector, struct setpay_view packed)
{
    const char *name = text(vector, "message");
    for (size_t i = 0; i < test_sample_count; i++)
        if (strcmp(test_samples[i].name, name) == 0 && is_packed_as(&test_samples[i], packed))
            return &test_samples[i];
    fail_msg("no %s has these bytes", name);
    return NULL;
}

static void check_content(const json_t *vector)
{
    struct setpay_view packed = bytes(vector, "packed");
    const struct test_sample *sample = sample_of(vector, packed);
    void *message = calloc(1, sample->layout->size);
    struct setpay_buffer again;
    assert_non_null(message);
    setpay_buffer_init(&again, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_wire_parse(sample->layout, packed, message), SETPAY_OK);
    json_t *fields = test_message_json(sample->layout, message);
    assert_true(json_equal(fields, json_object_get(vector, "fields")));
    json_decref(fields);
    test_build(sample->layout, message, &again);
    assert_true(setpay_view_equal(setpay_buffer_view(&again), packed));
    setpay_wire_clear(sample->layout, message);
    setpay_buffer_clear(&again);
    free(message);
}

static void check_refused_content(const json_t *vector)
{
    const struct test_sample *sample = sample_named(vector);
    void *message = calloc(1, sample->layout->size);
    assert_non_null(message);
    expect_error(vector, setpay_wire_parse(sample->layout, bytes(vector, "packed"), message));
    free(message);
}

/* rule A1 */
static void test_contents(void **state)
{
    (void)state;
    each("contents", check_content);
    each("contents-refused", check_refused_content);
}

/* ------------------------------------------------------------------ signatures */

static void check_signature(const json_t *vector)
{
    struct setpay_certificate *signer = certificate(vector, "certificate");
    struct setpay_digest thumbprint = digest(vector, "signer");
    uint64_t suite = (uint64_t)json_integer_value(json_object_get(vector, "suite"));
    expect_error(vector,
                 setpay_verify(setpay_certificate_key(signer), text(vector, "type"), suite,
                               &thumbprint, bytes(vector, "content"), bytes(vector, "signature")));
    setpay_certificate_unref(signer);
}

/* rule A2 */
static void test_signatures(void **state)
{
    (void)state;
    each("signatures", check_signature);
}

static void check_dual(const json_t *vector)
{
    struct setpay_certificate *signer = certificate(vector, "certificate");
    struct setpay_digest oimd, pimd, pomd;
    assert_int_equal(setpay_dual_oimd(bytes(vector, "oi_salt"), bytes(vector, "oi"), &oimd),
                     SETPAY_OK);
    assert_int_equal(setpay_dual_pimd(bytes(vector, "pi_salt"), bytes(vector, "pi"), &pimd),
                     SETPAY_OK);
    assert_int_equal(setpay_dual_pomd(1, &pimd, &oimd, &pomd), SETPAY_OK);
    expect_digest(vector, "oimd", &oimd);
    expect_digest(vector, "pimd", &pimd);
    expect_digest(vector, "pomd", &pomd);
    expect_error(vector, setpay_dual_verify(setpay_certificate_key(signer), 1,
                                            setpay_certificate_thumbprint(signer), &pomd,
                                            bytes(vector, "dual_signature")));
    setpay_certificate_unref(signer);
}

/* rules M2, G3 */
static void test_dual_signatures(void **state)
{
    (void)state;
    each("dual", check_dual);
}

/* ------------------------------------------------------------------ messages */

static void check_message(const json_t *vector)
{
    struct setpay_message message;
    struct setpay_digest hash;
    assert_int_equal(setpay_message_parse(bytes(vector, "packed"), &message), SETPAY_OK);
    assert_string_equal(setpay_message_type_name(message.type), text(vector, "type"));
    assert_true(setpay_view_equal(message.content, bytes(vector, "content")));
    assert_int_equal(message.is_signed, json_is_true(json_object_get(vector, "signed")));
    assert_int_equal(setpay_message_request_hash(&message, &hash), SETPAY_OK);
    expect_digest(vector, "request_hash", &hash);
    if (message.is_signed) {
        struct setpay_certificate *signer = NULL;
        assert_int_equal(setpay_certificate_parse(
                             setpay_message_certificate(&message, &message.signer), &signer),
                         SETPAY_OK);
        assert_int_equal(setpay_message_verify(&message, signer), SETPAY_OK);
        setpay_certificate_unref(signer);
    }
    setpay_message_clear(&message);
}

static void test_messages(void **state)
{
    (void)state;
    each("messages", check_message);
}

/* ------------------------------------------------------------------ envelopes */

static void check_envelope(const json_t *vector)
{
    const char *pem = text(vector, "key");
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    struct setpay_certificate *recipient = certificate(vector, "certificate");
    struct setpay_envelope_key *key = NULL;
    struct setpay_secret plaintext = {0};
    struct setpay_digest made;
    assert_non_null(pkey);
    assert_int_equal(setpay_envelope_key_new(pkey, setpay_certificate_x509(recipient), &key),
                     SETPAY_OK);
    struct setpay_view envelope = bytes(vector, "envelope");
    assert_int_equal(setpay_envelope_digest(envelope, &made), SETPAY_OK);
    expect_digest(vector, "digest", &made);
    enum setpay_error error = setpay_envelope_open(key, envelope, &plaintext);
    expect_error(vector, error);
    assert_true(setpay_view_equal(setpay_secret_view(&plaintext),
                                  setpay_view_string(text(vector, "plaintext"))));
    setpay_secret_clear(&plaintext);
    setpay_envelope_key_free(key);
    setpay_certificate_unref(recipient);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
}

/* rule G2 */
static void test_envelopes(void **state)
{
    (void)state;
    each("envelopes", check_envelope);
}

/* ------------------------------------------------------------------ receipts */

static void check_receipt(const json_t *vector)
{
    struct setpay_secret back_key = {0};
    struct setpay_buffer opened;
    struct setpay_id receipt_id, xid;
    struct setpay_digest hash;
    setpay_buffer_init(&opened, SETPAY_WIRE_RECEIPT_MAX);
    assert_int_equal(setpay_secret_copy(&back_key, bytes(vector, "back_key")), SETPAY_OK);
    assert_int_equal(setpay_id_parse(text(vector, "receipt_id"), &receipt_id), SETPAY_OK);
    assert_int_equal(setpay_id_parse(text(vector, "xid"), &xid), SETPAY_OK);
    enum setpay_error error = setpay_receipt_open(
        &back_key, &receipt_id, &xid, text(vector, "kind"), bytes(vector, "sealed"), &opened);
    expect_error(vector, error);
    assert_int_equal(setpay_receipt_hash(bytes(vector, "signed"), &hash), SETPAY_OK);
    expect_digest(vector, "hash", &hash);
    if (error == SETPAY_OK) {
        struct setpay_certificate *gateway = certificate(vector, "gateway");
        struct setpay_receipt receipt;
        assert_true(setpay_view_equal(setpay_buffer_view(&opened), bytes(vector, "signed")));
        assert_int_equal(setpay_receipt_verify(setpay_buffer_view(&opened), gateway, &receipt),
                         SETPAY_OK);
        assert_true(setpay_id_equal(&receipt.xid, &xid));
        setpay_certificate_unref(gateway);
    }
    setpay_secret_clear(&back_key);
    setpay_buffer_clear(&opened);
}

/* rule W6 */
static void test_receipts(void **state)
{
    (void)state;
    each("receipts", check_receipt);
}

static int set_up(void **state)
{
    (void)state;
    return setpay_secret_system_init() == SETPAY_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes),     cmocka_unit_test(test_contents),
        cmocka_unit_test(test_signatures), cmocka_unit_test(test_dual_signatures),
        cmocka_unit_test(test_messages),   cmocka_unit_test(test_envelopes),
        cmocka_unit_test(test_receipts),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
