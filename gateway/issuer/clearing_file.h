/*
 * The issuer's clearing file, setpay-clearing(5): what it has booked and refused, for acquirers to
 * compare with their books. Building and parsing; pure.
 */
#ifndef SETPAY_GATEWAY_ISSUER_CLEARING_FILE_H
#define SETPAY_GATEWAY_ISSUER_CLEARING_FILE_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/money.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETPAY_CLEARING_FILE_MAX (64U * 1024 * 1024)
#define SETPAY_CLEARING_ISSUER_SIZE 33
#define SETPAY_CLEARING_DATE_SIZE 11

enum setpay_clearing_kind {
    SETPAY_CLEARING_CAPTURE,
    SETPAY_CLEARING_CREDIT,
    SETPAY_CLEARING_SALE,
    SETPAY_CLEARING_SALE_REVERSAL,
};

struct setpay_clearing_row {
    char acquirer[12];
    char presentment[33];
    char xid[33];       /* "": not known */
    char reference[13]; /* "": no such authorisation */
    enum setpay_clearing_kind kind;
    struct setpay_money amount;
    char date[SETPAY_CLEARING_DATE_SIZE];
    char result[3]; /* "00": booked */
};

/* Its totals and its digest follow from these. */
struct setpay_clearing_file {
    char issuer[SETPAY_CLEARING_ISSUER_SIZE];
    char from[SETPAY_CLEARING_DATE_SIZE];
    char to[SETPAY_CLEARING_DATE_SIZE];
    struct setpay_clearing_row *rows; /* owned */
    size_t row_count;
};

void setpay_clearing_file_clear(struct setpay_clearing_file *file);
/* A copy of row behind the others. SETPAY_E_NOMEM. */
enum setpay_error setpay_clearing_file_add(struct setpay_clearing_file *file,
                                           const struct setpay_clearing_row *row) SETPAY_MUST_CHECK;
/* Appends the whole file. SETPAY_E_INVALID: a row or the header could not be parsed again;
 * SETPAY_E_MONEY_OVERFLOW: a total is too large; SETPAY_E_TOO_BIG, SETPAY_E_NOMEM. */
enum setpay_error setpay_clearing_file_build(const struct setpay_clearing_file *file,
                                             struct setpay_buffer *out) SETPAY_MUST_CHECK;
/* The file, owned by the caller. SETPAY_E_INVALID with line, field, what was found and what is
 * expected, also where totals or digest are not those of the rows; SETPAY_E_NOMEM. *file is
 * untouched on error. Rows of one id are all given: to find them is for who compares. */
enum setpay_error setpay_clearing_file_parse(struct setpay_view bytes,
                                             struct setpay_clearing_file *file,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Whether it gives back. */
bool setpay_clearing_kind_credits(enum setpay_clearing_kind kind);
const char *setpay_clearing_kind_name(enum setpay_clearing_kind kind);

/* "YYYY-MM-DD" of the calendar, 1970 to 9999. */
bool setpay_clearing_date_valid(const char *date);
/* 1 to 32 of A-Z a-z 0-9 . _ - */
bool setpay_clearing_issuer_valid(const char *issuer);

#endif
