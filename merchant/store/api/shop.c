/*
 * The requests about the store: from HTTP to an act (shop_acts.h) and back.
 *
 * What reads answers on the loop. What changes something goes through the store as a call: a POST
 * under its Idempotency-Key, a PATCH or DELETE under If-Match, without which it is refused, so that
 * nobody overwrites what another has changed meanwhile. A refusal is not kept: it changed nothing,
 * and the same request may succeed later.
 */
#include "merchant/store/api/shop.h"

#include "merchant/store/api/api_internal.h"
#include "merchant/store/picture.h"
#include "merchant/store/shop_acts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ANSWER_MAX (64 * 1024 * 1024)
#define SUB_SIZE 80

/* What the call of an act holds besides. */
struct setpay_api_shop_call {
    const struct setpay_shop_act *act;
    struct setpay_shop_ask ask;
    struct setpay_shop_answer answer;
    char id[SUB_SIZE];
    char sub[SUB_SIZE];
    json_t *body;
};

void setpay_api_shop_call_free(struct setpay_api_shop_call *shop)
{
    if (shop == NULL)
        return;
    setpay_shop_answer_clear(&shop->answer);
    json_decref(shop->body);
    free(shop);
}

/* ------------------------------------------------------------------ answers */

static enum setpay_api_problem problem_of(enum setpay_error error)
{
    switch (error) {
    case SETPAY_E_NOT_FOUND:
        return SETPAY_API_NOT_FOUND;
    case SETPAY_E_EXISTS:
        return SETPAY_API_EXISTS;
    case SETPAY_E_CONFLICT:
        return SETPAY_API_VERSION;
    case SETPAY_E_STATE:
        return SETPAY_API_IN_USE;
    default:
        return SETPAY_API_INVALID_FIELD;
    }
}

/* Ends the request with an act's refusal, or with an error that has none. */
static void reply_refusal(struct setpay_http_request *request, enum setpay_error error,
                          const struct setpay_json_fault *fault, bool is_query)
{
    char words[sizeof fault->field + sizeof fault->words + 2];
    if (fault->words[0] == '\0') {
        setpay_api_reply_error(request, error);
        return;
    }
    enum setpay_api_problem problem = problem_of(error);
    if (is_query && problem == SETPAY_API_INVALID_FIELD)
        problem = SETPAY_API_INVALID_QUERY;
    (void)snprintf(words, sizeof words, "%s%s%s", fault->field, fault->field[0] != '\0' ? ": " : "",
                   fault->words);
    setpay_api_reply_problem(request, problem, fault->field, words);
}

static void refuse(struct setpay_api_call *call, enum setpay_error error)
{
    reply_refusal(call->request, error, &call->shop->answer.fault, false);
}

static enum setpay_error fill_answer(const struct setpay_shop_answer *said, int status,
                                     struct setpay_api_answer *answer)
{
    answer->status = status;
    answer->version = said->version;
    if (said->json == NULL)
        return SETPAY_OK;
    char *text = json_dumps(said->json, JSON_COMPACT);
    enum setpay_error error =
        text == NULL ? SETPAY_E_NOMEM : setpay_buffer_set(&answer->body, setpay_view_string(text));
    free(text);
    return error;
}

/* ------------------------------------------------------------------ changing */

/* Inside the operation. */
static enum setpay_error effect(struct setpay_db *db, struct setpay_api_call *call)
{
    struct setpay_api_shop_call *shop = call->shop;
    const char *path = setpay_http_request_path(call->request);
    bool made = false;
    SETPAY_TRY(shop->act->run(db, &shop->ask, &shop->answer));
    if (shop->answer.made[0] != '\0') {
        made = true;
        int size = snprintf(call->answer.location, sizeof call->answer.location, "%s/%s", path,
                            shop->answer.made);
        if (size < 0 || (size_t)size >= sizeof call->answer.location)
            call->answer.location[0] = '\0'; /* too long to be kept: the body says it too */
    }
    return fill_answer(&shop->answer,
                       made                        ? 201
                       : shop->answer.json != NULL ? 200
                                                   : 204,
                       &call->answer);
}

/* The version that If-Match asks for: "3" or *. False after a reply. */
static bool read_version(struct setpay_http_request *request, int64_t *version)
{
    const char *text = setpay_http_request_header(request, "If-Match");
    char words[160];
    char *end = NULL;
    if (text == NULL) {
        setpay_api_reply_problem(request, SETPAY_API_NO_VERSION, "If-Match",
                                 "If-Match: found none; expected the ETag of what is to be changed,"
                                 " like \"3\", or * for whichever version it has");
        return false;
    }
    if (strcmp(text, "*") == 0) {
        *version = SETPAY_SHOP_ANY_VERSION;
        return true;
    }
    errno = 0;
    *version = text[0] == '"' ? strtoll(text + 1, &end, 10) : 0;
    if (text[0] == '"' && text[1] >= '1' && text[1] <= '9' && strcmp(end, "\"") == 0 && errno == 0)
        return true;
    (void)snprintf(words, sizeof words,
                   "If-Match: found %.40s; expected one ETag, like \"3\", or *", text);
    setpay_api_reply_problem(request, SETPAY_API_INVALID_QUERY, "If-Match", words);
    return false;
}

static void take_param(struct setpay_http_request *request, const char *path, const char *name,
                       char *out, const char **used)
{
    char pattern[16];
    (void)snprintf(pattern, sizeof pattern, "{%s}", name);
    if (strstr(path, pattern) == NULL)
        return;
    /* What is too long names nothing; so does its beginning, with a mark that no name has. */
    const char *text = setpay_http_request_param(request, name);
    (void)snprintf(out, SUB_SIZE, "%.70s%s", text, strlen(text) > 70 ? "~" : "");
    *used = out;
}

static void take_params(struct setpay_http_request *request, const char *path, char *id, char *sub,
                        struct setpay_shop_ask *ask)
{
    take_param(request, path, "id", id, &ask->id);
    take_param(request, path, "sku", sub, &ask->sub);
    take_param(request, path, "picture", sub, &ask->sub);
}

static void start(struct setpay_http_request *request, struct setpay_api *api,
                  enum setpay_http_method method, const char *path,
                  const struct setpay_shop_act *act)
{
    int64_t version = SETPAY_SHOP_ANY_VERSION;
    json_t *body = NULL;
    bool keyed = method == SETPAY_HTTP_POST;
    struct setpay_api_call *call =
        setpay_api_call_begin(api, request, keyed, method == SETPAY_HTTP_DELETE, &body);
    if (call == NULL)
        return;
    if (!keyed && !read_version(request, &version)) {
        json_decref(body);
        setpay_api_call_free(call);
        return;
    }
    struct setpay_api_shop_call *shop = calloc(1, sizeof *shop);
    if (shop == NULL) {
        json_decref(body);
        setpay_api_reply_error(request, SETPAY_E_NOMEM);
        setpay_api_call_free(call);
        return;
    }
    call->shop = shop;
    call->refuse = refuse;
    call->effect = effect;
    shop->act = act;
    shop->body = body;
    shop->ask = (struct setpay_shop_ask){
        .body = body, .version = version, .now_ms = call->now_ms, .settings = &api->options.shop};
    take_params(request, path, shop->id, shop->sub, &shop->ask);
    setpay_api_call_submit(call);
}

/* ------------------------------------------------------------------ looking */

struct look {
    const struct setpay_shop_act *act;
    struct setpay_shop_ask ask;
    struct setpay_shop_answer answer;
};

static enum setpay_error read_look(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    return look->act->run(db, &look->ask, &look->answer);
}

/* The value of a parameter as JSON: numbers and truths are written as themselves. */
static json_t *value_json(const char *name, const char *text)
{
    static const char *const numbers[] = {"limit", "price_min", "price_max"};
    if (strcmp(name, "in_stock") == 0 && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
        return json_boolean(text[0] == 't');
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        size_t size = strlen(text);
        if (strcmp(name, numbers[i]) == 0 && size >= 1 && size <= 18 &&
            strspn(text, "0123456789") == size)
            return json_integer(strtoll(text, NULL, 10));
    }
    return json_string(text);
}

static json_t *query_json(struct setpay_http_request *request)
{
    json_t *body = json_object();
    bool whole = body != NULL;
    for (size_t i = 0; i < setpay_http_request_query_count(request); i++) {
        const char *name = setpay_http_request_query_name(request, i);
        setpay_shop_set(body, name, value_json(name, setpay_http_request_query(request, name)),
                        &whole);
    }
    if (whole)
        return body;
    json_decref(body);
    return NULL;
}

static void look(struct setpay_http_request *request, struct setpay_api *api, const char *path,
                 const struct setpay_shop_act *act)
{
    struct setpay_digest token;
    struct setpay_api_answer answer;
    char id[SUB_SIZE];
    char sub[SUB_SIZE];
    if (setpay_api_authorise(api, request, &token) != SETPAY_OK)
        return;
    json_t *body = query_json(request);
    struct look looks = {.act = act,
                         .ask = {.body = body,
                                 .version = SETPAY_SHOP_ANY_VERSION,
                                 .now_ms = setpay_clock_now_ms(),
                                 .settings = &api->options.shop}};
    take_params(request, path, id, sub, &looks.ask);
    enum setpay_error error =
        body == NULL ? SETPAY_E_NOMEM : setpay_store_read(api->reader, read_look, &looks);
    setpay_api_answer_init(&answer);
    setpay_buffer_init(&answer.body, ANSWER_MAX);
    if (error == SETPAY_OK)
        error = fill_answer(&looks.answer, 200, &answer);
    if (error == SETPAY_OK)
        setpay_api_reply(request, &answer, false);
    else
        reply_refusal(request, error, &looks.answer.fault, true);
    setpay_api_answer_clear(&answer);
    setpay_shop_answer_clear(&looks.answer);
    json_decref(body);
}

/* ------------------------------------------------------------------ pictures */

/* A picture comes as its bytes, its words in the query; it goes on as what the act takes. */
json_t *setpay_api_read_picture(struct setpay_http_request *request)
{
    char type[64];
    const char *alt = setpay_http_request_query(request, "alt");
    (void)snprintf(type, sizeof type, "%s", setpay_http_request_header(request, "Content-Type"));
    type[strcspn(type, "; \t")] = '\0';
    json_t *json =
        setpay_picture_body(type, alt != NULL ? alt : "", setpay_http_request_body(request));
    if (json == NULL)
        setpay_api_reply_error(request, SETPAY_E_NOMEM);
    return json;
}

bool setpay_api_is_picture(struct setpay_http_request *request)
{
    const char *type = setpay_http_request_header(request, "Content-Type");
    const char *path = setpay_http_request_path(request);
    size_t size = strlen(path);
    return size > 9 && strcmp(path + size - 9, "/pictures") == 0 && type != NULL &&
           strncasecmp(type, "image/", 6) == 0;
}

/* The bytes themselves, such that nothing in them runs wherever they are opened. */
void setpay_api_on_picture_show(struct setpay_http_request *request, void *arg)
{
    static const struct setpay_http_header headers[] = {
        {"Cache-Control", "private, max-age=31536000, immutable"},
        {"Content-Security-Policy", SETPAY_PICTURE_POLICY},
        {"X-Content-Type-Options", "nosniff"},
        {NULL, NULL}};
    struct setpay_api *api = arg;
    struct setpay_digest token;
    if (setpay_api_authorise(api, request, &token) != SETPAY_OK)
        return;
    struct setpay_picture_show show = {.digest = setpay_http_request_param(request, "picture")};
    setpay_buffer_init(&show.bytes, SETPAY_PICTURE_BYTES_MAX);
    enum setpay_error error = setpay_store_read(api->reader, setpay_picture_read_show, &show);
    if (error == SETPAY_OK)
        setpay_http_reply(request, 200, setpay_picture_type_name(show.type), headers,
                          setpay_buffer_view(&show.bytes));
    else if (error == SETPAY_E_NOT_FOUND)
        setpay_api_reply_problem(request, SETPAY_API_NOT_FOUND, NULL, "there is no such picture");
    else
        setpay_api_reply_error(request, error);
    setpay_buffer_clear(&show.bytes);
}

/* ------------------------------------------------------------------ handlers */

/* "product_add" as the act "product.add". */
static void handle(struct setpay_http_request *request, struct setpay_api *api,
                   enum setpay_http_method method, const char *path, const char *handler)
{
    char name[32];
    (void)snprintf(name, sizeof name, "%s", handler);
    *strchr(name, '_') = '.';
    const struct setpay_shop_act *act = setpay_shop_act_find(name);
    if (method == SETPAY_HTTP_GET)
        look(request, api, path, act);
    else
        start(request, api, method, path, act);
}

#define HANDLER(method, path, act)                                                                 \
    void setpay_api_on_##act(struct setpay_http_request *request, void *arg)                       \
    {                                                                                              \
        handle(request, arg, SETPAY_HTTP_##method, path, #act);                                    \
    }
SETPAY_API_SHOP_ROUTES(HANDLER)
