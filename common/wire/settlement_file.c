/*
 * setpay-settlement(5). What always holds: what is built parses, and what parses is built to the
 * same bytes again: a value has one form. Sums are made with a check for overflow, and what is paid
 * out is what all else comes to.
 */
#include "common/wire/settlement_file.h"

#include "common/base/zone.h"
#include "common/wire/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORM "setpay-settlement"
#define VERSION "1"
#define BEGIN "header," FORM ","
#define HEADER_FIELDS 9
#define ROW_FIELDS 10

static const char *const kinds[SETPAY_SETTLEMENT_KINDS] = {
    [SETPAY_SETTLEMENT_CAPTURE] = "capture",
    [SETPAY_SETTLEMENT_CREDIT] = "credit",
    [SETPAY_SETTLEMENT_SALE] = "sale",
    [SETPAY_SETTLEMENT_DISPUTE] = "dispute",
    [SETPAY_SETTLEMENT_RETURNED] = "dispute-returned",
    [SETPAY_SETTLEMENT_CLEARED] = "cleared",
    [SETPAY_SETTLEMENT_ENDED] = "ended",
};

const char *setpay_settlement_kind_name(enum setpay_settlement_kind kind)
{
    return (unsigned)kind < SETPAY_SETTLEMENT_KINDS ? kinds[kind] : NULL;
}

bool setpay_settlement_kind_is_item(enum setpay_settlement_kind kind)
{
    return kind == SETPAY_SETTLEMENT_CAPTURE || kind == SETPAY_SETTLEMENT_CREDIT ||
           kind == SETPAY_SETTLEMENT_SALE;
}

static bool is_dispute(enum setpay_settlement_kind kind)
{
    return kind == SETPAY_SETTLEMENT_DISPUTE || kind == SETPAY_SETTLEMENT_RETURNED;
}

int64_t setpay_settlement_totals_net(const struct setpay_settlement_totals *t)
{
    return t->capture_minor - t->capture_fee_minor - t->credit_minor + t->credit_fee_minor;
}

/* ------------------------------------------------------------------ values */

static bool name_valid(const char *text, size_t most)
{
    return setpay_lines_made_of(text, SETPAY_LINES_ALNUM "._-", 1, most);
}

static bool date_valid(const char *text)
{
    struct setpay_date date;
    return setpay_date_parse(text, &date) == SETPAY_OK;
}

/* What stands in the way of writing the header: the field's name, or NULL. */
static const char *header_problem(const struct setpay_settlement_report *report)
{
    if (!name_valid(report->gateway, SETPAY_WIRE_PARTY_MAX))
        return "gateway";
    if (!name_valid(report->brand, SETPAY_WIRE_BRAND_MAX))
        return "brand";
    if (!name_valid(report->merchant_id, SETPAY_WIRE_PARTY_MAX))
        return "merchant";
    if (!date_valid(report->day))
        return "day";
    return setpay_currency_by_code(report->currency) == NULL ? "currency" : NULL;
}

static const char *item_problem(const struct setpay_settlement_row *row)
{
    if (row->batch == 0)
        return "batch";
    if (row->amount_minor < 1 || row->amount_minor > SETPAY_MONEY_MAX_MINOR)
        return "amount";
    if (row->fee_minor < 0 || row->fee_minor > row->amount_minor)
        return "fee";
    if (!setpay_lines_made_of(row->code, SETPAY_LINES_ALNUM, 2, 2))
        return "code";
    if (!date_valid(row->date))
        return "date";
    return setpay_id_is_zero(&row->event) ? NULL : "event";
}

static const char *dispute_problem(const struct setpay_settlement_row *row)
{
    if (row->batch != 0)
        return "batch";
    if (row->amount_minor < 1 || row->amount_minor > SETPAY_MONEY_MAX_MINOR)
        return "amount";
    if (row->fee_minor != 0)
        return "fee";
    if (!setpay_lines_made_of(row->code, "abcdefghijklmnopqrstuvwxyz-", 1,
                              SETPAY_SETTLEMENT_CODE_SIZE - 1))
        return "code";
    if (!date_valid(row->date))
        return "date";
    return setpay_id_is_zero(&row->event) ? "event" : NULL;
}

static const char *cleared_problem(const struct setpay_settlement_row *row)
{
    if (row->batch != 0)
        return "batch";
    if (row->amount_minor < -SETPAY_MONEY_MAX_MINOR || row->amount_minor > SETPAY_MONEY_MAX_MINOR)
        return "amount";
    if (row->fee_minor != 0)
        return "fee";
    if (row->code[0] != '\0')
        return "code";
    if (row->date[0] != '\0')
        return "date";
    return setpay_id_is_zero(&row->event) ? "event" : NULL;
}

static const char *row_problem(const struct setpay_settlement_row *row)
{
    return setpay_settlement_kind_name(row->kind) == NULL ? "kind"
           : setpay_settlement_kind_is_item(row->kind)    ? item_problem(row)
           : is_dispute(row->kind)                        ? dispute_problem(row)
                                                          : cleared_problem(row);
}

/* ------------------------------------------------------------------ reports */

void setpay_settlement_report_clear(struct setpay_settlement_report *report)
{
    free(report->rows);
    *report = (struct setpay_settlement_report){.rows = NULL};
}

/* Room doubles whenever it is used up: at each power of two. NULL without memory. */
static void *make_room(void *list, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return list;
    return realloc(list, (count == 0 ? 1 : count * 2) * size);
}

enum setpay_error setpay_settlement_report_add(struct setpay_settlement_report *report,
                                               const struct setpay_settlement_row *row)
{
    struct setpay_settlement_row *rows =
        make_room(report->rows, report->row_count, sizeof(*report->rows));
    if (rows == NULL)
        return SETPAY_E_NOMEM;
    report->rows = rows;
    report->rows[report->row_count++] = *row;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ totals */

static bool add_to(int64_t *sum, int64_t minor)
{
    return !__builtin_add_overflow(*sum, minor, sum) && *sum <= SETPAY_SETTLEMENT_SUM_MAX &&
           *sum >= -SETPAY_SETTLEMENT_SUM_MAX;
}

static bool count_one(int64_t *count, int64_t *sum, int64_t minor)
{
    (*count)++;
    return add_to(sum, minor);
}

static bool count_item(const struct setpay_settlement_row *row, struct setpay_settlement_totals *t)
{
    bool credits = row->kind == SETPAY_SETTLEMENT_CREDIT;
    int64_t net_minor = row->amount_minor - row->fee_minor;
    if (strcmp(row->code, "00") != 0)
        return count_one(&t->refused_count, &t->refused_minor, credits ? -net_minor : net_minor);
    if (credits)
        return count_one(&t->credit_count, &t->credit_minor, row->amount_minor) &&
               add_to(&t->credit_fee_minor, row->fee_minor);
    return count_one(&t->capture_count, &t->capture_minor, row->amount_minor) &&
           add_to(&t->capture_fee_minor, row->fee_minor);
}

static bool count_row(const struct setpay_settlement_row *row, struct setpay_settlement_totals *t)
{
    switch (row->kind) {
    case SETPAY_SETTLEMENT_DISPUTE:
        return count_one(&t->disputed_count, &t->disputed_minor, row->amount_minor);
    case SETPAY_SETTLEMENT_RETURNED:
        return count_one(&t->returned_count, &t->returned_minor, row->amount_minor);
    case SETPAY_SETTLEMENT_CLEARED:
        return row->amount_minor == 0 ||
               count_one(&t->cleared_count, &t->cleared_minor, row->amount_minor);
    case SETPAY_SETTLEMENT_ENDED:
        return true;
    default:
        return count_item(row, t);
    }
}

enum setpay_error setpay_settlement_report_total(struct setpay_settlement_report *report)
{
    struct setpay_settlement_totals t = {
        .carried_in_minor = report->totals.carried_in_minor,
        .held_minor = report->totals.held_minor,
        .released_minor = report->totals.released_minor,
        .repaid_count = report->totals.repaid_count,
        .repaid_minor = report->totals.repaid_minor,
        .payout_minor = report->totals.payout_minor,
        .carried_out_minor = report->totals.carried_out_minor,
    };
    for (size_t i = 0; i < report->row_count; i++)
        if (!count_row(&report->rows[i], &t))
            return SETPAY_E_MONEY_OVERFLOW;
    report->totals = t;
    return SETPAY_OK;
}

/* All of them are bounded; what they come to may not be. */
static bool adds_up(const struct setpay_settlement_totals *t)
{
    const int64_t parts[] = {
        t->carried_in_minor,   t->capture_minor,   -t->capture_fee_minor, -t->credit_minor,
        t->credit_fee_minor,   -t->disputed_minor, t->returned_minor,     t->cleared_minor,
        t->repaid_minor,       t->released_minor,  -t->held_minor,        -t->payout_minor,
        -t->carried_out_minor,
    };
    int64_t left = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (__builtin_add_overflow(left, parts[i], &left))
            return false;
    return left == 0;
}

/* ------------------------------------------------------------------ building */

#define TOTALS_SIZE 400

/* The two lines that follow from rows; returns how long they are. */
static size_t format_totals(const struct setpay_settlement_totals *t, bool of_items,
                            char out[TOTALS_SIZE])
{
    if (of_items)
        return (size_t)snprintf(out, TOTALS_SIZE,
                                "items,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
                                ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n",
                                t->capture_count, t->capture_minor, t->capture_fee_minor,
                                t->credit_count, t->credit_minor, t->credit_fee_minor,
                                t->refused_count, t->refused_minor);
    return (size_t)snprintf(out, TOTALS_SIZE,
                            "others,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
                            ",%" PRId64 "\n",
                            t->disputed_count, t->disputed_minor, t->returned_count,
                            t->returned_minor, t->cleared_count, t->cleared_minor);
}

static enum setpay_error build_row(const struct setpay_settlement_row *row,
                                   struct setpay_buffer *out)
{
    char step[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE], event[SETPAY_ID_TEXT_SIZE];
    char batch[12] = "", fee[24] = "";
    if (setpay_settlement_kind_is_item(row->kind)) {
        (void)snprintf(batch, sizeof batch, "%" PRIu32, row->batch);
        (void)snprintf(fee, sizeof fee, "%" PRId64, row->fee_minor);
    }
    return setpay_buffer_append_format(
        out, "row,%s,%s,%s,%s,%" PRId64 ",%s,%s,%s,%s\n", kinds[row->kind],
        setpay_id_format(&row->step, step), setpay_id_format(&row->xid, xid), batch,
        row->amount_minor, fee, row->code, row->date,
        setpay_id_is_zero(&row->event) ? "" : setpay_id_format(&row->event, event));
}

static bool payout_valid(const struct setpay_settlement_totals *t)
{
    return t->carried_in_minor <= 0 && t->carried_in_minor >= -SETPAY_SETTLEMENT_SUM_MAX &&
           t->held_minor >= 0 && t->held_minor <= SETPAY_SETTLEMENT_SUM_MAX &&
           t->released_minor >= 0 && t->released_minor <= SETPAY_SETTLEMENT_SUM_MAX &&
           t->repaid_count >= 0 && t->repaid_count <= SETPAY_SETTLEMENT_SUM_MAX &&
           t->repaid_minor >= 0 && t->repaid_minor <= SETPAY_SETTLEMENT_SUM_MAX &&
           t->payout_minor >= 0 && t->payout_minor <= SETPAY_SETTLEMENT_SUM_MAX &&
           t->carried_out_minor <= 0 && t->carried_out_minor >= -SETPAY_SETTLEMENT_SUM_MAX;
}

enum setpay_error setpay_settlement_report_build(struct setpay_settlement_report *report,
                                                 struct setpay_buffer *out)
{
    char id[SETPAY_ID_TEXT_SIZE], line[TOTALS_SIZE];
    const struct setpay_settlement_totals *t = &report->totals;
    size_t start = out->size;
    if (header_problem(report) != NULL)
        return SETPAY_E_INVALID;
    SETPAY_TRY(setpay_settlement_report_total(report));
    if (!payout_valid(t) || !adds_up(t))
        return SETPAY_E_INVALID;
    SETPAY_TRY(setpay_buffer_append_format(out, BEGIN VERSION ",%s,%s,%s,%s,%s,%s\n",
                                           report->gateway,
                                           setpay_id_format(&report->settlement, id), report->brand,
                                           report->merchant_id, report->day, report->currency));
    for (size_t i = 0; i < report->row_count; i++) {
        if (row_problem(&report->rows[i]) != NULL)
            return SETPAY_E_INVALID;
        SETPAY_TRY(build_row(&report->rows[i], out));
    }
    for (int of_items = 1; of_items >= 0; of_items--) {
        (void)format_totals(t, of_items == 1, line);
        SETPAY_TRY(setpay_buffer_append(out, setpay_view_string(line)));
    }
    SETPAY_TRY(setpay_buffer_append_format(out,
                                           "payout,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
                                           ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n",
                                           t->carried_in_minor, t->held_minor, t->released_minor,
                                           t->repaid_count, t->repaid_minor, t->payout_minor,
                                           t->carried_out_minor));
    return setpay_lines_seal(out, start, report->row_count);
}

/* ------------------------------------------------------------------ parsing */

/* A number that may be below 0, in its one form. */
static bool read_signed(const char *text, int64_t most, int64_t *value)
{
    int64_t got;
    bool below = text[0] == '-';
    if (!setpay_lines_read_number(text + (below ? 1 : 0), below ? 1 : 0, most, &got))
        return false;
    *value = below ? -got : got;
    return true;
}

static bool read_id(const char *text, struct setpay_id *id)
{
    return setpay_lines_id_valid(text) && setpay_id_parse(text, id) == SETPAY_OK;
}

static const struct {
    const char *name;
    size_t field;
    const char *expected;
} header_fields[] = {
    {"gateway", 3, "1 to 32 of A-Z a-z 0-9 . _ -"},
    {"settlement", 4, "32 hexadecimal digits in lower case"},
    {"brand", 5, "1 to 32 of A-Z a-z 0-9 . _ -"},
    {"merchant", 6, "1 to 32 of A-Z a-z 0-9 . _ -"},
    {"day", 7, "a date YYYY-MM-DD"},
    {"currency", 8, "three letters of ISO 4217"},
};

/* Other files of the gateway have lines that could not even be read as these. */
static bool begins_so(struct setpay_view bytes)
{
    struct setpay_view begin = setpay_view_string(BEGIN);
    return bytes.size > begin.size &&
           setpay_view_equal(setpay_view_of(bytes.data, begin.size), begin);
}

static enum setpay_error parse_header(struct setpay_lines *reader,
                                      struct setpay_settlement_report *report)
{
    if (!begins_so(reader->bytes)) {
        reader->number++;
        return setpay_lines_refuse(reader,
                                   "expected a line \"" BEGIN
                                   "…\": is it what setpay-gateway report settlement --format items"
                                   " writes?");
    }
    SETPAY_TRY(setpay_lines_next(reader));
    if (strcmp(reader->fields[2], VERSION) != 0)
        return setpay_lines_refuse_field(reader, 2, "version", VERSION);
    SETPAY_TRY(setpay_lines_check_count(reader, HEADER_FIELDS));
    report->line = reader->number;
    setpay_lines_take(reader, 3, report->gateway, sizeof report->gateway);
    setpay_lines_take(reader, 5, report->brand, sizeof report->brand);
    setpay_lines_take(reader, 6, report->merchant_id, sizeof report->merchant_id);
    setpay_lines_take(reader, 7, report->day, sizeof report->day);
    setpay_lines_take(reader, 8, report->currency, sizeof report->currency);
    const char *wrong =
        !read_id(reader->fields[4], &report->settlement) ? "settlement" : header_problem(report);
    for (size_t i = 0; wrong != NULL && i < sizeof header_fields / sizeof *header_fields; i++)
        if (strcmp(wrong, header_fields[i].name) == 0)
            return setpay_lines_refuse_field(reader, header_fields[i].field, wrong,
                                             header_fields[i].expected);
    return SETPAY_OK;
}

static const struct {
    const char *name;
    size_t field;
    const char *expected;
} row_fields[] = {
    {"kind", 1, "capture, credit, sale, dispute, dispute-returned, cleared or ended"},
    {"step", 2, "32 hexadecimal digits in lower case"},
    {"xid", 3, "32 hexadecimal digits in lower case"},
    {"batch", 4, "the number of an item's batch, and nothing of what is no item"},
    {"amount", 5, "1 to 999999999999 minor units; of what was cleared or ended maybe below 0"},
    {"fee", 6, "of an item 0 to its amount, and nothing of what is no item"},
    {"code", 7, "an item's response code, a dispute's reason, or nothing"},
    {"date", 8, "a day YYYY-MM-DD; of what was cleared or ended nothing"},
    {"event", 9, "the id of a dispute or clearing, and nothing of an item"},
};

static enum setpay_error refuse_row(const struct setpay_lines *reader, const char *wrong)
{
    size_t i = 0;
    while (strcmp(wrong, row_fields[i].name) != 0)
        i++;
    return setpay_lines_refuse_field(reader, row_fields[i].field, wrong, row_fields[i].expected);
}

/* What of the line is no value at all: the field's name, or NULL. */
static const char *read_row(const struct setpay_lines *reader, struct setpay_settlement_row *row)
{
    int64_t batch = 0;
    row->line = reader->number;
    for (unsigned kind = 1; kind < SETPAY_SETTLEMENT_KINDS; kind++)
        if (strcmp(kinds[kind], reader->fields[1]) == 0)
            row->kind = (enum setpay_settlement_kind)kind;
    if ((unsigned)row->kind == 0)
        return "kind";
    bool is_item = setpay_settlement_kind_is_item(row->kind);
    if (!read_id(reader->fields[2], &row->step))
        return "step";
    if (!read_id(reader->fields[3], &row->xid))
        return "xid";
    if (is_item ? !setpay_lines_read_number(reader->fields[4], 1, UINT32_MAX, &batch)
                : reader->fields[4][0] != '\0')
        return "batch";
    row->batch = (uint32_t)batch;
    if (!read_signed(reader->fields[5], SETPAY_MONEY_MAX_MINOR, &row->amount_minor))
        return "amount";
    if (is_item ? !setpay_lines_read_number(reader->fields[6], 0, SETPAY_MONEY_MAX_MINOR,
                                            &row->fee_minor)
                : reader->fields[6][0] != '\0')
        return "fee";
    setpay_lines_take(reader, 7, row->code, sizeof row->code);
    setpay_lines_take(reader, 8, row->date, sizeof row->date);
    /* An event of zeros would be written as none. */
    if (reader->fields[9][0] != '\0' &&
        (!read_id(reader->fields[9], &row->event) || setpay_id_is_zero(&row->event)))
        return "event";
    return NULL;
}

static enum setpay_error parse_row(struct setpay_lines *reader,
                                   struct setpay_settlement_report *report)
{
    struct setpay_settlement_row row = {.line = 0};
    SETPAY_TRY(setpay_lines_check_count(reader, ROW_FIELDS));
    const char *wrong = read_row(reader, &row);
    if (wrong == NULL)
        wrong = row_problem(&row);
    if (wrong != NULL)
        return refuse_row(reader, wrong);
    return setpay_settlement_report_add(report, &row);
}

/* The reader is at the first line behind the rows, and is left at the end's. */
static enum setpay_error parse_totals(struct setpay_lines *reader,
                                      struct setpay_settlement_report *report)
{
    char line[TOTALS_SIZE];
    struct setpay_settlement_totals *t = &report->totals;
    enum setpay_error error = setpay_settlement_report_total(report);
    if (error == SETPAY_E_MONEY_OVERFLOW)
        return setpay_lines_refuse(reader, "the rows come to more than a total can be");
    SETPAY_TRY(error);
    SETPAY_TRY(setpay_lines_expect(reader, line, format_totals(t, true, line)));
    SETPAY_TRY(setpay_lines_expect(reader, line, format_totals(t, false, line)));
    if (!setpay_lines_is(reader, "payout"))
        return setpay_lines_refuse_field(reader, 0, "the line's kind", "payout");
    SETPAY_TRY(setpay_lines_check_count(reader, 8));
    int64_t *const values[] = {
        &t->carried_in_minor, &t->held_minor,   &t->released_minor,    &t->repaid_count,
        &t->repaid_minor,     &t->payout_minor, &t->carried_out_minor,
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (!read_signed(reader->fields[i + 1], SETPAY_SETTLEMENT_SUM_MAX, values[i]))
            return setpay_lines_refuse_field(reader, i + 1, "payout", "a number of minor units");
    if (!payout_valid(t))
        return setpay_lines_refuse(reader, "payout: only what is carried over is below 0, and it "
                                           "is never above");
    if (!adds_up(t))
        return setpay_lines_refuse(reader, "payout: what is paid out and carried over is not what "
                                           "all else comes to");
    return setpay_lines_next(reader);
}

/* reader: bytes begins with the settlement, and nothing of it was read. */
static enum setpay_error parse_report(struct setpay_lines *reader,
                                      struct setpay_settlement_report *report)
{
    SETPAY_TRY(parse_header(reader, report));
    SETPAY_TRY(setpay_lines_next(reader));
    while (setpay_lines_is(reader, "row")) {
        SETPAY_TRY(parse_row(reader, report));
        SETPAY_TRY(setpay_lines_next(reader));
    }
    if (!setpay_lines_is(reader, "items"))
        return setpay_lines_refuse_field(reader, 0, "the line's kind", "row, then items");
    SETPAY_TRY(parse_totals(reader, report));
    SETPAY_TRY(setpay_lines_check_seal(reader, report->row_count));
    return setpay_sha256(setpay_view_of(reader->bytes.data, reader->start), &report->digest);
}

/* One more behind the others, zeroed; NULL without memory. */
static struct setpay_settlement_report *add_report(struct setpay_settlement_file *file)
{
    struct setpay_settlement_report *reports =
        make_room(file->reports, file->count, sizeof(*file->reports));
    if (reports == NULL)
        return NULL;
    file->reports = reports;
    reports[file->count] = (struct setpay_settlement_report){.rows = NULL};
    return &reports[file->count++];
}

enum setpay_error setpay_settlement_file_parse(struct setpay_view bytes,
                                               struct setpay_settlement_file *file,
                                               struct setpay_problem *problem)
{
    struct setpay_settlement_file got = {.reports = NULL};
    struct setpay_lines reader = {.bytes = bytes, .field_limit = ROW_FIELDS, .problem = problem};
    enum setpay_error error = SETPAY_OK;
    if (bytes.size > SETPAY_SETTLEMENT_FILE_MAX)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "the file has %zu bytes, more than the %u that are read",
                                  bytes.size, SETPAY_SETTLEMENT_FILE_MAX);
    SETPAY_TRY(setpay_lines_check_mark(&reader));
    do {
        if (got.count == SETPAY_SETTLEMENT_REPORTS_MAX) {
            error = setpay_problem_set(problem, SETPAY_E_INVALID,
                                       "line %zu: the file has more than the %d settlements that"
                                       " are read at once; read it in in parts",
                                       reader.number + 1, SETPAY_SETTLEMENT_REPORTS_MAX);
            break;
        }
        struct setpay_settlement_report *report = add_report(&got);
        error = report == NULL ? SETPAY_E_NOMEM : parse_report(&reader, report);
        if (error != SETPAY_OK)
            break;
        /* The next is sealed for itself: it begins where this one ends. */
        reader.bytes = setpay_view_of(reader.bytes.data + reader.at, reader.bytes.size - reader.at);
        reader.at = 0;
    } while (reader.bytes.size > 0);
    if (error == SETPAY_OK)
        *file = got;
    else
        setpay_settlement_file_clear(&got);
    return error;
}

void setpay_settlement_file_clear(struct setpay_settlement_file *file)
{
    for (size_t i = 0; i < file->count; i++)
        setpay_settlement_report_clear(&file->reports[i]);
    free(file->reports);
    *file = (struct setpay_settlement_file){.reports = NULL};
}
