/*
 * Books under audit: the operators' programs on a market of real daemons, the files that they
 * write, and edits of these by somebody who knows their form.
 */
#ifndef TEST_AUDITED_H
#define TEST_AUDITED_H

#include "tests/support/test_market.h"

#include <jansson.h>

struct test_audited {
    struct test_market *market;
    char *printed; /* by the last program; owned */
};

/* A program with --config of a file in the market's folder; words end with NULL. Its exit status.
 */
int test_audited_run(struct test_audited *books, const char *program, const char *configuration,
                     const char *const *words);
#define TEST_AUDITED_MERCHANT(books, ...)                                                          \
    test_audited_run(books, "setpay-merchant", "merchant.conf",                                    \
                     (const char *const[]){__VA_ARGS__, NULL})
#define TEST_AUDITED_GATEWAY(books, ...)                                                           \
    test_audited_run(books, "setpay-gateway", "gateway.conf",                                      \
                     (const char *const[]){__VA_ARGS__, NULL})
/* `audit` with files of the market's folder; clearing may be NULL. */
int test_audited_files(struct test_audited *books, const char *merchant, const char *clearing);
/* `setpay-wallet verify` of a file with a root (NULL: without), both of the market's folder: a
 * stranger's check. */
int test_audited_verify(struct test_audited *books, const char *file, const char *root);
/* Fails the test, showing what was printed, where status or words are others. */
void test_audited_expect(const struct test_audited *books, const char *what, int status,
                         int expected_status, const char *words);
void test_audited_save(const struct test_audited *books, const char *name, const char *text);
void test_audited_save_json(const struct test_audited *books, const char *name, const json_t *file);
/* Statements on a database of the market's folder. */
void test_audited_sql(const struct test_audited *books, const char *database, const char *sql);

/* The merchant's API: POST /orders/ORDER/what, which must be taken. */
void test_audited_post(const struct test_audited *books, const struct test_sale *sale,
                       const char *what, const char *body);
/* One purchase of TEST_PRICE, captured by that body. */
void test_audited_sell(const struct test_audited *books, const char *capture);

void test_audited_set_text(json_t *object, const char *member, const char *text);
void test_audited_add_to(json_t *object, const char *member, int more);
/* Makes the hash of each batch of a merchant's file fit its items. */
void test_audited_hash_again(json_t *file);
/* Makes a proof one of that content, signed by party. */
void test_audited_sign(json_t *proof, enum setpay_message_type type, struct setpay_view content,
                       const struct test_party *party);
/* The same content signed by another gateway of that PKI, whose certificate goes into the file. */
void test_audited_sign_by(json_t *file, json_t *proof, struct test_pki *pki,
                          const char *gateway_id);

#endif
