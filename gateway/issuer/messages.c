/*
 * What always holds: answers carry no card data; every field of a request that an answer must echo
 * is echoed byte for byte.
 */
#include "gateway/issuer/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool expiry_is(const struct setpay_secret *expiry, const char *text)
{
    return setpay_view_equal_secret(setpay_secret_view(expiry), setpay_view_string(text));
}

static bool luhn_holds(struct setpay_view pan)
{
    unsigned sum = 0;
    for (size_t i = 0; i < pan.size; i++) {
        unsigned digit = (unsigned)(pan.data[pan.size - 1 - i] - '0');
        if (i % 2 == 1)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return pan.size >= 12 && sum % 10 == 0;
}

static char judge_address(const struct setpay_card *card, struct setpay_view postcode,
                          struct setpay_view house)
{
    if (postcode.size == 0 && house.size == 0)
        return 'U';
    if (card->rule == SETPAY_CARD_AVS_MISMATCH)
        return 'N';
    bool postcode_fits = setpay_view_equal_secret(postcode, setpay_view_string(card->postcode));
    bool house_fits = setpay_view_equal_secret(house, setpay_view_string(card->house_digits));
    if (postcode_fits && house_fits)
        return 'Y';
    if (postcode_fits)
        return 'Z';
    if (house_fits)
        return 'A';
    return 'N';
}

static char judge_code(const struct setpay_card *card, struct setpay_view code)
{
    if (card->rule == SETPAY_CARD_CODE_MISMATCH)
        return 'N';
    if (code.size == 0)
        return 'U';
    if (!setpay_view_equal_secret(code, setpay_view_string(card->security_code)))
        return 'N';
    return 'M';
}

/* Judges what only the message shows, in the order in which an issuer would refuse. */
static enum setpay_error judge_card(const struct setpay_iso_message *request,
                                    struct setpay_account_ask *ask)
{
    struct setpay_view postcode;
    struct setpay_view house;
    struct setpay_view code;
    SETPAY_TRY(setpay_iso_element(request, SETPAY_ISO_ELEMENT_POSTCODE, &postcode));
    SETPAY_TRY(setpay_iso_element(request, SETPAY_ISO_ELEMENT_HOUSE, &house));
    SETPAY_TRY(setpay_iso_element(request, SETPAY_ISO_ELEMENT_SECURITY_CODE, &code));
    struct setpay_view pan = setpay_secret_view(setpay_iso_secret(request, SETPAY_ISO_PAN));
    ask->avs_result = 'U';
    ask->cvv_result = 'U';
    if (luhn_holds(pan))
        ask->card = setpay_card_by_pan(pan);
    if (ask->card == NULL)
        return SETPAY_OK;
    ask->avs_result = judge_address(ask->card, postcode, house);
    ask->cvv_result = judge_code(ask->card, code);
    if (ask->card->rule == SETPAY_CARD_DECLINE)
        return SETPAY_OK; /* always its own code */
    if (!expiry_is(setpay_iso_secret(request, SETPAY_ISO_EXPIRY), ask->card->expiry))
        ask->forced_code = "54";
    else if (ask->cvv_result == 'N')
        ask->forced_code = "82";
    return SETPAY_OK;
}

static enum setpay_error read_key(const struct setpay_iso_message *request,
                                  struct setpay_account_key *key)
{
    uint64_t acquirer;
    uint64_t stan;
    SETPAY_TRY(setpay_iso_get_number(request, SETPAY_ISO_ACQUIRER, &acquirer));
    SETPAY_TRY(setpay_iso_get_number(request, SETPAY_ISO_STAN, &stan));
    snprintf(key->acquirer, sizeof(key->acquirer), "%llu", (unsigned long long)acquirer);
    key->stan = (uint32_t)stan;
    return setpay_iso_get_text(request, SETPAY_ISO_TRANSMISSION_TIME, key->sent, sizeof(key->sent));
}

static enum setpay_error read_amount(const struct setpay_iso_message *request,
                                     struct setpay_money *amount)
{
    uint64_t minor;
    uint64_t numeric;
    SETPAY_TRY(setpay_iso_get_number(request, SETPAY_ISO_AMOUNT, &minor));
    SETPAY_TRY(setpay_iso_get_number(request, SETPAY_ISO_CURRENCY, &numeric));
    const struct setpay_currency *currency = setpay_currency_by_numeric((unsigned)numeric);
    if (currency == NULL || minor == 0 ||
        setpay_money_make((int64_t)minor, currency->code, amount) != SETPAY_OK)
        return SETPAY_E_FIELD;
    return SETPAY_OK;
}

/* Element 94; 0 where there is none. */
static enum setpay_error read_period(const struct setpay_iso_message *request, int64_t *period)
{
    struct setpay_view digits;
    int64_t number = 0;
    SETPAY_TRY(setpay_iso_element(request, SETPAY_ISO_ELEMENT_PERIOD, &digits));
    if (digits.size > 9)
        return SETPAY_E_FIELD;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return SETPAY_E_FIELD;
        number = number * 10 + (digits.data[i] - '0');
    }
    if (digits.size > 0 && number == 0)
        return SETPAY_E_FIELD;
    *period = number;
    return SETPAY_OK;
}

/* Element 93. */
static enum setpay_error read_presentment_id(const struct setpay_iso_message *request, char out[33])
{
    struct setpay_view id;
    SETPAY_TRY(setpay_iso_element(request, SETPAY_ISO_ELEMENT_PRESENTMENT, &id));
    if (id.size != 32)
        return SETPAY_E_FIELD;
    memcpy(out, id.data, id.size);
    out[id.size] = '\0';
    return SETPAY_OK;
}

enum setpay_error setpay_issuer_read_authorisation(const struct setpay_iso_message *request,
                                                   setpay_time_ms now,
                                                   struct setpay_account_ask *ask)
{
    struct setpay_account_ask got = {.now = now};
    static const unsigned required[] = {
        SETPAY_ISO_PAN,        SETPAY_ISO_EXPIRY,     SETPAY_ISO_PROCESSING_CODE,
        SETPAY_ISO_LOCAL_TIME, SETPAY_ISO_LOCAL_DATE, SETPAY_ISO_TERMINAL,
    };
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
        if (!setpay_iso_has(request, required[i]))
            return SETPAY_E_FIELD;
    SETPAY_TRY(read_key(request, &got.key));
    SETPAY_TRY(read_amount(request, &got.amount));
    SETPAY_TRY(setpay_iso_get_text(request, SETPAY_ISO_RRN, got.rrn, sizeof(got.rrn)));
    SETPAY_TRY(
        setpay_iso_get_text(request, SETPAY_ISO_ACCEPTOR, got.acceptor, sizeof(got.acceptor)));
    if (setpay_iso_has(request, SETPAY_ISO_XID))
        SETPAY_TRY(setpay_iso_get_text(request, SETPAY_ISO_XID, got.xid, sizeof(got.xid)));
    if (setpay_iso_has(request, SETPAY_ISO_POMD))
        SETPAY_TRY(setpay_iso_get_text(request, SETPAY_ISO_POMD, got.pomd, sizeof(got.pomd)));
    got.sale = strcmp(request->mti, "0200") == 0;
    got.advice = memcmp(request->mti, "012", 3) == 0;
    if (got.sale)
        SETPAY_TRY(read_presentment_id(request, got.presentment));
    if (got.advice && setpay_iso_has(request, SETPAY_ISO_APPROVAL_CODE))
        SETPAY_TRY(setpay_iso_get_text(request, SETPAY_ISO_APPROVAL_CODE, got.approval_code,
                                       sizeof(got.approval_code)));
    SETPAY_TRY(read_period(request, &got.period));
    SETPAY_TRY(setpay_issuer_read_stored(request, &got.stored));
    SETPAY_TRY(judge_card(request, &got));
    *ask = got;
    return SETPAY_OK;
}

/* A run of digits inside a field. */
static uint64_t digits_read(struct setpay_view field, size_t at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = at; i < at + size; i++)
        value = value * 10 + (uint64_t)(field.data[i] - '0');
    return value;
}

/* Field 90: MTI 4, trace number 6, transmission 10, acquirer 11, forwarder 11. */
static enum setpay_error read_original(const struct setpay_iso_message *request,
                                       struct setpay_account_key *key)
{
    struct setpay_view original = setpay_iso_view(request, SETPAY_ISO_ORIGINAL);
    struct setpay_account_key got = {.stan = 0};
    if (original.size != 42 ||
        (memcmp(original.data, "0100", 4) != 0 && memcmp(original.data, "0200", 4) != 0 &&
         memcmp(original.data, "0120", 4) != 0))
        return SETPAY_E_FIELD;
    got.stan = (uint32_t)digits_read(original, 4, 6);
    memcpy(got.sent, original.data + 10, 10);
    snprintf(got.acquirer, sizeof(got.acquirer), "%llu",
             (unsigned long long)digits_read(original, 20, 11));
    *key = got;
    return SETPAY_OK;
}

enum setpay_error setpay_issuer_read_reversal(const struct setpay_iso_message *request,
                                              struct setpay_account_key *key,
                                              int64_t *remaining_minor, int64_t *period)
{
    struct setpay_view replacement = setpay_iso_view(request, SETPAY_ISO_REPLACEMENT);
    struct setpay_account_key original;
    int64_t remaining = 0;
    SETPAY_TRY(read_original(request, &original));
    int64_t taken_back = 0;
    SETPAY_TRY(read_period(request, &taken_back));
    if (replacement.size != 0) {
        for (size_t i = 0; i < 12; i++)
            if (replacement.data[i] < '0' || replacement.data[i] > '9')
                return SETPAY_E_FIELD;
        remaining = (int64_t)digits_read(replacement, 0, 12);
    }
    *key = original;
    *remaining_minor = remaining;
    *period = taken_back;
    return SETPAY_OK;
}

enum setpay_error setpay_issuer_read_presentment(const struct setpay_iso_message *request,
                                                 setpay_time_ms now,
                                                 struct setpay_account_presentment *presentment)
{
    struct setpay_account_presentment got = {.now = now};
    char processing[8];
    SETPAY_TRY(read_original(request, &got.original));
    SETPAY_TRY(read_amount(request, &got.amount));
    SETPAY_TRY(read_presentment_id(request, got.id));
    SETPAY_TRY(read_period(request, &got.period));
    SETPAY_TRY(
        setpay_iso_get_text(request, SETPAY_ISO_PROCESSING_CODE, processing, sizeof(processing)));
    got.credits = strcmp(processing, SETPAY_ISO_PROCESSING_CREDIT) == 0;
    if (!got.credits && strcmp(processing, SETPAY_ISO_PROCESSING_PURCHASE) != 0)
        return SETPAY_E_FIELD;
    *presentment = got;
    return SETPAY_OK;
}

enum setpay_error setpay_issuer_read_reconciliation(const struct setpay_iso_message *request,
                                                    struct setpay_issuer_reconciliation *asked)
{
    struct setpay_issuer_reconciliation got = {.period = 0};
    uint64_t acquirer, numeric;
    if (!setpay_iso_has(request, SETPAY_ISO_SETTLEMENT_DATE))
        return SETPAY_E_FIELD;
    SETPAY_TRY(setpay_iso_get_number(request, SETPAY_ISO_ACQUIRER, &acquirer));
    SETPAY_TRY(setpay_iso_get_number(request, SETPAY_ISO_SETTLEMENT_CURRENCY, &numeric));
    SETPAY_TRY(read_period(request, &got.period));
    SETPAY_TRY(setpay_totals_get(request, &got.theirs));
    const struct setpay_currency *currency = setpay_currency_by_numeric((unsigned)numeric);
    if (currency == NULL || got.period == 0)
        return SETPAY_E_FIELD;
    snprintf(got.acquirer, sizeof(got.acquirer), "%llu", (unsigned long long)acquirer);
    snprintf(got.currency, sizeof(got.currency), "%s", currency->code);
    *asked = got;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ answers */

static enum setpay_error fill_answer(struct setpay_iso_message *answer,
                                     const struct setpay_iso_message *request,
                                     const char *response_code)
{
    static const unsigned echoed[] = {
        SETPAY_ISO_PROCESSING_CODE,
        SETPAY_ISO_TRANSMISSION_TIME,
        SETPAY_ISO_STAN,
        SETPAY_ISO_LOCAL_TIME,
        SETPAY_ISO_LOCAL_DATE,
        SETPAY_ISO_ACQUIRER,
        SETPAY_ISO_RRN,
        SETPAY_ISO_TERMINAL,
        SETPAY_ISO_ACCEPTOR,
        SETPAY_ISO_SETTLEMENT_DATE,
        SETPAY_ISO_CURRENCY,
        SETPAY_ISO_SETTLEMENT_CURRENCY,
        SETPAY_ISO_MANAGEMENT_CODE,
        SETPAY_ISO_ORIGINAL,
    };
    char mti[5];
    memcpy(mti, request->mti, sizeof(mti));
    mti[2] = (char)(mti[2] + 1);
    mti[3] = '0';
    SETPAY_TRY(setpay_iso_set_mti(answer, mti));
    for (size_t i = 0; i < sizeof(echoed) / sizeof(echoed[0]); i++)
        SETPAY_TRY(setpay_iso_echo(answer, echoed[i], request));
    return setpay_iso_set_text(answer, SETPAY_ISO_RESPONSE_CODE, response_code);
}

static enum setpay_error finish(enum setpay_error error, struct setpay_iso_message *answer,
                                struct setpay_secret *frame)
{
    if (error == SETPAY_OK)
        error = setpay_iso_build(answer, frame);
    setpay_iso_clear(answer);
    return error;
}

enum setpay_error setpay_issuer_build_answer(const struct setpay_iso_message *request,
                                             const char *response_code, struct setpay_secret *frame)
{
    struct setpay_iso_message answer = {0};
    enum setpay_error error = fill_answer(&answer, request, response_code);
    if (error == SETPAY_OK)
        error = setpay_iso_echo(&answer, SETPAY_ISO_AMOUNT, request);
    return finish(error, &answer, frame);
}

static enum setpay_error fill_authorisation(struct setpay_iso_message *message,
                                            const struct setpay_iso_message *request,
                                            const struct setpay_account_answer *answer)
{
    const char results[3] = {answer->avs_result, answer->cvv_result, '\0'};
    SETPAY_TRY(fill_answer(message, request, answer->response_code));
    SETPAY_TRY(setpay_iso_set_text(message, SETPAY_ISO_RESULTS, results));
    if (answer->approval_code[0] == '\0')
        return setpay_iso_echo(message, SETPAY_ISO_AMOUNT, request);
    SETPAY_TRY(setpay_iso_set_number(message, SETPAY_ISO_AMOUNT, (uint64_t)answer->approved_minor));
    return setpay_iso_set_text(message, SETPAY_ISO_APPROVAL_CODE, answer->approval_code);
}

enum setpay_error setpay_issuer_build_authorisation(const struct setpay_iso_message *request,
                                                    const struct setpay_account_answer *answer,
                                                    struct setpay_secret *frame)
{
    struct setpay_iso_message message = {0};
    return finish(fill_authorisation(&message, request, answer), &message, frame);
}

static enum setpay_error fill_reconciliation(struct setpay_iso_message *message,
                                             const struct setpay_iso_message *request,
                                             const struct setpay_issuer_reconciliation *asked)
{
    bool same = setpay_network_totals_equal(&asked->theirs, &asked->ours);
    SETPAY_TRY(fill_answer(message, request, same ? "00" : "95"));
    SETPAY_TRY(setpay_iso_set_number(message, SETPAY_ISO_SETTLEMENT_CODE,
                                     same ? SETPAY_ISO_IN_BALANCE : SETPAY_ISO_OUT_OF_BALANCE));
    return setpay_totals_set(message, &asked->ours);
}

enum setpay_error
setpay_issuer_build_reconciliation(const struct setpay_iso_message *request,
                                   const struct setpay_issuer_reconciliation *asked,
                                   struct setpay_secret *frame)
{
    struct setpay_iso_message message = {0};
    return finish(fill_reconciliation(&message, request, asked), &message, frame);
}
