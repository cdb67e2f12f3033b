/*
 * What the owner of a store does to it: products, categories, stock, taxes, ways of shipping. Every
 * such act is one function of database, request and time; the API and the operator's program call
 * the same ones (shop_acts.h names them).
 *
 * An act that changes something runs inside an operation, one that looks inside a read. After
 * anything but SETPAY_OK nothing of it must stay: the operation fails with the same error.
 */
#ifndef SETPAY_MERCHANT_STORE_SHOP_H
#define SETPAY_MERCHANT_STORE_SHOP_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/store/db.h"
#include "merchant/store/currency.h"
#include "merchant/store/order_request.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETPAY_SHOP_ID_BYTES 64 /* slugs, SKUs, tax classes: 1 to this many */
#define SETPAY_SHOP_ID_SIZE (SETPAY_SHOP_ID_BYTES + 1)
#define SETPAY_SHOP_MADE_SIZE (SETPAY_SHOP_ID_SIZE + 16)
#define SETPAY_SHOP_LIST_DEFAULT 20
#define SETPAY_SHOP_LIST_MAX 100
#define SETPAY_SHOP_ANY_VERSION (-1)
#define SETPAY_SHOP_BODY_MAX (8 * 1024 * 1024) /* of an import, as JSON */

/* Of the merchant's configuration. Texts outlive whoever holds them. */
struct setpay_shop_settings {
    const char *country;  /* "DE": whose taxes count where an order names no country; "": none */
    const char *currency; /* "EUR": of orders and lists that name none */
    struct setpay_shop_currencies sold; /* of the pages, currency among them; none: it alone */
};

struct setpay_shop_ask {
    const char *id;  /* what is meant; NULL where the act takes none */
    const char *sub; /* what of it: a variant's SKU, a picture; NULL likewise */
    const json_t
        *body;       /* an object: a resource, what changes of one, or what a list is asked for */
    int64_t version; /* that it must have now, or SETPAY_SHOP_ANY_VERSION */
    setpay_time_ms now_ms;
    const struct setpay_shop_settings *settings;
};

/* Zeroed memory is an empty one. */
struct setpay_shop_answer {
    json_t *json;                     /* owned; NULL where nothing is to be said */
    int64_t version;                  /* of the resource in it; 0: it has none */
    char made[SETPAY_SHOP_MADE_SIZE]; /* the id of what was made */
    struct setpay_json_fault fault;   /* after a refusal: which member, and words */
};
void setpay_shop_answer_clear(struct setpay_shop_answer *answer);

/*
 * Refusals, each with a fault:
 * SETPAY_E_INVALID     a member is not valid, or names something that is not there;
 * SETPAY_E_NOT_FOUND   there is no such resource;
 * SETPAY_E_EXISTS      slug, SKU or id is taken;
 * SETPAY_E_CONFLICT    it has another version than was asked for;
 * SETPAY_E_STATE       something else stands against it (reserved stock, a category below).
 * Errors of database and memory have none.
 */
typedef enum setpay_error setpay_shop_fn(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                         struct setpay_shop_answer *answer);

/* ------------------------------------------------------------------ for those who write acts */

/* Writes the fault and returns error. */
enum setpay_error setpay_shop_refuse(struct setpay_shop_answer *answer, enum setpay_error error,
                                     const char *field, const char *format, ...)
    SETPAY_PRINTF(4, 5);
/* SETPAY_E_CONFLICT where another version is asked for than this one. */
enum setpay_error setpay_shop_check_version(const struct setpay_shop_ask *ask, int64_t version,
                                            struct setpay_shop_answer *answer) SETPAY_MUST_CHECK;

/* 1 to 64 of a-z 0-9 and single hyphens inside. */
bool setpay_shop_is_slug(const char *text);
/* 1 to 64 of letters, digits, '.', '_', '-'. */
bool setpay_shop_is_sku(const char *text);
/* Two capital letters (ISO 3166-1). */
bool setpay_shop_is_country(const char *text);

/* Members of ask->body; an absent one leaves the output as it was and is an error only where
 * required. SETPAY_E_INVALID with the fault. */
enum setpay_error setpay_shop_get_text(const json_t *object, const char *name, const char *prefix,
                                       bool required, size_t maximum, char *text,
                                       struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
enum setpay_error setpay_shop_get_slug(const json_t *object, const char *name, bool required,
                                       char *slug,
                                       struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
enum setpay_error setpay_shop_get_int(const json_t *object, const char *name, const char *prefix,
                                      bool required, int64_t minimum, int64_t maximum,
                                      int64_t *number,
                                      struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
enum setpay_error setpay_shop_get_bool(const json_t *object, const char *name, const char *prefix,
                                       bool *value,
                                       struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
/* ISO 4217. */
enum setpay_error setpay_shop_get_currency(const json_t *object, const char *name,
                                           const char *prefix, bool required, char *currency,
                                           struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
/* Text for people of several lines, as plain text: UTF-8, no control character but line ends.
 * *text is borrowed from object. */
enum setpay_error setpay_shop_get_lines(const json_t *object, const char *name, size_t maximum,
                                        const char **text,
                                        struct setpay_json_fault *fault) SETPAY_MUST_CHECK;

/* Takes value; remembers in *whole that something was lost for want of memory. */
void setpay_shop_set(json_t *object, const char *name, json_t *value, bool *whole);
void setpay_shop_append(json_t *array, json_t *value, bool *whole);
json_t *setpay_shop_time_json(setpay_time_ms time_ms);

#endif
