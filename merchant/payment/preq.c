/*
 * PReq and PRes: the shopper's signed purchase, up to its storing, and the outcome for who waits.
 *
 *     read content and OI (A1, envelope's digest and form) -> snapshot: kept answer (A6), purchase,
 *       offer -> date (A5) -> offer (M1) -> cardholder (A3) -> dual signature (M2) -> order (M3)
 *       -> AuthReq is made and signed; a void where it comes too late (A5, M4, M9)
 *       -> one operation: order taken (M4), purchase, envelope, AuthReq (M5)
 *       -> wait until the answer is kept (authorise.c keeps it) -> reply
 *
 * What asks the gateway is not this request but the worker that drives the purchase: a shopper who
 * hangs up stops nothing, and a crash neither.
 */
#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/store/answers.h"
#include "common/store/evidence.h"
#include "common/wire/checks.h"
#include "common/wire/purchase.h"
#include "merchant/payment/ask.h"
#include "merchant/payment/dispatch.h"
#include "merchant/payment/rules.h"
#include "merchant/store/order.h"

#include <string.h>

static void look_and_decide(struct setpay_merchant_work *work);

/* ------------------------------------------------------------------ the snapshot */

struct snapshot {
    struct setpay_merchant_work *work;
    enum setpay_error kept;
    enum setpay_error purchase_found;
    enum setpay_error offer_found;
    enum setpay_error payable; /* the order */
    setpay_time_ms order_expires_ms;
    int64_t first_minor;
    bool sale;
};

static enum setpay_error read_order(struct setpay_db *db, struct snapshot *s)
{
    struct setpay_order order = {0};
    enum setpay_error error = setpay_order_find(db, s->work->offer.order_id, &order);
    if (error == SETPAY_OK)
        s->payable = setpay_order_check_payable(&order, s->work->now_ms);
    s->order_expires_ms = order.expires_ms;
    s->first_minor = order.agreed.first_minor;
    s->sale = order.capture == SETPAY_CAPTURE_IMMEDIATE;
    setpay_order_clear(&order);
    return error;
}

static enum setpay_error read_snapshot(struct setpay_db *db, void *arg)
{
    struct snapshot *s = arg;
    struct setpay_merchant_work *work = s->work;
    s->kept = setpay_answers_find(db, &work->oi.cardholder, &work->rrpid, &work->request_hash,
                                  &work->answer);
    if (s->kept != SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    s->purchase_found = setpay_merchant_purchase_find(db, &work->xid, &work->purchase);
    if (s->purchase_found != SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    s->offer_found = setpay_merchant_offer_find(db, &work->xid, &work->offer);
    return s->offer_found == SETPAY_OK ? read_order(db, s) : SETPAY_OK;
}

/* ------------------------------------------------------------------ storing */

static enum setpay_error write_purchase(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_work *work = arg;
    struct setpay_merchant_purchase *purchase = &work->purchase;
    if (purchase->state == SETPAY_PURCHASE_ASKING)
        SETPAY_TRY(setpay_order_take(db, purchase->order_id, &purchase->xid,
                                     purchase->created_ms)); /* rule M4 */
    SETPAY_TRY(
        setpay_merchant_purchase_insert(db, setpay_certificate_der(work->cardholder), purchase));
    SETPAY_TRY(setpay_merchant_instruction_keep(db, purchase->id, work->message.envelope));
    SETPAY_TRY(setpay_evidence_keep(db, purchase->id, &work->message, work->cardholder,
                                    purchase->created_ms));
    return setpay_merchant_ask_insert(db, purchase->id, &work->ask); /* rule M5 */
}

static void on_stored(void *arg, enum setpay_error error)
{
    struct setpay_merchant_work *work = arg;
    /* Taken, perhaps by a twin of this request; or ended since it was looked at: then it is late.
     */
    bool decided_on_old =
        error == SETPAY_E_ORDER_TAKEN || error == SETPAY_E_EXPIRED || error == SETPAY_E_ORDER_ENDED;
    if (decided_on_old && work->again++ < SETPAY_LIMIT_DECIDE_AGAIN) {
        look_and_decide(work);
        return;
    }
    if (error != SETPAY_OK) {
        setpay_merchant_refuse(work, error);
        return;
    }
    setpay_testing_point("purchase.stored");
    setpay_log(SETPAY_LOG_INFO, "purchase.stored", setpay_field_id("xid", &work->xid),
               setpay_field_id("rrpid", &work->rrpid),
               setpay_field_text("order", work->purchase.order_id),
               setpay_field_text("brand", work->purchase.brand),
               setpay_field_money("amount", &work->purchase.amount));
    look_and_decide(work); /* its outcome may be kept already; otherwise it waits */
}

/* ------------------------------------------------------------------ deciding */

static enum setpay_error find_cardholder(struct setpay_merchant_work *work)
{
    const struct setpay_message *message = &work->message;
    struct setpay_trust *trust = work->worker->merchant->trust;
    setpay_certificate_unref(work->cardholder);
    work->cardholder = NULL;
    if (message->crl_count > 0)
        setpay_trust_learn(trust, message->certificates, message->certificate_count, message->crls,
                           message->crl_count, work->now_ms);
    /* rule A3 */
    return setpay_message_find(message, trust, &work->oi.cardholder, SETPAY_PROFILE_CARDHOLDER_SIGN,
                               work->brand->name, work->now_ms, &work->cardholder);
}

/* A PReq that is late in itself (an old date, an expired offer or instruction) is checked to the
 * end: *late is why, and error the first thing that is wrong with it otherwise. */
static enum setpay_error but_late(enum setpay_error error, enum setpay_error *late)
{
    if (error != SETPAY_E_EXPIRED && error != SETPAY_E_DATE)
        return error;
    if (*late == SETPAY_OK)
        *late = error;
    return SETPAY_OK;
}

static enum setpay_error check(struct setpay_merchant_work *work,
                               const struct setpay_offered *offered, struct setpay_digest *oimd,
                               struct setpay_digest *pomd, enum setpay_error *late)
{
    enum setpay_error date = setpay_date_check(work->oi.date_ms, work->now_ms); /* rule A5 */
    if (work->oi.date_ms > work->now_ms)
        SETPAY_TRY(date); /* a clock that is ahead: its time will come */
    SETPAY_TRY(but_late(date, late));
    SETPAY_TRY(but_late(setpay_merchant_offer_check(offered, &work->oi, work->now_ms),
                        late));        /* rule M1 */
    SETPAY_TRY(find_cardholder(work)); /* rule A3 */
    SETPAY_TRY(setpay_preq_check_order(&work->preq, &work->oi, work->cardholder, oimd,
                                       pomd)); /* rule M2 */
    return but_late(setpay_merchant_order_check(offered, &work->oi, work->now_ms),
                    late); /* rule M3 */
}

/* A good PReq that comes too late: the order is taken (looked at again in the operation), has ended
 * or has expired, or the offer has, or the instruction, or it was long on its way. The shopper has
 * signed, and only the gateway's word frees them: the instruction is voided, and never was anything
 * else asked for with it. */
static enum setpay_error give_up(struct setpay_merchant_work *work, enum setpay_error why)
{
    struct setpay_merchant_purchase *purchase = &work->purchase;
    setpay_log_error(why, "purchase.refused", setpay_field_id("xid", &work->xid),
                     setpay_field_id("rrpid", &work->rrpid),
                     setpay_field_text("order", purchase->order_id));
    return setpay_purchase_state_next(purchase->state, SETPAY_PURCHASE_GIVE_UP, &purchase->state);
}

/* Checks a PReq that was not seen before and submits its storing. */
static enum setpay_error decide(struct setpay_merchant_work *work, const struct snapshot *snapshot)
{
    struct setpay_offered offered;
    struct setpay_digest oimd;
    struct setpay_digest pomd;
    struct setpay_merchant *merchant = work->worker->merchant;
    work->brand = setpay_merchant_find_brand(merchant, work->offer.brand);
    if (work->brand == NULL)
        return SETPAY_E_BRAND_UNKNOWN;
    SETPAY_TRY(setpay_merchant_offered_read(&work->offer, &offered));
    const struct setpay_merchant_preq from = {
        .preq = &work->preq,
        .oi = &work->oi,
        .offered = &offered,
        .oimd = &oimd,
        .pomd = &pomd,
        .request_hash = &work->request_hash,
        .order_expires_ms = snapshot->order_expires_ms,
        .first_minor = snapshot->first_minor,
        .sale = snapshot->sale,
    };
    enum setpay_error late = SETPAY_OK;
    enum setpay_error error = check(work, &offered, &oimd, &pomd, &late);
    if (late == SETPAY_OK)
        late = snapshot->payable;
    if (error == SETPAY_OK)
        error = setpay_merchant_purchase_make(&from, work->now_ms, &work->purchase);
    if (error == SETPAY_OK && late != SETPAY_OK)
        error = give_up(work, late); /* rules A5, M4, M9 */
    struct setpay_merchant_asking asking = {.kind = SETPAY_ASK_AUTHORISE};
    if (error == SETPAY_OK)
        error = setpay_merchant_ask_kind(work->purchase.state, &asking.kind);
    if (error == SETPAY_OK)
        error = setpay_merchant_ask_make(merchant, work->brand, &work->purchase, &asking,
                                         work->now_ms, &work->ask);
    if (error == SETPAY_OK)
        error = setpay_store_submit(merchant->store, write_purchase, on_stored, work,
                                    &work->worker->executor);
    setpay_merchant_offered_clear(&offered);
    return error;
}

/* The same PReq again, or another one for an offer that was taken. */
static enum setpay_error check_known(const struct setpay_merchant_work *work)
{
    const struct setpay_merchant_purchase *purchase = &work->purchase;
    bool same_id = setpay_id_equal(&purchase->rrpid, &work->rrpid) &&
                   setpay_digest_equal(&purchase->cardholder, &work->oi.cardholder);
    if (!same_id)
        return SETPAY_E_ORDER_TAKEN; /* rule M4 */
    return setpay_digest_equal(&purchase->request_hash, &work->request_hash)
               ? SETPAY_OK
               : SETPAY_E_RRPID_REUSED; /* rule A6 */
}

static void look_and_decide(struct setpay_merchant_work *work)
{
    struct snapshot snapshot = {.work = work};
    enum setpay_error error = setpay_store_read(work->worker->reader, read_snapshot, &snapshot);
    if (error == SETPAY_OK && snapshot.kept == SETPAY_OK) {
        setpay_merchant_reply(work, setpay_buffer_view(&work->answer)); /* rule A6 */
        return;
    }
    if (error == SETPAY_OK && snapshot.kept != SETPAY_E_NOT_FOUND) {
        error = snapshot.kept; /* rule A6 */
    } else if (error == SETPAY_OK && snapshot.purchase_found == SETPAY_OK) {
        work->brand = setpay_merchant_find_brand(work->worker->merchant, work->purchase.brand);
        error = check_known(work);
        if (error == SETPAY_OK) {
            setpay_merchant_wait(work, look_and_decide);
            return;
        }
    } else if (error == SETPAY_OK && snapshot.purchase_found != SETPAY_E_NOT_FOUND) {
        error = snapshot.purchase_found;
    } else if (error == SETPAY_OK && snapshot.offer_found != SETPAY_OK) {
        error = snapshot.offer_found == SETPAY_E_NOT_FOUND ? SETPAY_E_OFFER_UNKNOWN /* rule M1 */
                                                           : snapshot.offer_found;
    } else if (error == SETPAY_OK) {
        error = decide(work, &snapshot);
    }
    if (error != SETPAY_OK)
        setpay_merchant_refuse(work, error);
}

void setpay_merchant_on_preq(struct setpay_merchant_work *work)
{
    enum setpay_error error =
        setpay_preq_read(work->message.content, work->message.envelope, &work->preq, &work->oi);
    if (error != SETPAY_OK) {
        setpay_merchant_refuse(work, error);
        return;
    }
    work->rrpid = work->oi.rrpid;
    work->xid = work->oi.xid;
    work->has_ids = true;
    look_and_decide(work);
}
