/*
 * Commands: accounts, holds, authorisations, reversals, presentments, show LAST4, script
 * [KEY=NUMBER …] [reset], disconnect; those of account_commands.c. Each answers with one JSON
 * object; for people the client (client.c) makes lines of it.
 */
#include "gateway/issuer/commands.h"

#include "gateway/issuer/accounts.h"

#include <string.h>

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
    if (error == SETPAY_OK)
        error = setpay_issuer_server_follow_script(commands->server,
                                                   json_object_get(args, "down_ms") != NULL);
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
    {"account", setpay_issuer_on_account,
     "NAME KEY=VALUE ...: changes an account: state, available, limited, limit, daily-limit"},
    {"statement", setpay_issuer_on_statement, "LAST4: what was booked and is held, by currency"},
    {"check", setpay_issuer_on_check, "recomputes the books from their rows; exit status 1: wrong"},
    {"clearing", setpay_issuer_on_clearing,
     "[--date YYYY-MM-DD]: the file of presentments, setpay-clearing(5)"},
    {"dispute", setpay_issuer_on_dispute,
     "open ID --reason R [--amount A]; close NUMBER --outcome cardholder|merchant"},
    {"disputes", setpay_issuer_on_disputes,
     "[--date YYYY-MM-DD]: the file of disputes, setpay-clearing(5)"},
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
