/*
 * An agreement as operators see it.
 */
#include "gateway/agreement_view.h"

#include "common/wire/agreement.h"

static void set_time(json_t *object, const char *name, setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    json_object_set_new(
        object, name, time_ms != 0 ? json_string(setpay_time_format(time_ms, text)) : json_null());
}

enum setpay_error setpay_gateway_show_agreement(struct setpay_db *db,
                                                const struct setpay_payment *payment,
                                                json_t *object)
{
    static const char *const kinds[] = {NULL, "single", "split", "instalment", "recurring"};
    const struct setpay_terms *terms = &payment->terms;
    struct setpay_db_rows *rows;
    if (!setpay_terms_go_on(terms))
        return SETPAY_OK;
    json_t *list = json_array();
    json_t *agreement =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "kind", kinds[terms->kind], "amount",
                  (json_int_t)payment->signed_minor, "count", (json_int_t)terms->count,
                  "interval_days", (json_int_t)terms->interval_days, "each",
                  (json_int_t)terms->each_minor, "authorisations", list);
    if (agreement == NULL)
        return SETPAY_E_NOMEM;
    set_time(agreement, "end", terms->end_ms);
    set_time(agreement, "cancelled", payment->cancelled_ms);
    json_object_set_new(object, "agreement", agreement);
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT number, state, amount_minor, approved_minor,"
                                " reversed_minor, captured_minor, action_code, created_ms"
                                " FROM payment WHERE id = $1 OR first_id = $2 ORDER BY number",
                                SETPAY_DB_INT(payment->id), SETPAY_DB_INT(payment->id)));
    while (setpay_db_next(rows)) {
        char code[3];
        setpay_db_get_text(rows, 6, code, sizeof code);
        json_t *entry = json_pack(
            "{s:I, s:s, s:I, s:I, s:I, s:I, s:s}", "number", (json_int_t)setpay_db_get_int(rows, 0),
            "status",
            setpay_payment_state_name((enum setpay_payment_state)setpay_db_get_int(rows, 1)),
            "amount", (json_int_t)setpay_db_get_int(rows, 2), "approved",
            (json_int_t)setpay_db_get_int(rows, 3), "reversed",
            (json_int_t)setpay_db_get_int(rows, 4), "captured",
            (json_int_t)setpay_db_get_int(rows, 5), "action_code", code);
        set_time(entry, "created", setpay_db_get_int(rows, 7));
        json_array_append_new(list, entry);
    }
    return setpay_db_end(rows);
}
