/*
 * What the store's API has answered in a test is written down, where tests/run.sh says so, for
 * tests/peers/answers.mjs to hold it to the API's description.
 */
#ifndef SETPAY_TEST_ANSWERED_H
#define SETPAY_TEST_ANSWERED_H

/*
 * A request and its whole answer, as they crossed the line: NUL-terminated, head and body. Only
 * requests for paths below /api/v1 are kept: { method, path, status, type, body } as a line of JSON
 * in the folder SETPAY_API_ANSWERS, in a file of this process. Without that folder nothing is.
 */
void test_answered(const char *request, const char *answer);

#endif
