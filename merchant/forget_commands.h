/*
 * The operator's command that forgets where an order was sent to. See commands.h.
 */
#ifndef SETPAY_MERCHANT_FORGET_COMMANDS_H
#define SETPAY_MERCHANT_FORGET_COMMANDS_H

#include "merchant/commands.h"

/* {"order_id","forgotten"}: whether there was an address */
setpay_merchant_command_fn setpay_merchant_command_forget;
void setpay_merchant_words_forgotten(const json_t *result);

#endif
