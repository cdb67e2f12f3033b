/*
 * Every fault that is to be tried, made by rule: each kind on each hop, each way, at each message
 * of a purchase and of its void, cancel and reversal.
 */
#ifndef SETPAY_TEST_FAULT_TABLE_H
#define SETPAY_TEST_FAULT_TABLE_H

#include "tests/support/test_fault.h"

#include <stddef.h>

#define TEST_CASES_MAX 1024

/* What is done so that the message comes. */
enum test_scenario {
    TEST_PAY,
    TEST_INQUIRE,     /* pay, and the answer to PReq is dropped */
    TEST_TIME_OUT,    /* pay, and the answer to 0100 is dropped */
    TEST_CANCEL,      /* pay, and the store cancels before AuthReq comes through */
    TEST_REVERSE,     /* pay, and the store voids it then */
    TEST_TAKE,        /* pay, and the store captures it then, and gives it back */
    TEST_UNDO,        /* the same, and each is undone */
    TEST_CLOSE,       /* pay, the store captures it then, and closes the batch */
    TEST_CANCEL_OPEN, /* the store cancels what nobody pays */
    TEST_PARTS,       /* pay a part, and the store takes the other */
    TEST_PARTS_END,   /* pay a part, and the shopper cancels what was agreed to */
    TEST_WAIT,        /* it comes by itself */
    TEST_KICK,        /* connections are made anew */
};

/* First what concerns one purchase alone, then what breaks connections that all share, then
 * closings of batches, after which nothing can be undone any more, at last echoes, which need a
 * line on which nothing else passes. */
enum test_phase { TEST_ONE_PURCHASE, TEST_SHARED, TEST_CLOSINGS, TEST_IDLE };

struct test_case {
    enum test_scenario scenario;
    enum test_phase phase;
    unsigned place; /* in its phase: mixed, so that not all purchases wait for the same at once */
    struct test_fault fault; /* lane 0 stands for that of the purchase */
};

/* By phase; how many. Delays are made of unit_ms; only: text that a case's description must have,
 * or NULL. */
size_t test_fault_table(struct test_case cases[TEST_CASES_MAX], int unit_ms, const char *only);

#endif
