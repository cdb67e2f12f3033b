/*
 * Visitors told apart and counted.
 */
#include "merchant/store/www/guard.h"

#include "common/crypto/hash.h"
#include "common/net/remote.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct setpay_guard_options setpay_guard_defaults = {
    .orders_client = 60,
    .orders_visitor = 20,
    .carts_client = 500,
    .streams = 256,
    .streams_client = 16,
    .connections_client = 256,
};

/* How many streams somebody has. */
struct streams_of {
    struct setpay_digest who;
    size_t count; /* 0: the entry is free */
};

struct setpay_guard {
    struct setpay_guard_options options;
    struct setpay_id key; /* of addresses' digests */
    pthread_mutex_t lock;
    size_t streams;           /* under the lock, so the next */
    struct streams_of *known; /* owned; as many as there may be streams */
};

enum setpay_error setpay_guard_new(const struct setpay_guard_options *options,
                                   struct setpay_guard **guard)
{
    struct setpay_guard *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->options = *options;
    made->known = calloc(options->streams, sizeof *made->known);
    (void)pthread_mutex_init(&made->lock, NULL);
    enum setpay_error error = made->known == NULL ? SETPAY_E_NOMEM : setpay_id_random(&made->key);
    if (error == SETPAY_OK)
        *guard = made;
    else
        setpay_guard_free(made);
    return error;
}

void setpay_guard_free(struct setpay_guard *guard)
{
    if (guard == NULL)
        return;
    (void)pthread_mutex_destroy(&guard->lock);
    free(guard->known);
    free(guard);
}

int64_t setpay_guard_carts(const struct setpay_guard *guard)
{
    return guard->options.carts_client;
}

size_t setpay_guard_connections(const struct setpay_guard *guard)
{
    return guard->options.connections_client;
}

bool setpay_guard_is_proxy(const struct setpay_guard *guard, const struct sockaddr *address)
{
    return setpay_networks_have(&guard->options.proxies, address);
}

/* ------------------------------------------------------------------ addresses */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool read_address(const char *text, union address *address)
{
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        return true;
    }
    address->v6.sin6_family = AF_INET6;
    return inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1;
}

/* Each proxy adds whom it was asked by behind what it was told; only the last was seen by one that
 * is believed. Some write "[2001:db8::1]:4711" or "192.0.2.1:4711". */
static void last_of(const char *forwarded, char out[SETPAY_GUARD_ADDRESS_SIZE])
{
    const char *comma = strrchr(forwarded, ',');
    const char *start = comma != NULL ? comma + 1 : forwarded;
    start += strspn(start, " \t[");
    size_t length = strcspn(start, " \t]");
    const char *colon = memchr(start, ':', length);
    if (colon != NULL && memchr(start, '.', (size_t)(colon - start)) != NULL)
        length = (size_t)(colon - start);
    (void)snprintf(out, SETPAY_GUARD_ADDRESS_SIZE, "%.*s", (int)(length < 60 ? length : 0), start);
}

enum setpay_error setpay_guard_address(const struct setpay_networks *proxies, const char *remote,
                                       const char *forwarded,
                                       char address[SETPAY_GUARD_ADDRESS_SIZE])
{
    union address read;
    char last[SETPAY_GUARD_ADDRESS_SIZE];
    if (!read_address(remote, &read))
        return SETPAY_E_NOT_FOUND;
    if (!setpay_networks_have(proxies, &read.any))
        return setpay_remote_client(remote, address);
    if (forwarded == NULL)
        return SETPAY_E_NOT_FOUND;
    last_of(forwarded, last);
    return setpay_remote_client(last, address);
}

enum setpay_error setpay_guard_client(const struct setpay_guard *guard,
                                      const struct setpay_http_request *request,
                                      struct setpay_digest *client)
{
    char address[SETPAY_GUARD_ADDRESS_SIZE];
    struct setpay_hash hash;
    SETPAY_TRY(setpay_guard_address(&guard->options.proxies, setpay_http_request_remote(request),
                                    setpay_http_request_header_last(request, "X-Forwarded-For"),
                                    address));
    setpay_hash_init(&hash, "shop.client");
    setpay_hash_add(&hash, setpay_id_view(&guard->key));
    setpay_hash_add(&hash, setpay_view_string(address));
    return setpay_hash_final(&hash, client);
}

bool setpay_guard_says_https(const struct setpay_networks *proxies, const char *remote,
                             const char *forwarded)
{
    union address read;
    char last[SETPAY_GUARD_ADDRESS_SIZE];
    if (forwarded == NULL || !read_address(remote, &read) ||
        !setpay_networks_have(proxies, &read.any))
        return false;
    last_of(forwarded, last);
    return strcasecmp(last, "https") == 0;
}

bool setpay_guard_is_https(const struct setpay_guard *guard,
                           const struct setpay_http_request *request)
{
    return setpay_guard_says_https(&guard->options.proxies, setpay_http_request_remote(request),
                                   setpay_http_request_header_last(request, "X-Forwarded-Proto"));
}

/* ------------------------------------------------------------------ orders */

#define UNPAID "o.xid IS NULL AND o.ended = 0 AND o.expires_ms > "

/* No further than the limit, however many rows there are. */
static enum setpay_error check_count(struct setpay_db_rows *rows, int64_t limit)
{
    int64_t count = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    return count < limit ? SETPAY_OK : SETPAY_E_BUSY;
}

static enum setpay_error check_visitor(struct setpay_db *db, const struct setpay_digest *visitor,
                                       int64_t limit, setpay_time_ms now_ms)
{
    struct setpay_db_rows *rows;
    if (limit == 0)
        return SETPAY_OK;
    SETPAY_TRY(
        setpay_db_one(db, &rows,
                      "SELECT COUNT(*) FROM (SELECT 1 FROM order_visitor m JOIN orders o"
                      " ON o.order_id = m.order_id WHERE m.visitor = $1 AND " UNPAID "$2 LIMIT $3)",
                      SETPAY_DB_DIGEST(visitor), SETPAY_DB_INT(now_ms), SETPAY_DB_INT(limit)));
    return check_count(rows, limit);
}

static enum setpay_error check_client(struct setpay_db *db, const struct setpay_digest *client,
                                      int64_t limit, setpay_time_ms now_ms)
{
    struct setpay_db_rows *rows;
    if (limit == 0 || client == NULL)
        return SETPAY_OK;
    SETPAY_TRY(
        setpay_db_one(db, &rows,
                      "SELECT COUNT(*) FROM (SELECT 1 FROM order_visitor m JOIN orders o"
                      " ON o.order_id = m.order_id WHERE m.client = $1 AND " UNPAID "$2 LIMIT $3)",
                      SETPAY_DB_DIGEST(client), SETPAY_DB_INT(now_ms), SETPAY_DB_INT(limit)));
    return check_count(rows, limit);
}

enum setpay_error setpay_guard_order(struct setpay_db *db, const struct setpay_guard *guard,
                                     const char *order_id, const struct setpay_digest *visitor,
                                     const struct setpay_digest *client, setpay_time_ms now_ms)
{
    SETPAY_TRY(check_visitor(db, visitor, guard->options.orders_visitor, now_ms));
    SETPAY_TRY(check_client(db, client, guard->options.orders_client, now_ms));
    return setpay_db_run(
        db, "INSERT INTO order_visitor (order_id, visitor, client) VALUES ($1, $2, $3)",
        SETPAY_DB_TEXT(order_id), SETPAY_DB_DIGEST(visitor), SETPAY_DB_DIGEST(client));
}

enum setpay_error setpay_guard_purge(struct setpay_db *db, setpay_time_ms now_ms, int64_t room,
                                     int64_t *deleted)
{
    SETPAY_TRY(setpay_db_run(db,
                             "DELETE FROM order_visitor WHERE order_id IN (SELECT m.order_id"
                             " FROM order_visitor m JOIN orders o ON o.order_id = m.order_id"
                             " WHERE NOT (" UNPAID "$1) LIMIT $2)",
                             SETPAY_DB_INT(now_ms), SETPAY_DB_INT(room)));
    *deleted = setpay_db_changes(db);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ streams */

/* The entry of who, or a free one. There are as many as streams, so there is one. */
static struct streams_of *entry_of(struct setpay_guard *guard, const struct setpay_digest *who)
{
    struct streams_of *unused = NULL;
    for (size_t i = 0; i < guard->options.streams; i++) {
        struct streams_of *one = &guard->known[i];
        if (one->count > 0 && setpay_digest_equal(&one->who, who))
            return one;
        if (one->count == 0 && unused == NULL)
            unused = one;
    }
    return unused;
}

bool setpay_guard_stream_begin(struct setpay_guard *guard, const struct setpay_digest *who)
{
    size_t limit = guard->options.streams_client;
    (void)pthread_mutex_lock(&guard->lock);
    bool room = guard->streams < guard->options.streams;
    struct streams_of *entry = room && who != NULL ? entry_of(guard, who) : NULL;
    room = room && (entry == NULL || limit == 0 || entry->count < limit);
    if (room && entry != NULL) {
        entry->who = *who;
        entry->count++;
    }
    if (room)
        guard->streams++;
    (void)pthread_mutex_unlock(&guard->lock);
    return room;
}

void setpay_guard_stream_end(struct setpay_guard *guard, const struct setpay_digest *who)
{
    (void)pthread_mutex_lock(&guard->lock);
    struct streams_of *entry = who != NULL ? entry_of(guard, who) : NULL;
    if (entry != NULL && entry->count > 0)
        entry->count--;
    guard->streams--;
    (void)pthread_mutex_unlock(&guard->lock);
}
