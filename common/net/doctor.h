/*
 * Doctors: what could keep a daemon from working, found out by looking, and what to do about it.
 *
 * A doctor belongs to the operator's program, so that it works also where the daemon is stopped or
 * does not start: it reads the configuration, looks at files, ports and peers, and asks the daemon,
 * where that runs, for what only it knows. It changes nothing, waits for nobody longer than a few
 * seconds, and what it says holds no secret.
 *
 * Every finding has the name of what was looked at, a level, words, and what to do. The checks that
 * all parties share are here (doctor.c: findings; doctor_files.c, doctor_trust.c, doctor_clock.c,
 * doctor_ports.c, doctor_peers.c: the looking; doctor_daemon.c: all of them for one daemon); what
 * concerns one party alone stands with the party.
 */
#ifndef SETPAY_NET_DOCTOR_H
#define SETPAY_NET_DOCTOR_H

#include "common/base/clock.h"
#include "common/base/config.h"
#include "common/base/error.h"
#include "common/net/est_form.h"
#include "common/net/identity.h"
#include "common/net/party_enrol.h"
#include "common/net/probe.h"
#include "common/net/service.h"
#include "common/pki/chain.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum setpay_finding {
    SETPAY_FINDING_OK,
    SETPAY_FINDING_WARN, /* works today; look at it soon */
    SETPAY_FINDING_FAIL,
};

/* What is looked at; the names are the same for all parties. */
#define SETPAY_CHECK_CONFIGURATION "configuration"
#define SETPAY_CHECK_DAEMON "daemon"
#define SETPAY_CHECK_FILES "files"
#define SETPAY_CHECK_PERMISSIONS "permissions"
#define SETPAY_CHECK_DISK "disk"
#define SETPAY_CHECK_DATABASE "database"
#define SETPAY_CHECK_BACKUP "backup"
#define SETPAY_CHECK_ROOT "root"
#define SETPAY_CHECK_CERTIFICATES "certificates"
#define SETPAY_CHECK_CRLS "crls"
#define SETPAY_CHECK_CLOCK "clock"
#define SETPAY_CHECK_PORTS "ports"
#define SETPAY_CHECK_PEERS "peers"

#define SETPAY_DOCTOR_CLOCKS_MAX 16
#define SETPAY_DOCTOR_NAME_SIZE 300

/* Somebody else's clock. */
struct setpay_doctor_clock {
    char whose[SETPAY_DOCTOR_NAME_SIZE];
    int64_t ahead_ms; /* of this computer's */
};

/* One examination. Zeroed memory is an empty one; setpay_doctor_init, then clear. */
struct setpay_doctor {
    json_t *checks; /* [{"name","ok","level","words","what_to_do","about"}] */
    size_t failed;
    size_t warned;
    size_t unjudged;       /* certificates whose files can't be read, which is said of the files */
    setpay_time_ms now_ms; /* by which certificates and lists are judged: the daemon's own clock
                              where it runs */

    const struct setpay_service_spec *daemon; /* NULL: what is looked at has none */
    const char *config_path;
    struct setpay_config *config; /* owned; NULL: it is wrong, or not known */
    bool runs;
    pid_t pid;               /* of the daemon, where it runs */
    int64_t daemon_ahead_ms; /* its clock, of this computer's */
    json_t *told;            /* owned; what the daemon said */

    const char *root;           /* the root's file */
    struct setpay_trust *trust; /* owned; the root and CAs of the files */
    bool root_is_wrong;         /* so that no certificate and list can be judged */
    setpay_time_ms newest_ms;   /* the latest date that another's clock has set under something */
    char newest[SETPAY_DOCTOR_NAME_SIZE];
    struct setpay_doctor_clock clocks[SETPAY_DOCTOR_CLOCKS_MAX];
    size_t clock_count;
    char doubt[SETPAY_DOCTOR_NAME_SIZE]; /* whose certificate is not current by this clock */
};

/* ---- findings (doctor.c) ---- */

/* SETPAY_E_NOMEM. */
enum setpay_error setpay_doctor_init(struct setpay_doctor *doctor,
                                     const struct setpay_service_spec *daemon) SETPAY_MUST_CHECK;
void setpay_doctor_clear(struct setpay_doctor *doctor);
/* One finding. about: the file, address or certificate that it is about, "" where the name says
 * it; todo: what to do, "" where nothing is. */
void setpay_doctor_say(struct setpay_doctor *doctor, enum setpay_finding level, const char *name,
                       const char *about, const char *todo, const char *format, ...)
    SETPAY_PRINTF(6, 7);
/* Findings that another doctor has made, as they stand in its result; borrowed. */
void setpay_doctor_take(struct setpay_doctor *doctor, const json_t *checks);
/* {"ok","checks"}; a new object. ok: nothing fails. */
json_t *setpay_doctor_result(const struct setpay_doctor *doctor);
/* SETPAY_OK, or SETPAY_E_STATE with words where something fails. */
enum setpay_error setpay_doctor_verdict(const struct setpay_doctor *doctor,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The result for people: a line for each finding, and what to do below it. */
void setpay_doctor_print(FILE *out, const json_t *result, bool colour);
/* On standard output, as a setpay_operator_command wants it. */
void setpay_doctor_print_result(const json_t *result);

/* "3 days", "2 hours", "41 seconds"; returns out. */
#define SETPAY_SPAN_TEXT_SIZE 32
const char *setpay_doctor_span(int64_t span_ms, char out[SETPAY_SPAN_TEXT_SIZE]);

/* ---- files (doctor_files.c) ---- */

/* The files and folders that the configuration names: there, of the right kind, owner and mode;
 * also database, sockets and log. */
void setpay_doctor_files(struct setpay_doctor *doctor);
/* The same of one path that is no key of the configuration, where it is there. */
void setpay_doctor_mode(struct setpay_doctor *doctor, const char *path);
/* Room where database and log are. */
void setpay_doctor_disk(struct setpay_doctor *doctor);
/* Room where this path is. */
void setpay_doctor_room(struct setpay_doctor *doctor, const char *path, const char *what);
/* What is in a daemon's memory: that its store still takes what it is given; and its backups. */
void setpay_doctor_store(struct setpay_doctor *doctor, struct setpay_store *store);
/* How old the newest backup is, by what the database knows. */
void setpay_doctor_safety(struct setpay_doctor *doctor, const struct setpay_store_safety *safety);

/* ---- root, certificates, lists (doctor_trust.c) ---- */

/* Loads the root, and all CAs of the folder (may be NULL) and of the certificates' files; says
 * whether the root is good, and the one under which the certificates were issued. certificates may
 * be NULL. */
void setpay_doctor_root(struct setpay_doctor *doctor, const char *root, const char *folder,
                        const struct setpay_party_certificate *certificates);
/* Each key and certificate that the configuration names: opens, belong to each other, lead to the
 * root, are current, whatever the revocation lists say of theirs CAs. */
void setpay_doctor_certificates(struct setpay_doctor *doctor,
                                const struct setpay_party_certificate *certificates);
/* One pair of a brand, as the configuration names it, whatever its lists; for a probe that shows
 * it. What is wrong with it is setpay_doctor_certificates' to say. */
enum setpay_error setpay_doctor_identity(struct setpay_doctor *doctor, const char *brand,
                                         const char *key_name, const char *certificate_name,
                                         enum setpay_profile profile,
                                         struct setpay_identity *identity) SETPAY_MUST_CHECK;
/* The dates of one certificate; called: "the certificate of the card 'daily'". */
void setpay_doctor_dates(struct setpay_doctor *doctor, const char *called,
                         const struct setpay_certificate *certificate, const char *todo);
/* For each brand a current list of every CA. Of the files where no daemon's word is there. */
void setpay_doctor_lists(struct setpay_doctor *doctor, struct setpay_trust *trust,
                         const char *const *brands, size_t brand_count, const char *todo);
/* The brands of the configuration's [brand NAME] sections; returns how many. */
#define SETPAY_DOCTOR_BRANDS_MAX 64
size_t setpay_doctor_brands(const struct setpay_config *config,
                            const char *brands[SETPAY_DOCTOR_BRANDS_MAX]);

/* ---- the clock (doctor_clock.c) ---- */

/* Another clock's time, and this computer's at the same moment. */
void setpay_doctor_add_clock(struct setpay_doctor *doctor, const char *whose,
                             setpay_time_ms their_ms, setpay_time_ms our_ms);
/* A date under something that exists, so that no right clock can be before it. */
void setpay_doctor_add_date(struct setpay_doctor *doctor, const char *of, setpay_time_ms date_ms);
/* Says what all of these mean. Call it last. */
void setpay_doctor_clock(struct setpay_doctor *doctor);

/* ---- ports (doctor_ports.c) ---- */

/* Every address on which the daemon of the configuration listens: its own, free, or whose. */
void setpay_doctor_ports(struct setpay_doctor *doctor);

/* ---- peers (doctor_peers.c) ---- */

/* Says what came of a probe of who ("the gateway"), and notes its clock. */
void setpay_doctor_peer(struct setpay_doctor *doctor, const char *who,
                        const struct setpay_probe *probe, const char *todo);
/* A client's context that believes a server of that profile under the root, also while revocation
 * lists are stale. */
enum setpay_error setpay_doctor_server_tls(struct setpay_doctor *doctor,
                                           enum setpay_profile profile,
                                           struct setpay_tls **tls) SETPAY_MUST_CHECK;
/* A probe that asks an authority, or a merchant's server, for nothing but its time. */
void setpay_doctor_probe_server(struct setpay_probe *probe, const struct setpay_est_place *place,
                                struct setpay_tls *tls);

/* The authority as the command line (url, may be NULL) or the configuration (ca_url, where there is
 * such a key) names it. Zeroed memory is empty. */
struct setpay_doctor_authority {
    struct setpay_est_place place;
    struct setpay_tls *tls;
};
/* Fills *probe, which borrows from authority. False where nobody is named, or with a finding where
 * it is no URL. */
bool setpay_doctor_authority_open(struct setpay_doctor *doctor, const char *url,
                                  struct setpay_doctor_authority *authority,
                                  struct setpay_probe *probe);
void setpay_doctor_authority_close(struct setpay_doctor_authority *authority);
#define SETPAY_DOCTOR_AUTHORITY_TODO                                                               \
    "start setpay-cad, or see the authority's address and the network between; certificates and "  \
    "lists that are here stay good until they end"

/* ---- a daemon as a whole (doctor_daemon.c) ---- */

/* Reads the configuration; false, with a finding, where it is wrong. */
bool setpay_doctor_configure(struct setpay_doctor *doctor, const char *path);
/* Asks the daemon behind that socket; says whether it runs, and takes its findings over. */
void setpay_doctor_ask(struct setpay_doctor *doctor, const char *socket, const char *start_hint);

struct setpay_doctor_party {
    const struct setpay_service_spec *daemon;
    const struct setpay_party_certificate *certificates;
    /* Its peers, by doctor->config and doctor->trust; url: of the authority, from the command line,
     * may be NULL. */
    void (*peers_cb)(struct setpay_doctor *doctor, const char *url);
};
/* The whole command of an operator's program. args: "url". A result is made in any case but
 * SETPAY_E_NOMEM; SETPAY_E_STATE where something fails. */
enum setpay_error setpay_doctor_examine(const struct setpay_doctor_party *party,
                                        const char *config_path, const json_t *args,
                                        json_t **result,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;
extern const struct setpay_flag setpay_doctor_flags[];
#define SETPAY_DOCTOR_USAGE "[--url URL]"
#define SETPAY_DOCTOR_HELP                                                                         \
    "look for what keeps the daemon from working, running or not, and say what to do; --url: the " \
    "authority's"

/* The database of a daemon that does not run: there, and this program's. read, with its arg, may
 * look into it. Says nothing where somebody has it open. */
void setpay_doctor_database(struct setpay_doctor *doctor, const struct setpay_store_schema *schema,
                            setpay_store_read_fn *read, void *arg);

/* In a daemon: its own findings, with what a doctor outside needs: {"ok","checks","pid","time_ms",
 * "testing","clocks","config"}. A new object, or NULL. */
json_t *setpay_doctor_tell(const struct setpay_doctor *doctor,
                           const struct setpay_service *service);
/* The findings of any service: store, lists, readiness. */
json_t *setpay_doctor_of_service(struct setpay_service *service);

#endif
