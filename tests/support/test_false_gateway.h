/*
 * A gateway that lies: a framed TLS 1.3 server inside the test, with the keys and certificates of
 * the gateway under test (test_gateway.h), to which a real merchant connects as to any other. It
 * has the real gateway answer each question in the name of the merchant that asks, and passes the
 * truth on unless it was told to lie: so that, when it behaves again, what comes out is what
 * gateway and issuer really hold. It aborts where a question is repeated otherwise than it was
 * first asked (rule A6).
 *
 *     test_false_gateway_hold(gateway, &lie);          the next question waits
 *     ...the merchant asks...
 *     test_false_gateway_wait_held(gateway, &rrpid);   what was before the lie can be looked at
 *     test_false_gateway_release(gateway);             and the lie is told, again and again
 *     test_false_gateway_behave(gateway);
 */
#ifndef SETPAY_TEST_FALSE_GATEWAY_H
#define SETPAY_TEST_FALSE_GATEWAY_H

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/wire/messages.h"
#include "common/wire/signed.h"
#include "tests/support/test_gateway.h"

#include <stdbool.h>
#include <stdint.h>

struct test_false_gateway;

/* What was asked, and what the real gateway answers. */
struct test_question {
    struct test_gateway *gateway; /* the real one */
    int brand;                    /* 0: visa */
    struct setpay_view bytes;
    struct setpay_message message; /* the same, opened */
    struct setpay_id rrpid;
    struct setpay_view truth; /* empty where the real gateway is not to know */
};
/* Makes another answer; what stays empty is not sent. On the connection's thread. */
typedef void test_lie_fn(const struct test_question *question, const void *arg,
                         struct setpay_buffer *answer);

enum test_lie_how {
    TEST_LIE_ONCE = 0,   /* one frame with the question's id */
    TEST_LIE_TWICE,      /* two */
    TEST_LIE_OTHER_ID,   /* under an id that no question has had */
    TEST_LIE_HANG_UP,    /* half a frame, and the connection ends */
    TEST_LIE_HUGE_FRAME, /* a frame whose length is above all limits */
    TEST_LIE_EMPTY_FRAME,
};

struct test_lie {
    enum setpay_message_type to; /* the type of question that gets it; 0: AuthReq and AuthRevReq */
    test_lie_fn *tell;           /* NULL: the truth, in that manner */
    const void *arg;
    enum test_lie_how how;
    bool alone; /* the real gateway does not hear of the question */
};

struct test_false_gateway *test_false_gateway_new(struct test_gateway *gateway);
void test_false_gateway_free(struct test_false_gateway *gateway);
const char *test_false_gateway_address(const struct test_false_gateway *gateway);

/* From now on every question of its type gets the lie. */
void test_false_gateway_lie(struct test_false_gateway *gateway, const struct test_lie *lie);
/* The same, but the first such question waits with its lie until it is released. */
void test_false_gateway_hold(struct test_false_gateway *gateway, const struct test_lie *lie);
void test_false_gateway_wait_held(struct test_false_gateway *gateway, struct setpay_id *rrpid);
void test_false_gateway_release(struct test_false_gateway *gateway);
/* Nothing but the truth. */
void test_false_gateway_behave(struct test_false_gateway *gateway);
/* How often a lie was told since the last was set up. */
unsigned test_false_gateway_told(struct test_false_gateway *gateway);

/* Shows that certificate to who connects for that brand (NULL: the right one again), and ends all
 * connections. */
void test_false_gateway_present(struct test_false_gateway *gateway, int brand,
                                const struct test_party *tls);
/* Ends all connections; a client may resume its session. */
void test_false_gateway_hang_up(struct test_false_gateway *gateway);
/* How many connections have resumed a session. */
unsigned test_false_gateway_resumed(struct test_false_gateway *gateway);
/* How many questions have come at all. */
unsigned test_false_gateway_questions(struct test_false_gateway *gateway);

#endif
