/*
 * What the simulated issuer's files share: connections, which server.c keeps, and exchanges, which
 * exchange.c does.
 */
#ifndef SETPAY_GATEWAY_ISSUER_SERVER_INTERNAL_H
#define SETPAY_GATEWAY_ISSUER_SERVER_INTERNAL_H

#include "common/base/secret.h"
#include "gateway/issuer/accounts.h"
#include "gateway/issuer/messages.h"
#include "gateway/issuer/server.h"
#include "gateway/network/iso8583.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct bufferevent;
struct evconnlistener;

struct setpay_issuer_connection {
    LIST_ENTRY(setpay_issuer_connection) in_list;
    struct setpay_issuer_server *server;
    struct bufferevent *stream;
    uint64_t number;
    bool signed_on;
    bool closing;
};

struct setpay_issuer_exchange {
    LIST_ENTRY(setpay_issuer_exchange) in_list;
    struct setpay_issuer_server *server;
    uint64_t connection_number;
    struct setpay_iso_message request;
    struct setpay_timer *timer;
    bool answer_with_code; /* of booked, and no more: a reversal, a presentment */
    enum setpay_card_rule behaviour;
    bool answer;         /* false: silent */
    char refuse_code[3]; /* what the script has it refused with */
    struct setpay_account_ask ask;
    struct setpay_account_answer booked;
    struct setpay_account_key original;
    int64_t remaining_minor;
    bool original_known;
    int64_t period; /* of a reversal: in which a sale is taken back */
    struct setpay_account_presentment presentment;
    bool reconciles;
    struct setpay_issuer_reconciliation reconciliation;
};

struct setpay_issuer_server {
    struct setpay_loop *loop;
    struct setpay_store *store;
    struct ssl_ctx_st *tls;
    struct setpay_executor executor;
    struct evconnlistener *listener;
    struct setpay_script script;
    struct setpay_timer *outage; /* its end */
    int64_t hold_ms;
    struct setpay_issuer_figures figures;
    uint64_t next_number;
    size_t connection_count;
    size_t exchange_count;
    LIST_HEAD(setpay_issuer_connections, setpay_issuer_connection) connections;
    LIST_HEAD(setpay_issuer_exchanges, setpay_issuer_exchange) exchanges;
};

/* ---- server.c */
void setpay_issuer_connection_free(struct setpay_issuer_connection *connection);
/* NULL where it has closed meanwhile. */
struct setpay_issuer_connection *setpay_issuer_connection_find(struct setpay_issuer_server *server,
                                                               uint64_t number);
/* Takes the frame. */
void setpay_issuer_send(struct setpay_issuer_connection *connection, struct setpay_secret *frame);
/* Answers with a response code alone. */
void setpay_issuer_reply(struct setpay_issuer_connection *connection,
                         const struct setpay_iso_message *request, const char *response_code);

/* ---- exchange.c: one handler for each kind of request; takes the request's content. */
void setpay_issuer_on_authorisation(struct setpay_issuer_connection *connection,
                                    struct setpay_iso_message *request);
void setpay_issuer_on_reversal(struct setpay_issuer_connection *connection,
                               struct setpay_iso_message *request);
void setpay_issuer_on_presentment(struct setpay_issuer_connection *connection,
                                  struct setpay_iso_message *request);
void setpay_issuer_on_reconciliation(struct setpay_issuer_connection *connection,
                                     struct setpay_iso_message *request);
void setpay_issuer_exchange_free(struct setpay_issuer_exchange *exchange);

#endif
