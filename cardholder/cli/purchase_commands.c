/*
 * list and receipt: what was bought, and the evidence of it. The merchants are asked first what has
 * happened since; where one is away, what was known is shown, and that is said.
 */
#include "cardholder/cli/cli.h"
#include "common/base/ids.h"
#include "common/base/noun.h"
#include "common/crypto/file.h"

#include <stdlib.h>
#include <string.h>

/* Of the form of an exported file; a reader refuses a number that it does not know. */
#define EXPORT_VERSION 1

enum setpay_error setpay_cli_run_list(struct setpay_cli *cli)
{
    SETPAY_TRY(setpay_cli_call_result(cli, "purchase.list", json_pack("{s:b}", "refresh", 1)));
    if (cli->options->json)
        return SETPAY_OK;
    setpay_cli_view_purchases(stdout, json_object_get(cli->result, "purchases"), cli->colour);
    json_int_t not_heard = json_integer_value(json_object_get(cli->result, "not_heard"));
    const char *error = setpay_cli_text_of(cli->result, "refresh_error");
    (void)fflush(stdout);
    if (not_heard > 0)
        (void)fprintf(stderr,
                      "The merchants of %" JSON_INTEGER_FORMAT
                      " of these could not be asked now: this is what was known.\n",
                      not_heard);
    if (error != NULL)
        (void)fprintf(stderr, "No merchant was asked now (%s): this is what was known.\n", error);
    return SETPAY_OK;
}

/* Above what is shown or written: that it may be old. */
static void say_not_asked(const struct setpay_cli *cli)
{
    const char *error = setpay_cli_text_of(cli->result, "refresh_error");

    if (error != NULL)
        (void)fprintf(stderr, "The merchant could not be asked now (%s): this is what was known.\n",
                      error);
}

/* Everything that is needed to check the purchase without this wallet, as one JSON object. */
static enum setpay_error export_receipt(struct setpay_cli *cli, const char *xid)
{
    const char *file = cli->options->export;
    json_t *evidence = json_pack("{s:i}", "setpay_receipt", EXPORT_VERSION);
    size_t receipts = json_array_size(json_object_get(cli->result, "receipts"));
    char *text = NULL;
    enum setpay_error error = SETPAY_E_NOMEM;

    if (evidence == NULL || json_object_update_missing(evidence, cli->result) != 0)
        goto out;
    say_not_asked(cli);
    (void)json_object_del(evidence, "refreshed"); /* of this moment, and nobody else's business */
    (void)json_object_del(evidence, "refresh_error");
    (void)json_object_del(evidence, "rule"); /* how the person spends is for nobody else either */
    text = json_dumps(evidence, JSON_INDENT(2));
    if (text == NULL)
        goto out;
    error = setpay_file_write(file, setpay_view_string(text), 0600, false, &cli->problem);
    if (error != SETPAY_OK)
        goto out;
    json_decref(cli->result);
    cli->result =
        json_pack("{s:s, s:s, s:I}", "xid", xid, "file", file, "receipts", (json_int_t)receipts);
    if (!cli->options->json)
        (void)printf("%zu %s in %s.\n", receipts,
                     setpay_noun((int64_t)receipts, "receipt and what proves it are",
                                 "receipts and what proves them are"),
                     file);
out:
    free(text);
    json_decref(evidence);
    return error;
}

enum setpay_error setpay_cli_run_receipt(struct setpay_cli *cli)
{
    char xid[SETPAY_ID_TEXT_SIZE];

    SETPAY_TRY(setpay_cli_check_xid(cli, xid));
    SETPAY_TRY(setpay_cli_call_result(cli, "purchase.receipt",
                                      json_pack("{s:s, s:b}", "xid", xid, "refresh", 1)));
    if (cli->options->export != NULL)
        return export_receipt(cli, xid);
    if (!cli->options->json) {
        setpay_cli_view_purchase(stdout, cli->result, cli->colour);
        setpay_cli_view_receipts(stdout, json_object_get(cli->result, "receipts"), cli->colour);
    }
    return SETPAY_OK;
}
