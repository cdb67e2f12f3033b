/*
 * The operator's commands that move money: captures, refunds, undoing, batches. See commands.h.
 */
#ifndef SETPAY_MERCHANT_STEP_COMMANDS_H
#define SETPAY_MERCHANT_STEP_COMMANDS_H

#include "merchant/commands.h"

/* {"order","under_way","asked":[ids of the steps]} */
setpay_merchant_command_fn setpay_merchant_command_capture;
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

#endif
