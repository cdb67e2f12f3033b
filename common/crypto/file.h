/*
 * Small files, whole: written so that they are there complete or not at all, and read as secrets
 * only where nobody else could have read or changed them.
 */
#ifndef SETPAY_CRYPTO_FILE_H
#define SETPAY_CRYPTO_FILE_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/secret.h"

#include <stdbool.h>

/* Writes a whole file with that mode, safely: temporary file in the same folder, fsync, rename,
 * fsync of the folder. SETPAY_E_EXISTS (without replace), SETPAY_E_IO. */
enum setpay_error setpay_file_write(const char *path, struct setpay_view content, unsigned mode,
                                    bool replace, struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Reads a whole private file (conditions as for keys) into a secret; at most 64 KiB. For
 * passphrases: a single line end at the end is cut off. Empty files: SETPAY_E_INVALID. */
enum setpay_error setpay_file_read_secret(const char *path, struct setpay_secret *content,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Reads a public file (certificates) of at most the buffer's max. SETPAY_E_NOT_FOUND, SETPAY_E_IO,
 * SETPAY_E_TOO_BIG. Replaces what content holds. */
enum setpay_error setpay_file_read(const char *path, struct setpay_buffer *content,
                                   struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Overwrites a private file with zeros, syncs that, and removes it: no copy is left where the file
 * system writes in place. SETPAY_OK where there is none. SETPAY_E_IO. */
enum setpay_error setpay_file_destroy(const char *path,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Makes what was renamed, linked or removed in the folder of path durable. */
bool setpay_file_sync_folder(const char *path);

#endif
