/*
 * Making and restoring backups of an authority's folder; see backup.h.
 */
#include "ca/backup.h"

#include "ca/state.h"
#include "common/crypto/file.h"
#include "common/net/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Secrets of enrolment are good once: which of them were used since, nobody knows (rule C4). */
static enum setpay_error end_enrolments(struct setpay_db *db, void *arg)
{
    (void)arg;
    SETPAY_TRY(setpay_db_run(db, "UPDATE enrolments SET ended = 1 WHERE ended = 0"));
    return setpay_db_run(db, "DELETE FROM nonces");
}

const struct setpay_backup_party setpay_ca_backup_party = {
    .name = "ca",
    .schema = &setpay_ca_schema,
    .apart = (const char *const[]){NULL},
    .set_back_cb = end_enrolments,
    .set_back_words =
        "What the authority did after that moment it has forgotten, but for what the revocation\n"
        "lists say (rule C4). The secrets of all enrolments are good no more: make new ones. What\n"
        "it issued since it can neither renew nor revoke: have those parties enrol again. Give "
        "the\n"
        "new revocation lists to all parties, and have `log verify` hold against what a witness\n"
        "has noted before the backup.",
};

/* ---- making ---- */

static const struct {
    const char *name;
    bool secret;
} subfolders[] = {{"keys", true}, {"certificates", false}, {"crl", false}};
#define SUBFOLDERS (sizeof subfolders / sizeof *subfolders)

static enum setpay_error add_folder(const struct setpay_ca *ca, size_t which,
                                    struct setpay_backup_files *files,
                                    struct setpay_problem *problem)
{
    char path[SETPAY_CA_PATH_MAX];
    char name[SETPAY_ARCHIVE_NAME_SIZE];
    SETPAY_TRY(setpay_ca_path(ca, "", subfolders[which].name, "", path));
    DIR *folder = opendir(path);
    if (folder == NULL)
        return setpay_problem_set(problem, SETPAY_E_IO, "%s: %s", path, strerror(errno));
    enum setpay_error error = SETPAY_OK;
    for (struct dirent *entry = readdir(folder); entry != NULL && error == SETPAY_OK;
         entry = readdir(folder)) {
        /* Neither . and .. nor the temporary name of a list that is being written. */
        if (entry->d_name[0] == '.' || strstr(entry->d_name, ".tmp.") != NULL)
            continue;
        error = setpay_ca_path(ca, subfolders[which].name, entry->d_name, "", path);
        if (error == SETPAY_OK && snprintf(name, sizeof name, "%s/%s", subfolders[which].name,
                                           entry->d_name) >= (int)sizeof name)
            error = SETPAY_E_TOO_BIG;
        if (error == SETPAY_OK)
            error =
                setpay_backup_files_add(files, name, path, NULL, NULL, subfolders[which].secret);
    }
    (void)closedir(folder);
    return error;
}

static enum setpay_error add_all(const struct setpay_ca *ca, struct setpay_backup_files *files,
                                 struct setpay_problem *problem)
{
    char path[SETPAY_CA_PATH_MAX];
    files->apart = json_array();
    SETPAY_TRY(setpay_ca_path(ca, "", "root.pem", "", path));
    SETPAY_TRY(setpay_backup_files_add(files, "root.pem", path, NULL, NULL, false));
    for (size_t which = 0; which < SUBFOLDERS; which++)
        SETPAY_TRY(add_folder(ca, which, files, problem));
    SETPAY_TRY(setpay_ca_path(ca, "", "cards.key", "", path));
    if (access(path, F_OK) == 0)
        (void)json_array_append_new(files->apart,
                                    json_pack("{s:s, s:s}", "key", "card_key", "path", path));
    return SETPAY_OK;
}

enum setpay_error setpay_ca_backup(struct setpay_ca *ca, const char *path, bool stopped, bool final,
                                   json_t **result, struct setpay_problem *problem)
{
    struct setpay_backup_files files = {.list = NULL};
    const struct setpay_backup_job job = {
        .party = &setpay_ca_backup_party,
        .store = setpay_ca_store(ca),
        .path = path,
        .files = &files,
        .stopped = stopped,
        .final = final,
    };
    enum setpay_error error = add_all(ca, &files, problem);
    if (error == SETPAY_OK)
        error = setpay_backup_make(&job, result, problem);
    setpay_backup_files_clear(&files);
    return error;
}

/* ---- restoring ---- */

struct restoring {
    const struct setpay_ca_restore *restore;
    struct setpay_backup_contents contents;
    char fresh[PATH_MAX]; /* the folder while it is made, beside its place */
    char aside[PATH_MAX]; /* "" where nothing has to be kept */
    int lock_fd;
    setpay_time_ms now;
    size_t revoked;
};

/* What is there, and whether somebody uses it. */
static enum setpay_error look_at_folder(struct restoring *restoring, struct setpay_problem *problem)
{
    const char *folder = restoring->restore->folder;
    char url[PATH_MAX + 32];
    char path[PATH_MAX + 16];
    struct stat status;
    if (rmdir(folder) == 0 || errno == ENOENT)
        return SETPAY_OK; /* empty, or not there */
    (void)snprintf(url, sizeof url, "sqlite:%s/ca.db", folder);
    (void)snprintf(path, sizeof path, "%s/ca.db", folder);
    if (stat(path, &status) == 0)
        SETPAY_TRY(setpay_store_lock(url, &restoring->lock_fd, problem));
    if (!restoring->restore->force)
        return setpay_problem_set(problem, SETPAY_E_EXISTS,
                                  "%s: there is something, and it is left as it is; name a folder "
                                  "that is not there, or with --force keep it aside",
                                  folder);
    (void)snprintf(restoring->aside, sizeof restoring->aside, "%s.before-%lld", folder,
                   (long long)restoring->now);
    return SETPAY_OK;
}

static enum setpay_error make_fresh(struct restoring *restoring, struct setpay_problem *problem)
{
    char path[PATH_MAX + 32];
    const char *folder = restoring->restore->folder;
    if (snprintf(restoring->fresh, sizeof restoring->fresh, "%s.restoring-XXXXXX", folder) >=
            (int)sizeof restoring->fresh - 64 ||
        mkdtemp(restoring->fresh) == NULL) {
        restoring->fresh[0] = '\0';
        return setpay_problem_set(problem, errno == EACCES ? SETPAY_E_PERMISSION : SETPAY_E_IO,
                                  "%s can't be made: %s", folder, strerror(errno));
    }
    if (chmod(restoring->fresh, 0755) != 0)
        return SETPAY_E_IO;
    for (size_t which = 0; which < SUBFOLDERS; which++) {
        (void)snprintf(path, sizeof path, "%s/%s", restoring->fresh, subfolders[which].name);
        if (mkdir(path, subfolders[which].secret ? 0700 : 0755) != 0)
            return setpay_problem_set(problem, SETPAY_E_IO, "%s: %s", path, strerror(errno));
    }
    return SETPAY_OK;
}

/* What was made of it, where it comes to nothing. */
static void remove_fresh(const char *fresh)
{
    static const char *const files[] = {"ca.db", "ca.db-wal", "ca.db-shm", "ca.db.lock",
                                        "root.pem"};
    char path[2 * PATH_MAX];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", fresh, files[i]);
        (void)unlink(path);
    }
    for (size_t which = 0; which < SUBFOLDERS; which++) {
        char subfolder[PATH_MAX + 32];
        (void)snprintf(subfolder, sizeof subfolder, "%s/%s", fresh, subfolders[which].name);
        DIR *folder = opendir(subfolder);
        for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
             entry = readdir(folder)) {
            (void)snprintf(path, sizeof path, "%s/%s", subfolder, entry->d_name);
            (void)unlink(path);
        }
        if (folder != NULL)
            (void)closedir(folder);
        (void)rmdir(subfolder);
    }
    (void)rmdir(fresh);
}

/* setpay_backup_place_cb */
static enum setpay_error place_database(void *arg, struct setpay_backup_contents *contents, int *fd,
                                        struct setpay_problem *problem)
{
    struct restoring *restoring = arg;
    const struct setpay_ca_restore *restore = restoring->restore;
    char path[PATH_MAX + 32];
    SETPAY_TRY(setpay_restore_check_moved(contents, restore->path, restore->moved, problem));
    if (!restore->moved && restore->lists == NULL)
        return setpay_problem_set(
            problem, SETPAY_E_USAGE,
            "--crls DIR is needed: the newest revocation lists, from any party's folder. What was "
            "revoked after the backup would become good again without them");
    SETPAY_TRY(look_at_folder(restoring, problem));
    SETPAY_TRY(make_fresh(restoring, problem));
    (void)snprintf(path, sizeof path, "%s/ca.db", restoring->fresh);
    *fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return *fd >= 0 ? SETPAY_OK
                    : setpay_problem_set(problem, SETPAY_E_IO, "%s: %s", path, strerror(errno));
}

/* "files/root.pem", "files/keys/NAME", …: nothing that leads elsewhere. */
static bool is_ours(const char *name)
{
    const char *rest = name + strlen("files/");
    if (strcmp(rest, "root.pem") == 0)
        return true;
    for (size_t which = 0; which < SUBFOLDERS; which++) {
        size_t size = strlen(subfolders[which].name);
        if (strncmp(rest, subfolders[which].name, size) == 0 && rest[size] == '/' &&
            rest[size + 1] != '.' && rest[size + 1] != '\0' && strchr(rest + size + 1, '/') == NULL)
            return true;
    }
    return false;
}

static enum setpay_error write_files(const struct restoring *restoring,
                                     struct setpay_problem *problem)
{
    char path[PATH_MAX + SETPAY_ARCHIVE_NAME_SIZE];
    for (size_t i = 0; i < restoring->contents.file_count; i++) {
        const struct setpay_backup_taken *file = &restoring->contents.files[i];
        if (!is_ours(file->name))
            return setpay_problem_set(problem, SETPAY_E_BACKUP,
                                      "%s: \"%.80s\" in it belongs in no authority's folder",
                                      restoring->restore->path, file->name);
        (void)snprintf(path, sizeof path, "%s/%s", restoring->fresh, file->name + strlen("files/"));
        bool secret = strncmp(file->name, "files/keys/", 11) == 0;
        SETPAY_TRY(setpay_file_write(path, setpay_buffer_view(&file->content), secret ? 0600 : 0644,
                                     false, problem));
    }
    return SETPAY_OK;
}

static enum setpay_error set_back(struct restoring *restoring,
                                  const struct setpay_store_restore *restore,
                                  struct setpay_problem *problem)
{
    struct setpay_ca *ca = NULL;
    SETPAY_TRY(setpay_ca_open(restoring->fresh, false, &ca, problem));
    enum setpay_error error = setpay_ca_unlock(ca, restoring->restore->passphrase, problem);
    if (error == SETPAY_OK && !restoring->restore->moved)
        error = setpay_ca_set_back(ca, restoring->restore->lists, restore, &restoring->revoked,
                                   problem);
    setpay_ca_close(ca);
    return error;
}

static enum setpay_error put(struct restoring *restoring, struct setpay_problem *problem)
{
    const char *folder = restoring->restore->folder;
    char lock[PATH_MAX + 32];
    (void)snprintf(lock, sizeof lock, "%s/ca.db.lock", restoring->fresh);
    (void)unlink(lock);
    if (restoring->aside[0] != '\0' && rename(folder, restoring->aside) != 0)
        return setpay_problem_set(problem, SETPAY_E_IO, "%s can't be kept aside: %s", folder,
                                  strerror(errno));
    if (rename(restoring->fresh, folder) != 0)
        return setpay_problem_set(problem, SETPAY_E_IO, "%s can't be put in place: %s", folder,
                                  strerror(errno));
    restoring->fresh[0] = '\0';
    return SETPAY_OK;
}

static json_t *result_of(const struct restoring *restoring)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    json_t *result =
        json_pack("{s:s, s:s, s:b, s:[s], s:I}", "party", "ca", "made",
                  setpay_time_format(restoring->contents.made_ms, text), "moved",
                  (int)restoring->restore->moved, "restored", restoring->restore->folder,
                  "revoked_again", (json_int_t)restoring->revoked);
    if (result == NULL)
        return NULL;
    if (restoring->aside[0] != '\0')
        (void)json_object_set_new(result, "kept_aside", json_pack("[s]", restoring->aside));
    json_t *apart = json_object_get(restoring->contents.manifest, "apart");
    if (json_array_size(apart) > 0)
        (void)json_object_set_new(
            result, "bring",
            json_pack("[o]", json_sprintf("%s/cards.key", restoring->restore->folder)));
    if (!restoring->restore->moved)
        (void)json_object_set_new(result, "set_back",
                                  json_string(setpay_ca_backup_party.set_back_words));
    return result;
}

enum setpay_error setpay_ca_restore(const struct setpay_ca_restore *restore, setpay_time_ms now,
                                    json_t **result, struct setpay_problem *problem)
{
    struct restoring restoring = {.restore = restore, .lock_fd = -1, .now = now};
    const struct setpay_backup_source source = {.path = restore->path};
    char path[PATH_MAX + 32];
    enum setpay_error error = setpay_backup_read(&source, &setpay_ca_backup_party, place_database,
                                                 &restoring, &restoring.contents, problem);
    const struct setpay_store_restore moments = {.backup_ms = restoring.contents.made_ms,
                                                 .restored_ms = now};
    (void)snprintf(path, sizeof path, "%s/ca.db", restoring.fresh);
    if (error == SETPAY_OK)
        error = setpay_restore_database(path, &setpay_ca_backup_party, &moments, restore->moved,
                                        problem);
    if (error == SETPAY_OK)
        error = write_files(&restoring, problem);
    if (error == SETPAY_OK)
        error = set_back(&restoring, &moments, problem);
    if (error == SETPAY_OK)
        error = put(&restoring, problem);
    if (error == SETPAY_OK)
        *result = result_of(&restoring);
    if (restoring.fresh[0] != '\0')
        remove_fresh(restoring.fresh);
    if (restoring.lock_fd >= 0)
        (void)close(restoring.lock_fd);
    setpay_backup_contents_clear(&restoring.contents);
    return error;
}
