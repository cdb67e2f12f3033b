/*
 * Tables and words of setpay-merchant. Texts that strangers may have written lose their control
 * characters, so that none can steer the terminal.
 */
#include "merchant/merchant_words.h"

#include "common/base/money.h"
#include "common/base/noun.h"
#include "common/net/operator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long long int_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static void print_safely(const char *text)
{
    for (; *text != '\0'; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text);
}

/* The member's minor units in the object's currency, in words. A sum of many payments may be above
 * what one of them can be. */
static const char *money_of(const json_t *object, const char *member, const char *currency,
                            char *out)
{
    struct setpay_money money = {.minor = int_of(object, member)};
    if (setpay_currency_by_code(currency) == NULL)
        return "-";
    (void)snprintf(money.currency, sizeof money.currency, "%s", currency);
    return setpay_money_format(&money, out);
}

/* ------------------------------------------------------------------ orders */

static void print_items(const json_t *order)
{
    char unit[SETPAY_MONEY_TEXT_SIZE];
    char total[SETPAY_MONEY_TEXT_SIZE];
    const char *currency = setpay_operator_text(order, "currency");
    size_t index;
    const json_t *item;
    json_array_foreach(json_object_get(order, "items"), index, item)
    {
        printf("%-14s %7lld x %16s  %16s  ", index == 0 ? "items" : "", int_of(item, "quantity"),
               money_of(item, "unit_amount", currency, unit),
               money_of(item, "total", currency, total));
        print_safely(setpay_operator_text(item, "name"));
        putchar('\n');
    }
}

static void print_payments(const json_t *order)
{
    char amount[SETPAY_MONEY_TEXT_SIZE];
    size_t index;
    const json_t *payment;
    json_array_foreach(json_object_get(order, "payments"), index, payment)
    {
        printf("%-14s %s  %-10s %16s  action %s, approval %s\n", index == 0 ? "payments" : "",
               setpay_operator_text(payment, "xid"), setpay_operator_text(payment, "status"),
               money_of(payment, "amount", setpay_operator_text(payment, "currency"), amount),
               setpay_operator_text(payment, "action_code"),
               setpay_operator_text(payment, "approval_code"));
    }
}

/* With what a capture or refund was paid; how much, where that is not all of it. */
static void print_settled(const json_t *step)
{
    const json_t *settled = json_object_get(step, "settled");
    char amount[SETPAY_MONEY_TEXT_SIZE];
    if (!json_is_object(settled))
        return;
    printf(", settled on %s", setpay_operator_text(settled, "day"));
    if (json_is_integer(json_object_get(settled, "paid_amount")))
        printf(", %s of it",
               money_of(settled, "paid_amount", setpay_operator_text(step, "currency"), amount));
}

/* Captures, refunds and what undoes them. */
static void print_steps(const json_t *order, const char *list)
{
    char amount[SETPAY_MONEY_TEXT_SIZE];
    size_t index;
    const json_t *step;
    json_array_foreach(json_object_get(order, list), index, step)
    {
        const char *kind = json_string_value(json_object_get(step, "kind"));
        printf("%-14s %s  %-10s %16s  ", index == 0 ? list : "", setpay_operator_text(step, "id"),
               setpay_operator_text(step, "status"),
               money_of(step, "amount", setpay_operator_text(step, "currency"), amount));
        if (kind != NULL)
            printf("%s", kind);
        if (json_is_integer(json_object_get(step, "code")))
            printf("%srefused with code %lld", kind != NULL ? ", " : "", int_of(step, "code"));
        else if (json_is_integer(json_object_get(step, "batch")))
            printf("%sbatch %lld", kind != NULL ? ", " : "", int_of(step, "batch"));
        print_settled(step);
        if (json_is_true(json_object_get(step, "undone")))
            printf(", undone");
        if (int_of(step, "refunded_amount") > 0)
            printf(", %s refunded", money_of(step, "refunded_amount",
                                             setpay_operator_text(step, "currency"), amount));
        putchar('\n');
    }
}

/* What was agreed to, how much of it has been taken, and what comes next. */
static void print_agreement(const json_t *order)
{
    char amount[SETPAY_MONEY_TEXT_SIZE];
    const char *currency = setpay_operator_text(order, "currency");
    const json_t *terms = json_object_get(order, "terms");
    const json_t *agreement = json_object_get(order, "agreement");
    if (terms == NULL)
        return;
    printf("%-14s %s", "terms", setpay_operator_text(terms, "kind"));
    if (json_is_integer(json_object_get(terms, "count")))
        printf(", %lld of at most %s, %lld %s apart, until %s (%s)", int_of(terms, "count"),
               money_of(terms, "each", currency, amount), int_of(terms, "interval_days"),
               setpay_noun(int_of(terms, "interval_days"), "day", "days"),
               setpay_operator_text(terms, "end"), setpay_operator_text(terms, "schedule"));
    putchar('\n');
    if (agreement == NULL)
        return;
    printf("%-14s %s, %lld taken, %s", "agreement", setpay_operator_text(agreement, "status"),
           int_of(agreement, "payments"), money_of(agreement, "taken_amount", currency, amount));
    if (json_is_string(json_object_get(agreement, "ended_because")))
        printf(", %s since %s", setpay_operator_text(agreement, "ended_because"),
               setpay_operator_text(agreement, "ended"));
    else if (json_is_string(json_object_get(agreement, "next")))
        printf(", next %s", setpay_operator_text(agreement, "next"));
    if (json_is_true(json_object_get(agreement, "cancelled")) &&
        json_is_false(json_object_get(agreement, "cancellation_confirmed")))
        printf(", the gateway has not confirmed it yet");
    putchar('\n');
}

static void print_tracking(const json_t *part)
{
    static const char *const members[] = {"carrier", "tracking", "tracking_url"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *text = json_string_value(json_object_get(part, members[i]));
        if (text != NULL) {
            printf("%s", i == 1 ? ", tracking " : ", ");
            print_safely(text);
        }
    }
}

/* Shipments and returns: which lines, and how many of each. */
static void print_parts(const json_t *order, const char *list)
{
    char amount[SETPAY_MONEY_TEXT_SIZE];
    size_t index, k;
    const json_t *part, *line;
    json_array_foreach(json_object_get(order, list), index, part)
    {
        printf("%-14s %s  %-10s %16s  ", index == 0 ? list : "", setpay_operator_text(part, "id"),
               setpay_operator_text(part, "status"),
               money_of(part, "amount", setpay_operator_text(part, "currency"), amount));
        json_array_foreach(json_object_get(part, "lines"), k, line)
        {
            printf("%s%lld x ", k > 0 ? ", " : "", int_of(line, "quantity"));
            print_safely(setpay_operator_text(line, "name"));
        }
        print_tracking(part);
        if (json_is_true(json_object_get(part, "restocked")))
            printf(", back in stock");
        putchar('\n');
    }
}

/* As on a label. */
static void print_ship_to(const json_t *order)
{
    size_t index;
    const json_t *line;
    json_array_foreach(json_object_get(json_object_get(order, "ship_to"), "lines"), index, line)
    {
        printf("%-14s ", index == 0 ? "sent to" : "");
        print_safely(json_string_value(line));
        putchar('\n');
    }
}

void setpay_merchant_words_order(const json_t *order)
{
    char amount[SETPAY_MONEY_TEXT_SIZE];
    const char *key;
    json_t *value;
    printf("%-14s %s\n", "order", setpay_operator_text(order, "order_id"));
    printf("%-14s %s\n", "status", setpay_operator_text(order, "status"));
    printf("%-14s %s\n", "amount",
           money_of(order, "amount", setpay_operator_text(order, "currency"), amount));
    printf("%-14s %s\n", "to be paid at", setpay_operator_text(order, "pay_uri"));
    if (json_object_get(order, "checkout_url") != NULL)
        printf("%-14s %s\n", "its page", setpay_operator_text(order, "checkout_url"));
    printf("%-14s %s\n", "capture", setpay_operator_text(order, "capture"));
    print_agreement(order);
    printf("%-14s %s\n", "created", setpay_operator_text(order, "created"));
    printf("%-14s %s\n", "expires", setpay_operator_text(order, "expires"));
    print_items(order);
    print_ship_to(order);
    json_object_foreach(json_object_get(order, "metadata"), key, value)
    {
        printf("%-14s ", "metadata");
        print_safely(key);
        printf(" = ");
        print_safely(json_string_value(value));
        putchar('\n');
    }
    print_payments(order);
    print_steps(order, "authorisations");
    print_steps(order, "captures");
    print_steps(order, "refunds");
    print_steps(order, "reversals");
    print_parts(order, "shipments");
    print_parts(order, "returns");
}

void setpay_merchant_words_orders(const json_t *result)
{
    char amount[SETPAY_MONEY_TEXT_SIZE];
    const json_t *orders = json_object_get(result, "orders");
    size_t index;
    const json_t *order;
    if (json_array_size(orders) == 0)
        puts("There is no such order.");
    else
        printf("%-24s  %-18s %18s  %-24s  %s\n", "ORDER", "STATUS", "AMOUNT", "CREATED", "WHAT");
    json_array_foreach(orders, index, order)
    {
        const json_t *items = json_object_get(order, "items");
        printf("%-24s  %-18s %18s  %-24s  ", setpay_operator_text(order, "order_id"),
               setpay_operator_text(order, "status"),
               money_of(order, "amount", setpay_operator_text(order, "currency"), amount),
               setpay_operator_text(order, "created"));
        print_safely(setpay_operator_text(json_array_get(items, 0), "name"));
        if (json_array_size(items) > 1)
            printf(" and %zu more", json_array_size(items) - 1);
        putchar('\n');
    }
    if (json_is_string(json_object_get(result, "next_cursor")))
        printf("There are more: --cursor %s\n", setpay_operator_text(result, "next_cursor"));
}

/* ------------------------------------------------------------------ batches */

static void print_difference(const json_t *difference)
{
    char ours[SETPAY_MONEY_TEXT_SIZE];
    char theirs[SETPAY_MONEY_TEXT_SIZE];
    const char *currency = setpay_operator_text(difference, "currency");
    bool here = int_of(difference, "amount") > 0;
    bool there = int_of(difference, "gateway_amount") > 0;
    printf("  differs: %-8s %s, order %s: ", setpay_operator_text(difference, "kind"),
           setpay_operator_text(difference, here ? "id" : "gateway_id"),
           setpay_operator_text(difference, "order_id"));
    if (here && there)
        printf("%s here, %s at the gateway\n", money_of(difference, "amount", currency, ours),
               money_of(difference, "gateway_amount", currency, theirs));
    else
        printf("%s %s\n", money_of(difference, here ? "amount" : "gateway_amount", currency, ours),
               here ? "here, not at the gateway" : "at the gateway, not here");
}

void setpay_merchant_words_batch(const json_t *batch)
{
    char captures[SETPAY_MONEY_TEXT_SIZE];
    char credits[SETPAY_MONEY_TEXT_SIZE];
    size_t index;
    const json_t *entry;
    printf("%s batch %lld: %s", setpay_operator_text(batch, "brand"), int_of(batch, "batch"),
           setpay_operator_text(batch, "status"));
    printf(json_is_string(json_object_get(batch, "closed")) ? " %s\n" : " since %s\n",
           setpay_operator_text(
               batch, json_is_string(json_object_get(batch, "closed")) ? "closed" : "opened"));
    if (json_array_size(json_object_get(batch, "totals")) == 0)
        puts("  counts nothing");
    json_array_foreach(json_object_get(batch, "totals"), index, entry)
    {
        const char *currency = setpay_operator_text(entry, "currency");
        printf("  %6lld %-8s %18s, %6lld %-7s %18s\n", int_of(entry, "capture_count"),
               setpay_noun(int_of(entry, "capture_count"), "capture", "captures"),
               money_of(entry, "capture_amount", currency, captures), int_of(entry, "credit_count"),
               setpay_noun(int_of(entry, "credit_count"), "refund", "refunds"),
               money_of(entry, "credit_amount", currency, credits));
    }
    json_array_foreach(json_object_get(batch, "differences"), index, entry) print_difference(entry);
}

void setpay_merchant_words_batches(const json_t *result)
{
    const json_t *batches = json_object_get(result, "batches");
    size_t index;
    const json_t *batch;
    if (json_array_size(batches) == 0)
        puts("There is no such batch: nothing was captured since the last one was closed.");
    json_array_foreach(batches, index, batch) setpay_merchant_words_batch(batch);
    if (json_is_string(json_object_get(result, "next_cursor")))
        printf("There are more: --cursor %s\n", setpay_operator_text(result, "next_cursor"));
}

/* ------------------------------------------------------------------ tokens */

void setpay_merchant_words_token(const json_t *result)
{
    printf("%s\n", setpay_operator_text(result, "token"));
    fprintf(stderr, "This is the token '%s', for: %s. It is shown only once, and kept nowhere.\n",
            setpay_operator_text(result, "name"), setpay_operator_text(result, "scopes"));
}

void setpay_merchant_words_tokens(const json_t *result)
{
    const json_t *tokens = json_object_get(result, "tokens");
    size_t index;
    const json_t *token;
    if (json_array_size(tokens) == 0) {
        puts("There is no token. Make one: setpay-merchant token add --name NAME");
        return;
    }
    printf("%-32s  %-24s  %-24s  %-24s  %s\n", "NAME", "CREATED", "LAST USED", "EXPIRES", "SCOPES");
    json_array_foreach(tokens, index, token)
    {
        printf("%-32s  %-24s  %-24s  %-24s  %s\n", setpay_operator_text(token, "name"),
               setpay_operator_text(token, "created"), setpay_operator_text(token, "last_used"),
               setpay_operator_text(token, "expires"), setpay_operator_text(token, "scopes"));
    }
}

void setpay_merchant_words_token_removed(const json_t *result)
{
    printf("The token '%s' is no longer accepted.\n", setpay_operator_text(result, "name"));
}

/* ------------------------------------------------------------------ purchases */

void setpay_merchant_words_purchase(const json_t *purchase)
{
    static const char *const rows[][2] = {
        {"purchase", "xid"},
        {"status", "status"},
        {"amount", "amount_text"},
        {"order", "order_id"},
        {"brand", "brand"},
        {"merchant", "merchant_id"},
        {"action code", "action_code"},
        {"approval code", "approval_code"},
        {"signed digest", "pomd"},
        {"order digest", "oimd"},
        {"created", "created"},
        {"decided", "decided"},
        {"hold until", "hold_expires"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf("%-14s %s\n", rows[i][0], setpay_operator_text(purchase, rows[i][1]));
}

void setpay_merchant_words_purchases(const json_t *result)
{
    const json_t *purchases = json_object_get(result, "purchases");
    size_t index;
    const json_t *purchase;
    if (json_array_size(purchases) == 0)
        puts("There is no such purchase yet.");
    else
        printf("%-32s  %-10s %18s  %-24s  %s\n", "XID", "STATUS", "AMOUNT", "ORDER", "APPROVAL");
    json_array_foreach(purchases, index, purchase)
    {
        printf("%-32s  %-10s %18s  %-24s  %s\n", setpay_operator_text(purchase, "xid"),
               setpay_operator_text(purchase, "status"),
               setpay_operator_text(purchase, "amount_text"),
               setpay_operator_text(purchase, "order_id"),
               setpay_operator_text(purchase, "approval_code"));
    }
    if (json_is_integer(json_object_get(result, "next_cursor")))
        printf("There are more: --cursor %lld\n", int_of(result, "next_cursor"));
}

/* ------------------------------------------------------------------ status */
