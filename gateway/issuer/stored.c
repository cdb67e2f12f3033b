/*
 * The rows of cards that are kept, and what a message says of one. docs/iso8583.md has the values.
 */
#include "gateway/issuer/stored.h"

#include <string.h>

static bool text_is(const struct setpay_iso_message *request, unsigned field, const char *text)
{
    char value[8];
    return setpay_iso_get_text(request, field, value, sizeof value) == SETPAY_OK &&
           strcmp(value, text) == 0;
}

enum setpay_error setpay_issuer_read_stored(const struct setpay_iso_message *request,
                                            struct setpay_issuer_stored *stored)
{
    struct setpay_view indicator, first, code;
    struct setpay_issuer_stored got = {.by_merchant = false};
    SETPAY_TRY(setpay_iso_element(request, SETPAY_ISO_ELEMENT_STORED, &indicator));
    SETPAY_TRY(setpay_iso_element(request, SETPAY_ISO_ELEMENT_FIRST, &first));
    SETPAY_TRY(setpay_iso_element(request, SETPAY_ISO_ELEMENT_SECURITY_CODE, &code));
    if (indicator.size == 0) {
        *stored = got;
        return first.size == 0 ? SETPAY_OK : SETPAY_E_FIELD;
    }
    if (indicator.size != 2 || memchr("CM", indicator.data[0], 2) == NULL ||
        memchr("SIR", indicator.data[1], 3) == NULL)
        return SETPAY_E_FIELD;
    got.agreed[0] = (char)indicator.data[1];
    got.by_merchant = indicator.data[0] == 'M';
    if (first.size != (got.by_merchant ? sizeof got.first - 1 : 0))
        return SETPAY_E_FIELD;
    if (first.size != 0)
        memcpy(got.first, first.data, first.size);
    /* Nobody is there to type anything. */
    if (got.by_merchant &&
        (code.size != 0 || !text_is(request, SETPAY_ISO_ENTRY_MODE, SETPAY_ISO_ENTRY_KEPT) ||
         !text_is(request, SETPAY_ISO_CONDITION, SETPAY_ISO_CONDITION_ABSENT)))
        return SETPAY_E_FIELD;
    *stored = got;
    return SETPAY_OK;
}

enum setpay_error setpay_issuer_stored_is_known(struct setpay_db *db, const char *account,
                                                const char *acceptor,
                                                const struct setpay_issuer_stored *stored,
                                                bool *known)
{
    struct setpay_db_rows *rows;
    *known = true;
    if (!stored->by_merchant)
        return SETPAY_OK;
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      "SELECT 1 FROM stored_card WHERE account = $1 AND rrn = $2"
                      " AND acceptor = $3 AND agreed = $4",
                      SETPAY_DB_TEXT(account), SETPAY_DB_TEXT(stored->first),
                      SETPAY_DB_TEXT(acceptor), SETPAY_DB_TEXT(stored->agreed));
    *known = error == SETPAY_OK;
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    return setpay_db_end(rows);
}

enum setpay_error setpay_issuer_stored_begin(struct setpay_db *db, const char *account,
                                             const char *acceptor, const char *rrn,
                                             const struct setpay_issuer_stored *stored)
{
    if (stored->agreed[0] == '\0' || stored->by_merchant)
        return SETPAY_OK;
    return setpay_db_run(db,
                         "INSERT INTO stored_card (account, rrn, acceptor, agreed)"
                         " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                         SETPAY_DB_TEXT(account), SETPAY_DB_TEXT(rrn), SETPAY_DB_TEXT(acceptor),
                         SETPAY_DB_TEXT(stored->agreed));
}
