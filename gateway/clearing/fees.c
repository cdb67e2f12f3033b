/*
 * The table of fees. It is small and read only when something is captured: looked through row by
 * row.
 */
#include "gateway/clearing/fees.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Digits behind the point of a percentage: one hundredth of a hundredth, a part per million. */
#define SHARE_DIGITS 4

int64_t setpay_share_of(int64_t share_ppm, int64_t amount_minor)
{
    /* In two halves: many payments times a million would not fit. */
    int64_t parts = amount_minor % SETPAY_FEE_SHARE_WHOLE * share_ppm;
    int64_t whole =
        amount_minor / SETPAY_FEE_SHARE_WHOLE * share_ppm + parts / SETPAY_FEE_SHARE_WHOLE;
    int64_t rest = parts % SETPAY_FEE_SHARE_WHOLE;
    if (rest * 2 > SETPAY_FEE_SHARE_WHOLE || (rest * 2 == SETPAY_FEE_SHARE_WHOLE && whole % 2 != 0))
        whole++;
    return whole;
}

int64_t setpay_cost_of_part(int64_t cost_minor, int64_t part_minor, int64_t whole_minor)
{
    __extension__ typedef __int128 wide; /* 64 bits would not hold the product */
    wide parts = (wide)cost_minor * part_minor;
    int64_t share = (int64_t)(parts / whole_minor);
    wide twice = 2 * (parts % whole_minor);
    return twice > whole_minor || (twice == whole_minor && share % 2 != 0) ? share + 1 : share;
}

int64_t setpay_fee_of(const struct setpay_fee *fee, int64_t amount_minor)
{
    int64_t whole = setpay_share_of(fee->share_ppm, amount_minor);
    return fee->fixed_minor > amount_minor - whole ? amount_minor : whole + fee->fixed_minor;
}

/* merchant_id "": that of all merchants. NULL: there is none. */
static const struct setpay_fee_row *find_row(const struct setpay_fees *fees, const char *brand,
                                             const char *currency, const char *merchant_id)
{
    for (size_t i = 0; i < fees->count; i++) {
        const struct setpay_fee_row *row = &fees->rows[i];
        if (strcmp(row->brand, brand) == 0 && strcmp(row->currency, currency) == 0 &&
            strcmp(row->merchant_id, merchant_id) == 0)
            return row;
    }
    return NULL;
}

struct setpay_charges setpay_fees_of(const struct setpay_fees *fees, const char *brand,
                                     const char *merchant_id, const struct setpay_money *amount)
{
    struct setpay_charges charges = {0, 0};
    const struct setpay_fee_row *all = find_row(fees, brand, amount->currency, "");
    const struct setpay_fee_row *own = find_row(fees, brand, amount->currency, merchant_id);
    if (all != NULL)
        charges.interchange_minor = setpay_fee_of(&all->interchange, amount->minor);
    if (own == NULL)
        own = all;
    if (own != NULL)
        charges.fee_minor = setpay_fee_of(&own->merchant, amount->minor);
    return charges;
}

/* ------------------------------------------------------------------ reading */

static const char *skip_spaces(const char *at)
{
    while (*at == ' ')
        at++;
    return at;
}

/* "12.5" into units of 10^-digits; NULL where there is no such number, or more digits than these.
 */
static const char *read_decimal(const char *at, int digits, int64_t *value)
{
    int64_t made = 0;
    int behind = 0;
    bool point = false;
    if (!isdigit((unsigned char)*at))
        return NULL;
    for (; isdigit((unsigned char)*at) || (*at == '.' && !point); at++) {
        if (*at == '.') {
            point = true;
            if (!isdigit((unsigned char)at[1]))
                return NULL;
            continue;
        }
        if (made > SETPAY_MONEY_MAX_MINOR || (point && ++behind > digits))
            return NULL;
        made = made * 10 + (*at - '0');
    }
    for (; behind < digits; behind++) {
        if (made > SETPAY_MONEY_MAX_MINOR)
            return NULL;
        made *= 10;
    }
    *value = made;
    return at;
}

enum setpay_error setpay_share_parse(const char *text, int64_t *share_ppm)
{
    int64_t value = 0;
    const char *end = read_decimal(text, SHARE_DIGITS, &value);
    if (end == NULL || *end != '\0' || value > SETPAY_FEE_SHARE_WHOLE)
        return SETPAY_E_INVALID;
    *share_ppm = value;
    return SETPAY_OK;
}

const char *setpay_share_format(int64_t share_ppm, char out[SETPAY_SHARE_TEXT_SIZE])
{
    int size = snprintf(out, SETPAY_SHARE_TEXT_SIZE, "%lld.%04lld", (long long)(share_ppm / 10000),
                        (long long)(share_ppm % 10000));
    while (out[size - 1] == '0')
        out[--size] = '\0';
    if (out[size - 1] == '.')
        out[size - 1] = '\0';
    return out;
}

enum setpay_error setpay_fee_parse(const char *text, const char *currency, struct setpay_fee *fee)
{
    const struct setpay_currency *known = setpay_currency_by_code(currency);
    struct setpay_fee made = {0, 0};
    int64_t value = 0;
    if (known == NULL)
        return SETPAY_E_INVALID;
    const char *at = skip_spaces(text);
    const char *end = read_decimal(at, SHARE_DIGITS, &value);
    if (end != NULL && *skip_spaces(end) == '%') {
        made.share_ppm = value;
        at = skip_spaces(skip_spaces(end) + 1);
        if (*at == '+')
            at = skip_spaces(at + 1);
        else if (*at != '\0')
            return SETPAY_E_INVALID;
        else
            goto done;
    }
    end = read_decimal(at, known->exponent, &made.fixed_minor);
    if (end == NULL || *skip_spaces(end) != '\0')
        return SETPAY_E_INVALID;
done:
    if (made.share_ppm > SETPAY_FEE_SHARE_WHOLE || made.fixed_minor > SETPAY_MONEY_MAX_MINOR)
        return SETPAY_E_INVALID;
    *fee = made;
    return SETPAY_OK;
}

static enum setpay_error load_fee(const struct setpay_config *config, const char *section,
                                  const char *key, const char *currency, struct setpay_fee *fee,
                                  struct setpay_problem *problem)
{
    const char *text = setpay_config_text(config, section, key);
    if (setpay_fee_parse(text, currency, fee) == SETPAY_OK)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_CONFIG,
                              "[%s] %s: found '%.60s', expected a share of at most 100 %% with up "
                              "to four digits behind the point, an amount in %s, or both: "
                              "0.25 %% + 0.10",
                              section, key, text, currency);
}

static bool is_brand(const struct setpay_config *config, const char *name)
{
    size_t count = setpay_config_instance_count(config, "brand *");
    for (size_t i = 0; i < count; i++)
        if (strcmp(setpay_config_instance(config, "brand *", i), name) == 0)
            return true;
    return false;
}

/* "visa.EUR" or "visa.EUR.acme" into a row. */
static bool read_name(const char *name, struct setpay_fee_row *row)
{
    const char *dot = strchr(name, '.');
    size_t length = dot == NULL ? 0 : (size_t)(dot - name);
    const char *merchant = dot == NULL ? NULL : strchr(dot + 1, '.');
    *row = (struct setpay_fee_row){.brand = ""};
    if (length == 0 || length >= sizeof row->brand || strlen(dot + 1) < 3 ||
        (merchant != NULL ? merchant - dot != 4 : dot[4] != '\0'))
        return false;
    memcpy(row->brand, name, length);
    memcpy(row->currency, dot + 1, 3);
    if (merchant != NULL && (merchant[1] == '\0' || strchr(merchant + 1, '.') != NULL ||
                             strlen(merchant + 1) >= sizeof row->merchant_id))
        return false;
    if (merchant != NULL)
        memcpy(row->merchant_id, merchant + 1, strlen(merchant + 1));
    return setpay_currency_by_code(row->currency) != NULL;
}

static enum setpay_error load_row(const struct setpay_config *config, const char *name,
                                  struct setpay_fees *fees, struct setpay_problem *problem)
{
    struct setpay_fee_row *row = &fees->rows[fees->count];
    char section[sizeof "fees " + sizeof row->brand + sizeof row->currency +
                 sizeof row->merchant_id];
    if (!read_name(name, row))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "[fees %.60s]: expected a brand and a currency, or these and a "
                                  "merchant: [fees visa.EUR], [fees visa.EUR.acme]",
                                  name);
    if (!is_brand(config, row->brand)) /* or what is captured by the one that was meant is free */
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "[fees %.60s]: there is no section [brand %s]", name, row->brand);
    (void)snprintf(section, sizeof section, "fees %s", name);
    SETPAY_TRY(load_fee(config, section, "interchange", row->currency, &row->interchange, problem));
    SETPAY_TRY(load_fee(config, section, "merchant", row->currency, &row->merchant, problem));
    fees->count++;
    return SETPAY_OK;
}

/* What issuers keep does not go by the merchant, and stands with the row of all. */
static enum setpay_error check_own(const struct setpay_fees *fees, struct setpay_problem *problem)
{
    for (size_t i = 0; i < fees->count; i++) {
        const struct setpay_fee_row *row = &fees->rows[i];
        if (row->merchant_id[0] == '\0')
            continue;
        if (row->interchange.share_ppm != 0 || row->interchange.fixed_minor != 0)
            return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                      "[fees %s.%s.%s] interchange: issuers keep the same of every "
                                      "merchant's captures; it belongs into [fees %s.%s]",
                                      row->brand, row->currency, row->merchant_id, row->brand,
                                      row->currency);
        if (find_row(fees, row->brand, row->currency, "") == NULL)
            return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                      "[fees %s.%s.%s]: there is no section [fees %s.%s] for all "
                                      "other merchants, and for the interchange",
                                      row->brand, row->currency, row->merchant_id, row->brand,
                                      row->currency);
    }
    return SETPAY_OK;
}

enum setpay_error setpay_fees_load(const struct setpay_config *config, struct setpay_fees *fees,
                                   struct setpay_problem *problem)
{
    size_t count = setpay_config_instance_count(config, "fees *");
    fees->count = 0;
    if (count > SETPAY_FEE_ROWS_MAX)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "found %zu [fees ...] sections, at most %d are taken", count,
                                  SETPAY_FEE_ROWS_MAX);
    for (size_t i = 0; i < count; i++)
        SETPAY_TRY(load_row(config, setpay_config_instance(config, "fees *", i), fees, problem));
    return check_own(fees, problem);
}
