/*
 * Addresses of orders.
 */
#include "merchant/store/ship_to.h"

#include "merchant/store/shop.h"

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

json_t *setpay_ship_to_json(const struct setpay_ship_to *address)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", address->name, "street",
                     address->street, "extra", address->extra, "postal_code", address->postal_code,
                     "city", address->city, "region", address->region, "country", address->country);
}
