/*
 * A lying wallet at a running merchant: the PReq. It has a card, a certificate and a key of its
 * own, is made an offer like everybody, and then signs something else, or somebody else's, or signs
 * one thing and sends another.
 *
 * Each lie alone, and pairs of them by a seed, gets exactly its rule's error, moves no row at
 * merchant and gateway, and never reaches the issuer. All lies of a table are told about one offer,
 * and in the end the honest purchase for it goes through: a refusal has burnt nothing.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/crypto/dual.h"
#include "common/crypto/hash.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_market.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMBINATIONS 60
#define LIMIT_S 280

static struct test_market market;
static struct test_gateway *gateway;
static struct test_cardholder *unseen;    /* by the merchant */
static struct test_sale sale, other_sale; /* the offer that is lied about, and another one */

/* ------------------------------------------------------------------ before it is signed */

static void more(struct test_purchase *p)
{
    p->oi.amount.minor++;
}

static void less(struct test_purchase *p)
{
    p->oi.amount.minor--;
}

static void more_in_both(struct test_purchase *p)
{
    p->oi.amount.minor += 1000;
    p->pi.amount.minor += 1000;
}

static void other_currency(struct test_purchase *p)
{
    (void)snprintf(p->oi.amount.currency, sizeof p->oi.amount.currency, "USD");
}

static void other_brand(struct test_purchase *p)
{
    (void)snprintf(p->oi.brand, sizeof p->oi.brand, "mastercard");
}

static void other_brand_in_both(struct test_purchase *p)
{
    other_brand(p);
    (void)snprintf(p->pi.brand, sizeof p->pi.brand, "mastercard");
}

static void other_merchant(struct test_purchase *p)
{
    p->oi.merchant = gateway->other.sign->thumbprint;
}

static void merchant_of_other_brand(struct test_purchase *p)
{
    p->oi.merchant = gateway->shop[1].sign->thumbprint;
}

static void other_gateway(struct test_purchase *p)
{
    p->oi.gateway_sign = gateway->sign[1]->thumbprint;
}

static void other_encryption(struct test_purchase *p)
{
    p->oi.gateway_encrypt = gateway->encrypt[1]->thumbprint;
}

static void gateway_turned(struct test_purchase *p)
{
    p->oi.gateway_sign = gateway->encrypt[0]->thumbprint;
    p->oi.gateway_encrypt = gateway->sign[0]->thumbprint;
}

static void recurring(struct setpay_terms *terms, setpay_time_ms now_ms)
{
    *terms = (struct setpay_terms){.kind = SETPAY_TERMS_RECURRING,
                                   .count = 12,
                                   .interval_days = 28,
                                   .each_minor = 1250,
                                   .end_ms = now_ms + 365 * SETPAY_DAY_MS};
}

static void recurring_in_oi(struct test_purchase *p)
{
    recurring(&p->oi.terms, p->now_ms);
}

static void recurring_in_both(struct test_purchase *p)
{
    recurring(&p->oi.terms, p->now_ms);
    recurring(&p->pi.terms, p->now_ms);
}

static void split(struct test_purchase *p)
{
    p->oi.terms.kind = SETPAY_TERMS_SPLIT;
}

static void lives_too_long(struct test_purchase *p)
{
    p->oi.expiry_ms = p->pi.expiry_ms = p->now_ms + 66 * SETPAY_MINUTE_MS;
}

static void has_expired(struct test_purchase *p)
{
    p->oi.expiry_ms = p->pi.expiry_ms = p->now_ms - SETPAY_SECOND_MS;
}

static void six_minutes_old(struct test_purchase *p)
{
    p->oi.date_ms -= 6 * SETPAY_MINUTE_MS;
}

static void six_minutes_ahead(struct test_purchase *p)
{
    p->oi.date_ms += 6 * SETPAY_MINUTE_MS;
}

static void an_hour_old(struct test_purchase *p)
{
    p->oi.date_ms -= SETPAY_HOUR_MS;
    p->oi.expiry_ms = p->pi.expiry_ms = p->oi.expiry_ms - SETPAY_HOUR_MS;
}

static void wrong_chall_m(struct test_purchase *p)
{
    p->oi.chall_m.bytes[31] ^= 1;
}

static void other_chall_m(struct test_purchase *p)
{
    p->oi.chall_m = other_sale.offer.message.chall_m;
}

static void wrong_chall_c(struct test_purchase *p)
{
    p->oi.chall_c.bytes[0] ^= 0x80;
}

static void wrong_lid_c(struct test_purchase *p)
{
    p->oi.lid_c.bytes[7] ^= 1;
}

static void other_lid_m(struct test_purchase *p)
{
    memcpy(p->oi.lid_m, other_sale.offer.message.lid_m, sizeof p->oi.lid_m);
}

static void wrong_offer(struct test_purchase *p)
{
    p->oi.offer.bytes[5] ^= 4;
}

static void offer_of_other(struct test_purchase *p)
{
    p->oi.offer = other_sale.offer.digest;
}

static void xid_of_other(struct test_purchase *p)
{
    p->oi.xid = p->pi.xid = other_sale.offer.message.xid;
}

static void xid_of_nobody(struct test_purchase *p)
{
    assert_int_equal(setpay_id_random(&p->oi.xid), SETPAY_OK);
}

static void borrowed_name(struct test_purchase *p)
{
    /* the neighbour's certificate, and a key that is not its */
    p->cardholder = market.neighbour;
    p->oi.cardholder = p->pi.cardholder = market.neighbour->party->thumbprint;
    p->ds_signer = market.holder->party;
}

static void not_shown(struct test_purchase *p)
{
    /* a certificate that the merchant has never seen */
    p->cardholder = unseen;
    p->oi.cardholder = p->pi.cardholder = unseen->party->thumbprint;
    p->ds_signer = unseen->party;
    p->without_cardholder = true;
}

static void by_mastercard(struct test_purchase *p)
{
    p->cardholder = market.mastercard;
    p->oi.cardholder = p->pi.cardholder = market.mastercard->party->thumbprint;
    p->ds_signer = market.mastercard->party;
}

/* A certificate of another role where the cardholder's should be. */
static void by_role(struct test_purchase *p, struct test_party *party)
{
    static struct test_cardholder false_holder;
    false_holder = *market.holder;
    false_holder.party = party;
    p->cardholder = &false_holder;
    p->oi.cardholder = p->pi.cardholder = party->thumbprint;
    p->ds_signer = party;
}

static void by_merchant(struct test_purchase *p)
{
    by_role(p, gateway->shop[0].sign);
}

static void by_other_merchant(struct test_purchase *p)
{
    by_role(p, gateway->other.sign);
}

static void by_merchant_tls(struct test_purchase *p)
{
    by_role(p, gateway->other.tls);
}

static void by_gateway(struct test_purchase *p)
{
    by_role(p, gateway->sign[0]);
}

static void by_encryption(struct test_purchase *p)
{
    by_role(p, gateway->encrypt[0]);
}

/* ------------------------------------------------------------------ after it is signed */

static void ds_by_other(struct test_purchase *p)
{
    p->ds_signer = market.neighbour->party;
    test_purchase_sign(p);
}

static void ds_bit(struct test_purchase *p)
{
    p->preq.dual_signature.bytes[p->preq.dual_signature.size - 1] ^= 1;
}

static void ds_not_der(struct test_purchase *p)
{
    memset(p->preq.dual_signature.bytes, 0x41, p->preq.dual_signature.size);
}

static void ds_cut(struct test_purchase *p)
{
    p->preq.dual_signature.size = 8;
}

static void other_salt(struct test_purchase *p)
{
    p->preq.oi_salt.bytes[31] ^= 1;
}

static void salts_turned(struct test_purchase *p)
{
    p->preq.oi_salt = p->pi_salt;
}

static void other_pimd(struct test_purchase *p)
{
    p->preq.pimd.bytes[0] ^= 1;
}

static void oimd_for_pimd(struct test_purchase *p)
{
    p->preq.pimd = p->oimd;
}

/* What DS covers is one purchase, what is sent another: both of them good. */
static struct test_purchase *second_purchase(const struct test_purchase *p)
{
    struct test_purchase *second =
        test_offer_purchase(market.merchant, &sale.offer, p->cardholder, p->now_ms);
    second->oi.rrpid = p->oi.rrpid;
    second->oi.amount = p->oi.amount;
    test_purchase_sign(second);
    return second;
}

static void pi_of_second(struct test_purchase *p)
{
    struct test_purchase *second = second_purchase(p);
    p->preq.pimd = second->pimd;
    assert_int_equal(setpay_buffer_set(&p->envelope, setpay_buffer_view(&second->envelope)),
                     SETPAY_OK);
    p->preq.envelope = second->preq.envelope;
    test_purchase_free(second);
}

static void ds_of_second(struct test_purchase *p)
{
    struct test_purchase *second = second_purchase(p);
    p->preq.dual_signature = second->dual_signature;
    test_purchase_free(second);
}

static void oi_of_second(struct test_purchase *p)
{
    struct test_purchase *second = second_purchase(p);
    assert_int_equal(setpay_buffer_set(&p->preq.oi, setpay_buffer_view(&second->oi_bytes)),
                     SETPAY_OK);
    p->preq.oi_salt = second->oi_salt;
    test_purchase_free(second);
}

/* DS over the two digests in the other order. */
static void digests_turned(struct test_purchase *p)
{
    struct setpay_digest pomd;
    struct setpay_buffer ds;
    setpay_buffer_init(&ds, SETPAY_SIGNATURE_MAX);
    assert_int_equal(setpay_dual_pomd(SETPAY_SUITE, &p->oimd, &p->pimd, &pomd), SETPAY_OK);
    assert_int_equal(
        setpay_dual_sign(p->ds_signer->signing_key, SETPAY_SUITE, &p->oi.cardholder, &pomd, &ds),
        SETPAY_OK);
    assert_int_equal(setpay_signature_from_view(setpay_buffer_view(&ds), &p->preq.dual_signature),
                     SETPAY_OK);
    setpay_buffer_clear(&ds);
}

/* A good signature by the right key over POMD, but as that of another message. */
static void signed_as_inquiry(struct test_purchase *p)
{
    struct setpay_buffer ds;
    setpay_buffer_init(&ds, SETPAY_SIGNATURE_MAX);
    assert_int_equal(setpay_sign(p->ds_signer->signing_key, "InqReq", SETPAY_SUITE,
                                 &p->oi.cardholder, setpay_digest_view(&p->pomd), &ds),
                     SETPAY_OK);
    assert_int_equal(setpay_signature_from_view(setpay_buffer_view(&ds), &p->preq.dual_signature),
                     SETPAY_OK);
    setpay_buffer_clear(&ds);
}

static void envelope_swapped(struct test_purchase *p)
{
    struct test_purchase *second = second_purchase(p);
    assert_int_equal(setpay_buffer_set(&p->envelope, setpay_buffer_view(&second->envelope)),
                     SETPAY_OK);
    test_purchase_free(second);
}

static void envelope_bit(struct test_purchase *p)
{
    p->envelope.data[p->envelope.size - 1] ^= 1;
}

static void envelope_named_wrong(struct test_purchase *p)
{
    p->preq.envelope.bytes[0] ^= 1;
}

static void envelope_no_cms(struct test_purchase *p)
{
    memset(p->envelope.data, 0x30, p->envelope.size);
    assert_int_equal(setpay_envelope_digest(setpay_buffer_view(&p->envelope), &p->preq.envelope),
                     SETPAY_OK);
}

static void envelope_cut(struct test_purchase *p)
{
    p->envelope.size -= 4; /* a tag of 12 bytes, were it the last thing */
    assert_int_equal(setpay_envelope_digest(setpay_buffer_view(&p->envelope), &p->preq.envelope),
                     SETPAY_OK);
}

/* ------------------------------------------------------------------ the table */

struct lie {
    const char *what;
    const char *expected;
    void (*before)(struct test_purchase *p); /* the cardholder signs it */
    void (*after)(struct test_purchase *p);
    bool is_unsigned; /* refused before the merchant knows for which brand it speaks */
};

static const struct lie purchase_lies[] = {
    /* rule M3: what OI says is what was offered */
    {"a cent more", "ORDER_MISMATCH M3", more, NULL, false},
    {"a cent less", "ORDER_MISMATCH M3", less, NULL, false},
    {"more, in OI and PI alike", "ORDER_MISMATCH M3", more_in_both, NULL, false},
    {"another currency", "ORDER_MISMATCH M3", other_currency, NULL, false},
    {"another brand in OI", "ORDER_MISMATCH M3", other_brand, NULL, false},
    {"another brand in OI and PI", "ORDER_MISMATCH M3", other_brand_in_both, NULL, false},
    {"another merchant", "ORDER_MISMATCH M3", other_merchant, NULL, false},
    {"the merchant under another brand", "ORDER_MISMATCH M3", merchant_of_other_brand, NULL, false},
    {"another gateway", "ORDER_MISMATCH M3", other_gateway, NULL, false},
    {"another encryption certificate", "ORDER_MISMATCH M3", other_encryption, NULL, false},
    {"the gateway's certificates turned", "ORDER_MISMATCH M3", gateway_turned, NULL, false},
    {"recurring terms in OI, not in PI", "ORDER_MISMATCH M3", recurring_in_oi, NULL, false},
    {"recurring terms in both, none offered", "ORDER_MISMATCH M3", recurring_in_both, NULL, false},
    {"shipment in parts, not offered", "ORDER_MISMATCH M3", split, NULL, false},
    {"an instruction of more than an hour", "ORDER_MISMATCH M3", lives_too_long, NULL, false},
    /* rule M1: it is about an open offer of this merchant's, and that one */
    {"another chall_m", "OFFER_MISMATCH M1", wrong_chall_m, NULL, false},
    {"chall_m of another offer", "OFFER_MISMATCH M1", other_chall_m, NULL, false},
    {"another chall_c", "OFFER_MISMATCH M1", wrong_chall_c, NULL, false},
    {"another lid_c", "OFFER_MISMATCH M1", wrong_lid_c, NULL, false},
    {"lid_m of another order", "OFFER_MISMATCH M1", other_lid_m, NULL, false},
    {"another offer digest", "OFFER_MISMATCH M1", wrong_offer, NULL, false},
    {"the digest of another offer", "OFFER_MISMATCH M1", offer_of_other, NULL, false},
    {"the xid of another order", "OFFER_MISMATCH M1", xid_of_other, NULL, false},
    {"the xid of nobody", "OFFER_UNKNOWN M1", xid_of_nobody, NULL, true},
    /* rule A5: dates */
    {"six minutes ahead", "DATE A5", six_minutes_ahead, NULL, false},
    /* rule A3: who signs is a cardholder of the offer's brand */
    {"a certificate that is not shown", "CERT_MISSING A3", not_shown, NULL, false},
    {"a card of another brand for the offer", "BRANDS_MIXED A3", by_mastercard, NULL, false},
    {"signed by the merchant itself", "CERT_ROLE A3", by_merchant, NULL, false},
    {"signed by another merchant", "CERT_ROLE A3", by_other_merchant, NULL, false},
    {"signed with a TLS certificate", "CERT_ROLE A3", by_merchant_tls, NULL, false},
    {"signed by the gateway", "CERT_ROLE A3", by_gateway, NULL, false},
    {"signed with an encryption certificate", "CERT_ROLE A3", by_encryption, NULL, false},
    /* rule M2: DS covers this order */
    {"under a borrowed certificate", "DS_ORDER M2", borrowed_name, NULL, false},
    {"DS by somebody else", "DS_ORDER M2", NULL, ds_by_other, false},
    {"DS with one bit changed", "DS_ORDER M2", NULL, ds_bit, false},
    {"DS that is no signature", "DS_ORDER M2", NULL, ds_not_der, false},
    {"DS cut short", "DS_ORDER M2", NULL, ds_cut, false},
    {"another OI salt", "DS_ORDER M2", NULL, other_salt, false},
    {"PI's salt for OI's", "DS_ORDER M2", NULL, salts_turned, false},
    {"another PIMD", "DS_ORDER M2", NULL, other_pimd, false},
    {"OIMD for PIMD", "DS_ORDER M2", NULL, oimd_for_pimd, false},
    {"OI of one purchase, PI of another", "DS_ORDER M2", NULL, pi_of_second, false},
    {"DS of another purchase", "DS_ORDER M2", NULL, ds_of_second, false},
    {"OI and salt of another purchase", "DS_ORDER M2", NULL, oi_of_second, false},
    {"the digests in the other order", "DS_ORDER M2", NULL, digests_turned, false},
    {"POMD signed as an inquiry", "DS_ORDER M2", NULL, signed_as_inquiry, false},
    /* rule G2, as far as a merchant can see it */
    {"the envelope of another purchase", "ENVELOPE G2", NULL, envelope_swapped, true},
    {"a bit changed in the envelope", "ENVELOPE G2", NULL, envelope_bit, true},
    {"another envelope digest", "ENVELOPE G2", NULL, envelope_named_wrong, true},
    {"an envelope that is no CMS", "ENVELOPE G2", NULL, envelope_no_cms, true},
    {"an envelope cut short", "ENVELOPE G2", NULL, envelope_cut, true},
};
#define PURCHASE_LIES (sizeof purchase_lies / sizeof *purchase_lies)

/* ------------------------------------------------------------------ telling them */

static void tell(const struct test_purchase *p, const struct lie *lie, const struct lie *second)
{
    struct setpay_buffer message;
    test_purchase_preq(p, &message);
    const struct test_attack attack = {
        .message = setpay_buffer_view(&message),
        .expected = lie->expected,
        .or_expected = second == NULL ? NULL : second->expected,
        .rrpid = second == NULL && strcmp(lie->expected, "ENVELOPE G2") != 0 ? &p->oi.rrpid : NULL,
        .signer = lie->is_unsigned && second == NULL ? NULL : gateway->shop[0].sign,
        .any_signer = second != NULL,
    };
    test_market_attack(&market, &attack);
    setpay_buffer_clear(&message);
}

static void tell_lies(const struct lie *lie, const struct lie *second)
{
    struct test_purchase *p =
        test_offer_purchase(market.merchant, &sale.offer, market.holder, setpay_clock_now_ms());
    if (lie->before != NULL)
        lie->before(p);
    if (second != NULL && second->before != NULL)
        second->before(p);
    test_purchase_sign(p);
    if (lie->after != NULL)
        lie->after(p);
    if (second != NULL && second->after != NULL)
        second->after(p);
    tell(p, lie, second);
    test_purchase_free(p);
}

static void test_lie(void **state)
{
    tell_lies(*state, NULL);
}

/* Two lies at once, by a seed: one of the two errors, and all else as for one. */
static void test_combinations(void **state)
{
    const char *text = getenv("SEED");
    unsigned seed = text != NULL ? (unsigned)strtoul(text, NULL, 10) : 19970531;
    (void)state;
    print_message("# SEED=%u\n", seed);
    srand(seed);
    for (int i = 0; i < COMBINATIONS; i++) {
        const struct lie *one = &purchase_lies[(size_t)rand() % PURCHASE_LIES];
        const struct lie *two = &purchase_lies[(size_t)rand() % PURCHASE_LIES];
        if (one == two) /* twice the same may be none */
            continue;
        print_message("# %s; %s\n", one->what, two->what);
        tell_lies(one, two);
    }
}

/* rules A5, M9: what is late in itself is refused by voiding it, and the order is free again. */
static void test_late_ones_are_voided(void **state)
{
    static const struct {
        const char *what;
        const char *why;
        void (*before)(struct test_purchase *p);
    } late[] = {
        {"six minutes old", "DATE A5", six_minutes_old},
        {"an hour old, never seen before", "DATE A5", an_hour_old},
        {"an instruction that has expired", "EXPIRED A5", has_expired},
    };
    (void)state;
    for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
        struct test_sale made;
        print_message("# %s\n", late[i].what);
        test_sale_make(&market, market.holder, &made);
        late[i].before(made.purchase);
        test_purchase_sign(made.purchase);
        test_sale_expect_voided(&market, &made, late[i].why);
        assert_string_equal(test_merchantd_order_status(market.merchant, &made.order), "open");
        test_sale_clear(&made);
    }
}

/* ------------------------------------------------------------------ the world */

/* All that was refused has burnt nothing: neither the offer nor the certificate. */
static void test_honest_after_all(void **state)
{
    (void)state;
    test_sale_pay(&market, &sale);
    assert_string_equal(test_merchantd_order_status(market.merchant, &sale.order), "authorised");
    assert_string_equal(test_merchantd_order_status(market.merchant, &other_sale.order), "open");
}

static int open_world(void **state)
{
    (void)state;
    test_market_open(&market, NULL, "5m");
    gateway = market.gateway;
    unseen = test_cardholder_new(gateway->pki, "visa", TEST_APPROVES, TEST_CARD_EXPIRY, "");
    test_sale_make(&market, market.holder, &sale);
    test_sale_make(&market, market.holder, &other_sale);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    test_sale_clear(&sale);
    test_sale_clear(&other_sale);
    test_cardholder_free(unseen);
    test_market_close(&market);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[PURCHASE_LIES + 3];
    size_t count = 0;
    for (size_t i = 0; i < PURCHASE_LIES; i++)
        tests[count++] = (struct CMUnitTest){.name = purchase_lies[i].what,
                                             .test_func = test_lie,
                                             .initial_state = (void *)(uintptr_t)&purchase_lies[i]};
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_combinations);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_late_ones_are_voided);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_honest_after_all);
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return _cmocka_run_group_tests("merchantd_wallet", tests, count, open_world, close_world);
}
