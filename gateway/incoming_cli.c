/*
 * issuer paid: one payment from the command line, or several from a file, go to the gateway in the
 * same form; and the words about suspense.
 */
#include "gateway/books_cli.h"

#include "common/net/control_json.h"
#include "gateway/clearing/incoming.h"
#include "gateway/gateway_words.h"
#include "gateway/settlement_json.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ what issuers paid */

/* The one payment of the flags, as a list of one. */
static enum setpay_error write_one(const json_t *args, struct setpay_buffer *bytes,
                                   struct setpay_problem *problem)
{
    static const char *const names[] = {"issuer", "amount", "currency", "date", "reference"};
    SETPAY_TRY(setpay_buffer_append_format(bytes, "issuer,amount,currency,date,reference\n"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = NULL;
        SETPAY_TRY(setpay_json_arg_text(args, names[i], false, &text, problem));
        if (text == NULL)
            return setpay_problem_set(problem, SETPAY_E_USAGE,
                                      "--%s is missing: expected one payment, or --file FILE",
                                      names[i]);
        if (strpbrk(text, ",\n") != NULL)
            return setpay_problem_set(problem, SETPAY_E_USAGE, "--%s: no comma is taken", names[i]);
        SETPAY_TRY(setpay_buffer_append_format(bytes, "%s%s", text, i < 4 ? "," : "\n"));
    }
    return SETPAY_OK;
}

static enum setpay_error read_payments(const json_t *args, struct setpay_buffer *bytes,
                                       struct setpay_problem *problem)
{
    const char *path = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "file", false, &path, problem));
    if (path == NULL)
        return write_one(args, bytes, problem);
    if (json_object_size(args) > 1)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "--file: expected no payment beside it");
    return setpay_books_read_file(path, "a list of payments", bytes, problem);
}

/* Each is of an issuer that the configuration knows. */
static enum setpay_error check(const struct setpay_config *config, struct setpay_view bytes,
                               struct setpay_problem *problem)
{
    struct setpay_incoming_list list;
    struct setpay_problem ignored;
    SETPAY_TRY(setpay_incoming_parse(bytes, &list, problem));
    enum setpay_error error = SETPAY_OK;
    for (size_t i = 0; error == SETPAY_OK && i < list.count; i++)
        if (setpay_books_check_issuer(config, list.rows[i].issuer, &ignored) != SETPAY_OK)
            error = setpay_problem_set(problem, SETPAY_E_USAGE,
                                       "line %zu: issuer: found \"%s\", expected one of the "
                                       "configuration's [issuer NAME] sections; nothing was booked",
                                       list.rows[i].line, list.rows[i].issuer);
    setpay_incoming_list_clear(&list);
    return error;
}

/* The one payment of the flags has no line: the flag is what is wrong. */
static void name_flag(struct setpay_problem *problem)
{
    static const char *const names[] = {"issuer", "amount", "currency", "date", "reference"};
    static const char line[] = "line 2: ";
    const struct setpay_problem told = *problem;
    if (strncmp(told.text, line, sizeof line - 1) != 0)
        return;
    const char *words = told.text + sizeof line - 1;
    bool is_of_flag = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        is_of_flag = is_of_flag || (strncmp(words, names[i], strlen(names[i])) == 0 &&
                                    words[strlen(names[i])] == ':');
    (void)snprintf(problem->text, sizeof problem->text, "%s%s", is_of_flag ? "--" : "", words);
}

static enum setpay_error tell(struct setpay_operator_asker *asker,
                              const struct setpay_config *config, const char *command,
                              const json_t *args, json_t **result, struct setpay_problem *problem)
{
    struct setpay_buffer bytes;
    json_t *asked = NULL;
    setpay_buffer_init(&bytes, SETPAY_INCOMING_FILE_MAX);
    enum setpay_error error = read_payments(args, &bytes, problem);
    if (error == SETPAY_OK)
        error = check(config, setpay_buffer_view(&bytes), problem);
    if (error == SETPAY_OK) {
        asked = json_pack("{s:s%}", "content", (const char *)bytes.data, bytes.size);
        error = asked != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    setpay_buffer_clear(&bytes);
    if (error == SETPAY_OK)
        error = setpay_operator_ask(asker, command, asked, result, problem);
    if (error != SETPAY_OK && json_object_get(args, "file") == NULL)
        name_flag(problem);
    return error;
}

enum setpay_error setpay_books_issuer_paid(struct setpay_operator_asker *asker,
                                           const struct setpay_config *config, const json_t *args,
                                           json_t **result, struct setpay_problem *problem)
{
    return tell(asker, config, "issuer.paid", args, result, problem);
}

enum setpay_error setpay_books_issuer_paid_to(struct setpay_operator_asker *asker,
                                              const struct setpay_config *config,
                                              const json_t *args, json_t **result,
                                              struct setpay_problem *problem)
{
    return tell(asker, config, "issuer.paid_to", args, result, problem);
}

/* "sim, R1: 12.50 EUR", or "… paid to it". */
static void print_payment(const json_t *one)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    const char *currency = setpay_operator_text(one, "currency");
    int64_t minor = json_integer_value(json_object_get(one, "amount"));
    printf("%s, %s: %s%s", setpay_operator_text(one, "issuer"),
           setpay_operator_text(one, "reference"),
           setpay_amount_text(minor < 0 ? -minor : minor, currency, text),
           minor < 0 ? " paid to it" : "");
}

void setpay_gateway_print_issuer_payments(const json_t *result)
{
    size_t index;
    const json_t *one;
    if (json_array_size(json_object_get(result, "payments")) == 0)
        puts("Nothing was paid.");
    json_array_foreach(json_object_get(result, "payments"), index, one)
    {
        printf("%s  ", setpay_operator_text(one, "date"));
        print_payment(one);
        if (json_is_string(json_object_get(one, "undone")))
            printf("; undone %s: %s", setpay_operator_text(one, "undone"),
                   setpay_operator_text(one, "reason"));
        puts("");
    }
}

void setpay_gateway_print_paid(const json_t *result)
{
    size_t index;
    const json_t *one;
    json_array_foreach(json_object_get(result, "payments"), index, one)
    {
        char text[SETPAY_MONEY_TEXT_SIZE];
        const char *currency = setpay_operator_text(one, "currency");
        int64_t suspense = json_integer_value(json_object_get(one, "suspense"));
        print_payment(one);
        if (json_is_true(json_object_get(one, "known")))
            printf(", booked before");
        if (suspense != 0)
            printf("; of it %s in suspense", setpay_amount_text(suspense, currency, text));
        puts("");
    }
}

/* ------------------------------------------------------------------ suspense */

void setpay_gateway_print_suspense(const json_t *result)
{
    const json_t *list = json_object_get(result, "items");
    size_t index;
    const json_t *one;
    if (json_array_size(list) == 0) {
        puts("Nothing is in suspense.");
        return;
    }
    printf("%-32s  %-11s %20s  %-24s %s\n", "ID", "KIND", "LEFT", "SINCE", "OF");
    json_array_foreach(list, index, one)
    {
        bool paid = strcmp(setpay_operator_text(one, "kind"), "paid") == 0;
        bool off = json_is_true(json_object_get(one, "written_off"));
        printf("%-32s  %-11s %20s  %-24s %s %s\n", setpay_operator_text(one, "id"),
               off ? "written off" : setpay_operator_text(one, "kind"),
               setpay_operator_text(one, "left_text"), setpay_operator_text(one, "since"),
               setpay_operator_text(one, paid ? "issuer" : "merchant_id"),
               setpay_operator_text(one, paid ? "reference" : "step"));
    }
    if (json_is_string(json_object_get(result, "after")))
        printf("There are more: --after %s\n", setpay_operator_text(result, "after"));
}

/* What follows of a capture for an issuer, and for us. */
static void print_charge(const char *currency, bool to_issuer, int64_t interchange, int64_t fee,
                         int64_t loss)
{
    char one[SETPAY_MONEY_TEXT_SIZE], other[SETPAY_MONEY_TEXT_SIZE];
    if (to_issuer && (interchange != 0 || fee != 0))
        printf("Nobody was charged: interchange of %s and a fee of %s are undone.\n",
               setpay_amount_text(interchange, currency, one),
               setpay_amount_text(fee, currency, other));
    if (loss != 0)
        printf("No issuer will pay it: %s are in losses.\n",
               setpay_amount_text(loss, currency, one));
}

/* The same of a credit, whose amounts are below 0; no fee falls on it. */
static void print_credit(const char *currency, bool to_issuer, int64_t interchange, int64_t loss)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    if (to_issuer && interchange != 0)
        printf("Nobody was credited: interchange of %s that came back is undone.\n",
               setpay_amount_text(-interchange, currency, text));
    if (loss != 0)
        printf("No issuer has given it to anybody: losses are less by %s.\n",
               setpay_amount_text(-loss, currency, text));
}

void setpay_gateway_print_cleared(const json_t *result)
{
    const char *account = setpay_operator_text(result, "account");
    const char *currency = setpay_operator_text(result, "currency");
    int64_t interchange = json_integer_value(json_object_get(result, "interchange"));
    int64_t fee = json_integer_value(json_object_get(result, "fee"));
    int64_t loss = json_integer_value(json_object_get(result, "loss"));
    bool to_issuer = strcmp(account, setpay_account_name(SETPAY_ACCOUNT_ISSUER_RECEIVABLE)) == 0;
    printf("%s moved from suspense to %s: %s\n", setpay_operator_text(result, "amount_text"),
           account, setpay_operator_text(result, "reason"));
    if (json_integer_value(json_object_get(result, "amount")) < 0)
        print_credit(currency, to_issuer, interchange, loss);
    else
        print_charge(currency, to_issuer, interchange, fee, loss);
}
