/*
 * The operator's commands on the database, as the daemon and a stopped daemon's operator run them.
 */
#include "common/base/clock.h"
#include "common/base/secret.h"
#include "merchant/commands.h"
#include "tests/support/test_store_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_api test;

struct running {
    const struct setpay_merchant_command *command;
    struct setpay_merchant_context context;
    json_t *args;
    json_t *result;
    struct setpay_problem problem;
};

static struct running running;

static enum setpay_error run_it(struct setpay_db *db, void *arg)
{
    (void)arg;
    return running.command->run(db, &running.context, running.args, &running.result,
                                &running.problem);
}

/* Runs one command; its result or words are in running. */
static enum setpay_error run(const char *name, bool daemon_runs, const char *args)
{
    json_decref(running.args);
    json_decref(running.result);
    running = (struct running){.command = setpay_merchant_command_find(name),
                               .context = {.port = &test_api_port,
                                           .links = {"localhost", "https://shop.example"},
                                           .merchant_id = "shop",
                                           .daemon_runs = daemon_runs,
                                           .now_ms = setpay_clock_now_ms()},
                               .args = json_loads(args, 0, NULL)};
    assert_non_null(running.command);
    assert_non_null(running.args);
    enum setpay_error error = setpay_store_submit_wait(test.store, run_it, NULL);
    assert_int_equal(error == SETPAY_OK, running.result != NULL);
    return error;
}

static const char *text(const json_t *object, const char *member)
{
    const char *value = json_string_value(json_object_get(object, member));
    return value != NULL ? value : "";
}

static void finish(void)
{
    json_decref(running.args);
    json_decref(running.result);
    running.args = NULL;
    running.result = NULL;
    test_api_close(&test);
}

/* {"order_id":"…"} of a new order; owned. */
static char *new_order(void)
{
    assert_int_equal(
        run("order.create", false, "{\"description\":\"a\",\"amount\":5,\"currency\":\"EUR\"}"),
        SETPAY_OK);
    json_t *args = json_pack("{s:s}", "order_id", text(running.result, "order_id"));
    char *packed = json_dumps(args, JSON_COMPACT);
    json_decref(args);
    assert_non_null(packed);
    return packed;
}

static void test_a_token_is_shown_once_and_opens_the_api(void **state)
{
    (void)state;
    static struct test_api_reply reply;
    test_api_open(&test, 0);
    assert_int_equal(run("token.add", false, "{\"name\":\"shop-1\"}"), SETPAY_OK);
    assert_int_equal(strncmp(text(running.result, "token"), "spm_", 4), 0);
    assert_int_equal(strlen(text(running.result, "token")), 47);
    (void)snprintf(test.token, sizeof test.token, "%s", text(running.result, "token"));
    assert_int_equal(test_api_get(&test, "/orders", &reply), 200);
    /* The database holds no token, not even a part of one. */
    assert_false(test_folder_holds(&test.folder, test.token, 16));
    assert_int_equal(run("token.add", false, "{\"name\":\"shop-1\"}"), SETPAY_E_EXISTS);
    assert_int_equal(run("token.add", false, "{\"name\":\"a b\"}"), SETPAY_E_USAGE);
    assert_int_equal(run("token.add", false, "{\"name\":\"\"}"), SETPAY_E_USAGE);
    assert_int_equal(run("token.add", false, "{}"), SETPAY_E_USAGE);
    assert_int_equal(run("token.list", false, "{}"), SETPAY_OK);
    assert_int_equal(json_array_size(json_object_get(running.result, "tokens")), 2);
    assert_int_equal(run("token.remove", false, "{\"name\":\"shop-2\"}"), SETPAY_E_NOT_FOUND);
    assert_int_equal(run("token.remove", false, "{\"name\":\"shop-1\"}"), SETPAY_OK);
    assert_int_equal(test_api_get(&test, "/orders", &reply), 401);
    finish();
}

static void test_tokens_have_a_limit(void **state)
{
    (void)state;
    test_api_open(&test, 0);
    assert_int_equal(test_api_sql(&test,
                                  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
                                  " FROM n WHERE i < 99) INSERT INTO token (name, hash, created_ms)"
                                  " SELECT 'n' || i, randomblob(32), 1 FROM n"),
                     99);
    assert_int_equal(run("token.add", false, "{\"name\":\"more\"}"), SETPAY_E_USAGE);
    finish();
}

static void test_what_needs_the_gateway_is_refused_while_the_daemon_is_stopped(void **state)
{
    (void)state;
    test_api_open(&test, 0);
    char *held = new_order();
    test_api_purchase(&test, text(running.result, "order_id"), 1, SETPAY_PURCHASE_AUTHORISED);
    char *paying = new_order();
    test_api_purchase(&test, text(running.result, "order_id"), 2, SETPAY_PURCHASE_ASKING);
    char *open = new_order();
    assert_int_equal(run("order.void", false, held), SETPAY_E_UNREACHABLE);
    assert_non_null(strstr(running.problem.text, "stopped"));
    assert_int_equal(run("order.cancel", false, paying), SETPAY_E_UNREACHABLE);
    assert_int_equal(test_api_purchase_state(&test, 1), SETPAY_PURCHASE_AUTHORISED);
    assert_int_equal(test_api_purchase_state(&test, 2), SETPAY_PURCHASE_ASKING);
    assert_int_equal(test_api_sql(&test, "SELECT COUNT(*) FROM orders WHERE ended <> 0"), 0);
    assert_int_equal(run("order.cancel", false, open), SETPAY_OK);
    assert_true(json_is_false(json_object_get(running.result, "under_way")));
    assert_int_equal(run("order.void", true, open), SETPAY_E_STATE);

    assert_int_equal(run("order.void", true, held), SETPAY_OK);
    assert_true(json_is_true(json_object_get(running.result, "under_way")));
    assert_int_equal(test_api_purchase_state(&test, 1), SETPAY_PURCHASE_REVERSING);
    test_api_purchase_goes(&test, 1, SETPAY_PURCHASE_REVERSED);
    assert_int_equal(run("order.show", false, held), SETPAY_OK);
    assert_string_equal(text(running.result, "status"), "voided");
    assert_int_equal(run("order.cancel", true, paying), SETPAY_OK);
    assert_int_equal(test_api_purchase_state(&test, 2), SETPAY_PURCHASE_VOIDING); /* rule M9 */
    free(held);
    free(paying);
    free(open);
    finish();
}

static void test_arguments_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *args;
        enum setpay_error error;
    } rows[] = {
        {"order.create", "{}", SETPAY_E_USAGE},
        {"order.list", "{\"limit\":0}", SETPAY_E_USAGE},
        {"order.list", "{\"limit\":101}", SETPAY_E_USAGE},
        {"order.list", "{\"status\":\"paid\"}", SETPAY_E_USAGE},
        {"order.list", "{\"cursor\":\"x\"}", SETPAY_E_USAGE},
        {"order.list", "{\"page\":1}", SETPAY_E_USAGE},
        {"order.show", "{}", SETPAY_E_USAGE},
        {"order.show", "{\"order_id\":\"ord_1\"}", SETPAY_E_NOT_FOUND},
        {"order.void", "{\"order_id\":\"ord_1\"}", SETPAY_E_NOT_FOUND},
        {"order.cancel", "{\"order_id\":1}", SETPAY_E_USAGE},
        {"token.list", "{\"name\":\"a\"}", SETPAY_E_USAGE},
        {"purchase.show", "{\"xid\":\"12\"}", SETPAY_E_USAGE},
        {"purchase.list", "{\"limit\":0}", SETPAY_E_USAGE},
    };
    test_api_open(&test, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum setpay_error error = run(rows[i].name, true, rows[i].args);
        if (error != rows[i].error || strlen(running.problem.text) < 10)
            fail_msg("%s %s: %s: %s", rows[i].name, rows[i].args, setpay_error_name(error),
                     running.problem.text);
    }
    assert_null(setpay_merchant_command_find("order.pay"));
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_is_shown_once_and_opens_the_api),
        cmocka_unit_test(test_tokens_have_a_limit),
        cmocka_unit_test(test_what_needs_the_gateway_is_refused_while_the_daemon_is_stopped),
        cmocka_unit_test(test_arguments_that_are_none_are_refused),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
