/*
 * Making a backup.
 *
 *     copy of the database, piece by piece beside the payments -> strip, check -> PATH.partial:
 *       manifest, configuration, files, copy, sums -> fsync -> takes its name -> fsync of the
 * folder
 *
 * The copy lies beside the backup until it is in it, so that twice the database's size is needed.
 */
#include "common/net/backup.h"

#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/crypto/file.h"
#include "common/net/keyring.h"
#include "common/net/party_files.h"
#include "common/net/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------ what goes in */

enum setpay_error setpay_backup_files_add(struct setpay_backup_files *files, const char *name,
                                          const char *path, const char *section, const char *key,
                                          bool secret)
{
    struct setpay_backup_file *list =
        realloc(files->list, (files->count + 1) * sizeof *files->list);
    if (list == NULL)
        return SETPAY_E_NOMEM;
    files->list = list;
    struct setpay_backup_file *file = &list[files->count];
    *file = (struct setpay_backup_file){
        .path = strdup(path), .section = section, .key = key, .secret = secret};
    if (file->path == NULL)
        return SETPAY_E_NOMEM;
    files->count++;
    if (snprintf(file->name, sizeof file->name, "files/%s", name) >= (int)sizeof file->name)
        return SETPAY_E_TOO_BIG;
    return SETPAY_OK;
}

struct gathering {
    const struct setpay_backup_party *party;
    const struct setpay_config *config;
    struct setpay_backup_files *files;
};

bool setpay_backup_is_apart(const struct setpay_backup_party *party, const char *key,
                            enum setpay_option_type type)
{
    if (type == SETPAY_OPTION_MACHINE_FILE)
        return true;
    for (const char *const *apart = party->apart; *apart != NULL; apart++) {
        if (strcmp(*apart, key) == 0)
            return true;
    }
    return false;
}

/* digits: of an earlier pair; "": of the one in use. */
static enum setpay_error add(struct setpay_backup_files *files, const char *section,
                             const char *key, const char *digits, bool secret, const char *path)
{
    char name[SETPAY_ARCHIVE_NAME_SIZE];
    if (snprintf(name, sizeof name, "%s%s%s%s%s", section, section[0] != '\0' ? "/" : "", key,
                 digits[0] != '\0' ? "." : "", digits) >= (int)sizeof name)
        return SETPAY_E_TOO_BIG;
    for (char *blank = strchr(name, ' '); blank != NULL; blank = strchr(blank, ' '))
        *blank = '.';
    SETPAY_TRY(setpay_backup_files_add(files, name, path, section, key, secret));
    struct setpay_backup_file *file = &files->list[files->count - 1];
    (void)snprintf(file->earlier, sizeof file->earlier, "%s", digits);
    return SETPAY_OK;
}

/* Of one whose time is over, or whose destruction was cut off, nothing goes on. */
static bool still_signs(const struct setpay_party_earlier *earlier)
{
    struct setpay_problem ignored;
    struct setpay_certificate *certificate = NULL;
    if (access(earlier->key, F_OK) != 0 ||
        setpay_identity_read_certificate(earlier->certificate, &certificate, &ignored) != SETPAY_OK)
        return false;
    bool still = setpay_certificate_not_after_ms(certificate) > setpay_clock_now_ms();
    setpay_certificate_unref(certificate);
    return still;
}

/* The certificate that key is the key of, where payments go on naming it after it was replaced.
 * Keys to envelopes are none of these: they are to be destroyed in time. */
static const struct setpay_party_certificate *find_signing(const struct gathering *gathering,
                                                           const char *section, const char *key)
{
    if (gathering->party->holder == NULL)
        return NULL;
    const struct setpay_party_certificate *at = gathering->party->holder->certificates;
    for (; at->profile != SETPAY_PROFILE_NONE; at++) {
        if (at->keep == SETPAY_KEEP_TO_ITS_END && at->top == (section[0] == '\0') &&
            strcmp(at->key_name, key) == 0)
            return at;
    }
    return NULL;
}

/* Without them what names an earlier certificate could be neither captured nor reversed. */
static enum setpay_error gather_earlier(struct gathering *gathering, const char *section,
                                        const char *key, const char *path)
{
    const struct setpay_party_certificate *signing = find_signing(gathering, section, key);
    const char *certificate = signing == NULL ? NULL
                                              : setpay_config_file_of(gathering->config, section,
                                                                      signing->certificate_name);
    struct setpay_party_files files;
    struct setpay_problem ignored;
    if (certificate == NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_party_files_init(&files, path, certificate, signing->keep, &ignored));
    struct setpay_party_earlier *earlier = calloc(SETPAY_LIMIT_KEYRING_EARLIER, sizeof *earlier);
    if (earlier == NULL)
        return SETPAY_E_NOMEM;
    size_t count = setpay_party_files_earlier(&files, earlier, SETPAY_LIMIT_KEYRING_EARLIER);
    enum setpay_error error = SETPAY_OK;
    for (size_t i = 0; i < count && error == SETPAY_OK; i++) {
        const char *digits = earlier[i].key + strlen(path) + 1;
        if (!still_signs(&earlier[i]))
            continue;
        error = add(gathering->files, section, key, digits, true, earlier[i].key);
        if (error == SETPAY_OK)
            error = add(gathering->files, section, signing->certificate_name, digits, false,
                        earlier[i].certificate);
    }
    free(earlier);
    return error;
}

static enum setpay_error gather(void *arg, const char *section, const char *key,
                                enum setpay_option_type type, const char *path)
{
    struct gathering *gathering = arg;
    if (setpay_backup_is_apart(gathering->party, key, type)) {
        json_t *entry =
            json_pack("{s:s, s:s, s:b}", "key", key, "path", path, "machine",
                      (int)(type == SETPAY_OPTION_MACHINE_FILE)); /* NULL is refused below */
        return json_array_append_new(gathering->files->apart, entry) == 0 ? SETPAY_OK
                                                                          : SETPAY_E_NOMEM;
    }
    SETPAY_TRY(add(gathering->files, section, key, "", type == SETPAY_OPTION_SECRET_FILE, path));
    return gather_earlier(gathering, section, key, path);
}

enum setpay_error setpay_backup_files_of_config(const struct setpay_backup_party *party,
                                                const struct setpay_config *config,
                                                struct setpay_backup_files *files)
{
    struct gathering gathering = {.party = party, .config = config, .files = files};
    if (files->apart == NULL)
        files->apart = json_array();
    return setpay_config_each_file(config, gather, &gathering);
}

void setpay_backup_files_clear(struct setpay_backup_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->list[i].path);
    free(files->list);
    json_decref(files->apart);
    memset(files, 0, sizeof *files);
}

/* ------------------------------------------------------------------ the place */

/* What stands at the name already; a clear word before much work is done. */
static enum setpay_error check_free(const char *path, struct setpay_problem *problem)
{
    struct stat status;
    if (lstat(path, &status) == 0)
        return setpay_problem_set(
            problem, SETPAY_E_EXISTS,
            "%s: exists already (%s), and is left as it is; name a file that is not there", path,
            S_ISDIR(status.st_mode)    ? "a folder"
            : S_ISLNK(status.st_mode)  ? "a symbolic link"
            : S_ISREG(status.st_mode)  ? "a file"
            : S_ISFIFO(status.st_mode) ? "a FIFO"
                                       : "something that is no file");
    if (errno == ENOENT)
        return SETPAY_OK;
    return setpay_problem_set(problem, errno == EACCES ? SETPAY_E_PERMISSION : SETPAY_E_IO,
                              "%s: %s", path, strerror(errno));
}

static enum setpay_error make_temporary(const char *path, const char *what, char *name, int *fd,
                                        struct setpay_problem *problem)
{
    if (snprintf(name, PATH_MAX, "%s.%s.XXXXXX", path, what) >= PATH_MAX) {
        name[0] = '\0';
        return setpay_problem_set(problem, SETPAY_E_INVALID, "%.200s...: the path is too long",
                                  path);
    }
    *fd = mkostemp(name, O_CLOEXEC);
    if (*fd >= 0)
        return SETPAY_OK;
    int why = errno;
    name[0] = '\0';
    if (why == ENOENT || why == ENOTDIR)
        return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                                  "%s: its folder is not there; make it first", path);
    return setpay_problem_set(problem,
                              why == EACCES || why == EROFS || why == EPERM ? SETPAY_E_PERMISSION
                              : why == ENOSPC || why == EDQUOT              ? SETPAY_E_STORE_FULL
                                                                            : SETPAY_E_IO,
                              "%s: can't be written by user %u: %s", path, (unsigned)geteuid(),
                              strerror(why));
}

static enum setpay_error say_full(const char *path, enum setpay_error error,
                                  struct setpay_problem *problem)
{
    if (error == SETPAY_E_STORE_FULL)
        return setpay_problem_set(problem, error,
                                  "%s: the disk is full; a backup needs twice the size of the "
                                  "database while it is made. Nothing was left there",
                                  path);
    if (error == SETPAY_E_IO && problem->text[0] == '\0')
        return setpay_problem_set(problem, error, "%s: can't be written", path);
    if (error == SETPAY_E_DRAINING && problem->text[0] == '\0')
        return setpay_problem_set(problem, error,
                                  "the daemon is stopping: the backup was not made");
    return error;
}

static bool sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    (void)snprintf(folder, sizeof folder, "%.*s/", slash == NULL ? 1 : (int)(slash - path),
                   slash == NULL ? "." : path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    return good;
}

/* ------------------------------------------------------------------ the copy */

static enum setpay_error strip(struct setpay_db *db, void *arg)
{
    const struct setpay_backup_job *job = arg;
    SETPAY_TRY(setpay_store_unretire(db)); /* the copy is what goes on */
    return job->party->strip_cb != NULL ? job->party->strip_cb(db, NULL) : SETPAY_OK;
}

/* Takes out of the copy what must not be in a backup, and reads all of it once. */
static enum setpay_error finish_copy(const struct setpay_backup_job *job, const char *copy,
                                     struct setpay_problem *problem)
{
    char url[PATH_MAX + 16];
    char lock[PATH_MAX + 16];
    struct setpay_store *store = NULL;
    (void)snprintf(url, sizeof url, "sqlite:%s", copy);
    (void)snprintf(lock, sizeof lock, "%s.lock", copy);
    const struct setpay_store_options options = {
        .url = url, .schema = job->party->schema, .retired = true};
    enum setpay_error error = setpay_store_open(&options, &store, problem);
    if (error == SETPAY_OK) {
        error = setpay_store_submit_wait(store, strip, (void *)(uintptr_t)job);
        setpay_store_close(store);
    }
    (void)unlink(lock);
    return error == SETPAY_OK ? setpay_store_check(url, problem) : error;
}

static void remove_copy(const char *copy)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
    char path[PATH_MAX + 16];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        (void)snprintf(path, sizeof path, "%s%s", copy, suffixes[i]);
        (void)unlink(path);
    }
}

static enum setpay_error make_copy(const struct setpay_backup_job *job, char *copy, int *fd,
                                   struct setpay_problem *problem)
{
    SETPAY_TRY(make_temporary(job->path, "copy", copy, fd, problem));
    /* Closed while SQLite works on it: closing would drop the locks that it holds there. */
    (void)close(*fd);
    *fd = -1;
    SETPAY_TRY(setpay_store_copy(job->store, copy, job->cancel, problem));
    SETPAY_TRY(finish_copy(job, copy, problem));
    *fd = open(copy, O_RDONLY | O_CLOEXEC);
    return *fd >= 0 ? SETPAY_OK : SETPAY_E_IO;
}

/* ------------------------------------------------------------------ the archive */

static unsigned last_step(const struct setpay_store_schema *schema)
{
    unsigned count = 0;
    while (schema->steps[count].number != 0)
        count++;
    return count;
}

/* An earlier pair's section and key stand where a program that does not know of such pairs looks
 * for none: it leaves these files out, and does not put them in the place of the pair in use. */
static json_t *entry_of(const struct setpay_backup_file *file)
{
    if (file->earlier[0] == '\0')
        return json_pack("{s:s, s:s*, s:s*, s:b}", "name", file->name, "section", file->section,
                         "key", file->key, "secret", (int)file->secret);
    return json_pack("{s:s, s:b, s:{s:s, s:s, s:s}}", "name", file->name, "secret",
                     (int)file->secret, "earlier", "section", file->section, "key", file->key,
                     "digits", file->earlier);
}

static json_t *manifest_of(const struct setpay_backup_job *job, setpay_time_ms now_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    json_t *files = json_array();
    for (size_t i = 0; i < job->files->count; i++)
        (void)json_array_append_new(files, entry_of(&job->files->list[i]));
    return json_pack("{s:i, s:s, s:s, s:i, s:s, s:I, s:b, s:b, s:o, s:O*}", "format", 1, "party",
                     job->party->name, "version", SETPAY_VERSION, "schema",
                     (int)last_step(job->party->schema), "made", setpay_time_format(now_ms, text),
                     "made_ms", (json_int_t)now_ms, "stopped", (int)job->stopped, "final",
                     (int)job->final, "files", files, "apart", job->files->apart);
}

static enum setpay_error add_manifest(struct setpay_archive_writer *writer, const json_t *manifest)
{
    char *text = json_dumps(manifest, JSON_INDENT(2));
    if (text == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error =
        setpay_archive_add(writer, "manifest.json", 0600, setpay_view_string(text));
    free(text);
    return error;
}

static enum setpay_error add_small(struct setpay_archive_writer *writer, const char *name,
                                   const char *path, bool secret, bool *is_bare_key,
                                   struct setpay_problem *problem)
{
    static const char bare[] = "-----BEGIN PRIVATE KEY-----";
    struct setpay_buffer content;
    setpay_buffer_init(&content, SETPAY_BACKUP_FILE_MAX);
    enum setpay_error error = setpay_file_read(path, &content, problem);
    if (error == SETPAY_OK)
        error =
            setpay_archive_add(writer, name, secret ? 0600 : 0644, setpay_buffer_view(&content));
    if (error == SETPAY_OK && content.size >= sizeof bare - 1 &&
        memcmp(content.data, bare, sizeof bare - 1) == 0)
        *is_bare_key = true;
    setpay_cleanse(content.data, content.size);
    setpay_buffer_clear(&content);
    return error;
}

static enum setpay_error fill(const struct setpay_backup_job *job, json_t *manifest, int copy_fd,
                              struct setpay_archive_writer *writer, struct setpay_problem *problem)
{
    bool bare_keys = false;
    SETPAY_TRY(add_manifest(writer, manifest));
    if (job->config_path != NULL)
        SETPAY_TRY(add_small(writer, "configuration", job->config_path, true, &bare_keys, problem));
    for (size_t i = 0; i < job->files->count; i++) {
        const struct setpay_backup_file *file = &job->files->list[i];
        SETPAY_TRY(add_small(writer, file->name, file->path, file->secret, &bare_keys, problem));
    }
    /* For the person who is told; in the archive the manifest stands already. */
    (void)json_object_set_new(manifest, "bare_keys", json_boolean(bare_keys));
    SETPAY_TRY(setpay_archive_add_file(writer, "database", 0600, copy_fd, job->cancel));
    return setpay_archive_writer_finish(writer);
}

static enum setpay_error write_archive(const struct setpay_backup_job *job, json_t *manifest,
                                       int copy_fd, setpay_time_ms now_ms, int fd,
                                       struct setpay_problem *problem)
{
    struct setpay_archive_writer *writer = NULL;
    struct setpay_sealed *sealed = NULL;
    struct setpay_stream out = setpay_stream_of_file(&fd);
    enum setpay_error error = SETPAY_OK;
    if (job->seal_key != NULL) {
        error = setpay_sealed_writer_new(out, job->seal_key, job->seal_head, &sealed);
        out = setpay_sealed_stream(sealed);
    }
    if (error == SETPAY_OK)
        error = setpay_archive_writer_new(out, now_ms, &writer);
    if (error == SETPAY_OK)
        error = fill(job, manifest, copy_fd, writer, problem);
    if (error == SETPAY_OK && sealed != NULL)
        error = setpay_sealed_finish(sealed);
    setpay_archive_writer_free(writer);
    setpay_sealed_free(sealed);
    return error;
}

/* Whole, and on the disk, before it has its name; link, unlike rename, does not replace. */
static enum setpay_error give_name(const char *partial, int fd, const char *path,
                                   struct setpay_problem *problem)
{
    if (fsync(fd) != 0)
        return errno == ENOSPC || errno == EDQUOT ? SETPAY_E_STORE_FULL : SETPAY_E_IO;
    setpay_testing_point("backup.named");
    if (link(partial, path) != 0)
        return errno == EEXIST ? check_free(path, problem) : SETPAY_E_IO;
    if (sync_folder_of(path))
        return SETPAY_OK;
    (void)unlink(path);
    return SETPAY_E_IO;
}

/* ------------------------------------------------------------------ all of it */

static enum setpay_error retire(struct setpay_db *db, void *arg)
{
    return setpay_store_retire(db, *(const setpay_time_ms *)arg);
}

static enum setpay_error unretire(struct setpay_db *db, void *arg)
{
    (void)arg;
    return setpay_store_unretire(db);
}

static json_t *result_of(const struct setpay_backup_job *job, const json_t *manifest, int fd)
{
    struct stat status;
    json_t *result = json_deep_copy(manifest);
    if (result == NULL || fstat(fd, &status) != 0)
        return result;
    (void)json_object_set_new(result, "backup", json_string(job->path));
    (void)json_object_set_new(result, "bytes", json_integer((json_int_t)status.st_size));
    (void)json_object_set_new(result, "sealed", json_boolean(job->seal_key != NULL));
    return result;
}

static enum setpay_error make(const struct setpay_backup_job *job, setpay_time_ms now_ms,
                              json_t **result, struct setpay_problem *problem)
{
    char copy[PATH_MAX] = "";
    char partial[PATH_MAX] = "";
    int copy_fd = -1;
    int fd = -1;
    json_t *manifest = manifest_of(job, now_ms);
    enum setpay_error error = manifest == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = make_temporary(job->path, "partial", partial, &fd, problem);
    if (error == SETPAY_OK)
        error = make_copy(job, copy, &copy_fd, problem);
    if (error == SETPAY_OK)
        error = write_archive(job, manifest, copy_fd, now_ms, fd, problem);
    if (error == SETPAY_OK)
        error = give_name(partial, fd, job->path, problem);
    if (error == SETPAY_OK)
        *result = result_of(job, manifest, fd);
    error = say_full(job->path, error, problem);
    if (partial[0] != '\0')
        (void)unlink(partial);
    if (copy[0] != '\0')
        remove_copy(copy);
    if (fd >= 0)
        (void)close(fd);
    if (copy_fd >= 0)
        (void)close(copy_fd);
    json_decref(manifest);
    return error;
}

enum setpay_error setpay_backup_make(const struct setpay_backup_job *job, json_t **result,
                                     struct setpay_problem *problem)
{
    setpay_time_ms now_ms = setpay_clock_now_ms();
    SETPAY_TRY(check_free(job->path, problem));
    /* Before the copy: what has a final backup never goes on by itself. */
    if (job->final)
        SETPAY_TRY(setpay_store_submit_wait(job->store, retire, &now_ms));
    enum setpay_error error = make(job, now_ms, result, problem);
    if (error != SETPAY_OK && job->final) {
        enum setpay_error undone = setpay_store_submit_wait(job->store, unretire, NULL);
        if (undone != SETPAY_OK)
            setpay_log_error(undone, "backup.unretire", setpay_field_text("path", job->path));
    }
    if (error == SETPAY_OK) {
        /* It is made, whether or not the database learns of it. */
        enum setpay_error noted = setpay_store_note_backup(job->store, now_ms);
        if (noted != SETPAY_OK)
            setpay_log_error(noted, "backup.not_noted", setpay_field_text("path", job->path));
    }
    setpay_log(error == SETPAY_OK ? SETPAY_LOG_INFO : SETPAY_LOG_ERROR, "backup.made",
               setpay_field_text("path", job->path),
               setpay_field_text("result", setpay_error_name(error)));
    return error;
}
