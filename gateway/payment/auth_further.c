/*
 * A further authorisation of an instruction, by AuthToken.
 *
 *     read content -> admit (A2, G1, A6) with a snapshot -> date (A5) -> cardholder (A3), dual
 *       signature (G3) -> token, terms, what was taken (G9, G4, G12, G6) -> card out of the vault
 *       -> from here on as the first one goes (auth_flow.c)
 *
 * There is no envelope: the vault's card stands for the instruction, without security code and
 * PANSecret, and what the first request was held against stands in the first row. One of them is at
 * the issuer at a time: another waits, and is judged by what that one came to.
 */
#include "common/wire/checks.h"
#include "gateway/payment/agreement.h"
#include "gateway/payment/auth_flow.h"

#include "common/crypto/dual.h"
#include "common/crypto/hash.h"
#include "common/net/metrics.h"

#include <string.h>

static const char *const outcomes[] = {"approved", "declined", "unanswered", "refused", NULL};
static struct setpay_metric further_total = {
    .name = "setpay_gateway_further_total",
    .help = "Further authorisations of one instruction, by how they ended; refused: by a rule, and "
            "the issuer was not asked.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"outcome", outcomes}},
};

struct snapshot {
    struct setpay_gateway_work *work;
    enum setpay_error found;
    struct setpay_gateway_agreement agreement;
    enum setpay_error card_found;
    enum setpay_error own_found; /* of this very request's row */
    enum setpay_payment_state own_state;
};

static enum setpay_error read_own(struct setpay_db *db, struct snapshot *s)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(
        setpay_db_one(db, &rows, "SELECT state FROM payment WHERE asked_by = $1 AND rrpid = $2",
                      SETPAY_DB_DIGEST(&s->work->message.signer), SETPAY_DB_ID(&s->work->rrpid)));
    s->own_state = (enum setpay_payment_state)setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static enum setpay_error read_snapshot(struct setpay_db *db, void *arg)
{
    struct snapshot *s = arg;
    const struct setpay_auth_req *request = &s->work->auth;
    setpay_kept_card_clear(&s->work->card);
    setpay_kept_card_init(&s->work->card);
    s->own_found = read_own(db, s);
    s->found = setpay_gateway_agreement_find(db, request->brand, request->merchant_id,
                                             &request->xid, s->work->now_ms, &s->agreement);
    if (s->found == SETPAY_OK) {
        s->card_found = setpay_kept_card_find(db, s->agreement.first.id, &s->work->card);
    }
    return SETPAY_OK;
}

/* Rule G3 without PI: its digest is the first row's, by rule G4. */
static enum setpay_error check_signature(const struct setpay_gateway_work *work,
                                         const struct setpay_payment *first)
{
    const struct setpay_auth_req *request = &work->auth;
    struct setpay_digest pomd;
    SETPAY_TRY(setpay_dual_pomd(SETPAY_SUITE, &request->pimd, &request->oimd, &pomd));
    if (!setpay_digest_equal(&pomd, &first->pomd))
        return SETPAY_E_DS_PAYMENT;
    return setpay_dual_verify(setpay_certificate_key(work->cardholder), SETPAY_SUITE,
                              &request->cardholder, &pomd,
                              setpay_signature_view(&request->dual_signature)) == SETPAY_OK
               ? SETPAY_OK
               : SETPAY_E_DS_PAYMENT;
}

/* The card as the vault keeps it, in the place where the first one's instruction lies. */
static enum setpay_error open_card(struct setpay_gateway_work *work)
{
    const struct setpay_vault *vault = work->worker->gateway->vault;
    const struct setpay_id *xid = &work->auth.xid;
    struct setpay_pi *pi = &work->instruction.pi;
    setpay_instruction_clear(&work->instruction);
    SETPAY_TRY(setpay_vault_open_box(vault, SETPAY_VAULT_PAN, xid,
                                     setpay_buffer_view(&work->card.pan), &pi->pan));
    SETPAY_TRY(setpay_vault_open_box(vault, SETPAY_VAULT_EXPIRY, xid,
                                     setpay_buffer_view(&work->card.expiry), &pi->expiry));
    return setpay_vault_open_box(vault, SETPAY_VAULT_BACK_KEY, xid,
                                 setpay_buffer_view(&work->card.back_key), &pi->back_key);
}

static void fill_row(struct setpay_gateway_work *work,
                     const struct setpay_gateway_agreement *agreement)
{
    const struct setpay_payment *first = &agreement->first;
    struct setpay_payment *row = &work->payment;
    *row = setpay_auth_book(&work->auth, &first->merchant, &first->gateway_sign,
                            &work->request_hash, &first->pomd, SETPAY_PAYMENT_ASKING, work->now_ms);
    row->asked_by = work->message.signer;
    row->is_sale = work->auth.intent == SETPAY_INTENT_SALE;
    row->number = agreement->numbers + 1;
    row->first_id = first->id;
    row->first_version = first->version;
    row->signed_minor = first->signed_minor;
    row->has_auth_token = true;
    row->auth_token = first->auth_token;
    row->last_receipt = first->last_receipt;
    row->pan_digest = first->pan_digest;
    work->taken = agreement->taken;
    work->original = (struct setpay_network_trace){.stan = first->stan, .time = first->trace_ms};
}

static enum setpay_error decide(struct setpay_gateway_work *work, const struct snapshot *s)
{
    const struct setpay_auth_req *request = &work->auth;
    const struct setpay_gateway *gateway = work->worker->gateway;
    const struct setpay_payment *first = &s->agreement.first;
    if (request->intent == SETPAY_INTENT_VOID)
        return SETPAY_E_FIELD; /* rule A1: an agreement ends by AuthCan */
    if (s->found == SETPAY_E_NOT_FOUND)
        return SETPAY_E_TOKEN; /* rule G9 */
    SETPAY_TRY(s->found);
    SETPAY_TRY(setpay_gateway_agreement_check_token(&s->agreement, &request->auth_token));
    if (work->message.envelope.size != 0)
        return SETPAY_E_FIELD; /* rule A1: nothing is opened */
    SETPAY_TRY(setpay_date_check(request->header.date_ms, work->now_ms)); /* rule A5 */
    SETPAY_TRY(setpay_auth_flow_find_cardholder(work));                   /* rule A3 */
    /* Rule G4: to the certificate that the cardholder has signed, by which the receipt is believed.
     */
    if (!setpay_digest_equal(&first->gateway_sign, setpay_held_thumbprint(work->sign)))
        return SETPAY_E_RECEIVER;
    SETPAY_TRY(setpay_gateway_agreement_decide(&s->agreement, request, gateway->restored_ms,
                                               gateway->keep_card_ms, work->now_ms));
    SETPAY_TRY(check_signature(work, first));
    /* Rule G9: receipts are chained, and a merchant that has not asked for one can't hand on what
     * comes behind it. Nothing is kept, so the same request may come again. */
    if (s->agreement.owes)
        return SETPAY_E_RELEASE_OWED;
    if (s->card_found != SETPAY_OK)
        return s->card_found == SETPAY_E_NOT_FOUND ? SETPAY_E_CARD_GONE : s->card_found;
    SETPAY_TRY(open_card(work));
    fill_row(work, &s->agreement);
    return setpay_auth_flow_book(work);
}

void setpay_auth_further(struct setpay_gateway_work *work)
{
    struct snapshot snapshot = {.work = work};
    bool done = false;
    const struct setpay_gateway_asked asked = {
        .header = &work->auth.header,
        .brand = work->auth.brand,
        .merchant_id = work->auth.merchant_id,
        .read_more = read_snapshot,
        .more = &snapshot,
    };
    work->now_ms = setpay_clock_now_ms(); /* another may have been waited for */
    enum setpay_error error = setpay_gateway_admit(work, &asked, &done);
    if (error == SETPAY_OK && done)
        return;
    if (error == SETPAY_OK && snapshot.own_found == SETPAY_OK &&
        snapshot.own_state != SETPAY_PAYMENT_ASKING) {
        error = SETPAY_E_DATE; /* its answer was kept for as long as rule A6 asks */
    } else if (error == SETPAY_OK && snapshot.found == SETPAY_OK && snapshot.agreement.asking) {
        setpay_instruction_clear(&work->instruction);
        setpay_gateway_wait(work, setpay_auth_further); /* this one, or another before it */
        return;
    }
    if (error == SETPAY_OK)
        error = decide(work, &snapshot);
    if (error == SETPAY_OK)
        return;
    if (setpay_error_kind(error) == SETPAY_KIND_DECLINED)
        setpay_metric_add(&further_total, SETPAY_FURTHER_REFUSED, 0, 1);
    setpay_gateway_refuse(work, error);
}

void setpay_auth_further_count(enum setpay_further_outcome outcome)
{
    setpay_metric_add(&further_total, outcome, 0, 1);
}

enum setpay_error setpay_gateway_register_further_metrics(void)
{
    return setpay_metric_register(&further_total);
}
