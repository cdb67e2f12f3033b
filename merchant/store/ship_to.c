/*
 * Addresses of orders.
 */
#include "merchant/store/ship_to.h"

#include "merchant/store/shop.h"

#include <string.h>

static enum setpay_error check_line(const char *text, const char *field, bool needed,
                                    const char *words, struct setpay_json_fault *fault)
{
    if (text[0] == '\0')
        return needed ? setpay_json_fault_set(fault, field, "%s", words) : SETPAY_OK;
    if (!setpay_order_text_is_plain(setpay_view_string(text)))
        return setpay_json_fault_set(fault, field, "Please write it in one line of plain text.");
    return SETPAY_OK;
}

enum setpay_error setpay_ship_to_check(const struct setpay_ship_to *address,
                                       struct setpay_json_fault *fault)
{
    SETPAY_TRY(
        check_line(address->name, "name", true, "Please say to whom it is to be sent.", fault));
    SETPAY_TRY(check_line(address->street, "street", true,
                          "Please give the street and the number of the house.", fault));
    SETPAY_TRY(check_line(address->extra, "extra", false, "", fault));
    SETPAY_TRY(check_line(address->postal_code, "postal_code", true, "Please give the postal code.",
                          fault));
    SETPAY_TRY(check_line(address->city, "city", true, "Please give the town.", fault));
    if (strspn(address->region, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != strlen(address->region))
        return setpay_json_fault_set(fault, "region",
                                     "Please give it as a code of letters, like CA.");
    if (!setpay_shop_is_country(address->country))
        return setpay_json_fault_set(fault, "country", "Please choose a country.");
    return SETPAY_OK;
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
