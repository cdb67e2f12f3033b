/*
 * The flags of setpay-gateway's commands (gateway_cli.c), each list by the command that takes it.
 */
#ifndef SETPAY_GATEWAY_GATEWAY_FLAGS_H
#define SETPAY_GATEWAY_GATEWAY_FLAGS_H

#include "common/net/operator.h"

extern const struct setpay_flag setpay_gateway_cutoff_flags[];
extern const struct setpay_flag setpay_gateway_batch_list_flags[];
extern const struct setpay_flag setpay_gateway_batch_show_flags[];
extern const struct setpay_flag setpay_gateway_batch_evidence_flags[];
extern const struct setpay_flag setpay_gateway_advice_list_flags[];
extern const struct setpay_flag setpay_gateway_advice_off_flags[];
extern const struct setpay_flag setpay_gateway_presentment_list_flags[];
extern const struct setpay_flag setpay_gateway_presentment_off_flags[];
extern const struct setpay_flag setpay_gateway_reversal_list_flags[];
extern const struct setpay_flag setpay_gateway_reversal_off_flags[];
extern const struct setpay_flag setpay_gateway_verify_flags[];
extern const struct setpay_flag setpay_gateway_merchant_flags[];
extern const struct setpay_flag setpay_gateway_add_flags[];
extern const struct setpay_flag setpay_gateway_set_flags[];
extern const struct setpay_flag setpay_gateway_paid_flags[];
extern const struct setpay_flag setpay_gateway_paid_to_flags[];
extern const struct setpay_flag setpay_gateway_undo_flags[];
extern const struct setpay_flag setpay_gateway_payments_flags[];
extern const struct setpay_flag setpay_gateway_payout_list_flags[];
extern const struct setpay_flag setpay_gateway_payout_files_flags[];
extern const struct setpay_flag setpay_gateway_payout_send_flags[];
extern const struct setpay_flag setpay_gateway_payout_paid_flags[];
extern const struct setpay_flag setpay_gateway_payout_returned_flags[];
extern const struct setpay_flag setpay_gateway_payout_set_aside_flags[];
extern const struct setpay_flag setpay_gateway_payout_undo_flags[];
extern const struct setpay_flag setpay_gateway_clear_flags[];
extern const struct setpay_flag setpay_gateway_suspense_flags[];
extern const struct setpay_flag setpay_gateway_import_flags[];
extern const struct setpay_flag setpay_gateway_dispute_flags[];
extern const struct setpay_flag setpay_gateway_evidence_flags[];
extern const struct setpay_flag setpay_gateway_settle_flags[];
extern const struct setpay_flag setpay_gateway_step_over_flags[];
extern const struct setpay_flag setpay_gateway_report_flags[];
extern const struct setpay_flag setpay_gateway_clearing_flags[];
extern const struct setpay_flag setpay_gateway_reconcile_flags[];
extern const struct setpay_flag setpay_gateway_audit_flags[];
extern const struct setpay_flag setpay_gateway_list_flags[];
extern const struct setpay_flag setpay_gateway_show_flags[];

#endif
