/*
 * The numbers that stored enumerations have, as SQL has them: texts, since a partial index and a
 * statement that is to use it must have the same words, which a parameter is not. Where nothing of
 * that kind is in the way, SETPAY_DB_INT binds the enumerator itself. tests/unit/test_sql_names.c
 * holds each to its enumerator.
 */
#ifndef SETPAY_GATEWAY_CLEARING_SQL_NAMES_H
#define SETPAY_GATEWAY_CLEARING_SQL_NAMES_H

/* enum setpay_payment_state */
#define SETPAY_SQL_ASKING "1"
#define SETPAY_SQL_APPROVED "2"
#define SETPAY_SQL_DECLINED "3"
#define SETPAY_SQL_VOIDED "4"
#define SETPAY_SQL_REVERSED "5"
#define SETPAY_SQL_CAPTURED "6"

/* enum setpay_step_kind, which the entries of steps share (enum setpay_ledger_kind) */
#define SETPAY_SQL_CAPTURE "1"
#define SETPAY_SQL_CREDIT "2"
#define SETPAY_SQL_CAPTURE_REVERSAL "3"
#define SETPAY_SQL_CREDIT_REVERSAL "4"
/* Behind IN: what is presented and settled; what undoes that; what its merchant gets. */
#define SETPAY_SQL_ITEMS "(" SETPAY_SQL_CAPTURE ", " SETPAY_SQL_CREDIT ")"
#define SETPAY_SQL_REVERSALS "(" SETPAY_SQL_CAPTURE_REVERSAL ", " SETPAY_SQL_CREDIT_REVERSAL ")"
#define SETPAY_SQL_TO_MERCHANT "(" SETPAY_SQL_CAPTURE ", " SETPAY_SQL_CREDIT_REVERSAL ")"

/* enum setpay_ledger_kind */
#define SETPAY_SQL_LEDGER_SETTLEMENT "5"
#define SETPAY_SQL_LEDGER_SUSPENSE "6"
#define SETPAY_SQL_LEDGER_DISPUTE "7"
#define SETPAY_SQL_LEDGER_DISPUTE_LOST "8"
#define SETPAY_SQL_LEDGER_DISPUTE_WON "9"
#define SETPAY_SQL_LEDGER_RESERVE "10"
#define SETPAY_SQL_LEDGER_RESERVE_RELEASE "11"

/* enum setpay_account */
#define SETPAY_SQL_ISSUER_RECEIVABLE "1"
#define SETPAY_SQL_MERCHANT_PAYABLE "2"
#define SETPAY_SQL_INTERCHANGE "3"
#define SETPAY_SQL_FEES "4"
#define SETPAY_SQL_CASH "5"
#define SETPAY_SQL_SUSPENSE "6"
#define SETPAY_SQL_DISPUTES "7"
#define SETPAY_SQL_RESERVE "8"
#define SETPAY_SQL_LOSSES "9"

/* enum setpay_adjustment_kind */
#define SETPAY_SQL_ADJUSTMENT_DISPUTED "1"
#define SETPAY_SQL_ADJUSTMENT_RETURNED "2"
#define SETPAY_SQL_ADJUSTMENT_CLEARED "3"
#define SETPAY_SQL_ADJUSTMENT_REPAID "4"

/* enum setpay_payout_state */
#define SETPAY_SQL_PAYOUT_MADE "1"
#define SETPAY_SQL_PAYOUT_SENT "2"

/* enum setpay_dispute_outcome */
#define SETPAY_SQL_DISPUTE_OPEN "0"
#define SETPAY_SQL_DISPUTE_CARDHOLDER "1"
#define SETPAY_SQL_DISPUTE_MERCHANT "2"

/* enum setpay_reconciliation_result */
#define SETPAY_SQL_RECONCILIATION_OPEN "0"
#define SETPAY_SQL_RECONCILIATION_IN_BALANCE "1"
#define SETPAY_SQL_RECONCILIATION_OUT_OF_BALANCE "2"
#define SETPAY_SQL_RECONCILIATION_REFUSED "3"

/* enum setpay_receipt_kind */
#define SETPAY_SQL_RECEIPT_AUTHORISATION "1"
#define SETPAY_SQL_RECEIPT_CANCELLATION "9"

/* enum setpay_terms_kind */
#define SETPAY_SQL_TERMS_SINGLE "1"
#define SETPAY_SQL_TERMS_INSTALMENT "3"
#define SETPAY_SQL_TERMS_RECURRING "4"

#endif
