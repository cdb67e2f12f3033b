/*
 * What stands around a merchant under test: certificates, lists, configuration, orders.
 */
#include "tests/support/test_merchant.h"

#include "common/base/clock.h"
#include "merchant/payment/purchase_state.h"
#include "tests/support/test_answered.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static const char *const brand_names[] = {"visa", "mastercard", NULL};

/* ------------------------------------------------------------------ lists */

void test_merchantd_publish_crl(struct test_merchantd *m, const char *brand,
                                enum setpay_ca_kind kind, setpay_time_ms now_ms,
                                enum test_crl_defect defect)
{
    struct setpay_buffer der;
    char name[64];
    setpay_buffer_init(&der, SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(m->gateway->pki, brand, kind, now_ms, defect, &der);
    (void)snprintf(name, sizeof name, "%s-crls/%s-%d.crl", m->daemon.name,
                   brand == NULL ? "root" : brand, (int)kind);
    test_write_file(m->daemon.folder, name, setpay_buffer_view(&der));
    setpay_buffer_clear(&der);
}

static void publish_all(struct test_merchantd *m, setpay_time_ms now_ms)
{
    test_merchantd_publish_crl(m, NULL, SETPAY_CA_ROOT, now_ms, TEST_CRL_GOOD);
    for (size_t i = 0; brand_names[i] != NULL; i++)
        for (int kind = SETPAY_CA_BRAND; kind < SETPAY_CA_KINDS; kind++)
            test_merchantd_publish_crl(m, brand_names[i], (enum setpay_ca_kind)kind, now_ms,
                                       TEST_CRL_GOOD);
}

void test_merchantd_refresh_crls(struct test_merchantd *m, setpay_time_ms now_ms)
{
    publish_all(m, now_ms);
    test_daemon_reload(&m->daemon);
}

void test_merchantd_set_clock(struct test_merchantd *m, int64_t offset_ms)
{
    json_decref(test_daemon_control(&m->daemon, "testing.clock",
                                    json_pack("{s:I}", "offset_ms", (json_int_t)offset_ms)));
}

/* ------------------------------------------------------------------ the whole */

static void write_party(const struct test_merchantd *m, const struct test_party *party,
                        const char *brand, const char *name)
{
    char path[TEST_PATH_SIZE];
    char file[64];
    (void)snprintf(file, sizeof file, "%s-%s-%s", m->id, brand, name);
    test_party_write(party, test_path(m->daemon.folder, file, path));
}

/* FOLDER/NAME and that end; returns path. */
static const char *path_of(const struct test_merchantd *m, const char *end,
                           char path[TEST_PATH_SIZE])
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s%s", m->daemon.name, end);
    return test_path(m->daemon.folder, name, path);
}

static void write_configuration(struct test_merchantd *m, const char *frames, const char *refresh)
{
    char path[TEST_PATH_SIZE];
    const char *folder = m->daemon.folder, *name = m->daemon.name, *id = m->id;
    FILE *file = fopen(path_of(m, ".conf", path), "w");
    NEED(file != NULL);
    (void)fprintf(file,
                  "testing = yes\nworkers = 2\nid = %s\nname = A Test Shop\nlisten = %s\n"
                  "public_host = " TEST_MERCHANT_HOST
                  "%s\napi_listen = %s\nshop_listen = %s\ngateway = %s\ngateway_id = %s\n"
                  "admin_address = %s\ndatabase = sqlite:%s/%s.db\nadmin_socket = %s/%s.sock\n"
                  "log = %s/%s.log\nroot = %s/%s-crls/root.pem\ncrls = %s/%s-crls\n"
                  "tls_key = %s/%s-all-server.key\ntls_cert = %s/%s-all-server.pem\n"
                  "gateway_timeout = 5s\ndrain_timeout = 4s\nanswer_wait = 2m\nrepeat_min = "
                  "20ms\nrepeat_max = "
                  "100ms\nrefresh_interval = %s\n",
                  id, m->wallets, strchr(m->wallets, ':'), m->api, m->shop, frames, TEST_GATEWAY_ID,
                  m->daemon.admin, folder, name, folder, name, folder, name, folder, name, folder,
                  name, folder, id, folder, id, refresh);
    for (size_t i = 0; i < m->brand_count && brand_names[i] != NULL; i++) {
        const char *brand = brand_names[i];
        (void)fprintf(file,
                      "[brand %s]\nsign_key = %s/%s-%s-sign.key\nsign_cert = %s/%s-%s-sign.pem\n"
                      "tls_key = %s/%s-%s-tls.key\ntls_cert = %s/%s-%s-tls.pem\n",
                      brand, folder, id, brand, folder, id, brand, folder, id, brand, folder, id,
                      brand);
    }
    NEED(fclose(file) == 0);
}

static void make_token(struct test_merchantd *m)
{
    char path[TEST_PATH_SIZE];
    char *output = NULL;
    const char *words[] = {
        "--config", path_of(m, ".conf", path), "--json", "token", "add", "--name", "test", NULL};
    test_run_program("setpay-merchant", words, &output);
    json_t *answer = json_loads(output, 0, NULL);
    const char *token = json_string_value(json_object_get(answer, "token"));
    NEED(token != NULL);
    m->token = strdup(token);
    json_decref(answer);
    free(output);
}

/* who: id, shops and their count, and the name of its files. */
static struct test_merchantd *start(struct test_gateway *gateway, const struct test_merchantd *who,
                                    const char *frames, const char *refresh)
{
    struct test_merchantd *m = calloc(1, sizeof *m);
    char path[TEST_PATH_SIZE];
    NEED(m != NULL);
    *m = *who;
    m->gateway = gateway;
    m->daemon.folder = gateway->folder;
    m->daemon.program = "setpay-merchantd";
    test_choose_address(m->wallets);
    test_choose_address(m->api);
    test_choose_address(m->shop);
    test_choose_address(m->daemon.admin);
    m->server = test_party_new(gateway->pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_SERVER, m->id,
                               TEST_MERCHANT_HOST);
    write_party(m, m->server, "all", "server");
    for (size_t i = 0; i < m->brand_count && brand_names[i] != NULL; i++) {
        write_party(m, m->shops[i].sign, brand_names[i], "sign");
        write_party(m, m->shops[i].tls, brand_names[i], "tls");
    }
    NEED(mkdir(path_of(m, "-crls", path), 0700) == 0);
    test_pki_write(gateway->pki, path);
    publish_all(m, gateway->pki->now_ms);
    write_configuration(m, frames, refresh);
    test_daemon_start(&m->daemon, NULL);
    make_token(m);
    return m;
}

struct test_merchantd *test_merchantd_new(struct test_gateway *gateway, const char *frames,
                                          const char *refresh)
{
    const struct test_merchantd who = {.id = TEST_GATEWAY_MERCHANT,
                                       .shops = gateway->shop,
                                       .brand_count = 2,
                                       .daemon.name = "merchant"};
    return start(gateway, &who, frames, refresh);
}

struct test_merchantd *test_merchantd_new_other(struct test_gateway *gateway, const char *frames,
                                                const char *refresh)
{
    const struct test_merchantd who = {.id = TEST_GATEWAY_OTHER,
                                       .shops = &gateway->other,
                                       .brand_count = 1,
                                       .daemon.name = "other"};
    return start(gateway, &who, frames, refresh);
}

void test_merchantd_free(struct test_merchantd *m)
{
    if (m == NULL)
        return;
    test_daemon_kill(&m->daemon);
    test_party_free(m->server);
    free(m->token);
    free(m);
}

/* ------------------------------------------------------------------ the store */

int test_merchantd_api(struct test_merchantd *m, const char *path, const char *body,
                       json_t **answer)
{
    char request[2048], reply[65536];
    size_t size = 0;
    ssize_t got = 0;
    int fd = test_connect(m->api);
    int length = snprintf(request, sizeof request,
                          "%s /api/v1%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                          "Authorization: Bearer %s\r\nIdempotency-Key: test-%u\r\n%s"
                          "Content-Length: %zu\r\n\r\n%s",
                          body == NULL ? "GET" : "POST", path, m->token, m->requests++,
                          body == NULL ? "" : "Content-Type: application/json\r\n",
                          body == NULL ? 0 : strlen(body), body == NULL ? "" : body);
    NEED(length > 0 && (size_t)length < sizeof request);
    NEED(send(fd, request, (size_t)length, MSG_NOSIGNAL) == length);
    while ((got = recv(fd, reply + size, sizeof reply - 1 - size, 0)) > 0)
        size += (size_t)got;
    (void)close(fd);
    reply[size] = '\0';
    const char *end = strstr(reply, "\r\n\r\n");
    NEED(end != NULL && strncmp(reply, "HTTP/1.1 ", 9) == 0);
    test_answered(request, reply);
    *answer = json_loads(end + 4, 0, NULL);
    NEED(*answer != NULL);
    return (int)strtol(reply + 9, NULL, 10);
}

static struct test_order make_order(struct test_merchantd *m, const char *body)
{
    struct test_order order;
    json_t *answer = NULL;
    NEED(test_merchantd_api(m, "/orders", body, &answer) == 201);
    const char *id = json_string_value(json_object_get(answer, "order_id"));
    const char *uri = json_string_value(json_object_get(answer, "pay_uri"));
    NEED(id != NULL && uri != NULL && strrchr(uri, '/') != NULL);
    (void)snprintf(order.id, sizeof order.id, "%s", id);
    (void)snprintf(order.token, sizeof order.token, "%s", strrchr(uri, '/') + 1);
    json_decref(answer);
    return order;
}

struct test_order test_merchantd_order(struct test_merchantd *m, int64_t minor,
                                       const char *currency, int64_t expires_in_s)
{
    char body[256];
    (void)snprintf(body, sizeof body,
                   "{\"description\":\"a test order\",\"amount\":%lld,\"currency\":\"%s\","
                   "\"expires_in\":%lld}",
                   (long long)minor, currency, (long long)expires_in_s);
    return make_order(m, body);
}

struct test_order test_merchantd_order_of(struct test_merchantd *m, const char *body)
{
    return make_order(m, body);
}

struct test_order test_merchantd_order_to_capture(struct test_merchantd *m, int64_t minor,
                                                  const char *capture)
{
    char body[256];
    (void)snprintf(body, sizeof body,
                   "{\"description\":\"a test order\",\"amount\":%lld,\"currency\":\"EUR\","
                   "\"capture\":\"%s\"}",
                   (long long)minor, capture);
    return make_order(m, body);
}

int test_merchantd_end_order(struct test_merchantd *m, const struct test_order *order,
                             const char *how)
{
    char path[160];
    json_t *answer = NULL;
    (void)snprintf(path, sizeof path, "/orders/%s/%s", order->id, how);
    int status = test_merchantd_api(m, path, "{}", &answer);
    json_decref(answer);
    return status;
}

const char *test_merchantd_order_status(struct test_merchantd *m, const struct test_order *order)
{
    static char status[32];
    char path[160];
    json_t *answer = NULL;
    (void)snprintf(path, sizeof path, "/orders/%s", order->id);
    NEED(test_merchantd_api(m, path, NULL, &answer) == 200);
    (void)snprintf(status, sizeof status, "%s",
                   json_string_value(json_object_get(answer, "status")));
    json_decref(answer);
    return status;
}

/* ------------------------------------------------------------------ what may not move */

static size_t issuer_asked(struct test_gateway *gateway)
{
    json_t *status = test_gateway_issuer(gateway, "status", NULL);
    const json_t *figures = json_object_get(status, "figures");
    NEED(figures != NULL);
    json_int_t asked = json_integer_value(json_object_get(figures, "authorisations")) +
                       json_integer_value(json_object_get(figures, "reversals"));
    json_decref(status);
    return (size_t)asked;
}

void test_standing_take(struct test_merchantd *m, struct test_standing *standing)
{
    *standing = (struct test_standing){
        .merchant_rows = test_daemon_dump(&m->daemon),
        .gateway_rows = test_gateway_dump(m->gateway),
        .issuer_asked = issuer_asked(m->gateway),
    };
}

/* Takes the rows of one table out of a dump. */
static void forget_table(char *rows, const char *title)
{
    char *from = strstr(rows, title);
    NEED(from != NULL);
    const char *to = strstr(from + 1, "\n== ");
    to = to == NULL ? from + strlen(from) : to + 1;
    memmove(from, to, strlen(to) + 1);
}

void test_standing_take_but_answers(struct test_merchantd *m, struct test_standing *standing)
{
    test_standing_take(m, standing);
    forget_table(standing->gateway_rows, "== answer\n");
    standing->but_answers = true;
}

void test_standing_clear(struct test_standing *standing)
{
    free(standing->merchant_rows);
    free(standing->gateway_rows);
    memset(standing, 0, sizeof *standing);
}

/* The first line in which two dumps differ, after. */
static void show_difference(const char *before, const char *after)
{
    size_t at = 0, line = 0;
    for (; before[at] != '\0' && before[at] == after[at]; at++) {
        if (after[at] == '\n')
            line = at + 1;
    }
    (void)fprintf(stderr, "before: %.600s\nafter:  %.600s\n", before + line, after + line);
}

const char *test_standing_moved(struct test_merchantd *m, struct test_standing *before)
{
    struct test_standing now;
    const char *moved = NULL;
    if (before->but_answers)
        test_standing_take_but_answers(m, &now);
    else
        test_standing_take(m, &now);
    if (strcmp(before->merchant_rows, now.merchant_rows) != 0) {
        show_difference(before->merchant_rows, now.merchant_rows);
        moved = "the merchant's rows";
    } else if (strcmp(before->gateway_rows, now.gateway_rows) != 0) {
        show_difference(before->gateway_rows, now.gateway_rows);
        moved = "the gateway's rows";
    } else if (before->issuer_asked != now.issuer_asked) {
        moved = "the issuer's books";
    }
    test_standing_clear(&now);
    test_standing_clear(before);
    return moved;
}

static enum setpay_purchase_state read_state(struct test_merchantd *m, const struct setpay_id *xid)
{
    char sql[160], hex[SETPAY_ID_TEXT_SIZE];
    (void)snprintf(sql, sizeof sql,
                   "SELECT coalesce((SELECT state FROM purchase WHERE xid = x'%s'), 0)",
                   setpay_id_format(xid, hex));
    return (enum setpay_purchase_state)test_daemon_number(&m->daemon, sql);
}

const char *test_merchantd_state(struct test_merchantd *m, const struct setpay_id *xid)
{
    return setpay_purchase_state_name(read_state(m, xid));
}

void test_merchantd_wait_state(struct test_merchantd *m, const struct setpay_id *xid,
                               const char *state)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    for (;;) {
        enum setpay_purchase_state is = read_state(m, xid);
        if (strcmp(setpay_purchase_state_name(is), state) == 0)
            return;
        /* nothing follows a final refusal */
        bool goes_on = setpay_clock_monotonic_ms() < until && !setpay_purchase_state_is_refused(is);
        if (!goes_on)
            (void)fprintf(stderr, "it is %s, not %s\n", setpay_purchase_state_name(is), state);
        NEED(goes_on);
        (void)usleep(TEST_POLL_US);
    }
}
