/*
 * Waiting for the gateway's word: of orders and of batches.
 */
#include "merchant/merchant_wait.h"

#include "common/net/operator.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* How long, and how often it is looked. */
#define GATEWAY_WAIT_MS 10000
#define GATEWAY_LOOK_MS 100

static void pause_shortly(void)
{
    const struct timespec pause = {.tv_nsec = GATEWAY_LOOK_MS * 1000000L};
    (void)nanosleep(&pause, NULL);
}

static enum setpay_error ask(struct setpay_control_client *client, const char *name, json_t *args,
                             json_t **result, struct setpay_problem *problem)
{
    json_t *seen = NULL;
    SETPAY_TRY(setpay_control_client_call(client, name, args, SETPAY_OPERATOR_TIMEOUT_MS, NULL,
                                          NULL, &seen, problem));
    json_decref(*result);
    *result = seen;
    return SETPAY_OK;
}

static bool has_text(const json_t *object, const char *name, const char *text)
{
    const char *found = json_string_value(json_object_get(object, name));
    return found != NULL && strcmp(found, text) == 0;
}

static bool any_has(const json_t *array, const char *name, const char *text)
{
    size_t index;
    const json_t *entry;
    json_array_foreach(array, index, entry)
    {
        if (has_text(entry, name, text))
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------ orders */

static const char *const lists[] = {"captures", "refunds", "reversals", "authorisations"};
#define LISTS (sizeof lists / sizeof *lists)

static bool order_is_under_way(const json_t *order)
{
    const json_t *payments = json_object_get(order, "payments");
    for (size_t i = 0; i < LISTS; i++) {
        if (any_has(json_object_get(order, lists[i]), "status", "asking"))
            return true;
    }
    return any_has(payments, "status", "paying") || any_has(payments, "status", "reversing");
}

/* The first step that was asked for and is refused; NULL where there is none. */
static const json_t *refused_of(const json_t *order, const json_t *asked)
{
    for (size_t i = 0; i < LISTS; i++) {
        size_t index;
        const json_t *step;
        json_array_foreach(json_object_get(order, lists[i]), index, step)
        {
            size_t k;
            const json_t *id;
            json_array_foreach(asked, k, id)
            {
                if (has_text(step, "id", json_string_value(id)) &&
                    (has_text(step, "status", "refused") || has_text(step, "status", "declined")))
                    return step;
            }
        }
    }
    return NULL;
}

static enum setpay_error wait_for_order(struct setpay_control_client *client, json_t **result,
                                        struct setpay_problem *problem)
{
    bool under_way = json_is_true(json_object_get(*result, "under_way"));
    json_t *asked = json_incref(json_object_get(*result, "asked"));
    json_t *order = json_incref(json_object_get(*result, "order"));
    enum setpay_error error = SETPAY_OK;
    json_decref(*result);
    *result = order;
    for (int looked = 0; under_way && error == SETPAY_OK && order_is_under_way(*result); looked++) {
        const json_t *order_id = json_object_get(*result, "order_id");
        if (looked == GATEWAY_WAIT_MS / GATEWAY_LOOK_MS) {
            error = setpay_problem_set(problem, SETPAY_E_TIMEOUT,
                                       "the gateway has not answered yet; the daemon goes on (see"
                                       " `setpay-merchant order show %s`)",
                                       json_string_value(order_id));
            break;
        }
        pause_shortly();
        error =
            ask(client, "order.show", json_pack("{s:O}", "order_id", order_id), result, problem);
    }
    const json_t *refused = error == SETPAY_OK ? refused_of(*result, asked) : NULL;
    if (refused != NULL)
        error = setpay_problem_set(problem, SETPAY_E_STATE,
                                   "the gateway has refused it, with code %d (see the page of"
                                   " errors); the order is %s",
                                   (int)json_integer_value(json_object_get(refused, "code")),
                                   setpay_operator_text(*result, "status"));
    json_decref(asked);
    return error;
}

/* ------------------------------------------------------------------ captures of several orders */

static enum setpay_error say_refused(json_t *one, const json_t *step)
{
    char words[96];
    (void)snprintf(words, sizeof words,
                   "the gateway has refused it, with code %d (see the page of errors)",
                   (int)json_integer_value(json_object_get(step, "code")));
    bool kept = json_object_set_new(one, "status", json_string("refused")) == 0 &&
                json_object_set_new(
                    one, "error",
                    json_pack("{s:s, s:s, s:s}", "name", setpay_error_name(SETPAY_E_STATE), "rule",
                              setpay_error_rule(SETPAY_E_STATE), "text", words)) == 0;
    return kept ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* What has become of one that was asked for, by its order. */
static enum setpay_error settle_one(json_t *one)
{
    const json_t *order = json_object_get(one, "order");
    const json_t *asked = json_object_get(one, "asked");
    size_t index, k;
    const json_t *step, *id;
    json_array_foreach(json_object_get(order, "captures"), index, step)
    {
        json_array_foreach(asked, k, id)
        {
            if (has_text(step, "id", json_string_value(id)) && has_text(step, "status", "asking"))
                return SETPAY_OK;
        }
    }
    const json_t *refused = refused_of(order, asked);
    if (refused != NULL)
        return say_refused(one, refused);
    return json_object_set_new(one, "status", json_string("done")) == 0 ? SETPAY_OK
                                                                        : SETPAY_E_NOMEM;
}

static enum setpay_error look_again(struct setpay_control_client *client, json_t *list,
                                    struct setpay_problem *problem)
{
    size_t index;
    json_t *one;
    json_array_foreach(list, index, one)
    {
        json_t *order = NULL;
        if (!has_text(one, "status", "asking"))
            continue;
        SETPAY_TRY(ask(client, "order.show",
                       json_pack("{s:O}", "order_id", json_object_get(one, "order_id")), &order,
                       problem));
        if (json_object_set_new(one, "order", order) != 0)
            return SETPAY_E_NOMEM;
        SETPAY_TRY(settle_one(one));
    }
    return SETPAY_OK;
}

static size_t count_of(const json_t *list, const char *status)
{
    size_t index, count = 0;
    const json_t *one;
    json_array_foreach(list, index, one) count += has_text(one, "status", status) ? 1 : 0;
    return count;
}

static enum setpay_error wait_for_captures(struct setpay_control_client *client, json_t **result,
                                           struct setpay_problem *problem)
{
    json_t *list = json_object_get(*result, "captures");
    (void)json_object_del(*result, "under_way");
    for (int looked = 0; any_has(list, "status", "asking"); looked++) {
        if (looked == GATEWAY_WAIT_MS / GATEWAY_LOOK_MS)
            return setpay_problem_set(problem, SETPAY_E_TIMEOUT,
                                      "of %zu orders the gateway has not answered for %zu yet; the"
                                      " daemon goes on (see `setpay-merchant order show`)",
                                      json_array_size(list), count_of(list, "asking"));
        pause_shortly();
        SETPAY_TRY(look_again(client, list, problem));
    }
    size_t refused = count_of(list, "refused");
    return refused == 0 ? SETPAY_OK
                        : setpay_problem_set(problem, SETPAY_E_STATE,
                                             "of %zu orders %zu could not be captured",
                                             json_array_size(list), refused);
}

/* ------------------------------------------------------------------ batches */

/* Of the batches that were to be closed, as they stand in the list. */
static json_t *pick(const json_t *list, const json_t *wanted)
{
    json_t *picked = json_array();
    size_t index, k;
    json_t *batch, *one;
    json_array_foreach(json_object_get(list, "batches"), index, batch)
    {
        json_array_foreach(json_object_get(wanted, "batches"), k, one)
        {
            if (json_equal(json_object_get(batch, "brand"), json_object_get(one, "brand")) &&
                json_equal(json_object_get(batch, "batch"), json_object_get(one, "batch")))
                (void)json_array_append(picked, batch);
        }
    }
    return json_pack("{s:o}", "batches", picked);
}

static enum setpay_error wait_for_batches(struct setpay_control_client *client, json_t **result,
                                          struct setpay_problem *problem)
{
    enum setpay_error error = SETPAY_OK;
    (void)json_object_del(*result, "under_way");
    for (int looked = 0; any_has(json_object_get(*result, "batches"), "status", "closing");
         looked++) {
        json_t *list = NULL;
        if (looked == GATEWAY_WAIT_MS / GATEWAY_LOOK_MS)
            return setpay_problem_set(problem, SETPAY_E_TIMEOUT,
                                      "the gateway has not answered yet; the daemon goes on (see"
                                      " `setpay-merchant batch list`)");
        pause_shortly();
        error = ask(client, "batch.list", json_pack("{s:i}", "limit", 100), &list, problem);
        json_t *picked = error == SETPAY_OK ? pick(list, *result) : NULL;
        json_decref(list);
        if (error != SETPAY_OK)
            return error;
        if (picked == NULL)
            return SETPAY_E_NOMEM;
        json_decref(*result);
        *result = picked;
    }
    if (any_has(json_object_get(*result, "batches"), "status", "differs"))
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "the gateway counts otherwise, and nothing is closed where it"
                                  " does: see the items that differ");
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_wait_for_gateway(struct setpay_control_client *client,
                                                   json_t **result, struct setpay_problem *problem)
{
    if (json_object_get(*result, "under_way") == NULL)
        return SETPAY_OK;
    if (json_object_get(*result, "captures") != NULL)
        return wait_for_captures(client, result, problem);
    return json_object_get(*result, "batches") != NULL ? wait_for_batches(client, result, problem)
                                                       : wait_for_order(client, result, problem);
}
