/*
 * The tree of categories. It is small, and shown whole: from the top down, each one behind its
 * parent.
 */
#include "merchant/store/category.h"

#include "common/base/limits.h"
#include "common/base/noun.h"

#include <stdio.h>
#include <string.h>

struct category {
    int64_t seq;
    char slug[SETPAY_SHOP_ID_SIZE];
    char name[SETPAY_LIMIT_NAME_BYTES + 1];
    char parent[SETPAY_SHOP_ID_SIZE]; /* "": at the top */
    int64_t parent_seq;               /* 0: at the top */
    int64_t position;
    int64_t version;
};

#define SELECT                                                                                     \
    "SELECT c.seq, c.slug, c.name, p.slug, COALESCE(c.parent_seq, 0), c.position, c.version"       \
    " FROM category c LEFT JOIN category p ON p.seq = c.parent_seq"

static void read_row(struct setpay_db_rows *rows, struct category *category)
{
    category->seq = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, category->slug, sizeof category->slug);
    setpay_db_get_text(rows, 2, category->name, sizeof category->name);
    setpay_db_get_text(rows, 3, category->parent, sizeof category->parent);
    category->parent_seq = setpay_db_get_int(rows, 4);
    category->position = setpay_db_get_int(rows, 5);
    category->version = setpay_db_get_int(rows, 6);
}

static enum setpay_error find(struct setpay_db *db, const char *slug, struct category *category)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, SELECT " WHERE c.slug = $1", SETPAY_DB_TEXT(slug)));
    read_row(rows, category);
    return setpay_db_end(rows);
}

enum setpay_error setpay_category_seq(struct setpay_db *db, const char *slug, int64_t *seq)
{
    struct category category = {.seq = 0};
    SETPAY_TRY(find(db, slug, &category));
    *seq = category.seq;
    return SETPAY_OK;
}

static enum setpay_error find_asked(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                    struct category *category, struct setpay_shop_answer *answer)
{
    enum setpay_error error = find(db, ask->id, category);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_shop_refuse(answer, error, "id", "there is no category '%.70s'", ask->id);
    return error;
}

static json_t *category_json(const struct category *category, int64_t depth)
{
    bool whole = true;
    json_t *json = json_object();
    setpay_shop_set(json, "slug", json_string(category->slug), &whole);
    setpay_shop_set(json, "name", json_string(category->name), &whole);
    setpay_shop_set(json, "parent",
                    category->parent[0] != '\0' ? json_string(category->parent) : json_null(),
                    &whole);
    setpay_shop_set(json, "position", json_integer(category->position), &whole);
    if (depth >= 0)
        setpay_shop_set(json, "depth", json_integer(depth), &whole);
    setpay_shop_set(json, "version", json_integer(category->version), &whole);
    if (whole)
        return json;
    json_decref(json);
    return NULL;
}

static enum setpay_error answer_category(const struct category *category,
                                         struct setpay_shop_answer *answer)
{
    answer->json = category_json(category, -1);
    answer->version = category->version;
    return answer->json == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

/* ------------------------------------------------------------------ looking */

/* Those below parent_seq, and what is below them. */
static enum setpay_error list_below(struct setpay_db *db, int64_t parent_seq, int64_t depth,
                                    json_t *list)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(
        db, &rows, SELECT " WHERE COALESCE(c.parent_seq, 0) = $1 ORDER BY c.position, c.seq",
        SETPAY_DB_INT(parent_seq)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct category category;
        read_row(rows, &category);
        if (json_array_append_new(list, category_json(&category, depth)) != 0)
            error = SETPAY_E_NOMEM;
        else if (depth + 1 < SETPAY_CATEGORY_DEPTH_MAX)
            error = list_below(db, category.seq, depth + 1, list);
    }
    enum setpay_error ended = setpay_db_end(rows);
    return error == SETPAY_OK ? ended : error;
}

/* Ends rows of slug and name. */
static enum setpay_error read_names(struct setpay_db_rows *rows, json_t **list)
{
    bool whole = true;
    json_t *made = json_array();
    while (setpay_db_next(rows)) {
        struct category category;
        setpay_db_get_text(rows, 0, category.slug, sizeof category.slug);
        setpay_db_get_text(rows, 1, category.name, sizeof category.name);
        setpay_shop_append(
            made, json_pack("{s:s, s:s}", "slug", category.slug, "name", category.name), &whole);
    }
    enum setpay_error error = setpay_db_end(rows);
    if (error == SETPAY_OK && (made == NULL || !whole))
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        *list = made;
    else
        json_decref(made);
    return error;
}

enum setpay_error setpay_category_path(struct setpay_db *db, int64_t seq, json_t **list)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "WITH RECURSIVE above (seq, level) AS ("
                                " SELECT seq, 1 FROM category WHERE seq = $1"
                                " UNION ALL SELECT c.parent_seq, a.level + 1 FROM category c"
                                " JOIN above a ON c.seq = a.seq WHERE a.level < $2)"
                                " SELECT c.slug, c.name FROM above a JOIN category c"
                                " ON c.seq = a.seq ORDER BY a.level DESC",
                                SETPAY_DB_INT(seq), SETPAY_DB_INT(SETPAY_CATEGORY_DEPTH_MAX)));
    return read_names(rows, list);
}

enum setpay_error setpay_category_below(struct setpay_db *db, int64_t seq, json_t **list)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(
        db, &rows, "SELECT slug, name FROM category WHERE parent_seq = $1 ORDER BY position, seq",
        SETPAY_DB_INT(seq)));
    return read_names(rows, list);
}

enum setpay_error setpay_category_list(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                       struct setpay_shop_answer *answer)
{
    static const char *const none[] = {NULL};
    SETPAY_TRY(setpay_json_members_check(ask->body, none, "", &answer->fault));
    answer->json = json_pack("{s:[]}", "categories");
    if (answer->json == NULL)
        return SETPAY_E_NOMEM;
    return list_below(db, 0, 0, json_object_get(answer->json, "categories"));
}

enum setpay_error setpay_category_show(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                       struct setpay_shop_answer *answer)
{
    struct category category = {.seq = 0};
    SETPAY_TRY(find_asked(db, ask, &category, answer));
    return answer_category(&category, answer);
}

/* ------------------------------------------------------------------ changing */

/* How deep a category stands; 0 at the top. SETPAY_E_STATE where seq is among those above it. */
static enum setpay_error depth_of(struct setpay_db *db, int64_t from_seq, int64_t seq,
                                  int64_t *depth)
{
    struct setpay_db_rows *rows;
    *depth = 0;
    for (int64_t at = from_seq; at != 0; (*depth)++) {
        if (at == seq || *depth > SETPAY_CATEGORY_DEPTH_MAX)
            return SETPAY_E_STATE;
        SETPAY_TRY(setpay_db_one(db, &rows,
                                 "SELECT COALESCE(parent_seq, 0) FROM category WHERE seq = $1",
                                 SETPAY_DB_INT(at)));
        at = setpay_db_get_int(rows, 0);
        SETPAY_TRY(setpay_db_end(rows));
    }
    return SETPAY_OK;
}

/* How many levels there are from this category down. */
static enum setpay_error height_of(struct setpay_db *db, int64_t seq, int64_t *height)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "WITH RECURSIVE below (seq, level) AS ("
                             " SELECT seq, 1 FROM category WHERE seq = $1"
                             " UNION ALL SELECT c.seq, b.level + 1 FROM category c"
                             " JOIN below b ON c.parent_seq = b.seq WHERE b.level <= $2)"
                             " SELECT COALESCE(MAX(level), 1) FROM below",
                             SETPAY_DB_INT(seq), SETPAY_DB_INT(SETPAY_CATEGORY_DEPTH_MAX)));
    *height = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

/* What the body says of parent; null is the top. */
static enum setpay_error read_parent(struct setpay_db *db, const json_t *body,
                                     struct category *category, struct setpay_json_fault *fault)
{
    struct category parent = {.seq = 0};
    const json_t *value = json_object_get(body, "parent");
    int64_t depth = 0;
    int64_t height = 1;
    if (value == NULL)
        return SETPAY_OK;
    if (!json_is_null(value)) {
        SETPAY_TRY(setpay_shop_get_slug(body, "parent", true, parent.slug, fault));
        char slug[SETPAY_SHOP_ID_SIZE];
        memcpy(slug, parent.slug, sizeof slug);
        enum setpay_error error = find(db, slug, &parent);
        if (error == SETPAY_E_NOT_FOUND)
            return setpay_json_fault_set(fault, "parent",
                                         "there is no category '%s'; expected the slug of one that"
                                         " is there, or null",
                                         slug);
        SETPAY_TRY(error);
        error = depth_of(db, parent.seq, category->seq, &depth);
        if (error == SETPAY_E_STATE)
            return setpay_json_fault_set(fault, "parent",
                                         "'%s' is this category or stands below it; expected one"
                                         " that does not",
                                         slug);
        SETPAY_TRY(error);
    }
    if (category->seq != 0)
        SETPAY_TRY(height_of(db, category->seq, &height));
    if (depth + height > SETPAY_CATEGORY_DEPTH_MAX)
        return setpay_json_fault_set(fault, "parent", "expected at most %d levels of categories",
                                     SETPAY_CATEGORY_DEPTH_MAX);
    category->parent_seq = parent.seq;
    memcpy(category->parent, parent.slug, sizeof category->parent);
    return SETPAY_OK;
}

static enum setpay_error read_members(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      bool is_new, struct category *category,
                                      struct setpay_shop_answer *answer)
{
    static const char *const names[] = {"slug", "name", "parent", "position", NULL};
    struct setpay_json_fault *fault = &answer->fault;
    SETPAY_TRY(setpay_json_members_check(ask->body, names, "", fault));
    SETPAY_TRY(setpay_shop_get_slug(ask->body, "slug", is_new, category->slug, fault));
    SETPAY_TRY(setpay_shop_get_text(ask->body, "name", "", is_new, SETPAY_LIMIT_NAME_BYTES,
                                    category->name, fault));
    SETPAY_TRY(setpay_shop_get_int(ask->body, "position", "", false, 0,
                                   SETPAY_CATEGORY_POSITION_MAX, &category->position, fault));
    return read_parent(db, ask->body, category, fault);
}

static struct setpay_db_value parent_value(const struct category *category)
{
    return category->parent_seq == 0 ? SETPAY_DB_NULL() : SETPAY_DB_INT(category->parent_seq);
}

static enum setpay_error taken(struct setpay_shop_answer *answer, const char *slug)
{
    return setpay_shop_refuse(answer, SETPAY_E_EXISTS, "slug",
                              "there is a category '%s'; expected another slug", slug);
}

enum setpay_error setpay_category_add(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      struct setpay_shop_answer *answer)
{
    struct category category = {.version = 1};
    struct setpay_db_rows *rows;
    SETPAY_TRY(read_members(db, ask, true, &category, answer));
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM category"));
    int64_t count = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    if (count >= SETPAY_CATEGORIES_MAX)
        return setpay_shop_refuse(answer, SETPAY_E_STATE, "",
                                  "there are %d categories, as many as are kept",
                                  SETPAY_CATEGORIES_MAX);
    enum setpay_error error =
        setpay_db_run(db,
                      "INSERT INTO category (slug, name, parent_seq, position, version)"
                      " VALUES ($1, $2, $3, $4, 1)",
                      SETPAY_DB_TEXT(category.slug), SETPAY_DB_TEXT(category.name),
                      parent_value(&category), SETPAY_DB_INT(category.position));
    if (error == SETPAY_E_DUPLICATE)
        return taken(answer, category.slug);
    SETPAY_TRY(error);
    memcpy(answer->made, category.slug, sizeof category.slug);
    return answer_category(&category, answer);
}

static enum setpay_error change(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                struct category *category, struct setpay_shop_answer *answer)
{
    SETPAY_TRY(read_members(db, ask, false, category, answer));
    category->version++;
    enum setpay_error error = setpay_db_run(
        db,
        "UPDATE category SET slug = $1, name = $2, parent_seq = $3, position = $4, version = $5"
        " WHERE seq = $6",
        SETPAY_DB_TEXT(category->slug), SETPAY_DB_TEXT(category->name), parent_value(category),
        SETPAY_DB_INT(category->position), SETPAY_DB_INT(category->version),
        SETPAY_DB_INT(category->seq));
    return error == SETPAY_E_DUPLICATE ? taken(answer, category->slug) : error;
}

enum setpay_error setpay_category_put(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      struct setpay_shop_answer *answer)
{
    struct category category = {.seq = 0};
    char slug[SETPAY_SHOP_ID_SIZE];
    SETPAY_TRY(setpay_shop_get_slug(ask->body, "slug", true, slug, &answer->fault));
    enum setpay_error error = find(db, slug, &category);
    if (error == SETPAY_OK)
        return change(db, ask, &category, answer);
    return error == SETPAY_E_NOT_FOUND ? setpay_category_add(db, ask, answer) : error;
}

enum setpay_error setpay_category_set(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      struct setpay_shop_answer *answer)
{
    struct category category = {.seq = 0};
    SETPAY_TRY(find_asked(db, ask, &category, answer));
    SETPAY_TRY(setpay_shop_check_version(ask, category.version, answer));
    SETPAY_TRY(change(db, ask, &category, answer));
    return answer_category(&category, answer);
}

enum setpay_error setpay_category_remove(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                         struct setpay_shop_answer *answer)
{
    struct category category = {.seq = 0};
    struct setpay_db_rows *rows;
    SETPAY_TRY(find_asked(db, ask, &category, answer));
    SETPAY_TRY(setpay_shop_check_version(ask, category.version, answer));
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM category WHERE parent_seq = $1",
                             SETPAY_DB_INT(category.seq)));
    int64_t below = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    if (below > 0)
        return setpay_shop_refuse(answer, SETPAY_E_STATE, "id",
                                  "%lld %s below '%s'; move or delete %s first", (long long)below,
                                  setpay_noun(below, "category stands", "categories stand"),
                                  category.slug, setpay_noun(below, "it", "them"));
    /* Its products stay, without it. */
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM product_category WHERE category_seq = $1",
                             SETPAY_DB_INT(category.seq)));
    return setpay_db_run(db, "DELETE FROM category WHERE seq = $1", SETPAY_DB_INT(category.seq));
}
