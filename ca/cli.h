/*
 * The operator's program: what its command line says, and its commands. Only these files print.
 */
#ifndef SETPAY_CA_CLI_H
#define SETPAY_CA_CLI_H

#include "ca/ca.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define SETPAY_CA_ARGUMENTS_MAX 4

/* The options of a command line; all borrowed from it. */
struct setpay_ca_options {
    const char *folder;
    const char *config; /* setpay-cad's */
    const char *passphrase_file;
    const char *key_passphrase_file;
    bool json;
    bool loopback;
    bool final;
    bool verify;
    bool force;
    bool moved;
    bool descendants;
    bool alone;
    const char *name;
    const char *brand;
    const char *id;
    const char *csr;
    const char *certificate;
    const char *reason;
    const char *since;
    const char *witness;
    const char *card_key;
    const char *crls;
    const char *output;
    const char *dns[SETPAY_CA_DNS_NAMES];
    size_t dns_count;
    int days;
    const char *arguments[SETPAY_CA_ARGUMENTS_MAX]; /* behind the command's own words */
    size_t argument_count;
};

/* One command under way. result is what --json prints; without --json the command prints itself. */
struct setpay_ca_command {
    const struct setpay_ca_options *options;
    struct setpay_ca *ca; /* open, and unlocked where the table asks for it */
    setpay_time_ms now;
    json_t *result;
    bool forwarded; /* runs in the daemon */
    FILE *out;      /* for the words */
    struct setpay_problem *problem;
    /* A command that takes long does a part of its work and is called again while it is unfinished:
     * in the daemon others get their turn meanwhile. */
    bool unfinished;
    void *state;                      /* its own, from the first call on */
    void (*state_free_cb)(void *arg); /* frees it, whenever the command ends */
};
/* Frees what a command keeps, at its end. */
void setpay_ca_command_end(struct setpay_ca_command *command);
typedef enum setpay_error setpay_ca_command_fn(struct setpay_ca_command *command);

setpay_ca_command_fn setpay_ca_command_init;
setpay_ca_command_fn setpay_ca_command_brand_add;
setpay_ca_command_fn setpay_ca_command_authority_renew;
setpay_ca_command_fn setpay_ca_command_issue;
setpay_ca_command_fn setpay_ca_command_renew;
setpay_ca_command_fn setpay_ca_command_revoke;
setpay_ca_command_fn setpay_ca_command_crl;
setpay_ca_command_fn setpay_ca_command_bundle;
setpay_ca_command_fn setpay_ca_command_list;
setpay_ca_command_fn setpay_ca_command_show;
setpay_ca_command_fn setpay_ca_command_chain;
setpay_ca_command_fn setpay_ca_command_log_show;
setpay_ca_command_fn setpay_ca_command_log_verify;
setpay_ca_command_fn setpay_ca_command_doctor; /* on the open CA, here or in the daemon */
/* backup_commands.c */
setpay_ca_command_fn setpay_ca_command_backup;
setpay_ca_command_fn setpay_ca_command_restore;
/* enrolment_commands.c */
setpay_ca_command_fn setpay_ca_command_enrolment_make;
setpay_ca_command_fn setpay_ca_command_enrolment_import;
setpay_ca_command_fn setpay_ca_command_enrolment_list;
setpay_ca_command_fn setpay_ca_command_enrolment_show;
setpay_ca_command_fn setpay_ca_command_enrolment_remove;
setpay_ca_command_fn setpay_ca_command_token_add;

/* --brand, or the CA's brand where it has exactly one. */
struct setpay_ca_only_brand {
    char brand[SETPAY_BRAND_MAX + 1];
    size_t count;
};
enum setpay_error setpay_ca_command_brand(struct setpay_ca_command *command,
                                          struct setpay_ca_only_brand *only,
                                          const char **brand) SETPAY_MUST_CHECK;
/* The serial that a command means: its argument, or that of --certificate. *chosen: the argument,
 * or serial. */
enum setpay_error setpay_ca_command_serial(struct setpay_ca_command *command,
                                           char serial[SETPAY_CA_SERIAL_SIZE],
                                           const char **chosen) SETPAY_MUST_CHECK;
/* A certificate's record as JSON. */
json_t *setpay_ca_command_record(const struct setpay_ca_record *record);
/* SETPAY_E_USAGE where value is NULL. */
enum setpay_error setpay_ca_command_need(struct setpay_ca_command *command, const char *value,
                                         const char *option) SETPAY_MUST_CHECK;

/* ---- the table ---- */

struct setpay_ca_command_row {
    const char *words; /* one or two, separated by a blank */
    setpay_ca_command_fn *run;
    bool opens;
    bool unlocks;
    size_t arguments; /* at most */
    const char *usage;
    const char *help;
};
extern const struct setpay_ca_command_row setpay_ca_commands[];
extern const size_t setpay_ca_command_count;
/* The command that the words name, and how many words that are; NULL where none does. */
const struct setpay_ca_command_row *setpay_ca_command_find(char **words, int count, int *used);
/* Whether the row is of two words, and this is the first. */
bool setpay_ca_command_begins(const struct setpay_ca_command_row *row, const char *word);

/* The whole of doctor: opens the CA or asks setpay-cad, and looks at that too (doctor_command.c).
 */
enum setpay_error setpay_ca_run_doctor(const struct setpay_ca_command_row *row,
                                       struct setpay_ca_command *command) SETPAY_MUST_CHECK;

/* The passphrase from a file (0600), or from the terminal without echo; twice: asked again, and
 * compared. SETPAY_E_PASSPHRASE where there is neither. */
enum setpay_error setpay_ca_passphrase_read(const char *file, bool twice,
                                            struct setpay_secret *passphrase,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
