/*
 * POST /currency: in which currency prices are shown from now on. It is kept with the cart, whose
 * own page sends the choice with its quantities (cart_page.c).
 *
 * What it says is a choice among the shop's own, and never more: prices are looked up in the
 * catalogue whenever they are shown, and once more when the order is made.
 */
#include "merchant/store/www/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether it leads to a page of this shop, and nowhere else. */
static bool is_ours(const char *path)
{
    size_t size = strlen(path);
    if (path[0] != '/' || path[1] == '/' || size > SETPAY_WWW_PATH_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (path[i] <= 0x20 || path[i] >= 0x7f || path[i] == '\\')
            return false;
    }
    return true;
}

static enum setpay_error run(struct setpay_db *db, struct setpay_write *write)
{
    struct setpay_cart cart;
    SETPAY_TRY(setpay_cart_find(db, &write->visit.cart_id, &cart));
    const char *was = setpay_visit_settings(write->www, &cart).currency;
    SETPAY_TRY(setpay_visit_choose(write->www, setpay_form_get(&write->form, "currency"), &cart));
    if (strcmp(setpay_visit_settings(write->www, &cart).currency, was) == 0)
        return SETPAY_OK;
    return setpay_visit_keep_cart(db, write->www, &write->visit, &cart, setpay_clock_now_ms());
}

static void answer(struct setpay_write *write, enum setpay_error error)
{
    const char *back = setpay_form_get(&write->form, "back");
    if (error == SETPAY_OK)
        setpay_visit_go_to(write->www, write->request, &write->visit, is_ours(back) ? back : "/");
    else if (error == SETPAY_E_INVALID)
        setpay_www_reply_error(write->www, write->request, 400, SETPAY_VISIT_NO_CURRENCY);
    else
        setpay_visit_fail(write->www, write->request, error);
}

void setpay_www_on_currency(struct setpay_http_request *request, void *arg)
{
    struct setpay_write *write = setpay_write_begin(arg, request);
    if (write == NULL)
        return;
    write->run = run;
    write->answer = answer;
    setpay_write_submit(write);
}
