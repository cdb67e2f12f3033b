/*
 * Requests that wait for a record to change, on one worker: each knows the id of its record (an
 * xid), and is resumed when a note of a commit names it. Not shared between threads; holds no
 * memory of its own, since a waiter stands in the request that waits.
 */
#ifndef SETPAY_STORE_WAIT_H
#define SETPAY_STORE_WAIT_H

#include "common/base/ids.h"
#include "common/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define SETPAY_WAITERS_BUCKETS 64

struct setpay_waiter {
    LIST_ENTRY(setpay_waiter) link;
    bool waits;
    struct setpay_id id;
    void (*resume_cb)(void *arg); /* may free the waiter, or let it wait again */
    void *arg;
};
LIST_HEAD(setpay_waiter_list, setpay_waiter);

/* All zero is empty. */
struct setpay_waiters {
    struct setpay_waiter_list buckets[SETPAY_WAITERS_BUCKETS];
};

/* resume_cb is called once, by the next wake that concerns id. The waiter must not wait already. */
void setpay_waiter_wait(struct setpay_waiters *waiters, struct setpay_waiter *waiter,
                        const struct setpay_id *id, void (*resume_cb)(void *arg), void *arg);
/* Waits no longer; also where it never did. */
void setpay_waiter_leave(struct setpay_waiter *waiter);
/* The notes of a commit, as a setpay_store_watch_cb gets them; reread: everybody is resumed. */
void setpay_waiters_wake(struct setpay_waiters *waiters, const struct setpay_store_note *notes,
                         size_t count, bool reread);
/* Calls back for each; the callback may let its own waiter leave, and no other. */
void setpay_waiters_each(struct setpay_waiters *waiters, void (*callback)(void *arg));

#endif
