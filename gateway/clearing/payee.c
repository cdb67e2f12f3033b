/*
 * Accounts at banks: their forms, and the sections that name them.
 */
#include "gateway/clearing/payee.h"

#include "common/base/money.h"
#include "common/wire/messages.h"

#include <stdio.h>
#include <string.h>

#define IBAN_LEAST 15 /* the shortest that any country has */

/* ------------------------------------------------------------------ forms */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* The rest that the whole leaves, country and check digits put behind it, letters as 10 to 35. */
static unsigned modulo_97(const char *iban, size_t size)
{
    unsigned rest = 0;
    for (size_t i = 0; i < size; i++) {
        char c = iban[(i + 4) % size];
        unsigned value = is_digit(c) ? (unsigned)(c - '0') : (unsigned)(c - 'A') + 10;
        rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
    }
    return rest;
}

enum setpay_error setpay_iban_parse(const char *text, char iban[SETPAY_IBAN_SIZE])
{
    char made[SETPAY_IBAN_SIZE] = "";
    size_t size = 0;
    for (; *text != '\0'; text++) {
        if (*text == ' ')
            continue;
        if (size == sizeof made - 1 || !(is_digit(*text) || is_upper(*text)))
            return SETPAY_E_INVALID;
        made[size++] = *text;
    }
    if (size < IBAN_LEAST || !is_upper(made[0]) || !is_upper(made[1]) || !is_digit(made[2]) ||
        !is_digit(made[3]) || modulo_97(made, size) != 1)
        return SETPAY_E_INVALID;
    memcpy(iban, made, sizeof made);
    return SETPAY_OK;
}

bool setpay_bic_is_valid(const char *text)
{
    size_t size = strlen(text);
    if (size != 8 && size != 11)
        return false;
    for (size_t i = 0; i < size; i++) {
        bool is_country = i == 4 || i == 5;
        if (!is_upper(text[i]) && (is_country || !is_digit(text[i])))
            return false;
    }
    return true;
}

bool setpay_holder_is_valid(const char *text)
{
    static const char taken[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                " /-?:().,'+";
    size_t size = strlen(text);
    return size > 0 && size < SETPAY_HOLDER_SIZE && strspn(text, taken) == size && text[0] != ' ' &&
           text[size - 1] != ' ';
}

/* ------------------------------------------------------------------ sections */

#define SECTION_SIZE (sizeof "payee ." + SETPAY_WIRE_BRAND_MAX + SETPAY_WIRE_PARTY_MAX)

static enum setpay_error read_account(const struct setpay_config *config, const char *section,
                                      struct setpay_bank_account *account,
                                      struct setpay_problem *problem)
{
    struct setpay_bank_account made = {.bic = ""};
    const char *holder = setpay_config_text(config, section, "holder");
    const char *iban = setpay_config_text(config, section, "iban");
    const char *bic = setpay_config_text(config, section, "bic");
    if (!setpay_holder_is_valid(holder))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "[%s] holder: expected the account's holder, 1 to 70 letters "
                                  "without accents, digits, blanks and / - ? : ( ) . , ' +, which "
                                  "all banks take",
                                  section);
    if (setpay_iban_parse(iban, made.iban) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "[%s] iban: expected an IBAN, in capital letters, whose check "
                                  "digits are right: one character or more is mistyped",
                                  section);
    if (bic != NULL && !setpay_bic_is_valid(bic))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "[%s] bic: expected 8 or 11 capital letters and digits, or no "
                                  "such line",
                                  section);
    (void)snprintf(made.holder, sizeof made.holder, "%s", holder);
    (void)snprintf(made.bic, sizeof made.bic, "%s", bic != NULL ? bic : "");
    *account = made;
    return SETPAY_OK;
}

enum setpay_error setpay_payee_find(const struct setpay_config *config, const char *brand,
                                    const char *merchant_id, struct setpay_bank_account *account,
                                    struct setpay_problem *problem)
{
    char section[SECTION_SIZE];
    (void)snprintf(section, sizeof section, "payee %s.%s", brand, merchant_id);
    if (!setpay_config_has_key(config, section, "iban"))
        return SETPAY_E_NOT_FOUND;
    return read_account(config, section, account, problem);
}

enum setpay_error setpay_payer_find(const struct setpay_config *config, const char *currency,
                                    struct setpay_bank_account *account,
                                    struct setpay_problem *problem)
{
    char section[sizeof "payer " + 3];
    (void)snprintf(section, sizeof section, "payer %.3s", currency);
    if (!setpay_config_has_key(config, section, "iban"))
        return SETPAY_E_NOT_FOUND;
    return read_account(config, section, account, problem);
}

/* [payee visa.shop]: a brand of the configuration, and an id. */
static enum setpay_error check_payee(const struct setpay_config *config, const char *name,
                                     struct setpay_problem *problem)
{
    char section[SECTION_SIZE], brand[sizeof "brand " + SETPAY_WIRE_BRAND_MAX];
    struct setpay_bank_account account;
    const char *dot = strchr(name, '.');
    size_t length = dot == NULL ? 0 : (size_t)(dot - name);
    if (length == 0 || length > SETPAY_WIRE_BRAND_MAX || dot[1] == '\0' ||
        strlen(dot + 1) > SETPAY_WIRE_PARTY_MAX)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "[payee %.80s]: expected a brand and a merchant's id: "
                                  "[payee visa.shop-1]",
                                  name);
    (void)snprintf(brand, sizeof brand, "brand %.*s", (int)length, name);
    if (!setpay_config_has_key(config, brand, "sign_key"))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "[payee %.80s]: there is no section [%s]", name, brand);
    (void)snprintf(section, sizeof section, "payee %s", name);
    return read_account(config, section, &account, problem);
}

enum setpay_error setpay_payees_check(const struct setpay_config *config,
                                      struct setpay_problem *problem)
{
    size_t payees = setpay_config_instance_count(config, "payee *");
    size_t payers = setpay_config_instance_count(config, "payer *");
    for (size_t i = 0; i < payees; i++)
        SETPAY_TRY(check_payee(config, setpay_config_instance(config, "payee *", i), problem));
    for (size_t i = 0; i < payers; i++) {
        struct setpay_bank_account account;
        const char *name = setpay_config_instance(config, "payer *", i);
        if (setpay_currency_by_code(name) == NULL)
            return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                      "[payer %.80s]: expected a currency: [payer EUR]", name);
        SETPAY_TRY(setpay_payer_find(config, name, &account, problem));
    }
    return SETPAY_OK;
}
