/*
 * The ledger: double entry, append-only, each entry chained by hash to the one before.
 *
 * An entry belongs to one event (a step of a payment, a payout, a refused presentment) and names it
 * by its token. Its postings add up to nothing, in one currency: debits are positive, credits
 * negative. An entry is written in the store operation that writes its event, or neither is.
 * Nothing is ever changed (the database refuses it): what was wrong is posted again the other way
 * round.
 *
 * The hash of an entry is H("ledger", number, time, kind, event, brand, merchant id, currency,
 * account, amount, account, amount, …, hash of the entry before). It is made by the committer,
 * since only there it is known which entry is the one before: a single SHA-256, about a
 * microsecond.
 */
#ifndef SETPAY_GATEWAY_CLEARING_LEDGER_H
#define SETPAY_GATEWAY_CLEARING_LEDGER_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "gateway/clearing/fees.h"
#include "gateway/clearing/sql_names.h"

#include <stdint.h>

#define SETPAY_LEDGER_SCHEMA                                                                       \
    "CREATE TABLE ledger_entry ("                                                                  \
    " number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, kind INTEGER NOT NULL,"                \
    " event BLOB NOT NULL UNIQUE, brand TEXT NOT NULL, merchant_id TEXT NOT NULL,"                 \
    " currency TEXT NOT NULL, hash BLOB NOT NULL);"                                                \
    "CREATE TABLE ledger_posting ("                                                                \
    " entry INTEGER NOT NULL, line INTEGER NOT NULL, account INTEGER NOT NULL,"                    \
    " amount_minor INTEGER NOT NULL, PRIMARY KEY (entry, line));"                                  \
    "CREATE TABLE ledger_balance ("                                                                \
    " account INTEGER NOT NULL, brand TEXT NOT NULL, merchant_id TEXT NOT NULL,"                   \
    " currency TEXT NOT NULL, amount_minor INTEGER NOT NULL,"                                      \
    " PRIMARY KEY (account, brand, merchant_id, currency));"                                       \
    "CREATE TABLE ledger_head (id INTEGER PRIMARY KEY, number INTEGER NOT NULL,"                   \
    " hash BLOB NOT NULL);"

/* Of a later step of the gateway's schema: events of before it that have no entry, though those of
 * now have one: write-offs (by presentment.write_off), and clearings of suspense of which a fee
 * took all. */
#define SETPAY_LEDGER_BEFORE_SCHEMA                                                                \
    "CREATE TABLE ledger_before (event BLOB PRIMARY KEY);"                                         \
    "CREATE UNIQUE INDEX presentment_write_off ON presentment (write_off)"                         \
    " WHERE write_off > x'';"                                                                      \
    "INSERT INTO ledger_before SELECT write_off FROM presentment WHERE write_off > x'';"           \
    "INSERT INTO ledger_before SELECT token FROM suspense_clearing WHERE amount_minor = 0"         \
    " AND account = " SETPAY_SQL_MERCHANT_PAYABLE " AND COALESCE(loss_minor, 0) = 0;"

/* Of a later step: entries and postings are only ever added. Neither a slip of this program nor
 * one of a person at the database changes one, unless these are taken away first; who does that on
 * purpose is found by the hashes. */
#define SETPAY_LEDGER_KEPT(table, change)                                                          \
    "CREATE TRIGGER " table "_" change " BEFORE " change " ON " table                              \
    " BEGIN SELECT RAISE(ABORT, 'the ledger is only ever added to'); END;"
#define SETPAY_LEDGER_KEPT_SCHEMA                                                                  \
    SETPAY_LEDGER_KEPT("ledger_entry", "update")                                                   \
    SETPAY_LEDGER_KEPT("ledger_entry", "delete")                                                   \
    SETPAY_LEDGER_KEPT("ledger_posting", "update")                                                 \
    SETPAY_LEDGER_KEPT("ledger_posting", "delete")

/* Stored; never reuse a number. */
enum setpay_account {
    SETPAY_ACCOUNT_ISSUER_RECEIVABLE = 1, /* what issuers owe us, less their interchange */
    SETPAY_ACCOUNT_MERCHANT_PAYABLE = 2,  /* what we owe a merchant, less our fee */
    SETPAY_ACCOUNT_INTERCHANGE = 3,       /* what issuers keep */
    SETPAY_ACCOUNT_FEES = 4,              /* what merchants pay us */
    SETPAY_ACCOUNT_CASH = 5,              /* what issuers paid, less what was paid to merchants */
    SETPAY_ACCOUNT_SUSPENSE = 6,          /* what issuers refused, or paid too much, until it is
                                           * clear whose it is */
    SETPAY_ACCOUNT_DISPUTES = 7,          /* held back from merchants while it is in dispute */
    SETPAY_ACCOUNT_RESERVE = 8,           /* held back from merchants for some time */
    SETPAY_ACCOUNT_LOSSES = 9,            /* paid to merchants, and owed to us by nobody */
    SETPAY_ACCOUNT_LAST = SETPAY_ACCOUNT_LOSSES
};
/* "issuer receivable"; NULL for a number that is none. */
const char *setpay_account_name(enum setpay_account account);

enum setpay_ledger_kind {
    SETPAY_LEDGER_CAPTURE = 1,
    SETPAY_LEDGER_CREDIT = 2,
    SETPAY_LEDGER_CAPTURE_REVERSAL = 3,
    SETPAY_LEDGER_CREDIT_REVERSAL = 4,
    SETPAY_LEDGER_SETTLEMENT = 5, /* a payout; its event is the settlement (settlement.h) */
    SETPAY_LEDGER_SUSPENSE = 6,   /* a presentment that was refused; its event is computed of it */
    SETPAY_LEDGER_DISPUTE = 7,    /* these three are of a dispute (dispute.h) */
    SETPAY_LEDGER_DISPUTE_LOST = 8,
    SETPAY_LEDGER_DISPUTE_WON = 9,
    SETPAY_LEDGER_RESERVE = 10, /* a settlement holds something back (reserve.h) */
    SETPAY_LEDGER_RESERVE_RELEASE = 11,
    SETPAY_LEDGER_ISSUER_PAYMENT = 12, /* an issuer has paid (incoming.h); of no merchant */
    SETPAY_LEDGER_SUSPENSE_CLEARED = 13,
    SETPAY_LEDGER_WRITE_OFF = 14,        /* a presentment is given up; moves nothing (incoming.h) */
    SETPAY_LEDGER_ADVICE_WRITE_OFF = 15, /* so is an advice (unsent.h) */
    SETPAY_LEDGER_REVERSAL_WRITE_OFF = 16, /* so is a reversal (unsent.h) */
    SETPAY_LEDGER_PAYOUT_SENT = 17, /* stands in a file for the bank; moves nothing (payout.h) */
    SETPAY_LEDGER_PAYOUT_PAID = 18, /* by the bank's word; moves nothing: it left cash when made */
    SETPAY_LEDGER_PAYOUT_RETURNED = 19,       /* back to merchant payable */
    SETPAY_LEDGER_ISSUER_PAYMENT_UNDONE = 20, /* a payment the other way round (incoming.h) */
    SETPAY_LEDGER_PAYOUT_UNDONE = 21,    /* what the bank has not said of it, the other way round */
    SETPAY_LEDGER_PAYOUT_SET_ASIDE = 22, /* it was settled by other means; moves nothing */
    SETPAY_LEDGER_LAST = SETPAY_LEDGER_PAYOUT_SET_ASIDE
};
/* "capture reversal"; NULL for a number that is none. */
const char *setpay_ledger_kind_name(enum setpay_ledger_kind kind);

#define SETPAY_LEDGER_POSTINGS_MAX 8

struct setpay_posting {
    enum setpay_account account;
    int64_t amount_minor; /* debits positive, credits negative; never 0 */
};

struct setpay_ledger_entry {
    int64_t number; /* from 1, without a gap */
    setpay_time_ms time_ms;
    enum setpay_ledger_kind kind;
    struct setpay_id event;
    char brand[SETPAY_WIRE_BRAND_MAX + 1]; /* "": of an issuer, which merchant_id names */
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char currency[4];
    struct setpay_posting postings[SETPAY_LEDGER_POSTINGS_MAX];
    size_t posting_count;
    struct setpay_digest hash;
};

/* Pure: the postings of a step of amount_minor that costs charges. A capture: the issuer owes the
 * amount less interchange, we owe the merchant the amount less the fee. A credit goes the other
 * way, gives interchange back (given_back.h), and keeps the fee (charges.fee_minor is 0). Reversals
 * are the same the other way round. */
void setpay_ledger_post(enum setpay_ledger_kind kind, int64_t amount_minor,
                        const struct setpay_charges *charges, struct setpay_ledger_entry *entry);

/* Pure: one posting more; none of 0. There must be room. */
void setpay_ledger_add(struct setpay_ledger_entry *entry, enum setpay_account account,
                       int64_t amount_minor);
/* Pure: two postings, of from and to the other way round; none of 0. Debits from. */
void setpay_ledger_post_two(enum setpay_ledger_kind kind, enum setpay_account from,
                            enum setpay_account to, int64_t amount_minor,
                            struct setpay_ledger_entry *entry);
/* An event that is computed of what it is of: the first half of a digest, an id that nobody
 * chooses. */
struct setpay_hash;
enum setpay_error setpay_ledger_end_event(struct setpay_hash *state,
                                          struct setpay_id *event) SETPAY_MUST_CHECK;

/* Pure: the hash of entry as it stands, behind the entry with the hash previous. */
enum setpay_error setpay_ledger_hash(const struct setpay_ledger_entry *entry,
                                     const struct setpay_digest *previous,
                                     struct setpay_digest *hash) SETPAY_MUST_CHECK;

/* Inside a store operation: appends, and sets number and hash. SETPAY_E_INTERNAL where the postings
 * do not add up to nothing (our own mistake: nothing of the operation may stay);
 * SETPAY_E_DUPLICATE where the event has an entry. */
enum setpay_error setpay_ledger_append(struct setpay_db *db,
                                       struct setpay_ledger_entry *entry) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ looking through it */

/* Where a look begins or ended: after this entry. Zeros: before the first. */
struct setpay_ledger_mark {
    int64_t number;
    struct setpay_digest hash;
};

/* What is wrong, in words: which entry, what was found, what was expected. */
typedef void setpay_ledger_finding_cb(void *arg, const char *words);

/* Recomputes every entry behind from (NULL: from the beginning), and compares: numbers without a
 * gap, hashes and links, sums of nothing, the head, each entry with the event that it names. Then,
 * wherever it began, what stands around them: each event with its entry, settlements with their
 * items, what payments have been captured and credited, and the balances with all postings. What is
 * not seen behind a mark: entries and postings up to it that were changed so that sums hold, and
 * costs of a step that are not those of its entry up to it. The walk goes on after a finding.
 * findings is their number, reached where the look ended. SETPAY_E_NOT_FOUND: there is no entry
 * with from's number and hash. */
enum setpay_error setpay_ledger_verify(struct setpay_db *db, const struct setpay_ledger_mark *from,
                                       setpay_ledger_finding_cb *found, void *arg,
                                       struct setpay_ledger_mark *reached,
                                       size_t *findings) SETPAY_MUST_CHECK;

/* Every balance that is not 0. */
typedef enum setpay_error setpay_ledger_balance_fn(void *arg, enum setpay_account account,
                                                   const char *brand, const char *merchant_id,
                                                   const struct setpay_money *amount,
                                                   bool is_credit);
enum setpay_error setpay_ledger_each_balance(struct setpay_db *db, setpay_ledger_balance_fn *each,
                                             void *arg) SETPAY_MUST_CHECK;

#endif
