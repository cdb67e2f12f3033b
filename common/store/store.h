/*
 * One database: one writing connection on a thread of its own (the committer), and a reading
 * connection for each thread that reads.
 *
 * What always holds: done is called with SETPAY_OK only after a durable commit that holds the
 * operation's writes; with any other error the operation wrote nothing (for SETPAY_E_IO out of a
 * failed COMMIT see setpay_store_health.broken). Operations run one after another, in the order in
 * which they were submitted, so that an operation which checks keys and versions and then writes
 * races with nobody.
 */
#ifndef SETPAY_STORE_STORE_H
#define SETPAY_STORE_STORE_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/store/db.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setpay_store;
struct setpay_reader;
struct setpay_watcher;

/* ------------------------------------------------------------------ schema */

/* One step of a schema. A step that was released is never changed: add another one. */
struct setpay_store_migration {
    unsigned number; /* 1, 2, 3, … without a gap */
    const char *sql; /* any number of statements; no BEGIN or COMMIT */
};

struct setpay_store_schema {
    const char *name;                           /* "gateway": whose database this is */
    const struct setpay_store_migration *steps; /* ends with number 0 */
    /* The tables whose rows are to be gone from memory too once they are erased (rule M7); ends
     * with NULL. A reader lets go of its cached pages after each read that has looked into one of
     * them. NULL: after every read, whatever it looked into. */
    const char *const *erasable;
};

/* ------------------------------------------------------------------ open and close */

struct setpay_store_options {
    const char *url; /* "sqlite:/path/file.db"; the file is created, mode 0600 */
    const struct setpay_store_schema *schema;
    /* Also one that setpay_store_retire has put out of service. */
    bool retired;
    /* For tests; 0 takes the limits of limits.h. */
    size_t queue_max;
    size_t group_max;
};

/*
 * Takes the lock beside the database (PATH.lock), opens it, applies the steps it lacks (each in a
 * transaction of its own) and starts the committer. Errors, with words in problem:
 * SETPAY_E_CONFIG   the URL; a database of another program or newer than this one; a changed step;
 * SETPAY_E_RUNNING  another process (or another open in this one) holds the lock;
 * SETPAY_E_STATE    it was retired;
 * SETPAY_E_IO, SETPAY_E_PERMISSION, SETPAY_E_STORE, SETPAY_E_STORE_FULL, SETPAY_E_NOMEM.
 */
enum setpay_error setpay_store_open(const struct setpay_store_options *options,
                                    struct setpay_store **store,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Stops taking (SETPAY_E_DRAINING), finishes what is queued (every done is posted), empties the
 * write-ahead log (rule M7) and returns when that is over. Repeating it does nothing. Readers go on
 * reading; one that stays inside a read for long leaves the log for the next open to empty. */
void setpay_store_drain(struct setpay_store *store);
/* Drains, ends the committer, closes the database and gives the lock back. All readers must have
 * been freed. NULL is allowed. */
void setpay_store_close(struct setpay_store *store);

/* ------------------------------------------------------------------ writing */

/* Runs on the committer's thread inside a transaction with others, behind a savepoint of its own:
 * anything but SETPAY_OK undoes its writes and nobody else's. No cryptography, no waiting. */
typedef enum setpay_error setpay_store_operation_fn(struct setpay_db *db, void *arg);
typedef void setpay_store_done_fn(void *arg, enum setpay_error error);

/*
 * Queues an operation; done(arg, error) runs on executor after the commit, exactly once. arg must
 * stay until then. done NULL (executor may then be NULL): nobody is told.
 * SETPAY_E_BUSY: the queue or the executor's mailbox is full; SETPAY_E_DRAINING; SETPAY_E_NOMEM;
 * SETPAY_E_IO: the store is broken. After an error neither function is called. Any thread.
 */
enum setpay_error setpay_store_submit(struct setpay_store *store,
                                      setpay_store_operation_fn *operation,
                                      setpay_store_done_fn *done, void *arg,
                                      struct setpay_executor *executor) SETPAY_MUST_CHECK;
/* Queues an operation and waits for its commit: for command-line programs, start-up and tests,
 * never on an event loop nor inside an operation. Errors of both. */
enum setpay_error setpay_store_submit_wait(struct setpay_store *store,
                                           setpay_store_operation_fn *operation,
                                           void *arg) SETPAY_MUST_CHECK;

/*
 * Rule M7: what operations that were submitted before have deleted is gone from the files when done
 * hears SETPAY_OK (nothing of it is left in the write-ahead log, deleted cells are overwritten).
 * This holds for rows of a table of its own with an INTEGER PRIMARY KEY that are DELETEd; an UPDATE
 * to NULL leaves copies behind. Waits while readers hold the old state; SETPAY_E_TIMEOUT after
 * SETPAY_LIMIT_STORE_ERASE_MS: submit it again. Requests that wait at once share one checkpoint.
 */
enum setpay_error
setpay_store_checkpoint_truncate(struct setpay_store *store, setpay_store_done_fn *done, void *arg,
                                 struct setpay_executor *executor) SETPAY_MUST_CHECK;
enum setpay_error
setpay_store_checkpoint_truncate_wait(struct setpay_store *store) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ reading */

/* A connection that can't write, for one thread. */
enum setpay_error setpay_reader_new(struct setpay_store *store,
                                    struct setpay_reader **reader) SETPAY_MUST_CHECK;
void setpay_reader_free(struct setpay_reader *reader);

typedef enum setpay_error setpay_store_read_fn(struct setpay_db *db, void *arg);
/* Runs read inside one read transaction (a snapshot: it sees every operation whose done was called
 * before) and gives its error. Keep it short. */
enum setpay_error setpay_store_read(struct setpay_reader *reader, setpay_store_read_fn *read,
                                    void *arg) SETPAY_MUST_CHECK;

/* Whether a long read is to end early; on its thread. */
typedef bool setpay_store_over_fn(void *arg);
/* The same for what takes as long as it takes, on a thread that has nothing else to do, while the
 * store goes on: SETPAY_E_DRAINING soon after over(over_arg) has said true. What is written
 * meanwhile stays in the log until it ends. */
enum setpay_error setpay_store_read_long(struct setpay_reader *reader, setpay_store_read_fn *read,
                                         void *arg, setpay_store_over_fn *over,
                                         void *over_arg) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ copies */

/*
 * A consistent copy of the whole database into the empty file at path, and waits for it: never on
 * an event loop nor inside an operation. The committer makes it between its groups, piece by piece,
 * so that an operation waits for one piece at most and no snapshot holds an erasure back (rule M7).
 * The file is not synced. cancel may be NULL: SETPAY_E_DRAINING once it is set.
 * SETPAY_E_BUSY (another one is being made), SETPAY_E_DRAINING,
 * SETPAY_E_STORE_FULL, SETPAY_E_IO, …, with words in problem. One thread at a time.
 */
enum setpay_error setpay_store_copy(struct setpay_store *store, const char *path,
                                    const atomic_bool *cancel,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Whether it is a URL of a database that this program can open: opens nothing. SETPAY_E_CONFIG. */
enum setpay_error setpay_store_check_url(const char *url,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Reads all of the database that nobody has open. SETPAY_E_STORE where it is damaged. */
enum setpay_error setpay_store_check(const char *url,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Takes the lock beside a database that may not be there yet; *fd is closed to give it back.
 * SETPAY_E_RUNNING, SETPAY_E_CONFIG (the URL), SETPAY_E_IO, SETPAY_E_PERMISSION. */
enum setpay_error setpay_store_lock(const char *url, int *fd,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Where it is in the file system; borrowed from url. NULL: nowhere. */
const char *setpay_store_path(const char *url);

/* ------------------------------------------------------------------ history.c */

/* A database that was put back to the state of a backup has forgotten what came after it; it says
 * so, and each party refuses what it may have done already (docs/protocol.md, "After a restore").
 */
struct setpay_store_restore {
    setpay_time_ms backup_ms;   /* what it knows ends here */
    setpay_time_ms restored_ms; /* and what it may have forgotten here; 0: nothing was forgotten */
};
/* The newest one that may have forgotten something; zeros where there is none. */
enum setpay_error setpay_store_last_restore(struct setpay_db *db,
                                            struct setpay_store_restore *last) SETPAY_MUST_CHECK;
/* moved: nothing was done after the backup. Ends a retirement. */
enum setpay_error setpay_store_add_restore(struct setpay_db *db,
                                           const struct setpay_store_restore *restore,
                                           bool moved) SETPAY_MUST_CHECK;
/* No daemon takes the database up any more (setpay_store_open refuses): it goes on elsewhere. Once
 * more, or undone while nothing was moved. */
enum setpay_error setpay_store_retire(struct setpay_db *db,
                                      setpay_time_ms now_ms) SETPAY_MUST_CHECK;
enum setpay_error setpay_store_unretire(struct setpay_db *db) SETPAY_MUST_CHECK;
/* 0: it was not. */
enum setpay_error setpay_store_retired_ms(struct setpay_db *db,
                                          setpay_time_ms *retired_ms) SETPAY_MUST_CHECK;

/* What would be lost with the disk: all since the newest backup. */
struct setpay_store_safety {
    setpay_time_ms begun_ms;  /* since when there is this database; 0: unknown */
    setpay_time_ms backup_ms; /* when its newest backup was made; 0: never */
};
enum setpay_error setpay_store_read_safety(struct setpay_db *db,
                                           struct setpay_store_safety *safety) SETPAY_MUST_CHECK;
/* A backup of it is whole and on the disk; in place of what was known before. */
enum setpay_error setpay_store_add_backup(struct setpay_db *db,
                                          setpay_time_ms made_ms) SETPAY_MUST_CHECK;
/* The same of an open store, whose health tells it from then on; waits for the commit. */
enum setpay_error setpay_store_note_backup(struct setpay_store *store,
                                           setpay_time_ms made_ms) SETPAY_MUST_CHECK;

/* Runs read on a database that no process has open, for programs that look: nothing is locked,
 * brought up to date, or written, neither in it nor beside it. Who calls knows that it is closed.
 * With words in problem: SETPAY_E_NOT_FOUND (there is none yet), SETPAY_E_CONFLICT (a crash left a
 * log beside it, which only its daemon takes in), SETPAY_E_CONFIG (not this program's), else as
 * setpay_store_open. */
enum setpay_error setpay_store_peek(const struct setpay_store_options *options,
                                    setpay_store_read_fn *read, void *arg,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ watching */

struct setpay_store_note {
    struct setpay_id id;
    int64_t version;
};

/* Runs on the watcher's executor. reread: notes were lost because the watcher was too slow; read
 * again whatever you wait for. notes is borrowed for the call. */
typedef void setpay_store_watch_cb(void *arg, const struct setpay_store_note *notes, size_t count,
                                   bool reread);

/* Calls back after each commit with the notes that its operations left (setpay_db_notify). executor
 * and arg must stay until setpay_store_unwatch, which is called on the executor's own thread; no
 * call comes after it. Unwatch before the store is closed. */
enum setpay_error setpay_store_watch(struct setpay_store *store, struct setpay_executor *executor,
                                     setpay_store_watch_cb *callback, void *arg,
                                     struct setpay_watcher **watcher) SETPAY_MUST_CHECK;
void setpay_store_unwatch(struct setpay_watcher *watcher);

/* ------------------------------------------------------------------ health */

struct setpay_store_health {
    bool stuck;  /* an operation has waited longer than stuck_after_ms */
    bool broken; /* a COMMIT failed on I/O: whether it holds is known only after a new start; all
                    further operations are refused with SETPAY_E_IO */
    bool draining;
    size_t queue_depth;
    int64_t oldest_wait_ms;        /* of an operation that waits or runs; 0: none */
    setpay_time_ms last_commit_ms; /* 0: none yet */
    struct setpay_store_safety safety;
    /* Since open */
    uint64_t operations;        /* committed */
    uint64_t operations_failed; /* refused or failed */
    uint64_t operations_busy;   /* not taken: queue full */
    uint64_t commits;
    uint64_t groups_lost; /* transactions that failed as a whole */
    uint64_t checkpoints;
    uint64_t notes_lost;     /* each was told by reread */
    int64_t commit_us_total; /* time inside COMMIT */
    int64_t commit_us_max;
};

/* The database's file, as the URL names it; the store's own. NULL for NULL. */
const char *setpay_store_place(const struct setpay_store *store);
/* Any thread. */
void setpay_store_health(struct setpay_store *store, int64_t stuck_after_ms,
                         struct setpay_store_health *health);

#endif
