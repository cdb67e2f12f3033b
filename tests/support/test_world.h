/*
 * A wallet and a merchant who may lie to it (test_wallet.h, test_shop.h), with all the certificates
 * that a liar could show, and what must hold whatever he says before anything is signed.
 */
#ifndef SETPAY_TEST_WORLD_H
#define SETPAY_TEST_WORLD_H

#include "tests/support/test_shop.h"
#include "tests/support/test_wallet.h"

#include <stddef.h>

/* Everybody who might stand in for somebody else; visa's where nothing else is said. */
struct test_others {
    struct test_party *host_tls;     /* the shop, of another host */
    struct test_party *merchant_tls; /* another merchant, of this host */
    struct test_party *client_tls;   /* the shop's certificate towards its gateway */
    struct test_party *gateway_tls;
    struct test_party *revoked_tls;
    struct test_party *brand_tls;     /* mastercard's shop */
    struct test_party *merchant_sign; /* another merchant */
    struct test_party *revoked_sign;  /* the shop */
    struct test_party *renewed_sign;  /* the shop's other good one */
    struct test_party *brand_sign;    /* mastercard's shop */
    struct test_party *cardholder;
    struct test_party *gateway_sign;    /* another gateway */
    struct test_party *gateway_encrypt; /* another gateway */
    struct test_party *sign_revoked, *encrypt_revoked, *encrypt_expired, *sign_misissued;
    struct test_party *brand_gateway_sign, *brand_gateway_encrypt; /* mastercard's */
    struct test_pki *stranger_pki; /* another root with the same names */
    struct test_party *stranger_tls, *stranger_sign, *stranger_gateway_sign;
};

struct test_world {
    struct test_pki *pki; /* visa, mastercard */
    struct test_others others;
    struct test_shop *shop;
    struct test_wallet *wallet; /* cards "daily" (visa, the default) and "other" (mastercard) */
};

/* The wallet has paid once, so that it knows what an honest merchant shows; it lacks mastercard's
 * PCA list. */
struct test_world *test_world_new(void);
/* A second wallet beside the first, with cards of the same numbers, which has paid once too; the
 * caller's. The functions below are about world->wallet: whoever means this one puts it there. */
struct test_wallet *test_world_add_wallet(struct test_world *world);
void test_world_free(struct test_world *world);

/* The one that the shop's hooks find. */
extern struct test_world *test_the_world;

/* Asks for an offer (card NULL: the default). The result is the caller's. */
enum setpay_error test_world_prepare(const char *card, json_t **offer);
/* The arguments of pay.confirm: agrees to what was shown. */
json_t *test_world_agree(const json_t *prepared);

/* An agreement to more than one payment: so many of at most that much, so far apart, until
 * test_agreed_end_ms. What is prepared; the arguments that agree to it in its own words; and the
 * sale once its first payment is authorised. */
#define TEST_AGREED_EACH 1500
#define TEST_AGREED_DAYS 28
#define TEST_AGREED_PAYMENTS 12
setpay_time_ms test_agreed_end_ms(void);
extern const struct test_lie test_recurring;
json_t *test_world_prepare_agreement(void);
json_t *test_world_agree_to_terms(const json_t *prepared);
struct test_sale *test_world_begin_agreement(void);
/* The gateway's receipt of a cancellation, once that has come: a struct test_lie's word. */
void test_confirms_cancellation(struct test_shop *shop, struct test_sale *sale,
                                struct setpay_pres *word);

/* Starts the wallet anew, so that the authorities and lists that it has learnt are in its store. */
void test_world_settle(void);
/* All that the wallet's database holds; and that it still holds just that (frees before). */
char *test_world_dump(void);
void test_world_unchanged(char *before);

/* An offer with these lies (second may be NULL) gets one of the two errors that they expect: in the
 * reply, in the log with its rule, and nothing else: no row has changed, and nothing was sent but
 * the PInitReq; returns whether that was. Counts them as tried. */
size_t test_world_refuses_offer(const struct test_lie *first, const struct test_lie *second);

/* The card that is to pay; NULL: the default. */
extern const char *test_world_card;

/* ---- after the signature ---- */

/* Prepares an honest offer, tells the lies from then on to PReq and InqReq, and signs without
 * waiting for an outcome. */
struct setpay_id test_world_pay(const struct test_lie *first, const struct test_lie *second);
/* Every row but the wallet's new ones stands as it did (frees before). */
void test_world_only_added(char *before);
/* The purchase as it stands has these members: {"status": "pending", ...}; takes expected. */
void test_world_shows(const struct setpay_id *xid, json_t *expected);
/* A number out of its row: "version", "state", "receipts", ... */
int64_t test_world_column(const struct setpay_id *xid, const char *column);
/* How many messages of it were kept whose words begin so. */
int64_t test_world_evidence(const struct setpay_id *xid, const char *words);
/* Everybody is honest again: the wallet comes to the right end, and never signed a second PReq. */
void test_world_ends(const struct setpay_id *xid, const char *status);

/* What these lies are told in place of a PRes, and then of each InqRes, counts for nothing: the
 * person hears one of the errors expected, it is in the log with its rule, the first such message
 * is kept as evidence where a check failed, the purchase's row is as it was when it was signed, and
 * an honest answer then leads to the right end. inquired: what is expected of InqRes, where that
 * differs (NULL: the same). */
void test_world_refuses_word(const struct test_lie *first, const struct test_lie *second,
                             const char *inquired);

/* How many lies were told, for "# tally: rules attacked". */
extern size_t test_world_attacks;
/* Prints it. */
void test_world_tally(void);

#endif
