/*
 * The operator's commands on the books that ask more than once: what they do (rows for an
 * operator's wholes), and how their results are printed.
 */
#ifndef SETPAY_GATEWAY_BOOKS_CLI_H
#define SETPAY_GATEWAY_BOOKS_CLI_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/net/operator.h"
#include "gateway/clearing/clearing_compare.h"

#include <jansson.h>

typedef enum setpay_error setpay_books_whole_fn(struct setpay_operator_asker *asker,
                                                const struct setpay_config *config,
                                                const json_t *args, json_t **result,
                                                struct setpay_problem *problem);

/* books_cli.c: SETPAY_E_STATE, with the result, where something is found, or can't be settled. */
setpay_books_whole_fn setpay_books_verify;
setpay_books_whole_fn setpay_books_settle;
void setpay_books_print_verified(const json_t *result);
void setpay_books_print_settled(const json_t *result);
void setpay_books_print_stepped_over(const json_t *result);
/* report_cli.c */
setpay_books_whole_fn setpay_books_report_settlement;
setpay_books_whole_fn setpay_books_report_clearing;
void setpay_books_print_report(const json_t *result);
/* reconcile_cli.c: SETPAY_E_STATE where something differs. */
setpay_books_whole_fn setpay_books_reconcile;
void setpay_books_print_reconciled(const json_t *result);
/* A clearing file ("-": standard input). SETPAY_E_USAGE, and the errors of parsing it, with its
 * name. */
enum setpay_error setpay_books_read_clearing(const char *path, struct setpay_clearing_file *file,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* What compare's file is compared with (clearing_fetch.h), into its items, which the caller frees,
 * also after an error. */
enum setpay_error setpay_books_fetch_items(struct setpay_operator_asker *asker,
                                           struct setpay_clearing_compare *compare,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* audit.c: SETPAY_E_STATE where something is found. */
setpay_books_whole_fn setpay_books_audit;
void setpay_books_print_audited(const json_t *result);

/* evidence_cli.c: into a file that is not there yet, where one is named. */
setpay_books_whole_fn setpay_books_dispute_evidence;
setpay_books_whole_fn setpay_books_batch_evidence;
/* dispute_cli.c */
setpay_books_whole_fn setpay_books_import_disputes;
setpay_books_whole_fn setpay_books_list_disputes;
/* cutoff_cli.c: SETPAY_E_STATE where an issuer is out of balance; SETPAY_E_TIMEOUT where one has
 * not answered in time, or no daemon is there to ask it. */
setpay_books_whole_fn setpay_books_cutoff;
/* incoming_cli.c */
setpay_books_whole_fn setpay_books_issuer_paid;
setpay_books_whole_fn setpay_books_issuer_paid_to;
/* payout_cli.c */
setpay_books_whole_fn setpay_books_payout_send;
setpay_books_whole_fn setpay_books_payout_file;

/* A whole file ("-": standard input) behind bytes, up to its max. expected: "a clearing file".
 * SETPAY_E_USAGE, SETPAY_E_TOO_BIG, SETPAY_E_IO, with its name. */
enum setpay_error setpay_books_read_file(const char *path, const char *expected,
                                         struct setpay_buffer *bytes,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Whether the configuration has that issuer's section (NULL: nothing was asked for): what is of
 * another has nothing to be compared with. SETPAY_E_USAGE. */
enum setpay_error setpay_books_check_issuer(const struct setpay_config *config, const char *name,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* SETPAY_OK, or SETPAY_E_STATE with words: "3 findings". */
enum setpay_error setpay_books_verdict(int64_t found, const char *what,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* All pages of a command into list, an array: its member in each answer. args is borrowed. */
enum setpay_error setpay_books_pages(struct setpay_operator_asker *asker, const char *command,
                                     const json_t *args, const char *member, json_t *list,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* The configuration's acquirer_id as clearing files have it: without zeros in front. Borrowed. */
const char *setpay_books_acquirer(const struct setpay_config *config);

#endif
