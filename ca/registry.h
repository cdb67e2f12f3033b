/*
 * The database of a CA: certificates, digests of keys seen, revocations, CRLs and the rows of the
 * log. Rows in, rows out; what they mean is decided by the files that call it.
 *
 * Whatever changes the database is gathered in a struct setpay_ca_change first (that is where
 * signatures are made) and applied whole, in one operation of the store, on the head of the log on
 * which it was decided.
 */
#ifndef SETPAY_CA_REGISTRY_H
#define SETPAY_CA_REGISTRY_H

#include "ca/ca.h"
#include "common/crypto/sign.h"
#include "common/store/store.h"

struct setpay_ca_registry;

extern const struct setpay_store_schema setpay_ca_schema;

/* Opens or creates the database, and takes its lock. retired: also one that was put out of service.
 * Errors of setpay_store_open. */
enum setpay_error setpay_ca_registry_open(const char *path, bool retired,
                                          struct setpay_ca_registry **registry,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The same database for another thread, with a reading connection of its own; for reading only.
 * Must be closed before the first one. */
enum setpay_error setpay_ca_registry_share(struct setpay_ca_registry *registry,
                                           struct setpay_ca_registry **shared) SETPAY_MUST_CHECK;
void setpay_ca_registry_close(struct setpay_ca_registry *registry);
/* For those who keep tables of their own in it (enrolment.c). Borrowed. */
struct setpay_store *setpay_ca_registry_store(struct setpay_ca_registry *registry);
struct setpay_reader *setpay_ca_registry_reader(struct setpay_ca_registry *registry);

/* ---- reading ---- */

/* An authority as the registry keeps it; nothing is owned. */
struct setpay_ca_authority_row {
    char name[SETPAY_CA_AUTHORITY_SIZE];
    char issuer[SETPAY_CA_AUTHORITY_SIZE]; /* itself for the root */
    char kind[8];                          /* "root", "brand", "cca", "mca", "pca" */
    char brand[SETPAY_BRAND_MAX + 1];      /* "" for the root */
    char serial[SETPAY_CA_SERIAL_SIZE];
    bool loopback;
    uint64_t place;                          /* the number of the log's entry that tells of it */
    uint64_t crl_number;                     /* of the newest CRL; 0: none yet */
    setpay_time_ms this_update, next_update; /* its times */
    size_t crl_size;                         /* of its DER */
    setpay_time_ms not_after;                /* of its certificate; 0: that is not there */
    bool revoked;
};
/* SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_ca_registry_authority(struct setpay_ca_registry *registry, const char *name,
                             struct setpay_ca_authority_row *row) SETPAY_MUST_CHECK;
/* The newest of a kind in a brand. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_ca_registry_newest(struct setpay_ca_registry *registry, const char *brand,
                                            const char *kind,
                                            struct setpay_ca_authority_row *row) SETPAY_MUST_CHECK;
typedef enum setpay_error setpay_ca_authority_row_cb(void *arg,
                                                     const struct setpay_ca_authority_row *row);
/* The root first, a brand's CA before its issuing CAs. brand NULL: all; the root is in every
 * answer. Stops at the first error of each. Each may read the registry. */
enum setpay_error setpay_ca_registry_authorities(struct setpay_ca_registry *registry,
                                                 const char *brand,
                                                 setpay_ca_authority_row_cb *each,
                                                 void *arg) SETPAY_MUST_CHECK;

/* Whether a certificate for this key exists (rule C2). */
enum setpay_error setpay_ca_registry_key_seen(struct setpay_ca_registry *registry,
                                              const struct setpay_digest *spki,
                                              bool *seen) SETPAY_MUST_CHECK;

/* Callbacks of the following must not read the registry. */

/* All, oldest first; brand NULL: of every brand. */
enum setpay_error setpay_ca_registry_certificates(struct setpay_ca_registry *registry,
                                                  const char *brand, setpay_ca_record_cb *each,
                                                  void *arg) SETPAY_MUST_CHECK;
/* Those of which the log's entries from one number to another tell. */
enum setpay_error setpay_ca_registry_certificates_between(struct setpay_ca_registry *registry,
                                                          int64_t from, int64_t to,
                                                          setpay_ca_record_cb *each,
                                                          void *arg) SETPAY_MUST_CHECK;
/* One, by serial or by thumbprint. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_ca_registry_by_serial(struct setpay_ca_registry *registry,
                                               const char *serial, setpay_ca_record_cb *each,
                                               void *arg) SETPAY_MUST_CHECK;
enum setpay_error setpay_ca_registry_by_thumbprint(struct setpay_ca_registry *registry,
                                                   const struct setpay_digest *thumbprint,
                                                   setpay_ca_record_cb *each,
                                                   void *arg) SETPAY_MUST_CHECK;
/* Those of one authority that are revoked, oldest revocation first. */
enum setpay_error setpay_ca_registry_revoked(struct setpay_ca_registry *registry,
                                             const char *authority, setpay_ca_record_cb *each,
                                             void *arg) SETPAY_MUST_CHECK;
/* Those that were had by the holder of this one since then (0: ever), and what came of them. */
enum setpay_error setpay_ca_registry_descendants(struct setpay_ca_registry *registry,
                                                 const char *serial, setpay_time_ms since,
                                                 setpay_ca_record_cb *each,
                                                 void *arg) SETPAY_MUST_CHECK;
/* Those that an enrolment was used for, and what came of them. */
enum setpay_error setpay_ca_registry_of_enrolment(struct setpay_ca_registry *registry,
                                                  const char *id, setpay_ca_record_cb *each,
                                                  void *arg) SETPAY_MUST_CHECK;
enum setpay_error setpay_ca_registry_crls(struct setpay_ca_registry *registry, const char *brand,
                                          setpay_ca_crl_cb *each, void *arg) SETPAY_MUST_CHECK;

/* The log's rows from a number on (INT64_MIN: from wherever there are any), at most so many, in
 * order; signature is over the entry's hash, by entry->authority's key. */
typedef enum setpay_error setpay_ca_entry_row_cb(void *arg, const struct setpay_ca_log_entry *entry,
                                                 struct setpay_view signature);
enum setpay_error setpay_ca_registry_entries(struct setpay_ca_registry *registry, int64_t from,
                                             int64_t limit, setpay_ca_entry_row_cb *each,
                                             void *arg) SETPAY_MUST_CHECK;
struct setpay_ca_head_row {
    struct setpay_ca_log_head head;
    char signer[SETPAY_CA_AUTHORITY_SIZE];
    uint8_t signature[SETPAY_SIGNATURE_MAX];
    size_t signature_size;
};
/* SETPAY_E_NOT_FOUND where there is none. */
enum setpay_error setpay_ca_registry_head(struct setpay_ca_registry *registry,
                                          struct setpay_ca_head_row *row) SETPAY_MUST_CHECK;

/* The same inside a read or an operation; arg is the row. */
enum setpay_error setpay_ca_registry_read_head(struct setpay_db *db, void *arg) SETPAY_MUST_CHECK;

/* ---- changing (change.c) ---- */

struct setpay_ca_statement;

struct setpay_ca_change {
    struct setpay_ca_log_head base; /* the head on which it was decided */
    struct setpay_ca_log_head head; /* the head after the entries gathered so far */
    struct setpay_ca_statement *first;
    struct setpay_ca_statement *last;
};

/* Reads the head. change needs no initialising; clear it after. */
enum setpay_error setpay_ca_change_begin(struct setpay_ca_registry *registry,
                                         struct setpay_ca_change *change) SETPAY_MUST_CHECK;
void setpay_ca_change_clear(struct setpay_ca_change *change);
/* Does all of it or nothing. SETPAY_E_CONFLICT where the log has grown since begin;
 * SETPAY_E_KEY_CERTIFIED, SETPAY_E_EXISTS (authority, revocation); errors of the store. */
enum setpay_error setpay_ca_change_apply(struct setpay_ca_registry *registry,
                                         struct setpay_ca_change *change) SETPAY_MUST_CHECK;

/* One more statement of the change; sql is not copied. duplicate: what a taken key means;
 * unchanged: what it means that it wrote no row, or more than one. values ends with
 * SETPAY_DB_TYPE_END. */
enum setpay_error setpay_ca_change_add(struct setpay_ca_change *change, const char *sql,
                                       enum setpay_error duplicate, enum setpay_error unchanged,
                                       const struct setpay_db_value *values) SETPAY_MUST_CHECK;
#define SETPAY_CA_VALUES(...)                                                                      \
    ((const struct setpay_db_value[]){__VA_ARGS__, {.type = SETPAY_DB_TYPE_END}})

/* What a change is made of; all bytes are copied. Rows that tell of an entry of the log take its
 * number: change->head.count after it was added. */
enum setpay_error
setpay_ca_change_add_authority(struct setpay_ca_change *change,
                               const struct setpay_ca_authority_row *row) SETPAY_MUST_CHECK;
/* spki: SHA-256 of the certificate's key. request: the PKCS#10 as it may be kept, or empty. */
enum setpay_error setpay_ca_change_add_certificate(struct setpay_ca_change *change,
                                                   const char *brand,
                                                   const struct setpay_ca_record *record,
                                                   const struct setpay_digest *thumbprint,
                                                   const struct setpay_digest *spki,
                                                   struct setpay_view request) SETPAY_MUST_CHECK;
enum setpay_error setpay_ca_change_add_revocation(struct setpay_ca_change *change,
                                                  const char *serial, setpay_time_ms time,
                                                  const char *reason) SETPAY_MUST_CHECK;
/* Replaces the authority's CRL; a number that isn't above the one held is SETPAY_E_CONFLICT. */
enum setpay_error setpay_ca_change_set_crl(struct setpay_ca_change *change, const char *authority,
                                           uint64_t number, setpay_time_ms this_update,
                                           setpay_time_ms next_update,
                                           struct setpay_view der) SETPAY_MUST_CHECK;
/* entry->number must be change->head.count + 1: moves change->head. */
enum setpay_error setpay_ca_change_add_entry(struct setpay_ca_change *change,
                                             const struct setpay_ca_log_entry *entry,
                                             struct setpay_view signature) SETPAY_MUST_CHECK;
enum setpay_error setpay_ca_change_set_head(struct setpay_ca_change *change,
                                            const struct setpay_ca_head_row *row) SETPAY_MUST_CHECK;

#endif
