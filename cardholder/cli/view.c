/*
 * The wallet's answers as a person reads them. Nothing here decides anything; every text that came
 * from a merchant is cleaned before it is shown (text.h).
 */
#include "cardholder/cli/cli.h"
#include "cardholder/cli/text.h"
#include "cardholder/cli/words.h"

#include <stdlib.h>
#include <string.h>

#define BOLD "\033[1m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

static const char *text(const json_t *object, const char *name)
{
    const char *found = setpay_cli_text_of(object, name);

    return found == NULL ? "" : found;
}

static bool is(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

static json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* A text of strangers, in the middle of a line of ours. */
static void put(FILE *out, const char *of_strangers)
{
    char *clean = setpay_cli_text_clean(of_strangers, 0);

    (void)fputs(clean == NULL ? "?" : clean, out);
    free(clean);
}

/* Adds a row to a table of names and values; without a value, none. Where memory ends, so does the
 * table: what is shown is then short, but never wrong. */
static void add_pair(struct setpay_cli_table *table, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    if (setpay_cli_table_add(table, name) == SETPAY_OK)
        (void)!setpay_cli_table_add(table, value);
}

/* The name that the merchant gives itself, and on a line of its own, where no name can imitate it,
 * what its certificate says. */
static void add_merchant(struct setpay_cli_table *table, const json_t *object)
{
    char words[400];

    (void)snprintf(words, sizeof words, "%s at %s", text(object, "merchant_id"),
                   text(object, "host"));
    add_pair(table, "Merchant", text(object, "merchant"));
    add_pair(table, "Certified as", words);
}

static const struct setpay_cli_column pair_columns[] = {{NULL, false, 0}, {NULL, false, 0}};

static void view_items(FILE *out, const json_t *items, bool bold)
{
    static const struct setpay_cli_column columns[] = {
        {"Quantity", true, 0}, {"Item", false, 0}, {"Each", true, 0}, {"Amount", true, 0}};
    struct setpay_cli_table table = {.columns = columns, .column_count = 4};
    enum setpay_error error = SETPAY_OK;
    size_t at;
    const json_t *item;

    json_array_foreach(items, at, item)
    {
        char quantity[24];
        const char *const cells[] = {quantity, text(item, "name"), text(item, "unit_amount_text"),
                                     text(item, "amount_text")};

        (void)snprintf(quantity, sizeof quantity, "%" JSON_INTEGER_FORMAT,
                       number(item, "quantity"));
        for (size_t cell = 0; cell < 4 && error == SETPAY_OK; cell++)
            error = setpay_cli_table_add(&table, cells[cell]);
    }
    if (json_array_size(items) > 0) {
        (void)fputc('\n', out);
        setpay_cli_table_print(&table, out, 2, bold);
    }
    setpay_cli_table_clear(&table);
}

void setpay_cli_view_offer(FILE *out, const json_t *offer, bool colour)
{
    struct setpay_cli_table table = {.columns = pair_columns, .column_count = 2};
    const json_t *card = json_object_get(offer, "card");
    char words[300];
    char when[SETPAY_CLI_TIME_SIZE];

    add_merchant(&table, offer);
    add_pair(&table, "Order", text(offer, "order_id"));
    setpay_cli_table_print(&table, out, 0, false);
    setpay_cli_table_clear(&table);
    view_items(out, json_object_get(offer, "items"), colour);
    (void)fputc('\n', out);
    add_pair(&table, "Total", text(offer, "amount_text"));
    if (strcmp(text(offer, "terms"), "single") != 0)
        add_pair(&table, "Terms", text(offer, "terms_text"));
    if (json_is_object(card)) {
        (void)snprintf(words, sizeof words, "%s •••• %s (%s)", text(card, "brand"),
                       text(card, "last4"), text(card, "label"));
        add_pair(&table, "Card", words);
    }
    add_pair(&table, "Open until", setpay_cli_local_time(text(offer, "expires"), false, when));
    setpay_cli_table_print(&table, out, 0, false);
    setpay_cli_table_clear(&table);
}

static void headline(FILE *out, const char *paint, bool colour, const char *words)
{
    (void)fprintf(out, "%s%s%s", colour ? paint : "", words, colour ? PLAIN : "");
}

static void view_declined(FILE *out, const json_t *purchase, bool colour)
{
    const struct setpay_cli_reason *reason = setpay_cli_reason(text(purchase, "action_code"));

    headline(out, BOLD RED, colour, "Declined by the issuer");
    (void)fprintf(out, ": %s", reason->words);
    if (*text(purchase, "action_code") != '\0') {
        (void)fputs(" (code ", out);
        put(out, text(purchase, "action_code"));
        (void)fputc(')', out);
    }
    (void)fprintf(out, ".\n  Nothing was taken. What to do: %s.\n", reason->advice);
}

static void view_failed(FILE *out, const json_t *purchase, bool colour)
{
    headline(out, BOLD RED, colour, "Not paid");
    (void)fputs(": the purchase was ", out);
    put(out, text(purchase, "state"));
    (void)fputs(".\n", out);
    if (strcmp(text(purchase, "state"), "reversed") == 0)
        (void)fputs("  It was authorised, and then given back whole.\n", out);
}

static void view_pending(FILE *out, const json_t *purchase, bool colour)
{
    headline(out, BOLD YELLOW, colour, "Not known yet");
    if (strncmp(text(purchase, "state"), "refused", 7) == 0)
        (void)fputs(": refused by the merchant, not confirmed by the payment gateway", out);
    (void)fputs(".\n  The wallet goes on asking. Paying the link again is safe: it never pays "
                "twice.\n  setpay-wallet status ",
                out);
    put(out, text(purchase, "xid"));
    (void)fputs(" says how it stands.\n", out);
    if (strncmp(text(purchase, "state"), "refused", 7) == 0)
        (void)fputs("  To pay all the same, and perhaps twice: setpay-wallet pay LINK --insist\n",
                    out);
}

/* "7.00 of 10.00 EUR", or "10.00 EUR" where that is all of it; into out, which it returns. */
static const char *part_of(const char *part, const char *whole, char *out, size_t size)
{
    size_t digits = strcmp(part, whole) == 0 ? 0 : strcspn(part, " ");

    (void)snprintf(out, size, "%.*s%s%s", (int)digits, part, digits > 0 ? " of " : "", whole);
    return out;
}

/* What was taken, and what came back of it. */
static void view_captured(FILE *out, const json_t *purchase, bool colour)
{
    char words[2 * SETPAY_MONEY_TEXT_SIZE];

    headline(out, BOLD GREEN, colour, "Captured");
    (void)fputc(' ', out);
    put(out, part_of(text(purchase, "captured_amount_text"), text(purchase, "amount_text"), words,
                     sizeof words));
    if (number(purchase, "credited_amount") > 0) {
        (void)fputs(", refunded ", out);
        put(out, text(purchase, "credited_amount_text"));
    }
    (void)fputs(": ", out);
    put(out, text(purchase, "merchant"));
}

static void view_authorised(FILE *out, const json_t *purchase, bool colour)
{
    bool partial = is(purchase, "partial");

    if (number(purchase, "captured_amount") > 0) {
        view_captured(out, purchase, colour);
    } else {
        headline(out, partial ? BOLD YELLOW : BOLD GREEN, colour,
                 partial ? "Authorised in part" : "Authorised");
        (void)fputs(": ", out);
        if (partial) {
            put(out, text(purchase, "authorised_amount_text"));
            (void)fputs(" of ", out);
        }
        put(out, text(purchase, "amount_text"));
        (void)fputs(" to ", out);
        put(out, text(purchase, "merchant"));
    }
    if (*text(purchase, "approval_code") != '\0') {
        (void)fputs(", approval code ", out);
        put(out, text(purchase, "approval_code"));
    }
    (void)fputs(".\n", out);
}

/* What the person should know whatever the outcome (rules W6, W7). */
static void view_warnings(FILE *out, const json_t *purchase, bool colour)
{
    if (is(purchase, "breach")) {
        headline(out, BOLD RED, colour, "The merchant broke its word");
        (void)fputs(
            ": it signed that this was refused, but the gateway's receipt says it was "
            "authorised.\n  The evidence is kept: setpay-wallet receipt XID --export FILE\n",
            out);
    }
    if (*text(purchase, "disagreement") != '\0') {
        headline(out, BOLD RED, colour, "Disagreement");
        (void)fputs(": ", out);
        put(out, text(purchase, "disagreement"));
        (void)fputc('\n', out);
    }
}

void setpay_cli_view_outcome(FILE *out, const json_t *purchase, bool colour)
{
    const char *status = text(purchase, "status");

    switch (setpay_cli_purchase_exit(status)) {
    case 0:
        view_authorised(out, purchase, colour);
        break;
    case 3:
        view_declined(out, purchase, colour);
        break;
    case 4:
        view_pending(out, purchase, colour);
        break;
    default:
        view_failed(out, purchase, colour);
    }
    view_warnings(out, purchase, colour);
}

void setpay_cli_view_purchase(FILE *out, const json_t *purchase, bool colour)
{
    struct setpay_cli_table table = {.columns = pair_columns, .column_count = 2};
    const json_t *reversed = json_object_get(purchase, "reversed_amount");
    char words[128];
    char when[SETPAY_CLI_TIME_SIZE];

    setpay_cli_view_outcome(out, purchase, colour);
    (void)fputc('\n', out);
    add_pair(&table, "Purchase", text(purchase, "xid"));
    (void)snprintf(words, sizeof words, "%s%s", text(purchase, "state"),
                   is(purchase, "receipt") ? ", by the gateway's signed receipt" : "");
    add_pair(&table, "State", words);
    add_merchant(&table, purchase);
    add_pair(&table, "Order", text(purchase, "order_id"));
    add_pair(&table, "Amount", text(purchase, "amount_text"));
    if (is(purchase, "partial"))
        add_pair(&table, "Authorised", text(purchase, "authorised_amount_text"));
    if (json_integer_value(reversed) > 0) {
        struct setpay_money money;

        if (setpay_money_make(json_integer_value(reversed), text(purchase, "currency"), &money) ==
            SETPAY_OK)
            add_pair(&table, "Given back", setpay_money_format(&money, words));
    }
    if (number(purchase, "captured_amount") > 0 || number(purchase, "credited_amount") > 0)
        add_pair(&table, "Captured", text(purchase, "captured_amount_text"));
    if (number(purchase, "credited_amount") > 0)
        add_pair(&table, "Refunded", text(purchase, "credited_amount_text"));
    (void)snprintf(words, sizeof words, "%s %s", text(purchase, "brand"),
                   *text(purchase, "card") == '\0' ? "(unlock the wallet to see which)"
                                                   : text(purchase, "card"));
    add_pair(&table, "Card", words);
    add_pair(&table, "Approval code", text(purchase, "approval_code"));
    if (number(purchase, "rule") > 0) {
        (void)snprintf(words, sizeof words, "rule %" JSON_INTEGER_FORMAT, number(purchase, "rule"));
        add_pair(&table, "Agreed to by", words);
    }
    add_pair(&table, "Signed", setpay_cli_local_time(text(purchase, "created"), true, when));
    add_pair(&table, "Changed", setpay_cli_local_time(text(purchase, "updated"), true, when));
    add_pair(&table, "Merchant says", text(purchase, "merchant_said"));
    add_pair(&table, "Not asked anew", text(purchase, "refresh_error"));
    setpay_cli_table_print(&table, out, 0, false);
    setpay_cli_table_clear(&table);
    view_items(out, json_object_get(purchase, "items"), colour);
}

void setpay_cli_view_purchases(FILE *out, const json_t *purchases, bool colour)
{
    static const struct setpay_cli_column columns[] = {{"When", false, 0},  {"Status", false, 0},
                                                       {"Amount", true, 0}, {"Merchant", false, 32},
                                                       {"Card", false, 0},  {"Purchase", false, 0}};
    struct setpay_cli_table table = {.columns = columns, .column_count = 6};
    enum setpay_error error = SETPAY_OK;
    size_t at;
    const json_t *purchase;

    if (json_array_size(purchases) == 0) {
        (void)fputs("Nothing has been bought with this wallet yet.\n", out);
        return;
    }
    json_array_foreach(purchases, at, purchase)
    {
        char when[SETPAY_CLI_TIME_SIZE];
        char amount[2 * SETPAY_MONEY_TEXT_SIZE];
        bool partial = is(purchase, "partial");
        bool captured = number(purchase, "captured_amount") > 0;
        json_int_t credited = number(purchase, "credited_amount");
        const char *const cells[] = {
            setpay_cli_local_time(text(purchase, "created"), false, when),
            credited > 0
                ? (credited < number(purchase, "captured_amount") ? "refunded in part" : "refunded")
            : captured || !partial ? text(purchase, "status")
                                   : "in part",
            captured  ? part_of(text(purchase, "captured_amount_text"),
                                text(purchase, "amount_text"), amount, sizeof amount)
            : partial ? text(purchase, "authorised_amount_text")
                      : text(purchase, "amount_text"),
            text(purchase, "merchant"),
            text(purchase, "card"),
            text(purchase, "xid"),
        };

        for (size_t cell = 0; cell < 6 && error == SETPAY_OK; cell++)
            error = setpay_cli_table_add(&table, cells[cell]);
    }
    setpay_cli_table_print(&table, out, 0, colour);
    setpay_cli_table_clear(&table);
}

void setpay_cli_view_receipts(FILE *out, const json_t *receipts, bool colour)
{
    static const struct setpay_cli_column columns[] = {
        {"Receipt", false, 0}, {"Amount", true, 0},    {"When", false, 0},
        {"Code", false, 0},    {"Approval", false, 0}, {"Gateway", false, 19}};
    struct setpay_cli_table table = {.columns = columns, .column_count = 6};
    enum setpay_error error = SETPAY_OK;
    size_t at;
    const json_t *receipt;

    json_array_foreach(receipts, at, receipt)
    {
        char when[SETPAY_CLI_TIME_SIZE];
        const char *const cells[] = {
            text(receipt, "kind"),
            text(receipt, "amount_text"),
            setpay_cli_local_time(text(receipt, "date"), true, when),
            text(receipt, "action_code"),
            text(receipt, "approval_code"),
            text(receipt, "gateway_sign"),
        };

        for (size_t cell = 0; cell < 6 && error == SETPAY_OK; cell++)
            error = setpay_cli_table_add(&table, cells[cell]);
    }
    (void)fputc('\n', out);
    setpay_cli_table_print(&table, out, 0, colour);
    setpay_cli_table_clear(&table);
}

void setpay_cli_view_cards(FILE *out, const json_t *cards, bool colour)
{
    static const struct setpay_cli_column columns[] = {
        {"Label", false, 40}, {"Brand", false, 0},   {"Card", false, 0}, {"Expires", false, 0},
        {"Status", false, 0}, {"Default", false, 0}, {"Id", false, 0}};
    struct setpay_cli_table table = {.columns = columns, .column_count = 7};
    enum setpay_error error = SETPAY_OK;
    size_t at;
    const json_t *card;

    if (json_array_size(cards) == 0) {
        (void)fputs("There is no card yet: ask for one with setpay-wallet card enrol\n", out);
        return;
    }
    json_array_foreach(cards, at, card)
    {
        char digits[40];
        const char *const cells[] = {
            text(card, "label"),   text(card, "brand"),  digits,
            text(card, "expires"), text(card, "status"), is(card, "default") ? "yes" : "-",
            text(card, "id"),
        };

        (void)snprintf(digits, sizeof digits, "•••• %.4s", text(card, "last4"));
        for (size_t cell = 0; cell < 7 && error == SETPAY_OK; cell++)
            error = setpay_cli_table_add(&table, cells[cell]);
    }
    setpay_cli_table_print(&table, out, 0, colour);
    setpay_cli_table_clear(&table);
    json_array_foreach(cards, at, card)
    {
        if (*text(card, "notice") != '\0')
            setpay_cli_view_notice(out, text(card, "label"), text(card, "notice"), colour);
    }
}

void setpay_cli_view_notice(FILE *out, const char *label, const char *notice, bool colour)
{
    headline(out, BOLD YELLOW, colour, "Note");
    (void)fputs(": ", out);
    put(out, label);
    (void)fputs(": ", out);
    put(out, notice);
    (void)fputc('\n', out);
}
