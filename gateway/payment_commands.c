/*
 * What operators see of payments: the list, one payment, and what was signed for it.
 */
#include "common/net/control_json.h"
#include "common/net/evidence_json.h"
#include "gateway/agreement_view.h"
#include "gateway/clearing/presentment.h"
#include "gateway/commands.h"
#include "gateway/payment/payment.h"

#include <string.h>

#define LIST_DEFAULT 100
#define LIST_MAX 1000

static void set_time(json_t *object, const char *name, setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    json_object_set_new(
        object, name, time_ms != 0 ? json_string(setpay_time_format(time_ms, text)) : json_null());
}

static json_t *payment_json(const struct setpay_payment *payment)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    char amount[SETPAY_MONEY_TEXT_SIZE];
    json_t *object = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:I, s:I}", "xid",
        setpay_id_format(&payment->xid, xid), "status", setpay_payment_state_name(payment->state),
        "amount", (json_int_t)payment->amount.minor, "currency", payment->amount.currency,
        "amount_text", setpay_money_format(&payment->amount, amount), "approved",
        (json_int_t)payment->approved_minor, "reversed", (json_int_t)payment->reversed_minor,
        "brand", payment->brand, "merchant_id", payment->merchant_id, "action_code",
        payment->action_code, "approval_code", payment->approval_code, "captured",
        (json_int_t)payment->captured_minor, "credited", (json_int_t)payment->credited_minor);
    if (object != NULL)
        set_time(object, "created", payment->created_ms);
    return object;
}

struct listing {
    json_t *list;
    int64_t room;
    int64_t last_id;
    bool more;
};

static enum setpay_error add_payment(void *arg, const struct setpay_payment *payment)
{
    struct listing *listing = arg;
    if (listing->room-- == 0) { /* one more than was asked for: there is another page */
        listing->more = true;
        return SETPAY_OK;
    }
    listing->last_id = payment->id;
    return json_array_append_new(listing->list, payment_json(payment)) == 0 ? SETPAY_OK
                                                                            : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_payment_list(struct setpay_db *db, const json_t *args,
                                              const struct setpay_vault *vault, json_t **result,
                                              struct setpay_problem *problem)
{
    static const char *const names[] = {"state", "limit", "before", NULL};
    const char *state_name = NULL;
    int64_t limit = LIST_DEFAULT;
    int64_t before = INT64_MAX;
    int state = -1;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "state", false, &state_name, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "limit", false, 1, LIST_MAX, &limit, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "before", false, 1, INT64_MAX, &before, problem));
    for (int i = 1; state_name != NULL && i < SETPAY_PAYMENT_STATES; i++) {
        if (strcmp(state_name, setpay_payment_state_name((enum setpay_payment_state)i)) == 0)
            state = i;
    }
    if (state_name != NULL && state < 0)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "state '%.40s': expected asking, approved, captured, declined, "
                                  "voided or reversed",
                                  state_name);
    struct listing listing = {.list = json_array(), .room = limit};
    enum setpay_error error =
        setpay_payment_each_newest(db, state, before, limit + 1, add_payment, &listing);
    if (error != SETPAY_OK) {
        json_decref(listing.list);
        return error;
    }
    *result = json_pack("{s:o, s:o}", "payments", listing.list, "next_before",
                        listing.more ? json_integer(listing.last_id) : json_null());
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* "•••• 4242" from the vault's box; "sealed" without the key, "deleted" after its time. */
static void set_card(struct setpay_db *db, const struct setpay_payment *payment,
                     const struct setpay_vault *vault, json_t *object)
{
    struct setpay_kept_card card;
    struct setpay_secret pan = {0};
    char text[32] = "sealed";
    setpay_kept_card_init(&card);
    if (setpay_kept_card_find(db, payment->id, &card) != SETPAY_OK)
        snprintf(text, sizeof text, "deleted");
    else if (vault != NULL &&
             setpay_vault_open_box(vault, SETPAY_VAULT_PAN, &payment->xid,
                                   setpay_buffer_view(&card.pan), &pan) == SETPAY_OK &&
             pan.size >= 4)
        snprintf(text, sizeof text, "•••• %.4s", (const char *)pan.data + pan.size - 4);
    setpay_secret_clear(&pan);
    setpay_kept_card_clear(&card);
    json_object_set_new(object, "card", json_string(text));
}

static enum setpay_error set_receipts(struct setpay_db *db, int64_t payment_id, json_t *object)
{
    struct setpay_db_rows *rows;
    json_t *list = json_array();
    json_object_set_new(object, "receipts", list);
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT number, kind, created_ms FROM receipt"
                                " WHERE payment_id = $1 ORDER BY number",
                                SETPAY_DB_INT(payment_id)));
    while (setpay_db_next(rows)) {
        const char *kind =
            setpay_receipt_kind_name((enum setpay_receipt_kind)setpay_db_get_int(rows, 1));
        json_t *entry = json_pack("{s:I, s:s?}", "number", (json_int_t)setpay_db_get_int(rows, 0),
                                  "kind", kind);
        set_time(entry, "date", setpay_db_get_int(rows, 2));
        json_array_append_new(list, entry);
    }
    return setpay_db_end(rows);
}

static enum setpay_error set_reversals(struct setpay_db *db, int64_t payment_id, json_t *object)
{
    struct setpay_db_rows *rows;
    json_t *list = json_array();
    json_object_set_new(object, "reversals", list);
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT reversal.amount_minor, partial, acknowledged, sent_count,"
        " reversal.response_code, advice, reason FROM reversal JOIN payment ON payment.id ="
        " payment_id WHERE COALESCE(first_id, payment.id) = $1"
        " ORDER BY reversal.id",
        SETPAY_DB_INT(payment_id)));
    while (setpay_db_next(rows)) {
        char code[3], reason[SETPAY_WRITE_OFF_REASON_SIZE];
        setpay_db_get_text(rows, 4, code, sizeof code);
        setpay_db_get_text(rows, 6, reason, sizeof reason);
        json_t *one = json_pack(
            "{s:I, s:b, s:b, s:I, s:s, s:b}", "amount", (json_int_t)setpay_db_get_int(rows, 0),
            "partial", (int)setpay_db_get_int(rows, 1), "acknowledged",
            (int)setpay_db_get_int(rows, 2), "sent", (json_int_t)setpay_db_get_int(rows, 3),
            "response_code", code, "advice", (int)setpay_db_get_int(rows, 5));
        if (reason[0] != '\0')
            json_object_set_new(one, "reason", json_string(reason));
        json_array_append_new(list, one);
    }
    return setpay_db_end(rows);
}

/* An xid is its merchant's choice: two merchants may have used one. brand, merchant_id: NULL for
 * any. SETPAY_E_NOT_FOUND; SETPAY_E_INVALID where several fit. */
static enum setpay_error find_by_xid(struct setpay_db *db, const struct setpay_id *xid,
                                     const char *brand, const char *merchant_id,
                                     struct setpay_payment *payment)
{
    struct setpay_db_rows *rows;
    int64_t id = 0;
    size_t count = 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT id FROM payment WHERE xid = $1 AND number = 1"
                                " AND ($2 IS NULL OR brand = $3)"
                                " AND ($4 IS NULL OR merchant_id = $5) ORDER BY id LIMIT 2",
                                SETPAY_DB_ID(xid), SETPAY_DB_TEXT(brand), SETPAY_DB_TEXT(brand),
                                SETPAY_DB_TEXT(merchant_id), SETPAY_DB_TEXT(merchant_id)));
    for (; setpay_db_next(rows); count++)
        id = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    if (count > 1)
        return SETPAY_E_INVALID;
    return count == 1 ? setpay_payment_load(db, id, payment) : SETPAY_E_NOT_FOUND;
}

/* The payment of a step: what an issuer knows a presentment by, and differences and suspense name.
 * SETPAY_E_NOT_FOUND. */
static enum setpay_error find_by_step(struct setpay_db *db, const struct setpay_id *token,
                                      struct setpay_payment *payment)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT COALESCE(first_id, payment.id) FROM step"
                             " JOIN payment ON payment.id = step.payment_id WHERE token = $1",
                             SETPAY_DB_ID(token)));
    int64_t id = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_payment_load(db, id, payment);
}

/* The payment that xid, brand and merchant_id name; or by one of its steps. */
static enum setpay_error find_payment(struct setpay_db *db, const json_t *args,
                                      struct setpay_payment *payment,
                                      struct setpay_problem *problem)
{
    static const char *const names[] = {"xid", "brand", "merchant_id", NULL};
    struct setpay_id xid;
    const char *text = NULL;
    const char *brand = NULL;
    const char *merchant_id = NULL;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "xid", true, &text, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "brand", false, &brand, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "merchant_id", false, &merchant_id, problem));
    if (setpay_id_parse(text, &xid) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "xid '%.60s': expected 32 hex digits",
                                  text);
    enum setpay_error error = find_by_xid(db, &xid, brand, merchant_id, payment);
    if (error == SETPAY_E_INVALID)
        return setpay_problem_set(problem, error,
                                  "several merchants have used the xid %s: name brand and merchant",
                                  text);
    if (error == SETPAY_E_NOT_FOUND)
        error = find_by_step(db, &xid, payment);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error, "there is no payment %s: see payment list", text);
    return error;
}

enum setpay_error setpay_gateway_payment_show(struct setpay_db *db, const json_t *args,
                                              const struct setpay_vault *vault, json_t **result,
                                              struct setpay_problem *problem)
{
    struct setpay_payment payment;
    char digest[SETPAY_DIGEST_TEXT_SIZE];
    SETPAY_TRY(find_payment(db, args, &payment, problem));
    json_t *object = payment_json(&payment);
    if (object == NULL)
        return SETPAY_E_NOMEM;
    json_object_set_new(object, "pomd", json_string(setpay_digest_format(&payment.pomd, digest)));
    json_object_set_new(object, "pimd", json_string(setpay_digest_format(&payment.pimd, digest)));
    json_object_set_new(object, "avs_result", json_string(payment.avs_result));
    json_object_set_new(object, "security_code_result", json_string(payment.security_code_result));
    json_object_set_new(object, "sale", json_boolean(payment.is_sale));
    json_object_set_new(object, "issuer", json_string(payment.issuer));
    set_time(object, "hold_expiry", payment.hold_expiry_ms);
    set_time(object, "updated", payment.updated_ms);
    set_card(db, &payment, vault, object);
    enum setpay_error error = set_receipts(db, payment.id, object);
    if (error == SETPAY_OK)
        error = setpay_gateway_show_stand_in(db, payment.id, object);
    if (error == SETPAY_OK)
        error = set_reversals(db, payment.id, object);
    if (error == SETPAY_OK)
        error = setpay_gateway_show_agreement(db, &payment, object);
    if (error != SETPAY_OK) {
        json_decref(object);
        return error;
    }
    *result = object;
    return SETPAY_OK;
}

/* What merchant and cardholder have signed, and this gateway's own receipts for it. */
static enum setpay_error add_evidence(struct setpay_db *db, const struct setpay_payment *payment,
                                      json_t *file)
{
    struct setpay_buffer der;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_evidence_json_add_kept(file, db, payment->id));
    setpay_buffer_init(&der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    enum setpay_error error = setpay_evidence_certificate(db, &payment->cardholder, &der);
    if (error == SETPAY_OK)
        error = setpay_evidence_json_set(file, "cardholder_certificate", setpay_buffer_view(&der));
    setpay_buffer_clear(&der);
    /* Payments that were booked before evidence was kept have none. */
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT signed FROM receipt WHERE payment_id = $1 ORDER BY number",
                                SETPAY_DB_INT(payment->id)));
    json_t *list = json_array();
    json_object_set_new(file, "receipts", list);
    error = SETPAY_OK;
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        json_t *receipt = json_object();
        error = setpay_evidence_json_set(receipt, "signed", setpay_db_get_view(rows, 0));
        json_array_append_new(list, receipt);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_gateway_evidence_of(struct setpay_db *db,
                                             const struct setpay_payment *payment, json_t **result)
{
    json_t *file = setpay_evidence_json_new("gateway", &payment->xid, &payment->pomd);
    enum setpay_error error = file == NULL ? SETPAY_E_NOMEM : add_evidence(db, payment, file);
    if (error != SETPAY_OK) {
        json_decref(file);
        return error;
    }
    *result = file;
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_payment_evidence(struct setpay_db *db, const json_t *args,
                                                  const struct setpay_vault *vault, json_t **result,
                                                  struct setpay_problem *problem)
{
    struct setpay_payment payment;
    (void)vault;
    SETPAY_TRY(find_payment(db, args, &payment, problem));
    return setpay_gateway_evidence_of(db, &payment, result);
}
