/*
 * JSON of the control sockets: line buffers that are cleansed, an allocator that cleanses, strict
 * parsing, and the reading of arguments. No text that came in is quoted in an error.
 */
#include "common/net/control_json.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BUFFER_FIRST 4096

static void cleansing_free(void *memory)
{
    if (memory == NULL)
        return;
    setpay_cleanse(memory, malloc_usable_size(memory));
    free(memory);
}

/* Before main: no JSON exists yet that another allocator made. */
__attribute__((constructor)) static void set_allocator(void)
{
    json_set_alloc_funcs(malloc, cleansing_free);
}

enum setpay_error setpay_line_buffer_reserve(struct setpay_line_buffer *buffer, size_t size,
                                             size_t max)
{
    size_t capacity = buffer->capacity == 0 ? LINE_BUFFER_FIRST : buffer->capacity;
    uint8_t *data;

    if (size > max || buffer->size > max - size)
        return SETPAY_E_TOO_BIG;
    if (buffer->size + size <= buffer->capacity)
        return SETPAY_OK;
    while (capacity < buffer->size + size)
        capacity *= 2;
    /* realloc could leave a copy behind. */
    data = malloc(capacity);
    if (data == NULL)
        return SETPAY_E_NOMEM;
    if (buffer->size > 0)
        memcpy(data, buffer->data, buffer->size);
    if (buffer->data != NULL)
        setpay_cleanse(buffer->data, buffer->capacity);
    free(buffer->data);
    buffer->data = data;
    buffer->capacity = capacity;
    return SETPAY_OK;
}

void setpay_line_buffer_drop(struct setpay_line_buffer *buffer, size_t count)
{
    if (count == 0)
        return;
    memmove(buffer->data, buffer->data + count, buffer->size - count);
    setpay_cleanse(buffer->data + buffer->size - count, count);
    buffer->size -= count;
    if (buffer->size == 0 && buffer->capacity > LINE_BUFFER_FIRST)
        setpay_line_buffer_clear(buffer);
}

void setpay_line_buffer_clear(struct setpay_line_buffer *buffer)
{
    if (buffer->data != NULL)
        setpay_cleanse(buffer->data, buffer->capacity);
    free(buffer->data);
    *buffer = (struct setpay_line_buffer){0};
}

struct dump {
    struct setpay_line_buffer *buffer;
    size_t max;
    enum setpay_error error;
};

static int dump_cb(const char *text, size_t size, void *arg)
{
    struct dump *dump = arg;

    dump->error = setpay_line_buffer_reserve(dump->buffer, size, dump->max);
    if (dump->error != SETPAY_OK)
        return -1;
    memcpy(dump->buffer->data + dump->buffer->size, text, size);
    dump->buffer->size += size;
    return 0;
}

enum setpay_error setpay_line_buffer_append_json(struct setpay_line_buffer *buffer,
                                                 const json_t *json, size_t max)
{
    struct dump dump = {buffer, max, SETPAY_OK};
    size_t before = buffer->size;

    if (json_dump_callback(json, dump_cb, &dump, JSON_COMPACT) == 0 && dump_cb("\n", 1, &dump) == 0)
        return SETPAY_OK;
    if (buffer->data != NULL)
        setpay_cleanse(buffer->data + before, buffer->size - before);
    buffer->size = before;
    return dump.error == SETPAY_OK ? SETPAY_E_INTERNAL : dump.error;
}

enum setpay_error setpay_json_parse_line(struct setpay_view line, json_t **json,
                                         struct setpay_problem *problem)
{
    json_error_t error;
    json_t *parsed = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, &error);
    bool twice = parsed == NULL && json_error_code(&error) == json_error_duplicate_key;
    int position = parsed == NULL ? error.position : 0;

    /* Its text quotes what was read last. */
    setpay_cleanse(&error, sizeof(error));
    if (json_is_object(parsed)) {
        *json = parsed;
        return SETPAY_OK;
    }
    json_decref(parsed);
    if (problem == NULL)
        return SETPAY_E_MALFORMED;
    if (twice)
        return setpay_problem_set(problem, SETPAY_E_MALFORMED,
                                  "a key is given twice, before byte %d of the line", position);
    return setpay_problem_set(problem, SETPAY_E_MALFORMED,
                              "the line is not one JSON object (byte %d)", position);
}

/* ------------------------------------------------------------------ arguments */

static enum setpay_error wrong(struct setpay_problem *problem, const char *name,
                               const char *expected)
{
    if (problem == NULL)
        return SETPAY_E_USAGE;
    return setpay_problem_set(problem, SETPAY_E_USAGE, "argument %s: expected %s", name, expected);
}

/* *found is NULL where the argument is absent or null. */
static enum setpay_error find(const json_t *args, const char *name, bool required,
                              const char *expected, const json_t **found,
                              struct setpay_problem *problem)
{
    const json_t *value = json_object_get(args, name);

    *found = json_is_null(value) ? NULL : value;
    if (*found == NULL && required) {
        if (problem == NULL)
            return SETPAY_E_USAGE;
        return setpay_problem_set(problem, SETPAY_E_USAGE, "argument %s is missing: expected %s",
                                  name, expected);
    }
    return SETPAY_OK;
}

enum setpay_error setpay_json_arg_text(const json_t *args, const char *name, bool required,
                                       const char **value, struct setpay_problem *problem)
{
    const json_t *found;

    SETPAY_TRY(find(args, name, required, "a text", &found, problem));
    if (found == NULL)
        return SETPAY_OK;
    if (!json_is_string(found))
        return wrong(problem, name, "a text");
    *value = json_string_value(found);
    return SETPAY_OK;
}

/* Control characters are those of ASCII, and U+0080 to U+009F, of two bytes in UTF-8. */
static bool is_one_line(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at < 0x20 || *at == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0))
            return false;
    }
    return true;
}

enum setpay_error setpay_json_arg_words(const json_t *args, const char *name, size_t size,
                                        const char **value, struct setpay_problem *problem)
{
    const char *text = NULL;
    char expected[64];

    SETPAY_TRY(setpay_json_arg_text(args, name, true, &text, problem));
    snprintf(expected, sizeof(expected), "words, of 1 to %zu bytes on one line", size - 1);
    if (text[0] == '\0' || strlen(text) >= size || !is_one_line(text))
        return wrong(problem, name, expected);
    *value = text;
    return SETPAY_OK;
}

enum setpay_error setpay_json_arg_int(const json_t *args, const char *name, bool required,
                                      int64_t minimum, int64_t maximum, int64_t *value,
                                      struct setpay_problem *problem)
{
    const json_t *found;
    char expected[80];

    snprintf(expected, sizeof(expected), "a whole number from %" PRId64 " to %" PRId64, minimum,
             maximum);
    SETPAY_TRY(find(args, name, required, expected, &found, problem));
    if (found == NULL)
        return SETPAY_OK;
    if (!json_is_integer(found) || json_integer_value(found) < minimum ||
        json_integer_value(found) > maximum)
        return wrong(problem, name, expected);
    *value = json_integer_value(found);
    return SETPAY_OK;
}

enum setpay_error setpay_json_arg_bool(const json_t *args, const char *name, bool required,
                                       bool *value, struct setpay_problem *problem)
{
    const json_t *found;

    SETPAY_TRY(find(args, name, required, "true or false", &found, problem));
    if (found == NULL)
        return SETPAY_OK;
    if (!json_is_boolean(found))
        return wrong(problem, name, "true or false");
    *value = json_is_true(found);
    return SETPAY_OK;
}

enum setpay_error setpay_json_arg_secret(const json_t *args, const char *name, bool required,
                                         struct setpay_secret *value,
                                         struct setpay_problem *problem)
{
    const json_t *found;

    SETPAY_TRY(find(args, name, required, "a text that is not empty", &found, problem));
    if (found == NULL)
        return SETPAY_OK;
    if (!json_is_string(found) || json_string_length(found) == 0)
        return wrong(problem, name, "a text that is not empty");
    return setpay_secret_copy(value,
                              setpay_view_of(json_string_value(found), json_string_length(found)));
}

enum setpay_error setpay_json_args_check(const json_t *args, const char *const *names,
                                         struct setpay_problem *problem)
{
    /* Jansson's iterators want an object that is not const; nothing is changed. */
    json_t *object = json_incref((json_t *)(uintptr_t)args);
    enum setpay_error error = SETPAY_OK;
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        size_t i = 0;

        while (names[i] != NULL && strcmp(names[i], key) != 0)
            i++;
        if (names[i] == NULL) {
            error = problem == NULL
                        ? SETPAY_E_USAGE
                        : setpay_problem_set(problem, SETPAY_E_USAGE,
                                             "there is no argument with the name %.40s", key);
            break;
        }
    }
    json_decref(object);
    return error;
}
