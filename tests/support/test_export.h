/*
 * An exported receipt as a wallet writes it, of an offer, an order, three receipts
 * (authorised 12.50 EUR, captured 7.00, refunded 1.00) and three kept messages of the merchant;
 * with knobs to have each of them be by, or about, somebody else, and signed all the same. And what
 * checks it.
 */
#ifndef SETPAY_TEST_EXPORT_H
#define SETPAY_TEST_EXPORT_H

#include "cardholder/verify.h"
#include "tests/support/test_pki.h"
#include "tests/support/test_purchase.h"

#include <jansson.h>

#define TEST_EXPORT_RECEIPTS 3

struct test_export_people {
    struct test_pki *pki, *stranger_pki; /* another root with the same names */
    struct test_party *merchant, *merchant_2, *expired_merchant;
    struct test_party *gateway, *gateway_2, *encrypt, *encrypt_2;
    struct test_party *brand_gateway; /* mastercard's */
    struct test_party *stranger_merchant, *stranger_gateway, *stranger_encrypt;
    struct test_cardholder *holder, *holder_2, *expired_holder, *stranger_holder;
};
extern struct test_export_people test_people;
/* cmocka's fixtures. */
int test_export_set_up(void **state);
int test_export_tear_down(void **state);

/* Who and what is different in a file that is signed throughout. All may be NULL and 0. */
struct test_export_knobs {
    const struct test_party *merchant, *offer_key, *gateway, *encrypt, *receipt_key, *word_key;
    const struct test_cardholder *holder;
    const struct test_party *ds_signer;
    struct test_pki *pki;
    size_t captures; /* more of them, of one minor unit each, behind the three receipts */
    void (*offer)(struct setpay_pinit_res *offer);
    void (*order)(struct setpay_oi *oi);
    void (*receipt)(size_t at, struct setpay_receipt *receipt);
    void (*word)(struct setpay_pres *word);
};
json_t *test_export_make(const struct test_export_knobs *knobs);
/* As it should be. */
json_t *test_export_good(void);

/* Under the true root. verdict is cleared first. */
enum setpay_error test_export_check(const json_t *file, struct setpay_wallet_verdict *verdict);
enum setpay_error test_export_check_text(const char *text, size_t size, struct setpay_view root,
                                         struct setpay_wallet_verdict *verdict);
/* Refused by that check, at that place, with words for the person. Takes file. */
void test_export_refuses(json_t *file, enum setpay_error expected, const char *failed);

#endif
