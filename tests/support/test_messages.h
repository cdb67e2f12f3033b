/*
 * One valid example of every content, with fixed values: for tests that go through all messages,
 * and for the published vectors (which are made from them: changing a value changes the vectors).
 */
#ifndef SETPAY_TEST_MESSAGES_H
#define SETPAY_TEST_MESSAGES_H

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/secret.h"
#include "common/wire/layouts.h"
#include "common/wire/messages.h"

#include <jansson.h>
#include <stddef.h>

#define TEST_DATE_MS INT64_C(1795444871042) /* 2026-11-23T14:41:11.042Z */

struct test_sample {
    const char *name; /* of the message in the .proto file */
    const struct setpay_wire_layout *layout;
    void (*fill)(void *message);
};

extern const struct test_sample test_samples[];
extern const size_t test_sample_count;

/* 16 or 32 bytes: first, first + 1, … */
struct setpay_id test_id(uint8_t first);
struct setpay_digest test_digest(uint8_t first);

void test_fill_oi(void *message);
void test_fill_pi(void *message);
void test_fill_auth_req(void *message);
void test_fill_receipt(void *message);
void test_fill_pinit_res(void *message);

/* Packs by the layout, secrets too, into ordinary memory; fails the test on an error. The message
 * is for the caller to clear with setpay_wire_clear. */
void test_build(const struct setpay_wire_layout *layout, const void *message,
                struct setpay_buffer *bytes);

/* A message as JSON: the field names of the .proto file; bytes in hex, absent fields left out. */
json_t *test_message_json(const struct setpay_wire_layout *layout, const void *message);

#endif
