/*
 * What a merchant has said to one wallet, it says to another: the exact bytes of a PRes and of an
 * InqRes to the first, both genuine and both of an approval, in place of the answers to a second
 * real setpay-walletd that buys at the same shop with the same card number (rule A4). Before and
 * after a restart.
 *
 * The second wallet takes nothing of it: its purchase stays as it was signed until an honest answer
 * ends it. The first one's database does not change by a byte.
 */
#include "tests/support/test_world.h"

#include "common/wire/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_wallet *first, *second;
static struct test_sale *firsts;           /* purchase, in the shop's books */
static struct setpay_buffer pres, inq_res; /* as they were sent to the first */

/* ------------------------------------------------------------------ what the first was told */

/* The shop's last word in it; it is of that type. */
static void keep_word(enum setpay_message_type type, struct setpay_buffer *word)
{
    struct setpay_message message;
    test_shop_lock(test_the_world->shop);
    assert_int_equal(setpay_buffer_set(word, setpay_buffer_view(&firsts->word)), SETPAY_OK);
    test_shop_unlock(test_the_world->shop);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(word), &message), SETPAY_OK);
    assert_int_equal(message.type, type);
    setpay_message_clear(&message);
}

/* The first wallet buys, and asks how that stands: it believes both answers. */
static void buy_with_first(void)
{
    char text[SETPAY_ID_TEXT_SIZE];
    json_t *prepared = NULL;
    test_the_world->wallet = first;
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    firsts = test_shop_last(test_the_world->shop);
    json_t *paid = test_wallet_do(first, "pay.confirm", test_world_agree(prepared));
    assert_string_equal(json_string_value(json_object_get(paid, "status")), "authorised");
    keep_word(SETPAY_MESSAGE_P_RES, &pres);
    json_decref(paid);
    json_decref(prepared);
    json_t *args =
        json_pack("{s:s, s:b}", "xid", setpay_id_format(&firsts->xid, text), "refresh", 1);
    json_t *shown = test_wallet_do(first, "purchase.show", args);
    assert_string_equal(json_string_value(json_object_get(shown, "status")), "authorised");
    keep_word(SETPAY_MESSAGE_INQ_RES, &inq_res);
    json_decref(shown);
    test_the_world->wallet = second;
}

/* ------------------------------------------------------------------ what the second is told */

static void the_firsts_answer(struct test_shop *shop, struct test_sale *sale,
                              const struct setpay_message *request, struct setpay_view raw,
                              struct setpay_buffer *message)
{
    const struct setpay_buffer *kept = request->type == SETPAY_MESSAGE_P_REQ ? &pres : &inq_res;
    (void)shop, (void)sale, (void)raw;
    if (setpay_buffer_set(message, setpay_buffer_view(kept)) != SETPAY_OK)
        abort(); /* on the shop's thread */
}

static void the_other_way_about(struct test_shop *shop, struct test_sale *sale,
                                const struct setpay_message *request, struct setpay_view raw,
                                struct setpay_buffer *message)
{
    const struct setpay_buffer *kept = request->type == SETPAY_MESSAGE_P_REQ ? &inq_res : &pres;
    (void)shop, (void)sale, (void)raw;
    if (setpay_buffer_set(message, setpay_buffer_view(kept)) != SETPAY_OK)
        abort();
}

static const struct test_lie rows[] = {
    {"rule A4: another wallet's PRes and InqRes", "ANSWER_IDS A4", .instead = the_firsts_answer},
    {"rule A1: its InqRes as PRes, and its PRes as InqRes", "MESSAGE_TYPE A1",
     .instead = the_other_way_about},
};

static void refuses(void **state)
{
    const struct test_lie *lie = *state;
    char *before = test_daemon_dump(&first->daemon);
    size_t asked = test_world_attacks;
    test_world_refuses_word(lie, NULL, NULL);
    test_world_settle();
    test_world_refuses_word(lie, NULL, NULL);
    assert_int_equal(test_world_attacks, asked + 2);
    char *after = test_daemon_dump(&first->daemon);
    assert_string_equal(after, before); /* the first wallet's database */
    free(before);
    free(after);
}

/* ------------------------------------------------------------------ the program */

static int set_up(void **state)
{
    (void)state;
    setpay_buffer_init(&pres, SETPAY_LIMIT_MESSAGE_BYTES);
    setpay_buffer_init(&inq_res, SETPAY_LIMIT_MESSAGE_BYTES);
    struct test_world *world = test_world_new();
    first = world->wallet;
    second = test_world_add_wallet(world);
    buy_with_first();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    setpay_buffer_clear(&pres);
    setpay_buffer_clear(&inq_res);
    test_wallet_free(second);
    test_the_world->wallet = first;
    test_world_free(test_the_world);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[sizeof rows / sizeof *rows];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].what,
                                       .test_func = refuses,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    int failed = _cmocka_run_group_tests("walletd_others", tests, sizeof tests / sizeof *tests,
                                         set_up, tear_down);
    test_world_tally();
    return failed;
}
