/*
 * The table of lies. Each changes as little as makes it a lie: everything else about the request is
 * right, so that only the check it is made for stands between it and an authorisation.
 */
#include "tests/support/test_lies.h"

#include "common/base/clock.h"
#include "common/base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define PAN "4242424242424242"
#define OTHER_PAN "4000005700009781"
#define MASTERCARD_PAN "5555555555554444"
#define EXPIRY "3012"
#define MINOR 1250

/* ------------------------------------------------------------------ the parties */

struct test_purchase *test_liar_purchase(struct test_liar *liar)
{
    const struct test_purchase_parties parties = test_gateway_parties(liar->gateway, 0);
    return test_purchase_new(&parties, liar->holder, MINOR, "EUR", setpay_clock_now_ms());
}

static struct test_purchase *signed_purchase(const struct test_purchase_parties *parties,
                                             const struct test_cardholder *holder)
{
    struct test_purchase *p =
        test_purchase_new(parties, holder, MINOR, "EUR", setpay_clock_now_ms());
    test_purchase_sign(p);
    return p;
}

struct test_liar *test_liar_new(struct test_gateway *gateway)
{
    struct test_liar *liar = calloc(1, sizeof *liar);
    struct test_pki *pki = gateway->pki;
    struct test_purchase_parties parties = test_gateway_parties(gateway, 0);
    NEED(liar != NULL);
    liar->gateway = gateway;
    liar->line = test_line_new(gateway, gateway->shop[0].tls, "visa");
    NEED(liar->line != NULL);
    liar->holder = test_cardholder_new(pki, "visa", PAN, EXPIRY, "123");
    liar->accomplice = test_cardholder_new(pki, "visa", OTHER_PAN, EXPIRY, "");
    liar->stranger = test_cardholder_new(pki, "mastercard", MASTERCARD_PAN, EXPIRY, "");
    liar->far_sign = test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "gateway-2", NULL);
    liar->far_encrypt =
        test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-2", NULL);
    liar->renewed =
        test_party_new(pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, TEST_GATEWAY_MERCHANT, NULL);
    liar->spare = signed_purchase(&parties, liar->holder);
    liar->accomplices = signed_purchase(&parties, liar->accomplice);
    parties.merchant = gateway->other.sign;
    parties.merchant_id = "other";
    liar->elsewhere = signed_purchase(&parties, liar->holder);
    return liar;
}

void test_liar_free(struct test_liar *liar)
{
    if (liar == NULL)
        return;
    test_line_free(liar->line);
    test_purchase_free(liar->spare);
    test_purchase_free(liar->accomplices);
    test_purchase_free(liar->elsewhere);
    test_cardholder_free(liar->holder);
    test_cardholder_free(liar->accomplice);
    test_cardholder_free(liar->stranger);
    test_party_free(liar->far_sign);
    test_party_free(liar->far_encrypt);
    test_party_free(liar->renewed);
    free(liar);
}

/* ------------------------------------------------------------------ how */

#define LIE(name, statement)                                                                       \
    static void name(struct test_liar *liar, struct test_purchase *p)                              \
    {                                                                                              \
        (void)liar;                                                                                \
        statement;                                                                                 \
    }

static void set_secret(struct setpay_secret *secret, const char *text)
{
    setpay_secret_clear(secret);
    NEED(setpay_secret_copy(secret, setpay_view_string(text)) == SETPAY_OK);
}

static void take_envelope(struct test_purchase *p, const struct test_purchase *from)
{
    NEED(setpay_buffer_set(&p->envelope, setpay_buffer_view(&from->envelope)) == SETPAY_OK);
    test_purchase_name_envelope(p);
}

static void take_dual(struct test_purchase *p, const struct test_purchase *from)
{
    p->auth.oimd = from->oimd;
    p->auth.pimd = from->pimd;
    p->auth.dual_signature = from->dual_signature;
}

static struct setpay_terms recurring(const struct test_purchase *p)
{
    return (struct setpay_terms){.kind = SETPAY_TERMS_RECURRING,
                                 .count = 12,
                                 .interval_days = 30,
                                 .each_minor = MINOR,
                                 .end_ms = p->now_ms + 365 * SETPAY_DAY_MS};
}

/* who signs, and for whom */
LIE(signer_borrows_key, p->auth_key = liar->gateway->other.sign)
LIE(signer_is_cardholder, p->auth_signer = p->auth_key = liar->holder->party;
    p->auth.header.sender = liar->holder->party->thumbprint)
LIE(signer_is_gateway, p->auth_signer = p->auth_key = liar->gateway->sign[0];
    p->auth.header.sender = liar->gateway->sign[0]->thumbprint)
LIE(signer_is_other_brands, p->auth_signer = p->auth_key = liar->gateway->shop[1].sign;
    p->auth.header.sender = p->auth_signer->thumbprint)
LIE(sender_is_other, p->auth.header.sender = liar->gateway->other.sign->thumbprint)
LIE(sender_is_cardholder, p->auth.header.sender = liar->holder->party->thumbprint)
LIE(receiver_is_far, p->auth.header.receiver = liar->far_sign->thumbprint)
LIE(receiver_is_encrypt, p->auth.header.receiver = liar->gateway->encrypt[0]->thumbprint)
LIE(receiver_is_other_brands, p->auth.header.receiver = liar->gateway->sign[1]->thumbprint)
LIE(signer_is_other, p->auth_signer = p->auth_key = liar->gateway->other.sign;
    p->auth.header.sender = p->auth_signer->thumbprint)
LIE(id_is_other, (void)snprintf(p->auth.merchant_id, sizeof p->auth.merchant_id, "other"))
LIE(id_in_capitals, (void)snprintf(p->auth.merchant_id, sizeof p->auth.merchant_id, "SHOP"))
LIE(id_longer, (void)snprintf(p->auth.merchant_id, sizeof p->auth.merchant_id, "shop2"))
LIE(brand_is_other, (void)snprintf(p->auth.brand, sizeof p->auth.brand, "mastercard"))

/* what for */
LIE(token_zero, p->auth.has_auth_token = true)
LIE(token_is_xid, p->auth.has_auth_token = true; p->auth.auth_token = p->auth.xid)
LIE(date_hour_old, p->auth.header.date_ms -= SETPAY_HOUR_MS)
LIE(date_just_over, p->auth.header.date_ms -= SETPAY_LIMIT_DATE_TOLERANCE_MS + SETPAY_SECOND_MS)
LIE(date_day_ahead, p->auth.header.date_ms += SETPAY_DAY_MS)
LIE(date_zero, p->auth.header.date_ms = 1)
LIE(holder_not_beside, p->auth.cardholder.bytes[31] ^= 1)
LIE(holder_is_merchant, p->auth.cardholder = liar->gateway->shop[0].sign->thumbprint)

/* the envelope, and what was signed */
LIE(envelope_other_named, p->auth.envelope = liar->spare->auth.envelope)
LIE(envelope_for_far, p->sealed_to = liar->far_encrypt; test_purchase_seal(p))
LIE(envelope_for_sign_key, p->sealed_to = liar->gateway->sign[0]; test_purchase_seal(p))
LIE(envelope_first_byte, p->envelope.data[0] ^= 0x20; test_purchase_name_envelope(p))
LIE(envelope_middle, p->envelope.data[p->envelope.size / 2] ^= 1; test_purchase_name_envelope(p))
LIE(envelope_empty_instruction,
    NEED(setpay_buffer_set(&p->pi_instead, setpay_view_string("\n")) == SETPAY_OK);
    test_purchase_seal(p))
LIE(envelope_swapped, take_envelope(p, liar->spare))
LIE(envelope_of_accomplice, take_envelope(p, liar->accomplices))
LIE(oimd_swapped, p->auth.oimd = liar->spare->oimd)
LIE(pimd_swapped, p->auth.pimd = liar->spare->pimd)
LIE(dual_swapped, p->auth.dual_signature = liar->spare->dual_signature)
LIE(digests_swapped, take_dual(p, liar->spare))
LIE(oi_of_one_pi_of_other, take_envelope(p, liar->spare); p->auth.pimd = liar->spare->pimd)
LIE(dual_and_envelope_of_accomplice, take_envelope(p, liar->accomplices);
    take_dual(p, liar->accomplices))
LIE(all_but_name_of_accomplice, take_envelope(p, liar->accomplices);
    take_dual(p, liar->accomplices); p->auth.xid = liar->accomplices->auth.xid)
LIE(signed_by_accomplice, p->ds_signer = liar->accomplice->party)
LIE(signed_by_merchant, p->ds_signer = liar->gateway->shop[0].sign)
LIE(resealed_with_more, p->pi.amount.minor *= 10; test_purchase_seal(p))
LIE(resealed_for_other, (void)snprintf(p->pi.merchant_id, sizeof p->pi.merchant_id, "other");
    test_purchase_seal(p))
LIE(resealed_with_salt, p->salt_in_envelope = liar->spare->pi_salt; test_purchase_seal(p))
LIE(pi_names_accomplice, p->pi.cardholder = liar->accomplice->party->thumbprint)

/* more than was signed, or something else */
LIE(asks_more, p->auth.amount.minor++)
LIE(asks_tenfold, p->auth.amount.minor *= 10)
LIE(asks_most, p->auth.amount.minor = SETPAY_MONEY_MAX_MINOR)
LIE(asks_less, p->auth.amount.minor--)
LIE(asks_a_cent, p->auth.amount.minor = 1)
LIE(asks_dollars, memcpy(p->auth.amount.currency, "USD", 4))
LIE(asks_yen, memcpy(p->auth.amount.currency, "JPY", 4))
LIE(asks_xid, p->auth.xid.bytes[15] ^= 1)
LIE(asks_spare_xid, p->auth.xid = liar->spare->auth.xid)
LIE(asks_later, p->auth.expiry_ms += SETPAY_MINUTE_MS)
LIE(asks_sooner, p->auth.expiry_ms -= 1)
/* "Recurring terms in OI and not in PI": the gateway never sees OI, but the merchant's request that
 * repeats its terms, and holds that against PI (rule G4). An honest merchant that is shown such an
 * OI refuses it before (rule M3, tests/integration/hostile/merchantd_wallet.c). */
LIE(asks_recurring, p->auth.terms = recurring(p))
LIE(asks_split, p->auth.terms.kind = SETPAY_TERMS_SPLIT)
LIE(asks_other_encrypt, p->auth.gateway_encrypt = liar->far_encrypt->thumbprint)
LIE(asks_brands_encrypt, p->auth.gateway_encrypt = liar->gateway->encrypt[1]->thumbprint)
LIE(spare_for_this, take_envelope(p, liar->spare); take_dual(p, liar->spare))
LIE(order_of_other_merchant, take_envelope(p, liar->elsewhere); take_dual(p, liar->elsewhere);
    p->auth.xid = liar->elsewhere->auth.xid; p->auth.expiry_ms = liar->elsewhere->auth.expiry_ms)
LIE(signed_recurring, p->oi.terms = p->pi.terms = recurring(p))
LIE(asks_once, p->auth.terms = (struct setpay_terms){.kind = SETPAY_TERMS_SINGLE})
LIE(asks_oftener, p->auth.terms.count++)
LIE(asks_sooner_again, p->auth.terms.interval_days--)
LIE(asks_more_each, p->auth.terms.each_minor++)
LIE(asks_longer, p->auth.terms.end_ms += SETPAY_DAY_MS)
LIE(asks_as_instalment, p->auth.terms.kind = SETPAY_TERMS_INSTALMENT)
LIE(signed_small_each, p->oi.terms = p->pi.terms = recurring(p);
    p->oi.terms.each_minor = p->pi.terms.each_minor = MINOR - 1)
LIE(signed_split, p->oi.terms.kind = p->pi.terms.kind = SETPAY_TERMS_SPLIT)
/* ... and the other way about: recurring terms in PI and not in OI. */
LIE(only_pi_recurs, p->pi.terms = recurring(p))

/* who was meant: the dishonest gateway's view */
LIE(pi_for_far, p->pi.gateway_sign = liar->far_sign->thumbprint;
    p->pi.gateway_encrypt = liar->far_encrypt->thumbprint)
LIE(pi_for_far_sign, p->pi.gateway_sign = liar->far_sign->thumbprint)
LIE(pi_for_far_encrypt, p->pi.gateway_encrypt = liar->far_encrypt->thumbprint)
LIE(pi_exchanged, p->pi.gateway_sign = liar->gateway->encrypt[0]->thumbprint;
    p->pi.gateway_encrypt = liar->gateway->sign[0]->thumbprint)
LIE(pi_other_brands, p->pi.gateway_sign = liar->gateway->sign[1]->thumbprint;
    p->pi.gateway_encrypt = liar->gateway->encrypt[1]->thumbprint)
LIE(pi_other_merchant, p->pi.merchant = liar->gateway->other.sign->thumbprint)
LIE(pi_other_merchant_id, (void)snprintf(p->pi.merchant_id, sizeof p->pi.merchant_id, "other"))
LIE(pi_renewed_merchant, p->pi.merchant = liar->renewed->thumbprint)
LIE(signer_renewed, p->auth_signer = p->auth_key = liar->renewed;
    p->auth.header.sender = liar->renewed->thumbprint)
LIE(pi_tls_of_merchant, p->pi.merchant = liar->gateway->shop[0].tls->thumbprint)
LIE(pi_brand, (void)snprintf(p->pi.brand, sizeof p->pi.brand, "mastercard"))
LIE(pi_brand_prefix, (void)snprintf(p->pi.brand, sizeof p->pi.brand, "vis"))

/* whose card */
LIE(card_of_accomplice, set_secret(&p->pi.pan, OTHER_PAN))
LIE(card_and_secret_of_accomplice, set_secret(&p->pi.pan, OTHER_PAN);
    memcpy(p->pi.pan_secret.data, liar->accomplice->pan_secret.bytes, 32))
LIE(secret_of_accomplice, memcpy(p->pi.pan_secret.data, liar->accomplice->pan_secret.bytes, 32))
LIE(card_ends_later, set_secret(&p->pi.expiry, "3112"))
LIE(card_with_zeros, set_secret(&p->pi.pan, "0004242424242424242"))
LIE(card_of_other_brand, set_secret(&p->pi.pan, MASTERCARD_PAN))

/* until when */
LIE(expired_hour_ago, p->oi.expiry_ms = p->pi.expiry_ms = p->now_ms - SETPAY_HOUR_MS)
LIE(expired_just_now, p->oi.expiry_ms = p->pi.expiry_ms = p->now_ms - 1)
LIE(lives_for_ever, p->oi.expiry_ms = p->pi.expiry_ms = p->now_ms + 3650 * SETPAY_DAY_MS)
LIE(lives_two_hours, p->oi.expiry_ms = p->pi.expiry_ms = p->now_ms + 2 * SETPAY_HOUR_MS)
LIE(recurrence_is_over, p->oi.terms = p->pi.terms = recurring(p);
    p->oi.terms.end_ms = p->pi.terms.end_ms = p->now_ms - SETPAY_SECOND_MS)

/* ------------------------------------------------------------------ the table */

#define TOUCHES_ALL_SIGNED                                                                         \
    (TEST_TOUCHES_ENVELOPE | TEST_TOUCHES_DIGESTS | TEST_TOUCHES_HOLDER | TEST_TOUCHES_CARD |      \
     TEST_TOUCHES_MERCHANT | TEST_TOUCHES_GATEWAY | TEST_TOUCHES_AMOUNT | TEST_TOUCHES_XID |       \
     TEST_TOUCHES_EXPIRY | TEST_TOUCHES_TERMS | TEST_TOUCHES_BRAND)

/* clang-format off */
const struct test_lie test_lies[] = {
    /* rules A2, A3: the signer */
    {"signed with another merchant's key", "SIGNATURE A2", TEST_STAGE_SIGNER, TEST_TOUCHES_SIGNER, NULL, signer_borrows_key},
    {"signed by a cardholder", "CERT_ROLE A3", TEST_STAGE_SIGNER, TEST_TOUCHES_SIGNER, NULL, signer_is_cardholder},
    {"signed by the gateway itself", "CERT_ROLE A3", TEST_STAGE_SIGNER, TEST_TOUCHES_SIGNER, NULL, signer_is_gateway},
    {"signed under the merchant's other brand", "BRANDS_MIXED A3", TEST_STAGE_SIGNER, TEST_TOUCHES_SIGNER, NULL, signer_is_other_brands},
    {"says that another merchant sent it", "SENDER A2", TEST_STAGE_PARTIES, TEST_TOUCHES_SIGNER, NULL, sender_is_other},
    {"says that the cardholder sent it", "SENDER A2", TEST_STAGE_PARTIES, TEST_TOUCHES_SIGNER, NULL, sender_is_cardholder},
    {"asks another gateway", "RECEIVER A2", TEST_STAGE_PARTIES, TEST_TOUCHES_GATEWAY, NULL, receiver_is_far},
    {"asks the gateway by its encryption certificate", "RECEIVER A2", TEST_STAGE_PARTIES, TEST_TOUCHES_GATEWAY, NULL, receiver_is_encrypt},
    {"asks the gateway of another brand", "RECEIVER A2", TEST_STAGE_PARTIES, TEST_TOUCHES_GATEWAY, NULL, receiver_is_other_brands},
    /* rule G1 */
    {"another merchant's request on this connection", "MERCHANT_CHANNEL G1", TEST_STAGE_CHANNEL, TEST_TOUCHES_SIGNER, NULL, signer_is_other},
    {"another merchant's id", "MERCHANT_CHANNEL G1", TEST_STAGE_CHANNEL, TEST_TOUCHES_MERCHANT, NULL, id_is_other},
    {"its own id in capitals", "MERCHANT_CHANNEL G1", TEST_STAGE_CHANNEL, TEST_TOUCHES_MERCHANT, NULL, id_in_capitals},
    {"an id that begins with its own", "MERCHANT_CHANNEL G1", TEST_STAGE_CHANNEL, TEST_TOUCHES_MERCHANT, NULL, id_longer},
    {"another brand", "MERCHANT_CHANNEL G1", TEST_STAGE_CHANNEL, TEST_TOUCHES_BRAND, NULL, brand_is_other},
    /* rules G9, A5 */
    {"an AuthToken of zeros", "TOKEN G9", TEST_STAGE_INTENT, TEST_TOUCHES_INTENT, NULL, token_zero},
    {"xid for an AuthToken", "TOKEN G9", TEST_STAGE_INTENT, TEST_TOUCHES_INTENT, NULL, token_is_xid},
    {"a first request an hour old", "DATE A5", TEST_STAGE_DATE, TEST_TOUCHES_DATE, NULL, date_hour_old},
    {"a first request five minutes and a second old", "DATE A5", TEST_STAGE_DATE, TEST_TOUCHES_DATE, NULL, date_just_over},
    {"a request of tomorrow", "DATE A5", TEST_STAGE_DATE, TEST_TOUCHES_DATE, NULL, date_day_ahead},
    {"a request of 1970", "DATE A5", TEST_STAGE_DATE, TEST_TOUCHES_DATE, NULL, date_zero},
    /* rule A3: the cardholder */
    {"a cardholder of whom there is no certificate", "CERT_MISSING A3", TEST_STAGE_HOLDER, TEST_TOUCHES_HOLDER, NULL, holder_not_beside},
    {"the merchant as its own cardholder", "CERT_ROLE A3", TEST_STAGE_HOLDER, TEST_TOUCHES_HOLDER, NULL, holder_is_merchant},
    /* rule G2 */
    {"the digest of another envelope", "ENVELOPE G2", TEST_STAGE_ENVELOPE, TEST_TOUCHES_ENVELOPE, NULL, envelope_other_named},
    {"sealed to another gateway", "ENVELOPE G2", TEST_STAGE_ENVELOPE, TEST_TOUCHES_ENVELOPE, NULL, envelope_for_far},
    {"sealed to the gateway's signing key", "ENVELOPE G2", TEST_STAGE_ENVELOPE, TEST_TOUCHES_ENVELOPE, NULL, envelope_for_sign_key},
    {"an envelope that is no SEQUENCE", "ENVELOPE G2", TEST_STAGE_ENVELOPE, TEST_TOUCHES_ENVELOPE, NULL, envelope_first_byte},
    {"a bit changed inside the envelope", "ENVELOPE G2", TEST_STAGE_ENVELOPE, TEST_TOUCHES_ENVELOPE, NULL, envelope_middle},
    {"no instruction in a good envelope", "ENVELOPE G2", TEST_STAGE_ENVELOPE, TEST_TOUCHES_ENVELOPE, NULL, envelope_empty_instruction},
    /* rule G3 */
    {"the envelope of another purchase", "DS_PAYMENT G3", TEST_STAGE_DUAL, TOUCHES_ALL_SIGNED, NULL, envelope_swapped},
    {"the envelope of another cardholder", "DS_PAYMENT G3", TEST_STAGE_DUAL, TOUCHES_ALL_SIGNED, NULL, envelope_of_accomplice},
    {"OIMD of another purchase", "DS_PAYMENT G3", TEST_STAGE_DUAL, TEST_TOUCHES_DIGESTS, NULL, oimd_swapped},
    {"PIMD of another purchase", "DS_PAYMENT G3", TEST_STAGE_DUAL, TEST_TOUCHES_DIGESTS, NULL, pimd_swapped},
    {"DS of another purchase", "DS_PAYMENT G3", TEST_STAGE_DUAL, TEST_TOUCHES_DIGESTS, NULL, dual_swapped},
    {"all three digests of another purchase", "DS_PAYMENT G3", TEST_STAGE_DUAL, TEST_TOUCHES_DIGESTS, NULL, digests_swapped},
    {"OIMD of one purchase with PI of another", "DS_PAYMENT G3", TEST_STAGE_DUAL, TOUCHES_ALL_SIGNED, NULL, oi_of_one_pi_of_other},
    {"DS and envelope swapped for another cardholder's", "DS_PAYMENT G3", TEST_STAGE_DUAL, TOUCHES_ALL_SIGNED, NULL, dual_and_envelope_of_accomplice},
    {"another cardholder's purchase under this one's name", "DS_PAYMENT G3", TEST_STAGE_DUAL, TOUCHES_ALL_SIGNED, NULL, all_but_name_of_accomplice},
    {"DS by another cardholder", "DS_PAYMENT G3", TEST_STAGE_DUAL, TEST_TOUCHES_DIGESTS | TEST_TOUCHES_HOLDER, signed_by_accomplice, NULL},
    {"DS by the merchant", "DS_PAYMENT G3", TEST_STAGE_DUAL, TEST_TOUCHES_DIGESTS | TEST_TOUCHES_HOLDER, signed_by_merchant, NULL},
    {"sealed again with ten times the amount", "DS_PAYMENT G3", TEST_STAGE_DUAL, TEST_TOUCHES_ENVELOPE | TEST_TOUCHES_AMOUNT, NULL, resealed_with_more},
    {"sealed again for another merchant", "DS_PAYMENT G3", TEST_STAGE_DUAL, TEST_TOUCHES_ENVELOPE | TEST_TOUCHES_MERCHANT, NULL, resealed_for_other},
    {"sealed again with another salt", "DS_PAYMENT G3", TEST_STAGE_DUAL, TEST_TOUCHES_ENVELOPE, NULL, resealed_with_salt},
    {"PI of another cardholder's certificate", "DS_PAYMENT G3", TEST_STAGE_DUAL, TEST_TOUCHES_HOLDER, pi_names_accomplice, NULL},
    /* rule G4: what was bought */
    {"a cent more than was signed", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_AMOUNT, NULL, asks_more},
    {"ten times what was signed", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_AMOUNT, NULL, asks_tenfold},
    {"the largest amount there is", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_AMOUNT, NULL, asks_most},
    {"a cent less than was signed", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_AMOUNT, NULL, asks_less},
    {"one cent", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_AMOUNT, NULL, asks_a_cent},
    {"dollars for euros", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_AMOUNT, NULL, asks_dollars},
    {"yen for euros", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_AMOUNT, NULL, asks_yen},
    {"another xid", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_XID, NULL, asks_xid},
    {"the xid of another purchase", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_XID, NULL, asks_spare_xid},
    {"a later expiry", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_EXPIRY, NULL, asks_later},
    {"an earlier expiry", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_EXPIRY, NULL, asks_sooner},
    {"another purchase whole, for this one's xid", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TOUCHES_ALL_SIGNED, NULL, spare_for_this},
    {"a purchase at another merchant", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TOUCHES_ALL_SIGNED, NULL, order_of_other_merchant},
    /* rule G4: terms */
    {"recurring where a single payment was signed", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_TERMS, NULL, asks_recurring},
    {"split where a single payment was signed", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_TERMS, NULL, asks_split},
    {"single where a recurrence was signed", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_TERMS, signed_recurring, asks_once},
    {"once more than was signed", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_TERMS, signed_recurring, asks_oftener},
    {"a day sooner than was signed", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_TERMS, signed_recurring, asks_sooner_again},
    {"a cent more each time", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_TERMS, signed_recurring, asks_more_each},
    {"a day longer than was signed", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_TERMS, signed_recurring, asks_longer},
    {"instalments for a recurrence", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_TERMS, signed_recurring, asks_as_instalment},
    {"more at once than each may be", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_TERMS | TEST_TOUCHES_AMOUNT, signed_small_each, NULL},
    {"more than the whole of a split", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_TERMS | TEST_TOUCHES_AMOUNT, signed_split, asks_more},
    {"a recurrence in PI and none in OI", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_TERMS, only_pi_recurs, NULL},
    /* rule G4: who was meant */
    {"another gateway's encryption certificate", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_GATEWAY, NULL, asks_other_encrypt},
    {"the other brand's encryption certificate", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_GATEWAY, NULL, asks_brands_encrypt},
    {"PI for another gateway, sealed again to this one", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_GATEWAY, pi_for_far, NULL},
    {"PI that names another gateway to sign", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_GATEWAY, pi_for_far_sign, NULL},
    {"PI that names another gateway to read", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_GATEWAY, pi_for_far_encrypt, NULL},
    {"PI that exchanges the gateway's certificates", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_GATEWAY, pi_exchanged, NULL},
    {"PI for this gateway under another brand", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_GATEWAY, pi_other_brands, NULL},
    {"PI for another merchant's certificate", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_MERCHANT, pi_other_merchant, NULL},
    {"PI for another merchant's id", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_MERCHANT, pi_other_merchant_id, NULL},
    {"PI for another certificate of this merchant", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_MERCHANT, pi_renewed_merchant, NULL},
    {"signed by another certificate of this merchant", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_MERCHANT | TEST_TOUCHES_SIGNER, NULL, signer_renewed},
    {"PI for this merchant's TLS certificate", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_MERCHANT, pi_tls_of_merchant, NULL},
    {"PI of another brand", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_BRAND, pi_brand, NULL},
    {"PI of a brand that this one's name begins with", "PI_MISMATCH G4", TEST_STAGE_REQUEST, TEST_TOUCHES_BRAND, pi_brand_prefix, NULL},
    /* rule G5 */
    {"another cardholder's number", "ACCOUNT G5", TEST_STAGE_ACCOUNT, TEST_TOUCHES_CARD, card_of_accomplice, NULL},
    {"another cardholder's number and PANSecret", "ACCOUNT G5", TEST_STAGE_ACCOUNT, TEST_TOUCHES_CARD, card_and_secret_of_accomplice, NULL},
    {"another cardholder's PANSecret", "ACCOUNT G5", TEST_STAGE_ACCOUNT, TEST_TOUCHES_CARD, secret_of_accomplice, NULL},
    {"a card that ends a year later", "ACCOUNT G5", TEST_STAGE_ACCOUNT, TEST_TOUCHES_CARD, card_ends_later, NULL},
    {"the number with zeros before it", "ACCOUNT G5", TEST_STAGE_ACCOUNT, TEST_TOUCHES_CARD, card_with_zeros, NULL},
    {"a number of another brand", "ACCOUNT G5", TEST_STAGE_ACCOUNT, TEST_TOUCHES_CARD, card_of_other_brand, NULL},
    /* rule A5 */
    {"expired an hour ago", "EXPIRED A5", TEST_STAGE_EXPIRY, TEST_TOUCHES_EXPIRY, expired_hour_ago, NULL},
    {"expired just now", "EXPIRED A5", TEST_STAGE_EXPIRY, TEST_TOUCHES_EXPIRY, expired_just_now, NULL},
    {"good for ten years", "EXPIRED A5", TEST_STAGE_EXPIRY, TEST_TOUCHES_EXPIRY, lives_for_ever, NULL},
    {"good for two hours", "EXPIRED A5", TEST_STAGE_EXPIRY, TEST_TOUCHES_EXPIRY, lives_two_hours, NULL},
    {"a recurrence whose end is over", "EXPIRED A5", TEST_STAGE_EXPIRY, TEST_TOUCHES_TERMS | TEST_TOUCHES_AMOUNT, recurrence_is_over, NULL},
};
/* clang-format on */
const size_t test_lie_count = sizeof test_lies / sizeof *test_lies;

struct test_purchase *test_lie_tell(struct test_liar *liar, const struct test_lie *lie,
                                    const struct test_lie *another)
{
    struct test_purchase *p = test_liar_purchase(liar);
    if (lie != NULL && lie->sign != NULL)
        lie->sign(liar, p);
    if (another != NULL && another->sign != NULL)
        another->sign(liar, p);
    test_purchase_sign(p);
    if (lie != NULL && lie->ask != NULL)
        lie->ask(liar, p);
    if (another != NULL && another->ask != NULL)
        another->ask(liar, p);
    return p;
}
