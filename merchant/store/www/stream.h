/*
 * Pages that follow a payment: a server-sent event as soon as an order looks different from what
 * the page shows. A stream ends with its event (the browser opens the next one by itself), so it is
 * an answer that is given later, and needs neither chunks nor deadlines of its own. There is a
 * bounded number of them; each is answered after a while in any case, and when the daemon drains.
 */
#ifndef SETPAY_MERCHANT_WWW_STREAM_H
#define SETPAY_MERCHANT_WWW_STREAM_H

#include "merchant/store/order_json.h"
#include "merchant/store/www/www_internal.h"

#define SETPAY_STREAM_SEEN_SIZE 17

/* Loop's thread. SETPAY_E_NOMEM, errors of setpay_store_watch. */
enum setpay_error setpay_streams_new(struct setpay_www *www,
                                     struct setpay_streams **streams) SETPAY_MUST_CHECK;
/* Answers all of them; from now on each is answered at once. */
void setpay_streams_end(struct setpay_streams *streams);
/* NULL-safe; ends them. */
void setpay_streams_free(struct setpay_streams *streams);

/* What a page shows of an order, in 16 digits: another one where it has changed. SETPAY_E_CRYPTO.
 */
enum setpay_error setpay_stream_seen(const struct setpay_order_view *view,
                                     char *seen) SETPAY_MUST_CHECK;
/* The order of a link's token with its steps; *view must be empty, clear it in any case. Inside a
 * read. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_www_find_order(struct setpay_db *db, const struct setpay_www *www,
                                        const char *token,
                                        struct setpay_order_view *view) SETPAY_MUST_CHECK;

#endif
