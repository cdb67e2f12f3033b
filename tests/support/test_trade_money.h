/*
 * What merchants are paid and accounts of the ledger hold after days of trade (test_trade_plan.h),
 * against the plan, to the last unit: and the same once a person has decided on what no issuer was
 * charged for. In euros nobody pays it: it is cleared to the issuer. In all other currencies the
 * merchant is paid it after all.
 */
#ifndef SETPAY_TEST_TRADE_MONEY_H
#define SETPAY_TEST_TRADE_MONEY_H

#include "tests/support/test_town.h"
#include "tests/support/test_trade_sale.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each is false where something is not as planned, which words says then. */

/* What was settled of each merchant and currency. */
bool test_trade_is_settled(const struct test_town *town, const struct test_trade_sale *sales,
                           uint64_t count, char *words, size_t size);
/* The accounts of each brand, merchant and currency; is_cleared: nothing is in suspense any more.
 */
bool test_trade_ledger_agrees(const struct test_town *town, const struct test_trade_sale *sales,
                              uint64_t count, bool is_cleared, char *words, size_t size);
/* What was cleared to each merchant is settled. */
bool test_trade_cleared_is_settled(const struct test_town *town,
                                   const struct test_trade_sale *sales, uint64_t count, char *words,
                                   size_t size);

/* A person decides on all that is in suspense: of what goes to the issuer in two parts. */
bool test_trade_clear_suspense(const struct test_town *town, char *words, size_t size);

#endif
