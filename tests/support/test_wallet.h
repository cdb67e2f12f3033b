/*
 * A wallet to test against: the real setpay-walletd as a process of its own, in a folder under
 * /tmp, with a throw-away PKI and cards that were asked for through its socket and certified as a
 * CA would. Everything fails hard, but for what a call is asked to report.
 */
#ifndef SETPAY_TEST_WALLET_H
#define SETPAY_TEST_WALLET_H

#include "common/base/error.h"
#include "common/base/ids.h"
#include "tests/support/test_daemon.h"
#include "tests/support/test_pki.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define TEST_WALLET_ANSWER_MS 20000 /* answer_timeout, unless a test needs one to pass */

struct test_wallet {
    char folder[64];
    char socket[100];          /* setpay-wallet's */
    struct test_daemon daemon; /* "wallet" */
    struct test_pki *pki;      /* borrowed */
    const char *follow_every;  /* from the next start on; NULL: it does not ask by itself */
};

/* Writes root, CAs and a fresh list of every CA of the PKI but leave_out's (a brand whose PCA list
 * the wallet does not get; NULL: none), and starts it; initialised and unlocked. */
struct test_wallet *test_wallet_new(struct test_pki *pki, const char *leave_out);
/* Stops it, removes the folder. */
void test_wallet_free(struct test_wallet *wallet);
/* Starts it again and unlocks it; a new answer_timeout. */
void test_wallet_start(struct test_wallet *wallet, int64_t answer_timeout_ms);
void test_wallet_unlock(struct test_wallet *wallet);
/* A card, its certificate by the PKI. The first one of all is the default. */
void test_wallet_add_card(struct test_wallet *wallet, const char *brand, const char *pan,
                          const char *expiry, const char *label);
/* The CA's next list (brand NULL: the root's), read at once. */
void test_wallet_publish_crl(struct test_wallet *wallet, const char *brand,
                             enum setpay_ca_kind kind);
/* Moves its clock from the true one. */
void test_wallet_set_clock(struct test_wallet *wallet, int64_t offset_ms);

/* One command of the socket; takes args. On SETPAY_OK *result is the caller's, else NULL. */
enum setpay_error test_wallet_call(struct test_wallet *wallet, const char *command, json_t *args,
                                   json_t **result);
/* The same, and it must work. */
json_t *test_wallet_do(struct test_wallet *wallet, const char *command, json_t *args);
/* Gives the command and hangs up without waiting for its answer. */
void test_wallet_send(struct test_wallet *wallet, const char *command, json_t *args);
/* A purchase as it stands in the store; nobody is asked. The caller's. */
json_t *test_wallet_purchase(struct test_wallet *wallet, const struct setpay_id *xid);

/* setpay-wallet --socket S --json WORDS (ends with NULL): its exit status, and the one object that
 * it prints (the caller's). */
int test_wallet_cli(struct test_wallet *wallet, const char *const *words, json_t **printed);

/* "HOST W1": the error and the rule that stands for it; the error alone where there is none. Valid
 * until the next call. */
const char *test_error_words(enum setpay_error error);

#endif
