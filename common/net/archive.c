/*
 * Archives by libarchive, with the sums of what is in them.
 *
 * What always holds: a reader says "the end" only after SHA256SUMS has named every file before it
 * with its right sum; whoever needs to be sure acts after that.
 */
#include "common/net/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUMS_NAME "SHA256SUMS"
#define SUMS_MAX (256 * 1024)
#define PIECE (64 * 1024)

/* ------------------------------------------------------------------ files as streams */

static enum setpay_error put_file(void *self, struct setpay_view bytes)
{
    const int *fd = self;
    while (bytes.size > 0) {
        ssize_t wrote = write(*fd, bytes.data, bytes.size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? SETPAY_E_STORE_FULL
                                                                        : SETPAY_E_IO;
        bytes = setpay_view_of(bytes.data + wrote, bytes.size - (size_t)wrote);
    }
    return SETPAY_OK;
}

static enum setpay_error get_file(void *self, uint8_t *room, size_t size, size_t *got)
{
    const int *fd = self;
    ssize_t read_size;
    do
        read_size = read(*fd, room, size);
    while (read_size < 0 && errno == EINTR);
    if (read_size < 0)
        return SETPAY_E_IO;
    *got = (size_t)read_size;
    return SETPAY_OK;
}

struct setpay_stream setpay_stream_of_file(const int *fd)
{
    return (struct setpay_stream){put_file, get_file, (void *)(uintptr_t)fd};
}

/* ------------------------------------------------------------------ sums */

static enum setpay_error sum_begin(EVP_MD_CTX **context)
{
    *context = EVP_MD_CTX_new();
    if (*context == NULL)
        return SETPAY_E_NOMEM;
    return EVP_DigestInit_ex(*context, EVP_sha256(), NULL) == 1 ? SETPAY_OK : SETPAY_E_CRYPTO;
}

/* A line of sha256sum(1). */
static enum setpay_error sum_end(EVP_MD_CTX *context, const char *name, struct setpay_buffer *sums)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned size = 0;
    if (EVP_DigestFinal_ex(context, digest, &size) != 1)
        return SETPAY_E_CRYPTO;
    setpay_hex_encode(setpay_view_of(digest, size), hex);
    return setpay_buffer_append_format(sums, "%s  %s\n", hex, name);
}

/* ------------------------------------------------------------------ writing */

struct setpay_archive_writer {
    struct setpay_stream out;
    struct archive *archive;
    struct setpay_buffer sums;
    EVP_MD_CTX *sum;
    setpay_time_ms now_ms;
    enum setpay_error error; /* the stream's first */
};

static la_ssize_t on_write(struct archive *archive, void *arg, const void *bytes, size_t size)
{
    struct setpay_archive_writer *writer = arg;
    if (writer->error == SETPAY_OK)
        writer->error = writer->out.put(writer->out.self, setpay_view_of(bytes, size));
    if (writer->error == SETPAY_OK)
        return (la_ssize_t)size;
    archive_set_error(archive, EIO, "the file can't be written");
    return -1;
}

static enum setpay_error failed(const struct setpay_archive_writer *writer)
{
    return writer->error != SETPAY_OK ? writer->error : SETPAY_E_IO;
}

enum setpay_error setpay_archive_writer_new(struct setpay_stream out, setpay_time_ms now_ms,
                                            struct setpay_archive_writer **writer)
{
    struct setpay_archive_writer *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->out = out;
    made->now_ms = now_ms;
    setpay_buffer_init(&made->sums, SUMS_MAX);
    made->archive = archive_write_new();
    if (made->archive == NULL || archive_write_set_format_pax_restricted(made->archive) != 0 ||
        archive_write_set_bytes_per_block(made->archive, PIECE) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(made->archive, 1) != ARCHIVE_OK ||
        archive_write_open(made->archive, made, NULL, on_write, NULL) != ARCHIVE_OK) {
        setpay_archive_writer_free(made);
        return SETPAY_E_NOMEM;
    }
    *writer = made;
    return SETPAY_OK;
}

static enum setpay_error begin_entry(struct setpay_archive_writer *writer, const char *name,
                                     unsigned mode, int64_t size)
{
    struct archive_entry *entry = archive_entry_new();
    if (entry == NULL)
        return SETPAY_E_NOMEM;
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, (mode_t)mode);
    archive_entry_set_size(entry, size);
    archive_entry_set_mtime(entry, (time_t)(writer->now_ms / SETPAY_SECOND_MS), 0);
    int code = archive_write_header(writer->archive, entry);
    archive_entry_free(entry);
    EVP_MD_CTX_free(writer->sum);
    writer->sum = NULL;
    SETPAY_TRY(sum_begin(&writer->sum));
    return code == ARCHIVE_OK ? SETPAY_OK : failed(writer);
}

static enum setpay_error add_bytes(struct setpay_archive_writer *writer, struct setpay_view bytes)
{
    if (bytes.size == 0)
        return SETPAY_OK;
    if (EVP_DigestUpdate(writer->sum, bytes.data, bytes.size) != 1)
        return SETPAY_E_CRYPTO;
    return archive_write_data(writer->archive, bytes.data, bytes.size) == (la_ssize_t)bytes.size
               ? SETPAY_OK
               : failed(writer);
}

enum setpay_error setpay_archive_add(struct setpay_archive_writer *writer, const char *name,
                                     unsigned mode, struct setpay_view content)
{
    SETPAY_TRY(begin_entry(writer, name, mode, (int64_t)content.size));
    SETPAY_TRY(add_bytes(writer, content));
    return sum_end(writer->sum, name, &writer->sums);
}

enum setpay_error setpay_archive_add_file(struct setpay_archive_writer *writer, const char *name,
                                          unsigned mode, int fd, const atomic_bool *cancel)
{
    struct stat status;
    uint8_t piece[PIECE];
    int64_t left;
    if (fstat(fd, &status) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        return SETPAY_E_IO;
    left = status.st_size;
    SETPAY_TRY(begin_entry(writer, name, mode, left));
    while (left > 0) {
        size_t got = 0;
        if (cancel != NULL && atomic_load(cancel))
            return SETPAY_E_DRAINING;
        SETPAY_TRY(get_file(&fd, piece, left < PIECE ? (size_t)left : PIECE, &got));
        if (got == 0)
            return SETPAY_E_IO; /* it became shorter */
        SETPAY_TRY(add_bytes(writer, setpay_view_of(piece, got)));
        left -= (int64_t)got;
    }
    return sum_end(writer->sum, name, &writer->sums);
}

enum setpay_error setpay_archive_writer_finish(struct setpay_archive_writer *writer)
{
    struct setpay_view sums = setpay_buffer_view(&writer->sums);
    SETPAY_TRY(begin_entry(writer, SUMS_NAME, 0644, (int64_t)sums.size));
    SETPAY_TRY(add_bytes(writer, sums));
    return archive_write_close(writer->archive) == ARCHIVE_OK ? SETPAY_OK : failed(writer);
}

void setpay_archive_writer_free(struct setpay_archive_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->error == SETPAY_OK)
        writer->error = SETPAY_E_IO; /* what libarchive still holds goes nowhere */
    archive_write_free(writer->archive);
    EVP_MD_CTX_free(writer->sum);
    setpay_buffer_clear(&writer->sums);
    free(writer);
}

/* ------------------------------------------------------------------ reading */

struct setpay_archive_reader {
    struct setpay_stream in;
    const char *path;
    struct archive *archive;
    struct setpay_buffer sums; /* of what was read */
    EVP_MD_CTX *sum;
    char name[SETPAY_ARCHIVE_NAME_SIZE]; /* of the file under way; "" for none */
    enum setpay_error error;             /* the stream's first */
    uint8_t piece[PIECE];
};

static la_ssize_t on_read(struct archive *archive, void *arg, const void **bytes)
{
    struct setpay_archive_reader *reader = arg;
    size_t got = 0;
    if (reader->error == SETPAY_OK)
        reader->error = reader->in.get(reader->in.self, reader->piece, sizeof reader->piece, &got);
    *bytes = reader->piece;
    if (reader->error == SETPAY_OK)
        return (la_ssize_t)got;
    archive_set_error(archive, EIO, "the file can't be read");
    return -1;
}

static enum setpay_error bad(const struct setpay_archive_reader *reader, const char *why,
                             struct setpay_problem *problem)
{
    enum setpay_error error = reader->error != SETPAY_OK ? reader->error : SETPAY_E_BACKUP;
    if (error == SETPAY_E_IO)
        return setpay_problem_set(problem, error, "%s: can't be read: %s", reader->path,
                                  strerror(errno));
    if (error == SETPAY_E_CRYPTO)
        return setpay_problem_set(problem, SETPAY_E_BACKUP,
                                  "%s: was changed or cut off: a sealed piece of it does not open; "
                                  "take another copy of the backup",
                                  reader->path);
    return setpay_problem_set(problem, error, "%s: %s", reader->path, why);
}

#define CUT "is cut off: its end is missing; take another copy of the backup"

enum setpay_error setpay_archive_reader_new(struct setpay_stream in, const char *path,
                                            struct setpay_archive_reader **reader,
                                            struct setpay_problem *problem)
{
    struct setpay_archive_reader *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->in = in;
    made->path = path;
    setpay_buffer_init(&made->sums, SUMS_MAX);
    made->archive = archive_read_new();
    if (made->archive == NULL || archive_read_support_format_tar(made->archive) != ARCHIVE_OK) {
        setpay_archive_reader_free(made);
        return SETPAY_E_NOMEM;
    }
    if (archive_read_open(made->archive, made, NULL, on_read, NULL) != ARCHIVE_OK) {
        enum setpay_error error = bad(made, "is no backup of setpay", problem);
        setpay_archive_reader_free(made);
        return error;
    }
    *reader = made;
    return SETPAY_OK;
}

/* What is said of all files must be what was read, line by line. */
static enum setpay_error check_sums(struct setpay_archive_reader *reader,
                                    struct setpay_problem *problem)
{
    struct setpay_buffer said;
    struct setpay_buffer read = reader->sums;
    struct archive_entry *entry = NULL;
    setpay_buffer_init(&said, SUMS_MAX);
    setpay_buffer_init(&reader->sums, SUMS_MAX); /* its own line is in no sum */
    enum setpay_error error = setpay_archive_read(reader, &said, problem);
    size_t same = 0;
    while (same < said.size && same < read.size && said.data[same] == read.data[same])
        same++;
    if (error == SETPAY_OK && (same < said.size || same < read.size)) {
        char words[SETPAY_ARCHIVE_NAME_SIZE + 128] =
            "is damaged: its sums do not fit what it holds";
        while (same > 0 && read.size > 0 && (same >= read.size || read.data[same - 1] != '\n'))
            same--;
        if (read.size - same > 66) {
            const char *name = (const char *)read.data + same + 66;
            const char *end = memchr(name, '\n', read.size - same - 66);
            if (end != NULL)
                (void)snprintf(words, sizeof words,
                               "is damaged: %.*s in it is not what it was; take another copy of "
                               "the backup",
                               (int)(end - name), name);
        }
        error = bad(reader, words, problem);
    }
    if (error == SETPAY_OK && archive_read_next_header(reader->archive, &entry) != ARCHIVE_EOF)
        error = bad(reader, "is damaged: something stands behind its end", problem);
    setpay_buffer_clear(&said);
    setpay_buffer_clear(&read);
    return error == SETPAY_OK ? SETPAY_E_NOT_FOUND : error;
}

enum setpay_error setpay_archive_next(struct setpay_archive_reader *reader,
                                      struct setpay_archive_entry *entry,
                                      struct setpay_problem *problem)
{
    struct archive_entry *found = NULL;
    int code = archive_read_next_header(reader->archive, &found);
    if (code == ARCHIVE_EOF && reader->sums.size == 0)
        return bad(reader, "is no backup of setpay", problem);
    if (code == ARCHIVE_EOF)
        return bad(reader, CUT, problem);
    if (code != ARCHIVE_OK)
        return bad(reader,
                   reader->sums.size == 0
                       ? "is no backup of setpay"
                       : "is damaged or cut off; take another copy of the backup",
                   problem);
    const char *name = archive_entry_pathname(found);
    if (name == NULL || archive_entry_filetype(found) != AE_IFREG ||
        !archive_entry_size_is_set(found) || archive_entry_size(found) < 0 ||
        strlen(name) >= sizeof entry->name || name[0] == '\0' || strchr(name, '\n') != NULL)
        return bad(reader, "is no backup of setpay: something other than plain files is in it",
                   problem);
    (void)snprintf(reader->name, sizeof reader->name, "%s", name);
    EVP_MD_CTX_free(reader->sum);
    reader->sum = NULL;
    SETPAY_TRY(sum_begin(&reader->sum));
    if (strcmp(name, SUMS_NAME) == 0)
        return check_sums(reader, problem);
    (void)snprintf(entry->name, sizeof entry->name, "%s", name);
    entry->size = (uint64_t)archive_entry_size(found);
    return SETPAY_OK;
}

/* The next piece of the file under way; size 0: its end, whose sum is then kept. */
static enum setpay_error next_piece(struct setpay_archive_reader *reader, uint8_t piece[PIECE],
                                    size_t *size, struct setpay_problem *problem)
{
    la_ssize_t got = archive_read_data(reader->archive, piece, PIECE);
    if (got < 0)
        return bad(reader, CUT, problem);
    *size = (size_t)got;
    if (got == 0)
        return sum_end(reader->sum, reader->name, &reader->sums);
    return EVP_DigestUpdate(reader->sum, piece, (size_t)got) == 1 ? SETPAY_OK : SETPAY_E_CRYPTO;
}

enum setpay_error setpay_archive_read(struct setpay_archive_reader *reader,
                                      struct setpay_buffer *content, struct setpay_problem *problem)
{
    uint8_t piece[PIECE];
    size_t size = 0;
    setpay_buffer_reset(content);
    do {
        SETPAY_TRY(next_piece(reader, piece, &size, problem));
        SETPAY_TRY(setpay_buffer_append(content, setpay_view_of(piece, size)));
    } while (size > 0);
    return SETPAY_OK;
}

enum setpay_error setpay_archive_extract(struct setpay_archive_reader *reader, int fd,
                                         struct setpay_problem *problem)
{
    uint8_t piece[PIECE];
    size_t size = 0;
    do {
        SETPAY_TRY(next_piece(reader, piece, &size, problem));
        if (fd >= 0)
            SETPAY_TRY(put_file(&fd, setpay_view_of(piece, size)));
    } while (size > 0);
    return SETPAY_OK;
}

void setpay_archive_reader_free(struct setpay_archive_reader *reader)
{
    if (reader == NULL)
        return;
    archive_read_free(reader->archive);
    EVP_MD_CTX_free(reader->sum);
    setpay_buffer_clear(&reader->sums);
    free(reader);
}
