/*
 * audit: payments page by page, batches likewise, then the ledger, then presentments and accounts,
 * then the files of others (audit_files.h). What is verified here takes no thread of the daemon,
 * which gives out rows only.
 */
#include "gateway/audit.h"

#include "common/base/noun.h"
#include "common/crypto/base64.h"
#include "common/net/identity.h"
#include "gateway/audit_files.h"
#include "gateway/books_cli.h"

#include <stdarg.h>
#include <stdio.h>

#define FINDINGS_MAX 1000 /* in words; the rest are counted */

void setpay_audit_find(struct setpay_audit *audit, const char *about, const char *format, ...)
{
    char words[800];
    int size = about == NULL ? 0 : snprintf(words, sizeof words, "payment %.40s: ", about);
    va_list list;
    va_start(list, format);
    (void)vsnprintf(words + size, sizeof words - (size_t)size, format, list);
    va_end(list);
    audit->found++;
    if (json_array_size(audit->findings) < FINDINGS_MAX)
        json_array_append_new(audit->findings, json_string(words));
}

/* ------------------------------------------------------------------ whom to believe */

/* The root and the CAs of the configuration's files. */
static enum setpay_error load_trust(struct setpay_audit *audit, struct setpay_problem *problem)
{
    struct setpay_crl_load load;
    const char *folder = setpay_config_text(audit->config, "", "crls");
    SETPAY_TRY(
        setpay_trust_load(setpay_config_text(audit->config, "", "root"), &audit->trust, problem));
    if (folder == NULL ||
        setpay_trust_load_folder(audit->trust, folder, audit->now_ms, &load) == SETPAY_OK)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_IO, "crls: the folder %s can't be read", folder);
}

/* Those that the daemon has learned: each proves itself under the root. */
static void learn_authorities(struct setpay_audit *audit, const json_t *list)
{
    for (int pass = 0; pass < 2; pass++) { /* an issuing CA may stand before its brand's */
        size_t index;
        const json_t *one;
        json_array_foreach(list, index, one)
        {
            const json_t *text = json_object_get(one, "certificate");
            struct setpay_secret der = {0};
            if (setpay_base64_decode(
                    setpay_view_of(json_string_value(text), json_string_length(text)),
                    SETPAY_LIMIT_CERTIFICATE_BYTES, &der) == SETPAY_OK) {
                struct setpay_view view = setpay_secret_view(&der);
                (void)setpay_trust_learn(audit->trust, &view, 1, NULL, 0, audit->now_ms);
            }
            setpay_secret_clear(&der);
        }
    }
}

/* ------------------------------------------------------------------ the parts */

typedef enum setpay_error audit_one_fn(struct setpay_audit *audit, const json_t *one);

/* Each member of the list that a command gives page by page. */
static enum setpay_error audit_pages(struct setpay_audit *audit,
                                     struct setpay_operator_asker *asker, const char *command,
                                     const char *list, audit_one_fn *each,
                                     struct setpay_problem *problem)
{
    json_int_t after = 0;
    do {
        json_t *page = NULL;
        size_t index;
        const json_t *one;
        enum setpay_error error = SETPAY_OK;
        SETPAY_TRY(setpay_operator_ask(asker, command, json_pack("{s:I}", "after", after), &page,
                                       problem));
        learn_authorities(audit, json_object_get(page, "authorities"));
        json_array_foreach(json_object_get(page, list), index, one)
        {
            if (error == SETPAY_OK)
                error = each(audit, one);
        }
        after = json_integer_value(json_object_get(page, "next_after"));
        json_decref(page);
        SETPAY_TRY(error);
    } while (after != 0);
    return SETPAY_OK;
}

/* The findings of another look: its words, and the rest as a number. */
static void take_findings(struct setpay_audit *audit, const json_t *result)
{
    size_t index;
    const json_t *words;
    const json_t *list = json_object_get(result, "findings");
    json_array_foreach(list, index, words)
    {
        setpay_audit_find(audit, NULL, "%s", json_string_value(words));
    }
    audit->found +=
        (size_t)json_integer_value(json_object_get(result, "found")) - json_array_size(list);
}

static enum setpay_error audit_books(struct setpay_audit *audit,
                                     struct setpay_operator_asker *asker, json_t **ledger,
                                     struct setpay_problem *problem)
{
    json_t *rest = NULL;
    SETPAY_TRY(setpay_operator_ask(asker, "ledger.verify", json_object(), ledger, problem));
    take_findings(audit, *ledger);
    SETPAY_TRY(setpay_operator_ask(asker, "audit.clearing", json_object(), &rest, problem));
    take_findings(audit, rest);
    json_decref(rest);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ the whole */

static enum setpay_error make_result(const struct setpay_audit *audit, const json_t *ledger,
                                     const struct setpay_audit_files *files, json_t **result)
{
    *result = json_pack(
        "{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:o, s:I, s:O}", "ok", (int)(audit->found == 0),
        "payments", (json_int_t)audit->payments, "receipts", (json_int_t)audit->receipts, "steps",
        (json_int_t)audit->steps, "closed_batches", (json_int_t)audit->closed, "signed_batches",
        (json_int_t)audit->signed_closes, "entries",
        json_integer_value(json_object_get(ledger, "entries")), "head",
        json_string_value(json_object_get(ledger, "head")), "files", setpay_audit_files_json(files),
        "found", (json_int_t)audit->found, "findings", audit->findings);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_books_audit(struct setpay_operator_asker *asker,
                                     const struct setpay_config *config, const json_t *args,
                                     json_t **result, struct setpay_problem *problem)
{
    struct setpay_audit audit = {.config = config, .now_ms = setpay_clock_now_ms()};
    struct setpay_audit_files files = {.audit = &audit, .asker = asker};
    json_t *ledger = NULL;
    audit.findings = json_array();
    enum setpay_error error = setpay_audit_files_read(args, &files, problem);
    if (error == SETPAY_OK)
        error = load_trust(&audit, problem);
    if (error == SETPAY_OK)
        error =
            audit_pages(&audit, asker, "audit.payments", "payments", setpay_audit_payment, problem);
    if (error == SETPAY_OK)
        error = audit_pages(&audit, asker, "audit.batches", "batches", setpay_audit_batch, problem);
    if (error == SETPAY_OK)
        error = audit_books(&audit, asker, &ledger, problem);
    if (error == SETPAY_OK)
        error = setpay_audit_files_compare(&files, problem);
    if (error == SETPAY_OK)
        error = make_result(&audit, ledger, &files, result);
    setpay_audit_files_clear(&files);
    json_decref(ledger);
    json_decref(audit.findings);
    setpay_audit_forget_believed(&audit);
    setpay_trust_free(audit.trust);
    return error != SETPAY_OK ? error
                              : setpay_books_verdict((int64_t)audit.found, "finding", problem);
}

static long long int_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static void print_closed(long long closed, long long by_request)
{
    if (closed == 0)
        return;
    printf("%lld closed %s, %lld by a request of its merchant's that is kept\n", closed,
           setpay_noun(closed, "batch", "batches"), by_request);
    if (by_request < closed)
        printf("%lld closed %s without: before requests were kept, or in the merchant's place\n",
               closed - by_request, setpay_noun(closed - by_request, "batch", "batches"));
}

/* Whose totals the gateway's signature proves, and of which there is none. */
static void print_proven(const json_t *file)
{
    long long proven = int_of(file, "signed_batches"), others = int_of(file, "unsigned_batches");
    if (proven != 0)
        printf("%s: %lld closed %s with the totals that the gateway has signed\n",
               setpay_operator_text(file, "file"), proven, setpay_noun(proven, "batch", "batches"));
    if (others != 0)
        printf("%s: %lld closed %s without the gateway's signed totals: before such answers were "
               "kept\n",
               setpay_operator_text(file, "file"), others, setpay_noun(others, "batch", "batches"));
}

void setpay_books_print_audited(const json_t *result)
{
    size_t index;
    const json_t *words, *file;
    json_array_foreach(json_object_get(result, "findings"), index, words)
    {
        printf("%s\n", json_string_value(words));
    }
    json_array_foreach(json_object_get(result, "files"), index, file)
    {
        printf("%s, of %s: %lld %s, %lld %s, %lld %s\n", setpay_operator_text(file, "file"),
               setpay_operator_text(file, "of"), int_of(file, "items"),
               setpay_noun(int_of(file, "items"), "item", "items"), int_of(file, "agree"),
               setpay_noun(int_of(file, "agree"), "agrees", "agree"), int_of(file, "found"),
               setpay_noun(int_of(file, "found"), "finding", "findings"));
        print_proven(file);
        if (int_of(file, "elsewhere") != 0)
            printf("%s: %lld %s in it and must be in a file of days before it, which is not "
                   "here\n",
                   setpay_operator_text(file, "file"), int_of(file, "elsewhere"),
                   setpay_noun(int_of(file, "elsewhere"), "item is not", "items are not"));
    }
    print_closed(int_of(result, "closed_batches"), int_of(result, "signed_batches"));
    printf(
        "%lld %s, %lld %s, %lld %s, %lld ledger %s: %lld %s; the last entry is %s\n",
        int_of(result, "payments"), setpay_noun(int_of(result, "payments"), "payment", "payments"),
        int_of(result, "receipts"), setpay_noun(int_of(result, "receipts"), "receipt", "receipts"),
        int_of(result, "steps"), setpay_noun(int_of(result, "steps"), "step", "steps"),
        int_of(result, "entries"), setpay_noun(int_of(result, "entries"), "entry", "entries"),
        int_of(result, "found"), setpay_noun(int_of(result, "found"), "finding", "findings"),
        setpay_operator_text(result, "head"));
}
