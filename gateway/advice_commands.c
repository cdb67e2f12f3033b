/*
 * The operator's look at what was approved in an issuer's stead: what that has not answered yet,
 * and what it has refused. Those are the gateway's own risk. And the end of what can't be sent.
 *
 * An advice needs the card, and goes to the issuer in whose stead it was approved. Where the card
 * is gone from the vault or sealed under a key that the gateway has not, or the configuration has
 * no such issuer any more, it is never answered, and counts for ever in what may be unanswered. It
 * is written off by a person, with a reason, as a presentment is (presentment_commands.c).
 */
#include "gateway/commands.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/control_json.h"
#include "gateway/clearing/presentment.h"
#include "gateway/clearing/settlement.h"
#include "gateway/clearing/unsent.h"
#include "gateway/payment/stand_in.h"
#include "gateway/stuck.h"

#include <string.h>

#define LISTED 50
#define LISTED_MAX 500

#define COLUMNS                                                                                    \
    "stand_in.id, xid, stand_in.amount_minor, stand_in.currency, brand, merchant_id,"              \
    " stand_in.issuer, response_code, sent_count, stand_in.created_ms, acknowledged, reason,"      \
    " kept_card.pan, kept_card.expiry"
/* Nothing of an agreement is approved so: each has a card of its own. */
#define TABLES                                                                                     \
    " FROM stand_in JOIN payment ON payment.id = stand_in.payment_id"                              \
    " LEFT JOIN kept_card ON kept_card.payment_id = payment.id"

struct advice {
    int64_t id, sent_count;
    struct setpay_id xid;
    struct setpay_money amount;
    char brand[SETPAY_WIRE_BRAND_MAX + 1], merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char issuer[SETPAY_NETWORK_NAME_SIZE];
    setpay_time_ms created_ms;
    bool answered, has_card, opens; /* opens: or there is no vault at hand to try it with */
    bool has_issuer;
    char code[3];
    char reason[SETPAY_WRITE_OFF_REASON_SIZE];
};

static struct advice read_row(struct setpay_db_rows *rows, const struct setpay_vault *vault,
                              const json_t *args)
{
    struct advice a = {.id = setpay_db_get_int(rows, 0)};
    setpay_db_get_id(rows, 1, &a.xid);
    a.amount.minor = setpay_db_get_int(rows, 2);
    setpay_db_get_text(rows, 3, a.amount.currency, sizeof a.amount.currency);
    setpay_db_get_text(rows, 4, a.brand, sizeof a.brand);
    setpay_db_get_text(rows, 5, a.merchant_id, sizeof a.merchant_id);
    setpay_db_get_text(rows, 6, a.issuer, sizeof a.issuer);
    setpay_db_get_text(rows, 7, a.code, sizeof a.code);
    a.sent_count = setpay_db_get_int(rows, 8);
    a.created_ms = setpay_db_get_int(rows, 9);
    a.answered = setpay_db_get_bool(rows, 10);
    setpay_db_get_text(rows, 11, a.reason, sizeof a.reason);
    struct setpay_view pan = setpay_db_get_view(rows, 12);
    struct setpay_view expiry = setpay_db_get_view(rows, 13);
    a.has_card = pan.size > 0;
    a.opens = a.answered || !a.has_card || setpay_gateway_card_opens(vault, &a.xid, pan, expiry);
    a.has_issuer = setpay_gateway_issuer_is_known(args, a.issuer);
    return a;
}

static bool is_stuck(const struct advice *a)
{
    return !a->answered && !(a->has_card && a->opens && a->has_issuer);
}

static bool is_written_off(const char *code)
{
    return strcmp(code, SETPAY_STAND_IN_WRITTEN_OFF) == 0;
}

static const char *status_of(bool answered, const char *code)
{
    return !answered                           ? "waits for its issuer"
           : is_written_off(code)              ? "written off"
           : setpay_presentment_is_taken(code) ? "taken"
                                               : "refused";
}

static json_t *to_json(const struct advice *a)
{
    char hex[SETPAY_ID_TEXT_SIZE], created[SETPAY_TIME_TEXT_SIZE], text[SETPAY_MONEY_TEXT_SIZE];
    const char *status = is_stuck(a)
                             ? setpay_gateway_stuck_words(a->has_card, a->opens, a->has_issuer)
                             : status_of(a->answered, a->code);
    json_t *object = json_pack(
        "{s:I, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:b, s:s}", "advice",
        (json_int_t)a->id, "xid", setpay_id_format(&a->xid, hex), "amount",
        (json_int_t)a->amount.minor, "currency", a->amount.currency, "amount_text",
        setpay_money_format(&a->amount, text), "brand", a->brand, "merchant_id", a->merchant_id,
        "issuer", a->issuer, "response_code", a->code, "sent", (json_int_t)a->sent_count, "created",
        setpay_time_format(a->created_ms, created), "stuck", is_stuck(a), "status", status);
    if (object != NULL && is_written_off(a->code))
        json_object_set_new(object, "reason", json_string(a->reason));
    return object;
}

/* ------------------------------------------------------------------ looking */

enum setpay_error setpay_gateway_advice_list(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {"stuck", "refused", "limit", "after", "issuers", NULL};
    bool stuck = false, refused = false, whole = true;
    int64_t limit = LISTED, after = 0, last = 0;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_bool(args, "stuck", false, &stuck, problem));
    SETPAY_TRY(setpay_json_arg_bool(args, "refused", false, &refused, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "limit", false, 1, LISTED_MAX, &limit, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 1, INT64_MAX, &after, problem));
    if (stuck && refused)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "what was refused is not stuck: expected one of both");
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT " COLUMNS TABLES " WHERE stand_in.id > $1"
                                " AND acknowledged = $2"
                                " AND ($2 = 0 OR response_code NOT IN ('00', '94'))"
                                " ORDER BY stand_in.id",
                                SETPAY_DB_INT(after), SETPAY_DB_BOOL(refused)));
    json_t *list = json_array();
    while (json_array_size(list) < (size_t)limit && whole && setpay_db_next(rows)) {
        struct advice one = read_row(rows, vault, args);
        if (stuck && !is_stuck(&one))
            continue;
        last = one.id;
        whole = json_array_append_new(list, to_json(&one)) == 0 && whole;
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
                      "SELECT id, acknowledged, response_code, sent_count, reason FROM stand_in"
                      " WHERE payment_id = $1",
                      SETPAY_DB_INT(payment_id));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    char code[3], reason[SETPAY_WRITE_OFF_REASON_SIZE];
    bool answered = setpay_db_get_bool(rows, 1);
    setpay_db_get_text(rows, 2, code, sizeof code);
    setpay_db_get_text(rows, 4, reason, sizeof reason);
    json_t *shown =
        json_pack("{s:I, s:b, s:s, s:I, s:s}", "advice", (json_int_t)setpay_db_get_int(rows, 0),
                  "acknowledged", answered, "response_code", code, "sent",
                  (json_int_t)setpay_db_get_int(rows, 3), "status", status_of(answered, code));
    if (shown != NULL && is_written_off(code))
        json_object_set_new(shown, "reason", json_string(reason));
    json_object_set_new(object, "stand_in", shown);
    return setpay_db_end(rows);
}

/* ------------------------------------------------------------------ giving up */

static enum setpay_error find(struct setpay_db *db, const struct setpay_vault *vault,
                              const json_t *args, int64_t id, struct advice *found)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " COLUMNS TABLES " WHERE stand_in.id = $1",
                             SETPAY_DB_INT(id)));
    *found = read_row(rows, vault, args);
    return setpay_db_end(rows);
}

enum setpay_error setpay_gateway_advice_write_off(struct setpay_db *db, const json_t *args,
                                                  const struct setpay_vault *vault, json_t **result,
                                                  struct setpay_problem *problem)
{
    struct setpay_gateway_give_up give_up = {.what = "advice"};
    struct advice one;
    SETPAY_TRY(setpay_gateway_give_up_read(args, &give_up, problem));
    enum setpay_error error = find(db, vault, args, give_up.id, &one);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error, "there is no advice %lld", (long long)give_up.id);
    SETPAY_TRY(error);
    const struct setpay_gateway_standing standing = {.answered = one.answered,
                                                     .written_off = is_written_off(one.code),
                                                     .stuck = is_stuck(&one),
                                                     .issuer = one.issuer};
    SETPAY_TRY(setpay_gateway_give_up_check(&give_up, &standing, problem));
    SETPAY_TRY(setpay_unsent_write_off(db, SETPAY_UNSENT_ADVICE, give_up.id, setpay_clock_now_ms(),
                                       give_up.reason));
    SETPAY_TRY(find(db, vault, args, give_up.id, &one));
    *result = to_json(&one);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

void setpay_gateway_log_advice_written_off(const json_t *result)
{
    setpay_log(SETPAY_LOG_WARN, "advice.written_off",
               setpay_field_int("advice", json_integer_value(json_object_get(result, "advice"))),
               setpay_field_text("xid", json_string_value(json_object_get(result, "xid"))));
}
