/*
 * Variants: what is ordered. Each has a SKU, options such as size and colour, prices in one
 * currency or several, and a stock.
 */
#include "common/base/money.h"
#include "common/base/noun.h"
#include "merchant/store/product.h"
#include "merchant/store/stock.h"
#include "merchant/store/stock_level.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CURRENCIES_MAX SETPAY_SHOP_CURRENCIES_MAX
/* Positions of variants that a replacement has not come to yet. */
#define OLD_POSITIONS 1000000

struct variant {
    int64_t seq;
    int64_t product_seq;
    char sku[SETPAY_SHOP_ID_SIZE];
    int64_t position;
    const json_t *options; /* of the body; NULL: stays */
    const json_t *prices;  /* likewise */
    int64_t weight_g;
    bool tracked;
    int64_t on_hand;
    int64_t reserved;
    int64_t low_at;
};

/* ------------------------------------------------------------------ as JSON */

static enum setpay_error prices_json(struct setpay_db *db, int64_t variant_seq, json_t **prices)
{
    struct setpay_db_rows *rows;
    bool whole = true;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT currency, amount_minor FROM price WHERE variant_seq = $1"
                                " ORDER BY currency",
                                SETPAY_DB_INT(variant_seq)));
    json_t *object = json_object();
    while (setpay_db_next(rows)) {
        char currency[4];
        setpay_db_get_text(rows, 0, currency, sizeof currency);
        setpay_shop_set(object, currency, json_integer(setpay_db_get_int(rows, 1)), &whole);
    }
    enum setpay_error error = setpay_db_end(rows);
    if (error == SETPAY_OK && !whole)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        *prices = object;
    else
        json_decref(object);
    return error;
}

static enum setpay_error row_json(struct setpay_db *db, struct setpay_db_rows *rows, json_t *list)
{
    char sku[SETPAY_SHOP_ID_SIZE];
    json_t *prices = NULL;
    bool whole = true;
    struct setpay_view options = setpay_db_get_view(rows, 2);
    setpay_db_get_text(rows, 1, sku, sizeof sku);
    SETPAY_TRY(prices_json(db, setpay_db_get_int(rows, 0), &prices));
    json_t *json = json_object();
    setpay_shop_set(json, "sku", json_string(sku), &whole);
    setpay_shop_set(json, "options", json_loadb((const char *)options.data, options.size, 0, NULL),
                    &whole);
    setpay_shop_set(json, "weight_g", json_integer(setpay_db_get_int(rows, 3)), &whole);
    setpay_shop_set(json, "prices", prices, &whole);
    setpay_shop_set(json, "stock",
                    setpay_stock_json(setpay_db_get_bool(rows, 4), setpay_db_get_int(rows, 5),
                                      setpay_db_get_int(rows, 6), setpay_db_get_int(rows, 7)),
                    &whole);
    setpay_shop_append(list, json, &whole);
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_variant_list_json(struct setpay_db *db, int64_t product_seq, json_t **list)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(
        setpay_db_select(db, &rows,
                         "SELECT seq, sku, options, weight_g, tracked, on_hand, reserved,"
                         " low_at FROM variant WHERE product_seq = $1 ORDER BY position, seq",
                         SETPAY_DB_INT(product_seq)));
    json_t *array = json_array();
    while (error == SETPAY_OK && setpay_db_next(rows))
        error = row_json(db, rows, array);
    enum setpay_error ended = setpay_db_end(rows);
    error = error == SETPAY_OK ? ended : error;
    if (error == SETPAY_OK)
        *list = array;
    else
        json_decref(array);
    return error;
}

/* ------------------------------------------------------------------ members */

static enum setpay_error check_options(const json_t *options, const char *prefix,
                                       struct setpay_json_fault *fault)
{
    char field[sizeof fault->field];
    char text[SETPAY_VARIANT_OPTION_BYTES + 1];
    char words[SETPAY_JSON_FOUND_SIZE];
    const char *name;
    json_t *value;
    (void)snprintf(field, sizeof field, "%soptions", prefix);
    if (!json_is_object(options) || json_object_size(options) > SETPAY_VARIANT_OPTIONS_MAX)
        return setpay_json_fault_set(fault, field,
                                     "found %s; expected an object of at most %d texts, like"
                                     " {\"size\":\"M\"}",
                                     setpay_json_found(options, words), SETPAY_VARIANT_OPTIONS_MAX);
    json_object_foreach((json_t *)(uintptr_t)options, name, value)
    {
        size_t size = strlen(name);
        if (!setpay_shop_is_slug(name) || size > SETPAY_VARIANT_OPTION_BYTES)
            return setpay_json_fault_set(
                fault, field, "found a name of %zu %s; expected names of a-z, 0-9 and hyphens",
                size, setpay_noun((int64_t)size, "byte", "bytes"));
        (void)snprintf(field, sizeof field, "%soptions.%s", prefix, name);
        SETPAY_TRY(setpay_json_read_text(value, field, SETPAY_VARIANT_OPTION_BYTES, text, fault));
    }
    return SETPAY_OK;
}

static enum setpay_error check_prices(const json_t *prices, const char *prefix,
                                      struct setpay_json_fault *fault)
{
    char field[sizeof fault->field];
    char words[SETPAY_JSON_FOUND_SIZE];
    const char *currency;
    json_t *value;
    int64_t amount;
    (void)snprintf(field, sizeof field, "%sprices", prefix);
    if (!json_is_object(prices) || json_object_size(prices) < 1 ||
        json_object_size(prices) > CURRENCIES_MAX)
        return setpay_json_fault_set(fault, field,
                                     "found %s; expected an object of 1 to %d prices in minor"
                                     " units, like {\"EUR\":1250}",
                                     setpay_json_found(prices, words), CURRENCIES_MAX);
    json_object_foreach((json_t *)(uintptr_t)prices, currency, value)
    {
        (void)snprintf(field, sizeof field, "%sprices.%.32s", prefix, currency);
        if (setpay_currency_by_code(currency) == NULL)
            return setpay_json_fault_set(
                fault, field,
                "unknown currency; expected one of ISO 4217 in three capital"
                " letters, like EUR");
        SETPAY_TRY(setpay_json_read_int(value, field, 0, SETPAY_MONEY_MAX_MINOR,
                                        "a whole number of minor units", &amount, fault));
    }
    return SETPAY_OK;
}

static enum setpay_error read_sku(const json_t *object, const char *prefix, char *sku,
                                  struct setpay_json_fault *fault)
{
    char field[sizeof fault->field];
    char words[SETPAY_JSON_FOUND_SIZE];
    const json_t *value = json_object_get(object, "sku");
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value) ||
        !setpay_shop_is_sku(json_string_value(value))) {
        (void)snprintf(field, sizeof field, "%ssku", prefix);
        return setpay_json_fault_set(fault, field,
                                     "found %s; expected 1 to %d letters, digits, '.', '_' and '-'",
                                     setpay_json_found(value, words), SETPAY_SHOP_ID_BYTES);
    }
    memcpy(sku, json_string_value(value), json_string_length(value) + 1);
    return SETPAY_OK;
}

static enum setpay_error read_stock(const json_t *object, const char *prefix,
                                    struct variant *variant, struct setpay_json_fault *fault)
{
    static const char *const names[] = {"tracked", "on_hand", "low_at", NULL};
    char deeper[64];
    const json_t *stock = json_object_get(object, "stock");
    if (stock == NULL)
        return SETPAY_OK;
    (void)snprintf(deeper, sizeof deeper, "%sstock.", prefix);
    SETPAY_TRY(setpay_json_members_check(stock, names, deeper, fault));
    variant->tracked = true;
    SETPAY_TRY(setpay_shop_get_bool(stock, "tracked", deeper, &variant->tracked, fault));
    SETPAY_TRY(setpay_shop_get_int(stock, "low_at", deeper, false, 0, SETPAY_STOCK_MAX,
                                   &variant->low_at, fault));
    return setpay_shop_get_int(stock, "on_hand", deeper, false, 0, SETPAY_STOCK_MAX,
                               &variant->on_hand, fault);
}

/* What is said of a variant as a whole. */
static enum setpay_error read_members(const json_t *object, const char *prefix,
                                      struct variant *variant, struct setpay_json_fault *fault)
{
    variant->options = json_object_get(object, "options");
    variant->prices = json_object_get(object, "prices");
    if (variant->options != NULL)
        SETPAY_TRY(check_options(variant->options, prefix, fault));
    SETPAY_TRY(check_prices(variant->prices, prefix, fault));
    return setpay_shop_get_int(object, "weight_g", prefix, false, 0, SETPAY_VARIANT_WEIGHT_MAX_G,
                               &variant->weight_g, fault);
}

/* ------------------------------------------------------------------ rows */

static enum setpay_error find(struct setpay_db *db, const char *sku, struct variant *variant)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT seq, product_seq, position, weight_g, tracked, on_hand,"
                             " reserved FROM variant WHERE sku = $1",
                             SETPAY_DB_TEXT(sku)));
    variant->seq = setpay_db_get_int(rows, 0);
    variant->product_seq = setpay_db_get_int(rows, 1);
    variant->position = setpay_db_get_int(rows, 2);
    variant->weight_g = setpay_db_get_int(rows, 3);
    variant->tracked = setpay_db_get_bool(rows, 4);
    variant->on_hand = setpay_db_get_int(rows, 5);
    variant->reserved = setpay_db_get_int(rows, 6);
    (void)snprintf(variant->sku, sizeof variant->sku, "%s", sku);
    return setpay_db_end(rows);
}

static enum setpay_error put_options(struct setpay_db *db, const struct variant *variant)
{
    const char *name;
    json_t *value;
    char *text = json_dumps(variant->options, JSON_COMPACT);
    if (text == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = setpay_db_run(db, "UPDATE variant SET options = $1 WHERE seq = $2",
                                            SETPAY_DB_TEXT(text), SETPAY_DB_INT(variant->seq));
    free(text);
    SETPAY_TRY(error);
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM variant_option WHERE variant_seq = $1",
                             SETPAY_DB_INT(variant->seq)));
    json_object_foreach((json_t *)(uintptr_t)variant->options, name, value)
    {
        SETPAY_TRY(setpay_db_run(
            db, "INSERT INTO variant_option (variant_seq, name, value) VALUES ($1, $2, $3)",
            SETPAY_DB_INT(variant->seq), SETPAY_DB_TEXT(name),
            SETPAY_DB_TEXT(json_string_value(value))));
    }
    return SETPAY_OK;
}

static enum setpay_error put_prices(struct setpay_db *db, const struct variant *variant)
{
    const char *currency;
    json_t *value;
    SETPAY_TRY(
        setpay_db_run(db, "DELETE FROM price WHERE variant_seq = $1", SETPAY_DB_INT(variant->seq)));
    json_object_foreach((json_t *)(uintptr_t)variant->prices, currency, value)
    {
        SETPAY_TRY(setpay_db_run(
            db, "INSERT INTO price (variant_seq, currency, amount_minor) VALUES ($1, $2, $3)",
            SETPAY_DB_INT(variant->seq), SETPAY_DB_TEXT(currency),
            SETPAY_DB_INT(json_integer_value(value))));
    }
    return SETPAY_OK;
}

static enum setpay_error update(struct setpay_db *db, const struct variant *variant)
{
    SETPAY_TRY(setpay_db_run(db, "UPDATE variant SET position = $1, weight_g = $2 WHERE seq = $3",
                             SETPAY_DB_INT(variant->position), SETPAY_DB_INT(variant->weight_g),
                             SETPAY_DB_INT(variant->seq)));
    if (variant->options != NULL)
        SETPAY_TRY(put_options(db, variant));
    return variant->prices != NULL ? put_prices(db, variant) : SETPAY_OK;
}

static enum setpay_error insert(struct setpay_db *db, struct variant *variant,
                                setpay_time_ms now_ms)
{
    struct variant made = *variant;
    SETPAY_TRY(setpay_db_run(db,
                             "INSERT INTO variant (product_seq, sku, position, options, weight_g,"
                             " tracked, on_hand, reserved, low_at)"
                             " VALUES ($1, $2, $3, '{}', $4, $5, $6, 0, $7)",
                             SETPAY_DB_INT(variant->product_seq), SETPAY_DB_TEXT(variant->sku),
                             SETPAY_DB_INT(variant->position), SETPAY_DB_INT(variant->weight_g),
                             SETPAY_DB_BOOL(variant->tracked), SETPAY_DB_INT(variant->on_hand),
                             SETPAY_DB_INT(variant->low_at)));
    SETPAY_TRY(find(db, variant->sku, &made));
    variant->seq = made.seq;
    if (variant->on_hand > 0)
        SETPAY_TRY(setpay_stock_log(db, variant->sku, variant->on_hand, variant->on_hand,
                                    "first stock", "", now_ms));
    return update(db, variant);
}

static enum setpay_error remove_row(struct setpay_db *db, const struct variant *variant,
                                    struct setpay_shop_answer *answer)
{
    if (variant->reserved > 0)
        return setpay_shop_refuse(answer, SETPAY_E_STATE, "sku",
                                  "%lld of %s %s reserved by orders that can be paid; archive the"
                                  " product, or cancel the orders first",
                                  (long long)variant->reserved, variant->sku,
                                  setpay_noun(variant->reserved, "is", "are"));
    SETPAY_TRY(
        setpay_db_run(db, "DELETE FROM price WHERE variant_seq = $1", SETPAY_DB_INT(variant->seq)));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM variant_option WHERE variant_seq = $1",
                             SETPAY_DB_INT(variant->seq)));
    return setpay_db_run(db, "DELETE FROM variant WHERE seq = $1", SETPAY_DB_INT(variant->seq));
}

/* Removes those from this position on. */
static enum setpay_error remove_from(struct setpay_db *db, int64_t product_seq, int64_t position,
                                     struct setpay_shop_answer *answer)
{
    struct setpay_db_rows *rows;
    char sku[SETPAY_SHOP_ID_SIZE];
    for (;;) {
        struct variant variant = {.seq = 0};
        enum setpay_error error = setpay_db_one(
            db, &rows, "SELECT sku FROM variant WHERE product_seq = $1 AND position >= $2 LIMIT 1",
            SETPAY_DB_INT(product_seq), SETPAY_DB_INT(position));
        if (error == SETPAY_E_NOT_FOUND)
            return SETPAY_OK;
        SETPAY_TRY(error);
        setpay_db_get_text(rows, 0, sku, sizeof sku);
        SETPAY_TRY(setpay_db_end(rows));
        SETPAY_TRY(find(db, sku, &variant));
        SETPAY_TRY(remove_row(db, &variant, answer));
    }
}

enum setpay_error setpay_variant_remove_all(struct setpay_db *db, int64_t product_seq,
                                            struct setpay_shop_answer *answer)
{
    return remove_from(db, product_seq, INT64_MIN, answer);
}

/* ------------------------------------------------------------------ replacing all */

static const char *const names[] = {"sku", "options", "weight_g", "prices", "stock", NULL};

/* One of a list: a new one, or what becomes of one that is there. */
static enum setpay_error put(struct setpay_db *db, const struct setpay_product *product,
                             const json_t *object, const char *prefix, int64_t position,
                             setpay_time_ms now_ms, struct setpay_shop_answer *answer)
{
    struct variant variant = {.low_at = SETPAY_STOCK_LOW_AT};
    char sku[SETPAY_SHOP_ID_SIZE];
    struct setpay_json_fault *fault = &answer->fault;
    SETPAY_TRY(setpay_json_members_check(object, names, prefix, fault));
    SETPAY_TRY(read_sku(object, prefix, sku, fault));
    enum setpay_error error = find(db, sku, &variant);
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    bool is_new = error == SETPAY_E_NOT_FOUND;
    if (!is_new && (variant.product_seq != product->seq || variant.position < OLD_POSITIONS)) {
        char field[sizeof fault->field];
        (void)snprintf(field, sizeof field, "%ssku", prefix);
        return setpay_shop_refuse(answer, SETPAY_E_EXISTS, field,
                                  "there is a variant with the SKU %s; expected another one", sku);
    }
    memcpy(variant.sku, sku, sizeof sku);
    variant.product_seq = product->seq;
    variant.position = position;
    variant.tracked = is_new ? false : variant.tracked;
    struct variant stock = variant; /* of one that is there, it is only checked */
    SETPAY_TRY(read_stock(object, prefix, &stock, fault));
    SETPAY_TRY(read_members(object, prefix, &variant, fault));
    if (!is_new)
        return update(db, &variant);
    variant.tracked = stock.tracked;
    variant.on_hand = stock.on_hand;
    variant.low_at = stock.low_at;
    return insert(db, &variant, now_ms);
}

enum setpay_error setpay_variant_replace(struct setpay_db *db, const struct setpay_product *product,
                                         const json_t *variants, setpay_time_ms now_ms,
                                         struct setpay_shop_answer *answer)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    char prefix[48];
    size_t index;
    const json_t *object;
    size_t count = json_array_size(variants);
    if (!json_is_array(variants) || count < 1 || count > SETPAY_PRODUCT_VARIANTS_MAX)
        return setpay_json_fault_set(
            &answer->fault, "variants", "found %s; expected an array of 1 to %d variants",
            setpay_json_found(variants, words), SETPAY_PRODUCT_VARIANTS_MAX);
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE variant SET position = position + $1 WHERE product_seq = $2",
                             SETPAY_DB_INT(OLD_POSITIONS), SETPAY_DB_INT(product->seq)));
    json_array_foreach(variants, index, object)
    {
        (void)snprintf(prefix, sizeof prefix, "variants[%zu].", index);
        SETPAY_TRY(put(db, product, object, prefix, (int64_t)index, now_ms, answer));
    }
    return remove_from(db, product->seq, OLD_POSITIONS, answer);
}

/* ------------------------------------------------------------------ acts on one */

static enum setpay_error find_asked(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                    struct setpay_product *product, struct variant *variant,
                                    struct setpay_shop_answer *answer)
{
    SETPAY_TRY(setpay_product_asked(db, ask, product, answer));
    enum setpay_error error = find(db, ask->sub, variant);
    if (error == SETPAY_OK && variant->product_seq != product->seq)
        error = SETPAY_E_NOT_FOUND;
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_shop_refuse(answer, error, "sku", "the product '%s' has no SKU '%.70s'",
                                  product->slug, ask->sub);
    return error;
}

static enum setpay_error count_of(struct setpay_db *db, int64_t product_seq, int64_t *count,
                                  int64_t *last)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT COUNT(*), COALESCE(MAX(position), 0) FROM variant"
                             " WHERE product_seq = $1",
                             SETPAY_DB_INT(product_seq)));
    *count = setpay_db_get_int(rows, 0);
    *last = setpay_db_get_int(rows, 1);
    return setpay_db_end(rows);
}

static enum setpay_error changed(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                 struct setpay_product *product, struct setpay_shop_answer *answer)
{
    SETPAY_TRY(setpay_product_changed(db, product, ask->now_ms));
    return setpay_product_answer(db, product, answer);
}

enum setpay_error setpay_variant_list(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      struct setpay_shop_answer *answer)
{
    struct setpay_product product = {.seq = 0};
    json_t *list = NULL;
    SETPAY_TRY(setpay_product_asked(db, ask, &product, answer));
    SETPAY_TRY(setpay_variant_list_json(db, product.seq, &list));
    answer->version = product.version;
    answer->json = json_pack("{s:o}", "variants", list);
    return answer->json == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

enum setpay_error setpay_variant_add(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                     struct setpay_shop_answer *answer)
{
    struct setpay_product product = {.seq = 0};
    int64_t count = 0;
    int64_t last = 0;
    SETPAY_TRY(setpay_product_asked(db, ask, &product, answer));
    SETPAY_TRY(count_of(db, product.seq, &count, &last));
    if (count >= SETPAY_PRODUCT_VARIANTS_MAX)
        return setpay_shop_refuse(answer, SETPAY_E_STATE, "",
                                  "the product has %d variants, as many as it can have",
                                  SETPAY_PRODUCT_VARIANTS_MAX);
    SETPAY_TRY(put(db, &product, ask->body, "", last + 1, ask->now_ms, answer));
    (void)snprintf(answer->made, sizeof answer->made, "%s",
                   json_string_value(json_object_get(ask->body, "sku")));
    return changed(db, ask, &product, answer);
}

/* Changes what is there: members that are not named stay, null takes one away (RFC 7396). */
static enum setpay_error merge(json_t *there, const json_t *changes)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)changes, name, value)
    {
        if (json_is_null(value))
            (void)json_object_del(there, name);
        else if (json_object_set(there, name, value) != 0)
            return SETPAY_E_NOMEM;
    }
    return SETPAY_OK;
}

/* What is to be of the prices that there are: *prices, owned, also with an error. */
static enum setpay_error merge_prices(struct setpay_db *db, const struct variant *variant,
                                      const json_t *changes, json_t **prices,
                                      struct setpay_shop_answer *answer)
{
    if (!json_is_object(changes) || json_object_size(changes) == 0)
        return check_prices(changes, "", &answer->fault);
    SETPAY_TRY(prices_json(db, variant->seq, prices));
    SETPAY_TRY(merge(*prices, changes));
    if (json_object_size(*prices) == 0)
        return setpay_shop_refuse(answer, SETPAY_E_INVALID, "prices",
                                  "%s would have no price at all; expected one in another"
                                  " currency, or the product archived",
                                  variant->sku);
    return check_prices(*prices, "", &answer->fault);
}

static enum setpay_error find_options(struct setpay_db *db, int64_t seq, json_t **options)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(
        setpay_db_one(db, &rows, "SELECT options FROM variant WHERE seq = $1", SETPAY_DB_INT(seq)));
    struct setpay_view text = setpay_db_get_view(rows, 0);
    *options = json_loadb((const char *)text.data, text.size, 0, NULL);
    enum setpay_error error = *options == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    enum setpay_error ended = setpay_db_end(rows);
    return ended != SETPAY_OK ? ended : error;
}

/* Likewise; null for all of them takes all away. */
static enum setpay_error merge_options(struct setpay_db *db, const struct variant *variant,
                                       const json_t *changes, json_t **options,
                                       struct setpay_shop_answer *answer)
{
    if (json_is_null(changes)) {
        *options = json_object();
        return *options == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    if (!json_is_object(changes))
        return check_options(changes, "", &answer->fault);
    SETPAY_TRY(find_options(db, variant->seq, options));
    SETPAY_TRY(merge(*options, changes));
    return check_options(*options, "", &answer->fault);
}

/* The members of the body, as they are to be. */
static enum setpay_error set_members(struct setpay_db *db, const json_t *body,
                                     struct variant *variant, json_t **prices, json_t **options,
                                     struct setpay_shop_answer *answer)
{
    const json_t *price_changes = json_object_get(body, "prices");
    const json_t *option_changes = json_object_get(body, "options");
    if (price_changes != NULL)
        SETPAY_TRY(merge_prices(db, variant, price_changes, prices, answer));
    if (option_changes != NULL)
        SETPAY_TRY(merge_options(db, variant, option_changes, options, answer));
    variant->prices = *prices;
    variant->options = *options;
    SETPAY_TRY(setpay_shop_get_int(body, "weight_g", "", false, 0, SETPAY_VARIANT_WEIGHT_MAX_G,
                                   &variant->weight_g, &answer->fault));
    return update(db, variant);
}

enum setpay_error setpay_variant_set(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                     struct setpay_shop_answer *answer)
{
    static const char *const changeable[] = {"options", "weight_g", "prices", NULL};
    struct setpay_product product = {.seq = 0};
    struct variant variant = {.seq = 0};
    json_t *prices = NULL;
    json_t *options = NULL;
    SETPAY_TRY(setpay_json_members_check(ask->body, changeable, "", &answer->fault));
    SETPAY_TRY(find_asked(db, ask, &product, &variant, answer));
    enum setpay_error error = set_members(db, ask->body, &variant, &prices, &options, answer);
    json_decref(prices);
    json_decref(options);
    SETPAY_TRY(error);
    return changed(db, ask, &product, answer);
}

enum setpay_error setpay_variant_remove(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                        struct setpay_shop_answer *answer)
{
    struct setpay_product product = {.seq = 0};
    struct variant variant = {.seq = 0};
    int64_t count = 0;
    int64_t last = 0;
    SETPAY_TRY(find_asked(db, ask, &product, &variant, answer));
    SETPAY_TRY(count_of(db, product.seq, &count, &last));
    if (count == 1)
        return setpay_shop_refuse(answer, SETPAY_E_STATE, "sku",
                                  "%s is the only variant; archive or delete the product instead",
                                  variant.sku);
    SETPAY_TRY(remove_row(db, &variant, answer));
    return changed(db, ask, &product, answer);
}

enum setpay_error setpay_price_set(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                   struct setpay_shop_answer *answer)
{
    static const char *const changeable[] = {"prices", NULL};
    struct setpay_product product = {.seq = 0};
    struct variant variant = {.seq = 0};
    json_t *prices = NULL;
    const json_t *changes = json_object_get(ask->body, "prices");
    SETPAY_TRY(setpay_json_members_check(ask->body, changeable, "", &answer->fault));
    enum setpay_error error = find(db, ask->id, &variant);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_shop_refuse(answer, error, "id", "there is no SKU '%.70s'", ask->id);
    SETPAY_TRY(error);
    SETPAY_TRY(setpay_product_find_seq(db, variant.product_seq, &product));
    SETPAY_TRY(setpay_shop_check_version(ask, product.version, answer));
    error = merge_prices(db, &variant, changes, &prices, answer);
    variant.prices = prices;
    if (error == SETPAY_OK)
        error = put_prices(db, &variant);
    json_decref(prices);
    SETPAY_TRY(error);
    return changed(db, ask, &product, answer);
}
