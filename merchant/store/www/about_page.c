/*
 * GET /about/{name}: what the shop's owner says of it.
 */
#include "merchant/store/www/texts.h"
#include "merchant/store/www/visit.h"

#include <stdlib.h>

struct look {
    const struct setpay_www *www;
    struct setpay_visit visit;
    struct setpay_cart cart;
    json_t *values;
};

static enum setpay_error read_frame(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    return setpay_visit_frame(db, look->www, &look->visit, &look->cart, look->values);
}

void setpay_www_on_about(struct setpay_http_request *request, void *arg)
{
    struct setpay_www *www = arg;
    struct look look = {.www = www, .values = json_object()};
    enum setpay_text text = SETPAY_TEXT_CONTACT;
    char *words = NULL;
    bool whole = look.values != NULL;
    enum setpay_error error = setpay_texts_find(
        www->options.texts, setpay_http_request_param(request, "name"), &text, &words);
    if (error == SETPAY_OK) {
        setpay_shop_set(look.values, "paragraphs", setpay_www_paragraphs(words, &whole), &whole);
        setpay_shop_set(look.values, "narrow", json_true(), &whole);
        error = whole ? setpay_visit_begin(www, request, &look.visit) : SETPAY_E_NOMEM;
    }
    free(words);
    if (error == SETPAY_OK)
        error = setpay_store_read(www->reader, read_frame, &look);
    if (error == SETPAY_OK) {
        /* It has no form, so that it needs no cookie. */
        setpay_www_reply_page(www, request, 200, SETPAY_WWW_ABOUT, setpay_text_title(text), false,
                              look.values);
        return;
    }
    json_decref(look.values);
    setpay_visit_fail(www, request, error);
}
