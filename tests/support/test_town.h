/*
 * A sandbox (test_sandbox.h) with more merchants and wallets in it, all real daemons of one
 * gateway, which can be killed and started again, and whose clocks can be moved by hours.
 *
 * What fails that is not under test ends the program ("Bail out!").
 */
#ifndef SETPAY_TEST_TOWN_H
#define SETPAY_TEST_TOWN_H

#include "tests/support/test_buyer.h"
#include "tests/support/test_sandbox.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEST_TOWN_MERCHANTS 3
#define TEST_TOWN_WALLETS 8
#define TEST_TOWN_DAEMONS (TEST_TOWN_MERCHANTS + TEST_TOWN_WALLETS + 2)

struct test_townsman {
    enum test_daemon kind;
    char name[16]; /* of its files */
    char id[32];   /* of a merchant */
    char token[128];
    uint16_t admin_port;
    struct test_store store; /* of a merchant */
    char socket[192];        /* of a wallet */
    pid_t pid;
    unsigned killed; /* how often */
};

struct test_town;

/* How daemons are killed. */
#define TEST_SPARED(kind) (1U << (kind))
struct test_town_killing {
    uint64_t seed;
    int pause_ms;    /* between two of them, about */
    unsigned spared; /* TEST_SPARED of kinds: now the gateway is killed instead, and they later */
    /* Before each, with a number of chance; or NULL. */
    void (*before)(struct test_town *town, uint64_t chance);
};
#define TEST_TOWN_DRAWN 8

struct test_town {
    struct test_sandbox sandbox;
    struct test_townsman men[TEST_TOWN_DAEMONS];
    struct test_townsman *merchants[TEST_TOWN_MERCHANTS];
    struct test_townsman *wallets[TEST_TOWN_WALLETS];
    struct test_townsman *gateway, *issuer;
    int hour;            /* of its clocks, since the first */
    bool is_issuer_away; /* so that no gateway is ready; it does its work all the same */
    /* The killer's. */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t told;
    bool kills, busy;
    struct test_town_killing killing;
    uint64_t state; /* of its generator */
    enum test_daemon drawn[TEST_TOWN_DRAWN];
    size_t left;                 /* of these */
    unsigned owed[TEST_DAEMONS]; /* kills of each kind that were spared */
};

/* What one town has that others may not. */
struct test_town_plan {
    const char *const *lines; /* in front of the configuration of each daemon of a kind */
    const char *issuer;       /* more of the gateway's section of its issuer */
    const char *fees; /* the gateway's [fees BRAND.CURRENCY] sections, in place of the sandbox's */
    /* Of the default card of each wallet but the first: "visa" or "mastercard". */
    const char *(*brand_of)(size_t wallet);
};

/* All of them, started and ready. */
void test_town_up(struct test_town *town, const struct test_town_plan *plan);
void test_town_down(struct test_town *town, bool remove);

/* Kills one by one at random (SIGKILL), and starts each again at once; until it is told to stop,
 * when all are ready again. Of eight, two are wallets, three merchants, two the gateway and one the
 * issuer. */
void test_town_killing_begins(struct test_town *town, const struct test_town_killing *killing);
void test_town_killing_ends(struct test_town *town);
/* One, which is ready again when it returns; while nobody else is killed. */
void test_town_kill(struct test_town *town, struct test_townsman *man);
/* How many were, since the town is there. */
unsigned test_town_killed(struct test_town *town);
unsigned test_town_killed_of(struct test_town *town, enum test_daemon kind);

/* In good order; and again, ready. Nobody is killed meanwhile. */
void test_town_stop(struct test_townsman *man);
void test_town_start(struct test_town *town, struct test_townsman *man);

/* All stop in good order, and start again with their clocks so many hours after the first; the CA's
 * revocation lists are of that hour. */
void test_town_hour(struct test_town *town, int hour);

/* One of the town's programs ("setpay-gateway") to its end, as of its hour: its exit status. With
 * the configuration of that daemon. words ends with NULL; output: owned by the caller, or NULL. */
int test_town_program(const struct test_town *town, const char *program,
                      const struct test_townsman *of, const char *const *words, char **output);
typedef void test_town_report_fn(bool is_ok, const char *what, const char *words);
/* The same, which is to end with 0; what it has said is shown where it does not. */
void test_town_tool(const struct test_town *town, const char *what, const char *program,
                    const struct test_townsman *of, const char *const *words,
                    test_town_report_fn *report);
/* What a program prints, as a file of the town's; false unless it ends with 0. */
bool test_town_print(const struct test_town *town, const char *program,
                     const struct test_townsman *of, const char *const *words, const char *name,
                     char path[192]);

#endif
