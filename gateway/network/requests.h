/*
 * The messages that the gateway sends to an issuer, and its judgement of the answers: pure
 * functions between our structs and ISO 8583. docs/iso8583.md lists the fields.
 */
#ifndef SETPAY_GATEWAY_NETWORK_REQUESTS_H
#define SETPAY_GATEWAY_NETWORK_REQUESTS_H

#include "gateway/network/iso8583.h"
#include "gateway/network/network.h"

/* Field 70 */
#define SETPAY_MANAGEMENT_SIGN_ON 1
#define SETPAY_MANAGEMENT_SIGN_OFF 2
#define SETPAY_MANAGEMENT_ECHO 301

/* Who is asking: the same in every message. */
struct setpay_request_sender {
    char acquirer_id[12];
    char terminal_id[9];
};

/* Each builds one frame into *frame, which must be empty. SETPAY_E_FIELD for a value that the
 * message can't carry, SETPAY_E_NOMEM. The request's secrets stay where they are. */
/* 0100, 0200, or 0120 where it has an approval code. */
enum setpay_error
setpay_request_build_authorisation(const struct setpay_request_sender *sender,
                                   const struct setpay_network_authorisation *request,
                                   struct setpay_secret *frame) SETPAY_MUST_CHECK;
/* 0400, or 0420; trace is the reversal's own. */
enum setpay_error setpay_request_build_reversal(const struct setpay_request_sender *sender,
                                                const struct setpay_network_trace *trace,
                                                const struct setpay_network_reversal *reversal,
                                                struct setpay_secret *frame) SETPAY_MUST_CHECK;
/* 0220; trace is the presentment's own. */
enum setpay_error
setpay_request_build_presentment(const struct setpay_request_sender *sender,
                                 const struct setpay_network_trace *trace,
                                 const struct setpay_network_presentment *presentment,
                                 struct setpay_secret *frame) SETPAY_MUST_CHECK;
/* 0500; trace is its own. */
enum setpay_error
setpay_request_build_reconciliation(const struct setpay_request_sender *sender,
                                    const struct setpay_network_trace *trace,
                                    const struct setpay_network_reconciliation *reconciliation,
                                    struct setpay_secret *frame) SETPAY_MUST_CHECK;
/* Turns the frame of an 0120, 0400, 0420, 0220 or 0500 into that of its repeat: 0401, … */
void setpay_request_mark_repeat(struct setpay_secret *frame);
/* 0800 with field 70 = code. */
enum setpay_error setpay_request_build_management(const struct setpay_network_trace *trace,
                                                  unsigned code,
                                                  struct setpay_secret *frame) SETPAY_MUST_CHECK;

/* True when the answer carries the trace number, the transmission time and the local date and time
 * of this request: what makes an answer of an earlier use of the number another one. */
bool setpay_answer_matches(const struct setpay_iso_message *answer,
                           const struct setpay_network_trace *trace);
/* Whether an answer that matches is about the same thing: field 37 is rrn, the currency is asked's,
 * and fields 32 and 41, where it has them, name the asker. SETPAY_E_FIELD. */
enum setpay_error setpay_answer_check_subject(const struct setpay_iso_message *answer,
                                              const struct setpay_request_sender *sender,
                                              const char *rrn,
                                              const struct setpay_money *asked) SETPAY_MUST_CHECK;
/* Reads an 0110 or 0210, once checked, to a request of this trace and amount. SETPAY_E_FIELD where
 * a field is missing, and where the answer approves more than was asked, less without saying "10",
 * or without an approval code; *read is then untouched. */
enum setpay_error setpay_answer_read_authorisation(
    const struct setpay_iso_message *answer, const struct setpay_network_trace *trace,
    const struct setpay_money *asked, struct setpay_network_answer *read) SETPAY_MUST_CHECK;

#endif
