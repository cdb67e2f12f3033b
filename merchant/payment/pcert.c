/*
 * PCertReq and PCertRes: which certificates of the gateway offers name. Asked for at the start,
 * again and again, and at once when somebody wants them: because they end soon, or because the
 * gateway has refused something as if it had others.
 *
 * Until the first answer this merchant makes no offer. An answer that does not hold changes
 * nothing.
 */
#include "common/base/log.h"
#include "common/wire/checks.h"
#include "common/wire/thumbs.h"
#include "merchant/payment/dispatch.h"
#include "merchant/payment/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_PERIOD_MS 100
#define ANSWER_WAIT_MS 5000

struct ask {
    struct setpay_merchant_pcert *pcert;
    struct setpay_merchant_brand *brand;
    bool under_way;
    bool all;           /* list nothing as known: the last answer lacked something */
    int64_t next_ms;    /* monotonic: when to ask of one's own accord */
    int64_t soonest_ms; /* and when at the soonest, whoever wants it */
    unsigned failures;
    struct setpay_asked asked;
};

struct setpay_merchant_pcert {
    struct setpay_merchant_worker *worker;
    struct setpay_timer *timer;
    struct ask asks[SETPAY_MERCHANT_BRANDS_MAX];
};

/* ------------------------------------------------------------------ the answer */

static enum setpay_error find_certificates(struct ask *ask, const struct setpay_message *message,
                                           const struct setpay_pcert_res *answer,
                                           setpay_time_ms now_ms, struct setpay_certificate **sign,
                                           struct setpay_certificate **encrypt)
{
    const struct setpay_merchant *merchant = ask->pcert->worker->merchant;
    bool same = strcmp(answer->brand, ask->brand->name) == 0 &&
                strcmp(answer->gateway_id, merchant->gateway_id) == 0 &&
                strcmp(answer->merchant_id, merchant->id) == 0;
    if (!same)
        return SETPAY_E_ANSWER_PARTIES; /* rule A4 */
    SETPAY_TRY(setpay_message_find(message, merchant->trust, &answer->gateway_sign,
                                   SETPAY_PROFILE_GATEWAY_SIGN, ask->brand->name, now_ms, sign));
    SETPAY_TRY(setpay_message_find(message, merchant->trust, &answer->gateway_encrypt,
                                   SETPAY_PROFILE_GATEWAY_ENCRYPT, ask->brand->name, now_ms,
                                   encrypt));
    return setpay_merchant_gateway_check(merchant->gateway_id, *sign, *encrypt);
}

static void note_clock(struct setpay_merchant_brand *brand, setpay_time_ms date_ms)
{
    atomic_store(&brand->gateway_since_boot_ms, date_ms - setpay_clock_boot_ms());
    setpay_clock_hear_ms(date_ms);
}

/* A gateway that refuses our dates says its own beside (rule A5). Its word alone: good for advice.
 */
static void note_error_clock(struct setpay_merchant_brand *brand,
                             const struct setpay_message *message)
{
    struct setpay_error_report report;
    if (setpay_error_report_parse(message->content, &report) == SETPAY_OK)
        note_clock(brand, report.date_ms);
}

static enum setpay_error check_answer(struct ask *ask, const struct setpay_message *message,
                                      struct setpay_certificate **sign,
                                      struct setpay_certificate **encrypt)
{
    struct setpay_merchant *merchant = ask->pcert->worker->merchant;
    struct setpay_certificate *signer = NULL;
    struct setpay_pcert_res answer;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    if (message->type == SETPAY_MESSAGE_ERROR)
        note_error_clock(ask->brand, message);
    if (message->type != SETPAY_MESSAGE_PCERT_RES)
        return message->type == SETPAY_MESSAGE_ERROR ? SETPAY_E_PEER_REFUSED
                                                     : SETPAY_E_MESSAGE_TYPE;
    SETPAY_TRY(setpay_message_authenticate(message, merchant->trust, SETPAY_PROFILE_GATEWAY_SIGN,
                                           ask->brand->name, now_ms, &signer));
    bool ours = strcmp(setpay_certificate_id(signer), merchant->gateway_id) == 0;
    setpay_certificate_unref(signer);
    if (!ours)
        return SETPAY_E_ANSWER_SIGNER; /* rule A4 */
    SETPAY_TRY(setpay_pcert_res_parse(message->content, &answer));
    SETPAY_TRY(setpay_answer_check(message, &answer.header, &ask->asked));
    note_clock(ask->brand, answer.header.date_ms);
    return find_certificates(ask, message, &answer, now_ms, sign, encrypt);
}

static enum setpay_error take_answer(struct ask *ask, struct setpay_view bytes)
{
    struct setpay_message message;
    struct setpay_certificate *sign = NULL, *encrypt = NULL;
    struct setpay_merchant *merchant = ask->pcert->worker->merchant;
    SETPAY_TRY(setpay_message_parse(bytes, &message));
    enum setpay_error error = check_answer(ask, &message, &sign, &encrypt);
    if (error == SETPAY_OK) {
        if (!setpay_merchant_gateway_has(merchant, ask->brand, sign, encrypt))
            setpay_log(SETPAY_LOG_INFO, "gateway.certificates",
                       setpay_field_text("brand", ask->brand->name),
                       setpay_field_digest("sign", setpay_certificate_thumbprint(sign)),
                       setpay_field_digest("encrypt", setpay_certificate_thumbprint(encrypt)));
        setpay_merchant_gateway_set(merchant, ask->brand, sign, encrypt);
    }
    setpay_certificate_unref(sign);
    setpay_certificate_unref(encrypt);
    setpay_message_clear(&message);
    return error;
}

/* When to ask again after a failure. */
static int64_t pause_of(const struct ask *ask)
{
    const struct setpay_merchant *merchant = ask->pcert->worker->merchant;
    int64_t pause_ms = merchant->repeat_min_ms;
    for (unsigned i = 1; i < ask->failures && pause_ms < merchant->repeat_max_ms; i++)
        pause_ms *= 2;
    return pause_ms < merchant->repeat_max_ms ? pause_ms : merchant->repeat_max_ms;
}

static void fail(struct ask *ask, enum setpay_error error)
{
    ask->failures++;
    ask->all = true;
    ask->next_ms = setpay_clock_monotonic_ms() + pause_of(ask);
    ask->soonest_ms = ask->next_ms;
    setpay_log_error(error, "gateway.certificates", setpay_field_text("brand", ask->brand->name),
                     setpay_field_int("failures", ask->failures));
}

static void on_answer(void *arg, enum setpay_error error, struct setpay_view bytes)
{
    struct ask *ask = arg;
    const struct setpay_merchant *merchant = ask->pcert->worker->merchant;
    ask->under_way = false;
    if (error == SETPAY_OK)
        error = take_answer(ask, bytes);
    if (error != SETPAY_OK) {
        fail(ask, error);
        return;
    }
    int64_t now_ms = setpay_clock_monotonic_ms();
    ask->failures = 0;
    ask->all = false;
    ask->next_ms = now_ms + merchant->refresh_ms;
    ask->soonest_ms = now_ms + merchant->repeat_max_ms;
}

/* ------------------------------------------------------------------ the question */

static enum setpay_error build_request(struct ask *ask, const struct setpay_held *sign,
                                       struct setpay_pcert_req *request,
                                       struct setpay_buffer *content)
{
    const struct setpay_merchant *merchant = ask->pcert->worker->merchant;
    const struct setpay_digest *sender = setpay_held_thumbprint(sign);
    request->header.date_ms = setpay_clock_now_ms();
    request->header.has_sender = true;
    request->header.sender = *sender;
    SETPAY_TRY(setpay_id_random(&request->header.rrpid));
    snprintf(request->header.receiver_name, sizeof request->header.receiver_name, "%s",
             merchant->gateway_id);
    memcpy(request->brand, ask->brand->name, sizeof request->brand);
    memcpy(request->merchant_id, merchant->id, sizeof request->merchant_id);
    if (!ask->all)
        setpay_thumbs_add_trust(&request->thumbs, merchant->trust, true);
    SETPAY_TRY(setpay_pcert_req_build(request, content));
    ask->asked =
        (struct setpay_asked){.rrpid = request->header.rrpid, .has_asker = true, .asker = *sender};
    return setpay_request_hash(SETPAY_MESSAGE_PCERT_REQ, sender, setpay_buffer_view(content),
                               &ask->asked.request_hash);
}

static enum setpay_error send_request(struct ask *ask, const struct setpay_held *sign,
                                      struct setpay_view content, struct setpay_buffer *bytes)
{
    struct setpay_merchant_worker *worker = ask->pcert->worker;
    struct setpay_beside beside;
    setpay_beside_init(&beside);
    enum setpay_error error =
        setpay_beside_add_chain(&beside, NULL, worker->merchant->trust, sign->identity.certificate);
    if (error == SETPAY_OK) {
        const struct setpay_message_parts parts = {
            .type = SETPAY_MESSAGE_PCERT_REQ,
            .content = content,
            .key = sign->identity.key,
            .signer = setpay_held_thumbprint(sign),
            .certificates = beside.certificates,
            .certificate_count = beside.certificate_count,
        };
        error = setpay_message_build(&parts, bytes);
    }
    setpay_beside_clear(&beside);
    return error == SETPAY_OK ? setpay_frame_client_send(setpay_merchant_client(worker, ask->brand),
                                                         setpay_buffer_view(bytes), ANSWER_WAIT_MS,
                                                         on_answer, ask, NULL)
                              : error;
}

static void ask_gateway(struct ask *ask)
{
    struct setpay_pcert_req *request = calloc(1, sizeof *request);
    struct setpay_buffer content;
    struct setpay_buffer bytes;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    struct setpay_keyring *keys = setpay_keys_take(ask->pcert->worker->merchant->keys);
    const struct setpay_held *sign =
        setpay_keyring_in_use(keys, SETPAY_PROFILE_MERCHANT_SIGN, ask->brand->name);
    enum setpay_error error = request == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = build_request(ask, sign, request, &content);
    if (error == SETPAY_OK)
        error = send_request(ask, sign, setpay_buffer_view(&content), &bytes);
    setpay_keyring_unref(keys);
    free(request);
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&bytes);
    ask->under_way = error == SETPAY_OK;
    if (error != SETPAY_OK)
        fail(ask, error);
}

static void on_look_time(void *arg)
{
    struct setpay_merchant_pcert *pcert = arg;
    const struct setpay_merchant *merchant = pcert->worker->merchant;
    int64_t now_ms = setpay_clock_monotonic_ms();
    for (size_t i = 0; i < merchant->brand_count; i++) {
        struct ask *ask = &pcert->asks[i];
        atomic_store(&ask->brand->gateway_up,
                     setpay_frame_client_is_up(setpay_merchant_client(pcert->worker, ask->brand)));
        if (ask->under_way || now_ms < ask->soonest_ms)
            continue;
        bool wanted = atomic_exchange(&ask->brand->gateway_wanted, false);
        if (wanted || now_ms >= ask->next_ms)
            ask_gateway(ask);
    }
}

/* ------------------------------------------------------------------ its life */

enum setpay_error setpay_merchant_pcert_new(struct setpay_merchant_worker *worker,
                                            struct setpay_merchant_pcert **pcert)
{
    struct setpay_merchant_pcert *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->worker = worker;
    for (size_t i = 0; i < worker->merchant->brand_count; i++) {
        made->asks[i].pcert = made;
        made->asks[i].brand = &worker->merchant->brands[i];
    }
    enum setpay_error error = setpay_timer_new(worker->loop, on_look_time, made, &made->timer);
    if (error != SETPAY_OK) {
        free(made);
        return error;
    }
    setpay_timer_start_periodic(made->timer, LOOK_PERIOD_MS);
    *pcert = made;
    return SETPAY_OK;
}

void setpay_merchant_pcert_free(struct setpay_merchant_pcert *pcert)
{
    if (pcert == NULL)
        return;
    setpay_timer_free(pcert->timer);
    free(pcert);
}
