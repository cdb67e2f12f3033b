/*
 * The issuer's file of disputes, setpay-clearing(5), as an acquirer reads it. Pure.
 */
#ifndef SETPAY_GATEWAY_ISSUER_DISPUTE_FILE_H
#define SETPAY_GATEWAY_ISSUER_DISPUTE_FILE_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/money.h"
#include "gateway/issuer/clearing_file.h"

#include <stddef.h>
#include <stdint.h>

#define SETPAY_DISPUTE_FILE_MAX (4U * 1024 * 1024)
#define SETPAY_DISPUTE_REASON_SIZE 17

/* How a dispute stands. Stored by gateways; never reuse a number. */
enum setpay_dispute_outcome {
    SETPAY_DISPUTE_OPEN = 0,
    SETPAY_DISPUTE_CARDHOLDER = 1, /* the amount was given back */
    SETPAY_DISPUTE_MERCHANT = 2,   /* the charge stands */
};
/* "open", "cardholder", "merchant"; NULL for a number that is none. */
const char *setpay_dispute_outcome_name(enum setpay_dispute_outcome outcome);

struct setpay_dispute_row {
    int64_t number; /* at the issuer, from 1 */
    char acquirer[12];
    char presentment[33];
    char xid[33];       /* "": not known */
    char reference[13]; /* "": no such authorisation */
    struct setpay_money amount;
    char reason[SETPAY_DISPUTE_REASON_SIZE];
    char opened[SETPAY_CLEARING_DATE_SIZE];
    char closed[SETPAY_CLEARING_DATE_SIZE]; /* "": open at the end of the file's last day */
    enum setpay_dispute_outcome outcome;
    size_t line; /* in the file */
};

struct setpay_dispute_file {
    char issuer[SETPAY_CLEARING_ISSUER_SIZE];
    char from[SETPAY_CLEARING_DATE_SIZE];
    char to[SETPAY_CLEARING_DATE_SIZE];
    struct setpay_dispute_row *rows; /* owned; numbers rise, so that none is there twice */
    size_t row_count;
};

void setpay_dispute_file_clear(struct setpay_dispute_file *file);
/* The file, owned by the caller. SETPAY_E_INVALID with line, field, what was found and what is
 * expected, also where totals or digest are not those of the rows; SETPAY_E_NOMEM. *file is
 * untouched on error. */
enum setpay_error setpay_dispute_file_parse(struct setpay_view bytes,
                                            struct setpay_dispute_file *file,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
