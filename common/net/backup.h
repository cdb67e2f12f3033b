/*
 * Backups of a party: making one file of all that can't be made again, while its daemon works; and
 * reading such a file (restore.h puts it in place).
 *
 * The file (archive.h) holds, in this order: manifest.json, configuration, files/SECTION/KEY for
 * each key and certificate that the configuration names, files/SECTION/KEY.DIGITS for those of the
 * earlier pairs that still sign (party_files.h), database, SHA256SUMS. A wallet's is sealed
 * (sealed.h). What a party's table names as apart is never in it: who finds a gateway's backup has
 * card data under a key that is elsewhere. Nor is what each machine has of its own, as the
 * authorities of the web: an older machine's would come back with it, and take the place of newer.
 *
 * What always holds: a backup has its name only once it is whole, checked and on the disk; a file
 * that is there is never touched.
 */
#ifndef SETPAY_NET_BACKUP_H
#define SETPAY_NET_BACKUP_H

#include "common/base/config.h"
#include "common/base/secret.h"
#include "common/net/archive.h"
#include "common/net/party.h"
#include "common/store/store.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Of the configuration, and of each file beside the database; no daemon takes larger ones. */
#define SETPAY_BACKUP_FILE_MAX ((size_t)1024 * 1024)

/* What of a party goes into a backup, and what happens to it when it comes back. */
struct setpay_backup_party {
    const char *name; /* "gateway" */
    const struct setpay_store_schema *schema;
    const struct setpay_option *options; /* of its configuration; NULL: it has none */
    const char *const *apart;            /* keys whose files stay out; ends with NULL */
    const struct setpay_party *holder;   /* of earlier pairs; NULL: it has none */
    /* On the copy: takes out what must not outlive its time in the database; may be NULL. */
    setpay_store_operation_fn *strip_cb;
    /* On a database that may have forgotten something; arg: struct setpay_store_restore. May be
     * NULL. */
    setpay_store_operation_fn *set_back_cb;
    const char *set_back_words; /* what that means for its operator, after a restore */
};

/* ------------------------------------------------------------------ making */

/* A file beside the database. */
struct setpay_backup_file {
    char name[SETPAY_ARCHIVE_NAME_SIZE]; /* in the archive */
    char *path;                          /* owned */
    const char *section, *key;           /* of the configuration; NULL: it is none of it */
    /* Of an earlier pair: the digits behind the name that section and key have; else "". */
    char earlier[SETPAY_PARTY_DIGITS + 1];
    bool secret;
};
struct setpay_backup_files {
    struct setpay_backup_file *list;
    size_t count;
    json_t *apart; /* what stays out: objects with key and path; machine: a machine has its own */
};
/* Zeroed memory is empty. Adds a copy of path. */
enum setpay_error setpay_backup_files_add(struct setpay_backup_files *files, const char *name,
                                          const char *path, const char *section, const char *key,
                                          bool secret) SETPAY_MUST_CHECK;
/* Whether the file of this key, which is of this type in the party's table, stays out. */
bool setpay_backup_is_apart(const struct setpay_backup_party *party, const char *key,
                            enum setpay_option_type type);
/* All that a configuration names, which must outlive it; and what stands beside that for payments
 * that name an earlier certificate. */
enum setpay_error
setpay_backup_files_of_config(const struct setpay_backup_party *party,
                              const struct setpay_config *config,
                              struct setpay_backup_files *files) SETPAY_MUST_CHECK;
void setpay_backup_files_clear(struct setpay_backup_files *files);

struct setpay_backup_job {
    const struct setpay_backup_party *party;
    struct setpay_store *store;
    const char *path;                        /* of the backup */
    const char *config_path;                 /* NULL: none */
    const struct setpay_backup_files *files; /* beside it */
    bool stopped;                            /* no daemon runs */
    bool final;                              /* and none will: retires the database first */
    const struct setpay_secret *seal_key;    /* NULL: not sealed */
    struct setpay_view seal_head;
    const atomic_bool *cancel; /* may be NULL: SETPAY_E_DRAINING once it is set */
};
/*
 * Makes it; *result tells what (owned). Takes as long as the database is big: never on a loop.
 * SETPAY_E_EXISTS (of whatever kind), SETPAY_E_NOT_FOUND, SETPAY_E_PERMISSION, SETPAY_E_STORE_FULL,
 * SETPAY_E_IO, SETPAY_E_STORE (the database is damaged), SETPAY_E_BUSY; nothing is then left.
 */
enum setpay_error setpay_backup_make(const struct setpay_backup_job *job, json_t **result,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ reading */

struct setpay_backup_source {
    const char *path;
    /* The key of a sealed one, from its head; NULL: this party's are not sealed. */
    enum setpay_error (*unseal_cb)(void *arg, struct setpay_view head, struct setpay_secret *key,
                                   struct setpay_problem *problem);
    void *arg;
};

struct setpay_backup_taken {
    char name[SETPAY_ARCHIVE_NAME_SIZE];
    struct setpay_buffer content;
};

/* Zeroed memory is empty. */
struct setpay_backup_contents {
    json_t *manifest;
    setpay_time_ms made_ms;
    bool final;
    bool has_configuration;
    struct setpay_buffer configuration;
    struct setpay_backup_taken *files;
    size_t file_count;
};

/* Gives an open, empty file for the database, when all that stands before it has been read. */
typedef enum setpay_error setpay_backup_place_cb(void *arg, struct setpay_backup_contents *contents,
                                                 int *fd, struct setpay_problem *problem);
/*
 * Reads all of it and checks every sum; the database goes to place_cb's file (NULL: nowhere).
 * SETPAY_E_BACKUP: no backup, damaged, cut off; SETPAY_E_INVALID: of another party or of a newer
 * version; SETPAY_E_NOT_FOUND, SETPAY_E_IO, SETPAY_E_PASSPHRASE; with words.
 */
enum setpay_error setpay_backup_read(const struct setpay_backup_source *source,
                                     const struct setpay_backup_party *party,
                                     setpay_backup_place_cb *place_cb, void *arg,
                                     struct setpay_backup_contents *contents,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_backup_contents_clear(struct setpay_backup_contents *contents);
/* The same without a place, and what it is (owned). */
enum setpay_error setpay_backup_verify(const struct setpay_backup_source *source,
                                       const struct setpay_backup_party *party, json_t **result,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* For people: what was made, verified. */
void setpay_backup_print(FILE *out, const json_t *result); /* operator_backup.c */

#endif
