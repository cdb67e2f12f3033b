/*
 * Tax rates.
 */
#include "merchant/store/tax.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS "class, country, region, name, rate_ppm, included, version"

/* A row, with its key. */
struct row {
    char tax_class[SETPAY_SHOP_ID_SIZE];
    char country[3];
    char region[SETPAY_TAX_REGION_BYTES + 1];
    struct setpay_tax_rate rate;
    int64_t version;
};

int64_t setpay_tax_of(const struct setpay_tax_rate *rate, int64_t amount_minor)
{
    /* At most 10^12 times 10^6, doubled: below 2^63. */
    int64_t whole = 1000000 + (rate->included ? rate->rate_ppm : 0);
    return (2 * amount_minor * rate->rate_ppm + whole) / (2 * whole);
}

/* ------------------------------------------------------------------ rows */

static void read_row(struct setpay_db_rows *rows, struct row *row)
{
    setpay_db_get_text(rows, 0, row->tax_class, sizeof row->tax_class);
    setpay_db_get_text(rows, 1, row->country, sizeof row->country);
    setpay_db_get_text(rows, 2, row->region, sizeof row->region);
    setpay_db_get_text(rows, 3, row->rate.name, sizeof row->rate.name);
    row->rate.rate_ppm = setpay_db_get_int(rows, 4);
    row->rate.included = setpay_db_get_bool(rows, 5);
    row->version = setpay_db_get_int(rows, 6);
}

static enum setpay_error find_row(struct setpay_db *db, const char *tax_class, const char *country,
                                  const char *region, struct row *row)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT " COLUMNS " FROM tax_rate"
                             " WHERE class = $1 AND country = $2 AND region = $3",
                             SETPAY_DB_TEXT(tax_class), SETPAY_DB_TEXT(country),
                             SETPAY_DB_TEXT(region)));
    read_row(rows, row);
    return setpay_db_end(rows);
}

enum setpay_error setpay_tax_find(struct setpay_db *db, const char *tax_class, const char *country,
                                  const char *region, struct setpay_tax_rate *rate)
{
    struct row row = {.version = 0};
    enum setpay_error error = SETPAY_E_NOT_FOUND;
    if (region[0] != '\0')
        error = find_row(db, tax_class, country, region, &row);
    if (error == SETPAY_E_NOT_FOUND)
        error = find_row(db, tax_class, country, "", &row);
    if (error == SETPAY_OK)
        *rate = row.rate;
    return error;
}

enum setpay_error setpay_tax_is_by_region(struct setpay_db *db, const char *tax_class,
                                          const char *country, bool *is)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT 1 FROM tax_rate r WHERE r.country = $1 AND r.region <> ''"
                                " AND ($2 = '' OR r.class = $2) AND NOT EXISTS (SELECT 1"
                                " FROM tax_rate w WHERE w.class = r.class"
                                " AND w.country = r.country AND w.region = '') LIMIT 1",
                                SETPAY_DB_TEXT(country),
                                SETPAY_DB_TEXT(tax_class != NULL ? tax_class : "")));
    *is = setpay_db_next(rows);
    return setpay_db_end(rows);
}

static void make_id(const struct row *row, char id[SETPAY_SHOP_MADE_SIZE])
{
    (void)snprintf(id, SETPAY_SHOP_MADE_SIZE, "%s.%s%s%s", row->tax_class, row->country,
                   row->region[0] != '\0' ? "." : "", row->region);
}

static json_t *row_json(const struct row *row)
{
    char id[SETPAY_SHOP_MADE_SIZE];
    bool whole = true;
    json_t *json = json_object();
    make_id(row, id);
    setpay_shop_set(json, "id", json_string(id), &whole);
    setpay_shop_set(json, "class", json_string(row->tax_class), &whole);
    setpay_shop_set(json, "country", json_string(row->country), &whole);
    if (row->region[0] != '\0')
        setpay_shop_set(json, "region", json_string(row->region), &whole);
    setpay_shop_set(json, "name", json_string(row->rate.name), &whole);
    setpay_shop_set(json, "rate_ppm", json_integer(row->rate.rate_ppm), &whole);
    setpay_shop_set(json, "included", json_boolean(row->rate.included), &whole);
    setpay_shop_set(json, "version", json_integer(row->version), &whole);
    if (whole)
        return json;
    json_decref(json);
    return NULL;
}

static enum setpay_error answer_row(const struct row *row, struct setpay_shop_answer *answer)
{
    answer->json = row_json(row);
    answer->version = row->version;
    return answer->json == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

/* The row that an id names; one that can't be an id names none. */
static enum setpay_error find_by_id(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                    struct row *row, struct setpay_shop_answer *answer)
{
    char id[SETPAY_SHOP_MADE_SIZE];
    enum setpay_error error = SETPAY_E_NOT_FOUND;
    char *region = NULL;
    char *country = NULL;
    if (strlen(ask->id) < sizeof id) {
        memcpy(id, ask->id, strlen(ask->id) + 1);
        country = strchr(id, '.');
    }
    if (country != NULL) {
        *country++ = '\0';
        region = strchr(country, '.');
        if (region != NULL)
            *region++ = '\0';
        error = find_row(db, id, country, region != NULL ? region : "", row);
    }
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_shop_refuse(answer, error, "id", "there is no tax rate '%.90s'", ask->id);
    return error;
}

/* ------------------------------------------------------------------ looking */

enum setpay_error setpay_tax_list(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                  struct setpay_shop_answer *answer)
{
    static const char *const none[] = {NULL};
    struct setpay_db_rows *rows;
    bool whole = true;
    SETPAY_TRY(setpay_json_members_check(ask->body, none, "", &answer->fault));
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT " COLUMNS " FROM tax_rate"
                                " ORDER BY country, region, class"));
    json_t *list = json_array();
    while (setpay_db_next(rows)) {
        struct row row;
        read_row(rows, &row);
        setpay_shop_append(list, row_json(&row), &whole);
    }
    enum setpay_error error = setpay_db_end(rows);
    answer->json = json_pack("{s:o}", "tax_rates", list);
    if (error == SETPAY_OK && (!whole || answer->json == NULL))
        error = SETPAY_E_NOMEM;
    return error;
}

enum setpay_error setpay_tax_show(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                  struct setpay_shop_answer *answer)
{
    struct row row = {.version = 0};
    SETPAY_TRY(find_by_id(db, ask, &row, answer));
    return answer_row(&row, answer);
}

/* ------------------------------------------------------------------ changing */

void setpay_tax_region_upper(char *region)
{
    for (; *region != '\0'; region++) {
        if (*region >= 'a' && *region <= 'z')
            *region = (char)(*region - 'a' + 'A');
    }
}

bool setpay_tax_is_region(const char *text)
{
    size_t size = strlen(text);
    return size >= 1 && size <= SETPAY_TAX_REGION_BYTES &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == size;
}

static enum setpay_error read_key(const json_t *body, struct row *row,
                                  struct setpay_json_fault *fault)
{
    SETPAY_TRY(setpay_shop_get_slug(body, "class", false, row->tax_class, fault));
    SETPAY_TRY(setpay_shop_get_text(body, "country", "", true, sizeof row->country - 1,
                                    row->country, fault));
    if (!setpay_shop_is_country(row->country))
        return setpay_json_fault_set(fault, "country",
                                     "found \"%s\"; expected two capital letters (ISO 3166), like"
                                     " DE",
                                     row->country);
    SETPAY_TRY(setpay_shop_get_text(body, "region", "", false, sizeof row->region - 1, row->region,
                                    fault));
    if (row->region[0] != '\0' && !setpay_tax_is_region(row->region))
        return setpay_json_fault_set(fault, "region",
                                     "found \"%s\"; expected what stands behind the hyphen in ISO"
                                     " 3166-2, like CA of US-CA",
                                     row->region);
    return SETPAY_OK;
}

static enum setpay_error read_rate(const json_t *body, bool required, struct row *row,
                                   struct setpay_json_fault *fault)
{
    SETPAY_TRY(setpay_shop_get_text(body, "name", "", required, SETPAY_TAX_NAME_BYTES,
                                    row->rate.name, fault));
    SETPAY_TRY(setpay_shop_get_int(body, "rate_ppm", "", required, 0, SETPAY_TAX_RATE_MAX_PPM,
                                   &row->rate.rate_ppm, fault));
    return setpay_shop_get_bool(body, "included", "", &row->rate.included, fault);
}

static enum setpay_error read_new(const struct setpay_shop_ask *ask, struct row *row,
                                  struct setpay_shop_answer *answer)
{
    static const char *const names[] = {"class",    "country",  "region", "name",
                                        "rate_ppm", "included", NULL};
    *row = (struct row){.tax_class = SETPAY_TAX_CLASS_DEFAULT, .version = 1};
    row->rate.included = true;
    SETPAY_TRY(setpay_json_members_check(ask->body, names, "", &answer->fault));
    SETPAY_TRY(read_key(ask->body, row, &answer->fault));
    return read_rate(ask->body, true, row, &answer->fault);
}

static enum setpay_error insert(struct setpay_db *db, const struct row *row)
{
    return setpay_db_run(
        db, "INSERT INTO tax_rate (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7)",
        SETPAY_DB_TEXT(row->tax_class), SETPAY_DB_TEXT(row->country), SETPAY_DB_TEXT(row->region),
        SETPAY_DB_TEXT(row->rate.name), SETPAY_DB_INT(row->rate.rate_ppm),
        SETPAY_DB_BOOL(row->rate.included), SETPAY_DB_INT(row->version));
}

static enum setpay_error update(struct setpay_db *db, const struct row *row)
{
    return setpay_db_run(db,
                         "UPDATE tax_rate SET name = $1, rate_ppm = $2, included = $3, version = $4"
                         " WHERE class = $5 AND country = $6 AND region = $7",
                         SETPAY_DB_TEXT(row->rate.name), SETPAY_DB_INT(row->rate.rate_ppm),
                         SETPAY_DB_BOOL(row->rate.included), SETPAY_DB_INT(row->version),
                         SETPAY_DB_TEXT(row->tax_class), SETPAY_DB_TEXT(row->country),
                         SETPAY_DB_TEXT(row->region));
}

enum setpay_error setpay_tax_add(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                 struct setpay_shop_answer *answer)
{
    struct row row = {.version = 0};
    SETPAY_TRY(read_new(ask, &row, answer));
    enum setpay_error error = insert(db, &row);
    if (error == SETPAY_E_DUPLICATE)
        return setpay_shop_refuse(answer, SETPAY_E_EXISTS, "class",
                                  "there is a rate of class %s for %s%s%s; change that one",
                                  row.tax_class, row.country, row.region[0] != '\0' ? "-" : "",
                                  row.region);
    SETPAY_TRY(error);
    make_id(&row, answer->made);
    return answer_row(&row, answer);
}

enum setpay_error setpay_tax_put(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                 struct setpay_shop_answer *answer)
{
    struct row row = {.version = 0};
    struct row held = {.version = 0};
    SETPAY_TRY(read_new(ask, &row, answer));
    enum setpay_error error = find_row(db, row.tax_class, row.country, row.region, &held);
    if (error == SETPAY_E_NOT_FOUND)
        return insert(db, &row);
    SETPAY_TRY(error);
    row.version = held.version + 1;
    return update(db, &row);
}

enum setpay_error setpay_tax_set(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                 struct setpay_shop_answer *answer)
{
    static const char *const names[] = {"name", "rate_ppm", "included", NULL};
    struct row row = {.version = 0};
    SETPAY_TRY(setpay_json_members_check(ask->body, names, "", &answer->fault));
    SETPAY_TRY(find_by_id(db, ask, &row, answer));
    SETPAY_TRY(setpay_shop_check_version(ask, row.version, answer));
    SETPAY_TRY(read_rate(ask->body, false, &row, &answer->fault));
    row.version++;
    SETPAY_TRY(update(db, &row));
    return answer_row(&row, answer);
}

enum setpay_error setpay_tax_remove(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                    struct setpay_shop_answer *answer)
{
    struct row row = {.version = 0};
    SETPAY_TRY(find_by_id(db, ask, &row, answer));
    SETPAY_TRY(setpay_shop_check_version(ask, row.version, answer));
    return setpay_db_run(
        db, "DELETE FROM tax_rate WHERE class = $1 AND country = $2 AND region = $3",
        SETPAY_DB_TEXT(row.tax_class), SETPAY_DB_TEXT(row.country), SETPAY_DB_TEXT(row.region));
}
