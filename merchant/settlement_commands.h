/*
 * The operator's commands about settlements. See commands.h.
 */
#ifndef SETPAY_MERCHANT_SETTLEMENT_COMMANDS_H
#define SETPAY_MERCHANT_SETTLEMENT_COMMANDS_H

#include "merchant/commands.h"

/* {"settlements":[a settlement, with "fresh": it was not known]} of the file in "content". */
setpay_merchant_command_fn setpay_merchant_command_settlement_import;
/* {"settlement_id","day","brand","rows","judged_again","reason"} */
setpay_merchant_command_fn setpay_merchant_command_settlement_forget;
void setpay_merchant_log_settlement_forgotten(const json_t *result);
/* {"settlement_id","line","accepted_reason"} */
setpay_merchant_command_fn setpay_merchant_command_settlement_accept;
/* {"settlements","has_more","next_cursor"} */
setpay_merchant_command_fn setpay_merchant_command_settlement_list;
/* A settlement, with its first differences. */
setpay_merchant_command_fn setpay_merchant_command_settlement_show;
/* {"rows","has_more","next_cursor"} */
setpay_merchant_command_fn setpay_merchant_command_settlement_rows;
/* {"differences","has_more","next_cursor"} */
setpay_merchant_command_fn setpay_merchant_command_settlement_differences;

#endif
