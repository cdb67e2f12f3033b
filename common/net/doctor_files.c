/*
 * Files, modes and room: what a person can have forgotten or filled.
 */
#include "common/net/doctor.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A commit that finds no room is refused whole, and nothing is lost; but nothing works either. */
#define ROOM_MIN_BYTES (UINT64_C(16) * 1024 * 1024)
#define ROOM_SOON_BYTES (2 * ROOM_MIN_BYTES)
#define STUCK_AFTER_MS 5000
/* The alert SetpayBackupOld has the same. */
#define BACKUP_SOON_MS (2 * SETPAY_DAY_MS)

/* ------------------------------------------------------------------ what the configuration names
 */

static void on_file(void *arg, const struct setpay_config_file *file)
{
    struct setpay_doctor *doctor = arg;
    bool is_section = file->section[0] != '\0';
    char todo[PATH_MAX + 160];
    const char *name = SETPAY_CHECK_PERMISSIONS;
    switch (file->fault) {
    case SETPAY_CONFIG_FILE_FINE:
        return;
    case SETPAY_CONFIG_FILE_ABSENT:
        name = SETPAY_CHECK_FILES;
        (void)snprintf(todo, sizeof todo,
                       "name the right file in the key %s; or put it there: enrolment makes keys "
                       "and certificates, the backup has all else",
                       file->key);
        break;
    case SETPAY_CONFIG_FILE_KIND:
        name = SETPAY_CHECK_FILES;
        (void)snprintf(todo, sizeof todo, "name the file itself in the key %s", file->key);
        break;
    case SETPAY_CONFIG_FILE_OWNER:
        (void)snprintf(todo, sizeof todo,
                       "run this as the daemon's user; if it is, give it the file: chown USER '%s'",
                       file->path);
        break;
    case SETPAY_CONFIG_FILE_MODE:
        (void)snprintf(todo, sizeof todo,
                       "chmod 600 '%s', and replace the secret if others had access", file->path);
        break;
    case SETPAY_CONFIG_FILE_UNREADABLE:
        (void)snprintf(todo, sizeof todo,
                       "let the daemon's user read it: owner, mode, and the folders above it");
        break;
    }
    setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, name, file->path, todo,
                      "the key %s%s%s%s names %s: %s", file->key, is_section ? " in [" : "",
                      file->section, is_section ? "]" : "", file->path, file->words);
}

/* ------------------------------------------------------------------ what the daemon makes */

void setpay_doctor_mode(struct setpay_doctor *doctor, const char *path)
{
    struct stat status;
    char todo[PATH_MAX + 64];
    if (path == NULL || lstat(path, &status) != 0)
        return; /* made when it is needed */
    bool is_folder = S_ISDIR(status.st_mode);
    if ((status.st_mode & 077) != 0) {
        (void)snprintf(todo, sizeof todo, "chmod %s '%s'", is_folder ? "700" : "600", path);
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_PERMISSIONS, path, todo,
                          "%s has the mode %04o, so that others can reach it; expected %s", path,
                          (unsigned)(status.st_mode & 07777), is_folder ? "0700" : "0600");
    } else if (status.st_uid != geteuid() && geteuid() != 0) {
        (void)snprintf(todo, sizeof todo, "chown it, or run this as its owner");
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_PERMISSIONS, path, todo,
                          "%s belongs to the user %u, this is %u", path, (unsigned)status.st_uid,
                          (unsigned)geteuid());
    }
}

static const char *folder_of(const char *path, char folder[PATH_MAX])
{
    (void)snprintf(folder, PATH_MAX, "%s", path);
    return dirname(folder);
}

/* That the daemon can make what it needs there. */
static void check_folder(struct setpay_doctor *doctor, const char *key, const char *path)
{
    char room[PATH_MAX], todo[PATH_MAX + 64];
    struct stat status;
    if (path == NULL)
        return;
    const char *folder = folder_of(path, room);
    if (stat(folder, &status) != 0) {
        (void)snprintf(todo, sizeof todo, "mkdir -m 700 '%s'", folder);
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_FILES, folder, todo,
                          "the folder %s of the key %s: %s", folder, key, strerror(errno));
    } else if (access(folder, W_OK | X_OK) != 0) {
        (void)snprintf(todo, sizeof todo, "let the daemon's user write to it");
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_PERMISSIONS, folder, todo,
                          "the folder %s of the key %s: %s", folder, key, strerror(errno));
    }
}

/* A key of the configuration that this daemon may not have; NULL where it has not, or unset. */
static const char *text_of(const struct setpay_doctor *doctor, const char *key)
{
    return setpay_config_has_key(doctor->config, "", key)
               ? setpay_config_text(doctor->config, "", key)
               : NULL;
}

static const char *database_path(const struct setpay_doctor *doctor)
{
    const char *url = text_of(doctor, "database");
    return url == NULL ? NULL : setpay_store_path(url);
}

void setpay_doctor_files(struct setpay_doctor *doctor)
{
    static const char *const sockets[] = {"admin_socket", "socket"};
    const char *database = database_path(doctor);
    size_t failed = doctor->failed;
    setpay_config_visit_files(doctor->config, on_file, doctor);
    check_folder(doctor, "database", database);
    setpay_doctor_mode(doctor, database);
    check_folder(doctor, "log", text_of(doctor, "log"));
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++) {
        check_folder(doctor, sockets[i], text_of(doctor, sockets[i]));
        setpay_doctor_mode(doctor, text_of(doctor, sockets[i]));
    }
    if (doctor->failed == failed)
        setpay_doctor_say(doctor, SETPAY_FINDING_OK, SETPAY_CHECK_PERMISSIONS, "", "",
                          "all files that the configuration names are there, and secrets are for "
                          "their owner alone");
}

/* ------------------------------------------------------------------ room */

void setpay_doctor_room(struct setpay_doctor *doctor, const char *path, const char *what)
{
    struct statvfs fs;
    char room[PATH_MAX];
    const char *place = access(path, F_OK) == 0 ? path : folder_of(path, room);
    if (statvfs(place, &fs) != 0) {
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_DISK, path,
                          "see that the folder is there", "the room where %s is, %s: %s", what,
                          place, strerror(errno));
        return;
    }
    uint64_t bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    bool no_inodes = fs.f_files > 0 && fs.f_favail == 0;
    bool full = bytes < ROOM_MIN_BYTES || no_inodes;
    const char *todo =
        "make room on that disk: move old logs away, or what else fills it (du -x); or give it "
        "more. A daemon that met a full disk is started again afterwards";
    setpay_doctor_say(doctor,
                      full                      ? SETPAY_FINDING_FAIL
                      : bytes < ROOM_SOON_BYTES ? SETPAY_FINDING_WARN
                                                : SETPAY_FINDING_OK,
                      SETPAY_CHECK_DISK, path, todo, "%s%llu MB are free where %s is (%s)%s",
                      full ? "the disk is full: " : "", (unsigned long long)(bytes / 1000000), what,
                      place, no_inodes ? ", and no file can be made (no inodes left)" : "");
}

void setpay_doctor_disk(struct setpay_doctor *doctor)
{
    const char *database = database_path(doctor);
    const char *log = text_of(doctor, "log");
    if (database != NULL)
        setpay_doctor_room(doctor, database, "the database");
    if (log != NULL)
        setpay_doctor_room(doctor, log, "the log");
}

void setpay_doctor_safety(struct setpay_doctor *doctor, const struct setpay_store_safety *safety)
{
    char todo[NAME_MAX], text[SETPAY_TIME_TEXT_SIZE], span[SETPAY_SPAN_TEXT_SIZE];
    const char *daemon = doctor->daemon->name;
    bool is_made = safety->backup_ms != 0;
    int64_t age_ms = doctor->now_ms - (is_made ? safety->backup_ms : safety->begun_ms);
    enum setpay_finding level = age_ms > BACKUP_SOON_MS ? SETPAY_FINDING_WARN : SETPAY_FINDING_OK;
    /* Programs are named as their daemons, without the d. */
    (void)snprintf(todo, sizeof todo,
                   "make one, whether or not the daemon runs: %.*s backup FILE; better have a "
                   "timer do it every day",
                   (int)strlen(daemon) - 1, daemon);
    if (is_made)
        setpay_doctor_say(doctor, level, SETPAY_CHECK_BACKUP, "", todo,
                          "the newest backup was made at %s, %s ago",
                          setpay_time_format(safety->backup_ms, text),
                          setpay_doctor_span(age_ms > 0 ? age_ms : 0, span));
    else
        setpay_doctor_say(doctor, level, SETPAY_CHECK_BACKUP, "", todo,
                          "no backup was ever made of the database, which is %s old",
                          setpay_doctor_span(age_ms > 0 ? age_ms : 0, span));
}

void setpay_doctor_store(struct setpay_doctor *doctor, struct setpay_store *store)
{
    struct setpay_store_health health;
    setpay_store_health(store, STUCK_AFTER_MS, &health);
    bool bad = health.broken || health.stuck;
    setpay_doctor_say(doctor, bad ? SETPAY_FINDING_FAIL : SETPAY_FINDING_OK, SETPAY_CHECK_DATABASE,
                      "", "look at the disk, then start the daemon again", "%s",
                      health.broken  ? "a commit failed: nothing more is taken"
                      : health.stuck ? "an operation has been waiting for long"
                                     : "the database takes what it is given");
    setpay_doctor_safety(doctor, &health.safety);
}
