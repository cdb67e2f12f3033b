/*
 * Who waits for which record, and who is resumed when.
 */
#include "common/store/wait.h"
#include "tests/support/test_messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct request {
    struct setpay_waiter waiter;
    struct setpay_waiters *waiters;
    struct setpay_id id;
    int resumed;
    bool again; /* waits again when it is resumed */
};

static void on_resume(void *arg)
{
    struct request *request = arg;
    request->resumed++;
    if (request->again)
        setpay_waiter_wait(request->waiters, &request->waiter, &request->id, on_resume, request);
}

static void begin(struct request *request, struct setpay_waiters *waiters, uint8_t id)
{
    *request = (struct request){.waiters = waiters, .id = test_id(id)};
    setpay_waiter_wait(waiters, &request->waiter, &request->id, on_resume, request);
}

static void wake(struct setpay_waiters *waiters, uint8_t id)
{
    const struct setpay_store_note note = {.id = test_id(id)};
    setpay_waiters_wake(waiters, &note, 1, false);
}

/* A note resumes all who wait for its record, once, and nobody else, also in the same bucket. */
static void those_of_the_record_are_resumed(void **state)
{
    struct setpay_waiters waiters = {0};
    struct request same, too, other, neighbour;
    (void)state;
    begin(&same, &waiters, 1);
    begin(&too, &waiters, 1);
    begin(&other, &waiters, 2);
    begin(&neighbour, &waiters, 1 + SETPAY_WAITERS_BUCKETS);
    wake(&waiters, 1);
    wake(&waiters, 1);
    assert_int_equal(same.resumed, 1);
    assert_int_equal(too.resumed, 1);
    assert_int_equal(other.resumed, 0);
    assert_int_equal(neighbour.resumed, 0);
}

/* Who waits again hears of the next note, not of the same ones a second time. */
static void waiting_again_is_for_the_next_note(void **state)
{
    struct setpay_waiters waiters = {0};
    struct request request;
    const struct setpay_store_note notes[] = {{.id = test_id(1)}, {.id = test_id(1)}};
    (void)state;
    begin(&request, &waiters, 1);
    request.again = true;
    setpay_waiters_wake(&waiters, notes, 2, false);
    assert_int_equal(request.resumed, 1);
    wake(&waiters, 1);
    assert_int_equal(request.resumed, 2);
}

/* Lost notes resume everybody. */
static void lost_notes_resume_all(void **state)
{
    struct setpay_waiters waiters = {0};
    struct request first, second;
    (void)state;
    begin(&first, &waiters, 1);
    begin(&second, &waiters, 2);
    first.again = true;
    setpay_waiters_wake(&waiters, NULL, 0, true);
    assert_int_equal(first.resumed, 1);
    assert_int_equal(second.resumed, 1);
}

static void leave(void *arg)
{
    struct request *request = arg;
    setpay_waiter_leave(&request->waiter);
    request->resumed = -1;
}

/* Who has left is not resumed; leaving twice is nothing; each may leave while all are gone through.
 */
static void who_leaves_is_not_resumed(void **state)
{
    struct setpay_waiters waiters = {0};
    struct request first, second, third;
    (void)state;
    begin(&first, &waiters, 1);
    begin(&second, &waiters, 1);
    begin(&third, &waiters, 2);
    setpay_waiter_leave(&first.waiter);
    setpay_waiter_leave(&first.waiter);
    setpay_waiters_each(&waiters, leave);
    setpay_waiters_wake(&waiters, NULL, 0, true);
    assert_int_equal(first.resumed, 0);
    assert_int_equal(second.resumed, -1);
    assert_int_equal(third.resumed, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_of_the_record_are_resumed),
        cmocka_unit_test(waiting_again_is_for_the_next_note),
        cmocka_unit_test(lost_notes_resume_all),
        cmocka_unit_test(who_leaves_is_not_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
