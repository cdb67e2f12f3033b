/*
 * The script makes a sandbox, with all its keys and cards, which takes seconds; copies of it take
 * none. The daemons of a copy are children of this process, and each dies with it
 * (PR_SET_PDEATHSIG), whatever ends it.
 */
#include "tests/support/test_sandbox.h"

#include "common/base/ids.h"
#include "common/net/control_client.h"
#include "tests/support/test_answered.h"
#include "tests/support/test_sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALL_LIMIT_MS 60000
#define READY_LIMIT_MS 60000
#define HTTP_LIMIT_MS 60000
#define HTTP_ANSWER_MAX 65536

const char *const test_daemon_names[TEST_DAEMONS] = {"wallet", "merchant", "gateway", "issuer"};
static const char *const programs[TEST_DAEMONS] = {"setpay-walletd", "setpay-merchantd",
                                                   "setpay-gatewayd", "setpay-issuersim"};

void test_bail_out(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("Bail out! ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
    _exit(1);
}

int64_t test_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void test_pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

bool test_is_long(void)
{
    const char *wish = getenv("SETPAY_LONG");
    return wish != NULL && strcmp(wish, "1") == 0;
}

/* ------------------------------------------------------------------ processes */

int test_sandbox_run_program(const char *output, const char *const *words)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        int fd = open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
            _exit(126);
        execvp(words[0], (char *const *)(uintptr_t)words);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A copy of the sandbox that all tests share, and which was stopped again. */
static void sandbox_make(const struct test_sandbox *sandbox)
{
    char program[600], output[160];
    (void)snprintf(program, sizeof program, "%s/setpay-sandbox", sandbox->bin);
    (void)snprintf(output, sizeof output, "%s.out", sandbox->dir);
    const char *up[] = {"tests/support/sandbox_like.sh", sandbox->dir, NULL};
    const char *down[] = {program, "down", "--dir", sandbox->dir, NULL};
    if (test_sandbox_run_program(output, up) != 0)
        test_bail_out("%s failed: see %s", up[0], output);
    if (test_sandbox_run_program(output, down) != 0)
        test_bail_out("setpay-sandbox down failed: see %s", output);
}

pid_t test_sandbox_start_program(const struct test_sandbox *sandbox, const char *program_name,
                                 const char *name, const char *crash)
{
    char program[600], config[192], output[192];
    (void)snprintf(program, sizeof program, "%s/%s", sandbox->bin, program_name);
    (void)snprintf(config, sizeof config, "%s/%s.conf", sandbox->dir, name);
    (void)snprintf(output, sizeof output, "%s/log/%s.out", sandbox->dir, name);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0)
        test_bail_out("fork: %s", strerror(errno));
    if (child > 0)
        return child;
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || in < 0 || out < 0 ||
        dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    if (crash != NULL)
        setenv("SETPAY_CRASH", crash, 1);
    execl(program, program, "--config", config, (char *)NULL);
    _exit(127);
}

void test_sandbox_start(struct test_sandbox *sandbox, enum test_daemon daemon, const char *crash)
{
    sandbox->pids[daemon] =
        test_sandbox_start_program(sandbox, programs[daemon], test_daemon_names[daemon], crash);
}

bool test_sandbox_has_ended(struct test_sandbox *sandbox, enum test_daemon daemon, int *status)
{
    int found = 0;
    if (sandbox->pids[daemon] == 0 ||
        waitpid(sandbox->pids[daemon], &found, WNOHANG) != sandbox->pids[daemon])
        return false;
    sandbox->pids[daemon] = 0;
    if (status != NULL)
        *status = found;
    return true;
}

/* ------------------------------------------------------------------ HTTP */

static int connect_to(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval limit = {.tv_sec = HTTP_LIMIT_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Sends the request and reads until the server closes; the status, or -1. */
static int http(uint16_t port, const char *request, char *answer, size_t size)
{
    size_t length = strlen(request), used = 0;
    int fd = connect_to(port);
    if (fd < 0)
        return -1;
    if (send(fd, request, length, MSG_NOSIGNAL) == (ssize_t)length) {
        ssize_t got;
        while (used < size - 1 && (got = recv(fd, answer + used, size - 1 - used, 0)) > 0)
            used += (size_t)got;
    }
    close(fd);
    answer[used] = '\0';
    if (strstr(answer, "\r\n\r\n") == NULL || strncmp(answer, "HTTP/1.1 ", 9) != 0)
        return -1;
    return (int)strtol(answer + 9, NULL, 10);
}

static bool says_yes(uint16_t port, const char *path)
{
    char request[128], answer[4096];
    (void)snprintf(request, sizeof request,
                   "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", path);
    return http(port, request, answer, sizeof answer) == 200;
}

bool test_sandbox_is_ready(const struct test_sandbox *sandbox, enum test_daemon daemon)
{
    return says_yes(sandbox->admin_ports[daemon], "/readyz");
}

bool test_sandbox_is_alive(const struct test_sandbox *sandbox, enum test_daemon daemon)
{
    return says_yes(sandbox->admin_ports[daemon], "/healthz");
}

int test_sandbox_api(const struct test_sandbox *sandbox, const char *method, const char *path,
                     const char *body, const char *key, json_t **answer)
{
    char request[2048];
    char *text = malloc(HTTP_ANSWER_MAX);
    if (text == NULL)
        test_bail_out("no memory");
    int size = snprintf(request, sizeof request,
                        "%s /api/v1%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                        "Authorization: Bearer %s\r\n",
                        method, path, sandbox->token);
    if (body == NULL)
        (void)snprintf(request + size, sizeof request - (size_t)size, "\r\n");
    else
        (void)snprintf(request + size, sizeof request - (size_t)size,
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                       "Idempotency-Key: %s\r\n\r\n%s",
                       strlen(body), key, body);
    int status = http(sandbox->api_port, request, text, HTTP_ANSWER_MAX);
    if (answer != NULL) {
        const char *begin = status < 0 ? NULL : strstr(text, "\r\n\r\n");
        *answer = begin == NULL ? NULL : json_loads(begin + 4, 0, NULL);
        if (status >= 0 && *answer == NULL)
            status = -1; /* cut off */
        else if (status >= 0)
            test_answered(request, text);
    }
    free(text);
    return status;
}

/* ------------------------------------------------------------------ control sockets */

enum setpay_error test_sandbox_call(const char *socket, const char *command, json_t *args,
                                    json_t **result)
{
    struct setpay_control_client *client = NULL;
    struct setpay_problem problem = {{0}};
    json_t *got = NULL;
    enum setpay_error error =
        setpay_control_client_open(socket, "the daemon", NULL, &client, &problem);
    if (error != SETPAY_OK) {
        json_decref(args);
        return error;
    }
    error = setpay_control_client_call(client, command, args, CALL_LIMIT_MS, NULL, NULL, &got,
                                       &problem);
    setpay_control_client_close(client);
    if (error == SETPAY_OK && result != NULL)
        *result = got;
    else
        json_decref(got);
    return error;
}

void test_sandbox_wallet_socket(const struct test_sandbox *sandbox, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/run/wallet.sock", sandbox->dir);
}

enum setpay_error test_sandbox_admin(const struct test_sandbox *sandbox, enum test_daemon daemon,
                                     const char *command, json_t *args, json_t **result)
{
    char path[192];
    (void)snprintf(path, sizeof path, "%s/run/%s%s.sock", sandbox->dir, test_daemon_names[daemon],
                   daemon == TEST_WALLET ? "-admin" : "");
    return test_sandbox_call(path, command, args, result);
}

void test_sandbox_read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(line, (int)size, file) == NULL)
        test_bail_out("%s can't be read", path);
    line[strcspn(line, "\n")] = '\0';
    fclose(file);
}

enum setpay_error test_sandbox_unlock(const struct test_sandbox *sandbox)
{
    char path[192], passphrase[128];
    (void)snprintf(path, sizeof path, "%s/wallet.passphrase", sandbox->dir);
    test_sandbox_read_line(path, passphrase, sizeof passphrase);
    test_sandbox_wallet_socket(sandbox, path, sizeof path);
    return test_sandbox_call(path, "wallet.unlock", json_pack("{s:s}", "passphrase", passphrase),
                             NULL);
}

/* ------------------------------------------------------------------ databases */

/* SQL: unhex_xid('hex of 16 bytes'), NULL for anything else. */
static void unhex_xid(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct setpay_id id;
    const char *text = count == 1 ? (const char *)sqlite3_value_text(values[0]) : NULL;
    if (text == NULL || setpay_id_parse(text, &id) != SETPAY_OK)
        sqlite3_result_null(context);
    else
        sqlite3_result_blob(context, id.bytes, sizeof id.bytes, SQLITE_TRANSIENT);
}

sqlite3 *test_sandbox_database(const struct test_sandbox *sandbox, const char *name)
{
    char path[192];
    sqlite3 *database = NULL;
    (void)snprintf(path, sizeof path, "%s/db/%s.db", sandbox->dir, name);
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        sqlite3_close(database);
        return NULL;
    }
    sqlite3_busy_timeout(database, 5000);
    sqlite3_create_function(database, "unhex_xid", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                            unhex_xid, NULL, NULL);
    return database;
}

int64_t test_database_number(sqlite3 *database, const char *query, const char *text)
{
    sqlite3_stmt *statement = NULL;
    int64_t number = -1;
    if (database != NULL &&
        sqlite3_prepare_v2(database, query, -1, &statement, NULL) == SQLITE_OK) {
        if (text != NULL)
            sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
        if (sqlite3_step(statement) == SQLITE_ROW)
            number = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return number;
}

/* ------------------------------------------------------------------ up and down */

static void make_folder(struct test_sandbox *sandbox)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(sandbox->dir, sizeof sandbox->dir, "%s/setpay-test.XXXXXX",
                   tmp == NULL || strlen(tmp) > 64 ? "/tmp" : tmp);
    if (mkdtemp(sandbox->dir) == NULL)
        test_bail_out("%s: %s", sandbox->dir, strerror(errno));
}

void test_sandbox_make(struct test_sandbox *sandbox, const char *bin)
{
    memset(sandbox, 0, sizeof *sandbox);
    (void)snprintf(sandbox->bin, sizeof sandbox->bin, "%s", bin);
    umask(077); /* keys and requests are for their owner alone */
    make_folder(sandbox);
    sandbox_make(sandbox);
}

/* Every sandbox of this user chooses its ports under this lock, and writes them down there, since
 * it binds them later: "PORT SECONDS" a line, which holds for ten minutes (setpay-sandbox). */
#define RESERVED_S 600
static int lock_ports(void)
{
    char path[160];
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(path, sizeof path, "%s/setpay-sandbox-ports.%u.lock", tmp == NULL ? "/tmp" : tmp,
                   (unsigned)getuid());
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0)
        test_bail_out("%s: %s", path, strerror(errno));
    return fd;
}

static bool is_reserved(int list, uint16_t port)
{
    char line[64];
    bool found = false;
    int copy = dup(list);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "re");
    if (file == NULL)
        test_bail_out("ports can't be read: %s", strerror(errno));
    rewind(file);
    while (!found && fgets(line, sizeof line, file) != NULL) {
        char *when = line;
        bool is_same = strtoll(line, &when, 10) == port;
        found = is_same && strtoll(when, NULL, 10) > (long long)time(NULL) - RESERVED_S;
    }
    (void)fclose(file);
    return found;
}

static void reserve(int list, uint16_t port)
{
    if (dprintf(list, "%u %lld\n", port, (long long)time(NULL)) < 0)
        test_bail_out("ports can't be written: %s", strerror(errno));
}

/* From the range that setpay-sandbox takes too: below that of outgoing connections. */
static uint16_t free_port(int list)
{
    for (int i = 0; i < 1000; i++) {
        uint16_t random;
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            break;
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)(12000 + random % 20000)),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int bound = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&address, sizeof address);
        if (fd >= 0)
            close(fd);
        if (bound == 0 && !is_reserved(list, ntohs(address.sin_port))) {
            reserve(list, ntohs(address.sin_port));
            return ntohs(address.sin_port);
        }
    }
    test_bail_out("no port is free");
}

uint16_t test_sandbox_free_port(void)
{
    int list = lock_ports();
    uint16_t port = free_port(list);
    close(list);
    return port;
}

#define PORTS 10
void test_sandbox_copy_changed(const char *from, const char *to, const char *lines,
                               const struct test_sandbox_change *changes, int count)
{
    char line[1024];
    FILE *in = fopen(from, "re");
    FILE *out = fopen(to, "we");
    if (in == NULL || out == NULL)
        test_bail_out("%s can't be copied to %s", from, to);
    if (lines != NULL)
        fputs(lines, out);
    while (fgets(line, sizeof line, in) != NULL) {
        const char *at = line;
        while (*at != '\0') {
            int i = 0;
            while (i < count && strncmp(at, changes[i].from, strlen(changes[i].from)) != 0)
                i++;
            if (i < count) {
                fputs(changes[i].to, out);
                at += strlen(changes[i].from);
            } else {
                fputc(*at++, out);
            }
        }
    }
    if (fclose(in) != 0 || fclose(out) != 0)
        test_bail_out("%s can't be written", to);
}

/* The folder, and in its texts another name and other ports. */
static void copy_folder(struct test_sandbox *sandbox, const struct test_sandbox *like,
                        const char *const lines[TEST_DAEMONS])
{
    struct test_sandbox_change changes[PORTS + 1] = {{{0}, {0}}};
    char from[192], to[192], line[128], name[32];
    int count = 1;
    (void)snprintf(from, sizeof from, "%s/.", like->dir);
    const char *words[] = {"cp", "-a", from, sandbox->dir, NULL};
    if (test_sandbox_run_program("/dev/null", words) != 0)
        test_bail_out("%s can't be copied", like->dir);
    (void)snprintf(changes[0].from, sizeof changes[0].from, "%s", like->dir);
    (void)snprintf(changes[0].to, sizeof changes[0].to, "%s", sandbox->dir);
    (void)snprintf(from, sizeof from, "%s/ports", like->dir);
    FILE *file = fopen(from, "re");
    int list = lock_ports();
    while (file != NULL && count <= PORTS && fgets(line, sizeof line, file) != NULL) {
        char port[8];
        if (sscanf(line, "%31[a-z_]=%7[0-9]", name, port) != 2)
            continue;
        uint16_t chosen = free_port(list);
        (void)snprintf(changes[count].from, sizeof changes[count].from, ":%s", port);
        (void)snprintf(changes[count++].to, sizeof changes[0].to, ":%u", chosen);
        if (strcmp(name, "api_port") == 0)
            sandbox->api_port = chosen;
        if (strcmp(name, "merchant_port") == 0)
            sandbox->merchant_port = chosen;
        if (strcmp(name, "gateway_port") == 0)
            sandbox->gateway_port = chosen;
        if (strcmp(name, "issuer_port") == 0)
            sandbox->issuer_port = chosen;
        for (int i = 0; i < TEST_DAEMONS; i++) {
            size_t size = strlen(test_daemon_names[i]);
            if (strncmp(name, test_daemon_names[i], size) == 0 &&
                strcmp(name + size, "_admin") == 0)
                sandbox->admin_ports[i] = chosen;
        }
    }
    if (file == NULL || count != PORTS + 1)
        test_bail_out("%s: not %d ports", from, PORTS);
    fclose(file);
    close(list);
    for (int i = 0; i < TEST_DAEMONS; i++) {
        (void)snprintf(from, sizeof from, "%s/%s.conf", like->dir, test_daemon_names[i]);
        (void)snprintf(to, sizeof to, "%s/%s.conf", sandbox->dir, test_daemon_names[i]);
        test_sandbox_copy_changed(from, to, lines == NULL ? NULL : lines[i], changes, count);
    }
}

void test_sandbox_copy(struct test_sandbox *sandbox, const struct test_sandbox *like,
                       const char *const lines[TEST_DAEMONS])
{
    char path[192];
    memset(sandbox, 0, sizeof *sandbox);
    memcpy(sandbox->bin, like->bin, sizeof sandbox->bin);
    make_folder(sandbox);
    copy_folder(sandbox, like, lines);
    (void)snprintf(path, sizeof path, "%s/merchant/api.token", sandbox->dir);
    test_sandbox_read_line(path, sandbox->token, sizeof sandbox->token);
}

void test_sandbox_run(struct test_sandbox *sandbox)
{
    for (int i = TEST_DAEMONS; i-- > 0;)
        test_sandbox_start(sandbox, (enum test_daemon)i, NULL);
    int64_t limit_ms = test_now_ms() + READY_LIMIT_MS;
    for (int i = 0; i < TEST_DAEMONS; i++) {
        while (!test_sandbox_is_ready(sandbox, (enum test_daemon)i) ||
               (i == TEST_WALLET && test_sandbox_unlock(sandbox) != SETPAY_OK)) {
            if (test_now_ms() > limit_ms)
                test_bail_out("%s/%s does not become ready", sandbox->dir, test_daemon_names[i]);
            test_pause_ms(10);
        }
    }
}

void test_sandbox_up(struct test_sandbox *sandbox, const struct test_sandbox *like,
                     const char *const lines[TEST_DAEMONS])
{
    test_sandbox_copy(sandbox, like, lines);
    test_sandbox_run(sandbox);
}

/* ------------------------------------------------------------------ cards and wallets */

void test_sandbox_issue(const struct test_sandbox *sandbox, const char *brand, const char *csr,
                        const char *pem)
{
    char program[600], dir[160], passphrase[160], output[160];
    (void)snprintf(program, sizeof program, "%s/setpay-ca", sandbox->bin);
    (void)snprintf(dir, sizeof dir, "%s/ca", sandbox->dir);
    (void)snprintf(passphrase, sizeof passphrase, "%s/ca.passphrase", sandbox->dir);
    (void)snprintf(output, sizeof output, "%s/log/ca.log", sandbox->dir);
    const char *words[] = {program,      "--dir", dir, "--passphrase-file", passphrase, "issue",
                           "cardholder", "--csr", csr, "--brand",           brand,      "-o",
                           pem,          NULL};
    if (test_sandbox_run_program(output, words) != 0)
        test_bail_out("no certificate: see %s", output);
}

static json_t *file_text(const char *path)
{
    char text[8192];
    FILE *file = fopen(path, "re");
    size_t size = file == NULL ? 0 : fread(text, 1, sizeof text, file);
    if (size == 0 || size == sizeof text)
        test_bail_out("%s can't be read", path);
    fclose(file);
    return json_stringn(text, size);
}

static void enrol(const struct test_sandbox *sandbox, const char *socket, const char *brand,
                  const char *pan, const char *expiry)
{
    char csr[192], pem[192];
    json_t *request = NULL;
    (void)snprintf(csr, sizeof csr, "%s/run/card.csr", sandbox->dir);
    (void)snprintf(pem, sizeof pem, "%s/run/card.pem", sandbox->dir);
    if (test_sandbox_call(socket, "card.request",
                          json_pack("{s:s, s:s, s:s, s:s}", "brand", brand, "label", "card", "pan",
                                    pan, "expiry", expiry),
                          &request) != SETPAY_OK)
        test_bail_out("%s requests no card", socket);
    FILE *file = fopen(csr, "we");
    if (file == NULL || fputs(json_string_value(json_object_get(request, "csr")), file) == EOF ||
        fclose(file) != 0)
        test_bail_out("%s can't be written", csr);
    json_decref(request);
    test_sandbox_issue(sandbox, brand, csr, pem);
    if (test_sandbox_call(socket, "card.import", json_pack("{s:o}", "certificates", file_text(pem)),
                          NULL) != SETPAY_OK)
        test_bail_out("%s takes no card", socket);
}

pid_t test_sandbox_add_wallet(const struct test_sandbox *sandbox, const char *name,
                              const char *brand, const char *pan, const char *expiry)
{
    char from[192], to[192];
    struct test_sandbox_change changes[5] = {{{0}, {0}}};
    static const char *const parts[] = {"/run/wallet.sock", "/db/wallet.db", "/log/wallet.log",
                                        "/run/wallet-admin.sock"};
    for (size_t i = 0; i < 4; i++) {
        const char *wallet = strstr(parts[i], "wallet");
        (void)snprintf(changes[i].from, sizeof changes[i].from, "%s", parts[i]);
        (void)snprintf(changes[i].to, sizeof changes[i].to, "%.*s%s%s", (int)(wallet - parts[i]),
                       parts[i], name, wallet + strlen("wallet"));
    }
    (void)snprintf(changes[4].from, sizeof changes[4].from, ":%u",
                   (unsigned)sandbox->admin_ports[TEST_WALLET]);
    (void)snprintf(changes[4].to, sizeof changes[4].to, ":0");
    (void)snprintf(from, sizeof from, "%s/wallet.conf", sandbox->dir);
    (void)snprintf(to, sizeof to, "%s/%s.conf", sandbox->dir, name);
    test_sandbox_copy_changed(from, to, NULL, changes, 5);
    pid_t pid = test_sandbox_start_program(sandbox, programs[TEST_WALLET], name, NULL);
    int64_t limit_ms = test_now_ms() + READY_LIMIT_MS;
    (void)snprintf(to, sizeof to, "%s/run/%s.sock", sandbox->dir, name);
    while (test_sandbox_call(to, "wallet.init",
                             json_pack("{s:s}", "passphrase", "a passphrase for a test"),
                             NULL) != SETPAY_OK) {
        if (test_now_ms() > limit_ms)
            test_bail_out("%s does not start", to);
        test_pause_ms(10);
    }
    enrol(sandbox, to, brand, pan, expiry);
    return pid;
}

void test_sandbox_down(struct test_sandbox *sandbox, bool remove)
{
    for (int i = 0; i < TEST_DAEMONS; i++) {
        if (sandbox->pids[i] > 0 && kill(sandbox->pids[i], SIGKILL) == 0)
            waitpid(sandbox->pids[i], NULL, 0);
        sandbox->pids[i] = 0;
    }
    if (!remove)
        return;
    char output[160];
    (void)snprintf(output, sizeof output, "%s.out", sandbox->dir);
    const char *words[] = {"rm", "-rf", sandbox->dir, output, NULL};
    test_sandbox_run_program("/dev/null", words);
}
