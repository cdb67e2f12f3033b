/*
 * The list of currencies.
 */
#include "merchant/store/currency.h"

#include "common/base/money.h"

#include <stdio.h>
#include <string.h>

const char *setpay_shop_currencies_find(const struct setpay_shop_currencies *currencies,
                                        const char *code)
{
    for (size_t i = 0; i < currencies->count; i++) {
        if (strcmp(currencies->codes[i], code) == 0)
            return currencies->codes[i];
    }
    return NULL;
}

/* One of the list; word is not ended. */
static enum setpay_error add(struct setpay_shop_currencies *currencies, const char *word,
                             size_t size, struct setpay_problem *problem)
{
    char code[4] = "";
    if (size == 3)
        memcpy(code, word, 3);
    if (setpay_currency_by_code(code) == NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "currencies: found '%.*s'; expected codes of ISO 4217 with commas"
                                  " between, like EUR, USD, JPY",
                                  size < 20 ? (int)size : 20, word);
    if (setpay_shop_currencies_find(currencies, code) != NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "currencies: %s stands there twice; expected each once", code);
    if (currencies->count == SETPAY_SHOP_CURRENCIES_MAX)
        return setpay_problem_set(problem, SETPAY_E_CONFIG, "currencies: expected at most %d",
                                  SETPAY_SHOP_CURRENCIES_MAX);
    memcpy(currencies->codes[currencies->count++], code, sizeof code);
    return SETPAY_OK;
}

enum setpay_error setpay_shop_currencies_parse(const char *text, const char *own,
                                               struct setpay_shop_currencies *currencies,
                                               struct setpay_problem *problem)
{
    static const char blanks[] = " \t";
    struct setpay_shop_currencies made = {.count = 0};
    const char *at = text == NULL || text[0] == '\0' ? own : text;
    for (;;) {
        at += strspn(at, blanks);
        const size_t whole = strcspn(at, ",");
        size_t size = whole;
        while (size > 0 && strchr(blanks, at[size - 1]) != NULL)
            size--;
        SETPAY_TRY(add(&made, at, size, problem));
        at += whole;
        if (*at == '\0')
            break;
        at++;
    }
    if (setpay_shop_currencies_find(&made, own) == NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "currencies: found '%.80s', without %s; expected the shop's own"
                                  " currency (the key currency) among them",
                                  text, own);
    *currencies = made;
    return SETPAY_OK;
}
