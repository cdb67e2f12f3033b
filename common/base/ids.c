/*
 * Identifiers (16 bytes) and digests (32 bytes).
 *
 * Always true: a value has one text form, lower-case hex, so that equal texts and equal values are
 * the same thing; nothing here is a secret (those are struct setpay_secret), so comparison may stop
 * early.
 */
#include "common/base/ids.h"

#include <openssl/rand.h>
#include <string.h>

enum setpay_error setpay_id_random(struct setpay_id *id)
{
    struct setpay_id fresh;

    if (RAND_bytes(fresh.bytes, (int)sizeof(fresh.bytes)) != 1)
        return SETPAY_E_RANDOM;
    *id = fresh;
    return SETPAY_OK;
}

enum setpay_error setpay_digest_random(struct setpay_digest *digest)
{
    struct setpay_digest fresh;

    if (RAND_bytes(fresh.bytes, (int)sizeof(fresh.bytes)) != 1)
        return SETPAY_E_RANDOM;
    *digest = fresh;
    return SETPAY_OK;
}

bool setpay_id_equal(const struct setpay_id *a, const struct setpay_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool setpay_digest_equal(const struct setpay_digest *a, const struct setpay_digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool setpay_id_is_zero(const struct setpay_id *id)
{
    static const struct setpay_id zero;

    return setpay_id_equal(id, &zero);
}

bool setpay_digest_is_zero(const struct setpay_digest *digest)
{
    static const struct setpay_digest zero;

    return setpay_digest_equal(digest, &zero);
}

struct setpay_view setpay_id_view(const struct setpay_id *id)
{
    return SETPAY_VIEW_ARRAY(id->bytes);
}

struct setpay_view setpay_digest_view(const struct setpay_digest *digest)
{
    return SETPAY_VIEW_ARRAY(digest->bytes);
}

enum setpay_error setpay_id_from_view(struct setpay_view view, struct setpay_id *id)
{
    if (view.size != sizeof(id->bytes))
        return SETPAY_E_FIELD;
    memcpy(id->bytes, view.data, sizeof(id->bytes));
    return SETPAY_OK;
}

enum setpay_error setpay_digest_from_view(struct setpay_view view, struct setpay_digest *digest)
{
    if (view.size != sizeof(digest->bytes))
        return SETPAY_E_FIELD;
    memcpy(digest->bytes, view.data, sizeof(digest->bytes));
    return SETPAY_OK;
}

const char *setpay_id_format(const struct setpay_id *id, char *out)
{
    setpay_hex_encode(setpay_id_view(id), out);
    return out;
}

const char *setpay_digest_format(const struct setpay_digest *digest, char *out)
{
    setpay_hex_encode(setpay_digest_view(digest), out);
    return out;
}

/* The decoder takes either case; a text form has one. */
static bool has_upper_case(const char *text)
{
    return text != NULL && strpbrk(text, "ABCDEF") != NULL;
}

enum setpay_error setpay_id_parse(const char *text, struct setpay_id *id)
{
    if (has_upper_case(text))
        return SETPAY_E_INVALID;
    return setpay_hex_decode(text, id->bytes, sizeof(id->bytes));
}

enum setpay_error setpay_digest_parse(const char *text, struct setpay_digest *digest)
{
    if (has_upper_case(text))
        return SETPAY_E_INVALID;
    return setpay_hex_decode(text, digest->bytes, sizeof(digest->bytes));
}
