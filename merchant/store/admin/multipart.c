/*
 * Forms with a file, by way of GMime, which reads them as the MIME messages that they are.
 */
#include "merchant/store/admin/multipart.h"

#include <gmime/gmime.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONTENT_TYPE_MAX 200

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* What the parser has objected to. It goes on after everything; we don't. */
static void on_warning(gint64 offset, GMimeParserWarning what, const gchar *item, gpointer arg)
{
    bool *bad = arg;
    (void)offset;
    (void)item;
    switch (what) {
    case GMIME_WARN_UNENCODED_8BIT_HEADER: /* browsers send names of files so */
    case GMIME_WARN_INVALID_RFC2047_HEADER_VALUE:
    case GMIME_WARN_INVALID_PARAMETER:
    case GMIME_WARN_PART_WITHOUT_CONTENT: /* an empty text */
        return;
    default:
        *bad = true;
    }
}

/* Borrowed by GLib's conventions: whoever makes an object unrefs it. NULL: it is none. */
static GMimeObject *read_message(const char *content_type, struct setpay_view body)
{
    bool bad = false;
    GMimeStream *stream = g_mime_stream_mem_new();
    GMimeParserOptions *options = g_mime_parser_options_new();
    (void)g_mime_stream_write_string(stream, "MIME-Version: 1.0\r\nContent-Type: ");
    (void)g_mime_stream_write_string(stream, content_type);
    (void)g_mime_stream_write_string(stream, "\r\n\r\n");
    (void)g_mime_stream_write(stream, (const char *)body.data, body.size);
    (void)g_mime_stream_reset(stream);
    g_mime_parser_options_set_warning_callback(options, on_warning, &bad);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeObject *message = g_mime_parser_construct_part(parser, options);
    g_object_unref(parser);
    g_object_unref(stream);
    g_mime_parser_options_free(options);
    if (message != NULL && bad) {
        g_object_unref(message);
        return NULL;
    }
    return message;
}

/* ------------------------------------------------------------------ its parts */

struct reading {
    struct setpay_form *form;
    size_t used; /* of form->text */
    struct setpay_buffer *file;
    bool has_file;
};

/* The same rules as for other forms: UTF-8 without NUL, each name once. */
static enum setpay_error add_text(struct reading *reading, const char *name,
                                  struct setpay_view value)
{
    struct setpay_form *form = reading->form;
    struct setpay_view name_view = setpay_view_string(name);
    size_t size = name_view.size + value.size + 2;
    if (form->count == SETPAY_FORM_FIELDS_MAX || size > SETPAY_FORM_BYTES_MAX - reading->used)
        return SETPAY_E_TOO_BIG;
    if (!setpay_text_is_utf8(name_view) || !setpay_text_is_utf8(value) ||
        (value.size > 0 && memchr(value.data, '\0', value.size) != NULL))
        return SETPAY_E_INVALID;
    for (size_t i = 0; i < form->count; i++) {
        if (strcmp(form->fields[i].name, name) == 0)
            return SETPAY_E_INVALID;
    }
    char *at = form->text + reading->used;
    memcpy(at, name, name_view.size + 1);
    form->fields[form->count].name = at;
    at += name_view.size + 1;
    if (value.size > 0)
        memcpy(at, value.data, value.size);
    form->fields[form->count].value = at; /* the text was zeroed */
    form->count++;
    reading->used += size;
    return SETPAY_OK;
}

static enum setpay_error add_file(struct reading *reading, struct setpay_view bytes)
{
    if (reading->has_file)
        return SETPAY_E_INVALID;
    reading->has_file = true;
    return setpay_buffer_append(reading->file, bytes);
}

static enum setpay_error add_content(struct reading *reading, GMimeObject *part, const char *name,
                                     bool is_file)
{
    GMimeDataWrapper *content = g_mime_part_get_content(GMIME_PART(part));
    GMimeStream *stream = g_mime_stream_mem_new();
    enum setpay_error error = SETPAY_OK;
    if (content != NULL && g_mime_data_wrapper_write_to_stream(content, stream) < 0)
        error = SETPAY_E_INVALID;
    const GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
    struct setpay_view view = setpay_view_of(bytes->data, bytes->len);
    if (error == SETPAY_OK)
        error = is_file ? add_file(reading, view) : add_text(reading, name, view);
    g_object_unref(stream);
    return error;
}

static enum setpay_error add_part(struct reading *reading, GMimeObject *part)
{
    if (!GMIME_IS_PART(part))
        return SETPAY_E_INVALID;
    GMimeContentDisposition *says = g_mime_object_get_content_disposition(part);
    const char *kind = says != NULL ? g_mime_content_disposition_get_disposition(says) : NULL;
    if (kind == NULL || strcasecmp(kind, "form-data") != 0)
        return SETPAY_E_INVALID;
    const char *name = g_mime_content_disposition_get_parameter(says, "name");
    if (name == NULL || name[0] == '\0')
        return SETPAY_E_INVALID;
    return add_content(reading, part, name,
                       g_mime_content_disposition_get_parameter(says, "filename") != NULL);
}

static enum setpay_error read_parts(struct reading *reading, GMimeObject *message)
{
    int count =
        GMIME_IS_MULTIPART(message) ? g_mime_multipart_get_count(GMIME_MULTIPART(message)) : 0;
    if (count < 1)
        return SETPAY_E_INVALID;
    if (count > SETPAY_MULTIPART_PARTS_MAX)
        return SETPAY_E_TOO_BIG;
    for (int i = 0; i < count; i++)
        SETPAY_TRY(add_part(reading, g_mime_multipart_get_part(GMIME_MULTIPART(message), i)));
    return SETPAY_OK;
}

/* One line of ASCII: as a header came, and none is begun behind it. */
static bool is_line(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~')
            return false;
    }
    return strlen(text) <= CONTENT_TYPE_MAX;
}

enum setpay_error setpay_multipart_parse(const char *content_type, struct setpay_view body,
                                         struct setpay_form *form, struct setpay_buffer *file)
{
    struct reading reading = {.form = form, .file = file};
    if (!is_line(content_type) || strncasecmp(content_type, "multipart/form-data", 19) != 0)
        return SETPAY_E_INVALID;
    (void)pthread_once(&once, g_mime_init);
    form->text = calloc(1, SETPAY_FORM_BYTES_MAX);
    if (form->text == NULL)
        return SETPAY_E_NOMEM;
    GMimeObject *message = read_message(content_type, body);
    enum setpay_error error = message != NULL ? read_parts(&reading, message) : SETPAY_E_INVALID;
    if (message != NULL)
        g_object_unref(message);
    if (error != SETPAY_OK)
        setpay_form_clear(form);
    return error;
}
