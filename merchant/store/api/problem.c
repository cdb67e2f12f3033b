/*
 * The table of refusals, and one as JSON.
 */
#include "merchant/store/api/problem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define URN "urn:setpay:problem:"

static const struct setpay_api_problem_info infos[SETPAY_API_PROBLEMS] = {
    [SETPAY_API_UNAUTHORISED] = {401, URN "unauthorised", "A valid bearer token is needed"},
    [SETPAY_API_SCOPE] = {403, URN "scope", "The token's scopes do not cover it"},
    [SETPAY_API_NO_ORDER] = {404, URN "no-such-order", "There is no such order"},
    [SETPAY_API_NO_KEY] = {400, URN "idempotency-key", "An Idempotency-Key is needed"},
    [SETPAY_API_KEY_REUSED] = {422, URN "idempotency-key-reused",
                               "The Idempotency-Key stands for another request"},
    [SETPAY_API_UNDER_WAY] = {409, URN "request-under-way", "The same request is under way"},
    [SETPAY_API_CONTENT_TYPE] = {415, URN "content-type", "The body must be JSON"},
    [SETPAY_API_NOT_JSON] = {400, URN "not-json", "The body is not one JSON object"},
    [SETPAY_API_INVALID_FIELD] = {422, URN "invalid-field", "A member of the body is not valid"},
    [SETPAY_API_UNKNOWN_SKU] = {422, URN "unknown-sku", "The catalogue has no such item"},
    [SETPAY_API_INVALID_QUERY] = {400, URN "invalid-query", "A parameter is not valid"},
    [SETPAY_API_ORDER_STATE] = {409, URN "order-state", "The order's status does not allow it"},
    [SETPAY_API_NO_STEP] = {404, URN "no-such-step", "There is no such capture or refund"},
    [SETPAY_API_AMOUNT] = {409, URN "amount", "The amount is not what is left"},
    [SETPAY_API_STEP_REFUSED] = {409, URN "refused-by-gateway", "The gateway has refused it"},
    [SETPAY_API_DECLINED] = {409, URN "declined", "The issuer has declined it"},
    [SETPAY_API_TOO_SOON] = {409, URN "too-soon", "The next payment is not due yet"},
    [SETPAY_API_TOO_MANY] = {409, URN "too-many", "There are as many as there may be"},
    [SETPAY_API_OUT_OF_STOCK] = {409, URN "out-of-stock", "There is not enough in stock"},
    [SETPAY_API_NOT_FOUND] = {404, URN "not-found", "There is no such thing in the store"},
    [SETPAY_API_EXISTS] = {409, URN "exists", "There is one by that name"},
    [SETPAY_API_IN_USE] = {409, URN "in-use", "Something else stands against it"},
    [SETPAY_API_VERSION] = {412, URN "version", "It was changed meanwhile"},
    [SETPAY_API_NO_VERSION] = {428, URN "version-needed", "If-Match is needed"},
    [SETPAY_API_WEBHOOK_STATE] = {409, URN "webhook-state",
                                  "The webhook's status does not allow it"},
    [SETPAY_API_BUSY] = {503, URN "busy", "Too much is under way: repeat the same request"},
    [SETPAY_API_INTERNAL] = {500, URN "internal", "The request failed, and changed nothing"},
};

const struct setpay_api_problem_info *setpay_api_problem_info(enum setpay_api_problem problem)
{
    return &infos[(unsigned)problem < SETPAY_API_PROBLEMS ? problem : SETPAY_API_INTERNAL];
}

/* Words as JSON: where they quote a stranger's bytes and were cut inside a character, without what
 * is not ASCII. */
static json_t *words_json(const char *words)
{
    json_t *json = json_string(words);
    char *plain = json == NULL ? strdup(words) : NULL;
    for (char *c = plain; c != NULL && *c != '\0'; c++) {
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    }
    if (plain != NULL)
        json = json_string(plain);
    free(plain);
    return json;
}

enum setpay_error setpay_api_answer_problem(struct setpay_api_answer *answer,
                                            enum setpay_api_problem problem, const char *field,
                                            const char *detail)
{
    return setpay_api_answer_problem_with(answer, problem, field, detail, NULL);
}

enum setpay_error setpay_api_answer_problem_with(struct setpay_api_answer *answer,
                                                 enum setpay_api_problem problem, const char *field,
                                                 const char *detail, json_t *members)
{
    const struct setpay_api_problem_info *info = setpay_api_problem_info(problem);
    json_t *json = json_pack("{s:s, s:s, s:i}", "type", info->type, "title", info->title, "status",
                             info->status);
    enum setpay_error error = json == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK && detail != NULL && detail[0] != '\0' &&
        json_object_set_new(json, "detail", words_json(detail)) != 0)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK && field != NULL && field[0] != '\0' &&
        json_object_set_new(json, "field", words_json(field)) != 0)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK && members != NULL && json_object_update_missing(json, members) != 0)
        error = SETPAY_E_NOMEM;
    json_decref(members);
    char *text = error == SETPAY_OK ? json_dumps(json, JSON_COMPACT) : NULL;
    if (text == NULL)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        error = setpay_buffer_set(&answer->body, setpay_view_string(text));
    if (error == SETPAY_OK) {
        answer->status = info->status;
        answer->location[0] = '\0';
    }
    free(text);
    json_decref(json);
    return error;
}
