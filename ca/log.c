/*
 * The log of a CA: append-only, hash-linked, signed (rule C3).
 *
 * An entry's hash is H("ca-log", number, time, action, authority, serial, subject, object,
 * previous) and the acting authority signs that hash. The head is H("ca-head", count, hash of the
 * last entry), signed by the authority that appended it, and changes in the same transaction as the
 * entry. A changed entry fails its hash or signature; a removed or moved one breaks numbers and
 * links; a cut end disagrees with the head, which nobody without a CA's key can sign anew.
 *
 * What no log can show by itself: that it and its head were both set back to an earlier pair of
 * the same two, or both deleted with everything else. That is what a witness is for: a head that
 * was written down elsewhere.
 */
#include "ca/log_claims.h"
#include "ca/state.h"

#include "common/base/noun.h"
#include "common/crypto/hash.h"
#include "common/crypto/sign.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum setpay_error hash_entry(const struct setpay_ca_log_entry *entry,
                                    struct setpay_digest *digest)
{
    struct setpay_hash hash;

    setpay_hash_init(&hash, "ca-log");
    setpay_hash_add_u64(&hash, entry->number);
    setpay_hash_add_u64(&hash, (uint64_t)entry->time);
    setpay_hash_add(&hash, setpay_view_string(entry->action));
    setpay_hash_add(&hash, setpay_view_string(entry->authority));
    setpay_hash_add(&hash, setpay_view_string(entry->serial));
    setpay_hash_add(&hash, setpay_view_string(entry->subject));
    setpay_hash_add(&hash, setpay_digest_view(&entry->object));
    setpay_hash_add(&hash, setpay_digest_view(&entry->previous));
    return setpay_hash_final(&hash, digest);
}

static enum setpay_error hash_head(const struct setpay_ca_log_head *head,
                                   struct setpay_digest *digest)
{
    struct setpay_hash hash;

    setpay_hash_init(&hash, "ca-head");
    setpay_hash_add_u64(&hash, head->count);
    setpay_hash_add(&hash, setpay_digest_view(&head->hash));
    return setpay_hash_final(&hash, digest);
}

static enum setpay_error sign_digest(const struct setpay_ca_authority *authority,
                                     const struct setpay_digest *digest,
                                     struct setpay_buffer *signature)
{
    struct setpay_signing_key *key = NULL;
    enum setpay_error error = setpay_signing_key_from_pkey(authority->key, &key);

    if (error == SETPAY_OK)
        error = setpay_sign_bytes(key, setpay_digest_view(digest), signature);
    setpay_signing_key_free(key);
    return error;
}

enum setpay_error setpay_ca_log_append(struct setpay_ca_change *change,
                                       const struct setpay_ca_authority *authority,
                                       const char *action, const char *serial, const char *subject,
                                       struct setpay_view object, setpay_time_ms now)
{
    struct setpay_digest digest;

    SETPAY_TRY(setpay_sha256(object, &digest));
    return setpay_ca_log_append_of(change, authority, action, serial, subject, &digest, now);
}

enum setpay_error setpay_ca_log_append_of(struct setpay_ca_change *change,
                                          const struct setpay_ca_authority *authority,
                                          const char *action, const char *serial,
                                          const char *subject, const struct setpay_digest *object,
                                          setpay_time_ms now)
{
    struct setpay_ca_log_entry entry = {.number = change->head.count + 1,
                                        .time = now,
                                        .action = action,
                                        .authority = authority->row.name,
                                        .serial = serial,
                                        .subject = subject,
                                        .object = *object,
                                        .previous = change->head.hash};
    struct setpay_buffer signature = {0};
    enum setpay_error error;

    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    if ((error = hash_entry(&entry, &entry.hash)) == SETPAY_OK &&
        (error = sign_digest(authority, &entry.hash, &signature)) == SETPAY_OK)
        error = setpay_ca_change_add_entry(change, &entry, setpay_buffer_view(&signature));
    setpay_buffer_clear(&signature);
    return error;
}

enum setpay_error setpay_ca_log_commit(struct setpay_ca *ca, struct setpay_ca_change *change,
                                       const struct setpay_ca_authority *authority)
{
    struct setpay_ca_head_row row = {.head = change->head};
    struct setpay_buffer signature = {0};
    struct setpay_digest digest;
    enum setpay_error error;

    memcpy(row.signer, authority->row.name, sizeof row.signer);
    setpay_buffer_init(&signature, SETPAY_SIGNATURE_MAX);
    if ((error = hash_head(&row.head, &digest)) == SETPAY_OK &&
        (error = sign_digest(authority, &digest, &signature)) == SETPAY_OK) {
        memcpy(row.signature, signature.data, signature.size);
        row.signature_size = signature.size;
        error = setpay_ca_change_set_head(change, &row);
    }
    if (error == SETPAY_OK)
        error = setpay_ca_change_apply(ca->registry, change);
    setpay_buffer_clear(&signature);
    return error;
}

/* ---- reading ---- */

struct each {
    setpay_ca_log_cb *callback;
    void *arg;
};

static enum setpay_error give_entry(void *arg, const struct setpay_ca_log_entry *entry,
                                    struct setpay_view signature)
{
    const struct each *each = arg;

    (void)signature;
    each->callback(each->arg, entry);
    return SETPAY_OK;
}

enum setpay_error setpay_ca_log_each(struct setpay_ca *ca, setpay_ca_log_cb *each, void *arg)
{
    struct each given = {.callback = each, .arg = arg};

    return setpay_ca_registry_entries(ca->registry, INT64_MIN, INT64_MAX, give_entry, &given);
}

/* ---- verifying ---- */

/* An authority's public key, by which its entries are verified. */
struct verifier {
    char name[SETPAY_CA_AUTHORITY_SIZE];
    struct setpay_public_key *key;
};

/* A signature takes 0.1 ms: a part of a log takes as long as an enrolment does. The last part has
 * the comparison of the tables in it, too, whatever their length: it verifies no signature. */
#define PART_ENTRIES 1000

struct walk {
    struct setpay_ca *ca;
    const struct setpay_ca_log_head *witness;
    bool witnessed;
    struct setpay_ca_log_head last;
    int64_t seen; /* entries of this part */
    struct verifier verifiers[SETPAY_CA_AUTHORITIES_MAX];
    size_t verifier_count;
    struct setpay_ca_claims *claims; /* what the entries tell of the tables */
    struct setpay_problem *problem;
};

static struct verifier *find_verifier(struct walk *walk, const char *authority)
{
    for (size_t at = 0; at < walk->verifier_count; at++)
        if (strcmp(walk->verifiers[at].name, authority) == 0)
            return &walk->verifiers[at];
    return NULL;
}

static const struct setpay_public_key *find_key(struct walk *walk, const char *authority)
{
    const struct verifier *found = find_verifier(walk, authority);

    return found == NULL ? NULL : found->key;
}

/* An authority is believed because the one above it signed its certificate. The root is itself what
 * parties are configured with: root.pem is compared by them. */
static enum setpay_error add_verifier(void *arg, const struct setpay_ca_authority_row *row)
{
    struct walk *walk = arg;
    struct verifier *verifier = &walk->verifiers[walk->verifier_count];
    struct setpay_ca_authority authority = {0};
    const struct setpay_public_key *issuer = find_key(walk, row->issuer);
    enum setpay_error error;

    if (find_verifier(walk, row->name) != NULL)
        return SETPAY_OK; /* of an earlier part */
    if (walk->verifier_count == SETPAY_CA_AUTHORITIES_MAX)
        return SETPAY_E_TOO_BIG;
    error = setpay_ca_authority_load(walk->ca, row->name, false, &authority, walk->problem);
    if (error == SETPAY_OK)
        error =
            setpay_public_key_from_pkey(X509_get0_pubkey(authority.certificate), &verifier->key);
    if (error == SETPAY_OK) {
        memcpy(verifier->name, row->name, sizeof verifier->name);
        walk->verifier_count++;
        if (issuer == NULL && strcmp(row->name, row->issuer) == 0)
            issuer = verifier->key;
        if (issuer == NULL ||
            X509_verify(authority.certificate, setpay_public_key_pkey(issuer)) != 1)
            error = setpay_problem_set(walk->problem, SETPAY_E_CA_LOG,
                                       "the certificate of %s is not signed by %s", row->name,
                                       row->issuer);
    }
    setpay_ca_authority_clear(&authority);
    return error;
}

static bool verifies(struct walk *walk, const char *authority, const struct setpay_digest *digest,
                     struct setpay_view signature)
{
    const struct setpay_public_key *key = find_key(walk, authority);

    return key != NULL &&
           setpay_verify_bytes(key, setpay_digest_view(digest), signature) == SETPAY_OK;
}

static enum setpay_error walk_entry(void *arg, const struct setpay_ca_log_entry *entry,
                                    struct setpay_view signature)
{
    struct walk *walk = arg;
    struct setpay_digest digest;

    walk->seen++;
    if (entry->number != walk->last.count + 1)
        return setpay_problem_set(
            walk->problem, SETPAY_E_CA_LOG, "the log: entry %llu is missing, %llu follows %llu",
            (unsigned long long)walk->last.count + 1, (unsigned long long)entry->number,
            (unsigned long long)walk->last.count);
    SETPAY_TRY(hash_entry(entry, &digest));
    if (!setpay_digest_equal(&entry->previous, &walk->last.hash))
        return setpay_problem_set(walk->problem, SETPAY_E_CA_LOG,
                                  "the log: entry %llu does not follow the one before it",
                                  (unsigned long long)entry->number);
    if (!setpay_digest_equal(&entry->hash, &digest))
        return setpay_problem_set(walk->problem, SETPAY_E_CA_LOG,
                                  "the log: entry %llu was changed (its hash differs)",
                                  (unsigned long long)entry->number);
    if (!verifies(walk, entry->authority, &digest, signature))
        return setpay_problem_set(walk->problem, SETPAY_E_CA_LOG,
                                  "the log: entry %llu is not signed by %s",
                                  (unsigned long long)entry->number, entry->authority);
    walk->last.count = entry->number;
    walk->last.hash = entry->hash;
    if (walk->witness != NULL && walk->witness->count == entry->number)
        walk->witnessed = setpay_digest_equal(&walk->witness->hash, &entry->hash);
    return setpay_ca_claims_add(walk->claims, entry);
}

static enum setpay_error check_head(struct walk *walk)
{
    struct setpay_ca_head_row row;
    struct setpay_digest digest;
    enum setpay_error error = setpay_ca_registry_head(walk->ca->registry, &row);

    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(walk->problem, SETPAY_E_CA_LOG, "the log: its head is gone");
    SETPAY_TRY(error);
    SETPAY_TRY(hash_head(&row.head, &digest));
    if (!verifies(walk, row.signer, &digest, setpay_view_of(row.signature, row.signature_size)))
        return setpay_problem_set(walk->problem, SETPAY_E_CA_LOG,
                                  "the log: its head was changed (the signature fails)");
    if (row.head.count != walk->last.count ||
        !setpay_digest_equal(&row.head.hash, &walk->last.hash))
        return setpay_problem_set(walk->problem, SETPAY_E_CA_LOG,
                                  "the log: its signed head counts %llu %s, %llu %s there",
                                  (unsigned long long)row.head.count,
                                  setpay_noun((int64_t)row.head.count, "entry", "entries"),
                                  (unsigned long long)walk->last.count,
                                  setpay_noun((int64_t)walk->last.count, "is", "are"));
    if (walk->witness != NULL && !walk->witnessed)
        return setpay_problem_set(walk->problem, SETPAY_E_CA_LOG,
                                  "the log does not hold the witnessed head %llu: it was set back "
                                  "or rewritten since then",
                                  (unsigned long long)walk->witness->count);
    return SETPAY_OK;
}

/* ---- a part at a time ---- */

struct setpay_ca_log_check {
    struct walk walk;
    struct setpay_ca_log_head witness;
};

enum setpay_error setpay_ca_log_check_new(struct setpay_ca *ca,
                                          const struct setpay_ca_log_head *witness,
                                          struct setpay_ca_log_check **check)
{
    struct setpay_ca_log_check *made = calloc(1, sizeof *made);

    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->walk.ca = ca;
    enum setpay_error error = setpay_ca_claims_new(&made->walk.claims);
    if (error != SETPAY_OK) {
        free(made);
        return error;
    }
    if (witness != NULL) {
        made->witness = *witness;
        made->walk.witness = &made->witness;
    }
    *check = made;
    return SETPAY_OK;
}

void setpay_ca_log_check_free(struct setpay_ca_log_check *check)
{
    if (check == NULL)
        return;
    for (size_t at = 0; at < check->walk.verifier_count; at++)
        setpay_public_key_free(check->walk.verifiers[at].key);
    setpay_ca_claims_free(check->walk.claims);
    free(check);
}

/* Entries until the part is full, or the log's end, and the certificates that they tell of, each by
 * itself. The tables are compared with the log behind that end, in the same part: they tell what it
 * does at one moment alone. */
static enum setpay_error walk_part(struct walk *walk, bool *unfinished)
{
    int64_t from = walk->last.count == 0 ? INT64_MIN : (int64_t)walk->last.count + 1;

    walk->seen = 0;
    /* There may be new ones since the part before. */
    SETPAY_TRY(setpay_ca_registry_authorities(walk->ca->registry, NULL, add_verifier, walk));
    SETPAY_TRY(
        setpay_ca_registry_entries(walk->ca->registry, from, PART_ENTRIES, walk_entry, walk));
    SETPAY_TRY(
        setpay_ca_claims_check_part(walk->ca, from, (int64_t)walk->last.count, walk->problem));
    *unfinished = walk->seen == PART_ENTRIES;
    if (*unfinished)
        return SETPAY_OK;
    SETPAY_TRY(check_head(walk));
    return setpay_ca_claims_compare(walk->claims, walk->ca, walk->problem);
}

enum setpay_error setpay_ca_log_check_step(struct setpay_ca_log_check *check, bool *unfinished,
                                           struct setpay_ca_log_head *head,
                                           struct setpay_problem *problem)
{
    struct walk *walk = &check->walk;

    walk->problem = problem;
    enum setpay_error error = walk_part(walk, unfinished);
    if (error == SETPAY_OK)
        *head = walk->last;
    if (error == SETPAY_E_STORE) /* a column that no longer fits: changed by hand */
        error = setpay_problem_set(problem, SETPAY_E_CA_LOG,
                                   "the log: what follows entry %llu can't be read",
                                   (unsigned long long)walk->last.count);
    return error;
}

enum setpay_error setpay_ca_log_verify(struct setpay_ca *ca,
                                       const struct setpay_ca_log_head *witness,
                                       struct setpay_ca_log_head *head,
                                       struct setpay_problem *problem)
{
    struct setpay_ca_log_check *check;
    bool unfinished = true;
    enum setpay_error error = SETPAY_OK;

    SETPAY_TRY(setpay_ca_log_check_new(ca, witness, &check));
    while (error == SETPAY_OK && unfinished)
        error = setpay_ca_log_check_step(check, &unfinished, head, problem);
    setpay_ca_log_check_free(check);
    return error;
}
