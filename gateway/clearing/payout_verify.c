/*
 * Looking through payouts: each with its settlement, its file and its entries; and each file with
 * what it pays and with its bytes.
 */
#include "gateway/clearing/look.h"
#include "gateway/clearing/payout.h"

#include <string.h>

/* ------------------------------------------------------------------ entries */

static enum setpay_error find(struct setpay_db *db, enum setpay_ledger_kind kind,
                              const struct setpay_id *event, setpay_time_ms *at_ms,
                              struct setpay_payout *payout, struct setpay_look_expected *expected)
{
    SETPAY_TRY(setpay_payout_find_event(db, kind, event, payout));
    if (setpay_look_is_amount(payout->amount_minor)) /* else it would not be posted at all */
        setpay_payout_post(payout, kind, &expected->entry);
    *at_ms = kind == SETPAY_LEDGER_PAYOUT_SENT        ? payout->sent_ms
             : kind == SETPAY_LEDGER_PAYOUT_PAID      ? payout->paid.at_ms
             : kind == SETPAY_LEDGER_PAYOUT_SET_ASIDE ? payout->aside.at_ms
                                                      : payout->returned.at_ms;
    return SETPAY_OK;
}

enum setpay_error setpay_look_expect_payout_sent(struct setpay_db *db,
                                                 const struct setpay_id *event,
                                                 struct setpay_look_expected *expected)
{
    struct setpay_payout payout;
    struct setpay_payout_file file = {.id = 0};
    SETPAY_TRY(
        find(db, SETPAY_LEDGER_PAYOUT_SENT, event, &expected->entry.time_ms, &payout, expected));
    enum setpay_error error = setpay_payout_file_find(db, &payout.file_token, &file, NULL);
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND) /* another event is computed of none */
        return error;
    return setpay_payout_sent_event(&payout, &file, &expected->token);
}

enum setpay_error setpay_look_expect_payout_paid(struct setpay_db *db,
                                                 const struct setpay_id *event,
                                                 struct setpay_look_expected *expected)
{
    struct setpay_payout payout;
    SETPAY_TRY(
        find(db, SETPAY_LEDGER_PAYOUT_PAID, event, &expected->entry.time_ms, &payout, expected));
    return setpay_payout_paid_event(&payout, &expected->token);
}

enum setpay_error setpay_look_expect_payout_returned(struct setpay_db *db,
                                                     const struct setpay_id *event,
                                                     struct setpay_look_expected *expected)
{
    struct setpay_payout payout;
    SETPAY_TRY(find(db, SETPAY_LEDGER_PAYOUT_RETURNED, event, &expected->entry.time_ms, &payout,
                    expected));
    return setpay_payout_returned_event(&payout, &expected->token);
}

enum setpay_error setpay_look_expect_payout_set_aside(struct setpay_db *db,
                                                      const struct setpay_id *event,
                                                      struct setpay_look_expected *expected)
{
    struct setpay_payout payout;
    SETPAY_TRY(find(db, SETPAY_LEDGER_PAYOUT_SET_ASIDE, event, &expected->entry.time_ms, &payout,
                    expected));
    return setpay_payout_aside_event(&payout, &expected->token);
}

enum setpay_error setpay_look_expect_payout_undone(struct setpay_db *db,
                                                   const struct setpay_id *event,
                                                   struct setpay_look_expected *expected)
{
    struct setpay_payout payout;
    struct setpay_payout_undone undone;
    SETPAY_TRY(setpay_payout_undone_find(db, event, true, &undone));
    SETPAY_TRY(setpay_payout_find_event(db, SETPAY_LEDGER_PAYOUT_UNDONE, event, &payout));
    if (setpay_look_is_amount(payout.amount_minor))
        setpay_payout_undone_post(&payout, undone.is_return, &expected->entry);
    expected->entry.time_ms = undone.at_ms;
    return setpay_payout_undone_event(&undone, &expected->token);
}

/* ------------------------------------------------------------------ payouts */

#define PAYOUT_WORDS "'' || payout.id"
/* In no file that is known: where a restore has forgotten it. */
#define IS_FORGOTTEN "EXISTS (SELECT 1 FROM restoration WHERE moved = 0)"
/* What a row says of itself. */
static enum setpay_error check_states(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " PAYOUT_WORDS " FROM payout WHERE NOT (aside IS NULL AND CASE state"
        " WHEN 1 THEN sent IS NULL AND paid IS NULL AND returned IS NULL"
        " WHEN 2 THEN sent IS NOT NULL AND paid IS NULL AND returned IS NULL"
        " WHEN 3 THEN (sent IS NOT NULL OR " IS_FORGOTTEN ") AND paid IS NOT NULL"
        " AND returned IS NULL"
        " WHEN 4 THEN (sent IS NOT NULL OR (paid IS NOT NULL AND " IS_FORGOTTEN "))"
        " AND returned IS NOT NULL"
        " ELSE 0 END OR CASE state"
        " WHEN 5 THEN aside IS NOT NULL AND sent IS NULL AND paid IS NULL AND returned IS NULL"
        " AND " IS_FORGOTTEN " ELSE 0 END) ORDER BY id",
        "its state is not what was done with it: payout"));
    /* What is told with a step stands there once it is done, and not before. */
    return setpay_look_each_row(
        look,
        "SELECT " PAYOUT_WORDS " FROM payout WHERE (sent IS NULL) <> (sent_ms = 0)"
        " OR (sent IS NULL) <> (file_id = 0) OR (sent IS NULL) <> (iban = '')"
        " OR (sent IS NULL) <> (holder = '') OR (sent IS NULL AND bic <> '')"
        " OR (paid IS NULL) <> (paid_ms = 0) OR (paid IS NULL) <> (reference = '')"
        " OR (paid IS NULL) <> (paid_day = '') OR (returned IS NULL) <> (returned_ms = 0)"
        " OR (returned IS NULL) <> (return_reference = '')"
        " OR (returned IS NULL) <> (return_day = '') OR (returned IS NULL) <> (return_code = '')"
        " OR (returned IS NULL AND return_reason <> '') OR (aside IS NULL) <> (aside_ms = 0)"
        " OR (aside IS NULL) <> (aside_reason = '') ORDER BY id",
        "told and not done, or done and not told: payout");
}

static enum setpay_error check_settled(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT '' || id FROM settlement WHERE " SETPAY_PAYOUT_IS_OF " AND NOT EXISTS"
        " (SELECT 1 FROM payout WHERE settlement_id = settlement.id) ORDER BY id",
        "nobody is paid what it has to pay: settlement"));
    return setpay_look_each_row(
        look,
        "SELECT " PAYOUT_WORDS " FROM payout WHERE NOT EXISTS (SELECT 1 FROM settlement"
        " WHERE settlement.id = settlement_id AND " SETPAY_PAYOUT_IS_OF ") ORDER BY id",
        "of no settlement that has something to pay: payout");
}

static enum setpay_error check_entries(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row_by(
        look,
        "SELECT " PAYOUT_WORDS " FROM payout WHERE sent IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = sent AND kind = $1) ORDER BY id",
        SETPAY_LEDGER_PAYOUT_SENT, "not in the ledger: the sending of payout"));
    SETPAY_TRY(setpay_look_each_row_by(
        look,
        "SELECT " PAYOUT_WORDS " FROM payout WHERE paid IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = paid AND kind = $1) ORDER BY id",
        SETPAY_LEDGER_PAYOUT_PAID, "not in the ledger: what the bank has paid of payout"));
    SETPAY_TRY(setpay_look_each_row_by(
        look,
        "SELECT " PAYOUT_WORDS " FROM payout WHERE aside IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = aside AND kind = $1) ORDER BY id",
        SETPAY_LEDGER_PAYOUT_SET_ASIDE, "not in the ledger: the setting aside of payout"));
    return setpay_look_each_row_by(
        look,
        "SELECT " PAYOUT_WORDS " FROM payout WHERE returned IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = returned AND kind = $1) ORDER BY id",
        SETPAY_LEDGER_PAYOUT_RETURNED, "not in the ledger: the return of payout");
}

/* A word that was undone was told: of a payout that is there, and both in the ledger. */
#define UNDONE_WORDS "'' || payout_undone.id || ', of payout ' || payout_id"
static enum setpay_error check_undone(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " UNDONE_WORDS " FROM payout_undone WHERE is_return NOT IN (0, 1)"
        " OR is_aside NOT IN (0, 1) OR is_return + is_aside > 1"
        " OR NOT EXISTS (SELECT 1 FROM payout WHERE payout.id = payout_id) ORDER BY id",
        "of no payout, or neither paid nor returned nor set aside: the undone word"));
    SETPAY_TRY(setpay_look_each_row_by(
        look,
        "SELECT " UNDONE_WORDS " FROM payout_undone WHERE is_return = 0 AND is_aside = 0"
        " AND NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = word AND kind = $1) ORDER BY id",
        SETPAY_LEDGER_PAYOUT_PAID,
        "not in the ledger: what the bank had paid, by the undone word"));
    SETPAY_TRY(setpay_look_each_row_by(
        look,
        "SELECT " UNDONE_WORDS " FROM payout_undone WHERE is_return = 1 AND NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = word AND kind = $1) ORDER BY id",
        SETPAY_LEDGER_PAYOUT_RETURNED, "not in the ledger: the return, by the undone word"));
    SETPAY_TRY(setpay_look_each_row_by(
        look,
        "SELECT " UNDONE_WORDS " FROM payout_undone WHERE is_aside = 1 AND NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = word AND kind = $1) ORDER BY id",
        SETPAY_LEDGER_PAYOUT_SET_ASIDE,
        "not in the ledger: the setting aside, by the undone word"));
    return setpay_look_each_row_by(
        look,
        "SELECT " UNDONE_WORDS " FROM payout_undone WHERE NOT EXISTS"
        " (SELECT 1 FROM ledger_entry WHERE event = undone AND kind = $1) ORDER BY id",
        SETPAY_LEDGER_PAYOUT_UNDONE, "not in the ledger: the undoing of the word");
}

/* ------------------------------------------------------------------ files */

static enum setpay_error check_bytes(struct setpay_look *look)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(look->db, &rows,
                                "SELECT id, digest, content FROM payout_file ORDER BY id"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_digest kept, digest;
        setpay_db_get_digest(rows, 1, &kept);
        error = setpay_payout_file_digest(setpay_db_get_view(rows, 2), &digest);
        if (error == SETPAY_OK && !setpay_digest_equal(&kept, &digest))
            setpay_look_find(look, "payout file %lld: its bytes are not those that were written",
                             (long long)setpay_db_get_int(rows, 0));
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

static enum setpay_error check_files(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT " PAYOUT_WORDS " FROM payout JOIN settlement ON settlement.id = settlement_id"
        " WHERE file_id <> 0 AND NOT EXISTS (SELECT 1 FROM payout_file WHERE payout_file.id ="
        " file_id AND payout_file.currency = settlement.currency"
        " AND payout_file.created_ms = sent_ms) ORDER BY payout.id",
        "in a file that is not there, or of another currency or time: payout"));
    SETPAY_TRY(check_bytes(look));
    if (!setpay_look_adds_up(look, SETPAY_LOOK_PAYOUT_FILES | SETPAY_LOOK_SETTLEMENTS))
        return SETPAY_OK;
    return setpay_look_each_row(
        look,
        "SELECT '' || id || ': ' || payout_count || ' of ' || amount_minor || ', expected ' ||"
        " found || ' of ' || paid FROM (SELECT id, payout_count, amount_minor,"
        " (SELECT COUNT(*) FROM payout WHERE file_id = payout_file.id) AS found,"
        " (SELECT COALESCE(SUM(payout_minor), 0) FROM payout JOIN settlement"
        " ON settlement.id = settlement_id WHERE file_id = payout_file.id) AS paid"
        " FROM payout_file) AS file WHERE found = 0 OR payout_count <> found"
        " OR amount_minor <> paid ORDER BY id",
        "its payouts come to something else: payout file");
}

enum setpay_error setpay_look_payouts(struct setpay_look *look)
{
    SETPAY_TRY(check_settled(look));
    SETPAY_TRY(check_states(look));
    SETPAY_TRY(check_entries(look));
    SETPAY_TRY(check_undone(look));
    return check_files(look);
}
