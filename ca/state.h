/*
 * What the files of the CA share: the open CA, its authorities, what certificates are made of.
 */
#ifndef SETPAY_CA_STATE_H
#define SETPAY_CA_STATE_H

#include "ca/ca.h"
#include "ca/registry.h"
#include "common/base/limits.h"
#include "common/pki/role.h"

#include <openssl/types.h>

#define SETPAY_CA_PATH_MAX 4096
/* Root, and then brand by brand: more than this are refused. */
#define SETPAY_CA_AUTHORITIES_MAX 256

/* From this size on doctor says that a list is getting full. */
#define SETPAY_CA_LIST_WARN_BYTES (SETPAY_LIMIT_CRL_BYTES / 10 * 7)

/* Keys of issuing authorities that are kept decrypted. */
#define SETPAY_CA_KEPT_KEYS 16

struct setpay_ca_kept_key {
    char name[SETPAY_CA_AUTHORITY_SIZE];
    EVP_PKEY *key;
};

struct setpay_ca {
    char *folder;
    struct setpay_ca_registry *registry;
    bool unlocked;
    struct setpay_secret passphrase;
    bool keeps_keys;
    struct setpay_ca_kept_key kept[SETPAY_CA_KEPT_KEYS];
    size_t kept_next; /* whose place the next one takes */
};

/* An authority with what it signs with. Initialise to zero, clear after. */
struct setpay_ca_authority {
    struct setpay_ca_authority_row row;
    X509 *certificate;
    struct setpay_digest thumbprint;
    EVP_PKEY *key; /* NULL where only the certificate was asked for */
};

/* folder/subfolder/name suffix into path (SETPAY_CA_PATH_MAX). SETPAY_E_INVALID where too long. */
enum setpay_error setpay_ca_path(const struct setpay_ca *ca, const char *subfolder,
                                 const char *name, const char *suffix,
                                 char *path) SETPAY_MUST_CHECK;

/* Opens or makes the database of a folder that is there already. Errors of setpay_store_open. */
enum setpay_error setpay_ca_open_folder(const char *folder, bool retired, struct setpay_ca **ca,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* with_key: decrypts the authority's key; SETPAY_E_PASSPHRASE while the CA is locked.
 * SETPAY_E_NOT_FOUND where there is no such authority. */
enum setpay_error setpay_ca_authority_load(struct setpay_ca *ca, const char *name, bool with_key,
                                           struct setpay_ca_authority *authority,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_ca_authority_clear(struct setpay_ca_authority *authority);
/* The one that issues now: the newest. brand is one, and known; role: "brand", "cca", "mca",
 * "pca". */
enum setpay_error setpay_ca_authority_of(struct setpay_ca *ca, const char *brand, const char *role,
                                         bool with_key, struct setpay_ca_authority *authority,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* SETPAY_E_INVALID, with words about the form. */
enum setpay_error setpay_ca_check_brand(const char *brand,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* SETPAY_E_CERT_REVOKED where the authority, or one above it, is: it must not issue. */
enum setpay_error setpay_ca_check_standing(struct setpay_ca *ca,
                                           const struct setpay_ca_authority *authority,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Appends an entry to the log's part of the change, signed by the authority. object: the DER of the
 * certificate or CRL that the entry is about. */
enum setpay_error setpay_ca_log_append(struct setpay_ca_change *change,
                                       const struct setpay_ca_authority *authority,
                                       const char *action, const char *serial, const char *subject,
                                       struct setpay_view object,
                                       setpay_time_ms now) SETPAY_MUST_CHECK;
/* The same by the object's digest. */
enum setpay_error setpay_ca_log_append_of(struct setpay_ca_change *change,
                                          const struct setpay_ca_authority *authority,
                                          const char *action, const char *serial,
                                          const char *subject, const struct setpay_digest *object,
                                          setpay_time_ms now) SETPAY_MUST_CHECK;
/* Signs the change's new head by the authority and applies all of it. */
enum setpay_error
setpay_ca_log_commit(struct setpay_ca *ca, struct setpay_ca_change *change,
                     const struct setpay_ca_authority *authority) SETPAY_MUST_CHECK;

/* ---- certificates as bytes ---- */

/* SETPAY_E_CERT_MALFORMED. */
enum setpay_error setpay_ca_certificate_parse(struct setpay_view pem_or_der, X509 **certificate,
                                              struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* der must be initialised. */
enum setpay_error setpay_ca_certificate_der(X509 *certificate,
                                            struct setpay_buffer *der) SETPAY_MUST_CHECK;
/* The PEM chain of a certificate that authority issued: itself, the authority and so on, up to but
 * not including the root. */
enum setpay_error setpay_ca_append_chain(struct setpay_ca *ca, struct setpay_view der,
                                         const char *authority,
                                         struct setpay_buffer *pem) SETPAY_MUST_CHECK;

/* ---- making certificates (certificate.c) ---- */

enum setpay_ca_names {
    SETPAY_CA_NAMES_FREE,     /* no constraints: the root, leaves */
    SETPAY_CA_NAMES_BRAND,    /* O=brand only */
    SETPAY_CA_NAMES_NONE,     /* and no dNSName or address at all: CCA, PCA */
    SETPAY_CA_NAMES_HOSTS,    /* and no address: MCA */
    SETPAY_CA_NAMES_LOOPBACK, /* and loopback addresses: the MCA of a sandbox */
};

/* What a certificate shall say. All borrowed. */
struct setpay_ca_template {
    const char *organisation;
    const char *role;
    const char *id;
    EVP_PKEY *key;
    setpay_time_ms not_before;
    setpay_time_ms not_after;
    enum setpay_type_bit type;
    uint32_t key_usage;
    const char *const *ekus; /* SETPAY_PROFILE_EKUS of them, or NULL */
    bool eku_critical;
    bool is_ca;
    int path_length;
    enum setpay_ca_names names;
    const char *const *hosts;
    size_t host_count;
};
/* Makes and signs one, with a fresh random serial (rule C3). issuer NULL: by itself, with
 * issuer_key. SETPAY_E_CRYPTO, SETPAY_E_RANDOM. */
enum setpay_error setpay_ca_certificate_make(const struct setpay_ca_template *template,
                                             X509 *issuer, EVP_PKEY *issuer_key,
                                             X509 **certificate) SETPAY_MUST_CHECK;
/* A serial as lower-case hex of its 20 bytes. */
enum setpay_error setpay_ca_serial_text(const X509 *certificate,
                                        char serial[SETPAY_CA_SERIAL_SIZE]) SETPAY_MUST_CHECK;

/* Where a certificate comes from, and how long those that come of it may live. */
struct setpay_ca_lineage {
    const char *parent; /* "": of none */
    setpay_time_ms latest;
};
/* In the subject of an entry of the log, behind the certificate's own: the parent's serial; until
 * when it may be renewed; the reason of a revocation. */
#define SETPAY_CA_LOG_RENEWS "; renews="
#define SETPAY_CA_LOG_LATEST "; latest="
#define SETPAY_CA_LOG_REASON "; reason="

/* Puts a certificate that is signed but has not left this function into a change: its key (rule
 * C2), the record, the entry of the log (rule C3). issued (may be NULL) is told about it, all but
 * its chain. signer signs the entry: the issuer, or the root itself. */
enum setpay_error setpay_ca_change_issue(struct setpay_ca_change *change,
                                         const struct setpay_ca_authority *signer,
                                         const char *action, const char *profile, const char *brand,
                                         X509 *certificate, const struct setpay_ca_lineage *lineage,
                                         struct setpay_view request, setpay_time_ms now,
                                         struct setpay_ca_issued *issued) SETPAY_MUST_CHECK;

/* Decides one issue: everything of setpay_ca_issue up to the commit. issuer is loaded for the
 * caller, to commit with. issued->chain is complete. */
enum setpay_error setpay_ca_issue_decide(struct setpay_ca *ca, struct setpay_ca_change *change,
                                         const struct setpay_ca_request *request,
                                         setpay_time_ms now, struct setpay_ca_authority *issuer,
                                         struct setpay_ca_issued *issued,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Adds to the change of an issue or renewal what is to be kept together with it. */
typedef enum setpay_error setpay_ca_note_fn(struct setpay_ca_change *change,
                                            const struct setpay_ca_issued *issued, void *arg);
/* setpay_ca_issue and setpay_ca_renew, with a note (may be NULL). */
enum setpay_error setpay_ca_issue_noting(struct setpay_ca *ca,
                                         const struct setpay_ca_request *request,
                                         setpay_time_ms now, setpay_ca_note_fn *note, void *arg,
                                         struct setpay_ca_issued *issued,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
enum setpay_error setpay_ca_renew_noting(struct setpay_ca *ca, struct setpay_view old,
                                         struct setpay_view request, int days, setpay_time_ms now,
                                         setpay_ca_note_fn *note, void *arg,
                                         struct setpay_ca_issued *issued,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ---- CRLs (crl.c) ---- */

/* A revocation that is being decided, for the CRL that will tell of it. */
struct setpay_ca_revocation {
    char serial[SETPAY_CA_SERIAL_SIZE];
    setpay_time_ms time;
    const char *reason;
};
/* -1 where it is none of setpay_ca_reasons. */
int setpay_ca_reason_code(const char *name);
/* Makes a new CRL of the authority and adds it to the change, with its entry of the log; also: what
 * the change revokes besides. */
enum setpay_error setpay_ca_crl_decide(struct setpay_ca *ca, struct setpay_ca_change *change,
                                       const struct setpay_ca_authority *authority,
                                       const struct setpay_ca_revocation *also, size_t also_count,
                                       setpay_time_ms now) SETPAY_MUST_CHECK;
/* The name of a reason's code; "unspecified" for one that there is not. */
const char *setpay_ca_reason_name(int code);
/* The serial of an entry of a CRL, as the registry has it. SETPAY_E_CRL_INVALID: not one of ours.
 */
enum setpay_error setpay_ca_revoked_serial(const X509_REVOKED *entry,
                                           char serial[SETPAY_CA_SERIAL_SIZE]) SETPAY_MUST_CHECK;
/* How long after its end a certificate stays listed, and an authority makes lists: a purchase may
 * be asked after when its certificate has ended, though not when it was revoked (rule M8). */
#define SETPAY_CA_LISTED_AFTER_END_MS (180 * SETPAY_DAY_MS)
/* Whether no list of an authority is made any more: it has ended so long ago, or is revoked and its
 * key was destroyed. */
bool setpay_ca_is_given_up(const struct setpay_ca *ca, const struct setpay_ca_authority_row *row,
                           setpay_time_ms now);
/* Writes the CRLs that the registry holds into folder/crl (after a commit). */
enum setpay_error setpay_ca_crl_publish(struct setpay_ca *ca,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Writes every copy that the folder holds of what the registry knows: certificates, root.pem, CRLs.
 * What a crash after a commit left out is there after the next one. */
enum setpay_error setpay_ca_publish(struct setpay_ca *ca,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ---- enrolments (enrolment.c) ---- */

struct setpay_ca_enrolment;
struct setpay_db_rows;
/* "SELECT" of all that setpay_ca_enrolment_read takes, from enrolments e. */
#define SETPAY_CA_ENROLMENT_COLUMNS                                                                \
    "SELECT e.id, e.label, e.brand, e.party, e.hosts, e.card, e.salt, e.n, e.r, e.p, e.verifier,"  \
    " e.expires, e.tries"
void setpay_ca_enrolment_read(struct setpay_db_rows *rows, struct setpay_ca_enrolment *enrolment);

/* How far certificates and CRLs are dated back, for parties whose clocks are behind ours. */
#define SETPAY_CA_BACKDATE_MS SETPAY_LIMIT_DATE_TOLERANCE_MS

#endif
