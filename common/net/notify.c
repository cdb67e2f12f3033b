/*
 * Telling the service manager how the daemon is.
 *
 * A question is posted to a loop only after it has answered the one before, so that a loop that
 * hangs has one of them in its mailbox and not more, and a mailbox that is full is asked again
 * later. What a loop does with it is set its own flag.
 */
#include "common/net/notify.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SIGNS_PER_PERIOD 4
#define US_PER_MS 1000

struct watched {
    struct setpay_loop *loop;
    bool is_asked;
    atomic_bool has_answered;
};

struct setpay_watchdog {
    struct setpay_timer *timer;
    size_t count;
    struct watched watched[];
};

void setpay_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@'))
        return;
    size_t size = strlen(path);
    if (size >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, size);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* the abstract namespace */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    /* Whoever does not listen has nothing to hear. */
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                  (const struct sockaddr *)&address,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
    close(fd);
}

/* A whole number above 0; 0 for anything else. */
static int64_t number_of(const char *name)
{
    const char *text = getenv(name);
    char *end = NULL;
    if (text == NULL || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' ? (int64_t)value : 0;
}

int64_t setpay_notify_watchdog_us(void)
{
    if (getenv("WATCHDOG_PID") != NULL && number_of("WATCHDOG_PID") != (int64_t)getpid())
        return 0;
    return number_of("WATCHDOG_USEC");
}

/* On the loop that is asked. */
static void answer(void *arg)
{
    struct watched *watched = arg;
    atomic_store(&watched->has_answered, true);
}

static void on_time(void *arg)
{
    struct setpay_watchdog *watchdog = arg;
    bool all_turn = true;
    for (size_t i = 0; i < watchdog->count; i++) {
        struct watched *watched = &watchdog->watched[i];
        if (watched->is_asked && !atomic_load(&watched->has_answered)) {
            all_turn = false;
            continue;
        }
        atomic_store(&watched->has_answered, false);
        watched->is_asked = setpay_loop_post(watched->loop, answer, watched) == SETPAY_OK;
        if (!watched->is_asked)
            all_turn = false;
    }
    if (all_turn)
        setpay_notify("WATCHDOG=1");
}

enum setpay_error setpay_watchdog_new(struct setpay_loop *main_loop,
                                      struct setpay_loop *const *loops, size_t count,
                                      struct setpay_watchdog **watchdog)
{
    int64_t period_ms = setpay_notify_watchdog_us() / SIGNS_PER_PERIOD / US_PER_MS;
    *watchdog = NULL;
    if (period_ms <= 0)
        return SETPAY_OK;
    struct setpay_watchdog *made = calloc(1, sizeof *made + count * sizeof made->watched[0]);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->count = count;
    for (size_t i = 0; i < count; i++)
        made->watched[i].loop = loops[i];
    enum setpay_error error = setpay_timer_new(main_loop, on_time, made, &made->timer);
    if (error != SETPAY_OK) {
        free(made);
        return error;
    }
    setpay_timer_start_periodic(made->timer, period_ms);
    *watchdog = made;
    return SETPAY_OK;
}

void setpay_watchdog_free(struct setpay_watchdog *watchdog)
{
    if (watchdog == NULL)
        return;
    setpay_timer_free(watchdog->timer);
    free(watchdog);
}
