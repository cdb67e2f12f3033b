/*
 * What a client of EST (RFC 7030) sends and gets, as bytes: no socket, nothing decided.
 */
#ifndef SETPAY_NET_EST_FORM_H
#define SETPAY_NET_EST_FORM_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/secret.h"

#include <stddef.h>
#include <stdint.h>

#define SETPAY_EST_HOST_SIZE 254
#define SETPAY_EST_URL_SIZE (SETPAY_EST_HOST_SIZE + 16)

/* Where an authority is. */
struct setpay_est_place {
    char host[SETPAY_EST_HOST_SIZE]; /* a name, lower case */
    uint16_t port;
};
/* https://HOST[:PORT], nothing behind it but a slash. SETPAY_E_INVALID, with words in problem. */
enum setpay_error setpay_est_place_parse(const char *url, struct setpay_est_place *place,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Back into a text; returns out. */
const char *setpay_est_place_format(const struct setpay_est_place *place,
                                    char out[SETPAY_EST_URL_SIZE]);

/* The value of an Authorization header; *header must be empty. SETPAY_E_INVALID (a colon in user,
 * an empty password). */
enum setpay_error setpay_est_authorization(const char *user, const struct setpay_secret *password,
                                           struct setpay_secret *header) SETPAY_MUST_CHECK;

/* The nonce in an answer of /csrattrs: the value of its challengePassword. SETPAY_E_MALFORMED. */
#define SETPAY_EST_NONCE_SIZE 129
enum setpay_error setpay_est_read_nonce(struct setpay_view body,
                                        char nonce[SETPAY_EST_NONCE_SIZE]) SETPAY_MUST_CHECK;

/* The certificates of a "certs-only" answer, DER, in order; owned by the caller
 * (setpay_buffer_clear each). SETPAY_E_MALFORMED (also for none), SETPAY_E_TOO_BIG. */
enum setpay_error setpay_est_read_certificates(struct setpay_view body,
                                               struct setpay_buffer *certificates, size_t room,
                                               size_t *count) SETPAY_MUST_CHECK;

/* The first line of a server's words about a refusal, in printable ASCII, cut at the size. */
void setpay_est_read_words(struct setpay_view body, char *words, size_t size);

#endif
