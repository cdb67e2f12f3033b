/*
 * Asking a merchant for an offer, and showing it.
 *
 * Order of a payment: link -> PInitReq -> PInitRes, checked (offer.c) -> prepared, in memory ->
 * pay.confirm (confirm.c): compared with what the person agreed to (rules W2, W4) -> built, signed
 * and stored with its back key (rule W5) -> handed to inquiry.c, which sends it and sees it to its
 * end.
 *
 * Vocabulary: an ask is a PInitReq under way; a prepared offer waits for the person's word.
 */
#include "cardholder/rule.h"
#include "cardholder/wallet.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_PATH "/setpay/v1/message"

struct setpay_wallet_ask {
    struct setpay_wallet_ask *next;
    struct setpay_wallet *wallet;
    struct setpay_control_call *call;
    struct setpay_http_exchange *exchange;
    bool prepare;             /* false: only show */
    json_t *insists_on;       /* what the person insists in spite of; NULL: nothing */
    struct setpay_digest raw; /* H("raw", what was sent) */
    struct setpay_wallet_card card;
    struct setpay_wallet_prepared *offer; /* being filled */
};

/* ------------------------------------------------------------------ lists */

/* Drops what has expired, and the oldest above the limit. */
static void prepared_trim(struct setpay_wallet *wallet, setpay_time_ms now_ms)
{
    size_t count = 0;
    struct setpay_wallet_prepared **at = &wallet->prepared;
    while (*at != NULL) {
        struct setpay_wallet_prepared *prepared = *at;
        if (prepared->content.expiry_ms < now_ms || ++count > SETPAY_WALLET_PREPARED_MAX) {
            *at = prepared->next;
            setpay_wallet_prepared_free(prepared);
        } else {
            at = &prepared->next;
        }
    }
}

struct setpay_wallet_prepared *setpay_wallet_prepared_find(struct setpay_wallet *wallet,
                                                           const struct setpay_id *xid)
{
    struct setpay_wallet_prepared *prepared = wallet->prepared;
    while (prepared != NULL && !setpay_id_equal(&prepared->content.xid, xid))
        prepared = prepared->next;
    return prepared;
}

void setpay_wallet_prepared_drop(struct setpay_wallet *wallet,
                                 struct setpay_wallet_prepared *prepared)
{
    struct setpay_wallet_prepared **at = &wallet->prepared;
    while (*at != NULL && *at != prepared)
        at = &(*at)->next;
    if (*at != NULL)
        *at = prepared->next;
    setpay_wallet_prepared_free(prepared);
}

static void ask_free(struct setpay_wallet_ask *ask)
{
    struct setpay_wallet_ask **at = &ask->wallet->asks;
    while (*at != NULL && *at != ask)
        at = &(*at)->next;
    if (*at != NULL)
        *at = ask->next;
    setpay_wallet_card_clear(&ask->card);
    setpay_wallet_prepared_free(ask->offer);
    json_decref(ask->insists_on);
    free(ask);
}

static void ask_fail(struct setpay_wallet_ask *ask, enum setpay_error error,
                     const struct setpay_problem *problem)
{
    setpay_log_error(error, "offer.refused",
                     setpay_field_text("host", ask->offer->question.link.host));
    setpay_wallet_fail(ask->call, error, problem);
    ask_free(ask);
}

void setpay_wallet_pay_drain(struct setpay_wallet *wallet)
{
    while (wallet->asks != NULL) {
        if (wallet->asks->exchange != NULL)
            setpay_http_client_cancel(wallet->asks->exchange);
        ask_fail(wallet->asks, SETPAY_E_DRAINING, NULL);
    }
}

void setpay_wallet_pay_clear(struct setpay_wallet *wallet)
{
    while (wallet->prepared != NULL)
        setpay_wallet_prepared_drop(wallet, wallet->prepared);
}

/* ------------------------------------------------------------------ HTTP */

enum setpay_error setpay_wallet_post(struct setpay_wallet *wallet,
                                     const struct setpay_wallet_link *link, struct setpay_view body,
                                     setpay_http_answer_cb *answer_cb, void *arg,
                                     struct setpay_http_exchange **exchange)
{
    return setpay_http_client_post(wallet->http, link->host, link->port, MESSAGE_PATH,
                                   SETPAY_WALLET_MESSAGE_TYPE, body, answer_cb, arg, exchange);
}

/* ------------------------------------------------------------------ the offer comes */

/* A merchant's Error in place of an offer, in words. Nothing was signed, so nothing depends on it.
 */
static enum setpay_error refusal_words(const struct setpay_wallet_ask *ask,
                                       const struct setpay_message *message,
                                       struct setpay_problem *problem)
{
    struct setpay_error_report report;
    SETPAY_TRY(setpay_error_report_parse(message->content, &report));
    enum setpay_error error =
        setpay_error_report_meaning(message, &report, &ask->offer->question.asked, &ask->raw);
    if (setpay_error_kind(error) == SETPAY_KIND_SECURITY)
        return error;
    switch ((enum setpay_wire_code)report.code) {
    case SETPAY_WIRE_UNKNOWN_TRANSACTION:
        return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                                  "the merchant has no open order under this link");
    case SETPAY_WIRE_ALREADY_USED:
        return setpay_problem_set(problem, SETPAY_E_EXISTS,
                                  "the merchant says that this order is being paid, or has been");
    case SETPAY_WIRE_EXPIRED:
        return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                                  "the merchant says that this order has expired");
    case SETPAY_WIRE_ENDED:
        return setpay_problem_set(problem, SETPAY_E_ORDER_ENDED,
                                  "the merchant says that this order was ended: nothing can be paid"
                                  " by this link any more");
    case SETPAY_WIRE_NOT_PERMITTED:
        return setpay_problem_set(problem, SETPAY_E_PERMISSION,
                                  "the merchant does not take %s for this order; choose another "
                                  "card",
                                  ask->card.brand);
    default:
        return error;
    }
}

/* Rules A2, A3 for all four certificates, and the offer's own; fills the offer being made. */
static enum setpay_error verify_offer(struct setpay_wallet_ask *ask,
                                      const struct setpay_message *message,
                                      const struct setpay_peer *peer, setpay_time_ms now_ms,
                                      struct setpay_problem *problem)
{
    enum setpay_error error =
        setpay_wallet_offer_verify(ask->wallet->trust, message, peer, now_ms, ask->offer);
    if (error == SETPAY_E_NOT_AGREED) /* rule W4 */
        setpay_problem_set(
            problem, error,
            "the offer's terms can't be agreed to: their end is over, or one payment "
            "may be more than all of it, or less than the first");
    return error;
}

struct find_xid {
    const struct setpay_id *xid;
    struct setpay_wallet_purchase purchase;
};

static enum setpay_error find_xid(struct setpay_db *db, void *arg)
{
    struct find_xid *find = arg;
    return setpay_wallet_store_read_purchase(db, find->xid, &find->purchase);
}

/* Rules A4, W2: an offer has an xid of its own. Under the xid of one that waits for the person's
 * word, agreeing to what that one shows would sign this one. */
static enum setpay_error check_xid(struct setpay_wallet *wallet, const struct setpay_id *xid)
{
    struct find_xid find = {.xid = xid};
    if (setpay_wallet_prepared_find(wallet, xid) != NULL)
        return SETPAY_E_ANSWER_IDS;
    setpay_wallet_purchase_init(&find.purchase);
    enum setpay_error error = setpay_store_read(wallet->reader, find_xid, &find);
    setpay_wallet_purchase_clear(&find.purchase);
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    return error == SETPAY_OK ? SETPAY_E_ANSWER_IDS : error;
}

static enum setpay_error take_offer(struct setpay_wallet_ask *ask,
                                    const struct setpay_http_answer *answer,
                                    struct setpay_problem *problem)
{
    struct setpay_message message;
    SETPAY_TRY(setpay_wallet_receive(answer, &message));
    enum setpay_error error = SETPAY_E_MESSAGE_TYPE;
    if (message.type == SETPAY_MESSAGE_ERROR)
        error = refusal_words(ask, &message, problem);
    else if (message.type == SETPAY_MESSAGE_PINIT_RES)
        error = verify_offer(ask, &message, answer->peer, setpay_clock_now_ms(), problem);
    if (error == SETPAY_OK)
        error = check_xid(ask->wallet, &ask->offer->content.xid);
    if (error == SETPAY_OK)
        error = setpay_buffer_set(&ask->offer->bytes, answer->body);
    setpay_message_clear(&message);
    return error;
}

static void on_offer(void *arg, const struct setpay_http_answer *answer)
{
    struct setpay_wallet_ask *ask = arg;
    struct setpay_wallet *wallet = ask->wallet;
    struct setpay_wallet_prepared *offer = ask->offer;
    struct setpay_problem problem = {{0}};
    ask->exchange = NULL;
    enum setpay_error error = take_offer(ask, answer, &problem);
    setpay_saved_trust_save(&wallet->saved);
    if (error == SETPAY_OK && wallet->draining)
        error = SETPAY_E_DRAINING;
    if (error == SETPAY_E_UNREACHABLE || error == SETPAY_E_TIMEOUT)
        setpay_problem_set(&problem, error,
                           error == SETPAY_E_TIMEOUT
                               ? "%s, port %u, has not answered in time; nothing was signed"
                               : "%s, port %u, can't be reached; nothing was signed",
                           offer->question.link.host, (unsigned)offer->question.link.port);
    if (error != SETPAY_OK) {
        ask_fail(ask, error, &problem);
        return;
    }
    json_t *json = setpay_wallet_offer_json(wallet, &offer->question.link, &offer->content,
                                            setpay_certificate_id(offer->gateway_sign), &ask->card);
    setpay_log(SETPAY_LOG_INFO, "offer.checked", setpay_field_id("xid", &offer->content.xid),
               setpay_field_text("merchant", offer->content.merchant_id),
               setpay_field_money("amount", &offer->content.amount));
    if (ask->prepare) {
        offer->insists = ask->insists_on != NULL;
        json = json_pack("{s:o, s:O*}", "offer", json, "insists_on", ask->insists_on);
        error = setpay_wallet_rule_advise(wallet, offer, json);
        if (error != SETPAY_OK) /* the person is asked then */
            setpay_log_error(error, "rule.unread", setpay_field_id("xid", &offer->content.xid));
        offer->next = wallet->prepared;
        wallet->prepared = offer;
        ask->offer = NULL;
        prepared_trim(wallet, setpay_clock_now_ms());
    }
    setpay_control_reply(ask->call, json);
    ask_free(ask);
}

/* ------------------------------------------------------------------ asking */

struct find_card {
    const char *words;
    struct setpay_wallet_card *card;
};

static enum setpay_error find_card(struct setpay_db *db, void *arg)
{
    struct find_card *find = arg;
    return setpay_wallet_store_find_card(db, find->words, find->card);
}

enum setpay_error setpay_wallet_choose_card(struct setpay_wallet *wallet, const char *words,
                                            struct setpay_wallet_card *card,
                                            struct setpay_problem *problem)
{
    struct find_card find = {.words = words, .card = card};
    enum setpay_error error = setpay_store_read(wallet->reader, find_card, &find);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error,
                                  words == NULL ? "there is no default card; see: setpay-wallet "
                                                  "card list, and card default"
                                                : "there is no such card; see: setpay-wallet card "
                                                  "list");
    if (error != SETPAY_OK)
        return error;
    if (card->status != SETPAY_WALLET_CARD_ACTIVE)
        return setpay_problem_set(
            problem, SETPAY_E_NOT_FOUND,
            "the card has no certificate yet; see: setpay-wallet card enrol, or card import");
    return SETPAY_OK;
}

/* Sends a PInitReq; the call is answered when the offer has come. Takes insists_on. */
static enum setpay_error ask(struct setpay_wallet *wallet, struct setpay_control_call *call,
                             const struct setpay_wallet_link *link, const char *card_words,
                             bool prepare, json_t *insists_on, struct setpay_problem *problem)
{
    struct setpay_buffer bytes = {0};
    struct setpay_wallet_ask *made = calloc(1, sizeof *made);
    if (made == NULL) {
        json_decref(insists_on);
        return SETPAY_E_NOMEM;
    }
    made->insists_on = insists_on;
    made->wallet = wallet;
    made->call = call;
    made->prepare = prepare;
    made->offer = calloc(1, sizeof *made->offer);
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    enum setpay_error error = made->offer == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_wallet_choose_card(wallet, card_words, &made->card, problem);
    if (error == SETPAY_OK) {
        setpay_buffer_init(&made->offer->bytes, SETPAY_LIMIT_MESSAGE_BYTES);
        made->offer->question.link = *link;
        made->offer->card = made->card.id;
        memcpy(made->offer->question.brand, made->card.brand, sizeof made->card.brand);
        error = setpay_wallet_question_build(&made->offer->question, wallet->trust,
                                             setpay_clock_now_ms(), &bytes);
    }
    if (error == SETPAY_OK)
        error = setpay_raw_hash(setpay_buffer_view(&bytes), &made->raw);
    if (error == SETPAY_OK)
        error = setpay_wallet_post(wallet, link, setpay_buffer_view(&bytes), on_offer, made,
                                   &made->exchange);
    setpay_buffer_clear(&bytes);
    if (error != SETPAY_OK) {
        ask_free(made);
        return error;
    }
    made->next = wallet->asks;
    wallet->asks = made;
    setpay_control_progress(call, json_pack("{s:s}", "stage", "asking"));
    return SETPAY_OK;
}

/* insist NULL: not an argument of this command. */
static enum setpay_error read_uri(const json_t *args, struct setpay_wallet_link *link,
                                  const char **card, bool *insist, struct setpay_problem *problem)
{
    static const char *const names[] = {"uri", "card", NULL};
    static const char *const more[] = {"uri", "card", "insist", NULL};
    const char *uri = NULL;
    SETPAY_TRY(setpay_json_args_check(args, insist == NULL ? names : more, problem));
    if (insist != NULL)
        SETPAY_TRY(setpay_json_arg_bool(args, "insist", false, insist, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "uri", true, &uri, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "card", false, card, problem));
    return setpay_wallet_link_parse(uri, link, problem);
}

void setpay_wallet_on_offer_show(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_problem problem = {{0}};
    struct setpay_wallet_link link;
    const char *card = NULL;
    enum setpay_error error = read_uri(args, &link, &card, NULL, &problem);
    if (error == SETPAY_OK)
        error = ask(arg, call, &link, card, false, NULL, &problem);
    if (error != SETPAY_OK)
        setpay_wallet_fail(call, error, &problem);
}

struct find_link {
    const struct setpay_wallet_link *link;
    struct setpay_id xid;
    enum setpay_wallet_state state;
    struct setpay_store_restore restore;
};

static enum setpay_error find_link(struct setpay_db *db, void *arg)
{
    struct find_link *find = arg;
    SETPAY_TRY(setpay_store_last_restore(db, &find->restore));
    return setpay_wallet_store_find_link(db, find->link, &find->xid, &find->state);
}

/* Rule W8: a link without a purchase may have had one that was forgotten. The person who insists is
 * told when that was. */
static enum setpay_error check_forgotten(const struct setpay_store_restore *restore, bool insist,
                                         json_t **insists_on, struct setpay_problem *problem)
{
    char from[SETPAY_TIME_TEXT_SIZE];
    char until[SETPAY_TIME_TEXT_SIZE];
    if (!setpay_wallet_may_have_forgotten(restore, setpay_clock_now_ms()))
        return SETPAY_OK;
    (void)setpay_time_format(restore->backup_ms, from);
    (void)setpay_time_format(restore->restored_ms, until);
    if (!insist)
        return setpay_problem_set(problem, SETPAY_E_FORGOTTEN,
                                  "this wallet was restored from a backup: what it paid between %s "
                                  "and %s it has forgotten, and this link may be among it. Look at "
                                  "your statement; to pay all the same, give --insist",
                                  from, until);
    *insists_on = json_pack("{s:s, s:s}", "forgotten_from", from, "forgotten_until", until);
    return *insists_on != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* Rule W5: replies with the purchase that the link has already, if it stands in the way; rule W7:
 * or gives it in insists_on, where the person may insist and does. */
static enum setpay_error reply_existing(struct setpay_wallet *wallet,
                                        struct setpay_control_call *call,
                                        const struct setpay_wallet_link *link, bool insist,
                                        bool *replied, json_t **insists_on,
                                        struct setpay_problem *problem)
{
    struct find_link find = {.link = link};
    json_t *json = NULL;
    *replied = false;
    enum setpay_error error = setpay_store_read(wallet->reader, find_link, &find);
    if (error == SETPAY_E_NOT_FOUND ||
        (error == SETPAY_OK && setpay_wallet_state_may_sign_again(find.state)))
        return check_forgotten(&find.restore, insist, insists_on, problem);
    if (error == SETPAY_OK && insist && !setpay_wallet_state_is_settled(find.state) &&
        !setpay_wallet_state_may_insist(find.state))
        return setpay_problem_set(problem, SETPAY_E_PAYMENT_OPEN,
                                  "this link is being paid, and the merchant has not refused it in "
                                  "writing: there is nothing to insist on yet");
    if (error == SETPAY_OK)
        error = setpay_wallet_purchase_json(wallet, &find.xid, true, &json);
    if (error != SETPAY_OK)
        return error;
    if (insist && setpay_wallet_state_may_insist(find.state)) {
        *insists_on = json;
        return SETPAY_OK;
    }
    setpay_control_reply(
        call, json_pack("{s:o, s:b}", "purchase", json,
                        setpay_wallet_state_is_settled(find.state) ? "already" : "resumes", 1));
    *replied = true;
    return SETPAY_OK;
}

void setpay_wallet_on_pay_prepare(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_wallet *wallet = arg;
    struct setpay_problem problem = {{0}};
    struct setpay_wallet_link link;
    const char *card = NULL;
    bool insist = false, replied = false;
    json_t *insists_on = NULL;
    enum setpay_error error = read_uri(args, &link, &card, &insist, &problem);
    if (error == SETPAY_OK)
        error = reply_existing(wallet, call, &link, insist, &replied, &insists_on, &problem);
    if (error == SETPAY_OK && !replied && setpay_wallet_is_locked(wallet)) {
        json_decref(insists_on);
        error = SETPAY_E_LOCKED;
    }
    if (error == SETPAY_OK && !replied)
        error = ask(wallet, call, &link, card, true, insists_on, &problem);
    if (error != SETPAY_OK)
        setpay_wallet_fail(call, error, &problem);
}
