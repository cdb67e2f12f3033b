/*
 * Incoming money: what issuers have paid, as the bank's statement says. So much of it as the issuer
 * owes goes against issuer receivable, the rest to suspense; and what is in suspense, from there or
 * because an issuer has refused a presentment, until somebody has found out where it belongs.
 *
 *     paid        cash <- issuer receivable, suspense      (of the issuer: brand "", its name)
 *     cleared     suspense -> merchant payable, issuer receivable or cash
 *     paid to it  issuer receivable <- cash (an amount below 0)
 *     undone      a payment the other way round, out of suspense too
 *
 * A presentment that was refused went to suspense as what it would have been to its merchant; its
 * interchange and fee stayed where they were. What is cleared of it has its share of them: to the
 * issuer, where nobody was charged, takes them back; to the merchant leaves them, since the issuer
 * owes it less interchange. What was written off never reached an issuer: to the merchant, it is
 * our loss.
 *
 * An issuer owes what it has taken, less its interchange and what was credited or lost in disputes;
 * what it has refused and was cleared to a merchant, less interchange; and less what it has paid. A
 * payment is known by issuer and reference. What it owes may be below nothing, where more was
 * credited than captured: then we pay it, which is a payment of an amount below 0 and no more than
 * that. A payment that was booked by mistake is undone, by an entry of its own; what has its issuer
 * and reference then is another payment.
 *
 * All functions with a db run inside a store operation or a read.
 */
#ifndef SETPAY_GATEWAY_CLEARING_INCOMING_H
#define SETPAY_GATEWAY_CLEARING_INCOMING_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "gateway/clearing/ledger.h"
#include "gateway/clearing/sql_names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* item: the event of the entry by which something went to suspense; number: from 1, of its
 * clearings. */
#define SETPAY_INCOMING_SCHEMA                                                                     \
    "CREATE TABLE issuer_payment ("                                                                \
    " id INTEGER PRIMARY KEY, token BLOB NOT NULL UNIQUE, issuer TEXT NOT NULL,"                   \
    " reference TEXT NOT NULL, currency TEXT NOT NULL, amount_minor INTEGER NOT NULL,"             \
    " day TEXT NOT NULL, matched_minor INTEGER NOT NULL, created_ms INTEGER NOT NULL);"            \
    "CREATE UNIQUE INDEX issuer_payment_reference ON issuer_payment (issuer, reference);"          \
    "CREATE TABLE suspense_clearing ("                                                             \
    " id INTEGER PRIMARY KEY, token BLOB NOT NULL UNIQUE, item BLOB NOT NULL,"                     \
    " number INTEGER NOT NULL, brand TEXT NOT NULL, merchant_id TEXT NOT NULL,"                    \
    " currency TEXT NOT NULL, amount_minor INTEGER NOT NULL, account INTEGER NOT NULL,"            \
    " reason TEXT NOT NULL, created_ms INTEGER NOT NULL);"                                         \
    "CREATE UNIQUE INDEX suspense_clearing_item ON suspense_clearing (item, number);"

/* Of a later step of the gateway's schema. NULL: cleared before it, and posted without them. */
#define SETPAY_INCOMING_MORE_SCHEMA                                                                \
    "ALTER TABLE suspense_clearing ADD COLUMN interchange_minor INTEGER;"                          \
    "ALTER TABLE suspense_clearing ADD COLUMN fee_minor INTEGER;"                                  \
    "ALTER TABLE suspense_clearing ADD COLUMN loss_minor INTEGER;"

/* Of a later step: the settlement with which the merchant is told of a clearing of its presentment;
 * 0: with none yet. What was cleared before was told by the days of settlements, which are not the
 * order of their making. */
#define SETPAY_SUSPENSE_TOLD_SCHEMA                                                                \
    "ALTER TABLE suspense_clearing ADD COLUMN told_by INTEGER NOT NULL DEFAULT 0;"                 \
    "UPDATE suspense_clearing SET told_by = COALESCE((SELECT settlement_id FROM adjustment"        \
    " WHERE kind = " SETPAY_SQL_ADJUSTMENT_CLEARED " AND source_id = suspense_clearing.id),"       \
    " (SELECT MIN(s.id) FROM settlement s WHERE s.brand = suspense_clearing.brand"                 \
    " AND s.merchant_id = suspense_clearing.merchant_id"                                           \
    " AND s.currency = suspense_clearing.currency AND suspense_clearing.created_ms <= "            \
    "s.cut_off_ms"                                                                                 \
    " AND suspense_clearing.created_ms > COALESCE((SELECT MAX(before.cut_off_ms)"                  \
    " FROM settlement before WHERE before.brand = s.brand AND before.merchant_id = s.merchant_id"  \
    " AND before.currency = s.currency AND before.day < s.day), 0)), 0);"                          \
    "CREATE INDEX suspense_clearing_told ON suspense_clearing (told_by, brand, merchant_id);"      \
    "CREATE INDEX suspense_clearing_created ON suspense_clearing (created_ms, id);"

/* Of a later step of the gateway's schema: what each issuer has taken, less interchange, so that
 * what it owes is known without a look at every presentment that ever was. The database keeps it,
 * whoever writes an answer; an audit adds it up again. */
#define SETPAY_INCOMING_IS_TAKEN(row) row "response_code IN ('00', '94')"
#define SETPAY_INCOMING_TAKEN_MINOR                                                                \
    "CASE step.kind WHEN " SETPAY_SQL_CAPTURE " THEN step.amount_minor - interchange_minor"        \
    " ELSE interchange_minor - step.amount_minor END"
#define SETPAY_INCOMING_TAKE(sign)                                                                 \
    " BEGIN INSERT INTO issuer_taken SELECT payment.issuer, currency, " sign                       \
    " * (" SETPAY_INCOMING_TAKEN_MINOR ") FROM step JOIN payment ON payment.id = step.payment_id"  \
    " WHERE step.id = NEW.step_id ON CONFLICT (issuer, currency)"                                  \
    " DO UPDATE SET minor = minor + excluded.minor; END;"
#define SETPAY_INCOMING_TAKEN_SCHEMA                                                               \
    "CREATE TABLE issuer_taken (issuer TEXT NOT NULL, currency TEXT NOT NULL,"                     \
    " minor INTEGER NOT NULL, PRIMARY KEY (issuer, currency));"                                    \
    "INSERT INTO issuer_taken SELECT payment.issuer, currency, SUM(" SETPAY_INCOMING_TAKEN_MINOR   \
    ") FROM presentment JOIN step ON step.id = step_id"                                            \
    " JOIN payment ON payment.id = step.payment_id WHERE " SETPAY_INCOMING_IS_TAKEN(               \
        "") " GROUP BY payment.issuer, currency;"                                                  \
            "CREATE TRIGGER presentment_taken_at_once AFTER INSERT ON presentment"                 \
            " WHEN " SETPAY_INCOMING_IS_TAKEN("NEW.") SETPAY_INCOMING_TAKE(                        \
                "1") "CREATE TRIGGER presentment_taken AFTER UPDATE OF response_code ON "          \
                     "presentment"                                                                 \
                     " WHEN " SETPAY_INCOMING_IS_TAKEN(                                            \
                         "NEW.") " AND NOT " SETPAY_INCOMING_IS_TAKEN("OLD.")                      \
                         SETPAY_INCOMING_TAKE(                                                     \
                             "1") "CREATE TRIGGER presentment_untaken AFTER UPDATE OF "            \
                                  "response_code ON presentment"                                   \
                                  " WHEN NOT " SETPAY_INCOMING_IS_TAKEN(                           \
                                      "NEW.") " AND " SETPAY_INCOMING_IS_TAKEN("OLD.")             \
                                      SETPAY_INCOMING_TAKE("-1")

/* Of a later step of the gateway's schema. undone: of a payment that was undone, the event of the
 * entry. Of those with one reference, one is not undone. */
#define SETPAY_INCOMING_UNDONE_SCHEMA                                                              \
    "ALTER TABLE issuer_payment ADD COLUMN undone BLOB;"                                           \
    "ALTER TABLE issuer_payment ADD COLUMN undone_ms INTEGER NOT NULL DEFAULT 0;"                  \
    "ALTER TABLE issuer_payment ADD COLUMN undone_reason TEXT NOT NULL DEFAULT '';"                \
    "DROP INDEX issuer_payment_reference;"                                                         \
    "CREATE UNIQUE INDEX issuer_payment_reference ON issuer_payment (issuer, reference)"           \
    " WHERE undone IS NULL;"                                                                       \
    "CREATE UNIQUE INDEX issuer_payment_undone ON issuer_payment (undone);"

#define SETPAY_INCOMING_REFERENCE_SIZE 65
#define SETPAY_INCOMING_DAY_SIZE 11
#define SETPAY_INCOMING_FILE_MAX (4U * 1024 * 1024)
#define SETPAY_INCOMING_ROWS_MAX 10000
#define SETPAY_SUSPENSE_REASON_SIZE 201

/* ------------------------------------------------------------------ what issuers paid */

struct setpay_incoming {
    int64_t id; /* 0: not stored yet */
    struct setpay_id token;
    char issuer[SETPAY_WIRE_PARTY_MAX + 1]; /* its section of the configuration */
    char reference[SETPAY_INCOMING_REFERENCE_SIZE];
    struct setpay_money amount;         /* below 0: we have paid the issuer */
    char day[SETPAY_INCOMING_DAY_SIZE]; /* on which the bank booked it */
    int64_t matched_minor;              /* against what it owed; the rest is in suspense */
    setpay_time_ms created_ms;
    size_t line;              /* of the list it came with */
    bool known;               /* it was booked before */
    int64_t left_minor;       /* what the issuer owes behind it */
    struct setpay_id undone;  /* the event of its undoing */
    setpay_time_ms undone_ms; /* 0: it stands */
    char undone_reason[SETPAY_SUSPENSE_REASON_SIZE];
};

struct setpay_incoming_list {
    struct setpay_incoming *rows; /* owned */
    size_t count;
};
void setpay_incoming_list_clear(struct setpay_incoming_list *list);
/* Pure. A line "issuer,amount,currency,date,reference" of names, then one for each payment; amounts
 * with their currency's digits. SETPAY_E_INVALID with line and field, also where one reference of
 * an issuer is there twice; SETPAY_E_NOMEM. *list is untouched on error. */
enum setpay_error setpay_incoming_parse(struct setpay_view bytes, struct setpay_incoming_list *list,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Pure: how much of a payment goes against what is owed (which may be below 0). */
int64_t setpay_incoming_match(int64_t amount_minor, int64_t owed_minor);
/* Computed of all that a payment says. SETPAY_E_CRYPTO. */
enum setpay_error setpay_incoming_token(const struct setpay_incoming *payment,
                                        struct setpay_id *token) SETPAY_MUST_CHECK;
void setpay_incoming_post(int64_t amount_minor, int64_t matched_minor,
                          struct setpay_ledger_entry *entry);

/* What an issuer owes in a currency now; below 0: we owe it. */
enum setpay_error setpay_incoming_owed(struct setpay_db *db, const char *issuer,
                                       const char *currency, int64_t *minor) SETPAY_MUST_CHECK;
/* In an operation: books each payment of the list, and sets what is known of it then; one that is
 * there already is left as it is. SETPAY_E_EXISTS with words: issuer and reference are there with
 * another amount or day. */
enum setpay_error setpay_incoming_keep(struct setpay_db *db, struct setpay_incoming_list *list,
                                       setpay_time_ms now_ms,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* incoming_back.c: in an operation: books what we have paid to an issuer; payment->amount is above
 * 0 and becomes what it is in the books. Repeated, as setpay_incoming_keep does; the same errors,
 * and SETPAY_E_MONEY_NEGATIVE with words where that issuer is not owed so much. */
enum setpay_error setpay_incoming_pay(struct setpay_db *db, struct setpay_incoming *payment,
                                      setpay_time_ms now_ms,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* incoming_back.c: in an operation: undoes the payment with payment's issuer and reference, for
 * undone_reason, and fills it. SETPAY_E_NOT_FOUND (none stands), SETPAY_E_STATE (of what went to
 * suspense something is cleared), with words. */
enum setpay_error setpay_incoming_undo(struct setpay_db *db, struct setpay_incoming *payment,
                                       setpay_time_ms now_ms,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Computed of the payment and of all that was told with its undoing. */
enum setpay_error setpay_incoming_undone_event(const struct setpay_incoming *payment,
                                               struct setpay_id *event) SETPAY_MUST_CHECK;
void setpay_incoming_undone_post(int64_t amount_minor, int64_t matched_minor,
                                 struct setpay_ledger_entry *entry);
typedef enum setpay_error setpay_incoming_fn(void *arg, const struct setpay_incoming *payment);
/* Payments of an issuer (NULL: of all), the newest first, at most limit; those that were undone
 * too. */
enum setpay_error setpay_incoming_each(struct setpay_db *db, const char *issuer, int64_t limit,
                                       setpay_incoming_fn *each, void *arg) SETPAY_MUST_CHECK;

/* Of the files that book payments. */
#define SETPAY_INCOMING_COLUMNS                                                                    \
    "id, token, issuer, reference, currency, amount_minor, day, matched_minor, created_ms, "       \
    "undone,"                                                                                      \
    " undone_ms, undone_reason"
void setpay_incoming_read(struct setpay_db_rows *rows, struct setpay_incoming *payment);
/* The one with payment's issuer and reference that stands, into payment. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_incoming_find(struct setpay_db *db,
                                       struct setpay_incoming *payment) SETPAY_MUST_CHECK;
enum setpay_error setpay_incoming_insert(struct setpay_db *db,
                                         const struct setpay_incoming *payment) SETPAY_MUST_CHECK;
/* A day to come is refused: SETPAY_E_INVALID. */
enum setpay_error setpay_incoming_check_day(const struct setpay_incoming *payment,
                                            setpay_time_ms now_ms,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* *payment->known: it stands already, and payment is as it stands. SETPAY_E_EXISTS with words: with
 * another amount or day. */
enum setpay_error setpay_incoming_look_for(struct setpay_db *db, struct setpay_incoming *payment,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ suspense */

/* SQL: an amount, so that a row that was edited to the edge of a number does not end a sum. */
#define SETPAY_SUSPENSE_BOUND(amount) "MAX(MIN(" amount ", 10000000000000000), -10000000000000000)"

struct setpay_suspense_item {
    struct setpay_id event;
    bool is_payment;     /* else a presentment that was refused */
    bool is_written_off; /* that one: by us; its issuer has never heard of it */
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1]; /* of a payment: the issuer */
    char currency[4];
    int64_t amount_minor;      /* as it went in; below 0 of a credit that was refused; 0 where a fee
                                * took all of a capture */
    int64_t interchange_minor; /* these two are the presentment's, of the same sign */
    int64_t fee_minor;
    int64_t cleared_minor; /* of the same sign */
    int64_t clearings;
    setpay_time_ms since_ms;
    char what[SETPAY_INCOMING_REFERENCE_SIZE]; /* the reference; or the step that was refused */
};
typedef enum setpay_error setpay_suspense_each_fn(void *arg,
                                                  const struct setpay_suspense_item *item);
/* What is left in suspense, the oldest first; behind the item after, also where nothing is left of
 * that (NULL: from the first on). Ends with each's error. SETPAY_E_NOT_FOUND: never there. */
enum setpay_error setpay_suspense_each(struct setpay_db *db, const struct setpay_id *after,
                                       setpay_suspense_each_fn *each, void *arg) SETPAY_MUST_CHECK;

struct setpay_suspense_clearing {
    int64_t id;
    struct setpay_id token;
    struct setpay_id item;
    int64_t number;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char currency[4];
    int64_t amount_minor; /* below 0 of a credit; what follows of the same sign */
    bool is_of_before;    /* cleared before there were shares: these are 0 */
    int64_t interchange_minor;
    int64_t fee_minor;
    int64_t loss_minor; /* what nobody will pay us, with the fee: written off, to the merchant */
    enum setpay_account account;
    char reason[SETPAY_SUSPENSE_REASON_SIZE];
    setpay_time_ms created_ms;
};
enum setpay_error setpay_suspense_clearing_token(const struct setpay_suspense_clearing *clearing,
                                                 struct setpay_id *token) SETPAY_MUST_CHECK;

/* Pure: whether there is something to clear. */
bool setpay_suspense_is_open(const struct setpay_suspense_item *item);
/* Pure: the shares and the loss of clearing->amount_minor, to clearing->account, of what is left of
 * the item. Those of all parts come to exactly what it is in whole. */
void setpay_suspense_share(const struct setpay_suspense_item *item,
                           struct setpay_suspense_clearing *clearing);
/* Pure: the postings. Where a fee takes all, what the merchant is owed and its fee are two of its
 * account, so that such a clearing has an entry too. */
void setpay_suspense_clearing_post(const struct setpay_suspense_clearing *clearing,
                                   struct setpay_ledger_entry *entry);
/* Pure: how much is cleared of an item, with its sign; asked_minor 0: all that is left. With words:
 * SETPAY_E_MONEY_NEGATIVE (more than is left, or nothing is), SETPAY_E_INVALID (an account to which
 * such an item does not go). */
enum setpay_error setpay_suspense_decide(const struct setpay_suspense_item *item,
                                         enum setpay_account account, int64_t asked_minor,
                                         int64_t *amount_minor,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* In an operation. Item, account, reason and created_ms are set; asked is of a currency, or has
 * minor 0 for all. The errors above; SETPAY_E_NOT_FOUND (no such item), SETPAY_E_MONEY_CURRENCY,
 * SETPAY_E_MONEY_NEGATIVE (to an issuer that owes less than a payment's rest). */
enum setpay_error setpay_suspense_clear(struct setpay_db *db,
                                        struct setpay_suspense_clearing *clearing,
                                        const struct setpay_money *asked,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* A clearing of a presentment, as its merchant is told of it. */
struct setpay_suspense_told {
    int64_t id;
    struct setpay_id token; /* of the clearing */
    struct setpay_id step, xid;
    bool is_paid;               /* to the merchant; else to the issuer: it has booked nothing */
    bool is_written_off;        /* it has never heard of it */
    struct setpay_money amount; /* to the merchant, less its fee; below 0 of a credit */
    char reason[SETPAY_SUSPENSE_REASON_SIZE];
    int64_t settlement;
};
typedef enum setpay_error setpay_suspense_told_fn(void *arg,
                                                  const struct setpay_suspense_told *told);
/* In the operation that makes a settlement: its merchant is told with it of all that was cleared up
 * to its cut-off, and that it was not told of: once, whatever days are settled, and in which order.
 * What is part of it as an adjustment is among these. */
struct setpay_settlement;
enum setpay_error
setpay_suspense_tell(struct setpay_db *db,
                     const struct setpay_settlement *settlement) SETPAY_MUST_CHECK;
/* Those that a settlement's merchant is told of with it, behind the clearing after, at most limit.
 */
enum setpay_error setpay_suspense_told_each(struct setpay_db *db, int64_t settlement, int64_t after,
                                            int64_t limit, setpay_suspense_told_fn *each,
                                            void *arg) SETPAY_MUST_CHECK;
/* Pure: the postings of a write-off of a step of amount_minor: the claim on the issuer out of its
 * account and in again. Nothing changes hands; but the entry holds when and why it was written off,
 * from the moment on. */
void setpay_write_off_post(int64_t amount_minor, struct setpay_ledger_entry *entry);
/* In an operation: the presentment is given up, with its entry. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_write_off(struct setpay_db *db, int64_t presentment, setpay_time_ms at_ms,
                                   const char *reason) SETPAY_MUST_CHECK;

/* What the cardholder was not charged of a capture of amount_minor: nothing where its issuer has
 * taken it, or has not answered; all of it where that has refused it, less what was cleared to the
 * merchant, since the charge was right then; all of it where it was written off, whoever bears it.
 */
enum setpay_error setpay_suspense_uncharged(struct setpay_db *db, int64_t step_id,
                                            int64_t amount_minor,
                                            int64_t *uncharged_minor) SETPAY_MUST_CHECK;
/* SETPAY_E_NOT_FOUND; what is left of it may be nothing. */
enum setpay_error setpay_suspense_find(struct setpay_db *db, const struct setpay_id *event,
                                       struct setpay_suspense_item *item) SETPAY_MUST_CHECK;

#endif
