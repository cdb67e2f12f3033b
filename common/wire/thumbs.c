/*
 * Which certificates and CRLs travel beside a message.
 *
 * Leaving one out only ever saves bytes: a receiver that has forgotten it answers with
 * SETPAY_E_CERT_MISSING, which is not kept (rule A6), and the sender sends all of them again.
 */
#include "common/wire/thumbs.h"

#include "common/base/limits.h"

#include <stdlib.h>
#include <string.h>

#define FORM_BYTES 512    /* of a Message but for content and what stands beside: the signature */
#define FORM_BYTES_EACH 8 /* tag and length */

bool setpay_thumbs_has(const struct setpay_thumbs *thumbs, const struct setpay_digest *thumbprint)
{
    for (size_t i = 0; i < thumbs->count; i++)
        if (setpay_digest_equal(&thumbs->list[i], thumbprint))
            return true;
    return false;
}

bool setpay_thumbs_add(struct setpay_thumbs *thumbs, const struct setpay_digest *thumbprint)
{
    if (setpay_thumbs_has(thumbs, thumbprint))
        return true;
    if (thumbs->count >= SETPAY_LIMIT_THUMBS)
        return false;
    thumbs->list[thumbs->count++] = *thumbprint;
    return true;
}

void setpay_thumbs_add_trust(struct setpay_thumbs *thumbs, struct setpay_trust *trust, bool leaves)
{
    struct setpay_crl_info crls[SETPAY_LIMIT_THUMBS];
    size_t held = setpay_trust_crls(trust, crls, SETPAY_LIMIT_THUMBS);
    for (size_t i = 0; i < held && i < SETPAY_LIMIT_THUMBS; i++)
        setpay_thumbs_add(thumbs, &crls[i].thumbprint);
    struct setpay_digest known[SETPAY_LIMIT_THUMBS];
    size_t count = setpay_trust_thumbs(trust, leaves, known, SETPAY_LIMIT_THUMBS);
    for (size_t i = 0; i < count; i++)
        setpay_thumbs_add(thumbs, &known[i]);
}

void setpay_beside_init(struct setpay_beside *beside)
{
    memset(beside, 0, sizeof(*beside));
}

void setpay_beside_clear(struct setpay_beside *beside)
{
    for (size_t i = 0; i < beside->certificate_count; i++)
        setpay_certificate_unref(beside->held[i]);
    for (size_t i = 0; i < beside->crl_count; i++)
        setpay_buffer_clear(&beside->crl_bytes[i]);
    memset(beside, 0, sizeof(*beside));
}

enum setpay_error setpay_beside_add(struct setpay_beside *beside, const struct setpay_thumbs *known,
                                    struct setpay_certificate *certificate)
{
    const struct setpay_digest *thumbprint = setpay_certificate_thumbprint(certificate);
    if (known != NULL && setpay_thumbs_has(known, thumbprint))
        return SETPAY_OK;
    for (size_t i = 0; i < beside->certificate_count; i++)
        if (setpay_digest_equal(setpay_certificate_thumbprint(beside->held[i]), thumbprint))
            return SETPAY_OK;
    if (beside->certificate_count >= SETPAY_LIMIT_CERTIFICATES)
        return SETPAY_E_TOO_BIG;
    beside->held[beside->certificate_count] = setpay_certificate_ref(certificate);
    beside->certificates[beside->certificate_count] = setpay_certificate_der(certificate);
    beside->certificate_count++;
    return SETPAY_OK;
}

enum setpay_error setpay_beside_add_chain(struct setpay_beside *beside,
                                          const struct setpay_thumbs *known,
                                          struct setpay_trust *trust,
                                          struct setpay_certificate *leaf)
{
    struct setpay_certificate *cas[SETPAY_CHAIN_CAS] = {NULL};
    size_t count = 0;
    enum setpay_error error = setpay_trust_chain(trust, leaf, cas, &count);
    if (error != SETPAY_OK)
        return error;
    error = setpay_beside_add(beside, known, leaf);
    for (size_t i = 0; i < count; i++) {
        if (error == SETPAY_OK)
            error = setpay_beside_add(beside, known, cas[i]);
        setpay_certificate_unref(cas[i]);
    }
    return error;
}

static enum setpay_error add_crl(struct setpay_beside *beside, struct setpay_trust *trust,
                                 const struct setpay_digest *thumbprint, size_t *room)
{
    struct setpay_buffer *der = &beside->crl_bytes[beside->crl_count];
    setpay_buffer_init(der, *room < SETPAY_LIMIT_CRL_BESIDE_BYTES ? *room
                                                                  : SETPAY_LIMIT_CRL_BESIDE_BYTES);
    enum setpay_error error = setpay_trust_crl_der(trust, thumbprint, der);
    if (error == SETPAY_OK) {
        beside->crls[beside->crl_count++] = setpay_buffer_view(der);
        *room -= der->size;
    } else {
        setpay_buffer_clear(der);
    }
    /* Replaced by a newer one in between: the peer gets that the next time. One that has no room
     * is to be fetched. */
    return error == SETPAY_E_NOT_FOUND || error == SETPAY_E_TOO_BIG ? SETPAY_OK : error;
}

/* Where there is no room for all, the ones without which nothing is believed come first, and of a
 * kind the newest CA's. */
static int rank(const struct setpay_crl_info *info)
{
    static const enum setpay_ca_kind order[] = {SETPAY_CA_ROOT, SETPAY_CA_BRAND, SETPAY_CA_GATEWAY,
                                                SETPAY_CA_MERCHANT, SETPAY_CA_CARDHOLDER};
    int at = 0;
    while (at < (int)(sizeof order / sizeof *order) - 1 && order[at] != info->ca_kind)
        at++;
    return at;
}

static int compare(const void *a, const void *b)
{
    const struct setpay_crl_info *one = a, *other = b;
    if (rank(one) != rank(other))
        return rank(one) - rank(other);
    return (one->ca_number < other->ca_number) - (one->ca_number > other->ca_number);
}

/* What a message has left for lists. */
static size_t room_for_crls(const struct setpay_beside *beside, size_t content_size)
{
    size_t used = FORM_BYTES + content_size;
    for (size_t i = 0; i < beside->certificate_count; i++)
        used += FORM_BYTES_EACH + beside->certificates[i].size;
    used += FORM_BYTES_EACH * SETPAY_LIMIT_CRLS;
    return used < SETPAY_LIMIT_MESSAGE_BYTES ? SETPAY_LIMIT_MESSAGE_BYTES - used : 0;
}

enum setpay_error setpay_beside_add_crls(struct setpay_beside *beside,
                                         const struct setpay_thumbs *known,
                                         struct setpay_trust *trust, const char *brand,
                                         setpay_time_ms now_ms, size_t content_size)
{
    size_t room = room_for_crls(beside, content_size);
    struct setpay_crl_info infos[SETPAY_LIMIT_TRUST_CAS];
    size_t count = setpay_trust_crls(trust, infos, SETPAY_LIMIT_TRUST_CAS);
    size_t kept = 0;
    for (size_t i = 0; i < count && i < SETPAY_LIMIT_TRUST_CAS; i++) {
        if ((infos[i].brand[0] == '\0' || strcmp(infos[i].brand, brand) == 0) &&
            setpay_crl_is_needed(&infos[i], now_ms) &&
            (known == NULL || !setpay_thumbs_has(known, &infos[i].thumbprint)))
            infos[kept++] = infos[i];
    }
    qsort(infos, kept, sizeof *infos, compare);
    for (size_t i = 0; i < kept && beside->crl_count < SETPAY_LIMIT_CRLS; i++)
        SETPAY_TRY(add_crl(beside, trust, &infos[i].thumbprint, &room));
    return SETPAY_OK;
}
