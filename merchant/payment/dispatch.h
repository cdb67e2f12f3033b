/*
 * One worker of the merchant: wallets' messages in over HTTPS, to their handlers, answers out; and
 * the purchases that this worker drives at the gateway.
 *
 * A struct setpay_merchant_work is one request of a wallet under way. Handlers own it from their
 * call on, and end it with exactly one of setpay_merchant_reply, setpay_merchant_refuse or
 * setpay_merchant_wait (which calls the handler's resume function later). Everything here runs on
 * the worker's thread, except what a store operation does.
 */
#ifndef SETPAY_MERCHANT_PAYMENT_DISPATCH_H
#define SETPAY_MERCHANT_PAYMENT_DISPATCH_H

#include "common/base/executor.h"
#include "common/net/daemon.h"
#include "common/net/frame_client.h"
#include "common/net/http_server.h"
#include "common/net/loop.h"
#include "common/store/store.h"
#include "common/store/wait.h"
#include "common/wire/signed.h"
#include "merchant/payment/merchant.h"
#include "merchant/payment/payment_store.h"

struct setpay_merchant_work;
struct setpay_merchant_drive;
struct setpay_merchant_pcert;
struct setpay_merchant_batches;
struct setpay_merchant_batch_closer;
struct setpay_merchant_dues;

struct setpay_merchant_worker {
    struct setpay_merchant *merchant;
    unsigned index;
    struct setpay_loop *loop;
    struct setpay_executor executor;
    struct setpay_reader *reader;
    struct setpay_watcher *watcher;
    struct setpay_http_server *server;
    struct setpay_frame_client *clients[SETPAY_MERCHANT_BRANDS_MAX]; /* one per brand */
    struct setpay_waiters waiters;        /* PReqs whose outcome is not known yet */
    struct setpay_merchant_drive *drives; /* purchases of this worker that wait for the gateway */
    struct setpay_merchant_pcert *pcert;  /* worker 0 only: asks for certificates */
    struct setpay_merchant_batches *batches;     /* worker 0 only: closes batches */
    struct setpay_merchant_batch_closer *closer; /* worker 0 only: when the day's hour has come */
    struct setpay_merchant_dues *dues;           /* what is due of the purchases that it drives */
    struct setpay_timer *start_timer;
    bool draining;
};

typedef void setpay_merchant_resume_fn(struct setpay_merchant_work *work);

struct setpay_merchant_work {
    struct setpay_merchant_worker *worker;
    struct setpay_http_request *request;
    setpay_time_ms now_ms; /* the one reading of the clock for this request */
    int64_t started_us;

    struct setpay_message message;
    struct setpay_digest request_hash;
    struct setpay_merchant_brand *brand; /* once the message has named one; signs a refusal */
    bool has_ids;                        /* rrpid is known */
    struct setpay_id rrpid;
    struct setpay_id xid;

    /* Of the message in hand; which ones are used depends on its type. */
    struct setpay_preq preq;
    struct setpay_oi oi;
    struct setpay_can_req cancels; /* or an InqReq, which is one without a cancellation */
    struct setpay_merchant_offer offer;
    struct setpay_merchant_purchase purchase;
    struct setpay_merchant_ask ask;
    struct setpay_certificate *cardholder;
    struct setpay_digest token_sender;
    struct setpay_buffer answer;
    unsigned again; /* times that it was decided anew */

    /* Waiting. */
    struct setpay_waiter waiter;
    struct setpay_timer *timer;
    setpay_merchant_resume_fn *resume;
};

/* Makes the worker's server on its listener "wallets", its lines to the gateway, and takes up the
 * purchases that are waiting. */
enum setpay_error
setpay_merchant_worker_new(struct setpay_merchant *merchant, struct setpay_worker *daemon_worker,
                           struct setpay_merchant_worker **worker) SETPAY_MUST_CHECK;
/* Takes no further requests, lets what is under way finish; drained_cb once. */
void setpay_merchant_worker_drain(struct setpay_merchant_worker *worker,
                                  void (*drained_cb)(void *arg), void *arg);
void setpay_merchant_worker_free(struct setpay_merchant_worker *worker);

/* The answer's bytes, and the work's end. */
void setpay_merchant_reply(struct setpay_merchant_work *work, struct setpay_view bytes);
/* An Error message, a log line with the rule, and the work's end. Nothing is kept. */
void setpay_merchant_refuse(struct setpay_merchant_work *work, enum setpay_error error);
/* The outcome is not known yet: resume is called whenever the purchase changes; the work is refused
 * as UNDER_WAY when that takes too long. */
void setpay_merchant_wait(struct setpay_merchant_work *work, setpay_merchant_resume_fn *resume);

/* The handlers; each owns work. */
void setpay_merchant_on_pinit_req(struct setpay_merchant_work *work);
void setpay_merchant_on_preq(struct setpay_merchant_work *work);
void setpay_merchant_on_inq_req(struct setpay_merchant_work *work);
void setpay_merchant_on_can_req(struct setpay_merchant_work *work);

/* ------------------------------------------------------------------ purchases at the gateway */

/* Whether this worker drives the purchase: exactly one does. */
bool setpay_merchant_drives(const struct setpay_merchant_worker *worker,
                            const struct setpay_id *xid);
/* The purchase has changed, or waits since before the start: asks the gateway what is to be asked,
 * unless that is being done. */
void setpay_merchant_drive(struct setpay_merchant_worker *worker, const struct setpay_id *xid);
/* All purchases of this worker that wait. */
void setpay_merchant_drive_all(struct setpay_merchant_worker *worker);
void setpay_merchant_drives_free(struct setpay_merchant_worker *worker);

/* The line to the gateway for a brand; NULL where there is none. */
struct setpay_frame_client *setpay_merchant_client(struct setpay_merchant_worker *worker,
                                                   const struct setpay_merchant_brand *brand);

/* Keeps the gateway's certificates current. On worker 0. */
enum setpay_error setpay_merchant_pcert_new(struct setpay_merchant_worker *worker,
                                            struct setpay_merchant_pcert **pcert) SETPAY_MUST_CHECK;
void setpay_merchant_pcert_free(struct setpay_merchant_pcert *pcert);

/* Closes batches. On worker 0; free it before the lines to the gateway. */
enum setpay_error
setpay_merchant_batches_new(struct setpay_merchant_worker *worker,
                            struct setpay_merchant_batches **batches) SETPAY_MUST_CHECK;
void setpay_merchant_batches_free(struct setpay_merchant_batches *batches);
/* Wishes for the end of every batch that was opened before the last time of the merchant's batch
 * hour, and looks for it again and again. On worker 0. *closer: NULL where there is no such hour.
 */
enum setpay_error
setpay_merchant_batch_hour_new(struct setpay_merchant_worker *worker,
                               struct setpay_merchant_batch_closer **closer) SETPAY_MUST_CHECK;
void setpay_merchant_batch_hour_free(struct setpay_merchant_batch_closer *closer);
/* Something may be to be closed. NULL-safe. */
void setpay_merchant_batches_wake(struct setpay_merchant_batches *batches);

#endif
