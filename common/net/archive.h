/*
 * The file of a backup: a tar archive (POSIX ustar, pax where a size needs it) of regular files
 * whose last one, SHA256SUMS, holds the sums of all before it in the form of sha256sum(1). Anybody
 * can open it with tar and check it with sha256sum -c; a piece that was changed, and an end that
 * was cut off, are told from each other.
 *
 * Bytes go through a stream, so that an archive can be sealed on its way (sealed.h).
 */
#ifndef SETPAY_NET_ARCHIVE_H
#define SETPAY_NET_ARCHIVE_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where an archive goes to, or comes from. */
struct setpay_stream {
    enum setpay_error (*put)(void *self, struct setpay_view bytes);
    /* *got 0: the end. */
    enum setpay_error (*get)(void *self, uint8_t *room, size_t size, size_t *got);
    void *self;
};
/* Of an open file; fd stays the caller's, and stays where it is. SETPAY_E_STORE_FULL, _IO. */
struct setpay_stream setpay_stream_of_file(const int *fd);

/* ------------------------------------------------------------------ writing */

struct setpay_archive_writer;

enum setpay_error
setpay_archive_writer_new(struct setpay_stream out, setpay_time_ms now_ms,
                          struct setpay_archive_writer **writer) SETPAY_MUST_CHECK;
/* name: without a leading slash. */
enum setpay_error setpay_archive_add(struct setpay_archive_writer *writer, const char *name,
                                     unsigned mode, struct setpay_view content) SETPAY_MUST_CHECK;
/* All of an open file, from its start. cancel (may be NULL): SETPAY_E_DRAINING once it is set. */
enum setpay_error setpay_archive_add_file(struct setpay_archive_writer *writer, const char *name,
                                          unsigned mode, int fd,
                                          const atomic_bool *cancel) SETPAY_MUST_CHECK;
/* SHA256SUMS and the end. */
enum setpay_error
setpay_archive_writer_finish(struct setpay_archive_writer *writer) SETPAY_MUST_CHECK;
/* NULL-safe. */
void setpay_archive_writer_free(struct setpay_archive_writer *writer);

/* ------------------------------------------------------------------ reading */

#define SETPAY_ARCHIVE_NAME_SIZE 160

struct setpay_archive_entry {
    char name[SETPAY_ARCHIVE_NAME_SIZE];
    uint64_t size;
};

struct setpay_archive_reader;

/* path: for words. */
enum setpay_error setpay_archive_reader_new(struct setpay_stream in, const char *path,
                                            struct setpay_archive_reader **reader,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The next file. SETPAY_E_NOT_FOUND after the last one, and only where all sums were right.
 * SETPAY_E_BACKUP: this is no backup, or it was changed or cut off, with words. */
enum setpay_error setpay_archive_next(struct setpay_archive_reader *reader,
                                      struct setpay_archive_entry *entry,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* All of the file, into content (replaced; SETPAY_E_TOO_BIG above its max). */
enum setpay_error setpay_archive_read(struct setpay_archive_reader *reader,
                                      struct setpay_buffer *content,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* All of the file, to the end of an open one; -1: to nowhere. */
enum setpay_error setpay_archive_extract(struct setpay_archive_reader *reader, int fd,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* NULL-safe. */
void setpay_archive_reader_free(struct setpay_archive_reader *reader);

#endif
