/*
 * Evidence for strangers. Bytes are in base64, each part of a message by itself, so that who checks
 * it needs OpenSSL's program and nothing that reads our messages' frame.
 */
#include "common/net/evidence_json.h"

#include "common/crypto/base64.h"

#include <stdio.h>

enum setpay_error setpay_evidence_json_set(json_t *file, const char *member,
                                           struct setpay_view bytes)
{
    struct setpay_secret text = {0};
    enum setpay_error error = setpay_base64_encode(bytes, &text);
    if (error == SETPAY_OK &&
        json_object_set_new(file, member, json_stringn((const char *)text.data, text.size)) != 0)
        error = SETPAY_E_NOMEM;
    setpay_secret_clear(&text);
    return error;
}

json_t *setpay_evidence_json_new(const char *party, const struct setpay_id *xid,
                                 const struct setpay_digest *pomd)
{
    char xid_text[SETPAY_ID_TEXT_SIZE], pomd_text[SETPAY_DIGEST_TEXT_SIZE];
    return json_pack("{s:i, s:s, s:s, s:s, s:[]}", "setpay_evidence", SETPAY_EVIDENCE_VERSION,
                     "party", party, "xid", setpay_id_format(xid, xid_text), "pomd",
                     setpay_digest_format(pomd, pomd_text), "messages");
}

enum setpay_error setpay_evidence_json_add(json_t *file, const char *type,
                                           struct setpay_view content, struct setpay_view signature,
                                           struct setpay_view certificate)
{
    json_t *message = json_pack("{s:s}", "type", type);
    enum setpay_error error = message == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_evidence_json_set(message, "content", content);
    if (error == SETPAY_OK && signature.size > 0)
        error = setpay_evidence_json_set(message, "signature", signature);
    if (error == SETPAY_OK && certificate.size > 0)
        error = setpay_evidence_json_set(message, "certificate", certificate);
    if (error == SETPAY_OK && json_array_append(json_object_get(file, "messages"), message) != 0)
        error = SETPAY_E_NOMEM;
    json_decref(message);
    return error;
}

static enum setpay_error add_one(void *arg, const struct setpay_evidence *evidence)
{
    return setpay_evidence_json_add(arg, evidence->type, evidence->content, evidence->signature,
                                    evidence->certificate);
}

enum setpay_error setpay_evidence_json_add_kept(json_t *file, struct setpay_db *db, int64_t owner)
{
    return setpay_evidence_each(db, owner, add_one, file);
}

void setpay_evidence_print(const json_t *file)
{
    const json_t *messages = json_object_get(file, "messages");
    const json_t *message;
    size_t at;
    json_array_foreach(messages, at, message)
    {
        printf("%-12s %s\n", json_string_value(json_object_get(message, "type")),
               json_object_get(message, "signature") != NULL ? "signed by its sender"
               : json_object_get(message, "certificate") != NULL
                   ? "with the cardholder's dual signature inside"
                   : "this party's own");
    }
    fputs("With --json it is written out, for others to check: setpay-evidence(5).\n", stderr);
}
