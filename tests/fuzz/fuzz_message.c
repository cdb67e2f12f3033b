/*
 * The outer Message (rule A1): what parses is within all limits, and packs to the same bytes again.
 */
#include "common/wire/signed.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

static void check_limits(const struct setpay_message *message)
{
    FUZZ_CHECK(message->suite == 1);
    FUZZ_CHECK(setpay_message_type_name(message->type) != NULL);
    FUZZ_CHECK(message->type != SETPAY_MESSAGE_RECEIPT);
    FUZZ_CHECK(message->content.size <= SETPAY_LIMIT_CONTENT_BYTES);
    FUZZ_CHECK(message->certificate_count <= SETPAY_LIMIT_CERTIFICATES);
    FUZZ_CHECK(message->crl_count <= SETPAY_LIMIT_CRLS);
    for (size_t i = 0; i < message->certificate_count; i++)
        FUZZ_CHECK(message->certificates[i].size <= SETPAY_LIMIT_CERTIFICATE_BYTES);
    for (size_t i = 0; i < message->crl_count; i++)
        FUZZ_CHECK(message->crls[i].size <= SETPAY_LIMIT_CRL_BESIDE_BYTES);
    bool sealed = message->type == SETPAY_MESSAGE_P_REQ || message->type == SETPAY_MESSAGE_AUTH_REQ;
    FUZZ_CHECK(message->envelope.size <= (sealed ? SETPAY_LIMIT_ENVELOPE_BYTES : 0));
    bool open = message->type == SETPAY_MESSAGE_PINIT_REQ || message->type == SETPAY_MESSAGE_P_REQ;
    FUZZ_CHECK(message->is_signed ? !open : open || message->type == SETPAY_MESSAGE_ERROR);
}

static void check_packing(const struct setpay_message *message, struct setpay_view bytes)
{
    struct setpay_signature signature;
    struct setpay_buffer again;
    struct setpay_message_parts parts = {
        .type = message->type,
        .content = message->content,
        .certificates = message->certificates,
        .certificate_count = message->certificate_count,
        .crls = message->crls,
        .crl_count = message->crl_count,
        .envelope = message->envelope,
    };
    if (message->is_signed) {
        FUZZ_CHECK(setpay_signature_from_view(message->signature, &signature) == SETPAY_OK);
        parts.signature = &signature;
        parts.signer = &message->signer;
    }
    setpay_buffer_init(&again, SETPAY_LIMIT_MESSAGE_BYTES);
    FUZZ_CHECK(setpay_message_build(&parts, &again) == SETPAY_OK);
    FUZZ_CHECK(setpay_view_equal(setpay_buffer_view(&again), bytes));
    setpay_buffer_clear(&again);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return fuzz_mutate_message(data, size, max_size, seed, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view bytes = {data, size};
    struct setpay_message message;
    struct setpay_digest hash;
    fuzz_stain(&message, sizeof(message));
    if (setpay_message_parse(bytes, &message) != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_stained(&message, sizeof(message)));
        return 0;
    }
    FUZZ_CHECK(size <= SETPAY_LIMIT_MESSAGE_BYTES);
    check_limits(&message);
    check_packing(&message, bytes);
    FUZZ_CHECK(setpay_message_request_hash(&message, &hash) == SETPAY_OK);
    setpay_message_clear(&message);
    return 0;
}
