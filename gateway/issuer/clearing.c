/*
 * A day is one of UTC, and what is in it is what was first answered then: nothing that is booked
 * later changes the file of a day that is over. (A dispute's end does change the file of disputes
 * of later days alone.)
 */
#include "gateway/issuer/clearing.h"

#include "common/wire/lines.h"
#include "gateway/issuer/clearing_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------------ days */

static void date_of(setpay_time_ms time_ms, char out[SETPAY_CLEARING_DATE_SIZE])
{
    char text[SETPAY_TIME_TEXT_SIZE];
    setpay_time_format(time_ms, text);
    memcpy(out, text, SETPAY_CLEARING_DATE_SIZE - 1);
    out[SETPAY_CLEARING_DATE_SIZE - 1] = '\0';
}

/* The first moment of a valid date. */
static setpay_time_ms midnight_of(const char *date)
{
    struct tm day = {
        .tm_year = (int)strtol(date, NULL, 10) - 1900,
        .tm_mon = (int)strtol(date + 5, NULL, 10) - 1,
        .tm_mday = (int)strtol(date + 8, NULL, 10),
    };
    return (setpay_time_ms)timegm(&day) * SETPAY_SECOND_MS;
}

struct span {
    char from[SETPAY_CLEARING_DATE_SIZE];
    char to[SETPAY_CLEARING_DATE_SIZE];
    setpay_time_ms start_ms; /* of from */
    setpay_time_ms end_ms;   /* of to; no more in it */
};

/* first: the query for the moment of the first row, or 0. */
static enum setpay_error span_of(struct setpay_db *db, const struct setpay_clearing_ask *ask,
                                 const char *first, struct span *span)
{
    if (ask->date != NULL) {
        if (!setpay_clearing_date_valid(ask->date))
            return SETPAY_E_INVALID;
        memcpy(span->from, ask->date, sizeof(span->from));
        memcpy(span->to, ask->date, sizeof(span->to));
    } else {
        struct setpay_db_rows *rows;
        SETPAY_TRY(setpay_db_one(db, &rows, first));
        setpay_time_ms first_ms = setpay_db_get_int(rows, 0);
        SETPAY_TRY(setpay_db_end(rows));
        date_of(first_ms == 0 || first_ms > ask->now ? ask->now : first_ms, span->from);
        date_of(ask->now, span->to);
    }
    span->start_ms = midnight_of(span->from);
    span->end_ms = midnight_of(span->to) + SETPAY_DAY_MS;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ presentments */

static enum setpay_error read_row(struct setpay_db_rows *rows, struct setpay_clearing_row *row)
{
    char kind[16];
    setpay_db_get_text(rows, 0, row->acquirer, sizeof(row->acquirer));
    setpay_db_get_text(rows, 1, row->presentment, sizeof(row->presentment));
    setpay_db_get_text(rows, 2, row->xid, sizeof(row->xid));
    setpay_db_get_text(rows, 3, row->reference, sizeof(row->reference));
    setpay_db_get_text(rows, 4, kind, sizeof(kind));
    row->amount.minor = setpay_db_get_int(rows, 5);
    setpay_db_get_text(rows, 6, row->amount.currency, sizeof(row->amount.currency));
    date_of(setpay_db_get_int(rows, 7), row->date);
    setpay_db_get_text(rows, 8, row->result, sizeof(row->result));
    for (int k = SETPAY_CLEARING_CAPTURE; k <= SETPAY_CLEARING_SALE_REVERSAL; k++) {
        row->kind = (enum setpay_clearing_kind)k;
        if (strcmp(kind, setpay_clearing_kind_name(row->kind)) == 0)
            return SETPAY_OK;
    }
    return SETPAY_E_STORE;
}

static enum setpay_error read_rows(struct setpay_db *db, const struct span *span,
                                   struct setpay_clearing_file *file)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT p.acquirer, p.id, COALESCE(z.xid, ''), COALESCE(z.rrn, ''), p.kind,"
        " p.amount_minor, p.currency, p.first_ms, p.result FROM card_presentment p"
        " LEFT JOIN card_authorisation z ON z.id = p.authorisation"
        " WHERE p.first_ms >= $1 AND p.first_ms < $2 ORDER BY p.first_ms, p.number",
        SETPAY_DB_INT(span->start_ms), SETPAY_DB_INT(span->end_ms)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_clearing_row row;
        error = read_row(rows, &row);
        if (error == SETPAY_OK)
            error = setpay_clearing_file_add(file, &row);
    }
    enum setpay_error ended = setpay_db_end(rows);
    return error != SETPAY_OK ? error : ended;
}

enum setpay_error setpay_clearing_write(struct setpay_db *db, const struct setpay_clearing_ask *ask,
                                        struct setpay_buffer *out)
{
    struct setpay_clearing_file file = {.rows = NULL};
    struct span span;
    SETPAY_TRY(span_of(db, ask, "SELECT COALESCE(MIN(first_ms), 0) FROM card_presentment", &span));
    snprintf(file.issuer, sizeof(file.issuer), "%s", ask->issuer);
    memcpy(file.from, span.from, sizeof(file.from));
    memcpy(file.to, span.to, sizeof(file.to));
    enum setpay_error error = read_rows(db, &span, &file);
    if (error == SETPAY_OK)
        error = setpay_clearing_file_build(&file, out);
    setpay_clearing_file_clear(&file);
    return error;
}

/* ------------------------------------------------------------------ disputes */

static enum setpay_error write_dispute(struct setpay_db_rows *rows, const struct span *span,
                                       struct setpay_buffer *out)
{
    char text[8][40];
    char opened[SETPAY_CLEARING_DATE_SIZE];
    char closed[SETPAY_CLEARING_DATE_SIZE] = "";
    for (int i = 0; i < 7; i++)
        setpay_db_get_text(rows, i, text[i], sizeof(text[i]));
    int64_t closed_ms = setpay_db_get_int(rows, 10);
    bool over = closed_ms != 0 && closed_ms < span->end_ms;
    date_of(setpay_db_get_int(rows, 9), opened);
    if (over)
        date_of(closed_ms, closed);
    return setpay_buffer_append_format(
        out, "row,%" PRId64 ",%s,%s,%s,%s,%" PRId64 ",%s,%s,%s,%s,%s\n", setpay_db_get_int(rows, 7),
        text[0], text[1], text[2], text[3], setpay_db_get_int(rows, 8), text[4], text[5], opened,
        closed, over ? text[6] : "");
}

static enum setpay_error write_disputes(struct setpay_db *db, const struct span *span,
                                        struct setpay_buffer *out, size_t *count)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT p.acquirer, p.id, z.xid, z.rrn, p.currency, d.reason, d.outcome, d.number,"
        " d.amount_minor, d.opened_ms, d.closed_ms FROM dispute d JOIN card_presentment p"
        " ON p.number = d.presentment JOIN card_authorisation z ON z.id = p.authorisation"
        " WHERE d.opened_ms < $1 AND (d.closed_ms = 0 OR d.closed_ms >= $2) ORDER BY d.number",
        SETPAY_DB_INT(span->end_ms), SETPAY_DB_INT(span->start_ms)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        error = write_dispute(rows, span, out);
        (*count)++;
    }
    enum setpay_error ended = setpay_db_end(rows);
    return error != SETPAY_OK ? error : ended;
}

static enum setpay_error write_dispute_totals(struct setpay_db *db, const struct span *span,
                                              struct setpay_buffer *out)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT p.currency, COUNT(*), CAST(SUM(d.amount_minor) AS BIGINT) FROM dispute d"
        " JOIN card_presentment p ON p.number = d.presentment WHERE d.opened_ms < $1"
        " AND (d.closed_ms = 0 OR d.closed_ms >= $1) GROUP BY p.currency ORDER BY p.currency",
        SETPAY_DB_INT(span->end_ms)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        char currency[4];
        setpay_db_get_text(rows, 0, currency, sizeof(currency));
        error = setpay_buffer_append_format(out, "total,%s,%" PRId64 ",%" PRId64 "\n", currency,
                                            setpay_db_get_int(rows, 1), setpay_db_get_int(rows, 2));
    }
    enum setpay_error ended = setpay_db_end(rows);
    return error != SETPAY_OK ? error : ended;
}

enum setpay_error setpay_clearing_write_disputes(struct setpay_db *db,
                                                 const struct setpay_clearing_ask *ask,
                                                 struct setpay_buffer *out)
{
    struct span span;
    size_t start = out->size;
    size_t count = 0;
    SETPAY_TRY(span_of(db, ask, "SELECT COALESCE(MIN(opened_ms), 0) FROM dispute", &span));
    SETPAY_TRY(setpay_buffer_append_format(out, "header,setpay-disputes,1,%s,%s,%s\n", ask->issuer,
                                           span.from, span.to));
    SETPAY_TRY(write_disputes(db, &span, out, &count));
    SETPAY_TRY(write_dispute_totals(db, &span, out));
    return setpay_lines_seal(out, start, count);
}
