/*
 * Races at the real daemons, thousands of them by a seeded schedule:
 *
 * - same: the exact bytes of one PReq on 8 to 32 connections at once
 *
 * - shoppers: two to four shoppers, some of them real wallets, sign for one order and pay it at
 *   once
 *
 * - cancel: an order is paid and cancelled at the same moment
 *
 * - void: an order is paid, and voided as soon as that can be
 *
 * - expire: an order is paid at the moment at which it expires
 *
 * - further: of an order that is paid in parts the store takes the second while the shopper cancels
 *   what was agreed to, twice at once
 *
 * What always has to hold: every order has at most one authorisation, and of each purchase the
 * issuer was asked at most once; whoever sent the same bytes got the same answer, to the last byte;
 * what a shopper was told, by receipt or refusal, is what the books say; what the store was told of
 * its order is so; and once all has settled, wallets, merchant, gateway and issuer agree and
 * nothing is left over. Of thousands, some have to go one way and some the other: otherwise nothing
 * ever met, and the run has shown nothing. Prints TAP.
 *
 * - SEED=N: the schedule (default: the time); it is printed. Who races whom and when is the same
 *   for the same seed; how it goes is the machine's.
 *
 * - TRIES=N: how many (default 2400 with SETPAY_LONG=1, else 240)
 */
#include "common/base/secret.h"
#include "tests/support/test_race.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUND 240   /* tries until everything is looked at */
#define EXPIRING 40 /* of them at their order's expiry */
#define LANES 4     /* races at once */
#define TRIES_LONG 2400
#define MANY 2000 /* tries of which some must have gone either way */
#define SETTLE_LIMIT_MS 60000

static struct test_sandbox pattern, sandbox;
static pid_t other_wallet;
static unsigned tests, failures;

static void check(bool good, const char *name, const char *words)
{
    printf("%s %u - %s\n", good ? "ok" : "not ok", ++tests, name);
    if (!good)
        printf("# %s\n", words);
    fflush(stdout);
    failures += !good;
}

/* ------------------------------------------------------------------ one round */

struct lanes {
    struct test_race_track *track;
    struct test_race *races;
    size_t count;
    atomic_size_t next;
};

static void *lane(void *arg)
{
    struct lanes *lanes = arg;
    size_t i;
    while ((i = atomic_fetch_add(&lanes->next, 1)) < lanes->count)
        test_race_run(lanes->track, &lanes->races[i]);
    return NULL;
}

static void run_lanes(struct test_race_track *track, struct test_race *races, size_t count)
{
    struct lanes lanes = {.track = track, .races = races, .count = count};
    pthread_t threads[LANES];
    for (int i = 0; i < LANES; i++) {
        if (pthread_create(&threads[i], NULL, lane, &lanes) != 0)
            test_bail_out("no thread");
    }
    for (int i = 0; i < LANES; i++)
        pthread_join(threads[i], NULL);
}

/* Until nothing is under way any more. */
static bool settle(char *words, size_t size)
{
    static const char *const wallets[] = {"wallet", "other", NULL};
    int64_t limit_ms = test_now_ms() + SETTLE_LIMIT_MS;
    while (!test_nothing_left_over(&sandbox, wallets, words, size)) {
        if (test_now_ms() > limit_ms)
            return false;
        test_pause_ms(50);
    }
    return true;
}

static bool everyone_lives(char *words, size_t size)
{
    for (int i = 0; i < TEST_DAEMONS; i++) {
        if (test_sandbox_has_ended(&sandbox, (enum test_daemon)i, NULL)) {
            (void)snprintf(words, size, "%s has ended", test_daemon_names[i]);
            return false;
        }
    }
    return true;
}

static void run_round(struct test_race_track *track, unsigned number, struct test_race *races,
                      size_t count, unsigned *held)
{
    size_t expiring = count < EXPIRING ? count : EXPIRING;
    char name[64], words[400] = "";
    run_lanes(track, races + expiring, count - expiring);
    test_race_run_expiring(track, races, expiring);
    bool settled = settle(words, sizeof words) && everyone_lives(words, sizeof words);
    (void)snprintf(name, sizeof name, "round %u: all settled, nothing is left over", number);
    check(settled, name, words);
    unsigned broken = 0;
    for (size_t i = 0; i < count; i++) {
        if (settled && !test_race_holds(track, &races[i])) {
            printf("# race %llu, %s: %s\n", (unsigned long long)races[i].number,
                   test_race_names[races[i].kind], races[i].words);
            broken++;
        }
        held[races[i].kind] += settled;
        test_race_clear(&races[i]);
    }
    (void)snprintf(name, sizeof name, "round %u: %zu races, each with one outcome", number, count);
    (void)snprintf(words, sizeof words, "%u races broke a rule", broken);
    check(settled && broken == 0, name, words);
}

/* ------------------------------------------------------------------ all of them */

static void run(uint64_t seed, size_t tries)
{
    struct test_race *races = calloc(ROUND, sizeof *races);
    struct test_race_track *track = test_race_track_new(&pattern, &sandbox);
    unsigned held[TEST_RACES] = {0}, total = 0;
    size_t done = 0;
    if (races == NULL)
        test_bail_out("no memory");
    for (unsigned round = 1; done < tries && failures == 0; round++) {
        size_t count = tries - done < ROUND ? tries - done : ROUND;
        for (size_t i = 0; i < count; i++)
            test_race_plan(&races[i], seed, done + i, i < EXPIRING);
        run_round(track, round, races, count, held);
        done += count;
    }
    for (int i = 0; i < TEST_RACES; i++)
        total += held[i];
    test_race_track_report(track);
    if (tries >= MANY && failures == 0) {
        char words[400];
        bool met = test_race_track_met(track, words, sizeof words);
        check(met, "races of each kind went either way", words);
    }
    printf("# tally: races tried = %u\n", total);
    test_race_track_free(track);
    free(races);
}

int main(void)
{
    const char *build = getenv("BUILD"), *seed = getenv("SEED"), *tries = getenv("TRIES");
    char bin[512];
    if (setpay_secret_system_init() != SETPAY_OK)
        test_bail_out("no secret memory");
    (void)snprintf(bin, sizeof bin, "%s/bin", build == NULL ? "build" : build);
    char *path = realpath(bin, NULL);
    if (path == NULL)
        test_bail_out("%s: %s", bin, strerror(errno));
    uint64_t chosen =
        seed == NULL || *seed == '\0' ? (uint64_t)time(NULL) : strtoull(seed, NULL, 10);
    puts("# failures count as: lost or made twice");
    printf("# SEED=%llu\n", (unsigned long long)chosen);
    test_sandbox_make(&pattern, path);
    test_sandbox_up(&sandbox, &pattern, NULL);
    other_wallet = test_sandbox_add_wallet(&sandbox, "other", "visa", "4000005700009781", "3012");
    size_t otherwise = test_is_long() ? TRIES_LONG : ROUND;
    run(chosen, tries == NULL || *tries == '\0' ? otherwise : strtoul(tries, NULL, 10));
    kill(other_wallet, SIGKILL);
    if (failures > 0)
        printf("# the sandbox stays in %s\n", sandbox.dir);
    test_sandbox_down(&sandbox, failures == 0);
    test_sandbox_down(&pattern, true);
    printf("1..%u\n", tests);
    free(path);
    return failures == 0 ? 0 : 1;
}
