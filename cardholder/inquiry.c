/*
 * Seeing a stored purchase through: PReq is sent once, and whatever is missing then is asked for by
 * InqReq, with growing pauses, until the purchase is settled (rules W5, W7). After a restart and an
 * unlock every open purchase is taken up again.
 *
 * An inquiry comes first. Only where the merchant says that it knows no such purchase, the very
 * bytes of PReq that rest in the store are sent again: the same rrpid and content, which can't make
 * a second payment (rule A6). When they have expired, they can't make a first one either (rule A5);
 * they are sent all the same, since the merchant then has the instruction voided, and only the
 * gateway's receipt ends the purchase (rules M9, W7). Nothing here signs a purchase.
 *
 * Vocabulary: a pursuit is one purchase being seen through; waiters (waiter.h) hear of it.
 * A pursuit is busy while an exchange or an operation is under way, and is freed only when not.
 */
#include "cardholder/agreement.h"
#include "cardholder/waiter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSALS_TOLD 2 /* Errors in a row, after which a waiting person is told */

struct setpay_wallet_pursuit {
    struct setpay_wallet_pursuit *next;
    struct setpay_wallet *wallet;
    struct setpay_id xid;
    struct setpay_timer *timer;
    struct setpay_http_exchange *exchange;
    struct setpay_wallet_waiters waiters;
    unsigned attempts;
    unsigned refusals; /* Errors in a row */
    bool send_preq;    /* the next message is PReq, not InqReq */
    bool skip_cancel;  /* the next is InqReq, not CanReq: it was refused the last time */
    bool more;         /* receipts are left at the merchant */
    bool storing;
    bool ended; /* to be freed once nothing is being stored */
    /* What is under way. */
    bool sent_preq;
    bool sent_cancel;
    struct setpay_asked asked;
    struct setpay_digest challenge;
    struct setpay_digest raw;
    struct setpay_wallet_purchase purchase; /* as read for this step */
    struct setpay_wallet_decision decision;
    struct setpay_buffer words;
    enum setpay_error failure; /* of the check whose message is being kept, or was last */
    setpay_time_ms now_ms;
};

static void step(struct setpay_wallet_pursuit *pursuit);

/* Nothing is missing: neither its outcome, nor the receipt of a cancellation. */
static bool is_done(const struct setpay_wallet_purchase *purchase)
{
    return setpay_wallet_state_is_settled(purchase->state) &&
           !setpay_wallet_is_cancelling(purchase);
}

/* ------------------------------------------------------------------ pursuits */

static void on_pursuit_timer(void *arg)
{
    step(arg);
}

static struct setpay_wallet_pursuit *find(const struct setpay_wallet *wallet,
                                          const struct setpay_id *xid)
{
    struct setpay_wallet_pursuit *pursuit = wallet->pursuits;
    while (pursuit != NULL && (pursuit->ended || !setpay_id_equal(&pursuit->xid, xid)))
        pursuit = pursuit->next;
    return pursuit;
}

static struct setpay_wallet_pursuit *pursuit_new(struct setpay_wallet *wallet,
                                                 const struct setpay_id *xid)
{
    struct setpay_wallet_pursuit *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    if (setpay_timer_new(wallet->loop, on_pursuit_timer, made, &made->timer) != SETPAY_OK) {
        free(made);
        return NULL;
    }
    made->wallet = wallet;
    made->xid = *xid;
    setpay_wallet_purchase_init(&made->purchase);
    setpay_buffer_init(&made->words, SETPAY_LIMIT_MESSAGE_BYTES);
    made->next = wallet->pursuits;
    wallet->pursuits = made;
    return made;
}

/* Nobody may wait for it any more. */
static void pursuit_free(struct setpay_wallet_pursuit *pursuit)
{
    struct setpay_wallet_pursuit **at = &pursuit->wallet->pursuits;
    pursuit->ended = true;
    setpay_timer_stop(pursuit->timer);
    if (pursuit->exchange != NULL)
        setpay_http_client_cancel(pursuit->exchange);
    pursuit->exchange = NULL;
    if (pursuit->storing)
        return;            /* on_applied comes */
    while (*at != pursuit) /* it is there */
        at = &(*at)->next;
    *at = pursuit->next;
    setpay_timer_free(pursuit->timer);
    setpay_wallet_purchase_clear(&pursuit->purchase);
    setpay_wallet_decision_clear(&pursuit->decision);
    setpay_buffer_clear(&pursuit->words);
    free(pursuit);
}

static void end(struct setpay_wallet_pursuit *pursuit, enum setpay_error error)
{
    if (error == SETPAY_OK || error == SETPAY_E_DRAINING)
        setpay_wallet_waiters_tell_calls(&pursuit->waiters);
    setpay_wallet_waiters_tell_looks(&pursuit->waiters, error);
    setpay_wallet_waiters_fail_calls(&pursuit->waiters, error);
    pursuit_free(pursuit);
}

/* The next message after a pause that doubles each time. */
static void schedule(struct setpay_wallet_pursuit *pursuit)
{
    const struct setpay_wallet *wallet = pursuit->wallet;
    int64_t delay_ms = wallet->inquiry_min_ms;
    for (unsigned i = 0; i < pursuit->attempts && delay_ms < wallet->inquiry_max_ms; i++)
        delay_ms *= 2;
    pursuit->attempts++;
    setpay_timer_start(pursuit->timer,
                       delay_ms < wallet->inquiry_max_ms ? delay_ms : wallet->inquiry_max_ms);
}

/* ------------------------------------------------------------------ what came is stored */

static enum setpay_error store_decision(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_pursuit *pursuit = arg;
    return setpay_wallet_store_apply(db, &pursuit->purchase, &pursuit->decision,
                                     setpay_buffer_view(&pursuit->words), pursuit->now_ms);
}

static void log_outcome(const struct setpay_wallet_pursuit *pursuit)
{
    const struct setpay_wallet_decision *decision = &pursuit->decision;
    const char *said = setpay_wallet_said_name(decision->said);
    bool disagrees = decision->disagreement[0] != '\0';
    if (decision->receipt_error != SETPAY_OK) /* rule W6 */
        setpay_log_error(decision->receipt_error, "receipt.refused",
                         setpay_field_id("xid", &pursuit->xid));
    setpay_log(disagrees ? SETPAY_LOG_WARN : SETPAY_LOG_INFO, "purchase.answered",
               setpay_field_id("xid", &pursuit->xid),
               setpay_field_text("from", setpay_wallet_state_name(pursuit->purchase.state)),
               setpay_field_text("to", setpay_wallet_state_name(decision->state)),
               setpay_field_text("merchant_said", said != NULL ? said : ""),
               setpay_field_text("disagreement", decision->disagreement),
               disagrees ? setpay_field_text("rule", decision->breach ? "W7" : "W6")
                         : (struct setpay_field){.type = SETPAY_FIELD_END});
}

static void on_failed(struct setpay_wallet_pursuit *pursuit, enum setpay_error error);

static void on_applied(void *arg, enum setpay_error error)
{
    struct setpay_wallet_pursuit *pursuit = arg;
    enum setpay_wallet_state state = pursuit->decision.state;
    enum setpay_error receipt_error = pursuit->decision.receipt_error;
    bool more = error == SETPAY_OK && pursuit->decision.more && receipt_error == SETPAY_OK;
    bool cancelling =
        setpay_wallet_is_cancelling(&pursuit->purchase) && pursuit->decision.sums.cancelled_ms == 0;
    pursuit->storing = false;
    if (error == SETPAY_OK)
        log_outcome(pursuit);
    setpay_wallet_decision_clear(&pursuit->decision);
    if (pursuit->ended) {
        pursuit_free(pursuit);
        return;
    }
    if (error != SETPAY_OK) {
        on_failed(pursuit, error);
        return;
    }
    pursuit->refusals = 0;
    setpay_wallet_waiters_progress(&pursuit->waiters, "answered");
    setpay_wallet_waiters_tell_looks(&pursuit->waiters, SETPAY_OK);
    if (state != SETPAY_WALLET_PENDING)
        setpay_wallet_waiters_tell_calls(&pursuit->waiters);
    if (receipt_error != SETPAY_OK)
        setpay_wallet_waiters_fail_calls(&pursuit->waiters, receipt_error); /* rule W6 */
    pursuit->more = more;
    if (more) /* what did not fit into one answer */
        setpay_timer_start(pursuit->timer, 0);
    else if (setpay_wallet_state_is_settled(state) && !cancelling)
        end(pursuit, SETPAY_OK);
    else
        schedule(pursuit);
}

/* Whether an answer says anything that is not in the record yet. */
static bool is_news(const struct setpay_wallet_purchase *purchase,
                    const struct setpay_wallet_decision *decision)
{
    return decision->state != purchase->state || decision->receipt_count > 0 ||
           decision->said != purchase->said ||
           (decision->disagreement[0] != '\0' &&
            strcmp(decision->disagreement, purchase->disagreement) != 0);
}

static void apply(struct setpay_wallet_pursuit *pursuit)
{
    if (!is_news(&pursuit->purchase, &pursuit->decision)) {
        pursuit->decision.keep_words = false;
        pursuit->decision.disagreement[0] = '\0';
        on_applied(pursuit, SETPAY_OK);
        return;
    }
    pursuit->storing = true;
    enum setpay_error error = setpay_store_submit(pursuit->wallet->store, store_decision,
                                                  on_applied, pursuit, &pursuit->wallet->executor);
    if (error != SETPAY_OK)
        on_applied(pursuit, error);
}

/* ------------------------------------------------------------------ no answer that counts */

/* Rule W7: the merchant's signed word was given before, and the instruction's time is over. */
static bool try_lapse(struct setpay_wallet_pursuit *pursuit)
{
    const struct setpay_wallet_purchase *purchase = &pursuit->purchase;
    enum setpay_wallet_state state;
    bool breach;
    if (!setpay_wallet_time_is_over(purchase, setpay_clock_now_ms()) ||
        setpay_wallet_state_next(purchase->state, SETPAY_WALLET_TIME_OVER, &state, &breach) !=
            SETPAY_OK ||
        state == purchase->state)
        return false;
    setpay_wallet_decision_clear(&pursuit->decision);
    pursuit->decision = (struct setpay_wallet_decision){
        .state = state,
        .last_hash = purchase->last_hash,
        .last_kind = purchase->last_kind,
        .sums = purchase->sums,
        .said = purchase->said,
    };
    pursuit->now_ms = setpay_clock_now_ms();
    apply(pursuit);
    return true;
}

/* Rule W7: nothing of this ends a purchase. */
static void on_failed(struct setpay_wallet_pursuit *pursuit, enum setpay_error error)
{
    enum setpay_error_kind kind = setpay_error_kind(error);
    setpay_log_error(error, "purchase.unanswered", setpay_field_id("xid", &pursuit->xid),
                     setpay_field_text("asked", pursuit->sent_preq     ? "PReq"
                                                : pursuit->sent_cancel ? "CanReq"
                                                                       : "InqReq"));
    setpay_wallet_waiters_tell_looks(&pursuit->waiters, error);
    pursuit->refusals = error == SETPAY_E_PEER_REFUSED ? pursuit->refusals + 1 : 0;
    if (kind == SETPAY_KIND_SECURITY ||
        (kind == SETPAY_KIND_PROTOCOL && error != SETPAY_E_PEER_REFUSED &&
         error != SETPAY_E_PEER_DATE))
        setpay_wallet_waiters_fail_calls(&pursuit->waiters, error);
    else if (pursuit->refusals >= REFUSALS_TOLD)
        setpay_wallet_waiters_tell_calls(&pursuit->waiters);
    pursuit->skip_cancel = pursuit->sent_cancel;
    if (is_done(&pursuit->purchase)) {
        setpay_wallet_waiters_tell_calls(&pursuit->waiters);
        end(pursuit, error);
        return;
    }
    if (try_lapse(pursuit))
        return;
    setpay_wallet_waiters_progress(&pursuit->waiters, "waiting");
    schedule(pursuit);
}

/* ------------------------------------------------------------------ the answer comes */

/* An Error in its place: anybody's word where unsigned, and never the end (rule W7). */
static enum setpay_error take_error(struct setpay_wallet_pursuit *pursuit,
                                    const struct setpay_message *message)
{
    struct setpay_error_report report;
    struct setpay_certificate *signer = NULL;
    if (message->is_signed) {
        SETPAY_TRY(setpay_message_authenticate(message, pursuit->wallet->trust,
                                               SETPAY_PROFILE_MERCHANT_SIGN,
                                               pursuit->purchase.brand, pursuit->now_ms, &signer));
        setpay_wallet_expect_signer(&pursuit->purchase, !pursuit->sent_preq, signer,
                                    &pursuit->asked);
        setpay_certificate_unref(signer);
    }
    SETPAY_TRY(setpay_error_report_parse(message->content, &report));
    enum setpay_error error =
        setpay_error_report_meaning(message, &report, &pursuit->asked, &pursuit->raw);
    /* It has no PReq: it can have the same one, which is the same request (rules W5, A6). */
    if (setpay_error_kind(error) != SETPAY_KIND_SECURITY && !pursuit->sent_preq &&
        report.code == SETPAY_WIRE_UNKNOWN_TRANSACTION && pursuit->purchase.receipt_count == 0)
        pursuit->send_preq = true;
    return error;
}

static enum setpay_error decide(struct setpay_wallet_pursuit *pursuit,
                                const struct setpay_pres *pres)
{
    struct setpay_wallet_purchase *purchase = &pursuit->purchase;
    struct setpay_certificate *gateway = NULL;
    struct setpay_secret back_key = {0};
    enum setpay_error error =
        setpay_wallet_box_open(&pursuit->wallet->master, "back key", &purchase->xid,
                               setpay_buffer_view(&purchase->back_key_box), &back_key);
    /* Verified by rule A3 when it was signed for; it was in PI. */
    if (error == SETPAY_OK)
        error = setpay_wallet_parse_certificate(&purchase->gateway_certificate, &gateway);
    if (error == SETPAY_OK)
        error = setpay_wallet_answer_decide(purchase, pres, &back_key, gateway, pursuit->now_ms,
                                            &pursuit->decision);
    setpay_secret_clear(&back_key);
    setpay_certificate_unref(gateway);
    return error;
}

/* Rules A2, A3, A4, W6. */
static enum setpay_error take_pres(struct setpay_wallet_pursuit *pursuit,
                                   const struct setpay_message *message)
{
    struct setpay_certificate *merchant = NULL;
    struct setpay_pres pres;
    SETPAY_TRY(setpay_message_authenticate(message, pursuit->wallet->trust,
                                           SETPAY_PROFILE_MERCHANT_SIGN, pursuit->purchase.brand,
                                           pursuit->now_ms, &merchant));
    setpay_wallet_expect_signer(&pursuit->purchase, !pursuit->sent_preq, merchant, &pursuit->asked);
    setpay_certificate_unref(merchant);
    SETPAY_TRY(setpay_pres_parse(message->content, &pres));
    enum setpay_error error = setpay_wallet_answer_check(&pursuit->purchase, &pursuit->asked,
                                                         &pursuit->challenge, message, &pres);
    if (error == SETPAY_OK)
        error = decide(pursuit, &pres);
    setpay_pres_clear(&pres);
    return error;
}

static enum setpay_error take_answer(struct setpay_wallet_pursuit *pursuit,
                                     const struct setpay_http_answer *answer)
{
    struct setpay_message message;
    enum setpay_message_type wanted = pursuit->sent_preq     ? SETPAY_MESSAGE_P_RES
                                      : pursuit->sent_cancel ? SETPAY_MESSAGE_CAN_RES
                                                             : SETPAY_MESSAGE_INQ_RES;
    SETPAY_TRY(setpay_wallet_receive(answer, &message));
    pursuit->now_ms = setpay_clock_now_ms();
    enum setpay_error error = SETPAY_E_MESSAGE_TYPE;
    if (message.type == SETPAY_MESSAGE_ERROR)
        error = take_error(pursuit, &message);
    else if (message.type == wanted)
        error = take_pres(pursuit, &message);
    setpay_message_clear(&message);
    if (error == SETPAY_OK)
        error = setpay_buffer_set(&pursuit->words, answer->body);
    return error;
}

static enum setpay_error store_evidence(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_pursuit *pursuit = arg;
    char what[SETPAY_WALLET_WORDS_MAX];
    snprintf(what, sizeof what, "failed %s: %s", setpay_error_rule(pursuit->failure),
             setpay_error_text(pursuit->failure));
    return setpay_wallet_store_add_evidence(db, &pursuit->xid, what,
                                            setpay_buffer_view(&pursuit->words), pursuit->now_ms);
}

static void on_evidence_kept(void *arg, enum setpay_error error)
{
    struct setpay_wallet_pursuit *pursuit = arg;
    pursuit->storing = false;
    if (error != SETPAY_OK)
        setpay_log_error(error, "purchase.evidence", setpay_field_id("xid", &pursuit->xid));
    if (pursuit->ended)
        pursuit_free(pursuit);
    else
        on_failed(pursuit, pursuit->failure);
}

/* A message that fails a check is evidence against whoever sent it: its bytes are kept, the first
 * of each failure. False where there is nothing new to keep. */
static bool keep_evidence(struct setpay_wallet_pursuit *pursuit, enum setpay_error error,
                          struct setpay_view body)
{
    if (setpay_error_kind(error) != SETPAY_KIND_SECURITY || body.size == 0 ||
        error == pursuit->failure || setpay_buffer_set(&pursuit->words, body) != SETPAY_OK)
        return false;
    pursuit->failure = error;
    pursuit->storing = setpay_store_submit(pursuit->wallet->store, store_evidence, on_evidence_kept,
                                           pursuit, &pursuit->wallet->executor) == SETPAY_OK;
    return pursuit->storing;
}

static void on_answer(void *arg, const struct setpay_http_answer *answer)
{
    struct setpay_wallet_pursuit *pursuit = arg;
    pursuit->exchange = NULL;
    enum setpay_error error = take_answer(pursuit, answer);
    setpay_saved_trust_save(&pursuit->wallet->saved);
    if (error == SETPAY_OK)
        apply(pursuit);
    else if (!keep_evidence(pursuit, error, answer->body))
        on_failed(pursuit, error);
}

/* ------------------------------------------------------------------ the question goes */

struct reading {
    const struct setpay_id *id;
    struct setpay_wallet_purchase *purchase;
};

static enum setpay_error read_purchase(struct setpay_db *db, void *arg)
{
    struct reading *reading = arg;
    return setpay_wallet_store_read_purchase(db, reading->id, reading->purchase);
}

static enum setpay_error ask(struct setpay_wallet_pursuit *pursuit)
{
    const struct setpay_wallet_purchase *purchase = &pursuit->purchase;
    struct setpay_buffer bytes = {0};
    enum setpay_error error = SETPAY_OK;
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    pursuit->sent_preq = pursuit->send_preq;
    pursuit->send_preq = false;
    pursuit->sent_cancel =
        !pursuit->sent_preq && setpay_wallet_is_cancelling(purchase) && !pursuit->skip_cancel;
    pursuit->skip_cancel = false;
    pursuit->asked.has_answerer = pursuit->asked.has_asker = true;
    pursuit->asked.answerer = purchase->merchant;
    pursuit->asked.asker = purchase->cardholder;
    if (pursuit->sent_preq) {
        pursuit->asked.rrpid = purchase->rrpid;
        pursuit->asked.request_hash = purchase->request_hash;
        pursuit->challenge = purchase->chall_c;
        error = setpay_buffer_set(&bytes, setpay_buffer_view(&purchase->preq));
    } else if (pursuit->sent_cancel) {
        error = setpay_wallet_sign_can_req(pursuit->wallet, purchase, &pursuit->asked,
                                           &pursuit->challenge, &bytes);
    } else {
        error = setpay_wallet_sign_inquiry(pursuit->wallet, purchase, &pursuit->asked,
                                           &pursuit->challenge, &bytes);
    }
    if (error == SETPAY_OK)
        error = setpay_raw_hash(setpay_buffer_view(&bytes), &pursuit->raw);
    if (error == SETPAY_OK)
        error = setpay_wallet_post(pursuit->wallet, &purchase->link, setpay_buffer_view(&bytes),
                                   on_answer, pursuit, &pursuit->exchange);
    setpay_buffer_clear(&bytes);
    return error;
}

/* The next message, if one is needed. */
static void step(struct setpay_wallet_pursuit *pursuit)
{
    struct setpay_wallet *wallet = pursuit->wallet;
    if (pursuit->exchange != NULL || pursuit->storing || pursuit->ended)
        return;
    if (setpay_wallet_is_locked(wallet)) {
        end(pursuit, SETPAY_E_LOCKED);
        return;
    }
    enum setpay_error error =
        setpay_store_read(wallet->reader, read_purchase,
                          &(struct reading){.id = &pursuit->xid, .purchase = &pursuit->purchase});
    if (error != SETPAY_OK) {
        end(pursuit, error);
        return;
    }
    if (is_done(&pursuit->purchase) && !setpay_wallet_waiters_have_look(&pursuit->waiters) &&
        !pursuit->more) {
        end(pursuit, SETPAY_OK);
        return;
    }
    error = ask(pursuit);
    if (error != SETPAY_OK)
        on_failed(pursuit, error);
    else if (pursuit->sent_preq)
        setpay_wallet_waiters_progress(&pursuit->waiters, "sent");
}

/* ------------------------------------------------------------------ for others */

void setpay_wallet_pursue(struct setpay_wallet *wallet, const struct setpay_id *xid, bool send_preq)
{
    if (wallet->draining || find(wallet, xid) != NULL)
        return;
    struct setpay_wallet_pursuit *pursuit = pursuit_new(wallet, xid);
    if (pursuit == NULL)
        return; /* it stands in the store, for the next unlock */
    pursuit->send_preq = send_preq;
    setpay_timer_start(pursuit->timer, 0);
}

void setpay_wallet_pursue_wait(struct setpay_wallet *wallet, const struct setpay_id *xid,
                               struct setpay_control_call *call, int64_t wait_ms)
{
    setpay_wallet_pursue(wallet, xid, false);
    struct setpay_wallet_pursuit *pursuit = find(wallet, xid);
    if (pursuit == NULL) {
        setpay_wallet_reply_purchase(wallet, xid, call);
        return;
    }
    enum setpay_error error =
        setpay_wallet_waiters_add_call(&pursuit->waiters, wallet, xid, call, wait_ms);
    if (error != SETPAY_OK)
        setpay_control_fail(call, error, NULL);
}

enum setpay_error setpay_wallet_refresh(struct setpay_wallet *wallet, const struct setpay_id *xid,
                                        int64_t wait_ms, setpay_wallet_heard_fn *heard_cb,
                                        void *arg)
{
    setpay_wallet_pursue(wallet, xid, false);
    struct setpay_wallet_pursuit *pursuit = find(wallet, xid);
    if (pursuit == NULL)
        return SETPAY_E_DRAINING;
    SETPAY_TRY(setpay_wallet_waiters_add_look(&pursuit->waiters, wallet, heard_cb, arg, wait_ms));
    if (pursuit->exchange == NULL && !pursuit->storing)
        setpay_timer_start(pursuit->timer, 0); /* not after the pause */
    return SETPAY_OK;
}

struct listing {
    struct setpay_id xids[SETPAY_WALLET_OPEN_MAX];
    size_t count;
};

static enum setpay_error list_open(struct setpay_db *db, void *arg)
{
    struct listing *listing = arg;
    return setpay_wallet_store_list_purchases(db, true, listing->xids, SETPAY_WALLET_OPEN_MAX,
                                              &listing->count);
}

static enum setpay_error list_cancelling(struct setpay_db *db, void *arg)
{
    struct listing *listing = arg;
    return setpay_wallet_agreement_list(db, true, listing->xids, SETPAY_WALLET_OPEN_MAX,
                                        &listing->count);
}

static void pursue_all(struct setpay_wallet *wallet, setpay_store_read_fn *list)
{
    struct listing listing = {.count = 0};
    enum setpay_error error = setpay_store_read(wallet->reader, list, &listing);
    if (error != SETPAY_OK)
        setpay_log_error(error, "purchase.list", setpay_field_int("open", 0));
    for (size_t i = 0; i < listing.count; i++)
        setpay_wallet_pursue(wallet, &listing.xids[i], false);
}

void setpay_wallet_pursue_open(struct setpay_wallet *wallet)
{
    pursue_all(wallet, list_open);
    pursue_all(wallet, list_cancelling);
}

void setpay_wallet_pursue_drain(struct setpay_wallet *wallet)
{
    struct setpay_wallet_pursuit *next;
    for (struct setpay_wallet_pursuit *pursuit = wallet->pursuits; pursuit != NULL;
         pursuit = next) {
        next = pursuit->next;
        if (!pursuit->ended)
            end(pursuit, SETPAY_E_DRAINING);
    }
}

void setpay_wallet_pursue_clear(struct setpay_wallet *wallet)
{
    struct setpay_wallet_pursuit *next;
    for (struct setpay_wallet_pursuit *pursuit = wallet->pursuits; pursuit != NULL;
         pursuit = next) {
        next = pursuit->next;
        pursuit->storing = false; /* the loop has ended: nothing more comes */
        pursuit_free(pursuit);
    }
}
