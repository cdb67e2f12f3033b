/*
 * One connection at a time over a UNIX socket: no port is used up, and nothing leaves the machine.
 */
#include "tests/fuzz/talk.h"

#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REPLY_MAX (1024 * 1024)
/* Turns in which nothing moved: the first wait for the store's thread, the rest are for machines
 * that are slow. */
#define QUIET_TURNS 4
#define TURN_US 150
#define TURNS_MAX 200000

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    FUZZ_CHECK(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

int fuzz_listen(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    FUZZ_CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
               listen(fd, 8) == 0);
    return fd;
}

struct talk {
    int fd;
    struct setpay_view left;
    size_t received;
    bool closed;
};

static uint8_t *reply;

/* Whether anything moved. */
static bool turn(struct talk *talk, struct event_base *base)
{
    bool moved = false;
    if (talk->left.size > 0) {
        ssize_t sent = send(talk->fd, talk->left.data, talk->left.size, MSG_NOSIGNAL);
        if (sent > 0) {
            fuzz_take_bytes(&talk->left, (size_t)sent);
            moved = true;
        } else if (errno != EAGAIN && errno != EINTR) {
            talk->left.size = 0; /* it has closed; what it said before may still be read */
        }
    }
    FUZZ_CHECK(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
    FUZZ_CHECK(talk->received < REPLY_MAX);
    ssize_t got = recv(talk->fd, reply + talk->received, REPLY_MAX - talk->received, 0);
    if (got > 0) {
        talk->received += (size_t)got;
        return true;
    }
    talk->closed = got == 0 || (errno != EAGAIN && errno != EINTR);
    return moved || talk->closed;
}

static void rest(void)
{
    const struct timespec pause = {0, TURN_US * 1000L};
    (void)nanosleep(&pause, NULL);
}

struct setpay_view fuzz_talk(struct event_base *base, const char *path, struct setpay_view bytes)
{
    struct sockaddr_un address = address_of(path);
    struct talk talk = {.left = bytes};
    if (reply == NULL)
        reply = malloc(REPLY_MAX);
    FUZZ_CHECK(reply != NULL);
    talk.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FUZZ_CHECK(talk.fd >= 0 &&
               connect(talk.fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
               fcntl(talk.fd, F_SETFL, O_NONBLOCK) == 0);
    for (unsigned quiet = 0; quiet < QUIET_TURNS && !talk.closed; quiet++) {
        if (turn(&talk, base))
            quiet = 0;
        else
            rest();
    }
    (void)shutdown(talk.fd, SHUT_WR);
    for (unsigned turns = 0; !talk.closed; turns++) {
        FUZZ_CHECK(turns < TURNS_MAX); /* it never closes */
        if (!turn(&talk, base))
            rest();
    }
    close(talk.fd);
    FUZZ_CHECK(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
    return setpay_view_of(reply, talk.received);
}

/* ------------------------------------------------------------------ the folder */

static char folder[128];

static void remove_folder(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char path[sizeof(folder) + 258];
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        (void)unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    (void)rmdir(folder);
}

const char *fuzz_folder(void)
{
    const char *temporary = getenv("TMPDIR");
    if (folder[0] != '\0')
        return folder;
    if (temporary == NULL)
        temporary = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(folder, sizeof(folder), "%s/setpay-fuzz.XXXXXX", temporary);
    FUZZ_CHECK(mkdtemp(folder) != NULL);
    FUZZ_CHECK(atexit(remove_folder) == 0);
    return folder;
}
