/*
 * Faults of the lines between store, merchant, wallet, gateway and issuer: a sandbox of real
 * daemons, a proxy on each hop (tests/support/test_proxy.h), and a table, made by rule and not by
 * hand, of each fault on each hop, each way, at each message of a purchase and of its void, cancel
 * and reversal, of a further payment and of the end of an agreement. Several purchases run side by
 * side, each with the fault of its own; then others with faults at random everywhere (SEED).
 *
 * What is tried by it: a repeat is the same request (rule A6), a purchase is stored before it
 * leaves and ends by a receipt alone (rules W5, W7, M5), an order and an instruction are authorised
 * once (rules M4, G6), what was not answered is reversed until it is acknowledged (rule G7), what
 * is given up is voided (rule M9).
 *
 * After each: without a person and within seconds all agree, at most one authorisation stands, no
 * hold and nothing else is left over; a link that is not paid can be paid, once; one that is, is
 * not paid again.
 *
 * With SETPAY_LONG=1 the table is tried whole; without, one case in SHARE of it, by the seed.
 *
 * Environment: SEED (printed), COUNT (purchases with faults at random), CASES=no (only those),
 * ONLY=text (all cases whose words have it), LANES.  Prints TAP.
 */
#include "common/base/secret.h"
#include "tests/support/test_agreement.h"
#include "tests/support/test_buyer.h"
#include "tests/support/test_fault.h"
#include "tests/support/test_fault_table.h"
#include "tests/support/test_network_keys.h"
#include "tests/support/test_proxy.h"
#include "tests/support/test_sandbox.h"
#include "tests/support/test_settings.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TRIES 5 /* of a case whose fault had no occasion: another's fault was in the way */
#define BUYS 8  /* in one try */
#define COUNT_LONG 60
#define COUNT_SHORT 24
#define SHARE 6
#define LANES_DEFAULT 12
#define BY_PROGRAM 16 /* every so many-th link is opened once more, by setpay-wallet itself */
#define CHAOS_PER_MILLE 120
#define FIRST 400  /* of an order that is paid in parts */
#define UP_MS 9000 /* what a sandbox takes to come up on two cores with nothing else to do */
#define SLOWEST 5

static struct test_sandbox sandbox;
static struct test_plan *plan;
static struct test_proxy *proxy;
static struct test_store store; /* through the proxy */
static char wallet_socket[192];
static int unit_ms; /* 100, and more on a slow machine: what all time-outs are made of */
static const char *const wallets[] = {"wallet", NULL};

static struct test_case cases[TEST_CASES_MAX];
static size_t case_count, next_case, phase_end;
static uint64_t next_number, orders_made;
static uint64_t seed;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int test_count, failed_count;

static void report(bool is_ok, const char *what, const char *words)
{
    pthread_mutex_lock(&mutex);
    printf("%s %d - %s\n", is_ok ? "ok" : "not ok", ++test_count, what);
    if (!is_ok)
        printf("# %s\n", words);
    fflush(stdout);
    failed_count += !is_ok;
    pthread_mutex_unlock(&mutex);
}

/* ------------------------------------------------------------------ one lane's work */

#define ORDERS_MAX 32

struct order {
    char id[64];
    char uri[256];
    bool is_ended;    /* voided or cancelled by the store: it is not to be paid */
    const char *then; /* its status once it is paid and the store is done; NULL: authorised */
    int payments;     /* of what was agreed to, once the store is done; 0: there is no agreement */
    int least;        /* of them: those that the store was told of as done */
    bool is_stopped;  /* the shopper has cancelled it */
};

struct work {
    int lane;
    struct order orders[ORDERS_MAX];
    size_t order_count;
    const char *card;
    uint64_t place; /* among purchases with faults at random, from 1: what these depend on */
    bool in_parts;  /* orders are paid in parts, as the store asks */
    char words[512];
};

static bool fail(struct work *work, const char *words)
{
    (void)snprintf(work->words, sizeof work->words, "%s", words);
    return false;
}

static uint64_t number_new(void)
{
    pthread_mutex_lock(&mutex);
    uint64_t number = ++next_number;
    pthread_mutex_unlock(&mutex);
    return number;
}

static struct order *last_order(struct work *work)
{
    return &work->orders[work->order_count - 1];
}

static int64_t orders_described(const char *description)
{
    sqlite3 *database = test_sandbox_database(&sandbox, "merchant");
    int64_t count = test_database_number(
        database, "SELECT count(*) FROM orders WHERE description = ?1", description);
    sqlite3_close(database);
    return count;
}

/* Makes an order, which the lane's faults are for from now on. The request is repeated until it is
 * answered; there is still one order. */
static bool order_new(struct work *work)
{
    uint64_t number = number_new();
    char body[224], terms[64] = "", key[64], token[128], description[64];
    json_t *answer = NULL;
    if (work->order_count == ORDERS_MAX)
        return fail(work, "too many orders for one case");
    (void)snprintf(description, sizeof description, "%d-%llu", work->lane,
                   (unsigned long long)number);
    if (work->in_parts)
        (void)snprintf(terms, sizeof terms, ",\"terms\":{\"kind\":\"split\",\"first\":%d}", FIRST);
    (void)snprintf(body, sizeof body,
                   "{\"description\":\"%s\",\"amount\":%llu,\"currency\":\"EUR\"%s}", description,
                   1000 + (unsigned long long)number % 9000, terms);
    (void)snprintf(key, sizeof key, "order-%d-%llu", work->lane, (unsigned long long)number);
    test_plan_set_lane(plan, work->lane, key, work->place);
    int status = test_store_post(&store, "/orders", body, key, 300 * unit_ms, &answer);
    const char *id = json_string_value(json_object_get(answer, "order_id"));
    const char *uri = json_string_value(json_object_get(answer, "pay_uri"));
    bool made = status == 201 && id != NULL && uri != NULL && strrchr(uri, '/') != NULL;
    if (made) {
        struct order *order = &work->orders[work->order_count++];
        *order = (struct order){.payments = work->in_parts ? 1 : 0, .least = 1};
        (void)snprintf(order->id, sizeof order->id, "%s", id);
        (void)snprintf(order->uri, sizeof order->uri, "%s", uri);
        (void)snprintf(token, sizeof token, "%s", strrchr(uri, '/') + 1);
        test_plan_set_lane(plan, work->lane, token, work->place);
        test_plan_add_name(plan, work->lane, id);
        pthread_mutex_lock(&mutex);
        orders_made++;
        pthread_mutex_unlock(&mutex);
    }
    json_decref(answer);
    if (!made)
        return fail(work, "an order can't be made");
    return orders_described(description) == 1 || fail(work, "a repeated request made two orders");
}

static bool is_paid(const char *status)
{
    return strcmp(status, "authorised") == 0 || strcmp(status, "captured") == 0;
}

static bool buy(struct work *work)
{
    char status[TEST_STATUS_SIZE];
    enum setpay_error error = test_buy(wallet_socket, last_order(work)->uri, work->card, status);
    return error == SETPAY_OK && is_paid(status);
}

/* Until it is paid; whatever goes wrong on the way is tried again. */
static bool buy_at_last(struct work *work, const struct order *order)
{
    int64_t until_ms = test_now_ms() + 300 * unit_ms;
    char status[TEST_STATUS_SIZE] = "";
    enum setpay_error error;
    do {
        error = test_buy(wallet_socket, order->uri, work->card, status);
        if (error == SETPAY_OK && is_paid(status))
            return true;
        test_pause_ms(20);
    } while (test_now_ms() < until_ms);
    (void)snprintf(work->words, sizeof work->words, "order %s can't be paid: %s %s", order->id,
                   setpay_error_name(error), status);
    return false;
}

/* The store gives the order up: "void" or "cancel". */
static bool give_up(struct work *work, const char *action)
{
    char path[128], key[64];
    struct order *order = last_order(work);
    (void)snprintf(path, sizeof path, "/orders/%s/%s", order->id, action);
    (void)snprintf(key, sizeof key, "%s-%d-%llu", action, work->lane,
                   (unsigned long long)number_new());
    int status = test_store_post(&store, path, "{}", key, 300 * unit_ms, NULL);
    order->is_ended = status == 200 || status == 202;
    if (order->is_ended)
        return true;
    (void)snprintf(work->words, sizeof work->words, "%s answered with %d", path, status);
    return false;
}

static bool status_is(struct work *work, const struct order *order, const char *a, const char *b)
{
    char path[128];
    json_t *shown = NULL;
    (void)snprintf(path, sizeof path, "/orders/%s", order->id);
    int answered = test_sandbox_api(&sandbox, "GET", path, NULL, NULL, &shown);
    const char *status = json_string_value(json_object_get(shown, "status"));
    bool good =
        answered == 200 && status != NULL && (strcmp(status, a) == 0 || strcmp(status, b) == 0);
    if (!good)
        (void)snprintf(work->words, sizeof work->words, "order %s is %s, not %s", order->id,
                       status == NULL ? "not shown" : status, a);
    json_decref(shown);
    return good;
}

/* The order's status is this, at once or within seconds. */
static bool becomes(struct work *work, const struct order *order, const char *status)
{
    int64_t until_ms = test_now_ms() + 100 * unit_ms;
    while (!status_is(work, order, status, status)) {
        if (test_now_ms() > until_ms)
            return false;
        test_pause_ms(20);
    }
    return true;
}

/* The store takes the money, or gives it back, and repeats its request until it is answered. */
static bool move_money(struct work *work, const char *action, const char *then)
{
    char path[128], key[64];
    struct order *order = last_order(work);
    (void)snprintf(path, sizeof path, "/orders/%s/%s", order->id, action);
    (void)snprintf(key, sizeof key, "%s-%d-%llu", action, work->lane,
                   (unsigned long long)number_new());
    int status = test_store_post(&store, path, "{}", key, 300 * unit_ms, NULL);
    order->then = then;
    if (status == 200 || status == 202)
        return becomes(work, order, then);
    (void)snprintf(work->words, sizeof work->words, "%s answered with %d", path, status);
    return false;
}

/* The store takes the second part. Where nobody has heard the issuer's word it was declined. */
static bool take_part(struct work *work)
{
    char path[128], key[64];
    json_t *answer = NULL;
    struct order *order = last_order(work);
    (void)snprintf(path, sizeof path, "/orders/%s/authorise", order->id);
    (void)snprintf(key, sizeof key, "authorise-%d-%llu", work->lane,
                   (unsigned long long)number_new());
    int status = test_store_post(&store, path, "{}", key, 300 * unit_ms, &answer);
    const char *type = json_string_value(json_object_get(answer, "type"));
    bool declined = type != NULL && strcmp(type, "urn:setpay:problem:declined") == 0;
    json_decref(answer);
    order->payments = declined ? 1 : 2;
    order->least = status == 200 ? 2 : 1;
    if (status == 200 || status == 202 || declined)
        return true;
    (void)snprintf(work->words, sizeof work->words, "%s answered with %d", path, status);
    return false;
}

/* The shopper ends it: the wallet has the word, and goes on by itself. */
static bool stop(struct work *work)
{
    struct order *order = last_order(work);
    enum setpay_error error = test_agreement_cancel(&sandbox, "wallet", order->id);
    order->is_stopped = error == SETPAY_OK;
    if (order->is_stopped)
        return true;
    (void)snprintf(work->words, sizeof work->words, "%s can't be cancelled: %s", order->id,
                   setpay_error_name(error));
    return false;
}

/* What was agreed to was taken so often, and ended, as it should. What was under way when the store
 * was answered may have been declined since. */
static bool agreement_holds(struct work *work, const struct order *order)
{
    if (order->payments == 0)
        return true;
    int64_t payments = test_agreement_payments(&sandbox, order->id);
    int64_t stopped = test_agreement_is_cancelled(&sandbox, "wallet", order->id);
    if (stopped == (order->is_stopped ? 1 : 0) && payments >= order->least &&
        payments <= order->payments)
        return true;
    (void)snprintf(work->words, sizeof work->words,
                   "order %s: %d payments of %d to %d, the wallet's word for cancelled is %d",
                   order->id, (int)payments, order->least, order->payments, (int)stopped);
    return false;
}

/* One of the order's captures or refunds that is not undone: its id. */
static bool step_id(struct work *work, const char *kind, char id[64])
{
    char path[128];
    json_t *shown = NULL;
    const json_t *step;
    size_t i;
    (void)snprintf(path, sizeof path, "/orders/%s", last_order(work)->id);
    (void)test_sandbox_api(&sandbox, "GET", path, NULL, NULL, &shown);
    id[0] = '\0';
    json_array_foreach(json_object_get(shown, kind), i, step)
    {
        const char *status = json_string_value(json_object_get(step, "status"));
        if (status != NULL && strcmp(status, "done") == 0 &&
            !json_is_true(json_object_get(step, "undone")))
            (void)snprintf(id, 64, "%s", json_string_value(json_object_get(step, "id")));
    }
    json_decref(shown);
    return id[0] != '\0' || fail(work, "a step that was done is not shown");
}

/* The store undoes it: "captures" or "refunds". */
static bool undo(struct work *work, const char *kind, const char *then)
{
    char id[64], path[128], key[64], body[96];
    struct order *order = last_order(work);
    if (!step_id(work, kind, id))
        return false;
    (void)snprintf(path, sizeof path, "/orders/%s/undo", order->id);
    (void)snprintf(key, sizeof key, "undo-%d-%llu", work->lane, (unsigned long long)number_new());
    (void)snprintf(body, sizeof body, "{\"id\":\"%s\"}", id);
    int status = test_store_post(&store, path, body, key, 300 * unit_ms, NULL);
    order->then = then;
    if (status == 200 || status == 202)
        return becomes(work, order, then);
    (void)snprintf(work->words, sizeof work->words, "%s answered with %d", path, status);
    return false;
}

/* The order's capture stands in a batch that both sides have closed. */
static bool is_closed(const char *order_id)
{
    static const char *const ours =
        "SELECT count(*) FROM step JOIN purchase p ON p.id = purchase_id JOIN batch b ON"
        " b.number = step.batch AND b.brand = p.brand WHERE order_id = ?1 AND b.state = 3";
    sqlite3 *database = test_sandbox_database(&sandbox, "merchant");
    bool is = test_database_number(database, ours, order_id) == 1;
    sqlite3_close(database);
    return is;
}

/* The store closes what is open, until that is done. */
static bool close_batches(struct work *work)
{
    char key[128];
    const struct order *order = last_order(work);
    int64_t until_ms = test_now_ms() + 300 * unit_ms;
    int status = 0;
    while (test_now_ms() < until_ms) {
        (void)snprintf(key, sizeof key, "close-%s-%llu", order->id,
                       (unsigned long long)number_new());
        status = test_store_post(&store, "/batches/close", "{}", key, 300 * unit_ms, NULL);
        if (status != 200 && status != 202)
            break;
        if (is_closed(order->id))
            return true;
        test_pause_ms(20);
    }
    (void)snprintf(work->words, sizeof work->words, "the batch of %s is not closed: %d", order->id,
                   status);
    return false;
}

/* ------------------------------------------------------------------ what must hold */

/* All agree on the order, at once or within seconds; on a machine that has slowed down since
 * unit_ms was measured, later. */
static bool settles(struct work *work, const struct order *order, struct test_outcome *outcome)
{
    int64_t until_ms = test_now_ms() + 600 * unit_ms;
    while (!test_order_agrees(&sandbox, order->id, wallets, false, outcome, work->words,
                              sizeof work->words)) {
        if (test_now_ms() > until_ms)
            return false;
        test_pause_ms(20);
    }
    return true;
}

/* The order, after its fault: agreed on; then paid if it is not, and not paid again if it is. */
static bool order_holds(struct work *work, const struct order *order)
{
    struct test_outcome first, then;
    if (!settles(work, order, &first))
        return false;
    if (order->is_ended && first.authorised > 0)
        return fail(work, "given up, and authorised all the same");
    if (order->is_ended)
        return status_is(work, order, "voided", "cancelled");
    if (!buy_at_last(work, order) || !settles(work, order, &then))
        return false;
    if (then.authorised != 1)
        return fail(work, "paid, and not authorised once");
    if (!agreement_holds(work, order))
        return false;
    const char *paid = order->then != NULL ? order->then : "authorised";
    if (!status_is(work, order, paid, paid))
        return false;
    if (number_new() % BY_PROGRAM == 0 &&
        (test_buy_by_program(sandbox.bin, wallet_socket, order->uri) != 0 ||
         !settles(work, order, &then)))
        return fail(work, "setpay-wallet does not say that it is paid");
    return first.authorised == 0 || first.attempts == then.attempts ||
           fail(work, "a link that was paid was paid again");
}

static bool all_hold(struct work *work)
{
    for (size_t i = 0; i < work->order_count; i++) {
        if (!order_holds(work, &work->orders[i]))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ one case */

static bool wait_for_fault(int id, unsigned count, int limit_ms)
{
    int64_t until_ms = test_now_ms() + limit_ms;
    while (test_plan_fired(plan, id) < count) {
        if (test_now_ms() > until_ms)
            return false;
        test_pause_ms(10);
    }
    return true;
}

/* Pays until the fault has been done as often as it should, or has no occasion any more. */
static bool pay_into(struct work *work, const struct test_fault *fault, int id)
{
    for (int i = 0; i < BUYS && test_plan_fired(plan, id) < fault->count; i++) {
        if (buy(work) && fault->lane != TEST_ANY_LANE)
            break;
    }
    return wait_for_fault(id, fault->count, 30 * unit_ms);
}

/* What was held back comes at last, to parties that have long agreed without it. Another purchase
 * goes behind it, so that it has been dealt with when that is paid. */
static bool wait_for_late(struct work *work, int lane)
{
    int64_t until_ms = test_now_ms() + 100 * unit_ms;
    if (test_plan_held(plan, lane) == 0 && work->place > 0)
        return true;
    while (test_plan_held(plan, lane) > 0) {
        if (test_now_ms() > until_ms)
            return fail(work, "a delayed message has not come yet");
        test_pause_ms(10);
    }
    return order_new(work) && buy_at_last(work, last_order(work));
}

static int arm_another(const struct work *work, enum test_hop hop, enum test_way way,
                       enum test_passing passing, unsigned count)
{
    const struct test_fault fault = {.hop = hop,
                                     .way = way,
                                     .passing = passing,
                                     .kind = TEST_FAULT_DROP,
                                     .count = count,
                                     .is_picky = true,
                                     .lane = work->lane};
    return test_plan_arm(plan, &fault);
}

static void *buy_on_thread(void *arg)
{
    (void)buy(arg);
    return NULL;
}

/* The order is cancelled while its AuthReq does not come through: it is voided (rule M9). */
static bool cancel_while_paid(struct work *work, const struct test_fault *fault, int id)
{
    struct work buyer = *work;
    pthread_t thread;
    int drop = arm_another(work, TEST_HOP_GATEWAY, TEST_REQUEST, TEST_AUTH, 100000);
    if (pthread_create(&thread, NULL, buy_on_thread, &buyer) != 0)
        test_bail_out("no thread");
    bool good = wait_for_fault(drop, 1, 100 * unit_ms) && give_up(work, "cancel") &&
                wait_for_fault(id, fault->count, 100 * unit_ms);
    pthread_join(thread, NULL);
    test_plan_disarm(plan, drop);
    return good;
}

/* New connections of a hop, each of which may be spoilt. */
static bool kick_and_pay(struct work *work, const struct test_fault *fault, int id)
{
    for (int i = 0; i < BUYS && test_plan_fired(plan, id) < fault->count; i++) {
        if (i > 0 && !order_new(work))
            return false;
        test_proxy_kick(proxy, fault->hop);
        (void)buy(work);
    }
    return wait_for_fault(id, fault->count, 60 * unit_ms);
}

/* Does what makes the message come; whether the fault has been done. */
static bool act(struct work *work, const struct test_case *the, int id)
{
    int other;
    bool done;
    switch (the->scenario) {
    case TEST_INQUIRE: /* without an answer to PReq the wallet inquires */
        other = arm_another(work, TEST_HOP_WALLET, TEST_ANSWER, TEST_P, 1);
        done = pay_into(work, &the->fault, id);
        test_plan_disarm(plan, other);
        return done;
    case TEST_TIME_OUT: /* without an answer to 0100 the gateway reverses */
        other = arm_another(work, TEST_HOP_ISSUER, TEST_ANSWER, TEST_0100, 1);
        done = pay_into(work, &the->fault, id);
        test_plan_disarm(plan, other);
        return done;
    case TEST_CANCEL:
        return cancel_while_paid(work, &the->fault, id);
    case TEST_REVERSE:
        return buy_at_last(work, last_order(work)) && give_up(work, "void") &&
               wait_for_fault(id, the->fault.count, 100 * unit_ms);
    case TEST_TAKE:
        return buy_at_last(work, last_order(work)) && move_money(work, "capture", "captured") &&
               move_money(work, "refund", "refunded") &&
               wait_for_fault(id, the->fault.count, 100 * unit_ms);
    case TEST_UNDO:
        return buy_at_last(work, last_order(work)) && move_money(work, "capture", "captured") &&
               undo(work, "captures", "authorised") && move_money(work, "capture", "captured") &&
               move_money(work, "refund", "refunded") && undo(work, "refunds", "captured") &&
               wait_for_fault(id, the->fault.count, 100 * unit_ms);
    case TEST_CLOSE:
        return buy_at_last(work, last_order(work)) && move_money(work, "capture", "captured") &&
               close_batches(work) && wait_for_fault(id, the->fault.count, 100 * unit_ms);
    case TEST_PARTS:
        return buy_at_last(work, last_order(work)) && take_part(work) &&
               wait_for_fault(id, the->fault.count, 100 * unit_ms);
    case TEST_PARTS_END:
        return buy_at_last(work, last_order(work)) && stop(work) &&
               wait_for_fault(id, the->fault.count, 100 * unit_ms);
    case TEST_CANCEL_OPEN:
        return give_up(work, "cancel") && wait_for_fault(id, the->fault.count, 10 * unit_ms);
    case TEST_WAIT:
        return wait_for_fault(id, the->fault.count, 300 * unit_ms) && (buy(work), true);
    case TEST_KICK:
        return kick_and_pay(work, &the->fault, id);
    default:
        return pay_into(work, &the->fault, id);
    }
}

/* Whether the fault was done; words say whether all held. */
static bool attempt(struct work *work, const struct test_case *the, bool *held)
{
    struct test_fault fault = the->fault;
    if (fault.lane != TEST_ANY_LANE)
        fault.lane = work->lane;
    unsigned believed = test_plan_believed(plan, fault.hop);
    work->order_count = 0;
    work->words[0] = '\0';
    work->in_parts = the->scenario == TEST_PARTS || the->scenario == TEST_PARTS_END;
    int id = test_plan_arm(plan, &fault);
    struct test_case mine = {.scenario = the->scenario, .fault = fault};
    bool done = order_new(work) && act(work, &mine, id);
    done = test_plan_disarm(plan, id) >= fault.count && done;
    /* Whether or not the fault came: what was begun must come to a good end. */
    *held = all_hold(work);
    if (*held && fault.kind == TEST_FAULT_CERTIFICATE)
        *held = test_plan_believed(plan, fault.hop) == believed ||
                fail(work, "who was shown a wrong certificate has believed it");
    if (*held && fault.kind == TEST_FAULT_DELAY)
        *held = wait_for_late(work, fault.lane) && all_hold(work);
    return done;
}

static void run_case(int lane, const struct test_case *the)
{
    char words[256];
    struct work work = {.lane = lane};
    bool held = true, done = false;
    int64_t before_ms = test_now_ms();
    test_fault_describe(&the->fault, words, sizeof words);
    for (int i = 0; i < TRIES && held && !done; i++) {
        work.card = number_new() % 3 == 0 ? "approve-mastercard" : NULL;
        done = attempt(&work, the, &held);
    }
    if (held && !done)
        fail(&work, "the fault found no occasion");
    (void)snprintf(words + strlen(words), sizeof words - strlen(words), " (%d ms)",
                   (int)(test_now_ms() - before_ms));
    report(held && done, words, work.words);
}

/* ------------------------------------------------------------------ faults at random */

static void run_random(int lane, uint64_t place)
{
    struct work work = {.lane = lane, .place = place};
    char what[160];
    work.card = place % 3 == 0 ? "approve-mastercard" : NULL;
    work.in_parts = place % 4 == 3;
    bool held = order_new(&work);
    for (int i = 0; held && i < 2 && !buy(&work); i++)
        continue;
    if (held && place % 4 == 0)
        held = buy_at_last(&work, last_order(&work)) && give_up(&work, "void");
    if (held && place % 4 == 1) /* perhaps too late: then it stays paid */
        (void)give_up(&work, "cancel");
    if (held && place % 4 == 2)
        held = buy_at_last(&work, last_order(&work)) && move_money(&work, "capture", "captured") &&
               move_money(&work, "refund", "refunded");
    if (held && place % 4 == 3)
        held = buy_at_last(&work, last_order(&work)) && take_part(&work) && stop(&work);
    if (held)
        held = all_hold(&work) && wait_for_late(&work, lane) && all_hold(&work);
    (void)snprintf(what, sizeof what, "faults at random, seed %llu, purchase %llu: %s",
                   (unsigned long long)seed, (unsigned long long)place,
                   work.order_count > 0 ? work.orders[0].id : "no order");
    report(held, what, work.words);
}

/* ------------------------------------------------------------------ all of it */

static uint64_t random_count, random_next = 1;

static void *lane_run(void *arg)
{
    int lane = (int)(intptr_t)arg;
    for (;;) {
        pthread_mutex_lock(&mutex);
        const struct test_case *the = next_case < phase_end ? &cases[next_case++] : NULL;
        uint64_t place = the == NULL && random_next <= random_count ? random_next++ : 0;
        pthread_mutex_unlock(&mutex);
        if (the != NULL)
            run_case(lane, the);
        else if (place > 0)
            run_random(lane, place);
        else
            return NULL;
    }
}

static void run_lanes(int lanes)
{
    pthread_t threads[TEST_LANES];
    for (int i = 0; i < lanes; i++) {
        if (pthread_create(&threads[i], NULL, lane_run, (void *)(intptr_t)i) != 0)
            test_bail_out("no thread");
    }
    for (int i = 0; i < lanes; i++)
        pthread_join(threads[i], NULL);
}

static void nothing_is_left(const char *what)
{
    char words[512] = "";
    int64_t until_ms = test_now_ms() + 100 * unit_ms;
    bool good;
    while (!(good = test_nothing_left_over(&sandbox, wallets, words, sizeof words)) &&
           test_now_ms() < until_ms)
        test_pause_ms(50);
    report(good, what, words);
}

static void one_order_each(void)
{
    char words[96];
    sqlite3 *database = test_sandbox_database(&sandbox, "merchant");
    int64_t orders = test_database_number(database, "SELECT count(*) FROM orders", NULL);
    sqlite3_close(database);
    (void)snprintf(words, sizeof words, "%lld orders for %llu", (long long)orders,
                   (unsigned long long)orders_made);
    report(orders == (int64_t)orders_made, "a repeated POST /orders makes no second order", words);
}

static void none_is_believed(void)
{
    char what[96], words[64];
    for (int hop = 0; hop < TEST_HOPS; hop++) {
        if (hop == TEST_HOP_STORE) /* there is no TLS */
            continue;
        unsigned believed = test_plan_believed(plan, (enum test_hop)hop);
        (void)snprintf(what, sizeof what, "%s: nobody believes a wrong certificate",
                       test_hop_names[hop]);
        (void)snprintf(words, sizeof words, "%u messages came all the same", believed);
        report(believed == 0, what, words);
    }
}

static void configure(void)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "connect_timeout = %dms\nanswer_timeout = %dms\nanswer_wait = %dms\n"
                   "inquiry_min = 50ms\ninquiry_max = %dms\n",
                   5 * unit_ms, 7 * unit_ms, 15 * unit_ms, 4 * unit_ms);
    test_sandbox_configure(&sandbox, TEST_WALLET, text);
    (void)snprintf(text, sizeof text,
                   "public_host = localhost:%u\ngateway = 127.0.0.1:%u\nanswer_wait = %dms\n"
                   "gateway_timeout = %dms\nrepeat_min = 20ms\nrepeat_max = %dms\n"
                   "refresh_interval = %dms\n",
                   (unsigned)test_proxy_port(proxy, TEST_HOP_WALLET),
                   (unsigned)test_proxy_port(proxy, TEST_HOP_GATEWAY), 5 * unit_ms, 4 * unit_ms,
                   2 * unit_ms, 4 * unit_ms);
    test_sandbox_configure(&sandbox, TEST_MERCHANT, text);
    (void)snprintf(text, sizeof text,
                   "auth_timeout = %dms\nreconnect_min = 20ms\nreconnect_max = %dms\n"
                   "repeat_min = %dms\nrepeat_max = %dms\n",
                   4 * unit_ms, 2 * unit_ms, unit_ms, 4 * unit_ms);
    test_sandbox_configure(&sandbox, TEST_GATEWAY, text);
    test_network_keys_make(&sandbox);
    test_network_keys_configure(&sandbox, test_proxy_port(proxy, TEST_HOP_ISSUER));
}

/* As configured, but for the interval of the echoes on an idle line. */
static void restart_gateway(int echo_ms)
{
    char text[64];
    (void)snprintf(text, sizeof text, "echo_interval = %dms\n", echo_ms);
    kill(sandbox.pids[TEST_GATEWAY], SIGTERM);
    int64_t until_ms = test_now_ms() + 1000 * unit_ms;
    while (!test_sandbox_has_ended(&sandbox, TEST_GATEWAY, NULL) && test_now_ms() < until_ms)
        test_pause_ms(10);
    test_sandbox_configure(&sandbox, TEST_GATEWAY, text);
    test_sandbox_start(&sandbox, TEST_GATEWAY, NULL);
    while (!test_sandbox_is_ready(&sandbox, TEST_GATEWAY)) {
        if (test_now_ms() > until_ms)
            test_bail_out("the gateway does not come up again");
        test_pause_ms(10);
    }
}

static void set_up(void)
{
    struct test_sandbox made;
    const char *build = getenv("BUILD");
    char path[256];
    (void)snprintf(path, sizeof path, "%s/bin", build == NULL ? "build" : build);
    char *bin = realpath(path, NULL);
    if (bin == NULL)
        test_bail_out("%s is not there", path);
    int64_t before_ms = test_now_ms();
    test_sandbox_make(&made, bin);
    free(bin);
    int64_t took_ms = test_now_ms() - before_ms;
    test_sandbox_copy(&sandbox, &made, NULL);
    test_sandbox_down(&made, true);
    int slowness = (int)(took_ms / UP_MS);
    unit_ms = 100 * (slowness < 1 ? 1 : slowness > SLOWEST ? SLOWEST : slowness);
    printf("# the sandbox came up in %d ms: time-outs are made of %d ms\n", (int)took_ms, unit_ms);
    plan = test_plan_new();
    proxy = test_proxy_new(plan);
    configure();
    const uint16_t to[TEST_HOPS] = {sandbox.api_port, sandbox.merchant_port, sandbox.gateway_port,
                                    sandbox.issuer_port};
    test_proxy_start(proxy, sandbox.dir, to);
    test_sandbox_run(&sandbox);
    store = (struct test_store){.port = test_proxy_port(proxy, TEST_HOP_STORE),
                                .token = sandbox.token,
                                .timeout_ms = 8 * unit_ms};
    test_sandbox_wallet_socket(&sandbox, wallet_socket, sizeof wallet_socket);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL || *text == '\0' ? otherwise : strtoull(text, NULL, 10);
}

static void print_tally(void)
{
    uint64_t all = 0;
    for (int kind = 1; kind < TEST_FAULT_KINDS; kind++) {
        uint64_t done = test_plan_done(plan, (enum test_fault_kind)kind);
        printf("# %s: %llu\n", test_fault_names[kind], (unsigned long long)done);
        all += done;
    }
    printf("# tally: faults injected = %llu\n", (unsigned long long)all);
}

static void run_phase(enum test_phase phase, int lanes)
{
    while (phase_end < case_count && cases[phase_end].phase == phase)
        phase_end++;
    int64_t before_ms = test_now_ms();
    run_lanes(lanes);
    printf("# phase %d: %d ms\n", (int)phase, (int)(test_now_ms() - before_ms));
}

static void run_mix(int lanes, uint64_t count)
{
    puts("# failures count as: lost or made twice");
    printf("# SEED=%llu COUNT=%llu\n", (unsigned long long)seed, (unsigned long long)count);
    test_plan_chaos(plan, seed, CHAOS_PER_MILLE, 10 * unit_ms);
    random_count = count;
    int64_t before_ms = test_now_ms();
    run_lanes(lanes);
    printf("# at random: %d ms\n", (int)(test_now_ms() - before_ms));
    test_plan_chaos(plan, 0, 0, 0);
    nothing_is_left("after faults at random: nothing is left over");
}

/* One case in SHARE, of each phase by turns; how many are left. */
static size_t take_share(size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (i % SHARE == seed % SHARE)
            cases[kept++] = cases[i];
    }
    printf("# SEED=%llu: %zu of %zu cases of the table\n", (unsigned long long)seed, kept, count);
    return kept;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (setpay_secret_system_init() != SETPAY_OK) /* the proxy reads messages with card data */
        test_bail_out("no secret memory");
    set_up();
    int lanes = (int)number_of("LANES", LANES_DEFAULT);
    seed = number_of("SEED", (uint64_t)time(NULL));
    const char *wanted = getenv("CASES");
    bool is_long = test_is_long();
    if (wanted == NULL || strcmp(wanted, "no") != 0)
        case_count = test_fault_table(cases, unit_ms, getenv("ONLY"));
    if (!is_long && getenv("ONLY") == NULL)
        case_count = take_share(case_count);
    run_phase(TEST_ONE_PURCHASE, lanes);
    run_phase(TEST_SHARED, lanes);
    run_mix(lanes, number_of("COUNT", is_long ? COUNT_LONG : COUNT_SHORT));
    run_phase(TEST_CLOSINGS, lanes);
    if (case_count > 0) {
        restart_gateway(unit_ms + unit_ms / 2);
        run_phase(TEST_IDLE, lanes);
        nothing_is_left("after the table: nothing is left over");
    }
    one_order_each();
    none_is_believed();
    print_tally();
    if (failed_count > 0)
        printf("# kept: %s\n", sandbox.dir);
    test_sandbox_down(&sandbox, failed_count == 0);
    test_proxy_free(proxy);
    test_plan_free(plan);
    printf("1..%d\n", test_count);
    return failed_count != 0;
}
