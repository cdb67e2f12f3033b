/*
 * Who waits for which record: lists in buckets by id. A wake first moves those that it concerns to
 * a list of its own, so that one that waits again is not resumed twice by the same notes.
 */
#include "common/store/wait.h"

static struct setpay_waiter_list *bucket_of(struct setpay_waiters *waiters,
                                            const struct setpay_id *id)
{
    return &waiters->buckets[id->bytes[0] % SETPAY_WAITERS_BUCKETS]; /* ids are random */
}

void setpay_waiter_wait(struct setpay_waiters *waiters, struct setpay_waiter *waiter,
                        const struct setpay_id *id, void (*resume_cb)(void *arg), void *arg)
{
    waiter->id = *id;
    waiter->resume_cb = resume_cb;
    waiter->arg = arg;
    waiter->waits = true;
    LIST_INSERT_HEAD(bucket_of(waiters, id), waiter, link);
}

void setpay_waiter_leave(struct setpay_waiter *waiter)
{
    if (!waiter->waits)
        return;
    waiter->waits = false;
    LIST_REMOVE(waiter, link);
}

/* id: NULL for all of the bucket. */
static void take(struct setpay_waiter_list *bucket, const struct setpay_id *id,
                 struct setpay_waiter_list *taken)
{
    struct setpay_waiter *next = NULL;
    for (struct setpay_waiter *waiter = LIST_FIRST(bucket); waiter != NULL; waiter = next) {
        next = LIST_NEXT(waiter, link);
        if (id != NULL && !setpay_id_equal(&waiter->id, id))
            continue;
        LIST_REMOVE(waiter, link);
        LIST_INSERT_HEAD(taken, waiter, link);
    }
}

void setpay_waiters_wake(struct setpay_waiters *waiters, const struct setpay_store_note *notes,
                         size_t count, bool reread)
{
    struct setpay_waiter_list taken = LIST_HEAD_INITIALIZER(taken);
    for (size_t i = 0; i < count && !reread; i++)
        take(bucket_of(waiters, &notes[i].id), &notes[i].id, &taken);
    for (size_t i = 0; i < SETPAY_WAITERS_BUCKETS && reread; i++)
        take(&waiters->buckets[i], NULL, &taken);
    for (struct setpay_waiter *waiter; (waiter = LIST_FIRST(&taken)) != NULL;) {
        setpay_waiter_leave(waiter);
        waiter->resume_cb(waiter->arg);
    }
}

void setpay_waiters_each(struct setpay_waiters *waiters, void (*callback)(void *arg))
{
    struct setpay_waiter *next = NULL;
    for (size_t i = 0; i < SETPAY_WAITERS_BUCKETS; i++) {
        struct setpay_waiter *waiter = LIST_FIRST(&waiters->buckets[i]);
        for (; waiter != NULL; waiter = next) {
            next = LIST_NEXT(waiter, link);
            callback(waiter->arg);
        }
    }
}
