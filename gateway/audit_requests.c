/*
 * What merchants have asked for, under audit: every request that is kept with a payment is verified
 * as it stands. Authorisations are held to the payment's rows and to the cardholder's dual
 * signature. What the others ask for is handed on: each step, and each receipt of what was given
 * up, must have been asked for by one of them.
 */
#include "gateway/audit_payment.h"

#include "common/crypto/dual.h"
#include "common/crypto/hash.h"
#include "common/wire/cancellation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One authorisation of it; most instructions have one. */
struct authorisation {
    json_int_t number;
    struct setpay_id rrpid;
    struct setpay_digest asked_by;
    int64_t amount_minor;
    bool is_sale;
};

static bool read_authorisation(const json_t *json, struct authorisation *a)
{
    a->number = setpay_audit_take_int(json, "number");
    a->amount_minor = setpay_audit_take_int(json, "amount");
    a->is_sale = json_is_true(json_object_get(json, "sale"));
    return setpay_audit_take_id(json, "rrpid", &a->rrpid) &&
           setpay_audit_take_digest(json, "asked_by", &a->asked_by);
}

/* ------------------------------------------------------------------ authorisations */

static void check_request_fields(struct setpay_audit *audit, const struct setpay_audit_row *p,
                                 const struct authorisation *a,
                                 const struct setpay_auth_req *request)
{
    const char *wrong = NULL;
    if (!setpay_id_equal(&request->xid, &p->xid))
        wrong = "xid";
    else if (!setpay_digest_equal(&request->pimd, &p->pimd))
        wrong = "instruction (PIMD)";
    else if (request->amount.minor != a->amount_minor ||
             !setpay_money_same_currency(&request->amount, &p->amount))
        wrong = "amount";
    else if (strcmp(request->brand, p->brand) != 0 ||
             strcmp(request->merchant_id, p->merchant_id) != 0)
        wrong = "merchant";
    else if (!setpay_digest_equal(&request->cardholder, &p->cardholder))
        wrong = "cardholder";
    else if (!setpay_terms_equal(&request->terms, &p->terms))
        wrong = "terms";
    else if (p->terms.kind == SETPAY_TERMS_SINGLE && a->amount_minor != p->amount.minor)
        wrong = "amount than was signed";
    else if ((request->intent == SETPAY_INTENT_SALE) != a->is_sale)
        wrong = "intent";
    if (wrong != NULL)
        setpay_audit_find(audit, p->xid_text, "the merchant's request %lld is of another %s",
                          (long long)a->number, wrong);
}

/* POMD = H("po", suite, PIMD, OIMD), and DS over it by the cardholder's key. */
static void check_dual_signature(struct setpay_audit *audit, const struct setpay_audit_row *p,
                                 const json_t *json, const struct setpay_auth_req *request)
{
    struct setpay_digest pomd;
    if (setpay_dual_pomd(SETPAY_SUITE, &p->pimd, &request->oimd, &pomd) != SETPAY_OK ||
        !setpay_digest_equal(&pomd, &p->pomd)) {
        setpay_audit_find(audit, p->xid_text,
                          "its POMD is not the one of its instruction and the merchant's order");
        return;
    }
    struct setpay_certificate *cardholder =
        setpay_audit_kept(audit, p, json, "cardholder_certificate", "cardholder",
                          SETPAY_PROFILE_CARDHOLDER_SIGN, &p->cardholder);
    if (cardholder == NULL)
        return;
    struct setpay_view ds =
        setpay_view_of(request->dual_signature.bytes, request->dual_signature.size);
    if (setpay_dual_verify(setpay_certificate_key(cardholder), SETPAY_SUITE, &p->cardholder, &pomd,
                           ds) != SETPAY_OK)
        setpay_audit_find(audit, p->xid_text, "the cardholder has not signed its POMD");
    setpay_certificate_unref(cardholder);
}

/* The merchant whose payment it is has signed the request: under a certificate that is kept. */
static bool is_signed(struct setpay_audit *audit, const struct setpay_audit_row *p,
                      const json_t *certificates, const json_t *request,
                      enum setpay_message_type type, const struct setpay_digest *signer,
                      struct setpay_view content, bool *believed)
{
    char member[SETPAY_DIGEST_TEXT_SIZE];
    struct setpay_secret signature = {0};
    struct setpay_message message = {.type = type,
                                     .suite = SETPAY_SUITE,
                                     .content = content,
                                     .is_signed = true,
                                     .signer = *signer};
    struct setpay_certificate *merchant =
        setpay_audit_kept(audit, p, certificates, setpay_digest_format(signer, member), "merchant",
                          SETPAY_PROFILE_MERCHANT_SIGN, signer);
    *believed = merchant != NULL; /* else it is said what is wrong with it */
    if (merchant == NULL)
        return false;
    bool there =
        setpay_audit_take_bytes(request, "signature", SETPAY_WIRE_SIGNATURE_MAX, &signature);
    message.signature = setpay_secret_view(&signature);
    bool is_good = there && strcmp(setpay_certificate_id(merchant), p->merchant_id) == 0 &&
                   setpay_message_verify(&message, merchant) == SETPAY_OK;
    setpay_secret_clear(&signature);
    setpay_certificate_unref(merchant);
    return is_good;
}

static void check_merchant_signature(struct setpay_audit *audit, const struct setpay_audit_row *p,
                                     const struct authorisation *a, const json_t *json,
                                     const json_t *kept_request, struct setpay_view content)
{
    bool believed;
    if (!is_signed(audit, p, json_object_get(json, "certificates"), kept_request,
                   SETPAY_MESSAGE_AUTH_REQ, &a->asked_by, content, &believed) &&
        believed)
        setpay_audit_find(audit, p->xid_text,
                          "the merchant has not signed the request %lld as it is",
                          (long long)a->number);
}

static bool is_type(const json_t *request, enum setpay_message_type type)
{
    const char *name = json_string_value(json_object_get(request, "type"));
    return name != NULL && strcmp(name, setpay_message_type_name(type)) == 0;
}

/* Whether this kept request is the one of that authorisation; then it is checked. */
static bool check_request(struct setpay_audit *audit, const struct setpay_audit_row *p,
                          const struct authorisation *a, const json_t *json,
                          const json_t *kept_request)
{
    struct setpay_secret content = {0};
    struct setpay_auth_req request;
    bool is_it =
        is_type(kept_request, SETPAY_MESSAGE_AUTH_REQ) &&
        setpay_audit_take_bytes(kept_request, "content", SETPAY_LIMIT_CONTENT_BYTES, &content) &&
        setpay_auth_req_parse(setpay_secret_view(&content), &request) == SETPAY_OK &&
        setpay_id_equal(&request.header.rrpid, &a->rrpid);
    if (is_it) {
        check_merchant_signature(audit, p, a, json, kept_request, setpay_secret_view(&content));
        check_request_fields(audit, p, a, &request);
        check_dual_signature(audit, p, json, &request);
    }
    setpay_secret_clear(&content);
    return is_it;
}

/* Each authorisation was asked for by a request that is kept. */
static void check_authorisations(struct setpay_audit *audit, const struct setpay_audit_row *p,
                                 const json_t *json)
{
    size_t index, at;
    const json_t *one, *kept_request;
    json_array_foreach(json_object_get(json, "authorisations"), index, one)
    {
        struct authorisation a;
        bool found = false;
        if (!read_authorisation(one, &a) || a.number != (json_int_t)index + 1) {
            setpay_audit_find(audit, p->xid_text,
                              "its authorisations are not numbered from 1 without a gap");
            continue;
        }
        json_array_foreach(json_object_get(json, "requests"), at, kept_request)
        {
            if (!found)
                found = check_request(audit, p, &a, json, kept_request);
        }
        if (!found)
            setpay_audit_find(audit, p->xid_text,
                              "the merchant's request %lld is not kept, or can't be read",
                              (long long)a.number);
    }
}

/* ------------------------------------------------------------------ what else was asked for */

/* What is read of a request of any other type. */
struct other {
    struct setpay_audit_asked asked;
    struct setpay_id xid;
    char brand[SETPAY_WIRE_BRAND_MAX + 1], merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_signed_cancellation word; /* of an AuthCanReq */
};

/* The one step of it that is of this payment; of another xid where there is none. */
static bool read_steps(struct setpay_view content, const struct setpay_id *xid, struct other *other)
{
    struct setpay_step_req request;
    if (setpay_step_req_parse(content, &request) != SETPAY_OK)
        return false;
    const struct setpay_step *step = &request.steps[0];
    for (size_t i = 1; i < request.step_count && !setpay_id_equal(&step->xid, xid); i++)
        step = &request.steps[i];
    other->asked.rrpid = request.header.rrpid;
    other->asked.of = step->of;
    other->asked.amount = step->amount;
    other->xid = step->xid;
    memcpy(other->brand, request.brand, sizeof other->brand);
    memcpy(other->merchant_id, request.merchant_id, sizeof other->merchant_id);
    setpay_step_req_clear(&request);
    return true;
}

static bool read_reversal(struct setpay_view content, struct other *other)
{
    struct setpay_auth_rev_req request;
    if (setpay_auth_rev_req_parse(content, &request) != SETPAY_OK)
        return false;
    other->asked.rrpid = request.header.rrpid;
    other->asked.of = request.cap_token;
    other->asked.amount = request.amount;
    other->xid = request.xid;
    memcpy(other->brand, request.brand, sizeof other->brand);
    memcpy(other->merchant_id, request.merchant_id, sizeof other->merchant_id);
    return true;
}

static bool read_cancellation(struct setpay_view content, struct other *other)
{
    struct setpay_auth_can_req request;
    if (setpay_auth_can_req_parse(content, &request) != SETPAY_OK)
        return false;
    other->asked.rrpid = request.header.rrpid;
    other->xid = request.xid;
    other->word = request.cancellation;
    memcpy(other->brand, request.brand, sizeof other->brand);
    memcpy(other->merchant_id, request.merchant_id, sizeof other->merchant_id);
    return true;
}

static bool read_other(struct setpay_view content, const struct setpay_id *xid, struct other *other)
{
    switch (other->asked.type) {
    case SETPAY_MESSAGE_AUTH_REV_REQ:
        return read_reversal(content, other);
    case SETPAY_MESSAGE_AUTH_CAN_REQ:
        return read_cancellation(content, other);
    default:
        return read_steps(content, xid, other);
    }
}

/* The cardholder's word in an AuthCanReq. */
static void check_word(struct setpay_audit *audit, const struct setpay_audit_row *p,
                       const json_t *json, const struct setpay_signed_cancellation *word)
{
    struct setpay_cancellation expected = {.xid = p->xid,
                                           .cardholder = p->cardholder,
                                           .gateway_sign = p->gateway_sign,
                                           .pomd = p->pomd,
                                           .date_ms = INT64_MAX / 2}; /* whenever it was */
    struct setpay_certificate *cardholder =
        setpay_audit_kept(audit, p, json, "cardholder_certificate", "cardholder",
                          SETPAY_PROFILE_CARDHOLDER_SIGN, &p->cardholder);
    if (cardholder == NULL)
        return;
    (void)snprintf(expected.brand, sizeof expected.brand, "%s", p->brand);
    (void)snprintf(expected.merchant_id, sizeof expected.merchant_id, "%s", p->merchant_id);
    if (setpay_cancellation_check(word, cardholder, &expected) != SETPAY_OK)
        setpay_audit_find(audit, p->xid_text,
                          "the cardholder has not signed the end of the agreement as it is");
    setpay_certificate_unref(cardholder);
}

static bool is_there_before(const struct setpay_audit_asked_list *list,
                            const struct setpay_audit_asked *asked)
{
    for (size_t i = 0; i < list->count; i++)
        if (setpay_id_equal(&list->all[i].rrpid, &asked->rrpid))
            return true;
    return false;
}

/* What is wrong with a request that could be read, in words; NULL: nothing. */
static const char *find_wrong(struct setpay_audit *audit, const struct setpay_audit_row *p,
                              const json_t *json, const json_t *request, const struct other *other,
                              struct setpay_view content,
                              const struct setpay_audit_asked_list *list)
{
    struct setpay_digest signer;
    bool believed = true;
    if (!setpay_id_equal(&other->xid, &p->xid))
        return "is of another payment";
    if (strcmp(other->brand, p->brand) != 0 || strcmp(other->merchant_id, p->merchant_id) != 0)
        return "is of another merchant";
    if (!setpay_audit_take_digest(request, "signer", &signer) ||
        !is_signed(audit, p, json_object_get(json, "certificates"), request, other->asked.type,
                   &signer, content, &believed))
        return believed ? "is not signed by the merchant as it is"
                        : "is signed under a certificate that is not good";
    return is_there_before(list, &other->asked) ? "is kept twice" : NULL;
}

static void look_at_other(struct setpay_audit *audit, const struct setpay_audit_row *p,
                          const json_t *json, const json_t *request, enum setpay_message_type type,
                          struct setpay_audit_asked_list *list)
{
    struct setpay_secret content = {0};
    struct other other = {.asked = {.type = type}};
    const char *wrong = NULL;
    char rrpid[SETPAY_ID_TEXT_SIZE] = "";
    if (!setpay_audit_take_bytes(request, "content", SETPAY_LIMIT_CONTENT_BYTES, &content) ||
        !read_other(setpay_secret_view(&content), &p->xid, &other))
        wrong = "can't be read";
    else
        wrong = find_wrong(audit, p, json, request, &other, setpay_secret_view(&content), list);
    if (wrong != NULL)
        setpay_audit_find(audit, p->xid_text, "a request that is kept (%s %s) %s",
                          setpay_message_type_name(type),
                          setpay_id_format(&other.asked.rrpid, rrpid), wrong);
    else
        list->all[list->count++] = other.asked;
    if (wrong == NULL && type == SETPAY_MESSAGE_AUTH_CAN_REQ)
        check_word(audit, p, json, &other.word);
    setpay_secret_clear(&content);
}

enum setpay_error setpay_audit_requests(struct setpay_audit *audit,
                                        const struct setpay_audit_row *p, const json_t *payment,
                                        struct setpay_audit_asked_list *list)
{
    static const enum setpay_message_type types[] = {
        SETPAY_MESSAGE_CAP_REQ,      SETPAY_MESSAGE_CRED_REQ,     SETPAY_MESSAGE_CAP_REV_REQ,
        SETPAY_MESSAGE_CRED_REV_REQ, SETPAY_MESSAGE_AUTH_REV_REQ, SETPAY_MESSAGE_AUTH_CAN_REQ,
    };
    enum { TYPES = sizeof types / sizeof *types };
    const json_t *requests = json_object_get(payment, "requests"), *request;
    size_t index, authorisations = 0;
    list->count = 0;
    list->all = calloc(json_array_size(requests) + 1, sizeof *list->all);
    if (list->all == NULL)
        return SETPAY_E_NOMEM;
    check_authorisations(audit, p, payment);
    json_array_foreach(requests, index, request)
    {
        size_t type = 0;
        while (type < TYPES && !is_type(request, types[type]))
            type++;
        if (type < TYPES)
            look_at_other(audit, p, payment, request, types[type], list);
        else if (is_type(request, SETPAY_MESSAGE_AUTH_REQ))
            authorisations++;
        else
            setpay_audit_find(audit, p->xid_text, "a request of no type is kept: %.40s",
                              json_string_value(json_object_get(request, "type")));
    }
    if (authorisations > json_array_size(json_object_get(payment, "authorisations")))
        setpay_audit_find(audit, p->xid_text,
                          "more requests for authorisations are kept (%zu) than there were",
                          authorisations);
    return SETPAY_OK;
}

bool setpay_audit_use_asked(struct setpay_audit_asked_list *list, enum setpay_message_type type,
                            const struct setpay_id *of, const struct setpay_money *amount)
{
    for (size_t i = 0; i < list->count; i++) {
        struct setpay_audit_asked *asked = &list->all[i];
        if (asked->used || asked->type != type ||
            (of != NULL && !setpay_id_equal(&asked->of, of)) ||
            (amount != NULL && !setpay_money_equal(&asked->amount, amount)))
            continue;
        asked->used = true;
        return true;
    }
    return false;
}
