/*
 * Figures that every daemon has besides its own: whether it is ready, how its committer fares, when
 * it was backed up, and how much room its database's disk has.
 */
#ifndef SETPAY_NET_HEALTH_METRICS_H
#define SETPAY_NET_HEALTH_METRICS_H

#include "common/base/error.h"
#include "common/net/admin_http.h"
#include "common/store/store.h"

#include <stdbool.h>
#include <stddef.h>

struct setpay_health_sources {
    const struct setpay_ready_check *checks; /* borrowed, as all here, until the daemon ends */
    size_t check_count;
    const bool *is_draining;    /* then it is not ready; NULL: that is not told */
    struct setpay_store *store; /* NULL: this daemon has none, and none of its figures */
    bool has_backup;            /* the store is one of which backups are made */
    const char *disk_path;      /* a file or folder there; NULL: no figures of a disk */
};

/* On the thread that answers /metrics, before it does. sources stays the caller's. */
enum setpay_error
setpay_health_metrics_register(const struct setpay_health_sources *sources) SETPAY_MUST_CHECK;

#endif
