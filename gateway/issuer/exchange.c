/*
 * One exchange is one request on its way: received, (held back,) booked, (delayed,) answered. It
 * names its connection by number, never by pointer, since that may close at any time.
 *
 * What always holds: an answer leaves only after the commit that holds what it says.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "gateway/issuer/server_internal.h"
#include "gateway/issuer/settled.h"

#include <stdlib.h>
#include <string.h>

void setpay_issuer_exchange_free(struct setpay_issuer_exchange *exchange)
{
    exchange->server->exchange_count--;
    LIST_REMOVE(exchange, in_list);
    setpay_timer_free(exchange->timer);
    setpay_iso_clear(&exchange->request);
    free(exchange);
}

/* Takes the request's content. NULL where there are too many, or no memory. */
static struct setpay_issuer_exchange *exchange_new(struct setpay_issuer_connection *connection,
                                                   struct setpay_iso_message *request)
{
    struct setpay_issuer_server *server = connection->server;
    if (server->exchange_count == SETPAY_ISSUER_EXCHANGES_MAX)
        return NULL;
    struct setpay_issuer_exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL)
        return NULL;
    exchange->server = server;
    exchange->connection_number = connection->number;
    exchange->request = *request;
    memset(request, 0, sizeof(*request));
    exchange->answer = true;
    LIST_INSERT_HEAD(&server->exchanges, exchange, in_list);
    server->exchange_count++;
    return exchange;
}

/* After the commit and any delay. */
static void exchange_answer(void *arg)
{
    struct setpay_issuer_exchange *exchange = arg;
    struct setpay_issuer_connection *connection =
        setpay_issuer_connection_find(exchange->server, exchange->connection_number);
    struct setpay_secret frame = {0};
    enum setpay_error error = SETPAY_OK;
    int times = exchange->behaviour == SETPAY_CARD_DUPLICATE ? 2 : 1;
    if (connection != NULL && exchange->behaviour == SETPAY_CARD_DROP_AFTER) {
        setpay_issuer_connection_free(connection);
    } else if (connection != NULL && exchange->answer) {
        for (int i = 0; i < times && error == SETPAY_OK; i++) {
            error = exchange->reconciles
                        ? setpay_issuer_build_reconciliation(&exchange->request,
                                                             &exchange->reconciliation, &frame)
                    : exchange->answer_with_code
                        ? setpay_issuer_build_answer(&exchange->request,
                                                     exchange->booked.response_code, &frame)
                        : setpay_issuer_build_authorisation(&exchange->request, &exchange->booked,
                                                            &frame);
            if (error == SETPAY_OK)
                setpay_issuer_send(connection, &frame);
            else
                setpay_log_error(error, "issuer.answer",
                                 setpay_field_text("mti", exchange->request.mti));
        }
    }
    setpay_issuer_exchange_free(exchange);
}

/* When the script, or the card, will have it. */
static void exchange_answer_in_time(struct setpay_issuer_exchange *exchange)
{
    const struct setpay_script *script = &exchange->server->script;
    int64_t delay_ms = exchange->behaviour == SETPAY_CARD_LATE
                           ? script->late_ms
                           : setpay_script_latency_ms(script, exchange->request.mti);
    if (delay_ms <= 0 || setpay_timer_new(exchange->server->loop, exchange_answer, exchange,
                                          &exchange->timer) != SETPAY_OK)
        exchange_answer(exchange);
    else
        setpay_timer_start(exchange->timer, delay_ms);
}

/* ------------------------------------------------------------------ authorisations */

static enum setpay_error book_authorisation(struct setpay_db *db, void *arg)
{
    struct setpay_issuer_exchange *exchange = arg;
    const struct setpay_account_ask *ask = &exchange->ask;
    struct setpay_money amount = ask->amount;
    SETPAY_TRY(setpay_account_authorise(db, ask, &exchange->booked));
    amount.minor = exchange->booked.approved_minor;
    if (!ask->sale || exchange->booked.repeated || amount.minor == 0)
        return SETPAY_OK;
    return setpay_settled_add(db, &ask->key, ask->period, SETPAY_SETTLED_SALE, &amount);
}

static void on_authorisation_booked(void *arg, enum setpay_error error)
{
    struct setpay_issuer_exchange *exchange = arg;
    if (error != SETPAY_OK) {
        /* Nothing was booked: the network says that it can't. */
        setpay_log_error(error, "issuer.book", setpay_field_text("mti", exchange->request.mti));
        memcpy(exchange->booked.response_code, "96", sizeof("96"));
        exchange->booked.avs_result = 'U';
        exchange->booked.cvv_result = 'U';
        exchange->booked.approval_code[0] = '\0';
        exchange->behaviour = SETPAY_CARD_APPROVE;
        exchange->answer = true;
        exchange_answer(exchange);
        return;
    }
    setpay_log(
        SETPAY_LOG_INFO, "issuer.authorisation", setpay_field_text("mti", exchange->request.mti),
        setpay_field_text("account", exchange->ask.card == NULL ? "" : exchange->ask.card->name),
        setpay_field_money("amount", &exchange->ask.amount),
        setpay_field_int("stan", exchange->ask.key.stan),
        setpay_field_text("response_code", exchange->booked.response_code),
        setpay_field_text("xid", exchange->ask.xid));
    exchange_answer_in_time(exchange);
}

static void authorisation_submit(void *arg)
{
    struct setpay_issuer_exchange *exchange = arg;
    setpay_timer_free(exchange->timer);
    exchange->timer = NULL;
    exchange->ask.now = setpay_clock_now_ms();
    exchange->ask.hold_ms = exchange->server->hold_ms;
    enum setpay_error error =
        setpay_store_submit(exchange->server->store, book_authorisation, on_authorisation_booked,
                            exchange, &exchange->server->executor);
    if (error != SETPAY_OK)
        on_authorisation_booked(exchange, error);
}

void setpay_issuer_on_authorisation(struct setpay_issuer_connection *connection,
                                    struct setpay_iso_message *request)
{
    struct setpay_issuer_server *server = connection->server;
    struct setpay_account_ask ask;
    enum setpay_error error =
        setpay_issuer_read_authorisation(request, setpay_clock_now_ms(), &ask);
    server->figures.authorisations++;
    if (request->mti[3] == '1')
        server->figures.repeats++;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.format", setpay_field_text("mti", request->mti));
        setpay_issuer_reply(connection, request, "30");
        return;
    }
    struct setpay_script_fault fault;
    /* A card's own ways are for what it is asked: of an advice it has happened. */
    setpay_script_next(&server->script, request->mti, ask.advice ? NULL : ask.card, &fault);
    if (fault.behaviour == SETPAY_CARD_DROP_BEFORE) {
        connection->closing = true;
        return;
    }
    if (ask.advice && fault.refuse_code[0] != '\0') {
        setpay_issuer_reply(connection, request, fault.refuse_code);
        return;
    }
    struct setpay_issuer_exchange *exchange = exchange_new(connection, request);
    if (exchange == NULL) {
        setpay_issuer_reply(connection, request, "91");
        return;
    }
    exchange->ask = ask;
    exchange->behaviour = fault.behaviour;
    exchange->answer = fault.behaviour != SETPAY_CARD_SILENT;
    memcpy(exchange->refuse_code, fault.refuse_code, sizeof(exchange->refuse_code));
    if (fault.refuse_code[0] != '\0')
        exchange->ask.forced_code = exchange->refuse_code;
    if (server->script.hold_ms > 0 && setpay_timer_new(server->loop, authorisation_submit, exchange,
                                                       &exchange->timer) == SETPAY_OK)
        setpay_timer_start(exchange->timer, server->script.hold_ms);
    else
        authorisation_submit(exchange);
}

/* ------------------------------------------------------------------ reversals */

/* What the script has for a reversal or a presentment: true where it ends with that, unbooked. */
static bool end_by_script(struct setpay_issuer_connection *connection,
                          const struct setpay_iso_message *request,
                          struct setpay_script_fault *fault)
{
    setpay_script_next(&connection->server->script, request->mti, NULL, fault);
    if (fault->refuse_code[0] != '\0')
        setpay_issuer_reply(connection, request, fault->refuse_code);
    else if (fault->behaviour == SETPAY_CARD_DROP_BEFORE)
        connection->closing = true;
    else
        return false;
    return true;
}

static enum setpay_error book_reversal(struct setpay_db *db, void *arg)
{
    struct setpay_issuer_exchange *exchange = arg;
    SETPAY_TRY(setpay_account_reverse(db, &exchange->original, exchange->remaining_minor,
                                      exchange->ask.now, &exchange->original_known));
    return setpay_settled_undo_sale(db, &exchange->original, exchange->period);
}

static void on_reversal_booked(void *arg, enum setpay_error error)
{
    struct setpay_issuer_exchange *exchange = arg;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.book", setpay_field_text("mti", exchange->request.mti));
        setpay_issuer_exchange_free(exchange); /* no answer: it will be repeated */
        return;
    }
    setpay_log(SETPAY_LOG_INFO, "issuer.reversal", setpay_field_text("mti", exchange->request.mti),
               setpay_field_int("original_stan", exchange->original.stan),
               setpay_field_int("remaining", exchange->remaining_minor),
               setpay_field_text("original", exchange->original_known ? "known" : "unknown"));
    exchange_answer_in_time(exchange);
}

void setpay_issuer_on_reversal(struct setpay_issuer_connection *connection,
                               struct setpay_iso_message *request)
{
    struct setpay_issuer_server *server = connection->server;
    struct setpay_account_key original;
    int64_t remaining_minor;
    int64_t period;
    enum setpay_error error =
        setpay_issuer_read_reversal(request, &original, &remaining_minor, &period);
    server->figures.reversals++;
    if (request->mti[3] == '1')
        server->figures.repeats++;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.format", setpay_field_text("mti", request->mti));
        setpay_issuer_reply(connection, request, "30");
        return;
    }
    struct setpay_script_fault fault;
    if (end_by_script(connection, request, &fault))
        return;
    struct setpay_issuer_exchange *exchange = exchange_new(connection, request);
    if (exchange == NULL)
        return; /* no answer: it will be repeated */
    exchange->answer_with_code = true;
    memcpy(exchange->booked.response_code, "00", sizeof("00"));
    exchange->behaviour = fault.behaviour;
    exchange->answer = fault.behaviour != SETPAY_CARD_SILENT;
    exchange->original = original;
    exchange->remaining_minor = remaining_minor;
    exchange->period = period;
    exchange->ask.now = setpay_clock_now_ms();
    error = setpay_store_submit(server->store, book_reversal, on_reversal_booked, exchange,
                                &server->executor);
    if (error != SETPAY_OK)
        on_reversal_booked(exchange, error);
}

/* ------------------------------------------------------------------ presentments */

static enum setpay_error book_presentment(struct setpay_db *db, void *arg)
{
    struct setpay_issuer_exchange *exchange = arg;
    const struct setpay_account_presentment *presentment = &exchange->presentment;
    SETPAY_TRY(setpay_account_present(db, presentment, exchange->booked.response_code));
    if (strcmp(exchange->booked.response_code, "00") != 0)
        return SETPAY_OK;
    return setpay_settled_add(db, &presentment->original, presentment->period,
                              presentment->credits ? SETPAY_SETTLED_CREDIT : SETPAY_SETTLED_CHARGE,
                              &presentment->amount);
}

static void on_presentment_booked(void *arg, enum setpay_error error)
{
    struct setpay_issuer_exchange *exchange = arg;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.book", setpay_field_text("mti", exchange->request.mti));
        setpay_issuer_exchange_free(exchange); /* no answer: it will be repeated */
        return;
    }
    setpay_log(SETPAY_LOG_INFO, "issuer.presentment",
               setpay_field_text("mti", exchange->request.mti),
               setpay_field_text("id", exchange->presentment.id),
               setpay_field_text("kind", exchange->presentment.credits ? "credit" : "charge"),
               setpay_field_money("amount", &exchange->presentment.amount),
               setpay_field_text("response_code", exchange->booked.response_code));
    exchange_answer_in_time(exchange);
}

void setpay_issuer_on_presentment(struct setpay_issuer_connection *connection,
                                  struct setpay_iso_message *request)
{
    struct setpay_issuer_server *server = connection->server;
    struct setpay_account_presentment presentment;
    enum setpay_error error =
        setpay_issuer_read_presentment(request, setpay_clock_now_ms(), &presentment);
    server->figures.presentments++;
    if (request->mti[3] == '1')
        server->figures.repeats++;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.format", setpay_field_text("mti", request->mti));
        setpay_issuer_reply(connection, request, "30");
        return;
    }
    struct setpay_script_fault fault;
    if (end_by_script(connection, request, &fault))
        return;
    struct setpay_issuer_exchange *exchange = exchange_new(connection, request);
    if (exchange == NULL)
        return; /* no answer: it will be repeated */
    exchange->answer_with_code = true;
    exchange->behaviour = fault.behaviour;
    exchange->answer = fault.behaviour != SETPAY_CARD_SILENT;
    exchange->presentment = presentment;
    error = setpay_store_submit(server->store, book_presentment, on_presentment_booked, exchange,
                                &server->executor);
    if (error != SETPAY_OK)
        on_presentment_booked(exchange, error);
}

/* ------------------------------------------------------------------ reconciliation */

static enum setpay_error total_reconciliation(struct setpay_db *db, void *arg)
{
    struct setpay_issuer_exchange *exchange = arg;
    struct setpay_issuer_reconciliation *asked = &exchange->reconciliation;
    return setpay_settled_totals(db, asked->acquirer, asked->period, asked->currency, &asked->ours);
}

static void on_reconciliation_totalled(void *arg, enum setpay_error error)
{
    struct setpay_issuer_exchange *exchange = arg;
    struct setpay_issuer_reconciliation *asked = &exchange->reconciliation;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.book", setpay_field_text("mti", exchange->request.mti));
        setpay_issuer_exchange_free(exchange); /* no answer: it will be repeated */
        return;
    }
    if (setpay_script_take(&exchange->server->script.wrong_totals)) {
        asked->ours.debit_count++;
        asked->ours.debit_minor++;
    }
    setpay_log(
        SETPAY_LOG_INFO, "issuer.reconciliation", setpay_field_text("mti", exchange->request.mti),
        setpay_field_int("period", asked->period), setpay_field_text("currency", asked->currency),
        setpay_field_int("our_net", setpay_network_totals_net(&asked->ours)),
        setpay_field_int("their_net", setpay_network_totals_net(&asked->theirs)));
    exchange_answer(exchange);
}

void setpay_issuer_on_reconciliation(struct setpay_issuer_connection *connection,
                                     struct setpay_iso_message *request)
{
    struct setpay_issuer_server *server = connection->server;
    struct setpay_issuer_reconciliation asked;
    enum setpay_error error = setpay_issuer_read_reconciliation(request, &asked);
    server->figures.reconciliations++;
    if (request->mti[3] == '1')
        server->figures.repeats++;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "issuer.format", setpay_field_text("mti", request->mti));
        setpay_issuer_reply(connection, request, "30");
        return;
    }
    bool silent = setpay_script_take(&server->script.silent_reconciliations);
    struct setpay_issuer_exchange *exchange = exchange_new(connection, request);
    if (exchange == NULL)
        return; /* no answer: it will be repeated */
    exchange->reconciles = true;
    exchange->reconciliation = asked;
    exchange->answer = !silent;
    error = setpay_store_submit(server->store, total_reconciliation, on_reconciliation_totalled,
                                exchange, &server->executor);
    if (error != SETPAY_OK)
        on_reconciliation_totalled(exchange, error);
}
