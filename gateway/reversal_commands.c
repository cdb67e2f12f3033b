/*
 * The operator's look at reversals that issuers have not acknowledged yet, and the end of what
 * can't be sent.
 *
 * A reversal needs the card, and goes to the issuer that authorised. Where the card is gone from
 * the vault or sealed under a key that the gateway has not, or the configuration has no such issuer
 * any more, it is never acknowledged, and keeps the issuer's period open in which it counts. It is
 * written off by a person, with a reason, as a presentment is (presentment_commands.c).
 */
#include "gateway/commands.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/control_json.h"
#include "gateway/clearing/unsent.h"
#include "gateway/payment/stand_in.h"
#include "gateway/stuck.h"

#include <string.h>

#define LISTED 50
#define LISTED_MAX 500

#define COLUMNS                                                                                    \
    "reversal.id, xid, reversal.amount_minor, currency, brand, merchant_id, issuer, advice,"       \
    " reversal.period, reversal.created_ms, acknowledged, reversal.response_code, reason,"         \
    " kept_card.pan, kept_card.expiry, " SETPAY_STAND_IN_IS_OPEN("payment.id")
#define TABLES                                                                                     \
    " FROM reversal JOIN payment ON payment.id = reversal.payment_id"                              \
    " LEFT JOIN kept_card ON kept_card.payment_id = COALESCE(payment.first_id, payment.id)"

struct reversal {
    int64_t id, period;
    struct setpay_id xid;
    struct setpay_money amount;
    char brand[SETPAY_WIRE_BRAND_MAX + 1], merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char issuer[SETPAY_NETWORK_NAME_SIZE];
    setpay_time_ms created_ms;
    bool advice, answered, waits; /* waits: for the advice of what was approved in its stead */
    bool has_card, opens;         /* opens: or there is no vault at hand to try it with */
    bool has_issuer;
    char code[3];
    char reason[SETPAY_WRITE_OFF_REASON_SIZE];
};

static struct reversal read_row(struct setpay_db_rows *rows, const struct setpay_vault *vault,
                                const json_t *args)
{
    struct reversal r = {.id = setpay_db_get_int(rows, 0)};
    setpay_db_get_id(rows, 1, &r.xid);
    r.amount.minor = setpay_db_get_int(rows, 2);
    setpay_db_get_text(rows, 3, r.amount.currency, sizeof r.amount.currency);
    setpay_db_get_text(rows, 4, r.brand, sizeof r.brand);
    setpay_db_get_text(rows, 5, r.merchant_id, sizeof r.merchant_id);
    setpay_db_get_text(rows, 6, r.issuer, sizeof r.issuer);
    r.advice = setpay_db_get_bool(rows, 7);
    r.period = setpay_db_get_int(rows, 8);
    r.created_ms = setpay_db_get_int(rows, 9);
    r.answered = setpay_db_get_bool(rows, 10);
    setpay_db_get_text(rows, 11, r.code, sizeof r.code);
    setpay_db_get_text(rows, 12, r.reason, sizeof r.reason);
    struct setpay_view pan = setpay_db_get_view(rows, 13);
    struct setpay_view expiry = setpay_db_get_view(rows, 14);
    r.has_card = pan.size > 0;
    r.opens = r.answered || !r.has_card || setpay_gateway_card_opens(vault, &r.xid, pan, expiry);
    r.waits = setpay_db_get_bool(rows, 15);
    r.has_issuer = setpay_gateway_issuer_is_known(args, r.issuer);
    return r;
}

/* One that waits for an advice ends with that. */
static bool is_stuck(const struct reversal *r)
{
    return !r->answered && !r->waits && !(r->has_card && r->opens && r->has_issuer);
}

static bool is_written_off(const struct reversal *r)
{
    return strcmp(r->code, SETPAY_REVERSAL_WRITTEN_OFF) == 0;
}

static const char *status_of(const struct reversal *r)
{
    if (r->answered)
        return is_written_off(r) ? "written off" : "acknowledged";
    if (r->waits)
        return "waits behind the advice of its authorisation";
    return setpay_gateway_stuck_words(r->has_card, r->opens, r->has_issuer);
}

static json_t *to_json(const struct reversal *r)
{
    char hex[SETPAY_ID_TEXT_SIZE], created[SETPAY_TIME_TEXT_SIZE], text[SETPAY_MONEY_TEXT_SIZE];
    json_t *object =
        json_pack("{s:I, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:s, s:b, s:s}", "reversal",
                  (json_int_t)r->id, "xid", setpay_id_format(&r->xid, hex), "amount",
                  (json_int_t)r->amount.minor, "currency", r->amount.currency, "amount_text",
                  setpay_money_format(&r->amount, text), "brand", r->brand, "merchant_id",
                  r->merchant_id, "issuer", r->issuer, "advice", (int)r->advice, "period",
                  (json_int_t)r->period, "created", setpay_time_format(r->created_ms, created),
                  "stuck", (int)is_stuck(r), "status", status_of(r));
    if (object != NULL && is_written_off(r))
        json_object_set_new(object, "reason", json_string(r->reason));
    return object;
}

/* ------------------------------------------------------------------ looking */

enum setpay_error setpay_gateway_reversal_list(struct setpay_db *db, const json_t *args,
                                               const struct setpay_vault *vault, json_t **result,
                                               struct setpay_problem *problem)
{
    static const char *const names[] = {"stuck", "limit", "after", "issuers", NULL};
    bool stuck = false, whole = true;
    int64_t limit = LISTED, after = 0, last = 0;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_bool(args, "stuck", false, &stuck, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "limit", false, 1, LISTED_MAX, &limit, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 1, INT64_MAX, &after, problem));
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT " COLUMNS TABLES " WHERE acknowledged = 0"
                                " AND reversal.id > $1 ORDER BY reversal.id",
                                SETPAY_DB_INT(after)));
    json_t *list = json_array();
    while (json_array_size(list) < (size_t)limit && whole && setpay_db_next(rows)) {
        struct reversal one = read_row(rows, vault, args);
        if (stuck && !is_stuck(&one))
            continue;
        last = one.id;
        whole = json_array_append_new(list, to_json(&one)) == 0 && whole;
    }
    enum setpay_error error = setpay_db_end(rows);
    bool is_full = json_array_size(list) == (size_t)limit;
    *result = json_pack("{s:o, s:o}", "reversals", list, "after",
                        is_full ? json_integer(last) : json_null());
    return error != SETPAY_OK ? error : *result != NULL && whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* ------------------------------------------------------------------ giving up */

static enum setpay_error find(struct setpay_db *db, const struct setpay_vault *vault,
                              const json_t *args, int64_t id, struct reversal *found)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " COLUMNS TABLES " WHERE reversal.id = $1",
                             SETPAY_DB_INT(id)));
    *found = read_row(rows, vault, args);
    return setpay_db_end(rows);
}

enum setpay_error setpay_gateway_reversal_write_off(struct setpay_db *db, const json_t *args,
                                                    const struct setpay_vault *vault,
                                                    json_t **result, struct setpay_problem *problem)
{
    struct setpay_gateway_give_up give_up = {.what = "reversal"};
    struct reversal one;
    SETPAY_TRY(setpay_gateway_give_up_read(args, &give_up, problem));
    enum setpay_error error = find(db, vault, args, give_up.id, &one);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error, "there is no reversal %lld",
                                  (long long)give_up.id);
    SETPAY_TRY(error);
    const struct setpay_gateway_standing standing = {.answered = one.answered,
                                                     .written_off = is_written_off(&one),
                                                     .stuck = is_stuck(&one),
                                                     .issuer = one.issuer};
    SETPAY_TRY(setpay_gateway_give_up_check(&give_up, &standing, problem));
    SETPAY_TRY(setpay_unsent_write_off(db, SETPAY_UNSENT_REVERSAL, give_up.id,
                                       setpay_clock_now_ms(), give_up.reason));
    SETPAY_TRY(find(db, vault, args, give_up.id, &one));
    *result = to_json(&one);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

void setpay_gateway_log_reversal_written_off(const json_t *result)
{
    setpay_log(
        SETPAY_LOG_WARN, "reversal.written_off",
        setpay_field_int("reversal", json_integer_value(json_object_get(result, "reversal"))),
        setpay_field_text("xid", json_string_value(json_object_get(result, "xid"))));
}
