/*
 * Looking through what was approved in an issuer's stead (gateway/payment/stand_in.h): whose
 * payments those are is told by the approval code, which stands in a signed receipt, and of sales
 * by the period, which only what an issuer has booked has. So neither the row can go nor can
 * another come; and each is held to its payment, its receipt, and what its issuer was told behind
 * it. One that was written off is held to what was told with that, which the ledger has.
 */
#include "gateway/clearing/look.h"
#include "gateway/clearing/sql_names.h"
#include "gateway/payment/stand_in.h"

#include <string.h>

#define STAND_IN_WORDS "'advice ' || stand_in.id || ', payment ' || lower(hex(payment.xid))"
#define STAND_INS " FROM stand_in JOIN payment ON payment.id = stand_in.payment_id WHERE "
#define IN_ORDER " ORDER BY stand_in.id"
#define APPROVED(condition)                                                                        \
    "SELECT lower(hex(payment.xid)) || ', number ' || payment.number FROM payment"                 \
    " WHERE approved_minor > 0 AND " condition " ORDER BY payment.id"
#define HAS_ROW "EXISTS (SELECT 1 FROM stand_in WHERE stand_in.payment_id = payment.id)"
/* As setpay_stand_in_approval_code makes it. An issuer's own may begin with S as well, but not end
 * as the trace number does. */
#define HAS_ITS_CODE "(approval_code = printf('S%05d', stan % 100000))"

/* Which payments have one. */
static enum setpay_error check_payments(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT 'advice ' || id || ', payment ' || payment_id FROM stand_in WHERE NOT EXISTS"
        " (SELECT 1 FROM payment WHERE payment.id = payment_id) ORDER BY id",
        "of a payment that is not there:"));
    SETPAY_TRY(
        setpay_look_each_row(look, APPROVED("sale_id IS NOT NULL AND (period = 0) <> " HAS_ROW),
                             "a sale that its issuer books in no period, and was not approved in "
                             "its stead; or the other way round: payment"));
    return setpay_look_each_row(look, APPROVED(HAS_ITS_CODE " <> " HAS_ROW),
                                "an approval code of the gateway's own, and not approved in its "
                                "issuer's stead; or the other way round: payment");
}

static enum setpay_error check_each(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " STAND_IN_WORDS STAND_INS "approved_minor <= 0"
        " OR stand_in.amount_minor <> approved_minor OR stand_in.issuer <> payment.issuer"
        " OR stand_in.currency <> payment.currency" IN_ORDER,
        "its issuer is told of something else than was approved in its stead:"));
    return setpay_look_each_row(
        look,
        "SELECT " STAND_IN_WORDS STAND_INS "NOT EXISTS (SELECT 1 FROM receipt"
        " WHERE receipt.of_id = payment.id AND receipt.kind = " SETPAY_SQL_RECEIPT_AUTHORISATION
        " AND receipt.created_ms = stand_in.created_ms)" IN_ORDER,
        "approved in its issuer's stead at a time of which there is no receipt:");
}

/* A row is open until its issuer has said anything but "not now" (network/reverse.c), or it was
 * written off. What else the issuer is told of the payment waits for that; a write-off is nothing
 * that it is told. */
static enum setpay_error check_answers(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " STAND_IN_WORDS STAND_INS
        "NOT (acknowledged = 0 AND response_code = '' AND sent_count = 0 AND acknowledged_ms = 0)"
        " AND NOT (acknowledged = 1 AND length(response_code) = 2"
        " AND response_code NOT IN ('30', '91', '96') AND acknowledged_ms > 0"
        " AND (sent_count > 0) <> (response_code = '" SETPAY_STAND_IN_WRITTEN_OFF "'))" IN_ORDER,
        "answered without a word of its issuer, or the other way round:"));
    SETPAY_TRY(setpay_look_each_row_by(look,
                                       "SELECT " STAND_IN_WORDS STAND_INS "acknowledged <> 0"
                                       " AND acknowledged_ms + $1 < stand_in.created_ms" IN_ORDER,
                                       SETPAY_LOOK_SLACK_MS, "answered before it was approved:"));
    return setpay_look_each_row_by(
        look,
        "SELECT " STAND_IN_WORDS STAND_INS "EXISTS (SELECT 1 FROM"
        " (SELECT acknowledged, sent_count, acknowledged_ms FROM presentment"
        " JOIN step ON step.id = step_id WHERE step.payment_id = payment.id"
        " UNION ALL SELECT acknowledged, sent_count, acknowledged_ms FROM reversal"
        " WHERE reversal.payment_id = payment.id) AS later WHERE later.acknowledged <> 0"
        " AND later.sent_count > 0 AND (stand_in.acknowledged = 0"
        " OR later.acknowledged_ms + $1 < stand_in.acknowledged_ms))" IN_ORDER,
        SETPAY_LOOK_SLACK_MS, "its issuer has answered what is told behind it, and not this:");
}

enum setpay_error setpay_look_stand_ins(struct setpay_look *look)
{
    SETPAY_TRY(check_payments(look));
    SETPAY_TRY(check_each(look));
    return check_answers(look);
}
