/*
 * Disputes: what an issuer's file may hold; what a row of it comes to (pure, every refusal by its
 * name); and on a database: held back with the next settlement, lost, won, all or nothing, to the
 * last unit. In the end of every test the ledger and all that stands around it verify. Then every
 * edit to books with disputes is found, and named.
 */
#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "gateway/clearing/adjustment.h"
#include "gateway/clearing/dispute.h"
#include "gateway/clearing/items.h"
#include "gateway/issuer/dispute_file.h"
#include "tests/support/test_day.h"
#include "tests/support/test_paying.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "0123456789abcdef0123456789abcdef"
#define HEADER "header,setpay-disputes,1,bank-1,2026-11-01,2026-11-30\n"
#define LATER HEADER_TO("2026-12-31")
#define HEADER_TO(to) "header,setpay-disputes,1,bank-1,2026-11-01," to "\n"

/* ------------------------------------------------------------------ the file */

static size_t rows_of(const char *text)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, "row,")) != NULL; at++)
        count += at == text || at[-1] == '\n';
    return count;
}

/* The lines with an end that holds. */
static enum setpay_error parse(const char *lines, struct setpay_dispute_file *file,
                               struct setpay_problem *problem)
{
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SETPAY_DISPUTE_FILE_MAX);
    assert_int_equal(setpay_buffer_append(&bytes, setpay_view_string(lines)), SETPAY_OK);
    assert_int_equal(setpay_clearing_seal(&bytes, 0, rows_of(lines)), SETPAY_OK);
    enum setpay_error error = setpay_dispute_file_parse(setpay_buffer_view(&bytes), file, problem);
    setpay_buffer_clear(&bytes);
    return error;
}

static void a_file_is_read(void **state)
{
    struct setpay_dispute_file file;
    struct setpay_problem problem = {{0}};
    (void)state;
    assert_int_equal(
        parse(HEADER "row,1,4242," ID "," ID ",605901000001,1250,EUR,fraud,2026-11-02,,\n"
                     "row,3,4242," ID ",,,1,JPY,not-as-described,2026-10-01,2026-11-03,cardholder\n"
                     "row,9,77," ID "," ID ",,999999999999,KWD,duplicate,2026-11-30,2026-11-30,"
                     "merchant\n"
                     "row,10,4242," ID "," ID ",,7,EUR,amount,2026-11-30,,\n"
                     "total,EUR,2,1257\n",
              &file, &problem),
        SETPAY_OK);
    assert_int_equal(file.row_count, 4);
    assert_string_equal(file.issuer, "bank-1");
    assert_string_equal(file.to, "2026-11-30");
    assert_int_equal(file.rows[0].amount.minor, 1250);
    assert_int_equal(file.rows[0].outcome, SETPAY_DISPUTE_OPEN);
    assert_int_equal(file.rows[1].outcome, SETPAY_DISPUTE_CARDHOLDER);
    assert_string_equal(file.rows[1].xid, "");
    assert_string_equal(file.rows[1].closed, "2026-11-03");
    assert_int_equal(file.rows[2].outcome, SETPAY_DISPUTE_MERCHANT);
    assert_string_equal(file.rows[2].reason, "duplicate");
    assert_int_equal(file.rows[2].line, 4);
    setpay_dispute_file_clear(&file);
    assert_int_equal(parse(HEADER, &file, &problem), SETPAY_OK);
    assert_int_equal(file.row_count, 0);
    setpay_dispute_file_clear(&file);
}

#define ROW_OF(number, id, amount, currency, reason, days)                                         \
    "row," number ",4242," id "," ID ",605901000001," amount "," currency "," reason "," days "\n"
#define ROW ROW_OF("1", ID, "1250", "EUR", "fraud", "2026-11-02,,")

static void what_is_wrong_with_a_file_is_named(void **state)
{
    static const struct {
        const char *lines, *words;
    } wrong[] = {
        {"header,setpay-clearing,1,bank-1,2026-11-01,2026-11-30\n", "is it a file of disputes?"},
        {"header,setpay-disputes,2,bank-1,2026-11-01,2026-11-30\n", "line 1: version"},
        {"header,setpay-disputes,1,a b,2026-11-01,2026-11-30\n", "which no field may"},
        {"header,setpay-disputes,1,,2026-11-01,2026-11-30\n", "line 1: issuer"},
        {"header,setpay-disputes,1,b,2026-13-01,2026-11-30\n", "line 1: from"},
        {"header,setpay-disputes,1,b,2026-11-01,2026-10-30\n", "line 1: to"},
        {HEADER ROW_OF("0", ID, "1", "EUR", "fraud", "2026-11-02,,"), "line 2: dispute: found"},
        {HEADER ROW ROW "total,EUR,2,2500\n", "line 3: dispute: found \"1\", expected a number"},
        {HEADER "row,1,042," ID "," ID ",,1,EUR,fraud,2026-11-02,,\n", "acquirer"},
        {HEADER ROW_OF("1", "0123", "1", "EUR", "fraud", "2026-11-02,,"), "presentment"},
        {HEADER "row,1,4242," ID ",x,,1,EUR,fraud,2026-11-02,,\n", "xid"},
        {HEADER "row,1,4242," ID ",,7,1,EUR,fraud,2026-11-02,,\n", "reference"},
        {HEADER ROW_OF("1", ID, "0", "EUR", "fraud", "2026-11-02,,"), "amount"},
        {HEADER ROW_OF("1", ID, "1000000000000", "EUR", "fraud", "2026-11-02,,"), "amount"},
        {HEADER ROW_OF("1", ID, "01", "EUR", "fraud", "2026-11-02,,"), "amount"},
        {HEADER ROW_OF("1", ID, "1", "EUX", "fraud", "2026-11-02,,"), "currency"},
        {HEADER ROW_OF("1", ID, "1", "EUR", "frau", "2026-11-02,,"), "reason"},
        {HEADER ROW_OF("1", ID, "1", "EUR", "", "2026-11-02,,"), "reason"},
        {HEADER ROW_OF("1", ID, "1", "EUR", "fraud", "2026-12-01,,"), "opened"},
        {HEADER ROW_OF("1", ID, "1", "EUR", "fraud", "2026-11-02,2026-11-01,merchant"), "closed"},
        {HEADER ROW_OF("1", ID, "1", "EUR", "fraud", "2026-11-02,2026-12-01,merchant"), "closed"},
        {HEADER ROW_OF("1", ID, "1", "EUR", "fraud", "2026-11-02,2026-11-03,"), "outcome"},
        {HEADER ROW_OF("1", ID, "1", "EUR", "fraud", "2026-11-02,,merchant"), "outcome"},
        {HEADER ROW_OF("1", ID, "1", "EUR", "fraud", "2026-11-02,2026-11-03,open"), "outcome"},
        {HEADER ROW_OF("1", ID, "1", "EUR", "fraud", "2026-11-02,"), "found 11 fields"},
        {HEADER ROW_OF("1", ID, "1", "EUR", "fraud", "2026-11-02,,,"), "more than 12 fields"},
        {HEADER ROW, "but the rows come to \"total,EUR,1,1250\""},
        {HEADER ROW "total,EUR,1,1251\n", "but the rows come to \"total,EUR,1,1250\""},
        {HEADER ROW "total,EUR,2,1250\n", "but the rows come to"},
        {HEADER ROW "total,EUR,1,1250\ntotal,JPY,1,1\n", "a total of JPY, in which no dispute"},
        {HEADER "total,EUR,0,0\n", "a total of EUR, in which no dispute"},
        {HEADER ROW "total,EUR,1,1250\n" ROW, "expected row, then total, then end"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct setpay_dispute_file file = {.row_count = 77};
        struct setpay_problem problem = {{0}};
        enum setpay_error error = parse(wrong[i].lines, &file, &problem);
        if (error != SETPAY_E_INVALID || strstr(problem.text, wrong[i].words) == NULL)
            fail_msg("%s: %d, '%s', expected '%s'", wrong[i].lines, (int)error, problem.text,
                     wrong[i].words);
        assert_int_equal(file.row_count, 77); /* untouched */
    }
}

static void every_changed_byte_is_noticed(void **state)
{
    struct setpay_buffer bytes;
    struct setpay_dispute_file file;
    (void)state;
    setpay_buffer_init(&bytes, SETPAY_DISPUTE_FILE_MAX);
    assert_int_equal(
        setpay_buffer_append(&bytes, setpay_view_string(HEADER ROW "total,EUR,1,1250\n")),
        SETPAY_OK);
    assert_int_equal(setpay_clearing_seal(&bytes, 0, 1), SETPAY_OK);
    for (size_t i = 0; i < bytes.size; i++) {
        struct setpay_problem problem = {{0}};
        bytes.data[i] ^= 1;
        assert_int_equal(setpay_dispute_file_parse(setpay_buffer_view(&bytes), &file, &problem),
                         SETPAY_E_INVALID);
        bytes.data[i] ^= 1;
        assert_int_equal(setpay_dispute_file_parse(setpay_view_of(bytes.data, i), &file, &problem),
                         SETPAY_E_INVALID);
    }
    setpay_buffer_clear(&bytes);
}

/* ------------------------------------------------------------------ what a row comes to */

static struct setpay_dispute_row a_row(void)
{
    struct setpay_dispute_row row = {.number = 7, .line = 2};
    strcpy(row.presentment, ID);
    strcpy(row.xid, ID);
    row.amount = (struct setpay_money){1250, "EUR"};
    strcpy(row.reason, "fraud");
    strcpy(row.opened, "2026-11-02");
    return row;
}

static struct setpay_gateway_charge a_charge(void)
{
    struct setpay_gateway_charge charge = {
        .amount = {1250, "EUR"}, .left_minor = 1250, .is_taken = true, .issuer = "sim"};
    assert_int_equal(setpay_id_parse(ID, &charge.xid), SETPAY_OK);
    return charge;
}

static struct setpay_gateway_dispute a_known(void)
{
    struct setpay_gateway_dispute known = {.number = 7, .amount = {1250, "EUR"}};
    assert_int_equal(setpay_id_parse(ID, &known.step), SETPAY_OK);
    strcpy(known.reason, "fraud");
    strcpy(known.opened, "2026-11-02");
    return known;
}

static void close_row(struct setpay_dispute_row *row, enum setpay_dispute_outcome outcome)
{
    row->outcome = outcome;
    strcpy(row->closed, "2026-11-10");
}

static void expect_refused(const struct setpay_dispute_row *row, const char *by,
                           const struct setpay_gateway_charge *charge,
                           const struct setpay_gateway_dispute *known, enum setpay_error error,
                           const char *name)
{
    enum setpay_dispute_action action = (enum setpay_dispute_action)77;
    struct setpay_problem problem = {{0}};
    char words[64];
    (void)snprintf(words, sizeof words, "line 2, dispute 7: %s: ", name);
    assert_int_equal(
        setpay_gateway_dispute_decide(row, "2026-11-30", by, charge, known, &action, &problem),
        error);
    if (strncmp(problem.text, words, strlen(words)) != 0)
        fail_msg("expected '%s' before '%s'", words, problem.text);
    assert_int_equal(action, 77);
}

static void expect_action(const struct setpay_dispute_row *row, const char *to,
                          const struct setpay_gateway_charge *charge,
                          const struct setpay_gateway_dispute *known,
                          enum setpay_dispute_action expected)
{
    enum setpay_dispute_action action;
    struct setpay_problem problem = {{0}};
    assert_int_equal(setpay_gateway_dispute_decide(row, to, NULL, charge, known, &action, &problem),
                     SETPAY_OK);
    assert_int_equal(action, expected);
}

static void a_new_row_opens_and_may_close(void **state)
{
    struct setpay_dispute_row row = a_row();
    struct setpay_gateway_charge charge = a_charge();
    (void)state;
    expect_action(&row, "2026-11-30", &charge, NULL, SETPAY_DISPUTE_OPENS);
    row.amount.minor = 1;
    charge.left_minor = 1;
    expect_action(&row, "2026-11-30", &charge, NULL, SETPAY_DISPUTE_OPENS);
    close_row(&row, SETPAY_DISPUTE_CARDHOLDER);
    expect_action(&row, "2026-11-30", &charge, NULL, SETPAY_DISPUTE_OPENS_AND_CLOSES);
    close_row(&row, SETPAY_DISPUTE_MERCHANT);
    charge.left_minor = 0; /* what was won before it was heard of holds nothing back */
    expect_action(&row, "2026-11-30", &charge, NULL, SETPAY_DISPUTE_OPENS_AND_CLOSES);
    row.xid[0] = '\0';
    expect_action(&row, "2026-11-30", &charge, NULL, SETPAY_DISPUTE_OPENS_AND_CLOSES);
}

static void each_refusal_has_its_name(void **state)
{
    struct setpay_dispute_row row = a_row();
    struct setpay_gateway_charge charge = a_charge();
    (void)state;
    expect_refused(&row, NULL, NULL, NULL, SETPAY_E_NOT_FOUND, "unknown");
    charge.is_taken = false;
    expect_refused(&row, NULL, &charge, NULL, SETPAY_E_NOT_FOUND, "unknown");
    charge = a_charge();
    expect_refused(&row, "another", &charge, NULL, SETPAY_E_INVALID, "issuer");
    row.xid[0] = 'f';
    expect_refused(&row, "sim", &charge, NULL, SETPAY_E_INVALID, "xid");
    row = a_row();
    strcpy(row.amount.currency, "USD");
    expect_refused(&row, "sim", &charge, NULL, SETPAY_E_MONEY_CURRENCY, "currency");
    row = a_row();
    row.amount.minor = 1251;
    expect_refused(&row, "sim", &charge, NULL, SETPAY_E_AMOUNT_LIMIT, "amount");
    close_row(&row, SETPAY_DISPUTE_MERCHANT);
    expect_refused(&row, "sim", &charge, NULL, SETPAY_E_AMOUNT_LIMIT, "amount");
    row = a_row();
    charge.left_minor = 1249; /* rule G8 */
    expect_refused(&row, "sim", &charge, NULL, SETPAY_E_AMOUNT_LIMIT, "left");
    close_row(&row, SETPAY_DISPUTE_CARDHOLDER);
    expect_refused(&row, "sim", &charge, NULL, SETPAY_E_AMOUNT_LIMIT, "left");
}

static void a_known_row_changes_nothing_or_closes(void **state)
{
    struct setpay_dispute_row row = a_row();
    struct setpay_gateway_dispute known = a_known();
    (void)state;
    expect_action(&row, "2026-11-30", NULL, &known, SETPAY_DISPUTE_NOTHING);
    close_row(&row, SETPAY_DISPUTE_CARDHOLDER);
    expect_action(&row, "2026-11-30", NULL, &known, SETPAY_DISPUTE_CLOSES);
    known.outcome = SETPAY_DISPUTE_CARDHOLDER;
    strcpy(known.closed, "2026-11-10");
    expect_action(&row, "2026-11-30", NULL, &known, SETPAY_DISPUTE_NOTHING);
    close_row(&row, SETPAY_DISPUTE_MERCHANT);
    expect_refused(&row, NULL, NULL, &known, SETPAY_E_EXISTS, "outcome");
    close_row(&row, SETPAY_DISPUTE_CARDHOLDER);
    strcpy(row.closed, "2026-11-11");
    expect_refused(&row, NULL, NULL, &known, SETPAY_E_EXISTS, "outcome");
    /* A file of days before it was closed has it open; one of that day and later has not. */
    row = a_row();
    expect_action(&row, "2026-11-09", NULL, &known, SETPAY_DISPUTE_NOTHING);
    expect_refused(&row, NULL, NULL, &known, SETPAY_E_EXISTS, "outcome");
    known = a_known();
    row.amount.minor = 1249;
    expect_refused(&row, NULL, NULL, &known, SETPAY_E_EXISTS, "changed");
    row = a_row();
    strcpy(row.amount.currency, "USD");
    expect_refused(&row, NULL, NULL, &known, SETPAY_E_EXISTS, "changed");
    row = a_row();
    row.presentment[0] = 'f';
    expect_refused(&row, NULL, NULL, &known, SETPAY_E_EXISTS, "changed");
    row = a_row();
    strcpy(row.reason, "amount");
    expect_refused(&row, NULL, NULL, &known, SETPAY_E_EXISTS, "changed");
    row = a_row();
    strcpy(row.opened, "2026-11-03");
    expect_refused(&row, NULL, NULL, &known, SETPAY_E_EXISTS, "changed");
}

/* ------------------------------------------------------------------ on a database */

struct importing {
    const char *lines;
    setpay_time_ms now_ms;
    const int64_t *skip;
    size_t skip_count;
    enum setpay_error error;
    struct setpay_gateway_dispute_import import;
    struct setpay_problem problem;
};

static struct setpay_dispute_row skipped; /* the last */

static void on_skipped(void *arg, const struct setpay_dispute_row *row)
{
    (void)arg;
    skipped = *row;
}

static enum setpay_error run_import(struct setpay_db *db, void *arg)
{
    struct importing *importing = arg;
    struct setpay_dispute_file file;
    SETPAY_TRY(parse(importing->lines, &file, &importing->problem));
    importing->import = (struct setpay_gateway_dispute_import){.file = &file,
                                                               .acquirer = "4242",
                                                               .skip = importing->skip,
                                                               .skip_count = importing->skip_count,
                                                               .skipped_cb = on_skipped,
                                                               .now_ms = importing->now_ms};
    SETPAY_TRY(setpay_sha256(setpay_view_string(importing->lines), &importing->import.digest));
    enum setpay_error error =
        setpay_gateway_dispute_import(db, &importing->import, &importing->problem);
    setpay_dispute_file_clear(&file);
    return error;
}

static struct importing importing;

static enum setpay_error import_at(setpay_time_ms now_ms, const char *lines)
{
    importing = (struct importing){.lines = lines, .now_ms = now_ms};
    return setpay_store_submit_wait(test_day_store, run_import, &importing);
}

static enum setpay_error import_without(const int64_t *skip, size_t count, const char *lines)
{
    importing =
        (struct importing){.lines = lines, .now_ms = DAY_26, .skip = skip, .skip_count = count};
    return setpay_store_submit_wait(test_day_store, run_import, &importing);
}

static const char *text_of(const struct setpay_id *id)
{
    static char texts[4][SETPAY_ID_TEXT_SIZE];
    static int next;
    return setpay_id_format(id, texts[next++ % 4]);
}

/* One row under a header, with the totals of one that is open. */
static const char *file_of(int number, const struct setpay_id *charge, int64_t minor,
                           const char *currency, const char *end)
{
    static char lines[1024];
    size_t used = (size_t)snprintf(lines, sizeof lines,
                                   LATER "row,%d,4242,%s,,,%lld,%s,fraud,2026-11-02,%s\n", number,
                                   text_of(charge), (long long)minor, currency, end);
    if (strcmp(end, ",") == 0)
        (void)snprintf(lines + used, sizeof lines - used, "total,%s,1,%lld\n", currency,
                       (long long)minor);
    return lines;
}
#define OPEN ","
#define LOST "2026-11-20,cardholder"
#define WON "2026-11-20,merchant"

static struct setpay_id charge_of(const char *currency, int64_t amount, int64_t fee)
{
    return test_day_add("shop", currency, SETPAY_STEP_CAPTURE, amount, fee, DAY_26 - 5000, "00");
}

static void an_open_dispute_reduces_the_next_settlement(void **state)
{
    struct setpay_id charge = charge_of("EUR", 5000, 65);
    (void)state;
    assert_int_equal(import_at(DAY_26 - 1000, file_of(1, &charge, 2000, "EUR", OPEN)), SETPAY_OK);
    assert_int_equal(importing.import.opened, 1);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_DISPUTES, "EUR"), -2000);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), 2000 - 4935);
    assert_int_equal(test_day_settle(NOON, NULL), 1);
    const struct setpay_settlement *s = &test_day_settled.made[0];
    assert_int_equal(s->adjusted.disputed_count, 1);
    assert_int_equal(s->adjusted.disputed_minor, 2000);
    assert_int_equal(s->payout_minor, 4935 - 2000);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), 0);
    /* The same file again, in a later one, and settled again: nothing. */
    assert_int_equal(import_at(NOON, file_of(1, &charge, 2000, "EUR", OPEN)), SETPAY_OK);
    assert_int_equal(importing.import.known, 1);
    assert_int_equal(test_day_settle(NOON, NULL), 0);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM ledger_entry WHERE kind = 7"), 1);
    assert_int_equal(test_day_ask("SELECT disputed_minor FROM step"), 2000);
}

/* Lost: the issuer owes so much less; the merchant, which has had it held back, hears no more. */
static void a_lost_dispute_goes_to_the_issuer(void **state)
{
    struct setpay_id charge = charge_of("EUR", 5000, 65);
    (void)state;
    assert_int_equal(import_at(DAY_26 - 1000, file_of(1, &charge, 5000, "EUR", OPEN)), SETPAY_OK);
    assert_int_equal(test_day_settle(NOON, NULL), 1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 0);
    assert_int_equal(test_day_settled.made[0].carried_out_minor, -65); /* the fee stays */
    assert_int_equal(import_at(NOON, file_of(1, &charge, 5000, "EUR", LOST)), SETPAY_OK);
    assert_int_equal(importing.import.lost, 1);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_DISPUTES, "EUR"), 0);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_ISSUER_RECEIVABLE, "EUR"), 4999 - 5000);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), 65);
    assert_int_equal(test_day_ask("SELECT disputed_minor FROM step"), 5000); /* gone for good */
    assert_int_equal(test_day_settle(NOON + SETPAY_DAY_MS, NULL), 0);
    assert_int_equal(import_at(NOON, file_of(2, &charge, 1, "EUR", OPEN)), SETPAY_E_AMOUNT_LIMIT);
}

/* Won: paid out with the next settlement, also of a day on which nothing else was. */
static void a_won_dispute_comes_back(void **state)
{
    struct setpay_id charge = charge_of("JPY", 3, 1);
    (void)state;
    assert_int_equal(import_at(DAY_26 - 1000, file_of(1, &charge, 1, "JPY", OPEN)), SETPAY_OK);
    assert_int_equal(test_day_settle(NOON, NULL), 1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 1);
    assert_int_equal(import_at(NOON, file_of(1, &charge, 1, "JPY", WON)), SETPAY_OK);
    assert_int_equal(importing.import.won, 1);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_DISPUTES, "JPY"), 0);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "JPY"), -1);
    assert_int_equal(test_day_ask("SELECT disputed_minor FROM step"), 0);
    assert_int_equal(test_day_settle(NOON, NULL), 0); /* it was read after that day's end */
    assert_int_equal(test_day_settle(NOON + SETPAY_DAY_MS, NULL), 1);
    assert_int_equal(test_day_settled.made[0].adjusted.returned_count, 1);
    assert_int_equal(test_day_settled.made[0].sums.capture_count, 0);
    assert_int_equal(test_day_settled.made[0].payout_minor, 1);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "JPY"), 0);
    /* It may be disputed once more, under another number. */
    assert_int_equal(import_at(NOON, file_of(2, &charge, 3, "JPY", OPEN)), SETPAY_OK);
}

static void what_was_read_late_opens_and_closes_at_once(void **state)
{
    struct setpay_id charge = charge_of("EUR", 100, 0);
    (void)state;
    assert_int_equal(import_at(DAY_26 - 1, file_of(1, &charge, 60, "EUR", WON)), SETPAY_OK);
    assert_int_equal(import_at(DAY_26 - 1, file_of(2, &charge, 40, "EUR", LOST)), SETPAY_OK);
    assert_int_equal(test_day_settle(NOON, NULL), 1);
    assert_int_equal(test_day_settled.made[0].adjusted.disputed_minor, 100);
    assert_int_equal(test_day_settled.made[0].adjusted.returned_minor, 60);
    assert_int_equal(test_day_settled.made[0].payout_minor, 60);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM ledger_entry WHERE kind IN (7, 8, 9)"), 4);
}

/* What is read in at the cut-off is of the day; a millisecond later, of the next. */
static void what_is_read_after_the_cut_off_is_of_the_next_day(void **state)
{
    struct setpay_id charge = charge_of("EUR", 100, 0);
    (void)state;
    assert_int_equal(import_at(DAY_26, file_of(1, &charge, 10, "EUR", OPEN)), SETPAY_OK);
    assert_int_equal(import_at(DAY_26 + 1, file_of(2, &charge, 20, "EUR", OPEN)), SETPAY_OK);
    assert_int_equal(test_day_settle(NOON, NULL), 1);
    assert_int_equal(test_day_settled.made[0].adjusted.disputed_minor, 10);
    assert_int_equal(test_day_settled.made[0].payout_minor, 90);
    assert_int_equal(test_day_settle(NOON + SETPAY_DAY_MS, NULL), 1);
    assert_int_equal(test_day_settled.made[0].adjusted.disputed_minor, 20);
    assert_int_equal(test_day_settled.made[0].carried_out_minor, -20);
}

/* Rule G8: credits and disputes never come to more than was captured. */
static void credits_and_disputes_share_the_capture(void **state)
{
    struct setpay_id charge = charge_of("EUR", 100, 0);
    (void)state;
    test_day_credit("EUR", 70, DAY_26 - 4000);
    assert_int_equal(import_at(DAY_26, file_of(1, &charge, 31, "EUR", OPEN)),
                     SETPAY_E_AMOUNT_LIMIT);
    assert_non_null(strstr(importing.problem.text, "left: only 0.30 EUR"));
    assert_int_equal(import_at(DAY_26, file_of(1, &charge, 30, "EUR", OPEN)), SETPAY_OK);
    assert_int_equal(import_at(DAY_26, file_of(2, &charge, 1, "EUR", OPEN)), SETPAY_E_AMOUNT_LIMIT);
}

static void a_row_that_does_not_fit_refuses_the_file(void **state)
{
    char lines[2048];
    struct setpay_id charge = charge_of("EUR", 100, 0);
    struct setpay_id refused =
        test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 50, 0, DAY_26 - 5000, "25");
    struct setpay_id waiting =
        test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 50, 0, DAY_26 - 5000, NULL);
    struct setpay_id credit =
        test_day_add("shop", "EUR", SETPAY_STEP_CREDIT, 50, 0, DAY_26 - 5000, "00");
    const struct setpay_id *others[] = {&refused, &waiting, &credit};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(lines, sizeof lines,
                       LATER "row,1,4242,%s,,,10,EUR,fraud,2026-11-02,,\n"
                             "row,2,4242,%s,,,50,EUR,fraud,2026-11-02,,\ntotal,EUR,2,60\n",
                       text_of(&charge), text_of(others[i]));
        assert_int_equal(import_at(DAY_26, lines), SETPAY_E_NOT_FOUND);
        assert_non_null(strstr(importing.problem.text, "line 3, dispute 2: unknown: "));
    }
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM dispute"), 0);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM adjustment"), 0);
    assert_int_equal(test_day_ask("SELECT SUM(disputed_minor) FROM step"), 0);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM ledger_entry WHERE kind > 6"), 0);
    /* Rows of other acquirers are passed over, whatever they are of. */
    (void)snprintf(lines, sizeof lines,
                   LATER "row,1,4242,%s,,,10,EUR,fraud,2026-11-02,,\n"
                         "row,2,77," ID ",,,50,EUR,fraud,2026-11-02,,\ntotal,EUR,2,60\n",
                   text_of(&charge));
    assert_int_equal(import_at(DAY_26, lines), SETPAY_OK);
    assert_int_equal(importing.import.opened, 1);
    assert_int_equal(importing.import.passed_over, 1);
}

static enum setpay_error take_charged(void *arg, const struct setpay_clearing_item *item)
{
    *(int64_t *)arg = item->charged_minor;
    return SETPAY_OK;
}

static enum setpay_error read_charged(struct setpay_db *db, void *arg)
{
    const struct setpay_clearing_window window = {
        .part = SETPAY_CLEARING_ANSWERED, .to_ms = INT64_MAX, .limit = 2};
    struct setpay_clearing_at next;
    bool more;
    return setpay_clearing_window_each(db, &window, take_charged, arg, &next, &more);
}

/* What reconcile takes as charged after all, of the only item. */
static int64_t charged(void)
{
    int64_t minor = -1;
    test_day_operate(read_charged, &minor);
    return minor;
}

/* What was cleared to its merchant in that time. */
struct claimed {
    struct setpay_clearing_window window;
    struct setpay_clearing_item item; /* the last */
    size_t count;
};

static enum setpay_error take_claimed(void *arg, const struct setpay_clearing_item *item)
{
    struct claimed *claimed = arg;
    claimed->item = *item;
    claimed->count++;
    return SETPAY_OK;
}

static enum setpay_error read_claimed(struct setpay_db *db, void *arg)
{
    struct claimed *claimed = arg;
    struct setpay_clearing_at next;
    bool more;
    return setpay_clearing_window_each(db, &claimed->window, take_claimed, claimed, &next, &more);
}

static void expect_claimed(setpay_time_ms from_ms, setpay_time_ms to_ms, size_t count)
{
    struct claimed claimed = {
        .window = {
            .part = SETPAY_CLEARING_CLAIMED, .from_ms = from_ms, .to_ms = to_ms, .limit = 9}};
    test_day_operate(read_claimed, &claimed);
    assert_int_equal(claimed.count, count);
    assert_int_equal(claimed.item.charged_ms, count == 0 ? 0 : NOON);
    assert_int_equal(claimed.item.charged_minor, count == 0 ? 0 : 2026);
}

/* An issuer that has refused a capture, and has charged it all the same: so much as was cleared to
 * the merchant can be disputed, with its share of the fee, and no more. */
static void what_was_refused_and_cleared_is_disputed(void **state)
{
    struct setpay_id charge;
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "25");
    assert_int_equal(setpay_id_parse(test_paying_items().item.what, &charge), SETPAY_OK);
    assert_int_equal(import_at(NOON, file_of(1, &charge, 1, "EUR", OPEN)), SETPAY_E_NOT_FOUND);
    assert_non_null(strstr(importing.problem.text, "unknown: the issuer has not taken"));
    assert_int_equal(charged(), 0);
    expect_claimed(0, INT64_MAX, 0);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 2000);
    assert_int_equal(charged(), 2026);
    expect_claimed(NOON, NOON + 1, 1);
    expect_claimed(NOON + 1, INT64_MAX, 0);
    expect_claimed(0, NOON, 0);
    assert_int_equal(import_at(NOON, file_of(1, &charge, 2027, "EUR", OPEN)),
                     SETPAY_E_AMOUNT_LIMIT);
    assert_non_null(strstr(importing.problem.text, "left: only 20.26 EUR"));
    assert_int_equal(import_at(NOON, file_of(1, &charge, 2026, "EUR", OPEN)), SETPAY_OK);
    assert_int_equal(import_at(NOON, file_of(2, &charge, 1, "EUR", OPEN)), SETPAY_E_AMOUNT_LIMIT);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 935);
    assert_int_equal(charged(), 2974);
    assert_int_equal(import_at(NOON, file_of(2, &charge, 949, "EUR", OPEN)), SETPAY_E_AMOUNT_LIMIT);
    assert_int_equal(import_at(NOON, file_of(2, &charge, 948, "EUR", LOST)), SETPAY_OK);
    /* What nobody was charged stays out of it. */
    test_paying_move(&item, SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 0);
    assert_int_equal(charged(), 2974);
    assert_int_equal(import_at(NOON, file_of(3, &charge, 1, "EUR", OPEN)), SETPAY_E_AMOUNT_LIMIT);
    assert_int_equal(import_at(NOON, file_of(1, &charge, 2026, "EUR", WON)), SETPAY_OK);
    assert_int_equal(import_at(NOON, file_of(3, &charge, 1, "EUR", OPEN)), SETPAY_OK);
}

/* What was written off its issuer has never seen. */
static void what_was_written_off_is_not_disputed(void **state)
{
    struct setpay_id charge;
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CAPTURE, 5000, 10, 65, "WO");
    assert_int_equal(setpay_id_parse(test_paying_items().item.what, &charge), SETPAY_OK);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0);
    assert_int_equal(charged(), 0);
    assert_int_equal(import_at(NOON, file_of(1, &charge, 1, "EUR", OPEN)), SETPAY_E_NOT_FOUND);
}

/* A credit is cleared the other way. */
static void what_was_refused_of_a_credit_is_given_back_after_all(void **state)
{
    (void)state;
    struct setpay_id item = test_paying_refused(SETPAY_STEP_CREDIT, 700, 0, 0, "13");
    assert_int_equal(charged(), 0);
    test_paying_move(&item, SETPAY_ACCOUNT_MERCHANT_PAYABLE, 0);
    assert_int_equal(charged(), 700);
}

/* A row that can't be taken stands in the way of all others, unless the operator leaves it out: by
 * a number that is in the file, and ours. */
static void a_row_is_left_out(void **state)
{
    static const int64_t second[] = {2}, second_twice[] = {2, 2}, first[] = {1};
    static const int64_t others[] = {3}, unknown[] = {2, 4};
    char lines[2048];
    struct setpay_id charge = charge_of("EUR", 100, 0);
    (void)state;
    (void)snprintf(lines, sizeof lines,
                   LATER "row,1,4242,%s,,,10,EUR,fraud,2026-11-02,,\n"
                         "row,2,4242," ID ",,,50,EUR,fraud,2026-11-02,,\n"
                         "row,3,77," ID ",,,5,EUR,fraud,2026-11-02,,\ntotal,EUR,3,65\n",
                   text_of(&charge));
    assert_int_equal(import_without(first, 1, lines), SETPAY_E_NOT_FOUND);
    assert_int_equal(import_without(others, 1, lines), SETPAY_E_INVALID);
    assert_string_equal(importing.problem.text,
                        "skip: no row of ours is of dispute 3; nothing was imported");
    assert_int_equal(import_without(unknown, 2, lines), SETPAY_E_INVALID);
    assert_non_null(strstr(importing.problem.text, "is of dispute 4"));
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM dispute"), 0);
    assert_int_equal(import_without(second_twice, 2, lines), SETPAY_OK);
    assert_int_equal(importing.import.opened, 1);
    assert_int_equal(importing.import.skipped, 1);
    assert_int_equal(importing.import.passed_over, 1);
    assert_int_equal(skipped.number, 2);
    assert_int_equal(skipped.line, 3);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM dispute"), 1);
    /* It is not known then: it stands in the way again. */
    assert_int_equal(import_at(DAY_26, lines), SETPAY_E_NOT_FOUND);
    assert_int_equal(import_without(second, 1, lines), SETPAY_OK);
    assert_int_equal(importing.import.known, 1);
}

/* An issuer books a sale at once, so that it can be disputed before its batch is closed; one that
 * was undone is there no more. */
static void a_sale_is_disputed_before_it_is_presented(void **state)
{
    struct setpay_id sale = test_day_add("shop", "EUR", SETPAY_STEP_CAPTURE, 100, 0, 0, NULL);
    (void)state;
    assert_int_equal(import_at(DAY_26, file_of(1, &sale, 60, "EUR", OPEN)), SETPAY_E_NOT_FOUND);
    test_day_edit("UPDATE payment SET sale_id = (SELECT token FROM step),"
                  " approved_minor = captured_minor, period = 1");
    assert_int_equal(import_at(DAY_26, file_of(1, &sale, 60, "EUR", OPEN)), SETPAY_OK);
    assert_int_equal(test_day_settle(NOON, NULL), 1); /* held back before it is due */
    assert_int_equal(test_day_settled.made[0].carried_out_minor, -60);
    test_day_edit("UPDATE step SET undone = 1");
    assert_int_equal(import_at(DAY_26, file_of(2, &sale, 1, "EUR", OPEN)), SETPAY_E_AMOUNT_LIMIT);
    assert_non_null(strstr(importing.problem.text, "left: only 0.00 EUR"));
    test_day_edit("UPDATE step SET undone = 0");
}

/* Two issuers may number alike. */
static void a_dispute_is_known_by_issuer_and_number(void **state)
{
    char lines[1024];
    struct setpay_id charge = charge_of("EUR", 100, 0);
    (void)state;
    assert_int_equal(import_at(DAY_26, file_of(1, &charge, 10, "EUR", OPEN)), SETPAY_OK);
    (void)snprintf(lines, sizeof lines,
                   "header,setpay-disputes,1,bank-2,2026-11-01,2026-11-30\n"
                   "row,1,4242,%s,,,20,EUR,amount,2026-11-03,,\ntotal,EUR,1,20\n",
                   text_of(&charge));
    assert_int_equal(import_at(DAY_26, lines), SETPAY_OK);
    assert_int_equal(importing.import.opened, 1);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_DISPUTES, "EUR"), -30);
}

/* A credit that was decided on what was there before a dispute must be decided again. */
static void a_dispute_moves_its_payment_on(void **state)
{
    struct setpay_id charge = charge_of("EUR", 100, 0);
    int64_t before = test_day_ask("SELECT version FROM payment");
    (void)state;
    assert_int_equal(import_at(DAY_26, file_of(1, &charge, 10, "EUR", OPEN)), SETPAY_OK);
    assert_int_equal(test_day_ask("SELECT version FROM payment"), before + 1);
    assert_int_equal(import_at(DAY_26, file_of(1, &charge, 10, "EUR", WON)), SETPAY_OK);
    assert_int_equal(test_day_ask("SELECT version FROM payment"), before + 2);
}

/* ------------------------------------------------------------------ every edit is found */

/* Dispute 1, of 200, was held back by settlement 1 and is open; 2, of 300, was lost; 3, of 50, was
 * won and came back with settlement 2. */
static int open_disputed(void **state)
{
    test_day_open(state);
    struct setpay_id first = charge_of("EUR", 1000, 10), second = charge_of("EUR", 500, 5);
    assert_int_equal(import_at(DAY_26 - 3, file_of(1, &first, 200, "EUR", OPEN)), SETPAY_OK);
    assert_int_equal(import_at(DAY_26 - 2, file_of(2, &second, 300, "EUR", LOST)), SETPAY_OK);
    assert_int_equal(import_at(DAY_26 - 2, file_of(3, &second, 50, "EUR", OPEN)), SETPAY_OK);
    test_day_settle(NOON, NULL);
    assert_int_equal(test_day_settled.made[0].payout_minor, 1485 - 550);
    assert_int_equal(import_at(NOON, file_of(3, &second, 50, "EUR", WON)), SETPAY_OK);
    test_day_settle(NOON + SETPAY_DAY_MS, NULL);
    assert_int_equal(test_day_settled.made[0].payout_minor, 50);
    assert_int_equal(test_day_verify().findings, 0);
    return 0;
}

static const struct {
    const char *sql, *words;
} edits[] = {
    {"UPDATE dispute SET amount_minor = 201 WHERE id = 1", "is of another merchant, currency or"},
    {"UPDATE dispute SET amount_minor = 0 WHERE id = 1", "of no capture, or of more than one"},
    {"UPDATE dispute SET amount_minor = 1001 WHERE id = 1", "of no capture, or of more than one"},
    {"UPDATE dispute SET number = 9 WHERE id = 1", "currency or content"},
    {"UPDATE dispute SET issuer = 'bank-2' WHERE id = 1", "currency or content"},
    {"UPDATE dispute SET reason = 'amount' WHERE id = 1", "currency or content"},
    {"UPDATE dispute SET opened = '2026-11-03' WHERE id = 1", "currency or content"},
    {"UPDATE dispute SET opened_file = zeroblob(32) WHERE id = 1", "currency or content"},
    {"UPDATE dispute SET opened_ms = opened_ms + 1 WHERE id = 1", "currency or content"},
    {"UPDATE dispute SET step_id = 2 WHERE id = 1", "what is disputed of it is not what"},
    {"UPDATE dispute SET step_id = 99 WHERE id = 1", "there is no dispute"},
    {"UPDATE dispute SET token = zeroblob(16) WHERE id = 1", "not in the ledger: dispute 1"},
    {"UPDATE dispute SET outcome = 2 WHERE id = 1", "neither open nor closed: dispute 1"},
    {"UPDATE dispute SET outcome = 0 WHERE id = 2", "neither open nor closed: dispute 2"},
    {"UPDATE dispute SET outcome = 2 WHERE id = 2", "there is no dispute that was lost"},
    {"UPDATE dispute SET outcome = 1 WHERE id = 3", "there is no dispute that was won"},
    {"UPDATE dispute SET outcome = 7 WHERE id = 3", "neither open nor closed: dispute 3"},
    {"UPDATE dispute SET closed = '2026-11-21' WHERE id = 2", "currency or content"},
    {"UPDATE dispute SET closed = '' WHERE id = 2", "neither open nor closed: dispute 2"},
    {"UPDATE dispute SET closed_file = zeroblob(32) WHERE id = 2", "currency or content"},
    {"UPDATE dispute SET closed_file = NULL WHERE id = 2", "neither open nor closed: dispute 2"},
    {"UPDATE dispute SET closed_ms = closed_ms + 1 WHERE id = 2", "currency or content"},
    {"UPDATE dispute SET closing = NULL WHERE id = 2", "not in the ledger: the end of dispute 2"},
    {"UPDATE dispute SET closing = zeroblob(16) WHERE id = 3",
     "not in the ledger: the end of dispute 3"},
    {"DELETE FROM dispute WHERE id = 1", "there is no dispute"},
    {"DELETE FROM dispute WHERE id = 2", "there is no dispute that was lost"},
    {"DELETE FROM dispute WHERE id = 3", "there is no dispute that was won"},
    {"INSERT INTO dispute SELECT 9, zeroblob(16), issuer, 9, step_id, 1, reason, opened, '', 0,"
     " NULL, opened_file, NULL, opened_ms, 0 FROM dispute WHERE id = 1",
     "not in the ledger: dispute 9"},
    {"UPDATE step SET disputed_minor = 0 WHERE id = 1", "what is disputed of it is not what"},
    {"UPDATE step SET disputed_minor = 901, credited_minor = 100 WHERE id = 1",
     "more was given back or disputed than was captured"},
    {"UPDATE step SET undone = 1 WHERE id = 1",
     "more was given back or disputed than was captured"},
    {"UPDATE adjustment SET amount_minor = -199 WHERE id = 1", "of no dispute and no clearing"},
    {"UPDATE adjustment SET kind = 2 WHERE id = 1", "of no dispute and no clearing"},
    {"UPDATE adjustment SET kind = 3 WHERE id = 1", "its adjustments come to 350 (2)"},
    {"UPDATE adjustment SET source_id = 2 WHERE id = 1", "of no dispute and no clearing"},
    {"UPDATE adjustment SET merchant_id = 'other' WHERE id = 1", "of no dispute and no clearing"},
    {"UPDATE adjustment SET brand = 'other' WHERE id = 1", "adjusted by a settlement that is not"},
    {"UPDATE adjustment SET currency = 'USD' WHERE id = 1", "of no dispute and no clearing"},
    {"UPDATE adjustment SET created_ms = created_ms - 1 WHERE id = 1", "of no dispute and no"},
    {"UPDATE adjustment SET created_ms = created_ms + 86400000 WHERE id = 1",
     "adjusted for a day before it was made: adjustment 1, settlement 1"},
    {"UPDATE adjustment SET token = zeroblob(16) WHERE id = 1", "nothing was adjusted for it"},
    {"UPDATE adjustment SET settlement_id = 0 WHERE id = 1", "its adjustments come to 350 (2)"},
    {"UPDATE adjustment SET settlement_id = 2 WHERE id = 1", "its adjustments come to 350 (2)"},
    {"UPDATE adjustment SET settlement_id = 77 WHERE id = 1",
     "adjusted by a settlement that is not there"},
    {"DELETE FROM adjustment WHERE id = 1", "nothing was adjusted for it: kind 1 of 1"},
    {"DELETE FROM adjustment WHERE kind = 2", "nothing was adjusted for it: kind 2 of 3"},
    {"UPDATE settlement SET disputed_minor = 549 WHERE id = 1", "says 549 disputed (3)"},
    {"UPDATE settlement SET disputed_count = 2 WHERE id = 1", "says 550 disputed (2)"},
    {"UPDATE settlement SET returned_minor = 51 WHERE id = 2", "51 returned (1)"},
    {"UPDATE settlement SET returned_count = 0 WHERE id = 2", "50 returned (0)"},
    {"UPDATE ledger_balance SET amount_minor = -100 WHERE account = 7",
     "steps and settlements leave something else: account 7"},
};

static const struct {
    const char *sql, *words;
} forgeries[] = {
    {"UPDATE ledger_posting SET amount_minor = amount_minor * 2 WHERE entry IN"
     " (SELECT MIN(number) FROM ledger_entry WHERE kind = 7)",
     "would be posted with other amounts"},
    {"UPDATE ledger_posting SET account = 2 WHERE account = 1 AND entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 8)",
     "the dispute that was lost"},
    {"UPDATE ledger_entry SET kind = 9 WHERE kind = 8", "there is no dispute that was won"},
    {"UPDATE ledger_entry SET merchant_id = 'other' WHERE kind = 7", "of another merchant"},
    {"UPDATE ledger_entry SET currency = 'USD' WHERE kind = 9", "of another merchant, currency"},
    /* A dispute that was lost, and is said to have been won, with everything but its content. */
    {"UPDATE dispute SET outcome = 2 WHERE id = 2;"
     "UPDATE ledger_posting SET account = 2 WHERE account = 1 AND entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 8);"
     "UPDATE ledger_entry SET kind = 9 WHERE kind = 8",
     "the dispute that was won"},
};

static void every_edit_is_found_and_named(void **state)
{
    size_t edit_count = sizeof edits / sizeof *edits;
    size_t forgery_count = sizeof forgeries / sizeof *forgeries;
    (void)state;
    for (size_t i = 0; i < edit_count; i++)
        test_day_expect_found(edits[i].sql, edits[i].words, false);
    test_day_operate(test_day_chain_anew, NULL);
    assert_int_equal(test_day_verify().findings, 0);
    for (size_t i = 0; i < forgery_count; i++)
        test_day_expect_found(forgeries[i].sql, forgeries[i].words, true);
    print_message("# tally: edits to settled books that were found = %zu\n",
                  edit_count + forgery_count);
}

static enum setpay_error read_plan(struct setpay_db *db, void *arg)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "EXPLAIN QUERY PLAN " SETPAY_GATEWAY_DISPUTES_OPEN));
    setpay_db_get_text(rows, 3, arg, 200);
    return setpay_db_end(rows);
}

/* The figure costs as many as are open, however many there were. */
static void open_ones_are_counted_by_their_index(void **state)
{
    char plan[200];
    (void)state;
    test_day_operate(read_plan, plan);
    print_message("# %s\n", plan);
    assert_non_null(strstr(plan, "USING COVERING INDEX dispute_open"));
    test_day_edit("INSERT INTO dispute (token, issuer, number, step_id, amount_minor, reason,"
                  " opened, closed, outcome, opened_file, opened_ms, closed_ms)"
                  " VALUES (x'01', 'sim', 1, 1, 1, '', '', '', 0, x'', 1, 0),"
                  " (x'02', 'sim', 2, 1, 1, '', '', '', 1, x'', 1, 2)");
    assert_int_equal(test_day_ask(SETPAY_GATEWAY_DISPUTES_OPEN), 1);
    test_day_edit("UPDATE dispute SET closed_ms = 1");
    assert_int_equal(test_day_ask(SETPAY_GATEWAY_DISPUTES_OPEN), 0);
    test_day_edit("DELETE FROM dispute");
}

#define BOOKS(test) cmocka_unit_test_setup_teardown(test, test_day_open, test_day_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(what_is_wrong_with_a_file_is_named),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(a_new_row_opens_and_may_close),
        cmocka_unit_test(each_refusal_has_its_name),
        cmocka_unit_test(a_known_row_changes_nothing_or_closes),
        BOOKS(an_open_dispute_reduces_the_next_settlement),
        BOOKS(a_lost_dispute_goes_to_the_issuer),
        BOOKS(a_won_dispute_comes_back),
        BOOKS(what_was_read_late_opens_and_closes_at_once),
        BOOKS(what_is_read_after_the_cut_off_is_of_the_next_day),
        BOOKS(credits_and_disputes_share_the_capture),
        BOOKS(a_row_that_does_not_fit_refuses_the_file),
        BOOKS(what_was_refused_and_cleared_is_disputed),
        BOOKS(what_was_written_off_is_not_disputed),
        BOOKS(what_was_refused_of_a_credit_is_given_back_after_all),
        BOOKS(a_row_is_left_out),
        BOOKS(a_sale_is_disputed_before_it_is_presented),
        BOOKS(a_dispute_is_known_by_issuer_and_number),
        BOOKS(a_dispute_moves_its_payment_on),
        BOOKS(open_ones_are_counted_by_their_index),
        cmocka_unit_test_setup_teardown(every_edit_is_found_and_named, open_disputed,
                                        test_day_close),
    };
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
