/*
 * What a refusal by the gateway must be, down to the last byte, and what it must leave untouched.
 *
 * A liar gets an Error with the wire code of exactly that error and nothing else: no certificate,
 * no field more, and for all that concerns secrets the same code in the same number of bytes. The
 * log has one line more, with error and rule. No row of the gateway's database has changed, none of
 * the issuer's, and the issuer was not asked.
 *
 * Fails the cmocka test that calls it.
 */
#ifndef SETPAY_TEST_REFUSAL_H
#define SETPAY_TEST_REFUSAL_H

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "tests/support/test_gateway.h"

#include <stddef.h>
#include <stdint.h>

/* How things stand. Zeroed memory is none. */
struct test_stillness {
    char *gateway_rows;
    char *issuer_rows;    /* NULL: setpay-issuersim does not run */
    int64_t issuer_asked; /* messages about payments */
    size_t refused;       /* lines in the gateway's log */
};

void test_stillness_take(struct test_gateway *gateway, struct test_stillness *still);
/* Nothing has moved since, but for so many refusals in the log. Clears it. */
void test_stillness_expect(struct test_gateway *gateway, struct test_stillness *still,
                           size_t refusals);

/* The answer to message is an Error of just that ("PI_MISMATCH G4"). */
void test_refusal_check(struct test_gateway *gateway, struct setpay_view message,
                        struct setpay_view answer, const char *expected);
/* Sends message: all of the above holds. */
void test_refusal_expect(struct test_gateway *gateway, struct test_line *line,
                         struct setpay_view message, const char *expected);
/* The same where one of two errors is right. */
void test_refusal_expect_either(struct test_gateway *gateway, struct test_line *line,
                                struct setpay_view message, const char *expected,
                                const char *or_expected);
/* AuthReq of a purchase, as test_purchase_auth_req makes it. */
void test_refusal_of_purchase(struct test_gateway *gateway, struct test_line *line,
                              const struct test_purchase *purchase, const char *expected);

/* How many lies this program has told: for its "# tally: rules attacked". */
size_t test_refusal_count(void);
/* One that was checked in some other way. */
void test_refusal_add(void);

#endif
