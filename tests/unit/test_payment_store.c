/*
 * Payments as the gateway keeps them: what one row claims for itself (rules A6, G6), and which
 * cards a purge must leave (rules G7, G10).
 */
#include "common/store/answers.h"
#include "gateway/clearing/unsent.h"
#include "gateway/payment/payment.h"
#include "gateway/payment/stand_in.h"
#include "tests/support/test_store.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW_MS 1700000000000

struct fixture {
    struct test_folder folder;
    struct setpay_store *store;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct setpay_problem problem;
    test_folder_make(&fixture.folder);
    const struct setpay_store_options options = {.url = fixture.folder.url,
                                                 .schema = &setpay_gateway_schema};
    assert_int_equal(setpay_store_open(&options, &fixture.store, &problem), SETPAY_OK);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    setpay_store_close(fixture->store);
    test_folder_remove(&fixture->folder);
    return 0;
}

/* A payment that is being asked for; all that tells one from another is made of the three numbers.
 */
static struct setpay_payment payment_of(uint8_t instruction, uint8_t rrpid, uint8_t content)
{
    struct setpay_payment payment = {
        .number = 1,
        .state = SETPAY_PAYMENT_ASKING,
        .amount = {1250, "EUR"},
        .expiry_ms = NOW_MS,
        .stan = 1,
        .trace_ms = NOW_MS,
        .created_ms = NOW_MS,
        .updated_ms = NOW_MS,
    };
    snprintf(payment.brand, sizeof payment.brand, "visa");
    snprintf(payment.merchant_id, sizeof payment.merchant_id, "shop");
    memset(payment.merchant.bytes, 0xaa, sizeof payment.merchant.bytes);
    payment.asked_by = payment.merchant;
    memset(payment.xid.bytes, instruction, sizeof payment.xid.bytes);
    memset(payment.pimd.bytes, instruction, sizeof payment.pimd.bytes);
    memset(payment.rrpid.bytes, rrpid, sizeof payment.rrpid.bytes);
    memset(payment.request_hash.bytes, content, sizeof payment.request_hash.bytes);
    return payment;
}

static enum setpay_error insert(struct setpay_db *db, void *arg)
{
    return setpay_payment_insert(db, arg);
}

static enum setpay_error check_rrpid(struct setpay_db *db, void *arg)
{
    const struct setpay_payment *payment = arg;
    return setpay_payment_check_rrpid(db, &payment->asked_by, &payment->rrpid,
                                      &payment->request_hash);
}

/* rule G6 */
static void test_an_instruction_and_an_xid_have_one_row(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_payment first = payment_of(1, 1, 1);
    struct setpay_payment same_xid = payment_of(1, 2, 2);
    struct setpay_payment same_pimd = payment_of(1, 3, 3);
    memset(same_xid.pimd.bytes, 9, sizeof same_xid.pimd.bytes);
    memset(same_pimd.xid.bytes, 9, sizeof same_pimd.xid.bytes);
    assert_int_equal(setpay_store_submit_wait(fixture->store, insert, &first), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, insert, &same_xid), SETPAY_E_PI_USED);
    assert_int_equal(setpay_store_submit_wait(fixture->store, insert, &same_pimd),
                     SETPAY_E_PI_USED);
}

/* rule A6: a request under way has no kept answer yet; its identifier is taken all the same, or its
 * outcome could never be kept */
static void test_a_request_under_way_holds_its_identifier(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_payment first = payment_of(1, 7, 1);
    struct setpay_payment other = payment_of(2, 7, 2);
    struct setpay_payment stranger = payment_of(3, 7, 3);
    memset(stranger.asked_by.bytes, 0xbb, sizeof stranger.asked_by.bytes);
    assert_int_equal(setpay_store_submit_wait(fixture->store, check_rrpid, &first), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, insert, &first), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, check_rrpid, &first), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, check_rrpid, &other),
                     SETPAY_E_RRPID_REUSED);
    assert_int_equal(setpay_store_submit_wait(fixture->store, insert, &other), SETPAY_E_PI_USED);
    /* another sender's identifiers are its own */
    assert_int_equal(setpay_store_submit_wait(fixture->store, insert, &stranger), SETPAY_OK);
}

static enum setpay_error update(struct setpay_db *db, void *arg)
{
    struct setpay_payment payment = *(struct setpay_payment *)arg; /* its version moves on */
    return setpay_payment_update(db, &payment);
}

static enum setpay_error load(struct setpay_db *db, void *arg)
{
    struct setpay_payment *payment = arg;
    return setpay_payment_load(db, payment->id, payment);
}

/* rule G8: of two decisions on one state the second is not written, or two reversals of the whole
 * could both stand. */
static void test_a_decision_on_an_old_state_is_not_written(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_payment one = payment_of(1, 1, 1), two;
    assert_int_equal(setpay_store_submit_wait(fixture->store, insert, &one), SETPAY_OK);
    two = one;
    one.state = SETPAY_PAYMENT_APPROVED;
    one.approved_minor = 1250;
    two.state = SETPAY_PAYMENT_DECLINED;
    assert_int_equal(setpay_store_submit_wait(fixture->store, update, &one), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, update, &two), SETPAY_E_CONFLICT);
    assert_int_equal(setpay_store_submit_wait(fixture->store, load, &two), SETPAY_OK);
    assert_int_equal(two.state, SETPAY_PAYMENT_APPROVED);
    assert_int_equal(two.approved_minor, 1250);
    assert_int_equal(two.version, one.version + 1);
}

/* ------------------------------------------------------------------ cards */

struct purge {
    struct setpay_payment payment;
    struct setpay_gateway_reversal reversal;
    int64_t deleted;
};

static enum setpay_error insert_card(struct setpay_db *db, void *arg)
{
    struct purge *purge = arg;
    struct setpay_kept_card card;
    setpay_kept_card_init(&card);
    enum setpay_error error = setpay_payment_insert(db, &purge->payment);
    if (error == SETPAY_OK)
        error = setpay_buffer_set(&card.pan, setpay_view_string("box"));
    if (error == SETPAY_OK)
        error = setpay_buffer_set(&card.expiry, setpay_view_string("box"));
    if (error == SETPAY_OK)
        error = setpay_buffer_set(&card.back_key, setpay_view_string("box"));
    card.until_ms = NOW_MS;
    if (error == SETPAY_OK)
        error = setpay_kept_card_insert(db, purge->payment.id, &card);
    setpay_kept_card_clear(&card);
    return error;
}

static enum setpay_error run_purge(struct setpay_db *db, void *arg)
{
    struct purge *purge = arg;
    return setpay_kept_card_purge(db, NOW_MS + 1, &purge->deleted);
}

static enum setpay_error decline_with_reversal(struct setpay_db *db, void *arg)
{
    struct purge *purge = arg;
    purge->payment.state = SETPAY_PAYMENT_DECLINED;
    purge->reversal.payment_id = purge->payment.id;
    purge->reversal.amount_minor = purge->payment.amount.minor;
    SETPAY_TRY(setpay_payment_update(db, &purge->payment));
    return setpay_gateway_reversal_insert(db, &purge->reversal);
}

static enum setpay_error acknowledge(struct setpay_db *db, void *arg)
{
    const struct purge *purge = arg;
    return setpay_gateway_reversal_acknowledge(db, purge->reversal.id, "00", 1, NOW_MS);
}

/* rules G7, G10: without the card nobody could reverse, after a crash, what is being asked for */
static void test_a_purge_leaves_cards_that_a_reversal_needs(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_store *store = fixture->store;
    struct purge purge = {.payment = payment_of(1, 1, 1)};
    assert_int_equal(setpay_store_submit_wait(store, insert_card, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, run_purge, &purge), SETPAY_OK);
    assert_int_equal(purge.deleted, 0); /* it is being asked for */
    assert_int_equal(setpay_store_submit_wait(store, decline_with_reversal, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, run_purge, &purge), SETPAY_OK);
    assert_int_equal(purge.deleted, 0); /* its reversal is open */
    assert_int_equal(setpay_store_submit_wait(store, acknowledge, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, run_purge, &purge), SETPAY_OK);
    assert_int_equal(purge.deleted, 1);
}

static enum setpay_error approve(struct setpay_db *db, void *arg)
{
    struct purge *purge = arg;
    purge->payment.state = SETPAY_PAYMENT_APPROVED;
    purge->payment.approved_minor = 1250;
    return setpay_payment_update(db, &purge->payment);
}

static enum setpay_error capture_all(struct setpay_db *db, void *arg)
{
    struct purge *purge = arg;
    purge->payment.state = SETPAY_PAYMENT_CAPTURED;
    purge->payment.captured_minor = 1250;
    return setpay_payment_update(db, &purge->payment);
}

/* rules G8, G10: without the card nobody could give up, at the hold's end, what is held */
static void test_a_purge_leaves_cards_of_what_is_held(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_store *store = fixture->store;
    struct purge purge = {.payment = payment_of(1, 1, 1)};
    assert_int_equal(setpay_store_submit_wait(store, insert_card, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, approve, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, run_purge, &purge), SETPAY_OK);
    assert_int_equal(purge.deleted, 0);
    assert_int_equal(setpay_store_submit_wait(store, capture_all, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, run_purge, &purge), SETPAY_OK);
    assert_int_equal(purge.deleted, 1);
}

static enum setpay_error advise(struct setpay_db *db, void *arg)
{
    struct purge *purge = arg;
    SETPAY_TRY(
        setpay_stand_in_insert(db, purge->payment.id, "sim", &purge->payment.amount, NOW_MS));
    purge->payment.state = SETPAY_PAYMENT_REVERSED;
    SETPAY_TRY(setpay_payment_update(db, &purge->payment));
    purge->reversal.payment_id = purge->payment.id;
    return setpay_gateway_reversal_insert(db, &purge->reversal);
}

static enum setpay_error find_reversal(struct setpay_db *db, void *arg)
{
    struct purge *purge = arg;
    return setpay_gateway_reversal_first_open(db, purge->payment.id, &purge->reversal);
}

static enum setpay_error answer_advice(struct setpay_db *db, void *arg)
{
    struct setpay_stand_in_row row;
    (void)arg;
    SETPAY_TRY(setpay_stand_in_next_open(db, 0, &row));
    return setpay_stand_in_answer(db, row.id, "00", 1, NOW_MS);
}

/* rule G10: without the card its issuer could not be advised of what was approved in its stead; and
 * of nothing else before that. */
static void test_an_advice_comes_first_and_keeps_its_card(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_store *store = fixture->store;
    struct purge purge = {.payment = payment_of(1, 1, 1)};
    assert_int_equal(setpay_store_submit_wait(store, insert_card, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, advise, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, find_reversal, &purge), SETPAY_E_NOT_FOUND);
    assert_int_equal(setpay_store_submit_wait(store, answer_advice, NULL), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, answer_advice, NULL), SETPAY_E_NOT_FOUND);
    assert_int_equal(setpay_store_submit_wait(store, find_reversal, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, acknowledge, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, run_purge, &purge), SETPAY_OK);
    assert_int_equal(purge.deleted, 1);

    struct purge alone = {.payment = payment_of(2, 2, 2)};
    assert_int_equal(setpay_store_submit_wait(store, insert_card, &alone), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, advise, &alone), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, acknowledge, &alone), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, run_purge, &alone), SETPAY_OK);
    assert_int_equal(alone.deleted, 0);
}

static enum setpay_error give_up(struct setpay_db *db, void *arg)
{
    struct purge *purge = arg;
    struct setpay_stand_in_row row;
    SETPAY_TRY(setpay_stand_in_next_open(db, 0, &row));
    assert_int_equal(row.payment_id, purge->payment.id);
    return setpay_unsent_write_off(db, SETPAY_UNSENT_ADVICE, row.id, NOW_MS + 1,
                                   "its card is gone");
}

static enum setpay_error reverse_more(struct setpay_db *db, void *arg)
{
    struct purge *purge = arg;
    struct setpay_gateway_reversal more = {
        .payment_id = purge->payment.id, .amount_minor = 1, .created_ms = NOW_MS + 2};
    return setpay_gateway_reversal_insert(db, &more);
}

static enum setpay_error look_given_up(struct setpay_db *db, void *arg)
{
    const struct purge *purge = arg;
    struct setpay_stand_in_facts facts = {.amount = purge->payment.amount};
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_stand_in_read(db, "sim", &purge->payment.pan_digest, &facts));
    assert_int_equal(facts.open_minor, 0);
    assert_int_equal(facts.open_count, 0);
    assert_false(facts.is_refused); /* its issuer has said nothing */
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT COUNT(*), MIN(acknowledged_ms), MAX(acknowledged_ms)"
                             " FROM reversal WHERE acknowledged = 1 AND response_code = 'WO'"
                             " AND sent_count = 0"));
    assert_int_equal(setpay_db_get_int(rows, 0), 2);
    assert_int_equal(setpay_db_get_int(rows, 1), NOW_MS + 1);
    assert_int_equal(setpay_db_get_int(rows, 2), NOW_MS + 2);
    return setpay_db_end(rows);
}

/* What can't be told any more: neither is what was reversed behind it, then or later. */
static void test_an_advice_that_is_given_up_counts_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_store *store = fixture->store;
    struct purge purge = {.payment = payment_of(1, 1, 1)};
    assert_int_equal(setpay_store_submit_wait(store, insert_card, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, advise, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, give_up, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, reverse_more, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, look_given_up, &purge), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, find_reversal, &purge), SETPAY_E_NOT_FOUND);
}

/* ------------------------------------------------------------------ evidence of before */

#define STEPS_BEFORE 11 /* schema steps, before evidence was kept under the first authorisation */

/* Of a first authorisation (row 1), a single payment (2), and one that follows the first (3). */
static enum setpay_error write_old(struct setpay_db *db, void *arg)
{
    struct setpay_payment *payments = arg;
    for (int64_t owner = 1; owner <= 3; owner++) {
        SETPAY_TRY(setpay_payment_insert(db, &payments[owner - 1]));
        for (int64_t number = 1; number <= 2; number++)
            SETPAY_TRY(setpay_db_run(
                db,
                "INSERT INTO evidence (owner, number, type, content, signature, signer, created_ms)"
                " VALUES ($1, $2, 'AuthRevReq', $3, 'signature', 'signer', 1)",
                SETPAY_DB_INT(owner), SETPAY_DB_INT(number), SETPAY_DB_INT(owner * 10 + number)));
    }
    return SETPAY_OK;
}

static enum setpay_error look_old(struct setpay_db *db, void *arg)
{
    struct setpay_db_rows *rows;
    (void)arg;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT group_concat(owner || ':' || content, ' ') FROM"
                             " (SELECT owner, content FROM evidence ORDER BY owner, number)"));
    char text[64];
    setpay_db_get_text(rows, 0, text, sizeof text);
    assert_string_equal(text, "1:11 1:12 1:31 1:32 2:21 2:22");
    return setpay_db_end(rows);
}

static void test_evidence_of_before_is_the_first_ones(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_store_migration steps[STEPS_BEFORE + 1] = {{0, NULL}};
    struct setpay_problem problem = {{0}};
    struct setpay_payment payments[3] = {payment_of(1, 1, 1), payment_of(2, 2, 2),
                                         payment_of(1, 3, 3)};
    char url[160];
    memcpy(steps, setpay_gateway_schema.steps, STEPS_BEFORE * sizeof *steps);
    const struct setpay_store_schema old = {.name = setpay_gateway_schema.name,
                                            .steps = steps,
                                            .erasable = setpay_gateway_schema.erasable};
    (void)snprintf(url, sizeof url, "sqlite:%s/old.db", fixture->folder.path);
    struct setpay_store_options options = {.url = url, .schema = &old};
    payments[0].state = SETPAY_PAYMENT_APPROVED;
    payments[2].number = 2;
    payments[2].first_id = 1;
    payments[2].first_version = 1;
    setpay_store_close(fixture->store);
    assert_int_equal(setpay_store_open(&options, &fixture->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, write_old, payments), SETPAY_OK);
    setpay_store_close(fixture->store);
    options.schema = &setpay_gateway_schema;
    assert_int_equal(setpay_store_open(&options, &fixture->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, look_old, NULL), SETPAY_OK);
}

/* ------------------------------------------------------------------ reversals of before */

#define STEPS_BEFORE_COUNTS 12 /* schema steps, before a payment counted its reversals */

static enum setpay_error write_reversals(struct setpay_db *db, void *arg)
{
    struct setpay_payment *payments = arg;
    for (int i = 0; i < 2; i++)
        SETPAY_TRY(setpay_payment_insert(db, &payments[i]));
    for (int i = 0; i < 3; i++)
        SETPAY_TRY(setpay_db_run(
            db,
            "INSERT INTO reversal (payment_id, partial, amount_minor, remaining_minor,"
            " acknowledged, response_code, sent_count, created_ms, acknowledged_ms)"
            " VALUES ($1, 0, 1, 0, 0, '', 0, 1, 0)",
            SETPAY_DB_INT(payments[0].id)));
    return SETPAY_OK;
}

static enum setpay_error look_counts(struct setpay_db *db, void *arg)
{
    struct setpay_db_rows *rows;
    struct setpay_gateway_reversal one = {.payment_id = 2, .amount_minor = 1};
    char text[64];
    (void)arg;
    SETPAY_TRY(setpay_gateway_reversal_insert(db, &one));
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT group_concat(id || ':' || reversal_count, ' ') FROM"
                             " (SELECT id, reversal_count FROM payment ORDER BY id)"));
    setpay_db_get_text(rows, 0, text, sizeof text);
    assert_string_equal(text, "1:3 2:1");
    return setpay_db_end(rows);
}

static void test_reversals_of_before_are_counted(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_store_migration steps[STEPS_BEFORE_COUNTS + 1] = {{0, NULL}};
    struct setpay_problem problem = {{0}};
    struct setpay_payment payments[2] = {payment_of(1, 1, 1), payment_of(2, 2, 2)};
    char url[160];
    memcpy(steps, setpay_gateway_schema.steps, STEPS_BEFORE_COUNTS * sizeof *steps);
    const struct setpay_store_schema old = {.name = setpay_gateway_schema.name,
                                            .steps = steps,
                                            .erasable = setpay_gateway_schema.erasable};
    (void)snprintf(url, sizeof url, "sqlite:%s/counts.db", fixture->folder.path);
    struct setpay_store_options options = {.url = url, .schema = &old};
    setpay_store_close(fixture->store);
    assert_int_equal(setpay_store_open(&options, &fixture->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, write_reversals, payments),
                     SETPAY_OK);
    setpay_store_close(fixture->store);
    options.schema = &setpay_gateway_schema;
    assert_int_equal(setpay_store_open(&options, &fixture->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, look_counts, NULL), SETPAY_OK);
}

/* ------------------------------------------------------------------ payments of before */

#define STEPS_OF_ISSUERS 15 /* schema steps, before anything was approved in an issuer's stead */

static enum setpay_error look_issuers_own(struct setpay_db *db, void *arg)
{
    struct setpay_payment *before = arg, loaded;
    struct setpay_stand_in_facts facts = {.amount = before->amount};
    SETPAY_TRY(setpay_payment_load(db, before->id, &loaded));
    assert_false(loaded.stands_in);
    SETPAY_TRY(setpay_stand_in_read(db, "sim", &before->pan_digest, &facts));
    assert_int_equal(facts.open_count, 0);
    assert_false(facts.is_refused);
    SETPAY_TRY(setpay_stand_in_insert(db, before->id, "sim", &before->amount, NOW_MS));
    SETPAY_TRY(setpay_payment_load(db, before->id, &loaded));
    assert_true(loaded.stands_in);
    SETPAY_TRY(setpay_stand_in_read(db, "sim", &before->pan_digest, &facts));
    assert_int_equal(facts.open_minor, before->amount.minor);
    SETPAY_TRY(setpay_stand_in_read(db, "another", &before->pan_digest, &facts));
    assert_int_equal(facts.open_minor, 0);
    return SETPAY_OK;
}

static void test_what_was_before_is_the_issuers_own(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_store_migration steps[STEPS_OF_ISSUERS + 1] = {{0, NULL}};
    struct setpay_problem problem = {{0}};
    struct setpay_payment payment = payment_of(1, 1, 1);
    char url[160];
    memcpy(steps, setpay_gateway_schema.steps, STEPS_OF_ISSUERS * sizeof *steps);
    const struct setpay_store_schema old = {.name = setpay_gateway_schema.name,
                                            .steps = steps,
                                            .erasable = setpay_gateway_schema.erasable};
    (void)snprintf(url, sizeof url, "sqlite:%s/issuers.db", fixture->folder.path);
    struct setpay_store_options options = {.url = url, .schema = &old};
    setpay_store_close(fixture->store);
    assert_int_equal(setpay_store_open(&options, &fixture->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, insert, &payment), SETPAY_OK);
    setpay_store_close(fixture->store);
    options.schema = &setpay_gateway_schema;
    assert_int_equal(setpay_store_open(&options, &fixture->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, look_issuers_own, &payment),
                     SETPAY_OK);
}

/* ------------------------------------------------------------------ batches of before */

#define STEPS_OF_BATCHES 19 /* schema steps, before a batch was known to be settled */

/* Batch 1 is settled, of 2 an item waits, 3 is open; nothing is left in 4, all was undone. */
static enum setpay_error write_batches(struct setpay_db *db, void *arg)
{
    (void)arg;
    SETPAY_TRY(setpay_db_run(db, "INSERT INTO batch (brand, merchant_id, number, open, opened_ms,"
                                 " closed_ms) VALUES ('visa', 'shop', 1, 0, 1, 2),"
                                 " ('visa', 'shop', 2, 0, 2, 3), ('visa', 'shop', 3, 1, 3, 0),"
                                 " ('visa', 'other', 1, 0, 2, 3)"));
    return setpay_db_run(
        db, "INSERT INTO presentment (step_id, batch_id, acknowledged, response_code, sent_count,"
            " created_ms, acknowledged_ms, settlement_id) VALUES (1, 1, 1, '00', 1, 2, 3, 9),"
            " (2, 2, 1, '00', 1, 3, 4, 9), (3, 2, 0, '', 1, 3, 0, 0)");
}

static enum setpay_error look_settled(struct setpay_db *db, void *arg)
{
    struct setpay_db_rows *rows;
    char text[64];
    (void)arg;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT group_concat(id || ':' || settled, ' ') FROM"
                             " (SELECT id, settled FROM batch ORDER BY id)"));
    setpay_db_get_text(rows, 0, text, sizeof text);
    assert_string_equal(text, "1:1 2:0 3:0 4:1");
    return setpay_db_end(rows);
}

static void test_batches_of_before_are_settled_or_not(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_store_migration steps[STEPS_OF_BATCHES + 1] = {{0, NULL}};
    struct setpay_problem problem = {{0}};
    char url[160];
    memcpy(steps, setpay_gateway_schema.steps, STEPS_OF_BATCHES * sizeof *steps);
    const struct setpay_store_schema old = {.name = setpay_gateway_schema.name,
                                            .steps = steps,
                                            .erasable = setpay_gateway_schema.erasable};
    (void)snprintf(url, sizeof url, "sqlite:%s/batches.db", fixture->folder.path);
    struct setpay_store_options options = {.url = url, .schema = &old};
    setpay_store_close(fixture->store);
    assert_int_equal(setpay_store_open(&options, &fixture->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, write_batches, NULL), SETPAY_OK);
    setpay_store_close(fixture->store);
    options.schema = &setpay_gateway_schema;
    assert_int_equal(setpay_store_open(&options, &fixture->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(fixture->store, look_settled, NULL), SETPAY_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_an_instruction_and_an_xid_have_one_row),
        TEST(test_a_request_under_way_holds_its_identifier),
        TEST(test_a_decision_on_an_old_state_is_not_written),
        TEST(test_a_purge_leaves_cards_that_a_reversal_needs),
        TEST(test_a_purge_leaves_cards_of_what_is_held),
        TEST(test_an_advice_comes_first_and_keeps_its_card),
        TEST(test_an_advice_that_is_given_up_counts_no_more),
        TEST(test_evidence_of_before_is_the_first_ones),
        TEST(test_reversals_of_before_are_counted),
        TEST(test_what_was_before_is_the_issuers_own),
        TEST(test_batches_of_before_are_settled_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
