/*
 * backup and restore of the operators' programs: they are the same for all.
 */
#ifndef SETPAY_NET_OPERATOR_BACKUP_H
#define SETPAY_NET_OPERATOR_BACKUP_H

#include "common/net/operator.h"
#include "common/net/restore.h"

extern const struct setpay_flag setpay_operator_backup_flags[];
extern const struct setpay_flag setpay_operator_restore_flags[];

#define SETPAY_BACKUP_USAGE "FILE [--final | --verify]"
#define SETPAY_BACKUP_HELP                                                                         \
    "all that can't be made again into a new file, while the daemon works; --final: of a stopped"  \
    "\n      daemon, which then goes on elsewhere; --verify: whether FILE is a whole backup"
#define SETPAY_RESTORE_USAGE "FILE [--force] [--moved]"
#define SETPAY_RESTORE_HELP                                                                        \
    "a backup in place of a stopped daemon's files, and the configuration where there is none;\n"  \
    "      --force: what is there is kept aside; --moved: FILE is a final backup, restored only "  \
    "here"

/* Rows for an operator's table. */
#define SETPAY_OPERATOR_BACKUP_COMMANDS                                                            \
    {{"backup", NULL},                                                                             \
     "backup",                                                                                     \
     "path",                                                                                       \
     setpay_operator_backup_flags,                                                                 \
     setpay_operator_print_backup,                                                                 \
     SETPAY_BACKUP_USAGE,                                                                          \
     SETPAY_BACKUP_HELP},                                                                          \
    {                                                                                              \
        {"restore", NULL}, "restore", "path", setpay_operator_restore_flags,                       \
            setpay_operator_print_restore, SETPAY_RESTORE_USAGE, SETPAY_RESTORE_HELP               \
    }

void setpay_operator_print_backup(const json_t *result);
void setpay_operator_print_restore(const json_t *result);

/* True for the two names. */
bool setpay_operator_is_backup(const char *name);
/* The whole of either command. */
enum setpay_error setpay_operator_backup(const struct setpay_service_spec *daemon,
                                         const char *config_path, const char *name,
                                         const json_t *args, json_t **result,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* A path as a process that stands elsewhere needs it; heap. */
char *setpay_absolute_path(const char *path);

#endif
