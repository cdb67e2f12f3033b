/*
 * The books of a merchant's days, made by hand, and looked through.
 */
#include "tests/support/test_day.h"

#include "common/store/db.h"
#include "gateway/clearing/given_back.h"
#include "gateway/clearing/ledger.h"
#include "gateway/payment/payment.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct test_folder folder;
struct setpay_store *test_day_store;
struct setpay_settling test_day_settled;
static uint8_t next_token;

/* ------------------------------------------------------------------ things to settle */

void test_day_operate(setpay_store_operation_fn *operation, void *arg)
{
    assert_int_equal(setpay_store_submit_wait(test_day_store, operation, arg), SETPAY_OK);
}

enum setpay_error test_day_run_sql(struct setpay_db *db, void *arg)
{
    return setpay_db_run_values(db, arg,
                                (const struct setpay_db_value[]){{.type = SETPAY_DB_TYPE_END}});
}

void test_day_edit(const char *sql)
{
    char copy[1280];
    char *rest = NULL;
    (void)snprintf(copy, sizeof copy, TEST_LEDGER_UNGUARD "%s", sql);
    for (char *one = strtok_r(copy, ";", &rest); one != NULL; one = strtok_r(NULL, ";", &rest))
        test_day_operate(test_day_run_sql, one);
}

struct number {
    const char *sql;
    int64_t value;
};

static enum setpay_error read_number(struct setpay_db *db, void *arg)
{
    struct number *number = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one_values(
        db, &rows, number->sql, (const struct setpay_db_value[]){{.type = SETPAY_DB_TYPE_END}}));
    number->value = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

int64_t test_day_ask(const char *sql)
{
    struct number number = {.sql = sql};
    test_day_operate(read_number, &number);
    return number.value;
}

struct merchant {
    const char *id, *zone, *cut_off;
};

static enum setpay_error write_merchant(struct setpay_db *db, void *arg)
{
    const struct merchant *from = arg;
    struct setpay_gateway_merchant merchant = {
        .enabled = true, .category = 5999, .name = "x", .brand = "visa"};
    (void)snprintf(merchant.id, sizeof merchant.id, "%s", from->id);
    (void)snprintf(merchant.zone, sizeof merchant.zone, "%s", from->zone);
    SETPAY_TRY(setpay_cut_off_parse(from->cut_off, &merchant.cut_off_minutes));
    return setpay_gateway_merchant_insert(db, &merchant);
}

void test_day_merchant(const char *id, const char *zone, const char *cut_off)
{
    struct merchant merchant = {id, zone, cut_off};
    test_day_operate(write_merchant, &merchant);
}

static enum setpay_error find_payment(struct setpay_db *db, struct test_day_item *item)
{
    struct setpay_payment payment = {.state = SETPAY_PAYMENT_CAPTURED};
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows, "SELECT id FROM payment WHERE merchant_id = $1 AND currency = $2",
                      SETPAY_DB_TEXT(item->merchant_id), SETPAY_DB_TEXT(item->currency));
    if (error == SETPAY_OK) {
        item->payment_id = setpay_db_get_int(rows, 0);
        return setpay_db_end(rows);
    }
    strcpy(payment.brand, "visa");
    (void)snprintf(payment.merchant_id, sizeof payment.merchant_id, "%s", item->merchant_id);
    (void)snprintf(payment.amount.currency, sizeof payment.amount.currency, "%s", item->currency);
    payment.amount.minor = payment.approved_minor = SETPAY_MONEY_MAX_MINOR;
    payment.signed_minor = SETPAY_MONEY_MAX_MINOR;
    payment.terms.kind = SETPAY_TERMS_SINGLE;
    payment.hold_expiry_ms = INT64_C(1) << 50;
    payment.has_cap_token = true;
    SETPAY_TRY(setpay_id_random(&payment.cap_token));
    SETPAY_TRY(setpay_id_random(&payment.xid));
    SETPAY_TRY(setpay_id_random(&payment.rrpid));
    SETPAY_TRY(setpay_digest_random(&payment.pimd));
    SETPAY_TRY(setpay_payment_insert(db, &payment));
    item->payment_id = payment.id;
    return SETPAY_OK;
}

static enum setpay_error write_batch(struct setpay_db *db, const struct test_day_item *item,
                                     int64_t *id)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_run(db,
                             "INSERT INTO batch (brand, merchant_id, number, open, opened_ms,"
                             " closed_ms) SELECT 'visa', $1, COUNT(*) + 1, $2, 1, $3 FROM batch"
                             " WHERE merchant_id = $4",
                             SETPAY_DB_TEXT(item->merchant_id),
                             SETPAY_DB_BOOL(item->closed_ms == 0), SETPAY_DB_INT(item->closed_ms),
                             SETPAY_DB_TEXT(item->merchant_id)));
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT MAX(id) FROM batch"));
    *id = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static enum setpay_error post(struct setpay_db *db, const struct test_day_item *item)
{
    const struct setpay_charges charges = {item->interchange, item->fee};
    struct setpay_ledger_entry entry = {.time_ms = 1000, .event = item->token};
    strcpy(entry.brand, "visa");
    (void)snprintf(entry.merchant_id, sizeof entry.merchant_id, "%s", item->merchant_id);
    (void)snprintf(entry.currency, sizeof entry.currency, "%s", item->currency);
    setpay_ledger_post((enum setpay_ledger_kind)item->kind, item->amount, &charges, &entry);
    return setpay_ledger_append(db, &entry);
}

/* What comes back with a credit of the payment's first capture. */
static enum setpay_error give_back(struct setpay_db *db, struct test_day_item *item)
{
    struct setpay_kept_interchange of;
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      "SELECT amount_minor, interchange_minor, credited_minor,"
                      " (SELECT COALESCE(SUM(interchange_minor), 0) FROM step credit"
                      " WHERE credit.of_id = step.id) FROM step"
                      " WHERE payment_id = $1 AND kind = 1 ORDER BY id LIMIT 1",
                      SETPAY_DB_INT(item->payment_id));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    of.captured_minor = setpay_db_get_int(rows, 0);
    of.kept_minor = setpay_db_get_int(rows, 1);
    of.credited_minor = setpay_db_get_int(rows, 2);
    of.given_minor = setpay_db_get_int(rows, 3);
    item->interchange = setpay_given_back(&of, item->amount);
    return setpay_db_end(rows);
}

enum setpay_error test_day_write_item(struct setpay_db *db, void *arg)
{
    struct test_day_item *item = arg;
    int64_t batch;
    bool captures = item->kind == SETPAY_STEP_CAPTURE;
    SETPAY_TRY(find_payment(db, item));
    SETPAY_TRY(write_batch(db, item, &batch));
    if (!captures)
        SETPAY_TRY(give_back(db, item));
    /* A credit is of the payment's first capture. */
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO step (token, payment_id, kind, of_id, amount_minor, interchange_minor,"
        " fee_minor, batch_id, undone, credited_minor, created_ms)"
        " SELECT $1, $2, $3, COALESCE(MIN(id), 0), $4, $5, $6, $7, 0, 0, 1000 FROM step"
        " WHERE payment_id = $8 AND kind = 1 AND $9 = 2",
        SETPAY_DB_ID(&item->token), SETPAY_DB_INT(item->payment_id), SETPAY_DB_INT(item->kind),
        SETPAY_DB_INT(item->amount), SETPAY_DB_INT(item->interchange), SETPAY_DB_INT(item->fee),
        SETPAY_DB_INT(batch), SETPAY_DB_INT(item->payment_id), SETPAY_DB_INT(item->kind)));
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE step SET credited_minor = credited_minor + $1 WHERE id ="
                             " (SELECT of_id FROM step WHERE token = $2)",
                             SETPAY_DB_INT(captures ? 0 : item->amount),
                             SETPAY_DB_ID(&item->token)));
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE payment SET captured_minor = captured_minor + $1,"
                             " credited_minor = credited_minor + $2 WHERE id = $3",
                             SETPAY_DB_INT(captures ? item->amount : 0),
                             SETPAY_DB_INT(captures ? 0 : item->amount),
                             SETPAY_DB_INT(item->payment_id)));
    SETPAY_TRY(post(db, item));
    if (item->closed_ms == 0)
        return SETPAY_OK;
    return setpay_db_run(
        db,
        "INSERT INTO presentment (step_id, batch_id, acknowledged, response_code, sent_count,"
        " created_ms, acknowledged_ms) SELECT id, batch_id, $1, $2, 1, $3, $4"
        " FROM step WHERE token = $5",
        SETPAY_DB_BOOL(item->code != NULL), SETPAY_DB_TEXT(item->code != NULL ? item->code : ""),
        SETPAY_DB_INT(item->closed_ms),
        SETPAY_DB_INT(item->code != NULL ? item->closed_ms + 50 : 0), SETPAY_DB_ID(&item->token));
}

struct setpay_id test_day_add(const char *merchant_id, const char *currency,
                              enum setpay_step_kind kind, int64_t amount, int64_t fee,
                              setpay_time_ms closed_ms, const char *code)
{
    struct test_day_item item = {.merchant_id = merchant_id,
                                 .currency = currency,
                                 .kind = kind,
                                 .amount = amount,
                                 .fee = fee,
                                 .interchange = amount > 3 ? 1 : 0,
                                 .closed_ms = closed_ms,
                                 .code = code};
    memset(item.token.bytes, ++next_token, sizeof item.token.bytes);
    test_day_operate(test_day_write_item, &item);
    return item.token;
}

void test_day_capture(const char *currency, int64_t amount, int64_t fee, setpay_time_ms closed_ms)
{
    (void)test_day_add("shop", currency, SETPAY_STEP_CAPTURE, amount, fee, closed_ms, "00");
}

void test_day_credit(const char *currency, int64_t amount, setpay_time_ms closed_ms)
{
    (void)test_day_add("shop", currency, SETPAY_STEP_CREDIT, amount, 0, closed_ms, "94");
}

/* ------------------------------------------------------------------ settling */

enum setpay_error test_day_run_settle(struct setpay_db *db, void *arg)
{
    return setpay_settle(db, arg);
}

/* One merchant after the other. */
size_t test_day_settle(setpay_time_ms now_ms, const char *date)
{
    struct setpay_settling *part = calloc(1, sizeof *part);
    struct setpay_settling *all = &test_day_settled;
    memset(all, 0, sizeof *all);
    assert_non_null(part);
    part->now_ms = now_ms;
    part->has_date = date != NULL;
    if (date != NULL)
        assert_int_equal(setpay_date_parse(date, &part->date), SETPAY_OK);
    do {
        test_day_operate(test_day_run_settle, part);
        for (size_t i = 0; i < part->made_count; i++)
            all->made[all->made_count++] = part->made[i];
        for (size_t i = 0; i < part->stopped_count; i++)
            all->stopped[all->stopped_count++] = part->stopped[i];
        all->waiting_count += part->waiting_count;
        all->later_count += part->later_count;
        all->not_ended_count += part->not_ended_count;
    } while (part->more);
    free(part);
    return all->made_count;
}

static void on_finding(void *arg, const char *words)
{
    struct test_day_findings *verified = arg;
    size_t used = strlen(verified->all);
    (void)snprintf(verified->all + used, sizeof verified->all - used, "%s\n", words);
}

enum setpay_error test_day_verify_in(struct setpay_db *db, void *arg)
{
    struct test_day_findings *v = arg;
    struct setpay_ledger_mark reached;
    size_t ledger = 0, clearing = 0;
    SETPAY_TRY(setpay_ledger_verify(db, NULL, on_finding, v, &reached, &ledger));
    SETPAY_TRY(setpay_clearing_verify(db, on_finding, v, &clearing));
    v->findings = ledger + clearing;
    return SETPAY_OK;
}

struct test_day_findings test_day_verify(void)
{
    struct test_day_findings verified = {.findings = 0};
    test_day_operate(test_day_verify_in, &verified);
    return verified;
}

/* Each account's balance of the shop, as ledger balances shows it. */
int64_t test_day_balance(int account, const char *currency)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "SELECT COALESCE(SUM(amount_minor), 0) FROM ledger_balance WHERE account = %d"
                   " AND currency = '%s' AND merchant_id = 'shop'",
                   account, currency);
    return test_day_ask(sql);
}

int test_day_open(void **state)
{
    struct setpay_problem problem;
    (void)state;
    next_token = 0;
    test_folder_make(&folder);
    const struct setpay_store_options options = {.url = folder.url,
                                                 .schema = &setpay_gateway_schema};
    assert_int_equal(setpay_store_open(&options, &test_day_store, &problem), SETPAY_OK);
    test_day_merchant("shop", "UTC", "24:00");
    return 0;
}

int test_day_close(void **state)
{
    struct test_day_findings v = test_day_verify();
    (void)state;
    if (v.findings != 0)
        print_message("%s", v.all);
    assert_int_equal(v.findings, 0);
    setpay_store_close(test_day_store);
    test_folder_remove(&folder);
    return 0;
}

/* ------------------------------------------------------------------ edits */

/* With its hash made anew, as somebody would who knows how it is computed. */
enum setpay_error test_day_chain_anew(struct setpay_db *db, void *arg)
{
    static struct setpay_ledger_entry entries[64];
    size_t count = 0;
    struct setpay_db_rows *rows;
    (void)arg;
    memset(entries, 0, sizeof entries);
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT number, time_ms, kind, event, brand, merchant_id, currency"
                                " FROM ledger_entry ORDER BY number"));
    while (setpay_db_next(rows)) {
        struct setpay_ledger_entry *e = &entries[count++];
        e->time_ms = setpay_db_get_int(rows, 1);
        e->kind = (enum setpay_ledger_kind)setpay_db_get_int(rows, 2);
        setpay_db_get_id(rows, 3, &e->event);
        setpay_db_get_text(rows, 4, e->brand, sizeof e->brand);
        setpay_db_get_text(rows, 5, e->merchant_id, sizeof e->merchant_id);
        setpay_db_get_text(rows, 6, e->currency, sizeof e->currency);
    }
    SETPAY_TRY(setpay_db_end(rows));
    for (size_t i = 0; i < count; i++) {
        SETPAY_TRY(setpay_db_select(db, &rows,
                                    "SELECT account, amount_minor FROM ledger_posting"
                                    " WHERE entry = $1 ORDER BY line",
                                    SETPAY_DB_INT((int64_t)i + 1)));
        while (setpay_db_next(rows))
            entries[i].postings[entries[i].posting_count++] = (struct setpay_posting){
                (enum setpay_account)setpay_db_get_int(rows, 0), setpay_db_get_int(rows, 1)};
        SETPAY_TRY(setpay_db_end(rows));
    }
    char unguard[] = TEST_LEDGER_UNGUARD;
    char *rest = NULL;
    for (char *one = strtok_r(unguard, ";", &rest); one != NULL; one = strtok_r(NULL, ";", &rest))
        SETPAY_TRY(test_day_run_sql(db, one));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM ledger_entry"));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM ledger_posting"));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM ledger_balance"));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM ledger_head"));
    for (size_t i = 0; i < count; i++)
        SETPAY_TRY(setpay_ledger_append(db, &entries[i]));
    return SETPAY_OK;
}

struct trial {
    const char *sql;
    bool forges;
    struct test_day_findings verified;
};

/* In an operation that fails in the end, so that nothing of it stays. */
static enum setpay_error try_edit(struct setpay_db *db, void *arg)
{
    struct trial *trial = arg;
    char copy[1280];
    char *rest = NULL;
    (void)snprintf(copy, sizeof copy, TEST_LEDGER_UNGUARD "%s", trial->sql);
    for (char *one = strtok_r(copy, ";", &rest); one != NULL; one = strtok_r(NULL, ";", &rest))
        SETPAY_TRY(test_day_run_sql(db, one));
    if (trial->forges)
        SETPAY_TRY(test_day_chain_anew(db, NULL));
    SETPAY_TRY(test_day_verify_in(db, &trial->verified));
    return SETPAY_E_CONFLICT;
}

void test_day_expect_found(const char *sql, const char *words, bool forges)
{
    struct trial trial = {.sql = sql, .forges = forges};
    assert_int_equal(setpay_store_submit_wait(test_day_store, try_edit, &trial), SETPAY_E_CONFLICT);
    if (trial.verified.findings == 0 || strstr(trial.verified.all, words) == NULL)
        fail_msg("%s: %zu findings, expected '%s':\n%s", sql, trial.verified.findings, words,
                 trial.verified.all);
}
