/*
 * libcurl's multi interface on a loop: libcurl says which sockets it waits for and when it wants to
 * be called, and is told what has happened. It keeps connections, verifies certificates and times
 * out; names are looked up on threads of its own.
 *
 * Each address is judged where its socket is made (open_socket), which is behind every look-up.
 */
#include "merchant/store/webhook/transfer.h"

#include "merchant/store/webhook/sign.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS_KEPT 8
#define ANSWER_MAX_BYTES 65536 /* read and dropped; beyond, the connection is */
#define CONNECT_MAX_MS 10000

struct setpay_transfers {
    struct setpay_transfers_options options;
    CURLM *multi;
    struct setpay_timer *timer;
};

struct setpay_transfer {
    struct setpay_transfers *transfers;
    CURL *easy;
    struct curl_slist *headers;
    char *body; /* owned */
    size_t answer_size;
    bool is_tls;
    bool forbidden; /* the address that was tried last */
    setpay_transfer_ended_fn *ended_cb;
    void *arg;
};

/* ------------------------------------------------------------------ libcurl on a loop */

static enum setpay_delivery_result result_of(const struct setpay_transfer *transfer, CURLcode code,
                                             long status)
{
    if (transfer->forbidden)
        return SETPAY_DELIVERY_FORBIDDEN;
    /* What stands behind the status is of no interest, also where it is too much. */
    if ((code == CURLE_OK || code == CURLE_WRITE_ERROR) && status > 0)
        return status >= 200 && status < 300 ? SETPAY_DELIVERY_TAKEN : SETPAY_DELIVERY_REFUSED;
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return SETPAY_DELIVERY_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return SETPAY_DELIVERY_UNREACHABLE;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return SETPAY_DELIVERY_TLS;
    default:
        return SETPAY_DELIVERY_BROKEN;
    }
}

static void transfer_free(struct setpay_transfer *transfer)
{
    if (transfer->easy != NULL) {
        (void)curl_multi_remove_handle(transfer->transfers->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_slist_free_all(transfer->headers);
    free(transfer->body);
    free(transfer);
}

static void end_transfer(CURL *easy, CURLcode code)
{
    char *pointer = NULL;
    long status = 0;
    curl_off_t retry_after_s = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &pointer);
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    struct setpay_transfer *transfer = (struct setpay_transfer *)(void *)pointer;
    setpay_transfer_ended_fn *ended_cb = transfer->ended_cb;
    void *arg = transfer->arg;
    enum setpay_delivery_result result = result_of(transfer, code, status);
    if (retry_after_s < 0 || retry_after_s > 86400)
        retry_after_s = 86400;
    transfer_free(transfer);
    ended_cb(arg, result, (int)status, retry_after_s * 1000);
}

static void take_ended(struct setpay_transfers *transfers)
{
    CURLMsg *message;
    int left = 0;
    while ((message = curl_multi_info_read(transfers->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE)
            end_transfer(message->easy_handle, message->data.result);
    }
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct setpay_transfers *transfers = arg;
    int running = 0;
    int bits = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
               ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    (void)curl_multi_socket_action(transfers->multi, fd, bits, &running);
    take_ended(transfers);
}

static void on_time(void *arg)
{
    struct setpay_transfers *transfers = arg;
    int running = 0;
    (void)curl_multi_socket_action(transfers->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_ended(transfers);
}

static int set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct setpay_transfers *transfers = arg;
    (void)multi;
    if (timeout_ms < 0)
        setpay_timer_stop(transfers->timer);
    else
        setpay_timer_start(transfers->timer, timeout_ms);
    return 0;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct setpay_transfers *transfers = arg;
    struct event *event = socket_arg;
    (void)easy;
    if (event != NULL)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        short events = (short)(((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
                               ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0) | EV_PERSIST);
        event =
            event_new(setpay_loop_base(transfers->options.loop), fd, events, on_socket, transfers);
        if (event == NULL || event_add(event, NULL) != 0) {
            if (event != NULL)
                event_free(event);
            (void)curl_multi_assign(transfers->multi, fd, NULL);
            return -1;
        }
    }
    (void)curl_multi_assign(transfers->multi, fd, event);
    return 0;
}

/* ------------------------------------------------------------------ one transfer */

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct setpay_transfer *transfer = arg;
    (void)purpose;
    if (!setpay_address_is_permitted(transfer->transfers->options.networks, transfer->is_tls,
                                     &address->addr)) {
        transfer->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    transfer->forbidden = false; /* another of the name's addresses will do */
    return socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  address->protocol);
}

static size_t drop_answer(char *bytes, size_t size, size_t count, void *arg)
{
    struct setpay_transfer *transfer = arg;
    (void)bytes;
    transfer->answer_size += size * count;
    return transfer->answer_size <= ANSWER_MAX_BYTES ? size * count : 0;
}

static bool add_header(struct setpay_transfer *transfer, const char *line)
{
    struct curl_slist *grown = curl_slist_append(transfer->headers, line);
    if (grown != NULL)
        transfer->headers = grown;
    return grown != NULL;
}

static enum setpay_error make_headers(struct setpay_transfer *transfer,
                                      const struct setpay_delivery *delivery)
{
    char line[SETPAY_WEBHOOK_SIGNATURE_SIZE + 64];
    char signature[SETPAY_WEBHOOK_SIGNATURE_SIZE];
    int64_t now_s = setpay_clock_now_ms() / SETPAY_SECOND_MS;
    SETPAY_TRY(setpay_webhook_sign(&delivery->secret, &delivery->old_secret, delivery->event_id,
                                   now_s, setpay_view_string(transfer->body), signature));
    bool whole = add_header(transfer, "Content-Type: application/json") &&
                 add_header(transfer, "Accept:") && add_header(transfer, "Expect:");
    (void)snprintf(line, sizeof line, "webhook-id: %s", delivery->event_id);
    whole = whole && add_header(transfer, line);
    (void)snprintf(line, sizeof line, "webhook-timestamp: %lld", (long long)now_s);
    whole = whole && add_header(transfer, line);
    (void)snprintf(line, sizeof line, "webhook-signature: %s", signature);
    whole = whole && add_header(transfer, line);
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

#define SET(option, value) ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK

static enum setpay_error set_options(struct setpay_transfer *transfer, const char *url)
{
    const struct setpay_transfers_options *options = &transfer->transfers->options;
    CURL *easy = transfer->easy;
    bool ok = true;
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* nor the environment's */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (options->ca_file != NULL) {
        SET(CURLOPT_CAINFO, options->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    SET(CURLOPT_NOSIGNAL, 1L);
    /* A resolver that never answers has a thread of its own: nobody waits for its end. */
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)(options->timeout_ms < CONNECT_MAX_MS ? options->timeout_ms : CONNECT_MAX_MS));
    SET(CURLOPT_USERAGENT, "setpay-merchantd/" SETPAY_VERSION);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(transfer->body));
    SET(CURLOPT_POSTFIELDS, transfer->body);
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    SET(CURLOPT_WRITEFUNCTION, drop_answer);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    SET(CURLOPT_PRIVATE, transfer);
    return ok ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_transfer_new(struct setpay_transfers *transfers,
                                      struct setpay_delivery *delivery,
                                      setpay_transfer_ended_fn *ended_cb, void *arg,
                                      struct setpay_transfer **transfer)
{
    struct setpay_transfer *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->transfers = transfers;
    made->ended_cb = ended_cb;
    made->arg = arg;
    made->is_tls = strncasecmp(delivery->url, "https:", 6) == 0;
    made->body = delivery->body;
    delivery->body = NULL;
    made->easy = curl_easy_init();
    enum setpay_error error = made->easy == NULL ? SETPAY_E_NOMEM : make_headers(made, delivery);
    if (error == SETPAY_OK)
        error = set_options(made, delivery->url);
    if (error == SETPAY_OK && curl_multi_add_handle(transfers->multi, made->easy) != CURLM_OK)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        *transfer = made;
    else
        transfer_free(made);
    return error;
}

void setpay_transfer_cancel(struct setpay_transfer *transfer)
{
    if (transfer != NULL)
        transfer_free(transfer);
}

/* ------------------------------------------------------------------ all of them */

enum setpay_error setpay_transfers_system_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_transfers_new(const struct setpay_transfers_options *options,
                                       struct setpay_transfers **transfers)
{
    struct setpay_transfers *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->options = *options;
    made->multi = curl_multi_init();
    enum setpay_error error = made->multi == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_timer_new(options->loop, on_time, made, &made->timer);
    if (error == SETPAY_OK) {
        (void)curl_multi_setopt(made->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
        (void)curl_multi_setopt(made->multi, CURLMOPT_SOCKETDATA, made);
        (void)curl_multi_setopt(made->multi, CURLMOPT_TIMERFUNCTION, set_timer);
        (void)curl_multi_setopt(made->multi, CURLMOPT_TIMERDATA, made);
        (void)curl_multi_setopt(made->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
        *transfers = made;
    } else {
        setpay_transfers_free(made);
    }
    return error;
}

void setpay_transfers_free(struct setpay_transfers *transfers)
{
    if (transfers == NULL)
        return;
    if (transfers->multi != NULL)
        (void)curl_multi_cleanup(transfers->multi);
    setpay_timer_free(transfers->timer);
    free(transfers);
}
