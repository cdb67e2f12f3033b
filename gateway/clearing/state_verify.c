/*
 * Looking through payments: what a row says that no receipt sums up. Its state is held to its
 * amounts (gateway/payment/payment_state.c), what the cardholder has signed to the terms, the end
 * of the hold and the cancellation to their receipts, a sale to its capture; and each receipt's row
 * to what stands in the receipt. Whose signature that is, the audit asks (gateway/audit_payment.c).
 *
 * States: 1 asking, 2 approved, 3 declined, 4 voided, 5 reversed, 6 captured. Terms: 1 single,
 * 2 split, 3 instalments, 4 recurring. Receipts: 1 authorisation, 2 decline, 3 void, 9 cancellation
 * (common/wire/messages.h).
 */
#include "common/wire/messages.h"
#include "common/wire/receipt.h"
#include "gateway/clearing/look.h"

#include "gateway/clearing/sql_names.h"

#include <string.h>

#define PAYMENT_WORDS "lower(hex(payment.xid)) || ', number ' || payment.number"
#define OF(condition)                                                                              \
    "SELECT " PAYMENT_WORDS " FROM payment WHERE " condition " ORDER BY payment.id"
#define DAY "86400000"
#define HOLD_DAYS_MAX "31" /* hold_days (gateway/options.c) */

static enum setpay_error check_amounts(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " PAYMENT_WORDS " || ', state ' || state || ', approved ' || approved_minor ||"
        " ', reversed ' || reversed_minor || ', captured ' || captured_minor FROM payment"
        " WHERE NOT CASE WHEN state IN (" SETPAY_SQL_ASKING ", " SETPAY_SQL_DECLINED
        ", " SETPAY_SQL_VOIDED ") THEN approved_minor = 0 AND reversed_minor = 0"
        " AND captured_minor = 0 AND credited_minor = 0 AND cap_token IS NULL"
        " WHEN state = " SETPAY_SQL_APPROVED
        " THEN captured_minor = 0 AND reversed_minor < approved_minor"
        " WHEN state = " SETPAY_SQL_REVERSED
        " THEN captured_minor = 0 AND reversed_minor = approved_minor"
        " WHEN state = " SETPAY_SQL_CAPTURED " THEN captured_minor + credited_minor > 0"
        " AND captured_minor + reversed_minor <= approved_minor ELSE 0 END"
        " OR (state IN (" SETPAY_SQL_APPROVED ", " SETPAY_SQL_REVERSED ", " SETPAY_SQL_CAPTURED
        ") AND (cap_token IS NULL OR approved_minor <= 0))"
        " OR reversed_minor < 0 OR captured_minor < 0 OR credited_minor < 0"
        " OR (captured_minor > 0 AND credited_minor > captured_minor)"
        " OR approved_minor > amount_minor ORDER BY payment.id",
        "its amounts are not those of its state: payment"));
    return setpay_look_each_row(
        look,
        "SELECT " PAYMENT_WORDS " || ': ' || payment.signed_minor FROM payment JOIN payment first"
        " ON first.id = COALESCE(payment.first_id, payment.id)"
        " WHERE payment.signed_minor <> first.signed_minor"
        " OR (payment.terms_kind IN (" SETPAY_SQL_TERMS_SINGLE ", " SETPAY_SQL_TERMS_RECURRING
        ") AND first.signed_minor <> first.amount_minor)"
        " OR (payment.terms_kind <> " SETPAY_SQL_TERMS_RECURRING
        " AND payment.signed_minor < payment.amount_minor)"
        " OR (payment.terms_kind = " SETPAY_SQL_TERMS_INSTALMENT " AND payment.signed_minor >"
        " payment.terms_each_minor * payment.terms_count) ORDER BY payment.id",
        "signed for more or less than its terms come to: payment");
}

/* When the hold ends, and what was given up when it did. */
static enum setpay_error check_hold(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        OF("(hold_expiry_ms <> 0) <> (approved_minor > 0) OR EXISTS (SELECT 1 FROM receipt"
           " WHERE of_id = payment.id AND kind = " SETPAY_SQL_RECEIPT_AUTHORISATION
           " AND (hold_expiry_ms <= receipt.created_ms"
           " OR hold_expiry_ms > receipt.created_ms + " HOLD_DAYS_MAX " * " DAY
           " OR (hold_expiry_ms - receipt.created_ms) % " DAY " <> 0))"),
        "its hold ends on no day behind its authorisation: payment"));
    SETPAY_TRY(setpay_look_each_row(look,
                                    OF("EXISTS (SELECT 1 FROM step WHERE step.payment_id ="
                                       " payment.id AND step.kind = " SETPAY_SQL_CAPTURE
                                       " AND step.created_ms >= hold_expiry_ms)"),
                                    "captured behind the end of its hold: payment"));
    /* The newest reversal, where it was the gateway's own. */
    return setpay_look_each_row(
        look,
        OF("released_minor <> COALESCE((SELECT CASE WHEN advice <> 0 OR sale_id IS NOT NULL"
           " THEN reversal.amount_minor ELSE 0 END FROM reversal"
           " WHERE reversal.payment_id = payment.id AND approved_minor > 0"
           " ORDER BY reversal.id DESC LIMIT 1), 0)"
           " OR release_open NOT IN (0, 1) OR (release_open <> 0 AND released_minor = 0)"),
        "released something else than was given up last: payment");
}

static enum setpay_error check_cancellation(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        OF("cancelled_ms <> 0 AND NOT EXISTS (SELECT 1 FROM receipt WHERE of_id = payment.id"
           " AND kind = " SETPAY_SQL_RECEIPT_CANCELLATION
           " AND receipt.created_ms = cancelled_ms)"),
        "cancelled at a time of which there is no receipt: payment"));
    SETPAY_TRY(setpay_look_each_row(
        look,
        OF("cancelled_ms = 0 AND EXISTS (SELECT 1 FROM receipt WHERE of_id = payment.id"
           " AND kind = " SETPAY_SQL_RECEIPT_CANCELLATION ")"),
        "there is a receipt that it was cancelled: payment"));
    return setpay_look_each_row(
        look,
        OF("cancelled_ms <> 0 AND NOT EXISTS (SELECT 1 FROM evidence WHERE owner = payment.id"
           " AND type = 'AuthCanReq' AND evidence.created_ms = cancelled_ms)"),
        "cancelled, and the request is not kept: payment");
}

/* A sale is booked in a period, and what it captured is presented with it. */
static enum setpay_error check_sales(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        OF("sale_id IS NOT NULL AND approved_minor > 0 AND NOT EXISTS (SELECT 1 FROM step"
           " WHERE step.token = sale_id AND step.payment_id = payment.id"
           " AND step.kind = " SETPAY_SQL_CAPTURE " AND step.amount_minor = approved_minor)"),
        "a sale, and not the capture of it: payment"));
    SETPAY_TRY(setpay_look_each_row(look, OF("sale_id IS NULL AND payment.period <> 0"),
                                    "no sale, and booked in a period: payment"));
    return setpay_look_each_row(
        look,
        "SELECT 'presentment ' || presentment.id || ', payment ' || lower(hex(xid))"
        " FROM presentment JOIN step ON step.id = step_id JOIN payment ON"
        " payment.id = step.payment_id WHERE (presentment.acknowledged <> 0 AND sent_count = 0"
        " AND response_code = '00') <> (COALESCE(sale_id = step.token, 0)"
        " AND payment.period <> 0) ORDER BY presentment.id",
        "taken and never sent, and of no sale; or the other way round:");
}

/* ------------------------------------------------------------------ receipts */

struct receipt_row {
    char xid[SETPAY_ID_TEXT_SIZE];
    int64_t number, kind, created_ms, approved_minor;
    char action_code[3], approval_code[7];
};

/* What is wrong with it; NULL: nothing. */
static const char *judge(const struct receipt_row *row, struct setpay_view sealed,
                         struct setpay_view signed_bytes)
{
    static struct setpay_sealed_receipt parsed;
    struct setpay_receipt receipt;
    /* Sealed, it is the same and a tag. */
    if (setpay_sealed_receipt_parse(sealed, &parsed) != SETPAY_OK ||
        (int64_t)parsed.kind != row->kind || parsed.size <= signed_bytes.size)
        return "what its wallet would be given is empty, or another receipt";
    if (setpay_receipt_read(signed_bytes, &receipt) != SETPAY_OK)
        return "it can't be read";
    if (receipt.date_ms != row->created_ms)
        return "its row is of another time";
    if (row->kind > SETPAY_RECEIPT_VOID)
        return NULL;
    if (strcmp(receipt.action_code, row->action_code) != 0 ||
        strcmp(receipt.approval_code, row->approval_code) != 0)
        return "its payment has another action or approval code";
    if (row->kind == SETPAY_RECEIPT_AUTHORISATION && receipt.amount.minor != row->approved_minor)
        return "its payment was approved for another amount";
    return NULL;
}

static enum setpay_error check_receipts(struct setpay_look *look)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(
        look->db, &rows,
        "SELECT lower(hex(xid)), receipt.number, kind, receipt.created_ms, approved_minor,"
        " action_code, approval_code, sealed, signed FROM receipt"
        " JOIN payment ON payment.id = of_id ORDER BY payment_id, receipt.number"));
    while (setpay_db_next(rows)) {
        struct receipt_row row = {.number = setpay_db_get_int(rows, 1),
                                  .kind = setpay_db_get_int(rows, 2),
                                  .created_ms = setpay_db_get_int(rows, 3),
                                  .approved_minor = setpay_db_get_int(rows, 4)};
        setpay_db_get_text(rows, 0, row.xid, sizeof row.xid);
        setpay_db_get_text(rows, 5, row.action_code, sizeof row.action_code);
        setpay_db_get_text(rows, 6, row.approval_code, sizeof row.approval_code);
        const char *wrong = judge(&row, setpay_db_get_view(rows, 7), setpay_db_get_view(rows, 8));
        if (wrong != NULL)
            setpay_look_find(look, "receipt %lld of payment %s: %s", (long long)row.number, row.xid,
                             wrong);
    }
    return setpay_db_end(rows);
}

enum setpay_error setpay_look_states(struct setpay_look *look)
{
    SETPAY_TRY(check_amounts(look));
    SETPAY_TRY(check_hold(look));
    SETPAY_TRY(check_cancellation(look));
    SETPAY_TRY(check_sales(look));
    return check_receipts(look);
}
