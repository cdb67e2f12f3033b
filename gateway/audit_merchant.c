/*
 * A merchant's file against the gateway's steps, both ways: each item is looked up among the steps
 * by its id; what of the steps no item has named is missing in the file, where the batch is in it.
 *
 * How each batch was closed is looked at by itself (audit_close.c). Steps are found by
 * audit_found.c.
 *
 * While a batch is open the merchant goes on: steps and undoings after the moment of the export are
 * not missed in it, as far as the two's clocks may be apart.
 */
#include "gateway/audit_merchant.h"

#include "common/base/noun.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_TOLERANCE_MS SETPAY_AUDIT_CLOCK_TOLERANCE_MS

#define FIND(run, where, kind, ...)                                                                \
    setpay_audit_files_find((run)->files, (run)->file, where, kind, __VA_ARGS__)

/* ------------------------------------------------------------------ the gateway's side */

static bool read_step(const json_t *json, struct setpay_audit_step *step)
{
    const char *id = json_string_value(json_object_get(json, "step"));
    const char *xid = json_string_value(json_object_get(json, "xid"));
    const char *brand = json_string_value(json_object_get(json, "brand"));
    const char *currency = json_string_value(json_object_get(json, "currency"));
    memset(step, 0, sizeof *step);
    if (id == NULL || xid == NULL || brand == NULL || currency == NULL ||
        setpay_id_parse(id, &step->id) != SETPAY_OK ||
        setpay_id_parse(xid, &step->xid) != SETPAY_OK)
        return false;
    (void)snprintf(step->brand, sizeof step->brand, "%s", brand);
    (void)snprintf(step->amount.currency, sizeof step->amount.currency, "%s", currency);
    step->amount.minor = json_integer_value(json_object_get(json, "amount"));
    step->kind = (enum setpay_batch_item_kind)json_integer_value(json_object_get(json, "kind"));
    step->batch = (uint32_t)json_integer_value(json_object_get(json, "batch"));
    step->batch_open = json_is_true(json_object_get(json, "open"));
    step->undone = json_is_true(json_object_get(json, "undone"));
    step->date_ms = json_integer_value(json_object_get(json, "date_ms"));
    step->undone_ms = json_integer_value(json_object_get(json, "undone_ms"));
    step->closed_ms = json_integer_value(json_object_get(json, "closed_ms"));
    return true;
}

static enum setpay_error add_steps(struct setpay_audit_run *run, const json_t *list)
{
    size_t index;
    const json_t *one;
    struct setpay_audit_step *grown =
        realloc(run->steps, (run->count + json_array_size(list) + 1) * sizeof *grown);
    if (grown == NULL)
        return SETPAY_E_NOMEM;
    run->steps = grown;
    json_array_foreach(list, index, one)
    {
        if (!read_step(one, &run->steps[run->count++]))
            return SETPAY_E_MALFORMED;
    }
    return SETPAY_OK;
}

static enum setpay_error fetch(struct setpay_audit_run *run, struct setpay_problem *problem)
{
    json_int_t after = 0;
    do {
        json_t *page = NULL;
        SETPAY_TRY(setpay_operator_ask(
            run->files->asker, "audit.steps",
            json_pack("{s:s, s:I}", "merchant_id", run->file->batches.merchant_id, "after", after),
            &page, problem));
        enum setpay_error error = add_steps(run, json_object_get(page, "steps"));
        after = json_integer_value(json_object_get(page, "next_after"));
        json_decref(page);
        SETPAY_TRY(error);
    } while (after != 0);
    return setpay_audit_sort_steps(run);
}

/* Whether the merchant could not know of it yet. */
static bool is_later(const struct setpay_audit_run *run, const struct setpay_audit_step *step,
                     setpay_time_ms when_ms)
{
    char when[SETPAY_TIME_TEXT_SIZE];
    return step->batch_open && strcmp(setpay_time_format(when_ms + CLOCK_TOLERANCE_MS, when),
                                      run->file->batches.exported) > 0;
}

/* ------------------------------------------------------------------ items */

static bool is_near(const char *date, setpay_time_ms date_ms)
{
    char from[SETPAY_TIME_TEXT_SIZE], to[SETPAY_TIME_TEXT_SIZE];
    return strcmp(setpay_time_format(date_ms - CLOCK_TOLERANCE_MS, from), date) <= 0 &&
           strcmp(setpay_time_format(date_ms + CLOCK_TOLERANCE_MS, to), date) >= 0;
}

static void compare(struct setpay_audit_run *run, const struct setpay_batch_part *part,
                    const struct setpay_batch_line *line, const struct setpay_audit_step *step,
                    const char *where)
{
    char theirs[SETPAY_MONEY_TEXT_SIZE], ours[SETPAY_MONEY_TEXT_SIZE], at[SETPAY_TIME_TEXT_SIZE];
    (void)setpay_money_format(&line->amount, theirs);
    (void)setpay_money_format(&step->amount, ours);
    if (step->kind != line->kind)
        FIND(run, where, "kind", "by the gateway's books it is a %s",
             setpay_batch_kind_name(step->kind));
    if (strcmp(step->amount.currency, line->amount.currency) != 0)
        FIND(run, where, "currency", "the merchant has %s, the gateway's books have %s", theirs,
             ours);
    else if (step->amount.minor != line->amount.minor)
        FIND(run, where, "amount", "the merchant has %s, the gateway's books have %s", theirs,
             ours);
    if (!setpay_id_equal(&step->xid, &line->xid))
        FIND(run, where, "xid", "by the gateway's books it is of another payment");
    if (step->batch != part->number)
        FIND(run, where, "batch", "by the gateway's books it is in batch %lu",
             (unsigned long)step->batch);
    if (!is_near(line->date, step->date_ms))
        FIND(run, where, "date", "the merchant has %s, the gateway's books have %s", line->date,
             setpay_time_format(step->date_ms, at));
    if (line->undone && !step->undone)
        FIND(run, where, "undone", "the merchant has it as undone, the gateway's books as done");
    else if (!line->undone && step->undone && !is_later(run, step, step->undone_ms))
        FIND(run, where, "undone", "the merchant has it as done, the gateway's books as undone");
}

static void look_at_line(struct setpay_audit_run *run, const struct setpay_batch_part *part,
                         size_t at)
{
    const struct setpay_batch_line *line = &part->lines[at];
    char where[SETPAY_AUDIT_WHERE_SIZE];
    size_t before = run->file->found;
    struct setpay_audit_step *step = setpay_audit_find_step(run, part->brand, &line->id);
    (void)setpay_audit_where(part, line, where);
    if (at > 0 && memcmp(part->lines[at - 1].id.bytes, line->id.bytes, sizeof line->id.bytes) > 0)
        FIND(run, where, "order", "it stands behind an item whose id is behind its own");
    setpay_audit_proof_check(run->files, run->file, run->signers, part, line);
    if (step == NULL) {
        FIND(run, where, "extra", "the gateway's books have no such %s of this merchant",
             setpay_batch_kind_name(line->kind));
    } else {
        step->seen = true;
        compare(run, part, line, step, where);
    }
    run->file->items++;
    run->file->agree += run->file->found == before;
}

/* ------------------------------------------------------------------ sums and digests */

/* What the items that are not undone come to. */
static struct setpay_batch_total sum_of(const struct setpay_batch_part *part, const char *currency)
{
    struct setpay_batch_total sum = {.capture_count = 0};
    (void)snprintf(sum.currency, sizeof sum.currency, "%.3s", currency);
    for (size_t i = 0; i < part->line_count; i++) {
        const struct setpay_batch_line *line = &part->lines[i];
        if (line->undone || strcmp(line->amount.currency, currency) != 0)
            continue;
        bool credits = line->kind == SETPAY_BATCH_CREDIT;
        *(credits ? &sum.credit_count : &sum.capture_count) += 1;
        *(credits ? &sum.credit_minor : &sum.capture_minor) += line->amount.minor;
    }
    return sum;
}

static const struct setpay_batch_total *total_of(const struct setpay_batch_part *part,
                                                 const char *currency)
{
    for (size_t i = 0; i < part->total_count; i++)
        if (strcmp(part->totals[i].currency, currency) == 0)
            return &part->totals[i];
    return NULL;
}

static bool same_total(const struct setpay_batch_total *a, const struct setpay_batch_total *b)
{
    return a->capture_count == b->capture_count && a->capture_minor == b->capture_minor &&
           a->credit_count == b->credit_count && a->credit_minor == b->credit_minor;
}

static void check_totals(struct setpay_audit_run *run, const struct setpay_batch_part *part,
                         const char *where)
{
    for (size_t i = 0; i < part->total_count; i++) {
        const struct setpay_batch_total *total = &part->totals[i];
        const struct setpay_batch_total sum = sum_of(part, total->currency);
        if (total_of(part, total->currency) != total)
            FIND(run, where, "totals", "there are two totals in %s", total->currency);
        else if (!same_total(total, &sum))
            FIND(run, where, "totals",
                 "%s: the merchant counts %lu %s of %lld and %lu %s of %lld, its items "
                 "come to %lu of %lld and %lu of %lld (in minor units)",
                 total->currency, (unsigned long)total->capture_count,
                 setpay_noun(total->capture_count, "capture", "captures"),
                 (long long)total->capture_minor, (unsigned long)total->credit_count,
                 setpay_noun(total->credit_count, "credit", "credits"),
                 (long long)total->credit_minor, (unsigned long)sum.capture_count,
                 (long long)sum.capture_minor, (unsigned long)sum.credit_count,
                 (long long)sum.credit_minor);
    }
    for (size_t i = 0; i < part->line_count; i++) {
        const struct setpay_batch_line *line = &part->lines[i];
        if (!line->undone && total_of(part, line->amount.currency) == NULL) {
            FIND(run, where, "totals", "there are items in %s, and no total",
                 line->amount.currency);
            break;
        }
    }
}

static enum setpay_error look_at_part(struct setpay_audit_run *run,
                                      const struct setpay_batch_part *part)
{
    struct setpay_digest hash;
    char where[SETPAY_AUDIT_WHERE_SIZE];
    bool open = false;
    size_t count = 0;
    (void)setpay_audit_where(part, NULL, where);
    SETPAY_TRY(setpay_batch_part_hash(part, &hash));
    if (!setpay_digest_equal(&hash, &part->hash))
        FIND(run, where, "hash", "it is not that of its items: they were changed, or it was");
    for (const struct setpay_batch_part *other = run->file->batches.parts; other < part; other++)
        if (other->number == part->number && strcmp(other->brand, part->brand) == 0)
            FIND(run, where, "duplicate", "the batch stands in the file before");
    for (size_t i = 0; i < part->line_count; i++)
        look_at_line(run, part, i);
    check_totals(run, part, where);
    setpay_audit_close_check(run, part);
    struct setpay_audit_step *const *steps =
        setpay_audit_batch_steps(run, part->brand, part->number, &count);
    for (size_t i = 0; i < count; i++)
        open = open || steps[i]->batch_open;
    if (part->closed && open)
        FIND(run, where, "status",
             "the merchant has it as closed, by the gateway's books it is "
             "open");
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ what the file has not */

static const struct setpay_batch_part *part_of(const struct setpay_audit_run *run,
                                               const struct setpay_audit_step *step)
{
    for (size_t i = 0; i < run->file->batches.part_count; i++) {
        const struct setpay_batch_part *part = &run->file->batches.parts[i];
        if (part->number == step->batch && strcmp(part->brand, step->brand) == 0)
            return part;
    }
    return NULL;
}

static void look_at_rest(struct setpay_audit_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        const struct setpay_audit_step *step = &run->steps[i];
        char where[SETPAY_AUDIT_WHERE_SIZE], id[SETPAY_ID_TEXT_SIZE], xid[SETPAY_ID_TEXT_SIZE];
        char amount[SETPAY_MONEY_TEXT_SIZE], at[SETPAY_TIME_TEXT_SIZE];
        if (step->seen || is_later(run, step, step->date_ms) ||
            (!run->file->batches.complete && part_of(run, step) == NULL))
            continue;
        (void)snprintf(where, sizeof where, "%s batch %lu, %s %s", step->brand,
                       (unsigned long)step->batch, setpay_batch_kind_name(step->kind),
                       setpay_id_format(&step->id, id));
        FIND(run, where, "missing",
             "by the gateway's books %s were %s at %s (payment %s)%s, the merchant has it not",
             setpay_money_format(&step->amount, amount),
             step->kind == SETPAY_BATCH_CREDIT ? "credited" : "captured",
             setpay_time_format(step->date_ms, at), setpay_id_format(&step->xid, xid),
             step->undone ? " and undone" : "");
    }
}

enum setpay_error setpay_audit_merchant_file(struct setpay_audit_files *files,
                                             struct setpay_audit_file *file,
                                             struct setpay_problem *problem)
{
    struct setpay_audit_run run = {.files = files, .file = file};
    enum setpay_error error = fetch(&run, problem);
    if (error == SETPAY_OK)
        error = setpay_audit_signers_new(files, file, &run.signers);
    for (size_t i = 0; i < file->batches.part_count && error == SETPAY_OK; i++)
        error = look_at_part(&run, &file->batches.parts[i]);
    if (error == SETPAY_OK)
        look_at_rest(&run);
    setpay_audit_signers_free(run.signers);
    free(run.by_batch);
    free(run.steps);
    return error;
}
