/*
 * The TLS of the shop's pages: a certificate of the web, with a key of its own, apart from all that
 * setpay's parties know each other by.
 */
#ifndef SETPAY_MERCHANT_SHOP_TLS_H
#define SETPAY_MERCHANT_SHOP_TLS_H

#include "common/base/config.h"
#include "common/base/error.h"
#include "common/net/tls.h"

/* Whether both are named or neither; opens nothing. SETPAY_E_CONFIG with words. */
enum setpay_error setpay_shop_tls_check(const struct setpay_config *config,
                                        struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Reads shop_tls_key and shop_tls_cert. *tls NULL: makes the context, or leaves it NULL where
 * neither is set; otherwise it gets the certificate that the files hold now (SIGHUP).
 * SETPAY_E_CONFIG and the errors of setpay_key_load, with words in problem; nothing has changed
 * then. */
enum setpay_error setpay_shop_tls_load(const struct setpay_config *config, struct setpay_tls **tls,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
