/*
 * Rule A1, for every message and every field of it, by going through the tables: each example is
 * taken apart into a tree of its packed fields, one thing is made wrong at a time, at every place
 * and depth where it can be, and the parser has to refuse it with exactly the error for that.
 */
#include "common/base/limits.h"
#include "common/wire/layouts.h"
#include "common/wire/messages.h"
#include "tests/support/test_messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ the tree of packed fields */

#define NODES_MAX 256
#define CHILDREN_MAX 80

struct node {
    uint32_t number;
    unsigned wire;       /* 0 or 2 */
    uint64_t value;      /* wire 0 */
    uint8_t bytes[2200]; /* wire 2, without children */
    size_t size;
    const ProtobufCFieldDescriptor *field;
    const struct setpay_wire_field *row; /* NULL inside Money */
    bool is_message;
    struct node *children[CHILDREN_MAX];
    size_t child_count;
    /* What is made wrong */
    bool dropped, twice, long_tag, long_value, unknown_inside;
};

static struct node *nodes; /* an arena */
static size_t node_count;

static struct node *new_node(void)
{
    assert_true(node_count < NODES_MAX);
    struct node *node = &nodes[node_count++];
    memset(node, 0, sizeof(*node));
    return node;
}

static uint64_t take_number(struct setpay_view *left)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(left->size > 0);
        uint8_t byte = *left->data++;
        left->size--;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
}

static const struct setpay_wire_field *row_of(const struct setpay_wire_layout *layout,
                                              uint32_t number)
{
    for (const struct setpay_wire_field *row = layout == NULL ? NULL : layout->fields;
         row != NULL && row->number != 0; row++)
        if (row->number == number)
            return row;
    return NULL;
}

static void grow(struct node *parent, const ProtobufCMessageDescriptor *descriptor,
                 const struct setpay_wire_layout *layout, struct setpay_view bytes)
{
    parent->is_message = true;
    while (bytes.size > 0) {
        struct node *node = new_node();
        uint64_t tag = take_number(&bytes);
        node->number = (uint32_t)(tag >> 3);
        node->wire = tag & 7;
        node->field = protobuf_c_message_descriptor_get_field(descriptor, node->number);
        node->row = row_of(layout, node->number);
        assert_non_null(node->field);
        node->value = take_number(&bytes);
        if (node->wire == 2) {
            struct setpay_view inside = {bytes.data, (size_t)node->value};
            assert_true(inside.size <= bytes.size);
            bytes.data += inside.size;
            bytes.size -= inside.size;
            if (node->field->type == PROTOBUF_C_TYPE_MESSAGE) {
                grow(node, node->field->descriptor, node->row == NULL ? NULL : node->row->inner,
                     inside);
            } else {
                assert_true(inside.size <= sizeof(node->bytes));
                memcpy(node->bytes, inside.data, inside.size);
                node->size = inside.size;
            }
        }
        assert_true(parent->child_count < CHILDREN_MAX);
        parent->children[parent->child_count++] = node;
    }
}

static void put_number(struct setpay_buffer *out, uint64_t value, bool overlong)
{
    uint8_t *room;
    while (value >= 0x80) {
        assert_int_equal(setpay_buffer_extend(out, 1, &room), SETPAY_OK);
        *room = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    assert_int_equal(setpay_buffer_extend(out, overlong ? 2 : 1, &room), SETPAY_OK);
    room[0] = (uint8_t)(overlong ? value | 0x80 : value);
    if (overlong)
        room[1] = 0;
}

static void put_children(struct setpay_buffer *out, const struct node *parent);

static void put(struct setpay_buffer *out, const struct node *node)
{
    put_number(out, (uint64_t)node->number << 3 | node->wire, node->long_tag);
    if (node->wire != 2) {
        put_number(out, node->value, node->long_value);
        return;
    }
    struct setpay_buffer inside;
    setpay_buffer_init(&inside, 256 * 1024);
    if (node->is_message)
        put_children(&inside, node);
    else
        assert_int_equal(setpay_buffer_append(&inside, setpay_view_of(node->bytes, node->size)),
                         SETPAY_OK);
    put_number(out, inside.size, node->long_value);
    assert_int_equal(setpay_buffer_append(out, setpay_buffer_view(&inside)), SETPAY_OK);
    setpay_buffer_clear(&inside);
}

static void put_children(struct setpay_buffer *out, const struct node *parent)
{
    for (size_t i = 0; i < parent->child_count; i++) {
        const struct node *node = parent->children[i];
        if (!node->dropped)
            put(out, node);
        if (node->twice)
            put(out, node);
    }
    if (parent->unknown_inside) {
        put_number(out, (uint64_t)1000 << 3, false);
        put_number(out, 1, false);
    }
}

/* ------------------------------------------------------------------ one thing wrong at a time */

static const struct test_sample *sample; /* under test */
static struct node *root;

static enum setpay_error parse(struct setpay_view bytes)
{
    uint8_t *message = malloc(sample->layout->size);
    uint8_t *untouched = malloc(sample->layout->size);
    assert_non_null(message);
    assert_non_null(untouched);
    memset(message, 0x5a, sample->layout->size);
    memset(untouched, 0x5a, sample->layout->size);
    /* A copy of the exact size, so that a sanitizer sees a read behind the end. */
    uint8_t *copy = malloc(bytes.size + 1);
    assert_non_null(copy);
    if (bytes.size > 0)
        memcpy(copy + 1, bytes.data, bytes.size);
    enum setpay_error error =
        setpay_wire_parse(sample->layout, setpay_view_of(copy + 1, bytes.size), message);
    if (error == SETPAY_OK)
        setpay_wire_clear(sample->layout, message);
    else
        assert_memory_equal(message, untouched, sample->layout->size);
    free(copy);
    free(message);
    free(untouched);
    return error;
}

static void expect_either(const char *what, const struct node *node, enum setpay_error expected,
                          enum setpay_error or_else)
{
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, 256 * 1024);
    put_children(&bytes, root);
    enum setpay_error error = parse(setpay_buffer_view(&bytes));
    setpay_buffer_clear(&bytes);
    if (error != expected && error != or_else)
        fail_msg("%s, %s (field %u): %s, expected %s", sample->name, what,
                 node == NULL ? 0 : node->number, setpay_error_name(error),
                 setpay_error_name(expected));
}

static void expect(const char *what, const struct node *node, enum setpay_error expected)
{
    expect_either(what, node, expected, expected);
}

/* What can be wrong with any field. */
static void try_form(struct node *parent, size_t index)
{
    struct node *node = parent->children[index];
    bool required = node->field->label == PROTOBUF_C_LABEL_REQUIRED;
    bool repeated = node->field->label == PROTOBUF_C_LABEL_REPEATED;
    node->dropped = true;
    expect_either("dropped", node, SETPAY_E_FIELD, required ? SETPAY_E_FIELD : SETPAY_OK);
    node->dropped = false;
    node->twice = true;
    expect("twice", node, repeated ? SETPAY_OK : SETPAY_E_NOT_CANONICAL);
    node->twice = false;
    node->long_tag = true;
    expect("overlong tag", node, SETPAY_E_NOT_CANONICAL);
    node->long_tag = false;
    node->long_value = true;
    expect("overlong number or length", node, SETPAY_E_NOT_CANONICAL);
    node->long_value = false;
    unsigned wire = node->wire;
    for (unsigned other = 0; other < 8; other++) {
        node->wire = other;
        if (other != wire)
            expect("wrong wire type", node, SETPAY_E_MALFORMED);
    }
    node->wire = wire;
    struct node **place = &parent->children[index];
    struct node **before = &parent->children[index > 0 ? index - 1 : 0];
    if (before != place && (*before)->number != node->number) {
        *place = *before;
        *before = node;
        expect("out of order", node, SETPAY_E_NOT_CANONICAL);
        *before = *place;
        *place = node;
    }
    if (node->is_message) {
        node->unknown_inside = true;
        expect("unknown field inside", node, SETPAY_E_NOT_CANONICAL);
        node->unknown_inside = false;
    }
}

static void with_bytes(struct node *node, const char *what, const void *bytes, size_t size,
                       enum setpay_error expected)
{
    static uint8_t kept[sizeof(node->bytes)];
    size_t kept_size = node->size;
    memcpy(kept, node->bytes, kept_size);
    assert_true(size <= sizeof(node->bytes));
    memcpy(node->bytes, bytes, size);
    node->size = size;
    expect(what, node, expected);
    memcpy(node->bytes, kept, kept_size);
    node->size = kept_size;
}

static void try_bytes(struct node *node)
{
    static uint8_t changed[sizeof(node->bytes)];
    const struct setpay_wire_field *row = node->row;
    size_t least = node->size;
    size_t most = least;
    switch (row->kind) {
    case SETPAY_WIRE_ID:
    case SETPAY_WIRE_DIGEST:
    case SETPAY_WIRE_THUMBS:
        break;
    default:
        least = (size_t)row->minimum;
        most = (size_t)row->maximum;
    }
    memset(changed, '1', sizeof(changed));
    memcpy(changed, node->bytes, node->size);
    with_bytes(node, "empty", changed, 0, SETPAY_E_FIELD);
    with_bytes(node, "too short", changed, least - 1, SETPAY_E_FIELD);
    with_bytes(node, "too long", changed, most + 1, SETPAY_E_FIELD);
    if (row->kind == SETPAY_WIRE_DIGITS) {
        changed[0] = 'x';
        with_bytes(node, "no digit", changed, node->size, SETPAY_E_FIELD);
        changed[0] = 0;
        with_bytes(node, "a NUL for a digit", changed, node->size, SETPAY_E_FIELD);
    }
}

static void try_text(struct node *node)
{
    static char changed[sizeof(node->bytes)];
    size_t most = node->row == NULL ? 3 : (size_t)node->row->maximum;
    memset(changed, '1', sizeof(changed));
    memcpy(changed, node->bytes, node->size);
    with_bytes(node, "empty", changed, 0, SETPAY_E_FIELD);
    with_bytes(node, "too long", changed, most + 1, SETPAY_E_FIELD);
    if (node->row == NULL) { /* the currency: held to the table of currencies */
        with_bytes(node, "unknown currency", "XQZ", 3, SETPAY_E_FIELD);
        with_bytes(node, "small letters", "eur", 3, SETPAY_E_FIELD);
        with_bytes(node, "a NUL", "EU\0", 3, SETPAY_E_TEXT);
        return;
    }
    if (node->row->minimum > 1)
        with_bytes(node, "too short", changed, (size_t)node->row->minimum - 1, SETPAY_E_FIELD);
    changed[node->size - 1] = '\0';
    with_bytes(node, "a NUL", changed, node->size, SETPAY_E_TEXT);
    changed[node->size - 1] = (char)0xff;
    with_bytes(node, "no UTF-8", changed, node->size, SETPAY_E_TEXT);
    changed[node->size - 1] = '\n';
    with_bytes(node, "control character", changed, node->size, SETPAY_E_FIELD);
    if (node->size >= 2) {
        changed[node->size - 2] = (char)0xc2;
        changed[node->size - 1] = (char)0x9b;
        with_bytes(node, "control character of two bytes", changed, node->size, SETPAY_E_FIELD);
        /* U+00A9 is none: refused by the narrow syntaxes alone */
        changed[node->size - 1] = (char)0xa9;
        with_bytes(node, "a sign of two bytes", changed, node->size,
                   node->row->syntax == SETPAY_WIRE_ANY ? SETPAY_OK : SETPAY_E_FIELD);
    }
}

static void with_value(struct node *node, const char *what, uint64_t value,
                       enum setpay_error expected)
{
    uint64_t kept = node->value;
    node->value = value;
    expect(what, node, expected);
    node->value = kept;
}

static void try_value(struct node *node)
{
    int64_t minimum = 0, maximum = SETPAY_MONEY_MAX_MINOR; /* inside Money */
    switch (node->field->type) {
    case PROTOBUF_C_TYPE_ENUM:
        with_value(node, "enumeration value 0", 0, SETPAY_E_ENUM);
        with_value(node, "unknown enumeration value", 99, SETPAY_E_ENUM);
        with_value(node, "negative enumeration value", (uint64_t)INT64_C(-1), SETPAY_E_ENUM);
        with_value(node, "enumeration value above 32 bits", UINT64_C(0x100000001),
                   SETPAY_E_NOT_CANONICAL);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        with_value(node, "neither yes nor no", 2, SETPAY_E_NOT_CANONICAL);
        return;
    default:
        break;
    }
    if (node->row != NULL) {
        minimum = node->row->minimum;
        maximum = node->row->maximum;
    }
    if (minimum > 0)
        with_value(node, "zero", 0, SETPAY_E_FIELD);
    with_value(node, "above the range", (uint64_t)maximum + 1, SETPAY_E_FIELD);
    if (node->field->type == PROTOBUF_C_TYPE_INT64) {
        with_value(node, "negative", (uint64_t)INT64_C(-1), SETPAY_E_FIELD);
        with_value(node, "smallest number", UINT64_C(1) << 63, SETPAY_E_FIELD);
    } else {
        with_value(node, "above 32 bits", UINT64_C(0x100000001), SETPAY_E_NOT_CANONICAL);
    }
}

static void try_count(struct node *parent, size_t index)
{
    struct node *node = parent->children[index];
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, 256 * 1024);
    if (node->row == NULL || node->field->label != PROTOBUF_C_LABEL_REPEATED || parent != root)
        return;
    /* One above its limit; digests are empty ones, so that the size is no reason. */
    for (size_t i = 0; i < (size_t)node->row->maximum + 1; i++) {
        if (node->is_message) {
            put(&bytes, node);
            continue;
        }
        put_number(&bytes, (uint64_t)node->number << 3 | 2, false);
        put_number(&bytes, 0, false);
    }
    struct setpay_buffer all;
    setpay_buffer_init(&all, 256 * 1024);
    for (size_t i = 0; i < parent->child_count; i++) {
        if (parent->children[i]->number == node->number) {
            if (i == index)
                assert_int_equal(setpay_buffer_append(&all, setpay_buffer_view(&bytes)), SETPAY_OK);
        } else {
            put(&all, parent->children[i]);
        }
    }
    enum setpay_error error = parse(setpay_buffer_view(&all));
    if (error != SETPAY_E_TOO_BIG)
        fail_msg("%s, %zd of field %u: %s", sample->name, (ssize_t)node->row->maximum + 1,
                 node->number, setpay_error_name(error));
    setpay_buffer_clear(&all);
    setpay_buffer_clear(&bytes);
}

static void try_below(struct node *parent)
{
    for (size_t i = 0; i < parent->child_count; i++) {
        struct node *node = parent->children[i];
        try_form(parent, i);
        try_count(parent, i);
        if (node->is_message)
            try_below(node);
        else if (node->field->type == PROTOBUF_C_TYPE_BYTES)
            try_bytes(node);
        else if (node->field->type == PROTOBUF_C_TYPE_STRING)
            try_text(node);
        else
            try_value(node);
    }
}

/* Cut off at every byte: in the middle of something it is no message, between fields it lacks some.
 */
static void try_truncated(struct setpay_view bytes)
{
    for (size_t size = 0; size < bytes.size; size++) {
        struct setpay_view left = {bytes.data, size};
        bool whole = true;
        while (left.size > 0 && whole) { /* does a field end here? */
            struct setpay_view at = left;
            uint64_t number[2] = {0, 0};
            for (unsigned n = 0; n < 2 && whole; n++) {
                size_t length = 0;
                while (length < at.size && (at.data[length] & 0x80) != 0)
                    length++;
                whole = length < at.size;
                if (whole)
                    number[n] = take_number(&at);
            }
            uint64_t inside = whole && (number[0] & 7) == 2 ? number[1] : 0;
            whole = whole && inside <= at.size;
            if (whole)
                left = setpay_view_of(at.data + inside, at.size - (size_t)inside);
        }
        enum setpay_error error = parse(setpay_view_of(bytes.data, size));
        if (whole ? error != SETPAY_E_FIELD && error != SETPAY_OK : error != SETPAY_E_MALFORMED)
            fail_msg("%s cut off at %zu: %s", sample->name, size, setpay_error_name(error));
    }
}

static void each_sample(void (*test)(struct setpay_view bytes, const void *message))
{
    for (size_t i = 0; i < test_sample_count; i++) {
        sample = &test_samples[i];
        void *message = calloc(1, sample->layout->size);
        assert_non_null(message);
        sample->fill(message);
        struct setpay_buffer bytes;
        setpay_buffer_init(&bytes, SETPAY_LIMIT_CONTENT_BYTES);
        test_build(sample->layout, message, &bytes);
        node_count = 0;
        root = new_node();
        grow(root, sample->layout->descriptor, sample->layout, setpay_buffer_view(&bytes));
        test(setpay_buffer_view(&bytes), message);
        setpay_wire_clear(sample->layout, message);
        setpay_buffer_clear(&bytes);
        free(message);
    }
}

/* ------------------------------------------------------------------ tests */

static void same_again(struct setpay_view bytes, const void *message)
{
    void *again = malloc(sample->layout->size);
    assert_non_null(again);
    assert_int_equal(setpay_wire_parse(sample->layout, bytes, again), SETPAY_OK);
    json_t *before = test_message_json(sample->layout, message);
    json_t *after = test_message_json(sample->layout, again);
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    struct setpay_buffer rebuilt;
    setpay_buffer_init(&rebuilt, SETPAY_LIMIT_CONTENT_BYTES);
    test_build(sample->layout, again, &rebuilt);
    assert_int_equal(rebuilt.size, bytes.size);
    assert_memory_equal(rebuilt.data, bytes.data, bytes.size);
    setpay_buffer_clear(&rebuilt);
    setpay_wire_clear(sample->layout, again);
    setpay_wire_clear(sample->layout, again); /* twice does no harm */
    free(again);
    expect("unharmed", NULL, SETPAY_OK); /* the tree gives the same bytes */
}

static void test_what_is_built_is_parsed_to_the_same(void **state)
{
    (void)state;
    each_sample(same_again);
}

static void every_defect(struct setpay_view bytes, const void *message)
{
    (void)bytes;
    (void)message;
    root->unknown_inside = true;
    expect("unknown field behind", NULL, SETPAY_E_NOT_CANONICAL);
    root->unknown_inside = false;
    try_below(root);
}

/* rule A1 */
static void test_every_defect_of_every_field_has_its_error(void **state)
{
    (void)state;
    each_sample(every_defect);
}

static void cut_off(struct setpay_view bytes, const void *message)
{
    (void)message;
    try_truncated(bytes);
}

static void test_cut_off_at_every_byte_is_refused(void **state)
{
    (void)state;
    each_sample(cut_off);
}

static void too_big(struct setpay_view bytes, const void *message)
{
    (void)message;
    (void)bytes;
    uint8_t *big = calloc(1, sample->layout->maximum + 1);
    assert_non_null(big);
    assert_int_equal(parse(setpay_view_of(big, sample->layout->maximum + 1)), SETPAY_E_TOO_BIG);
    /* Field number 0, and a field whose number never ends. */
    assert_int_equal(parse(setpay_view_of(big, 2)), SETPAY_E_MALFORMED);
    memset(big, 0xff, 16);
    assert_int_equal(parse(setpay_view_of(big, 16)), SETPAY_E_MALFORMED);
    free(big);
}

static void test_a_message_above_its_limit_is_refused_unread(void **state)
{
    (void)state;
    each_sample(too_big);
}

/* Every single-bit change of every message: parsed or refused, and if it parses, canonical. */
static void flip(struct setpay_view bytes, const void *message)
{
    (void)message;
    uint8_t *changed = malloc(bytes.size);
    void *parsed = malloc(sample->layout->size);
    assert_non_null(changed);
    assert_non_null(parsed);
    struct setpay_buffer rebuilt;
    setpay_buffer_init(&rebuilt, SETPAY_LIMIT_CONTENT_BYTES);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        memcpy(changed, bytes.data, bytes.size);
        changed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        struct setpay_view view = {changed, bytes.size};
        if (setpay_wire_parse(sample->layout, view, parsed) != SETPAY_OK)
            continue;
        test_build(sample->layout, parsed, &rebuilt);
        assert_true(setpay_view_equal(setpay_buffer_view(&rebuilt), view));
        setpay_wire_clear(sample->layout, parsed);
    }
    setpay_buffer_clear(&rebuilt);
    free(parsed);
    free(changed);
}

static void test_one_bit_changed_is_refused_or_another_canonical_message(void **state)
{
    (void)state;
    each_sample(flip);
}

/* A table that lacks a field, or takes it for another kind, would not be seen by the tests above.
 */
static void check_table(const struct setpay_wire_layout *layout)
{
    unsigned rows = 0;
    uint32_t last = 0;
    for (const struct setpay_wire_field *row = layout->fields; row->number != 0; row++, rows++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(layout->descriptor, row->number);
        assert_non_null(field);
        assert_true(row->number > last);
        last = row->number;
        bool repeated = row->kind == SETPAY_WIRE_THUMBS || row->kind == SETPAY_WIRE_LIST;
        assert_int_equal(field->label, repeated        ? PROTOBUF_C_LABEL_REPEATED
                                       : row->optional ? PROTOBUF_C_LABEL_OPTIONAL
                                                       : PROTOBUF_C_LABEL_REQUIRED);
        ProtobufCType type = PROTOBUF_C_TYPE_BYTES;
        switch (row->kind) {
        case SETPAY_WIRE_TEXT:
            type = PROTOBUF_C_TYPE_STRING;
            break;
        case SETPAY_WIRE_U32:
            type = PROTOBUF_C_TYPE_UINT32;
            break;
        case SETPAY_WIRE_I64:
            type = PROTOBUF_C_TYPE_INT64;
            break;
        case SETPAY_WIRE_BOOL:
            type = PROTOBUF_C_TYPE_BOOL;
            break;
        case SETPAY_WIRE_ENUM:
            type = PROTOBUF_C_TYPE_ENUM;
            break;
        case SETPAY_WIRE_MONEY:
        case SETPAY_WIRE_MESSAGE:
        case SETPAY_WIRE_LIST:
            type = PROTOBUF_C_TYPE_MESSAGE;
            break;
        default:
            break;
        }
        assert_int_equal(field->type, type);
        if (row->inner != NULL)
            check_table(row->inner);
    }
    assert_int_equal(rows, layout->descriptor->n_fields);
}

static void test_the_tables_have_every_field_of_the_proto_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < test_sample_count; i++)
        check_table(test_samples[i].layout);
}

static void test_build_refuses_what_parse_would(void **state)
{
    (void)state;
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SETPAY_LIMIT_CONTENT_BYTES);
    struct setpay_oi oi = {0};
    test_fill_oi(&oi);
    oi.brand[0] = 'E';
    assert_int_equal(setpay_oi_build(&oi, &bytes), SETPAY_E_FIELD);
    test_fill_oi(&oi);
    strcpy(oi.lid_m, "\xff");
    assert_int_equal(setpay_oi_build(&oi, &bytes), SETPAY_E_TEXT);
    test_fill_oi(&oi);
    oi.amount.minor = 0;
    assert_int_equal(setpay_oi_build(&oi, &bytes), SETPAY_E_FIELD);
    test_fill_oi(&oi);
    oi.terms.kind = 0;
    assert_int_equal(setpay_oi_build(&oi, &bytes), SETPAY_E_ENUM);
    test_fill_oi(&oi);
    struct setpay_buffer small;
    setpay_buffer_init(&small, 100);
    assert_int_equal(setpay_oi_build(&oi, &small), SETPAY_E_TOO_BIG);
    assert_int_equal(small.size, 0);
    assert_int_equal(bytes.size, 0);
}

/* What no single field can say. */
static void test_fields_that_exclude_each_other(void **state)
{
    (void)state;
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SETPAY_LIMIT_CONTENT_BYTES);
    struct setpay_oi oi = {0};
    test_fill_oi(&oi);
    oi.terms = (struct setpay_terms){SETPAY_TERMS_RECURRING, 12, 30, 1250, TEST_DATE_MS};
    assert_int_equal(setpay_oi_build(&oi, &bytes), SETPAY_OK);
    oi.terms.count = 0;
    assert_int_equal(setpay_oi_build(&oi, &bytes), SETPAY_E_FIELD);
    oi.terms = (struct setpay_terms){SETPAY_TERMS_SINGLE, 12, 30, 1250, TEST_DATE_MS};
    assert_int_equal(setpay_oi_build(&oi, &bytes), SETPAY_E_FIELD);

    struct setpay_pinit_res res = {.item_count = 0};
    test_fill_pinit_res(&res);
    res.items[0].total_minor++;
    assert_int_equal(setpay_pinit_res_build(&res, &bytes), SETPAY_E_FIELD);
    res.items[0].total_minor--;
    res.header.has_receiver = true;
    assert_int_equal(setpay_pinit_res_build(&res, &bytes), SETPAY_E_FIELD);
    setpay_pinit_res_clear(&res);

    struct setpay_auth_req req = {.intent = 0};
    test_fill_auth_req(&req);
    req.header.has_sender = false;
    assert_int_equal(setpay_auth_req_build(&req, &bytes), SETPAY_E_FIELD);
    test_fill_auth_req(&req);
    req.header.has_receiver = false;
    assert_int_equal(setpay_auth_req_build(&req, &bytes), SETPAY_E_FIELD);
    test_fill_auth_req(&req);
    strcpy(req.header.receiver_name, "gateway-1");
    assert_int_equal(setpay_auth_req_build(&req, &bytes), SETPAY_E_FIELD);
    setpay_buffer_clear(&bytes);
}

static int set_up(void **state)
{
    (void)state;
    nodes = calloc(NODES_MAX, sizeof(*nodes));
    return nodes != NULL && setpay_secret_system_init() == SETPAY_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(nodes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_built_is_parsed_to_the_same),
        cmocka_unit_test(test_every_defect_of_every_field_has_its_error),
        cmocka_unit_test(test_cut_off_at_every_byte_is_refused),
        cmocka_unit_test(test_a_message_above_its_limit_is_refused_unread),
        cmocka_unit_test(test_one_bit_changed_is_refused_or_another_canonical_message),
        cmocka_unit_test(test_the_tables_have_every_field_of_the_proto_files),
        cmocka_unit_test(test_build_refuses_what_parse_would),
        cmocka_unit_test(test_fields_that_exclude_each_other),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
