/*
 * One look at a time; after a full portion the next follows at once.
 */
#include "gateway/issuer/holds.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "gateway/issuer/balances.h"

#include <stdlib.h>

#define LOOK_MS 1000 /* the clock may be moved by a test: no timer knows the end of a hold */
#define PORTION 256

struct setpay_issuer_holds {
    struct setpay_store *store;
    struct setpay_executor executor;
    struct setpay_timer *timer;
    bool stopped;
    int count;
};

static enum setpay_error expire(struct setpay_db *db, void *arg)
{
    struct setpay_issuer_holds *holds = arg;
    holds->count = 0;
    return setpay_balance_expire(db, "", setpay_clock_now_ms(), PORTION, &holds->count);
}

static void on_expired(void *arg, enum setpay_error error)
{
    struct setpay_issuer_holds *holds = arg;
    if (error != SETPAY_OK && error != SETPAY_E_BUSY)
        setpay_log_error(error, "issuer.holds", setpay_field_int("count", holds->count));
    else if (error == SETPAY_OK && holds->count > 0)
        setpay_log(SETPAY_LOG_INFO, "issuer.holds_ended", setpay_field_int("count", holds->count));
    if (!holds->stopped)
        setpay_timer_start(holds->timer,
                           error == SETPAY_OK && holds->count == PORTION ? 0 : LOOK_MS);
}

static void look(void *arg)
{
    struct setpay_issuer_holds *holds = arg;
    enum setpay_error error =
        setpay_store_submit(holds->store, expire, on_expired, holds, &holds->executor);
    if (error != SETPAY_OK)
        on_expired(holds, error);
}

enum setpay_error setpay_issuer_holds_new(struct setpay_loop *loop, struct setpay_store *store,
                                          struct setpay_issuer_holds **holds)
{
    struct setpay_issuer_holds *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->store = store;
    made->executor = setpay_loop_executor(loop);
    enum setpay_error error = setpay_timer_new(loop, look, made, &made->timer);
    if (error != SETPAY_OK) {
        free(made);
        return error;
    }
    setpay_timer_start(made->timer, 0);
    *holds = made;
    return SETPAY_OK;
}

void setpay_issuer_holds_stop(struct setpay_issuer_holds *holds)
{
    holds->stopped = true;
    setpay_timer_stop(holds->timer);
}

void setpay_issuer_holds_free(struct setpay_issuer_holds *holds)
{
    if (holds == NULL)
        return;
    setpay_timer_free(holds->timer);
    free(holds);
}
