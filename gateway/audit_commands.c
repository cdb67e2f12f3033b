/*
 * What an audit asks the gateway's database for: payments with everything that was signed for them,
 * and batches with what closed them, in pages, and what can be compared by the database itself.
 * Signatures are verified by who asks (audit.c), away from the daemon's threads. Card data is in a
 * table that nothing here reads.
 */
#include "gateway/clearing/sql_names.h"
#include "gateway/commands.h"

#include "common/net/control_json.h"
#include "common/net/evidence_json.h"
#include "common/store/batch_evidence.h"
#include "gateway/clearing/batch.h"
#include "gateway/clearing/settlement.h"
#include "gateway/payment/payment.h"

#include <string.h>

#define PAYMENTS_PAGE 50
#define RECEIPTS_PAGE 400 /* and requests, of all payments of a page; the last one comes whole */
#define BATCHES_PAGE 100
#define BATCH_REQUESTS_MAX 64 /* more than are ever kept of one */
#define FINDINGS_MAX 100

/* SQL: whether the request for what was made then must be kept. Those for steps are kept since the
 * schema's step 12; where the row of that is gone, all must be. */
#define IS_ASKED_FOR(created_ms)                                                                   \
    created_ms " >= COALESCE((SELECT applied_ms FROM schema_version WHERE number = 12), 0)"

/* ------------------------------------------------------------------ one payment */

static void set_digest(json_t *object, const char *name, const struct setpay_digest *digest)
{
    char text[SETPAY_DIGEST_TEXT_SIZE];
    json_object_set_new(object, name, json_string(setpay_digest_format(digest, text)));
}

static json_t *head_json(const struct setpay_payment *payment)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:{s:i, s:i, s:i, s:I, s:I}}", "xid",
        setpay_id_format(&payment->xid, xid), "brand", payment->brand, "merchant_id",
        payment->merchant_id, "signed", (json_int_t)payment->signed_minor, "currency",
        payment->amount.currency, "terms", "kind", (int)payment->terms.kind, "count",
        (int)payment->terms.count, "interval_days", (int)payment->terms.interval_days, "each",
        (json_int_t)payment->terms.each_minor, "end_ms", (json_int_t)payment->terms.end_ms);
    if (object == NULL)
        return NULL;
    set_digest(object, "pimd", &payment->pimd);
    set_digest(object, "pomd", &payment->pomd);
    set_digest(object, "cardholder", &payment->cardholder);
    set_digest(object, "merchant", &payment->merchant);
    set_digest(object, "gateway_sign", &payment->gateway_sign);
    set_digest(object, "last_receipt", &payment->last_receipt);
    return object;
}

/* What is empty is left out: who looks misses it. */
static enum setpay_error set_bytes(json_t *object, const char *name, struct setpay_view bytes)
{
    return bytes.size == 0 ? SETPAY_OK : setpay_evidence_json_set(object, name, bytes);
}

static enum setpay_error set_certificate(struct setpay_db *db,
                                         const struct setpay_digest *thumbprint, const char *name,
                                         json_t *object)
{
    struct setpay_buffer der;
    setpay_buffer_init(&der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    enum setpay_error error = setpay_evidence_certificate(db, thumbprint, &der);
    if (error == SETPAY_OK)
        error = set_bytes(object, name, setpay_buffer_view(&der));
    setpay_buffer_clear(&der);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

struct requests {
    json_t *list, *certificates; /* these by their thumbprints: many requests bear the same */
};

/* A request by which it, or a step of it, was asked for. */
static enum setpay_error add_request(void *arg, const struct setpay_evidence *evidence)
{
    const struct requests *requests = arg;
    json_t *request = json_object();
    char signer[SETPAY_DIGEST_TEXT_SIZE];
    enum setpay_error error = SETPAY_OK;
    (void)setpay_digest_format(&evidence->signer, signer);
    if (json_object_set_new(request, "type", json_string(evidence->type)) != 0 ||
        json_object_set_new(request, "signer", json_string(signer)) != 0 ||
        json_array_append(requests->list, request) != 0)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        error = set_bytes(request, "content", evidence->content);
    if (error == SETPAY_OK)
        error = set_bytes(request, "signature", evidence->signature);
    if (error == SETPAY_OK && json_object_get(requests->certificates, signer) == NULL)
        error = set_bytes(requests->certificates, signer, evidence->certificate);
    json_decref(request);
    return error;
}

static enum setpay_error set_requests(struct setpay_db *db, int64_t payment_id, json_t *object,
                                      size_t *count)
{
    struct requests requests = {json_array(), json_object()};
    json_object_set_new(object, "requests", requests.list);
    json_object_set_new(object, "certificates", requests.certificates);
    SETPAY_TRY(setpay_evidence_each(db, payment_id, add_request, &requests));
    *count += json_array_size(requests.list);
    return SETPAY_OK;
}

/* Its authorisations: one, or those of an agreement. */
static enum setpay_error set_authorisations(struct setpay_db *db, int64_t payment_id,
                                            json_t *object)
{
    struct setpay_db_rows *rows;
    json_t *list = json_array();
    json_object_set_new(object, "authorisations", list);
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT number, rrpid, asked_by, amount_minor, approved_minor, reversed_minor,"
        " captured_minor, credited_minor, sale_id IS NOT NULL, release_open FROM payment"
        " WHERE id = $1 OR first_id = $2"
        " ORDER BY number",
        SETPAY_DB_INT(payment_id), SETPAY_DB_INT(payment_id)));
    while (setpay_db_next(rows)) {
        char text[SETPAY_ID_TEXT_SIZE];
        struct setpay_id rrpid;
        struct setpay_digest asked_by;
        setpay_db_get_id(rows, 1, &rrpid);
        setpay_db_get_digest(rows, 2, &asked_by);
        json_t *one = json_pack(
            "{s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "number",
            (json_int_t)setpay_db_get_int(rows, 0), "rrpid", setpay_id_format(&rrpid, text),
            "amount", (json_int_t)setpay_db_get_int(rows, 3), "approved",
            (json_int_t)setpay_db_get_int(rows, 4), "reversed",
            (json_int_t)setpay_db_get_int(rows, 5), "captured",
            (json_int_t)setpay_db_get_int(rows, 6), "credited",
            (json_int_t)setpay_db_get_int(rows, 7), "sale", (int)setpay_db_get_bool(rows, 8),
            "release_open", (int)setpay_db_get_bool(rows, 9));
        set_digest(one, "asked_by", &asked_by);
        json_array_append_new(list, one);
    }
    return setpay_db_end(rows);
}

static enum setpay_error set_receipts(struct setpay_db *db, int64_t payment_id, json_t *object,
                                      size_t *count)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    json_t *list = json_array();
    json_object_set_new(object, "receipts", list);
    SETPAY_TRY(
        setpay_db_select(db, &rows,
                         "SELECT number, kind, signed, " IS_ASKED_FOR(
                             "created_ms") " FROM receipt WHERE payment_id = $1 ORDER BY number",
                         SETPAY_DB_INT(payment_id)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        json_t *receipt = json_pack(
            "{s:I, s:I, s:b}", "number", (json_int_t)setpay_db_get_int(rows, 0), "kind",
            (json_int_t)setpay_db_get_int(rows, 1), "asked_for", (int)setpay_db_get_bool(rows, 3));
        error = set_bytes(receipt, "signed", setpay_db_get_view(rows, 2));
        json_array_append_new(list, receipt);
        (*count)++;
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

static enum setpay_error set_steps(struct setpay_db *db, int64_t payment_id, json_t *object)
{
    struct setpay_db_rows *rows;
    json_t *list = json_array();
    json_object_set_new(object, "steps", list);
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT token, kind, step.amount_minor, CASE kind WHEN " SETPAY_SQL_CAPTURE
        " THEN cap_token ELSE"
        " (SELECT made.token FROM step made WHERE made.id = step.of_id) END,"
        " payment.sale_id IS NOT NULL AND payment.sale_id = step.token,"
        " " IS_ASKED_FOR(
            "step.created_ms") " FROM step"
                               " JOIN payment ON payment.id = step.payment_id"
                               " WHERE payment.id = $1 OR payment.first_id = $2 ORDER BY step.id",
        SETPAY_DB_INT(payment_id), SETPAY_DB_INT(payment_id)));
    while (setpay_db_next(rows)) {
        char text[SETPAY_ID_TEXT_SIZE];
        struct setpay_id token;
        setpay_db_get_id(rows, 0, &token);
        json_t *step = json_pack(
            "{s:s, s:I, s:I, s:b, s:b}", "step", setpay_id_format(&token, text), "kind",
            (json_int_t)setpay_db_get_int(rows, 1), "amount",
            (json_int_t)setpay_db_get_int(rows, 2), "sale", (int)setpay_db_get_bool(rows, 4),
            "asked_for", (int)setpay_db_get_bool(rows, 5));
        if (!setpay_db_is_null(rows, 3)) {
            setpay_db_get_id(rows, 3, &token);
            json_object_set_new(step, "of", json_string(setpay_id_format(&token, text)));
        }
        json_array_append_new(list, step);
    }
    return setpay_db_end(rows);
}

static enum setpay_error fill(struct setpay_db *db, const struct setpay_payment *payment,
                              json_t *object, size_t *receipts)
{
    SETPAY_TRY(set_certificate(db, &payment->cardholder, "cardholder_certificate", object));
    SETPAY_TRY(set_certificate(db, &payment->gateway_sign, "gateway_certificate", object));
    SETPAY_TRY(set_requests(db, payment->id, object, receipts));
    SETPAY_TRY(set_authorisations(db, payment->id, object));
    SETPAY_TRY(set_receipts(db, payment->id, object, receipts));
    return set_steps(db, payment->id, object);
}

/* ------------------------------------------------------------------ a page of them */

static enum setpay_error read_ids(struct setpay_db *db, int64_t after, int64_t ids[PAYMENTS_PAGE],
                                  size_t *count)
{
    struct setpay_db_rows *rows;
    *count = 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT id FROM payment WHERE id > $1 AND first_id IS NULL"
                                " ORDER BY id LIMIT $2",
                                SETPAY_DB_INT(after), SETPAY_DB_INT(PAYMENTS_PAGE)));
    while (setpay_db_next(rows))
        ids[(*count)++] = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static enum setpay_error add_payments(struct setpay_db *db, int64_t after, json_t *list,
                                      int64_t *next)
{
    int64_t ids[PAYMENTS_PAGE];
    size_t count, receipts = 0, i;
    SETPAY_TRY(read_ids(db, after, ids, &count));
    for (i = 0; i < count && receipts < RECEIPTS_PAGE; i++) {
        struct setpay_payment payment;
        SETPAY_TRY(setpay_payment_load(db, ids[i], &payment));
        json_t *object = head_json(&payment);
        if (object == NULL || json_array_append_new(list, object) != 0)
            return SETPAY_E_NOMEM;
        SETPAY_TRY(fill(db, &payment, object, &receipts));
    }
    *next = i < count || count == PAYMENTS_PAGE ? ids[i - 1] : 0;
    return SETPAY_OK;
}

/* The CA certificates that the daemon has learned. */
static enum setpay_error add_authorities(struct setpay_db *db, json_t *list)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT der FROM trust WHERE is_crl = 0"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        json_t *object = json_object();
        error = set_bytes(object, "certificate", setpay_db_get_view(rows, 0));
        json_array_append_new(list, object);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

enum setpay_error setpay_gateway_audit_payments(struct setpay_db *db, const json_t *args,
                                                const struct setpay_vault *vault, json_t **result,
                                                struct setpay_problem *problem)
{
    static const char *const names[] = {"after", NULL};
    int64_t after = 0, next = 0;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 0, INT64_MAX, &after, problem));
    json_t *payments = json_array(), *authorities = json_array();
    enum setpay_error error = add_payments(db, after, payments, &next);
    if (error == SETPAY_OK && after == 0)
        error = add_authorities(db, authorities);
    if (error != SETPAY_OK) {
        json_decref(payments);
        json_decref(authorities);
        return error;
    }
    *result = json_pack("{s:o, s:o, s:o}", "payments", payments, "authorities", authorities,
                        "next_after", next != 0 ? json_integer(next) : json_null());
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* ------------------------------------------------------------------ batches */

static enum setpay_error add_batch_request(void *arg, const struct setpay_batch_evidence *evidence)
{
    const struct requests *requests = arg;
    SETPAY_TRY(add_request(arg, &evidence->message));
    const json_t *list = requests->list;
    return json_object_set_new(json_array_get(list, json_array_size(list) - 1), "agreed",
                               json_boolean(evidence->agreed)) == 0
               ? SETPAY_OK
               : SETPAY_E_NOMEM;
}

static enum setpay_error set_totals(struct setpay_db *db, int64_t batch_id, json_t *object)
{
    struct setpay_batch_total totals[SETPAY_LIMIT_CURRENCIES];
    size_t count = 0;
    json_t *list = json_array();
    json_object_set_new(object, "totals", list);
    SETPAY_TRY(setpay_batch_totals(db, batch_id, totals, &count));
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I, s:I, s:I}", "currency", totals[i].currency,
                                        "capture_count", (json_int_t)totals[i].capture_count,
                                        "capture_amount", (json_int_t)totals[i].capture_minor,
                                        "credit_count", (json_int_t)totals[i].credit_count,
                                        "credit_amount", (json_int_t)totals[i].credit_minor));
    return SETPAY_OK;
}

/* The first batch behind after, with its totals as the books have them. */
static enum setpay_error add_batch(struct setpay_db *db, int64_t after, json_t *list, int64_t *id,
                                   size_t *count)
{
    struct setpay_db_rows *rows;
    char brand[SETPAY_WIRE_BRAND_MAX + 1], merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT id, brand, merchant_id, number, open, by_merchant FROM batch"
                             " WHERE id > $1 ORDER BY id LIMIT 1",
                             SETPAY_DB_INT(after)));
    struct requests requests = {json_array(), json_object()};
    *id = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, brand, sizeof brand);
    setpay_db_get_text(rows, 2, merchant_id, sizeof merchant_id);
    json_t *object =
        json_pack("{s:s, s:s, s:I, s:b, s:b, s:o, s:o}", "brand", brand, "merchant_id", merchant_id,
                  "batch", (json_int_t)setpay_db_get_int(rows, 3), "open",
                  (int)setpay_db_get_bool(rows, 4), "by_merchant", (int)setpay_db_get_bool(rows, 5),
                  "requests", requests.list, "certificates", requests.certificates);
    bool kept = json_array_append_new(list, object) == 0; /* NULL: without memory */
    SETPAY_TRY(setpay_db_end(rows));
    if (!kept)
        return SETPAY_E_NOMEM;
    SETPAY_TRY(set_totals(db, *id, object));
    SETPAY_TRY(
        setpay_batch_evidence_each(db, *id, 0, BATCH_REQUESTS_MAX, add_batch_request, &requests));
    *count += json_array_size(requests.list);
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_audit_batches(struct setpay_db *db, const json_t *args,
                                               const struct setpay_vault *vault, json_t **result,
                                               struct setpay_problem *problem)
{
    static const char *const names[] = {"after", NULL};
    int64_t after = 0;
    size_t requests = 0;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 0, INT64_MAX, &after, problem));
    json_t *list = json_array();
    enum setpay_error error = SETPAY_OK;
    for (size_t i = 0; i < BATCHES_PAGE && requests < RECEIPTS_PAGE && error == SETPAY_OK; i++)
        error = add_batch(db, after, list, &after, &requests);
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND) {
        json_decref(list);
        return error;
    }
    *result = json_pack("{s:o, s:o}", "batches", list, "next_after",
                        error == SETPAY_OK ? json_integer(after) : json_null());
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* ------------------------------------------------------------------ what the database compares */

static void on_finding(void *arg, const char *words)
{
    json_t *list = arg;
    if (json_array_size(list) < FINDINGS_MAX)
        json_array_append_new(list, json_string(words));
}

enum setpay_error setpay_gateway_audit_clearing(struct setpay_db *db, const json_t *args,
                                                const struct setpay_vault *vault, json_t **result,
                                                struct setpay_problem *problem)
{
    static const char *const names[] = {NULL};
    size_t findings = 0;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    json_t *list = json_array();
    enum setpay_error error = setpay_clearing_verify(db, on_finding, list, &findings);
    if (error != SETPAY_OK) {
        json_decref(list);
        return error;
    }
    *result = json_pack("{s:b, s:I, s:o}", "ok", (int)(findings == 0), "found",
                        (json_int_t)findings, "findings", list);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}
