/*
 * Sends what webhooks are to have: one for the daemon, on one loop, by libcurl and without
 * blocking.
 *
 *     note of the store or timer -> what is due -> POST -> the attempt is booked -> next
 *
 * A delivery is found by its row alone, so that what was under way when the program died is sent
 * again. No redirect is followed, no proxy and no cookie is used; of an answer only the status
 * counts.
 */
#ifndef SETPAY_MERCHANT_WEBHOOK_SENDER_H
#define SETPAY_MERCHANT_WEBHOOK_SENDER_H

#include "common/base/error.h"
#include "common/net/loop.h"
#include "common/store/store.h"
#include "merchant/store/payment_port.h"
#include "merchant/store/webhook/delivery.h"
#include "merchant/store/webhook/network.h"

#include <stdint.h>

/* Under way at once, for each webhook, so that one that hangs holds no other up. */
#define SETPAY_SENDER_PER_WEBHOOK 4

struct setpay_sender;

struct setpay_sender_options {
    struct setpay_loop *loop;
    struct setpay_store *store;
    const struct setpay_payment_port *port; /* outlives the sender */
    struct setpay_delivery_rules rules;
    struct setpay_networks networks; /* may be called besides the public internet, http:// too */
    const char *ca_file;             /* PEM; NULL: the system's authorities; outlives the sender */
    int64_t timeout_ms;              /* of one attempt */
};

/* Once, before any thread is started. SETPAY_E_NOMEM. */
enum setpay_error setpay_sender_system_init(void) SETPAY_MUST_CHECK;

/* Loop's thread, all of it. Starts with what is due. SETPAY_E_NOMEM, errors of the store. */
enum setpay_error setpay_sender_new(const struct setpay_sender_options *options,
                                    struct setpay_sender **sender) SETPAY_MUST_CHECK;
/* Begins nothing more, and breaks off what is under way: it is sent again. */
void setpay_sender_stop(struct setpay_sender *sender);
/* NULL-safe. The loop has ended, or no operation of it is queued any more. */
void setpay_sender_free(struct setpay_sender *sender);

#endif
