/*
 * Batches under audit, of the gateway's own books: the request by which a merchant has closed one
 * is its word for what stands in it, and so must be kept, be signed by it, and have the totals that
 * the books still come to. What differed proves what the merchant asked for, and is held to nothing
 * but its signature.
 *
 * A batch that was closed before requests were kept, or by an operator, has none: it is counted,
 * and is no finding.
 */
#include "gateway/audit_payment.h"
#include "gateway/audit_totals.h"

#include "common/crypto/hash.h"

#include <stdio.h>
#include <string.h>

/* One batch, as audit.batches gives it. */
struct row {
    struct setpay_audit *audit;
    const json_t *json;
    const char *brand, *merchant_id;
    json_int_t number;
    bool open;
    struct setpay_audit_totals totals;
    char where[SETPAY_WIRE_BRAND_MAX + SETPAY_WIRE_PARTY_MAX + 48];
};

#define FIND(row, ...) setpay_audit_find((row)->audit, NULL, __VA_ARGS__)

static bool read_row(const json_t *json, struct row *row)
{
    row->json = json;
    row->brand = json_string_value(json_object_get(json, "brand"));
    row->merchant_id = json_string_value(json_object_get(json, "merchant_id"));
    row->number = setpay_audit_take_int(json, "batch");
    row->open = json_is_true(json_object_get(json, "open"));
    if (row->brand == NULL || row->merchant_id == NULL)
        return false;
    (void)snprintf(row->where, sizeof row->where, "%s batch %lld of %s", row->brand,
                   (long long)row->number, row->merchant_id);
    return setpay_audit_totals_read(json_object_get(json, "totals"), &row->totals);
}

/* By a key that was certified as this merchant's, for this brand. */
static bool is_signed(const struct row *row, const json_t *request, struct setpay_view content)
{
    struct setpay_message message = {.type = SETPAY_MESSAGE_BATCH_ADMIN_REQ,
                                     .suite = SETPAY_SUITE,
                                     .content = content,
                                     .is_signed = true};
    struct setpay_secret der = {0}, signature = {0};
    struct setpay_certificate *merchant = NULL;
    char member[SETPAY_DIGEST_TEXT_SIZE];
    bool good =
        setpay_audit_take_digest(request, "signer", &message.signer) &&
        setpay_audit_take_bytes(json_object_get(row->json, "certificates"),
                                setpay_digest_format(&message.signer, member),
                                SETPAY_LIMIT_CERTIFICATE_BYTES, &der) &&
        setpay_audit_take_bytes(request, "signature", SETPAY_WIRE_SIGNATURE_MAX, &signature) &&
        setpay_audit_believe(row->audit, setpay_secret_view(&der), SETPAY_PROFILE_MERCHANT_SIGN,
                             row->brand, &merchant) == SETPAY_OK;
    message.signature = setpay_secret_view(&signature);
    good = good && strcmp(setpay_certificate_id(merchant), row->merchant_id) == 0 &&
           setpay_message_verify(&message, merchant) == SETPAY_OK;
    setpay_certificate_unref(merchant);
    setpay_secret_clear(&signature);
    setpay_secret_clear(&der);
    return good;
}

static void find_total(void *arg, const struct setpay_batch_total *signed_total,
                       const struct setpay_batch_total *booked)
{
    char signed_words[SETPAY_AUDIT_TOTAL_SIZE], booked_words[SETPAY_AUDIT_TOTAL_SIZE];
    const struct row *row = arg;
    FIND(row, "%s: %s: its merchant has signed %s, the books come to %s (in minor units)",
         row->where, signed_total->currency, setpay_audit_total_words(signed_total, signed_words),
         setpay_audit_total_words(booked, booked_words));
}

/* What is wrong with a request that could be read, in words; NULL: nothing. */
static const char *find_wrong(const struct row *row, const json_t *kept, struct setpay_view content,
                              const struct setpay_batch_admin_req *request, bool agreed)
{
    const json_t *type = json_object_get(kept, "type");
    if (!json_is_string(type) ||
        strcmp(json_string_value(type), setpay_message_type_name(SETPAY_MESSAGE_BATCH_ADMIN_REQ)) !=
            0)
        return "is of another type";
    if (!is_signed(row, kept, content))
        return "is not signed by the merchant as it is";
    if (strcmp(request->brand, row->brand) != 0 ||
        strcmp(request->merchant_id, row->merchant_id) != 0)
        return "is of another merchant";
    if ((json_int_t)request->batch != row->number)
        return "is of another batch";
    if (request->action != SETPAY_BATCH_CLOSE)
        return "asks for something else than to close it";
    return agreed && row->open ? "was agreed to, and it is open" : NULL;
}

/* Whether it is the good word by which the batch was closed. */
static bool look_at_request(struct row *row, const json_t *kept, size_t number)
{
    struct setpay_secret content = {0};
    struct setpay_batch_admin_req request;
    bool agreed = json_is_true(json_object_get(kept, "agreed"));
    const char *wrong = "can't be read";
    if (setpay_audit_take_bytes(kept, "content", SETPAY_LIMIT_CONTENT_BYTES, &content) &&
        setpay_batch_admin_req_parse(setpay_secret_view(&content), &request) == SETPAY_OK) {
        wrong = find_wrong(row, kept, setpay_secret_view(&content), &request, agreed);
        if (wrong == NULL && agreed)
            setpay_audit_totals_compare(request.totals, request.total_count, row->totals.list,
                                        row->totals.count, find_total, row);
        setpay_batch_admin_req_clear(&request);
    }
    setpay_secret_clear(&content);
    if (wrong != NULL)
        FIND(row, "%s: a request that is kept (number %zu) %s", row->where, number, wrong);
    return wrong == NULL && agreed;
}

enum setpay_error setpay_audit_batch(struct setpay_audit *audit, const json_t *batch)
{
    struct row row = {.audit = audit};
    const json_t *requests = json_object_get(batch, "requests"), *kept;
    size_t index, closing = 0, good = 0;
    if (!read_row(batch, &row))
        return SETPAY_E_MALFORMED;
    json_array_foreach(requests, index, kept)
    {
        closing += json_is_true(json_object_get(kept, "agreed"));
        good += look_at_request(&row, kept, index + 1);
    }
    if (closing > 1)
        FIND(&row, "%s: %zu requests that close it are kept", row.where, closing);
    if (!row.open && closing == 0 && json_is_true(json_object_get(batch, "by_merchant")))
        FIND(&row, "%s: the request by which its merchant has closed it is not kept", row.where);
    audit->closed += !row.open;
    audit->signed_closes += good > 0;
    return SETPAY_OK;
}
