/*
 * Pages of products: searched, filtered, sorted.
 *
 * Every order of sorting is made one of ascending (number, text, row), so that a page begins behind
 * the last product of the one before, wherever products came or went meanwhile. A cursor is that
 * place, and a digest of what was asked for, so that it is not taken for another question's.
 */
#include "common/base/bytes.h"
#include "common/base/money.h"
#include "common/crypto/hash.h"
#include "common/store/search.h"
#include "merchant/store/category.h"
#include "merchant/store/product.h"

#include <stdlib.h>
#include <string.h>

#define DIGEST_USED 8
#define CURSOR_HEAD (8 + 8 + DIGEST_USED)
#define CURSOR_BYTES (CURSOR_HEAD + SETPAY_LIMIT_NAME_BYTES)
#define OPTION_BYTES (2 * SETPAY_VARIANT_OPTION_BYTES + 1)

enum sort { SORT_NEWEST, SORT_NAME, SORT_PRICE, SORT_PRICE_DOWN, SORT_RELEVANCE, SORTS };
static const char *const sort_names[SORTS] = {"newest", "name", "price", "-price", "relevance"};

/* ------------------------------------------------------------------ statements */

/* One variant has to fit in all that is asked of variants. */
#define FILTERS                                                                                    \
    " ($1 = -1 OR p.status = $1)"                                                                  \
    " AND ($3 = 0 OR p.seq IN (SELECT product_seq FROM product_category WHERE category_seq IN"     \
    "  " SETPAY_CATEGORY_WITH_BELOW(                                                               \
        "$3") "))"                                                                                 \
              " AND EXISTS (SELECT 1 FROM variant v WHERE v.product_seq = p.seq"                   \
              "  AND ($5 = 0 OR v.tracked = 0 OR v.on_hand > v.reserved)"                          \
              "  AND ($6 = '' OR EXISTS (SELECT 1 FROM variant_option o WHERE o.variant_seq = "    \
              "v.seq"                                                                              \
              "   AND o.name = $6 AND o.value = $7))"                                              \
              "  AND ($8 = 0 OR EXISTS (SELECT 1 FROM price r WHERE r.variant_seq = v.seq"         \
              "   AND r.currency = $4 AND r.amount_minor BETWEEN $9 AND $10)))"

#define SEARCHED " AND ($2 = '' OR p.seq IN (SELECT h.row FROM " SETPAY_SEARCH_HITS("$2") " h))"

/* Placeholders are to stand in their order, in whatever order a statement uses them. */
#define IN_ORDER                                                                                   \
    "WITH asked AS (SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) "

#define PAGE(number, text, from, further)                                                          \
    IN_ORDER "SELECT k.seq, k.number, k.text FROM (SELECT p.seq AS seq, " number                   \
             " AS number, " text " AS text FROM product p" from " WHERE" FILTERS further ") k"     \
             " WHERE $11 = 0 OR (k.number, k.text, k.seq) > ($12, $13, $14)"                       \
             " ORDER BY k.number, k.text, k.seq LIMIT $15"

/* The cheapest variant; what has no price in the currency comes last. */
#define PRICE(none, sign)                                                                          \
    "COALESCE((SELECT MIN(r.amount_minor) FROM price r JOIN variant v ON v.seq = r.variant_seq"    \
    " WHERE v.product_seq = p.seq AND r.currency = $4) * " sign ", " none ")"

static const char *const statements[SORTS] = {
    [SORT_NEWEST] = PAGE("-p.seq", "''", "", SEARCHED),
    [SORT_NAME] = PAGE("0", "p.name_key", "", SEARCHED),
    [SORT_PRICE] = PAGE(PRICE("9000000000000000000", "1"), "''", "", SEARCHED),
    [SORT_PRICE_DOWN] = PAGE(PRICE("1", "-1"), "''", "", SEARCHED),
    [SORT_RELEVANCE] =
        PAGE("h.rank", "''", " JOIN " SETPAY_SEARCH_HITS("$2") " h ON h.row = p.seq", ""),
};

/* ------------------------------------------------------------------ what is asked for */

struct place {
    int64_t number;
    char text[SETPAY_LIMIT_NAME_BYTES + 1];
    int64_t seq;
};

struct wanted {
    int64_t status; /* -1: any */
    char query[SETPAY_SEARCH_QUERY_BYTES];
    int64_t category_seq; /* 0: any */
    char currency[4];
    bool in_stock;
    char option[SETPAY_VARIANT_OPTION_BYTES + 1]; /* "": any */
    char value[SETPAY_VARIANT_OPTION_BYTES + 1];
    bool has_price;
    int64_t price_min;
    int64_t price_max;
    enum sort sort;
    bool has_place;
    struct place place; /* the page is behind it */
    int64_t limit;
    uint8_t digest[DIGEST_USED];
};

static enum setpay_error read_query(const json_t *body, struct wanted *wanted,
                                    struct setpay_json_fault *fault)
{
    char text[SETPAY_SEARCH_TEXT_BYTES + 1] = "";
    SETPAY_TRY(setpay_shop_get_text(body, "q", "", false, SETPAY_SEARCH_TEXT_BYTES, text, fault));
    SETPAY_TRY(setpay_search_query(text, wanted->query));
    /* Marks and spaces alone: nothing can have them. */
    if (text[0] != '\0' && wanted->query[0] == '\0')
        return setpay_json_fault_set(fault, "q", "found no word in it; expected letters or digits");
    return SETPAY_OK;
}

static enum setpay_error read_category(struct setpay_db *db, const json_t *body,
                                       struct wanted *wanted, struct setpay_json_fault *fault)
{
    char slug[SETPAY_SHOP_ID_SIZE] = "";
    SETPAY_TRY(setpay_shop_get_slug(body, "category", false, slug, fault));
    if (slug[0] == '\0')
        return SETPAY_OK;
    enum setpay_error error = setpay_category_seq(db, slug, &wanted->category_seq);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_json_fault_set(fault, "category", "there is no category '%s'", slug);
    return error;
}

static enum setpay_error read_option(const json_t *body, struct wanted *wanted,
                                     struct setpay_json_fault *fault)
{
    char text[OPTION_BYTES + 1] = "";
    char words[SETPAY_JSON_FOUND_SIZE];
    const json_t *value = json_object_get(body, "option");
    SETPAY_TRY(setpay_shop_get_text(body, "option", "", false, OPTION_BYTES, text, fault));
    if (text[0] == '\0')
        return SETPAY_OK;
    size_t name = strcspn(text, ":");
    size_t rest = strlen(text) - name;
    if (name < 1 || name > SETPAY_VARIANT_OPTION_BYTES || rest < 2 ||
        rest - 1 > SETPAY_VARIANT_OPTION_BYTES)
        return setpay_json_fault_set(fault, "option", "found %s; expected NAME:VALUE, like size:M",
                                     setpay_json_found(value, words));
    memcpy(wanted->option, text, name);
    memcpy(wanted->value, text + name + 1, rest);
    return SETPAY_OK;
}

static enum setpay_error read_word(const json_t *body, const char *name, const char *const *words,
                                   int64_t count, const char *expected, int64_t *index,
                                   struct setpay_json_fault *fault)
{
    char found[SETPAY_JSON_FOUND_SIZE];
    const json_t *value = json_object_get(body, name);
    if (value == NULL)
        return SETPAY_OK;
    for (int64_t i = 0; json_is_string(value) && i < count; i++) {
        if (strcmp(json_string_value(value), words[i]) == 0) {
            *index = i;
            return SETPAY_OK;
        }
    }
    return setpay_json_fault_set(fault, name, "found %s; expected %s",
                                 setpay_json_found(value, found), expected);
}

static enum setpay_error read_filters(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      struct wanted *wanted, struct setpay_json_fault *fault)
{
    static const char *const statuses[] = {"draft", "published", "archived"};
    const json_t *body = ask->body;
    SETPAY_TRY(read_query(body, wanted, fault));
    SETPAY_TRY(read_category(db, body, wanted, fault));
    SETPAY_TRY(read_word(body, "status", statuses, 3, "draft, published or archived",
                         &wanted->status, fault));
    memcpy(wanted->currency, ask->settings->currency, sizeof wanted->currency);
    SETPAY_TRY(setpay_shop_get_currency(body, "currency", "", false, wanted->currency, fault));
    wanted->has_price =
        json_object_get(body, "price_min") != NULL || json_object_get(body, "price_max") != NULL;
    SETPAY_TRY(setpay_shop_get_int(body, "price_min", "", false, 0, SETPAY_MONEY_MAX_MINOR,
                                   &wanted->price_min, fault));
    SETPAY_TRY(setpay_shop_get_int(body, "price_max", "", false, 0, SETPAY_MONEY_MAX_MINOR,
                                   &wanted->price_max, fault));
    SETPAY_TRY(setpay_shop_get_bool(body, "in_stock", "", &wanted->in_stock, fault));
    return read_option(body, wanted, fault);
}

/* Of all that is asked for but where the page begins and how long it is. */
static enum setpay_error digest_of(const json_t *body, uint8_t *digest)
{
    struct setpay_digest whole;
    json_t *asked = json_copy((json_t *)(uintptr_t)body);
    (void)json_object_del(asked, "cursor");
    (void)json_object_del(asked, "limit");
    char *text = asked == NULL ? NULL : json_dumps(asked, JSON_COMPACT | JSON_SORT_KEYS);
    enum setpay_error error = text == NULL
                                  ? SETPAY_E_NOMEM
                                  : setpay_hash_one("products", setpay_view_string(text), &whole);
    if (error == SETPAY_OK)
        memcpy(digest, whole.bytes, DIGEST_USED);
    free(text);
    json_decref(asked);
    return error;
}

/* ------------------------------------------------------------------ cursors */

static bool parse_cursor(const char *cursor, struct wanted *wanted)
{
    uint8_t bytes[CURSOR_BYTES];
    size_t length = strlen(cursor);
    size_t size = length / 4 * 3 + (length % 4 > 1 ? length % 4 - 1 : 0);
    if (length > SETPAY_BASE64URL_SIZE(CURSOR_BYTES) || size < CURSOR_HEAD || size > sizeof bytes ||
        setpay_base64url_decode(cursor, bytes, size) != SETPAY_OK ||
        memcmp(bytes + 16, wanted->digest, DIGEST_USED) != 0 ||
        !setpay_text_is_utf8(setpay_view_of(bytes + CURSOR_HEAD, size - CURSOR_HEAD)))
        return false;
    wanted->has_place = true;
    wanted->place.number = (int64_t)setpay_read_u64be(bytes);
    wanted->place.seq = (int64_t)setpay_read_u64be(bytes + 8);
    memcpy(wanted->place.text, bytes + CURSOR_HEAD, size - CURSOR_HEAD);
    wanted->place.text[size - CURSOR_HEAD] = '\0';
    return true;
}

static json_t *cursor_json(const struct wanted *wanted, const struct place *place)
{
    uint8_t bytes[CURSOR_BYTES];
    char text[SETPAY_BASE64URL_SIZE(CURSOR_BYTES)];
    size_t size = strlen(place->text);
    setpay_write_u64be(bytes, (uint64_t)place->number);
    setpay_write_u64be(bytes + 8, (uint64_t)place->seq);
    memcpy(bytes + 16, wanted->digest, DIGEST_USED);
    memcpy(bytes + CURSOR_HEAD, place->text, size);
    setpay_base64url_encode(setpay_view_of(bytes, CURSOR_HEAD + size), text);
    return json_string(text);
}

static enum setpay_error read_wanted(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                     struct wanted *wanted, struct setpay_json_fault *fault)
{
    static const char *const names[] = {"q",         "category",  "status",   "currency",
                                        "price_min", "price_max", "in_stock", "option",
                                        "sort",      "limit",     "cursor",   NULL};
    const json_t *cursor = json_object_get(ask->body, "cursor");
    int64_t sort = -1;
    SETPAY_TRY(setpay_json_members_check(ask->body, names, "", fault));
    SETPAY_TRY(read_filters(db, ask, wanted, fault));
    SETPAY_TRY(read_word(ask->body, "sort", sort_names, SORTS,
                         "newest, name, price, -price or relevance", &sort, fault));
    if (sort == SORT_RELEVANCE && wanted->query[0] == '\0')
        return setpay_json_fault_set(fault, "sort",
                                     "found relevance, without q; expected words to search for");
    if (sort < 0)
        sort = wanted->query[0] != '\0' ? SORT_RELEVANCE : SORT_NEWEST;
    wanted->sort = (enum sort)sort;
    SETPAY_TRY(setpay_shop_get_int(ask->body, "limit", "", false, 1, SETPAY_SHOP_LIST_MAX,
                                   &wanted->limit, fault));
    SETPAY_TRY(digest_of(ask->body, wanted->digest));
    if (cursor != NULL &&
        (!json_is_string(cursor) || !parse_cursor(json_string_value(cursor), wanted)))
        return setpay_json_fault_set(fault, "cursor",
                                     "expected the next_cursor of an answer to the same question,"
                                     " unchanged");
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ reading */

static enum setpay_error add_product(struct setpay_db *db, int64_t seq, json_t *list)
{
    struct setpay_product product = {.seq = 0};
    json_t *json = NULL;
    SETPAY_TRY(setpay_product_find_seq(db, seq, &product));
    SETPAY_TRY(setpay_product_json(db, &product, &json));
    return json_array_append_new(list, json) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error read_page(struct setpay_db *db, const struct wanted *wanted, json_t *list,
                                   struct place *last, bool *more)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(
        setpay_db_select(db, &rows, statements[wanted->sort], SETPAY_DB_INT(wanted->status),
                         SETPAY_DB_TEXT(wanted->query), SETPAY_DB_INT(wanted->category_seq),
                         SETPAY_DB_TEXT(wanted->currency), SETPAY_DB_BOOL(wanted->in_stock),
                         SETPAY_DB_TEXT(wanted->option), SETPAY_DB_TEXT(wanted->value),
                         SETPAY_DB_BOOL(wanted->has_price), SETPAY_DB_INT(wanted->price_min),
                         SETPAY_DB_INT(wanted->price_max), SETPAY_DB_BOOL(wanted->has_place),
                         SETPAY_DB_INT(wanted->place.number), SETPAY_DB_TEXT(wanted->place.text),
                         SETPAY_DB_INT(wanted->place.seq), SETPAY_DB_INT(wanted->limit + 1)));
    while (error == SETPAY_OK && !*more && setpay_db_next(rows)) {
        *more = json_array_size(list) == (size_t)wanted->limit;
        if (*more)
            continue;
        last->seq = setpay_db_get_int(rows, 0);
        last->number = setpay_db_get_int(rows, 1);
        setpay_db_get_text(rows, 2, last->text, sizeof last->text);
        error = add_product(db, last->seq, list);
    }
    enum setpay_error ended = setpay_db_end(rows);
    return error == SETPAY_OK ? ended : error;
}

enum setpay_error setpay_product_list(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      struct setpay_shop_answer *answer)
{
    struct wanted wanted = {
        .status = -1, .price_max = SETPAY_MONEY_MAX_MINOR, .limit = SETPAY_SHOP_LIST_DEFAULT};
    struct place last = {.seq = 0};
    bool more = false;
    SETPAY_TRY(read_wanted(db, ask, &wanted, &answer->fault));
    json_t *list = json_array();
    enum setpay_error error =
        list == NULL ? SETPAY_E_NOMEM : read_page(db, &wanted, list, &last, &more);
    if (error == SETPAY_OK) {
        answer->json = json_pack("{s:O, s:b, s:o}", "products", list, "has_more", more,
                                 "next_cursor", more ? cursor_json(&wanted, &last) : json_null());
        error = answer->json == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    json_decref(list);
    return error;
}
