/*
 * The merchant's half of the protocol without I/O: what a message must be for rules M1 to M9 to
 * hold, what an answer of the gateway means, and the contents of what the merchant sends. Time,
 * random values and records come in as parameters.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_RULES_H
#define SETPAY_MERCHANT_PAYMENT_RULES_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/pki/certificate.h"
#include "common/wire/messages.h"
#include "merchant/payment/payment_store.h"
#include "merchant/payment/purchase_state.h"
#include "merchant/payment/step.h"

#include <stdbool.h>
#include <stdint.h>

/* ------------------------------------------------------------------ PReq */

/* What PReq is held against: the offer as it was sent, and the digest of its content. */
struct setpay_offered {
    struct setpay_pinit_res message;
    struct setpay_digest digest;
};
/* Reads a stored offer. *offered is taken for uninitialised; clear it after SETPAY_OK. */
enum setpay_error setpay_merchant_offered_read(const struct setpay_merchant_offer *offer,
                                               struct setpay_offered *offered) SETPAY_MUST_CHECK;
void setpay_merchant_offered_clear(struct setpay_offered *offered);

/* Rule M1: challenges, names and digest are the offer's (SETPAY_E_OFFER_MISMATCH), which has not
 * expired (rule A5, SETPAY_E_EXPIRED). */
enum setpay_error setpay_merchant_offer_check(const struct setpay_offered *offered,
                                              const struct setpay_oi *oi,
                                              setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Rule M3: brand, amount, terms, merchant and gateway are the offer's, and the instruction lives an
 * hour at most (SETPAY_E_ORDER_MISMATCH); it has not expired (rule A5, SETPAY_E_EXPIRED). */
enum setpay_error setpay_merchant_order_check(const struct setpay_offered *offered,
                                              const struct setpay_oi *oi,
                                              setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* The purchase that a checked PReq makes, in the state after SETPAY_PURCHASE_PREQ. */
struct setpay_merchant_preq {
    const struct setpay_preq *preq;
    const struct setpay_oi *oi;
    const struct setpay_offered *offered;
    const struct setpay_digest *oimd;
    const struct setpay_digest *pomd;
    const struct setpay_digest *request_hash;
    setpay_time_ms order_expires_ms;
    int64_t first_minor; /* to ask for at first */
    bool sale;           /* to be captured at once */
};
enum setpay_error
setpay_merchant_purchase_make(const struct setpay_merchant_preq *from, setpay_time_ms now_ms,
                              struct setpay_merchant_purchase *purchase) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ asking the gateway */

/* What to ask in this state; SETPAY_E_STATE where nothing is to be asked. In state LEARNING it is
 * any AuthReq that was sent before. */
enum setpay_error setpay_merchant_ask_kind(enum setpay_purchase_state state,
                                           enum setpay_ask_kind *kind) SETPAY_MUST_CHECK;
/* Rule M9: true where an AuthReq that was not answered should be given up. */
bool setpay_merchant_is_over(const struct setpay_merchant_purchase *purchase,
                             setpay_time_ms now_ms);

/* Rule M9: true where an Error to the void of a purchase shows that the gateway has not booked its
 * instruction, and the time in which it could is over. The gateway looks for a booking first, so
 * that only its refusal of the instruction itself counts: signed_by_gateway says that the very
 * certificate signed it that the request named, so that it is not the request that was refused;
 * cardholder_ended, that the cardholder's certificate is revoked or expired and ours is not. */
bool setpay_merchant_is_lapsed(const struct setpay_merchant_purchase *purchase, uint32_t wire_code,
                               bool signed_by_gateway, bool cardholder_ended,
                               setpay_time_ms now_ms);

/* Contents. merchant_id: ours. Their thumbs stay empty. */
void setpay_merchant_auth_req_fill(const struct setpay_merchant_purchase *purchase,
                                   const char *merchant_id, enum setpay_auth_intent intent,
                                   const struct setpay_id *rrpid, setpay_time_ms now_ms,
                                   struct setpay_auth_req *request);
void setpay_merchant_auth_rev_req_fill(const struct setpay_merchant_purchase *purchase,
                                       const char *merchant_id, const struct setpay_id *rrpid,
                                       setpay_time_ms now_ms, struct setpay_auth_rev_req *request);

/* What an Error from the gateway means for a request; wire_code: enum setpay_wire_code, or one that
 * is not known here. */
enum setpay_gateway_word {
    SETPAY_WORD_LATER,        /* the same request again, after a while */
    SETPAY_WORD_CERTIFICATES, /* again, with all certificates beside */
    SETPAY_WORD_RENEW,        /* refused for its date: the same wish under a new rrpid */
    SETPAY_WORD_USED,         /* another request decided on the instruction: learn what */
    SETPAY_WORD_NEXT,         /* try the next request that was sent before */
    SETPAY_WORD_GIVE_UP,      /* never to be authorised so: void it */
};
enum setpay_gateway_word setpay_merchant_word(enum setpay_purchase_state state, uint32_t wire_code);

/* ------------------------------------------------------------------ the gateway's answers */

/* Rule M6: xid, brand, merchant, cardholder, encryption certificate and POMD are our own record's,
 * and outcome, amount and receipt agree with each other and with what was asked.
 * SETPAY_E_AUTH_MISMATCH. Rule A4's part is setpay_answer_check's. */
enum setpay_error
setpay_merchant_auth_res_check(const struct setpay_merchant_purchase *purchase,
                               const char *merchant_id, enum setpay_ask_kind asked,
                               const struct setpay_auth_res *answer) SETPAY_MUST_CHECK;
/* The same for a further authorisation, asked for by a step, and for AuthCanRes. */
enum setpay_error
setpay_merchant_further_res_check(const struct setpay_merchant_purchase *purchase,
                                  const char *merchant_id, const struct setpay_merchant_step *step,
                                  const struct setpay_auth_res *answer) SETPAY_MUST_CHECK;
enum setpay_error
setpay_merchant_auth_can_res_check(const struct setpay_merchant_purchase *purchase,
                                   const char *merchant_id,
                                   const struct setpay_auth_can_res *answer) SETPAY_MUST_CHECK;
/* The event of a checked answer. An approval of another amount than was asked is
 * SETPAY_PURCHASE_EXCESS, or of a sale SETPAY_PURCHASE_OVERSOLD: all of it is reversed. */
enum setpay_purchase_event
setpay_merchant_auth_res_event(const struct setpay_merchant_purchase *purchase,
                               const struct setpay_auth_res *answer);
/* The purchase after it. Errors of setpay_purchase_state_next. */
enum setpay_error
setpay_merchant_auth_res_apply(const struct setpay_auth_res *answer, setpay_time_ms now_ms,
                               struct setpay_merchant_purchase *purchase) SETPAY_MUST_CHECK;

/* The same for AuthRevRes: so much of the authorisation is given up, and so much of it is held
 * then. SETPAY_E_AUTH_MISMATCH. */
enum setpay_error
setpay_merchant_auth_rev_res_check(const struct setpay_merchant_purchase *purchase,
                                   const char *merchant_id, int64_t given_up_minor,
                                   int64_t left_minor,
                                   const struct setpay_auth_rev_res *answer) SETPAY_MUST_CHECK;
enum setpay_error
setpay_merchant_auth_rev_res_apply(setpay_time_ms now_ms,
                                   struct setpay_merchant_purchase *purchase) SETPAY_MUST_CHECK;

/* The gateway's two certificates, verified by rule A3, are one of each purpose, for the gateway of
 * that id. SETPAY_E_GATEWAY_CERTS. */
enum setpay_error
setpay_merchant_gateway_check(const char *gateway_id, const struct setpay_certificate *sign,
                              const struct setpay_certificate *encrypt) SETPAY_MUST_CHECK;

/* Rule A6: until when the answer to a PInitReq is kept. Anybody who holds a link can ask for any
 * number of them, so not longer than rule A5 could take the request for new, and the offer lives.
 */
setpay_time_ms setpay_merchant_offer_answer_until(const struct setpay_merchant_offer *offer);

/* ------------------------------------------------------------------ what the wallet is told */

/* The merchant's word on a purchase in this state. */
enum setpay_purchase_status setpay_merchant_status(const struct setpay_merchant_purchase *purchase);
/* Receipts go with it: not while the outcome that they prove is being undone. */
bool setpay_merchant_shows_receipts(const struct setpay_merchant_purchase *purchase);
/* A sale that came after it was given up, or of another amount than was asked: it is being taken
 * back, and nobody was told of it. */
bool setpay_merchant_is_unwanted(const struct setpay_merchant_purchase *purchase);
/* Whether PRes is to be made now: the first outcome that stands. */
bool setpay_merchant_is_answerable(const struct setpay_merchant_purchase *purchase);
/* All of PRes or InqRes but its receipts (must be empty). header's rrpid and request_hash are the
 * request's. */
void setpay_merchant_pres_fill(const struct setpay_merchant_purchase *purchase,
                               const char *merchant_id, const struct setpay_id *rrpid,
                               const struct setpay_digest *request_hash,
                               const struct setpay_digest *challenge, setpay_time_ms now_ms,
                               struct setpay_pres *message);

/* Rule M8: the inquirer is whose certificate signed DS. SETPAY_E_NOT_CARDHOLDER. */
enum setpay_error
setpay_merchant_inquirer_check(const struct setpay_merchant_purchase *purchase,
                               const struct setpay_digest *signer) SETPAY_MUST_CHECK;

#endif
