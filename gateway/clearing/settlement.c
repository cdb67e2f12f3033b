/*
 * Settling: one merchant after the other, each in an operation of the store of its own, so that
 * payments come in between; what one operation settles, currency by currency, is done whole or not
 * at all. A settlement pays one sum for a day, so its items can't be split: what bounds an
 * operation is what one merchant captures in a day. Sums are made by the database, so that a
 * hundred thousand items take the committer a few seconds; only refused items are walked through.
 * Of merchants only batches are looked at that are not known to be settled, however many there
 * were.
 */
#include "gateway/clearing/settlement.h"

#include "common/crypto/hash.h"
#include "gateway/clearing/ahead.h"
#include "gateway/clearing/incoming.h"
#include "gateway/clearing/payout.h"
#include "gateway/clearing/reserve.h"
#include "gateway/clearing/sql_names.h"
#include "gateway/payment/payment.h"

#include <stdio.h>
#include <string.h>

/* The items of a merchant that may be settled for a day, whose placeholders are those of brand,
 * merchant and its cut-off. The CROSS JOIN begins with its own batches, of which few are not
 * settled: not with the items of all merchants. */
#define ITEMS(brand, merchant, cut_off)                                                            \
    " FROM batch CROSS JOIN presentment"                                                           \
    " JOIN step ON step.id = presentment.step_id JOIN payment ON payment.id = step.payment_id"     \
    " WHERE presentment.batch_id = batch.id"                                                       \
    " AND batch.brand = " brand " AND batch.merchant_id = " merchant " AND batch.open = 0"         \
    " AND batch.settled = 0 AND batch.closed_ms <= " cut_off " AND presentment.settlement_id = 0"
#define TAKEN "presentment.response_code IN ('00', '94')"

/* ------------------------------------------------------------------ pure */

bool setpay_presentment_is_taken(const char *response_code)
{
    return strcmp(response_code, "00") == 0 || strcmp(response_code, "94") == 0;
}

int64_t setpay_settlement_net(const struct setpay_settlement_sums *sums)
{
    return sums->capture_minor - sums->credit_minor - sums->fee_minor;
}

void setpay_settlement_close(struct setpay_settlement *settlement)
{
    int64_t due = settlement->carried_in_minor + setpay_settlement_net(&settlement->sums) +
                  setpay_adjustment_net(&settlement->adjusted) + settlement->released_minor;
    int64_t share = setpay_share_of(settlement->reserve_ppm, settlement->sums.capture_minor);
    settlement->held_minor = due <= 0 ? 0 : share < due ? share : due;
    due -= settlement->held_minor;
    settlement->payout_minor = due > 0 ? due : 0;
    settlement->carried_out_minor = due < 0 ? due : 0;
}

enum setpay_error setpay_settlement_check_clock(setpay_time_ms last_ms, setpay_time_ms now_ms)
{
    return last_ms != 0 && now_ms - last_ms > SETPAY_SETTLEMENT_QUIET_DAYS * SETPAY_DAY_MS
               ? SETPAY_E_STATE
               : SETPAY_OK;
}

enum setpay_error setpay_settlement_token(const struct setpay_settlement *settlement,
                                          struct setpay_id *token)
{
    struct setpay_hash state;
    setpay_hash_init(&state, "settlement");
    setpay_hash_add(&state, setpay_view_string(settlement->brand));
    setpay_hash_add(&state, setpay_view_string(settlement->merchant_id));
    setpay_hash_add(&state, setpay_view_string(settlement->currency));
    setpay_hash_add(&state, setpay_view_string(settlement->day));
    if (!settlement->is_of_before) {
        setpay_hash_add_u64(&state, (uint64_t)settlement->cut_off_ms);
        setpay_hash_add_u64(&state, (uint64_t)settlement->created_ms);
    }
    return setpay_ledger_end_event(&state, token);
}

void setpay_settlement_post(int64_t payout_minor, struct setpay_ledger_entry *entry)
{
    setpay_ledger_post_two(SETPAY_LEDGER_SETTLEMENT, SETPAY_ACCOUNT_MERCHANT_PAYABLE,
                           SETPAY_ACCOUNT_CASH, payout_minor, entry);
}

/* ------------------------------------------------------------------ rows */

static struct setpay_adjustment adjustment_like(const struct setpay_settlement *settlement)
{
    struct setpay_adjustment like = {.id = 0};
    memcpy(like.brand, settlement->brand, sizeof like.brand);
    memcpy(like.merchant_id, settlement->merchant_id, sizeof like.merchant_id);
    memcpy(like.currency, settlement->currency, sizeof like.currency);
    return like;
}

void setpay_settlement_read(struct setpay_db_rows *rows, struct setpay_settlement *settlement)
{
    struct setpay_settlement s = {0};
    int c = 0;
    s.id = setpay_db_get_int(rows, c++);
    setpay_db_get_id(rows, c++, &s.token);
    setpay_db_get_text(rows, c++, s.brand, sizeof s.brand);
    setpay_db_get_text(rows, c++, s.merchant_id, sizeof s.merchant_id);
    setpay_db_get_text(rows, c++, s.currency, sizeof s.currency);
    setpay_db_get_text(rows, c++, s.day, sizeof s.day);
    s.cut_off_ms = setpay_db_get_int(rows, c++);
    s.sums.capture_count = setpay_db_get_int(rows, c++);
    s.sums.capture_minor = setpay_db_get_int(rows, c++);
    s.sums.credit_count = setpay_db_get_int(rows, c++);
    s.sums.credit_minor = setpay_db_get_int(rows, c++);
    s.sums.fee_minor = setpay_db_get_int(rows, c++);
    s.sums.refused_count = setpay_db_get_int(rows, c++);
    s.sums.refused_minor = setpay_db_get_int(rows, c++);
    s.carried_in_minor = setpay_db_get_int(rows, c++);
    s.payout_minor = setpay_db_get_int(rows, c++);
    s.carried_out_minor = setpay_db_get_int(rows, c++);
    s.created_ms = setpay_db_get_int(rows, c++);
    s.adjusted.disputed_count = setpay_db_get_int(rows, c++);
    s.adjusted.disputed_minor = setpay_db_get_int(rows, c++);
    s.adjusted.returned_count = setpay_db_get_int(rows, c++);
    s.adjusted.returned_minor = setpay_db_get_int(rows, c++);
    s.adjusted.cleared_count = setpay_db_get_int(rows, c++);
    s.adjusted.cleared_minor = setpay_db_get_int(rows, c++);
    s.reserve_ppm = setpay_db_get_int(rows, c++);
    s.reserve_days = setpay_db_get_int(rows, c++);
    s.held_minor = setpay_db_get_int(rows, c++);
    s.released_minor = setpay_db_get_int(rows, c++);
    s.adjusted.repaid_count = setpay_db_get_int(rows, c++);
    s.adjusted.repaid_minor = setpay_db_get_int(rows, c++);
    s.is_of_before = setpay_db_get_bool(rows, c++);
    *settlement = s;
}

enum setpay_error setpay_settlement_each(struct setpay_db *db,
                                         const struct setpay_settlement_filter *filter,
                                         setpay_settlement_each_fn *each, void *arg)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT " SETPAY_SETTLEMENT_COLUMNS " FROM settlement WHERE day = $1 AND id > $2"
        " AND ($3 IS NULL OR brand = $4) AND ($5 IS NULL OR merchant_id = $6)"
        " ORDER BY id LIMIT $7",
        SETPAY_DB_TEXT(filter->day), SETPAY_DB_INT(filter->after), SETPAY_DB_TEXT(filter->brand),
        SETPAY_DB_TEXT(filter->brand), SETPAY_DB_TEXT(filter->merchant_id),
        SETPAY_DB_TEXT(filter->merchant_id), SETPAY_DB_INT(filter->limit)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_settlement settlement;
        setpay_settlement_read(rows, &settlement);
        error = each(arg, &settlement);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

static enum setpay_error insert(struct setpay_db *db, struct setpay_settlement *settlement)
{
    const struct setpay_settlement *s = settlement;
    return setpay_db_insert(
        db, &settlement->id,
        "INSERT INTO settlement (token, brand, merchant_id, currency, day, cut_off_ms,"
        " capture_count, capture_minor, credit_count, credit_minor, fee_minor, refused_count,"
        " refused_minor, carried_in_minor, payout_minor, carried_out_minor, created_ms,"
        " disputed_count, disputed_minor, returned_count, returned_minor, cleared_count,"
        " cleared_minor, reserve_ppm, reserve_days, held_minor, released_minor, repaid_count,"
        " repaid_minor)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,"
        " $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29) RETURNING id",
        SETPAY_DB_ID(&s->token), SETPAY_DB_TEXT(s->brand), SETPAY_DB_TEXT(s->merchant_id),
        SETPAY_DB_TEXT(s->currency), SETPAY_DB_TEXT(s->day), SETPAY_DB_INT(s->cut_off_ms),
        SETPAY_DB_INT(s->sums.capture_count), SETPAY_DB_INT(s->sums.capture_minor),
        SETPAY_DB_INT(s->sums.credit_count), SETPAY_DB_INT(s->sums.credit_minor),
        SETPAY_DB_INT(s->sums.fee_minor), SETPAY_DB_INT(s->sums.refused_count),
        SETPAY_DB_INT(s->sums.refused_minor), SETPAY_DB_INT(s->carried_in_minor),
        SETPAY_DB_INT(s->payout_minor), SETPAY_DB_INT(s->carried_out_minor),
        SETPAY_DB_INT(s->created_ms), SETPAY_DB_INT(s->adjusted.disputed_count),
        SETPAY_DB_INT(s->adjusted.disputed_minor), SETPAY_DB_INT(s->adjusted.returned_count),
        SETPAY_DB_INT(s->adjusted.returned_minor), SETPAY_DB_INT(s->adjusted.cleared_count),
        SETPAY_DB_INT(s->adjusted.cleared_minor), SETPAY_DB_INT(s->reserve_ppm),
        SETPAY_DB_INT(s->reserve_days), SETPAY_DB_INT(s->held_minor),
        SETPAY_DB_INT(s->released_minor), SETPAY_DB_INT(s->adjusted.repaid_count),
        SETPAY_DB_INT(s->adjusted.repaid_minor));
}

/* ------------------------------------------------------------------ refused items */

/* A presentment that goes there. */
struct refused {
    int64_t presentment;
    int64_t amount_minor; /* to the merchant */
    struct setpay_id event;
};

static enum setpay_error suspend(struct setpay_db *db, const struct setpay_settlement *settlement,
                                 const struct refused *refused)
{
    struct setpay_ledger_entry entry = {.time_ms = settlement->created_ms, .event = refused->event};
    memcpy(entry.brand, settlement->brand, sizeof entry.brand);
    memcpy(entry.merchant_id, settlement->merchant_id, sizeof entry.merchant_id);
    memcpy(entry.currency, settlement->currency, sizeof entry.currency);
    setpay_suspense_post(refused->amount_minor, &entry);
    if (entry.posting_count > 0) /* a fee may take all of a capture */
        SETPAY_TRY(setpay_ledger_append(db, &entry));
    return setpay_db_run(db, "UPDATE presentment SET suspense = $1 WHERE id = $2",
                         SETPAY_DB_ID(&entry.event), SETPAY_DB_INT(refused->presentment));
}

/* The first refused item of settlement behind *refused. SETPAY_E_NOT_FOUND. */
static enum setpay_error next_refused(struct setpay_db *db,
                                      const struct setpay_settlement *settlement,
                                      struct refused *refused)
{
    struct setpay_db_rows *rows;
    struct setpay_id step;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT presentment.id, step.token, CASE kind WHEN " SETPAY_SQL_CAPTURE
        " THEN amount_minor - fee_minor"
        " ELSE fee_minor - amount_minor END, presentment.write_off FROM presentment"
        " JOIN step ON step.id = presentment.step_id WHERE presentment.settlement_id = $1"
        " AND presentment.id > $2 AND NOT " TAKEN " ORDER BY presentment.id LIMIT 1",
        SETPAY_DB_INT(settlement->id), SETPAY_DB_INT(refused->presentment)));
    refused->presentment = setpay_db_get_int(rows, 0);
    setpay_db_get_id(rows, 1, &step);
    refused->amount_minor = setpay_db_get_int(rows, 2);
    enum setpay_error error =
        setpay_suspense_token(&step, setpay_db_get_view(rows, 3), &refused->event);
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* The refused items of settlement, one after the other: a row that is being read must not be
 * changed. */
static enum setpay_error suspend_refused(struct setpay_db *db,
                                         const struct setpay_settlement *settlement)
{
    struct refused refused = {.presentment = 0};
    for (;;) {
        enum setpay_error error = next_refused(db, settlement, &refused);
        if (error == SETPAY_E_NOT_FOUND)
            return SETPAY_OK;
        SETPAY_TRY(error);
        SETPAY_TRY(suspend(db, settlement, &refused));
    }
}

/* ------------------------------------------------------------------ one settlement */

static enum setpay_error pay_out(struct setpay_db *db, const struct setpay_settlement *settlement)
{
    struct setpay_ledger_entry entry = {.time_ms = settlement->created_ms,
                                        .event = settlement->token};
    memcpy(entry.brand, settlement->brand, sizeof entry.brand);
    memcpy(entry.merchant_id, settlement->merchant_id, sizeof entry.merchant_id);
    memcpy(entry.currency, settlement->currency, sizeof entry.currency);
    setpay_settlement_post(settlement->payout_minor, &entry);
    return entry.posting_count == 0 ? SETPAY_OK : setpay_ledger_append(db, &entry);
}

/* What adjustments and reserve add to a settlement. */
static enum setpay_error add_rest(struct setpay_db *db, struct setpay_settlement *settlement)
{
    const struct setpay_adjustment like = adjustment_like(settlement);
    SETPAY_TRY(setpay_adjustment_waiting(db, &like, settlement->cut_off_ms, &settlement->adjusted));
    return setpay_reserve_due(db, settlement, &settlement->released_minor);
}

static enum setpay_error settle_one(struct setpay_db *db, struct setpay_settlement *settlement)
{
    const struct setpay_settlement_sums *sums = &settlement->sums;
    const struct setpay_adjustment like = adjustment_like(settlement);
    SETPAY_TRY(setpay_settlement_token(settlement, &settlement->token));
    SETPAY_TRY(add_rest(db, settlement));
    setpay_settlement_close(settlement);
    SETPAY_TRY(insert(db, settlement));
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE presentment SET settlement_id = $1 WHERE id IN (SELECT presentment.id" ITEMS(
            "$2", "$3", "$4") " AND presentment.acknowledged = 1 AND payment.currency = $5)",
        SETPAY_DB_INT(settlement->id), SETPAY_DB_TEXT(settlement->brand),
        SETPAY_DB_TEXT(settlement->merchant_id), SETPAY_DB_INT(settlement->cut_off_ms),
        SETPAY_DB_TEXT(settlement->currency)));
    if (setpay_db_changes(db) != sums->capture_count + sums->credit_count + sums->refused_count)
        return SETPAY_E_INTERNAL;
    SETPAY_TRY(setpay_adjustment_settle(db, &like, settlement->cut_off_ms, settlement->id,
                                        &settlement->adjusted));
    SETPAY_TRY(setpay_suspense_tell(db, settlement));
    SETPAY_TRY(suspend_refused(db, settlement));
    SETPAY_TRY(setpay_reserve_release(db, settlement));
    SETPAY_TRY(setpay_reserve_hold(db, settlement));
    SETPAY_TRY(pay_out(db, settlement));
    return setpay_payout_make(db, settlement);
}

/* ------------------------------------------------------------------ one merchant */

/* One more of the merchant, in a currency of its own; NULL: there is no such number of them. */
static struct setpay_settlement *add(struct setpay_settling *settling,
                                     const struct setpay_settlement *like)
{
    if (settling->made_count == SETPAY_SETTLEMENTS_AT_ONCE)
        return NULL;
    settling->made[settling->made_count] = *like;
    return &settling->made[settling->made_count++];
}

/* What is ready of a merchant, by currency, into made. */
static enum setpay_error gather(struct setpay_db *db, const struct setpay_settlement *like,
                                struct setpay_settling *settling)
{
    struct setpay_db_rows *rows;
    bool fits = true;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT payment.currency, SUM(" TAKEN " AND kind = " SETPAY_SQL_CAPTURE "),"
        " SUM(CASE WHEN " TAKEN " AND kind = " SETPAY_SQL_CAPTURE
        " THEN step.amount_minor ELSE 0 END),"
        " SUM(" TAKEN " AND kind = " SETPAY_SQL_CREDIT "),"
        " SUM(CASE WHEN " TAKEN " AND kind = " SETPAY_SQL_CREDIT
        " THEN step.amount_minor ELSE 0 END),"
        " SUM(CASE WHEN " TAKEN " AND kind = " SETPAY_SQL_CAPTURE " THEN fee_minor WHEN " TAKEN
        " THEN -fee_minor ELSE 0 END), SUM(NOT " TAKEN "),"
        " SUM(CASE WHEN " TAKEN " THEN 0 WHEN kind = " SETPAY_SQL_CAPTURE
        " THEN step.amount_minor - fee_minor"
        " ELSE fee_minor - step.amount_minor END)" ITEMS(
            "$1", "$2", "$3") " AND presentment.acknowledged = 1"
                              " GROUP BY payment.currency ORDER BY payment.currency",
        SETPAY_DB_TEXT(like->brand), SETPAY_DB_TEXT(like->merchant_id),
        SETPAY_DB_INT(like->cut_off_ms)));
    while (fits && setpay_db_next(rows)) {
        struct setpay_settlement *made = add(settling, like);
        fits = made != NULL;
        if (!fits)
            continue;
        setpay_db_get_text(rows, 0, made->currency, sizeof made->currency);
        made->sums.capture_count = setpay_db_get_int(rows, 1);
        made->sums.capture_minor = setpay_db_get_int(rows, 2);
        made->sums.credit_count = setpay_db_get_int(rows, 3);
        made->sums.credit_minor = setpay_db_get_int(rows, 4);
        made->sums.fee_minor = setpay_db_get_int(rows, 5);
        made->sums.refused_count = setpay_db_get_int(rows, 6);
        made->sums.refused_minor = setpay_db_get_int(rows, 7);
    }
    enum setpay_error end = setpay_db_end(rows);
    return !fits ? SETPAY_E_TOO_BIG : end;
}

/* A currency in which there are no items, but something was adjusted, or is to be released. */
static enum setpay_error gather_rest(struct setpay_db *db, const struct setpay_settlement *like,
                                     struct setpay_settling *settling)
{
    struct setpay_db_rows *rows;
    size_t with_items = settling->made_count;
    bool fits = true;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT currency FROM adjustment WHERE brand = $1 AND merchant_id = $2"
        " AND settlement_id = 0 AND created_ms <= $3 UNION"
        " SELECT currency FROM reserve WHERE brand = $4 AND merchant_id = $5 AND released_by = 0"
        " AND due_day <= $6 ORDER BY currency",
        SETPAY_DB_TEXT(like->brand), SETPAY_DB_TEXT(like->merchant_id),
        SETPAY_DB_INT(like->cut_off_ms), SETPAY_DB_TEXT(like->brand),
        SETPAY_DB_TEXT(like->merchant_id), SETPAY_DB_TEXT(like->day)));
    while (fits && setpay_db_next(rows)) {
        char currency[sizeof like->currency];
        bool known = false;
        setpay_db_get_text(rows, 0, currency, sizeof currency);
        for (size_t i = 0; i < with_items; i++)
            known = known || strcmp(settling->made[i].currency, currency) == 0;
        struct setpay_settlement *made = known ? NULL : add(settling, like);
        fits = known || made != NULL;
        if (made != NULL)
            memcpy(made->currency, currency, sizeof made->currency);
    }
    enum setpay_error end = setpay_db_end(rows);
    return !fits ? SETPAY_E_TOO_BIG : end;
}

static enum setpay_error count_waiting(struct setpay_db *db, const struct setpay_settlement *like,
                                       struct setpay_settling *settling)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows, "SELECT COUNT(*)" ITEMS("$1", "$2", "$3") " AND presentment.acknowledged = 0",
        SETPAY_DB_TEXT(like->brand), SETPAY_DB_TEXT(like->merchant_id),
        SETPAY_DB_INT(like->cut_off_ms)));
    settling->waiting_count += setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

/* Nothing of it can be settled. so_far: in that currency; NULL: its zone is not known. */
static void stop(struct setpay_settling *settling, const struct setpay_settlement *one,
                 const struct setpay_settled_so_far *so_far, const char *zone, int64_t items)
{
    struct setpay_settling_stopped *stopped = &settling->stopped[settling->stopped_count++];
    *stopped = (struct setpay_settling_stopped){
        .why = so_far == NULL ? SETPAY_SETTLING_NO_ZONE : SETPAY_SETTLING_AHEAD, .items = items};
    memcpy(stopped->brand, one->brand, sizeof stopped->brand);
    memcpy(stopped->merchant_id, one->merchant_id, sizeof stopped->merchant_id);
    memcpy(stopped->currency, one->currency, sizeof stopped->currency);
    if (so_far != NULL)
        memcpy(stopped->day, so_far->day, sizeof stopped->day);
    (void)snprintf(stopped->zone, sizeof stopped->zone, "%s", zone);
}

/* Settles what was gathered. A day that is settled stays as it is. */
static enum setpay_error settle_gathered(struct setpay_db *db, struct setpay_settling *settling)
{
    size_t kept = 0;
    for (size_t i = 0; i < settling->made_count; i++) {
        struct setpay_settlement *one = &settling->made[i];
        struct setpay_settled_so_far so_far;
        SETPAY_TRY(setpay_settled_so_far(db, one, &so_far));
        one->carried_in_minor = so_far.carried_minor;
        if (so_far.is_taken || strcmp(so_far.day, one->day) >= 0) {
            SETPAY_TRY(add_rest(db, one));
            int64_t items = one->sums.capture_count + one->sums.credit_count +
                            one->sums.refused_count + setpay_adjustment_count(&one->adjusted);
            if (so_far.cut_off_ms > settling->now_ms)
                stop(settling, one, &so_far, "", items);
            else
                settling->later_count += items;
            continue;
        }
        SETPAY_TRY(settle_one(db, one));
        settling->made[kept++] = *one;
    }
    settling->made_count = kept;
    return SETPAY_OK;
}

/* So that nobody looks into them again. */
static enum setpay_error note_settled(struct setpay_db *db, const struct setpay_settlement *like)
{
    return setpay_db_run(
        db,
        "UPDATE batch SET settled = 1 WHERE brand = $1 AND merchant_id = $2 AND open = 0"
        " AND settled = 0 AND closed_ms <= $3 AND NOT EXISTS (SELECT 1 FROM presentment"
        " WHERE presentment.batch_id = batch.id AND presentment.settlement_id = 0)",
        SETPAY_DB_TEXT(like->brand), SETPAY_DB_TEXT(like->merchant_id),
        SETPAY_DB_INT(like->cut_off_ms));
}

/* SETPAY_E_INVALID: there is no such zone. */
static enum setpay_error find_day(const struct setpay_gateway_merchant *merchant,
                                  const struct setpay_settling *settling,
                                  struct setpay_settlement *like)
{
    struct setpay_date day = settling->date;
    if (!settling->has_date)
        SETPAY_TRY(setpay_zone_last_day(merchant->zone, merchant->cut_off_minutes, settling->now_ms,
                                        &day));
    (void)setpay_date_format(&day, like->day);
    return setpay_zone_cut_off(merchant->zone, &day, merchant->cut_off_minutes, &like->cut_off_ms);
}

static enum setpay_error settle_merchant(struct setpay_db *db,
                                         const struct setpay_gateway_merchant *merchant,
                                         struct setpay_settling *settling)
{
    struct setpay_settlement like = {.created_ms = settling->now_ms};
    memcpy(like.brand, merchant->brand, sizeof like.brand);
    memcpy(like.merchant_id, merchant->id, sizeof like.merchant_id);
    like.reserve_ppm = merchant->reserve_ppm;
    like.reserve_days = merchant->reserve_days;
    enum setpay_error error = find_day(merchant, settling, &like);
    if (error == SETPAY_E_INVALID) { /* that keeps nobody else from being settled */
        stop(settling, &like, NULL, merchant->zone, 0);
        return SETPAY_OK;
    }
    SETPAY_TRY(error);
    if (like.cut_off_ms > settling->now_ms) {
        settling->not_ended_count++;
        return SETPAY_OK;
    }
    SETPAY_TRY(gather(db, &like, settling));
    SETPAY_TRY(gather_rest(db, &like, settling));
    SETPAY_TRY(count_waiting(db, &like, settling));
    SETPAY_TRY(settle_gathered(db, settling));
    return note_settled(db, &like);
}

/* ------------------------------------------------------------------ all of them */

/* The one behind the last, who is the last from then on. SETPAY_E_NOT_FOUND: there is none. */
static enum setpay_error next_merchant(struct setpay_db *db, struct setpay_settling *settling,
                                       struct setpay_gateway_merchant *merchant)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT brand, id FROM merchant WHERE (brand, id) > ($1, $2)"
                             " ORDER BY brand, id LIMIT 1",
                             SETPAY_DB_TEXT(settling->brand),
                             SETPAY_DB_TEXT(settling->merchant_id)));
    setpay_db_get_text(rows, 0, settling->brand, sizeof settling->brand);
    setpay_db_get_text(rows, 1, settling->merchant_id, sizeof settling->merchant_id);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_gateway_merchant_find(db, settling->brand, settling->merchant_id, merchant);
}

enum setpay_error setpay_settlement_last_kept(struct setpay_db *db, setpay_time_ms *last_ms)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT (SELECT created_ms FROM payment ORDER BY id DESC LIMIT 1),"
                             " (SELECT created_ms FROM step ORDER BY id DESC LIMIT 1),"
                             " (SELECT created_ms FROM presentment ORDER BY id DESC LIMIT 1),"
                             " (SELECT created_ms FROM settlement ORDER BY id DESC LIMIT 1)"));
    *last_ms = 0;
    for (int i = 0; i < 4; i++) {
        setpay_time_ms one_ms = setpay_db_is_null(rows, i) ? 0 : setpay_db_get_int(rows, i);
        *last_ms = one_ms > *last_ms ? one_ms : *last_ms;
    }
    return setpay_db_end(rows);
}

enum setpay_error setpay_settle(struct setpay_db *db, struct setpay_settling *settling)
{
    struct setpay_gateway_merchant merchant;
    settling->made_count = settling->stopped_count = 0;
    settling->waiting_count = settling->later_count = settling->not_ended_count = 0;
    settling->more = true;
    for (size_t looked = 0; looked < SETPAY_SETTLE_MERCHANTS && settling->made_count == 0 &&
                            settling->stopped_count == 0;
         looked++) {
        enum setpay_error error = next_merchant(db, settling, &merchant);
        settling->more = error != SETPAY_E_NOT_FOUND;
        if (!settling->more)
            return SETPAY_OK;
        SETPAY_TRY(error);
        SETPAY_TRY(settle_merchant(db, &merchant, settling));
    }
    return SETPAY_OK;
}
