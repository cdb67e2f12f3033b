/*
 * A look through the ledger and what stands around it, as the files that share one see it. Inside
 * of gateway/clearing only.
 */
#ifndef SETPAY_GATEWAY_CLEARING_LOOK_H
#define SETPAY_GATEWAY_CLEARING_LOOK_H

#include "common/base/error.h"
#include "common/store/db.h"
#include "gateway/clearing/ledger.h"

#include <stdbool.h>
#include <stddef.h>

struct setpay_look {
    struct setpay_db *db;
    setpay_ledger_finding_cb *found;
    void *arg;
    struct setpay_ledger_mark at; /* the last entry that was seen */
    size_t findings;
};

/* One finding, in words. */
void setpay_look_find(struct setpay_look *look, const char *format, ...) SETPAY_PRINTF(2, 3);
/* A query whose rows are each a finding: one text column, which stands behind words. */
enum setpay_error setpay_look_each_row(struct setpay_look *look, const char *sql,
                                       const char *words) SETPAY_MUST_CHECK;
/* Whether both have the same postings. */
bool setpay_ledger_same_postings(const struct setpay_ledger_entry *a,
                                 const struct setpay_ledger_entry *b);

#endif
