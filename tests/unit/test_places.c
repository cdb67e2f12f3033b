/*
 * Places before the registrar: however many strangers there are, a holder of a certificate finds
 * one, and no holder takes those of all others.
 */
#include "ca/places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct setpay_digest who(unsigned number)
{
    struct setpay_digest digest;
    memset(&digest, 0, sizeof digest);
    memcpy(digest.bytes, &number, sizeof number);
    return digest;
}

static bool take(struct setpay_places *places, enum setpay_place place, unsigned number)
{
    struct setpay_digest digest = who(number);
    return setpay_places_take(places, place, &digest);
}

static void give_back(struct setpay_places *places, enum setpay_place place, unsigned number)
{
    struct setpay_digest digest = who(number);
    setpay_places_give_back(places, place, &digest);
}

/* As many as there are for that kind, each somebody else's. */
static unsigned fill(struct setpay_places *places, enum setpay_place place)
{
    unsigned count = 0;
    while (count < 1000 && take(places, place, 100 + count))
        count++;
    return count;
}

static int make(void **state)
{
    struct setpay_places *places = NULL;
    if (setpay_places_new(&places) != SETPAY_OK)
        return 1;
    *state = places;
    return 0;
}

static int end(void **state)
{
    setpay_places_free(*state);
    return 0;
}

static void strangers_leave_room_for_holders(void **state)
{
    struct setpay_places *places = *state;
    assert_int_equal(fill(places, SETPAY_PLACE_STRANGER), SETPAY_PLACES_STRANGERS);
    assert_true(take(places, SETPAY_PLACE_HOLDER, 1));
    assert_true(take(places, SETPAY_PLACE_OPERATOR, 0));
    assert_int_equal(fill(places, SETPAY_PLACE_HOLDER), SETPAY_PLACES_HOLDERS - 1);
    assert_false(take(places, SETPAY_PLACE_STRANGER, 1));
    assert_true(take(places, SETPAY_PLACE_OPERATOR, 0));
}

static void one_has_a_few_and_leaves_the_others_theirs(void **state)
{
    struct setpay_places *places = *state;
    for (int i = 0; i < SETPAY_PLACES_STRANGER; i++)
        assert_true(take(places, SETPAY_PLACE_STRANGER, 7));
    assert_false(take(places, SETPAY_PLACE_STRANGER, 7));
    assert_true(take(places, SETPAY_PLACE_STRANGER, 8));
    for (int i = 0; i < SETPAY_PLACES_HOLDER; i++)
        assert_true(take(places, SETPAY_PLACE_HOLDER, 7)); /* not the address 7 */
    assert_false(take(places, SETPAY_PLACE_HOLDER, 7));
    assert_true(take(places, SETPAY_PLACE_HOLDER, 8));
}

static void a_place_that_was_given_back_is_anybodys(void **state)
{
    struct setpay_places *places = *state;
    assert_int_equal(fill(places, SETPAY_PLACE_STRANGER), SETPAY_PLACES_STRANGERS);
    give_back(places, SETPAY_PLACE_STRANGER, 100);
    assert_true(take(places, SETPAY_PLACE_STRANGER, 7));
    assert_false(take(places, SETPAY_PLACE_STRANGER, 8));
    give_back(places, SETPAY_PLACE_HOLDER, 7); /* none was taken: nothing comes of it */
    assert_false(take(places, SETPAY_PLACE_STRANGER, 8));
    for (unsigned i = 1; i < SETPAY_PLACES_STRANGERS; i++)
        give_back(places, SETPAY_PLACE_STRANGER, 100 + i);
    give_back(places, SETPAY_PLACE_STRANGER, 7);
    assert_int_equal(fill(places, SETPAY_PLACE_STRANGER), SETPAY_PLACES_STRANGERS);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, make, end)
    const struct CMUnitTest tests[] = {
        WITH(strangers_leave_room_for_holders),
        WITH(one_has_a_few_and_leaves_the_others_theirs),
        WITH(a_place_that_was_given_back_is_anybodys),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
