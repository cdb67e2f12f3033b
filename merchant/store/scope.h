/*
 * What a token of the merchant API may do. Each scope is granted by its name; none holds another,
 * so that a list of them can be read without rules.
 */
#ifndef SETPAY_MERCHANT_STORE_SCOPE_H
#define SETPAY_MERCHANT_STORE_SCOPE_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* The numbers are stored; never reuse one. */
enum setpay_scope {
    SETPAY_SCOPE_ORDERS_READ = 0,
    SETPAY_SCOPE_ORDERS_WRITE = 1, /* make, void, cancel, end an agreement */
    SETPAY_SCOPE_REFUNDS_WRITE = 2,
    SETPAY_SCOPE_BATCHES_READ = 3,
    SETPAY_SCOPE_BATCHES_WRITE = 4,
    SETPAY_SCOPE_PRODUCTS_READ = 5, /* also categories, stock, shipping, taxes */
    SETPAY_SCOPE_PRODUCTS_WRITE = 6,
    SETPAY_SCOPE_EVENTS_READ = 7,
    SETPAY_SCOPE_WEBHOOKS_READ = 8,
    SETPAY_SCOPE_WEBHOOKS_WRITE = 9,
    SETPAY_SCOPE_PAYMENTS_WRITE = 10, /* take money: authorise under an agreement, capture, ship */
    SETPAY_SCOPE_SETTLEMENTS_READ = 11,
    SETPAY_SCOPES
};

/* A set of them; all, those of later versions too, for tokens from before there were scopes and
 * those made without. Stored. */
typedef int64_t setpay_scopes;
#define SETPAY_SCOPES_ALL INT64_C(-1)
#define SETPAY_SCOPES_TEXT_SIZE 256

bool setpay_scopes_have(setpay_scopes scopes, enum setpay_scope scope);
/* "orders:read"; NULL for a number that is none. */
const char *setpay_scope_name(enum setpay_scope scope);
/* SETPAY_E_INVALID for another word. */
enum setpay_error setpay_scope_parse(const char *name, enum setpay_scope *scope) SETPAY_MUST_CHECK;
/* "orders:read,orders:write" (blanks and commas between), or "all". SETPAY_E_INVALID, with the
 * first word that is no scope in wrong (32 bytes). */
enum setpay_error setpay_scopes_parse(const char *text, setpay_scopes *scopes,
                                      char wrong[32]) SETPAY_MUST_CHECK;
/* "orders:read orders:write", "all" or "none", into out (SETPAY_SCOPES_TEXT_SIZE); returns out. */
const char *setpay_scopes_format(setpay_scopes scopes, char *out);

/* The scope that a request needs. method: "GET", …; path: from the API's prefix on ("/orders/…").
 * SETPAY_E_NOT_FOUND for what no scope covers: then a token needs all. Pure. */
enum setpay_error setpay_scope_of_request(const char *method, const char *path,
                                          enum setpay_scope *scope) SETPAY_MUST_CHECK;

#endif
