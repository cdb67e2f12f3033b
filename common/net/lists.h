/*
 * Revocation lists that a daemon fetches of its own accord from the authorities that make them
 * (setpay-cad serves them): in time, again and again where there is no answer, one authority after
 * the other. What comes proves itself under the root before it is held (common/pki/trust.c).
 */
#ifndef SETPAY_NET_LISTS_H
#define SETPAY_NET_LISTS_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/net/est_form.h"
#include "common/net/loop.h"
#include "common/pki/chain.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the lists by which certificates of a brand are judged (the root's, the brand's and its
 * three issuing CAs') are there and current at now_ms; where one CA of a kind has come after
 * another, that of one of them. SETPAY_E_CRL_MISSING or SETPAY_E_CRL_STALE, with words. */
enum setpay_error setpay_lists_check(struct setpay_trust *trust, const char *brand,
                                     setpay_time_ms now_ms,
                                     struct setpay_problem *why) SETPAY_MUST_CHECK;
/* When the first of them ends, or that of a CA that another has come after, as long as that is
 * good; 0 where one is missing. */
setpay_time_ms setpay_lists_end_ms(struct setpay_trust *trust, const char *brand);

/* An authority, and the brand for whose lists it is asked. */
struct setpay_lists_source {
    char brand[SETPAY_BRAND_MAX + 1];
    struct setpay_est_place place;
};
#define SETPAY_LISTS_SOURCES_MAX 64

struct setpay_lists_options {
    struct setpay_loop *loop;
    struct setpay_trust *trust;
    /* For who needs all of them: fetched before they are past their time, and where one is missing.
     * Otherwise only where one that is held is past it, or none of the brand's is held. */
    bool early;
    int64_t look_ms;     /* how often it is looked; also the first wait after a failure */
    int64_t wait_max_ms; /* the longest one */
    int64_t connect_timeout_ms, deadline_ms; /* 0: those of the EST client */
    /* Who may be asked now, written to sources (SETPAY_LISTS_SOURCES_MAX); returns how many. */
    size_t (*sources_cb)(void *arg, struct setpay_lists_source *sources);
    /* After a fetch: lists are held that were not before. May be NULL. */
    void (*fetched_cb)(void *arg);
    void *arg;
};

struct setpay_lists;

/* Looks at once, and then for as long as it lives. All on the loop's thread. */
enum setpay_error setpay_lists_new(const struct setpay_lists_options *options,
                                   struct setpay_lists **lists) SETPAY_MUST_CHECK;
void setpay_lists_free(struct setpay_lists *lists); /* NULL-safe */

#endif
