/*
 * Settlements of days to come, which a clock has made that was ahead.
 *
 * Days are settled in order: what is settled for a day keeps that and every day before it from
 * being settled (again). Of a day to come, that is every day until then: a merchant would not be
 * paid for so long. What was settled so was paid out, though for the wrong day, and stays: no item
 * is settled twice, and what it carries over goes into the next. But a person may step over it;
 * then it keeps nothing but its own day from being settled. In which order settlements of one
 * merchant and currency follow each other is that of their making, with or without.
 *
 * All functions with a db run inside a store operation or a read.
 */
#ifndef SETPAY_GATEWAY_CLEARING_AHEAD_H
#define SETPAY_GATEWAY_CLEARING_AHEAD_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"
#include "gateway/clearing/settlement.h"

#include <stdbool.h>
#include <stdint.h>

/* Of a later step of the gateway's schema: the settlements that a person has stepped over. */
#define SETPAY_AHEAD_SCHEMA                                                                        \
    "CREATE TABLE settlement_stepped_over (settlement_id INTEGER PRIMARY KEY,"                     \
    " reason TEXT NOT NULL, created_ms INTEGER NOT NULL);"

#define SETPAY_AHEAD_REASON_SIZE 201

/* How far a merchant is settled in one currency. */
struct setpay_settled_so_far {
    char day[SETPAY_DATE_TEXT_SIZE]; /* it and those before are settled; "": none */
    setpay_time_ms cut_off_ms;       /* of that day */
    bool is_taken;                   /* the day that was asked for is one that was stepped over */
    int64_t carried_minor;           /* out of the last that was made */
};
/* Of the brand, merchant and currency of like, whose day is asked for. */
enum setpay_error setpay_settled_so_far(struct setpay_db *db, const struct setpay_settlement *like,
                                        struct setpay_settled_so_far *so_far) SETPAY_MUST_CHECK;

/* Settlements of days that end after now_ms, and that nobody has stepped over: how many, and the
 * last of their days ("" where there are none). */
struct setpay_settled_ahead {
    int64_t count;
    char day[SETPAY_DATE_TEXT_SIZE];
};
enum setpay_error setpay_settled_ahead(struct setpay_db *db, setpay_time_ms now_ms,
                                       struct setpay_settled_ahead *ahead) SETPAY_MUST_CHECK;
/* Inside an operation: steps over those of one day that ends after now_ms. count: how many were
 * not stepped over before. SETPAY_E_NOT_FOUND: there is none of that day that has not ended. */
enum setpay_error setpay_settlement_step_over(struct setpay_db *db, const char *day,
                                              setpay_time_ms now_ms, const char *reason,
                                              int64_t *count) SETPAY_MUST_CHECK;

#endif
