/*
 * Tables and words about webhooks and events. A URL and a description were written by whoever holds
 * a token, so they lose their control characters.
 */
#include "common/net/operator.h"
#include "merchant/merchant_words.h"

#include <stdio.h>

static void print_safely(const char *text)
{
    for (; *text != '\0'; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text);
    putchar('\n');
}

static void print_types(const json_t *webhook)
{
    const json_t *types = json_object_get(webhook, "events");
    size_t index;
    const json_t *type;
    printf("%-14s %s", "events", json_array_size(types) == 0 ? "all" : "");
    json_array_foreach(types, index, type)
        printf("%s%s", index > 0 ? ", " : "", json_string_value(type));
    putchar('\n');
}

void setpay_merchant_words_webhook(const json_t *result)
{
    printf("%-14s %s\n", "webhook", setpay_operator_text(result, "webhook_id"));
    printf("%-14s ", "url");
    print_safely(setpay_operator_text(result, "url"));
    printf("%-14s ", "description");
    print_safely(setpay_operator_text(result, "description"));
    print_types(result);
    printf("%-14s %s\n", "status", setpay_operator_text(result, "status"));
    if (json_object_get(result, "secret") == NULL)
        return;
    printf("%-14s %s\n", "secret", setpay_operator_text(result, "secret"));
    fputs("The secret is shown only once: the receiver needs it to check what comes.\n", stderr);
}

void setpay_merchant_words_webhooks(const json_t *result)
{
    const json_t *webhooks = json_object_get(result, "webhooks");
    size_t index;
    const json_t *webhook;
    if (json_array_size(webhooks) == 0) {
        puts("There is no webhook. Make one: setpay-merchant webhook add --url URL");
        return;
    }
    printf("%-24s  %-8s  %-24s  %s\n", "WEBHOOK", "STATUS", "FAILING SINCE", "URL");
    json_array_foreach(webhooks, index, webhook)
    {
        printf("%-24s  %-8s  %-24s  ", setpay_operator_text(webhook, "webhook_id"),
               setpay_operator_text(webhook, "status"),
               setpay_operator_text(webhook, "failing_since"));
        print_safely(setpay_operator_text(webhook, "url"));
    }
}

void setpay_merchant_words_webhook_tested(const json_t *result)
{
    printf("The event %s is being sent (see `setpay-merchant webhook deliveries WEBHOOK`).\n",
           setpay_operator_text(result, "event_id"));
}

void setpay_merchant_words_webhook_removed(const json_t *result)
{
    printf("Nothing is sent to the webhook %s any more.\n",
           setpay_operator_text(result, "webhook_id"));
}

static void print_next(const json_t *result)
{
    if (json_is_true(json_object_get(result, "has_more")))
        printf("There are more: --cursor %s\n", setpay_operator_text(result, "next_cursor"));
}

void setpay_merchant_words_deliveries(const json_t *result)
{
    const json_t *deliveries = json_object_get(result, "deliveries");
    size_t index;
    const json_t *delivery;
    if (json_array_size(deliveries) == 0)
        puts("Nothing was sent to it yet.");
    else
        printf("%-24s  %-24s  %-20s  %-9s  %5s  %-17s  %6s  %s\n", "DELIVERY", "EVENT", "TYPE",
               "STATUS", "TRIES", "LAST RESULT", "ANSWER", "NEXT TRY");
    json_array_foreach(deliveries, index, delivery)
    {
        const json_t *answer = json_object_get(delivery, "response_status");
        char status[16] = "-";
        if (json_is_integer(answer))
            (void)snprintf(status, sizeof status, "%d", (int)json_integer_value(answer));
        printf("%-24s  %-24s  %-20s  %-9s  %5d  %-17s  %6s  %s\n",
               setpay_operator_text(delivery, "delivery_id"),
               setpay_operator_text(delivery, "event_id"), setpay_operator_text(delivery, "type"),
               setpay_operator_text(delivery, "status"),
               (int)json_integer_value(json_object_get(delivery, "attempts")),
               setpay_operator_text(delivery, "last_result"), status,
               setpay_operator_text(delivery, "next_attempt"));
    }
    print_next(result);
}

void setpay_merchant_words_redelivered(const json_t *result)
{
    printf("The delivery %s is being sent again.\n", setpay_operator_text(result, "delivery_id"));
}

/* What an event is about: an order, a variant's SKU, a webhook. */
static const char *about(const json_t *data)
{
    static const char *const names[] = {"order_id", "sku"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (json_object_get(data, names[i]) != NULL)
            return setpay_operator_text(data, names[i]);
    }
    return setpay_operator_text(data, "webhook_id");
}

void setpay_merchant_words_events(const json_t *result)
{
    const json_t *events = json_object_get(result, "events");
    size_t index;
    const json_t *event;
    if (json_array_size(events) == 0)
        puts("There is no such event.");
    else
        printf("%-24s  %-24s  %-26s  %s\n", "EVENT", "TIME", "TYPE", "ABOUT");
    json_array_foreach(events, index, event)
    {
        printf("%-24s  %-24s  %-26s  %s\n", setpay_operator_text(event, "id"),
               setpay_operator_text(event, "timestamp"), setpay_operator_text(event, "type"),
               about(json_object_get(event, "data")));
    }
    print_next(result);
}
