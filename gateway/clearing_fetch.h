/*
 * The items that a clearing file is compared with, asked for over the administration socket, or
 * from the database of a stopped gateway: those of the file's days, what is open, and what the file
 * names, of whatever day. Never all that there ever was: a gateway's history is long, and a file is
 * of a day.
 */
#ifndef SETPAY_GATEWAY_CLEARING_FETCH_H
#define SETPAY_GATEWAY_CLEARING_FETCH_H

#include "common/base/error.h"
#include "gateway/clearing/clearing_compare.h"

#include <jansson.h>

/* One question: takes args; *result is a new object. */
typedef enum setpay_error setpay_clearing_ask_fn(void *arg, const char *command, json_t *args,
                                                 json_t **result, struct setpay_problem *problem);

/* Into compare's items, whose file, acquirer and days are set, each once; there is a day to
 * compare. The caller frees them, also after an error. SETPAY_E_NOMEM, SETPAY_E_MALFORMED, and
 * those of ask. */
enum setpay_error setpay_clearing_fetch(setpay_clearing_ask_fn *ask, void *arg,
                                        struct setpay_clearing_compare *compare,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
