/*
 * Counting pieces, and what they are worth. Pure.
 */
#include "merchant/store/part.h"

#include "common/base/noun.h"
#include "merchant/store/order_json.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------ worth */

/* The tax on the first pieces of a line, half up: none for none, all for all. At most
 * 2 * 10^12 * 10^6. */
static int64_t tax_until(const struct setpay_part_line *line, int64_t pieces)
{
    return (2 * line->tax_minor * pieces + line->quantity) / (2 * line->quantity);
}

int64_t setpay_part_share(const struct setpay_part_line *line, int64_t from, int64_t to)
{
    return line->unit_minor * (to - from) + tax_until(line, to) - tax_until(line, from);
}

static bool anything_is_sent(const struct setpay_parts *parts)
{
    for (size_t i = 0; i < parts->line_count; i++) {
        if (parts->lines[i].kind == SETPAY_LINE_GOODS && parts->lines[i].shipped > 0)
            return true;
    }
    return false;
}

int64_t setpay_parts_shipped_minor(const struct setpay_parts *parts)
{
    bool sent = anything_is_sent(parts);
    int64_t minor = 0;
    for (size_t i = 0; i < parts->line_count; i++) {
        const struct setpay_part_line *line = &parts->lines[i];
        if (line->kind == SETPAY_LINE_GOODS)
            minor += setpay_part_share(line, 0, line->shipped);
        else if (line->kind == SETPAY_LINE_SHIPPING && sent)
            minor += setpay_part_share(line, 0, line->quantity);
    }
    return minor;
}

/* ------------------------------------------------------------------ what is left */

/* What was sent, or was given back as sent: a piece that was paid back is not sent anew, also where
 * the shipment that it went with has fallen away since. */
static int64_t gone(const struct setpay_part_line *line)
{
    int64_t returned = line->refunded - line->unsent;
    return line->shipped > returned ? line->shipped : returned;
}

int64_t setpay_part_sendable(const struct setpay_part_line *line)
{
    return line->kind == SETPAY_LINE_GOODS ? line->quantity - gone(line) - line->unsent : 0;
}

/* Shipping is sent with the first piece that is. */
static int64_t refundable_shipping(const struct setpay_parts *parts, size_t position,
                                   bool paid_as_sent, enum setpay_part_of of)
{
    const struct setpay_part_line *line = &parts->lines[position];
    bool sent = anything_is_sent(parts);
    if ((paid_as_sent && !sent) || (of == SETPAY_PART_OF_SENT && !sent) ||
        (of == SETPAY_PART_OF_UNSENT && sent))
        return 0;
    return line->quantity - line->refunded;
}

int64_t setpay_part_refundable(const struct setpay_parts *parts, size_t position, bool paid_as_sent,
                               enum setpay_part_of of)
{
    const struct setpay_part_line *line = &parts->lines[position];
    if (line->kind == SETPAY_LINE_TAX)
        return 0;
    if (line->kind == SETPAY_LINE_SHIPPING)
        return refundable_shipping(parts, position, paid_as_sent, of);
    int64_t sent = gone(line) - (line->refunded - line->unsent);
    int64_t unsent = paid_as_sent ? 0 : setpay_part_sendable(line);
    return of == SETPAY_PART_OF_SENT ? sent : of == SETPAY_PART_OF_UNSENT ? unsent : sent + unsent;
}

bool setpay_parts_are_sent(const struct setpay_parts *parts)
{
    for (size_t i = 0; i < parts->line_count; i++) {
        if (setpay_part_sendable(&parts->lines[i]) > 0)
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ what is meant */

struct taking {
    const struct setpay_order_view *view;
    struct setpay_parts *parts;       /* the view's */
    const struct setpay_order *order; /* likewise */
    enum setpay_part_kind kind;
    enum setpay_part_of of;
    bool paid_as_sent;
    int64_t wanted[SETPAY_LIMIT_OFFER_ITEMS];
};

static int64_t left_of(const struct taking *taking, size_t position)
{
    int64_t left =
        taking->kind == SETPAY_PART_SHIPMENT
            ? setpay_order_sendable(taking->view, position)
            : setpay_part_refundable(taking->parts, position, taking->paid_as_sent, taking->of);
    return left - taking->wanted[position];
}

/* What a piece that is left can. */
static const char *can_be(const struct taking *taking)
{
    static const char *const words[] = {
        [SETPAY_PART_OF_ANY] = "be given back",
        [SETPAY_PART_OF_UNSENT] = "be given back that were paid and not sent",
        [SETPAY_PART_OF_SENT] = "be given back that were sent",
    };
    return taking->kind == SETPAY_PART_SHIPMENT ? "be shipped" : words[taking->of];
}

/* A SKU may stand in several lines: from the first on, as far as there is something left. */
static enum setpay_error want_sku(struct taking *taking, const char *sku, int64_t quantity,
                                  size_t index, struct setpay_json_fault *fault)
{
    char field[48];
    bool found = false;
    int64_t missing = quantity;
    for (size_t i = 0; i < taking->order->item_count; i++) {
        if (strcmp(taking->order->items[i].sku, sku) != 0)
            continue;
        int64_t left = left_of(taking, i);
        int64_t taken = left < missing ? left : missing;
        found = true;
        taking->wanted[i] += taken;
        missing -= taken;
    }
    (void)snprintf(field, sizeof field, "lines[%zu].%s", index, found ? "quantity" : "sku");
    if (!found)
        return setpay_json_fault_set(fault, field,
                                     "found \"%.64s\"; expected the SKU of a line of the order %s",
                                     sku, taking->order->order_id);
    if (missing == 0)
        return SETPAY_OK;
    (void)setpay_json_fault_set(fault, field, "%lld of %.64s %s wanted, and %lld left to %s",
                                (long long)quantity, sku, setpay_noun(quantity, "is", "are"),
                                (long long)(quantity - missing), can_be(taking));
    return SETPAY_E_AMOUNT_LIMIT;
}

static enum setpay_error want_line(struct taking *taking, size_t position, int64_t quantity,
                                   size_t index, struct setpay_json_fault *fault)
{
    static const char *const kinds[] = {[SETPAY_LINE_GOODS] = "goods",
                                        [SETPAY_LINE_SHIPPING] = "shipping",
                                        [SETPAY_LINE_TAX] =
                                            "a tax, which goes with the lines that it is on"};
    const struct setpay_parts *parts = taking->parts;
    char field[48];
    (void)snprintf(field, sizeof field, "lines[%zu].line", index);
    if (position >= parts->line_count)
        return setpay_json_fault_set(fault, field, "found %zu; the order %s has the lines 1 to %zu",
                                     position + 1, taking->order->order_id, parts->line_count);
    enum setpay_line_kind kind = parts->lines[position].kind;
    if (kind == SETPAY_LINE_TAX ||
        (kind == SETPAY_LINE_SHIPPING && taking->kind == SETPAY_PART_SHIPMENT))
        return setpay_json_fault_set(fault, field, "the line %zu is %s; expected a line of goods",
                                     position + 1, kinds[kind]);
    int64_t left = left_of(taking, position);
    taking->wanted[position] += quantity;
    if (quantity <= left)
        return SETPAY_OK;
    (void)snprintf(field, sizeof field, "lines[%zu].quantity", index);
    (void)setpay_json_fault_set(
        fault, field, "%lld of the line %zu %s wanted, and %lld left to %s", (long long)quantity,
        position + 1, setpay_noun(quantity, "is", "are"), (long long)left, can_be(taking));
    return SETPAY_E_AMOUNT_LIMIT;
}

static enum setpay_error read_wants(struct taking *taking,
                                    const struct setpay_part_request *request,
                                    struct setpay_json_fault *fault)
{
    for (size_t i = 0; i < request->count; i++) {
        const char *sku = request->wants[i].sku;
        int64_t quantity = request->wants[i].quantity;
        SETPAY_TRY(sku[0] != '\0'
                       ? want_sku(taking, sku, quantity, i, fault)
                       : want_line(taking, request->wants[i].position, quantity, i, fault));
    }
    if (request->count == 0 && taking->kind == SETPAY_PART_SHIPMENT)
        (void)setpay_order_sendable_together(taking->view, taking->wanted);
    else if (request->count == 0)
        for (size_t i = 0; i < taking->parts->line_count; i++)
            taking->wanted[i] = left_of(taking, i);
    return SETPAY_OK;
}

/* Each line alone may be paid for, and all of them together not. */
static enum setpay_error check_paid(const struct taking *taking, struct setpay_json_fault *fault)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    struct setpay_money more = taking->order->amount;
    more.minor = taking->kind == SETPAY_PART_SHIPMENT
                     ? setpay_order_unpaid_minor(taking->view, taking->wanted)
                     : 0;
    if (more.minor == 0)
        return SETPAY_OK;
    (void)setpay_json_fault_set(fault, "lines",
                                "together these pieces cost %s more than was captured for them, and"
                                " nothing more is held; expected fewer",
                                setpay_money_format(&more, text));
    return SETPAY_E_AMOUNT_LIMIT;
}

/* The pieces go; returns what those of a refund are worth. */
static int64_t apply(const struct taking *taking, struct setpay_part_count *count)
{
    struct setpay_part_line *line = &taking->parts->lines[count->position];
    if (taking->kind == SETPAY_PART_SHIPMENT) {
        line->shipped += count->quantity;
        return 0;
    }
    int64_t unsent =
        taking->paid_as_sent || taking->of == SETPAY_PART_OF_SENT ? 0 : setpay_part_sendable(line);
    count->unsent = count->quantity < unsent ? count->quantity : unsent;
    int64_t minor = setpay_part_share(line, line->refunded, line->refunded + count->quantity);
    line->refunded += count->quantity;
    line->unsent += count->unsent;
    return minor;
}

enum setpay_error setpay_parts_take(const struct setpay_order_view *view,
                                    enum setpay_part_kind kind,
                                    const struct setpay_part_request *request,
                                    struct setpay_part_count *counts, size_t *count, int64_t *minor,
                                    struct setpay_json_fault *fault)
{
    struct taking taking = {.view = view,
                            .parts = view->parts,
                            .order = &view->order,
                            .kind = kind,
                            .of = request->of,
                            .paid_as_sent = view->order.capture == SETPAY_CAPTURE_ON_SHIPMENT};
    SETPAY_TRY(read_wants(&taking, request, fault));
    SETPAY_TRY(check_paid(&taking, fault));
    *count = 0;
    *minor = 0;
    for (size_t i = 0; i < view->parts->line_count; i++) {
        struct setpay_part_count one = {.position = i, .quantity = taking.wanted[i]};
        if (one.quantity == 0)
            continue;
        *minor += apply(&taking, &one);
        counts[(*count)++] = one;
    }
    return *count > 0 ? SETPAY_OK : SETPAY_E_STATE;
}

/* ------------------------------------------------------------------ the request */

static enum setpay_error read_want(const json_t *json, size_t index,
                                   struct setpay_part_request *request,
                                   struct setpay_json_fault *fault)
{
    static const char *const names[] = {"line", "sku", "quantity", NULL};
    char prefix[32], field[48];
    int64_t line = 1;
    (void)snprintf(prefix, sizeof prefix, "lines[%zu].", index);
    SETPAY_TRY(setpay_json_members_check(json, names, prefix, fault));
    const json_t *number = json_object_get(json, "line");
    const json_t *sku = json_object_get(json, "sku");
    (void)snprintf(field, sizeof field, "%s%s", prefix, sku != NULL ? "sku" : "line");
    if ((number != NULL) == (sku != NULL))
        return setpay_json_fault_set(fault, field,
                                     "found %s; expected either line, its number from 1 as the"
                                     " order shows it, or sku",
                                     sku != NULL ? "both" : "nothing");
    if (sku != NULL)
        SETPAY_TRY(setpay_json_read_text(sku, field, SETPAY_PART_SKU_SIZE - 1,
                                         request->wants[index].sku, fault));
    else
        SETPAY_TRY(setpay_json_read_int(number, field, 1, SETPAY_LIMIT_OFFER_ITEMS,
                                        "the number of a line", &line, fault));
    request->wants[index].position = (size_t)line - 1;
    (void)snprintf(field, sizeof field, "%squantity", prefix);
    return setpay_json_read_int(json_object_get(json, "quantity"), field, 1,
                                SETPAY_ORDER_QUANTITY_MAX, "a whole number of pieces",
                                &request->wants[index].quantity, fault);
}

bool setpay_part_is_meant(const json_t *body)
{
    return json_object_get(body, "lines") != NULL || json_object_get(body, "restock") != NULL ||
           json_object_get(body, "of") != NULL;
}

bool setpay_part_url_is(const char *url)
{
    static const char *const schemes[] = {"https://", "http://"};
    for (const char *at = url; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~' || strchr("\"'<>\\^`{|}", *at) != NULL)
            return false;
    }
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = strlen(schemes[i]);
        if (strncasecmp(url, schemes[i], size) != 0)
            continue;
        size_t host = strcspn(url + size, "/?#");
        return host > 0 && memchr(url + size, '@', host) == NULL && url[size] != ':';
    }
    return false;
}

static enum setpay_error read_tracking(const json_t *body, struct setpay_part_request *request,
                                       struct setpay_json_fault *fault)
{
    const struct {
        const char *name;
        size_t max;
        char *out;
    } texts[] = {
        {"carrier", SETPAY_PART_CARRIER_BYTES, request->carrier},
        {"tracking", SETPAY_PART_TRACKING_BYTES, request->tracking},
        {"tracking_url", SETPAY_PART_URL_BYTES, request->tracking_url},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const json_t *text = json_object_get(body, texts[i].name);
        if (text != NULL)
            SETPAY_TRY(
                setpay_json_read_text(text, texts[i].name, texts[i].max, texts[i].out, fault));
    }
    if (request->tracking_url[0] != '\0' && !setpay_part_url_is(request->tracking_url))
        return setpay_json_fault_set(fault, "tracking_url",
                                     "found \"%.64s\"; expected an address that begins with"
                                     " https:// or http://, and a host",
                                     request->tracking_url);
    return SETPAY_OK;
}

static enum setpay_error read_of(const json_t *of, struct setpay_part_request *request,
                                 struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    const char *text = json_string_value(of);
    if (text == NULL || (strcmp(text, "unsent") != 0 && strcmp(text, "sent") != 0))
        return setpay_json_fault_set(fault, "of", "found %s; expected \"unsent\" or \"sent\"",
                                     setpay_json_found(of, words));
    request->of = text[0] == 'u' ? SETPAY_PART_OF_UNSENT : SETPAY_PART_OF_SENT;
    return SETPAY_OK;
}

enum setpay_error setpay_part_request_parse(const json_t *body, enum setpay_part_kind kind,
                                            struct setpay_part_request *request,
                                            struct setpay_json_fault *fault)
{
    static const char *const shipment[] = {"lines", "carrier", "tracking", "tracking_url", NULL};
    static const char *const refund[] = {"lines", "of", "restock", NULL};
    char words[SETPAY_JSON_FOUND_SIZE];
    size_t index;
    const json_t *want;
    memset(request, 0, sizeof *request);
    SETPAY_TRY(setpay_json_members_check(body, kind == SETPAY_PART_SHIPMENT ? shipment : refund, "",
                                         fault));
    const json_t *lines = json_object_get(body, "lines");
    const json_t *of = json_object_get(body, "of");
    const json_t *restock = json_object_get(body, "restock");
    size_t count = json_array_size(lines);
    if (lines != NULL && (count < 1 || count > SETPAY_LIMIT_OFFER_ITEMS))
        return setpay_json_fault_set(fault, "lines",
                                     "found %s; expected an array of 1 to %d lines, each with its"
                                     " quantity",
                                     setpay_json_found(lines, words), SETPAY_LIMIT_OFFER_ITEMS);
    json_array_foreach(lines, index, want) SETPAY_TRY(read_want(want, index, request, fault));
    SETPAY_TRY(read_tracking(body, request, fault));
    if (of != NULL)
        SETPAY_TRY(read_of(of, request, fault));
    if (restock != NULL && !json_is_boolean(restock))
        return setpay_json_fault_set(fault, "restock", "found %s; expected true or false",
                                     setpay_json_found(restock, words));
    request->restock = json_is_true(restock);
    request->count = count;
    return SETPAY_OK;
}
