/*
 * A walk over HTML as the templates have it, and the escapes.
 */
#include "merchant/store/www/html.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------ walking */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == ':';
}

static char lower(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c;
}

/* Adds to a name; one that is too long for its room is none that matters, and keeps its start. */
static void add(char *name, size_t room, size_t *size, char c)
{
    if (*size + 1 < room) {
        name[(*size)++] = lower(c);
        name[*size] = '\0';
    }
}

static const char *walk_text(struct setpay_html_cursor *cursor, char c)
{
    if (c == '<') {
        cursor->state = SETPAY_HTML_IN_NAME;
        cursor->tag_size = 0;
        cursor->tag[0] = '\0';
    }
    return NULL;
}

static void end_tag(struct setpay_html_cursor *cursor)
{
    bool raw = strcmp(cursor->tag, "script") == 0 || strcmp(cursor->tag, "style") == 0;
    cursor->state = raw ? SETPAY_HTML_IN_RAW : SETPAY_HTML_IN_TEXT;
}

/* "<a", "</a", "<!doctype", "<!--" */
static const char *walk_name(struct setpay_html_cursor *cursor, char c)
{
    bool first = cursor->tag_size == 0;
    if (is_name(c) || (first && (c == '/' || c == '!'))) {
        add(cursor->tag, sizeof cursor->tag, &cursor->tag_size, c);
        if (strcmp(cursor->tag, "!--") == 0)
            cursor->state = SETPAY_HTML_IN_COMMENT;
        return NULL;
    }
    if (first)
        return "expected a tag's name behind '<' (a plain one is &lt;)";
    if (c == '>')
        end_tag(cursor);
    else if (is_space(c) || c == '/')
        cursor->state = SETPAY_HTML_IN_TAG;
    else
        return "a tag's name has a character that is none of a name's";
    return NULL;
}

static const char *walk_tag(struct setpay_html_cursor *cursor, char c)
{
    if (c == '>') {
        end_tag(cursor);
    } else if (is_name(c)) {
        cursor->state = SETPAY_HTML_IN_ATTRIBUTE_NAME;
        cursor->attribute_size = 0;
        add(cursor->attribute, sizeof cursor->attribute, &cursor->attribute_size, c);
    } else if (!is_space(c) && c != '/') {
        return "a tag has a character that starts no attribute";
    }
    return NULL;
}

static const char *walk_attribute_name(struct setpay_html_cursor *cursor, char c)
{
    if (is_name(c)) {
        add(cursor->attribute, sizeof cursor->attribute, &cursor->attribute_size, c);
        return NULL;
    }
    if (c == '=') {
        cursor->state = SETPAY_HTML_BEHIND_EQUALS;
        return NULL;
    }
    if (!is_space(c) && c != '>' && c != '/')
        return "an attribute's name has a character that is none of a name's";
    cursor->state = SETPAY_HTML_IN_TAG;
    return walk_tag(cursor, c);
}

static const char *walk_raw(struct setpay_html_cursor *cursor, char c)
{
    /* Scripts and styles are files of their own (the pages' policy forbids others), so what stands
     * between the tags is nothing but the end tag. */
    if (c == '<') {
        cursor->state = SETPAY_HTML_IN_NAME;
        cursor->tag_size = 0;
        cursor->tag[0] = '\0';
        return NULL;
    }
    return is_space(c) ? NULL : "a script or style must be a file of its own";
}

static const char *walk_one(struct setpay_html_cursor *cursor, char c)
{
    switch (cursor->state) {
    case SETPAY_HTML_IN_TEXT:
        return walk_text(cursor, c);
    case SETPAY_HTML_IN_NAME:
        return walk_name(cursor, c);
    case SETPAY_HTML_IN_TAG:
        return walk_tag(cursor, c);
    case SETPAY_HTML_IN_ATTRIBUTE_NAME:
        return walk_attribute_name(cursor, c);
    case SETPAY_HTML_BEHIND_EQUALS:
        if (c != '"')
            return "an attribute's value must be in double quotes";
        cursor->state = SETPAY_HTML_IN_VALUE;
        cursor->value_begun = false;
        return NULL;
    case SETPAY_HTML_IN_VALUE:
        if (c == '"')
            cursor->state = SETPAY_HTML_IN_TAG;
        cursor->value_begun = true;
        return c == '<' ? "'<' in an attribute is written &lt;" : NULL;
    case SETPAY_HTML_IN_COMMENT:
        if (c == '>' && memcmp(cursor->last + 2, "--", 2) == 0)
            cursor->state = SETPAY_HTML_IN_TEXT;
        return NULL;
    case SETPAY_HTML_IN_RAW:
        return walk_raw(cursor, c);
    }
    return "a state that is none";
}

enum setpay_error setpay_html_walk(struct setpay_html_cursor *cursor, struct setpay_view text,
                                   const char **wrong)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        *wrong = walk_one(cursor, c);
        if (*wrong != NULL)
            return SETPAY_E_INVALID;
        memmove(cursor->last, cursor->last + 1, 3);
        cursor->last[3] = c;
    }
    return SETPAY_OK;
}

static bool is_of(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static enum setpay_html_place place_in_value(const struct setpay_html_cursor *cursor)
{
    /* Those that are plain text, wherever they stand. Others are refused: a list of what is
     * dangerous would have to grow with the browsers. */
    static const char *const plain[] = {"class", "id",    "alt",      "title",     "value",
                                        "name",  "for",   "content",  "width",     "height",
                                        "lang",  "label", "colspan",  "rowspan",   "placeholder",
                                        "min",   "max",   "datetime", "maxlength", NULL};
    static const char *const urls[] = {"href", "src", "action", NULL};
    const char *name = cursor->attribute;
    if (is_of(name, urls))
        return cursor->value_begun ? SETPAY_HTML_URL_PART : SETPAY_HTML_URL;
    if (is_of(name, plain) || strncmp(name, "data-", 5) == 0 || strncmp(name, "aria-", 5) == 0)
        return SETPAY_HTML_ATTRIBUTE;
    return SETPAY_HTML_NOWHERE;
}

enum setpay_html_place setpay_html_place(const struct setpay_html_cursor *cursor)
{
    if (cursor->state == SETPAY_HTML_IN_TEXT)
        return SETPAY_HTML_TEXT;
    /* A script's address, or a <base>, is not a value's to say. */
    if (cursor->state != SETPAY_HTML_IN_VALUE || strcmp(cursor->tag, "script") == 0 ||
        strcmp(cursor->tag, "base") == 0 || strcmp(cursor->tag, "meta") == 0)
        return SETPAY_HTML_NOWHERE;
    return place_in_value(cursor);
}

void setpay_html_pass_value(struct setpay_html_cursor *cursor)
{
    cursor->value_begun = true;
}

bool setpay_html_same(const struct setpay_html_cursor *a, const struct setpay_html_cursor *b)
{
    if (a->state != b->state)
        return false;
    return a->state == SETPAY_HTML_IN_TEXT ||
           (strcmp(a->tag, b->tag) == 0 &&
            (a->state != SETPAY_HTML_IN_VALUE ||
             (strcmp(a->attribute, b->attribute) == 0 && a->value_begun == b->value_begun)));
}

/* ------------------------------------------------------------------ escaping */

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

static enum setpay_error escape_html(struct setpay_view text, struct setpay_buffer *out)
{
    size_t from = 0;
    for (size_t i = 0; i < text.size; i++) {
        const char *written = entity((char)text.data[i]);
        if (written == NULL)
            continue;
        SETPAY_TRY(setpay_buffer_append(out, setpay_view_of(text.data + from, i - from)));
        SETPAY_TRY(setpay_buffer_append(out, setpay_view_string(written)));
        from = i + 1;
    }
    return setpay_buffer_append(out, setpay_view_of(text.data + from, text.size - from));
}

static enum setpay_error escape_url_part(struct setpay_view text, struct setpay_buffer *out)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            SETPAY_TRY(setpay_buffer_append(out, setpay_view_of(&c, 1)));
        else
            SETPAY_TRY(setpay_buffer_append_format(out, "%%%02X", (unsigned)text.data[i]));
    }
    return SETPAY_OK;
}

static bool starts(struct setpay_view text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && strncasecmp((const char *)text.data, with, size) == 0;
}

/* A path of this site, or a scheme that opens something and runs nothing. A browser drops blanks
 * and control characters inside a scheme, so one that holds any is none of these. */
static bool is_safe_url(struct setpay_view text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= 0x20 || text.data[i] == 0x7f || text.data[i] == '\\')
            return false;
    }
    if (starts(text, "/"))
        return !starts(text, "//"); /* another site's */
    return starts(text, "https://") || starts(text, "http://") || starts(text, "setpay://") ||
           starts(text, "mailto:") || starts(text, "#");
}

enum setpay_error setpay_html_escape(enum setpay_html_place place, struct setpay_view text,
                                     struct setpay_buffer *out)
{
    switch (place) {
    case SETPAY_HTML_TEXT:
    case SETPAY_HTML_ATTRIBUTE:
        return escape_html(text, out);
    case SETPAY_HTML_URL:
        return is_safe_url(text) ? escape_html(text, out)
                                 : setpay_buffer_append(out, setpay_view_string("#"));
    case SETPAY_HTML_URL_PART:
        return escape_url_part(text, out);
    case SETPAY_HTML_NOWHERE:
        break;
    }
    return SETPAY_E_INVALID;
}
