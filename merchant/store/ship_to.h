/*
 * Where an order is to be sent. It is the store's own: it is no part of the offer, so that neither
 * wallet nor gateway ever gets it, and no event carries it.
 */
#ifndef SETPAY_MERCHANT_STORE_SHIP_TO_H
#define SETPAY_MERCHANT_STORE_SHIP_TO_H

#include "merchant/store/order_request.h"
#include "merchant/store/tax.h"

#include "common/store/db.h"

#define SETPAY_SHIP_TO_BYTES 120

struct setpay_ship_to {
    char name[SETPAY_SHIP_TO_BYTES + 1];
    char street[SETPAY_SHIP_TO_BYTES + 1];
    char extra[SETPAY_SHIP_TO_BYTES + 1]; /* "": none */
    char postal_code[SETPAY_SHIP_TO_BYTES + 1];
    char city[SETPAY_SHIP_TO_BYTES + 1];
    char region[SETPAY_TAX_REGION_BYTES + 1]; /* "": none */
    char country[3];
};

/* SQL for a migration of the merchant's database. */
#define SETPAY_SHIP_TO_SCHEMA                                                                      \
    "CREATE TABLE order_ship_to ("                                                                 \
    " order_id TEXT PRIMARY KEY,"                                                                  \
    " name TEXT NOT NULL,"                                                                         \
    " street TEXT NOT NULL,"                                                                       \
    " extra TEXT NOT NULL,"                                                                        \
    " postal_code TEXT NOT NULL,"                                                                  \
    " city TEXT NOT NULL,"                                                                         \
    " region TEXT NOT NULL,"                                                                       \
    " country TEXT NOT NULL);"

/* Pure: what is wrong with a member of an address, whose lines have no blanks around them, in words
 * for who typed it; "" for nothing. field NULL: with the first that is. Static. */
const char *setpay_ship_to_wrong(const struct setpay_ship_to *address, const char *field);

enum setpay_error setpay_ship_to_insert(struct setpay_db *db, const char *order_id,
                                        const struct setpay_ship_to *address) SETPAY_MUST_CHECK;
/* SETPAY_E_NOT_FOUND: the order has none. */
enum setpay_error setpay_ship_to_find(struct setpay_db *db, const char *order_id,
                                      struct setpay_ship_to *address) SETPAY_MUST_CHECK;
/* Owned; NULL where memory is out. */
json_t *setpay_ship_to_json(const struct setpay_ship_to *address);

#endif
