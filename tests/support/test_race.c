/*
 * Each thing that is done in a race is an act on a thread of its own, which sleeps until its
 * moment.
 *
 * Moments are microseconds after the race's start. A purchase takes some milliseconds from PReq to
 * PRes, so that what races with it is mostly planned within that time. One race in eight is planned
 * well before and one well after: so that on a machine that is fast or slow some go either way too.
 */
#include "tests/support/test_race.h"

#include "common/base/limits.h"
#include "common/wire/receipt.h"
#include "merchant/payment/purchase_state.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHOPPERS 6
#define LINES_MAX 256
#define FIRST 400           /* of an order that is paid in parts */
#define START_US 2000       /* until all threads are there */
#define EXPIRE_LEAD_MS 1000 /* before the first of the expiring orders expires */

const char *const test_race_names[TEST_RACES] = {"same", "shoppers", "cancel",
                                                 "void", "expire",   "further"};

struct test_race_track {
    const struct test_sandbox *sandbox;
    struct test_till *shop;
    struct test_racer *shoppers[SHOPPERS];
    char wallets[2][192]; /* their sockets */
    pthread_mutex_t mutex;
    struct test_post *idle[LINES_MAX];
    size_t idle_count;
    int64_t offset_ms; /* of all clocks */
    atomic_uint paid[TEST_RACES], unpaid[TEST_RACES];
    atomic_uint voided, reversed, refused, copies, busy;
    atomic_uint taken, too_late; /* further payments */
};

static void broke(struct test_race *race, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void broke(struct test_race *race, const char *format, ...)
{
    va_list args;
    size_t used = strlen(race->words);
    va_start(args, format);
    if (used > 0 && used < sizeof race->words - 2)
        used += (size_t)snprintf(race->words + used, sizeof race->words - used, "; ");
    if (used < sizeof race->words)
        (void)vsnprintf(race->words + used, sizeof race->words - used, format, args);
    va_end(args);
}

/* ------------------------------------------------------------------ the schedule */

/* SplitMix64: the next number of a state. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static int between(uint64_t *state, int least, int most)
{
    return least + (int)(draw(state) % (uint64_t)(most - least + 1));
}

/* When an order is paid that is about to expire. */
static int plan_expiring(uint64_t *state)
{
    switch (between(state, 1, 8)) {
    case 1: /* in time even where a purchase takes half a second */
        return between(state, -1000000, -60000);
    case 2: /* too late everywhere */
        return between(state, 0, 50000);
    default:
        return between(state, -60000, 10000);
    }
}

/* When it is cancelled or voided, and how often a void that comes too early is tried. */
static void plan_action(struct test_race *race, uint64_t *state)
{
    int most = 5000 << between(state, 0, 5), tries = between(state, 1, 8);
    switch (between(state, 1, 8)) {
    case 1: /* before a purchase can be done anywhere */
        most = 500;
        tries = 1;
        break;
    case 2: /* after one that took half a second */
        most = 5000 << between(state, 6, 8);
        break;
    default:
        break;
    }
    for (int i = 0; i < TEST_RACE_WORDS; i++)
        race->words_us[i] = between(state, 0, 8000);
    race->action_delay_us = between(state, 0, most);
    race->action_tries = race->kind == TEST_RACE_VOID ? tries : 1;
}

void test_race_plan(struct test_race *race, uint64_t seed, uint64_t number, bool expires)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15 ^ number << 20;
    static const enum test_race_kind kinds[] = {
        TEST_RACE_SAME, TEST_RACE_SHOPPERS, TEST_RACE_CANCEL, TEST_RACE_VOID, TEST_RACE_FURTHER};
    memset(race, 0, sizeof *race);
    (void)draw(&state);
    race->number = number;
    race->kind = expires ? TEST_RACE_EXPIRE : kinds[draw(&state) % 5];
    race->copies = race->kind == TEST_RACE_SAME ? between(&state, 8, TEST_RACE_COPIES) : 1;
    race->payer_count = race->kind == TEST_RACE_SHOPPERS ? between(&state, 2, TEST_RACE_PAYERS) : 1;
    int first = between(&state, 0, SHOPPERS - 1), wallet = between(&state, 1, 2);
    for (int i = 0; i < race->payer_count; i++) {
        struct test_payer *payer = &race->payers[i];
        payer->shopper = (first + i) % SHOPPERS;
        /* One race in four has a real wallet in it; among shoppers two of them may meet. */
        if (race->kind != TEST_RACE_SAME && i < 2 &&
            (between(&state, 1, 4) == 1 || race->kind == TEST_RACE_FURTHER)) {
            payer->wallet = wallet;
            wallet = 3 - wallet;
        }
        payer->delay_us =
            race->kind == TEST_RACE_EXPIRE ? plan_expiring(&state) : between(&state, 0, 3000);
    }
    plan_action(race, &state);
}

/* ------------------------------------------------------------------ connections */

static struct test_post *take_line(struct test_race_track *track)
{
    pthread_mutex_lock(&track->mutex);
    struct test_post *line = track->idle_count > 0 ? track->idle[--track->idle_count] : NULL;
    pthread_mutex_unlock(&track->mutex);
    return line != NULL ? line : test_post_new(track->sandbox->merchant_port);
}

static void give_line(struct test_race_track *track, struct test_post *line)
{
    pthread_mutex_lock(&track->mutex);
    if (track->idle_count < LINES_MAX) {
        track->idle[track->idle_count++] = line;
        line = NULL;
    }
    pthread_mutex_unlock(&track->mutex);
    if (line != NULL)
        test_post_free(line);
}

/* ------------------------------------------------------------------ acts */

struct act {
    struct test_race_track *track;
    struct test_race *race;
    struct test_payer *payer; /* NULL: cancel or void, or the store's payment */
    bool ends_agreement;      /* the payer's wallet is told to */
    int64_t at_us;
    int status;
    struct setpay_buffer answer;
    pthread_t thread;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void sleep_until(int64_t at_us)
{
    const struct timespec at = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
        ;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

static void confirm(struct act *act)
{
    const json_t *offer = act->payer->offer;
    json_t *args =
        json_pack("{s:s, s:s, s:s, s:O}", "xid", text_of(offer, "xid"), "currency",
                  text_of(offer, "currency"), "merchant_id", text_of(offer, "merchant_id"),
                  "amount", json_object_get(offer, "amount"));
    if (act->race->kind == TEST_RACE_FURTHER)
        json_object_set(args, "terms", json_object_get(offer, "terms_text"));
    /* What became of it is read from the wallet's books. */
    enum setpay_error error =
        test_sandbox_call(act->track->wallets[act->payer->wallet - 1], "pay.confirm", args, NULL);
    (void)error;
}

static void act_on_order(struct act *act)
{
    struct test_race *race = act->race;
    const char *action = race->kind == TEST_RACE_CANCEL ? "cancel" : "void";
    char path[80], key[96];
    (void)snprintf(path, sizeof path, "/orders/%s/%s", race->order_id, action);
    for (int i = 0; i < race->action_tries; i++) {
        (void)snprintf(key, sizeof key, "%s-%s-%d", action, race->order_id, i);
        act->status = test_sandbox_api(act->track->sandbox, "POST", path, "{}", key, NULL);
        if (act->status != 409)
            break;
        sleep_until(now_us() + 1500);
    }
    race->action_status = act->status;
}

static const char *wallet_name(const struct test_payer *payer)
{
    return payer->wallet == 1 ? "wallet" : "other";
}

/* The second part. */
static void take_part(struct act *act)
{
    struct test_race *race = act->race;
    char path[80], key[96];
    (void)snprintf(path, sizeof path, "/orders/%s/authorise", race->order_id);
    (void)snprintf(key, sizeof key, "authorise-%s", race->order_id);
    race->action_status = test_sandbox_api(act->track->sandbox, "POST", path, "{}", key, NULL);
}

static void *run_act(void *arg)
{
    struct act *act = arg;
    sleep_until(act->at_us);
    if (act->ends_agreement) {
        enum setpay_error error = test_agreement_cancel(
            act->track->sandbox, wallet_name(act->payer), act->race->order_id);
        if (error != SETPAY_OK)
            broke(act->race, "the agreement can't be cancelled: %s", setpay_error_name(error));
    } else if (act->payer == NULL && act->race->kind == TEST_RACE_FURTHER) {
        take_part(act);
    } else if (act->payer == NULL) {
        act_on_order(act);
    } else if (act->payer->wallet > 0) {
        confirm(act);
    } else {
        struct test_post *line = take_line(act->track);
        act->status = test_post_send(line, setpay_buffer_view(&act->payer->preq), &act->answer);
        give_line(act->track, line);
    }
    return NULL;
}

static void start_act(struct act *act, struct test_race_track *track, struct test_race *race,
                      struct test_payer *payer, bool ends_agreement, int64_t at_us)
{
    *act = (struct act){.track = track,
                        .race = race,
                        .payer = payer,
                        .ends_agreement = ends_agreement,
                        .at_us = at_us};
    setpay_buffer_init(&act->answer, SETPAY_LIMIT_MESSAGE_BYTES);
    if (pthread_create(&act->thread, NULL, run_act, act) != 0)
        test_bail_out("no thread");
}

/* ------------------------------------------------------------------ one race */

static void new_order(struct test_race_track *track, struct test_race *race)
{
    char body[200], terms[64], key[64];
    json_t *answer = NULL;
    (void)snprintf(key, sizeof key, "race-%llu", (unsigned long long)race->number);
    (void)snprintf(terms, sizeof terms, ",\"terms\":{\"kind\":\"split\",\"first\":%d}", FIRST);
    (void)snprintf(body, sizeof body,
                   "{\"description\":\"A race\",\"amount\":%llu,\"currency\":\"EUR\"%s}",
                   (unsigned long long)(1000 + race->number % 1000),
                   race->kind == TEST_RACE_EXPIRE    ? ",\"expires_in\":60"
                   : race->kind == TEST_RACE_FURTHER ? terms
                                                     : "");
    int status = test_sandbox_api(track->sandbox, "POST", "/orders", body, key, &answer);
    (void)snprintf(race->order_id, sizeof race->order_id, "%s", text_of(answer, "order_id"));
    (void)snprintf(race->uri, sizeof race->uri, "%s", text_of(answer, "pay_uri"));
    json_decref(answer);
    race->expires_ms = setpay_clock_now_ms() + SETPAY_MINUTE_MS;
    if (status != 201)
        test_bail_out("no order: status %d", status);
}

/* Everybody has the offer; shoppers have signed it, wallets do when they are told to. */
static void prepare(struct test_race_track *track, struct test_race *race)
{
    new_order(track, race);
    for (int i = 0; i < race->payer_count; i++) {
        struct test_payer *payer = &race->payers[i];
        setpay_buffer_init(&payer->preq, SETPAY_LIMIT_MESSAGE_BYTES);
        setpay_buffer_init(&payer->answer, SETPAY_LIMIT_MESSAGE_BYTES);
        if (payer->wallet > 0) {
            json_t *prepared = NULL;
            if (test_sandbox_call(track->wallets[payer->wallet - 1], "pay.prepare",
                                  json_pack("{s:s}", "uri", race->uri), &prepared) == SETPAY_OK)
                payer->offer = json_incref(json_object_get(prepared, "offer"));
            json_decref(prepared);
        } else {
            struct test_post *line = take_line(track);
            payer->purchase = test_racer_sign(track->shop, track->shoppers[payer->shopper], line,
                                              race->uri, &payer->preq);
            give_line(track, line);
        }
        if (payer->offer == NULL && payer->purchase == NULL)
            test_bail_out("race %llu: no offer", (unsigned long long)race->number);
    }
}

static enum setpay_message_type type_of(const struct setpay_buffer *answer)
{
    struct setpay_message message;
    if (setpay_message_parse(setpay_buffer_view(answer), &message) != SETPAY_OK)
        return 0;
    enum setpay_message_type type = message.type;
    setpay_message_clear(&message);
    return type;
}

/* "Busy, repeat later", by an Error or by HTTP. */
static bool is_busy(int status, const struct setpay_buffer *answer)
{
    struct setpay_message message;
    struct setpay_error_report report;
    if (status != 200)
        return status == 503;
    if (setpay_message_parse(setpay_buffer_view(answer), &message) != SETPAY_OK)
        return false;
    bool busy = message.type == SETPAY_MESSAGE_ERROR &&
                setpay_error_report_parse(message.content, &report) == SETPAY_OK &&
                report.code == SETPAY_WIRE_BUSY;
    setpay_message_clear(&message);
    return busy;
}

/* Rule A6: the same bytes get the same answer, to the last byte; at most an Error says that they
 * are to be sent again. */
static void compare_copies(struct test_race_track *track, struct test_race *race, struct act *acts)
{
    struct test_payer *payer = &race->payers[0];
    struct test_post *line = take_line(track);
    payer->status = test_post_send(line, setpay_buffer_view(&payer->preq), &payer->answer);
    give_line(track, line);
    if (payer->status != 200 || type_of(&payer->answer) != SETPAY_MESSAGE_P_RES)
        broke(race, "sent once more: no answer, status %d", payer->status);
    for (int i = 0; i < race->copies; i++) {
        bool answered = acts[i].status == 200 && type_of(&acts[i].answer) == SETPAY_MESSAGE_P_RES;
        if (answered && !setpay_view_equal(setpay_buffer_view(&acts[i].answer),
                                           setpay_buffer_view(&payer->answer)))
            broke(race, "copy %d of %d got another answer", i + 1, race->copies);
        atomic_fetch_add(answered ? &track->copies : &track->busy, 1);
        if (!answered && !is_busy(acts[i].status, &acts[i].answer))
            broke(race, "copy %d of %d was refused, status %d", i + 1, race->copies,
                  acts[i].status);
    }
}

/* The first part is paid; then the store takes the second while the shopper cancels what was agreed
 * to, twice at once. */
static void run_further(struct test_race_track *track, struct test_race *race)
{
    struct act acts[TEST_RACE_WORDS + 1], pays = {.track = track, .race = race};
    int count = 0;
    prepare(track, race);
    pays.payer = &race->payers[0];
    confirm(&pays);
    int64_t start_us = now_us() + START_US;
    for (int i = 0; i < TEST_RACE_WORDS; i++)
        start_act(&acts[count++], track, race, &race->payers[0], true,
                  start_us + race->words_us[i]);
    start_act(&acts[count++], track, race, NULL, false, start_us + race->action_delay_us);
    for (int i = 0; i < count; i++) {
        pthread_join(acts[i].thread, NULL);
        setpay_buffer_clear(&acts[i].answer);
    }
}

void test_race_run(struct test_race_track *track, struct test_race *race)
{
    if (race->kind == TEST_RACE_FURTHER) {
        run_further(track, race);
        return;
    }
    struct act acts[TEST_RACE_COPIES + TEST_RACE_PAYERS + 1];
    int count = 0;
    prepare(track, race);
    int64_t start_us = now_us() + START_US;
    for (int i = 0; i < race->payer_count; i++) {
        for (int copy = 0; copy < race->copies; copy++)
            start_act(&acts[count++], track, race, &race->payers[i], false,
                      start_us + race->payers[i].delay_us);
    }
    if (race->kind == TEST_RACE_CANCEL || race->kind == TEST_RACE_VOID)
        start_act(&acts[count++], track, race, NULL, false, start_us + race->action_delay_us);
    for (int i = 0; i < count; i++)
        pthread_join(acts[i].thread, NULL);
    if (race->kind == TEST_RACE_SAME)
        compare_copies(track, race, acts);
    for (int i = 0; i < count; i++) {
        struct test_payer *payer = acts[i].payer;
        if (race->kind != TEST_RACE_SAME && payer != NULL && payer->wallet == 0) {
            payer->status = acts[i].status;
            if (payer->status == 200 &&
                setpay_buffer_set(&payer->answer, setpay_buffer_view(&acts[i].answer)) != SETPAY_OK)
                test_bail_out("no memory");
        }
        setpay_buffer_clear(&acts[i].answer);
    }
}

/* ------------------------------------------------------------------ at the expiry */

/* All clocks are this much ahead. */
static void move_clocks(struct test_race_track *track, int64_t offset_ms)
{
    char other[192];
    track->offset_ms = offset_ms;
    setpay_clock_set_offset_ms(offset_ms);
    for (int i = 0; i < TEST_DAEMONS; i++) {
        if (test_sandbox_admin(track->sandbox, (enum test_daemon)i, "testing.clock",
                               json_pack("{s:I}", "offset_ms", (json_int_t)offset_ms),
                               NULL) != SETPAY_OK)
            test_bail_out("%s: the clock can't be moved", test_daemon_names[i]);
    }
    (void)snprintf(other, sizeof other, "%s/run/other-admin.sock", track->sandbox->dir);
    if (test_sandbox_call(other, "testing.clock",
                          json_pack("{s:I}", "offset_ms", (json_int_t)offset_ms),
                          NULL) != SETPAY_OK)
        test_bail_out("other: the clock can't be moved");
}

/* When the order's offer ends, by the clocks; for a wallet's to some milliseconds. */
static int64_t expiry_ms(const struct test_race *race)
{
    const struct test_payer *payer = &race->payers[0];
    return payer->purchase != NULL ? payer->purchase->oi.expiry_ms : race->expires_ms;
}

void test_race_run_expiring(struct test_race_track *track, struct test_race *races, size_t count)
{
    struct act *acts = calloc(count + 1, sizeof *acts);
    int64_t first_ms = INT64_MAX;
    if (acts == NULL)
        test_bail_out("no memory");
    for (size_t i = 0; i < count; i++) {
        prepare(track, &races[i]);
        first_ms = expiry_ms(&races[i]) < first_ms ? expiry_ms(&races[i]) : first_ms;
    }
    int64_t ahead_ms = first_ms - EXPIRE_LEAD_MS - setpay_clock_now_ms();
    if (count > 0 && ahead_ms > 0)
        move_clocks(track, track->offset_ms + ahead_ms);
    for (size_t i = 0; i < count; i++) {
        int64_t in_ms = expiry_ms(&races[i]) - setpay_clock_now_ms();
        start_act(&acts[i], track, &races[i], &races[i].payers[0], false,
                  now_us() + in_ms * 1000 + races[i].payers[0].delay_us);
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(acts[i].thread, NULL);
        races[i].payers[0].status = acts[i].status;
        if (acts[i].status == 200 &&
            setpay_buffer_set(&races[i].payers[0].answer, setpay_buffer_view(&acts[i].answer)) !=
                SETPAY_OK)
            test_bail_out("no memory");
        setpay_buffer_clear(&acts[i].answer);
    }
    free(acts);
}

/* ------------------------------------------------------------------ afterwards */

/* The last receipt in an answer, opened with the shopper's own key; 0 where there is none. */
static enum setpay_receipt_kind last_receipt(const struct test_race_track *track,
                                             struct test_race *race,
                                             const struct test_purchase *purchase,
                                             const struct setpay_pres *answer)
{
    struct setpay_receipt receipt;
    struct setpay_buffer bytes;
    enum setpay_receipt_kind kind = 0;
    setpay_buffer_init(&bytes, SETPAY_LIMIT_CONTENT_BYTES);
    for (size_t i = 0; i < answer->receipt_count; i++) {
        if (setpay_sealed_receipt_open(&answer->receipts[i], &purchase->pi.back_key,
                                       &purchase->oi.xid, test_till_gateway(track->shop), &receipt,
                                       &bytes) == SETPAY_OK)
            kind = receipt.kind;
        else
            broke(race, "a receipt does not open");
    }
    setpay_buffer_clear(&bytes);
    return kind;
}

static bool fits(enum setpay_receipt_kind receipt, enum setpay_purchase_state state)
{
    switch (receipt) {
    case SETPAY_RECEIPT_AUTHORISATION: /* what was given back afterwards, the next inquiry shows */
        return state == SETPAY_PURCHASE_AUTHORISED || state == SETPAY_PURCHASE_REVERSED;
    case SETPAY_RECEIPT_DECLINE:
        return state == SETPAY_PURCHASE_DECLINED;
    case SETPAY_RECEIPT_VOID:
        return state == SETPAY_PURCHASE_VOIDED;
    case SETPAY_RECEIPT_REVERSAL:
        return state == SETPAY_PURCHASE_REVERSED;
    default:
        return state != SETPAY_PURCHASE_AUTHORISED; /* the merchant's word alone: a refusal */
    }
}

/* What the shopper was told against what the merchant's books say (rules M9, W7). */
static void judge_answer(struct test_race_track *track, struct test_race *race,
                         const struct test_payer *payer, sqlite3 *merchant)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    struct setpay_message message;
    struct setpay_pres answer;
    int64_t found =
        test_database_number(merchant, "SELECT state FROM purchase WHERE xid = unhex_xid(?1)",
                             setpay_id_format(&payer->purchase->oi.xid, xid));
    enum setpay_purchase_state state =
        found < 0 ? SETPAY_PURCHASE_NONE : (enum setpay_purchase_state)found;
    if (payer->status != 200) {
        if (payer->status != 503)
            broke(race, "%s: no answer, status %d", xid, payer->status);
        return;
    }
    if (setpay_message_parse(setpay_buffer_view(&payer->answer), &message) != SETPAY_OK) {
        broke(race, "%s: an answer that is no message", xid);
        return;
    }
    enum setpay_receipt_kind receipt = 0;
    bool is_answer = message.type == SETPAY_MESSAGE_P_RES &&
                     setpay_pres_parse(message.content, &answer) == SETPAY_OK;
    if (is_answer) {
        receipt = last_receipt(track, race, payer->purchase, &answer);
        setpay_pres_clear(&answer);
    } else {
        atomic_fetch_add(&track->refused, 1);
    }
    if (!is_answer && message.type != SETPAY_MESSAGE_ERROR)
        broke(race, "%s: answered by a message of type %d", xid, (int)message.type);
    else if (!fits(receipt, state))
        broke(race, "%s: told %s, and the books say %s", xid,
              receipt == 0 ? "no" : setpay_receipt_kind_name(receipt),
              setpay_purchase_state_name(state));
    setpay_message_clear(&message);
}

/* It is cancelled, once (test_order_agrees), and the store was told what became of its payment:
 * done is taken, and anything else is not, but for one that is under way when the answer leaves. */
static void judge_agreement(struct test_race_track *track, struct test_race *race)
{
    int64_t payments = test_agreement_payments(track->sandbox, race->order_id);
    if (test_agreement_is_cancelled(track->sandbox, wallet_name(&race->payers[0]),
                                    race->order_id) != 1)
        broke(race, "the agreement is not cancelled");
    if (race->action_status != 200 && race->action_status != 202 && race->action_status != 409)
        broke(race, "the further payment: status %d", race->action_status);
    if (payments < 1 || payments > 2 ||
        (race->action_status != 202 && payments != (race->action_status == 200 ? 2 : 1)))
        broke(race, "the further payment was answered with %d, and %d were taken",
              race->action_status, (int)payments);
    atomic_fetch_add(payments == 2 ? &track->taken : &track->too_late, 1);
}

static void judge_order(struct test_race_track *track, struct test_race *race,
                        const struct test_outcome *outcome)
{
    char path[64], status[32];
    json_t *answer = NULL;
    (void)snprintf(path, sizeof path, "/orders/%s", race->order_id);
    test_sandbox_api(track->sandbox, "GET", path, NULL, NULL, &answer);
    (void)snprintf(status, sizeof status, "%s", text_of(answer, "status"));
    json_decref(answer);
    bool paid = outcome->authorised == 1;
    bool done = race->action_status == 200 || race->action_status == 202;
    if ((strcmp(status, "authorised") == 0) != paid)
        broke(race, "the order is %s, %d purchases are authorised", status, outcome->authorised);
    switch (race->kind) {
    case TEST_RACE_SAME:
    case TEST_RACE_SHOPPERS:
        if (!paid)
            broke(race, "nobody's purchase is authorised");
        if (race->kind == TEST_RACE_SAME && outcome->attempts != 1)
            broke(race, "%d purchases of one PReq", outcome->attempts);
        break;
    case TEST_RACE_CANCEL:
    case TEST_RACE_VOID:
        if (race->action_status != 409 && !done)
            broke(race, "%s: status %d", test_race_names[race->kind], race->action_status);
        if (done == paid)
            broke(race, "%s was %s, and the order is %s", test_race_names[race->kind],
                  done ? "done" : "refused", status);
        break;
    case TEST_RACE_FURTHER:
        if (!paid)
            broke(race, "the first part is not authorised");
        judge_agreement(track, race);
        break;
    default:
        if (!paid && strcmp(status, "expired") != 0)
            broke(race, "the order is %s", status);
    }
}

bool test_race_holds(struct test_race_track *track, struct test_race *race)
{
    static const char *const wallets[] = {"wallet", "other", NULL};
    struct test_outcome outcome;
    char words[sizeof race->words];
    sqlite3 *merchant = test_sandbox_database(track->sandbox, "merchant");
    bool agree = test_order_agrees(track->sandbox, race->order_id, wallets, true, &outcome, words,
                                   sizeof words);
    if (!agree) /* a wallet has been told to ask for what was reversed */
        agree = test_order_agrees(track->sandbox, race->order_id, wallets, true, &outcome, words,
                                  sizeof words);
    if (!agree)
        broke(race, "%s", words);
    judge_order(track, race, &outcome);
    for (int i = 0; i < race->payer_count; i++) {
        if (race->payers[i].wallet == 0)
            judge_answer(track, race, &race->payers[i], merchant);
    }
    sqlite3_close(merchant);
    atomic_fetch_add(
        outcome.authorised == 1 ? &track->paid[race->kind] : &track->unpaid[race->kind], 1);
    atomic_fetch_add(&track->voided, (unsigned)outcome.voided);
    atomic_fetch_add(&track->reversed, (unsigned)outcome.reversed);
    return race->words[0] == '\0';
}

void test_race_clear(struct test_race *race)
{
    for (int i = 0; i < race->payer_count; i++) {
        json_decref(race->payers[i].offer);
        test_purchase_free(race->payers[i].purchase);
        setpay_buffer_clear(&race->payers[i].preq);
        setpay_buffer_clear(&race->payers[i].answer);
    }
}

/* ------------------------------------------------------------------ the track */

struct test_race_track *test_race_track_new(const struct test_sandbox *pattern,
                                            const struct test_sandbox *sandbox)
{
    static const char *const pans[SHOPPERS] = {"4242424242424242", "4000000000000010",
                                               "4000000000090409", "4000005700009781",
                                               "4242424242424242", "4000000000000010"};
    struct test_race_track *track = calloc(1, sizeof *track);
    if (track == NULL)
        test_bail_out("no memory");
    track->sandbox = sandbox;
    track->shop = test_till_new(sandbox, "visa");
    for (int i = 0; i < SHOPPERS; i++)
        track->shoppers[i] = test_racer_new(pattern, "visa", pans[i], "3012");
    pthread_mutex_init(&track->mutex, NULL);
    test_sandbox_wallet_socket(sandbox, track->wallets[0], sizeof track->wallets[0]);
    (void)snprintf(track->wallets[1], sizeof track->wallets[1], "%s/run/other.sock", sandbox->dir);
    return track;
}

void test_race_track_free(struct test_race_track *track)
{
    while (track->idle_count > 0)
        test_post_free(track->idle[--track->idle_count]);
    for (int i = 0; i < SHOPPERS; i++)
        test_racer_free(track->shoppers[i]);
    test_till_free(track->shop);
    pthread_mutex_destroy(&track->mutex);
    free(track);
}

void test_race_track_report(const struct test_race_track *track)
{
    for (int i = 0; i < TEST_RACES; i++)
        printf("# %s: %u ended paid, %u not\n", test_race_names[i], atomic_load(&track->paid[i]),
               atomic_load(&track->unpaid[i]));
    printf("# further payments taken %u, too late %u\n", atomic_load(&track->taken),
           atomic_load(&track->too_late));
    printf(
        "# purchases voided %u, reversed %u; shoppers refused by an Error %u; copies answered %u, "
        "told to come again %u\n",
        atomic_load(&track->voided), atomic_load(&track->reversed), atomic_load(&track->refused),
        atomic_load(&track->copies), atomic_load(&track->busy));
}

bool test_race_track_met(const struct test_race_track *track, char *words, size_t size)
{
    static const enum test_race_kind kinds[] = {TEST_RACE_CANCEL, TEST_RACE_VOID, TEST_RACE_EXPIRE};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        unsigned paid = atomic_load(&track->paid[kinds[i]]);
        unsigned unpaid = atomic_load(&track->unpaid[kinds[i]]);
        if (paid == 0 || unpaid == 0) {
            (void)snprintf(words, size, "%s: %u ended paid, %u not", test_race_names[kinds[i]],
                           paid, unpaid);
            return false;
        }
    }
    words[0] = '\0';
    if (atomic_load(&track->taken) == 0 || atomic_load(&track->too_late) == 0) {
        (void)snprintf(words, size, "further: %u were taken, %u came too late",
                       atomic_load(&track->taken), atomic_load(&track->too_late));
        return false;
    }
    if (atomic_load(&track->copies) > 0)
        return true;
    (void)snprintf(words, size, "%s: no copy was answered", test_race_names[TEST_RACE_SAME]);
    return false;
}
