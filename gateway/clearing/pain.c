/*
 * ISO 20022 pain.001.001.09, the part of it that a bank needs for paying merchants: one order of
 * one account, one day and one currency, with a transfer for each payout.
 *
 * In euro it is a SEPA credit transfer; in another currency the bank chooses the way, and payer and
 * payee share its charges.
 */
#include "gateway/clearing/payout.h"

#include "gateway/clearing/xml.h"

#include <stdio.h>
#include <string.h>

static void put_agent(struct setpay_xml *w, const char *tag, const struct setpay_bank_account *a)
{
    setpay_xml_open(w, tag);
    if (a->bic[0] != '\0')
        setpay_xml_path(w, "FinInstnId/BICFI", a->bic);
    else
        setpay_xml_path(w, "FinInstnId/Othr/Id", "NOTPROVIDED");
    setpay_xml_close(w, tag);
}

/* "12.50": a sum has no currency beside it. */
static void put_sum(struct setpay_xml *w, const char *tag, int64_t minor, const char *currency)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    struct setpay_money money = {.minor = minor};
    (void)snprintf(money.currency, sizeof money.currency, "%s", currency);
    (void)setpay_money_format(&money, text);
    text[strcspn(text, " ")] = '\0';
    setpay_xml_text(w, tag, text);
}

static void put_transfer(struct setpay_xml *w, const struct setpay_payout *p)
{
    char id[SETPAY_ID_TEXT_SIZE], words[141];
    (void)snprintf(words, sizeof words, "Settlement of %s, %s %s", p->day, p->brand,
                   p->merchant_id);
    for (char *at = words; (at = strchr(at, '_')) != NULL;)
        *at = '-'; /* an id may have it; what all banks take (payee.c) has not */
    setpay_xml_open(w, "CdtTrfTxInf");
    setpay_xml_path(w, "PmtId/EndToEndId", setpay_id_format(&p->token, id));
    setpay_xml_open(w, "Amt");
    setpay_xml_amount(w, "InstdAmt", p->amount_minor, p->currency);
    setpay_xml_close(w, "Amt");
    if (p->account.bic[0] != '\0')
        put_agent(w, "CdtrAgt", &p->account);
    setpay_xml_path(w, "Cdtr/Nm", p->account.holder);
    setpay_xml_path(w, "CdtrAcct/Id/IBAN", p->account.iban);
    setpay_xml_path(w, "RmtInf/Ustrd", words);
    setpay_xml_close(w, "CdtTrfTxInf");
}

static void put_order(struct setpay_xml *w, const struct setpay_payout_file *file,
                      const struct setpay_bank_account *payer, const struct setpay_payout *payouts,
                      size_t count)
{
    char id[SETPAY_ID_TEXT_SIZE];
    bool is_sepa = strcmp(file->currency, "EUR") == 0;
    setpay_xml_open(w, "PmtInf");
    setpay_xml_text(w, "PmtInfId", setpay_id_format(&file->token, id));
    setpay_xml_text(w, "PmtMtd", "TRF");
    setpay_xml_number(w, "NbOfTxs", file->count);
    put_sum(w, "CtrlSum", file->amount_minor, file->currency);
    if (is_sepa)
        setpay_xml_path(w, "PmtTpInf/SvcLvl/Cd", "SEPA");
    setpay_xml_path(w, "ReqdExctnDt/Dt", file->day);
    setpay_xml_path(w, "Dbtr/Nm", payer->holder);
    setpay_xml_open(w, "DbtrAcct");
    setpay_xml_path(w, "Id/IBAN", payer->iban);
    setpay_xml_text(w, "Ccy", file->currency);
    setpay_xml_close(w, "DbtrAcct");
    put_agent(w, "DbtrAgt", payer);
    setpay_xml_text(w, "ChrgBr", is_sepa ? "SLEV" : "SHAR");
    for (size_t i = 0; i < count; i++)
        put_transfer(w, &payouts[i]);
    setpay_xml_close(w, "PmtInf");
}

enum setpay_error setpay_payout_pain_001(const struct setpay_payout_file *file,
                                         const struct setpay_bank_account *payer,
                                         const struct setpay_payout *payouts, size_t count,
                                         struct setpay_buffer *bytes)
{
    char id[SETPAY_ID_TEXT_SIZE], created[SETPAY_TIME_TEXT_SIZE];
    struct setpay_xml w;
    setpay_xml_begin(&w, bytes, "pain.001.001.09");
    setpay_xml_open(&w, "CstmrCdtTrfInitn");
    setpay_xml_open(&w, "GrpHdr");
    setpay_xml_text(&w, "MsgId", setpay_id_format(&file->token, id));
    setpay_xml_text(&w, "CreDtTm", setpay_time_format(file->created_ms, created));
    setpay_xml_number(&w, "NbOfTxs", file->count);
    put_sum(&w, "CtrlSum", file->amount_minor, file->currency);
    setpay_xml_path(&w, "InitgPty/Nm", payer->holder);
    setpay_xml_close(&w, "GrpHdr");
    put_order(&w, file, payer, payouts, count);
    setpay_xml_close(&w, "CstmrCdtTrfInitn");
    return setpay_xml_end(&w);
}
