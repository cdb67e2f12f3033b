/*
 * setpay-gateway: the operator's program of the payment gateway.
 */
#include "common/base/zone.h"
#include "common/net/evidence_json.h"
#include "common/net/operator.h"
#include "common/net/operator_backup.h"
#include "common/net/party_enrol.h"
#include "gateway/books_cli.h"
#include "gateway/commands.h"
#include "gateway/doctor.h"
#include "gateway/gateway_flags.h"
#include "gateway/gateway_words.h"
#include "gateway/gatewayd.h"
#include "gateway/payment/vault.h"
#include "gateway/setup.h"

/* ------------------------------------------------------------------ enrolment */

static enum setpay_error enrol(const struct setpay_config *config, const json_t *args,
                               json_t **result, struct setpay_problem *problem)
{
    return setpay_party_enrol(&setpay_gateway_party, config, args, result, problem);
}

static enum setpay_error doctor(const char *config_path, const json_t *args, json_t **result,
                                struct setpay_problem *problem)
{
    const struct setpay_doctor_party looked_at = {
        &setpay_gatewayd_spec, setpay_gateway_party.certificates, setpay_gateway_doctor_peers};
    return setpay_doctor_examine(&looked_at, config_path, args, result, problem);
}

/* ------------------------------------------------------------------ the commands */

static const struct setpay_operator_command commands[] = {
    {{"merchant", "add"},
     "merchant.add",
     NULL,
     setpay_gateway_add_flags,
     setpay_gateway_print_merchant_line,
     "--brand B --id ID --name NAME [--category NNNN] [--zone ZONE] [--cut-off HH:MM] "
     "[--reserve-percent N] [--reserve-days D] [--if-absent]",
     "make a merchant known, enabled; its days end at --cut-off in --zone (24:00 UTC);\n      "
     "settlements hold back N % of its captures for D days (0, 180);\n      "
     "--if-absent: leave one that is there as it is"},
    {{"merchant", "set"},
     "merchant.set",
     NULL,
     setpay_gateway_set_flags,
     setpay_gateway_print_merchant_line,
     "--brand B --id ID [--name NAME] [--category NNNN] [--zone ZONE] [--cut-off HH:MM] "
     "[--reserve-percent N] [--reserve-days D]",
     "change what is known of it"},
    {{"merchant", "list"},
     "merchant.list",
     NULL,
     NULL,
     setpay_gateway_print_merchants,
     "",
     "all merchants"},
    {{"merchant", "enable"},
     "merchant.enable",
     NULL,
     setpay_gateway_merchant_flags,
     setpay_gateway_print_merchant_line,
     "--brand B --id ID",
     "its requests are taken again"},
    {{"merchant", "disable"},
     "merchant.disable",
     NULL,
     setpay_gateway_merchant_flags,
     setpay_gateway_print_merchant_line,
     "--brand B --id ID",
     "its requests are refused from now on"},
    {{"payment", "list"},
     "payment.list",
     NULL,
     setpay_gateway_list_flags,
     setpay_gateway_print_payments,
     "[--state asking|approved|captured|declined|voided|reversed] [--limit N] [--before N]",
     "payments, the newest first; --before: the next page"},
    {{"payment", "show"},
     "payment.show",
     "xid",
     setpay_gateway_show_flags,
     setpay_gateway_print_payment,
     "XID [--brand B] [--merchant-id ID]",
     "one payment with its receipts and reversals"},
    {{"payment", "evidence"},
     "payment.evidence",
     "xid",
     setpay_gateway_show_flags,
     setpay_evidence_print,
     "XID [--brand B] [--merchant-id ID]",
     "what others have signed for it; with --json for a stranger to check"},
    {{"batch", "list"},
     "batch.list",
     NULL,
     setpay_gateway_batch_list_flags,
     setpay_gateway_print_batches,
     "[--brand B] [--merchant-id ID] [--open] [--limit N] [--before N]",
     "batches with their totals, the newest first; --open: those alone; --before: the next page"},
    {{"batch", "show"},
     "batch.show",
     NULL,
     setpay_gateway_batch_show_flags,
     setpay_gateway_print_batch,
     "--brand B --merchant-id ID --batch N",
     "one batch with its items"},
    {{"batch", "evidence"},
     "batch.evidence",
     NULL,
     setpay_gateway_batch_evidence_flags,
     setpay_gateway_print_batch_evidence,
     "--brand B --merchant-id ID --batch N [-o FILE]",
     "what its merchant has signed to close it; with -o or --json for a stranger to check"},
    {{"batch", "close"},
     "batch.close",
     NULL,
     setpay_gateway_batch_show_flags,
     setpay_gateway_print_batch,
     "--brand B --merchant-id ID --batch N",
     "close a batch in its merchant's place; its items go to the issuers"},
    {{"advice", "list"},
     "advice.list",
     NULL,
     setpay_gateway_advice_list_flags,
     setpay_gateway_print_advices,
     "[--stuck | --refused] [--limit N] [--after N]",
     "what was approved in an issuer's stead and it has not answered; --stuck: what can't be\n"
     "      sent; --refused: what it has refused, or was written off"},
    {{"advice", "write-off"},
     "advice.write_off",
     NULL,
     setpay_gateway_advice_off_flags,
     setpay_gateway_print_advice,
     "--advice N --reason TEXT",
     "give up one that can't be sent: it is as one that was refused, and counts no more"},
    {{"presentment", "list"},
     "presentment.list",
     NULL,
     setpay_gateway_presentment_list_flags,
     setpay_gateway_print_presentments,
     "[--stuck] [--limit N] [--after N]",
     "what issuers have not answered, the oldest first; --stuck: what can't be sent"},
    {{"presentment", "write-off"},
     "presentment.write_off",
     NULL,
     setpay_gateway_presentment_off_flags,
     setpay_gateway_print_presentment,
     "--presentment N --reason TEXT",
     "give up one that can't be sent: it is settled to suspense, as one that was refused"},
    {{"reversal", "list"},
     "reversal.list",
     NULL,
     setpay_gateway_reversal_list_flags,
     setpay_gateway_print_reversals,
     "[--stuck] [--limit N] [--after N]",
     "reversals that no issuer has acknowledged, the oldest first; --stuck: what can't be sent"},
    {{"reversal", "write-off"},
     "reversal.write_off",
     NULL,
     setpay_gateway_reversal_off_flags,
     setpay_gateway_print_reversal,
     "--reversal N --reason TEXT",
     "give up one that can't be sent: its issuer does not hear of it, and its period can end"},
    {{"ledger", "verify"},
     "ledger.verify",
     NULL,
     setpay_gateway_verify_flags,
     setpay_books_print_verified,
     "[--from NUMBER:HASH]",
     "recompute the ledger and compare; exit status 1 where something is found; --from: of the "
     "entries\n      only those behind that one"},
    {{"ledger", "balances"},
     "ledger.balances",
     NULL,
     NULL,
     setpay_gateway_print_balances,
     "",
     "what every account holds"},
    {{"issuer", "list"},
     "issuer.list",
     NULL,
     NULL,
     setpay_gateway_print_issuers,
     "",
     "each issuer's line, what it owes an answer, and its last reconciliations"},
    {{"issuer", "cutoff"},
     "issuer.cutoff",
     NULL,
     setpay_gateway_cutoff_flags,
     setpay_gateway_print_cut,
     "[--issuer NAME] [--wait SECONDS]",
     "end the period now, and compare totals with the issuer (all issuers); --wait: for the "
     "outcome,\n"
     "      so long; exit status 1 where it is out of balance, 4 where it has not answered"},
    {{"issuer", "paid"},
     "issuer.paid",
     NULL,
     setpay_gateway_paid_flags,
     setpay_gateway_print_paid,
     "--issuer NAME --amount 12.50 --currency EUR --date YYYY-MM-DD --reference R | --file FILE",
     "book what an issuer has paid against what it owes, the rest to suspense; a reference is "
     "booked\n"
     "      once; FILE (-: standard input): a CSV of several, all of them or none"},
    {{"issuer", "paid-to"},
     "issuer.paid_to",
     NULL,
     setpay_gateway_paid_to_flags,
     setpay_gateway_print_paid,
     "--issuer NAME --amount 12.50 --currency EUR --date YYYY-MM-DD --reference R",
     "book what was paid to an issuer that is owed more than it owes; no more than that"},
    {{"issuer", "undo"},
     "issuer.undo",
     NULL,
     setpay_gateway_undo_flags,
     setpay_gateway_print_issuer_payments,
     "--issuer NAME --reference R --reason WORDS",
     "undo a payment that was booked by mistake, of an issuer or to one; its reference may be "
     "booked\n"
     "      again"},
    {{"issuer", "payments"},
     "issuer.payments",
     NULL,
     setpay_gateway_payments_flags,
     setpay_gateway_print_issuer_payments,
     "[--issuer NAME] [--limit N]",
     "what issuers paid and were paid, the newest first"},
    {{"payout", "list"},
     "payout.list",
     NULL,
     setpay_gateway_payout_list_flags,
     setpay_gateway_print_payouts,
     "[--state made|sent|paid|returned|set-aside] [--currency C] [--brand B] [--merchant-id ID] "
     "[--limit N] "
     "[--after N]",
     "what settlements have to pay, and how it stands, the oldest first"},
    {{"payout", "show"},
     "payout.show",
     "id",
     NULL,
     setpay_gateway_print_payout,
     "ID",
     "one payout: to which account, in which file, and what the bank said"},
    {{"payout", "send"},
     "payout.send",
     NULL,
     setpay_gateway_payout_send_flags,
     setpay_gateway_print_payout_file,
     "--currency C [--date YYYY-MM-DD] [-o FILE] [--leave ID]... [--force] "
     "[--clock-is-right]",
     "write what waits to a file for the bank (ISO 20022 pain.001), to be paid on that day "
     "(today);\n"
     "      each payout is in one file only; who has no account in the configuration waits;\n"
     "      --leave: that one waits; --force: also what may have been sent before a restore;\n"
     "      --clock-is-right: also by a clock that is seven days ahead of all that is known, or a "
     "day\n"
     "      behind it"},
    {{"payout", "files"},
     "payout.files",
     NULL,
     setpay_gateway_payout_files_flags,
     setpay_gateway_print_payout_files,
     "[--limit N]",
     "the files for the bank, the newest first"},
    {{"payout", "file"},
     "payout.file",
     "id",
     setpay_gateway_evidence_flags,
     setpay_gateway_print_payout_file,
     "ID [-o FILE]",
     "the same file once more"},
    {{"payout", "paid"},
     "payout.paid",
     "id",
     setpay_gateway_payout_paid_flags,
     setpay_gateway_print_payouts,
     "ID --reference R --date YYYY-MM-DD [--whole-file]",
     "the bank has paid that payout; or all of that file of which nothing was told; also one that\n"
     "      is made, where it may have been sent before the database was restored"},
    {{"payout", "returned"},
     "payout.returned",
     "id",
     setpay_gateway_payout_returned_flags,
     setpay_gateway_print_payouts,
     "ID --code AC04 --reference R --date YYYY-MM-DD [--reason WORDS] [--whole-file]",
     "it came back, or was refused: the merchant's next settlement pays it again"},
    {{"payout", "set-aside"},
     "payout.set_aside",
     "id",
     setpay_gateway_payout_set_aside_flags,
     setpay_gateway_print_payouts,
     "ID --reason WORDS",
     "it may have been sent before the database was restored, and was settled otherwise: it is\n"
     "      never sent"},
    {{"payout", "undo"},
     "payout.undo",
     "id",
     setpay_gateway_payout_undo_flags,
     setpay_gateway_print_payouts,
     "ID [--reference R] --reason WORDS [--word paid|returned] [--whole-file]",
     "undo what was told by mistake, by that reference of the bank (--word: where both have it;\n"
     "      none: that it was set aside): it is as before, unless a settlement has paid it again"},
    {{"suspense", "list"},
     "suspense.list",
     NULL,
     setpay_gateway_suspense_flags,
     setpay_gateway_print_suspense,
     "[--limit N] [--after ID]",
     "what is in suspense, the oldest first: refused by issuers, or paid by them and not owed"},
    {{"suspense", "clear"},
     "suspense.clear",
     "id",
     setpay_gateway_clear_flags,
     setpay_gateway_print_cleared,
     "ID --to merchant|issuer|cash --reason WORDS [--amount \"12.50 EUR\"]",
     "move it, or so much of it, to where it belongs"},
    {{"dispute", "import"},
     "dispute.import",
     "file",
     setpay_gateway_import_flags,
     setpay_gateway_print_imported,
     "FILE [--issuer NAME] [--skip NUMBER]...",
     "an issuer's file of disputes (-: standard input), all of it or nothing; what is in dispute "
     "is\n      held back from its merchant; --skip: all but the row of that dispute, which can't "
     "be "
     "taken"},
    {{"dispute", "list"},
     "dispute.list",
     NULL,
     setpay_gateway_dispute_flags,
     setpay_gateway_print_disputes,
     "[--outcome open|cardholder|merchant] [--brand B] [--merchant-id ID]",
     "disputes, and how they stand"},
    {{"dispute", "show"},
     "dispute.show",
     "id",
     NULL,
     setpay_gateway_print_dispute,
     "ID",
     "one dispute"},
    {{"dispute", "evidence"},
     "dispute.evidence",
     "id",
     setpay_gateway_evidence_flags,
     setpay_gateway_print_evidence,
     "ID [-o FILE]",
     "what merchant, cardholder and this gateway have signed for it, for a stranger to check"},
    {{"settle", NULL},
     "settle",
     NULL,
     setpay_gateway_settle_flags,
     setpay_books_print_settled,
     "[--date YYYY-MM-DD] [--force]",
     "settle what is cleared up to the cut-off of each merchant's last day that has ended, or of\n"
     "      --date; nothing is settled twice; --force: also by a clock that is more than seven "
     "days\n"
     "      ahead of all that is known"},
    {{"settlement", "step-over"},
     "settlement.step_over",
     NULL,
     setpay_gateway_step_over_flags,
     setpay_books_print_stepped_over,
     "--date YYYY-MM-DD --reason TEXT",
     "what a clock that was ahead has settled for that day to come keeps no day before from being\n"
     "      settled any more"},
    {{"report", "settlement"},
     "report.settlement",
     NULL,
     setpay_gateway_report_flags,
     setpay_books_print_report,
     "--date YYYY-MM-DD [--brand B] [--merchant-id ID] [--format csv|items|camt.053|camt.054]",
     "what was settled for a day, on standard output"},
    {{"report", "clearing"},
     "report.clearing",
     NULL,
     setpay_gateway_clearing_flags,
     setpay_books_print_report,
     "--date YYYY-MM-DD [--brand B] [--merchant-id ID]",
     "the items of a day's settlements as a clearing file, on standard output"},
    {{"reconcile", NULL},
     "reconcile",
     "file",
     setpay_gateway_reconcile_flags,
     setpay_books_print_reconciled,
     "FILE [--issuer NAME] [--late-hours N] [--from YYYY-MM-DD] [--to YYYY-MM-DD]",
     "an issuer's clearing file (-: standard input) against the ledger; exit status 1 where they "
     "differ;\n      --from, --to: only these days of it"},
    {{"audit", NULL},
     "audit",
     NULL,
     setpay_gateway_audit_flags,
     setpay_books_print_audited,
     "[--clearing FILE]... [--merchant FILE]...",
     "verify every signature that was kept, and add up all books; hold issuers' clearing files "
     "and\n"
     "      merchants' exported batches against them; exit status 1 where something is found"},
    {{"status", NULL},
     "status",
     NULL,
     NULL,
     setpay_operator_print_members,
     "",
     "how the running daemon is"},
    {{"enrol", NULL},
     "enrol",
     NULL,
     setpay_party_enrol_flags,
     setpay_party_print_enrolled,
     SETPAY_PARTY_ENROL_USAGE,
     SETPAY_PARTY_ENROL_HELP},
    {{"doctor", NULL},
     "doctor",
     NULL,
     setpay_doctor_flags,
     setpay_doctor_print_result,
     SETPAY_DOCTOR_USAGE,
     SETPAY_DOCTOR_HELP},
    SETPAY_OPERATOR_BACKUP_COMMANDS,
};

/* What takes more than one question. */
static const struct setpay_operator_whole wholes[] = {
    {"ledger.verify", setpay_books_verify},
    {"settle", setpay_books_settle},
    {"report.settlement", setpay_books_report_settlement},
    {"report.clearing", setpay_books_report_clearing},
    {"dispute.import", setpay_books_import_disputes},
    {"dispute.list", setpay_books_list_disputes},
    {"dispute.evidence", setpay_books_dispute_evidence},
    {"batch.evidence", setpay_books_batch_evidence},
    {"issuer.cutoff", setpay_books_cutoff},
    {"issuer.paid", setpay_books_issuer_paid},
    {"issuer.paid_to", setpay_books_issuer_paid_to},
    {"payout.send", setpay_books_payout_send},
    {"payout.file", setpay_books_payout_file},
    {"reconcile", setpay_books_reconcile},
    {"audit", setpay_books_audit},
    {NULL, NULL},
};

/* ------------------------------------------------------------------ on a stopped daemon */

struct direct {
    const struct setpay_gateway_command *command;
    const json_t *args;
    const struct setpay_vault *vault;
    json_t **result;
    struct setpay_problem *problem;
};

static bool can_direct(const char *name)
{
    return setpay_gateway_command_find(name) != NULL;
}

/* args, where the command needs them, with the issuers of the configuration. */
static json_t *with_issuers(const struct setpay_config *config,
                            const struct setpay_gateway_command *command, const json_t *args)
{
    json_t *all = json_deep_copy(args);
    if (!setpay_gateway_command_needs_issuers(command))
        return all;
    json_t *issuers = json_array();
    for (size_t i = 0; i < setpay_config_instance_count(config, "issuer *"); i++)
        json_array_append_new(issuers, json_string(setpay_config_instance(config, "issuer *", i)));
    json_object_set_new(all, "issuers", issuers);
    return all;
}

static bool takes_long(const char *name)
{
    const struct setpay_gateway_command *command = setpay_gateway_command_find(name);
    return command != NULL && setpay_gateway_command_takes_long(command);
}

static enum setpay_error run_direct(struct setpay_db *db, void *arg)
{
    struct direct *direct = arg;
    return direct->command->run(db, direct->args, direct->vault, direct->result, direct->problem);
}

/* The vault's key is used where it can be read; without it card data stays sealed. */
static enum setpay_error do_directly(struct setpay_service *service, const char *name,
                                     const json_t *args, json_t **result,
                                     struct setpay_problem *problem)
{
    struct setpay_problem ignored;
    struct setpay_vault *vault = NULL;
    const struct setpay_gateway_command *command = setpay_gateway_command_find(name);
    json_t *all = with_issuers(service->config, command, args);
    struct direct direct = {.command = command, .args = all, .result = result, .problem = problem};
    if (setpay_vault_open(setpay_config_text(service->config, "", "vault_key"), &vault, &ignored) ==
        SETPAY_OK)
        direct.vault = vault;
    enum setpay_error error = setpay_store_submit_wait(service->store, run_direct, &direct);
    setpay_vault_free(vault);
    json_decref(all);
    return error;
}

int main(int argc, char **argv)
{
    const struct setpay_operator op = {
        .program = "setpay-gateway",
        .party = "the payment gateway",
        .exits = "Exit status: 0 done, 1 failed, or something was found, 2 usage, 4 the daemon "
                 "does not run or answer",
        .daemon = &setpay_gatewayd_spec,
        .commands = commands,
        .command_count = sizeof commands / sizeof *commands,
        .wholes = wholes,
        .can_direct_cb = can_direct,
        .takes_long_cb = takes_long,
        .direct_cb = do_directly,
        .doctor_cb = doctor,
        .local = "enrol",
        .local_cb = enrol,
    };
    setpay_zone_init();
    return setpay_operator_main(&op, argc, argv);
}
