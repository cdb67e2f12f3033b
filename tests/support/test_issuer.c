/*
 * A thread that accepts, reads whole frames and calls back; answers are written from any thread
 * under one lock.
 */
#include "tests/support/test_issuer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct test_issuer {
    pthread_t thread;
    pthread_mutex_t lock; /* of fd, while something is written or it changes */
    test_issuer_message_cb *on_message_cb;
    void *arg;
    int listener;
    int fd; /* -1: nobody is connected */
    int wake[2];
};

/* ------------------------------------------------------------------ messages */

void test_issuer_send_raw(struct test_issuer *issuer, struct setpay_view bytes)
{
    NEED(pthread_mutex_lock(&issuer->lock) == 0);
    size_t sent = 0;
    while (issuer->fd >= 0 && sent < bytes.size) {
        ssize_t n = send(issuer->fd, bytes.data + sent, bytes.size - sent, MSG_NOSIGNAL);
        if (n <= 0)
            break; /* the gateway has hung up: the reader sees it too */
        sent += (size_t)n;
    }
    NEED(pthread_mutex_unlock(&issuer->lock) == 0);
}

void test_issuer_send(struct test_issuer *issuer, struct setpay_iso_message *message)
{
    struct setpay_secret frame = {0};
    NEED(setpay_iso_build(message, &frame) == SETPAY_OK);
    test_issuer_send_raw(issuer, setpay_secret_view(&frame));
    setpay_secret_clear(&frame);
    setpay_iso_clear(message);
}

void test_issuer_hang_up(struct test_issuer *issuer)
{
    NEED(pthread_mutex_lock(&issuer->lock) == 0);
    if (issuer->fd >= 0)
        (void)shutdown(issuer->fd, SHUT_RDWR); /* the thread reads the end of it, and closes */
    NEED(pthread_mutex_unlock(&issuer->lock) == 0);
}

void test_issuer_answer(const struct setpay_iso_message *message, const char *mti,
                        const char *response_code, struct setpay_iso_message *answer)
{
    static const unsigned echoed[] = {3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70, 90};
    NEED(setpay_iso_set_mti(answer, mti) == SETPAY_OK);
    for (size_t i = 0; i < sizeof echoed / sizeof *echoed; i++)
        NEED(setpay_iso_echo(answer, echoed[i], message) == SETPAY_OK);
    NEED(setpay_iso_set_text(answer, SETPAY_ISO_RESPONSE_CODE, response_code) == SETPAY_OK);
    if (strcmp(mti, "0110") == 0 &&
        (strcmp(response_code, "00") == 0 || strcmp(response_code, "10") == 0))
        NEED(setpay_iso_set_text(answer, SETPAY_ISO_APPROVAL_CODE, "A1B2C3") == SETPAY_OK);
}

void test_issuer_change(struct setpay_iso_message *message, unsigned field, const char *value)
{
    message->present[field] = false; /* its old text stays behind, and is not sent */
    if (value != NULL)
        NEED(setpay_iso_set_text(message, field, value) == SETPAY_OK);
}

/* ------------------------------------------------------------------ the thread */

static void on_frame(struct test_issuer *issuer, struct setpay_view bytes)
{
    struct setpay_iso_message message = {0};
    NEED(setpay_iso_parse(bytes, &message, NULL) == SETPAY_OK);
    bool done = issuer->on_message_cb(issuer->arg, issuer, &message);
    if (!done && strcmp(message.mti, "0800") == 0) {
        struct setpay_iso_message answer = {0};
        test_issuer_answer(&message, "0810", "00", &answer);
        test_issuer_send(issuer, &answer);
    }
    setpay_iso_clear(&message);
}

static bool read_exactly(const struct test_issuer *issuer, int fd, uint8_t *bytes, size_t size)
{
    size_t got = 0;
    while (got < size) {
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                               {.fd = issuer->wake[0], .events = POLLIN}};
        NEED(poll(fds, 2, -1) > 0);
        if (fds[1].revents != 0)
            return false;
        ssize_t n = recv(fd, bytes + got, size - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static void serve(struct test_issuer *issuer, int fd)
{
    uint8_t bytes[SETPAY_ISO_MESSAGE_MAX];
    uint8_t head[SETPAY_ISO_HEADER_SIZE];
    size_t size = 0;
    while (read_exactly(issuer, fd, head, sizeof head)) {
        NEED(setpay_iso_frame_size(head, &size) == SETPAY_OK);
        if (!read_exactly(issuer, fd, bytes, size))
            return;
        on_frame(issuer, setpay_view_of(bytes, size));
        setpay_cleanse(bytes, sizeof bytes);
    }
}

static void set_fd(struct test_issuer *issuer, int fd)
{
    NEED(pthread_mutex_lock(&issuer->lock) == 0);
    if (issuer->fd >= 0)
        (void)close(issuer->fd);
    issuer->fd = fd;
    NEED(pthread_mutex_unlock(&issuer->lock) == 0);
}

static void *run(void *arg)
{
    struct test_issuer *issuer = arg;
    for (;;) {
        struct pollfd fds[] = {{.fd = issuer->listener, .events = POLLIN},
                               {.fd = issuer->wake[0], .events = POLLIN}};
        NEED(poll(fds, 2, -1) > 0);
        if (fds[1].revents != 0)
            return NULL;
        int fd = accept(issuer->listener, NULL, NULL);
        if (fd < 0)
            continue;
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        set_fd(issuer, fd);
        serve(issuer, fd);
        set_fd(issuer, -1);
    }
}

struct test_issuer *test_issuer_new(const char *address, test_issuer_message_cb *on_message,
                                    void *arg)
{
    struct test_issuer *issuer = calloc(1, sizeof *issuer);
    struct sockaddr_in at = {.sin_family = AF_INET};
    const char *colon = strchr(address, ':');
    const int on = 1;
    NEED(issuer != NULL && colon != NULL);
    issuer->on_message_cb = on_message;
    issuer->arg = arg;
    issuer->fd = -1;
    at.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    issuer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NEED(issuer->listener >= 0);
    NEED(setsockopt(issuer->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    NEED(bind(issuer->listener, (struct sockaddr *)&at, sizeof at) == 0);
    NEED(listen(issuer->listener, 4) == 0);
    NEED(pipe(issuer->wake) == 0);
    NEED(pthread_mutex_init(&issuer->lock, NULL) == 0);
    NEED(pthread_create(&issuer->thread, NULL, run, issuer) == 0);
    return issuer;
}

void test_issuer_free(struct test_issuer *issuer)
{
    if (issuer == NULL)
        return;
    NEED(write(issuer->wake[1], "x", 1) == 1);
    NEED(pthread_join(issuer->thread, NULL) == 0);
    set_fd(issuer, -1);
    (void)close(issuer->listener);
    (void)close(issuer->wake[0]);
    (void)close(issuer->wake[1]);
    (void)pthread_mutex_destroy(&issuer->lock);
    free(issuer);
}
