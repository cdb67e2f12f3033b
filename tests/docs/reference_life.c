/*
 * The table of all steps after a purchase, for docs/reference/states.md: for each, where the
 * gateway takes it, what it makes of the payment at the three parties, and by which error it is
 * refused elsewhere. Every cell is asked of the functions that the daemons call.
 */
#include "tests/docs/reference.h"

#include "common/base/error.h"
#include "tests/support/test_life.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SITUATIONS_MAX 64

/* What comes of a step in one situation. */
struct outcome {
    enum setpay_error error;
    char words[240]; /* of the three parties, as cells */
};

static bool live(const struct test_life_situation *situation, struct test_life *life)
{
    test_life_begin(life);
    for (size_t i = 0; i < situation->count; i++) {
        if (test_life_do(life, situation->script[i]) != SETPAY_OK)
            return false;
    }
    return true;
}

static const char *gateway_words(const struct test_life *life, char *out, size_t size)
{
    bool in_batch = life->batch != TEST_LIFE_NO_BATCH && life->payment.captured_minor > 0;
    (void)snprintf(out, size, "%s%s%s", setpay_payment_state_name(life->payment.state),
                   in_batch ? ", batch " : "", in_batch ? test_life_batch_name(life->batch) : "");
    return out;
}

static const char *party_cells(const struct test_life *life, char *out, size_t size)
{
    char gateway[80];
    (void)snprintf(out, size, "%s | %s, order `%s` | %s",
                   gateway_words(life, gateway, sizeof gateway),
                   setpay_purchase_state_name(life->merchant),
                   setpay_order_status_name(test_life_order(life)), test_life_wallet(life));
    return out;
}

static struct outcome try_op(const struct test_life_situation *situation, enum test_life_op op)
{
    struct outcome outcome = {.error = SETPAY_E_INTERNAL};
    struct test_life life;
    if (!live(situation, &life))
        return outcome;
    outcome.error = test_life_do(&life, op);
    if (outcome.error == SETPAY_OK)
        (void)party_cells(&life, outcome.words, sizeof outcome.words);
    else if (outcome.error != SETPAY_E_INTERNAL)
        (void)snprintf(outcome.words, sizeof outcome.words, "`%s` | – | –",
                       setpay_error_name(outcome.error));
    return outcome;
}

/* "1, 3–5": the situations that have this outcome and were not told yet. */
static void print_numbers(const struct outcome *outcomes, bool *told, size_t i)
{
    const char *words = outcomes[i].words;
    const char *separator = "";
    for (size_t k = i; k < test_life_situation_count; k++) {
        size_t last = k;
        if (strcmp(outcomes[k].words, words) != 0)
            continue;
        while (last + 1 < test_life_situation_count && strcmp(outcomes[last + 1].words, words) == 0)
            last++;
        for (size_t n = k; n <= last; n++)
            told[n] = true;
        if (last == k)
            printf("%s%zu", separator, k + 1);
        else
            printf("%s%zu%s%zu", separator, k + 1, last == k + 1 ? ", " : "–", last + 1);
        separator = ", ";
        k = last;
    }
}

/* The situations with one outcome are one row; those in which it can't be asked for are none. */
static void print_op(enum test_life_op op)
{
    struct outcome outcomes[SITUATIONS_MAX];
    bool told[SITUATIONS_MAX] = {false};
    bool first = true;
    for (size_t i = 0; i < test_life_situation_count; i++)
        outcomes[i] = try_op(&test_life_situations[i], op);
    for (size_t i = 0; i < test_life_situation_count; i++) {
        if (told[i] || outcomes[i].error == SETPAY_E_INTERNAL)
            continue;
        printf("| %s | ", first ? test_life_op_name(op) : "");
        print_numbers(outcomes, told, i);
        printf(" | %s |\n", outcomes[i].words);
        first = false;
    }
}

void setpay_reference_life(void)
{
    puts("\n## All steps after a purchase\n");
    setpay_reference_words(
        "What may be asked for, or happens, once the instruction is there: a payment of 10.00 EUR, "
        "parts of 1.00. A row says in which situations a step has one outcome: what the payment "
        "then is at the gateway, with the batch of its newest capture; the merchant's purchase and "
        "its order; and the status that the wallet shows. Or the error by which the gateway "
        "refuses it, and nothing changes anywhere. Where a situation is not named, the step can't "
        "be asked for or can't happen.");
    puts("");
    setpay_reference_words(
        "Each row is asked of the functions that decide, by `tests/support/test_life.c`. "
        "`tests/unit/test_gateway_life.c` walks all of it at a running gateway: every step that is "
        "legal in a situation, and every one that is refused; but for rows of an issuer's file "
        "about charges that it has not taken, which `tests/unit/test_dispute.c` tries.");
    puts("\nThe situations:\n\n| | situation | gateway | merchant | wallet |\n"
         "| --- | --- | --- | --- | --- |");
    for (size_t i = 0; i < test_life_situation_count; i++) {
        struct test_life life;
        char words[240];
        if (live(&test_life_situations[i], &life))
            printf("| %zu | %s | %s |\n", i + 1, test_life_situations[i].name,
                   party_cells(&life, words, sizeof words));
    }
    puts("\nThe steps:\n\n| step | in | gateway | merchant | wallet |\n"
         "| --- | --- | --- | --- | --- |");
    for (int op = 0; op < TEST_LIFE_OPS; op++) {
        if (op != TEST_LIFE_LOSE_CARD)
            print_op((enum test_life_op)op);
    }
}
