/*
 * A shopper and a store in a test: the shopper speaks to setpay-walletd as setpay-wallet does, the
 * store to the merchant's API as a program does that repeats what was not answered.
 */
#ifndef SETPAY_TEST_BUYER_H
#define SETPAY_TEST_BUYER_H

#include "common/base/error.h"

#include <jansson.h>
#include <stdint.h>

#define TEST_STATUS_SIZE 24

/* Pays a link with a card (NULL: the default one), agreeing to what the wallet shows. status: the
 * wallet's word for the purchase ("authorised", "declined", "pending", "failed"), "" where nothing
 * was signed. The error is what the person would be told; a pending purchase is none. */
enum setpay_error test_buy(const char *socket, const char *uri, const char *card,
                           char status[TEST_STATUS_SIZE]) SETPAY_MUST_CHECK;
/* The same by the program setpay-wallet: its exit status. */
int test_buy_by_program(const char *bin, const char *socket, const char *uri);

struct test_store {
    uint16_t port;
    const char *token;
    int timeout_ms; /* of one try */
};
/* One try of a POST: its status, or -1 where no whole answer came in time. *answer (may be NULL) is
 * owned by the caller. */
int test_store_try(const struct test_store *store, const char *path, const char *body,
                   const char *key, json_t **answer);
/* One try of a GET, alike. */
int test_store_get(const struct test_store *store, const char *path, json_t **answer);
/* The same request again and again until it is answered with anything but 5xx; -1 after limit_ms.
 */
int test_store_post(const struct test_store *store, const char *path, const char *body,
                    const char *key, int limit_ms, json_t **answer);

#endif
