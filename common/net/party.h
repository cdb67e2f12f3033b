/*
 * A merchant or a gateway as the holder of keys and certificates: which there are, which keys of
 * its configuration name their files, who renews them, and how long one that was replaced is kept.
 */
#ifndef SETPAY_NET_PARTY_H
#define SETPAY_NET_PARTY_H

#include "common/pki/role.h"

#include <stdbool.h>

/* How long a pair that another has replaced is kept. */
enum setpay_party_keep {
    SETPAY_KEEP_NOT,
    SETPAY_KEEP_TO_ITS_END,       /* it signs for the payments that name it */
    SETPAY_KEEP_FOR_INSTRUCTIONS, /* it opens what was sealed to it, for the time that these live */
};

/* One of a party's certificates. */
struct setpay_party_certificate {
    enum setpay_profile profile; /* NONE ends the list */
    const char *key_name, *certificate_name;
    bool top; /* at the top of the configuration, for all brands; else in [brand NAME] */
    /* Who renews it: its own certificate, or, where that can't sign, this one of the same brand,
     * which stands before it in the list. */
    enum setpay_profile renewed_by;
    enum setpay_party_keep keep;
};

/* Of the thumbprint, behind the names of an earlier pair (party_files.h). */
#define SETPAY_PARTY_DIGITS 16
/* As many as a party may have for one brand and at the top. */
#define SETPAY_PARTY_CERTIFICATES_MAX 4

struct setpay_party {
    const char *label; /* of EST */
    const struct setpay_party_certificate *certificates;
};

#endif
