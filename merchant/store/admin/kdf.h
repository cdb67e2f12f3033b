/*
 * One thread that looks at passwords, so that no loop waits for it; and a short queue before it, so
 * that guessing takes one core at most and a bounded memory.
 */
#ifndef SETPAY_MERCHANT_ADMIN_KDF_H
#define SETPAY_MERCHANT_ADMIN_KDF_H

#include "common/base/error.h"
#include "common/base/executor.h"
#include "common/base/secret.h"
#include "merchant/store/admin/password.h"

#define SETPAY_KDF_QUEUE 8

struct setpay_kdf;

/* executor: where answers are heard; outlives the kdf. SETPAY_E_NOMEM, SETPAY_E_IO. */
enum setpay_error setpay_kdf_new(struct setpay_executor executor,
                                 struct setpay_kdf **kdf) SETPAY_MUST_CHECK;
/* What waits is answered with SETPAY_E_DRAINING. Not while done can still be posted to an executor
 * that has gone. NULL-safe. */
void setpay_kdf_free(struct setpay_kdf *kdf);

typedef void setpay_kdf_done_fn(void *arg, enum setpay_error error);
/* Compares the password (taken) with its text ("": there is no such account; copied); done hears
 * setpay_password_check's answer on the executor, exactly once after SETPAY_OK. SETPAY_E_BUSY. */
enum setpay_error setpay_kdf_check(struct setpay_kdf *kdf, struct setpay_secret *password,
                                   const char *text, setpay_kdf_done_fn *done,
                                   void *arg) SETPAY_MUST_CHECK;

#endif
