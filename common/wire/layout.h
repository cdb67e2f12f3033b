/*
 * How one of our structs and one protobuf message correspond: a table, from which both directions
 * and every check of a single field come. Inside common/wire only.
 */
#ifndef SETPAY_WIRE_LAYOUT_H
#define SETPAY_WIRE_LAYOUT_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/wire/arena.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a field is in our struct, and how it is checked. */
enum setpay_wire_kind {
    SETPAY_WIRE_ID,        /* bytes, 16: struct setpay_id */
    SETPAY_WIRE_DIGEST,    /* bytes, 32: struct setpay_digest */
    SETPAY_WIRE_SIGNATURE, /* bytes, 8 to 72: struct setpay_signature */
    SETPAY_WIRE_BYTES,     /* bytes, minimum to maximum: struct setpay_buffer, owned */
    SETPAY_WIRE_BLOCK,     /* bytes, minimum to maximum: array, its size in a size_t at has */
    SETPAY_WIRE_SECRET,    /* bytes, minimum to maximum: struct setpay_secret, owned */
    SETPAY_WIRE_DIGITS,    /* the same, all ASCII digits */
    SETPAY_WIRE_TEXT,      /* string, minimum to maximum bytes of a syntax: char array */
    SETPAY_WIRE_U32,       /* uint32, minimum to maximum */
    SETPAY_WIRE_I64,       /* int64, minimum to maximum */
    SETPAY_WIRE_BOOL,
    SETPAY_WIRE_ENUM,    /* a value of the .proto file's enumeration: int-sized enum */
    SETPAY_WIRE_MONEY,   /* message Money: struct setpay_money */
    SETPAY_WIRE_MESSAGE, /* message: a struct with a layout of its own */
    SETPAY_WIRE_THUMBS,  /* repeated bytes, 32 each: struct setpay_thumbs */
    SETPAY_WIRE_LIST,    /* repeated message: pointer to owned structs, their count at has */
};

/* The syntax of a text; all are UTF-8 without NUL first. */
enum setpay_wire_syntax {
    SETPAY_WIRE_ANY,      /* no control characters */
    SETPAY_WIRE_BRAND,    /* [a-z0-9-] */
    SETPAY_WIRE_PARTY,    /* [A-Za-z0-9_-]; also base64url */
    SETPAY_WIRE_HOST,     /* [A-Za-z0-9._-] */
    SETPAY_WIRE_ALNUM,    /* [A-Za-z0-9] */
    SETPAY_WIRE_CODE,     /* [A-Za-z0-9 ] */
    SETPAY_WIRE_LANGUAGE, /* [A-Za-z0-9-] */
    SETPAY_WIRE_NUMBER,   /* [0-9] */
};

struct setpay_wire_layout;

struct setpay_wire_field {
    uint32_t number; /* in the .proto file; 0 ends a table */
    enum setpay_wire_kind kind;
    bool optional;
    size_t offset; /* in our struct */
    size_t has; /* of the bool of an optional ID, DIGEST or MESSAGE; of a size_t for BLOCK, LIST */
    int64_t minimum;
    int64_t maximum;
    enum setpay_wire_syntax syntax;
    const struct setpay_wire_layout *inner; /* MESSAGE, LIST */
};

struct setpay_wire_layout {
    const ProtobufCMessageDescriptor *descriptor;
    size_t size; /* of our struct */
    const struct setpay_wire_field *fields;
    size_t maximum; /* packed bytes */
    bool secret;    /* unpacked in secret memory */
    /* What no single field can say. SETPAY_E_FIELD. May be NULL. */
    enum setpay_error (*check)(const void *message);
};

/* The room for unpacking a message of secrets; its packed form is at most half of it. */
#define SETPAY_WIRE_SECRET_ARENA_BYTES 12288

/* Rows. S is the name of our struct, M its member. */
#define SETPAY_ROW(number_, kind_, S, M)                                                           \
    .number = (number_), .kind = SETPAY_WIRE_##kind_, .offset = offsetof(struct S, M)
#define SETPAY_ROW_TEXT(number_, S, M, minimum_, syntax_)                                          \
    SETPAY_ROW(number_, TEXT, S, M), .minimum = (minimum_),                                        \
                                     .maximum = (int64_t)sizeof(((struct S *)NULL)->M) - 1,        \
                                     .syntax = SETPAY_WIRE_##syntax_

/* A1: bytes of a stranger into *message, complete or untouched. */
enum setpay_error setpay_wire_parse(const struct setpay_wire_layout *layout,
                                    struct setpay_view bytes, void *message) SETPAY_MUST_CHECK;
/* Our struct into bytes; the second for layouts with secrets. */
enum setpay_error setpay_wire_build(const struct setpay_wire_layout *layout, const void *message,
                                    struct setpay_buffer *bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_wire_build_secret(const struct setpay_wire_layout *layout,
                                           const void *message,
                                           struct setpay_secret *bytes) SETPAY_MUST_CHECK;
/* The bytes of a field of our struct, borrowed from it: of text without its NUL; none of a kind
 * that is not of bytes. And whether an optional field is there; true of a required one. For who
 * shows messages. */
struct setpay_view setpay_wire_bytes(const struct setpay_wire_field *field, const void *message);
bool setpay_wire_has(const struct setpay_wire_field *field, const void *message);
/* Frees what the struct owns and zeroes it; cleanses where the layout is of secrets. */
void setpay_wire_clear(const struct setpay_wire_layout *layout, void *message);

/*
 * Looks at packed bytes before anything is unpacked (rule A1): tags, lengths and numbers are whole
 * and in their shortest form, fields are known, in order, and not given twice, required ones are
 * there, counts stay below the layout's (NULL: 64 of each), texts hold no NUL. SETPAY_E_MALFORMED,
 * SETPAY_E_NOT_CANONICAL, SETPAY_E_FIELD, SETPAY_E_TOO_BIG, SETPAY_E_TEXT.
 */
enum setpay_error setpay_wire_scan(const ProtobufCMessageDescriptor *descriptor,
                                   const struct setpay_wire_layout *layout,
                                   struct setpay_view bytes) SETPAY_MUST_CHECK;

/* Unpacks scanned bytes into the arena and compares the repacked form (rule A1). */
enum setpay_error setpay_wire_unpack(const ProtobufCMessageDescriptor *descriptor,
                                     struct setpay_view bytes, struct setpay_arena *arena,
                                     ProtobufCMessage **message) SETPAY_MUST_CHECK;

#endif
