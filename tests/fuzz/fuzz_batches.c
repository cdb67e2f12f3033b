/*
 * A merchant's exported batches, as the gateway's operator gets them from anybody. Input: the text
 * of the file. What does not parse leaves nothing behind and says why; of what parses, every value
 * is in its range, the digest can be made in both ways, and proofs are bytes or refused.
 */
#include "common/crypto/hash.h"
#include "common/net/batch_file.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

static void check_proof(const json_t *json)
{
    struct setpay_batch_proof proof = {.message = {.is_signed = false}};
    if (json == NULL)
        return;
    if (setpay_batch_proof_read(json, &proof) == SETPAY_OK)
        FUZZ_CHECK(proof.message.is_signed && proof.message.suite == SETPAY_SUITE &&
                   proof.message.content.size > 0 && proof.message.signature.size > 0);
    else
        FUZZ_CHECK(proof.message.content.size == 0 && !proof.message.is_signed);
    setpay_batch_proof_clear(&proof);
}

static void check_part(const struct setpay_batch_file *file, size_t n)
{
    const struct setpay_batch_part *part = &file->parts[n];
    struct setpay_digest one, other;
    FUZZ_CHECK(part->number > 0 && setpay_brand_is_valid(part->brand));
    FUZZ_CHECK(part->total_count <= SETPAY_LIMIT_CURRENCIES);
    for (size_t i = 0; i < part->line_count; i++) {
        const struct setpay_batch_line *line = &part->lines[i];
        FUZZ_CHECK(line->amount.minor > 0 && line->amount.minor <= SETPAY_MONEY_MAX_MINOR);
        FUZZ_CHECK(setpay_currency_by_code(line->amount.currency) != NULL);
        FUZZ_CHECK(strlen(line->date) == strlen("2026-11-26T12:00:00.000Z"));
        check_proof(line->proof);
        check_proof(line->undone_proof);
    }
    check_proof(part->proof);
    for (size_t i = 0; i < json_array_size(part->differed); i++)
        check_proof(json_array_get(part->differed, i));
    const json_t *batch = json_array_get(json_object_get(file->json, "batches"), n);
    FUZZ_CHECK(setpay_batch_part_hash(part, &one) == SETPAY_OK);
    FUZZ_CHECK(setpay_batch_json_hash(json_object_get(batch, "items"), &other) == SETPAY_OK);
    FUZZ_CHECK(setpay_digest_equal(&one, &other));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_batch_file file;
    struct setpay_problem problem = {{0}};
    fuzz_stain(&file, sizeof(file));
    if (setpay_batch_file_parse(setpay_view_of(data, size), &file, &problem) != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_stained(&file, sizeof(file)) && problem.text[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < file.part_count; i++)
        check_part(&file, i);
    for (size_t i = 0; i <= SETPAY_BATCH_FILE_CERTIFICATES; i++) {
        struct setpay_secret der = {0};
        enum setpay_error error = setpay_batch_file_certificate(&file, i, &der);
        FUZZ_CHECK(error == SETPAY_OK || error == SETPAY_E_NOT_FOUND ||
                   error == SETPAY_E_MALFORMED);
        setpay_secret_clear(&der);
    }
    setpay_batch_file_clear(&file);
    return 0;
}
