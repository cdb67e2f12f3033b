/*
 * Items: what was captured and credited, as it was presented to an issuer, for reports and for
 * comparing with what issuers say.
 */
#ifndef SETPAY_GATEWAY_CLEARING_ITEMS_H
#define SETPAY_GATEWAY_CLEARING_ITEMS_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "gateway/network/network.h"

#include <stdbool.h>
#include <stdint.h>

/* Of a later step of the gateway's schema: what was answered, done, or sold is found by its time or
 * name. */
#define SETPAY_CLEARING_WINDOW_SCHEMA                                                              \
    "CREATE INDEX presentment_answered ON presentment (acknowledged_ms, id);"                      \
    "CREATE INDEX step_created ON step (created_ms, id);"                                          \
    "CREATE INDEX payment_sale_id ON payment (sale_id) WHERE sale_id IS NOT NULL;"

struct setpay_clearing_item {
    int64_t id;            /* of the presentment; of a sale that has none, of the step; of one that
                              came to nothing, of the payment */
    struct setpay_id step; /* what issuers know it by */
    struct setpay_id xid;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    bool credits; /* the cardholder gets it back */
    bool sale;    /* it was presented with its authorisation */
    bool unsold;  /* a sale that came to nothing: there is no step of that id */
    struct setpay_money amount;
    int64_t fee_minor;
    uint32_t batch;
    int64_t settlement;    /* 0: not settled yet */
    bool acknowledged;     /* its issuer has answered */
    char response_code[3]; /* what it said */
    int64_t charged_minor; /* of what it refused: so much was cleared to the merchant after all */
    setpay_time_ms charged_ms;             /* when that was done last; 0: it was not */
    char issuer[SETPAY_NETWORK_NAME_SIZE]; /* by its section of the configuration */
    setpay_time_ms
        presented_ms; /* the first time: when its batch was closed, or a sale asked for */
    setpay_time_ms acknowledged_ms;
    setpay_time_ms undone_ms; /* of a sale: when it was undone; 0: it was not */
};

typedef enum setpay_error setpay_clearing_item_fn(void *arg,
                                                  const struct setpay_clearing_item *item);
/* Of a settlement, those behind after, in the order of their making, at most limit. */
enum setpay_error setpay_clearing_items_each(struct setpay_db *db, int64_t settlement,
                                             int64_t after, int64_t limit,
                                             setpay_clearing_item_fn *each,
                                             void *arg) SETPAY_MUST_CHECK;

/* What an issuer's file of some days is compared with, besides what it names itself. */
enum setpay_clearing_part {
    SETPAY_CLEARING_OPEN,     /* presented, and not answered yet: of whatever days */
    SETPAY_CLEARING_SALES,    /* booked or undone on these days, and without a presentment: their
                                 batch is open, or they were undone in it; a sale may come twice */
    SETPAY_CLEARING_ANSWERED, /* presented, and answered on these days; a sale: booked */
    SETPAY_CLEARING_CLAIMED,  /* refused, and cleared to the merchant on these days */
};
struct setpay_clearing_at {
    int64_t ms, id;
};
struct setpay_clearing_window {
    enum setpay_clearing_part part;
    setpay_time_ms from_ms, to_ms;   /* the first moment, and the one behind the last */
    struct setpay_clearing_at after; /* how far it has come; zeros: nowhere */
    int64_t limit;                   /* rows that are looked at, whether or not they are items */
};
/* One page. more: it may go on behind next, which is where it has come to. What is answered between
 * two pages is in the part of the answered too: ask in the order of the parts. */
enum setpay_error setpay_clearing_window_each(struct setpay_db *db,
                                              const struct setpay_clearing_window *window,
                                              setpay_clearing_item_fn *each, void *arg,
                                              struct setpay_clearing_at *next,
                                              bool *more) SETPAY_MUST_CHECK;

/* So many names one question has at most. */
#define SETPAY_CLEARING_NAMES_MAX 500
/* What issuers know by that name, of whatever day: what was presented, a sale without a
 * presentment, or a sale that is no step, since nobody knew its outcome, and was reversed. each is
 * not called where there is none. */
enum setpay_error setpay_clearing_item_named(struct setpay_db *db, const struct setpay_id *name,
                                             setpay_clearing_item_fn *each,
                                             void *arg) SETPAY_MUST_CHECK;

#endif
