/*
 * Files under audit: read first, all of them; then each is looked at, and what is found is named
 * with the file, the place in it, and of what kind it is.
 */
#include "gateway/audit_files.h"

#include "common/crypto/file.h"
#include "gateway/books_cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ findings */

void setpay_audit_files_find(struct setpay_audit_files *files, struct setpay_audit_file *file,
                             const char *where, const char *kind, const char *format, ...)
{
    char words[320];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(words, sizeof words, format, list);
    va_end(list);
    file->found++;
    json_object_set_new(file->counts, kind,
                        json_integer(json_integer_value(json_object_get(file->counts, kind)) + 1));
    setpay_audit_find(files->audit, NULL, "%.100s: %s%s%s: %s", file->path,
                      where != NULL ? where : "", where != NULL ? ": " : "", kind, words);
}

const char *setpay_audit_where(const struct setpay_batch_part *part,
                               const struct setpay_batch_line *line, char *out)
{
    char id[SETPAY_ID_TEXT_SIZE];
    if (line == NULL)
        (void)snprintf(out, SETPAY_AUDIT_WHERE_SIZE, "%s batch %lu", part->brand,
                       (unsigned long)part->number);
    else
        (void)snprintf(out, SETPAY_AUDIT_WHERE_SIZE, "%s batch %lu, %s %s", part->brand,
                       (unsigned long)part->number, setpay_batch_kind_name(line->kind),
                       setpay_id_format(&line->id, id));
    return out;
}

/* ------------------------------------------------------------------ reading */

static enum setpay_error read_batches(struct setpay_audit_file *file,
                                      struct setpay_problem *problem)
{
    struct setpay_buffer bytes;
    struct setpay_problem why = {{0}};
    setpay_buffer_init(&bytes, SETPAY_BATCH_FILE_MAX);
    enum setpay_error error = setpay_file_read(file->path, &bytes, &why);
    if (error == SETPAY_OK)
        error = setpay_batch_file_parse(setpay_buffer_view(&bytes), &file->batches, &why);
    else if (error != SETPAY_E_NOMEM)
        error = SETPAY_E_USAGE;
    setpay_buffer_clear(&bytes);
    if (error != SETPAY_OK && why.text[0] != '\0' && strstr(why.text, file->path) != NULL)
        return setpay_problem_set(problem, error, "%s", why.text);
    if (error != SETPAY_OK)
        return setpay_problem_set(problem, error, "%.200s: %s", file->path,
                                  why.text[0] != '\0' ? why.text : setpay_error_text(error));
    return SETPAY_OK;
}

static enum setpay_error read_list(const json_t *list, bool is_clearing,
                                   struct setpay_audit_files *files, struct setpay_problem *problem)
{
    size_t index;
    const json_t *path;
    if (json_array_size(list) > SETPAY_AUDIT_FILES_MAX)
        return setpay_problem_set(
            problem, SETPAY_E_USAGE, "--%s: found %zu files, expected at most %d",
            is_clearing ? "clearing" : "merchant", json_array_size(list), SETPAY_AUDIT_FILES_MAX);
    json_array_foreach(list, index, path)
    {
        struct setpay_audit_file *file = &files->files[files->count++];
        file->path = json_string_value(path);
        file->is_clearing = is_clearing;
        file->counts = json_object();
        if (file->path == NULL || file->counts == NULL)
            return SETPAY_E_NOMEM;
        SETPAY_TRY(is_clearing ? setpay_books_read_clearing(file->path, &file->clearing, problem)
                               : read_batches(file, problem));
    }
    return SETPAY_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct setpay_audit_item *one = a, *other = b;
    int order = memcmp(one->line->id.bytes, other->line->id.bytes, sizeof one->line->id.bytes);
    if (order != 0 || one->line == other->line)
        return order;
    return one->file != other->file  ? (one->file < other->file ? -1 : 1)
           : one->line < other->line ? -1
                                     : 1;
}

static enum setpay_error list_items(struct setpay_audit_files *files)
{
    size_t count = 0;
    for (size_t i = 0; i < files->count; i++)
        for (size_t k = 0; k < files->files[i].batches.part_count; k++)
            count += files->files[i].batches.parts[k].line_count;
    files->items = calloc(count + 1, sizeof *files->items);
    if (files->items == NULL)
        return SETPAY_E_NOMEM;
    for (size_t i = 0; i < files->count; i++)
        for (size_t k = 0; k < files->files[i].batches.part_count; k++) {
            const struct setpay_batch_part *part = &files->files[i].batches.parts[k];
            for (size_t n = 0; n < part->line_count; n++)
                files->items[files->item_count++] =
                    (struct setpay_audit_item){&files->files[i], part, &part->lines[n]};
        }
    qsort(files->items, files->item_count, sizeof *files->items, by_id);
    return SETPAY_OK;
}

enum setpay_error setpay_audit_files_read(const json_t *args, struct setpay_audit_files *files,
                                          struct setpay_problem *problem)
{
    files->files = calloc(2 * (size_t)SETPAY_AUDIT_FILES_MAX, sizeof *files->files);
    if (files->files == NULL)
        return SETPAY_E_NOMEM;
    SETPAY_TRY(read_list(json_object_get(args, "merchant_files"), false, files, problem));
    SETPAY_TRY(read_list(json_object_get(args, "clearing_files"), true, files, problem));
    return list_items(files);
}

void setpay_audit_files_clear(struct setpay_audit_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        setpay_batch_file_clear(&files->files[i].batches);
        setpay_clearing_file_clear(&files->files[i].clearing);
        json_decref(files->files[i].counts);
    }
    free(files->files);
    free(files->items);
    files->files = NULL;
    files->items = NULL;
    files->count = files->item_count = 0;
}

/* ------------------------------------------------------------------ comparing */

/* An item that stands twice, wherever: it would be paid twice. */
static void find_duplicates(struct setpay_audit_files *files)
{
    for (size_t i = 1; i < files->item_count; i++) {
        const struct setpay_audit_item *one = &files->items[i - 1], *other = &files->items[i];
        char where[SETPAY_AUDIT_WHERE_SIZE];
        if (!setpay_id_equal(&one->line->id, &other->line->id))
            continue;
        setpay_audit_files_find(files, other->file,
                                setpay_audit_where(other->part, other->line, where), "duplicate",
                                "it stands in %.100s before, in batch %lu", one->file->path,
                                (unsigned long)one->part->number);
    }
}

enum setpay_error setpay_audit_files_compare(struct setpay_audit_files *files,
                                             struct setpay_problem *problem)
{
    for (size_t i = 0; i < files->count; i++)
        SETPAY_TRY(files->files[i].is_clearing
                       ? setpay_audit_clearing_file(files, &files->files[i], problem)
                       : setpay_audit_merchant_file(files, &files->files[i], problem));
    find_duplicates(files);
    return SETPAY_OK;
}

json_t *setpay_audit_files_json(const struct setpay_audit_files *files)
{
    json_t *list = json_array();
    for (size_t i = 0; i < files->count; i++) {
        const struct setpay_audit_file *file = &files->files[i];
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "file", file->path,
                      "kind", file->is_clearing ? "clearing" : "merchant", "of",
                      file->is_clearing ? file->clearing.issuer : file->batches.merchant_id,
                      "items", (json_int_t)file->items, "agree", (json_int_t)file->agree, "found",
                      (json_int_t)file->found, "elsewhere", (json_int_t)file->elsewhere,
                      "signed_batches", (json_int_t)file->signed_closes, "unsigned_batches",
                      (json_int_t)file->unsigned_closes, "counts", file->counts));
    }
    return list;
}
