/*
 * The database of a CA.
 *
 * Reads go through one reading connection, each in a transaction of its own. What changes it is in
 * change.c.
 *
 * Vocabulary: a row is what a table holds; a record is a certificate's row with its revocation;
 * place is the number of the log's entry that tells of the row.
 */
#include "ca/registry.h"

#include "common/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 320 /* a subject, and what the log says behind it */

struct setpay_ca_registry {
    struct setpay_store *store;
    bool shares; /* the store is another registry's */
    struct setpay_reader *reader;
};

static const struct setpay_store_migration migrations[] = {
    {1,
     "CREATE TABLE authorities(place BIGINT NOT NULL, name TEXT PRIMARY KEY, issuer TEXT NOT NULL,"
     " kind TEXT NOT NULL, brand TEXT NOT NULL, serial TEXT NOT NULL UNIQUE,"
     " loopback BIGINT NOT NULL);"
     "CREATE TABLE certified_keys(spki BLOB PRIMARY KEY);"
     "CREATE TABLE certificates(place BIGINT PRIMARY KEY, serial TEXT NOT NULL UNIQUE,"
     " authority TEXT NOT NULL, brand TEXT NOT NULL, profile TEXT NOT NULL, subject TEXT NOT NULL,"
     " not_before BIGINT NOT NULL, not_after BIGINT NOT NULL, der BLOB NOT NULL,"
     " thumbprint BLOB NOT NULL UNIQUE, request BLOB NOT NULL);"
     "CREATE TABLE revocations(place BIGINT PRIMARY KEY, serial TEXT NOT NULL UNIQUE,"
     " revoked_at BIGINT NOT NULL, reason TEXT NOT NULL);"
     "CREATE TABLE crls(authority TEXT PRIMARY KEY, crl_number BIGINT NOT NULL,"
     " this_update BIGINT NOT NULL, next_update BIGINT NOT NULL, der BLOB NOT NULL);"
     "CREATE TABLE log(place BIGINT PRIMARY KEY, at BIGINT NOT NULL, action TEXT NOT NULL,"
     " authority TEXT NOT NULL, serial TEXT NOT NULL, subject TEXT NOT NULL, object BLOB NOT NULL,"
     " previous BLOB NOT NULL, hash BLOB NOT NULL, signature BLOB NOT NULL);"
     "CREATE TABLE head(id BIGINT PRIMARY KEY, entries BIGINT NOT NULL, hash BLOB NOT NULL,"
     " signer TEXT NOT NULL, signature BLOB NOT NULL);"},
    {2,
     "CREATE TABLE enrolments(id TEXT PRIMARY KEY, label TEXT NOT NULL, brand TEXT NOT NULL,"
     " party TEXT NOT NULL, hosts TEXT NOT NULL, card BLOB NOT NULL, salt BLOB NOT NULL,"
     " n BIGINT NOT NULL, r BIGINT NOT NULL, p BIGINT NOT NULL, verifier BLOB NOT NULL,"
     " expires BIGINT NOT NULL, tries BIGINT NOT NULL, ended BIGINT NOT NULL DEFAULT 0);"
     "CREATE UNIQUE INDEX enrolment_of_card ON enrolments(brand, card)"
     " WHERE label = 'cardholder' AND ended = 0;"
     "CREATE TABLE enrolment_uses(id TEXT NOT NULL, profile TEXT NOT NULL, serial TEXT NOT NULL,"
     " spki BLOB NOT NULL, PRIMARY KEY(id, profile));"
     "CREATE TABLE nonces(nonce BLOB PRIMARY KEY, spki BLOB NOT NULL, expires BIGINT NOT NULL);"},
    /* parent: whose holder has asked for it; latest: when its card ends, where the certificate ends
     * before that. Renewals that are noted already tell their parents. */
    {3, "ALTER TABLE certificates ADD COLUMN parent TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE certificates ADD COLUMN latest BIGINT NOT NULL DEFAULT 0;"
        "CREATE INDEX certificate_parent ON certificates(parent);"
        "UPDATE certificates SET parent = coalesce((SELECT c.serial FROM enrolment_uses u"
        " JOIN certificates c ON lower(hex(c.thumbprint)) = substr(u.id, 12, 64)"
        " WHERE u.serial = certificates.serial AND substr(u.id, 1, 11) = 'renewal of '), '');"},
    {0, NULL},
};
const struct setpay_store_schema setpay_ca_schema = {.name = "ca", .steps = migrations};

enum setpay_error setpay_ca_registry_open(const char *path, bool retired,
                                          struct setpay_ca_registry **registry,
                                          struct setpay_problem *problem)
{
    char url[4096 + 16];
    const struct setpay_store_options options = {
        .url = url, .schema = &setpay_ca_schema, .retired = retired};
    struct setpay_ca_registry *opened = calloc(1, sizeof *opened);
    enum setpay_error error;

    if (opened == NULL)
        return SETPAY_E_NOMEM;
    if ((size_t)snprintf(url, sizeof url, "sqlite:%s", path) >= sizeof url)
        error = setpay_problem_set(problem, SETPAY_E_INVALID, "the path is too long");
    else
        error = setpay_store_open(&options, &opened->store, problem);
    if (error == SETPAY_OK)
        error = setpay_reader_new(opened->store, &opened->reader);
    if (error != SETPAY_OK) {
        setpay_ca_registry_close(opened);
        return error;
    }
    *registry = opened;
    return SETPAY_OK;
}

enum setpay_error setpay_ca_registry_share(struct setpay_ca_registry *registry,
                                           struct setpay_ca_registry **shared)
{
    struct setpay_ca_registry *made = calloc(1, sizeof *made);

    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->store = registry->store;
    made->shares = true;
    enum setpay_error error = setpay_reader_new(made->store, &made->reader);
    if (error != SETPAY_OK) {
        setpay_ca_registry_close(made);
        return error;
    }
    *shared = made;
    return SETPAY_OK;
}

void setpay_ca_registry_close(struct setpay_ca_registry *registry)
{
    if (registry == NULL)
        return;
    setpay_reader_free(registry->reader);
    if (registry->store != NULL && !registry->shares)
        setpay_store_close(registry->store);
    free(registry);
}

struct setpay_store *setpay_ca_registry_store(struct setpay_ca_registry *registry)
{
    return registry->store;
}

struct setpay_reader *setpay_ca_registry_reader(struct setpay_ca_registry *registry)
{
    return registry->reader;
}

/* ---- authorities ---- */

struct authorities {
    const char *name;  /* one */
    const char *kind;  /* or the newest of a kind in a brand */
    const char *brand; /* or those of a brand; "" for all */
    struct setpay_ca_authority_row *rows;
    size_t count;
    size_t room;
};

static void read_authority(struct setpay_db_rows *rows, struct setpay_ca_authority_row *row)
{
    memset(row, 0, sizeof *row);
    setpay_db_get_text(rows, 0, row->name, sizeof row->name);
    setpay_db_get_text(rows, 1, row->issuer, sizeof row->issuer);
    setpay_db_get_text(rows, 2, row->kind, sizeof row->kind);
    setpay_db_get_text(rows, 3, row->brand, sizeof row->brand);
    setpay_db_get_text(rows, 4, row->serial, sizeof row->serial);
    row->loopback = setpay_db_get_bool(rows, 5);
    row->crl_number = (uint64_t)setpay_db_get_int(rows, 6);
    row->this_update = setpay_db_get_int(rows, 7);
    row->next_update = setpay_db_get_int(rows, 8);
    row->place = (uint64_t)setpay_db_get_int(rows, 9);
    row->crl_size = (size_t)setpay_db_get_int(rows, 10);
    row->not_after = setpay_db_get_int(rows, 11);
    row->revoked = setpay_db_get_bool(rows, 12);
}

#define AUTHORITY_COLUMNS                                                                          \
    "SELECT a.name, a.issuer, a.kind, a.brand, a.serial, a.loopback,"                              \
    " coalesce(c.crl_number, 0), coalesce(c.this_update, 0), coalesce(c.next_update, 0),"          \
    " a.place, coalesce(length(c.der), 0), coalesce(f.not_after, 0), r.serial IS NOT NULL"         \
    " FROM authorities a LEFT JOIN crls c ON c.authority = a.name"                                 \
    " LEFT JOIN certificates f ON f.serial = a.serial"                                             \
    " LEFT JOIN revocations r ON r.serial = a.serial "

static enum setpay_error read_one_authority(struct setpay_db *db, void *arg)
{
    struct authorities *wanted = arg;
    struct setpay_db_rows *rows;

    if (wanted->name != NULL)
        SETPAY_TRY(setpay_db_one(db, &rows, AUTHORITY_COLUMNS "WHERE a.name = $1",
                                 SETPAY_DB_TEXT(wanted->name)));
    else
        SETPAY_TRY(setpay_db_one(db, &rows,
                                 AUTHORITY_COLUMNS "WHERE a.brand = $1 AND a.kind = $2"
                                                   " ORDER BY a.place DESC LIMIT 1",
                                 SETPAY_DB_TEXT(wanted->brand), SETPAY_DB_TEXT(wanted->kind)));
    read_authority(rows, wanted->rows);
    return setpay_db_end(rows);
}

enum setpay_error setpay_ca_registry_authority(struct setpay_ca_registry *registry,
                                               const char *name,
                                               struct setpay_ca_authority_row *row)
{
    struct authorities wanted = {.name = name, .rows = row};

    return setpay_store_read(registry->reader, read_one_authority, &wanted);
}

enum setpay_error setpay_ca_registry_newest(struct setpay_ca_registry *registry, const char *brand,
                                            const char *kind, struct setpay_ca_authority_row *row)
{
    struct authorities wanted = {.brand = brand, .kind = kind, .rows = row};

    return setpay_store_read(registry->reader, read_one_authority, &wanted);
}

static enum setpay_error read_authorities(struct setpay_db *db, void *arg)
{
    struct authorities *wanted = arg;
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    enum setpay_error ended;

    SETPAY_TRY(setpay_db_select(db, &rows,
                                AUTHORITY_COLUMNS
                                "WHERE $1 = '' OR a.brand = $1 OR a.brand = '' ORDER BY a.place",
                                SETPAY_DB_TEXT(wanted->brand)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        if (wanted->count == wanted->room) {
            size_t room = wanted->room == 0 ? 8 : 2 * wanted->room;
            void *grown = realloc(wanted->rows, room * sizeof *wanted->rows);

            if (grown == NULL) {
                error = SETPAY_E_NOMEM;
                break;
            }
            wanted->rows = grown;
            wanted->room = room;
        }
        read_authority(rows, &wanted->rows[wanted->count++]);
    }
    ended = setpay_db_end(rows);
    return error != SETPAY_OK ? error : ended;
}

enum setpay_error setpay_ca_registry_authorities(struct setpay_ca_registry *registry,
                                                 const char *brand,
                                                 setpay_ca_authority_row_cb *each, void *arg)
{
    struct authorities wanted = {.brand = brand == NULL ? "" : brand};
    enum setpay_error error = setpay_store_read(registry->reader, read_authorities, &wanted);

    for (size_t at = 0; error == SETPAY_OK && at < wanted.count; at++)
        error = each(arg, &wanted.rows[at]);
    free(wanted.rows);
    return error;
}

/* ---- keys and certificates ---- */

struct key_question {
    const struct setpay_digest *spki;
    bool seen;
};

static enum setpay_error read_key(struct setpay_db *db, void *arg)
{
    struct key_question *question = arg;
    struct setpay_db_rows *rows;

    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT spki FROM certified_keys WHERE spki = $1",
                                SETPAY_DB_DIGEST(question->spki)));
    question->seen = setpay_db_next(rows);
    return setpay_db_end(rows);
}

enum setpay_error setpay_ca_registry_key_seen(struct setpay_ca_registry *registry,
                                              const struct setpay_digest *spki, bool *seen)
{
    struct key_question question = {.spki = spki};

    SETPAY_TRY(setpay_store_read(registry->reader, read_key, &question));
    *seen = question.seen;
    return SETPAY_OK;
}

struct records {
    const char *sql;
    struct setpay_db_value value; /* of $1 */
    bool has_second;
    int64_t second; /* $2 */
    setpay_ca_record_cb *each;
    void *arg;
    size_t count;
};

static enum setpay_error read_records(struct setpay_db *db, void *arg)
{
    struct records *wanted = arg;
    struct setpay_db_rows *rows;

    if (wanted->has_second)
        SETPAY_TRY(
            setpay_db_select(db, &rows, wanted->sql, wanted->value, SETPAY_DB_INT(wanted->second)));
    else
        SETPAY_TRY(setpay_db_select(db, &rows, wanted->sql, wanted->value));
    while (setpay_db_next(rows)) {
        char serial[SETPAY_CA_SERIAL_SIZE];
        char authority[SETPAY_CA_AUTHORITY_SIZE];
        char brand[SETPAY_BRAND_MAX + 1];
        char profile[32];
        char subject[TEXT_MAX];
        char reason[32];
        char parent[SETPAY_CA_SERIAL_SIZE];
        struct setpay_ca_record record = {
            .serial = serial,
            .authority = authority,
            .brand = brand,
            .profile = profile,
            .subject = subject,
            .reason = reason,
            .parent = parent,
        };

        setpay_db_get_text(rows, 0, serial, sizeof serial);
        setpay_db_get_text(rows, 1, authority, sizeof authority);
        setpay_db_get_text(rows, 2, profile, sizeof profile);
        setpay_db_get_text(rows, 3, subject, sizeof subject);
        record.not_before = setpay_db_get_int(rows, 4);
        record.not_after = setpay_db_get_int(rows, 5);
        record.revoked = setpay_db_get_int(rows, 6);
        setpay_db_get_text(rows, 7, reason, sizeof reason);
        setpay_db_get_text(rows, 8, parent, sizeof parent);
        record.latest = setpay_db_get_int(rows, 9);
        record.der = setpay_db_get_view(rows, 10);
        setpay_db_get_text(rows, 11, brand, sizeof brand);
        record.place = (uint64_t)setpay_db_get_int(rows, 12);
        record.revocation_place = (uint64_t)setpay_db_get_int(rows, 13);
        wanted->each(wanted->arg, &record);
        wanted->count++;
    }
    return setpay_db_end(rows);
}

#define RECORD_COLUMNS                                                                             \
    "SELECT c.serial, c.authority, c.profile, c.subject, c.not_before, c.not_after,"               \
    " coalesce(r.revoked_at, 0), coalesce(r.reason, ''), c.parent, c.latest, c.der,"               \
    " c.brand, c.place, coalesce(r.place, 0)"                                                      \
    " FROM certificates c LEFT JOIN revocations r ON r.serial = c.serial "

enum setpay_error setpay_ca_registry_certificates(struct setpay_ca_registry *registry,
                                                  const char *brand, setpay_ca_record_cb *each,
                                                  void *arg)
{
    struct records wanted = {
        .sql = RECORD_COLUMNS "WHERE $1 = '' OR c.brand = $1 ORDER BY c.place",
        .value = SETPAY_DB_TEXT(brand == NULL ? "" : brand),
        .each = each,
        .arg = arg,
    };

    return setpay_store_read(registry->reader, read_records, &wanted);
}

enum setpay_error setpay_ca_registry_certificates_between(struct setpay_ca_registry *registry,
                                                          int64_t from, int64_t to,
                                                          setpay_ca_record_cb *each, void *arg)
{
    struct records wanted = {
        .sql = RECORD_COLUMNS "WHERE c.place >= $1 AND c.place <= $2 ORDER BY c.place",
        .value = SETPAY_DB_INT(from),
        .has_second = true,
        .second = to,
        .each = each,
        .arg = arg,
    };

    return setpay_store_read(registry->reader, read_records, &wanted);
}

static enum setpay_error read_one_record(struct setpay_ca_registry *registry,
                                         struct records *wanted)
{
    SETPAY_TRY(setpay_store_read(registry->reader, read_records, wanted));
    return wanted->count == 0 ? SETPAY_E_NOT_FOUND : SETPAY_OK;
}

enum setpay_error setpay_ca_registry_by_serial(struct setpay_ca_registry *registry,
                                               const char *serial, setpay_ca_record_cb *each,
                                               void *arg)
{
    struct records wanted = {.sql = RECORD_COLUMNS "WHERE c.serial = $1",
                             .value = SETPAY_DB_TEXT(serial),
                             .each = each,
                             .arg = arg};

    return read_one_record(registry, &wanted);
}

enum setpay_error setpay_ca_registry_by_thumbprint(struct setpay_ca_registry *registry,
                                                   const struct setpay_digest *thumbprint,
                                                   setpay_ca_record_cb *each, void *arg)
{
    struct records wanted = {.sql = RECORD_COLUMNS "WHERE c.thumbprint = $1",
                             .value = SETPAY_DB_DIGEST(thumbprint),
                             .each = each,
                             .arg = arg};

    return read_one_record(registry, &wanted);
}

/* A certificate that was issued before `since` has a key of its own, which is not compromised by
 * that of its parent; so neither is what came of it. */
enum setpay_error setpay_ca_registry_descendants(struct setpay_ca_registry *registry,
                                                 const char *serial, setpay_time_ms since,
                                                 setpay_ca_record_cb *each, void *arg)
{
    struct records wanted = {
        .sql =
            "WITH RECURSIVE line(serial) AS (SELECT f.serial FROM certificates f JOIN log l"
            " ON l.place = f.place WHERE f.parent = $1 AND l.at >= $2"
            " UNION SELECT n.serial FROM certificates n JOIN line ON n.parent = "
            "line.serial) " RECORD_COLUMNS "JOIN line ON line.serial = c.serial ORDER BY c.place",
        .value = SETPAY_DB_TEXT(serial),
        .has_second = true,
        .second = since,
        .each = each,
        .arg = arg,
    };

    return setpay_store_read(registry->reader, read_records, &wanted);
}

enum setpay_error setpay_ca_registry_of_enrolment(struct setpay_ca_registry *registry,
                                                  const char *id, setpay_ca_record_cb *each,
                                                  void *arg)
{
    struct records wanted = {
        .sql =
            "WITH RECURSIVE line(serial) AS (SELECT u.serial FROM enrolment_uses u"
            " WHERE u.id = $1"
            " UNION SELECT n.serial FROM certificates n JOIN line ON n.parent = "
            "line.serial) " RECORD_COLUMNS "JOIN line ON line.serial = c.serial ORDER BY c.place",
        .value = SETPAY_DB_TEXT(id),
        .each = each,
        .arg = arg,
    };

    return setpay_store_read(registry->reader, read_records, &wanted);
}

enum setpay_error setpay_ca_registry_revoked(struct setpay_ca_registry *registry,
                                             const char *authority, setpay_ca_record_cb *each,
                                             void *arg)
{
    struct records wanted = {
        .sql = RECORD_COLUMNS "WHERE c.authority = $1 AND r.serial IS NOT NULL ORDER BY r.place",
        .value = SETPAY_DB_TEXT(authority),
        .each = each,
        .arg = arg,
    };

    return setpay_store_read(registry->reader, read_records, &wanted);
}

struct crls {
    const char *brand;
    setpay_ca_crl_cb *each;
    void *arg;
};

static enum setpay_error read_crls(struct setpay_db *db, void *arg)
{
    const struct crls *wanted = arg;
    struct setpay_db_rows *rows;

    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT c.authority, c.crl_number, c.this_update, c.next_update,"
                                " c.der FROM crls c JOIN authorities a ON a.name = c.authority"
                                " WHERE $1 = '' OR a.brand = $1 OR a.brand = '' ORDER BY a.place",
                                SETPAY_DB_TEXT(wanted->brand)));
    while (setpay_db_next(rows)) {
        char authority[SETPAY_CA_AUTHORITY_SIZE];

        setpay_db_get_text(rows, 0, authority, sizeof authority);
        wanted->each(wanted->arg, authority, (uint64_t)setpay_db_get_int(rows, 1),
                     setpay_db_get_int(rows, 2), setpay_db_get_int(rows, 3),
                     setpay_db_get_view(rows, 4));
    }
    return setpay_db_end(rows);
}

enum setpay_error setpay_ca_registry_crls(struct setpay_ca_registry *registry, const char *brand,
                                          setpay_ca_crl_cb *each, void *arg)
{
    struct crls wanted = {.brand = brand == NULL ? "" : brand, .each = each, .arg = arg};

    return setpay_store_read(registry->reader, read_crls, &wanted);
}

/* ---- the log ---- */

struct entries {
    int64_t from;
    int64_t limit;
    setpay_ca_entry_row_cb *each;
    void *arg;
};

static enum setpay_error read_entries(struct setpay_db *db, void *arg)
{
    const struct entries *wanted = arg;
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    enum setpay_error ended;

    SETPAY_TRY(
        setpay_db_select(db, &rows,
                         "SELECT place, at, action, authority, serial, subject, object,"
                         " previous, hash, signature FROM log WHERE place >= $1 ORDER BY place"
                         " LIMIT $2",
                         SETPAY_DB_INT(wanted->from), SETPAY_DB_INT(wanted->limit)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        char action[16];
        char authority[SETPAY_CA_AUTHORITY_SIZE];
        char serial[SETPAY_CA_SERIAL_SIZE];
        char subject[TEXT_MAX];
        struct setpay_ca_log_entry entry = {
            .action = action, .authority = authority, .serial = serial, .subject = subject};

        entry.number = (uint64_t)setpay_db_get_int(rows, 0);
        entry.time = setpay_db_get_int(rows, 1);
        setpay_db_get_text(rows, 2, action, sizeof action);
        setpay_db_get_text(rows, 3, authority, sizeof authority);
        setpay_db_get_text(rows, 4, serial, sizeof serial);
        setpay_db_get_text(rows, 5, subject, sizeof subject);
        setpay_db_get_digest(rows, 6, &entry.object);
        setpay_db_get_digest(rows, 7, &entry.previous);
        setpay_db_get_digest(rows, 8, &entry.hash);
        error = wanted->each(wanted->arg, &entry, setpay_db_get_view(rows, 9));
    }
    ended = setpay_db_end(rows);
    return error != SETPAY_OK ? error : ended;
}

enum setpay_error setpay_ca_registry_entries(struct setpay_ca_registry *registry, int64_t from,
                                             int64_t limit, setpay_ca_entry_row_cb *each, void *arg)
{
    struct entries wanted = {.from = from, .limit = limit, .each = each, .arg = arg};

    return setpay_store_read(registry->reader, read_entries, &wanted);
}

enum setpay_error setpay_ca_registry_read_head(struct setpay_db *db, void *arg)
{
    struct setpay_ca_head_row *row = arg;
    struct setpay_db_rows *rows;
    struct setpay_view signature;

    SETPAY_TRY(
        setpay_db_one(db, &rows, "SELECT entries, hash, signer, signature FROM head WHERE id = 1"));
    row->head.count = (uint64_t)setpay_db_get_int(rows, 0);
    setpay_db_get_digest(rows, 1, &row->head.hash);
    setpay_db_get_text(rows, 2, row->signer, sizeof row->signer);
    signature = setpay_db_get_view(rows, 3);
    row->signature_size =
        signature.size <= sizeof row->signature ? signature.size : sizeof row->signature;
    if (row->signature_size > 0)
        memcpy(row->signature, signature.data, row->signature_size);
    return setpay_db_end(rows);
}

enum setpay_error setpay_ca_registry_head(struct setpay_ca_registry *registry,
                                          struct setpay_ca_head_row *row)
{
    memset(row, 0, sizeof *row);
    return setpay_store_read(registry->reader, setpay_ca_registry_read_head, row);
}
