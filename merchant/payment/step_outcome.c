/*
 * What became of a step, booked: one operation holds the purchase's new state and sums, the step,
 * what it did to others, the receipt, the gateway's signed answer, and the batch in which it
 * stands.
 *
 *     read purchase and steps -> apply the answer (step.c, the table) -> one operation
 *       -> notes wake who waits -> next step
 *
 * A refusal that says nothing about the step changes nothing: it is asked for anew, later, under a
 * new rrpid, since the gateway keeps what it answered to the old one.
 */
#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/net/metrics.h"
#include "common/store/evidence.h"
#include "merchant/payment/agreement.h"
#include "merchant/payment/answer.h"
#include "merchant/payment/ask.h"
#include "merchant/payment/batch_store.h"
#include "merchant/payment/drive.h"
#include "merchant/payment/due.h"
#include "merchant/payment/rules.h"
#include "merchant/store/order.h"

#include <string.h>

static const char *const kinds[] = {"capture", "credit",    "capture_reversal", "credit_reversal",
                                    "release", "authorise", "cancel",           NULL};
static const char *const results[] = {"done", "refused", "declined", NULL};
static struct setpay_metric steps_total = {
    .name = "setpay_merchant_steps_total",
    .help =
        "Captures, credits, their reversals, releases, further authorisations and cancellations, "
        "by how they ended.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"kind", kinds}, {"result", results}},
};

/* ------------------------------------------------------------------ the operation */

static const struct setpay_sealed_receipt *receipt_of(const struct setpay_merchant_drive *drive)
{
    if (drive->refused_code != 0)
        return NULL;
    switch (drive->step.kind) {
    case SETPAY_MERCHANT_STEP_RELEASE:
        return drive->booked_step.amount_minor > 0 ? &drive->auth_rev_res.receipt : NULL;
    case SETPAY_MERCHANT_STEP_AUTHORISE:
        return &drive->auth_res.receipt;
    case SETPAY_MERCHANT_STEP_CANCEL:
        return &drive->auth_can_res.receipt;
    default:
        return drive->step_res.done_count > 0 ? &drive->step_res.done[0].receipt : NULL;
    }
}

static bool has_sold(const struct setpay_merchant_drive *drive)
{
    return drive->step.kind == SETPAY_MERCHANT_STEP_AUTHORISE && drive->refused_code == 0 &&
           drive->auth_res.has_capture;
}

/* Receipts in the order of the gateway's chain, what it has signed, and the batch. */
static enum setpay_error write_answer(struct setpay_db *db,
                                      const struct setpay_merchant_drive *drive,
                                      const struct setpay_merchant_purchase *purchase)
{
    const struct setpay_sealed_receipt *receipt = receipt_of(drive);
    setpay_time_ms now_ms = purchase->updated_ms;
    uint32_t batch = has_sold(drive) ? drive->auth_res.capture.batch : drive->booked_step.batch;
    if (receipt != NULL)
        SETPAY_TRY(setpay_merchant_receipt_add(db, purchase->id, receipt, now_ms));
    if (has_sold(drive))
        SETPAY_TRY(setpay_merchant_receipt_add(db, purchase->id, &drive->auth_res.capture.receipt,
                                               now_ms));
    if (drive->signer != NULL)
        SETPAY_TRY(setpay_evidence_keep(db, purchase->id, &drive->answer, drive->signer, now_ms));
    return batch == 0 ? SETPAY_OK : setpay_merchant_batch_meet(db, purchase->brand, batch, now_ms);
}

/* Of an order that was paid nothing stands any more: it is over with that, and is not paid again by
 * the link that was. Its hold has ended, or the store has undone its sale. Before the purchase is
 * written, whose event tells the order's status. */
static enum setpay_error end_order(struct setpay_db *db, const struct setpay_merchant_drive *drive)
{
    const struct setpay_merchant_purchase *booked = &drive->booked;
    if (!setpay_purchase_state_is_refused(booked->state) || !drive->purchase.answered)
        return SETPAY_OK;
    enum setpay_error error = setpay_order_end(
        db, booked->order_id, booked->sale ? SETPAY_ORDER_VOIDED : SETPAY_ORDER_HOLD_OVER);
    return error == SETPAY_E_STATE ? SETPAY_OK : error; /* ended before */
}

static enum setpay_error release_order(struct setpay_db *db,
                                       const struct setpay_merchant_purchase *purchase)
{
    if (!setpay_purchase_state_is_refused(purchase->state))
        return SETPAY_OK;
    enum setpay_error error = setpay_order_release(db, purchase->order_id, &purchase->xid);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

static enum setpay_error write_step(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_drive *drive = arg;
    struct setpay_merchant_purchase purchase = drive->booked;
    SETPAY_TRY(end_order(db, drive));
    /* The steps and the agreement first: what follows from them is told with the purchase. */
    SETPAY_TRY(setpay_merchant_step_write(db, purchase.id, drive->steps));
    if (drive->agreement.purchase_id != 0)
        SETPAY_TRY(setpay_merchant_agreement_update(db, &drive->agreement));
    SETPAY_TRY(setpay_merchant_purchase_update(db, &purchase));
    SETPAY_TRY(setpay_merchant_keep_pres(db, drive));
    SETPAY_TRY(write_answer(db, drive, &purchase));
    /* Something else goes first; the gateway's refusal of the old request is for good. */
    if (drive->booked_step.state == SETPAY_MERCHANT_STEP_ASKING)
        SETPAY_TRY(setpay_merchant_ask_forget_step(db, drive->booked_step.id));
    SETPAY_TRY(release_order(db, &purchase));
    return setpay_merchant_due_keep(db, &purchase, purchase.updated_ms);
}

static void log_step(const struct setpay_merchant_drive *drive)
{
    const struct setpay_merchant_step *step = &drive->booked_step;
    bool declined = step->state == SETPAY_MERCHANT_STEP_DECLINED;
    bool refused = step->state == SETPAY_MERCHANT_STEP_REFUSED;
    struct setpay_money amount = drive->booked.amount;
    amount.minor = step->amount_minor;
    setpay_metric_add(&steps_total, (size_t)step->kind - 1, refused ? 1 : declined ? 2 : 0, 1);
    setpay_log(refused || declined ? SETPAY_LOG_WARN : SETPAY_LOG_INFO,
               refused    ? "step.refused"
               : declined ? "step.declined"
                          : "step.done",
               setpay_field_text("kind", kinds[step->kind - 1]),
               setpay_field_text("state", setpay_purchase_state_name(drive->booked.state)),
               setpay_field_id("xid", &drive->xid), setpay_field_id("rrpid", &drive->ask.rrpid),
               setpay_field_id("step", &step->name),
               setpay_field_text("order", drive->booked.order_id),
               setpay_field_money("amount", &amount), setpay_field_int("code", step->code));
}

static void on_step_kept(void *arg, enum setpay_error error)
{
    struct setpay_merchant_drive *drive = arg;
    drive->stores = false;
    if (error == SETPAY_E_CONFLICT && drive->again++ < SETPAY_LIMIT_DECIDE_AGAIN) {
        setpay_merchant_book_step(drive);
        return;
    }
    if (error != SETPAY_OK) { /* the gateway gives the same answer again */
        setpay_log_error(error, "step.book", setpay_field_id("xid", &drive->xid));
        setpay_merchant_drive_later(drive);
        return;
    }
    setpay_testing_point("step.decided");
    if (drive->booked_step.state != SETPAY_MERCHANT_STEP_ASKING)
        log_step(drive);
    setpay_merchant_drive_step(drive);
}

/* ------------------------------------------------------------------ deciding */

static enum setpay_error read_snapshot(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_drive *drive = arg;
    SETPAY_TRY(setpay_merchant_purchase_find(db, &drive->xid, &drive->purchase));
    SETPAY_TRY(setpay_merchant_agreement_read(db, drive->purchase.id, &drive->agreement));
    if (setpay_merchant_is_unwanted(&drive->purchase))
        SETPAY_TRY(setpay_merchant_receipt_list(db, drive->purchase.id, 0, &drive->receipts));
    return setpay_merchant_step_list(db, drive->purchase.id, &drive->steps);
}

/* What a further authorisation, or a cancellation, does to the agreement. */
static void apply_to_agreement(struct setpay_merchant_drive *drive, bool permitted,
                               setpay_time_ms now_ms)
{
    struct setpay_merchant_agreement *agreement = &drive->agreement;
    if (drive->step.kind == SETPAY_MERCHANT_STEP_CANCEL)
        agreement->confirmed = drive->refused_code == 0;
    if (drive->step.kind == SETPAY_MERCHANT_STEP_AUTHORISE && drive->refused_code != 0)
        setpay_merchant_agreement_refused(&drive->booked, drive->steps, drive->refused_code, now_ms,
                                          agreement);
    else if (drive->step.kind == SETPAY_MERCHANT_STEP_AUTHORISE)
        setpay_merchant_agreement_answered(drive->steps, &drive->auth_res, permitted, now_ms,
                                           agreement);
    setpay_merchant_agreement_settle(&drive->booked, now_ms, agreement);
}

/* The first answer that the shopper's request gets: where a sale that nobody wants is taken back.
 */
static enum setpay_error make_pres(struct setpay_merchant_drive *drive, setpay_time_ms now_ms)
{
    struct setpay_pres *receipts = &drive->receipts;
    const struct setpay_sealed_receipt *receipt = receipt_of(drive);
    setpay_buffer_reset(&drive->pres);
    if (!setpay_merchant_is_answerable(&drive->booked))
        return SETPAY_OK;
    if (receipt != NULL && receipts->receipt_count < SETPAY_LIMIT_RECEIPTS)
        receipts->receipts[receipts->receipt_count++] = *receipt;
    return setpay_merchant_make_pres(drive, receipts, now_ms);
}

static enum setpay_error apply(struct setpay_merchant_drive *drive)
{
    const struct setpay_step_res *answer = &drive->step_res;
    /* One that goes first may have been asked for while it was at the gateway. */
    struct setpay_merchant_step *step = setpay_merchant_step_of(drive->steps, drive->step.id);
    bool further = drive->step.kind == SETPAY_MERCHANT_STEP_AUTHORISE && drive->refused_code == 0;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    struct setpay_merchant_step_outcome outcome = {
        .step_id = drive->step.id,
        .done = answer->done_count > 0 ? &answer->done[0] : NULL,
        .code = answer->refused_count > 0 ? answer->refused[0].code : drive->refused_code,
        .released_minor = drive->held_minor,
        .answer = further ? &drive->auth_res : NULL,
    };
    bool again = false;
    if (step == NULL || step->state != SETPAY_MERCHANT_STEP_ASKING)
        return SETPAY_E_INTERNAL; /* nobody else ends a step that has left */
    bool permitted = !further || drive->auth_res.outcome == SETPAY_AUTH_DECLINED ||
                     setpay_merchant_agreement_permits(&drive->purchase, &drive->agreement, step,
                                                       &drive->auth_res);
    outcome.unwanted = !permitted;
    if (!permitted)
        setpay_log_error(SETPAY_E_AUTH_MISMATCH, "gateway.agreement",
                         setpay_field_id("xid", &drive->xid),
                         setpay_field_id("rrpid", &drive->ask.rrpid),
                         setpay_field_money("approved", &drive->auth_res.amount)); /* rule M6 */
    drive->booked = drive->purchase;
    SETPAY_TRY(setpay_merchant_step_apply(&outcome, now_ms, &drive->booked, drive->steps, &again));
    drive->booked_step = *step;
    if (drive->agreement.purchase_id != 0)
        apply_to_agreement(drive, permitted, now_ms);
    return make_pres(drive, now_ms);
}

void setpay_merchant_book_step(struct setpay_merchant_drive *drive)
{
    const struct setpay_step_res *answer = &drive->step_res;
    if (answer->refused_count > 0 && setpay_merchant_step_is_later(answer->refused[0].code)) {
        setpay_log(SETPAY_LOG_WARN, "step.later", setpay_field_id("xid", &drive->xid),
                   setpay_field_id("rrpid", &drive->ask.rrpid),
                   setpay_field_int("code", answer->refused[0].code));
        drive->renew = true;
        setpay_merchant_drive_later(drive);
        return;
    }
    enum setpay_error error = setpay_store_read(drive->worker->reader, read_snapshot, drive);
    if (error == SETPAY_OK)
        error = apply(drive);
    setpay_pres_clear(&drive->receipts);
    if (error == SETPAY_OK)
        error = setpay_store_submit(drive->worker->merchant->store, write_step, on_step_kept, drive,
                                    &drive->worker->executor);
    drive->stores = error == SETPAY_OK;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "step.book", setpay_field_id("xid", &drive->xid));
        setpay_merchant_drive_later(drive);
    }
}

enum setpay_error setpay_merchant_register_step_metrics(void)
{
    return setpay_metric_register(&steps_total);
}
