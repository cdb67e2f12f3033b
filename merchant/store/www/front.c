/*
 * GET /
 */
#include "merchant/store/www/www_internal.h"

void setpay_www_on_front(struct setpay_http_request *request, void *arg)
{
    struct setpay_www *www = arg;
    setpay_www_reply_page(www, request, 200, SETPAY_WWW_FRONT, "Welcome", false, json_object());
}
