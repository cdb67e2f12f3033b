/*
 * The description of the merchant API for programs. It is written by hand in openapi.json; the
 * build turns its bytes into openapi.json.inc.
 */
#include "merchant/store/api/api.h"

static const uint8_t document[] = {
#include "merchant/store/api/openapi.json.inc"
};

struct setpay_view setpay_api_openapi(void)
{
    return SETPAY_VIEW_ARRAY(document);
}
