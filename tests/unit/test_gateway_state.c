/*
 * The gateway's decisions as pure functions: the table of payment states with every pair of state
 * and event, what an answer of the network means, and the boxes of its vault.
 */
#include "gateway/payment/auth.h"
#include "gateway/payment/payment_state.h"
#include "gateway/payment/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NONE SETPAY_PAYMENT_NONE
#define ASKING SETPAY_PAYMENT_ASKING
#define APPROVED SETPAY_PAYMENT_APPROVED
#define DECLINED SETPAY_PAYMENT_DECLINED
#define VOIDED SETPAY_PAYMENT_VOIDED
#define REVERSED SETPAY_PAYMENT_REVERSED
#define CAPTURED SETPAY_PAYMENT_CAPTURED

/* Every way that there is; all others must be refused. */
static const struct {
    enum setpay_payment_state from;
    enum setpay_payment_event event;
    enum setpay_payment_state to;
} ways[] = {
    {NONE, SETPAY_PAYMENT_AUTHORISE, ASKING},
    {NONE, SETPAY_PAYMENT_VOID, VOIDED},
    {ASKING, SETPAY_PAYMENT_APPROVE, APPROVED},
    {ASKING, SETPAY_PAYMENT_DECLINE, DECLINED},
    {ASKING, SETPAY_PAYMENT_FAIL, DECLINED},
    {APPROVED, SETPAY_PAYMENT_REVERSE_PART, APPROVED},
    {APPROVED, SETPAY_PAYMENT_REVERSE_WHOLE, REVERSED},
    {APPROVED, SETPAY_PAYMENT_CAPTURE, CAPTURED},
    {CAPTURED, SETPAY_PAYMENT_REVERSE_PART, CAPTURED},
    {CAPTURED, SETPAY_PAYMENT_REVERSE_WHOLE, CAPTURED},
    {CAPTURED, SETPAY_PAYMENT_CAPTURE, CAPTURED},
    {CAPTURED, SETPAY_PAYMENT_UNCAPTURE_PART, CAPTURED},
    {CAPTURED, SETPAY_PAYMENT_UNCAPTURE_WHOLE, APPROVED},
    {CAPTURED, SETPAY_PAYMENT_UNDO_SALE, REVERSED},
    {CAPTURED, SETPAY_PAYMENT_CREDIT, CAPTURED},
    {CAPTURED, SETPAY_PAYMENT_UNCREDIT, CAPTURED},
};

static enum setpay_error refusal_of(enum setpay_payment_state from, enum setpay_payment_event event)
{
    switch (event) {
    case SETPAY_PAYMENT_AUTHORISE:
    case SETPAY_PAYMENT_VOID:
        return SETPAY_E_PI_USED; /* rule G6: there is a row */
    case SETPAY_PAYMENT_REVERSE_PART:
    case SETPAY_PAYMENT_REVERSE_WHOLE:
    case SETPAY_PAYMENT_CAPTURE:
    case SETPAY_PAYMENT_UNCAPTURE_PART:
    case SETPAY_PAYMENT_UNCAPTURE_WHOLE:
    case SETPAY_PAYMENT_UNDO_SALE:
    case SETPAY_PAYMENT_CREDIT:
    case SETPAY_PAYMENT_UNCREDIT:
        return from == REVERSED ? SETPAY_E_STATE : SETPAY_E_TOKEN; /* rule G9: never given one */
    default:
        return SETPAY_E_STATE;
    }
}

static void takes_the_permitted_ways_only(void **state)
{
    (void)state;
    for (int from = NONE; from < SETPAY_PAYMENT_STATES; from++) {
        for (int event = 0; event < SETPAY_PAYMENT_EVENTS; event++) {
            enum setpay_payment_state next = (enum setpay_payment_state)99;
            enum setpay_payment_state to = NONE;
            enum setpay_error error = setpay_payment_state_next(
                (enum setpay_payment_state)from, (enum setpay_payment_event)event, &next);
            for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
                if ((int)ways[i].from == from && (int)ways[i].event == event)
                    to = ways[i].to;
            }
            print_message("# %s, %s\n", setpay_payment_state_name((enum setpay_payment_state)from),
                          setpay_payment_event_name((enum setpay_payment_event)event));
            if (to != NONE) {
                assert_int_equal(error, SETPAY_OK);
                assert_int_equal(next, to);
            } else {
                assert_int_equal(error, refusal_of((enum setpay_payment_state)from,
                                                   (enum setpay_payment_event)event));
                assert_int_equal(next, 99);
            }
        }
    }
}

static void refuses_numbers_that_are_none(void **state)
{
    enum setpay_payment_state next = NONE;
    (void)state;
    assert_int_equal(setpay_payment_state_next((enum setpay_payment_state)SETPAY_PAYMENT_STATES,
                                               SETPAY_PAYMENT_VOID, &next),
                     SETPAY_E_INTERNAL);
    assert_int_equal(
        setpay_payment_state_next(NONE, (enum setpay_payment_event)SETPAY_PAYMENT_EVENTS, &next),
        SETPAY_E_INTERNAL);
    assert_string_equal(setpay_payment_state_name((enum setpay_payment_state)77), "unknown");
    assert_string_equal(setpay_payment_event_name((enum setpay_payment_event)77), "unknown");
}

/* ------------------------------------------------------------------ the network's answer */

static struct setpay_payment asked_for(int64_t minor, bool partial_allowed)
{
    struct setpay_payment payment = {.state = ASKING, .partial_allowed = partial_allowed};
    payment.amount.minor = minor;
    memcpy(payment.amount.currency, "EUR", 4);
    return payment;
}

struct answer_case {
    const char *what;
    enum setpay_network_outcome outcome;
    const char *code;
    int64_t minor;
    const char *currency;
    bool partial_allowed;
    enum setpay_payment_event event;
    const char *action;
    int64_t approved;
};

static void judges_answers(void **state)
{
    static const struct answer_case cases[] = {
        {"approved", SETPAY_NETWORK_ANSWERED, "00", 1000, "EUR", false, SETPAY_PAYMENT_APPROVE,
         "00", 1000},
        {"approved where a part would do", SETPAY_NETWORK_ANSWERED, "00", 1000, "EUR", true,
         SETPAY_PAYMENT_APPROVE, "00", 1000},
        {"a part, allowed", SETPAY_NETWORK_ANSWERED, "10", 400, "EUR", true, SETPAY_PAYMENT_APPROVE,
         "10", 400},
        {"a part, not allowed (rule G11)", SETPAY_NETWORK_ANSWERED, "10", 400, "EUR", false,
         SETPAY_PAYMENT_FAIL, "13", 0},
        {"a part under code 00, not allowed (rule G11)", SETPAY_NETWORK_ANSWERED, "00", 400, "EUR",
         false, SETPAY_PAYMENT_FAIL, "13", 0},
        {"more than asked", SETPAY_NETWORK_ANSWERED, "00", 1001, "EUR", true, SETPAY_PAYMENT_FAIL,
         "96", 0},
        {"nothing, approved", SETPAY_NETWORK_ANSWERED, "00", 0, "EUR", true, SETPAY_PAYMENT_FAIL,
         "96", 0},
        {"below nothing", SETPAY_NETWORK_ANSWERED, "00", -5, "EUR", true, SETPAY_PAYMENT_FAIL, "96",
         0},
        {"another currency", SETPAY_NETWORK_ANSWERED, "00", 1000, "USD", true, SETPAY_PAYMENT_FAIL,
         "96", 0},
        {"declined", SETPAY_NETWORK_ANSWERED, "51", 0, "EUR", true, SETPAY_PAYMENT_DECLINE, "51",
         0},
        {"not sent", SETPAY_NETWORK_NOT_SENT, "", 0, "EUR", true, SETPAY_PAYMENT_DECLINE, "91", 0},
        {"no answer (rule G7)", SETPAY_NETWORK_UNKNOWN, "", 0, "EUR", true, SETPAY_PAYMENT_FAIL,
         "91", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct answer_case *c = &cases[i];
        const struct setpay_payment payment = asked_for(1000, c->partial_allowed);
        struct setpay_network_answer answer = {.outcome = c->outcome};
        struct setpay_auth_decision decision;
        print_message("# %s\n", c->what);
        (void)snprintf(answer.response_code, sizeof answer.response_code, "%s", c->code);
        answer.amount.minor = c->minor;
        memcpy(answer.amount.currency, c->currency, 4);
        setpay_auth_decide(&payment, &answer, &decision);
        assert_int_equal(decision.event, c->event);
        assert_string_equal(decision.action_code, c->action);
        assert_string_equal(decision.rule, c->event != SETPAY_PAYMENT_FAIL ? ""
                                           : strcmp(c->action, "13") == 0  ? "G11"
                                                                           : "G7");
        assert_int_equal(decision.approved_minor, c->approved);
    }
}

static void applies_decisions_to_asking_payments_only(void **state)
{
    struct setpay_auth_decision decision = {.event = SETPAY_PAYMENT_APPROVE,
                                            .approved_minor = 1000,
                                            .action_code = "00",
                                            .approval_code = "123456"};
    const struct setpay_id token = {{7}};
    (void)state;
    for (int from = NONE; from < SETPAY_PAYMENT_STATES; from++) {
        struct setpay_payment payment = asked_for(1000, false);
        payment.state = (enum setpay_payment_state)from;
        const struct setpay_payment before = payment;
        enum setpay_error error = setpay_auth_apply(&payment, &decision, 5000, &token, 100);
        if (from == ASKING) {
            assert_int_equal(error, SETPAY_OK);
            assert_int_equal(payment.state, APPROVED);
            assert_int_equal(payment.approved_minor, 1000);
            assert_int_equal(payment.hold_expiry_ms, 5100);
            assert_true(payment.has_cap_token && setpay_id_equal(&payment.cap_token, &token));
        } else {
            assert_int_not_equal(error, SETPAY_OK);
            assert_memory_equal(&payment, &before, sizeof payment);
        }
    }
}

static void gives_no_token_for_a_decline(void **state)
{
    static const enum setpay_payment_event events[] = {SETPAY_PAYMENT_DECLINE, SETPAY_PAYMENT_FAIL};
    const struct setpay_id token = {{7}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct setpay_payment payment = asked_for(1000, false);
        struct setpay_auth_decision decision = {.event = events[i], .action_code = "05"};
        assert_int_equal(setpay_auth_apply(&payment, &decision, 5000, &token, 100), SETPAY_OK);
        assert_int_equal(payment.state, DECLINED);
        assert_false(payment.has_cap_token);
        assert_int_equal(payment.hold_expiry_ms, 0);
        assert_int_equal(payment.approved_minor, 0);
    }
}

/* ------------------------------------------------------------------ card numbers (rule G5) */

static void knows_card_numbers(void **state)
{
    static const struct {
        const char *pan;
        bool good;
    } cases[] = {
        {"4242424242424242", true},  {"4000000000000002", true},   {"4242424242424241", false},
        {"5555555555554444", false}, {"4222222222222", true},      {"42424242424", false},
        {"424242424242424x", false}, {"00000000000000000", false}, {"4242 4242 4242 4242", false},
    };
    struct setpay_prefixes prefixes;
    struct setpay_problem problem;
    (void)state;
    assert_int_equal(setpay_prefixes_parse("4", &prefixes, &problem), SETPAY_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct setpay_secret pan = {0};
        print_message("# case %zu\n", i);
        assert_int_equal(setpay_secret_copy(&pan, setpay_view_string(cases[i].pan)), SETPAY_OK);
        assert_int_equal(setpay_pan_check(&pan, &prefixes),
                         cases[i].good ? SETPAY_OK : SETPAY_E_ACCOUNT);
        setpay_secret_clear(&pan);
    }
}

/* rule G10: a box opens for its own payment and column only, so that none can take another's place
 * in the database; and what rests in it is not the number. */
static void a_box_of_the_vault_has_one_place(void **state)
{
    static const char pan[] = "4000000000000002";
    char path[] = "/tmp/setpay-test-vault-XXXXXX";
    struct setpay_vault *vault = NULL;
    struct setpay_problem problem = {{0}};
    struct setpay_secret plain = {0}, opened = {0};
    struct setpay_buffer box;
    const struct setpay_id one = {{1}}, two = {{2}};
    (void)state;
    setpay_buffer_init(&box, 1024);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (int i = 0; i < 32; i++)
        assert_int_equal(write(fd, "a7", 2), 2);
    close(fd);
    assert_int_equal(setpay_vault_open(path, &vault, &problem), SETPAY_OK);
    unlink(path);
    assert_int_equal(setpay_secret_copy(&plain, setpay_view_string(pan)), SETPAY_OK);
    assert_int_equal(setpay_vault_seal(vault, SETPAY_VAULT_PAN, &one, &plain, &box), SETPAY_OK);
    struct setpay_view bytes = setpay_buffer_view(&box);
    assert_null(memmem(bytes.data, bytes.size, pan, strlen(pan)));
    assert_int_equal(setpay_vault_open_box(vault, SETPAY_VAULT_PAN, &two, bytes, &opened),
                     SETPAY_E_CRYPTO);
    assert_int_equal(setpay_vault_open_box(vault, SETPAY_VAULT_BACK_KEY, &one, bytes, &opened),
                     SETPAY_E_CRYPTO);
    assert_null(opened.data);
    assert_int_equal(setpay_vault_open_box(vault, SETPAY_VAULT_PAN, &one, bytes, &opened),
                     SETPAY_OK);
    assert_true(setpay_secret_equal(&plain, &opened));
    setpay_secret_clear(&plain);
    setpay_secret_clear(&opened);
    setpay_buffer_clear(&box);
    setpay_vault_free(vault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_permitted_ways_only),
        cmocka_unit_test(refuses_numbers_that_are_none),
        cmocka_unit_test(judges_answers),
        cmocka_unit_test(applies_decisions_to_asking_payments_only),
        cmocka_unit_test(gives_no_token_for_a_decline),
        cmocka_unit_test(knows_card_numbers),
        cmocka_unit_test(a_box_of_the_vault_has_one_place),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
