/*
 * Payouts, and files for the bank, as JSON.
 */
#include "gateway/payout_json.h"

#include "common/net/control_json.h"
#include "gateway/settlement_json.h"

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, text[0] != '\0' ? json_string(text) : json_null());
}

static void set_time(json_t *object, const char *name, setpay_time_ms at_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    set_text(object, name, at_ms != 0 ? setpay_time_format(at_ms, text) : "");
}

json_t *setpay_payout_json(const struct setpay_payout *p)
{
    char token[SETPAY_ID_TEXT_SIZE], file[SETPAY_ID_TEXT_SIZE], text[SETPAY_MONEY_TEXT_SIZE];
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s}", "payout", setpay_id_format(&p->token, token),
        "state", setpay_payout_state_name(p->state), "brand", p->brand, "merchant_id",
        p->merchant_id, "day", p->day, "amount", (json_int_t)p->amount_minor, "currency",
        p->currency, "amount_text", setpay_amount_text(p->amount_minor, p->currency, text));
    if (object == NULL)
        return NULL;
    set_time(object, "made", p->made_ms);
    set_text(object, "file", p->file != 0 ? setpay_id_format(&p->file_token, file) : "");
    set_time(object, "sent", p->sent_ms);
    set_text(object, "holder", p->account.holder);
    set_text(object, "iban", p->account.iban);
    set_text(object, "bic", p->account.bic);
    set_time(object, "paid", p->paid.at_ms);
    set_text(object, "reference", p->paid.reference);
    set_text(object, "paid_date", p->paid.day);
    set_time(object, "returned", p->returned.at_ms);
    set_text(object, "return_code", p->returned.code);
    set_text(object, "return_reason", p->returned.reason);
    set_text(object, "return_reference", p->returned.reference);
    set_text(object, "return_date", p->returned.day);
    set_time(object, "set_aside", p->aside.at_ms);
    set_text(object, "set_aside_reason", p->aside.reason);
    return object;
}

json_t *setpay_payout_file_json(const struct setpay_payout_file *f)
{
    char token[SETPAY_ID_TEXT_SIZE], created[SETPAY_TIME_TEXT_SIZE], text[SETPAY_MONEY_TEXT_SIZE];
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "file",
                     setpay_id_format(&f->token, token), "currency", f->currency, "date", f->day,
                     "payouts", (json_int_t)f->count, "amount", (json_int_t)f->amount_minor,
                     "amount_text", setpay_amount_text(f->amount_minor, f->currency, text),
                     "created", setpay_time_format(f->created_ms, created));
}

json_t *setpay_payout_undone_json(const struct setpay_payout_undone *u)
{
    char told[SETPAY_TIME_TEXT_SIZE], undone[SETPAY_TIME_TEXT_SIZE];
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "word",
                               u->is_return  ? "returned"
                               : u->is_aside ? "set-aside"
                                             : "paid",
                               "told", setpay_time_format(u->word.at_ms, told), "reference",
                               u->word.reference, "date", u->word.day, "undone",
                               setpay_time_format(u->at_ms, undone), "undone_reason", u->reason);
    if (object == NULL)
        return NULL;
    set_text(object, "code", u->word.code);
    set_text(object, "reason", u->word.reason);
    return object;
}

enum setpay_error setpay_payout_read_id(const json_t *args, struct setpay_id *id,
                                        struct setpay_problem *problem)
{
    const char *text = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "id", true, &text, problem));
    if (setpay_id_parse(text, id) == SETPAY_OK)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_INVALID, "id '%.60s': expected 32 hex digits",
                              text);
}
