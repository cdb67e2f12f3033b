/*
 * The page: one file that asks nobody for anything. Its template escapes every value (the shop's
 * own, merchant/store/www/template.h); its policy allows one style sheet, by its digest, and
 * nothing else.
 */
#include "tests/sandbox/explorer/explorer.h"

#include "common/crypto/base64.h"
#include "common/crypto/hash.h"
#include "merchant/store/www/template.h"

#include <stdio.h>
#include <string.h>

#define ITEMS_SHOWN 6
#define TEXT_LOOKED_FOR 8 /* shorter ones are found by chance */
#define SHORT_DIGITS 16

static const uint8_t page_html[] = {
#include "tests/sandbox/explorer/page.html.inc"
};
static const uint8_t fields_html[] = {
#include "tests/sandbox/explorer/fields.html.inc"
};
static const uint8_t box_html[] = {
#include "tests/sandbox/explorer/box.html.inc"
};
static const uint8_t page_css[] = {
#include "tests/sandbox/explorer/page.css.inc"
};

static const char *const titles[EXPLORER_PARTIES] = {"Wallet", "Merchant", "Gateway"};

/* ------------------------------------------------------------------ what was bought */

struct item {
    char name[SETPAY_LIMIT_NAME_BYTES + 1];
    int64_t quantity;
};

struct items {
    struct item list[ITEMS_SHOWN];
    size_t count; /* of the offer: there may be more than are in the list */
};

static enum setpay_error take_item(void *arg, const struct explorer_field *field)
{
    struct items *items = arg;
    if (strncmp(field->path, "items[", 6) != 0)
        return SETPAY_OK;
    if (strcmp(field->name, "name") == 0) {
        items->count++;
        if (items->count <= ITEMS_SHOWN)
            (void)snprintf(items->list[items->count - 1].name, sizeof items->list[0].name, "%.*s",
                           (int)field->bytes.size, (const char *)field->bytes.data);
    } else if (strcmp(field->name, "quantity") == 0 && items->count <= ITEMS_SHOWN) {
        items->list[items->count - 1].quantity = field->number;
    }
    return SETPAY_OK;
}

/* Out of the party's own copy of the offer; none where it has none. */
static void read_items(const struct explorer *explorer, enum explorer_party party,
                       struct items *items)
{
    memset(items, 0, sizeof *items);
    for (size_t i = 0; i < explorer->held_count; i++) {
        const struct explorer_held *held = &explorer->held[i];
        if (held->party != party || held->type != SETPAY_MESSAGE_PINIT_RES)
            continue;
        if (explorer_fields(explorer_kind(held->type)->layout, setpay_buffer_view(&held->content),
                            take_item, items) == SETPAY_OK)
            return;
        memset(items, 0, sizeof *items); /* what can't be read is told where it is shown */
    }
}

static json_t *items_json(const struct items *items)
{
    json_t *text = json_string("");
    for (size_t i = 0; i < items->count && i < ITEMS_SHOWN; i++) {
        json_t *longer = json_sprintf("%s%s%lld × %s", json_string_value(text), i > 0 ? ", " : "",
                                      (long long)items->list[i].quantity, items->list[i].name);
        json_decref(text);
        text = longer;
    }
    if (items->count > ITEMS_SHOWN) {
        json_t *longer =
            json_sprintf("%s, and %zu more", json_string_value(text), items->count - ITEMS_SHOWN);
        json_decref(text);
        text = longer;
    }
    return text;
}

/* ------------------------------------------------------------------ who can read what */

/* how: "open", "shut", "digest" or "none", for the look. */
static json_t *known(const char *how, const char *value, const char *note)
{
    return json_pack("{s:s, s:s, s:s, s:b}", "how", how, "value", value, "note", note, "sealed",
                     strcmp(how, "shut") == 0 ? 1 : 0);
}

static void add_line(json_t *lines, const char *what, json_t *wallet, json_t *merchant,
                     json_t *gateway)
{
    json_array_append_new(
        lines, json_pack("{s:s, s:[o,o,o]}", "what", what, "cells", wallet, merchant, gateway));
}

/* A field of that name out of each party's own messages. */
static json_t *read_known(const struct explorer *explorer, enum explorer_party party,
                          const char *name)
{
    json_t *value = explorer_value(explorer, party, name);
    json_t *json = value == NULL ? known("none", "not there", "no message of it has this field")
                                 : known("open", json_string_value(value), "");
    json_decref(value);
    return json;
}

static void add_field_line(const struct explorer *explorer, json_t *lines, const char *what,
                           const char *name)
{
    add_line(lines, what, read_known(explorer, EXPLORER_WALLET, name),
             read_known(explorer, EXPLORER_MERCHANT, name),
             read_known(explorer, EXPLORER_GATEWAY, name));
}

static json_t *items_at(const struct explorer *explorer, enum explorer_party party)
{
    struct items items;
    read_items(explorer, party, &items);
    json_t *text = items_json(&items);
    json_t *json = items.count > 0 ? known("open", json_string_value(text), "")
                                   : known("none", "not there", "it keeps no copy of the offer");
    json_decref(text);
    return json;
}

/* The gateway has no message that could hold it; its database is looked through as well. */
static json_t *items_at_gateway(const struct explorer *explorer)
{
    struct items items;
    bool found = false, looked = false;
    read_items(explorer, EXPLORER_WALLET, &items);
    if (items.count == 0)
        read_items(explorer, EXPLORER_MERCHANT, &items);
    for (size_t i = 0; i < items.count && i < ITEMS_SHOWN; i++) {
        struct setpay_view name = setpay_view_string(items.list[i].name);
        if (name.size < TEXT_LOOKED_FOR)
            continue;
        looked = true;
        found = found || explorer_database_has(explorer, EXPLORER_GATEWAY, name);
    }
    if (!explorer->dual[EXPLORER_GATEWAY].has_digests)
        return known("none", "not there", "it holds nothing of this purchase");
    if (found) /* of another purchase perhaps, or a name that it has for other reasons */
        return known("none", "in no message", "though the same words stand in its database");
    return known("digest", "not there",
                 looked ? "a digest stands for it; looked for in its database too"
                        : "a digest stands for it");
}

static json_t *card_at_gateway(const struct explorer *explorer)
{
    const struct setpay_secret *pan = &explorer->instruction.pi.pan;
    char card[32];
    if (!explorer->dual[EXPLORER_GATEWAY].there)
        return known("none", "not there", "it holds nothing of this purchase");
    if (!explorer->is_opened || pan->size < 12)
        return known("shut", "not opened here", "no envelope that its key opens is kept");
    (void)snprintf(card, sizeof card, "•••• %.4s", (const char *)pan->data + pan->size - 4);
    return known("open", card, "read, for the bank");
}

static void add_card_lines(const struct explorer *explorer, json_t *lines)
{
    char card[32] = "not there", size[64] = "not there";
    bool passed = explorer->dual[EXPLORER_MERCHANT].there;
    if (*explorer->card_last4 != '\0')
        (void)snprintf(card, sizeof card, "•••• %.4s", explorer->card_last4);
    if (passed && explorer->passed_size > 0)
        (void)snprintf(size, sizeof size, "in a sealed box of %zu bytes", explorer->passed_size);
    else if (passed)
        (void)snprintf(size, sizeof size, "in a sealed box");
    add_line(lines, "Card number", known(*explorer->card_last4 != '\0' ? "open" : "none", card, ""),
             known(passed ? "shut" : "none", size,
                   explorer->merchant_tried && explorer->merchant_opens == SETPAY_E_ENVELOPE
                       ? "its own key was tried: it stays sealed"
                       : ""),
             card_at_gateway(explorer));
    add_line(lines, "Card expiry, security code, secrets",
             *explorer->card_last4 != '\0'
                 ? known("shut", "sealed in its vault", "not shown on this page")
                 : known("none", "not there", ""),
             known("none", "not there", "no message of it has them"),
             explorer->is_opened ? known("open", "read", "not shown on this page")
             : explorer->dual[EXPLORER_GATEWAY].there ? known("shut", "not opened here", "")
                                                      : known("none", "not there", ""));
}

static size_t count_receipts(const struct explorer *explorer, enum explorer_party party,
                             bool opened)
{
    size_t count = 0;
    for (size_t i = 0; i < explorer->receipt_count; i++)
        count +=
            (opened ? explorer->receipts[i].opened : explorer->receipts[i].sealed)[party].size > 0;
    return count;
}

static json_t *receipts_at(const struct explorer *explorer, enum explorer_party party)
{
    static const char *const words[EXPLORER_PARTIES] = {"opened", "sealed", "made by it"};
    bool is_shut = party == EXPLORER_MERCHANT;
    size_t count = count_receipts(explorer, party, !is_shut);
    char text[48];
    if (count == 0)
        return known("none", "not there", "");
    (void)snprintf(text, sizeof text, "%zu, %s", count, words[party]);
    return known(is_shut ? "shut" : "open", text, is_shut ? "carried for the wallet" : "");
}

static void add_receipt_line(const struct explorer *explorer, json_t *lines)
{
    add_line(lines, "The gateway's receipts", receipts_at(explorer, EXPLORER_WALLET),
             receipts_at(explorer, EXPLORER_MERCHANT), receipts_at(explorer, EXPLORER_GATEWAY));
}

static json_t *known_lines(const struct explorer *explorer)
{
    json_t *lines = json_array();
    add_line(lines, "What was bought", items_at(explorer, EXPLORER_WALLET),
             items_at(explorer, EXPLORER_MERCHANT), items_at_gateway(explorer));
    add_field_line(explorer, lines, "Order number", "lid_m");
    add_card_lines(explorer, lines);
    add_field_line(explorer, lines, "Amount", "amount");
    add_field_line(explorer, lines, "Merchant", "merchant_id");
    add_field_line(explorer, lines, "Approval code", "approval_code");
    add_receipt_line(explorer, lines);
    return lines;
}

/* ------------------------------------------------------------------ the dual signature */

static json_t *digest_json(const struct explorer_dual *dual, const struct setpay_digest *digest)
{
    char hex[SETPAY_DIGEST_TEXT_SIZE];
    if (!dual->has_digests)
        return json_string("");
    setpay_digest_format(digest, hex);
    return json_sprintf("%.*s…", SHORT_DIGITS, hex);
}

static json_t *dual_party(const struct explorer *explorer, enum explorer_party party)
{
    const struct explorer_dual *dual = &explorer->dual[party];
    bool holds = dual->there && dual->error == SETPAY_OK;
    return json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:b, s:o, s:o, s:o, s:s}", "party",
                     titles[party], "key", explorer_party_name(party), "there", dual->there,
                     "holds", holds, "oi_open", dual->oi_is_open, "pi_open", dual->pi_is_open,
                     "pi_made", party == EXPLORER_WALLET, "pi_shut", party == EXPLORER_MERCHANT,
                     "oimd", digest_json(dual, &dual->oimd), "pimd", digest_json(dual, &dual->pimd),
                     "pomd", digest_json(dual, &dual->pomd), "words",
                     dual->there ? dual->words : "It holds nothing of this purchase.");
}

static json_t *dual_digest(const struct explorer *explorer, const char *name, const char *of,
                           size_t offset)
{
    const struct setpay_digest *first = NULL;
    char hex[SETPAY_DIGEST_TEXT_SIZE] = "";
    bool same = true;
    int count = 0;
    for (int party = 0; party < EXPLORER_PARTIES; party++) {
        const struct explorer_dual *dual = &explorer->dual[party];
        const struct setpay_digest *digest =
            (const struct setpay_digest *)(const void *)((const uint8_t *)dual + offset);
        if (!dual->has_digests)
            continue;
        count++;
        if (first == NULL)
            first = digest;
        else
            same = same && setpay_digest_equal(first, digest);
    }
    if (first != NULL)
        setpay_digest_format(first, hex);
    return json_pack("{s:s, s:s, s:s, s:b, s:b}", "name", name, "of", of, "value",
                     same ? hex : "not the same", "all", same && count == EXPLORER_PARTIES,
                     "differ", !same);
}

static json_t *dual_json(const struct explorer *explorer)
{
    json_t *parties = json_array();
    for (int party = 0; party < EXPLORER_PARTIES; party++)
        json_array_append_new(parties, dual_party(explorer, (enum explorer_party)party));
    return json_pack(
        "{s:o, s:[o,o,o]}", "parties", parties, "digests",
        dual_digest(explorer, "OIMD", "the order", offsetof(struct explorer_dual, oimd)),
        dual_digest(explorer, "PIMD", "the payment", offsetof(struct explorer_dual, pimd)),
        dual_digest(explorer, "POMD", "both", offsetof(struct explorer_dual, pomd)));
}

/* ------------------------------------------------------------------ revocation */

/* "2026-11-27 11:40 UTC" */
static const char *short_time(setpay_time_ms time_ms, char *text, size_t size)
{
    char whole[SETPAY_TIME_TEXT_SIZE];
    (void)setpay_time_format(time_ms, whole);
    (void)snprintf(text, size, "%.10s %.5s UTC", whole, whole + 11);
    return text;
}

static json_t *listing_json(const struct explorer_signer *signer, enum explorer_party party)
{
    const struct explorer_listing *listing = &signer->listings[party];
    char time[32], value[64] = "not revoked", note[128];
    if (listing->list == NULL)
        return known("none", "not known", "it holds no list of who issued it");
    const struct setpay_crl_info *info = &listing->list->info;
    (void)snprintf(note, sizeof note, "by list %llu, %s %s", (unsigned long long)info->number,
                   info->next_update_ms <= setpay_clock_now_ms() ? "past its time since"
                                                                 : "good until",
                   short_time(info->next_update_ms, time, sizeof time));
    if (listing->is_revoked)
        (void)snprintf(value, sizeof value, "revoked %s",
                       short_time(listing->revoked_ms, time, sizeof time));
    return known(listing->is_revoked ? "revoked" : "open", value, note);
}

static json_t *revocation_lines(const struct explorer *explorer)
{
    json_t *lines = json_array();
    for (size_t i = 0; i < explorer->signer_count; i++) {
        const struct explorer_signer *signer = &explorer->signers[i];
        char title[EXPLORER_WORDS];
        explorer_signer_title(signer, title);
        title[0] = 'T'; /* "the …" */
        add_line(lines, title, listing_json(signer, EXPLORER_WALLET),
                 listing_json(signer, EXPLORER_MERCHANT), listing_json(signer, EXPLORER_GATEWAY));
    }
    return lines;
}

/* ------------------------------------------------------------------ all of it */

static json_t *checks_json(const struct explorer *explorer, bool holds)
{
    json_t *list = json_array();
    for (size_t i = 0; i < explorer->check_count; i++) {
        const struct explorer_check *check = &explorer->checks[i];
        if (check->holds == holds)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "where", titles[check->party],
                                                  "what", check->what, "words", check->words));
    }
    return list;
}

static json_t *sum_json(const struct setpay_money *money)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    return json_string(money->minor > 0 ? setpay_money_format(money, text) : "");
}

static json_t *or_empty(json_t *value)
{
    return value != NULL ? value : json_string("");
}

static json_t *story(const struct explorer *explorer)
{
    struct items items;
    char now[SETPAY_TIME_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    enum explorer_party buyer =
        explorer->records[EXPLORER_WALLET].there ? EXPLORER_WALLET : EXPLORER_MERCHANT;
    read_items(explorer, buyer, &items);
    return json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "items",
                     items_json(&items), "order", explorer->order, "xid",
                     setpay_id_format(&explorer->xid, xid), "state", explorer->state, "card",
                     explorer->card_last4, "made", setpay_time_format(setpay_clock_now_ms(), now),
                     "amount", sum_json(&explorer->amount), "approved",
                     sum_json(&explorer->approved), "captured", sum_json(&explorer->captured),
                     "credited", sum_json(&explorer->credited), "shop",
                     or_empty(explorer_value(explorer, buyer, "merchant_name")), "approval",
                     or_empty(explorer_value(explorer, EXPLORER_MERCHANT, "approval_code")));
}

/* The one style sheet, and before it the policy that allows it and nothing else. Both are the
 * program's own; base64 has no character that means something in HTML. */
static enum setpay_error append_style(struct setpay_buffer *style)
{
    struct setpay_digest digest;
    struct setpay_secret text = {0};
    SETPAY_TRY(setpay_sha256(SETPAY_VIEW_ARRAY(page_css), &digest));
    SETPAY_TRY(setpay_base64_encode(setpay_digest_view(&digest), &text));
    enum setpay_error error = setpay_buffer_append_format(
        style,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
        "style-src 'sha256-%.*s'; base-uri 'none'; form-action 'none'\">\n<style>",
        (int)text.size, (const char *)text.data);
    setpay_secret_clear(&text);
    SETPAY_TRY(error);
    SETPAY_TRY(setpay_buffer_append(style, SETPAY_VIEW_ARRAY(page_css)));
    return setpay_buffer_append(style, setpay_view_string("</style>"));
}

static enum setpay_error values_json(struct explorer *explorer, json_t **values)
{
    json_t *rows = NULL;
    char held[32];
    SETPAY_TRY(explorer_rows(explorer, &rows)); /* the first: it compares copies */
    (void)snprintf(held, sizeof held, "%zu", explorer->check_count - explorer->failed_count);
    *values =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "story", story(explorer), "known",
                  known_lines(explorer), "revocation", revocation_lines(explorer), "dual",
                  dual_json(explorer), "rows", rows, "held", checks_json(explorer, true), "failed",
                  checks_json(explorer, false), "held_count", held);
    return *values == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

enum setpay_error explorer_page(struct explorer *explorer, struct setpay_buffer *html,
                                struct setpay_problem *problem)
{
    static const struct setpay_template_source sources[] = {
        {"page", {page_html, sizeof page_html}},
        {"fields", {fields_html, sizeof fields_html}},
        {"box", {box_html, sizeof box_html}},
        {NULL, {NULL, 0}},
    };
    struct setpay_template *template = NULL;
    struct setpay_page page = {0};
    struct setpay_buffer style;
    json_t *values = NULL;
    setpay_buffer_init(&style, sizeof page_css + 512);
    enum setpay_error error = append_style(&style);
    if (error == SETPAY_OK)
        error = setpay_page_add_trusted_html(&page, "style", setpay_buffer_view(&style));
    if (error == SETPAY_OK)
        error = values_json(explorer, &values);
    if (error == SETPAY_OK)
        error = setpay_template_new(sources, "page", &template, problem);
    page.values = values;
    if (error == SETPAY_OK)
        error = setpay_template_render(template, &page, html, problem);
    setpay_template_free(template);
    json_decref(values);
    setpay_buffer_clear(&style);
    return error;
}
