/*
 * Exported receipts whose signatures are all good, by somebody who may not sign that, or under what
 * can't be so: each is refused by the check that is there for it, and names the place.
 */
#include "tests/support/test_export.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OK(expression) assert_int_equal((expression), SETPAY_OK)

/* ------------------------------------------------------------------ signed anew */

static void an_item_dearer(struct setpay_pinit_res *offer)
{
    offer->amount.minor++;
}
static void of_another_shop(struct setpay_pinit_res *offer)
{
    strcpy(offer->merchant_id, "shop-2");
}
static void by_another_sender(struct setpay_pinit_res *offer)
{
    offer->header.sender = test_people.merchant_2->thumbprint;
}
static void after_its_end(struct setpay_pinit_res *offer)
{
    offer->expiry_ms = TEST_PKI_NOW_MS + 500;
}
static void years_ago(struct setpay_pinit_res *offer)
{
    offer->header.date_ms -= 400 * SETPAY_DAY_MS;
}

#define ORDER(name, ...)                                                                           \
    static void name(struct setpay_oi *oi)                                                         \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }
ORDER(of_another_offer, oi->offer.bytes[0] ^= 1)
ORDER(of_another_xid, oi->xid.bytes[0] ^= 1)
ORDER(of_another_number, strcpy(oi->lid_m, "order-2"))
ORDER(of_another_challenge, oi->chall_m.bytes[0] ^= 1)
ORDER(of_another_brand, strcpy(oi->brand, "mastercard"))
ORDER(of_another_amount, oi->amount.minor--)
ORDER(at_another_merchant, oi->merchant = test_people.merchant_2->thumbprint)
ORDER(through_another_gateway, oi->gateway_sign = test_people.gateway_2->thumbprint)
ORDER(on_other_terms, oi->terms.kind = SETPAY_TERMS_SPLIT)
ORDER(longer_than_the_offer, oi->expiry_ms = TEST_PKI_NOW_MS + 2 * SETPAY_HOUR_MS)

#define RECEIPT(name, ...)                                                                         \
    static void name(size_t at, struct setpay_receipt *receipt)                                    \
    {                                                                                              \
        if (at == 1) {                                                                             \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
    }
RECEIPT(receipt_of_another_xid, receipt->xid.bytes[0] ^= 1)
RECEIPT(receipt_of_another_pomd, receipt->pomd.bytes[0] ^= 1)
RECEIPT(receipt_of_another_merchant, receipt->merchant = test_people.merchant_2->thumbprint)
RECEIPT(receipt_of_another_cardholder,
        receipt->cardholder = test_people.holder_2->party->thumbprint)
RECEIPT(receipt_of_another_brand, strcpy(receipt->brand, "mastercard"))
RECEIPT(receipt_behind_another, receipt->previous.bytes[0] ^= 1)
RECEIPT(receipt_above_what_is_held, receipt->amount.minor = 1251)
RECEIPT(receipt_in_another_currency, strcpy(receipt->amount.currency, "USD"))
RECEIPT(receipt_of_a_second_decline, receipt->kind = SETPAY_RECEIPT_DECLINE)
RECEIPT(receipt_of_a_credit_first, receipt->kind = SETPAY_RECEIPT_CREDIT)
RECEIPT(receipt_after_the_certificate, receipt->date_ms += 3000 * SETPAY_DAY_MS)

static void word_of_another_xid(struct setpay_pres *word)
{
    word->xid.bytes[0] ^= 1;
}

struct fraud {
    const char *what;
    void (*knob)(struct test_export_knobs *knobs); /* those that are made at run time */
    struct test_export_knobs knobs;
    enum setpay_error error;
    const char *failed;
};

#define KNOB(name, field, value)                                                                   \
    static void name(struct test_export_knobs *knobs)                                              \
    {                                                                                              \
        knobs->field = value;                                                                      \
    }
KNOB(by_anothers_key, offer_key, test_people.merchant_2)
KNOB(by_the_gateway, merchant, test_people.gateway)
KNOB(by_an_expired_merchant, merchant, test_people.expired_merchant)
KNOB(by_a_stranger, merchant, test_people.stranger_merchant)
KNOB(ds_by_another, ds_signer, test_people.holder_2->party)
KNOB(by_an_expired_card, holder, test_people.expired_holder)
KNOB(by_a_strangers_card, holder, test_people.stranger_holder)
KNOB(gateways_of_two, encrypt, test_people.encrypt_2)
KNOB(gateway_of_another_brand, gateway, test_people.brand_gateway)
KNOB(gateway_of_a_stranger, gateway, test_people.stranger_gateway)
KNOB(receipts_by_the_merchant, receipt_key, test_people.merchant)
KNOB(receipts_by_another, receipt_key, test_people.gateway_2)
KNOB(word_by_another, word_key, test_people.merchant_2)

static const struct fraud frauds[] = {
    {"rule A2: an offer by another's key", by_anothers_key, {0}, SETPAY_E_SIGNATURE, "offer"},
    {"rule A3: an offer by the gateway", by_the_gateway, {0}, SETPAY_E_CERT_ROLE, "offer"},
    {"rule A3: an offer by an expired certificate",
     by_an_expired_merchant,
     {0},
     SETPAY_E_CERT_TIME,
     "offer"},
    {"rule A3: an offer by a stranger", by_a_stranger, {0}, SETPAY_E_CERT_MISSING, "offer"},
    {"rule A3: an offer before its certificate",
     NULL,
     {.offer = years_ago},
     SETPAY_E_CERT_TIME,
     "offer"},
    {"rule A2: an offer that names another sender",
     NULL,
     {.offer = by_another_sender},
     SETPAY_E_SENDER,
     "offer"},
    {"rule W1: an offer of another merchant",
     NULL,
     {.offer = of_another_shop},
     SETPAY_E_ANSWER_PARTIES,
     "offer"},
    {"rule W2: an offer that does not add up",
     NULL,
     {.offer = an_item_dearer},
     SETPAY_E_OFFER_SUM,
     "offer"},
    {"rule W3: certificates of two gateways",
     gateways_of_two,
     {0},
     SETPAY_E_GATEWAY_CERTS,
     "gateway_certificate"},
    {"rule A3: a gateway of another brand",
     gateway_of_another_brand,
     {0},
     SETPAY_E_BRANDS_MIXED,
     "gateway_certificate"},
    {"rule A3: a gateway of a stranger",
     gateway_of_a_stranger,
     {0},
     SETPAY_E_CERT_MISSING,
     "gateway_certificate"},
    {"rule M2: an order signed by another card", ds_by_another, {0}, SETPAY_E_DS_ORDER, "preq"},
    {"rule A3: an order by an expired card", by_an_expired_card, {0}, SETPAY_E_CERT_TIME, "preq"},
    {"rule A3: an order by a stranger's card",
     by_a_strangers_card,
     {0},
     SETPAY_E_CERT_MISSING,
     "preq"},
    {"an order of another offer",
     NULL,
     {.order = of_another_offer},
     SETPAY_E_OFFER_MISMATCH,
     "preq"},
    {"an order of another xid", NULL, {.order = of_another_xid}, SETPAY_E_OFFER_MISMATCH, "preq"},
    {"an order of another number",
     NULL,
     {.order = of_another_number},
     SETPAY_E_OFFER_MISMATCH,
     "preq"},
    {"an order of another challenge",
     NULL,
     {.order = of_another_challenge},
     SETPAY_E_OFFER_MISMATCH,
     "preq"},
    {"an order of another brand",
     NULL,
     {.order = of_another_brand},
     SETPAY_E_OFFER_MISMATCH,
     "preq"},
    {"an order of another amount",
     NULL,
     {.order = of_another_amount},
     SETPAY_E_OFFER_MISMATCH,
     "preq"},
    {"an order at another merchant",
     NULL,
     {.order = at_another_merchant},
     SETPAY_E_OFFER_MISMATCH,
     "preq"},
    {"an order through another gateway",
     NULL,
     {.order = through_another_gateway},
     SETPAY_E_OFFER_MISMATCH,
     "preq"},
    {"an order on other terms", NULL, {.order = on_other_terms}, SETPAY_E_OFFER_MISMATCH, "preq"},
    {"an order that outlives the offer",
     NULL,
     {.order = longer_than_the_offer},
     SETPAY_E_OFFER_MISMATCH,
     "preq"},
    {"an order after the offer's end",
     NULL,
     {.offer = after_its_end},
     SETPAY_E_OFFER_MISMATCH,
     "preq"},
    {"rule W6: receipts by the merchant",
     receipts_by_the_merchant,
     {0},
     SETPAY_E_RECEIPT,
     "receipts[0]"},
    {"rule W6: receipts by another gateway",
     receipts_by_another,
     {0},
     SETPAY_E_RECEIPT,
     "receipts[0]"},
    {"rule W6: a receipt of another xid",
     NULL,
     {.receipt = receipt_of_another_xid},
     SETPAY_E_RECEIPT,
     "receipts[1]"},
    {"rule W6: a receipt of another POMD",
     NULL,
     {.receipt = receipt_of_another_pomd},
     SETPAY_E_RECEIPT,
     "receipts[1]"},
    {"rule W6: a receipt of another merchant",
     NULL,
     {.receipt = receipt_of_another_merchant},
     SETPAY_E_RECEIPT,
     "receipts[1]"},
    {"rule W6: a receipt of another cardholder",
     NULL,
     {.receipt = receipt_of_another_cardholder},
     SETPAY_E_RECEIPT,
     "receipts[1]"},
    {"rule W6: a receipt of another brand",
     NULL,
     {.receipt = receipt_of_another_brand},
     SETPAY_E_RECEIPT,
     "receipts[1]"},
    {"rule W6: a receipt behind another",
     NULL,
     {.receipt = receipt_behind_another},
     SETPAY_E_RECEIPT,
     "receipts[1]"},
    {"rule W6: a capture of more than is held",
     NULL,
     {.receipt = receipt_above_what_is_held},
     SETPAY_E_RECEIPT,
     "receipts[1]"},
    {"rule W6: a capture in another currency",
     NULL,
     {.receipt = receipt_in_another_currency},
     SETPAY_E_RECEIPT,
     "receipts[1]"},
    {"rule W6: a decline after all",
     NULL,
     {.receipt = receipt_of_a_second_decline},
     SETPAY_E_RECEIPT,
     "receipts[1]"},
    {"rule W6: a credit without a capture",
     NULL,
     {.receipt = receipt_of_a_credit_first},
     SETPAY_E_RECEIPT,
     "receipts[1]"},
    {"rule A3: a receipt after its certificate's end",
     NULL,
     {.receipt = receipt_after_the_certificate},
     SETPAY_E_CERT_TIME,
     "receipts[1]"},
    {"rule A2: a merchant's word by another's key",
     word_by_another,
     {0},
     SETPAY_E_SIGNATURE,
     "evidence[0]"},
    {"a merchant's word about another purchase",
     NULL,
     {.word = word_of_another_xid},
     SETPAY_E_PURCHASE,
     "evidence[0]"},
};

static void a_fraud(void **state)
{
    const struct fraud *fraud = *state;
    struct test_export_knobs knobs = fraud->knobs;
    if (fraud->knob != NULL)
        fraud->knob(&knobs);
    test_export_refuses(test_export_make(&knobs), fraud->error, fraud->failed);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(frauds)];
    for (size_t i = 0; i < COUNT(frauds); i++)
        tests[i] = (struct CMUnitTest){.name = frauds[i].what,
                                       .test_func = a_fraud,
                                       .initial_state = (void *)(uintptr_t)&frauds[i]};
    return _cmocka_run_group_tests("verify_fraud", tests, COUNT(frauds), test_export_set_up,
                                   test_export_tear_down);
}
