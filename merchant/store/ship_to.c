/*
 * Addresses of orders.
 */
#include "merchant/store/ship_to.h"

#include "merchant/store/country.h"
#include "merchant/store/shop.h"

#include <stdio.h>
#include <string.h>

/* "": none. */
static const char *wrong_line(const char *text, const char *needed)
{
    if (text[0] == '\0')
        return needed;
    return setpay_order_text_is_plain(setpay_view_string(text))
               ? ""
               : "Please write it in one line of plain text.";
}

static const char *wrong_region(const char *region)
{
    return strspn(region, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == strlen(region)
               ? ""
               : "Please give it as a code of letters, like CA.";
}

const char *setpay_ship_to_wrong(const struct setpay_ship_to *address, const char *field)
{
    const struct {
        const char *field;
        const char *words;
    } rows[] = {
        {"name", wrong_line(address->name, "Please say to whom it is to be sent.")},
        {"street",
         wrong_line(address->street, "Please give the street and the number of the house.")},
        {"extra", wrong_line(address->extra, "")},
        {"postal_code", wrong_line(address->postal_code, "Please give the postal code.")},
        {"city", wrong_line(address->city, "Please give the town.")},
        {"region", wrong_region(address->region)},
        {"country", setpay_shop_is_country(address->country) ? "" : "Please choose a country."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (field != NULL ? strcmp(rows[i].field, field) == 0 : rows[i].words[0] != '\0')
            return rows[i].words;
    }
    return "";
}

enum setpay_error setpay_ship_to_insert(struct setpay_db *db, const char *order_id,
                                        const struct setpay_ship_to *address)
{
    return setpay_db_run(db,
                         "INSERT INTO order_ship_to (order_id, name, street, extra, postal_code,"
                         " city, region, country) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                         SETPAY_DB_TEXT(order_id), SETPAY_DB_TEXT(address->name),
                         SETPAY_DB_TEXT(address->street), SETPAY_DB_TEXT(address->extra),
                         SETPAY_DB_TEXT(address->postal_code), SETPAY_DB_TEXT(address->city),
                         SETPAY_DB_TEXT(address->region), SETPAY_DB_TEXT(address->country));
}

enum setpay_error setpay_ship_to_find(struct setpay_db *db, const char *order_id,
                                      struct setpay_ship_to *address)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT name, street, extra, postal_code, city, region, country"
                             " FROM order_ship_to WHERE order_id = $1",
                             SETPAY_DB_TEXT(order_id)));
    setpay_db_get_text(rows, 0, address->name, sizeof address->name);
    setpay_db_get_text(rows, 1, address->street, sizeof address->street);
    setpay_db_get_text(rows, 2, address->extra, sizeof address->extra);
    setpay_db_get_text(rows, 3, address->postal_code, sizeof address->postal_code);
    setpay_db_get_text(rows, 4, address->city, sizeof address->city);
    setpay_db_get_text(rows, 5, address->region, sizeof address->region);
    setpay_db_get_text(rows, 6, address->country, sizeof address->country);
    return setpay_db_end(rows);
}

/* ------------------------------------------------------------------ as on a label */

/* How a country writes its towns: "10115 Berlin" where it is not said. Of the Universal Postal
 * Union's addressing systems. */
enum town_order {
    CODE_FIRST,
    CODE_LAST,  /* San Francisco CA 94103 */
    CODE_BELOW, /* on a line of its own */
};
static const struct {
    char country[3];
    enum town_order order;
} towns[] = {
    {"AU", CODE_LAST}, {"CA", CODE_LAST}, {"GB", CODE_BELOW}, {"IE", CODE_BELOW},
    {"ID", CODE_LAST}, {"IN", CODE_LAST}, {"KR", CODE_LAST},  {"NZ", CODE_LAST},
    {"PR", CODE_LAST}, {"SA", CODE_LAST}, {"SG", CODE_LAST},  {"TH", CODE_LAST},
    {"TW", CODE_LAST}, {"US", CODE_LAST}, {"ZA", CODE_BELOW},
};

static enum town_order order_of(const char *country)
{
    for (size_t i = 0; i < sizeof towns / sizeof *towns; i++) {
        if (strcmp(towns[i].country, country) == 0)
            return towns[i].order;
    }
    return CODE_FIRST;
}

/* One line of what there is of these words. */
static void add_line(struct setpay_ship_to_label *label, const char *first, const char *second,
                     const char *third)
{
    const char *const words[] = {first, second, third};
    char *line = label->lines[label->count];
    size_t used = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (words[i][0] != '\0')
            used += (size_t)snprintf(line + used, SETPAY_SHIP_TO_LINE_SIZE - used, "%s%s",
                                     used > 0 ? " " : "", words[i]);
    }
    if (used > 0)
        label->count++;
}

void setpay_ship_to_label(const struct setpay_ship_to *address, struct setpay_ship_to_label *label)
{
    enum town_order order = order_of(address->country);
    label->count = 0;
    add_line(label, address->name, "", "");
    add_line(label, address->street, "", "");
    add_line(label, address->extra, "", "");
    if (order == CODE_FIRST)
        add_line(label, address->postal_code, address->city, address->region);
    else
        add_line(label, address->city, address->region,
                 order == CODE_LAST ? address->postal_code : "");
    if (order == CODE_BELOW)
        add_line(label, address->postal_code, "", "");
    add_line(label, setpay_country_name(address->country), "", "");
}

/* ------------------------------------------------------------------ as JSON */

json_t *setpay_ship_to_json(const struct setpay_ship_to *address)
{
    struct setpay_ship_to_label label;
    bool whole = true;
    json_t *lines = json_array();
    setpay_ship_to_label(address, &label);
    for (size_t i = 0; i < label.count; i++)
        setpay_shop_append(lines, json_string(label.lines[i]), &whole);
    if (whole)
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "name", address->name,
                         "street", address->street, "extra", address->extra, "postal_code",
                         address->postal_code, "city", address->city, "region", address->region,
                         "country", address->country, "lines", lines);
    json_decref(lines);
    return NULL;
}
