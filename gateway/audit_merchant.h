/*
 * One merchant's file under audit, with the gateway's steps of that merchant beside it.
 */
#ifndef SETPAY_GATEWAY_AUDIT_MERCHANT_H
#define SETPAY_GATEWAY_AUDIT_MERCHANT_H

#include "common/base/limits.h"
#include "gateway/audit_files.h"

/* How far the clocks of merchant and gateway may be apart. */
#define SETPAY_AUDIT_CLOCK_TOLERANCE_MS SETPAY_LIMIT_DATE_TOLERANCE_MS

/* A step of the merchant's, as audit.steps gives it. */
struct setpay_audit_step {
    struct setpay_id id, xid;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    enum setpay_batch_item_kind kind; /* the same numbers */
    struct setpay_money amount;
    uint32_t batch;
    bool batch_open, undone, seen;
    setpay_time_ms date_ms, undone_ms;
    setpay_time_ms closed_ms; /* of its batch; 0: it is open */
};

struct setpay_audit_run {
    struct setpay_audit_files *files;
    struct setpay_audit_file *file;
    struct setpay_audit_signers *signers;
    struct setpay_audit_step *steps; /* owned; sorted by id */
    size_t count;
    struct setpay_audit_step **by_batch; /* owned: the same, by brand and batch */
};

/* audit_found.c, these three. Sorts steps, and makes by_batch. SETPAY_E_NOMEM. */
enum setpay_error setpay_audit_sort_steps(struct setpay_audit_run *run) SETPAY_MUST_CHECK;
/* The steps of one batch: the first of count, in by_batch; NULL: none. So that a file of many
 * batches walks through all steps once, and not once for each. */
struct setpay_audit_step *const *setpay_audit_batch_steps(const struct setpay_audit_run *run,
                                                          const char *brand, uint32_t batch,
                                                          size_t *count);

/* NULL: the books have none of that brand. */
struct setpay_audit_step *setpay_audit_find_step(const struct setpay_audit_run *run,
                                                 const char *brand, const struct setpay_id *id);

/* audit_close.c: holds a batch to the answers that the gateway signed when it was to be closed, and
 * these to the gateway's books. */
void setpay_audit_close_check(const struct setpay_audit_run *run,
                              const struct setpay_batch_part *part);

#endif
