/*
 * Addresses and listeners.
 *
 * SO_REUSEPORT lets any process of the same user join a port unseen and take a part of its
 * connections. A first socket without that option therefore binds and listens as a probe: it fails
 * where anyone else listens there; only then do the sharing ones bind to the port that it found.
 */
#include "common/net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define BACKLOG 1024
#define HOST_MAX 256

static enum setpay_error refuse(struct setpay_problem *problem, enum setpay_error error,
                                const char *what, const char *text, const char *why)
{
    if (problem == NULL)
        return error;
    return setpay_problem_set(problem, error, "%s \"%s\": %s", what, text, why);
}

/* Splits HOST:PORT; host has room for HOST_MAX. */
static bool split(const char *text, char *host, const char **port)
{
    const char *begin = text, *end, *colon;
    if (*text == '[') {
        begin = text + 1;
        end = strchr(begin, ']');
        if (end == NULL || end[1] != ':')
            return false;
        colon = end + 1;
    } else {
        colon = strchr(text, ':');
        if (colon == NULL || strchr(colon + 1, ':') != NULL)
            return false;
        end = colon;
    }
    size_t size = (size_t)(end - begin);
    if (size == 0 || size >= HOST_MAX)
        return false;
    memcpy(host, begin, size);
    host[size] = '\0';
    *port = colon + 1;
    size_t digits = strspn(*port, "0123456789");
    return digits > 0 && digits <= 5 && (*port)[digits] == '\0' && strtol(*port, NULL, 10) <= 65535;
}

enum setpay_error setpay_address_parse(const char *text, struct setpay_address *address,
                                       struct setpay_problem *problem)
{
    char host[HOST_MAX];
    const char *port = NULL;
    if (!split(text, host, &port))
        return refuse(problem, SETPAY_E_CONFIG, "address", text,
                      "expected HOST:PORT or [IPV6]:PORT with a port from 0 to 65535");
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    /* RFC 6761 section 6.3: localhost is loopback, and no name server is asked for it. */
    const char *name = strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    int result = getaddrinfo(name, port, &hints, &found);
    if (result != 0)
        return refuse(problem, SETPAY_E_CONFIG, "address", text, gai_strerror(result));
    memset(address, 0, sizeof *address);
    memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
    address->size = found->ai_addrlen;
    freeaddrinfo(found);
    return SETPAY_OK;
}

const char *setpay_address_format(const struct setpay_address *address, char *out)
{
    char host[INET6_ADDRSTRLEN + 20], port[8];
    if (getnameinfo((const struct sockaddr *)&address->storage, address->size, host, sizeof host,
                    port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(out, SETPAY_ADDRESS_TEXT_SIZE, "?");
    else
        snprintf(out, SETPAY_ADDRESS_TEXT_SIZE,
                 address->storage.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return out;
}

uint16_t setpay_address_port(const struct setpay_address *address)
{
    if (address->storage.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
}

static void set_port(struct setpay_address *address, uint16_t port)
{
    if (address->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&address->storage)->sin_port = htons(port);
}

bool setpay_address_is_loopback(const struct setpay_address *address)
{
    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->storage.ss_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)&address->storage)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
    }
    return false;
}

enum setpay_error setpay_address_of_peer(int fd, struct setpay_address *address)
{
    struct setpay_address found = {.size = sizeof found.storage};
    if (getpeername(fd, (struct sockaddr *)&found.storage, &found.size) != 0)
        return SETPAY_E_CLOSED;
    *address = found;
    return SETPAY_OK;
}

/* One bound socket that listens; -1 with errno. */
static int open_one(const struct setpay_address *address, bool is_shared)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int one = 1;
    bool is_open =
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        (!is_shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0) &&
        (address->storage.ss_family != AF_INET6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == 0) &&
        /* Without it an answer in two records waits for a delayed acknowledgement: 44 ms each. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0 &&
        bind(fd, (const struct sockaddr *)&address->storage, address->size) == 0 &&
        listen(fd, BACKLOG) == 0;
    if (is_open)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* Is the address free of other listeners? Finds the port where it is 0. */
static bool probe(struct setpay_address *address)
{
    int fd = open_one(address, false);
    if (fd < 0)
        return false;
    struct setpay_address bound = {.size = sizeof bound.storage};
    bool is_known = getsockname(fd, (struct sockaddr *)&bound.storage, &bound.size) == 0;
    int saved = errno;
    close(fd);
    errno = saved;
    if (is_known)
        set_port(address, setpay_address_port(&bound));
    return is_known;
}

enum setpay_error setpay_listeners_open(const struct setpay_address *address, size_t count,
                                        struct setpay_listeners *listeners,
                                        struct setpay_problem *problem)
{
    char text[SETPAY_ADDRESS_TEXT_SIZE];
    setpay_address_format(address, text);
    if (count == 0 || count > SETPAY_LISTENERS_MAX)
        return refuse(problem, SETPAY_E_INVALID, "listeners on", text, "1 to 64 are possible");
    struct setpay_listeners made = {.address = *address};
    bool is_chosen = setpay_address_port(address) == 0;
    if (!probe(&made.address))
        goto failed;
    for (size_t i = 0; i < count; i++) {
        made.fds[i] = open_one(&made.address, count > 1);
        if (made.fds[i] < 0)
            goto failed;
        made.count = i + 1;
    }
    *listeners = made;
    return SETPAY_OK;
failed:;
    int why = errno;
    setpay_listeners_close(&made);
    return refuse(problem, why == EADDRINUSE && !is_chosen ? SETPAY_E_CONFIG : SETPAY_E_IO,
                  "can't listen on", text, strerror(why));
}

int setpay_listeners_take(struct setpay_listeners *listeners, size_t index)
{
    if (index >= listeners->count)
        return -1;
    int fd = listeners->fds[index];
    listeners->fds[index] = -1;
    return fd;
}

void setpay_listeners_close(struct setpay_listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (listeners->fds[i] >= 0)
            close(listeners->fds[i]);
        listeners->fds[i] = -1;
    }
    listeners->count = 0;
}
