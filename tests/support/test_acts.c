/*
 * Acts on a store of a test.
 */
#include "tests/support/test_acts.h"

#include "merchant/store/catalogue_schema.h"
#include "merchant/store/event.h"
#include "merchant/store/forget.h"
#include "merchant/store/part.h"
#include "merchant/store/ship_to.h"
#include "merchant/store/shop_acts.h"
#include "merchant/store/stock.h"
#include "merchant/store/stock_level.h"
#include "merchant/store/webhook/delivery.h"
#include "merchant/store/webhook/webhook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct setpay_store_migration steps[] = {
    {1,
     SETPAY_ORDER_SCHEMA SETPAY_ORDER_TERMS_SCHEMA SETPAY_SHIP_TO_SCHEMA SETPAY_CATALOGUE_SCHEMA
         SETPAY_STOCK_LEVEL_SCHEMA SETPAY_PART_SCHEMA SETPAY_PART_SETTLED_SCHEMA SETPAY_EVENT_SCHEMA
             SETPAY_EVENT_TO_SEND_SCHEMA SETPAY_EVENT_HISTORY_SCHEMA SETPAY_WEBHOOK_SCHEMA
                 SETPAY_DELIVERY_SCHEMA SETPAY_RESERVATION_UNTIL_SCHEMA SETPAY_SHIP_TO_LOOK_SCHEMA},
    {0}};
const struct setpay_store_schema test_acts_schema = {.name = "merchant", .steps = steps};

static const struct setpay_shop_settings settings = {.country = "DE", .currency = "EUR"};

void test_acts_open(struct test_acts *test)
{
    struct setpay_problem problem;
    memset(test, 0, sizeof *test);
    test_folder_make(&test->folder);
    const struct setpay_store_options options = {.url = test->folder.url,
                                                 .schema = &test_acts_schema};
    assert_int_equal(setpay_store_open(&options, &test->store, &problem), SETPAY_OK);
    test->now_ms = setpay_clock_now_ms();
}

void test_acts_close(struct test_acts *test)
{
    setpay_shop_answer_clear(&test->answer);
    setpay_store_close(test->store);
    test_folder_remove(&test->folder);
}

struct acting {
    const struct setpay_shop_act *act;
    struct setpay_shop_ask ask;
    struct setpay_shop_answer *answer;
};

static enum setpay_error do_act(struct setpay_db *db, void *arg)
{
    struct acting *acting = arg;
    return acting->act->run(db, &acting->ask, acting->answer);
}

enum setpay_error test_act_at(struct test_acts *test, int64_t version, const char *name,
                              const char *id, const char *sub, const char *body)
{
    json_error_t where;
    json_t *json = json_loads(body != NULL ? body : "{}", JSON_REJECT_DUPLICATES, &where);
    struct acting acting = {.act = setpay_shop_act_find(name), .answer = &test->answer};
    if (json == NULL || acting.act == NULL)
        fail_msg("%s: %s", name, where.text);
    acting.ask = (struct setpay_shop_ask){.id = id,
                                          .sub = sub,
                                          .body = json,
                                          .version = version,
                                          .now_ms = test->now_ms,
                                          .settings = &settings};
    setpay_shop_answer_clear(&test->answer);
    enum setpay_error error = setpay_store_submit_wait(test->store, do_act, &acting);
    json_decref(json);
    return error;
}

enum setpay_error test_act(struct test_acts *test, const char *name, const char *id,
                           const char *sub, const char *body)
{
    enum setpay_error error = test_act_at(test, SETPAY_SHOP_ANY_VERSION, name, id, sub, body);
    if (error != SETPAY_OK)
        print_message("# %s: %s: %s\n", name, test->answer.fault.field, test->answer.fault.words);
    return error;
}

void test_act_refuses(struct test_acts *test, enum setpay_error error, const char *field,
                      const char *name, const char *id, const char *sub, const char *body)
{
    enum setpay_error found = test_act_at(test, SETPAY_SHOP_ANY_VERSION, name, id, sub, body);
    if (found != error || strcmp(test->answer.fault.field, field) != 0 ||
        strlen(test->answer.fault.words) < 10)
        fail_msg("%s %s: %s at '%s': %s", name, body != NULL ? body : "", setpay_error_name(found),
                 test->answer.fault.field, test->answer.fault.words);
}

/* ------------------------------------------------------------------ orders */

enum setpay_error test_order_insert(struct setpay_db *db, void *arg)
{
    struct test_ordering *ordering = arg;
    SETPAY_TRY(setpay_quote_make(db, &settings, &ordering->order, ordering->now_ms,
                                 &ordering->fault, &ordering->shortage));
    return setpay_order_insert(db, &ordering->order);
}

enum setpay_error test_order(struct test_acts *test, const char *body,
                             struct test_ordering *ordering)
{
    json_t *json = json_loads(body, 0, NULL);
    memset(ordering, 0, sizeof *ordering);
    ordering->now_ms = test->now_ms;
    assert_non_null(json);
    enum setpay_error error =
        setpay_order_request_parse(json, test->now_ms, &ordering->order, &ordering->fault);
    json_decref(json);
    SETPAY_TRY(error);
    SETPAY_TRY(setpay_order_name(&ordering->order));
    return setpay_store_submit_wait(test->store, test_order_insert, ordering);
}

struct asking {
    const char *sql;
    int64_t number;
};

static enum setpay_error do_sql(struct setpay_db *db, void *arg)
{
    struct asking *asking = arg;
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, asking->sql));
    asking->number = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

int64_t test_acts_sql(struct test_acts *test, const char *sql)
{
    struct asking asking = {.sql = sql};
    assert_int_equal(setpay_store_submit_wait(test->store, do_sql, &asking), SETPAY_OK);
    return asking.number;
}
