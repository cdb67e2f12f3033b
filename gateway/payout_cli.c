/*
 * payout send and payout file: accounts out of the configuration, files for the bank; and payouts
 * in words.
 *
 * The gateway keeps a file before this program has its bytes. So whatever becomes of them here, the
 * same file can be written again.
 */
#include "gateway/books_cli.h"

#include "common/base/clock.h"
#include "common/base/noun.h"
#include "common/base/zone.h"
#include "common/crypto/file.h"
#include "common/net/control_json.h"
#include "gateway/clearing/payee.h"
#include "gateway/gateway_words.h"
#include "gateway/settlement_json.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------ accounts */

static json_t *account_json(const struct setpay_bank_account *account)
{
    return json_pack("{s:s, s:s, s:s}", "holder", account->holder, "iban", account->iban, "bic",
                     account->bic);
}

static enum setpay_error find_payer(const struct setpay_config *config, const char *currency,
                                    json_t **payer, struct setpay_problem *problem)
{
    struct setpay_bank_account account;
    enum setpay_error error = setpay_payer_find(config, currency, &account, problem);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "payer missing: the configuration has no section [payer %.3s] "
                                  "with the account that payouts are paid from; nothing was sent",
                                  currency);
    SETPAY_TRY(error);
    *payer = account_json(&account);
    return *payer != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* Of those that wait in that currency, who has an account, into payees, and who has none. */
static enum setpay_error find_payees(const struct setpay_config *config, const char *currency,
                                     const json_t *waiting, json_t *payees, json_t *missing,
                                     struct setpay_problem *problem)
{
    size_t index;
    const json_t *one;
    json_array_foreach(waiting, index, one)
    {
        struct setpay_bank_account account;
        if (strcmp(setpay_operator_text(one, "currency"), currency) != 0)
            continue;
        enum setpay_error error =
            setpay_payee_find(config, setpay_operator_text(one, "brand"),
                              setpay_operator_text(one, "merchant_id"), &account, problem);
        if (error == SETPAY_E_NOT_FOUND) {
            json_array_append_new(missing, json_deep_copy(one));
            continue;
        }
        SETPAY_TRY(error);
        json_t *payee = account_json(&account);
        json_object_set(payee, "brand", json_object_get(one, "brand"));
        json_object_set(payee, "merchant_id", json_object_get(one, "merchant_id"));
        json_array_append_new(payees, payee);
    }
    return SETPAY_OK;
}

/* Where nobody has one. */
static enum setpay_error check_any(const json_t *payees, const json_t *missing,
                                   struct setpay_problem *problem)
{
    const json_t *first = json_array_get(missing, 0);
    if (json_array_size(payees) > 0 || first == NULL)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_STATE,
                              "payee missing: the configuration has no section [payee %s.%s] with "
                              "the account of that merchant%s; nothing was sent",
                              setpay_operator_text(first, "brand"),
                              setpay_operator_text(first, "merchant_id"),
                              json_array_size(missing) > 1 ? ", nor one of any other" : "");
}

/* ------------------------------------------------------------------ files */

/* A file that is there is never touched: it may be with the bank. */
static enum setpay_error check_new(const char *path, struct setpay_problem *problem)
{
    if (path == NULL || access(path, F_OK) != 0)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_USAGE, "%s is there; expected a new file", path);
}

/* Of result, which has its id and bytes; in the end it names the path instead of them. The file is
 * there whole or not at all. */
static enum setpay_error write_content(const char *path, json_t *result,
                                       struct setpay_problem *problem)
{
    const json_t *content = json_object_get(result, "content");
    const char *id = setpay_operator_text(result, "file");
    struct setpay_problem why = {{0}};
    enum setpay_error error = setpay_file_write(
        path,
        setpay_view_of((const uint8_t *)json_string_value(content), json_string_length(content)),
        0600, false, &why);
    json_object_del(result, "content");
    if (error != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_IO,
                                  "%s; the payouts are in the file %s, which payout file %s -o "
                                  "FILE writes again",
                                  why.text, id, id);
    json_object_set_new(result, "path", json_string(path));
    return SETPAY_OK;
}

/* asked: what was said, to which accounts come. */
static enum setpay_error ask_send(struct setpay_operator_asker *asker,
                                  const struct setpay_config *config, json_t *asked,
                                  json_t *missing, json_t **result, struct setpay_problem *problem)
{
    json_t *waiting = NULL, *payer = NULL, *payees = json_array();
    const char *currency = json_string_value(json_object_get(asked, "currency"));
    json_object_set_new(asked, "payees", payees);
    SETPAY_TRY(find_payer(config, currency, &payer, problem));
    json_object_set_new(asked, "payer", payer);
    SETPAY_TRY(setpay_operator_ask(asker, "payout.waiting", NULL, &waiting, problem));
    enum setpay_error error = find_payees(config, currency, json_object_get(waiting, "waiting"),
                                          payees, missing, problem);
    json_decref(waiting);
    SETPAY_TRY(error);
    SETPAY_TRY(check_any(payees, missing, problem));
    return setpay_operator_ask(asker, "payout.send", json_deep_copy(asked), result, problem);
}

enum setpay_error setpay_books_payout_send(struct setpay_operator_asker *asker,
                                           const struct setpay_config *config, const json_t *args,
                                           json_t **result, struct setpay_problem *problem)
{
    char today[SETPAY_DATE_TEXT_SIZE];
    const struct setpay_date date = setpay_date_of_ms(setpay_clock_now_ms());
    const char *currency = NULL, *path = NULL;
    json_t *sent = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "currency", false, &currency, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "output", false, &path, problem));
    if (currency == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--currency is missing: expected that of the payouts, such as "
                                  "EUR; a file is of one");
    SETPAY_TRY(check_new(path, problem));
    json_t *missing = json_array(), *asked = json_deep_copy(args);
    json_object_del(asked, "output");
    if (json_object_get(asked, "date") == NULL)
        json_object_set_new(asked, "date", json_string(setpay_date_format(&date, today)));
    enum setpay_error error = ask_send(asker, config, asked, missing, &sent, problem);
    json_decref(asked);
    if (error == SETPAY_OK) {
        json_object_set(sent, "missing", missing);
        *result = sent; /* also where the file can't be written: what was done is done */
        error = path == NULL ? SETPAY_OK : write_content(path, sent, problem);
    }
    json_decref(missing);
    return error;
}

enum setpay_error setpay_books_payout_file(struct setpay_operator_asker *asker,
                                           const struct setpay_config *config, const json_t *args,
                                           json_t **result, struct setpay_problem *problem)
{
    const char *path = NULL;
    (void)config;
    SETPAY_TRY(setpay_json_arg_text(args, "output", false, &path, problem));
    SETPAY_TRY(check_new(path, problem));
    json_t *asked = json_deep_copy(args);
    json_object_del(asked, "output");
    SETPAY_TRY(setpay_operator_ask(asker, "payout.file", asked, result, problem));
    enum setpay_error error = path == NULL ? SETPAY_OK : write_content(path, *result, problem);
    if (error != SETPAY_OK) {
        json_decref(*result);
        *result = NULL;
    }
    return error;
}

/* ------------------------------------------------------------------ words */

static void print_missing(const json_t *result, FILE *to)
{
    size_t index;
    const json_t *one;
    json_array_foreach(json_object_get(result, "missing"), index, one)
    {
        json_int_t count = json_integer_value(json_object_get(one, "payouts"));
        (void)fprintf(to, "payee missing: %lld %s of %s to %s wait for a section [payee %s.%s]\n",
                      (long long)count, setpay_noun(count, "payout", "payouts"),
                      setpay_operator_text(one, "amount_text"),
                      setpay_operator_text(one, "merchant_id"), setpay_operator_text(one, "brand"),
                      setpay_operator_text(one, "merchant_id"));
    }
}

/* The file alone on standard output, where it goes there. */
void setpay_gateway_print_payout_file(const json_t *result)
{
    const json_t *content = json_object_get(result, "content");
    const json_t *path = json_object_get(result, "path");
    json_int_t count = json_integer_value(json_object_get(result, "payouts"));
    FILE *to = content == NULL ? stdout : stderr;
    if (content != NULL)
        (void)fwrite(json_string_value(content), 1, json_string_length(content), stdout);
    (void)fprintf(to, "file %s: %lld %s, %s, to be paid on %s%s%s\n",
                  setpay_operator_text(result, "file"), (long long)count,
                  setpay_noun(count, "payout", "payouts"),
                  setpay_operator_text(result, "amount_text"), setpay_operator_text(result, "date"),
                  json_is_string(path) ? "; written to " : "",
                  json_is_string(path) ? json_string_value(path) : "");
    print_missing(result, to);
    json_int_t doubted = json_integer_value(json_object_get(result, "doubted"));
    if (doubted != 0)
        (void)fprintf(to,
                      "%lld %s something of before the database was restored: see the bank's "
                      "statement, tell payout paid or payout set-aside, then --force\n",
                      (long long)doubted, setpay_noun(doubted, "payout holds", "payouts hold"));
    json_int_t left = json_integer_value(json_object_get(result, "left"));
    if (left != 0)
        (void)fprintf(to, "%lld %s left out, as you said\n", (long long)left,
                      setpay_noun(left, "payout is", "payouts are"));
    if (json_is_true(json_object_get(result, "more")))
        (void)fputs("There are more: another payout send writes them to another file.\n", to);
}

void setpay_gateway_print_payout_files(const json_t *result)
{
    const json_t *list = json_object_get(result, "files");
    size_t index;
    const json_t *one;
    if (json_array_size(list) == 0) {
        puts("No file was written.");
        return;
    }
    printf("%-32s  %-24s %-10s %7s %20s\n", "FILE", "WRITTEN", "TO PAY ON", "PAYOUTS", "AMOUNT");
    json_array_foreach(list, index, one)
    {
        printf("%-32s  %-24s %-10s %7lld %20s\n", setpay_operator_text(one, "file"),
               setpay_operator_text(one, "created"), setpay_operator_text(one, "date"),
               (long long)json_integer_value(json_object_get(one, "payouts")),
               setpay_operator_text(one, "amount_text"));
    }
}

void setpay_gateway_print_payouts(const json_t *result)
{
    const json_t *list = json_object_get(result, "payouts");
    size_t index;
    const json_t *one;
    if (json_array_size(list) == 0) {
        puts("There is no such payout.");
        return;
    }
    printf("%-32s  %-10s %-9s %20s  %-12s %s\n", "PAYOUT", "DAY", "STATE", "AMOUNT", "BRAND",
           "MERCHANT");
    json_array_foreach(list, index, one)
    {
        printf("%-32s  %-10s %-9s %20s  %-12s %s%s\n", setpay_operator_text(one, "payout"),
               setpay_operator_text(one, "day"), setpay_operator_text(one, "state"),
               setpay_operator_text(one, "amount_text"), setpay_operator_text(one, "brand"),
               setpay_operator_text(one, "merchant_id"),
               json_is_true(json_object_get(one, "known")) ? "  (told before)"
               : json_is_true(json_object_get(one, "doubted"))
                   ? "  (may have been sent: paid, set-aside or send --force)"
                   : "");
    }
    json_int_t after = json_integer_value(json_object_get(result, "next_after"));
    if (after != 0)
        printf("There are more: --after %lld\n", (long long)after);
}

static void print_undone(const json_t *list)
{
    size_t index;
    const json_t *one;
    json_array_foreach(list, index, one)
    {
        const char *reference = setpay_operator_text(one, "reference");
        /* Else it is nobody's word but the operator's. */
        bool is_bank = json_string_length(json_object_get(one, "reference")) > 0;
        printf("%-10s %s%s%s%s%s, was told by mistake: %s\n", "undone",
               setpay_operator_text(one, "word"), is_bank ? ", by " : "", is_bank ? reference : "",
               is_bank ? " of " : "", is_bank ? setpay_operator_text(one, "date") : "",
               setpay_operator_text(one, "undone_reason"));
    }
}

void setpay_gateway_print_payout(const json_t *result)
{
    static const struct {
        const char *title, *member;
    } rows[] = {
        {"payout", "payout"},
        {"state", "state"},
        {"amount", "amount_text"},
        {"brand", "brand"},
        {"merchant", "merchant_id"},
        {"day", "day"},
        {"made", "made"},
        {"file", "file"},
        {"sent", "sent"},
        {"holder", "holder"},
        {"IBAN", "iban"},
        {"BIC", "bic"},
        {"paid", "paid_date"},
        {"reference", "reference"},
        {"returned", "return_date"},
        {"reference", "return_reference"},
        {"code", "return_code"},
        {"reason", "return_reason"},
        {"set aside", "set_aside"},
        {"reason", "set_aside_reason"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (json_is_string(json_object_get(result, rows[i].member)))
            printf("%-10s %s\n", rows[i].title, setpay_operator_text(result, rows[i].member));
    if (json_is_true(json_object_get(result, "doubted")))
        puts("in doubt   it holds something of before the database was restored, and may have been "
             "sent");
    print_undone(json_object_get(result, "undone"));
}
