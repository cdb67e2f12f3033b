/*
 * The network against an issuer that answers as a test says: for each message (0100, 0200, 0220,
 * 0400, 0420, 0500) an answer of another type, of another trace, of another issuer's subject, one
 * that comes twice, one that comes late. What is no answer is dropped, and what is one is taken
 * once. The alarm of main ends a test that hangs.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/net/listen.h"
#include "common/net/loop.h"
#include "gateway/network/network.h"
#include "gateway/network/requests.h"
#include "gateway/network/totals.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    struct setpay_loop *loop;
    struct setpay_executor executor;
    struct setpay_network *network;
    struct evconnlistener *listener;
    struct bufferevent *stream; /* the gateway's line, as the issuer has it */
    /* the newest request that was no 0800, and how many of each first and repeated came */
    struct setpay_iso_message request;
    int requests, repeats, sign_offs;
    /* what callbacks have told */
    int answered, acknowledged, signed_off;
    struct setpay_network_answer answer;
    struct setpay_network_acknowledgement ack;
} f;

static const struct setpay_network_totals totals = {
    .credit_count = 1, .credit_minor = 5, .debit_count = 2, .debit_minor = 70};

/* ------------------------------------------------------------------ the issuer */

/* An answer to the newest request: type, and what is set differently. */
struct told {
    const char *mti;
    const char *stan; /* NULL: the request's */
    const char *code;
    const char *rrn;        /* NULL: the request's */
    const char *currency;   /* NULL: the request's, field 49 or 50 */
    const char *settlement; /* field 66 */
    int64_t more;           /* charges above ours */
};

static void set_echo(struct setpay_iso_message *answer, unsigned field, const char *instead)
{
    if (instead != NULL && setpay_iso_has(&f.request, field))
        assert_int_equal(setpay_iso_set_text(answer, field, instead), SETPAY_OK);
    else
        assert_int_equal(setpay_iso_echo(answer, field, &f.request), SETPAY_OK);
}

static void send_message(const struct setpay_iso_message *message)
{
    struct setpay_secret frame = {0};
    assert_int_equal(setpay_iso_build(message, &frame), SETPAY_OK);
    assert_int_equal(bufferevent_write(f.stream, frame.data, frame.size), 0);
    setpay_secret_clear(&frame);
}

static void tell(const struct told *told)
{
    struct setpay_iso_message answer = {0};
    assert_int_equal(setpay_iso_set_mti(&answer, told->mti), SETPAY_OK);
    set_echo(&answer, SETPAY_ISO_STAN, told->stan);
    set_echo(&answer, SETPAY_ISO_TRANSMISSION_TIME, NULL);
    set_echo(&answer, SETPAY_ISO_LOCAL_TIME, NULL);
    set_echo(&answer, SETPAY_ISO_LOCAL_DATE, NULL);
    set_echo(&answer, SETPAY_ISO_RRN, told->rrn);
    set_echo(&answer, SETPAY_ISO_AMOUNT, NULL);
    set_echo(&answer, SETPAY_ISO_CURRENCY, told->currency);
    set_echo(&answer, SETPAY_ISO_SETTLEMENT_CURRENCY, told->currency);
    assert_int_equal(setpay_iso_set_text(&answer, SETPAY_ISO_RESPONSE_CODE, told->code), SETPAY_OK);
    if (told->mti[1] != '4' && told->mti[1] != '5' && told->mti[2] == '1')
        assert_int_equal(setpay_iso_set_text(&answer, SETPAY_ISO_APPROVAL_CODE, "A1B2C3"),
                         SETPAY_OK);
    if (told->settlement != NULL) {
        struct setpay_network_totals theirs = totals;
        theirs.debit_minor += told->more;
        assert_int_equal(setpay_iso_set_text(&answer, SETPAY_ISO_SETTLEMENT_CODE, told->settlement),
                         SETPAY_OK);
        assert_int_equal(setpay_totals_set(&answer, &theirs), SETPAY_OK);
    }
    send_message(&answer);
    setpay_iso_clear(&answer);
}

static void on_frame(struct setpay_view bytes)
{
    struct setpay_iso_message message = {0};
    char code[4] = "";
    assert_int_equal(setpay_iso_parse(bytes, &message, NULL), SETPAY_OK);
    if (strcmp(message.mti, "0800") == 0) {
        assert_int_equal(
            setpay_iso_get_text(&message, SETPAY_ISO_MANAGEMENT_CODE, code, sizeof code),
            SETPAY_OK);
        f.sign_offs += strcmp(code, "002") == 0 ? 1 : 0;
        assert_int_equal(setpay_iso_set_mti(&message, "0810"), SETPAY_OK);
        assert_int_equal(setpay_iso_set_text(&message, SETPAY_ISO_RESPONSE_CODE, "00"), SETPAY_OK);
        send_message(&message);
        setpay_iso_clear(&message);
        return;
    }
    f.requests += message.mti[3] == '0' ? 1 : 0;
    f.repeats += message.mti[3] == '1' ? 1 : 0;
    setpay_iso_clear(&f.request);
    f.request = message;
}

static void on_readable(struct bufferevent *stream, void *arg)
{
    struct evbuffer *input = bufferevent_get_input(stream);
    uint8_t bytes[SETPAY_ISO_MESSAGE_MAX + 2];
    (void)arg;
    while (evbuffer_get_length(input) >= 2) {
        size_t size;
        (void)evbuffer_copyout(input, bytes, 2);
        assert_int_equal(setpay_iso_frame_size(bytes, &size), SETPAY_OK);
        if (evbuffer_get_length(input) < size + 2)
            return;
        (void)evbuffer_remove(input, bytes, size + 2);
        on_frame(setpay_view_of(bytes + 2, size));
    }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int size, void *arg)
{
    (void)listener;
    (void)address;
    (void)size;
    (void)arg;
    f.stream = bufferevent_socket_new(setpay_loop_base(f.loop), fd, BEV_OPT_CLOSE_ON_FREE);
    assert_non_null(f.stream);
    bufferevent_setcb(f.stream, on_readable, NULL, NULL, NULL);
    (void)bufferevent_enable(f.stream, EV_READ | EV_WRITE);
}

/* ------------------------------------------------------------------ the gateway's side */

#define RUN_UNTIL(condition)                                                                       \
    do {                                                                                           \
        while (!(condition))                                                                       \
            assert_int_not_equal(event_base_loop(setpay_loop_base(f.loop), EVLOOP_ONCE), -1);      \
    } while (0)

static uint64_t unmatched(void)
{
    struct setpay_network_figures figures;
    setpay_network_figures(f.network, &figures);
    return figures.answers_unmatched;
}

static uint64_t refused(void)
{
    struct setpay_network_figures figures;
    setpay_network_figures(f.network, &figures);
    return figures.malformed;
}

static void on_answer(void *arg, const struct setpay_network_answer *answer)
{
    (void)arg;
    f.answer = *answer;
    f.answered++;
}

static void on_acknowledged(void *arg, const struct setpay_network_acknowledgement *ack)
{
    (void)arg;
    f.ack = *ack;
    f.acknowledged++;
}

static void secret_set(struct setpay_secret *secret, const char *text)
{
    assert_int_equal(setpay_secret_copy(secret, setpay_view_string(text)), SETPAY_OK);
}

static void authorise(bool is_sale)
{
    struct setpay_network_authorisation request = {
        .amount = {1250, "EUR"}, .is_sale = is_sale, .sale_id = {{7}}, .period = 3};
    setpay_network_trace_allocate(f.network, &request.trace);
    assert_int_equal(setpay_network_acceptor_set(&request.acceptor, "shop", "A Shop", 5999),
                     SETPAY_OK);
    secret_set(&request.pan, "4242424242424242");
    secret_set(&request.expiry, "3012");
    assert_int_equal(setpay_network_authorise(f.network, &request, &f.executor, on_answer, NULL),
                     SETPAY_OK);
}

static void reverse(bool advises, bool of_sale)
{
    struct setpay_network_reversal request = {.original = {.stan = 17, .time = 1700000000000},
                                              .amount = {1250, "EUR"},
                                              .by = of_sale ? SETPAY_NETWORK_BY_SALE
                                                            : SETPAY_NETWORK_BY_ISSUER,
                                              .period = of_sale ? 4 : 0,
                                              .advises = advises};
    assert_int_equal(setpay_network_acceptor_set(&request.acceptor, "shop", "A Shop", 5999),
                     SETPAY_OK);
    secret_set(&request.pan, "4242424242424242");
    secret_set(&request.expiry, "3012");
    assert_int_equal(
        setpay_network_reverse(f.network, &request, &f.executor, on_acknowledged, NULL, NULL),
        SETPAY_OK);
}

static void present(void)
{
    struct setpay_network_presentment request = {.original = {.stan = 17, .time = 1700000000000},
                                                 .amount = {1250, "EUR"},
                                                 .id = {{9}},
                                                 .period = 2};
    assert_int_equal(setpay_network_acceptor_set(&request.acceptor, "shop", "A Shop", 5999),
                     SETPAY_OK);
    secret_set(&request.pan, "4242424242424242");
    secret_set(&request.expiry, "3012");
    assert_int_equal(
        setpay_network_present(f.network, &request, &f.executor, on_acknowledged, NULL), SETPAY_OK);
}

static void reconcile(void)
{
    const struct setpay_network_reconciliation request = {.issuer = "false",
                                                          .period = 12,
                                                          .currency = "EUR",
                                                          .cut_ms = 1700000000000,
                                                          .totals = totals};
    assert_int_equal(
        setpay_network_reconcile(f.network, &request, &f.executor, on_acknowledged, NULL),
        SETPAY_OK);
}

/* Tells it, which must be dropped: counted as unmatched or as refused, and nobody hears of it. */
static void dropped(const struct told *told)
{
    uint64_t before = unmatched() + refused();
    int heard = f.answered + f.acknowledged;
    tell(told);
    RUN_UNTIL(unmatched() + refused() > before);
    assert_int_equal(unmatched() + refused(), before + 1);
    assert_int_equal(f.answered + f.acknowledged, heard);
}

/* Tells it twice: taken, then dropped. */
static void taken_once(const struct told *told, const int *heard)
{
    int before = *heard;
    uint64_t dropped_before = unmatched();
    tell(told);
    tell(told);
    RUN_UNTIL(*heard == before + 1 && unmatched() == dropped_before + 1);
    dropped(told); /* and late */
    assert_int_equal(*heard, before + 1);
    setpay_iso_clear(&f.request);
}

/* It, or its repeat already. */
static void wait_request(const char *mti)
{
    RUN_UNTIL(memcmp(f.request.mti, mti, 3) == 0);
}

static bool field_is(unsigned field, const char *text)
{
    return setpay_view_equal(setpay_iso_view(&f.request, field), setpay_view_string(text));
}

static bool element_is(unsigned tag, const char *text)
{
    struct setpay_view data;
    return setpay_iso_element(&f.request, tag, &data) == SETPAY_OK &&
           setpay_view_equal(data, setpay_view_string(text));
}

/* ------------------------------------------------------------------ the messages */

static void authorisations_and_sales(void **state)
{
    static const struct {
        bool is_sale;
        const char *mti;
        struct told right, other_type;
    } kinds[] = {
        {false, "0100", {.mti = "0110", .code = "00"}, {.mti = "0210", .code = "00"}},
        {true, "0200", {.mti = "0210", .code = "00"}, {.mti = "0110", .code = "00"}},
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct told *right = &kinds[i].right;
        authorise(kinds[i].is_sale);
        wait_request(kinds[i].mti);
        assert_int_equal(
            element_is(SETPAY_ISO_ELEMENT_PRESENTMENT, "07000000000000000000000000000000"),
            kinds[i].is_sale);
        assert_int_equal(element_is(SETPAY_ISO_ELEMENT_PERIOD, "3"), kinds[i].is_sale);
        dropped(&kinds[i].other_type);
        dropped(&(struct told){.mti = right->mti, .code = "00", .stan = "999999"});
        dropped(&(struct told){.mti = right->mti, .code = "00", .rrn = "000000000000"});
        dropped(&(struct told){.mti = right->mti, .code = "00", .currency = "840"});
        taken_once(right, &f.answered);
        assert_int_equal(f.answer.outcome, SETPAY_NETWORK_ANSWERED);
        assert_int_equal(f.answer.amount.minor, 1250);
    }
}

static void reversals_and_advices(void **state)
{
    static const struct {
        bool advises, of_sale;
        const char *mti;
        struct told right, other_type;
    } kinds[] = {
        {false, false, "0400", {.mti = "0410", .code = "00"}, {.mti = "0430", .code = "00"}},
        {true, false, "0420", {.mti = "0430", .code = "25"}, {.mti = "0410", .code = "00"}},
        {false, true, "0400", {.mti = "0410", .code = "00"}, {.mti = "0230", .code = "00"}},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct told *right = &kinds[i].right;
        reverse(kinds[i].advises, kinds[i].of_sale);
        wait_request(kinds[i].mti);
        assert_memory_equal(setpay_iso_view(&f.request, SETPAY_ISO_ORIGINAL).data,
                            kinds[i].of_sale ? "0200000017" : "0100000017", 10);
        assert_int_equal(element_is(SETPAY_ISO_ELEMENT_PERIOD, "4"), kinds[i].of_sale);
        dropped(&kinds[i].other_type);
        dropped(&(struct told){.mti = right->mti, .code = "00", .stan = "999999"});
        dropped(&(struct told){.mti = right->mti, .code = "00", .rrn = "000000000000"});
        int repeats = f.repeats;
        RUN_UNTIL(f.repeats > repeats); /* none of it has ended it */
        taken_once(right, &f.acknowledged);
        assert_string_equal(f.ack.response_code, right->code);
    }
}

static void presentments(void **state)
{
    static const struct told right = {.mti = "0230", .code = "00"};
    (void)state;
    present();
    wait_request("0220");
    assert_true(element_is(SETPAY_ISO_ELEMENT_PRESENTMENT, "09000000000000000000000000000000"));
    assert_true(element_is(SETPAY_ISO_ELEMENT_PERIOD, "2"));
    dropped(&(struct told){.mti = "0410", .code = "00"});
    dropped(&(struct told){.mti = "0230", .code = "00", .currency = "840"});
    taken_once(&right, &f.acknowledged);
}

/* An authorisation in the issuer's stead: 0120 with the gateway's own code, of which the repeat, in
 * this life or a later one, is the same message; 30, 91 and 96 are no answer, any other is. */
static void advices(void **state)
{
    static const struct {
        bool repeated;
        const char *mti, *code;
    } cases[] = {{false, "0120", "00"}, {true, "0121", "94"}, {false, "0120", "05"}};
    const struct setpay_network_trace trace = {.stan = 4711, .time = 1700000000000};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct setpay_network_authorisation advice = {.trace = trace,
                                                      .amount = {1250, "EUR"},
                                                      .approval_code = "S04711",
                                                      .ecommerce_indicator = "05"};
        assert_int_equal(setpay_network_acceptor_set(&advice.acceptor, "shop", "A Shop", 5999),
                         SETPAY_OK);
        secret_set(&advice.pan, "4242424242424242");
        secret_set(&advice.expiry, "3012");
        assert_int_equal(setpay_network_advise(f.network, &advice, cases[i].repeated, &f.executor,
                                               on_acknowledged, NULL),
                         SETPAY_OK);
        assert_int_equal(advice.pan.size, 0);
        wait_request("0120");
        if (cases[i].repeated)
            assert_string_equal(f.request.mti, "0121");
        assert_true(field_is(SETPAY_ISO_STAN, "004711"));
        assert_true(field_is(SETPAY_ISO_TRANSMISSION_TIME, "1114221320"));
        assert_true(field_is(SETPAY_ISO_RRN, "331822004711"));
        assert_true(field_is(SETPAY_ISO_APPROVAL_CODE, "S04711"));
        assert_true(field_is(SETPAY_ISO_RESPONSE_CODE, "00"));
        assert_true(element_is(SETPAY_ISO_ELEMENT_ECOMMERCE, "05"));
        assert_true(element_is(SETPAY_ISO_ELEMENT_SECURITY_CODE, ""));
        dropped(&(struct told){.mti = "0110", .code = "00"});
        dropped(&(struct told){.mti = "0230", .code = "00"});
        dropped(&(struct told){.mti = "0130", .code = "00", .currency = "840"});
        dropped(&(struct told){.mti = "0130", .code = "00", .rrn = "000000000000"});
        int repeats = f.repeats;
        RUN_UNTIL(f.repeats > repeats); /* none of it has ended it */
        int heard = f.acknowledged;
        tell(&(struct told){.mti = "0130", .code = "91"});
        repeats = f.repeats;
        RUN_UNTIL(f.repeats > repeats); /* nor has "not now" */
        assert_int_equal(f.acknowledged, heard);
        taken_once(&(struct told){.mti = "0130", .code = cases[i].code}, &f.acknowledged);
        assert_string_equal(f.ack.response_code, cases[i].code);
    }
    struct setpay_network_authorisation sale = {
        .trace = trace, .amount = {1, "EUR"}, .approval_code = "S04711", .is_sale = true};
    assert_int_equal(setpay_network_acceptor_set(&sale.acceptor, "shop", "A Shop", 5999),
                     SETPAY_OK);
    secret_set(&sale.pan, "4242424242424242");
    secret_set(&sale.expiry, "3012");
    assert_int_equal(
        setpay_network_advise(f.network, &sale, false, &f.executor, on_acknowledged, NULL),
        SETPAY_E_FIELD); /* nothing was booked */
    setpay_network_authorisation_clear(&sale);
}

static void expect_reconciliation_frame(void)
{
    assert_true(field_is(SETPAY_ISO_SETTLEMENT_DATE, "1114"));
    assert_true(field_is(SETPAY_ISO_ACQUIRER, "123456"));
    assert_true(field_is(SETPAY_ISO_SETTLEMENT_CURRENCY, "978"));
    assert_true(element_is(SETPAY_ISO_ELEMENT_PERIOD, "12"));
    assert_true(field_is(SETPAY_ISO_CREDIT_COUNT, "0000000001"));
    assert_true(field_is(SETPAY_ISO_CREDIT_REVERSAL_COUNT, "0000000000"));
    assert_true(field_is(SETPAY_ISO_DEBIT_COUNT, "0000000002"));
    assert_true(field_is(SETPAY_ISO_DEBIT_REVERSAL_COUNT, "0000000000"));
    assert_true(field_is(SETPAY_ISO_CREDIT_AMOUNT, "0000000000000005"));
    assert_true(field_is(SETPAY_ISO_CREDIT_REVERSAL_AMOUNT, "0000000000000000"));
    assert_true(field_is(SETPAY_ISO_DEBIT_AMOUNT, "0000000000000070"));
    assert_true(field_is(SETPAY_ISO_DEBIT_REVERSAL_AMOUNT, "0000000000000000"));
    assert_true(field_is(SETPAY_ISO_NET_AMOUNT, "C0000000000000065"));
}

/* Whether both count the same we judge ourselves: the issuer must say so too. */
static void reconciliations(void **state)
{
    static const struct {
        struct told told;
        bool has_totals, in_balance;
    } answers[] = {
        {{.mti = "0510", .code = "00", .settlement = "1"}, true, true},
        {{.mti = "0510", .code = "95", .settlement = "2", .more = 1}, true, false},
        {{.mti = "0510", .code = "00", .settlement = "1", .more = 1}, true, false},
        {{.mti = "0510", .code = "95", .settlement = "2"}, true, false},
        {{.mti = "0510", .code = "00", .settlement = "2"}, true, false},
        {{.mti = "0510", .code = "40"}, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        reconcile();
        wait_request("0500");
        expect_reconciliation_frame();
        dropped(&(struct told){.mti = "0410", .code = "00"});
        dropped(&(struct told){.mti = "0510", .code = "00", .settlement = "1", .stan = "999999"});
        dropped(&(struct told){.mti = "0510", .code = "00"}); /* without totals */
        dropped(&(struct told){.mti = "0510", .code = "00", .settlement = "1", .currency = "840"});
        tell(&(struct told){.mti = "0510", .code = "96"}); /* not now */
        int repeats = f.repeats;
        RUN_UNTIL(f.repeats > repeats);
        assert_string_equal(f.request.mti, "0501");
        taken_once(&answers[i].told, &f.acknowledged);
        assert_int_equal(f.ack.has_totals, answers[i].has_totals);
        assert_int_equal(f.ack.in_balance, answers[i].in_balance);
        if (answers[i].has_totals)
            assert_int_equal(f.ack.totals.debit_minor, 70 + answers[i].told.more);
    }
    const struct setpay_network_reconciliation nobody = {
        .issuer = "nobody", .period = 1, .currency = "EUR"};
    assert_int_equal(
        setpay_network_reconcile(f.network, &nobody, &f.executor, on_acknowledged, NULL),
        SETPAY_E_NOT_FOUND);
}

static void on_signed_off(void *arg)
{
    (void)arg;
    f.signed_off++;
}

/* The last: it says good-bye, and does not come back. */
static void signs_off(void **state)
{
    (void)state;
    assert_int_equal(setpay_network_drain(f.network), SETPAY_OK);
    setpay_network_sign_off(f.network, on_signed_off, NULL);
    RUN_UNTIL(f.signed_off == 1);
    assert_int_equal(f.sign_offs, 1);
    assert_false(setpay_network_is_up(f.network));
    assert_false(setpay_network_is_any_up(f.network));
    setpay_network_sign_off(f.network, on_signed_off, NULL); /* nothing is up: at once */
    assert_int_equal(f.signed_off, 2);
}

static int open_all(void **state)
{
    struct setpay_address address;
    struct setpay_listeners listeners;
    struct setpay_network_config config;
    struct setpay_problem problem = {{0}};
    char text[SETPAY_ADDRESS_TEXT_SIZE];
    (void)state;
    if (setpay_loop_new(0, &f.loop) != SETPAY_OK ||
        setpay_address_parse("127.0.0.1:0", &address, NULL) != SETPAY_OK ||
        setpay_listeners_open(&address, 1, &listeners, NULL) != SETPAY_OK)
        return -1;
    f.executor = setpay_loop_executor(f.loop);
    setpay_address_format(&listeners.address, text);
    f.listener =
        evconnlistener_new(setpay_loop_base(f.loop), on_accept, NULL, LEV_OPT_CLOSE_ON_FREE, -1,
                           setpay_listeners_take(&listeners, 0));
    const struct setpay_network_route route = {.name = "false", .prefixes = "*", .address = text};
    setpay_network_config_defaults(&config);
    config.routes = &route;
    config.route_count = 1;
    config.acquirer_id = "123456";
    config.repeat_min_ms = 30;
    config.repeat_max_ms = 60;
    if (setpay_network_new(&config, setpay_loop_base(f.loop), &f.executor, &f.network, &problem) !=
        SETPAY_OK)
        return -1;
    RUN_UNTIL(setpay_network_is_up(f.network));
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    setpay_network_free(f.network);
    setpay_iso_clear(&f.request);
    if (f.stream != NULL)
        bufferevent_free(f.stream);
    evconnlistener_free(f.listener);
    setpay_loop_stop(f.loop);
    enum setpay_error error = setpay_loop_run(f.loop);
    setpay_loop_free(f.loop);
    return error == SETPAY_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(authorisations_and_sales),
        cmocka_unit_test(reversals_and_advices),
        cmocka_unit_test(presentments),
        cmocka_unit_test(advices),
        cmocka_unit_test(reconciliations),
        cmocka_unit_test(signs_off),
    };
    test_alarm(60);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
