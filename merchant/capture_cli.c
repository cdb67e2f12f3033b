/*
 * order capture: its arguments, and the table of several.
 */
#include "merchant/capture_cli.h"

#include "common/base/money.h"
#include "common/net/operator.h"
#include "merchant/merchant_words.h"
#include "merchant/store/order_captures.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ arguments */

static enum setpay_error add_order(json_t *captures, const json_t *order_id)
{
    json_t *one = json_pack("{s:s}", "order_id", json_string_value(order_id));
    return json_array_append_new(captures, one) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error add_orders(json_t *captures, const json_t *first, const json_t *more)
{
    size_t index;
    const json_t *order_id;
    SETPAY_TRY(add_order(captures, first));
    json_array_foreach(more, index, order_id) SETPAY_TRY(add_order(captures, order_id));
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_capture_shape(const char *name, json_t *args,
                                                struct setpay_problem *problem)
{
    const json_t *more = json_object_get(args, "more");
    size_t count = json_array_size(more) + 1;
    if (strcmp(name, "order.capture") != 0 || more == NULL)
        return SETPAY_OK;
    if (json_object_get(args, "amount") != NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--amount: found %zu orders; expected one: of several all that is"
                                  " held is taken",
                                  count);
    if (count > SETPAY_CAPTURES_AT_ONCE)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "found %zu orders; expected at most %d at once", count,
                                  SETPAY_CAPTURES_AT_ONCE);
    json_t *captures = json_array();
    enum setpay_error error = captures == NULL
                                  ? SETPAY_E_NOMEM
                                  : add_orders(captures, json_object_get(args, "order_id"), more);
    if (error == SETPAY_OK) {
        (void)json_object_clear(args);
        error = json_object_set(args, "captures", captures) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    json_decref(captures);
    return error;
}

/* ------------------------------------------------------------------ words */

/* What of it was asked for. */
static int64_t asked_minor(const json_t *one)
{
    const json_t *steps = json_object_get(json_object_get(one, "order"), "captures");
    int64_t minor = 0;
    size_t index, k;
    const json_t *step, *id;
    json_array_foreach(steps, index, step)
    {
        json_array_foreach(json_object_get(one, "asked"), k, id)
        {
            if (json_equal(json_object_get(step, "id"), id))
                minor += json_integer_value(json_object_get(step, "amount"));
        }
    }
    return minor;
}

static void print_one(const json_t *one)
{
    const json_t *order = json_object_get(one, "order");
    const json_t *error = json_object_get(one, "error");
    char amount[SETPAY_MONEY_TEXT_SIZE] = "-";
    struct setpay_money money = {.minor = asked_minor(one)};
    (void)snprintf(money.currency, sizeof money.currency, "%s",
                   setpay_operator_text(order, "currency"));
    if (order != NULL)
        (void)setpay_money_format(&money, amount);
    printf("%-24s  %-8s %18s  ", setpay_operator_text(one, "order_id"),
           setpay_operator_text(one, "status"), amount);
    if (error != NULL)
        printf("%s\n", setpay_operator_text(error, "text"));
    else
        printf("the order is %s\n", setpay_operator_text(order, "status"));
}

void setpay_merchant_words_captured(const json_t *result)
{
    const json_t *captures = json_object_get(result, "captures");
    size_t index;
    const json_t *one;
    if (json_object_get(result, "order_id") != NULL) {
        setpay_merchant_words_order(result);
        return;
    }
    printf("%-24s  %-8s %18s\n", "ORDER", "STATUS", "AMOUNT");
    json_array_foreach(captures, index, one) print_one(one);
}
