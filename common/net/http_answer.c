/*
 * An HTTP/1.1 answer, parsed anew from its first byte whenever more has come: answers are small,
 * and only sizes are walked until all is there. Lines end in CR LF; nothing is guessed.
 */
#include "common/net/http_answer.h"

#include "common/base/limits.h"

#include <string.h>
#include <strings.h>
#include <time.h>

/* What the header says. */
struct header {
    int status;
    struct setpay_view content_type;
    size_t length;
    bool has_length;
    bool is_chunked;
    bool keep_alive;
    setpay_time_ms date_ms;
    size_t size; /* of the header, with its empty line */
};

/* The line at offset without its CR LF; *next is the offset behind it. False where there is no
 * whole one. */
static bool next_line(struct setpay_view bytes, size_t offset, struct setpay_view *line,
                      size_t *next)
{
    const uint8_t *end;

    if (offset >= bytes.size)
        return false;
    end = memmem(bytes.data + offset, bytes.size - offset, "\r\n", 2);
    if (end == NULL)
        return false;
    *line = setpay_view_of(bytes.data + offset, (size_t)(end - bytes.data) - offset);
    *next = (size_t)(end - bytes.data) + 2;
    return true;
}

static bool is_text(struct setpay_view view, const char *text)
{
    return view.size == strlen(text) && strncasecmp((const char *)view.data, text, view.size) == 0;
}

static struct setpay_view trim(struct setpay_view view)
{
    while (view.size > 0 && (view.data[0] == ' ' || view.data[0] == '\t'))
        view = setpay_view_of(view.data + 1, view.size - 1);
    while (view.size > 0 && (view.data[view.size - 1] == ' ' || view.data[view.size - 1] == '\t'))
        view.size--;
    return view;
}

/* Digits only, in base 10 or 16, at most what fits 8 of them. */
static bool parse_size(struct setpay_view text, unsigned base, size_t *size)
{
    size_t value = 0;

    if (text.size == 0 || text.size > 8)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;

        if (digit >= base)
            return false;
        value = value * base + digit;
    }
    *size = value;
    return true;
}

/* "HTTP/1.1 200 OK" */
static enum setpay_error parse_status_line(struct setpay_view line, struct header *header)
{
    size_t status;

    if (line.size < 12 || memcmp(line.data, "HTTP/1.", 7) != 0 ||
        (line.data[7] != '0' && line.data[7] != '1') || line.data[8] != ' ' ||
        (line.size > 12 && line.data[12] != ' ') ||
        !parse_size(setpay_view_of(line.data + 9, 3), 10, &status) || status < 100)
        return SETPAY_E_MALFORMED;
    header->status = (int)status;
    header->keep_alive = line.data[7] == '1';
    return SETPAY_OK;
}

/* IMF-fixdate (RFC 9110 section 5.6.7), the only form that is written today; 0 for any other: it is
 * for people who compare clocks, and no reason to refuse an answer. */
static setpay_time_ms parse_date(struct setpay_view text)
{
    char copy[32];
    struct tm utc = {0};
    const char *end;

    if (text.size >= sizeof(copy))
        return 0;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    end = strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    return end != NULL && *end == '\0' ? (setpay_time_ms)timegm(&utc) * SETPAY_SECOND_MS : 0;
}

static enum setpay_error parse_field(struct setpay_view line, struct header *header)
{
    const uint8_t *colon = memchr(line.data, ':', line.size);
    struct setpay_view name, value;

    /* A line that starts with a blank would go on with the one before. */
    if (colon == NULL || colon == line.data || line.data[0] == ' ' || line.data[0] == '\t')
        return SETPAY_E_MALFORMED;
    name = setpay_view_of(line.data, (size_t)(colon - line.data));
    value = trim(setpay_view_of(colon + 1, line.size - name.size - 1));
    if (is_text(name, "content-length")) {
        if (header->has_length || !parse_size(value, 10, &header->length))
            return SETPAY_E_MALFORMED;
        header->has_length = true;
    } else if (is_text(name, "transfer-encoding")) {
        if (header->is_chunked || !is_text(value, "chunked"))
            return SETPAY_E_MALFORMED;
        header->is_chunked = true;
    } else if (is_text(name, "content-encoding")) {
        if (!is_text(value, "identity")) /* none was asked for, and none is undone */
            return SETPAY_E_MALFORMED;
    } else if (is_text(name, "connection")) {
        if (is_text(value, "close"))
            header->keep_alive = false;
    } else if (is_text(name, "content-type")) {
        header->content_type = value;
    } else if (is_text(name, "date")) {
        header->date_ms = parse_date(value);
    }
    return SETPAY_OK;
}

static enum setpay_error parse_header(struct setpay_view bytes, size_t offset, bool *complete,
                                      struct header *header)
{
    struct setpay_view line;
    size_t at = offset;

    *complete = false;
    *header = (struct header){0};
    if (!next_line(bytes, at, &line, &at))
        goto more;
    SETPAY_TRY(parse_status_line(line, header));
    for (;;) {
        if (!next_line(bytes, at, &line, &at))
            goto more;
        if (line.size == 0)
            break;
        SETPAY_TRY(parse_field(line, header));
    }
    header->size = at - offset;
    if (header->size > SETPAY_LIMIT_HTTP_HEADER_BYTES)
        return SETPAY_E_TOO_BIG;
    *complete = true;
    return SETPAY_OK;
more:
    return bytes.size - offset > SETPAY_LIMIT_HTTP_HEADER_BYTES ? SETPAY_E_TOO_BIG : SETPAY_OK;
}

/* Walks the chunks; with body, appends their content. What frames them is not much longer than what
 * they hold, and the trailer no longer than a header: all of it is looked at again with every piece
 * that comes. */
static enum setpay_error walk_chunks(struct setpay_view bytes, size_t at, size_t max_body,
                                     bool *complete, struct setpay_buffer *body)
{
    struct setpay_view line;
    const size_t start = at;
    size_t total = 0;

    *complete = false;
    for (;;) {
        const uint8_t *extension;
        size_t size;

        if (!next_line(bytes, at, &line, &at))
            return bytes.size - at > SETPAY_LIMIT_HTTP_HEADER_BYTES ? SETPAY_E_MALFORMED
                                                                    : SETPAY_OK;
        extension = line.size == 0 ? NULL : memchr(line.data, ';', line.size);
        if (extension != NULL)
            line.size = (size_t)(extension - line.data);
        if (!parse_size(trim(line), 16, &size))
            return SETPAY_E_MALFORMED;
        if (size == 0)
            break;
        if (at - start > 2 * total + SETPAY_LIMIT_HTTP_HEADER_BYTES)
            return SETPAY_E_TOO_BIG;
        total += size;
        if (total > max_body)
            return SETPAY_E_TOO_BIG;
        if (bytes.size - at < size + 2)
            return SETPAY_OK;
        if (memcmp(bytes.data + at + size, "\r\n", 2) != 0)
            return SETPAY_E_MALFORMED;
        if (body != NULL)
            SETPAY_TRY(setpay_buffer_append(body, setpay_view_of(bytes.data + at, size)));
        at += size + 2;
    }
    const size_t trailer = at;
    do { /* trailers say nothing to us */
        if (at - trailer > SETPAY_LIMIT_HTTP_HEADER_BYTES)
            return SETPAY_E_TOO_BIG;
        if (!next_line(bytes, at, &line, &at))
            return bytes.size - at > SETPAY_LIMIT_HTTP_HEADER_BYTES ? SETPAY_E_MALFORMED
                                                                    : SETPAY_OK;
    } while (line.size > 0);
    *complete = true;
    return SETPAY_OK;
}

static enum setpay_error copy_body(struct setpay_view bytes, size_t at, const struct header *header,
                                   size_t max_body, struct setpay_buffer *body)
{
    bool complete;

    if (header->is_chunked)
        return walk_chunks(bytes, at, max_body, &complete, body);
    return setpay_buffer_append(body, setpay_view_of(bytes.data + at, header->length));
}

enum setpay_error setpay_http_answer_parse(struct setpay_view bytes, size_t max_body,
                                           bool *complete, struct setpay_http_message *message)
{
    struct setpay_buffer body;
    struct header header;
    enum setpay_error error;
    size_t at = 0;
    bool whole = false;

    *complete = false;
    do {
        SETPAY_TRY(parse_header(bytes, at, &whole, &header));
        if (!whole)
            return SETPAY_OK;
        at += header.size;
        /* All interim answers together are no longer than one header may be: a server that sends
         * them without an end would have everything looked at again with every piece. */
        if (header.status < 200 && at > SETPAY_LIMIT_HTTP_HEADER_BYTES)
            return SETPAY_E_TOO_BIG;
    } while (header.status < 200);
    if (header.is_chunked && header.has_length)
        return SETPAY_E_MALFORMED;
    if (header.status == 204 || header.status == 304) {
        header.is_chunked = false;
        header.has_length = true;
        header.length = 0;
    }
    if (header.is_chunked) {
        SETPAY_TRY(walk_chunks(bytes, at, max_body, &whole, NULL));
        if (!whole)
            return SETPAY_OK;
    } else if (!header.has_length) {
        return SETPAY_E_MALFORMED;
    } else if (header.length > max_body) {
        return SETPAY_E_TOO_BIG;
    } else if (bytes.size - at < header.length) {
        return SETPAY_OK;
    }
    if (header.content_type.size >= sizeof(message->content_type))
        return SETPAY_E_MALFORMED;

    setpay_buffer_init(&body, max_body);
    error = copy_body(bytes, at, &header, max_body, &body);
    if (error != SETPAY_OK) {
        setpay_buffer_clear(&body);
        return error;
    }
    message->status = header.status;
    message->keep_alive = header.keep_alive;
    message->date_ms = header.date_ms;
    if (header.content_type.size > 0)
        memcpy(message->content_type, header.content_type.data, header.content_type.size);
    message->content_type[header.content_type.size] = '\0';
    message->body = body;
    *complete = true;
    return SETPAY_OK;
}
