/*
 * The log: one event, one line, one write(2).
 *
 * Always true: a value never ends a line or a field, since whatever could is escaped; a text is
 * masked before it is cut or written; a line that grows too long loses whole fields and says
 * truncated=1; JSON lines are well-formed whatever the values are. No function here can fail in a
 * way that its caller would have to treat: a log that can't be written must not stop a payment.
 *
 * The descriptor stays the same for the life of the process: reopening replaces what is behind it
 * (dup3), so that writers on other threads need no lock.
 */
#include "common/base/log.h"

#include "common/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES ((size_t)8192)
/* Room at the end of a line for "truncated", the closing brace and the newline. */
#define LINE_TAIL_BYTES ((size_t)32)
#define TEXT_BYTES ((size_t)2048)
#define FILE_MODE 0640

/* Card numbers: ISO/IEC 7812 has up to 19 digits; below 12 there is nothing to find. */
#define PAN_DIGITS_MIN ((size_t)12)
#define PAN_DIGITS_MAX ((size_t)19)
/* Blanks or hyphens in a row that still count as grouping. */
#define PAN_GAP_MAX ((size_t)3)

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static char *log_path; /* under open_lock */
static _Atomic int log_fd = STDERR_FILENO;
static _Atomic int log_level = SETPAY_LOG_INFO;
static _Atomic int log_format = SETPAY_LOG_LOGFMT;

struct line {
    char text[LINE_BYTES];
    size_t size;
    enum setpay_log_format format;
    bool full; /* the field being written did not fit */
};

struct setpay_field setpay_field_text(const char *name, const char *text)
{
    return (struct setpay_field){name, SETPAY_FIELD_TEXT, {.text = text}};
}

struct setpay_field setpay_field_int(const char *name, int64_t value)
{
    return (struct setpay_field){name, SETPAY_FIELD_INT, {.integer = value}};
}

struct setpay_field setpay_field_id(const char *name, const struct setpay_id *id)
{
    return (struct setpay_field){name, SETPAY_FIELD_ID, {.id = *id}};
}

struct setpay_field setpay_field_digest(const char *name, const struct setpay_digest *digest)
{
    return (struct setpay_field){name, SETPAY_FIELD_DIGEST, {.digest = *digest}};
}

struct setpay_field setpay_field_money(const char *name, const struct setpay_money *money)
{
    return (struct setpay_field){name, SETPAY_FIELD_MONEY, {.money = *money}};
}

struct setpay_field setpay_field_error(enum setpay_error error)
{
    return (struct setpay_field){"error", SETPAY_FIELD_ERROR, {.error = error}};
}

/* ------------------------------------------------------------------ opening */

static enum setpay_error open_file(const char *path, int *fd)
{
    *fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, FILE_MODE);
    return *fd >= 0 ? SETPAY_OK : SETPAY_E_IO;
}

/* Puts the file behind the descriptor that writers use. Takes fd. */
static enum setpay_error take_file(int fd)
{
    int current = atomic_load(&log_fd);
    int replaced;

    if (current == STDERR_FILENO) {
        atomic_store(&log_fd, fd);
        return SETPAY_OK;
    }
    replaced = dup3(fd, current, O_CLOEXEC);
    (void)close(fd);
    return replaced == current ? SETPAY_OK : SETPAY_E_IO;
}

enum setpay_error setpay_log_open(const char *path, enum setpay_log_level level,
                                  enum setpay_log_format format)
{
    enum setpay_error error = SETPAY_OK;
    char *copy = NULL;
    int fd = -1;

    (void)pthread_mutex_lock(&open_lock);
    if (path != NULL) {
        copy = strdup(path);
        if (copy == NULL) {
            error = SETPAY_E_NOMEM;
            goto out;
        }
        error = open_file(path, &fd);
        if (error != SETPAY_OK)
            goto out;
        error = take_file(fd);
        if (error != SETPAY_OK)
            goto out;
    } else {
        /* A file that was open before stays open: a writer may be using its descriptor. */
        atomic_store(&log_fd, STDERR_FILENO);
    }
    free(log_path);
    log_path = copy;
    copy = NULL;
    atomic_store(&log_level, (int)level);
    atomic_store(&log_format, (int)format);
out:
    free(copy);
    (void)pthread_mutex_unlock(&open_lock);
    return error;
}

enum setpay_error setpay_log_reopen(void)
{
    enum setpay_error error = SETPAY_OK;
    int fd = -1;

    (void)pthread_mutex_lock(&open_lock);
    if (log_path != NULL) {
        error = open_file(log_path, &fd);
        if (error == SETPAY_OK)
            error = take_file(fd);
    }
    (void)pthread_mutex_unlock(&open_lock);
    return error;
}

void setpay_log_set_level(enum setpay_log_level level)
{
    atomic_store(&log_level, (int)level);
}

/* ------------------------------------------------------------------ masking */

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static bool is_gap(char character)
{
    return character == ' ' || character == '\t' || character == '-';
}

/* The digit after the one at, across a gap that grouping could explain; NULL where the run ends. */
static char *next_digit(char *at)
{
    for (size_t gap = 0; gap <= PAN_GAP_MAX; gap++) {
        at++;
        if (is_digit(*at))
            return at;
        if (!is_gap(*at))
            return NULL;
    }
    return NULL;
}

/* The number of digits of the longest card number that starts at a digit, or 0. Luhn doubles every
 * second digit from the right; which ones, depends on where the number ends, so both sums are kept.
 */
static size_t card_number_at(char *start)
{
    unsigned even_doubled = 0; /* digits 0, 2, 4, … from the left doubled */
    unsigned odd_doubled = 0;
    size_t found = 0;
    size_t count = 0;

    for (char *at = start; at != NULL && count < PAN_DIGITS_MAX; at = next_digit(at)) {
        unsigned digit = (unsigned)(*at - '0');
        unsigned doubled = digit > 4 ? digit * 2 - 9 : digit * 2;

        even_doubled += count % 2 == 0 ? doubled : digit;
        odd_doubled += count % 2 == 1 ? doubled : digit;
        count++;
        if (count >= PAN_DIGITS_MIN && (count % 2 == 0 ? even_doubled : odd_doubled) % 10 == 0)
            found = count;
    }
    return found;
}

/*
 * Every start within a run of digits is tried, since a card number may stand behind another number
 * ("order 12 4111 1111 …"). That masks more than card numbers, which costs nothing: what a reader
 * needs comes in typed fields.
 */
void setpay_log_mask(char *text)
{
    size_t length = strlen(text);
    /* Digits are looked at as they were, so that the stars of one number don't hide another. */
    char *starred = NULL;

    if (length < PAN_DIGITS_MIN)
        return;
    starred = strdup(text);
    if (starred == NULL) {
        /* Without memory to tell them apart, no digit is shown. */
        for (size_t i = 0; i < length; i++) {
            if (is_digit(text[i]))
                text[i] = '*';
        }
        return;
    }
    for (size_t i = 0; i < length; i++) {
        size_t count = is_digit(text[i]) ? card_number_at(text + i) : 0;

        for (char *at = text + i; count > 0; at = next_digit(at), count--)
            starred[at - text] = '*';
    }
    memcpy(text, starred, length);
    free(starred);
}

/* A copy that fits, masked. Digits that touch the cut are starred: what they belong to is unseen.
 */
static void copy_masked(const char *text, char out[TEXT_BYTES])
{
    size_t length = strnlen(text, TEXT_BYTES);
    size_t kept = length < TEXT_BYTES ? length : TEXT_BYTES - 1;

    memcpy(out, text, kept);
    out[kept] = '\0';
    if (length == TEXT_BYTES) {
        for (size_t i = kept; i > 0 && (is_digit(out[i - 1]) || is_gap(out[i - 1])); i--) {
            if (is_digit(out[i - 1]))
                out[i - 1] = '*';
        }
    }
    setpay_log_mask(out);
}

/* ------------------------------------------------------------------ the line */

static void put(struct line *line, const char *text, size_t size)
{
    if (line->full || size > LINE_BYTES - LINE_TAIL_BYTES - line->size) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void put_string(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Names are ours, but a line must stay one even if one is not. */
static void put_name(struct line *line, const char *name)
{
    for (; *name != '\0'; name++) {
        bool plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
                     is_digit(*name) || *name == '_' || *name == '.';
        put(line, plain ? name : "_", 1);
    }
}

static void put_key(struct line *line, const char *name)
{
    if (line->format == SETPAY_LOG_JSON) {
        put_string(line, line->size == 0 ? "{\"" : ",\"");
        put_name(line, name);
        put_string(line, "\":");
    } else {
        if (line->size > 0)
            put_string(line, " ");
        put_name(line, name);
        put_string(line, "=");
    }
}

/* The bytes of one UTF-8 character; 0 for what is none. */
static size_t character_size(const char *at)
{
    size_t size = 1;

    if ((unsigned char)*at < 0x80)
        return 1;
    while (size < 4 && ((unsigned char)at[size] & 0xc0) == 0x80)
        size++;
    return setpay_text_is_utf8(setpay_view_of(at, size)) ? size : 0;
}

static void put_escaped(struct line *line, const char *text)
{
    char escape[8];

    put_string(line, "\"");
    while (*text != '\0') {
        size_t size = character_size(text);
        unsigned char first = (unsigned char)*text;

        if (size == 0) {
            put_string(line, "\\ufffd");
            size = 1;
        } else if (first == '"' || first == '\\') {
            put_string(line, "\\");
            put(line, text, 1);
        } else if (first < 0x20 || first == 0x7f) {
            (void)snprintf(escape, sizeof(escape), "\\u%04x", first);
            put_string(line, escape);
        } else if (size == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0) {
            /* C1 controls, which terminals obey too */
            (void)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)text[1]);
            put_string(line, escape);
        } else {
            put(line, text, size);
        }
        text += size;
    }
    put_string(line, "\"");
}

static bool is_bare(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~' || *text == '"' || *text == '=' || *text == '\\')
            return false;
    }
    return true;
}

static void put_value(struct line *line, const char *text)
{
    if (line->format == SETPAY_LOG_LOGFMT && is_bare(text))
        put_string(line, text);
    else
        put_escaped(line, text);
}

static void put_pair(struct line *line, const char *name, const char *value)
{
    put_key(line, name);
    put_value(line, value);
}

static void put_field(struct line *line, const struct setpay_field *field)
{
    char text[TEXT_BYTES] = {0};

    switch (field->type) {
    case SETPAY_FIELD_END:
        return;
    case SETPAY_FIELD_TEXT:
        copy_masked(field->value.text != NULL ? field->value.text : "", text);
        put_pair(line, field->name, text);
        return;
    case SETPAY_FIELD_INT:
        (void)snprintf(text, sizeof(text), "%" PRId64, field->value.integer);
        put_key(line, field->name);
        put_string(line, text);
        return;
    case SETPAY_FIELD_ID:
        put_pair(line, field->name, setpay_id_format(&field->value.id, text));
        return;
    case SETPAY_FIELD_DIGEST:
        put_pair(line, field->name, setpay_digest_format(&field->value.digest, text));
        return;
    case SETPAY_FIELD_MONEY:
        put_pair(line, field->name, setpay_money_format(&field->value.money, text));
        return;
    case SETPAY_FIELD_ERROR:
        put_pair(line, field->name, setpay_error_name(field->value.error));
        if (setpay_error_rule(field->value.error)[0] != '\0')
            put_pair(line, "rule", setpay_error_rule(field->value.error));
        return;
    }
}

static void write_line(const struct line *line)
{
    ssize_t written;

    do {
        written = write(atomic_load(&log_fd), line->text, line->size);
    } while (written < 0 && errno == EINTR);
}

void setpay_log_write(enum setpay_log_level level, const char *event,
                      const struct setpay_field *fields)
{
    static const char *const level_names[] = {"debug", "info", "warn", "error"};
    const char *tail;
    char time_text[SETPAY_TIME_TEXT_SIZE];
    struct line line;
    bool truncated = false;
    int errno_kept = errno;

    if ((int)level < atomic_load(&log_level))
        return;
    line.size = 0;
    line.full = false;
    line.format = (enum setpay_log_format)atomic_load(&log_format);
    put_pair(&line, "ts", setpay_time_format(setpay_clock_now_ms(), time_text));
    put_pair(&line, "level", level_names[level & 3]);
    put_pair(&line, "event", event);
    for (; fields->type != SETPAY_FIELD_END; fields++) {
        size_t before = line.size;

        put_field(&line, fields);
        if (line.full) {
            line.size = before;
            line.full = false;
            truncated = true;
        }
    }
    if (line.format == SETPAY_LOG_JSON)
        tail = truncated ? ",\"truncated\":1}\n" : "}\n";
    else
        tail = truncated ? " truncated=1\n" : "\n";
    memcpy(line.text + line.size, tail, strlen(tail)); /* LINE_TAIL_BYTES are left for it */
    line.size += strlen(tail);
    write_line(&line);
    errno = errno_kept;
}
