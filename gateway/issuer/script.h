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

/* The next so many messages of a kind are … */
struct setpay_script_faults {
    int64_t refuse;       /* answered with refuse_code; of an 0100 or 0200 that is booked */
    int64_t silent;       /* booked, not answered */
    int64_t late;         /* booked, answered after late_ms */
    int64_t duplicate;    /* booked, answered twice */
    int64_t close_before; /* not booked, the connection is closed */
    int64_t close_after;  /* booked, the connection is closed */
};
/* Each also under its own name: "silent_sales". */
#define SETPAY_SCRIPT_FAULTS(kind, suffix)                                                         \
    union {                                                                                        \
        struct {                                                                                   \
            int64_t refuse##suffix, silent##suffix, late##suffix, duplicate##suffix,               \
                close_before##suffix, close_after##suffix;                                         \
        };                                                                                         \
        struct setpay_script_faults kind;                                                          \
    }

struct setpay_script {
    int64_t latency_ms;              /* before each answer to an 0100 or 0200 */
    int64_t latency_presentments_ms; /* 0220 */
    int64_t latency_reversals_ms;    /* 0400, 0420 */
    int64_t hold_ms;                 /* before each 0100 is booked: a reversal may overtake it */
    int64_t late_ms;                 /* how late "late" is */
    int64_t refuse_code;             /* 0 to 99 */
    int64_t down;                    /* not 0: nobody is served */
    int64_t down_ms;                 /* for so long */
    /* Of two kinds that fit, the narrower comes first. */
    SETPAY_SCRIPT_FAULTS(authorisations, );            /* 0100, 0120, 0200 */
    SETPAY_SCRIPT_FAULTS(sales, _sales);               /* 0200 */
    SETPAY_SCRIPT_FAULTS(stand_ins, _stand_ins);       /* 0120 */
    SETPAY_SCRIPT_FAULTS(presentments, _presentments); /* 0220 */
    SETPAY_SCRIPT_FAULTS(reversals, _reversals);       /* 0400, 0420 */
    SETPAY_SCRIPT_FAULTS(advices, _advices);           /* 0420 */
    int64_t silent_reconciliations;                    /* the next so many are not answered */
    int64_t wrong_totals;                              /* say one charge of one unit more */
    int64_t silent_echoes;                             /* the next so many are not answered */
    int64_t refuse_sign_on;                            /* sign-ons are answered with 91 */
};

/* refuse_code is 96 at first. */
void setpay_script_init(struct setpay_script *script, int64_t late_ms);
/* Every member by its name above. */
json_t *setpay_script_describe(const struct setpay_script *script);
/* The names, in lines for people. */
void setpay_script_print_names(FILE *out);
/* Sets the members that args names; {"reset":true} sets all but late_ms to what it was at first.
 * Nothing is changed on error: SETPAY_E_USAGE with words. */
enum setpay_error setpay_script_apply(struct setpay_script *script, const json_t *args,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Takes one off a count: true where there was one. */
bool setpay_script_take(int64_t *count);
/* How one message is treated: by the script while that has something, else by the card (NULL where
 * there is none). APPROVE stands for "as usual". */
struct setpay_script_fault {
    enum setpay_card_rule behaviour;
    char refuse_code[3]; /* not "": it is refused so */
};
void setpay_script_next(struct setpay_script *script, const char *mti,
                        const struct setpay_card *card, struct setpay_script_fault *fault);
/* How long the usual answer to it takes. */
int64_t setpay_script_latency_ms(const struct setpay_script *script, const char *mti);

#endif
