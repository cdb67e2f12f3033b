/*
 * The operator's commands that move money: captures, refunds, undoing, batches. See commands.h.
 */
#ifndef SETPAY_MERCHANT_STEP_COMMANDS_H
#define SETPAY_MERCHANT_STEP_COMMANDS_H

#include "merchant/commands.h"
#include "merchant/store/order_step.h"

/* {"order","under_way","asked":[ids of the steps]} */
setpay_merchant_command_fn setpay_merchant_command_capture;
/* Of several orders, with "captures" as POST /captures has it:
 * {"captures":[{"order_id","status":"asking"|"done"|"refused", "order" and "asked", or "error"}],
 * "under_way"}. In capture_commands.c; setpay_merchant_command_capture calls it. */
setpay_merchant_command_fn setpay_merchant_command_captures;
setpay_merchant_command_fn setpay_merchant_command_refund;
setpay_merchant_command_fn setpay_merchant_command_ship;
setpay_merchant_command_fn setpay_merchant_command_undo;
setpay_merchant_command_fn setpay_merchant_command_give_up;
setpay_merchant_command_fn setpay_merchant_command_authorise;
/* {"batches":[…],"has_more","next_cursor"} */
setpay_merchant_command_fn setpay_merchant_command_batch_list;
/* A batch. */
setpay_merchant_command_fn setpay_merchant_command_batch_show;
/* {"batches":[…],"under_way"} */
setpay_merchant_command_fn setpay_merchant_command_batch_close;

/* Why a step was not taken, in words; returns the error as the operator's exit status has it. */
enum setpay_error
setpay_merchant_step_explain(enum setpay_order_step_action action, const char *order_id,
                             const struct setpay_step_request *request, enum setpay_error error,
                             const struct setpay_order_result *done, int64_t left_minor,
                             struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The ids of the steps that were asked for, out of the view. Owned; NULL where memory is out. */
json_t *setpay_merchant_steps_asked(const struct setpay_order_view *view, int64_t first_step,
                                    int64_t last_step);

#endif
