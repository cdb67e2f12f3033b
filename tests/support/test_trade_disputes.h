/*
 * Disputes after days of trade: what is held back for them, to the last unit.
 */
#ifndef SETPAY_TEST_TRADE_DISPUTES_H
#define SETPAY_TEST_TRADE_DISPUTES_H

#include "tests/support/test_town.h"

/* Some charges are disputed, and settled so; then a third of them is lost, a third won, a third
 * stays open. */
void test_trade_dispute(struct test_town *town, test_town_report_fn *report);

#endif
