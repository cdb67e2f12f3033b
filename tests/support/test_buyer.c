/*
 * prepare, confirm, and where the link has a purchase already, resume: nothing here decides
 * anything that the wallet decides.
 */
#include "tests/support/test_buyer.h"

#include "common/net/control_client.h"
#include "tests/support/test_answered.h"
#include "tests/support/test_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX 65536

extern char **environ;

/* ------------------------------------------------------------------ the shopper */

static void take_status(const json_t *purchase, char status[TEST_STATUS_SIZE])
{
    const char *word = json_string_value(json_object_get(purchase, "status"));
    if (word != NULL)
        (void)snprintf(status, TEST_STATUS_SIZE, "%s", word);
}

static enum setpay_error confirm(const char *socket, const json_t *offer, json_t **purchase)
{
    json_t *args = json_object();
    const char *const names[] = {"xid", "amount", "currency", "merchant_id"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        json_object_set(args, names[i], json_object_get(offer, names[i]));
    /* More than one payment is agreed to in the words that were shown. */
    const char *terms = json_string_value(json_object_get(offer, "terms"));
    if (terms != NULL && strcmp(terms, "single") != 0)
        json_object_set(args, "terms", json_object_get(offer, "terms_text"));
    return test_sandbox_call(socket, "pay.confirm", args, purchase);
}

enum setpay_error test_buy(const char *socket, const char *uri, const char *card,
                           char status[TEST_STATUS_SIZE])
{
    json_t *prepared = NULL, *purchase = NULL;
    json_t *args = card == NULL ? json_pack("{s:s}", "uri", uri)
                                : json_pack("{s:s, s:s}", "uri", uri, "card", card);
    status[0] = '\0';
    enum setpay_error error = test_sandbox_call(socket, "pay.prepare", args, &prepared);
    if (error != SETPAY_OK)
        return error;
    const json_t *had = json_object_get(prepared, "purchase");
    if (had == NULL) {
        error = confirm(socket, json_object_get(prepared, "offer"), &purchase);
    } else if (json_is_true(json_object_get(prepared, "resumes"))) {
        const char *xid = json_string_value(json_object_get(had, "xid"));
        error = test_sandbox_call(socket, "pay.resume",
                                  json_pack("{s:s}", "xid", xid == NULL ? "" : xid), &purchase);
    }
    if (error == SETPAY_OK)
        take_status(purchase == NULL ? had : purchase, status);
    json_decref(purchase);
    json_decref(prepared);
    return error;
}

int test_buy_by_program(const char *bin, const char *socket, const char *uri)
{
    char program[600];
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    int status = -1;
    (void)snprintf(program, sizeof program, "%s/setpay-wallet", bin);
    const char *const words[] = {program, "--socket", socket, "--json", "pay", uri, "--yes", NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&child, program, &actions, NULL, (char *const *)(uintptr_t)words, environ) == 0)
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    posix_spawn_file_actions_destroy(&actions);
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ------------------------------------------------------------------ the store */

/* Where the body of a whole answer begins; NULL while it is not whole. */
static const char *whole_body(const char *answer, size_t size)
{
    const char *end = strstr(answer, "\r\n\r\n");
    const char *length = end == NULL ? NULL : strcasestr(answer, "content-length:");
    if (length == NULL || length > end)
        return NULL;
    end += 4;
    return size - (size_t)(end - answer) >= strtoul(length + 15, NULL, 10) ? end : NULL;
}

static const char *receive(int fd, int64_t until_ms, char *answer)
{
    size_t used = 0;
    const char *body = NULL;
    while (body == NULL && used < ANSWER_MAX - 1) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int64_t left_ms = until_ms - test_now_ms();
        if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) != 1)
            return NULL;
        ssize_t got = recv(fd, answer + used, ANSWER_MAX - 1 - used, 0);
        if (got <= 0)
            return NULL;
        used += (size_t)got;
        answer[used] = '\0';
        body = whole_body(answer, used);
    }
    return body;
}

/* One request of those bytes, and its answer. */
static int exchange(const struct test_store *store, const char *request, size_t size,
                    json_t **answer)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(store->port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int64_t until_ms = test_now_ms() + store->timeout_ms;
    char *text = malloc(ANSWER_MAX);
    int status = -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (text == NULL || fd < 0)
        test_bail_out("no memory or no socket");
    text[0] = '\0';
    if (answer != NULL)
        *answer = NULL;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, request, size, MSG_NOSIGNAL) == (ssize_t)size) {
        const char *begin = receive(fd, until_ms, text);
        if (begin != NULL && strncmp(text, "HTTP/1.1 ", 9) == 0)
            status = (int)strtol(text + 9, NULL, 10);
        json_t *once = status > 0 ? json_loads(begin, 0, NULL) : NULL;
        if (once != NULL)
            test_answered(request, text);
        json_decref(once);
        if (status > 0 && answer != NULL)
            *answer = json_loads(begin, JSON_DISABLE_EOF_CHECK, NULL); /* it may come twice */
    }
    close(fd);
    free(text);
    return status;
}

int test_store_try(const struct test_store *store, const char *path, const char *body,
                   const char *key, json_t **answer)
{
    char request[2048];
    int size = snprintf(request, sizeof request,
                        "POST /api/v1%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                        "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\nIdempotency-Key: %s\r\n\r\n%s",
                        path, store->token, strlen(body), key, body);
    return exchange(store, request, (size_t)size, answer);
}

int test_store_get(const struct test_store *store, const char *path, json_t **answer)
{
    char request[1024];
    int size = snprintf(request, sizeof request,
                        "GET /api/v1%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                        "Authorization: Bearer %s\r\n\r\n",
                        path, store->token);
    return exchange(store, request, (size_t)size, answer);
}

/* The first try is still being worked on: the answer is there when it is asked for again. */
static bool is_under_way(const json_t *answer)
{
    const char *type = json_string_value(json_object_get(answer, "type"));
    return type != NULL && strstr(type, "request-under-way") != NULL;
}

int test_store_post(const struct test_store *store, const char *path, const char *body,
                    const char *key, int limit_ms, json_t **answer)
{
    int64_t until_ms = test_now_ms() + limit_ms;
    for (;;) {
        json_t *got = NULL;
        int status = test_store_try(store, path, body, key, &got);
        if ((status > 0 && status < 500 && !is_under_way(got)) || test_now_ms() > until_ms) {
            if (answer != NULL)
                *answer = got;
            else
                json_decref(got);
            return status;
        }
        json_decref(got);
        test_pause_ms(20);
    }
}
