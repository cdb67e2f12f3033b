/*
 * The operator's look at what was approved in an issuer's stead: what that has not answered yet,
 * and what it has refused. Those are the gateway's own risk.
 */
#include "gateway/commands.h"

#include "common/base/clock.h"
#include "common/net/control_json.h"
#include "gateway/clearing/settlement.h"
#include "gateway/payment/stand_in.h"

#define LISTED 50
#define LISTED_MAX 500

static const char *status_of(bool answered, const char *code)
{
    return !answered                           ? "waits for its issuer"
           : setpay_presentment_is_taken(code) ? "taken"
                                               : "refused";
}

static json_t *row_json(struct setpay_db_rows *rows)
{
    struct setpay_id xid;
    struct setpay_money amount = {.minor = setpay_db_get_int(rows, 2)};
    char brand[SETPAY_WIRE_BRAND_MAX + 1], merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char issuer[SETPAY_NETWORK_NAME_SIZE], code[3], hex[SETPAY_ID_TEXT_SIZE];
    char created[SETPAY_TIME_TEXT_SIZE], text[SETPAY_MONEY_TEXT_SIZE];
    setpay_db_get_id(rows, 1, &xid);
    setpay_db_get_text(rows, 3, amount.currency, sizeof amount.currency);
    setpay_db_get_text(rows, 4, brand, sizeof brand);
    setpay_db_get_text(rows, 5, merchant_id, sizeof merchant_id);
    setpay_db_get_text(rows, 6, issuer, sizeof issuer);
    setpay_db_get_text(rows, 7, code, sizeof code);
    return json_pack("{s:I, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s}", "advice",
                     (json_int_t)setpay_db_get_int(rows, 0), "xid", setpay_id_format(&xid, hex),
                     "amount", (json_int_t)amount.minor, "currency", amount.currency, "amount_text",
                     setpay_money_format(&amount, text), "brand", brand, "merchant_id", merchant_id,
                     "issuer", issuer, "response_code", code, "sent",
                     (json_int_t)setpay_db_get_int(rows, 8), "created",
                     setpay_time_format(setpay_db_get_int(rows, 9), created), "status",
                     status_of(setpay_db_get_bool(rows, 10), code));
}

enum setpay_error setpay_gateway_advice_list(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {"refused", "limit", "after", NULL};
    bool refused = false, whole = true;
    int64_t limit = LISTED, after = 0, last = 0;
    struct setpay_db_rows *rows;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_bool(args, "refused", false, &refused, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "limit", false, 1, LISTED_MAX, &limit, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 1, INT64_MAX, &after, problem));
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT stand_in.id, xid, stand_in.amount_minor, stand_in.currency, brand, merchant_id,"
        " stand_in.issuer, response_code, sent_count, stand_in.created_ms, acknowledged"
        " FROM stand_in JOIN payment ON payment.id = payment_id WHERE stand_in.id > $1"
        " AND acknowledged = $2 AND ($3 = 0 OR response_code NOT IN ('00', '94'))"
        " ORDER BY stand_in.id LIMIT $4",
        SETPAY_DB_INT(after), SETPAY_DB_BOOL(refused), SETPAY_DB_BOOL(refused),
        SETPAY_DB_INT(limit)));
    json_t *list = json_array();
    while (setpay_db_next(rows)) {
        last = setpay_db_get_int(rows, 0);
        whole = json_array_append_new(list, row_json(rows)) == 0 && whole;
    }
    enum setpay_error error = setpay_db_end(rows);
    bool is_full = json_array_size(list) == (size_t)limit;
    *result = json_pack("{s:o, s:o}", "advices", list, "after",
                        is_full ? json_integer(last) : json_null());
    return error != SETPAY_OK ? error : *result != NULL && whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_show_stand_in(struct setpay_db *db, int64_t payment_id,
                                               json_t *object)
{
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      "SELECT id, acknowledged, response_code, sent_count FROM stand_in"
                      " WHERE payment_id = $1",
                      SETPAY_DB_INT(payment_id));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    char code[3];
    bool answered = setpay_db_get_bool(rows, 1);
    setpay_db_get_text(rows, 2, code, sizeof code);
    json_object_set_new(
        object, "stand_in",
        json_pack("{s:I, s:b, s:s, s:I, s:s}", "advice", (json_int_t)setpay_db_get_int(rows, 0),
                  "acknowledged", answered, "response_code", code, "sent",
                  (json_int_t)setpay_db_get_int(rows, 3), "status", status_of(answered, code)));
    return setpay_db_end(rows);
}
