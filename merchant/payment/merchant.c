/*
 * The brands of a merchant, and the gateway's certificates of each.
 */
#include "merchant/payment/merchant.h"

#include <string.h>

struct setpay_merchant_brand *setpay_merchant_find_brand(struct setpay_merchant *merchant,
                                                         const char *name)
{
    for (size_t i = 0; i < merchant->brand_count; i++) {
        if (strcmp(merchant->brands[i].name, name) == 0)
            return &merchant->brands[i];
    }
    return NULL;
}

static bool is_good(const struct setpay_merchant_brand *brand, setpay_time_ms until_ms)
{
    return brand->gateway_sign != NULL && brand->gateway_encrypt != NULL &&
           setpay_certificate_not_after_ms(brand->gateway_sign) > until_ms &&
           setpay_certificate_not_after_ms(brand->gateway_encrypt) > until_ms;
}

enum setpay_error setpay_merchant_gateway_get(struct setpay_merchant *merchant,
                                              struct setpay_merchant_brand *brand,
                                              setpay_time_ms until_ms,
                                              struct setpay_certificate **sign,
                                              struct setpay_certificate **encrypt)
{
    enum setpay_error error = SETPAY_E_BUSY;
    (void)pthread_mutex_lock(&merchant->lock);
    if (is_good(brand, until_ms)) {
        *sign = setpay_certificate_ref(brand->gateway_sign);
        *encrypt = setpay_certificate_ref(brand->gateway_encrypt);
        error = SETPAY_OK;
    }
    (void)pthread_mutex_unlock(&merchant->lock);
    if (error != SETPAY_OK)
        atomic_store(&brand->gateway_wanted, true);
    return error;
}

void setpay_merchant_gateway_set(struct setpay_merchant *merchant,
                                 struct setpay_merchant_brand *brand,
                                 struct setpay_certificate *sign,
                                 struct setpay_certificate *encrypt)
{
    (void)pthread_mutex_lock(&merchant->lock);
    struct setpay_certificate *old_sign = brand->gateway_sign;
    struct setpay_certificate *old_encrypt = brand->gateway_encrypt;
    brand->gateway_sign = sign != NULL ? setpay_certificate_ref(sign) : NULL;
    brand->gateway_encrypt = encrypt != NULL ? setpay_certificate_ref(encrypt) : NULL;
    (void)pthread_mutex_unlock(&merchant->lock);
    setpay_certificate_unref(old_sign);
    setpay_certificate_unref(old_encrypt);
}

static bool is_same(const struct setpay_certificate *one, const struct setpay_certificate *other)
{
    return one != NULL && setpay_digest_equal(setpay_certificate_thumbprint(one),
                                              setpay_certificate_thumbprint(other));
}

bool setpay_merchant_gateway_has(struct setpay_merchant *merchant,
                                 struct setpay_merchant_brand *brand,
                                 const struct setpay_certificate *sign,
                                 const struct setpay_certificate *encrypt)
{
    (void)pthread_mutex_lock(&merchant->lock);
    bool has = is_same(brand->gateway_sign, sign) && is_same(brand->gateway_encrypt, encrypt);
    (void)pthread_mutex_unlock(&merchant->lock);
    return has;
}

bool setpay_merchant_gateway_is_known(struct setpay_merchant *merchant,
                                      struct setpay_merchant_brand *brand, setpay_time_ms now_ms)
{
    (void)pthread_mutex_lock(&merchant->lock);
    bool known = is_good(brand, now_ms);
    (void)pthread_mutex_unlock(&merchant->lock);
    return known;
}
