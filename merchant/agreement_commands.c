/*
 * Agreements for the operator: those that go on, and when each is due.
 */
#include "merchant/agreement_commands.h"

#include "common/net/control_json.h"
#include "common/net/operator.h"
#include "merchant/store/order_terms.h"

#include <stdio.h>
#include <stdlib.h>

#define LIST_DEFAULT 20
#define LIST_MAX 100

struct listing {
    json_t *list;
    int64_t last;
};

static enum setpay_error add(void *arg, int64_t seq, const char *order_id,
                             const struct setpay_agreement_view *view)
{
    struct listing *listing = arg;
    char xid[SETPAY_ID_TEXT_SIZE];
    json_t *json = setpay_order_agreement_json(view);
    bool whole =
        json != NULL && json_object_set_new(json, "order_id", json_string(order_id)) == 0 &&
        json_object_set_new(json, "xid", json_string(setpay_id_format(&view->xid, xid))) == 0 &&
        json_object_set_new(json, "schedule",
                            json_string(setpay_agreement_schedule_name(view->schedule))) == 0;
    if (!whole) {
        json_decref(json);
        return SETPAY_E_NOMEM;
    }
    listing->last = seq;
    return json_array_append_new(listing->list, json) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_merchant_command_agreement_list(
    struct setpay_db *db, const struct setpay_merchant_context *context, const json_t *args,
    json_t **result, struct setpay_problem *problem)
{
    static const char *const names[] = {"limit", "cursor", NULL};
    struct listing listing = {.list = json_array()};
    int64_t limit = LIST_DEFAULT, before = INT64_MAX;
    enum setpay_error error = listing.list == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_json_args_check(args, names, problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_int(args, "limit", false, 1, LIST_MAX, &limit, problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_int(args, "cursor", false, 1, INT64_MAX, &before, problem);
    if (error == SETPAY_OK)
        error = context->port->list_agreements(db, before, limit, add, &listing);
    if (error != SETPAY_OK) {
        json_decref(listing.list);
        return error;
    }
    bool full = json_array_size(listing.list) == (size_t)limit;
    *result = json_pack("{s:o, s:o}", "agreements", listing.list, "next_cursor",
                        full ? json_integer(listing.last) : json_null());
    return *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

void setpay_merchant_words_agreements(const json_t *result)
{
    size_t index;
    const json_t *one;
    const json_t *cursor = json_object_get(result, "next_cursor");
    if (json_array_size(json_object_get(result, "agreements")) == 0)
        puts("no agreement goes on");
    json_array_foreach(json_object_get(result, "agreements"), index, one)
    {
        const char *next = json_string_value(json_object_get(one, "next"));
        printf("%s  %-7s %-10s %3lld taken  next %s\n", setpay_operator_text(one, "order_id"),
               setpay_operator_text(one, "status"), setpay_operator_text(one, "schedule"),
               (long long)json_integer_value(json_object_get(one, "payments")),
               next != NULL ? next : "as the store asks");
    }
    if (json_is_integer(cursor))
        printf("more: --cursor %lld\n", (long long)json_integer_value(cursor));
}
