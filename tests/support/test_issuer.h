/*
 * An issuer of the test's own on the gateway's line: it speaks ISO 8583 (by the project's codec,
 * and in raw bytes where it is to be wrong), answers the sign-on by itself, and leaves everything
 * else to a callback. One connection at a time, on a thread of its own. Everything fails hard.
 */
#ifndef SETPAY_TEST_ISSUER_H
#define SETPAY_TEST_ISSUER_H

#include "common/base/bytes.h"
#include "gateway/network/iso8583.h"

#include <stdbool.h>
#include <stddef.h>

struct test_issuer;

/* On the issuer's thread, for every message; true: it has dealt with it. Sign-ons that it has not
 * dealt with are answered with 00, all else with silence. */
typedef bool test_issuer_message_cb(void *arg, struct test_issuer *issuer,
                                    const struct setpay_iso_message *message);

/* address: HOST:PORT on loopback, which nobody else has at the moment. */
struct test_issuer *test_issuer_new(const char *address, test_issuer_message_cb *on_message,
                                    void *arg);
void test_issuer_free(struct test_issuer *issuer);

/* Any thread. Bytes as they are, to whoever is connected; nothing where nobody is. */
void test_issuer_send_raw(struct test_issuer *issuer, struct setpay_view bytes);
/* A message in its frame, sent and cleared. */
void test_issuer_send(struct test_issuer *issuer, struct setpay_iso_message *message);
/* Any thread. Ends the connection; what was sent before is still delivered. */
void test_issuer_hang_up(struct test_issuer *issuer);

/* What an honest answer to message has: the fields that docs/iso8583.md says, MTI and field 39
 * given. *answer must be empty. */
void test_issuer_answer(const struct setpay_iso_message *message, const char *mti,
                        const char *response_code, struct setpay_iso_message *answer);
/* Another value in a field of a message; NULL: the field is left out. */
void test_issuer_change(struct setpay_iso_message *message, unsigned field, const char *value);

#endif
