/*
 * The merchant API behind its HTTP server, over a socket and with a database: paths, queries,
 * header fields, idempotency keys, bodies. Input: bytes as a client sends them; "$TOKEN" in the
 * header field for it stands for a valid token.
 *
 * Whatever comes, every answer is whole HTTP, its body one JSON object, never "internal error", and
 * never shows the token; and the server closes when its client does.
 */
#include "common/net/http_answer.h"
#include "common/net/loop.h"
#include "common/store/store.h"
#include "merchant/store/api/api.h"
#include "merchant/store/api/idempotency.h"
#include "merchant/store/cart.h"
#include "merchant/store/catalogue_schema.h"
#include "merchant/store/forget.h"
#include "merchant/store/order.h"
#include "merchant/store/part.h"
#include "merchant/store/ship_to.h"
#include "merchant/store/stock.h"
#include "merchant/store/stock_level.h"
#include "merchant/store/token.h"
#include "merchant/store/webhook/delivery.h"
#include "merchant/store/www/guard.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/talk.h"

#include <jansson.h>
#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWERS_MAX 64
#define BODY_MAX (1024 * 1024)

static struct setpay_loop *loop;
static char socket_path[160], token[SETPAY_TOKEN_SIZE];

/* An order's purchases: these orders have none. */
static enum setpay_error list_none(struct setpay_db *db, const char *order_id,
                                   setpay_payment_visit_fn *visit, void *visit_arg)
{
    (void)db;
    (void)order_id;
    (void)visit;
    (void)visit_arg;
    return SETPAY_OK;
}

static enum setpay_error change_none(struct setpay_db *db, const struct setpay_id *xid,
                                     setpay_time_ms now_ms)
{
    (void)db;
    (void)xid;
    (void)now_ms;
    return SETPAY_E_NOT_FOUND;
}

/* Nothing was settled. */
static enum setpay_error list_no_settlements(struct setpay_db *db, int64_t before, int64_t room,
                                             setpay_settlement_visit_fn *visit, void *visit_arg)
{
    (void)db, (void)before, (void)room, (void)visit, (void)visit_arg;
    return SETPAY_OK;
}

static enum setpay_error find_no_settlement(struct setpay_db *db, const struct setpay_id *id,
                                            struct setpay_settlement_view *settlement)
{
    (void)db, (void)id, (void)settlement;
    return SETPAY_E_NOT_FOUND;
}

static enum setpay_error list_no_rows(struct setpay_db *db,
                                      const struct setpay_settlement_rows *which,
                                      setpay_settlement_row_visit_fn *visit, void *visit_arg)
{
    (void)db, (void)which, (void)visit, (void)visit_arg;
    return SETPAY_OK;
}

static enum setpay_error list_all_settled(struct setpay_db *db,
                                          const struct setpay_unsettled *which,
                                          setpay_unsettled_visit_fn *visit, void *visit_arg)
{
    (void)db, (void)which, (void)visit, (void)visit_arg;
    return SETPAY_OK;
}

static const struct setpay_payment_port port = {.list = list_none,
                                                .give_up = change_none,
                                                .reverse = change_none,
                                                .list_settlements = list_no_settlements,
                                                .find_settlement = find_no_settlement,
                                                .list_settlement_rows = list_no_rows,
                                                .list_unsettled = list_all_settled};

static const struct setpay_store_migration steps[] = {
    {1,
     SETPAY_ORDER_SCHEMA SETPAY_ORDER_TERMS_SCHEMA SETPAY_CATALOGUE_SCHEMA SETPAY_STOCK_LEVEL_SCHEMA
         SETPAY_PART_SCHEMA SETPAY_PART_SETTLED_SCHEMA SETPAY_CART_SCHEMA SETPAY_CART_TOTAL_SCHEMA
             SETPAY_CART_FORM_SCHEMA SETPAY_CART_CURRENCY_SCHEMA SETPAY_GUARD_SCHEMA
                 SETPAY_SHIP_TO_SCHEMA SETPAY_TOKEN_SCHEMA SETPAY_TOKEN_SCOPE_SCHEMA
                     SETPAY_IDEMPOTENCY_SCHEMA SETPAY_EVENT_SCHEMA SETPAY_EVENT_TO_SEND_SCHEMA
                         SETPAY_EVENT_HISTORY_SCHEMA SETPAY_WEBHOOK_SCHEMA SETPAY_DELIVERY_SCHEMA
                             SETPAY_RESERVATION_UNTIL_SCHEMA SETPAY_SHIP_TO_LOOK_SCHEMA},
    {0}};
static const struct setpay_store_schema schema = {.name = "merchant", .steps = steps};

static enum setpay_error add_token(struct setpay_db *db, void *hash)
{
    struct setpay_token made = {
        .name = "fuzz", .scopes = SETPAY_SCOPES_ALL, .created_ms = FUZZ_NOW_MS};
    struct setpay_id id;
    memcpy(&made.hash, hash, sizeof made.hash);
    /* The committer's thread has a generator of its own until it ends, which it does not here, and
     * keeps it where LeakSanitizer does not look. */
    __lsan_disable();
    enum setpay_error error = setpay_id_random(&id);
    __lsan_enable();
    return error == SETPAY_OK ? setpay_token_add(db, &made) : error;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char url[160];
    struct setpay_problem problem = {{0}};
    struct setpay_digest hash;
    struct setpay_store *store = NULL;
    struct setpay_api *api = NULL;
    (void)argc;
    (void)argv;
    fuzz_start();
    (void)snprintf(url, sizeof(url), "sqlite:%s/merchant.db", fuzz_folder());
    (void)snprintf(socket_path, sizeof(socket_path), "%s/api", fuzz_folder());
    const struct setpay_store_options options = {.url = url, .schema = &schema};
    FUZZ_CHECK(setpay_store_open(&options, &store, &problem) == SETPAY_OK);
    FUZZ_CHECK(setpay_token_make(token, &hash) == SETPAY_OK);
    FUZZ_CHECK(setpay_store_submit_wait(store, add_token, &hash) == SETPAY_OK);
    FUZZ_CHECK(setpay_loop_new(0, &loop) == SETPAY_OK);
    const struct setpay_api_options api_options = {.loop = loop,
                                                   .store = store,
                                                   .port = &port,
                                                   .links = {"shop.example", NULL},
                                                   .shop = {.country = "DE", .currency = "EUR"}};
    FUZZ_CHECK(setpay_api_new(&api_options, &api) == SETPAY_OK);
    FUZZ_CHECK(setpay_api_listen(api, fuzz_listen(socket_path)) == SETPAY_OK);
    return 0;
}

/* The input with the token in its place; owned by the caller (free). Elsewhere it is a text as any
 * other: who writes a parameter that there is none of hears its name. */
static uint8_t *with_token(struct setpay_view input, size_t *size)
{
    static const char place[] = "Authorization: Bearer $TOKEN";
    const size_t before = sizeof(place) - sizeof("$TOKEN");
    uint8_t *out = malloc(input.size * SETPAY_TOKEN_SIZE + 1);
    FUZZ_CHECK(out != NULL);
    *size = 0;
    while (input.size > 0) {
        if (input.size >= sizeof(place) - 1 && memcmp(input.data, place, sizeof(place) - 1) == 0) {
            memcpy(out + *size, place, before);
            memcpy(out + *size + before, token, strlen(token));
            *size += before + strlen(token);
            (void)fuzz_take_bytes(&input, sizeof(place) - 1);
        } else {
            out[(*size)++] = fuzz_take(&input);
        }
    }
    return out;
}

static void check_body(const struct setpay_http_message *answer)
{
    bool problem = answer->status >= 400;
    FUZZ_CHECK(answer->status != 500);
    if (answer->status == 204)
        return;
    json_t *json = json_loadb((const char *)answer->body.data, answer->body.size,
                              JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(json_is_object(json));
    FUZZ_CHECK(strcmp(answer->content_type,
                      problem ? "application/problem+json" : "application/json") == 0);
    if (problem)
        FUZZ_CHECK(json_integer_value(json_object_get(json, "status")) == answer->status);
    json_decref(json);
}

static void check_answers(struct setpay_view answers)
{
    for (size_t i = 0; i < ANSWERS_MAX && answers.size > 0; i++) {
        struct setpay_http_message answer;
        bool complete = false;
        FUZZ_CHECK(setpay_http_answer_parse(answers, BODY_MAX, &complete, &answer) == SETPAY_OK);
        FUZZ_CHECK(complete);
        check_body(&answer);
        const uint8_t *end = memmem(answers.data, answers.size, "\r\n\r\n", 4);
        FUZZ_CHECK(end != NULL);
        (void)fuzz_take_bytes(&answers, (size_t)(end - answers.data) + 4 + answer.body.size);
        setpay_buffer_clear(&answer.body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t request_size = 0;
    uint8_t *request = with_token(setpay_view_of(data, size), &request_size);
    struct setpay_view sent = {request, request_size};
    struct setpay_view answers = fuzz_talk(setpay_loop_base(loop), socket_path, sent);
    if (getenv("FUZZ_SHOW") != NULL)
        (void)fwrite(answers.data, 1, answers.size, stderr);
    FUZZ_CHECK(answers.size == 0 ||
               memmem(answers.data, answers.size, token, strlen(token)) == NULL);
    /* HEAD's answers have lengths without bodies. */
    if (memmem(request, request_size, "HEAD", 4) == NULL && answers.size > 0)
        check_answers(answers);
    free(request);
    return 0;
}
