/*
 * From an operator's command to an act on the store, and its refusal in words.
 */
#include "merchant/shop_commands.h"

#include "common/net/control_json.h"
#include "merchant/store/shop_acts.h"

#include <string.h>

/* The error of a command for an act's refusal: a member that is wrong is wrong usage. */
static enum setpay_error refuse(enum setpay_error error, const struct setpay_json_fault *fault,
                                struct setpay_problem *problem)
{
    if (fault->words[0] == '\0')
        return error;
    return setpay_problem_set(problem, error == SETPAY_E_INVALID ? SETPAY_E_USAGE : error, "%s%s%s",
                              fault->field, fault->field[0] != '\0' ? ": " : "", fault->words);
}

/* What is meant, out of *body. */
static enum setpay_error take_id(json_t *body, const char *name, json_t **held, const char **text,
                                 struct setpay_problem *problem)
{
    SETPAY_TRY(setpay_json_arg_text(body, name, false, text, problem));
    *held = json_incref(json_object_get(body, name));
    (void)json_object_del(body, name);
    return SETPAY_OK;
}

static enum setpay_error run_act(struct setpay_db *db,
                                 const struct setpay_merchant_context *context, const char *name,
                                 const json_t *args, json_t **result,
                                 struct setpay_problem *problem)
{
    struct setpay_shop_answer answer = {.json = NULL};
    struct setpay_shop_ask ask = {.id = "",
                                  .sub = "",
                                  .version = SETPAY_SHOP_ANY_VERSION,
                                  .now_ms = context->now_ms,
                                  .settings = &context->shop};
    json_t *id = NULL;
    json_t *sub = NULL;
    json_t *body = json_copy((json_t *)(uintptr_t)args);
    enum setpay_error error =
        body == NULL ? SETPAY_E_NOMEM : take_id(body, "id", &id, &ask.id, problem);
    if (error == SETPAY_OK)
        error = take_id(body, "sub", &sub, &ask.sub, problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_int(body, "version", false, 1, INT64_MAX, &ask.version, problem);
    if (error == SETPAY_OK) {
        (void)json_object_del(body, "version");
        ask.body = body;
        error = setpay_shop_act_find(name)->run(db, &ask, &answer);
        error = error == SETPAY_OK ? error : refuse(error, &answer.fault, problem);
    }
    if (error == SETPAY_OK) {
        *result = answer.json != NULL ? json_incref(answer.json)
                                      : json_pack("{s:s, s:b}", "id", ask.id, "removed", 1);
        error = *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    setpay_shop_answer_clear(&answer);
    json_decref(body);
    json_decref(id);
    json_decref(sub);
    return error;
}

#define RUN(name, function, help)                                                                  \
    static enum setpay_error function(                                                             \
        struct setpay_db *db, const struct setpay_merchant_context *context, const json_t *args,   \
        json_t **result, struct setpay_problem *problem)                                           \
    {                                                                                              \
        return run_act(db, context, name, args, result, problem);                                  \
    }
SETPAY_MERCHANT_SHOP_COMMANDS(RUN)

/* All through an operation: what only reads does not mind. */
#define COMMAND(name, function, help) {name, true, function},
static const struct setpay_merchant_command commands[] = {SETPAY_MERCHANT_SHOP_COMMANDS(COMMAND)};

const struct setpay_merchant_command *setpay_merchant_shop_command_find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

#define HANDLER(name, function, help)                                                              \
    void setpay_merchant_on_##function(struct setpay_control_call *call, const json_t *args,       \
                                       void *arg)                                                  \
    {                                                                                              \
        setpay_merchant_command_start(call, args, arg, name);                                      \
    }
SETPAY_MERCHANT_SHOP_COMMANDS(HANDLER)
