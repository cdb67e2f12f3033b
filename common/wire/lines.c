/*
 * The lines of setpay-clearing(5)'s and setpay-settlement(5)'s files, and the values that all of
 * them have.
 */
#include "common/wire/lines.h"

#include "common/base/noun.h"
#include "common/crypto/hash.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ values */

bool setpay_lines_made_of(const char *text, const char *characters, size_t least, size_t most)
{
    size_t size = strlen(text);
    return size >= least && size <= most && strspn(text, characters) == size;
}

bool setpay_lines_id_valid(const char *text)
{
    return setpay_lines_made_of(text, SETPAY_LINES_DIGITS "abcdef", 32, 32);
}

bool setpay_lines_read_number(const char *text, int64_t least, int64_t most, int64_t *value)
{
    if (!setpay_lines_made_of(text, SETPAY_LINES_DIGITS, 1, 18) ||
        (text[0] == '0' && text[1] != '\0'))
        return false;
    int64_t got = strtoll(text, NULL, 10);
    if (got < least || got > most)
        return false;
    *value = got;
    return true;
}

bool setpay_lines_acquirer_valid(const char *text)
{
    int64_t value;
    return setpay_lines_made_of(text, SETPAY_LINES_DIGITS, 1, 11) &&
           setpay_lines_read_number(text, 0, INT64_MAX, &value);
}

bool setpay_lines_reference_valid(const char *text)
{
    return setpay_lines_made_of(text, SETPAY_LINES_ALNUM, 12, 12);
}

/* ------------------------------------------------------------------ lines */

enum setpay_error setpay_lines_refuse(const struct setpay_lines *reader, const char *format, ...)
{
    char words[256];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    return setpay_problem_set(reader->problem, SETPAY_E_INVALID, "line %zu: %s", reader->number,
                              words);
}

enum setpay_error setpay_lines_refuse_field(const struct setpay_lines *reader, size_t field,
                                            const char *name, const char *expected)
{
    return setpay_lines_refuse(reader, "%s: found \"%s\", expected %s", name, reader->fields[field],
                               expected);
}

enum setpay_error setpay_lines_check_mark(const struct setpay_lines *reader)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    if (reader->bytes.size < sizeof mark || memcmp(reader->bytes.data, mark, sizeof mark) != 0)
        return SETPAY_OK;
    return setpay_problem_set(reader->problem, SETPAY_E_INVALID,
                              "line 1: begins with a byte order mark (BOM), as some editors add it;"
                              " expected the file as it was written");
}

enum setpay_error setpay_lines_next(struct setpay_lines *reader)
{
    size_t size = 0;
    reader->number++;
    reader->start = reader->at;
    reader->field_count = 0;
    memset(reader->fields, 0, sizeof(reader->fields));
    if (reader->at == reader->bytes.size)
        return setpay_lines_refuse(reader, "the file ends without a line \"end\"; it is not whole");
    for (; reader->at < reader->bytes.size; reader->at++) {
        uint8_t c = reader->bytes.data[reader->at];
        if (c == '\n' || c == ',') {
            size = 0;
            reader->field_count++;
            if (c == ',' && reader->field_count == reader->field_limit)
                return setpay_lines_refuse(reader, "more than %zu fields", reader->field_limit);
            if (c == ',')
                continue;
            reader->at++;
            return SETPAY_OK;
        }
        if (c == '\r')
            return setpay_lines_refuse(reader,
                                       "ends with CR LF, as lines of Windows do, expected LF"
                                       " alone: was the file sent as text, or saved by an"
                                       " editor?");
        if (c <= ' ' || c > '~' || c == '"')
            return setpay_lines_refuse(reader,
                                       "field %zu holds the byte 0x%02x, which no field may",
                                       reader->field_count + 1, c);
        if (size == SETPAY_LINES_FIELD_MAX)
            return setpay_lines_refuse(reader, "field %zu is longer than %d characters",
                                       reader->field_count + 1, SETPAY_LINES_FIELD_MAX);
        reader->fields[reader->field_count][size++] = (char)c;
    }
    return setpay_lines_refuse(reader, "does not end with a newline; the file is not whole");
}

bool setpay_lines_is(const struct setpay_lines *reader, const char *kind)
{
    return strcmp(reader->fields[0], kind) == 0;
}

enum setpay_error setpay_lines_check_count(const struct setpay_lines *reader, size_t count)
{
    if (reader->field_count == count)
        return SETPAY_OK;
    return setpay_lines_refuse(
        reader, "found %zu %s, expected the %zu of \"%s\"", reader->field_count,
        setpay_noun((int64_t)reader->field_count, "field", "fields"), count, reader->fields[0]);
}

void setpay_lines_take(const struct setpay_lines *reader, size_t field, char *out, size_t size)
{
    const char *text = reader->fields[field];
    size_t length = strlen(text);
    if (length >= size) {
        text = "?";
        length = 1;
    }
    memcpy(out, text, length);
    out[length] = '\0';
}

enum setpay_error setpay_lines_expect(struct setpay_lines *reader, const char *expected,
                                      size_t size)
{
    struct setpay_view found =
        setpay_view_of(reader->bytes.data + reader->start, reader->at - reader->start);
    if (!setpay_view_equal(found, setpay_view_of(expected, size)))
        return setpay_lines_refuse(reader, "found \"%.*s\", but the rows come to \"%.*s\"",
                                   (int)(found.size > 100 ? 100 : found.size - 1),
                                   (const char *)found.data, (int)size - 1, expected);
    return setpay_lines_next(reader);
}

enum setpay_error setpay_lines_check_seal(struct setpay_lines *reader, size_t row_count)
{
    struct setpay_digest digest;
    char rows[24];
    char text[SETPAY_DIGEST_TEXT_SIZE];
    if (!setpay_lines_is(reader, "end"))
        return setpay_lines_refuse_field(reader, 0, "the line's kind", "row, then total, then end");
    SETPAY_TRY(setpay_lines_check_count(reader, 3));
    snprintf(rows, sizeof(rows), "%zu", row_count);
    if (strcmp(reader->fields[1], rows) != 0)
        return setpay_lines_refuse_field(reader, 1, "the number of rows", rows);
    SETPAY_TRY(setpay_sha256(setpay_view_of(reader->bytes.data, reader->start), &digest));
    if (strcmp(reader->fields[2], setpay_digest_format(&digest, text)) != 0)
        return setpay_lines_refuse(
            reader,
            "the SHA-256 of what stands before is %s, not \"%s\": the file was "
            "changed or is damaged",
            text, reader->fields[2]);
    return SETPAY_OK;
}

enum setpay_error setpay_lines_check_end(struct setpay_lines *reader, size_t row_count)
{
    SETPAY_TRY(setpay_lines_check_seal(reader, row_count));
    if (reader->at != reader->bytes.size) {
        reader->number++;
        return setpay_lines_refuse(reader, "there is something behind the line \"end\"");
    }
    return SETPAY_OK;
}

enum setpay_error setpay_lines_seal(struct setpay_buffer *out, size_t start, size_t row_count)
{
    struct setpay_digest digest;
    char text[SETPAY_DIGEST_TEXT_SIZE];
    struct setpay_view file = SETPAY_VIEW_EMPTY;
    if (out->size > start)
        file = setpay_view_of(out->data + start, out->size - start);
    SETPAY_TRY(setpay_sha256(file, &digest));
    return setpay_buffer_append_format(out, "end,%zu,%s\n", row_count,
                                       setpay_digest_format(&digest, text));
}
