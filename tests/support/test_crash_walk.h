/*
 * One purchase in a sandbox during which a daemon dies at a crash point, and perhaps a second one,
 * or the same again, dies while the first crash is being recovered from. What is dead is started
 * again, as an init system would, and the wallet is unlocked with the passphrase in its file;
 * nobody does anything else. Then all must agree on one outcome, and nothing be left over.
 */
#ifndef SETPAY_TEST_CRASH_WALK_H
#define SETPAY_TEST_CRASH_WALK_H

#include "tests/support/test_sandbox.h"

#include <stddef.h>
#include <stdint.h>

enum test_scenario {
    TEST_APPROVED,  /* a plain purchase */
    TEST_DECLINED,  /* the issuer says no */
    TEST_PARTIAL,   /* the issuer approves half, which is given back at once (rule G11) */
    TEST_DROPPED,   /* the issuer holds the amount and drops the line: a reversal (rule G7) */
    TEST_LATE,      /* the order is cancelled before it is signed: a void (rule M9) */
    TEST_CANCELLED, /* the order is cancelled while the issuer is being asked */
    TEST_VOID,      /* an authorised order is voided, and the wallet asks */
    TEST_CAPTURED,  /* an order whose money is wanted at once is paid */
    TEST_REFUNDED,  /* such an order is given back, by a store that repeats its request */
    TEST_UNDONE,    /* such an order's capture is undone likewise */
    TEST_CLOSED,    /* the batch of such an order is closed, and presented */
    TEST_FURTHER,   /* of an order that is paid in parts the store takes the second */
    TEST_STOPPED,   /* such an order's shopper cancels what was agreed to */
    TEST_SCENARIOS
};
extern const char *const test_scenario_names[TEST_SCENARIOS];

#define TEST_POINT_SIZE 32

/* The count-th pass of a point in a daemon; count 0: none. */
struct test_crash {
    int daemon;
    uint32_t count;
    char point[TEST_POINT_SIZE];
};

struct test_walk {
    int scenario;
    struct test_crash first;  /* counted from the purchase's begin on */
    struct test_crash second; /* counted from the first one's death on; in a daemon that was killed
                                 before, from its start on */
};

enum test_verdict {
    TEST_WALKED, /* every crash that was wished happened, and all is well */
    TEST_UNREACHED /* all is well, but a point was not passed that often */,
    TEST_BROKEN /* words say what is wrong */
};

#define TEST_PASSES_MAX 128

struct test_walk_result {
    enum test_verdict verdict;
    int recovery_ms;     /* from the last death until all was well */
    uint32_t pass_count; /* passes since the first death; without a crash, since the begin */
    struct test_crash passes[TEST_PASSES_MAX];
    char words[400];
};

/* limit_ms: for the recovery. After TEST_BROKEN the sandbox is in no known state. */
void test_walk_run(struct test_sandbox *sandbox, const struct test_walk *walk, int limit_ms,
                   struct test_walk_result *result);

/* "void: gateway dies at net.send 2, then merchant at store.commit 1" */
void test_walk_format(const struct test_walk *walk, char *text, size_t size);
/* What test_walk_format made; false for anything else. */
bool test_walk_parse(const char *text, struct test_walk *walk);

#endif
