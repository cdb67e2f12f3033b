/*
 * Whole small files, read and written safely.
 *
 * What always holds: a file is there whole or not at all. It is written under a temporary name in
 * the same folder, synced, and only then takes its own name; the folder is synced after. A private
 * file is judged by the open descriptor and not by its name, so that it can't be exchanged between
 * the look and the read.
 */
#include "common/crypto/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_FILE_MAX (64 * 1024)

static bool write_all(int fd, struct setpay_view content)
{
    size_t done = 0;
    while (done < content.size) {
        ssize_t wrote = write(fd, content.data + done, content.size - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        done += (size_t)wrote;
    }
    return true;
}

bool setpay_file_sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (length >= sizeof(folder))
        return false;
    if (slash == NULL || length == 0)
        (void)snprintf(folder, sizeof(folder), "%s", slash == NULL ? "." : "/");
    else
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)length, path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = fsync(fd) == 0;
    close(fd);
    return done;
}

enum setpay_error setpay_file_write(const char *path, struct setpay_view content, unsigned mode,
                                    bool replace, struct setpay_problem *problem)
{
    enum setpay_error error = SETPAY_E_IO;
    char temporary[PATH_MAX];
    bool made = false;
    int fd = -1;
    int length = snprintf(temporary, sizeof(temporary), "%s.tmp.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof(temporary))
        return setpay_problem_set(problem, SETPAY_E_IO, "%.200s...: the path is too long", path);
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        goto out;
    made = true;
    if (fchmod(fd, (mode_t)mode) != 0 || !write_all(fd, content) || fsync(fd) != 0)
        goto out;
    int closed = close(fd);
    fd = -1;
    if (closed != 0)
        goto out;
    /* link, unlike rename, does not replace. */
    if (replace ? rename(temporary, path) != 0 : link(temporary, path) != 0) {
        if (!replace && errno == EEXIST)
            error = SETPAY_E_EXISTS;
        goto out;
    }
    made = !replace;
    if (!setpay_file_sync_folder(path))
        goto out;
    error = SETPAY_OK;
out:;
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (made)
        (void)unlink(temporary);
    if (error == SETPAY_E_EXISTS)
        return setpay_problem_set(problem, error,
                                  "%s: exists already; move it away, or choose another name", path);
    if (error != SETPAY_OK)
        return setpay_problem_set(problem, error, "%s: can't be written: %s", path, strerror(why));
    return SETPAY_OK;
}

static enum setpay_error open_error(const char *path, int why, struct setpay_problem *problem)
{
    if (why == ENOENT || why == ENOTDIR)
        return setpay_problem_set(problem, SETPAY_E_NOT_FOUND, "%s: no such file", path);
    if (why == ELOOP)
        return setpay_problem_set(problem, SETPAY_E_PERMISSION,
                                  "%s: is a symbolic link; name the file itself", path);
    if (why == EACCES || why == EPERM)
        return setpay_problem_set(problem, SETPAY_E_PERMISSION, "%s: may not be read", path);
    return setpay_problem_set(problem, SETPAY_E_IO, "%s: can't be opened: %s", path, strerror(why));
}

/* Reads size bytes or what there is; -1 on failure. */
static ssize_t read_all(int fd, uint8_t *room, size_t size)
{
    size_t held = 0;
    while (held < size) {
        ssize_t got = read(fd, room + held, size - held);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        held += (size_t)got;
    }
    return (ssize_t)held;
}

enum setpay_error setpay_file_read_secret(const char *path, struct setpay_secret *content,
                                          struct setpay_problem *problem)
{
    enum setpay_error error;
    struct setpay_secret whole = {0};
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return open_error(path, errno, problem);
    if (fstat(fd, &status) != 0) {
        error = setpay_problem_set(problem, SETPAY_E_IO, "%s: %s", path, strerror(errno));
        goto out;
    }
    if (!S_ISREG(status.st_mode)) {
        error = setpay_problem_set(problem, SETPAY_E_PERMISSION, "%s: is no regular file", path);
        goto out;
    }
    if (status.st_uid != geteuid() && status.st_uid != 0) {
        error = setpay_problem_set(problem, SETPAY_E_PERMISSION,
                                   "%s: belongs to user %u; expected the user who runs this (%u)",
                                   path, (unsigned)status.st_uid, (unsigned)geteuid());
        goto out;
    }
    if ((status.st_mode & 077) != 0) {
        error = setpay_problem_set(problem, SETPAY_E_PERMISSION,
                                   "%s: has mode %04o, so that others may use it; expected 0600: "
                                   "chmod 600 it, and replace the secret if others had access",
                                   path, (unsigned)(status.st_mode & 07777));
        goto out;
    }
    if (status.st_size <= 0 || status.st_size > SECRET_FILE_MAX) {
        error =
            setpay_problem_set(problem, SETPAY_E_INVALID, "%s: has %lld bytes; expected 1 to %d",
                               path, (long long)status.st_size, SECRET_FILE_MAX);
        goto out;
    }
    error = setpay_secret_alloc(&whole, (size_t)status.st_size);
    if (error != SETPAY_OK)
        goto out;
    ssize_t got = read_all(fd, whole.data, whole.size);
    size_t size = got < 0 ? 0 : (size_t)got;
    if (size > 0 && whole.data[size - 1] == '\n')
        size--;
    if (size > 0 && whole.data[size - 1] == '\r')
        size--;
    if (got < 0)
        error = setpay_problem_set(problem, SETPAY_E_IO, "%s: %s", path, strerror(errno));
    else if (size == 0)
        error = setpay_problem_set(problem, SETPAY_E_INVALID, "%s: is empty", path);
    else
        error = setpay_secret_copy(content, setpay_view_of(whole.data, size));
out:
    setpay_secret_clear(&whole);
    close(fd);
    return error;
}

enum setpay_error setpay_file_read(const char *path, struct setpay_buffer *content,
                                   struct setpay_problem *problem)
{
    enum setpay_error error;
    struct setpay_buffer whole;
    struct stat status;
    uint8_t *room = NULL;
    setpay_buffer_init(&whole, content->max);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return open_error(path, errno, problem);
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        error = setpay_problem_set(problem, SETPAY_E_IO, "%s: is no regular file", path);
        goto out;
    }
    if ((uint64_t)status.st_size > content->max) {
        error = setpay_problem_set(problem, SETPAY_E_TOO_BIG,
                                   "%s: has %lld bytes; at most %zu are read", path,
                                   (long long)status.st_size, content->max);
        goto out;
    }
    if (status.st_size == 0) {
        setpay_buffer_reset(content);
        error = SETPAY_OK;
        goto out;
    }
    error = setpay_buffer_extend(&whole, (size_t)status.st_size, &room);
    if (error != SETPAY_OK)
        goto out;
    ssize_t got = read_all(fd, room, (size_t)status.st_size);
    if (got < 0) {
        error = setpay_problem_set(problem, SETPAY_E_IO, "%s: %s", path, strerror(errno));
        goto out;
    }
    whole.size = (size_t)got;
    setpay_buffer_move(content, &whole);
out:
    setpay_buffer_clear(&whole);
    close(fd);
    return error;
}

/* Zeros over the whole of it, synced. */
static bool blank(const char *path)
{
    static const uint8_t zeros[4096];
    struct stat status;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    bool done = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    for (off_t left = done ? status.st_size : 0; done && left > 0;) {
        size_t size = left < (off_t)sizeof(zeros) ? (size_t)left : sizeof(zeros);
        done = write_all(fd, setpay_view_of(zeros, size));
        left -= (off_t)size;
    }
    done = done && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

enum setpay_error setpay_file_destroy(const char *path, struct setpay_problem *problem)
{
    bool blanked = blank(path);
    if (!blanked && errno == ENOENT)
        return SETPAY_OK;
    /* What can't be overwritten is unlinked all the same. */
    int why = errno;
    if (unlink(path) == 0 && setpay_file_sync_folder(path) && blanked)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_IO, "%s: can't be destroyed: %s", path,
                              strerror(blanked ? errno : why));
}
