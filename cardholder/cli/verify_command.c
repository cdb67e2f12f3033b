/*
 * verify: an exported receipt, or a merchant's exported batches, checked without the wallet: no
 * daemon, no network, no clock.
 */
#include "cardholder/cli/cli.h"
#include "cardholder/cli/text.h"
#include "cardholder/verify.h"
#include "common/crypto/file.h"
#include "common/net/batch_file.h"
#include "common/net/identity.h"

#include <stdlib.h>
#include <string.h>

/* What each name among the not proven means, for people. */
static const struct {
    const char *name;
    const char *words;
} meanings[] = {
    {"host", "the host that was called"},
    {"uri", "the link that was paid"},
    {"card", "the card's last digits"},
    {"updated", "when the wallet changed its record"},
    {"merchant_said", "the merchant's last word, where no kept message has it"},
    {"breach", "that the merchant has broken no word"},
    {"revocation", "whether a certificate had been revoked by then: its authority knows"},
    {"gateway_encryption_certificate", "whose encryption certificate the order names"},
    {"complete", "whether the merchant has left a batch out"},
};

static const char *meaning_of(const char *name)
{
    for (size_t at = 0; at < sizeof meanings / sizeof *meanings; at++) {
        if (strcmp(meanings[at].name, name) == 0)
            return meanings[at].words;
    }
    if (strncmp(name, "batches[", 8) == 0)
        return "that it is closed with these totals, and that no item was left out";
    return strncmp(name, "evidence[", 9) == 0 ? "who made this kept message" : "";
}

/* The first certificate of --root; none was given: empty. */
static enum setpay_error read_root(struct setpay_cli *cli, struct setpay_certificate **root)
{
    if (cli->options->root == NULL)
        return SETPAY_OK;
    enum setpay_error error =
        setpay_identity_read_certificate(cli->options->root, root, &cli->problem);
    if (error != SETPAY_OK && setpay_error_kind(error) != SETPAY_KIND_SYSTEM &&
        setpay_error_kind(error) != SETPAY_KIND_USAGE)
        error = SETPAY_E_EVIDENCE; /* not a check of the receipt that failed */
    return error;
}

static void view_lines(const struct setpay_wallet_verdict *verdict)
{
    static const struct setpay_cli_column columns[] = {{NULL, false, 0}, {NULL, false, 0}};
    struct setpay_cli_table table = {.columns = columns, .column_count = 2};
    enum setpay_error error = SETPAY_OK;
    const json_t *one;
    size_t at;

    json_array_foreach(verdict->proven, at, one)
    {
        if (error == SETPAY_OK)
            error = setpay_cli_table_add(&table, setpay_cli_text_of(one, "what"));
        if (error == SETPAY_OK)
            error = setpay_cli_table_add(&table, setpay_cli_text_of(one, "words"));
    }
    if (table.cell_count > 0)
        (void)puts("Proven:");
    setpay_cli_table_print(&table, stdout, 2, false);
    setpay_cli_table_clear(&table);
    if (json_array_size(verdict->not_proven) == 0)
        return;
    (void)puts("Not proven:");
    json_array_foreach(verdict->not_proven, at, one)
    {
        const char *name = json_string_value(one);
        error = setpay_cli_table_add(&table, name);
        if (error == SETPAY_OK)
            error = setpay_cli_table_add(&table, meaning_of(name));
        if (error != SETPAY_OK)
            break;
    }
    setpay_cli_table_print(&table, stdout, 2, false);
    setpay_cli_table_clear(&table);
}

/* Who has no root of his own believes the file's: he is told which one that is. */
static void say_root(const struct setpay_wallet_verdict *verdict)
{
    char digest[SETPAY_DIGEST_TEXT_SIZE];
    char *name = setpay_cli_text_clean(verdict->root_name, 0);

    (void)fprintf(stderr,
                  "setpay-wallet: the root is the one in the file itself: %s\n"
                  "  SHA-256 %s\n"
                  "  Compare this with what the authority publishes, or give --root ROOT.pem: a "
                  "forger\n  can make a root of that name.\n",
                  name == NULL ? "?" : name, setpay_digest_format(&verdict->root, digest));
    free(name);
}

static json_t *result_json(const struct setpay_wallet_verdict *verdict, bool verified)
{
    char xid[SETPAY_ID_TEXT_SIZE], digest[SETPAY_DIGEST_TEXT_SIZE];
    json_t *result = json_pack("{s:b, s:O, s:O}", "verified", (int)verified, "proven",
                               verdict->proven, "not_proven", verdict->not_proven);

    if (result == NULL)
        return NULL;
    if (verified && verdict->merchant_id[0] != '\0') {
        (void)json_object_set_new(result, "merchant_id", json_string(verdict->merchant_id));
    } else if (verified) {
        (void)json_object_set_new(result, "xid", json_string(setpay_id_format(&verdict->xid, xid)));
        (void)json_object_set_new(result, "status", json_string(verdict->status));
    } else {
        (void)json_object_set_new(result, "failed", json_string(verdict->failed));
    }
    if (verdict->root_known)
        (void)json_object_set_new(result, "root",
                                  json_pack("{s:s, s:s, s:b}", "name", verdict->root_name, "sha256",
                                            setpay_digest_format(&verdict->root, digest), "given",
                                            (int)verdict->root_was_given));
    return result;
}

static void say_good(const struct setpay_wallet_verdict *verdict)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    if (verdict->merchant_id[0] != '\0')
        (void)printf("The batches are good: of %s.\n", verdict->merchant_id);
    else
        (void)printf("The receipt is good: purchase %s, %s.\n",
                     setpay_id_format(&verdict->xid, xid), verdict->status);
}

/* By what the file says that it is. */
static enum setpay_error verify(struct setpay_view text, struct setpay_view root_der,
                                struct setpay_wallet_verdict *verdict,
                                struct setpay_problem *problem)
{
    if (setpay_wallet_is_batches(text))
        return setpay_wallet_verify_batches(text, root_der, verdict, problem);
    if (text.size > SETPAY_WALLET_EXPORT_MAX)
        return SETPAY_E_EVIDENCE;
    return setpay_wallet_verify(text, root_der, verdict, problem);
}

enum setpay_error setpay_cli_run_verify(struct setpay_cli *cli)
{
    struct setpay_wallet_verdict verdict = {0};
    struct setpay_certificate *root = NULL;
    struct setpay_view root_der = {0};
    struct setpay_buffer text;

    setpay_buffer_init(&text, SETPAY_BATCH_FILE_MAX);
    enum setpay_error error = setpay_file_read(cli->options->argument, &text, &cli->problem);
    if (error == SETPAY_E_TOO_BIG)
        error = SETPAY_E_EVIDENCE;
    if (error == SETPAY_OK)
        error = read_root(cli, &root);
    if (error == SETPAY_OK) {
        if (root != NULL)
            root_der = setpay_certificate_der(root);
        error = verify(setpay_buffer_view(&text), root_der, &verdict, &cli->problem);
        cli->result = result_json(&verdict, error == SETPAY_OK);
        if (!cli->options->json)
            view_lines(&verdict);
        if (!cli->options->json && error == SETPAY_OK)
            say_good(&verdict);
        if (verdict.root_known && !verdict.root_was_given) {
            (void)fflush(stdout);
            say_root(&verdict);
        }
    }
    setpay_wallet_verdict_clear(&verdict);
    setpay_certificate_unref(root);
    setpay_buffer_clear(&text);
    return error;
}
