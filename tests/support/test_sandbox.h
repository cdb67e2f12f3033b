/*
 * A sandbox (tests/sandbox/setpay-sandbox) in the hands of a C program: its four daemons are
 * children of the caller, so that their end is known at once; they are called through their own
 * sockets and the merchant's API; their databases are read beside them.
 *
 * What fails that is not under test ends the program ("Bail out!"), and the daemons with it.
 */
#ifndef SETPAY_TEST_SANDBOX_H
#define SETPAY_TEST_SANDBOX_H

#include "common/base/error.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum test_daemon { TEST_WALLET, TEST_MERCHANT, TEST_GATEWAY, TEST_ISSUER, TEST_DAEMONS };
extern const char *const test_daemon_names[TEST_DAEMONS];

struct test_sandbox {
    char dir[128];
    char bin[512];
    char token[128];
    uint16_t api_port;
    uint16_t merchant_port;
    uint16_t gateway_port;
    uint16_t issuer_port;
    uint16_t admin_ports[TEST_DAEMONS];
    pid_t pids[TEST_DAEMONS]; /* 0: not running */
};

/* Are all cases to be gone through (SETPAY_LONG=1, as in `make test`), or a few of each kind? */
bool test_is_long(void);

/* Makes one in a new folder, with the keys and cards that all sandboxes of tests have
 * (tests/support/sandbox_like.sh), and starts nothing. bin: the programs' folder. */
void test_sandbox_make(struct test_sandbox *sandbox, const char *bin);
/* Another one like it, which has not run since it was made: the same keys and cards, in a folder
 * and on ports of its own, with the given lines put in front of each daemon's configuration (NULL
 * for none). Starts nothing. */
void test_sandbox_copy(struct test_sandbox *sandbox, const struct test_sandbox *like,
                       const char *const lines[TEST_DAEMONS]);
/* Starts all daemons; returns when all are ready. */
void test_sandbox_run(struct test_sandbox *sandbox);
/* Both. */
void test_sandbox_up(struct test_sandbox *sandbox, const struct test_sandbox *like,
                     const char *const lines[TEST_DAEMONS]);
/* Kills the daemons, and removes the folder where that is wished. */
void test_sandbox_down(struct test_sandbox *sandbox, bool remove);

/* A cardholder's certificate from the sandbox's CA, with its CAs, for a request in a file. */
void test_sandbox_issue(const struct test_sandbox *sandbox, const char *brand, const char *csr,
                        const char *pem);
/* A second wallet daemon, started and with a card that the CA has certified: its socket, database
 * and log have this name, and it is unlocked for good. Returns its process, a child. */
pid_t test_sandbox_add_wallet(const struct test_sandbox *sandbox, const char *name,
                              const char *brand, const char *pan, const char *expiry);

/* Starts a daemon that is not running. crash: SETPAY_CRASH, or NULL. Does not wait. */
void test_sandbox_start(struct test_sandbox *sandbox, enum test_daemon daemon, const char *crash);
/* Has it ended? Then it is waited for, *status (may be NULL) is waitpid's, and pids[] is 0. */
bool test_sandbox_has_ended(struct test_sandbox *sandbox, enum test_daemon daemon, int *status);
/* Does /readyz say so? */
bool test_sandbox_is_ready(const struct test_sandbox *sandbox, enum test_daemon daemon);
/* Does /healthz? */
bool test_sandbox_is_alive(const struct test_sandbox *sandbox, enum test_daemon daemon);
/* SETPAY_OK also where it was not locked. */
enum setpay_error test_sandbox_unlock(const struct test_sandbox *sandbox) SETPAY_MUST_CHECK;

/* One command to a daemon's administration socket, or to the wallet's own socket. Takes args.
 * *result (may be NULL) is owned by the caller. */
enum setpay_error test_sandbox_admin(const struct test_sandbox *sandbox, enum test_daemon daemon,
                                     const char *command, json_t *args,
                                     json_t **result) SETPAY_MUST_CHECK;
enum setpay_error test_sandbox_call(const char *socket, const char *command, json_t *args,
                                    json_t **result) SETPAY_MUST_CHECK;
/* The path of a daemon's socket for people: the wallet's. Static per sandbox, in size bytes. */
void test_sandbox_wallet_socket(const struct test_sandbox *sandbox, char *path, size_t size);

/* One request to the merchant's API: the status, or -1 where there was no whole answer. body and
 * key: NULL for GET. *answer (may be NULL) is owned by the caller, NULL unless it is JSON. */
int test_sandbox_api(const struct test_sandbox *sandbox, const char *method, const char *path,
                     const char *body, const char *key, json_t **answer);

/* The daemon's database, read-only and anew each time, so that a restart finds no other reader.
 * NULL where it can't be opened just now. Queries have unhex_xid('hex') for the blob of an id. */
sqlite3 *test_sandbox_database(const struct test_sandbox *sandbox, const char *name);
/* The one number of a query, -1 on any error; text (may be NULL) is bound to ?1. */
int64_t test_database_number(sqlite3 *database, const char *query, const char *text);

int64_t test_now_ms(void);
void test_pause_ms(int ms);
void test_bail_out(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
