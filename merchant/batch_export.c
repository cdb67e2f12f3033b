/*
 * Captures and credits of a batch, page by page in the order in which they were asked for, each
 * with the answer in which the gateway has signed it, and where it was undone, the one that says
 * so. Answers are looked for among the evidence of the purchase: they were kept with what they
 * proved.
 */
#include "merchant/batch_export.h"

#include "common/crypto/hash.h"
#include "common/net/batch_file.h"
#include "common/net/control_json.h"
#include "common/net/evidence_json.h"
#include "common/pki/certificate.h"
#include "common/store/batch_evidence.h"
#include "common/wire/messages.h"
#include "merchant/payment/batch_store.h"
#include "merchant/store/batch_json.h"

#include <string.h>

#define ITEMS_PAGE 100
#define ANSWERS_PAGE 40 /* of up to 32 KiB, in base64: what the socket takes */

/* A row of step (payment/step.h). */
struct item {
    int64_t id;
    int64_t purchase_id;
    struct setpay_id token, xid;
    struct setpay_money amount;
    setpay_time_ms decided_ms;
    enum setpay_batch_item_kind kind; /* the same numbers as in the row */
    bool undone;
};

/* ------------------------------------------------------------------ the answer that proves it */

struct search {
    const struct item *item;
    json_t *object;
    bool found;
};

static enum setpay_error make_proof(const struct setpay_evidence *evidence, json_t **proof)
{
    struct setpay_digest signer;
    char text[SETPAY_DIGEST_TEXT_SIZE];
    SETPAY_TRY(setpay_sha256(evidence->certificate, &signer)); /* its thumbprint */
    json_t *made = json_pack("{s:s, s:s}", "type", evidence->type, "signer",
                             setpay_digest_format(&signer, text));
    enum setpay_error error = made == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_evidence_json_set(made, "content", evidence->content);
    if (error == SETPAY_OK)
        error = setpay_evidence_json_set(made, "signature", evidence->signature);
    if (error != SETPAY_OK) {
        json_decref(made);
        return error;
    }
    *proof = made;
    return SETPAY_OK;
}

static enum setpay_error set_proof(json_t *object, const char *member,
                                   const struct setpay_evidence *evidence)
{
    json_t *proof = NULL;
    enum setpay_error error = make_proof(evidence, &proof);
    if (error == SETPAY_OK && json_object_set(object, member, proof) != 0)
        error = SETPAY_E_NOMEM;
    json_decref(proof);
    return error;
}

static enum setpay_error set_date(json_t *object, setpay_time_ms date_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    return json_object_set_new(object, "date", json_string(setpay_time_format(date_ms, text))) == 0
               ? SETPAY_OK
               : SETPAY_E_NOMEM;
}

static enum setpay_error take_step(struct search *search, const struct setpay_evidence *evidence,
                                   const struct setpay_step_res *answer, bool undoes)
{
    for (size_t i = 0; i < answer->done_count; i++) {
        const struct setpay_step_done *done = &answer->done[i];
        if (undoes && search->item->undone && setpay_id_equal(&done->of, &search->item->token))
            return set_proof(search->object, "undone_proof", evidence);
        if (undoes || !setpay_id_equal(&done->id, &search->item->token))
            continue;
        search->found = true;
        SETPAY_TRY(set_date(search->object, answer->header.date_ms));
        return set_proof(search->object, "proof", evidence);
    }
    return SETPAY_OK;
}

/* A sale's capture stands in the answer to its authorisation. */
static enum setpay_error look_at_sale(struct search *search, const struct setpay_evidence *evidence)
{
    struct setpay_auth_res answer;
    SETPAY_TRY(setpay_auth_res_parse(evidence->content, &answer));
    if (!answer.has_capture || !setpay_id_equal(&answer.capture.id, &search->item->token))
        return SETPAY_OK;
    search->found = true;
    SETPAY_TRY(set_date(search->object, answer.header.date_ms));
    return set_proof(search->object, "proof", evidence);
}

static bool is_type(const struct setpay_evidence *evidence, enum setpay_message_type type)
{
    return strcmp(evidence->type, setpay_message_type_name(type)) == 0;
}

static enum setpay_error look_at(void *arg, const struct setpay_evidence *evidence)
{
    struct search *search = arg;
    struct setpay_step_res answer;
    bool credits = search->item->kind == SETPAY_BATCH_CREDIT;
    bool undoes =
        is_type(evidence, credits ? SETPAY_MESSAGE_CRED_REV_RES : SETPAY_MESSAGE_CAP_REV_RES);
    if (!credits && is_type(evidence, SETPAY_MESSAGE_AUTH_RES))
        return look_at_sale(search, evidence);
    if (!undoes && !is_type(evidence, credits ? SETPAY_MESSAGE_CRED_RES : SETPAY_MESSAGE_CAP_RES))
        return SETPAY_OK;
    SETPAY_TRY(setpay_step_res_parse(evidence->content, &answer));
    enum setpay_error error = take_step(search, evidence, &answer, undoes);
    setpay_step_res_clear(&answer);
    return error;
}

static enum setpay_error add_item(struct setpay_db *db, const struct item *item, json_t *list)
{
    char id[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "id", setpay_id_format(&item->token, id), "xid",
                  setpay_id_format(&item->xid, xid), "kind", setpay_batch_kind_name(item->kind),
                  "amount", (json_int_t)item->amount.minor, "currency", item->amount.currency,
                  "status", item->undone ? "undone" : "done");
    struct search search = {.item = item, .object = object};
    if (object == NULL || json_array_append_new(list, object) != 0)
        return SETPAY_E_NOMEM;
    SETPAY_TRY(set_date(object, item->decided_ms)); /* where no answer was kept: our own */
    return setpay_evidence_each(db, item->purchase_id, look_at, &search);
}

/* ------------------------------------------------------------------ a page */

static enum setpay_error read_items(struct setpay_db *db, const char *brand, int64_t number,
                                    int64_t after, struct item items[ITEMS_PAGE], size_t *count)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT step.id, step.purchase_id, step.token, purchase.xid, step.kind, step.amount_minor,"
        " purchase.currency, step.undone, step.decided_ms FROM step"
        " JOIN purchase ON purchase.id = step.purchase_id"
        " WHERE step.batch = $1 AND purchase.brand = $2 AND step.state = 2 AND step.kind IN (1, 2)"
        " AND step.id > $3 ORDER BY step.id LIMIT $4",
        SETPAY_DB_INT(number), SETPAY_DB_TEXT(brand), SETPAY_DB_INT(after),
        SETPAY_DB_INT(ITEMS_PAGE)));
    for (*count = 0; *count < ITEMS_PAGE && setpay_db_next(rows);) {
        struct item *item = &items[(*count)++];
        memset(item, 0, sizeof *item);
        item->id = setpay_db_get_int(rows, 0);
        item->purchase_id = setpay_db_get_int(rows, 1);
        setpay_db_get_id(rows, 2, &item->token);
        setpay_db_get_id(rows, 3, &item->xid);
        item->kind = (enum setpay_batch_item_kind)setpay_db_get_int(rows, 4);
        item->amount.minor = setpay_db_get_int(rows, 5);
        setpay_db_get_text(rows, 6, item->amount.currency, sizeof item->amount.currency);
        item->undone = setpay_db_get_bool(rows, 7);
        item->decided_ms = setpay_db_get_int(rows, 8);
    }
    return setpay_db_end(rows);
}

static enum setpay_error add_certificate(json_t *list, struct setpay_view der)
{
    json_t *holder = json_object();
    enum setpay_error error = holder == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_evidence_json_set(holder, "der", der);
    if (error == SETPAY_OK && json_array_append(list, json_object_get(holder, "der")) != 0)
        error = SETPAY_E_NOMEM;
    json_decref(holder);
    return error;
}

/* Of the gateways that may have signed, and the CAs above them. */
static bool is_of_gateway(const struct setpay_certificate *certificate, const char *brand)
{
    enum setpay_ca_kind kind = setpay_certificate_ca_kind(certificate);
    bool fits = kind == SETPAY_CA_NONE
                    ? setpay_certificate_profile(certificate) == SETPAY_PROFILE_GATEWAY_SIGN
                    : kind == SETPAY_CA_GATEWAY || kind == SETPAY_CA_BRAND;
    return fits && strcmp(setpay_certificate_brand(certificate), brand) == 0;
}

static enum setpay_error add_certificates(struct setpay_db *db, const char *brand, json_t *list)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT der FROM trust WHERE is_crl = 0"
                                " UNION SELECT der FROM evidence_certificate"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_certificate *certificate = NULL;
        struct setpay_view der = setpay_db_get_view(rows, 0);
        if (setpay_certificate_parse(der, &certificate) == SETPAY_OK &&
            is_of_gateway(certificate, brand))
            error = add_certificate(list, der);
        setpay_certificate_unref(certificate);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

static enum setpay_error add_totals(struct setpay_db *db, const char *brand, int64_t number,
                                    json_t *list)
{
    struct setpay_merchant_batch batch = {.number = (uint32_t)number};
    struct setpay_batch_total totals[SETPAY_LIMIT_CURRENCIES];
    size_t count = 0;
    (void)snprintf(batch.brand, sizeof batch.brand, "%s", brand);
    SETPAY_TRY(setpay_merchant_batch_totals(db, &batch, totals, &count));
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, setpay_batch_total_json(&totals[i])) != 0)
            return SETPAY_E_NOMEM;
    return SETPAY_OK;
}

static enum setpay_error fill_page(struct setpay_db *db, const char *brand, int64_t number,
                                   int64_t after, json_t *page)
{
    struct item items[ITEMS_PAGE];
    size_t count = 0;
    json_t *list = json_object_get(page, "items");
    SETPAY_TRY(read_items(db, brand, number, after, items, &count));
    for (size_t i = 0; i < count; i++)
        SETPAY_TRY(add_item(db, &items[i], list));
    bool more = count == ITEMS_PAGE;
    if (json_object_set_new(page, "next_after",
                            more ? json_integer(items[count - 1].id) : json_null()) != 0)
        return SETPAY_E_NOMEM;
    if (more)
        return SETPAY_OK;
    SETPAY_TRY(add_totals(db, brand, number, json_object_get(page, "totals")));
    return add_certificates(db, brand, json_object_get(page, "certificates"));
}

enum setpay_error setpay_merchant_command_batch_items(struct setpay_db *db,
                                                      const struct setpay_merchant_context *context,
                                                      const json_t *args, json_t **result,
                                                      struct setpay_problem *problem)
{
    static const char *const names[] = {"batch", "brand", "after", NULL};
    const char *brand = NULL;
    int64_t number = 0, after = 0;
    (void)context;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "batch", true, 1, UINT32_MAX, &number, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "brand", true, &brand, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 0, INT64_MAX, &after, problem));
    json_t *page = json_pack("{s:[], s:[], s:[]}", "items", "totals", "certificates");
    enum setpay_error error =
        page == NULL ? SETPAY_E_NOMEM : fill_page(db, brand, number, after, page);
    if (error != SETPAY_OK) {
        json_decref(page);
        return error;
    }
    *result = page;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ how it was closed */

struct answers {
    json_t *list;
    int64_t last;
};

static enum setpay_error add_answer(void *arg, const struct setpay_batch_evidence *evidence)
{
    struct answers *answers = arg;
    json_t *answer = NULL;
    SETPAY_TRY(make_proof(&evidence->message, &answer));
    answers->last = evidence->number;
    if (json_object_set_new(answer, "agreed", json_boolean(evidence->agreed)) != 0 ||
        json_array_append(answers->list, answer) != 0) {
        json_decref(answer);
        return SETPAY_E_NOMEM;
    }
    json_decref(answer);
    return SETPAY_OK;
}

static enum setpay_error find_batch(struct setpay_db *db, const char *brand, int64_t number,
                                    int64_t *id)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT id FROM batch WHERE brand = $1 AND number = $2",
                             SETPAY_DB_TEXT(brand), SETPAY_DB_INT(number)));
    *id = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

/* Since when answers are kept: the moment of that step of the schema. */
static enum setpay_error set_kept_since(struct setpay_db *db, json_t *page)
{
    struct setpay_db_rows *rows;
    char text[SETPAY_TIME_TEXT_SIZE];
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT applied_ms FROM schema_version WHERE number = $1",
                             SETPAY_DB_INT(SETPAY_MERCHANT_BATCH_EVIDENCE_STEP)));
    (void)setpay_time_format(setpay_db_get_int(rows, 0), text);
    SETPAY_TRY(setpay_db_end(rows));
    return json_object_set_new(page, "kept_since", json_string(text)) == 0 ? SETPAY_OK
                                                                           : SETPAY_E_NOMEM;
}

static enum setpay_error fill_answers(struct setpay_db *db, int64_t batch_id, int64_t after,
                                      json_t *page)
{
    struct answers answers = {.list = json_object_get(page, "answers")};
    SETPAY_TRY(setpay_batch_evidence_each(db, batch_id, after, ANSWERS_PAGE, add_answer, &answers));
    bool more = json_array_size(answers.list) == ANSWERS_PAGE;
    if (json_object_set_new(page, "next_after", more ? json_integer(answers.last) : json_null()) !=
        0)
        return SETPAY_E_NOMEM;
    return set_kept_since(db, page);
}

enum setpay_error setpay_merchant_command_batch_evidence(
    struct setpay_db *db, const struct setpay_merchant_context *context, const json_t *args,
    json_t **result, struct setpay_problem *problem)
{
    static const char *const names[] = {"batch", "brand", "after", NULL};
    const char *brand = NULL;
    int64_t number = 0, after = 0, batch_id = 0;
    (void)context;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "batch", true, 1, UINT32_MAX, &number, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "brand", true, &brand, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 0, INT64_MAX, &after, problem));
    SETPAY_TRY(find_batch(db, brand, number, &batch_id));
    json_t *page = json_pack("{s:[]}", "answers");
    enum setpay_error error =
        page == NULL ? SETPAY_E_NOMEM : fill_answers(db, batch_id, after, page);
    if (error != SETPAY_OK) {
        json_decref(page);
        return error;
    }
    *result = page;
    return SETPAY_OK;
}
