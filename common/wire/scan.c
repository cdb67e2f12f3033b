/*
 * A look at packed bytes before they are unpacked (rule A1).
 *
 * protobuf-c decodes; this only refuses. It is here because a decoder alone says "no" without a
 * reason, takes memory before counts are known, keeps unknown fields (and packs them again, so that
 * comparing would not find them), merges messages that are given twice, and cuts a text at a NUL.
 *
 * Vocabulary: a tag is field number times eight plus wire type; a number is a base-128 varint.
 */
#include "common/wire/arena.h"
#include "common/wire/layout.h"

#include <string.h>

/* No message of ours is nested deeper. */
#define SCAN_DEPTH_MAX 4
#define SCAN_COUNT_DEFAULT 64

enum { TYPE_VARINT = 0, TYPE_FIXED64 = 1, TYPE_BYTES = 2, TYPE_FIXED32 = 5 };

struct cursor {
    const uint8_t *at;
    size_t left;
};

/* At most ten bytes, in the shortest form. */
static enum setpay_error read_number(struct cursor *cursor, uint64_t *value)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < 10; i++) {
        if (cursor->left == 0)
            return SETPAY_E_MALFORMED;
        uint8_t byte = *cursor->at++;
        cursor->left--;
        if (i == 9 && byte > 1)
            return SETPAY_E_MALFORMED; /* more than 64 bits */
        sum |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            if (i > 0 && byte == 0)
                return SETPAY_E_NOT_CANONICAL; /* rule A1: overlong */
            *value = sum;
            return SETPAY_OK;
        }
    }
    return SETPAY_E_MALFORMED;
}

static unsigned expected_wire_type(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return TYPE_BYTES;
    default: /* the .proto files have no fixed-size numbers; a test holds them to it */
        return TYPE_VARINT;
    }
}

static const struct setpay_wire_field *layout_field(const struct setpay_wire_layout *layout,
                                                    uint32_t number)
{
    if (layout == NULL)
        return NULL;
    for (const struct setpay_wire_field *field = layout->fields; field->number != 0; field++)
        if (field->number == number)
            return field;
    return NULL;
}

static enum setpay_error scan(const ProtobufCMessageDescriptor *descriptor,
                              const struct setpay_wire_layout *layout, struct setpay_view bytes,
                              unsigned depth);

static enum setpay_error scan_value(const ProtobufCFieldDescriptor *field,
                                    const struct setpay_wire_field *row, struct cursor *cursor,
                                    unsigned depth)
{
    uint64_t value;
    SETPAY_TRY(read_number(cursor, &value));
    if (expected_wire_type(field) != TYPE_BYTES)
        return SETPAY_OK;
    if (value > cursor->left)
        return SETPAY_E_MALFORMED;
    struct setpay_view inside = setpay_view_of(cursor->at, (size_t)value);
    cursor->at += inside.size;
    cursor->left -= inside.size;
    if (field->type == PROTOBUF_C_TYPE_STRING && inside.size > 0 &&
        memchr(inside.data, 0, inside.size) != NULL)
        return SETPAY_E_TEXT; /* rule A1 */
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return scan(field->descriptor, row == NULL ? NULL : row->inner, inside, depth + 1);
    return SETPAY_OK;
}

static enum setpay_error check_required(const ProtobufCMessageDescriptor *descriptor, uint64_t seen)
{
    for (unsigned i = 0; i < descriptor->n_fields; i++)
        if (descriptor->fields[i].label == PROTOBUF_C_LABEL_REQUIRED &&
            (seen & (UINT64_C(1) << i)) == 0)
            return SETPAY_E_FIELD; /* rule A1: a required field is missing */
    return SETPAY_OK;
}

static enum setpay_error scan(const ProtobufCMessageDescriptor *descriptor,
                              const struct setpay_wire_layout *layout, struct setpay_view bytes,
                              unsigned depth)
{
    if (depth > SCAN_DEPTH_MAX || descriptor->n_fields > 64)
        return SETPAY_E_TOO_BIG;
    struct cursor cursor = {bytes.data, bytes.size};
    uint64_t seen = 0; /* by index in the descriptor */
    uint32_t last = 0;
    int64_t count = 0; /* of the repeated field under way */
    while (cursor.left > 0) {
        uint64_t tag;
        SETPAY_TRY(read_number(&cursor, &tag));
        if (tag >> 3 == 0 || tag > UINT32_MAX)
            return SETPAY_E_MALFORMED;
        uint32_t number = (uint32_t)(tag >> 3);
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(descriptor, number);
        if (field == NULL)
            return SETPAY_E_NOT_CANONICAL; /* rule A1: unknown */
        if ((tag & 7) != expected_wire_type(field))
            return SETPAY_E_MALFORMED;
        bool again = number == last;
        if (number < last || (again && field->label != PROTOBUF_C_LABEL_REPEATED))
            return SETPAY_E_NOT_CANONICAL; /* rule A1: out of order, or twice */
        const struct setpay_wire_field *row = layout_field(layout, number);
        count = again ? count + 1 : 1;
        if (count > (row == NULL ? SCAN_COUNT_DEFAULT : row->maximum) &&
            field->label == PROTOBUF_C_LABEL_REPEATED)
            return SETPAY_E_TOO_BIG; /* rule A1: counted before memory is taken */
        SETPAY_TRY(scan_value(field, row, &cursor, depth));
        seen |= UINT64_C(1) << (field - descriptor->fields);
        last = number;
    }
    return check_required(descriptor, seen);
}

enum setpay_error setpay_wire_scan(const ProtobufCMessageDescriptor *descriptor,
                                   const struct setpay_wire_layout *layout,
                                   struct setpay_view bytes)
{
    return scan(descriptor, layout, bytes, 0);
}

enum setpay_error setpay_wire_unpack(const ProtobufCMessageDescriptor *descriptor,
                                     struct setpay_view bytes, struct setpay_arena *arena,
                                     ProtobufCMessage **message)
{
    ProtobufCMessage *unpacked = protobuf_c_message_unpack(
        descriptor, setpay_arena_allocator(arena), bytes.size, bytes.data);
    if (unpacked == NULL)
        return setpay_arena_is_exhausted(arena) ? SETPAY_E_TOO_BIG : SETPAY_E_MALFORMED;
    /* Unknown fields would be packed again as they came; the scan refused them at every depth. */
    if (unpacked->n_unknown_fields != 0)
        return SETPAY_E_NOT_CANONICAL;
    /* Into the arena too: protobuf_c_message_pack_to_buffer would be smaller, but leaves pieces of
     * a secret on stack and heap. */
    size_t size = protobuf_c_message_get_packed_size(unpacked);
    if (size != bytes.size)
        return SETPAY_E_NOT_CANONICAL;
    uint8_t *again = setpay_arena_take(arena, size);
    if (again == NULL)
        return setpay_arena_is_exhausted(arena) ? SETPAY_E_TOO_BIG : SETPAY_E_NOMEM;
    if (protobuf_c_message_pack(unpacked, again) != size ||
        (size > 0 && memcmp(again, bytes.data, size) != 0))
        return SETPAY_E_NOT_CANONICAL; /* rule A1: the same bytes again */
    *message = unpacked;
    return SETPAY_OK;
}
