/*
 * The issuer's books: accounts, authorisations with their holds, reversals, presentments.
 * Operations for the store (common/store), to be run inside one of its transactions.
 *
 * What always holds: an authorisation is booked once for its (acquirer, trace number, transmission
 * time); a repeat gets the same answer. A reversal can come any number of times, in any order, also
 * before what it reverses: the hold is never above what the smallest reversal has left. What is
 * presented is no longer held; credits of it never exceed it. A hold ends by itself. What is
 * available is what is booked less what is held (balances.h).
 */
#ifndef SETPAY_GATEWAY_ISSUER_ACCOUNTS_H
#define SETPAY_GATEWAY_ISSUER_ACCOUNTS_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/money.h"
#include "common/store/store.h"
#include "gateway/issuer/cards.h"
#include "gateway/issuer/stored.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

extern const struct setpay_store_schema setpay_account_schema;

/* Names one authorisation, in its own message and in field 90 of its reversals. */
struct setpay_account_key {
    char acquirer[12]; /* without leading zeros */
    uint32_t stan;
    char sent[11]; /* field 7 */
};

/* What was asked, as far as the books care. No card data: the card stands for it. */
struct setpay_account_ask {
    struct setpay_account_key key;
    const struct setpay_card *card; /* NULL: declined with 14 */
    struct setpay_money amount;
    const char *forced_code; /* decided before the books are opened ("54"), or NULL */
    char avs_result;
    char cvv_result;
    char rrn[13];
    char acceptor[16];
    char xid[33];
    char pomd[65];
    bool sale;             /* booked at once, not held */
    char presentment[33];  /* of a sale: its id, or "" (the xid is taken) */
    int64_t period;        /* of a sale: in which it counts (settled.h) */
    bool advice;           /* approved elsewhere: told, not asked */
    char approval_code[7]; /* of an advice, as it was given there; "" where it does not say */
    int64_t hold_ms;       /* how long it is held */
    struct setpay_issuer_stored stored;
    setpay_time_ms now;
};

struct setpay_account_answer {
    char response_code[3];
    char approval_code[7]; /* "" unless something is approved */
    int64_t approved_minor;
    char avs_result;
    char cvv_result;
    bool repeated; /* booked before */
};

/* Makes the accounts of cards that have none yet. */
enum setpay_error setpay_account_seed(struct setpay_db *db, void *unused) SETPAY_MUST_CHECK;
enum setpay_error setpay_account_authorise(struct setpay_db *db,
                                           const struct setpay_account_ask *ask,
                                           struct setpay_account_answer *answer) SETPAY_MUST_CHECK;
/* remaining_minor: what stays authorised; 0 reverses the whole. What a sale has charged above it is
 * given back. *known says whether the original had been booked. */
enum setpay_error setpay_account_reverse(struct setpay_db *db, const struct setpay_account_key *key,
                                         int64_t remaining_minor, setpay_time_ms now,
                                         bool *known) SETPAY_MUST_CHECK;

/* What a merchant has captured or credited of an authorisation. */
struct setpay_account_presentment {
    struct setpay_account_key original;
    char id[33]; /* the acquirer's: one of the same id is the same presentment */
    struct setpay_money amount;
    bool credits;   /* the cardholder gets it back */
    int64_t period; /* in which it counts; 0: none */
    setpay_time_ms now;
};
/*
 * Books it once for its (acquirer, id). response_code: "00" booked, "94" booked before with the
 * same content, and refused, with nothing booked: "25" there is no such authorisation, or it
 * approved nothing; "13" more than is authorised, or a credit of more than was presented and not
 * given back, or another currency; "51" or "42" what is not held any more is not available, or the
 * account is closed; "12" decided before with other content. A refusal is final: it is the answer
 * to every repeat.
 */
enum setpay_error setpay_account_present(struct setpay_db *db,
                                         const struct setpay_account_presentment *presentment,
                                         char response_code[3]) SETPAY_MUST_CHECK;

/* Ends the holds of this account ("": of all) whose time has come. */
enum setpay_error setpay_account_expire(struct setpay_db *db, const char *account,
                                        setpay_time_ms now) SETPAY_MUST_CHECK;

/* Lists for the operator: *list is an array, owned by the caller. last4 "" gives all. */
enum setpay_error setpay_account_list(struct setpay_db *db, const char *last4,
                                      json_t **list) SETPAY_MUST_CHECK;
enum setpay_error setpay_account_list_authorisations(struct setpay_db *db, const char *last4,
                                                     bool held_only,
                                                     json_t **list) SETPAY_MUST_CHECK;
enum setpay_error setpay_account_list_reversals(struct setpay_db *db,
                                                json_t **list) SETPAY_MUST_CHECK;
/* Every presentment, also those that were refused, and what each account has been charged in all,
 * less credits.
 */
enum setpay_error setpay_account_list_presentments(struct setpay_db *db,
                                                   json_t **list) SETPAY_MUST_CHECK;
enum setpay_error setpay_account_list_booked(struct setpay_db *db, json_t **list) SETPAY_MUST_CHECK;

#endif
