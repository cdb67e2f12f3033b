/*
 * InqReq and InqRes: what became of a purchase, answered at once from the record.
 *
 *     read content -> snapshot: purchase, certificate, receipts -> inquirer is the cardholder (M8)
 *       -> its certificate is not revoked (A3, M8) -> signature (A2) -> receiver -> date (A5) ->
 * reply
 *
 * Nothing changes by an inquiry, and the newest state is what is asked for: its answer is not kept.
 * A purchase of somebody else looks like one that does not exist.
 */
#include "common/base/log.h"
#include "common/wire/checks.h"
#include "merchant/payment/answer.h"
#include "merchant/payment/dispatch.h"
#include "merchant/payment/rules.h"

struct snapshot {
    struct setpay_merchant_work *work;
    enum setpay_error found;
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
    return setpay_merchant_receipt_list(db, work->purchase.id, &s->receipts);
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

static enum setpay_error answer(struct setpay_merchant_work *work,
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
    if (!setpay_id_equal(&request->lid_c, &work->purchase.lid_c))
        return SETPAY_E_OFFER_MISMATCH;
    const struct setpay_merchant_told told = {
        .type = SETPAY_MESSAGE_INQ_RES,
        .rrpid = &work->rrpid,
        .request_hash = &work->request_hash,
        .challenge = &request->challenge,
        .receipts = snapshot->receipts.receipts,
        .receipt_count = snapshot->receipts.receipt_count,
    };
    return setpay_merchant_answer_build(merchant, work->brand, &work->purchase, &told, work->now_ms,
                                        &work->answer);
}

void setpay_merchant_on_inq_req(struct setpay_merchant_work *work)
{
    struct setpay_inq_req request;
    struct snapshot snapshot = {.work = work};
    setpay_buffer_init(&snapshot.certificate, SETPAY_LIMIT_CERTIFICATE_BYTES);
    enum setpay_error error = setpay_inq_req_parse(work->message.content, &request);
    if (error == SETPAY_OK) {
        work->rrpid = request.header.rrpid;
        work->xid = request.xid;
        work->has_ids = true;
        error = setpay_store_read(work->worker->reader, read_snapshot, &snapshot);
    }
    if (error == SETPAY_OK)
        error = answer(work, &request, &snapshot);
    setpay_buffer_clear(&snapshot.certificate);
    setpay_pres_clear(&snapshot.receipts);
    if (error != SETPAY_OK) {
        setpay_merchant_refuse(work, error);
        return;
    }
    setpay_log(SETPAY_LOG_INFO, "inquiry.answered", setpay_field_id("xid", &work->xid),
               setpay_field_id("rrpid", &work->rrpid),
               setpay_field_text("state", setpay_purchase_state_name(work->purchase.state)));
    setpay_merchant_reply(work, setpay_buffer_view(&work->answer));
}
