/*
 * JSON lines of the local control sockets, and JSON in memory in general.
 *
 * A line may hold a passphrase or card data. Linking this file gives Jansson, before main runs, an
 * allocator that cleanses all memory on free; what json_dumps returns may be freed with free().
 */
#ifndef SETPAY_NET_CONTROL_JSON_H
#define SETPAY_NET_CONTROL_JSON_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/secret.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of lines, cleansed whenever they are moved or freed. Zeroed memory is an empty one. */
struct setpay_line_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};
/* Room for at least size more bytes behind data + size; SETPAY_E_TOO_BIG above max in all. */
enum setpay_error setpay_line_buffer_reserve(struct setpay_line_buffer *buffer, size_t size,
                                             size_t max) SETPAY_MUST_CHECK;
/* Takes count bytes away at the front. */
void setpay_line_buffer_drop(struct setpay_line_buffer *buffer, size_t count);
void setpay_line_buffer_clear(struct setpay_line_buffer *buffer);
/* Appends the JSON, compact, and a newline. */
enum setpay_error setpay_line_buffer_append_json(struct setpay_line_buffer *buffer,
                                                 const json_t *json, size_t max) SETPAY_MUST_CHECK;

/* One object from one line: UTF-8, no key twice, no NUL, nothing behind it. *json is owned.
 * SETPAY_E_MALFORMED with words in problem that quote nothing of the line (may be NULL). */
enum setpay_error setpay_json_parse_line(struct setpay_view line, json_t **json,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;

/*
 * Arguments of a command. Each: SETPAY_E_USAGE with words that name the argument. An absent
 * (or null) one leaves *value as it was and is an error only where required.
 */
enum setpay_error setpay_json_arg_text(const json_t *args, const char *name, bool required,
                                       const char **value, /* borrowed from args */
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* What a person says of it, such as a reason: required, on one line (no control character: it is
 * shown on terminals), and with its end no longer than size bytes. */
enum setpay_error setpay_json_arg_words(const json_t *args, const char *name, size_t size,
                                        const char **value, /* borrowed from args */
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;
enum setpay_error setpay_json_arg_int(const json_t *args, const char *name, bool required,
                                      int64_t minimum, int64_t maximum, int64_t *value,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;
enum setpay_error setpay_json_arg_bool(const json_t *args, const char *name, bool required,
                                       bool *value,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* A text of at least one byte, copied into secret memory (*value must be empty). */
enum setpay_error setpay_json_arg_secret(const json_t *args, const char *name, bool required,
                                         struct setpay_secret *value,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Refuses arguments that are not in names (ended by NULL), naming the first. args may be NULL. */
enum setpay_error setpay_json_args_check(const json_t *args, const char *const *names,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
