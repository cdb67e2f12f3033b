/*
 * How a batch in a merchant's file was closed: the gateway has signed its own totals and the moment
 * to the merchant, so that neither can say later that it counted something else. Where the two
 * differed when it was to be closed, the gateway has signed what it had in the batch, item by item.
 *
 * An answer that differs from the file shows that the file was changed; one that differs from the
 * gateway's books, that these were.
 */
#include "gateway/audit_merchant.h"
#include "gateway/audit_totals.h"

#include <stdio.h>
#include <string.h>

struct check {
    const struct setpay_audit_run *run;
    const struct setpay_batch_part *part;
    char where[SETPAY_AUDIT_WHERE_SIZE];
};

#define FIND(check, where, kind, ...)                                                              \
    setpay_audit_files_find((check)->run->files, (check)->run->file, where, kind, __VA_ARGS__)

/* ------------------------------------------------------------------ one answer */

/* Whether it is of this merchant's batch. */
static bool is_of_batch(const struct check *check, const struct setpay_batch_admin_res *answer,
                        const char *what)
{
    const struct setpay_batch_part *part = check->part;
    const char *merchant_id = check->run->file->batches.merchant_id;
    bool same_merchant =
        strcmp(answer->merchant_id, merchant_id) == 0 && strcmp(answer->brand, part->brand) == 0;
    if (!same_merchant)
        FIND(check, check->where, "merchant",
             "the gateway has signed %s to %s of %s, the file is of %s", what, answer->merchant_id,
             answer->brand, merchant_id);
    if (answer->batch != part->number)
        FIND(check, check->where, "batch", "the gateway has signed %s for batch %lu", what,
             (unsigned long)answer->batch);
    return same_merchant && answer->batch == part->number;
}

/* *answer is to be cleared where it is true. */
static bool open_answer(const struct check *check, const json_t *json, const char *what,
                        struct setpay_batch_admin_res *answer)
{
    const struct setpay_audit_run *run = check->run;
    struct setpay_batch_proof proof = {.message = {.is_signed = false}};
    bool good = false;
    if (setpay_batch_proof_read(json, &proof) != SETPAY_OK)
        FIND(check, check->where, "signature", "%s can't be read", what);
    else if (proof.message.type != SETPAY_MESSAGE_BATCH_ADMIN_RES)
        FIND(check, check->where, "kind", "%s is a %s, expected BatchAdminRes", what,
             setpay_message_type_name(proof.message.type));
    else if (setpay_audit_is_signed(run->files, run->file, run->signers, check->part->brand,
                                    check->where, &proof.message, what)) {
        good = setpay_batch_admin_res_parse(proof.message.content, answer) == SETPAY_OK;
        if (!good)
            FIND(check, check->where, "signature", "%s can't be read", what);
    }
    setpay_batch_proof_clear(&proof);
    if (good && !is_of_batch(check, answer, what)) {
        setpay_batch_admin_res_clear(answer);
        good = false;
    }
    return good;
}

/* ------------------------------------------------------------------ the one that closes it */

/* What the gateway's books have of the batch. */
struct books {
    struct setpay_audit_totals totals;
    setpay_time_ms closed_ms; /* 0: it is open, or not in them */
};

static void read_books(const struct check *check, struct books *books)
{
    size_t count = 0;
    struct setpay_audit_step *const *steps =
        setpay_audit_batch_steps(check->run, check->part->brand, check->part->number, &count);
    memset(books, 0, sizeof *books);
    for (size_t i = 0; i < count; i++) {
        const struct setpay_audit_step *step = steps[i];
        books->closed_ms = step->batch_open ? 0 : step->closed_ms;
        if (!step->undone)
            (void)setpay_audit_totals_add(&books->totals, step->kind, &step->amount);
    }
}

static void find_in_file(void *arg, const struct setpay_batch_total *theirs,
                         const struct setpay_batch_total *signed_total)
{
    char one[SETPAY_AUDIT_TOTAL_SIZE], other[SETPAY_AUDIT_TOTAL_SIZE];
    const struct check *check = arg;
    FIND(check, check->where, "totals",
         "%s: the merchant counts %s, the gateway has signed %s (in minor units)", theirs->currency,
         setpay_audit_total_words(theirs, one), setpay_audit_total_words(signed_total, other));
}

static void find_in_books(void *arg, const struct setpay_batch_total *signed_total,
                          const struct setpay_batch_total *booked)
{
    char one[SETPAY_AUDIT_TOTAL_SIZE], other[SETPAY_AUDIT_TOTAL_SIZE];
    const struct check *check = arg;
    FIND(check, check->where, "totals",
         "%s: the gateway has signed %s, its books come to %s (in minor units)", booked->currency,
         setpay_audit_total_words(signed_total, one), setpay_audit_total_words(booked, other));
}

static void compare(struct check *check, const struct setpay_batch_admin_res *answer,
                    const struct books *books)
{
    const struct setpay_batch_part *part = check->part;
    char at[SETPAY_TIME_TEXT_SIZE], booked[SETPAY_TIME_TEXT_SIZE];
    if (!answer->agreed) {
        FIND(check, check->where, "status",
             "the merchant has it as closed, beside an answer that does not close it");
        return;
    }
    setpay_audit_totals_compare(part->totals, part->total_count, answer->totals,
                                answer->total_count, find_in_file, check);
    setpay_audit_totals_compare(answer->totals, answer->total_count, books->totals.list,
                                books->totals.count, find_in_books, check);
    if (books->closed_ms != 0 && answer->closed_ms != books->closed_ms)
        FIND(check, check->where, "date",
             "the gateway has signed that it was closed at %s, its books have %s",
             setpay_time_format(answer->closed_ms, at),
             setpay_time_format(books->closed_ms, booked));
}

/* Whether the merchant must have an answer: as far as the two's clocks may be apart, it was closed
 * after the merchant had begun to keep them. */
static bool must_be_kept(const struct check *check, const struct books *books)
{
    char closed[SETPAY_TIME_TEXT_SIZE];
    const char *since = check->run->file->batches.kept_since;
    return since[0] != '\0' && books->closed_ms > SETPAY_AUDIT_CLOCK_TOLERANCE_MS &&
           strcmp(setpay_time_format(books->closed_ms - SETPAY_AUDIT_CLOCK_TOLERANCE_MS, closed),
                  since) > 0;
}

static void check_proof(struct check *check)
{
    struct setpay_audit_file *file = check->run->file;
    struct setpay_batch_admin_res answer;
    struct books books;
    size_t before = file->found;
    read_books(check, &books);
    if (check->part->proof == NULL) {
        if (check->part->closed && must_be_kept(check, &books))
            FIND(check, check->where, "signature",
                 "there is no answer of the gateway's that closes it");
        else
            file->unsigned_closes += check->part->closed;
        return;
    }
    if (!check->part->closed)
        FIND(check, check->where, "status",
             "the merchant has it as not closed, beside an answer that closes it");
    if (open_answer(check, check->part->proof, "the answer that closes it", &answer)) {
        compare(check, &answer, &books);
        setpay_batch_admin_res_clear(&answer);
    }
    file->signed_closes += file->found == before;
}

/* ------------------------------------------------------------------ those that differed */

/* An item that the gateway has signed as in the batch. */
static void check_item(const struct check *check, const struct setpay_batch_item *item)
{
    const struct setpay_batch_line line = {.id = item->id, .kind = item->kind};
    const struct setpay_audit_step *step =
        setpay_audit_find_step(check->run, check->part->brand, &item->id);
    char where[SETPAY_AUDIT_WHERE_SIZE];
    char one[SETPAY_MONEY_TEXT_SIZE], other[SETPAY_MONEY_TEXT_SIZE];
    (void)setpay_audit_where(check->part, &line, where);
    if (step == NULL) {
        FIND(check, where, "extra",
             "the gateway has signed it as in the batch, its books have it not");
        return;
    }
    if (!setpay_money_equal(&step->amount, &item->amount))
        FIND(check, where, "amount", "the gateway has signed %s, its books have %s",
             setpay_money_format(&item->amount, one), setpay_money_format(&step->amount, other));
    if (step->kind != item->kind || !setpay_id_equal(&step->xid, &item->xid))
        FIND(check, where, "kind", "the gateway has signed it as another than its books have");
    if (step->batch != check->part->number)
        FIND(check, where, "batch", "the gateway has signed it into it, its books have batch %lu",
             (unsigned long)step->batch);
}

static void check_differed(struct check *check)
{
    static const char what[] = "an answer in which the two differed";
    for (size_t i = 0; i < json_array_size(check->part->differed); i++) {
        struct setpay_batch_admin_res answer;
        if (!open_answer(check, json_array_get(check->part->differed, i), what, &answer))
            continue;
        if (answer.agreed)
            FIND(check, check->where, "status", "%s is one that closes it", what);
        for (size_t k = 0; k < answer.item_count; k++)
            check_item(check, &answer.items[k]);
        setpay_batch_admin_res_clear(&answer);
    }
}

void setpay_audit_close_check(const struct setpay_audit_run *run,
                              const struct setpay_batch_part *part)
{
    struct check check = {.run = run, .part = part};
    (void)setpay_audit_where(part, NULL, check.where);
    check_proof(&check);
    check_differed(&check);
}
