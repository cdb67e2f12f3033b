/*
 * What the wallet's answers mean to a person and to a script: words for the issuer's action codes,
 * exit statuses, limits on amounts, times of day. Pure.
 */
#ifndef SETPAY_CARDHOLDER_CLI_WORDS_H
#define SETPAY_CARDHOLDER_CLI_WORDS_H

#include "common/base/error.h"
#include "common/base/money.h"

#include <stdbool.h>
#include <stddef.h>

/* Why the issuer declined, and what the person can do. For an unknown code general words. Static.
 */
struct setpay_cli_reason {
    const char *code;
    const char *words;
    const char *advice;
};
const struct setpay_cli_reason *setpay_cli_reason(const char *action_code);

/* 0 authorised or captured, 3 declined, 4 pending, 1 anything else. */
int setpay_cli_purchase_exit(const char *status);

/* The form of --max before anything is asked: "20.00" or "20.00 EUR". SETPAY_E_USAGE. */
enum setpay_error setpay_cli_limit_check(const char *text,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Rule W4: SETPAY_E_NOT_AGREED where total is above the limit or of another currency;
 * SETPAY_E_USAGE where the limit is no amount of the currency. */
enum setpay_error setpay_cli_limit_allows(const char *text, const struct setpay_money *total,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* "2026-11-23T18:41:11.042Z" as local time: "2026-11-23 19:41", and with full also seconds and
 * zone. Text of another form is copied as far as it fits. Returns out. */
#define SETPAY_CLI_TIME_SIZE 48
const char *setpay_cli_local_time(const char *utc, bool full, char *out);

/* The last millisecond of a day of the calendar here: "2026-12-31" as time in UTC, in the form
 * above, into utc. SETPAY_E_USAGE. */
enum setpay_error setpay_cli_end_of_day(const char *date, char utc[SETPAY_CLI_TIME_SIZE],
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* What a spending rule's --amount and --per-day say: the first with its currency, the second with
 * the same or none. SETPAY_E_USAGE. */
enum setpay_error setpay_cli_rule_amounts(const char *amount, const char *per_day,
                                          struct setpay_money *each, struct setpay_money *day,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
