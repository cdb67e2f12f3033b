/*
 * A new order out of the JSON that a store (or its operator) sends. Pure.
 */
#ifndef SETPAY_MERCHANT_STORE_ORDER_REQUEST_H
#define SETPAY_MERCHANT_STORE_ORDER_REQUEST_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "merchant/store/order.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* What is wrong with one member of a JSON object. */
struct setpay_json_fault {
    char field[96];  /* "items[2].quantity"; "" for the object itself */
    char words[384]; /* what was found and what is expected */
};

/* What stands there, in words, into out (SETPAY_JSON_FOUND_SIZE); returns out. */
#define SETPAY_JSON_FOUND_SIZE 96
const char *setpay_json_found(const json_t *value, char *out);
/* A whole number in these bounds; what: "a whole number of seconds". SETPAY_E_INVALID with the
 * fault, also where value is NULL; *number is then untouched. */
enum setpay_error setpay_json_read_int(const json_t *value, const char *field, int64_t minimum,
                                       int64_t maximum, const char *what, int64_t *number,
                                       struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
/* One line of text for people, 1 to maximum bytes, into text (maximum + 1). */
enum setpay_error setpay_json_read_text(const json_t *value, const char *field, size_t maximum,
                                        char *text,
                                        struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
/* Writes the fault and returns SETPAY_E_INVALID. */
enum setpay_error setpay_json_fault_set(struct setpay_json_fault *fault, const char *field,
                                        const char *format, ...) SETPAY_PRINTF(3, 4);
/* SETPAY_E_INVALID for a value that is no object, or the first member that is not in names (ended
 * by NULL). prefix stands before its name in the fault ("items[2]."), where may be "". */
enum setpay_error setpay_json_members_check(const json_t *object, const char *const *names,
                                            const char *prefix,
                                            struct setpay_json_fault *fault) SETPAY_MUST_CHECK;

/*
 * Reads {"description","amount","currency"} or {"items":[{"name","quantity","unit_amount","sku"?}
 * or
 * {"sku","quantity"}],"currency"}, each with optional "capture", "metadata" and "expires_in"
 * (seconds) and "terms" (order_terms.h), items also with "country", "region" and "shipping_method",
 * into *order (empty before; clear it after SETPAY_OK; unchanged otherwise): everything but its
 * name. Items without a name, and the amount where there are any, are what setpay_quote_make
 * completes. SETPAY_E_INVALID with the fault; SETPAY_E_NOMEM.
 */
enum setpay_error setpay_order_request_parse(const json_t *body, setpay_time_ms now_ms,
                                             struct setpay_order *order,
                                             struct setpay_json_fault *fault) SETPAY_MUST_CHECK;

struct setpay_part_request;

/* What a capture, a refund or an undo asks for. */
struct setpay_step_request {
    bool has_amount; /* otherwise all there is */
    int64_t amount_minor;
    char currency[4]; /* "": the order's */
    bool has_of;
    struct setpay_id of; /* of a refund: the capture; of an undo: a capture or refund */
    /* Of a shipment, and of a refund by line (NULL: by amount). Outlives the request. */
    const struct setpay_part_request *part;
    int64_t together; /* of a capture: with all of this number; 0: alone (payment_port.h) */
};
/* Reads {"amount"?,"currency"?} and, where of_name is not NULL, the member of that name: an id,
 * which of_needed asks for; amount_allowed false: neither amount nor currency. SETPAY_E_INVALID
 * with the fault. */
enum setpay_error setpay_step_request_parse(const json_t *body, bool amount_allowed,
                                            const char *of_name, bool of_needed,
                                            struct setpay_step_request *request,
                                            struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
/* The same for {"brand"?}: *brand is borrowed from body, NULL where there is none. */
enum setpay_error setpay_brand_request_parse(const json_t *body, const char **brand,
                                             struct setpay_json_fault *fault) SETPAY_MUST_CHECK;

#endif
