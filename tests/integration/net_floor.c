/*
 * The floor that payments stand on: a daemon of two workers with a framed server (mutual TLS 1.3)
 * over a real store, and a client with many requests under way. It is killed in the middle of its
 * load, at named points and at none, and started again: nothing that was acknowledged may be lost,
 * and after a drain nothing that was kept may be unacknowledged.
 *
 * The daemon is a forked child of this program; the PKI is made in memory before. Prints TAP.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/daemon.h"
#include "common/net/frame_client.h"
#include "common/net/frame_server.h"
#include "common/store/store.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_pki.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEYS 200000
#define UNDER_WAY 256
#define CONNECTIONS 16
#define LIMIT_S 240

static int test_count, failed_count;

static void check(bool is_ok, const char *text)
{
    printf("%s %d - %s\n", is_ok ? "ok" : "not ok", ++test_count, text);
    fflush(stdout);
    failed_count += !is_ok;
}

static void need(bool is_ok, const char *text)
{
    if (is_ok)
        return;
    printf("Bail out! %s\n", text);
    exit(1);
}

static char folder[] = "/tmp/setpay-floor-XXXXXX";
static char database_url[64];

/* --------------------------------------------------------------------------------- the daemon */

static const struct setpay_store_migration steps[] = {
    {1, "CREATE TABLE item (key INTEGER PRIMARY KEY, body BLOB NOT NULL);"},
    {0, NULL},
};
static const struct setpay_store_schema schema = {.name = "floor", .steps = steps};

struct service {
    struct setpay_tls_config tls_config;
    struct setpay_tls *tls;
    struct setpay_store *store;
    const char *address;
    int ready_fd; /* told the port */
};

struct desk { /* a worker's own */
    struct setpay_worker *worker;
    struct setpay_executor executor;
    struct setpay_frame_server *server;
    struct setpay_store *store;
    struct setpay_frame_handle held;
    uint64_t held_id;
};

struct insert {
    struct desk *desk;
    struct setpay_frame_handle connection;
    uint64_t request_id;
    int64_t key;
    uint8_t body[64];
};

static enum setpay_error insert_item(struct setpay_db *db, void *arg)
{
    const struct insert *insert = arg;
    enum setpay_error error =
        setpay_db_run(db, "INSERT INTO item (key, body) VALUES ($1, $2)",
                      SETPAY_DB_INT(insert->key), SETPAY_DB_VIEW(SETPAY_VIEW_ARRAY(insert->body)));
    return error == SETPAY_E_DUPLICATE ? SETPAY_OK : error; /* a repeat: it is kept already */
}

/* An answer: "K" (kept) or "E", the worker, the key. */
static void answer(struct desk *desk, struct setpay_frame_handle connection, uint64_t request_id,
                   char kind, int64_t key)
{
    uint8_t bytes[10] = {(uint8_t)kind, (uint8_t)desk->worker->index};
    setpay_write_u64be(bytes + 2, (uint64_t)key);
    enum setpay_error error =
        setpay_frame_reply(desk->server, connection, request_id, SETPAY_VIEW_ARRAY(bytes));
    if (error != SETPAY_OK && error != SETPAY_E_CLOSED)
        abort();
}

static void insert_done(void *arg, enum setpay_error error)
{
    struct insert *insert = arg;
    answer(insert->desk, insert->connection, insert->request_id, error == SETPAY_OK ? 'K' : 'E',
           insert->key);
    free(insert);
}

/* "I" key: insert. "H" key: held back until "R" key. */
static void on_request(void *arg, const struct setpay_frame_request *request)
{
    struct desk *desk = arg;
    const struct setpay_peer *peer = request->peer;
    if (!peer->is_certified || peer->profile != SETPAY_PROFILE_MERCHANT_TLS_CLIENT ||
        strcmp(peer->brand, "visa") != 0 || strcmp(peer->id, "shop-1") != 0)
        abort();
    if (request->payload.size < 9)
        abort();
    uint8_t kind = request->payload.data[0];
    int64_t key = (int64_t)setpay_read_u64be(request->payload.data + 1);
    if (kind == 'H') {
        desk->held = request->connection;
        desk->held_id = request->request_id;
        return;
    }
    if (kind == 'R') {
        answer(desk, desk->held, desk->held_id, 'K', 0);
        answer(desk, request->connection, request->request_id, 'K', key);
        return;
    }
    struct insert *insert = calloc(1, sizeof *insert);
    if (kind != 'I' || insert == NULL)
        abort();
    *insert = (struct insert){desk, request->connection, request->request_id, key, {0}};
    memset(insert->body, (int)key, sizeof insert->body);
    if (setpay_store_submit(desk->store, insert_item, insert_done, insert, &desk->executor) !=
        SETPAY_OK)
        insert_done(insert, SETPAY_E_BUSY);
}

static enum setpay_error service_start(void *context, struct setpay_daemon *daemon,
                                       struct setpay_problem *problem)
{
    struct service *service = context;
    (void)daemon;
    SETPAY_TRY(setpay_tls_new_server(&service->tls_config, &service->tls, problem));
    return setpay_store_open(&(struct setpay_store_options){.url = database_url, .schema = &schema},
                             &service->store, problem);
}

static enum setpay_error service_ready(void *context, struct setpay_daemon *daemon,
                                       struct setpay_problem *problem)
{
    struct service *service = context;
    (void)problem;
    uint16_t port = setpay_address_port(setpay_daemon_address(daemon, "frames"));
    return write(service->ready_fd, &port, sizeof port) == sizeof port ? SETPAY_OK : SETPAY_E_IO;
}

static void service_stop(void *context, struct setpay_daemon *daemon)
{
    struct service *service = context;
    (void)daemon;
    setpay_store_close(service->store);
    setpay_tls_free(service->tls);
}

static enum setpay_error desk_init(void *context, struct setpay_worker *worker,
                                   struct setpay_problem *problem)
{
    struct service *service = context;
    (void)problem;
    struct desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL)
        return SETPAY_E_NOMEM;
    desk->worker = worker;
    desk->executor = setpay_loop_executor(worker->loop);
    desk->store = service->store;
    worker->user = desk;
    return setpay_frame_server_new(
        worker->loop, setpay_worker_take_listener(worker, "frames"), service->tls,
        &(struct setpay_frame_server_options){.on_request_cb = on_request, .arg = desk},
        &desk->server);
}

static void desk_drained(void *arg)
{
    setpay_worker_drained(((struct desk *)arg)->worker);
}

static void desk_drain(void *context, struct setpay_worker *worker)
{
    struct desk *desk = worker->user;
    (void)context;
    setpay_frame_server_drain(desk->server, desk_drained, desk);
}

static void desk_free(void *context, struct setpay_worker *worker)
{
    struct desk *desk = worker->user;
    (void)context;
    if (desk == NULL)
        return;
    setpay_frame_server_free(desk->server);
    free(desk);
}

static int serve(struct service *service)
{
    const struct setpay_daemon_listener listener = {.name = "frames", .address = service->address};
    const struct setpay_daemon_spec spec = {
        .name = "floor",
        .workers = 2,
        .testing = true,
        .log_level = SETPAY_LOG_ERROR,
        .listeners = &listener,
        .listener_count = 1,
        .context = service,
        .on_start_cb = service_start,
        .on_ready_cb = service_ready,
        .on_stop_cb = service_stop,
        .worker_init_cb = desk_init,
        .worker_drain_cb = desk_drain,
        .worker_free_cb = desk_free,
    };
    struct setpay_problem problem;
    enum setpay_error error = setpay_daemon_run(&spec, &problem);
    if (error != SETPAY_OK)
        fprintf(stderr, "# daemon: %s: %s\n", setpay_error_name(error), problem.text);
    return error == SETPAY_OK ? 0 : 1;
}

/* ----------------------------------------------------------------------------------- its life */

struct child {
    pid_t pid;
    uint16_t port;
};

/* Starts the daemon and waits until it is ready. crash: "point:count" or NULL. */
static struct child start_daemon(const struct setpay_tls_config *tls_config, uint16_t port,
                                 const char *crash)
{
    int pipe_fds[2];
    need(pipe(pipe_fds) == 0, "pipe");
    fflush(stdout);
    struct child child = {.pid = fork()};
    need(child.pid >= 0, "fork");
    if (child.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char address[32];
        snprintf(address, sizeof address, "127.0.0.1:%u", port);
        /* The client's sockets are not ours: they would keep its connections half alive. */
        for (int fd = 3; fd < 1024; fd++)
            if (fd != pipe_fds[1])
                close(fd);
        if (crash != NULL)
            setenv("SETPAY_CRASH", crash, 1);
        struct service service = {
            .tls_config = *tls_config, .address = address, .ready_fd = pipe_fds[1]};
        exit(serve(&service));
    }
    close(pipe_fds[1]);
    need(read(pipe_fds[0], &child.port, sizeof child.port) == sizeof child.port,
         "the daemon did not become ready");
    close(pipe_fds[0]);
    return child;
}

/* ----------------------------------------------------------------------------------- the client */

enum key_state { FRESH, SENT, KEPT };

static struct {
    struct setpay_loop *loop;
    struct setpay_frame_client *client;
    struct setpay_address address;
    uint8_t keys[KEYS]; /* enum key_state */
    int64_t next;       /* all below were sent at least once */
    int64_t again[KEYS];
    size_t again_count; /* without an acknowledgement, to be repeated */
    size_t under_way;
    size_t kept;
    size_t refused; /* CLOSED, TIMEOUT, UNREACHABLE, "E" */
    size_t workers[2];
    bool is_loading;
} load;

static void send_load(void);

static void on_kept(void *arg, enum setpay_error error, struct setpay_view view)
{
    int64_t key = (int64_t)(intptr_t)arg;
    load.under_way--;
    if (error == SETPAY_OK && view.size == 10 && view.data[0] == 'K') {
        need((int64_t)setpay_read_u64be(view.data + 2) == key, "an answer to another request");
        load.keys[key] = KEPT;
        load.kept++;
        load.workers[view.data[1] & 1]++;
    } else {
        load.refused++;
        load.again[load.again_count++] = key;
    }
    send_load();
}

static bool send_command(struct setpay_frame_client *client, char kind, int64_t key,
                         setpay_frame_answer_cb *on_answer_cb, void *arg, size_t size)
{
    static uint8_t payload[512 * 1024];
    payload[0] = (uint8_t)kind;
    setpay_write_u64be(payload + 1, (uint64_t)key);
    return setpay_frame_client_send(client, setpay_view_of(payload, size), 20000, on_answer_cb, arg,
                                    NULL) == SETPAY_OK;
}

static void send_load(void)
{
    while (load.is_loading && load.under_way < UNDER_WAY) {
        int64_t key = load.again_count > 0 ? load.again[--load.again_count] : load.next++;
        need(key < KEYS, "out of keys");
        load.keys[key] = SENT;
        load.under_way++;
        need(send_command(load.client, 'I', key, on_kept, (void *)(intptr_t)key, 9), "send");
    }
}

#define TURN_UNTIL(condition)                                                                      \
    while (!(condition))                                                                           \
    need(event_base_loop(setpay_loop_base(load.loop), EVLOOP_ONCE) == 0, "loop")

static void begin_load(void)
{
    load.is_loading = true;
    send_load();
}

/* Stops sending and waits for what is under way. */
static void end_load(void)
{
    load.is_loading = false;
    TURN_UNTIL(load.under_way == 0);
}

static struct setpay_frame_client *connect_client(struct setpay_tls *tls, const char *sni,
                                                  const char *id, size_t connections)
{
    struct setpay_frame_client *client = NULL;
    const struct setpay_frame_client_options options = {
        .address = load.address,
        .expect = {.sni = sni, .brand = "visa", .id = id},
        .connections = connections,
        .payload_max = 256 * 1024, /* more than the daemon takes */
        .backoff_max_ms = 200,
    };
    need(setpay_frame_client_new(load.loop, tls, &options, &client) == SETPAY_OK, "client");
    return client;
}

/* --------------------------------------------------------------------------------------- looking
 */

struct look {
    size_t lost;           /* acknowledged and not there */
    size_t unacknowledged; /* there, and the client does not know */
};

static enum setpay_error look_at(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    static bool is_there[KEYS];
    memset(is_there, 0, sizeof is_there);
    struct setpay_db_rows *rows = NULL;
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT key FROM item"));
    while (setpay_db_next(rows))
        is_there[setpay_db_get_int(rows, 0)] = true;
    for (size_t i = 0; i < KEYS; i++) {
        look->lost += load.keys[i] == KEPT && !is_there[i];
        look->unacknowledged += load.keys[i] != KEPT && is_there[i];
    }
    return setpay_db_end(rows);
}

/* Opens the database, whose daemon has gone, in a child of its own: no threads here. */
static struct look look_at_database(void)
{
    struct look look = {0};
    int pipe_fds[2];
    need(pipe(pipe_fds) == 0, "pipe");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct setpay_store *store = NULL;
        struct setpay_reader *reader = NULL;
        struct setpay_problem problem;
        if (setpay_store_open(
                &(struct setpay_store_options){.url = database_url, .schema = &schema}, &store,
                &problem) != SETPAY_OK ||
            setpay_reader_new(store, &reader) != SETPAY_OK ||
            setpay_store_read(reader, look_at, &look) != SETPAY_OK ||
            write(pipe_fds[1], &look, sizeof look) != sizeof look)
            _exit(1);
        setpay_reader_free(reader);
        setpay_store_close(store);
        _exit(0);
    }
    close(pipe_fds[1]);
    need(read(pipe_fds[0], &look, sizeof look) == sizeof look, "the database can't be read");
    close(pipe_fds[0]);
    waitpid(pid, NULL, 0);
    return look;
}

/* --------------------------------------------------------------------------------------- the tests
 */

static struct {
    struct test_pki *pki;
    struct test_party *gateway, *shop, *revoked, *signer, *cardholder, *expired;
    struct setpay_trust *trust;
    struct setpay_tls_config server;
} cast;

static STACK_OF(X509) * chain_of(const struct test_party *party)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++) {
        const unsigned char *at = party->chain[i].data;
        sk_X509_push(chain, d2i_X509(NULL, &at, (long)party->chain[i].size));
    }
    return chain;
}

static struct setpay_tls_identity identity_of(const struct test_party *party, const char *brand)
{
    return (struct setpay_tls_identity){brand, party->x509, party->key, chain_of(party)};
}

static struct setpay_tls *client_tls(const struct test_party *party)
{
    struct setpay_tls *tls = NULL;
    struct setpay_tls_identity identity = {0};
    if (party != NULL)
        identity = identity_of(party, NULL);
    const struct setpay_tls_config config = {
        .identities = &identity,
        .identity_count = party != NULL,
        .trust = cast.trust,
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_GATEWAY_TLS_SERVER),
    };
    need(setpay_tls_new_client(&config, &tls, NULL) == SETPAY_OK, "client TLS");
    sk_X509_pop_free(identity.chain, X509_free);
    return tls;
}

static void make_cast(void)
{
    static const char *const brands[] = {"visa", NULL};
    static struct setpay_tls_identity server_identity;
    cast.pki = test_pki_new(setpay_clock_now_ms(), brands);
    cast.gateway =
        test_party_new(cast.pki, "visa", SETPAY_PROFILE_GATEWAY_TLS_SERVER, "gate-1", NULL);
    cast.shop =
        test_party_new(cast.pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, "shop-1", NULL);
    cast.revoked =
        test_party_new(cast.pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, "shop-2", NULL);
    cast.signer = test_party_new(cast.pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    cast.cardholder = test_party_new(cast.pki, "visa", SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    cast.expired = test_party_new_defective(cast.pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_CLIENT,
                                            "shop-1", TEST_PKI_EXPIRED);
    test_pki_revoke(cast.pki, cast.revoked);
    cast.trust = test_pki_trust(cast.pki);
    server_identity = identity_of(cast.gateway, "visa");
    cast.server = (struct setpay_tls_config){
        .identities = &server_identity,
        .identity_count = 1,
        .trust = cast.trust,
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_MERCHANT_TLS_CLIENT),
    };
}

static void free_cast(void)
{
    struct test_party *parties[] = {cast.gateway, cast.shop,       cast.revoked,
                                    cast.signer,  cast.cardholder, cast.expired};
    for (size_t i = 0; i < sizeof parties / sizeof parties[0]; i++)
        test_party_free(parties[i]);
    sk_X509_pop_free(cast.server.identities[0].chain, X509_free);
    setpay_trust_free(cast.trust);
    test_pki_free(cast.pki);
}

static struct {
    int answers; /* of the 64, the first apart */
    bool is_first_answered;
    bool is_first_last;
    enum setpay_error end;
    bool has_ended;
} seen;

static void on_one_of_64(void *arg, enum setpay_error error, struct setpay_view view)
{
    (void)view;
    need(error == SETPAY_OK, "a request of 64 failed");
    if (arg == NULL) {
        seen.is_first_answered = true;
        seen.is_first_last = seen.answers >= 63;
    } else {
        seen.answers++;
    }
}

static void on_end(void *arg, enum setpay_error error, struct setpay_view view)
{
    (void)arg;
    (void)view;
    seen.end = error;
    seen.has_ended = true;
}

static void answers_out_of_order(struct setpay_tls *tls)
{
    struct setpay_frame_client *client = connect_client(tls, "visa", "gate-1", 1);
    need(send_command(client, 'H', 0, on_one_of_64, NULL, 9), "send");
    for (int64_t key = KEYS - 63; key < KEYS; key++)
        need(send_command(client, 'I', key, on_one_of_64, &seen, 9), "send");
    TURN_UNTIL(seen.answers == 63);
    for (int64_t key = KEYS - 63; key < KEYS; key++)
        load.keys[key] = KEPT;
    bool was_held = !seen.is_first_answered;
    need(send_command(client, 'R', 1, on_end, NULL, 9), "send");
    TURN_UNTIL(seen.has_ended && seen.is_first_answered);
    check(was_held && seen.is_first_last,
          "64 requests on one connection: 63 are answered while the first is held back");
    setpay_frame_client_free(client);
}

/* A client that the daemon, or the client itself, must refuse: never up, and nothing leaves. */
static void check_refused(const struct test_party *party, const char *sni, const char *id,
                          enum setpay_error expected, const char *text)
{
    struct setpay_tls *tls = client_tls(party);
    struct setpay_frame_client *client = connect_client(tls, sni, id, 1);
    struct setpay_frame_client_counts counts = {0};
    seen.has_ended = false;
    need(send_command(client, 'I', 1, on_end, NULL, 9), "send");
    bool was_up = false;
    while (counts.connect_failures < 2) {
        need(event_base_loop(setpay_loop_base(load.loop), EVLOOP_ONCE) == 0, "loop");
        setpay_frame_client_count(client, &counts);
        was_up = was_up || setpay_frame_client_is_up(client);
    }
    enum setpay_error why = setpay_frame_client_last_error(client);
    setpay_frame_client_free(client);
    setpay_tls_free(tls);
    check(!was_up && seen.has_ended && seen.end == SETPAY_E_UNREACHABLE && why == expected, text);
    if (why != expected)
        printf("# found %s\n", setpay_error_name(why));
}

static void check_refusals(void)
{
    check_refused(NULL, "visa", "gate-1", SETPAY_E_TLS, "rule A3: a client without a certificate");
    check_refused(cast.signer, "visa", "gate-1", SETPAY_E_TLS,
                  "rule A3: the merchant's signing certificate is none for TLS");
    check_refused(cast.cardholder, "visa", "gate-1", SETPAY_E_TLS,
                  "rule A3: a cardholder's certificate is of another role");
    check_refused(cast.revoked, "visa", "gate-1", SETPAY_E_TLS, "rule A3: a revoked certificate");
    check_refused(cast.expired, "visa", "gate-1", SETPAY_E_TLS, "rule A3: an expired certificate");
    check_refused(cast.shop, "other", "gate-1", SETPAY_E_TLS, "a brand that is not served here");
    check_refused(cast.shop, "visa", "gate-2", SETPAY_E_CERT_NAME,
                  "the client refuses a gateway with another id");
}

static void oversized_frame(struct setpay_tls *tls)
{
    struct setpay_frame_client *client = connect_client(tls, "visa", "gate-1", 1);
    seen.has_ended = false;
    need(send_command(client, 'I', 1, on_end, NULL, SETPAY_LIMIT_MESSAGE_BYTES + 1), "send");
    TURN_UNTIL(seen.has_ended);
    check(seen.end == SETPAY_E_CLOSED, "rule A1: a frame above the limit ends its connection");
    seen.has_ended = false;
    need(send_command(client, 'R', 1, on_end, NULL, 9), "send");
    TURN_UNTIL(seen.has_ended);
    check(seen.end == SETPAY_OK, "and the next connection is served");
    setpay_frame_client_free(client);
}

/* Load, death, life, load; all repeated until acknowledged. */
static struct child die_and_come_back(struct child child, const char *crash, const char *text)
{
    size_t until = load.kept + 1500;
    int status = 0;
    begin_load();
    if (crash == NULL) {
        TURN_UNTIL(load.kept >= until);
        kill(child.pid, SIGKILL);
    }
    /* At a crash point it dies by itself; the client then loses all connections. */
    TURN_UNTIL(!setpay_frame_client_is_up(load.client));
    need(waitpid(child.pid, &status, 0) == child.pid, "waitpid");
    bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    struct look look = look_at_database();
    int64_t begin_ms = setpay_clock_monotonic_ms();
    child = start_daemon(&cast.server, child.port, NULL);
    until = load.kept + 500;
    TURN_UNTIL(load.kept >= until);
    int64_t took_ms = setpay_clock_monotonic_ms() - begin_ms;
    end_load();
    while (load.again_count > 0) { /* repeat, until every key that was sent is acknowledged */
        load.is_loading = true;
        int64_t end = load.next;
        send_load();
        load.is_loading = false;
        TURN_UNTIL(load.under_way == 0);
        need(end <= load.next, "keys");
    }
    printf("# %zu kept, %zu without an answer, back after %lld ms, lost %zu\n", load.kept,
           load.refused, (long long)took_ms, look.lost);
    check(was_killed && look.lost == 0 && took_ms < 5000, text);
    return child;
}

static void stop_daemon(struct child child, int *status)
{
    kill(child.pid, SIGTERM);
    TURN_UNTIL(waitpid(child.pid, status, WNOHANG) == child.pid);
}

int main(void)
{
    test_alarm(LIMIT_S);
    need(mkdtemp(folder) != NULL, "mkdtemp");
    snprintf(database_url, sizeof database_url, "sqlite:%s/floor.db", folder);
    setpay_log_set_level(SETPAY_LOG_ERROR + 1);
    make_cast();
    struct child child = start_daemon(&cast.server, 0, NULL);
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", child.port);
    need(setpay_address_parse(text, &load.address, NULL) == SETPAY_OK, "address");
    need(setpay_loop_new(0, &load.loop) == SETPAY_OK, "loop");
    struct setpay_tls *tls = client_tls(cast.shop);

    load.client = connect_client(tls, "visa", "gate-1", CONNECTIONS);
    TURN_UNTIL(setpay_frame_client_is_up(load.client));
    check(true, "a client is up before its first request: the server has taken its certificate");
    answers_out_of_order(tls);
    check_refusals();
    oversized_frame(tls);

    child = die_and_come_back(child, NULL, "kill -9 under load: nothing acknowledged is lost");
    check(load.workers[0] > 0 && load.workers[1] > 0, "both workers served");
    static const char *const crashes[] = {"store.commit:30", "net.send:700", "net.receive:900"};
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        int status = 0;
        char words[96];
        stop_daemon(child, &status);
        child = start_daemon(&cast.server, child.port, crashes[i]);
        snprintf(words, sizeof words, "death at %s: nothing acknowledged is lost", crashes[i]);
        TURN_UNTIL(setpay_frame_client_is_up(load.client));
        child = die_and_come_back(child, crashes[i], words);
    }

    int status = 0;
    size_t until = load.kept + 1500;
    begin_load();
    TURN_UNTIL(load.kept >= until);
    stop_daemon(child, &status);
    load.is_loading = false;
    TURN_UNTIL(!setpay_frame_client_is_up(load.client));
    struct look look = look_at_database();
    printf("# lost %zu, kept without an answer %zu, under way %zu\n", look.lost,
           look.unacknowledged, load.under_way);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "SIGTERM under load: an orderly end");
    check(look.lost == 0 && look.unacknowledged == 0,
          "a drain answers all that it keeps, and keeps all that it answers");

    setpay_frame_client_free(load.client);
    setpay_tls_free(tls);
    setpay_loop_free(load.loop);
    free_cast();
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    need(system(command) == 0, "rm");
    printf("1..%d\n", test_count);
    return failed_count != 0;
}
