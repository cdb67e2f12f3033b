/*
 * What the operator's commands print for people. No control character reaches the terminal: what
 * others chose was held to its form when it was taken.
 */
#include "gateway/gateway_words.h"

#include "common/base/noun.h"
#include "common/net/operator.h"
#include "gateway/payment/stand_in.h"

#include <stdio.h>
#include <string.h>

void setpay_gateway_print_merchant_line(const json_t *merchant)
{
    printf("%-12s %-24s %-8s %04lld  %-20s %-7s %-9s %s\n", setpay_operator_text(merchant, "brand"),
           setpay_operator_text(merchant, "id"),
           json_is_true(json_object_get(merchant, "enabled")) ? "enabled" : "disabled",
           (long long)json_integer_value(json_object_get(merchant, "category")),
           setpay_operator_text(merchant, "zone"), setpay_operator_text(merchant, "cut_off"),
           setpay_operator_text(merchant, "reserve_text"), setpay_operator_text(merchant, "name"));
}

void setpay_gateway_print_merchants(const json_t *result)
{
    const json_t *list = json_object_get(result, "merchants");
    size_t index;
    const json_t *merchant;
    if (json_array_size(list) == 0) {
        puts("No merchant is known. Add one: setpay-gateway merchant add --brand B --id ID "
             "--name NAME");
        return;
    }
    printf("%-12s %-24s %-8s %s  %-20s %-7s %-9s %s\n", "BRAND", "ID", "STATUS", "TYPE", "ZONE",
           "CUT-OFF", "RESERVE", "NAME");
    json_array_foreach(list, index, merchant)
    {
        setpay_gateway_print_merchant_line(merchant);
    }
}

void setpay_gateway_print_payments(const json_t *result)
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

void setpay_gateway_print_payment(const json_t *payment)
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
    const json_t *stand_in = json_object_get(payment, "stand_in");
    if (json_is_true(json_object_get(payment, "sale")))
        printf("%-14s %s\n", "sale",
               stand_in != NULL ? "captured at once" : "booked by the issuer at once");
    if (stand_in != NULL)
        printf("%-14s approved in the issuer's stead; advice %lld %s%s\n", "stand-in",
               (long long)json_integer_value(json_object_get(stand_in, "advice")),
               setpay_operator_text(stand_in, "status"),
               json_is_true(json_object_get(stand_in, "acknowledged")) &&
                       !json_is_string(json_object_get(stand_in, "reason"))
                   ? " by the issuer"
                   : "");
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
        json_int_t sent = json_integer_value(json_object_get(entry, "sent"));
        bool off =
            strcmp(setpay_operator_text(entry, "response_code"), SETPAY_STAND_IN_WRITTEN_OFF) == 0;
        printf("%-14s %lld, %s, sent %lld %s\n",
               json_is_true(json_object_get(entry, "advice")) ? "hold ended" : "reversal",
               (long long)json_integer_value(json_object_get(entry, "amount")),
               off                                                    ? "given up with its advice"
               : json_is_string(json_object_get(entry, "reason"))     ? "written off"
               : json_is_true(json_object_get(entry, "acknowledged")) ? "acknowledged by the issuer"
                                                                      : "not acknowledged yet",
               (long long)sent, setpay_noun(sent, "time", "times"));
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

void setpay_gateway_print_batches(const json_t *result)
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

void setpay_gateway_print_batch(const json_t *result)
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

void setpay_gateway_print_balances(const json_t *result)
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

static void print_reconciliations(const json_t *list)
{
    size_t index;
    const json_t *row;
    json_array_foreach(list, index, row)
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

static void print_issuer(const json_t *issuer)
{
    json_int_t reversals = json_integer_value(json_object_get(issuer, "reversals_open"));
    json_int_t presentments = json_integer_value(json_object_get(issuer, "presentments_open"));
    json_int_t advices = json_integer_value(json_object_get(issuer, "advices_open"));
    json_int_t refused = json_integer_value(json_object_get(issuer, "advices_refused"));
    printf("%s: %s; %lld %s and %lld %s without an answer; period %lld since %s\n",
           setpay_operator_text(issuer, "issuer"), setpay_operator_text(issuer, "line"),
           (long long)reversals, setpay_noun(reversals, "reversal", "reversals"),
           (long long)presentments, setpay_noun(presentments, "presentment", "presentments"),
           (long long)json_integer_value(json_object_get(issuer, "period")),
           setpay_operator_text(issuer, "since"));
    if (advices > 0 || refused > 0)
        printf("  approved in its stead: %lld without an answer, %lld refused\n",
               (long long)advices, (long long)refused);
    json_int_t waiting = json_integer_value(json_object_get(issuer, "periods_waiting"));
    if (waiting > 0)
        printf("  %lld %s ended and %s last answers\n", (long long)waiting,
               setpay_noun(waiting, "period has", "periods have"),
               setpay_noun(waiting, "waits for its", "wait for their"));
    print_reconciliations(json_object_get(issuer, "reconciliations"));
}

void setpay_gateway_print_issuers(const json_t *result)
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

void setpay_gateway_print_cut(const json_t *result)
{
    size_t index;
    const json_t *row;
    bool all_done = true;
    json_array_foreach(json_object_get(result, "cut"), index, row)
    {
        const json_t *list = json_object_get(row, "reconciliations");
        bool done = json_is_true(json_object_get(row, "totalled"));
        printf("%s: period %lld %s%s\n", setpay_operator_text(row, "issuer"),
               (long long)json_integer_value(json_object_get(row, "period")),
               json_is_true(json_object_get(row, "earlier"))
                   ? "had ended before, and waited for its last answers"
                   : "has ended",
               done && json_array_size(list) == 0 ? "; nothing was booked in it" : "");
        print_reconciliations(list);
        all_done = all_done && done;
    }
    if (!all_done)
        puts("What it comes to is compared once all of it is answered: see issuer list.");
}

void setpay_gateway_print_presentment(const json_t *one)
{
    printf("%lld  %-7s %20s  of %s  %s, %s batch %lld  %s\n",
           (long long)json_integer_value(json_object_get(one, "presentment")),
           setpay_operator_text(one, "kind"), setpay_operator_text(one, "amount_text"),
           setpay_operator_text(one, "xid"), setpay_operator_text(one, "merchant_id"),
           setpay_operator_text(one, "brand"),
           (long long)json_integer_value(json_object_get(one, "batch")),
           setpay_operator_text(one, "status"));
}

void setpay_gateway_print_advice(const json_t *advice)
{
    printf("%lld: %s of %s for %s, %s: %s\n",
           (long long)json_integer_value(json_object_get(advice, "advice")),
           setpay_operator_text(advice, "amount_text"), setpay_operator_text(advice, "xid"),
           setpay_operator_text(advice, "merchant_id"), setpay_operator_text(advice, "issuer"),
           setpay_operator_text(advice, "status"));
}

void setpay_gateway_print_advices(const json_t *result)
{
    const json_t *list = json_object_get(result, "advices");
    size_t index;
    const json_t *advice;
    if (json_array_size(list) == 0)
        puts("There are none.");
    json_array_foreach(list, index, advice)
    {
        setpay_gateway_print_advice(advice);
    }
    json_int_t after = json_integer_value(json_object_get(result, "after"));
    if (after != 0)
        printf("There may be more: --after %lld\n", (long long)after);
}

void setpay_gateway_print_presentments(const json_t *result)
{
    const json_t *list = json_object_get(result, "presentments");
    const json_t *after = json_object_get(result, "after");
    size_t index;
    const json_t *one;
    if (json_array_size(list) == 0)
        puts("Issuers have answered everything of that kind.");
    json_array_foreach(list, index, one)
    {
        setpay_gateway_print_presentment(one);
    }
    if (json_is_integer(after))
        printf("There may be more: --after %lld\n", (long long)json_integer_value(after));
}

void setpay_gateway_print_reversal(const json_t *one)
{
    printf("%lld: %s of %s for %s, %s: %s\n",
           (long long)json_integer_value(json_object_get(one, "reversal")),
           setpay_operator_text(one, "amount_text"), setpay_operator_text(one, "xid"),
           setpay_operator_text(one, "merchant_id"), setpay_operator_text(one, "issuer"),
           setpay_operator_text(one, "status"));
}

void setpay_gateway_print_reversals(const json_t *result)
{
    const json_t *list = json_object_get(result, "reversals");
    const json_t *after = json_object_get(result, "after");
    size_t index;
    const json_t *one;
    if (json_array_size(list) == 0)
        puts("Issuers have acknowledged everything of that kind.");
    json_array_foreach(list, index, one)
    {
        setpay_gateway_print_reversal(one);
    }
    if (json_is_integer(after))
        printf("There may be more: --after %lld\n", (long long)json_integer_value(after));
}
