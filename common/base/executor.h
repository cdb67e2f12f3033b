/*
 * A place that runs small jobs in order on one thread. The store posts "done" there, the issuer
 * thread posts answers there; event loops (common/net/loop.h) and tests provide it.
 */
#ifndef SETPAY_BASE_EXECUTOR_H
#define SETPAY_BASE_EXECUTOR_H

#include "common/base/error.h"

typedef void setpay_job_fn(void *arg);

struct setpay_executor {
    /* Any thread may call it. Takes the job or answers SETPAY_E_BUSY when its bounded mailbox is
     * full, SETPAY_E_DRAINING when it will run nothing more; the job has then not been taken.
     * A completion that must not be lost reserves its place first (see reserve). */
    enum setpay_error (*post)(void *self, setpay_job_fn *job, void *arg);
    /* Counts one place of the mailbox as taken, so that the later post_reserved can't fail. */
    enum setpay_error (*reserve)(void *self);
    void (*post_reserved)(void *self, setpay_job_fn *job, void *arg);
    /* Gives a reserved place back unused. */
    void (*release)(void *self);
    void *self;
};

#endif
