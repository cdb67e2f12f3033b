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
    char issuer[SETPAY_NETWORK_NAME_SIZE]; /* by its section of the configuration */
    setpay_time_ms
        presented_ms; /* the first time: when its batch was closed, or a sale asked for */
    setpay_time_ms acknowledged_ms;
    setpay_time_ms undone_ms; /* of a sale: when it was undone; 0: it was not */
};

typedef enum setpay_error setpay_clearing_item_fn(void *arg,
                                                  const struct setpay_clearing_item *item);
/* Those behind after, in the order of their making, at most limit. settlement 0: of all. */
enum setpay_error setpay_clearing_items_each(struct setpay_db *db, int64_t settlement,
                                             int64_t after, int64_t limit,
                                             setpay_clearing_item_fn *each,
                                             void *arg) SETPAY_MUST_CHECK;

/* Sales that have no presentment: their batch is open, or they were undone in it. */
enum setpay_error setpay_clearing_sales_each(struct setpay_db *db, int64_t after, int64_t limit,
                                             setpay_clearing_item_fn *each,
                                             void *arg) SETPAY_MUST_CHECK;

/* Sales that are no step, since nobody knew their outcome, and were reversed. */
enum setpay_error setpay_clearing_unsold_each(struct setpay_db *db, int64_t after, int64_t limit,
                                              setpay_clearing_item_fn *each,
                                              void *arg) SETPAY_MUST_CHECK;

#endif
