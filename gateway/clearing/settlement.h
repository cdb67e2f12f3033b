/*
 * Settlement: what a merchant gets for the items of its closed batches, for one day and currency.
 *
 * A day ends at the merchant's cut-off, in its zone. An item is a presentment: it is settled once,
 * by the first settlement of a day whose cut-off its batch was closed before, after its issuer has
 * answered. One that the issuer has refused is no part of what is paid out: it moves from what we
 * owe the merchant to the suspense account, until somebody has found out what is right.
 *
 *     net = captured - credited - fees
 *     due = carried in + net - disputed + returned + cleared + repaid + released
 *     held = a share of what was captured (reserve.h), but no more than is due
 *     payout = due - held, where that is above 0; else nothing, and it is carried out
 *
 * What is disputed, returned, cleared and repaid are adjustments (adjustment.h). What is carried
 * from day to day is 0 or below: what the merchant owes us. The entries of the ledger that a
 * settlement makes have events of their own, computed from what they are of, so that nothing can be
 * posted twice.
 */
#ifndef SETPAY_GATEWAY_CLEARING_SETTLEMENT_H
#define SETPAY_GATEWAY_CLEARING_SETTLEMENT_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/base/zone.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "gateway/clearing/adjustment.h"
#include "gateway/clearing/ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* suspense: of a refused presentment that is settled, the event of its entry. */
#define SETPAY_SETTLEMENT_SCHEMA                                                                   \
    "CREATE TABLE settlement ("                                                                    \
    " id INTEGER PRIMARY KEY, token BLOB NOT NULL UNIQUE, brand TEXT NOT NULL,"                    \
    " merchant_id TEXT NOT NULL, currency TEXT NOT NULL, day TEXT NOT NULL,"                       \
    " cut_off_ms INTEGER NOT NULL, capture_count INTEGER NOT NULL,"                                \
    " capture_minor INTEGER NOT NULL, credit_count INTEGER NOT NULL,"                              \
    " credit_minor INTEGER NOT NULL, fee_minor INTEGER NOT NULL, refused_count INTEGER NOT NULL,"  \
    " refused_minor INTEGER NOT NULL, carried_in_minor INTEGER NOT NULL,"                          \
    " payout_minor INTEGER NOT NULL, carried_out_minor INTEGER NOT NULL,"                          \
    " created_ms INTEGER NOT NULL);"                                                               \
    "CREATE UNIQUE INDEX settlement_day ON settlement (brand, merchant_id, currency, day);"        \
    "CREATE INDEX settlement_by_day ON settlement (day, id);"                                      \
    "ALTER TABLE presentment ADD COLUMN settlement_id INTEGER NOT NULL DEFAULT 0;"                 \
    "ALTER TABLE presentment ADD COLUMN suspense BLOB;"                                            \
    "CREATE INDEX presentment_settlement ON presentment (settlement_id, id);"                      \
    "CREATE INDEX presentment_batch ON presentment (batch_id, settlement_id);"                     \
    "CREATE UNIQUE INDEX presentment_suspense ON presentment (suspense);"

/* Of a later step of the gateway's schema. */
#define SETPAY_SETTLEMENT_MORE_SCHEMA                                                              \
    "ALTER TABLE settlement ADD COLUMN disputed_count INTEGER NOT NULL DEFAULT 0;"                 \
    "ALTER TABLE settlement ADD COLUMN disputed_minor INTEGER NOT NULL DEFAULT 0;"                 \
    "ALTER TABLE settlement ADD COLUMN returned_count INTEGER NOT NULL DEFAULT 0;"                 \
    "ALTER TABLE settlement ADD COLUMN returned_minor INTEGER NOT NULL DEFAULT 0;"                 \
    "ALTER TABLE settlement ADD COLUMN cleared_count INTEGER NOT NULL DEFAULT 0;"                  \
    "ALTER TABLE settlement ADD COLUMN cleared_minor INTEGER NOT NULL DEFAULT 0;"                  \
    "ALTER TABLE settlement ADD COLUMN reserve_ppm INTEGER NOT NULL DEFAULT 0;"                    \
    "ALTER TABLE settlement ADD COLUMN reserve_days INTEGER NOT NULL DEFAULT 0;"                   \
    "ALTER TABLE settlement ADD COLUMN held_minor INTEGER NOT NULL DEFAULT 0;"                     \
    "ALTER TABLE settlement ADD COLUMN released_minor INTEGER NOT NULL DEFAULT 0;"

/* write_off: of a presentment that the operator gave up, computed of what was told with it (""
 * where that was before this step of the schema). */
#define SETPAY_WRITE_OFF_SCHEMA                                                                    \
    "ALTER TABLE presentment ADD COLUMN write_off BLOB;"                                           \
    "UPDATE presentment SET write_off = x'' WHERE response_code = 'WO';"

/* Of a later step of the gateway's schema: settlements up to this row have tokens of merchant,
 * currency and day alone. */
#define SETPAY_SETTLEMENT_TIMES_SCHEMA                                                             \
    "CREATE TABLE settlement_rule (id INTEGER PRIMARY KEY, last_before INTEGER NOT NULL);"         \
    "INSERT INTO settlement_rule SELECT 1, COALESCE(MAX(id), 0) FROM settlement;"
/* SQL: a row of settlement is one of these. */
#define SETPAY_SETTLEMENT_IS_OF_BEFORE                                                             \
    "settlement.id <= (SELECT last_before FROM settlement_rule WHERE settlement_rule.id = 1)"

/* Of a later step: payouts that came back, and are paid again with it. */
#define SETPAY_SETTLEMENT_REPAID_SCHEMA                                                            \
    "ALTER TABLE settlement ADD COLUMN repaid_count INTEGER NOT NULL DEFAULT 0;"                   \
    "ALTER TABLE settlement ADD COLUMN repaid_minor INTEGER NOT NULL DEFAULT 0;"

/* What items come to. All of one merchant and currency. */
struct setpay_settlement_sums {
    int64_t capture_count, capture_minor; /* taken by the issuer; gross */
    int64_t credit_count, credit_minor;
    int64_t fee_minor;     /* of the captures: the merchant's */
    int64_t refused_count; /* by the issuer */
    int64_t refused_minor; /* what they would have been to the merchant; may be below 0 */
};

struct setpay_settlement {
    int64_t id; /* 0: not stored yet */
    struct setpay_id token;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char currency[4];
    char day[SETPAY_DATE_TEXT_SIZE];
    setpay_time_ms cut_off_ms;
    struct setpay_settlement_sums sums;
    struct setpay_adjustment_sums adjusted;
    int64_t reserve_ppm;      /* the share of what was captured that is held back */
    int64_t reserve_days;     /* for so long */
    int64_t held_minor;       /* into the reserve */
    int64_t released_minor;   /* out of it: of earlier settlements */
    int64_t carried_in_minor; /* 0 or below */
    int64_t payout_minor;     /* 0 or above */
    int64_t carried_out_minor;
    setpay_time_ms created_ms;
    bool is_of_before; /* read with the row: its token is of merchant, currency and day alone */
};

/* ------------------------------------------------------------------ pure */

/* "00", "94": the issuer has it. */
bool setpay_presentment_is_taken(const char *response_code);
int64_t setpay_settlement_net(const struct setpay_settlement_sums *sums);
/* Sets what is held back, payout and what is carried out. */
void setpay_settlement_close(struct setpay_settlement *settlement);
/* The event of the entry by which a settlement is paid out, and its token: computed from merchant,
 * currency, day, cut-off and the time at which it is made. SETPAY_E_CRYPTO. */
enum setpay_error setpay_settlement_token(const struct setpay_settlement *settlement,
                                          struct setpay_id *token) SETPAY_MUST_CHECK;
/* suspense.c: what a write-off of that step's presentment is known by: nothing that was told with
 * it can be changed behind it. */
enum setpay_error setpay_write_off_token(const struct setpay_id *step, setpay_time_ms at_ms,
                                         const char *reason,
                                         struct setpay_id *token) SETPAY_MUST_CHECK;
/* The event of the entry by which a refused presentment of that step goes to suspense. write_off:
 * that of one that was written off; else empty. */
enum setpay_error setpay_suspense_token(const struct setpay_id *step, struct setpay_view write_off,
                                        struct setpay_id *token) SETPAY_MUST_CHECK;
/* The postings of either. amount_minor: what the step is to the merchant. */
void setpay_settlement_post(int64_t payout_minor, struct setpay_ledger_entry *entry);
void setpay_suspense_post(int64_t amount_minor, struct setpay_ledger_entry *entry);

/* ------------------------------------------------------------------ settling */

/* What one operation looks at, and what it makes at most: it ends with the first merchant of whom
 * there is something to tell, and a merchant has so many currencies. How long that takes is up to
 * the items of that merchant's days alone, whose settlement is whole or not at all. */
#define SETPAY_SETTLE_MERCHANTS 64
#define SETPAY_SETTLEMENTS_AT_ONCE SETPAY_LIMIT_CURRENCIES

/* Why nothing of a merchant, or of one of its currencies, can be settled before a person has done
 * something. */
enum setpay_settling_stop {
    SETPAY_SETTLING_NO_ZONE, /* this machine does not know its time zone (any more) */
    SETPAY_SETTLING_AHEAD,   /* settled already for a day to come (ahead.h) */
};

struct setpay_settling_stopped {
    enum setpay_settling_stop why;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char currency[4];                /* "": of all */
    char zone[SETPAY_ZONE_MAX + 1];  /* that is not known */
    char day[SETPAY_DATE_TEXT_SIZE]; /* that is to come */
    int64_t items;                   /* that wait for it */
};

/* Zeroed memory begins with the first merchant. */
struct setpay_settling {
    bool has_date; /* else each merchant's last day that has ended */
    struct setpay_date date;
    setpay_time_ms now_ms;
    /* The merchant behind whom to go on; afterwards, how far it came. */
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    /* What came of it. */
    struct setpay_settlement made[SETPAY_SETTLEMENTS_AT_ONCE];
    size_t made_count;
    struct setpay_settling_stopped stopped[SETPAY_SETTLEMENTS_AT_ONCE];
    size_t stopped_count;
    bool more;               /* there may be merchants behind: another operation */
    int64_t waiting_count;   /* items whose issuer has not answered yet */
    int64_t later_count;     /* items that came too late for a day that is settled */
    int64_t not_ended_count; /* merchants whose day has not ended yet */
};

/* Inside an operation: settles what can be of the next merchants, up to the first of whom something
 * was. What is done is done, whatever comes of the next operation; repeating it, from the first
 * merchant too, settles nothing twice. SETPAY_E_TOO_BIG: a merchant of more currencies than there
 * are. */
enum setpay_error setpay_settle(struct setpay_db *db,
                                struct setpay_settling *settling) SETPAY_MUST_CHECK;

/* A settlement can't be taken back, and one of a day to come keeps every day up to that from being
 * settled, until a person steps over it (ahead.h): a clock that is wrong must not make it. */
#define SETPAY_SETTLEMENT_QUIET_DAYS 7
/* Pure. last_ms: when something was kept last, 0: never. SETPAY_E_STATE where that is longer ago
 * than a gateway is quiet. */
enum setpay_error setpay_settlement_check_clock(setpay_time_ms last_ms,
                                                setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* The time of the newest payment, step, presentment or settlement, by the order in which they were
 * kept: not of what operators book, by whatever clock. */
enum setpay_error setpay_settlement_last_kept(struct setpay_db *db,
                                              setpay_time_ms *last_ms) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ looking */

/* Of the rows of settlements, as setpay_settlement_read reads them. */
#define SETPAY_SETTLEMENT_COLUMNS                                                                  \
    "id, token, brand, merchant_id, currency, day, cut_off_ms, capture_count, capture_minor,"      \
    " credit_count, credit_minor, fee_minor, refused_count, refused_minor, carried_in_minor,"      \
    " payout_minor, carried_out_minor, created_ms, disputed_count, disputed_minor,"                \
    " returned_count, returned_minor, cleared_count, cleared_minor, reserve_ppm, reserve_days,"    \
    " held_minor, released_minor, repaid_count, repaid_minor, " SETPAY_SETTLEMENT_IS_OF_BEFORE
void setpay_settlement_read(struct setpay_db_rows *rows, struct setpay_settlement *settlement);

/* Of a day, in the order of their making. */
struct setpay_settlement_filter {
    const char *day;
    const char *brand;       /* NULL: any */
    const char *merchant_id; /* NULL: any */
    int64_t after;           /* an id */
    int64_t limit;
};
typedef enum setpay_error setpay_settlement_each_fn(void *arg,
                                                    const struct setpay_settlement *settlement);
enum setpay_error setpay_settlement_each(struct setpay_db *db,
                                         const struct setpay_settlement_filter *filter,
                                         setpay_settlement_each_fn *each,
                                         void *arg) SETPAY_MUST_CHECK;

/* settlement_verify.c: every settlement is computed again from its items, and compared: its sums,
 * what was carried over from the one before, its entry; and each item with the settlement that it
 * names. Adds findings to those of setpay_ledger_verify's from the beginning. */
struct setpay_look;
enum setpay_error setpay_settlement_verify(struct setpay_look *look) SETPAY_MUST_CHECK;
/* What the entry of a settlement, or of a suspense, names. */
enum setpay_error
setpay_settlement_verify_entry(struct setpay_look *look,
                               const struct setpay_ledger_entry *entry) SETPAY_MUST_CHECK;
/* Presentments and batches: each item that was cleared is presented, once, in its batch; accounts
 * hold what steps and settlements leave. For audits; finds in addition. */
typedef void setpay_clearing_finding_cb(void *arg, const char *words);
enum setpay_error setpay_clearing_verify(struct setpay_db *db, setpay_clearing_finding_cb *found,
                                         void *arg, size_t *findings) SETPAY_MUST_CHECK;

#endif
