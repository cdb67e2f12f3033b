/*
 * A key and its certificate as two files that a configuration names, and the pair that is to take
 * their place: KEY.new and CERTIFICATE.new beside them.
 *
 * What always holds: a key is on disk before anybody is asked to certify it, and an attempt that
 * was cut off goes on with the same key; a pair takes the other's place only when it is whole and
 * belongs together. Files of keys have mode 0600.
 */
#ifndef SETPAY_NET_PARTY_FILES_H
#define SETPAY_NET_PARTY_FILES_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/pki/chain.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#define SETPAY_PARTY_PATH_SIZE 4096

struct setpay_party_files {
    const char *key, *certificate; /* borrowed */
    char new_key[SETPAY_PARTY_PATH_SIZE], new_certificate[SETPAY_PARTY_PATH_SIZE];
};

/* SETPAY_E_INVALID: a path is too long. */
enum setpay_error setpay_party_files_init(struct setpay_party_files *files, const char *key,
                                          const char *certificate,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Ends an exchange of pairs that was cut off; then *present: there is a pair. SETPAY_E_EXISTS:
 * there is a certificate and no key, which nobody should overwrite. */
enum setpay_error setpay_party_files_settle(const struct setpay_party_files *files, bool *present,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The key that is to be certified: one that is there without a certificate (an operator's, or of an
 * attempt that was cut off), else a new one, saved. replaces: beside a pair that is in use. */
enum setpay_error setpay_party_files_key(const struct setpay_party_files *files, bool replaces,
                                         const struct setpay_secret *passphrase, EVP_PKEY **key,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Puts the certificates (DER, the leaf first; without the root) where the configuration looks for
 * them, with their key. */
enum setpay_error setpay_party_files_put(const struct setpay_party_files *files, bool replaces,
                                         const struct setpay_view *certificates, size_t count,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Writes all CA certificates and revocation lists that are held into a folder, as *.pem and *.crl
 * under the names that setpay-ca gives them; *count: how many lists. The folder is made where it is
 * absent. */
enum setpay_error setpay_party_write_lists(struct setpay_trust *trust, const char *folder,
                                           size_t *count,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
