/*
 * The operator's commands. Each is a function from a database and JSON arguments to a JSON result;
 * who calls it (the socket's handler below, or the program on a stopped daemon's database) brings
 * the transaction. A command that writes runs as a store operation and is answered after its
 * commit.
 */
#include "gateway/commands.h"

#include "common/base/log.h"
#include "common/net/service.h"
#include "gateway/payment/payment.h"
#include "gateway/setup.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ by name */

static const struct setpay_gateway_command table[] = {
    {"merchant.add", setpay_gateway_merchant_add, true},
    {"merchant.set", setpay_gateway_merchant_set, true},
    {"merchant.list", setpay_gateway_merchant_list, false},
    {"merchant.enable", setpay_gateway_merchant_on, true},
    {"merchant.disable", setpay_gateway_merchant_off, true},
    {"payment.list", setpay_gateway_payment_list, false},
    {"payment.show", setpay_gateway_payment_show, false},
    {"payment.evidence", setpay_gateway_payment_evidence, false},
    {"batch.list", setpay_gateway_batch_list, false},
    {"batch.show", setpay_gateway_batch_show, false},
    {"batch.evidence", setpay_gateway_batch_evidence, false},
    {"batch.close", setpay_gateway_batch_close, true},
    {"advice.list", setpay_gateway_advice_list, false},
    {"advice.write_off", setpay_gateway_advice_write_off, true},
    {"presentment.list", setpay_gateway_presentment_list, false},
    {"presentment.write_off", setpay_gateway_presentment_write_off, true},
    {"reversal.list", setpay_gateway_reversal_list, false},
    {"reversal.write_off", setpay_gateway_reversal_write_off, true},
    {"ledger.verify", setpay_gateway_ledger_verify, false},
    {"ledger.balances", setpay_gateway_ledger_balances, false},
    {"issuer.list", setpay_gateway_issuer_list, false},
    {"issuer.cutoff", setpay_gateway_issuer_cutoff, true},
    {"issuer.period", setpay_gateway_issuer_period, false},
    {"settle", setpay_gateway_settle, true},
    {"settlement.step_over", setpay_gateway_settlement_step_over, true},
    {"settlement.list", setpay_gateway_settlement_list, false},
    {"clearing.items", setpay_gateway_clearing_items, false},
    {"clearing.window", setpay_gateway_clearing_window, false},
    {"clearing.named", setpay_gateway_clearing_named, false},
    {"dispute.import", setpay_gateway_import_disputes, true},
    {"dispute.list", setpay_gateway_dispute_list, false},
    {"dispute.show", setpay_gateway_dispute_show, false},
    {"dispute.evidence", setpay_gateway_dispute_evidence, false},
    {"issuer.paid", setpay_gateway_issuer_paid, true},
    {"issuer.paid_to", setpay_gateway_issuer_paid_to, true},
    {"issuer.undo", setpay_gateway_issuer_undo, true},
    {"issuer.payments", setpay_gateway_issuer_payments, false},
    {"payout.list", setpay_gateway_payout_list, false},
    {"payout.show", setpay_gateway_payout_show, false},
    {"payout.waiting", setpay_gateway_payout_waiting, false},
    {"payout.files", setpay_gateway_payout_files, false},
    {"payout.file", setpay_gateway_payout_file, false},
    {"payout.send", setpay_gateway_payout_send, true},
    {"payout.paid", setpay_gateway_payout_paid, true},
    {"payout.returned", setpay_gateway_payout_returned, true},
    {"payout.set_aside", setpay_gateway_payout_set_aside, true},
    {"payout.undo", setpay_gateway_payout_undo, true},
    {"suspense.list", setpay_gateway_suspense_list, false},
    {"suspense.clear", setpay_gateway_suspense_clear, true},
    {"suspense.cleared", setpay_gateway_suspense_cleared, false},
    {"audit.payments", setpay_gateway_audit_payments, false},
    {"audit.clearing", setpay_gateway_audit_clearing, false},
    {"audit.steps", setpay_gateway_audit_steps, false},
    {"audit.batches", setpay_gateway_audit_batches, false},
    {NULL, NULL, false},
};

const struct setpay_gateway_command *setpay_gateway_command_find(const char *name)
{
    for (const struct setpay_gateway_command *command = table; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

bool setpay_gateway_command_needs_issuers(const struct setpay_gateway_command *command)
{
    return command->run == setpay_gateway_presentment_list ||
           command->run == setpay_gateway_presentment_write_off ||
           command->run == setpay_gateway_advice_list ||
           command->run == setpay_gateway_advice_write_off ||
           command->run == setpay_gateway_reversal_list ||
           command->run == setpay_gateway_reversal_write_off;
}

bool setpay_gateway_command_takes_long(const struct setpay_gateway_command *command)
{
    static setpay_gateway_command_fn *const all[] = {
        setpay_gateway_presentment_list, /* these try every card until they have found so many */
        setpay_gateway_advice_list,      setpay_gateway_reversal_list,
        setpay_gateway_ledger_verify,    setpay_gateway_ledger_balances,
        setpay_gateway_audit_clearing,
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (command->run == all[i])
            return true;
    return false;
}

/* ------------------------------------------------------------------ the administration socket */

/* A call under way. Its JSON is this call's alone, so that the committer's thread may use it. */
struct call {
    struct setpay_control_call *control;
    const struct setpay_gateway_command *command;
    struct setpay_gatewayd *daemon;
    json_t *args;
    json_t *result;
    struct setpay_problem problem;
    enum setpay_error error;
};

static enum setpay_error run(struct setpay_db *db, void *arg)
{
    struct call *call = arg;
    json_decref(call->result); /* of an attempt whose group was lost */
    call->result = NULL;
    call->problem.text[0] = '\0';
    call->error = call->command->run(db, call->args, call->daemon->gateway.vault, &call->result,
                                     &call->problem);
    return call->error;
}

/* After its commit. */
static void log_done(const struct call *call)
{
    static const struct {
        setpay_gateway_command_fn *run;
        void (*log)(const json_t *result);
    } logs[] = {
        {setpay_gateway_settle, setpay_gateway_log_settled},
        {setpay_gateway_settlement_step_over, setpay_gateway_log_stepped_over},
        {setpay_gateway_import_disputes, setpay_gateway_log_disputes},
        {setpay_gateway_issuer_paid, setpay_gateway_log_paid},
        {setpay_gateway_issuer_paid_to, setpay_gateway_log_paid_to},
        {setpay_gateway_issuer_undo, setpay_gateway_log_payment_undone},
        {setpay_gateway_payout_send, setpay_gateway_log_payouts_sent},
        {setpay_gateway_payout_paid, setpay_gateway_log_payouts_paid},
        {setpay_gateway_payout_returned, setpay_gateway_log_payouts_returned},
        {setpay_gateway_payout_set_aside, setpay_gateway_log_payouts_set_aside},
        {setpay_gateway_payout_undo, setpay_gateway_log_payouts_undone},
        {setpay_gateway_suspense_clear, setpay_gateway_log_cleared},
        {setpay_gateway_presentment_write_off, setpay_gateway_log_written_off},
        {setpay_gateway_advice_write_off, setpay_gateway_log_advice_written_off},
        {setpay_gateway_reversal_write_off, setpay_gateway_log_reversal_written_off},
    };
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++)
        if (call->command->run == logs[i].run)
            logs[i].log(call->result);
}

static void on_done(void *arg, enum setpay_error error)
{
    struct call *call = arg;
    if (error == SETPAY_OK) {
        if (call->command->run == setpay_gateway_issuer_list)
            setpay_gateway_issuer_add_lines(call->daemon->gateway.network, call->result);
        if (call->command->run == setpay_gateway_issuer_period)
            setpay_gateway_issuer_set_running(call->result);
        log_done(call);
        setpay_control_reply(call->control, call->result);
        if (call->command->run == setpay_gateway_batch_close ||
            call->command->run == setpay_gateway_advice_write_off ||
            call->command->run == setpay_gateway_presentment_write_off)
            setpay_gateway_presentments_wake(call->daemon->presentments);
        if (call->command->run == setpay_gateway_issuer_cutoff ||
            call->command->run == setpay_gateway_reversal_write_off ||
            call->command->run == setpay_gateway_presentment_write_off)
            setpay_gateway_reconciler_wake(call->daemon->reconciler);
    } else {
        json_decref(call->result);
        setpay_control_fail(call->control, error,
                            call->problem.text[0] != '\0' ? call->problem.text : NULL);
    }
    json_decref(call->args);
    free(call);
}

static enum setpay_error run_read(struct setpay_service *service, struct call *call)
{
    struct setpay_reader *reader = NULL;
    SETPAY_TRY(setpay_reader_new(service->store, &reader));
    enum setpay_error error = setpay_store_read(reader, run, call);
    setpay_reader_free(reader);
    return error;
}

static void add_issuer(void *arg, const char *name, bool is_up)
{
    (void)is_up;
    json_array_append_new(arg, json_string(name));
}

static void serve(struct setpay_control_call *control, const json_t *args, void *arg,
                  const char *name)
{
    struct setpay_service *service = arg;
    struct setpay_gatewayd *daemon = service->user;
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        setpay_control_fail(control, SETPAY_E_NOMEM, NULL);
        return;
    }
    call->control = control;
    call->command = setpay_gateway_command_find(name);
    call->daemon = daemon;
    call->args = json_deep_copy(args);
    if (setpay_gateway_command_needs_issuers(call->command)) {
        json_t *issuers = json_array();
        setpay_network_each_route(daemon->gateway.network, add_issuer, issuers);
        json_object_set_new(call->args, "issuers", issuers);
    }
    if (setpay_gateway_command_takes_long(call->command)) {
        enum setpay_error started = setpay_service_look(service, control, run, on_done, call);
        if (started != SETPAY_OK)
            on_done(call, started);
        return;
    }
    if (!call->command->writes) {
        on_done(call, run_read(service, call));
        return;
    }
    struct setpay_executor executor = setpay_loop_executor(setpay_daemon_loop(service->daemon));
    daemon->command_executor = executor;
    enum setpay_error error =
        setpay_store_submit(service->store, run, on_done, call, &daemon->command_executor);
    if (error != SETPAY_OK)
        on_done(call, error);
}

#define HANDLER(function, name)                                                                    \
    static void function(struct setpay_control_call *call, const json_t *args, void *arg)          \
    {                                                                                              \
        serve(call, args, arg, name);                                                              \
    }
HANDLER(on_merchant_add, "merchant.add")
HANDLER(on_merchant_set, "merchant.set")
HANDLER(on_merchant_list, "merchant.list")
HANDLER(on_merchant_enable, "merchant.enable")
HANDLER(on_merchant_disable, "merchant.disable")
HANDLER(on_payment_list, "payment.list")
HANDLER(on_payment_show, "payment.show")
HANDLER(on_payment_evidence, "payment.evidence")
HANDLER(on_batch_list, "batch.list")
HANDLER(on_batch_show, "batch.show")
HANDLER(on_batch_evidence, "batch.evidence")
HANDLER(on_batch_close, "batch.close")
HANDLER(on_advice_list, "advice.list")
HANDLER(on_advice_write_off, "advice.write_off")
HANDLER(on_presentment_list, "presentment.list")
HANDLER(on_presentment_write_off, "presentment.write_off")
HANDLER(on_reversal_list, "reversal.list")
HANDLER(on_reversal_write_off, "reversal.write_off")
HANDLER(on_ledger_verify, "ledger.verify")
HANDLER(on_ledger_balances, "ledger.balances")
HANDLER(on_issuer_list, "issuer.list")
HANDLER(on_issuer_cutoff, "issuer.cutoff")
HANDLER(on_issuer_period, "issuer.period")
HANDLER(on_settle, "settle")
HANDLER(on_settlement_step_over, "settlement.step_over")
HANDLER(on_settlement_list, "settlement.list")
HANDLER(on_clearing_items, "clearing.items")
HANDLER(on_clearing_window, "clearing.window")
HANDLER(on_clearing_named, "clearing.named")
HANDLER(on_dispute_import, "dispute.import")
HANDLER(on_dispute_list, "dispute.list")
HANDLER(on_dispute_show, "dispute.show")
HANDLER(on_dispute_evidence, "dispute.evidence")
HANDLER(on_issuer_paid, "issuer.paid")
HANDLER(on_issuer_paid_to, "issuer.paid_to")
HANDLER(on_issuer_undo, "issuer.undo")
HANDLER(on_issuer_payments, "issuer.payments")
HANDLER(on_payout_list, "payout.list")
HANDLER(on_payout_show, "payout.show")
HANDLER(on_payout_waiting, "payout.waiting")
HANDLER(on_payout_files, "payout.files")
HANDLER(on_payout_file, "payout.file")
HANDLER(on_payout_send, "payout.send")
HANDLER(on_payout_paid, "payout.paid")
HANDLER(on_payout_returned, "payout.returned")
HANDLER(on_payout_set_aside, "payout.set_aside")
HANDLER(on_payout_undo, "payout.undo")
HANDLER(on_suspense_list, "suspense.list")
HANDLER(on_suspense_clear, "suspense.clear")
HANDLER(on_suspense_cleared, "suspense.cleared")
HANDLER(on_audit_payments, "audit.payments")
HANDLER(on_audit_clearing, "audit.clearing")
HANDLER(on_audit_steps, "audit.steps")
HANDLER(on_audit_batches, "audit.batches")

const struct setpay_control_command setpay_gateway_commands[] = {
    SETPAY_SERVICE_BACKUP_COMMAND,
    {"merchant.add", on_merchant_add,
     "make a merchant known: brand, id, name, category, zone, cut_off, reserve_percent, "
     "reserve_days"},
    {"merchant.set", on_merchant_set, "brand, id, and what is to change"},
    {"merchant.list", on_merchant_list, "all merchants"},
    {"merchant.enable", on_merchant_enable, "brand, id"},
    {"merchant.disable", on_merchant_disable, "brand, id"},
    {"payment.list", on_payment_list, "payments, newest first: state, limit, before"},
    {"payment.show", on_payment_show,
     "one payment: xid (or the id of one of its steps), and brand and merchant_id where several "
     "used it"},
    {"payment.evidence", on_payment_evidence, "what was signed for it: xid, brand, merchant_id"},
    {"batch.list", on_batch_list, "batches, newest first: brand, merchant_id, open, limit, before"},
    {"batch.show", on_batch_show, "one batch with its items: brand, merchant_id, batch"},
    {"batch.evidence", on_batch_evidence,
     "what its merchant signed to close it: brand, merchant_id, batch"},
    {"batch.close", on_batch_close, "closes it in its merchant's place: brand, merchant_id, batch"},
    {"advice.list", on_advice_list,
     "what was approved in an issuer's stead and is not answered, or refused: stuck, refused, "
     "limit, after"},
    {"advice.write_off", on_advice_write_off, "gives up what can't be sent: advice, reason"},
    {"presentment.list", on_presentment_list, "what issuers owe an answer: stuck, limit, after"},
    {"presentment.write_off", on_presentment_write_off,
     "gives up what can't be sent: presentment, reason"},
    {"reversal.list", on_reversal_list, "what no issuer has acknowledged: stuck, limit, after"},
    {"reversal.write_off", on_reversal_write_off, "gives up what can't be sent: reversal, reason"},
    {"ledger.verify", on_ledger_verify, "recompute the ledger: from (NUMBER:HASH, as it gave)"},
    {"ledger.balances", on_ledger_balances, "what every account holds"},
    {"issuer.list", on_issuer_list, "each issuer's line, what it owes an answer, reconciliations"},
    {"issuer.cutoff", on_issuer_cutoff, "ends the period of an issuer, or of all: issuer"},
    {"issuer.period", on_issuer_period, "what came of one that has ended: issuer, period"},
    {"settle", on_settle,
     "settle what is cleared, of the next merchants: date, force, after_brand, after_merchant_id"},
    {"settlement.step_over", on_settlement_step_over,
     "let settlements of a day to come keep no day before from being settled: day, reason"},
    {"settlement.list", on_settlement_list, "of a day: day, brand, merchant_id, after"},
    {"clearing.items", on_clearing_items, "what was settled: settlement, after"},
    {"clearing.window", on_clearing_window,
     "what an issuer's file is compared with: part (open, sales, answered, claimed), from_ms, "
     "to_ms, "
     "after_ms, after"},
    {"clearing.named", on_clearing_named, "what issuers know by these names: names"},
    {"dispute.import", on_dispute_import, "an issuer's file: content, acquirer, issuer"},
    {"dispute.list", on_dispute_list, "outcome, brand, merchant_id, settlement, after"},
    {"dispute.show", on_dispute_show, "one dispute: id"},
    {"dispute.evidence", on_dispute_evidence, "what was signed for the payment in dispute: id"},
    {"issuer.paid", on_issuer_paid, "what issuers paid, as CSV: content"},
    {"issuer.paid_to", on_issuer_paid_to, "what we paid an issuer, as CSV of one: content"},
    {"issuer.undo", on_issuer_undo,
     "a payment that was booked by mistake: issuer, reference, reason"},
    {"issuer.payments", on_issuer_payments, "what was paid, newest first: issuer, limit"},
    {"payout.list", on_payout_list, "state, currency, brand, merchant_id, limit, after"},
    {"payout.show", on_payout_show, "one payout: id"},
    {"payout.waiting", on_payout_waiting, "what is made and not sent, by merchant and currency"},
    {"payout.files", on_payout_files, "files for the bank, newest first: limit"},
    {"payout.file", on_payout_file, "one file again, with its content: id"},
    {"payout.send", on_payout_send,
     "writes what waits to a file for the bank: currency, date, payer, payees, leave, force, "
     "clock_is_right"},
    {"payout.paid", on_payout_paid, "the bank has paid it: id, reference, date"},
    {"payout.returned", on_payout_returned,
     "it came back, and is paid again: id, reference, date, code, reason"},
    {"payout.set_aside", on_payout_set_aside, "it was settled otherwise: id, reason"},
    {"payout.undo", on_payout_undo,
     "the bank has not said that, by that reference: id, reference, reason"},
    {"suspense.list", on_suspense_list, "what is left in suspense"},
    {"suspense.clear", on_suspense_clear, "to where it belongs: id, to, reason, amount, currency"},
    {"suspense.cleared", on_suspense_cleared,
     "what a merchant is told of with a settlement: settlement, after"},
    {"audit.payments", on_audit_payments, "payments with what was signed for them: after"},
    {"audit.clearing", on_audit_clearing, "presentments, steps and accounts against each other"},
    {"audit.batches", on_audit_batches, "batches with what closed them: after"},
    {"audit.steps", on_audit_steps, "what a merchant captured and credited: merchant_id, after"},
    {NULL, NULL, NULL},
};
