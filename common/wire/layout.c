/*
 * From protobuf to our structs and back, by tables (layout.h).
 *
 * Both directions hold a struct to the same checks: parse copies each field out of what protobuf-c
 * unpacked, build points protobuf-c at our own memory, and check_value judges the values of our
 * struct in either case. So nothing is ever built that parse would refuse, and a rule of form has
 * one place.
 *
 * What always holds: a struct is filled in a copy of its own and handed over complete; the pb
 * structs live in an arena and are gone when a function returns. Of a message with secrets every
 * byte stays in secret memory.
 */
#include "common/wire/layout.h"

#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/base/money.h"
#include "common/wire/messages.h"

#include "proto/setpay/v1/message.pb-c.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Where something lies. */
static void *at(void *base, size_t offset)
{
    return (uint8_t *)base + offset;
}

static const void *at_const(const void *base, size_t offset)
{
    return (const uint8_t *)base + offset;
}

static const ProtobufCFieldDescriptor *descriptor_field(const struct setpay_wire_layout *layout,
                                                        const struct setpay_wire_field *field)
{
    const ProtobufCFieldDescriptor *found =
        protobuf_c_message_descriptor_get_field(layout->descriptor, field->number);
    assert(found != NULL);
    return found;
}

/* ------------------------------------------------------------------ values of our structs */

static bool in_syntax(unsigned char c, enum setpay_wire_syntax syntax)
{
    bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z', digit = c >= '0' && c <= '9';
    switch (syntax) {
    case SETPAY_WIRE_ANY:
        return c >= 0x20 && c != 0x7f;
    case SETPAY_WIRE_BRAND:
        return lower || digit || c == '-';
    case SETPAY_WIRE_PARTY:
        return lower || upper || digit || c == '_' || c == '-';
    case SETPAY_WIRE_HOST:
        return lower || upper || digit || c == '_' || c == '-' || c == '.';
    case SETPAY_WIRE_ALNUM:
        return lower || upper || digit;
    case SETPAY_WIRE_CODE:
        return lower || upper || digit || c == ' ';
    case SETPAY_WIRE_LANGUAGE:
        return lower || upper || digit || c == '-';
    case SETPAY_WIRE_NUMBER:
        return digit;
    }
    return false;
}

/* U+0080 to U+009F are control characters too, of two bytes in UTF-8. */
static bool is_c1(const char *at)
{
    return (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] >= 0x80 &&
           (unsigned char)at[1] <= 0x9f;
}

static enum setpay_error check_text(const struct setpay_wire_field *field, const char *text)
{
    size_t size = strnlen(text, (size_t)field->maximum + 1);
    if (size == 0 && field->optional)
        return SETPAY_OK;
    if (size < (size_t)field->minimum || size > (size_t)field->maximum)
        return SETPAY_E_FIELD;
    if (!setpay_text_is_utf8(setpay_view_of(text, size)))
        return SETPAY_E_TEXT; /* rule A1 */
    for (size_t i = 0; i < size; i++)
        if (!in_syntax((unsigned char)text[i], field->syntax) || is_c1(text + i))
            return SETPAY_E_FIELD;
    return SETPAY_OK;
}

static bool in_range(const struct setpay_wire_field *field, int64_t value)
{
    return (value == 0 && field->optional) || (value >= field->minimum && value <= field->maximum);
}

static enum setpay_error check_bytes(const struct setpay_wire_field *field,
                                     struct setpay_view bytes)
{
    if (bytes.size == 0 && field->optional)
        return SETPAY_OK;
    if (!in_range(field, (int64_t)bytes.size))
        return SETPAY_E_FIELD;
    if (field->kind == SETPAY_WIRE_DIGITS)
        for (size_t i = 0; i < bytes.size; i++)
            if (bytes.data[i] < '0' || bytes.data[i] > '9')
                return SETPAY_E_FIELD;
    return SETPAY_OK;
}

static enum setpay_error check_money(const struct setpay_wire_field *field,
                                     const struct setpay_money *money)
{
    struct setpay_money same;
    if (memchr(money->currency, 0, sizeof(money->currency)) == NULL ||
        setpay_money_make(money->minor, money->currency, &same) != SETPAY_OK ||
        money->minor < field->minimum)
        return SETPAY_E_FIELD; /* rule A1; rule G8's outer limits */
    return SETPAY_OK;
}

struct setpay_view setpay_wire_bytes(const struct setpay_wire_field *field, const void *message)
{
    const void *value = at_const(message, field->offset);
    switch (field->kind) {
    case SETPAY_WIRE_ID:
        return setpay_id_view(value);
    case SETPAY_WIRE_DIGEST:
        return setpay_digest_view(value);
    case SETPAY_WIRE_SIGNATURE:
        return setpay_signature_view(value);
    case SETPAY_WIRE_BYTES:
        return setpay_buffer_view(value);
    case SETPAY_WIRE_BLOCK:
        return setpay_view_of(value, *(const size_t *)at_const(message, field->has));
    case SETPAY_WIRE_SECRET:
    case SETPAY_WIRE_DIGITS:
        return setpay_secret_view(value);
    case SETPAY_WIRE_TEXT:
        return setpay_view_string(value);
    default:
        return SETPAY_VIEW_EMPTY;
    }
}

bool setpay_wire_has(const struct setpay_wire_field *field, const void *message)
{
    const void *value = at_const(message, field->offset);
    if (!field->optional)
        return true;
    switch (field->kind) {
    case SETPAY_WIRE_ID:
    case SETPAY_WIRE_DIGEST:
    case SETPAY_WIRE_MESSAGE:
        return *(const bool *)at_const(message, field->has);
    case SETPAY_WIRE_U32:
        return *(const uint32_t *)value != 0;
    case SETPAY_WIRE_I64:
        return *(const int64_t *)value != 0;
    default:
        return setpay_wire_bytes(field, message).size != 0;
    }
}

static enum setpay_error check_message(const struct setpay_wire_layout *layout,
                                       const void *message);

/* Rule A1 for one field of our struct. */
static enum setpay_error check_value(const struct setpay_wire_layout *layout,
                                     const struct setpay_wire_field *field, const void *message)
{
    const void *value = at_const(message, field->offset);
    switch (field->kind) {
    case SETPAY_WIRE_ID:
    case SETPAY_WIRE_DIGEST:
    case SETPAY_WIRE_BOOL:
        return SETPAY_OK;
    case SETPAY_WIRE_SIGNATURE:
        return check_bytes(field, setpay_signature_view(value));
    case SETPAY_WIRE_BYTES:
        return check_bytes(field, setpay_buffer_view(value));
    case SETPAY_WIRE_BLOCK:
        return check_bytes(field,
                           setpay_view_of(value, *(const size_t *)at_const(message, field->has)));
    case SETPAY_WIRE_SECRET:
    case SETPAY_WIRE_DIGITS:
        return check_bytes(field, setpay_secret_view(value));
    case SETPAY_WIRE_TEXT:
        return check_text(field, value);
    case SETPAY_WIRE_U32:
        return in_range(field, *(const uint32_t *)value) ? SETPAY_OK : SETPAY_E_FIELD;
    case SETPAY_WIRE_I64:
        return in_range(field, *(const int64_t *)value) ? SETPAY_OK : SETPAY_E_FIELD;
    case SETPAY_WIRE_ENUM:
        return protobuf_c_enum_descriptor_get_value(descriptor_field(layout, field)->descriptor,
                                                    (int)*(const unsigned *)value) == NULL
                   ? SETPAY_E_ENUM
                   : SETPAY_OK;
    case SETPAY_WIRE_MONEY:
        return check_money(field, value);
    case SETPAY_WIRE_MESSAGE:
        return setpay_wire_has(field, message) ? check_message(field->inner, value) : SETPAY_OK;
    case SETPAY_WIRE_THUMBS:
        return ((const struct setpay_thumbs *)value)->count <= (size_t)field->maximum
                   ? SETPAY_OK
                   : SETPAY_E_TOO_BIG;
    case SETPAY_WIRE_LIST: {
        size_t count = *(const size_t *)at_const(message, field->has);
        if (count > (size_t)field->maximum)
            return SETPAY_E_TOO_BIG;
        if (count < (size_t)field->minimum)
            return SETPAY_E_FIELD;
        const uint8_t *items = *(uint8_t *const *)value;
        for (size_t i = 0; i < count; i++)
            SETPAY_TRY(check_message(field->inner, items + i * field->inner->size));
        return SETPAY_OK;
    }
    }
    return SETPAY_E_INTERNAL;
}

static enum setpay_error check_message(const struct setpay_wire_layout *layout, const void *message)
{
    for (const struct setpay_wire_field *field = layout->fields; field->number != 0; field++)
        SETPAY_TRY(check_value(layout, field, message));
    return layout->check == NULL ? SETPAY_OK : layout->check(message);
}

/* ------------------------------------------------------------------ clearing */

/* Frees what the struct owns. */
static void release(const struct setpay_wire_layout *layout, void *message)
{
    for (const struct setpay_wire_field *field = layout->fields; field->number != 0; field++) {
        void *value = at(message, field->offset);
        switch (field->kind) {
        case SETPAY_WIRE_BYTES:
            setpay_buffer_clear(value);
            break;
        case SETPAY_WIRE_SECRET:
        case SETPAY_WIRE_DIGITS:
            setpay_secret_clear(value);
            break;
        case SETPAY_WIRE_MESSAGE:
            release(field->inner, value);
            break;
        case SETPAY_WIRE_LIST:
            free(*(void **)value); /* no list of ours holds owners */
            break;
        default:
            break;
        }
    }
}

void setpay_wire_clear(const struct setpay_wire_layout *layout, void *message)
{
    release(layout, message);
    if (layout->secret)
        setpay_cleanse(message, layout->size);
    memset(message, 0, layout->size);
}

/* ------------------------------------------------------------------ protobuf to ours */

static enum setpay_error read_message(const struct setpay_wire_layout *layout,
                                      const ProtobufCMessage *from, void *message);

/* Whether an optional field came; always true for a required one. */
static bool is_present(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *from)
{
    if (field->label != PROTOBUF_C_LABEL_OPTIONAL)
        return true;
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)at_const(from, field->offset) != NULL;
    return *(const protobuf_c_boolean *)at_const(from, field->quantifier_offset) != 0;
}

static struct setpay_view view_of_pb(const void *binary)
{
    const ProtobufCBinaryData *data = binary;
    return setpay_view_of(data->data, data->len);
}

static enum setpay_error read_money(const Setpay__V1__Money *from, struct setpay_money *money)
{
    if (strlen(from->currency) != sizeof(money->currency) - 1)
        return SETPAY_E_FIELD;
    memcpy(money->currency, from->currency, sizeof(money->currency));
    money->minor = from->minor;
    return SETPAY_OK;
}

static enum setpay_error read_bytes(const struct setpay_wire_field *field, struct setpay_view bytes,
                                    void *message, void *value)
{
    switch (field->kind) {
    case SETPAY_WIRE_ID:
        return setpay_id_from_view(bytes, value);
    case SETPAY_WIRE_DIGEST:
        return setpay_digest_from_view(bytes, value);
    case SETPAY_WIRE_SIGNATURE:
        return setpay_signature_from_view(bytes, value);
    default:
        break;
    }
    if ((int64_t)bytes.size < field->minimum || (int64_t)bytes.size > field->maximum)
        return SETPAY_E_FIELD; /* a present value is never empty */
    if (field->kind == SETPAY_WIRE_BYTES) {
        setpay_buffer_init(value, (size_t)field->maximum);
        return setpay_buffer_set(value, bytes);
    }
    if (field->kind == SETPAY_WIRE_BLOCK) {
        memcpy(value, bytes.data, bytes.size);
        *(size_t *)at(message, field->has) = bytes.size;
        return SETPAY_OK;
    }
    return setpay_secret_copy(value, bytes);
}

static enum setpay_error read_text(const struct setpay_wire_field *field, const char *text,
                                   char *value)
{
    size_t size = strlen(text);
    if (size < (size_t)field->minimum || size > (size_t)field->maximum)
        return SETPAY_E_FIELD;
    memcpy(value, text, size + 1);
    return SETPAY_OK;
}

static enum setpay_error read_thumbs(const struct setpay_wire_field *field, size_t count,
                                     const ProtobufCBinaryData *from, struct setpay_thumbs *thumbs)
{
    if (count > (size_t)field->maximum)
        return SETPAY_E_TOO_BIG;
    for (size_t i = 0; i < count; i++)
        SETPAY_TRY(setpay_digest_from_view(view_of_pb(&from[i]), &thumbs->list[i]));
    thumbs->count = count;
    return SETPAY_OK;
}

static enum setpay_error read_list(const struct setpay_wire_field *field, size_t count,
                                   ProtobufCMessage *const *from, void *message, void *value)
{
    if (count > (size_t)field->maximum)
        return SETPAY_E_TOO_BIG;
    if (count == 0)
        return SETPAY_OK;
    uint8_t *items = calloc(count, field->inner->size);
    if (items == NULL)
        return SETPAY_E_NOMEM;
    *(void **)value = items; /* owned by message from here on */
    *(size_t *)at(message, field->has) = count;
    for (size_t i = 0; i < count; i++)
        SETPAY_TRY(read_message(field->inner, from[i], items + i * field->inner->size));
    return SETPAY_OK;
}

static enum setpay_error read_field(const struct setpay_wire_layout *layout,
                                    const struct setpay_wire_field *field,
                                    const ProtobufCMessage *from, void *message)
{
    const ProtobufCFieldDescriptor *described = descriptor_field(layout, field);
    const void *pb = at_const(from, described->offset);
    void *value = at(message, field->offset);
    if (!is_present(described, from))
        return SETPAY_OK;
    switch (field->kind) {
    case SETPAY_WIRE_TEXT:
        return read_text(field, *(char *const *)pb, value);
    case SETPAY_WIRE_U32:
        *(uint32_t *)value = *(const uint32_t *)pb;
        /* A present 0 would be lost: 0 is how our structs say "absent". */
        return field->optional && *(const uint32_t *)pb == 0 ? SETPAY_E_FIELD : SETPAY_OK;
    case SETPAY_WIRE_I64:
        *(int64_t *)value = *(const int64_t *)pb;
        return field->optional && *(const int64_t *)pb == 0 ? SETPAY_E_FIELD : SETPAY_OK;
    case SETPAY_WIRE_BOOL:
        *(bool *)value = *(const protobuf_c_boolean *)pb != 0;
        return SETPAY_OK;
    case SETPAY_WIRE_ENUM:
        *(unsigned *)value = (unsigned)*(const int *)pb;
        return SETPAY_OK;
    case SETPAY_WIRE_MONEY:
        return read_money(*(const Setpay__V1__Money *const *)pb, value);
    case SETPAY_WIRE_MESSAGE:
        if (field->optional)
            *(bool *)at(message, field->has) = true;
        return read_message(field->inner, *(const ProtobufCMessage *const *)pb, value);
    case SETPAY_WIRE_THUMBS:
        return read_thumbs(field, *(const size_t *)at_const(from, described->quantifier_offset),
                           *(const ProtobufCBinaryData *const *)pb, value);
    case SETPAY_WIRE_LIST:
        return read_list(field, *(const size_t *)at_const(from, described->quantifier_offset),
                         *(ProtobufCMessage *const *const *)pb, message, value);
    default:
        if (field->optional && field->has != 0)
            *(bool *)at(message, field->has) = true;
        return read_bytes(field, view_of_pb(pb), message, value);
    }
}

static enum setpay_error read_message(const struct setpay_wire_layout *layout,
                                      const ProtobufCMessage *from, void *message)
{
    for (const struct setpay_wire_field *field = layout->fields; field->number != 0; field++)
        SETPAY_TRY(read_field(layout, field, from, message));
    return SETPAY_OK;
}

enum setpay_error setpay_wire_parse(const struct setpay_wire_layout *layout,
                                    struct setpay_view bytes, void *message)
{
    struct setpay_arena *arena = NULL;
    void *filled = NULL;
    ProtobufCMessage *unpacked = NULL;
    enum setpay_error error = SETPAY_E_TOO_BIG;
    if (bytes.size > layout->maximum) /* rule A1: before anything is decoded */
        goto out;
    error = setpay_wire_scan(layout->descriptor, layout, bytes);
    if (error != SETPAY_OK)
        goto out;
    error = setpay_arena_new(layout->secret ? SETPAY_WIRE_SECRET_ARENA_BYTES
                                            : SETPAY_LIMIT_UNPACK_BYTES,
                             layout->secret, &arena);
    if (error != SETPAY_OK)
        goto out;
    error = setpay_wire_unpack(layout->descriptor, bytes, arena, &unpacked);
    if (error != SETPAY_OK)
        goto out;
    error = SETPAY_E_NOMEM;
    filled = calloc(1, layout->size);
    if (filled == NULL)
        goto out;
    error = read_message(layout, unpacked, filled);
    if (error == SETPAY_OK)
        error = check_message(layout, filled);
    if (error != SETPAY_OK) {
        setpay_wire_clear(layout, filled);
        goto out;
    }
    memcpy(message, filled, layout->size);
    if (layout->secret)
        setpay_cleanse(filled, layout->size);
out:
    free(filled);
    setpay_arena_free(arena);
    return error;
}

/* ------------------------------------------------------------------ ours to protobuf */

static enum setpay_error write_message(const struct setpay_wire_layout *layout, const void *message,
                                       struct setpay_arena *arena, ProtobufCMessage **made);

/* protobuf-c wants pointers to non-const memory and only reads it while packing. */
static ProtobufCBinaryData pb_of_view(struct setpay_view view)
{
    ProtobufCBinaryData data;
    data.len = view.size;
    memcpy(&data.data, &view.data, sizeof(data.data));
    return data;
}

static enum setpay_error write_money(const struct setpay_money *money, struct setpay_arena *arena,
                                     ProtobufCMessage **made)
{
    Setpay__V1__Money *to = setpay_arena_take(arena, sizeof(*to));
    char *currency = setpay_arena_take(arena, sizeof(money->currency));
    if (to == NULL || currency == NULL)
        return SETPAY_E_NOMEM;
    setpay__v1__money__init(to);
    memcpy(currency, money->currency, sizeof(money->currency));
    to->minor = money->minor;
    to->currency = currency;
    *made = &to->base;
    return SETPAY_OK;
}

static enum setpay_error write_thumbs(const struct setpay_thumbs *thumbs,
                                      struct setpay_arena *arena, ProtobufCBinaryData **made)
{
    ProtobufCBinaryData *list = setpay_arena_take(arena, thumbs->count * sizeof(*list));
    if (list == NULL)
        return SETPAY_E_NOMEM;
    for (size_t i = 0; i < thumbs->count; i++)
        list[i] = pb_of_view(setpay_digest_view(&thumbs->list[i]));
    *made = list;
    return SETPAY_OK;
}

static enum setpay_error write_list(const struct setpay_wire_field *field, size_t count,
                                    const uint8_t *items, struct setpay_arena *arena,
                                    ProtobufCMessage ***made)
{
    ProtobufCMessage **list = setpay_arena_take(arena, count * sizeof(ProtobufCMessage *));
    if (list == NULL)
        return SETPAY_E_NOMEM;
    for (size_t i = 0; i < count; i++)
        SETPAY_TRY(write_message(field->inner, items + i * field->inner->size, arena, &list[i]));
    *made = list;
    return SETPAY_OK;
}

static enum setpay_error write_field(const struct setpay_wire_layout *layout,
                                     const struct setpay_wire_field *field, const void *message,
                                     struct setpay_arena *arena, ProtobufCMessage *to)
{
    const ProtobufCFieldDescriptor *described = descriptor_field(layout, field);
    void *pb = at(to, described->offset);
    const void *value = at_const(message, field->offset);
    if (!setpay_wire_has(field, message))
        return SETPAY_OK;
    if (field->optional && field->kind != SETPAY_WIRE_TEXT && field->kind != SETPAY_WIRE_MESSAGE)
        *(protobuf_c_boolean *)at(to, described->quantifier_offset) = 1;
    switch (field->kind) {
    case SETPAY_WIRE_TEXT:
        memcpy(pb, &value, sizeof(value));
        return SETPAY_OK;
    case SETPAY_WIRE_U32:
        *(uint32_t *)pb = *(const uint32_t *)value;
        return SETPAY_OK;
    case SETPAY_WIRE_I64:
        *(int64_t *)pb = *(const int64_t *)value;
        return SETPAY_OK;
    case SETPAY_WIRE_BOOL:
        *(protobuf_c_boolean *)pb = *(const bool *)value ? 1 : 0;
        return SETPAY_OK;
    case SETPAY_WIRE_ENUM:
        *(int *)pb = (int)*(const unsigned *)value;
        return SETPAY_OK;
    case SETPAY_WIRE_MONEY:
        return write_money(value, arena, pb);
    case SETPAY_WIRE_MESSAGE:
        return write_message(field->inner, value, arena, pb);
    case SETPAY_WIRE_THUMBS:
        *(size_t *)at(to, described->quantifier_offset) =
            ((const struct setpay_thumbs *)value)->count;
        return write_thumbs(value, arena, pb);
    case SETPAY_WIRE_LIST: {
        size_t count = *(const size_t *)at_const(message, field->has);
        *(size_t *)at(to, described->quantifier_offset) = count;
        return write_list(field, count, *(const uint8_t *const *)value, arena, pb);
    }
    default:
        *(ProtobufCBinaryData *)pb = pb_of_view(setpay_wire_bytes(field, message));
        return SETPAY_OK;
    }
}

static enum setpay_error write_message(const struct setpay_wire_layout *layout, const void *message,
                                       struct setpay_arena *arena, ProtobufCMessage **made)
{
    ProtobufCMessage *to = setpay_arena_take(arena, layout->descriptor->sizeof_message);
    if (to == NULL)
        return SETPAY_E_NOMEM;
    protobuf_c_message_init(layout->descriptor, to);
    for (const struct setpay_wire_field *field = layout->fields; field->number != 0; field++)
        SETPAY_TRY(write_field(layout, field, message, arena, to));
    *made = to;
    return SETPAY_OK;
}

/* Checks, and gives the pb struct (in an arena, which the caller frees also on error). */
static enum setpay_error prepare(const struct setpay_wire_layout *layout, const void *message,
                                 struct setpay_arena **arena, ProtobufCMessage **made, size_t *size)
{
    SETPAY_TRY(check_message(layout, message));
    SETPAY_TRY(setpay_arena_new(SETPAY_LIMIT_UNPACK_BYTES, false, arena));
    SETPAY_TRY(write_message(layout, message, *arena, made));
    *size = protobuf_c_message_get_packed_size(*made);
    return *size > layout->maximum ? SETPAY_E_TOO_BIG : SETPAY_OK;
}

enum setpay_error setpay_wire_build(const struct setpay_wire_layout *layout, const void *message,
                                    struct setpay_buffer *bytes)
{
    struct setpay_arena *arena = NULL;
    ProtobufCMessage *made = NULL;
    uint8_t *room = NULL;
    size_t size = 0;
    assert(!layout->secret);
    enum setpay_error error = prepare(layout, message, &arena, &made, &size);
    if (error == SETPAY_OK && size > bytes->max)
        error = SETPAY_E_TOO_BIG;
    if (error != SETPAY_OK)
        goto out;
    setpay_buffer_reset(bytes);
    error = setpay_buffer_extend(bytes, size, &room);
    if (error == SETPAY_OK)
        protobuf_c_message_pack(made, room);
out:
    setpay_arena_free(arena);
    return error;
}

enum setpay_error setpay_wire_build_secret(const struct setpay_wire_layout *layout,
                                           const void *message, struct setpay_secret *bytes)
{
    /* The pb structs only point at secrets, they hold none: an ordinary arena does. */
    struct setpay_arena *arena = NULL;
    ProtobufCMessage *made = NULL;
    size_t size = 0;
    enum setpay_error error = prepare(layout, message, &arena, &made, &size);
    if (error != SETPAY_OK)
        goto out;
    error = setpay_secret_alloc(bytes, size);
    if (error == SETPAY_OK)
        protobuf_c_message_pack(made, bytes->data);
out:
    setpay_arena_free(arena);
    return error;
}
