/*
 * What all store and forward to issuers has in common. Rows of a table are handed to the network,
 * and what their issuer has answered is kept in an operation of the store. Where the store can't
 * take that just now, the answer waits here: the issuer has answered, and won't be asked again.
 *
 * All but setpay_forward_may_pass belongs to the thread of the network.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_STORE_FORWARD_H
#define SETPAY_GATEWAY_PAYMENT_STORE_FORWARD_H

#include "common/base/error.h"
#include "common/base/executor.h"
#include "common/net/loop.h"
#include "common/store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct setpay_forward;

/* One row that the network has: the first member of what its owner knows of it. */
struct setpay_forwarded {
    struct setpay_forward *forward;
    struct setpay_forwarded *next_unkept;
};

/* How it is done in one table. arg of write_cb: the struct setpay_forwarded. */
struct setpay_forward_way {
    setpay_store_operation_fn *write_cb; /* marks the row as answered */
    /* The answer could not be kept, and is tried again after that time. Told once for all that
     * wait, and not where the store was only busy. */
    void (*later_cb)(const struct setpay_forwarded *one, enum setpay_error error, int64_t again_ms);
    /* It is kept; or, with an error, it never will be: then the row stays open, and is handed in
     * again at the next start. Frees it. */
    void (*kept_cb)(struct setpay_forwarded *one, enum setpay_error error);
    void (*drop_cb)(struct setpay_forwarded *one); /* frees one that waits still, at the end */
};

struct setpay_forward {
    const struct setpay_forward_way *way;
    struct setpay_store *store;
    struct setpay_loop *loop;
    struct setpay_executor executor;
    struct setpay_reader *reader; /* of the table */
    struct setpay_timer *timer;   /* to the owner's next look, which begins with keep_unkept */
    struct setpay_forwarded *unkept;
    bool is_stopped;
};

/* forward: zeroed. look_cb runs on the loop when the timer is started. To be closed also where it
 * fails. */
enum setpay_error setpay_forward_open(struct setpay_forward *forward,
                                      const struct setpay_forward_way *way,
                                      struct setpay_store *store, struct setpay_loop *loop,
                                      setpay_timer_cb *look_cb, void *arg) SETPAY_MUST_CHECK;
/* No look any more; what could not be kept is left to the next start. */
void setpay_forward_stop(struct setpay_forward *forward);
void setpay_forward_close(struct setpay_forward *forward);

/* Whether what has failed so may go well another time. What never will (no such card any more, no
 * line for it) must not stand in the way of the rows behind it. */
bool setpay_forward_may_pass(enum setpay_error error);

/* The issuer has answered. */
void setpay_forward_keep(struct setpay_forwarded *one);
/* Once more, what could not be kept before. */
void setpay_forward_keep_unkept(struct setpay_forward *forward);

/* After a look that ended so: at once where there is more; soon where something failed, or waits;
 * and else after a while, for rows of which a full mailbox kept us from hearing. */
void setpay_forward_look_again(struct setpay_forward *forward, enum setpay_error error, bool more);

#endif
