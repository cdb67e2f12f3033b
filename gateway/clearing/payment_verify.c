/*
 * Looking through what no entry of the ledger is of: the reversals that were booked for payments.
 * Each is held to the amounts of its payment and to the receipt that was signed with it, so that a
 * hold that nobody gives back, and a sale that is never undone, show.
 *
 * States: 1 asking, 2 approved, 3 declined, 5 reversed, 6 captured. Kinds of receipts: 2 decline,
 * 4 reversal (common/wire/messages.h).
 */
#include "gateway/clearing/look.h"
#include "gateway/clearing/sql_names.h"
#include "gateway/payment/stand_in.h"

#define REVERSAL_WORDS "'reversal ' || reversal.id || ', payment ' || lower(hex(payment.xid))"
#define REVERSALS " FROM reversal JOIN payment ON payment.id = reversal.payment_id WHERE "
#define IN_ORDER " ORDER BY reversal.id"

/* Up to this row, of its payment. */
#define REVERSED_SO_FAR                                                                            \
    "(SELECT SUM(earlier.amount_minor) FROM reversal AS earlier"                                   \
    " WHERE earlier.payment_id = payment.id AND earlier.id <= reversal.id)"

/* The rows of a payment, against the payment. */
static enum setpay_error check_all(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT 'reversal ' || id || ', payment ' || payment_id FROM reversal WHERE NOT EXISTS"
        " (SELECT 1 FROM payment WHERE payment.id = payment_id) ORDER BY id",
        "of a payment that is not there:"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT lower(hex(xid)) || ', number ' || number || ': ' || reversal_count ||"
        " ' booked, found ' || (SELECT COUNT(*) FROM reversal WHERE payment_id = payment.id)"
        " FROM payment WHERE reversal_count <>"
        " (SELECT COUNT(*) FROM reversal WHERE payment_id = payment.id) ORDER BY id",
        "reversals are missing, or too many: payment"));
    if (!setpay_look_adds_up(look, SETPAY_LOOK_REVERSALS))
        return SETPAY_OK;
    return setpay_look_each_row(
        look,
        "SELECT lower(hex(xid)) || ', number ' || number || ': reversed ' || reversed_minor ||"
        " ', expected ' || reversed FROM (SELECT id, xid, number, reversed_minor,"
        " (SELECT COALESCE(SUM(amount_minor), 0) FROM reversal WHERE payment_id = payment.id)"
        " AS reversed FROM payment WHERE approved_minor > 0) AS payment"
        " WHERE reversed_minor <> reversed ORDER BY id",
        "its reversals come to something else: payment");
}

/* What was approved is given up bit by bit; what was not is undone whole. Only what an issuer has
 * booked (a sale) counts in one of its periods. */
static enum setpay_error check_amounts(struct setpay_look *look)
{
    if (setpay_look_adds_up(look, SETPAY_LOOK_REVERSALS | SETPAY_LOOK_PAYMENTS))
        SETPAY_TRY(setpay_look_each_row(look,
                                        "SELECT " REVERSAL_WORDS REVERSALS
                                        "approved_minor > 0 AND (reversal.amount_minor <= 0"
                                        " OR remaining_minor <> approved_minor - " REVERSED_SO_FAR
                                        " OR partial <> (remaining_minor > 0))" IN_ORDER,
                                        "leaves something else of its authorisation:"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " REVERSAL_WORDS REVERSALS "approved_minor = 0 AND (state <> " SETPAY_SQL_DECLINED
        " OR reversal.amount_minor <> payment.amount_minor OR remaining_minor <> 0"
        " OR partial <> 0 OR advice <> 0 OR reversal.period <> payment.period)" IN_ORDER,
        "does not undo the authorisation that was not taken as it was asked for:"));
    return setpay_look_each_row(
        look,
        "SELECT " REVERSAL_WORDS REVERSALS "(sale_id IS NULL OR payment.period = 0)"
        " <> (reversal.period = 0) OR reversal.period < payment.period" IN_ORDER,
        "counts in no period of its issuer, or in one that it has no part in:");
}

/* A row is open until its issuer has said one of three things (network/reverse.c), or it was
 * written off, alone or with the advice without which it means nothing; and it was booked with a
 * receipt. */
static enum setpay_error check_each(struct setpay_look *look)
{
    SETPAY_TRY(
        setpay_look_each_row(look,
                             "SELECT " REVERSAL_WORDS REVERSALS
                             "NOT (acknowledged = 0 AND response_code = '' AND acknowledged_ms = 0)"
                             " AND NOT (acknowledged = 1 AND response_code IN ('00', '21', '25')"
                             " AND acknowledged_ms > 0 AND sent_count > 0)"
                             " AND NOT (acknowledged = 1 AND sent_count = 0 AND acknowledged_ms > 0"
                             " AND response_code = '" SETPAY_STAND_IN_WRITTEN_OFF "' AND EXISTS"
                             " (SELECT 1 FROM stand_in WHERE stand_in.payment_id = payment.id AND"
                             " stand_in.response_code = reversal.response_code))"
                             " AND NOT (acknowledged = 1 AND acknowledged_ms > 0"
                             " AND write_off IS NOT NULL)" IN_ORDER,
                             "acknowledged without a word of its issuer, or the other way round:"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " REVERSAL_WORDS REVERSALS "NOT EXISTS (SELECT 1 FROM receipt"
        " WHERE receipt.of_id = payment.id AND receipt.created_ms = reversal.created_ms"
        " AND receipt.kind = CASE WHEN approved_minor > 0 THEN 4 ELSE 2 END)" IN_ORDER,
        "no receipt was given with it:"));
    return setpay_look_each_row(look,
                                "SELECT " REVERSAL_WORDS REVERSALS
                                "advice <> 0 AND reversal.created_ms < hold_expiry_ms" IN_ORDER,
                                "advised before its hold has ended:");
}

enum setpay_error setpay_look_reversals(struct setpay_look *look)
{
    SETPAY_TRY(check_all(look));
    SETPAY_TRY(check_amounts(look));
    return check_each(look);
}
