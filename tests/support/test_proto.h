/*
 * Packed protobuf bytes, taken apart and put together wrongly: what a peer can send who does not
 * pack as we do. It knows no message; fields are numbers. Everything fails hard.
 */
#ifndef SETPAY_TEST_PROTO_H
#define SETPAY_TEST_PROTO_H

#include "common/base/bytes.h"

#include <stddef.h>
#include <stdint.h>

#define TEST_PROTO_FIELDS 128

struct test_proto_field {
    uint32_t number;
    unsigned wire;            /* 0: a number, 2: bytes */
    struct setpay_view whole; /* with its tag */
    struct setpay_view value; /* of bytes: what is inside; of a number: its varint */
};

/* The fields of one message, in their order. */
size_t test_proto_split(struct setpay_view bytes, struct test_proto_field *fields);

enum test_proto_change {
    TEST_PROTO_MISSING,      /* the field left out */
    TEST_PROTO_TWICE,        /* the field given twice */
    TEST_PROTO_OVERLONG_TAG, /* its tag with a byte more than needed */
    TEST_PROTO_OTHER_WIRE,   /* a number as bytes, bytes as a number */
    TEST_PROTO_EMPTY,        /* nothing inside (bytes only) */
    TEST_PROTO_LAST,         /* moved behind all others */
    TEST_PROTO_UNKNOWN,      /* behind the message: field 2047, a number */
    TEST_PROTO_UNKNOWN_DEEP, /* behind the message: field 2047, itself 200 levels deep */
    TEST_PROTO_TRAILING,     /* behind the message: a byte that begins nothing */
    TEST_PROTO_CUT,          /* the message without its last byte */
};

/* Replaces what out holds by bytes with one change: of the message that the field numbers in path
 * (ended by 0) lead to, at its field of that number. The lengths around it are made to fit. */
void test_proto_change(struct setpay_view bytes, const uint32_t *path, uint32_t number,
                       enum test_proto_change change, struct setpay_buffer *out);
/* The same, with another value (bytes, or a varint) in the field. */
void test_proto_replace(struct setpay_view bytes, const uint32_t *path, uint32_t number,
                        struct setpay_view value, struct setpay_buffer *out);

/* Every change of every field in turn: what it is, in words, and the error of rule A1 in which it
 * must end by itself ("NOT_CANONICAL A1"). */
typedef void test_proto_changed_cb(struct setpay_view changed, const char *what,
                                   const char *expected, const void *arg);
/* Of the message that path leads to. spared: a field that may be left out; last: the last one that
 * is changed (0: none, all). */
void test_proto_change_all(struct setpay_view bytes, const uint32_t *path, uint32_t spared,
                           uint32_t last, test_proto_changed_cb *changed_cb, const void *arg);

#endif
