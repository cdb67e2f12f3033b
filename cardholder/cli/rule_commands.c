/*
 * rule add, list and remove: what may be paid without asking. setpay-walletd keeps the rules and
 * decides by them (rule W4); nothing here does.
 */
#include "cardholder/cli/cli.h"
#include "cardholder/cli/text.h"
#include "cardholder/cli/words.h"

#include <stdlib.h>
#include <string.h>

static const char *text(const json_t *object, const char *name)
{
    const char *found = setpay_cli_text_of(object, name);

    return found == NULL ? "" : found;
}

static json_int_t number(const json_t *object)
{
    return json_integer_value(json_object_get(object, "number"));
}

static void say_set(const json_t *rule)
{
    char when[SETPAY_CLI_TIME_SIZE];
    char *card = setpay_cli_text_clean(setpay_cli_text_of(rule, "card"), 0);
    const char *until = setpay_cli_text_of(rule, "until");

    (void)printf("Rule %" JSON_INTEGER_FORMAT " is set: %s", number(rule), text(rule, "words"));
    if (card != NULL)
        (void)printf(", with the card %s", card);
    if (until != NULL)
        (void)printf(", until %s", setpay_cli_local_time(until, false, when));
    (void)printf(".\nWithin it, setpay-wallet pay does not ask you: also where a link is opened "
                 "by a page.\n"
                 "Repeated, instalment and split payments are not covered.\n"
                 "To end it: setpay-wallet rule remove %" JSON_INTEGER_FORMAT "\n",
                 number(rule));
    if (!json_is_true(json_object_get(rule, "known")))
        (void)printf("This wallet has bought nothing there yet. See that the name is the one that\n"
                     "setpay-wallet show prints behind \"Certified as\": %s\n",
                     text(rule, "merchant_id"));
    free(card);
}

enum setpay_error setpay_cli_run_rule_add(struct setpay_cli *cli)
{
    const struct setpay_cli_options *options = cli->options;
    char until[SETPAY_CLI_TIME_SIZE];
    struct setpay_money each, day;
    json_t *args;

    if (options->card != NULL && options->brand != NULL)
        return setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                  "give --card or --brand, not both: a card has its brand");
    SETPAY_TRY(
        setpay_cli_rule_amounts(options->amount, options->per_day, &each, &day, &cli->problem));
    if (options->until != NULL)
        SETPAY_TRY(setpay_cli_end_of_day(options->until, until, &cli->problem));
    args = SETPAY_CLI_ARGS("merchant_id", options->merchant, "currency", each.currency, "card",
                           options->card, "brand", options->brand, "until",
                           options->until == NULL ? NULL : until);
    if (args == NULL || json_object_set_new(args, "amount", json_integer(each.minor)) != 0 ||
        json_object_set_new(args, "per_day", json_integer(day.minor)) != 0) {
        json_decref(args);
        return SETPAY_E_NOMEM;
    }
    SETPAY_TRY(setpay_cli_call_result(cli, "rule.add", args));
    if (!options->json)
        say_set(cli->result);
    return SETPAY_OK;
}

enum setpay_error setpay_cli_run_rule_list(struct setpay_cli *cli)
{
    SETPAY_TRY(setpay_cli_call_result(cli, "rule.list", json_object()));
    if (!cli->options->json)
        setpay_cli_view_rules(stdout, json_object_get(cli->result, "rules"), cli->colour);
    return SETPAY_OK;
}

enum setpay_error setpay_cli_run_rule_remove(struct setpay_cli *cli)
{
    char *end = NULL;
    long long wanted = strtoll(cli->options->argument, &end, 10);

    if (*end != '\0' || wanted < 1 || strspn(cli->options->argument, "0123456789") == 0)
        return setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                  "'%.40s' is no rule's number; see: setpay-wallet rule list",
                                  cli->options->argument);
    SETPAY_TRY(setpay_cli_call_result(cli, "rule.remove",
                                      json_pack("{s:I}", "number", (json_int_t)wanted)));
    if (!cli->options->json)
        (void)printf("Rule %lld is removed: what it covered, you are asked about again.\n", wanted);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ for people */

static const char *status_words(const json_t *rule)
{
    static const struct {
        const char *status;
        const char *words;
    } table[] = {
        {"in_force", "in force"},
        {"ended", "ended"},
        {"from_backup", "from a backup: set it anew"},
        {"card_removed", "its card was removed"},
    };

    for (size_t at = 0; at < sizeof table / sizeof *table; at++) {
        if (strcmp(table[at].status, text(rule, "status")) == 0)
            return table[at].words;
    }
    return text(rule, "status");
}

void setpay_cli_view_rules(FILE *out, const json_t *rules, bool colour)
{
    static const struct setpay_cli_column columns[] = {
        {"Rule", true, 0},  {"Merchant", false, 0}, {"Each", true, 0},   {"In 24 hours", true, 0},
        {"Spent", true, 0}, {"Card", false, 40},    {"Until", false, 0}, {"Status", false, 0}};
    struct setpay_cli_table table = {.columns = columns, .column_count = 8};
    enum setpay_error error = SETPAY_OK;
    size_t at;
    const json_t *rule;

    if (json_array_size(rules) == 0) {
        (void)fputs("There are no spending rules: each payment is asked about.\n", out);
        return;
    }
    json_array_foreach(rules, at, rule)
    {
        char when[SETPAY_CLI_TIME_SIZE], name[24], merchant[80];
        const char *until = setpay_cli_text_of(rule, "until");
        const char *card = setpay_cli_text_of(rule, "card");
        const char *const cells[] = {
            name,
            merchant,
            text(rule, "amount_text"),
            text(rule, "per_day_text"),
            text(rule, "spent_text"),
            card != NULL                                        ? card
            : strcmp(text(rule, "status"), "card_removed") == 0 ? "-"
                                                                : "any",
            until == NULL ? "-" : setpay_cli_local_time(until, false, when),
            status_words(rule),
        };

        (void)snprintf(name, sizeof name, "%" JSON_INTEGER_FORMAT, number(rule));
        (void)snprintf(merchant, sizeof merchant, "%.32s (%.32s)", text(rule, "merchant_id"),
                       text(rule, "brand"));
        for (size_t cell = 0; cell < 8 && error == SETPAY_OK; cell++)
            error = setpay_cli_table_add(&table, cells[cell]);
    }
    setpay_cli_table_print(&table, out, 0, colour);
    setpay_cli_table_clear(&table);
}
