/*
 * Authorisation in an issuer's stead: while its line is down the gateway approves small purchases
 * by itself, within limits that its operator has set for that issuer, and advises it of each (0120)
 * until it has answered. What the issuer then does not take is the gateway's own risk.
 *
 * The decision is pure. Its facts are read once before it, and again in the operation that keeps
 * it, so that two that race do not go above the limit together.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_STAND_IN_H
#define SETPAY_GATEWAY_PAYMENT_STAND_IN_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/store/db.h"
#include "gateway/network/network.h"

#include <stdbool.h>
#include <stdint.h>

#define SETPAY_STAND_IN_CURRENCIES_MAX 8
/* At one issuer, unanswered: their cards lie in secret memory once they wait for its line. */
#define SETPAY_STAND_IN_OPEN_MAX 512

#define SETPAY_STAND_IN_SCHEMA                                                                     \
    "CREATE TABLE stand_in ("                                                                      \
    " id INTEGER PRIMARY KEY, payment_id INTEGER NOT NULL, issuer TEXT NOT NULL,"                  \
    " currency TEXT NOT NULL, amount_minor INTEGER NOT NULL, acknowledged INTEGER NOT NULL,"       \
    " response_code TEXT NOT NULL, sent_count INTEGER NOT NULL, created_ms INTEGER NOT NULL,"      \
    " acknowledged_ms INTEGER NOT NULL);"                                                          \
    "CREATE UNIQUE INDEX stand_in_payment ON stand_in (payment_id);"                               \
    "CREATE INDEX stand_in_open ON stand_in (issuer, currency) WHERE acknowledged = 0;"

/* Of a later step of the gateway's schema. reason, write_off: of one that the operator gave up, the
 * second computed of what was told with it (clearing/unsent.h). */
#define SETPAY_STAND_IN_WRITE_OFF_SCHEMA                                                           \
    "ALTER TABLE stand_in ADD COLUMN reason TEXT NOT NULL DEFAULT '';"                             \
    "ALTER TABLE stand_in ADD COLUMN write_off BLOB;"                                              \
    "CREATE UNIQUE INDEX stand_in_write_off ON stand_in (write_off);"
/* In the place of its issuer's response code. */
#define SETPAY_STAND_IN_WRITTEN_OFF "WO"

/* SQL: of this payment (a column with its id) an advice is unanswered. Whatever else the issuer is
 * told of it waits until it has answered that. */
#define SETPAY_STAND_IN_IS_OPEN(payment_id)                                                        \
    "EXISTS (SELECT 1 FROM stand_in WHERE stand_in.payment_id = " payment_id                       \
    " AND stand_in.acknowledged = 0)"

/* What may be approved in the stead of one issuer. */
struct setpay_stand_in {
    char issuer[SETPAY_NETWORK_NAME_SIZE];
    int64_t after_ms; /* of its line being down */
    struct {
        struct setpay_money each;
        int64_t total_minor; /* of those that it has not answered */
    } limits[SETPAY_STAND_IN_CURRENCIES_MAX];
    size_t count; /* 0: nothing */
};

/* Reads the limits: each is "25.00 EUR, 30.00 USD", and total has the same currencies. section is
 * for the words of problem. SETPAY_E_CONFIG. */
enum setpay_error setpay_stand_in_parse(const char *section, const char *each, const char *total,
                                        struct setpay_stand_in *made,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Those of all issuers that have some: one set, and after a reload another. */
struct setpay_stand_ins;
enum setpay_error setpay_stand_ins_new(struct setpay_stand_ins **stand_ins) SETPAY_MUST_CHECK;
void setpay_stand_ins_free(struct setpay_stand_ins *stand_ins); /* NULL-safe */
/* Any thread: from now on these (copied), of no more issuers than SETPAY_NETWORK_ROUTES_MAX. */
void setpay_stand_ins_set(struct setpay_stand_ins *stand_ins, const struct setpay_stand_in *all,
                          size_t count);
/* Any thread: a copy; its count is 0 where nothing may be approved, also where stand_ins is NULL.
 */
void setpay_stand_ins_find(struct setpay_stand_ins *stand_ins, const char *issuer,
                           struct setpay_stand_in *found);

struct setpay_stand_in_facts {
    int64_t down_ms; /* that the line has been down */
    struct setpay_money amount;
    bool is_further;    /* of an agreement, or begins one */
    bool is_expired;    /* the card, by its date */
    bool is_refused;    /* the card: its issuer has said last that it must not be used */
    int64_t open_minor; /* unanswered at the issuer in that currency */
    int64_t open_count; /* and in all */
};

enum setpay_stand_in_verdict {
    SETPAY_STAND_IN_APPROVED,
    SETPAY_STAND_IN_EXPIRED, /* declined */
    /* All others leave it to the issuer: busy until the line is up. */
    SETPAY_STAND_IN_TOO_SOON,
    SETPAY_STAND_IN_AGREEMENT,
    SETPAY_STAND_IN_ABOVE_LIMIT, /* or a currency without one */
    SETPAY_STAND_IN_ABOVE_TOTAL,
    SETPAY_STAND_IN_REFUSED_CARD,
    SETPAY_STAND_IN_VERDICTS,
};
/* Pure. */
enum setpay_stand_in_verdict setpay_stand_in_decide(const struct setpay_stand_in *limits,
                                                    const struct setpay_stand_in_facts *facts);
/* For logs and figures: "above_total". */
const char *setpay_stand_in_verdict_name(enum setpay_stand_in_verdict verdict);

/* Pure: whether the month of a card's date (YYMM) is over, in UTC; true for what is no date. */
bool setpay_stand_in_is_expired(struct setpay_view expiry, setpay_time_ms now_ms);
/* Pure: the gateway's own approval code: S and the end of the trace number, so that nobody takes it
 * for an issuer's, whose six are digits. */
void setpay_stand_in_approval_code(uint32_t stan, char code[7]);

/* ------------------------------------------------------------------ the rows */

struct setpay_stand_in_row {
    int64_t id;
    int64_t payment_id;
};

/* In facts: what is unanswered at the issuer, and what it has said of the card. */
enum setpay_error setpay_stand_in_read(struct setpay_db *db, const char *issuer,
                                       const struct setpay_digest *pan_digest,
                                       struct setpay_stand_in_facts *facts) SETPAY_MUST_CHECK;
/* The advice to send, of that payment. */
enum setpay_error setpay_stand_in_insert(struct setpay_db *db, int64_t payment_id,
                                         const char *issuer, const struct setpay_money *amount,
                                         setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* The first that is unanswered behind after. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_stand_in_next_open(struct setpay_db *db, int64_t after,
                                            struct setpay_stand_in_row *row) SETPAY_MUST_CHECK;
enum setpay_error setpay_stand_in_answer(struct setpay_db *db, int64_t id,
                                         const char *response_code, int64_t sent_count,
                                         setpay_time_ms now_ms) SETPAY_MUST_CHECK;

#endif
