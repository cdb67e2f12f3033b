#include "gateway/payment/store_forward.h"

#define RETRY_MS 250
#define LOOK_AGAIN_MS 5000
#define RETRY_FAILED_MS 1000 /* disk or memory is full: somebody must make room */

bool setpay_forward_may_pass(enum setpay_error error)
{
    switch (error) {
    case SETPAY_E_BUSY:
    case SETPAY_E_NOMEM:
    case SETPAY_E_IO:
    case SETPAY_E_STORE:
    case SETPAY_E_STORE_FULL:
    case SETPAY_E_DRAINING:
        return true;
    default:
        return false;
    }
}

static void keep_later(struct setpay_forwarded *one, enum setpay_error error)
{
    struct setpay_forward *forward = one->forward;
    int64_t again_ms = error == SETPAY_E_BUSY ? RETRY_MS : RETRY_FAILED_MS;
    if (error != SETPAY_E_BUSY && forward->unkept == NULL)
        forward->way->later_cb(one, error, again_ms);
    one->next_unkept = forward->unkept;
    forward->unkept = one;
    setpay_timer_start(forward->timer, again_ms);
}

static void on_kept(void *arg, enum setpay_error error)
{
    struct setpay_forwarded *one = arg;
    if (setpay_forward_may_pass(error) && !one->forward->is_stopped)
        keep_later(one, error);
    else
        one->forward->way->kept_cb(one, error);
}

void setpay_forward_keep(struct setpay_forwarded *one)
{
    struct setpay_forward *forward = one->forward;
    enum setpay_error error = setpay_store_submit(forward->store, forward->way->write_cb, on_kept,
                                                  one, &forward->executor);
    if (error != SETPAY_OK)
        on_kept(one, error);
}

void setpay_forward_keep_unkept(struct setpay_forward *forward)
{
    struct setpay_forwarded *one = forward->unkept;
    forward->unkept = NULL;
    while (one != NULL) {
        struct setpay_forwarded *next = one->next_unkept;
        setpay_forward_keep(one);
        one = next;
    }
}

void setpay_forward_look_again(struct setpay_forward *forward, enum setpay_error error, bool more)
{
    bool is_soon = error != SETPAY_OK || forward->unkept != NULL;
    setpay_timer_start(forward->timer, is_soon ? RETRY_MS : more ? 0 : LOOK_AGAIN_MS);
}

/* ------------------------------------------------------------------ its life */

enum setpay_error setpay_forward_open(struct setpay_forward *forward,
                                      const struct setpay_forward_way *way,
                                      struct setpay_store *store, struct setpay_loop *loop,
                                      setpay_timer_cb *look_cb, void *arg)
{
    forward->way = way;
    forward->store = store;
    forward->loop = loop;
    forward->executor = setpay_loop_executor(loop);
    SETPAY_TRY(setpay_reader_new(store, &forward->reader));
    return setpay_timer_new(loop, look_cb, arg, &forward->timer);
}

void setpay_forward_stop(struct setpay_forward *forward)
{
    forward->is_stopped = true;
    setpay_timer_stop(forward->timer);
}

void setpay_forward_close(struct setpay_forward *forward)
{
    struct setpay_forwarded *one;
    while ((one = forward->unkept) != NULL) {
        forward->unkept = one->next_unkept;
        forward->way->drop_cb(one);
    }
    setpay_timer_free(forward->timer);
    setpay_reader_free(forward->reader);
    forward->timer = NULL;
    forward->reader = NULL;
}
