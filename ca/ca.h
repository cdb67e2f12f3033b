/*
 * The certification authority of setpay: a root, brands, and three issuing CAs for each brand
 * (CCA cardholders, MCA merchants, PCA payment gateways). The operator's program (main.c) and the
 * enrolment daemon call the same functions; none of them prints, reads a clock or asks a person.
 *
 * The folder of a CA:
 *
 *     root.pem                       the root's certificate: what every party is configured with
 *     ca.db                          certificates, keys seen, revocations, the signed log
 *     ca.db.lock                     held by the one process that has the CA open
 *     keys/AUTHORITY.key             PKCS#8 under the passphrase (scrypt), mode 0600
 *     certificates/AUTHORITY.pem     an authority's chain, itself first, up to but not the root
 *     crl/AUTHORITY.crl              the newest CRL of each authority (PEM)
 *     crl/BRAND.crls.pem             all CRLs of a brand's chains in one file, the root's included
 *
 * AUTHORITY is "root", or "BRAND.brand", "BRAND.cca", "BRAND.mca", "BRAND.pca"; who comes after one
 * of these has a number behind that, "BRAND.cca-2".
 *
 * What always holds: a certificate, revocation or CRL leaves these functions only after the entry
 * of the log that tells of it is committed (rule C3); a function that fails has changed nothing.
 */
#ifndef SETPAY_CA_CA_H
#define SETPAY_CA_CA_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/secret.h"
#include "common/pki/role.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setpay_ca;
struct setpay_store;

#define SETPAY_CA_AUTHORITY_SIZE SETPAY_AUTHORITY_NAME_SIZE
#define SETPAY_CA_SERIAL_SIZE 41 /* 20 bytes as hex and a NUL */
#define SETPAY_CA_DNS_NAMES 8
#define SETPAY_CA_PEM_MAX (64 * 1024)
#define SETPAY_CA_LISTS_PEM_MAX (16 * 1024 * 1024) /* all CRLs in one text */
#define SETPAY_CA_PASSPHRASE_MIN 8

/* ---- a CA's folder ---- */

/* Makes the folder (it must not exist or be empty) with the root's key and certificate.
 * name: printable, at most 64 bytes. SETPAY_E_EXISTS, SETPAY_E_INVALID, SETPAY_E_IO. */
enum setpay_error setpay_ca_init(const char *folder, const char *name,
                                 const struct setpay_secret *passphrase, setpay_time_ms now,
                                 struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* SETPAY_E_NOT_FOUND where folder holds no CA, SETPAY_E_RUNNING where another process has it
 * open, SETPAY_E_STATE where it goes on elsewhere (not with retired: for another final backup). */
enum setpay_error setpay_ca_open(const char *folder, bool retired, struct setpay_ca **ca,
                                 struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The same CA for another thread: for reading only, locked. Must be closed before ca is. */
enum setpay_error setpay_ca_share(struct setpay_ca *ca,
                                  struct setpay_ca **shared) SETPAY_MUST_CHECK;
void setpay_ca_close(struct setpay_ca *ca);
/* Tries the passphrase on the root's key and keeps a copy, for keys that are needed later.
 * SETPAY_E_PASSPHRASE. Everything that signs needs it first. */
enum setpay_error setpay_ca_unlock(struct setpay_ca *ca, const struct setpay_secret *passphrase,
                                   struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* From now on the keys of issuing authorities stay decrypted in memory once they were needed, for
 * a daemon that issues all day: each costs 0.1 s of scrypt. Root and brand keys never do. */
void setpay_ca_keep_keys(struct setpay_ca *ca);

/* Its store, for who asks whether that works. Borrowed. */
struct setpay_store *setpay_ca_store(struct setpay_ca *ca);
/* label: "CERTIFICATE", "X509 CRL". */
enum setpay_error setpay_ca_append_pem(struct setpay_buffer *pem, const char *label,
                                       struct setpay_view der) SETPAY_MUST_CHECK;

/* ---- authorities ---- */

/* A brand CA and its three issuing CAs, with a first CRL of each. loopback, for sandboxes: the
 * name constraints of its MCA permit loopback addresses instead of excluding every address. */
enum setpay_error setpay_ca_brand_add(struct setpay_ca *ca, const char *brand, bool loopback,
                                      setpay_time_ms now,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Who comes after an authority. */
struct setpay_ca_successor {
    char name[SETPAY_CA_AUTHORITY_SIZE];
    char serial[SETPAY_CA_SERIAL_SIZE];
    char former[SETPAY_CA_AUTHORITY_SIZE]; /* the one before */
    char former_serial[SETPAY_CA_SERIAL_SIZE];
    setpay_time_ms not_after;
};
/* name: BRAND.KIND. A new authority of that kind, with a key, a number and a first CRL of its own,
 * under the brand's newest CA (a brand's CA: under the root). From now on it issues, and renewals
 * of what the one before has issued are its own. The one before goes on making its list, and is
 * revoked by who wants that. SETPAY_E_INVALID (name), SETPAY_E_STATE (the root), SETPAY_E_NOT_FOUND
 * (brand), SETPAY_E_CERT_REVOKED or SETPAY_E_CERT_TIME (who is above it), SETPAY_E_TOO_BIG. */
enum setpay_error setpay_ca_authority_renew(struct setpay_ca *ca, const char *name,
                                            setpay_time_ms now, struct setpay_ca_successor *made,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Whether another has come after the authority that issued the certificate of this thumbprint.
 * SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_ca_is_succeeded(struct setpay_ca *ca,
                                         const struct setpay_digest *thumbprint,
                                         bool *succeeded) SETPAY_MUST_CHECK;

/* Appends the certificates of the root and of all authorities (PEM), the root first. */
enum setpay_error setpay_ca_append_authorities(struct setpay_ca *ca,
                                               struct setpay_buffer *pem) SETPAY_MUST_CHECK;

/* ---- certificates ---- */

struct setpay_ca_request {
    const char *profile;    /* "merchant-sign", …; "cardholder" is "cardholder-sign" */
    struct setpay_view csr; /* PKCS#10, PEM or DER */
    const char *brand;
    const char *id; /* merchant or gateway id; NULL for a cardholder */
    const char *dns[SETPAY_CA_DNS_NAMES];
    size_t dns_count;
    int days;           /* 0: as long as the profile permits */
    const char *parent; /* serial of the certificate that spoke for it; NULL: none */
};

/* What was issued. Initialise to zero, clear after. */
struct setpay_ca_issued {
    char serial[SETPAY_CA_SERIAL_SIZE];
    char authority[SETPAY_CA_AUTHORITY_SIZE];
    struct setpay_digest thumbprint;
    setpay_time_ms not_before;
    setpay_time_ms not_after;
    char subject[192];
    struct setpay_buffer chain; /* PEM, leaf first, up to but not including the root */
};
void setpay_ca_issued_init(struct setpay_ca_issued *issued);
void setpay_ca_issued_clear(struct setpay_ca_issued *issued);

/*
 * Issues after a request (rules C1, C2, C3). For a cardholder the request's PAN, expiry and
 * PANSecret become the blinded account id and are cleansed; nothing of them is kept.
 * SETPAY_E_CSR (malformed, bad signature, another curve), SETPAY_E_KEY_CERTIFIED,
 * SETPAY_E_NOT_FOUND (brand, profile), SETPAY_E_INVALID (id, names, days), SETPAY_E_EXPIRED (card).
 */
enum setpay_error setpay_ca_issue(struct setpay_ca *ca, const struct setpay_ca_request *request,
                                  setpay_time_ms now, struct setpay_ca_issued *issued,
                                  struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Issues to the holder of old (PEM or DER; must be of this CA, valid and not revoked) for the new
 * request's key: same subject, names and profile. A cardholder's ends with the card, of which the
 * CA keeps no more than that end. */
enum setpay_error setpay_ca_renew(struct setpay_ca *ca, struct setpay_view old,
                                  struct setpay_view csr, int days, setpay_time_ms now,
                                  struct setpay_ca_issued *issued,
                                  struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Writes NAME.key and NAME.pem for every certificate of a merchant ("merchant") or a gateway
 * ("gateway") into out (made where absent; no file of it may exist), and chain.pem, root.pem.
 * Keys are made here, mode 0600, encrypted where key_passphrase is not NULL. */
enum setpay_error setpay_ca_bundle(struct setpay_ca *ca, const char *party,
                                   const struct setpay_ca_request *names, const char *out,
                                   const struct setpay_secret *key_passphrase, setpay_time_ms now,
                                   struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* One certificate as the CA keeps it. Texts are valid during the callback only. */
struct setpay_ca_record {
    const char *serial;
    const char *authority; /* who issued it */
    const char *brand;     /* "" for the root */
    const char *profile;   /* "root", "brand", "cca", "mca", "pca" or a leaf's profile */
    const char *subject;
    setpay_time_ms not_before;
    setpay_time_ms not_after;
    setpay_time_ms revoked; /* 0: is not */
    const char *reason;     /* "" where not revoked */
    const char *parent;     /* serial of the one whose holder had it; "": of none */
    setpay_time_ms latest;  /* until when it may be renewed; 0: not beyond its own end */
    /* The entries of the log that tell of it and of its revocation (0: is not revoked). */
    uint64_t place, revocation_place;
    struct setpay_view der;
};
typedef void setpay_ca_record_cb(void *arg, const struct setpay_ca_record *record);

/* All, oldest first; brand NULL: every brand. */
enum setpay_error setpay_ca_list(struct setpay_ca *ca, const char *brand, setpay_ca_record_cb *each,
                                 void *arg) SETPAY_MUST_CHECK;
/* SETPAY_E_INVALID where serial is not one, SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_ca_show(struct setpay_ca *ca, const char *serial,
                                 setpay_ca_record_cb *each, void *arg,
                                 struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The serial of a certificate (PEM or DER) that this CA issued. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_ca_serial_of(struct setpay_ca *ca, struct setpay_view certificate,
                                      char serial[SETPAY_CA_SERIAL_SIZE],
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The record of a certificate by its thumbprint. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_ca_by_thumbprint(struct setpay_ca *ca,
                                          const struct setpay_digest *thumbprint,
                                          setpay_ca_record_cb *each, void *arg) SETPAY_MUST_CHECK;
/* Appends the PEM chain of a serial, itself first, up to but not including the root. */
enum setpay_error setpay_ca_chain(struct setpay_ca *ca, const char *serial,
                                  struct setpay_buffer *pem,
                                  struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ---- revocation ---- */

/* What is to be revoked. Who has a key can renew its certificate: what was had by it falls with it,
 * or the thief would keep that. */
struct setpay_ca_revoking {
    const char *serial;
    const char *reason; /* of RFC 5280 section 5.3.1 ("keyCompromise", …; see setpay_ca_reasons) */
    bool descendants;   /* also what was had by its holder, and what came of that */
    setpay_time_ms since; /* of those: had at this time or later; 0: all */
};
/* Revokes all of it in one change, and makes the new CRL of the issuer at once. *revoked (may be
 * NULL): how many, of which one was revoked before counts for nothing. SETPAY_E_EXISTS where there
 * is none that is not, SETPAY_E_INVALID for a reason that is none, SETPAY_E_STATE for the root,
 * which only its removal everywhere revokes. */
enum setpay_error setpay_ca_revoke(struct setpay_ca *ca, const struct setpay_ca_revoking *revoking,
                                   setpay_time_ms now, size_t *revoked,
                                   struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* What was had by the holder of a certificate since then, and what came of it, oldest first. */
enum setpay_error setpay_ca_descendants(struct setpay_ca *ca, const char *serial,
                                        setpay_time_ms since, setpay_ca_record_cb *each,
                                        void *arg) SETPAY_MUST_CHECK;
const char *setpay_ca_reasons(void); /* the names, separated by blanks */

/* Of which authorities new CRLs are made. */
struct setpay_ca_lists_wish {
    const char *brand; /* NULL: of all; otherwise of a brand's, and of the root */
    bool due;          /* of those only whose newest has half of its life behind it (rule C3) */
    setpay_time_ms now;
    /* Told of each that could not be made; authority is "the files" where all were made and one
     * could not be written. May be NULL. */
    void (*failed_cb)(void *arg, const char *authority, enum setpay_error error, const char *why);
    void *arg;
};
/* Makes them, each in a change of its own: where one can't be made, the others are. Numbers
 * increase. *made (may be NULL): how many. After all were tried the first error, with words that
 * name each authority. */
enum setpay_error setpay_ca_make_crls(struct setpay_ca *ca, const struct setpay_ca_lists_wish *wish,
                                      size_t *made,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* How the newest CRL of an authority stands. */
struct setpay_ca_list_state {
    const char *authority;
    const char *kind;           /* "root", "brand", "cca", "mca", "pca" */
    setpay_time_ms next_update; /* 0: there is none */
    size_t size;                /* of its DER */
    /* By it certificates are judged now: not where the authority is revoked or has ended. */
    bool is_needed;
};
typedef void setpay_ca_list_state_cb(void *arg, const struct setpay_ca_list_state *list);
enum setpay_error setpay_ca_list_states(struct setpay_ca *ca, setpay_time_ms now,
                                        setpay_ca_list_state_cb *each, void *arg) SETPAY_MUST_CHECK;
/* The newest CRL of each authority (brand as above), in DER. */
typedef void setpay_ca_crl_cb(void *arg, const char *authority, uint64_t number,
                              setpay_time_ms this_update, setpay_time_ms next_update,
                              struct setpay_view der);
enum setpay_error setpay_ca_list_crls(struct setpay_ca *ca, const char *brand,
                                      setpay_ca_crl_cb *each, void *arg) SETPAY_MUST_CHECK;

/* ---- the log (rule C3) ---- */

/* An entry; texts are valid during the callback only. */
struct setpay_ca_log_entry {
    uint64_t number; /* from 1 without gaps */
    setpay_time_ms time;
    /* "init", "brand", "authority", "successor", "issue", "renew", "revoke", "crl", "restore"
     * (serial: the backup's moment in ms; what came after it is not in this log) */
    const char *action;
    const char *authority; /* who acted, and signed */
    const char *serial;    /* of the certificate, or the CRL's number in decimal */
    /* The certificate's. A revocation's reason follows behind "; reason="; behind a party's the
     * serial by whose holder it was had, if any, after "; renews=", and until when it may be
     * renewed after "; latest=" (entries of before have none). */
    const char *subject;
    struct setpay_digest object;   /* SHA-256 of the certificate's or CRL's DER */
    struct setpay_digest previous; /* hash of the entry before; zeroes for the first */
    struct setpay_digest hash;     /* of all the above */
};
typedef void setpay_ca_log_cb(void *arg, const struct setpay_ca_log_entry *entry);
enum setpay_error setpay_ca_log_each(struct setpay_ca *ca, setpay_ca_log_cb *each,
                                     void *arg) SETPAY_MUST_CHECK;

/* How many entries there are, and the hash of the last. */
struct setpay_ca_log_head {
    uint64_t count;
    struct setpay_digest hash;
};
/*
 * Walks the log: every entry's number, hash, link and signature, the signed head, and that
 * certificates, revocations and CRLs in the database are those that the log tells of.
 * SETPAY_E_CA_LOG with the first fault in problem. witness (may be NULL): a head written down
 * elsewhere at an earlier time; the log must hold it. Without one, a log set back together with
 * its head, both as they were at an earlier time, can't be told from a restored backup.
 */
enum setpay_error setpay_ca_log_verify(struct setpay_ca *ca,
                                       const struct setpay_ca_log_head *witness,
                                       struct setpay_ca_log_head *head,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* The same a part at a time, between which the log may grow: who holds the CA's one thread lets
 * others have it meanwhile. witness is copied. */
struct setpay_ca_log_check;
enum setpay_error setpay_ca_log_check_new(struct setpay_ca *ca,
                                          const struct setpay_ca_log_head *witness,
                                          struct setpay_ca_log_check **check) SETPAY_MUST_CHECK;
/* *unfinished: call it again. After an error there is nothing more to be had. */
enum setpay_error setpay_ca_log_check_step(struct setpay_ca_log_check *check, bool *unfinished,
                                           struct setpay_ca_log_head *head,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_ca_log_check_free(struct setpay_ca_log_check *check);

#endif
