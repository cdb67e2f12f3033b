/*
 * What all acts on the store have in common: refusing, and reading members.
 */
#include "merchant/store/shop.h"

#include "common/base/bytes.h"
#include "common/base/money.h"
#include "merchant/store/order.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIELD_SIZE 96

void setpay_shop_answer_clear(struct setpay_shop_answer *answer)
{
    json_decref(answer->json);
    memset(answer, 0, sizeof *answer);
}

enum setpay_error setpay_shop_refuse(struct setpay_shop_answer *answer, enum setpay_error error,
                                     const char *field, const char *format, ...)
{
    va_list arguments;
    (void)snprintf(answer->fault.field, sizeof answer->fault.field, "%s", field);
    va_start(arguments, format);
    (void)vsnprintf(answer->fault.words, sizeof answer->fault.words, format, arguments);
    va_end(arguments);
    return error;
}

enum setpay_error setpay_shop_check_version(const struct setpay_shop_ask *ask, int64_t version,
                                            struct setpay_shop_answer *answer)
{
    if (ask->version == SETPAY_SHOP_ANY_VERSION || ask->version == version)
        return SETPAY_OK;
    return setpay_shop_refuse(answer, SETPAY_E_CONFLICT, "version",
                              "found version %lld; it was changed, and has version %lld now: read"
                              " it again, and repeat the change on that",
                              (long long)ask->version, (long long)version);
}

/* ------------------------------------------------------------------ names */

static bool is_made_of(const char *text, const char *permitted)
{
    size_t size = strlen(text);
    return size >= 1 && size <= SETPAY_SHOP_ID_BYTES && strspn(text, permitted) == size;
}

bool setpay_shop_is_slug(const char *text)
{
    return is_made_of(text, "abcdefghijklmnopqrstuvwxyz0123456789-") && text[0] != '-' &&
           text[strlen(text) - 1] != '-' && strstr(text, "--") == NULL;
}

bool setpay_shop_is_sku(const char *text)
{
    /* Not "." nor "..", which would be lost in a path. */
    return is_made_of(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") &&
           strspn(text, ".") != strlen(text);
}

bool setpay_shop_is_country(const char *text)
{
    return strlen(text) == 2 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2;
}

/* ------------------------------------------------------------------ members */

static const char *field_of(const char *prefix, const char *name, char *field)
{
    (void)snprintf(field, FIELD_SIZE, "%s%s", prefix, name);
    return field;
}

enum setpay_error setpay_shop_get_text(const json_t *object, const char *name, const char *prefix,
                                       bool required, size_t maximum, char *text,
                                       struct setpay_json_fault *fault)
{
    char field[FIELD_SIZE];
    const json_t *value = json_object_get(object, name);
    if (value == NULL && !required)
        return SETPAY_OK;
    return setpay_json_read_text(value, field_of(prefix, name, field), maximum, text, fault);
}

enum setpay_error setpay_shop_get_slug(const json_t *object, const char *name, bool required,
                                       char *slug, struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    const json_t *value = json_object_get(object, name);
    if (value == NULL && !required)
        return SETPAY_OK;
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value) ||
        !setpay_shop_is_slug(json_string_value(value)))
        return setpay_json_fault_set(
            fault, name, "found %s; expected 1 to %d of a-z, 0-9 and single hyphens inside",
            setpay_json_found(value, words), SETPAY_SHOP_ID_BYTES);
    memcpy(slug, json_string_value(value), json_string_length(value) + 1);
    return SETPAY_OK;
}

enum setpay_error setpay_shop_get_int(const json_t *object, const char *name, const char *prefix,
                                      bool required, int64_t minimum, int64_t maximum,
                                      int64_t *number, struct setpay_json_fault *fault)
{
    char field[FIELD_SIZE];
    const json_t *value = json_object_get(object, name);
    if (value == NULL && !required)
        return SETPAY_OK;
    return setpay_json_read_int(value, field_of(prefix, name, field), minimum, maximum,
                                "a whole number", number, fault);
}

enum setpay_error setpay_shop_get_bool(const json_t *object, const char *name, const char *prefix,
                                       bool *value, struct setpay_json_fault *fault)
{
    char field[FIELD_SIZE];
    char words[SETPAY_JSON_FOUND_SIZE];
    const json_t *found = json_object_get(object, name);
    if (found == NULL)
        return SETPAY_OK;
    if (!json_is_boolean(found))
        return setpay_json_fault_set(fault, field_of(prefix, name, field),
                                     "found %s; expected true or false",
                                     setpay_json_found(found, words));
    *value = json_is_true(found);
    return SETPAY_OK;
}

enum setpay_error setpay_shop_get_currency(const json_t *object, const char *name,
                                           const char *prefix, bool required, char *currency,
                                           struct setpay_json_fault *fault)
{
    char field[FIELD_SIZE];
    char words[SETPAY_JSON_FOUND_SIZE];
    const json_t *value = json_object_get(object, name);
    if (value == NULL && !required)
        return SETPAY_OK;
    if (!json_is_string(value) || json_string_length(value) != 3 ||
        setpay_currency_by_code(json_string_value(value)) == NULL)
        return setpay_json_fault_set(
            fault, field_of(prefix, name, field),
            "found %s; expected a currency of ISO 4217 in three capital letters, like EUR",
            setpay_json_found(value, words));
    memcpy(currency, json_string_value(value), 4);
    return SETPAY_OK;
}

/* Each line of it is plain. */
static bool lines_are_plain(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end == NULL ? size - at : (size_t)(end - text) - at;
        if (!setpay_order_text_is_plain(setpay_view_of(text + at, length)))
            return false;
        at += length + 1;
    }
    return true;
}

enum setpay_error setpay_shop_get_lines(const json_t *object, const char *name, size_t maximum,
                                        const char **text, struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    const json_t *value = json_object_get(object, name);
    if (value == NULL)
        return SETPAY_OK;
    if (!json_is_string(value))
        return setpay_json_fault_set(fault, name, "found %s; expected a text",
                                     setpay_json_found(value, words));
    if (json_string_length(value) > maximum)
        return setpay_json_fault_set(fault, name,
                                     "found a text of %zu bytes; expected at most %zu bytes of"
                                     " UTF-8",
                                     json_string_length(value), maximum);
    if (!lines_are_plain(json_string_value(value), json_string_length(value)))
        return setpay_json_fault_set(fault, name,
                                     "found a control character; expected plain text, whose only"
                                     " control characters are the ends of its lines");
    *text = json_string_value(value);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ JSON */

void setpay_shop_set(json_t *object, const char *name, json_t *value, bool *whole)
{
    if (json_object_set_new(object, name, value) != 0)
        *whole = false;
}

void setpay_shop_append(json_t *array, json_t *value, bool *whole)
{
    if (json_array_append_new(array, value) != 0)
        *whole = false;
}

json_t *setpay_shop_time_json(setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    return json_string(setpay_time_format(time_ms, text));
}
