/*
 * What the files of setpay-clearing(5) and setpay-settlement(5) have in common: lines of fields
 * between commas, values in one form, an end that seals what stands before it. Reading; inside of
 * these files' parsers only.
 */
#ifndef SETPAY_WIRE_LINES_H
#define SETPAY_WIRE_LINES_H

#include "common/base/bytes.h"
#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETPAY_LINES_FIELDS_MAX 12
#define SETPAY_LINES_FIELD_MAX 64 /* the digest */
#define SETPAY_LINES_DIGITS "0123456789"
#define SETPAY_LINES_ALNUM                                                                         \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" SETPAY_LINES_DIGITS

/* Before the first line: bytes, field_limit (at most SETPAY_LINES_FIELDS_MAX) and problem are set,
 * the rest is zeros. */
struct setpay_lines {
    struct setpay_view bytes;
    size_t field_limit;
    struct setpay_problem *problem;
    size_t at;    /* of the next line */
    size_t start; /* of this line */
    size_t number;
    char fields[SETPAY_LINES_FIELDS_MAX][SETPAY_LINES_FIELD_MAX + 1];
    size_t field_count;
};

/* Values. */
bool setpay_lines_made_of(const char *text, const char *characters, size_t least, size_t most);
bool setpay_lines_id_valid(const char *text);
/* A number in its one form: no sign, no zero in front. */
bool setpay_lines_read_number(const char *text, int64_t least, int64_t most, int64_t *value);
bool setpay_lines_acquirer_valid(const char *text);
bool setpay_lines_reference_valid(const char *text);

/* SETPAY_E_INVALID, with the line's number before the words. */
enum setpay_error setpay_lines_refuse(const struct setpay_lines *reader, const char *format, ...)
    SETPAY_PRINTF(2, 3);
enum setpay_error setpay_lines_refuse_field(const struct setpay_lines *reader, size_t field,
                                            const char *name, const char *expected);

/* Each: SETPAY_E_INVALID with words. Before the first line: no byte order mark stands there, which
 * editors add without being asked. */
enum setpay_error setpay_lines_check_mark(const struct setpay_lines *reader) SETPAY_MUST_CHECK;
/* The next line's fields. */
enum setpay_error setpay_lines_next(struct setpay_lines *reader) SETPAY_MUST_CHECK;
/* Whether the first field says so. */
bool setpay_lines_is(const struct setpay_lines *reader, const char *kind);
enum setpay_error setpay_lines_check_count(const struct setpay_lines *reader,
                                           size_t count) SETPAY_MUST_CHECK;
/* A copy of a field, or "?", which is valid nowhere, of one that does not fit. */
void setpay_lines_take(const struct setpay_lines *reader, size_t field, char *out, size_t size);
/* The line is these size bytes, which the rows come to, and the next is read. */
enum setpay_error setpay_lines_expect(struct setpay_lines *reader, const char *expected,
                                      size_t size) SETPAY_MUST_CHECK;
/* The line is the end of so many rows, and seals what stands before it. */
enum setpay_error setpay_lines_check_seal(struct setpay_lines *reader,
                                          size_t row_count) SETPAY_MUST_CHECK;
/* The same, and nothing stands behind it. */
enum setpay_error setpay_lines_check_end(struct setpay_lines *reader,
                                         size_t row_count) SETPAY_MUST_CHECK;
/* Appends the line "end", of all that stands in out from start on. SETPAY_E_TOO_BIG, … */
enum setpay_error setpay_lines_seal(struct setpay_buffer *out, size_t start,
                                    size_t row_count) SETPAY_MUST_CHECK;

#endif
