/*
 * Commands: accounts, holds, authorisations, reversals, presentments, show LAST4, script
 * [KEY=NUMBER …] [reset], disconnect. Each answers with one JSON object; for people the client
 * makes lines of it.
 */
#include "gateway/issuer/commands.h"

#include "common/net/control_client.h"
#include "gateway/issuer/accounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_TIMEOUT_MS 10000

/* ------------------------------------------------------------------ daemon */

struct listing {
    const char *last4;
    enum { ACCOUNTS, HOLDS, AUTHORISATIONS, REVERSALS, BOOKED, PRESENTMENTS, SHOW } what;
    json_t *result;
};

static enum setpay_error list_into(struct setpay_db *db, struct listing *listing, const char *name)
{
    json_t *list = NULL;
    switch (listing->what) {
    case ACCOUNTS:
        SETPAY_TRY(setpay_account_list(db, listing->last4, &list));
        break;
    case REVERSALS:
        SETPAY_TRY(setpay_account_list_reversals(db, &list));
        break;
    case PRESENTMENTS:
        SETPAY_TRY(setpay_account_list_presentments(db, &list));
        break;
    case BOOKED:
        SETPAY_TRY(setpay_account_list_booked(db, &list));
        break;
    default:
        SETPAY_TRY(
            setpay_account_list_authorisations(db, listing->last4, listing->what == HOLDS, &list));
    }
    return json_object_set_new(listing->result, name, list) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error read_listing(struct setpay_db *db, void *arg)
{
    struct listing *listing = arg;
    static const char *const names[] = {"accounts",  "holds",  "authorisations",
                                        "reversals", "booked", "presentments"};
    if (listing->what == PRESENTMENTS) {
        SETPAY_TRY(list_into(db, listing, "presentments"));
        listing->what = BOOKED;
    }
    if (listing->what != SHOW)
        return list_into(db, listing, names[listing->what]);
    listing->what = ACCOUNTS;
    SETPAY_TRY(list_into(db, listing, "accounts"));
    listing->what = AUTHORISATIONS;
    return list_into(db, listing, "authorisations");
}

static void reply_listing(struct setpay_control_call *call, void *arg, struct listing *listing)
{
    const struct setpay_issuer_commands *commands = arg;
    listing->result = json_object();
    enum setpay_error error = setpay_store_read(commands->reader, read_listing, listing);
    if (error != SETPAY_OK) {
        json_decref(listing->result);
        setpay_control_fail(call, error, NULL);
        return;
    }
    setpay_control_reply(call, listing->result);
}

static void on_accounts(struct setpay_control_call *call, const json_t *args, void *arg)
{
    (void)args;
    reply_listing(call, arg, &(struct listing){.last4 = "", .what = ACCOUNTS});
}

static void on_holds(struct setpay_control_call *call, const json_t *args, void *arg)
{
    (void)args;
    reply_listing(call, arg, &(struct listing){.last4 = "", .what = HOLDS});
}

static void on_authorisations(struct setpay_control_call *call, const json_t *args, void *arg)
{
    (void)args;
    reply_listing(call, arg, &(struct listing){.last4 = "", .what = AUTHORISATIONS});
}

static void on_reversals(struct setpay_control_call *call, const json_t *args, void *arg)
{
    (void)args;
    reply_listing(call, arg, &(struct listing){.last4 = "", .what = REVERSALS});
}

static void on_presentments(struct setpay_control_call *call, const json_t *args, void *arg)
{
    (void)args;
    reply_listing(call, arg, &(struct listing){.last4 = "", .what = PRESENTMENTS});
}

static void on_show(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_problem problem = {{0}};
    const char *last4 = NULL;
    enum setpay_error error = setpay_json_arg_text(args, "last4", true, &last4, &problem);
    if (error == SETPAY_OK && strlen(last4) != 4)
        error = setpay_problem_set(&problem, SETPAY_E_USAGE,
                                   "last4: expected the last four digits of the card");
    if (error != SETPAY_OK) {
        setpay_control_fail(call, error, problem.text);
        return;
    }
    reply_listing(call, arg, &(struct listing){.last4 = last4, .what = SHOW});
}

static void on_script(struct setpay_control_call *call, const json_t *args, void *arg)
{
    const struct setpay_issuer_commands *commands = arg;
    struct setpay_script *script = setpay_issuer_server_script(commands->server);
    struct setpay_problem problem = {{0}};
    enum setpay_error error = setpay_script_apply(script, args, &problem);
    if (error != SETPAY_OK)
        setpay_control_fail(call, error, problem.text);
    else
        setpay_control_reply(call, setpay_script_describe(script));
}

static void on_disconnect(struct setpay_control_call *call, const json_t *args, void *arg)
{
    const struct setpay_issuer_commands *commands = arg;
    (void)args;
    setpay_issuer_server_disconnect(commands->server);
    setpay_control_reply(call, NULL);
}

const struct setpay_control_command setpay_issuer_command_table[] = {
    {"accounts", on_accounts, "all accounts with what is available and held"},
    {"holds", on_holds, "the authorisations that hold an amount"},
    {"authorisations", on_authorisations, "every authorisation that was asked for"},
    {"reversals", on_reversals, "every reversal, also of authorisations that are not known"},
    {"presentments", on_presentments, "every charge and credit, and what accounts come to by them"},
    {"show", on_show, "LAST4: the accounts and authorisations of cards with these last digits"},
    {"script", on_script,
     "KEY=NUMBER ... what goes wrong next; reset: nothing; alone: what is set"},
    {"disconnect", on_disconnect, "closes every connection to this issuer once"},
    {NULL, NULL, NULL},
};

void setpay_issuer_status(void *arg, json_t *status)
{
    const struct setpay_issuer_commands *commands = arg;
    const struct setpay_issuer_figures *f = setpay_issuer_server_figures(commands->server);
    json_object_set_new(
        status, "figures",
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "connections",
                  (json_int_t)f->connections, "sign_ons", (json_int_t)f->sign_ons, "echoes",
                  (json_int_t)f->echoes, "authorisations", (json_int_t)f->authorisations,
                  "reversals", (json_int_t)f->reversals, "presentments",
                  (json_int_t)f->presentments, "reconciliations", (json_int_t)f->reconciliations,
                  "repeats", (json_int_t)f->repeats, "malformed", (json_int_t)f->malformed));
}

/* ------------------------------------------------------------------ client */

static enum setpay_error read_argument(const char *command, const char *text, json_t *args,
                                       struct setpay_problem *problem)
{
    const char *equals = strchr(text, '=');
    char key[64];
    char *end;
    if (strcmp(command, "show") == 0) {
        json_object_set_new(args, "last4", json_string(text));
        return SETPAY_OK;
    }
    if (strcmp(command, "script") == 0 && strcmp(text, "reset") == 0) {
        json_object_set_new(args, "reset", json_true());
        return SETPAY_OK;
    }
    if (strcmp(command, "script") != 0 || equals == NULL || equals == text ||
        (size_t)(equals - text) >= sizeof(key))
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s takes no argument \"%s\"", command,
                                  text);
    memcpy(key, text, (size_t)(equals - text));
    key[equals - text] = '\0';
    long long value = strtoll(equals + 1, &end, 10);
    if (equals[1] == '\0' || *end != '\0')
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s: \"%s\" is not a number", key,
                                  equals + 1);
    json_object_set_new(args, key, json_integer(value));
    return SETPAY_OK;
}

/* For people: one line a row, NAME=VALUE of each member; a single object alike. */
static void print_row(const json_t *row)
{
    const char *name;
    json_t *value;
    const char *before = "";
    json_object_foreach((json_t *)(uintptr_t)row, name, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        size_t size = text == NULL ? 0 : strlen(text);
        if (json_is_string(value) && size >= 2)
            printf("%s%s=%.*s", before, name, (int)(size - 2), text + 1);
        else
            printf("%s%s=%s", before, name, text == NULL ? "" : text);
        free(text);
        before = "  ";
    }
    puts("");
}

static void print_for_people(const json_t *result)
{
    const char *name;
    json_t *member;
    json_t *row;
    size_t i;
    bool lists = false;
    json_object_foreach((json_t *)(uintptr_t)result, name, member)
    {
        if (!json_is_array(member))
            continue;
        lists = true;
        printf("%s: %zu\n", name, json_array_size(member));
        json_array_foreach(member, i, row) print_row(row);
    }
    if (!lists && json_object_size(result) > 0)
        print_row(result);
}

enum setpay_error setpay_issuer_call(const char *socket_path, int argc, char **argv, bool as_json,
                                     struct setpay_problem *problem)
{
    struct setpay_control_client *client = NULL;
    json_t *args = json_object();
    json_t *result = NULL;
    enum setpay_error error = SETPAY_OK;
    for (int i = 1; i < argc && error == SETPAY_OK; i++)
        error = read_argument(argv[0], argv[i], args, problem);
    if (error == SETPAY_OK)
        error = setpay_control_client_open(socket_path, "setpay-issuersim",
                                           "setpay-issuersim --config FILE", &client, problem);
    if (error != SETPAY_OK)
        goto out;
    error = setpay_control_client_call(client, argv[0], args, CALL_TIMEOUT_MS, NULL, NULL, &result,
                                       problem);
    args = NULL;
    if (error != SETPAY_OK)
        goto out;
    if (as_json) {
        if (json_dumpf(result, stdout, JSON_INDENT(2)) != 0 || puts("") == EOF)
            error = setpay_problem_set(problem, SETPAY_E_IO, "standard output can't be written");
    } else {
        print_for_people(result);
    }
out:
    json_decref(args);
    json_decref(result);
    setpay_control_client_close(client);
    return error;
}
