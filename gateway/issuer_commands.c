/*
 * The operator's look at the issuers, and the cut-off by hand.
 */
#include "gateway/commands.h"

#include "common/base/clock.h"
#include "common/net/control_json.h"
#include "gateway/clearing/reconciliation.h"

#include <string.h>

#define SHOWN 8 /* reconciliations of each issuer */

static void set_text(json_t *object, const char *name, const char *currency, int64_t minor)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    struct setpay_money amount = {.minor = minor};
    memcpy(amount.currency, currency, sizeof amount.currency);
    json_object_set_new(object, name, json_string(setpay_money_format(&amount, text)));
}

static json_t *totals_json(const struct setpay_network_totals *totals, const char *currency)
{
    int64_t net = setpay_network_totals_net(totals);
    json_t *object =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "debit_count",
                  (json_int_t)totals->debit_count, "debit_minor", (json_int_t)totals->debit_minor,
                  "credit_count", (json_int_t)totals->credit_count, "credit_minor",
                  (json_int_t)totals->credit_minor, "debit_reversal_count",
                  (json_int_t)totals->debit_reversal_count, "debit_reversal_minor",
                  (json_int_t)totals->debit_reversal_minor, "credit_reversal_count",
                  (json_int_t)totals->credit_reversal_count, "credit_reversal_minor",
                  (json_int_t)totals->credit_reversal_minor, "net_minor", (json_int_t)net);
    set_text(object, "debit_text", currency, totals->debit_minor);
    set_text(object, "credit_text", currency, totals->credit_minor);
    set_text(object, "debit_reversal_text", currency, totals->debit_reversal_minor);
    set_text(object, "net_text", currency, net < 0 ? -net : net);
    return object;
}

static enum setpay_error add_reconciliation(void *arg, const struct setpay_reconciliation *row)
{
    char ended[SETPAY_TIME_TEXT_SIZE];
    json_t *object =
        json_pack("{s:I, s:s, s:s, s:s, s:s, s:o}", "period", (json_int_t)row->period, "currency",
                  row->currency, "ended", setpay_time_format(row->cut_ms, ended), "result",
                  setpay_reconciliation_result_name(row->result), "response_code",
                  row->response_code, "ours", totals_json(&row->ours, row->currency));
    if (row->result == SETPAY_RECONCILIATION_IN_BALANCE ||
        row->result == SETPAY_RECONCILIATION_OUT_OF_BALANCE)
        json_object_set_new(object, "theirs", totals_json(&row->theirs, row->currency));
    return json_array_append_new(arg, object) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* One number of this issuer. */
static enum setpay_error count(struct setpay_db *db, const char *sql, const char *issuer,
                               int64_t *number)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, sql, SETPAY_DB_TEXT(issuer)));
    *number = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static enum setpay_error describe(struct setpay_db *db, const char *issuer, json_t *object)
{
    int64_t advices, refused, reversals, presentments, period, since_ms, waiting;
    char since[SETPAY_TIME_TEXT_SIZE];
    SETPAY_TRY(count(db, "SELECT COUNT(*) FROM stand_in WHERE issuer = $1 AND acknowledged = 0",
                     issuer, &advices));
    SETPAY_TRY(count(db,
                     "SELECT COUNT(*) FROM stand_in WHERE issuer = $1 AND acknowledged = 1"
                     " AND response_code NOT IN ('00', '94')",
                     issuer, &refused));
    SETPAY_TRY(count(db,
                     "SELECT COUNT(*) FROM reversal JOIN payment ON payment.id = payment_id"
                     " WHERE acknowledged = 0 AND issuer = $1",
                     issuer, &reversals));
    SETPAY_TRY(count(db,
                     "SELECT COUNT(*) FROM presentment JOIN step ON step.id = step_id"
                     " JOIN payment ON payment.id = step.payment_id"
                     " WHERE acknowledged = 0 AND issuer = $1",
                     issuer, &presentments));
    SETPAY_TRY(setpay_reconciliation_period(db, issuer, &period));
    SETPAY_TRY(count(db,
                     "SELECT MAX(cut_ms) FROM reconciliation_cut WHERE issuer = $1 AND period ="
                     " (SELECT MAX(period) FROM reconciliation_cut WHERE issuer = $1)",
                     issuer, &since_ms));
    SETPAY_TRY(count(db,
                     "SELECT COUNT(*) FROM reconciliation_cut WHERE issuer = $1 AND totalled = 0",
                     issuer, &waiting));
    json_t *list = json_array();
    json_object_set_new(object, "issuer", json_string(issuer));
    json_object_set_new(object, "line", json_string("the daemon does not run"));
    json_object_set_new(object, "advices_open", json_integer(advices));
    json_object_set_new(object, "advices_refused", json_integer(refused));
    json_object_set_new(object, "reversals_open", json_integer(reversals));
    json_object_set_new(object, "presentments_open", json_integer(presentments));
    json_object_set_new(object, "period", json_integer(period));
    json_object_set_new(object, "since", json_string(setpay_time_format(since_ms, since)));
    json_object_set_new(object, "periods_waiting", json_integer(waiting));
    json_object_set_new(object, "reconciliations", list);
    return setpay_reconciliation_each_newest(db, issuer, SHOWN, add_reconciliation, list);
}

/* All whose name is this (NULL: any), each once. */
static enum setpay_error issuer_names(struct setpay_db *db, const char *name, json_t *names)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT DISTINCT issuer FROM reconciliation_cut ORDER BY issuer"));
    while (setpay_db_next(rows)) {
        char issuer[SETPAY_NETWORK_NAME_SIZE];
        setpay_db_get_text(rows, 0, issuer, sizeof issuer);
        if (name == NULL || strcmp(name, issuer) == 0)
            json_array_append_new(names, json_string(issuer));
    }
    return setpay_db_end(rows);
}

enum setpay_error setpay_gateway_issuer_list(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {NULL};
    size_t index;
    const json_t *name;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    json_t *issuers = json_array();
    json_t *list = json_array();
    enum setpay_error error = issuer_names(db, NULL, issuers);
    json_array_foreach(issuers, index, name)
    {
        json_t *object = json_object();
        json_array_append_new(list, object);
        if (error == SETPAY_OK)
            error = describe(db, json_string_value(name), object);
    }
    json_decref(issuers);
    if (error != SETPAY_OK) {
        json_decref(list);
        return error;
    }
    *result = json_pack("{s:o}", "issuers", list);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

static void set_line(void *arg, const char *name, bool is_up)
{
    size_t index;
    json_t *issuer;
    json_array_foreach((json_t *)arg, index, issuer)
    {
        if (strcmp(json_string_value(json_object_get(issuer, "issuer")), name) == 0)
            json_object_set_new(issuer, "line", json_string(is_up ? "signed on" : "down"));
    }
}

void setpay_gateway_issuer_add_lines(struct setpay_network *network, json_t *result)
{
    json_t *list = json_object_get(result, "issuers");
    size_t index;
    json_t *issuer;
    json_array_foreach(list, index, issuer)
    {
        json_object_set_new(issuer, "line", json_string("not configured any more"));
    }
    if (network != NULL)
        setpay_network_each_route(network, set_line, list);
}

/* Whose outcome a cut-off is to be told: what it has ended, and what had ended and waits. */
struct cutting {
    json_t *list;
    int64_t before; /* the last period that had ended before */
};

static enum setpay_error add_ended(void *arg, const char *issuer, int64_t period)
{
    const struct cutting *cutting = arg;
    json_t *object = json_pack("{s:s, s:I, s:b}", "issuer", issuer, "period", (json_int_t)period,
                               "earlier", period <= cutting->before);
    return json_array_append_new(cutting->list, object) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error cut_off(struct setpay_db *db, const char *issuer, json_t *list)
{
    struct cutting cutting = {.list = list};
    SETPAY_TRY(setpay_reconciliation_cut(db, issuer, setpay_clock_now_ms(), &cutting.before));
    return setpay_reconciliation_each_waiting(db, issuer, add_ended, &cutting);
}

enum setpay_error setpay_gateway_issuer_cutoff(struct setpay_db *db, const json_t *args,
                                               const struct setpay_vault *vault, json_t **result,
                                               struct setpay_problem *problem)
{
    static const char *const names[] = {"issuer", NULL};
    const char *issuer = NULL;
    size_t index;
    const json_t *name;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "issuer", false, &issuer, problem));
    json_t *issuers = json_array();
    json_t *list = json_array();
    enum setpay_error error = issuer_names(db, issuer, issuers);
    if (error == SETPAY_OK && json_array_size(issuers) == 0)
        error = setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                                   "there is no issuer %.64s: see issuer list",
                                   issuer == NULL ? "yet" : issuer);
    json_array_foreach(issuers, index, name)
    {
        if (error == SETPAY_OK)
            error = cut_off(db, json_string_value(name), list);
    }
    json_decref(issuers);
    if (error != SETPAY_OK) {
        json_decref(list);
        return error;
    }
    *result = json_pack("{s:o}", "cut", list);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_issuer_period(struct setpay_db *db, const json_t *args,
                                               const struct setpay_vault *vault, json_t **result,
                                               struct setpay_problem *problem)
{
    static const char *const names[] = {"issuer", "period", NULL};
    const char *issuer = NULL;
    int64_t period = 0;
    bool totalled = false;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "issuer", true, &issuer, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "period", true, 0, INT64_MAX, &period, problem));
    json_t *list = json_array();
    enum setpay_error error =
        setpay_reconciliation_of_period(db, issuer, period, &totalled, add_reconciliation, list);
    if (error == SETPAY_E_NOT_FOUND)
        error = setpay_problem_set(problem, error, "no period %lld of the issuer %.64s has ended",
                                   (long long)period, issuer);
    if (error != SETPAY_OK) {
        json_decref(list);
        return error;
    }
    /* On a stopped daemon's database nobody asks the issuer (setpay_gateway_issuer_set_running). */
    *result = json_pack("{s:s, s:I, s:b, s:b, s:o}", "issuer", issuer, "period", (json_int_t)period,
                        "totalled", (int)totalled, "running", 0, "reconciliations", list);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

void setpay_gateway_issuer_set_running(json_t *result)
{
    json_object_set_new(result, "running", json_true());
}
