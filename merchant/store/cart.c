/*
 * Carts in the database, and what is done to one in memory.
 */
#include "merchant/store/cart.h"

#include "merchant/store/product.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ in memory */

static size_t index_of(const struct setpay_cart *cart, const char *sku)
{
    size_t i = 0;
    while (i < cart->line_count && strcmp(cart->lines[i].sku, sku) != 0)
        i++;
    return i;
}

int64_t setpay_cart_quantity(const struct setpay_cart *cart, const char *sku)
{
    size_t i = index_of(cart, sku);
    return i < cart->line_count ? cart->lines[i].quantity : 0;
}

int64_t setpay_cart_pieces(const struct setpay_cart *cart)
{
    int64_t pieces = 0;
    for (size_t i = 0; i < cart->line_count; i++)
        pieces += cart->lines[i].quantity;
    return pieces;
}

enum setpay_error setpay_cart_set(struct setpay_cart *cart, const char *sku, int64_t quantity)
{
    size_t i = index_of(cart, sku);
    if (quantity < 0 || quantity > SETPAY_CART_QUANTITY_MAX || !setpay_shop_is_sku(sku))
        return SETPAY_E_INVALID;
    if (quantity == 0) {
        if (i < cart->line_count)
            memmove(&cart->lines[i], &cart->lines[i + 1],
                    (--cart->line_count - i) * sizeof *cart->lines);
        return SETPAY_OK;
    }
    if (i == SETPAY_CART_LINES_MAX)
        return SETPAY_E_TOO_BIG;
    if (i == cart->line_count) {
        cart->line_count++;
        (void)snprintf(cart->lines[i].sku, sizeof cart->lines[i].sku, "%s", sku);
    }
    cart->lines[i].quantity = quantity;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ kept */

static enum setpay_error read_lines(struct setpay_db *db, struct setpay_cart *cart)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT sku, quantity FROM cart_line WHERE cart_seq = $1"
                                " ORDER BY position",
                                SETPAY_DB_INT(cart->seq)));
    while (cart->line_count < SETPAY_CART_LINES_MAX && setpay_db_next(rows)) {
        struct setpay_cart_line *line = &cart->lines[cart->line_count++];
        setpay_db_get_text(rows, 0, line->sku, sizeof line->sku);
        line->quantity = setpay_db_get_int(rows, 1);
    }
    return setpay_db_end(rows);
}

enum setpay_error setpay_cart_find(struct setpay_db *db, const struct setpay_digest *id,
                                   struct setpay_cart *cart)
{
    struct setpay_db_rows *rows;
    memset(cart, 0, sizeof *cart);
    enum setpay_error error = setpay_db_one(
        db, &rows,
        "SELECT seq, country, region, shipping_method, order_token, currency FROM cart"
        " WHERE id = $1",
        SETPAY_DB_DIGEST(id));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    cart->seq = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, cart->country, sizeof cart->country);
    setpay_db_get_text(rows, 2, cart->region, sizeof cart->region);
    setpay_db_get_text(rows, 3, cart->shipping_method, sizeof cart->shipping_method);
    setpay_db_get_text(rows, 4, cart->order_token, sizeof cart->order_token);
    setpay_db_get_text(rows, 5, cart->currency, sizeof cart->currency);
    SETPAY_TRY(setpay_db_end(rows));
    return read_lines(db, cart);
}

static enum setpay_error read_number(struct setpay_db_rows *rows, int64_t *number)
{
    *number = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static enum setpay_error add_to_total(struct setpay_db *db, int64_t carts)
{
    return setpay_db_run(db, "UPDATE cart_total SET carts = carts + $1", SETPAY_DB_INT(carts));
}

static enum setpay_error remove_cart(struct setpay_db *db, int64_t seq)
{
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM cart_line WHERE cart_seq = $1", SETPAY_DB_INT(seq)));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM cart WHERE seq = $1", SETPAY_DB_INT(seq)));
    return add_to_total(db, -setpay_db_changes(db));
}

static enum setpay_error make_room_of(struct setpay_db *db, const struct setpay_cart_maker *maker)
{
    struct setpay_db_rows *rows;
    int64_t count = 0, oldest = 0;
    if (maker->client == NULL || maker->max == 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM cart WHERE client = $1",
                             SETPAY_DB_DIGEST(maker->client)));
    SETPAY_TRY(read_number(rows, &count));
    if (count < maker->max)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT seq FROM cart WHERE client = $1"
                             " ORDER BY changed_ms, seq LIMIT 1",
                             SETPAY_DB_DIGEST(maker->client)));
    SETPAY_TRY(read_number(rows, &oldest));
    return remove_cart(db, oldest);
}

/* Anybody can fill the table: the cart that was left longest makes room, so that there is always
 * some for who comes now. */
static enum setpay_error make_room(struct setpay_db *db)
{
    struct setpay_db_rows *rows;
    int64_t count = 0, oldest = 0;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT carts FROM cart_total"));
    SETPAY_TRY(read_number(rows, &count));
    if (count < SETPAY_CARTS_MAX)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT seq FROM cart ORDER BY changed_ms, seq LIMIT 1"));
    SETPAY_TRY(read_number(rows, &oldest));
    return remove_cart(db, oldest);
}

static enum setpay_error keep_row(struct setpay_db *db, const struct setpay_digest *id,
                                  const struct setpay_cart_maker *maker, struct setpay_cart *cart,
                                  setpay_time_ms now_ms)
{
    struct setpay_db_rows *rows;
    if (cart->seq != 0)
        return setpay_db_run(
            db,
            "UPDATE cart SET country = $1, region = $2, shipping_method = $3, order_token = $4,"
            " changed_ms = $5, currency = $6 WHERE seq = $7",
            SETPAY_DB_TEXT(cart->country), SETPAY_DB_TEXT(cart->region),
            SETPAY_DB_TEXT(cart->shipping_method), SETPAY_DB_TEXT(cart->order_token),
            SETPAY_DB_INT(now_ms), SETPAY_DB_TEXT(cart->currency), SETPAY_DB_INT(cart->seq));
    SETPAY_TRY(make_room_of(db, maker));
    SETPAY_TRY(make_room(db));
    SETPAY_TRY(add_to_total(db, 1));
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO cart (id, country, region, shipping_method, order_token, changed_ms, client,"
        " currency) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        SETPAY_DB_DIGEST(id), SETPAY_DB_TEXT(cart->country), SETPAY_DB_TEXT(cart->region),
        SETPAY_DB_TEXT(cart->shipping_method), SETPAY_DB_TEXT(cart->order_token),
        SETPAY_DB_INT(now_ms), SETPAY_DB_DIGEST(maker->client), SETPAY_DB_TEXT(cart->currency)));
    SETPAY_TRY(
        setpay_db_one(db, &rows, "SELECT seq FROM cart WHERE id = $1", SETPAY_DB_DIGEST(id)));
    cart->seq = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

enum setpay_error setpay_cart_keep(struct setpay_db *db, const struct setpay_digest *id,
                                   const struct setpay_cart_maker *maker, struct setpay_cart *cart,
                                   setpay_time_ms now_ms)
{
    SETPAY_TRY(keep_row(db, id, maker, cart, now_ms));
    SETPAY_TRY(
        setpay_db_run(db, "DELETE FROM cart_line WHERE cart_seq = $1", SETPAY_DB_INT(cart->seq)));
    for (size_t i = 0; i < cart->line_count; i++)
        SETPAY_TRY(setpay_db_run(db,
                                 "INSERT INTO cart_line (cart_seq, position, sku, quantity)"
                                 " VALUES ($1, $2, $3, $4)",
                                 SETPAY_DB_INT(cart->seq), SETPAY_DB_INT((int64_t)i),
                                 SETPAY_DB_TEXT(cart->lines[i].sku),
                                 SETPAY_DB_INT(cart->lines[i].quantity)));
    return SETPAY_OK;
}

enum setpay_error setpay_cart_set_form(struct setpay_db *db, const struct setpay_cart *cart,
                                       const struct setpay_digest *form)
{
    return setpay_db_run(db, "UPDATE cart SET order_form = $1 WHERE seq = $2",
                         SETPAY_DB_DIGEST(form), SETPAY_DB_INT(cart->seq));
}

enum setpay_error setpay_cart_has_form(struct setpay_db *db, const struct setpay_cart *cart,
                                       const struct setpay_digest *form, bool *has)
{
    struct setpay_db_rows *rows;
    struct setpay_digest kept;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT order_form FROM cart WHERE seq = $1",
                             SETPAY_DB_INT(cart->seq)));
    *has = form != NULL && !setpay_db_is_null(rows, 0);
    if (*has) {
        setpay_db_get_digest(rows, 0, &kept);
        *has = setpay_digest_equal(&kept, form);
    }
    return setpay_db_end(rows);
}

#define OLD "(SELECT seq FROM cart WHERE changed_ms < $1 ORDER BY changed_ms, seq LIMIT $2)"

enum setpay_error setpay_cart_purge(struct setpay_db *db, setpay_time_ms now_ms, int64_t room,
                                    int64_t *deleted)
{
    setpay_time_ms before_ms = now_ms - SETPAY_CART_KEPT_MS;
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM cart_line WHERE cart_seq IN " OLD,
                             SETPAY_DB_INT(before_ms), SETPAY_DB_INT(room)));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM cart WHERE seq IN " OLD, SETPAY_DB_INT(before_ms),
                             SETPAY_DB_INT(room)));
    *deleted = setpay_db_changes(db);
    return add_to_total(db, -*deleted);
}

/* ------------------------------------------------------------------ what is in it */

/* {"colour":"moss green","size":"L"}: "moss green, L" */
static enum setpay_error read_options(struct setpay_view text, char *out, size_t size)
{
    const char *key;
    json_t *value;
    json_t *options = json_loadb((const char *)text.data, text.size, 0, NULL);
    if (options == NULL)
        return SETPAY_E_NOMEM;
    out[0] = '\0';
    json_object_foreach(options, key, value)
    {
        size_t used = strlen(out);
        if (used + 2 + json_string_length(value) < size)
            (void)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "",
                           json_string_value(value));
    }
    json_decref(options);
    return SETPAY_OK;
}

static enum setpay_error read_good(struct setpay_db_rows *rows, struct setpay_good *good)
{
    setpay_db_get_text(rows, 0, good->slug, sizeof good->slug);
    setpay_db_get_text(rows, 1, good->name, sizeof good->name);
    good->has_price = !setpay_db_is_null(rows, 3);
    good->price_minor = good->has_price ? setpay_db_get_int(rows, 3) : 0;
    good->tracked = setpay_db_get_bool(rows, 4);
    good->available = setpay_db_get_int(rows, 5);
    if (!good->tracked)
        good->available = SETPAY_CART_QUANTITY_MAX;
    int64_t status = setpay_db_get_int(rows, 8);
    good->is_published = status == SETPAY_PRODUCT_PUBLISHED;
    good->has_picture = status != SETPAY_PRODUCT_DRAFT && !setpay_db_is_null(rows, 6);
    if (good->has_picture) {
        setpay_db_get_digest(rows, 6, &good->picture);
        setpay_db_get_text(rows, 7, good->alt, sizeof good->alt);
    }
    return read_options(setpay_db_get_view(rows, 2), good->options, sizeof good->options);
}

enum setpay_error setpay_good_find(struct setpay_db *db, const char *sku, const char *currency,
                                   struct setpay_good *good)
{
    struct setpay_db_rows *rows;
    memset(good, 0, sizeof *good);
    SETPAY_TRY(setpay_db_one(
        db, &rows,
        "SELECT p.slug, p.name, v.options, r.amount_minor, v.tracked, v.on_hand - v.reserved,"
        " i.digest, i.alt, p.status FROM variant v JOIN product p ON p.seq = v.product_seq"
        " LEFT JOIN price r ON r.variant_seq = v.seq AND r.currency = $1"
        " LEFT JOIN product_picture i ON i.product_seq = p.seq AND i.position ="
        "  (SELECT MIN(o.position) FROM product_picture o WHERE o.product_seq = p.seq)"
        " WHERE v.sku = $2",
        SETPAY_DB_TEXT(currency), SETPAY_DB_TEXT(sku)));
    enum setpay_error error = read_good(rows, good);
    enum setpay_error ended = setpay_db_end(rows);
    return ended != SETPAY_OK ? ended : error;
}
