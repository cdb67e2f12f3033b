/*
 * Where in an HTML text one is, byte by byte, and how a value is written there. For templates,
 * which are our own: what is unusual is refused, not guessed.
 */
#ifndef SETPAY_MERCHANT_WWW_HTML_H
#define SETPAY_MERCHANT_WWW_HTML_H

#include "common/base/bytes.h"
#include "common/base/error.h"

#include <stdbool.h>

/* What a value is escaped for. */
enum setpay_html_place {
    SETPAY_HTML_TEXT,
    SETPAY_HTML_ATTRIBUTE,
    SETPAY_HTML_URL,      /* all of an attribute that names a URL */
    SETPAY_HTML_URL_PART, /* behind a literal start */
    SETPAY_HTML_NOWHERE,  /* no value may stand here */
};

enum setpay_html_state {
    SETPAY_HTML_IN_TEXT,
    SETPAY_HTML_IN_TAG,  /* between attributes */
    SETPAY_HTML_IN_NAME, /* of a tag */
    SETPAY_HTML_IN_ATTRIBUTE_NAME,
    SETPAY_HTML_BEHIND_EQUALS,
    SETPAY_HTML_IN_VALUE, /* of an attribute, in double quotes */
    SETPAY_HTML_IN_COMMENT,
    SETPAY_HTML_IN_RAW, /* script or style, until its end tag */
};

struct setpay_html_cursor {
    enum setpay_html_state state;
    char tag[16];       /* the element's name, in lower case */
    char attribute[24]; /* in IN_VALUE and before it */
    size_t tag_size;
    size_t attribute_size;
    bool value_begun;
    char last[4]; /* the last bytes, for ends of comments */
};

/* Over literal text. SETPAY_E_INVALID for what is not taken: single quotes, values without quotes,
 * '<' where none belongs; *wrong says so. */
enum setpay_error setpay_html_walk(struct setpay_html_cursor *cursor, struct setpay_view text,
                                   const char **wrong) SETPAY_MUST_CHECK;
/* Where a value would stand now. */
enum setpay_html_place setpay_html_place(const struct setpay_html_cursor *cursor);
/* One has been put there. */
void setpay_html_pass_value(struct setpay_html_cursor *cursor);
/* Whether both are at the same kind of place, so that either branch of a block may be taken. */
bool setpay_html_same(const struct setpay_html_cursor *a, const struct setpay_html_cursor *b);

/* Appends text, UTF-8, as it must stand at such a place. SETPAY_E_INVALID for NOWHERE. */
enum setpay_error setpay_html_escape(enum setpay_html_place place, struct setpay_view text,
                                     struct setpay_buffer *out) SETPAY_MUST_CHECK;

#endif
