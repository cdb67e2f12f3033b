/*
 * What others have written, under audit: merchants' files of batches, setpay-batch(5), and issuers'
 * clearing files, setpay-clearing(5), against the gateway's books and against each other. All of
 * them are read before anything is looked at, so that one that can't be read costs nothing.
 */
#ifndef SETPAY_GATEWAY_AUDIT_FILES_H
#define SETPAY_GATEWAY_AUDIT_FILES_H

#include "common/net/batch_file.h"
#include "common/net/operator.h"
#include "gateway/audit.h"
#include "gateway/clearing/clearing_compare.h"
#include "gateway/issuer/clearing_file.h"

#define SETPAY_AUDIT_FILES_MAX 64 /* of each kind */

/* A file, and what came of it. */
struct setpay_audit_file {
    const char *path; /* borrowed from the arguments */
    bool is_clearing;
    struct setpay_batch_file batches;
    struct setpay_clearing_file clearing;
    size_t items, agree, found; /* looked at; of those, that nothing was found at; all findings */
    size_t elsewhere; /* of a clearing file: items that one of before it must hold, which is not
                         here */
    size_t signed_closes, unsigned_closes; /* batches that are closed: by an answer that holds;
                                              without one, where none need be kept */
    json_t *counts;                        /* owned: findings by kind */
};

/* An item of a merchant's file: all of all files, sorted by id. */
struct setpay_audit_item {
    struct setpay_audit_file *file;
    const struct setpay_batch_part *part;
    const struct setpay_batch_line *line;
};

struct setpay_audit_files {
    struct setpay_audit *audit;
    struct setpay_operator_asker *asker;
    struct setpay_audit_file *files; /* owned */
    size_t count;
    struct setpay_audit_item *items; /* owned */
    size_t item_count;
};

/* args: "merchant_files" and "clearing_files", arrays of paths, or nothing. *files is zeroed.
 * SETPAY_E_USAGE, SETPAY_E_INVALID with the file's name; SETPAY_E_NOMEM. */
enum setpay_error setpay_audit_files_read(const json_t *args, struct setpay_audit_files *files,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_audit_files_clear(struct setpay_audit_files *files);
/* Looks at all of them. Errors of asking, SETPAY_E_NOMEM; findings are no error. */
enum setpay_error setpay_audit_files_compare(struct setpay_audit_files *files,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* [{"file","of","items","agree","found","signed_batches","unsigned_batches","counts"}]; NULL
 * without memory. */
json_t *setpay_audit_files_json(const struct setpay_audit_files *files);

/* One finding in a file, "FILE: WHERE: KIND: …"; where NULL: in all of it. */
void setpay_audit_files_find(struct setpay_audit_files *files, struct setpay_audit_file *file,
                             const char *where, const char *kind, const char *format, ...)
    SETPAY_PRINTF(5, 6);
/* "visa batch 3, capture 5f0c…" */
#define SETPAY_AUDIT_WHERE_SIZE 128
const char *setpay_audit_where(const struct setpay_batch_part *part,
                               const struct setpay_batch_line *line, char *out);

/* audit_merchant.c, audit_clearing.c: one file, which is of that kind. */
enum setpay_error setpay_audit_merchant_file(struct setpay_audit_files *files,
                                             struct setpay_audit_file *file,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;
enum setpay_error setpay_audit_clearing_file(struct setpay_audit_files *files,
                                             struct setpay_audit_file *file,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ audit_proof.c */

/* Certificates of a file by which the gateway may have signed. */
struct setpay_audit_signers;
/* Finds what is wrong with them. SETPAY_E_NOMEM. */
enum setpay_error setpay_audit_signers_new(struct setpay_audit_files *files,
                                           struct setpay_audit_file *file,
                                           struct setpay_audit_signers **signers) SETPAY_MUST_CHECK;
void setpay_audit_signers_free(struct setpay_audit_signers *signers);

/* Whether it is signed by a key that was certified as this gateway's, for that brand; what: how it
 * is named in the finding where it is not. */
bool setpay_audit_is_signed(struct setpay_audit_files *files, struct setpay_audit_file *file,
                            const struct setpay_audit_signers *signers, const char *brand,
                            const char *where, const struct setpay_message *message,
                            const char *what);

/* Holds an item against its signed answers, and finds what is otherwise in them. */
void setpay_audit_proof_check(struct setpay_audit_files *files, struct setpay_audit_file *file,
                              const struct setpay_audit_signers *signers,
                              const struct setpay_batch_part *part,
                              const struct setpay_batch_line *line);

#endif
