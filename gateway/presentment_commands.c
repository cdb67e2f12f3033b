/*
 * The operator's look at what issuers have not answered yet, and the end of what can't be sent.
 *
 * A presentment needs the card, and goes to the issuer that authorised. Where the card is gone from
 * the vault or sealed under a key that the gateway has not, or the configuration has no such issuer
 * any more, nothing can be presented, however long it is tried, and the period in which it counts
 * stays open. It is written off by a person, with a reason: from then on it is as one
 * that its issuer has refused, so that its merchant is not paid for it, and its settlement posts it
 * to suspense.
 */
#include "gateway/commands.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/control_json.h"
#include "gateway/clearing/incoming.h"
#include "gateway/clearing/presentment.h"

#include "gateway/stuck.h"

#include <stdio.h>
#include <string.h>

#define LISTED 50
#define LISTED_MAX 500

#define COLUMNS                                                                                    \
    "presentment.id, kind, xid, token, step.amount_minor, currency, payment.brand,"                \
    " payment.merchant_id, payment.issuer, batch.number, presentment.period,"                      \
    " presentment.created_ms, presentment.acknowledged, presentment.response_code,"                \
    " kept_card.pan, kept_card.expiry"
#define TABLES                                                                                     \
    " FROM presentment JOIN step ON step.id = step_id"                                             \
    " JOIN payment ON payment.id = step.payment_id JOIN batch ON batch.id = presentment.batch_id"  \
    " LEFT JOIN kept_card ON kept_card.payment_id = COALESCE(payment.first_id, payment.id)"

struct presentment {
    int64_t id, kind, period;
    struct setpay_id xid, token;
    struct setpay_money amount;
    char brand[SETPAY_WIRE_BRAND_MAX + 1], merchant_id[SETPAY_WIRE_PARTY_MAX + 1], issuer[64];
    int64_t batch;
    setpay_time_ms created_ms;
    bool answered, has_card, opens; /* opens: or there is no vault at hand to try it with */
    bool has_issuer;
    char code[3];
};

static struct presentment read_row(struct setpay_db_rows *rows, const struct setpay_vault *vault,
                                   const json_t *args)
{
    struct presentment p = {.id = setpay_db_get_int(rows, 0)};
    p.kind = setpay_db_get_int(rows, 1);
    setpay_db_get_id(rows, 2, &p.xid);
    setpay_db_get_id(rows, 3, &p.token);
    p.amount.minor = setpay_db_get_int(rows, 4);
    setpay_db_get_text(rows, 5, p.amount.currency, sizeof p.amount.currency);
    setpay_db_get_text(rows, 6, p.brand, sizeof p.brand);
    setpay_db_get_text(rows, 7, p.merchant_id, sizeof p.merchant_id);
    setpay_db_get_text(rows, 8, p.issuer, sizeof p.issuer);
    p.batch = setpay_db_get_int(rows, 9);
    p.period = setpay_db_get_int(rows, 10);
    p.created_ms = setpay_db_get_int(rows, 11);
    p.answered = setpay_db_get_bool(rows, 12);
    setpay_db_get_text(rows, 13, p.code, sizeof p.code);
    struct setpay_view pan = setpay_db_get_view(rows, 14);
    struct setpay_view expiry = setpay_db_get_view(rows, 15);
    p.has_card = pan.size > 0;
    p.opens = p.answered || !p.has_card || setpay_gateway_card_opens(vault, &p.xid, pan, expiry);
    p.has_issuer = setpay_gateway_issuer_is_known(args, p.issuer);
    return p;
}

static bool is_stuck(const struct presentment *p)
{
    return !p->answered && !(p->has_card && p->opens && p->has_issuer);
}

static const char *status_of(const struct presentment *p)
{
    if (p->answered)
        return strcmp(p->code, SETPAY_PRESENTMENT_WRITTEN_OFF) == 0 ? "written off" : "answered";
    return setpay_gateway_stuck_words(p->has_card, p->opens, p->has_issuer);
}

static json_t *to_json(const struct presentment *p)
{
    char xid[SETPAY_ID_TEXT_SIZE], token[SETPAY_ID_TEXT_SIZE];
    char created[SETPAY_TIME_TEXT_SIZE], amount[SETPAY_MONEY_TEXT_SIZE];
    return json_pack("{s:I, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:b, s:s}",
                     "presentment", (json_int_t)p->id, "kind", p->kind == 1 ? "capture" : "credit",
                     "xid", setpay_id_format(&p->xid, xid), "id",
                     setpay_id_format(&p->token, token), "amount", (json_int_t)p->amount.minor,
                     "currency", p->amount.currency, "amount_text",
                     setpay_money_format(&p->amount, amount), "brand", p->brand, "merchant_id",
                     p->merchant_id, "issuer", p->issuer, "batch", (json_int_t)p->batch, "period",
                     (json_int_t)p->period, "created", setpay_time_format(p->created_ms, created),
                     "stuck", is_stuck(p), "status", status_of(p));
}

enum setpay_error setpay_gateway_presentment_list(struct setpay_db *db, const json_t *args,
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
                                "SELECT " COLUMNS TABLES
                                " WHERE presentment.acknowledged = 0 AND presentment.id > $1"
                                " ORDER BY presentment.id",
                                SETPAY_DB_INT(after)));
    json_t *list = json_array();
    while (json_array_size(list) < (size_t)limit && whole && setpay_db_next(rows)) {
        struct presentment one = read_row(rows, vault, args);
        if (stuck && !is_stuck(&one))
            continue;
        last = one.id;
        whole = json_array_append_new(list, to_json(&one)) == 0 && whole;
    }
    enum setpay_error error = setpay_db_end(rows);
    bool is_full = json_array_size(list) == (size_t)limit;
    *result = json_pack("{s:o, s:o}", "presentments", list, "after",
                        is_full ? json_integer(last) : json_null());
    return error != SETPAY_OK ? error : *result != NULL && whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error find(struct setpay_db *db, const struct setpay_vault *vault,
                              const json_t *args, int64_t id, struct presentment *found)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " COLUMNS TABLES " WHERE presentment.id = $1",
                             SETPAY_DB_INT(id)));
    *found = read_row(rows, vault, args);
    return setpay_db_end(rows);
}

enum setpay_error setpay_gateway_presentment_write_off(struct setpay_db *db, const json_t *args,
                                                       const struct setpay_vault *vault,
                                                       json_t **result,
                                                       struct setpay_problem *problem)
{
    struct setpay_gateway_give_up give_up = {.what = "presentment"};
    struct presentment one;
    SETPAY_TRY(setpay_gateway_give_up_read(args, &give_up, problem));
    enum setpay_error error = find(db, vault, args, give_up.id, &one);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error, "there is no presentment %lld",
                                  (long long)give_up.id);
    SETPAY_TRY(error);
    const struct setpay_gateway_standing standing = {
        .answered = one.answered,
        .written_off = strcmp(one.code, SETPAY_PRESENTMENT_WRITTEN_OFF) == 0,
        .stuck = is_stuck(&one),
        .issuer = one.issuer};
    SETPAY_TRY(setpay_gateway_give_up_check(&give_up, &standing, problem));
    SETPAY_TRY(setpay_write_off(db, give_up.id, setpay_clock_now_ms(), give_up.reason));
    SETPAY_TRY(find(db, vault, args, give_up.id, &one));
    *result = to_json(&one);
    return *result != NULL &&
                   json_object_set_new(*result, "reason", json_string(give_up.reason)) == 0
               ? SETPAY_OK
               : SETPAY_E_NOMEM;
}

void setpay_gateway_log_written_off(const json_t *result)
{
    setpay_log(
        SETPAY_LOG_WARN, "presentment.written_off",
        setpay_field_int("presentment", json_integer_value(json_object_get(result, "presentment"))),
        setpay_field_text("step", json_string_value(json_object_get(result, "id"))));
}
