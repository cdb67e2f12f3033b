/*
 * The network against the simulated issuer, both on one loop and over loopback sockets: every test
 * card, time-outs, lost lines, late and duplicate answers, reversals until acknowledged, sign-on
 * and echo. A test waits for events; the alarm of main ends one that hangs.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/net/listen.h"
#include "common/net/loop.h"
#include "common/store/store.h"
#include "gateway/issuer/accounts.h"
#include "gateway/issuer/server.h"
#include "gateway/network/network.h"
#include "gateway/network/requests.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONG_MS 30000 /* never reached in a test */

struct fixture {
    char folder[64];
    struct setpay_loop *loop;
    struct setpay_executor executor;
    struct setpay_store *store;
    struct setpay_reader *reader;
    struct setpay_issuer_server *server;
    struct setpay_network *network;
    char address[SETPAY_ADDRESS_TEXT_SIZE];
    /* what callbacks have told */
    int answered_count;
    struct setpay_network_answer answer;
    int acknowledged_count;
    struct setpay_network_acknowledgement ack;
};

/* ------------------------------------------------------------------ the fixture */

static void open_issuer(struct fixture *f)
{
    struct setpay_address address;
    struct setpay_listeners listeners;
    char path[96];
    char url[128];
    snprintf(f->folder, sizeof(f->folder), "/tmp/setpay-line-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(path, sizeof(path), "%s/issuer.db", f->folder);
    snprintf(url, sizeof(url), "sqlite:%s", path);
    const struct setpay_store_options options = {.url = url, .schema = &setpay_account_schema};
    struct setpay_problem problem = {{0}};
    assert_int_equal(setpay_loop_new(0, &f->loop), SETPAY_OK);
    f->executor = setpay_loop_executor(f->loop);
    assert_int_equal(setpay_store_open(&options, &f->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(f->store, setpay_account_seed, NULL), SETPAY_OK);
    assert_int_equal(setpay_reader_new(f->store, &f->reader), SETPAY_OK);
    assert_int_equal(setpay_address_parse("127.0.0.1:0", &address, NULL), SETPAY_OK);
    assert_int_equal(setpay_listeners_open(&address, 1, &listeners, NULL), SETPAY_OK);
    setpay_address_format(&listeners.address, f->address);
    assert_int_equal(setpay_issuer_server_new(f->loop, f->store, NULL,
                                              setpay_listeners_take(&listeners, 0), LONG_MS,
                                              &f->server),
                     SETPAY_OK);
}

static void open_network(struct fixture *f, int64_t answer_timeout_ms, int64_t echo_interval_ms)
{
    struct setpay_network_route route = {
        .name = "sim", .prefixes = "4,51-55", .address = f->address};
    struct setpay_network_config config;
    struct setpay_problem problem = {{0}};
    setpay_network_config_defaults(&config);
    config.routes = &route;
    config.route_count = 1;
    config.acquirer_id = "123456";
    config.answer_timeout_ms = answer_timeout_ms;
    config.echo_interval_ms = echo_interval_ms;
    config.reconnect_min_ms = 10;
    config.reconnect_max_ms = 40;
    config.repeat_min_ms = 30;
    config.repeat_max_ms = 60;
    assert_int_equal(
        setpay_network_new(&config, setpay_loop_base(f->loop), &f->executor, &f->network, &problem),
        SETPAY_OK);
}

/* A second line to where nobody listens, for cards that begin with 5. */
static void open_network_with_a_dead_line(struct fixture *f)
{
    const struct setpay_network_route routes[] = {
        {.name = "sim", .prefixes = "4", .address = f->address},
        {.name = "dead", .prefixes = "5", .address = "127.0.0.1:1"},
        {.name = "former", .prefixes = "none", .address = "127.0.0.1:1"},
    };
    struct setpay_network_config config;
    struct setpay_problem problem = {{0}};
    setpay_network_config_defaults(&config);
    config.routes = routes;
    config.route_count = 3;
    config.acquirer_id = "123456";
    assert_int_equal(
        setpay_network_new(&config, setpay_loop_base(f->loop), &f->executor, &f->network, &problem),
        SETPAY_OK);
}

static void turn(struct fixture *f)
{
    assert_int_not_equal(event_base_loop(setpay_loop_base(f->loop), EVLOOP_ONCE), -1);
}

#define RUN_UNTIL(f, condition)                                                                    \
    do {                                                                                           \
        while (!(condition))                                                                       \
            turn(f);                                                                               \
    } while (0)

static struct setpay_network_figures figures(const struct fixture *f)
{
    struct setpay_network_figures now;
    setpay_network_figures(f->network, &now);
    return now;
}

static void close_all(struct fixture *f)
{
    char command[160];
    setpay_network_free(f->network);
    if (f->server != NULL)
        setpay_issuer_server_stop(f->server);
    setpay_reader_free(f->reader);
    setpay_store_close(f->store);
    /* What is posted runs now; the server goes after it. */
    setpay_loop_stop(f->loop);
    assert_int_equal(setpay_loop_run(f->loop), SETPAY_OK);
    setpay_issuer_server_free(f->server);
    setpay_loop_free(f->loop);
    snprintf(command, sizeof(command), "rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
}

static void open_up(struct fixture *f, int64_t answer_timeout_ms)
{
    memset(f, 0, sizeof(*f));
    open_issuer(f);
    open_network(f, answer_timeout_ms, LONG_MS);
    RUN_UNTIL(f, setpay_network_is_up(f->network));
}

/* ------------------------------------------------------------------ asking */

static void on_answer(void *arg, const struct setpay_network_answer *answer)
{
    struct fixture *f = arg;
    f->answered_count++;
    f->answer = *answer;
}

static void on_acknowledged(void *arg, const struct setpay_network_acknowledgement *ack)
{
    struct fixture *f = arg;
    f->acknowledged_count++;
    f->ack = *ack;
}

static void secret_set(struct setpay_secret *secret, const char *text)
{
    assert_int_equal(setpay_secret_copy(secret, setpay_view_string(text)), SETPAY_OK);
}

static void fill_request(struct fixture *f, const struct setpay_card *card, int64_t minor,
                         const char *currency, struct setpay_network_authorisation *request)
{
    memset(request, 0, sizeof(*request));
    setpay_network_trace_allocate(f->network, &request->trace);
    secret_set(&request->pan, card->pan);
    secret_set(&request->expiry, card->expiry);
    assert_int_equal(setpay_money_make(minor, currency, &request->amount), SETPAY_OK);
    assert_int_equal(
        setpay_network_acceptor_set(&request->acceptor, "shop-1", "Caf\xc3\xa9, Berlin, DE", 5411),
        SETPAY_OK);
    memcpy(request->ecommerce_indicator, "05", 3);
    memset(&request->xid, 0x5a, sizeof(request->xid));
    memset(&request->pomd, 0xa5, sizeof(request->pomd));
}

/* Asks and returns at once. */
static struct setpay_network_trace ask(struct fixture *f, const char *card_name, int64_t minor,
                                       const char *currency)
{
    struct setpay_network_authorisation request;
    fill_request(f, setpay_card_by_name(card_name), minor, currency, &request);
    struct setpay_network_trace trace = request.trace;
    assert_int_equal(setpay_network_authorise(f->network, &request, &f->executor, on_answer, f),
                     SETPAY_OK);
    assert_null(request.pan.data); /* moved in */
    return trace;
}

static struct setpay_network_trace ask_and_wait(struct fixture *f, const char *card_name,
                                                int64_t minor, const char *currency)
{
    int before = f->answered_count;
    struct setpay_network_trace trace = ask(f, card_name, minor, currency);
    RUN_UNTIL(f, f->answered_count == before + 1);
    assert_int_equal(f->answer.trace.stan, trace.stan);
    return trace;
}

static uint64_t reverse(struct fixture *f, const struct setpay_network_trace *original,
                        const char *card_name, int64_t minor, int64_t remaining)
{
    const struct setpay_card *card = setpay_card_by_name(card_name);
    struct setpay_network_reversal reversal = {
        .original = *original, .partial = remaining > 0, .remaining_minor = remaining};
    uint64_t handle;
    secret_set(&reversal.pan, card->pan);
    secret_set(&reversal.expiry, card->expiry);
    assert_int_equal(setpay_money_make(minor, "EUR", &reversal.amount), SETPAY_OK);
    assert_int_equal(setpay_network_acceptor_set(&reversal.acceptor, "shop-1", "Shop", 5411),
                     SETPAY_OK);
    assert_int_equal(
        setpay_network_reverse(f->network, &reversal, &f->executor, on_acknowledged, f, &handle),
        SETPAY_OK);
    assert_null(reversal.pan.data);
    return handle;
}

static void reverse_and_wait(struct fixture *f, const struct setpay_network_trace *original,
                             const char *card_name, int64_t minor, int64_t remaining)
{
    int before = f->acknowledged_count;
    reverse(f, original, card_name, minor, remaining);
    RUN_UNTIL(f, f->acknowledged_count == before + 1);
    assert_true(f->ack.acknowledged);
    assert_string_equal(f->ack.response_code, "00");
}

/* ------------------------------------------------------------------ looking into the books */

struct look {
    struct setpay_network_trace trace;
    char state[16];
    int64_t held;
};

static enum setpay_error read_books(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    size_t i;
    json_t *row;
    json_t *list;
    SETPAY_TRY(setpay_account_list_authorisations(db, "", false, &list));
    snprintf(look->state, sizeof(look->state), "none");
    json_array_foreach(list, i, row)
    {
        if (json_integer_value(json_object_get(row, "stan")) != look->trace.stan)
            continue;
        snprintf(look->state, sizeof(look->state), "%s",
                 json_string_value(json_object_get(row, "state")));
        look->held = json_integer_value(json_object_get(row, "held"));
    }
    json_decref(list);
    return SETPAY_OK;
}

static struct look books(struct fixture *f, const struct setpay_network_trace *trace)
{
    struct look look = {.trace = *trace};
    assert_int_equal(setpay_store_read(f->reader, read_books, &look), SETPAY_OK);
    return look;
}

/* ------------------------------------------------------------------ tests */

/* Each card that answers says what its row promises. */
static void cards_say_what_they_promise(void **state)
{
    static const struct {
        const char *card;
        int64_t minor;
        const char *currency;
        const char *code;
        int64_t approved;
    } cases[] = {
        {"approve", 1250, "EUR", "00", 1250},
        {"approve", 999999999999, "KWD", "00", 999999999999},
        {"approve", 1, "JPY", "00", 1},
        {"approve-mastercard", 1250, "USD", "00", 1250},
        {"euro-only", 1250, "EUR", "00", 1250},
        {"euro-only", 1250, "USD", "57", 0},
        {"do-not-honour", 1250, "EUR", "05", 0},
        {"invalid-number", 1250, "EUR", "14", 0},
        {"no-funds", 101, "EUR", "51", 0},
        {"no-funds", 1, "USD", "51", 0},
        {"no-funds", 60, "EUR", "00", 60},
        {"no-funds", 41, "EUR", "51", 0},
        {"expired", 1250, "EUR", "54", 0},
        {"over-limit", 1250, "EUR", "61", 0},
        {"issuer-down", 1250, "EUR", "91", 0},
        {"referral", 1250, "EUR", "01", 0},
        {"partial", 1251, "EUR", "10", 626},
        {"partial", 1, "EUR", "00", 1},
        {"avs-mismatch", 1250, "EUR", "00", 1250},
        {"code-mismatch", 1250, "EUR", "82", 0},
    };
    struct fixture f;
    (void)state;
    open_up(&f, LONG_MS);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setpay_network_trace trace =
            ask_and_wait(&f, cases[i].card, cases[i].minor, cases[i].currency);
        assert_int_equal(f.answer.outcome, SETPAY_NETWORK_ANSWERED);
        assert_string_equal(f.answer.response_code, cases[i].code);
        assert_int_equal(f.answer.amount.minor, cases[i].approved);
        assert_string_equal(f.answer.amount.currency, cases[i].currency);
        assert_int_equal(strlen(f.answer.approval_code), cases[i].approved > 0 ? 6 : 0);
        assert_int_equal(books(&f, &trace).held, cases[i].approved);
    }
    close_all(&f);
}

/* Security code and address are compared, and their results come back. */
static void checks_code_and_address(void **state)
{
    static const struct {
        const char *card, *code, *postcode, *house, *response;
        char cvv, avs;
    } cases[] = {
        {"approve", "123", "10115", "12", "00", 'M', 'Y'},
        {"approve", "124", "10115", "12", "82", 'N', 'Y'},
        {"approve", "", "10115", "", "00", 'U', 'Z'},
        {"approve", "", "", "12", "00", 'U', 'A'},
        {"approve", "", "99999", "1", "00", 'U', 'N'},
        {"approve", "", "", "", "00", 'U', 'U'},
        {"avs-mismatch", "123", "10115", "12", "00", 'M', 'N'},
        {"code-mismatch", "123", "", "", "82", 'N', 'U'},
    };
    struct fixture f;
    (void)state;
    open_up(&f, LONG_MS);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setpay_network_authorisation request;
        int before = f.answered_count;
        fill_request(&f, setpay_card_by_name(cases[i].card), 1250, "EUR", &request);
        if (cases[i].code[0] != '\0')
            secret_set(&request.security_code, cases[i].code);
        if (cases[i].postcode[0] != '\0')
            secret_set(&request.postcode, cases[i].postcode);
        if (cases[i].house[0] != '\0')
            secret_set(&request.house_digits, cases[i].house);
        assert_int_equal(setpay_network_authorise(f.network, &request, &f.executor, on_answer, &f),
                         SETPAY_OK);
        RUN_UNTIL(&f, f.answered_count == before + 1);
        assert_string_equal(f.answer.response_code, cases[i].response);
        assert_int_equal(f.answer.cvv_result, cases[i].cvv);
        assert_int_equal(f.answer.avs_result, cases[i].avs);
    }
    close_all(&f);
}

/* An expiry that is not the card's is declined with 54, an unknown number with 14. */
static void refuses_wrong_cards(void **state)
{
    struct setpay_card wrong = *setpay_card_by_name("approve");
    struct setpay_network_authorisation request;
    struct fixture f;
    (void)state;
    open_up(&f, LONG_MS);
    wrong.expiry = "2901";
    fill_request(&f, &wrong, 100, "EUR", &request);
    assert_int_equal(setpay_network_authorise(f.network, &request, &f.executor, on_answer, &f),
                     SETPAY_OK);
    RUN_UNTIL(&f, f.answered_count == 1);
    assert_string_equal(f.answer.response_code, "54");
    wrong.pan = "4242424242424241";
    fill_request(&f, &wrong, 100, "EUR", &request);
    assert_int_equal(setpay_network_authorise(f.network, &request, &f.executor, on_answer, &f),
                     SETPAY_OK);
    RUN_UNTIL(&f, f.answered_count == 2);
    assert_string_equal(f.answer.response_code, "14");
    /* No issuer takes this number: nothing is sent. */
    wrong.pan = "378282246310005";
    fill_request(&f, &wrong, 100, "EUR", &request);
    assert_int_equal(setpay_network_authorise(f.network, &request, &f.executor, on_answer, &f),
                     SETPAY_OK);
    RUN_UNTIL(&f, f.answered_count == 3);
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_NOT_SENT);
    assert_int_equal(f.answer.reason, SETPAY_E_UNREACHABLE);
    /* What a message can't carry is refused before anything is taken. */
    fill_request(&f, setpay_card_by_name("approve"), 100, "EUR", &request);
    memcpy(request.ecommerce_indicator, "\n5", 3);
    assert_int_equal(setpay_network_authorise(f.network, &request, &f.executor, on_answer, &f),
                     SETPAY_E_FIELD);
    assert_non_null(request.pan.data);
    setpay_network_authorisation_clear(&request);
    close_all(&f);
}

/* rule G7: no answer is told once as unknown, and its reversal frees what was held. */
static void silence_ends_in_a_reversal(void **state)
{
    struct fixture f;
    (void)state;
    open_up(&f, 150);
    struct setpay_network_trace trace = ask_and_wait(&f, "no-answer", 1250, "EUR");
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_UNKNOWN);
    assert_int_equal(f.answer.reason, SETPAY_E_TIMEOUT);
    assert_int_equal(books(&f, &trace).held, 1250);
    reverse_and_wait(&f, &trace, "no-answer", 1250, 0);
    assert_int_equal(books(&f, &trace).held, 0);
    assert_string_equal(books(&f, &trace).state, "reversed");
    assert_int_equal(figures(&f).authorisations_timed_out, 1);
    assert_int_equal(figures(&f).reversals_open, 0);
    close_all(&f);
}

/* A late answer, and a duplicate one, is counted, and told to nobody. */
static void late_and_duplicate_answers_are_dropped(void **state)
{
    struct fixture f;
    (void)state;
    open_up(&f, 100);
    setpay_issuer_server_script(f.server)->late_ms = 200;
    ask_and_wait(&f, "late-answer", 1250, "EUR");
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_UNKNOWN);
    RUN_UNTIL(&f, figures(&f).answers_unmatched == 1);
    assert_int_equal(f.answered_count, 1);
    setpay_network_free(f.network);
    open_network(&f, LONG_MS, LONG_MS);
    RUN_UNTIL(&f, setpay_network_is_up(f.network));
    ask_and_wait(&f, "duplicate-answer", 1250, "EUR");
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_ANSWERED);
    RUN_UNTIL(&f, figures(&f).answers_unmatched == 1);
    assert_int_equal(f.answered_count, 2);
    close_all(&f);
}

/* A lost line ends what was sent on it as unknown, comes back, and the reversal goes out. */
static void lost_lines_come_back(void **state)
{
    static const struct {
        const char *card;
        const char *state;
    } cases[] = {{"drop-before", "none"}, {"drop-after", "reversed"}};
    struct fixture f;
    (void)state;
    open_up(&f, LONG_MS);
    for (size_t i = 0; i < 2; i++) {
        struct setpay_network_trace trace = ask_and_wait(&f, cases[i].card, 1250, "EUR");
        assert_int_equal(f.answer.outcome, SETPAY_NETWORK_UNKNOWN);
        assert_int_equal(f.answer.reason, SETPAY_E_CLOSED);
        reverse_and_wait(&f, &trace, cases[i].card, 1250, 0);
        assert_string_equal(books(&f, &trace).state, cases[i].state);
        assert_int_equal(books(&f, &trace).held, 0);
    }
    assert_int_equal(figures(&f).connections_lost, 2);
    assert_int_equal(figures(&f).sign_ons, 3);
    close_all(&f);
}

/* A reversal is repeated as 0401 until one is acknowledged, and only 00, 21 or 25 acknowledges. */
static void reversals_repeat_until_acknowledged(void **state)
{
    struct fixture f;
    (void)state;
    open_up(&f, LONG_MS);
    struct setpay_network_trace trace = ask_and_wait(&f, "approve", 1250, "EUR");
    setpay_issuer_server_script(f.server)->silent_reversals = 2;
    reverse_and_wait(&f, &trace, "approve", 1250, 0);
    assert_true(f.ack.sent_count >= 3);
    assert_int_equal(figures(&f).reversals_repeated, f.ack.sent_count - 1);
    assert_int_equal(setpay_issuer_server_figures(f.server)->repeats, f.ack.sent_count - 1);
    assert_int_equal(books(&f, &trace).held, 0);
    trace = ask_and_wait(&f, "approve", 1250, "EUR");
    setpay_issuer_server_script(f.server)->refuse_reversals = 1;
    reverse_and_wait(&f, &trace, "approve", 1250, 0);
    assert_true(f.ack.sent_count >= 2);
    /* Once more: the same end. */
    reverse_and_wait(&f, &trace, "approve", 1250, 0);
    assert_int_equal(books(&f, &trace).held, 0);
    close_all(&f);
}

/* A reversal that overtakes its authorisation is acknowledged, and no hold comes after it. */
static void overtaking_reversals_leave_no_hold(void **state)
{
    struct fixture f;
    (void)state;
    open_up(&f, 60);
    setpay_issuer_server_script(f.server)->hold_ms = 300;
    struct setpay_network_trace trace = ask_and_wait(&f, "approve", 1250, "EUR");
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_UNKNOWN);
    reverse_and_wait(&f, &trace, "approve", 1250, 0);
    assert_string_equal(books(&f, &trace).state, "none");
    RUN_UNTIL(&f, strcmp(books(&f, &trace).state, "none") != 0);
    assert_string_equal(books(&f, &trace).state, "reversed");
    assert_int_equal(books(&f, &trace).held, 0);
    close_all(&f);
}

/* Reversals in part leave what they say, in whatever order they come. */
static void partial_reversals_leave_the_rest(void **state)
{
    struct fixture f;
    (void)state;
    open_up(&f, LONG_MS);
    struct setpay_network_trace trace = ask_and_wait(&f, "approve", 1250, "EUR");
    reverse_and_wait(&f, &trace, "approve", 1250, 500);
    assert_int_equal(books(&f, &trace).held, 500);
    reverse_and_wait(&f, &trace, "approve", 1250, 800);
    assert_int_equal(books(&f, &trace).held, 500);
    assert_string_equal(books(&f, &trace).state, "held");
    reverse_and_wait(&f, &trace, "approve", 1250, 0);
    assert_string_equal(books(&f, &trace).state, "reversed");
    /* What a limited account held is available again. */
    trace = ask_and_wait(&f, "no-funds", 100, "EUR");
    assert_string_equal(f.answer.response_code, "00");
    reverse_and_wait(&f, &trace, "no-funds", 100, 0);
    ask_and_wait(&f, "no-funds", 100, "EUR");
    assert_string_equal(f.answer.response_code, "00");
    close_all(&f);
}

/* More reversals than go out at once all get there, over a loss of the line. */
static void many_reversals_survive_a_lost_line(void **state)
{
    enum { COUNT = 3 * SETPAY_NETWORK_REVERSALS_AT_ONCE };
    struct fixture f;
    (void)state;
    open_up(&f, LONG_MS);
    setpay_issuer_server_script(f.server)->silent_reversals = COUNT / 2;
    for (int i = 0; i < COUNT; i++) {
        struct setpay_network_trace trace;
        setpay_network_trace_allocate(f.network, &trace);
        reverse(&f, &trace, "approve", 1250, 0);
    }
    RUN_UNTIL(&f, f.acknowledged_count >= COUNT / 8);
    setpay_issuer_server_disconnect(f.server);
    RUN_UNTIL(&f, f.acknowledged_count == COUNT);
    assert_int_equal(figures(&f).reversals_open, 0);
    assert_int_equal(figures(&f).reversals_acknowledged, COUNT);
    close_all(&f);
}

/* A refused sign-on is not up, and is tried again. */
static void refused_sign_on_is_not_up(void **state)
{
    struct fixture f;
    (void)state;
    memset(&f, 0, sizeof(f));
    open_issuer(&f);
    setpay_issuer_server_script(f.server)->refuse_sign_on = 3;
    open_network(&f, LONG_MS, LONG_MS);
    RUN_UNTIL(&f, figures(&f).sign_ons_refused == 2);
    assert_false(setpay_network_is_up(f.network));
    ask_and_wait(&f, "approve", 1250, "EUR");
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_NOT_SENT);
    RUN_UNTIL(&f, setpay_network_is_up(f.network));
    assert_int_equal(figures(&f).sign_ons_refused, 3);
    ask_and_wait(&f, "approve", 1250, "EUR");
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_ANSWERED);
    close_all(&f);
}

/* An idle line is tested; one that does not answer is given up and made anew. */
static void idle_lines_are_tested(void **state)
{
    struct fixture f;
    (void)state;
    memset(&f, 0, sizeof(f));
    open_issuer(&f);
    open_network(&f, 150, 20);
    RUN_UNTIL(&f, figures(&f).echoes >= 3);
    assert_int_equal(figures(&f).connections_lost, 0);
    setpay_issuer_server_script(f.server)->silent_echoes = 1;
    RUN_UNTIL(&f, figures(&f).connections_lost == 1);
    RUN_UNTIL(&f, setpay_network_is_up(f.network));
    close_all(&f);
}

/* A line that answers nothing any more is found out once an answer is overdue, long before it would
 * be tested for being idle. */
static void silent_lines_are_tested(void **state)
{
    struct fixture f;
    (void)state;
    memset(&f, 0, sizeof(f));
    open_issuer(&f);
    open_network(&f, 100, LONG_MS);
    RUN_UNTIL(&f, setpay_network_is_up(f.network));
    setpay_issuer_server_script(f.server)->silent = 1;
    ask_and_wait(&f, "approve", 1250, "EUR");
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_UNKNOWN);
    RUN_UNTIL(&f, figures(&f).echoes == 1); /* it was the issuer, not the line */
    assert_int_equal(figures(&f).connections_lost, 0);
    setpay_issuer_server_script(f.server)->silent = 1;
    setpay_issuer_server_script(f.server)->silent_echoes = 1;
    ask_and_wait(&f, "approve", 1250, "EUR");
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_UNKNOWN);
    RUN_UNTIL(&f, figures(&f).connections_lost == 1);
    RUN_UNTIL(&f, setpay_network_is_up(f.network));
    close_all(&f);
}

/* A stopped reversal is told as not acknowledged; a drained network takes nothing more. */
static void stops_and_drains(void **state)
{
    struct setpay_network_authorisation request;
    struct fixture f;
    (void)state;
    open_up(&f, LONG_MS);
    struct setpay_network_trace trace = ask_and_wait(&f, "approve", 1250, "EUR");
    setpay_issuer_server_script(f.server)->silent_reversals = 1000;
    uint64_t first = reverse(&f, &trace, "approve", 1250, 0);
    uint64_t second = reverse(&f, &trace, "approve", 1250, 0);
    assert_int_not_equal(first, second);
    assert_int_equal(setpay_network_reverse_stop(f.network, first), SETPAY_OK);
    RUN_UNTIL(&f, f.acknowledged_count == 1);
    assert_false(f.ack.acknowledged);
    assert_int_equal(f.ack.handle, first);
    assert_int_equal(setpay_network_drain(f.network), SETPAY_OK);
    RUN_UNTIL(&f, f.acknowledged_count == 2);
    assert_int_equal(f.ack.handle, second);
    fill_request(&f, setpay_card_by_name("approve"), 1, "EUR", &request);
    assert_int_equal(setpay_network_authorise(f.network, &request, &f.executor, on_answer, &f),
                     SETPAY_E_DRAINING);
    setpay_network_authorisation_clear(&request);
    close_all(&f);
}

/* Freed in the middle, everything is told once. */
static void tells_everything_at_its_end(void **state)
{
    struct fixture f;
    (void)state;
    open_up(&f, LONG_MS);
    struct setpay_network_trace trace = ask(&f, "no-answer", 1250, "EUR");
    setpay_issuer_server_script(f.server)->silent_reversals = 1;
    reverse(&f, &trace, "no-answer", 1250, 0);
    RUN_UNTIL(&f, figures(&f).reversals_sent >= 1);
    setpay_network_free(f.network);
    f.network = NULL;
    RUN_UNTIL(&f, f.answered_count == 1 && f.acknowledged_count == 1);
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_UNKNOWN);
    assert_false(f.ack.acknowledged);
    close_all(&f);
}

/* A line that is down keeps the cards waiting that go over it, and no others. */
static void a_dead_line_is_not_everybodys(void **state)
{
    struct setpay_secret mine = {0}, dead = {0}, nobodys = {0};
    struct fixture f;
    (void)state;
    memset(&f, 0, sizeof(f));
    open_issuer(&f);
    open_network_with_a_dead_line(&f);
    secret_set(&mine, "4242424242424242");
    secret_set(&dead, "5555555555554444");
    secret_set(&nobodys, "378282246310005");
    assert_false(setpay_network_may_reach(f.network, &mine));
    RUN_UNTIL(&f, figures(&f).lines_up == 1);
    assert_false(setpay_network_is_up(f.network));
    assert_true(setpay_network_may_reach(f.network, &mine));
    assert_false(setpay_network_may_reach(f.network, &dead));
    assert_true(setpay_network_may_reach(f.network, &nobodys)); /* waiting would not help */
    char name[SETPAY_NETWORK_NAME_SIZE];
    setpay_network_route_name(f.network, &nobodys, name);
    assert_string_equal(name, ""); /* not the one that takes none */
    setpay_secret_clear(&mine);
    setpay_secret_clear(&dead);
    setpay_secret_clear(&nobodys);
    close_all(&f);
}

/* ------------------------------------------------------------------ without sockets */

static void make_answer(struct setpay_iso_message *answer, const char *stan, const char *code,
                        uint64_t minor, const char *approval, uint64_t currency)
{
    setpay_iso_clear(answer);
    assert_int_equal(setpay_iso_set_mti(answer, "0110"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(answer, 7, "1123184111"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(answer, 11, stan), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(answer, 12, "184111"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(answer, 13, "1123"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(answer, 37, "632718000042"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(answer, 39, code), SETPAY_OK);
    assert_int_equal(setpay_iso_set_number(answer, 4, minor), SETPAY_OK);
    assert_int_equal(setpay_iso_set_number(answer, 49, currency), SETPAY_OK);
    if (approval[0] != '\0')
        assert_int_equal(setpay_iso_set_text(answer, 38, approval), SETPAY_OK);
}

/* An answer is one request's: trace number, date and time; and approves nothing but what was asked.
 */
static void judges_answers(void **state)
{
    /* 2026-11-23T18:41:11Z */
    const struct setpay_network_trace trace = {.stan = 42, .time = INT64_C(1795459271000)};
    const struct setpay_request_sender sender = {"123456", "TERM"};
    struct setpay_network_trace later = trace;
    struct setpay_network_answer read = {.outcome = SETPAY_NETWORK_NOT_SENT};
    struct setpay_iso_message answer = {0};
    struct setpay_money asked;
    static const struct {
        const char *code;
        uint64_t minor;
        const char *approval;
        uint64_t currency;
        enum setpay_error error;
    } cases[] = {
        {"00", 1250, "123456", 978, SETPAY_OK},      {"05", 1250, "", 978, SETPAY_OK},
        {"10", 1000, "123456", 978, SETPAY_OK},      {"00", 1251, "123456", 978, SETPAY_E_FIELD},
        {"00", 1000, "123456", 978, SETPAY_E_FIELD}, {"10", 1250, "123456", 978, SETPAY_E_FIELD},
        {"10", 1300, "123456", 978, SETPAY_E_FIELD}, {"10", 0, "123456", 978, SETPAY_E_FIELD},
        {"00", 1250, "", 978, SETPAY_E_FIELD},       {"00", 1250, "123456", 840, SETPAY_E_FIELD},
        {" A", 1250, "", 978, SETPAY_E_FIELD},
    };
    (void)state;
    assert_int_equal(setpay_money_make(1250, "EUR", &asked), SETPAY_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make_answer(&answer, "000042", cases[i].code, cases[i].minor, cases[i].approval,
                    cases[i].currency);
        assert_true(setpay_answer_matches(&answer, &trace));
        read.outcome = SETPAY_NETWORK_NOT_SENT;
        enum setpay_error error =
            setpay_answer_check_subject(&answer, &sender, "632718000042", &asked);
        if (error == SETPAY_OK)
            error = setpay_answer_read_authorisation(&answer, &trace, &asked, &read);
        assert_int_equal(error, cases[i].error);
        assert_int_equal(read.outcome, cases[i].error == SETPAY_OK ? SETPAY_NETWORK_ANSWERED
                                                                   : SETPAY_NETWORK_NOT_SENT);
    }
    /* And is about the same thing, for the one who asked. */
    make_answer(&answer, "000042", "00", 1250, "123456", 978);
    assert_int_equal(setpay_answer_check_subject(&answer, &sender, "632718000043", &asked),
                     SETPAY_E_FIELD);
    assert_int_equal(setpay_iso_set_text(&answer, 32, "123456"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(&answer, 41, "TERM    "), SETPAY_OK);
    assert_int_equal(setpay_answer_check_subject(&answer, &sender, "632718000042", &asked),
                     SETPAY_OK);
    const struct setpay_request_sender other = {"123456", "TERM2"}, another = {"12345", "TERM"};
    assert_int_equal(setpay_answer_check_subject(&answer, &other, "632718000042", &asked),
                     SETPAY_E_FIELD);
    assert_int_equal(setpay_answer_check_subject(&answer, &another, "632718000042", &asked),
                     SETPAY_E_FIELD);
    /* Results of checks are letters or digits, or there are none: AuthRes must be able to tell. */
    make_answer(&answer, "000042", "05", 1250, "", 978);
    assert_int_equal(setpay_iso_set_text(&answer, 44, "*M"), SETPAY_OK);
    assert_int_equal(setpay_answer_read_authorisation(&answer, &trace, &asked, &read), SETPAY_OK);
    assert_int_equal(read.avs_result, 0);
    assert_int_equal(read.cvv_result, 'M');
    later.time += 1000;
    assert_false(setpay_answer_matches(&answer, &later));
    later = trace;
    later.stan = 43;
    assert_false(setpay_answer_matches(&answer, &later));
    setpay_iso_clear(&answer);
}

/* A reversal names its original in field 90, byte for byte. */
static void names_the_original(void **state)
{
    const struct setpay_request_sender sender = {"123456", "SETPAY01"};
    struct setpay_network_trace own = {.stan = 7, .time = INT64_C(1795459300000)};
    struct setpay_network_reversal reversal = {
        .original = {.stan = 42, .time = INT64_C(1795459271000)},
        .partial = true,
        .remaining_minor = 500,
    };
    struct setpay_iso_message message = {0};
    struct setpay_secret frame = {0};
    char text[64];
    (void)state;
    secret_set(&reversal.pan, "4242424242424242");
    secret_set(&reversal.expiry, "3012");
    assert_int_equal(setpay_money_make(1250, "EUR", &reversal.amount), SETPAY_OK);
    assert_int_equal(setpay_network_acceptor_set(&reversal.acceptor, "shop-1", "Shop", 5411),
                     SETPAY_OK);
    assert_int_equal(setpay_request_build_reversal(&sender, &own, &reversal, &frame), SETPAY_OK);
    setpay_request_mark_repeat(&frame);
    assert_int_equal(
        setpay_iso_parse(setpay_view_of(frame.data + 2, frame.size - 2), &message, NULL),
        SETPAY_OK);
    assert_string_equal(message.mti, "0401");
    assert_int_equal(setpay_iso_get_text(&message, 90, text, sizeof(text)), SETPAY_OK);
    assert_string_equal(text, "010000004211231841110000012345600000000000");
    assert_int_equal(setpay_iso_get_text(&message, 95, text, sizeof(text)), SETPAY_OK);
    assert_string_equal(text, "000000000500000000000000000000000000000000");
    assert_int_equal(setpay_iso_get_text(&message, 37, text, sizeof(text)), SETPAY_OK);
    assert_string_equal(text, "632718000042");
    setpay_iso_clear(&message);
    setpay_secret_clear(&frame);
    /* Nothing left is no partial reversal, nor is all of it. */
    reversal.remaining_minor = 1250;
    assert_int_equal(setpay_request_build_reversal(&sender, &own, &reversal, &frame),
                     SETPAY_E_FIELD);
    assert_null(frame.data);
    setpay_network_reversal_clear(&reversal);
}

/* Configuration that can't work is refused with words; ISO 8583 in plain stays on loopback. */
static void refuses_configurations(void **state)
{
    static const struct {
        const char *prefixes, *address, *acquirer;
    } cases[] = {
        {"4", "192.0.2.1:8583", "1"},
        {"4,", "127.0.0.1:1", "1"},
        {"x", "127.0.0.1:1", "1"},
        {"none,4", "127.0.0.1:1", "1"},
        {"4,none", "127.0.0.1:1", "1"},
        {"55-51", "127.0.0.1:1", "1"},
        {"4-51", "127.0.0.1:1", "1"},
        {"4", "127.0.0.1", "1"},
        {"4", "127.0.0.1:1", ""},
        {"4", "127.0.0.1:1", "12a"},
        {"4", "127.0.0.1:1", "123456789012"},
    };
    struct setpay_network *network = NULL;
    struct setpay_loop *loop;
    (void)state;
    assert_int_equal(setpay_loop_new(0, &loop), SETPAY_OK);
    struct setpay_executor executor = setpay_loop_executor(loop);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setpay_network_route route = {
            .name = "x", .prefixes = cases[i].prefixes, .address = cases[i].address};
        struct setpay_network_config config;
        struct setpay_problem problem = {{0}};
        setpay_network_config_defaults(&config);
        config.routes = &route;
        config.route_count = 1;
        config.acquirer_id = cases[i].acquirer;
        assert_int_equal(
            setpay_network_new(&config, setpay_loop_base(loop), &executor, &network, &problem),
            SETPAY_E_CONFIG);
        assert_true(problem.text[0] != '\0');
        assert_null(network);
    }
    setpay_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cards_say_what_they_promise),
        cmocka_unit_test(checks_code_and_address),
        cmocka_unit_test(refuses_wrong_cards),
        cmocka_unit_test(silence_ends_in_a_reversal),
        cmocka_unit_test(late_and_duplicate_answers_are_dropped),
        cmocka_unit_test(lost_lines_come_back),
        cmocka_unit_test(reversals_repeat_until_acknowledged),
        cmocka_unit_test(overtaking_reversals_leave_no_hold),
        cmocka_unit_test(partial_reversals_leave_the_rest),
        cmocka_unit_test(many_reversals_survive_a_lost_line),
        cmocka_unit_test(refused_sign_on_is_not_up),
        cmocka_unit_test(idle_lines_are_tested),
        cmocka_unit_test(silent_lines_are_tested),
        cmocka_unit_test(stops_and_drains),
        cmocka_unit_test(tells_everything_at_its_end),
        cmocka_unit_test(judges_answers),
        cmocka_unit_test(names_the_original),
        cmocka_unit_test(refuses_configurations),
        cmocka_unit_test(a_dead_line_is_not_everybodys),
    };
    test_alarm(120);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
