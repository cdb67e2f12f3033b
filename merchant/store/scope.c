/*
 * The table of scopes, and which request needs which.
 */
#include "merchant/store/scope.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const names[SETPAY_SCOPES] = {
    [SETPAY_SCOPE_ORDERS_READ] = "orders:read",
    [SETPAY_SCOPE_ORDERS_WRITE] = "orders:write",
    [SETPAY_SCOPE_REFUNDS_WRITE] = "refunds:write",
    [SETPAY_SCOPE_BATCHES_READ] = "batches:read",
    [SETPAY_SCOPE_BATCHES_WRITE] = "batches:write",
    [SETPAY_SCOPE_PRODUCTS_READ] = "products:read",
    [SETPAY_SCOPE_PRODUCTS_WRITE] = "products:write",
    [SETPAY_SCOPE_EVENTS_READ] = "events:read",
    [SETPAY_SCOPE_WEBHOOKS_READ] = "webhooks:read",
    [SETPAY_SCOPE_WEBHOOKS_WRITE] = "webhooks:write",
    [SETPAY_SCOPE_PAYMENTS_WRITE] = "payments:write",
    [SETPAY_SCOPE_SETTLEMENTS_READ] = "settlements:read",
};

/* By the first segment of the path. */
static const struct {
    const char *segment;
    enum setpay_scope reads;
    enum setpay_scope writes; /* the same where nothing can be written */
} requests[] = {
    {"orders", SETPAY_SCOPE_ORDERS_READ, SETPAY_SCOPE_ORDERS_WRITE},
    {"captures", SETPAY_SCOPE_ORDERS_READ, SETPAY_SCOPE_PAYMENTS_WRITE},
    {"batches", SETPAY_SCOPE_BATCHES_READ, SETPAY_SCOPE_BATCHES_WRITE},
    {"settlements", SETPAY_SCOPE_SETTLEMENTS_READ, SETPAY_SCOPE_SETTLEMENTS_READ},
    {"products", SETPAY_SCOPE_PRODUCTS_READ, SETPAY_SCOPE_PRODUCTS_WRITE},
    {"categories", SETPAY_SCOPE_PRODUCTS_READ, SETPAY_SCOPE_PRODUCTS_WRITE},
    {"stock", SETPAY_SCOPE_PRODUCTS_READ, SETPAY_SCOPE_PRODUCTS_WRITE},
    {"shipping-methods", SETPAY_SCOPE_PRODUCTS_READ, SETPAY_SCOPE_PRODUCTS_WRITE},
    {"tax-rates", SETPAY_SCOPE_PRODUCTS_READ, SETPAY_SCOPE_PRODUCTS_WRITE},
    {"events", SETPAY_SCOPE_EVENTS_READ, SETPAY_SCOPE_EVENTS_READ},
    {"webhooks", SETPAY_SCOPE_WEBHOOKS_READ, SETPAY_SCOPE_WEBHOOKS_WRITE},
};

bool setpay_scopes_have(setpay_scopes scopes, enum setpay_scope scope)
{
    return scopes == SETPAY_SCOPES_ALL || (scopes >> (unsigned)scope & 1) == 1;
}

const char *setpay_scope_name(enum setpay_scope scope)
{
    return (unsigned)scope < SETPAY_SCOPES ? names[scope] : NULL;
}

enum setpay_error setpay_scope_parse(const char *name, enum setpay_scope *scope)
{
    for (unsigned i = 0; i < SETPAY_SCOPES; i++) {
        if (strcmp(names[i], name) == 0) {
            *scope = (enum setpay_scope)i;
            return SETPAY_OK;
        }
    }
    return SETPAY_E_INVALID;
}

enum setpay_error setpay_scopes_parse(const char *text, setpay_scopes *scopes, char wrong[32])
{
    setpay_scopes made = 0;
    (void)snprintf(wrong, 32, "%s", "nothing");
    if (strcmp(text, "all") == 0) {
        *scopes = SETPAY_SCOPES_ALL;
        return SETPAY_OK;
    }
    while (*(text += strspn(text, ", ")) != '\0') {
        size_t size = strcspn(text, ", ");
        char word[32];
        enum setpay_scope scope;
        (void)snprintf(word, sizeof word, "%.*s", (int)size, text);
        if (size >= sizeof word || setpay_scope_parse(word, &scope) != SETPAY_OK) {
            memcpy(wrong, word, sizeof word);
            return SETPAY_E_INVALID;
        }
        made |= INT64_C(1) << (unsigned)scope;
        text += size;
    }
    if (made == 0)
        return SETPAY_E_INVALID;
    *scopes = made;
    return SETPAY_OK;
}

const char *setpay_scopes_format(setpay_scopes scopes, char *out)
{
    size_t used = 0;
    (void)snprintf(out, SETPAY_SCOPES_TEXT_SIZE, "%s",
                   scopes == SETPAY_SCOPES_ALL ? "all" : "none");
    for (unsigned i = 0; i < SETPAY_SCOPES && scopes != SETPAY_SCOPES_ALL; i++) {
        if (setpay_scopes_have(scopes, (enum setpay_scope)i))
            used += (size_t)snprintf(out + used, SETPAY_SCOPES_TEXT_SIZE - used, "%s%s",
                                     used > 0 ? " " : "", names[i]);
    }
    return out;
}

static bool ends_in(const char *path, const char *end)
{
    size_t size = strlen(path);
    size_t end_size = strlen(end);
    return size >= end_size && strcmp(path + size - end_size, end) == 0;
}

/* Who makes orders need not be who takes money for them, or gives it back. */
static enum setpay_scope scope_of_order(const char *path)
{
    /* Of an order that is captured on shipment, what is sent is captured. */
    if (ends_in(path, "/authorise") || ends_in(path, "/capture") || ends_in(path, "/shipments"))
        return SETPAY_SCOPE_PAYMENTS_WRITE;
    /* What gives money back, or takes back what was given. */
    if (ends_in(path, "/refund") || ends_in(path, "/undo"))
        return SETPAY_SCOPE_REFUNDS_WRITE;
    return SETPAY_SCOPE_ORDERS_WRITE;
}

enum setpay_error setpay_scope_of_request(const char *method, const char *path,
                                          enum setpay_scope *scope)
{
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    size_t size = path[0] == '/' ? strcspn(path + 1, "/") : 0;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        if (strlen(requests[i].segment) != size || memcmp(requests[i].segment, path + 1, size) != 0)
            continue;
        *scope = reads ? requests[i].reads : requests[i].writes;
        if (*scope == SETPAY_SCOPE_ORDERS_WRITE)
            *scope = scope_of_order(path);
        return SETPAY_OK;
    }
    return SETPAY_E_NOT_FOUND;
}
