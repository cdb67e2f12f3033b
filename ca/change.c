/*
 * Changes to the database of a CA. A change is a list of statements whose values it owns; the
 * store's operation checks that the log's head is still the one on which the change was decided,
 * and then runs them in order.
 */
#include "ca/registry.h"

#include "common/store/store.h"

#include <stdlib.h>
#include <string.h>

/* The columns of the widest table. */
#define VALUES_MAX 14

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
        " not_before, not_after, der, thumbprint, request, parent, latest)"
        " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        SETPAY_E_EXISTS, SETPAY_E_STORE,
        VALUES(SETPAY_DB_INT((int64_t)change->head.count), SETPAY_DB_TEXT(record->serial),
               SETPAY_DB_TEXT(record->authority), SETPAY_DB_TEXT(brand),
               SETPAY_DB_TEXT(record->profile), SETPAY_DB_TEXT(record->subject),
               SETPAY_DB_INT(record->not_before), SETPAY_DB_INT(record->not_after),
               SETPAY_DB_VIEW(record->der), SETPAY_DB_DIGEST(thumbprint), SETPAY_DB_VIEW(request),
               SETPAY_DB_TEXT(record->parent), SETPAY_DB_INT(record->latest)));
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
    enum setpay_error error = setpay_ca_registry_read_head(db, &row);

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
    return setpay_store_submit_wait(setpay_ca_registry_store(registry), apply, change);
}
