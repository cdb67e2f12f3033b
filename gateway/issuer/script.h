/*
 * What a test has told the simulator to do wrong: counts of messages that are still to be treated
 * so, and switches. Only the server's thread touches it.
 */
#ifndef SETPAY_GATEWAY_ISSUER_SCRIPT_H
#define SETPAY_GATEWAY_ISSUER_SCRIPT_H

#include "common/base/error.h"
#include "gateway/issuer/cards.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct setpay_script {
    int64_t latency_ms; /* before each answer to an 0100 */
    int64_t hold_ms;    /* before each 0100 is booked: a reversal may overtake it */
    int64_t late_ms;    /* how late "late" is */
    /* The next so many 0100 are … */
    int64_t silent;       /* booked, not answered */
    int64_t late;         /* booked, answered after late_ms */
    int64_t duplicate;    /* answered twice */
    int64_t close_before; /* not booked, the connection is closed */
    int64_t close_after;  /* booked, the connection is closed */
    /* The next so many … */
    int64_t silent_reversals;    /* are booked and not answered */
    int64_t refuse_reversals;    /* are not booked and answered with 96 */
    int64_t silent_presentments; /* as reversals; so is this */
    int64_t refuse_presentments;
    int64_t silent_reconciliations; /* are not answered */
    int64_t wrong_totals;           /* are answered with one charge of one unit more */
    int64_t silent_echoes;          /* are not answered */
    int64_t refuse_sign_on;         /* sign-ons are answered with 91 */
};

/* Every member by its name above. */
json_t *setpay_script_describe(const struct setpay_script *script);
/* The names, in lines for people. */
void setpay_script_print_names(FILE *out);
/* Sets the members that args names; {"reset":true} clears all but late_ms first. Nothing is changed
 * on error: SETPAY_E_USAGE with words. */
enum setpay_error setpay_script_apply(struct setpay_script *script, const json_t *args,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Takes one off a count: true where there was one. */
bool setpay_script_take(int64_t *count);
/* How the next 0100 is treated: by the script while that has something, else by the card (may be
 * NULL). APPROVE stands for "as usual". */
enum setpay_card_rule setpay_script_next(struct setpay_script *script,
                                         const struct setpay_card *card);

#endif
