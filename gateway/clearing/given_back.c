/*
 * The rule, and the walk that computes it again: through the credits of one capture after the
 * other, each in the order in which they were booked.
 */
#include "gateway/clearing/given_back.h"

#include "gateway/clearing/fees.h"
#include "gateway/clearing/sql_names.h"

#include <stdbool.h>

int64_t setpay_given_back(const struct setpay_kept_interchange *of, int64_t credit_minor)
{
    if (of->captured_minor <= 0)
        return 0;
    int64_t credited_minor = of->credited_minor + credit_minor;
    int64_t due_minor = setpay_cost_of_part(of->kept_minor, credited_minor, of->captured_minor);
    int64_t more = due_minor - of->given_minor;
    /* Where one in the middle was undone, those that stand may have given back more or less than
     * their share: the next ones make up for it. */
    if (more < 0)
        return 0;
    return more > credit_minor ? credit_minor : more;
}

/* ------------------------------------------------------------------ looking again */

struct walk {
    struct setpay_look *look;
    int64_t last_before; /* the last step of before the rule */
    int64_t capture_id;
    struct setpay_kept_interchange of;
};

struct row {
    int64_t id, amount_minor, interchange_minor, undone_minor;
    bool undoes;
    char token[33];
};

static void check_row(struct walk *walk, const struct row *row)
{
    int64_t expected =
        row->undoes ? row->undone_minor : setpay_given_back(&walk->of, row->amount_minor);
    int64_t sign = row->undoes ? -1 : 1;
    if (row->id > walk->last_before && row->interchange_minor != expected)
        setpay_look_find(walk->look, "step %s gives back interchange of %lld, expected %lld",
                         row->token, (long long)row->interchange_minor, (long long)expected);
    walk->of.credited_minor += sign * row->amount_minor;
    walk->of.given_minor += sign * row->interchange_minor;
}

static void read_row(struct setpay_db_rows *rows, struct walk *walk)
{
    int64_t capture_id = setpay_db_get_int(rows, 0);
    if (capture_id != walk->capture_id)
        walk->of = (struct setpay_kept_interchange){
            .captured_minor = setpay_db_get_int(rows, 1),
            .kept_minor = setpay_db_get_int(rows, 2),
        };
    walk->capture_id = capture_id;
    struct row row = {
        .id = setpay_db_get_int(rows, 3),
        .undoes = setpay_db_get_bool(rows, 4),
        .amount_minor = setpay_db_get_int(rows, 5),
        .interchange_minor = setpay_db_get_int(rows, 6),
        .undone_minor = setpay_db_get_int(rows, 8),
    };
    setpay_db_get_text(rows, 7, row.token, sizeof row.token);
    check_row(walk, &row);
}

static enum setpay_error read_rule(struct setpay_db *db, int64_t *last_before)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT last_before FROM given_back_rule WHERE id = 1"));
    *last_before = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

enum setpay_error setpay_given_back_verify(struct setpay_look *look)
{
    struct walk walk = {.look = look};
    struct setpay_db_rows *rows;
    if (!setpay_look_adds_up(look, SETPAY_LOOK_STEPS))
        return SETPAY_OK;
    SETPAY_TRY(read_rule(look->db, &walk.last_before));
    SETPAY_TRY(setpay_db_select(
        look->db, &rows,
        "SELECT capture.id, capture.amount_minor, capture.interchange_minor, step.id,"
        " step.kind = " SETPAY_SQL_CREDIT_REVERSAL
        ", step.amount_minor, step.interchange_minor, lower(hex(step.token)),"
        " COALESCE(undone.interchange_minor, 0) FROM step"
        " LEFT JOIN step undone ON step.kind = " SETPAY_SQL_CREDIT_REVERSAL
        " AND undone.id = step.of_id"
        " JOIN step capture ON capture.id ="
        " CASE step.kind WHEN " SETPAY_SQL_CREDIT " THEN step.of_id ELSE undone.of_id END"
        " WHERE step.kind IN (" SETPAY_SQL_CREDIT ", " SETPAY_SQL_CREDIT_REVERSAL
        ") ORDER BY capture.id, step.id"));
    while (setpay_db_next(rows))
        read_row(rows, &walk);
    return setpay_db_end(rows);
}
