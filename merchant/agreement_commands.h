/*
 * The operator's list of agreements. See commands.h.
 */
#ifndef SETPAY_MERCHANT_AGREEMENT_COMMANDS_H
#define SETPAY_MERCHANT_AGREEMENT_COMMANDS_H

#include "merchant/commands.h"

/* {"agreements":[{"order_id","xid","schedule",…}],"next_cursor"} */
setpay_merchant_command_fn setpay_merchant_command_agreement_list;
void setpay_merchant_words_agreements(const json_t *result);

#endif
