/*
 * audit.steps: what a merchant captured and credited, of all brands, page by page in the order in
 * which it was done. Amounts, ids and moments alone: no card is at hand here.
 */
#include "gateway/clearing/sql_names.h"
#include "gateway/commands.h"

#include "common/net/control_json.h"
#include "common/wire/messages.h"

#define STEPS_PAGE 2000

static json_t *step_json(struct setpay_db_rows *rows, int64_t *id)
{
    char token_text[SETPAY_ID_TEXT_SIZE], xid_text[SETPAY_ID_TEXT_SIZE];
    char brand[SETPAY_WIRE_BRAND_MAX + 1], currency[4];
    struct setpay_id token, xid;
    *id = setpay_db_get_int(rows, 0);
    setpay_db_get_id(rows, 1, &token);
    setpay_db_get_id(rows, 2, &xid);
    setpay_db_get_text(rows, 3, brand, sizeof brand);
    setpay_db_get_text(rows, 6, currency, sizeof currency);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:b, s:b, s:I, s:I, s:I}", "step",
                     setpay_id_format(&token, token_text), "xid", setpay_id_format(&xid, xid_text),
                     "brand", brand, "kind", (json_int_t)setpay_db_get_int(rows, 4), "amount",
                     (json_int_t)setpay_db_get_int(rows, 5), "currency", currency, "batch",
                     (json_int_t)setpay_db_get_int(rows, 7), "open",
                     (int)setpay_db_get_bool(rows, 8), "undone", (int)setpay_db_get_bool(rows, 9),
                     "date_ms", (json_int_t)setpay_db_get_int(rows, 10), "closed_ms",
                     (json_int_t)setpay_db_get_int(rows, 11), "undone_ms",
                     (json_int_t)setpay_db_get_int(rows, 12));
}

static enum setpay_error read_steps(struct setpay_db *db, const char *merchant_id, int64_t after,
                                    json_t *list, int64_t *last)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT step.id, step.token, payment.xid, payment.brand, step.kind, step.amount_minor,"
        " payment.currency, batch.number, batch.open, step.undone, step.created_ms,"
        " batch.closed_ms,"
        " COALESCE((SELECT MAX(undoing.created_ms) FROM step AS undoing"
        "  WHERE undoing.payment_id = step.payment_id AND undoing.of_id = step.id"
        "  AND undoing.kind IN " SETPAY_SQL_REVERSALS "), 0)" /* a capture is credited by others */
        " FROM step JOIN payment ON payment.id = step.payment_id"
        " JOIN batch ON batch.id = step.batch_id"
        " WHERE step.id > $1 AND payment.merchant_id = $2 AND step.kind IN " SETPAY_SQL_ITEMS
        " ORDER BY step.id LIMIT $3",
        SETPAY_DB_INT(after), SETPAY_DB_TEXT(merchant_id), SETPAY_DB_INT(STEPS_PAGE)));
    while (error == SETPAY_OK && setpay_db_next(rows))
        if (json_array_append_new(list, step_json(rows, last)) != 0)
            error = SETPAY_E_NOMEM;
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_gateway_audit_steps(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {"merchant_id", "after", NULL};
    const char *merchant_id = NULL;
    int64_t after = 0, last = 0;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "merchant_id", true, &merchant_id, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 0, INT64_MAX, &after, problem));
    json_t *list = json_array();
    enum setpay_error error =
        list == NULL ? SETPAY_E_NOMEM : read_steps(db, merchant_id, after, list, &last);
    if (error != SETPAY_OK) {
        json_decref(list);
        return error;
    }
    bool more = json_array_size(list) == STEPS_PAGE;
    *result = json_pack("{s:o, s:o}", "steps", list, "next_after",
                        more ? json_integer(last) : json_null());
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}
