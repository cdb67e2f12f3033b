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
#include "merchant/payment/ask.h"
#include "merchant/payment/batch_store.h"
#include "merchant/payment/drive.h"
#include "merchant/store/order.h"

#include <string.h>

static const char *const kinds[] = {"capture",         "credit",  "capture_reversal",
                                    "credit_reversal", "release", NULL};
static const char *const results[] = {"done", "refused", NULL};
static struct setpay_metric steps_total = {
    .name = "setpay_merchant_steps_total",
    .help = "Captures, credits, their reversals and releases, by how they ended.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"kind", kinds}, {"result", results}},
};

/* ------------------------------------------------------------------ the operation */

static const struct setpay_sealed_receipt *receipt_of(const struct setpay_merchant_drive *drive)
{
    if (drive->step.kind == SETPAY_MERCHANT_STEP_RELEASE)
        return drive->booked_step.amount_minor > 0 ? &drive->auth_rev_res.receipt : NULL;
    return drive->step_res.done_count > 0 ? &drive->step_res.done[0].receipt : NULL;
}

/* The steps that changed: the one that was answered, and what it undid or credited. */
static enum setpay_error write_steps(struct setpay_db *db, struct setpay_merchant_drive *drive)
{
    struct setpay_merchant_step *of = setpay_merchant_step_of(&drive->steps, drive->step.of_id);
    SETPAY_TRY(setpay_merchant_step_update(db, &drive->booked_step));
    if (of == NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_merchant_step_update(db, of));
    of = setpay_merchant_step_of(&drive->steps, of->of_id);
    return of == NULL ? SETPAY_OK : setpay_merchant_step_update(db, of);
}

static enum setpay_error write_step(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_drive *drive = arg;
    struct setpay_merchant_purchase purchase = drive->booked;
    const struct setpay_sealed_receipt *receipt = receipt_of(drive);
    SETPAY_TRY(setpay_merchant_purchase_update(db, &purchase));
    SETPAY_TRY(write_steps(db, drive));
    if (receipt != NULL)
        SETPAY_TRY(setpay_merchant_receipt_add(db, purchase.id, receipt, drive->booked.updated_ms));
    if (drive->signer != NULL)
        SETPAY_TRY(setpay_evidence_keep(db, purchase.id, &drive->answer, drive->signer,
                                        drive->booked.updated_ms));
    if (drive->booked_step.batch != 0)
        SETPAY_TRY(setpay_merchant_batch_meet(db, purchase.brand, drive->booked_step.batch,
                                              drive->booked.updated_ms));
    if (!setpay_purchase_state_is_refused(purchase.state))
        return SETPAY_OK;
    enum setpay_error error = setpay_order_release(db, purchase.order_id, &purchase.xid);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

static void log_step(const struct setpay_merchant_drive *drive)
{
    const struct setpay_merchant_step *step = &drive->booked_step;
    bool refused = step->state == SETPAY_MERCHANT_STEP_REFUSED;
    struct setpay_money amount = drive->booked.amount;
    amount.minor = step->amount_minor;
    setpay_metric_add(&steps_total, (size_t)step->kind - 1, refused ? 1 : 0, 1);
    setpay_log(refused ? SETPAY_LOG_WARN : SETPAY_LOG_INFO, refused ? "step.refused" : "step.done",
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
    log_step(drive);
    setpay_merchant_drive_step(drive);
}

/* ------------------------------------------------------------------ deciding */

static enum setpay_error read_snapshot(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_drive *drive = arg;
    SETPAY_TRY(setpay_merchant_purchase_find(db, &drive->xid, &drive->purchase));
    return setpay_merchant_step_list(db, drive->purchase.id, &drive->steps);
}

static enum setpay_error apply(struct setpay_merchant_drive *drive)
{
    const struct setpay_step_res *answer = &drive->step_res;
    struct setpay_merchant_step *step = setpay_merchant_step_first(&drive->steps);
    struct setpay_merchant_step_outcome outcome = {
        .done = answer->done_count > 0 ? &answer->done[0] : NULL,
        .code = answer->refused_count > 0 ? answer->refused[0].code : 0,
        .released_minor = setpay_merchant_held(&drive->purchase),
    };
    if (step == NULL || step->id != drive->step.id)
        return SETPAY_E_INTERNAL; /* nobody else ends a step of this purchase */
    drive->booked = drive->purchase;
    SETPAY_TRY(
        setpay_merchant_step_apply(&outcome, setpay_clock_now_ms(), &drive->booked, &drive->steps));
    drive->booked_step = *step;
    return SETPAY_OK;
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
