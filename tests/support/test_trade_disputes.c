/*
 * Cardholders, the issuer's file and the gateway's command, one after the other.
 */
#include "tests/support/test_trade_disputes.h"

#include <inttypes.h>
#include <stdio.h>

#define DISPUTES 6

/* Charges that the issuer has taken, and of which nothing was given back, by their ids. */
static size_t find_charges(const struct test_town *town, char ids[DISPUTES][40])
{
    sqlite3 *gateway = test_sandbox_database(&town->sandbox, "gateway");
    sqlite3_stmt *rows = NULL;
    size_t count = 0;
    if (sqlite3_prepare_v2(gateway,
                           "SELECT lower(hex(token)) FROM step JOIN presentment ON step_id ="
                           " step.id WHERE kind = 1 AND credited_minor = 0 AND response_code ="
                           " '00' AND settlement_id <> 0 ORDER BY token",
                           -1, &rows, NULL) == SQLITE_OK)
        while (count < DISPUTES && sqlite3_step(rows) == SQLITE_ROW)
            (void)snprintf(ids[count++], 40, "%s", (const char *)sqlite3_column_text(rows, 0));
    sqlite3_finalize(rows);
    sqlite3_close(gateway);
    return count;
}

static void import_disputes(const struct test_town *town, const char *what, const char *name,
                            test_town_report_fn *report)
{
    char path[192];
    report(test_town_print(town, "setpay-issuersim", town->issuer,
                           (const char *[]){"disputes", NULL}, name, path),
           "the issuer writes its file of disputes", path);
    test_town_tool(town, what, "setpay-gateway", town->gateway,
                   (const char *[]){"dispute", "import", path, NULL}, report);
}

void test_trade_dispute(struct test_town *town, test_town_report_fn *report)
{
    char ids[DISPUTES][40], number[16], words[128];
    size_t count = find_charges(town, ids);
    bool good = count == DISPUTES;
    for (size_t i = 0; good && i < count; i++)
        good =
            test_town_program(
                town, "setpay-issuersim", town->issuer,
                (const char *[]){"dispute", "open", ids[i], "--reason", "fraud", NULL}, NULL) == 0;
    (void)snprintf(words, sizeof words, "%zu charges", count);
    report(good, "cardholders dispute charges", words);
    import_disputes(town, "setpay-gateway dispute import: what is disputed is held back",
                    "opened.csv", report);
    test_town_hour(town, town->hour + 24);
    test_town_tool(town, "setpay-gateway settle: the day after", "setpay-gateway", town->gateway,
                   (const char *[]){"settle", NULL}, report);
    for (size_t i = 0; good && i < DISPUTES / 3 * 2; i++) {
        (void)snprintf(number, sizeof number, "%zu", i + 1);
        good = test_town_program(town, "setpay-issuersim", town->issuer,
                                 (const char *[]){"dispute", "close", number, "--outcome",
                                                  i % 2 == 0 ? "cardholder" : "merchant", NULL},
                                 NULL) == 0;
    }
    report(good, "the issuer decides on some of them", words);
    import_disputes(town, "setpay-gateway dispute import: they are closed", "closed.csv", report);
    sqlite3 *gateway = test_sandbox_database(&town->sandbox, "gateway");
    int64_t open = test_database_number(
        gateway, "SELECT coalesce(sum(amount_minor), 0) FROM dispute WHERE outcome = 0", NULL);
    int64_t held = test_database_number(
        gateway, "SELECT coalesce(-sum(amount_minor), 0) FROM ledger_balance WHERE account = 7",
        NULL);
    sqlite3_close(gateway);
    (void)snprintf(words, sizeof words, "%" PRId64 " are open, %" PRId64 " are held", open, held);
    report(open > 0 && open == held, "what is open is held, to the last unit", words);
}
