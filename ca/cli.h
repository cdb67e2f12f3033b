/*
 * The operator's program: what its command line says, and its commands. Only these files print.
 */
#ifndef SETPAY_CA_CLI_H
#define SETPAY_CA_CLI_H

#include "ca/ca.h"

#include <jansson.h>
#include <stdbool.h>

#define SETPAY_CA_ARGUMENTS_MAX 4

/* The options of a command line; all borrowed from it. */
struct setpay_ca_options {
    const char *folder;
    const char *passphrase_file;
    const char *key_passphrase_file;
    bool json;
    bool loopback;
    const char *name;
    const char *brand;
    const char *id;
    const char *csr;
    const char *certificate;
    const char *reason;
    const char *witness;
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
    struct setpay_problem *problem;
};
typedef enum setpay_error setpay_ca_command_fn(struct setpay_ca_command *command);

setpay_ca_command_fn setpay_ca_command_init;
setpay_ca_command_fn setpay_ca_command_brand_add;
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
setpay_ca_command_fn setpay_ca_command_doctor;

/* The passphrase from a file (0600), or from the terminal without echo; twice: asked again, and
 * compared. SETPAY_E_PASSPHRASE where there is neither. */
enum setpay_error setpay_ca_passphrase_read(const char *file, bool twice,
                                            struct setpay_secret *passphrase,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
