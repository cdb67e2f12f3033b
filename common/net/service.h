/*
 * What all daemons do alike, from main() to exit: the command line (--config, --check-config,
 * --help,
 * --version), the database, the trust in the root with its revocation lists, the control socket,
 * the administration address, readiness, reload and drain. A daemon gives its options, its schema
 * and a few callbacks, and is otherwise only its own work.
 *
 * Order: configuration, listeners, store, trust, on_start_cb, workers, on_ready_cb, control socket
 * and administration address, READY. It ends the other way round.
 */
#ifndef SETPAY_NET_SERVICE_H
#define SETPAY_NET_SERVICE_H

#include "common/base/config.h"
#include "common/base/error.h"
#include "common/net/admin_http.h"
#include "common/net/backup.h"
#include "common/net/control_server.h"
#include "common/net/daemon.h"
#include "common/pki/chain.h"
#include "common/store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define SETPAY_SERVICE_LISTENERS_MAX 4
#define SETPAY_SERVICE_CHECKS_MAX 8

/* A listening address that the configuration names. */
struct setpay_service_listener {
    const char *name; /* for setpay_worker_take_listener */
    const char *key;  /* of the configuration's top; unset: no such listener */
};

struct setpay_doctor;
struct setpay_service;

struct setpay_service_spec {
    const char *name;                         /* "setpay-gatewayd" */
    const char *summary;                      /* one line for --help */
    const struct setpay_option *options;      /* with SETPAY_DAEMON_OPTIONS */
    const struct setpay_store_schema *schema; /* of its database; NULL: none of the service's */
    const struct setpay_control_command *commands; /* of its administration socket */
    const struct setpay_backup_party *backup;      /* what a backup of it is; may be NULL */
    struct setpay_service_listener listeners[SETPAY_SERVICE_LISTENERS_MAX]; /* one per worker */
    bool needs_trust; /* has the keys root and crls */
    bool saves_trust; /* its schema has SETPAY_SAVED_TRUST_SCHEMA; somebody saves */
    /* What the table of options can't say of values: called by --check-config, at the start and on
     * SIGHUP alike, before anything is opened or asked. May be NULL. SETPAY_E_CONFIG with words. */
    enum setpay_error (*check_cb)(const struct setpay_config *config,
                                  struct setpay_problem *problem);
    /* Its own; each may be NULL. On the main thread. arg is what on_start_cb has set. */
    enum setpay_error (*on_start_cb)(struct setpay_service *service,
                                     struct setpay_problem *problem);
    enum setpay_error (*on_ready_cb)(struct setpay_service *service,
                                     struct setpay_problem *problem);
    enum setpay_error (*on_reload_cb)(struct setpay_service *service,
                                      struct setpay_problem *problem); /* see fresh */
    void (*on_drain_cb)(struct setpay_service *service);
    void (*on_stop_cb)(struct setpay_service *service);
    void (*status_cb)(struct setpay_service *service, json_t *status);
    /* Adds to what the daemon tells a doctor (common/net/doctor.h). */
    void (*doctor_cb)(struct setpay_service *service, struct setpay_doctor *doctor);
    /* On the workers' threads, as in daemon.h; the context is the service. */
    enum setpay_error (*worker_init_cb)(void *service, struct setpay_worker *worker,
                                        struct setpay_problem *problem);
    void (*worker_drain_cb)(void *service, struct setpay_worker *worker);
    void (*worker_free_cb)(void *service, struct setpay_worker *worker);
};

struct setpay_service {
    const struct setpay_service_spec *spec;
    struct setpay_config *config; /* as it was at the start */
    /* In on_reload_cb: as it is now, and checked. Only values that the table has as reloadable may
     * be taken from it. Else NULL. */
    const struct setpay_config *fresh;
    struct setpay_daemon *daemon; /* from on_start_cb on */
    struct setpay_store *store;   /* from before on_start_cb until after on_stop_cb */
    struct setpay_trust *trust;   /* likewise; NULL unless needs_trust */
    bool testing;
    void *user;           /* the daemon's own */
    atomic_bool stopping; /* what takes long, on threads of its own, should end */

    /* The service's own. */
    const char *config_path; /* borrowed, with the flags, for reading them again */
    int argc;
    char **argv;
    struct setpay_control_server *control;
    struct setpay_admin_http *admin;
    struct setpay_timer *crl_timer;
    struct setpay_ready_check checks[SETPAY_SERVICE_CHECKS_MAX];
    size_t check_count;
    struct setpay_store *shown_store; /* whose figures are shown; on_start_cb may set its own */
    bool draining;
    size_t look_count; /* under way */
};

/* The whole of main(): returns the exit status. */
int setpay_service_main(const struct setpay_service_spec *spec, int argc, char **argv);

/* A condition of /readyz: the committer of a store works. arg is the store. */
enum setpay_error setpay_service_check_store(void *store, struct setpay_problem *why);
/* Reads the folder of revocation lists now, where one is configured: a list is taken only once its
 * CA is known. What goes wrong is in the log. */
void setpay_service_load_crls(const struct setpay_service *service, struct setpay_trust *trust);
/* One more condition of /readyz besides the store's and the revocation lists'; in on_start_cb. */
void setpay_service_add_check(struct setpay_service *service,
                              const struct setpay_ready_check *check);

/* For an operator's program that works on a stopped daemon's database: reads the daemon's
 * configuration and opens its store (and so takes its lock). Free with setpay_service_close. */
enum setpay_error setpay_service_open_stopped(const struct setpay_service_spec *spec,
                                              const char *config_path,
                                              struct setpay_service *service,
                                              struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The same for who makes a backup: also of a database that was retired. */
enum setpay_error setpay_service_open_retired(const struct setpay_service_spec *spec,
                                              const char *config_path,
                                              struct setpay_service *service,
                                              struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_service_close(struct setpay_service *service);

/* ------------------------------------------------------------------ service_look.c */

#define SETPAY_SERVICE_LOOKS_MAX 4 /* each holds the log of what is written meanwhile */

/* For a command that reads long, on the main thread: runs read on a thread of its own, in one read
 * transaction, and then done on the main thread, while call (borrowed) is under way; arg is given
 * to both. done hears SETPAY_E_DRAINING where the daemon stops, or the call's client has gone.
 * Errors start nothing: SETPAY_E_BUSY (so many are under way), SETPAY_E_NOMEM, … */
enum setpay_error setpay_service_look(struct setpay_service *service,
                                      struct setpay_control_call *call, setpay_store_read_fn *read,
                                      setpay_store_done_fn *done, void *arg) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ service_backup.c */

/* A row for the table of commands of a daemon whose handlers get its service. */
#define SETPAY_SERVICE_BACKUP_COMMAND                                                              \
    {                                                                                              \
        "backup", setpay_service_on_backup,                                                        \
            "path: a new file, which then holds all that can't be made again"                      \
    }
void setpay_service_on_backup(struct setpay_control_call *call, const json_t *args, void *arg);
/* Makes a backup on a thread of its own, and ends the call. seal_key (NULL: not sealed) and head
 * are copied. On SETPAY_OK the call is taken. loop: where the call belongs. */
enum setpay_error setpay_service_backup_start(struct setpay_service *service,
                                              struct setpay_loop *loop,
                                              struct setpay_control_call *call, const json_t *args,
                                              const struct setpay_secret *seal_key,
                                              struct setpay_view seal_head,
                                              struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* On a stopped daemon's open service, and waits. */
enum setpay_error setpay_service_backup(struct setpay_service *service, const char *path,
                                        bool final, const struct setpay_secret *seal_key,
                                        struct setpay_view seal_head, json_t **result,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
