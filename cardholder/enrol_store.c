/*
 * Statements about where a card is enrolled, and renewed.
 */
#include "cardholder/wallet.h"

#include <string.h>

static struct setpay_db_value box_value(const struct setpay_wallet_card *card,
                                        enum setpay_wallet_box which)
{
    return card->boxes[which].size == 0 ? SETPAY_DB_NULL()
                                        : SETPAY_DB_VIEW(setpay_buffer_view(&card->boxes[which]));
}

/* Key and PANSecret stay as they are. */
static enum setpay_error retype(struct setpay_db *db, const struct setpay_wallet_card *card)
{
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE card SET last4 = $1, pan_box = $2, expiry_box = $3, postcode_box = $4,"
        " house_box = $5 WHERE id = $6 AND status = $7",
        SETPAY_DB_TEXT(card->last4), box_value(card, SETPAY_WALLET_BOX_PAN),
        box_value(card, SETPAY_WALLET_BOX_EXPIRY), box_value(card, SETPAY_WALLET_BOX_POSTCODE),
        box_value(card, SETPAY_WALLET_BOX_HOUSE), SETPAY_DB_ID(&card->id),
        SETPAY_DB_INT(SETPAY_WALLET_CARD_PENDING)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_EXISTS;
}

enum setpay_error setpay_wallet_store_put_authority(struct setpay_db *db,
                                                    const struct setpay_id *card,
                                                    const struct setpay_est_place *place,
                                                    const struct setpay_digest *root)
{
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM authority WHERE card = $1", SETPAY_DB_ID(card)));
    return setpay_db_run(db,
                         "INSERT INTO authority (card, host, port, root)"
                         " VALUES ($1, $2, $3, $4)",
                         SETPAY_DB_ID(card), SETPAY_DB_TEXT(place->host),
                         SETPAY_DB_INT(place->port), SETPAY_DB_DIGEST(root));
}

enum setpay_error setpay_wallet_store_put_enrolling(struct setpay_db *db,
                                                    const struct setpay_wallet_card *card,
                                                    bool is_new,
                                                    const struct setpay_est_place *place,
                                                    const struct setpay_digest *root)
{
    SETPAY_TRY(is_new ? setpay_wallet_store_add_card(db, card) : retype(db, card));
    return setpay_wallet_store_put_authority(db, &card->id, place, root);
}

enum setpay_error setpay_wallet_store_find_enrolling(struct setpay_db *db, const char *label,
                                                     const char *brand,
                                                     struct setpay_wallet_card *card)
{
    struct setpay_db_rows *rows;
    struct setpay_id id;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT c.id, c.status, c.brand = $1 AND a.card IS NOT NULL"
                             " FROM card c LEFT JOIN authority a ON a.card = c.id"
                             " WHERE c.label = $2",
                             SETPAY_DB_TEXT(brand), SETPAY_DB_TEXT(label)));
    setpay_db_get_id(rows, 0, &id);
    bool is_it =
        setpay_db_get_int(rows, 1) == SETPAY_WALLET_CARD_PENDING && setpay_db_get_bool(rows, 2);
    SETPAY_TRY(setpay_db_end(rows));
    return is_it ? setpay_wallet_store_read_card(db, &id, card) : SETPAY_E_EXISTS;
}

enum setpay_error setpay_wallet_store_list_authorities(struct setpay_db *db,
                                                       struct setpay_wallet_authority *authorities,
                                                       size_t room, size_t *count)
{
    struct setpay_db_rows *rows;
    *count = 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT DISTINCT a.host, a.port, c.brand FROM authority a"
                                " JOIN card c ON c.id = a.card WHERE c.status = $1"
                                " ORDER BY 1, 2, 3",
                                SETPAY_DB_INT(SETPAY_WALLET_CARD_ACTIVE)));
    while (*count < room && setpay_db_next(rows)) {
        struct setpay_wallet_authority *authority = &authorities[(*count)++];
        memset(authority, 0, sizeof *authority);
        setpay_db_get_text(rows, 0, authority->place.host, sizeof authority->place.host);
        authority->place.port = (uint16_t)setpay_db_get_int(rows, 1);
        setpay_db_get_text(rows, 2, authority->brand, sizeof authority->brand);
    }
    return setpay_db_end(rows);
}
