/*
 * The statements that a store runs, and how SQLite would find their rows: a statement that walks
 * through a table that grows with the years is slow one day, though every test is quick.
 */
#ifndef SETPAY_TEST_PLANS_H
#define SETPAY_TEST_PLANS_H

#include <stddef.h>

/* Connections that are opened from now on are listened to. Once, before the first. */
void test_plans_listen(void);
/* Forgets what was run so far. */
void test_plans_begin(void);
/* Fails the cmocka test where a statement since then would walk through a table that grows, or
 * through an index of one, and where there was none. path: the database's file. but: words of
 * statements that may, and why is the caller's to say. never: words of plans that are as bad, such
 * as an index that finds nearly all. Both end with NULL, or are NULL. Returns how many statements
 * there were. */
size_t test_plans_expect_no_scan(const char *path, const char *const *but,
                                 const char *const *never);

#endif
