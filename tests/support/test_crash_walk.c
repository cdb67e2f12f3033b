/*
 * The shopper and the store act on a thread of their own, as they would in another process; the
 * caller's thread plays init, and looks into the databases.
 *
 * No request of the test's own passes a crash point between arming and the end but those that are
 * part of the scenario: what is read meanwhile is read from the databases, since a health check
 * over HTTP would count as a receive and a send.
 */
#include "tests/support/test_crash_walk.h"

#include "tests/support/test_agreement.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define SETTLE_LIMIT_MS 30000 /* for what is not under test */
#define LATENCY_MS 150        /* of the issuer, so that there is time to cancel */
#define AMOUNT 1000
#define FIRST 400 /* of it, where it is paid in parts */

const char *const test_scenario_names[TEST_SCENARIOS] = {
    "approved", "declined", "partial", "dropped", "late",    "cancelled", "void",
    "captured", "refunded", "undone",  "closed",  "further", "stopped"};
static const char *const cards[TEST_SCENARIOS] = {
    [TEST_DECLINED] = "do-not-honour", [TEST_PARTIAL] = "partial", [TEST_DROPPED] = "drop-after"};
static const char *const wallets[] = {"wallet", NULL};

struct course {
    struct test_sandbox *sandbox;
    const struct test_walk *walk;
    struct test_walk_result *result;
    char order_id[32];
    char capture[64]; /* TEST_UNDONE: its id */
    char uri[160];
    char wallet[192];  /* its socket */
    json_t *offer;     /* TEST_LATE: prepared before the order was cancelled */
    atomic_bool ended; /* the shopper and the store have had their answer, or lost their peer */
    bool was_cancelled;
    bool was_declined; /* TEST_FURTHER */
    bool died_once;
    bool died_twice;
    bool is_starting[TEST_DAEMONS]; /* until its administration socket answers */
    bool is_locked;
    int64_t died_ms;
};

static bool fail(struct course *course, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The first word counts; the shopper's thread and the walker's may both have one. */
static bool fail(struct course *course, const char *format, ...)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    va_list args;
    (void)pthread_mutex_lock(&lock);
    if (course->result->verdict != TEST_BROKEN) {
        va_start(args, format);
        (void)vsnprintf(course->result->words, sizeof course->result->words, format, args);
        va_end(args);
        course->result->verdict = TEST_BROKEN;
    }
    (void)pthread_mutex_unlock(&lock);
    return false;
}

/* ------------------------------------------------------------------ shopper and store */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

/* The shopper has agreed to more than one payment. */
static bool is_agreed(const struct course *course)
{
    return course->walk->scenario == TEST_FURTHER || course->walk->scenario == TEST_STOPPED;
}

static bool is_captured(const struct course *course)
{
    return course->walk->scenario >= TEST_CAPTURED && !is_agreed(course);
}

/* Captured with its authorisation, as a sale; what is undone was captured by itself, since an
 * undone sale gives its authorisation up as well. */
static bool is_sold(const struct course *course)
{
    return is_captured(course) && course->walk->scenario != TEST_UNDONE;
}

static bool new_order(struct course *course)
{
    static atomic_uint number;
    char body[200], terms[64] = "", key[64];
    json_t *answer = NULL;
    (void)snprintf(key, sizeof key, "order-%d-%u", (int)getpid(), atomic_fetch_add(&number, 1));
    if (is_agreed(course))
        (void)snprintf(terms, sizeof terms, ",\"terms\":{\"kind\":\"split\",\"first\":%d}", FIRST);
    (void)snprintf(
        body, sizeof body,
        "{\"description\":\"A crash\",\"amount\":%d,\"currency\":\"EUR\",\"capture\":\"%s\"%s}",
        AMOUNT, is_sold(course) ? "immediate" : "manual", terms);
    int status = test_sandbox_api(course->sandbox, "POST", "/orders", body, key, &answer);
    (void)snprintf(course->order_id, sizeof course->order_id, "%s", text_of(answer, "order_id"));
    (void)snprintf(course->uri, sizeof course->uri, "%s", text_of(answer, "pay_uri"));
    json_decref(answer);
    return status == 201 || fail(course, "no order could be made: status %d", status);
}

/* An offer, owned by the caller; NULL without. A purchase of this link, if there is one, is
 * waited for instead, as setpay-wallet does. */
static json_t *prepare(struct course *course, const char *card)
{
    json_t *prepared = NULL;
    json_t *args = json_pack("{s:s}", "uri", course->uri);
    if (card != NULL)
        json_object_set_new(args, "card", json_string(card));
    if (test_sandbox_call(course->wallet, "pay.prepare", args, &prepared) != SETPAY_OK)
        return NULL;
    json_t *offer = json_incref(json_object_get(prepared, "offer"));
    const char *xid = text_of(json_object_get(prepared, "purchase"), "xid");
    if (offer == NULL && json_is_true(json_object_get(prepared, "resumes"))) {
        enum setpay_error error =
            test_sandbox_call(course->wallet, "pay.resume", json_pack("{s:s}", "xid", xid), NULL);
        (void)error;
    }
    json_decref(prepared);
    return offer;
}

static void confirm(struct course *course, const json_t *offer)
{
    json_t *args =
        json_pack("{s:s, s:s, s:s, s:O}", "xid", text_of(offer, "xid"), "currency",
                  text_of(offer, "currency"), "merchant_id", text_of(offer, "merchant_id"),
                  "amount", json_object_get(offer, "amount"));
    if (is_agreed(course))
        json_object_set(args, "terms", json_object_get(offer, "terms_text"));
    /* What it says is not believed: the databases are looked into. */
    enum setpay_error error = test_sandbox_call(course->wallet, "pay.confirm", args, NULL);
    (void)error;
}

static void pay(struct course *course, const char *card)
{
    json_t *offer = prepare(course, card);
    if (offer != NULL)
        confirm(course, offer);
    json_decref(offer);
}

/* A store repeats a request until it is answered, with the same key: 200 (done), 202 (a
 * cancellation that is under way) or 409 (too late for it; or a payment that is declined, since
 * nobody has heard the issuer's word). 0: never within the limit. */
static int order_action(struct course *course, const char *action, int limit_ms)
{
    char path[80], key[80], body[96] = "{}";
    int64_t limit = test_now_ms() + limit_ms;
    bool cancels = strcmp(action, "cancel") == 0, pays = strcmp(action, "authorise") == 0;
    (void)snprintf(path, sizeof path, "/orders/%s/%s", course->order_id, action);
    (void)snprintf(key, sizeof key, "%s-%s", action, course->order_id);
    if (strcmp(action, "undo") == 0)
        (void)snprintf(body, sizeof body, "{\"id\":\"%s\"}", course->capture);
    for (;;) {
        json_t *answer = NULL;
        int status = test_sandbox_api(course->sandbox, "POST", path, body, key, &answer);
        bool is_late = strcmp(text_of(answer, "type"), "urn:setpay:problem:order-state") == 0;
        bool is_declined = strcmp(text_of(answer, "type"), "urn:setpay:problem:declined") == 0;
        json_decref(answer);
        if (status == 200 || (cancels && (status == 202 || (status == 409 && is_late))) ||
            (pays && is_declined))
            return status;
        if (test_now_ms() > limit)
            return 0;
        test_pause_ms(20);
    }
}

/* Both sides have closed the batch in which the order was captured. */
static bool is_closed(const struct course *course)
{
    sqlite3 *database = test_sandbox_database(course->sandbox, "merchant");
    bool is = test_database_number(
                  database,
                  "SELECT count(*) FROM step JOIN purchase p ON p.id = purchase_id JOIN batch b ON"
                  " b.number = step.batch AND b.brand = p.brand WHERE order_id = ?1"
                  " AND b.state = 3",
                  course->order_id) == 1;
    sqlite3_close(database);
    return is;
}

/* What the wallet says is not believed: where it dies, the person sees that, and the agreement goes
 * on or not. */
static void cancel_agreement(const struct course *course)
{
    enum setpay_error error = test_agreement_cancel(course->sandbox, "wallet", course->order_id);
    (void)error;
}

/* A store that asks until it is done; each time anew, since what was answered is what was then. */
static bool close_batch(const struct course *course)
{
    char key[80];
    int64_t limit = test_now_ms() + SETTLE_LIMIT_MS;
    for (unsigned i = 0; !is_closed(course); i++) {
        if (test_now_ms() > limit)
            return false;
        (void)snprintf(key, sizeof key, "close-%s-%u", course->order_id, i);
        (void)test_sandbox_api(course->sandbox, "POST", "/batches/close", "{}", key, NULL);
        test_pause_ms(20);
    }
    return true;
}

static void *act(void *arg)
{
    struct course *course = arg;
    switch (course->walk->scenario) {
    case TEST_LATE:
        confirm(course, course->offer);
        break;
    case TEST_VOID:
        if (order_action(course, "void", SETTLE_LIMIT_MS) != 200)
            fail(course, "the void was never answered");
        break;
    case TEST_REFUNDED:
        if (order_action(course, "refund", SETTLE_LIMIT_MS) != 200)
            fail(course, "the refund was never answered");
        break;
    case TEST_UNDONE:
        if (order_action(course, "undo", SETTLE_LIMIT_MS) != 200)
            fail(course, "the capture's undoing was never answered");
        break;
    case TEST_CLOSED:
        if (!close_batch(course))
            fail(course, "the batch was never closed");
        break;
    case TEST_FURTHER:
        switch (order_action(course, "authorise", SETTLE_LIMIT_MS)) {
        case 200:
            break;
        case 409:
            course->was_declined = true;
            break;
        default:
            fail(course, "the second payment was never answered");
        }
        break;
    case TEST_STOPPED:
        cancel_agreement(course);
        break;
    default:
        pay(course, cards[course->walk->scenario]);
    }
    atomic_store(&course->ended, true);
    return NULL;
}

/* TEST_CANCELLED: once the gateway asks the issuer; or at the end, where that never came. */
static bool cancel_meanwhile(struct course *course)
{
    if (course->walk->scenario != TEST_CANCELLED || course->was_cancelled)
        return true;
    sqlite3 *gateway = test_sandbox_database(course->sandbox, "gateway");
    bool asking =
        test_database_number(gateway, "SELECT count(*) FROM payment WHERE state = 1", NULL) > 0;
    sqlite3_close(gateway);
    if (!asking && !atomic_load(&course->ended))
        return true;
    /* A merchant that is dead just now is asked again at the next look. */
    course->was_cancelled = order_action(course, "cancel", 0) != 0;
    return true;
}

static bool everyone_is_ready(struct course *course)
{
    int64_t limit = test_now_ms() + SETTLE_LIMIT_MS;
    for (int i = 0; i < TEST_DAEMONS; i++) {
        while (!test_sandbox_is_ready(course->sandbox, (enum test_daemon)i)) {
            if (test_now_ms() > limit)
                return fail(course, "%s is not ready", test_daemon_names[i]);
            test_pause_ms(10);
        }
    }
    return true;
}

static bool is_settled(struct course *course, struct test_outcome *outcome)
{
    char *words = course->result->words;
    size_t size = sizeof course->result->words;
    return test_order_agrees(course->sandbox, course->order_id, wallets, false, outcome, words,
                             size) &&
           test_nothing_left_over(course->sandbox, wallets, words, size);
}

/* For what is not under test. */
static bool settle(struct course *course, struct test_outcome *outcome)
{
    char words[400];
    int64_t limit = test_now_ms() + SETTLE_LIMIT_MS;
    while (!is_settled(course, outcome)) {
        if (test_now_ms() > limit) {
            memcpy(words, course->result->words, sizeof words);
            return fail(course, "outside the crash: %s", words);
        }
        test_pause_ms(5);
    }
    return true;
}

/* ------------------------------------------------------------------ points */

/* Adds a daemon's passes to the result, or puts its counts back to 0. False when it does not
 * answer. */
static bool read_points(struct course *course, int daemon, bool keep)
{
    struct test_walk_result *result = course->result;
    json_t *answer = NULL, *count;
    const char *point;
    if (test_sandbox_admin(course->sandbox, (enum test_daemon)daemon, "testing.points",
                           json_pack("{s:b}", "reset", !keep), &answer) != SETPAY_OK)
        return false;
    json_object_foreach(json_object_get(answer, "points"), point, count)
    {
        if (!keep || json_integer_value(count) == 0)
            continue;
        if (result->pass_count == TEST_PASSES_MAX || strlen(point) >= TEST_POINT_SIZE)
            test_bail_out("there is no room for all crash points");
        struct test_crash *pass = &result->passes[result->pass_count++];
        pass->daemon = daemon;
        pass->count = (uint32_t)json_integer_value(count);
        (void)snprintf(pass->point, sizeof pass->point, "%s", point);
    }
    json_decref(answer);
    return true;
}

static bool reset_points(struct course *course, int but)
{
    for (int i = 0; i < TEST_DAEMONS; i++) {
        if (i != but && !read_points(course, i, false))
            return fail(course, "%s does not answer", test_daemon_names[i]);
    }
    return true;
}

static bool arm(struct course *course, const struct test_crash *crash)
{
    return test_sandbox_admin(
               course->sandbox, (enum test_daemon)crash->daemon, "testing.crash",
               json_pack("{s:s, s:I}", "point", crash->point, "count", (json_int_t)crash->count),
               NULL) == SETPAY_OK;
}

/* Nobody dies any more, and the passes are read. False where somebody has just died. */
static bool quiesce(struct course *course)
{
    bool good = true;
    course->result->pass_count = 0;
    for (int i = 0; i < TEST_DAEMONS && good; i++)
        good = arm(course, &(struct test_crash){.daemon = i, .point = "none"});
    for (int i = 0; i < TEST_DAEMONS && good; i++)
        good = read_points(course, i, true);
    return good;
}

/* ------------------------------------------------------------------ the crash and what follows */

/* The daemon has ended. A death that was wished is followed by a new start. */
static bool on_death(struct course *course, int daemon, int status)
{
    const struct test_crash *first = &course->walk->first, *second = &course->walk->second;
    char crash[TEST_POINT_SIZE + 16], *armed = NULL;
    bool by_kill = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (by_kill && !course->died_once && first->count > 0 && daemon == first->daemon) {
        course->died_once = true;
        if (!reset_points(course, daemon))
            return false;
        if (second->count > 0 && second->daemon == daemon) {
            (void)snprintf(crash, sizeof crash, "%s:%u", second->point, second->count);
            armed = crash;
        } else if (second->count > 0 && !arm(course, second)) {
            return fail(course, "%s can't be armed", test_daemon_names[second->daemon]);
        }
    } else if (by_kill && course->died_once && !course->died_twice && second->count > 0 &&
               daemon == second->daemon) {
        course->died_twice = true;
    } else {
        return fail(course, "%s ended by itself: status %#x", test_daemon_names[daemon],
                    (unsigned)status);
    }
    course->died_ms = test_now_ms();
    test_sandbox_start(course->sandbox, (enum test_daemon)daemon, armed);
    course->is_starting[daemon] = true;
    course->is_locked = course->is_locked || daemon == TEST_WALLET;
    return true;
}

/* Sees deaths, and when all are back; *up says whether they are. */
static bool look_at_daemons(struct course *course, bool *up)
{
    *up = true;
    for (int i = 0; i < TEST_DAEMONS; i++) {
        int status = 0;
        if (test_sandbox_has_ended(course->sandbox, (enum test_daemon)i, &status) &&
            !on_death(course, i, status))
            return false;
        if (course->is_starting[i])
            course->is_starting[i] = test_sandbox_admin(course->sandbox, (enum test_daemon)i,
                                                        "status", NULL, NULL) != SETPAY_OK;
        *up = *up && !course->is_starting[i];
    }
    if (course->is_locked && test_sandbox_unlock(course->sandbox) == SETPAY_OK)
        course->is_locked = false;
    *up = *up && !course->is_locked;
    return cancel_meanwhile(course);
}

/* Until all is well, or the limit is over. */
static bool play_init(struct course *course, int limit_ms, struct test_outcome *outcome)
{
    char words[400];
    course->died_ms = test_now_ms();
    for (;;) {
        bool up;
        if (!look_at_daemons(course, &up))
            return false;
        if (up && atomic_load(&course->ended) &&
            (course->walk->scenario != TEST_CANCELLED || course->was_cancelled) &&
            is_settled(course, outcome)) {
            course->result->recovery_ms = (int)(test_now_ms() - course->died_ms);
            if (quiesce(course))
                return true;
        }
        if (test_now_ms() > course->died_ms + limit_ms) {
            (void)is_settled(course, outcome); /* for its words */
            memcpy(words, course->result->words, sizeof words);
            return fail(course, "not settled within %d ms: %s%s", limit_ms,
                        atomic_load(&course->ended) ? "" : "shopper or store still wait; ", words);
        }
        /* Looking costs: seldom, where it takes long. */
        int64_t waited_ms = test_now_ms() - course->died_ms;
        test_pause_ms(waited_ms < 200 ? 4 : waited_ms < 1000 ? 15 : 40);
    }
}

/* ------------------------------------------------------------------ before and after */

/* The id of the order's capture, once it is done. */
static bool find_capture(struct course *course)
{
    char path[64];
    json_t *answer = NULL;
    (void)snprintf(path, sizeof path, "/orders/%s", course->order_id);
    (void)test_sandbox_api(course->sandbox, "GET", path, NULL, NULL, &answer);
    const json_t *capture = json_array_get(json_object_get(answer, "captures"), 0);
    bool done = strcmp(text_of(capture, "status"), "done") == 0;
    (void)snprintf(course->capture, sizeof course->capture, "%s", text_of(capture, "id"));
    json_decref(answer);
    return done || fail(course, "the order was not captured beforehand");
}

static bool begin(struct course *course)
{
    struct test_outcome outcome;
    if (!everyone_is_ready(course) || !new_order(course))
        return false;
    switch (course->walk->scenario) {
    case TEST_LATE:
        course->offer = prepare(course, NULL);
        if (course->offer == NULL || order_action(course, "cancel", SETTLE_LIMIT_MS) != 200)
            return fail(course, "the order could not be cancelled beforehand");
        break;
    case TEST_CANCELLED:
        if (test_sandbox_admin(course->sandbox, TEST_ISSUER, "script",
                               json_pack("{s:i}", "latency_ms", LATENCY_MS), NULL) != SETPAY_OK)
            return fail(course, "the issuer does not take its script");
        break;
    case TEST_VOID:
    case TEST_REFUNDED:
    case TEST_UNDONE:
    case TEST_CLOSED:
    case TEST_FURTHER:
    case TEST_STOPPED:
        pay(course, NULL);
        if (!settle(course, &outcome))
            return false;
        if (outcome.authorised != 1)
            return fail(course, "the order could not be paid beforehand");
        if (is_captured(course) && !is_sold(course) &&
            order_action(course, "capture", SETTLE_LIMIT_MS) != 200)
            return fail(course, "the order can't be captured beforehand");
        if (is_captured(course) && !find_capture(course))
            return false;
        break;
    default:
        break;
    }
    return reset_points(course, -1);
}

static bool order_is(struct course *course, const char *status)
{
    char path[64];
    json_t *answer = NULL;
    (void)snprintf(path, sizeof path, "/orders/%s", course->order_id);
    test_sandbox_api(course->sandbox, "GET", path, NULL, NULL, &answer);
    bool is = strcmp(text_of(answer, "status"), status) == 0;
    json_decref(answer);
    return is;
}

/* What was taken, and that it was taken once. */
static bool parts_are(struct course *course, int64_t parts, int64_t minor)
{
    int64_t taken = test_agreement_payments(course->sandbox, course->order_id);
    sqlite3 *database = test_sandbox_database(course->sandbox, "merchant");
    int64_t approved = test_database_number(
        database, "SELECT sum(approved_minor) FROM purchase WHERE order_id = ?1", course->order_id);
    sqlite3_close(database);
    return (taken == parts && approved == minor) ||
           fail(course, "%d payments of %d in all", (int)taken, (int)approved);
}

/* A POST about the order, tried once: is it refused for that reason? */
static bool is_refused(struct course *course, const char *action, const char *problem)
{
    char path[80], key[80], type[80];
    json_t *answer = NULL;
    (void)snprintf(path, sizeof path, "/orders/%s/%s", course->order_id, action);
    (void)snprintf(key, sizeof key, "%s-%s-again", action, course->order_id);
    (void)snprintf(type, sizeof type, "urn:setpay:problem:%s", problem);
    int status = test_sandbox_api(course->sandbox, "POST", path, "{}", key, &answer);
    bool is = status == 409 && strcmp(text_of(answer, "type"), type) == 0;
    if (!is)
        fail(course, "%s once more: %d %s", action, status, text_of(answer, "type"));
    json_decref(answer);
    return is;
}

/* The second payment was taken once; or not at all, and then the store may ask an hour later. */
static bool take_again(struct course *course)
{
    if (!course->was_declined)
        return parts_are(course, 2, AMOUNT) && is_refused(course, "authorise", "order-state");
    return parts_are(course, 1, FIRST) && is_refused(course, "authorise", "too-soon") &&
           parts_are(course, 1, FIRST);
}

/* Whoever asked and got no answer asks once more; then the agreement is over, and takes no more. */
static bool stop_again(struct course *course)
{
    struct test_outcome outcome;
    cancel_agreement(course);
    if (!settle(course, &outcome) || !parts_are(course, 1, FIRST))
        return false;
    int64_t cancelled = test_agreement_is_cancelled(course->sandbox, "wallet", course->order_id);
    if (cancelled != 1)
        return fail(course, "the wallet does not know that it is cancelled");
    return is_refused(course, "authorise", "order-state") && parts_are(course, 1, FIRST);
}

/* What can be paid still, is; what is paid, is not paid again; what has ended, stays so. */
static bool pay_again(struct course *course)
{
    struct test_outcome outcome;
    bool ends = course->walk->scenario == TEST_LATE || course->walk->scenario == TEST_VOID ||
                (course->walk->scenario == TEST_CANCELLED && order_is(course, "cancelled"));
    if (course->walk->scenario == TEST_VOID && !order_is(course, "voided"))
        return fail(course, "the order is not voided");
    if (course->walk->scenario == TEST_LATE && !order_is(course, "cancelled"))
        return fail(course, "the order is not cancelled");
    if (course->walk->scenario == TEST_CANCELLED)
        (void)!test_sandbox_admin(course->sandbox, TEST_ISSUER, "script",
                                  json_pack("{s:b}", "reset", 1), NULL);
    pay(course, NULL);
    if (!settle(course, &outcome))
        return false;
    static const char *const statuses[TEST_SCENARIOS] = {
        [TEST_CAPTURED] = "captured", [TEST_REFUNDED] = "refunded", [TEST_CLOSED] = "captured"};
    const char *status = statuses[course->walk->scenario];
    status = status == NULL ? "authorised" : status;
    if (outcome.authorised != (ends ? 0 : 1) || order_is(course, status) == ends)
        return fail(course, "the link once more: %d of %d purchases are authorised",
                    outcome.authorised, outcome.attempts);
    return true;
}

static bool walk_through(struct course *course, int limit_ms)
{
    const struct test_walk *walk = course->walk;
    struct test_walk_result *result = course->result;
    struct test_outcome outcome;
    pthread_t thread;
    if (!begin(course))
        return false;
    if (walk->first.count > 0 && !arm(course, &walk->first))
        return fail(course, "%s can't be armed", test_daemon_names[walk->first.daemon]);
    if (pthread_create(&thread, NULL, act, course) != 0)
        return fail(course, "no thread");
    bool good = play_init(course, limit_ms, &outcome);
    if (!good) {
        /* Nobody answers it any more: so it ends. */
        for (int i = 0; i < TEST_DAEMONS; i++) {
            if (course->sandbox->pids[i] > 0)
                kill(course->sandbox->pids[i], SIGKILL);
        }
    }
    pthread_join(thread, NULL);
    if (!good || !everyone_is_ready(course) || !pay_again(course) ||
        (walk->scenario == TEST_FURTHER && !take_again(course)) ||
        (walk->scenario == TEST_STOPPED && !stop_again(course)))
        return false;
    bool all = (walk->first.count == 0 || course->died_once) &&
               (walk->second.count == 0 || course->died_twice);
    result->verdict = all ? TEST_WALKED : TEST_UNREACHED;
    result->words[0] = '\0';
    return true;
}

void test_walk_run(struct test_sandbox *sandbox, const struct test_walk *walk, int limit_ms,
                   struct test_walk_result *result)
{
    struct course course = {.sandbox = sandbox, .walk = walk, .result = result};
    memset(result, 0, sizeof *result);
    test_sandbox_wallet_socket(sandbox, course.wallet, sizeof course.wallet);
    (void)walk_through(&course, limit_ms);
    if (result->verdict == TEST_BROKEN) {
        size_t used = strlen(result->words);
        (void)snprintf(result->words + used, sizeof result->words - used, " (order %s in %s)",
                       course.order_id, sandbox->dir);
    }
    json_decref(course.offer);
}

/* ------------------------------------------------------------------ names */

void test_walk_format(const struct test_walk *walk, char *text, size_t size)
{
    const struct test_crash *first = &walk->first, *second = &walk->second;
    int used = snprintf(text, size, "%s", test_scenario_names[walk->scenario]);
    if (first->count > 0)
        used += snprintf(text + used, size - (size_t)used, ": %s dies at %s %u",
                         test_daemon_names[first->daemon], first->point, first->count);
    if (second->count > 0)
        (void)snprintf(text + used, size - (size_t)used, ", then %s at %s %u",
                       test_daemon_names[second->daemon], second->point, second->count);
}

static int index_of(const char *name, const char *const *names, int count)
{
    int i = 0;
    while (i < count && strcmp(name, names[i]) != 0)
        i++;
    return i < count ? i : -1;
}

bool test_walk_parse(const char *text, struct test_walk *walk)
{
    char scenario[16], first[16], second[16], counts[2][12] = {"", ""};
    memset(walk, 0, sizeof *walk);
    int found =
        sscanf(text, "%15[a-z]: %15s dies at %31s %11[0-9], then %15s at %31s %11[0-9]", scenario,
               first, walk->first.point, counts[0], second, walk->second.point, counts[1]);
    walk->first.count = (uint32_t)strtoul(counts[0], NULL, 10);
    walk->second.count = (uint32_t)strtoul(counts[1], NULL, 10);
    if (found != 1 && found != 4 && found != 7)
        return false;
    walk->scenario = index_of(scenario, test_scenario_names, TEST_SCENARIOS);
    walk->first.daemon = found < 4 ? 0 : index_of(first, test_daemon_names, TEST_DAEMONS);
    walk->second.daemon = found < 7 ? 0 : index_of(second, test_daemon_names, TEST_DAEMONS);
    return walk->scenario >= 0 && walk->first.daemon >= 0 && walk->second.daemon >= 0;
}
