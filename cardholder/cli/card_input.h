/*
 * What a person types about a card, brought into its one form. Pure; works on secret memory, and no
 * words about an error quote a digit.
 */
#ifndef SETPAY_CARDHOLDER_CLI_CARD_INPUT_H
#define SETPAY_CARDHOLDER_CLI_CARD_INPUT_H

#include "common/base/error.h"
#include "common/base/secret.h"

/* Each replaces the typed line by its form, or leaves it and fails with SETPAY_E_USAGE. */

/* 12 to 19 digits that pass Luhn's check; blanks and hyphens between them are dropped. */
enum setpay_error setpay_cli_card_number(struct setpay_secret *line,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* "MM/YY" or "YYMM", into "YYMM". */
enum setpay_error setpay_cli_card_expiry(struct setpay_secret *line,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* 3 or 4 digits. */
enum setpay_error setpay_cli_card_security_code(struct setpay_secret *line,
                                                struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Up to 16 letters, digits, blanks and hyphens; empty: none. */
enum setpay_error setpay_cli_card_postcode(const struct setpay_secret *line,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Up to 8 digits; empty: none. */
enum setpay_error setpay_cli_card_house(const struct setpay_secret *line,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
