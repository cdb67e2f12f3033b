/*
 * Waiting for the gateway's word: of orders and of batches.
 */
#include "merchant/merchant_wait.h"

#include "common/net/operator.h"

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
    return json_object_get(*result, "batches") != NULL ? wait_for_batches(client, result, problem)
                                                       : wait_for_order(client, result, problem);
}
