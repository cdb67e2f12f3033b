/*
 * The file of disputes. What always holds of one that parses: each dispute is in it once, its days
 * are in order and none is after the file's last, and its totals are those of what is open then.
 */
#include "gateway/issuer/dispute_file.h"

#include "common/wire/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORM "setpay-disputes"
#define VERSION "1"
#define ROW_FIELDS 12
#define NUMBER_MAX INT64_C(999999999999999999)

static const char *const outcomes[] = {
    [SETPAY_DISPUTE_OPEN] = "open",
    [SETPAY_DISPUTE_CARDHOLDER] = "cardholder",
    [SETPAY_DISPUTE_MERCHANT] = "merchant",
};
#define OUTCOME_COUNT (sizeof outcomes / sizeof *outcomes)

static const char *const reasons[] = {
    "fraud", "not-received", "not-as-described", "duplicate", "amount", "credit-missing",
};

const char *setpay_dispute_outcome_name(enum setpay_dispute_outcome outcome)
{
    return (size_t)outcome < OUTCOME_COUNT ? outcomes[outcome] : NULL;
}

void setpay_dispute_file_clear(struct setpay_dispute_file *file)
{
    free(file->rows);
    *file = (struct setpay_dispute_file){.rows = NULL};
}

/* ------------------------------------------------------------------ one row */

static bool reason_valid(const char *reason)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(reasons[i], reason) == 0)
            return true;
    return false;
}

/* Both are there, or neither is. */
static bool read_outcome(const char *text, const char *closed, enum setpay_dispute_outcome *outcome)
{
    if (text[0] == '\0' && closed[0] == '\0') {
        *outcome = SETPAY_DISPUTE_OPEN;
        return true;
    }
    for (size_t i = SETPAY_DISPUTE_CARDHOLDER; i < OUTCOME_COUNT; i++) {
        *outcome = (enum setpay_dispute_outcome)i;
        if (strcmp(outcomes[i], text) == 0)
            return closed[0] != '\0';
    }
    return false;
}

static const struct {
    const char *name;
    size_t field;
    const char *expected;
} row_fields[] = {
    {"dispute", 1, "a number above that of the row before"},
    {"acquirer", 2, "1 to 11 digits without a zero in front"},
    {"presentment", 3, "32 hexadecimal digits in lower case"},
    {"xid", 4, "32 hexadecimal digits in lower case, or nothing"},
    {"reference", 5, "12 letters and digits, or nothing"},
    {"amount", 6, "1 to 999999999999 minor units"},
    {"reason", 8, "a reason that setpay-clearing(5) names"},
    {"opened", 9, "a day YYYY-MM-DD, not after the file's last"},
    {"closed", 10, "a day from opened to the file's last, or nothing"},
    {"outcome", 11, "cardholder or merchant of one that is closed, else nothing"},
};

/* What stands in the way of taking this row: the field's name, or NULL. */
static const char *row_problem(const struct setpay_dispute_file *file,
                               const struct setpay_dispute_row *row)
{
    int64_t before = file->row_count > 0 ? file->rows[file->row_count - 1].number : 0;
    if (row->number <= before)
        return "dispute";
    if (!setpay_lines_acquirer_valid(row->acquirer))
        return "acquirer";
    if (!setpay_lines_id_valid(row->presentment))
        return "presentment";
    if (row->xid[0] != '\0' && !setpay_lines_id_valid(row->xid))
        return "xid";
    if (row->reference[0] != '\0' && !setpay_lines_reference_valid(row->reference))
        return "reference";
    if (row->amount.minor <= 0)
        return "amount";
    if (!reason_valid(row->reason))
        return "reason";
    if (!setpay_clearing_date_valid(row->opened) || strcmp(row->opened, file->to) > 0)
        return "opened";
    if (row->closed[0] != '\0' &&
        (!setpay_clearing_date_valid(row->closed) || strcmp(row->closed, row->opened) < 0 ||
         strcmp(row->closed, file->to) > 0))
        return "closed";
    return NULL;
}

/* A copy of row behind the others: room doubles at each power of two. */
static enum setpay_error add(struct setpay_dispute_file *file, const struct setpay_dispute_row *row)
{
    size_t count = file->row_count;
    if ((count & (count - 1)) == 0) {
        struct setpay_dispute_row *rows =
            realloc(file->rows, (count == 0 ? 1 : count * 2) * sizeof *rows);
        if (rows == NULL)
            return SETPAY_E_NOMEM;
        file->rows = rows;
    }
    file->rows[file->row_count++] = *row;
    return SETPAY_OK;
}

static enum setpay_error parse_row(struct setpay_lines *reader, struct setpay_dispute_file *file)
{
    struct setpay_dispute_row row = {.line = reader->number};
    SETPAY_TRY(setpay_lines_check_count(reader, ROW_FIELDS));
    if (!setpay_lines_read_number(reader->fields[1], 1, NUMBER_MAX, &row.number))
        row.number = 0;
    setpay_lines_take(reader, 2, row.acquirer, sizeof row.acquirer);
    setpay_lines_take(reader, 3, row.presentment, sizeof row.presentment);
    setpay_lines_take(reader, 4, row.xid, sizeof row.xid);
    setpay_lines_take(reader, 5, row.reference, sizeof row.reference);
    if (!setpay_lines_read_number(reader->fields[6], 1, SETPAY_MONEY_MAX_MINOR, &row.amount.minor))
        row.amount.minor = -1;
    if (setpay_currency_by_code(reader->fields[7]) == NULL)
        return setpay_lines_refuse_field(reader, 7, "currency", "three letters of ISO 4217");
    setpay_lines_take(reader, 7, row.amount.currency, sizeof row.amount.currency);
    setpay_lines_take(reader, 8, row.reason, sizeof row.reason);
    setpay_lines_take(reader, 9, row.opened, sizeof row.opened);
    setpay_lines_take(reader, 10, row.closed, sizeof row.closed);
    const char *wrong = row_problem(file, &row);
    if (wrong == NULL && !read_outcome(reader->fields[11], row.closed, &row.outcome))
        wrong = "outcome";
    for (size_t i = 0; wrong != NULL && i < sizeof row_fields / sizeof *row_fields; i++)
        if (strcmp(wrong, row_fields[i].name) == 0)
            return setpay_lines_refuse_field(reader, row_fields[i].field, wrong,
                                             row_fields[i].expected);
    return add(file, &row);
}

/* ------------------------------------------------------------------ totals */

/* The next currency behind after, by their letters, in which something is open; false: none. */
static bool next_currency(const struct setpay_dispute_file *file, const char after[4], char next[4])
{
    bool found = false;
    for (size_t i = 0; i < file->row_count; i++) {
        const struct setpay_dispute_row *row = &file->rows[i];
        if (row->outcome != SETPAY_DISPUTE_OPEN || strcmp(row->amount.currency, after) <= 0 ||
            (found && strcmp(row->amount.currency, next) >= 0))
            continue;
        memcpy(next, row->amount.currency, 4);
        found = true;
    }
    return found;
}

static enum setpay_error add_up(const struct setpay_dispute_file *file, const char *currency,
                                int64_t *count, int64_t *minor)
{
    *count = *minor = 0;
    for (size_t i = 0; i < file->row_count; i++) {
        const struct setpay_dispute_row *row = &file->rows[i];
        if (row->outcome != SETPAY_DISPUTE_OPEN || strcmp(row->amount.currency, currency) != 0)
            continue;
        if (__builtin_add_overflow(*minor, row->amount.minor, minor) || *minor > NUMBER_MAX)
            return SETPAY_E_MONEY_OVERFLOW;
        (*count)++;
    }
    return SETPAY_OK;
}

/* The reader is at the first line behind the rows, and is left at the first behind the totals. */
static enum setpay_error check_totals(struct setpay_lines *reader,
                                      const struct setpay_dispute_file *file)
{
    char last[4] = "", currency[4] = "";
    while (next_currency(file, last, currency)) {
        char expected[128];
        int64_t count, minor;
        if (add_up(file, currency, &count, &minor) != SETPAY_OK)
            return setpay_lines_refuse(reader, "the rows come to more than a total can be");
        int size = snprintf(expected, sizeof expected, "total,%s,%" PRId64 ",%" PRId64 "\n",
                            currency, count, minor);
        SETPAY_TRY(setpay_lines_expect(reader, expected, (size_t)size));
        memcpy(last, currency, sizeof last);
    }
    if (setpay_lines_is(reader, "total"))
        return setpay_lines_refuse(reader, "a total of %s, in which no dispute is open",
                                   reader->fields[1]);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ the whole */

static enum setpay_error parse_header(struct setpay_lines *reader, struct setpay_dispute_file *file)
{
    SETPAY_TRY(setpay_lines_next(reader));
    if (!setpay_lines_is(reader, "header") || strcmp(reader->fields[1], FORM) != 0)
        return setpay_lines_refuse(
            reader, "found \"%s,%s\", expected \"header," FORM "\": is it a file of disputes?",
            reader->fields[0], reader->fields[1]);
    if (strcmp(reader->fields[2], VERSION) != 0)
        return setpay_lines_refuse_field(reader, 2, "version", VERSION);
    SETPAY_TRY(setpay_lines_check_count(reader, 6));
    setpay_lines_take(reader, 3, file->issuer, sizeof file->issuer);
    setpay_lines_take(reader, 4, file->from, sizeof file->from);
    setpay_lines_take(reader, 5, file->to, sizeof file->to);
    if (!setpay_clearing_issuer_valid(file->issuer))
        return setpay_lines_refuse_field(reader, 3, "issuer", "1 to 32 of A-Z a-z 0-9 . _ -");
    if (!setpay_clearing_date_valid(file->from))
        return setpay_lines_refuse_field(reader, 4, "from", "a date YYYY-MM-DD");
    if (!setpay_clearing_date_valid(file->to) || strcmp(file->to, file->from) < 0)
        return setpay_lines_refuse_field(reader, 5, "to", "a date YYYY-MM-DD, not before from");
    return SETPAY_OK;
}

static enum setpay_error parse(struct setpay_lines *reader, struct setpay_dispute_file *file)
{
    SETPAY_TRY(parse_header(reader, file));
    SETPAY_TRY(setpay_lines_next(reader));
    while (setpay_lines_is(reader, "row")) {
        SETPAY_TRY(parse_row(reader, file));
        SETPAY_TRY(setpay_lines_next(reader));
    }
    SETPAY_TRY(check_totals(reader, file));
    return setpay_lines_check_end(reader, file->row_count);
}

enum setpay_error setpay_dispute_file_parse(struct setpay_view bytes,
                                            struct setpay_dispute_file *file,
                                            struct setpay_problem *problem)
{
    struct setpay_dispute_file got = {.rows = NULL};
    struct setpay_lines reader = {.bytes = bytes, .field_limit = ROW_FIELDS, .problem = problem};
    if (bytes.size > SETPAY_DISPUTE_FILE_MAX)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "the file has %zu bytes, more than the %u that are read",
                                  bytes.size, SETPAY_DISPUTE_FILE_MAX);
    enum setpay_error error = parse(&reader, &got);
    if (error == SETPAY_OK)
        *file = got;
    else
        setpay_dispute_file_clear(&got);
    return error;
}
