/*
 * Commands that change accounts and disputes (in the store, answered after the commit), and those
 * that look at all of the books: statement, check, clearing, disputes.
 */
#include "gateway/issuer/commands.h"

#include "common/net/control_json.h"
#include "gateway/issuer/accounts.h"
#include "gateway/issuer/balances.h"
#include "gateway/issuer/books_check.h"
#include "gateway/issuer/clearing.h"
#include "gateway/issuer/clearing_file.h"
#include "gateway/issuer/disputes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (7U * 1024 * 1024) /* what an answer on the socket has room for */

/* ------------------------------------------------------------------ looks */

struct look {
    const char *text; /* last4 */
    struct setpay_clearing_ask ask;
    struct setpay_buffer file;
    json_t *result;
};

static void look(struct setpay_control_call *call, void *arg, setpay_store_read_fn *read,
                 struct look *look)
{
    const struct setpay_issuer_commands *commands = arg;
    enum setpay_error error = setpay_store_read(commands->reader, read, look);
    if (error == SETPAY_OK)
        setpay_control_reply(call, look->result);
    else
        setpay_control_fail(call, error,
                            error == SETPAY_E_TOO_BIG
                                ? "the file is too large to be given in one; take it day by day"
                                  " (--date)"
                                : NULL);
}

static enum setpay_error read_statement(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    json_t *list = NULL;
    SETPAY_TRY(setpay_statement_list(db, look->text, &list));
    look->result = json_pack("{s:o}", "statements", list);
    return look->result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

void setpay_issuer_on_statement(struct setpay_control_call *call, const json_t *args, void *arg)
{
    static const char *const names[] = {"last4", NULL};
    struct setpay_problem problem = {{0}};
    struct look wanted = {.text = NULL};
    enum setpay_error error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_text(args, "last4", true, &wanted.text, &problem);
    if (error == SETPAY_OK && strlen(wanted.text) != 4)
        error = setpay_problem_set(&problem, SETPAY_E_USAGE,
                                   "last4: expected the last four digits of the card");
    if (error != SETPAY_OK)
        setpay_control_fail(call, error, problem.text);
    else
        look(call, arg, read_statement, &wanted);
}

static enum setpay_error read_check(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    return setpay_books_check(db, setpay_clock_now_ms(), &look->result);
}

void setpay_issuer_on_check(struct setpay_control_call *call, const json_t *args, void *arg)
{
    (void)args;
    look(call, arg, read_check, &(struct look){.text = NULL});
}

static enum setpay_error give_file(struct look *look)
{
    look->result = json_pack("{s:s%}", "file", (const char *)look->file.data, look->file.size);
    return look->result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

static enum setpay_error read_clearing(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    SETPAY_TRY(setpay_clearing_write(db, &look->ask, &look->file));
    return give_file(look);
}

static enum setpay_error read_disputes(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    SETPAY_TRY(setpay_clearing_write_disputes(db, &look->ask, &look->file));
    return give_file(look);
}

static void give(struct setpay_control_call *call, const json_t *args, void *arg,
                 setpay_store_read_fn *read)
{
    const struct setpay_issuer_commands *commands = arg;
    static const char *const names[] = {"date", NULL};
    struct setpay_problem problem = {{0}};
    struct look wanted = {.ask = {.issuer = commands->issuer, .now = setpay_clock_now_ms()}};
    setpay_buffer_init(&wanted.file, FILE_BYTES_MAX);
    enum setpay_error error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_text(args, "date", false, &wanted.ask.date, &problem);
    if (error == SETPAY_OK && wanted.ask.date != NULL &&
        !setpay_clearing_date_valid(wanted.ask.date))
        error =
            setpay_problem_set(&problem, SETPAY_E_USAGE,
                               "date: found '%.40s', expected a day YYYY-MM-DD", wanted.ask.date);
    if (error != SETPAY_OK)
        setpay_control_fail(call, error, problem.text);
    else
        look(call, arg, read, &wanted);
    setpay_buffer_clear(&wanted.file);
}

void setpay_issuer_on_clearing(struct setpay_control_call *call, const json_t *args, void *arg)
{
    give(call, args, arg, read_clearing);
}

void setpay_issuer_on_disputes(struct setpay_control_call *call, const json_t *args, void *arg)
{
    give(call, args, arg, read_disputes);
}

/* ------------------------------------------------------------------ changes */

struct change {
    const struct setpay_issuer_commands *commands;
    struct setpay_control_call *call;
    bool of_account;
    struct setpay_balance_change account;
    struct setpay_money limit, daily_limit;
    struct setpay_dispute dispute;
    struct setpay_dispute_end end;
    struct setpay_problem *problem; /* of dispute or end */
    json_t *list;
};

static enum setpay_error change_account(struct setpay_db *db, void *arg)
{
    const struct change *change = arg;
    return setpay_balance_change(db, &change->account);
}

static enum setpay_error open_dispute(struct setpay_db *db, void *arg)
{
    struct change *change = arg;
    return setpay_dispute_open(db, &change->dispute);
}

static enum setpay_error close_dispute(struct setpay_db *db, void *arg)
{
    struct change *change = arg;
    return setpay_dispute_close(db, &change->end);
}

static enum setpay_error read_account(struct setpay_db *db, void *arg)
{
    struct change *change = arg;
    return setpay_account_list(db, "", &change->list);
}

static json_t *account_of(struct change *change)
{
    size_t i;
    json_t *row;
    json_t *found = NULL;
    if (setpay_store_read(change->commands->reader, read_account, change) != SETPAY_OK)
        return NULL;
    json_array_foreach(change->list, i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "name")), change->account.account) == 0)
            found = json_incref(row);
    }
    json_decref(change->list);
    return found;
}

static void on_changed(void *arg, enum setpay_error error)
{
    struct change *change = arg;
    if (error != SETPAY_OK && change->of_account && error == SETPAY_E_NOT_FOUND)
        setpay_control_fail(change->call, error,
                            "name: there is no such account (see setpay-issuersim accounts)");
    else if (error != SETPAY_OK)
        setpay_control_fail(change->call, error,
                            change->problem != NULL && change->problem->text[0] != '\0'
                                ? change->problem->text
                                : NULL);
    else if (change->of_account)
        setpay_control_reply(change->call, account_of(change));
    else
        setpay_control_reply(change->call, json_pack("{s:I}", "dispute",
                                                     (json_int_t)(change->dispute.number != 0
                                                                      ? change->dispute.number
                                                                      : change->end.number)));
    free(change);
}

static void submit(struct change *change, setpay_store_operation_fn *operation)
{
    enum setpay_error error = setpay_store_submit(change->commands->store, operation, on_changed,
                                                  change, change->commands->executor);
    if (error != SETPAY_OK)
        on_changed(change, error);
}

static enum setpay_error read_money(const json_t *args, const char *name,
                                    struct setpay_money *money, bool *given,
                                    struct setpay_problem *problem)
{
    const char *text = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, name, false, &text, problem));
    *given = text != NULL;
    if (text == NULL || setpay_money_parse(text, money) == SETPAY_OK)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_USAGE,
                              "%s: found '%.40s', expected an amount and its currency, as"
                              " '12.50 EUR'",
                              name, text);
}

static enum setpay_error read_choice(const json_t *args, const char *name, const char *one,
                                     const char *other, const char **choice,
                                     struct setpay_problem *problem)
{
    SETPAY_TRY(setpay_json_arg_text(args, name, false, choice, problem));
    if (*choice == NULL || strcmp(*choice, one) == 0 || strcmp(*choice, other) == 0)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_USAGE, "%s: found '%.40s', expected %s or %s", name,
                              *choice, one, other);
}

static enum setpay_error read_account_change(const json_t *args, struct change *change,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {"name",  "state",       "available", "limited",
                                        "limit", "daily-limit", NULL};
    struct setpay_balance_change *account = &change->account;
    bool has_limit, has_daily;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "name", true, &account->account, problem));
    SETPAY_TRY(read_choice(args, "state", "open", "closed", &account->state, problem));
    SETPAY_TRY(read_choice(args, "limited", "yes", "no", &account->limited, problem));
    SETPAY_TRY(
        read_money(args, "available", &account->available, &account->sets_available, problem));
    SETPAY_TRY(read_money(args, "limit", &change->limit, &has_limit, problem));
    SETPAY_TRY(read_money(args, "daily-limit", &change->daily_limit, &has_daily, problem));
    account->purchase_limit = has_limit ? &change->limit : NULL;
    account->daily_limit = has_daily ? &change->daily_limit : NULL;
    account->now = setpay_clock_now_ms();
    return SETPAY_OK;
}

static struct change *change_new(struct setpay_control_call *call, void *arg)
{
    struct change *change = calloc(1, sizeof(*change));
    if (change == NULL)
        setpay_control_fail(call, SETPAY_E_NOMEM, NULL);
    else
        *change = (struct change){.commands = arg, .call = call};
    return change;
}

void setpay_issuer_on_account(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_problem problem = {{0}};
    struct change *change = change_new(call, arg);
    if (change == NULL)
        return;
    change->of_account = true;
    enum setpay_error error = read_account_change(args, change, &problem);
    if (error == SETPAY_OK) {
        submit(change, change_account);
        return;
    }
    setpay_control_fail(call, error, problem.text);
    free(change);
}

static enum setpay_error read_dispute(const json_t *args, struct change *change, bool *opens,
                                      struct setpay_problem *problem)
{
    static const char *const open_names[] = {"action", "of", "reason", "amount", NULL};
    static const char *const close_names[] = {"action", "of", "outcome", NULL};
    const char *action = NULL;
    const char *of = NULL;
    bool has_amount;
    SETPAY_TRY(setpay_json_arg_text(args, "action", true, &action, problem));
    *opens = strcmp(action, "open") == 0;
    if (!*opens && strcmp(action, "close") != 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "dispute: found '%.40s', expected open or close", action);
    SETPAY_TRY(setpay_json_args_check(args, *opens ? open_names : close_names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "of", true, &of, problem));
    if (*opens) {
        change->dispute.presentment = of;
        change->dispute.now = setpay_clock_now_ms();
        change->problem = &change->dispute.problem;
        SETPAY_TRY(setpay_json_arg_text(args, "reason", true, &change->dispute.reason, problem));
        return read_money(args, "amount", &change->dispute.amount, &has_amount, problem);
    }
    char *end;
    change->end.number = strtoll(of, &end, 10);
    if (of[0] < '1' || of[0] > '9' || *end != '\0')
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "dispute close: found '%.40s', expected a dispute's number", of);
    change->end.now = setpay_clock_now_ms();
    change->problem = &change->end.problem;
    return setpay_json_arg_text(args, "outcome", true, &change->end.outcome, problem);
}

void setpay_issuer_on_dispute(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_problem problem = {{0}};
    struct change *change = change_new(call, arg);
    bool opens = false;
    if (change == NULL)
        return;
    enum setpay_error error = read_dispute(args, change, &opens, &problem);
    if (error == SETPAY_OK) {
        submit(change, opens ? open_dispute : close_dispute);
        return;
    }
    setpay_control_fail(call, error, problem.text);
    free(change);
}
