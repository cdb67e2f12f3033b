/*
 * A merchant's batches as a file, setpay-batch(5): what it has captured and credited in each, with
 * the gateway's signed answers, and the one by which each was closed, for the gateway's operator to
 * hold against the gateway's books.
 * Its writer is setpay-merchant, its reader setpay-gateway. Reading is pure; what is said in the
 * file is believed by nobody: only its form is checked here.
 */
#ifndef SETPAY_NET_BATCH_FILE_H
#define SETPAY_NET_BATCH_FILE_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/base/secret.h"
#include "common/wire/messages.h"
#include "common/wire/signed.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETPAY_BATCH_FILE_VERSION 1
#define SETPAY_BATCH_FILE_MAX (256U * 1024 * 1024)
#define SETPAY_BATCH_FILE_CERTIFICATES 64
#define SETPAY_BATCH_FILE_ITEMS 100000 /* of one batch */

/* What was captured or credited. Dates are texts of setpay_time_format: their order is time's. */
struct setpay_batch_line {
    struct setpay_id id; /* the gateway's */
    struct setpay_id xid;
    enum setpay_batch_item_kind kind;
    struct setpay_money amount;
    char date[SETPAY_TIME_TEXT_SIZE];
    bool undone;
    const json_t *proof;        /* borrowed from the file; NULL: none */
    const json_t *undone_proof; /* of its undoing, likewise */
};

struct setpay_batch_part {
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    uint32_t number;
    bool closed; /* its status is "closed" */
    struct setpay_batch_total totals[SETPAY_LIMIT_CURRENCIES];
    size_t total_count;
    struct setpay_batch_line *lines; /* owned */
    size_t line_count;
    struct setpay_digest hash; /* as the file says */
    const json_t *proof;       /* the answer that closes it, borrowed from the file; NULL: none */
    const json_t *differed;    /* an array of answers in which the two differed; NULL: none */
};

struct setpay_batch_file {
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char exported[SETPAY_TIME_TEXT_SIZE];
    bool complete;                          /* all batches that the merchant knows */
    char kept_since[SETPAY_TIME_TEXT_SIZE]; /* answers that close batches; "": not said */
    struct setpay_batch_part *parts;        /* owned */
    size_t part_count;
    json_t *json; /* owned: what proofs are borrowed from */
};

/* SETPAY_E_INVALID, with the member, what was found and what is expected; SETPAY_E_NOMEM. *file is
 * untouched on error. */
enum setpay_error setpay_batch_file_parse(struct setpay_view bytes, struct setpay_batch_file *file,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_batch_file_clear(struct setpay_batch_file *file);

/* "capture", "credit". */
const char *setpay_batch_kind_name(enum setpay_batch_item_kind kind);
/* SHA-256 over a line "ID,XID,KIND,AMOUNT,CURRENCY,DATE,STATUS\n" of each item in its order. */
enum setpay_error setpay_batch_part_hash(const struct setpay_batch_part *part,
                                         struct setpay_digest *hash) SETPAY_MUST_CHECK;
/* The same of items as JSON, which must be of the form of a file's. */
enum setpay_error setpay_batch_json_hash(const json_t *items,
                                         struct setpay_digest *hash) SETPAY_MUST_CHECK;

/* One answer of the gateway's; zeroed memory is none. */
struct setpay_batch_proof {
    struct setpay_secret content, signature;
    struct setpay_message message; /* borrows these two; is not to be cleared */
};
/* A proof of a file. *proof is empty. SETPAY_E_MALFORMED. */
enum setpay_error setpay_batch_proof_read(const json_t *json,
                                          struct setpay_batch_proof *proof) SETPAY_MUST_CHECK;
void setpay_batch_proof_clear(struct setpay_batch_proof *proof);
/* The n-th certificate of the file, DER; *der is empty. SETPAY_E_NOT_FOUND behind the last,
 * SETPAY_E_MALFORMED. */
enum setpay_error setpay_batch_file_certificate(const struct setpay_batch_file *file, size_t n,
                                                struct setpay_secret *der) SETPAY_MUST_CHECK;

#endif
