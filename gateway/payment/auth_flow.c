/*
 * AuthReq from the frame to the answer: the thin shell around auth.c.
 *
 *     read content -> admit (A2, G1, A6) -> snapshot -> date (A5) -> cardholder (A3)
 *       -> open (G2) -> check (G3, G4, G5, G8)
 *       void:       book, receipt, answer: one operation -> reply
 *       authorise:  book: one operation (G6, G7) -> network -> decide, receipt, answer:
 *                   one operation -> reply
 *       sale:       the same, with what it captures in that operation (sale.c)
 *       and while the issuer's line is down: what may be decided in its stead (auth_stand_in.c)
 *
 * A crash before the first commit leaves nothing. Between the two commits the row says "asking";
 * the next start declines and reverses it. After the second the answer is kept.
 */
#include "gateway/payment/auth_flow.h"
#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/net/metrics.h"
#include "common/wire/checks.h"
#include "gateway/clearing/reconciliation.h"
#include "gateway/payment/agreement.h"
#include "gateway/payment/dispatch.h"
#include "gateway/payment/reversal.h"
#include "gateway/payment/sale.h"

#include <string.h>

#define RETRY_MS 100         /* the store's queue is full, or what was decided on has moved on */
#define RETRY_FAILED_MS 1000 /* disk or memory is full: somebody must make room */

static const char *const outcomes[] = {"approved", "declined", "voided", "unanswered", NULL};
static struct setpay_metric authorisations_total = {
    .name = "setpay_gateway_authorisations_total",
    .help = "Payment instructions decided, by outcome.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"outcome", outcomes}},
};

static void look_and_decide(struct setpay_gateway_work *work);
static void keep_outcome(struct setpay_gateway_work *work);

/* ------------------------------------------------------------------ the snapshot */

struct snapshot {
    struct setpay_gateway_work *work;
    enum setpay_error found; /* a row of this xid or this instruction */
    struct setpay_payment payment;
    bool by_pimd; /* the row is of this instruction, and of another xid or merchant */
    bool is_own;  /* the row is of this very request, whose answer is not kept (any more) */
};

static bool is_own_request(const struct setpay_payment *payment,
                           const struct setpay_gateway_work *work)
{
    return setpay_id_equal(&payment->rrpid, &work->rrpid) &&
           setpay_digest_equal(&payment->request_hash, &work->request_hash) &&
           setpay_digest_equal(&payment->asked_by, &work->message.signer);
}

static enum setpay_error read_snapshot(struct setpay_db *db, void *arg)
{
    struct snapshot *s = arg;
    const struct setpay_auth_req *request = &s->work->auth;
    s->found =
        setpay_payment_find(db, request->brand, request->merchant_id, &request->xid, &s->payment);
    if (s->found == SETPAY_E_NOT_FOUND) {
        s->found = setpay_payment_find_pimd(db, &request->pimd, &s->payment);
        s->by_pimd = s->found == SETPAY_OK;
    }
    s->is_own = s->found == SETPAY_OK && is_own_request(&s->payment, s->work);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ the outcome */

static void log_outcome(const struct setpay_gateway_work *work)
{
    const struct setpay_payment *payment = &work->payment;
    setpay_log(SETPAY_LOG_INFO, "auth.decided",
               setpay_field_text("state", setpay_payment_state_name(payment->state)),
               setpay_field_text("action", payment->action_code),
               setpay_field_id("xid", &payment->xid), setpay_field_id("rrpid", &payment->rrpid),
               setpay_field_money("amount", &payment->amount),
               setpay_field_text("brand", payment->brand),
               setpay_field_text("merchant", payment->merchant_id));
    size_t outcome = payment->state == SETPAY_PAYMENT_APPROVED ? 0
                     : payment->state == SETPAY_PAYMENT_VOIDED ? 2
                     : work->has_reversal                      ? 3
                                                               : 1;
    setpay_metric_add(&authorisations_total, outcome, 0, 1);
    if (payment->number > 1)
        setpay_auth_further_count(outcome == 0   ? SETPAY_FURTHER_APPROVED
                                  : outcome == 3 ? SETPAY_FURTHER_UNANSWERED
                                                 : SETPAY_FURTHER_DECLINED);
    if (!setpay_auth_captures(work))
        return;
    setpay_gateway_count_sale();
    struct setpay_money captured = payment->amount;
    captured.minor = payment->approved_minor;
    setpay_log(SETPAY_LOG_INFO, "step.done", setpay_field_text("kind", "capture"),
               setpay_field_text("state", setpay_payment_state_name(SETPAY_PAYMENT_CAPTURED)),
               setpay_field_id("xid", &payment->xid), setpay_field_id("rrpid", &payment->rrpid),
               setpay_field_id("step", &payment->sale_id), setpay_field_money("amount", &captured));
}

/* What the issuer has done must not be lost: it is kept once there is room again. Where the store
 * is broken for good the row still says "asking", and the next start declines and reverses it. */
static void keep_again(struct setpay_gateway_work *work, enum setpay_error error)
{
    bool may_pass = error == SETPAY_E_BUSY || error == SETPAY_E_NOMEM || error == SETPAY_E_STORE ||
                    error == SETPAY_E_STORE_FULL;
    if (!may_pass) {
        setpay_gateway_refuse(work, error);
        return;
    }
    if (error != SETPAY_E_BUSY)
        setpay_log_error(error, "auth.outcome_not_kept", setpay_field_id("xid", &work->xid),
                         setpay_field_int("again_in_ms", RETRY_FAILED_MS));
    setpay_gateway_later(work, error == SETPAY_E_BUSY ? RETRY_MS : RETRY_FAILED_MS, keep_outcome);
}

void setpay_auth_flow_end(struct setpay_gateway_work *work)
{
    log_outcome(work);
    if (work->has_reversal)
        setpay_gateway_reversals_wake(work->worker->reversals);
    setpay_gateway_reply(work, setpay_buffer_view(&work->answer));
}

/* The batch into which a sale was to go has been closed meanwhile: it goes into the next one. Not
 * at once: what stands in the way may stand there for a while. */
static void make_again(struct setpay_gateway_work *work)
{
    memset(&work->payment.last_receipt, 0, sizeof work->payment.last_receipt);
    setpay_buffer_reset(&work->answer);
    setpay_log(SETPAY_LOG_INFO, "auth.outcome_anew", setpay_field_id("xid", &work->xid),
               setpay_field_int("again_in_ms", RETRY_MS));
    setpay_gateway_later(work, RETRY_MS, keep_outcome);
}

/* The chain of receipts has moved on while the issuer was asked: something was captured of another
 * authorisation of the agreement. What was decided stands, but its receipt is made anew. */
static enum setpay_error read_chain(struct setpay_db *db, void *arg)
{
    struct setpay_payment *payment = arg;
    struct setpay_payment now;
    SETPAY_TRY(setpay_payment_load(db, payment->id, &now));
    payment->first_version = now.first_version;
    payment->last_receipt = now.last_receipt;
    return SETPAY_OK;
}

static void on_outcome_kept(void *arg, enum setpay_error error)
{
    struct setpay_gateway_work *work = arg;
    if (error == SETPAY_OK) {
        setpay_auth_flow_end(work);
        return;
    }
    if (error == SETPAY_E_CONFLICT && work->payment.first_id != 0) {
        setpay_buffer_reset(&work->answer);
        error = setpay_store_read(work->worker->reader, read_chain, &work->payment);
        if (error == SETPAY_OK)
            error = SETPAY_E_BUSY;
    }
    if (error == SETPAY_E_CONFLICT && setpay_auth_captures(work))
        make_again(work);
    else
        keep_again(work, error);
}

/* Rule G10: for as long as another may follow, and no longer. What was declined ends nothing but
 * itself, unless it is the first. */
static enum setpay_error keep_agreed_card(struct setpay_db *db,
                                          const struct setpay_gateway_work *work)
{
    const struct setpay_payment *payment = &work->payment;
    if (!setpay_terms_go_on(&payment->terms) ||
        (payment->state != SETPAY_PAYMENT_APPROVED && payment->first_id != 0))
        return SETPAY_OK;
    return setpay_kept_card_keep(
        db, payment->id,
        setpay_gateway_agreement_keep_until_ms(payment, work->worker->gateway->keep_card_ms,
                                               payment->decided_ms));
}

static enum setpay_error write_outcome(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_work *work = arg;
    struct setpay_payment payment = work->payment;
    if (setpay_auth_captures(work)) { /* the receipts in their order */
        SETPAY_TRY(setpay_auth_write_answer(db, work));
        SETPAY_TRY(setpay_sale_keep(db, work));
        return keep_agreed_card(db, work);
    }
    SETPAY_TRY(setpay_payment_update(db, &payment));
    if (work->has_reversal) {
        struct setpay_gateway_reversal reversal = work->reversal;
        SETPAY_TRY(setpay_gateway_reversal_insert(db, &reversal));
    }
    SETPAY_TRY(keep_agreed_card(db, work));
    return setpay_auth_write_answer(db, work);
}

static void keep_outcome(struct setpay_gateway_work *work)
{
    enum setpay_error error = SETPAY_OK;
    if (work->answer.size == 0)
        error = setpay_auth_make_answer(work);
    if (error == SETPAY_OK)
        error = setpay_store_submit(work->worker->gateway->store, write_outcome, on_outcome_kept,
                                    work, &work->worker->executor);
    if (error != SETPAY_OK)
        keep_again(work, error);
}

/* Whether the terms permit another authorisation after this one, as it now stands. */
static bool goes_on(const struct setpay_gateway_work *work, setpay_time_ms now_ms)
{
    const struct setpay_payment *payment = &work->payment;
    struct setpay_agreement_taken taken =
        setpay_gateway_agreement_taken_with(&work->taken, payment);
    struct setpay_money amount = payment->amount;
    amount.minor = payment->signed_minor;
    return payment->state == SETPAY_PAYMENT_APPROVED && payment->has_auth_token &&
           setpay_agreement_next_ms(&payment->terms, &amount, &taken, now_ms) != INT64_MAX;
}

static void take_network_answer(struct setpay_gateway_work *work,
                                const struct setpay_network_answer *answer)
{
    struct setpay_auth_decision decision;
    struct setpay_id cap_token;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    setpay_auth_decide(&work->payment, answer, &decision);
    enum setpay_error error = setpay_id_random(&cap_token);
    if (error == SETPAY_OK)
        error = setpay_auth_apply(&work->payment, &decision, work->worker->gateway->hold_ms,
                                  &cap_token, now_ms);
    work->payment.goes_on = goes_on(work, now_ms);
    work->has_reversal = decision.event == SETPAY_PAYMENT_FAIL; /* rule G7 */
    if (work->has_reversal)
        setpay_log(SETPAY_LOG_WARN, "auth.not_taken", setpay_field_text("rule", decision.rule),
                   setpay_field_text("action", decision.action_code),
                   setpay_field_id("xid", &work->xid), setpay_field_id("rrpid", &work->rrpid),
                   setpay_field_int("stan", work->payment.stan));
    work->reversal = (struct setpay_gateway_reversal){
        .payment_id = work->payment.id,
        .amount_minor = work->payment.amount.minor,
        .period = work->payment.period,
        .created_ms = now_ms,
    };
    if (error != SETPAY_OK) {
        setpay_gateway_refuse(work, error);
        return;
    }
    setpay_buffer_reset(&work->answer);
    keep_outcome(work);
}

static void on_network_answer(void *arg, const struct setpay_network_answer *answer)
{
    take_network_answer(arg, answer);
}

/* ------------------------------------------------------------------ asking */

/* What the issuer is told that the card is kept for. */
static enum setpay_network_agreed agreed_as(const struct setpay_terms *terms)
{
    switch (terms->kind) {
    case SETPAY_TERMS_SPLIT:
        return SETPAY_NETWORK_SPLIT;
    case SETPAY_TERMS_INSTALMENT:
        return SETPAY_NETWORK_INSTALMENT;
    case SETPAY_TERMS_RECURRING:
        return SETPAY_NETWORK_RECURRING;
    default:
        return SETPAY_NETWORK_ONCE;
    }
}

/* Moves the card's secrets into the network's request: this is the last place that has them. Of the
 * instruction the back key alone stays, for the receipt (rule G10). */
static enum setpay_error ask_network(struct setpay_gateway_work *work)
{
    struct setpay_pi *pi = &work->instruction.pi;
    struct setpay_network_authorisation request = {
        .trace = {.stan = work->payment.stan, .time = work->payment.trace_ms},
        .amount = work->payment.amount,
        .is_sale = work->payment.is_sale,
        .sale_id = work->payment.sale_id,
        .period = work->payment.period,
        .ecommerce_indicator = "05", /* the cardholder was authenticated */
        .xid = work->payment.xid,
        .pomd = work->payment.pomd,
        .agreed = setpay_terms_go_on(&work->payment.terms) ? agreed_as(&work->payment.terms) : 0,
        .first = work->original,
    };
    SETPAY_TRY(setpay_acceptor_fill(&work->merchant_row, &request.acceptor));
    enum setpay_error error = SETPAY_OK;
    setpay_secret_move(&request.pan, &pi->pan);
    setpay_secret_move(&request.expiry, &pi->expiry);
    setpay_secret_move(&request.security_code, &pi->security_code);
    if (pi->postcode[0] != '\0')
        error = setpay_secret_copy(&request.postcode, setpay_view_string(pi->postcode));
    if (error == SETPAY_OK && pi->house_digits[0] != '\0')
        error = setpay_secret_copy(&request.house_digits, setpay_view_string(pi->house_digits));
    if (error == SETPAY_OK)
        error = setpay_network_authorise(work->worker->gateway->network, &request,
                                         &work->worker->executor, on_network_answer, work);
    setpay_network_authorisation_clear(&request);
    setpay_secret_clear(&work->instruction.bytes);
    setpay_secret_clear(&pi->pan_secret);
    setpay_cleanse(pi->postcode, sizeof pi->postcode);
    setpay_cleanse(pi->house_digits, sizeof pi->house_digits);
    return error;
}

static void on_booked(void *arg, enum setpay_error error)
{
    struct setpay_gateway_work *work = arg;
    if ((error == SETPAY_E_PI_USED || error == SETPAY_E_CONFLICT) &&
        work->again++ < SETPAY_LIMIT_DECIDE_AGAIN) {
        setpay_auth_flow_again(work); /* somebody was faster: perhaps the same request */
        return;
    }
    if (error != SETPAY_OK) {
        setpay_gateway_refuse(work, error);
        return;
    }
    setpay_testing_point("auth.booked");
    error = ask_network(work);
    if (error != SETPAY_OK) {
        const struct setpay_network_answer nothing = {.outcome = SETPAY_NETWORK_NOT_SENT,
                                                      .reason = error};
        take_network_answer(work, &nothing);
    }
}

/* Rules G6, G7: the row stands before anybody is asked. */
static enum setpay_error write_booking(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_work *work = arg;
    SETPAY_TRY(setpay_auth_check_unanswered(db, work));
    if (work->payment.is_sale)
        SETPAY_TRY(setpay_reconciliation_period(db, work->payment.issuer, &work->payment.period));
    SETPAY_TRY(setpay_payment_insert(db, &work->payment));
    SETPAY_TRY(setpay_auth_keep_evidence(db, work));
    return work->payment.first_id != 0 ? SETPAY_OK /* it is there */
                                       : setpay_kept_card_insert(db, work->payment.id, &work->card);
}

enum setpay_error setpay_auth_flow_book(struct setpay_gateway_work *work)
{
    struct setpay_gateway *gateway = work->worker->gateway;
    struct setpay_network_trace trace;
    if (!setpay_network_may_reach(gateway->network, &work->instruction.pi.pan))
        return setpay_auth_stand_in(work);
    setpay_network_route_name(gateway->network, &work->instruction.pi.pan, work->payment.issuer);
    if (work->payment.is_sale)
        SETPAY_TRY(setpay_id_random(&work->payment.sale_id));
    setpay_network_trace_allocate(gateway->network, &trace);
    work->payment.stan = trace.stan;
    work->payment.trace_ms = trace.time;
    if (work->payment.first_id == 0)
        SETPAY_TRY(setpay_auth_keep_card(work));
    return setpay_store_submit(gateway->store, write_booking, on_booked, work,
                               &work->worker->executor);
}

/* ------------------------------------------------------------------ void */

static enum setpay_error write_void(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_work *work = arg;
    SETPAY_TRY(setpay_payment_insert(db, &work->payment));
    SETPAY_TRY(setpay_auth_keep_evidence(db, work));
    return setpay_auth_write_answer(db, work);
}

static void on_void_kept(void *arg, enum setpay_error error)
{
    struct setpay_gateway_work *work = arg;
    if (error == SETPAY_E_PI_USED && work->again++ < SETPAY_LIMIT_DECIDE_AGAIN)
        look_and_decide(work);
    else if (error != SETPAY_OK)
        setpay_gateway_refuse(work, error);
    else
        setpay_auth_flow_end(work);
}

static enum setpay_error book_void(struct setpay_gateway_work *work)
{
    SETPAY_TRY(setpay_vault_pan_digest(work->worker->gateway->vault, &work->instruction.pi.pan,
                                       &work->payment.pan_digest));
    SETPAY_TRY(setpay_auth_make_answer(work));
    return setpay_store_submit(work->worker->gateway->store, write_void, on_void_kept, work,
                               &work->worker->executor);
}

/* ------------------------------------------------------------------ deciding */

/* Rule A3. A void can only prevent a payment, and is how a merchant lets go of one: neither the
 * revocation of the cardholder's certificate, nor its end, nor a list that fails to come is held
 * against it. Who signed, and what, is proven all the same (rules G3, G5). */
enum setpay_error setpay_auth_flow_find_cardholder(struct setpay_gateway_work *work)
{
    const struct setpay_message *message = &work->message;
    struct setpay_trust *trust = work->worker->gateway->trust;
    setpay_certificate_unref(work->cardholder);
    work->cardholder = NULL;
    enum setpay_error error =
        setpay_message_find(message, trust, &work->auth.cardholder, SETPAY_PROFILE_CARDHOLDER_SIGN,
                            work->brand->name, work->now_ms, &work->cardholder);
    bool lapsed = error == SETPAY_E_CERT_REVOKED || error == SETPAY_E_CERT_TIME ||
                  error == SETPAY_E_CRL_MISSING || error == SETPAY_E_CRL_STALE;
    if (!lapsed || work->auth.intent != SETPAY_INTENT_VOID)
        return error;
    struct setpay_view der = setpay_message_certificate(message, &work->auth.cardholder);
    if (der.size == 0)
        return SETPAY_E_CERT_MISSING; /* what is no longer good is not kept here: send it along */
    return setpay_trust_verify_issued(trust, der, message->certificates, message->certificate_count,
                                      SETPAY_PROFILE_CARDHOLDER_SIGN, work->brand->name,
                                      work->now_ms, &work->cardholder);
}

/* The pair whose key is to open the envelope: the one that the request names. One that we have not,
 * or no more, is as if the envelope were for another (rule G2): the one in use does not open it. */
static const struct setpay_held *find_encrypt(const struct setpay_gateway_work *work)
{
    const char *brand = work->brand->name;
    const struct setpay_held *named = setpay_keyring_find(
        work->keys, SETPAY_PROFILE_GATEWAY_ENCRYPT, brand, &work->auth.gateway_encrypt);
    return named != NULL ? named
                         : setpay_keyring_in_use(work->keys, SETPAY_PROFILE_GATEWAY_ENCRYPT, brand);
}

/* The token by which others may follow; it is given out where this one is approved. */
static enum setpay_error begin_agreement(struct setpay_gateway_work *work)
{
    struct setpay_payment *payment = &work->payment;
    if (!setpay_terms_go_on(&payment->terms))
        return SETPAY_OK;
    if (payment->terms.end_ms > work->now_ms + work->worker->gateway->agreement_ms)
        return SETPAY_E_AGREEMENT_LONG;
    payment->has_auth_token = true;
    return setpay_id_random(&payment->auth_token);
}

/* Opens and checks the instruction, and submits the booking; the work goes on in its callback. */
static enum setpay_error decide(struct setpay_gateway_work *work)
{
    const struct setpay_auth_req *request = &work->auth;
    enum setpay_payment_state next;
    struct setpay_digest pomd;

    enum setpay_payment_event event;
    switch (request->intent) {
    case SETPAY_INTENT_AUTHORISE:
    case SETPAY_INTENT_SALE:
        event = SETPAY_PAYMENT_AUTHORISE;
        break;
    case SETPAY_INTENT_VOID:
        event = SETPAY_PAYMENT_VOID;
        break;
    default:
        return SETPAY_E_MESSAGE_TYPE;
    }
    SETPAY_TRY(setpay_payment_state_next(SETPAY_PAYMENT_NONE, event, &next));
    SETPAY_TRY(setpay_date_check(request->header.date_ms, work->now_ms)); /* rule A5 */
    SETPAY_TRY(setpay_auth_flow_find_cardholder(work));
    setpay_instruction_clear(&work->instruction);
    const struct setpay_held *encrypt = find_encrypt(work);
    SETPAY_TRY(setpay_instruction_open(encrypt->envelope_key, work->message.envelope,
                                       &request->envelope, &work->instruction)); /* rule G2 */
    SETPAY_TRY(setpay_auth_check(request, &work->instruction, work->merchant, work->cardholder,
                                 work->brand, work->sign, encrypt, work->now_ms, &pomd));
    if (next != SETPAY_PAYMENT_VOIDED) /* a void can only prevent a payment */
        SETPAY_TRY(setpay_auth_check_restored(request, encrypt->identity.certificate,
                                              work->worker->gateway->restored_ms)); /* rule G12 */
    work->payment =
        setpay_auth_book(request, &work->message.signer, setpay_held_thumbprint(work->sign),
                         &work->request_hash, &pomd, next, work->now_ms);
    work->payment.is_sale = request->intent == SETPAY_INTENT_SALE;
    work->payment.signed_minor = work->instruction.pi.amount.minor;
    if (next == SETPAY_PAYMENT_VOIDED)
        return book_void(work);
    SETPAY_TRY(begin_agreement(work));
    return setpay_auth_flow_book(work);
}

static void look_and_decide(struct setpay_gateway_work *work)
{
    struct snapshot snapshot = {.work = work};
    bool done = false;
    const struct setpay_gateway_asked asked = {
        .header = &work->auth.header,
        .brand = work->auth.brand,
        .merchant_id = work->auth.merchant_id,
        .only_undoes = work->auth.intent == SETPAY_INTENT_VOID,
        .read_more = read_snapshot,
        .more = &snapshot,
    };
    enum setpay_error error = setpay_gateway_admit(work, &asked, &done);
    if (error == SETPAY_OK && done)
        return;
    if (error == SETPAY_OK && snapshot.found == SETPAY_OK) {
        if (snapshot.is_own && snapshot.payment.state == SETPAY_PAYMENT_ASKING) {
            /* What another of the same request was faster with is not kept open while it waits. */
            setpay_instruction_clear(&work->instruction);
            setpay_gateway_wait(work, look_and_decide); /* rule A6: it is being worked on */
            return;
        }
        /* Its own answer is kept for as long as rule A6 asks; after that it is just too old. */
        error = snapshot.is_own ? SETPAY_E_DATE : SETPAY_E_PI_USED; /* rules A5, G6 */
        /* Rule G4: the instruction of that digest names another xid or merchant. Said as that, and
         * not as used: for a merchant to whom it was given under an order of its own there is
         * nothing of it to learn, and it may let the order go when its time is over. */
        if (snapshot.by_pimd)
            error = SETPAY_E_PI_MISMATCH;
    } else if (error == SETPAY_OK && snapshot.found != SETPAY_E_NOT_FOUND) {
        error = snapshot.found;
    }
    if (error == SETPAY_OK)
        error = decide(work);
    if (error != SETPAY_OK)
        setpay_gateway_refuse(work, error);
}

void setpay_auth_flow_again(struct setpay_gateway_work *work)
{
    if (work->auth.has_auth_token)
        setpay_auth_further(work);
    else
        look_and_decide(work);
}

enum setpay_error setpay_gateway_register_auth_metrics(void)
{
    return setpay_metric_register(&authorisations_total);
}

void setpay_gateway_on_auth_req(struct setpay_gateway_work *work)
{
    enum setpay_error error = setpay_auth_req_parse(work->message.content, &work->auth);
    if (error != SETPAY_OK) {
        setpay_gateway_refuse(work, error);
        return;
    }
    work->xid = work->auth.xid;
    setpay_auth_flow_again(work);
}
