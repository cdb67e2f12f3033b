/*
 * Batches are closed each day at an hour of the merchant's, if it has one: what is captured is paid
 * only once its batch is closed, and nobody should have to think of that every evening.
 *
 * What is to be closed then is told by the rows alone: whatever was opened before the last time of
 * that hour. So an hour during which the daemon did not run is made up for at its start, nothing is
 * closed twice, and a clock that was ahead has closed a batch early and nothing else.
 */
#include "common/base/log.h"
#include "merchant/payment/batch_store.h"
#include "merchant/payment/dispatch.h"

#include <stdlib.h>

#define LOOK_PERIOD_MS 5000

struct setpay_merchant_batch_closer {
    struct setpay_merchant_worker *worker;
    struct setpay_timer *timer;
    bool stores;             /* an operation is under way */
    setpay_time_ms asked_ms; /* the hour of that operation */
    setpay_time_ms done_ms;  /* the last one whose batches are all to be closed */
    size_t count;
};

static enum setpay_error last_hour(const struct setpay_merchant_batch_hour *hour,
                                   setpay_time_ms now_ms, setpay_time_ms *time_ms)
{
    struct setpay_date day;
    SETPAY_TRY(setpay_zone_last_day(hour->zone, hour->minutes, now_ms, &day));
    return setpay_zone_cut_off(hour->zone, &day, hour->minutes, time_ms);
}

static enum setpay_error close_old(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_batch_closer *closer = arg;
    return setpay_merchant_batch_close_before(db, closer->asked_ms, &closer->count);
}

static void report(enum setpay_error error)
{
    setpay_log_error(error, "batch.hour", setpay_field_text("area", "batches"));
}

static void on_closed(void *arg, enum setpay_error error)
{
    struct setpay_merchant_batch_closer *closer = arg;
    closer->stores = false;
    if (error != SETPAY_OK)
        report(error);
    else if (closer->count < SETPAY_MERCHANT_BATCHES_AT_ONCE)
        closer->done_ms = closer->asked_ms;
}

static void on_look_time(void *arg)
{
    struct setpay_merchant_batch_closer *closer = arg;
    const struct setpay_merchant *merchant = closer->worker->merchant;
    setpay_time_ms hour_ms = 0;
    if (closer->stores)
        return;
    enum setpay_error error = last_hour(&merchant->batch_hour, setpay_clock_now_ms(), &hour_ms);
    if (error == SETPAY_OK && hour_ms == closer->done_ms)
        return;
    closer->asked_ms = hour_ms;
    if (error == SETPAY_OK)
        error = setpay_store_submit(merchant->store, close_old, on_closed, closer,
                                    &closer->worker->executor);
    closer->stores = error == SETPAY_OK;
    if (error != SETPAY_OK)
        report(error);
}

enum setpay_error setpay_merchant_batch_hour_new(struct setpay_merchant_worker *worker,
                                                 struct setpay_merchant_batch_closer **closer)
{
    *closer = NULL;
    if (worker->merchant->batch_hour.minutes < 0)
        return SETPAY_OK;
    struct setpay_merchant_batch_closer *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->worker = worker;
    enum setpay_error error = setpay_timer_new(worker->loop, on_look_time, made, &made->timer);
    if (error != SETPAY_OK) {
        free(made);
        return error;
    }
    setpay_timer_start_periodic(made->timer, LOOK_PERIOD_MS);
    *closer = made;
    return SETPAY_OK;
}

void setpay_merchant_batch_hour_free(struct setpay_merchant_batch_closer *closer)
{
    if (closer == NULL)
        return;
    setpay_timer_free(closer->timer);
    free(closer);
}
