/*
 * Makes the test vectors anew: generate FOLDER (make vectors).
 *
 * Signatures and envelopes differ each time that they are made, so the files in tests/vectors are
 * made once and kept; tests/unit/test_vectors.c holds every build to them. Run this only when the
 * protocol changes. What is expected of each vector is written down here, not taken from the code
 * under test; where the two differ this program stops.
 */
#include "common/base/limits.h"
#include "common/crypto/dual.h"
#include "common/crypto/envelope.h"
#include "common/crypto/hash.h"
#include "common/crypto/seal.h"
#include "common/wire/receipt.h"
#include "common/wire/signed.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"
#include "tests/vectors/envelopes.h"

#include <jansson.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *folder;
static struct test_pki *pki;
static struct test_party *cardholder, *merchant, *gateway, *encrypt, *encrypt_other;

#define MUST(expression)                                                                           \
    do {                                                                                           \
        enum setpay_error must_ = (expression);                                                    \
        if (must_ != SETPAY_OK) {                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, setpay_error_name(must_));          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)
#define MUST_BE(expression, expected)                                                              \
    do {                                                                                           \
        enum setpay_error is_ = (expression);                                                      \
        if (is_ != (expected)) {                                                                   \
            fprintf(stderr, "%s:%d: %s, not %s\n", __FILE__, __LINE__, setpay_error_name(is_),     \
                    setpay_error_name(expected));                                                  \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static json_t *hex(struct setpay_view bytes)
{
    char *text = malloc(2 * bytes.size + 1);
    if (text == NULL)
        abort();
    setpay_hex_encode(bytes, text);
    json_t *made = json_string(text);
    free(text);
    return made;
}

static json_t *hex_digest(const struct setpay_digest *digest)
{
    return hex(setpay_digest_view(digest));
}

static void save(const char *name, const char *description, json_t *vectors)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s.json", folder, name);
    json_t *root = json_pack("{s:s, s:o}", "description", description, "vectors", vectors);
    if (root == NULL || json_dump_file(root, path, JSON_INDENT(1) | JSON_ENSURE_ASCII) != 0) {
        fprintf(stderr, "%s can't be written\n", path);
        exit(1);
    }
    json_decref(root);
}

/* ------------------------------------------------------------------ hashes */

static json_t *h_vector(const char *tag, const struct setpay_view *parts, size_t count)
{
    struct setpay_digest digest;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, hex(parts[i]));
    MUST(setpay_hash_parts(tag, parts, count, &digest));
    return json_pack("{s:s, s:s, s:o, s:o}", "kind", "H", "tag", tag, "parts", list, "digest",
                     hex_digest(&digest));
}

static void make_hashes(void)
{
    json_t *all = json_array();
    struct setpay_digest digest, sender = test_digest(0xb0);
    const struct setpay_view two[] = {setpay_view_string("ab"), setpay_view_string("c")};
    const struct setpay_view moved[] = {setpay_view_string("a"), setpay_view_string("bc")};
    const struct setpay_view empties[] = {SETPAY_VIEW_EMPTY, SETPAY_VIEW_EMPTY};
    json_array_append_new(all, h_vector("test", two, 2));
    json_array_append_new(all, h_vector("test", moved, 2));
    json_array_append_new(all, h_vector("test", empties, 1));
    json_array_append_new(all, h_vector("test", empties, 2));
    json_array_append_new(all, h_vector("test", NULL, 0));

    struct setpay_view content = setpay_view_string("the content of a request");
    MUST(setpay_request_hash(SETPAY_MESSAGE_AUTH_REQ, &sender, content, &digest));
    json_array_append_new(all,
                          json_pack("{s:s, s:s, s:i, s:o, s:o, s:o}", "kind", "request", "type",
                                    "AuthReq", "suite", 1, "sender", hex_digest(&sender), "content",
                                    hex(content), "digest", hex_digest(&digest)));
    MUST(setpay_request_hash(SETPAY_MESSAGE_PINIT_REQ, NULL, content, &digest));
    json_array_append_new(all, json_pack("{s:s, s:s, s:i, s:s, s:o, s:o}", "kind", "request",
                                         "type", "PInitReq", "suite", 1, "sender", "", "content",
                                         hex(content), "digest", hex_digest(&digest)));
    struct setpay_view certificate = setpay_buffer_view(&merchant->der);
    MUST(setpay_sha256(certificate, &digest));
    json_array_append_new(all, json_pack("{s:s, s:o, s:o}", "kind", "thumbprint", "certificate",
                                         hex(certificate), "digest", hex_digest(&digest)));

    struct setpay_secret pan = {0}, expiry = {0}, pan_secret = {0};
    struct setpay_digest key = test_digest(0xe0);
    MUST(setpay_secret_copy(&pan, setpay_view_string("4000000000000002")));
    MUST(setpay_secret_copy(&expiry, setpay_view_string("3012")));
    MUST(setpay_secret_copy(&pan_secret, setpay_digest_view(&key)));
    MUST(setpay_account_id(&pan_secret, &pan, &expiry, &digest));
    json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:o, s:o}", "kind", "account", "pan",
                                         "4000000000000002", "expiry", "3012", "pan_secret",
                                         hex_digest(&key), "digest", hex_digest(&digest)));
    setpay_secret_clear(&pan);
    setpay_secret_clear(&expiry);
    setpay_secret_clear(&pan_secret);
    save("hashes",
         "H(tag, parts), request hashes H(\"req\", type, suite, sender, content), certificate "
         "thumbprints (plain SHA-256 of the DER) and blinded account ids. Bytes are hex.",
         all);
}

/* ------------------------------------------------------------------ contents */

static json_t *refused(const struct setpay_wire_layout *layout, const char *name, const char *why,
                       struct setpay_view packed, enum setpay_error error)
{
    uint8_t *message = calloc(1, layout->size);
    if (message == NULL)
        abort();
    enum setpay_error is = setpay_wire_parse(layout, packed, message);
    if (is != error) {
        fprintf(stderr, "%s, %s: %s, not %s\n", name, why, setpay_error_name(is),
                setpay_error_name(error));
        exit(1);
    }
    free(message);
    return json_pack("{s:s, s:s, s:o, s:s}", "message", name, "why", why, "packed", hex(packed),
                     "error", setpay_error_name(error));
}

/* One text for another of the same length. */
static void replaced(json_t *all, const struct test_sample *sample, struct setpay_view packed,
                     const char *why, const char *from, struct setpay_view to,
                     enum setpay_error error)
{
    uint8_t *at = memmem(packed.data, packed.size, from, strlen(from));
    if (at == NULL)
        return;
    struct setpay_buffer changed;
    setpay_buffer_init(&changed, SETPAY_LIMIT_CONTENT_BYTES);
    MUST(setpay_buffer_set(&changed, packed));
    memcpy(changed.data + (at - packed.data), to.data, to.size);
    json_array_append_new(
        all, refused(sample->layout, sample->name, why, setpay_buffer_view(&changed), error));
    setpay_buffer_clear(&changed);
}

/* Defects that every message can have at its head and end. */
static void refuse_form(json_t *all, const struct test_sample *sample, struct setpay_view packed)
{
    struct setpay_buffer changed;
    setpay_buffer_init(&changed, SETPAY_LIMIT_CONTENT_BYTES);
    /* The first field: a tag of one byte, then a number or a length below 16,384. */
    bool is_bytes = (packed.data[0] & 7) == 2;
    size_t head = packed.data[1] < 0x80 ? 2 : 3;
    size_t length = head == 2 ? packed.data[1]
                              : (size_t)(packed.data[1] & 0x7f) + ((size_t)packed.data[2] << 7);
    size_t first = head + (is_bytes ? length : 0);
    struct setpay_view rest = {packed.data + first, packed.size - first};
#define ADD(why_, error_)                                                                          \
    json_array_append_new(all, refused(sample->layout, sample->name, (why_),                       \
                                       setpay_buffer_view(&changed), (error_)))
    MUST(setpay_buffer_set(&changed, rest));
    ADD("the first field is missing", SETPAY_E_FIELD);
    MUST(setpay_buffer_set(&changed, setpay_view_of(packed.data, first)));
    MUST(setpay_buffer_append(&changed, packed));
    ADD("the first field is given twice", SETPAY_E_NOT_CANONICAL);
    MUST(setpay_buffer_set(&changed, setpay_view_of(packed.data, 1)));
    changed.data[0] |= 0x80;
    MUST(setpay_buffer_append(&changed, setpay_view_of("", 1)));
    MUST(setpay_buffer_append(&changed, setpay_view_of(packed.data + 1, packed.size - 1)));
    ADD("the first tag is overlong", SETPAY_E_NOT_CANONICAL);
    MUST(setpay_buffer_set(&changed, packed));
    MUST(setpay_buffer_append(&changed, setpay_view_of("\xc0\x3e\x01", 3)));
    ADD("an unknown field at the end", SETPAY_E_NOT_CANONICAL);
    MUST(setpay_buffer_set(&changed, setpay_view_of(packed.data, packed.size - 1)));
    ADD("the last byte is missing", SETPAY_E_MALFORMED);
    MUST(setpay_buffer_set(&changed, packed));
    changed.data[0] = (uint8_t)((changed.data[0] & ~7) | 5);
    ADD("the first field has another wire type", SETPAY_E_MALFORMED);
#undef ADD
    setpay_buffer_clear(&changed);
}

static void make_contents(void)
{
    json_t *accepted = json_array(), *not_accepted = json_array();
    for (size_t i = 0; i < test_sample_count; i++) {
        const struct test_sample *sample = &test_samples[i];
        void *message = calloc(1, sample->layout->size);
        struct setpay_buffer bytes;
        if (message == NULL)
            abort();
        setpay_buffer_init(&bytes, SETPAY_LIMIT_CONTENT_BYTES);
        sample->fill(message);
        test_build(sample->layout, message, &bytes);
        struct setpay_view packed = setpay_buffer_view(&bytes);
        json_array_append_new(accepted, json_pack("{s:s, s:o, s:o}", "message", sample->name,
                                                  "packed", hex(packed), "fields",
                                                  test_message_json(sample->layout, message)));
        refuse_form(not_accepted, sample, packed);
        /* Whose texts are inside bytes that are looked at later. */
        if (strcmp(sample->name, "PReq") != 0 && strcmp(sample->name, "CanReq") != 0 &&
            strcmp(sample->name, "SealedInstruction") != 0) {
            replaced(not_accepted, sample, packed, "an unknown currency", "EUR",
                     setpay_view_string("XQZ"), SETPAY_E_FIELD);
            replaced(not_accepted, sample, packed, "a capital letter in a brand", "example-card",
                     setpay_view_string("Example"), SETPAY_E_FIELD);
            replaced(not_accepted, sample, packed, "a NUL in a text", "order-1001",
                     setpay_view_of("order\0", 6), SETPAY_E_TEXT);
            replaced(not_accepted, sample, packed, "no UTF-8", "order-1001",
                     setpay_view_string("order\xc0"), SETPAY_E_TEXT);
            replaced(not_accepted, sample, packed, "a blank in a merchant id", "shop-1",
                     setpay_view_string("shop 1"), SETPAY_E_FIELD);
        }
        if (strcmp(sample->name, "PaymentInstruction") == 0) {
            replaced(not_accepted, sample, packed, "a letter in a PAN", "4000000000000002",
                     setpay_view_string("4x"), SETPAY_E_FIELD);
            replaced(not_accepted, sample, packed, "month 13", "3012", setpay_view_string("3013"),
                     SETPAY_E_FIELD);
        }
        if (strcmp(sample->name, "Receipt") == 0)
            replaced(not_accepted, sample, packed, "an unknown kind", "\x08\x01",
                     setpay_view_string("\x08\x63"), SETPAY_E_ENUM);
        setpay_wire_clear(sample->layout, message);
        setpay_buffer_clear(&bytes);
        free(message);
    }
    save("contents",
         "Each content: its packed bytes and its fields (bytes in hex, absent fields left out). "
         "Parsing must give the fields, packing the fields must give the bytes.",
         accepted);
    save("contents-refused", "Packed bytes that must be refused, each with its error.",
         not_accepted);
}

/* ------------------------------------------------------------------ signatures */

static json_t *signature_vector(const char *why, const struct test_party *party, const char *type,
                                int suite, struct setpay_view content, struct setpay_view signature,
                                enum setpay_error error)
{
    MUST_BE(setpay_verify(setpay_certificate_key(party->certificate), type, (uint64_t)suite,
                          &party->thumbprint, content, signature),
            error);
    return json_pack("{s:s, s:o, s:s, s:i, s:o, s:o, s:o, s:s}", "why", why, "certificate",
                     hex(setpay_buffer_view(&party->der)), "type", type, "suite", suite, "signer",
                     hex_digest(&party->thumbprint), "content", hex(content), "signature",
                     hex(signature), "error", setpay_error_name(error));
}

static void make_signatures(void)
{
    json_t *all = json_array();
    struct setpay_buffer signature;
    struct setpay_view content = setpay_view_string("the content of a request");
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX + 1);
    MUST(setpay_sign(merchant->signing_key, "AuthReq", 1, &merchant->thumbprint, content,
                     &signature));
    struct setpay_view bytes = setpay_buffer_view(&signature);
    json_array_append_new(
        all, signature_vector("good", merchant, "AuthReq", 1, content, bytes, SETPAY_OK));
    json_array_append_new(all, signature_vector("another type", merchant, "AuthRevReq", 1, content,
                                                bytes, SETPAY_E_SIGNATURE));
    json_array_append_new(all, signature_vector("another suite", merchant, "AuthReq", 2, content,
                                                bytes, SETPAY_E_SUITE));
    json_array_append_new(all, signature_vector("another signer", gateway, "AuthReq", 1, content,
                                                bytes, SETPAY_E_SIGNATURE));
    json_array_append_new(all, signature_vector("another content", merchant, "AuthReq", 1,
                                                setpay_view_string("the content of a request."),
                                                bytes, SETPAY_E_SIGNATURE));
    signature.data[bytes.size - 1] ^= 1;
    json_array_append_new(all, signature_vector("a changed bit", merchant, "AuthReq", 1, content,
                                                bytes, SETPAY_E_SIGNATURE));
    signature.data[bytes.size - 1] ^= 1;
    MUST(setpay_buffer_append(&signature, setpay_view_of("", 1)));
    json_array_append_new(all,
                          signature_vector("a byte behind it", merchant, "AuthReq", 1, content,
                                           setpay_buffer_view(&signature), SETPAY_E_SIGNATURE));
    setpay_buffer_clear(&signature);
    save("signatures",
         "ECDSA P-256 with SHA-256 (DER) over H(\"sig:\" type, suite, signer, content), to be "
         "verified with the certificate's key; error OK where it must verify.",
         all);
}

/* ------------------------------------------------------------------ the dual signature */

static json_t *dual_vector(const char *why, struct setpay_view oi, struct setpay_view pi,
                           const struct setpay_digest *oi_salt, const struct setpay_digest *pi_salt,
                           struct setpay_view ds, enum setpay_error error)
{
    struct setpay_digest oimd, pimd, pomd;
    MUST(setpay_dual_oimd(setpay_digest_view(oi_salt), oi, &oimd));
    MUST(setpay_dual_pimd(setpay_digest_view(pi_salt), pi, &pimd));
    MUST(setpay_dual_pomd(1, &pimd, &oimd, &pomd));
    MUST_BE(setpay_dual_verify(setpay_certificate_key(cardholder->certificate), 1,
                               &cardholder->thumbprint, &pomd, ds),
            error);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "why", why,
                     "certificate", hex(setpay_buffer_view(&cardholder->der)), "oi", hex(oi),
                     "oi_salt", hex_digest(oi_salt), "pi", hex(pi), "pi_salt", hex_digest(pi_salt),
                     "oimd", hex_digest(&oimd), "pimd", hex_digest(&pimd), "pomd",
                     hex_digest(&pomd), "dual_signature", hex(ds), "error",
                     setpay_error_name(error));
}

static void make_duals(void)
{
    json_t *all = json_array();
    struct setpay_oi oi = {.date_ms = 0};
    struct setpay_pi pi = {.expiry_ms = 0};
    struct setpay_buffer oi_bytes, other_oi, ds;
    struct setpay_secret pi_bytes = {0};
    struct setpay_digest oi_salt = test_digest(7), pi_salt = test_digest(8), oimd, pimd, pomd;
    setpay_buffer_init(&oi_bytes, SETPAY_WIRE_ORDER_MAX);
    setpay_buffer_init(&other_oi, SETPAY_WIRE_ORDER_MAX);
    setpay_buffer_init(&ds, SETPAY_SIGNATURE_MAX);
    test_fill_oi(&oi);
    test_fill_pi(&pi);
    oi.cardholder = pi.cardholder = cardholder->thumbprint;
    MUST(setpay_oi_build(&oi, &oi_bytes));
    oi.amount.minor = 125000;
    MUST(setpay_oi_build(&oi, &other_oi));
    MUST(setpay_pi_build(&pi, &pi_bytes));
    struct setpay_view order = setpay_buffer_view(&oi_bytes);
    struct setpay_view instruction = setpay_secret_view(&pi_bytes);
    MUST(setpay_dual_oimd(setpay_digest_view(&oi_salt), order, &oimd));
    MUST(setpay_dual_pimd(setpay_digest_view(&pi_salt), instruction, &pimd));
    MUST(setpay_dual_pomd(1, &pimd, &oimd, &pomd));
    MUST(setpay_dual_sign(cardholder->signing_key, 1, &cardholder->thumbprint, &pomd, &ds));
    struct setpay_view bytes = setpay_buffer_view(&ds);
    json_array_append_new(
        all, dual_vector("good", order, instruction, &oi_salt, &pi_salt, bytes, SETPAY_OK));
    json_array_append_new(all,
                          dual_vector("another order", setpay_buffer_view(&other_oi), instruction,
                                      &oi_salt, &pi_salt, bytes, SETPAY_E_SIGNATURE));
    json_array_append_new(all, dual_vector("salts exchanged", order, instruction, &pi_salt,
                                           &oi_salt, bytes, SETPAY_E_SIGNATURE));
    json_array_append_new(all, dual_vector("halves exchanged", instruction, order, &pi_salt,
                                           &oi_salt, bytes, SETPAY_E_SIGNATURE));
    setpay_pi_clear(&pi);
    setpay_secret_clear(&pi_bytes);
    setpay_buffer_clear(&oi_bytes);
    setpay_buffer_clear(&other_oi);
    setpay_buffer_clear(&ds);
    save("dual",
         "OIMD = H(\"oi\", oi_salt, oi), PIMD = H(\"pi\", pi_salt, pi), POMD = H(\"po\", suite 1, "
         "PIMD, OIMD), and the dual signature: type DS, content POMD.",
         all);
}

/* ------------------------------------------------------------------ outer messages */

static void make_messages(void)
{
    json_t *all = json_array();
    static const struct {
        const char *sample;
        enum setpay_message_type type;
    } made[] = {
        {"PInitReq", SETPAY_MESSAGE_PINIT_REQ},
        {"PInitRes", SETPAY_MESSAGE_PINIT_RES},
        {"PReq", SETPAY_MESSAGE_P_REQ},
        {"PRes", SETPAY_MESSAGE_P_RES},
        {"InqReq", SETPAY_MESSAGE_INQ_REQ},
        {"AuthReq", SETPAY_MESSAGE_AUTH_REQ},
        {"AuthRes", SETPAY_MESSAGE_AUTH_RES},
        {"AuthRevReq", SETPAY_MESSAGE_AUTH_REV_REQ},
        {"AuthRevRes", SETPAY_MESSAGE_AUTH_REV_RES},
        {"StepReq", SETPAY_MESSAGE_CAP_REQ},
        {"StepReq", SETPAY_MESSAGE_CRED_REV_REQ},
        {"StepRes", SETPAY_MESSAGE_CRED_RES},
        {"BatchAdminReq", SETPAY_MESSAGE_BATCH_ADMIN_REQ},
        {"BatchAdminRes", SETPAY_MESSAGE_BATCH_ADMIN_RES},
        {"CanReq", SETPAY_MESSAGE_CAN_REQ},
        {"PRes", SETPAY_MESSAGE_CAN_RES},
        {"AuthCanReq", SETPAY_MESSAGE_AUTH_CAN_REQ},
        {"AuthCanRes", SETPAY_MESSAGE_AUTH_CAN_RES},
        {"PCertReq", SETPAY_MESSAGE_PCERT_REQ},
        {"PCertRes", SETPAY_MESSAGE_PCERT_RES},
        {"Error", SETPAY_MESSAGE_ERROR},
    };
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        const struct test_sample *sample = test_samples;
        while (strcmp(sample->name, made[i].sample) != 0)
            sample++;
        void *message = calloc(1, sample->layout->size);
        struct setpay_buffer content, bytes;
        if (message == NULL)
            abort();
        setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
        setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
        sample->fill(message);
        test_build(sample->layout, message, &content);
        bool is_signed =
            made[i].type != SETPAY_MESSAGE_PINIT_REQ && made[i].type != SETPAY_MESSAGE_P_REQ;
        bool sealed =
            made[i].type == SETPAY_MESSAGE_P_REQ || made[i].type == SETPAY_MESSAGE_AUTH_REQ;
        struct setpay_view certificate = setpay_buffer_view(&merchant->der);
        struct setpay_message_parts parts = {.type = made[i].type,
                                             .content = setpay_buffer_view(&content),
                                             .key = is_signed ? merchant->signing_key : NULL,
                                             .signer = is_signed ? &merchant->thumbprint : NULL,
                                             .certificates = &certificate,
                                             .certificate_count = is_signed ? 1 : 0,
                                             .envelope = sealed ? setpay_view_string("an envelope")
                                                                : SETPAY_VIEW_EMPTY};
        MUST(setpay_message_build(&parts, &bytes));
        struct setpay_digest hash;
        MUST(setpay_request_hash(made[i].type, parts.signer, parts.content, &hash));
        json_array_append_new(all, json_pack("{s:s, s:o, s:o, s:b, s:o}", "type",
                                             setpay_message_type_name(made[i].type), "packed",
                                             hex(setpay_buffer_view(&bytes)), "content",
                                             hex(parts.content), "signed", is_signed,
                                             "request_hash", hex_digest(&hash)));
        setpay_wire_clear(sample->layout, message);
        setpay_buffer_clear(&content);
        setpay_buffer_clear(&bytes);
        free(message);
    }
    save("messages",
         "Whole Messages. Where signed, the signer's certificate is the one beside, and the "
         "signature must verify over content; request_hash is H(\"req\", ...) of it.",
         all);
}

/* ------------------------------------------------------------------ envelopes */

static json_t *pem_of(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        abort();
    long size = BIO_get_mem_data(bio, &text);
    json_t *made = json_stringn(text, (size_t)size);
    BIO_free(bio);
    return made;
}

static void make_envelopes(void)
{
    json_t *all = json_array();
    struct setpay_envelope_key *key = NULL;
    MUST(setpay_envelope_key_new(encrypt->key, encrypt->x509, &key));
    for (size_t i = 0; i < test_envelope_form_count; i++) {
        const struct test_envelope_form *form = &test_envelope_forms[i];
        struct setpay_buffer envelope;
        struct setpay_secret opened = {0};
        struct setpay_digest digest;
        setpay_buffer_init(&envelope, SETPAY_LIMIT_ENVELOPE_BYTES);
        test_envelope_make(form, encrypt->x509, encrypt_other->x509, &envelope);
        struct setpay_view bytes = setpay_buffer_view(&envelope);
        enum setpay_error error = form->good ? SETPAY_OK : SETPAY_E_ENVELOPE;
        MUST(setpay_envelope_digest(bytes, &digest));
        enum setpay_error is = setpay_envelope_open(key, bytes, &opened);
        if (is != error) {
            fprintf(stderr, "envelope, %s: %s\n", form->why, setpay_error_name(is));
            exit(1);
        }
        json_array_append_new(all, json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:s}", "why",
                                             form->why, "key", pem_of(encrypt->key), "certificate",
                                             hex(setpay_buffer_view(&encrypt->der)), "envelope",
                                             hex(bytes), "digest", hex_digest(&digest), "plaintext",
                                             form->good ? TEST_ENVELOPE_TEXT : "", "error",
                                             setpay_error_name(error)));
        setpay_secret_clear(&opened);
        setpay_buffer_clear(&envelope);
    }
    setpay_envelope_key_free(key);
    save("envelopes",
         "CMS AuthEnvelopedData to be opened with the key, and what must be refused. digest is "
         "H(\"env\", envelope); plaintext is text. The keys are for tests only.",
         all);
}

/* ------------------------------------------------------------------ receipts */

static void make_receipts(void)
{
    json_t *all = json_array();
    struct setpay_receipt receipt = {.kind = 0};
    struct setpay_sealed_receipt sealed;
    struct setpay_secret back_key = {0};
    struct setpay_buffer bytes;
    struct setpay_digest key = test_digest(0x90), hash;
    struct setpay_id receipt_id = test_id(0x70), xid = test_id(0x50);
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    test_fill_receipt(&receipt);
    receipt.gateway_sign = gateway->thumbprint;
    MUST(setpay_receipt_sign(&receipt, gateway->signing_key, &bytes));
    MUST(setpay_receipt_hash(setpay_buffer_view(&bytes), &hash));
    MUST(setpay_secret_copy(&back_key, setpay_digest_view(&key)));
    MUST(setpay_sealed_receipt_make(&back_key, &receipt_id, &xid, receipt.kind,
                                    setpay_buffer_view(&bytes), &sealed));
    static const struct {
        const char *why;
        const char *kind;
        size_t flip; /* position of a changed byte, or SIZE_MAX */
        uint8_t xid;
        size_t cut;
    } cases[] = {
        {"good", "authorisation", SIZE_MAX, 0x50, 0},
        {"another kind", "decline", SIZE_MAX, 0x50, 0},
        {"another transaction", "authorisation", SIZE_MAX, 0x51, 0},
        {"a changed byte", "authorisation", 5, 0x50, 0},
        {"a tag cut off", "authorisation", SIZE_MAX, 0x50, 4},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setpay_sealed_receipt changed = sealed;
        if (cases[i].flip != SIZE_MAX)
            changed.ciphertext[cases[i].flip] ^= 1;
        changed.size -= cases[i].cut;
        struct setpay_id named = test_id(cases[i].xid);
        json_array_append_new(
            all,
            json_pack("{s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s}", "why", cases[i].why,
                      "back_key", hex_digest(&key), "receipt_id", hex(setpay_id_view(&receipt_id)),
                      "xid", hex(setpay_id_view(&named)), "kind", cases[i].kind, "sealed",
                      hex(setpay_view_of(changed.ciphertext, changed.size)), "signed",
                      hex(setpay_buffer_view(&bytes)), "hash", hex_digest(&hash), "gateway",
                      hex(setpay_buffer_view(&gateway->der)), "error", i == 0 ? "OK" : "RECEIPT"));
    }
    setpay_secret_clear(&back_key);
    setpay_buffer_clear(&bytes);
    save("receipts",
         "A sealed receipt: key (32) and nonce (12) are HKDF-SHA-256(back_key, salt receipt_id, "
         "info H(\"receipt\", xid, kind)), AES-256-GCM with info as AAD and the tag behind. It "
         "opens to a packed Signed, whose hash H(\"rcpt\", signed) the next one names.",
         all);
}

int main(int argc, char **argv)
{
    static const char *const brands[] = {"example-card", NULL};
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    MUST(setpay_secret_system_init());
    pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    cardholder = test_party_new(pki, brands[0], SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    merchant = test_party_new(pki, brands[0], SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    gateway = test_party_new(pki, brands[0], SETPAY_PROFILE_GATEWAY_SIGN, "gateway-1", NULL);
    encrypt = test_party_new(pki, brands[0], SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-1", NULL);
    encrypt_other =
        test_party_new(pki, brands[0], SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-2", NULL);
    make_hashes();
    make_contents();
    make_signatures();
    make_duals();
    make_messages();
    make_envelopes();
    make_receipts();
    test_party_free(cardholder);
    test_party_free(merchant);
    test_party_free(gateway);
    test_party_free(encrypt);
    test_party_free(encrypt_other);
    test_pki_free(pki);
    return 0;
}
