/*
 * Bytes cross modules as a borrowed view or as an owned buffer with a hard maximum, never as a bare
 * pointer and length.
 */
#ifndef SETPAY_BASE_BYTES_H
#define SETPAY_BASE_BYTES_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes: valid only as long as their owner says. data may be NULL when size is 0. */
struct setpay_view {
    const uint8_t *data;
    size_t size;
};

/* Owned bytes. Grows up to max and never beyond; zeroed memory with max set is an empty buffer. */
struct setpay_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t max;
};

#define SETPAY_VIEW_EMPTY ((struct setpay_view){NULL, 0})
/* The view of an array (not of a pointer). */
#define SETPAY_VIEW_ARRAY(array) ((struct setpay_view){(const uint8_t *)(array), sizeof(array)})

struct setpay_view setpay_view_of(const void *data, size_t size);
struct setpay_view setpay_view_string(const char *text); /* without the NUL; NULL is empty */
/* Plain comparison: for public bytes only. Secrets: setpay_view_equal_secret. */
bool setpay_view_equal(struct setpay_view a, struct setpay_view b);
/* Constant time in the content; the sizes are taken for public. */
bool setpay_view_equal_secret(struct setpay_view a, struct setpay_view b);

void setpay_buffer_init(struct setpay_buffer *buffer, size_t max);
/* Frees; the buffer is empty and usable again, max stays. Safe on zeroed memory. */
void setpay_buffer_clear(struct setpay_buffer *buffer);
/* Empties without freeing. */
void setpay_buffer_reset(struct setpay_buffer *buffer);
struct setpay_view setpay_buffer_view(const struct setpay_buffer *buffer);
/* Makes room for size more bytes and gives their address, then counts them as used.
 * SETPAY_E_TOO_BIG above max, SETPAY_E_NOMEM. */
enum setpay_error setpay_buffer_extend(struct setpay_buffer *buffer, size_t size,
                                       uint8_t **room) SETPAY_MUST_CHECK;
enum setpay_error setpay_buffer_append(struct setpay_buffer *buffer,
                                       struct setpay_view bytes) SETPAY_MUST_CHECK;
enum setpay_error setpay_buffer_append_u32be(struct setpay_buffer *buffer,
                                             uint32_t value) SETPAY_MUST_CHECK;
enum setpay_error setpay_buffer_append_u64be(struct setpay_buffer *buffer,
                                             uint64_t value) SETPAY_MUST_CHECK;
/* Appends formatted text without its NUL. */
enum setpay_error setpay_buffer_append_format(struct setpay_buffer *buffer, const char *format, ...)
    SETPAY_PRINTF(2, 3) SETPAY_MUST_CHECK;
/* Replaces the content. */
enum setpay_error setpay_buffer_set(struct setpay_buffer *buffer,
                                    struct setpay_view bytes) SETPAY_MUST_CHECK;
/* Moves what from owns into to (which is cleared first, and takes from's max). */
void setpay_buffer_move(struct setpay_buffer *to, struct setpay_buffer *from);

uint32_t setpay_read_u32be(const uint8_t *at);
uint64_t setpay_read_u64be(const uint8_t *at);
void setpay_write_u32be(uint8_t *at, uint32_t value);
void setpay_write_u64be(uint8_t *at, uint64_t value);

/* Lower-case hex with NUL into out, which has room for 2 * size + 1. */
void setpay_hex_encode(struct setpay_view bytes, char *out);
/* Exactly size bytes from 2 * size hex digits (either case) and nothing else; out is untouched on
 * error (SETPAY_E_INVALID). */
enum setpay_error setpay_hex_decode(const char *text, uint8_t *out, size_t size) SETPAY_MUST_CHECK;
/* Base64url without padding (RFC 4648 section 5), NUL-terminated, into out with room for
 * SETPAY_BASE64URL_SIZE(size). */
#define SETPAY_BASE64URL_SIZE(size) (((size)*4 + 2) / 3 + 1)
void setpay_base64url_encode(struct setpay_view bytes, char *out);
/* Exactly size bytes; refuses padding, other characters and non-zero spare bits. */
enum setpay_error setpay_base64url_decode(const char *text, uint8_t *out,
                                          size_t size) SETPAY_MUST_CHECK;

/* True for well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong) without NUL. */
bool setpay_text_is_utf8(struct setpay_view text);

#endif
