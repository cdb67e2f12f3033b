/*
 * The results of the operator's commands as words for people.
 */
#ifndef SETPAY_GATEWAY_GATEWAY_WORDS_H
#define SETPAY_GATEWAY_GATEWAY_WORDS_H

#include <jansson.h>

void setpay_gateway_print_merchant_line(const json_t *merchant);
void setpay_gateway_print_merchants(const json_t *result);
void setpay_gateway_print_payments(const json_t *result);
void setpay_gateway_print_payment(const json_t *payment);
void setpay_gateway_print_batches(const json_t *result);
void setpay_gateway_print_batch(const json_t *result);
void setpay_gateway_print_advices(const json_t *result);
void setpay_gateway_print_advice(const json_t *result);
void setpay_gateway_print_presentments(const json_t *result);
void setpay_gateway_print_reversals(const json_t *result);
void setpay_gateway_print_reversal(const json_t *result);
void setpay_gateway_print_presentment(const json_t *result);
void setpay_gateway_print_balances(const json_t *result);
void setpay_gateway_print_issuers(const json_t *result);
void setpay_gateway_print_cut(const json_t *result);
/* dispute_cli.c */
void setpay_gateway_print_imported(const json_t *result);
void setpay_gateway_print_disputes(const json_t *result);
void setpay_gateway_print_dispute(const json_t *result);
void setpay_gateway_print_evidence(const json_t *result);
void setpay_gateway_print_batch_evidence(const json_t *result);
/* incoming_cli.c */
void setpay_gateway_print_paid(const json_t *result);
void setpay_gateway_print_issuer_payments(const json_t *result);
void setpay_gateway_print_suspense(const json_t *result);
void setpay_gateway_print_cleared(const json_t *result);
/* payout_cli.c */
void setpay_gateway_print_payout_file(const json_t *result);
void setpay_gateway_print_payout_files(const json_t *result);
void setpay_gateway_print_payouts(const json_t *result);
void setpay_gateway_print_payout(const json_t *result);

#endif
