/*
 * Disputes, as issuers tell them in their files (setpay-clearing(5)): a cardholder does not accept
 * a charge. While one is open its amount is held back from the merchant; then it goes back to the
 * issuer, or to the merchant.
 *
 *     opened           merchant payable -> disputes
 *     closed, lost     disputes -> issuer receivable    (for the cardholder)
 *     closed, won      disputes -> merchant payable     (for the merchant)
 *
 * What is in dispute, and what was lost in one, counts with the credits of the capture: both never
 * come to more than was captured (rule G8). A dispute is known by the issuer's name and its number
 * there; that, and the file that told it, is kept with the row.
 *
 * All functions with a db run inside a store operation or a read.
 */
#ifndef SETPAY_GATEWAY_CLEARING_DISPUTE_H
#define SETPAY_GATEWAY_CLEARING_DISPUTE_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "gateway/clearing/ledger.h"
#include "gateway/issuer/dispute_file.h"
#include "gateway/network/network.h"

#include <stdbool.h>
#include <stdint.h>

/* token: the event of the opening's entry; closing: of its end's. The files are named by their
 * SHA-256, which stands in their last line. */
#define SETPAY_GATEWAY_DISPUTE_SCHEMA                                                              \
    "CREATE TABLE dispute ("                                                                       \
    " id INTEGER PRIMARY KEY, token BLOB NOT NULL UNIQUE, issuer TEXT NOT NULL,"                   \
    " number INTEGER NOT NULL, step_id INTEGER NOT NULL, amount_minor INTEGER NOT NULL,"           \
    " reason TEXT NOT NULL, opened TEXT NOT NULL, closed TEXT NOT NULL,"                           \
    " outcome INTEGER NOT NULL, closing BLOB, opened_file BLOB NOT NULL, closed_file BLOB,"        \
    " opened_ms INTEGER NOT NULL, closed_ms INTEGER NOT NULL);"                                    \
    "CREATE UNIQUE INDEX dispute_number ON dispute (issuer, number);"                              \
    "CREATE UNIQUE INDEX dispute_closing ON dispute (closing);"                                    \
    "CREATE INDEX dispute_step ON dispute (step_id);"                                              \
    "ALTER TABLE step ADD COLUMN disputed_minor INTEGER NOT NULL DEFAULT 0;"

/* Of a later step: those that are open, of which there are few, are counted again and again. */
#define SETPAY_GATEWAY_DISPUTE_OPEN_SCHEMA                                                         \
    "CREATE INDEX dispute_open ON dispute (closed_ms) WHERE closed_ms = 0;"
#define SETPAY_GATEWAY_DISPUTES_OPEN "SELECT COUNT(*) FROM dispute WHERE closed_ms = 0"

struct setpay_gateway_dispute {
    int64_t id; /* 0: not stored yet */
    struct setpay_id token;
    char issuer[SETPAY_CLEARING_ISSUER_SIZE]; /* as its file names it */
    int64_t number;
    int64_t step_id;
    struct setpay_id step; /* the capture: what issuers know it by */
    int64_t payment_id;
    struct setpay_id xid;
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_money amount;
    char reason[SETPAY_DISPUTE_REASON_SIZE];
    char opened[SETPAY_CLEARING_DATE_SIZE]; /* at the issuer */
    char closed[SETPAY_CLEARING_DATE_SIZE];
    enum setpay_dispute_outcome outcome;
    struct setpay_digest opened_file; /* that told it */
    struct setpay_digest closed_file; /* zeros: open */
    setpay_time_ms opened_ms;         /* when it was read */
    setpay_time_ms closed_ms;         /* 0: open */
    int64_t opened_settlement;        /* that holds it back; 0: none yet */
    int64_t closed_settlement;        /* that gives it back to the merchant; 0: none (yet) */
};

/* ------------------------------------------------------------------ pure */

/* What a row of a file is about, as the gateway has it. */
struct setpay_gateway_charge {
    int64_t step_id;
    int64_t payment_id;
    struct setpay_id xid;
    struct setpay_money amount; /* captured */
    int64_t left_minor; /* charged, and neither credited nor disputed; 0 where it was undone */
    bool is_taken; /* its issuer has booked it; or refused it, and it was cleared to the merchant */
    char issuer[SETPAY_NETWORK_NAME_SIZE];
};

enum setpay_dispute_action {
    SETPAY_DISPUTE_NOTHING, /* it is known so */
    SETPAY_DISPUTE_OPENS,
    SETPAY_DISPUTE_CLOSES,
    SETPAY_DISPUTE_OPENS_AND_CLOSES,
};

/*
 * What a row of a file up to the day file_to comes to. charge: NULL where no capture has that id;
 * known: the dispute of that issuer and number, or NULL; by: the charge must have gone by that
 * issuer's line (NULL: any). With words that begin with the line and the name of the refusal:
 * SETPAY_E_NOT_FOUND "unknown" (no such charge, or its issuer has not taken it);
 * SETPAY_E_INVALID "issuer", "xid"; SETPAY_E_MONEY_CURRENCY "currency";
 * SETPAY_E_AMOUNT_LIMIT "amount" (more than was charged), "left" (more than is left of it, rule
 * G8); SETPAY_E_EXISTS "changed" (known with another charge, amount, reason or day), "outcome"
 * (closed otherwise, or open again).
 */
enum setpay_error setpay_gateway_dispute_decide(const struct setpay_dispute_row *row,
                                                const char *file_to, const char *by,
                                                const struct setpay_gateway_charge *charge,
                                                const struct setpay_gateway_dispute *known,
                                                enum setpay_dispute_action *action,
                                                struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* The events of its entries: computed of all that was told when it was opened, and when it was
 * closed, so that none of it can be changed behind the ledger. SETPAY_E_CRYPTO. */
enum setpay_error setpay_gateway_dispute_token(const struct setpay_gateway_dispute *dispute,
                                               struct setpay_id *token) SETPAY_MUST_CHECK;
enum setpay_error setpay_gateway_dispute_closing(const struct setpay_gateway_dispute *dispute,
                                                 struct setpay_id *token) SETPAY_MUST_CHECK;
/* kind: SETPAY_LEDGER_DISPUTE, _LOST or _WON. */
void setpay_gateway_dispute_post(enum setpay_ledger_kind kind, int64_t amount_minor,
                                 struct setpay_ledger_entry *entry);

/* ------------------------------------------------------------------ reading a file in */

typedef void setpay_gateway_dispute_told_cb(void *arg, const struct setpay_gateway_dispute *dispute,
                                            enum setpay_dispute_action action);

#define SETPAY_DISPUTE_SKIP_MAX 64 /* rows that an operator has passed over */
typedef void setpay_gateway_dispute_skipped_cb(void *arg, const struct setpay_dispute_row *row);

struct setpay_gateway_dispute_import {
    const struct setpay_dispute_file *file;
    struct setpay_digest digest; /* of its bytes */
    const char *acquirer;        /* whose rows are ours; those of others are passed over */
    const char *by;              /* NULL: of any line */
    const int64_t *skip;         /* numbers of rows that an operator wants to be left out */
    size_t skip_count;
    setpay_time_ms now_ms;
    setpay_gateway_dispute_told_cb *told_cb;       /* of each that was opened or closed */
    setpay_gateway_dispute_skipped_cb *skipped_cb; /* of each that was left out */
    void *arg;
    /* What came of it. */
    int64_t opened, lost, won, known, passed_over, skipped;
};
/* In an operation: all rows but those to skip, or none. The errors of
 * setpay_gateway_dispute_decide; SETPAY_E_INVALID where no row of ours has a number of skip. */
enum setpay_error setpay_gateway_dispute_import(struct setpay_db *db,
                                                struct setpay_gateway_dispute_import *import,
                                                struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ looking */

struct setpay_gateway_dispute_filter {
    int outcome;             /* -1: any */
    const char *brand;       /* NULL: any */
    const char *merchant_id; /* NULL: any */
    int64_t settlement;      /* that held it back or gave it back; 0: any */
    int64_t after;           /* an id */
    int64_t limit;
};
typedef enum setpay_error
setpay_gateway_dispute_each_fn(void *arg, const struct setpay_gateway_dispute *dispute);
/* In the order of their ids. */
enum setpay_error setpay_gateway_dispute_each(struct setpay_db *db,
                                              const struct setpay_gateway_dispute_filter *filter,
                                              setpay_gateway_dispute_each_fn *each,
                                              void *arg) SETPAY_MUST_CHECK;
/* SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_gateway_dispute_find(struct setpay_db *db, int64_t id,
                            struct setpay_gateway_dispute *dispute) SETPAY_MUST_CHECK;
/* By the event of its opening, or of its end. SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_gateway_dispute_find_event(struct setpay_db *db, const struct setpay_id *event,
                                  struct setpay_gateway_dispute *dispute) SETPAY_MUST_CHECK;

#endif
