/*
 * The table of test cards. Every number passes the Luhn check and begins as its brand's numbers do;
 * all are current for years, so that a certificate can be issued for each; the account of "expired"
 * alone is past its end, at the issuer.
 *
 * To add a card is to add a row; the sandbox's wallet enrols each.
 */
#include "gateway/issuer/cards.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRY "3012"
#define ADDRESS "10115", "12"

/* clang-format off */
static const struct setpay_card table[] = {
    {"approve",            "visa",       "4242424242424242", EXPIRY, "123", ADDRESS, SETPAY_CARD_APPROVE,       "00", "",    0,   "approves any amount in any currency"},
    {"approve-mastercard", "mastercard", "5555555555554444", EXPIRY, "123", ADDRESS, SETPAY_CARD_APPROVE,       "00", "",    0,   "approves any amount in any currency"},
    {"euro-only",          "visa",       "4000005700009781", EXPIRY, "123", ADDRESS, SETPAY_CARD_ONE_CURRENCY,  "00", "EUR", 0,   "approves euros; any other currency is declined with 57"},
    {"yen-only",           "mastercard", "5200005700000397", EXPIRY, "123", ADDRESS, SETPAY_CARD_ONE_CURRENCY,  "00", "JPY", 0,   "approves yen; any other currency is declined with 57"},
    {"do-not-honour",      "visa",       "4000000000000002", EXPIRY, "123", ADDRESS, SETPAY_CARD_DECLINE,       "05", "",    0,   "declined: do not honour"},
    {"invalid-number",     "visa",       "4000000000001406", EXPIRY, "123", ADDRESS, SETPAY_CARD_DECLINE,       "14", "",    0,   "declined: no such card number"},
    {"no-funds",           "visa",       "4000000000009995", EXPIRY, "123", ADDRESS, SETPAY_CARD_BALANCE,       "51", "EUR", 100, "holds 1.00 EUR: more, or another currency, is declined with 51"},
    {"expired",            "visa",       "4000000000000069", EXPIRY, "123", ADDRESS, SETPAY_CARD_DECLINE,       "54", "",    0,   "declined: the issuer has ended the card"},
    {"over-limit",         "visa",       "4000000000006108", EXPIRY, "123", ADDRESS, SETPAY_CARD_DECLINE,       "61", "",    0,   "declined: above the card's limit"},
    {"issuer-down",        "visa",       "4000000000009102", EXPIRY, "123", ADDRESS, SETPAY_CARD_DECLINE,       "91", "",    0,   "declined: the issuer can't be reached by its network"},
    {"referral",           "visa",       "4000000000000101", EXPIRY, "123", ADDRESS, SETPAY_CARD_DECLINE,       "01", "",    0,   "declined: refer to the issuer"},
    {"partial",            "visa",       "4000000000090102", EXPIRY, "123", ADDRESS, SETPAY_CARD_PARTIAL,       "10", "",    0,   "approves half of the amount, rounded up"},
    {"avs-mismatch",       "visa",       "4000000000000010", EXPIRY, "123", ADDRESS, SETPAY_CARD_AVS_MISMATCH,  "00", "",    0,   "approves; the address check says N"},
    {"code-mismatch",      "visa",       "4000000000000127", EXPIRY, "123", ADDRESS, SETPAY_CARD_CODE_MISMATCH, "82", "",    0,   "declined: the security code check says N"},
    {"no-answer",          "visa",       "4000000000090201", EXPIRY, "123", ADDRESS, SETPAY_CARD_SILENT,        "",   "",    0,   "holds the amount and never answers; the reversal frees it"},
    {"late-answer",        "visa",       "4000000000090300", EXPIRY, "123", ADDRESS, SETPAY_CARD_LATE,          "00", "",    0,   "holds the amount and approves after the configured lateness"},
    {"duplicate-answer",   "visa",       "4000000000090409", EXPIRY, "123", ADDRESS, SETPAY_CARD_DUPLICATE,     "00", "",    0,   "approves, and says so twice"},
    {"drop-before",        "visa",       "4000000000090508", EXPIRY, "123", ADDRESS, SETPAY_CARD_DROP_BEFORE,   "",   "",    0,   "closes the connection before anything is held"},
    {"drop-after",         "mastercard", "5200000000000106", EXPIRY, "123", ADDRESS, SETPAY_CARD_DROP_AFTER,    "",   "",    0,   "holds the amount, then closes the connection"},
};
/* clang-format on */

#define CARD_COUNT (sizeof(table) / sizeof(table[0]))

const struct setpay_card *setpay_card_table(size_t *count)
{
    *count = CARD_COUNT;
    return table;
}

const struct setpay_card *setpay_card_by_pan(struct setpay_view pan)
{
    for (size_t i = 0; i < CARD_COUNT; i++)
        if (setpay_view_equal_secret(pan, setpay_view_string(table[i].pan)))
            return &table[i];
    return NULL;
}

const struct setpay_card *setpay_card_by_name(const char *name)
{
    for (size_t i = 0; i < CARD_COUNT; i++)
        if (strcmp(name, table[i].name) == 0)
            return &table[i];
    return NULL;
}

const char *setpay_card_last4(const struct setpay_card *card)
{
    return card->pan + strlen(card->pan) - 4;
}

static enum setpay_error print_json(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < CARD_COUNT; i++) {
        const struct setpay_card *card = &table[i];
        json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", card->name,
                                "brand", card->brand, "pan", card->pan, "expiry", card->expiry,
                                "security_code", card->security_code, "postcode", card->postcode,
                                "house_digits", card->house_digits, "action_code",
                                card->action_code, "meaning", card->meaning);
        if (row == NULL || json_array_append_new(list, row) != 0) {
            json_decref(list);
            return SETPAY_E_NOMEM;
        }
    }
    json_t *all = json_pack("{s:o}", "cards", list);
    if (all == NULL)
        return SETPAY_E_NOMEM;
    int failed = json_dumpf(all, stdout, JSON_INDENT(2)) != 0 || puts("") == EOF;
    json_decref(all);
    return failed ? SETPAY_E_IO : SETPAY_OK;
}

enum setpay_error setpay_card_print(int as_json)
{
    if (as_json)
        return print_json();
    printf("%-19s %-11s %-17s %-7s %-5s %-5s %s\n", "NAME", "BRAND", "NUMBER", "EXPIRY", "CODE",
           "SAYS", "MEANING");
    for (size_t i = 0; i < CARD_COUNT; i++) {
        const struct setpay_card *card = &table[i];
        printf("%-19s %-11s %-17s %.2s/%.2s   %-5s %-5s %s\n", card->name, card->brand, card->pan,
               card->expiry + 2, card->expiry, card->security_code,
               card->action_code[0] == '\0' ? "-" : card->action_code, card->meaning);
    }
    return fflush(stdout) == EOF ? SETPAY_E_IO : SETPAY_OK;
}
