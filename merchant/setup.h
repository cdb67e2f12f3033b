/*
 * The merchant from its configuration: keys, certificates, TLS contexts, times.
 */
#ifndef SETPAY_MERCHANT_SETUP_H
#define SETPAY_MERCHANT_SETUP_H

#include "common/base/error.h"
#include "common/net/party.h"
#include "common/net/service.h"
#include "common/net/upkeep.h"
#include "merchant/payment/merchant.h"
#include "merchant/store/shop.h"

extern const struct setpay_party setpay_merchant_party; /* which certificates it has */

/* Ids, names and hosts: the part of setpay_merchant_load that opens nothing and asks nobody.
 * SETPAY_E_CONFIG with words. */
enum setpay_error setpay_merchant_load_texts(const struct setpay_config *config,
                                             struct setpay_merchant *merchant,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Fills *merchant, which is zeroed, and makes the upkeep of its keys. Clear it also after an error,
 * when the upkeep (NULL where there is none) is gone. */
enum setpay_error setpay_merchant_load(struct setpay_service *service,
                                       struct setpay_merchant *merchant,
                                       struct setpay_upkeep **upkeep,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_merchant_clear(struct setpay_merchant *merchant);
/* Country and currencies of the configuration, whose texts they are. */
struct setpay_shop_settings setpay_merchant_shop_settings(const struct setpay_config *config);

#endif
