/*
 * Addresses on which a daemon listens: whether they are free, the daemon's own, or somebody else's,
 * and whose. A socket is bound for the look and never listens, so that nobody can connect to it.
 */
#include "common/net/doctor.h"
#include "common/net/listen.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_SIZE 512
#define TCP_LISTEN 0x0a
#define COMM_SIZE 32

/* ------------------------------------------------------------------ who listens there */

struct holder {
    unsigned long inode;
    unsigned user;
    long pid; /* 0: nobody may look */
    char name[COMM_SIZE];
};

/* The kernel's text for an address: words of 32 bits in the machine's order, in hex. */
static void kernel_text(const struct setpay_address *address, char *out, size_t size)
{
    const uint8_t *bytes;
    size_t words, used = 0;
    if (address->storage.ss_family == AF_INET6) {
        bytes = ((const struct sockaddr_in6 *)&address->storage)->sin6_addr.s6_addr;
        words = 4;
    } else {
        bytes = (const uint8_t *)&((const struct sockaddr_in *)&address->storage)->sin_addr;
        words = 1;
    }
    for (size_t i = 0; i < words; i++) {
        uint32_t word;
        memcpy(&word, bytes + 4 * i, sizeof word);
        used += (size_t)snprintf(out + used, size - used, "%08" PRIX32, word);
    }
    (void)snprintf(out + used, size - used, ":%04X", setpay_address_port(address));
}

/* Its own address, or the one that stands for all. */
static bool is_there(const char *local, const char *wanted)
{
    const char *colon = strchr(local, ':'), *port = strchr(wanted, ':');
    return strcmp(local, wanted) == 0 || (colon != NULL && strcmp(colon, port) == 0 &&
                                          strspn(local, "0") == (size_t)(colon - local));
}

static bool find_socket(const char *table, const char *wanted, struct holder *holder)
{
    char line[LINE_SIZE], local[64];
    bool found = false;
    FILE *file = fopen(table, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        unsigned state, user;
        unsigned long inode;
        found = sscanf(line, " %*d: %63s %*s %x %*s %*s %*s %u %*d %lu", local, &state, &user,
                       &inode) == 4 &&
                state == TCP_LISTEN && is_there(local, wanted);
        if (found) {
            holder->user = user;
            holder->inode = inode;
        }
    }
    (void)fclose(file);
    return found;
}

static void read_name(long pid, char name[COMM_SIZE])
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(name, COMM_SIZE, file) == NULL)
        (void)snprintf(name, COMM_SIZE, "?");
    name[strcspn(name, "\n")] = '\0';
    if (file != NULL)
        (void)fclose(file);
}

static bool has_socket(const char *pid, unsigned long inode)
{
    char path[PATH_MAX], target[64], wanted[64];
    bool found = false;
    (void)snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    (void)snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *entries = opendir(path);
    const struct dirent *entry;
    while (!found && entries != NULL && (entry = readdir(entries)) != NULL) {
        (void)snprintf(path, sizeof path, "/proc/%.20s/fd/%.20s", pid, entry->d_name);
        ssize_t size = readlink(path, target, sizeof target - 1);
        target[size > 0 ? size : 0] = '\0';
        found = strcmp(target, wanted) == 0;
    }
    if (entries != NULL)
        (void)closedir(entries);
    return found;
}

static bool find_holder(const struct setpay_address *address, struct holder *holder)
{
    char wanted[64];
    memset(holder, 0, sizeof *holder);
    kernel_text(address, wanted, sizeof wanted);
    if (!find_socket("/proc/net/tcp", wanted, holder) &&
        !find_socket("/proc/net/tcp6", wanted, holder))
        return false;
    DIR *entries = opendir("/proc");
    const struct dirent *entry;
    while (holder->pid == 0 && entries != NULL && (entry = readdir(entries)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0]) && has_socket(entry->d_name, holder->inode))
            holder->pid = strtol(entry->d_name, NULL, 10);
    }
    if (entries != NULL)
        (void)closedir(entries);
    if (holder->pid != 0)
        read_name(holder->pid, holder->name);
    return true;
}

/* ------------------------------------------------------------------ one address */

/* 0, or why nobody could listen there. */
static int try_bind(const struct setpay_address *address)
{
    int one = 1, why = 0;
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->storage.ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&address->storage, address->size) != 0)
        why = errno;
    (void)close(fd);
    return why;
}

static void say_taken(struct setpay_doctor *doctor, const char *key, const char *text,
                      const struct holder *holder)
{
    char who[96], todo[256];
    if (holder->pid != 0)
        (void)snprintf(who, sizeof who, "the process %ld (%s)", holder->pid, holder->name);
    else
        (void)snprintf(who, sizeof who, "a process of the user %u", holder->user);
    (void)snprintf(todo, sizeof todo,
                   "stop that process (ss -ltnp shows it to root), or give the key %s another port",
                   key);
    setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_PORTS, text, todo,
                      "port taken: %s (key %s) is held by %s", text, key, who);
}

static void say_unbindable(struct setpay_doctor *doctor, const char *key, const char *text, int why)
{
    setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_PORTS, text,
                      why == EACCES ? "take a port above 1023, or give the daemon "
                                      "CAP_NET_BIND_SERVICE"
                      : why == EADDRNOTAVAIL
                          ? "name an address that this computer has (ip address shows them)"
                          : "see ss -ltnp",
                      "nobody can listen on %s (key %s): %s", text, key, strerror(why));
}

static void check_address(struct setpay_doctor *doctor, const char *key, const char *text)
{
    struct setpay_problem problem = {{0}};
    struct setpay_address address;
    struct holder holder;
    if (setpay_address_parse(text, &address, &problem) != SETPAY_OK) {
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_PORTS, text,
                          "name an address of this computer", "the key %s: %s", key, problem.text);
        return;
    }
    if (setpay_address_port(&address) == 0)
        return; /* any */
    bool is_held = find_holder(&address, &holder);
    if (doctor->runs) {
        if (!is_held)
            setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_PORTS, text,
                              "start the daemon again: the configuration was changed since",
                              "%s (key %s) is not the address on which %s listens", text, key,
                              doctor->daemon->name);
        else if (holder.pid != 0 && holder.pid != (long)doctor->pid)
            say_taken(doctor, key, text, &holder);
        return;
    }
    int why = try_bind(&address);
    if (why == EADDRINUSE)
        say_taken(doctor, key, text, &holder);
    else if (why != 0)
        say_unbindable(doctor, key, text, why);
}

void setpay_doctor_ports(struct setpay_doctor *doctor)
{
    size_t failed = doctor->failed;
    const struct setpay_service_listener *listeners = doctor->daemon->listeners;
    for (size_t i = 0; i < SETPAY_SERVICE_LISTENERS_MAX && listeners[i].name != NULL; i++) {
        const char *text = setpay_config_text(doctor->config, "", listeners[i].key);
        if (text != NULL)
            check_address(doctor, listeners[i].key, text);
    }
    const char *admin = setpay_config_text(doctor->config, "", "admin_address");
    if (admin != NULL)
        check_address(doctor, "admin_address", admin);
    if (doctor->failed == failed)
        setpay_doctor_say(doctor, SETPAY_FINDING_OK, SETPAY_CHECK_PORTS, "", "",
                          doctor->runs ? "%s listens on every address of its configuration"
                                       : "every address on which %s would listen is free",
                          doctor->daemon->name);
}
