/*
 * The end of an agreement by the cardholder's word, and the commands about agreements.
 *
 * What always holds: the word is signed once and stored before it leaves, and the wallet goes on
 * sending it, after restarts too, until the gateway's receipt confirms it. Until then nothing says
 * "cancelled".
 */
#include "cardholder/agreement.h"

#include "common/wire/cancellation.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ signing */

enum setpay_error setpay_wallet_sign_cancellation(struct setpay_wallet *wallet,
                                                  const struct setpay_wallet_purchase *purchase,
                                                  setpay_time_ms now_ms,
                                                  struct setpay_signed_cancellation *word)
{
    struct setpay_cancellation content = {
        .xid = purchase->xid,
        .cardholder = purchase->cardholder,
        .gateway_sign = purchase->gateway_sign,
        .pomd = purchase->pomd,
        .date_ms = now_ms,
    };
    struct setpay_wallet_card card = {0};
    struct setpay_signing_key *key = NULL;
    memcpy(content.brand, purchase->brand, sizeof content.brand);
    memcpy(content.merchant_id, purchase->merchant_id, sizeof content.merchant_id);
    enum setpay_error error = setpay_wallet_load_signer(wallet, purchase, &card);
    if (error == SETPAY_OK)
        error = setpay_wallet_card_open_key(&wallet->master, &card, &key);
    if (error == SETPAY_OK)
        error = setpay_cancellation_sign(&content, key, word);
    setpay_signing_key_free(key);
    setpay_wallet_card_clear(&card);
    return error;
}

enum setpay_error setpay_wallet_sign_can_req(struct setpay_wallet *wallet,
                                             const struct setpay_wallet_purchase *purchase,
                                             struct setpay_asked *asked,
                                             struct setpay_digest *challenge,
                                             struct setpay_buffer *bytes)
{
    struct setpay_buffer content = {0};
    struct setpay_can_req request = {
        .header = {.date_ms = setpay_clock_now_ms(),
                   .has_sender = true,
                   .sender = purchase->cardholder,
                   .has_receiver = true,
                   .receiver = purchase->merchant},
        .xid = purchase->xid,
        .lid_c = purchase->lid_c,
        .cancellation = purchase->cancellation,
        .known = (uint32_t)purchase->receipt_count,
    };
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    enum setpay_error error = setpay_id_random(&request.header.rrpid);
    if (error == SETPAY_OK)
        error = setpay_digest_random(&request.challenge);
    if (error == SETPAY_OK)
        error = setpay_can_req_build(&request, &content);
    if (error == SETPAY_OK)
        error = setpay_wallet_sign_request(wallet, purchase, SETPAY_MESSAGE_CAN_REQ,
                                           setpay_buffer_view(&content), asked, bytes);
    asked->rrpid = request.header.rrpid;
    *challenge = request.challenge;
    setpay_buffer_clear(&content);
    return error;
}

/* ------------------------------------------------------------------ commands */

struct reading {
    const struct setpay_id *id;
    struct setpay_wallet_purchase *purchase;
};

static enum setpay_error read_purchase(struct setpay_db *db, void *arg)
{
    struct reading *reading = arg;
    return setpay_wallet_store_read_purchase(db, reading->id, reading->purchase);
}

/* A purchase that is an agreement; purchase is initialised. SETPAY_E_NOT_FOUND with words. */
static enum setpay_error load(struct setpay_wallet *wallet, const struct setpay_id *xid,
                              struct setpay_wallet_purchase *purchase,
                              struct setpay_problem *problem)
{
    enum setpay_error error = setpay_store_read(wallet->reader, read_purchase,
                                                &(struct reading){.id = xid, .purchase = purchase});
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error,
                                  "there is no purchase of this XID; see: setpay-wallet list");
    SETPAY_TRY(error);
    if (!setpay_terms_go_on(&purchase->terms))
        return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                                  "this purchase is one payment, and no agreement to more; see: "
                                  "setpay-wallet agreement list");
    return SETPAY_OK;
}

static enum setpay_error read_xid(const json_t *args, struct setpay_id *xid,
                                  struct setpay_problem *problem)
{
    static const char *const names[] = {"xid", NULL};
    const char *text = NULL;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "xid", true, &text, problem));
    if (setpay_id_parse(text, xid) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "xid: expected 32 hex digits");
    return SETPAY_OK;
}

static void reply(struct setpay_control_call *call, const struct setpay_wallet_purchase *purchase)
{
    json_t *json = setpay_wallet_agreement_json(purchase, setpay_clock_now_ms());
    if (json == NULL)
        setpay_wallet_fail(call, SETPAY_E_NOMEM, NULL);
    else
        setpay_control_reply(call, json);
}

void setpay_wallet_on_agreement_show(struct setpay_control_call *call, const json_t *args,
                                     void *arg)
{
    struct setpay_problem problem = {{0}};
    struct setpay_wallet_purchase purchase;
    struct setpay_id xid;
    setpay_wallet_purchase_init(&purchase);
    enum setpay_error error = read_xid(args, &xid, &problem);
    if (error == SETPAY_OK)
        error = load(arg, &xid, &purchase, &problem);
    if (error == SETPAY_OK)
        reply(call, &purchase);
    else
        setpay_wallet_fail(call, error, &problem);
    setpay_wallet_purchase_clear(&purchase);
}

struct listing {
    struct setpay_id xids[SETPAY_WALLET_PURCHASES_MAX];
    size_t count;
};

static enum setpay_error read_list(struct setpay_db *db, void *arg)
{
    struct listing *listing = arg;
    return setpay_wallet_agreement_list(db, false, listing->xids, SETPAY_WALLET_PURCHASES_MAX,
                                        &listing->count);
}

static enum setpay_error list(struct setpay_wallet *wallet, struct listing *listing,
                              json_t *agreements, struct setpay_problem *problem)
{
    struct setpay_wallet_purchase purchase;
    enum setpay_error error = setpay_store_read(wallet->reader, read_list, listing);
    setpay_wallet_purchase_init(&purchase);
    for (size_t i = 0; i < listing->count && error == SETPAY_OK; i++) {
        error = load(wallet, &listing->xids[i], &purchase, problem);
        if (error == SETPAY_E_NOT_FOUND) /* count is 1: it never goes on */
            error = SETPAY_OK;
        else if (error == SETPAY_OK &&
                 json_array_append_new(agreements, setpay_wallet_agreement_json(
                                                       &purchase, setpay_clock_now_ms())) != 0)
            error = SETPAY_E_NOMEM;
    }
    setpay_wallet_purchase_clear(&purchase);
    return error;
}

void setpay_wallet_on_agreement_list(struct setpay_control_call *call, const json_t *args,
                                     void *arg)
{
    static const char *const names[] = {NULL};
    struct setpay_problem problem = {{0}};
    struct listing *listing = calloc(1, sizeof *listing);
    json_t *agreements = json_array();
    enum setpay_error error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK && (listing == NULL || agreements == NULL))
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        error = list(arg, listing, agreements, &problem);
    free(listing);
    if (error == SETPAY_OK) {
        setpay_control_reply(call, json_pack("{s:o}", "agreements", agreements));
        return;
    }
    json_decref(agreements);
    setpay_wallet_fail(call, error, &problem);
}

/* ---- cancel ---- */

struct cancelling {
    struct setpay_wallet *wallet;
    struct setpay_control_call *call;
    struct setpay_wallet_purchase purchase;
    struct setpay_signed_cancellation word;
    setpay_time_ms now_ms;
};

static void cancelling_free(struct cancelling *cancelling)
{
    if (cancelling == NULL)
        return;
    setpay_wallet_purchase_clear(&cancelling->purchase);
    free(cancelling);
}

static enum setpay_error store_word(struct setpay_db *db, void *arg)
{
    struct cancelling *c = arg;
    SETPAY_TRY(setpay_wallet_agreement_cancel(db, &c->purchase.xid, &c->word, c->now_ms));
    return setpay_wallet_agreement_read(db, &c->purchase);
}

static void on_word_stored(void *arg, enum setpay_error error)
{
    struct cancelling *c = arg;
    if (error != SETPAY_OK) {
        setpay_wallet_fail(c->call, error, NULL);
    } else {
        setpay_log(SETPAY_LOG_INFO, "agreement.cancelling",
                   setpay_field_id("xid", &c->purchase.xid),
                   setpay_field_text("merchant", c->purchase.merchant_id));
        setpay_wallet_pursue(c->wallet, &c->purchase.xid, false);
        reply(c->call, &c->purchase);
    }
    cancelling_free(c);
}

static enum setpay_error cancel(struct cancelling *c, const struct setpay_id *xid,
                                struct setpay_problem *problem)
{
    SETPAY_TRY(load(c->wallet, xid, &c->purchase, problem));
    if (setpay_wallet_is_locked(c->wallet))
        return SETPAY_E_LOCKED;
    if (c->purchase.state != SETPAY_WALLET_AUTHORISED)
        return setpay_problem_set(
            problem, SETPAY_E_STATE,
            "nothing stands authorised of this purchase (%s), so that nothing "
            "can follow; there is nothing to cancel",
            setpay_wallet_state_name(c->purchase.state));
    SETPAY_TRY(setpay_wallet_sign_cancellation(c->wallet, &c->purchase, c->now_ms, &c->word));
    return setpay_store_submit(c->wallet->store, store_word, on_word_stored, c,
                               &c->wallet->executor);
}

void setpay_wallet_on_agreement_cancel(struct setpay_control_call *call, const json_t *args,
                                       void *arg)
{
    struct setpay_problem problem = {{0}};
    struct setpay_id xid;
    struct cancelling *c = calloc(1, sizeof *c);
    enum setpay_error error = c == NULL ? SETPAY_E_NOMEM : read_xid(args, &xid, &problem);
    if (c != NULL) {
        c->wallet = arg;
        c->call = call;
        c->now_ms = setpay_clock_now_ms();
        setpay_wallet_purchase_init(&c->purchase);
    }
    if (error == SETPAY_OK)
        error = cancel(c, &xid, &problem);
    if (error != SETPAY_OK) {
        cancelling_free(c);
        setpay_wallet_fail(call, error, &problem);
    }
}
