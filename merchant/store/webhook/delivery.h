/*
 * Deliveries: one row for each event and each webhook that is to have it, from the operation that
 * makes the event on. So every event reaches every webhook at least once, whatever crashes; twice
 * where a crash came between the receiver's answer and its row. Deliveries do not wait for each
 * other: order is not kept.
 */
#ifndef SETPAY_MERCHANT_WEBHOOK_DELIVERY_H
#define SETPAY_MERCHANT_WEBHOOK_DELIVERY_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/secret.h"
#include "common/store/db.h"
#include "merchant/store/event.h"
#include "merchant/store/webhook/webhook.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETPAY_DELIVERY_ID_SIZE SETPAY_NAME_SIZE /* "dlv_…" */

/* SQL for a migration of the merchant's database. since_ms: from when its time to be repeated
 * counts. */
#define SETPAY_DELIVERY_SCHEMA                                                                     \
    "CREATE TABLE webhook_delivery ("                                                              \
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"                                                      \
    " delivery_id TEXT NOT NULL UNIQUE,"                                                           \
    " webhook_seq INTEGER NOT NULL,"                                                               \
    " event_seq INTEGER NOT NULL,"                                                                 \
    " state INTEGER NOT NULL,"                                                                     \
    " attempts INTEGER NOT NULL,"                                                                  \
    " since_ms INTEGER NOT NULL,"                                                                  \
    " next_ms INTEGER NOT NULL,"                                                                   \
    " last_ms INTEGER NOT NULL,"                                                                   \
    " last_status INTEGER NOT NULL,"                                                               \
    " last_result INTEGER NOT NULL);"                                                              \
    "CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook_seq, state, next_ms);"         \
    "CREATE INDEX webhook_delivery_of ON webhook_delivery (webhook_seq, seq);"                     \
    "CREATE INDEX webhook_delivery_event ON webhook_delivery (event_seq);"

/* Stored. */
enum setpay_delivery_state {
    SETPAY_DELIVERY_PENDING = 0,
    SETPAY_DELIVERY_DELIVERED = 1,
    SETPAY_DELIVERY_FAILED = 2, /* given up; by hand it may be sent again */
};

/* What came of an attempt. Stored. */
enum setpay_delivery_result {
    SETPAY_DELIVERY_NONE = 0, /* there was no attempt yet */
    SETPAY_DELIVERY_TAKEN = 1,
    SETPAY_DELIVERY_REFUSED = 2,     /* an answer that is no 2xx */
    SETPAY_DELIVERY_UNREACHABLE = 3, /* no name, or nobody listens */
    SETPAY_DELIVERY_TIMEOUT = 4,
    SETPAY_DELIVERY_TLS = 5,       /* its certificate or the handshake */
    SETPAY_DELIVERY_FORBIDDEN = 6, /* an address that must not be called (network.h) */
    SETPAY_DELIVERY_BROKEN = 7,    /* the connection broke, or what came is no HTTP */
    SETPAY_DELIVERY_RESULTS
};
/* "taken"; never NULL. */
const char *setpay_delivery_result_name(enum setpay_delivery_result result);

/* How attempts are spread. */
struct setpay_delivery_rules {
    int64_t repeat_min_ms;    /* the first wait; each further one is three times as long */
    int64_t give_up_ms;       /* the last attempt is made then, counted from since_ms */
    int64_t disable_after_ms; /* a webhook that took nothing for so long is switched off */
};
/*
 * When the next attempt is due after this many (1, 2, …) have failed, the last at now_ms. Of those
 * count no more than there can have been since since_ms: what was sent again by hand begins anew.
 * jitter: any byte, which takes up to a tenth of the wait away, so that repeats do not come all at
 * once. retry_after_ms: what the receiver asked for; 0: nothing. False: none, it is given up. Pure.
 */
bool setpay_delivery_next(const struct setpay_delivery_rules *rules, int64_t attempts,
                          setpay_time_ms since_ms, setpay_time_ms now_ms, int64_t retry_after_ms,
                          uint8_t jitter, setpay_time_ms *next_ms);

/* Under this id the store's watchers hear that there is something to deliver. */
extern const struct setpay_id setpay_delivery_note;

/* ---- inside operations */

enum setpay_error setpay_delivery_add(struct setpay_db *db, int64_t webhook_seq, int64_t event_seq,
                                      setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* For each webhook that is enabled and wants the type; tells the watchers where there is one. */
enum setpay_error setpay_delivery_add_all(struct setpay_db *db, int64_t event_seq, const char *type,
                                          setpay_time_ms now_ms) SETPAY_MUST_CHECK;
enum setpay_error setpay_delivery_tell(struct setpay_db *db) SETPAY_MUST_CHECK;
/* By hand: pending from now on, whatever it was. SETPAY_E_NOT_FOUND where the webhook has no such
 * delivery. */
enum setpay_error setpay_delivery_again(struct setpay_db *db, int64_t webhook_seq,
                                        const char *delivery_id,
                                        setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* An attempt, as it ended. */
struct setpay_delivery_attempt {
    int64_t seq; /* of the delivery */
    int64_t webhook_seq;
    enum setpay_delivery_result result;
    int status; /* of HTTP; 0: no answer */
    int64_t retry_after_ms;
    setpay_time_ms ended_ms;
    uint8_t jitter;
    /* Set by setpay_delivery_record, for the log. */
    int64_t attempts;
    bool gave_up;
    bool disabled; /* the webhook was switched off by this */
};
/* Books it in delivery and webhook. One that has gone meanwhile is passed over. */
enum setpay_error setpay_delivery_record(struct setpay_db *db,
                                         const struct setpay_delivery_rules *rules,
                                         struct setpay_delivery_attempt *attempt) SETPAY_MUST_CHECK;

/* ---- reading */

/* What is to be sent. Zeroed memory is an empty one. */
struct setpay_delivery {
    int64_t seq;
    int64_t webhook_seq;
    setpay_time_ms next_ms;
    char webhook_id[SETPAY_WEBHOOK_ID_SIZE];
    char event_id[SETPAY_EVENT_ID_SIZE];
    char type[SETPAY_EVENT_TYPE_SIZE];
    char url[SETPAY_WEBHOOK_URL_BYTES + 1];
    char *body; /* owned */
    struct setpay_secret secret;
    struct setpay_secret old_secret;
};
void setpay_delivery_clear(struct setpay_delivery *delivery);
/* Seqs of up to room deliveries of a webhook that are due, the longest due first. */
enum setpay_error setpay_delivery_due(struct setpay_db *db, int64_t webhook_seq,
                                      setpay_time_ms now_ms, size_t room, int64_t *seqs,
                                      size_t *count) SETPAY_MUST_CHECK;
/* All that is needed to send it. *delivery must be empty; clear it after SETPAY_OK.
 * SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_delivery_load(struct setpay_db *db, int64_t seq, setpay_time_ms now_ms,
                                       struct setpay_delivery *delivery) SETPAY_MUST_CHECK;
/* When the next one is due that is not due at now_ms; INT64_MAX: none. */
enum setpay_error setpay_delivery_next_due(struct setpay_db *db, int64_t webhook_seq,
                                           setpay_time_ms now_ms,
                                           setpay_time_ms *next_ms) SETPAY_MUST_CHECK;

struct setpay_delivery_list {
    int64_t webhook_seq;
    int64_t before_seq; /* INT64_MAX: from the youngest on */
    size_t limit;
};
/* {"deliveries":[…],"has_more","next_cursor"}, the youngest first, owned. */
enum setpay_error setpay_delivery_list_read(struct setpay_db *db,
                                            const struct setpay_delivery_list *wanted,
                                            json_t **page) SETPAY_MUST_CHECK;

#endif
