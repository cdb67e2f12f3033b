/*
 * rule.add, rule.list and rule.remove: spending rules at the person's word, and what a payment that
 * is being prepared is told of them. Setting one is an agreement, and needs an unlocked wallet;
 * looking and removing do not.
 */
#include "cardholder/purchase_json.h"
#include "cardholder/rule.h"

#include "common/net/control_json.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------------ RULE */

/* A rule with what is known about it. */
struct told {
    struct setpay_wallet_rule rule;
    struct setpay_wallet_rule_facts facts;
    char card[SETPAY_WALLET_LABEL_MAX + 1]; /* its label; "": it was removed */
    bool is_known;                          /* the wallet has bought there */
};

static enum setpay_error read_told(struct setpay_db *db, setpay_time_ms now_ms, struct told *told)
{
    const struct setpay_wallet_rule *rule = &told->rule;
    struct setpay_wallet_spending spending = {.amount = rule->each, .now_ms = now_ms};
    char id[SETPAY_ID_TEXT_SIZE];
    memcpy(spending.brand, rule->brand, sizeof spending.brand);
    memcpy(spending.merchant_id, rule->merchant_id, sizeof spending.merchant_id);
    SETPAY_TRY(setpay_wallet_rule_read_facts(db, &spending, &told->facts));
    SETPAY_TRY(setpay_wallet_rule_is_known(db, rule->brand, rule->merchant_id, &told->is_known));
    told->card[0] = '\0';
    if (!rule->has_card)
        return SETPAY_OK;
    struct setpay_wallet_card card = {0};
    enum setpay_error error =
        setpay_wallet_store_find_card(db, setpay_id_format(&rule->card, id), &card);
    if (error == SETPAY_OK)
        memcpy(told->card, card.label, sizeof told->card);
    setpay_wallet_card_clear(&card);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

static const char *status(const struct told *told, setpay_time_ms now_ms)
{
    const struct setpay_wallet_rule *rule = &told->rule;
    struct setpay_wallet_spending least = {
        .card = rule->card, .amount = rule->each, .terms = SETPAY_TERMS_SINGLE, .now_ms = now_ms};
    memcpy(least.brand, rule->brand, sizeof least.brand);
    memcpy(least.merchant_id, rule->merchant_id, sizeof least.merchant_id);
    least.amount.minor = 0;
    switch (setpay_wallet_rule_check(rule, &least, &told->facts)) {
    case SETPAY_WALLET_RULE_FROM_BACKUP:
        return "from_backup";
    case SETPAY_WALLET_RULE_ENDED:
        return "ended";
    default:
        return rule->has_card && told->card[0] == '\0' ? "card_removed" : "in_force";
    }
}

static json_t *told_json(const struct told *told, setpay_time_ms now_ms)
{
    const struct setpay_wallet_rule *rule = &told->rule;
    const char *currency = rule->each.currency;
    char words[SETPAY_WALLET_RULE_TEXT_SIZE];
    return json_pack(
        "{s:I, s:s, s:s, s:s, s:o, s:I, s:o, s:I, s:o, s:s, s:I, s:o, s:o, s:o, s:b, s:s}",
        "number", (json_int_t)rule->number, "status", status(told, now_ms), "brand", rule->brand,
        "merchant_id", rule->merchant_id, "card",
        told->card[0] != '\0' ? json_string(told->card) : json_null(), "amount",
        (json_int_t)rule->each.minor, "amount_text",
        setpay_wallet_money_json(rule->each.minor, currency), "per_day",
        (json_int_t)rule->day.minor, "per_day_text",
        setpay_wallet_money_json(rule->day.minor, currency), "currency", currency, "spent",
        (json_int_t)told->facts.spent_minor, "spent_text",
        setpay_wallet_money_json(told->facts.spent_minor, currency), "until",
        rule->until_ms != 0 ? setpay_wallet_time_json(rule->until_ms) : json_null(), "set",
        setpay_wallet_time_json(rule->made_ms), "known", told->is_known, "words",
        setpay_wallet_rule_words(rule, words));
}

/* ------------------------------------------------------------------ rule.add */

struct adding {
    struct setpay_wallet *wallet;
    struct setpay_control_call *call;
    char *merchant;     /* as it was given */
    char *card, *brand; /* NULL: not given */
    struct told told;
    struct setpay_problem problem;
};

static void adding_free(struct adding *adding)
{
    free(adding->merchant);
    free(adding->card);
    free(adding->brand);
    free(adding);
}

/* Rule A3: a merchant is of a brand. It is the card's, where none is named. */
static enum setpay_error choose_brand(struct setpay_db *db, struct adding *adding)
{
    struct setpay_wallet_rule *rule = &adding->told.rule;
    struct setpay_wallet_card card = {0};
    if (adding->card == NULL && adding->brand != NULL) {
        (void)snprintf(rule->brand, sizeof rule->brand, "%s", adding->brand);
        return SETPAY_OK;
    }
    enum setpay_error error = setpay_wallet_store_find_card(db, adding->card, &card);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(&adding->problem, error,
                                  adding->card != NULL
                                      ? "there is no such card; see: setpay-wallet card list"
                                      : "there is no default card, whose brand the rule would be "
                                        "for: name a card or a brand");
    if (error == SETPAY_OK) {
        memcpy(rule->brand, card.brand, sizeof rule->brand);
        rule->has_card = adding->card != NULL;
        rule->card = card.id;
        if (adding->brand != NULL && strcmp(adding->brand, card.brand) != 0)
            error = setpay_problem_set(&adding->problem, SETPAY_E_INVALID,
                                       "brand: the card %.60s is of %s", card.label, card.brand);
    }
    setpay_wallet_card_clear(&card);
    return error;
}

/* Who gives a host is told which merchant that is: a host's name may pass to somebody else, and a
 * rule is about who is certified (rule W1). */
static enum setpay_error choose_merchant(struct setpay_db *db, struct adding *adding)
{
    struct setpay_wallet_rule *rule = &adding->told.rule;
    char host[SETPAY_WIRE_HOST_MAX + 1], found[SETPAY_WIRE_PARTY_MAX + 1];
    bool is_known = false;
    (void)snprintf(host, sizeof host, "%.*s", (int)strcspn(adding->merchant, ":"),
                   adding->merchant);
    for (char *at = host; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    if (setpay_party_id_is_valid(adding->merchant)) {
        (void)snprintf(rule->merchant_id, sizeof rule->merchant_id, "%s", adding->merchant);
        SETPAY_TRY(setpay_wallet_rule_is_known(db, rule->brand, rule->merchant_id, &is_known));
    }
    if (!is_known) {
        enum setpay_error error = setpay_wallet_rule_merchant_at(db, host, rule->brand, found);
        if (error == SETPAY_OK)
            return setpay_problem_set(&adding->problem, SETPAY_E_INVALID,
                                      "merchant_id: %.80s is a host, and the merchant there is "
                                      "certified as %s: name that one",
                                      host, found);
        if (error != SETPAY_E_NOT_FOUND)
            return error;
    }
    return SETPAY_OK;
}

static enum setpay_error store_rule(struct setpay_db *db, void *arg)
{
    struct adding *adding = arg;
    struct setpay_wallet_rule *rule = &adding->told.rule;
    SETPAY_TRY(choose_brand(db, adding));
    SETPAY_TRY(choose_merchant(db, adding));
    SETPAY_TRY(setpay_wallet_rule_check_sound(rule, rule->made_ms, &adding->problem));
    enum setpay_error error = setpay_wallet_rule_put(db, rule);
    if (error == SETPAY_E_STATE)
        return setpay_problem_set(&adding->problem, error,
                                  "there are %d rules, as many as there may be: remove one first",
                                  SETPAY_WALLET_RULES_MAX);
    return error == SETPAY_OK ? read_told(db, rule->made_ms, &adding->told) : error;
}

static void on_rule_stored(void *arg, enum setpay_error error)
{
    struct adding *adding = arg;
    const struct setpay_wallet_rule *rule = &adding->told.rule;
    if (error == SETPAY_OK) {
        setpay_log(SETPAY_LOG_INFO, "rule.added", setpay_field_int("spending_rule", rule->number),
                   setpay_field_text("brand", rule->brand),
                   setpay_field_text("merchant", rule->merchant_id),
                   setpay_field_money("amount", &rule->each),
                   setpay_field_money("per_day", &rule->day));
        setpay_control_reply(adding->call, told_json(&adding->told, rule->made_ms));
    } else {
        setpay_wallet_fail(adding->call, error, &adding->problem);
    }
    adding_free(adding);
}

/* In the one form that this program writes. */
static enum setpay_error read_time(const char *text, setpay_time_ms *time_ms,
                                   struct setpay_problem *problem)
{
    struct tm parts = {0};
    char back[SETPAY_TIME_TEXT_SIZE];
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    setpay_time_ms read_ms = rest == NULL ? 0 : (setpay_time_ms)timegm(&parts) * SETPAY_SECOND_MS;
    if (rest != NULL && *rest == '.')
        read_ms += strtol(rest + 1, NULL, 10);
    if (rest == NULL || strcmp(setpay_time_format(read_ms, back), text) != 0)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "until: expected a time such as 2026-12-31T22:59:59.999Z");
    *time_ms = read_ms;
    return SETPAY_OK;
}

static enum setpay_error read_rule(const json_t *args, struct adding *adding)
{
    static const char *const names[] = {"merchant_id", "amount", "per_day", "currency",
                                        "brand",       "card",   "until",   NULL};
    const char *merchant = NULL, *currency = NULL, *brand = NULL, *card = NULL, *until = NULL;
    struct setpay_wallet_rule *rule = &adding->told.rule;
    struct setpay_problem *problem = &adding->problem;
    int64_t each = 0, day = 0;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "merchant_id", true, &merchant, problem));
    SETPAY_TRY(
        setpay_json_arg_int(args, "amount", true, 1, SETPAY_MONEY_MAX_MINOR, &each, problem));
    SETPAY_TRY(
        setpay_json_arg_int(args, "per_day", true, 1, SETPAY_MONEY_MAX_MINOR, &day, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "currency", true, &currency, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "brand", false, &brand, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "card", false, &card, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "until", false, &until, problem));
    SETPAY_TRY(setpay_money_make(each, currency, &rule->each));
    SETPAY_TRY(setpay_money_make(day, currency, &rule->day));
    if (brand != NULL && !setpay_brand_is_valid(brand))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "brand: expected the brand of a card, such as visa");
    if (until != NULL)
        SETPAY_TRY(read_time(until, &rule->until_ms, problem));
    adding->merchant = strdup(merchant);
    adding->brand = brand != NULL ? strdup(brand) : NULL;
    adding->card = card != NULL ? strdup(card) : NULL;
    if (adding->merchant == NULL || (brand != NULL && adding->brand == NULL) ||
        (card != NULL && adding->card == NULL))
        return SETPAY_E_NOMEM;
    return SETPAY_OK;
}

void setpay_wallet_on_rule_add(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_wallet *wallet = arg;
    struct adding *adding = calloc(1, sizeof *adding);
    if (adding == NULL) {
        setpay_wallet_fail(call, SETPAY_E_NOMEM, NULL);
        return;
    }
    adding->wallet = wallet;
    adding->call = call;
    adding->told.rule.made_ms = setpay_clock_now_ms();
    enum setpay_error error = read_rule(args, adding);
    if (error == SETPAY_OK && setpay_wallet_is_locked(wallet))
        error = SETPAY_E_LOCKED;
    if (error == SETPAY_OK)
        error = setpay_store_submit(wallet->store, store_rule, on_rule_stored, adding,
                                    &wallet->executor);
    if (error != SETPAY_OK) {
        setpay_wallet_fail(call, error, &adding->problem);
        adding_free(adding);
    }
}

/* ------------------------------------------------------------------ rule.list */

struct listing {
    setpay_time_ms now_ms;
    json_t *list;
};

static enum setpay_error list_rules(struct setpay_db *db, void *arg)
{
    struct listing *listing = arg;
    struct setpay_wallet_rule rules[SETPAY_WALLET_RULES_MAX];
    size_t count = 0;
    SETPAY_TRY(setpay_wallet_rule_list(db, rules, SETPAY_WALLET_RULES_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        struct told told = {.rule = rules[i]};
        SETPAY_TRY(read_told(db, listing->now_ms, &told));
        json_array_append_new(listing->list, told_json(&told, listing->now_ms));
    }
    return SETPAY_OK;
}

void setpay_wallet_on_rule_list(struct setpay_control_call *call, const json_t *args, void *arg)
{
    static const char *const names[] = {NULL};
    struct setpay_wallet *wallet = arg;
    struct setpay_problem problem = {{0}};
    struct listing listing = {.now_ms = setpay_clock_now_ms(), .list = json_array()};
    enum setpay_error error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_store_read(wallet->reader, list_rules, &listing);
    if (error == SETPAY_OK) {
        setpay_control_reply(call, json_pack("{s:o}", "rules", listing.list));
        return;
    }
    json_decref(listing.list);
    setpay_wallet_fail(call, error, &problem);
}

/* ------------------------------------------------------------------ rule.remove */

struct removal {
    struct setpay_control_call *call;
    int64_t number;
};

static enum setpay_error remove_rule(struct setpay_db *db, void *arg)
{
    const struct removal *removal = arg;
    return setpay_wallet_rule_remove(db, removal->number, setpay_clock_now_ms());
}

static void on_rule_removed(void *arg, enum setpay_error error)
{
    struct removal *removal = arg;
    if (error == SETPAY_OK) {
        setpay_log(SETPAY_LOG_INFO, "rule.removed",
                   setpay_field_int("spending_rule", removal->number));
        setpay_control_reply(removal->call,
                             json_pack("{s:I}", "removed", (json_int_t)removal->number));
    } else {
        setpay_control_fail(removal->call, error,
                            error == SETPAY_E_NOT_FOUND
                                ? "there is no such rule; see: setpay-wallet rule list"
                                : NULL);
    }
    free(removal);
}

void setpay_wallet_on_rule_remove(struct setpay_control_call *call, const json_t *args, void *arg)
{
    static const char *const names[] = {"number", NULL};
    struct setpay_wallet *wallet = arg;
    struct setpay_problem problem = {{0}};
    struct removal *removal = calloc(1, sizeof *removal);
    enum setpay_error error = removal == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_int(args, "number", true, 1, INT64_MAX, &removal->number, &problem);
    if (error == SETPAY_OK) {
        removal->call = call;
        error = setpay_store_submit(wallet->store, remove_rule, on_rule_removed, removal,
                                    &wallet->executor);
    }
    if (error == SETPAY_OK)
        return;
    free(removal);
    setpay_wallet_fail(call, error, &problem);
}

/* ------------------------------------------------------------------ a payment is prepared */

void setpay_wallet_rule_spending(const struct setpay_wallet_prepared *offer, setpay_time_ms now_ms,
                                 struct setpay_wallet_spending *spending)
{
    const struct setpay_pinit_res *content = &offer->content;
    *spending = (struct setpay_wallet_spending){.card = offer->card,
                                                .amount = content->amount,
                                                .terms = content->terms.kind,
                                                .now_ms = now_ms};
    memcpy(spending->brand, content->brand, sizeof spending->brand);
    memcpy(spending->merchant_id, content->merchant_id, sizeof spending->merchant_id);
}

struct advice {
    struct setpay_wallet_spending spending;
    struct told told;
    enum setpay_error verdict;
    struct setpay_problem problem;
};

static enum setpay_error read_advice(struct setpay_db *db, void *arg)
{
    struct advice *advice = arg;
    advice->verdict =
        setpay_wallet_rule_decide(db, 0, &advice->spending, &advice->told.rule, &advice->problem);
    if (advice->verdict != SETPAY_OK)
        return advice->verdict == SETPAY_E_NOT_AGREED ? SETPAY_OK : advice->verdict;
    return read_told(db, advice->spending.now_ms, &advice->told);
}

enum setpay_error setpay_wallet_rule_advise(struct setpay_wallet *wallet,
                                            const struct setpay_wallet_prepared *offer,
                                            json_t *reply)
{
    struct advice advice = {.verdict = SETPAY_OK};
    json_t *rule;
    if (offer->insists)
        return SETPAY_OK; /* rules W7, W8: that is the person's alone to say */
    setpay_wallet_rule_spending(offer, setpay_clock_now_ms(), &advice.spending);
    SETPAY_TRY(setpay_store_read(wallet->reader, read_advice, &advice));
    if (advice.verdict == SETPAY_OK)
        rule = told_json(&advice.told, advice.spending.now_ms);
    else if (advice.told.rule.number != 0)
        rule = json_pack("{s:I, s:s}", "number", (json_int_t)advice.told.rule.number, "words",
                         advice.problem.text);
    else
        return SETPAY_OK;
    return json_object_set_new(reply, advice.verdict == SETPAY_OK ? "rule" : "rule_refused",
                               rule) == 0
               ? SETPAY_OK
               : SETPAY_E_NOMEM;
}
