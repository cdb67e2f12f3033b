/*
 * Products in the database.
 */
#include "merchant/store/product.h"

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/store/search.h"
#include "merchant/store/category.h"
#include "merchant/store/picture.h"
#include "merchant/store/tax.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                    \
    "seq, product_id, slug, name, description, status, tax_class, created_ms, updated_ms, version"

static const char *const status_names[SETPAY_PRODUCT_STATUSES] = {
    [SETPAY_PRODUCT_DRAFT] = "draft",
    [SETPAY_PRODUCT_PUBLISHED] = "published",
    [SETPAY_PRODUCT_ARCHIVED] = "archived",
};

const char *setpay_product_status_name(enum setpay_product_status status)
{
    return (unsigned)status < SETPAY_PRODUCT_STATUSES ? status_names[status] : NULL;
}

enum setpay_error setpay_product_status_parse(const char *name, enum setpay_product_status *status)
{
    for (unsigned i = 0; i < SETPAY_PRODUCT_STATUSES; i++) {
        if (strcmp(name, status_names[i]) == 0) {
            *status = (enum setpay_product_status)i;
            return SETPAY_OK;
        }
    }
    return SETPAY_E_INVALID;
}

/* ------------------------------------------------------------------ rows */

static enum setpay_error read_row(struct setpay_db_rows *rows, struct setpay_product *product)
{
    product->seq = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, product->product_id, sizeof product->product_id);
    setpay_db_get_text(rows, 2, product->slug, sizeof product->slug);
    setpay_db_get_text(rows, 3, product->name, sizeof product->name);
    setpay_db_get_text(rows, 4, product->description, sizeof product->description);
    product->status = (enum setpay_product_status)setpay_db_get_int(rows, 5);
    setpay_db_get_text(rows, 6, product->tax_class, sizeof product->tax_class);
    product->created_ms = setpay_db_get_int(rows, 7);
    product->updated_ms = setpay_db_get_int(rows, 8);
    product->version = setpay_db_get_int(rows, 9);
    return setpay_db_end(rows);
}

enum setpay_error setpay_product_find_seq(struct setpay_db *db, int64_t seq,
                                          struct setpay_product *product)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " COLUMNS " FROM product WHERE seq = $1",
                             SETPAY_DB_INT(seq)));
    return read_row(rows, product);
}

/* An id has an underscore, which no slug has. */
enum setpay_error setpay_product_find(struct setpay_db *db, const char *id,
                                      struct setpay_product *product)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " COLUMNS " FROM product WHERE product_id = $1 OR slug = $1",
                             SETPAY_DB_TEXT(id)));
    return read_row(rows, product);
}

enum setpay_error setpay_product_asked(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                       struct setpay_product *product,
                                       struct setpay_shop_answer *answer)
{
    enum setpay_error error = setpay_product_find(db, ask->id, product);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_shop_refuse(answer, error, "id", "there is no product '%.70s'", ask->id);
    SETPAY_TRY(error);
    return setpay_shop_check_version(ask, product->version, answer);
}

/* Names are sorted without regard to the case of ASCII letters. */
static void make_name_key(const char *name, char *key)
{
    size_t i = 0;
    for (; name[i] != '\0'; i++)
        key[i] = (char)((name[i] & 0x80) != 0 ? name[i] : tolower((unsigned char)name[i]));
    key[i] = '\0';
}

static enum setpay_error insert(struct setpay_db *db, struct setpay_product *product)
{
    char key[SETPAY_LIMIT_NAME_BYTES + 1];
    struct setpay_id random;
    char hex[2 * sizeof random.bytes + 1];
    SETPAY_TRY(setpay_id_random(&random));
    setpay_hex_encode(setpay_id_view(&random), hex);
    (void)snprintf(product->product_id, sizeof product->product_id, "prd_%.20s", hex);
    make_name_key(product->name, key);
    return setpay_db_insert(
        db, &product->seq,
        "INSERT INTO product (product_id, slug, name, name_key, description, status, tax_class,"
        " created_ms, updated_ms, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0)"
        " RETURNING seq",
        SETPAY_DB_TEXT(product->product_id), SETPAY_DB_TEXT(product->slug),
        SETPAY_DB_TEXT(product->name), SETPAY_DB_TEXT(key), SETPAY_DB_TEXT(product->description),
        SETPAY_DB_INT(product->status), SETPAY_DB_TEXT(product->tax_class),
        SETPAY_DB_INT(product->created_ms));
}

static enum setpay_error update(struct setpay_db *db, const struct setpay_product *product)
{
    char key[SETPAY_LIMIT_NAME_BYTES + 1];
    make_name_key(product->name, key);
    return setpay_db_run(db,
                         "UPDATE product SET slug = $1, name = $2, name_key = $3, description = $4,"
                         " status = $5, tax_class = $6 WHERE seq = $7",
                         SETPAY_DB_TEXT(product->slug), SETPAY_DB_TEXT(product->name),
                         SETPAY_DB_TEXT(key), SETPAY_DB_TEXT(product->description),
                         SETPAY_DB_INT(product->status), SETPAY_DB_TEXT(product->tax_class),
                         SETPAY_DB_INT(product->seq));
}

/* ------------------------------------------------------------------ what it is found by */

/* Appends each text that a query gives, and a space. */
static enum setpay_error append_texts(struct setpay_db_rows *rows, struct setpay_buffer *words)
{
    enum setpay_error error = SETPAY_OK;
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        error = setpay_buffer_append(words, setpay_db_get_view(rows, 0));
        if (error == SETPAY_OK)
            error = setpay_buffer_append(words, setpay_view_string(" "));
    }
    enum setpay_error ended = setpay_db_end(rows);
    return error == SETPAY_OK ? ended : error;
}

static enum setpay_error collect_words(struct setpay_db *db, const struct setpay_product *product,
                                       struct setpay_buffer *words)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT sku FROM variant WHERE product_seq = $1",
                                SETPAY_DB_INT(product->seq)));
    SETPAY_TRY(append_texts(rows, words));
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT DISTINCT o.value FROM variant_option o JOIN variant v"
                                " ON v.seq = o.variant_seq WHERE v.product_seq = $1",
                                SETPAY_DB_INT(product->seq)));
    SETPAY_TRY(append_texts(rows, words));
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT c.name FROM category c JOIN product_category p"
                                " ON p.category_seq = c.seq WHERE p.product_seq = $1",
                                SETPAY_DB_INT(product->seq)));
    SETPAY_TRY(append_texts(rows, words));
    SETPAY_TRY(setpay_buffer_append(words, setpay_view_string(product->description)));
    return setpay_buffer_append(words, setpay_view_of("", 1)); /* with its NUL */
}

enum setpay_error setpay_product_changed(struct setpay_db *db, struct setpay_product *product,
                                         setpay_time_ms now_ms)
{
    struct setpay_buffer words = {0};
    product->version++;
    product->updated_ms = now_ms;
    SETPAY_TRY(setpay_db_run(db, "UPDATE product SET version = $1, updated_ms = $2 WHERE seq = $3",
                             SETPAY_DB_INT(product->version), SETPAY_DB_INT(now_ms),
                             SETPAY_DB_INT(product->seq)));
    setpay_buffer_init(&words, SETPAY_SHOP_BODY_MAX);
    enum setpay_error error = collect_words(db, product, &words);
    if (error == SETPAY_OK)
        error = setpay_search_put(db, product->seq, product->name, (const char *)words.data);
    setpay_buffer_clear(&words);
    return error;
}

/* ------------------------------------------------------------------ as JSON */

static enum setpay_error categories_json(struct setpay_db *db, int64_t product_seq, json_t **list)
{
    struct setpay_db_rows *rows;
    bool whole = true;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT c.slug FROM category c JOIN product_category p"
                                " ON p.category_seq = c.seq WHERE p.product_seq = $1"
                                " ORDER BY c.slug",
                                SETPAY_DB_INT(product_seq)));
    json_t *array = json_array();
    while (setpay_db_next(rows)) {
        char slug[SETPAY_SHOP_ID_SIZE];
        setpay_db_get_text(rows, 0, slug, sizeof slug);
        setpay_shop_append(array, json_string(slug), &whole);
    }
    enum setpay_error error = setpay_db_end(rows);
    if (error == SETPAY_OK && !whole)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        *list = array;
    else
        json_decref(array);
    return error;
}

enum setpay_error setpay_product_json(struct setpay_db *db, const struct setpay_product *product,
                                      json_t **json)
{
    json_t *categories = NULL;
    json_t *variants = NULL;
    json_t *pictures = NULL;
    bool whole = true;
    enum setpay_error error = categories_json(db, product->seq, &categories);
    if (error == SETPAY_OK)
        error = setpay_variant_list_json(db, product->seq, &variants);
    if (error == SETPAY_OK)
        error = setpay_picture_list_json(db, product, &pictures);
    json_t *made = json_object();
    setpay_shop_set(made, "id", json_string(product->product_id), &whole);
    setpay_shop_set(made, "slug", json_string(product->slug), &whole);
    setpay_shop_set(made, "name", json_string(product->name), &whole);
    setpay_shop_set(made, "description", json_string(product->description), &whole);
    setpay_shop_set(made, "status", json_string(setpay_product_status_name(product->status)),
                    &whole);
    setpay_shop_set(made, "tax_class", json_string(product->tax_class), &whole);
    setpay_shop_set(made, "categories", categories, &whole);
    setpay_shop_set(made, "variants", variants, &whole);
    setpay_shop_set(made, "pictures", pictures, &whole);
    setpay_shop_set(made, "created", setpay_shop_time_json(product->created_ms), &whole);
    setpay_shop_set(made, "updated", setpay_shop_time_json(product->updated_ms), &whole);
    setpay_shop_set(made, "version", json_integer(product->version), &whole);
    if (error == SETPAY_OK && !whole)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        *json = made;
    else
        json_decref(made);
    return error;
}

enum setpay_error setpay_product_answer(struct setpay_db *db, const struct setpay_product *product,
                                        struct setpay_shop_answer *answer)
{
    answer->version = product->version;
    return setpay_product_json(db, product, &answer->json);
}

/* ------------------------------------------------------------------ members */

static enum setpay_error read_status(const json_t *body, enum setpay_product_status *status,
                                     struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    const json_t *value = json_object_get(body, "status");
    if (value == NULL)
        return SETPAY_OK;
    if (!json_is_string(value) ||
        setpay_product_status_parse(json_string_value(value), status) != SETPAY_OK)
        return setpay_json_fault_set(fault, "status",
                                     "found %s; expected draft, published or archived",
                                     setpay_json_found(value, words));
    return SETPAY_OK;
}

static enum setpay_error read_members(const json_t *body, bool is_new,
                                      struct setpay_product *product,
                                      struct setpay_json_fault *fault)
{
    static const char *const names[] = {"slug",      "name",       "description", "status",
                                        "tax_class", "categories", "variants",    NULL};
    const char *description = NULL;
    SETPAY_TRY(setpay_json_members_check(body, names, "", fault));
    SETPAY_TRY(setpay_shop_get_slug(body, "slug", is_new, product->slug, fault));
    SETPAY_TRY(setpay_shop_get_text(body, "name", "", is_new, SETPAY_LIMIT_NAME_BYTES,
                                    product->name, fault));
    SETPAY_TRY(setpay_shop_get_lines(body, "description", SETPAY_PRODUCT_DESCRIPTION_BYTES,
                                     &description, fault));
    if (description != NULL)
        memcpy(product->description, description, strlen(description) + 1);
    SETPAY_TRY(setpay_shop_get_slug(body, "tax_class", false, product->tax_class, fault));
    return read_status(body, &product->status, fault);
}

static enum setpay_error put_category(struct setpay_db *db, const struct setpay_product *product,
                                      const json_t *value, size_t index,
                                      struct setpay_json_fault *fault)
{
    char field[40];
    char words[SETPAY_JSON_FOUND_SIZE];
    int64_t seq = 0;
    enum setpay_error error = json_is_string(value)
                                  ? setpay_category_seq(db, json_string_value(value), &seq)
                                  : SETPAY_E_NOT_FOUND;
    if (error == SETPAY_E_NOT_FOUND) {
        (void)snprintf(field, sizeof field, "categories[%zu]", index);
        return setpay_json_fault_set(fault, field,
                                     "found %s; expected the slug of a category that is there",
                                     setpay_json_found(value, words));
    }
    SETPAY_TRY(error);
    error = setpay_db_run(
        db, "INSERT INTO product_category (product_seq, category_seq) VALUES ($1, $2)",
        SETPAY_DB_INT(product->seq), SETPAY_DB_INT(seq));
    return error == SETPAY_E_DUPLICATE ? SETPAY_OK : error; /* named twice */
}

static enum setpay_error put_categories(struct setpay_db *db, const json_t *body,
                                        const struct setpay_product *product,
                                        struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    const json_t *list = json_object_get(body, "categories");
    size_t index;
    const json_t *value;
    if (list == NULL)
        return SETPAY_OK;
    if (!json_is_array(list) || json_array_size(list) > SETPAY_PRODUCT_CATEGORIES_MAX)
        return setpay_json_fault_set(fault, "categories",
                                     "found %s; expected an array of at most %d slugs",
                                     setpay_json_found(list, words), SETPAY_PRODUCT_CATEGORIES_MAX);
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM product_category WHERE product_seq = $1",
                             SETPAY_DB_INT(product->seq)));
    json_array_foreach(list, index, value)
    {
        SETPAY_TRY(put_category(db, product, value, index, fault));
    }
    return SETPAY_OK;
}

/* What stands in rows of their own. */
static enum setpay_error put_parts(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                   bool is_new, struct setpay_product *product,
                                   struct setpay_shop_answer *answer)
{
    const json_t *variants = json_object_get(ask->body, "variants");
    SETPAY_TRY(put_categories(db, ask->body, product, &answer->fault));
    if (variants != NULL || is_new)
        SETPAY_TRY(setpay_variant_replace(db, product, variants, ask->now_ms, answer));
    return setpay_product_changed(db, product, ask->now_ms);
}

/* ------------------------------------------------------------------ acts */

enum setpay_error setpay_product_show(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      struct setpay_shop_answer *answer)
{
    struct setpay_product product = {.seq = 0};
    SETPAY_TRY(setpay_product_asked(db, ask, &product, answer));
    return setpay_product_answer(db, &product, answer);
}

static enum setpay_error taken(struct setpay_shop_answer *answer, const char *slug)
{
    return setpay_shop_refuse(answer, SETPAY_E_EXISTS, "slug",
                              "there is a product '%s'; expected another slug", slug);
}

enum setpay_error setpay_product_add(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                     struct setpay_shop_answer *answer)
{
    struct setpay_product product = {.tax_class = SETPAY_TAX_CLASS_DEFAULT,
                                     .created_ms = ask->now_ms};
    SETPAY_TRY(read_members(ask->body, true, &product, &answer->fault));
    enum setpay_error error = insert(db, &product);
    if (error == SETPAY_E_DUPLICATE)
        return taken(answer, product.slug);
    SETPAY_TRY(error);
    SETPAY_TRY(put_parts(db, ask, true, &product, answer));
    memcpy(answer->made, product.product_id, sizeof product.product_id);
    return setpay_product_answer(db, &product, answer);
}

static enum setpay_error change(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                struct setpay_product *product, struct setpay_shop_answer *answer)
{
    SETPAY_TRY(read_members(ask->body, false, product, &answer->fault));
    enum setpay_error error = update(db, product);
    if (error == SETPAY_E_DUPLICATE)
        return taken(answer, product->slug);
    SETPAY_TRY(error);
    return put_parts(db, ask, false, product, answer);
}

enum setpay_error setpay_product_set(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                     struct setpay_shop_answer *answer)
{
    struct setpay_product product = {.seq = 0};
    SETPAY_TRY(setpay_product_asked(db, ask, &product, answer));
    SETPAY_TRY(change(db, ask, &product, answer));
    return setpay_product_answer(db, &product, answer);
}

enum setpay_error setpay_product_put(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                     struct setpay_shop_answer *answer)
{
    struct setpay_product product = {.seq = 0};
    char slug[SETPAY_SHOP_ID_SIZE];
    SETPAY_TRY(setpay_shop_get_slug(ask->body, "slug", true, slug, &answer->fault));
    enum setpay_error error = setpay_product_find(db, slug, &product);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_product_add(db, ask, answer);
    SETPAY_TRY(error);
    SETPAY_TRY(change(db, ask, &product, answer));
    return setpay_product_answer(db, &product, answer);
}

enum setpay_error setpay_product_remove(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                        struct setpay_shop_answer *answer)
{
    struct setpay_product product = {.seq = 0};
    SETPAY_TRY(setpay_product_asked(db, ask, &product, answer));
    SETPAY_TRY(setpay_variant_remove_all(db, product.seq, answer));
    SETPAY_TRY(setpay_picture_remove_all(db, product.seq));
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM product_category WHERE product_seq = $1",
                             SETPAY_DB_INT(product.seq)));
    SETPAY_TRY(setpay_search_remove(db, product.seq));
    return setpay_db_run(db, "DELETE FROM product WHERE seq = $1", SETPAY_DB_INT(product.seq));
}
