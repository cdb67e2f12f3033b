/*
 * What the wallet signs: two purchases of the same card for the same offer share nothing by which
 * one could be guessed from the other, or its card number from its digest.
 */
#include "cardholder/wallet.h"
#include "common/wire/purchase.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BRAND "example-card"
#define PAN "4111111111111111"

static struct test_pki *pki;
static struct test_party *holder, *merchant, *sign, *encrypt;
static struct setpay_wallet wallet;
static struct setpay_wallet_card card;
static struct setpay_wallet_prepared offer;

static void seal(enum setpay_wallet_box which, const char *what, struct setpay_view plain)
{
    setpay_buffer_init(&card.boxes[which], SETPAY_WALLET_BOX_MAX);
    assert_int_equal(
        setpay_wallet_box_seal(&wallet.master, what, &card.id, plain, &card.boxes[which]),
        SETPAY_OK);
}

static void make_card(void)
{
    struct setpay_secret pem = {0};
    struct setpay_digest pan_secret = test_digest(0xe0);
    card.id = test_id(0x11);
    card.key_id = card.id;
    memcpy(card.last4, &PAN[12], 5);
    strcpy(card.brand, BRAND);
    assert_int_equal(setpay_key_build_pem(holder->key, NULL, &pem), SETPAY_OK);
    seal(SETPAY_WALLET_BOX_KEY, "card key", setpay_secret_view(&pem));
    seal(SETPAY_WALLET_BOX_PAN_SECRET, "card pan secret", setpay_digest_view(&pan_secret));
    seal(SETPAY_WALLET_BOX_PAN, "card pan", setpay_view_string(PAN));
    seal(SETPAY_WALLET_BOX_EXPIRY, "card expiry", setpay_view_string("3012"));
    setpay_buffer_init(&card.certificate, SETPAY_LIMIT_CERTIFICATE_BYTES);
    assert_int_equal(setpay_buffer_set(&card.certificate, setpay_buffer_view(&holder->der)),
                     SETPAY_OK);
    setpay_secret_clear(&pem);
}

static void make_offer(void)
{
    test_fill_pinit_res(&offer.content);
    strcpy(offer.content.brand, BRAND);
    offer.content.gateway_sign = sign->thumbprint;
    offer.content.gateway_encrypt = encrypt->thumbprint;
    offer.content.expiry_ms = TEST_PKI_NOW_MS + 60000;
    offer.digest = test_digest(0x31);
    offer.merchant = merchant->certificate;
    offer.gateway_sign = sign->certificate;
    offer.gateway_encrypt = encrypt->certificate;
    setpay_buffer_init(&offer.bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    assert_int_equal(setpay_buffer_set(&offer.bytes, setpay_view_string("the offer")), SETPAY_OK);
}

static int setup(void **state)
{
    static const char *const brands[] = {BRAND, NULL};
    (void)state;
    if (setpay_secret_system_init() != SETPAY_OK ||
        setpay_secret_random(&wallet.master, 32) != SETPAY_OK)
        return -1;
    pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    holder = test_party_new(pki, BRAND, SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    merchant = test_party_new(pki, BRAND, SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    sign = test_party_new(pki, BRAND, SETPAY_PROFILE_GATEWAY_SIGN, "gateway-1", NULL);
    encrypt = test_party_new(pki, BRAND, SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-1", NULL);
    wallet.trust = test_pki_trust(pki);
    make_card();
    make_offer();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    setpay_wallet_card_clear(&card);
    setpay_pinit_res_clear(&offer.content);
    setpay_buffer_clear(&offer.bytes);
    setpay_trust_free(wallet.trust);
    setpay_secret_clear(&wallet.master);
    test_party_free(holder);
    test_party_free(merchant);
    test_party_free(sign);
    test_party_free(encrypt);
    test_pki_free(pki);
    return 0;
}

/* One signed purchase, with what the merchant reads of it and what the gateway opens. */
struct made {
    struct setpay_wallet_purchase record;
    struct setpay_preq preq;
    struct setpay_oi oi;
    struct setpay_instruction instruction;
};

static void make(struct made *made)
{
    struct setpay_secret no_code = {0};
    struct setpay_message message;
    struct setpay_envelope_key *key = NULL;
    memset(made, 0, sizeof *made);
    setpay_wallet_purchase_init(&made->record);
    assert_int_equal(
        setpay_wallet_sign(&wallet, &offer, &card, &no_code, TEST_PKI_NOW_MS, &made->record),
        SETPAY_OK);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&made->record.preq), &message),
                     SETPAY_OK);
    assert_int_equal(setpay_preq_read(message.content, message.envelope, &made->preq, &made->oi),
                     SETPAY_OK);
    assert_int_equal(setpay_envelope_key_new(encrypt->key, encrypt->x509, &key), SETPAY_OK);
    assert_int_equal(
        setpay_instruction_open(key, message.envelope, &made->preq.envelope, &made->instruction),
        SETPAY_OK);
    setpay_envelope_key_free(key);
    setpay_message_clear(&message);
}

static void end(struct made *made)
{
    setpay_wallet_purchase_clear(&made->record);
    setpay_preq_clear(&made->preq);
    setpay_instruction_clear(&made->instruction);
}

/* Salts and back keys are what keeps a merchant from trying the card numbers of a range against
 * PIMD, and a gateway from trying a catalogue against OIMD; each purchase has its own. */
static void nothing_secret_is_used_twice(void **state)
{
    struct made one, two;
    (void)state;
    make(&one);
    make(&two);
    assert_false(setpay_digest_equal(&one.instruction.pi_salt, &two.instruction.pi_salt));
    assert_false(setpay_digest_equal(&one.preq.oi_salt, &two.preq.oi_salt));
    assert_false(setpay_digest_equal(&one.preq.oi_salt, &one.instruction.pi_salt));
    assert_false(setpay_secret_equal(&one.instruction.pi.back_key, &two.instruction.pi.back_key));
    assert_false(setpay_id_equal(&one.oi.rrpid, &two.oi.rrpid));
    assert_false(setpay_digest_equal(&one.preq.pimd, &two.preq.pimd));
    assert_int_equal(one.instruction.pi.back_key.size, 32);
    end(&one);
    end(&two);
}

/* rules W2, W6: what is signed is the offer that was agreed to, in both halves. */
static void both_halves_are_the_offer(void **state)
{
    struct made made;
    (void)state;
    make(&made);
    assert_true(setpay_money_equal(&made.oi.amount, &offer.content.amount));
    assert_true(setpay_money_equal(&made.instruction.pi.amount, &offer.content.amount));
    assert_true(setpay_id_equal(&made.instruction.pi.xid, &offer.content.xid));
    assert_true(setpay_digest_equal(&made.oi.offer, &offer.digest));
    assert_true(setpay_digest_equal(&made.instruction.pi.merchant, &merchant->thumbprint));
    assert_true(setpay_digest_equal(&made.instruction.pi.gateway_sign, &sign->thumbprint));
    assert_true(setpay_digest_equal(&made.instruction.pimd, &made.preq.pimd));
    assert_true(
        setpay_view_equal(setpay_secret_view(&made.instruction.pi.pan), setpay_view_string(PAN)));
    end(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_secret_is_used_twice),
        cmocka_unit_test(both_halves_are_the_offer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
