/*
 * Tables and words of setpay-merchant. Texts that strangers may have written lose their control
 * characters, so that none can steer the terminal.
 */
#include "merchant/merchant_words.h"

#include "common/base/money.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "-" where there is none. */
static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL && text[0] != '\0' ? text : "-";
}

static long long int_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static void print_safely(const char *text)
{
    for (; *text != '\0'; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text);
}

/* The member's minor units in the object's currency, in words. */
static const char *money_of(const json_t *object, const char *member, const char *currency,
                            char *out)
{
    struct setpay_money money;
    if (setpay_money_make(int_of(object, member), currency, &money) != SETPAY_OK)
        return "-";
    return setpay_money_format(&money, out);
}

/* ------------------------------------------------------------------ orders */

static void print_items(const json_t *order)
{
    char unit[SETPAY_MONEY_TEXT_SIZE];
    char total[SETPAY_MONEY_TEXT_SIZE];
    const char *currency = text_of(order, "currency");
    size_t index;
    const json_t *item;
    json_array_foreach(json_object_get(order, "items"), index, item)
    {
        printf("%-14s %7lld x %16s  %16s  ", index == 0 ? "items" : "", int_of(item, "quantity"),
               money_of(item, "unit_amount", currency, unit),
               money_of(item, "total", currency, total));
        print_safely(text_of(item, "name"));
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
               text_of(payment, "xid"), text_of(payment, "status"),
               money_of(payment, "amount", text_of(payment, "currency"), amount),
               text_of(payment, "action_code"), text_of(payment, "approval_code"));
    }
}

void setpay_merchant_words_order(const json_t *order)
{
    char amount[SETPAY_MONEY_TEXT_SIZE];
    const char *key;
    json_t *value;
    printf("%-14s %s\n", "order", text_of(order, "order_id"));
    printf("%-14s %s\n", "status", text_of(order, "status"));
    printf("%-14s %s\n", "amount", money_of(order, "amount", text_of(order, "currency"), amount));
    printf("%-14s %s\n", "to be paid at", text_of(order, "pay_uri"));
    printf("%-14s %s\n", "capture", text_of(order, "capture"));
    printf("%-14s %s\n", "created", text_of(order, "created"));
    printf("%-14s %s\n", "expires", text_of(order, "expires"));
    print_items(order);
    json_object_foreach(json_object_get(order, "metadata"), key, value)
    {
        printf("%-14s ", "metadata");
        print_safely(key);
        printf(" = ");
        print_safely(json_string_value(value));
        putchar('\n');
    }
    print_payments(order);
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
        printf("%-24s  %-12s %18s  %-24s  %s\n", "ORDER", "STATUS", "AMOUNT", "CREATED", "WHAT");
    json_array_foreach(orders, index, order)
    {
        const json_t *items = json_object_get(order, "items");
        printf("%-24s  %-12s %18s  %-24s  ", text_of(order, "order_id"), text_of(order, "status"),
               money_of(order, "amount", text_of(order, "currency"), amount),
               text_of(order, "created"));
        print_safely(text_of(json_array_get(items, 0), "name"));
        if (json_array_size(items) > 1)
            printf(" and %zu more", json_array_size(items) - 1);
        putchar('\n');
    }
    if (json_is_string(json_object_get(result, "next_cursor")))
        printf("There are more: --cursor %s\n", text_of(result, "next_cursor"));
}

/* ------------------------------------------------------------------ tokens */

void setpay_merchant_words_token(const json_t *result)
{
    printf("%s\n", text_of(result, "token"));
    fprintf(stderr, "This is the token '%s'. It is shown only once, and kept nowhere.\n",
            text_of(result, "name"));
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
    printf("%-32s  %s\n", "NAME", "CREATED");
    json_array_foreach(tokens, index, token)
    {
        printf("%-32s  %s\n", text_of(token, "name"), text_of(token, "created"));
    }
}

void setpay_merchant_words_token_removed(const json_t *result)
{
    printf("The token '%s' is no longer accepted.\n", text_of(result, "name"));
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
        printf("%-14s %s\n", rows[i][0], text_of(purchase, rows[i][1]));
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
        printf("%-32s  %-10s %18s  %-24s  %s\n", text_of(purchase, "xid"),
               text_of(purchase, "status"), text_of(purchase, "amount_text"),
               text_of(purchase, "order_id"), text_of(purchase, "approval_code"));
    }
    if (json_is_integer(json_object_get(result, "next_cursor")))
        printf("There are more: --cursor %lld\n", int_of(result, "next_cursor"));
}

/* ------------------------------------------------------------------ status */

void setpay_merchant_words_status(const json_t *status)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)status, name, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        printf("%-18s %s\n", name, json_is_string(value) ? json_string_value(value) : text);
        free(text);
    }
}
