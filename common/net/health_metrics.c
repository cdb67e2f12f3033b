/*
 * Each figure is read when it is asked for, from what /readyz and the store know; nothing is
 * counted twice.
 */
#include "common/net/health_metrics.h"

#include "common/net/metrics.h"

#include <string.h>
#include <sys/statvfs.h>

static int64_t read_ready(void *arg)
{
    const struct setpay_health_sources *sources = arg;
    if (sources->is_draining != NULL && *sources->is_draining)
        return 0;
    for (size_t i = 0; i < sources->check_count; i++) {
        struct setpay_problem why = {""};
        if (sources->checks[i].check_cb(sources->checks[i].arg, &why) != SETPAY_OK)
            return 0;
    }
    return 1;
}

static struct setpay_store_health health_of(void *arg)
{
    const struct setpay_health_sources *sources = arg;
    struct setpay_store_health health;
    memset(&health, 0, sizeof health);
    setpay_store_health(sources->store, 0, &health);
    return health;
}

static int64_t read_queue(void *arg)
{
    return (int64_t)health_of(arg).queue_depth;
}

static int64_t read_wait(void *arg)
{
    return health_of(arg).oldest_wait_ms * 1000;
}

static int64_t read_broken(void *arg)
{
    return health_of(arg).broken ? 1 : 0;
}

static int64_t read_operations(void *arg)
{
    return (int64_t)health_of(arg).operations;
}

static int64_t read_commits(void *arg)
{
    return (int64_t)health_of(arg).commits;
}

static int64_t read_busy(void *arg)
{
    return (int64_t)health_of(arg).operations_busy;
}

static int64_t read_lost(void *arg)
{
    return (int64_t)health_of(arg).groups_lost;
}

static int64_t read_backup(void *arg)
{
    return health_of(arg).safety.backup_ms / 1000;
}

static int64_t read_disk_free(void *arg)
{
    const struct setpay_health_sources *sources = arg;
    struct statvfs disk;
    if (statvfs(sources->disk_path, &disk) != 0)
        return 0;
    return (int64_t)(disk.f_bavail * disk.f_frsize);
}

static int64_t read_disk_size(void *arg)
{
    const struct setpay_health_sources *sources = arg;
    struct statvfs disk;
    if (statvfs(sources->disk_path, &disk) != 0)
        return 0;
    return (int64_t)(disk.f_blocks * disk.f_frsize);
}

static struct setpay_metric ready_metric = {
    .name = "setpay_ready",
    .help = "1 while /readyz says yes, otherwise 0.",
    .type = SETPAY_METRIC_GAUGE,
    .read_cb = read_ready,
};
static struct setpay_metric queue_metric = {
    .name = "setpay_store_queue_operations",
    .help = "Operations that wait for the committer.",
    .type = SETPAY_METRIC_GAUGE,
    .read_cb = read_queue,
};
static struct setpay_metric wait_metric = {
    .name = "setpay_store_wait_seconds",
    .help = "How long the oldest operation has waited for its commit; 0: none waits.",
    .type = SETPAY_METRIC_GAUGE,
    .read_cb = read_wait,
    .is_of_time = true,
};
static struct setpay_metric broken_metric = {
    .name = "setpay_store_broken",
    .help = "1 after a commit has failed on the disk: nothing is taken until a new start.",
    .type = SETPAY_METRIC_GAUGE,
    .read_cb = read_broken,
};
static struct setpay_metric operations_metric = {
    .name = "setpay_store_operations_total",
    .help = "Operations that were committed.",
    .type = SETPAY_METRIC_COUNTER,
    .read_cb = read_operations,
};
static struct setpay_metric commits_metric = {
    .name = "setpay_store_commits_total",
    .help = "Commits, each of a group of operations.",
    .type = SETPAY_METRIC_COUNTER,
    .read_cb = read_commits,
};
static struct setpay_metric busy_metric = {
    .name = "setpay_store_busy_total",
    .help = "Operations that were not taken, because the committer's queue was full.",
    .type = SETPAY_METRIC_COUNTER,
    .read_cb = read_busy,
};
static struct setpay_metric lost_metric = {
    .name = "setpay_store_groups_lost_total",
    .help = "Groups of operations whose commit failed.",
    .type = SETPAY_METRIC_COUNTER,
    .read_cb = read_lost,
};
static struct setpay_metric backup_metric = {
    .name = "setpay_backup_time_seconds",
    .help = "When the newest backup was made, in seconds since 1970; 0: never.",
    .type = SETPAY_METRIC_GAUGE,
    .read_cb = read_backup,
};
static struct setpay_metric disk_free_metric = {
    .name = "setpay_disk_free_bytes",
    .help = "Room that is left on the database's disk; 0 also where it can't be told.",
    .type = SETPAY_METRIC_GAUGE,
    .read_cb = read_disk_free,
};
static struct setpay_metric disk_size_metric = {
    .name = "setpay_disk_size_bytes",
    .help = "Size of the database's disk.",
    .type = SETPAY_METRIC_GAUGE,
    .read_cb = read_disk_size,
};

static enum setpay_error register_all(struct setpay_metric *const *metrics, size_t count, void *arg)
{
    for (size_t i = 0; i < count; i++) {
        metrics[i]->read_arg = arg;
        SETPAY_TRY(setpay_metric_register(metrics[i]));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_health_metrics_register(const struct setpay_health_sources *sources)
{
    static struct setpay_metric *const of_disk[] = {&disk_free_metric, &disk_size_metric};
    static struct setpay_metric *const of_store[] = {
        &queue_metric,   &wait_metric, &broken_metric, &operations_metric,
        &commits_metric, &busy_metric, &lost_metric};
    static struct setpay_metric *const of_all[] = {&ready_metric};
    static struct setpay_metric *const of_backups[] = {&backup_metric};
    /* One daemon a process; metrics are static, and so is what they are read from. */
    static struct setpay_health_sources kept;
    kept = *sources;
    SETPAY_TRY(register_all(of_all, 1, &kept));
    if (kept.disk_path != NULL)
        SETPAY_TRY(register_all(of_disk, sizeof of_disk / sizeof of_disk[0], &kept));
    if (kept.store != NULL)
        SETPAY_TRY(register_all(of_store, sizeof of_store / sizeof of_store[0], &kept));
    if (kept.store != NULL && kept.has_backup)
        SETPAY_TRY(register_all(of_backups, 1, &kept));
    return SETPAY_OK;
}
