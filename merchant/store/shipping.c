/*
 * Ways of shipping: what they cost, and their rows.
 */
#include "merchant/store/shipping.h"

#include "common/base/money.h"
#include "merchant/store/tax.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ prices */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static bool goes_to(const json_t *zone, const char *country)
{
    size_t index;
    const json_t *value;
    json_array_foreach(json_object_get(zone, "countries"), index, value)
    {
        const char *text = json_string_value(value);
        if (strcmp(text, "*") == 0 || strcmp(text, country) == 0)
            return true;
    }
    return false;
}

enum setpay_error setpay_shipping_price(const struct setpay_shipping_method *method,
                                        const char *country, const char *currency, int64_t weight_g,
                                        int64_t value_minor, int64_t *amount_minor)
{
    size_t index;
    const json_t *zone;
    const json_t *found = NULL;
    const json_t *step;
    json_array_foreach(method->zones, index, zone)
    {
        if (found == NULL && goes_to(zone, country) &&
            strcmp(text_of(zone, "currency"), currency) == 0)
            found = zone;
    }
    if (found == NULL)
        return SETPAY_E_NOT_FOUND;
    int64_t measure = strcmp(text_of(found, "by"), "weight") == 0 ? weight_g : value_minor;
    json_array_foreach(json_object_get(found, "steps"), index, step)
    {
        const json_t *up_to = json_object_get(step, "up_to");
        if (up_to == NULL || measure <= json_integer_value(up_to)) {
            *amount_minor = json_integer_value(json_object_get(step, "amount"));
            return SETPAY_OK;
        }
    }
    return SETPAY_E_TOO_BIG;
}

/* ------------------------------------------------------------------ zones */

static enum setpay_error check_countries(const json_t *zone, const char *prefix,
                                         struct setpay_json_fault *fault)
{
    char field[sizeof fault->field];
    char words[SETPAY_JSON_FOUND_SIZE];
    size_t index;
    const json_t *value;
    const json_t *countries = json_object_get(zone, "countries");
    (void)snprintf(field, sizeof field, "%scountries", prefix);
    if (!json_is_array(countries) || json_array_size(countries) < 1 ||
        json_array_size(countries) > SETPAY_SHIPPING_COUNTRIES_MAX)
        return setpay_json_fault_set(
            fault, field, "found %s; expected an array of 1 to %d countries",
            setpay_json_found(countries, words), SETPAY_SHIPPING_COUNTRIES_MAX);
    json_array_foreach(countries, index, value)
    {
        const char *text = json_is_string(value) ? json_string_value(value) : "";
        if (strcmp(text, "*") != 0 && !setpay_shop_is_country(text)) {
            (void)snprintf(field, sizeof field, "%scountries[%zu]", prefix, index);
            return setpay_json_fault_set(
                fault, field, "found %s; expected two capital letters (ISO 3166), or \"*\" for all",
                setpay_json_found(value, words));
        }
    }
    return SETPAY_OK;
}

static enum setpay_error check_step(const json_t *step, const char *prefix, bool is_last,
                                    int64_t *above, struct setpay_json_fault *fault)
{
    static const char *const names[] = {"up_to", "amount", NULL};
    char field[sizeof fault->field];
    int64_t amount = 0;
    int64_t up_to = 0;
    SETPAY_TRY(setpay_json_members_check(step, names, prefix, fault));
    SETPAY_TRY(setpay_shop_get_int(step, "amount", prefix, true, 0, SETPAY_MONEY_MAX_MINOR, &amount,
                                   fault));
    SETPAY_TRY(setpay_shop_get_int(step, "up_to", prefix, !is_last, 0, SETPAY_MONEY_MAX_MINOR,
                                   &up_to, fault));
    if (json_object_get(step, "up_to") != NULL && up_to <= *above) {
        (void)snprintf(field, sizeof field, "%.60sup_to", prefix);
        return setpay_json_fault_set(fault, field,
                                     "found %lld; expected more than in the step before, %lld",
                                     (long long)up_to, (long long)*above);
    }
    *above = up_to;
    return SETPAY_OK;
}

static enum setpay_error check_zone(const json_t *zone, const char *prefix,
                                    struct setpay_json_fault *fault)
{
    static const char *const names[] = {"countries", "currency", "by", "steps", NULL};
    char field[sizeof fault->field];
    char words[SETPAY_JSON_FOUND_SIZE];
    char currency[4];
    size_t index;
    const json_t *step;
    int64_t above = -1;
    SETPAY_TRY(setpay_json_members_check(zone, names, prefix, fault));
    SETPAY_TRY(check_countries(zone, prefix, fault));
    SETPAY_TRY(setpay_shop_get_currency(zone, "currency", prefix, true, currency, fault));
    if (strcmp(text_of(zone, "by"), "weight") != 0 && strcmp(text_of(zone, "by"), "value") != 0) {
        (void)snprintf(field, sizeof field, "%sby", prefix);
        return setpay_json_fault_set(fault, field, "found %s; expected weight or value",
                                     setpay_json_found(json_object_get(zone, "by"), words));
    }
    const json_t *steps = json_object_get(zone, "steps");
    size_t count = json_array_size(steps);
    if (!json_is_array(steps) || count < 1 || count > SETPAY_SHIPPING_STEPS_MAX) {
        (void)snprintf(field, sizeof field, "%ssteps", prefix);
        return setpay_json_fault_set(fault, field, "found %s; expected an array of 1 to %d steps",
                                     setpay_json_found(steps, words), SETPAY_SHIPPING_STEPS_MAX);
    }
    json_array_foreach(steps, index, step)
    {
        (void)snprintf(field, sizeof field, "%ssteps[%zu].", prefix, index);
        SETPAY_TRY(check_step(step, field, index + 1 == count, &above, fault));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_shipping_check_zones(const json_t *zones, struct setpay_json_fault *fault)
{
    char prefix[48];
    char words[SETPAY_JSON_FOUND_SIZE];
    size_t index;
    const json_t *zone;
    if (!json_is_array(zones) || json_array_size(zones) < 1 ||
        json_array_size(zones) > SETPAY_SHIPPING_ZONES_MAX)
        return setpay_json_fault_set(fault, "zones", "found %s; expected an array of 1 to %d zones",
                                     setpay_json_found(zones, words), SETPAY_SHIPPING_ZONES_MAX);
    json_array_foreach(zones, index, zone)
    {
        (void)snprintf(prefix, sizeof prefix, "zones[%zu].", index);
        SETPAY_TRY(check_zone(zone, prefix, fault));
    }
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ rows */

#define COLUMNS "seq, slug, name, tax_class, position, zones, version"

void setpay_shipping_method_clear(struct setpay_shipping_method *method)
{
    json_decref(method->zones);
    memset(method, 0, sizeof *method);
}

static enum setpay_error read_row(struct setpay_db_rows *rows,
                                  struct setpay_shipping_method *method)
{
    struct setpay_view zones = setpay_db_get_view(rows, 5);
    method->zones = json_loadb((const char *)zones.data, zones.size, 0, NULL);
    method->seq = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, method->slug, sizeof method->slug);
    setpay_db_get_text(rows, 2, method->name, sizeof method->name);
    setpay_db_get_text(rows, 3, method->tax_class, sizeof method->tax_class);
    method->position = setpay_db_get_int(rows, 4);
    method->version = setpay_db_get_int(rows, 6);
    return method->zones == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

enum setpay_error setpay_shipping_find(struct setpay_db *db, const char *slug,
                                       struct setpay_shipping_method *method)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT " COLUMNS " FROM shipping_method WHERE slug = $1",
                             SETPAY_DB_TEXT(slug)));
    enum setpay_error error = read_row(rows, method);
    enum setpay_error ended = setpay_db_end(rows);
    error = ended != SETPAY_OK ? ended : error;
    if (error != SETPAY_OK)
        setpay_shipping_method_clear(method);
    return error;
}

static json_t *method_json(const struct setpay_shipping_method *method)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:O, s:I}", "slug", method->slug, "name", method->name,
                     "tax_class", method->tax_class, "position", (json_int_t)method->position,
                     "zones", method->zones, "version", (json_int_t)method->version);
}

/* Takes the method. */
static enum setpay_error answer_method(struct setpay_shipping_method *method,
                                       struct setpay_shop_answer *answer)
{
    answer->json = method_json(method);
    answer->version = method->version;
    setpay_shipping_method_clear(method);
    return answer->json == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

static enum setpay_error find_asked(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                    struct setpay_shipping_method *method,
                                    struct setpay_shop_answer *answer)
{
    enum setpay_error error = setpay_shipping_find(db, ask->id, method);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_shop_refuse(answer, error, "id", "there is no shipping method '%.70s'",
                                  ask->id);
    if (error == SETPAY_OK) {
        error = setpay_shop_check_version(ask, method->version, answer);
        if (error != SETPAY_OK)
            setpay_shipping_method_clear(method);
    }
    return error;
}

/* ------------------------------------------------------------------ acts */

enum setpay_error setpay_shipping_list(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                       struct setpay_shop_answer *answer)
{
    static const char *const none[] = {NULL};
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_json_members_check(ask->body, none, "", &answer->fault));
    answer->json = json_pack("{s:[]}", "shipping_methods");
    if (answer->json == NULL)
        return SETPAY_E_NOMEM;
    json_t *list = json_object_get(answer->json, "shipping_methods");
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT " COLUMNS " FROM shipping_method ORDER BY position, seq"));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_shipping_method method = {.seq = 0};
        error = read_row(rows, &method);
        if (error == SETPAY_OK && json_array_append_new(list, method_json(&method)) != 0)
            error = SETPAY_E_NOMEM;
        setpay_shipping_method_clear(&method);
    }
    enum setpay_error ended = setpay_db_end(rows);
    return error == SETPAY_OK ? ended : error;
}

enum setpay_error setpay_shipping_show(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                       struct setpay_shop_answer *answer)
{
    struct setpay_shipping_method method = {.seq = 0};
    SETPAY_TRY(find_asked(db, ask, &method, answer));
    return answer_method(&method, answer);
}

/* *zones: NULL where they stay as they are; otherwise owned, as JSON. */
static enum setpay_error read_zones(const json_t *body, bool is_new, char **zones,
                                    struct setpay_json_fault *fault)
{
    const json_t *value = json_object_get(body, "zones");
    if (value == NULL && !is_new)
        return SETPAY_OK;
    SETPAY_TRY(setpay_shipping_check_zones(value, fault));
    char *text = json_dumps(value, JSON_COMPACT);
    if (text == NULL)
        return SETPAY_E_NOMEM;
    if (strlen(text) > SETPAY_SHIPPING_ZONES_BYTES) {
        free(text);
        return setpay_json_fault_set(fault, "zones", "expected at most %d bytes as JSON",
                                     SETPAY_SHIPPING_ZONES_BYTES);
    }
    *zones = text;
    return SETPAY_OK;
}

static enum setpay_error read_members(const json_t *body, bool is_new,
                                      struct setpay_shipping_method *method, char **zones,
                                      struct setpay_json_fault *fault)
{
    static const char *const names[] = {"slug", "name", "tax_class", "position", "zones", NULL};
    SETPAY_TRY(setpay_json_members_check(body, names, "", fault));
    SETPAY_TRY(setpay_shop_get_slug(body, "slug", is_new, method->slug, fault));
    SETPAY_TRY(setpay_shop_get_text(body, "name", "", is_new, SETPAY_LIMIT_NAME_BYTES, method->name,
                                    fault));
    SETPAY_TRY(setpay_shop_get_slug(body, "tax_class", false, method->tax_class, fault));
    SETPAY_TRY(
        setpay_shop_get_int(body, "position", "", false, 0, 1000000, &method->position, fault));
    return read_zones(body, is_new, zones, fault);
}

static enum setpay_error taken(struct setpay_shop_answer *answer, const char *slug)
{
    return setpay_shop_refuse(answer, SETPAY_E_EXISTS, "slug",
                              "there is a shipping method '%s'; expected another slug", slug);
}

static enum setpay_error check_room(struct setpay_db *db, struct setpay_shop_answer *answer)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM shipping_method"));
    int64_t count = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    return count < SETPAY_SHIPPING_METHODS_MAX
               ? SETPAY_OK
               : setpay_shop_refuse(answer, SETPAY_E_STATE, "",
                                    "there are %d shipping methods, as many as are kept",
                                    SETPAY_SHIPPING_METHODS_MAX);
}

static enum setpay_error answer_stored(struct setpay_db *db, const char *slug,
                                       struct setpay_shop_answer *answer)
{
    struct setpay_shipping_method method = {.seq = 0};
    SETPAY_TRY(setpay_shipping_find(db, slug, &method));
    return answer_method(&method, answer);
}

enum setpay_error setpay_shipping_add(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      struct setpay_shop_answer *answer)
{
    struct setpay_shipping_method method = {.tax_class = SETPAY_TAX_CLASS_DEFAULT};
    char *zones = NULL;
    SETPAY_TRY(check_room(db, answer));
    SETPAY_TRY(read_members(ask->body, true, &method, &zones, &answer->fault));
    enum setpay_error error = setpay_db_run(
        db,
        "INSERT INTO shipping_method (slug, name, tax_class, position, zones, version)"
        " VALUES ($1, $2, $3, $4, $5, 1)",
        SETPAY_DB_TEXT(method.slug), SETPAY_DB_TEXT(method.name), SETPAY_DB_TEXT(method.tax_class),
        SETPAY_DB_INT(method.position), SETPAY_DB_TEXT(zones));
    free(zones);
    if (error == SETPAY_E_DUPLICATE)
        return taken(answer, method.slug);
    SETPAY_TRY(error);
    memcpy(answer->made, method.slug, sizeof method.slug);
    return answer_stored(db, method.slug, answer);
}

/* Takes the method. */
static enum setpay_error change(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                struct setpay_shipping_method *method,
                                struct setpay_shop_answer *answer)
{
    char *zones = NULL;
    char slug[SETPAY_SHOP_ID_SIZE];
    enum setpay_error error = read_members(ask->body, false, method, &zones, &answer->fault);
    if (error == SETPAY_OK)
        error = setpay_db_run(
            db,
            "UPDATE shipping_method SET slug = $1, name = $2, tax_class = $3, position = $4,"
            " zones = COALESCE($5, zones), version = version + 1 WHERE seq = $6",
            SETPAY_DB_TEXT(method->slug), SETPAY_DB_TEXT(method->name),
            SETPAY_DB_TEXT(method->tax_class), SETPAY_DB_INT(method->position),
            SETPAY_DB_TEXT(zones), SETPAY_DB_INT(method->seq));
    memcpy(slug, method->slug, sizeof slug);
    free(zones);
    setpay_shipping_method_clear(method);
    if (error == SETPAY_E_DUPLICATE)
        return taken(answer, slug);
    SETPAY_TRY(error);
    return answer_stored(db, slug, answer);
}

enum setpay_error setpay_shipping_put(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      struct setpay_shop_answer *answer)
{
    struct setpay_shipping_method method = {.seq = 0};
    char slug[SETPAY_SHOP_ID_SIZE];
    SETPAY_TRY(setpay_shop_get_slug(ask->body, "slug", true, slug, &answer->fault));
    enum setpay_error error = setpay_shipping_find(db, slug, &method);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_shipping_add(db, ask, answer);
    SETPAY_TRY(error);
    return change(db, ask, &method, answer);
}

enum setpay_error setpay_shipping_set(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      struct setpay_shop_answer *answer)
{
    struct setpay_shipping_method method = {.seq = 0};
    SETPAY_TRY(find_asked(db, ask, &method, answer));
    return change(db, ask, &method, answer);
}

enum setpay_error setpay_shipping_remove(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                         struct setpay_shop_answer *answer)
{
    struct setpay_shipping_method method = {.seq = 0};
    SETPAY_TRY(find_asked(db, ask, &method, answer));
    enum setpay_error error =
        setpay_db_run(db, "DELETE FROM shipping_method WHERE seq = $1", SETPAY_DB_INT(method.seq));
    setpay_shipping_method_clear(&method);
    return error;
}
