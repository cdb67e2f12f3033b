/*
 * Pages out of templates, and the answers that carry them.
 */
#include "merchant/store/www/www_internal.h"

#include "common/base/log.h"
#include "merchant/store/www/guard.h"
#include "merchant/store/www/texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTML "text/html; charset=utf-8"
/* Where not even the page of an error can be made. */
#define LAST_RESORT "<!doctype html><title>Error</title><p>The page can't be shown now.</p>"

/* A value that a page has not given. */
static void fill(json_t *values, const char *name, json_t *value, bool *whole)
{
    if (json_object_get(values, name) == NULL)
        *whole = json_object_set_new(values, name, value) == 0 && *whole;
    else
        json_decref(value);
}

/* Whether search engines are to leave it out: what is one shopper's own, and errors. Of searches
 * list_page.c says so. */
static bool is_hidden(enum setpay_www_page page)
{
    return page == SETPAY_WWW_CART || page == SETPAY_WWW_CHECKOUT || page == SETPAY_WWW_ORDER ||
           page == SETPAY_WWW_ERROR;
}

static enum setpay_error complete(const struct setpay_www *www, enum setpay_www_page page,
                                  const char *title, json_t *values)
{
    bool whole = values != NULL;
    if (!whole)
        return SETPAY_E_NOMEM;
    fill(values, "hidden", json_boolean(is_hidden(page)), &whole);
    fill(values, "title", json_string(title), &whole);
    fill(values, "shop", json_string(www->options.shop), &whole);
    fill(values, "css", json_string(setpay_www_static_name("shop.css")), &whole);
    fill(values, "icon", json_string(setpay_www_static_name("icon.svg")), &whole);
    fill(values, "about", setpay_texts_list(www->options.texts), &whole);
    fill(values, "q", json_string(""), &whole);
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* The element that loads the script: an address that no value of a page has a part in. */
static enum setpay_error add_script(struct setpay_page *page, char *html, size_t size)
{
    (void)snprintf(html, size, "<script type=\"module\" src=\"/static/%s\"></script>",
                   setpay_www_static_name("shop.js"));
    return setpay_page_add_trusted_html(page, "script", setpay_view_string(html));
}

static char *render(const struct setpay_www *www, enum setpay_www_page page, const char *title,
                    struct setpay_view qr, json_t *values)
{
    struct setpay_buffer html;
    struct setpay_problem problem = {{0}};
    struct setpay_page made = {.values = values};
    char script[160];
    char *text = NULL;
    setpay_buffer_init(&html, SETPAY_PAGE_BYTES);
    enum setpay_error error = complete(www, page, title, values);
    if (error == SETPAY_OK)
        error = add_script(&made, script, sizeof script);
    if (error == SETPAY_OK && qr.size > 0)
        error = setpay_page_add_trusted_html(&made, "qr", qr);
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

char *setpay_www_render(const struct setpay_www *www, enum setpay_www_page page, const char *title,
                        json_t *values)
{
    return render(www, page, title, SETPAY_VIEW_EMPTY, values);
}

bool setpay_www_is_secure(const struct setpay_www *www, const struct setpay_http_request *request)
{
    return www->options.tls != NULL || setpay_guard_is_https(www->guard, request);
}

void setpay_www_reply(struct setpay_www *www, struct setpay_http_request *request,
                      const struct setpay_www_answer *answer)
{
    struct setpay_http_header headers[4] = {
        {"Cache-Control", answer->is_private ? "no-store" : "no-cache"}};
    size_t count = 1;
    if (answer->cookie != NULL)
        headers[count++] = (struct setpay_http_header){"Set-Cookie", answer->cookie};
    /* With TLS of its own, the server says it in every answer (www.c). */
    if (www->options.tls == NULL && setpay_www_is_secure(www, request))
        headers[count++] = (struct setpay_http_header){SETPAY_WWW_STAY_SECURE};
    char *html = render(www, answer->page, answer->title, answer->qr, answer->values);
    if (html != NULL)
        setpay_http_reply(request, answer->status, HTML, headers, setpay_view_string(html));
    else if (answer->page != SETPAY_WWW_ERROR)
        setpay_www_reply_error(www, request, 500, NULL);
    else
        setpay_http_reply(request, 500, HTML, headers, setpay_view_string(LAST_RESORT));
    free(html);
}

void setpay_www_reply_page(struct setpay_www *www, struct setpay_http_request *request, int status,
                           enum setpay_www_page page, const char *title, bool is_private,
                           json_t *values)
{
    setpay_www_reply(www, request,
                     &(struct setpay_www_answer){.status = status,
                                                 .page = page,
                                                 .title = title,
                                                 .is_private = is_private,
                                                 .values = values});
}

json_t *setpay_www_money_json(int64_t minor, const char *currency)
{
    struct setpay_money money;
    char text[SETPAY_MONEY_TEXT_SIZE];
    if (setpay_money_make(minor, currency, &money) != SETPAY_OK)
        return NULL;
    return json_string(setpay_money_format(&money, text));
}

json_t *setpay_www_time_json(setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    return json_sprintf("%.10s %.5s UTC", setpay_time_format(time_ms, text), text + 11);
}

/* Where a line ends inside one is the browser's to say. */
json_t *setpay_www_paragraphs(const char *text, bool *whole)
{
    json_t *list = json_array();
    while (*text != '\0') {
        const char *end = strstr(text, "\n\n");
        size_t size = end == NULL ? strlen(text) : (size_t)(end - text);
        if (size > 0)
            setpay_shop_append(list, json_stringn(text, size), whole);
        text += size;
        text += strspn(text, "\n");
    }
    return list;
}

static const char *words_for(int status)
{
    switch (status) {
    case 404:
        return "There is nothing under this address.";
    case 403:
        return "That is not permitted.";
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
