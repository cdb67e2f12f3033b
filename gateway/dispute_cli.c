/*
 * dispute: an issuer's file goes to the gateway as it is, which reads it; lists come in pages.
 */
#include "gateway/books_cli.h"

#include "common/base/noun.h"
#include "common/net/control_json.h"
#include "gateway/gateway_words.h"
#include "gateway/issuer/dispute_file.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ import */

enum setpay_error setpay_books_import_disputes(struct setpay_operator_asker *asker,
                                               const struct setpay_config *config,
                                               const json_t *args, json_t **result,
                                               struct setpay_problem *problem)
{
    struct setpay_buffer bytes;
    struct setpay_problem why = {{0}};
    const char *path = NULL, *issuer = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "file", true, &path, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "issuer", false, &issuer, problem));
    SETPAY_TRY(setpay_books_check_issuer(config, issuer, problem));
    setpay_buffer_init(&bytes, SETPAY_DISPUTE_FILE_MAX);
    enum setpay_error error = setpay_books_read_file(path, "a file of disputes", &bytes, problem);
    json_t *asked = NULL;
    if (error == SETPAY_OK) {
        asked = json_pack("{s:s%, s:s, s:s*, s:O*}", "content",
                          bytes.size > 0 ? (const char *)bytes.data : "", bytes.size, "acquirer",
                          setpay_books_acquirer(config), "issuer", issuer, "skip",
                          json_object_get(args, "skip"));
        error = asked != NULL
                    ? SETPAY_OK
                    : setpay_problem_set(problem, SETPAY_E_INVALID,
                                         "%.200s: not a text: is it a file of disputes?", path);
    }
    setpay_buffer_clear(&bytes);
    if (error == SETPAY_OK) {
        error = setpay_operator_ask(asker, "dispute.import", asked, result, &why);
        if (error != SETPAY_OK)
            error = setpay_problem_set(problem, error, "%.200s: %s", path,
                                       why.text[0] != '\0' ? why.text : setpay_error_text(error));
    }
    return error;
}

void setpay_gateway_print_imported(const json_t *result)
{
    size_t index;
    const json_t *one;
    printf("disputes of %s, %s to %s: %lld opened, %lld lost, %lld won, %lld known before",
           setpay_operator_text(result, "issuer"), setpay_operator_text(result, "from"),
           setpay_operator_text(result, "to"),
           (long long)json_integer_value(json_object_get(result, "opened")),
           (long long)json_integer_value(json_object_get(result, "lost")),
           (long long)json_integer_value(json_object_get(result, "won")),
           (long long)json_integer_value(json_object_get(result, "known")));
    json_int_t others = json_integer_value(json_object_get(result, "others"));
    if (others != 0)
        printf("; %lld of other acquirers", (long long)others);
    puts("");
    json_array_foreach(json_object_get(result, "skipped"), index, one)
    {
        printf("skipped: dispute %lld (line %lld), %s of %s, %s, %s\n",
               (long long)json_integer_value(json_object_get(one, "number")),
               (long long)json_integer_value(json_object_get(one, "line")),
               setpay_operator_text(one, "amount_text"), setpay_operator_text(one, "step"),
               setpay_operator_text(one, "reason"), setpay_operator_text(one, "outcome"));
    }
}

/* ------------------------------------------------------------------ list and show */

enum setpay_error setpay_books_list_disputes(struct setpay_operator_asker *asker,
                                             const struct setpay_config *config, const json_t *args,
                                             json_t **result, struct setpay_problem *problem)
{
    json_t *list = json_array();
    (void)config;
    enum setpay_error error =
        setpay_books_pages(asker, "dispute.list", args, "disputes", list, problem);
    if (error == SETPAY_OK) {
        *result = json_pack("{s:O}", "disputes", list);
        error = *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    json_decref(list);
    return error;
}

void setpay_gateway_print_disputes(const json_t *result)
{
    const json_t *list = json_object_get(result, "disputes");
    size_t index;
    const json_t *one;
    if (json_array_size(list) == 0) {
        puts("There is no such dispute.");
        return;
    }
    printf("%6s  %-10s %-10s %-10s %20s  %-16s %-12s %s\n", "ID", "OPENED", "CLOSED", "OUTCOME",
           "AMOUNT", "REASON", "BRAND", "MERCHANT");
    json_array_foreach(list, index, one)
    {
        printf("%6lld  %-10s %-10s %-10s %20s  %-16s %-12s %s\n",
               (long long)json_integer_value(json_object_get(one, "id")),
               setpay_operator_text(one, "opened"), setpay_operator_text(one, "closed"),
               setpay_operator_text(one, "outcome"), setpay_operator_text(one, "amount_text"),
               setpay_operator_text(one, "reason"), setpay_operator_text(one, "brand"),
               setpay_operator_text(one, "merchant_id"));
    }
}

void setpay_gateway_print_dispute(const json_t *result)
{
    static const struct {
        const char *title;
        const char *member;
    } rows[] = {
        {"amount", "amount_text"}, {"reason", "reason"},        {"opened", "opened"},
        {"closed", "closed"},      {"outcome", "outcome"},      {"brand", "brand"},
        {"charge", "step"},        {"merchant", "merchant_id"}, {"payment", "xid"},
    };
    printf("%-10s %lld: %s, %lld\n", "dispute",
           (long long)json_integer_value(json_object_get(result, "id")),
           setpay_operator_text(result, "issuer"),
           (long long)json_integer_value(json_object_get(result, "number")));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf("%-10s %s\n", rows[i].title, setpay_operator_text(result, rows[i].member));
    printf("%-10s %s\n", "held back",
           json_integer_value(json_object_get(result, "settlement")) != 0
               ? "by a settlement"
               : "by the merchant's next settlement");
}
