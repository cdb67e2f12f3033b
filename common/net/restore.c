/*
 * Restoring a daemon's backup; see restore.h.
 *
 *     lock -> read all, the database beside its place -> set it back -> look at every place
 *       -> configuration, files, database take their places
 */
#include "common/net/restore.h"

#include "common/crypto/file.h"
#include "common/net/party_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------ the database */

struct setting_back {
    const struct setpay_backup_party *party;
    struct setpay_store_restore restore;
    bool moved;
};

static enum setpay_error set_back(struct setpay_db *db, void *arg)
{
    struct setting_back *setting = arg;
    SETPAY_TRY(setpay_store_add_restore(db, &setting->restore, setting->moved));
    return setting->party->set_back_cb != NULL && !setting->moved
               ? setting->party->set_back_cb(db, &setting->restore)
               : SETPAY_OK;
}

enum setpay_error setpay_restore_database(const char *path, const struct setpay_backup_party *party,
                                          const struct setpay_store_restore *restore, bool moved,
                                          struct setpay_problem *problem)
{
    struct setting_back setting = {.party = party, .restore = *restore, .moved = moved};
    struct setpay_store *store = NULL;
    char url[PATH_MAX + 16];
    char lock[PATH_MAX + 16];
    (void)snprintf(url, sizeof url, "sqlite:%s", path);
    (void)snprintf(lock, sizeof lock, "%s.lock", path);
    const struct setpay_store_options options = {
        .url = url, .schema = party->schema, .retired = true};
    SETPAY_TRY(setpay_store_check(url, problem));
    SETPAY_TRY(setpay_store_open(&options, &store, problem));
    enum setpay_error error = setpay_store_submit_wait(store, set_back, &setting);
    setpay_store_close(store);
    (void)unlink(lock);
    return error;
}

enum setpay_error setpay_restore_check_moved(const struct setpay_backup_contents *contents,
                                             const char *path, bool moved,
                                             struct setpay_problem *problem)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    if (!moved || contents->final)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_INVALID,
                              "%s: --moved is for a final backup (backup --final), after which "
                              "nothing can have been done; this one was made at %s, of a database "
                              "that stayed in use. Restore it without --moved",
                              path, setpay_time_format(contents->made_ms, text));
}

/* ------------------------------------------------------------------ places */

struct place {
    const struct setpay_buffer *content; /* NULL: the database */
    char path[PATH_MAX];
    unsigned mode;
    bool is_there;
    bool is_same;
};

struct restoring {
    const struct setpay_restore_job *job;
    struct setpay_backup_contents contents;
    struct setpay_config *config;
    bool makes_config;
    char database[PATH_MAX];
    char fresh[PATH_MAX + 16]; /* the database, beside its place */
    int lock_fd;
    struct place *places;
    size_t place_count;
    setpay_time_ms now_ms;
    json_t *result;
};

/* The folders above a path that are not there yet. */
static enum setpay_error make_folders(const char *path, struct setpay_problem *problem)
{
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0700) != 0 && errno != EEXIST)
            return setpay_problem_set(problem, errno == EACCES ? SETPAY_E_PERMISSION : SETPAY_E_IO,
                                      "the folder %s can't be made: %s", folder, strerror(errno));
        *slash = '/';
    }
    return SETPAY_OK;
}

static enum setpay_error take_lock(struct restoring *restoring, struct setpay_problem *problem)
{
    const char *url = setpay_config_text(restoring->config, "", "database");
    const char *path = setpay_store_path(url);
    if (path == NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "database: a backup is restored to sqlite:PATH only");
    if (snprintf(restoring->database, sizeof restoring->database, "%s", path) >=
        (int)sizeof restoring->database - 64)
        return setpay_problem_set(problem, SETPAY_E_CONFIG, "database: the path is too long");
    SETPAY_TRY(make_folders(path, problem));
    SETPAY_TRY(setpay_store_lock(url, &restoring->lock_fd, problem));
    struct stat status;
    if (restoring->job->force || stat(path, &status) != 0 || status.st_size == 0)
        return SETPAY_OK;
    return setpay_problem_set(
        problem, SETPAY_E_EXISTS,
        "%s: there is a database, and it is left as it is; with --force it is "
        "kept aside as %s.before-TIME, and the backup takes its place",
        path, path);
}

/* The configuration that is there, or that of the backup, read as it will stand in its place. */
static enum setpay_error load_config(struct restoring *restoring, struct setpay_problem *problem)
{
    const struct setpay_restore_job *job = restoring->job;
    char program[] = "setpay";
    char *argv[] = {program, NULL};
    char fresh[PATH_MAX];
    int argc = 1;
    restoring->makes_config = access(job->config_path, F_OK) != 0;
    if (!restoring->makes_config)
        return setpay_config_load(job->party->options, job->config_path, &argc, argv,
                                  &restoring->config, problem);
    if (!restoring->contents.has_configuration)
        return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                                  "%s: there is no such configuration, nor one in the backup",
                                  job->config_path);
    if (snprintf(fresh, sizeof fresh, "%s.restoring", job->config_path) >= (int)sizeof fresh)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "the path is too long");
    SETPAY_TRY(make_folders(fresh, problem));
    SETPAY_TRY(setpay_file_write(fresh, setpay_buffer_view(&restoring->contents.configuration),
                                 0600, true, problem));
    enum setpay_error error =
        setpay_config_load(job->party->options, fresh, &argc, argv, &restoring->config, problem);
    (void)unlink(fresh);
    return error;
}

/* setpay_backup_place_cb: all but the database has been read. */
static enum setpay_error place_database(void *arg, struct setpay_backup_contents *contents, int *fd,
                                        struct setpay_problem *problem)
{
    struct restoring *restoring = arg;
    SETPAY_TRY(setpay_restore_check_moved(contents, restoring->job->source.path,
                                          restoring->job->moved, problem));
    SETPAY_TRY(load_config(restoring, problem));
    SETPAY_TRY(take_lock(restoring, problem));
    (void)snprintf(restoring->fresh, sizeof restoring->fresh, "%s.restoring", restoring->database);
    (void)unlink(restoring->fresh); /* of an attempt that was cut off; the lock is ours */
    *fd = open(restoring->fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*fd < 0)
        return setpay_problem_set(problem, errno == EACCES ? SETPAY_E_PERMISSION : SETPAY_E_IO,
                                  "%s: %s", restoring->fresh, strerror(errno));
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ what goes where */

static void note(struct restoring *restoring, const char *list, const char *path)
{
    json_t *array = json_object_get(restoring->result, list);
    if (array == NULL) {
        array = json_array();
        (void)json_object_set_new(restoring->result, list, array);
    }
    (void)json_array_append_new(array, json_string(path));
}

static enum setpay_error add_place(struct restoring *restoring, const char *path,
                                   const struct setpay_buffer *content, unsigned mode,
                                   struct setpay_problem *problem)
{
    struct place *places =
        realloc(restoring->places, (restoring->place_count + 1) * sizeof *places);
    struct stat status;
    if (places == NULL)
        return SETPAY_E_NOMEM;
    restoring->places = places;
    struct place *place = &places[restoring->place_count];
    memset(place, 0, sizeof *place);
    place->content = content;
    place->mode = mode;
    if (snprintf(place->path, sizeof place->path, "%s", path) >= (int)sizeof place->path - 64)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "%.200s...: the path is too long",
                                  path);
    restoring->place_count++;
    place->is_there = lstat(path, &status) == 0;
    if (!place->is_there || content == NULL)
        return SETPAY_OK;
    struct setpay_buffer there;
    setpay_buffer_init(&there, content->max);
    place->is_same =
        S_ISREG(status.st_mode) && setpay_file_read(path, &there, problem) == SETPAY_OK &&
        setpay_view_equal_secret(setpay_buffer_view(&there), setpay_buffer_view(content));
    setpay_cleanse(there.data, there.size);
    setpay_buffer_clear(&there);
    problem->text[0] = '\0';
    if (place->is_same || restoring->job->force)
        return SETPAY_OK;
    return setpay_problem_set(
        problem, SETPAY_E_EXISTS,
        "%s: there is another file than that of the backup, and it is left as "
        "it is; with --force it is kept aside as %s.before-TIME",
        path, path);
}

/* Where the configuration wants the file of a key; NULL: nowhere. */
static const char *path_of(const struct restoring *restoring, const json_t *entry)
{
    const char *section = json_string_value(json_object_get(entry, "section"));
    const char *key = json_string_value(json_object_get(entry, "key"));
    return section == NULL || key == NULL ? NULL
                                          : setpay_config_file_of(restoring->config, section, key);
}

/* One that the configuration has no place for stays out. A file of an earlier pair stands beside
 * that of the pair in use. */
static enum setpay_error place_file(struct restoring *restoring, const json_t *entry,
                                    const struct setpay_buffer *content,
                                    struct setpay_problem *problem)
{
    const json_t *earlier = json_object_get(entry, "earlier");
    const char *digits = json_string_value(json_object_get(earlier, "digits"));
    const char *path = path_of(restoring, earlier != NULL ? earlier : entry);
    unsigned mode = json_is_true(json_object_get(entry, "secret")) ? 0600 : 0644;
    char beside[PATH_MAX];
    if (path != NULL && earlier == NULL)
        return add_place(restoring, path, content, mode, problem);
    if (path != NULL && digits != NULL && setpay_party_files_are_digits(digits)) {
        if (snprintf(beside, sizeof beside, "%s.%s", path, digits) >= (int)sizeof beside)
            return setpay_problem_set(problem, SETPAY_E_INVALID, "%.200s...: the path is too long",
                                      path);
        return add_place(restoring, beside, content, mode, problem);
    }
    note(restoring, "not_named", json_string_value(json_object_get(entry, "name")));
    return SETPAY_OK;
}

/* What stays out of backups and is not there. */
static enum setpay_error note_apart(void *arg, const char *section, const char *key,
                                    enum setpay_option_type type, const char *path)
{
    struct restoring *restoring = arg;
    (void)section;
    if (setpay_backup_is_apart(restoring->job->party, key, type) && access(path, F_OK) != 0)
        note(restoring, "bring", path);
    return SETPAY_OK;
}

static enum setpay_error choose_places(struct restoring *restoring, struct setpay_problem *problem)
{
    const struct setpay_backup_contents *contents = &restoring->contents;
    const json_t *files = json_object_get(contents->manifest, "files");
    if (restoring->makes_config)
        SETPAY_TRY(add_place(restoring, restoring->job->config_path, &contents->configuration, 0600,
                             problem));
    for (size_t i = 0; i < contents->file_count; i++)
        SETPAY_TRY(
            place_file(restoring, json_array_get(files, i), &contents->files[i].content, problem));
    SETPAY_TRY(setpay_config_each_file(restoring->config, note_apart, restoring));
    return add_place(restoring, restoring->database, NULL, 0600, problem);
}

/* ------------------------------------------------------------------ into place */

/* Renames what is there; "-wal" and "-shm" go with a database. */
static enum setpay_error keep_aside(struct restoring *restoring, const char *path,
                                    const char *suffix, struct setpay_problem *problem)
{
    char from[PATH_MAX + 8];
    char to[PATH_MAX + 64];
    (void)snprintf(from, sizeof from, "%s%s", path, suffix);
    (void)snprintf(to, sizeof to, "%s.before-%lld%s", path, (long long)restoring->now_ms, suffix);
    if (access(from, F_OK) != 0)
        return SETPAY_OK;
    if (rename(from, to) != 0)
        return setpay_problem_set(problem, SETPAY_E_IO, "%s can't be kept aside: %s", from,
                                  strerror(errno));
    note(restoring, "kept_aside", to);
    return SETPAY_OK;
}

static enum setpay_error put_database(struct restoring *restoring, const struct place *place,
                                      struct setpay_problem *problem)
{
    SETPAY_TRY(keep_aside(restoring, place->path, "", problem));
    SETPAY_TRY(keep_aside(restoring, place->path, "-wal", problem));
    SETPAY_TRY(keep_aside(restoring, place->path, "-shm", problem));
    int fd = open(restoring->fresh, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0 && rename(restoring->fresh, place->path) == 0;
    int why = errno;
    if (fd >= 0)
        (void)close(fd);
    if (good) {
        char folder[PATH_MAX];
        (void)snprintf(folder, sizeof folder, "%s", place->path);
        *(strrchr(folder, '/') + 1) = '\0';
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        good = fd >= 0 && fsync(fd) == 0;
        why = errno;
        if (fd >= 0)
            (void)close(fd);
    }
    return good ? SETPAY_OK
                : setpay_problem_set(problem, SETPAY_E_IO, "%s: can't be put in place: %s",
                                     place->path, strerror(why));
}

static enum setpay_error put(struct restoring *restoring, const struct place *place,
                             struct setpay_problem *problem)
{
    if (!place->is_same) {
        SETPAY_TRY(make_folders(place->path, problem));
        if (place->content == NULL) {
            SETPAY_TRY(put_database(restoring, place, problem));
        } else {
            SETPAY_TRY(keep_aside(restoring, place->path, "", problem));
            SETPAY_TRY(setpay_file_write(place->path, setpay_buffer_view(place->content),
                                         place->mode, false, problem));
        }
    }
    note(restoring, "restored", place->path);
    return SETPAY_OK;
}

static enum setpay_error read_and_set_back(struct restoring *restoring,
                                           struct setpay_problem *problem)
{
    const struct setpay_restore_job *job = restoring->job;
    SETPAY_TRY(setpay_backup_read(&job->source, job->party, place_database, restoring,
                                  &restoring->contents, problem));
    const struct setpay_store_restore restore = {.backup_ms = restoring->contents.made_ms,
                                                 .restored_ms = restoring->now_ms};
    return setpay_restore_database(restoring->fresh, job->party, &restore, job->moved, problem);
}

static void clear(struct restoring *restoring)
{
    if (restoring->fresh[0] != '\0')
        (void)unlink(restoring->fresh);
    if (restoring->lock_fd >= 0)
        (void)close(restoring->lock_fd);
    setpay_backup_contents_clear(&restoring->contents);
    setpay_config_free(restoring->config);
    free(restoring->places);
}

enum setpay_error setpay_restore(const struct setpay_restore_job *job, json_t **result,
                                 struct setpay_problem *problem)
{
    struct restoring restoring = {
        .job = job, .lock_fd = -1, .now_ms = setpay_clock_now_ms(), .result = json_object()};
    char text[SETPAY_TIME_TEXT_SIZE];
    enum setpay_error error =
        restoring.result == NULL ? SETPAY_E_NOMEM : read_and_set_back(&restoring, problem);
    if (error == SETPAY_OK)
        error = choose_places(&restoring, problem);
    for (size_t i = 0; i < restoring.place_count && error == SETPAY_OK; i++)
        error = put(&restoring, &restoring.places[i], problem);
    if (error == SETPAY_OK) {
        (void)json_object_set_new(restoring.result, "party", json_string(job->party->name));
        (void)json_object_set_new(
            restoring.result, "made",
            json_string(setpay_time_format(restoring.contents.made_ms, text)));
        (void)json_object_set_new(restoring.result, "moved", json_boolean(job->moved));
        if (!job->moved)
            (void)json_object_set_new(restoring.result, "set_back",
                                      json_string(job->party->set_back_words));
        *result = json_incref(restoring.result);
    }
    json_decref(restoring.result);
    clear(&restoring);
    return error;
}

/* ------------------------------------------------------------------ for people */

static void print_list(FILE *out, const json_t *result, const char *member, const char *words)
{
    size_t index;
    const json_t *path;
    json_array_foreach(json_object_get(result, member), index, path)
    {
        (void)fprintf(out, "%-11s %s\n", index == 0 ? words : "", json_string_value(path));
    }
}

void setpay_restore_print(FILE *out, const json_t *result)
{
    const char *set_back = json_string_value(json_object_get(result, "set_back"));
    (void)fprintf(out, "Restored as of %s.\n", json_string_value(json_object_get(result, "made")));
    print_list(out, result, "restored", "in place");
    print_list(out, result, "kept_aside", "kept aside");
    print_list(out, result, "not_named", "left out");
    print_list(out, result, "bring", "bring");
    if (json_object_get(result, "bring") != NULL)
        (void)fprintf(
            out, "%s\n",
            "What is to be brought is never in a backup: copy it from where you keep it, or name "
            "another that this machine has.");
    if (json_object_get(result, "not_named") != NULL)
        (void)fprintf(out, "%s\n", "What was left out has no place in this configuration.");
    if (set_back != NULL)
        (void)fprintf(out, "%s\n", set_back);
}
