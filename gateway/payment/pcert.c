/*
 * PCertReq and PCertRes: a merchant asks for the gateway's current certificates of its brand, and
 * for revocation lists that it lacks. Nothing changes by it but the kept answer.
 */
#include "common/base/log.h"
#include "common/store/answers.h"
#include "common/wire/checks.h"
#include "common/wire/thumbs.h"
#include "gateway/payment/dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum setpay_error keep(struct setpay_db *db, void *arg)
{
    struct setpay_gateway_work *work = arg;
    SETPAY_TRY(setpay_payment_check_rrpid(db, &work->message.signer, &work->rrpid,
                                          &work->request_hash)); /* rule A6 */
    return setpay_answers_keep(db, &work->message.signer, &work->rrpid, &work->request_hash,
                               setpay_buffer_view(&work->answer), work->now_ms);
}

static void on_kept(void *arg, enum setpay_error error)
{
    struct setpay_gateway_work *work = arg;
    if (error == SETPAY_OK)
        setpay_gateway_reply(work, setpay_buffer_view(&work->answer));
    else if (error == SETPAY_E_CONFLICT)
        setpay_gateway_refuse(work, SETPAY_E_UNDER_WAY); /* a twin was faster: repeat, and get it */
    else
        setpay_gateway_refuse(work, error);
}

static void list_crls(const struct setpay_gateway_work *work, struct setpay_thumbs *thumbs)
{
    struct setpay_crl_info infos[SETPAY_LIMIT_TRUST_CAS];
    size_t count = setpay_trust_crls(work->worker->gateway->trust, infos, SETPAY_LIMIT_TRUST_CAS);
    for (size_t i = 0; i < count && i < SETPAY_LIMIT_TRUST_CAS; i++) {
        if (setpay_crl_is_needed(&infos[i], work->now_ms) &&
            (infos[i].brand[0] == '\0' || strcmp(infos[i].brand, work->brand->name) == 0))
            (void)setpay_thumbs_add(thumbs, &infos[i].thumbprint);
    }
}

static enum setpay_error make_answer(struct setpay_gateway_work *work,
                                     const struct setpay_pcert_req *request,
                                     struct setpay_beside *beside, struct setpay_buffer *content)
{
    const struct setpay_gateway *gateway = work->worker->gateway;
    const struct setpay_gateway_brand *brand = work->brand;
    const struct setpay_held *sign = work->sign; /* the one in use: no other was named */
    const struct setpay_held *encrypt =
        setpay_keyring_in_use(work->keys, SETPAY_PROFILE_GATEWAY_ENCRYPT, brand->name);
    struct setpay_trust *trust = gateway->trust;
    struct setpay_pcert_res answer = {
        .header =
            {
                .rrpid = work->rrpid,
                .request_hash = work->request_hash,
                .date_ms = work->now_ms,
                .sender = *setpay_held_thumbprint(sign),
                .has_receiver = true,
                .receiver = work->message.signer,
            },
        .gateway_sign = *setpay_held_thumbprint(sign),
        .gateway_encrypt = *setpay_held_thumbprint(encrypt),
    };
    snprintf(answer.brand, sizeof answer.brand, "%s", brand->name);
    snprintf(answer.gateway_id, sizeof answer.gateway_id, "%s", gateway->id);
    snprintf(answer.merchant_id, sizeof answer.merchant_id, "%s", request->merchant_id);
    list_crls(work, &answer.crls);
    SETPAY_TRY(setpay_pcert_res_build(&answer, content));
    SETPAY_TRY(
        setpay_beside_add_chain(beside, &request->thumbs, trust, sign->identity.certificate));
    SETPAY_TRY(
        setpay_beside_add_chain(beside, &request->thumbs, trust, encrypt->identity.certificate));
    SETPAY_TRY(setpay_beside_add_crls(beside, &request->thumbs, trust, brand->name, work->now_ms,
                                      content->size));
    const struct setpay_message_parts parts = {
        .type = SETPAY_MESSAGE_PCERT_RES,
        .content = setpay_buffer_view(content),
        .key = sign->identity.key,
        .signer = setpay_held_thumbprint(sign),
        .certificates = beside->certificates,
        .certificate_count = beside->certificate_count,
        .crls = beside->crls,
        .crl_count = beside->crl_count,
    };
    return setpay_message_build(&parts, &work->answer);
}

void setpay_gateway_on_pcert_req(struct setpay_gateway_work *work)
{
    struct setpay_pcert_req *request = calloc(1, sizeof *request);
    struct setpay_beside beside;
    struct setpay_buffer content;
    bool done = false;
    setpay_beside_init(&beside);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);

    enum setpay_error error = request == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_pcert_req_parse(work->message.content, request);
    if (error == SETPAY_OK) {
        const struct setpay_gateway_asked asked = {
            .header = &request->header,
            .brand = request->brand,
            .merchant_id = request->merchant_id,
            .receiver_name = work->worker->gateway->id,
        };
        error = setpay_gateway_admit(work, &asked, &done);
    }
    if (error == SETPAY_OK && !done)
        error = setpay_date_check(request->header.date_ms, work->now_ms); /* rule A5 */
    if (error == SETPAY_OK && !done)
        error = make_answer(work, request, &beside, &content);
    if (error == SETPAY_OK && !done)
        error = setpay_store_submit(work->worker->gateway->store, keep, on_kept, work,
                                    &work->worker->executor);
    setpay_beside_clear(&beside);
    setpay_buffer_clear(&content);
    free(request);
    if (error != SETPAY_OK)
        setpay_gateway_refuse(work, error);
}
