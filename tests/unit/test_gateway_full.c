/*
 * A gateway whose disk is full when issuers answer: reversal, presentment and reconciliation are
 * kept once there is room again, without a restart. The disk is a small one of its own, which needs
 * root; where that may not be, the test is skipped.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_paid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAP SETPAY_MESSAGE_CAP_REQ
#define OPEN(table) "SELECT COUNT(*) FROM " table " WHERE acknowledged = 0"
#define UNCOMPARED "SELECT COUNT(*) FROM reconciliation WHERE result = 0"

static struct test_gateway *gateway;
static struct test_cardholder *holder;
static struct test_line *shop;
static char small[TEST_PATH_SIZE], filling[TEST_PATH_SIZE];
static bool is_mounted;

/* The gateway's database, on a disk of a few megabytes. False: that may not be. */
static bool move_database(void)
{
    char database[TEST_PATH_SIZE], moved[TEST_PATH_SIZE];
    size_t size = 0;
    test_path(gateway->folder, "small", small);
    test_path(gateway->folder, "small/filling", filling);
    test_path(gateway->folder, "gateway.db", database);
    test_path(gateway->folder, "small/gateway.db", moved);
    assert_int_equal(mkdir(small, 0700), 0);
    /* In a namespace of its own, so that the disk goes with this process, however it ends. */
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", small, "tmpfs", 0, "size=16m,mode=700") != 0)
        return false;
    is_mounted = true;
    char *bytes = test_read_file(gateway->folder, "gateway.db", &size);
    FILE *file = fopen(moved, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(bytes);
    assert_int_equal(unlink(database), 0);
    assert_int_equal(symlink(moved, database), 0);
    return true;
}

/* The journal first, which would have room in what it holds already. */
static void fill(void)
{
    static const char zeros[4096];
    test_daemon_execute(&gateway->daemon, "PRAGMA wal_checkpoint(TRUNCATE)");
    int fd = open(filling, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(close(fd), 0);
}

static struct test_paid pay(enum setpay_auth_intent intent, int64_t minor)
{
    struct test_paid paid;
    test_paid_prepare(&paid, gateway, shop, holder, intent, minor, false);
    test_paid_ask(&paid);
    return paid;
}

static void what_was_answered_is_kept_when_there_is_room(void **state)
{
    int64_t remaining;
    (void)state;
    test_gateway_stop(gateway);
    if (!move_database())
        skip();
    test_gateway_start(gateway, NULL);
    shop = test_line_new(gateway, gateway->shop[0].tls, "visa");
    assert_non_null(shop);
    struct test_paid sold = pay(SETPAY_INTENT_SALE, 900);
    struct test_paid captured = pay(SETPAY_INTENT_AUTHORISE, 500);
    struct test_paid reversed = pay(SETPAY_INTENT_AUTHORISE, 700);
    assert_int_equal(test_paid_step(&captured, CAP, &captured.auth.cap_token, 500, NULL), 0);
    /* All three wait for the issuer; two reversals of one payment, one behind the other. */
    test_gateway_stop_issuer(gateway);
    json_decref(test_gateway_control(gateway, "issuer.cutoff", json_object()));
    test_daemon_wait_number(&gateway->daemon, UNCOMPARED, 1);
    assert_int_equal(test_paid_reverse(&reversed, 200, &remaining), 0);
    assert_int_equal(test_paid_reverse(&reversed, 500, &remaining), 0);
    test_paid_close_batch(&captured);
    assert_int_equal(test_gateway_number(gateway, OPEN("reversal")), 2);
    assert_int_equal(test_gateway_number(gateway, OPEN("presentment")), 1);
    fill();
    test_gateway_start_issuer(gateway);
    test_gateway_wait_log(gateway, "event=reversal.kept_later", 1);
    test_gateway_wait_log(gateway, "event=presentment.kept_later", 1);
    test_gateway_wait_log(gateway, "event=reconciliation.kept_later", 1);
    assert_int_equal(test_gateway_number(gateway, OPEN("reversal")), 2);
    assert_int_equal(test_gateway_number(gateway, OPEN("presentment")), 1);
    assert_int_equal(test_gateway_number(gateway, UNCOMPARED), 1);

    assert_int_equal(unlink(filling), 0);
    test_daemon_wait_number(&gateway->daemon, OPEN("reversal"), 0);
    test_daemon_wait_number(&gateway->daemon, OPEN("presentment"), 0);
    test_daemon_wait_number(&gateway->daemon, UNCOMPARED, 0);
    test_gateway_expect_sound(gateway);
    test_paid_clear(&sold);
    test_paid_clear(&captured);
    test_paid_clear(&reversed);
}

/* What can't be kept does not hold up the end of the daemon, and is asked for again. */
static void what_was_not_kept_is_asked_for_again(void **state)
{
    int64_t remaining;
    (void)state;
    if (!is_mounted)
        skip();
    struct test_paid reversed = pay(SETPAY_INTENT_AUTHORISE, 300);
    size_t later = test_gateway_log_count(gateway, "event=reversal.kept_later");
    test_gateway_stop_issuer(gateway);
    assert_int_equal(test_paid_reverse(&reversed, 300, &remaining), 0);
    fill();
    test_gateway_start_issuer(gateway);
    test_gateway_wait_log(gateway, "event=reversal.kept_later", later + 1);
    test_line_free(shop);
    shop = NULL;
    test_gateway_stop(gateway);
    assert_int_equal(unlink(filling), 0);
    test_gateway_start(gateway, NULL);
    test_gateway_wait_acknowledged(gateway);
    test_paid_clear(&reversed);
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new();
    holder = test_cardholder_new(gateway->pki, "visa", "4242424242424242", "3012", "123");
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    test_line_free(shop);
    test_cardholder_free(holder);
    if (is_mounted) {
        test_daemon_kill(&gateway->daemon);
        (void)umount2(small, MNT_DETACH); /* or its folder can't be removed */
    }
    test_gateway_free(gateway);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_answered_is_kept_when_there_is_room),
        cmocka_unit_test(what_was_not_kept_is_asked_for_again),
    };
    test_alarm(120);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
