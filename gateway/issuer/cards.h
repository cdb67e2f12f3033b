/*
 * The published test cards of the simulated issuer: one table, from which its behaviour, the list
 * for people and the sandbox's enrolments come. These numbers are no secret and no one's card.
 */
#ifndef SETPAY_GATEWAY_ISSUER_CARDS_H
#define SETPAY_GATEWAY_ISSUER_CARDS_H

#include "common/base/bytes.h"
#include "common/base/error.h"

#include <stddef.h>
#include <stdint.h>

/* What a card does when it is asked for an amount. */
enum setpay_card_rule {
    SETPAY_CARD_APPROVE,
    SETPAY_CARD_ONE_CURRENCY,  /* 57 in any other than its own */
    SETPAY_CARD_BALANCE,       /* 51 above what its account holds */
    SETPAY_CARD_DECLINE,       /* its action code, always */
    SETPAY_CARD_PARTIAL,       /* half, rounded up, with 10; one minor unit is approved whole */
    SETPAY_CARD_AVS_MISMATCH,  /* approved, address result N */
    SETPAY_CARD_CODE_MISMATCH, /* 82, security code result N */
    SETPAY_CARD_SILENT,        /* held, never answered */
    SETPAY_CARD_LATE,          /* held, answered after the configured lateness */
    SETPAY_CARD_DUPLICATE,     /* held, answered twice */
    SETPAY_CARD_DROP_BEFORE,   /* the connection is closed, nothing is held */
    SETPAY_CARD_DROP_AFTER,    /* held, then the connection is closed */
};

struct setpay_card {
    const char *name; /* the account's name, one word */
    const char *brand;
    const char *pan;
    const char *expiry; /* YYMM */
    const char *security_code;
    const char *postcode;
    const char *house_digits;
    enum setpay_card_rule rule;
    const char *action_code; /* field 39 that comes, "" where no answer does */
    const char *currency;    /* ONE_CURRENCY, BALANCE; else "" */
    int64_t balance_minor;   /* BALANCE; else 0 */
    const char *meaning;
};

const struct setpay_card *setpay_card_table(size_t *count);
/* NULL where there is none. */
const struct setpay_card *setpay_card_by_pan(struct setpay_view pan);
const struct setpay_card *setpay_card_by_name(const char *name);
const char *setpay_card_last4(const struct setpay_card *card);

/* The list for people, or as {"cards":[…]}, on standard output. SETPAY_E_IO, SETPAY_E_NOMEM. */
enum setpay_error setpay_card_print(int as_json) SETPAY_MUST_CHECK;

#endif
