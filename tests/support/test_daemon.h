/*
 * A daemon under test: the real program as a process of its own on loopback, in a folder that it
 * may share with others. Everything that NAME is the name of stands in that folder: NAME.conf,
 * NAME.db, NAME.log and the administration socket NAME.sock. Everything fails hard; waiting is
 * bounded by TEST_WAIT_MS, which is never reached unless something is broken.
 */
#ifndef SETPAY_TEST_DAEMON_H
#define SETPAY_TEST_DAEMON_H

#include "common/base/bytes.h"
#include "common/base/ids.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TEST_WAIT_MS 60000
#define TEST_POLL_US 5000
#define TEST_PATH_SIZE 192
#define TEST_ADDRESS_SIZE 32 /* HOST:PORT */

struct test_daemon {
    const char *folder;            /* borrowed */
    const char *program;           /* in the build's bin */
    const char *name;              /* of its files */
    char admin[TEST_ADDRESS_SIZE]; /* where it says whether it is ready; "" where it does not */
    pid_t pid;                     /* 0: not running */
};

/* FOLDER/NAME; returns path. */
const char *test_path(const char *folder, const char *name, char path[TEST_PATH_SIZE]);
/* Makes or replaces a file at once, 0600: a daemon may be reading it. */
void test_write_file(const char *folder, const char *name, struct setpay_view bytes);
/* A whole file, NUL behind it (owned); NULL where there is none. */
char *test_read_file(const char *folder, const char *name, size_t *size);
/* Removes the folder and all in it, unless SETPAY_KEEP_FOLDER is set. */
void test_remove_folder(const char *folder);
/* A free port on 127.0.0.1, for a daemon to take again and again. */
void test_choose_address(char text[TEST_ADDRESS_SIZE]);
/* A TCP connection to HOST:PORT on loopback, whose reads have that limit. */
int test_connect(const char *address);
/* A program of the build that does its work and ends with exit status 0; words ends with NULL. What
 * it prints is the caller's to free where output is not NULL. */
void test_run_program(const char *program, const char *const *words, char **output);
/* The same with whatever exit status, which it returns. */
int test_run_to_end(const char *program, const char *const *words, char **output);

/* Starts without waiting (crash: SETPAY_CRASH, or NULL): it may die before it is ready. */
void test_daemon_launch(struct test_daemon *daemon, const char *crash);
void test_daemon_wait_ready(struct test_daemon *daemon);
void test_daemon_start(struct test_daemon *daemon, const char *crash);
/* SIGTERM, and the end of an orderly drain (exit status 0). */
void test_daemon_stop(struct test_daemon *daemon);
/* Waits until it has died of SIGKILL, its own. */
void test_daemon_wait_killed(struct test_daemon *daemon);
/* SIGKILL, where it runs. */
void test_daemon_kill(struct test_daemon *daemon);
/* SIGHUP, and the wait until its log says that it is done: lists are read then, also where its keys
 * are refused (their certificates may have ended). */
void test_daemon_reload(struct test_daemon *daemon);
/* While it is stopped: of CAs and revocation lists its database holds nothing any more. */
void test_daemon_forget_trust(const struct test_daemon *daemon);
/* Until /readyz answers with that status. */
void test_daemon_wait_readiness(const struct test_daemon *daemon, int status);
/* HTTP status of /readyz; 0 where there is no answer. */
int test_daemon_readiness(const struct test_daemon *daemon);
/* A figure of /metrics: series is its name, with its labels as they stand there. */
int64_t test_daemon_figure(const struct test_daemon *daemon, const char *series);
/* Waits until the figure is that. */
void test_daemon_wait_figure(const struct test_daemon *daemon, const char *series, int64_t value);

/* One command of its administration socket; takes args. The result is the caller's. */
json_t *test_daemon_control(const struct test_daemon *daemon, const char *command, json_t *args);

/* All rows of all tables as text, in the order of their keys (owned; free). What a
 * merchant or a gateway keeps in its own time is left out, whatever becomes of the message that it
 * came beside: CAs and lists, and the cut-offs of a gateway's days. */
char *test_daemon_dump(const struct test_daemon *daemon);
/* A number out of the database: one row, one column. */
int64_t test_daemon_number(const struct test_daemon *daemon, const char *sql);
/* Changes it behind the daemon's back: what lies in the past can't be waited for. */
void test_daemon_execute(const struct test_daemon *daemon, const char *sql);
/* Waits until that number is this. */
void test_daemon_wait_number(const struct test_daemon *daemon, const char *sql, int64_t number);
/* The bytes of one column of one row (owned; free); NULL where there is no row, or it is NULL. */
uint8_t *test_daemon_bytes(const struct test_daemon *daemon, const char *sql, size_t *size);
/* True where database, journal or shared memory hold these bytes. */
bool test_daemon_database_holds(const struct test_daemon *daemon, struct setpay_view bytes);
/* How often these words are in its log. */
size_t test_daemon_log_count(const struct test_daemon *daemon, const char *words);
/* Waits until they are there that often: what a daemon logs may come after what a peer sees. */
void test_daemon_wait_log(const struct test_daemon *daemon, const char *words, size_t count);
bool test_daemon_log_holds(const struct test_daemon *daemon, struct setpay_view bytes);
/* "PI_MISMATCH G4": error and rule of the newest line of the log with that event, of that rrpid
 * (NULL: of any); "" where there is none. Valid until the next call. */
const char *test_daemon_refusal(const struct test_daemon *daemon, const char *event,
                                const struct setpay_id *rrpid);
/* Waits until that is expected (or or_expected, unless NULL), or something else that is not of the
 * line itself: what a machine under load adds (TIMEOUT, CLOSED, UNREACHABLE) is waited out. */
const char *test_daemon_wait_refusal(const struct test_daemon *daemon, const char *event,
                                     const struct setpay_id *rrpid, const char *expected,
                                     const char *or_expected);

#endif
