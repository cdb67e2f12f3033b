/*
 * Inside the audit of one payment: its row, what its JSON is read by, and what merchants have asked
 * for (audit_requests.c), which its steps and receipts (audit_payment.c) are held to.
 */
#ifndef SETPAY_GATEWAY_AUDIT_PAYMENT_H
#define SETPAY_GATEWAY_AUDIT_PAYMENT_H

#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/base/secret.h"
#include "common/wire/messages.h"
#include "common/wire/signed.h"
#include "gateway/audit.h"

/* The instruction, as its first authorisation's row has it. */
struct setpay_audit_row {
    const char *xid_text;
    struct setpay_id xid;
    const char *brand, *merchant_id;
    struct setpay_money amount; /* that was signed */
    struct setpay_terms terms;
    struct setpay_digest pimd, pomd, cardholder, merchant, gateway_sign, last_receipt;
};

bool setpay_audit_take_digest(const json_t *json, const char *name, struct setpay_digest *digest);
bool setpay_audit_take_id(const json_t *json, const char *name, struct setpay_id *id);
int64_t setpay_audit_take_int(const json_t *json, const char *name);
/* A member in base64; false where there is none, or it is none. bytes must be empty. */
bool setpay_audit_take_bytes(const json_t *json, const char *name, size_t max,
                             struct setpay_secret *bytes);
/* A certificate that was issued for that profile and brand, whatever came of it since. *certificate
 * is a reference for the caller, untouched or NULL on error. Errors of setpay_trust_verify_issued.
 */
enum setpay_error setpay_audit_believe(struct setpay_audit *audit, struct setpay_view der,
                                       enum setpay_profile profile, const char *brand,
                                       struct setpay_certificate **certificate) SETPAY_MUST_CHECK;
/* A kept certificate that is believed (a reference); NULL with a finding where it does not hold. */
struct setpay_certificate *setpay_audit_kept(struct setpay_audit *audit,
                                             const struct setpay_audit_row *p, const json_t *json,
                                             const char *member, const char *whose,
                                             enum setpay_profile profile,
                                             const struct setpay_digest *thumbprint);

/* One thing that a kept request asks for of this payment. */
struct setpay_audit_asked {
    enum setpay_message_type type;
    struct setpay_id rrpid;
    struct setpay_id of; /* as the request names it; of an AuthCanReq nothing */
    struct setpay_money amount;
    bool used; /* a step or a receipt is of it */
};

struct setpay_audit_asked_list {
    struct setpay_audit_asked *all; /* owned */
    size_t count;
};

/* Verifies every request that is kept: the merchant's signature, that it is of this payment, and
 * that it is kept once; of authorisations also what they ask for, and the cardholder's dual
 * signature. *list is what the others ask for, to be freed by the caller. SETPAY_E_NOMEM. */
enum setpay_error setpay_audit_requests(struct setpay_audit *audit,
                                        const struct setpay_audit_row *p, const json_t *payment,
                                        struct setpay_audit_asked_list *list) SETPAY_MUST_CHECK;
/* Whether one that is not used yet asks for so much of that (of and amount NULL: of anything, any
 * amount). It is used then. */
bool setpay_audit_use_asked(struct setpay_audit_asked_list *list, enum setpay_message_type type,
                            const struct setpay_id *of, const struct setpay_money *amount);

#endif
