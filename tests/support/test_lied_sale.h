/*
 * Sales at a running merchant during which its gateway lies (test_false_gateway.h), step by step:
 * what stood before the lie, what the merchant says of it, and how the sale ends after it. Fails
 * the cmocka test that calls it.
 */
#ifndef SETPAY_TEST_LIED_SALE_H
#define SETPAY_TEST_LIED_SALE_H

#include "tests/support/test_false_gateway.h"
#include "tests/support/test_market.h"

struct test_lied_sale {
    struct test_sale sale;
    struct test_channel *channel; /* on which the shopper waits for PRes */
    struct setpay_id rrpid;       /* of the question that was held */
    struct test_standing before;  /* the lie */
};

/* An order, its offer and its purchase; PReq is sent, and the merchant's question of the lie's type
 * is held with its lie. */
void test_lied_sale_start(struct test_market *market, struct test_false_gateway *liar,
                          const struct test_lie *lie, struct test_lied_sale *lied);
/* The lie is told. What the merchant's log says of it ("AUTH_MISMATCH M6"), as
 * test_daemon_wait_refusal waits for it. Valid until the next call. */
const char *test_lied_sale_tell(struct test_market *market, struct test_false_gateway *liar,
                                const struct test_lied_sale *lied, const char *expected,
                                const char *or_expected);
/* The gateway behaves again, and the shopper gets that end. Clears lied. */
void test_lied_sale_end(struct test_market *market, struct test_false_gateway *liar,
                        struct test_lied_sale *lied, const struct test_end *end);

/* All of it, for a lie that is as if nothing had come: the merchant's words are expected (or
 * or_expected, unless NULL), nothing has moved, the purchase is open; with the truth it is
 * authorised. */
void test_lied_sale(struct test_market *market, struct test_false_gateway *liar,
                    const struct test_lie *lie, const char *expected, const char *or_expected);

/* ------------------------------------------------------------------ what follows a sale */

/* An order that is paid in parts, the first of which is authorised. */
void test_lied_agree(struct test_market *market, int first_minor, struct test_sale *sale);
/* Waits until the lie was told so many times more. */
void test_lied_wait_told(struct test_false_gateway *liar, unsigned more);
/* Of the merchant's newest request to its gateway. */
struct setpay_id test_lied_newest_rrpid(const struct test_market *market);
/* A step is asked for, and the lie about it is told again and again: nothing moves, and of the
 * newest request the merchant's log says so (NULL: whatever). Then the truth, and the purchase gets
 * to that state. Counts a lie. */
void test_lied_expect_nothing(struct test_market *market, struct test_false_gateway *liar,
                              const struct test_sale *sale, const char *expected, const char *then);

/* ------------------------------------------------------------------ scenes */

/* A sale whose instruction lives for a minute only, so that a clock two minutes ahead makes the
 * merchant give it up (rule M9), while the gateway still takes the date of what it sends. The lie
 * is told from the first question on. */
struct test_scene {
    struct test_market *market;
    struct test_false_gateway *liar;
    struct test_sale sale;
    struct test_channel *channel; /* on which the shopper waits for PRes */
};
void test_scene_start(struct test_market *market, struct test_false_gateway *liar,
                      const struct test_lie *lie, struct test_scene *scene);
/* Sets the merchant's clock ahead; with SETPAY_MINUTE_MS * 2 it gives the purchase up. */
void test_scene_set_clock(struct test_scene *scene, int64_t ahead_ms);
/* The lie goes on and on, and nothing moves: the purchase stays in that state, and of the newest
 * request of that kind (enum setpay_ask_kind) the log says so (NULL: whatever). */
void test_scene_expect_open(struct test_scene *scene, const char *state, int kind,
                            const char *expected);
/* The shopper gets that end (or or_end, unless NULL), and the sealed instruction is gone (rule M7).
 * The merchant's clock is right again. */
void test_scene_end(struct test_scene *scene, const struct test_end *end,
                    const struct test_end *or_end);

#endif
