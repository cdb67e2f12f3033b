/*
 * Where payouts go, and what they are paid from: accounts at banks, as the configuration has them.
 *
 * An IBAN is two letters of a country, two check digits and up to 30 letters and digits; written
 * for people with a blank behind every four. What is behind it is the bank's to know: the check
 * digits show that nobody has mistyped it.
 */
#ifndef SETPAY_GATEWAY_CLEARING_PAYEE_H
#define SETPAY_GATEWAY_CLEARING_PAYEE_H

#include "common/base/config.h"
#include "common/base/error.h"

#include <stdbool.h>

#define SETPAY_IBAN_SIZE 35
#define SETPAY_BIC_SIZE 12
#define SETPAY_HOLDER_SIZE 71 /* ISO 20022: Max70Text, as banks take it for a name */

struct setpay_bank_account {
    char holder[SETPAY_HOLDER_SIZE];
    char iban[SETPAY_IBAN_SIZE]; /* without blanks */
    char bic[SETPAY_BIC_SIZE];   /* "": the bank finds it by the IBAN */
};

/* Pure. The IBAN without its blanks into iban. SETPAY_E_INVALID: not of the form, or its check
 * digits are not those of the rest (ISO 13616, modulo 97); iban is untouched. */
enum setpay_error setpay_iban_parse(const char *text,
                                    char iban[SETPAY_IBAN_SIZE]) SETPAY_MUST_CHECK;
/* Pure: ISO 9362, 8 or 11 characters. */
bool setpay_bic_is_valid(const char *text);
/* Pure: 1 to 70 of the characters that all banks take (letters, digits, blank, / - ? : ( ) . , '
 * +), with no blank at either end. */
bool setpay_holder_is_valid(const char *text);

/* The account of the [payee BRAND.MERCHANT] section. SETPAY_E_NOT_FOUND: there is no such section;
 * SETPAY_E_CONFIG, with what is wrong and where in problem. */
enum setpay_error setpay_payee_find(const struct setpay_config *config, const char *brand,
                                    const char *merchant_id, struct setpay_bank_account *account,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The gateway's own, of the [payer CURRENCY] section. The same errors. */
enum setpay_error setpay_payer_find(const struct setpay_config *config, const char *currency,
                                    struct setpay_bank_account *account,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* All of these sections: SETPAY_E_CONFIG, with what is wrong with the first that is. */
enum setpay_error setpay_payees_check(const struct setpay_config *config,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
