/*
 * Writing a request: one header, one body, nothing optional.
 */
#include "common/net/http_send.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_BYTES_MAX 253
#define PATH_BYTES_MAX 2048
#define TYPE_BYTES_MAX 128
#define LINES_BYTES_MAX (HOST_BYTES_MAX + PATH_BYTES_MAX + TYPE_BYTES_MAX + 256)

/* All on the loop's own thread. */
struct setpay_http_bytes {
    unsigned references;
    size_t size;
    size_t capacity;
    uint8_t data[];
};

/* No blanks, control characters or bytes above ASCII: they would end or split a header line. */
static bool is_plain(const char *text, size_t max, bool allow_space)
{
    size_t i;

    for (i = 0; text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];

        if (i == max || c > 0x7e || c < 0x20 || (c == ' ' && !allow_space))
            return false;
    }
    return i > 0;
}

static bool is_sound(const struct setpay_http_ask *ask)
{
    if (!is_plain(ask->host, HOST_BYTES_MAX, false) || strpbrk(ask->host, "/@[]?#") != NULL ||
        ask->port == 0 || !is_plain(ask->path, PATH_BYTES_MAX, false) || ask->path[0] != '/')
        return false;
    if (ask->content_type == NULL ? ask->body.size > 0
                                  : !is_plain(ask->content_type, TYPE_BYTES_MAX, true))
        return false;
    for (size_t i = 0; ask->authorization != NULL && i < ask->authorization->size; i++) {
        if (ask->authorization->data[i] < 0x20 || ask->authorization->data[i] > 0x7e)
            return false;
    }
    return true;
}

static void append(struct setpay_http_bytes *bytes, struct setpay_view more)
{
    if (more.size > 0)
        memcpy(bytes->data + bytes->size, more.data, more.size);
    bytes->size += more.size;
}

enum setpay_error setpay_http_bytes_new(const struct setpay_http_ask *ask,
                                        struct setpay_http_bytes **bytes)
{
    static const char authorization[] = "Authorization: ";
    char lines[LINES_BYTES_MAX];
    struct setpay_http_bytes *made;
    size_t capacity;

    if (!is_sound(ask))
        return SETPAY_E_INVALID;
    bool is_v6 = strchr(ask->host, ':') != NULL;
    int length = snprintf(lines, sizeof(lines), "%s %s HTTP/1.1\r\nHost: %s%s%s:%u\r\n",
                          ask->content_type == NULL ? "GET" : "POST", ask->path, is_v6 ? "[" : "",
                          ask->host, is_v6 ? "]" : "", ask->port);
    if (ask->content_type != NULL && length > 0)
        length += snprintf(lines + length, sizeof(lines) - (size_t)length,
                           "Content-Type: %s\r\nContent-Length: %zu\r\n", ask->content_type,
                           ask->body.size);
    if (length < 0 || (size_t)length >= sizeof(lines))
        return SETPAY_E_INVALID;
    capacity = (size_t)length + ask->body.size + 2;
    if (ask->authorization != NULL)
        capacity += sizeof(authorization) - 1 + ask->authorization->size + 2;
    made = calloc(1, sizeof(*made) + capacity);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->references = 1;
    made->capacity = capacity;
    append(made, setpay_view_of(lines, (size_t)length));
    if (ask->authorization != NULL) {
        append(made, setpay_view_string(authorization));
        append(made, setpay_secret_view(ask->authorization));
        append(made, setpay_view_string("\r\n"));
    }
    append(made, setpay_view_string("\r\n"));
    append(made, ask->body);
    *bytes = made;
    return SETPAY_OK;
}

void setpay_http_bytes_unref(struct setpay_http_bytes *bytes)
{
    if (bytes == NULL || --bytes->references > 0)
        return;
    setpay_cleanse(bytes->data, bytes->capacity);
    free(bytes);
}

static void on_sent(const void *data, size_t size, void *arg)
{
    (void)data;
    (void)size;
    setpay_http_bytes_unref(arg);
}

enum setpay_error setpay_http_bytes_send(struct setpay_http_bytes *bytes, struct evbuffer *output)
{
    bytes->references++;
    if (evbuffer_add_reference(output, bytes->data, bytes->size, on_sent, bytes) == 0)
        return SETPAY_OK;
    bytes->references--;
    return SETPAY_E_NOMEM;
}
