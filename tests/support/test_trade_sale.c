/*
 * Store and shopper of a sale, through the API and the wallet's socket; whoever is killed
 * meanwhile, each asks again until it is answered, with the same key.
 */
#include "tests/support/test_trade_sale.h"

#include "tests/support/test_buyer.h"
#include "tests/support/test_sandbox.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEP_LIMIT_MS 120000 /* never reached unless something is lost */

static const struct test_town *town;
static enum test_trade_day today;

__attribute__((format(printf, 2, 3))) static bool fail(struct test_trade_sale *sale,
                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sale->words, sizeof sale->words, format, args);
    va_end(args);
    return false;
}

/* ------------------------------------------------------------------ a sale, step by step */

static const struct test_store *store_of(const struct test_trade_sale *sale)
{
    return &town->merchants[sale->plan.merchant]->store;
}

/* Three payments, or the first of a split, as the API has it; "" for one. */
static void describe_terms(const struct test_trade *plan, char *text, size_t size)
{
    char end[16];
    time_t last = time(NULL) + (time_t)400 * 86400;
    struct tm day;
    text[0] = '\0';
    if (plan->terms == TEST_TRADE_SPLIT)
        (void)snprintf(text, size, ",\"terms\":{\"kind\":\"split\",\"first\":%" PRId64 "}",
                       plan->first);
    if (plan->terms == TEST_TRADE_SINGLE || plan->terms == TEST_TRADE_SPLIT ||
        gmtime_r(&last, &day) == NULL)
        return;
    (void)strftime(end, sizeof end, "%Y-%m-%d", &day);
    (void)snprintf(text, size,
                   ",\"terms\":{\"kind\":\"%s\",\"count\":%d,\"interval_days\":1,\"each\":%" PRId64
                   ",\"end\":\"%s\"}",
                   plan->terms == TEST_TRADE_INSTALMENT ? "instalment" : "recurring",
                   TEST_TRADE_PAYMENTS, plan->each, end);
}

static bool order_make(struct test_trade_sale *sale)
{
    const struct test_trade *plan = &sale->plan;
    char body[384], key[64], terms[160];
    json_t *answer = NULL;
    describe_terms(plan, terms, sizeof terms);
    (void)snprintf(body, sizeof body,
                   "{\"description\":\"sale %" PRIu64 "\",\"amount\":%" PRId64
                   ",\"currency\":\"%s\",\"capture\":\"%s\"%s}",
                   plan->number, plan->minor, test_trade_currencies[plan->currency], plan->capture,
                   terms);
    (void)snprintf(key, sizeof key, "order-%" PRIu64, plan->number);
    int status = test_store_post(store_of(sale), "/orders", body, key, STEP_LIMIT_MS, &answer);
    const char *id = json_string_value(json_object_get(answer, "order_id"));
    const char *uri = json_string_value(json_object_get(answer, "pay_uri"));
    if (status == 201 && id != NULL && uri != NULL) {
        (void)snprintf(sale->order_id, sizeof sale->order_id, "%s", id);
        (void)snprintf(sale->uri, sizeof sale->uri, "%s", uri);
    }
    json_decref(answer);
    return sale->order_id[0] != '\0' || fail(sale, "no order was made: status %d", status);
}

/* The shopper tries until the link is paid or the card has declined. */
static bool pay(struct test_trade_sale *sale)
{
    const char *socket = town->wallets[sale->plan.wallet]->socket;
    int64_t until_ms = test_now_ms() + STEP_LIMIT_MS;
    char status[TEST_STATUS_SIZE];
    enum setpay_error error;
    do {
        error = test_buy(socket, sale->uri, sale->plan.card, status);
        bool is_paid = strcmp(status, "authorised") == 0 || strcmp(status, "captured") == 0;
        if (error == SETPAY_OK && sale->plan.is_declined && strcmp(status, "declined") == 0)
            return true;
        if (error == SETPAY_OK && is_paid)
            return !sale->plan.is_declined || fail(sale, "paid by a card that declines");
        test_pause_ms(20);
    } while (test_now_ms() < until_ms);
    return fail(sale, "not paid in time: %s, \"%s\"", setpay_error_name(error), status);
}

static bool is_asking(const json_t *list)
{
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one)
    {
        const char *status = json_string_value(json_object_get(one, "status"));
        if (status != NULL && strcmp(status, "asking") == 0)
            return true;
    }
    return false;
}

/* Whether a part of a split is asked for, or something undone or given up. */
static bool is_asking_else(const json_t *order)
{
    return is_asking(json_object_get(order, "authorisations")) ||
           is_asking(json_object_get(order, "reversals"));
}

static int64_t done_minor(const json_t *list)
{
    int64_t sum = 0;
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one)
    {
        const char *status = json_string_value(json_object_get(one, "status"));
        bool counts = !json_is_true(json_object_get(one, "undone"));
        if (counts && status != NULL && strcmp(status, "done") == 0)
            sum += json_integer_value(json_object_get(one, "amount"));
    }
    return sum;
}

/* Whether the day's payment got no answer from the issuer, which was dead, and is to be asked for
 * anew in an hour. */
static bool is_put_off(const json_t *order)
{
    char now[24];
    time_t seconds = time(NULL) + (time_t)town->hour * 3600;
    struct tm utc;
    const json_t *agreement = json_object_get(order, "agreement");
    const char *status = json_string_value(json_object_get(agreement, "status"));
    const char *next = json_string_value(json_object_get(agreement, "next"));
    if (status == NULL || strcmp(status, "active") != 0 || next == NULL ||
        gmtime_r(&seconds, &utc) == NULL)
        return false;
    (void)strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%S", &utc);
    return strncmp(next, now, strlen(now)) > 0;
}

struct seen {
    int64_t captured, credited;
    bool is_quiet; /* nothing of the order is at the gateway */
    bool is_put_off;
};

static bool look(const struct test_trade_sale *sale, struct seen *seen)
{
    json_t *order = NULL;
    char path[128];
    (void)snprintf(path, sizeof path, "/orders/%s", sale->order_id);
    bool good = test_store_get(store_of(sale), path, &order) == 200;
    if (good) {
        const json_t *captures = json_object_get(order, "captures");
        const json_t *refunds = json_object_get(order, "refunds");
        bool is_single = sale->plan.terms == TEST_TRADE_SINGLE;
        bool is_repeated = !is_single && sale->plan.terms != TEST_TRADE_SPLIT;
        *seen = (struct seen){.captured = done_minor(captures),
                              .credited = done_minor(refunds),
                              .is_quiet = !is_asking(captures) && !is_asking(refunds) &&
                                          (is_repeated || !is_asking_else(order)),
                              .is_put_off = is_repeated && town->kills && is_put_off(order)};
    }
    json_decref(order);
    return good;
}

/* Waits until nothing of the order is at the gateway, and so much is captured and refunded; or the
 * payment of the day is put off. */
static bool expect(struct test_trade_sale *sale, int64_t captured, int64_t credited)
{
    int64_t until_ms = test_now_ms() + STEP_LIMIT_MS;
    struct seen seen = {.captured = -1, .credited = -1};
    bool good = false;
    sale->is_put_off = false;
    do {
        if (look(sale, &seen)) {
            good = seen.is_quiet && seen.captured == captured && seen.credited == credited;
            sale->is_put_off = seen.is_quiet && !good && seen.is_put_off;
        }
        if (!good)
            test_pause_ms(20);
    } while (!good && !sale->is_put_off && test_now_ms() < until_ms);
    return good || sale->is_put_off ||
           fail(sale,
                "the store sees %" PRId64 " captured and %" PRId64 " refunded, not %" PRId64
                " and %" PRId64 "%s",
                seen.captured, seen.credited, captured, credited,
                seen.is_quiet ? "" : ", and something is asked for");
}

/* The id of one of its captures or refunds, of those that were done, the oldest first. */
static bool find_step(const struct test_trade_sale *sale, const struct test_trade_step *step,
                      char body[64])
{
    json_t *order = NULL;
    char path[128];
    size_t i, at = 0;
    const json_t *one;
    bool found = false;
    (void)snprintf(path, sizeof path, "/orders/%s", sale->order_id);
    int64_t until_ms = test_now_ms() + STEP_LIMIT_MS;
    while (test_store_get(store_of(sale), path, &order) != 200 && test_now_ms() < until_ms) {
        json_decref(order);
        order = NULL;
        test_pause_ms(20);
    }
    const char *list = step->act == TEST_TRADE_UNDO_CAPTURE ? "captures" : "refunds";
    json_array_foreach(json_object_get(order, list), i, one)
    {
        const char *status = json_string_value(json_object_get(one, "status"));
        if (status == NULL || strcmp(status, "done") != 0 || at++ != step->of)
            continue;
        (void)snprintf(body, 64, "{\"id\":\"%s\"}", json_string_value(json_object_get(one, "id")));
        found = true;
    }
    json_decref(order);
    return found;
}

static bool is_taken(int status)
{
    return status == 200 || status == 201 || status == 202;
}

static bool is_too_soon(int status, const json_t *answer)
{
    const char *type = json_string_value(json_object_get(answer, "type"));
    return status == 409 && type != NULL && strstr(type, "too-soon") != NULL;
}

/* Asks for a part of a split until it is there, or put off: for what an issuer that was dead did
 * not answer the store may ask again, in an hour. */
static bool take_part(struct test_trade_sale *sale, const struct test_trade_step *step,
                      const char *path, const char *body, const char *key)
{
    int64_t until_ms = test_now_ms() + STEP_LIMIT_MS;
    char again[80];
    struct seen seen = {0};
    sale->is_put_off = false;
    for (;;) {
        json_t *answer = NULL;
        (void)snprintf(again, sizeof again, "%s-%u", key, sale->tries++);
        int status = test_store_post(store_of(sale), path, body, again, STEP_LIMIT_MS, &answer);
        bool too_soon = is_too_soon(status, answer);
        json_decref(answer);
        while ((!look(sale, &seen) || !seen.is_quiet) && test_now_ms() < until_ms)
            test_pause_ms(20);
        if (seen.is_quiet && seen.captured == step->captured)
            return seen.credited == step->credited ||
                   fail(sale, "%s: something was refunded", path);
        sale->is_put_off = too_soon && town->kills;
        if (sale->is_put_off)
            return true;
        if (too_soon || seen.captured > step->captured || test_now_ms() > until_ms)
            return fail(sale, "%s: status %d, captured %" PRId64 ", not %" PRId64, path, status,
                        seen.captured, step->captured);
    }
}

static bool take_step(struct test_trade_sale *sale, size_t at)
{
    const struct test_trade_step *step = &sale->plan.steps[at];
    char path[128], body[64] = "{}", key[64];
    (void)snprintf(path, sizeof path, "/orders/%s/%s", sale->order_id, test_trade_acts[step->act]);
    (void)snprintf(key, sizeof key, "step-%" PRIu64 "-%zu", sale->plan.number, at);
    if (step->minor > 0)
        (void)snprintf(body, sizeof body, "{\"amount\":%" PRId64 "}", step->minor);
    bool undoes = step->act == TEST_TRADE_UNDO_CAPTURE || step->act == TEST_TRADE_UNDO_REFUND;
    if (undoes && !find_step(sale, step, body))
        return fail(sale, "step %zu: there is no %zu to be undone", at, step->of);
    if (step->act == TEST_TRADE_AUTHORISE && !step->is_refused)
        return take_part(sale, step, path, body, key);
    int status = test_store_post(store_of(sale), path, body, key, STEP_LIMIT_MS, NULL);
    bool is_refused = status == 409 || status == 422;
    if (!is_taken(status) && !is_refused)
        return fail(sale, "%s: status %d", path, status);
    if (is_refused != step->is_refused)
        return fail(sale, "step %zu (%s) was %s", at, test_trade_acts[step->act],
                    is_refused ? "refused" : "taken");
    return expect(sale, step->captured, step->credited);
}

bool test_trade_find_xid(const struct test_trade_sale *sale, char xid[40])
{
    char path[128];
    json_t *order = NULL;
    size_t i;
    const json_t *payment;
    xid[0] = '\0';
    (void)snprintf(path, sizeof path, "/orders/%s", sale->order_id);
    if (test_store_get(store_of(sale), path, &order) == 200) {
        json_array_foreach(json_object_get(order, "payments"), i, payment)
        {
            const char *name = json_string_value(json_object_get(payment, "xid"));
            if (name != NULL && json_integer_value(json_object_get(payment, "captured_amount")) > 0)
                (void)snprintf(xid, 40, "%s", name);
        }
    }
    json_decref(order);
    return xid[0] != '\0';
}

/* Asks until the gateway's receipt says so. */
static bool cancel(struct test_trade_sale *sale)
{
    const char *socket = town->wallets[sale->plan.wallet]->socket;
    int64_t until_ms = test_now_ms() + STEP_LIMIT_MS;
    char xid[40];
    do {
        json_t *agreement = NULL;
        if (test_trade_find_xid(sale, xid) &&
            test_sandbox_call(socket, "agreement.cancel", json_pack("{s:s}", "xid", xid),
                              &agreement) == SETPAY_OK) {
            bool is_cancelled = json_is_string(json_object_get(agreement, "cancelled"));
            json_decref(agreement);
            if (is_cancelled)
                return true;
        }
        test_pause_ms(50);
    } while (test_now_ms() < until_ms);
    return fail(sale, "the agreement is not cancelled in time");
}

/* The merchant takes what is due by itself. */
static bool go_on_by_terms(struct test_trade_sale *sale)
{
    if (!expect(sale, sale->plan.taken[today], 0))
        return false;
    if (sale->is_put_off)
        return true; /* its hour comes (run_put_off) */
    return today != TEST_DAY_NEXT || !sale->plan.is_cancelled || cancel(sale);
}

bool test_trade_go_on(struct test_trade_sale *sale)
{
    const struct test_trade *plan = &sale->plan;
    bool is_new = sale->order_id[0] == '\0'; /* and not put off */
    if (is_new && (!order_make(sale) || !pay(sale)))
        return false;
    if (plan->terms == TEST_TRADE_INSTALMENT || plan->terms == TEST_TRADE_RECURRING)
        return go_on_by_terms(sale);
    if (is_new) {
        int64_t captured = strcmp(plan->capture, "immediate") != 0 ? 0
                           : plan->terms == TEST_TRADE_SPLIT       ? plan->first
                                                                   : plan->minor;
        if (!plan->is_declined && !expect(sale, captured, 0))
            return false;
    }
    for (; sale->next_step < plan->step_count; sale->next_step++) {
        const struct test_trade_step *step = &plan->steps[sale->next_step];
        if (step->day != today)
            break;
        if (step->act != TEST_TRADE_TOGETHER && !take_step(sale, sale->next_step))
            return false;
        if (sale->is_put_off)
            break; /* and all behind it; its hour comes (run_put_off) */
    }
    return true;
}

/* ------------------------------------------------------------------ several orders at once */

#define TOGETHER_MAX 16 /* the API's limit */

struct together {
    struct test_trade_sale *sales[TOGETHER_MAX];
    const struct test_trade_step *steps[TOGETHER_MAX];
    size_t count;
};

static void capture_together(struct together *group)
{
    char key[64];
    size_t i;
    json_t *answer = NULL, *captures = json_array(), *one;
    for (i = 0; i < group->count; i++) {
        one = json_pack("{s:s}", "order_id", group->sales[i]->order_id);
        if (group->steps[i]->minor > 0)
            json_object_set_new(one, "amount", json_integer(group->steps[i]->minor));
        json_array_append_new(captures, one);
    }
    json_t *asked = json_pack("{s:o}", "captures", captures);
    char *body = json_dumps(asked, JSON_COMPACT);
    json_decref(asked);
    if (body == NULL)
        test_bail_out("no memory");
    (void)snprintf(key, sizeof key, "together-%d-%" PRIu64, today, group->sales[0]->plan.number);
    int status =
        test_store_post(store_of(group->sales[0]), "/captures", body, key, STEP_LIMIT_MS, &answer);
    free(body);
    for (i = 0; i < group->count; i++) {
        const char *how = json_string_value(
            json_object_get(json_array_get(json_object_get(answer, "captures"), i), "status"));
        if (!is_taken(status) || how == NULL || strcmp(how, "refused") == 0)
            (void)fail(group->sales[i], "/captures: status %d, of this order \"%s\"", status,
                       how == NULL ? "" : how);
        else
            (void)expect(group->sales[i], group->steps[i]->captured, group->steps[i]->credited);
    }
    json_decref(answer);
}

/* The first step of the day of those that have such a one, merchant by merchant. */
void test_trade_go_on_together(struct test_trade_sale *sales, uint64_t sale_count)
{
    uint64_t count = 0;
    for (size_t merchant = 0; merchant < TEST_TOWN_MERCHANTS; merchant++) {
        struct together group = {.count = 0};
        for (uint64_t i = 0; i < sale_count; i++) {
            struct test_trade_sale *sale = &sales[i];
            for (size_t at = 0; at < sale->plan.step_count && sale->plan.merchant == merchant;
                 at++) {
                const struct test_trade_step *step = &sale->plan.steps[at];
                if (step->act != TEST_TRADE_TOGETHER || step->day != today ||
                    sale->words[0] != '\0')
                    continue;
                group.sales[group.count] = sale;
                group.steps[group.count++] = step;
                count++;
            }
            if (group.count == TOGETHER_MAX || (group.count > 0 && i == sale_count - 1)) {
                capture_together(&group);
                group.count = 0;
            }
        }
    }
    if (count > 0)
        printf("# tally: orders captured together = %" PRIu64 "\n", count);
}

void test_trade_sale_day(const struct test_town *of, enum test_trade_day day)
{
    town = of;
    today = day;
}
