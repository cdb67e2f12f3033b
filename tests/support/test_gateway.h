/*
 * A gateway to test against: the real setpay-gatewayd and setpay-issuersim as processes of their
 * own on loopback, with a throw-away PKI, in a folder under /tmp; and a merchant's side of the
 * framed line that is nothing but OpenSSL. Everything fails hard.
 */
#ifndef SETPAY_TEST_GATEWAY_H
#define SETPAY_TEST_GATEWAY_H

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "tests/support/test_daemon.h"
#include "tests/support/test_pki.h"
#include "tests/support/test_purchase.h"

#include <jansson.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#define TEST_GATEWAY_ID "gateway-1"
#define TEST_GATEWAY_MERCHANT "shop"
#define TEST_GATEWAY_OTHER "other"

/* One merchant of one brand, with what it needs to talk. */
struct test_merchant {
    struct test_party *sign;
    struct test_party *tls;
};

struct test_gateway {
    char folder[64];
    char frames[TEST_ADDRESS_SIZE];
    char issuer_address[TEST_ADDRESS_SIZE];
    struct test_daemon daemon;
    struct test_daemon issuer;
    int auth_timeout_ms;
    struct test_pki *pki;       /* brands visa and mastercard, dated around the true clock */
    struct test_party *sign[2]; /* by brand, visa first */
    struct test_party *encrypt[2];
    struct test_party *tls[2];
    struct test_merchant shop[2]; /* TEST_GATEWAY_MERCHANT of each brand, known and enabled */
    struct test_merchant other;   /* visa's TEST_GATEWAY_OTHER, known and enabled */
};

/* Makes PKI, configuration and merchants, and starts both daemons. */
struct test_gateway *test_gateway_new(void);
/* The same, and the issuer has that long for an answer (otherwise 1 s). */
struct test_gateway *test_gateway_new_patient(int auth_timeout_ms);
/* Stops them, removes the folder. */
void test_gateway_free(struct test_gateway *gateway);

/* Starts the gateway (crash: SETPAY_CRASH, or NULL) and waits until it is ready. */
void test_gateway_start(struct test_gateway *gateway, const char *crash);
/* Starts without waiting: it may die before it is ready. */
void test_gateway_launch(struct test_gateway *gateway, const char *crash);
void test_gateway_wait_ready(struct test_gateway *gateway);
/* SIGTERM, and the end of an orderly drain (exit status 0). */
void test_gateway_stop(struct test_gateway *gateway);
/* Waits until it has died of SIGKILL, its own. */
void test_gateway_wait_killed(struct test_gateway *gateway);
void test_gateway_start_issuer(struct test_gateway *gateway);
void test_gateway_stop_issuer(struct test_gateway *gateway);
/* HTTP status of /readyz. */
int test_gateway_readiness(struct test_gateway *gateway);

/* The CA's next CRL in the folder, which the gateway reads again by itself or on reload. */
void test_gateway_publish_crl(struct test_gateway *gateway, const char *brand,
                              enum setpay_ca_kind kind);
void test_gateway_publish_defective_crl(struct test_gateway *gateway, const char *brand,
                                        enum setpay_ca_kind kind, enum test_crl_defect defect);
/* The file alone: what the gateway has read is in its database too, over a restart. */
void test_gateway_withdraw_crl(struct test_gateway *gateway, const char *brand,
                               enum setpay_ca_kind kind);
/* SIGHUP, and the wait until its log says that it is done. */
void test_gateway_reload(struct test_gateway *gateway);

/* One command of an administration socket; takes args. The result is the caller's. */
json_t *test_gateway_control(struct test_gateway *gateway, const char *command, json_t *args);
json_t *test_gateway_issuer(struct test_gateway *gateway, const char *command, json_t *args);
/* How many authorisations the issuer has been asked for (each counts once), and its reversals. */
size_t test_gateway_issuer_count(struct test_gateway *gateway, const char *what);

/* How often the issuer was asked for this xid, and what it holds for it now. */
size_t test_gateway_books(struct test_gateway *gateway, const struct setpay_id *xid, int64_t *held);
/* The issuer hears of a reversal behind the merchant's answer: waits until none is open. */
void test_gateway_wait_acknowledged(struct test_gateway *gateway);
/* setpay-gateway audit finds that; NULL: nothing. */
void test_gateway_expect_audited(struct test_gateway *gateway, const char *words);
/* The same after SQL, which is taken back by undo. */
void test_gateway_expect_edit_found(struct test_gateway *gateway, const char *sql, const char *undo,
                                    const char *words);

/* All rows of all tables as text, in the order of their keys (owned; free). */
char *test_gateway_dump(struct test_gateway *gateway);
/* The same of the issuer simulator's. */
char *test_gateway_dump_issuer(struct test_gateway *gateway);
/* Ledger and clearing: an audit's look at the database finds nothing. */
void test_gateway_expect_sound(struct test_gateway *gateway);
/* A number out of the database: one row, one column. */
int64_t test_gateway_number(struct test_gateway *gateway, const char *sql);
/* True where database, journal or shared memory hold these bytes; or the log too. */
bool test_gateway_database_holds(struct test_gateway *gateway, struct setpay_view bytes);
bool test_gateway_files_hold(struct test_gateway *gateway, struct setpay_view bytes);
/* "PI_MISMATCH G4": error and rule of the newest refusal of rrpid in the log; "" where there is
 * none. NULL: of any request. Valid until the next call. */
const char *test_gateway_refusal(struct test_gateway *gateway, const struct setpay_id *rrpid);

/* How often these words are in the gateway's log. */
size_t test_gateway_log_count(struct test_gateway *gateway, const char *words);
/* Waits until they are there so often: for what is logged after the peer has noticed. */
void test_gateway_wait_log(struct test_gateway *gateway, const char *words, size_t count);

/* Who pays at the shop of that brand (0: visa). */
struct test_purchase_parties test_gateway_parties(struct test_gateway *gateway, int brand);

/* ------------------------------------------------------------------ a merchant's connection */

struct test_line {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
};

/* tls: the client's certificate, or NULL for none; brand: the server name. NULL where the gateway
 * refuses the connection. */
struct test_line *test_line_new(struct test_gateway *gateway, const struct test_party *tls,
                                const char *brand);
void test_line_free(struct test_line *line);
void test_line_send(struct test_line *line, uint64_t id, struct setpay_view message);
/* The next answer; false where the gateway has closed. answer is initialised here. */
bool test_line_receive(struct test_line *line, uint64_t *id, struct setpay_buffer *answer);
/* Sends and receives one. */
void test_line_ask(struct test_line *line, struct setpay_view message,
                   struct setpay_buffer *answer);

#endif
