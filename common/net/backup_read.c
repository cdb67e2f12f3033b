/*
 * Reading a backup: what it is, whose, and whether all of it is there.
 *
 * Nothing in it is believed before the last sum was right but what says which party's it is; and
 * nothing of it names a place in the file system.
 */
#include "common/net/backup.h"
#include "common/net/control_json.h"
#include "common/net/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST_MAX (256 * 1024)
#define FILES_MAX 1024

/* ------------------------------------------------------------------ the file */

static enum setpay_error open_file(const char *path, int *fd, struct setpay_problem *problem)
{
    struct stat status;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return setpay_problem_set(problem,
                                  errno == ENOENT   ? SETPAY_E_NOT_FOUND
                                  : errno == EACCES ? SETPAY_E_PERMISSION
                                                    : SETPAY_E_IO,
                                  "%s: %s", path, strerror(errno));
    if (fstat(*fd, &status) == 0 && S_ISREG(status.st_mode))
        return SETPAY_OK;
    (void)close(*fd);
    *fd = -1;
    return setpay_problem_set(problem, SETPAY_E_INVALID,
                              "%s: is no regular file; expected a backup made by setpay", path);
}

/* The line of a sealed one, into head; empty where it is not sealed. The file then stands behind
 * it, or at its start. */
static enum setpay_error read_head(int fd, struct setpay_buffer *head)
{
    static const char magic[] = SETPAY_SEALED_MAGIC;
    char line[SETPAY_SEALED_HEAD_MAX];
    ssize_t got = pread(fd, line, sizeof line, 0);
    size_t size = 0;
    if (got >= (ssize_t)sizeof magic - 1 && memcmp(line, magic, sizeof magic - 1) == 0) {
        const char *end = memchr(line, '\n', (size_t)got);
        size = end != NULL ? (size_t)(end - line) + 1 : 0;
    }
    if (lseek(fd, (off_t)size, SEEK_SET) < 0)
        return SETPAY_E_IO;
    return setpay_buffer_set(head, setpay_view_of(line, size));
}

/* ------------------------------------------------------------------ the manifest */

static unsigned last_step(const struct setpay_store_schema *schema)
{
    unsigned count = 0;
    while (schema->steps[count].number != 0)
        count++;
    return count;
}

static enum setpay_error check_manifest(const json_t *manifest, const char *path,
                                        const struct setpay_backup_party *party,
                                        struct setpay_problem *problem)
{
    const char *whose = json_string_value(json_object_get(manifest, "party"));
    const char *version = json_string_value(json_object_get(manifest, "version"));
    json_int_t schema = json_integer_value(json_object_get(manifest, "schema"));
    if (whose == NULL || version == NULL || !json_is_integer(json_object_get(manifest, "format")) ||
        !json_is_integer(json_object_get(manifest, "made_ms")) ||
        !json_is_array(json_object_get(manifest, "files")))
        return setpay_problem_set(problem, SETPAY_E_BACKUP,
                                  "%s: is no backup of setpay: its manifest does not say whose it "
                                  "is",
                                  path);
    if (strcmp(whose, party->name) != 0)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "%s: is the backup of a %.20s; expected one of a %s", path, whose,
                                  party->name);
    if (json_integer_value(json_object_get(manifest, "format")) != 1 ||
        schema > (json_int_t)last_step(party->schema))
        return setpay_problem_set(
            problem, SETPAY_E_INVALID,
            "%s: was made by setpay %.20s, whose database (step %lld) is newer "
            "than this program (%u): restore it with that version",
            path, version, (long long)schema, last_step(party->schema));
    return SETPAY_OK;
}

static enum setpay_error read_manifest(struct setpay_archive_reader *reader, const char *path,
                                       const struct setpay_backup_party *party,
                                       struct setpay_backup_contents *contents,
                                       struct setpay_problem *problem)
{
    struct setpay_archive_entry entry = {.name = ""};
    struct setpay_buffer text;
    SETPAY_TRY(setpay_archive_next(reader, &entry, problem));
    if (strcmp(entry.name, "manifest.json") != 0)
        return setpay_problem_set(problem, SETPAY_E_BACKUP,
                                  "%s: is no backup of setpay: found \"%.60s\" first in it, "
                                  "expected manifest.json",
                                  path, entry.name);
    setpay_buffer_init(&text, MANIFEST_MAX);
    enum setpay_error error = setpay_archive_read(reader, &text, problem);
    if (error == SETPAY_OK) {
        contents->manifest =
            json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
        error = check_manifest(contents->manifest, path, party, problem);
    }
    setpay_buffer_clear(&text);
    contents->made_ms = json_integer_value(json_object_get(contents->manifest, "made_ms"));
    contents->final = json_is_true(json_object_get(contents->manifest, "final"));
    return error;
}

/* ------------------------------------------------------------------ the rest */

static enum setpay_error take_file(struct setpay_archive_reader *reader,
                                   const struct setpay_archive_entry *entry,
                                   struct setpay_backup_contents *contents,
                                   struct setpay_problem *problem)
{
    if (contents->file_count == FILES_MAX)
        return SETPAY_E_TOO_BIG;
    struct setpay_backup_taken *files =
        realloc(contents->files, (contents->file_count + 1) * sizeof *files);
    if (files == NULL)
        return SETPAY_E_NOMEM;
    contents->files = files;
    struct setpay_backup_taken *file = &files[contents->file_count++];
    memset(file, 0, sizeof *file);
    (void)snprintf(file->name, sizeof file->name, "%s", entry->name);
    setpay_buffer_init(&file->content, SETPAY_BACKUP_FILE_MAX);
    return setpay_archive_read(reader, &file->content, problem);
}

/* Every file that the manifest names was there, once and in its order. */
static bool has_all_files(const struct setpay_backup_contents *contents)
{
    const json_t *files = json_object_get(contents->manifest, "files");
    size_t index;
    const json_t *file;
    json_array_foreach(files, index, file)
    {
        const char *name = json_string_value(json_object_get(file, "name"));
        if (name == NULL || index >= contents->file_count ||
            strcmp(contents->files[index].name, name) != 0)
            return false;
    }
    return json_array_size(files) == contents->file_count;
}

struct reading {
    const char *path;
    setpay_backup_place_cb *place_cb;
    void *arg;
    bool must_be_sealed;
    bool has_database;
};

static enum setpay_error take_database(struct reading *reading,
                                       struct setpay_archive_reader *reader,
                                       struct setpay_backup_contents *contents,
                                       struct setpay_problem *problem)
{
    int fd = -1;
    if (!has_all_files(contents))
        return setpay_problem_set(problem, SETPAY_E_BACKUP,
                                  "%s: is damaged: its manifest names other files than it holds",
                                  reading->path);
    if (reading->place_cb != NULL)
        SETPAY_TRY(reading->place_cb(reading->arg, contents, &fd, problem));
    reading->has_database = true;
    enum setpay_error error = setpay_archive_extract(reader, fd, problem);
    return error == SETPAY_E_STORE_FULL
               ? setpay_problem_set(problem, error,
                                    "the disk is full: the database of the backup does not fit; "
                                    "nothing was changed")
               : error;
}

static enum setpay_error read_entry(struct reading *reading, struct setpay_archive_reader *reader,
                                    const struct setpay_archive_entry *entry,
                                    struct setpay_backup_contents *contents,
                                    struct setpay_problem *problem)
{
    if (strcmp(entry->name, "configuration") == 0 && !contents->has_configuration) {
        contents->has_configuration = true;
        return setpay_archive_read(reader, &contents->configuration, problem);
    }
    if (strncmp(entry->name, "files/", 6) == 0 && !reading->has_database)
        return take_file(reader, entry, contents, problem);
    if (strcmp(entry->name, "database") == 0 && !reading->has_database)
        return take_database(reading, reader, contents, problem);
    return setpay_problem_set(problem, SETPAY_E_BACKUP,
                              "%s: is damaged: \"%.60s\" does not belong in it", reading->path,
                              entry->name);
}

static enum setpay_error read_all(struct reading *reading, struct setpay_stream in,
                                  const struct setpay_backup_party *party,
                                  struct setpay_backup_contents *contents,
                                  struct setpay_problem *problem)
{
    struct setpay_archive_reader *reader = NULL;
    struct setpay_archive_entry entry;
    SETPAY_TRY(setpay_archive_reader_new(in, reading->path, &reader, problem));
    enum setpay_error error = read_manifest(reader, reading->path, party, contents, problem);
    if (error == SETPAY_OK && reading->must_be_sealed)
        error = setpay_problem_set(problem, SETPAY_E_INVALID,
                                   "%s: says that it is the backup of a %s, but it is not sealed: "
                                   "setpay has not made it",
                                   reading->path, party->name);
    while (error == SETPAY_OK) {
        error = setpay_archive_next(reader, &entry, problem);
        if (error == SETPAY_OK)
            error = read_entry(reading, reader, &entry, contents, problem);
    }
    setpay_archive_reader_free(reader);
    if (error == SETPAY_E_NOT_FOUND)
        error = reading->has_database
                    ? SETPAY_OK
                    : setpay_problem_set(problem, SETPAY_E_BACKUP,
                                         "%s: is damaged: no database is in it", reading->path);
    return error;
}

static enum setpay_error read_sealed(const struct setpay_backup_source *source, int fd,
                                     struct setpay_view head, struct reading *reading,
                                     const struct setpay_backup_party *party,
                                     struct setpay_backup_contents *contents,
                                     struct setpay_problem *problem)
{
    struct setpay_secret key = {0};
    struct setpay_sealed *sealed = NULL;
    if (source->unseal_cb == NULL)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "%s: is the backup of a wallet; expected one of a %s",
                                  source->path, party->name);
    enum setpay_error error = source->unseal_cb(source->arg, head, &key, problem);
    if (error == SETPAY_OK)
        error = setpay_sealed_reader_new(setpay_stream_of_file(&fd), &key, head, &sealed);
    if (error == SETPAY_OK)
        error = read_all(reading, setpay_sealed_stream(sealed), party, contents, problem);
    setpay_sealed_free(sealed);
    setpay_secret_clear(&key);
    return error;
}

enum setpay_error setpay_backup_read(const struct setpay_backup_source *source,
                                     const struct setpay_backup_party *party,
                                     setpay_backup_place_cb *place_cb, void *arg,
                                     struct setpay_backup_contents *contents,
                                     struct setpay_problem *problem)
{
    struct reading reading = {.path = source->path, .place_cb = place_cb, .arg = arg};
    struct setpay_buffer head;
    int fd = -1;
    SETPAY_TRY(open_file(source->path, &fd, problem));
    setpay_buffer_init(&head, SETPAY_SEALED_HEAD_MAX);
    setpay_buffer_init(&contents->configuration, SETPAY_BACKUP_FILE_MAX);
    enum setpay_error error = read_head(fd, &head);
    if (error == SETPAY_OK && head.size > 0)
        error =
            read_sealed(source, fd, setpay_buffer_view(&head), &reading, party, contents, problem);
    else if (error == SETPAY_OK) {
        reading.must_be_sealed = source->unseal_cb != NULL;
        error = read_all(&reading, setpay_stream_of_file(&fd), party, contents, problem);
    }
    setpay_buffer_clear(&head);
    (void)close(fd);
    return error;
}

void setpay_backup_contents_clear(struct setpay_backup_contents *contents)
{
    json_decref(contents->manifest);
    setpay_cleanse(contents->configuration.data, contents->configuration.size);
    setpay_buffer_clear(&contents->configuration);
    for (size_t i = 0; i < contents->file_count; i++) {
        setpay_cleanse(contents->files[i].content.data, contents->files[i].content.size);
        setpay_buffer_clear(&contents->files[i].content);
    }
    free(contents->files);
    memset(contents, 0, sizeof *contents);
}

enum setpay_error setpay_backup_verify(const struct setpay_backup_source *source,
                                       const struct setpay_backup_party *party, json_t **result,
                                       struct setpay_problem *problem)
{
    struct setpay_backup_contents contents = {0};
    enum setpay_error error = setpay_backup_read(source, party, NULL, NULL, &contents, problem);
    if (error == SETPAY_OK) {
        *result = json_deep_copy(contents.manifest);
        (void)json_object_set_new(*result, "backup", json_string(source->path));
        (void)json_object_set_new(*result, "verified", json_true());
    }
    setpay_backup_contents_clear(&contents);
    return error == SETPAY_OK && *result == NULL ? SETPAY_E_NOMEM : error;
}
