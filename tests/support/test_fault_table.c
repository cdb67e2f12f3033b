/*
 * The table: what there is of hops, messages, ways and kinds, wherever the kind applies.
 */
#include "tests/support/test_fault_table.h"

#include <stdlib.h>
#include <string.h>

struct table {
    struct test_case *cases;
    size_t count;
    int unit_ms;
    const char *only;
};

static enum test_scenario scenario_of(enum test_passing passing)
{
    switch (passing) {
    case TEST_CONNECT:
    case TEST_SIGN_ON:
        return TEST_KICK;
    case TEST_ORDER_VOID:
    case TEST_AUTH_REV:
        return TEST_REVERSE;
    case TEST_ORDER_CAPTURE:
    case TEST_ORDER_REFUND:
    case TEST_CAP:
    case TEST_CRED:
        return TEST_TAKE;
    case TEST_ORDER_UNDO:
    case TEST_CAP_REV:
    case TEST_CRED_REV:
        return TEST_UNDO;
    case TEST_BATCH_CLOSE:
    case TEST_BATCH_ADMIN:
        return TEST_CLOSE;
    case TEST_ORDER_AUTHORISE:
    case TEST_AUTH_FURTHER:
        return TEST_PARTS;
    case TEST_CAN:
    case TEST_AUTH_CAN:
        return TEST_PARTS_END;
    case TEST_ORDER_CANCEL:
        return TEST_CANCEL_OPEN;
    case TEST_INQ:
        return TEST_INQUIRE;
    case TEST_AUTH_VOID:
        return TEST_CANCEL;
    case TEST_0400:
        return TEST_TIME_OUT;
    case TEST_PCERT:
    case TEST_ECHO:
        return TEST_WAIT;
    default:
        return TEST_PAY;
    }
}

static enum test_phase phase_of(const struct test_fault *fault)
{
    bool is_shared = fault->hop == TEST_HOP_GATEWAY || fault->hop == TEST_HOP_ISSUER;
    if (fault->passing == TEST_ECHO)
        return TEST_IDLE;
    /* What stands in a closed batch can't be undone any more. */
    if (fault->passing == TEST_BATCH_ADMIN || fault->passing == TEST_BATCH_CLOSE)
        return TEST_CLOSINGS;
    return is_shared && (fault->kind >= TEST_FAULT_CUT || fault->passing == TEST_SIGN_ON)
               ? TEST_SHARED
               : TEST_ONE_PURCHASE;
}

/* Past the time-out of whoever waits for the message. */
static int delay_past(enum test_hop hop, int unit_ms)
{
    return (hop == TEST_HOP_WALLET || hop == TEST_HOP_STORE ? 10 : 6) * unit_ms;
}

static void add_case(struct table *table, struct test_fault fault, unsigned count,
                     enum test_cut cut)
{
    char words[256];
    bool is_hop_wide = fault.passing == TEST_CONNECT || fault.passing == TEST_PCERT ||
                       fault.passing == TEST_SIGN_ON || fault.passing == TEST_ECHO ||
                       fault.passing == TEST_BATCH_ADMIN;
    fault.count = count;
    fault.cut = cut;
    fault.delay_ms = delay_past(fault.hop, table->unit_ms);
    fault.lane = is_hop_wide ? TEST_ANY_LANE : 0;
    test_fault_describe(&fault, words, sizeof words);
    if (table->only != NULL && strstr(words, table->only) == NULL)
        return;
    if (table->count == TEST_CASES_MAX)
        abort();
    table->cases[table->count] = (struct test_case){.scenario = scenario_of(fault.passing),
                                                    .phase = phase_of(&fault),
                                                    .place = (unsigned)table->count * 2654435761U,
                                                    .fault = fault};
    table->count++;
}

static void add_cases(struct table *table, const struct test_fault *fault)
{
    switch (fault->kind) {
    case TEST_FAULT_DROP:
        for (unsigned count = 1; count <= 3; count++)
            add_case(table, *fault, count, TEST_CUT_MIDDLE);
        break;
    case TEST_FAULT_CUT:
        for (int cut = 0; cut < TEST_CUTS; cut++)
            add_case(table, *fault, 1, (enum test_cut)cut);
        break;
    case TEST_FAULT_CUT_RECORD:
        add_case(table, *fault, 1, TEST_CUT_HEADER);
        add_case(table, *fault, 1, TEST_CUT_MIDDLE);
        break;
    default:
        add_case(table, *fault, 1, TEST_CUT_MIDDLE);
        if (fault->passing == TEST_CONNECT && fault->kind != TEST_FAULT_STALL)
            add_case(table, *fault, 3, TEST_CUT_MIDDLE);
        break;
    }
}

static void make_cases(struct table *table)
{
    for (int hop = 0; hop < TEST_HOPS; hop++) {
        for (int passing = 0; passing < TEST_PASSINGS; passing++) {
            for (int way = 0; way < TEST_WAYS; way++) {
                for (int kind = 0; kind < TEST_FAULT_KINDS; kind++) {
                    const struct test_fault fault = {.hop = (enum test_hop)hop,
                                                     .way = (enum test_way)way,
                                                     .passing = (enum test_passing)passing,
                                                     .kind = (enum test_fault_kind)kind};
                    if (test_fault_applies(fault.hop, fault.way, fault.passing, fault.kind))
                        add_cases(table, &fault);
                }
            }
        }
    }
}

/* Of one phase: mixed, so that not all purchases wait for the same at once. */
static int by_phase(const void *a, const void *b)
{
    const struct test_case *left = a, *right = b;
    if (left->phase != right->phase)
        return left->phase < right->phase ? -1 : 1;
    return left->place < right->place ? -1 : left->place > right->place;
}

size_t test_fault_table(struct test_case cases[TEST_CASES_MAX], int unit_ms, const char *only)
{
    struct table table = {.cases = cases, .unit_ms = unit_ms, .only = only};
    make_cases(&table);
    qsort(cases, table.count, sizeof cases[0], by_phase);
    return table.count;
}
