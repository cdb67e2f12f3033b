/*
 * The committer: one thread, the writing connection, a bounded queue.
 *
 * What always holds:
 * - requests are taken in order, up to group_max operations in one transaction, each behind a
 *   savepoint of its own;
 * - nobody hears of an operation before the COMMIT that holds it has returned, and everybody hears
 *   exactly once;
 * - when the engine gives up the transaction (full, I/O, memory), the whole group has failed,
 *   those included whose own writes had gone well;
 * - a COMMIT or checkpoint that fails on I/O leaves it open what the disk holds. Going on could
 *   build on writes that are not there, so the store is broken from then on: it refuses everything
 *   and leaves its files alone until the next open recovers them.
 *
 * A commit costs about the same whatever it holds. So while operations share groups at all, one
 * group is taken each GATHER_US and not sooner: that makes groups larger, and what a commit costs
 * is shared by more. A client that is alone is not held up, since it never shares one.
 *
 * An erasure is a request without an operation: rule M7's wish that what was deleted before it
 * leaves the log too.
 */
#include "common/store/committer.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/testing.h"

#include <stdlib.h>
#include <time.h>

#define CHECKPOINT_EVERY_MS 1000
#define CHECKPOINT_PAGES 2000 /* sooner under load: pauses stay short */
#define LOG_PAGES_MAX 32768   /* 128 MiB: readers never let it start anew; insist */
#define INSIST_WAIT_MS 50
#define ERASE_WAIT_FIRST_MS 10 /* pauses the committer: doubled on each try … */
#define ERASE_WAIT_LAST_MS 200 /* … up to this */
#define ERASE_PAUSE_MS 10
#define DELIVER_AGAIN_MS 10
#define COPY_PAGES 128 /* 512 KiB: about a millisecond */
#define GATHER_US 1000
#define CROWDED_GROUPS 16 /* after one that was shared */

/* ------------------------------------------------------------------ lists */

static void push(struct setpay_store_list *list, struct setpay_store_request *request)
{
    request->next = NULL;
    if (list->last != NULL)
        list->last->next = request;
    else
        list->first = request;
    list->last = request;
    list->count++;
}

static struct setpay_store_request *pop(struct setpay_store_list *list)
{
    struct setpay_store_request *request = list->first;
    list->first = request->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    return request;
}

/* ------------------------------------------------------------------ telling */

static void tell_job(void *arg)
{
    struct setpay_store_request *request = arg;
    setpay_store_done_fn *done = request->done;
    void *done_arg = request->arg;
    enum setpay_error error = request->error;
    free(request);
    done(done_arg, error);
}

static void tell_waiter(struct setpay_store_waiter *waiter, enum setpay_error error)
{
    pthread_mutex_lock(&waiter->mutex);
    waiter->is_over = true;
    waiter->error = error;
    pthread_cond_signal(&waiter->over);
    pthread_mutex_unlock(&waiter->mutex);
}

/* The request is no longer ours after this. */
static void tell(struct setpay_store_request *request, enum setpay_error error)
{
    struct setpay_store_waiter *waiter = request->waiter;
    request->error = error;
    if (request->executor != NULL) {
        request->executor->post_reserved(request->executor->self, tell_job, request);
        return;
    }
    free(request);
    if (waiter != NULL)
        tell_waiter(waiter, error);
}

/* Waits until it is over; gives what the waiter was told. */
static enum setpay_error wait_over(struct setpay_store_waiter *waiter)
{
    pthread_mutex_lock(&waiter->mutex);
    while (!waiter->is_over)
        pthread_cond_wait(&waiter->over, &waiter->mutex);
    pthread_mutex_unlock(&waiter->mutex);
    pthread_cond_destroy(&waiter->over);
    pthread_mutex_destroy(&waiter->mutex);
    return waiter->error;
}

/* ------------------------------------------------------------------ submitting */

static enum setpay_error enqueue(struct setpay_store *store, struct setpay_store_request *request)
{
    enum setpay_error error = SETPAY_OK;
    pthread_mutex_lock(&store->mutex);
    if (store->draining) {
        error = SETPAY_E_DRAINING;
    } else if (store->broken) {
        error = SETPAY_E_IO;
    } else if (store->queue.count >= store->queue_max) {
        error = SETPAY_E_BUSY;
        store->counters.operations_busy++;
    } else {
        request->submitted_ms = setpay_clock_monotonic_ms();
        push(&store->queue, request);
        if (store->queue.count == 1 || store->queue.count == store->group_max)
            pthread_cond_signal(&store->wake);
    }
    pthread_mutex_unlock(&store->mutex);
    return error;
}

static enum setpay_error submit(struct setpay_store *store, setpay_store_operation_fn *operation,
                                setpay_store_done_fn *done, void *arg,
                                struct setpay_executor *executor,
                                struct setpay_store_waiter *waiter)
{
    struct setpay_store_request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return SETPAY_E_NOMEM;
    request->operation = operation;
    request->done = done;
    request->arg = arg;
    request->executor = done != NULL ? executor : NULL;
    request->waiter = waiter;
    enum setpay_error error = SETPAY_OK;
    if (request->executor != NULL)
        error = executor->reserve(executor->self);
    if (error == SETPAY_OK) {
        error = enqueue(store, request);
        if (error != SETPAY_OK && request->executor != NULL)
            executor->release(executor->self);
    }
    if (error != SETPAY_OK)
        free(request);
    return error;
}

static enum setpay_error submit_wait(struct setpay_store *store,
                                     setpay_store_operation_fn *operation, void *arg)
{
    struct setpay_store_waiter waiter = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                                         .over = PTHREAD_COND_INITIALIZER};
    SETPAY_TRY(submit(store, operation, NULL, arg, NULL, &waiter));
    return wait_over(&waiter);
}

enum setpay_error setpay_store_submit(struct setpay_store *store,
                                      setpay_store_operation_fn *operation,
                                      setpay_store_done_fn *done, void *arg,
                                      struct setpay_executor *executor)
{
    return submit(store, operation, done, arg, executor, NULL);
}

enum setpay_error setpay_store_submit_wait(struct setpay_store *store,
                                           setpay_store_operation_fn *operation, void *arg)
{
    return submit_wait(store, operation, arg);
}

enum setpay_error setpay_store_checkpoint_truncate(struct setpay_store *store,
                                                   setpay_store_done_fn *done, void *arg,
                                                   struct setpay_executor *executor)
{
    return submit(store, NULL, done, arg, executor, NULL);
}

enum setpay_error setpay_store_checkpoint_truncate_wait(struct setpay_store *store)
{
    return submit_wait(store, NULL, NULL);
}

/* ------------------------------------------------------------------ one group */

static void break_store(struct setpay_store *store, const char *where)
{
    setpay_log_error(
        SETPAY_E_IO, "store.broken", setpay_field_text("in", where),
        setpay_field_text("message", store->backend->message(store->writer->connection)));
    pthread_mutex_lock(&store->mutex);
    store->broken = true;
    pthread_mutex_unlock(&store->mutex);
}

/* Runs one operation behind its savepoint; its error is in the request. The error returned is
 * that of the transaction, which is then lost. */
static enum setpay_error run_operation(struct setpay_store *store,
                                       struct setpay_store_request *request)
{
    const struct setpay_store_backend *backend = store->backend;
    struct setpay_db *db = store->writer;
    setpay_testing_point("store.write");
    SETPAY_TRY(backend->savepoint(db->connection));
    setpay_db_start(db);
    request->error = setpay_db_finish(db, request->operation(db, request->arg));
    if (request->error != SETPAY_OK)
        db->note_count = db->operation_notes;
    if (!backend->in_transaction(db->connection))
        return db->failure != SETPAY_OK ? db->failure : SETPAY_E_STORE;
    return request->error == SETPAY_OK ? backend->release(db->connection)
                                       : backend->rollback_to(db->connection);
}

static enum setpay_error commit_group(struct setpay_store *store)
{
    setpay_testing_point("store.commit");
    int64_t started_us = setpay_clock_monotonic_us();
    enum setpay_error error = store->backend->commit(store->writer->connection);
    int64_t took_us = setpay_clock_monotonic_us() - started_us;
    if (error == SETPAY_E_IO)
        break_store(store, "commit");
    if (error != SETPAY_OK)
        return error;
    setpay_testing_point("store.committed");
    store->dirty = true;
    pthread_mutex_lock(&store->mutex);
    store->counters.commits++;
    store->counters.last_commit_ms = setpay_clock_now_ms();
    store->counters.commit_us_total += took_us;
    if (took_us > store->counters.commit_us_max)
        store->counters.commit_us_max = took_us;
    pthread_mutex_unlock(&store->mutex);
    return SETPAY_OK;
}

/* Runs all operations of group and commits. The error returned is that of the whole group. */
static enum setpay_error run_transaction(struct setpay_store *store,
                                         const struct setpay_store_list *group)
{
    void *connection = store->writer->connection;
    bool wrote = false;
    store->writer->note_count = 0;
    enum setpay_error error = store->backend->begin(connection, true);
    for (struct setpay_store_request *request = group->first; request != NULL && error == SETPAY_OK;
         request = request->next) {
        error = run_operation(store, request);
        wrote = wrote || request->error == SETPAY_OK;
    }
    if (error == SETPAY_OK && wrote)
        error = commit_group(store);
    if (error != SETPAY_OK || !wrote) {
        /* Also when nobody has anything to keep: cheaper than an empty commit. */
        store->backend->rollback(connection);
        store->writer->note_count = 0;
    }
    return error;
}

static void run_group(struct setpay_store *store, struct setpay_store_list *group)
{
    enum setpay_error lost = run_transaction(store, group);
    uint64_t committed = 0;
    uint64_t refused = 0;
    for (struct setpay_store_request *request = group->first; request != NULL;
         request = request->next) {
        if (lost != SETPAY_OK && request->error == SETPAY_OK)
            request->error = lost;
        if (request->error == SETPAY_OK)
            committed++;
        else
            refused++;
    }
    if (lost != SETPAY_OK)
        setpay_log_error(lost, "store.group_lost",
                         setpay_field_int("operations", (int64_t)group->count));
    uint64_t notes_lost = 0;
    if (!setpay_store_publish(store, store->writer->notes, store->writer->note_count, &notes_lost))
        store->notes_undelivered = true;
    /* Counted before anybody is told, so that who was told finds it counted. */
    pthread_mutex_lock(&store->mutex);
    store->counters.operations += committed;
    store->counters.operations_failed += refused;
    store->counters.groups_lost += lost != SETPAY_OK;
    store->counters.notes_lost += notes_lost;
    store->running_since_ms = 0;
    pthread_mutex_unlock(&store->mutex);
    while (group->count > 0) {
        struct setpay_store_request *request = pop(group);
        tell(request, request->error);
    }
}

/* ------------------------------------------------------------------ the log */

static enum setpay_error checkpoint(struct setpay_store *store, bool truncate, int wait_ms,
                                    bool *complete)
{
    enum setpay_error error =
        store->backend->checkpoint(store->writer->connection, truncate, wait_ms, complete);
    store->checkpoint_ms = setpay_clock_monotonic_ms();
    if (error == SETPAY_E_IO)
        break_store(store, "checkpoint");
    else if (error != SETPAY_OK)
        setpay_log_error(
            error, "store.checkpoint",
            setpay_field_text("message", store->backend->message(store->writer->connection)));
    if (error == SETPAY_OK && *complete)
        store->dirty = false;
    pthread_mutex_lock(&store->mutex);
    store->counters.checkpoints++;
    pthread_mutex_unlock(&store->mutex);
    return error;
}

/* rule M7 */
static void erase(struct setpay_store *store)
{
    bool complete = false;
    enum setpay_error error = checkpoint(store, true, store->erase_wait_ms, &complete);
    int64_t now_ms = setpay_clock_monotonic_ms();
    size_t count = store->erasures.count;
    for (size_t i = 0; i < count; i++) {
        struct setpay_store_request *request = pop(&store->erasures);
        if (error != SETPAY_OK)
            tell(request, error);
        else if (complete)
            tell(request, SETPAY_OK);
        else if (now_ms - request->submitted_ms >= SETPAY_LIMIT_STORE_ERASE_MS)
            tell(request, SETPAY_E_TIMEOUT);
        else
            push(&store->erasures, request);
    }
    store->erase_next_ms = now_ms + ERASE_PAUSE_MS;
    store->erase_wait_ms *= 2;
    if (store->erase_wait_ms > ERASE_WAIT_LAST_MS)
        store->erase_wait_ms = ERASE_WAIT_LAST_MS;
    if (store->erasures.count == 0) {
        store->erase_wait_ms = ERASE_WAIT_FIRST_MS;
        store->erase_next_ms = 0;
    }
}

/* What is due between two groups. */
static void maintain(struct setpay_store *store)
{
    int64_t now_ms = setpay_clock_monotonic_ms();
    if (store->notes_undelivered) {
        uint64_t lost = 0;
        store->notes_undelivered = !setpay_store_publish(store, NULL, 0, &lost);
    }
    if (store->broken) { /* only this thread sets it */
        while (store->erasures.count > 0)
            tell(pop(&store->erasures), SETPAY_E_IO);
        return;
    }
    if (store->erasures.count > 0) {
        if (now_ms >= store->erase_next_ms)
            erase(store);
        return;
    }
    size_t pages = store->backend->log_pages(store->writer->connection);
    bool due = now_ms - store->checkpoint_ms >= CHECKPOINT_EVERY_MS;
    if (!store->dirty ||
        (!due && (pages < CHECKPOINT_PAGES || now_ms - store->checkpoint_ms < 100)))
        return;
    bool complete = false;
    enum setpay_error error =
        checkpoint(store, due && pages >= LOG_PAGES_MAX, INSIST_WAIT_MS, &complete);
    (void)error; /* logged; the log keeps everything until a later one succeeds */
}

/* ------------------------------------------------------------------ copies */

enum setpay_error setpay_store_copy(struct setpay_store *store, const char *path,
                                    const atomic_bool *cancel, struct setpay_problem *problem)
{
    struct setpay_store_copying copying = {
        .path = path,
        .cancel = cancel,
        .problem = problem,
        .waiter = {.mutex = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER}};
    enum setpay_error error = SETPAY_OK;
    pthread_mutex_lock(&store->mutex);
    if (store->draining)
        error = SETPAY_E_DRAINING;
    else if (store->broken)
        error = SETPAY_E_IO;
    else if (store->copying != NULL)
        error = setpay_problem_set(problem, SETPAY_E_BUSY, "another backup is being made");
    else
        /* Taken away by end_copy, for which wait_over waits. */
        // cppcheck-suppress autoVariables
        store->copying = &copying;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->mutex);
    return error == SETPAY_OK ? wait_over(&copying.waiter) : error;
}

static void end_copy(struct setpay_store *store, enum setpay_error error)
{
    struct setpay_store_copying *copying = store->copying;
    if (copying->copy != NULL) {
        enum setpay_error ended = store->backend->copy_end(copying->copy);
        error = error == SETPAY_OK ? ended : error;
    }
    pthread_mutex_lock(&store->mutex);
    store->copying = NULL;
    pthread_mutex_unlock(&store->mutex);
    tell_waiter(&copying->waiter, error);
}

/* One piece between two groups: that long, and no longer, does an operation wait for a copy. */
static void copy_piece(struct setpay_store *store)
{
    struct setpay_store_copying *copying = store->copying; /* only this thread takes it away */
    bool complete = false;
    enum setpay_error error = store->broken ? SETPAY_E_IO : SETPAY_OK;
    if (copying->cancel != NULL && atomic_load(copying->cancel))
        error = SETPAY_E_DRAINING;
    if (error == SETPAY_OK && copying->copy == NULL)
        error = store->backend->copy_begin(store->writer->connection, copying->path, &copying->copy,
                                           copying->problem);
    if (error == SETPAY_OK)
        error = store->backend->copy_step(copying->copy, COPY_PAGES, &complete);
    setpay_testing_point("store.copied");
    if (error != SETPAY_OK || complete)
        end_copy(store, error);
}

/* How long the committer may sleep with an empty queue; -1: until it is woken. */
static int64_t sleep_ms(const struct setpay_store *store)
{
    int64_t now_ms = setpay_clock_monotonic_ms();
    int64_t until_ms = -1;
    if (store->copying != NULL)
        return 0;
    if (store->notes_undelivered)
        return DELIVER_AGAIN_MS;
    if (store->erasures.count > 0)
        until_ms = store->erase_next_ms;
    else if (store->dirty && !store->broken)
        until_ms = store->checkpoint_ms + CHECKPOINT_EVERY_MS;
    if (until_ms < 0)
        return -1;
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

/* ------------------------------------------------------------------ the thread */

/* Until somebody wakes it, or for that long, with the mutex held. */
static void sleep_for(struct setpay_store *store, int64_t us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(us / 1000000);
    until.tv_nsec += (long)(us % 1000000) * 1000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_cond_timedwait(&store->wake, &store->mutex, &until);
}

/* Waits for work with the mutex held. */
static void sleep_until_due(struct setpay_store *store)
{
    int64_t ms = sleep_ms(store);
    if (ms < 0)
        pthread_cond_wait(&store->wake, &store->mutex);
    else if (ms > 0)
        sleep_for(store, ms * 1000);
}

/* Gives those a moment who would otherwise just miss the group, with the mutex held. */
static void gather(struct setpay_store *store)
{
    int64_t until_us = store->taken_us + GATHER_US, now_us = setpay_clock_monotonic_us();
    while (store->crowded > 0 && now_us < until_us && store->queue.count < store->group_max &&
           store->queue.count > 0 && !store->draining) {
        sleep_for(store, until_us - now_us);
        now_us = setpay_clock_monotonic_us();
    }
    store->taken_us = now_us;
    if (store->queue.count > 1)
        store->crowded = CROWDED_GROUPS;
    else if (store->crowded > 0)
        store->crowded--;
}

/* Takes the next group; false when the queue is empty and the store is to end. */
static bool take_group(struct setpay_store *store, struct setpay_store_list *group)
{
    pthread_mutex_lock(&store->mutex);
    if (store->queue.count == 0 && (!store->draining || store->erasures.count > 0))
        sleep_until_due(store);
    gather(store);
    while (store->queue.count > 0 && group->count < store->group_max) {
        struct setpay_store_request *request = pop(&store->queue);
        push(request->operation != NULL ? group : &store->erasures, request);
    }
    if (group->count > 0)
        store->running_since_ms = group->first->submitted_ms;
    bool more = group->count > 0 || store->erasures.count > 0 || !store->draining;
    pthread_mutex_unlock(&store->mutex);
    return more;
}

/* Operations that were queued when the store broke. */
static void refuse_group(struct setpay_store_list *group)
{
    while (group->count > 0)
        tell(pop(group), SETPAY_E_IO);
}

static bool is_copying(struct setpay_store *store)
{
    pthread_mutex_lock(&store->mutex);
    bool copying = store->copying != NULL;
    pthread_mutex_unlock(&store->mutex);
    return copying;
}

void *setpay_store_committer(void *arg)
{
    struct setpay_store *store = arg;
    struct setpay_store_list group = {0};
    pthread_setname_np(pthread_self(), "store");
    store->erase_wait_ms = ERASE_WAIT_FIRST_MS;
    store->checkpoint_ms = setpay_clock_monotonic_ms();
    while (take_group(store, &group)) {
        if (store->broken)
            refuse_group(&group);
        else if (group.count > 0)
            run_group(store, &group);
        maintain(store);
        if (is_copying(store))
            copy_piece(store);
    }
    if (store->copying != NULL)
        end_copy(store, SETPAY_E_DRAINING);
    bool complete = store->broken;
    for (int wait_ms = ERASE_WAIT_FIRST_MS; !complete && wait_ms <= 640; wait_ms *= 2) {
        if (checkpoint(store, true, wait_ms, &complete) != SETPAY_OK)
            break;
    }
    pthread_mutex_lock(&store->mutex);
    store->drained = true;
    pthread_cond_broadcast(&store->rest);
    pthread_mutex_unlock(&store->mutex);
    return NULL;
}

/* ------------------------------------------------------------------ health */

const char *setpay_store_place(const struct setpay_store *store)
{
    return store != NULL ? store->place : NULL;
}

void setpay_store_health(struct setpay_store *store, int64_t stuck_after_ms,
                         struct setpay_store_health *health)
{
    int64_t now_ms = setpay_clock_monotonic_ms();
    pthread_mutex_lock(&store->mutex);
    *health = store->counters;
    health->broken = store->broken;
    health->draining = store->draining;
    health->queue_depth = store->queue.count;
    int64_t since_ms = store->running_since_ms;
    if (since_ms == 0 && store->queue.first != NULL)
        since_ms = store->queue.first->submitted_ms;
    pthread_mutex_unlock(&store->mutex);
    health->oldest_wait_ms = since_ms > 0 && now_ms > since_ms ? now_ms - since_ms : 0;
    health->stuck = health->oldest_wait_ms > stuck_after_ms;
}
