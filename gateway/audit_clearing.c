/*
 * An issuer's clearing file under audit: against the ledger, as reconcile compares them, and row by
 * row against what merchants say in their files. So a row of which the ledger was changed to agree
 * is found all the same.
 */
#include "gateway/audit_files.h"

#include "gateway/books_cli.h"
#include "gateway/clearing/settlement.h"
#include "gateway/clearing/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    struct setpay_audit_files *files;
    struct setpay_audit_file *file;
    struct setpay_clearing_compare compare;
};

static void on_difference(void *arg, enum setpay_difference difference, const char *id, size_t line,
                          const char *words)
{
    struct run *run = arg;
    char where[SETPAY_AUDIT_WHERE_SIZE];
    if (line != 0)
        (void)snprintf(where, sizeof where, "line %zu, %.40s", line, id);
    else
        (void)snprintf(where, sizeof where, "%.40s", id);
    setpay_audit_files_find(run->files, run->file, where, setpay_difference_name(difference), "%s",
                            words);
}

/* ------------------------------------------------------------------ of several files */

static bool has_day(const struct setpay_clearing_file *file, const char *day)
{
    return strcmp(file->from, day) <= 0 && strcmp(day, file->to) <= 0;
}

static bool has_row(const struct run *run, const struct setpay_clearing_file *file, const char *id)
{
    for (size_t i = 0; i < file->row_count; i++)
        if (strcmp(file->rows[i].presentment, id) == 0 &&
            strcmp(file->rows[i].acquirer, run->compare.acquirer) == 0)
            return true;
    return false;
}

/* A clearing file of the same issuer's that tells of that day, or has a row of that id; NULL. */
static const struct setpay_clearing_file *find_file(const struct run *run, const char *day,
                                                    const char *id)
{
    for (size_t i = 0; i < run->files->count; i++) {
        const struct setpay_clearing_file *file = &run->files->files[i].clearing;
        if (run->files->files[i].is_clearing &&
            strcmp(file->issuer, run->file->clearing.issuer) == 0 &&
            (day == NULL || has_day(file, day)) && (id == NULL || has_row(run, file, id)))
            return file;
    }
    return NULL;
}

/* Where all files that may hold it are here, it is in one of them, or missing. */
static void on_elsewhere(void *arg, const struct setpay_clearing_item *item, const char *first,
                         const char *last)
{
    struct run *run = arg;
    char id[SETPAY_ID_TEXT_SIZE], amount[SETPAY_MONEY_TEXT_SIZE], day[SETPAY_DATE_TEXT_SIZE];
    struct setpay_date date = {1970, 1, 1};
    (void)setpay_id_format(&item->step, id);
    if (find_file(run, NULL, id) != NULL)
        return;
    (void)snprintf(day, sizeof day, "%s", first);
    while (strcmp(day, last) <= 0 && find_file(run, day, NULL) != NULL &&
           setpay_date_parse(day, &date) == SETPAY_OK) {
        date = setpay_date_add_days(&date, 1);
        (void)setpay_date_format(&date, day);
    }
    if (strcmp(day, last) <= 0)
        run->file->elsewhere++;
    else
        setpay_audit_files_find(run->files, run->file, id, "missing",
                                "%s of %s %s are in no file from %s on, though the issuer took "
                                "them with response code %s",
                                setpay_money_format(&item->amount, amount), item->brand,
                                item->merchant_id, first, item->response_code);
}

/* ------------------------------------------------------------------ the merchants' side */

static int to_id(const void *key, const void *item)
{
    const struct setpay_id *id = key;
    const struct setpay_audit_item *one = item;
    return memcmp(id->bytes, one->line->id.bytes, sizeof id->bytes);
}

static const struct setpay_audit_item *find_item(const struct setpay_audit_files *files,
                                                 const struct setpay_id *id)
{
    return bsearch(id, files->items, files->item_count, sizeof *files->items, to_id);
}

/* The ledger's item of that id, sorted by setpay_clearing_compare_run. */
static const struct setpay_clearing_item *find_ledger(const struct run *run,
                                                      const struct setpay_id *id)
{
    for (size_t from = 0, to = run->compare.item_count; from < to;) {
        size_t middle = from + (to - from) / 2;
        const struct setpay_clearing_item *item = &run->compare.items[middle];
        int order = memcmp(id->bytes, item->step.bytes, sizeof id->bytes);
        if (order == 0)
            return item;
        *(order < 0 ? &to : &from) = order < 0 ? middle : middle + 1;
    }
    return NULL;
}

/* A file of the merchant that must hold what the ledger has in that batch. */
static const struct setpay_audit_file *must_hold(const struct setpay_audit_files *files,
                                                 const struct setpay_clearing_item *item)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct setpay_batch_file *file = &files->files[i].batches;
        if (files->files[i].is_clearing || strcmp(file->merchant_id, item->merchant_id) != 0)
            continue;
        for (size_t k = 0; k < file->part_count; k++)
            if (file->parts[k].number == item->batch &&
                strcmp(file->parts[k].brand, item->brand) == 0)
                return &files->files[i];
        if (file->complete)
            return &files->files[i];
    }
    return NULL;
}

static void compare(struct run *run, const char *where, const struct setpay_clearing_row *row,
                    const struct setpay_audit_item *item)
{
    const struct setpay_batch_line *line = item->line;
    char issuer[SETPAY_MONEY_TEXT_SIZE], merchant[SETPAY_MONEY_TEXT_SIZE];
    char xid[SETPAY_ID_TEXT_SIZE];
    const char *path = item->file->path, *kind = NULL;
    (void)setpay_money_format(&row->amount, issuer);
    (void)setpay_money_format(&line->amount, merchant);
    bool credits = line->kind == SETPAY_BATCH_CREDIT;
    if (strcmp(row->amount.currency, line->amount.currency) != 0)
        kind = "currency";
    else if (row->amount.minor != line->amount.minor ||
             setpay_clearing_kind_credits(row->kind) != credits)
        kind = "amount";
    if (kind != NULL)
        setpay_audit_files_find(run->files, run->file, where, kind,
                                "the issuer has %s (%s), by %.100s the merchant has %s (%s)",
                                issuer, setpay_clearing_kind_name(row->kind), path, merchant,
                                setpay_batch_kind_name(line->kind));
    if (row->xid[0] != '\0' && strcmp(setpay_id_format(&line->xid, xid), row->xid) != 0)
        setpay_audit_files_find(run->files, run->file, where, "xid",
                                "the issuer has it of another payment than the merchant in %.100s",
                                path);
    if (line->undone && row->kind != SETPAY_CLEARING_SALE)
        setpay_audit_files_find(run->files, run->file, where, "undone",
                                "the issuer has booked %s, by %.100s it was undone", issuer, path);
}

/* A sale that the issuer has undone, whole or in part: whether the merchant has it as undone. What
 * was undone behind its export is not in there. */
static void compare_reversal(struct run *run, const char *where,
                             const struct setpay_clearing_row *row,
                             const struct setpay_audit_item *item)
{
    const struct setpay_batch_line *line = item->line;
    char issuer[SETPAY_MONEY_TEXT_SIZE], merchant[SETPAY_MONEY_TEXT_SIZE];
    char xid[SETPAY_ID_TEXT_SIZE];
    const char *path = item->file->path, *kind = NULL;
    bool is_final = item->part->closed ||
                    strncmp(row->date, item->file->batches.exported, strlen(row->date)) < 0;
    (void)setpay_money_format(&row->amount, issuer);
    (void)setpay_money_format(&line->amount, merchant);
    if (strcmp(row->amount.currency, line->amount.currency) != 0)
        kind = "currency";
    else if (row->amount.minor > line->amount.minor || line->kind == SETPAY_BATCH_CREDIT)
        kind = "amount";
    else if (is_final && !line->undone)
        kind = "undone";
    if (kind != NULL)
        setpay_audit_files_find(run->files, run->file, where, kind,
                                "the issuer has given back %s of a sale, by %.100s the merchant "
                                "has %s (%s%s)",
                                issuer, path, merchant, line->undone ? "undone " : "",
                                setpay_batch_kind_name(line->kind));
    if (row->xid[0] != '\0' && strcmp(setpay_id_format(&line->xid, xid), row->xid) != 0)
        setpay_audit_files_find(run->files, run->file, where, "xid",
                                "the issuer has it of another payment than the merchant in %.100s",
                                path);
}

static void look_at_row(struct run *run, const struct setpay_clearing_row *row, size_t number)
{
    struct setpay_id id;
    char where[SETPAY_AUDIT_WHERE_SIZE], amount[SETPAY_MONEY_TEXT_SIZE];
    if (strcmp(row->acquirer, run->compare.acquirer) != 0 || strcmp(row->result, "00") != 0 ||
        setpay_id_parse(row->presentment, &id) != SETPAY_OK)
        return;
    (void)snprintf(where, sizeof where, "line %zu, %s", number, row->presentment);
    const struct setpay_audit_item *item = find_item(run->files, &id);
    bool is_back = row->kind == SETPAY_CLEARING_SALE_REVERSAL;
    if (item != NULL) {
        (is_back ? compare_reversal : compare)(run, where, row, item);
        return;
    }
    if (is_back) /* the sale's own row says that it is missing */
        return;
    const struct setpay_clearing_item *ledger = find_ledger(run, &id);
    const struct setpay_audit_file *file =
        ledger != NULL && !ledger->unsold ? must_hold(run->files, ledger) : NULL;
    if (file != NULL)
        setpay_audit_files_find(run->files, run->file, where, "missing",
                                "the issuer has booked %s, and it is not in %.100s",
                                setpay_money_format(&row->amount, amount), file->path);
}

static void look_at_rows(struct run *run)
{
    for (size_t i = 0; i < run->file->clearing.row_count; i++)
        look_at_row(run, &run->file->clearing.rows[i], i + 2); /* behind the header */
}

/* ------------------------------------------------------------------ the whole */

/* Whose file it is, by our section: its rows tell. With one issuer it is of all. */
static const char *issuer_of(struct run *run, char name[SETPAY_NETWORK_NAME_SIZE])
{
    if (setpay_config_instance_count(run->files->audit->config, "issuer *") < 2)
        return NULL;
    return setpay_clearing_compare_find_issuer(&run->compare, name) ? name
                                                                    : run->file->clearing.issuer;
}

enum setpay_error setpay_audit_clearing_file(struct setpay_audit_files *files,
                                             struct setpay_audit_file *file,
                                             struct setpay_problem *problem)
{
    struct run run = {.files = files, .file = file};
    char issuer[SETPAY_NETWORK_NAME_SIZE];
    size_t differences = 0;
    run.compare.file = &file->clearing;
    run.compare.acquirer = setpay_books_acquirer(files->audit->config);
    run.compare.late_ms = SETPAY_CLEARING_LATE_MS;
    run.compare.elsewhere_cb = on_elsewhere;
    enum setpay_error error = setpay_books_fetch_items(files->asker, &run.compare, problem);
    if (error == SETPAY_OK)
        run.compare.issuer = issuer_of(&run, issuer);
    if (error == SETPAY_OK)
        error = setpay_clearing_compare_run(&run.compare, on_difference, &run, &differences);
    if (error == SETPAY_OK) {
        file->items = run.compare.looked_at;
        file->agree = run.compare.matched;
        look_at_rows(&run);
    }
    free(run.compare.items);
    return error;
}
