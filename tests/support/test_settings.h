/*
 * Changing the configuration of a sandbox's daemon (test_sandbox.h) while it does not run.
 */
#ifndef SETPAY_TEST_SETTINGS_H
#define SETPAY_TEST_SETTINGS_H

#include "tests/support/test_sandbox.h"

/* settings: "key = value" or "[section] key = value", a line each; they take the place of those
 * that the file has for the same keys. A section must be there. */
void test_sandbox_configure(const struct test_sandbox *sandbox, enum test_daemon daemon,
                            const char *settings);

#endif
