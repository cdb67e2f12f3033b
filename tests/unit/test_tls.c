/*
 * TLS between parties: who is let in, who is called, resumption, reload, and judging again.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/frame_client.h"
#include "common/net/frame_server.h"
#include "common/net/stream.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    struct test_pki *pki;
    struct test_party *gate_visa, *gate_amex, *shop, *shop_amex, *other_server;
    struct setpay_trust *trust;
} cast;

static struct {
    struct setpay_loop *loop;
    struct setpay_address address;
    struct setpay_tls *tls;
    struct setpay_frame_server *server;
    struct setpay_peer peer; /* of the last request */
    int answers;
    enum setpay_error answer_error;
} world;

#define TURN_UNTIL(condition)                                                                      \
    while (!(condition))                                                                           \
    assert_int_equal(event_base_loop(setpay_loop_base(world.loop), EVLOOP_ONCE), 0)

/* ------------------------------------------------------------------------------------- helpers */

static STACK_OF(X509) * chain_of(const struct test_party *party)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++) {
        const unsigned char *at = party->chain[i].data;
        sk_X509_push(chain, d2i_X509(NULL, &at, (long)party->chain[i].size));
    }
    return chain;
}

struct identities {
    struct setpay_tls_identity list[2];
    size_t count;
};

static void add_identity(struct identities *identities, const struct test_party *party,
                         const char *brand)
{
    identities->list[identities->count++] =
        (struct setpay_tls_identity){brand, party->x509, party->key, chain_of(party)};
}

static void clear_identities(struct identities *identities)
{
    while (identities->count > 0)
        sk_X509_pop_free(identities->list[--identities->count].chain, X509_free);
}

static struct setpay_tls *client_of(const struct test_party *party)
{
    struct setpay_tls *tls = NULL;
    struct identities own = {.count = 0};
    if (party != NULL)
        add_identity(&own, party, NULL);
    const struct setpay_tls_config config = {
        .identities = own.list,
        .identity_count = own.count,
        .trust = cast.trust,
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_GATEWAY_TLS_SERVER),
    };
    assert_int_equal(setpay_tls_new_client(&config, &tls, NULL), SETPAY_OK);
    clear_identities(&own);
    return tls;
}

static struct setpay_tls_config server_config(const struct identities *own)
{
    return (struct setpay_tls_config){
        .identities = own->list,
        .identity_count = own->count,
        .trust = cast.trust,
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_MERCHANT_TLS_CLIENT),
    };
}

static void on_request(void *arg, const struct setpay_frame_request *request)
{
    (void)arg;
    world.peer = *request->peer;
    assert_int_equal(setpay_frame_reply(world.server, request->connection, request->request_id,
                                        request->payload),
                     SETPAY_OK);
}

static void on_answer(void *arg, enum setpay_error error, struct setpay_view answer)
{
    (void)arg;
    (void)answer;
    world.answer_error = error;
    world.answers++;
}

static int listener(void)
{
    struct setpay_address any;
    struct setpay_listeners listeners;
    assert_int_equal(setpay_address_parse("127.0.0.1:0", &any, NULL), SETPAY_OK);
    assert_int_equal(setpay_listeners_open(&any, 1, &listeners, NULL), SETPAY_OK);
    world.address = listeners.address;
    return setpay_listeners_take(&listeners, 0);
}

static int setup(void **state)
{
    (void)state;
    static const char *const brands[] = {"visa", "amex", NULL};
    memset(&world, 0, sizeof world);
    cast.pki = test_pki_new(setpay_clock_now_ms(), brands);
    cast.gate_visa =
        test_party_new(cast.pki, "visa", SETPAY_PROFILE_GATEWAY_TLS_SERVER, "gate-1", NULL);
    cast.gate_amex =
        test_party_new(cast.pki, "amex", SETPAY_PROFILE_GATEWAY_TLS_SERVER, "gate-1", NULL);
    cast.shop =
        test_party_new(cast.pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, "shop-1", NULL);
    cast.shop_amex =
        test_party_new(cast.pki, "amex", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, "shop-9", NULL);
    cast.other_server = test_party_new(cast.pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_SERVER,
                                       "shop-1", "shop.example");
    cast.trust = test_pki_trust(cast.pki);
    assert_int_equal(setpay_loop_new(0, &world.loop), SETPAY_OK);
    struct identities own = {.count = 0};
    add_identity(&own, cast.gate_visa, "visa");
    add_identity(&own, cast.gate_amex, "amex");
    const struct setpay_tls_config config = server_config(&own);
    assert_int_equal(setpay_tls_new_server(&config, &world.tls, NULL), SETPAY_OK);
    clear_identities(&own);
    assert_int_equal(setpay_frame_server_new(world.loop, listener(), world.tls,
                                             &(struct setpay_frame_server_options){
                                                 .on_request_cb = on_request, .recheck_ms = 20},
                                             &world.server),
                     SETPAY_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    struct test_party *parties[] = {cast.gate_visa, cast.gate_amex, cast.shop, cast.shop_amex,
                                    cast.other_server};
    setpay_frame_server_free(world.server);
    setpay_tls_free(world.tls);
    setpay_loop_free(world.loop);
    for (size_t i = 0; i < sizeof parties / sizeof parties[0]; i++)
        test_party_free(parties[i]);
    setpay_trust_free(cast.trust);
    test_pki_free(cast.pki);
    return 0;
}

static struct setpay_frame_client *call(struct setpay_tls *tls, struct setpay_tls_expect expect)
{
    struct setpay_frame_client *client = NULL;
    const struct setpay_frame_client_options options = {
        .address = world.address, .expect = expect, .connections = 1, .backoff_max_ms = 50};
    assert_int_equal(setpay_frame_client_new(world.loop, tls, &options, &client), SETPAY_OK);
    return client;
}

static void ask(struct setpay_frame_client *client)
{
    assert_int_equal(
        setpay_frame_client_send(client, setpay_view_of("?", 1), 10000, on_answer, NULL, NULL),
        SETPAY_OK);
}

/* --------------------------------------------------------------------------------------- tests */

/* Both ends know each other by brand, role and id; SNI chose the server's certificate. */
static void peers_are_known(void **state)
{
    (void)state;
    const struct {
        const struct test_party *shop, *gate;
        const char *brand, *shop_id;
    } rows[] = {{cast.shop, cast.gate_visa, "visa", "shop-1"},
                {cast.shop_amex, cast.gate_amex, "amex", "shop-9"}};
    for (size_t i = 0; i < 2; i++) {
        struct setpay_tls *tls = client_of(rows[i].shop);
        struct setpay_frame_client *client =
            call(tls, (struct setpay_tls_expect){
                          .sni = rows[i].brand, .brand = rows[i].brand, .id = "gate-1"});
        TURN_UNTIL(setpay_frame_client_is_up(client)); /* before any request */
        struct setpay_peer gate;
        assert_true(setpay_frame_client_peer(client, &gate));
        assert_int_equal(gate.profile, SETPAY_PROFILE_GATEWAY_TLS_SERVER);
        assert_string_equal(gate.brand, rows[i].brand);
        assert_string_equal(gate.id, "gate-1");
        assert_true(setpay_digest_equal(&gate.thumbprint, &rows[i].gate->thumbprint));
        int before = world.answers;
        ask(client);
        TURN_UNTIL(world.answers > before);
        assert_int_equal(world.answer_error, SETPAY_OK);
        assert_true(world.peer.is_certified);
        assert_int_equal(world.peer.profile, SETPAY_PROFILE_MERCHANT_TLS_CLIENT);
        assert_string_equal(world.peer.brand, rows[i].brand);
        assert_string_equal(world.peer.id, rows[i].shop_id);
        assert_true(setpay_digest_equal(&world.peer.thumbprint, &rows[i].shop->thumbprint));
        setpay_frame_client_free(client);
        setpay_tls_free(tls);
    }
}

/* The client refuses a server that is not the one it means to call. */
static void wrong_servers_are_refused(void **state)
{
    (void)state;
    const struct {
        struct setpay_tls_expect expect;
        enum setpay_error error;
    } rows[] = {
        {{.sni = "visa", .brand = "amex"}, SETPAY_E_BRANDS_MIXED},
        {{.sni = "visa", .brand = "visa", .id = "gate-2"}, SETPAY_E_CERT_NAME},
        {{.sni = "visa", .host = "gate.example"}, SETPAY_E_HOST}, /* rule W1, for the channel */
        {{.sni = "unknown"}, SETPAY_E_TLS},
        {{.sni = NULL}, SETPAY_E_TLS},
    };
    struct setpay_tls *tls = client_of(cast.shop);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setpay_frame_client *client = call(tls, rows[i].expect);
        struct setpay_frame_client_counts counts = {0};
        while (counts.connect_failures == 0) {
            assert_int_equal(event_base_loop(setpay_loop_base(world.loop), EVLOOP_ONCE), 0);
            setpay_frame_client_count(client, &counts);
            assert_false(setpay_frame_client_is_up(client));
        }
        assert_int_equal(setpay_frame_client_last_error(client), rows[i].error);
        setpay_frame_client_free(client);
    }
    setpay_tls_free(tls);
}

/* A server of another profile is refused, and its certificate's host names are looked at. */
static void profiles_and_hosts_are_checked(void **state)
{
    (void)state;
    struct identities own = {.count = 0};
    add_identity(&own, cast.other_server, NULL);
    const struct setpay_tls_config config = {.identities = own.list, .identity_count = 1};
    assert_int_equal(setpay_tls_reload(world.tls, &config, NULL), SETPAY_OK);
    clear_identities(&own);

    struct setpay_tls *gate_only = client_of(NULL), *shops = NULL;
    struct setpay_frame_client *client = call(gate_only, (struct setpay_tls_expect){.sni = NULL});
    TURN_UNTIL(setpay_frame_client_last_error(client) != SETPAY_OK);
    assert_int_equal(setpay_error_kind(setpay_frame_client_last_error(client)),
                     SETPAY_KIND_SECURITY);
    assert_false(setpay_frame_client_is_up(client));
    setpay_frame_client_free(client);

    const struct setpay_tls_config shop_config = {
        .trust = cast.trust,
        /* A set of profiles: either is taken. */
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_MERCHANT_TLS_SERVER) |
                         SETPAY_TLS_PROFILE(SETPAY_PROFILE_GATEWAY_TLS_SERVER)};
    assert_int_equal(setpay_tls_new_client(&shop_config, &shops, NULL), SETPAY_OK);
    client = call(shops, (struct setpay_tls_expect){.sni = "evil.example", .host = "evil.example"});
    TURN_UNTIL(setpay_frame_client_last_error(client) != SETPAY_OK);
    assert_int_equal(setpay_frame_client_last_error(client), SETPAY_E_HOST);
    setpay_frame_client_free(client);
    client = call(shops, (struct setpay_tls_expect){.sni = "shop.example", .host = "shop.example"});
    TURN_UNTIL(setpay_frame_client_is_up(client));
    setpay_frame_client_free(client);
    setpay_tls_free(shops);
    setpay_tls_free(gate_only);
}

/* A reload serves new connections with the new certificate, and leaves living ones alone. */
static void reload_swaps_certificates(void **state)
{
    (void)state;
    struct test_party *fresh =
        test_party_new(cast.pki, "visa", SETPAY_PROFILE_GATEWAY_TLS_SERVER, "gate-1", NULL);
    struct setpay_tls *tls = client_of(cast.shop);
    const struct setpay_tls_expect expect = {.sni = "visa", .brand = "visa", .id = "gate-1"};
    struct setpay_frame_client *before = call(tls, expect), *after;
    TURN_UNTIL(setpay_frame_client_is_up(before));
    struct identities own = {.count = 0};
    add_identity(&own, fresh, "visa");
    struct setpay_tls_config config = server_config(&own);
    assert_int_equal(setpay_tls_reload(world.tls, &config, NULL), SETPAY_OK);
    after = call(tls, expect);
    TURN_UNTIL(setpay_frame_client_is_up(after));
    struct setpay_peer gate;
    assert_true(setpay_frame_client_peer(after, &gate));
    assert_true(setpay_digest_equal(&gate.thumbprint, &fresh->thumbprint));
    ask(before);
    TURN_UNTIL(world.answers == 1);
    assert_int_equal(world.answer_error, SETPAY_OK);
    assert_true(setpay_frame_client_peer(before, &gate));
    assert_true(setpay_digest_equal(&gate.thumbprint, &cast.gate_visa->thumbprint));

    /* A reload that can't be had changes nothing. */
    struct setpay_problem problem;
    own.list[0].key = cast.gate_amex->key;
    assert_int_equal(setpay_tls_reload(world.tls, &config, &problem), SETPAY_E_CONFIG);
    assert_non_null(strstr(problem.text, "key"));
    config.identity_count = 0;
    assert_int_equal(setpay_tls_reload(world.tls, &config, &problem), SETPAY_E_CONFIG);
    ask(after);
    TURN_UNTIL(world.answers == 2);
    assert_int_equal(world.answer_error, SETPAY_OK);
    clear_identities(&own);
    setpay_frame_client_free(before);
    setpay_frame_client_free(after);
    setpay_tls_free(tls);
    test_party_free(fresh);
}

/* rule A3: a certificate that is revoked while its connection lives ends it, and it stays out. */
static void living_peers_are_judged_again(void **state)
{
    (void)state;
    struct setpay_tls *tls = client_of(cast.shop);
    struct setpay_frame_client *client =
        call(tls, (struct setpay_tls_expect){.sni = "visa", .brand = "visa"});
    TURN_UNTIL(setpay_frame_client_is_up(client));
    test_pki_revoke(cast.pki, cast.shop);
    test_pki_refresh_crls(cast.pki, cast.trust, setpay_clock_now_ms());
    TURN_UNTIL(!setpay_frame_client_is_up(client));
    struct setpay_frame_client_counts counts = {0};
    while (counts.connect_failures < 3) { /* resumption does not let it in either */
        assert_int_equal(event_base_loop(setpay_loop_base(world.loop), EVLOOP_ONCE), 0);
        setpay_frame_client_count(client, &counts);
        assert_false(setpay_frame_client_is_up(client));
    }
    setpay_frame_client_free(client);
    setpay_tls_free(tls);
}

/* ---------------------------------------------------------------------------- resumption, closely
 */

struct caller {
    struct setpay_stream *stream;
    bool is_open, is_accepted, has_ended;
    enum setpay_error error;
};

static void caller_open(void *arg)
{
    struct caller *caller = arg;
    caller->is_open = true;
    setpay_stream_set_reading(caller->stream, true);
    setpay_stream_poke(caller->stream);
}

static void caller_input(void *arg)
{
    struct caller *caller = arg;
    caller->is_accepted = setpay_stream_is_accepted(caller->stream);
}

static void caller_output(void *arg)
{
    (void)arg;
}

static void caller_end(void *arg, enum setpay_error error)
{
    struct caller *caller = arg;
    caller->has_ended = true;
    caller->error = error;
}

static const struct setpay_stream_events caller_events = {caller_open, caller_input, caller_output,
                                                          caller_end};

static void dial(struct caller *caller, struct setpay_tls *tls, SSL_SESSION *session)
{
    const struct setpay_tls_expect expect = {.sni = "visa", .brand = "visa"};
    memset(caller, 0, sizeof *caller);
    assert_int_equal(setpay_stream_connect(world.loop, &world.address, tls, &expect, session,
                                           &caller_events, caller, &caller->stream),
                     SETPAY_OK);
}

/* Sessions are resumed; a revoked certificate is not let in by one (rule A3). */
static void resumed_sessions_are_judged(void **state)
{
    (void)state;
    struct setpay_tls *tls = client_of(cast.shop);
    struct caller caller;
    dial(&caller, tls, NULL);
    TURN_UNTIL(caller.is_accepted);
    SSL *ssl = setpay_stream_ssl(caller.stream);
    assert_int_equal(SSL_version(ssl), TLS1_3_VERSION);
    assert_int_equal(SSL_session_reused(ssl), 0);
    SSL_SESSION *session = setpay_tls_take_session(ssl);
    assert_non_null(session);
    assert_int_equal(SSL_SESSION_get_max_early_data(session), 0); /* no 0-RTT */
    setpay_stream_free(caller.stream);

    dial(&caller, tls, session);
    TURN_UNTIL(caller.is_accepted);
    ssl = setpay_stream_ssl(caller.stream);
    assert_int_equal(SSL_session_reused(ssl), 1);
    assert_string_equal(setpay_stream_peer(caller.stream)->id, "gate-1"); /* judged again */
    SSL_SESSION *second = setpay_tls_take_session(ssl);
    assert_non_null(second);
    setpay_stream_free(caller.stream);

    test_pki_revoke(cast.pki, cast.shop);
    test_pki_refresh_crls(cast.pki, cast.trust, setpay_clock_now_ms());
    dial(&caller, tls, second);
    TURN_UNTIL(caller.has_ended);
    assert_false(caller.is_accepted);
    assert_int_equal(SSL_session_reused(setpay_stream_ssl(caller.stream)), 1);
    setpay_stream_free(caller.stream);
    SSL_SESSION_free(session);
    SSL_SESSION_free(second);
    setpay_tls_free(tls);
}

/* The client judges a resumed server too. */
static void resumed_servers_are_judged(void **state)
{
    (void)state;
    struct setpay_tls *tls = client_of(cast.shop);
    struct caller caller;
    dial(&caller, tls, NULL);
    TURN_UNTIL(caller.is_accepted);
    SSL_SESSION *session = setpay_tls_take_session(setpay_stream_ssl(caller.stream));
    setpay_stream_free(caller.stream);
    test_pki_revoke(cast.pki, cast.gate_visa);
    test_pki_refresh_crls(cast.pki, cast.trust, setpay_clock_now_ms());
    dial(&caller, tls, session);
    TURN_UNTIL(caller.has_ended);
    assert_false(caller.is_open);
    assert_int_equal(caller.error, SETPAY_E_CERT_REVOKED); /* rule A3 */
    setpay_stream_free(caller.stream);
    SSL_SESSION_free(session);
    setpay_tls_free(tls);
}

/* A plain OpenSSL client in a thread of its own; result is SSL_connect's. */
struct stranger {
    int version;
    atomic_int result; /* 0 until it has ended, then 1 or -1 */
};

static void *call_as_stranger(void *arg)
{
    struct stranger *stranger = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, stranger->version);
    SSL_CTX_set_max_proto_version(ctx, stranger->version);
    SSL *ssl = SSL_new(ctx);
    char name[] = "visa"; /* the macro takes it without const */
    SSL_set_tlsext_host_name(ssl, name);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&world.address.storage, world.address.size) == 0)
        SSL_set_fd(ssl, fd);
    int result = SSL_connect(ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    atomic_store(&stranger->result, result == 1 ? 1 : -1);
    return NULL;
}

/* TLS 1.2 is not spoken. */
static void only_tls_1_3_is_spoken(void **state)
{
    (void)state;
    const int versions[2] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (int i = 0; i < 2; i++) {
        struct stranger stranger = {.version = versions[i]};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, call_as_stranger, &stranger), 0);
        TURN_UNTIL(atomic_load(&stranger.result) != 0);
        pthread_join(thread, NULL);
        /* With 1.3 its own side of the handshake ends well; it is refused afterwards. */
        assert_int_equal(stranger.result, i == 0 ? -1 : 1);
    }
    struct setpay_frame_server_counts counts;
    do {
        assert_int_equal(event_base_loop(setpay_loop_base(world.loop), EVLOOP_ONCE), 0);
        setpay_frame_server_count(world.server, &counts);
    } while (counts.refused < 2);
    assert_int_equal(counts.connections, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(peers_are_known, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_servers_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(profiles_and_hosts_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(reload_swaps_certificates, setup, teardown),
        cmocka_unit_test_setup_teardown(living_peers_are_judged_again, setup, teardown),
        cmocka_unit_test_setup_teardown(resumed_sessions_are_judged, setup, teardown),
        cmocka_unit_test_setup_teardown(resumed_servers_are_judged, setup, teardown),
        cmocka_unit_test_setup_teardown(only_tls_1_3_is_spoken, setup, teardown),
    };
    test_alarm(60);
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
