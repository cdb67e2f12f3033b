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
#include "gateway/clearing/xml.h"

#include <stdio.h>
#include <string.h>

/* minor below 0: a debit of the merchant's account. */
static void put_signed(struct setpay_xml *w, int64_t minor, const char *currency)
{
    setpay_xml_amount(w, "Amt", minor, currency);
    setpay_xml_text(w, "CdtDbtInd", minor < 0 ? "DBIT" : "CRDT");
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

static enum setpay_error begin(struct setpay_xml *w, struct setpay_buffer *bytes,
                               const struct setpay_report *report, const char *kind,
                               const char *message)
{
    char id[36], created[SETPAY_TIME_TEXT_SIZE], name[20];
    if (report->settlement_count == 0)
        return SETPAY_E_NOT_FOUND;
    SETPAY_TRY(message_id(report, kind + strlen("camt."), id));
    (void)snprintf(name, sizeof name, "%s.001.08", kind);
    setpay_xml_begin(w, bytes, name);
    setpay_xml_open(w, message);
    setpay_xml_open(w, "GrpHdr");
    setpay_xml_text(w, "MsgId", id);
    setpay_xml_text(w, "CreDtTm", setpay_time_format(report->created_ms, created));
    setpay_xml_close(w, "GrpHdr");
    return SETPAY_OK;
}

static enum setpay_error end(struct setpay_xml *w, const char *message)
{
    setpay_xml_close(w, message);
    return setpay_xml_end(w);
}

/* Id, CreDtTm and the merchant's account. */
static void put_head(struct setpay_xml *w, const struct setpay_report *report,
                     const struct setpay_settlement *s)
{
    char text[SETPAY_ID_TEXT_SIZE], created[SETPAY_TIME_TEXT_SIZE];
    setpay_xml_text(w, "Id", setpay_id_format(&s->token, text));
    setpay_xml_text(w, "CreDtTm", setpay_time_format(s->created_ms, created));
    setpay_xml_open(w, "Acct");
    setpay_xml_open(w, "Id");
    setpay_xml_open(w, "Othr");
    setpay_xml_text(w, "Id", s->merchant_id);
    setpay_xml_path(w, "SchmeNm/Prtry", s->brand);
    setpay_xml_text(w, "Issr", report->gateway_id);
    setpay_xml_close(w, "Othr");
    setpay_xml_close(w, "Id");
    setpay_xml_text(w, "Ccy", s->currency);
    setpay_xml_close(w, "Acct");
}

/* Of every kind of entry, by the gateway's own code: family and sub-family in ISO's external code
 * set of the domain PMNT. MCRD: a merchant's card transactions; ICDT: credit transfers that are
 * sent. Where ISO tells credit from debit, the second is of a debit. */
static const struct {
    const char *code, *family, *credit, *debit;
} codes[] = {
    {"CAPTURE", "MCRD", "POSC", "POSC"},
    {"CAPTURES", "MCRD", "POSC", "POSC"},
    {"CREDIT", "MCRD", "CAJT", "DAJT"},
    {"CREDITS", "MCRD", "CAJT", "DAJT"},
    {"FEES", "MCRD", "FEES", "FEES"},
    {"DISPUTE", "MCRD", "CAJT", "UPCT"},
    {"DISPUTES", "MCRD", "CAJT", "UPCT"},
    {"DISPUTE-RETURNED", "MCRD", "CAJT", "DAJT"},
    {"DISPUTES-RETURNED", "MCRD", "CAJT", "DAJT"},
    {"SUSPENSE-CLEARED", "MCRD", "CAJT", "DAJT"},
    {"SUSPENSE-ENDED", "MCRD", "CAJT", "DAJT"},
    {"RESERVE", "MCRD", "CAJT", "DAJT"},
    {"RESERVE-RELEASED", "MCRD", "CAJT", "DAJT"},
    {"PAYOUT", "ICDT", "OTHR", "OTHR"},
    {"PAYOUT-RETURNED", "ICDT", "RRTN", "RRTN"},
};

static void put_code(struct setpay_xml *w, const char *code, bool is_debit, const char *currency)
{
    setpay_xml_open(w, "BkTxCd");
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(codes[i].code, code) != 0)
            continue;
        const char *sub = is_debit ? codes[i].debit : codes[i].credit;
        if (strcmp(code, "PAYOUT") == 0 && strcmp(currency, "EUR") == 0)
            sub = "ESCT"; /* as the file for the bank asks for it (pain.c) */
        setpay_xml_open(w, "Domn");
        setpay_xml_text(w, "Cd", "PMNT");
        setpay_xml_open(w, "Fmly");
        setpay_xml_text(w, "Cd", codes[i].family);
        setpay_xml_text(w, "SubFmlyCd", sub);
        setpay_xml_close(w, "Fmly");
        setpay_xml_close(w, "Domn");
    }
    setpay_xml_open(w, "Prtry");
    setpay_xml_text(w, "Cd", code);
    setpay_xml_text(w, "Issr", "setpay");
    setpay_xml_close(w, "Prtry");
    setpay_xml_close(w, "BkTxCd");
}

/* An entry, from its amount to BkTxCd. minor below 0: a debit. of: what the entry is of; with the
 * code it makes the reference, so that no two entries ever have the same. */
static void put_booking(struct setpay_xml *w, const struct setpay_settlement *s, int64_t minor,
                        const char *status, const struct setpay_id *of, const char *code)
{
    struct setpay_hash state;
    struct setpay_id reference = {{0}};
    char text[SETPAY_ID_TEXT_SIZE];
    setpay_hash_init(&state, "entry");
    setpay_hash_add(&state, setpay_id_view(of));
    setpay_hash_add(&state, setpay_view_string(code));
    enum setpay_error error = setpay_ledger_end_event(&state, &reference);
    if (w->error == SETPAY_OK)
        w->error = error;
    put_signed(w, minor, s->currency);
    setpay_xml_path(w, "Sts/Cd", status);
    setpay_xml_path(w, "BookgDt/Dt", s->day);
    setpay_xml_path(w, "ValDt/Dt", s->day);
    setpay_xml_text(w, "AcctSvcrRef", setpay_id_format(&reference, text));
    put_code(w, code, minor < 0, s->currency);
}

/* ------------------------------------------------------------------ camt.053 */

static void put_balance(struct setpay_xml *w, const struct setpay_settlement *s, const char *code,
                        int64_t minor)
{
    setpay_xml_open(w, "Bal");
    setpay_xml_path(w, "Tp/CdOrPrtry/Cd", code);
    put_signed(w, minor, s->currency);
    setpay_xml_path(w, "Dt/Dt", s->day);
    setpay_xml_close(w, "Bal");
}

/* What of a settlement is one entry; nothing where the amount is 0. count 0: of no items. */
static void put_sum(struct setpay_xml *w, const struct setpay_settlement *s, const char *code,
                    int64_t count, int64_t minor)
{
    if (minor == 0)
        return;
    setpay_xml_open(w, "Ntry");
    put_booking(w, s, minor, "BOOK", &s->token, code);
    if (count > 0) {
        setpay_xml_open(w, "NtryDtls");
        setpay_xml_open(w, "Btch");
        setpay_xml_number(w, "NbOfTxs", count);
        setpay_xml_amount(w, "TtlAmt", minor, s->currency);
        setpay_xml_text(w, "CdtDbtInd", minor < 0 ? "DBIT" : "CRDT");
        setpay_xml_close(w, "Btch");
        setpay_xml_close(w, "NtryDtls");
    }
    setpay_xml_close(w, "Ntry");
}

static void put_statement(struct setpay_xml *w, const struct setpay_report *report,
                          const struct setpay_settlement *s)
{
    char words[160], amount[SETPAY_REPORT_AMOUNT_SIZE];
    setpay_xml_open(w, "Stmt");
    put_head(w, report, s);
    put_balance(w, s, "OPBD", s->carried_in_minor);
    put_balance(w, s, "CLBD", s->carried_out_minor);
    put_sum(w, s, "CAPTURES", s->sums.capture_count, s->sums.capture_minor);
    put_sum(w, s, "CREDITS", s->sums.credit_count, -s->sums.credit_minor);
    put_sum(w, s, "FEES", 0, -s->sums.fee_minor);
    put_sum(w, s, "DISPUTES", s->adjusted.disputed_count, -s->adjusted.disputed_minor);
    put_sum(w, s, "DISPUTES-RETURNED", s->adjusted.returned_count, s->adjusted.returned_minor);
    put_sum(w, s, "SUSPENSE-CLEARED", s->adjusted.cleared_count, s->adjusted.cleared_minor);
    put_sum(w, s, "PAYOUT-RETURNED", s->adjusted.repaid_count, s->adjusted.repaid_minor);
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
        setpay_xml_text(w, "AddtlStmtInf", words);
    }
    setpay_xml_close(w, "Stmt");
}

enum setpay_error setpay_report_camt_053(const struct setpay_report *report,
                                         struct setpay_buffer *bytes)
{
    struct setpay_xml w;
    SETPAY_TRY(begin(&w, bytes, report, "camt.053", "BkToCstmrStmt"));
    for (size_t i = 0; i < report->settlement_count; i++)
        put_statement(&w, report, &report->settlements[i]);
    return end(&w, "BkToCstmrStmt");
}

/* ------------------------------------------------------------------ camt.054 */

static void put_item(struct setpay_xml *w, const struct setpay_settlement *s,
                     const struct setpay_clearing_item *item)
{
    char step[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE], words[120];
    bool taken = setpay_presentment_is_taken(item->response_code);
    int64_t minor = item->credits ? -item->amount.minor : item->amount.minor;
    (void)setpay_id_format(&item->step, step);
    setpay_xml_open(w, "Ntry");
    put_booking(w, s, minor, taken ? "BOOK" : "INFO", &item->step,
                item->credits ? "CREDIT" : "CAPTURE");
    setpay_xml_open(w, "NtryDtls");
    setpay_xml_open(w, "TxDtls");
    setpay_xml_open(w, "Refs");
    setpay_xml_text(w, "AcctSvcrRef", step);
    setpay_xml_text(w, "EndToEndId", setpay_id_format(&item->xid, xid));
    setpay_xml_close(w, "Refs");
    put_signed(w, minor, item->amount.currency);
    if (item->fee_minor != 0) {
        setpay_xml_open(w, "Chrgs");
        setpay_xml_amount(w, "TtlChrgsAndTaxAmt", item->fee_minor, item->amount.currency);
        setpay_xml_close(w, "Chrgs");
    }
    setpay_xml_close(w, "TxDtls");
    setpay_xml_close(w, "NtryDtls");
    if (!taken) {
        if (strcmp(item->response_code, SETPAY_PRESENTMENT_WRITTEN_OFF) == 0)
            (void)snprintf(words, sizeof words,
                           "Could not be presented to the issuer: held in suspense");
        else
            (void)snprintf(words, sizeof words,
                           "Refused by the issuer with response code %s: held in suspense",
                           item->response_code);
        setpay_xml_text(w, "AddtlNtryInf", words);
    }
    setpay_xml_close(w, "Ntry");
}

/* One way of a dispute's amount, with the issuer's reason. */
static void put_movement(struct setpay_xml *w, const struct setpay_settlement *s,
                         const struct setpay_gateway_dispute *d, bool returns)
{
    char step[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
    int64_t minor = returns ? d->amount.minor : -d->amount.minor;
    setpay_xml_open(w, "Ntry");
    put_booking(w, s, minor, "BOOK", &d->token, returns ? "DISPUTE-RETURNED" : "DISPUTE");
    setpay_xml_open(w, "NtryDtls");
    setpay_xml_open(w, "TxDtls");
    setpay_xml_open(w, "Refs");
    setpay_xml_text(w, "AcctSvcrRef", setpay_id_format(&d->step, step));
    setpay_xml_text(w, "EndToEndId", setpay_id_format(&d->xid, xid));
    setpay_xml_close(w, "Refs");
    put_signed(w, minor, d->amount.currency);
    setpay_xml_path(w, "RtrInf/Rsn/Prtry", d->reason);
    setpay_xml_close(w, "TxDtls");
    setpay_xml_close(w, "NtryDtls");
    setpay_xml_close(w, "Ntry");
}

static bool is_of(const struct setpay_gateway_dispute *d, const struct setpay_settlement *s)
{
    return d->opened_settlement == s->id || d->closed_settlement == s->id;
}

static void put_disputes(struct setpay_xml *w, const struct setpay_report *report,
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
static void put_cleared(struct setpay_xml *w, const struct setpay_settlement *s,
                        const struct setpay_suspense_told *c)
{
    char step[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
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
    setpay_xml_open(w, "Ntry");
    put_booking(w, s, c->amount.minor, c->is_paid ? "BOOK" : "INFO", &c->token,
                c->is_paid ? "SUSPENSE-CLEARED" : "SUSPENSE-ENDED");
    setpay_xml_open(w, "NtryDtls");
    setpay_xml_open(w, "TxDtls");
    setpay_xml_open(w, "Refs");
    setpay_xml_text(w, "AcctSvcrRef", setpay_id_format(&c->step, step));
    setpay_xml_text(w, "EndToEndId", setpay_id_format(&c->xid, xid));
    setpay_xml_close(w, "Refs");
    put_signed(w, c->amount.minor, c->amount.currency);
    setpay_xml_close(w, "TxDtls");
    setpay_xml_close(w, "NtryDtls");
    setpay_xml_text(w, "AddtlNtryInf", words);
    setpay_xml_close(w, "Ntry");
}

enum setpay_error setpay_report_camt_054(const struct setpay_report *report,
                                         struct setpay_buffer *bytes)
{
    struct setpay_xml w;
    size_t at = 0, dispute = 0, cleared = 0;
    SETPAY_TRY(begin(&w, bytes, report, "camt.054", "BkToCstmrDbtCdtNtfctn"));
    for (size_t i = 0; i < report->settlement_count; i++) {
        const struct setpay_settlement *s = &report->settlements[i];
        setpay_xml_open(&w, "Ntfctn");
        put_head(&w, report, s);
        for (; at < report->item_count && report->items[at].settlement == s->id; at++)
            put_item(&w, s, &report->items[at]);
        put_disputes(&w, report, s, &dispute);
        for (; cleared < report->cleared_count && report->cleared[cleared].settlement == s->id;
             cleared++)
            put_cleared(&w, s, &report->cleared[cleared]);
        setpay_xml_close(&w, "Ntfctn");
    }
    return end(&w, "BkToCstmrDbtCdtNtfctn");
}
