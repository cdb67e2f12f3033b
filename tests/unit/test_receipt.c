/*
 * Receipts (W6) and the dual-signed purchase (M2, G2, G3, G4): what fits, and every way in which
 * it may not.
 */
#include "common/base/limits.h"
#include "common/crypto/dual.h"
#include "common/crypto/envelope.h"
#include "common/crypto/hash.h"
#include "common/crypto/seal.h"
#include "common/crypto/sign.h"
#include "common/wire/purchase.h"
#include "common/wire/receipt.h"
#include "common/wire/signed.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct test_pki *pki;
static struct test_party *cardholder, *merchant, *gateway, *stranger, *encrypt;
static struct setpay_envelope_key *envelope_key;

static void fill_receipt(struct setpay_receipt *receipt)
{
    memset(receipt, 0, sizeof(*receipt));
    test_fill_receipt(receipt);
    receipt->gateway_sign = gateway->thumbprint;
}

static void expected_of(const struct setpay_receipt *receipt, const struct setpay_money *amount,
                        struct setpay_receipt_expected *expected)
{
    memset(expected, 0, sizeof(*expected));
    expected->xid = receipt->xid;
    expected->pomd = receipt->pomd;
    memcpy(expected->brand, receipt->brand, sizeof(expected->brand));
    memcpy(expected->merchant_id, receipt->merchant_id, sizeof(expected->merchant_id));
    expected->merchant = receipt->merchant;
    expected->cardholder = receipt->cardholder;
    expected->gateway_sign = receipt->gateway_sign;
    expected->amount = *amount;
}

/* rule W6 */
static void test_a_sealed_receipt_opens_for_its_own_purchase_only(void **state)
{
    (void)state;
    struct setpay_receipt receipt, opened;
    struct setpay_sealed_receipt sealed;
    struct setpay_secret back_key = {0}, other_key = {0};
    struct setpay_buffer bytes, evidence;
    struct setpay_id receipt_id = test_id(0x70), xid = test_id(0x50), other_xid = test_id(0x51);
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    setpay_buffer_init(&evidence, SETPAY_WIRE_RECEIPT_MAX);
    assert_int_equal(setpay_secret_random(&back_key, 32), SETPAY_OK);
    assert_int_equal(setpay_secret_random(&other_key, 32), SETPAY_OK);
    fill_receipt(&receipt);
    assert_int_equal(setpay_receipt_sign(&receipt, gateway->signing_key, &bytes), SETPAY_OK);
    assert_int_equal(setpay_sealed_receipt_make(&back_key, &receipt_id, &xid, receipt.kind,
                                                setpay_buffer_view(&bytes), &sealed),
                     SETPAY_OK);
    assert_int_equal(setpay_sealed_receipt_open(&sealed, &back_key, &xid, gateway->certificate,
                                                &opened, &evidence),
                     SETPAY_OK);
    assert_true(setpay_view_equal(setpay_buffer_view(&bytes), setpay_buffer_view(&evidence)));
    assert_true(setpay_id_equal(&opened.xid, &receipt.xid));

    assert_int_equal(setpay_sealed_receipt_open(&sealed, &other_key, &xid, gateway->certificate,
                                                &opened, &evidence),
                     SETPAY_E_RECEIPT);
    assert_int_equal(setpay_sealed_receipt_open(&sealed, &back_key, &other_xid,
                                                gateway->certificate, &opened, &evidence),
                     SETPAY_E_RECEIPT);
    assert_int_equal(setpay_sealed_receipt_open(&sealed, &back_key, &xid, stranger->certificate,
                                                &opened, &evidence),
                     SETPAY_E_RECEIPT);
    struct setpay_sealed_receipt changed = sealed;
    changed.kind = SETPAY_RECEIPT_DECLINE;
    assert_int_equal(setpay_sealed_receipt_open(&changed, &back_key, &xid, gateway->certificate,
                                                &opened, &evidence),
                     SETPAY_E_RECEIPT);
    changed = sealed;
    changed.receipt_id.bytes[0] ^= 1;
    assert_int_equal(setpay_sealed_receipt_open(&changed, &back_key, &xid, gateway->certificate,
                                                &opened, &evidence),
                     SETPAY_E_RECEIPT);
    for (size_t i = 0; i < sealed.size; i++) {
        changed = sealed;
        changed.ciphertext[i] ^= 1;
        assert_int_equal(setpay_sealed_receipt_open(&changed, &back_key, &xid, gateway->certificate,
                                                    &opened, &evidence),
                         SETPAY_E_RECEIPT);
    }
    for (size_t size = 0; size < sealed.size; size++) {
        changed = sealed;
        changed.size = size;
        assert_int_equal(setpay_sealed_receipt_open(&changed, &back_key, &xid, gateway->certificate,
                                                    &opened, &evidence),
                         SETPAY_E_RECEIPT);
    }
    /* Sealed under another kind than it says inside, by a gateway that is in error. */
    assert_int_equal(setpay_sealed_receipt_make(&back_key, &receipt_id, &xid, SETPAY_RECEIPT_VOID,
                                                setpay_buffer_view(&bytes), &changed),
                     SETPAY_OK);
    assert_int_equal(setpay_sealed_receipt_open(&changed, &back_key, &xid, gateway->certificate,
                                                &opened, &evidence),
                     SETPAY_E_RECEIPT);
    setpay_secret_clear(&back_key);
    setpay_secret_clear(&other_key);
    setpay_buffer_clear(&bytes);
    setpay_buffer_clear(&evidence);
}

static void test_a_receipt_is_its_signers_word(void **state)
{
    (void)state;
    struct setpay_receipt receipt, parsed;
    struct setpay_digest signer;
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    fill_receipt(&receipt);
    assert_int_equal(setpay_receipt_sign(&receipt, gateway->signing_key, &bytes), SETPAY_OK);
    assert_int_equal(
        setpay_receipt_verify(setpay_buffer_view(&bytes), gateway->certificate, &parsed),
        SETPAY_OK);
    assert_int_equal(setpay_receipt_signer(setpay_buffer_view(&bytes), &signer), SETPAY_OK);
    assert_true(setpay_digest_equal(&signer, &gateway->thumbprint));
    /* The gateway's name with a stranger's key. */
    assert_int_equal(setpay_receipt_sign(&receipt, stranger->signing_key, &bytes), SETPAY_OK);
    assert_int_equal(
        setpay_receipt_verify(setpay_buffer_view(&bytes), gateway->certificate, &parsed),
        SETPAY_E_RECEIPT);
    /* No receipt at all, cut off, and one that is of another type. */
    assert_int_equal(setpay_receipt_verify(SETPAY_VIEW_EMPTY, gateway->certificate, &parsed),
                     SETPAY_E_FIELD);
    assert_int_equal(setpay_receipt_verify(setpay_view_of(bytes.data, bytes.size - 1),
                                           gateway->certificate, &parsed),
                     SETPAY_E_MALFORMED);
    bytes.data[3] = SETPAY_MESSAGE_ERROR;
    assert_int_equal(
        setpay_receipt_verify(setpay_buffer_view(&bytes), gateway->certificate, &parsed),
        SETPAY_E_MESSAGE_TYPE);
    bytes.data[1] = 2;
    assert_int_equal(
        setpay_receipt_verify(setpay_buffer_view(&bytes), gateway->certificate, &parsed),
        SETPAY_E_SUITE);
    setpay_buffer_clear(&bytes);
}

/* rule W6: signed by the gateway, and in another's name. The packed Signed by hand, since nobody of
 * ours would make it. */
static void test_a_receipt_names_the_gateway_that_signed_it(void **state)
{
    static const uint8_t head[] = {0x08, SETPAY_SUITE, 0x10, SETPAY_MESSAGE_RECEIPT, 0x1a};
    struct setpay_receipt receipt, parsed;
    struct setpay_buffer content, signature, bytes;
    (void)state;
    setpay_buffer_init(&content, SETPAY_WIRE_RECEIPT_MAX);
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    for (int own = 0; own < 2; own++) {
        fill_receipt(&receipt);
        receipt.gateway_sign = own ? gateway->thumbprint : stranger->thumbprint;
        assert_int_equal(setpay_receipt_build(&receipt, &content), SETPAY_OK);
        assert_int_equal(setpay_sign(gateway->signing_key,
                                     setpay_message_type_name(SETPAY_MESSAGE_RECEIPT), SETPAY_SUITE,
                                     &gateway->thumbprint, setpay_buffer_view(&content),
                                     &signature),
                         SETPAY_OK);
        const uint8_t size[] = {(uint8_t)(content.size | 0x80), (uint8_t)(content.size >> 7)};
        const uint8_t signed_by[] = {0x22, (uint8_t)signature.size};
        const struct setpay_view parts[] = {SETPAY_VIEW_ARRAY(head),
                                            SETPAY_VIEW_ARRAY(size),
                                            setpay_buffer_view(&content),
                                            SETPAY_VIEW_ARRAY(signed_by),
                                            setpay_buffer_view(&signature),
                                            setpay_view_string("\x2a\x20"),
                                            setpay_digest_view(&gateway->thumbprint)};
        setpay_buffer_reset(&bytes);
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
            assert_int_equal(setpay_buffer_append(&bytes, parts[i]), SETPAY_OK);
        assert_true(content.size >= 128);
        assert_int_equal(
            setpay_receipt_verify(setpay_buffer_view(&bytes), gateway->certificate, &parsed),
            own ? SETPAY_OK : SETPAY_E_RECEIPT);
    }
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&signature);
    setpay_buffer_clear(&bytes);
}

static void disagrees(const struct setpay_receipt *receipt,
                      const struct setpay_receipt_expected *expected,
                      enum setpay_receipt_kind previous, const char *field)
{
    const char *named = NULL;
    assert_int_equal(setpay_receipt_check(receipt, expected, previous, &named), SETPAY_E_RECEIPT);
    assert_string_equal(named, field);
}

/* rule W6 */
static void test_a_receipt_is_compared_with_the_wallets_own_record(void **state)
{
    (void)state;
    struct setpay_receipt good, receipt;
    struct setpay_receipt_expected expected;
    const struct setpay_money amount = {1250, "EUR"};
    fill_receipt(&good);
    expected_of(&good, &amount, &expected);
    assert_int_equal(setpay_receipt_check(&good, &expected, 0, NULL), SETPAY_OK);
#define DISAGREES(change, field)                                                                   \
    do {                                                                                           \
        receipt = good;                                                                            \
        change;                                                                                    \
        disagrees(&receipt, &expected, 0, field);                                                  \
    } while (0)
    DISAGREES(receipt.xid.bytes[0] ^= 1, "xid");
    DISAGREES(receipt.pomd.bytes[0] ^= 1, "pomd");
    DISAGREES(receipt.gateway_sign.bytes[0] ^= 1, "gateway");
    DISAGREES(receipt.brand[0] = 'x', "brand");
    DISAGREES(receipt.merchant_id[0] = 'x', "merchant");
    DISAGREES(receipt.merchant.bytes[31] ^= 1, "merchant");
    DISAGREES(receipt.cardholder.bytes[0] ^= 1, "cardholder");
    DISAGREES(receipt.kind = SETPAY_RECEIPT_REVERSAL, "kind");
    DISAGREES(receipt.kind = SETPAY_RECEIPT_CAPTURE, "kind");
    DISAGREES(receipt.previous.bytes[0] ^= 1, "previous");
    DISAGREES(receipt.amount.minor = 1251, "amount");
    DISAGREES(receipt.amount.minor = 0, "amount");
    DISAGREES(strcpy(receipt.amount.currency, "USD"), "amount");
    DISAGREES((receipt.kind = SETPAY_RECEIPT_DECLINE, receipt.amount.minor = 1249), "amount");
#undef DISAGREES
    receipt = good;
    receipt.amount.minor = 1000; /* a partial approval: to be shown as such */
    assert_int_equal(setpay_receipt_check(&receipt, &expected, 0, NULL), SETPAY_OK);
    receipt = good;
    receipt.kind = SETPAY_RECEIPT_REVERSAL;
    assert_int_equal(setpay_receipt_check(&receipt, &expected, SETPAY_RECEIPT_AUTHORISATION, NULL),
                     SETPAY_OK);
    disagrees(&receipt, &expected, SETPAY_RECEIPT_DECLINE, "kind");
    disagrees(&receipt, &expected, SETPAY_RECEIPT_VOID, "kind");
    receipt.kind = SETPAY_RECEIPT_KINDS;
    disagrees(&receipt, &expected, SETPAY_RECEIPT_AUTHORISATION, "kind");
}

static enum setpay_error step(struct setpay_receipt_sums *sums, enum setpay_receipt_kind kind,
                              int64_t minor)
{
    struct setpay_receipt receipt;
    fill_receipt(&receipt);
    receipt.kind = kind;
    receipt.amount.minor = minor;
    return setpay_receipt_sums_add(sums, &receipt);
}

/* rules W6, G8: to the last unit, and not one more */
static void test_a_chain_of_receipts_adds_up(void **state)
{
    (void)state;
    struct setpay_receipt_sums sums = {0};
#define STEP(kind, minor) step(&sums, SETPAY_RECEIPT_##kind, minor)
    assert_int_equal(STEP(CAPTURE, 1), SETPAY_E_RECEIPT);
    assert_int_equal(STEP(AUTHORISATION, 1000), SETPAY_OK);
    assert_int_equal(STEP(CREDIT, 1), SETPAY_E_RECEIPT);
    assert_int_equal(STEP(CAPTURE_REVERSAL, 1), SETPAY_E_RECEIPT);
    assert_int_equal(STEP(CREDIT_REVERSAL, 1), SETPAY_E_RECEIPT);
    assert_int_equal(STEP(REVERSAL, 100), SETPAY_OK);
    assert_int_equal(STEP(CAPTURE, 600), SETPAY_OK);
    assert_int_equal(STEP(CAPTURE, 301), SETPAY_E_RECEIPT);
    assert_int_equal(STEP(REVERSAL, 301), SETPAY_E_RECEIPT);
    assert_int_equal(STEP(CAPTURE, 300), SETPAY_OK);
    assert_int_equal(STEP(CREDIT, 901), SETPAY_E_RECEIPT);
    assert_int_equal(STEP(CREDIT, 400), SETPAY_OK);
    assert_int_equal(STEP(CAPTURE_REVERSAL, 501), SETPAY_E_RECEIPT);
    assert_int_equal(STEP(CAPTURE_REVERSAL, 300), SETPAY_OK);
    assert_int_equal(STEP(CREDIT, 201), SETPAY_E_RECEIPT);
    assert_int_equal(STEP(CREDIT_REVERSAL, 401), SETPAY_E_RECEIPT);
    assert_int_equal(STEP(CREDIT_REVERSAL, 400), SETPAY_OK);
    assert_int_equal(STEP(CREDIT, 600), SETPAY_OK);
    assert_int_equal(STEP(REVERSAL, 300), SETPAY_OK); /* what came free again */
    assert_int_equal(STEP(CAPTURE, 1), SETPAY_E_RECEIPT);
    assert_int_equal(STEP(AUTHORISATION, SETPAY_MONEY_MAX_MINOR), SETPAY_E_RECEIPT);
#undef STEP
    assert_int_equal(sums.authorised_minor, 1000);
    assert_int_equal(sums.reversed_minor, 400);
    assert_int_equal(sums.captured_minor, 600);
    assert_int_equal(sums.credited_minor, 600);
}

/* ------------------------------------------------------------------ the purchase */

struct made {
    struct setpay_oi oi;
    struct setpay_pi pi;
    struct setpay_digest oi_salt, pi_salt;
    struct setpay_purchase purchase;
    struct setpay_preq preq;
    struct setpay_auth_req request;
};

static void make(struct made *made)
{
    memset(made, 0, sizeof(*made));
    test_fill_oi(&made->oi);
    test_fill_pi(&made->pi);
    made->oi.cardholder = made->pi.cardholder = cardholder->thumbprint;
    made->oi.merchant = made->pi.merchant = merchant->thumbprint;
    made->oi.gateway_sign = made->pi.gateway_sign = gateway->thumbprint;
    made->oi.gateway_encrypt = made->pi.gateway_encrypt = encrypt->thumbprint;
    made->oi_salt = test_digest(0x07);
    made->pi_salt = test_digest(0x08);
    assert_int_equal(setpay_purchase_build(&made->oi, &made->pi, &made->oi_salt, &made->pi_salt,
                                           cardholder->signing_key, encrypt->certificate,
                                           &made->purchase),
                     SETPAY_OK);
    struct setpay_oi oi;
    assert_int_equal(setpay_preq_read(setpay_buffer_view(&made->purchase.content),
                                      setpay_buffer_view(&made->purchase.envelope), &made->preq,
                                      &oi),
                     SETPAY_OK);
    assert_true(setpay_id_equal(&oi.xid, &made->oi.xid));
    /* What the merchant makes of it. */
    test_fill_auth_req(&made->request);
    made->request.oimd = made->purchase.oimd;
    made->request.pimd = made->preq.pimd;
    made->request.dual_signature = made->preq.dual_signature;
    made->request.cardholder = made->oi.cardholder;
    made->request.gateway_encrypt = made->oi.gateway_encrypt;
    made->request.envelope = made->preq.envelope;
}

static void unmake(struct made *made)
{
    setpay_pi_clear(&made->pi);
    setpay_purchase_clear(&made->purchase);
    setpay_preq_clear(&made->preq);
}

/* rule M2 */
static void test_the_merchant_checks_its_half(void **state)
{
    (void)state;
    struct made made;
    struct setpay_digest oimd, pomd;
    make(&made);
    assert_int_equal(
        setpay_preq_check_order(&made.preq, &made.oi, cardholder->certificate, &oimd, &pomd),
        SETPAY_OK);
    assert_true(setpay_digest_equal(&oimd, &made.purchase.oimd));
    assert_true(setpay_digest_equal(&pomd, &made.purchase.pomd));
    assert_int_equal(
        setpay_preq_check_order(&made.preq, &made.oi, stranger->certificate, &oimd, &pomd),
        SETPAY_E_SENDER);
    made.preq.oi_salt.bytes[0] ^= 1;
    assert_int_equal(
        setpay_preq_check_order(&made.preq, &made.oi, cardholder->certificate, &oimd, &pomd),
        SETPAY_E_DS_ORDER);
    made.preq.oi_salt.bytes[0] ^= 1;
    made.preq.pimd.bytes[0] ^= 1;
    assert_int_equal(
        setpay_preq_check_order(&made.preq, &made.oi, cardholder->certificate, &oimd, &pomd),
        SETPAY_E_DS_ORDER);
    made.preq.pimd.bytes[0] ^= 1;
    made.preq.oi.data[2] ^= 1;
    assert_int_equal(
        setpay_preq_check_order(&made.preq, &made.oi, cardholder->certificate, &oimd, &pomd),
        SETPAY_E_DS_ORDER);
    /* Another envelope than the one that PReq names. */
    struct setpay_preq preq;
    struct setpay_oi oi;
    assert_int_equal(setpay_preq_read(setpay_buffer_view(&made.purchase.content),
                                      setpay_view_string("envelope"), &preq, &oi),
                     SETPAY_E_ENVELOPE);
    unmake(&made);
}

/* rules G2, G3 */
static void test_the_gateway_checks_its_half(void **state)
{
    (void)state;
    struct made made;
    struct setpay_instruction instruction = {.pimd = {{0}}};
    struct setpay_digest pomd;
    make(&made);
    struct setpay_view envelope = setpay_buffer_view(&made.purchase.envelope);
    assert_int_equal(
        setpay_instruction_open(envelope_key, envelope, &made.request.envelope, &instruction),
        SETPAY_OK);
    assert_true(setpay_digest_equal(&instruction.pimd, &made.purchase.pimd));
    assert_true(setpay_secret_equal(&instruction.pi.pan, &made.pi.pan));
    assert_int_equal(setpay_instruction_check_signature(&instruction, &made.request,
                                                        cardholder->certificate, &pomd),
                     SETPAY_OK);
    assert_true(setpay_digest_equal(&pomd, &made.purchase.pomd));

    struct setpay_auth_req request = made.request;
    request.oimd.bytes[0] ^= 1;
    assert_int_equal(
        setpay_instruction_check_signature(&instruction, &request, cardholder->certificate, &pomd),
        SETPAY_E_DS_PAYMENT);
    request = made.request;
    request.pimd.bytes[0] ^= 1;
    assert_int_equal(
        setpay_instruction_check_signature(&instruction, &request, cardholder->certificate, &pomd),
        SETPAY_E_DS_PAYMENT);
    request = made.request;
    request.dual_signature.bytes[20] ^= 1;
    assert_int_equal(
        setpay_instruction_check_signature(&instruction, &request, cardholder->certificate, &pomd),
        SETPAY_E_DS_PAYMENT);
    assert_int_equal(setpay_instruction_check_signature(&instruction, &made.request,
                                                        stranger->certificate, &pomd),
                     SETPAY_E_DS_PAYMENT);
    setpay_instruction_clear(&instruction);
    setpay_instruction_clear(&instruction);

    /* rule G2: a swapped envelope, a changed one, one for nobody */
    struct setpay_digest digest;
    request.envelope.bytes[0] ^= 1;
    assert_int_equal(
        setpay_instruction_open(envelope_key, envelope, &request.envelope, &instruction),
        SETPAY_E_ENVELOPE);
    made.purchase.envelope.data[envelope.size - 1] ^= 1;
    assert_int_equal(setpay_envelope_digest(envelope, &digest), SETPAY_OK);
    assert_int_equal(setpay_instruction_open(envelope_key, envelope, &digest, &instruction),
                     SETPAY_E_ENVELOPE);
    /* It opens, and holds no instruction. */
    struct setpay_buffer other;
    setpay_buffer_init(&other, SETPAY_LIMIT_ENVELOPE_BYTES);
    assert_int_equal(setpay_envelope_seal(encrypt->x509, setpay_view_string("PI"), &other),
                     SETPAY_OK);
    assert_int_equal(setpay_envelope_digest(setpay_buffer_view(&other), &digest), SETPAY_OK);
    assert_int_equal(
        setpay_instruction_open(envelope_key, setpay_buffer_view(&other), &digest, &instruction),
        SETPAY_E_ENVELOPE);
    setpay_buffer_clear(&other);
    unmake(&made);
}

/* rule G4 */
static void test_the_request_is_for_what_was_signed(void **state)
{
    (void)state;
    struct made made;
    struct setpay_instruction instruction = {.pimd = {{0}}};
    make(&made);
    assert_int_equal(setpay_instruction_open(envelope_key,
                                             setpay_buffer_view(&made.purchase.envelope),
                                             &made.request.envelope, &instruction),
                     SETPAY_OK);
    struct setpay_auth_req request = made.request;
#define EXPECT(error)                                                                              \
    assert_int_equal(setpay_instruction_check_request(&instruction, &request,                      \
                                                      &merchant->thumbprint, &gateway->thumbprint, \
                                                      &encrypt->thumbprint),                       \
                     error)
#define MISMATCH(change)                                                                           \
    do {                                                                                           \
        request = made.request;                                                                    \
        change;                                                                                    \
        EXPECT(SETPAY_E_PI_MISMATCH);                                                              \
    } while (0)
    EXPECT(SETPAY_OK);
    MISMATCH(request.xid.bytes[0] ^= 1);
    MISMATCH(request.brand[0] = 'x');
    MISMATCH(request.merchant_id[0] = 'x');
    MISMATCH(request.amount.minor += 1);
    MISMATCH(request.amount.minor -= 1);
    MISMATCH(strcpy(request.amount.currency, "USD"));
    MISMATCH(request.expiry_ms += 1);
    MISMATCH(request.terms.kind = SETPAY_TERMS_SPLIT);
    MISMATCH(request.cardholder.bytes[0] ^= 1);
    MISMATCH(request.gateway_encrypt.bytes[0] ^= 1);
    request = made.request;
    struct setpay_pi good = instruction.pi; /* borrowed; restored below */
    instruction.pi.merchant.bytes[0] ^= 1;
    EXPECT(SETPAY_E_PI_MISMATCH);
    instruction.pi = good;
    instruction.pi.gateway_sign.bytes[0] ^= 1;
    EXPECT(SETPAY_E_PI_MISMATCH);
    instruction.pi = good;
    instruction.pi.gateway_encrypt.bytes[0] ^= 1;
    EXPECT(SETPAY_E_PI_MISMATCH);
    instruction.pi = good;
    /* Less than the whole only where the terms say so. */
    instruction.pi.terms.kind = request.terms.kind = SETPAY_TERMS_SPLIT;
    request.amount.minor -= 1;
    EXPECT(SETPAY_OK);
    instruction.pi.terms = request.terms =
        (struct setpay_terms){SETPAY_TERMS_INSTALMENT, 3, 30, 500, TEST_DATE_MS};
    EXPECT(SETPAY_E_PI_MISMATCH);
    request.amount.minor = 500;
    EXPECT(SETPAY_OK);
#undef MISMATCH
#undef EXPECT
    setpay_instruction_clear(&instruction);
    unmake(&made);
}

static void test_two_halves_that_differ_are_not_signed(void **state)
{
    (void)state;
    struct made made;
    make(&made);
    struct setpay_purchase purchase = {.oimd = {{0}}};
    struct setpay_oi oi = made.oi;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        oi = made.oi;                                                                              \
        change;                                                                                    \
        assert_int_equal(setpay_purchase_build(&oi, &made.pi, &made.oi_salt, &made.pi_salt,        \
                                               cardholder->signing_key, encrypt->certificate,      \
                                               &purchase),                                         \
                         SETPAY_E_INVALID);                                                        \
    } while (0)
    REFUSED(oi.xid.bytes[0] ^= 1);
    REFUSED(oi.brand[0] = 'x');
    REFUSED(oi.amount.minor += 1);
    REFUSED(oi.merchant.bytes[0] ^= 1);
    REFUSED(oi.gateway_sign.bytes[0] ^= 1);
    REFUSED(oi.gateway_encrypt.bytes[0] ^= 1);
    REFUSED(oi.cardholder.bytes[0] ^= 1);
    REFUSED(oi.expiry_ms += 1);
    REFUSED(oi.terms.kind = SETPAY_TERMS_SPLIT);
#undef REFUSED
    assert_int_equal(setpay_purchase_build(&made.oi, &made.pi, &made.oi_salt, &made.pi_salt,
                                           cardholder->signing_key, gateway->certificate,
                                           &purchase),
                     SETPAY_E_INVALID);
    assert_null(purchase.content.data);
    unmake(&made);
}

static int set_up(void **state)
{
    (void)state;
    static const char *const brands[] = {"example-card", NULL};
    if (setpay_secret_system_init() != SETPAY_OK)
        return -1;
    const char *brand = brands[0];
    pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    cardholder = test_party_new(pki, brand, SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    stranger = test_party_new(pki, brand, SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    merchant = test_party_new(pki, brand, SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    gateway = test_party_new(pki, brand, SETPAY_PROFILE_GATEWAY_SIGN, "gateway-1", NULL);
    encrypt = test_party_new(pki, brand, SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-1", NULL);
    return setpay_envelope_key_new(encrypt->key, encrypt->x509, &envelope_key) == SETPAY_OK ? 0
                                                                                            : -1;
}

static int tear_down(void **state)
{
    (void)state;
    setpay_envelope_key_free(envelope_key);
    test_party_free(cardholder);
    test_party_free(stranger);
    test_party_free(merchant);
    test_party_free(gateway);
    test_party_free(encrypt);
    test_pki_free(pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sealed_receipt_opens_for_its_own_purchase_only),
        cmocka_unit_test(test_a_receipt_is_its_signers_word),
        cmocka_unit_test(test_a_receipt_names_the_gateway_that_signed_it),
        cmocka_unit_test(test_a_receipt_is_compared_with_the_wallets_own_record),
        cmocka_unit_test(test_a_chain_of_receipts_adds_up),
        cmocka_unit_test(test_the_merchant_checks_its_half),
        cmocka_unit_test(test_the_gateway_checks_its_half),
        cmocka_unit_test(test_the_request_is_for_what_was_signed),
        cmocka_unit_test(test_two_halves_that_differ_are_not_signed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
