/*
 * What the table of options can't say of the merchant's configuration.
 */
#ifndef SETPAY_MERCHANT_CHECK_H
#define SETPAY_MERCHANT_CHECK_H

#include "common/base/config.h"
#include "common/base/error.h"
#include "merchant/payment/merchant.h"
#include "merchant/store/webhook/network.h"

#include <stdbool.h>

/* Every value that the daemon would refuse to start with, but for what files hold: opens nothing,
 * and asks nobody but the resolver for owner_listen. SETPAY_E_CONFIG with words. */
enum setpay_error setpay_merchant_check(const struct setpay_config *config,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* The networks that a key names. SETPAY_E_CONFIG with the key and words. */
enum setpay_error setpay_merchant_networks(const struct setpay_config *config, const char *key,
                                           struct setpay_networks *networks,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* When batches are closed each day, if they are. SETPAY_E_CONFIG with the key and words. */
enum setpay_error setpay_merchant_batch_hour(const struct setpay_config *config,
                                             struct setpay_merchant_batch_hour *hour,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Whether owner_listen is off loopback, so that its pages are served over TLS alone.
 * SETPAY_E_CONFIG where there is no certificate for that, with words. */
enum setpay_error setpay_merchant_owner_needs_tls(const struct setpay_config *config, bool *needs,
                                                  struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Whether the API is served, in the clear as ever, where others than an own network may come by or
 * listen. */
bool setpay_merchant_api_is_exposed(const struct setpay_config *config);

#endif
