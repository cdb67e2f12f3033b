/*
 * The outer Message.
 *
 * What always holds: a struct setpay_message was refused unless it is in canonical form, its sizes
 * and counts are inside the limits, and its parts are those of its type: which types are signed,
 * unsigned or either, and which carry an envelope, is one table. Views show into the arena of the
 * unpacked message; nothing of it is ever packed again to be verified.
 */
#include "common/wire/signed.h"

#include "common/crypto/hash.h"
#include "common/wire/arena.h"
#include "common/wire/layout.h"
#include "common/wire/parts_layout.h"

#include "proto/setpay/v1/message.pb-c.h"

#include <stdlib.h>
#include <string.h>

enum signing { ALWAYS_SIGNED, NEVER_SIGNED, EITHER };

struct type_row {
    const char *name;
    enum signing signing;
    bool envelope; /* may carry one */
    bool needs_envelope;
};

static const struct type_row types[] = {
    [SETPAY_MESSAGE_PINIT_REQ] = {"PInitReq", NEVER_SIGNED, false, false},
    [SETPAY_MESSAGE_PINIT_RES] = {"PInitRes", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_P_REQ] = {"PReq", NEVER_SIGNED, true, true}, /* DS is inside */
    [SETPAY_MESSAGE_P_RES] = {"PRes", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_INQ_REQ] = {"InqReq", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_INQ_RES] = {"InqRes", ALWAYS_SIGNED, false, false},
    /* Without one where AuthToken stands for the instruction. */
    [SETPAY_MESSAGE_AUTH_REQ] = {"AuthReq", ALWAYS_SIGNED, true, false},
    [SETPAY_MESSAGE_AUTH_RES] = {"AuthRes", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_AUTH_REV_REQ] = {"AuthRevReq", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_AUTH_REV_RES] = {"AuthRevRes", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_CAP_REQ] = {"CapReq", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_CAP_RES] = {"CapRes", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_CAP_REV_REQ] = {"CapRevReq", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_CAP_REV_RES] = {"CapRevRes", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_CRED_REQ] = {"CredReq", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_CRED_RES] = {"CredRes", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_CRED_REV_REQ] = {"CredRevReq", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_CRED_REV_RES] = {"CredRevRes", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_BATCH_ADMIN_REQ] = {"BatchAdminReq", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_BATCH_ADMIN_RES] = {"BatchAdminRes", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_PCERT_REQ] = {"PCertReq", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_PCERT_RES] = {"PCertRes", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_CAN_REQ] = {"CanReq", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_CAN_RES] = {"CanRes", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_AUTH_CAN_REQ] = {"AuthCanReq", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_AUTH_CAN_RES] = {"AuthCanRes", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_RECEIPT] = {"Receipt", ALWAYS_SIGNED, false, false},
    [SETPAY_MESSAGE_ERROR] = {"Error", EITHER, false, false},
};

static const struct type_row *type_row(enum setpay_message_type type)
{
    if ((size_t)type >= sizeof(types) / sizeof(types[0]) || types[type].name == NULL)
        return NULL;
    return &types[type];
}

const char *setpay_message_type_name(enum setpay_message_type type)
{
    const struct type_row *row = type_row(type);
    return row == NULL ? NULL : row->name;
}

/* ------------------------------------------------------------------ the form of a message */

/* What both directions look at. */
struct form {
    uint32_t suite;
    enum setpay_message_type type;
    size_t content_size;
    bool has_signature;
    bool has_signer;
    size_t signature_size;
    size_t signer_size;
    bool has_envelope;
    size_t envelope_size;
};

/* Rule A1 for the parts of one type; also for what we build ourselves. */
static enum setpay_error check_form(const struct form *form)
{
    if (form->suite != SETPAY_SUITE)
        return SETPAY_E_SUITE;
    const struct type_row *row = type_row(form->type);
    if (row == NULL || form->type == SETPAY_MESSAGE_RECEIPT)
        return SETPAY_E_MESSAGE_TYPE;
    if (form->content_size > SETPAY_LIMIT_CONTENT_BYTES ||
        form->envelope_size > SETPAY_LIMIT_ENVELOPE_BYTES)
        return SETPAY_E_TOO_BIG;
    if (form->content_size == 0 || form->has_signature != form->has_signer)
        return SETPAY_E_FIELD;
    if (form->has_signature && (form->signature_size < SETPAY_WIRE_SIGNATURE_MIN ||
                                form->signature_size > SETPAY_WIRE_SIGNATURE_MAX ||
                                form->signer_size != sizeof(struct setpay_digest)))
        return SETPAY_E_FIELD;
    if (form->has_signature && row->signing == NEVER_SIGNED)
        return SETPAY_E_FIELD;
    if (!form->has_signature && row->signing == ALWAYS_SIGNED)
        return SETPAY_E_UNSIGNED; /* rule A2 */
    if ((form->has_envelope && (!row->envelope || form->envelope_size == 0)) ||
        (!form->has_envelope && row->needs_envelope))
        return SETPAY_E_FIELD;
    return SETPAY_OK;
}

static enum setpay_error check_count(size_t count, size_t count_max, size_t largest,
                                     size_t size_max, bool empty)
{
    if (count > count_max || largest > size_max)
        return SETPAY_E_TOO_BIG;
    return empty ? SETPAY_E_FIELD : SETPAY_OK;
}

static enum setpay_error take_beside(size_t count, const ProtobufCBinaryData *from,
                                     size_t count_max, size_t size_max, struct setpay_view *views)
{
    size_t largest = 0;
    bool empty = false;
    for (size_t i = 0; i < count; i++) {
        largest = from[i].len > largest ? from[i].len : largest;
        empty = empty || from[i].len == 0;
    }
    SETPAY_TRY(check_count(count, count_max, largest, size_max, empty));
    for (size_t i = 0; i < count; i++)
        views[i] = setpay_view_of(from[i].data, from[i].len);
    return SETPAY_OK;
}

static struct setpay_view pb_view(const ProtobufCBinaryData *data)
{
    return setpay_view_of(data->data, data->len);
}

/* Fills message with views of pb. */
static enum setpay_error open_message(const Setpay__V1__Message *pb, struct setpay_message *message)
{
    if (pb->version != SETPAY_WIRE_VERSION)
        return SETPAY_E_VERSION;
    const Setpay__V1__Signed *is = pb->signed_;
    struct form form = {
        .suite = is->suite,
        .type = (enum setpay_message_type)is->type,
        .content_size = is->content.len,
        .has_signature = is->has_signature,
        .has_signer = is->has_signer,
        .signature_size = is->has_signature ? is->signature.len : 0,
        .signer_size = is->has_signer ? is->signer.len : 0,
        .has_envelope = pb->has_envelope,
        .envelope_size = pb->has_envelope ? pb->envelope.len : 0,
    };
    SETPAY_TRY(check_form(&form));
    message->type = form.type;
    message->suite = form.suite;
    message->content = pb_view(&is->content);
    message->is_signed = form.has_signature;
    if (message->is_signed) {
        message->signature = pb_view(&is->signature);
        SETPAY_TRY(setpay_digest_from_view(pb_view(&is->signer), &message->signer));
    }
    if (pb->has_envelope)
        message->envelope = pb_view(&pb->envelope);
    SETPAY_TRY(take_beside(pb->n_certificates, pb->certificates, SETPAY_LIMIT_CERTIFICATES,
                           SETPAY_LIMIT_CERTIFICATE_BYTES, message->certificates));
    message->certificate_count = pb->n_certificates;
    SETPAY_TRY(take_beside(pb->n_crls, pb->crls, SETPAY_LIMIT_CRLS, SETPAY_LIMIT_CRL_BESIDE_BYTES,
                           message->crls));
    message->crl_count = pb->n_crls;
    for (size_t i = 0; i < message->certificate_count; i++)
        SETPAY_TRY(setpay_sha256(message->certificates[i], &message->certificate_thumbs[i]));
    return SETPAY_OK;
}

/* Counts for the scan; everything else of a Message is checked above. */
static const struct setpay_wire_field message_counts[] = {
    {.number = 3, .maximum = SETPAY_LIMIT_CERTIFICATES},
    {.number = 4, .maximum = SETPAY_LIMIT_CRLS},
    {0},
};
static const struct setpay_wire_layout message_scan = {.fields = message_counts};

enum setpay_error setpay_message_parse(struct setpay_view bytes, struct setpay_message *message)
{
    struct setpay_message opened = {0};
    ProtobufCMessage *pb = NULL;
    if (bytes.size > SETPAY_LIMIT_MESSAGE_BYTES)
        return SETPAY_E_TOO_BIG; /* rule A1: before anything is decoded */
    /* A later version may have fields of its own: its number is looked at before them. */
    if (bytes.size >= 2 && bytes.data[0] == 0x08 && bytes.data[1] < 0x80 &&
        bytes.data[1] != SETPAY_WIRE_VERSION)
        return SETPAY_E_VERSION;
    enum setpay_error error =
        setpay_wire_scan(&setpay__v1__message__descriptor, &message_scan, bytes);
    if (error != SETPAY_OK)
        return error;
    error = setpay_arena_new(SETPAY_LIMIT_UNPACK_BYTES, false, &opened.memory);
    if (error != SETPAY_OK)
        return error;
    error = setpay_wire_unpack(&setpay__v1__message__descriptor, bytes, opened.memory, &pb);
    if (error != SETPAY_OK)
        goto out;
    error = open_message((const Setpay__V1__Message *)pb, &opened);
    if (error != SETPAY_OK)
        goto out;
    *message = opened;
    opened.memory = NULL; /* handed over */
out:
    setpay_arena_free(opened.memory);
    return error;
}

void setpay_message_clear(struct setpay_message *message)
{
    setpay_arena_free(message->memory);
    memset(message, 0, sizeof(*message));
}

/* ------------------------------------------------------------------ building */

static ProtobufCBinaryData pb_of_view(struct setpay_view view)
{
    ProtobufCBinaryData data;
    data.len = view.size;
    memcpy(&data.data, &view.data, sizeof(data.data)); /* only read while packing */
    return data;
}

static enum setpay_error give_beside(const struct setpay_view *views, size_t count,
                                     size_t count_max, size_t size_max, ProtobufCBinaryData *to)
{
    if (count > count_max)
        return SETPAY_E_TOO_BIG;
    for (size_t i = 0; i < count; i++) {
        SETPAY_TRY(check_count(count, count_max, views[i].size, size_max, views[i].size == 0));
        to[i] = pb_of_view(views[i]);
    }
    return SETPAY_OK;
}

enum setpay_error setpay_message_build(const struct setpay_message_parts *parts,
                                       struct setpay_buffer *bytes)
{
    struct setpay_buffer signature = {0};
    ProtobufCBinaryData certificates[SETPAY_LIMIT_CERTIFICATES], crls[SETPAY_LIMIT_CRLS];
    Setpay__V1__Signed is = SETPAY__V1__SIGNED__INIT;
    Setpay__V1__Message pb = SETPAY__V1__MESSAGE__INIT;
    uint8_t *room = NULL;
    size_t size = 0;
    bool has_signature = parts->key != NULL || parts->signature != NULL;
    bool signs = has_signature && parts->signer != NULL;
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    struct form form = {
        .suite = SETPAY_SUITE,
        .type = parts->type,
        .content_size = parts->content.size,
        .has_signature = has_signature,
        .has_signer = parts->signer != NULL,
        .signature_size = SETPAY_SIGNATURE_MAX,
        .signer_size = sizeof(struct setpay_digest),
        .has_envelope = parts->envelope.size != 0,
        .envelope_size = parts->envelope.size,
    };
    enum setpay_error error = check_form(&form);
    if (error != SETPAY_OK)
        goto out;
    error = give_beside(parts->certificates, parts->certificate_count, SETPAY_LIMIT_CERTIFICATES,
                        SETPAY_LIMIT_CERTIFICATE_BYTES, certificates);
    if (error == SETPAY_OK)
        error = give_beside(parts->crls, parts->crl_count, SETPAY_LIMIT_CRLS,
                            SETPAY_LIMIT_CRL_BESIDE_BYTES, crls);
    if (error == SETPAY_OK && signs && parts->signature != NULL)
        error = setpay_buffer_set(&signature, setpay_signature_view(parts->signature));
    else if (error == SETPAY_OK && signs)
        error = setpay_sign(parts->key, setpay_message_type_name(parts->type), SETPAY_SUITE,
                            parts->signer, parts->content, &signature);
    if (error != SETPAY_OK)
        goto out;
    is.suite = SETPAY_SUITE;
    is.type = (Setpay__V1__MessageType)parts->type;
    is.content = pb_of_view(parts->content);
    if (signs) {
        is.has_signature = is.has_signer = 1;
        is.signature = pb_of_view(setpay_buffer_view(&signature));
        is.signer = pb_of_view(setpay_digest_view(parts->signer));
    }
    pb.version = SETPAY_WIRE_VERSION;
    pb.signed_ = &is;
    pb.n_certificates = parts->certificate_count;
    pb.certificates = certificates;
    pb.n_crls = parts->crl_count;
    pb.crls = crls;
    pb.has_envelope = form.has_envelope;
    pb.envelope = pb_of_view(parts->envelope);
    size = setpay__v1__message__get_packed_size(&pb);
    error = SETPAY_E_TOO_BIG;
    if (size > SETPAY_LIMIT_MESSAGE_BYTES || size > bytes->max)
        goto out;
    setpay_buffer_reset(bytes);
    error = setpay_buffer_extend(bytes, size, &room);
    if (error == SETPAY_OK)
        setpay__v1__message__pack(&pb, room);
out:
    setpay_buffer_clear(&signature);
    return error;
}

/* ------------------------------------------------------------------ verifying */

enum setpay_error setpay_message_verify(const struct setpay_message *message,
                                        const struct setpay_certificate *certificate)
{
    if (!message->is_signed)
        return SETPAY_E_UNSIGNED;
    if (!setpay_digest_equal(&message->signer, setpay_certificate_thumbprint(certificate)))
        return SETPAY_E_SENDER;
    /* rule A2: over the bytes as they came, for this type */
    return setpay_verify(setpay_certificate_key(certificate),
                         setpay_message_type_name(message->type), message->suite, &message->signer,
                         message->content, message->signature);
}

struct setpay_view setpay_message_certificate(const struct setpay_message *message,
                                              const struct setpay_digest *thumbprint)
{
    for (size_t i = 0; i < message->certificate_count; i++)
        if (setpay_digest_equal(&message->certificate_thumbs[i], thumbprint))
            return message->certificates[i];
    return SETPAY_VIEW_EMPTY;
}

enum setpay_error setpay_message_find(const struct setpay_message *message,
                                      struct setpay_trust *trust,
                                      const struct setpay_digest *thumbprint,
                                      enum setpay_profile profile, const char *brand,
                                      setpay_time_ms now_ms,
                                      struct setpay_certificate **certificate)
{
    struct setpay_view der = setpay_message_certificate(message, thumbprint);
    if (der.size == 0) /* left out, since we listed it */
        return setpay_trust_verify_known(trust, thumbprint, profile, brand, now_ms, certificate);
    return setpay_trust_verify(trust, der, message->certificates, message->certificate_count,
                               profile, brand, now_ms, certificate);
}

enum setpay_error setpay_message_authenticate(const struct setpay_message *message,
                                              struct setpay_trust *trust,
                                              enum setpay_profile profile, const char *brand,
                                              setpay_time_ms now_ms,
                                              struct setpay_certificate **certificate)
{
    struct setpay_certificate *found = NULL;
    if (!message->is_signed)
        return SETPAY_E_UNSIGNED;
    if (message->crl_count > 0)
        setpay_trust_learn(trust, message->certificates, message->certificate_count, message->crls,
                           message->crl_count, now_ms);
    enum setpay_error error =
        setpay_message_find(message, trust, &message->signer, profile, brand, now_ms, &found);
    if (error == SETPAY_OK)
        error = setpay_message_verify(message, found);
    if (error == SETPAY_OK) {
        *certificate = found;
        found = NULL; /* handed over */
    }
    setpay_certificate_unref(found);
    return error;
}

/* ------------------------------------------------------------------ digests */

enum setpay_error setpay_request_hash(enum setpay_message_type type,
                                      const struct setpay_digest *signer,
                                      struct setpay_view content, struct setpay_digest *hash)
{
    const char *name = setpay_message_type_name(type);
    if (name == NULL)
        return SETPAY_E_MESSAGE_TYPE;
    return setpay_hash_request(name, SETPAY_SUITE, signer, content, hash);
}

enum setpay_error setpay_message_request_hash(const struct setpay_message *message,
                                              struct setpay_digest *hash)
{
    return setpay_request_hash(message->type, message->is_signed ? &message->signer : NULL,
                               message->content, hash);
}

enum setpay_error setpay_raw_hash(struct setpay_view bytes, struct setpay_digest *hash)
{
    return setpay_hash_one("raw", bytes, hash);
}

enum setpay_error setpay_offer_digest(struct setpay_view content, struct setpay_digest *digest)
{
    return setpay_hash_one("offer", content, digest);
}

enum setpay_error setpay_token_sender(const char *order_token, struct setpay_digest *sender)
{
    return setpay_hash_one("token", setpay_view_string(order_token), sender);
}

/* ------------------------------------------------------------------ refusals */

enum setpay_error setpay_refusal_build(const struct setpay_refusal *refusal, setpay_time_ms now_ms,
                                       struct setpay_buffer *bytes)
{
    struct setpay_buffer content = {0};
    struct setpay_error_report report = {.code = (uint32_t)setpay_error_info(refusal->error)->wire,
                                         .date_ms = now_ms};
    struct setpay_message_parts parts = {.type = SETPAY_MESSAGE_ERROR,
                                         .key = refusal->key,
                                         .signer = refusal->signer,
                                         .certificates = refusal->certificates,
                                         .certificate_count = refusal->certificate_count};
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    if (refusal->rrpid != NULL) {
        report.has_rrpid = true;
        report.rrpid = *refusal->rrpid;
    }
    if (refusal->signer != NULL) {
        report.has_sender = true;
        report.sender = *refusal->signer;
    }
    enum setpay_error error = refusal->message != NULL
                                  ? setpay_message_request_hash(refusal->message, &report.received)
                                  : setpay_raw_hash(refusal->raw, &report.received);
    if (error == SETPAY_OK)
        error = setpay_error_report_build(&report, &content);
    if (error == SETPAY_OK) {
        parts.content = setpay_buffer_view(&content);
        error = setpay_message_build(&parts, bytes);
    }
    setpay_buffer_clear(&content);
    return error;
}
