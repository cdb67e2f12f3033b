/*
 * Watchers: notes of committed operations, carried to the threads that wait for them.
 *
 * What always holds: a note reaches every watcher that stood before its commit, or the watcher is
 * told to read again (reread); a watcher has at most one job under way in its executor; no call
 * comes after setpay_store_unwatch.
 *
 * A watcher keeps two arrays of notes. The committer fills one; the job takes it and leaves the
 * other in its place, so that the callback runs without a lock. Jobs of one executor run one after
 * another, so the array that a callback reads is never the one that is filled.
 *
 * A watcher dies when it is closed and neither a job of it is posted nor its callback runs. That
 * may be after the store is gone: the job touches nothing of the store.
 */
#include "common/store/committer.h"

#include <stdlib.h>
#include <string.h>

struct setpay_watcher {
    struct setpay_watcher *next;
    struct setpay_store *store;
    struct setpay_executor *executor;
    setpay_store_watch_cb *callback;
    void *arg;
    pthread_mutex_t mutex;
    struct setpay_store_note *filling;
    struct setpay_store_note *spare;
    size_t count;
    bool reread;
    bool posted;
    bool running;
    bool closed;
};

static void free_watcher(struct setpay_watcher *watcher)
{
    pthread_mutex_destroy(&watcher->mutex);
    free(watcher->filling);
    free(watcher->spare);
    free(watcher);
}

/* Runs on the executor. */
static void deliver_job(void *arg)
{
    struct setpay_watcher *watcher = arg;
    pthread_mutex_lock(&watcher->mutex);
    struct setpay_store_note *notes = watcher->filling;
    size_t count = watcher->count;
    bool reread = watcher->reread;
    bool call = !watcher->closed;
    watcher->filling = watcher->spare;
    watcher->spare = notes;
    watcher->count = 0;
    watcher->reread = false;
    watcher->posted = false;
    watcher->running = true;
    pthread_mutex_unlock(&watcher->mutex);
    if (call)
        watcher->callback(watcher->arg, notes, count, reread);
    pthread_mutex_lock(&watcher->mutex);
    watcher->running = false;
    bool dead = watcher->closed && !watcher->posted;
    pthread_mutex_unlock(&watcher->mutex);
    if (dead)
        free_watcher(watcher);
}

/* Adds the notes and posts a job where none is; false: the executor was full. */
static bool give(struct setpay_watcher *watcher, const struct setpay_store_note *notes,
                 size_t count, uint64_t *lost)
{
    bool delivered = true;
    pthread_mutex_lock(&watcher->mutex);
    size_t room = SETPAY_LIMIT_STORE_WATCH_NOTES - watcher->count;
    size_t taken = count < room ? count : room;
    if (taken > 0)
        memcpy(watcher->filling + watcher->count, notes, taken * sizeof *notes);
    watcher->count += taken;
    if (taken < count) {
        watcher->reread = true;
        *lost += count - taken;
    }
    if (!watcher->posted && (watcher->count > 0 || watcher->reread)) {
        enum setpay_error error =
            watcher->executor->post(watcher->executor->self, deliver_job, watcher);
        watcher->posted = error == SETPAY_OK;
        /* An executor that ends (DRAINING) runs nothing more: there is nobody left to tell. */
        delivered = error != SETPAY_E_BUSY;
    }
    pthread_mutex_unlock(&watcher->mutex);
    return delivered;
}

bool setpay_store_publish(struct setpay_store *store, const struct setpay_store_note *notes,
                          size_t count, uint64_t *lost)
{
    bool delivered = true;
    pthread_mutex_lock(&store->watch_mutex);
    for (struct setpay_watcher *watcher = store->watchers; watcher != NULL; watcher = watcher->next)
        delivered = give(watcher, notes, count, lost) && delivered;
    pthread_mutex_unlock(&store->watch_mutex);
    return delivered;
}

enum setpay_error setpay_store_watch(struct setpay_store *store, struct setpay_executor *executor,
                                     setpay_store_watch_cb *callback, void *arg,
                                     struct setpay_watcher **out)
{
    struct setpay_watcher *watcher = calloc(1, sizeof *watcher);
    if (watcher == NULL)
        return SETPAY_E_NOMEM;
    watcher->filling = calloc(SETPAY_LIMIT_STORE_WATCH_NOTES, sizeof *watcher->filling);
    watcher->spare = calloc(SETPAY_LIMIT_STORE_WATCH_NOTES, sizeof *watcher->spare);
    if (watcher->filling == NULL || watcher->spare == NULL ||
        pthread_mutex_init(&watcher->mutex, NULL) != 0) {
        free(watcher->filling);
        free(watcher->spare);
        free(watcher);
        return SETPAY_E_NOMEM;
    }
    watcher->store = store;
    watcher->executor = executor;
    watcher->callback = callback;
    watcher->arg = arg;
    pthread_mutex_lock(&store->watch_mutex);
    watcher->next = store->watchers;
    store->watchers = watcher;
    pthread_mutex_unlock(&store->watch_mutex);
    *out = watcher;
    return SETPAY_OK;
}

void setpay_store_unwatch(struct setpay_watcher *watcher)
{
    if (watcher == NULL)
        return;
    struct setpay_store *store = watcher->store;
    pthread_mutex_lock(&store->watch_mutex);
    struct setpay_watcher **link = &store->watchers;
    while (*link != watcher)
        link = &(*link)->next;
    *link = watcher->next;
    pthread_mutex_unlock(&store->watch_mutex);
    pthread_mutex_lock(&watcher->mutex);
    watcher->closed = true;
    bool dead = !watcher->posted && !watcher->running;
    pthread_mutex_unlock(&watcher->mutex);
    if (dead)
        free_watcher(watcher);
}
