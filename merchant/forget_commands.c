/*
 * order.forget: somebody asks the shop to delete their address before its days are over.
 */
#include "merchant/forget_commands.h"

#include "common/net/control_json.h"
#include "merchant/store/forget.h"

#include <stdio.h>

enum setpay_error setpay_merchant_command_forget(struct setpay_db *db,
                                                 const struct setpay_merchant_context *context,
                                                 const json_t *args, json_t **result,
                                                 struct setpay_problem *problem)
{
    static const char *const names[] = {"order_id", NULL};
    const char *order_id = NULL;
    bool had = false;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "order_id", true, &order_id, problem));
    enum setpay_error error =
        setpay_order_forget(db, context->port, order_id, context->now_ms, &had);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error,
                                  "there is no order '%.40s' (see `setpay-merchant order list`)",
                                  order_id);
    if (error == SETPAY_E_STATE)
        return setpay_problem_set(problem, error,
                                  "order %s goes on: something may still be sent, paid or given"
                                  " back; nothing was changed: cancel, void, send or refund what is"
                                  " left first",
                                  order_id);
    SETPAY_TRY(error);
    *result = json_pack("{s:s, s:b}", "order_id", order_id, "forgotten", (int)had);
    return *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

void setpay_merchant_words_forgotten(const json_t *result)
{
    const char *order_id = json_string_value(json_object_get(result, "order_id"));
    if (json_is_true(json_object_get(result, "forgotten")))
        (void)printf("The address of order %s is forgotten.\n", order_id);
    else
        (void)printf("Order %s has no address.\n", order_id);
}
