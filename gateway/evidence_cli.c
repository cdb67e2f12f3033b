/*
 * Evidence for strangers, setpay-evidence(5), as the operator hands it out: on standard output, or
 * into a new file.
 */
#include "gateway/books_cli.h"

#include "common/base/noun.h"
#include "common/net/control_json.h"
#include "common/net/evidence_json.h"
#include "gateway/gateway_words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A file that is there is never touched. */
static enum setpay_error write_file(const char *path, const json_t *file,
                                    struct setpay_problem *problem)
{
    FILE *stream = fopen(path, "wxe");
    if (stream == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s: %s; expected a new file", path,
                                  strerror(errno));
    bool good = json_dumpf(file, stream, JSON_INDENT(2)) == 0 && fputc('\n', stream) != EOF;
    good = fclose(stream) == 0 && good;
    if (good)
        return SETPAY_OK;
    (void)remove(path);
    return setpay_problem_set(problem, SETPAY_E_IO, "%s: can't be written", path);
}

static json_int_t size_of(const json_t *file, const char *list)
{
    return (json_int_t)json_array_size(json_object_get(file, list));
}

/* What a command gives, or, where it goes into a file, what is in that. */
static enum setpay_error give(struct setpay_operator_asker *asker, const char *command,
                              const json_t *args, json_t **result, struct setpay_problem *problem)
{
    static const char *const kept[] = {"xid", "brand", "merchant_id", "batch", "status"};
    const char *path = NULL;
    json_t *file = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "output", false, &path, problem));
    json_t *asked = json_deep_copy(args);
    json_object_del(asked, "output");
    SETPAY_TRY(setpay_operator_ask(asker, command, asked, &file, problem));
    if (path == NULL) {
        *result = file;
        return SETPAY_OK;
    }
    enum setpay_error error = write_file(path, file, problem);
    if (error == SETPAY_OK) {
        json_t *made = json_pack("{s:s, s:I}", "file", path, "messages", size_of(file, "messages"));
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
            if (json_object_get(file, kept[i]) != NULL)
                json_object_set(made, kept[i], json_object_get(file, kept[i]));
        if (json_object_get(file, "receipts") != NULL)
            json_object_set_new(made, "receipts", json_integer(size_of(file, "receipts")));
        *result = made;
        error = made != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    json_decref(file);
    return error;
}

/* ------------------------------------------------------------------ of a dispute */

enum setpay_error setpay_books_dispute_evidence(struct setpay_operator_asker *asker,
                                                const struct setpay_config *config,
                                                const json_t *args, json_t **result,
                                                struct setpay_problem *problem)
{
    (void)config;
    return give(asker, "dispute.evidence", args, result, problem);
}

void setpay_gateway_print_evidence(const json_t *result)
{
    if (json_object_get(result, "file") == NULL) {
        setpay_evidence_print(result);
        return;
    }
    json_int_t messages = json_integer_value(json_object_get(result, "messages"));
    json_int_t receipts = json_integer_value(json_object_get(result, "receipts"));
    printf("%s: %lld %s and %lld %s of payment %s\n", setpay_operator_text(result, "file"),
           (long long)messages, setpay_noun(messages, "message", "messages"), (long long)receipts,
           setpay_noun(receipts, "receipt", "receipts"), setpay_operator_text(result, "xid"));
}

/* ------------------------------------------------------------------ of a batch */

enum setpay_error setpay_books_batch_evidence(struct setpay_operator_asker *asker,
                                              const struct setpay_config *config,
                                              const json_t *args, json_t **result,
                                              struct setpay_problem *problem)
{
    (void)config;
    return give(asker, "batch.evidence", args, result, problem);
}

static void print_requests(const json_t *result)
{
    size_t index;
    const json_t *message;
    json_array_foreach(json_object_get(result, "messages"), index, message)
    {
        printf("%-14s signed by the merchant: %s\n", setpay_operator_text(message, "type"),
               json_is_true(json_object_get(message, "agreed")) ? "closed with these totals"
                                                                : "with other totals");
    }
}

void setpay_gateway_print_batch_evidence(const json_t *result)
{
    const json_t *messages = json_object_get(result, "messages");
    bool in_file = json_object_get(result, "file") != NULL;
    json_int_t count =
        in_file ? json_integer_value(messages) : (json_int_t)json_array_size(messages);
    if (in_file)
        printf("%s: %lld %s of %s, %s batch %lld\n", setpay_operator_text(result, "file"),
               (long long)count, setpay_noun(count, "message", "messages"),
               setpay_operator_text(result, "merchant_id"), setpay_operator_text(result, "brand"),
               (long long)json_integer_value(json_object_get(result, "batch")));
    else
        print_requests(result);
    if (count == 0)
        puts(strcmp(setpay_operator_text(result, "status"), "open") == 0
                 ? "It is open: its merchant has not asked to close it."
                 : "No request is kept: it was closed before they were, or in its merchant's "
                   "place.");
    else if (!in_file)
        fputs("With --json or -o it is written out, for others to check: setpay-evidence(5).\n",
              stderr);
}
