/*
 * One certificate of a party's from its authority: a key, a request, the files. The first time by a
 * one-time token, later by the certificate that is in use.
 *
 * What always holds: a crash at any moment leaves a pair that works, and doing it again ends what
 * was cut off: with the same key, so that an authority which had answered answers the same.
 */
#ifndef SETPAY_NET_PARTY_ISSUE_H
#define SETPAY_NET_PARTY_ISSUE_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/net/est_form.h"
#include "common/net/loop.h"
#include "common/net/party.h"
#include "common/net/party_files.h"
#include "common/net/tls.h"
#include "common/pki/chain.h"

#include <stdbool.h>

struct setpay_issue;

/* How it ended. */
struct setpay_issue_result {
    enum setpay_error error; /* those of struct setpay_est_result; CERT_*; of the files */
    const char *words;       /* lives for the callback; "" where the error says it all */
    setpay_time_ms expires_ms;
};
/* Once, never before start returns; the issue is gone when it returns. */
typedef void setpay_issue_done_cb(void *arg, const struct setpay_issue_result *result);

/* All borrowed for the call, but loop, trust, certificate, label, and the paths of files. */
struct setpay_issue_wish {
    struct setpay_loop *loop;
    struct setpay_trust *trust;
    struct setpay_est_place place;
    const char *label; /* of EST */
    const struct setpay_party_certificate *certificate;
    const char *id, *brand;
    struct setpay_party_files files;
    const struct setpay_secret *passphrase; /* of the key's file; NULL: none */
    /* The first time: a token and its secret. */
    const char *token;
    const struct setpay_secret *secret;
    /* A renewal: the certificate that authorises it. NULL: the first time. */
    const struct setpay_tls_identity *renewer;
    setpay_issue_done_cb *done_cb;
    void *arg;
};

/* Rules A3 and C2 for what comes. SETPAY_E_BUSY (the files are being renewed elsewhere),
 * SETPAY_E_INVALID, SETPAY_E_IO, SETPAY_E_NOMEM, with words in problem. */
enum setpay_error setpay_issue_start(const struct setpay_issue_wish *wish,
                                     struct setpay_issue **issue,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Ends it without a callback. NULL-safe; not from within done_cb. */
void setpay_issue_cancel(struct setpay_issue *issue);

#endif
