/*
 * The codec of ISO 8583:1987. One table says what each field is; set and parse check a value by the
 * same function, so that what this codec builds it also takes, and the other way round.
 *
 * What always holds: a message in memory holds only fields that are in the table and well-formed;
 * card data lies in struct setpay_secret only; a failed parse leaves nothing behind; words about a
 * failure name fields and places, never values.
 */
#include "gateway/network/iso8583.h"
#include "common/base/noun.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BITMAP_SIZE 8
#define MTI_SIZE 4

/* clang-format off */
static const struct setpay_iso_field_info table[] = {
    {  2, SETPAY_ISO_N,   SETPAY_ISO_LLVAR,   19, true,  "primary account number"},
    {  3, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    6, false, "processing code"},
    {  4, SETPAY_ISO_N,   SETPAY_ISO_FIXED,   12, false, "amount, transaction"},
    {  7, SETPAY_ISO_N,   SETPAY_ISO_FIXED,   10, false, "transmission date and time"},
    { 11, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    6, false, "system trace audit number"},
    { 12, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    6, false, "time, local transaction"},
    { 13, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    4, false, "date, local transaction"},
    { 14, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    4, true,  "date, expiration"},
    { 15, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    4, false, "date, settlement"},
    { 18, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    4, false, "merchant category code"},
    { 22, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    3, false, "point of service entry mode"},
    { 25, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    2, false, "point of service condition code"},
    { 32, SETPAY_ISO_N,   SETPAY_ISO_LLVAR,   11, false, "acquiring institution"},
    { 37, SETPAY_ISO_AN,  SETPAY_ISO_FIXED,   12, false, "retrieval reference number"},
    { 38, SETPAY_ISO_AN,  SETPAY_ISO_FIXED,    6, false, "approval code"},
    { 39, SETPAY_ISO_AN,  SETPAY_ISO_FIXED,    2, false, "response code"},
    { 41, SETPAY_ISO_ANS, SETPAY_ISO_FIXED,    8, false, "card acceptor terminal"},
    { 42, SETPAY_ISO_ANS, SETPAY_ISO_FIXED,   15, false, "card acceptor"},
    { 43, SETPAY_ISO_ANS, SETPAY_ISO_FIXED,   40, false, "card acceptor name and location"},
    { 44, SETPAY_ISO_ANS, SETPAY_ISO_LLVAR,   25, false, "results of the checks"},
    { 48, SETPAY_ISO_ANS, SETPAY_ISO_LLLVAR, 999, true,  "additional data"},
    { 49, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    3, false, "currency code, transaction"},
    { 50, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    3, false, "currency code, settlement"},
    { 66, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    1, false, "settlement code"},
    { 70, SETPAY_ISO_N,   SETPAY_ISO_FIXED,    3, false, "network management code"},
    { 74, SETPAY_ISO_N,   SETPAY_ISO_FIXED,   10, false, "credits, number"},
    { 75, SETPAY_ISO_N,   SETPAY_ISO_FIXED,   10, false, "credits, reversal number"},
    { 76, SETPAY_ISO_N,   SETPAY_ISO_FIXED,   10, false, "debits, number"},
    { 77, SETPAY_ISO_N,   SETPAY_ISO_FIXED,   10, false, "debits, reversal number"},
    { 86, SETPAY_ISO_N,   SETPAY_ISO_FIXED,   16, false, "credits, amount"},
    { 87, SETPAY_ISO_N,   SETPAY_ISO_FIXED,   16, false, "credits, reversal amount"},
    { 88, SETPAY_ISO_N,   SETPAY_ISO_FIXED,   16, false, "debits, amount"},
    { 89, SETPAY_ISO_N,   SETPAY_ISO_FIXED,   16, false, "debits, reversal amount"},
    { 90, SETPAY_ISO_N,   SETPAY_ISO_FIXED,   42, false, "original data elements"},
    { 95, SETPAY_ISO_AN,  SETPAY_ISO_FIXED,   42, false, "replacement amounts"},
    { 97, SETPAY_ISO_XN,  SETPAY_ISO_FIXED,   17, false, "amount, net settlement"},
    {126, SETPAY_ISO_AN,  SETPAY_ISO_LLLVAR,  32, false, "transaction identifier (xid)"},
    {127, SETPAY_ISO_AN,  SETPAY_ISO_LLLVAR,  64, false, "what the cardholder signed (POMD)"},
};
/* clang-format on */

static const char *const message_types[] = {
    "0100", "0110", "0120", "0121", "0130", "0200", "0210", "0220", "0221", "0230", "0400", "0401",
    "0410", "0420", "0421", "0430", "0500", "0501", "0510", "0520", "0521", "0530", "0800", "0810",
};

const struct setpay_iso_field_info *setpay_iso_field_table(size_t *count)
{
    *count = sizeof(table) / sizeof(table[0]);
    return table;
}

const struct setpay_iso_field_info *setpay_iso_field_info(unsigned field)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].number == field)
            return &table[i];
    return NULL;
}

void setpay_iso_clear(struct setpay_iso_message *message)
{
    for (size_t i = 0; i < SETPAY_ISO_SECRET_FIELDS; i++)
        setpay_secret_clear(&message->secrets[i]);
    memset(message, 0, sizeof(*message));
}

static bool mti_known(const char *mti)
{
    for (size_t i = 0; i < sizeof(message_types) / sizeof(message_types[0]); i++)
        if (memcmp(message_types[i], mti, MTI_SIZE) == 0)
            return true;
    return false;
}

enum setpay_error setpay_iso_set_mti(struct setpay_iso_message *message, const char *mti)
{
    if (strlen(mti) != MTI_SIZE || !mti_known(mti))
        return SETPAY_E_MESSAGE_TYPE;
    memcpy(message->mti, mti, MTI_SIZE + 1);
    return SETPAY_OK;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool character_fits(enum setpay_iso_type type, size_t at, uint8_t c)
{
    switch (type) {
    case SETPAY_ISO_N:
        return is_digit(c);
    case SETPAY_ISO_AN:
        return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == ' ';
    case SETPAY_ISO_ANS:
        return c >= 0x20 && c <= 0x7e;
    case SETPAY_ISO_XN:
        return at == 0 ? c == 'C' || c == 'D' : is_digit(c);
    case SETPAY_ISO_B:
        return true;
    }
    return false;
}

static enum setpay_error value_check(const struct setpay_iso_field_info *info,
                                     struct setpay_view value)
{
    if (value.size == 0 || value.size > info->max)
        return SETPAY_E_FIELD;
    if (info->length == SETPAY_ISO_FIXED && value.size != info->max)
        return SETPAY_E_FIELD;
    for (size_t i = 0; i < value.size; i++)
        if (!character_fits(info->type, i, value.data[i]))
            return SETPAY_E_FIELD;
    return SETPAY_OK;
}

enum setpay_error setpay_iso_set(struct setpay_iso_message *message, unsigned field,
                                 struct setpay_view value)
{
    const struct setpay_iso_field_info *info = setpay_iso_field_info(field);
    if (info == NULL || message->present[field])
        return SETPAY_E_FIELD;
    SETPAY_TRY(value_check(info, value));
    if (info->secret) {
        assert(message->secret_count < SETPAY_ISO_SECRET_FIELDS);
        SETPAY_TRY(setpay_secret_copy(&message->secrets[message->secret_count], value));
        message->offset[field] = message->secret_count++;
    } else {
        if (value.size > sizeof(message->text) - message->text_size)
            return SETPAY_E_TOO_BIG;
        memcpy(message->text + message->text_size, value.data, value.size);
        message->offset[field] = message->text_size;
        message->text_size = (uint16_t)(message->text_size + value.size);
    }
    message->size[field] = (uint16_t)value.size;
    message->present[field] = true;
    return SETPAY_OK;
}

enum setpay_error setpay_iso_set_text(struct setpay_iso_message *message, unsigned field,
                                      const char *value)
{
    return setpay_iso_set(message, field, setpay_view_string(value));
}

enum setpay_error setpay_iso_set_number(struct setpay_iso_message *message, unsigned field,
                                        uint64_t value)
{
    const struct setpay_iso_field_info *info = setpay_iso_field_info(field);
    char text[24];
    if (info == NULL || info->secret || info->length != SETPAY_ISO_FIXED || info->max > 20)
        return SETPAY_E_FIELD;
    int length = snprintf(text, sizeof(text), "%0*" PRIu64, (int)info->max, value);
    return setpay_iso_set(message, field, setpay_view_of(text, (size_t)length));
}

enum setpay_error setpay_iso_set_padded(struct setpay_iso_message *message, unsigned field,
                                        const char *value)
{
    const struct setpay_iso_field_info *info = setpay_iso_field_info(field);
    char text[64];
    size_t length = strlen(value);
    if (info == NULL || info->secret || info->length != SETPAY_ISO_FIXED ||
        info->max > sizeof(text) || length == 0 || length > info->max)
        return SETPAY_E_FIELD;
    memset(text, ' ', sizeof(text));
    memcpy(text, value, length);
    return setpay_iso_set(message, field, setpay_view_of(text, info->max));
}

enum setpay_error setpay_iso_echo(struct setpay_iso_message *message, unsigned field,
                                  const struct setpay_iso_message *from)
{
    if (!setpay_iso_has(from, field))
        return SETPAY_OK;
    return setpay_iso_set(message, field, setpay_iso_view(from, field));
}

bool setpay_iso_has(const struct setpay_iso_message *message, unsigned field)
{
    return field < SETPAY_ISO_FIELD_COUNT && message->present[field];
}

struct setpay_view setpay_iso_view(const struct setpay_iso_message *message, unsigned field)
{
    const struct setpay_iso_field_info *info = setpay_iso_field_info(field);
    assert(info != NULL && !info->secret);
    if (!message->present[field])
        return SETPAY_VIEW_EMPTY;
    return setpay_view_of(message->text + message->offset[field], message->size[field]);
}

const struct setpay_secret *setpay_iso_secret(const struct setpay_iso_message *message,
                                              unsigned field)
{
    const struct setpay_iso_field_info *info = setpay_iso_field_info(field);
    assert(info != NULL && info->secret);
    return message->present[field] ? &message->secrets[message->offset[field]] : NULL;
}

enum setpay_error setpay_iso_get_text(const struct setpay_iso_message *message, unsigned field,
                                      char *out, size_t capacity)
{
    struct setpay_view value = setpay_iso_view(message, field);
    if (value.data == NULL)
        return SETPAY_E_FIELD;
    while (value.size > 0 && value.data[value.size - 1] == ' ')
        value.size--;
    if (value.size >= capacity)
        return SETPAY_E_FIELD;
    memcpy(out, value.data, value.size);
    out[value.size] = '\0';
    return SETPAY_OK;
}

enum setpay_error setpay_iso_get_number(const struct setpay_iso_message *message, unsigned field,
                                        uint64_t *value)
{
    struct setpay_view digits = setpay_iso_view(message, field);
    uint64_t sum = 0;
    if (digits.size == 0 || digits.size > 18)
        return SETPAY_E_FIELD;
    for (size_t i = 0; i < digits.size; i++) {
        if (!is_digit(digits.data[i]))
            return SETPAY_E_FIELD;
        sum = sum * 10 + (uint64_t)(digits.data[i] - '0');
    }
    *value = sum;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ build */

static size_t prefix_size(enum setpay_iso_length length)
{
    return length == SETPAY_ISO_FIXED ? 0 : length == SETPAY_ISO_LLVAR ? 2 : 3;
}

static struct setpay_view field_bytes(const struct setpay_iso_message *message,
                                      const struct setpay_iso_field_info *info)
{
    return info->secret ? setpay_secret_view(setpay_iso_secret(message, info->number))
                        : setpay_iso_view(message, info->number);
}

static size_t message_size(const struct setpay_iso_message *message, bool *secondary)
{
    size_t size = MTI_SIZE + BITMAP_SIZE;
    *secondary = false;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (!message->present[table[i].number])
            continue;
        size += prefix_size(table[i].length) + message->size[table[i].number];
        *secondary = *secondary || table[i].number > 64;
    }
    return size + (*secondary ? BITMAP_SIZE : 0);
}

static void bitmap_mark(uint8_t *bitmap, unsigned bit)
{
    bitmap[(bit - 1) / 8] = (uint8_t)(bitmap[(bit - 1) / 8] | (0x80U >> ((bit - 1) % 8)));
}

static bool bitmap_has(const uint8_t *bitmap, unsigned bit)
{
    return (bitmap[(bit - 1) / 8] & (0x80U >> ((bit - 1) % 8))) != 0;
}

enum setpay_error setpay_iso_build(const struct setpay_iso_message *message,
                                   struct setpay_secret *frame)
{
    bool secondary;
    size_t size = message_size(message, &secondary);
    if (message->mti[0] == '\0')
        return SETPAY_E_MESSAGE_TYPE;
    if (size > SETPAY_ISO_MESSAGE_MAX)
        return SETPAY_E_TOO_BIG;
    SETPAY_TRY(setpay_secret_alloc(frame, SETPAY_ISO_HEADER_SIZE + size));

    uint8_t *at = frame->data;
    *at++ = (uint8_t)(size >> 8);
    *at++ = (uint8_t)(size & 0xff);
    memcpy(at, message->mti, MTI_SIZE);
    uint8_t *bitmap = at + MTI_SIZE;
    at = bitmap + (secondary ? 2 * BITMAP_SIZE : BITMAP_SIZE);
    if (secondary)
        bitmap_mark(bitmap, 1);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct setpay_iso_field_info *info = &table[i];
        if (!message->present[info->number])
            continue;
        struct setpay_view bytes = field_bytes(message, info);
        size_t rest = bytes.size;
        for (size_t digit = prefix_size(info->length); digit-- > 0; rest /= 10)
            at[digit] = (uint8_t)('0' + rest % 10);
        at += prefix_size(info->length);
        if (bytes.data != NULL)
            memcpy(at, bytes.data, bytes.size);
        at += bytes.size;
        bitmap_mark(bitmap, info->number);
    }
    assert(at == frame->data + frame->size);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ parse */

struct reader {
    struct setpay_view rest;
    size_t at; /* offset, for words */
};

static bool reader_take(struct reader *reader, size_t size, struct setpay_view *taken)
{
    if (reader->rest.size < size)
        return false;
    *taken = setpay_view_of(reader->rest.data, size);
    reader->rest.data += size;
    reader->rest.size -= size;
    reader->at += size;
    return true;
}

static enum setpay_error field_parse(struct reader *reader, unsigned number,
                                     struct setpay_iso_message *message,
                                     struct setpay_problem *problem)
{
    const struct setpay_iso_field_info *info = setpay_iso_field_info(number);
    struct setpay_view bytes;
    if (info == NULL)
        return setpay_problem_set(problem, SETPAY_E_FIELD, "field %u at byte %zu is not known",
                                  number, reader->at);
    size_t size = info->max;
    if (info->length != SETPAY_ISO_FIXED) {
        if (!reader_take(reader, prefix_size(info->length), &bytes))
            return setpay_problem_set(problem, SETPAY_E_MALFORMED,
                                      "the message ends in the length of field %u", number);
        size = 0;
        for (size_t i = 0; i < bytes.size; i++) {
            if (!is_digit(bytes.data[i]))
                return setpay_problem_set(problem, SETPAY_E_MALFORMED,
                                          "the length of field %u is not digits", number);
            size = size * 10 + (size_t)(bytes.data[i] - '0');
        }
        if (size == 0 || size > info->max)
            return setpay_problem_set(
                problem, SETPAY_E_FIELD, "field %u has %zu %s, expected 1 to %u", number, size,
                setpay_noun((int64_t)size, "character", "characters"), (unsigned)info->max);
    }
    if (!reader_take(reader, size, &bytes))
        return setpay_problem_set(problem, SETPAY_E_MALFORMED,
                                  "the message ends in field %u at byte %zu", number, reader->at);
    enum setpay_error error = setpay_iso_set(message, number, bytes);
    if (error != SETPAY_OK)
        return setpay_problem_set(problem, error, "field %u (%s) is not well-formed", number,
                                  info->name);
    return SETPAY_OK;
}

static enum setpay_error message_parse(struct reader *reader, struct setpay_iso_message *message,
                                       struct setpay_problem *problem)
{
    struct setpay_view part;
    uint8_t bitmap[2 * BITMAP_SIZE] = {0};
    if (!reader_take(reader, MTI_SIZE, &part))
        return setpay_problem_set(problem, SETPAY_E_MALFORMED, "the message ends in its type");
    if (!mti_known((const char *)part.data))
        return setpay_problem_set(problem, SETPAY_E_MESSAGE_TYPE, "the message type is not known");
    memcpy(message->mti, part.data, MTI_SIZE);
    if (!reader_take(reader, BITMAP_SIZE, &part))
        return setpay_problem_set(problem, SETPAY_E_MALFORMED, "the message ends in its bitmap");
    memcpy(bitmap, part.data, BITMAP_SIZE);
    unsigned last = 64;
    if (bitmap_has(bitmap, 1)) {
        if (!reader_take(reader, BITMAP_SIZE, &part))
            return setpay_problem_set(problem, SETPAY_E_MALFORMED,
                                      "the message ends in its secondary bitmap");
        memcpy(bitmap + BITMAP_SIZE, part.data, BITMAP_SIZE);
        last = 128;
        if (bitmap_has(bitmap, 65))
            return setpay_problem_set(problem, SETPAY_E_NOT_CANONICAL,
                                      "a third bitmap (bit 65) is not taken");
        uint8_t any = 0;
        for (size_t i = BITMAP_SIZE; i < sizeof(bitmap); i++)
            any = any | bitmap[i];
        if (any == 0)
            return setpay_problem_set(problem, SETPAY_E_NOT_CANONICAL,
                                      "the secondary bitmap is empty");
    }
    for (unsigned number = 2; number <= last; number++)
        if (bitmap_has(bitmap, number))
            SETPAY_TRY(field_parse(reader, number, message, problem));
    if (reader->rest.size != 0)
        return setpay_problem_set(
            problem, SETPAY_E_NOT_CANONICAL, "%zu %s behind the last field", reader->rest.size,
            setpay_noun((int64_t)reader->rest.size, "byte stands", "bytes stand"));
    return SETPAY_OK;
}

enum setpay_error setpay_iso_parse(struct setpay_view bytes, struct setpay_iso_message *message,
                                   struct setpay_problem *problem)
{
    struct reader reader = {.rest = bytes};
    struct setpay_problem unread;
    if (problem == NULL)
        problem = &unread;
    if (bytes.size > SETPAY_ISO_MESSAGE_MAX)
        return setpay_problem_set(problem, SETPAY_E_TOO_BIG, "%zu bytes, at most %d are taken",
                                  bytes.size, SETPAY_ISO_MESSAGE_MAX);
    enum setpay_error error = message_parse(&reader, message, problem);
    if (error != SETPAY_OK)
        setpay_iso_clear(message);
    return error;
}

enum setpay_error setpay_iso_frame_size(const uint8_t header[SETPAY_ISO_HEADER_SIZE], size_t *size)
{
    size_t announced = (size_t)header[0] << 8 | header[1];
    if (announced > SETPAY_ISO_MESSAGE_MAX)
        return SETPAY_E_TOO_BIG;
    if (announced < SETPAY_ISO_MESSAGE_MIN)
        return SETPAY_E_MALFORMED;
    *size = announced;
    return SETPAY_OK;
}

enum setpay_error setpay_iso_element(const struct setpay_iso_message *message, unsigned tag,
                                     struct setpay_view *data)
{
    const struct setpay_secret *field = setpay_iso_secret(message, SETPAY_ISO_ADDITIONAL);
    struct setpay_view found = SETPAY_VIEW_EMPTY;
    struct setpay_view rest = field == NULL ? SETPAY_VIEW_EMPTY : setpay_secret_view(field);
    unsigned before = 0;
    while (rest.size > 0) {
        for (size_t i = 0; i < 4; i++)
            if (i >= rest.size || !is_digit(rest.data[i]))
                return SETPAY_E_FIELD;
        unsigned this_tag = (unsigned)(rest.data[0] - '0') * 10 + (unsigned)(rest.data[1] - '0');
        size_t size = (size_t)(rest.data[2] - '0') * 10 + (size_t)(rest.data[3] - '0');
        if (this_tag <= before || size == 0 || size > rest.size - 4)
            return SETPAY_E_FIELD;
        if (this_tag == tag)
            found = setpay_view_of(rest.data + 4, size);
        before = this_tag;
        rest = setpay_view_of(rest.data + 4 + size, rest.size - 4 - size);
    }
    *data = found;
    return SETPAY_OK;
}
