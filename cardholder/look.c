/*
 * The person looks at what was bought: list, status and receipt of stored purchases, and waiting
 * for one that is under way.
 *
 * A merchant is asked first what has become of its purchase, where a receipt may still follow: for
 * a few seconds and no longer, in a list all at once. Whoever is away, or has answered nothing that
 * holds, is named as not heard; then what was known is shown.
 */
#include "cardholder/purchase_json.h"
#include "cardholder/wallet.h"

#include "common/base/log.h"
#include "common/net/control_json.h"

#include <stdlib.h>

#define WAIT_MS 5000
#define LIST_WAIT_MS 3000
#define LIST_ASKED_MAX 32 /* the newest */

enum what { SHOW, RECEIPT };

/* One purchase that is looked at. */
struct look {
    struct setpay_wallet *wallet;
    struct setpay_control_call *call;
    struct setpay_id xid;
    enum what what;
};

/* ------------------------------------------------------------------ one purchase */

/* The arguments xid and, where refresh is not NULL, perhaps refresh. */
static enum setpay_error read_xid(const json_t *args, struct setpay_id *xid, bool *refresh,
                                  struct setpay_problem *problem)
{
    static const char *const names[] = {"xid", NULL, NULL};
    static const char *const more[] = {"xid", "refresh", NULL};
    const char *text = NULL;
    SETPAY_TRY(setpay_json_args_check(args, refresh != NULL ? more : names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "xid", true, &text, problem));
    if (refresh != NULL)
        SETPAY_TRY(setpay_json_arg_bool(args, "refresh", false, refresh, problem));
    if (setpay_id_parse(text, xid) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "xid: expected 32 hex digits");
    return SETPAY_OK;
}

struct reading {
    const struct setpay_id *xid;
    struct setpay_wallet_purchase purchase;
};

static enum setpay_error read_purchase(struct setpay_db *db, void *arg)
{
    struct reading *reading = arg;
    return setpay_wallet_store_read_purchase(db, reading->xid, &reading->purchase);
}

/* SETPAY_E_NOT_FOUND, with words. */
static enum setpay_error read_state(struct setpay_wallet *wallet, const struct setpay_id *xid,
                                    enum setpay_wallet_state *state, struct setpay_problem *problem)
{
    struct reading reading = {.xid = xid};
    setpay_wallet_purchase_init(&reading.purchase);
    enum setpay_error error = setpay_store_read(wallet->reader, read_purchase, &reading);
    *state = reading.purchase.state;
    setpay_wallet_purchase_clear(&reading.purchase);
    if (error == SETPAY_E_NOT_FOUND)
        setpay_problem_set(problem, error,
                           "this wallet has no such purchase; see: setpay-wallet list");
    return error;
}

static void set_refreshed(json_t *json, bool asked, enum setpay_error error)
{
    json_object_set_new(json, "refreshed", json_boolean(asked && error == SETPAY_OK));
    json_object_set_new(json, "refresh_error",
                        error == SETPAY_OK ? json_null() : json_string(setpay_error_text(error)));
}

/* asked: whether the merchant was; error: why it was not heard. */
static void reply(struct setpay_wallet *wallet, struct setpay_control_call *call,
                  const struct setpay_id *xid, enum what what, bool asked, enum setpay_error error)
{
    struct setpay_problem problem = {{0}};
    json_t *json = NULL;
    enum setpay_error read = what == SHOW ? setpay_wallet_purchase_json(wallet, xid, true, &json)
                                          : setpay_wallet_receipt_json(wallet, xid, &json);
    if (read == SETPAY_E_NOT_FOUND)
        setpay_problem_set(&problem, read,
                           "there is no receipt of this purchase (yet); see: setpay-wallet list");
    if (read != SETPAY_OK) {
        setpay_wallet_fail(call, read, &problem);
        return;
    }
    set_refreshed(json, asked, error);
    setpay_control_reply(call, json);
}

/* setpay_wallet_heard_fn */
static void on_heard(void *arg, enum setpay_error error)
{
    struct look *look = arg;
    reply(look->wallet, look->call, &look->xid, look->what, true, error);
    free(look);
}

/* Asks, and replies later. */
static enum setpay_error ask(struct setpay_wallet *wallet, struct setpay_control_call *call,
                             const struct setpay_id *xid, enum what what)
{
    struct look *look = calloc(1, sizeof *look);
    if (look == NULL)
        return SETPAY_E_NOMEM;
    *look = (struct look){.wallet = wallet, .call = call, .xid = *xid, .what = what};
    enum setpay_error error = setpay_wallet_refresh(wallet, xid, WAIT_MS, on_heard, look);
    if (error != SETPAY_OK)
        free(look);
    return error;
}

/* Whether the gateway may have signed more since. */
static bool may_follow(enum setpay_wallet_state state)
{
    return state == SETPAY_WALLET_AUTHORISED || state == SETPAY_WALLET_LAPSED ||
           !setpay_wallet_state_is_settled(state);
}

static void look_at(struct setpay_control_call *call, const json_t *args,
                    struct setpay_wallet *wallet, enum what what)
{
    struct setpay_problem problem = {{0}};
    struct setpay_id xid;
    enum setpay_wallet_state state = SETPAY_WALLET_NONE;
    bool refresh = what == SHOW;
    enum setpay_error error = read_xid(args, &xid, &refresh, &problem);
    if (error == SETPAY_OK)
        error = read_state(wallet, &xid, &state, &problem);
    if (error != SETPAY_OK) {
        setpay_wallet_fail(call, error, &problem);
        return;
    }
    if (refresh && (what == SHOW || may_follow(state))) {
        error = setpay_wallet_is_locked(wallet) ? SETPAY_E_LOCKED : ask(wallet, call, &xid, what);
        if (error == SETPAY_OK)
            return;
    }
    reply(wallet, call, &xid, what, false, error);
}

void setpay_wallet_on_purchase_show(struct setpay_control_call *call, const json_t *args, void *arg)
{
    look_at(call, args, arg, SHOW);
}

void setpay_wallet_on_purchase_receipt(struct setpay_control_call *call, const json_t *args,
                                       void *arg)
{
    look_at(call, args, arg, RECEIPT);
}

void setpay_wallet_on_pay_resume(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_wallet *wallet = arg;
    struct setpay_problem problem = {{0}};
    struct setpay_id xid;
    enum setpay_wallet_state state = SETPAY_WALLET_NONE;
    enum setpay_error error = read_xid(args, &xid, NULL, &problem);
    if (error == SETPAY_OK && setpay_wallet_is_locked(wallet))
        error = SETPAY_E_LOCKED;
    if (error == SETPAY_OK)
        error = read_state(wallet, &xid, &state, &problem);
    if (error == SETPAY_OK)
        setpay_wallet_pursue_wait(wallet, &xid, call, wallet->answer_wait_ms);
    else
        setpay_wallet_fail(call, error, &problem);
}

/* ------------------------------------------------------------------ the list */

struct asked {
    struct listing *listing;
    struct setpay_id xid;
    bool heard;
};

/* Freed by list_reply. */
struct listing {
    struct setpay_wallet *wallet;
    struct setpay_control_call *call;
    enum setpay_error refresh_error; /* why nobody was asked */
    size_t waiting;                  /* for that many answers, and one for ask_all itself */
    size_t asked_count;
    struct asked asked[LIST_ASKED_MAX];
    size_t count;
    struct setpay_id xids[SETPAY_WALLET_PURCHASES_MAX];
};

static enum setpay_error read_list(struct setpay_db *db, void *arg)
{
    struct listing *listing = arg;
    return setpay_wallet_store_list_purchases(db, false, listing->xids, SETPAY_WALLET_PURCHASES_MAX,
                                              &listing->count);
}

/* Those that a receipt may follow, authorised and changed lately: open ones are asked after anyway,
 * and an old one is when it is looked at by itself. */
static enum setpay_error choose(struct setpay_db *db, void *arg)
{
    struct listing *listing = arg;
    setpay_time_ms since_ms = setpay_clock_now_ms() - listing->wallet->follow_for_ms;
    struct reading reading;
    enum setpay_error error = SETPAY_OK;
    setpay_wallet_purchase_init(&reading.purchase);
    for (size_t i = 0; error == SETPAY_OK && i < listing->count; i++) {
        reading.xid = &listing->xids[i];
        error = read_purchase(db, &reading);
        if (error == SETPAY_OK && listing->asked_count < LIST_ASKED_MAX &&
            reading.purchase.state == SETPAY_WALLET_AUTHORISED &&
            reading.purchase.updated_ms > since_ms)
            listing->asked[listing->asked_count++] =
                (struct asked){.listing = listing, .xid = listing->xids[i]};
    }
    setpay_wallet_purchase_clear(&reading.purchase);
    return error;
}

static const struct asked *find_asked(const struct listing *listing, const struct setpay_id *xid)
{
    for (size_t i = 0; i < listing->asked_count; i++) {
        if (setpay_id_equal(&listing->asked[i].xid, xid))
            return &listing->asked[i];
    }
    return NULL;
}

static enum setpay_error list_json(const struct listing *listing, json_t *list, size_t *heard)
{
    for (size_t i = 0; i < listing->count; i++) {
        const struct asked *asked = find_asked(listing, &listing->xids[i]);
        json_t *json = NULL;
        SETPAY_TRY(setpay_wallet_purchase_json(listing->wallet, &listing->xids[i], false, &json));
        if (asked != NULL)
            json_object_set_new(json, "refreshed", json_boolean(asked->heard));
        *heard += asked != NULL && asked->heard;
        json_array_append_new(list, json);
    }
    return SETPAY_OK;
}

/* Takes the listing. */
static void list_reply(struct listing *listing)
{
    json_t *list = json_array();
    size_t heard = 0;
    enum setpay_error error = list_json(listing, list, &heard);
    if (error == SETPAY_OK) {
        json_t *json = json_pack("{s:O, s:I, s:I}", "purchases", list, "asked",
                                 (json_int_t)listing->asked_count, "not_heard",
                                 (json_int_t)(listing->asked_count - heard));
        if (listing->refresh_error != SETPAY_OK)
            json_object_set_new(json, "refresh_error",
                                json_string(setpay_error_text(listing->refresh_error)));
        setpay_control_reply(listing->call, json);
    } else {
        setpay_wallet_fail(listing->call, error, NULL);
    }
    json_decref(list);
    free(listing);
}

static void one_less(struct listing *listing)
{
    if (--listing->waiting == 0)
        list_reply(listing);
}

/* setpay_wallet_heard_fn */
static void on_one_heard(void *arg, enum setpay_error error)
{
    struct asked *asked = arg;
    asked->heard = error == SETPAY_OK;
    one_less(asked->listing);
}

static void ask_all(struct listing *listing)
{
    listing->waiting = 1;
    for (size_t i = 0; i < listing->asked_count; i++) {
        struct asked *asked = &listing->asked[i];
        if (setpay_wallet_refresh(listing->wallet, &asked->xid, LIST_WAIT_MS, on_one_heard,
                                  asked) == SETPAY_OK)
            listing->waiting++;
    }
    one_less(listing);
}

void setpay_wallet_on_purchase_list(struct setpay_control_call *call, const json_t *args, void *arg)
{
    static const char *const names[] = {"refresh", NULL};
    struct setpay_wallet *wallet = arg;
    struct setpay_problem problem = {{0}};
    bool refresh = false;
    enum setpay_error error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_bool(args, "refresh", false, &refresh, &problem);
    struct listing *listing = error == SETPAY_OK ? calloc(1, sizeof *listing) : NULL;
    if (error == SETPAY_OK && listing == NULL)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK) {
        listing->wallet = wallet;
        listing->call = call;
        error = setpay_store_read(wallet->reader, read_list, listing);
    }
    if (error == SETPAY_OK && refresh) {
        if (setpay_wallet_is_locked(wallet))
            listing->refresh_error = SETPAY_E_LOCKED;
        else
            error = setpay_store_read(wallet->reader, choose, listing);
    }
    if (error == SETPAY_OK) {
        ask_all(listing);
    } else {
        free(listing);
        setpay_wallet_fail(call, error, &problem);
    }
}
