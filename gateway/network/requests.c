/*
 * Builds 0100, 0120, 0200, 0220, 0400, 0420 and 0800, and reads 0110 and 0210. Nothing here has
 * state or does I/O.
 *
 * What always holds: every value is checked by the codec's table before it goes into a message;
 * card data is copied only from secret to secret. Local time (fields 12, 13) is UTC as field 7 is,
 * so that one number and one second name a request.
 */
#include "gateway/network/requests.h"

#include "gateway/network/stored.h"
#include "gateway/network/totals.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void trace_time(const struct setpay_network_trace *trace, struct tm *utc)
{
    time_t seconds = (time_t)(trace->time / SETPAY_SECOND_MS);
    memset(utc, 0, sizeof(*utc));
    gmtime_r(&seconds, utc);
}

/* Fields 7, 12 and 13 as text. */
struct trace_text {
    char transmission[16];
    char time[8];
    char date[8];
};

static void trace_format(const struct setpay_network_trace *trace, struct trace_text *text)
{
    struct tm utc;
    trace_time(trace, &utc);
    strftime(text->transmission, sizeof(text->transmission), "%m%d%H%M%S", &utc);
    strftime(text->time, sizeof(text->time), "%H%M%S", &utc);
    strftime(text->date, sizeof(text->date), "%m%d", &utc);
}

void setpay_network_trace_rrn(const struct setpay_network_trace *trace,
                              char rrn[SETPAY_NETWORK_RRN_SIZE])
{
    struct tm utc;
    char digits[64];
    trace_time(trace, &utc);
    snprintf(digits, sizeof(digits), "%d%03d%02d%06" PRIu32, utc.tm_year % 10, utc.tm_yday + 1,
             utc.tm_hour, trace->stan % 1000000);
    memcpy(rrn, digits, SETPAY_NETWORK_RRN_SIZE - 1);
    rrn[SETPAY_NETWORK_RRN_SIZE - 1] = '\0';
}

enum setpay_error setpay_network_acceptor_set(struct setpay_network_acceptor *acceptor,
                                              const char *id, const char *name, unsigned category)
{
    size_t id_size = strlen(id);
    size_t at = 0;
    if (id_size == 0 || id_size >= sizeof(acceptor->id) || category > 9999)
        return SETPAY_E_FIELD;
    for (size_t i = 0; i < id_size; i++)
        if (id[i] < 0x21 || id[i] > 0x7e)
            return SETPAY_E_FIELD;
    memcpy(acceptor->id, id, id_size + 1);
    for (; at < sizeof(acceptor->name) - 1 && name[at] != '\0'; at++) {
        bool printable = name[at] >= 0x20 && name[at] <= 0x7e;
        acceptor->name[at] = name[at];
        if (!printable)
            acceptor->name[at] = '?';
    }
    if (at == 0)
        acceptor->name[at++] = '?';
    acceptor->name[at] = '\0';
    acceptor->category = (uint16_t)category;
    return SETPAY_OK;
}

void setpay_network_authorisation_clear(struct setpay_network_authorisation *request)
{
    setpay_secret_clear(&request->pan);
    setpay_secret_clear(&request->expiry);
    setpay_secret_clear(&request->security_code);
    setpay_secret_clear(&request->postcode);
    setpay_secret_clear(&request->house_digits);
}

void setpay_network_reversal_clear(struct setpay_network_reversal *reversal)
{
    setpay_secret_clear(&reversal->pan);
    setpay_secret_clear(&reversal->expiry);
}

void setpay_network_presentment_clear(struct setpay_network_presentment *presentment)
{
    setpay_secret_clear(&presentment->pan);
    setpay_secret_clear(&presentment->expiry);
}

static enum setpay_error set_trace(struct setpay_iso_message *message,
                                   const struct setpay_network_trace *trace)
{
    struct trace_text text;
    trace_format(trace, &text);
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_TRANSMISSION_TIME, text.transmission));
    SETPAY_TRY(setpay_iso_set_number(message, SETPAY_ISO_STAN, trace->stan));
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_LOCAL_TIME, text.time));
    return setpay_iso_set_text(message, SETPAY_ISO_LOCAL_DATE, text.date);
}

static enum setpay_error set_money(struct setpay_iso_message *message,
                                   const struct setpay_money *amount)
{
    const struct setpay_currency *currency = setpay_currency_by_code(amount->currency);
    if (currency == NULL || amount->minor <= 0 || amount->minor > SETPAY_MONEY_MAX_MINOR)
        return SETPAY_E_FIELD;
    SETPAY_TRY(setpay_iso_set_number(message, SETPAY_ISO_AMOUNT, (uint64_t)amount->minor));
    return setpay_iso_set_number(message, SETPAY_ISO_CURRENCY, currency->numeric);
}

static enum setpay_error set_parties(struct setpay_iso_message *message,
                                     const struct setpay_request_sender *sender,
                                     const struct setpay_network_acceptor *acceptor)
{
    SETPAY_TRY(setpay_iso_set_number(message, SETPAY_ISO_CATEGORY, acceptor->category));
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_ACQUIRER, sender->acquirer_id));
    SETPAY_TRY(setpay_iso_set_padded(message, SETPAY_ISO_TERMINAL, sender->terminal_id));
    SETPAY_TRY(setpay_iso_set_padded(message, SETPAY_ISO_ACCEPTOR, acceptor->id));
    return setpay_iso_set_padded(message, SETPAY_ISO_ACCEPTOR_NAME, acceptor->name);
}

/* The issuer's own evidence of what the cardholder signed. */
static enum setpay_error set_evidence(struct setpay_iso_message *message,
                                      const struct setpay_id *xid, const struct setpay_digest *pomd)
{
    char text[SETPAY_DIGEST_TEXT_SIZE];
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_XID, setpay_id_format(xid, text)));
    return setpay_iso_set_text(message, SETPAY_ISO_POMD, setpay_digest_format(pomd, text));
}

static size_t element_append(uint8_t *at, unsigned tag, struct setpay_view data)
{
    if (data.size == 0)
        return 0;
    at[0] = (uint8_t)('0' + tag / 10);
    at[1] = (uint8_t)('0' + tag % 10);
    at[2] = (uint8_t)('0' + data.size / 10);
    at[3] = (uint8_t)('0' + data.size % 10);
    memcpy(at + 4, data.data, data.size);
    return data.size + 4;
}

/* Elements 93 and 94: what names a presentment to the issuer, and the period in which it counts. */
struct booking_text {
    char id[SETPAY_ID_TEXT_SIZE];
    char period[16];
};

static void booking_format(const struct setpay_id *id, int64_t period, struct booking_text *text)
{
    text->id[0] = '\0';
    text->period[0] = '\0';
    if (id != NULL)
        setpay_id_format(id, text->id);
    if (period > 0 && period <= SETPAY_NETWORK_PERIOD_MAX)
        snprintf(text->period, sizeof(text->period), "%" PRId64, period);
}

/* Field 48 of what is about an authorisation: what a presentment, or the reversal of a sale, says
 * of the issuer's books. Left out where it would be empty. */
static enum setpay_error set_booking(struct setpay_iso_message *message, const struct setpay_id *id,
                                     int64_t period)
{
    struct booking_text text;
    uint8_t field[8 + sizeof(text.id) + sizeof(text.period)];
    booking_format(id, period, &text);
    size_t size =
        element_append(field, SETPAY_ISO_ELEMENT_PRESENTMENT, setpay_view_string(text.id));
    size +=
        element_append(field + size, SETPAY_ISO_ELEMENT_PERIOD, setpay_view_string(text.period));
    if (size == 0)
        return SETPAY_OK;
    return setpay_iso_set(message, SETPAY_ISO_ADDITIONAL, setpay_view_of(field, size));
}

/* Field 48 of an authorisation or a sale; left out where it would be empty. */
static enum setpay_error set_additional(struct setpay_iso_message *message,
                                        const struct setpay_network_authorisation *request)
{
    struct booking_text booking;
    booking_format(request->is_sale ? &request->sale_id : NULL,
                   request->is_sale ? request->period : 0, &booking);
    struct setpay_request_stored stored;
    setpay_request_stored_of(request, &stored);
    const struct {
        unsigned tag;
        struct setpay_view data;
    } elements[] = {
        {SETPAY_ISO_ELEMENT_POSTCODE, setpay_secret_view(&request->postcode)},
        {SETPAY_ISO_ELEMENT_HOUSE, setpay_secret_view(&request->house_digits)},
        {SETPAY_ISO_ELEMENT_ECOMMERCE, setpay_view_string(stored.ecommerce_indicator)},
        {SETPAY_ISO_ELEMENT_STORED, setpay_view_string(stored.indicator)},
        {SETPAY_ISO_ELEMENT_FIRST, setpay_view_string(stored.first)},
        {SETPAY_ISO_ELEMENT_SECURITY_CODE, setpay_secret_view(&request->security_code)},
        {SETPAY_ISO_ELEMENT_PRESENTMENT, setpay_view_string(booking.id)},
        {SETPAY_ISO_ELEMENT_PERIOD, setpay_view_string(booking.period)},
    };
    const size_t count = sizeof(elements) / sizeof(elements[0]);
    struct setpay_secret field = {0};
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (elements[i].data.size > 99)
            return SETPAY_E_FIELD;
        size += elements[i].data.size == 0 ? 0 : elements[i].data.size + 4;
    }
    if (size == 0)
        return SETPAY_OK;
    enum setpay_error error = setpay_secret_alloc(&field, size);
    if (error != SETPAY_OK)
        return error;
    size = 0;
    for (size_t i = 0; i < count; i++)
        size += element_append(field.data + size, elements[i].tag, elements[i].data);
    error = setpay_iso_set(message, SETPAY_ISO_ADDITIONAL, setpay_secret_view(&field));
    setpay_secret_clear(&field);
    return error;
}

static enum setpay_error fill_authorisation(struct setpay_iso_message *message,
                                            const struct setpay_request_sender *sender,
                                            const struct setpay_network_authorisation *request)
{
    char rrn[SETPAY_NETWORK_RRN_SIZE];
    bool advises = request->approval_code[0] != '\0';
    if (advises && request->is_sale)
        return SETPAY_E_FIELD; /* nothing was booked at the issuer */
    SETPAY_TRY(setpay_iso_set_mti(message, advises ? "0120" : request->is_sale ? "0200" : "0100"));
    SETPAY_TRY(setpay_iso_set(message, SETPAY_ISO_PAN, setpay_secret_view(&request->pan)));
    SETPAY_TRY(
        setpay_iso_set_text(message, SETPAY_ISO_PROCESSING_CODE, SETPAY_ISO_PROCESSING_PURCHASE));
    SETPAY_TRY(set_money(message, &request->amount));
    SETPAY_TRY(set_trace(message, &request->trace));
    SETPAY_TRY(setpay_iso_set(message, SETPAY_ISO_EXPIRY, setpay_secret_view(&request->expiry)));
    SETPAY_TRY(set_parties(message, sender, &request->acceptor));
    bool by_merchant = request->first.stan != 0;
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_ENTRY_MODE,
                                   by_merchant ? SETPAY_ISO_ENTRY_KEPT : SETPAY_ISO_ENTRY_KEYED));
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_CONDITION,
                                   by_merchant ? SETPAY_ISO_CONDITION_ABSENT
                                               : SETPAY_ISO_CONDITION_ECOMMERCE));
    setpay_network_trace_rrn(&request->trace, rrn);
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_RRN, rrn));
    if (advises) {
        SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_APPROVAL_CODE, request->approval_code));
        SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_RESPONSE_CODE, SETPAY_ISO_APPROVED));
    }
    SETPAY_TRY(set_additional(message, request));
    return set_evidence(message, &request->xid, &request->pomd);
}

/* What a later message says of the authorisation that it is about: fields 37, 38 and 90. */
static enum setpay_error set_original(struct setpay_iso_message *message,
                                      const struct setpay_request_sender *sender,
                                      const struct setpay_network_trace *original,
                                      enum setpay_network_original by, const char *approval_code)
{
    static const char *const types[] = {"0100", "0200", "0120"}; /* by the enum */
    char text[64];
    struct trace_text at;
    setpay_network_trace_rrn(original, text);
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_RRN, text));
    if (approval_code[0] != '\0')
        SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_APPROVAL_CODE, approval_code));
    trace_format(original, &at);
    snprintf(text, sizeof(text), "%s%06" PRIu32 "%s%011" PRIu64 "%011d", types[by],
             original->stan % 1000000, at.transmission,
             (uint64_t)strtoull(sender->acquirer_id, NULL, 10), 0);
    return setpay_iso_set_text(message, SETPAY_ISO_ORIGINAL, text);
}

static enum setpay_error fill_reversal(struct setpay_iso_message *message,
                                       const struct setpay_request_sender *sender,
                                       const struct setpay_network_trace *trace,
                                       const struct setpay_network_reversal *reversal)
{
    char text[64];
    SETPAY_TRY(setpay_iso_set_mti(message, reversal->advises ? "0420" : "0400"));
    SETPAY_TRY(setpay_iso_set(message, SETPAY_ISO_PAN, setpay_secret_view(&reversal->pan)));
    SETPAY_TRY(
        setpay_iso_set_text(message, SETPAY_ISO_PROCESSING_CODE, SETPAY_ISO_PROCESSING_PURCHASE));
    SETPAY_TRY(set_money(message, &reversal->amount));
    SETPAY_TRY(set_trace(message, trace));
    SETPAY_TRY(setpay_iso_set(message, SETPAY_ISO_EXPIRY, setpay_secret_view(&reversal->expiry)));
    SETPAY_TRY(set_parties(message, sender, &reversal->acceptor));
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_ENTRY_MODE, "010"));
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_CONDITION, "59"));
    SETPAY_TRY(
        set_original(message, sender, &reversal->original, reversal->by, reversal->approval_code));
    SETPAY_TRY(
        set_booking(message, NULL, reversal->by == SETPAY_NETWORK_BY_SALE ? reversal->period : 0));
    if (reversal->partial) {
        if (reversal->remaining_minor <= 0 || reversal->remaining_minor >= reversal->amount.minor)
            return SETPAY_E_FIELD;
        snprintf(text, sizeof(text), "%012" PRId64 "%012d%018d", reversal->remaining_minor, 0, 0);
        SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_REPLACEMENT, text));
    }
    return set_evidence(message, &reversal->xid, &reversal->pomd);
}

static enum setpay_error fill_presentment(struct setpay_iso_message *message,
                                          const struct setpay_request_sender *sender,
                                          const struct setpay_network_trace *trace,
                                          const struct setpay_network_presentment *presentment)
{
    SETPAY_TRY(setpay_iso_set_mti(message, "0220"));
    SETPAY_TRY(setpay_iso_set(message, SETPAY_ISO_PAN, setpay_secret_view(&presentment->pan)));
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_PROCESSING_CODE,
                                   presentment->credits ? SETPAY_ISO_PROCESSING_CREDIT
                                                        : SETPAY_ISO_PROCESSING_PURCHASE));
    SETPAY_TRY(set_money(message, &presentment->amount));
    SETPAY_TRY(set_trace(message, trace));
    SETPAY_TRY(
        setpay_iso_set(message, SETPAY_ISO_EXPIRY, setpay_secret_view(&presentment->expiry)));
    SETPAY_TRY(set_parties(message, sender, &presentment->acceptor));
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_ENTRY_MODE, "010"));
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_CONDITION, "59"));
    SETPAY_TRY(set_original(message, sender, &presentment->original, presentment->by,
                            presentment->approval_code));
    SETPAY_TRY(set_booking(message, &presentment->id, presentment->period));
    return set_evidence(message, &presentment->xid, &presentment->pomd);
}

/* Builds the frame unless filling has failed, and empties the message. */
static enum setpay_error finish(enum setpay_error error, struct setpay_iso_message *message,
                                struct setpay_secret *frame)
{
    if (error == SETPAY_OK)
        error = setpay_iso_build(message, frame);
    setpay_iso_clear(message);
    return error;
}

enum setpay_error
setpay_request_build_authorisation(const struct setpay_request_sender *sender,
                                   const struct setpay_network_authorisation *request,
                                   struct setpay_secret *frame)
{
    struct setpay_iso_message message = {0};
    return finish(fill_authorisation(&message, sender, request), &message, frame);
}

enum setpay_error setpay_request_build_reversal(const struct setpay_request_sender *sender,
                                                const struct setpay_network_trace *trace,
                                                const struct setpay_network_reversal *reversal,
                                                struct setpay_secret *frame)
{
    struct setpay_iso_message message = {0};
    return finish(fill_reversal(&message, sender, trace, reversal), &message, frame);
}

enum setpay_error setpay_request_build_presentment(
    const struct setpay_request_sender *sender, const struct setpay_network_trace *trace,
    const struct setpay_network_presentment *presentment, struct setpay_secret *frame)
{
    struct setpay_iso_message message = {0};
    return finish(fill_presentment(&message, sender, trace, presentment), &message, frame);
}

void setpay_request_mark_repeat(struct setpay_secret *frame)
{
    frame->data[SETPAY_ISO_HEADER_SIZE + 3] = '1';
}

static enum setpay_error
fill_reconciliation(struct setpay_iso_message *message, const struct setpay_request_sender *sender,
                    const struct setpay_network_trace *trace,
                    const struct setpay_network_reconciliation *reconciliation)
{
    const struct setpay_currency *currency = setpay_currency_by_code(reconciliation->currency);
    const struct setpay_network_trace day = {.time = reconciliation->cut_ms};
    struct trace_text text;
    if (currency == NULL || reconciliation->period <= 0)
        return SETPAY_E_FIELD;
    trace_format(&day, &text);
    SETPAY_TRY(setpay_iso_set_mti(message, "0500"));
    SETPAY_TRY(set_trace(message, trace));
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_SETTLEMENT_DATE, text.date));
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_ACQUIRER, sender->acquirer_id));
    SETPAY_TRY(set_booking(message, NULL, reconciliation->period));
    SETPAY_TRY(setpay_iso_set_number(message, SETPAY_ISO_SETTLEMENT_CURRENCY, currency->numeric));
    return setpay_totals_set(message, &reconciliation->totals);
}

enum setpay_error setpay_request_build_reconciliation(
    const struct setpay_request_sender *sender, const struct setpay_network_trace *trace,
    const struct setpay_network_reconciliation *reconciliation, struct setpay_secret *frame)
{
    struct setpay_iso_message message = {0};
    return finish(fill_reconciliation(&message, sender, trace, reconciliation), &message, frame);
}

static enum setpay_error fill_management(struct setpay_iso_message *message,
                                         const struct setpay_network_trace *trace, unsigned code)
{
    SETPAY_TRY(setpay_iso_set_mti(message, "0800"));
    SETPAY_TRY(set_trace(message, trace));
    return setpay_iso_set_number(message, SETPAY_ISO_MANAGEMENT_CODE, code);
}

enum setpay_error setpay_request_build_management(const struct setpay_network_trace *trace,
                                                  unsigned code, struct setpay_secret *frame)
{
    struct setpay_iso_message message = {0};
    return finish(fill_management(&message, trace, code), &message, frame);
}

static bool field_is(const struct setpay_iso_message *message, unsigned field, const char *text)
{
    return setpay_view_equal(setpay_iso_view(message, field), setpay_view_string(text));
}

bool setpay_answer_matches(const struct setpay_iso_message *answer,
                           const struct setpay_network_trace *trace)
{
    struct trace_text text;
    uint64_t stan;
    trace_format(trace, &text);
    return setpay_iso_get_number(answer, SETPAY_ISO_STAN, &stan) == SETPAY_OK &&
           stan == trace->stan &&
           field_is(answer, SETPAY_ISO_TRANSMISSION_TIME, text.transmission) &&
           field_is(answer, SETPAY_ISO_LOCAL_TIME, text.time) &&
           field_is(answer, SETPAY_ISO_LOCAL_DATE, text.date);
}

enum setpay_error setpay_answer_check_subject(const struct setpay_iso_message *answer,
                                              const struct setpay_request_sender *sender,
                                              const char *rrn, const struct setpay_money *asked)
{
    const struct setpay_currency *currency = setpay_currency_by_code(asked->currency);
    char terminal[sizeof(sender->terminal_id)];
    uint64_t numeric;
    if (!field_is(answer, SETPAY_ISO_RRN, rrn))
        return SETPAY_E_FIELD;
    SETPAY_TRY(setpay_iso_get_number(answer, SETPAY_ISO_CURRENCY, &numeric));
    if (currency == NULL || numeric != currency->numeric)
        return SETPAY_E_FIELD;
    if (setpay_iso_has(answer, SETPAY_ISO_ACQUIRER) &&
        !field_is(answer, SETPAY_ISO_ACQUIRER, sender->acquirer_id))
        return SETPAY_E_FIELD;
    if (!setpay_iso_has(answer, SETPAY_ISO_TERMINAL))
        return SETPAY_OK;
    SETPAY_TRY(setpay_iso_get_text(answer, SETPAY_ISO_TERMINAL, terminal, sizeof(terminal)));
    return strcmp(terminal, sender->terminal_id) == 0 ? SETPAY_OK : SETPAY_E_FIELD;
}

/* The approved amount by response code, and nothing else, decides what was approved. */
static enum setpay_error read_approval(const struct setpay_iso_message *answer,
                                       const struct setpay_money *asked,
                                       struct setpay_network_answer *read)
{
    uint64_t minor;
    bool whole = strcmp(read->response_code, "00") == 0;
    bool in_part = strcmp(read->response_code, "10") == 0;
    read->amount = *asked;
    read->amount.minor = 0;
    if (!whole && !in_part)
        return SETPAY_OK;
    SETPAY_TRY(setpay_iso_get_number(answer, SETPAY_ISO_AMOUNT, &minor));
    if (whole ? minor != (uint64_t)asked->minor : minor == 0 || minor >= (uint64_t)asked->minor)
        return SETPAY_E_FIELD;
    SETPAY_TRY(setpay_iso_get_text(answer, SETPAY_ISO_APPROVAL_CODE, read->approval_code,
                                   sizeof(read->approval_code)));
    if (strlen(read->approval_code) != 6)
        return SETPAY_E_FIELD;
    read->amount.minor = (int64_t)minor;
    return SETPAY_OK;
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* A sign that means nothing here is no result: AuthRes has no room for it. */
static char result_at(const struct setpay_view results, size_t at)
{
    if (results.size <= at || !is_alphanumeric((char)results.data[at]))
        return '\0';
    return (char)results.data[at];
}

enum setpay_error setpay_answer_read_authorisation(const struct setpay_iso_message *answer,
                                                   const struct setpay_network_trace *trace,
                                                   const struct setpay_money *asked,
                                                   struct setpay_network_answer *read)
{
    struct setpay_network_answer got = {.outcome = SETPAY_NETWORK_ANSWERED, .trace = *trace};
    SETPAY_TRY(setpay_iso_get_text(answer, SETPAY_ISO_RESPONSE_CODE, got.response_code,
                                   sizeof(got.response_code)));
    if (!is_alphanumeric(got.response_code[0]) || !is_alphanumeric(got.response_code[1]))
        return SETPAY_E_FIELD;
    SETPAY_TRY(read_approval(answer, asked, &got));
    got.avs_result = result_at(setpay_iso_view(answer, SETPAY_ISO_RESULTS), 0);
    got.cvv_result = result_at(setpay_iso_view(answer, SETPAY_ISO_RESULTS), 1);
    *read = got;
    return SETPAY_OK;
}
