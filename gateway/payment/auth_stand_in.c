/*
 * An authorisation in the issuer's stead (stand_in.h), of which nothing was given to its line:
 *
 *     facts -> decide -> card, receipt, answer -> the same facts again, row, advice to send: one
 *       operation -> reply
 *
 * There is no row before that operation, so that a crash leaves nothing or all of it. A sale
 * captures in the same operation; since the issuer has not booked it, its capture is presented when
 * the batch is closed, as any other.
 */
#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/net/metrics.h"
#include "gateway/payment/auth_flow.h"
#include "gateway/payment/sale.h"
#include "gateway/payment/stand_in.h"

#include <string.h>

#define ACTION_APPROVED "00"
#define ACTION_EXPIRED "54"
#define NOT_CHECKED 'U' /* address and security code: only the issuer knows them */

static const char *const outcomes[] = {"approved",    "expired",     "too_soon",     "agreement",
                                       "above_limit", "above_total", "refused_card", NULL};
static struct setpay_metric stand_ins_total = {
    .name = "setpay_gateway_stand_ins_total",
    .help = "Authorisations that came while their issuer's line was down, where the gateway may "
            "stand in for it, by what was decided: approved, declined as expired, or left to the "
            "issuer.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"outcome", outcomes}},
};

/* What the database knows, into work->stand_in; what else is decided on stands there. */
static enum setpay_error read_facts(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_work *work = arg;
    return setpay_stand_in_read(db, work->payment.issuer, &work->payment.pan_digest,
                                &work->stand_in);
}

/* Rules A6, G6, G7: nobody was asked, so that outcome and advice stand before anybody hears. */
static enum setpay_error write_stand_in(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_work *work = arg;
    struct setpay_payment *payment = &work->payment;
    struct setpay_stand_in limits;
    bool approved = payment->state == SETPAY_PAYMENT_APPROVED;
    setpay_stand_ins_find(work->worker->gateway->stand_ins, payment->issuer, &limits);
    SETPAY_TRY(setpay_auth_check_unanswered(db, work));
    SETPAY_TRY(read_facts(db, work));
    /* Another was faster, and the total is reached with this one; its card was refused; or the
     * limits are others by now. */
    if (approved && setpay_stand_in_decide(&limits, &work->stand_in) != SETPAY_STAND_IN_APPROVED)
        return SETPAY_E_CONFLICT;
    SETPAY_TRY(setpay_payment_insert(db, payment));
    SETPAY_TRY(setpay_auth_keep_evidence(db, work));
    if (!approved)
        return setpay_auth_write_answer(db, work);
    struct setpay_money amount = payment->amount;
    amount.minor = payment->approved_minor;
    SETPAY_TRY(setpay_kept_card_insert(db, payment->id, &work->card));
    SETPAY_TRY(
        setpay_stand_in_insert(db, payment->id, payment->issuer, &amount, payment->updated_ms));
    SETPAY_TRY(setpay_auth_write_answer(db, work));
    return setpay_auth_captures(work) ? setpay_sale_keep_first(db, work) : SETPAY_OK;
}

static void on_kept(void *arg, enum setpay_error error)
{
    struct setpay_gateway_work *work = arg;
    if ((error == SETPAY_E_PI_USED || error == SETPAY_E_CONFLICT) &&
        work->again++ < SETPAY_LIMIT_DECIDE_AGAIN) {
        setpay_auth_flow_again(work); /* perhaps its line is up by now */
        return;
    }
    if (error != SETPAY_OK) {
        setpay_gateway_refuse(work, error == SETPAY_E_CONFLICT ? SETPAY_E_BUSY : error);
        return;
    }
    setpay_testing_point("auth.stood_in");
    bool approved = work->payment.state == SETPAY_PAYMENT_APPROVED;
    setpay_metric_add(&stand_ins_total,
                      approved ? SETPAY_STAND_IN_APPROVED : SETPAY_STAND_IN_EXPIRED, 0, 1);
    if (approved) {
        setpay_log(SETPAY_LOG_WARN, "auth.stood_in", setpay_field_id("xid", &work->xid),
                   setpay_field_text("issuer", work->payment.issuer),
                   setpay_field_int("stan", work->payment.stan),
                   setpay_field_money("amount", &work->payment.amount),
                   setpay_field_int("open_count", work->stand_in.open_count + 1));
        setpay_gateway_reversals_wake(work->worker->reversals);
    }
    setpay_auth_flow_end(work);
}

static enum setpay_error apply(struct setpay_gateway_work *work, bool approves)
{
    struct setpay_payment *payment = &work->payment;
    struct setpay_auth_decision decision = {
        .event = approves ? SETPAY_PAYMENT_APPROVE : SETPAY_PAYMENT_DECLINE,
        .rule = "",
        .approved_minor = approves ? payment->amount.minor : 0,
        .avs_result = {NOT_CHECKED},
        .security_code_result = {NOT_CHECKED},
    };
    struct setpay_id cap_token;
    memcpy(decision.action_code, approves ? ACTION_APPROVED : ACTION_EXPIRED,
           sizeof decision.action_code);
    if (approves)
        setpay_stand_in_approval_code(payment->stan, decision.approval_code);
    SETPAY_TRY(setpay_id_random(&cap_token));
    return setpay_auth_apply(payment, &decision, work->worker->gateway->hold_ms, &cap_token,
                             work->now_ms);
}

/* What the issuer may still be asked for is so: nothing is kept, and the same request may come
 * again. */
static enum setpay_error leave(const struct setpay_gateway_work *work,
                               enum setpay_stand_in_verdict verdict)
{
    setpay_metric_add(&stand_ins_total, verdict, 0, 1);
    setpay_log(SETPAY_LOG_INFO, "auth.not_stood_in", setpay_field_id("xid", &work->xid),
               setpay_field_text("issuer", work->payment.issuer),
               setpay_field_text("why", setpay_stand_in_verdict_name(verdict)));
    return SETPAY_E_BUSY;
}

enum setpay_error setpay_auth_stand_in(struct setpay_gateway_work *work)
{
    struct setpay_gateway *gateway = work->worker->gateway;
    struct setpay_payment *payment = &work->payment;
    const struct setpay_pi *pi = &work->instruction.pi;
    struct setpay_network_trace trace;
    setpay_network_route_name(gateway->network, &pi->pan, payment->issuer);
    struct setpay_stand_in limits;
    setpay_stand_ins_find(gateway->stand_ins, payment->issuer, &limits);
    if (limits.count == 0)
        return SETPAY_E_BUSY;
    SETPAY_TRY(setpay_auth_keep_card(work));
    work->stand_in = (struct setpay_stand_in_facts){
        .down_ms = setpay_network_down_ms(gateway->network, &pi->pan),
        .amount = payment->amount,
        .is_further = payment->first_id != 0 || setpay_terms_go_on(&payment->terms),
        .is_expired = setpay_stand_in_is_expired(setpay_secret_view(&pi->expiry), work->now_ms),
    };
    SETPAY_TRY(setpay_store_read(work->worker->reader, read_facts, work));
    enum setpay_stand_in_verdict verdict = setpay_stand_in_decide(&limits, &work->stand_in);
    if (verdict != SETPAY_STAND_IN_APPROVED && verdict != SETPAY_STAND_IN_EXPIRED)
        return leave(work, verdict);
    if (verdict == SETPAY_STAND_IN_APPROVED) {
        setpay_network_trace_allocate(gateway->network, &trace);
        payment->stan = trace.stan;
        payment->trace_ms = trace.time;
    }
    if (payment->is_sale)
        SETPAY_TRY(setpay_id_random(&payment->sale_id));
    SETPAY_TRY(apply(work, verdict == SETPAY_STAND_IN_APPROVED));
    setpay_buffer_reset(&work->answer);
    SETPAY_TRY(setpay_auth_make_answer(work));
    return setpay_store_submit(gateway->store, write_stand_in, on_kept, work,
                               &work->worker->executor);
}

enum setpay_error setpay_gateway_register_stand_in_metrics(void)
{
    return setpay_metric_register(&stand_ins_total);
}
