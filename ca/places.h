/*
 * Places before the registrar, which does one thing after another: who may wait there. Strangers
 * are all who show no certificate: each address has a few of their places, and all of them together
 * have no others, so that a renewal by the certificate that it renews finds room however many
 * strangers there are. Holders of certificates have places of their own, a few each. What is left
 * is the operator's.
 *
 * Any thread.
 */
#ifndef SETPAY_CA_PLACES_H
#define SETPAY_CA_PLACES_H

#include "common/base/error.h"
#include "common/base/ids.h"

#include <stdbool.h>

/* Whose a place is. */
enum setpay_place {
    SETPAY_PLACE_OPERATOR, /* not counted */
    SETPAY_PLACE_HOLDER,   /* of a certificate, which the TLS connection has proved */
    SETPAY_PLACE_STRANGER,
};

/* At a time. An enrolment takes some 0.2 s, a renewal less: a revocation, which waits behind all of
 * them, does so for some ten seconds at most. */
#define SETPAY_PLACES_HOLDERS 32
#define SETPAY_PLACES_HOLDER 4 /* one certificate's */
#define SETPAY_PLACES_STRANGERS 32
#define SETPAY_PLACES_STRANGER 8 /* one address's */

struct setpay_places;

/* SETPAY_E_NOMEM. */
enum setpay_error setpay_places_new(struct setpay_places **places) SETPAY_MUST_CHECK;
/* NULL-safe. */
void setpay_places_free(struct setpay_places *places);
/* who: what tells holders, or strangers, apart. False: all that are theirs are taken. */
bool setpay_places_take(struct setpay_places *places, enum setpay_place place,
                        const struct setpay_digest *who);
/* One that was taken. */
void setpay_places_give_back(struct setpay_places *places, enum setpay_place place,
                             const struct setpay_digest *who);

#endif
