/*
 * What has truly happened in days of trade: by the databases and logs of those to whom it has, not
 * by the plan.
 */
#ifndef SETPAY_TEST_TRADE_SEEN_H
#define SETPAY_TEST_TRADE_SEEN_H

#include "tests/support/test_town.h"

#include <stdbool.h>
#include <stdint.h>

/* Answers to authorisations on an account of the issuer's that belonged to nothing. */
int64_t test_trade_unmatched(const struct test_town *town, const char *account);
/* Authorisations whose reversal the issuer had before it booked them. */
int64_t test_trade_overtakings(const struct test_town *town);
/* Presentments that the issuer could not take just then. */
int64_t test_trade_not_now(const struct test_town *town);

/* How often each has happened, as tallies. That each has, and that so many daemons of each kind
 * were killed, the more the larger the town's trade was: size, as a multiple of the shortest of
 * which that can be said. 0: neither is reported. */
void test_trade_all_seen(struct test_town *town, uint64_t size, test_town_report_fn *report);

#endif
