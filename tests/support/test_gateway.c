/*
 * What stands around a gateway under test: keys, certificates, lists, configuration, an issuer.
 */
#include "tests/support/test_gateway.h"

#include "common/base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* ------------------------------------------------------------------ files */

static const char *crl_name(const char *brand, enum setpay_ca_kind kind, char name[64])
{
    (void)snprintf(name, 64, "crls/%s-%d.crl", brand == NULL ? "root" : brand, (int)kind);
    return name;
}

static void write_crl(struct test_gateway *g, const char *brand, enum setpay_ca_kind kind,
                      enum test_crl_defect defect)
{
    struct setpay_buffer der;
    char name[64];
    setpay_buffer_init(&der, SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(g->pki, brand, kind, g->pki->now_ms, defect, &der);
    test_write_file(g->folder, crl_name(brand, kind, name), setpay_buffer_view(&der));
    setpay_buffer_clear(&der);
}

void test_gateway_publish_crl(struct test_gateway *g, const char *brand, enum setpay_ca_kind kind)
{
    write_crl(g, brand, kind, TEST_CRL_GOOD);
}

void test_gateway_publish_defective_crl(struct test_gateway *g, const char *brand,
                                        enum setpay_ca_kind kind, enum test_crl_defect defect)
{
    write_crl(g, brand, kind, defect);
}

void test_gateway_withdraw_crl(struct test_gateway *g, const char *brand, enum setpay_ca_kind kind)
{
    char name[64];
    char path[TEST_PATH_SIZE];
    NEED(unlink(test_path(g->folder, crl_name(brand, kind, name), path)) == 0);
    (void)unlink(test_path(g->folder, "crls/crls.pem", path)); /* the first lists of all CAs */
}

static void write_trust(struct test_gateway *g)
{
    char path[TEST_PATH_SIZE];
    NEED(mkdir(test_path(g->folder, "crls", path), 0700) == 0);
    test_pki_write(g->pki, path);
    write_crl(g, NULL, SETPAY_CA_ROOT, TEST_CRL_GOOD);
    for (size_t i = 0; brand_names[i] != NULL; i++)
        for (int kind = SETPAY_CA_BRAND; kind < SETPAY_CA_KINDS; kind++)
            write_crl(g, brand_names[i], (enum setpay_ca_kind)kind, TEST_CRL_GOOD);
}

static void write_party(const struct test_gateway *g, const struct test_party *party,
                        const char *brand, const char *name)
{
    char path[TEST_PATH_SIZE];
    char file[64];
    (void)snprintf(file, sizeof file, "%s-%s", brand, name);
    test_party_write(party, test_path(g->folder, file, path));
}

static void make_parties(struct test_gateway *g)
{
    for (int i = 0; brand_names[i] != NULL; i++) {
        const char *brand = brand_names[i];
        g->sign[i] =
            test_party_new(g->pki, brand, SETPAY_PROFILE_GATEWAY_SIGN, TEST_GATEWAY_ID, NULL);
        g->encrypt[i] =
            test_party_new(g->pki, brand, SETPAY_PROFILE_GATEWAY_ENCRYPT, TEST_GATEWAY_ID, NULL);
        g->tls[i] =
            test_party_new(g->pki, brand, SETPAY_PROFILE_GATEWAY_TLS_SERVER, TEST_GATEWAY_ID, NULL);
        write_party(g, g->sign[i], brand, "sign");
        write_party(g, g->encrypt[i], brand, "encrypt");
        write_party(g, g->tls[i], brand, "tls");
        g->shop[i].sign = test_party_new(g->pki, brand, SETPAY_PROFILE_MERCHANT_SIGN,
                                         TEST_GATEWAY_MERCHANT, NULL);
        g->shop[i].tls = test_party_new(g->pki, brand, SETPAY_PROFILE_MERCHANT_TLS_CLIENT,
                                        TEST_GATEWAY_MERCHANT, NULL);
    }
    g->other.sign =
        test_party_new(g->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, TEST_GATEWAY_OTHER, NULL);
    g->other.tls = test_party_new(g->pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_CLIENT,
                                  TEST_GATEWAY_OTHER, NULL);
}

static void write_configuration(struct test_gateway *g)
{
    char path[TEST_PATH_SIZE];
    FILE *file = fopen(test_path(g->folder, "issuer.conf", path), "w");
    NEED(file != NULL);
    (void)fprintf(file,
                  "testing = yes\nlisten = %s\ndatabase = sqlite:%s/issuer.db\n"
                  "admin_socket = %s/issuer.sock\nlog = %s/issuer.log\n",
                  g->issuer_address, g->folder, g->folder, g->folder);
    NEED(fclose(file) == 0);
    file = fopen(test_path(g->folder, "gateway.conf", path), "w");
    NEED(file != NULL);
    (void)fprintf(file,
                  "testing = yes\nworkers = 2\nid = %s\nlisten = %s\nadmin_address = %s\n"
                  "database = sqlite:%s/gateway.db\nadmin_socket = %s/gateway.sock\n"
                  "log = %s/gateway.log\nroot = %s/crls/root.pem\ncrls = %s/crls\n"
                  "vault_key = %s/vault.key\nauth_timeout = %dms\nreconnect_min = 10ms\n"
                  "reconnect_max = 50ms\nrepeat_min = 50ms\nrepeat_max = 100ms\n"
                  "clock_settle = 100ms\n"
                  "[issuer sim]\naddress = %s\n"
                  "[fees visa.EUR]\ninterchange = 0.25 %% + 0.10\nmerchant = 1.4 %% + 0.25\n",
                  TEST_GATEWAY_ID, g->frames, g->daemon.admin, g->folder, g->folder, g->folder,
                  g->folder, g->folder, g->folder, g->auth_timeout_ms, g->issuer_address);
    for (int i = 0; brand_names[i] != NULL; i++) {
        (void)fprintf(file, "[brand %s]\npan_prefixes = %s\n", brand_names[i],
                      i == 0 ? "4" : "51-55,2221-2720");
        static const char *const names[] = {"sign", "encrypt", "tls"};
        for (size_t k = 0; k < 3; k++)
            (void)fprintf(file, "%s_key = %s/%s-%s.key\n%s_cert = %s/%s-%s.pem\n", names[k],
                          g->folder, brand_names[i], names[k], names[k], g->folder, brand_names[i],
                          names[k]);
    }
    NEED(fclose(file) == 0);
    test_write_file(g->folder, "vault.key",
                    setpay_view_string("00112233445566778899aabbccddeeff"
                                       "0123456789abcdef0123456789abcdef"));
}

static void add_merchant(const struct test_gateway *g, const char *brand, const char *id)
{
    char path[TEST_PATH_SIZE];
    const char *words[] = {"--config", test_path(g->folder, "gateway.conf", path),
                           "merchant", "add",
                           "--brand",  brand,
                           "--id",     id,
                           "--name",   "A Test Shop",
                           NULL};
    test_run_program("setpay-gateway", words, NULL);
}

int test_gateway_readiness(struct test_gateway *g)
{
    return test_daemon_readiness(&g->daemon);
}

void test_gateway_wait_ready(struct test_gateway *g)
{
    test_daemon_wait_ready(&g->daemon);
}

void test_gateway_launch(struct test_gateway *g, const char *crash)
{
    test_daemon_launch(&g->daemon, crash);
}

void test_gateway_start(struct test_gateway *g, const char *crash)
{
    test_daemon_start(&g->daemon, crash);
}

void test_gateway_stop(struct test_gateway *g)
{
    test_daemon_stop(&g->daemon);
}

void test_gateway_wait_killed(struct test_gateway *g)
{
    test_daemon_wait_killed(&g->daemon);
}

void test_gateway_start_issuer(struct test_gateway *g)
{
    test_daemon_start(&g->issuer, NULL);
}

void test_gateway_stop_issuer(struct test_gateway *g)
{
    test_daemon_stop(&g->issuer);
}

/* ------------------------------------------------------------------ the whole */

struct test_gateway *test_gateway_new(void)
{
    return test_gateway_new_patient(1000);
}

struct test_gateway *test_gateway_new_patient(int auth_timeout_ms)
{
    struct test_gateway *g = calloc(1, sizeof *g);
    NEED(g != NULL);
    g->auth_timeout_ms = auth_timeout_ms;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(g->folder, sizeof g->folder, "/tmp/setpay-gateway-XXXXXX");
    NEED(mkdtemp(g->folder) != NULL);
    g->pki = test_pki_new(setpay_clock_now_ms(), brand_names);
    g->daemon =
        (struct test_daemon){.folder = g->folder, .program = "setpay-gatewayd", .name = "gateway"};
    g->issuer =
        (struct test_daemon){.folder = g->folder, .program = "setpay-issuersim", .name = "issuer"};
    test_choose_address(g->frames);
    test_choose_address(g->daemon.admin);
    test_choose_address(g->issuer_address);
    write_trust(g);
    make_parties(g);
    write_configuration(g);
    for (size_t i = 0; brand_names[i] != NULL; i++)
        add_merchant(g, brand_names[i], TEST_GATEWAY_MERCHANT);
    add_merchant(g, "visa", TEST_GATEWAY_OTHER);
    test_gateway_start_issuer(g);
    test_gateway_start(g, NULL);
    return g;
}

void test_gateway_free(struct test_gateway *g)
{
    if (g == NULL)
        return;
    test_daemon_kill(&g->daemon);
    test_daemon_kill(&g->issuer);
    for (int i = 0; brand_names[i] != NULL; i++) {
        test_party_free(g->sign[i]);
        test_party_free(g->encrypt[i]);
        test_party_free(g->tls[i]);
        test_party_free(g->shop[i].sign);
        test_party_free(g->shop[i].tls);
    }
    test_party_free(g->other.sign);
    test_party_free(g->other.tls);
    test_pki_free(g->pki);
    test_remove_folder(g->folder);
    free(g);
}

struct test_purchase_parties test_gateway_parties(struct test_gateway *g, int brand)
{
    return (struct test_purchase_parties){
        .brand = brand_names[brand],
        .merchant = g->shop[brand].sign,
        .merchant_id = TEST_GATEWAY_MERCHANT,
        .gateway_sign = g->sign[brand],
        .gateway_encrypt = g->encrypt[brand],
    };
}

/* ------------------------------------------------------------------ administration */

json_t *test_gateway_control(struct test_gateway *g, const char *command, json_t *args)
{
    return test_daemon_control(&g->daemon, command, args);
}

json_t *test_gateway_issuer(struct test_gateway *g, const char *command, json_t *args)
{
    return test_daemon_control(&g->issuer, command, args);
}

size_t test_gateway_issuer_count(struct test_gateway *g, const char *what)
{
    json_t *result = test_gateway_issuer(g, what, NULL);
    size_t count = json_array_size(json_object_get(result, what));
    json_decref(result);
    return count;
}

size_t test_gateway_books(struct test_gateway *g, const struct setpay_id *xid, int64_t *held)
{
    char text[SETPAY_ID_TEXT_SIZE];
    size_t index, count = 0;
    const json_t *row;
    json_t *result = test_gateway_issuer(g, "authorisations", NULL);
    setpay_id_format(xid, text);
    *held = 0;
    json_array_foreach(json_object_get(result, "authorisations"), index, row)
    {
        const char *of = json_string_value(json_object_get(row, "xid"));
        if (of == NULL || strcasecmp(of, text) != 0)
            continue;
        count++;
        *held += json_integer_value(json_object_get(row, "held"));
    }
    json_decref(result);
    return count;
}

void test_gateway_wait_acknowledged(struct test_gateway *g)
{
    test_daemon_wait_number(&g->daemon, "SELECT count(*) FROM reversal WHERE acknowledged = 0", 0);
}

void test_gateway_expect_audited(struct test_gateway *g, const char *words)
{
    char path[TEST_PATH_SIZE];
    const char *all[] = {"--config", test_path(g->folder, "gateway.conf", path), "audit", NULL};
    char *printed = NULL;
    int status = test_run_to_end("setpay-gateway", all, &printed);
    if (status != (words == NULL ? 0 : 1) ||
        strstr(printed, words == NULL ? ": 0 findings" : words) == NULL) {
        (void)fprintf(stderr, "audit: exit status %d, expected '%s' in:\n%s", status,
                      words == NULL ? ": 0 findings" : words, printed);
        abort();
    }
    free(printed);
}

void test_gateway_expect_edit_found(struct test_gateway *g, const char *sql, const char *undo,
                                    const char *words)
{
    test_daemon_execute(&g->daemon, sql);
    test_gateway_expect_audited(g, words);
    test_daemon_execute(&g->daemon, undo);
}

/* ------------------------------------------------------------------ what is kept */

char *test_gateway_dump(struct test_gateway *g)
{
    return test_daemon_dump(&g->daemon);
}

char *test_gateway_dump_issuer(struct test_gateway *g)
{
    return test_daemon_dump(&g->issuer);
}

void test_gateway_expect_sound(struct test_gateway *g)
{
    static const char *const commands[] = {"ledger.verify", "audit.clearing"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        json_t *result = test_gateway_control(g, commands[i], json_object());
        bool is_sound = json_is_true(json_object_get(result, "ok"));
        if (!is_sound)
            (void)json_dumpf(result, stderr, JSON_COMPACT);
        NEED(is_sound);
        json_decref(result);
    }
}

int64_t test_gateway_number(struct test_gateway *g, const char *sql)
{
    return test_daemon_number(&g->daemon, sql);
}

bool test_gateway_database_holds(struct test_gateway *g, struct setpay_view bytes)
{
    return test_daemon_database_holds(&g->daemon, bytes);
}

bool test_gateway_files_hold(struct test_gateway *g, struct setpay_view bytes)
{
    return test_gateway_database_holds(g, bytes) || test_daemon_log_holds(&g->daemon, bytes);
}

size_t test_gateway_log_count(struct test_gateway *g, const char *words)
{
    return test_daemon_log_count(&g->daemon, words);
}

void test_gateway_wait_log(struct test_gateway *g, const char *words, size_t count)
{
    test_daemon_wait_log(&g->daemon, words, count);
}

void test_gateway_reload(struct test_gateway *g)
{
    test_daemon_reload(&g->daemon);
}

const char *test_gateway_refusal(struct test_gateway *g, const struct setpay_id *rrpid)
{
    return test_daemon_refusal(&g->daemon, "request.refused", rrpid);
}
