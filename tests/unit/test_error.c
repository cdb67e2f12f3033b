/*
 * The error table: numbers never meet, every row is whole, and the decisions made from it.
 */
#include "common/base/error.h"

#include "common/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* rules that docs/protocol.md numbers, and how far each letter goes */
static const struct {
    char letter;
    int last;
} rules[] = {{'A', 6}, {'W', 8}, {'M', 10}, {'G', 12}, {'C', 4}};

/* A number that two rows had would make one of them unreachable. */
static void test_numbers_are_unique(void **state)
{
    unsigned count = 0;
    const struct setpay_error_info *table = setpay_error_table(&count);

    (void)state;
    assert_true(count > 50);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = i + 1; j < count; j++) {
            /* the low half alone: the number is what documents cite */
            assert_int_not_equal((int)table[i].error & 0xffff, (int)table[j].error & 0xffff);
            assert_string_not_equal(table[i].name, table[j].name);
        }
    }
}

static void assert_rule_exists(const char *rule)
{
    char *end = NULL;
    long number;

    if (rule[0] == '\0')
        return;
    assert_true(rule[1] >= '1' && rule[1] <= '9');
    number = strtol(rule + 1, &end, 10);
    assert_string_equal(end, "");
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].letter == rule[0]) {
            assert_in_range((unsigned long)number, 1, (unsigned long)rules[i].last);
            return;
        }
    }
    fail_msg("no rule %s", rule);
}

/* Every row has its kind in its value, a rule of the protocol or none, and words. */
static void test_rows_are_whole(void **state)
{
    unsigned count = 0;
    const struct setpay_error_info *table = setpay_error_table(&count);

    (void)state;
    for (unsigned i = 0; i < count; i++) {
        const struct setpay_error_info *row = &table[i];
        size_t size = strlen(row->text);

        assert_int_equal((int)row->error >> 16, (int)row->kind);
        assert_in_range(row->kind, SETPAY_KIND_AGAIN, SETPAY_KIND_SYSTEM);
        assert_in_range(row->wire, SETPAY_WIRE_UNSPECIFIED, SETPAY_WIRE_ENDED);
        assert_in_range(row->level, SETPAY_LOG_DEBUG, SETPAY_LOG_ERROR);
        assert_true(size > 0 && row->text[size - 1] != '.');
        assert_rule_exists(row->rule);
        assert_ptr_equal(setpay_error_info(row->error), row);
    }
}

static void test_lookup(void **state)
{
    (void)state;
    assert_int_equal(SETPAY_OK, 0);
    assert_string_equal(setpay_error_name(SETPAY_OK), "OK");
    assert_int_equal(setpay_error_kind(SETPAY_OK), SETPAY_KIND_NONE);
    assert_string_equal(setpay_error_name(SETPAY_E_SIGNATURE), "SIGNATURE");
    assert_string_equal(setpay_error_rule(SETPAY_E_SIGNATURE), "A2"); /* rule A2 */
    assert_string_equal(setpay_error_text(SETPAY_E_SIGNATURE), "the signature does not verify");
    assert_int_equal(setpay_error_kind(SETPAY_E_SIGNATURE), SETPAY_KIND_SECURITY);
    assert_int_equal(setpay_error_info((enum setpay_error)0x3ffff)->error, SETPAY_E_INTERNAL);
    assert_int_equal(setpay_error_info((enum setpay_error)1)->error, SETPAY_E_INTERNAL);
}

/* What could tell an attacker which secret part was wrong travels as one code. */
static void test_cryptographic_refusals_look_alike(void **state)
{
    static const enum setpay_error alike[] = {SETPAY_E_SIGNATURE, SETPAY_E_UNSIGNED,
                                              SETPAY_E_DS_ORDER,  SETPAY_E_DS_PAYMENT,
                                              SETPAY_E_ENVELOPE,  SETPAY_E_ACCOUNT};

    (void)state;
    for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++)
        assert_int_equal(setpay_error_info(alike[i])->wire, SETPAY_WIRE_CRYPTOGRAPHIC);
}

static void test_exit_status(void **state)
{
    static const struct {
        enum setpay_error error;
        int status;
    } rows[] = {
        {SETPAY_OK, 0},
        {SETPAY_E_IO, 1},
        {SETPAY_E_INTERNAL, 1},
        {SETPAY_E_LOCKED, 1},
        {SETPAY_E_PASSPHRASE, 1},
        {SETPAY_E_NOT_FOUND, 1},
        {SETPAY_E_EXISTS, 1},
        {SETPAY_E_PERMISSION, 1},
        {SETPAY_E_RUNNING, 1},
        {SETPAY_E_MONEY_OVERFLOW, 1},
        {SETPAY_E_USAGE, 2},
        {SETPAY_E_CONFIG, 2},
        {SETPAY_E_INVALID, 2},
        {SETPAY_E_ORDER_TAKEN, 1}, /* 3 is kept for the issuer's word */
        {SETPAY_E_AMOUNT_LIMIT, 1},
        {SETPAY_E_STATE, 1},
        {SETPAY_E_PEER_REFUSED, 1},
        {SETPAY_E_PAYMENT_OPEN, 4},
        {SETPAY_E_UNREACHABLE, 4},
        {SETPAY_E_TIMEOUT, 4},
        {SETPAY_E_BUSY, 4},
        {SETPAY_E_SIGNATURE, 5},
        {SETPAY_E_MALFORMED, 5},
        {SETPAY_E_NOT_AGREED, 6},
        {(enum setpay_error)0x3ffff, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(setpay_error_exit_status(rows[i].error), rows[i].status);
}

static void test_from_wire(void **state)
{
    (void)state;
    assert_int_equal(setpay_error_from_wire(SETPAY_WIRE_BUSY), SETPAY_E_PEER_BUSY);
    assert_int_equal(setpay_error_from_wire(SETPAY_WIRE_DATE), SETPAY_E_PEER_DATE);
    for (uint32_t code = 0; code < 40; code++) {
        if (code != SETPAY_WIRE_BUSY && code != SETPAY_WIRE_DATE)
            assert_int_equal(setpay_error_from_wire(code), SETPAY_E_PEER_REFUSED);
    }
    assert_int_equal(setpay_error_from_wire(UINT32_MAX), SETPAY_E_PEER_REFUSED);
}

/* Words are cut at the size, and the error comes back. */
static void test_problem(void **state)
{
    struct setpay_problem problem;
    char text[1024];

    (void)state;
    assert_int_equal(setpay_problem_set(&problem, SETPAY_E_CONFIG, "%s:%d", "a.conf", 3),
                     SETPAY_E_CONFIG);
    assert_string_equal(problem.text, "a.conf:3");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(setpay_problem_set(&problem, SETPAY_E_USAGE, "%s", text), SETPAY_E_USAGE);
    assert_int_equal(strlen(problem.text), sizeof(problem.text) - 1);
    assert_int_equal(setpay_problem_set(NULL, SETPAY_E_USAGE, "%s", text), SETPAY_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_unique),
        cmocka_unit_test(test_rows_are_whole),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_cryptographic_refusals_look_alike),
        cmocka_unit_test(test_exit_status),
        cmocka_unit_test(test_from_wire),
        cmocka_unit_test(test_problem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
