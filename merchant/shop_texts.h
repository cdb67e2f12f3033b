/*
 * The texts of the shop's pages about itself, out of their files.
 */
#ifndef SETPAY_MERCHANT_SHOP_TEXTS_H
#define SETPAY_MERCHANT_SHOP_TEXTS_H

#include "common/base/config.h"
#include "common/base/error.h"
#include "merchant/store/www/texts.h"

/* Reads the files of shop_contact, shop_returns, shop_terms and shop_privacy, as they are now.
 * *texts NULL: makes them. SETPAY_E_CONFIG for a file that holds no plain text, and errors of
 * setpay_file_read, with words in problem; nothing has changed then. */
enum setpay_error setpay_shop_texts_load(const struct setpay_config *config,
                                         struct setpay_texts **texts,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
