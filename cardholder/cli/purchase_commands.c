/*
 * list and receipt: what was bought, and the evidence of it.
 */
#include "cardholder/cli/cli.h"
#include "common/base/ids.h"
#include "common/crypto/file.h"

#include <stdlib.h>
#include <string.h>

/* Of the form of an exported file; a reader refuses a number that it does not know. */
#define EXPORT_VERSION 1

enum setpay_error setpay_cli_run_list(struct setpay_cli *cli)
{
    SETPAY_TRY(setpay_cli_call_result(cli, "purchase.list", json_object()));
    if (!cli->options->json)
        setpay_cli_view_purchases(stdout, json_object_get(cli->result, "purchases"), cli->colour);
    return SETPAY_OK;
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
                     receipts == 1 ? "receipt and what proves it are"
                                   : "receipts and what proves them are",
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
    SETPAY_TRY(setpay_cli_call_result(cli, "purchase.receipt", SETPAY_CLI_ARGS("xid", xid)));
    if (cli->options->export != NULL)
        return export_receipt(cli, xid);
    if (!cli->options->json) {
        setpay_cli_view_purchase(stdout, cli->result, cli->colour);
        setpay_cli_view_receipts(stdout, json_object_get(cli->result, "receipts"), cli->colour);
    }
    return SETPAY_OK;
}
