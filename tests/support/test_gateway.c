/*
 * Processes, files and sockets around a gateway under test. Waiting is bounded by WAIT_MS, which is
 * never reached unless something is broken.
 */
#include "tests/support/test_gateway.h"

#include "common/base/clock.h"
#include "common/net/control_client.h"
#include "common/net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define WAIT_MS 60000
#define POLL_US 5000
#define PATH_SIZE 192

static const char *const brand_names[] = {"visa", "mastercard", NULL};

static const char *path_in(const struct test_gateway *g, const char *name, char path[PATH_SIZE])
{
    (void)snprintf(path, PATH_SIZE, "%s/%s", g->folder, name);
    return path;
}

/* ------------------------------------------------------------------ files */

static void write_file(const struct test_gateway *g, const char *name, struct setpay_view bytes)
{
    char path[PATH_SIZE];
    char fresh[PATH_SIZE];
    FILE *file = fopen(path_in(g, "fresh", fresh), "w");
    NEED(file != NULL);
    NEED(fwrite(bytes.data, 1, bytes.size, file) == bytes.size);
    NEED(fclose(file) == 0);
    NEED(chmod(fresh, 0600) == 0);
    NEED(rename(fresh, path_in(g, name, path)) == 0); /* a daemon may be reading it */
}

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
    write_file(g, crl_name(brand, kind, name), setpay_buffer_view(&der));
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
    char path[PATH_SIZE];
    NEED(unlink(path_in(g, crl_name(brand, kind, name), path)) == 0);
    (void)unlink(path_in(g, "crls/crls.pem", path)); /* the first lists of all CAs */
}

static void write_trust(struct test_gateway *g)
{
    char path[PATH_SIZE];
    NEED(mkdir(path_in(g, "crls", path), 0700) == 0);
    test_pki_write(g->pki, path);
    write_crl(g, NULL, SETPAY_CA_ROOT, TEST_CRL_GOOD);
    for (size_t i = 0; brand_names[i] != NULL; i++)
        for (int kind = SETPAY_CA_BRAND; kind < SETPAY_CA_KINDS; kind++)
            write_crl(g, brand_names[i], (enum setpay_ca_kind)kind, TEST_CRL_GOOD);
}

static void write_party(const struct test_gateway *g, const struct test_party *party,
                        const char *brand, const char *name)
{
    char path[PATH_SIZE];
    char file[64];
    (void)snprintf(file, sizeof file, "%s-%s", brand, name);
    test_party_write(party, path_in(g, file, path));
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
    g->other.sign = test_party_new(g->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "other", NULL);
    g->other.tls =
        test_party_new(g->pki, "visa", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, "other", NULL);
}

static void write_configuration(struct test_gateway *g)
{
    char path[PATH_SIZE];
    FILE *file = fopen(path_in(g, "issuer.conf", path), "w");
    NEED(file != NULL);
    (void)fprintf(file,
                  "testing = yes\nlisten = %s\ndatabase = sqlite:%s/issuer.db\n"
                  "admin_socket = %s/issuer.sock\nlog = %s/issuer.log\n",
                  g->issuer_address, g->folder, g->folder, g->folder);
    NEED(fclose(file) == 0);
    file = fopen(path_in(g, "gateway.conf", path), "w");
    NEED(file != NULL);
    (void)fprintf(file,
                  "testing = yes\nworkers = 2\nid = %s\nlisten = %s\nadmin_address = %s\n"
                  "database = sqlite:%s/gateway.db\nadmin_socket = %s/gateway.sock\n"
                  "log = %s/gateway.log\nroot = %s/crls/root.pem\ncrls = %s/crls\n"
                  "vault_key = %s/vault.key\nauth_timeout = %dms\nreconnect_min = 10ms\n"
                  "reconnect_max = 50ms\nrepeat_min = 50ms\nrepeat_max = 100ms\n"
                  "[issuer sim]\naddress = %s\n",
                  TEST_GATEWAY_ID, g->frames, g->admin, g->folder, g->folder, g->folder, g->folder,
                  g->folder, g->folder, g->auth_timeout_ms, g->issuer_address);
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
    write_file(g, "vault.key",
               setpay_view_string("00112233445566778899aabbccddeeff"
                                  "0123456789abcdef0123456789abcdef"));
}

/* The kernel's choice of a port, given back for a daemon to take again and again. */
static void choose_address(char *text, size_t size)
{
    struct setpay_address address;
    struct setpay_listeners listeners;
    char formatted[SETPAY_ADDRESS_TEXT_SIZE];
    NEED(setpay_address_parse("127.0.0.1:0", &address, NULL) == SETPAY_OK);
    NEED(setpay_listeners_open(&address, 1, &listeners, NULL) == SETPAY_OK);
    (void)snprintf(text, size, "%s", setpay_address_format(&listeners.address, formatted));
    setpay_listeners_close(&listeners);
}

/* ------------------------------------------------------------------ processes */

static pid_t launch(const struct test_gateway *g, const char *program, const char *config,
                    const char *crash)
{
    char path[512];
    char config_path[PATH_SIZE];
    const char *build = getenv("BUILD");
    (void)snprintf(path, sizeof path, "%s/bin/%s", build == NULL ? "build" : build, program);
    (void)path_in(g, config, config_path);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (crash != NULL)
            (void)setenv("SETPAY_CRASH", crash, 1);
        execl(path, path, "--config", config_path, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static int reap(pid_t *pid)
{
    int status = 0;
    while (waitpid(*pid, &status, 0) < 0)
        NEED(errno == EINTR);
    *pid = 0;
    return status;
}

/* A program that does its work and ends. */
static void run_to_end(const struct test_gateway *g, const char *const *words)
{
    char path[512];
    const char *argv[16] = {path};
    size_t count = 1;
    const char *build = getenv("BUILD");
    (void)snprintf(path, sizeof path, "%s/bin/setpay-gateway", build == NULL ? "build" : build);
    for (; *words != NULL; words++)
        argv[count++] = *words;
    (void)g;
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        NEED(freopen("/dev/null", "w", stdout) != NULL);
        execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int status = reap(&pid);
    NEED(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void add_merchant(const struct test_gateway *g, const char *brand, const char *id)
{
    char path[PATH_SIZE];
    const char *words[] = {"--config", path_in(g, "gateway.conf", path),
                           "merchant", "add",
                           "--brand",  brand,
                           "--id",     id,
                           "--name",   "A Test Shop",
                           NULL};
    run_to_end(g, words);
}

static int http_status(const char *address, const char *path)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    char text[256];
    int status = 0;
    const char *colon = strchr(address, ':');
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NEED(fd >= 0 && colon != NULL);
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
        int size =
            snprintf(text, sizeof text,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
        if (send(fd, text, (size_t)size, MSG_NOSIGNAL) == size) {
            ssize_t got = recv(fd, text, sizeof text - 1, 0);
            if (got > 12) {
                text[got] = '\0';
                status = (int)strtol(text + 9, NULL, 10);
            }
        }
    }
    (void)close(fd);
    return status;
}

int test_gateway_readiness(struct test_gateway *g)
{
    return http_status(g->admin, "/readyz");
}

void test_gateway_wait_ready(struct test_gateway *g)
{
    int64_t until = setpay_clock_monotonic_ms() + WAIT_MS;
    while (test_gateway_readiness(g) != 200) {
        NEED(setpay_clock_monotonic_ms() < until);
        NEED(waitpid(g->gateway_pid, NULL, WNOHANG) == 0); /* it died: see its log */
        (void)usleep(POLL_US);
    }
}

void test_gateway_launch(struct test_gateway *g, const char *crash)
{
    NEED(g->gateway_pid == 0);
    g->gateway_pid = launch(g, "setpay-gatewayd", "gateway.conf", crash);
}

void test_gateway_start(struct test_gateway *g, const char *crash)
{
    test_gateway_launch(g, crash);
    test_gateway_wait_ready(g);
}

void test_gateway_stop(struct test_gateway *g)
{
    NEED(kill(g->gateway_pid, SIGTERM) == 0);
    int status = reap(&g->gateway_pid);
    NEED(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void test_gateway_wait_killed(struct test_gateway *g)
{
    int status = reap(&g->gateway_pid);
    NEED(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void test_gateway_start_issuer(struct test_gateway *g)
{
    NEED(g->issuer_pid == 0);
    g->issuer_pid = launch(g, "setpay-issuersim", "issuer.conf", NULL);
}

void test_gateway_stop_issuer(struct test_gateway *g)
{
    NEED(kill(g->issuer_pid, SIGTERM) == 0);
    int status = reap(&g->issuer_pid);
    NEED(WIFEXITED(status) && WEXITSTATUS(status) == 0);
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
    choose_address(g->frames, sizeof g->frames);
    choose_address(g->admin, sizeof g->admin);
    choose_address(g->issuer_address, sizeof g->issuer_address);
    write_trust(g);
    make_parties(g);
    write_configuration(g);
    for (size_t i = 0; brand_names[i] != NULL; i++)
        add_merchant(g, brand_names[i], TEST_GATEWAY_MERCHANT);
    add_merchant(g, "visa", "other");
    test_gateway_start_issuer(g);
    test_gateway_start(g, NULL);
    return g;
}

static void end_process(pid_t *pid)
{
    if (*pid == 0)
        return;
    (void)kill(*pid, SIGKILL);
    (void)reap(pid);
}

void test_gateway_free(struct test_gateway *g)
{
    char command[128];
    if (g == NULL)
        return;
    end_process(&g->gateway_pid);
    end_process(&g->issuer_pid);
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
    if (getenv("SETPAY_KEEP_FOLDER") == NULL) {
        (void)snprintf(command, sizeof command, "rm -rf '%s'", g->folder);
        NEED(system(command) == 0);
    }
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

static json_t *control(struct test_gateway *g, const char *socket_name, const char *command,
                       json_t *args)
{
    struct setpay_control_client *client = NULL;
    struct setpay_problem problem = {{0}};
    char path[PATH_SIZE];
    json_t *result = NULL;
    int64_t until = setpay_clock_monotonic_ms() + WAIT_MS;
    enum setpay_error error;
    while ((error = setpay_control_client_open(path_in(g, socket_name, path), socket_name, NULL,
                                               &client, &problem)) == SETPAY_E_UNREACHABLE) {
        NEED(setpay_clock_monotonic_ms() < until); /* it is starting */
        (void)usleep(POLL_US);
    }
    if (error == SETPAY_OK)
        error = setpay_control_client_call(client, command, args, WAIT_MS, NULL, NULL, &result,
                                           &problem);
    if (error != SETPAY_OK)
        (void)fprintf(stderr, "%s: %s: %s\n", command, setpay_error_name(error), problem.text);
    NEED(error == SETPAY_OK);
    setpay_control_client_close(client);
    return result;
}

json_t *test_gateway_control(struct test_gateway *g, const char *command, json_t *args)
{
    return control(g, "gateway.sock", command, args);
}

json_t *test_gateway_issuer(struct test_gateway *g, const char *command, json_t *args)
{
    return control(g, "issuer.sock", command, args);
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
    int64_t until = setpay_clock_monotonic_ms() + WAIT_MS;
    while (test_gateway_number(g, "SELECT count(*) FROM reversal WHERE acknowledged = 0") != 0) {
        NEED(setpay_clock_monotonic_ms() < until);
        (void)usleep(POLL_US);
    }
}

/* ------------------------------------------------------------------ what is kept */

static sqlite3 *open_database(const struct test_gateway *g, const char *name)
{
    sqlite3 *db = NULL;
    char path[PATH_SIZE];
    NEED(sqlite3_open_v2(path_in(g, name, path), &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
    NEED(sqlite3_busy_timeout(db, WAIT_MS) == SQLITE_OK);
    NEED(sqlite3_exec(db, "PRAGMA query_only = ON", NULL, NULL, NULL) == SQLITE_OK);
    return db;
}

static void dump_table(sqlite3 *db, const char *table, FILE *out)
{
    sqlite3_stmt *rows = NULL;
    char sql[256];
    (void)snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY 1, 2", table);
    NEED(sqlite3_prepare_v2(db, sql, -1, &rows, NULL) == SQLITE_OK);
    (void)fprintf(out, "== %s\n", table);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        for (int c = 0; c < sqlite3_column_count(rows); c++) {
            if (sqlite3_column_type(rows, c) == SQLITE_BLOB) {
                const unsigned char *bytes = sqlite3_column_blob(rows, c);
                (void)fputc('x', out);
                for (int i = 0; i < sqlite3_column_bytes(rows, c); i++)
                    (void)fprintf(out, "%02x", bytes[i]);
            } else {
                const unsigned char *text = sqlite3_column_text(rows, c);
                (void)fputs(text == NULL ? "NULL" : (const char *)text, out);
            }
            (void)fputc('|', out);
        }
        (void)fputc('\n', out);
    }
    NEED(sqlite3_finalize(rows) == SQLITE_OK);
}

static char *dump(const struct test_gateway *g, const char *name)
{
    sqlite3 *db = open_database(g, name);
    sqlite3_stmt *tables = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    NEED(out != NULL);
    NEED(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
                            -1, &tables, NULL) == SQLITE_OK);
    while (sqlite3_step(tables) == SQLITE_ROW)
        dump_table(db, (const char *)sqlite3_column_text(tables, 0), out);
    NEED(sqlite3_finalize(tables) == SQLITE_OK);
    NEED(fclose(out) == 0);
    NEED(sqlite3_close(db) == SQLITE_OK);
    return text;
}

char *test_gateway_dump(struct test_gateway *g)
{
    return dump(g, "gateway.db");
}

char *test_gateway_dump_issuer(struct test_gateway *g)
{
    return dump(g, "issuer.db");
}

int64_t test_gateway_number(struct test_gateway *g, const char *sql)
{
    sqlite3 *db = open_database(g, "gateway.db");
    sqlite3_stmt *rows = NULL;
    NEED(sqlite3_prepare_v2(db, sql, -1, &rows, NULL) == SQLITE_OK);
    NEED(sqlite3_step(rows) == SQLITE_ROW);
    int64_t number = sqlite3_column_int64(rows, 0);
    NEED(sqlite3_finalize(rows) == SQLITE_OK);
    NEED(sqlite3_close(db) == SQLITE_OK);
    return number;
}

/* The whole file, NUL behind it (owned); NULL where there is none. */
static char *read_whole(const struct test_gateway *g, const char *name, size_t *size)
{
    char path[PATH_SIZE];
    struct stat info;
    FILE *file = fopen(path_in(g, name, path), "r");
    if (file == NULL)
        return NULL;
    NEED(fstat(fileno(file), &info) == 0);
    char *bytes = malloc((size_t)info.st_size + 1);
    NEED(bytes != NULL);
    *size = fread(bytes, 1, (size_t)info.st_size, file);
    bytes[*size] = '\0';
    NEED(fclose(file) == 0);
    return bytes;
}

static bool holds(struct test_gateway *g, const char *name, struct setpay_view bytes)
{
    size_t size = 0;
    char *content = read_whole(g, name, &size);
    bool found = content != NULL && memmem(content, size, bytes.data, bytes.size) != NULL;
    free(content);
    return found;
}

bool test_gateway_database_holds(struct test_gateway *g, struct setpay_view bytes)
{
    return holds(g, "gateway.db", bytes) || holds(g, "gateway.db-wal", bytes) ||
           holds(g, "gateway.db-shm", bytes);
}

bool test_gateway_files_hold(struct test_gateway *g, struct setpay_view bytes)
{
    return test_gateway_database_holds(g, bytes) || holds(g, "gateway.log", bytes);
}

size_t test_gateway_log_count(struct test_gateway *g, const char *words)
{
    size_t size = 0;
    size_t count = 0;
    char *log = read_whole(g, "gateway.log", &size);
    for (const char *at = log; at != NULL && (at = strstr(at, words)) != NULL; at++)
        count++;
    free(log);
    return count;
}

void test_gateway_wait_log(struct test_gateway *g, const char *words, size_t count)
{
    int64_t until = setpay_clock_monotonic_ms() + WAIT_MS;
    while (test_gateway_log_count(g, words) < count) {
        NEED(setpay_clock_monotonic_ms() < until);
        (void)usleep(POLL_US);
    }
}

void test_gateway_reload(struct test_gateway *g)
{
    int64_t until = setpay_clock_monotonic_ms() + WAIT_MS;
    size_t before = test_gateway_log_count(g, "event=daemon.reloaded");
    NEED(kill(g->gateway_pid, SIGHUP) == 0);
    while (test_gateway_log_count(g, "event=daemon.reloaded") == before) {
        NEED(setpay_clock_monotonic_ms() < until);
        (void)usleep(POLL_US);
    }
}

static void copy_value(const char *line, const char *name, char *out, size_t room)
{
    const char *at = strstr(line, name);
    size_t size = 0;
    if (at != NULL) {
        at += strlen(name);
        size = strcspn(at, " \n");
    }
    NEED(size < room);
    memcpy(out, at == NULL ? "" : at, size);
    out[size] = '\0';
}

const char *test_gateway_refusal(struct test_gateway *g, const struct setpay_id *rrpid)
{
    static char words[96];
    char error[48] = "", rule[16] = "", wanted[64] = "";
    char hex[SETPAY_ID_TEXT_SIZE];
    size_t size = 0;
    char *log = read_whole(g, "gateway.log", &size);
    if (rrpid != NULL)
        (void)snprintf(wanted, sizeof wanted, "rrpid=%s", setpay_id_format(rrpid, hex));
    words[0] = '\0';
    for (char *line = log; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end == NULL)
            break;
        *end = '\0';
        if (strstr(line, "event=request.refused") != NULL && strstr(line, wanted) != NULL) {
            copy_value(line, " error=", error, sizeof error);
            copy_value(line, " rule=", rule, sizeof rule);
            (void)snprintf(words, sizeof words, "%s%s%s", error, rule[0] == '\0' ? "" : " ", rule);
        }
        line = end + 1;
    }
    free(log);
    return words;
}
