/*
 * The control socket: binding it safely, connections with their line buffers, calls.
 *
 * A call is on its connection's list until it ends or the connection goes; in the second case it
 * lives on without one, and its handler's answer goes nowhere. A connection is closed in settle()
 * alone, never while one of its lines is being handled.
 */
#include "common/net/control_server.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/net/control_internal.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_CHUNK 16384
#define OUT_BYTES_MAX (8 * 1024 * 1024)

struct connection {
    struct setpay_control_server *server;
    struct connection *previous, *next;
    int fd;
    struct event *on_readable, *on_writable;
    struct setpay_line_buffer in, out;
    size_t scanned; /* of in: holds no newline */
    struct setpay_control_call *calls;
    size_t call_count;
    unsigned in_use; /* handling lines: settle() waits */
    bool is_ended;   /* nothing more will be read */
    bool is_broken;  /* nothing more can be written */
};

struct setpay_control_call {
    struct setpay_control_server *server;                      /* NULL once the server has gone */
    struct connection *connection;                             /* NULL once the client has gone */
    struct setpay_control_call *previous, *next;               /* of the connection */
    struct setpay_control_call *server_previous, *server_next; /* of the server */
    json_t *request;
    json_t *no_args;
};

struct setpay_control_server {
    struct setpay_control_options options;
    char *path;
    int fd;
    dev_t device; /* of the socket's file */
    ino_t inode;
    struct event *on_acceptable;
    struct connection *connections;
    size_t connection_count;
    struct setpay_control_call *calls;
    int64_t started_ms;
    struct setpay_timer *drained_timer;
    void (*drained_cb)(void *arg);
    void *drained_arg;
    bool is_draining;
};

const struct setpay_control_options *
setpay_control_server_options(const struct setpay_control_server *server)
{
    return &server->options;
}

bool setpay_control_server_is_draining(const struct setpay_control_server *server)
{
    return server->is_draining;
}

int64_t setpay_control_server_started_ms(const struct setpay_control_server *server)
{
    return server->started_ms;
}

/* ------------------------------------------------------------------ writing, closing */

static void connection_close(struct connection *connection)
{
    struct setpay_control_server *server = connection->server;

    for (struct setpay_control_call *call = connection->calls; call != NULL; call = call->next)
        call->connection = NULL;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    server->connection_count--;
    if (connection->on_readable != NULL)
        event_free(connection->on_readable);
    if (connection->on_writable != NULL)
        event_free(connection->on_writable);
    setpay_line_buffer_clear(&connection->in);
    setpay_line_buffer_clear(&connection->out);
    close(connection->fd);
    free(connection);
    if (server->on_acceptable != NULL && !server->is_draining)
        event_add(server->on_acceptable, NULL);
}

static void flush(struct connection *connection)
{
    while (connection->out.size > 0 && !connection->is_broken) {
        ssize_t sent = send(connection->fd, connection->out.data, connection->out.size,
                            MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent > 0)
            setpay_line_buffer_drop(&connection->out, (size_t)sent);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            connection->is_broken = true;
    }
    if (connection->out.size > 0 && !connection->is_broken)
        event_add(connection->on_writable, NULL);
    else
        event_del(connection->on_writable);
}

/* Closes the connection where it has come to its end. It may be gone after this. */
static void settle(struct connection *connection)
{
    if (connection->in_use > 0)
        return;
    if (connection->is_broken ||
        (connection->is_ended && connection->call_count == 0 && connection->out.size == 0))
        connection_close(connection);
}

/* Takes answer (may be NULL: no memory). */
static void send_line(struct connection *connection, json_t *answer)
{
    if (answer == NULL ||
        setpay_line_buffer_append_json(&connection->out, answer, OUT_BYTES_MAX) != SETPAY_OK)
        connection->is_broken = true; /* half an answer would be worse */
    json_decref(answer);
    flush(connection);
}

static json_t *error_answer(const json_t *id, enum setpay_error error, const char *words)
{
    const struct setpay_error_info *info = setpay_error_info(error);

    return json_pack("{s:O?, s:b, s:{s:s, s:s, s:s, s:i}}", "id", id, "ok", 0, "error", "name",
                     info->name, "rule", info->rule, "text",
                     words == NULL || words[0] == '\0' ? info->text : words, "exit",
                     setpay_error_exit_status(error));
}

/* ------------------------------------------------------------------ calls */

static void call_free(struct setpay_control_call *call)
{
    struct connection *connection = call->connection;
    struct setpay_control_server *server = call->server;

    if (connection != NULL) {
        if (call->previous != NULL)
            call->previous->next = call->next;
        else
            connection->calls = call->next;
        if (call->next != NULL)
            call->next->previous = call->previous;
        connection->call_count--;
    }
    if (server != NULL) {
        if (call->server_previous != NULL)
            call->server_previous->server_next = call->server_next;
        else
            server->calls = call->server_next;
        if (call->server_next != NULL)
            call->server_next->server_previous = call->server_previous;
        if (server->is_draining && server->calls == NULL)
            setpay_timer_start(server->drained_timer, 0);
    }
    json_decref(call->request);
    json_decref(call->no_args);
    free(call);
}

/* Sends the last line of a call (taken) and ends it. */
static void call_end(struct setpay_control_call *call, json_t *answer)
{
    struct connection *connection = call->connection;

    if (connection != NULL)
        send_line(connection, answer);
    else
        json_decref(answer);
    call_free(call);
    if (connection != NULL)
        settle(connection);
}

void setpay_control_progress(struct setpay_control_call *call, json_t *progress)
{
    struct connection *connection = call->connection;

    if (connection == NULL || progress == NULL) {
        json_decref(progress);
        return;
    }
    send_line(connection, json_pack("{s:O, s:o}", "id", json_object_get(call->request, "id"),
                                    "progress", progress));
    /* Not settled here: the caller still holds the call, which is under way. */
}

void setpay_control_reply(struct setpay_control_call *call, json_t *result)
{
    call_end(call, json_pack("{s:O, s:b, s:o}", "id", json_object_get(call->request, "id"), "ok", 1,
                             "result", result == NULL ? json_object() : result));
}

void setpay_control_fail(struct setpay_control_call *call, enum setpay_error error,
                         const char *words)
{
    call_end(call, error_answer(json_object_get(call->request, "id"), error, words));
}

bool setpay_control_call_is_gone(const struct setpay_control_call *call)
{
    return call->connection == NULL || call->connection->is_broken;
}

/* ------------------------------------------------------------------ lines */

static const struct setpay_control_command *
find_command(const struct setpay_control_command *commands, const char *name)
{
    for (; commands != NULL && commands->name != NULL; commands++) {
        if (strcmp(commands->name, name) == 0)
            return commands;
    }
    return NULL;
}

/* Makes the call; takes request. NULL without memory. */
static struct setpay_control_call *call_new(struct connection *connection, json_t *request)
{
    struct setpay_control_server *server = connection->server;
    struct setpay_control_call *call = calloc(1, sizeof(*call));

    if (call == NULL) {
        json_decref(request);
        return NULL;
    }
    call->request = request;
    call->server = server;
    call->connection = connection;
    call->next = connection->calls;
    if (call->next != NULL)
        call->next->previous = call;
    connection->calls = call;
    connection->call_count++;
    call->server_next = server->calls;
    if (call->server_next != NULL)
        call->server_next->server_previous = call;
    server->calls = call;
    return call;
}

static void run_command(struct setpay_control_call *call)
{
    struct setpay_control_server *server = call->server;
    const char *name = json_string_value(json_object_get(call->request, "command"));
    const json_t *args = json_object_get(call->request, "args");
    const struct setpay_control_command *command;

    if (args == NULL)
        args = call->no_args = json_object();
    if (!json_is_object(args)) {
        setpay_control_fail(call, SETPAY_E_USAGE, "args: expected an object");
        return;
    }
    command = find_command(server->options.commands, name);
    if (command != NULL) {
        command->handler_cb(call, args, server->options.arg);
        return;
    }
    command = find_command(setpay_control_builtin, name);
    if (command != NULL)
        command->handler_cb(call, args, server);
    else
        setpay_control_fail(call, SETPAY_E_USAGE,
                            "there is no such command: the command help lists those there are");
}

static void on_line(struct connection *connection, struct setpay_view line)
{
    static const char *const names[] = {"id", "command", "args", NULL};
    struct setpay_problem problem;
    struct setpay_control_call *call;
    const json_t *id = NULL;
    json_t *request = NULL;
    enum setpay_error error = setpay_json_parse_line(line, &request, &problem);

    if (error == SETPAY_OK) {
        id = json_object_get(request, "id");
        if (!json_is_integer(id) && !json_is_string(id)) {
            id = NULL;
            error = setpay_problem_set(&problem, SETPAY_E_USAGE, "id: expected a whole number");
        } else if (!json_is_string(json_object_get(request, "command"))) {
            error = setpay_problem_set(&problem, SETPAY_E_USAGE, "command: expected a text");
        } else {
            error = setpay_json_args_check(request, names, &problem);
        }
    }
    if (error == SETPAY_OK && connection->server->is_draining)
        error = setpay_problem_set(&problem, SETPAY_E_DRAINING, "%s is stopping",
                                   connection->server->options.daemon);
    if (error == SETPAY_OK && connection->call_count >= SETPAY_CONTROL_CALLS_MAX)
        error = setpay_problem_set(&problem, SETPAY_E_BUSY,
                                   "too many commands are under way on this connection");
    if (error != SETPAY_OK) {
        send_line(connection, error_answer(id, error, problem.text));
        json_decref(request);
        return;
    }
    call = call_new(connection, request);
    if (call == NULL)
        connection->is_broken = true;
    else
        run_command(call);
}

static void take_lines(struct connection *connection)
{
    size_t start = 0;
    uint8_t *newline;

    connection->in_use++;
    while (!connection->is_broken &&
           (newline = memchr(connection->in.data + connection->scanned, '\n',
                             connection->in.size - connection->scanned)) != NULL) {
        size_t end = (size_t)(newline - connection->in.data);

        on_line(connection, setpay_view_of(connection->in.data + start, end - start));
        start = connection->scanned = end + 1;
    }
    setpay_line_buffer_drop(&connection->in, start);
    connection->scanned = connection->in.size;
    connection->in_use--;
    if (connection->in.size > SETPAY_LIMIT_CONTROL_LINE_BYTES) {
        send_line(connection, error_answer(NULL, SETPAY_E_TOO_BIG, "the line is too long"));
        connection->is_ended = true;
        setpay_line_buffer_clear(&connection->in);
        connection->scanned = 0;
        event_del(connection->on_readable);
    }
}

static void on_end(struct connection *connection)
{
    struct pollfd both = {.fd = connection->fd, .events = POLLIN};

    /* A client that has only said its last word still reads answers; one that has closed doesn't.
     */
    connection->is_ended = true;
    event_del(connection->on_readable);
    if (poll(&both, 1, 0) > 0 && (both.revents & (POLLHUP | POLLERR)) != 0)
        connection->is_broken = true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct connection *connection = arg;
    ssize_t got;

    (void)what;
    if (setpay_line_buffer_reserve(&connection->in, READ_CHUNK,
                                   SETPAY_LIMIT_CONTROL_LINE_BYTES + 2 * READ_CHUNK) != SETPAY_OK) {
        connection->is_broken = true;
    } else {
        got = recv(fd, connection->in.data + connection->in.size, READ_CHUNK, MSG_DONTWAIT);
        if (got > 0) {
            connection->in.size += (size_t)got;
            take_lines(connection);
        } else if (got == 0) {
            on_end(connection);
        } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            connection->is_broken = true;
        }
    }
    settle(connection);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct connection *connection = arg;

    (void)fd;
    (void)what;
    flush(connection);
    settle(connection);
}

/* ------------------------------------------------------------------ accepting */

static bool is_permitted(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void on_acceptable(evutil_socket_t listener, short what, void *arg)
{
    struct setpay_control_server *server = arg;
    struct event_base *base = setpay_loop_base(server->options.loop);
    struct connection *connection;
    int fd;

    (void)what;
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (!is_permitted(fd)) {
        setpay_log_error(SETPAY_E_PERMISSION, "control.refused",
                         setpay_field_text("daemon", server->options.daemon));
        close(fd);
        return;
    }
    connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        close(fd);
        return;
    }
    connection->server = server;
    connection->fd = fd;
    connection->on_readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, connection);
    connection->on_writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, connection);
    connection->next = server->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    server->connections = connection;
    server->connection_count++;
    if (connection->on_readable == NULL || connection->on_writable == NULL) {
        connection_close(connection);
        return;
    }
    event_add(connection->on_readable, NULL);
    if (server->connection_count >= SETPAY_CONTROL_CONNECTIONS_MAX)
        event_del(server->on_acceptable); /* the others wait in the backlog */
}

/* ------------------------------------------------------------------ the socket's file */

static enum setpay_error say(struct setpay_problem *problem, enum setpay_error error,
                             const char *path, const char *words)
{
    if (problem == NULL)
        return error;
    return setpay_problem_set(problem, error, "control socket %s: %s", path, words);
}

/* Removes the socket of a daemon that has died. One on which somebody answers stays. */
static enum setpay_error remove_stale(const struct setpay_control_options *options,
                                      const struct sockaddr_un *address,
                                      struct setpay_problem *problem)
{
    struct stat found;
    int fd, failure;

    if (lstat(options->path, &found) != 0)
        return errno == ENOENT ? SETPAY_OK
                               : say(problem, SETPAY_E_IO, options->path, strerror(errno));
    if (!S_ISSOCK(found.st_mode))
        return say(problem, SETPAY_E_CONFIG, options->path,
                   "a file that is not a socket is in the way");
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return say(problem, SETPAY_E_IO, options->path, strerror(errno));
    failure = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
    close(fd);
    if (failure != ECONNREFUSED)
        return say(problem, SETPAY_E_RUNNING, options->path, "another process answers there");
    if (!options->lock_held)
        return say(problem, SETPAY_E_RUNNING, options->path,
                   "it is there already, and without the daemon's lock nobody can say whose it is");
    if (unlink(options->path) != 0)
        return say(problem, SETPAY_E_IO, options->path, strerror(errno));
    return SETPAY_OK;
}

enum setpay_error setpay_control_check_path(const char *key, const char *path,
                                            struct setpay_problem *problem)
{
    const size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path;
    if (path[0] != '\0' && strlen(path) < room)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_CONFIG,
                              "%s: found a path of %zu bytes (%.40s...), expected 1 to %zu", key,
                              strlen(path), path, room - 1);
}

static enum setpay_error open_socket(struct setpay_control_server *server,
                                     struct setpay_problem *problem)
{
    const char *path = server->options.path;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat made;

    if (strlen(path) >= sizeof(address.sun_path))
        return say(problem, SETPAY_E_CONFIG, path, "the path has more than 107 bytes");
    memcpy(address.sun_path, path, strlen(path));
    SETPAY_TRY(remove_stale(&server->options, &address, problem));
    server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->fd < 0)
        return say(problem, SETPAY_E_IO, path, strerror(errno));
    /* Linux gives the file the mode of the unbound socket: it is never open to others, not even
     * for a moment, and no other thread's files are touched as umask would. */
    if (fchmod(server->fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(server->fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return say(problem, errno == EADDRINUSE ? SETPAY_E_RUNNING : SETPAY_E_IO, path,
                   strerror(errno));
    if (lstat(path, &made) != 0)
        return say(problem, SETPAY_E_IO, path, strerror(errno));
    server->device = made.st_dev;
    server->inode = made.st_ino;
    if ((made.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return say(problem, SETPAY_E_IO, path, "its mode could not be set to 0600");
    if (listen(server->fd, SETPAY_CONTROL_CONNECTIONS_MAX) != 0)
        return say(problem, SETPAY_E_IO, path, strerror(errno));
    return SETPAY_OK;
}

static void close_socket(struct setpay_control_server *server)
{
    struct stat found;

    if (server->on_acceptable != NULL)
        event_free(server->on_acceptable);
    server->on_acceptable = NULL;
    if (server->inode != 0 && lstat(server->path, &found) == 0 && found.st_dev == server->device &&
        found.st_ino == server->inode)
        unlink(server->path);
    server->inode = 0;
    if (server->fd >= 0)
        close(server->fd);
    server->fd = -1;
}

/* ------------------------------------------------------------------ the server */

static void on_drained_timer(void *arg)
{
    struct setpay_control_server *server = arg;

    if (server->drained_cb != NULL)
        server->drained_cb(server->drained_arg);
}

static enum setpay_error start(struct setpay_control_server *server, struct setpay_problem *problem)
{
    SETPAY_TRY(
        setpay_timer_new(server->options.loop, on_drained_timer, server, &server->drained_timer));
    SETPAY_TRY(open_socket(server, problem));
    server->on_acceptable = event_new(setpay_loop_base(server->options.loop), server->fd,
                                      EV_READ | EV_PERSIST, on_acceptable, server);
    if (server->on_acceptable == NULL || event_add(server->on_acceptable, NULL) != 0)
        return SETPAY_E_NOMEM;
    return SETPAY_OK;
}

enum setpay_error setpay_control_server_new(const struct setpay_control_options *options,
                                            struct setpay_control_server **server,
                                            struct setpay_problem *problem)
{
    struct setpay_control_server *made = calloc(1, sizeof(*made));
    enum setpay_error error;

    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->options = *options;
    made->fd = -1;
    made->started_ms = setpay_clock_monotonic_ms();
    made->path = strdup(options->path);
    if (made->path == NULL) {
        free(made);
        return SETPAY_E_NOMEM;
    }
    made->options.path = made->path;
    error = start(made, problem);
    if (error != SETPAY_OK) {
        setpay_control_server_free(made);
        return error;
    }
    *server = made;
    return SETPAY_OK;
}

void setpay_control_server_drain(struct setpay_control_server *server,
                                 void (*drained_cb)(void *arg), void *arg)
{
    if (server->is_draining)
        return;
    server->is_draining = true;
    server->drained_cb = drained_cb;
    server->drained_arg = arg;
    close_socket(server);
    if (server->calls == NULL)
        setpay_timer_start(server->drained_timer, 0);
}

void setpay_control_server_free(struct setpay_control_server *server)
{
    struct connection *next;

    if (server == NULL)
        return;
    close_socket(server);
    for (struct connection *connection = server->connections; connection != NULL;
         connection = next) {
        next = connection->next;
        connection_close(connection);
    }
    for (struct setpay_control_call *call = server->calls; call != NULL; call = call->server_next)
        call->server = NULL;
    setpay_timer_free(server->drained_timer);
    free(server->path);
    free(server);
}
