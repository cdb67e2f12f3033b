/*
 * agreement list, show and cancel: what more than one payment was agreed to, and its end.
 *
 * A cancellation is done when the gateway's receipt says so. The wallet goes on asking by itself;
 * this program waits for one answer, and then says how far it is.
 */
#include "cardholder/cli/cli.h"
#include "cardholder/cli/terminal.h"
#include "cardholder/cli/text.h"
#include "cardholder/cli/words.h"
#include "common/base/ids.h"
#include "common/base/noun.h"

#include <stdlib.h>
#include <string.h>

static const char *text(const json_t *object, const char *name)
{
    const char *value = setpay_cli_text_of(object, name);
    return value == NULL ? "" : value;
}

static const char *status_words(const json_t *agreement)
{
    static const struct {
        const char *status;
        const char *words;
    } table[] = {
        {"pending", "not authorised yet"},
        {"active", "active"},
        {"ended", "ended: nothing more can be taken"},
        {"cancelling", "cancellation asked for, not confirmed"},
        {"cancelled", "cancelled, by the gateway's signed receipt"},
        {"failed", "nothing stands authorised"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].status, text(agreement, "status")) == 0)
            return table[i].words;
    }
    return text(agreement, "status");
}

/* ------------------------------------------------------------------ for people */

static void view(FILE *out, const json_t *agreement, bool colour)
{
    static const struct setpay_cli_column columns[] = {{NULL, false, 0}, {NULL, false, 0}};
    struct setpay_cli_table table = {.columns = columns, .column_count = 2};
    char last[SETPAY_CLI_TIME_SIZE], next[SETPAY_CLI_TIME_SIZE], asked[SETPAY_CLI_TIME_SIZE];
    char taken[160];
    const json_t *count = json_object_get(agreement, "count");
    (void)snprintf(
        taken, sizeof taken, "%.60s in %" JSON_INTEGER_FORMAT " payment%s",
        text(agreement, "taken_text"), json_integer_value(json_object_get(agreement, "payments")),
        setpay_noun(json_integer_value(json_object_get(agreement, "payments")), "", "s"));
    if (json_is_integer(count))
        (void)snprintf(taken + strlen(taken), sizeof taken - strlen(taken),
                       " of %" JSON_INTEGER_FORMAT, json_integer_value(count));
    const char *const pairs[][2] = {
        {"Merchant", text(agreement, "merchant")},
        {"You agreed to", text(agreement, "terms_text")},
        {"Status", status_words(agreement)},
        {"Taken so far", taken},
        {"The newest", setpay_cli_local_time(text(agreement, "last"), false, last)},
        {"Next not before", setpay_cli_local_time(text(agreement, "next"), false, next)},
        {"Cancelling since", setpay_cli_local_time(text(agreement, "cancel_asked"), true, asked)},
        {"Disagreement", text(agreement, "disagreement")},
        {"Purchase", text(agreement, "xid")},
    };
    enum setpay_error error = SETPAY_OK;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs && error == SETPAY_OK; i++) {
        if (*pairs[i][1] == '\0')
            continue;
        error = setpay_cli_table_add(&table, pairs[i][0]);
        if (error == SETPAY_OK)
            error = setpay_cli_table_add(&table, pairs[i][1]);
    }
    setpay_cli_table_print(&table, out, 0, false);
    setpay_cli_table_clear(&table);
    (void)colour;
}

static void view_list(FILE *out, const json_t *agreements, bool colour)
{
    static const struct setpay_cli_column columns[] = {{"Status", false, 0},
                                                       {"Merchant", false, 32},
                                                       {"Taken", true, 0},
                                                       {"At most", true, 0},
                                                       {"Purchase", false, 0}};
    struct setpay_cli_table table = {.columns = columns, .column_count = 5};
    enum setpay_error error = SETPAY_OK;
    size_t at;
    const json_t *agreement;

    if (json_array_size(agreements) == 0) {
        (void)fputs("Nothing was agreed to that permits more than one payment.\n", out);
        return;
    }
    json_array_foreach(agreements, at, agreement)
    {
        const char *const cells[] = {text(agreement, "status"), text(agreement, "merchant"),
                                     text(agreement, "taken_text"), text(agreement, "total_text"),
                                     text(agreement, "xid")};

        for (size_t cell = 0; cell < 5 && error == SETPAY_OK; cell++)
            error = setpay_cli_table_add(&table, cells[cell]);
    }
    setpay_cli_table_print(&table, out, 0, colour);
    setpay_cli_table_clear(&table);
}

/* ------------------------------------------------------------------ commands */

enum setpay_error setpay_cli_run_agreement_list(struct setpay_cli *cli)
{
    SETPAY_TRY(setpay_cli_call_result(cli, "agreement.list", json_object()));
    if (!cli->options->json)
        view_list(stdout, json_object_get(cli->result, "agreements"), cli->colour);
    return SETPAY_OK;
}

/* Has the wallet ask the merchant once, where it is unlocked; what came of it is read afterwards.
 */
static enum setpay_error ask_anew(struct setpay_cli *cli, const char *xid)
{
    json_t *purchase = NULL;
    enum setpay_error error = setpay_cli_call(cli, "purchase.show", SETPAY_CLI_ARGS("xid", xid),
                                              SETPAY_CLI_CALL_MS, NULL, NULL, &purchase);
    json_decref(purchase);
    return error;
}

static enum setpay_error show(struct setpay_cli *cli, const char *xid)
{
    SETPAY_TRY(setpay_cli_call_result(cli, "agreement.show", SETPAY_CLI_ARGS("xid", xid)));
    if (!cli->options->json)
        view(stdout, cli->result, cli->colour);
    return SETPAY_OK;
}

enum setpay_error setpay_cli_run_agreement_show(struct setpay_cli *cli)
{
    char xid[SETPAY_ID_TEXT_SIZE];

    SETPAY_TRY(setpay_cli_check_xid(cli, xid));
    SETPAY_TRY(ask_anew(cli, xid));
    return show(cli, xid);
}

/* What is to be cancelled, to whoever has to say so. */
static enum setpay_error agree(struct setpay_cli *cli, const char *xid)
{
    json_t *agreement = NULL;
    enum setpay_error error = SETPAY_OK;

    if (cli->options->yes)
        return SETPAY_OK;
    if (!setpay_cli_terminal_there())
        return setpay_problem_set(&cli->problem, SETPAY_E_USAGE,
                                  "a cancellation needs your word, and there is no terminal to ask "
                                  "on: give --yes");
    SETPAY_TRY(setpay_cli_call(cli, "agreement.show", SETPAY_CLI_ARGS("xid", xid),
                               SETPAY_CLI_CALL_MS, NULL, NULL, &agreement));
    FILE *terminal = setpay_cli_terminal_open();
    if (terminal == NULL) {
        error = setpay_problem_set(&cli->problem, SETPAY_E_IO, "the terminal can't be opened");
    } else {
        view(terminal, agreement, false);
        (void)fflush(terminal);
        (void)fclose(terminal);
        error =
            setpay_cli_ask_yes("\nCancel it? What was taken stays taken. [y/N] ", &cli->problem);
    }
    json_decref(agreement);
    return error;
}

enum setpay_error setpay_cli_run_agreement_cancel(struct setpay_cli *cli)
{
    char xid[SETPAY_ID_TEXT_SIZE];

    SETPAY_TRY(setpay_cli_check_xid(cli, xid));
    SETPAY_TRY(agree(cli, xid));
    SETPAY_TRY(setpay_cli_call_result(cli, "agreement.cancel", SETPAY_CLI_ARGS("xid", xid)));
    if (strcmp(text(cli->result, "status"), "cancelling") == 0)
        SETPAY_TRY(ask_anew(cli, xid));
    SETPAY_TRY(show(cli, xid));
    if (strcmp(text(cli->result, "status"), "cancelled") == 0)
        return SETPAY_OK;
    cli->exit_status = 4; /* no answer yet */
    if (!cli->options->json)
        (void)printf("\nThe cancellation is signed and kept. It is confirmed once the gateway's\n"
                     "receipt is here; the wallet goes on asking for it while it is unlocked.\n");
    return SETPAY_OK;
}
