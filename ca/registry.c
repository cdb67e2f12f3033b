/*
 * The database of a CA.
 *
 * Reads go through one reading connection, each in a transaction of its own. A change is a list of
 * statements whose values it owns; the store's operation checks that the log's head is still the
 * one on which the change was decided, and then runs them in order.
 *
 * Vocabulary: a row is what a table holds; a record is a certificate's row with its revocation;
 * place is the number of the log's entry that tells of the row.
 */
#include "ca/registry.h"

#include "common/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The columns of the widest table. */
#define VALUES_MAX 12
#define TEXT_MAX 256

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
}

#define AUTHORITY_COLUMNS                                                                          \
    "SELECT a.name, a.issuer, a.kind, a.brand, a.serial, a.loopback,"                              \
    " coalesce((SELECT c.crl_number FROM crls c WHERE c.authority = a.name), 0)"                   \
    " FROM authorities a "

static enum setpay_error read_one_authority(struct setpay_db *db, void *arg)
{
    struct authorities *wanted = arg;
    struct setpay_db_rows *rows;

    SETPAY_TRY(setpay_db_one(db, &rows, AUTHORITY_COLUMNS "WHERE a.name = $1",
                             SETPAY_DB_TEXT(wanted->name)));
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
    setpay_ca_record_cb *each;
    void *arg;
    size_t count;
};

static enum setpay_error read_records(struct setpay_db *db, void *arg)
{
    struct records *wanted = arg;
    struct setpay_db_rows *rows;

    SETPAY_TRY(setpay_db_select(db, &rows, wanted->sql, wanted->value));
    while (setpay_db_next(rows)) {
        char serial[SETPAY_CA_SERIAL_SIZE];
        char authority[SETPAY_CA_AUTHORITY_SIZE];
        char profile[32];
        char subject[TEXT_MAX];
        char reason[32];
        struct setpay_ca_record record = {
            .serial = serial,
            .authority = authority,
            .profile = profile,
            .subject = subject,
            .reason = reason,
        };

        setpay_db_get_text(rows, 0, serial, sizeof serial);
        setpay_db_get_text(rows, 1, authority, sizeof authority);
        setpay_db_get_text(rows, 2, profile, sizeof profile);
        setpay_db_get_text(rows, 3, subject, sizeof subject);
        record.not_before = setpay_db_get_int(rows, 4);
        record.not_after = setpay_db_get_int(rows, 5);
        record.revoked = setpay_db_get_int(rows, 6);
        setpay_db_get_text(rows, 7, reason, sizeof reason);
        record.der = setpay_db_get_view(rows, 8);
        wanted->each(wanted->arg, &record);
        wanted->count++;
    }
    return setpay_db_end(rows);
}

#define RECORD_COLUMNS                                                                             \
    "SELECT c.serial, c.authority, c.profile, c.subject, c.not_before, c.not_after,"               \
    " coalesce(r.revoked_at, 0), coalesce(r.reason, ''), c.der"                                    \
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
    setpay_ca_entry_row_cb *each;
    void *arg;
};

static enum setpay_error read_entries(struct setpay_db *db, void *arg)
{
    const struct entries *wanted = arg;
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    enum setpay_error ended;

    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT place, at, action, authority, serial, subject, object,"
                                " previous, hash, signature FROM log ORDER BY place"));
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

enum setpay_error setpay_ca_registry_entries(struct setpay_ca_registry *registry,
                                             setpay_ca_entry_row_cb *each, void *arg)
{
    struct entries wanted = {.each = each, .arg = arg};

    return setpay_store_read(registry->reader, read_entries, &wanted);
}

static enum setpay_error read_head(struct setpay_db *db, void *arg)
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
    return setpay_store_read(registry->reader, read_head, row);
}

/* ---- changing ---- */

struct setpay_ca_statement {
    struct setpay_ca_statement *next;
    const char *sql;
    enum setpay_error duplicate;                   /* what a taken key means */
    enum setpay_error unchanged;                   /* what it means that no row was written */
    struct setpay_db_value values[VALUES_MAX + 1]; /* into bytes */
    uint8_t bytes[];
};

enum setpay_error setpay_ca_change_begin(struct setpay_ca_registry *registry,
                                         struct setpay_ca_change *change)
{
    struct setpay_ca_head_row row;
    enum setpay_error error = setpay_ca_registry_head(registry, &row);

    memset(change, 0, sizeof *change);
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    if (error == SETPAY_OK)
        change->base = row.head;
    change->head = change->base;
    return SETPAY_OK;
}

void setpay_ca_change_clear(struct setpay_ca_change *change)
{
    while (change->first != NULL) {
        struct setpay_ca_statement *next = change->first->next;

        free(change->first);
        change->first = next;
    }
    change->last = NULL;
}

enum setpay_error setpay_ca_change_add(struct setpay_ca_change *change, const char *sql,
                                       enum setpay_error duplicate, enum setpay_error unchanged,
                                       const struct setpay_db_value *values)
{
    struct setpay_ca_statement *statement;
    size_t count = 0;
    size_t size = 1;
    uint8_t *to;

    for (; values[count].type != SETPAY_DB_TYPE_END; count++)
        size += values[count].bytes.size;
    if (count > VALUES_MAX)
        return SETPAY_E_INTERNAL;
    statement = calloc(1, sizeof *statement + size);
    if (statement == NULL)
        return SETPAY_E_NOMEM;
    statement->sql = sql;
    statement->duplicate = duplicate;
    statement->unchanged = unchanged;
    to = statement->bytes;
    for (size_t at = 0; at <= count; at++) {
        statement->values[at] = values[at];
        if (values[at].bytes.size > 0)
            memcpy(to, values[at].bytes.data, values[at].bytes.size);
        statement->values[at].bytes.data = to;
        to += values[at].bytes.size;
    }
    if (change->last == NULL)
        change->first = statement;
    else
        change->last->next = statement;
    change->last = statement;
    return SETPAY_OK;
}

#define VALUES SETPAY_CA_VALUES

enum setpay_error setpay_ca_change_add_authority(struct setpay_ca_change *change,
                                                 const struct setpay_ca_authority_row *row)
{
    return setpay_ca_change_add(
        change,
        "INSERT INTO authorities(place, name, issuer, kind, brand, serial, loopback)"
        " VALUES($1, $2, $3, $4, $5, $6, $7)",
        SETPAY_E_EXISTS, SETPAY_E_STORE,
        VALUES(SETPAY_DB_INT((int64_t)change->head.count), SETPAY_DB_TEXT(row->name),
               SETPAY_DB_TEXT(row->issuer), SETPAY_DB_TEXT(row->kind), SETPAY_DB_TEXT(row->brand),
               SETPAY_DB_TEXT(row->serial), SETPAY_DB_BOOL(row->loopback)));
}

enum setpay_error setpay_ca_change_add_certificate(struct setpay_ca_change *change,
                                                   const char *brand,
                                                   const struct setpay_ca_record *record,
                                                   const struct setpay_digest *thumbprint,
                                                   const struct setpay_digest *spki,
                                                   struct setpay_view request)
{
    /* rule C2: the primary key refuses a key that was certified before */
    SETPAY_TRY(setpay_ca_change_add(change, "INSERT INTO certified_keys(spki) VALUES($1)",
                                    SETPAY_E_KEY_CERTIFIED, SETPAY_E_STORE,
                                    VALUES(SETPAY_DB_DIGEST(spki))));
    return setpay_ca_change_add(
        change,
        "INSERT INTO certificates(place, serial, authority, brand, profile, subject,"
        " not_before, not_after, der, thumbprint, request)"
        " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        SETPAY_E_EXISTS, SETPAY_E_STORE,
        VALUES(SETPAY_DB_INT((int64_t)change->head.count), SETPAY_DB_TEXT(record->serial),
               SETPAY_DB_TEXT(record->authority), SETPAY_DB_TEXT(brand),
               SETPAY_DB_TEXT(record->profile), SETPAY_DB_TEXT(record->subject),
               SETPAY_DB_INT(record->not_before), SETPAY_DB_INT(record->not_after),
               SETPAY_DB_VIEW(record->der), SETPAY_DB_DIGEST(thumbprint), SETPAY_DB_VIEW(request)));
}

enum setpay_error setpay_ca_change_add_revocation(struct setpay_ca_change *change,
                                                  const char *serial, setpay_time_ms time,
                                                  const char *reason)
{
    return setpay_ca_change_add(change,
                                "INSERT INTO revocations(place, serial, revoked_at, reason)"
                                " VALUES($1, $2, $3, $4)",
                                SETPAY_E_EXISTS, SETPAY_E_STORE,
                                VALUES(SETPAY_DB_INT((int64_t)change->head.count),
                                       SETPAY_DB_TEXT(serial), SETPAY_DB_INT(time),
                                       SETPAY_DB_TEXT(reason)));
}

enum setpay_error setpay_ca_change_set_crl(struct setpay_ca_change *change, const char *authority,
                                           uint64_t number, setpay_time_ms this_update,
                                           setpay_time_ms next_update, struct setpay_view der)
{
    /* rule A3: a number that went back would be refused by everyone who saw the one before */
    return setpay_ca_change_add(
        change,
        "INSERT INTO crls(authority, crl_number, this_update, next_update, der)"
        " VALUES($1, $2, $3, $4, $5) ON CONFLICT(authority) DO UPDATE SET crl_number ="
        " excluded.crl_number, this_update = excluded.this_update, next_update ="
        " excluded.next_update, der = excluded.der"
        " WHERE crls.crl_number < excluded.crl_number",
        SETPAY_E_CONFLICT, SETPAY_E_CONFLICT,
        VALUES(SETPAY_DB_TEXT(authority), SETPAY_DB_INT((int64_t)number),
               SETPAY_DB_INT(this_update), SETPAY_DB_INT(next_update), SETPAY_DB_VIEW(der)));
}

enum setpay_error setpay_ca_change_add_entry(struct setpay_ca_change *change,
                                             const struct setpay_ca_log_entry *entry,
                                             struct setpay_view signature)
{
    if (entry->number != change->head.count + 1)
        return SETPAY_E_INTERNAL;
    SETPAY_TRY(setpay_ca_change_add(
        change,
        "INSERT INTO log(place, at, action, authority, serial, subject, object,"
        " previous, hash, signature) VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        SETPAY_E_CONFLICT, SETPAY_E_STORE,
        VALUES(SETPAY_DB_INT((int64_t)entry->number), SETPAY_DB_INT(entry->time),
               SETPAY_DB_TEXT(entry->action), SETPAY_DB_TEXT(entry->authority),
               SETPAY_DB_TEXT(entry->serial), SETPAY_DB_TEXT(entry->subject),
               SETPAY_DB_DIGEST(&entry->object), SETPAY_DB_DIGEST(&entry->previous),
               SETPAY_DB_DIGEST(&entry->hash), SETPAY_DB_VIEW(signature))));
    change->head.count = entry->number;
    change->head.hash = entry->hash;
    return SETPAY_OK;
}

enum setpay_error setpay_ca_change_set_head(struct setpay_ca_change *change,
                                            const struct setpay_ca_head_row *row)
{
    return setpay_ca_change_add(
        change,
        "INSERT INTO head(id, entries, hash, signer, signature) VALUES(1, $1, $2, $3, $4)"
        " ON CONFLICT(id) DO UPDATE SET entries = excluded.entries, hash = excluded.hash,"
        " signer = excluded.signer, signature = excluded.signature",
        SETPAY_E_CONFLICT, SETPAY_E_STORE,
        VALUES(SETPAY_DB_INT((int64_t)row->head.count), SETPAY_DB_DIGEST(&row->head.hash),
               SETPAY_DB_TEXT(row->signer),
               SETPAY_DB_VIEW(setpay_view_of(row->signature, row->signature_size))));
}

static enum setpay_error apply(struct setpay_db *db, void *arg)
{
    const struct setpay_ca_change *change = arg;
    struct setpay_ca_head_row row = {0};
    enum setpay_error error = read_head(db, &row);

    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    if (row.head.count != change->base.count ||
        !setpay_digest_equal(&row.head.hash, &change->base.hash))
        return SETPAY_E_CONFLICT;
    for (const struct setpay_ca_statement *statement = change->first; statement != NULL;
         statement = statement->next) {
        error = setpay_db_run_values(db, statement->sql, statement->values);
        if (error == SETPAY_E_DUPLICATE)
            return statement->duplicate;
        SETPAY_TRY(error);
        if (setpay_db_changes(db) != 1)
            return statement->unchanged;
    }
    return SETPAY_OK;
}

enum setpay_error setpay_ca_change_apply(struct setpay_ca_registry *registry,
                                         struct setpay_ca_change *change)
{
    return setpay_store_submit_wait(registry->store, apply, change);
}
