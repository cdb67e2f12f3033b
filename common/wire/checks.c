/*
 * Sender, receiver, date and answer (rules A2, A4, A5). Everything here is a pure function of what
 * came, what one knows oneself, and the time that is passed in.
 */
#include "common/wire/checks.h"

#include "common/base/limits.h"

#include <string.h>
#include <strings.h>

enum setpay_error setpay_request_check(const struct setpay_message *message,
                                       const struct setpay_request_header *header,
                                       const struct setpay_digest *receiver, const char *name)
{
    /* rule A2: the one who signed is the one who is named */
    if (header->has_sender != message->is_signed ||
        (header->has_sender && !setpay_digest_equal(&header->sender, &message->signer)))
        return SETPAY_E_SENDER;
    /* rule A2: and it is meant for us */
    if (header->has_receiver)
        return receiver != NULL && setpay_digest_equal(&header->receiver, receiver)
                   ? SETPAY_OK
                   : SETPAY_E_RECEIVER;
    bool is_host = message->type == SETPAY_MESSAGE_PINIT_REQ; /* letter case counts in ids only */
    bool same = name != NULL && (is_host ? strcasecmp(header->receiver_name, name)
                                         : strcmp(header->receiver_name, name)) == 0;
    return same ? SETPAY_OK : SETPAY_E_RECEIVER;
}

enum setpay_error setpay_date_check(setpay_time_ms date_ms, setpay_time_ms now_ms)
{
    /* rule A5; dates are positive (rule A1), so that the difference can't overflow */
    setpay_time_ms off = date_ms > now_ms ? date_ms - now_ms : now_ms - date_ms;
    return off <= SETPAY_LIMIT_DATE_TOLERANCE_MS ? SETPAY_OK : SETPAY_E_DATE;
}

enum setpay_error setpay_expiry_check(setpay_time_ms expiry_ms, setpay_time_ms now_ms)
{
    return now_ms <= expiry_ms ? SETPAY_OK : SETPAY_E_EXPIRED; /* rule A5 */
}

enum setpay_error setpay_answer_check(const struct setpay_message *message,
                                      const struct setpay_response_header *header,
                                      const struct setpay_asked *asked)
{
    /* rule A4, in the order: who, which question, which content of it, for whom */
    if (!message->is_signed || !setpay_digest_equal(&header->sender, &message->signer) ||
        (asked->has_answerer && !setpay_digest_equal(&header->sender, &asked->answerer)))
        return SETPAY_E_ANSWER_SIGNER;
    if (!setpay_id_equal(&header->rrpid, &asked->rrpid))
        return SETPAY_E_ANSWER_IDS;
    if (!setpay_digest_equal(&header->request_hash, &asked->request_hash))
        return SETPAY_E_ANSWER_REQUEST;
    if (header->has_receiver != asked->has_asker ||
        (asked->has_asker && !setpay_digest_equal(&header->receiver, &asked->asker)))
        return SETPAY_E_ANSWER_PARTIES;
    return SETPAY_OK;
}

enum setpay_error setpay_error_report_meaning(const struct setpay_message *message,
                                              const struct setpay_error_report *report,
                                              const struct setpay_asked *asked,
                                              const struct setpay_digest *raw)
{
    /* rule A4 holds for refusals too */
    if (report->has_sender != message->is_signed ||
        (report->has_sender && !setpay_digest_equal(&report->sender, &message->signer)) ||
        (report->has_sender && asked->has_answerer &&
         !setpay_digest_equal(&report->sender, &asked->answerer)))
        return SETPAY_E_ANSWER_SIGNER;
    if (report->has_rrpid && !setpay_id_equal(&report->rrpid, &asked->rrpid))
        return SETPAY_E_ANSWER_IDS;
    if (!setpay_digest_equal(&report->received, &asked->request_hash) &&
        !(raw != NULL && setpay_digest_equal(&report->received, raw)))
        return SETPAY_E_ANSWER_REQUEST;
    enum setpay_error error = setpay_error_from_wire(report->code);
    return error == SETPAY_OK ? SETPAY_E_PEER_REFUSED : error;
}
