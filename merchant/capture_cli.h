/*
 * order capture of one order or of several, from the command line to the terminal.
 */
#ifndef SETPAY_MERCHANT_CAPTURE_CLI_H
#define SETPAY_MERCHANT_CAPTURE_CLI_H

#include "common/base/error.h"

#include <jansson.h>

/* Where more than one order is named, args become what POST /captures takes. SETPAY_E_USAGE for
 * more orders than one request has room for, and for an amount of several. */
enum setpay_error setpay_merchant_capture_shape(const char *name, json_t *args,
                                                struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* An order, or a line for each of several. */
void setpay_merchant_words_captured(const json_t *result);

#endif
