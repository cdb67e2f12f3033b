/*
 * The merchant API under test: its loop has a thread, the test's thread is the client.
 */
#include "tests/support/test_store_api.h"

#include "common/net/listen.h"
#include "common/net/loop.h"
#include "merchant/store/api/api.h"
#include "merchant/store/api/idempotency.h"
#include "merchant/store/cart.h"
#include "merchant/store/catalogue_schema.h"
#include "merchant/store/forget.h"
#include "merchant/store/order.h"
#include "merchant/store/order_tell.h"
#include "merchant/store/part.h"
#include "merchant/store/ship_to.h"
#include "merchant/store/stock.h"
#include "merchant/store/stock_level.h"
#include "merchant/store/token.h"
#include "merchant/store/webhook/delivery.h"
#include "merchant/store/www/guard.h"
#include "tests/support/test_answered.h"
#include "tests/support/test_messages.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_S 20

/* ------------------------------------------------------------------ the payment side */

static const struct setpay_store_migration steps[] = {
    {1,
     SETPAY_ORDER_SCHEMA SETPAY_ORDER_TERMS_SCHEMA SETPAY_CATALOGUE_SCHEMA SETPAY_STOCK_LEVEL_SCHEMA
         SETPAY_PART_SCHEMA SETPAY_PART_SETTLED_SCHEMA SETPAY_CART_SCHEMA SETPAY_CART_TOTAL_SCHEMA
             SETPAY_CART_FORM_SCHEMA SETPAY_CART_CURRENCY_SCHEMA SETPAY_GUARD_SCHEMA
                 SETPAY_SHIP_TO_SCHEMA SETPAY_TOKEN_SCHEMA SETPAY_TOKEN_SCOPE_SCHEMA
                     SETPAY_IDEMPOTENCY_SCHEMA SETPAY_EVENT_SCHEMA SETPAY_EVENT_TO_SEND_SCHEMA
                         SETPAY_EVENT_HISTORY_SCHEMA SETPAY_WEBHOOK_SCHEMA SETPAY_DELIVERY_SCHEMA
                             SETPAY_RESERVATION_UNTIL_SCHEMA SETPAY_SHIP_TO_LOOK_SCHEMA
     "CREATE TABLE fake (id INTEGER PRIMARY KEY, xid BLOB NOT NULL UNIQUE, order_id TEXT NOT NULL,"
     " state INTEGER NOT NULL, version INTEGER NOT NULL);"},
    {0}};
static const struct setpay_store_schema schema = {.name = "merchant", .steps = steps};

_Atomic enum setpay_error test_api_reverse_error;

static enum setpay_error fake_list(struct setpay_db *db, const char *order_id,
                                   setpay_payment_visit_fn *visit, void *visit_arg)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT xid, state FROM fake WHERE order_id = $1 ORDER BY id",
                                SETPAY_DB_TEXT(order_id)));
    while (setpay_db_next(rows)) {
        struct setpay_payment_view payment = {.amount = {1250, "EUR"},
                                              .approved = {0, "EUR"},
                                              .action_code = "00",
                                              .brand = "visa",
                                              .created_ms = TEST_DATE_MS};
        setpay_db_get_id(rows, 0, &payment.xid);
        payment.state = (enum setpay_purchase_state)setpay_db_get_int(rows, 1);
        assert_int_equal(visit(visit_arg, &payment), SETPAY_OK);
    }
    return setpay_db_end(rows);
}

static enum setpay_error fake_set(struct setpay_db *db, const struct setpay_id *xid,
                                  enum setpay_purchase_state state)
{
    struct setpay_db_rows *rows;
    char order_id[SETPAY_ORDER_ID_SIZE];
    SETPAY_TRY(
        setpay_db_one(db, &rows, "SELECT order_id FROM fake WHERE xid = $1", SETPAY_DB_ID(xid)));
    setpay_db_get_text(rows, 0, order_id, sizeof order_id);
    SETPAY_TRY(setpay_db_end(rows));
    SETPAY_TRY(setpay_db_run(db, "UPDATE fake SET state = $1, version = version + 1 WHERE xid = $2",
                             SETPAY_DB_INT(state), SETPAY_DB_ID(xid)));
    if (state == SETPAY_PURCHASE_AUTHORISED)
        SETPAY_TRY(setpay_stock_sell(db, order_id, setpay_clock_now_ms()));
    if (setpay_purchase_state_is_refused(state))
        SETPAY_TRY(setpay_order_release(db, order_id, xid));
    SETPAY_TRY(setpay_order_tell(db, &test_api_port, order_id, setpay_clock_now_ms()));
    return setpay_db_notify(db, xid, 2);
}

static enum setpay_error fake_event(struct setpay_db *db, const struct setpay_id *xid,
                                    enum setpay_purchase_event event)
{
    struct setpay_db_rows *rows;
    enum setpay_purchase_state next = SETPAY_PURCHASE_NONE;
    SETPAY_TRY(
        setpay_db_one(db, &rows, "SELECT state FROM fake WHERE xid = $1", SETPAY_DB_ID(xid)));
    enum setpay_purchase_state state = (enum setpay_purchase_state)setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    SETPAY_TRY(setpay_purchase_state_next(state, event, &next));
    return fake_set(db, xid, next);
}

static enum setpay_error fake_give_up(struct setpay_db *db, const struct setpay_id *xid,
                                      setpay_time_ms now_ms)
{
    (void)now_ms;
    return fake_event(db, xid, SETPAY_PURCHASE_GIVE_UP);
}

static enum setpay_error fake_reverse(struct setpay_db *db, const struct setpay_id *xid,
                                      setpay_time_ms now_ms)
{
    (void)now_ms;
    enum setpay_error error = atomic_exchange(&test_api_reverse_error, SETPAY_OK);
    return error != SETPAY_OK ? error : fake_event(db, xid, SETPAY_PURCHASE_REVERSE);
}

/* Nothing is captured here: that is tried against a real gateway (test_merchant_steps.c). */
static enum setpay_error fake_list_steps(struct setpay_db *db, const struct setpay_id *xid,
                                         setpay_step_visit_fn *visit, void *visit_arg)
{
    (void)db, (void)xid, (void)visit, (void)visit_arg;
    return SETPAY_OK;
}

const struct setpay_payment_port test_api_port = {.list = fake_list,
                                                  .list_steps = fake_list_steps,
                                                  .give_up = fake_give_up,
                                                  .reverse = fake_reverse};

/* ------------------------------------------------------------------ operations of a test */

struct doing {
    const char *order_id;
    struct setpay_id xid;
    enum setpay_purchase_state state;
    const char *sql;
    int64_t number;
    char *token;
};

static enum setpay_error do_purchase(struct setpay_db *db, void *arg)
{
    struct doing *doing = arg;
    SETPAY_TRY(setpay_order_take(db, doing->order_id, &doing->xid, setpay_clock_now_ms()));
    SETPAY_TRY(setpay_db_run(db,
                             "INSERT INTO fake (xid, order_id, state, version)"
                             " VALUES ($1, $2, 0, 1)",
                             SETPAY_DB_ID(&doing->xid), SETPAY_DB_TEXT(doing->order_id)));
    return fake_set(db, &doing->xid, doing->state);
}

void test_api_purchase(struct test_api *test, const char *order_id, uint8_t number,
                       enum setpay_purchase_state state)
{
    struct doing doing = {.order_id = order_id, .xid = test_id(number), .state = state};
    assert_int_equal(setpay_store_submit_wait(test->store, do_purchase, &doing), SETPAY_OK);
}

static enum setpay_error do_state(struct setpay_db *db, void *arg)
{
    struct doing *doing = arg;
    return fake_set(db, &doing->xid, doing->state);
}

void test_api_purchase_goes(struct test_api *test, uint8_t number, enum setpay_purchase_state state)
{
    struct doing doing = {.xid = test_id(number), .state = state};
    assert_int_equal(setpay_store_submit_wait(test->store, do_state, &doing), SETPAY_OK);
}

static enum setpay_error do_read_state(struct setpay_db *db, void *arg)
{
    struct doing *doing = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT state FROM fake WHERE xid = $1",
                             SETPAY_DB_ID(&doing->xid)));
    doing->state = (enum setpay_purchase_state)setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

enum setpay_purchase_state test_api_purchase_state(struct test_api *test, uint8_t number)
{
    struct doing doing = {.xid = test_id(number)};
    assert_int_equal(setpay_store_submit_wait(test->store, do_read_state, &doing), SETPAY_OK);
    return doing.state;
}

static enum setpay_error do_sql(struct setpay_db *db, void *arg)
{
    struct doing *doing = arg;
    struct setpay_db_rows *rows;
    if (strncmp(doing->sql, "SELECT", 6) != 0) {
        SETPAY_TRY(setpay_db_run(db, doing->sql));
        doing->number = setpay_db_changes(db);
        return SETPAY_OK;
    }
    SETPAY_TRY(setpay_db_one(db, &rows, doing->sql));
    doing->number = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

int64_t test_api_sql(struct test_api *test, const char *sql)
{
    struct doing doing = {.sql = sql};
    assert_int_equal(setpay_store_submit_wait(test->store, do_sql, &doing), SETPAY_OK);
    return doing.number;
}

static enum setpay_error do_token(struct setpay_db *db, void *arg)
{
    struct doing *doing = arg;
    struct setpay_token token = {.name = "test", .scopes = SETPAY_SCOPES_ALL};
    SETPAY_TRY(setpay_token_make(doing->token, &token.hash));
    token.created_ms = setpay_clock_now_ms();
    return setpay_token_add(db, &token);
}

/* ------------------------------------------------------------------ the API */

static void *run_loop(void *arg)
{
    assert_int_equal(setpay_loop_run(arg), SETPAY_OK);
    return NULL;
}

void test_api_start(struct test_api *test)
{
    struct setpay_problem problem;
    struct setpay_address address;
    struct setpay_listeners listeners = {0};
    const struct setpay_store_options options = {.url = test->folder.url, .schema = &schema};
    assert_int_equal(setpay_store_open(&options, &test->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_loop_new(0, &test->loop), SETPAY_OK);
    const struct setpay_api_options api = {.loop = test->loop,
                                           .store = test->store,
                                           .port = &test_api_port,
                                           .links = {"localhost:7443", test->shop_url},
                                           .shop = {.country = "DE", .currency = "EUR"},
                                           .wait_ms = test->wait_ms};
    assert_int_equal(setpay_api_new(&api, &test->api), SETPAY_OK);
    assert_int_equal(setpay_address_parse("127.0.0.1:0", &address, &problem), SETPAY_OK);
    assert_int_equal(setpay_listeners_open(&address, 1, &listeners, &problem), SETPAY_OK);
    test->port = test->api_port = setpay_address_port(&listeners.address);
    assert_int_equal(setpay_api_listen(test->api, setpay_listeners_take(&listeners, 0)), SETPAY_OK);
    setpay_listeners_close(&listeners);
    assert_int_equal(pthread_create(&test->thread, NULL, run_loop, test->loop), 0);
}

void test_api_open(struct test_api *test, int64_t wait_ms)
{
    struct doing doing = {.token = test->token};
    memset(test, 0, sizeof *test);
    test->wait_ms = wait_ms;
    test_folder_make(&test->folder);
    test_api_start(test);
    assert_int_equal(setpay_store_submit_wait(test->store, do_token, &doing), SETPAY_OK);
}

static void on_drained(void *arg)
{
    setpay_loop_stop(arg);
}

static void drain(void *arg)
{
    struct test_api *test = arg;
    setpay_api_drain(test->api, on_drained, test->loop);
}

void test_api_stop(struct test_api *test)
{
    assert_int_equal(setpay_loop_post(test->loop, drain, test), SETPAY_OK);
    pthread_join(test->thread, NULL);
    setpay_store_drain(test->store);
    setpay_api_free(test->api);
    setpay_store_close(test->store);
    setpay_loop_free(test->loop);
}

void test_api_close(struct test_api *test)
{
    test_api_stop(test);
    json_decref(test->answer);
    test_folder_remove(&test->folder);
}

/* ------------------------------------------------------------------ the client */

void test_api_send(const struct test_api *test, const char *request, struct test_api_reply *reply)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(test->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    size_t size = 0;
    size_t max = sizeof reply->head + sizeof reply->body - 2;
    char *all = malloc(max + 1);
    const char *whole = request;
    const char *rest = strstr(request, "$TOKEN");
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_non_null(all);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    if (rest != NULL) {
        assert_true(send(fd, request, (size_t)(rest - request), MSG_NOSIGNAL | MSG_MORE) > 0);
        assert_true(send(fd, test->token, strlen(test->token), MSG_NOSIGNAL | MSG_MORE) > 0);
        request = rest + strlen("$TOKEN");
    }
    assert_true(send(fd, request, strlen(request), MSG_NOSIGNAL) > 0);
    for (ssize_t got = 1; got > 0 && size < max;) {
        got = recv(fd, all + size, max - size, 0);
        assert_true(got >= 0);
        size += (size_t)got;
    }
    close(fd);
    all[size] = '\0';
    if (test->port == test->api_port)
        test_answered(whole, all);
    char *end = strstr(all, "\r\n\r\n");
    assert_non_null(end);
    *end = '\0';
    assert_int_equal(strncmp(all, "HTTP/1.1 ", 9), 0);
    reply->status = (int)strtol(all + 9, NULL, 10);
    (void)snprintf(reply->head, sizeof reply->head, "%s", all);
    (void)snprintf(reply->body, sizeof reply->body, "%s", end + 4);
    free(all);
}

static void keep_answer(struct test_api *test, const struct test_api_reply *reply)
{
    json_decref(test->answer);
    test->answer = json_loads(reply->body, 0, NULL);
    assert_non_null(test->answer);
}

int test_api_edit(struct test_api *test, const char *method, const char *path, const char *version,
                  const char *body, struct test_api_reply *reply)
{
    size_t room = 2048 + strlen(body);
    char *request = malloc(room);
    assert_non_null(request);
    (void)snprintf(request, room,
                   "%s /api/v1%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                   "Authorization: Bearer $TOKEN\r\n%s%s%sContent-Length: %zu\r\n\r\n%s",
                   method, path, version != NULL ? "If-Match: " : "",
                   version != NULL ? version : "", version != NULL ? "\r\n" : "", strlen(body),
                   body);
    test_api_send(test, request, reply);
    free(request);
    if (reply->body[0] != '\0')
        keep_answer(test, reply);
    return reply->status;
}

int test_api_post(struct test_api *test, const char *path, const char *key, const char *body,
                  struct test_api_reply *reply)
{
    size_t room = 2048 + (body != NULL ? strlen(body) : 0);
    char *request = malloc(room);
    assert_non_null(request);
    (void)snprintf(request, room,
                   "POST /api/v1%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                   "Authorization: Bearer $TOKEN\r\n%s%s%s%sContent-Length: %zu\r\n\r\n%s",
                   path, key != NULL ? "Idempotency-Key: " : "", key != NULL ? key : "",
                   key != NULL ? "\r\n" : "",
                   body != NULL ? "Content-Type: application/json; charset=utf-8\r\n" : "",
                   body != NULL ? strlen(body) : 0, body != NULL ? body : "");
    test_api_send(test, request, reply);
    free(request);
    keep_answer(test, reply);
    return reply->status;
}

int test_api_get(struct test_api *test, const char *path, struct test_api_reply *reply)
{
    char request[1024];
    (void)snprintf(request, sizeof request,
                   "GET /api/v1%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                   "Authorization: Bearer $TOKEN\r\n\r\n",
                   path);
    test_api_send(test, request, reply);
    keep_answer(test, reply);
    return reply->status;
}

bool test_api_header(const struct test_api_reply *reply, const char *name, char *out, size_t size)
{
    char start[64];
    (void)snprintf(start, sizeof start, "\r\n%s: ", name);
    const char *at = strcasestr(reply->head, start);
    if (at == NULL)
        return false;
    at += strlen(start);
    (void)snprintf(out, size, "%.*s", (int)strcspn(at, "\r"), at);
    return true;
}

const char *test_api_text(const struct test_api *test, const char *member)
{
    const char *text = json_string_value(json_object_get(test->answer, member));
    return text != NULL ? text : "";
}
