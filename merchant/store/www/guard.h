/*
 * How much one visitor of the shop's pages may have at a time: orders that nobody has paid, carts,
 * pages that follow an order, connections. Whoever is beyond has to wait, and nobody else has to.
 *
 * Visitors are told apart by their cookie, which anybody can throw away, and by their address. An
 * address is known as a digest under a key that ends with the process: it can't be read back, and a
 * restart begins anew. Of IPv6 it is the network (/64), which is one visitor's. Behind a proxy it
 * is what the proxy says, where its own address is one of those that are believed; where it says
 * nothing, the address is unknown, and the cookie alone counts.
 *
 * One for all workers; its functions may be called by any thread.
 */
#ifndef SETPAY_MERCHANT_WWW_GUARD_H
#define SETPAY_MERCHANT_WWW_GUARD_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/net/http_server.h"
#include "common/net/remote.h"
#include "common/store/db.h"
#include "merchant/store/webhook/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SQL for a migration of the merchant's database: by whom orders were made that may not be paid
 * yet. client: NULL where it is unknown. */
#define SETPAY_GUARD_SCHEMA                                                                        \
    "CREATE TABLE order_visitor ("                                                                 \
    " order_id TEXT PRIMARY KEY,"                                                                  \
    " visitor BLOB NOT NULL,"                                                                      \
    " client BLOB);"                                                                               \
    "CREATE INDEX order_visitor_visitor ON order_visitor (visitor);"                               \
    "CREATE INDEX order_visitor_client ON order_visitor (client);"

struct setpay_guard_options {
    struct setpay_networks proxies; /* whose X-Forwarded-For is believed */
    int64_t orders_client;          /* unpaid orders of one address; 0: no limit, so the others */
    int64_t orders_visitor;         /* of one cookie */
    int64_t carts_client;
    size_t streams; /* pages that follow an order, in all; 1 or more */
    size_t streams_client;
    size_t connections_client; /* to one worker */
};
/* What there is without a configuration. */
extern const struct setpay_guard_options setpay_guard_defaults;

struct setpay_guard;

/* SETPAY_E_NOMEM, SETPAY_E_RANDOM. */
enum setpay_error setpay_guard_new(const struct setpay_guard_options *options,
                                   struct setpay_guard **guard) SETPAY_MUST_CHECK;
/* NULL-safe. */
void setpay_guard_free(struct setpay_guard *guard);
int64_t setpay_guard_carts(const struct setpay_guard *guard);
size_t setpay_guard_connections(const struct setpay_guard *guard);
/* Whether that is one of the proxies that are believed, through which many come. */
bool setpay_guard_is_proxy(const struct setpay_guard *guard, const struct sockaddr *address);

/* Whose request it is. SETPAY_E_NOT_FOUND: unknown. SETPAY_E_CRYPTO. */
enum setpay_error setpay_guard_client(const struct setpay_guard *guard,
                                      const struct setpay_http_request *request,
                                      struct setpay_digest *client) SETPAY_MUST_CHECK;
/* Whether the browser asks over TLS: a proxy that is believed says so, by the last word of
 * X-Forwarded-Proto. */
bool setpay_guard_is_https(const struct setpay_guard *guard,
                           const struct setpay_http_request *request);
/* The same of remote, and of what was forwarded (NULL: nothing). Pure. */
bool setpay_guard_says_https(const struct setpay_networks *proxies, const char *remote,
                             const char *forwarded);
/* The address that counts, as text: remote, or where that is a proxy that is believed, the last of
 * forwarded (NULL: it says nothing). Pure. SETPAY_E_NOT_FOUND: unknown. */
#define SETPAY_GUARD_ADDRESS_SIZE SETPAY_REMOTE_SIZE
enum setpay_error setpay_guard_address(const struct setpay_networks *proxies, const char *remote,
                                       const char *forwarded,
                                       char address[SETPAY_GUARD_ADDRESS_SIZE]) SETPAY_MUST_CHECK;

/* Inside the operation that makes the order, before it is inserted: remembers by whom. client may
 * be NULL. SETPAY_E_BUSY: too many of theirs are not paid; nothing was written. */
enum setpay_error setpay_guard_order(struct setpay_db *db, const struct setpay_guard *guard,
                                     const char *order_id, const struct setpay_digest *visitor,
                                     const struct setpay_digest *client,
                                     setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Forgets by whom those were made that are paid, ended or expired, up to room of them. */
enum setpay_error setpay_guard_purge(struct setpay_db *db, setpay_time_ms now_ms, int64_t room,
                                     int64_t *deleted) SETPAY_MUST_CHECK;

/* One more page that follows an order; who may be NULL. False: there are too many. */
bool setpay_guard_stream_begin(struct setpay_guard *guard, const struct setpay_digest *who);
/* One fewer; of those that have begun. */
void setpay_guard_stream_end(struct setpay_guard *guard, const struct setpay_digest *who);

#endif
