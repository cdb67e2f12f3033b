/*
 * Processes, files, sockets and databases of a daemon under test.
 */
#include "tests/support/test_daemon.h"

#include "common/base/clock.h"
#include "common/net/control_client.h"
#include "common/net/listen.h"
#include "tests/support/test_store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
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

static void pause_until(int64_t until)
{
    NEED(setpay_clock_monotonic_ms() < until);
    (void)usleep(TEST_POLL_US);
}

/* ------------------------------------------------------------------ files */

const char *test_path(const char *folder, const char *name, char path[TEST_PATH_SIZE])
{
    NEED(snprintf(path, TEST_PATH_SIZE, "%s/%s", folder, name) < TEST_PATH_SIZE);
    return path;
}

void test_write_file(const char *folder, const char *name, struct setpay_view bytes)
{
    char path[TEST_PATH_SIZE];
    char fresh[TEST_PATH_SIZE];
    FILE *file = fopen(test_path(folder, "fresh", fresh), "w");
    NEED(file != NULL);
    NEED(fwrite(bytes.data, 1, bytes.size, file) == bytes.size);
    NEED(fclose(file) == 0);
    NEED(chmod(fresh, 0600) == 0);
    NEED(rename(fresh, test_path(folder, name, path)) == 0);
}

char *test_read_file(const char *folder, const char *name, size_t *size)
{
    char path[TEST_PATH_SIZE];
    struct stat info;
    FILE *file = fopen(test_path(folder, name, path), "r");
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

void test_remove_folder(const char *folder)
{
    char command[TEST_PATH_SIZE + 16];
    if (getenv("SETPAY_KEEP_FOLDER") != NULL)
        return;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    NEED(system(command) == 0);
}

/* Below those that the kernel gives to connections (from 32768 on): while a daemon is dead, its
 * port stays free for it. */
#define PORT_FIRST 12000
#define PORT_LAST 31999

void test_choose_address(char text[TEST_ADDRESS_SIZE])
{
    struct setpay_address address;
    struct setpay_listeners listeners;
    enum setpay_error error;
    unsigned tries = 0;
    do {
        uint16_t number = 0;
        NEED(getrandom(&number, sizeof number, 0) == (ssize_t)sizeof number);
        unsigned port = PORT_FIRST + number % (PORT_LAST - PORT_FIRST + 1);
        NEED(snprintf(text, TEST_ADDRESS_SIZE, "127.0.0.1:%u", port) < TEST_ADDRESS_SIZE);
        NEED(setpay_address_parse(text, &address, NULL) == SETPAY_OK);
        error = setpay_listeners_open(&address, 1, &listeners, NULL);
    } while (error != SETPAY_OK && ++tries < 100);
    NEED(error == SETPAY_OK);
    setpay_listeners_close(&listeners);
}

int test_connect(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    const char *colon = strchr(address, ':');
    const struct timeval limit = {.tv_sec = TEST_WAIT_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NEED(fd >= 0 && colon != NULL);
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    NEED(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    NEED(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* ------------------------------------------------------------------ processes */

static const char *program_path(const char *program, char path[512])
{
    const char *build = getenv("BUILD");
    NEED(snprintf(path, 512, "%s/bin/%s", build == NULL ? "build" : build, program) < 512);
    return path;
}

static int reap(pid_t *pid)
{
    int status = 0;
    while (waitpid(*pid, &status, 0) < 0)
        NEED(errno == EINTR);
    *pid = 0;
    return status;
}

int test_run_to_end(const char *program, const char *const *words, char **output)
{
    char path[512];
    const char *argv[24] = {program_path(program, path)};
    size_t count = 1;
    int ends[2];
    for (; *words != NULL && count + 1 < 24; words++)
        argv[count++] = *words;
    NEED(*words == NULL);
    NEED(pipe(ends) == 0);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        NEED(dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    (void)close(ends[1]);
    char *text = NULL;
    size_t size = 0;
    char piece[1024];
    ssize_t got = 0;
    FILE *out = open_memstream(&text, &size);
    NEED(out != NULL);
    while ((got = read(ends[0], piece, sizeof piece)) > 0)
        NEED(fwrite(piece, 1, (size_t)got, out) == (size_t)got);
    (void)close(ends[0]);
    NEED(fclose(out) == 0);
    int status = reap(&pid);
    NEED(WIFEXITED(status));
    if (output != NULL)
        *output = text;
    else
        free(text);
    return WEXITSTATUS(status);
}

void test_run_program(const char *program, const char *const *words, char **output)
{
    NEED(test_run_to_end(program, words, output) == 0);
}

void test_daemon_launch(struct test_daemon *d, const char *crash)
{
    char path[512];
    char file[64];
    char config[TEST_PATH_SIZE];
    NEED(d->pid == 0);
    (void)program_path(d->program, path);
    (void)snprintf(file, sizeof file, "%s.conf", d->name);
    (void)test_path(d->folder, file, config);
    d->pid = fork();
    NEED(d->pid >= 0);
    if (d->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (crash != NULL)
            (void)setenv("SETPAY_CRASH", crash, 1);
        execl(path, path, "--config", config, (char *)NULL);
        _exit(127);
    }
}

/* The whole answer of its administration address; empty where nobody is there. */
static void admin_get(const struct test_daemon *d, const char *path, char *text, size_t size)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    size_t used = 0;
    ssize_t got = 0;
    const char *colon = strchr(d->admin, ':');
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NEED(fd >= 0 && colon != NULL);
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
        int asked = snprintf(
            text, size, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
        if (send(fd, text, (size_t)asked, MSG_NOSIGNAL) == asked) {
            while (used < size - 1 && (got = recv(fd, text + used, size - 1 - used, 0)) > 0)
                used += (size_t)got;
        }
    }
    text[used] = '\0';
    (void)close(fd);
}

int test_daemon_readiness(const struct test_daemon *d)
{
    char text[1024];
    admin_get(d, "/readyz", text, sizeof text);
    return strlen(text) > 12 ? (int)strtol(text + 9, NULL, 10) : 0;
}

int64_t test_daemon_figure(const struct test_daemon *d, const char *series)
{
    const size_t size = (size_t)256 * 1024;
    char line[160];
    char *text = malloc(size);
    NEED(text != NULL);
    admin_get(d, "/metrics", text, size);
    (void)snprintf(line, sizeof line, "\n%s ", series);
    const char *found = strstr(text, line);
    NEED(found != NULL);
    int64_t value = strtoll(found + strlen(line), NULL, 10);
    free(text);
    return value;
}

void test_daemon_wait_figure(const struct test_daemon *d, const char *series, int64_t value)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    while (test_daemon_figure(d, series) != value)
        pause_until(until);
}

void test_daemon_wait_ready(struct test_daemon *d)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    while (test_daemon_readiness(d) != 200) {
        NEED(waitpid(d->pid, NULL, WNOHANG) == 0); /* it died: see its log */
        pause_until(until);
    }
}

void test_daemon_wait_readiness(const struct test_daemon *d, int status)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    while (test_daemon_readiness(d) != status)
        pause_until(until);
}

void test_daemon_start(struct test_daemon *d, const char *crash)
{
    test_daemon_launch(d, crash);
    if (d->admin[0] != '\0')
        test_daemon_wait_ready(d);
}

void test_daemon_stop(struct test_daemon *d)
{
    NEED(kill(d->pid, SIGTERM) == 0);
    int status = reap(&d->pid);
    NEED(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void test_daemon_wait_killed(struct test_daemon *d)
{
    int status = reap(&d->pid);
    NEED(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void test_daemon_kill(struct test_daemon *d)
{
    if (d->pid == 0)
        return;
    (void)kill(d->pid, SIGKILL);
    (void)reap(&d->pid);
}

void test_daemon_reload(struct test_daemon *d)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    size_t before = test_daemon_log_count(d, "event=daemon.reload");
    NEED(kill(d->pid, SIGHUP) == 0);
    while (test_daemon_log_count(d, "event=daemon.reload") == before)
        pause_until(until);
}

void test_daemon_forget_trust(const struct test_daemon *d)
{
    char path[TEST_PATH_SIZE];
    char file[64];
    sqlite3 *db = NULL;
    (void)snprintf(file, sizeof file, "%s.db", d->name);
    NEED(d->pid == 0);
    NEED(sqlite3_open(test_path(d->folder, file, path), &db) == SQLITE_OK);
    NEED(sqlite3_exec(db, "DELETE FROM trust", NULL, NULL, NULL) == SQLITE_OK);
    NEED(sqlite3_close(db) == SQLITE_OK);
}

json_t *test_daemon_control(const struct test_daemon *d, const char *command, json_t *args)
{
    struct setpay_control_client *client = NULL;
    struct setpay_problem problem = {{0}};
    char path[TEST_PATH_SIZE];
    char file[64];
    json_t *result = NULL;
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    enum setpay_error error;
    (void)snprintf(file, sizeof file, "%s.sock", d->name);
    while ((error = setpay_control_client_open(test_path(d->folder, file, path), file, NULL,
                                               &client, &problem)) == SETPAY_E_UNREACHABLE)
        pause_until(until); /* it is starting */
    if (error == SETPAY_OK)
        error = setpay_control_client_call(client, command, args, TEST_WAIT_MS, NULL, NULL, &result,
                                           &problem);
    if (error != SETPAY_OK)
        (void)fprintf(stderr, "%s: %s: %s\n", command, setpay_error_name(error), problem.text);
    NEED(error == SETPAY_OK);
    setpay_control_client_close(client);
    return result;
}

/* ------------------------------------------------------------------ what is kept */

static sqlite3 *open_database(const struct test_daemon *d)
{
    sqlite3 *db = NULL;
    char path[TEST_PATH_SIZE];
    char file[64];
    (void)snprintf(file, sizeof file, "%s.db", d->name);
    NEED(sqlite3_open_v2(test_path(d->folder, file, path), &db, SQLITE_OPEN_READWRITE, NULL) ==
         SQLITE_OK);
    NEED(sqlite3_busy_timeout(db, TEST_WAIT_MS) == SQLITE_OK);
    NEED(sqlite3_exec(db, "PRAGMA query_only = ON", NULL, NULL, NULL) == SQLITE_OK);
    return db;
}

static void dump_table(sqlite3 *db, const char *table, FILE *out)
{
    static const char digits[] = "0123456789abcdef";
    sqlite3_stmt *rows = NULL;
    char sql[256];
    (void)snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY 1, 2", table);
    if (sqlite3_prepare_v2(db, sql, -1, &rows, NULL) != SQLITE_OK) { /* it has one column */
        (void)snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY 1", table);
        NEED(sqlite3_prepare_v2(db, sql, -1, &rows, NULL) == SQLITE_OK);
    }
    (void)fprintf(out, "== %s\n", table);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        for (int c = 0; c < sqlite3_column_count(rows); c++) {
            if (sqlite3_column_type(rows, c) == SQLITE_BLOB) {
                const unsigned char *bytes = sqlite3_column_blob(rows, c);
                (void)fputc('x', out);
                for (int i = 0; i < sqlite3_column_bytes(rows, c); i++) {
                    (void)putc_unlocked(digits[bytes[i] >> 4], out);
                    (void)putc_unlocked(digits[bytes[i] & 15], out);
                }
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

/* Written in the daemon's own time, whatever becomes of a message: a merchant's and a gateway's CAs
 * and lists, and the cut-off of a gateway's day. */
static bool is_of_its_own_time(const struct test_daemon *d, const char *table)
{
    static const char *const tables[] = {"trust", "reconciliation", "reconciliation_cut"};
    bool is = false;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        is = is || strcmp(table, tables[i]) == 0;
    return is && strcmp(d->program, "setpay-walletd") != 0;
}

char *test_daemon_dump(const struct test_daemon *d)
{
    sqlite3 *db = open_database(d);
    sqlite3_stmt *tables = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    NEED(out != NULL);
    NEED(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
                            -1, &tables, NULL) == SQLITE_OK);
    while (sqlite3_step(tables) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(tables, 0);
        if (!is_of_its_own_time(d, table))
            dump_table(db, table, out);
    }
    NEED(sqlite3_finalize(tables) == SQLITE_OK);
    NEED(fclose(out) == 0);
    NEED(sqlite3_close(db) == SQLITE_OK);
    return text;
}

void test_daemon_execute(const struct test_daemon *d, const char *sql)
{
    sqlite3 *db = open_database(d);
    NEED(sqlite3_exec(db, "PRAGMA query_only = OFF", NULL, NULL, NULL) == SQLITE_OK);
    if (strstr(sql, "ledger_") != NULL)
        NEED(sqlite3_exec(db, TEST_LEDGER_UNGUARD, NULL, NULL, NULL) == SQLITE_OK);
    NEED(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    NEED(sqlite3_close(db) == SQLITE_OK);
}

int64_t test_daemon_number(const struct test_daemon *d, const char *sql)
{
    sqlite3 *db = open_database(d);
    sqlite3_stmt *rows = NULL;
    NEED(sqlite3_prepare_v2(db, sql, -1, &rows, NULL) == SQLITE_OK);
    NEED(sqlite3_step(rows) == SQLITE_ROW);
    int64_t number = sqlite3_column_int64(rows, 0);
    NEED(sqlite3_finalize(rows) == SQLITE_OK);
    NEED(sqlite3_close(db) == SQLITE_OK);
    return number;
}

void test_daemon_wait_number(const struct test_daemon *d, const char *sql, int64_t number)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    while (test_daemon_number(d, sql) != number)
        pause_until(until);
}

uint8_t *test_daemon_bytes(const struct test_daemon *d, const char *sql, size_t *size)
{
    sqlite3 *db = open_database(d);
    sqlite3_stmt *rows = NULL;
    uint8_t *bytes = NULL;
    *size = 0;
    NEED(sqlite3_prepare_v2(db, sql, -1, &rows, NULL) == SQLITE_OK);
    if (sqlite3_step(rows) == SQLITE_ROW && sqlite3_column_type(rows, 0) != SQLITE_NULL) {
        *size = (size_t)sqlite3_column_bytes(rows, 0);
        bytes = malloc(*size + 1);
        NEED(bytes != NULL);
        memcpy(bytes, sqlite3_column_blob(rows, 0), *size);
        bytes[*size] = 0;
    }
    NEED(sqlite3_finalize(rows) == SQLITE_OK);
    NEED(sqlite3_close(db) == SQLITE_OK);
    return bytes;
}

static bool holds(const struct test_daemon *d, const char *suffix, struct setpay_view bytes)
{
    char file[64];
    size_t size = 0;
    (void)snprintf(file, sizeof file, "%s%s", d->name, suffix);
    char *content = test_read_file(d->folder, file, &size);
    bool found = content != NULL && memmem(content, size, bytes.data, bytes.size) != NULL;
    free(content);
    return found;
}

bool test_daemon_database_holds(const struct test_daemon *d, struct setpay_view bytes)
{
    return holds(d, ".db", bytes) || holds(d, ".db-wal", bytes) || holds(d, ".db-shm", bytes);
}

static char *read_log(const struct test_daemon *d)
{
    char file[64];
    size_t size = 0;
    (void)snprintf(file, sizeof file, "%s.log", d->name);
    return test_read_file(d->folder, file, &size);
}

size_t test_daemon_log_count(const struct test_daemon *d, const char *words)
{
    size_t count = 0;
    char *log = read_log(d);
    for (const char *at = log; at != NULL && (at = strstr(at, words)) != NULL; at++)
        count++;
    free(log);
    return count;
}

void test_daemon_wait_log(const struct test_daemon *d, const char *words, size_t count)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    while (test_daemon_log_count(d, words) < count)
        pause_until(until);
}

bool test_daemon_log_holds(const struct test_daemon *d, struct setpay_view bytes)
{
    return holds(d, ".log", bytes);
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

const char *test_daemon_refusal(const struct test_daemon *d, const char *event,
                                const struct setpay_id *rrpid)
{
    static char words[96];
    char error[48] = "", rule[16] = "", wanted[64] = "", wanted_event[64];
    char hex[SETPAY_ID_TEXT_SIZE];
    char *log = read_log(d);
    (void)snprintf(wanted_event, sizeof wanted_event, "event=%s ", event);
    if (rrpid != NULL)
        (void)snprintf(wanted, sizeof wanted, "rrpid=%s", setpay_id_format(rrpid, hex));
    words[0] = '\0';
    for (char *line = log; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end == NULL)
            break;
        *end = '\0';
        if (strstr(line, wanted_event) != NULL && strstr(line, wanted) != NULL) {
            copy_value(line, " error=", error, sizeof error);
            copy_value(line, " rule=", rule, sizeof rule);
            (void)snprintf(words, sizeof words, "%s%s%s", error, rule[0] == '\0' ? "" : " ", rule);
        }
        line = end + 1;
    }
    free(log);
    return words;
}

const char *test_daemon_wait_refusal(const struct test_daemon *d, const char *event,
                                     const struct setpay_id *rrpid, const char *expected,
                                     const char *or_expected)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    for (;;) {
        const char *words = test_daemon_refusal(d, event, rrpid);
        bool is_it = strcmp(words, expected) == 0 ||
                     (or_expected != NULL && strcmp(words, or_expected) == 0);
        bool of_line = words[0] == '\0' || strcmp(words, "TIMEOUT") == 0 ||
                       strcmp(words, "CLOSED") == 0 || strcmp(words, "UNREACHABLE") == 0;
        if (is_it || !of_line || setpay_clock_monotonic_ms() >= until)
            return words;
        (void)usleep(TEST_POLL_US);
    }
}
