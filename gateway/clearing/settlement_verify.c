/*
 * Looking through settlements: each is computed again from its items, its tokens and its
 * predecessor. What is compared here stands in tables beside the ledger, whose entries lead to it
 * and are led to from it.
 */
#include "gateway/clearing/look.h"
#include "gateway/clearing/settlement.h"
#include "gateway/clearing/sql_names.h"

#include <stdio.h>
#include <string.h>

#define TAKEN "response_code IN ('00', '94')"
/* "presentment 17, step 3f…" of joined rows. */
#define ITEM_WORDS "'presentment ' || presentment.id || ', step ' || lower(hex(step.token))"
#define ITEM_TABLES                                                                                \
    " FROM presentment JOIN step ON step.id = presentment.step_id"                                 \
    " JOIN payment ON payment.id = step.payment_id JOIN batch ON batch.id = presentment.batch_id"
/* What a step is to its merchant. */
#define TO_MERCHANT                                                                                \
    "CASE WHEN kind IN " SETPAY_SQL_TO_MERCHANT " THEN step.amount_minor - fee_minor"              \
    " ELSE fee_minor - step.amount_minor END"

/* ------------------------------------------------------------------ entries */

static enum setpay_error read_settlement(struct setpay_db *db, const struct setpay_id *event,
                                         struct setpay_look_expected *expected)
{
    struct setpay_db_rows *rows;
    struct setpay_settlement settlement = {0};
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT brand, merchant_id, currency, day, payout_minor, cut_off_ms,"
                             " created_ms, " SETPAY_SETTLEMENT_IS_OF_BEFORE
                             " FROM settlement WHERE token = $1",
                             SETPAY_DB_ID(event)));
    setpay_db_get_text(rows, 0, settlement.brand, sizeof settlement.brand);
    setpay_db_get_text(rows, 1, settlement.merchant_id, sizeof settlement.merchant_id);
    setpay_db_get_text(rows, 2, settlement.currency, sizeof settlement.currency);
    setpay_db_get_text(rows, 3, settlement.day, sizeof settlement.day);
    settlement.payout_minor = setpay_db_get_int(rows, 4);
    settlement.cut_off_ms = setpay_db_get_int(rows, 5);
    settlement.created_ms = setpay_db_get_int(rows, 6);
    settlement.is_of_before = setpay_db_get_bool(rows, 7);
    SETPAY_TRY(setpay_db_end(rows));
    expected->entry.time_ms = settlement.created_ms;
    memcpy(expected->entry.brand, settlement.brand, sizeof settlement.brand);
    memcpy(expected->entry.merchant_id, settlement.merchant_id, sizeof settlement.merchant_id);
    memcpy(expected->entry.currency, settlement.currency, sizeof settlement.currency);
    if (setpay_look_is_amount(settlement.payout_minor)) /* else it would not be posted at all */
        setpay_settlement_post(settlement.payout_minor, &expected->entry);
    return setpay_settlement_token(&settlement, &expected->token);
}

static enum setpay_error read_suspended(struct setpay_db *db, const struct setpay_id *event,
                                        struct setpay_look_expected *expected)
{
    struct setpay_db_rows *rows;
    struct setpay_id step;
    SETPAY_TRY(
        setpay_db_one(db, &rows,
                      "SELECT payment.brand, payment.merchant_id, payment.currency,"
                      " step.token, kind, step.amount_minor, fee_minor, presentment.write_off,"
                      " COALESCE((SELECT settlement.created_ms FROM settlement"
                      " WHERE settlement.id = presentment.settlement_id), 0)" ITEM_TABLES
                      " WHERE presentment.suspense = $1",
                      SETPAY_DB_ID(event)));
    setpay_db_get_text(rows, 0, expected->entry.brand, sizeof expected->entry.brand);
    setpay_db_get_text(rows, 1, expected->entry.merchant_id, sizeof expected->entry.merchant_id);
    setpay_db_get_text(rows, 2, expected->entry.currency, sizeof expected->entry.currency);
    setpay_db_get_id(rows, 3, &step);
    bool captures = setpay_db_get_int(rows, 4) == 1;
    int64_t amount_minor = setpay_db_get_int(rows, 5), fee_minor = setpay_db_get_int(rows, 6);
    if (setpay_look_is_amount(amount_minor) && setpay_look_is_amount(fee_minor))
        setpay_suspense_post(captures ? amount_minor - fee_minor : fee_minor - amount_minor,
                             &expected->entry);
    expected->entry.time_ms = setpay_db_get_int(rows, 8);
    enum setpay_error error =
        setpay_suspense_token(&step, setpay_db_get_view(rows, 7), &expected->token);
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* What the kinds of entries that are not of steps name, and what else that is of. */
static const struct {
    const char *what, *of;
    setpay_look_expect_fn *expect;
} kinds[SETPAY_LEDGER_LAST + 1] = {
    [SETPAY_LEDGER_SETTLEMENT] = {"settlement", "day", read_settlement},
    [SETPAY_LEDGER_SUSPENSE] = {"presentment in suspense", "step", read_suspended},
    [SETPAY_LEDGER_DISPUTE] = {"dispute", "content", setpay_look_expect_dispute},
    [SETPAY_LEDGER_DISPUTE_LOST] = {"dispute that was lost", "content", setpay_look_expect_lost},
    [SETPAY_LEDGER_DISPUTE_WON] = {"dispute that was won", "content", setpay_look_expect_won},
    [SETPAY_LEDGER_RESERVE] = {"reserve", "settlement", setpay_look_expect_reserve},
    [SETPAY_LEDGER_RESERVE_RELEASE] = {"reserve that was released", "settlement",
                                       setpay_look_expect_release},
    [SETPAY_LEDGER_ISSUER_PAYMENT] = {"issuer's payment", "content", setpay_look_expect_payment},
    [SETPAY_LEDGER_SUSPENSE_CLEARED] = {"clearing of suspense", "content",
                                        setpay_look_expect_cleared},
    [SETPAY_LEDGER_WRITE_OFF] = {"write-off", "content", setpay_look_expect_write_off},
    [SETPAY_LEDGER_ADVICE_WRITE_OFF] = {"write-off of an advice", "content",
                                        setpay_look_expect_advice_write_off},
    [SETPAY_LEDGER_REVERSAL_WRITE_OFF] = {"write-off of a reversal", "content",
                                          setpay_look_expect_reversal_write_off},
    [SETPAY_LEDGER_PAYOUT_SENT] = {"payout that was sent", "content",
                                   setpay_look_expect_payout_sent},
    [SETPAY_LEDGER_PAYOUT_PAID] = {"payout that was paid", "content",
                                   setpay_look_expect_payout_paid},
    [SETPAY_LEDGER_PAYOUT_RETURNED] = {"payout that was returned", "content",
                                       setpay_look_expect_payout_returned},
    [SETPAY_LEDGER_ISSUER_PAYMENT_UNDONE] = {"issuer's payment that was undone", "content",
                                             setpay_look_expect_payment_undone},
    [SETPAY_LEDGER_PAYOUT_UNDONE] = {"payout whose word was undone", "content",
                                     setpay_look_expect_payout_undone},
    [SETPAY_LEDGER_PAYOUT_SET_ASIDE] = {"payout that was set aside", "content",
                                        setpay_look_expect_payout_set_aside},
};

enum setpay_error setpay_settlement_verify_entry(struct setpay_look *look,
                                                 const struct setpay_ledger_entry *entry)
{
    char token[SETPAY_ID_TEXT_SIZE];
    struct setpay_look_expected expected = {.entry = {.number = 0}};
    long long number = (long long)entry->number;
    if (setpay_ledger_kind_name(entry->kind) == NULL || kinds[entry->kind].expect == NULL) {
        setpay_look_find(look, "entry %lld: there is no kind %d", number, (int)entry->kind);
        return SETPAY_OK;
    }
    const char *what = kinds[entry->kind].what;
    enum setpay_error error = kinds[entry->kind].expect(look->db, &entry->event, &expected);
    (void)setpay_id_format(&entry->event, token);
    if (error == SETPAY_E_NOT_FOUND) {
        setpay_look_find(look, "entry %lld: there is no %s %s", number, what, token);
        return SETPAY_OK;
    }
    SETPAY_TRY(error);
    if (strcmp(expected.entry.brand, entry->brand) != 0 ||
        strcmp(expected.entry.merchant_id, entry->merchant_id) != 0 ||
        strcmp(expected.entry.currency, entry->currency) != 0 ||
        !setpay_id_equal(&expected.token, &entry->event))
        setpay_look_find(look, "entry %lld: the %s %s is of another merchant, currency or %s",
                         number, what, token, kinds[entry->kind].of);
    else if (!setpay_ledger_same_postings(entry, &expected.entry))
        setpay_look_find(look, "entry %lld: the %s %s would be posted with other amounts", number,
                         what, token);
    else if (expected.entry.time_ms != entry->time_ms)
        setpay_look_find(look, "entry %lld: the %s %s is of another time", number, what, token);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ settlements */

/* Of the items that name it. */
static enum setpay_error add_up(struct setpay_db *db, int64_t id,
                                struct setpay_settlement_sums *sums)
{
    struct setpay_db_rows *rows;
    memset(sums, 0, sizeof *sums);
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT kind, " TAKEN
                                ", COUNT(*), SUM(step.amount_minor), SUM(fee_minor)" ITEM_TABLES
                                " WHERE presentment.settlement_id = $1 GROUP BY kind, " TAKEN,
                                SETPAY_DB_INT(id)));
    while (setpay_db_next(rows)) {
        bool captures = setpay_db_get_int(rows, 0) == 1;
        bool taken = setpay_db_get_bool(rows, 1);
        int64_t count = setpay_db_get_int(rows, 2), minor = setpay_db_get_int(rows, 3);
        int64_t fee = setpay_db_get_int(rows, 4);
        if (!taken) {
            sums->refused_count += count;
            sums->refused_minor += captures ? minor - fee : fee - minor;
            continue;
        }
        *(captures ? &sums->capture_count : &sums->credit_count) += count;
        *(captures ? &sums->capture_minor : &sums->credit_minor) += minor;
        sums->fee_minor += captures ? fee : -fee;
    }
    return setpay_db_end(rows);
}

struct walk {
    struct setpay_look *look;
    struct setpay_settlement last; /* the one before */
};

static const char *describe(const struct setpay_settlement *s, char out[160])
{
    (void)snprintf(out, 160, "settlement %lld (%s %s, %s, %s)", (long long)s->id, s->brand,
                   s->merchant_id, s->currency, s->day);
    return out;
}

static void compare(struct walk *walk, const struct setpay_settlement *s,
                    const struct setpay_settlement_sums *sums)
{
    char what[160];
    struct setpay_settlement closed = *s;
    const struct setpay_settlement *last = &walk->last;
    bool follows = strcmp(last->brand, s->brand) == 0 && strcmp(last->currency, s->currency) == 0 &&
                   strcmp(last->merchant_id, s->merchant_id) == 0;
    int64_t carried = follows ? last->carried_out_minor : 0;
    (void)describe(s, what);
    if (memcmp(sums, &s->sums, sizeof *sums) != 0)
        setpay_look_find(
            walk->look,
            "%s says %lld captured (%lld), %lld credited (%lld), %lld fees, %lld refused (%lld); "
            "its items come to %lld (%lld), %lld (%lld), %lld, %lld (%lld)",
            what, (long long)s->sums.capture_minor, (long long)s->sums.capture_count,
            (long long)s->sums.credit_minor, (long long)s->sums.credit_count,
            (long long)s->sums.fee_minor, (long long)s->sums.refused_minor,
            (long long)s->sums.refused_count, (long long)sums->capture_minor,
            (long long)sums->capture_count, (long long)sums->credit_minor,
            (long long)sums->credit_count, (long long)sums->fee_minor,
            (long long)sums->refused_minor, (long long)sums->refused_count);
    if (s->carried_in_minor != carried)
        setpay_look_find(walk->look, "%s carries in %lld, expected %lld from the one before", what,
                         (long long)s->carried_in_minor, (long long)carried);
    setpay_settlement_close(&closed);
    if (closed.held_minor != s->held_minor)
        setpay_look_find(walk->look, "%s holds %lld back, expected %lld", what,
                         (long long)s->held_minor, (long long)closed.held_minor);
    if (closed.payout_minor != s->payout_minor || closed.carried_out_minor != s->carried_out_minor)
        setpay_look_find(walk->look,
                         "%s pays out %lld and carries out %lld, expected %lld and %lld", what,
                         (long long)s->payout_minor, (long long)s->carried_out_minor,
                         (long long)closed.payout_minor, (long long)closed.carried_out_minor);
}

static enum setpay_error compare_adjusted(struct walk *walk, const struct setpay_settlement *s)
{
    char what[160];
    struct setpay_adjustment_sums sums;
    const struct setpay_adjustment_sums *says = &s->adjusted;
    SETPAY_TRY(setpay_adjustment_sums_of(walk->look->db, s->id, &sums));
    if (memcmp(&sums, says, sizeof sums) != 0)
        setpay_look_find(
            walk->look,
            "%s says %lld disputed (%lld), %lld returned (%lld), %lld cleared (%lld), %lld repaid "
            "(%lld); its adjustments come to %lld (%lld), %lld (%lld), %lld (%lld), %lld (%lld)",
            describe(s, what), (long long)says->disputed_minor, (long long)says->disputed_count,
            (long long)says->returned_minor, (long long)says->returned_count,
            (long long)says->cleared_minor, (long long)says->cleared_count,
            (long long)says->repaid_minor, (long long)says->repaid_count,
            (long long)sums.disputed_minor, (long long)sums.disputed_count,
            (long long)sums.returned_minor, (long long)sums.returned_count,
            (long long)sums.cleared_minor, (long long)sums.cleared_count,
            (long long)sums.repaid_minor, (long long)sums.repaid_count);
    return SETPAY_OK;
}

/* The merchant's zone and cut-off may be others now than then: but a day ends nowhere earlier or
 * later than this. */
#define DAY_ENDS_FIRST_MS (-16 * SETPAY_HOUR_MS) /* from its beginning in UTC */
#define DAY_ENDS_LAST_MS (40 * SETPAY_HOUR_MS)

static void check_times(struct walk *walk, const struct setpay_settlement *s,
                        const struct setpay_date *day)
{
    char what[160];
    setpay_time_ms begin_ms = 0;
    if (setpay_zone_cut_off("UTC", day, 0, &begin_ms) != SETPAY_OK ||
        s->cut_off_ms < begin_ms + DAY_ENDS_FIRST_MS || s->cut_off_ms > begin_ms + DAY_ENDS_LAST_MS)
        setpay_look_find(walk->look, "%s: its cut-off (%lld) is not of its day", describe(s, what),
                         (long long)s->cut_off_ms);
    if (s->created_ms < s->cut_off_ms)
        setpay_look_find(walk->look, "%s was made (%lld) before its day had ended (%lld)",
                         describe(s, what), (long long)s->created_ms, (long long)s->cut_off_ms);
}

static enum setpay_error check_settlement(struct walk *walk, const struct setpay_settlement *s)
{
    char what[160];
    struct setpay_settlement_sums sums;
    struct setpay_id token;
    struct setpay_date day;
    SETPAY_TRY(setpay_settlement_token(s, &token));
    if (!setpay_id_equal(&token, &s->token))
        setpay_look_find(walk->look, "%s: its token is of another merchant, currency, day or time",
                         describe(s, what));
    if (setpay_date_parse(s->day, &day) != SETPAY_OK)
        setpay_look_find(walk->look, "%s: its day is no date", describe(s, what));
    else
        check_times(walk, s, &day);
    SETPAY_TRY(add_up(walk->look->db, s->id, &sums));
    compare(walk, s, &sums);
    SETPAY_TRY(compare_adjusted(walk, s));
    walk->last = *s;
    return SETPAY_OK;
}

static enum setpay_error check_settlements(struct setpay_look *look)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    struct walk walk = {.look = look};
    if (!setpay_look_adds_up(look,
                             SETPAY_LOOK_STEPS | SETPAY_LOOK_SETTLEMENTS | SETPAY_LOOK_ADJUSTMENTS))
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_select(look->db, &rows,
                                "SELECT " SETPAY_SETTLEMENT_COLUMNS " FROM settlement"
                                " ORDER BY brand, merchant_id, currency, id"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_settlement settlement;
        setpay_settlement_read(rows, &settlement);
        error = check_settlement(&walk, &settlement);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* ------------------------------------------------------------------ their items */

enum setpay_error setpay_settlement_verify(struct setpay_look *look)
{
    SETPAY_TRY(check_settlements(look));
    SETPAY_TRY(setpay_look_ahead(look));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT '' || id FROM settlement WHERE payout_minor > 0 AND NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = token AND kind = " SETPAY_SQL_LEDGER_SETTLEMENT
        ") ORDER BY id",
        "not in the ledger: the payout of settlement"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT 'presentment ' || id || ', settlement ' || settlement_id FROM presentment"
        " WHERE settlement_id <> 0 AND NOT EXISTS"
        " (SELECT 1 FROM settlement WHERE settlement.id = settlement_id) ORDER BY id",
        "settled by a settlement that is not there:"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " ITEM_WORDS ITEM_TABLES
        " JOIN settlement ON settlement.id = presentment.settlement_id"
        " WHERE payment.brand <> settlement.brand OR payment.currency <> settlement.currency"
        " OR payment.merchant_id <> settlement.merchant_id ORDER BY presentment.id",
        "settled for another merchant or in another currency:"));
    SETPAY_TRY(
        setpay_look_each_row(look,
                             "SELECT " ITEM_WORDS ITEM_TABLES
                             " JOIN settlement ON settlement.id = presentment.settlement_id"
                             " WHERE batch.open <> 0 OR batch.closed_ms > settlement.cut_off_ms"
                             " ORDER BY presentment.id",
                             "settled for a day before its batch was closed:"));
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT " ITEM_WORDS ITEM_TABLES
                                    " WHERE presentment.settlement_id <> 0"
                                    " AND presentment.acknowledged = 0 ORDER BY presentment.id",
                                    "settled before its issuer has answered:"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " ITEM_WORDS ITEM_TABLES " WHERE (presentment.suspense IS NOT NULL) <>"
        " (presentment.settlement_id <> 0 AND NOT " TAKEN ") ORDER BY presentment.id",
        "in suspense and not refused, or refused, settled and not in suspense:"));
    return setpay_look_each_row(look,
                                "SELECT " ITEM_WORDS ITEM_TABLES
                                " WHERE presentment.suspense IS NOT NULL"
                                " AND step.amount_minor <> fee_minor AND NOT EXISTS"
                                " (SELECT 1 FROM ledger_entry WHERE event = presentment.suspense "
                                "AND kind = " SETPAY_SQL_LEDGER_SUSPENSE ")"
                                " ORDER BY presentment.id",
                                "not in the ledger: the suspense of");
}

/* ------------------------------------------------------------------ around them */

static enum setpay_error check_presentments(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT lower(hex(token)) FROM step JOIN batch ON batch.id = batch_id"
        " WHERE kind IN " SETPAY_SQL_ITEMS " AND undone = 0 AND batch.open = 0 AND NOT EXISTS"
        " (SELECT 1 FROM presentment WHERE step_id = step.id) ORDER BY step.id",
        "cleared and not presented: step"));
    SETPAY_TRY(setpay_look_each_row(look,
                                    "SELECT '' || id FROM presentment WHERE NOT EXISTS (SELECT 1 "
                                    "FROM step WHERE step.id = step_id)"
                                    " ORDER BY id",
                                    "presented, and there is no such step: presentment"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " ITEM_WORDS " FROM presentment JOIN step ON step.id = presentment.step_id"
        " WHERE undone <> 0 OR kind NOT IN " SETPAY_SQL_ITEMS " ORDER BY presentment.id",
        "presented though it was undone, or undoes:"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " ITEM_WORDS ITEM_TABLES " WHERE batch.open <> 0"
        " OR presentment.batch_id <> step.batch_id OR batch.brand <> payment.brand"
        " OR batch.merchant_id <> payment.merchant_id ORDER BY presentment.id",
        "presented with a batch that is open, or not its own:"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT 'batch ' || brand || ' ' || merchant_id || ', number ' || number FROM batch"
        " WHERE settled <> 0 AND (open <> 0 OR EXISTS (SELECT 1 FROM presentment"
        " WHERE batch_id = batch.id AND settlement_id = 0)) ORDER BY id",
        "known to be settled, and is not:"));
    return setpay_look_each_row(
        look,
        "SELECT " ITEM_WORDS " FROM presentment JOIN step ON step.id = presentment.step_id"
        " WHERE (acknowledged <> 0) <> (response_code <> '') ORDER BY presentment.id",
        "answered without a response code, or the other way round:");
}

static enum setpay_error check_steps(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT lower(hex(token)) FROM step WHERE kind IN " SETPAY_SQL_ITEMS " AND undone <> EXISTS"
        " (SELECT 1 FROM step AS other WHERE other.payment_id = step.payment_id"
        " AND other.of_id = step.id AND other.kind IN " SETPAY_SQL_REVERSALS ") ORDER BY id",
        "undone and no step undoes it, or the other way round: step"));
    if (setpay_look_adds_up(look, SETPAY_LOOK_STEPS))
        SETPAY_TRY(setpay_look_each_row(
            look,
            "SELECT lower(hex(token)) FROM step WHERE kind = " SETPAY_SQL_CAPTURE
            " AND credited_minor <>"
            " (SELECT COALESCE(SUM(other.amount_minor), 0) FROM step AS other"
            " WHERE other.payment_id = step.payment_id AND other.of_id = step.id"
            " AND other.kind = " SETPAY_SQL_CREDIT " AND other.undone = 0) ORDER BY id",
            "what was credited of it is not what its credits come to: step"));
    return setpay_look_each_row(
        look,
        "SELECT lower(hex(token)) FROM step JOIN payment ON payment.id = payment_id"
        " WHERE NOT EXISTS (SELECT 1 FROM batch WHERE batch.id = batch_id"
        " AND batch.brand = payment.brand AND batch.merchant_id = payment.merchant_id)"
        " ORDER BY step.id",
        "in no batch of its merchant: step");
}

/* Each account as steps, settlements, disputes and payments leave it, without a look at any
 * posting. */
#define OF_STEPS(account, amount)                                                                  \
    " UNION ALL SELECT " account ", brand, merchant_id, currency, 0,"                              \
    " CASE WHEN kind IN " SETPAY_SQL_TO_MERCHANT " THEN " amount " ELSE -(" amount                 \
    ") END FROM step"                                                                              \
    " JOIN payment ON payment.id = payment_id"
#define OF_SETTLEMENTS(account, amount)                                                            \
    " UNION ALL SELECT " account ", brand, merchant_id, currency, 0, " amount " FROM settlement"

#define OF_DISPUTES(account, outcome)                                                              \
    " UNION ALL SELECT " account ", brand, merchant_id, currency, 0, -dispute.amount_minor"        \
    " FROM dispute JOIN step ON step.id = step_id JOIN payment ON payment.id = step.payment_id"    \
    " WHERE outcome = " outcome
#define OF_PAYMENTS(account, amount)                                                               \
    " UNION ALL SELECT " account ", '', issuer, currency, 0, " amount " FROM issuer_payment"       \
    " WHERE undone IS NULL"
/* A payout that was returned went out of cash, and came back. */
#define OF_RETURNED                                                                                \
    " UNION ALL SELECT " SETPAY_SQL_CASH                                                           \
    ", brand, merchant_id, currency, 0, payout_minor FROM payout"                                  \
    " JOIN settlement ON settlement.id = settlement_id WHERE returned IS NOT NULL"
/* What was cleared, out of suspense and to where; a merchant's share is an adjustment. CLAIMED:
 * what was claimed from the issuer of it; UNCLAIMED: where it is claimed no more. */
#define CLAIMED "(amount_minor - COALESCE(interchange_minor, 0) + COALESCE(fee_minor, 0))"
#define UNCLAIMED " WHERE (account = " SETPAY_SQL_ISSUER_RECEIVABLE " OR loss_minor <> 0)"
#define OF_CLEARED(account, amount, where)                                                         \
    " UNION ALL SELECT " account ", brand, merchant_id, currency, 0, " amount                      \
    " FROM suspense_clearing" where

#define EXPECTED                                                                                   \
    OF_STEPS(SETPAY_SQL_ISSUER_RECEIVABLE, "step.amount_minor - interchange_minor")                \
    OF_STEPS(SETPAY_SQL_MERCHANT_PAYABLE, "fee_minor - step.amount_minor")                         \
    OF_STEPS(SETPAY_SQL_INTERCHANGE, "interchange_minor")                                          \
    OF_STEPS(SETPAY_SQL_FEES, "-fee_minor")                                                        \
    OF_SETTLEMENTS(SETPAY_SQL_MERCHANT_PAYABLE,                                                    \
                   "payout_minor + refused_minor + held_minor - released_minor")                   \
    OF_SETTLEMENTS(SETPAY_SQL_CASH, "-payout_minor")                                               \
    OF_SETTLEMENTS(SETPAY_SQL_SUSPENSE, "-refused_minor")                                          \
    OF_SETTLEMENTS(SETPAY_SQL_RESERVE, "released_minor - held_minor")                              \
    OF_DISPUTES(SETPAY_SQL_DISPUTES, SETPAY_SQL_DISPUTE_OPEN)                                      \
    OF_DISPUTES(SETPAY_SQL_ISSUER_RECEIVABLE, SETPAY_SQL_DISPUTE_CARDHOLDER)                       \
    OF_RETURNED                                                                                    \
    OF_PAYMENTS(SETPAY_SQL_CASH, "amount_minor")                                                   \
    OF_PAYMENTS(SETPAY_SQL_ISSUER_RECEIVABLE, "-matched_minor")                                    \
    OF_PAYMENTS(SETPAY_SQL_SUSPENSE, "matched_minor - amount_minor")                               \
    OF_CLEARED(SETPAY_SQL_SUSPENSE, "amount_minor", "")                                            \
    OF_CLEARED(SETPAY_SQL_ISSUER_RECEIVABLE, "-" CLAIMED, UNCLAIMED)                               \
    OF_CLEARED(SETPAY_SQL_INTERCHANGE, "-COALESCE(interchange_minor, 0)", UNCLAIMED)               \
    OF_CLEARED(SETPAY_SQL_FEES, "COALESCE(fee_minor, 0)",                                          \
               " WHERE account = " SETPAY_SQL_ISSUER_RECEIVABLE)                                   \
    OF_CLEARED(SETPAY_SQL_LOSSES, "loss_minor", " WHERE loss_minor <> 0")                          \
    OF_CLEARED(SETPAY_SQL_CASH, "-amount_minor", " WHERE account = " SETPAY_SQL_CASH)              \
    " UNION ALL SELECT " SETPAY_SQL_MERCHANT_PAYABLE                                               \
    ", brand, merchant_id, currency, 0, -amount_minor FROM adjustment"

/* So that rows that were edited to the edge of a number don't end the sum: it differs all the same.
 * No account of anybody has so much. */
#define MOST "10000000000000000"

static enum setpay_error check_payable(struct setpay_look *look)
{
    return setpay_look_each_row(
        look,
        "SELECT brand || ' ' || merchant_id || ', ' || currency || ': ' || SUM(owed) ||"
        " ', expected ' || SUM(expected) FROM (SELECT brand, merchant_id, currency,"
        " -amount_minor AS owed, 0 AS expected FROM ledger_balance WHERE"
        " account = " SETPAY_SQL_MERCHANT_PAYABLE
        " UNION ALL SELECT brand, merchant_id, currency, 0, carried_out_minor FROM settlement"
        " WHERE id IN (SELECT MAX(id) FROM settlement GROUP BY brand, merchant_id, currency)"
        " UNION ALL SELECT brand, merchant_id, currency, 0, amount_minor FROM adjustment"
        " WHERE settlement_id = 0"
        " UNION ALL SELECT brand, merchant_id, currency, 0, " TO_MERCHANT " FROM step"
        " JOIN payment ON payment.id = payment_id WHERE NOT EXISTS (SELECT 1 FROM presentment"
        " WHERE step_id = step.id AND settlement_id <> 0))"
        " GROUP BY brand, merchant_id, currency HAVING SUM(owed) <> SUM(expected)",
        "merchant payable is not what is carried over and not settled:");
}

static enum setpay_error check_accounts(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT 'account ' || account || ', ' || brand || ' ' || merchant_id || ', ' || currency ||"
        " ' holds ' || SUM(kept) || ', expected ' || SUM(expected) FROM (SELECT account, brand,"
        " merchant_id, currency, MAX(MIN(kept, " MOST "), -" MOST ") AS kept,"
        " MAX(MIN(expected, " MOST "), -" MOST ") AS expected FROM (SELECT account, brand,"
        " merchant_id, currency, amount_minor AS kept, 0 AS expected FROM ledger_balance" EXPECTED
        ")) GROUP BY account, brand, merchant_id, currency HAVING SUM(kept) <> SUM(expected)",
        "steps and settlements leave something else:"));
    return setpay_look_adds_up(look, SETPAY_LOOK_STEPS | SETPAY_LOOK_SETTLEMENTS |
                                         SETPAY_LOOK_ADJUSTMENTS | SETPAY_LOOK_BALANCES)
               ? check_payable(look)
               : SETPAY_OK;
}

/* What ledger verify has told. */
static void find_nothing(void *arg, const char *words)
{
    (void)arg;
    (void)words;
}

enum setpay_error setpay_clearing_verify(struct setpay_db *db, setpay_clearing_finding_cb *found,
                                         void *arg, size_t *findings)
{
    struct setpay_look look = {.db = db, .found = found, .arg = arg};
    struct setpay_look amounts = {.db = db, .found = find_nothing};
    SETPAY_TRY(setpay_look_amounts(&amounts));
    look.off = amounts.off;
    SETPAY_TRY(setpay_look_each_row(
        &look,
        "SELECT 'payment ' || lower(hex(xid)) || ', number ' || number FROM payment"
        " WHERE first_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM payment AS first"
        " WHERE first.id = payment.first_id AND first.first_id IS NULL"
        " AND first.xid = payment.xid AND first.pimd = payment.pimd) ORDER BY id",
        "a further authorisation of another instruction, or of none:"));
    SETPAY_TRY(check_presentments(&look));
    SETPAY_TRY(check_steps(&look));
    SETPAY_TRY(check_accounts(&look));
    SETPAY_TRY(setpay_look_dates(&look));
    SETPAY_TRY(setpay_look_states(&look));
    SETPAY_TRY(setpay_look_stand_ins(&look));
    SETPAY_TRY(setpay_look_reversals(&look));
    SETPAY_TRY(setpay_look_reconciliations(&look));
    *findings = look.findings;
    return SETPAY_OK;
}
