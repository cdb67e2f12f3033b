/*
 * Receipts: signed, hashed into a chain, sealed, opened, compared.
 *
 * Vocabulary: signed bytes are a packed Signed of type RECEIPT; they stay the same from the
 * gateway's database to the wallet's, and are what the next receipt's hash is over. A refusal is
 * SETPAY_E_RECEIPT whatever the reason was, since what carries it (the merchant) may have made it
 * up; only the wallet's own comparison says to its person which field disagrees.
 */
#include "common/wire/receipt.h"

#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/crypto/seal.h"
#include "common/wire/agreement.h"
#include "common/wire/arena.h"
#include "common/wire/layout.h"
#include "common/wire/parts_layout.h"
#include "common/wire/signed.h"

#include "proto/setpay/v1/message.pb-c.h"

#include <string.h>

enum setpay_error setpay_receipt_sign(const struct setpay_receipt *receipt,
                                      const struct setpay_signing_key *key,
                                      struct setpay_buffer *bytes)
{
    struct setpay_buffer content = {0}, signature = {0};
    Setpay__V1__Signed is = SETPAY__V1__SIGNED__INIT;
    uint8_t *room = NULL;
    size_t size = 0;
    setpay_buffer_init(&content, SETPAY_WIRE_RECEIPT_MAX);
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    enum setpay_error error = setpay_receipt_build(receipt, &content);
    if (error == SETPAY_OK)
        error = setpay_sign(key, setpay_message_type_name(SETPAY_MESSAGE_RECEIPT), SETPAY_SUITE,
                            &receipt->gateway_sign, setpay_buffer_view(&content), &signature);
    if (error != SETPAY_OK)
        goto out;
    is.suite = SETPAY_SUITE;
    is.type = SETPAY__V1__MESSAGE_TYPE__RECEIPT;
    is.content = (ProtobufCBinaryData){content.size, content.data};
    is.has_signature = is.has_signer = 1;
    is.signature = (ProtobufCBinaryData){signature.size, signature.data};
    /* Only read while packing. */
    struct setpay_digest signer = receipt->gateway_sign;
    is.signer = (ProtobufCBinaryData){sizeof(signer.bytes), signer.bytes};
    size = setpay__v1__signed__get_packed_size(&is);
    error = SETPAY_E_TOO_BIG;
    if (size > SETPAY_WIRE_RECEIPT_MAX - SETPAY_SEAL_TAG_SIZE || size > bytes->max)
        goto out;
    setpay_buffer_reset(bytes);
    error = setpay_buffer_extend(bytes, size, &room);
    if (error == SETPAY_OK)
        setpay__v1__signed__pack(&is, room);
out:
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&signature);
    return error;
}

/* Signed bytes, taken apart; the views show into the arena. */
struct opened {
    struct setpay_arena *arena;
    struct setpay_view content;
    struct setpay_view signature;
    struct setpay_digest signer;
};

static enum setpay_error open_signed(struct setpay_view bytes, struct opened *opened)
{
    ProtobufCMessage *pb = NULL;
    if (bytes.size > SETPAY_WIRE_RECEIPT_MAX)
        return SETPAY_E_TOO_BIG;
    SETPAY_TRY(setpay_wire_scan(&setpay__v1__signed__descriptor, NULL, bytes));
    SETPAY_TRY(setpay_arena_new(SETPAY_LIMIT_UNPACK_BYTES, false, &opened->arena));
    SETPAY_TRY(setpay_wire_unpack(&setpay__v1__signed__descriptor, bytes, opened->arena, &pb));
    const Setpay__V1__Signed *is = (const Setpay__V1__Signed *)pb;
    if (is->suite != SETPAY_SUITE)
        return SETPAY_E_SUITE;
    if (is->type != SETPAY__V1__MESSAGE_TYPE__RECEIPT)
        return SETPAY_E_MESSAGE_TYPE;
    if (!is->has_signature || !is->has_signer)
        return SETPAY_E_UNSIGNED;
    opened->content = setpay_view_of(is->content.data, is->content.len);
    opened->signature = setpay_view_of(is->signature.data, is->signature.len);
    return setpay_digest_from_view(setpay_view_of(is->signer.data, is->signer.len),
                                   &opened->signer);
}

enum setpay_error setpay_receipt_signer(struct setpay_view bytes, struct setpay_digest *signer)
{
    struct opened opened = {0};
    enum setpay_error error = open_signed(bytes, &opened);
    if (error == SETPAY_OK)
        *signer = opened.signer;
    setpay_arena_free(opened.arena);
    return error;
}

enum setpay_error setpay_receipt_verify(struct setpay_view bytes,
                                        const struct setpay_certificate *gateway,
                                        struct setpay_receipt *receipt)
{
    struct opened opened = {0};
    struct setpay_receipt parsed;
    enum setpay_error error = open_signed(bytes, &opened);
    if (error != SETPAY_OK)
        goto out;
    /* rule A2 */
    error = SETPAY_E_RECEIPT;
    if (!setpay_digest_equal(&opened.signer, setpay_certificate_thumbprint(gateway)))
        goto out;
    if (setpay_verify(setpay_certificate_key(gateway),
                      setpay_message_type_name(SETPAY_MESSAGE_RECEIPT), SETPAY_SUITE,
                      &opened.signer, opened.content, opened.signature) != SETPAY_OK)
        goto out;
    error = setpay_receipt_parse(opened.content, &parsed);
    if (error == SETPAY_OK && !setpay_digest_equal(&parsed.gateway_sign, &opened.signer))
        error = SETPAY_E_RECEIPT;
    if (error == SETPAY_OK)
        *receipt = parsed;
out:
    setpay_arena_free(opened.arena);
    return error;
}

enum setpay_error setpay_receipt_read(struct setpay_view bytes, struct setpay_receipt *receipt)
{
    struct opened opened = {0};
    struct setpay_receipt parsed;
    enum setpay_error error = open_signed(bytes, &opened);
    if (error == SETPAY_OK)
        error = setpay_receipt_parse(opened.content, &parsed);
    if (error == SETPAY_OK)
        *receipt = parsed;
    setpay_arena_free(opened.arena);
    return error;
}

enum setpay_error setpay_receipt_hash(struct setpay_view bytes, struct setpay_digest *hash)
{
    return setpay_hash_one("rcpt", bytes, hash);
}

enum setpay_error
setpay_sealed_receipt_make(const struct setpay_secret *back_key, const struct setpay_id *receipt_id,
                           const struct setpay_id *xid, enum setpay_receipt_kind kind,
                           struct setpay_view signed_bytes, struct setpay_sealed_receipt *sealed)
{
    struct setpay_buffer ciphertext = {0};
    const char *name = setpay_receipt_kind_name(kind);
    if (name == NULL)
        return SETPAY_E_ENUM;
    setpay_buffer_init(&ciphertext, SETPAY_WIRE_RECEIPT_MAX);
    enum setpay_error error =
        setpay_receipt_seal(back_key, receipt_id, xid, name, signed_bytes, &ciphertext);
    if (error == SETPAY_OK) {
        memset(sealed, 0, sizeof(*sealed));
        sealed->kind = kind;
        sealed->receipt_id = *receipt_id;
        sealed->size = ciphertext.size;
        memcpy(sealed->ciphertext, ciphertext.data, ciphertext.size);
    }
    setpay_buffer_clear(&ciphertext);
    return error;
}

enum setpay_error setpay_sealed_receipt_open(const struct setpay_sealed_receipt *sealed,
                                             const struct setpay_secret *back_key,
                                             const struct setpay_id *xid,
                                             const struct setpay_certificate *gateway,
                                             struct setpay_receipt *receipt,
                                             struct setpay_buffer *signed_bytes)
{
    struct setpay_buffer plain = {0};
    struct setpay_receipt parsed;
    const char *name = setpay_receipt_kind_name(sealed->kind);
    if (name == NULL || sealed->size > sizeof(sealed->ciphertext))
        return SETPAY_E_RECEIPT;
    setpay_buffer_init(&plain, SETPAY_WIRE_RECEIPT_MAX);
    enum setpay_error error =
        setpay_receipt_open(back_key, &sealed->receipt_id, xid, name,
                            setpay_view_of(sealed->ciphertext, sealed->size), &plain);
    if (error != SETPAY_OK)
        goto out;
    error = setpay_receipt_verify(setpay_buffer_view(&plain), gateway, &parsed);
    /* rule W6: the gateway's word, and about what it was sealed for */
    if (error == SETPAY_OK && (parsed.kind != sealed->kind || !setpay_id_equal(&parsed.xid, xid)))
        error = SETPAY_E_RECEIPT;
    if (error != SETPAY_OK && setpay_error_kind(error) != SETPAY_KIND_SYSTEM)
        error = SETPAY_E_RECEIPT;
    if (error == SETPAY_OK)
        error = setpay_buffer_set(signed_bytes, setpay_buffer_view(&plain));
    if (error == SETPAY_OK)
        *receipt = parsed;
out:
    setpay_buffer_clear(&plain);
    return error;
}

/* ------------------------------------------------------------------ rule W6 */

/* A chain begins with one of three kinds; a void, or a decline that is the first, is its whole. For
 * the rest, what can follow is a matter of terms and sums. */
static bool kind_may_follow(enum setpay_receipt_kind kind, enum setpay_receipt_kind previous,
                            const struct setpay_receipt_expected *expected)
{
    bool goes_on = setpay_terms_go_on(&expected->terms);
    bool agreed = expected->sums.authorisations > 0; /* something is to be declined further on */
    if (setpay_receipt_kind_name(kind) == NULL)
        return false;
    if (previous == 0)
        return kind == SETPAY_RECEIPT_AUTHORISATION || kind == SETPAY_RECEIPT_DECLINE ||
               kind == SETPAY_RECEIPT_VOID;
    if (previous == SETPAY_RECEIPT_VOID || (previous == SETPAY_RECEIPT_DECLINE && !agreed))
        return false;
    switch (kind) {
    case SETPAY_RECEIPT_VOID:
        return false;
    case SETPAY_RECEIPT_DECLINE:
        return goes_on && agreed;
    case SETPAY_RECEIPT_CANCELLATION:
        return goes_on && agreed && expected->sums.cancelled_ms == 0;
    default:
        return true;
    }
}

static struct setpay_agreement_taken taken_of(const struct setpay_receipt_sums *sums)
{
    return (struct setpay_agreement_taken){
        .count = sums->authorisations,
        .minor = sums->authorised_minor - sums->reversed_minor,
        .last_ms = sums->last_authorised_ms,
        .cancelled = sums->cancelled_ms != 0,
    };
}

/* Rule G6: NULL where the terms permit it, else what it breaks. What was declined needs no room and
 * no interval, but must not have been asked for after a cancellation. */
static const char *breach_of(const struct setpay_receipt *receipt,
                             const struct setpay_receipt_expected *expected)
{
    struct setpay_agreement_taken taken = taken_of(&expected->sums);
    const char *breaks = NULL;
    if (receipt->kind == SETPAY_RECEIPT_DECLINE)
        return taken.cancelled ? SETPAY_AGREEMENT_CANCELLED : NULL;
    if (receipt->kind == SETPAY_RECEIPT_AUTHORISATION &&
        setpay_agreement_check(&expected->terms, &expected->amount, &taken, receipt->amount.minor,
                               receipt->date_ms, SETPAY_LIMIT_DATE_TOLERANCE_MS,
                               &breaks) != SETPAY_OK)
        return breaks;
    return NULL;
}

static bool amount_fits(const struct setpay_receipt *receipt,
                        const struct setpay_receipt_expected *expected)
{
    const struct setpay_money *purchase = &expected->amount;
    int64_t minor = receipt->amount.minor;
    bool whole = receipt->kind == SETPAY_RECEIPT_VOID || receipt->kind == SETPAY_RECEIPT_DECLINE;
    bool single = expected->terms.kind == 0 || expected->terms.kind == SETPAY_TERMS_SINGLE;
    if (!setpay_money_same_currency(&receipt->amount, purchase))
        return false;
    if (receipt->kind == SETPAY_RECEIPT_CANCELLATION || (whole && single))
        return minor == purchase->minor;
    return minor > 0 && minor <= setpay_terms_each_max(&expected->terms, purchase);
}

enum setpay_error setpay_receipt_check(const struct setpay_receipt *receipt,
                                       const struct setpay_receipt_expected *expected,
                                       enum setpay_receipt_kind previous_kind,
                                       const char **disagrees)
{
    const char *field = NULL;
    if (!setpay_id_equal(&receipt->xid, &expected->xid))
        field = "xid";
    else if (!setpay_digest_equal(&receipt->pomd, &expected->pomd))
        field = "pomd";
    else if (!setpay_digest_equal(&receipt->gateway_sign, &expected->gateway_sign))
        field = "gateway";
    else if (strcmp(receipt->brand, expected->brand) != 0)
        field = "brand";
    else if (strcmp(receipt->merchant_id, expected->merchant_id) != 0 ||
             !setpay_digest_equal(&receipt->merchant, &expected->merchant))
        field = "merchant";
    else if (!setpay_digest_equal(&receipt->cardholder, &expected->cardholder))
        field = "cardholder";
    else if (!kind_may_follow(receipt->kind, previous_kind, expected))
        field = "kind";
    else if (!setpay_digest_equal(&receipt->previous, &expected->previous))
        field = "previous";
    else if (!amount_fits(receipt, expected))
        field = "amount";
    else
        field = breach_of(receipt, expected);
    if (field == NULL)
        return SETPAY_OK;
    if (disagrees != NULL)
        *disagrees = field;
    return SETPAY_E_RECEIPT; /* rule W6 */
}

enum setpay_error setpay_receipt_sums_add(struct setpay_receipt_sums *sums,
                                          const struct setpay_receipt *receipt)
{
    struct setpay_receipt_sums s = *sums;
    int64_t minor = receipt->amount.minor;
    int64_t held = s.authorised_minor - s.reversed_minor - s.captured_minor;
    int64_t kept = s.captured_minor - s.credited_minor;
    bool fits = true;
    switch (receipt->kind) {
    case SETPAY_RECEIPT_AUTHORISATION:
        fits = minor <= SETPAY_MONEY_MAX_MINOR - s.authorised_minor;
        s.authorised_minor += fits ? minor : 0;
        s.authorisations++;
        s.last_authorised_ms = receipt->date_ms;
        break;
    case SETPAY_RECEIPT_REVERSAL:
        fits = minor <= held;
        s.reversed_minor += minor;
        break;
    case SETPAY_RECEIPT_CAPTURE:
        fits = minor <= held;
        s.captured_minor += minor;
        break;
    case SETPAY_RECEIPT_CAPTURE_REVERSAL:
        fits = minor <= kept;
        s.captured_minor -= minor;
        break;
    case SETPAY_RECEIPT_CREDIT:
        fits = minor <= kept;
        s.credited_minor += minor;
        break;
    case SETPAY_RECEIPT_CREDIT_REVERSAL:
        fits = minor <= s.credited_minor;
        s.credited_minor -= minor;
        break;
    case SETPAY_RECEIPT_CANCELLATION:
        s.cancelled_ms = receipt->date_ms;
        break;
    default:
        break; /* a decline or a void moves nothing */
    }
    if (!fits)
        return SETPAY_E_RECEIPT; /* rules W6, G8 */
    *sums = s;
    return SETPAY_OK;
}
