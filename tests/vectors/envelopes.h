/* Envelopes of every form, the one that is accepted and those that must not be (rule G2). */
#ifndef SETPAY_TESTS_VECTORS_ENVELOPES_H
#define SETPAY_TESTS_VECTORS_ENVELOPES_H

#include "common/base/bytes.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#define TEST_ENVELOPE_TEXT "a payment instruction, sealed to one gateway"

/* What GCM has made, dressed up as EnvelopedData of another cipher: the last arc of its OID,
 * 2.16.840.1.101.3.4.1.N. */
enum test_downgrade {
    TEST_DOWNGRADE_NONE = 0,
    TEST_DOWNGRADE_CBC = 42,
    TEST_DOWNGRADE_OFB = 43,
    TEST_DOWNGRADE_CFB = 44,
};

struct test_envelope_form {
    const char *why;
    bool good;
    const EVP_CIPHER *(*cipher)(void);
    const EVP_MD *(*kdf)(void);
    int recipients;  /* 1 or 2; 0: only the other one */
    bool relabelled; /* EnvelopedData dressed up as AuthEnvelopedData */
    size_t tag;      /* bytes of the tag that are kept; 0: as made */
    int flip;        /* 1: a bit of the ciphertext, 2: of the tag */
    bool trailing;   /* a byte behind it */
    enum test_downgrade downgrade;
};

extern const struct test_envelope_form test_envelope_forms[];
extern const size_t test_envelope_form_count;

/* Replaces what envelope holds. Aborts on any failure. */
void test_envelope_make(const struct test_envelope_form *form, X509 *recipient, X509 *other,
                        struct setpay_buffer *envelope);
/* The same with any plaintext inside. */
void test_envelope_make_of(const struct test_envelope_form *form, struct setpay_view text,
                           X509 *recipient, X509 *other, struct setpay_buffer *envelope);

#endif
