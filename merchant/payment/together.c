#include "merchant/payment/together.h"

#include <string.h>

/* Its turn has come where no older step of its purchase is asked for, and none that goes first. */
#define IS_NEXT                                                                                    \
    " step.kind = 1 AND step.state = 1"                                                            \
    " AND NOT EXISTS (SELECT 1 FROM gateway_request WHERE step_id = step.id)"                      \
    " AND NOT EXISTS (SELECT 1 FROM step other WHERE other.purchase_id = step.purchase_id"         \
    " AND other.state = 1 AND other.id <> step.id AND (other.id < step.id OR other.urgent = 1))"

static struct setpay_merchant_member read_member(struct setpay_db_rows *rows)
{
    struct setpay_merchant_member member = {.step_id = setpay_db_get_int(rows, 0)};
    member.purchase_id = setpay_db_get_int(rows, 1);
    setpay_db_get_id(rows, 2, &member.step.xid);
    setpay_db_get_id(rows, 3, &member.step.of);
    member.step.amount.minor = setpay_db_get_int(rows, 4);
    setpay_db_get_text(rows, 5, member.step.amount.currency, sizeof member.step.amount.currency);
    return member;
}

enum setpay_error setpay_merchant_together_find(struct setpay_db *db,
                                                const struct setpay_merchant_purchase *purchase,
                                                const struct setpay_merchant_step *step,
                                                struct setpay_merchant_together *together)
{
    struct setpay_db_rows *rows;
    bool is_there = false;
    together->count = 0;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT step.id, step.purchase_id, xid, COALESCE(approval.token, cap_token),"
        " step.amount_minor, currency FROM step JOIN purchase ON purchase.id = step.purchase_id"
        " LEFT JOIN step approval ON approval.id = step.of_id"
        " WHERE step.together = $1 AND step.together <> 0 AND brand = $2 AND gateway_sign = $3 AND "
        "merchant = $4"
        " AND purchase.state = $5 AND" IS_NEXT " ORDER BY step.id LIMIT $6",
        SETPAY_DB_INT(step->together), SETPAY_DB_TEXT(purchase->brand),
        SETPAY_DB_DIGEST(&purchase->gateway_sign), SETPAY_DB_DIGEST(&purchase->merchant),
        SETPAY_DB_INT(SETPAY_PURCHASE_STEPPING), SETPAY_DB_INT(SETPAY_LIMIT_STEPS)));
    while (setpay_db_next(rows)) {
        together->list[together->count] = read_member(rows);
        is_there = is_there || together->list[together->count].step_id == step->id;
        together->count++;
    }
    SETPAY_TRY(setpay_db_end(rows));
    return is_there ? SETPAY_OK : SETPAY_E_CONFLICT;
}

enum setpay_error setpay_merchant_together_keep(struct setpay_db *db,
                                                const struct setpay_merchant_together *together,
                                                const struct setpay_merchant_ask *ask)
{
    for (size_t i = 0; i < together->count; i++) {
        struct setpay_merchant_ask one = *ask; /* its content is borrowed */
        struct setpay_db_rows *rows;
        one.step_id = together->list[i].step_id;
        SETPAY_TRY(setpay_db_one(db, &rows,
                                 "SELECT COUNT(*) FROM step WHERE step.id = $1 AND" IS_NEXT,
                                 SETPAY_DB_INT(one.step_id)));
        bool stands = setpay_db_get_int(rows, 0) == 1;
        SETPAY_TRY(setpay_db_end(rows));
        if (!stands)
            return SETPAY_E_CONFLICT;
        SETPAY_TRY(setpay_merchant_ask_insert(db, together->list[i].purchase_id, &one));
    }
    return SETPAY_OK;
}

static enum setpay_error count_asked(const struct setpay_merchant_ask *ask, size_t *count)
{
    struct setpay_step_req request;
    SETPAY_TRY(setpay_step_req_parse(setpay_buffer_view(&ask->content), &request));
    *count = request.step_count;
    setpay_step_req_clear(&request);
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_together_pick(const struct setpay_merchant_ask *ask,
                                                const struct setpay_id *xid,
                                                struct setpay_step_res *answer)
{
    size_t asked = 0, done = 0, refused = 0;
    SETPAY_TRY(count_asked(ask, &asked));
    if (answer->done_count + answer->refused_count != asked)
        return SETPAY_E_AUTH_MISMATCH;
    for (size_t i = 0; i < answer->done_count; i++) {
        if (setpay_id_equal(&answer->done[i].xid, xid))
            answer->done[done++] = answer->done[i];
    }
    for (size_t i = 0; i < answer->refused_count; i++) {
        if (setpay_id_equal(&answer->refused[i].xid, xid))
            answer->refused[refused++] = answer->refused[i];
    }
    answer->done_count = done;
    answer->refused_count = refused;
    return done + refused == 1 ? SETPAY_OK : SETPAY_E_AUTH_MISMATCH;
}
