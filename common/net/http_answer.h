/*
 * Parsing of an HTTP/1.1 answer: bytes in, answer out; no socket. For http_client.c, tests and
 * fuzzing.
 */
#ifndef SETPAY_NET_HTTP_ANSWER_H
#define SETPAY_NET_HTTP_ANSWER_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct setpay_http_message {
    int status;
    char content_type[128];
    bool keep_alive;
    setpay_time_ms date_ms;    /* the server's clock, to the second; 0: it did not say */
    struct setpay_buffer body; /* owned */
};

/*
 * Looks for one whole answer to a POST at the front of bytes. *complete is false, and *message
 * untouched, as long as more is needed. Interim answers (1xx) are skipped. SETPAY_E_MALFORMED for
 * what is not HTTP/1.x, and for an answer whose end only the connection's end would show, or which
 * gives its length twice; SETPAY_E_TOO_BIG for a header above SETPAY_LIMIT_HTTP_HEADER_BYTES or a
 * body above max_body; SETPAY_E_NOMEM.
 */
enum setpay_error setpay_http_answer_parse(struct setpay_view bytes, size_t max_body,
                                           bool *complete,
                                           struct setpay_http_message *message) SETPAY_MUST_CHECK;

#endif
