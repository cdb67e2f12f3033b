/*
 * A merchant to pay at, with the gateway behind it, in the hands of a test: an HTTPS server of
 * OpenSSL and a few lines of HTTP on a thread of this program. Both hold valid keys and
 * certificates, and are honest unless told to lie. The gateway colludes: it opens what is sealed to
 * it and signs any receipt that it is asked for.
 *
 * A lie is a struct test_lie: hooks that each get one thing wrong, on its way from honest values to
 * bytes on a connection. Up to two are told at once. Everything fails hard.
 *
 * A sale is one offer with what came of it. Between test_shop_lock and test_shop_unlock the shop
 * stands still; hooks run inside.
 */
#ifndef SETPAY_TEST_SHOP_H
#define SETPAY_TEST_SHOP_H

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/wire/messages.h"
#include "common/wire/purchase.h"
#include "common/wire/receipt.h"
#include "common/wire/signed.h"
#include "tests/support/test_pki.h"

#include <openssl/types.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TEST_SHOP_ID "shop"
#define TEST_SHOP_GATEWAY "gateway-1"
#define TEST_SHOP_AMOUNT 1250
#define TEST_SALES_MAX 1024
#define TEST_SALE_RECEIPTS 100
#define TEST_SHOP_LIES 2

/* Who stands where in the next message. All borrowed. */
struct test_cast {
    const struct test_party *tls;    /* of the connection */
    int tls_version;                 /* 0: 1.3 */
    const struct test_party *signer; /* whom the message names */
    const struct test_party *key;    /* whose key signs it */
    const struct test_party *gateway_sign, *gateway_encrypt;
    bool without_signer;                 /* its certificate is not beside */
    const struct test_party *more;       /* beside too, with its CAs; may be NULL */
    const struct setpay_buffer *crls[4]; /* beside; ends with NULL */
};

struct test_sale {
    struct setpay_pinit_req *asked;
    struct setpay_digest asked_hash; /* of the PInitReq */
    struct setpay_digest offer;      /* of the offer's content */
    struct setpay_id xid;
    char lid_m[SETPAY_WIRE_LID_M_MAX + 1];
    struct setpay_money amount;
    struct setpay_digest chall_m;
    struct test_cast cast; /* as at the offer */
    /* From PReq on. */
    size_t preqs;
    struct setpay_digest preq_hash;
    struct setpay_oi oi;
    struct setpay_instruction instruction;
    struct setpay_digest oimd, pomd;
    struct setpay_buffer word; /* the last PRes or InqRes, as it was sent */
    /* The gateway's good receipts. */
    struct setpay_sealed_receipt receipts[TEST_SALE_RECEIPTS];
    enum setpay_receipt_kind kinds[TEST_SALE_RECEIPTS];
    size_t receipt_count;
    struct setpay_digest last_hash;
    int64_t authorised_minor, reversed_minor;
    /* The cardholder's word that ends the agreement, verified; of no size: none came. */
    struct setpay_signed_cancellation cancellation;
    uint32_t known; /* receipts that the wallet said it has, the last time */
};

struct test_shop;

struct test_lie {
    const char *what;     /* "rule W1: …" */
    const char *expected; /* error and rule: "HOST W1" */
    void (*cast)(struct test_shop *shop, struct test_cast *cast);
    void (*offer)(struct test_shop *shop, struct test_sale *sale, struct setpay_pinit_res *offer);
    void (*word)(struct test_shop *shop, struct test_sale *sale, struct setpay_pres *word);
    /* The packed content, before it is signed; the message, before it is sent. */
    void (*content)(struct test_shop *shop, struct setpay_buffer *content);
    void (*message)(struct test_shop *shop, struct setpay_buffer *message);
    /* Another message altogether; raw: the request as it came. */
    void (*instead)(struct test_shop *shop, struct test_sale *sale,
                    const struct setpay_message *request, struct setpay_view raw,
                    struct setpay_buffer *message);
    /* Writes the answer itself. */
    void (*http)(struct test_shop *shop, SSL *ssl, struct setpay_view message);
};

/* Whether the requests of a kind are lied to, left without an answer, counted. */
enum test_ask { TEST_ASK_OFFER, TEST_ASK_PAY, TEST_ASK_INQUIRE, TEST_ASKS };

struct test_shop {
    struct test_pki *pki; /* borrowed */
    uint16_t port;
    /* Honest, of visa: merchant's connection and signature, gateway's two. */
    struct test_party *tls, *sign, *gateway_sign, *gateway_encrypt;
    const struct test_lie *lies[TEST_SHOP_LIES];
    bool lies_at[TEST_ASKS];
    enum setpay_message_type lies_to; /* of these the only type that is lied to; 0: to all */
    size_t told;                      /* lies, since the counters started */
    bool silent_at[TEST_ASKS];        /* the connection is closed without an answer */
    /* What the gateway does with a PReq: its first receipt; 0: it does not come to it. */
    enum setpay_receipt_kind outcome;
    int64_t approves_minor; /* 0: all */
    int64_t offer_life_ms;
    struct test_sale *sales[TEST_SALES_MAX];
    size_t sale_count;
    size_t connections, handshakes; /* begun; finished */
    size_t asked[TEST_ASKS];
    size_t second_preqs; /* another PReq for a sale that has one */
    void *context;       /* the test's own */
    /* The server's. */
    int listener, stop[2];
    pthread_t thread;
    pthread_mutex_t mutex;
};

struct test_shop *test_shop_new(struct test_pki *pki);
void test_shop_free(struct test_shop *shop);
void test_shop_lock(struct test_shop *shop);
void test_shop_unlock(struct test_shop *shop);
/* Tells these lies (NULL: fewer) to requests of these kinds; counters start anew. */
void test_shop_lie(struct test_shop *shop, const struct test_lie *first,
                   const struct test_lie *second, bool offer, bool pay, bool inquire);
/* Tells this lie to CanReq alone; counters start anew. */
void test_shop_lie_to_cancellations(struct test_shop *shop, const struct test_lie *lie);
/* How many lies were told since the counters started. */
size_t test_shop_told(struct test_shop *shop);
/* Honest again: no lies, no silence, authorises all; counters start anew. */
void test_shop_honest(struct test_shop *shop);
/* What the gateway does from now on (0: it does not come to it); how much of it it approves (0:
 * all); and whether requests of a kind are left without an answer. */
void test_shop_outcome(struct test_shop *shop, enum setpay_receipt_kind outcome);
void test_shop_approves(struct test_shop *shop, int64_t minor);
void test_shop_silent(struct test_shop *shop, enum test_ask kind);
/* Waits until so many requests of a kind have come since the counters started. */
void test_shop_wait(struct test_shop *shop, enum test_ask kind, size_t count);
/* The same of connections begun, whatever became of them. */
void test_shop_wait_connections(struct test_shop *shop, size_t count);
size_t test_shop_count(struct test_shop *shop, enum test_ask kind);
/* "setpay://localhost:PORT/pay/TOKEN", another token each time; valid until the next call. */
const char *test_shop_link(struct test_shop *shop);
/* The sale with that xid, or the last offered; NULL. */
struct test_sale *test_shop_sale(struct test_shop *shop, const struct setpay_id *xid);
struct test_sale *test_shop_last(struct test_shop *shop);

/* ---- the gateway ---- */

/* A receipt as it should be, of a kind, behind those that are there. */
void test_sale_draft(const struct test_sale *sale, enum setpay_receipt_kind kind, int64_t minor,
                     struct setpay_receipt *draft);
/* Signed by that party and sealed for the sale's cardholder, whatever it says. */
void test_sale_seal(const struct test_sale *sale, const struct setpay_receipt *draft,
                    const struct test_party *gateway, struct setpay_sealed_receipt *sealed);
/* A good one more; of another date. */
void test_sale_add_receipt(struct test_sale *sale, enum setpay_receipt_kind kind, int64_t minor);
void test_sale_add_receipt_at(struct test_sale *sale, enum setpay_receipt_kind kind, int64_t minor,
                              setpay_time_ms date_ms);
/* The word's list becomes these. */
void test_word_receipts(struct setpay_pres *word, const struct setpay_sealed_receipt *receipts,
                        size_t count);

/* ---- HTTP ---- */

/* "HTTP/1.1 STATUS" with that content type and these headers more ("" or lines with CR LF). */
void test_shop_reply(SSL *ssl, const char *status, const char *type, const char *headers,
                     struct setpay_view body);
void test_shop_write(SSL *ssl, struct setpay_view bytes);
/* Waits until the other side has gone. */
void test_shop_hold(SSL *ssl);

#endif
