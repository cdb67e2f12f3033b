/*
 * A merchant's exported batches: a list that is too long is refused with the limit that there is;
 * and under audit the steps of one batch are found without a look at those of the others.
 */
#include "common/base/limits.h"
#include "common/net/batch_file.h"
#include "gateway/audit_merchant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ the form */

static void names_the_limit_of_totals(void **state)
{
    static char text[16384];
    char expected[64];
    struct setpay_problem problem = {{0}};
    struct setpay_batch_file file;
    (void)state;
    int size = snprintf(text, sizeof text,
                        "{\"setpay_batch\":1,\"merchant_id\":\"shop\",\"complete\":true,"
                        "\"exported\":\"2026-11-26T12:00:00.000Z\",\"certificates\":[],"
                        "\"batches\":[{\"brand\":\"visa\",\"batch\":1,\"status\":\"closed\","
                        "\"hash\":\"%064d\",\"items\":[],\"totals\":[0",
                        0);
    for (int i = 0; i < SETPAY_LIMIT_CURRENCIES; i++) /* one more than there may be */
        size += snprintf(text + size, sizeof text - (size_t)size, ",0");
    (void)snprintf(text + size, sizeof text - (size_t)size, "]}]}");
    assert_int_equal(setpay_batch_file_parse(setpay_view_string(text), &file, &problem),
                     SETPAY_E_INVALID);
    (void)snprintf(expected, sizeof expected, "an array of at most %d totals",
                   SETPAY_LIMIT_CURRENCIES);
    if (strstr(problem.text, expected) == NULL)
        fail_msg("'%s' is not in '%s'", expected, problem.text);
}

/* ------------------------------------------------------------------ steps by batch */

#define STEPS 600
#define BATCHES 7

static const char *const brands[] = {"visa", "mastercard", "amex"};

/* Each step is in one batch of one brand, in no order. */
static struct setpay_audit_run run_of_many(void)
{
    struct setpay_audit_run run = {.count = STEPS};
    run.steps = calloc(STEPS, sizeof *run.steps);
    assert_non_null(run.steps);
    for (unsigned i = 0; i < STEPS; i++) {
        struct setpay_audit_step *step = &run.steps[i];
        unsigned mixed = i * 2654435761U;
        memcpy(step->id.bytes, &mixed, sizeof mixed);
        memcpy(step->id.bytes + sizeof mixed, &i, sizeof i);
        (void)snprintf(step->brand, sizeof step->brand, "%s", brands[i % 3]);
        step->batch = 1 + i / 3 % BATCHES;
    }
    assert_int_equal(setpay_audit_sort_steps(&run), SETPAY_OK);
    return run;
}

static size_t count_all(const struct setpay_audit_run *run, const char *brand, uint32_t batch)
{
    size_t count = 0;
    for (size_t i = 0; i < run->count; i++)
        count += strcmp(run->steps[i].brand, brand) == 0 && run->steps[i].batch == batch;
    return count;
}

static void the_steps_of_a_batch_are_found(void **state)
{
    struct setpay_audit_run run = run_of_many();
    size_t sum = 0, count = 77;
    (void)state;
    for (size_t b = 0; b < sizeof brands / sizeof *brands; b++) {
        for (uint32_t batch = 0; batch <= BATCHES + 1; batch++) {
            struct setpay_audit_step *const *steps =
                setpay_audit_batch_steps(&run, brands[b], batch, &count);
            assert_int_equal(count, count_all(&run, brands[b], batch));
            assert_true((steps == NULL) == (count == 0));
            for (size_t i = 0; i < count; i++) {
                assert_string_equal(steps[i]->brand, brands[b]);
                assert_int_equal(steps[i]->batch, batch);
                assert_true(i == 0 || memcmp(steps[i - 1]->id.bytes, steps[i]->id.bytes,
                                             sizeof steps[i]->id.bytes) < 0);
            }
            sum += count;
        }
    }
    assert_int_equal(sum, STEPS);
    assert_null(setpay_audit_batch_steps(&run, "diners", 1, &count));
    assert_ptr_equal(setpay_audit_find_step(&run, run.steps[5].brand, &run.steps[5].id),
                     &run.steps[5]);
    free(run.by_batch);
    free(run.steps);
}

static void no_steps_are_in_no_batch(void **state)
{
    struct setpay_audit_run run = {.count = 0};
    size_t count = 77;
    (void)state;
    assert_int_equal(setpay_audit_sort_steps(&run), SETPAY_OK);
    assert_null(setpay_audit_batch_steps(&run, "visa", 1, &count));
    assert_int_equal(count, 0);
    free(run.by_batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_limit_of_totals),
        cmocka_unit_test(the_steps_of_a_batch_are_found),
        cmocka_unit_test(no_steps_are_in_no_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
