/*
 * The one type for what must not leak: PAN, card expiry, security code, PANSecret, back keys,
 * private keys in transit, passphrases, plaintexts of envelopes.
 *
 * Its memory comes from OpenSSL's secure heap: locked against swapping, left out of core dumps,
 * surrounded by guard pages, cleansed when freed. There is no function that formats a secret, and
 * the log has no field type that takes one.
 */
#ifndef SETPAY_BASE_SECRET_H
#define SETPAY_BASE_SECRET_H

#include "common/base/bytes.h"
#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setpay_secret {
    uint8_t *data; /* in the secure heap */
    size_t size;
};

/* Call once, before any other thread starts: sets up the secure heap, forbids core dumps and
 * ptrace by others (prctl PR_SET_DUMPABLE, RLIMIT_CORE 0). SETPAY_E_NOMEM where the heap can't be
 * had at all; a refused mlock is logged as a warning. */
enum setpay_error setpay_secret_system_init(void) SETPAY_MUST_CHECK;
/* What secrets and OpenSSL's private numbers take of the secure heap now, in bytes. */
size_t setpay_secret_bytes_in_use(void);

/* Zeroed memory of exactly size bytes (1 .. 64 KiB). Replaces nothing: *secret must be empty. */
enum setpay_error setpay_secret_alloc(struct setpay_secret *secret, size_t size) SETPAY_MUST_CHECK;
/* A copy; the caller still owns, and should cleanse, the bytes it gave. */
enum setpay_error setpay_secret_copy(struct setpay_secret *secret,
                                     struct setpay_view bytes) SETPAY_MUST_CHECK;
/* From the private generator (RAND_priv_bytes). */
enum setpay_error setpay_secret_random(struct setpay_secret *secret, size_t size) SETPAY_MUST_CHECK;
/* Cleanses and frees; safe on zeroed memory and twice. */
void setpay_secret_clear(struct setpay_secret *secret);
/* Hands over: to is cleared first, from is empty after. */
void setpay_secret_move(struct setpay_secret *to, struct setpay_secret *from);
/* Constant time in the content. */
bool setpay_secret_equal(const struct setpay_secret *a, const struct setpay_secret *b);
/* Borrowed bytes for a cryptographic call. Don't keep, print or copy them elsewhere. */
struct setpay_view setpay_secret_view(const struct setpay_secret *secret);

/* Cleanses memory that held a secret for a moment (stack, protobuf heap). */
void setpay_cleanse(void *memory, size_t size);

#endif
