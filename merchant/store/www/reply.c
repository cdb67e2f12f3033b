/*
 * Pages out of templates, and the answers that carry them.
 */
#include "merchant/store/www/www_internal.h"

#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>

#define HTML "text/html; charset=utf-8"
/* Where not even the page of an error can be made. */
#define LAST_RESORT "<!doctype html><title>Error</title><p>The page can't be shown now.</p>"

static enum setpay_error complete(const struct setpay_www *www, const char *title, json_t *values)
{
    if (values == NULL || json_object_set_new(values, "title", json_string(title)) != 0 ||
        json_object_set_new(values, "shop", json_string(www->options.shop)) != 0 ||
        json_object_set_new(values, "css", json_string(setpay_www_static_name("shop.css"))) != 0)
        return SETPAY_E_NOMEM;
    return SETPAY_OK;
}

char *setpay_www_render(const struct setpay_www *www, enum setpay_www_page page, const char *title,
                        json_t *values)
{
    struct setpay_buffer html;
    struct setpay_problem problem = {{0}};
    const struct setpay_page made = {.values = values};
    char *text = NULL;
    setpay_buffer_init(&html, SETPAY_PAGE_BYTES);
    enum setpay_error error = complete(www, title, values);
    if (error == SETPAY_OK)
        error = setpay_template_render(www->templates[page], &made, &html, &problem);
    if (error == SETPAY_OK) {
        text = strndup((const char *)html.data, html.size);
    } else {
        setpay_log_error(error, "www.page", setpay_field_text("page", setpay_www_page_name(page)),
                         setpay_field_text("reason", problem.text));
    }
    setpay_buffer_clear(&html);
    json_decref(values);
    return text;
}

void setpay_www_reply_page(struct setpay_www *www, struct setpay_http_request *request, int status,
                           enum setpay_www_page page, const char *title, bool is_private,
                           json_t *values)
{
    const struct setpay_http_header headers[] = {
        {"Cache-Control", is_private ? "no-store" : "no-cache"}, {NULL, NULL}};
    char *html = setpay_www_render(www, page, title, values);
    if (html != NULL)
        setpay_http_reply(request, status, HTML, headers, setpay_view_string(html));
    else if (page != SETPAY_WWW_ERROR)
        setpay_www_reply_error(www, request, 500, NULL);
    else
        setpay_http_reply(request, 500, HTML, headers, setpay_view_string(LAST_RESORT));
    free(html);
}

static const char *words_for(int status)
{
    switch (status) {
    case 404:
        return "There is nothing under this address.";
    case 405:
        return "This address can't be asked in that way.";
    case 503:
        return "The shop is busy: try again in a moment.";
    default:
        return status < 500 ? "The request is not one that the shop understands."
                            : "Something failed here; nothing was changed. Try again in a moment.";
    }
}

void setpay_www_reply_error(struct setpay_www *www, struct setpay_http_request *request, int status,
                            const char *words)
{
    setpay_www_reply_page(www, request, status, SETPAY_WWW_ERROR, setpay_http_status_phrase(status),
                          true,
                          json_pack("{s:s}", "words", words != NULL ? words : words_for(status)));
}

char *setpay_www_error_page(int status, void *arg)
{
    return setpay_www_render(arg, SETPAY_WWW_ERROR, setpay_http_status_phrase(status),
                             json_pack("{s:s}", "words", words_for(status)));
}
