/*
 * What the gateway's operator can ask for: functions on the database, which serve the
 * administration socket of the running daemon, and the operator's program itself when the daemon is
 * stopped.
 */
#ifndef SETPAY_GATEWAY_COMMANDS_H
#define SETPAY_GATEWAY_COMMANDS_H

#include "common/net/control_server.h"
#include "common/store/store.h"
#include "gateway/network/network.h"
#include "gateway/payment/vault.h"

#include <jansson.h>
#include <stdbool.h>

/* One command. *result is a new object for the caller. vault may be NULL: card data stays sealed.
 * SETPAY_E_USAGE, SETPAY_E_INVALID, SETPAY_E_NOT_FOUND, SETPAY_E_EXISTS with words in problem. */
typedef enum setpay_error setpay_gateway_command_fn(struct setpay_db *db, const json_t *args,
                                                    const struct setpay_vault *vault,
                                                    json_t **result,
                                                    struct setpay_problem *problem);

struct setpay_gateway_command {
    const char *name; /* "merchant.add"; NULL ends the table */
    setpay_gateway_command_fn *run;
    bool writes;
};
const struct setpay_gateway_command *setpay_gateway_command_find(const char *name);
/* Whether its arguments are to have the member "issuers": the names of those that the configuration
 * has, in an array. */
bool setpay_gateway_command_needs_issuers(const struct setpay_gateway_command *command);
/* Whether it reads whole tables: on a thread of its own, and without a limit of time. */
bool setpay_gateway_command_takes_long(const struct setpay_gateway_command *command);

/* What was signed for a payment, its instruction's first authorisation, as setpay-evidence(5) has
 * it. *result is a new object. */
struct setpay_payment;
enum setpay_error setpay_gateway_evidence_of(struct setpay_db *db,
                                             const struct setpay_payment *payment,
                                             json_t **result) SETPAY_MUST_CHECK;

/* merchant_commands.c: rows of that table. */
setpay_gateway_command_fn setpay_gateway_merchant_add;
setpay_gateway_command_fn setpay_gateway_merchant_set;
setpay_gateway_command_fn setpay_gateway_merchant_list;
setpay_gateway_command_fn setpay_gateway_merchant_on;
setpay_gateway_command_fn setpay_gateway_merchant_off;
/* settlement_commands.c */
setpay_gateway_command_fn setpay_gateway_settle;
/* What that did, for the log: after its commit. */
void setpay_gateway_log_settled(const json_t *result);
setpay_gateway_command_fn setpay_gateway_settlement_step_over;
void setpay_gateway_log_stepped_over(const json_t *result);
setpay_gateway_command_fn setpay_gateway_settlement_list;
setpay_gateway_command_fn setpay_gateway_clearing_items;
setpay_gateway_command_fn setpay_gateway_clearing_window;
setpay_gateway_command_fn setpay_gateway_clearing_named;
setpay_gateway_command_fn setpay_gateway_suspense_cleared;
/* dispute_commands.c; log and figures of an import: after its commit. */
setpay_gateway_command_fn setpay_gateway_import_disputes;
void setpay_gateway_log_disputes(const json_t *result);
enum setpay_error setpay_gateway_register_dispute_metrics(void) SETPAY_MUST_CHECK;
setpay_gateway_command_fn setpay_gateway_dispute_list;
setpay_gateway_command_fn setpay_gateway_dispute_show;
setpay_gateway_command_fn setpay_gateway_dispute_evidence;
/* incoming_commands.c; the logs likewise. */
setpay_gateway_command_fn setpay_gateway_issuer_paid;
void setpay_gateway_log_paid(const json_t *result);
setpay_gateway_command_fn setpay_gateway_issuer_paid_to;
void setpay_gateway_log_paid_to(const json_t *result);
setpay_gateway_command_fn setpay_gateway_issuer_undo;
void setpay_gateway_log_payment_undone(const json_t *result);
setpay_gateway_command_fn setpay_gateway_issuer_payments;
setpay_gateway_command_fn setpay_gateway_suspense_list;
setpay_gateway_command_fn setpay_gateway_suspense_clear;
void setpay_gateway_log_cleared(const json_t *result);
/* payout_commands.c; the logs likewise. */
setpay_gateway_command_fn setpay_gateway_payout_list;
setpay_gateway_command_fn setpay_gateway_payout_show;
setpay_gateway_command_fn setpay_gateway_payout_waiting;
setpay_gateway_command_fn setpay_gateway_payout_files;
setpay_gateway_command_fn setpay_gateway_payout_file;
setpay_gateway_command_fn setpay_gateway_payout_send;
void setpay_gateway_log_payouts_sent(const json_t *result);
/* payout_word_commands.c */
setpay_gateway_command_fn setpay_gateway_payout_paid;
void setpay_gateway_log_payouts_paid(const json_t *result);
setpay_gateway_command_fn setpay_gateway_payout_returned;
void setpay_gateway_log_payouts_returned(const json_t *result);
setpay_gateway_command_fn setpay_gateway_payout_set_aside;
void setpay_gateway_log_payouts_set_aside(const json_t *result);
setpay_gateway_command_fn setpay_gateway_payout_undo;
void setpay_gateway_log_payouts_undone(const json_t *result);
/* audit_commands.c */
setpay_gateway_command_fn setpay_gateway_audit_payments;
setpay_gateway_command_fn setpay_gateway_audit_clearing;
setpay_gateway_command_fn setpay_gateway_audit_batches;
/* audit_steps.c */
setpay_gateway_command_fn setpay_gateway_audit_steps;
/* ledger_commands.c */
setpay_gateway_command_fn setpay_gateway_ledger_verify;
setpay_gateway_command_fn setpay_gateway_ledger_balances;
/* payment_commands.c */
setpay_gateway_command_fn setpay_gateway_payment_list;
setpay_gateway_command_fn setpay_gateway_payment_show;
setpay_gateway_command_fn setpay_gateway_payment_evidence;
/* batch_commands.c */
setpay_gateway_command_fn setpay_gateway_batch_list;
setpay_gateway_command_fn setpay_gateway_batch_show;
setpay_gateway_command_fn setpay_gateway_batch_evidence;
setpay_gateway_command_fn setpay_gateway_batch_close;
/* reversal_commands.c */
setpay_gateway_command_fn setpay_gateway_reversal_list;
setpay_gateway_command_fn setpay_gateway_reversal_write_off;
/* What that did, for the log: after its commit. */
void setpay_gateway_log_reversal_written_off(const json_t *result);
/* advice_commands.c */
setpay_gateway_command_fn setpay_gateway_advice_list;
setpay_gateway_command_fn setpay_gateway_advice_write_off;
/* What that did, for the log: after its commit. */
void setpay_gateway_log_advice_written_off(const json_t *result);
/* Of a payment that was approved in its issuer's stead: sets "stand_in" in its view. */
enum setpay_error setpay_gateway_show_stand_in(struct setpay_db *db, int64_t payment_id,
                                               json_t *object) SETPAY_MUST_CHECK;
/* presentment_commands.c */
setpay_gateway_command_fn setpay_gateway_presentment_list;
setpay_gateway_command_fn setpay_gateway_presentment_write_off;
/* What that did, for the log: after its commit. */
void setpay_gateway_log_written_off(const json_t *result);
/* issuer_commands.c: the same. */
setpay_gateway_command_fn setpay_gateway_issuer_list;
setpay_gateway_command_fn setpay_gateway_issuer_cutoff;
setpay_gateway_command_fn setpay_gateway_issuer_period;
/* Of its result: a daemon is there that asks the issuer. */
void setpay_gateway_issuer_set_running(json_t *result);
/* What only the running daemon knows, added to the result of issuer.list: each line's state. */
void setpay_gateway_issuer_add_lines(struct setpay_network *network, json_t *result);

/* The same table for the administration socket. */
extern const struct setpay_control_command setpay_gateway_commands[];

#endif
