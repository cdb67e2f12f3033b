/*
 * A merchant's settlements as a file, setpay-settlement(5): item by item what was paid out for a
 * day, less which fees, what is in dispute, and what came of what issuers had refused. Its writer
 * is setpay-gateway, its reader setpay-merchant. Building and parsing; pure.
 */
#ifndef SETPAY_WIRE_SETTLEMENT_FILE_H
#define SETPAY_WIRE_SETTLEMENT_FILE_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/crypto/hash.h"
#include "common/wire/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one command of the administration socket has room for: some 60,000 rows. */
#define SETPAY_SETTLEMENT_FILE_MAX (7U * 1024 * 1024)
/* What one answer of that socket has room for, each with its sums. */
#define SETPAY_SETTLEMENT_REPORTS_MAX 4000
#define SETPAY_SETTLEMENT_DATE_SIZE 11
#define SETPAY_SETTLEMENT_CODE_SIZE 17
#define SETPAY_SETTLEMENT_SUM_MAX INT64_C(999999999999999999)

/* Stored by the merchant; never reuse a number. */
enum setpay_settlement_kind {
    SETPAY_SETTLEMENT_CAPTURE = 1,
    SETPAY_SETTLEMENT_CREDIT = 2,
    SETPAY_SETTLEMENT_SALE = 3,     /* captured with its authorisation */
    SETPAY_SETTLEMENT_DISPUTE = 4,  /* held back */
    SETPAY_SETTLEMENT_RETURNED = 5, /* a dispute that ended for the merchant */
    SETPAY_SETTLEMENT_CLEARED = 6,  /* refused by its issuer before, and paid after all */
    SETPAY_SETTLEMENT_ENDED = 7,    /* refused, and nobody was charged: not paid */
    SETPAY_SETTLEMENT_KINDS
};

struct setpay_settlement_row {
    size_t line; /* of the file, once it was parsed */
    enum setpay_settlement_kind kind;
    struct setpay_id step; /* the gateway's name of the capture or credit, which the merchant has */
    struct setpay_id xid;
    uint32_t batch;       /* of an item; else 0 */
    int64_t amount_minor; /* above 0; of what was cleared or ended: to the merchant, less its fee,
                             below 0 of a credit */
    int64_t fee_minor;    /* of an item: the merchant's; of a credit so much is given back */
    char code[SETPAY_SETTLEMENT_CODE_SIZE]; /* of an item "00": taken, else the issuer's refusal;
                                               of a dispute its reason; else "" */
    char
        date[SETPAY_SETTLEMENT_DATE_SIZE]; /* of presenting; of a dispute's begin or end; else "" */
    struct setpay_id event;                /* of the dispute or clearing; zeros of an item */
};

/* Counts, and sums in minor units. */
struct setpay_settlement_totals {
    /* What its rows come to. */
    int64_t capture_count, capture_minor, capture_fee_minor; /* taken by issuers; gross */
    int64_t credit_count, credit_minor, credit_fee_minor;
    int64_t refused_count, refused_minor; /* what they would have been to the merchant */
    int64_t disputed_count, disputed_minor;
    int64_t returned_count, returned_minor;
    int64_t cleared_count, cleared_minor; /* of those that move something */
    /* What is not of rows. */
    int64_t carried_in_minor;           /* 0 or below */
    int64_t held_minor, released_minor; /* into the reserve and out of it */
    int64_t repaid_count, repaid_minor; /* payouts that the bank had returned */
    int64_t payout_minor;               /* 0 or above */
    int64_t carried_out_minor;          /* 0 or below */
};

struct setpay_settlement_report {
    char gateway[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_id settlement; /* its id */
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char day[SETPAY_SETTLEMENT_DATE_SIZE];
    char currency[4];
    struct setpay_settlement_row *rows; /* owned */
    size_t row_count;
    struct setpay_settlement_totals totals;
    size_t line;                 /* of its header, once it was parsed */
    struct setpay_digest digest; /* of all before its end, likewise */
};

/* One settlement behind the other: of each currency, or of some days. */
struct setpay_settlement_file {
    struct setpay_settlement_report *reports; /* owned */
    size_t count;
};

/* "capture", "dispute-returned"; NULL for a number that is none. */
const char *setpay_settlement_kind_name(enum setpay_settlement_kind kind);
/* Capture, credit or sale: what was in a batch. */
bool setpay_settlement_kind_is_item(enum setpay_settlement_kind kind);
/* What captures, credits and their fees come to. */
int64_t setpay_settlement_totals_net(const struct setpay_settlement_totals *totals);

void setpay_settlement_report_clear(struct setpay_settlement_report *report);
/* A copy of row behind the others. SETPAY_E_NOMEM. */
enum setpay_error
setpay_settlement_report_add(struct setpay_settlement_report *report,
                             const struct setpay_settlement_row *row) SETPAY_MUST_CHECK;
/* The totals of its rows anew; those that are not of rows stay. SETPAY_E_MONEY_OVERFLOW. */
enum setpay_error
setpay_settlement_report_total(struct setpay_settlement_report *report) SETPAY_MUST_CHECK;
/* Appends one settlement with its totals, which are made anew as above. SETPAY_E_INVALID: a value
 * could not be parsed again, or what is paid out is not what all else comes to;
 * SETPAY_E_MONEY_OVERFLOW, SETPAY_E_TOO_BIG, SETPAY_E_NOMEM. */
enum setpay_error setpay_settlement_report_build(struct setpay_settlement_report *report,
                                                 struct setpay_buffer *out) SETPAY_MUST_CHECK;

/* One settlement or several. SETPAY_E_INVALID with line, field, what was found and what is
 * expected, also where totals, payout or digest are not those of the rows; SETPAY_E_NOMEM. *file is
 * untouched on error. Rows of one step are all given: to find them is for who compares. */
enum setpay_error setpay_settlement_file_parse(struct setpay_view bytes,
                                               struct setpay_settlement_file *file,
                                               struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_settlement_file_clear(struct setpay_settlement_file *file);

#endif
