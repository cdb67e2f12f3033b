/*
 * How long a test may take before it is ended by SIGALRM: as run.sh's limit for a test (TIMEOUT) is
 * raised for what runs slower, under a sanitiser or beside others, so is each test's own.
 */
#ifndef SETPAY_TESTS_LIMIT_H
#define SETPAY_TESTS_LIMIT_H

#include <stdlib.h>
#include <unistd.h>

#define TEST_LIMIT_USUAL_S 300

static inline void test_alarm(unsigned seconds)
{
    const char *text = getenv("TIMEOUT");
    unsigned long limit_s = text != NULL ? strtoul(text, NULL, 10) : 0;
    unsigned long times = limit_s > TEST_LIMIT_USUAL_S ? limit_s / TEST_LIMIT_USUAL_S : 1;
    (void)alarm(seconds * (unsigned)(times < 100 ? times : 100));
}

#endif
