/*
 * The issuer simulator as the program that it is: its frames byte by byte, its books over SIGKILL,
 * and the network's reversals across that. The alarm of main ends a test that hangs.
 */
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/net/listen.h"
#include "common/net/loop.h"
#include "gateway/issuer/cards.h"
#include "gateway/network/network.h"
#include "gateway/network/requests.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_MS 30000 /* never reached in a test */
#define LARGE_AMOUNT 4200

static char program[512];

struct fixture {
    char folder[64];
    char config[96];
    struct setpay_address address;
    char address_text[SETPAY_ADDRESS_TEXT_SIZE];
    pid_t pid;
    struct setpay_loop *loop;
    struct setpay_executor executor;
    struct setpay_network *network;
    int answered_count;
    struct setpay_network_answer answer;
    int acknowledged_count;
    struct setpay_network_acknowledgement ack;
};

/* ------------------------------------------------------------------ the daemon */

/* crash: what SETPAY_CRASH is to say, or NULL. */
static void start(struct fixture *f, const char *crash)
{
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (crash != NULL)
            setenv("SETPAY_CRASH", crash, 1);
        execl(program, program, "--config", f->config, (char *)NULL);
        _exit(127);
    }
}

static void reap(struct fixture *f, int by_signal)
{
    int status;
    while (waitpid(f->pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    if (by_signal != 0)
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == by_signal);
    else
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    f->pid = 0;
}

static void open_all(struct fixture *f)
{
    struct setpay_listeners listeners;
    char text[SETPAY_ADDRESS_TEXT_SIZE];
    memset(f, 0, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/setpay-issuer-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    /* The kernel's choice of a port, given back for the daemon to take again and again. */
    assert_int_equal(setpay_address_parse("127.0.0.1:0", &f->address, NULL), SETPAY_OK);
    assert_int_equal(setpay_listeners_open(&f->address, 1, &listeners, NULL), SETPAY_OK);
    f->address = listeners.address;
    setpay_listeners_close(&listeners);
    snprintf(f->address_text, sizeof(f->address_text), "%s",
             setpay_address_format(&f->address, text));
    snprintf(f->config, sizeof(f->config), "%s/issuer.conf", f->folder);
    FILE *file = fopen(f->config, "w");
    assert_non_null(file);
    fprintf(file,
            "testing = yes\nlisten = %s\ndatabase = sqlite:%s/issuer.db\n"
            "admin_socket = %s/issuer.sock\nlog = %s/issuer.log\n",
            f->address_text, f->folder, f->folder, f->folder);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(setpay_loop_new(0, &f->loop), SETPAY_OK);
    f->executor = setpay_loop_executor(f->loop);
}

static void open_network_over(struct fixture *f, SSL_CTX *tls, const char *tls_name)
{
    struct setpay_network_route route = {.name = "sim",
                                         .prefixes = "*",
                                         .address = f->address_text,
                                         .tls = tls,
                                         .tls_name = tls_name};
    struct setpay_network_config config;
    struct setpay_problem problem = {{0}};
    setpay_network_config_defaults(&config);
    config.routes = &route;
    config.route_count = 1;
    config.acquirer_id = "123456";
    config.answer_timeout_ms = LONG_MS;
    config.reconnect_min_ms = 20;
    config.reconnect_max_ms = 40;
    config.repeat_min_ms = 50;
    config.repeat_max_ms = 100;
    assert_int_equal(
        setpay_network_new(&config, setpay_loop_base(f->loop), &f->executor, &f->network, &problem),
        SETPAY_OK);
}

static void open_network(struct fixture *f)
{
    open_network_over(f, NULL, NULL);
}

static void close_all(struct fixture *f)
{
    char command[160];
    setpay_network_free(f->network);
    if (f->pid > 0) {
        kill(f->pid, SIGTERM);
        reap(f, 0);
    }
    setpay_loop_stop(f->loop);
    assert_int_equal(setpay_loop_run(f->loop), SETPAY_OK);
    setpay_loop_free(f->loop);
    snprintf(command, sizeof(command), "rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
}

#define RUN_UNTIL(f, condition)                                                                    \
    do {                                                                                           \
        while (!(condition))                                                                       \
            assert_int_not_equal(event_base_loop(setpay_loop_base((f)->loop), EVLOOP_ONCE), -1);   \
    } while (0)

/* What the program prints as JSON, owned by the caller. */
static json_t *run_json(struct fixture *f, const char *arguments)
{
    char command[800];
    snprintf(command, sizeof(command), "'%s' --config '%s' --json %s", program, f->config,
             arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    json_t *json = json_loadf(pipe, 0, NULL);
    assert_int_equal(pclose(pipe), 0);
    assert_non_null(json);
    return json;
}

static size_t count_in(struct fixture *f, const char *command)
{
    json_t *json = run_json(f, command);
    size_t count = json_array_size(json_object_get(json, command));
    json_decref(json);
    return count;
}

/* ------------------------------------------------------------------ the network's side */

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

static void fill_request(struct setpay_network_trace trace, const char *pan,
                         struct setpay_network_authorisation *request)
{
    memset(request, 0, sizeof(*request));
    request->trace = trace;
    secret_set(&request->pan, pan);
    secret_set(&request->expiry, "3012");
    assert_int_equal(setpay_money_make(LARGE_AMOUNT, "EUR", &request->amount), SETPAY_OK);
    assert_int_equal(setpay_network_acceptor_set(&request->acceptor, "shop-1", "Shop", 5411),
                     SETPAY_OK);
}

static struct setpay_network_trace ask_and_wait(struct fixture *f)
{
    struct setpay_network_authorisation request;
    struct setpay_network_trace trace;
    int before = f->answered_count;
    setpay_network_trace_allocate(f->network, &trace);
    fill_request(trace, "4242424242424242", &request);
    assert_int_equal(setpay_network_authorise(f->network, &request, &f->executor, on_answer, f),
                     SETPAY_OK);
    RUN_UNTIL(f, f->answered_count == before + 1);
    return trace;
}

static void reverse(struct fixture *f, const struct setpay_network_trace *original, bool repeated)
{
    struct setpay_network_reversal reversal = {.original = *original, .repeated = repeated};
    secret_set(&reversal.pan, "4242424242424242");
    secret_set(&reversal.expiry, "3012");
    assert_int_equal(setpay_money_make(LARGE_AMOUNT, "EUR", &reversal.amount), SETPAY_OK);
    assert_int_equal(setpay_network_acceptor_set(&reversal.acceptor, "shop-1", "Shop", 5411),
                     SETPAY_OK);
    assert_int_equal(
        setpay_network_reverse(f->network, &reversal, &f->executor, on_acknowledged, f, NULL),
        SETPAY_OK);
}

/* The issuer dies after it has booked and before it answers: the authorisation is unknown, its
 * reversal waits for the next life, and frees the hold. */
static void reverses_across_a_kill(void **state)
{
    struct fixture f;
    (void)state;
    open_all(&f);
    open_network(&f);
    start(&f, "issuer.send:2"); /* the first is the sign-on's answer */
    RUN_UNTIL(&f, setpay_network_is_up(f.network));
    struct setpay_network_trace trace = ask_and_wait(&f);
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_UNKNOWN);
    assert_int_equal(f.answer.reason, SETPAY_E_CLOSED);
    reap(&f, SIGKILL);
    reverse(&f, &trace, false);
    /* The next life takes the reversal, books it, and dies before it says so. */
    start(&f, "issuer.send:2");
    RUN_UNTIL(&f, setpay_network_is_up(f.network));
    RUN_UNTIL(&f, !setpay_network_is_up(f.network));
    reap(&f, SIGKILL);
    assert_int_equal(f.acknowledged_count, 0);
    start(&f, NULL);
    RUN_UNTIL(&f, f.acknowledged_count == 1);
    assert_true(f.ack.acknowledged);
    assert_true(f.ack.sent_count >= 2); /* on a slow machine it is repeated meanwhile */
    assert_int_equal(count_in(&f, "authorisations"), 1);
    assert_int_equal(count_in(&f, "holds"), 0);
    assert_int_equal(count_in(&f, "reversals"), 1);
    close_all(&f);
}

/* Dead before it commits: nothing was held, and the reversal of the unknown is acknowledged. */
static void reverses_what_was_never_booked(void **state)
{
    struct fixture f;
    (void)state;
    open_all(&f);
    start(&f, NULL);
    open_network(&f);
    RUN_UNTIL(&f, setpay_network_is_up(f.network));
    kill(f.pid, SIGTERM);
    reap(&f, 0);
    start(&f, "issuer.receive:2");
    RUN_UNTIL(&f, !setpay_network_is_up(f.network));
    RUN_UNTIL(&f, setpay_network_is_up(f.network));
    struct setpay_network_trace trace = ask_and_wait(&f);
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_UNKNOWN);
    reap(&f, SIGKILL);
    start(&f, NULL);
    reverse(&f, &trace, false);
    RUN_UNTIL(&f, f.acknowledged_count == 1);
    assert_true(f.ack.acknowledged);
    assert_int_equal(count_in(&f, "authorisations"), 0);
    assert_int_equal(count_in(&f, "reversals"), 1);
    close_all(&f);
}

/* A network that was stopped in between hands the reversal to its next life, which begins with a
 * repeat; the issuer, asked twice, ends the same. */
static void reverses_in_the_networks_next_life(void **state)
{
    struct fixture f;
    (void)state;
    open_all(&f);
    start(&f, NULL);
    open_network(&f);
    RUN_UNTIL(&f, setpay_network_is_up(f.network));
    struct setpay_network_trace trace = ask_and_wait(&f);
    assert_int_equal(f.answer.outcome, SETPAY_NETWORK_ANSWERED);
    assert_int_equal(count_in(&f, "holds"), 1);
    json_decref(run_json(&f, "script silent_reversals=1"));
    struct setpay_network_figures figures = {.reversals_sent = 0};
    reverse(&f, &trace, false);
    while (figures.reversals_sent == 0) {
        event_base_loop(setpay_loop_base(f.loop), EVLOOP_ONCE);
        setpay_network_figures(f.network, &figures);
    }
    setpay_network_free(f.network);
    open_network(&f);
    reverse(&f, &trace, true);
    RUN_UNTIL(&f, f.acknowledged_count == 2);
    assert_true(f.ack.acknowledged);
    json_t *status = run_json(&f, "status");
    json_t *figure = json_object_get(status, "figures");
    assert_true(json_integer_value(json_object_get(figure, "repeats")) >= 1);
    json_decref(status);
    assert_int_equal(count_in(&f, "holds"), 0);
    assert_int_equal(count_in(&f, "reversals"), 1);
    close_all(&f);
}

/* ------------------------------------------------------------------ frame by frame */

static int dial(const struct fixture *f)
{
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (const struct sockaddr *)&f->address.storage, f->address.size) == 0)
            return fd;
        assert_int_equal(errno, ECONNREFUSED);
        close(fd);
        usleep(10000); /* the daemon is still starting */
    }
}

static void send_frame(int fd, const struct setpay_secret *frame)
{
    assert_int_equal(send(fd, frame->data, frame->size, MSG_NOSIGNAL), frame->size);
}

/* False where the other end has closed. */
static bool receive(int fd, uint8_t *bytes, size_t *size)
{
    uint8_t header[2];
    if (recv(fd, header, 2, MSG_WAITALL) != 2)
        return false;
    assert_int_equal(setpay_iso_frame_size(header, size), SETPAY_OK);
    assert_int_equal(recv(fd, bytes, *size, MSG_WAITALL), *size);
    return true;
}

static void receive_message(int fd, const char *mti, const char *code,
                            struct setpay_iso_message *message)
{
    uint8_t bytes[SETPAY_ISO_MESSAGE_MAX];
    size_t size = 0;
    char text[3];
    setpay_iso_clear(message);
    assert_true(receive(fd, bytes, &size));
    assert_int_equal(setpay_iso_parse(setpay_view_of(bytes, size), message, NULL), SETPAY_OK);
    assert_string_equal(message->mti, mti);
    assert_int_equal(setpay_iso_get_text(message, SETPAY_ISO_RESPONSE_CODE, text, sizeof(text)),
                     SETPAY_OK);
    assert_string_equal(text, code);
}

static const struct setpay_network_trace trace_1 = {.stan = 1, .time = INT64_C(1795459271000)};
static const struct setpay_request_sender sender = {"123456", "SETPAY01"};

static int dial_and_sign_on(const struct fixture *f)
{
    struct setpay_secret frame = {0};
    struct setpay_iso_message answer = {0};
    int fd = dial(f);
    assert_int_equal(setpay_request_build_management(&trace_1, SETPAY_MANAGEMENT_SIGN_ON, &frame),
                     SETPAY_OK);
    send_frame(fd, &frame);
    receive_message(fd, "0810", "00", &answer);
    assert_true(setpay_answer_matches(&answer, &trace_1));
    setpay_iso_clear(&answer);
    setpay_secret_clear(&frame);
    return fd;
}

static void assert_closed(int fd)
{
    uint8_t byte;
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
}

/* What is no frame, no message or no business before sign-on closes the connection, and books
 * nothing. */
static void closes_on_what_is_wrong(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        bool signed_on;
    } cases[] = {
        {"\x00\x0b", 2, true}, /* too short */
        {"\xff\xff", 2, true}, /* too long */
        {"\x00\x0c"
         "9100\x00\x00\x00\x00\x00\x00\x00\x00",
         14, true}, /* unknown type */
        {"\x00\x0c"
         "0110\x00\x00\x00\x00\x00\x00\x00\x00",
         14, true}, /* an answer */
        {"\x00\x0c"
         "0100\x08\x00\x00\x00\x00\x00\x00\x00",
         14, true}, /* unknown field */
        {"\x00\x0c"
         "0400\x00\x00\x00\x00\x00\x00\x00\x00",
         14, false}, /* not signed on */
    };
    struct fixture f;
    (void)state;
    open_all(&f);
    start(&f, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = cases[i].signed_on ? dial_and_sign_on(&f) : dial(&f);
        assert_int_equal(send(fd, cases[i].bytes, cases[i].size, MSG_NOSIGNAL), cases[i].size);
        assert_closed(fd);
    }
    assert_int_equal(count_in(&f, "authorisations"), 0);
    close_all(&f);
}

/* Well-formed but not served, or without what it needs: answered with 40 and 30. */
static void answers_what_it_does_not_serve(void **state)
{
    static const char advice[] = "\x00\x0c"
                                 "0520\x00\x00\x00\x00\x00\x00\x00\x00";
    static const char empty[] = "\x00\x0c"
                                "0100\x00\x00\x00\x00\x00\x00\x00\x00";
    struct setpay_iso_message answer = {0};
    struct fixture f;
    (void)state;
    open_all(&f);
    start(&f, NULL);
    int fd = dial_and_sign_on(&f);
    assert_int_equal(send(fd, advice, 14, MSG_NOSIGNAL), 14);
    receive_message(fd, "0530", "40", &answer);
    assert_int_equal(send(fd, empty, 14, MSG_NOSIGNAL), 14);
    receive_message(fd, "0110", "30", &answer);
    setpay_iso_clear(&answer);
    close(fd);
    close_all(&f);
}

/* The same request twice, also after SIGKILL, is booked once and answered byte for byte alike; what
 * an answer echoes is what was asked, and no card data. Frames may come in pieces. */
static void books_once(void **state)
{
    struct setpay_network_authorisation request;
    struct setpay_secret frame = {0};
    struct setpay_iso_message answer = {0};
    uint8_t first[SETPAY_ISO_MESSAGE_MAX];
    uint8_t second[SETPAY_ISO_MESSAGE_MAX];
    size_t first_size = 0;
    size_t second_size = 0;
    char text[64];
    struct fixture f;
    (void)state;
    open_all(&f);
    start(&f, NULL);
    fill_request(trace_1, "4242424242424242", &request);
    assert_int_equal(setpay_request_build_authorisation(&sender, &request, &frame), SETPAY_OK);
    int fd = dial_and_sign_on(&f);
    send_frame(fd, &frame);
    assert_true(receive(fd, first, &first_size));
    kill(f.pid, SIGKILL);
    reap(&f, SIGKILL);
    close(fd);
    start(&f, NULL);
    fd = dial_and_sign_on(&f);
    for (size_t i = 0; i < frame.size; i++)
        assert_int_equal(send(fd, frame.data + i, 1, MSG_NOSIGNAL), 1);
    assert_true(receive(fd, second, &second_size));
    assert_int_equal(first_size, second_size);
    assert_memory_equal(first, second, first_size);
    assert_null(memmem(first, first_size, "4242424242424242", 16));
    assert_int_equal(setpay_iso_parse(setpay_view_of(first, first_size), &answer, NULL), SETPAY_OK);
    assert_true(setpay_answer_matches(&answer, &trace_1));
    assert_int_equal(setpay_iso_get_text(&answer, SETPAY_ISO_RRN, text, sizeof(text)), SETPAY_OK);
    assert_string_equal(text, "632718000001");
    assert_int_equal(setpay_iso_get_text(&answer, SETPAY_ISO_ACCEPTOR, text, sizeof(text)),
                     SETPAY_OK);
    assert_string_equal(text, "shop-1");
    assert_int_equal(count_in(&f, "holds"), 1);
    setpay_iso_clear(&answer);
    setpay_secret_clear(&frame);
    setpay_network_authorisation_clear(&request);
    close(fd);
    close_all(&f);
}

/* Sends the frame as a message of that type, and expects that answer. */
static void tell(int fd, struct setpay_secret *frame, const char *mti, const char *answer_mti,
                 const char *code)
{
    struct setpay_iso_message answer = {0};
    memcpy(frame->data + SETPAY_ISO_HEADER_SIZE, mti, 4);
    send_frame(fd, frame);
    receive_message(fd, answer_mti, code, &answer);
    setpay_iso_clear(&answer);
}

/* An advice of what was approved elsewhere is booked once, whatever the issuer would have said. A
 * sale that does not name what it books is none; one that does is charged, not held. */
static void takes_advices_and_sales(void **state)
{
    struct setpay_network_authorisation request;
    struct setpay_secret advice = {0}, sale = {0};
    struct setpay_network_trace trace = trace_1;
    struct fixture f;
    (void)state;
    open_all(&f);
    start(&f, NULL);
    int fd = dial_and_sign_on(&f);
    fill_request(trace, "4000000000000002", &request); /* declines */
    assert_int_equal(setpay_request_build_authorisation(&sender, &request, &advice), SETPAY_OK);
    tell(fd, &advice, "0120", "0130", "00");
    tell(fd, &advice, "0121", "0130", "00");
    assert_int_equal(count_in(&f, "holds"), 1);
    setpay_network_authorisation_clear(&request);
    trace.stan++;
    fill_request(trace, "4242424242424242", &request);
    assert_int_equal(setpay_request_build_authorisation(&sender, &request, &sale), SETPAY_OK);
    tell(fd, &sale, "0200", "0210", "30");
    setpay_secret_clear(&sale);
    request.is_sale = true;
    request.period = 1;
    assert_int_equal(setpay_request_build_authorisation(&sender, &request, &sale), SETPAY_OK);
    tell(fd, &sale, "0200", "0210", "00");
    tell(fd, &sale, "0200", "0210", "00");
    assert_int_equal(count_in(&f, "holds"), 1);
    assert_int_equal(count_in(&f, "presentments"), 1);
    setpay_secret_clear(&advice);
    setpay_secret_clear(&sale);
    setpay_network_authorisation_clear(&request);
    close(fd);
    close_all(&f);
}

/* Approval codes are six digits, and not one comes twice. */
static void approval_codes_differ(void **state)
{
    enum { COUNT = 300 };
    static char codes[COUNT][7];
    struct fixture f;
    (void)state;
    open_all(&f);
    start(&f, NULL);
    open_network(&f);
    RUN_UNTIL(&f, setpay_network_is_up(f.network));
    for (int i = 0; i < COUNT; i++) {
        ask_and_wait(&f);
        memcpy(codes[i], f.answer.approval_code, 7);
        assert_int_equal(strspn(codes[i], "0123456789"), 6);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(codes[i], codes[k]);
    }
    close_all(&f);
}

/* A certificate for "issuer.example", made by itself, and its key; the daemon is told of both. */
static void make_tls(struct fixture *f)
{
    char command[1024];
    snprintf(command, sizeof(command),
             "cd '%s' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
             " -keyout key.pem -out cert.pem -days 30 -subj /CN=issuer"
             " -addext subjectAltName=DNS:issuer.example 2>openssl.log"
             " && printf 'tls_cert = cert.pem\\ntls_key = key.pem\\n' >>issuer.conf",
             f->folder);
    assert_int_equal(system(command), 0);
}

static SSL_CTX *trusting(struct fixture *f, bool trust)
{
    char path[96];
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    assert_non_null(tls);
    snprintf(path, sizeof(path), "%s/cert.pem", f->folder);
    if (trust)
        assert_int_equal(SSL_CTX_load_verify_locations(tls, path, NULL), 1);
    return tls;
}

/* Over TLS 1.3 the line comes up with the issuer whose certificate is trusted and bears the
 * expected name, and with no other; nothing is sent to another. */
static void speaks_tls(void **state)
{
    static const struct {
        const char *name;
        int version;
        bool trust;
        bool up;
    } cases[] = {
        {"issuer.example", TLS1_3_VERSION, true, true},
        {"issuer.example", TLS1_3_VERSION, false, false},
        {"other.example", TLS1_3_VERSION, true, false},
        {"issuer.example", TLS1_2_VERSION, true, false},
    };
    struct fixture f;
    (void)state;
    open_all(&f);
    make_tls(&f);
    start(&f, NULL);
    close(dial(&f)); /* it listens */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        SSL_CTX *tls = trusting(&f, cases[i].trust);
        assert_int_equal(SSL_CTX_set_max_proto_version(tls, cases[i].version), 1);
        int before = f.answered_count;
        open_network_over(&f, tls, cases[i].name);
        if (cases[i].up) {
            RUN_UNTIL(&f, setpay_network_is_up(f.network));
            ask_and_wait(&f);
            assert_int_equal(f.answer.outcome, SETPAY_NETWORK_ANSWERED);
            assert_string_equal(f.answer.response_code, "00");
        } else {
            struct setpay_network_figures figures = {.connections_failed = 0};
            while (figures.connections_failed < 2) {
                event_base_loop(setpay_loop_base(f.loop), EVLOOP_ONCE);
                setpay_network_figures(f.network, &figures);
            }
            assert_int_equal(figures.sign_ons, 0);
            ask_and_wait(&f);
            assert_int_equal(f.answer.outcome, SETPAY_NETWORK_NOT_SENT);
        }
        assert_int_equal(f.answered_count, before + 1);
        setpay_network_free(f.network);
        f.network = NULL;
        SSL_CTX_free(tls);
    }
    assert_int_equal(count_in(&f, "authorisations"), 1);
    close_all(&f);
}

/* The list of cards needs no daemon, and has what enrolling one takes. */
static void lists_cards(void **state)
{
    struct fixture f;
    size_t count;
    const struct setpay_card *cards = setpay_card_table(&count);
    (void)state;
    open_all(&f);
    json_t *json = run_json(&f, "cards");
    json_t *list = json_object_get(json, "cards");
    assert_int_equal(json_array_size(list), count);
    for (size_t i = 0; i < count; i++) {
        json_t *row = json_array_get(list, i);
        unsigned sum = 0;
        assert_string_equal(json_string_value(json_object_get(row, "pan")), cards[i].pan);
        assert_string_equal(json_string_value(json_object_get(row, "brand")), cards[i].brand);
        assert_int_equal(strlen(json_string_value(json_object_get(row, "expiry"))), 4);
        assert_ptr_equal(setpay_card_by_name(cards[i].name), &cards[i]);
        assert_ptr_equal(setpay_card_by_pan(setpay_view_string(cards[i].pan)), &cards[i]);
        assert_int_equal(strlen(cards[i].pan), 16);
        for (size_t d = 0; d < 16; d++) {
            unsigned digit = (unsigned)(cards[i].pan[d] - '0') * (d % 2 == 0 ? 2 : 1);
            sum += digit > 9 ? digit - 9 : digit;
        }
        assert_int_equal(sum % 10, 0); /* Luhn */
        assert_int_equal(cards[i].pan[0], strcmp(cards[i].brand, "visa") == 0 ? '4' : '5');
    }
    json_decref(json);
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reverses_across_a_kill),
        cmocka_unit_test(reverses_what_was_never_booked),
        cmocka_unit_test(reverses_in_the_networks_next_life),
        cmocka_unit_test(closes_on_what_is_wrong),
        cmocka_unit_test(answers_what_it_does_not_serve),
        cmocka_unit_test(books_once),
        cmocka_unit_test(takes_advices_and_sales),
        cmocka_unit_test(approval_codes_differ),
        cmocka_unit_test(speaks_tls),
        cmocka_unit_test(lists_cards),
    };
    const char *build = getenv("BUILD");
    snprintf(program, sizeof(program), "%s/bin/setpay-issuersim", build == NULL ? "build" : build);
    test_alarm(120);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
