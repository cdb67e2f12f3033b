/*
 * A merchant API on a port of its own, with a payment side that does what a test says, and a client
 * that speaks plain HTTP to it.
 */
#ifndef SETPAY_TESTS_STORE_API_H
#define SETPAY_TESTS_STORE_API_H

#include "common/store/store.h"
#include "merchant/payment/purchase_state.h"
#include "merchant/store/payment_port.h"
#include "tests/support/test_store.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct setpay_api;
struct setpay_loop;

struct test_api {
    struct test_folder folder;
    struct setpay_store *store;
    struct setpay_loop *loop;
    struct setpay_api *api;
    pthread_t thread;
    uint16_t port; /* that requests go to */
    uint16_t api_port;
    int64_t wait_ms;
    const char *shop_url; /* NULL: none; told from the next start on */
    char token[64];
    json_t *answer; /* of the last request; owned by this */
};

/* The payment side. */
extern const struct setpay_payment_port test_api_port;
/* The next reverse of the payment side fails so; SETPAY_OK: none does. */
extern _Atomic enum setpay_error test_api_reverse_error;

/* Folder, store, a token and the API. */
void test_api_open(struct test_api *test, int64_t wait_ms);
/* Drains and closes the API and its store; the folder stays. */
void test_api_stop(struct test_api *test);
void test_api_start(struct test_api *test);
void test_api_close(struct test_api *test);

/* One answer. Texts are NUL-terminated. */
struct test_api_reply {
    int status;
    char head[2048];
    char body[512 * 1024];
};
/* The whole request as given, but for "$TOKEN" in it. */
void test_api_send(const struct test_api *test, const char *request, struct test_api_reply *reply);
/* The same with token and key (NULL: none); body NULL: none. The JSON of the answer is
 * test->answer. */
int test_api_post(struct test_api *test, const char *path, const char *key, const char *body,
                  struct test_api_reply *reply);
/* PATCH or DELETE, with If-Match (NULL: none). Without a body in the reply, test->answer stays. */
int test_api_edit(struct test_api *test, const char *method, const char *path, const char *version,
                  const char *body, struct test_api_reply *reply);
int test_api_get(struct test_api *test, const char *path, struct test_api_reply *reply);
/* The value of a header of the reply, into out; false where it is absent. */
bool test_api_header(const struct test_api_reply *reply, const char *name, char *out, size_t size);

/* The text member of the last answer; "" where it is none. */
const char *test_api_text(const struct test_api *test, const char *member);

/* A purchase takes the order, in this state. */
void test_api_purchase(struct test_api *test, const char *order_id, uint8_t number,
                       enum setpay_purchase_state state);
/* It goes there; a final refusal releases the order. */
void test_api_purchase_goes(struct test_api *test, uint8_t number,
                            enum setpay_purchase_state state);
enum setpay_purchase_state test_api_purchase_state(struct test_api *test, uint8_t number);
/* Any statement without values; the number of rows changed, or for a SELECT its first integer. */
int64_t test_api_sql(struct test_api *test, const char *sql);

#endif
