/*
 * A merchant to test against: the real setpay-merchantd as a process of its own on loopback, for
 * the brands and with the certificates of a gateway under test (test_gateway.h), in the same
 * folder; and what a store's own program asks of it. A second one may run beside the first.
 * Everything fails hard.
 *
 * What wallets say to it is in test_shopper.h.
 */
#ifndef SETPAY_TEST_MERCHANT_H
#define SETPAY_TEST_MERCHANT_H

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/pki/role.h"
#include "tests/support/test_daemon.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_pki.h"

#include <jansson.h>
#include <stdint.h>

#define TEST_MERCHANT_HOST "localhost"

struct test_merchantd {
    struct test_daemon daemon;
    struct test_gateway *gateway; /* borrowed */
    const char *id;
    const struct test_merchant *shops; /* by brand, visa first; the gateway's */
    size_t brand_count;
    char wallets[TEST_ADDRESS_SIZE];
    char api[TEST_ADDRESS_SIZE];
    char shop[TEST_ADDRESS_SIZE]; /* its pages */
    struct test_party *server;    /* TLS, to wallets */
    char *token;                  /* of the API */
    _Atomic unsigned requests;    /* made to the API, by several threads in tests of races */
};

/* TEST_GATEWAY_MERCHANT of both brands. frames: where it is told that its gateway is; refresh: how
 * often it asks for certificates ("5m"). Has lists of its own in FOLDER/merchant-crls, all of them
 * fresh. */
struct test_merchantd *test_merchantd_new(struct test_gateway *gateway, const char *frames,
                                          const char *refresh);
/* Visa's TEST_GATEWAY_OTHER, with files and lists of its own name in the same folder. */
struct test_merchantd *test_merchantd_new_other(struct test_gateway *gateway, const char *frames,
                                                const char *refresh);
/* Stops it; the folder is the gateway's. */
void test_merchantd_free(struct test_merchantd *merchant);

/* A list of one of its CAs (brand NULL: the root's) into its folder, dated around now_ms, or with
 * something wrong; read on the next reload. */
void test_merchantd_publish_crl(struct test_merchantd *merchant, const char *brand,
                                enum setpay_ca_kind kind, setpay_time_ms now_ms,
                                enum test_crl_defect defect);
/* Fresh lists of all CAs, dated around now_ms, and the reload. */
void test_merchantd_refresh_crls(struct test_merchantd *merchant, setpay_time_ms now_ms);
/* Its clock, from the true time. */
void test_merchantd_set_clock(struct test_merchantd *merchant, int64_t offset_ms);

/* ------------------------------------------------------------------ the store */

struct test_order {
    char id[80];
    char token[80];
};
struct test_order test_merchantd_order(struct test_merchantd *merchant, int64_t minor,
                                       const char *currency, int64_t expires_in_s);
/* Of what POST /orders takes. */
struct test_order test_merchantd_order_of(struct test_merchantd *merchant, const char *body);
/* An order that is captured so: "on_shipment", "immediate", "manual". */
struct test_order test_merchantd_order_to_capture(struct test_merchantd *merchant, int64_t minor,
                                                  const char *capture);
/* Any request to its API, under a key of its own: POST, or GET where body is NULL. The JSON of the
 * answer is the caller's. */
int test_merchantd_api(struct test_merchantd *merchant, const char *path, const char *body,
                       json_t **answer);
/* "void" or "cancel"; the answer's HTTP status. */
int test_merchantd_end_order(struct test_merchantd *merchant, const struct test_order *order,
                             const char *how);
/* "open", "authorised", …; valid until the next call. */
const char *test_merchantd_order_status(struct test_merchantd *merchant,
                                        const struct test_order *order);

/* ------------------------------------------------------------------ what may not move */

/* How things stand at merchant, gateway and issuer. Zeroed memory is none. */
struct test_standing {
    char *merchant_rows;
    char *gateway_rows;
    size_t issuer_asked; /* authorisations and reversals */
    bool but_answers;    /* what the gateway has answered may grow */
};
void test_standing_take(struct test_merchantd *merchant, struct test_standing *standing);
/* The same where the merchant may ask for the gateway's certificates meanwhile, whose answers the
 * gateway keeps. */
void test_standing_take_but_answers(struct test_merchantd *merchant,
                                    struct test_standing *standing);
/* NULL where nothing has moved since; otherwise what has. Clears it. */
const char *test_standing_moved(struct test_merchantd *merchant, struct test_standing *standing);
void test_standing_clear(struct test_standing *standing);

/* The state of a purchase in its database ("authorised"), "none" where there is none. */
const char *test_merchantd_state(struct test_merchantd *merchant, const struct setpay_id *xid);
/* Waits until that is so. */
void test_merchantd_wait_state(struct test_merchantd *merchant, const struct setpay_id *xid,
                               const char *state);

#endif
