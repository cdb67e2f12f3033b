/*
 * From a request over the network to a certificate (rules C1 and C2).
 *
 * What always holds: a wrong try is counted, durably, before the secret is looked at, so that no
 * crash gives one back; whether there is such an enrolment, whether its secret, its card or its
 * state is the reason, a refusal looks the same and has cost the same scrypt; the certificate and
 * the note that the secret is used up are one change.
 */
#include "ca/enrolment.h"

#include "ca/state.h"
#include "common/crypto/hash.h"
#include "common/pki/certificate.h"
#include "common/pki/csr.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- nonces ---- */

/* end of life, random bytes, HMAC over both */
#define NONCE_RANDOM 16
#define NONCE_SIGNED (8 + NONCE_RANDOM)
#define NONCE_BYTES (NONCE_SIGNED + sizeof(struct setpay_digest))
#define NONCES_PURGED "64" /* at most so many old ones, each time */

static enum setpay_error nonce_mac(const struct setpay_secret *key, const uint8_t *bytes,
                                   struct setpay_digest *mac)
{
    return setpay_keyed_digest(key, "ca-nonce", setpay_view_of(bytes, NONCE_SIGNED), mac);
}

enum setpay_error setpay_ca_nonce_make(const struct setpay_secret *nonce_key, setpay_time_ms now,
                                       char nonce[SETPAY_CA_NONCE_SIZE])
{
    uint8_t bytes[NONCE_BYTES];
    struct setpay_digest mac;

    setpay_write_u64be(bytes, (uint64_t)(now + SETPAY_CA_NONCE_LIFE_MS));
    if (RAND_bytes(bytes + 8, NONCE_RANDOM) != 1)
        return SETPAY_E_RANDOM;
    SETPAY_TRY(nonce_mac(nonce_key, bytes, &mac));
    memcpy(bytes + NONCE_SIGNED, mac.bytes, sizeof mac.bytes);
    setpay_base64url_encode(setpay_view_of(bytes, sizeof bytes), nonce);
    return SETPAY_OK;
}

/* rule C2: given out here, and not over */
static enum setpay_error check_nonce(const struct setpay_secret *key, const char *text,
                                     setpay_time_ms now, setpay_time_ms *end)
{
    uint8_t bytes[NONCE_BYTES];
    struct setpay_digest mac;

    if (setpay_base64url_decode(text, bytes, sizeof bytes) != SETPAY_OK)
        return SETPAY_E_NONCE;
    SETPAY_TRY(nonce_mac(key, bytes, &mac));
    *end = (setpay_time_ms)setpay_read_u64be(bytes);
    if (CRYPTO_memcmp(mac.bytes, bytes + NONCE_SIGNED, sizeof mac.bytes) != 0 || *end <= now)
        return SETPAY_E_NONCE;
    return SETPAY_OK;
}

/* rule C2: once; the same key may come again with it, since that is the same request. */
static enum setpay_error take_nonce(struct setpay_db *db, const char *nonce,
                                    const struct setpay_digest *spki, setpay_time_ms end,
                                    setpay_time_ms now)
{
    struct setpay_db_rows *rows = NULL;
    struct setpay_digest taken;

    SETPAY_TRY(setpay_db_run(db,
                             "DELETE FROM nonces WHERE nonce IN (SELECT nonce FROM nonces WHERE"
                             " expires <= $1 LIMIT " NONCES_PURGED ")",
                             SETPAY_DB_INT(now)));
    enum setpay_error error = setpay_db_run(
        db, "INSERT INTO nonces(nonce, spki, expires) VALUES($1, $2, $3)",
        SETPAY_DB_VIEW(setpay_view_string(nonce)), SETPAY_DB_DIGEST(spki), SETPAY_DB_INT(end));
    if (error != SETPAY_E_DUPLICATE)
        return error;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT spki FROM nonces WHERE nonce = $1",
                             SETPAY_DB_VIEW(setpay_view_string(nonce))));
    setpay_db_get_digest(rows, 0, &taken);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_digest_equal(&taken, spki) ? SETPAY_OK : SETPAY_E_NONCE;
}

/* ---- which certificate ---- */

static const struct {
    const char *label;
    const char *eku; /* "": no wish */
    enum setpay_profile profile;
} wishes[] = {
    {SETPAY_CA_LABEL_CARDHOLDER, "", SETPAY_PROFILE_CARDHOLDER_SIGN},
    {SETPAY_CA_LABEL_CARDHOLDER, SETPAY_OID_EKU_DOCUMENT_SIGNING, SETPAY_PROFILE_CARDHOLDER_SIGN},
    {SETPAY_CA_LABEL_MERCHANT, SETPAY_OID_EKU_DOCUMENT_SIGNING, SETPAY_PROFILE_MERCHANT_SIGN},
    {SETPAY_CA_LABEL_MERCHANT, SETPAY_OID_EKU_CLIENT_AUTH, SETPAY_PROFILE_MERCHANT_TLS_CLIENT},
    {SETPAY_CA_LABEL_MERCHANT, SETPAY_OID_EKU_SERVER_AUTH, SETPAY_PROFILE_MERCHANT_TLS_SERVER},
    {SETPAY_CA_LABEL_GATEWAY, SETPAY_OID_EKU_DOCUMENT_SIGNING, SETPAY_PROFILE_GATEWAY_SIGN},
    {SETPAY_CA_LABEL_GATEWAY, SETPAY_OID_EKU_ENVELOPE, SETPAY_PROFILE_GATEWAY_ENCRYPT},
    {SETPAY_CA_LABEL_GATEWAY, SETPAY_OID_EKU_SERVER_AUTH, SETPAY_PROFILE_GATEWAY_TLS_SERVER},
};

/* rule C2: the role is the label's profile; the request only says which of the party's. */
static enum setpay_error choose_profile(const char *label, const struct setpay_csr *csr,
                                        const struct setpay_profile_info **profile,
                                        struct setpay_problem *problem)
{
    for (size_t at = 0; at < sizeof wishes / sizeof *wishes; at++) {
        if (strcmp(wishes[at].label, label) == 0 && strcmp(wishes[at].eku, csr->eku) == 0) {
            *profile = setpay_profile_info(wishes[at].profile);
            return SETPAY_OK;
        }
    }
    return setpay_problem_set(problem, SETPAY_E_CSR,
                              "the request must name, as its one extended key usage, which of a "
                              "%s's certificates it is for",
                              label);
}

/* What a request says of itself, before anything is asked of anybody. */
struct request {
    const struct setpay_ca_asked *asked;
    struct setpay_csr csr;
    const struct setpay_profile_info *profile;
    setpay_time_ms nonce_end;
    setpay_time_ms now;
    /* How it was used before, where it was. */
    bool key_seen;
    bool used;
    char used_serial[SETPAY_CA_SERIAL_SIZE];
    struct setpay_digest used_spki;
    /* The enrolment. */
    bool counted; /* there is one, and it had a try left */
    struct setpay_ca_enrolment enrolment;
};

static enum setpay_error read_request(struct request *request, struct setpay_problem *problem)
{
    const struct setpay_ca_asked *asked = request->asked;

    if (setpay_csr_parse(asked->request, &request->csr) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_CSR,
                                  "expected a PKCS#10 request for a P-256 key, signed by that key, "
                                  "with the permitted attributes only");
    if (check_nonce(asked->nonce_key, request->csr.challenge, request->now, &request->nonce_end) !=
        SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_NONCE,
                                  "challengePassword must be the nonce that /csrattrs gave, which "
                                  "is good for ten minutes and for one key");
    return SETPAY_OK;
}

/* ---- the database ---- */

struct use_key {
    const char *id;
    const char *profile;
    struct request *request;
};

static enum setpay_error read_use(struct setpay_db *db, void *arg)
{
    const struct use_key *key = arg;
    struct request *request = key->request;
    struct setpay_db_rows *rows = NULL;
    enum setpay_error error = setpay_db_one(
        db, &rows, "SELECT serial, spki FROM enrolment_uses WHERE id = $1 AND profile = $2",
        SETPAY_DB_TEXT(key->id), SETPAY_DB_TEXT(key->profile));

    request->used = error == SETPAY_OK;
    if (error != SETPAY_OK)
        return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
    setpay_db_get_text(rows, 0, request->used_serial, sizeof request->used_serial);
    setpay_db_get_digest(rows, 1, &request->used_spki);
    return setpay_db_end(rows);
}

/* rule C1: the try counts before it is judged. */
static enum setpay_error count_try(struct setpay_db *db, void *arg)
{
    struct request *request = arg;
    const char *user = request->asked->user;
    struct setpay_db_rows *rows = NULL;

    SETPAY_TRY(take_nonce(db, request->csr.challenge, &request->csr.key_digest, request->nonce_end,
                          request->now));
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE enrolments SET tries = tries + 1 WHERE id = $1 AND label = $2"
                             " AND tries < $3 AND ended = 0",
                             SETPAY_DB_TEXT(user), SETPAY_DB_TEXT(request->asked->label),
                             SETPAY_DB_INT(SETPAY_CA_TRIES)));
    request->counted = setpay_db_changes(db) == 1;
    if (!request->counted)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             SETPAY_CA_ENROLMENT_COLUMNS " FROM enrolments e WHERE e.id = $1",
                             SETPAY_DB_TEXT(user)));
    setpay_ca_enrolment_read(rows, &request->enrolment);
    return setpay_db_end(rows);
}

static enum setpay_error forget_tries(struct setpay_db *db, void *arg)
{
    return setpay_db_run(db, "UPDATE enrolments SET tries = 0 WHERE id = $1",
                         SETPAY_DB_TEXT((const char *)arg));
}

/* What a change keeps beside the certificate. */
struct use_note {
    const char *id;
    const char *profile;
    const struct setpay_digest *spki;
    bool of_enrolment;
};

static enum setpay_error note_use(struct setpay_ca_change *change,
                                  const struct setpay_ca_issued *issued, void *arg)
{
    const struct use_note *note = arg;

    if (note->of_enrolment)
        SETPAY_TRY(setpay_ca_change_add(change, "UPDATE enrolments SET tries = 0 WHERE id = $1",
                                        SETPAY_E_STORE, SETPAY_E_ENROLMENT,
                                        SETPAY_CA_VALUES(SETPAY_DB_TEXT(note->id))));
    return setpay_ca_change_add(
        change, "INSERT INTO enrolment_uses(id, profile, serial, spki) VALUES($1, $2, $3, $4)",
        SETPAY_E_CONFLICT, SETPAY_E_STORE,
        SETPAY_CA_VALUES(SETPAY_DB_TEXT(note->id), SETPAY_DB_TEXT(note->profile),
                         SETPAY_DB_TEXT(issued->serial), SETPAY_DB_DIGEST(note->spki)));
}

/* ---- the secret ---- */

/* scrypt of the password, also where there is nothing to compare it with. */
static enum setpay_error check_secret(const struct request *request, bool *right)
{
    struct setpay_ca_enrolment none = {.scrypt = {.n = 1 << 15, .r = 8, .p = 1}};
    const struct setpay_ca_enrolment *held = request->counted ? &request->enrolment : &none;
    struct setpay_secret secret = {0};
    struct setpay_secret derived = {0};
    enum setpay_error error =
        setpay_ca_secret_normalise(setpay_secret_view(request->asked->password), &secret);

    if (error == SETPAY_E_INVALID) /* wrong, but that takes its time too */
        error = setpay_secret_copy(&secret, setpay_secret_view(request->asked->password));
    if (error == SETPAY_OK)
        error = setpay_scrypt_derive(&held->scrypt, &secret, &derived);
    if (error == SETPAY_OK)
        *right = derived.size == sizeof held->verifier.bytes &&
                 CRYPTO_memcmp(derived.data, held->verifier.bytes, derived.size) == 0 &&
                 request->counted;
    setpay_secret_clear(&secret);
    setpay_secret_clear(&derived);
    return error;
}

/* Whether PAN and expiry are those of the enrolment; true for who has no card. */
static enum setpay_error check_card(const struct request *request, bool *right)
{
    const struct setpay_ca_asked *asked = request->asked;
    struct setpay_digest card;

    *right = strcmp(asked->label, SETPAY_CA_LABEL_CARDHOLDER) != 0;
    if (*right || asked->card_key == NULL || request->csr.pan.size == 0)
        return SETPAY_OK;
    SETPAY_TRY(
        setpay_ca_card_digest(asked->card_key, &request->csr.pan, &request->csr.expiry, &card));
    *right = CRYPTO_memcmp(card.bytes, request->enrolment.card.bytes, sizeof card.bytes) == 0;
    setpay_cleanse(&card, sizeof card);
    return SETPAY_OK;
}

/* One of the words of a text that are separated by blanks. */
static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        if ((at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* A wish that names itself must be named as the enrolment is. */
static bool names_agree(const struct request *request)
{
    const struct setpay_csr *csr = &request->csr;
    const struct setpay_ca_enrolment *enrolment = &request->enrolment;
    bool agree = (csr->brand[0] == '\0' || strcmp(csr->brand, enrolment->brand) == 0) &&
                 (csr->id[0] == '\0' || strcmp(csr->id, enrolment->party) == 0);

    for (size_t at = 0; at < csr->host_count; at++)
        agree = agree && has_word(enrolment->hosts, csr->hosts[at]);
    return agree;
}

/* rule C1: every part is looked at, whatever the others say. */
static enum setpay_error authorise(const struct request *request)
{
    bool secret = false;
    bool card = false;
    bool names = names_agree(request);
    bool alive = request->enrolment.expires > request->now;
    bool fresh =
        !request->used || setpay_digest_equal(&request->used_spki, &request->csr.key_digest);

    SETPAY_TRY(check_secret(request, &secret));
    SETPAY_TRY(check_card(request, &card));
    return secret && card && names && alive && fresh ? SETPAY_OK : SETPAY_E_ENROLMENT;
}

/* ---- enrolling ---- */

/* The certificate that this very request was given before. */
static enum setpay_error give_again(struct setpay_ca *ca, const struct request *request,
                                    struct setpay_ca_issued *issued, struct setpay_problem *problem)
{
    memcpy(issued->serial, request->used_serial, sizeof issued->serial);
    return setpay_ca_chain(ca, issued->serial, &issued->chain, problem);
}

/* 0: as long as the profile permits. */
static int days_of(const struct request *request)
{
    return request->profile->profile == SETPAY_PROFILE_CARDHOLDER_SIGN ? request->asked->card_days
                                                                       : 0;
}

static enum setpay_error issue(struct setpay_ca *ca, struct request *request,
                               struct setpay_ca_issued *issued, struct setpay_problem *problem)
{
    struct setpay_ca_enrolment *enrolment = &request->enrolment;
    struct setpay_ca_request wish = {
        .profile = request->profile->name,
        .csr = request->asked->request,
        .brand = enrolment->brand,
        .id = enrolment->party[0] == '\0' ? NULL : enrolment->party,
        .days = days_of(request),
    };
    struct use_note note = {.id = enrolment->id,
                            .profile = request->profile->name,
                            .spki = &request->csr.key_digest,
                            .of_enrolment = true};
    char *rest = NULL;

    if (request->profile->dns_names) {
        for (char *host = strtok_r(enrolment->hosts, " ", &rest);
             host != NULL && wish.dns_count < SETPAY_CA_DNS_NAMES;
             host = strtok_r(NULL, " ", &rest))
            wish.dns[wish.dns_count++] = host;
    }
    return setpay_ca_issue_noting(ca, &wish, request->now, note_use, &note, issued, problem);
}

static enum setpay_error look_up(struct setpay_ca *ca, struct request *request, const char *id,
                                 struct setpay_problem *problem)
{
    struct use_key key = {.id = id, .profile = request->profile->name, .request = request};

    SETPAY_TRY(setpay_store_read(setpay_ca_registry_reader(ca->registry), read_use, &key));
    SETPAY_TRY(
        setpay_ca_registry_key_seen(ca->registry, &request->csr.key_digest, &request->key_seen));
    if (request->key_seen &&
        !(request->used && setpay_digest_equal(&request->used_spki, &request->csr.key_digest)))
        return setpay_problem_set(problem, SETPAY_E_KEY_CERTIFIED,
                                  "this key was certified before; make a new one");
    return SETPAY_OK;
}

static enum setpay_error enrol(struct setpay_ca *ca, struct request *request,
                               struct setpay_ca_issued *issued, struct setpay_problem *problem)
{
    const struct setpay_ca_asked *asked = request->asked;
    struct setpay_store *store = setpay_ca_registry_store(ca->registry);

    SETPAY_TRY(read_request(request, problem));
    SETPAY_TRY(choose_profile(asked->label, &request->csr, &request->profile, problem));
    if (asked->user == NULL || asked->password == NULL || asked->password->size == 0)
        return SETPAY_E_ENROLMENT;
    SETPAY_TRY(look_up(ca, request, asked->user, problem));
    SETPAY_TRY(setpay_store_submit_wait(store, count_try, request));
    SETPAY_TRY(authorise(request));
    enum setpay_error error = request->used ? give_again(ca, request, issued, problem)
                                            : issue(ca, request, issued, problem);
    /* The secret was right: what failed here is not its holder's fault. */
    enum setpay_error forgotten = SETPAY_OK;
    if (error != SETPAY_OK || request->used)
        forgotten = setpay_store_submit_wait(store, forget_tries, request->enrolment.id);
    return error != SETPAY_OK ? error : forgotten;
}

enum setpay_error setpay_ca_enrol(struct setpay_ca *ca, const struct setpay_ca_asked *asked,
                                  setpay_time_ms now, struct setpay_ca_issued *issued,
                                  struct setpay_problem *problem)
{
    struct request request = {.asked = asked, .now = now};
    enum setpay_error error = enrol(ca, &request, issued, problem);

    setpay_csr_clear(&request.csr);
    setpay_cleanse(&request, sizeof request);
    return error;
}

/* ---- renewing ---- */

static enum setpay_error keep_nonce(struct setpay_db *db, void *arg)
{
    const struct request *request = arg;

    return take_nonce(db, request->csr.challenge, &request->csr.key_digest, request->nonce_end,
                      request->now);
}

/* Which certificate the holder of this one may have anew: one like it; and an envelope key's
 * certificate, which can't speak for itself, under its owner's signing certificate. */
static enum setpay_error choose_renewal(struct request *request,
                                        const struct setpay_certificate *holder,
                                        struct setpay_problem *problem)
{
    const struct setpay_profile_info *held =
        setpay_profile_info(setpay_certificate_profile(holder));

    if (held == NULL || strcmp(held->role, request->asked->label) != 0)
        return setpay_problem_set(problem, SETPAY_E_CERT_ROLE,
                                  "the certificate of the connection is not a %s's",
                                  request->asked->label);
    if (request->csr.eku[0] == '\0') {
        request->profile = held;
        return SETPAY_OK;
    }
    SETPAY_TRY(choose_profile(request->asked->label, &request->csr, &request->profile, problem));
    if (request->profile == held || (held->profile == SETPAY_PROFILE_GATEWAY_SIGN &&
                                     request->profile->profile == SETPAY_PROFILE_GATEWAY_ENCRYPT))
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_CERT_ROLE,
                              "a %s certificate renews its own kind, not %s", held->name,
                              request->profile->name);
}

static void take_standing(void *arg, const struct setpay_ca_record *record)
{
    bool *revoked = arg;

    *revoked = record->revoked != 0;
}

/* TLS has judged the certificate by the lists that were out; this is what the CA itself knows. */
static enum setpay_error check_standing(struct setpay_ca *ca, const struct request *request,
                                        const struct setpay_certificate *holder,
                                        struct setpay_problem *problem)
{
    bool revoked = true;

    SETPAY_TRY(setpay_ca_registry_by_thumbprint(ca->registry, setpay_certificate_thumbprint(holder),
                                                take_standing, &revoked));
    if (revoked)
        return setpay_problem_set(problem, SETPAY_E_CERT_REVOKED,
                                  "the certificate of the connection is revoked");
    if (request->now < setpay_certificate_not_before_ms(holder) ||
        request->now > setpay_certificate_not_after_ms(holder))
        return setpay_problem_set(problem, SETPAY_E_CERT_TIME,
                                  "the certificate of the connection has ended");
    return SETPAY_OK;
}

static enum setpay_error renew(struct setpay_ca *ca, struct request *request,
                               const struct setpay_certificate *holder,
                               struct setpay_ca_issued *issued, struct setpay_problem *problem)
{
    char id[2 * SETPAY_DIGEST_TEXT_SIZE + 32];
    char old[SETPAY_DIGEST_TEXT_SIZE];
    char key[SETPAY_DIGEST_TEXT_SIZE];
    struct use_note note = {.id = id, .spki = &request->csr.key_digest};
    const struct setpay_csr *csr = &request->csr;
    char parent[SETPAY_CA_SERIAL_SIZE];

    SETPAY_TRY(read_request(request, problem));
    SETPAY_TRY(check_standing(ca, request, holder, problem));
    SETPAY_TRY(choose_renewal(request, holder, problem));
    note.profile = request->profile->name;
    /* By the key too: a holder may renew again, where it has lost the new one. */
    (void)snprintf(id, sizeof id, "renewal of %s for %s",
                   setpay_digest_format(setpay_certificate_thumbprint(holder), old),
                   setpay_digest_format(&csr->key_digest, key));
    if ((csr->brand[0] != '\0' && strcmp(csr->brand, setpay_certificate_brand(holder)) != 0) ||
        (csr->id[0] != '\0' && strcmp(csr->id, setpay_certificate_id(holder)) != 0))
        return setpay_problem_set(problem, SETPAY_E_CSR,
                                  "the request names another party than the certificate of the "
                                  "connection");
    SETPAY_TRY(look_up(ca, request, id, problem));
    SETPAY_TRY(
        setpay_store_submit_wait(setpay_ca_registry_store(ca->registry), keep_nonce, request));
    if (request->used)
        return give_again(ca, request, issued, problem);
    if (setpay_certificate_profile(holder) == request->profile->profile)
        return setpay_ca_renew_noting(ca, setpay_certificate_der(holder), request->asked->request,
                                      days_of(request), request->now, note_use, &note, issued,
                                      problem);
    SETPAY_TRY(setpay_ca_serial_text(setpay_certificate_x509(holder), parent));
    const struct setpay_ca_request wish = {.profile = request->profile->name,
                                           .csr = request->asked->request,
                                           .brand = setpay_certificate_brand(holder),
                                           .id = setpay_certificate_id(holder),
                                           .parent = parent};
    return setpay_ca_issue_noting(ca, &wish, request->now, note_use, &note, issued, problem);
}

enum setpay_error setpay_ca_reenrol(struct setpay_ca *ca, const struct setpay_ca_asked *asked,
                                    struct setpay_view holder_der, setpay_time_ms now,
                                    struct setpay_ca_issued *issued, struct setpay_problem *problem)
{
    struct request request = {.asked = asked, .now = now};
    struct setpay_certificate *holder = NULL;
    enum setpay_error error = setpay_certificate_parse(holder_der, &holder);

    if (error == SETPAY_OK)
        error = renew(ca, &request, holder, issued, problem);
    setpay_certificate_unref(holder);
    setpay_csr_clear(&request.csr);
    return error;
}
