/*
 * The checks that every party makes on every message after its signature: sender, receiver, date,
 * and that an answer is the answer to one's own question. Pure functions.
 */
#ifndef SETPAY_WIRE_CHECKS_H
#define SETPAY_WIRE_CHECKS_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/wire/messages.h"
#include "common/wire/signed.h"

#include <stdbool.h>

/* Rule A2: the header names the message's signer as sender (nobody where it is unsigned), and us as
 * receiver: receiver (our signing certificate's thumbprint) where the header names one, otherwise
 * name (our host for PInitReq, letter case apart; our gateway id for PCertReq); the one that the
 * caller gives as NULL is not accepted. SETPAY_E_SENDER, SETPAY_E_RECEIVER. */
enum setpay_error setpay_request_check(const struct setpay_message *message,
                                       const struct setpay_request_header *header,
                                       const struct setpay_digest *receiver,
                                       const char *name) SETPAY_MUST_CHECK;

/* Rule A5: at most SETPAY_LIMIT_DATE_TOLERANCE_MS off, either way. SETPAY_E_DATE. */
enum setpay_error setpay_date_check(setpay_time_ms date_ms,
                                    setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Rule A5: an offer or instruction is good up to and including its expiry. SETPAY_E_EXPIRED. */
enum setpay_error setpay_expiry_check(setpay_time_ms expiry_ms,
                                      setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* What the asker remembers of its request. */
struct setpay_asked {
    struct setpay_id rrpid;
    struct setpay_digest request_hash;
    bool has_answerer; /* false only for PInitReq, where the host's certificate decides (W1) */
    struct setpay_digest answerer; /* whose signing certificate must sign the answer */
    bool has_asker;                /* false only for PInitReq */
    struct setpay_digest asker;    /* our own thumbprint, the request's sender */
};

/* Rule A4, the part that all answers share; ids, challenge and parties of the content are compared
 * by who reads it. SETPAY_E_ANSWER_SIGNER (not signed by the sender it names, or by another than
 * was asked), SETPAY_E_ANSWER_IDS (rrpid), SETPAY_E_ANSWER_REQUEST (request hash),
 * SETPAY_E_ANSWER_PARTIES (receiver). */
enum setpay_error setpay_answer_check(const struct setpay_message *message,
                                      const struct setpay_response_header *header,
                                      const struct setpay_asked *asked) SETPAY_MUST_CHECK;

/* An Error in place of an answer: whether it is one to our request, and what it means here.
 * SETPAY_E_ANSWER_REQUEST where it names another request (H("raw", sent) stands for ours too, from
 * a peer that could not read it), SETPAY_E_ANSWER_SIGNER where it names a sender who isn't its
 * signer or was not asked; otherwise the error of setpay_error_from_wire. Never SETPAY_OK. The
 * caller has verified the signature, if there is one; an unsigned Error is anybody's word. */
enum setpay_error setpay_error_report_meaning(const struct setpay_message *message,
                                              const struct setpay_error_report *report,
                                              const struct setpay_asked *asked,
                                              const struct setpay_digest *raw) SETPAY_MUST_CHECK;

#endif
