/*
 * Messages as rows, each with a cell for every party: in it what that party holds, field by field,
 * out of its own copy. Copies belong together by type and rrpid; where they differ, the page says
 * so.
 *
 * Beside the messages stand the two halves of the purchase (order information, payment instruction)
 * and the gateway's receipts, which travel inside of messages and are seen by some hands closed.
 */
#include "tests/sandbox/explorer/explorer.h"

#include "common/crypto/hash.h"
#include "common/wire/layouts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX (EXPLORER_HELD + EXPLORER_RECEIPTS + 2)

enum row_kind { ROW_MESSAGE, ROW_ORDER, ROW_INSTRUCTION, ROW_RECEIPT };

struct row {
    enum row_kind kind;
    enum setpay_message_type type;
    bool has_rrpid;
    struct setpay_id rrpid;
    const struct explorer_held *held[EXPLORER_PARTIES];
    size_t receipt;
    setpay_time_ms date_ms;
    int rank;     /* among rows of one date */
    size_t place; /* among those of one rank */
};

/* ------------------------------------------------------------------ a cell */

/* tone: "open", "shut" or "none", for the look. */
static json_t *cell_new(enum explorer_party party, const char *state, const char *tone,
                        const char *words)
{
    static const char *const titles[EXPLORER_PARTIES] = {"Wallet", "Merchant", "Gateway"};
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:[], s:[], s:s, s:s, s:s, s:s, s:s}", "party",
                     titles[party], "key", explorer_party_name(party), "state", state, "tone", tone,
                     "words", words, "from", "", "main", "more", "count", "", "box", "", "opener",
                     "", "wrong", "", "verified", "");
}

static void cell_box(json_t *cell, size_t size, const char *opener)
{
    char words[64];
    if (size > 0)
        (void)snprintf(words, sizeof words, "%zu bytes", size);
    else
        (void)snprintf(words, sizeof words, "of a size that is not kept");
    json_object_set_new(cell, "box", json_string(words));
    json_object_set_new(cell, "opener", json_string(opener));
}

/* ------------------------------------------------------------------ cells of a message */

static bool find_rrpid(const struct explorer_held *held, struct setpay_id *rrpid)
{
    return explorer_find_id(explorer_kind(held->type)->layout, setpay_buffer_view(&held->content),
                            "rrpid", rrpid);
}

/* What a party still has of a request that it keeps no copy of: the digest in its own copy of the
 * answer. */
static bool find_left(const struct explorer *explorer, const struct row *row,
                      enum explorer_party party, struct setpay_digest *hash)
{
    for (size_t i = 0; row->has_rrpid && i < explorer->held_count; i++) {
        const struct explorer_held *held = &explorer->held[i];
        struct setpay_id rrpid;
        if (held->party == party && held->type == row->type + 1 && find_rrpid(held, &rrpid) &&
            setpay_id_equal(&rrpid, &row->rrpid) &&
            explorer_find_digest(explorer_kind(held->type)->layout,
                                 setpay_buffer_view(&held->content), "request_hash", hash))
            return true;
    }
    return false;
}

/* Whether the wallet has a receipt, opened, that the merchant's answer carried. */
static bool has_receipts_of(const struct explorer *explorer, const struct row *row)
{
    const struct explorer_held *sent = row->held[EXPLORER_MERCHANT];
    struct setpay_pres answer;
    if (sent == NULL || explorer_kind(row->type)->layout != &setpay_layout_pres ||
        setpay_pres_parse(setpay_buffer_view(&sent->content), &answer) != SETPAY_OK)
        return false;
    bool has = answer.receipt_count > 0;
    for (size_t i = 0; i < answer.receipt_count; i++)
        has = has && answer.skipped + i < explorer->receipt_count &&
              explorer->receipts[answer.skipped + i].opened[EXPLORER_WALLET].size > 0;
    setpay_pres_clear(&answer);
    return has;
}

/* Why both ends let go of a request once it is answered. */
static const char *why_left(enum setpay_message_type type)
{
    switch (type) {
    case SETPAY_MESSAGE_PINIT_REQ:
        return "No copy is kept, here or there: it asks what an order costs, binds nobody and is "
               "signed by nobody, and the signed answer names it. What is left of it is its digest "
               "there.";
    case SETPAY_MESSAGE_INQ_REQ:
        return "No copy is kept, here or there: it only asks how things stand, and may be asked "
               "again and again. What is left of it is its digest in the signed answer.";
    default:
        return "No copy is kept: what is left of it is its digest in the answer.";
    }
}

/* A party that keeps no copy: what is shown is what its own records still say of the message. */
static enum setpay_error missing_cell(const struct explorer *explorer, const struct row *row,
                                      enum explorer_party party, json_t **cell)
{
    const struct explorer_kind *kind = explorer_kind(row->type);
    struct setpay_digest hash;
    if (party != kind->from && party != kind->to) {
        *cell = cell_new(party, "Not seen", "none", "It never comes here.");
    } else if (!explorer_is_answer(row->type) && find_left(explorer, row, party, &hash)) {
        *cell =
            cell_new(party, party == kind->from ? "Sent" : "Received", "gone", why_left(row->type));
        return *cell == NULL ? SETPAY_E_NOMEM : explorer_digest_json(*cell, "digest", &hash, "");
    } else if (party == EXPLORER_WALLET && has_receipts_of(explorer, row)) {
        *cell =
            cell_new(party, "Received", "gone",
                     "No copy is kept of the merchant's words; the gateway's receipts in it are, "
                     "opened.");
    } else {
        *cell = cell_new(party, "No copy", "gone", "Nothing that it holds speaks of it.");
    }
    return *cell == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

static enum setpay_error message_cell(struct explorer *explorer, const struct row *row,
                                      enum explorer_party party, json_t **cell)
{
    const struct explorer_kind *kind = explorer_kind(row->type);
    const struct explorer_held *held = row->held[party];
    char from[64];
    if (held == NULL)
        return missing_cell(explorer, row, party, cell);
    *cell = cell_new(party, party == kind->from ? "Sent" : "Received", "open", "");
    if (*cell == NULL)
        return SETPAY_E_NOMEM;
    (void)snprintf(from, sizeof from, "%s.db, %s", explorer_party_name(party), held->from);
    json_object_set_new(*cell, "from", json_string(from));
    if (held->error != SETPAY_OK)
        json_object_set_new(*cell, "wrong", json_string(setpay_error_text(held->error)));
    else if (held->signature.size > 0)
        json_object_set_new(*cell, "verified", json_string(explorer_party_name(kind->from)));
    return explorer_cell_fill(explorer, party, *cell, kind->layout,
                              setpay_buffer_view(&held->content), NULL, "",
                              row->type == SETPAY_MESSAGE_P_REQ ? "oi." : "");
}

/* ------------------------------------------------------------------ cells of the two halves */

static enum setpay_error order_cell(struct explorer *explorer, const struct row *row,
                                    enum explorer_party party, json_t **cell)
{
    const struct explorer_dual *dual = &explorer->dual[party];
    if (party == EXPLORER_GATEWAY) {
        *cell = cell_new(party, "Not seen", "none",
                         dual->has_digests ? "All that comes here is the digest of it."
                                           : "Nothing of it came here.");
        return *cell == NULL ? SETPAY_E_NOMEM
               : !dual->has_digests
                   ? SETPAY_OK
                   : explorer_digest_json(*cell, "oimd", &dual->oimd,
                                          "over it and 32 random bytes that never come here");
    }
    const struct explorer_held *held = row->held[party];
    if (held == NULL)
        return missing_cell(explorer, row, party, cell);
    *cell = cell_new(party, party == EXPLORER_WALLET ? "Made" : "Received", "open", "");
    if (*cell == NULL)
        return SETPAY_E_NOMEM;
    return explorer_cell_fill(explorer, party, *cell, &setpay_layout_preq,
                              setpay_buffer_view(&held->content), NULL, "oi.", "");
}

static json_t *wallet_instruction(const struct explorer *explorer)
{
    char card[32];
    json_t *cell = cell_new(EXPLORER_WALLET, "Made and sealed", "shut",
                            "Signed, sealed for the gateway, and not kept in the clear.");
    if (cell != NULL && explorer->envelope.size > 0)
        cell_box(cell, explorer->envelope.size, "the gateway");
    if (cell != NULL && *explorer->card_last4 != '\0') {
        (void)snprintf(card, sizeof card, "•••• %.4s", explorer->card_last4);
        json_array_append_new(
            json_object_get(cell, "main"),
            explorer_field_json("card.pan", card, "of a card that its vault holds", false));
    }
    return cell;
}

static enum setpay_error merchant_instruction(const struct explorer *explorer,
                                              const struct row *row, json_t **cell)
{
    const struct explorer_held *held = row->held[EXPLORER_MERCHANT];
    struct setpay_digest digest;
    if (held == NULL)
        return missing_cell(explorer, row, EXPLORER_MERCHANT, cell);
    *cell = cell_new(
        EXPLORER_MERCHANT,
        explorer->merchant_has_envelope ? "Holds it, sealed" : "Passed on, sealed", "shut",
        explorer->merchant_has_envelope ? "Kept sealed until the outcome is known."
                                        : "Erased since the outcome is known; its digest is kept.");
    if (*cell == NULL)
        return SETPAY_E_NOMEM;
    cell_box(*cell, explorer->passed_size, "the gateway");
    if (!explorer_find_digest(&setpay_layout_preq, setpay_buffer_view(&held->content), "envelope",
                              &digest))
        return SETPAY_OK; /* told where PReq is shown */
    return explorer_digest_json(*cell, "envelope", &digest,
                                explorer->passed_size > 0
                                    ? "digest of the sealed instruction; the size is that of the "
                                      "wallet's copy, which has this digest"
                                    : "digest of the sealed instruction");
}

static enum setpay_error gateway_instruction(struct explorer *explorer, json_t **cell)
{
    if (explorer->is_opened) {
        *cell =
            cell_new(EXPLORER_GATEWAY, "Received and opened", "open",
                     "With its own key. It keeps no envelope: the wallet's copy was opened, whose "
                     "digest is the one that the merchant has signed.");
        return *cell == NULL
                   ? SETPAY_E_NOMEM
                   : explorer_cell_fill(explorer, EXPLORER_GATEWAY, *cell, &setpay_layout_pi,
                                        SETPAY_VIEW_EMPTY, &explorer->instruction.pi, "", "");
    }
    *cell = explorer->dual[EXPLORER_GATEWAY].there
                ? cell_new(EXPLORER_GATEWAY, "Received", "shut",
                           "No envelope that its key opens is kept.")
                : cell_new(EXPLORER_GATEWAY, "Not seen", "none", "It has not come here.");
    return *cell == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

static enum setpay_error instruction_cell(struct explorer *explorer, const struct row *row,
                                          enum explorer_party party, json_t **cell)
{
    if (party == EXPLORER_GATEWAY)
        return gateway_instruction(explorer, cell);
    if (party == EXPLORER_MERCHANT)
        return merchant_instruction(explorer, row, cell);
    if (row->held[EXPLORER_WALLET] == NULL)
        return missing_cell(explorer, row, EXPLORER_WALLET, cell);
    *cell = wallet_instruction(explorer);
    return *cell == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

/* ------------------------------------------------------------------ cells of a receipt */

static enum setpay_error receipt_fields(struct explorer *explorer, enum explorer_party party,
                                        size_t number, json_t *cell)
{
    struct setpay_receipt receipt;
    enum setpay_error error = explorer->receipts[number].error[party];
    if (error != SETPAY_OK)
        json_object_set_new(cell, "wrong", json_string(setpay_error_text(error)));
    else
        json_object_set_new(cell, "verified", json_string("gateway"));
    if (explorer_receipt_read(explorer, party, number, &receipt) != SETPAY_OK)
        return SETPAY_OK; /* what no key has signed is not shown as its words */
    return explorer_cell_fill(explorer, party, cell, &setpay_layout_receipt, SETPAY_VIEW_EMPTY,
                              &receipt, "", "");
}

static enum setpay_error receipt_cell(struct explorer *explorer, const struct row *row,
                                      enum explorer_party party, json_t **cell)
{
    const struct explorer_receipt *receipt = &explorer->receipts[row->receipt];
    size_t sealed = receipt->sealed[party].size;
    if (receipt->opened[party].size > 0) {
        *cell =
            cell_new(party, party == EXPLORER_GATEWAY ? "Made and sealed" : "Received and opened",
                     "open", "");
        return *cell == NULL ? SETPAY_E_NOMEM
                             : receipt_fields(explorer, party, row->receipt, *cell);
    }
    if (sealed > 0) {
        bool fetched = receipt->opened[EXPLORER_WALLET].size > 0;
        *cell = cell_new(party, fetched ? "Passed on, sealed" : "Holds it, sealed", "shut",
                         fetched ? "" : "The wallet has not asked for it yet.");
        if (*cell != NULL)
            cell_box(*cell, sealed, "the wallet");
    } else {
        *cell = cell_new(party, "Not seen", "none",
                         party == EXPLORER_WALLET ? "It has not come here yet." : "");
    }
    return *cell == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

/* ------------------------------------------------------------------ which rows there are */

struct rows {
    struct row list[ROWS_MAX];
    size_t count;
};

static int rank_of(enum setpay_message_type type)
{
    switch (type) {
    case SETPAY_MESSAGE_P_RES:
        return 90;
    case SETPAY_MESSAGE_P_REQ:
        return 10;
    default:
        return type < SETPAY_MESSAGE_P_REQ ? (int)type : 20 + (int)type;
    }
}

static struct row *new_row(struct rows *rows, enum row_kind kind, enum setpay_message_type type)
{
    struct row *row = &rows->list[rows->count++];
    *row = (struct row){.kind = kind, .type = type, .rank = rank_of(type), .place = rows->count};
    return row;
}

/* The row of a copy: of the same rrpid; for one that can't be read, the next that lacks it. */
static struct row *row_for(struct rows *rows, const struct explorer_held *held, bool has_rrpid,
                           const struct setpay_id *rrpid)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct row *row = &rows->list[i];
        if (row->type != held->type || row->held[held->party] != NULL)
            continue;
        if (!has_rrpid || !row->has_rrpid || setpay_id_equal(&row->rrpid, rrpid))
            return row;
    }
    return new_row(rows, ROW_MESSAGE, held->type);
}

/* One message that a party keeps in two places is one content: others are two rows, and told. */
static void look_for_second(struct explorer *explorer, const struct rows *rows,
                            const struct explorer_held *held, const struct setpay_id *rrpid)
{
    for (size_t i = 0; i < rows->count; i++)
        if (rows->list[i].type == held->type && rows->list[i].held[held->party] != NULL &&
            rows->list[i].has_rrpid && setpay_id_equal(&rows->list[i].rrpid, rrpid))
            explorer_note(explorer, held->party, false, "it keeps two that differ",
                          "there is one %s of this rrpid at the %s",
                          setpay_message_type_name(held->type), explorer_party_name(held->party));
}

static void place(struct explorer *explorer, struct rows *rows, const struct explorer_held *held)
{
    struct setpay_id rrpid;
    int64_t date_ms;
    bool has_rrpid = find_rrpid(held, &rrpid);
    if (has_rrpid)
        look_for_second(explorer, rows, held, &rrpid);
    struct row *row = row_for(rows, held, has_rrpid, &rrpid);
    row->held[held->party] = held;
    if (has_rrpid && !row->has_rrpid) {
        row->has_rrpid = true;
        row->rrpid = rrpid;
    }
    if (row->date_ms == 0 &&
        explorer_find_number(explorer_kind(held->type)->layout, setpay_buffer_view(&held->content),
                             "date_ms", &date_ms))
        row->date_ms = date_ms;
}

/* Two copies of one message are the same bytes. */
static void compare(struct explorer *explorer, const struct row *row)
{
    const struct explorer_kind *kind = explorer_kind(row->type);
    const struct explorer_held *sent = row->held[kind->from], *came = row->held[kind->to];
    if (sent != NULL && came != NULL)
        explorer_note(explorer, kind->to,
                      setpay_view_equal(setpay_buffer_view(&sent->content),
                                        setpay_buffer_view(&came->content)),
                      "the two copies differ", "%s is the same at %s and %s, byte for byte",
                      setpay_message_type_name(row->type), explorer_party_name(kind->from),
                      explorer_party_name(kind->to));
}

/* A request that nobody keeps, of which an answer speaks. */
static void add_guessed(struct rows *rows)
{
    size_t count = rows->count;
    for (size_t i = 0; i < count && rows->count < ROWS_MAX - EXPLORER_RECEIPTS - 2; i++) {
        const struct row answer = rows->list[i];
        bool known = !explorer_is_answer(answer.type) || !answer.has_rrpid;
        for (size_t j = 0; !known && j < rows->count; j++)
            known = rows->list[j].type == answer.type - 1 && rows->list[j].has_rrpid &&
                    setpay_id_equal(&rows->list[j].rrpid, &answer.rrpid);
        if (known)
            continue;
        struct row *row = new_row(rows, ROW_MESSAGE, (enum setpay_message_type)(answer.type - 1));
        row->has_rrpid = true;
        row->rrpid = answer.rrpid;
        row->date_ms = answer.date_ms;
    }
}

static void add_halves(struct rows *rows)
{
    size_t count = rows->count;
    for (size_t i = 0; i < count; i++) {
        if (rows->list[i].type != SETPAY_MESSAGE_P_REQ)
            continue;
        for (int half = 0; half < 2; half++) {
            struct row *row =
                new_row(rows, half == 0 ? ROW_ORDER : ROW_INSTRUCTION, SETPAY_MESSAGE_P_REQ);
            memcpy(row->held, rows->list[i].held, sizeof row->held);
            row->date_ms = rows->list[i].date_ms;
            row->rank += 1 + half;
        }
        return;
    }
}

static setpay_time_ms receipt_date(const struct explorer *explorer, size_t number)
{
    struct setpay_receipt receipt;
    for (int party = 0; party < EXPLORER_PARTIES; party++)
        if (explorer_receipt_read(explorer, (enum explorer_party)party, number, &receipt) ==
            SETPAY_OK)
            return receipt.date_ms;
    return 0;
}

static void add_receipts(const struct explorer *explorer, struct rows *rows)
{
    setpay_time_ms before = 0;
    for (size_t i = 0; i < explorer->receipt_count; i++) {
        struct row *row = new_row(rows, ROW_RECEIPT, SETPAY_MESSAGE_RECEIPT);
        row->receipt = i;
        row->date_ms = receipt_date(explorer, i);
        if (row->date_ms == 0) /* nobody can read it: behind the one before */
            row->date_ms = before;
        before = row->date_ms;
        row->rank = 80;
    }
}

static int in_time(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    if (a->date_ms != b->date_ms)
        return a->date_ms < b->date_ms ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return a->place < b->place ? -1 : 1;
}

/* ------------------------------------------------------------------ rows as JSON */

static const char *row_name(const struct row *row)
{
    static const char *const names[] = {
        [ROW_ORDER] = "OI", [ROW_INSTRUCTION] = "PI", [ROW_RECEIPT] = "Receipt"};
    return row->kind == ROW_MESSAGE ? setpay_message_type_name(row->type) : names[row->kind];
}

static const char *row_title(const struct row *row)
{
    static const char *const titles[] = {
        [ROW_ORDER] = "Order information: the half for the merchant",
        [ROW_INSTRUCTION] = "Payment instruction: the half for the gateway",
        [ROW_RECEIPT] = "The gateway's word to the cardholder, carried by the merchant"};
    return row->kind == ROW_MESSAGE ? explorer_kind(row->type)->title : titles[row->kind];
}

static enum setpay_error cell_of(struct explorer *explorer, const struct row *row,
                                 enum explorer_party party, json_t **cell)
{
    switch (row->kind) {
    case ROW_ORDER:
        return order_cell(explorer, row, party, cell);
    case ROW_INSTRUCTION:
        return instruction_cell(explorer, row, party, cell);
    case ROW_RECEIPT:
        return receipt_cell(explorer, row, party, cell);
    default:
        return message_cell(explorer, row, party, cell);
    }
}

static enum setpay_error row_json(struct explorer *explorer, const struct row *row, json_t *list)
{
    char date[SETPAY_TIME_TEXT_SIZE] = "";
    char number[16];
    (void)snprintf(number, sizeof number, "%zu", json_array_size(list) + 1);
    if (row->date_ms > 0)
        setpay_time_format(row->date_ms, date);
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:b, s:[]}", "number", number, "name",
                             row_name(row), "title", row_title(row), "date", date, "inside",
                             row->kind != ROW_MESSAGE ? 1 : 0, "cells");
    if (json == NULL || json_array_append_new(list, json) != 0)
        return SETPAY_E_NOMEM;
    for (int party = 0; party < EXPLORER_PARTIES; party++) {
        json_t *cell = NULL;
        SETPAY_TRY(cell_of(explorer, row, (enum explorer_party)party, &cell));
        if (json_array_append_new(json_object_get(json, "cells"), cell) != 0)
            return SETPAY_E_NOMEM;
    }
    return SETPAY_OK;
}

enum setpay_error explorer_rows(struct explorer *explorer, json_t **rows)
{
    struct rows *all = calloc(1, sizeof *all);
    json_t *list = json_array();
    enum setpay_error error = all == NULL || list == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK) {
        for (size_t i = 0; i < explorer->held_count; i++)
            place(explorer, all, &explorer->held[i]);
        for (size_t i = 0; i < all->count; i++)
            compare(explorer, &all->list[i]);
        add_guessed(all);
        add_halves(all);
        add_receipts(explorer, all);
        qsort(all->list, all->count, sizeof *all->list, in_time);
    }
    for (size_t i = 0; error == SETPAY_OK && i < all->count; i++)
        error = row_json(explorer, &all->list[i], list);
    free(all);
    if (error != SETPAY_OK) {
        json_decref(list);
        return error;
    }
    *rows = list;
    return SETPAY_OK;
}
