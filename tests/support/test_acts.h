/*
 * A store in a temporary folder, and acts on it (merchant/store/shop_acts.h) by name, with bodies
 * written as JSON.
 */
#ifndef SETPAY_TESTS_ACTS_H
#define SETPAY_TESTS_ACTS_H

#include "common/store/store.h"
#include "merchant/store/order.h"
#include "merchant/store/quote.h"
#include "merchant/store/shop.h"
#include "tests/support/test_store.h"

extern const struct setpay_store_schema test_acts_schema;

struct test_acts {
    struct test_folder folder;
    struct setpay_store *store;
    struct setpay_shop_answer answer; /* of the last act */
    setpay_time_ms now_ms;
};

void test_acts_open(struct test_acts *test);
void test_acts_close(struct test_acts *test);
/* id, sub and body may be NULL. */
enum setpay_error test_act_at(struct test_acts *test, int64_t version, const char *name,
                              const char *id, const char *sub, const char *body);
/* Whatever version it has. */
enum setpay_error test_act(struct test_acts *test, const char *name, const char *id,
                           const char *sub, const char *body);
/* Fails the test unless the act refuses so, naming this member in words. */
void test_act_refuses(struct test_acts *test, enum setpay_error error, const char *field,
                      const char *name, const char *id, const char *sub, const char *body);

/* An order out of a body, as POST /orders makes it. Clear *order in any case. */
struct test_ordering {
    struct setpay_order order;
    struct setpay_json_fault fault;
    struct setpay_quote_short shortage;
    setpay_time_ms now_ms;
};
/* Inside an operation. */
enum setpay_error test_order_insert(struct setpay_db *db, void *ordering);
enum setpay_error test_order(struct test_acts *test, const char *body,
                             struct test_ordering *ordering);
/* The first integer that a SELECT gives. */
int64_t test_acts_sql(struct test_acts *test, const char *sql);

#endif
