/*
 * Balances by account and currency: what is booked, what is held, and what is available, which is
 * what is booked less what is held. What is booked comes from entries alone, what is held from
 * authorisations alone; books_check.c recomputes both.
 */
#ifndef SETPAY_GATEWAY_ISSUER_BALANCES_H
#define SETPAY_GATEWAY_ISSUER_BALANCES_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/money.h"
#include "common/store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define SETPAY_BALANCE_NO_LIMIT INT64_C(-1)

/* An account as far as the next decision about it goes, in one currency. */
struct setpay_balance {
    bool closed;
    bool limited; /* false: any amount is available */
    int64_t booked_minor, held_minor, available_minor;
    int64_t purchase_limit_minor, daily_limit_minor; /* SETPAY_BALANCE_NO_LIMIT: none */
    int64_t spent_today_minor;                       /* authorised since midnight, UTC */
};

/* Zeros where the account has nothing in this currency yet. SETPAY_E_NOT_FOUND: no such account. */
enum setpay_error setpay_balance_find(struct setpay_db *db, const char *account,
                                      const char *currency, setpay_time_ms now,
                                      struct setpay_balance *balance) SETPAY_MUST_CHECK;

struct setpay_balance_entry {
    const char *account;
    const char *currency;
    const char *kind;     /* of a presentment; "opening", "adjustment", "dispute" */
    int64_t amount_minor; /* below zero: the account is charged */
    int64_t presentment;  /* its number, or 0 */
    int64_t dispute;      /* likewise */
    setpay_time_ms now;
};
/* Books the entry, and changes what is held by held_minor (below zero: less is held). */
enum setpay_error setpay_balance_post(struct setpay_db *db,
                                      const struct setpay_balance_entry *entry,
                                      int64_t held_minor) SETPAY_MUST_CHECK;
/* Changes what is held alone. */
enum setpay_error setpay_balance_hold(struct setpay_db *db, const char *account,
                                      const char *currency, int64_t held_minor) SETPAY_MUST_CHECK;

/* Ends holds whose time has come: what they held is available again. account "": any; at most max
 * of them, the oldest first. *count (may be NULL): how many there were. */
enum setpay_error setpay_balance_expire(struct setpay_db *db, const char *account,
                                        setpay_time_ms now, int max, int *count) SETPAY_MUST_CHECK;

/* What an operator changes; what is not given stays as it is. */
struct setpay_balance_change {
    const char *account;
    const char *state;                         /* "open", "closed", or NULL */
    const char *limited;                       /* "yes", "no", or NULL */
    bool sets_available;                       /* by an entry for the difference; limits too */
    struct setpay_money available;             /* what is available then */
    const struct setpay_money *purchase_limit; /* of one purchase, or NULL; 0: none */
    const struct setpay_money *daily_limit;    /* of one day (UTC), likewise */
    setpay_time_ms now;
};
/* SETPAY_E_NOT_FOUND: no such account. */
enum setpay_error
setpay_balance_change(struct setpay_db *db,
                      const struct setpay_balance_change *change) SETPAY_MUST_CHECK;

#endif
