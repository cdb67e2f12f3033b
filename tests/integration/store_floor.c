/*
 * The floor of the store: a process that is killed at any moment has lost nothing that it had
 * acknowledged, and kept nothing that it had refused.
 *
 * Each round a child opens the store, two threads submit operations under load (groups form by
 * themselves), and every outcome is written to a pipe when done hears it. The child dies by
 * SIGKILL: at a crash point on its n-th pass, or whenever the parent chooses. The parent then opens
 * the store itself and compares. Rounds share one database, so that later ones also build on what
 * earlier crashes left.
 *
 * Every operation writes two rows in two tables. One in eight fails after its writes, one in eight
 * repeats a key: both must leave nothing. TAP on standard output.
 */
#include "common/base/testing.h"
#include "tests/support/test_executor.h"
#include "tests/support/test_store.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPERATIONS_PER_ROUND 20000
#define ROUND_LIMIT_MS 60000

/* What goes through the pipe; far below PIPE_BUF, so that each write is whole. */
struct report {
    int64_t key;
    int64_t error;
};

struct operation {
    int64_t key;
    enum setpay_error error;
    int fd;
};

struct submitter {
    struct setpay_store *store;
    struct setpay_executor *executor;
    int64_t first;
    int fd;
};

static int tests;
static int failures;

static void say(bool good, const char *text)
{
    failures += !good;
    printf("%s %d - %s\n", good ? "ok" : "not ok", ++tests, text);
    fflush(stdout);
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    printf("Bail out! %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ------------------------------------------------------------------ the child */

static enum setpay_error write_both(struct setpay_db *db, void *arg)
{
    const struct operation *operation = arg;
    uint8_t bytes[300];
    memset(bytes, (int)operation->key & 0xff, sizeof bytes);
    SETPAY_TRY(setpay_db_run(db, "INSERT INTO erasable (id, bytes) VALUES ($1, $2)",
                             SETPAY_DB_INT(operation->key),
                             SETPAY_DB_VIEW(SETPAY_VIEW_ARRAY(bytes))));
    /* One in eight repeats its neighbour's key here: SETPAY_E_DUPLICATE. */
    int64_t key = operation->key % 8 == 3 ? operation->key - 1 : operation->key;
    SETPAY_TRY(setpay_db_run(db, "INSERT INTO item (key, value) VALUES ($1, $2)",
                             SETPAY_DB_INT(key), SETPAY_DB_TEXT("floor")));
    return operation->key % 8 == 5 ? SETPAY_E_CONFLICT : SETPAY_OK;
}

static void report_done(void *arg, enum setpay_error error)
{
    struct operation *operation = arg;
    struct report report = {operation->key, error};
    if (write(operation->fd, &report, sizeof report) != (ssize_t)sizeof report)
        _exit(3);
    free(operation);
}

/* Keeps the order of keys, so that a repeated key follows the one that it repeats. */
static void *submit_all(void *arg)
{
    const struct submitter *submitter = arg;
    for (int64_t i = 0; i < OPERATIONS_PER_ROUND / 2; i++) {
        struct operation *operation = calloc(1, sizeof *operation);
        must(operation != NULL, "calloc");
        operation->key = submitter->first + i;
        operation->fd = submitter->fd;
        enum setpay_error error = SETPAY_E_BUSY;
        while (error == SETPAY_E_BUSY) {
            error = setpay_store_submit(submitter->store, write_both, report_done, operation,
                                        submitter->executor);
            if (error == SETPAY_E_BUSY)
                sched_yield();
        }
        must(error == SETPAY_OK, "submit");
    }
    return NULL;
}

static void run_child(const struct test_folder *folder, int fd, int64_t first, const char *point,
                      uint64_t count)
{
    struct setpay_store *store = test_store_open(folder, 256, 0);
    struct test_executor *test = test_executor_new(1024);
    struct submitter submitters[2];
    pthread_t threads[2];
    if (point != NULL) {
        setpay_testing_enable();
        must(setpay_testing_arm(point, count) == SETPAY_OK, "arm");
    }
    for (int i = 0; i < 2; i++) {
        submitters[i] = (struct submitter){store, test_executor_of(test),
                                           first + i * (OPERATIONS_PER_ROUND / 2), fd};
        must(pthread_create(&threads[i], NULL, submit_all, &submitters[i]) == 0, "thread");
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    setpay_store_close(store);
    test_executor_free(test);
    _exit(0);
}

/* ------------------------------------------------------------------ the parent */

/* Reads reports until the pipe ends; kills the child after kill_after of them (0: never). */
static size_t collect(int fd, pid_t child, size_t kill_after, struct report *reports)
{
    size_t count = 0;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    for (;;) {
        must(poll(&wait, 1, ROUND_LIMIT_MS) == 1, "the child says nothing");
        ssize_t size = read(fd, &reports[count], sizeof reports[count]);
        if (size == 0)
            return count;
        must(size == (ssize_t)sizeof reports[count], "read");
        count++;
        if (count == kill_after)
            kill(child, SIGKILL);
    }
}

struct presence {
    int64_t first;
    uint8_t item[OPERATIONS_PER_ROUND];
    uint8_t erasable[OPERATIONS_PER_ROUND];
};

static enum setpay_error read_keys(struct setpay_db *db, const char *sql, int64_t first,
                                   uint8_t *present)
{
    struct setpay_db_rows *rows = NULL;
    SETPAY_TRY(setpay_db_select(db, &rows, sql, SETPAY_DB_INT(first),
                                SETPAY_DB_INT(first + OPERATIONS_PER_ROUND)));
    while (setpay_db_next(rows))
        present[setpay_db_get_int(rows, 0) - first] = 1;
    return setpay_db_end(rows);
}

static enum setpay_error read_presence(struct setpay_db *db, void *arg)
{
    struct presence *presence = arg;
    SETPAY_TRY(read_keys(db, "SELECT key FROM item WHERE key >= $1 AND key < $2", presence->first,
                         presence->item));
    return read_keys(db, "SELECT id FROM erasable WHERE id >= $1 AND id < $2", presence->first,
                     presence->erasable);
}

struct tally {
    size_t acknowledged;
    size_t refused;
    size_t lost;    /* acknowledged and not there */
    size_t undead;  /* refused and there, in part or whole */
    size_t half;    /* one of the two rows */
    size_t wrong;   /* an outcome that the operation can't have */
    size_t unheard; /* there, and died before it could say so: allowed */
};

static void compare(const struct presence *presence, const struct report *reports, size_t count,
                    struct tally *tally)
{
    static uint8_t heard[OPERATIONS_PER_ROUND];
    memset(heard, 0, sizeof heard);
    for (size_t i = 0; i < count; i++) {
        int64_t at = reports[i].key - presence->first;
        int64_t kind = reports[i].key % 8;
        enum setpay_error expected = kind == 3   ? SETPAY_E_DUPLICATE
                                     : kind == 5 ? SETPAY_E_CONFLICT
                                                 : SETPAY_OK;
        heard[at] = 1;
        tally->wrong += reports[i].error != (int64_t)expected;
        if (reports[i].error == SETPAY_OK) {
            tally->acknowledged++;
            tally->lost += !presence->item[at] || !presence->erasable[at];
        } else {
            tally->refused++;
            tally->undead += presence->item[at] || presence->erasable[at];
        }
    }
    for (size_t at = 0; at < OPERATIONS_PER_ROUND; at++) {
        tally->half += presence->item[at] != presence->erasable[at];
        tally->unheard += presence->item[at] && !heard[at];
    }
}

static void run_round(const struct test_folder *folder, int64_t first, const char *point,
                      uint64_t count, struct tally *tally)
{
    static struct report reports[OPERATIONS_PER_ROUND + 1];
    static struct presence presence;
    int ends[2];
    int status = 0;
    must(pipe(ends) == 0, "pipe");
    fflush(stdout);
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        close(ends[0]);
        run_child(folder, ends[1], first, point, count);
    }
    close(ends[1]);
    size_t heard = collect(ends[0], child, point == NULL ? (size_t)count : 0, reports);
    close(ends[0]);
    must(waitpid(child, &status, 0) == child, "waitpid");
    must(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child was not killed");

    memset(&presence, 0, sizeof presence);
    presence.first = first;
    struct setpay_store *store = test_store_open(folder, 0, 0);
    struct setpay_reader *reader = NULL;
    must(setpay_reader_new(store, &reader) == SETPAY_OK, "reader");
    must(setpay_store_read(reader, read_presence, &presence) == SETPAY_OK, "read");
    setpay_reader_free(reader);
    setpay_store_close(store);
    compare(&presence, reports, heard, tally);
}

static void run_rounds(const struct test_folder *folder, int64_t *first, const char *point,
                       int rounds, unsigned spread)
{
    struct tally tally = {0};
    char text[256];
    for (int i = 0; i < rounds; i++) {
        run_round(folder, *first, point, 1 + (uint64_t)rand() % spread, &tally);
        *first += OPERATIONS_PER_ROUND;
    }
    const char *where = point != NULL ? point : "any moment";
    printf("# %s: %zu acknowledged, %zu refused, %zu committed and not heard of\n", where,
           tally.acknowledged, tally.refused, tally.unheard);
    snprintf(text, sizeof text, "killed %d times at %s: nothing acknowledged is lost (%zu)", rounds,
             where, tally.lost);
    say(tally.lost == 0 && tally.wrong == 0, text);
    snprintf(text, sizeof text,
             "killed %d times at %s: nothing refused is there (%zu), nothing is"
             " half there (%zu)",
             rounds, where, tally.undead, tally.half);
    say(tally.undead == 0 && tally.half == 0, text);
}

static void two_processes(const struct test_folder *folder)
{
    struct setpay_store *store = test_store_open(folder, 0, 0);
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        struct setpay_store *second = NULL;
        struct setpay_problem problem;
        struct setpay_store_options options = {.url = folder->url, .schema = &test_store_schema};
        enum setpay_error error = setpay_store_open(&options, &second, &problem);
        _exit(error == SETPAY_E_RUNNING && strstr(problem.text, "in use by process") ? 0 : 1);
    }
    must(waitpid(child, &status, 0) == child, "waitpid");
    say(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a second process can't open the database");
    setpay_store_close(store);
}

int main(void)
{
    struct test_folder folder = {0};
    int64_t first = 8; /* a multiple of 8: see write_both */
    const char *seed = getenv("SEED");
    unsigned number = seed != NULL ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)getpid();
    printf("# SEED=%u\n", number);
    srand(number);
    signal(SIGPIPE, SIG_IGN);
    test_folder_make(&folder);
    run_rounds(&folder, &first, NULL, 12, OPERATIONS_PER_ROUND / 2);
    run_rounds(&folder, &first, "store.write", 6, 5000);
    run_rounds(&folder, &first, "store.commit", 6, 80);
    run_rounds(&folder, &first, "store.committed", 6, 80);
    two_processes(&folder);
    test_folder_remove(&folder);
    printf("1..%d\n", tests);
    return failures != 0;
}
