/*
 * What the store's side may see of agreements, and what it may wish
 * (merchant/store/payment_port.h).
 */
#ifndef SETPAY_MERCHANT_PAYMENT_PORT_AGREEMENT_H
#define SETPAY_MERCHANT_PAYMENT_PORT_AGREEMENT_H

#include "merchant/store/payment_port.h"

enum setpay_error setpay_merchant_port_agreement(struct setpay_db *db, const struct setpay_id *xid,
                                                 setpay_time_ms now_ms,
                                                 struct setpay_agreement_view *view);
enum setpay_error setpay_merchant_port_authorise(struct setpay_db *db, const struct setpay_id *xid,
                                                 int64_t amount_minor, bool sale,
                                                 setpay_time_ms now_ms, int64_t *number);
enum setpay_error setpay_merchant_port_end(struct setpay_db *db, const struct setpay_id *xid,
                                           setpay_time_ms now_ms);
enum setpay_error setpay_merchant_port_list(struct setpay_db *db, int64_t before, int64_t room,
                                            setpay_agreement_visit_fn *visit, void *visit_arg);

#endif
