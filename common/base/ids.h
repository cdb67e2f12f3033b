/*
 * Identifiers and digests: fixed-size values that are copied and compared, never pointed into.
 */
#ifndef SETPAY_BASE_IDS_H
#define SETPAY_BASE_IDS_H

#include "common/base/bytes.h"
#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* xid, rrpid, lid_c, receipt id, CapToken, AuthToken: 16 random bytes. */
struct setpay_id {
    uint8_t bytes[16];
};

/* SHA-256 digests, certificate thumbprints, challenges, salts: 32 bytes. */
struct setpay_digest {
    uint8_t bytes[32];
};

/* Text forms are lower-case hex. */
#define SETPAY_ID_TEXT_SIZE 33
#define SETPAY_DIGEST_TEXT_SIZE 65

/* From OpenSSL's public generator (RAND_bytes). SETPAY_E_RANDOM. */
enum setpay_error setpay_id_random(struct setpay_id *id) SETPAY_MUST_CHECK;
enum setpay_error setpay_digest_random(struct setpay_digest *digest) SETPAY_MUST_CHECK;

bool setpay_id_equal(const struct setpay_id *a, const struct setpay_id *b);
bool setpay_digest_equal(const struct setpay_digest *a, const struct setpay_digest *b);
bool setpay_id_is_zero(const struct setpay_id *id);
bool setpay_digest_is_zero(const struct setpay_digest *digest);
struct setpay_view setpay_id_view(const struct setpay_id *id);
struct setpay_view setpay_digest_view(const struct setpay_digest *digest);

/* From exactly 16 or 32 bytes; SETPAY_E_FIELD for any other size, the output is then untouched. */
enum setpay_error setpay_id_from_view(struct setpay_view view,
                                      struct setpay_id *id) SETPAY_MUST_CHECK;
enum setpay_error setpay_digest_from_view(struct setpay_view view,
                                          struct setpay_digest *digest) SETPAY_MUST_CHECK;

/* Hex into out (SETPAY_ID_TEXT_SIZE, SETPAY_DIGEST_TEXT_SIZE); returns out. */
const char *setpay_id_format(const struct setpay_id *id, char *out);
const char *setpay_digest_format(const struct setpay_digest *digest, char *out);
/* SETPAY_E_INVALID unless text is exactly the hex form. */
enum setpay_error setpay_id_parse(const char *text, struct setpay_id *id) SETPAY_MUST_CHECK;
enum setpay_error setpay_digest_parse(const char *text,
                                      struct setpay_digest *digest) SETPAY_MUST_CHECK;

#endif
