/*
 * What became of a purchase, of the wallet's own accord: an authorised one is asked after about
 * once a day until a month after its last change, so that the gateway's receipts of captures and
 * refunds are in the wallet's hands before somebody needs them. A merchant can hold receipts back;
 * who was asked and did not hand them on has at least been asked.
 *
 * Times are drawn at random, one purchase at a time, and stored before the question goes: neither a
 * restart nor an unlock makes the wallet call everywhere at once. Only while it is unlocked, for
 * the question is signed.
 */
#include "cardholder/wallet.h"

#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS (30 * SETPAY_SECOND_MS)
#define LOOK_TESTING_MS 100
#define WAIT_MS (30 * SETPAY_SECOND_MS)

struct setpay_wallet_follower {
    struct setpay_wallet *wallet;
    struct setpay_timer *timer;
    int64_t look_ms, every_ms, for_ms;
    bool busy; /* storing, or asking */
    setpay_time_ms now_ms;
    struct setpay_wallet_followed followed;
    setpay_time_ms next_ms;
};

static enum setpay_error find_due(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_follower *follower = arg;
    return setpay_wallet_store_find_followed(
        db, follower->now_ms - follower->for_ms, follower->now_ms,
        follower->now_ms + 2 * follower->every_ms, &follower->followed);
}

static enum setpay_error store_next(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_follower *follower = arg;
    return setpay_wallet_store_set_followed(db, &follower->followed.xid, follower->next_ms);
}

static void on_heard(void *arg, enum setpay_error error)
{
    struct setpay_wallet_follower *follower = arg;
    (void)error; /* inquiry.c has logged it; tomorrow is another day */
    follower->busy = false;
}

static void on_stored(void *arg, enum setpay_error error)
{
    struct setpay_wallet_follower *follower = arg;
    struct setpay_wallet *wallet = follower->wallet;
    follower->busy = false;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "purchase.not_followed",
                         setpay_field_id("xid", &follower->followed.xid));
        return;
    }
    if (follower->followed.next_ms == 0 || setpay_wallet_is_locked(wallet))
        return; /* its first time is set now */
    follower->busy = setpay_wallet_refresh(wallet, &follower->followed.xid, WAIT_MS, on_heard,
                                           follower) == SETPAY_OK;
}

/* A first time within the interval, a later one around it. */
static enum setpay_error draw_next(struct setpay_wallet_follower *follower)
{
    struct setpay_id random;
    uint32_t drawn;
    SETPAY_TRY(setpay_id_random(&random));
    memcpy(&drawn, random.bytes, sizeof drawn);
    int64_t part_ms = (int64_t)(((uint64_t)follower->every_ms * drawn) >> 32);
    follower->next_ms = follower->now_ms + 1 + part_ms +
                        (follower->followed.next_ms == 0 ? 0 : follower->every_ms / 2);
    return SETPAY_OK;
}

static void on_look(void *arg)
{
    struct setpay_wallet_follower *follower = arg;
    struct setpay_wallet *wallet = follower->wallet;
    setpay_timer_start(follower->timer, follower->look_ms);
    if (follower->busy || wallet->draining || setpay_wallet_is_locked(wallet))
        return;
    follower->now_ms = setpay_clock_now_ms();
    enum setpay_error error = setpay_store_read(wallet->reader, find_due, follower);
    if (error == SETPAY_E_NOT_FOUND)
        return;
    if (error == SETPAY_OK)
        error = draw_next(follower);
    if (error == SETPAY_OK)
        error =
            setpay_store_submit(wallet->store, store_next, on_stored, follower, &wallet->executor);
    if (error == SETPAY_OK)
        follower->busy = true;
    else
        setpay_log_error(error, "purchase.not_followed",
                         setpay_field_id("xid", &follower->followed.xid));
}

enum setpay_error setpay_wallet_follower_new(struct setpay_wallet *wallet)
{
    const struct setpay_config *config = wallet->service->config;
    struct setpay_wallet_follower *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    wallet->follower = made; /* freed with the wallet, also after an error here */
    made->wallet = wallet;
    made->look_ms = wallet->service->testing ? LOOK_TESTING_MS : LOOK_MS;
    made->every_ms = setpay_config_int(config, "", "follow_every");
    made->for_ms = wallet->follow_for_ms;
    if (made->every_ms == 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_timer_new(wallet->loop, on_look, made, &made->timer));
    setpay_timer_start(made->timer, made->look_ms);
    return SETPAY_OK;
}

/* The loop has ended: nothing more comes. */
void setpay_wallet_follower_free(struct setpay_wallet *wallet)
{
    if (wallet->follower == NULL)
        return;
    setpay_timer_free(wallet->follower->timer);
    free(wallet->follower);
    wallet->follower = NULL;
}
