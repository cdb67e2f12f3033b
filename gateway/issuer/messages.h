/*
 * The issuer's side of ISO 8583: what a request asks of the books, and the answer to it. Pure.
 */
#ifndef SETPAY_GATEWAY_ISSUER_MESSAGES_H
#define SETPAY_GATEWAY_ISSUER_MESSAGES_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "gateway/issuer/accounts.h"
#include "gateway/network/iso8583.h"
#include "gateway/network/totals.h"

/* Reads an 0100, an 0200 (a sale, with what it books: elements 93 and 94 of field 48), or an 0120
 * or 0121 (an advice). Card, security code and address are judged here; what the books need goes to
 * *ask. SETPAY_E_FIELD where a required field is missing or has no meaning (answer 30). */
enum setpay_error
setpay_issuer_read_authorisation(const struct setpay_iso_message *request, setpay_time_ms now,
                                 struct setpay_account_ask *ask) SETPAY_MUST_CHECK;
/* Reads an 0400, 0401, 0420 or 0421. The key is that of field 90; period that in which a sale is
 * taken back, else 0. SETPAY_E_FIELD likewise. */
enum setpay_error setpay_issuer_read_reversal(const struct setpay_iso_message *request,
                                              struct setpay_account_key *key,
                                              int64_t *remaining_minor,
                                              int64_t *period) SETPAY_MUST_CHECK;

/* The answer to any request: its MTI plus ten (of a repeat: of what it repeats), the fields that
 * are echoed, and response_code. */
enum setpay_error setpay_issuer_build_answer(const struct setpay_iso_message *request,
                                             const char *response_code,
                                             struct setpay_secret *frame) SETPAY_MUST_CHECK;
/* The 0110, 0210 or 0130 with amount, approval code and results. */
enum setpay_error setpay_issuer_build_authorisation(const struct setpay_iso_message *request,
                                                    const struct setpay_account_answer *answer,
                                                    struct setpay_secret *frame) SETPAY_MUST_CHECK;

/* What an 0500 or 0501 asks to compare. */
struct setpay_issuer_reconciliation {
    char acquirer[12]; /* without leading zeros */
    int64_t period;
    char currency[4];
    struct setpay_network_totals theirs, ours;
};
/* Reads it; ours stays zeros. SETPAY_E_FIELD. */
enum setpay_error
setpay_issuer_read_reconciliation(const struct setpay_iso_message *request,
                                  struct setpay_issuer_reconciliation *asked) SETPAY_MUST_CHECK;
/* The 0510: 00 and in balance, or 95 and out of balance; with our totals. */
enum setpay_error
setpay_issuer_build_reconciliation(const struct setpay_iso_message *request,
                                   const struct setpay_issuer_reconciliation *asked,
                                   struct setpay_secret *frame) SETPAY_MUST_CHECK;

/* Reads an 0220 or 0221: what it is of (field 90), its id (field 48), amount, and whether it gives
 * back (field 3). SETPAY_E_FIELD. */
enum setpay_error
setpay_issuer_read_presentment(const struct setpay_iso_message *request, setpay_time_ms now,
                               struct setpay_account_presentment *presentment) SETPAY_MUST_CHECK;

#endif
