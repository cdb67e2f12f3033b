/*
 * The inside of struct setpay_store, shared by store.c (open, close, readers), committer.c (queue
 * and thread) and watch.c (notes after a commit). Inside common/store only.
 */
#ifndef SETPAY_STORE_COMMITTER_H
#define SETPAY_STORE_COMMITTER_H

#include "common/store/connection.h"

#include <pthread.h>

/* Somebody who is blocked until a request is over. */
struct setpay_store_waiter {
    pthread_mutex_t mutex;
    pthread_cond_t over;
    bool is_over;
    enum setpay_error error;
};

/* One place of the queue: an operation, or (operation NULL) a wish for an empty log. */
struct setpay_store_request {
    struct setpay_store_request *next;
    setpay_store_operation_fn *operation;
    setpay_store_done_fn *done;
    void *arg;
    struct setpay_executor *executor;   /* with a reserved place; NULL: nobody to tell */
    struct setpay_store_waiter *waiter; /* or NULL */
    int64_t submitted_ms;               /* monotonic */
    enum setpay_error error;
};

/* A copy that somebody waits for; the committer makes it piece by piece. */
struct setpay_store_copying {
    const char *path;
    void *copy;                /* the backend's; the committer's alone */
    const atomic_bool *cancel; /* or NULL */
    struct setpay_problem *problem;
    struct setpay_store_waiter waiter;
};

struct setpay_store_list {
    struct setpay_store_request *first;
    struct setpay_store_request *last;
    size_t count;
};

struct setpay_store {
    const struct setpay_store_backend *backend;
    char *place;
    const char *const *erasable; /* the schema's */
    int lock_fd;
    struct setpay_db *writer; /* the committer's alone once it runs */
    size_t queue_max;
    size_t group_max;
    pthread_t thread;

    pthread_mutex_t mutex; /* guards all that follows down to counters */
    pthread_cond_t wake;   /* the committer has something to do */
    pthread_cond_t rest;   /* the committer has drained */
    struct setpay_store_list queue;
    int64_t running_since_ms; /* of the oldest operation that runs; 0: none does */
    bool draining;
    bool drained;
    bool broken;
    unsigned readers;
    struct setpay_store_copying *copying; /* NULL: none is asked for */
    struct setpay_store_health counters;

    /* The committer's alone */
    struct setpay_store_list erasures; /* wishes for an empty log whose deletes are committed */
    int64_t erase_next_ms;             /* when to try again */
    int erase_wait_ms;                 /* how long the next try waits for readers */
    int64_t checkpoint_ms;             /* when the last one was made */
    int64_t taken_us;                  /* when the last group was taken */
    unsigned crowded;                  /* groups until nobody is thought to share one any more */
    bool dirty;                        /* commits since then */
    bool notes_undelivered;

    pthread_mutex_t watch_mutex;
    struct setpay_watcher *watchers;
};

void *setpay_store_committer(void *store);

/* Gives every watcher the notes; false when one could not be called yet: publish again (with no
 * notes) soon. */
bool setpay_store_publish(struct setpay_store *store, const struct setpay_store_note *notes,
                          size_t count, uint64_t *lost) SETPAY_MUST_CHECK;

#endif
