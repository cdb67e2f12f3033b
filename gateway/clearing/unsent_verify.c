/*
 * What was given up because it can't be sent (unsent.h), each row held to its entry of the ledger.
 */
#include "gateway/clearing/look.h"
#include "gateway/clearing/unsent.h"
#include "gateway/payment/stand_in.h"

static enum setpay_error expect(struct setpay_db *db, enum setpay_unsent kind,
                                const struct setpay_id *event,
                                struct setpay_look_expected *expected)
{
    struct setpay_unsent_off off;
    SETPAY_TRY(setpay_unsent_find(db, kind, event, &off));
    expected->entry.time_ms = off.at_ms;
    setpay_unsent_name(&off, &expected->entry);
    if (setpay_look_is_amount(off.amount.minor)) /* else it would not be posted at all */
        setpay_unsent_post(&off, &expected->entry);
    return setpay_unsent_token(&off, &expected->token);
}

enum setpay_error setpay_look_expect_advice_write_off(struct setpay_db *db,
                                                      const struct setpay_id *event,
                                                      struct setpay_look_expected *expected)
{
    return expect(db, SETPAY_UNSENT_ADVICE, event, expected);
}

enum setpay_error setpay_look_expect_reversal_write_off(struct setpay_db *db,
                                                        const struct setpay_id *event,
                                                        struct setpay_look_expected *expected)
{
    return expect(db, SETPAY_UNSENT_REVERSAL, event, expected);
}

/* Reversals have the code also where they were given up with their advice. */
#define WITHOUT_WORDS " OR (reason <> '') <> (write_off IS NOT NULL) ORDER BY id"
#define WITHOUT_ENTRY                                                                              \
    " WHERE write_off IS NOT NULL AND NOT EXISTS"                                                  \
    " (SELECT 1 FROM ledger_entry WHERE event = write_off AND kind = $1) ORDER BY id"
#define WRITTEN_OFF_BY_NOBODY "written off by nobody, or not written off:"
#define NOT_IN_THE_LEDGER "not in the ledger: the write-off of"

enum setpay_error setpay_look_unsent(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT 'advice ' || id FROM stand_in WHERE (response_code = '" SETPAY_STAND_IN_WRITTEN_OFF
        "') <> (write_off IS NOT NULL)" WITHOUT_WORDS,
        WRITTEN_OFF_BY_NOBODY));
    SETPAY_TRY(setpay_look_each_row_by(look, "SELECT 'advice ' || id FROM stand_in" WITHOUT_ENTRY,
                                       SETPAY_LEDGER_ADVICE_WRITE_OFF, NOT_IN_THE_LEDGER));
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT 'reversal ' || id FROM reversal WHERE (write_off IS NOT NULL AND response_code <> "
        "'" SETPAY_REVERSAL_WRITTEN_OFF "')" WITHOUT_WORDS,
        WRITTEN_OFF_BY_NOBODY));
    return setpay_look_each_row_by(look, "SELECT 'reversal ' || id FROM reversal" WITHOUT_ENTRY,
                                   SETPAY_LEDGER_REVERSAL_WRITE_OFF, NOT_IN_THE_LEDGER);
}
