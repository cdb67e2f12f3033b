/*
 * One step out of an answer that may be of several.
 */
#include "common/net/batch_said.h"

#include <stdio.h>

static void take_done(const struct setpay_step_done *done, const char *brand,
                      const char *merchant_id, setpay_time_ms date_ms,
                      struct setpay_batch_said *said)
{
    (void)snprintf(said->brand, sizeof said->brand, "%s", brand);
    (void)snprintf(said->merchant_id, sizeof said->merchant_id, "%s", merchant_id);
    said->xid = done->xid;
    said->amount = done->amount;
    said->batch = done->batch;
    said->date_ms = date_ms;
}

/* Of the answer to a sale; false where it is of another step. */
static enum setpay_error read_sale(struct setpay_view content, const struct setpay_id *id,
                                   struct setpay_batch_said *said, bool *found)
{
    struct setpay_auth_res answer;
    SETPAY_TRY(setpay_auth_res_parse(content, &answer));
    *found = answer.has_capture && setpay_id_equal(&answer.capture.id, id);
    if (*found)
        take_done(&answer.capture, answer.brand, answer.merchant_id, answer.header.date_ms, said);
    return SETPAY_OK;
}

enum setpay_error setpay_batch_said_read(const struct setpay_message *message,
                                         const struct setpay_id *id, bool undoes,
                                         struct setpay_batch_said *said, bool *found)
{
    struct setpay_step_res answer;
    *found = false;
    if (message->type == SETPAY_MESSAGE_AUTH_RES)
        return read_sale(message->content, id, said, found);
    SETPAY_TRY(setpay_step_res_parse(message->content, &answer));
    for (size_t i = 0; i < answer.done_count && !*found; i++) {
        const struct setpay_step_done *done = &answer.done[i];
        *found = setpay_id_equal(undoes ? &done->of : &done->id, id);
        if (*found)
            take_done(done, answer.brand, answer.merchant_id, answer.header.date_ms, said);
    }
    setpay_step_res_clear(&answer);
    return SETPAY_OK;
}
