/*
 * The bytes of an HTTP request. They may hold secrets (a password, a card's data in a certificate
 * request): there is one copy of them, counted by references since a connection may still be
 * sending it when its exchange has gone, and it is cleansed when the last one is given back.
 */
#ifndef SETPAY_NET_HTTP_SEND_H
#define SETPAY_NET_HTTP_SEND_H

#include "common/base/error.h"
#include "common/net/http_client.h"

#include <event2/buffer.h>

struct setpay_http_bytes;

/* SETPAY_E_INVALID where a text of the ask would end or split a header line, SETPAY_E_NOMEM. */
enum setpay_error setpay_http_bytes_new(const struct setpay_http_ask *ask,
                                        struct setpay_http_bytes **bytes) SETPAY_MUST_CHECK;
/* NULL-safe. */
void setpay_http_bytes_unref(struct setpay_http_bytes *bytes);
/* Puts them behind what output holds, without a copy. SETPAY_E_NOMEM. */
enum setpay_error setpay_http_bytes_send(struct setpay_http_bytes *bytes,
                                         struct evbuffer *output) SETPAY_MUST_CHECK;

#endif
