/*
 * Backups of an authority: its folder, but for what is shared with issuers (cards.key).
 *
 * An authority that was put back to an earlier state has forgotten revocations, numbers of lists
 * and used secrets. None of it may come back (rule C4), and most of it is public: the newest lists,
 * as parties hold them, say what was revoked, also of what the authority no longer knows.
 */
#ifndef SETPAY_CA_BACKUP_H
#define SETPAY_CA_BACKUP_H

#include "ca/ca.h"
#include "common/net/backup.h"

extern const struct setpay_backup_party setpay_ca_backup_party;

/* Into a new file; the authority may be in use. *result is owned. Errors of setpay_backup_make. */
enum setpay_error setpay_ca_backup(struct setpay_ca *ca, const char *path, bool stopped, bool final,
                                   json_t **result,
                                   struct setpay_problem *problem) SETPAY_MUST_CHECK;

struct setpay_ca_restore {
    const char *path;   /* the backup */
    const char *folder; /* absent or empty, unless force */
    const char *lists;  /* folder of the newest lists, AUTHORITY.crl of each; NULL where moved */
    bool force;         /* what is there is kept aside as FOLDER.before-TIME */
    bool moved;
    const struct setpay_secret *passphrase;
};
/* SETPAY_E_USAGE, SETPAY_E_EXISTS, SETPAY_E_RUNNING, SETPAY_E_PASSPHRASE, SETPAY_E_NOT_FOUND (a
 * list), SETPAY_E_INVALID (a list that is not the authority's, or older than the backup's); errors
 * of setpay_backup_read. Nothing is changed then. */
enum setpay_error setpay_ca_restore(const struct setpay_ca_restore *restore, setpay_time_ms now,
                                    json_t **result,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Rule C4 (set_back.c): takes the lists over, revokes what they say, tells the log, and makes new
 * lists with numbers above all that can have been given. ca is unlocked. *revoked: how many of the
 * certificates that it knows. */
enum setpay_error setpay_ca_set_back(struct setpay_ca *ca, const char *lists,
                                     const struct setpay_store_restore *restore, size_t *revoked,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
