/*
 * A key and its certificate as two files that a configuration names; the pair that is to take their
 * place, KEY.new and CERTIFICATE.new; and the pairs that were replaced and may still be needed:
 * KEY.TTTTTTTTTTTTTTTT and CERTIFICATE.TTTTTTTTTTTTTTTT, with the first 16 hex digits of the
 * certificate's thumbprint. All stand beside them. When a pair was replaced is its certificate
 * file's time of change.
 *
 * What always holds: a key is on disk before anybody is asked to certify it, and an attempt that
 * was cut off goes on with the same key; a pair takes the other's place only when it is whole and
 * belongs together; at each moment between either of the two is whole, or settle makes it so. Files
 * of keys have mode 0600.
 */
#ifndef SETPAY_NET_PARTY_FILES_H
#define SETPAY_NET_PARTY_FILES_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/net/party.h"
#include "common/pki/chain.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#define SETPAY_PARTY_PATH_SIZE 4096

struct setpay_party_files {
    const char *key, *certificate; /* borrowed */
    enum setpay_party_keep keep;   /* what becomes of a pair that is replaced */
    char new_key[SETPAY_PARTY_PATH_SIZE], new_certificate[SETPAY_PARTY_PATH_SIZE];
};

/* SETPAY_E_INVALID: a path is too long. */
enum setpay_error setpay_party_files_init(struct setpay_party_files *files, const char *key,
                                          const char *certificate, enum setpay_party_keep keep,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Whoever changes the files holds this lock, on the folder of the key; a crash gives it back.
 * SETPAY_E_BUSY: somebody else does. */
enum setpay_error setpay_party_files_lock(const struct setpay_party_files *files, int *lock,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_party_files_unlock(int lock); /* -1: none */
/* Ends an exchange of pairs that was cut off; then *present: there is a pair. SETPAY_E_EXISTS:
 * there is a certificate and no key, which nobody should overwrite. */
enum setpay_error setpay_party_files_settle(const struct setpay_party_files *files, bool *present,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The same before a pair is loaded: nothing where there is nothing to end, or where somebody is
 * just about it. */
enum setpay_error setpay_party_files_mend(const struct setpay_party_files *files,
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

/* A pair that was replaced. */
struct setpay_party_earlier {
    char key[SETPAY_PARTY_PATH_SIZE], certificate[SETPAY_PARTY_PATH_SIZE];
    setpay_time_ms replaced_ms;
};
/* Those that there are, in no order; at most room. A folder that can't be read has none. */
size_t setpay_party_files_earlier(const struct setpay_party_files *files,
                                  struct setpay_party_earlier *earlier, size_t room);
/* Whether these are digits as they stand behind the names of an earlier pair. */
bool setpay_party_files_are_digits(const char *digits);
/* The pair of this certificate is replaced now: its time counts from here, also where an exchange
 * of files was longer ago. Where nobody has kept it (its files were overwritten by hand), it is
 * written anew from key and chain. */
enum setpay_error setpay_party_files_replaced(const struct setpay_party_files *files, EVP_PKEY *key,
                                              const struct setpay_secret *passphrase,
                                              const struct setpay_view *certificates, size_t count,
                                              setpay_time_ms now_ms,
                                              struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The key is overwritten and removed, then its certificate is. A second name of the pair in use,
 * left by an exchange that was cut off, is removed and no more. */
enum setpay_error setpay_party_files_destroy(const struct setpay_party_files *files,
                                             const struct setpay_party_earlier *earlier,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Writes all CA certificates and revocation lists that are held into a folder, as *.pem and *.crl
 * under the names that setpay-ca gives them; *count: how many lists. The folder is made where it is
 * absent. */
enum setpay_error setpay_party_write_lists(struct setpay_trust *trust, const char *folder,
                                           size_t *count,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
