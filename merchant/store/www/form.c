/*
 * Forms.
 */
#include "merchant/store/www/form.h"

#include <stdlib.h>
#include <string.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One name or value, in place; it only becomes shorter. */
static enum setpay_error decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        if (*in == '%') {
            if (digit(in[1]) < 0 || digit(in[2]) < 0)
                return SETPAY_E_INVALID;
            *out = (char)(digit(in[1]) * 16 + digit(in[2]));
            in += 2;
            if (*out++ == '\0')
                return SETPAY_E_INVALID;
        } else {
            *out = *in;
            if (*in == '+')
                *out = ' ';
            out++;
        }
    }
    *out = '\0';
    return setpay_text_is_utf8(setpay_view_string(text)) ? SETPAY_OK : SETPAY_E_INVALID;
}

static const char *find(const struct setpay_form *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++) {
        if (strcmp(form->fields[i].name, name) == 0)
            return form->fields[i].value;
    }
    return NULL;
}

static enum setpay_error add_field(struct setpay_form *form, char *field)
{
    static char none[] = "";
    char *equals = strchr(field, '=');
    char *value = equals == NULL ? none : equals + 1;
    if (equals != NULL)
        *equals = '\0';
    if (form->count == SETPAY_FORM_FIELDS_MAX)
        return SETPAY_E_TOO_BIG;
    SETPAY_TRY(decode(field));
    SETPAY_TRY(decode(value));
    if (field[0] == '\0' || find(form, field) != NULL)
        return SETPAY_E_INVALID;
    form->fields[form->count].name = field;
    form->fields[form->count].value = value;
    form->count++;
    return SETPAY_OK;
}

enum setpay_error setpay_form_parse(struct setpay_view body, struct setpay_form *form)
{
    enum setpay_error error = SETPAY_OK;
    if (body.size > SETPAY_FORM_BYTES_MAX)
        return SETPAY_E_TOO_BIG;
    if (body.size > 0 && memchr(body.data, '\0', body.size) != NULL)
        return SETPAY_E_INVALID;
    form->text = calloc(1, body.size + 1);
    if (form->text == NULL)
        return SETPAY_E_NOMEM;
    if (body.size > 0)
        memcpy(form->text, body.data, body.size);
    for (char *rest = form->text; error == SETPAY_OK && rest != NULL && *rest != '\0';) {
        char *field = strsep(&rest, "&");
        error = add_field(form, field);
    }
    if (error != SETPAY_OK)
        setpay_form_clear(form);
    return error;
}

void setpay_form_clear(struct setpay_form *form)
{
    free(form->text);
    memset(form, 0, sizeof *form);
}

const char *setpay_form_get(const struct setpay_form *form, const char *name)
{
    const char *value = find(form, name);
    return value != NULL ? value : "";
}

enum setpay_error setpay_form_copy(const struct setpay_form *form, const char *name, char *text,
                                   size_t size)
{
    const char *value = setpay_form_get(form, name);
    value += strspn(value, " \t\r\n");
    size_t length = strlen(value);
    while (length > 0 && strchr(" \t\r\n", value[length - 1]) != NULL)
        length--;
    size_t used = length < size ? length : size - 1;
    while (used < length && used > 0 && ((unsigned char)value[used] & 0xc0) == 0x80)
        used--;
    memcpy(text, value, used);
    text[used] = '\0';
    return used < length ? SETPAY_E_TOO_BIG : SETPAY_OK;
}
