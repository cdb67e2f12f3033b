/*
 * Thumbs: who lists the thumbprints of certificates and CRLs that it has needn't be sent them.
 */
#ifndef SETPAY_WIRE_THUMBS_H
#define SETPAY_WIRE_THUMBS_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/pki/certificate.h"
#include "common/pki/chain.h"
#include "common/wire/messages.h"

#include <stdbool.h>
#include <stddef.h>

bool setpay_thumbs_has(const struct setpay_thumbs *thumbs, const struct setpay_digest *thumbprint);
/* Once each. Returns false where it is full: the peer then sends what it need not, no harm. */
bool setpay_thumbs_add(struct setpay_thumbs *thumbs, const struct setpay_digest *thumbprint);
/* What trust holds: CAs and CRLs, and leaves of merchants and gateways where asked (a wallet never
 * asks: its list would tell where else it shops). Appends; what has no room is left out. */
void setpay_thumbs_add_trust(struct setpay_thumbs *thumbs, struct setpay_trust *trust, bool leaves);

/* What is to travel beside one message. Holds references and copies: init, fill, give its views to
 * setpay_message_build, clear. */
struct setpay_beside {
    struct setpay_certificate *held[SETPAY_LIMIT_CERTIFICATES];
    struct setpay_view certificates[SETPAY_LIMIT_CERTIFICATES];
    size_t certificate_count;
    struct setpay_buffer crl_bytes[SETPAY_LIMIT_CRLS];
    struct setpay_view crls[SETPAY_LIMIT_CRLS];
    size_t crl_count;
};
void setpay_beside_init(struct setpay_beside *beside);
void setpay_beside_clear(struct setpay_beside *beside);
/* Each adds what the peer has not listed (known NULL: nothing is known) and what is not there
 * already. SETPAY_E_TOO_BIG above the counts of limits.h. */
enum setpay_error setpay_beside_add(struct setpay_beside *beside, const struct setpay_thumbs *known,
                                    struct setpay_certificate *certificate) SETPAY_MUST_CHECK;
/* A leaf with the CAs of its chain. SETPAY_E_CERT_MISSING. */
enum setpay_error setpay_beside_add_chain(struct setpay_beside *beside,
                                          const struct setpay_thumbs *known,
                                          struct setpay_trust *trust,
                                          struct setpay_certificate *leaf) SETPAY_MUST_CHECK;
/* The CRLs that trust holds of the root and of brand, but for those of CAs that are revoked or have
 * ended at now_ms, as far as a message with a content of that size and with the certificates that
 * are there already has room: first the root's, the brand's, the gateways', then the
 * merchants', then the cardholders', of a kind the newest CA's. A peer that lacks one of the rest
 * fetches it, or learns of it by another message. */
enum setpay_error setpay_beside_add_crls(struct setpay_beside *beside,
                                         const struct setpay_thumbs *known,
                                         struct setpay_trust *trust, const char *brand,
                                         setpay_time_ms now_ms,
                                         size_t content_size) SETPAY_MUST_CHECK;

#endif
