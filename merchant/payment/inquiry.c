/*
 * InqReq and InqRes: what became of a purchase, answered at once from the record. CanReq and CanRes
 * are the same with the cardholder's word in it that an agreement is over: that is kept before the
 * answer leaves, and handed to the gateway as a step.
 *
 *     read content -> snapshot: purchase, certificate, receipts -> inquirer is the cardholder (M8)
 *       -> its certificate is not revoked (A3, M8) -> signature (A2) -> receiver -> date (A5)
 *       -> of a CanReq: the cancellation (G9), in an operation, and a new snapshot -> reply
 *
 * Nothing changes by an inquiry, and the newest state is what is asked for: its answer is not kept.
 * A purchase of somebody else looks like one that does not exist.
 */
#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/wire/cancellation.h"
#include "common/wire/checks.h"
#include "merchant/payment/agreement.h"
#include "merchant/payment/answer.h"
#include "merchant/payment/cancel.h"
#include "merchant/payment/dispatch.h"
#include "merchant/payment/rules.h"

#include <string.h>

/* What both kinds ask. */
static struct setpay_inq_req asked_of(const struct setpay_merchant_work *work)
{
    const struct setpay_can_req *cancels = &work->cancels;
    return (struct setpay_inq_req){
        .header = cancels->header,
        .xid = cancels->xid,
        .lid_c = cancels->lid_c,
        .challenge = cancels->challenge,
        .known = cancels->known,
    };
}

struct snapshot {
    struct setpay_merchant_work *work;
    enum setpay_error found;
    struct setpay_merchant_agreement agreement;
    struct setpay_buffer certificate;
    struct setpay_pres receipts; /* only these of it */
};

static enum setpay_error read_snapshot(struct setpay_db *db, void *arg)
{
    struct snapshot *s = arg;
    struct setpay_merchant_work *work = s->work;
    s->found = setpay_merchant_purchase_find(db, &work->xid, &work->purchase);
    if (s->found != SETPAY_OK)
        return SETPAY_OK;
    SETPAY_TRY(setpay_merchant_purchase_certificate(db, work->purchase.id, &s->certificate));
    SETPAY_TRY(setpay_merchant_agreement_read(db, work->purchase.id, &s->agreement));
    return setpay_merchant_receipt_list(db, work->purchase.id, work->cancels.known, &s->receipts);
}

/* Rules A2, A3, M8: the very certificate that signed DS; its expiry does not matter any more. */
static enum setpay_error authenticate(struct setpay_merchant_work *work,
                                      const struct snapshot *snapshot)
{
    const struct setpay_message *message = &work->message;
    struct setpay_trust *trust = work->worker->merchant->trust;
    struct setpay_view der = setpay_buffer_view(&snapshot->certificate);
    if (message->crl_count > 0)
        setpay_trust_learn(trust, message->certificates, message->certificate_count, message->crls,
                           message->crl_count, work->now_ms);
    enum setpay_error error = setpay_trust_verify(
        trust, der, message->certificates, message->certificate_count,
        SETPAY_PROFILE_CARDHOLDER_SIGN, work->brand->name, work->now_ms, &work->cardholder);
    if (error == SETPAY_E_CERT_TIME)
        error = setpay_trust_verify_lapsed(trust, der, SETPAY_PROFILE_CARDHOLDER_SIGN,
                                           work->brand->name, work->now_ms,
                                           &work->cardholder); /* rule M8 */
    return error == SETPAY_OK ? setpay_message_verify(message, work->cardholder) : error;
}

/* Everything that is asked of both kinds. */
static enum setpay_error check(struct setpay_merchant_work *work,
                               const struct setpay_inq_req *request,
                               const struct snapshot *snapshot)
{
    struct setpay_merchant *merchant = work->worker->merchant;
    if (snapshot->found != SETPAY_OK)
        return snapshot->found == SETPAY_E_NOT_FOUND ? SETPAY_E_OFFER_UNKNOWN : snapshot->found;
    /* rule M8; before the brand is known, so that this refusal is unsigned like that one */
    SETPAY_TRY(setpay_merchant_inquirer_check(&work->purchase, &work->message.signer));
    work->brand = setpay_merchant_find_brand(merchant, work->purchase.brand);
    if (work->brand == NULL)
        return SETPAY_E_BRAND_UNKNOWN;
    SETPAY_TRY(authenticate(work, snapshot));
    SETPAY_TRY(setpay_request_check(&work->message, &request->header, &work->purchase.merchant,
                                    NULL));                               /* rule A2 */
    SETPAY_TRY(setpay_date_check(request->header.date_ms, work->now_ms)); /* rule A5 */
    return setpay_id_equal(&request->lid_c, &work->purchase.lid_c) ? SETPAY_OK
                                                                   : SETPAY_E_OFFER_MISMATCH;
}

static enum setpay_error build_answer(struct setpay_merchant_work *work,
                                      const struct setpay_inq_req *request,
                                      const struct snapshot *snapshot)
{
    const struct setpay_merchant_told told = {
        .type = work->message.type == SETPAY_MESSAGE_CAN_REQ ? SETPAY_MESSAGE_CAN_RES
                                                             : SETPAY_MESSAGE_INQ_RES,
        .rrpid = &work->rrpid,
        .request_hash = &work->request_hash,
        .challenge = &request->challenge,
        .receipts = snapshot->receipts.receipts,
        .receipt_count = snapshot->receipts.receipt_count,
        .skipped = snapshot->receipts.skipped,
        .left = snapshot->receipts.left,
    };
    return setpay_merchant_answer_build(work->worker->merchant, work->brand, &work->purchase, &told,
                                        work->now_ms, &work->answer);
}

/* ------------------------------------------------------------------ the cancellation */

/* Rule G9, as the gateway will: so that nothing is handed on that it would refuse. */
static enum setpay_error check_cancellation(struct setpay_merchant_work *work,
                                            const struct snapshot *snapshot)
{
    const struct setpay_merchant_purchase *purchase = &work->purchase;
    struct setpay_cancellation expected = {
        .xid = purchase->xid,
        .cardholder = purchase->cardholder,
        .gateway_sign = purchase->gateway_sign,
        .pomd = purchase->pomd,
        .date_ms = work->now_ms,
    };
    memcpy(expected.brand, purchase->brand, sizeof expected.brand);
    memcpy(expected.merchant_id, work->worker->merchant->id, sizeof expected.merchant_id);
    SETPAY_TRY(setpay_cancellation_check(&work->cancels.cancellation, work->cardholder, &expected));
    bool may_be = snapshot->agreement.purchase_id != 0 &&
                  setpay_merchant_status(purchase) == SETPAY_STATUS_AUTHORISED;
    return may_be ? SETPAY_OK : SETPAY_E_STATE;
}

static void on_cancelled(void *arg, enum setpay_error error);

static enum setpay_error write_cancellation(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_work *work = arg;
    return setpay_merchant_cancel(db, work, work->now_ms);
}

/* ------------------------------------------------------------------ both */

/* *stores: the work goes on once the cancellation is kept. */
static enum setpay_error answer(struct setpay_merchant_work *work, struct snapshot *snapshot,
                                bool *stores)
{
    const struct setpay_inq_req request = asked_of(work);
    SETPAY_TRY(setpay_store_read(work->worker->reader, read_snapshot, snapshot));
    if (work->cardholder == NULL)
        SETPAY_TRY(check(work, &request, snapshot));
    bool cancels = work->message.type == SETPAY_MESSAGE_CAN_REQ;
    if (cancels)
        SETPAY_TRY(check_cancellation(work, snapshot));
    if (cancels && snapshot->agreement.cancellation.size == 0) {
        SETPAY_TRY(setpay_store_submit(work->worker->merchant->store, write_cancellation,
                                       on_cancelled, work, &work->worker->executor));
        *stores = true;
        return SETPAY_OK;
    }
    return build_answer(work, &request, snapshot);
}

static void look_and_answer(struct setpay_merchant_work *work)
{
    struct snapshot snapshot = {.work = work};
    bool stores = false;
    setpay_buffer_init(&snapshot.certificate, SETPAY_LIMIT_CERTIFICATE_BYTES);
    enum setpay_error error = answer(work, &snapshot, &stores);
    setpay_buffer_clear(&snapshot.certificate);
    setpay_pres_clear(&snapshot.receipts);
    if (stores)
        return;
    if (error != SETPAY_OK) {
        setpay_merchant_refuse(work, error);
        return;
    }
    setpay_log(SETPAY_LOG_INFO,
               work->message.type == SETPAY_MESSAGE_CAN_REQ ? "cancellation.answered"
                                                            : "inquiry.answered",
               setpay_field_id("xid", &work->xid), setpay_field_id("rrpid", &work->rrpid),
               setpay_field_text("state", setpay_purchase_state_name(work->purchase.state)));
    setpay_merchant_reply(work, setpay_buffer_view(&work->answer));
}

static void on_cancelled(void *arg, enum setpay_error error)
{
    struct setpay_merchant_work *work = arg;
    if (error != SETPAY_OK) {
        setpay_merchant_refuse(work, error);
        return;
    }
    setpay_testing_point("cancellation.stored");
    setpay_log(SETPAY_LOG_INFO, "agreement.cancelled", setpay_field_id("xid", &work->xid),
               setpay_field_text("order", work->purchase.order_id));
    look_and_answer(work);
}

static void begin(struct setpay_merchant_work *work, enum setpay_error error)
{
    if (error != SETPAY_OK) {
        setpay_merchant_refuse(work, error);
        return;
    }
    work->rrpid = work->cancels.header.rrpid;
    work->xid = work->cancels.xid;
    work->has_ids = true;
    look_and_answer(work);
}

void setpay_merchant_on_inq_req(struct setpay_merchant_work *work)
{
    struct setpay_inq_req request;
    enum setpay_error error = setpay_inq_req_parse(work->message.content, &request);
    if (error == SETPAY_OK)
        work->cancels = (struct setpay_can_req){
            .header = request.header,
            .xid = request.xid,
            .lid_c = request.lid_c,
            .challenge = request.challenge,
            .known = request.known,
        };
    begin(work, error);
}

void setpay_merchant_on_can_req(struct setpay_merchant_work *work)
{
    begin(work, setpay_can_req_parse(work->message.content, &work->cancels));
}
