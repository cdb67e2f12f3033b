/*
 * setpay-clearing(5). What always holds: what is built parses, and what parses is built to the same
 * bytes again: a value has one form. Amounts are summed with a check for overflow.
 */
#include "gateway/issuer/clearing_file.h"

#include "common/wire/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORM "setpay-clearing"
#define VERSION "1"
#define ROW_FIELDS 10

static const char *const kinds[] = {
    [SETPAY_CLEARING_CAPTURE] = "capture",
    [SETPAY_CLEARING_CREDIT] = "credit",
    [SETPAY_CLEARING_SALE] = "sale",
    [SETPAY_CLEARING_SALE_REVERSAL] = "sale-reversal",
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

/* ------------------------------------------------------------------ values */

bool setpay_clearing_kind_credits(enum setpay_clearing_kind kind)
{
    return kind == SETPAY_CLEARING_CREDIT || kind == SETPAY_CLEARING_SALE_REVERSAL;
}

const char *setpay_clearing_kind_name(enum setpay_clearing_kind kind)
{
    return kinds[kind];
}

bool setpay_clearing_issuer_valid(const char *issuer)
{
    return setpay_lines_made_of(issuer, SETPAY_LINES_ALNUM "._-", 1,
                                SETPAY_CLEARING_ISSUER_SIZE - 1);
}

bool setpay_clearing_date_valid(const char *date)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int i = 0; i < 10; i++)
        if (i == 4 || i == 7 ? date[i] != '-' : date[i] < '0' || date[i] > '9')
            return false;
    int year = (int)strtol(date, NULL, 10);
    int month = (int)strtol(date + 5, NULL, 10);
    int day = (int)strtol(date + 8, NULL, 10);
    if (date[10] != '\0' || year < 1970 || month < 1 || month > 12)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day >= 1 && day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool result_valid(const char *text)
{
    return setpay_lines_made_of(text, SETPAY_LINES_ALNUM, 2, 2);
}

/* What stands in the way of writing this row: the field's name, or NULL. */
static const char *row_problem(const struct setpay_clearing_file *file,
                               const struct setpay_clearing_row *row)
{
    struct setpay_money money;
    if (!setpay_lines_acquirer_valid(row->acquirer))
        return "acquirer";
    if (!setpay_lines_id_valid(row->presentment))
        return "presentment";
    if (row->xid[0] != '\0' && !setpay_lines_id_valid(row->xid))
        return "xid";
    if (row->reference[0] != '\0' && !setpay_lines_reference_valid(row->reference))
        return "reference";
    if ((size_t)row->kind >= KIND_COUNT)
        return "kind";
    if (setpay_money_make(row->amount.minor, row->amount.currency, &money) != SETPAY_OK ||
        money.minor == 0)
        return "amount";
    if (!setpay_clearing_date_valid(row->date) || strcmp(row->date, file->from) < 0 ||
        strcmp(row->date, file->to) > 0)
        return "date";
    return result_valid(row->result) ? NULL : "result";
}

static const char *header_problem(const struct setpay_clearing_file *file)
{
    if (!setpay_clearing_issuer_valid(file->issuer))
        return "issuer";
    if (!setpay_clearing_date_valid(file->from))
        return "from";
    if (!setpay_clearing_date_valid(file->to) || strcmp(file->to, file->from) < 0)
        return "to";
    return NULL;
}

void setpay_clearing_file_clear(struct setpay_clearing_file *file)
{
    free(file->rows);
    *file = (struct setpay_clearing_file){.rows = NULL};
}

enum setpay_error setpay_clearing_file_add(struct setpay_clearing_file *file,
                                           const struct setpay_clearing_row *row)
{
    size_t count = file->row_count;
    /* Room doubles whenever it is used up: at each power of two. */
    if ((count & (count - 1)) == 0) {
        size_t room = count == 0 ? 1 : count * 2;
        struct setpay_clearing_row *rows = realloc(file->rows, room * sizeof(*rows));
        if (rows == NULL)
            return SETPAY_E_NOMEM;
        file->rows = rows;
    }
    file->rows[file->row_count++] = *row;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ totals */

struct total {
    char currency[4];
    int64_t charges, charged, credits, credited;
};

/* One for each currency, sorted; allocated, for the caller to free. */
struct totals {
    struct total *all;
    size_t count;
};

static enum setpay_error total_of(struct totals *totals, const char *currency, struct total **total)
{
    size_t at = 0;
    while (at < totals->count && strcmp(totals->all[at].currency, currency) < 0)
        at++;
    if (at == totals->count || strcmp(totals->all[at].currency, currency) != 0) {
        struct total *all = realloc(totals->all, (totals->count + 1) * sizeof(*all));
        if (all == NULL)
            return SETPAY_E_NOMEM;
        totals->all = all;
        memmove(&all[at + 1], &all[at], (totals->count - at) * sizeof(*all));
        all[at] = (struct total){.charges = 0};
        memcpy(all[at].currency, currency, sizeof(all[at].currency));
        totals->count++;
    }
    *total = &totals->all[at];
    return SETPAY_OK;
}

static enum setpay_error total_up(const struct setpay_clearing_file *file, struct totals *totals)
{
    for (size_t i = 0; i < file->row_count; i++) {
        const struct setpay_clearing_row *row = &file->rows[i];
        struct total *total;
        if (strcmp(row->result, "00") != 0)
            continue;
        SETPAY_TRY(total_of(totals, row->amount.currency, &total));
        bool credits = setpay_clearing_kind_credits(row->kind);
        int64_t *sum = credits ? &total->credited : &total->charged;
        if (__builtin_add_overflow(*sum, row->amount.minor, sum) ||
            *sum > INT64_C(999999999999999999))
            return SETPAY_E_MONEY_OVERFLOW;
        (*(credits ? &total->credits : &total->charges))++;
    }
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ building */

static enum setpay_error build_totals(const struct setpay_clearing_file *file,
                                      struct setpay_buffer *out)
{
    struct totals totals = {NULL, 0};
    enum setpay_error error = total_up(file, &totals);
    for (size_t i = 0; error == SETPAY_OK && i < totals.count; i++) {
        const struct total *t = &totals.all[i];
        error = setpay_buffer_append_format(
            out, "total,%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n", t->currency,
            t->charges, t->charged, t->credits, t->credited);
    }
    free(totals.all);
    return error;
}

enum setpay_error setpay_clearing_file_build(const struct setpay_clearing_file *file,
                                             struct setpay_buffer *out)
{
    size_t start = out->size;
    if (header_problem(file) != NULL)
        return SETPAY_E_INVALID;
    SETPAY_TRY(setpay_buffer_append_format(out, "header," FORM "," VERSION ",%s,%s,%s\n",
                                           file->issuer, file->from, file->to));
    for (size_t i = 0; i < file->row_count; i++) {
        const struct setpay_clearing_row *row = &file->rows[i];
        if (row_problem(file, row) != NULL)
            return SETPAY_E_INVALID;
        SETPAY_TRY(setpay_buffer_append_format(out, "row,%s,%s,%s,%s,%s,%" PRId64 ",%s,%s,%s\n",
                                               row->acquirer, row->presentment, row->xid,
                                               row->reference, kinds[row->kind], row->amount.minor,
                                               row->amount.currency, row->date, row->result));
    }
    SETPAY_TRY(build_totals(file, out));
    return setpay_lines_seal(out, start, file->row_count);
}

/* ------------------------------------------------------------------ parsing */

static enum setpay_error parse_header(struct setpay_lines *reader,
                                      struct setpay_clearing_file *file)
{
    SETPAY_TRY(setpay_lines_next(reader));
    if (!setpay_lines_is(reader, "header") || strcmp(reader->fields[1], FORM) != 0)
        return setpay_lines_refuse(reader,
                                   "found \"%s,%s\", expected \"header," FORM
                                   "\": is it a clearing "
                                   "file?",
                                   reader->fields[0], reader->fields[1]);
    if (strcmp(reader->fields[2], VERSION) != 0)
        return setpay_lines_refuse_field(reader, 2, "version", VERSION);
    SETPAY_TRY(setpay_lines_check_count(reader, 6));
    setpay_lines_take(reader, 3, file->issuer, sizeof(file->issuer));
    setpay_lines_take(reader, 4, file->from, sizeof(file->from));
    setpay_lines_take(reader, 5, file->to, sizeof(file->to));
    const char *wrong = header_problem(file);
    if (wrong == NULL)
        return SETPAY_OK;
    if (strcmp(wrong, "issuer") == 0)
        return setpay_lines_refuse_field(reader, 3, wrong, "1 to 32 of A-Z a-z 0-9 . _ -");
    return setpay_lines_refuse_field(reader, strcmp(wrong, "from") == 0 ? 4 : 5, wrong,
                                     "a date YYYY-MM-DD, the first not after the last");
}

static const struct {
    const char *name;
    size_t field;
    const char *expected;
} row_fields[] = {
    {"acquirer", 1, "1 to 11 digits without a zero in front"},
    {"presentment", 2, "32 hexadecimal digits in lower case"},
    {"xid", 3, "32 hexadecimal digits in lower case, or nothing"},
    {"reference", 4, "12 letters and digits, or nothing"},
    {"kind", 5, "capture, credit, sale or sale-reversal"},
    {"amount", 6, "1 to 999999999999 minor units"},
    {"date", 8, "a day YYYY-MM-DD within those of the header"},
    {"result", 9, "a response code of 2 letters or digits"},
};

static enum setpay_error parse_row(struct setpay_lines *reader, struct setpay_clearing_file *file)
{
    struct setpay_clearing_row row = {.kind = SETPAY_CLEARING_CAPTURE};
    SETPAY_TRY(setpay_lines_check_count(reader, ROW_FIELDS));
    setpay_lines_take(reader, 1, row.acquirer, sizeof(row.acquirer));
    setpay_lines_take(reader, 2, row.presentment, sizeof(row.presentment));
    setpay_lines_take(reader, 3, row.xid, sizeof(row.xid));
    setpay_lines_take(reader, 4, row.reference, sizeof(row.reference));
    while ((size_t)row.kind < KIND_COUNT && strcmp(kinds[row.kind], reader->fields[5]) != 0)
        row.kind++;
    if (!setpay_lines_read_number(reader->fields[6], 1, SETPAY_MONEY_MAX_MINOR, &row.amount.minor))
        row.amount.minor = -1;
    if (setpay_currency_by_code(reader->fields[7]) == NULL)
        return setpay_lines_refuse_field(reader, 7, "currency", "three letters of ISO 4217");
    setpay_lines_take(reader, 7, row.amount.currency, sizeof(row.amount.currency));
    setpay_lines_take(reader, 8, row.date, sizeof(row.date));
    setpay_lines_take(reader, 9, row.result, sizeof(row.result));
    const char *wrong = row_problem(file, &row);
    for (size_t i = 0; wrong != NULL && i < sizeof(row_fields) / sizeof(row_fields[0]); i++)
        if (strcmp(wrong, row_fields[i].name) == 0)
            return setpay_lines_refuse_field(reader, row_fields[i].field, wrong,
                                             row_fields[i].expected);
    return setpay_clearing_file_add(file, &row);
}

/* The totals that stand in the file, against those of its rows; the reader is at the first line
 * behind the rows, and is left at the first behind the totals. */
static enum setpay_error check_totals(struct setpay_lines *reader, const struct totals *totals)
{
    for (size_t i = 0; i < totals->count || setpay_lines_is(reader, "total"); i++) {
        char expected[128];
        if (i == totals->count)
            return setpay_lines_refuse(reader, "a total of %s, of which no row is booked",
                                       reader->fields[1]);
        const struct total *t = &totals->all[i];
        int size = snprintf(expected, sizeof(expected),
                            "total,%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n",
                            t->currency, t->charges, t->charged, t->credits, t->credited);
        SETPAY_TRY(setpay_lines_expect(reader, expected, (size_t)size));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_clearing_file_parse(struct setpay_view bytes,
                                             struct setpay_clearing_file *file,
                                             struct setpay_problem *problem)
{
    struct setpay_clearing_file got = {.rows = NULL};
    struct totals totals = {NULL, 0};
    struct setpay_lines reader = {.bytes = bytes, .field_limit = ROW_FIELDS, .problem = problem};
    if (bytes.size > SETPAY_CLEARING_FILE_MAX)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "the file has %zu bytes, more than the %u that are read",
                                  bytes.size, SETPAY_CLEARING_FILE_MAX);
    enum setpay_error error = parse_header(&reader, &got);
    if (error == SETPAY_OK)
        error = setpay_lines_next(&reader);
    while (error == SETPAY_OK && setpay_lines_is(&reader, "row")) {
        error = parse_row(&reader, &got);
        if (error == SETPAY_OK)
            error = setpay_lines_next(&reader);
    }
    if (error == SETPAY_OK)
        error = total_up(&got, &totals);
    if (error == SETPAY_E_MONEY_OVERFLOW)
        error = setpay_lines_refuse(&reader, "the rows come to more than a total can be");
    if (error == SETPAY_OK)
        error = check_totals(&reader, &totals);
    if (error == SETPAY_OK)
        error = setpay_lines_check_end(&reader, got.row_count);
    free(totals.all);
    if (error == SETPAY_OK)
        *file = got;
    else
        setpay_clearing_file_clear(&got);
    return error;
}
