/*
 * What the gateway has said: an answer proper, which is checked and booked, or an Error, whose word
 * says how the question is asked again. What does not fit is as if nothing had come.
 */
#include "common/base/log.h"
#include "common/base/testing.h"
#include "merchant/payment/agreement.h"
#include "merchant/payment/ask.h"
#include "merchant/payment/drive.h"
#include "merchant/payment/rules.h"

#include <string.h>

/* Whether the certificate that signed the request is good, as far as we can see. */
static bool is_ours_good(const struct setpay_merchant_drive *drive, setpay_time_ms now_ms)
{
    struct setpay_certificate *certificate = NULL;
    enum setpay_error error = setpay_trust_verify_known(
        drive->worker->merchant->trust, &drive->ask.signer, SETPAY_PROFILE_MERCHANT_SIGN,
        drive->brand->name, now_ms, &certificate);
    setpay_certificate_unref(certificate);
    return error == SETPAY_OK;
}

/* Whether an Error that names a certificate can only mean the cardholder's. */
static bool cardholder_ended(const struct setpay_merchant_drive *drive, setpay_time_ms now_ms)
{
    struct setpay_trust *trust = drive->worker->merchant->trust;
    struct setpay_certificate *certificate = NULL;
    enum setpay_error theirs = setpay_trust_verify(trust, setpay_buffer_view(&drive->certificate),
                                                   NULL, 0, SETPAY_PROFILE_CARDHOLDER_SIGN,
                                                   drive->brand->name, now_ms, &certificate);
    setpay_certificate_unref(certificate);
    return is_ours_good(drive, now_ms) &&
           (theirs == SETPAY_E_CERT_REVOKED || theirs == SETPAY_E_CERT_TIME);
}

/* The Error has ended the step. */
static void take_refusal(struct setpay_merchant_drive *drive, uint32_t wire_code)
{
    drive->refused_code = wire_code;
    drive->tries = 0;
    drive->again = 0;
    setpay_merchant_book_step(drive);
}

/* To a further authorisation or a cancellation, which an Error may end. */
static void take_further_word(struct setpay_merchant_drive *drive, uint32_t wire_code,
                              bool by_gateway, setpay_time_ms now_ms)
{
    switch (setpay_merchant_further_word(drive->ask.kind, wire_code, by_gateway,
                                         cardholder_ended(drive, now_ms),
                                         is_ours_good(drive, now_ms))) {
    case SETPAY_FURTHER_REFUSED:
        take_refusal(drive, wire_code);
        return;
    case SETPAY_FURTHER_RENEW:
        drive->renew = true;
        break;
    case SETPAY_FURTHER_LATER:
        break;
    }
    setpay_merchant_drive_later(drive);
}

static void take_word(struct setpay_merchant_drive *drive, const struct setpay_message *message,
                      uint32_t wire_code, setpay_time_ms now_ms)
{
    enum setpay_purchase_state state = drive->purchase.state;
    setpay_log(SETPAY_LOG_WARN, "gateway.error", setpay_field_id("xid", &drive->xid),
               setpay_field_id("rrpid", &drive->ask.rrpid),
               setpay_field_text("request", setpay_merchant_ask_name(drive->ask.kind)),
               setpay_field_text("state", setpay_purchase_state_name(state)),
               setpay_field_int("code", wire_code));
    if (wire_code == SETPAY_WIRE_CERTIFICATE || wire_code == SETPAY_WIRE_MISMATCH)
        atomic_store(&drive->brand->gateway_wanted, true); /* perhaps it has new ones */
    bool by_gateway =
        message->is_signed && setpay_digest_equal(&message->signer, &drive->purchase.gateway_sign);
    if (drive->ask.kind == SETPAY_ASK_FURTHER || drive->ask.kind == SETPAY_ASK_CANCEL) {
        take_further_word(drive, wire_code, by_gateway, now_ms);
        return;
    }
    if (drive->ask.kind == SETPAY_ASK_REVERSE && drive->ask.step_id != 0 &&
        setpay_merchant_part_is_over(&drive->purchase, drive->steps, &drive->step, wire_code,
                                     by_gateway, now_ms)) {
        take_refusal(drive, wire_code);
        return;
    }
    if (setpay_merchant_is_lapsed(&drive->purchase, wire_code, by_gateway,
                                  cardholder_ended(drive, now_ms), now_ms)) {
        setpay_merchant_book_event(drive, SETPAY_PURCHASE_LAPSE); /* rule M9 */
        return;
    }
    switch (setpay_merchant_word(state, wire_code)) {
    case SETPAY_WORD_RENEW:
        drive->renew = true;
        break;
    case SETPAY_WORD_NEXT:
        drive->learn_index++;
        break;
    case SETPAY_WORD_USED:
        setpay_merchant_book_event(drive, SETPAY_PURCHASE_USED);
        return;
    case SETPAY_WORD_GIVE_UP:
        setpay_merchant_book_event(drive, SETPAY_PURCHASE_GIVE_UP); /* rule M9 */
        return;
    default:
        break;
    }
    setpay_merchant_drive_later(drive);
}

/* The Error's code, if it is one to our request (rule A4). Unsigned it is the word of the
 * connection, which the gateway's TLS certificate stands for. */
static enum setpay_error read_error(struct setpay_merchant_drive *drive,
                                    const struct setpay_message *message,
                                    const struct setpay_asked *asked, setpay_time_ms now_ms,
                                    uint32_t *wire_code)
{
    struct setpay_error_report report;
    if (message->is_signed) {
        struct setpay_certificate *signer = NULL;
        SETPAY_TRY(setpay_message_authenticate(message, drive->worker->merchant->trust,
                                               SETPAY_PROFILE_GATEWAY_SIGN, drive->brand->name,
                                               now_ms, &signer));
        bool ours = strcmp(setpay_certificate_id(signer), drive->worker->merchant->gateway_id) == 0;
        setpay_certificate_unref(signer);
        if (!ours)
            return SETPAY_E_ANSWER_SIGNER; /* rule A4 */
    }
    SETPAY_TRY(setpay_error_report_parse(message->content, &report));
    struct setpay_asked any = *asked;
    any.has_answerer = false; /* a gateway with new certificates signs its refusal with those */
    enum setpay_error meaning = setpay_error_report_meaning(message, &report, &any, &drive->raw);
    if (setpay_error_rule(meaning)[0] == 'A' && meaning != SETPAY_E_PEER_DATE)
        return meaning;
    *wire_code = report.code;
    return SETPAY_OK;
}

/* The type of the answer to what was asked. */
static enum setpay_message_type answer_type(enum setpay_ask_kind kind)
{
    switch (kind) {
    case SETPAY_ASK_REVERSE:
        return SETPAY_MESSAGE_AUTH_REV_RES;
    case SETPAY_ASK_CAPTURE:
        return SETPAY_MESSAGE_CAP_RES;
    case SETPAY_ASK_CAPTURE_REVERSAL:
        return SETPAY_MESSAGE_CAP_REV_RES;
    case SETPAY_ASK_CREDIT:
        return SETPAY_MESSAGE_CRED_RES;
    case SETPAY_ASK_CREDIT_REVERSAL:
        return SETPAY_MESSAGE_CRED_REV_RES;
    case SETPAY_ASK_CANCEL:
        return SETPAY_MESSAGE_AUTH_CAN_RES;
    default:
        return SETPAY_MESSAGE_AUTH_RES;
    }
}

static enum setpay_error read_step_res(struct setpay_merchant_drive *drive,
                                       const struct setpay_asked *asked)
{
    const struct setpay_merchant *merchant = drive->worker->merchant;
    SETPAY_TRY(setpay_step_res_parse(drive->answer.content, &drive->step_res));
    SETPAY_TRY(setpay_answer_check(&drive->answer, &drive->step_res.header, asked));
    SETPAY_TRY(setpay_merchant_together_pick(&drive->ask, &drive->xid, &drive->step_res));
    return setpay_merchant_step_res_check(&drive->purchase, drive->steps, merchant->id,
                                          &drive->step, &drive->of_token,
                                          &drive->step_res); /* rule M6 */
}

/* Rules A2, A3, A4, M6 for an answer proper, into the drive. */
static enum setpay_error read_answer(struct setpay_merchant_drive *drive,
                                     const struct setpay_asked *asked, setpay_time_ms now_ms)
{
    const struct setpay_merchant *merchant = drive->worker->merchant;
    const struct setpay_message *message = &drive->answer;
    if (message->type != answer_type(drive->ask.kind))
        return SETPAY_E_MESSAGE_TYPE;
    SETPAY_TRY(setpay_message_authenticate(message, merchant->trust, SETPAY_PROFILE_GATEWAY_SIGN,
                                           drive->brand->name, now_ms, &drive->signer));
    switch (drive->ask.kind) {
    case SETPAY_ASK_AUTHORISE:
    case SETPAY_ASK_VOID:
        SETPAY_TRY(setpay_auth_res_parse(message->content, &drive->auth_res));
        SETPAY_TRY(setpay_answer_check(message, &drive->auth_res.header, asked));
        return setpay_merchant_auth_res_check(&drive->purchase, merchant->id, drive->ask.kind,
                                              &drive->auth_res); /* rule M6 */
    case SETPAY_ASK_REVERSE:
        SETPAY_TRY(setpay_auth_rev_res_parse(message->content, &drive->auth_rev_res));
        SETPAY_TRY(setpay_answer_check(message, &drive->auth_rev_res.header, asked));
        return setpay_merchant_auth_rev_res_check(
            &drive->purchase, merchant->id,
            drive->ask.step_id != 0 ? drive->held_minor : setpay_merchant_held(&drive->purchase),
            drive->ask.step_id != 0 ? drive->left_minor : 0, &drive->auth_rev_res);
    case SETPAY_ASK_FURTHER:
        SETPAY_TRY(setpay_auth_res_parse(message->content, &drive->auth_res));
        SETPAY_TRY(setpay_answer_check(message, &drive->auth_res.header, asked));
        return setpay_merchant_further_res_check(&drive->purchase, merchant->id, &drive->step,
                                                 &drive->auth_res); /* rule M6 */
    case SETPAY_ASK_CANCEL:
        SETPAY_TRY(setpay_auth_can_res_parse(message->content, &drive->auth_can_res));
        SETPAY_TRY(setpay_answer_check(message, &drive->auth_can_res.header, asked));
        return setpay_merchant_auth_can_res_check(&drive->purchase, merchant->id,
                                                  &drive->auth_can_res); /* rule M6 */
    default:
        return read_step_res(drive, asked);
    }
}

enum setpay_error setpay_merchant_take_answer(struct setpay_merchant_drive *drive)
{
    const struct setpay_message *message = &drive->answer;
    struct setpay_asked asked;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    SETPAY_TRY(setpay_merchant_ask_expect(&drive->purchase, &drive->ask, &asked));
    if (message->type == SETPAY_MESSAGE_ERROR) {
        uint32_t wire_code = 0;
        SETPAY_TRY(read_error(drive, message, &asked, now_ms, &wire_code));
        take_word(drive, message, wire_code, now_ms);
        return SETPAY_OK;
    }
    SETPAY_TRY(read_answer(drive, &asked, now_ms));
    drive->tries = 0;
    drive->again = 0;
    setpay_testing_point("gateway.answered");
    if (drive->purchase.state == SETPAY_PURCHASE_STEPPING)
        setpay_merchant_book_step(drive);
    else
        setpay_merchant_book(drive);
    return SETPAY_OK;
}
