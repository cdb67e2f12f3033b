/*
 * Settlements as the store may see them: what the gateway has paid out to the merchant, and where
 * that is not what the merchant's own books say.
 */
#ifndef SETPAY_MERCHANT_STORE_SETTLEMENT_VIEW_H
#define SETPAY_MERCHANT_STORE_SETTLEMENT_VIEW_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/wire/messages.h"
#include "common/wire/settlement_file.h"

#include <stdbool.h>
#include <stdint.h>

/* What is not as the merchant has it: bits, of which a row may have several. Stored; never reuse a
 * number. */
enum setpay_settlement_difference {
    SETPAY_SETTLEMENT_UNKNOWN = 1,     /* there is no such capture or credit here */
    SETPAY_SETTLEMENT_PAYMENT = 2,     /* it is of another payment here */
    SETPAY_SETTLEMENT_BRAND = 4,       /* of another brand */
    SETPAY_SETTLEMENT_OF_KIND = 8,     /* a credit here, and not a capture; or the reverse */
    SETPAY_SETTLEMENT_CURRENCY = 16,   /* another currency */
    SETPAY_SETTLEMENT_AMOUNT = 32,     /* another amount; of a dispute or clearing a larger one */
    SETPAY_SETTLEMENT_OF_BATCH = 64,   /* another batch */
    SETPAY_SETTLEMENT_UNDONE = 128,    /* it was undone here */
    SETPAY_SETTLEMENT_DUPLICATE = 256, /* a row before, of this settlement or another, has it too */
    SETPAY_SETTLEMENT_REFUSED = 512,   /* its issuer has refused it: nothing is paid for it */
};
#define SETPAY_SETTLEMENT_DIFFERENCES 10

/* Of the bit 1 << n: "unknown", …; NULL behind the last. */
const char *setpay_settlement_difference_name(unsigned n);

/* Why a person has accepted what differs. */
#define SETPAY_SETTLEMENT_REASON_SIZE 201

struct setpay_settlement_view {
    int64_t seq;         /* ascends with the reading in */
    struct setpay_id id; /* the gateway's */
    char gateway[SETPAY_WIRE_PARTY_MAX + 1];
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char day[SETPAY_SETTLEMENT_DATE_SIZE];
    char currency[4];
    struct setpay_settlement_totals totals;
    int64_t row_count;
    int64_t differing_count; /* rows with a difference that stands */
    setpay_time_ms imported_ms;
};
typedef enum setpay_error
setpay_settlement_visit_fn(void *arg, const struct setpay_settlement_view *settlement);

/* One row of a settlement, beside what the merchant has. */
struct setpay_settlement_row_view {
    int64_t seq;
    struct setpay_id settlement;
    char day[SETPAY_SETTLEMENT_DATE_SIZE]; /* of the settlement */
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char currency[4];
    struct setpay_settlement_row row;
    uint32_t differs;    /* of enum setpay_settlement_difference */
    bool stands;         /* a difference; false also where all has come of a refused one */
    bool is_known;       /* here; else the rest but other is nothing */
    struct setpay_id id; /* by which the store knows it */
    char order_id[SETPAY_WIRE_LID_M_MAX + 1];
    struct setpay_money ours;
    bool has_other;             /* of a duplicate: */
    struct setpay_id other;     /* the settlement whose row came first */
    setpay_time_ms accepted_ms; /* a person has accepted what differs; 0: nobody has; */
    char reason[SETPAY_SETTLEMENT_REASON_SIZE]; /* with this reason */
};
typedef enum setpay_error
setpay_settlement_row_visit_fn(void *arg, const struct setpay_settlement_row_view *row);

enum setpay_settlement_which {
    SETPAY_SETTLEMENT_ALL,
    SETPAY_SETTLEMENT_STANDING, /* with a difference that stands */
    SETPAY_SETTLEMENT_ACCEPTED, /* with one that a person has accepted */
};
struct setpay_settlement_rows {
    int64_t settlement; /* its seq; 0: of all */
    enum setpay_settlement_which which;
    int64_t after; /* a seq; 0: from the first on */
    int64_t room;
};

/* A capture or credit of a closed batch that no settlement has brought. */
struct setpay_unsettled_view {
    int64_t seq;
    bool is_credit;
    struct setpay_id id; /* by which the store knows it */
    struct setpay_id xid;
    struct setpay_id token; /* the gateway's name of it */
    char order_id[SETPAY_WIRE_LID_M_MAX + 1];
    struct setpay_money amount;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    uint32_t batch;
    setpay_time_ms closed_ms; /* of its batch */
};
typedef enum setpay_error setpay_unsettled_visit_fn(void *arg,
                                                    const struct setpay_unsettled_view *step);
struct setpay_unsettled {
    setpay_time_ms since_ms, before_ms; /* closed in this span of time, without its end */
    int64_t after;                      /* a seq; 0: from the first on */
    int64_t room;
};

/* How long after the closing of its batch something is not missed yet: an issuer answers, a day
 * ends, the gateway settles it and hands the file out. */
#define SETPAY_UNSETTLED_DAYS 7

#endif
