/*
 * Probes: one blocking walk (name, connection, handshake, question) on a thread each.
 *
 * What always holds: once the name is resolved, every wait ends with the deadline, so that the
 * caller can wait for the thread and free what the probe borrows. A name server that never answers
 * is the one thing that can't be cut short: its thread is left behind, touches nothing of the
 * caller's any more, and frees its job at its end.
 */
#include "common/net/probe.h"

#include "common/base/limits.h"
#include "common/net/http_answer.h"
#include "common/net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)64 * 1024)
#define REQUEST_SIZE 512

enum { SNI, BRAND, ID, HOST, CONTEXT_NAME, GET, HTTP_HOST, TEXTS };

struct job {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool resolved, done, abandoned;
    int64_t deadline_ms; /* monotonic */
    struct setpay_probe probe;
    char texts[TEXTS][SETPAY_PROBE_ADDRESS_SIZE]; /* the caller's may be gone before the thread */
    int fd;
    SSL *ssl;
};

SETPAY_PRINTF(3, 4)
static enum setpay_error fail(struct job *job, enum setpay_error error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(job->probe.words, sizeof job->probe.words, format, args);
    va_end(args);
    job->probe.error = error;
    return error;
}

/* Waits until the socket is ready for that. */
static enum setpay_error wait_for(struct job *job, short events)
{
    for (;;) {
        int64_t left_ms = job->deadline_ms - setpay_clock_monotonic_ms();
        struct pollfd entry = {.fd = job->fd, .events = events};
        int ready = left_ms <= 0 ? 0 : poll(&entry, 1, (int)left_ms);
        if (ready > 0)
            return SETPAY_OK;
        if (ready == 0)
            return fail(job, SETPAY_E_TIMEOUT, "no answer in time");
        if (errno != EINTR)
            return fail(job, SETPAY_E_IO, "%s", strerror(errno));
    }
}

static enum setpay_error connect_to(struct job *job, const struct setpay_address *address)
{
    int error = 0;
    socklen_t size = sizeof error;
    job->fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (job->fd < 0)
        return fail(job, SETPAY_E_IO, "%s", strerror(errno));
    if (connect(job->fd, (const struct sockaddr *)&address->storage, address->size) == 0)
        return SETPAY_OK;
    if (errno != EINPROGRESS)
        return fail(job, SETPAY_E_UNREACHABLE, "%s", strerror(errno));
    SETPAY_TRY(wait_for(job, POLLOUT));
    if (getsockopt(job->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
        return fail(job, SETPAY_E_UNREACHABLE, "%s", strerror(error));
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ TLS */

/* What SSL wants to be waited for. SETPAY_E_TLS: nothing, it has failed. */
static enum setpay_error wait_for_ssl(struct job *job, int result)
{
    switch (SSL_get_error(job->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return wait_for(job, POLLIN);
    case SSL_ERROR_WANT_WRITE:
        return wait_for(job, POLLOUT);
    default:
        return SETPAY_E_TLS;
    }
}

static enum setpay_error explain_handshake(struct job *job)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
    long verdict = SSL_get_verify_result(job->ssl);
    enum setpay_error error =
        job->probe.tls != NULL ? setpay_tls_handshake_error(job->ssl) : SETPAY_E_TLS;
    if (job->probe.tls != NULL && error != SETPAY_E_TLS)
        return fail(job, error, "its certificate is not believed: %s", setpay_error_text(error));
    if (job->probe.tls == NULL && verdict != X509_V_OK)
        return fail(job, error, "its certificate is not believed: %s",
                    X509_verify_cert_error_string(verdict));
    return fail(job, error, "the TLS handshake fails: %s",
                reason != NULL ? reason : "it closes the connection");
}

static enum setpay_error make_ssl(struct job *job)
{
    const struct setpay_probe *probe = &job->probe;
    if (probe->tls != NULL)
        return setpay_tls_session_client(probe->tls, &probe->expect, &job->ssl);
    job->ssl = SSL_new(probe->context);
    if (job->ssl == NULL)
        return SETPAY_E_NOMEM;
    SSL_set_connect_state(job->ssl);
    return SSL_set_tlsext_host_name(job->ssl, job->texts[CONTEXT_NAME]) == 1 &&
                   SSL_set1_host(job->ssl, probe->context_name) == 1
               ? SETPAY_OK
               : SETPAY_E_CRYPTO;
}

static enum setpay_error shake_hands(struct job *job)
{
    struct setpay_peer peer;
    enum setpay_error error = make_ssl(job);
    if (error == SETPAY_OK && SSL_set_fd(job->ssl, job->fd) != 1)
        error = SETPAY_E_NOMEM;
    if (error != SETPAY_OK)
        return fail(job, error, "%s", setpay_error_text(error));
    for (;;) {
        ERR_clear_error();
        int result = SSL_connect(job->ssl);
        if (result == 1)
            break;
        error = wait_for_ssl(job, result);
        if (error == SETPAY_E_TLS)
            return explain_handshake(job);
        if (error != SETPAY_OK)
            return error;
    }
    if (job->probe.tls == NULL)
        return SETPAY_OK;
    error = setpay_tls_check_peer(job->ssl, &peer);
    return error == SETPAY_OK
               ? SETPAY_OK
               : fail(job, error, "its certificate is not believed: %s", setpay_error_text(error));
}

/* With TLS 1.3 the other says only after the handshake what it thinks of our certificate. */
static enum setpay_error wait_until_accepted(struct job *job)
{
    char byte;
    while (!setpay_tls_is_accepted(job->ssl)) {
        ERR_clear_error();
        int result = SSL_peek(job->ssl, &byte, 1);
        if (setpay_tls_is_accepted(job->ssl))
            break;
        enum setpay_error error = result > 0 ? SETPAY_E_TLS : wait_for_ssl(job, result);
        if (error == SETPAY_E_TLS) {
            const char *reason = ERR_reason_error_string(ERR_peek_last_error());
            return fail(job, error, "it does not take our certificate (%s)",
                        reason != NULL ? reason : "it closes the connection");
        }
        if (error != SETPAY_OK)
            return error;
    }
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ the question */

static enum setpay_error send_question(struct job *job)
{
    char request[REQUEST_SIZE];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                          job->probe.get, job->probe.host);
    if (length < 0 || (size_t)length >= sizeof request)
        return fail(job, SETPAY_E_INVALID, "the host's name is too long");
    for (;;) {
        ERR_clear_error();
        int result = SSL_write(job->ssl, request, length);
        if (result > 0)
            return SETPAY_OK;
        enum setpay_error error = wait_for_ssl(job, result);
        if (error == SETPAY_E_TLS)
            return fail(job, SETPAY_E_CLOSED, "it closes the connection");
        if (error != SETPAY_OK)
            return error;
    }
}

static enum setpay_error read_answer(struct job *job, struct setpay_buffer *bytes)
{
    struct setpay_http_message message = {0};
    uint8_t some[4096];
    bool complete = false;
    while (!complete) {
        ERR_clear_error();
        int result = SSL_read(job->ssl, some, sizeof some);
        enum setpay_error error = result > 0 ? SETPAY_OK : wait_for_ssl(job, result);
        if (error == SETPAY_E_TLS)
            return fail(job, SETPAY_E_CLOSED, "it closes the connection");
        if (error != SETPAY_OK)
            return error;
        if (result <= 0)
            continue;
        error = setpay_buffer_append(bytes, setpay_view_of(some, (size_t)result));
        if (error == SETPAY_OK)
            error = setpay_http_answer_parse(setpay_buffer_view(bytes), ANSWER_MAX, &complete,
                                             &message);
        if (error != SETPAY_OK)
            return fail(job, error, "it does not speak HTTP as expected: %s",
                        setpay_error_text(error));
    }
    job->probe.date_ms = message.date_ms;
    job->probe.at_ms = setpay_clock_now_ms();
    setpay_buffer_clear(&message.body);
    return SETPAY_OK;
}

static enum setpay_error ask(struct job *job)
{
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, ANSWER_MAX + SETPAY_LIMIT_HTTP_HEADER_BYTES);
    enum setpay_error error = send_question(job);
    if (error == SETPAY_OK)
        error = read_answer(job, &bytes);
    setpay_buffer_clear(&bytes);
    return error;
}

/* ------------------------------------------------------------------ threads */

static enum setpay_error walk(struct job *job, const struct setpay_address *address)
{
    const struct setpay_probe *probe = &job->probe;
    SETPAY_TRY(connect_to(job, address));
    if (probe->tls == NULL && probe->context == NULL)
        return SETPAY_OK;
    SETPAY_TRY(shake_hands(job));
    if (probe->wants_accepted)
        SETPAY_TRY(wait_until_accepted(job));
    return probe->get == NULL ? SETPAY_OK : ask(job);
}

static void job_free(struct job *job)
{
    (void)pthread_mutex_destroy(&job->lock);
    (void)pthread_cond_destroy(&job->change);
    free(job);
}

static void *run_job(void *arg)
{
    struct job *job = arg;
    struct setpay_address address;
    struct setpay_problem problem = {{0}};
    sigset_t pipe;
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE); /* one who closes the connection must not end the program */
    (void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    enum setpay_error error = setpay_address_parse(job->probe.address, &address, &problem);
    (void)pthread_mutex_lock(&job->lock);
    job->resolved = true;
    bool abandoned = job->abandoned;
    (void)pthread_mutex_unlock(&job->lock);
    if (abandoned) {
        job_free(job);
        return NULL;
    }
    job->probe.error = SETPAY_OK;
    if (error != SETPAY_OK)
        (void)fail(job, SETPAY_E_UNREACHABLE, "%s", problem.text);
    else if (walk(job, &address) != SETPAY_OK && job->probe.error == SETPAY_OK)
        (void)fail(job, SETPAY_E_INTERNAL, "%s", setpay_error_text(SETPAY_E_INTERNAL));
    if (job->ssl != NULL && job->probe.error == SETPAY_OK)
        (void)SSL_shutdown(job->ssl);
    SSL_free(job->ssl);
    ERR_clear_error();
    if (job->fd >= 0)
        (void)close(job->fd);
    (void)pthread_mutex_lock(&job->lock);
    job->done = true;
    (void)pthread_cond_signal(&job->change);
    (void)pthread_mutex_unlock(&job->lock);
    return NULL;
}

/* Texts that outlive the caller's: the thread may. */
static void copy_text(struct job *job, size_t at, const char **text)
{
    if (*text == NULL)
        return;
    (void)snprintf(job->texts[at], sizeof job->texts[at], "%s", *text);
    *text = job->texts[at];
}

static struct job *job_start(const struct setpay_probe *probe, int64_t deadline_ms)
{
    pthread_condattr_t attributes;
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->fd = -1;
    job->deadline_ms = deadline_ms;
    job->probe = *probe;
    copy_text(job, SNI, &job->probe.expect.sni);
    copy_text(job, BRAND, &job->probe.expect.brand);
    copy_text(job, ID, &job->probe.expect.id);
    copy_text(job, HOST, &job->probe.expect.host);
    copy_text(job, CONTEXT_NAME, &job->probe.context_name);
    copy_text(job, GET, &job->probe.get);
    copy_text(job, HTTP_HOST, &job->probe.host);
    (void)pthread_mutex_init(&job->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&job->change, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&job->thread, NULL, run_job, job) == 0)
        return job;
    job_free(job);
    return NULL;
}

/* Until it has ended; or, while its name is still looked up, until the time is over. A thread that
 * has ended is waited for whole: OpenSSL tidies up behind it, which must not meet a caller that
 * exits. One that is left behind has not called OpenSSL. */
static void job_end(struct job *job, struct setpay_probe *probe)
{
    struct timespec until = {.tv_sec = (time_t)(job->deadline_ms / 1000),
                             .tv_nsec = (long)(job->deadline_ms % 1000) * 1000000L};
    (void)pthread_mutex_lock(&job->lock);
    while (!job->done && !(setpay_clock_monotonic_ms() >= job->deadline_ms && !job->resolved)) {
        if (setpay_clock_monotonic_ms() < job->deadline_ms)
            (void)pthread_cond_timedwait(&job->change, &job->lock, &until);
        else
            (void)pthread_cond_wait(&job->change, &job->lock);
    }
    bool done = job->done;
    job->abandoned = !done;
    pthread_t thread = job->thread; /* the job may be gone with the lock */
    (void)pthread_mutex_unlock(&job->lock);
    (void)(done ? pthread_join(thread, NULL) : pthread_detach(thread));
    if (!done) { /* the thread frees it */
        probe->error = SETPAY_E_TIMEOUT;
        (void)snprintf(probe->words, sizeof probe->words, "its name is not resolved in time");
        return;
    }
    probe->error = job->probe.error;
    probe->date_ms = job->probe.date_ms;
    probe->at_ms = job->probe.at_ms;
    memcpy(probe->words, job->probe.words, sizeof probe->words);
    job_free(job);
}

void setpay_probes_run(struct setpay_probe *probes, size_t count, int64_t deadline_ms)
{
    struct job **jobs = calloc(count == 0 ? 1 : count, sizeof(struct job *));
    int64_t until_ms = setpay_clock_monotonic_ms() + deadline_ms;
    for (size_t i = 0; i < count; i++) {
        if (jobs != NULL)
            jobs[i] = job_start(&probes[i], until_ms);
        if (jobs == NULL || jobs[i] == NULL) {
            probes[i].error = SETPAY_E_NOMEM;
            (void)snprintf(probes[i].words, sizeof probes[i].words, "%s",
                           setpay_error_text(SETPAY_E_NOMEM));
        }
    }
    for (size_t i = 0; jobs != NULL && i < count; i++) {
        if (jobs[i] != NULL)
            job_end(jobs[i], &probes[i]);
    }
    free(jobs);
}
