/*
 * Statements on cards and their keys.
 *
 * A card has one current key, which signs its purchases; while its certificate is renewed a next
 * one; and earlier ones for as long as a purchase that they signed may still be asked after (rule
 * M8). A key's row stays the same from when it is made until it is destroyed: renewing changes
 * roles, in one operation. What is deleted here is gone from the files after a checkpoint
 * (setpay_store_checkpoint_truncate).
 */
#include "cardholder/card.h"

#include "cardholder/purchase_state.h"

#include "common/crypto/hash.h"

#include <stdio.h>
#include <string.h>

static struct setpay_db_value box_value(const struct setpay_wallet_card *card,
                                        enum setpay_wallet_box which)
{
    return card->boxes[which].size == 0 ? SETPAY_DB_NULL()
                                        : SETPAY_DB_VIEW(setpay_buffer_view(&card->boxes[which]));
}

/* ------------------------------------------------------------------ adding */

/* A key without a certificate. */
static enum setpay_error add_key(struct setpay_db *db, const struct setpay_wallet_card *card,
                                 enum setpay_wallet_key_role role)
{
    return setpay_db_run(
        db,
        "INSERT INTO signing_key (number, id, card, role, key_digest, begins, expires,"
        " ends_with_card, box) VALUES ((SELECT coalesce(max(number), 0) + 1 FROM signing_key),"
        " $1, $2, $3, $4, 0, 0, 0, $5)",
        SETPAY_DB_ID(&card->key_id), SETPAY_DB_ID(&card->id), SETPAY_DB_INT(role),
        SETPAY_DB_DIGEST(&card->key_digest), box_value(card, SETPAY_WALLET_BOX_KEY));
}

enum setpay_error setpay_wallet_store_add_card(struct setpay_db *db,
                                               const struct setpay_wallet_card *card)
{
    enum setpay_error error = setpay_db_run(
        db,
        "INSERT INTO card (id, brand, label, last4, status, is_default, created, pan_secret_box,"
        " pan_box, expiry_box, postcode_box, house_box)"
        " VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, $11)",
        SETPAY_DB_ID(&card->id), SETPAY_DB_TEXT(card->brand), SETPAY_DB_TEXT(card->label),
        SETPAY_DB_TEXT(card->last4), SETPAY_DB_INT(card->status), SETPAY_DB_INT(card->created_ms),
        box_value(card, SETPAY_WALLET_BOX_PAN_SECRET), box_value(card, SETPAY_WALLET_BOX_PAN),
        box_value(card, SETPAY_WALLET_BOX_EXPIRY), box_value(card, SETPAY_WALLET_BOX_POSTCODE),
        box_value(card, SETPAY_WALLET_BOX_HOUSE));
    if (error == SETPAY_OK)
        error = add_key(db, card, SETPAY_WALLET_KEY_CURRENT);
    return error == SETPAY_E_DUPLICATE ? SETPAY_E_EXISTS : error;
}

enum setpay_error setpay_wallet_store_add_next_key(struct setpay_db *db,
                                                   const struct setpay_wallet_card *next)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(
        setpay_db_one(db, &rows, "SELECT id FROM card WHERE id = $1", SETPAY_DB_ID(&next->id)));
    SETPAY_TRY(setpay_db_end(rows));
    enum setpay_error error = add_key(db, next, SETPAY_WALLET_KEY_NEXT);
    return error == SETPAY_E_DUPLICATE ? SETPAY_E_EXISTS : error;
}

/* ------------------------------------------------------------------ reading */

#define CARD_COLUMNS                                                                               \
    "SELECT c.id, c.brand, c.label, c.last4, c.status, c.is_default, c.created, k.id,"             \
    " k.key_digest, k.begins, k.expires, k.ends_with_card, coalesce(a.host, ''),"                  \
    " coalesce(a.port, 0), a.root, coalesce(r.failures, 0), coalesce(r.tried, 0),"                 \
    " coalesce(r.again, 0), coalesce(r.error, ''), coalesce(r.words, '')"
#define BOX_COLUMNS                                                                                \
    ", k.certificate, k.box, c.pan_secret_box, c.pan_box, c.expiry_box, c.postcode_box,"           \
    " c.house_box"
#define CARD_TABLES                                                                                \
    " FROM card c JOIN signing_key k ON k.card = c.id"                                             \
    " LEFT JOIN authority a ON a.card = c.id LEFT JOIN renewal r ON r.card = c.id"
#define CERTIFICATE_COLUMN 20
#define FIRST_BOX 21

static void get_renewal(struct setpay_db_rows *rows, struct setpay_wallet_card *card)
{
    struct setpay_wallet_renewal_note *note = &card->renewal;
    setpay_db_get_text(rows, 12, card->authority.host, sizeof card->authority.host);
    card->authority.port = (uint16_t)setpay_db_get_int(rows, 13);
    card->has_root = !setpay_db_is_null(rows, 14);
    if (card->has_root)
        setpay_db_get_digest(rows, 14, &card->root);
    note->failures = (unsigned)setpay_db_get_int(rows, 15);
    note->tried_ms = setpay_db_get_int(rows, 16);
    note->again_ms = setpay_db_get_int(rows, 17);
    setpay_db_get_text(rows, 18, note->error, sizeof note->error);
    setpay_db_get_text(rows, 19, note->words, sizeof note->words);
}

static void get_card(struct setpay_db_rows *rows, struct setpay_wallet_card *card)
{
    setpay_db_get_id(rows, 0, &card->id);
    setpay_db_get_text(rows, 1, card->brand, sizeof card->brand);
    setpay_db_get_text(rows, 2, card->label, sizeof card->label);
    setpay_db_get_text(rows, 3, card->last4, sizeof card->last4);
    card->status = (enum setpay_wallet_card_status)setpay_db_get_int(rows, 4);
    card->is_default = setpay_db_get_bool(rows, 5);
    card->created_ms = setpay_db_get_int(rows, 6);
    setpay_db_get_id(rows, 7, &card->key_id);
    setpay_db_get_digest(rows, 8, &card->key_digest);
    card->begins_ms = setpay_db_get_int(rows, 9);
    card->expires_ms = setpay_db_get_int(rows, 10);
    card->ends_with_card = setpay_db_get_bool(rows, 11);
    get_renewal(rows, card);
}

void setpay_wallet_card_clear(struct setpay_wallet_card *card)
{
    setpay_buffer_clear(&card->certificate);
    for (size_t i = 0; i < SETPAY_WALLET_BOXES; i++)
        setpay_buffer_clear(&card->boxes[i]);
    memset(card, 0, sizeof *card);
}

enum setpay_error setpay_wallet_store_list_cards(struct setpay_db *db,
                                                 struct setpay_wallet_card *cards, size_t room,
                                                 size_t *count)
{
    struct setpay_db_rows *rows;
    *count = 0;
    SETPAY_TRY(setpay_db_select(
        db, &rows, CARD_COLUMNS CARD_TABLES " WHERE k.role = $1 ORDER BY c.created, c.label",
        SETPAY_DB_INT(SETPAY_WALLET_KEY_CURRENT)));
    while (*count < room && setpay_db_next(rows)) {
        memset(&cards[*count], 0, sizeof cards[*count]);
        get_card(rows, &cards[(*count)++]);
    }
    return setpay_db_end(rows);
}

/* The row that the query stands at, with its boxes; ends it. */
static enum setpay_error take_card(struct setpay_db_rows *rows, struct setpay_wallet_card *card)
{
    struct setpay_wallet_card read = {0};
    get_card(rows, &read);
    setpay_buffer_init(&read.certificate, SETPAY_LIMIT_CERTIFICATE_BYTES);
    setpay_db_get_buffer(rows, CERTIFICATE_COLUMN, &read.certificate);
    for (int i = 0; i < SETPAY_WALLET_BOXES; i++) {
        setpay_buffer_init(&read.boxes[i], SETPAY_WALLET_BOX_MAX);
        setpay_db_get_buffer(rows, FIRST_BOX + i, &read.boxes[i]);
    }
    enum setpay_error error = setpay_db_end(rows);
    if (error != SETPAY_OK) {
        setpay_wallet_card_clear(&read);
        return error;
    }
    setpay_wallet_card_clear(card);
    *card = read;
    return SETPAY_OK;
}

enum setpay_error setpay_wallet_store_read_card_key(struct setpay_db *db,
                                                    const struct setpay_id *id,
                                                    enum setpay_wallet_key_role role,
                                                    struct setpay_wallet_card *card)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             CARD_COLUMNS BOX_COLUMNS CARD_TABLES " WHERE c.id = $1 AND"
                                                                  " k.role = $2",
                             SETPAY_DB_ID(id), SETPAY_DB_INT(role)));
    return take_card(rows, card);
}

enum setpay_error setpay_wallet_store_read_card(struct setpay_db *db, const struct setpay_id *id,
                                                struct setpay_wallet_card *card)
{
    return setpay_wallet_store_read_card_key(db, id, SETPAY_WALLET_KEY_CURRENT, card);
}

enum setpay_error setpay_wallet_store_read_signer(struct setpay_db *db, const struct setpay_id *id,
                                                  const struct setpay_digest *thumbprint,
                                                  struct setpay_wallet_card *card)
{
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      CARD_COLUMNS BOX_COLUMNS CARD_TABLES " WHERE c.id = $1 AND"
                                                           " k.thumbprint = $2",
                      SETPAY_DB_ID(id), SETPAY_DB_DIGEST(thumbprint));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_E_KEY_DESTROYED;
    return error == SETPAY_OK ? take_card(rows, card) : error;
}

enum setpay_error setpay_wallet_store_find_card(struct setpay_db *db, const char *words,
                                                struct setpay_wallet_card *card)
{
    struct setpay_db_rows *rows;
    struct setpay_id ids[2], wanted = {{0}};
    size_t count = 0;
    if (words == NULL) {
        SETPAY_TRY(setpay_db_one(db, &rows, "SELECT id FROM card WHERE is_default = 1"));
        setpay_db_get_id(rows, 0, &ids[0]);
        SETPAY_TRY(setpay_db_end(rows));
        return setpay_wallet_store_read_card(db, &ids[0], card);
    }
    /* What is no id matches none: ids are random. */
    if (setpay_id_parse(words, &wanted) != SETPAY_OK)
        wanted = (struct setpay_id){{0}};
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT id FROM card WHERE id = $1 OR label = $2",
                                SETPAY_DB_ID(&wanted), SETPAY_DB_TEXT(words)));
    while (count < 2 && setpay_db_next(rows))
        setpay_db_get_id(rows, 0, &ids[count++]);
    SETPAY_TRY(setpay_db_end(rows));
    if (count == 0) {
        SETPAY_TRY(setpay_db_select(db, &rows, "SELECT id FROM card WHERE last4 = $1",
                                    SETPAY_DB_TEXT(words)));
        while (count < 2 && setpay_db_next(rows))
            setpay_db_get_id(rows, 0, &ids[count++]);
        SETPAY_TRY(setpay_db_end(rows));
    }
    return count == 1 ? setpay_wallet_store_read_card(db, &ids[0], card) : SETPAY_E_NOT_FOUND;
}

/* ------------------------------------------------------------------ certificates */

/* Gives the key of a card in this role its certificate. */
static enum setpay_error certify(struct setpay_db *db, const struct setpay_id *card,
                                 enum setpay_wallet_key_role role,
                                 const struct setpay_wallet_certified *certified)
{
    struct setpay_digest thumbprint;
    struct setpay_view certificate = setpay_buffer_view(&certified->certificate);
    SETPAY_TRY(setpay_sha256(certificate, &thumbprint));
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE signing_key SET certificate = $1, thumbprint = $2, begins = $3, expires = $4,"
        " ends_with_card = $5 WHERE card = $6 AND role = $7",
        SETPAY_DB_VIEW(certificate), SETPAY_DB_DIGEST(&thumbprint),
        SETPAY_DB_INT(certified->begins_ms), SETPAY_DB_INT(certified->expires_ms),
        SETPAY_DB_BOOL(certified->ends_with_card), SETPAY_DB_ID(card), SETPAY_DB_INT(role)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_NOT_FOUND;
}

enum setpay_error setpay_wallet_store_activate_card(struct setpay_db *db,
                                                    const struct setpay_id *id,
                                                    const struct setpay_wallet_certified *certified)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_run(db, "UPDATE card SET status = $1 WHERE id = $2 AND status = $3",
                             SETPAY_DB_INT(SETPAY_WALLET_CARD_ACTIVE), SETPAY_DB_ID(id),
                             SETPAY_DB_INT(SETPAY_WALLET_CARD_PENDING)));
    if (setpay_db_changes(db) != 1)
        return SETPAY_E_EXISTS;
    SETPAY_TRY(certify(db, id, SETPAY_WALLET_KEY_CURRENT, certified));
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT count(*) FROM card WHERE is_default = 1"));
    bool has_default = setpay_db_get_int(rows, 0) > 0;
    SETPAY_TRY(setpay_db_end(rows));
    return has_default ? SETPAY_OK : setpay_wallet_store_set_default(db, id);
}

static enum setpay_error change_role(struct setpay_db *db, const struct setpay_id *card,
                                     enum setpay_wallet_key_role from,
                                     enum setpay_wallet_key_role to)
{
    SETPAY_TRY(setpay_db_run(db, "UPDATE signing_key SET role = $1 WHERE card = $2 AND role = $3",
                             SETPAY_DB_INT(to), SETPAY_DB_ID(card), SETPAY_DB_INT(from)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_NOT_FOUND;
}

enum setpay_error setpay_wallet_store_renew_card(struct setpay_db *db,
                                                 const struct setpay_wallet_card *next,
                                                 const struct setpay_wallet_certified *certified,
                                                 const struct setpay_est_place *place,
                                                 const struct setpay_digest *root)
{
    struct setpay_db_rows *rows;
    /* The very key that is certified: the card may have been removed meanwhile. */
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT number FROM signing_key WHERE id = $1 AND role = $2",
                             SETPAY_DB_ID(&next->key_id), SETPAY_DB_INT(SETPAY_WALLET_KEY_NEXT)));
    SETPAY_TRY(setpay_db_end(rows));
    SETPAY_TRY(certify(db, &next->id, SETPAY_WALLET_KEY_NEXT, certified));
    SETPAY_TRY(change_role(db, &next->id, SETPAY_WALLET_KEY_CURRENT, SETPAY_WALLET_KEY_EARLIER));
    SETPAY_TRY(change_role(db, &next->id, SETPAY_WALLET_KEY_NEXT, SETPAY_WALLET_KEY_CURRENT));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM renewal WHERE card = $1", SETPAY_DB_ID(&next->id)));
    return setpay_wallet_store_put_authority(db, &next->id, place, root);
}

enum setpay_error setpay_wallet_store_note_failure(struct setpay_db *db, const struct setpay_id *id,
                                                   const struct setpay_wallet_renewal_note *note)
{
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM renewal WHERE card = $1", SETPAY_DB_ID(id)));
    return setpay_db_run(db,
                         "INSERT INTO renewal (card, failures, tried, again, error, words)"
                         " SELECT id, $1, $2, $3, $4, $5 FROM card WHERE id = $6",
                         SETPAY_DB_INT((int64_t)note->failures), SETPAY_DB_INT(note->tried_ms),
                         SETPAY_DB_INT(note->again_ms), SETPAY_DB_TEXT(note->error),
                         SETPAY_DB_TEXT(note->words), SETPAY_DB_ID(id));
}

/* ------------------------------------------------------------------ choosing, removing */

enum setpay_error setpay_wallet_store_set_default(struct setpay_db *db, const struct setpay_id *id)
{
    SETPAY_TRY(setpay_db_run(db, "UPDATE card SET is_default = 0 WHERE is_default = 1"));
    SETPAY_TRY(setpay_db_run(db, "UPDATE card SET is_default = 1 WHERE id = $1 AND status = $2",
                             SETPAY_DB_ID(id), SETPAY_DB_INT(SETPAY_WALLET_CARD_ACTIVE)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_STATE;
}

enum setpay_error setpay_wallet_store_remove_card(struct setpay_db *db, const struct setpay_id *id)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT count(*) FROM purchase p, signing_key k WHERE k.card = $1"
                             " AND p.cardholder = k.thumbprint AND (p.state IN ($2, $3)"
                             " OR EXISTS (SELECT 1 FROM agreement a WHERE a.xid = p.xid"
                             " AND p.state = $4 AND a.cancelled = 0 AND a.end_ms > $5))",
                             SETPAY_DB_ID(id), SETPAY_DB_INT(SETPAY_WALLET_PENDING),
                             SETPAY_DB_INT(SETPAY_WALLET_REFUSED),
                             SETPAY_DB_INT(SETPAY_WALLET_AUTHORISED),
                             SETPAY_DB_INT(setpay_clock_now_ms())));
    bool is_needed = setpay_db_get_int(rows, 0) > 0;
    SETPAY_TRY(setpay_db_end(rows));
    if (is_needed)
        return SETPAY_E_STATE;
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM renewal WHERE card = $1", SETPAY_DB_ID(id)));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM authority WHERE card = $1", SETPAY_DB_ID(id)));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM signing_key WHERE card = $1", SETPAY_DB_ID(id)));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM card WHERE id = $1", SETPAY_DB_ID(id)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_NOT_FOUND;
}

/* Rule M8: an earlier key of which nothing more can be asked. A purchase without an outcome keeps
 * it; so does, until kept_since, one of which more receipts can come. */
#define IS_OVER                                                                                    \
    " FROM signing_key WHERE role = $1 AND NOT EXISTS (SELECT 1 FROM purchase p"                   \
    " WHERE p.cardholder = signing_key.thumbprint AND (p.state IN ($2, $3)"                        \
    " OR (p.state IN ($4, $5) AND p.signed > $6)"                                                  \
    " OR EXISTS (SELECT 1 FROM agreement a WHERE a.xid = p.xid AND a.end_ms > $7)))"
#define IS_OVER_VALUES(kept_since_ms)                                                              \
    SETPAY_DB_INT(SETPAY_WALLET_KEY_EARLIER), SETPAY_DB_INT(SETPAY_WALLET_PENDING),                \
        SETPAY_DB_INT(SETPAY_WALLET_REFUSED), SETPAY_DB_INT(SETPAY_WALLET_AUTHORISED),             \
        SETPAY_DB_INT(SETPAY_WALLET_LAPSED), SETPAY_DB_INT(kept_since_ms),                         \
        SETPAY_DB_INT(kept_since_ms)

enum setpay_error setpay_wallet_store_count_over(struct setpay_db *db, setpay_time_ms kept_since_ms,
                                                 size_t *count)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT count(*)" IS_OVER, IS_OVER_VALUES(kept_since_ms)));
    *count = (size_t)setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

enum setpay_error setpay_wallet_store_destroy_over(struct setpay_db *db,
                                                   setpay_time_ms kept_since_ms, size_t *count)
{
    SETPAY_TRY(setpay_db_run(db, "DELETE" IS_OVER, IS_OVER_VALUES(kept_since_ms)));
    *count = (size_t)setpay_db_changes(db);
    return SETPAY_OK;
}
