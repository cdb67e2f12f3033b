/*
 * Those who wait for a purchase. Whoever is told is off the list before, so that what a callback
 * does can't meet it there.
 */
#include "cardholder/waiter.h"

#include <stdlib.h>

#define PREFIX_WORDS 160

struct setpay_wallet_waiter {
    struct setpay_wallet_waiter *next;
    struct setpay_wallet_waiters *list;
    struct setpay_wallet *wallet;
    struct setpay_id xid; /* of a call's purchase */
    struct setpay_timer *timer;
    struct setpay_control_call *call; /* that waits for the outcome, */
    setpay_wallet_heard_fn *heard_cb; /* or NULL, and this for one answer */
    void *arg;
};

static void waiter_free(struct setpay_wallet_waiter *waiter)
{
    setpay_timer_free(waiter->timer);
    free(waiter);
}

void setpay_wallet_reply_purchase(struct setpay_wallet *wallet, const struct setpay_id *xid,
                                  struct setpay_control_call *call)
{
    json_t *json = NULL;
    enum setpay_error error = setpay_wallet_purchase_json(wallet, xid, false, &json);
    if (error == SETPAY_OK)
        setpay_control_reply(call, json);
    else
        setpay_wallet_fail(call, error, NULL);
}

/* It is off the list, here and in the next one. error: why the merchant was not heard. */
static void waiter_tell(struct setpay_wallet_waiter *waiter, enum setpay_error error)
{
    if (waiter->heard_cb != NULL)
        waiter->heard_cb(waiter->arg, error);
    else
        setpay_wallet_reply_purchase(waiter->wallet, &waiter->xid, waiter->call);
    waiter_free(waiter);
}

static void waiter_fail(struct setpay_wallet_waiter *waiter, enum setpay_error error)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    struct setpay_problem problem;
    setpay_problem_set(&problem, error,
                       "%.*s; purchase %s stays pending, and the wallet goes on "
                       "inquiring",
                       PREFIX_WORDS, setpay_error_text(error), setpay_id_format(&waiter->xid, xid));
    setpay_wallet_fail(waiter->call, error, &problem);
    waiter_free(waiter);
}

/* Takes the first look, or the first call, off the list; NULL where there is none. */
static struct setpay_wallet_waiter *take_next(struct setpay_wallet_waiters *waiters, bool look)
{
    struct setpay_wallet_waiter **at = &waiters->first;
    while (*at != NULL && ((*at)->heard_cb != NULL) != look)
        at = &(*at)->next;
    struct setpay_wallet_waiter *waiter = *at;
    if (waiter != NULL)
        *at = waiter->next;
    return waiter;
}

/* ------------------------------------------------------------------ joining */

static void on_wait_over(void *arg)
{
    struct setpay_wallet_waiter *waiter = arg;
    struct setpay_wallet_waiter **at = &waiter->list->first;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    waiter_tell(waiter, SETPAY_E_TIMEOUT);
}

static enum setpay_error add(struct setpay_wallet_waiters *waiters,
                             const struct setpay_wallet_waiter *from, int64_t wait_ms)
{
    struct setpay_wallet_waiter *waiter = malloc(sizeof *waiter);
    if (waiter == NULL)
        return SETPAY_E_NOMEM;
    *waiter = *from;
    enum setpay_error error =
        setpay_timer_new(waiter->wallet->loop, on_wait_over, waiter, &waiter->timer);
    if (error != SETPAY_OK) {
        free(waiter);
        return error;
    }
    waiter->list = waiters;
    waiter->next = waiters->first;
    waiters->first = waiter;
    setpay_timer_start(waiter->timer, wait_ms);
    return SETPAY_OK;
}

enum setpay_error setpay_wallet_waiters_add_call(struct setpay_wallet_waiters *waiters,
                                                 struct setpay_wallet *wallet,
                                                 const struct setpay_id *xid,
                                                 struct setpay_control_call *call, int64_t wait_ms)
{
    return add(waiters, &(struct setpay_wallet_waiter){.wallet = wallet, .xid = *xid, .call = call},
               wait_ms);
}

enum setpay_error setpay_wallet_waiters_add_look(struct setpay_wallet_waiters *waiters,
                                                 struct setpay_wallet *wallet,
                                                 setpay_wallet_heard_fn *heard_cb, void *arg,
                                                 int64_t wait_ms)
{
    return add(waiters,
               &(struct setpay_wallet_waiter){.wallet = wallet, .heard_cb = heard_cb, .arg = arg},
               wait_ms);
}

bool setpay_wallet_waiters_have_look(const struct setpay_wallet_waiters *waiters)
{
    const struct setpay_wallet_waiter *waiter = waiters->first;
    while (waiter != NULL && waiter->heard_cb == NULL)
        waiter = waiter->next;
    return waiter != NULL;
}

/* ------------------------------------------------------------------ telling */

void setpay_wallet_waiters_tell_looks(struct setpay_wallet_waiters *waiters,
                                      enum setpay_error error)
{
    struct setpay_wallet_waiter *waiter;
    while ((waiter = take_next(waiters, true)) != NULL)
        waiter_tell(waiter, error);
}

void setpay_wallet_waiters_tell_calls(struct setpay_wallet_waiters *waiters)
{
    struct setpay_wallet_waiter *waiter;
    while ((waiter = take_next(waiters, false)) != NULL)
        waiter_tell(waiter, SETPAY_OK);
}

void setpay_wallet_waiters_fail_calls(struct setpay_wallet_waiters *waiters,
                                      enum setpay_error error)
{
    struct setpay_wallet_waiter *waiter;
    while ((waiter = take_next(waiters, false)) != NULL)
        waiter_fail(waiter, error);
}

void setpay_wallet_waiters_progress(const struct setpay_wallet_waiters *waiters, const char *stage)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    for (const struct setpay_wallet_waiter *waiter = waiters->first; waiter != NULL;
         waiter = waiter->next) {
        if (waiter->heard_cb == NULL)
            setpay_control_progress(waiter->call, json_pack("{s:s, s:s}", "stage", stage, "xid",
                                                            setpay_id_format(&waiter->xid, xid)));
    }
}
