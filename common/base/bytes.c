/*
 * Views, bounded buffers, big-endian integers, hex, base64url and UTF-8.
 *
 * Always true: a buffer's size <= capacity <= max; a decoder looks at its whole text before it
 * writes the first byte, so that an output is complete or untouched; no decoder takes a second
 * spelling of a value (padding, spare bits), since digests are made over what was received.
 */
#include "common/base/bytes.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY ((size_t)64)

struct setpay_view setpay_view_of(const void *data, size_t size)
{
    return (struct setpay_view){data, size};
}

struct setpay_view setpay_view_string(const char *text)
{
    return (struct setpay_view){(const uint8_t *)text, text != NULL ? strlen(text) : 0};
}

bool setpay_view_equal(struct setpay_view a, struct setpay_view b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool setpay_view_equal_secret(struct setpay_view a, struct setpay_view b)
{
    return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}

void setpay_buffer_init(struct setpay_buffer *buffer, size_t max)
{
    *buffer = (struct setpay_buffer){.max = max};
}

void setpay_buffer_clear(struct setpay_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct setpay_buffer){.max = buffer->max};
}

void setpay_buffer_reset(struct setpay_buffer *buffer)
{
    buffer->size = 0;
}

struct setpay_view setpay_buffer_view(const struct setpay_buffer *buffer)
{
    return (struct setpay_view){buffer->data, buffer->size};
}

/* Capacity for size more bytes; nothing changes on error. */
static enum setpay_error reserve(struct setpay_buffer *buffer, size_t size)
{
    size_t needed;
    size_t capacity;
    uint8_t *data;

    if (size > buffer->max || buffer->size > buffer->max - size)
        return SETPAY_E_TOO_BIG;
    needed = buffer->size + size;
    if (needed == 0 || (buffer->data != NULL && needed <= buffer->capacity))
        return SETPAY_OK;
    capacity = buffer->capacity <= buffer->max / 2 ? buffer->capacity * 2 : buffer->max;
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    if (capacity > buffer->max)
        capacity = buffer->max;
    if (capacity < needed)
        capacity = needed;
    data = realloc(buffer->data, capacity);
    if (data == NULL)
        return SETPAY_E_NOMEM;
    buffer->data = data;
    buffer->capacity = capacity;
    return SETPAY_OK;
}

enum setpay_error setpay_buffer_extend(struct setpay_buffer *buffer, size_t size, uint8_t **room)
{
    SETPAY_TRY(reserve(buffer, size));
    *room = buffer->data != NULL ? buffer->data + buffer->size : NULL;
    buffer->size += size;
    return SETPAY_OK;
}

/* True when bytes lie inside the buffer's own memory, which a growth would move. */
static bool is_inside(const struct setpay_buffer *buffer, struct setpay_view bytes)
{
    uintptr_t start = (uintptr_t)buffer->data;
    uintptr_t at = (uintptr_t)bytes.data;

    return buffer->data != NULL && at >= start && at - start < buffer->capacity;
}

enum setpay_error setpay_buffer_append(struct setpay_buffer *buffer, struct setpay_view bytes)
{
    bool inside = is_inside(buffer, bytes);
    size_t offset = inside ? (size_t)(bytes.data - buffer->data) : 0;

    if (bytes.size == 0)
        return SETPAY_OK;
    SETPAY_TRY(reserve(buffer, bytes.size));
    memmove(buffer->data + buffer->size, inside ? buffer->data + offset : bytes.data, bytes.size);
    buffer->size += bytes.size;
    return SETPAY_OK;
}

enum setpay_error setpay_buffer_append_u32be(struct setpay_buffer *buffer, uint32_t value)
{
    uint8_t *room;

    SETPAY_TRY(setpay_buffer_extend(buffer, sizeof(value), &room));
    setpay_write_u32be(room, value);
    return SETPAY_OK;
}

enum setpay_error setpay_buffer_append_u64be(struct setpay_buffer *buffer, uint64_t value)
{
    uint8_t *room;

    SETPAY_TRY(setpay_buffer_extend(buffer, sizeof(value), &room));
    setpay_write_u64be(room, value);
    return SETPAY_OK;
}

enum setpay_error setpay_buffer_append_format(struct setpay_buffer *buffer, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    int size;
    enum setpay_error error;

    va_start(args, format);
    size = vasprintf(&text, format, args);
    va_end(args);
    if (size < 0)
        return SETPAY_E_NOMEM;
    error = setpay_buffer_append(buffer, setpay_view_of(text, (size_t)size));
    free(text);
    return error;
}

enum setpay_error setpay_buffer_set(struct setpay_buffer *buffer, struct setpay_view bytes)
{
    if (bytes.size > buffer->max)
        return SETPAY_E_TOO_BIG;
    if (bytes.size > buffer->capacity) {
        /* More than the whole memory of the buffer, so not a part of it. */
        SETPAY_TRY(reserve(buffer, bytes.size - buffer->size));
    }
    if (bytes.size > 0)
        memmove(buffer->data, bytes.data, bytes.size);
    buffer->size = bytes.size;
    return SETPAY_OK;
}

void setpay_buffer_move(struct setpay_buffer *to, struct setpay_buffer *from)
{
    if (to == from)
        return;
    free(to->data);
    *to = *from;
    *from = (struct setpay_buffer){.max = from->max};
}

uint32_t setpay_read_u32be(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint64_t setpay_read_u64be(const uint8_t *at)
{
    return (uint64_t)setpay_read_u32be(at) << 32 | setpay_read_u32be(at + 4);
}

void setpay_write_u32be(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

void setpay_write_u64be(uint8_t *at, uint64_t value)
{
    setpay_write_u32be(at, (uint32_t)(value >> 32));
    setpay_write_u32be(at + 4, (uint32_t)value);
}

void setpay_hex_encode(struct setpay_view bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.size; i++) {
        *out++ = digits[bytes.data[i] >> 4];
        *out++ = digits[bytes.data[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

enum setpay_error setpay_hex_decode(const char *text, uint8_t *out, size_t size)
{
    if (text == NULL || strnlen(text, size * 2 + 1) != size * 2)
        return SETPAY_E_INVALID;
    for (size_t i = 0; i < size * 2; i++) {
        if (hex_value(text[i]) < 0)
            return SETPAY_E_INVALID;
    }
    for (size_t i = 0; i < size; i++)
        out[i] =
            (uint8_t)((unsigned)hex_value(text[2 * i]) << 4 | (unsigned)hex_value(text[2 * i + 1]));
    return SETPAY_OK;
}

void setpay_base64url_encode(struct setpay_view bytes, char *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < bytes.size; i++) {
        bits = bits << 8 | bytes.data[i];
        for (held += 8; held >= 6; held -= 6)
            *out++ = alphabet[bits >> (held - 6) & 63];
    }
    if (held > 0)
        *out++ = alphabet[bits << (6 - held) & 63];
    *out = '\0';
}

static int base64url_value(char character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    if (character == '-')
        return 62;
    return character == '_' ? 63 : -1;
}

enum setpay_error setpay_base64url_decode(const char *text, uint8_t *out, size_t size)
{
    size_t length = SETPAY_BASE64URL_SIZE(size) - 1;
    uint32_t bits = 0;
    unsigned held = 0;
    size_t written = 0;

    if (text == NULL || strnlen(text, length + 1) != length)
        return SETPAY_E_INVALID;
    for (size_t i = 0; i < length; i++) {
        if (base64url_value(text[i]) < 0)
            return SETPAY_E_INVALID;
    }
    /* One or two bytes in the last group leave four or two bits that mean nothing. */
    if (size % 3 == 1 && (base64url_value(text[length - 1]) & 15) != 0)
        return SETPAY_E_INVALID;
    if (size % 3 == 2 && (base64url_value(text[length - 1]) & 3) != 0)
        return SETPAY_E_INVALID;
    for (size_t i = 0; i < length; i++) {
        bits = bits << 6 | (uint32_t)base64url_value(text[i]);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[written++] = (uint8_t)(bits >> held);
        }
    }
    return SETPAY_OK;
}

/* The length of the well-formed character at the start of at, or 0. */
static size_t utf8_character(const uint8_t *at, size_t size)
{
    /* The second byte's range excludes what is overlong, a surrogate or above U+10FFFF. */
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    size_t length;

    if (at[0] < 0x80)
        return at[0] != 0;
    if (at[0] >= 0xc2 && at[0] <= 0xdf)
        length = 2;
    else if (at[0] >= 0xe0 && at[0] <= 0xef)
        length = 3;
    else if (at[0] >= 0xf0 && at[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (at[0] == 0xe0)
        low = 0xa0;
    else if (at[0] == 0xed)
        high = 0x9f;
    else if (at[0] == 0xf0)
        low = 0x90;
    else if (at[0] == 0xf4)
        high = 0x8f;
    if (size < length || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

bool setpay_text_is_utf8(struct setpay_view text)
{
    size_t at = 0;

    while (at < text.size) {
        size_t length = utf8_character(text.data + at, text.size - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}
