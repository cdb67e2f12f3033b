/*
 * Protobuf by hand: tags, varints and lengths, as proto2's encoding defines them.
 */
#include "tests/support/test_proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define SIZE_MAX_BYTES (256 * 1024)
#define UNKNOWN_FIELD 2047
#define DEPTH 200
#define NO_CHANGE (-1)

static uint64_t read_number(const uint8_t **at, const uint8_t *end)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        NEED(*at < end && shift < 64);
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
}

size_t test_proto_split(struct setpay_view bytes, struct test_proto_field *fields)
{
    const uint8_t *at = bytes.data, *end = bytes.data + bytes.size;
    size_t count = 0;
    while (at < end) {
        NEED(count < TEST_PROTO_FIELDS);
        struct test_proto_field *field = &fields[count++];
        const uint8_t *start = at;
        uint64_t tag = read_number(&at, end);
        field->number = (uint32_t)(tag >> 3);
        field->wire = (unsigned)(tag & 7);
        const uint8_t *value = at;
        uint64_t number = read_number(&at, end);
        if (field->wire == 2) {
            NEED(number <= (uint64_t)(end - at));
            value = at;
            at += number;
        } else {
            NEED(field->wire == 0);
        }
        field->value = setpay_view_of(value, (size_t)(at - value));
        field->whole = setpay_view_of(start, (size_t)(at - start));
    }
    return count;
}

static void put(struct setpay_buffer *out, struct setpay_view bytes)
{
    NEED(setpay_buffer_append(out, bytes) == SETPAY_OK);
}

static void put_number(struct setpay_buffer *out, uint64_t value, bool overlong)
{
    uint8_t bytes[12];
    size_t size = 0;
    do {
        bytes[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    } while (value != 0);
    if (overlong)
        bytes[size++] = 0;
    else
        bytes[size - 1] &= 0x7f;
    put(out, setpay_view_of(bytes, size));
}

static void put_field(struct setpay_buffer *out, uint32_t number, unsigned wire,
                      struct setpay_view value, bool overlong)
{
    put_number(out, (uint64_t)number << 3 | wire, overlong);
    if (wire == 2)
        put_number(out, value.size, false);
    put(out, value);
}

static void put_changed(struct setpay_buffer *out, const struct test_proto_field *field, int change)
{
    static const uint8_t one = 1;
    switch (change) {
    case TEST_PROTO_MISSING:
    case TEST_PROTO_LAST:
        return;
    case TEST_PROTO_TWICE:
        put(out, field->whole);
        put(out, field->whole);
        return;
    case TEST_PROTO_OVERLONG_TAG:
        put_field(out, field->number, field->wire, field->value, true);
        return;
    case TEST_PROTO_OTHER_WIRE:
        put_field(out, field->number, field->wire == 2 ? 0 : 2, setpay_view_of(&one, 1), false);
        return;
    case TEST_PROTO_EMPTY:
        NEED(field->wire == 2);
        put_field(out, field->number, 2, SETPAY_VIEW_EMPTY, false);
        return;
    default:
        put(out, field->whole);
    }
}

/* Groups of one field in the other: the innermost is empty. */
static void put_deep(struct setpay_buffer *out)
{
    struct setpay_buffer inner, outer;
    setpay_buffer_init(&inner, SIZE_MAX_BYTES);
    for (int i = 0; i < DEPTH; i++) {
        setpay_buffer_init(&outer, SIZE_MAX_BYTES);
        put_field(&outer, UNKNOWN_FIELD, 2, setpay_buffer_view(&inner), false);
        setpay_buffer_clear(&inner);
        inner = outer;
    }
    put(out, setpay_buffer_view(&inner));
    setpay_buffer_clear(&inner);
}

static void put_end(struct setpay_buffer *out, int change)
{
    static const uint8_t one = 1, half_a_tag = 0x80;
    if (change == TEST_PROTO_UNKNOWN)
        put_field(out, UNKNOWN_FIELD, 0, setpay_view_of(&one, 1), false);
    else if (change == TEST_PROTO_UNKNOWN_DEEP)
        put_deep(out);
    else if (change == TEST_PROTO_TRAILING)
        put(out, setpay_view_of(&half_a_tag, 1));
    else if (change == TEST_PROTO_CUT)
        out->size--;
}

/* value: NULL unless the field gets another one. */
static void rebuild(struct setpay_view bytes, const uint32_t *path, uint32_t number, int change,
                    const struct setpay_view *value, struct setpay_buffer *out)
{
    struct test_proto_field fields[TEST_PROTO_FIELDS];
    size_t count = test_proto_split(bytes, fields);
    bool done = false;
    for (size_t i = 0; i < count; i++) {
        const struct test_proto_field *field = &fields[i];
        bool is_it = !done && field->number == (path[0] != 0 ? path[0] : number);
        done = done || is_it;
        if (!is_it) {
            put(out, field->whole);
        } else if (path[0] != 0) {
            struct setpay_buffer inner;
            NEED(field->wire == 2);
            setpay_buffer_init(&inner, SIZE_MAX_BYTES);
            rebuild(field->value, path + 1, number, change, value, &inner);
            put_field(out, field->number, 2, setpay_buffer_view(&inner), false);
            setpay_buffer_clear(&inner);
        } else if (value != NULL) {
            put_field(out, field->number, field->wire, *value, false);
        } else {
            put_changed(out, field, change);
        }
    }
    if (path[0] != 0 || value != NULL) {
        NEED(done);
        return;
    }
    for (size_t i = 0; i < count && change == TEST_PROTO_LAST; i++) {
        if (fields[i].number == number)
            put(out, fields[i].whole);
    }
    put_end(out, change);
}

void test_proto_change(struct setpay_view bytes, const uint32_t *path, uint32_t number,
                       enum test_proto_change change, struct setpay_buffer *out)
{
    struct setpay_buffer made;
    setpay_buffer_init(&made, SIZE_MAX_BYTES);
    rebuild(bytes, path, number, (int)change, NULL, &made);
    NEED(setpay_buffer_set(out, setpay_buffer_view(&made)) == SETPAY_OK);
    setpay_buffer_clear(&made);
}

void test_proto_replace(struct setpay_view bytes, const uint32_t *path, uint32_t number,
                        struct setpay_view value, struct setpay_buffer *out)
{
    struct setpay_buffer made;
    setpay_buffer_init(&made, SIZE_MAX_BYTES);
    rebuild(bytes, path, number, NO_CHANGE, &value, &made);
    NEED(setpay_buffer_set(out, setpay_buffer_view(&made)) == SETPAY_OK);
    setpay_buffer_clear(&made);
}

/* ------------------------------------------------------------------ all of them */

static const struct {
    enum test_proto_change change;
    const char *what;
    const char *expected;
    bool of_bytes; /* only of fields that hold bytes */
} field_changes[] = {
    {TEST_PROTO_MISSING, "left out", "FIELD A1", false},
    {TEST_PROTO_TWICE, "given twice", "NOT_CANONICAL A1", false},
    {TEST_PROTO_OVERLONG_TAG, "under an overlong tag", "NOT_CANONICAL A1", false},
    {TEST_PROTO_OTHER_WIRE, "of another wire type", "MALFORMED A1", false},
    {TEST_PROTO_EMPTY, "empty", "FIELD A1", true},
    {TEST_PROTO_LAST, "behind all others", "NOT_CANONICAL A1", false},
};
static const struct {
    enum test_proto_change change;
    const char *what;
    const char *expected;
} end_changes[] = {
    {TEST_PROTO_UNKNOWN, "an unknown field", "NOT_CANONICAL A1"},
    {TEST_PROTO_UNKNOWN_DEEP, "an unknown field 200 levels deep", "NOT_CANONICAL A1"},
    {TEST_PROTO_TRAILING, "half a tag behind it", "MALFORMED A1"},
    {TEST_PROTO_CUT, "its last byte cut off", "MALFORMED A1"},
};

static struct setpay_view inside(struct setpay_view bytes, const uint32_t *path)
{
    struct test_proto_field fields[TEST_PROTO_FIELDS];
    if (path[0] == 0)
        return bytes;
    size_t count = test_proto_split(bytes, fields);
    size_t i = 0;
    while (i < count && fields[i].number != path[0])
        i++;
    NEED(i < count);
    return inside(fields[i].value, path + 1);
}

void test_proto_change_all(struct setpay_view bytes, const uint32_t *path, uint32_t spared,
                           uint32_t last, test_proto_changed_cb *changed_cb, const void *arg)
{
    struct test_proto_field fields[TEST_PROTO_FIELDS];
    struct setpay_buffer changed;
    char what[96];
    size_t count = test_proto_split(inside(bytes, path), fields);
    setpay_buffer_init(&changed, SIZE_MAX_BYTES);
    for (size_t i = 0; i < count && (last == 0 || fields[i].number <= last); i++) {
        for (size_t c = 0; c < sizeof field_changes / sizeof *field_changes; c++) {
            enum test_proto_change change = field_changes[c].change;
            if ((field_changes[c].of_bytes && fields[i].wire != 2) ||
                (change == TEST_PROTO_MISSING && fields[i].number == spared) ||
                (change == TEST_PROTO_LAST && i + 1 == count))
                continue;
            (void)snprintf(what, sizeof what, "field %u %s", fields[i].number,
                           field_changes[c].what);
            test_proto_change(bytes, path, fields[i].number, change, &changed);
            changed_cb(setpay_buffer_view(&changed), what, field_changes[c].expected, arg);
        }
    }
    for (size_t c = 0; c < sizeof end_changes / sizeof *end_changes; c++) {
        test_proto_change(bytes, path, 0, end_changes[c].change, &changed);
        changed_cb(setpay_buffer_view(&changed), end_changes[c].what, end_changes[c].expected, arg);
    }
    setpay_buffer_clear(&changed);
}
