/*
 * A blocking client of a control socket: one call at a time, poll with a deadline, and words for
 * the person who typed the command.
 */
#include "common/net/control_client.h"

#include "common/base/clock.h"
#include "common/base/limits.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_CHUNK 16384
/* What a daemon answers may be longer than what it takes: lists. */
#define ANSWER_BYTES_MAX (8 * 1024 * 1024)

struct setpay_control_client {
    int fd;
    char daemon[64];
    json_int_t last_id;
    struct setpay_line_buffer in;
};

/* What one call waits for. */
struct wait {
    struct setpay_control_client *client;
    int64_t deadline_ms; /* 0: none */
    setpay_control_progress_cb *progress_cb;
    void *arg;
    struct setpay_problem *problem;
};

static enum setpay_error connect_failure(int failure, const char *path, const char *daemon,
                                         const char *start_hint, struct setpay_problem *problem)
{
    switch (failure) {
    case ENOENT:
    case ECONNREFUSED:
        return setpay_problem_set(
            problem, SETPAY_E_UNREACHABLE, "%s is not running: nobody answers at %s%s%s", daemon,
            path,
            start_hint == NULL ? "" : "; start it with: ", start_hint == NULL ? "" : start_hint);
    case EACCES:
    case EPERM:
        return setpay_problem_set(problem, SETPAY_E_PERMISSION,
                                  "%s: only the user that runs %s, and root, may use it", path,
                                  daemon);
    default:
        return setpay_problem_set(problem, SETPAY_E_UNREACHABLE, "%s at %s: %s", daemon, path,
                                  strerror(failure));
    }
}

enum setpay_error setpay_control_client_open(const char *path, const char *daemon,
                                             const char *start_hint,
                                             struct setpay_control_client **client,
                                             struct setpay_problem *problem)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct setpay_control_client *made = NULL;
    enum setpay_error error = SETPAY_E_NOMEM;
    int fd = -1;

    if (strlen(path) >= sizeof(address.sun_path))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "the path of the control socket has more than 107 bytes: %s",
                                  path);
    memcpy(address.sun_path, path, strlen(path));
    made = calloc(1, sizeof(*made));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made == NULL || fd < 0)
        goto out;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        error = connect_failure(errno, path, daemon, start_hint, problem);
        goto out;
    }
    made->fd = fd;
    strncpy(made->daemon, daemon, sizeof(made->daemon) - 1);
    *client = made;
    return SETPAY_OK;
out:
    if (fd >= 0)
        close(fd);
    free(made);
    return error == SETPAY_E_NOMEM ? setpay_problem_set(problem, error, "out of memory") : error;
}

void setpay_control_client_close(struct setpay_control_client *client)
{
    if (client == NULL)
        return;
    close(client->fd);
    setpay_line_buffer_clear(&client->in);
    free(client);
}

/* Waits until the socket is ready for events. */
static enum setpay_error wait_for(const struct wait *wait, short events)
{
    struct pollfd ready = {.fd = wait->client->fd, .events = events};

    for (;;) {
        int64_t left =
            wait->deadline_ms == 0 ? INT_MAX : wait->deadline_ms - setpay_clock_monotonic_ms();
        int count;

        if (left <= 0)
            return setpay_problem_set(wait->problem, SETPAY_E_TIMEOUT,
                                      "%s has not answered in time", wait->client->daemon);
        count = poll(&ready, 1, left > INT_MAX ? INT_MAX : (int)left);
        if (count > 0)
            return SETPAY_OK;
        if (count < 0 && errno != EINTR)
            return setpay_problem_set(wait->problem, SETPAY_E_CLOSED, "%s", strerror(errno));
    }
}

static enum setpay_error closed(const struct wait *wait)
{
    return setpay_problem_set(wait->problem, SETPAY_E_CLOSED,
                              "%s closed the connection before it had answered",
                              wait->client->daemon);
}

static enum setpay_error send_all(const struct wait *wait, struct setpay_view line)
{
    while (line.size > 0) {
        ssize_t sent;

        SETPAY_TRY(wait_for(wait, POLLOUT));
        sent = send(wait->client->fd, line.data, line.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            line = setpay_view_of(line.data + sent, line.size - (size_t)sent);
        else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            return closed(wait);
    }
    return SETPAY_OK;
}

/* The next line, parsed and owned. */
static enum setpay_error read_line(const struct wait *wait, json_t **answer)
{
    struct setpay_line_buffer *in = &wait->client->in;
    size_t scanned = 0;

    for (;;) {
        uint8_t *newline =
            in->size == scanned ? NULL : memchr(in->data + scanned, '\n', in->size - scanned);
        ssize_t got;

        if (newline != NULL) {
            size_t size = (size_t)(newline - in->data);
            enum setpay_error error =
                setpay_json_parse_line(setpay_view_of(in->data, size), answer, wait->problem);

            setpay_line_buffer_drop(in, size + 1);
            return error;
        }
        scanned = in->size;
        if (setpay_line_buffer_reserve(in, READ_CHUNK, ANSWER_BYTES_MAX) != SETPAY_OK)
            return setpay_problem_set(wait->problem, SETPAY_E_MALFORMED,
                                      "the answer of %s is too long", wait->client->daemon);
        SETPAY_TRY(wait_for(wait, POLLIN));
        got = recv(wait->client->fd, in->data + in->size, READ_CHUNK, MSG_DONTWAIT);
        if (got > 0)
            in->size += (size_t)got;
        else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            return closed(wait);
    }
}

/* The daemon's error by its name, and its words. */
static enum setpay_error answered_error(const struct wait *wait, const json_t *error)
{
    const char *name = json_string_value(json_object_get(error, "name"));
    const char *text = json_string_value(json_object_get(error, "text"));
    unsigned count;
    const struct setpay_error_info *table = setpay_error_table(&count);

    if (name == NULL || text == NULL)
        return setpay_problem_set(wait->problem, SETPAY_E_MALFORMED, "the answer of %s is garbled",
                                  wait->client->daemon);
    for (unsigned i = 0; i < count; i++) {
        if (table[i].error != SETPAY_OK && strcmp(table[i].name, name) == 0)
            return setpay_problem_set(wait->problem, table[i].error, "%s", text);
    }
    return setpay_problem_set(wait->problem, SETPAY_E_PEER_REFUSED, "%s", text);
}

/* Reads lines until the last one of the call. */
static enum setpay_error read_answer(const struct wait *wait, json_t **result)
{
    for (;;) {
        json_t *line = NULL;
        const json_t *progress, *ok, *id;
        enum setpay_error error;

        SETPAY_TRY(read_line(wait, &line));
        id = json_object_get(line, "id");
        progress = json_object_get(line, "progress");
        ok = json_object_get(line, "ok");
        if (!json_is_null(id) && json_integer_value(id) != wait->client->last_id) {
            json_decref(line); /* of a call that was given up */
            continue;
        }
        if (progress != NULL) {
            if (wait->progress_cb != NULL)
                wait->progress_cb(wait->arg, progress);
            json_decref(line);
            continue;
        }
        if (json_is_true(ok) && json_is_object(json_object_get(line, "result"))) {
            *result = json_incref(json_object_get(line, "result"));
            error = SETPAY_OK;
        } else {
            error = answered_error(wait, json_object_get(line, "error"));
        }
        json_decref(line);
        return error;
    }
}

enum setpay_error setpay_control_client_call(struct setpay_control_client *client,
                                             const char *command, json_t *args, int64_t timeout_ms,
                                             setpay_control_progress_cb *progress_cb, void *arg,
                                             json_t **result, struct setpay_problem *problem)
{
    struct wait wait = {
        .client = client,
        .deadline_ms = timeout_ms == 0 ? 0 : setpay_clock_monotonic_ms() + timeout_ms,
        .progress_cb = progress_cb,
        .arg = arg,
        .problem = problem,
    };
    struct setpay_line_buffer line = {0};
    enum setpay_error error;
    json_t *request = json_pack("{s:I, s:s, s:o}", "id", ++client->last_id, "command", command,
                                "args", args == NULL ? json_object() : args);

    if (request == NULL) {
        error = setpay_problem_set(problem, SETPAY_E_NOMEM, "out of memory");
        goto out;
    }
    error = setpay_line_buffer_append_json(&line, request, SETPAY_LIMIT_CONTROL_LINE_BYTES);
    if (error != SETPAY_OK) {
        setpay_problem_set(problem, error, "the command is too long");
        goto out;
    }
    error = send_all(&wait, setpay_view_of(line.data, line.size));
    if (error != SETPAY_OK)
        goto out;
    error = read_answer(&wait, result);
out:
    json_decref(request);
    setpay_line_buffer_clear(&line);
    return error;
}
