/*
 * Reading what passes: where a message ends, what it is, and to whose purchase it belongs. An
 * answer is what its request was: found by the frame's id or the trace number, and on HTTP by being
 * next.
 */
#include "tests/support/test_proxy_internal.h"

#include "common/base/bytes.h"
#include "common/net/frame.h"
#include "common/wire/messages.h"
#include "common/wire/signed.h"
#include "gateway/network/iso8583.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ where it ends */

static size_t http_size(struct evbuffer *input)
{
    size_t length = 0, size = evbuffer_get_length(input);
    const char *bytes = (const char *)evbuffer_pullup(input, -1);
    const char *end = size == 0 ? NULL : memmem(bytes, size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    for (const char *line = bytes; line < end;) {
        if (strncasecmp(line, "content-length:", 15) == 0)
            length = strtoul(line + 15, NULL, 10);
        line = (const char *)memmem(line, (size_t)(end + 2 - line), "\r\n", 2) + 2;
    }
    length += (size_t)(end - bytes) + 4;
    return length <= size ? length : 0;
}

size_t test_message_size(enum test_hop hop, struct evbuffer *input)
{
    uint8_t head[SETPAY_FRAME_LENGTH_BYTES];
    size_t width = hop == TEST_HOP_GATEWAY ? SETPAY_FRAME_LENGTH_BYTES : SETPAY_ISO_HEADER_SIZE;
    if (hop == TEST_HOP_STORE || hop == TEST_HOP_WALLET)
        return http_size(input);
    if (evbuffer_copyout(input, head, width) != (ev_ssize_t)width)
        return 0;
    size_t size = width + (hop == TEST_HOP_GATEWAY ? (size_t)setpay_read_u32be(head)
                                                   : (size_t)head[0] << 8 | head[1]);
    return evbuffer_get_length(input) < size ? 0 : size;
}

/* ------------------------------------------------------------------ what it is */

static struct test_asked *asked_under(struct test_pair *pair, uint64_t id)
{
    return &pair->asked[id % TEST_ASKED];
}

static enum test_passing store_passing(const uint8_t *bytes, size_t size)
{
    const char *end = memmem(bytes, size, "\r\n", 2);
    size_t line = end == NULL ? 0 : (size_t)(end - (const char *)bytes);
    if (memmem(bytes, line, "POST /api/v1/orders ", 20) != NULL)
        return TEST_ORDER;
    if (memmem(bytes, line, "/void ", 6) != NULL)
        return TEST_ORDER_VOID;
    if (memmem(bytes, line, "/capture ", 9) != NULL)
        return TEST_ORDER_CAPTURE;
    if (memmem(bytes, line, "/refund ", 8) != NULL)
        return TEST_ORDER_REFUND;
    if (memmem(bytes, line, "/undo ", 6) != NULL)
        return TEST_ORDER_UNDO;
    if (memmem(bytes, line, "/authorise ", 11) != NULL)
        return TEST_ORDER_AUTHORISE;
    if (memmem(bytes, line, "/batches/close ", 15) != NULL)
        return TEST_BATCH_CLOSE;
    return memmem(bytes, line, "/cancel ", 8) != NULL ? TEST_ORDER_CANCEL : TEST_OTHER;
}

/* Which AuthReq it is: for a void, by AuthToken, or the first. */
static enum test_passing auth_passing(const struct setpay_message *message)
{
    enum test_passing passing = TEST_AUTH;
    struct setpay_auth_req *request = calloc(1, sizeof *request);
    if (request == NULL || setpay_auth_req_parse(message->content, request) != SETPAY_OK)
        passing = TEST_AUTH;
    else if (request->intent == SETPAY_INTENT_VOID)
        passing = TEST_AUTH_VOID;
    else if (request->has_auth_token)
        passing = TEST_AUTH_FURTHER;
    free(request);
    return passing;
}

static void learn_xid(struct test_plan *plan, const struct setpay_message *message, int lane)
{
    struct setpay_pinit_res *offer = calloc(1, sizeof *offer);
    if (offer != NULL && setpay_pinit_res_parse(message->content, offer) == SETPAY_OK) {
        test_plan_add_xid(plan, lane, offer->xid.bytes);
        setpay_pinit_res_clear(offer);
    }
    free(offer);
}

static enum test_passing setpay_passing(struct test_plan *plan, struct setpay_view bytes, int lane)
{
    struct setpay_message message;
    enum test_passing passing = TEST_OTHER;
    if (setpay_message_parse(bytes, &message) != SETPAY_OK)
        return TEST_OTHER;
    switch (message.type) {
    case SETPAY_MESSAGE_PINIT_REQ:
        passing = TEST_PINIT;
        break;
    case SETPAY_MESSAGE_PINIT_RES:
        learn_xid(plan, &message, lane);
        break;
    case SETPAY_MESSAGE_P_REQ:
        passing = TEST_P;
        break;
    case SETPAY_MESSAGE_INQ_REQ:
        passing = TEST_INQ;
        break;
    case SETPAY_MESSAGE_AUTH_REQ:
        passing = auth_passing(&message);
        break;
    case SETPAY_MESSAGE_CAN_REQ:
        passing = TEST_CAN;
        break;
    case SETPAY_MESSAGE_AUTH_CAN_REQ:
        passing = TEST_AUTH_CAN;
        break;
    case SETPAY_MESSAGE_AUTH_REV_REQ:
        passing = TEST_AUTH_REV;
        break;
    case SETPAY_MESSAGE_CAP_REQ:
        passing = TEST_CAP;
        break;
    case SETPAY_MESSAGE_CAP_REV_REQ:
        passing = TEST_CAP_REV;
        break;
    case SETPAY_MESSAGE_CRED_REQ:
        passing = TEST_CRED;
        break;
    case SETPAY_MESSAGE_CRED_REV_REQ:
        passing = TEST_CRED_REV;
        break;
    case SETPAY_MESSAGE_BATCH_ADMIN_REQ:
        passing = TEST_BATCH_ADMIN;
        break;
    case SETPAY_MESSAGE_PCERT_REQ:
        passing = TEST_PCERT;
        break;
    default:
        break;
    }
    setpay_message_clear(&message);
    return passing;
}

static enum test_passing iso_passing(struct setpay_view bytes, uint64_t *trace)
{
    struct setpay_iso_message message = {0};
    uint64_t code = 0;
    enum test_passing passing = TEST_OTHER;
    if (setpay_iso_parse(bytes, &message, NULL) != SETPAY_OK)
        return TEST_OTHER;
    if (setpay_iso_get_number(&message, SETPAY_ISO_STAN, trace) != SETPAY_OK)
        *trace = 0;
    if (strcmp(message.mti, "0100") == 0)
        passing = TEST_0100;
    else if (strcmp(message.mti, "0400") == 0 || strcmp(message.mti, "0401") == 0)
        passing = TEST_0400;
    else if (strcmp(message.mti, "0800") == 0 &&
             setpay_iso_get_number(&message, SETPAY_ISO_MANAGEMENT_CODE, &code) == SETPAY_OK)
        passing = code == 1 ? TEST_SIGN_ON : TEST_ECHO;
    setpay_iso_clear(&message);
    return passing;
}

enum test_passing test_message_classify(struct test_pair *pair, struct test_plan *plan,
                                        enum test_way way, const uint8_t *bytes, size_t size,
                                        int *lane)
{
    const uint8_t *body = bytes;
    uint64_t id = 0;
    enum test_passing passing = TEST_OTHER;
    if (pair->hop == TEST_HOP_WALLET) {
        const uint8_t *end = memmem(bytes, size, "\r\n\r\n", 4);
        body = end == NULL ? bytes : end + 4;
    } else if (pair->hop == TEST_HOP_GATEWAY && size > SETPAY_FRAME_HEADER_BYTES) {
        id = setpay_read_u64be(bytes + SETPAY_FRAME_LENGTH_BYTES);
        body = bytes + SETPAY_FRAME_HEADER_BYTES;
    } else if (pair->hop == TEST_HOP_ISSUER) {
        body = bytes + SETPAY_ISO_HEADER_SIZE;
    }
    struct setpay_view view = setpay_view_of(body, size - (size_t)(body - bytes));
    if (pair->hop == TEST_HOP_ISSUER)
        passing = iso_passing(view, &id);
    struct test_asked *asked = asked_under(pair, id);
    if (way == TEST_ANSWER) {
        *lane = asked->lane;
        if (pair->hop == TEST_HOP_WALLET)
            (void)setpay_passing(plan, view, *lane);
        return asked->passing;
    }
    *lane = test_plan_find_lane(plan, bytes, size);
    if (pair->hop == TEST_HOP_STORE)
        passing = store_passing(bytes, size);
    else if (pair->hop != TEST_HOP_ISSUER)
        passing = setpay_passing(plan, view, *lane);
    *asked = (struct test_asked){.id = id, .passing = passing, .lane = *lane};
    return passing;
}
