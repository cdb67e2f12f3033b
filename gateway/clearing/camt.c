/*
 * ISO 20022 bank-to-customer messages: camt.053.001.08 and camt.054.001.08, the part of them that a
 * settlement needs. The account is what the gateway owes the merchant; of it a capture is a credit,
 * and a credit to the cardholder, a fee, what is in dispute or held back, and the payout are
 * debits.
 *
 * Elements stand in the order of the standard's sequences. Where it wants a code of a list that
 * says nothing about cards, the proprietary choice is taken, with setpay as its issuer.
 */
#include "gateway/clearing/report.h"

#include "common/crypto/hash.h"
#include "gateway/clearing/presentment.h"

#include <stdio.h>
#include <string.h>

#define NAMESPACE "urn:iso:std:iso:20022:tech:xsd:"
#define INDENT "  "
#define TAG_SIZE 40

/* Writes elements; the first error sticks. */
struct writer {
    struct setpay_buffer *bytes;
    enum setpay_error error;
    int depth;
};

/* ------------------------------------------------------------------ elements */

static void put(struct writer *w, const char *text)
{
    if (w->error == SETPAY_OK)
        w->error = setpay_buffer_append(w->bytes, setpay_view_string(text));
}

static void put_indent(struct writer *w)
{
    for (int i = 0; i < w->depth; i++)
        put(w, INDENT);
}

/* What a text may not hold as it is; characters that XML can't hold at all become '?'. */
static void put_escaped(struct writer *w, const char *text)
{
    for (; *text != '\0'; text++) {
        char one[2] = {*text, '\0'};
        unsigned char c = (unsigned char)*text;
        put(w, c == '&'                                          ? "&amp;"
               : c == '<'                                        ? "&lt;"
               : c == '>'                                        ? "&gt;"
               : c == '"'                                        ? "&quot;"
               : c < 0x20 && c != '\t' && c != '\n' && c != '\r' ? "?"
                                                                 : one);
    }
}

static void open_element(struct writer *w, const char *tag)
{
    put_indent(w);
    put(w, "<");
    put(w, tag);
    put(w, ">\n");
    w->depth++;
}

static void close_element(struct writer *w, const char *tag)
{
    w->depth--;
    put_indent(w);
    put(w, "</");
    put(w, tag);
    put(w, ">\n");
}

static void put_text(struct writer *w, const char *tag, const char *text)
{
    put_indent(w);
    put(w, "<");
    put(w, tag);
    put(w, ">");
    put_escaped(w, text);
    put(w, "</");
    put(w, tag);
    put(w, ">\n");
}

/* Nested elements around one text: "Tp/CdOrPrtry/Cd". */
static void put_path(struct writer *w, const char *path, const char *text)
{
    char tag[TAG_SIZE];
    size_t size = strcspn(path, "/");
    (void)snprintf(tag, sizeof tag, "%.*s", (int)size, path);
    if (path[size] == '\0') {
        put_text(w, tag, text);
        return;
    }
    open_element(w, tag);
    put_path(w, path + size + 1, text);
    close_element(w, tag);
}

static void put_number(struct writer *w, const char *tag, int64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    put_text(w, tag, text);
}

/* An amount has no sign: that stands in CdtDbtInd. */
static void put_amount(struct writer *w, const char *tag, int64_t minor, const char *currency)
{
    char amount[SETPAY_REPORT_AMOUNT_SIZE];
    put_indent(w);
    put(w, "<");
    put(w, tag);
    put(w, " Ccy=\"");
    put_escaped(w, currency);
    put(w, "\">");
    put(w, setpay_report_amount(minor < 0 ? -minor : minor, currency, amount));
    put(w, "</");
    put(w, tag);
    put(w, ">\n");
}

/* minor below 0: a debit of the merchant's account. */
static void put_signed(struct writer *w, int64_t minor, const char *currency)
{
    put_amount(w, "Amt", minor, currency);
    put_text(w, "CdtDbtInd", minor < 0 ? "DBIT" : "CRDT");
}

/* ------------------------------------------------------------------ what both have */

/* The same settlements have the same id, whenever the report is made. */
static enum setpay_error message_id(const struct setpay_report *report, const char *kind,
                                    char out[36])
{
    struct setpay_hash state;
    struct setpay_digest digest;
    char hex[SETPAY_DIGEST_TEXT_SIZE];
    setpay_hash_init(&state, "report");
    for (size_t i = 0; i < report->settlement_count; i++)
        setpay_hash_add(&state, setpay_id_view(&report->settlements[i].token));
    SETPAY_TRY(setpay_hash_final(&state, &digest));
    (void)snprintf(out, 36, "%s-%.10s-%.16s", kind, report->day,
                   setpay_digest_format(&digest, hex));
    return SETPAY_OK;
}

static enum setpay_error begin(struct writer *w, const struct setpay_report *report,
                               const char *kind, const char *message)
{
    char id[36], created[SETPAY_TIME_TEXT_SIZE];
    if (report->settlement_count == 0)
        return SETPAY_E_NOT_FOUND;
    SETPAY_TRY(message_id(report, kind + strlen("camt."), id));
    setpay_buffer_reset(w->bytes);
    put(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"" NAMESPACE);
    put(w, kind);
    put(w, ".001.08\">\n");
    w->depth = 1;
    open_element(w, message);
    open_element(w, "GrpHdr");
    put_text(w, "MsgId", id);
    put_text(w, "CreDtTm", setpay_time_format(report->created_ms, created));
    close_element(w, "GrpHdr");
    return SETPAY_OK;
}

static enum setpay_error end(struct writer *w, const char *message)
{
    close_element(w, message);
    put(w, "</Document>\n");
    return w->error;
}

/* Id, CreDtTm and the merchant's account. */
static void put_head(struct writer *w, const struct setpay_report *report,
                     const struct setpay_settlement *s)
{
    char text[SETPAY_ID_TEXT_SIZE], created[SETPAY_TIME_TEXT_SIZE];
    put_text(w, "Id", setpay_id_format(&s->token, text));
    put_text(w, "CreDtTm", setpay_time_format(s->created_ms, created));
    open_element(w, "Acct");
    open_element(w, "Id");
    open_element(w, "Othr");
    put_text(w, "Id", s->merchant_id);
    put_path(w, "SchmeNm/Prtry", s->brand);
    put_text(w, "Issr", report->gateway_id);
    close_element(w, "Othr");
    close_element(w, "Id");
    put_text(w, "Ccy", s->currency);
    close_element(w, "Acct");
}

/* From Sts to BkTxCd. */
static void put_booking(struct writer *w, const struct setpay_settlement *s, const char *status,
                        const char *reference, const char *code)
{
    put_path(w, "Sts/Cd", status);
    put_path(w, "BookgDt/Dt", s->day);
    put_path(w, "ValDt/Dt", s->day);
    put_text(w, "AcctSvcrRef", reference);
    open_element(w, "BkTxCd");
    open_element(w, "Prtry");
    put_text(w, "Cd", code);
    put_text(w, "Issr", "setpay");
    close_element(w, "Prtry");
    close_element(w, "BkTxCd");
}

/* ------------------------------------------------------------------ camt.053 */

static void put_balance(struct writer *w, const struct setpay_settlement *s, const char *code,
                        int64_t minor)
{
    open_element(w, "Bal");
    put_path(w, "Tp/CdOrPrtry/Cd", code);
    put_signed(w, minor, s->currency);
    put_path(w, "Dt/Dt", s->day);
    close_element(w, "Bal");
}

/* What of a settlement is one entry; nothing where the amount is 0. count 0: of no items. */
static void put_sum(struct writer *w, const struct setpay_settlement *s, const char *code,
                    int64_t count, int64_t minor)
{
    char reference[SETPAY_ID_TEXT_SIZE];
    if (minor == 0)
        return;
    open_element(w, "Ntry");
    put_signed(w, minor, s->currency);
    put_booking(w, s, "BOOK", setpay_id_format(&s->token, reference), code);
    if (count > 0) {
        open_element(w, "NtryDtls");
        open_element(w, "Btch");
        put_number(w, "NbOfTxs", count);
        put_amount(w, "TtlAmt", minor, s->currency);
        put_text(w, "CdtDbtInd", minor < 0 ? "DBIT" : "CRDT");
        close_element(w, "Btch");
        close_element(w, "NtryDtls");
    }
    close_element(w, "Ntry");
}

static void put_statement(struct writer *w, const struct setpay_report *report,
                          const struct setpay_settlement *s)
{
    char words[160], amount[SETPAY_REPORT_AMOUNT_SIZE];
    open_element(w, "Stmt");
    put_head(w, report, s);
    put_balance(w, s, "OPBD", s->carried_in_minor);
    put_balance(w, s, "CLBD", s->carried_out_minor);
    put_sum(w, s, "CAPTURES", s->sums.capture_count, s->sums.capture_minor);
    put_sum(w, s, "CREDITS", s->sums.credit_count, -s->sums.credit_minor);
    put_sum(w, s, "FEES", 0, -s->sums.fee_minor);
    put_sum(w, s, "DISPUTES", s->adjusted.disputed_count, -s->adjusted.disputed_minor);
    put_sum(w, s, "DISPUTES-RETURNED", s->adjusted.returned_count, s->adjusted.returned_minor);
    put_sum(w, s, "SUSPENSE-CLEARED", s->adjusted.cleared_count, s->adjusted.cleared_minor);
    put_sum(w, s, "RESERVE-RELEASED", 0, s->released_minor);
    put_sum(w, s, "RESERVE", 0, -s->held_minor);
    put_sum(w, s, "PAYOUT", 0, -s->payout_minor);
    if (s->sums.refused_count > 0) {
        (void)snprintf(words, sizeof words,
                       "Refused by issuers, held in suspense and not in this statement: %lld, "
                       "%s %s",
                       (long long)s->sums.refused_count,
                       setpay_report_amount(s->sums.refused_minor, s->currency, amount),
                       s->currency);
        put_text(w, "AddtlStmtInf", words);
    }
    close_element(w, "Stmt");
}

enum setpay_error setpay_report_camt_053(const struct setpay_report *report,
                                         struct setpay_buffer *bytes)
{
    struct writer w = {.bytes = bytes};
    SETPAY_TRY(begin(&w, report, "camt.053", "BkToCstmrStmt"));
    for (size_t i = 0; i < report->settlement_count; i++)
        put_statement(&w, report, &report->settlements[i]);
    return end(&w, "BkToCstmrStmt");
}

/* ------------------------------------------------------------------ camt.054 */

static void put_item(struct writer *w, const struct setpay_settlement *s,
                     const struct setpay_clearing_item *item)
{
    char step[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE], words[120];
    bool taken = setpay_presentment_is_taken(item->response_code);
    int64_t minor = item->credits ? -item->amount.minor : item->amount.minor;
    (void)setpay_id_format(&item->step, step);
    open_element(w, "Ntry");
    put_signed(w, minor, item->amount.currency);
    put_booking(w, s, taken ? "BOOK" : "INFO", step, item->credits ? "CREDIT" : "CAPTURE");
    open_element(w, "NtryDtls");
    open_element(w, "TxDtls");
    open_element(w, "Refs");
    put_text(w, "AcctSvcrRef", step);
    put_text(w, "EndToEndId", setpay_id_format(&item->xid, xid));
    close_element(w, "Refs");
    put_signed(w, minor, item->amount.currency);
    if (item->fee_minor != 0) {
        open_element(w, "Chrgs");
        put_amount(w, "TtlChrgsAndTaxAmt", item->fee_minor, item->amount.currency);
        close_element(w, "Chrgs");
    }
    close_element(w, "TxDtls");
    close_element(w, "NtryDtls");
    if (!taken) {
        if (strcmp(item->response_code, SETPAY_PRESENTMENT_WRITTEN_OFF) == 0)
            (void)snprintf(words, sizeof words,
                           "Could not be presented to the issuer: held in suspense");
        else
            (void)snprintf(words, sizeof words,
                           "Refused by the issuer with response code %s: held in suspense",
                           item->response_code);
        put_text(w, "AddtlNtryInf", words);
    }
    close_element(w, "Ntry");
}

/* One way of a dispute's amount, with the issuer's reason. */
static void put_movement(struct writer *w, const struct setpay_settlement *s,
                         const struct setpay_gateway_dispute *d, bool returns)
{
    char token[SETPAY_ID_TEXT_SIZE], step[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    int64_t minor = returns ? d->amount.minor : -d->amount.minor;
    open_element(w, "Ntry");
    put_signed(w, minor, d->amount.currency);
    put_booking(w, s, "BOOK", setpay_id_format(&d->token, token),
                returns ? "DISPUTE-RETURNED" : "DISPUTE");
    open_element(w, "NtryDtls");
    open_element(w, "TxDtls");
    open_element(w, "Refs");
    put_text(w, "AcctSvcrRef", setpay_id_format(&d->step, step));
    put_text(w, "EndToEndId", setpay_id_format(&d->xid, xid));
    close_element(w, "Refs");
    put_signed(w, minor, d->amount.currency);
    put_path(w, "RtrInf/Rsn/Prtry", d->reason);
    close_element(w, "TxDtls");
    close_element(w, "NtryDtls");
    close_element(w, "Ntry");
}

static bool is_of(const struct setpay_gateway_dispute *d, const struct setpay_settlement *s)
{
    return d->opened_settlement == s->id || d->closed_settlement == s->id;
}

static void put_disputes(struct writer *w, const struct setpay_report *report,
                         const struct setpay_settlement *s, size_t *at)
{
    for (; *at < report->dispute_count && is_of(&report->disputes[*at], s); (*at)++) {
        const struct setpay_gateway_dispute *d = &report->disputes[*at];
        if (d->opened_settlement == s->id)
            put_movement(w, s, d, false);
        if (d->closed_settlement == s->id)
            put_movement(w, s, d, true);
    }
}

/* What came of what an issuer had refused: booked where it moves something of the merchant's. */
static void put_cleared(struct writer *w, const struct setpay_settlement *s,
                        const struct setpay_suspense_told *c)
{
    char token[SETPAY_ID_TEXT_SIZE], step[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    char words[SETPAY_SUSPENSE_REASON_SIZE + 80];
    /* By: never presented, of a credit, to the merchant. */
    static const char *const what[2][2][2] = {
        {{"Refused, and charged to nobody; not paid", "Refused before, and charged after all"},
         {"Refused, and credited to nobody; not taken", "Refused before, and credited after all"}},
        {{"Could not be presented; not paid", "Could not be presented, and is paid all the same"},
         {"Could not be presented; not taken",
          "Could not be presented, and is taken all the same"}},
    };
    bool credits = c->amount.minor < 0;
    (void)snprintf(words, sizeof words, "%s: %s", what[c->is_written_off][credits][c->is_paid],
                   c->reason);
    open_element(w, "Ntry");
    put_signed(w, c->amount.minor, c->amount.currency);
    put_booking(w, s, c->is_paid ? "BOOK" : "INFO", setpay_id_format(&c->token, token),
                c->is_paid ? "SUSPENSE-CLEARED" : "SUSPENSE-ENDED");
    open_element(w, "NtryDtls");
    open_element(w, "TxDtls");
    open_element(w, "Refs");
    put_text(w, "AcctSvcrRef", setpay_id_format(&c->step, step));
    put_text(w, "EndToEndId", setpay_id_format(&c->xid, xid));
    close_element(w, "Refs");
    put_signed(w, c->amount.minor, c->amount.currency);
    close_element(w, "TxDtls");
    close_element(w, "NtryDtls");
    put_text(w, "AddtlNtryInf", words);
    close_element(w, "Ntry");
}

enum setpay_error setpay_report_camt_054(const struct setpay_report *report,
                                         struct setpay_buffer *bytes)
{
    struct writer w = {.bytes = bytes};
    size_t at = 0, dispute = 0, cleared = 0;
    SETPAY_TRY(begin(&w, report, "camt.054", "BkToCstmrDbtCdtNtfctn"));
    for (size_t i = 0; i < report->settlement_count; i++) {
        const struct setpay_settlement *s = &report->settlements[i];
        open_element(&w, "Ntfctn");
        put_head(&w, report, s);
        for (; at < report->item_count && report->items[at].settlement == s->id; at++)
            put_item(&w, s, &report->items[at]);
        put_disputes(&w, report, s, &dispute);
        for (; cleared < report->cleared_count && report->cleared[cleared].settlement == s->id;
             cleared++)
            put_cleared(&w, s, &report->cleared[cleared]);
        close_element(&w, "Ntfctn");
    }
    return end(&w, "BkToCstmrDbtCdtNtfctn");
}
