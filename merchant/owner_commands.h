/*
 * Accounts of the owner's pages, for the operator.
 */
#ifndef SETPAY_MERCHANT_OWNER_COMMANDS_H
#define SETPAY_MERCHANT_OWNER_COMMANDS_H

#include "merchant/commands.h"

/* Before owner.add and owner.passwd are sent: password_file becomes the password's scrypt. */
enum setpay_error setpay_merchant_owner_shape(const char *name, json_t *args,
                                              struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* {"name"} */
setpay_merchant_command_fn setpay_merchant_owner_add;
setpay_merchant_command_fn setpay_merchant_owner_passwd;
setpay_merchant_command_fn setpay_merchant_owner_remove;
/* {"owners":[…]} */
setpay_merchant_command_fn setpay_merchant_owner_list;

#endif
