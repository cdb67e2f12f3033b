/*
 * The gateway's decision, booked: one operation holds the purchase's new state, the receipt, the
 * answer to the shopper's PReq, the order's release, and the deletion of the sealed instruction.
 *
 *     read purchase and receipts -> apply the answer (table) -> PRes, where this is the outcome
 *       -> one operation -> notes wake who waits -> next step
 *
 * A purchase that lapses ends in the same way, without a receipt.
 *
 * An answer that meets a purchase which has changed in between (the store gave it up just now) is
 * decided anew on the new state.
 */
#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/net/metrics.h"
#include "common/store/answers.h"
#include "common/store/evidence.h"
#include "common/wire/agreement.h"
#include "merchant/payment/agreement.h"
#include "merchant/payment/answer.h"
#include "merchant/payment/batch_store.h"
#include "merchant/payment/drive.h"
#include "merchant/payment/due.h"
#include "merchant/payment/rules.h"
#include "merchant/store/order.h"
#include "merchant/store/stock.h"

#include <stdlib.h>

static const char *const outcomes[] = {"authorised", "declined", "voided",
                                       "reversed",   "lapsed",   NULL};
static struct setpay_metric purchases_total = {
    .name = "setpay_merchant_purchases_total",
    .help = "Purchases by outcome; one that is reversed counts for both.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"outcome", outcomes}},
};

/* ------------------------------------------------------------------ the operation */

enum setpay_error setpay_merchant_keep_pres(struct setpay_db *db,
                                            const struct setpay_merchant_drive *drive)
{
    const struct setpay_merchant_purchase *purchase = &drive->booked;
    if (drive->pres.size == 0)
        return SETPAY_OK;
    enum setpay_error error =
        setpay_answers_keep(db, &purchase->cardholder, &purchase->rrpid, &purchase->request_hash,
                            setpay_buffer_view(&drive->pres), purchase->updated_ms); /* rule A6 */
    /* A wallet that used one rrpid for two purchases gets one answer, and may inquire for both. */
    return error == SETPAY_E_RRPID_REUSED ? SETPAY_OK : error;
}

/* The purchase's new state, and what ends with it if that is the end of the purchase. */
static enum setpay_error write_state(struct setpay_db *db,
                                     const struct setpay_merchant_drive *drive,
                                     struct setpay_merchant_purchase *purchase)
{
    *purchase = drive->booked;
    SETPAY_TRY(setpay_merchant_purchase_update(db, purchase));
    SETPAY_TRY(setpay_merchant_keep_pres(db, drive));
    if (purchase->state == SETPAY_PURCHASE_AUTHORISED ||
        purchase->state == SETPAY_PURCHASE_CAPTURED)
        SETPAY_TRY(setpay_stock_sell(db, purchase->order_id, purchase->updated_ms));
    if (!setpay_purchase_state_is_refused(purchase->state))
        return SETPAY_OK;
    enum setpay_error error = setpay_order_release(db, purchase->order_id, &purchase->xid);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error; /* rule M4: a late one held no order */
}

/* A sale's capture, and its undoing where nobody wants it any more. */
static enum setpay_error write_sale(struct setpay_db *db, const struct setpay_merchant_drive *drive,
                                    const struct setpay_merchant_purchase *purchase)
{
    const struct setpay_auth_res *answer = &drive->auth_res;
    if (drive->ask.kind == SETPAY_ASK_REVERSE || !answer->has_capture)
        return SETPAY_OK;
    SETPAY_TRY(setpay_merchant_receipt_add(db, purchase->id, &answer->capture.receipt,
                                           purchase->updated_ms));
    SETPAY_TRY(setpay_merchant_batch_meet(db, purchase->brand, answer->capture.batch,
                                          purchase->updated_ms));
    struct setpay_merchant_steps *steps = setpay_merchant_steps_new(SETPAY_MERCHANT_STEPS_ADDED);
    if (steps == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error =
        setpay_merchant_step_sold(&answer->capture, 0, purchase->state == SETPAY_PURCHASE_STEPPING,
                                  purchase->updated_ms, steps);
    if (error == SETPAY_OK)
        error = setpay_merchant_step_write(db, purchase->id, steps);
    free(steps);
    return error;
}

/* What the shopper has agreed to beyond this payment begins with it; before its state is written,
 * so that the event of that tells of it. */
static enum setpay_error write_agreement(struct setpay_db *db,
                                         const struct setpay_merchant_drive *drive)
{
    const struct setpay_merchant_purchase *purchase = &drive->booked;
    struct setpay_merchant_agreement agreement;
    struct setpay_order_terms terms;
    bool begins = drive->ask.kind == SETPAY_ASK_AUTHORISE &&
                  (purchase->state == SETPAY_PURCHASE_AUTHORISED ||
                   purchase->state == SETPAY_PURCHASE_CAPTURED) &&
                  setpay_terms_go_on(&purchase->terms);
    if (!begins)
        return SETPAY_OK;
    SETPAY_TRY(setpay_order_find_terms(db, purchase->order_id, &terms));
    setpay_merchant_agreement_begin(purchase, terms.schedule, &drive->auth_res,
                                    purchase->updated_ms, &agreement);
    enum setpay_error error = setpay_merchant_agreement_insert(db, &agreement);
    return error == SETPAY_E_DUPLICATE ? SETPAY_E_CONFLICT : error; /* it is booked already */
}

static enum setpay_error write_outcome(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_drive *drive = arg;
    struct setpay_merchant_purchase purchase;
    const struct setpay_sealed_receipt *receipt = drive->ask.kind == SETPAY_ASK_REVERSE
                                                      ? &drive->auth_rev_res.receipt
                                                      : &drive->auth_res.receipt;
    SETPAY_TRY(write_agreement(db, drive));
    SETPAY_TRY(write_state(db, drive, &purchase));
    SETPAY_TRY(setpay_merchant_receipt_add(db, purchase.id, receipt, purchase.updated_ms));
    SETPAY_TRY(write_sale(db, drive, &purchase));
    SETPAY_TRY(
        setpay_evidence_keep(db, purchase.id, &drive->answer, drive->signer, purchase.updated_ms));
    SETPAY_TRY(setpay_merchant_instruction_delete(db, purchase.id)); /* rule M7 */
    return setpay_merchant_due_keep(db, &purchase, purchase.updated_ms);
}

static void count_outcome(const struct setpay_merchant_purchase *purchase)
{
    switch (purchase->state) {
    case SETPAY_PURCHASE_AUTHORISED:
    case SETPAY_PURCHASE_CAPTURED:
        setpay_metric_add(&purchases_total, 0, 0, 1);
        break;
    case SETPAY_PURCHASE_DECLINED:
        setpay_metric_add(&purchases_total, 1, 0, 1);
        break;
    case SETPAY_PURCHASE_VOIDED:
        setpay_metric_add(&purchases_total, 2, 0, 1);
        break;
    case SETPAY_PURCHASE_REVERSED:
        setpay_metric_add(&purchases_total, 3, 0, 1);
        break;
    case SETPAY_PURCHASE_LAPSED:
        setpay_metric_add(&purchases_total, 4, 0, 1);
        break;
    default:
        break;
    }
}

static void on_outcome_kept(void *arg, enum setpay_error error)
{
    struct setpay_merchant_drive *drive = arg;
    drive->stores = false;
    if (error == SETPAY_E_CONFLICT && drive->again++ < SETPAY_LIMIT_DECIDE_AGAIN) {
        setpay_merchant_book(drive);
        return;
    }
    if (error != SETPAY_OK) { /* the gateway gives the same answer again */
        setpay_log_error(error, "purchase.book", setpay_field_id("xid", &drive->xid));
        setpay_merchant_drive_later(drive);
        return;
    }
    setpay_testing_point("purchase.decided");
    atomic_store(&drive->worker->merchant->erase_due, true); /* rule M7 */
    const struct setpay_merchant_purchase *purchase = &drive->booked;
    count_outcome(purchase);
    struct setpay_money approved = purchase->amount;
    approved.minor = purchase->approved_minor;
    setpay_log(
        SETPAY_LOG_INFO, "purchase.decided",
        setpay_field_text("state", setpay_purchase_state_name(purchase->state)),
        setpay_field_text("action", purchase->action_code), setpay_field_id("xid", &purchase->xid),
        setpay_field_id("rrpid", &drive->ask.rrpid), setpay_field_text("order", purchase->order_id),
        setpay_field_money("amount", &purchase->amount), setpay_field_money("approved", &approved));
    setpay_merchant_drive_step(drive); /* an excess has to be reversed; otherwise the end */
}

/* ------------------------------------------------------------------ deciding */

struct snapshot {
    struct setpay_merchant_drive *drive;
    struct setpay_pres receipts; /* only these of it */
};

static enum setpay_error read_snapshot(struct setpay_db *db, void *arg)
{
    struct snapshot *s = arg;
    SETPAY_TRY(setpay_merchant_purchase_find(db, &s->drive->xid, &s->drive->purchase));
    return setpay_merchant_receipt_list(db, s->drive->purchase.id, 0, &s->receipts);
}

static enum setpay_error apply(struct setpay_merchant_drive *drive, setpay_time_ms now_ms)
{
    const struct setpay_auth_res *answer = &drive->auth_res;
    drive->booked = drive->purchase;
    if (drive->ask.kind == SETPAY_ASK_REVERSE)
        return setpay_merchant_auth_rev_res_apply(now_ms, &drive->booked);
    enum setpay_purchase_event event = setpay_merchant_auth_res_event(&drive->purchase, answer);
    if (event == SETPAY_PURCHASE_EXCESS || event == SETPAY_PURCHASE_OVERSOLD)
        setpay_log_error(answer->amount.minor > drive->purchase.first_minor
                             ? SETPAY_E_OVER_APPROVED
                             : SETPAY_E_AUTH_MISMATCH,
                         "gateway.amount", setpay_field_id("xid", &drive->xid),
                         setpay_field_id("rrpid", &drive->ask.rrpid),
                         setpay_field_money("asked", &drive->purchase.amount),
                         setpay_field_money("approved", &answer->amount)); /* rule M6 */
    return setpay_merchant_auth_res_apply(answer, now_ms, &drive->booked);
}

enum setpay_error setpay_merchant_make_pres(struct setpay_merchant_drive *drive,
                                            const struct setpay_pres *receipts,
                                            setpay_time_ms now_ms)
{
    const struct setpay_merchant_told told = {
        .type = SETPAY_MESSAGE_P_RES,
        .rrpid = &drive->booked.rrpid,
        .request_hash = &drive->booked.request_hash,
        .challenge = &drive->booked.chall_c,
        .receipts = receipts->receipts,
        .receipt_count = receipts->receipt_count,
    };
    setpay_buffer_reset(&drive->pres);
    if (!setpay_merchant_is_answerable(&drive->booked))
        return SETPAY_OK;
    drive->booked.answered = true;
    return setpay_merchant_answer_build(drive->worker->merchant, drive->brand, &drive->booked,
                                        &told, now_ms, &drive->pres);
}

static enum setpay_error decide(struct setpay_merchant_drive *drive, struct setpay_pres *receipts)
{
    setpay_time_ms now_ms = setpay_clock_now_ms();
    SETPAY_TRY(apply(drive, now_ms));
    if (receipts->receipt_count + SETPAY_MERCHANT_RECEIPTS_ADDED > SETPAY_LIMIT_RECEIPTS)
        return SETPAY_E_TOO_BIG;
    receipts->receipts[receipts->receipt_count++] = drive->ask.kind == SETPAY_ASK_REVERSE
                                                        ? drive->auth_rev_res.receipt
                                                        : drive->auth_res.receipt;
    if (drive->ask.kind != SETPAY_ASK_REVERSE && drive->auth_res.has_capture)
        receipts->receipts[receipts->receipt_count++] = drive->auth_res.capture.receipt;
    SETPAY_TRY(setpay_merchant_make_pres(drive, receipts, now_ms));
    return setpay_store_submit(drive->worker->merchant->store, write_outcome, on_outcome_kept,
                               drive, &drive->worker->executor);
}

void setpay_merchant_book(struct setpay_merchant_drive *drive)
{
    struct snapshot snapshot = {.drive = drive};
    enum setpay_error error = setpay_store_read(drive->worker->reader, read_snapshot, &snapshot);
    if (error == SETPAY_OK)
        error = decide(drive, &snapshot.receipts);
    setpay_pres_clear(&snapshot.receipts);
    drive->stores = error == SETPAY_OK;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "purchase.book", setpay_field_id("xid", &drive->xid));
        setpay_merchant_drive_later(drive);
    }
}

/* ------------------------------------------------------------------ an event alone */

static enum setpay_error write_event(struct setpay_db *db, void *arg)
{
    const struct setpay_merchant_drive *drive = arg;
    struct setpay_merchant_purchase purchase;
    SETPAY_TRY(write_state(db, drive, &purchase));
    return setpay_purchase_state_is_waiting(drive->booked.state)
               ? SETPAY_OK
               : setpay_merchant_instruction_delete(db, drive->booked.id); /* rule M7 */
}

static void on_event_kept(void *arg, enum setpay_error error)
{
    struct setpay_merchant_drive *drive = arg;
    drive->stores = false;
    if (error == SETPAY_OK) {
        setpay_log(SETPAY_LOG_WARN, "purchase.given_up", setpay_field_id("xid", &drive->xid),
                   setpay_field_text("state", setpay_purchase_state_name(drive->booked.state)));
        if (!setpay_purchase_state_is_waiting(drive->booked.state)) {
            atomic_store(&drive->worker->merchant->erase_due, true); /* rule M7 */
            count_outcome(&drive->booked);
        }
    } else if (error != SETPAY_E_CONFLICT) {
        setpay_log_error(error, "purchase.book", setpay_field_id("xid", &drive->xid));
    }
    if (error == SETPAY_OK || error == SETPAY_E_CONFLICT)
        setpay_merchant_drive_step(drive);
    else
        setpay_merchant_drive_later(drive);
}

void setpay_merchant_book_event(struct setpay_merchant_drive *drive,
                                enum setpay_purchase_event event)
{
    enum setpay_purchase_state next = drive->purchase.state;
    enum setpay_error error = setpay_purchase_state_next(drive->purchase.state, event, &next);
    const struct setpay_pres no_receipts = {.receipt_count = 0};
    setpay_time_ms now_ms = setpay_clock_now_ms();
    drive->booked = drive->purchase;
    drive->booked.state = next;
    drive->booked.updated_ms = now_ms;
    if (!setpay_purchase_state_is_waiting(next))
        drive->booked.decided_ms = now_ms;
    if (error == SETPAY_OK)
        error = setpay_merchant_make_pres(drive, &no_receipts, now_ms);
    if (error == SETPAY_OK)
        error = setpay_store_submit(drive->worker->merchant->store, write_event, on_event_kept,
                                    drive, &drive->worker->executor);
    drive->stores = error == SETPAY_OK;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "purchase.book", setpay_field_id("xid", &drive->xid));
        setpay_merchant_drive_later(drive);
    }
}

enum setpay_error setpay_merchant_register_book_metrics(void)
{
    return setpay_metric_register(&purchases_total);
}
