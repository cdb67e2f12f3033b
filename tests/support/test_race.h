/*
 * One race for one order, at the daemons of a sandbox: planned by a seed, run by threads that start
 * at planned moments, and judged by the books once all has settled. tests/integration/races.c says
 * which there are.
 */
#ifndef SETPAY_TEST_RACE_H
#define SETPAY_TEST_RACE_H

#include "tests/support/test_agreement.h"
#include "tests/support/test_racer.h"

#include <stdint.h>

enum test_race_kind {
    TEST_RACE_SAME,
    TEST_RACE_SHOPPERS,
    TEST_RACE_CANCEL,
    TEST_RACE_VOID,
    TEST_RACE_EXPIRE,
    TEST_RACE_FURTHER, /* of what was agreed to: the store takes a part, the shopper cancels it
                          twice */
    TEST_RACES
};
extern const char *const test_race_names[TEST_RACES];

#define TEST_RACE_PAYERS 4
#define TEST_RACE_COPIES 32
#define TEST_RACE_WORDS 2

/* Who signs, and what they were told. */
struct test_payer {
    int wallet;       /* 0: a shopper without a daemon; else the number of a wallet */
    int shopper;      /* which of them */
    int64_t delay_us; /* after the race's start */
    json_t *offer;    /* a wallet's, prepared */
    struct test_purchase *purchase;
    struct setpay_buffer preq;
    struct setpay_buffer answer;
    int status; /* of HTTP */
};

struct test_race {
    uint64_t number;
    enum test_race_kind kind;
    int copies; /* of the same PReq */
    int payer_count;
    struct test_payer payers[TEST_RACE_PAYERS];
    int64_t action_delay_us; /* of cancel or void; or of the store's further payment */
    int action_tries;        /* a void that comes too early is repeated */
    char order_id[32];
    char uri[160];
    int64_t expires_ms;
    int64_t words_us[TEST_RACE_WORDS]; /* when the shopper's wallet is told to cancel */
    int action_status;                 /* of the last cancel, void or payment; 0: none */
    char words[400];                   /* what broke while it ran; "" so far nothing */
};

/* The sandbox, its shoppers, and connections to its merchant. */
struct test_race_track;
/* pattern: where the CA is. The sandbox must have the wallets "wallet" and "other". */
struct test_race_track *test_race_track_new(const struct test_sandbox *pattern,
                                            const struct test_sandbox *sandbox);
void test_race_track_free(struct test_race_track *track);
/* Prints how often what came out. */
void test_race_track_report(const struct test_race_track *track);

/* Whether those that raced have met: of cancel, void and expire some ended paid and some not, of
 * further payments some were taken and some came too late, and copies of a PReq were answered.
 * Otherwise words say which did not. */
bool test_race_track_met(const struct test_race_track *track, char *words, size_t size);

/* Fills in everything that the seed decides. */
void test_race_plan(struct test_race *race, uint64_t seed, uint64_t number, bool expires);
/* Makes the order and runs the race to its end. */
void test_race_run(struct test_race_track *track, struct test_race *race);
/* The same for orders that are paid as they expire, all at once: the clock of all is moved. Nothing
 * else may be under way. */
void test_race_run_expiring(struct test_race_track *track, struct test_race *races, size_t count);
/* Once all has settled: did every rule hold? Otherwise words say which did not. */
bool test_race_holds(struct test_race_track *track, struct test_race *race);
void test_race_clear(struct test_race *race);

#endif
