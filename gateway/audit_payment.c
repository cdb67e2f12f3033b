/*
 * One payment under audit: what the merchant asked for, that the cardholder has signed it (the dual
 * signature over POMD, which is computed again), and the gateway's receipts from the first to the
 * last, with the steps that they are of, the requests by which these were asked for, and what all
 * of it comes to.
 *
 * Certificates were verified when they were used, and may have ended or been revoked since; here it
 * is asked whether the right authority has issued them. No card number is at hand, and none is
 * needed: the cardholder's signature covers PIMD, a digest of the instruction.
 */
#include "gateway/audit_payment.h"

#include "common/base/noun.h"
#include "common/crypto/base64.h"
#include "common/net/identity.h"
#include "common/net/party_files.h"
#include "common/wire/receipt.h"
#include "common/wire/signed.h"
#include "gateway/payment/step.h"
#include "gateway/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EARLIER_MAX 64

bool setpay_audit_take_digest(const json_t *json, const char *name, struct setpay_digest *digest)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text != NULL && setpay_digest_parse(text, digest) == SETPAY_OK;
}

bool setpay_audit_take_id(const json_t *json, const char *name, struct setpay_id *id)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text != NULL && setpay_id_parse(text, id) == SETPAY_OK;
}

int64_t setpay_audit_take_int(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static bool read_row(const json_t *json, struct setpay_audit_row *p)
{
    const char *currency = json_string_value(json_object_get(json, "currency"));
    const json_t *terms = json_object_get(json, "terms");
    p->xid_text = json_string_value(json_object_get(json, "xid"));
    p->brand = json_string_value(json_object_get(json, "brand"));
    p->merchant_id = json_string_value(json_object_get(json, "merchant_id"));
    p->amount.minor = setpay_audit_take_int(json, "signed");
    p->terms = (struct setpay_terms){
        .kind = (enum setpay_terms_kind)setpay_audit_take_int(terms, "kind"),
        .count = (uint32_t)setpay_audit_take_int(terms, "count"),
        .interval_days = (uint32_t)setpay_audit_take_int(terms, "interval_days"),
        .each_minor = setpay_audit_take_int(terms, "each"),
        .end_ms = setpay_audit_take_int(terms, "end_ms"),
    };
    if (currency != NULL)
        (void)snprintf(p->amount.currency, sizeof p->amount.currency, "%s", currency);
    return currency != NULL && p->brand != NULL && p->merchant_id != NULL &&
           setpay_audit_take_id(json, "xid", &p->xid) &&
           setpay_audit_take_digest(json, "pimd", &p->pimd) &&
           setpay_audit_take_digest(json, "pomd", &p->pomd) &&
           setpay_audit_take_digest(json, "cardholder", &p->cardholder) &&
           setpay_audit_take_digest(json, "merchant", &p->merchant) &&
           setpay_audit_take_digest(json, "gateway_sign", &p->gateway_sign) &&
           setpay_audit_take_digest(json, "last_receipt", &p->last_receipt);
}

bool setpay_audit_take_bytes(const json_t *json, const char *name, size_t max,
                             struct setpay_secret *bytes)
{
    const json_t *text = json_object_get(json, name);
    return json_is_string(text) &&
           setpay_base64_decode(setpay_view_of(json_string_value(text), json_string_length(text)),
                                max, bytes) == SETPAY_OK;
}

/* ------------------------------------------------------------------ certificates */

/* A reference to one that was believed as this before; NULL. */
static struct setpay_certificate *recall(const struct setpay_audit *audit, struct setpay_view der,
                                         enum setpay_profile profile, const char *brand)
{
    for (size_t i = 0; i < SETPAY_AUDIT_BELIEVED; i++) {
        const struct setpay_audit_believed *b = &audit->believed[i];
        if (b->certificate != NULL && b->profile == profile && strcmp(b->brand, brand) == 0 &&
            setpay_view_equal(setpay_certificate_der(b->certificate), der))
            return setpay_certificate_ref(b->certificate);
    }
    return NULL;
}

static void remember(struct setpay_audit *audit, struct setpay_certificate *certificate,
                     enum setpay_profile profile, const char *brand)
{
    struct setpay_audit_believed *b =
        &audit->believed[audit->believed_count++ % SETPAY_AUDIT_BELIEVED];
    setpay_certificate_unref(b->certificate);
    b->profile = profile;
    (void)snprintf(b->brand, sizeof b->brand, "%s", brand);
    b->certificate = setpay_certificate_ref(certificate);
}

void setpay_audit_forget_believed(struct setpay_audit *audit)
{
    for (size_t i = 0; i < SETPAY_AUDIT_BELIEVED; i++) {
        setpay_certificate_unref(audit->believed[i].certificate);
        audit->believed[i].certificate = NULL;
    }
}

enum setpay_error setpay_audit_believe(struct setpay_audit *audit, struct setpay_view der,
                                       enum setpay_profile profile, const char *brand,
                                       struct setpay_certificate **certificate)
{
    *certificate = recall(audit, der, profile, brand);
    if (*certificate != NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_trust_verify_issued(audit->trust, der, NULL, 0, profile, brand, audit->now_ms,
                                          certificate));
    remember(audit, *certificate, profile, brand);
    return SETPAY_OK;
}

/* Believes a certificate that was kept: of that thumbprint, issued for that profile and brand. NULL
 * with a finding where it does not hold. */
static struct setpay_certificate *believe(struct setpay_audit *audit,
                                          const struct setpay_audit_row *p, struct setpay_view der,
                                          const char *whose, enum setpay_profile profile,
                                          const struct setpay_digest *thumbprint)
{
    struct setpay_certificate *certificate = NULL;
    enum setpay_error error = setpay_audit_believe(audit, der, profile, p->brand, &certificate);
    if (error != SETPAY_OK) {
        setpay_audit_find(audit, p->xid_text, "the certificate of the %s is not good: %s", whose,
                          setpay_error_text(error));
        return NULL;
    }
    if (setpay_digest_equal(setpay_certificate_thumbprint(certificate), thumbprint))
        return certificate;
    setpay_audit_find(audit, p->xid_text, "the certificate of the %s is not the one of the payment",
                      whose);
    setpay_certificate_unref(certificate);
    return NULL;
}

struct setpay_certificate *setpay_audit_kept(struct setpay_audit *audit,
                                             const struct setpay_audit_row *p, const json_t *json,
                                             const char *member, const char *whose,
                                             enum setpay_profile profile,
                                             const struct setpay_digest *thumbprint)
{
    struct setpay_secret der = {0};
    struct setpay_certificate *certificate = NULL;
    if (setpay_audit_take_bytes(json, member, SETPAY_LIMIT_CERTIFICATE_BYTES, &der))
        certificate = believe(audit, p, setpay_secret_view(&der), whose, profile, thumbprint);
    else
        setpay_audit_find(audit, p->xid_text, "the certificate of the %s is not kept", whose);
    setpay_secret_clear(&der);
    return certificate;
}

/* A file's certificate, where it is that one. */
static struct setpay_certificate *read_own(const char *path, const struct setpay_digest *thumbprint)
{
    struct setpay_problem ignored;
    struct setpay_certificate *certificate = NULL;
    if (setpay_identity_read_certificate(path, &certificate, &ignored) != SETPAY_OK)
        return NULL;
    if (setpay_digest_equal(setpay_certificate_thumbprint(certificate), thumbprint))
        return certificate;
    setpay_certificate_unref(certificate);
    return NULL;
}

/* Ours, out of the files of the configuration: in use, or earlier. */
static struct setpay_certificate *find_own(const struct setpay_audit *audit,
                                           const struct setpay_audit_row *p)
{
    char section[SETPAY_WIRE_BRAND_MAX + sizeof "brand "];
    struct setpay_party_files files;
    struct setpay_problem ignored;
    (void)snprintf(section, sizeof section, "brand %s", p->brand);
    const char *path = setpay_config_text(audit->config, section, "sign_cert");
    const char *key = setpay_config_text(audit->config, section, "sign_key");
    if (path == NULL || key == NULL)
        return NULL;
    struct setpay_certificate *found = read_own(path, &p->gateway_sign);
    struct setpay_party_earlier *earlier = calloc(EARLIER_MAX, sizeof *earlier);
    if (found == NULL && earlier != NULL &&
        setpay_party_files_init(&files, key, path, SETPAY_KEEP_TO_ITS_END, &ignored) == SETPAY_OK) {
        size_t count = setpay_party_files_earlier(&files, earlier, EARLIER_MAX);
        for (size_t i = 0; found == NULL && i < count; i++)
            found = read_own(earlier[i].certificate, &p->gateway_sign);
    }
    free(earlier);
    return found;
}

/* The gateway's certificate: its file goes when it ends, so that it is kept with the payment. */
static struct setpay_certificate *
own_certificate(struct setpay_audit *audit, const struct setpay_audit_row *p, const json_t *json)
{
    const char *id = setpay_config_text(audit->config, "", "id");
    struct setpay_certificate *certificate = NULL;
    if (json_object_get(json, "gateway_certificate") == NULL) {
        struct setpay_certificate *own = find_own(audit, p);
        if (own != NULL)
            certificate = believe(audit, p, setpay_certificate_der(own), "gateway",
                                  SETPAY_PROFILE_GATEWAY_SIGN, &p->gateway_sign);
        else
            setpay_audit_find(audit, p->xid_text,
                              "the certificate of the gateway is neither kept nor in a file");
        setpay_certificate_unref(own);
    } else {
        certificate = setpay_audit_kept(audit, p, json, "gateway_certificate", "gateway",
                                        SETPAY_PROFILE_GATEWAY_SIGN, &p->gateway_sign);
    }
    if (certificate == NULL || strcmp(setpay_certificate_id(certificate), id) == 0)
        return certificate;
    setpay_audit_find(audit, p->xid_text, "its receipts are of the gateway %.40s, expected %s",
                      setpay_certificate_id(certificate), id);
    setpay_certificate_unref(certificate);
    return NULL;
}

/* ------------------------------------------------------------------ receipts and steps */

struct chain {
    const struct setpay_certificate *gateway;
    struct setpay_receipt_expected expected;
    enum setpay_receipt_kind last_kind;
    struct setpay_receipt_sums sums;
    const json_t *steps;
    size_t step; /* the next */
    struct setpay_audit_asked_list *asked;
    size_t not_asked; /* reversals that no request asks for */
};

static enum setpay_receipt_kind kind_of_step(json_int_t kind)
{
    switch (kind) {
    case SETPAY_STEP_CAPTURE:
        return SETPAY_RECEIPT_CAPTURE;
    case SETPAY_STEP_CREDIT:
        return SETPAY_RECEIPT_CREDIT;
    case SETPAY_STEP_CAPTURE_REVERSAL:
        return SETPAY_RECEIPT_CAPTURE_REVERSAL;
    case SETPAY_STEP_CREDIT_REVERSAL:
        return SETPAY_RECEIPT_CREDIT_REVERSAL;
    default:
        return SETPAY_RECEIPT_KINDS;
    }
}

static enum setpay_message_type type_of_step(json_int_t kind)
{
    switch (kind) {
    case SETPAY_STEP_CREDIT:
        return SETPAY_MESSAGE_CRED_REQ;
    case SETPAY_STEP_CAPTURE_REVERSAL:
        return SETPAY_MESSAGE_CAP_REV_REQ;
    case SETPAY_STEP_CREDIT_REVERSAL:
        return SETPAY_MESSAGE_CRED_REV_REQ;
    default:
        return SETPAY_MESSAGE_CAP_REQ;
    }
}

/* Each step by a request of its own, but for the capture of a sale, which its authorisation asks
 * for. */
static void check_steps_asked(struct setpay_audit *audit, const struct setpay_audit_row *p,
                              const json_t *steps, struct setpay_audit_asked_list *asked)
{
    size_t index;
    const json_t *step;
    json_array_foreach(steps, index, step)
    {
        struct setpay_money amount = p->amount;
        struct setpay_id of;
        amount.minor = setpay_audit_take_int(step, "amount");
        if (json_is_true(json_object_get(step, "sale")) ||
            !json_is_true(json_object_get(step, "asked_for")))
            continue;
        if (!setpay_audit_take_id(step, "of", &of) ||
            !setpay_audit_use_asked(asked, type_of_step(setpay_audit_take_int(step, "kind")), &of,
                                    &amount))
            setpay_audit_find(audit, p->xid_text,
                              "step %s: no request of the merchant's for it is kept",
                              json_string_value(json_object_get(step, "step")));
    }
}

/* What was given up of it, and the end of an agreement, were asked for, too. */
static void check_receipt_asked(struct setpay_audit *audit, const struct setpay_audit_row *p,
                                struct chain *chain, const json_t *row,
                                const struct setpay_receipt *receipt)
{
    if (!json_is_true(json_object_get(row, "asked_for")))
        return;
    if (receipt->kind == SETPAY_RECEIPT_REVERSAL &&
        !setpay_audit_use_asked(chain->asked, SETPAY_MESSAGE_AUTH_REV_REQ, NULL, &receipt->amount))
        chain->not_asked++;
    if (receipt->kind == SETPAY_RECEIPT_CANCELLATION &&
        !setpay_audit_use_asked(chain->asked, SETPAY_MESSAGE_AUTH_CAN_REQ, NULL, NULL))
        setpay_audit_find(audit, p->xid_text,
                          "the merchant's request to end the agreement is not kept");
}

/* Steps and their receipts are made together, and so stand in the same order. */
static void match_step(struct setpay_audit *audit, const struct setpay_audit_row *p,
                       struct chain *chain, json_int_t number, const struct setpay_receipt *receipt)
{
    const json_t *step = json_array_get(chain->steps, chain->step);
    if (receipt->kind < SETPAY_RECEIPT_CAPTURE || receipt->kind > SETPAY_RECEIPT_CREDIT_REVERSAL)
        return;
    chain->step++;
    if (step == NULL)
        setpay_audit_find(audit, p->xid_text, "receipt %lld is of a step (%s) that is not there",
                          (long long)number, setpay_receipt_kind_name(receipt->kind));
    else if (kind_of_step(json_integer_value(json_object_get(step, "kind"))) != receipt->kind ||
             json_integer_value(json_object_get(step, "amount")) != receipt->amount.minor)
        setpay_audit_find(audit, p->xid_text,
                          "step %s is of another kind or amount than receipt "
                          "%lld",
                          json_string_value(json_object_get(step, "step")), (long long)number);
}

static void take_receipt(struct setpay_audit *audit, const struct setpay_audit_row *p,
                         struct chain *chain, const json_t *row,
                         const struct setpay_receipt *receipt)
{
    json_int_t number = json_integer_value(json_object_get(row, "number"));
    const char *field = NULL;
    if (json_integer_value(json_object_get(row, "kind")) != (json_int_t)receipt->kind)
        setpay_audit_find(audit, p->xid_text,
                          "receipt %lld says that it is of another kind than "
                          "the one under which it is kept",
                          (long long)number);
    chain->expected.sums = chain->sums;
    if (setpay_receipt_check(receipt, &chain->expected, chain->last_kind, &field) != SETPAY_OK)
        setpay_audit_find(audit, p->xid_text, "receipt %lld does not fit: %s", (long long)number,
                          field != NULL ? field : "kind");
    if (setpay_receipt_sums_add(&chain->sums, receipt) != SETPAY_OK)
        setpay_audit_find(audit, p->xid_text,
                          "receipt %lld is of more than what there was to take or give back",
                          (long long)number);
    match_step(audit, p, chain, number, receipt);
    check_receipt_asked(audit, p, chain, row, receipt);
    chain->last_kind = receipt->kind;
}

static void check_receipt(struct setpay_audit *audit, const struct setpay_audit_row *p,
                          struct chain *chain, const json_t *row)
{
    json_int_t number = json_integer_value(json_object_get(row, "number"));
    struct setpay_secret bytes = {0};
    struct setpay_receipt receipt;
    audit->receipts++;
    if (!setpay_audit_take_bytes(row, "signed", SETPAY_WIRE_RECEIPT_MAX, &bytes))
        setpay_audit_find(audit, p->xid_text, "receipt %lld is empty", (long long)number);
    else if (setpay_receipt_verify(setpay_secret_view(&bytes), chain->gateway, &receipt) !=
             SETPAY_OK)
        setpay_audit_find(audit, p->xid_text,
                          "receipt %lld is not signed by the gateway's key as it is",
                          (long long)number);
    else {
        take_receipt(audit, p, chain, row, &receipt);
        if (setpay_receipt_hash(setpay_secret_view(&bytes), &chain->expected.previous) != SETPAY_OK)
            setpay_audit_find(audit, p->xid_text, "receipt %lld can't be hashed",
                              (long long)number);
    }
    setpay_secret_clear(&bytes);
}

/* What all authorisations say, in one. */
static int64_t total(const json_t *authorisations, const char *member)
{
    size_t index;
    const json_t *one;
    int64_t sum = 0;
    json_array_foreach(authorisations, index, one)
    {
        sum += setpay_audit_take_int(one, member);
    }
    return sum;
}

static void check_sums(struct setpay_audit *audit, const struct setpay_audit_row *p,
                       const struct setpay_receipt_sums *sums, const json_t *authorisations)
{
    long long captured = total(authorisations, "captured");
    long long credited = total(authorisations, "credited");
    long long approved = total(authorisations, "approved");
    long long reversed = total(authorisations, "reversed");
    if (sums->captured_minor != captured || sums->credited_minor != credited)
        setpay_audit_find(audit, p->xid_text,
                          "by its receipts %lld were captured and %lld credited, it says %lld and "
                          "%lld",
                          (long long)sums->captured_minor, (long long)sums->credited_minor,
                          captured, credited);
    if (sums->authorised_minor != 0 &&
        (sums->authorised_minor != approved || sums->reversed_minor != reversed))
        setpay_audit_find(
            audit, p->xid_text,
            "by its receipts %lld were authorised and %lld reversed, it says %lld and "
            "%lld",
            (long long)sums->authorised_minor, (long long)sums->reversed_minor, approved, reversed);
}

static size_t open_releases(const json_t *authorisations)
{
    size_t index, count = 0;
    const json_t *one;
    json_array_foreach(authorisations, index, one)
    {
        count += json_is_true(json_object_get(one, "release_open")) ? 1 : 0;
    }
    return count;
}

static void check_end(struct setpay_audit *audit, const struct setpay_audit_row *p,
                      const struct chain *chain, const json_t *authorisations)
{
    const struct setpay_receipt_sums *sums = &chain->sums;
    size_t steps = json_array_size(chain->steps);
    if (!setpay_digest_equal(&chain->expected.previous, &p->last_receipt))
        setpay_audit_find(audit, p->xid_text,
                          "its newest receipt is not the last one that is kept");
    if (chain->step < steps)
        setpay_audit_find(
            audit, p->xid_text, "%zu of its steps %s no receipt, the first is %s",
            steps - chain->step, setpay_noun((int64_t)(steps - chain->step), "has", "have"),
            json_string_value(json_object_get(json_array_get(chain->steps, chain->step), "step")));
    check_sums(audit, p, sums, authorisations);
    if (sums->authorised_minor == 0 && steps > 0)
        setpay_audit_find(audit, p->xid_text, "it has steps and was never authorised");
    /* What the gateway has given up by itself the merchant may still have to ask for. */
    if (chain->not_asked > open_releases(authorisations))
        setpay_audit_find(audit, p->xid_text,
                          "%zu of its reversals %s asked for by no request that is kept",
                          chain->not_asked - open_releases(authorisations),
                          chain->not_asked - open_releases(authorisations) == 1 ? "is" : "are");
}

static void check_receipts(struct setpay_audit *audit, const struct setpay_audit_row *p,
                           const json_t *json, struct setpay_audit_asked_list *asked)
{
    size_t index;
    const json_t *row;
    const json_t *receipts = json_object_get(json, "receipts");
    struct chain chain = {.steps = json_object_get(json, "steps"), .asked = asked};
    audit->steps += json_array_size(chain.steps);
    if (json_array_size(receipts) == 0 && json_array_size(chain.steps) == 0 &&
        setpay_digest_is_zero(&p->last_receipt))
        return; /* its issuer has not answered yet */
    struct setpay_certificate *gateway = own_certificate(audit, p, json);
    if (gateway == NULL)
        return;
    chain.gateway = gateway;
    chain.expected.xid = p->xid;
    chain.expected.pomd = p->pomd;
    chain.expected.merchant = p->merchant;
    chain.expected.cardholder = p->cardholder;
    chain.expected.gateway_sign = p->gateway_sign;
    chain.expected.amount = p->amount;
    chain.expected.terms = p->terms;
    (void)snprintf(chain.expected.brand, sizeof chain.expected.brand, "%s", p->brand);
    (void)snprintf(chain.expected.merchant_id, sizeof chain.expected.merchant_id, "%s",
                   p->merchant_id);
    json_array_foreach(receipts, index, row)
    {
        check_receipt(audit, p, &chain, row);
    }
    check_end(audit, p, &chain, json_object_get(json, "authorisations"));
    setpay_certificate_unref(gateway);
}

enum setpay_error setpay_audit_payment(struct setpay_audit *audit, const json_t *payment)
{
    struct setpay_audit_row p = {.xid_text = NULL};
    audit->payments++;
    if (!read_row(payment, &p)) {
        setpay_audit_find(audit, p.xid_text, "its row can't be read");
        return SETPAY_OK;
    }
    struct setpay_audit_asked_list asked = {.all = NULL};
    SETPAY_TRY(setpay_audit_requests(audit, &p, payment, &asked));
    check_steps_asked(audit, &p, json_object_get(payment, "steps"), &asked);
    check_receipts(audit, &p, payment, &asked);
    free(asked.all);
    return SETPAY_OK;
}
