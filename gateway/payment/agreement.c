/*
 * Agreements: the rows of one instruction added up, and what may follow them.
 *
 * What was declined does not count, and does not end the agreement; but an issuer that has said no
 * is not asked again within a day, nor more than fifteen times in thirty, and one that has said
 * never is not asked again at all. An authorisation that the issuer was never asked for, or has not
 * answered, is not the issuer's no: it counts towards the fifteen, and may be tried again at once.
 */
#include "gateway/payment/agreement.h"

#include <string.h>

/* Field 39: the account is gone, or its holder has stopped such payments. */
#define CODES_NEVER "'04','07','14','41','43','46','R0','R1','R3'"
/* Ours, where no issuer has said anything. */
#define CODES_UNHEARD "'91','96'"

static enum setpay_error add_up(struct setpay_db *db, setpay_time_ms now_ms,
                                struct setpay_gateway_agreement *agreement)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT SUM(CASE WHEN approved_minor > 0 THEN 1 ELSE 0 END),"
        " SUM(approved_minor - reversed_minor),"
        " COALESCE(MAX(CASE WHEN approved_minor > 0 THEN decided_ms END), 0),"
        " MAX(number), SUM(CASE WHEN state = $1 THEN 1 ELSE 0 END),"
        " SUM(CASE WHEN state = $2 AND action_code IN (" CODES_NEVER ") THEN 1 ELSE 0 END),"
        " SUM(CASE WHEN state = $3 AND decided_ms > $4 THEN 1 ELSE 0 END),"
        " COALESCE(MAX(CASE WHEN state = $5 AND action_code NOT IN (" CODES_UNHEARD ")"
        " THEN decided_ms END), 0), SUM(release_open)"
        " FROM payment WHERE id = $6 OR first_id = $7",
        SETPAY_DB_INT(SETPAY_PAYMENT_ASKING), SETPAY_DB_INT(SETPAY_PAYMENT_DECLINED),
        SETPAY_DB_INT(SETPAY_PAYMENT_DECLINED),
        SETPAY_DB_INT(now_ms - SETPAY_AGREEMENT_DECLINES_MS),
        SETPAY_DB_INT(SETPAY_PAYMENT_DECLINED), SETPAY_DB_INT(agreement->first.id),
        SETPAY_DB_INT(agreement->first.id)));
    agreement->taken.count = (uint32_t)setpay_db_get_int(rows, 0);
    agreement->taken.minor = setpay_db_get_int(rows, 1);
    agreement->taken.last_ms = setpay_db_get_int(rows, 2);
    agreement->numbers = (uint32_t)setpay_db_get_int(rows, 3);
    agreement->asking = setpay_db_get_int(rows, 4) > 0;
    agreement->refused = setpay_db_get_int(rows, 5) > 0;
    agreement->declines = (uint32_t)setpay_db_get_int(rows, 6);
    agreement->last_declined_ms = setpay_db_get_int(rows, 7);
    agreement->owes = setpay_db_get_int(rows, 8) > 0;
    agreement->taken.cancelled = agreement->first.cancelled_ms != 0;
    return setpay_db_end(rows);
}

int64_t setpay_payment_first(const struct setpay_payment *payment)
{
    return payment->first_id != 0 ? payment->first_id : payment->id;
}

enum setpay_error setpay_gateway_agreement_find(struct setpay_db *db, const char *brand,
                                                const char *merchant_id,
                                                const struct setpay_id *xid, setpay_time_ms now_ms,
                                                struct setpay_gateway_agreement *agreement)
{
    struct setpay_gateway_agreement found = {.numbers = 0};
    SETPAY_TRY(setpay_payment_find(db, brand, merchant_id, xid, &found.first));
    SETPAY_TRY(add_up(db, now_ms, &found));
    *agreement = found;
    return SETPAY_OK;
}

struct setpay_agreement_taken
setpay_gateway_agreement_taken_with(const struct setpay_agreement_taken *taken,
                                    const struct setpay_payment *approved)
{
    struct setpay_agreement_taken with = *taken;
    with.count++;
    with.minor += approved->approved_minor;
    with.last_ms = approved->decided_ms;
    return with;
}

/* Rule G4: the request repeats what the first one said, and the first was held against PI. */
static bool is_of(const struct setpay_auth_req *request, const struct setpay_payment *first)
{
    return setpay_digest_equal(&request->pimd, &first->pimd) &&
           setpay_digest_equal(&request->cardholder, &first->cardholder) &&
           setpay_digest_equal(&request->gateway_encrypt, &first->gateway_encrypt) &&
           request->expiry_ms == first->expiry_ms &&
           setpay_terms_equal(&request->terms, &first->terms) &&
           setpay_money_same_currency(&request->amount, &first->amount);
}

/* Rule G6: how often it may be tried. */
static enum setpay_error check_tries(const struct setpay_gateway_agreement *agreement,
                                     setpay_time_ms now_ms)
{
    bool pauses = agreement->last_declined_ms != 0 &&
                  now_ms < agreement->last_declined_ms + SETPAY_AGREEMENT_PAUSE_MS;
    if (agreement->refused)
        return SETPAY_E_AGREEMENT_OVER;
    return pauses || agreement->declines >= SETPAY_AGREEMENT_DECLINES_MAX ? SETPAY_E_TRIED_ENOUGH
                                                                          : SETPAY_OK;
}

enum setpay_error
setpay_gateway_agreement_check_token(const struct setpay_gateway_agreement *agreement,
                                     const struct setpay_id *auth_token)
{
    const struct setpay_payment *first = &agreement->first;
    /* Who was never given one (declined, voided, single) can't have it. */
    return first->has_auth_token && agreement->taken.count > 0 &&
                   setpay_view_equal_secret(setpay_id_view(&first->auth_token),
                                            setpay_id_view(auth_token))
               ? SETPAY_OK
               : SETPAY_E_TOKEN; /* rule G9 */
}

enum setpay_error setpay_gateway_agreement_decide(const struct setpay_gateway_agreement *agreement,
                                                  const struct setpay_auth_req *request,
                                                  setpay_time_ms restored_ms, int64_t keep_card_ms,
                                                  setpay_time_ms now_ms)
{
    const struct setpay_payment *first = &agreement->first;
    const struct setpay_money amount = {.minor = first->signed_minor};
    if (!is_of(request, first))
        return SETPAY_E_PI_MISMATCH; /* rule G4 */
    if (restored_ms != 0 && first->created_ms < restored_ms)
        return SETPAY_E_SET_BACK; /* rule G12 */
    if (first->terms.kind == SETPAY_TERMS_SPLIT && now_ms >= first->created_ms + keep_card_ms)
        return SETPAY_E_AGREEMENT_OVER;
    SETPAY_TRY(setpay_agreement_check(&first->terms, &amount, &agreement->taken,
                                      request->amount.minor, now_ms, 0, NULL)); /* rule G6 */
    return check_tries(agreement, now_ms);
}

enum setpay_error
setpay_gateway_agreement_check_cancel(const struct setpay_gateway_agreement *agreement)
{
    if (!agreement->first.has_auth_token || agreement->taken.count == 0)
        return SETPAY_E_STATE;
    if (agreement->first.cancelled_ms != 0)
        return SETPAY_OK;
    return agreement->owes ? SETPAY_E_RELEASE_OWED : SETPAY_OK;
}

setpay_time_ms setpay_gateway_agreement_keep_until_ms(const struct setpay_payment *payment,
                                                      int64_t keep_card_ms, setpay_time_ms now_ms)
{
    setpay_time_ms last_ms = now_ms;
    if (payment->goes_on && payment->terms.end_ms > now_ms)
        last_ms = payment->terms.end_ms;
    return last_ms + keep_card_ms;
}
