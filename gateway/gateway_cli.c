/*
 * setpay-gateway: the operator's program of the payment gateway.
 */
#include "common/net/evidence_json.h"
#include "common/net/operator.h"
#include "common/net/operator_backup.h"
#include "common/net/party_enrol.h"
#include "gateway/books_cli.h"
#include "gateway/clearing/zone.h"
#include "gateway/commands.h"
#include "gateway/doctor.h"
#include "gateway/gatewayd.h"
#include "gateway/payment/vault.h"
#include "gateway/setup.h"

#include <stdio.h>

/* ------------------------------------------------------------------ words for people */

static void print_merchant_line(const json_t *merchant)
{
    printf("%-12s %-24s %-8s %04lld  %-20s %-7s %s\n", setpay_operator_text(merchant, "brand"),
           setpay_operator_text(merchant, "id"),
           json_is_true(json_object_get(merchant, "enabled")) ? "enabled" : "disabled",
           (long long)json_integer_value(json_object_get(merchant, "category")),
           setpay_operator_text(merchant, "zone"), setpay_operator_text(merchant, "cut_off"),
           setpay_operator_text(merchant, "name"));
}

static void print_merchants(const json_t *result)
{
    const json_t *list = json_object_get(result, "merchants");
    size_t index;
    const json_t *merchant;
    if (json_array_size(list) == 0) {
        puts("No merchant is known. Add one: setpay-gateway merchant add --brand B --id ID "
             "--name NAME");
        return;
    }
    printf("%-12s %-24s %-8s %s  %-20s %-7s %s\n", "BRAND", "ID", "STATUS", "TYPE", "ZONE",
           "CUT-OFF", "NAME");
    json_array_foreach(list, index, merchant)
    {
        print_merchant_line(merchant);
    }
}

static void print_payments(const json_t *result)
{
    const json_t *list = json_object_get(result, "payments");
    size_t index;
    const json_t *payment;
    if (json_array_size(list) == 0) {
        puts("There is no such payment yet.");
        return;
    }
    printf("%-32s  %-9s %16s  %-6s %-12s %s\n", "XID", "STATUS", "AMOUNT", "ACTION", "BRAND",
           "MERCHANT");
    json_array_foreach(list, index, payment)
    {
        printf("%-32s  %-9s %16s  %-6s %-12s %s\n", setpay_operator_text(payment, "xid"),
               setpay_operator_text(payment, "status"),
               setpay_operator_text(payment, "amount_text"),
               setpay_operator_text(payment, "action_code"), setpay_operator_text(payment, "brand"),
               setpay_operator_text(payment, "merchant_id"));
    }
    json_int_t next = json_integer_value(json_object_get(result, "next_before"));
    if (next != 0)
        printf("There are older ones: --before %lld\n", (long long)next);
}

static void print_payment(const json_t *payment)
{
    static const struct {
        const char *title;
        const char *member;
    } rows[] = {
        {"payment", "xid"},
        {"status", "status"},
        {"asked", "amount_text"},
        {"brand", "brand"},
        {"merchant", "merchant_id"},
        {"card", "card"},
        {"issuer", "issuer"},
        {"action code", "action_code"},
        {"approval code", "approval_code"},
        {"address check", "avs_result"},
        {"security code", "security_code_result"},
        {"signed digest", "pomd"},
        {"hold until", "hold_expiry"},
        {"created", "created"},
        {"updated", "updated"},
    };
    size_t index;
    const json_t *entry;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        printf("%-14s %s\n", rows[i].title, setpay_operator_text(payment, rows[i].member));
    if (json_is_true(json_object_get(payment, "sale")))
        printf("%-14s booked by the issuer at once\n", "sale");
    printf("%-14s %lld approved, %lld reversed, %lld captured, %lld credited (minor units)\n",
           "amounts", (long long)json_integer_value(json_object_get(payment, "approved")),
           (long long)json_integer_value(json_object_get(payment, "reversed")),
           (long long)json_integer_value(json_object_get(payment, "captured")),
           (long long)json_integer_value(json_object_get(payment, "credited")));
    json_array_foreach(json_object_get(payment, "receipts"), index, entry)
    {
        printf("%-14s %s, %s\n", "receipt", setpay_operator_text(entry, "kind"),
               setpay_operator_text(entry, "date"));
    }
    const json_t *agreement = json_object_get(payment, "agreement");
    if (agreement != NULL)
        printf("%-14s %s%s\n", "agreement", setpay_operator_text(agreement, "kind"),
               json_is_string(json_object_get(agreement, "cancelled")) ? ", cancelled" : "");
    json_array_foreach(json_object_get(agreement, "authorisations"), index, entry)
    {
        printf("%-14s %lld: %lld, %s, %s\n", "authorisation",
               (long long)json_integer_value(json_object_get(entry, "number")),
               (long long)json_integer_value(json_object_get(entry, "amount")),
               setpay_operator_text(entry, "status"), setpay_operator_text(entry, "created"));
    }
    json_array_foreach(json_object_get(payment, "reversals"), index, entry)
    {
        printf("%-14s %lld, %s, sent %lld times\n",
               json_is_true(json_object_get(entry, "advice")) ? "hold ended" : "reversal",
               (long long)json_integer_value(json_object_get(entry, "amount")),
               json_is_true(json_object_get(entry, "acknowledged")) ? "acknowledged by the issuer"
                                                                    : "not acknowledged yet",
               (long long)json_integer_value(json_object_get(entry, "sent")));
    }
}

static void print_batch_line(const json_t *batch)
{
    size_t index;
    const json_t *total;
    const char *closed = json_string_value(json_object_get(batch, "closed"));
    printf("%s, %s, batch %lld: %s %s\n", setpay_operator_text(batch, "merchant_id"),
           setpay_operator_text(batch, "brand"),
           (long long)json_integer_value(json_object_get(batch, "batch")),
           closed == NULL ? "open since" : "closed",
           closed == NULL ? setpay_operator_text(batch, "opened") : closed);
    json_array_foreach(json_object_get(batch, "totals"), index, total)
    {
        printf("  captures %6lld %20s    credits %6lld %20s\n",
               (long long)json_integer_value(json_object_get(total, "captures")),
               setpay_operator_text(total, "captured_text"),
               (long long)json_integer_value(json_object_get(total, "credits")),
               setpay_operator_text(total, "credited_text"));
    }
}

static void print_batches(const json_t *result)
{
    const json_t *list = json_object_get(result, "batches");
    const json_t *before = json_object_get(result, "before");
    size_t index;
    const json_t *batch;
    if (json_array_size(list) == 0)
        puts("There is no such batch.");
    json_array_foreach(list, index, batch)
    {
        print_batch_line(batch);
    }
    if (json_is_integer(before))
        printf("There may be more: --before %lld\n", (long long)json_integer_value(before));
}

static void print_batch(const json_t *result)
{
    size_t index;
    const json_t *item;
    print_batch_line(result);
    json_array_foreach(json_object_get(result, "items"), index, item)
    {
        printf("  %s  %-7s %20s  %s  of %s\n", setpay_operator_text(item, "date"),
               setpay_operator_text(item, "kind"), setpay_operator_text(item, "amount_text"),
               setpay_operator_text(item, "id"), setpay_operator_text(item, "xid"));
    }
}

static void print_balances(const json_t *result)
{
    const json_t *list = json_object_get(result, "balances");
    size_t index;
    const json_t *balance;
    if (json_array_size(list) == 0) {
        puts("Nothing has been captured yet.");
        return;
    }
    printf("%-18s %-12s %-24s %20s\n", "ACCOUNT", "BRAND", "MERCHANT", "BALANCE");
    json_array_foreach(list, index, balance)
    {
        printf("%-18s %-12s %-24s %20s %s\n", setpay_operator_text(balance, "account"),
               setpay_operator_text(balance, "brand"), setpay_operator_text(balance, "merchant_id"),
               setpay_operator_text(balance, "amount_text"), setpay_operator_text(balance, "side"));
    }
}

static void print_totals(const char *whose, const json_t *totals)
{
    static const struct {
        const char *title;
        const char *count;
        const char *text;
    } rows[] = {
        {"charged", "debit_count", "debit_text"},
        {"given back", "credit_count", "credit_text"},
        {"charges undone", "debit_reversal_count", "debit_reversal_text"},
    };
    printf("    %-7s", whose);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf("%s %lld (%s), ", rows[i].title,
               (long long)json_integer_value(json_object_get(totals, rows[i].count)),
               setpay_operator_text(totals, rows[i].text));
    printf("%s %s\n",
           json_integer_value(json_object_get(totals, "net_minor")) < 0 ? "owed to the issuer"
                                                                        : "owed by the issuer",
           setpay_operator_text(totals, "net_text"));
}

static void print_issuer(const json_t *issuer)
{
    size_t index;
    const json_t *row;
    printf("%s: %s; %lld reversals and %lld presentments without an answer; period %lld since %s\n",
           setpay_operator_text(issuer, "issuer"), setpay_operator_text(issuer, "line"),
           (long long)json_integer_value(json_object_get(issuer, "reversals_open")),
           (long long)json_integer_value(json_object_get(issuer, "presentments_open")),
           (long long)json_integer_value(json_object_get(issuer, "period")),
           setpay_operator_text(issuer, "since"));
    json_int_t waiting = json_integer_value(json_object_get(issuer, "periods_waiting"));
    if (waiting > 0)
        printf("  %lld periods have ended and wait for their last answers\n", (long long)waiting);
    json_array_foreach(json_object_get(issuer, "reconciliations"), index, row)
    {
        printf("  period %lld, %s, ended %s: %s\n",
               (long long)json_integer_value(json_object_get(row, "period")),
               setpay_operator_text(row, "currency"), setpay_operator_text(row, "ended"),
               setpay_operator_text(row, "result"));
        print_totals("ours", json_object_get(row, "ours"));
        if (json_object_get(row, "theirs") != NULL)
            print_totals("theirs", json_object_get(row, "theirs"));
    }
}

static void print_issuers(const json_t *result)
{
    const json_t *list = json_object_get(result, "issuers");
    size_t index;
    const json_t *issuer;
    if (json_array_size(list) == 0)
        puts("No issuer is known yet: the gateway has not run since it reconciles.");
    json_array_foreach(list, index, issuer)
    {
        print_issuer(issuer);
    }
}

static void print_cut(const json_t *result)
{
    size_t index;
    const json_t *row;
    json_array_foreach(json_object_get(result, "cut"), index, row)
    {
        printf("%s: period %lld has ended\n", setpay_operator_text(row, "issuer"),
               (long long)json_integer_value(json_object_get(row, "period")));
    }
    puts("What it comes to is compared once all of it is answered: see issuer list.");
}

/* ------------------------------------------------------------------ the commands */

static const struct setpay_flag cutoff_flags[] = {{"issuer", SETPAY_FLAG_TEXT, "issuer"}, {0}};
static const struct setpay_flag batch_list_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},     {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {"open", SETPAY_FLAG_SWITCH, "open"},     {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"before", SETPAY_FLAG_NUMBER, "before"}, {0},
};
static const struct setpay_flag batch_show_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {"batch", SETPAY_FLAG_NUMBER, "batch"},
    {0},
};
static const struct setpay_flag verify_flags[] = {{"from", SETPAY_FLAG_TEXT, "from"}, {0}};

static const struct setpay_flag merchant_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"id", SETPAY_FLAG_TEXT, "id"},
    {0},
};
static const struct setpay_flag add_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"id", SETPAY_FLAG_TEXT, "id"},
    {"name", SETPAY_FLAG_TEXT, "name"},
    {"category", SETPAY_FLAG_NUMBER, "category"},
    {"zone", SETPAY_FLAG_TEXT, "zone"},
    {"cut-off", SETPAY_FLAG_TEXT, "cut_off"},
    {"if-absent", SETPAY_FLAG_SWITCH, "if_absent"},
    {0},
};
static const struct setpay_flag set_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"id", SETPAY_FLAG_TEXT, "id"},
    {"name", SETPAY_FLAG_TEXT, "name"},
    {"category", SETPAY_FLAG_NUMBER, "category"},
    {"zone", SETPAY_FLAG_TEXT, "zone"},
    {"cut-off", SETPAY_FLAG_TEXT, "cut_off"},
    {0},
};
static const struct setpay_flag settle_flags[] = {{"date", SETPAY_FLAG_TEXT, "date"}, {0}};
static const struct setpay_flag report_flags[] = {
    {"date", SETPAY_FLAG_TEXT, "day"},
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {"format", SETPAY_FLAG_TEXT, "format"},
    {0},
};
static const struct setpay_flag clearing_flags[] = {
    {"date", SETPAY_FLAG_TEXT, "day"},
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {0},
};
static const struct setpay_flag reconcile_flags[] = {
    {"issuer", SETPAY_FLAG_TEXT, "issuer"},
    {"late-hours", SETPAY_FLAG_NUMBER, "late_hours"},
    {0},
};
static const struct setpay_flag audit_flags[] = {
    {"clearing", SETPAY_FLAG_TEXTS, "clearing_files"},
    {"merchant", SETPAY_FLAG_TEXTS, "merchant_files"},
    {0},
};
static const struct setpay_flag list_flags[] = {
    {"state", SETPAY_FLAG_TEXT, "state"},
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"before", SETPAY_FLAG_NUMBER, "before"},
    {0},
};
static const struct setpay_flag show_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {0},
};

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

static const struct setpay_operator_command commands[] = {
    {{"merchant", "add"},
     "merchant.add",
     NULL,
     add_flags,
     print_merchant_line,
     "--brand B --id ID --name NAME [--category NNNN] [--zone ZONE] [--cut-off HH:MM] "
     "[--if-absent]",
     "make a merchant known, enabled; its days end at --cut-off in --zone (24:00 UTC);\n      "
     "--if-absent: leave one that is there as it is"},
    {{"merchant", "set"},
     "merchant.set",
     NULL,
     set_flags,
     print_merchant_line,
     "--brand B --id ID [--name NAME] [--category NNNN] [--zone ZONE] [--cut-off HH:MM]",
     "change what is known of it"},
    {{"merchant", "list"}, "merchant.list", NULL, NULL, print_merchants, "", "all merchants"},
    {{"merchant", "enable"},
     "merchant.enable",
     NULL,
     merchant_flags,
     print_merchant_line,
     "--brand B --id ID",
     "its requests are taken again"},
    {{"merchant", "disable"},
     "merchant.disable",
     NULL,
     merchant_flags,
     print_merchant_line,
     "--brand B --id ID",
     "its requests are refused from now on"},
    {{"payment", "list"},
     "payment.list",
     NULL,
     list_flags,
     print_payments,
     "[--state asking|approved|captured|declined|voided|reversed] [--limit N] [--before N]",
     "payments, the newest first; --before: the next page"},
    {{"payment", "show"},
     "payment.show",
     "xid",
     show_flags,
     print_payment,
     "XID [--brand B] [--merchant-id ID]",
     "one payment with its receipts and reversals"},
    {{"payment", "evidence"},
     "payment.evidence",
     "xid",
     show_flags,
     setpay_evidence_print,
     "XID [--brand B] [--merchant-id ID]",
     "what others have signed for it; with --json for a stranger to check"},
    {{"batch", "list"},
     "batch.list",
     NULL,
     batch_list_flags,
     print_batches,
     "[--brand B] [--merchant-id ID] [--open] [--limit N] [--before N]",
     "batches with their totals, the newest first; --open: those alone; --before: the next page"},
    {{"batch", "show"},
     "batch.show",
     NULL,
     batch_show_flags,
     print_batch,
     "--brand B --merchant-id ID --batch N",
     "one batch with its items"},
    {{"ledger", "verify"},
     "ledger.verify",
     NULL,
     verify_flags,
     setpay_books_print_verified,
     "[--from NUMBER:HASH]",
     "recompute the ledger and compare; exit status 1 where something is found; --from: only what "
     "came behind that entry"},
    {{"ledger", "balances"},
     "ledger.balances",
     NULL,
     NULL,
     print_balances,
     "",
     "what every account holds"},
    {{"issuer", "list"},
     "issuer.list",
     NULL,
     NULL,
     print_issuers,
     "",
     "each issuer's line, what it owes an answer, and its last reconciliations"},
    {{"issuer", "cutoff"},
     "issuer.cutoff",
     NULL,
     cutoff_flags,
     print_cut,
     "[--issuer NAME]",
     "end the period now, and compare totals with the issuer (all issuers)"},
    {{"settle", NULL},
     "settle",
     NULL,
     settle_flags,
     setpay_books_print_settled,
     "[--date YYYY-MM-DD]",
     "settle what is cleared up to the cut-off of each merchant's last day that has ended, or of\n"
     "      --date; nothing is settled twice"},
    {{"report", "settlement"},
     "report.settlement",
     NULL,
     report_flags,
     setpay_books_print_report,
     "--date YYYY-MM-DD [--brand B] [--merchant-id ID] [--format csv|camt.053|camt.054]",
     "what was settled for a day, on standard output"},
    {{"report", "clearing"},
     "report.clearing",
     NULL,
     clearing_flags,
     setpay_books_print_report,
     "--date YYYY-MM-DD [--brand B] [--merchant-id ID]",
     "the items of a day's settlements as a clearing file, on standard output"},
    {{"reconcile", NULL},
     "reconcile",
     "file",
     reconcile_flags,
     setpay_books_print_reconciled,
     "FILE [--issuer NAME] [--late-hours N]",
     "an issuer's clearing file (-: standard input) against the ledger; exit status 1 where they "
     "differ"},
    {{"audit", NULL},
     "audit",
     NULL,
     audit_flags,
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
    struct direct direct = {.command = setpay_gateway_command_find(name),
                            .args = args,
                            .result = result,
                            .problem = problem};
    if (setpay_vault_open(setpay_config_text(service->config, "", "vault_key"), &vault, &ignored) ==
        SETPAY_OK)
        direct.vault = vault;
    enum setpay_error error = setpay_store_submit_wait(service->store, run_direct, &direct);
    setpay_vault_free(vault);
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
        .direct_cb = do_directly,
        .doctor_cb = doctor,
        .local = "enrol",
        .local_cb = enrol,
    };
    setpay_zone_init();
    return setpay_operator_main(&op, argc, argv);
}
