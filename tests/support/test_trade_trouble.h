/*
 * What goes wrong at the issuer on days of trade, and what the gateway loses. What changes nothing
 * in the end comes by chance, whenever daemons are killed: answers that are late, or missing, or
 * come twice, lines that are lost, "not now", outages. What does change something has an hour of
 * its own on the first day, before all others trade, so that it is known of which sale it is: what
 * the issuer refuses, what is approved in its stead, what can't be presented.
 *
 * The simulator is told by its script, and forgets it when it is killed: it is spared in these
 * hours.
 */
#ifndef SETPAY_TEST_TRADE_TROUBLE_H
#define SETPAY_TEST_TRADE_TROUBLE_H

#include "tests/support/test_town.h"
#include "tests/support/test_trade_sale.h"

#include <stdbool.h>
#include <stdint.h>

/* The gateway's limits of standing in. */
extern const char test_trade_issuer_lines[];

/* By chance, one thing (test_town_killing.before); and no more. */
void test_trade_trouble(struct test_town *town, uint64_t chance);
void test_trade_trouble_ends(const struct test_town *town);

/* The issuer does not answer any more; and does again, until all is taken that was approved
 * meanwhile, or refused. */
void test_trade_outage_begins(struct test_town *town);
void test_trade_outage_ends(struct test_town *town, bool refuses, test_town_report_fn *report);

/* From now on it takes nothing that is presented; and once it has said so (of any that is), refuses
 * it for good, until test_trade_trouble_ends. */
void test_trade_refuse_now(const struct test_town *town);
void test_trade_refuse(const struct test_town *town, uint64_t seed, bool is_any);
/* The gateway loses the cards of what is planned so; and an operator writes off what it can't
 * present. Nobody is killed meanwhile. */
void test_trade_lose_cards(struct test_town *town, const struct test_trade_sale *sales,
                           uint64_t count);
void test_trade_write_off(const struct test_town *town, const struct test_trade_sale *sales,
                          uint64_t count, test_town_report_fn *report);

/* Of what is undone the next once is not answered. */
void test_trade_silence(const struct test_town *town);
/* Until test_trade_trouble_ends it books no authorisation before the gateway has given it up. */
void test_trade_hold(const struct test_town *town);
/* Answers that come too late for what is planned so, or twice, have come, and belong to nothing. */
void test_trade_odd_answers(const struct test_town *town, const struct test_trade_sale *sales,
                            uint64_t count, test_town_report_fn *report);

/* All that is planned so was reversed before it was booked, and has been booked since: as nothing.
 */
void test_trade_overtaken(const struct test_town *town, const struct test_trade_sale *sales,
                          uint64_t count, test_town_report_fn *report);

/* The day's totals are compared with the issuer's, which are wrong, and right in the end. */
void test_trade_wrong_totals(const struct test_town *town, test_town_report_fn *report);
void test_trade_right_totals(const struct test_town *town, test_town_report_fn *report);

#endif
