/*
 * The shapes of EST (RFC 7030, with the errata of RFC 8951): what its answers and requests look
 * like on the wire. Nothing is decided here.
 */
#ifndef SETPAY_CA_EST_H
#define SETPAY_CA_EST_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/secret.h"

#include <stddef.h>

#define SETPAY_EST_CERTS_TYPE "application/pkcs7-mime; smime-type=certs-only"
#define SETPAY_EST_CACERTS_TYPE "application/pkcs7-mime"
#define SETPAY_EST_CSRATTRS_TYPE "application/csrattrs"
#define SETPAY_EST_REQUEST_TYPE "application/pkcs10"

/* The first certificates of a PEM text, as many as most, as a "certs-only" CMS (RFC 5652 SignedData
 * without signers), DER in base64. Replaces what answer holds. */
enum setpay_error setpay_est_certs(struct setpay_view pem, size_t most,
                                   struct setpay_buffer *answer) SETPAY_MUST_CHECK;
/* CsrAttrs: challengePassword with the nonce as its value, and the object identifiers of what a
 * request may hold besides; ends with NULL. DER in base64. */
enum setpay_error setpay_est_csrattrs(const char *nonce, const char *const *oids,
                                      struct setpay_buffer *answer) SETPAY_MUST_CHECK;
/* A request's body: base64 with line ends anywhere, or DER itself. *der must be empty.
 * SETPAY_E_CSR. */
enum setpay_error setpay_est_request(struct setpay_view body,
                                     struct setpay_secret *der) SETPAY_MUST_CHECK;
/* "Authorization: Basic …" as user and password (*password must be empty). SETPAY_E_NOT_FOUND where
 * header is NULL, SETPAY_E_INVALID where it is none of that. */
#define SETPAY_EST_USER_SIZE 64
enum setpay_error setpay_est_basic(const char *header, char user[SETPAY_EST_USER_SIZE],
                                   struct setpay_secret *password) SETPAY_MUST_CHECK;

#endif
