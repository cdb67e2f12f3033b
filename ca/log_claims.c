/*
 * The tables of the CA's database, judged by the log (rule C3).
 *
 * What always holds: whatever lists, renewals and revocations are decided by is covered. What a
 * certificate says of itself (times, brand, profile) is read out of it and compared with the
 * columns; the certificate, its parent and until when it may be renewed, the reason of a revocation
 * and the number of its entry are compared with the entry that tells of it.
 *
 * Entries of before say neither who has no parent nor until when a certificate may be renewed:
 * what they don't say is passed over, and what they do is compared.
 */
#include "ca/log_claims.h"

#include "ca/state.h"

#include "common/crypto/hash.h"
#include "common/pki/certificate.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The last thing that the log says about a serial of an authority. */
struct claim {
    const char *kind; /* "certificate", "revocation", "crl" */
    char authority[SETPAY_CA_AUTHORITY_SIZE];
    char serial[SETPAY_CA_SERIAL_SIZE];
    char parent[SETPAY_CA_SERIAL_SIZE]; /* "": the entry names none */
    char latest[SETPAY_TIME_TEXT_SIZE]; /* "": the entry says nothing of it */
    char reason[24];                    /* of a revocation */
    struct setpay_digest object;
    setpay_time_ms time;
    uint64_t number;
    bool is_party; /* a certificate that was issued or renewed: no authority's */
    bool met;      /* the table has it too */
    size_t next;   /* the index, and one more, of the next whose serial falls into the same slot */
};

struct setpay_ca_claims {
    struct claim *list;
    size_t count;
    size_t room;
    size_t *slots; /* room of them: the index, and one more, of the first claim; 0: none */
    struct claim crls[SETPAY_CA_AUTHORITIES_MAX]; /* the newest list of each authority */
    size_t crl_count;
};

enum setpay_error setpay_ca_claims_new(struct setpay_ca_claims **claims)
{
    *claims = calloc(1, sizeof **claims);
    return *claims == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

void setpay_ca_claims_free(struct setpay_ca_claims *claims)
{
    if (claims == NULL)
        return;
    free(claims->list);
    free(claims->slots);
    free(claims);
}

/* ---- taking in ---- */

/* FNV-1a. Serials are random, and the CA's own. */
static size_t *slot_of(const struct setpay_ca_claims *claims, const char *serial)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (const char *at = serial; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3;
    return &claims->slots[hash & (claims->room - 1)];
}

static void link_claim(struct setpay_ca_claims *claims, size_t at)
{
    size_t *slot = slot_of(claims, claims->list[at].serial);

    claims->list[at].next = *slot;
    *slot = at + 1;
}

/* Twice the room, a power of two; with other slots. */
static enum setpay_error grow(struct setpay_ca_claims *claims)
{
    size_t room = claims->room == 0 ? 64 : 2 * claims->room;
    size_t *slots = calloc(room, sizeof *slots);
    struct claim *grown = slots == NULL ? NULL : realloc(claims->list, room * sizeof *grown);

    if (grown == NULL) {
        free(slots);
        return SETPAY_E_NOMEM;
    }
    free(claims->slots);
    claims->slots = slots;
    claims->list = grown;
    claims->room = room;
    for (size_t at = 0; at < claims->count; at++)
        link_claim(claims, at);
    return SETPAY_OK;
}

/* What stands behind a name in an entry's subject, up to the next one; "" where it is not there. */
static void take_part(const char *subject, const char *name, char *part, size_t size)
{
    const char *found = strstr(subject, name);
    size_t length;

    part[0] = '\0';
    if (found == NULL)
        return;
    found += strlen(name);
    length = strcspn(found, ";");
    (void)snprintf(part, size, "%.*s", (int)length, found);
}

static void fill(struct claim *claim, const char *kind, const struct setpay_ca_log_entry *entry)
{
    memset(claim, 0, sizeof *claim);
    claim->kind = kind;
    (void)snprintf(claim->authority, sizeof claim->authority, "%s", entry->authority);
    (void)snprintf(claim->serial, sizeof claim->serial, "%s", entry->serial);
    claim->object = entry->object;
    claim->time = entry->time;
    claim->number = entry->number;
    claim->is_party = strcmp(entry->action, "issue") == 0 || strcmp(entry->action, "renew") == 0;
    if (claim->is_party) { /* the subject of a root may hold anything */
        take_part(entry->subject, SETPAY_CA_LOG_RENEWS, claim->parent, sizeof claim->parent);
        take_part(entry->subject, SETPAY_CA_LOG_LATEST, claim->latest, sizeof claim->latest);
    } else if (strcmp(kind, "revocation") == 0) {
        take_part(entry->subject, SETPAY_CA_LOG_REASON, claim->reason, sizeof claim->reason);
    }
}

static struct claim *find_crl(struct setpay_ca_claims *claims, const char *authority)
{
    for (size_t at = 0; at < claims->crl_count; at++)
        if (strcmp(claims->crls[at].authority, authority) == 0)
            return &claims->crls[at];
    return NULL;
}

static enum setpay_error add_crl(struct setpay_ca_claims *claims,
                                 const struct setpay_ca_log_entry *entry)
{
    struct claim *claim = find_crl(claims, entry->authority);

    if (claim == NULL && claims->crl_count == SETPAY_CA_AUTHORITIES_MAX)
        return SETPAY_E_TOO_BIG;
    if (claim == NULL)
        claim = &claims->crls[claims->crl_count++];
    fill(claim, "crl", entry);
    return SETPAY_OK;
}

enum setpay_error setpay_ca_claims_add(struct setpay_ca_claims *claims,
                                       const struct setpay_ca_log_entry *entry)
{
    bool revokes = strcmp(entry->action, "revoke") == 0;

    if (strcmp(entry->action, "restore") == 0)
        return SETPAY_OK; /* about the log itself: no table has it */
    if (strcmp(entry->action, "crl") == 0)
        return add_crl(claims, entry);
    if (claims->count == claims->room)
        SETPAY_TRY(grow(claims));
    fill(&claims->list[claims->count], revokes ? "revocation" : "certificate", entry);
    link_claim(claims, claims->count++);
    return SETPAY_OK;
}

/* ---- a certificate's row by itself ---- */

struct visit {
    struct setpay_ca *ca;
    struct setpay_ca_claims *claims;
    struct setpay_problem *problem;
    enum setpay_error error; /* of a callback that can't return one */
};

static void differ(struct visit *visit, const char *serial, const char *what)
{
    visit->error = setpay_problem_set(visit->problem, SETPAY_E_CA_LOG,
                                      "the database has another %s of the certificate %s than the "
                                      "certificate itself",
                                      what, serial);
}

static const char *profile_of(const struct setpay_certificate *certificate)
{
    const struct setpay_profile_info *leaf =
        setpay_profile_info(setpay_certificate_profile(certificate));
    const struct setpay_ca_info *kind = setpay_ca_info(setpay_certificate_ca_kind(certificate));

    return leaf != NULL ? leaf->name : kind != NULL ? kind->name : "";
}

static void check_columns(void *arg, const struct setpay_ca_record *record)
{
    struct visit *visit = arg;
    struct setpay_certificate *certificate = NULL;
    char serial[SETPAY_CA_SERIAL_SIZE];

    if (visit->error != SETPAY_OK)
        return;
    if (setpay_certificate_parse(record->der, &certificate) != SETPAY_OK) {
        visit->error =
            setpay_problem_set(visit->problem, SETPAY_E_CA_LOG,
                               "the database holds no certificate as that of %s", record->serial);
        return;
    }
    if (setpay_ca_serial_text(setpay_certificate_x509(certificate), serial) != SETPAY_OK ||
        strcmp(serial, record->serial) != 0)
        differ(visit, record->serial, "serial number");
    else if (setpay_certificate_not_before_ms(certificate) != record->not_before ||
             setpay_certificate_not_after_ms(certificate) != record->not_after)
        differ(visit, record->serial, "time");
    else if (strcmp(profile_of(certificate), record->profile) != 0)
        differ(visit, record->serial, "profile");
    else if (strcmp(setpay_certificate_brand(certificate), record->brand) != 0)
        differ(visit, record->serial, "brand");
    setpay_certificate_unref(certificate);
}

enum setpay_error setpay_ca_claims_check_part(struct setpay_ca *ca, int64_t from, int64_t to,
                                              struct setpay_problem *problem)
{
    struct visit visit = {.problem = problem, .error = SETPAY_OK};

    SETPAY_TRY(
        setpay_ca_registry_certificates_between(ca->registry, from, to, check_columns, &visit));
    return visit.error;
}

/* ---- the tables by the log ---- */

/* A row of a table, as far as the log knows of it. */
struct row {
    const char *kind;
    const char *authority;
    const char *serial;
    struct setpay_view der;
    uint64_t place;      /* but of a list, of which the table has none */
    setpay_time_ms time; /* 0: the table has none */
    const char *parent;
    const char *latest;
    const char *reason;
};

/* The log's word on that row, where it is this one. */
static bool is_of(const struct claim *claim, const struct row *row,
                  const struct setpay_digest *digest)
{
    if (strcmp(claim->kind, row->kind) != 0 || strcmp(claim->serial, row->serial) != 0 ||
        strcmp(claim->authority, row->authority) != 0 ||
        !setpay_digest_equal(&claim->object, digest) ||
        (row->time != 0 && claim->time != row->time))
        return false;
    if (strcmp(claim->kind, "crl") == 0)
        return true;
    if (claim->number != row->place)
        return false;
    if (strcmp(claim->kind, "revocation") == 0)
        return strcmp(claim->reason, row->reason) == 0;
    /* An entry of before that names no parent may yet have one; an authority never has. */
    bool says_all = !claim->is_party || claim->latest[0] != '\0' || claim->parent[0] != '\0';
    return (!says_all || strcmp(claim->parent, row->parent) == 0) &&
           (claim->latest[0] == '\0' || strcmp(claim->latest, row->latest) == 0);
}

/* Finds the log's word on one row of a table and marks it as met. */
static void meet(struct visit *visit, const struct row *row)
{
    struct setpay_ca_claims *claims = visit->claims;
    struct setpay_digest digest;
    struct claim *claim = NULL;

    if (visit->error != SETPAY_OK)
        return;
    visit->error = setpay_sha256(row->der, &digest);
    if (visit->error != SETPAY_OK)
        return;
    if (strcmp(row->kind, "crl") == 0)
        claim = find_crl(claims, row->authority);
    else if (claims->count > 0 && *slot_of(claims, row->serial) != 0)
        claim = &claims->list[*slot_of(claims, row->serial) - 1];
    while (claim != NULL && !is_of(claim, row, &digest))
        claim = claim->next == 0 ? NULL : &claims->list[claim->next - 1];
    if (claim != NULL)
        claim->met = true;
    else
        visit->error =
            setpay_problem_set(visit->problem, SETPAY_E_CA_LOG,
                               "the log tells of no %s %s by %s as the database holds it",
                               row->kind, row->serial, row->authority);
}

static void meet_certificate(void *arg, const struct setpay_ca_record *record)
{
    char latest[SETPAY_TIME_TEXT_SIZE];
    struct row row = {
        .kind = "certificate",
        .authority = record->authority,
        .serial = record->serial,
        .der = record->der,
        .place = record->place,
        .parent = record->parent,
        .latest = setpay_time_format(
            record->latest > record->not_after ? record->latest : record->not_after, latest),
    };

    meet(arg, &row);
    if (record->revoked == 0)
        return;
    row.kind = "revocation";
    row.place = record->revocation_place;
    row.time = record->revoked;
    row.reason = record->reason;
    meet(arg, &row);
}

static setpay_time_ms time_of(const ASN1_TIME *time)
{
    struct tm parts = {0};

    return ASN1_TIME_to_tm(time, &parts) == 1 ? (setpay_time_ms)timegm(&parts) * SETPAY_SECOND_MS
                                              : 0;
}

static void meet_crl(void *arg, const char *authority, uint64_t number, setpay_time_ms this_update,
                     setpay_time_ms next_update, struct setpay_view der)
{
    struct visit *visit = arg;
    char serial[SETPAY_CA_SERIAL_SIZE];
    const uint8_t *at = der.data;
    X509_CRL *list = d2i_X509_CRL(NULL, &at, (long)der.size);
    bool same = list != NULL &&
                time_of(X509_CRL_get0_lastUpdate(list)) ==
                    this_update / SETPAY_SECOND_MS * SETPAY_SECOND_MS &&
                time_of(X509_CRL_get0_nextUpdate(list)) ==
                    next_update / SETPAY_SECOND_MS * SETPAY_SECOND_MS;

    X509_CRL_free(list);
    (void)snprintf(serial, sizeof serial, "%llu", (unsigned long long)number);
    meet(visit, &(struct row){.kind = "crl",
                              .authority = authority,
                              .serial = serial,
                              .reason = "",
                              .parent = "",
                              .latest = "",
                              .der = der});
    if (visit->error == SETPAY_OK && !same)
        visit->error = setpay_problem_set(visit->problem, SETPAY_E_CA_LOG,
                                          "the database has other times of the list of %s than "
                                          "the list itself",
                                          authority);
}

/* What an authority's certificate says of it. */
struct said {
    char name[SETPAY_CA_AUTHORITY_SIZE];
    const char *kind;
    char brand[SETPAY_BRAND_MAX + 1];
};

static void take_said(void *arg, const struct setpay_ca_record *record)
{
    struct said *said = arg;
    struct setpay_certificate *certificate = NULL;

    if (setpay_certificate_parse(record->der, &certificate) != SETPAY_OK)
        return;
    setpay_certificate_ca_name(certificate, said->name);
    said->kind = profile_of(certificate);
    (void)snprintf(said->brand, sizeof said->brand, "%s", setpay_certificate_brand(certificate));
    setpay_certificate_unref(certificate);
}

static const struct claim *find_certificate(const struct setpay_ca_claims *claims,
                                            const char *serial)
{
    size_t at = claims->count == 0 ? 0 : *slot_of(claims, serial);

    for (; at != 0; at = claims->list[at - 1].next)
        if (strcmp(claims->list[at - 1].kind, "certificate") == 0 &&
            strcmp(claims->list[at - 1].serial, serial) == 0)
            return &claims->list[at - 1];
    return NULL;
}

/* By an authority's row it is decided who issues, and under whom. */
static enum setpay_error meet_authority(void *arg, const struct setpay_ca_authority_row *row)
{
    struct visit *visit = arg;
    struct said said = {.kind = ""};
    const struct claim *claim = find_certificate(visit->claims, row->serial);

    if (claim != NULL && !claim->is_party && claim->number == row->place &&
        strcmp(claim->authority, row->issuer) == 0)
        SETPAY_TRY(
            setpay_ca_registry_by_serial(visit->ca->registry, row->serial, take_said, &said));
    if (strcmp(said.name, row->name) == 0 && strcmp(said.kind, row->kind) == 0 &&
        strcmp(said.brand, row->brand) == 0)
        return SETPAY_OK;
    return setpay_problem_set(visit->problem, SETPAY_E_CA_LOG,
                              "the log tells of no authority %s as the database holds it",
                              row->name);
}

static enum setpay_error check_met(const struct claim *claim, struct setpay_problem *problem)
{
    if (claim->met)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_CA_LOG,
                              "entry %llu of the log tells of a %s %s that the database does not "
                              "hold",
                              (unsigned long long)claim->number, claim->kind, claim->serial);
}

enum setpay_error setpay_ca_claims_compare(struct setpay_ca_claims *claims, struct setpay_ca *ca,
                                           struct setpay_problem *problem)
{
    struct visit visit = {.ca = ca, .claims = claims, .problem = problem, .error = SETPAY_OK};

    SETPAY_TRY(setpay_ca_registry_certificates(ca->registry, NULL, meet_certificate, &visit));
    SETPAY_TRY(visit.error);
    SETPAY_TRY(setpay_ca_registry_crls(ca->registry, NULL, meet_crl, &visit));
    SETPAY_TRY(visit.error);
    SETPAY_TRY(setpay_ca_registry_authorities(ca->registry, NULL, meet_authority, &visit));
    for (size_t at = 0; at < claims->count; at++)
        SETPAY_TRY(check_met(&claims->list[at], problem));
    for (size_t at = 0; at < claims->crl_count; at++)
        SETPAY_TRY(check_met(&claims->crls[at], problem));
    return SETPAY_OK;
}
