/*
 * AuthReq at a running gateway, with every rule broken one at a time: each request is refused with
 * its exact error, changes no row of any table and never reaches the issuer.
 *
 * The gateway and the issuer are processes of their own; what the gateway thought is read from its
 * log, what it did from its database, what it asked from the issuer.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/pki/role.h"
#include "common/wire/messages.h"
#include "gateway/payment/auth.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAN "4242424242424242"
#define EXPIRY "3012"
#define CODE "123"

static struct test_gateway *gateway;
static struct test_cardholder *holder;

/* ------------------------------------------------------------------ asking and looking */

static struct test_purchase *new_purchase(void)
{
    const struct test_purchase_parties parties = test_gateway_parties(gateway, 0);
    return test_purchase_new(&parties, holder, 1250, "EUR", setpay_clock_now_ms());
}

/* Sends it over the shop's connection: refused like that, and nothing has happened. */
static void expect_refused(const struct test_purchase *p, const char *expected)
{
    struct test_line *line = test_line_new(gateway, gateway->shop[0].tls, "visa");
    assert_non_null(line);
    test_refusal_of_purchase(gateway, line, p, expected);
    test_line_free(line);
}

/* One defect: in what the cardholder signs, or in what the merchant makes of it. */
struct defect {
    const char *what;
    void (*signed_cb)(struct test_purchase *p); /* may be NULL */
    void (*asked_cb)(struct test_purchase *p);  /* may be NULL */
    const char *expected;
};

static void try_all(const struct defect *defects, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct test_purchase *p = new_purchase();
        print_message("# %s\n", defects[i].what);
        if (defects[i].signed_cb != NULL)
            defects[i].signed_cb(p);
        test_purchase_sign(p);
        if (defects[i].asked_cb != NULL)
            defects[i].asked_cb(p);
        expect_refused(p, defects[i].expected);
        test_purchase_free(p);
    }
}
#define TRY_ALL(defects) try_all((defects), sizeof(defects) / sizeof *(defects))

#define DEFECT(name, statement)                                                                    \
    static void name(struct test_purchase *p)                                                      \
    {                                                                                              \
        statement;                                                                                 \
    }

static void replace_secret(struct setpay_secret *secret, const char *text)
{
    setpay_secret_clear(secret);
    assert_int_equal(setpay_secret_copy(secret, setpay_view_string(text)), SETPAY_OK);
}

/* ------------------------------------------------------------------ A1, A2, A5, G9 */

DEFECT(other_key, p->auth_key = gateway->other.sign)
DEFECT(other_sender, p->auth.header.sender.bytes[0] ^= 1)
DEFECT(other_receiver, p->auth.header.receiver.bytes[0] ^= 1)
DEFECT(sale_by_token, p->auth.intent = SETPAY_INTENT_SALE; p->auth.has_auth_token = true)
DEFECT(auth_token, p->auth.has_auth_token = true; p->auth.auth_token.bytes[0] = 1)
DEFECT(date_early, p->auth.header.date_ms -= 6 * SETPAY_MINUTE_MS)
DEFECT(date_late, p->auth.header.date_ms += 6 * SETPAY_MINUTE_MS)
DEFECT(expired, p->oi.expiry_ms = p->pi.expiry_ms = p->now_ms - SETPAY_SECOND_MS)
static void recurred(struct test_purchase *p)
{
    p->pi.terms = (struct setpay_terms){.kind = SETPAY_TERMS_RECURRING,
                                        .count = 12,
                                        .interval_days = 30,
                                        .each_minor = p->pi.amount.minor,
                                        .end_ms = p->now_ms - SETPAY_SECOND_MS};
    p->oi.terms = p->pi.terms;
}
DEFECT(lives_long, p->oi.expiry_ms = p->pi.expiry_ms = p->now_ms + SETPAY_DAY_MS)

static void refuses_message(void **state)
{
    /* rules A1, A2, A5, G9 */
    static const struct defect defects[] = {
        {"signed by another key", NULL, other_key, "SIGNATURE A2"},
        {"names another sender", NULL, other_sender, "SENDER A2"},
        {"meant for another gateway", NULL, other_receiver, "RECEIVER A2"},
        {"a sale by a token that was not given", NULL, sale_by_token, "TOKEN G9"},
        {"a token that was not given", NULL, auth_token, "TOKEN G9"},
        {"date too early", NULL, date_early, "DATE A5"},
        {"date too late", NULL, date_late, "DATE A5"},
        {"expired instruction", expired, NULL, "EXPIRED A5"},
        {"instruction good for a day", lives_long, NULL, "EXPIRED A5"},
        {"recurrence whose end is over", recurred, NULL, "EXPIRED A5"},
    };
    (void)state;
    TRY_ALL(defects);
}

/* ------------------------------------------------------------------ G1 */

DEFECT(other_merchant, p->auth_signer = gateway->other.sign; p->auth_key = p->auth_signer;
       p->auth.header.sender = gateway->other.sign->thumbprint)
DEFECT(other_id, (void)snprintf(p->auth.merchant_id, sizeof p->auth.merchant_id, "other"))
DEFECT(other_brand, (void)snprintf(p->auth.brand, sizeof p->auth.brand, "mastercard"))

static void refuses_other_merchant(void **state)
{
    /* rule G1 */
    static const struct defect defects[] = {
        {"signed by another merchant than the connection's", NULL, other_merchant,
         "MERCHANT_CHANNEL G1"},
        {"another merchant's id inside", NULL, other_id, "MERCHANT_CHANNEL G1"},
        {"another brand inside", NULL, other_brand, "MERCHANT_CHANNEL G1"},
    };
    (void)state;
    TRY_ALL(defects);
}

static void refuses_disabled_merchant(void **state)
{
    struct test_purchase *p = new_purchase();
    (void)state;
    test_purchase_sign(p);
    json_decref(test_gateway_control(gateway, "merchant.disable",
                                     json_pack("{s:s, s:s}", "brand", "visa", "id", "shop")));
    expect_refused(p, "MERCHANT_UNKNOWN G1"); /* rule G1 */
    json_decref(test_gateway_control(gateway, "merchant.enable",
                                     json_pack("{s:s, s:s}", "brand", "visa", "id", "shop")));
    test_purchase_free(p);
}

/* The handshake may end before the server has read the client's certificate, so the refusal shows
 * at the latest when something is read. */
static bool is_refused(const struct test_party *tls, const char *brand)
{
    struct test_line *line = test_line_new(gateway, tls, brand);
    struct setpay_buffer answer;
    uint64_t id = 0;
    if (line == NULL)
        return true;
    bool closed = !test_line_receive(line, &id, &answer);
    setpay_buffer_clear(&answer);
    test_line_free(line);
    return closed;
}

static void refuses_connections(void **state)
{
    /* rules G1, A3: who has no good TLS certificate of a merchant does not get to say anything */
    struct test_party *expired = test_party_new_defective(
        gateway->pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, "shop", TEST_PKI_EXPIRED);
    struct test_party *forged = test_party_new_defective(
        gateway->pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, "shop", TEST_PKI_FORGED);
    (void)state;
    assert_true(is_refused(NULL, "visa"));
    assert_true(is_refused(gateway->shop[0].sign, "visa"));
    assert_true(is_refused(gateway->tls[0], "visa"));
    assert_true(is_refused(holder->party, "visa"));
    assert_true(is_refused(expired, "visa"));
    assert_true(is_refused(forged, "visa"));
    assert_true(is_refused(gateway->shop[0].tls, "no-such-brand"));
    test_party_free(expired);
    test_party_free(forged);
}

static void refuses_unknown_merchant(void **state)
{
    struct test_party *sign =
        test_party_new(gateway->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "ghost", NULL);
    struct test_party *tls =
        test_party_new(gateway->pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, "ghost", NULL);
    struct test_purchase_parties parties = test_gateway_parties(gateway, 0);
    struct setpay_buffer message, answer;
    (void)state;
    parties.merchant = sign;
    parties.merchant_id = "ghost";
    struct test_purchase *p =
        test_purchase_new(&parties, holder, 1250, "EUR", setpay_clock_now_ms());
    struct test_line *line = test_line_new(gateway, tls, "visa");
    char *before = test_gateway_dump(gateway);
    assert_non_null(line);
    test_purchase_sign(p);
    test_purchase_auth_req(p, &message);
    test_line_ask(line, setpay_buffer_view(&message), &answer);
    assert_string_equal(test_gateway_refusal(gateway, &p->auth.header.rrpid),
                        "MERCHANT_UNKNOWN G1"); /* rule G1 */
    char *after = test_gateway_dump(gateway);
    assert_string_equal(before, after);
    free(before);
    free(after);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    test_line_free(line);
    test_purchase_free(p);
    test_party_free(sign);
    test_party_free(tls);
}

/* ------------------------------------------------------------------ A3 */

static void expect_holder_refused(struct test_cardholder *other, const char *expected)
{
    struct test_cardholder *usual = holder;
    holder = other;
    struct test_purchase *p = new_purchase();
    test_purchase_sign(p);
    expect_refused(p, expected);
    test_purchase_free(p);
    holder = usual;
    test_cardholder_free(other);
}

DEFECT(no_certificate, p->without_cardholder = true)

static void refuses_cardholder_certificate(void **state)
{
    /* rule A3 */
    static const struct {
        enum test_pki_defect defect;
        const char *expected;
    } defects[] = {
        {TEST_PKI_EXPIRED, "CERT_TIME A3"},          {TEST_PKI_NOT_YET_VALID, "CERT_TIME A3"},
        {TEST_PKI_FORGED, "CERT_CHAIN A3"},          {TEST_PKI_WRONG_ISSUER, "CERT_CHAIN A3"},
        {TEST_PKI_OTHER_TYPE, "CERT_ROLE A3"},       {TEST_PKI_NO_TYPE, "CERT_ROLE A3"},
        {TEST_PKI_OTHER_KEY_USAGE, "CERT_USAGE A3"}, {TEST_PKI_EXTRA_EKU, "CERT_USAGE A3"},
        {TEST_PKI_OTHER_BRAND, "BRANDS_MIXED A3"},   {TEST_PKI_EXTRA_RDN, "CERT_NAME A3"},
    };
    static const struct defect missing = {"the cardholder's certificate is not beside", NULL,
                                          no_certificate, "CERT_MISSING A3"};
    (void)state;
    for (size_t i = 0; i < sizeof defects / sizeof *defects; i++) {
        print_message("# defect %d\n", (int)defects[i].defect);
        expect_holder_refused(
            test_cardholder_new_defective(gateway->pki, "visa", PAN, EXPIRY, defects[i].defect),
            defects[i].expected);
    }
    /* a good one of another brand */
    expect_holder_refused(test_cardholder_new(gateway->pki, "mastercard", PAN, EXPIRY, CODE),
                          "BRANDS_MIXED A3");
    /* known to nobody yet, so that nothing but the message can bring it */
    struct test_cardholder *usual = holder;
    holder = test_cardholder_new(gateway->pki, "visa", PAN, EXPIRY, CODE);
    try_all(&missing, 1);
    test_cardholder_free(holder);
    holder = usual;
}

static void refuses_revoked_cardholder(void **state)
{
    /* rule A3 */
    struct test_cardholder *revoked = test_cardholder_new(gateway->pki, "visa", PAN, EXPIRY, CODE);
    (void)state;
    test_pki_revoke(gateway->pki, revoked->party);
    test_gateway_publish_crl(gateway, "visa", SETPAY_CA_CARDHOLDER);
    test_gateway_reload(gateway);
    expect_holder_refused(revoked, "CERT_REVOKED A3");
}

static void refuses_merchant_certificate(void **state)
{
    /* rule A3 */
    struct test_party *expired = test_party_new_defective(
        gateway->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop", TEST_PKI_EXPIRED);
    struct test_purchase *p = new_purchase();
    (void)state;
    test_purchase_sign(p);
    p->auth_signer = expired;
    p->auth_key = p->auth_signer;
    p->auth.header.sender = expired->thumbprint;
    expect_refused(p, "CERT_TIME A3");
    p->auth_signer = gateway->shop[0].tls; /* the right merchant, but not its signing key */
    p->auth_key = p->auth_signer;
    p->auth.header.sender = gateway->shop[0].tls->thumbprint;
    test_purchase_renew(p, p->now_ms);
    expect_refused(p, "CERT_USAGE A3");
    test_purchase_free(p);
    test_party_free(expired);
}

/* ------------------------------------------------------------------ G2, G3 */

static void name_envelope(struct test_purchase *p)
{
    assert_int_equal(setpay_envelope_digest(setpay_buffer_view(&p->envelope), &p->auth.envelope),
                     SETPAY_OK);
}

DEFECT(envelope_broken, p->envelope.data[p->envelope.size - 1] ^= 1; name_envelope(p))
DEFECT(envelope_cut, p->envelope.size--; name_envelope(p))
DEFECT(envelope_longer,
       assert_int_equal(setpay_buffer_append(&p->envelope, setpay_view_string("x")), SETPAY_OK);
       name_envelope(p))
DEFECT(envelope_not_named, p->auth.envelope.bytes[0] ^= 1)
DEFECT(envelope_not_cms,
       assert_int_equal(setpay_buffer_set(&p->envelope, setpay_view_string("hello")), SETPAY_OK);
       name_envelope(p))
DEFECT(envelope_to_other, p->sealed_to = gateway->encrypt[1]; test_purchase_seal(p))
DEFECT(not_an_instruction,
       assert_int_equal(setpay_buffer_set(&p->pi_instead, setpay_view_string("hello")), SETPAY_OK);
       test_purchase_seal(p))

static void refuses_envelope(void **state)
{
    /* rule G2: all alike */
    static const struct defect defects[] = {
        {"last byte of the envelope changed", NULL, envelope_broken, "ENVELOPE G2"},
        {"envelope cut", NULL, envelope_cut, "ENVELOPE G2"},
        {"something behind the envelope", NULL, envelope_longer, "ENVELOPE G2"},
        {"another envelope than the one that is signed for", NULL, envelope_not_named,
         "ENVELOPE G2"},
        {"no envelope at all", NULL, envelope_not_cms, "ENVELOPE G2"},
        {"sealed to another key", NULL, envelope_to_other, "ENVELOPE G2"},
        {"no instruction inside", NULL, not_an_instruction, "ENVELOPE G2"},
    };
    (void)state;
    TRY_ALL(defects);
}

DEFECT(other_oimd, p->auth.oimd.bytes[0] ^= 1)
DEFECT(other_pimd, p->auth.pimd.bytes[0] ^= 1)
DEFECT(other_salt, p->salt_in_envelope.bytes[0] ^= 1; test_purchase_seal(p))
DEFECT(other_ds_key, p->ds_signer = gateway->shop[0].sign)
DEFECT(broken_ds, p->auth.dual_signature.bytes[p->auth.dual_signature.size - 1] ^= 1)
DEFECT(other_instruction, p->pi.amount.minor++; test_purchase_seal(p))
DEFECT(sale_as_ds, memcpy(&p->auth.dual_signature, &p->dual_signature, sizeof p->dual_signature);
       p->auth.oimd = p->auth.pimd)

static void refuses_dual_signature(void **state)
{
    /* rule G3 */
    static const struct defect defects[] = {
        {"OIMD of another order", NULL, other_oimd, "DS_PAYMENT G3"},
        {"PIMD of another instruction", NULL, other_pimd, "DS_PAYMENT G3"},
        {"another salt in the envelope", NULL, other_salt, "DS_PAYMENT G3"},
        {"DS by another key", other_ds_key, NULL, "DS_PAYMENT G3"},
        {"DS changed", NULL, broken_ds, "DS_PAYMENT G3"},
        {"an instruction that was not signed", NULL, other_instruction, "DS_PAYMENT G3"},
        {"halves exchanged", NULL, sale_as_ds, "DS_PAYMENT G3"},
    };
    (void)state;
    TRY_ALL(defects);
}

/* ------------------------------------------------------------------ G4, G5 */

DEFECT(pi_xid, p->pi.xid.bytes[0] ^= 1)
DEFECT(pi_brand, (void)snprintf(p->pi.brand, sizeof p->pi.brand, "mastercard"))
DEFECT(pi_merchant_id, (void)snprintf(p->pi.merchant_id, sizeof p->pi.merchant_id, "other"))
DEFECT(pi_merchant, p->pi.merchant.bytes[0] ^= 1)
DEFECT(pi_cardholder, p->pi.cardholder.bytes[0] ^= 1)
DEFECT(pi_gateway_sign, p->pi.gateway_sign.bytes[0] ^= 1)
DEFECT(pi_gateway_encrypt, p->pi.gateway_encrypt.bytes[0] ^= 1)
DEFECT(pi_more, p->pi.amount.minor++)
DEFECT(pi_less, p->pi.amount.minor--)
DEFECT(pi_currency, memcpy(p->pi.amount.currency, "USD", 4))
DEFECT(pi_expiry, p->pi.expiry_ms++)
DEFECT(pi_terms, p->pi.terms.kind = SETPAY_TERMS_SPLIT)
DEFECT(auth_gateway_encrypt, p->auth.gateway_encrypt.bytes[0] ^= 1)

static void refuses_what_was_not_signed(void **state)
{
    /* rule G4 */
    static const struct defect defects[] = {
        {"xid", pi_xid, NULL, "PI_MISMATCH G4"},
        {"brand", pi_brand, NULL, "PI_MISMATCH G4"},
        {"merchant id", pi_merchant_id, NULL, "PI_MISMATCH G4"},
        {"merchant's certificate", pi_merchant, NULL, "PI_MISMATCH G4"},
        {"cardholder's certificate", pi_cardholder, NULL, "DS_PAYMENT G3"},
        {"gateway's signing certificate", pi_gateway_sign, NULL, "PI_MISMATCH G4"},
        {"gateway's encryption certificate", pi_gateway_encrypt, NULL, "PI_MISMATCH G4"},
        {"gateway's encryption certificate in the request", NULL, auth_gateway_encrypt,
         "PI_MISMATCH G4"},
        {"less asked than signed", pi_more, NULL, "PI_MISMATCH G4"},
        {"more asked than signed", pi_less, NULL, "PI_MISMATCH G4"},
        {"currency", pi_currency, NULL, "PI_MISMATCH G4"},
        {"expiry", pi_expiry, NULL, "PI_MISMATCH G4"},
        {"terms", pi_terms, NULL, "PI_MISMATCH G4"},
    };
    (void)state;
    TRY_ALL(defects);
}

DEFECT(other_pan_secret, p->pi.pan_secret.data[0] ^= 1)
DEFECT(other_pan, replace_secret(&p->pi.pan, "4000005700009781"))
DEFECT(other_card_expiry, replace_secret(&p->pi.expiry, "3112"))

static void refuses_other_card(void **state)
{
    /* rule G5 */
    static const struct defect defects[] = {
        {"another PANSecret", other_pan_secret, NULL, "ACCOUNT G5"},
        {"another card", other_pan, NULL, "ACCOUNT G5"},
        {"another card expiry", other_card_expiry, NULL, "ACCOUNT G5"},
    };
    (void)state;
    TRY_ALL(defects);
    /* certificates that fit their cards, which are no cards of this brand */
    expect_holder_refused(
        test_cardholder_new(gateway->pki, "visa", "4242424242424241", EXPIRY, CODE), "ACCOUNT G5");
    expect_holder_refused(
        test_cardholder_new(gateway->pki, "visa", "5555555555554444", EXPIRY, CODE), "ACCOUNT G5");
}

/* ------------------------------------------------------------------ after a restore (rule G12) */

/* An instruction that can have been taken before the restore is not taken: but for one that ends
 * later than any of then, and one that is sealed to a certificate of after. */
static void refuses_what_it_may_have_forgotten(void **state)
{
    const struct setpay_certificate *encrypt = gateway->encrypt[0]->certificate;
    const setpay_time_ms issued_ms = setpay_certificate_not_before_ms(encrypt);
    const int64_t longest_ms = SETPAY_LIMIT_INSTRUCTION_LIFE_MS + SETPAY_LIMIT_DATE_TOLERANCE_MS;
    const struct {
        setpay_time_ms restored_ms, expiry_ms;
        enum setpay_error expected;
    } cases[] = {
        {0, 1, SETPAY_OK}, /* never restored */
        {issued_ms + 1, issued_ms + 1, SETPAY_E_SET_BACK},
        {issued_ms + 1, issued_ms + 1 + longest_ms, SETPAY_E_SET_BACK},
        {issued_ms + 1, issued_ms + 2 + longest_ms, SETPAY_OK},
        {issued_ms, issued_ms + 1, SETPAY_OK}, /* a certificate of after */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct setpay_auth_req request = {.expiry_ms = cases[i].expiry_ms};
        print_message("# case %zu\n", i);
        assert_string_equal(
            setpay_error_name(setpay_auth_check_restored(&request, encrypt, cases[i].restored_ms)),
            setpay_error_name(cases[i].expected));
    }
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    holder = test_cardholder_new(gateway->pki, "visa", PAN, EXPIRY, CODE);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    test_cardholder_free(holder);
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_message),
        cmocka_unit_test(refuses_other_merchant),
        cmocka_unit_test(refuses_disabled_merchant),
        cmocka_unit_test(refuses_unknown_merchant),
        cmocka_unit_test(refuses_connections),
        cmocka_unit_test(refuses_cardholder_certificate),
        cmocka_unit_test(refuses_revoked_cardholder),
        cmocka_unit_test(refuses_merchant_certificate),
        cmocka_unit_test(refuses_envelope),
        cmocka_unit_test(refuses_dual_signature),
        cmocka_unit_test(refuses_what_was_not_signed),
        cmocka_unit_test(refuses_other_card),
        cmocka_unit_test(refuses_what_it_may_have_forgotten),
    };
    test_alarm(240);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
