/*
 * The form of setpay-batch(5), read strictly: a member that is missing, of another kind or out of
 * range refuses the file, with its path in it ("batches[0].items[3].amount"). Members that are not
 * known are passed over. Whether totals, hash and order hold is not of the form: who compares names
 * what does not.
 */
#include "common/net/batch_file.h"

#include "common/crypto/base64.h"
#include "common/crypto/hash.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 80
#define DEPTH_MAX 16 /* of ours: 5 */
#define DIFFERED_MAX 100000

/* Where in the file a reader is. */
struct reader {
    char path[PATH_SIZE];
    struct setpay_problem *problem;
};

static enum setpay_error refuse(const struct reader *reader, const char *member,
                                const json_t *found, const char *expected)
{
    char *text = found == NULL ? NULL : json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT);
    enum setpay_error error =
        setpay_problem_set(reader->problem, SETPAY_E_INVALID, "%s%s%s: found %.60s, expected %s",
                           reader->path, reader->path[0] != '\0' && member[0] != '\0' ? "." : "",
                           member, text != NULL ? text : "nothing", expected);
    free(text);
    return error;
}

/* ------------------------------------------------------------------ members */

static enum setpay_error take_int(const struct reader *reader, const json_t *json,
                                  const char *member, int64_t min, int64_t max,
                                  const char *expected, int64_t *value)
{
    const json_t *found = json_object_get(json, member);
    if (!json_is_integer(found) || json_integer_value(found) < min ||
        json_integer_value(found) > max)
        return refuse(reader, member, found, expected);
    *value = json_integer_value(found);
    return SETPAY_OK;
}

static enum setpay_error take_id(const struct reader *reader, const json_t *json,
                                 const char *member, struct setpay_id *id)
{
    const json_t *found = json_object_get(json, member);
    const char *text = json_string_value(found);
    if (text == NULL || json_string_length(found) != strlen(text) ||
        setpay_id_parse(text, id) != SETPAY_OK)
        return refuse(reader, member, found, "32 hexadecimal digits");
    return SETPAY_OK;
}

static enum setpay_error take_name(const struct reader *reader, const json_t *json,
                                   const char *member, bool (*is_valid)(const char *),
                                   const char *expected, char *out, size_t size)
{
    const json_t *found = json_object_get(json, member);
    const char *text = json_string_value(found);
    if (text == NULL || json_string_length(found) != strlen(text) || strlen(text) >= size ||
        !is_valid(text))
        return refuse(reader, member, found, expected);
    memcpy(out, text, strlen(text) + 1);
    return SETPAY_OK;
}

static bool is_currency(const char *text)
{
    return setpay_currency_by_code(text) != NULL;
}

/* Of the shape that setpay_time_format makes. */
static bool is_date(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    size_t i = 0;
    for (; shape[i] != '\0' && text[i] != '\0'; i++)
        if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            return false;
    return shape[i] == '\0' && text[i] == '\0';
}

/* One of two words; *is_second says which. */
static enum setpay_error take_word(const struct reader *reader, const json_t *json,
                                   const char *member, const char *first, const char *second,
                                   const char *expected, bool *is_second)
{
    const char *text = json_string_value(json_object_get(json, member));
    if (text == NULL || (strcmp(text, first) != 0 && strcmp(text, second) != 0))
        return refuse(reader, member, json_object_get(json, member), expected);
    *is_second = strcmp(text, second) == 0;
    return SETPAY_OK;
}

/* An object, or NULL where the member is not there. */
static enum setpay_error take_proof(const struct reader *reader, const json_t *json,
                                    const char *member, const json_t **proof)
{
    *proof = json_object_get(json, member);
    if (*proof != NULL && !json_is_object(*proof))
        return refuse(reader, member, *proof, "an object");
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ items and batches */

const char *setpay_batch_kind_name(enum setpay_batch_item_kind kind)
{
    return kind == SETPAY_BATCH_CREDIT ? "credit" : "capture";
}

static enum setpay_error read_line(const struct reader *reader, const json_t *json,
                                   struct setpay_batch_line *line)
{
    bool credits = false;
    if (!json_is_object(json))
        return refuse(reader, "", json, "an object");
    SETPAY_TRY(take_id(reader, json, "id", &line->id));
    SETPAY_TRY(take_id(reader, json, "xid", &line->xid));
    SETPAY_TRY(take_word(reader, json, "kind", "capture", "credit", "\"capture\" or \"credit\"",
                         &credits));
    line->kind = credits ? SETPAY_BATCH_CREDIT : SETPAY_BATCH_CAPTURE;
    SETPAY_TRY(take_int(reader, json, "amount", 1, SETPAY_MONEY_MAX_MINOR,
                        "a whole number of minor units from 1 to 999999999999",
                        &line->amount.minor));
    SETPAY_TRY(take_name(reader, json, "currency", is_currency, "the three letters of a currency",
                         line->amount.currency, sizeof line->amount.currency));
    SETPAY_TRY(take_name(reader, json, "date", is_date, "a time like 2026-11-26T12:00:00.000Z",
                         line->date, sizeof line->date));
    SETPAY_TRY(take_word(reader, json, "status", "done", "undone", "\"done\" or \"undone\"",
                         &line->undone));
    SETPAY_TRY(take_proof(reader, json, "proof", &line->proof));
    return take_proof(reader, json, "undone_proof", &line->undone_proof);
}

static enum setpay_error read_total(const struct reader *reader, const json_t *json,
                                    struct setpay_batch_total *total)
{
    static const char number[] = "a whole number from 0";
    int64_t captures = 0, credits = 0;
    if (!json_is_object(json))
        return refuse(reader, "", json, "an object");
    SETPAY_TRY(take_name(reader, json, "currency", is_currency, "the three letters of a currency",
                         total->currency, sizeof total->currency));
    SETPAY_TRY(take_int(reader, json, "capture_count", 0, UINT32_MAX, number, &captures));
    SETPAY_TRY(
        take_int(reader, json, "capture_amount", 0, INT64_MAX, number, &total->capture_minor));
    SETPAY_TRY(take_int(reader, json, "credit_count", 0, UINT32_MAX, number, &credits));
    SETPAY_TRY(take_int(reader, json, "credit_amount", 0, INT64_MAX, number, &total->credit_minor));
    total->capture_count = (uint32_t)captures;
    total->credit_count = (uint32_t)credits;
    return SETPAY_OK;
}

static enum setpay_error read_totals(const struct reader *reader, const json_t *json,
                                     struct setpay_batch_part *part)
{
    const json_t *list = json_object_get(json, "totals");
    char expected[48];
    (void)snprintf(expected, sizeof expected, "an array of at most %d totals",
                   SETPAY_LIMIT_CURRENCIES);
    if (!json_is_array(list) || json_array_size(list) > SETPAY_LIMIT_CURRENCIES)
        return refuse(reader, "totals", list, expected);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct reader inner = {.problem = reader->problem};
        (void)snprintf(inner.path, sizeof inner.path, "%.40s.totals[%zu]", reader->path, i);
        SETPAY_TRY(read_total(&inner, json_array_get(list, i), &part->totals[i]));
    }
    part->total_count = json_array_size(list);
    return SETPAY_OK;
}

static enum setpay_error read_lines(const struct reader *reader, const json_t *json,
                                    struct setpay_batch_part *part)
{
    const json_t *list = json_object_get(json, "items");
    if (!json_is_array(list) || json_array_size(list) > SETPAY_BATCH_FILE_ITEMS)
        return refuse(reader, "items", list, "an array of at most 100000 items");
    part->lines = calloc(json_array_size(list) + 1, sizeof *part->lines);
    if (part->lines == NULL)
        return SETPAY_E_NOMEM;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct reader inner = {.problem = reader->problem};
        (void)snprintf(inner.path, sizeof inner.path, "%.40s.items[%zu]", reader->path, i);
        SETPAY_TRY(read_line(&inner, json_array_get(list, i), &part->lines[i]));
    }
    part->line_count = json_array_size(list);
    return SETPAY_OK;
}

/* Answers in which the two differed; most batches have none. */
static enum setpay_error read_differed(const struct reader *reader, const json_t *json,
                                       struct setpay_batch_part *part)
{
    const json_t *list = json_object_get(json, "differed");
    if (list != NULL && (!json_is_array(list) || json_array_size(list) > DIFFERED_MAX))
        return refuse(reader, "differed", list, "an array of at most 100000 answers");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_object(json_array_get(list, i)))
            return refuse(reader, "differed", json_array_get(list, i), "an array of objects");
    part->differed = list;
    return SETPAY_OK;
}

static bool is_status(const char *text)
{
    return strcmp(text, "open") == 0 || strcmp(text, "closing") == 0 ||
           strcmp(text, "differs") == 0 || strcmp(text, "closed") == 0;
}

static enum setpay_error read_part(const struct reader *reader, const json_t *json,
                                   struct setpay_batch_part *part)
{
    int64_t number = 0;
    char status[16];
    const json_t *hash = json_object_get(json, "hash");
    if (!json_is_object(json))
        return refuse(reader, "", json, "an object");
    SETPAY_TRY(take_name(reader, json, "brand", setpay_brand_is_valid, "the name of a brand",
                         part->brand, sizeof part->brand));
    SETPAY_TRY(take_int(reader, json, "batch", 1, UINT32_MAX, "a batch's number, from 1", &number));
    part->number = (uint32_t)number;
    SETPAY_TRY(take_name(reader, json, "status", is_status,
                         "\"open\", \"closing\", \"closed\" or \"differs\"", status,
                         sizeof status));
    part->closed = strcmp(status, "closed") == 0;
    if (!json_is_string(hash) || json_string_length(hash) != 64 ||
        setpay_digest_parse(json_string_value(hash), &part->hash) != SETPAY_OK)
        return refuse(reader, "hash", hash, "64 hexadecimal digits");
    SETPAY_TRY(take_proof(reader, json, "proof", &part->proof));
    SETPAY_TRY(read_differed(reader, json, part));
    SETPAY_TRY(read_totals(reader, json, part));
    return read_lines(reader, json, part);
}

/* ------------------------------------------------------------------ the file */

void setpay_batch_file_clear(struct setpay_batch_file *file)
{
    for (size_t i = 0; i < file->part_count; i++)
        free(file->parts[i].lines);
    free(file->parts);
    json_decref(file->json);
    memset(file, 0, sizeof *file);
}

static enum setpay_error read_head(const struct reader *reader, struct setpay_batch_file *file)
{
    const json_t *complete = json_object_get(file->json, "complete");
    const json_t *list = json_object_get(file->json, "certificates");
    int64_t version = 0;
    if (!json_is_object(file->json))
        return refuse(reader, "the file", file->json, "one JSON object");
    SETPAY_TRY(take_int(reader, file->json, "setpay_batch", SETPAY_BATCH_FILE_VERSION,
                        SETPAY_BATCH_FILE_VERSION, "1: a file of `setpay-merchant batch export`",
                        &version));
    SETPAY_TRY(take_name(reader, file->json, "merchant_id", setpay_party_id_is_valid,
                         "a merchant's id", file->merchant_id, sizeof file->merchant_id));
    SETPAY_TRY(take_name(reader, file->json, "exported", is_date,
                         "a time like 2026-11-26T12:00:00.000Z", file->exported,
                         sizeof file->exported));
    if (json_object_get(file->json, "answers_kept_since") != NULL)
        SETPAY_TRY(take_name(reader, file->json, "answers_kept_since", is_date,
                             "a time like 2026-11-26T12:00:00.000Z", file->kept_since,
                             sizeof file->kept_since));
    if (!json_is_boolean(complete))
        return refuse(reader, "complete", complete, "true or false");
    file->complete = json_is_true(complete);
    if (!json_is_array(list) || json_array_size(list) > SETPAY_BATCH_FILE_CERTIFICATES)
        return refuse(reader, "certificates", list, "an array of at most 64 certificates");
    return SETPAY_OK;
}

static enum setpay_error read_parts(const struct reader *reader, struct setpay_batch_file *file)
{
    const json_t *list = json_object_get(file->json, "batches");
    if (!json_is_array(list))
        return refuse(reader, "batches", list, "an array of batches");
    file->parts = calloc(json_array_size(list) + 1, sizeof *file->parts);
    if (file->parts == NULL)
        return SETPAY_E_NOMEM;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct reader inner = {.problem = reader->problem};
        (void)snprintf(inner.path, sizeof inner.path, "batches[%zu]", i);
        file->part_count = i + 1;
        SETPAY_TRY(read_part(&inner, json_array_get(list, i), &file->parts[i]));
    }
    return SETPAY_OK;
}

/* Jansson nests calls as deep as the text nests: who writes to us does not choose how deep. */
static bool is_flat(struct setpay_view bytes)
{
    bool in_text = false;
    int depth = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        if (in_text && c == '\\')
            i++;
        else if (c == '"')
            in_text = !in_text;
        else if (!in_text && (c == '{' || c == '['))
            depth++;
        else if (!in_text && (c == '}' || c == ']'))
            depth--;
        if (depth > DEPTH_MAX)
            return false;
    }
    return true;
}

enum setpay_error setpay_batch_file_parse(struct setpay_view bytes, struct setpay_batch_file *file,
                                          struct setpay_problem *problem)
{
    struct reader reader = {.problem = problem};
    struct setpay_batch_file read = {.json = NULL};
    json_error_t where;
    if (!is_flat(bytes))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "nested too deep for a file of `setpay-merchant batch export`");
    read.json = json_loadb((const char *)bytes.data, bytes.size, JSON_REJECT_DUPLICATES, &where);
    if (read.json == NULL)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "line %d, column %d: %.80s; expected a file of "
                                  "`setpay-merchant batch export`",
                                  where.line, where.column, where.text);
    enum setpay_error error = read_head(&reader, &read);
    if (error == SETPAY_OK)
        error = read_parts(&reader, &read);
    if (error != SETPAY_OK) {
        setpay_batch_file_clear(&read);
        return error;
    }
    *file = read;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ the hash */

static bool add_line(EVP_MD_CTX *context, const struct setpay_batch_line *line)
{
    char id[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE], text[200];
    int size = snprintf(text, sizeof text, "%s,%s,%s,%lld,%s,%s,%s\n",
                        setpay_id_format(&line->id, id), setpay_id_format(&line->xid, xid),
                        setpay_batch_kind_name(line->kind), (long long)line->amount.minor,
                        line->amount.currency, line->date, line->undone ? "undone" : "done");
    return EVP_DigestUpdate(context, text, (size_t)size) == 1;
}

enum setpay_error setpay_batch_part_hash(const struct setpay_batch_part *part,
                                         struct setpay_digest *hash)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    struct setpay_digest made;
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; i < part->line_count && good; i++)
        good = add_line(context, &part->lines[i]);
    good = good && EVP_DigestFinal_ex(context, made.bytes, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (!good)
        return SETPAY_E_CRYPTO;
    *hash = made;
    return SETPAY_OK;
}

enum setpay_error setpay_batch_json_hash(const json_t *items, struct setpay_digest *hash)
{
    struct setpay_problem ignored;
    const struct reader reader = {.problem = &ignored};
    struct setpay_batch_part part = {.lines = NULL};
    json_t *holder = json_pack("{s:O}", "items", items);
    enum setpay_error error = holder == NULL ? SETPAY_E_NOMEM : read_lines(&reader, holder, &part);
    if (error == SETPAY_OK)
        error = setpay_batch_part_hash(&part, hash);
    free(part.lines);
    json_decref(holder);
    return error;
}

/* ------------------------------------------------------------------ proofs */

static enum setpay_error take_bytes(const json_t *text, size_t max, struct setpay_secret *bytes)
{
    if (!json_is_string(text) ||
        setpay_base64_decode(setpay_view_of(json_string_value(text), json_string_length(text)), max,
                             bytes) != SETPAY_OK)
        return SETPAY_E_MALFORMED;
    return SETPAY_OK;
}

static enum setpay_message_type type_of(const char *name)
{
    static const enum setpay_message_type types[] = {
        SETPAY_MESSAGE_AUTH_RES, SETPAY_MESSAGE_CAP_RES,      SETPAY_MESSAGE_CAP_REV_RES,
        SETPAY_MESSAGE_CRED_RES, SETPAY_MESSAGE_CRED_REV_RES, SETPAY_MESSAGE_BATCH_ADMIN_RES};
    for (size_t i = 0; name != NULL && i < sizeof types / sizeof *types; i++)
        if (strcmp(setpay_message_type_name(types[i]), name) == 0)
            return types[i];
    return SETPAY_MESSAGE_ERROR;
}

void setpay_batch_proof_clear(struct setpay_batch_proof *proof)
{
    setpay_secret_clear(&proof->content);
    setpay_secret_clear(&proof->signature);
    memset(proof, 0, sizeof *proof);
}

static enum setpay_error read_proof(const json_t *json, struct setpay_batch_proof *proof)
{
    const char *signer = json_string_value(json_object_get(json, "signer"));
    proof->message.type = type_of(json_string_value(json_object_get(json, "type")));
    if (proof->message.type == SETPAY_MESSAGE_ERROR || signer == NULL ||
        setpay_digest_parse(signer, &proof->message.signer) != SETPAY_OK)
        return SETPAY_E_MALFORMED;
    SETPAY_TRY(
        take_bytes(json_object_get(json, "content"), SETPAY_LIMIT_CONTENT_BYTES, &proof->content));
    return take_bytes(json_object_get(json, "signature"), SETPAY_WIRE_SIGNATURE_MAX,
                      &proof->signature);
}

enum setpay_error setpay_batch_proof_read(const json_t *json, struct setpay_batch_proof *proof)
{
    enum setpay_error error = read_proof(json, proof);
    if (error != SETPAY_OK) {
        setpay_batch_proof_clear(proof);
        return error;
    }
    proof->message.suite = SETPAY_SUITE;
    proof->message.is_signed = true;
    proof->message.content = setpay_secret_view(&proof->content);
    proof->message.signature = setpay_secret_view(&proof->signature);
    return SETPAY_OK;
}

enum setpay_error setpay_batch_file_certificate(const struct setpay_batch_file *file, size_t n,
                                                struct setpay_secret *der)
{
    const json_t *list = json_object_get(file->json, "certificates");
    if (n >= json_array_size(list))
        return SETPAY_E_NOT_FOUND;
    return take_bytes(json_array_get(list, n), SETPAY_LIMIT_CERTIFICATE_BYTES, der);
}
