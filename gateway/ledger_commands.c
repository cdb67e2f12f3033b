/*
 * The operator's look at the ledger.
 */
#include "gateway/commands.h"

#include "common/net/control_json.h"
#include "gateway/clearing/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FINDINGS_MAX 100
#define MARK_SIZE (24 + SETPAY_DIGEST_TEXT_SIZE)

/* "17:3f…" */
static const char *format_mark(const struct setpay_ledger_mark *mark, char out[MARK_SIZE])
{
    char hash[SETPAY_DIGEST_TEXT_SIZE];
    (void)snprintf(out, MARK_SIZE, "%lld:%s", (long long)mark->number,
                   setpay_digest_format(&mark->hash, hash));
    return out;
}

static enum setpay_error parse_mark(const char *text, struct setpay_ledger_mark *mark,
                                    struct setpay_problem *problem)
{
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    if (end != text && number >= 0 && *end == ':' &&
        setpay_digest_parse(end + 1, &mark->hash) == SETPAY_OK) {
        mark->number = number;
        return SETPAY_OK;
    }
    return setpay_problem_set(problem, SETPAY_E_INVALID,
                              "from '%.80s': expected NUMBER:HASH, as an earlier look has given it "
                              "as its last entry",
                              text);
}

/* The first ones in words; the rest are counted. */
static void on_finding(void *arg, const char *words)
{
    json_t *list = arg;
    if (json_array_size(list) < FINDINGS_MAX)
        json_array_append_new(list, json_string(words));
}

enum setpay_error setpay_gateway_ledger_verify(struct setpay_db *db, const json_t *args,
                                               const struct setpay_vault *vault, json_t **result,
                                               struct setpay_problem *problem)
{
    static const char *const names[] = {"from", NULL};
    struct setpay_ledger_mark from, reached;
    const char *text = NULL;
    char head[MARK_SIZE];
    size_t findings = 0;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "from", false, &text, problem));
    if (text != NULL)
        SETPAY_TRY(parse_mark(text, &from, problem));
    json_t *list = json_array();
    if (list == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = setpay_ledger_verify(db, text != NULL ? &from : NULL, on_finding,
                                                   list, &reached, &findings);
    if (error != SETPAY_OK) {
        json_decref(list);
        if (error == SETPAY_E_NOT_FOUND)
            return setpay_problem_set(problem, SETPAY_E_LEDGER,
                                      "the ledger has no entry %s: it was changed or cut", text);
        return error;
    }
    *result = json_pack("{s:b, s:I, s:s, s:I, s:o}", "ok", findings == 0, "entries",
                        (json_int_t)reached.number, "head", format_mark(&reached, head), "found",
                        (json_int_t)findings, "findings", list);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error add_balance(void *arg, enum setpay_account account, const char *brand,
                                     const char *merchant_id, const struct setpay_money *amount,
                                     bool is_credit)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    json_t *balance =
        json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s}", "account", setpay_account_name(account),
                  "brand", brand, "merchant_id", merchant_id, "amount", (json_int_t)amount->minor,
                  "currency", amount->currency, "amount_text", setpay_money_format(amount, text),
                  "side", is_credit ? "credit" : "debit");
    return json_array_append_new(arg, balance) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_ledger_balances(struct setpay_db *db, const json_t *args,
                                                 const struct setpay_vault *vault, json_t **result,
                                                 struct setpay_problem *problem)
{
    static const char *const names[] = {NULL};
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    json_t *list = json_array();
    enum setpay_error error = setpay_ledger_each_balance(db, add_balance, list);
    if (error != SETPAY_OK) {
        json_decref(list);
        return error;
    }
    *result = json_pack("{s:o}", "balances", list);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}
