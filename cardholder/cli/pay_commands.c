/*
 * show and pay.
 *
 * What always holds (rule W4): walletd signs only after pay.confirm, and this program sends that
 * only after --max allowed the total and the person said yes, or said --yes on the command line, or
 * a spending rule agrees: walletd says which, and this program names it in pay.confirm, where it is
 * looked at anew. Who says --yes has agreed himself, and no rule is asked.
 * pay.confirm names amount, currency and merchant as they were shown, so that the wallet can see
 * that it is these that were agreed to. A second purchase of a link that the merchant has refused
 * is signed only with --insist, after words that say what it may cost (rule W7); so is any link in
 * the time after a restore from a backup (rule W8).
 */
#include "cardholder/cli/card_input.h"
#include "cardholder/cli/cli.h"
#include "cardholder/cli/terminal.h"
#include "cardholder/cli/text.h"
#include "cardholder/cli/words.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/crypto/file.h"

#include <stdlib.h>
#include <string.h>

#define SECURITY_CODE_MAX 16

/* How far a payment is. */
struct course {
    bool quiet;
    char stored[SETPAY_ID_TEXT_SIZE]; /* the XID once it is signed and stored; "" before */
};

static void on_progress(void *arg, const json_t *progress)
{
    static const struct {
        const char *stage;
        const char *words;
    } table[] = {
        {"asking", "Asking the merchant for its signed offer ..."},
        {"signing", "Signing ..."},
        {"stored", "Sending ..."},
        {"sent", "Waiting for the issuer's answer ..."},
        {"waiting", "No answer yet; asking the merchant how it stands ..."},
        {"answered", "Checking the answer ..."},
    };
    struct course *course = arg;
    const char *stage = setpay_cli_text_of(progress, "stage");
    const char *xid = setpay_cli_text_of(progress, "xid");

    if (xid != NULL && strlen(xid) < sizeof course->stored)
        memcpy(course->stored, xid, strlen(xid) + 1);
    for (size_t at = 0; stage != NULL && at < sizeof table / sizeof *table; at++) {
        if (strcmp(table[at].stage, stage) == 0 && !course->quiet)
            setpay_cli_progress(table[at].words);
    }
}

static enum setpay_error call_with_progress(struct setpay_cli *cli, const char *command,
                                            json_t *args, struct course *course, json_t **result)
{
    enum setpay_error error;

    course->quiet = cli->options->json;
    error = setpay_cli_call(cli, command, args, SETPAY_CLI_PAY_MS, on_progress, course, result);
    if (!course->quiet)
        setpay_cli_progress(NULL);
    return error;
}

/* Once signed, whatever went wrong, the purchase is open until a receipt says otherwise (W7). */
static enum setpay_error explain_open(struct setpay_cli *cli, enum setpay_error error,
                                      const struct course *course)
{
    struct setpay_problem said = cli->problem;

    if (course->stored[0] == '\0' || error == SETPAY_OK)
        return error;
    json_decref(cli->result);
    cli->result = json_pack("{s:s, s:s}", "xid", course->stored, "status", "pending");
    return setpay_problem_set(
        &cli->problem, error, "%.380s; how it stands: setpay-wallet status %s",
        said.text[0] == '\0' ? setpay_error_text(error) : said.text, course->stored);
}

/* Takes the purchase. */
static enum setpay_error finish(struct setpay_cli *cli, json_t *purchase)
{
    json_decref(cli->result);
    cli->result = purchase;
    cli->exit_status = setpay_cli_purchase_exit(setpay_cli_text_of(purchase, "status"));
    if (!cli->options->json) {
        const char *xid = setpay_cli_text_of(purchase, "xid");

        setpay_cli_view_outcome(stdout, purchase, cli->colour);
        (void)printf("  Purchase %s\n", xid == NULL ? "-" : xid);
    }
    return SETPAY_OK;
}

/* A purchase of this very link: shown, or waited for; never signed anew (rule W5). */
static enum setpay_error go_on(struct setpay_cli *cli, const json_t *prepared)
{
    json_t *purchase = json_object_get(prepared, "purchase");
    struct course course = {0};
    json_t *result = NULL;
    enum setpay_error error;

    if (!json_is_true(json_object_get(prepared, "resumes"))) {
        if (!cli->options->json)
            (void)printf("This link is paid already; nothing was sent.\n");
        return finish(cli, json_incref(purchase));
    }
    if (!cli->options->json)
        (void)printf("This link is being paid already; asking how it stands.\n");
    error = call_with_progress(cli, "pay.resume",
                               SETPAY_CLI_ARGS("xid", setpay_cli_text_of(purchase, "xid")), &course,
                               &result);
    if (error != SETPAY_OK)
        return explain_open(cli, error, &course);
    return finish(cli, result);
}

/* Where the security code will come from, before anything is asked of anybody. */
static enum setpay_error check_security_code(struct setpay_cli *cli, struct setpay_secret *code)
{
    const struct setpay_cli_options *options = cli->options;

    if (options->security_code && options->security_code_file != NULL)
        return setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                  "give --security-code or --security-code-file, not both");
    if (options->security_code && !setpay_cli_terminal_there())
        return setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                  "--security-code asks on the terminal, and there is none: give "
                                  "--security-code-file F");
    if (options->security_code_file == NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_file_read_secret(options->security_code_file, code, &cli->problem));
    return setpay_cli_card_security_code(code, &cli->problem);
}

/* Whether a rule might agree in the person's place. */
static bool has_rules(struct setpay_cli *cli)
{
    json_t *rules = NULL;
    enum setpay_error error =
        setpay_cli_call(cli, "rule.list", json_object(), SETPAY_CLI_CALL_MS, NULL, NULL, &rules);
    bool some = error == SETPAY_OK && json_array_size(json_object_get(rules, "rules")) > 0;

    json_decref(rules);
    return some;
}

static enum setpay_error check_pay(struct setpay_cli *cli, struct setpay_secret *code)
{
    SETPAY_TRY(setpay_cli_check_link(cli->options->argument, &cli->problem));
    if (cli->options->max != NULL)
        SETPAY_TRY(setpay_cli_limit_check(cli->options->max, &cli->problem));
    if (!cli->options->yes && !setpay_cli_terminal_there() &&
        (cli->options->insist || !has_rules(cli)))
        return setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                  "a payment needs your agreement, and there is no terminal to ask "
                                  "on: give --yes (and --max AMOUNT to limit it)");
    return check_security_code(cli, code);
}

/* What insisting may cost (rules W7, W8). */
static void view_risk(FILE *out, const json_t *refused)
{
    const char *xid = setpay_cli_text_of(refused, "xid");
    const char *amount = setpay_cli_text_of(refused, "amount_text");
    const char *from = setpay_cli_text_of(refused, "forgotten_from");
    const char *until = setpay_cli_text_of(refused, "forgotten_until");

    if (from != NULL && until != NULL) {
        (void)fprintf(out,
                      "\nThis wallet was restored from a backup. What it paid between\n"
                      "%s and %s it has forgotten.\n"
                      "If you paid this link then, you will be charged twice.\n",
                      from, until);
        return;
    }
    (void)fprintf(out,
                  "\nThis link was paid before: purchase %s, %s. The merchant has signed that it\n"
                  "refuses it, but the payment gateway has not confirmed that. It may still be\n"
                  "charged. If you pay again, you may be charged twice.\n",
                  xid == NULL ? "?" : xid, amount == NULL ? "?" : amount);
}

/* Payments would follow by themselves. */
static bool repeats(const json_t *offer)
{
    const char *terms = setpay_cli_text_of(offer, "terms");
    return terms != NULL && strcmp(terms, "single") != 0 && strcmp(terms, "split") != 0;
}

/* Why no rule agrees. */
static const char *why_asked(const json_t *prepared)
{
    const char *words = setpay_cli_text_of(json_object_get(prepared, "rule_refused"), "words");

    return words == NULL ? "no spending rule covers this payment" : words;
}

/* Says which rule agrees in the person's place. */
static void view_rule(struct setpay_cli *cli, const json_t *offer, const json_t *rule)
{
    const char *words = setpay_cli_text_of(rule, "words");
    const char *spent = setpay_cli_text_of(rule, "spent_text");

    setpay_cli_view_offer(stdout, offer, cli->colour);
    (void)printf("\nAgreed to by rule %" JSON_INTEGER_FORMAT ": %s.\n"
                 "  Spent by rules there in the last 24 hours, before this: %s.\n\n",
                 json_integer_value(json_object_get(rule, "number")), words == NULL ? "?" : words,
                 spent == NULL ? "?" : spent);
    (void)fflush(stdout);
}

/* Shows the offer of what was prepared to whoever has to agree to it, and asks. Where it has
 * insists_on, that is the purchase that it is to follow. */
static enum setpay_error ask_person(struct setpay_cli *cli, const json_t *prepared)
{
    const json_t *offer = json_object_get(prepared, "offer");
    const json_t *refused = json_object_get(prepared, "insists_on");
    const char *merchant = setpay_cli_text_of(offer, "merchant");
    const char *amount = setpay_cli_text_of(offer, "amount_text");
    char *clean = setpay_cli_text_clean(merchant, 60);
    char question[400];
    FILE *terminal;
    enum setpay_error error;

    if (cli->options->yes) {
        free(clean);
        if (!cli->options->json) {
            setpay_cli_view_offer(stdout, offer, cli->colour);
            if (refused != NULL)
                view_risk(stdout, refused);
            (void)fputc('\n', stdout);
            (void)fflush(stdout);
        }
        return SETPAY_OK;
    }
    if (!setpay_cli_terminal_there()) {
        free(clean);
        return setpay_problem_set(&cli->problem, SETPAY_E_NOT_AGREED,
                                  "%.200s; there is no terminal to ask you on, and nothing was "
                                  "signed: to agree, give --yes",
                                  why_asked(prepared));
    }
    terminal = setpay_cli_terminal_open();
    if (terminal == NULL || clean == NULL) {
        error = setpay_problem_set(&cli->problem, SETPAY_E_IO, "the terminal can't be opened");
    } else {
        setpay_cli_view_offer(terminal, offer, setpay_cli_wants_colour(terminal));
        if (refused != NULL)
            view_risk(terminal, refused);
        if (json_object_get(prepared, "rule_refused") != NULL)
            (void)fprintf(terminal, "\nYou are asked: %s.\n", why_asked(prepared));
        (void)fflush(terminal);
        (void)snprintf(question, sizeof question, "\nPay %.40s to %s%s%s? [y/N] ",
                       amount == NULL ? "?" : amount, clean,
                       repeats(offer) ? ", and agree to these terms" : "",
                       refused == NULL ? "" : ", perhaps for the second time");
        error = setpay_cli_ask_yes(question, &cli->problem);
    }
    if (terminal != NULL)
        (void)fclose(terminal);
    free(clean);
    return error;
}

/* Rule W4: --yes alone agrees to one payment, and --max limits all that may ever be taken. */
static enum setpay_error check_terms(struct setpay_cli *cli, const json_t *offer,
                                     struct setpay_money *total)
{
    const json_t *all = json_object_get(offer, "total");
    if (cli->options->yes && !cli->options->agree_terms)
        return setpay_problem_set(
            &cli->problem, SETPAY_E_NOT_AGREED,
            "the link asks for more than one payment: %.250s; --yes alone does "
            "not agree to that: add --agree-terms, or leave --yes out",
            setpay_cli_text_of(offer, "terms_text"));
    if (json_is_integer(all))
        total->minor = json_integer_value(all);
    return SETPAY_OK;
}

/* Limit, agreement, security code: all that stands before the signature. */
static enum setpay_error agree(struct setpay_cli *cli, const json_t *prepared, const json_t *rule,
                               struct setpay_secret *code)
{
    const json_t *offer = json_object_get(prepared, "offer");
    const char *currency = setpay_cli_text_of(offer, "currency");
    struct setpay_money total;

    if (currency == NULL || setpay_money_make(json_integer_value(json_object_get(offer, "amount")),
                                              currency, &total) != SETPAY_OK)
        return setpay_problem_set(&cli->problem, SETPAY_E_MALFORMED,
                                  "the offer that setpay-walletd gave has no amount");
    if (repeats(offer))
        SETPAY_TRY(check_terms(cli, offer, &total));
    if (cli->options->max != NULL)
        SETPAY_TRY(setpay_cli_limit_allows(cli->options->max, &total, &cli->problem));
    if (rule == NULL)
        SETPAY_TRY(ask_person(cli, prepared));
    else if (!cli->options->json)
        view_rule(cli, offer, rule);
    if (!cli->options->security_code)
        return SETPAY_OK;
    SETPAY_TRY(setpay_cli_ask_secret("Security code: ", SECURITY_CODE_MAX, code, &cli->problem));
    return setpay_cli_card_security_code(code, &cli->problem);
}

/* rule: that agrees; NULL: the person does. */
static enum setpay_error confirm(struct setpay_cli *cli, const json_t *prepared, const json_t *rule,
                                 const struct setpay_secret *code)
{
    const json_t *offer = json_object_get(prepared, "offer");
    bool insist = json_object_get(prepared, "insists_on") != NULL;
    struct course course = {0};
    json_t *result = NULL;
    enum setpay_error error = SETPAY_OK;
    json_t *args = SETPAY_CLI_ARGS("xid", setpay_cli_text_of(offer, "xid"), "currency",
                                   setpay_cli_text_of(offer, "currency"), "merchant_id",
                                   setpay_cli_text_of(offer, "merchant_id"));

    if (args != NULL && repeats(offer) &&
        json_object_set(args, "terms", json_object_get(offer, "terms_text")) != 0) {
        json_decref(args);
        return SETPAY_E_NOMEM;
    }
    if (args == NULL || json_object_set(args, "amount", json_object_get(offer, "amount")) != 0 ||
        (insist && json_object_set_new(args, "insist", json_true()) != 0) ||
        (rule != NULL && json_object_set(args, "rule", json_object_get(rule, "number")) != 0))
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK && code->size > 0)
        error = setpay_cli_args_secret(cli, args, "security_code", code);
    if (error != SETPAY_OK) {
        json_decref(args);
        return error;
    }
    error = call_with_progress(cli, "pay.confirm", args, &course, &result);
    if (error != SETPAY_OK)
        return explain_open(cli, error, &course);
    return finish(cli, result);
}

static enum setpay_error prepare(struct setpay_cli *cli, bool insist, json_t **prepared)
{
    struct course course = {0};
    json_t *args = SETPAY_CLI_ARGS("uri", cli->options->argument, "card", cli->options->card);

    if (insist && json_object_set_new(args, "insist", json_true()) != 0) {
        json_decref(args);
        return SETPAY_E_NOMEM;
    }
    return call_with_progress(cli, "pay.prepare", args, &course, prepared);
}

/* Another command signed for the same link while this one was agreeing: its purchase is the one to
 * follow (rule W5). */
static enum setpay_error join(struct setpay_cli *cli)
{
    json_t *prepared = NULL;
    enum setpay_error error = prepare(cli, false, &prepared);

    if (error == SETPAY_OK)
        error = json_object_get(prepared, "purchase") != NULL ? go_on(cli, prepared)
                                                              : SETPAY_E_PAYMENT_OPEN;
    json_decref(prepared);
    return error;
}

/* *taken_back: the rule that had agreed does not any more. */
static enum setpay_error pay_prepared(struct setpay_cli *cli, const json_t *prepared,
                                      const json_t *rule, struct setpay_secret *code,
                                      bool *taken_back)
{
    SETPAY_TRY(agree(cli, prepared, rule, code));
    enum setpay_error error = confirm(cli, prepared, rule, code);
    *taken_back = error == SETPAY_E_NOT_AGREED && rule != NULL;
    return error == SETPAY_E_PAYMENT_OPEN ? join(cli) : error;
}

/* Another payment took what the rule had left, or it was removed, while this one was on its way:
 * the person is asked, about a new offer. */
static enum setpay_error ask_after_rule(struct setpay_cli *cli, struct setpay_secret *code)
{
    json_t *prepared = NULL;
    bool taken_back;
    enum setpay_error error = prepare(cli, false, &prepared);

    if (cli->options->security_code) /* it is typed anew */
        setpay_secret_clear(code);
    if (error == SETPAY_OK && json_object_get(prepared, "purchase") != NULL)
        error = go_on(cli, prepared);
    else if (error == SETPAY_OK)
        error = pay_prepared(cli, prepared, NULL, code, &taken_back);
    json_decref(prepared);
    return error;
}

enum setpay_error setpay_cli_run_pay(struct setpay_cli *cli)
{
    struct setpay_secret code = {0};
    json_t *prepared = NULL;
    enum setpay_error error = check_pay(cli, &code);

    if (error == SETPAY_OK)
        error = prepare(cli, cli->options->insist, &prepared);
    if (error == SETPAY_OK && json_object_get(prepared, "purchase") != NULL) {
        error = go_on(cli, prepared);
    } else if (error == SETPAY_OK) {
        const json_t *rule = cli->options->yes ? NULL : json_object_get(prepared, "rule");

        bool taken_back = false;

        error = pay_prepared(cli, prepared, rule, &code, &taken_back);
        if (taken_back && setpay_cli_terminal_there())
            error = ask_after_rule(cli, &code);
    }
    setpay_secret_clear(&code);
    json_decref(prepared);
    return error;
}

enum setpay_error setpay_cli_run_show(struct setpay_cli *cli)
{
    SETPAY_TRY(setpay_cli_check_link(cli->options->argument, &cli->problem));
    SETPAY_TRY(setpay_cli_call_result(
        cli, "offer.show",
        SETPAY_CLI_ARGS("uri", cli->options->argument, "card", cli->options->card)));
    if (!cli->options->json) {
        setpay_cli_view_offer(stdout, cli->result, cli->colour);
        (void)printf("\nThe offer is signed by the merchant, and was checked. Nothing is signed "
                     "by you.\n");
    }
    return SETPAY_OK;
}
