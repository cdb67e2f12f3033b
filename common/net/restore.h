/*
 * Putting a backup in place of a stopped daemon's files: the database that the configuration names,
 * the keys and certificates that it names, and the configuration itself where there is none yet.
 *
 * What always holds: nothing is in its place before all of the backup was read and found right; the
 * database comes last; what was there before is kept aside, and only where that was asked for. The
 * database lock is held throughout.
 */
#ifndef SETPAY_NET_RESTORE_H
#define SETPAY_NET_RESTORE_H

#include "common/net/backup.h"

struct setpay_restore_job {
    const struct setpay_backup_party *party;
    struct setpay_backup_source source;
    const char *config_path; /* taken from the backup where it is not there */
    bool force;              /* keep aside what is there: X.before-TIME */
    bool moved;              /* a final backup, that was restored nowhere else */
};

/*
 * *result (owned) tells what was put where, what has to be brought from elsewhere, and what it
 * means that the state is an older one.
 * SETPAY_E_RUNNING; SETPAY_E_EXISTS (without force); SETPAY_E_INVALID (also moved for a backup that
 * is not final); SETPAY_E_CONFIG; errors of setpay_backup_read and of the file system. Nothing is
 * changed then; in SETPAY_E_IO at the very end some files may be in place, and the same command
 * goes on.
 */
enum setpay_error setpay_restore(const struct setpay_restore_job *job, json_t **result,
                                 struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* The parts of it that the authority, which has a folder and no configuration, needs as well. */

/* On a database that nobody has open: the schema is brought up to date, all of it is read, and it
 * is told that it was restored. moved: nothing was forgotten. */
enum setpay_error setpay_restore_database(const char *path, const struct setpay_backup_party *party,
                                          const struct setpay_store_restore *restore, bool moved,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* SETPAY_E_INVALID where moved is said of a backup that is not final. */
enum setpay_error setpay_restore_check_moved(const struct setpay_backup_contents *contents,
                                             const char *path, bool moved,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* For people: what was restored. */
void setpay_restore_print(FILE *out, const json_t *result);

#endif
