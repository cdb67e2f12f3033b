/*
 * Every crash point of a purchase, and pairs of them.
 *
 * Nothing here is picked by hand. Each scenario (tests/support/test_crash_walk.h) is first walked
 * without a crash, and the daemons say how often each point was passed. Then a daemon is killed at
 * the N-th pass of each, for N from 1 until a purchase ends without coming that far: so it is every
 * N, and a point that is added to the code is walked without a change here. The daemons also say
 * what was passed between each death and the end of its recovery: each such pass is where a second
 * crash can come, and gives a pair. Of all pairs a sample is walked, chosen by a seed.
 *
 * So it is with SETPAY_LONG=1. Without, a sample is all there is: each daemon dies once at each of
 * its points, in a scenario and at a pass that the seed chooses, and there are fewer pairs.
 *
 * Several sandboxes, each with a process of its own that walks one case after the other. Prints
 * TAP.
 *
 *   SEED=N      chooses the pairs (default: the time); it is printed
 *   PAIRS=N     how many (default 100, 10 in the short form); all: every one
 *   ONLY=TEXT   walks the one case that a line of the output names, and nothing else
 *   DONE=FILE   pairs that were walked are written there, and those that stand there are left out
 *   SANDBOXES=N how many at once (default 4)
 */
#include "common/base/secret.h"
#include "tests/support/test_crash_walk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SANDBOXES_MAX 16
#define RECOVERY_LIMIT_MS 20000 /* seconds; more only because the machine may be loaded */
#define MEASUREMENTS                                                                               \
    10 /* a commit of upkeep that falls into some of them is none of its scenario */
#define PAIRS_LONG 100
#define PAIRS_SHORT 10
#define TRIES_MAX 20 /* of a point that every measurement has passed; commits that meet are one */
#define CASE_SIZE 160

static unsigned tests, failures, points_walked, pairs_walked, passed_over;
static int slowest_ms;
static bool is_long;
static char slowest[CASE_SIZE];

static void check(bool good, const char *name, const char *words)
{
    printf("%s %u - %s\n", good ? "ok" : "not ok", ++tests, name);
    if (!good)
        printf("# %s\n", words);
    fflush(stdout);
    failures += !good;
}

/* ------------------------------------------------------------------ a worker and its sandbox */

static struct test_sandbox pattern, own;

static int work(int fd)
{
    struct test_walk walk;
    struct test_walk_result result;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* the daemons follow */
    test_sandbox_up(&own, &pattern, NULL);
    while (recv(fd, &walk, sizeof walk, 0) == (ssize_t)sizeof walk) {
        test_walk_run(&own, &walk, RECOVERY_LIMIT_MS, &result);
        if (send(fd, &result, sizeof result, MSG_NOSIGNAL) != (ssize_t)sizeof result)
            break;
        if (result.verdict == TEST_BROKEN) {
            /* Its folder stays, for whoever looks into it. */
            test_sandbox_down(&own, false);
            test_sandbox_up(&own, &pattern, NULL);
        }
    }
    test_sandbox_down(&own, true);
    return 0;
}

struct worker {
    pid_t pid;
    int fd;
    long job; /* -1: idle */
};
static struct worker workers[SANDBOXES_MAX];
static int worker_count;

static void start_workers(void)
{
    for (int i = 0; i < worker_count; i++) {
        int fds[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
            test_bail_out("socketpair: %s", strerror(errno));
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            close(fds[0]);
            for (int j = 0; j < i; j++)
                close(workers[j].fd);
            _exit(work(fds[1]));
        }
        if (pid < 0)
            test_bail_out("fork: %s", strerror(errno));
        close(fds[1]);
        workers[i] = (struct worker){.pid = pid, .fd = fds[0], .job = -1};
    }
}

static void stop_workers(void)
{
    for (int i = 0; i < worker_count; i++)
        close(workers[i].fd);
    for (int i = 0; i < worker_count; i++)
        waitpid(workers[i].pid, NULL, 0);
}

/* ------------------------------------------------------------------ jobs */

struct job {
    struct test_walk walk;
    uint64_t order; /* of pairs, by the seed */
    unsigned tries;
    bool must; /* every measurement came that far */
};
struct jobs {
    struct job *list;
    size_t count, size;
};

static struct job *add_job(struct jobs *jobs, const struct test_walk *walk)
{
    if (jobs->count == jobs->size) {
        jobs->size = jobs->size == 0 ? 1024 : 2 * jobs->size;
        jobs->list = realloc(jobs->list, jobs->size * sizeof *jobs->list);
        if (jobs->list == NULL)
            test_bail_out("no memory");
    }
    struct job *job = &jobs->list[jobs->count++];
    *job = (struct job){.walk = *walk};
    return job;
}

/* What follows from one result; may add jobs. False: enough. */
typedef bool job_done(struct jobs *jobs, size_t index, const struct test_walk_result *result);

static bool give_out(struct jobs *jobs, size_t *next)
{
    bool any = false;
    for (int i = 0; i < worker_count; i++) {
        if (workers[i].job < 0 && *next < jobs->count) {
            const struct test_walk *walk = &jobs->list[*next].walk;
            workers[i].job = (long)(*next)++;
            if (send(workers[i].fd, walk, sizeof *walk, MSG_NOSIGNAL) != (ssize_t)sizeof *walk)
                test_bail_out("a sandbox has ended");
        }
        any = any || workers[i].job >= 0;
    }
    return any;
}

static void run_jobs(struct jobs *jobs, job_done *done)
{
    static struct test_walk_result result;
    size_t next = 0;
    bool enough = false;
    while (give_out(jobs, enough ? &jobs->count : &next)) {
        struct pollfd fds[SANDBOXES_MAX];
        for (int i = 0; i < worker_count; i++)
            fds[i] = (struct pollfd){.fd = workers[i].fd, .events = POLLIN};
        if (poll(fds, (nfds_t)worker_count, -1) < 0)
            continue;
        for (int i = 0; i < worker_count; i++) {
            if (fds[i].revents == 0)
                continue;
            if (recv(workers[i].fd, &result, sizeof result, 0) != (ssize_t)sizeof result)
                test_bail_out("a sandbox has ended");
            size_t index = (size_t)workers[i].job;
            workers[i].job = -1;
            if (result.verdict == TEST_WALKED && result.recovery_ms > slowest_ms) {
                slowest_ms = result.recovery_ms;
                test_walk_format(&jobs->list[index].walk, slowest, sizeof slowest);
            }
            if (!done(jobs, index, &result))
                enough = true;
        }
    }
}

/* ------------------------------------------------------------------ 1: which points there are */

struct measured {
    int scenario;
    int daemon;
    char point[TEST_POINT_SIZE];
    unsigned times; /* measurements in which it was passed at all */
    uint32_t least, most;
};
static struct measured points[1024];
static size_t point_count;
static struct jobs singles, pairs;

static void measure(int scenario, const struct test_crash *pass)
{
    size_t i = 0;
    while (i < point_count && (points[i].scenario != scenario || points[i].daemon != pass->daemon ||
                               strcmp(points[i].point, pass->point) != 0))
        i++;
    struct measured *point = &points[i];
    if (i == point_count) {
        if (++point_count > sizeof points / sizeof *points)
            test_bail_out("too many crash points");
        *point = (struct measured){.scenario = scenario,
                                   .daemon = pass->daemon,
                                   .least = pass->count,
                                   .most = pass->count};
        memcpy(point->point, pass->point, sizeof point->point);
    }
    point->times++;
    point->least = pass->count < point->least ? pass->count : point->least;
    point->most = pass->count > point->most ? pass->count : point->most;
}

static bool on_measured(struct jobs *jobs, size_t index, const struct test_walk_result *result)
{
    int scenario = jobs->list[index].walk.scenario;
    check(result->verdict == TEST_WALKED, test_scenario_names[scenario], result->words);
    for (uint32_t i = 0; result->verdict == TEST_WALKED && i < result->pass_count; i++)
        measure(scenario, &result->passes[i]);
    return true;
}

/* FNV-1a over the seed and the case's name, stirred: so a case has its place whatever others there
 * are. */
static uint64_t place(const char *seed, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (int i = 0; i < 2; i++) {
        for (const char *at = i == 0 ? seed : name; *at != '\0'; at++)
            hash = (hash ^ (uint8_t)*at) * 0x100000001b3;
    }
    hash = (hash ^ hash >> 31) * 0x7fb5d329728ea185;
    return hash ^ hash >> 29;
}

/* What the store asks for is done without the wallet, which asks after its purchases when it likes.
 * And a batch is closed by the merchant: with it goes to the issuer what other walks in the same
 * sandbox have captured or given back, if they left something. */
static bool is_its_own(const struct measured *point)
{
    switch (point->scenario) {
    case TEST_CLOSED:
        return point->daemon == TEST_MERCHANT;
    case TEST_VOID:
    case TEST_REFUNDED:
    case TEST_UNDONE:
    case TEST_FURTHER:
        return point->daemon != TEST_WALLET;
    default:
        return true;
    }
}

/* One job, whose crash is to come at the walk's point and pass. */
static void add_single(const struct measured *point, uint32_t count)
{
    struct test_walk walk = {.scenario = point->scenario, .first.daemon = point->daemon};
    memcpy(walk.first.point, point->point, sizeof point->point);
    walk.first.count = count;
    add_job(&singles, &walk)->must =
        point->times == MEASUREMENTS && count <= point->least && is_its_own(point);
}

/* Where the seed puts a measured point. */
static uint64_t place_of(const char *seed, const struct measured *point)
{
    char name[CASE_SIZE];
    (void)snprintf(name, sizeof name, "%s: %s %s", test_scenario_names[point->scenario],
                   test_daemon_names[point->daemon], point->point);
    return place(seed, name);
}

/* The first by the seed among those with the same daemon and point. */
static bool is_chosen(const char *seed, const struct measured *point)
{
    for (size_t i = 0; i < point_count; i++) {
        if (points[i].daemon == point->daemon && strcmp(points[i].point, point->point) == 0 &&
            place_of(seed, &points[i]) < place_of(seed, point))
            return false;
    }
    return true;
}

static void measure_all(const char *seed)
{
    struct jobs jobs = {0};
    for (int i = 0; i < MEASUREMENTS * TEST_SCENARIOS; i++)
        add_job(&jobs, &(struct test_walk){.scenario = i % TEST_SCENARIOS});
    run_jobs(&jobs, on_measured);
    free(jobs.list);
    for (size_t i = 0; i < point_count; i++) {
        const struct measured *point = &points[i];
        /* One more than was ever seen: it shows that there is no more. */
        for (uint32_t n = 1; is_long && n <= point->most + 1; n++)
            add_single(point, n);
        if (!is_long && is_chosen(seed, point))
            add_single(point, 1 + (uint32_t)(place_of(seed, point) % point->most));
    }
    for (int s = 0; s < TEST_SCENARIOS; s++) {
        for (int d = 0; d < TEST_DAEMONS; d++) {
            printf("# %s, %s:", test_scenario_names[s], test_daemon_names[d]);
            for (size_t i = 0; i < point_count; i++) {
                if (points[i].scenario == s && points[i].daemon == d)
                    printf(" %s %u", points[i].point, points[i].most);
            }
            printf("\n");
        }
    }
}

/* What is passed at least, in one scenario or another: by every daemon what it writes and commits,
 * sends and receives. The gateway speaks to merchants and to the issuer. */
static const char *const least[TEST_DAEMONS][8] = {
    [TEST_WALLET] = {"store.write", "store.commit", "net.send", "net.receive", NULL},
    [TEST_MERCHANT] = {"store.write", "store.commit", "net.send", "net.receive", NULL},
    [TEST_GATEWAY] = {"store.write", "store.commit", "net.send", "net.receive", "line.send",
                      "line.receive", NULL},
    [TEST_ISSUER] = {"store.write", "store.commit", "issuer.send", "issuer.receive", NULL},
};

static bool was_passed(int daemon, const char *point)
{
    size_t i = 0;
    while (i < point_count && (points[i].daemon != daemon || strcmp(points[i].point, point) != 0))
        i++;
    return i < point_count;
}

/* A point that vanished from the code would make the list shorter, and nothing else. */
static void expect_least(void)
{
    for (int d = 0; d < TEST_DAEMONS; d++) {
        char name[CASE_SIZE], words[CASE_SIZE] = "it has not passed";
        bool all = true;
        for (size_t i = 0; least[d][i] != NULL; i++) {
            size_t used = strlen(words);
            if (was_passed(d, least[d][i]))
                continue;
            all = false;
            (void)snprintf(words + used, sizeof words - used, " %s", least[d][i]);
        }
        (void)snprintf(name, sizeof name, "%s: what it writes, commits, sends and receives",
                       test_daemon_names[d]);
        check(all, name, words);
    }
}

/* ------------------------------------------------------------------ 2: one crash */

static void add_pairs(const struct test_walk *first, const struct test_walk_result *result)
{
    for (uint32_t i = 0; i < result->pass_count; i++) {
        struct test_walk walk = *first;
        walk.second = result->passes[i];
        for (uint32_t n = 1; n <= result->passes[i].count; n++) {
            walk.second.count = n;
            add_job(&pairs, &walk);
        }
    }
}

static uint32_t most_seen(const struct test_walk *walk)
{
    for (size_t i = 0; i < point_count; i++) {
        if (points[i].scenario == walk->scenario && points[i].daemon == walk->first.daemon &&
            strcmp(points[i].point, walk->first.point) == 0)
            return points[i].most;
    }
    return 0;
}

static bool on_single(struct jobs *jobs, size_t index, const struct test_walk_result *result)
{
    struct job *job = &jobs->list[index];
    struct test_walk walk = job->walk;
    char name[CASE_SIZE];
    test_walk_format(&walk, name, sizeof name);
    if (result->verdict == TEST_UNREACHED && job->must && job->tries + 1 < TRIES_MAX) {
        struct job *again = add_job(jobs, &walk);
        again->must = true;
        again->tries = jobs->list[index].tries + 1;
    } else if (result->verdict != TEST_UNREACHED || job->must) {
        check(result->verdict == TEST_WALKED, name,
              result->verdict == TEST_BROKEN ? result->words : "it is not reached any more");
    } else {
        passed_over++;
    }
    if (result->verdict != TEST_WALKED)
        return true;
    points_walked++;
    add_pairs(&walk, result);
    if (is_long && walk.first.count > most_seen(&walk)) {
        walk.first.count++;
        add_job(jobs, &walk);
    }
    return true;
}

/* ------------------------------------------------------------------ 3: two crashes */

static size_t pairs_wanted;
static FILE *done_file;

static int by_place(const void *a, const void *b)
{
    uint64_t left = ((const struct job *)a)->order, right = ((const struct job *)b)->order;
    return left < right ? -1 : left > right;
}

static bool on_pair(struct jobs *jobs, size_t index, const struct test_walk_result *result)
{
    char name[CASE_SIZE];
    test_walk_format(&jobs->list[index].walk, name, sizeof name);
    if (result->verdict == TEST_UNREACHED)
        passed_over++;
    else
        check(result->verdict == TEST_WALKED, name, result->words);
    if (result->verdict == TEST_WALKED)
        pairs_walked++;
    if (result->verdict != TEST_BROKEN && done_file != NULL) {
        fprintf(done_file, "%s\n", name);
        fflush(done_file);
    }
    if ((index + 1) % 100 == 0) {
        printf("# %zu of %zu pairs tried\n", index + 1, jobs->count);
        fflush(stdout);
    }
    return pairs_walked < pairs_wanted;
}

/* Takes those out that the file names. */
static void leave_out_done(const char *path)
{
    char line[CASE_SIZE + 2];
    size_t kept = 0, left_out = 0;
    FILE *file = fopen(path, "re");
    struct jobs done = {0};
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        struct test_walk walk;
        line[strcspn(line, "\n")] = '\0';
        if (test_walk_parse(line, &walk))
            add_job(&done, &walk)->order = place("", line);
    }
    if (file != NULL)
        fclose(file);
    if (done.count > 0)
        qsort(done.list, done.count, sizeof *done.list, by_place);
    for (size_t i = 0; i < pairs.count; i++) {
        test_walk_format(&pairs.list[i].walk, line, sizeof line);
        const struct job wanted = {.order = place("", line)};
        if (done.count > 0 &&
            bsearch(&wanted, done.list, done.count, sizeof *done.list, by_place) != NULL)
            left_out++;
        else
            pairs.list[kept++] = pairs.list[i];
    }
    pairs.count = kept;
    free(done.list);
    printf("# %zu pairs stand in %s already\n", left_out, path);
    done_file = fopen(path, "ae");
    if (done_file == NULL)
        test_bail_out("%s: %s", path, strerror(errno));
}

static void walk_pairs(const char *seed)
{
    char name[CASE_SIZE];
    for (size_t i = 0; i < pairs.count; i++) {
        test_walk_format(&pairs.list[i].walk, name, sizeof name);
        pairs.list[i].order = place(seed, name);
    }
    if (pairs.count > 0)
        qsort(pairs.list, pairs.count, sizeof *pairs.list, by_place);
    printf("# %zu pairs of crashes there are\n", pairs.count);
    if (getenv("DONE") != NULL)
        leave_out_done(getenv("DONE"));
    fflush(stdout);
    run_jobs(&pairs, on_pair);
    if (done_file != NULL)
        fclose(done_file);
}

/* ------------------------------------------------------------------ all of it */

static void walk_one(const char *text)
{
    struct jobs jobs = {0};
    struct test_walk walk;
    if (!test_walk_parse(text, &walk))
        test_bail_out("ONLY names no case: %s", text);
    add_job(&jobs, &walk);
    pairs_wanted = 1;
    run_jobs(&jobs, on_pair);
    if (passed_over > 0)
        check(false, text, "the point was not passed that often");
    free(jobs.list);
}

int main(void)
{
    const char *build = getenv("BUILD"), *wanted = getenv("PAIRS"), *only = getenv("ONLY");
    const char *seed = getenv("SEED"), *sandboxes = getenv("SANDBOXES");
    char chosen[24], bin[512];
    if (setpay_secret_system_init() != SETPAY_OK)
        test_bail_out("no secret memory");
    (void)snprintf(chosen, sizeof chosen, "%lld", (long long)time(NULL));
    seed = seed != NULL && *seed != '\0' ? seed : chosen;
    is_long = test_is_long();
    pairs_wanted = wanted == NULL || *wanted == '\0' ? (is_long ? PAIRS_LONG : PAIRS_SHORT)
                   : strcmp(wanted, "all") == 0      ? SIZE_MAX
                                                     : (size_t)strtoul(wanted, NULL, 10);
    worker_count = sandboxes == NULL ? 4 : (int)strtol(sandboxes, NULL, 10);
    if (only != NULL && *only != '\0')
        worker_count = 1;
    if (worker_count < 1 || worker_count > SANDBOXES_MAX)
        test_bail_out("SANDBOXES is not between 1 and %d", SANDBOXES_MAX);
    (void)snprintf(bin, sizeof bin, "%s/bin", build == NULL ? "build" : build);
    char *path = realpath(bin, NULL);
    if (path == NULL)
        test_bail_out("%s: %s", bin, strerror(errno));
    puts("# failures count as: lost or made twice");
    printf("# SEED=%s\n", seed);
    test_sandbox_make(&pattern, path);
    start_workers();
    if (worker_count == 1 && only != NULL && *only != '\0') {
        walk_one(only);
    } else {
        measure_all(seed);
        expect_least();
        run_jobs(&singles, on_single);
        if (pairs_wanted > 0)
            walk_pairs(seed);
        /* A list that became short by itself would show nothing; one that goes on with what another
         * run has left may be short. */
        size_t enough = getenv("DONE") != NULL      ? 0
                        : pairs_wanted < PAIRS_LONG ? pairs_wanted
                                                    : PAIRS_LONG;
        check(points_walked > 0 && pairs_walked >= enough, "there were crashes to recover from",
              "too few points or pairs were reached");
    }
    stop_workers();
    test_sandbox_down(&pattern, true);
    printf("# not reached, and no crash therefore: %u\n", passed_over);
    printf("# slowest recovery: %d ms, %s\n", slowest_ms, slowest);
    printf("# tally: crash points walked = %u\n", points_walked);
    printf("# tally: pairs of crashes walked = %u\n", pairs_walked);
    printf("1..%u\n", tests);
    free(singles.list);
    free(pairs.list);
    free(path);
    return failures == 0 ? 0 : 1;
}
