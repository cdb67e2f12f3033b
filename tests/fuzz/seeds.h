/*
 * What the files of `seeds` share: the parties whose certificates and messages the seeds are, and
 * how an input is kept.
 */
#ifndef SETPAY_FUZZ_SEEDS_H
#define SETPAY_FUZZ_SEEDS_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "tests/support/test_pki.h"

#include <stdio.h>
#include <stdlib.h>

#define SEEDS_BRAND "example-card"
#define SEEDS_BYTES_MAX (80 * 1024)

#define SEEDS_MUST(expression)                                                                     \
    do {                                                                                           \
        enum setpay_error must_ = (expression);                                                    \
        if (must_ != SETPAY_OK) {                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, setpay_error_name(must_));          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

struct seeds_world {
    struct test_pki *pki;
    struct test_party *cardholder, *merchant, *merchant_tls, *revoked, *gateway, *encrypt;
    struct setpay_buffer crls[4]; /* root, brand CA, MCA twice */
};

/* An empty corpus, but for what is no seed. */
void seeds_begin(const char *target);
/* One input: the number in front (below 0: none), then the bytes. */
void seeds_add(const char *target, const char *name, int first, struct setpay_view bytes);
void seeds_add_text(const char *target, const char *name, int first, const char *text);

/* seeds_pki.c: certificates, chains, revocation lists, requests for certificates, keys. */
void seeds_add_certificates(const struct seeds_world *world);

#endif
