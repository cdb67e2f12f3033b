/*
 * One worker of the gateway: frames in, messages to their handlers, answers out.
 *
 * A struct setpay_gateway_work is one request under way. Handlers own it from their call on, and
 * end it with exactly one of setpay_gateway_reply, setpay_gateway_refuse or setpay_gateway_wait
 * (which calls the handler's resume function later). Everything here runs on the worker's thread,
 * except what a store operation does.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_DISPATCH_H
#define SETPAY_GATEWAY_PAYMENT_DISPATCH_H

#include "common/base/executor.h"
#include "common/net/daemon.h"
#include "common/net/frame_server.h"
#include "common/net/loop.h"
#include "common/store/wait.h"
#include "common/wire/agreement.h"
#include "common/wire/signed.h"
#include "gateway/clearing/presentment.h"
#include "gateway/payment/auth.h"
#include "gateway/payment/gateway.h"
#include "gateway/payment/payment.h"
#include "gateway/payment/reversal.h"
#include "gateway/payment/stand_in.h"

#include <sys/queue.h>

struct setpay_gateway_work;
struct setpay_gateway_steps;
struct setpay_gateway_batch_work;
struct setpay_gateway_sale;

struct setpay_gateway_worker {
    struct setpay_gateway *gateway;
    struct setpay_gateway_reversals *reversals;
    struct setpay_gateway_presentments *presentments;
    struct setpay_loop *loop;
    struct setpay_executor executor;
    struct setpay_reader *reader;
    struct setpay_frame_server *server;
    struct setpay_watcher *watcher;
    struct setpay_waiters waiters; /* repeats of requests that are under way */
    LIST_HEAD(setpay_gateway_works, setpay_gateway_work) works; /* all, also those that wait */
    size_t work_count;
    /* Set by the drain: told once no connection is left and no work under way. */
    struct setpay_worker *draining;
    bool connections_drained;
};

typedef void setpay_gateway_resume_fn(struct setpay_gateway_work *work);

struct setpay_gateway_work {
    struct setpay_gateway_worker *worker;
    LIST_ENTRY(setpay_gateway_work) in_worker;
    struct setpay_frame_handle connection;
    uint64_t request_id;
    struct setpay_peer peer;
    setpay_time_ms now_ms; /* the one reading of the clock for this request */

    struct setpay_message message;
    struct setpay_digest request_hash;
    const struct setpay_gateway_brand *brand;
    struct setpay_keyring *keys;         /* as they were when it came; with brand */
    const struct setpay_held *sign;      /* of them: the one that is named, or in use; with brand */
    struct setpay_certificate *merchant; /* the signer, verified */
    struct setpay_gateway_merchant merchant_row;
    bool has_ids; /* rrpid and xid below are known, for the log */
    struct setpay_id rrpid;
    struct setpay_id xid;

    /* Of the message in hand; which ones are used depends on its type. */
    struct setpay_auth_req auth;
    struct setpay_auth_rev_req reverse;
    struct setpay_certificate *cardholder;
    struct setpay_instruction instruction;
    struct setpay_payment payment;
    struct setpay_kept_card card;
    struct setpay_made_receipt receipt;
    struct setpay_gateway_steps *steps;      /* owned; NULL but for Cap, CapRev, Cred, CredRev */
    struct setpay_gateway_batch_work *batch; /* owned; NULL but for BatchAdmin */
    struct setpay_gateway_sale *sale;        /* owned; NULL but for a sale that was approved */
    struct setpay_gateway_reversal reversal;
    bool has_reversal;
    struct setpay_stand_in_facts stand_in; /* of what is decided in the issuer's stead */
    bool has_news;                         /* of a cancellation: it was not booked before */
    struct setpay_agreement_taken taken;   /* of an agreement, before this authorisation */
    struct setpay_network_trace original;  /* its first authorisation's; of no STAN: this is it */
    struct setpay_buffer answer;
    unsigned again; /* times that it was decided anew */

    /* Waiting and retrying. */
    struct setpay_waiter waiter;
    struct setpay_timer *timer;
    setpay_gateway_resume_fn *resume;
};

/* Makes the worker's server on its listener "frames". */
enum setpay_error setpay_gateway_worker_new(
    struct setpay_gateway *gateway, struct setpay_gateway_reversals *reversals,
    struct setpay_gateway_presentments *presentments, struct setpay_worker *daemon_worker,
    struct setpay_tls *tls, struct setpay_gateway_worker **worker) SETPAY_MUST_CHECK;
/* Lets what is under way finish, also where the connection that asked has gone: an issuer's answer
 * that comes now is still booked. Then setpay_worker_drained. */
void setpay_gateway_worker_drain(struct setpay_gateway_worker *worker,
                                 struct setpay_worker *daemon_worker);
void setpay_gateway_worker_free(struct setpay_gateway_worker *worker);

/* The answer's bytes (kept already), and the work's end. */
void setpay_gateway_reply(struct setpay_gateway_work *work, struct setpay_view bytes);
/* An Error message, a log line with the rule, and the work's end. Nothing is kept. */
void setpay_gateway_refuse(struct setpay_gateway_work *work, enum setpay_error error);
/* The same request is under way elsewhere: resume is called when its payment changes, and the work
 * is refused as UNDER_WAY when that takes too long. */
void setpay_gateway_wait(struct setpay_gateway_work *work, setpay_gateway_resume_fn *resume);
/* Calls resume after delay_ms (the store's queue was full). */
void setpay_gateway_later(struct setpay_gateway_work *work, int64_t delay_ms,
                          setpay_gateway_resume_fn *resume);

/* What a handler has read in its content. All borrowed. */
struct setpay_gateway_asked {
    const struct setpay_request_header *header;
    const char *brand;
    const char *merchant_id;
    const char *receiver_name; /* NULL: the header must name our certificate */
    bool only_undoes; /* can only take back, and so is not refused to a disabled merchant */
    /* Read in the same snapshot, unless an answer was kept; NULL: nothing more. */
    setpay_store_read_fn *read_more;
    void *more;
};

/* Rules A2, A3, A6, G1: the signer is a merchant of the connection's brand; it is directed to a
 * signing certificate of ours, in use or earlier (work->sign then); an answer that was kept is sent
 * again. SETPAY_OK: go on, work->merchant_row is who asks. SETPAY_E_NOT_FOUND does not come. When
 * *done, the work has ended. */
enum setpay_error setpay_gateway_admit(struct setpay_gateway_work *work,
                                       const struct setpay_gateway_asked *asked,
                                       bool *done) SETPAY_MUST_CHECK;

/* The header of an answer to the request in hand (rule A4). */
struct setpay_response_header setpay_gateway_answer_header(const struct setpay_gateway_work *work);
/* Signs and packs an answer into work->answer, with the certificates that the merchant may lack. */
enum setpay_error setpay_gateway_sign_answer(struct setpay_gateway_work *work,
                                             enum setpay_message_type type,
                                             struct setpay_view content) SETPAY_MUST_CHECK;

/* The handlers; each owns work. */
void setpay_gateway_on_auth_req(struct setpay_gateway_work *work);
void setpay_gateway_on_auth_rev_req(struct setpay_gateway_work *work);
void setpay_gateway_on_pcert_req(struct setpay_gateway_work *work);
void setpay_gateway_on_auth_can_req(struct setpay_gateway_work *work);
/* Cap, CapRev, Cred, CredRev. */
void setpay_gateway_on_step_req(struct setpay_gateway_work *work);
void setpay_gateway_steps_free(struct setpay_gateway_steps *steps);
void setpay_gateway_sale_free(struct setpay_gateway_sale *sale);
void setpay_gateway_on_batch_admin_req(struct setpay_gateway_work *work);
void setpay_gateway_batch_work_free(struct setpay_gateway_batch_work *work);

/* At the start, so that a figure is there before its first event. May be called again. */
enum setpay_error setpay_gateway_register_auth_metrics(void) SETPAY_MUST_CHECK;
enum setpay_error setpay_gateway_register_further_metrics(void) SETPAY_MUST_CHECK;
enum setpay_error setpay_gateway_register_stand_in_metrics(void) SETPAY_MUST_CHECK;
enum setpay_error setpay_gateway_register_step_metrics(void) SETPAY_MUST_CHECK;
/* A capture that came with its authorisation. */
void setpay_gateway_count_sale(void);

#endif
