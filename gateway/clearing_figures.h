/*
 * The state of clearing and settlement in figures: what issuers have not answered or have refused,
 * what is in suspense or in dispute, how far merchants are settled, and who owes what.
 *
 * They are read from the database all at once, again and again, on the main thread, which takes no
 * payment; a scrape shows what was read last.
 */
#ifndef SETPAY_GATEWAY_CLEARING_FIGURES_H
#define SETPAY_GATEWAY_CLEARING_FIGURES_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/net/loop.h"
#include "common/store/store.h"
#include "gateway/network/network.h"
#include "gateway/stuck.h"

#include <jansson.h>
#include <stdint.h>

/* How often it is read; more seldom where reading takes more than a hundredth of that. */
#define SETPAY_CLEARING_FIGURES_MS 5000

struct setpay_clearing_figures {
    struct setpay_gateway_unsent_count presentments, reversals, advices;
    int64_t refused; /* presentments: by their issuer or written off, and not settled yet */
    int64_t suspense_items;
    int64_t disputes_open;
    int64_t payouts_made, payouts_sent; /* that are so now */
    /* When the oldest of them was made, and sent; 0: there is none. */
    setpay_time_ms oldest_made_ms, oldest_sent_ms;
    setpay_time_ms settled_ms; /* the cut-off of the newest day that is settled; 0: none is */
    setpay_time_ms oldest_ms;  /* when the batch of the oldest item was closed that is not
                                * settled; 0: there is none */
};

/* Inside a read. args: whose member "issuers" has those of the configuration (stuck.h); NULL: all
 * are known. */
enum setpay_error
setpay_clearing_figures_read(struct setpay_db *db, const json_t *args,
                             struct setpay_clearing_figures *figures) SETPAY_MUST_CHECK;

struct setpay_clearing_watch;

/* At the start, so that the figures are there before they are read first. */
enum setpay_error setpay_clearing_watch_register(void) SETPAY_MUST_CHECK;
/* Lives on loop's thread; reads at once, and then again and again. Borrows network. */
enum setpay_error setpay_clearing_watch_new(struct setpay_store *store,
                                            struct setpay_network *network,
                                            struct setpay_loop *loop,
                                            struct setpay_clearing_watch **watch) SETPAY_MUST_CHECK;
/* NULL-safe. */
void setpay_clearing_watch_free(struct setpay_clearing_watch *watch);

#endif
