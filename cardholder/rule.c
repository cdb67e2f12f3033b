/*
 * Whether a spending rule agrees to what is about to be signed (rule W4). Nothing here asks, stores
 * or reads a clock.
 */
#include "cardholder/rule.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS (24 * SETPAY_HOUR_MS)

enum setpay_wallet_rule_verdict
setpay_wallet_rule_check(const struct setpay_wallet_rule *rule,
                         const struct setpay_wallet_spending *spending,
                         const struct setpay_wallet_rule_facts *facts)
{
    const struct setpay_money *amount = &spending->amount;
    /* Rule W4, each line a part of it. A merchant is brand and id (rules A3, W1). */
    if (strcmp(rule->brand, spending->brand) != 0 ||
        strcmp(rule->merchant_id, spending->merchant_id) != 0)
        return SETPAY_WALLET_RULE_OTHER_MERCHANT;
    if (facts->restored_ms != 0 && rule->made_ms <= facts->restored_ms) /* rule W8 */
        return SETPAY_WALLET_RULE_FROM_BACKUP;
    if (rule->until_ms != 0 && spending->now_ms > rule->until_ms)
        return SETPAY_WALLET_RULE_ENDED;
    if (rule->has_card && !setpay_id_equal(&rule->card, &spending->card))
        return SETPAY_WALLET_RULE_OTHER_CARD;
    if (spending->terms != SETPAY_TERMS_SINGLE)
        return SETPAY_WALLET_RULE_TERMS;
    if (!setpay_money_same_currency(amount, &rule->each))
        return SETPAY_WALLET_RULE_OTHER_CURRENCY;
    if (amount->minor > rule->each.minor)
        return SETPAY_WALLET_RULE_AMOUNT;
    if (facts->spent_minor > rule->day.minor - amount->minor)
        return SETPAY_WALLET_RULE_DAY;
    return SETPAY_WALLET_RULE_AGREES;
}

const struct setpay_wallet_rule *
setpay_wallet_rule_choose(const struct setpay_wallet_rule *rules, size_t count,
                          const struct setpay_wallet_spending *spending,
                          const struct setpay_wallet_rule_facts *facts,
                          enum setpay_wallet_rule_verdict *verdict)
{
    const struct setpay_wallet_rule *nearest = NULL;
    *verdict = SETPAY_WALLET_RULE_OTHER_MERCHANT;
    for (size_t i = 0; i < count; i++) {
        enum setpay_wallet_rule_verdict one = setpay_wallet_rule_check(&rules[i], spending, facts);
        if (one == SETPAY_WALLET_RULE_AGREES) {
            *verdict = one;
            return &rules[i];
        }
        if (one > *verdict) {
            *verdict = one;
            nearest = &rules[i];
        }
    }
    return nearest;
}

setpay_time_ms setpay_wallet_rule_day_start(setpay_time_ms now_ms)
{
    return now_ms - DAY_MS;
}

void setpay_wallet_rule_add_spent(enum setpay_wallet_state state, int64_t amount_minor,
                                  int64_t *spent_minor)
{
    /* By the gateway's receipt, which is final. A lapsed one may still turn out authorised. */
    if (state == SETPAY_WALLET_DECLINED || state == SETPAY_WALLET_VOIDED)
        return;
    *spent_minor =
        *spent_minor > INT64_MAX - amount_minor ? INT64_MAX : *spent_minor + amount_minor;
}

enum setpay_error setpay_wallet_rule_check_sound(const struct setpay_wallet_rule *rule,
                                                 setpay_time_ms now_ms,
                                                 struct setpay_problem *problem)
{
    char day[SETPAY_MONEY_TEXT_SIZE], each[SETPAY_MONEY_TEXT_SIZE];
    if (!setpay_brand_is_valid(rule->brand))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "brand: expected the brand of a card, such as visa");
    if (!setpay_party_id_is_valid(rule->merchant_id))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "merchant_id: expected the merchant as its certificate names it, "
                                  "which setpay-wallet show prints behind \"Certified as\"");
    if (!setpay_money_same_currency(&rule->each, &rule->day))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "per_day: expected an amount in %s, as that of one payment",
                                  rule->each.currency);
    if (rule->each.minor <= 0)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "amount: expected more than nothing");
    if (rule->day.minor < rule->each.minor)
        return setpay_problem_set(
            problem, SETPAY_E_INVALID, "per_day: %s is less than one payment may be (%s)",
            setpay_money_format(&rule->day, day), setpay_money_format(&rule->each, each));
    if (rule->until_ms != 0 && rule->until_ms <= now_ms)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "until: expected a time that is still to come");
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ in words */

const char *setpay_wallet_rule_words(const struct setpay_wallet_rule *rule,
                                     char out[SETPAY_WALLET_RULE_TEXT_SIZE])
{
    char each[SETPAY_MONEY_TEXT_SIZE], day[SETPAY_MONEY_TEXT_SIZE];
    (void)snprintf(out, SETPAY_WALLET_RULE_TEXT_SIZE, "up to %s each and %s in 24 hours at %s (%s)",
                   setpay_money_format(&rule->each, each), setpay_money_format(&rule->day, day),
                   rule->merchant_id, rule->brand);
    return out;
}

const char *setpay_wallet_rule_refusal_words(const struct setpay_wallet_rule *rule,
                                             enum setpay_wallet_rule_verdict verdict,
                                             const struct setpay_wallet_rule_facts *facts,
                                             char out[SETPAY_WALLET_RULE_TEXT_SIZE])
{
    static const char *const whys[] = {
        [SETPAY_WALLET_RULE_AGREES] = "agrees",
        [SETPAY_WALLET_RULE_OTHER_MERCHANT] = "is for another merchant",
        [SETPAY_WALLET_RULE_FROM_BACKUP] = "came back with a backup; set it anew if you mean it",
        [SETPAY_WALLET_RULE_ENDED] = "has ended",
        [SETPAY_WALLET_RULE_OTHER_CARD] = "is for another card",
        [SETPAY_WALLET_RULE_TERMS] = "covers single payments only",
        [SETPAY_WALLET_RULE_OTHER_CURRENCY] = "is for another currency",
    };
    char money[SETPAY_MONEY_TEXT_SIZE], spent[SETPAY_MONEY_TEXT_SIZE];
    struct setpay_money sum = rule->day;
    sum.minor = facts->spent_minor;
    if (verdict == SETPAY_WALLET_RULE_AMOUNT)
        (void)snprintf(out, SETPAY_WALLET_RULE_TEXT_SIZE, "rule %" PRId64 " covers up to %s each",
                       rule->number, setpay_money_format(&rule->each, money));
    else if (verdict == SETPAY_WALLET_RULE_DAY)
        (void)snprintf(out, SETPAY_WALLET_RULE_TEXT_SIZE,
                       "rule %" PRId64 " covers up to %s in 24 hours, of which %s are spent",
                       rule->number, setpay_money_format(&rule->day, money),
                       setpay_money_format(&sum, spent));
    else
        (void)snprintf(out, SETPAY_WALLET_RULE_TEXT_SIZE, "rule %" PRId64 " %s", rule->number,
                       whys[verdict]);
    return out;
}
