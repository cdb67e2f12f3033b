/*
 * A change of one byte in a protobuf message mostly breaks a length, and the parser is left at its
 * first line. Here a message is taken apart into its fields, one of them is dropped, given twice,
 * exchanged, changed or joined by another, and all lengths around it are written anew.
 */
#include "tests/fuzz/mutate.h"

#include "common/base/bytes.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 256
#define DEPTH_MAX 4
#define ROOM 65536

struct field {
    struct setpay_view whole;
    struct setpay_view inside; /* of a field with a length */
    uint32_t number;
    bool has_length;
};

struct mutation {
    uint64_t random;
    uint8_t *out;
    size_t size;
};

static unsigned pick(struct mutation *mutation, unsigned count)
{
    mutation->random = mutation->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(mutation->random >> 33) % count;
}

static bool take_number(struct setpay_view *in, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && in->size > 0; shift += 7) {
        uint8_t byte = fuzz_take(in);
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

/* The fields of a message; 0 where it is none. */
static size_t split(struct setpay_view in, struct field *fields)
{
    size_t count = 0;
    while (in.size > 0) {
        struct setpay_view start = in;
        uint64_t tag, value;
        if (count == FIELDS_MAX || !take_number(&in, &tag) || !take_number(&in, &value) ||
            ((tag & 7) != 0 && (tag & 7) != 2) || ((tag & 7) == 2 && value > in.size))
            return 0;
        struct field *field = &fields[count++];
        field->number = (uint32_t)(tag >> 3);
        field->has_length = (tag & 7) == 2;
        field->inside = field->has_length ? fuzz_take_bytes(&in, (size_t)value) : SETPAY_VIEW_EMPTY;
        field->whole = setpay_view_of(start.data, start.size - in.size);
    }
    return count;
}

static void put(struct mutation *mutation, struct setpay_view bytes)
{
    if (bytes.size == 0 || mutation->size + bytes.size > ROOM)
        return;
    memcpy(mutation->out + mutation->size, bytes.data, bytes.size);
    mutation->size += bytes.size;
}

static void put_number(struct mutation *mutation, uint64_t value)
{
    uint8_t bytes[10];
    size_t count = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[count++] = (uint8_t)(value | 0x80);
    bytes[count++] = (uint8_t)value;
    put(mutation, setpay_view_of(bytes, count));
}

static void put_scalar(struct mutation *mutation, uint32_t number)
{
    static const uint64_t values[] = {0, 0,   0,   1,          2,         3,
                                      4, 127, 128, UINT32_MAX, INT64_MAX, UINT64_MAX};
    put_number(mutation, (uint64_t)number << 3);
    put_number(mutation, pick(mutation, 4) == 0
                             ? pick(mutation, 100000)
                             : values[pick(mutation, sizeof(values) / sizeof(values[0]))]);
}

static bool change_message(struct mutation *mutation, struct setpay_view in, unsigned depth);

/* A field with a length: its inside changed, as a message where it is one. */
static void put_changed(struct mutation *mutation, const struct field *field, unsigned depth)
{
    uint8_t *room = malloc(ROOM);
    struct mutation inner = {.random = mutation->random + 1, .out = room};
    FUZZ_CHECK(room != NULL);
    if (pick(mutation, 8) == 0 || !change_message(&inner, field->inside, depth + 1)) {
        if (field->inside.size != 0)
            memcpy(room, field->inside.data, field->inside.size);
        size_t most = field->inside.size + 8 < ROOM ? field->inside.size + 8 : ROOM;
        inner.size = LLVMFuzzerMutate(room, field->inside.size, most);
    }
    put_number(mutation, (uint64_t)field->number << 3 | 2);
    put_number(mutation, inner.size);
    put(mutation, setpay_view_of(room, inner.size));
    free(room);
}

static void put_field(struct mutation *mutation, const struct field *field, unsigned depth)
{
    switch (pick(mutation, 8)) {
    case 0: /* dropped */
        return;
    case 1: /* twice */
        put(mutation, field->whole);
        put(mutation, field->whole);
        return;
    case 2: /* another one behind it */
        put(mutation, field->whole);
        put_scalar(mutation, field->number + pick(mutation, 3));
        return;
    default:
        if (field->has_length)
            put_changed(mutation, field, depth);
        else
            put_scalar(mutation, field->number);
    }
}

static bool change_message(struct mutation *mutation, struct setpay_view in, unsigned depth)
{
    struct field *fields = calloc(FIELDS_MAX, sizeof(*fields));
    FUZZ_CHECK(fields != NULL);
    size_t count = depth > DEPTH_MAX ? 0 : split(in, fields);
    size_t at = count == 0 ? 0 : pick(mutation, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        if (i == at && i + 1 < count && pick(mutation, 16) == 0) { /* in another order */
            put(mutation, fields[i + 1].whole);
            put(mutation, fields[i].whole);
            i++;
        } else if (i == at) {
            put_field(mutation, &fields[i], depth);
        } else {
            put(mutation, fields[i].whole);
        }
    }
    free(fields);
    return count > 0;
}

size_t fuzz_mutate_message(uint8_t *data, size_t size, size_t max_size, unsigned seed, size_t skip)
{
    static uint8_t room[ROOM];
    struct mutation mutation = {.random = seed, .out = room};
    if (size <= skip || pick(&mutation, 2) == 0 ||
        !change_message(&mutation, setpay_view_of(data + skip, size - skip), 0) ||
        mutation.size + skip > max_size)
        return LLVMFuzzerMutate(data, size, max_size);
    memcpy(data + skip, room, mutation.size);
    return skip + mutation.size;
}
