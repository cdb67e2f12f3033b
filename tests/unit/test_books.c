/*
 * The issuer's books on a database of their own: what is booked, held and available after each
 * operation, to the last unit, and that the check, which recomputes all of it, agrees; and for each
 * thing that is kept twice, that the check finds it when one of the two is changed.
 */
#include "common/base/secret.h"
#include "gateway/issuer/accounts.h"
#include "gateway/issuer/balances.h"
#include "gateway/issuer/books_check.h"
#include "gateway/issuer/clearing.h"
#include "gateway/issuer/clearing_file.h"
#include "gateway/issuer/disputes.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOON INT64_C(1772280000000) /* 2026-02-28T12:00:00Z */
#define HOLD_MS (10 * SETPAY_DAY_MS)
#define ACQUIRER "4242"

struct fixture {
    struct test_folder folder;
    struct setpay_store *store;
    struct setpay_reader *reader;
    uint32_t stan; /* of the newest authorisation */
    setpay_time_ms now;
    bool advice;          /* what is authorised was so elsewhere */
    struct setpay_db *db; /* inside one operation, for many: one commit; else NULL */
};

static enum setpay_error run(const struct fixture *f, setpay_store_operation_fn *operation,
                             void *arg)
{
    return f->db != NULL ? operation(f->db, arg)
                         : setpay_store_submit_wait(f->store, operation, arg);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct setpay_problem problem = {{0}};
    test_folder_make(&f->folder);
    const struct setpay_store_options options = {.url = f->folder.url,
                                                 .schema = &setpay_account_schema};
    assert_int_equal(setpay_store_open(&options, &f->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(f->store, setpay_account_seed, NULL), SETPAY_OK);
    assert_int_equal(setpay_reader_new(f->store, &f->reader), SETPAY_OK);
    f->now = NOON;
    *state = f;
    return 0;
}

/* ------------------------------------------------------------------ what is done */

struct ask {
    struct setpay_account_ask ask;
    struct setpay_account_answer answer;
};

static enum setpay_error run_ask(struct setpay_db *db, void *arg)
{
    struct ask *a = arg;
    return setpay_account_authorise(db, &a->ask, &a->answer);
}

/* The response code. */
static const char *authorise(struct fixture *f, const char *card, int64_t minor,
                             const char *currency, bool sale)
{
    static struct ask a;
    a = (struct ask){.ask = {.card = setpay_card_by_name(card),
                             .avs_result = 'U',
                             .cvv_result = 'U',
                             .sale = sale,
                             .advice = f->advice,
                             .hold_ms = HOLD_MS,
                             .now = f->now}};
    f->stan++;
    assert_non_null(a.ask.card);
    snprintf(a.ask.key.acquirer, sizeof(a.ask.key.acquirer), ACQUIRER);
    a.ask.key.stan = f->stan;
    snprintf(a.ask.key.sent, sizeof(a.ask.key.sent), "0228120000");
    snprintf(a.ask.rrn, sizeof(a.ask.rrn), "6059%08u", f->stan);
    snprintf(a.ask.acceptor, sizeof(a.ask.acceptor), "M1             ");
    snprintf(a.ask.xid, sizeof(a.ask.xid), "%032x", f->stan);
    a.ask.amount.minor = minor;
    memcpy(a.ask.amount.currency, currency, 4);
    assert_int_equal(run(f, run_ask, &a), SETPAY_OK);
    return a.answer.response_code;
}

struct undo {
    struct setpay_account_key key;
    int64_t remaining_minor;
    setpay_time_ms now;
    bool known;
};

static enum setpay_error run_undo(struct setpay_db *db, void *arg)
{
    struct undo *u = arg;
    return setpay_account_reverse(db, &u->key, u->remaining_minor, u->now, &u->known);
}

static bool reverse(struct fixture *f, uint32_t stan, int64_t remaining_minor)
{
    struct undo u = {.key = {.acquirer = ACQUIRER, .stan = stan, .sent = "0228120000"},
                     .remaining_minor = remaining_minor,
                     .now = f->now};
    assert_int_equal(run(f, run_undo, &u), SETPAY_OK);
    return u.known;
}

struct present {
    struct setpay_account_presentment presentment;
    char code[3];
};

static enum setpay_error run_present(struct setpay_db *db, void *arg)
{
    struct present *p = arg;
    return setpay_account_present(db, &p->presentment, p->code);
}

/* Of the newest authorisation. */
static const char *present(struct fixture *f, unsigned id, int64_t minor, const char *currency,
                           bool credits)
{
    static struct present p;
    p = (struct present){
        .presentment = {.original = {.acquirer = ACQUIRER, .stan = f->stan, .sent = "0228120000"},
                        .credits = credits,
                        .now = f->now}};
    snprintf(p.presentment.id, sizeof(p.presentment.id), "%032x", 0xf000 + id);
    p.presentment.amount.minor = minor;
    memcpy(p.presentment.amount.currency, currency, 4);
    assert_int_equal(run(f, run_present, &p), SETPAY_OK);
    return p.code;
}

static enum setpay_error run_change(struct setpay_db *db, void *arg)
{
    return setpay_balance_change(db, arg);
}

static void change(struct fixture *f, struct setpay_balance_change wanted)
{
    wanted.now = f->now;
    assert_int_equal(run(f, run_change, &wanted), SETPAY_OK);
}

/* What is available from now on. */
static void fund(struct fixture *f, const char *account, int64_t minor, const char *currency)
{
    struct setpay_balance_change wanted = {
        .account = account, .sets_available = true, .available = {.minor = minor}};
    memcpy(wanted.available.currency, currency, 4);
    change(f, wanted);
}

static enum setpay_error run_expire(struct setpay_db *db, void *arg)
{
    return setpay_account_expire(db, "", *(setpay_time_ms *)arg);
}

static void expire(struct fixture *f)
{
    assert_int_equal(run(f, run_expire, &f->now), SETPAY_OK);
}

/* ------------------------------------------------------------------ what is seen */

struct seen {
    const char *account;
    const char *currency;
    setpay_time_ms now;
    struct setpay_balance balance;
    json_t *json;
    struct setpay_clearing_ask ask;
    struct setpay_buffer file;
};

static enum setpay_error read_balance(struct setpay_db *db, void *arg)
{
    struct seen *seen = arg;
    return setpay_balance_find(db, seen->account, seen->currency, seen->now, &seen->balance);
}

static void expect(struct fixture *f, const char *account, const char *currency, int64_t booked,
                   int64_t held)
{
    struct seen seen = {.account = account, .currency = currency, .now = f->now};
    assert_int_equal(setpay_store_read(f->reader, read_balance, &seen), SETPAY_OK);
    assert_int_equal(seen.balance.booked_minor, booked);
    assert_int_equal(seen.balance.held_minor, held);
    assert_int_equal(seen.balance.available_minor, booked - held);
}

static enum setpay_error read_check(struct setpay_db *db, void *arg)
{
    struct seen *seen = arg;
    return setpay_books_check(db, seen->now, &seen->json);
}

/* What the check says first; "" where it finds nothing. */
static const char *first_finding(struct fixture *f)
{
    static char words[400];
    struct seen seen = {.now = f->now};
    assert_int_equal(setpay_store_read(f->reader, read_check, &seen), SETPAY_OK);
    const json_t *findings = json_object_get(seen.json, "findings");
    const char *first = json_string_value(json_array_get(findings, 0));
    snprintf(words, sizeof(words), "%s", first == NULL ? "" : first);
    assert_int_equal(json_integer_value(json_object_get(seen.json, "found")),
                     json_array_size(findings));
    assert_int_equal(json_is_true(json_object_get(seen.json, "ok")), words[0] == '\0');
    json_decref(seen.json);
    return words;
}

static int check_and_tear_down(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(first_finding(f), "");
    setpay_reader_free(f->reader);
    setpay_store_close(f->store);
    test_folder_remove(&f->folder);
    free(f);
    return 0;
}

/* ------------------------------------------------------------------ holds and charges */

static void a_hold_is_taken_presented_and_credited(void **state)
{
    struct fixture *f = *state;
    fund(f, "approve", 10000, "EUR");
    expect(f, "approve", "EUR", 10000, 0);
    assert_string_equal(authorise(f, "approve", 4000, "EUR", false), "00");
    expect(f, "approve", "EUR", 10000, 4000);
    assert_string_equal(present(f, 1, 1500, "EUR", false), "00");
    expect(f, "approve", "EUR", 8500, 2500);
    assert_string_equal(present(f, 1, 1500, "EUR", false), "94"); /* a repeat books nothing */
    expect(f, "approve", "EUR", 8500, 2500);
    assert_string_equal(present(f, 1, 1501, "EUR", false), "12");
    assert_string_equal(present(f, 2, 2501, "EUR", false), "13");
    assert_string_equal(present(f, 2, 2501, "EUR", false), "13"); /* refused stays refused */
    assert_string_equal(present(f, 3, 1, "USD", false), "13");
    assert_string_equal(present(f, 4, 2500, "EUR", false), "00");
    expect(f, "approve", "EUR", 6000, 0);
    assert_string_equal(present(f, 5, 4001, "EUR", true), "13");
    assert_string_equal(present(f, 6, 4000, "EUR", true), "00");
    assert_string_equal(present(f, 7, 1, "EUR", true), "13");
    expect(f, "approve", "EUR", 10000, 0);
}

static void each_currency_has_its_own_balance_in_its_own_digits(void **state)
{
    struct fixture *f = *state;
    static const char *const currencies[] = {"JPY", "EUR", "KWD"};
    for (size_t i = 0; i < 3; i++) {
        fund(f, "approve", 2, currencies[i]);
        assert_string_equal(authorise(f, "approve", 3, currencies[i], false), "51");
        assert_string_equal(authorise(f, "approve", 1, currencies[i], false), "00");
        assert_string_equal(present(f, (unsigned)i, 1, currencies[i], false), "00");
    }
    assert_string_equal(authorise(f, "approve", 1, "USD", false), "51"); /* none of it is there */
    for (size_t i = 0; i < 3; i++)
        expect(f, "approve", currencies[i], 1, 0);
    expect(f, "approve", "USD", 0, 0);
}

static void an_account_without_a_limit_goes_below_zero(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(authorise(f, "approve", SETPAY_MONEY_MAX_MINOR, "KWD", false), "00");
    expect(f, "approve", "KWD", 0, SETPAY_MONEY_MAX_MINOR);
    assert_string_equal(present(f, 1, SETPAY_MONEY_MAX_MINOR, "KWD", false), "00");
    expect(f, "approve", "KWD", -SETPAY_MONEY_MAX_MINOR, 0);
}

static void reversals_give_back_what_they_leave_unheld(void **state)
{
    struct fixture *f = *state;
    fund(f, "approve", 1000, "EUR");
    assert_string_equal(authorise(f, "approve", 1000, "EUR", false), "00");
    assert_string_equal(authorise(f, "approve", 1, "EUR", false), "51");
    assert_true(reverse(f, f->stan - 1, 400));
    expect(f, "approve", "EUR", 1000, 400);
    f->stan--;
    assert_string_equal(present(f, 1, 401, "EUR", false), "13"); /* above what stays authorised */
    assert_string_equal(present(f, 2, 300, "EUR", false), "00");
    expect(f, "approve", "EUR", 700, 100);
    assert_true(reverse(f, f->stan, 300)); /* what stays authorised was presented */
    expect(f, "approve", "EUR", 700, 0);
    assert_true(reverse(f, f->stan, 400)); /* later, and leaves more: no word of it */
    assert_string_equal(present(f, 3, 1, "EUR", false), "13");
    assert_false(reverse(f, 900, 0)); /* not known: whatever comes later holds nothing */
    f->stan = 899;
    assert_string_equal(authorise(f, "approve", 10, "EUR", false), "05");
    expect(f, "approve", "EUR", 700, 0);
}

static void a_reversed_authorisation_takes_no_charge(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(authorise(f, "approve", 1000, "EUR", false), "00");
    assert_true(reverse(f, f->stan, 0));
    assert_string_equal(present(f, 1, 1, "EUR", false), "13");
    expect(f, "approve", "EUR", 0, 0);
}

/* ------------------------------------------------------------------ ends of holds */

static void a_hold_ends_by_itself_and_not_a_moment_before(void **state)
{
    struct fixture *f = *state;
    fund(f, "approve", 1000, "EUR");
    assert_string_equal(authorise(f, "approve", 900, "EUR", false), "00");
    f->now += HOLD_MS - 1;
    expire(f);
    expect(f, "approve", "EUR", 1000, 900);
    f->now += 1;
    expire(f);
    expect(f, "approve", "EUR", 1000, 0);
}

/* Also where nobody has looked for ended holds before. */
static void an_ended_hold_makes_room_for_the_next_request(void **state)
{
    struct fixture *f = *state;
    fund(f, "approve", 1000, "EUR");
    assert_string_equal(authorise(f, "approve", 900, "EUR", false), "00");
    assert_string_equal(authorise(f, "approve", 900, "EUR", false), "51");
    f->now += HOLD_MS;
    assert_string_equal(authorise(f, "approve", 1000, "EUR", false), "00");
    expect(f, "approve", "EUR", 1000, 1000);
}

static void a_charge_after_the_holds_end_is_booked_as_far_as_funds_go(void **state)
{
    struct fixture *f = *state;
    fund(f, "approve", 1000, "EUR");
    assert_string_equal(authorise(f, "approve", 900, "EUR", false), "00");
    f->now += HOLD_MS;
    assert_string_equal(present(f, 1, 400, "EUR", false), "00");
    expect(f, "approve", "EUR", 600, 0);
    fund(f, "approve", 499, "EUR");
    assert_string_equal(present(f, 2, 500, "EUR", false), "51");
    assert_string_equal(present(f, 3, 499, "EUR", false), "00");
    expect(f, "approve", "EUR", 0, 0);
    assert_string_equal(present(f, 4, 400, "EUR", true), "00"); /* what was charged can come back */
    assert_string_equal(authorise(f, "approve-mastercard", 900, "EUR", false), "00");
    f->now += HOLD_MS;
    change(f, (struct setpay_balance_change){.account = "approve-mastercard", .state = "closed"});
    assert_string_equal(present(f, 5, 1, "EUR", false), "42");
}

/* ------------------------------------------------------------------ accounts */

static void a_closed_account_pays_what_it_owes_and_no_more(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(authorise(f, "approve", 100, "EUR", false), "00");
    change(f, (struct setpay_balance_change){.account = "approve", .state = "closed"});
    assert_string_equal(present(f, 1, 100, "EUR", false), "00");
    assert_string_equal(authorise(f, "approve", 1, "EUR", false), "42");
    assert_string_equal(authorise(f, "approve", 1, "EUR", true), "42");
    change(f, (struct setpay_balance_change){.account = "approve", .state = "open"});
    assert_string_equal(authorise(f, "approve", 1, "EUR", false), "00");
}

static void limits_are_of_a_purchase_and_of_a_day(void **state)
{
    struct fixture *f = *state;
    const struct setpay_money most = {500, "EUR"};
    const struct setpay_money daily = {700, "EUR"};
    const struct setpay_money none = {0, "EUR"};
    change(f, (struct setpay_balance_change){
                  .account = "approve", .purchase_limit = &most, .daily_limit = &daily});
    assert_string_equal(authorise(f, "approve", 501, "EUR", false), "61");
    assert_string_equal(authorise(f, "approve", 501, "JPY", false), "00"); /* of euros alone */
    assert_string_equal(authorise(f, "approve", 500, "EUR", false), "00");
    assert_string_equal(authorise(f, "approve", 201, "EUR", false), "61");
    assert_string_equal(authorise(f, "approve", 200, "EUR", true), "00");
    assert_string_equal(authorise(f, "approve", 1, "EUR", false), "61");
    reverse(f, f->stan - 1, 0); /* the sale is not spent */
    assert_string_equal(authorise(f, "approve", 200, "EUR", false), "00");
    f->now += SETPAY_DAY_MS / 2 - 1; /* the last moment of the day */
    assert_string_equal(authorise(f, "approve", 1, "EUR", false), "61");
    f->now += 1;
    assert_string_equal(authorise(f, "approve", 500, "EUR", false), "00");
    change(f, (struct setpay_balance_change){
                  .account = "approve", .purchase_limit = &none, .daily_limit = &none});
    assert_string_equal(authorise(f, "approve", 90000, "EUR", false), "00");
}

static void an_emptied_account_keeps_its_holds(void **state)
{
    struct fixture *f = *state;
    fund(f, "approve", 1000, "EUR");
    assert_string_equal(authorise(f, "approve", 300, "EUR", false), "00");
    fund(f, "approve", 0, "EUR");
    expect(f, "approve", "EUR", 300, 300);
    assert_string_equal(present(f, 1, 300, "EUR", false), "00");
    expect(f, "approve", "EUR", 0, 0);
}

/* ------------------------------------------------------------------ sales */

static void a_sale_is_booked_at_once_and_undone_by_its_reversal(void **state)
{
    struct fixture *f = *state;
    fund(f, "approve", 1000, "EUR");
    assert_string_equal(authorise(f, "approve", 1001, "EUR", true), "51");
    assert_string_equal(authorise(f, "approve", 800, "EUR", true), "00");
    expect(f, "approve", "EUR", 200, 0);
    assert_string_equal(present(f, 1, 1, "EUR", false), "13"); /* nothing is left to present */
    assert_string_equal(present(f, 2, 100, "EUR", true), "00");
    expect(f, "approve", "EUR", 300, 0);
    assert_true(reverse(f, f->stan, 500));
    expect(f, "approve", "EUR", 600, 0);
    assert_true(reverse(f, f->stan, 500));
    expect(f, "approve", "EUR", 600, 0);
    assert_true(reverse(f, f->stan, 0)); /* but for what was credited */
    expect(f, "approve", "EUR", 1000, 0);
    assert_string_equal(present(f, 3, 1, "EUR", true), "13");
}

static void a_sale_after_its_reversal_books_only_what_that_left(void **state)
{
    struct fixture *f = *state;
    assert_false(reverse(f, 1, 300));
    assert_string_equal(authorise(f, "approve", 800, "EUR", true), "00");
    expect(f, "approve", "EUR", -300, 0);
    assert_false(reverse(f, 2, 0));
    assert_string_equal(authorise(f, "approve", 800, "EUR", true), "05");
    expect(f, "approve", "EUR", -300, 0);
}

/* An advice tells what was approved elsewhere: it is booked, whatever is available. */
static void an_advice_is_not_asked(void **state)
{
    struct fixture *f = *state;
    fund(f, "approve", 100, "EUR");
    f->advice = true;
    assert_string_equal(authorise(f, "approve", 101, "EUR", false), "00");
    expect(f, "approve", "EUR", 100, 101);
    assert_string_equal(authorise(f, "do-not-honour", 101, "EUR", false), "00");
}

/* ------------------------------------------------------------------ disputes */

static enum setpay_error dispute(struct fixture *f, struct setpay_dispute *d, unsigned id,
                                 const char *reason, int64_t minor)
{
    char presentment[33];
    snprintf(presentment, sizeof(presentment), "%032x", 0xf000 + id);
    *d = (struct setpay_dispute){
        .presentment = presentment, .reason = reason, .amount = {minor, "EUR"}, .now = f->now};
    return run(f, setpay_dispute_open, d);
}

static enum setpay_error end_dispute(struct fixture *f, int64_t number, const char *outcome)
{
    struct setpay_dispute_end end = {.number = number, .outcome = outcome, .now = f->now};
    return run(f, setpay_dispute_close, &end);
}

static void a_dispute_gives_back_once_and_never_more_than_is_charged(void **state)
{
    struct fixture *f = *state;
    struct setpay_dispute d;
    assert_string_equal(authorise(f, "approve", 1000, "EUR", false), "00");
    assert_string_equal(present(f, 1, 600, "EUR", false), "00");
    assert_string_equal(present(f, 2, 100, "EUR", true), "00");
    assert_int_equal(dispute(f, &d, 9, "fraud", 0), SETPAY_E_NOT_FOUND);
    assert_int_equal(dispute(f, &d, 2, "fraud", 0), SETPAY_E_NOT_FOUND); /* a credit */
    assert_int_equal(dispute(f, &d, 1, "frau", 0), SETPAY_E_USAGE);
    assert_int_equal(dispute(f, &d, 1, "", 0), SETPAY_E_USAGE);
    assert_int_equal(dispute(f, &d, 1, "fraud", 501), SETPAY_E_USAGE);
    assert_string_equal(d.problem.text, "amount: at most 5.00 EUR can be disputed of it");
    assert_int_equal(dispute(f, &d, 1, "credit-missing", 0), SETPAY_OK);
    assert_int_equal(d.number, 1);
    expect(f, "approve", "EUR", -500, 400); /* nothing is given back yet */
    assert_int_equal(dispute(f, &d, 1, "fraud", 1), SETPAY_E_EXISTS);
    assert_int_equal(end_dispute(f, 2, "merchant"), SETPAY_E_NOT_FOUND);
    assert_int_equal(end_dispute(f, 1, "nobody"), SETPAY_E_USAGE);
    assert_int_equal(end_dispute(f, 1, "cardholder"), SETPAY_OK);
    assert_int_equal(end_dispute(f, 1, "cardholder"), SETPAY_OK);
    assert_int_equal(end_dispute(f, 1, "merchant"), SETPAY_E_EXISTS);
    expect(f, "approve", "EUR", 0, 400);
    assert_string_equal(present(f, 3, 1, "EUR", true), "13"); /* it has come back already */
}

static void a_credit_in_the_meantime_leaves_the_dispute_nothing(void **state)
{
    struct fixture *f = *state;
    struct setpay_dispute d;
    assert_string_equal(authorise(f, "approve", 1000, "EUR", false), "00");
    assert_string_equal(present(f, 1, 1000, "EUR", false), "00");
    assert_int_equal(dispute(f, &d, 1, "not-received", 0), SETPAY_OK);
    assert_string_equal(present(f, 2, 1000, "EUR", true), "00");
    assert_int_equal(end_dispute(f, 1, "cardholder"), SETPAY_E_USAGE);
    assert_int_equal(end_dispute(f, 1, "merchant"), SETPAY_OK);
    expect(f, "approve", "EUR", 0, 0);
}

/* ------------------------------------------------------------------ files */

static enum setpay_error read_clearing(struct setpay_db *db, void *arg)
{
    struct seen *seen = arg;
    return setpay_clearing_write(db, &seen->ask, &seen->file);
}

static enum setpay_error read_disputes(struct setpay_db *db, void *arg)
{
    struct seen *seen = arg;
    return setpay_clearing_write_disputes(db, &seen->ask, &seen->file);
}

static void write_file(struct fixture *f, setpay_store_read_fn *read, const char *date,
                       struct seen *seen)
{
    *seen = (struct seen){.ask = {.issuer = "bank", .date = date, .now = f->now}};
    setpay_buffer_init(&seen->file, SETPAY_CLEARING_FILE_MAX);
    assert_int_equal(setpay_store_read(f->reader, read, seen), SETPAY_OK);
    assert_int_equal(setpay_buffer_append(&seen->file, SETPAY_VIEW_ARRAY("")), SETPAY_OK);
    seen->file.size--;
}

static void the_clearing_file_has_each_day_what_was_decided_in_it(void **state)
{
    struct fixture *f = *state;
    struct setpay_clearing_file file;
    struct setpay_problem problem = {{0}};
    struct seen seen;
    f->now = NOON + SETPAY_DAY_MS / 2 - 1; /* the last millisecond of the 28th */
    assert_string_equal(authorise(f, "approve", 1000, "EUR", false), "00");
    assert_string_equal(present(f, 1, 700, "EUR", false), "00");
    f->now++;
    assert_string_equal(present(f, 2, 200, "EUR", true), "00");
    assert_string_equal(present(f, 3, 999, "EUR", false), "13");
    assert_string_equal(authorise(f, "approve", 5, "JPY", true), "00");
    reverse(f, f->stan, 0);
    f->stan = 77;
    assert_string_equal(present(f, 4, 5, "EUR", false), "25");
    write_file(f, read_clearing, "2026-02-28", &seen);
    assert_int_equal(setpay_clearing_file_parse(setpay_buffer_view(&seen.file), &file, &problem),
                     SETPAY_OK);
    assert_int_equal(file.row_count, 1);
    assert_int_equal(file.rows[0].amount.minor, 700);
    assert_string_equal(file.rows[0].reference, "605900000001");
    assert_string_equal(file.rows[0].date, "2026-02-28");
    setpay_clearing_file_clear(&file);
    setpay_buffer_clear(&seen.file);
    write_file(f, read_clearing, NULL, &seen);
    assert_int_equal(setpay_clearing_file_parse(setpay_buffer_view(&seen.file), &file, &problem),
                     SETPAY_OK);
    assert_string_equal(file.issuer, "bank");
    assert_string_equal(file.from, "2026-02-28");
    assert_string_equal(file.to, "2026-03-01");
    static const char *const kinds[] = {"capture", "credit",        "capture",
                                        "sale",    "sale-reversal", "capture"};
    static const char *const results[] = {"00", "00", "13", "00", "00", "25"};
    assert_int_equal(file.row_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(setpay_clearing_kind_name(file.rows[i].kind), kinds[i]);
        assert_string_equal(file.rows[i].result, results[i]);
    }
    assert_string_equal(file.rows[3].presentment, file.rows[3].xid);
    assert_string_equal(file.rows[4].presentment, file.rows[3].presentment);
    assert_string_equal(file.rows[5].xid, "");
    assert_string_equal(file.rows[5].reference, "");
    assert_null(strstr((char *)seen.file.data, "4242424242424242"));
    setpay_clearing_file_clear(&file);
    setpay_buffer_clear(&seen.file);
}

static void the_file_of_disputes_tells_how_they_stood_at_its_end(void **state)
{
    struct fixture *f = *state;
    struct setpay_dispute d;
    struct seen seen;
    assert_string_equal(authorise(f, "approve", 1000, "EUR", false), "00");
    assert_string_equal(present(f, 1, 1000, "EUR", false), "00");
    assert_int_equal(dispute(f, &d, 1, "duplicate", 250), SETPAY_OK);
    f->now += SETPAY_DAY_MS;
    assert_int_equal(end_dispute(f, 1, "cardholder"), SETPAY_OK);
    write_file(f, read_disputes, "2026-02-28", &seen);
    assert_non_null(strstr((char *)seen.file.data, ",605900000001,250,EUR,duplicate,2026-02-28,,\n"
                                                   "total,EUR,1,250\nend,1,"));
    setpay_buffer_clear(&seen.file);
    write_file(f, read_disputes, NULL, &seen);
    assert_non_null(strstr((char *)seen.file.data,
                           "header,setpay-disputes,1,bank,2026-02-28,2026-03-01\nrow,1,4242,"));
    assert_non_null(strstr((char *)seen.file.data,
                           ",250,EUR,duplicate,2026-02-28,2026-03-01,cardholder\nend,1,"));
    setpay_buffer_clear(&seen.file);
    write_file(f, read_disputes, "2026-03-02", &seen);
    assert_non_null(strstr((char *)seen.file.data, "2026-03-02\nend,0,"));
    setpay_buffer_clear(&seen.file);
}

/* ------------------------------------------------------------------ the check */

/* One of each thing: open and cleared authorisations, a sale that was undone in part, a credit, a
 * refusal, a dispute that the cardholder has won and one that is open. */
static void make_all(struct fixture *f)
{
    struct setpay_dispute d;
    fund(f, "approve", 100000, "EUR");
    authorise(f, "approve", 2000, "EUR", true);
    reverse(f, f->stan, 1500);
    authorise(f, "approve", 1000, "EUR", false);
    present(f, 1, 600, "EUR", false);
    present(f, 2, 100, "EUR", true);
    present(f, 3, 9999, "EUR", false);
    assert_int_equal(dispute(f, &d, 1, "amount", 50), SETPAY_OK);
    assert_int_equal(end_dispute(f, 1, "cardholder"), SETPAY_OK);
    assert_int_equal(dispute(f, &d, 1, "amount", 50), SETPAY_OK);
}

static const struct {
    const char *edit;
    const char *words; /* of the first finding */
} edits[] = {
    {"UPDATE account_balance SET booked_minor = booked_minor + 1",
     "account approve, EUR: 98051 booked, expected 98050"},
    {"UPDATE account_balance SET held_minor = held_minor - 1 WHERE account = 'approve'",
     "account approve, EUR: 399 held, expected 400"},
    {"UPDATE account_balance SET available_minor = 0 WHERE account = 'approve'",
     "account approve, EUR: 0 available, expected 97650"},
    {"DELETE FROM account_balance WHERE account = 'approve'",
     "account approve, EUR: 0 booked, expected 98050"},
    {"UPDATE account_entry SET amount_minor = amount_minor - 1 WHERE kind = 'capture'",
     "account approve, EUR: 98050 booked, expected 98049"},
    {"DELETE FROM account_entry WHERE kind = 'dispute'",
     "account approve, EUR: 98050 booked, expected 98000"},
    {"UPDATE account_entry SET currency = 'USD' WHERE kind = 'credit'", "account approve, EUR: "},
    {"UPDATE card_authorisation SET held_minor = held_minor + 1 WHERE id = 2",
     "account approve, EUR: 400 held, expected 401"},
    {"UPDATE card_authorisation SET presented_minor = 599 WHERE id = 2",
     "authorisation 2, account approve, EUR: 599 charged by presentments, expected 600"},
    {"UPDATE card_authorisation SET credited_minor = 0 WHERE id = 1",
     "authorisation 1, account approve, EUR: 0 credited by presentments, expected 500"},
    {"UPDATE card_authorisation SET disputed_minor = 49 WHERE id = 2",
     "authorisation 2, account approve, EUR: 49 given back by disputes, expected 50"},
    {"UPDATE card_authorisation SET authorised_minor = 2000 WHERE id = 1",
     "authorisation 1, account approve, EUR: 2000 authorised after reversals, expected 1500"},
    {"UPDATE card_authorisation SET state = 'cleared' WHERE id = 2",
     "authorisation 2, account approve, EUR, cleared: 1 (1: something is held of it), expected 0"},
    {"UPDATE card_authorisation SET hold_end_ms = 1 WHERE id = 2",
     "authorisation 2, account approve, EUR: 400 held, although the hold has ended, expected 0"},
    {"UPDATE card_presentment SET amount_minor = 601 WHERE kind = 'capture' AND result = '00'",
     "authorisation 2, account approve, EUR: 600 charged by presentments, expected 601"},
    {"UPDATE card_presentment SET result = '00' WHERE result = '13'",
     "authorisation 2, account approve, EUR: 600 charged by presentments, expected 10599"},
    {"DELETE FROM card_presentment WHERE kind = 'credit'",
     "authorisation 2, account approve, EUR: 100 credited by presentments, expected 0"},
    {"UPDATE account_entry SET presentment = 0 WHERE kind = 'sale'", "presentment "},
    {"UPDATE account_entry SET amount_minor = -amount_minor WHERE kind IN ('sale', 'adjustment')",
     "account approve, EUR: "},
    {"INSERT INTO card_presentment SELECT 99, acquirer, id, authorisation, kind, currency,"
     " amount_minor, '13', 1, first_ms FROM card_presentment WHERE kind = 'sale'",
     "presentment 00000000000000000000000000000001, sale: 2 rows of this id"},
    {"UPDATE dispute SET amount_minor = 51 WHERE number = 1",
     "authorisation 2, account approve, EUR: 50 given back by disputes, expected 51"},
    {"UPDATE dispute SET outcome = 'cardholder' WHERE number = 2",
     "authorisation 2, account approve, EUR: 50 given back by disputes, expected 100"},
    {"UPDATE dispute SET amount_minor = 700 WHERE number = 2",
     "dispute 2: 700 in dispute, of a presentment of less, expected 600"},
    {"UPDATE card_reversal SET remaining_minor = 1400",
     "authorisation 1, account approve, EUR: 1500 authorised after reversals, expected 1400"},
    {"UPDATE card_reversal SET matched = 2", "reversal of 4242 1 0228120000: 2 as the"},
};

struct edited {
    const char *edit;
    setpay_time_ms now;
    json_t *found;
};

/* Undone at once. */
static enum setpay_error run_edit(struct setpay_db *db, void *arg)
{
    struct edited *edited = arg;
    SETPAY_TRY(setpay_db_run(db, edited->edit));
    SETPAY_TRY(setpay_books_check(db, edited->now, &edited->found));
    return SETPAY_E_CONFLICT;
}

static void every_edit_of_the_rows_is_found_and_named(void **state)
{
    struct fixture *f = *state;
    make_all(f);
    assert_string_equal(first_finding(f), "");
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        struct edited edited = {.edit = edits[i].edit, .now = f->now};
        assert_int_equal(setpay_store_submit_wait(f->store, run_edit, &edited), SETPAY_E_CONFLICT);
        const char *words =
            json_string_value(json_array_get(json_object_get(edited.found, "findings"), 0));
        if (words == NULL || strncmp(words, edits[i].words, strlen(edits[i].words)) != 0)
            fail_msg("%s: found \"%s\"", edits[i].edit, words == NULL ? "" : words);
        json_decref(edited.found);
    }
}

/* ------------------------------------------------------------------ books of before */

/* Rows as they were before there were balances: a hold, of which a part was charged and a part of
 * that credited; one that was reversed in part; and what is available after both. */
static enum setpay_error write_old(struct setpay_db *db, void *unused)
{
    static const char *const rows[] = {
        "INSERT INTO account VALUES ('no-funds', 'visa', '9995', 'EUR', 130)",
        "INSERT INTO account VALUES ('approve', 'visa', '4242', '', NULL)",
        "INSERT INTO card_authorisation (id, acquirer, stan, sent, account, rrn, acceptor, "
        "currency,"
        " asked_minor, approved_minor, held_minor, response_code, approval_code, avs_result,"
        " cvv_result, state, xid, pomd, booked_ms, presented_minor, credited_minor) VALUES"
        " (1, '4242', 1, '0228120000', 'no-funds', '605900000001', 'M', 'EUR', 800, 800, 300, '00',"
        " 'A', 'U', 'U', 'held', '', '', 1772280000000, 500, 30),"
        " (2, '4242', 2, '0228120000', 'approve', '605900000002', 'M', 'JPY', 90, 90, 40, '00',"
        " 'B', 'U', 'U', 'held', '', '', 1772280000000, 0, 0)",
        "INSERT INTO card_reversal VALUES ('4242', 2, '0228120000', 40, 2, 1, 1772280000000)",
        "INSERT INTO card_presentment VALUES"
        " ('4242', '0000000000000000000000000000f002', 1, 1, 'EUR', 30, 2, 1772280000002),"
        " ('4242', '0000000000000000000000000000f001', 1, 0, 'EUR', 500, 1, 1772280000001)",
    };
    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        SETPAY_TRY(setpay_db_run(db, rows[i]));
    return SETPAY_OK;
}

static void books_of_before_are_taken_over(void **state)
{
    struct fixture *f = *state;
    const struct setpay_store_migration *steps = setpay_account_schema.steps;
    const struct setpay_store_migration old_steps[] = {steps[0], steps[1], {0, NULL}};
    const struct setpay_store_schema old_schema = {.name = setpay_account_schema.name,
                                                   .steps = old_steps,
                                                   .erasable = setpay_account_schema.erasable};
    struct setpay_problem problem = {{0}};
    char url[160];
    snprintf(url, sizeof(url), "sqlite:%s/old.db", f->folder.path);
    struct setpay_store_options options = {.url = url, .schema = &old_schema};
    setpay_reader_free(f->reader);
    setpay_store_close(f->store);
    assert_int_equal(setpay_store_open(&options, &f->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(f->store, write_old, NULL), SETPAY_OK);
    setpay_store_close(f->store);
    options.schema = &setpay_account_schema;
    assert_int_equal(setpay_store_open(&options, &f->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_reader_new(f->store, &f->reader), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(f->store, setpay_account_seed, NULL), SETPAY_OK);
    assert_string_equal(first_finding(f), "");
    expect(f, "no-funds", "EUR", 430, 300); /* 130 were available beside what is held */
    expect(f, "approve", "JPY", 0, 40);
    f->stan = 1;
    assert_string_equal(present(f, 1, 500, "EUR", false), "94");
    assert_string_equal(present(f, 2, 30, "EUR", true), "94");
    assert_string_equal(present(f, 3, 300, "EUR", false), "00");
    f->stan = 2;
    assert_string_equal(present(f, 4, 41, "JPY", false), "13");
    f->now += HOLD_MS;
    expire(f);
    expect(f, "no-funds", "EUR", 130, 0);
    expect(f, "approve", "JPY", 0, 0);
}

/* ------------------------------------------------------------------ thousands of operations */

static enum setpay_error run_any(struct setpay_db *db, void *arg)
{
    struct fixture *f = arg;
    f->db = db;
    static const char *const cards[] = {"approve", "approve-mastercard", "no-funds", "partial"};
    static const char *const currencies[] = {"EUR", "JPY", "KWD"};
    unsigned seed = 20260228;
    fund(f, "approve", 50000, "EUR");
    for (int i = 0; i < 3000; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned dice = seed >> 16;
        int64_t minor = 1 + (int64_t)(dice >> 3) % 900;
        const char *currency = currencies[dice % 3];
        uint32_t newest = f->stan;
        switch (dice % 9) {
        case 0:
        case 1:
        case 2:
            authorise(f, cards[(dice >> 4) % 4], minor, currency, dice % 5 == 0);
            continue;
        case 3:
            reverse(f, newest + 2 - dice % 6, dice % 2 == 0 ? 0 : minor);
            break;
        case 8:
            f->now += HOLD_MS / 3;
            break;
        default:
            f->stan = newest > 5 ? newest - dice % 5 : newest;
            present(f, (dice >> 5) % 400, minor, currency, dice % 4 == 0);
            f->stan = newest;
        }
    }
    return SETPAY_OK;
}

/* Whatever comes, in whatever order: the check agrees, and an account that is limited never pays
 * what it does not have. */
static void any_run_of_operations_leaves_books_that_agree(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(setpay_store_submit_wait(f->store, run_any, f), SETPAY_OK);
    f->db = NULL;
    assert_string_equal(first_finding(f), "");
    struct seen seen = {.account = "approve", .currency = "EUR", .now = f->now};
    assert_int_equal(setpay_store_read(f->reader, read_balance, &seen), SETPAY_OK);
    assert_true(seen.balance.available_minor >= 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, check_and_tear_down)

int main(void)
{
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        TEST(a_hold_is_taken_presented_and_credited),
        TEST(each_currency_has_its_own_balance_in_its_own_digits),
        TEST(an_account_without_a_limit_goes_below_zero),
        TEST(reversals_give_back_what_they_leave_unheld),
        TEST(a_reversed_authorisation_takes_no_charge),
        TEST(a_hold_ends_by_itself_and_not_a_moment_before),
        TEST(an_ended_hold_makes_room_for_the_next_request),
        TEST(a_charge_after_the_holds_end_is_booked_as_far_as_funds_go),
        TEST(a_closed_account_pays_what_it_owes_and_no_more),
        TEST(limits_are_of_a_purchase_and_of_a_day),
        TEST(an_emptied_account_keeps_its_holds),
        TEST(a_sale_is_booked_at_once_and_undone_by_its_reversal),
        TEST(a_sale_after_its_reversal_books_only_what_that_left),
        TEST(an_advice_is_not_asked),
        TEST(a_dispute_gives_back_once_and_never_more_than_is_charged),
        TEST(a_credit_in_the_meantime_leaves_the_dispute_nothing),
        TEST(the_clearing_file_has_each_day_what_was_decided_in_it),
        TEST(the_file_of_disputes_tells_how_they_stood_at_its_end),
        TEST(every_edit_of_the_rows_is_found_and_named),
        TEST(books_of_before_are_taken_over),
        TEST(any_run_of_operations_leaves_books_that_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
