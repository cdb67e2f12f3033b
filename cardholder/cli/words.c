/*
 * Tables and small judgements of the command line, without any input or output.
 *
 * Action codes are those of field 39 of ISO 8583:1987 as issuers use them; the gateway's receipt
 * carries them to the cardholder. Words for 41, 43 and 59 are those of a general refusal: whoever
 * holds a stolen card need not learn that it is known to be.
 */
#include "cardholder/cli/words.h"
#include "common/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct setpay_cli_reason reasons[] = {
    {"01", "the issuer wants to be asked first", "call the number on the back of the card"},
    {"02", "the issuer wants to be asked first", "call the number on the back of the card"},
    {"03", "the merchant is not known to the card network", "tell the merchant"},
    {"04", "the issuer does not honour this card", "call the number on the back of the card"},
    {"05", "the issuer does not honour it, and gives no reason",
     "use another card, or ask the issuer"},
    {"06", "the network reports an error", "try again later"},
    {"07", "the issuer does not honour this card", "call the number on the back of the card"},
    {"10", "only part of the amount was approved, which was not accepted", "use another card"},
    {"12", "the network does not take this kind of payment", "use another card"},
    {"13", "the amount is not valid for this card", "ask the merchant, or use another card"},
    {"14", "there is no such card number", "check the card's number, or use another card"},
    {"15", "there is no such issuer", "check the card's number, or use another card"},
    {"30", "the network could not read the request", "tell the merchant"},
    {"33", "the card has expired", "use another card"},
    {"41", "the issuer does not honour this card", "call the number on the back of the card"},
    {"43", "the issuer does not honour this card", "call the number on the back of the card"},
    {"51", "there is not enough money on the account", "pay less, or use another card"},
    {"54", "the card has expired", "use another card"},
    {"55", "the PIN is wrong", "use another card, or ask the issuer"},
    {"57", "this card is not permitted to pay this way", "use another card, or ask the issuer"},
    {"58", "the merchant may not take this kind of payment", "tell the merchant"},
    {"59", "the issuer does not honour this card", "call the number on the back of the card"},
    {"61", "the amount is above the card's limit", "pay less, use another card, or ask the issuer"},
    {"62", "the card is restricted", "use another card, or ask the issuer"},
    {"65", "the card was used too often", "use another card, or try again tomorrow"},
    {"68", "the issuer answered too late", "try again later"},
    {"75", "too many wrong entries", "use another card, or ask the issuer"},
    {"78", "the card is not activated", "activate it, or use another card"},
    {"82", "the security code is wrong", "check the code on the card, and pay again"},
    {"91", "the issuer could not be reached", "try again later; nothing was taken"},
    {"92", "there is no way to the issuer", "try again later, or use another card"},
    {"93", "the law does not permit this payment", "ask the issuer"},
    {"94", "the network saw this request before", "ask the merchant for a new order"},
    {"96", "the issuer's system failed", "try again later"},
    {"N7", "the security code is wrong", "check the code on the card, and pay again"},
};

static const struct setpay_cli_reason any_reason = {"", "the issuer does not honour it",
                                                    "use another card, or ask the issuer"};

const struct setpay_cli_reason *setpay_cli_reason(const char *action_code)
{
    for (size_t at = 0; action_code != NULL && at < sizeof reasons / sizeof *reasons; at++) {
        if (strcmp(reasons[at].code, action_code) == 0)
            return &reasons[at];
    }
    return &any_reason;
}

int setpay_cli_purchase_exit(const char *status)
{
    static const struct {
        const char *status;
        int exit;
    } table[] = {{"authorised", 0}, {"captured", 0}, {"declined", 3}, {"pending", 4}};

    for (size_t at = 0; status != NULL && at < sizeof table / sizeof *table; at++) {
        if (strcmp(table[at].status, status) == 0)
            return table[at].exit;
    }
    return 1;
}

/* The limit as money; text without a currency is of the one given. */
static enum setpay_error parse_limit(const char *text, const char *currency,
                                     struct setpay_money *limit)
{
    char whole[64];
    int length;

    if (strchr(text, ' ') != NULL)
        return setpay_money_parse(text, limit);
    length = snprintf(whole, sizeof whole, "%s %s", text, currency);
    if (length < 0 || (size_t)length >= sizeof whole)
        return SETPAY_E_INVALID;
    return setpay_money_parse(whole, limit);
}

enum setpay_error setpay_cli_limit_check(const char *text, struct setpay_problem *problem)
{
    struct setpay_money limit;

    /* The currencies with the most decimals and with the largest numbers. */
    if (parse_limit(text, "KWD", &limit) == SETPAY_OK ||
        parse_limit(text, "JPY", &limit) == SETPAY_OK)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_USAGE,
                              "--max: found '%.40s'; expected an amount such as 20.00 or "
                              "\"20.00 EUR\"",
                              text);
}

enum setpay_error setpay_cli_limit_allows(const char *text, const struct setpay_money *total,
                                          struct setpay_problem *problem)
{
    char limit_text[SETPAY_MONEY_TEXT_SIZE];
    char total_text[SETPAY_MONEY_TEXT_SIZE];
    struct setpay_money limit;

    if (parse_limit(text, total->currency, &limit) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--max: '%.40s' is no amount in %s; the total is %s", text,
                                  total->currency, setpay_money_format(total, total_text));
    (void)setpay_money_format(&limit, limit_text);
    (void)setpay_money_format(total, total_text);
    if (!setpay_money_same_currency(&limit, total)) /* rule W4 */
        return setpay_problem_set(problem, SETPAY_E_NOT_AGREED,
                                  "the total is %s, which can't be held against --max %s; nothing "
                                  "was signed",
                                  total_text, limit_text);
    if (total->minor > limit.minor) /* rule W4 */
        return setpay_problem_set(problem, SETPAY_E_NOT_AGREED,
                                  "the total is %s, which is above --max %s; nothing was signed",
                                  total_text, limit_text);
    return SETPAY_OK;
}

const char *setpay_cli_local_time(const char *utc, bool full, char *out)
{
    struct tm parts = {0};
    const char *rest = utc == NULL ? NULL : strptime(utc, "%Y-%m-%dT%H:%M:%S", &parts);
    time_t seconds;

    if (rest == NULL || (*rest != '.' && *rest != 'Z')) {
        (void)snprintf(out, SETPAY_CLI_TIME_SIZE, "%s", utc == NULL ? "-" : utc);
        return out;
    }
    seconds = timegm(&parts);
    if (localtime_r(&seconds, &parts) == NULL ||
        strftime(out, SETPAY_CLI_TIME_SIZE, full ? "%Y-%m-%d %H:%M:%S %Z" : "%Y-%m-%d %H:%M",
                 &parts) == 0)
        (void)snprintf(out, SETPAY_CLI_TIME_SIZE, "%s", utc);
    return out;
}

enum setpay_error setpay_cli_end_of_day(const char *date, char utc[SETPAY_CLI_TIME_SIZE],
                                        struct setpay_problem *problem)
{
    struct tm day = {0};
    const char *rest = strptime(date, "%Y-%m-%d", &day);
    struct tm next = day;
    char back[24];
    time_t seconds;

    next.tm_mday++;
    next.tm_isdst = -1; /* as the zone has it on that day */
    seconds = rest == NULL || *rest != '\0' ? -1 : mktime(&next);
    /* 2026-02-30 is no day: it would come out as another one. */
    day.tm_hour = 12;
    if (seconds == -1 || timegm(&day) == -1 || strftime(back, sizeof back, "%Y-%m-%d", &day) == 0 ||
        strcmp(back, date) != 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--until: found '%.40s'; expected a day such as 2026-12-31",
                                  date);
    (void)setpay_time_format((setpay_time_ms)seconds * SETPAY_SECOND_MS - 1, utc);
    return SETPAY_OK;
}

enum setpay_error setpay_cli_rule_amounts(const char *amount, const char *per_day,
                                          struct setpay_money *each, struct setpay_money *day,
                                          struct setpay_problem *problem)
{
    if (setpay_money_parse(amount, each) != SETPAY_OK || each->minor == 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--amount: found '%.40s'; expected an amount with its currency, "
                                  "such as \"20.00 EUR\"",
                                  amount);
    if (parse_limit(per_day, each->currency, day) != SETPAY_OK ||
        !setpay_money_same_currency(each, day))
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--per-day: found '%.40s'; expected an amount in %s, such as "
                                  "\"50.00 %s\"",
                                  per_day, each->currency, each->currency);
    if (day->minor < each->minor)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--per-day: '%.40s' is less than --amount '%.40s', which one "
                                  "payment may be",
                                  per_day, amount);
    return SETPAY_OK;
}
